"""Settings: the tree, where each value came from, and errors that name the file and the key.

Order of precedence: defaults, the user's file, `./tapeview.toml`, `--set a.b=c`. The struct of a section lives
with its owner; this module joins them. Nothing here is global: a Config is handed to whoever needs it.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from feeds.errors import BadInput
from tapeview.engine.settings import EngineSettings

_PLACE: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")


class ScreenSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the screen behaves; no market data depends on it."""

    fps: Annotated[int, Meta(ge=1, le=60, description="Frames a second at most.")] = 30
    recent_s: Annotated[int, Meta(ge=1, le=3600, description="Seconds the sold and bought columns look back.")] = 60
    tape_min_lots: Annotated[int, Meta(ge=0, description="Least size, in lots, that the tape lists.")] = 0
    chart_s: Annotated[int, Meta(ge=30, le=86400, description="Seconds the price and VWAP panel spans.")] = 300
    recentre: Annotated[str, Meta(pattern="^(auto|static|pinned)$", description="auto, static or pinned.")] = "auto"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a person can set."""

    source: Annotated[str, Meta(description="Opened by `tapeview` without arguments; empty shows home.")] = ""
    theme: Annotated[str, Meta(description="Name of a theme.")] = "dark"
    screen: ScreenSettings = ScreenSettings()
    engine: EngineSettings = EngineSettings()
    keys: dict[str, str] = {}
    """Binding id -> key or keys apart by commas."""
    themes: dict[str, dict[str, str]] = {}
    """Name -> variables of a theme of one's own."""


class Loaded(msgspec.Struct, frozen=True):
    """A Config and the place each of its values came from."""

    config: Config
    origin: dict[str, str]
    """Dotted key -> file or '--set'; keys left out have their default."""


def user_file() -> Path:
    """The user's configuration file, whether it exists or not ($TAPEVIEW_CONFIG overrides it)."""
    if named := os.environ.get("TAPEVIEW_CONFIG"):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_config_dir("tapeview")) / "config.toml"


def search() -> list[Path]:
    """The files that are read, first to last, as far as they exist."""
    return [path for path in (user_file(), Path("tapeview.toml")) if path.is_file()]


def read_file(path: Path) -> dict[str, Any]:
    """Read a TOML file; raise BadInput naming the file and the line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadInput(str(path), None, f"a readable file ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start}", None, "UTF-8 text") from None
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: {error}", None, "TOML") from None


def load(paths: Iterable[Path] | None = None, sets: Iterable[str] = ()) -> Loaded:
    """Join defaults, files and `--set a.b=c` words; raise BadInput for what is unknown or out of bounds."""
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for path in search() if paths is None else paths:
        layer = read_file(path)
        check(layer, str(path))
        _merge(merged, layer)
        origin.update(dict.fromkeys(_leaves(layer), str(path)))
    for word in sets:
        layer = parse_set(word)
        check(layer, "--set")
        _merge(merged, layer)
        origin.update(dict.fromkeys(_leaves(layer), "--set"))
    return Loaded(check(merged, "settings"), origin)


def parse_set(word: str) -> dict[str, Any]:
    """Turn `engine.merge_ms=50` into a nested table; the value is TOML, or a string where that fails."""
    key, equals, value = word.partition("=")
    if not equals or not key.strip():
        raise BadInput("--set", word, "KEY=VALUE such as engine.merge_ms=50")
    try:
        parsed: Any = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        parsed = value
    table: dict[str, Any] = {}
    inner = table
    *parents, leaf = key.strip().split(".", 1) if key.startswith("keys.") else key.strip().split(".")
    for name in parents:
        inner[name] = {}
        inner = inner[name]
    inner[leaf] = parsed
    return table


def check(table: Mapping[str, Any], place: str) -> Config:
    """Turn a table into a Config; raise BadInput naming place, key and the nearest known key."""
    _refuse_unknown(table, Config, "", place)
    try:
        return msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        text = str(error)
        match = _PLACE.search(text)
        key = match["path"].removeprefix(".") if match else ""
        text = text[: match.start()] if match else text
        raise BadInput(
            f"{place}: {key}" if key else place, _value(table, key), text.removeprefix("Expected ")
        ) from None


def _refuse_unknown(table: Mapping[str, Any], kind: type[msgspec.Struct], prefix: str, place: str) -> None:
    known = {f.name: f.type for f in msgspec.structs.fields(kind)}
    for name, value in table.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            options = ", ".join(known)
            raise BadInput(f"{place}: key", prefix + name, f"{prefix + near[0]!r}?" if near else f"one of {options}")
        section = known[name]
        if isinstance(section, type) and issubclass(section, msgspec.Struct) and isinstance(value, Mapping):
            _refuse_unknown(value, section, f"{prefix}{name}.", place)


def _value(table: Mapping[str, Any], key: str) -> object:
    value: Any = table
    for name in key.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return str(value)


def _merge(into: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _leaves(table: Mapping[str, Any], prefix: str = "") -> list[str]:
    out: list[str] = []
    for key, value in table.items():
        out += _leaves(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [prefix + key]
    return out


def rows(loaded: Loaded) -> list[tuple[str, object, str]]:
    """Every value as (dotted key, value, where it came from)."""
    plain = msgspec.to_builtins(loaded.config)
    return [(key, _raw(plain, key), loaded.origin.get(key, "default")) for key in _leaves(plain)]


def _raw(table: Mapping[str, Any], key: str) -> object:
    value: Any = table
    rest = key
    while rest:
        name, _, tail = rest.partition(".")
        if name not in value:
            return value[rest]
        value, rest = value[name], tail
    return value


def description(key: str) -> str:
    """What a key means and what it may be, from its struct; '' for keys a person names."""
    schema: dict[str, Any] = {}
    kind: Any = Config
    for name in key.split("."):
        fields = (
            {f.name: f for f in msgspec.structs.fields(kind)}
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
            else {}
        )
        if name not in fields:
            return ""
        kind = fields[name].type
        schema = msgspec.json.schema(kind) if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)) else {}
    bounds = [f"{word} {schema[k]}" for k, word in (("minimum", "at least"), ("maximum", "at most")) if k in schema]
    return " ".join([schema.get("description", ""), f"({', '.join(bounds)})" if bounds else ""]).strip()

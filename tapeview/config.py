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
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from feeds.errors import BadInput
from tapeview import detectors
from tapeview import outlets as ways_out
from tapeview.desk.settings import DeskSettings
from tapeview.engine.settings import EngineSettings

if TYPE_CHECKING:
    from tapeview.detectors._declare import Thresholds
    from tapeview.outlets._declare import Options

DETECTORS: Final = "detectors"
OUTLETS: Final = "outlets"
HERE: Final = Path("tapeview.toml")
"""The settings of the folder one is in."""
OFF: Final = "off"
_BOUNDS: Final = (("minimum", "at least"), ("maximum", "at most"))
_PLACE: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")


class ScreenSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the screen behaves; no market data depends on it."""

    fps: Annotated[int, Meta(ge=1, le=60, description="Frames a second at most.")] = 30
    recent_s: Annotated[int, Meta(ge=1, le=3600, description="Seconds the sold and bought columns look back.")] = 60
    tape_min_lots: Annotated[int, Meta(ge=0, description="Least size, in lots, that the tape lists.")] = 0
    chart_s: Annotated[int, Meta(ge=30, le=86400, description="Seconds the price and VWAP panel spans.")] = 300
    recentre: Annotated[str, Meta(pattern="^(auto|static|pinned)$", description="auto, static or pinned.")] = "auto"
    ascii: Annotated[
        str,
        Meta(pattern="^(auto|on|off)$", description="Draw in ASCII alone: on, off, or auto by terminal and locale."),
    ] = "auto"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a person can set."""

    source: Annotated[str, Meta(description="Opened by `tapeview` without arguments; empty shows home.")] = ""
    theme: Annotated[str, Meta(description="Name of a theme.")] = "dark"
    screen: ScreenSettings = ScreenSettings()
    engine: EngineSettings = EngineSettings()
    desk: DeskSettings = DeskSettings()
    detectors: dict[str, dict[str, Any] | list[str]] = {}
    """Detector -> its thresholds that are not the default, and 'off' -> detectors that are silent; see `thresholds`."""
    outlets: dict[str, dict[str, Any]] = {}
    """Outlet -> its options that are not the default; see `outlet_options`."""
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
    return [path for path in (user_file(), HERE) if path.is_file()]


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
        if path == HERE and layer.get(OUTLETS):
            # Whoever made the folder may not have records sent anywhere, or written.
            raise BadInput(f"{path}: {OUTLETS}", None, f"outlets in your own settings alone ({user_file()})")
        _merge(merged, layer)
        origin.update(dict.fromkeys(_leaves(layer), str(path)))
    for word in sets:
        layer = parse_set(word)
        check(layer, "--set")
        _merge(merged, layer)
        origin.update(dict.fromkeys(_leaves(layer), "--set"))
    loaded = Loaded(check(merged, "settings"), origin)
    check_outlets(loaded)
    return loaded


def parse_set(word: str) -> dict[str, Any]:
    """Turn `engine.merge_ms=50` into a nested table; the value is TOML, or a string where that fails.

    A detector's name stands for its table: `iceberg.refills=4` is `detectors.iceberg.refills=4`.
    """
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
    if len(parents) == 1 and parents[0] in detectors.names():
        parents = [DETECTORS, *parents]
    for name in parents:
        inner[name] = {}
        inner = inner[name]
    inner[leaf] = parsed
    return table


def check(table: Mapping[str, Any], place: str) -> Config:
    """Turn a table into a Config; raise BadInput naming place, key and the nearest known key."""
    _refuse_unknown(table, Config, "", place)
    _refuse_unknown_detectors(table.get(DETECTORS), place)
    _check_outlets(table.get(OUTLETS), place)
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
            near = difflib.get_close_matches(name, [*known, *(detectors.names() if kind is Config else ())], 1)
            options = ", ".join(known)
            raise BadInput(f"{place}: key", prefix + name, f"{prefix + near[0]!r}?" if near else f"one of {options}")
        section = known[name]
        if isinstance(section, type) and issubclass(section, msgspec.Struct) and isinstance(value, Mapping):
            _refuse_unknown(value, section, f"{prefix}{name}.", place)


def _refuse_unknown_detectors(table: object, place: str) -> None:
    if not isinstance(table, Mapping):
        return
    silent = table.get(OFF, [])
    named = [(f"{DETECTORS}.{name}", name) for name in table if name != OFF]
    if isinstance(silent, list):
        named += [(f"{DETECTORS}.{OFF}: {name}", str(name)) for name in silent]
    else:
        raise BadInput(f"{place}: {DETECTORS}.{OFF}", silent, 'a list such as ["pulled"]')
    known = detectors.names()
    for shown, name in named:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise BadInput(f"{place}: detector", shown, f"{near[0]!r}?" if near else "one of " + ", ".join(known))
        if shown == f"{DETECTORS}.{name}" and not isinstance(table[name], Mapping):
            raise BadInput(f"{place}: {shown}", table[name], "a table of thresholds")


def _check_outlets(table: object, place: str) -> None:
    """Refuse outlets and options that there are not; imports those that are named."""
    if not isinstance(table, Mapping):
        return
    for name, said in table.items():
        known = ways_out.names()
        shown = f"{OUTLETS}.{name}"
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise BadInput(f"{place}: outlet", shown, f"{near[0]!r}?" if near else "one of " + ", ".join(known))
        if not isinstance(said, Mapping):
            raise BadInput(f"{place}: {shown}", said, "a table of options")
        kind = ways_out.load(name).options
        for key, value in said.items():
            _check_key(kind, key, value, f"{place}: {shown}")


def check_outlets(loaded: Loaded) -> None:
    """Refuse outlets that are on with options they cannot work with; raise BadInput naming the file and the key."""
    for name, options in outlet_options(loaded.config).items():
        if options.on:
            try:
                ways_out.load(name).check(options)
            except BadInput as error:
                shown = f"{OUTLETS}.{name}.{error.place}"
                origin = loaded.origin.get(shown) or loaded.origin.get(f"{OUTLETS}.{name}.on", "settings")
                raise BadInput(f"{origin}: {shown}", error.value, error.expected) from None


def outlet_options(settings: Config, *, silent: bool = False) -> dict[str, Options]:
    """The options of every outlet that the settings name, or of all; imports them."""
    named = ways_out.names() if silent else settings.outlets
    return {name: msgspec.convert(settings.outlets.get(name, {}), ways_out.load(name).options) for name in named}


def _check_key(kind: type[msgspec.Struct], key: str, value: object, place: str) -> None:
    if key not in kind.__struct_fields__:
        near = difflib.get_close_matches(key, kind.__struct_fields__, 1)
        wanted = f"{near[0]!r}?" if near else "one of " + ", ".join(kind.__struct_fields__)
        raise BadInput(f"{place}: key", key, wanted)
    try:
        msgspec.convert({key: value}, kind)
    except msgspec.ValidationError as error:
        expected = _PLACE.sub("", str(error)).removeprefix("Expected ")
        bounds = bounds_of(option_schema(kind, key))
        raise BadInput(f"{place}.{key}", str(value), f"{expected} ({bounds})" if bounds else expected) from None


def thresholds(loaded: Loaded, *, silent: bool = False) -> dict[str, Thresholds]:
    """The thresholds of every detector that is not off, or of all; imports the detectors.

    Raises BadInput naming the file, the key, its bounds, and the nearest known key.
    """
    off = set(loaded.config.detectors.get(OFF, []))
    out: dict[str, Thresholds] = {}
    for name, detector in detectors.load().items():
        if name in off and not silent:
            continue
        kind, said = detector.thresholds, loaded.config.detectors.get(name, {})
        assert isinstance(said, dict), name
        for key, value in said.items():
            _check_key(kind, key, value, f"{_origin(loaded, f'{DETECTORS}.{name}.{key}')}: {DETECTORS}.{name}")
        out[name] = msgspec.convert(said, kind)
    return out


def _origin(loaded: Loaded, key: str) -> str:
    return next((place for said, place in loaded.origin.items() if f"{said}.".startswith(f"{key}.")), "settings")


def threshold_schema(kind: type[Thresholds], key: str) -> dict[str, Any]:
    """The JSON schema of one threshold: description, bounds, and where its default comes from."""
    return option_schema(kind, key)


def option_schema(kind: type[msgspec.Struct], key: str) -> dict[str, Any]:
    """The JSON schema of one field of a struct."""
    properties: dict[str, Any] = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    return dict(properties[key])


def bounds_of(schema: Mapping[str, Any]) -> str:
    """The bounds in a schema, in words; empty where there are none."""
    return ", ".join(f"{word} {schema[k]}" for k, word in _BOUNDS if k in schema)


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
    """Every value as (dotted key, value, where it came from); imports the detectors, for their thresholds."""
    plain = msgspec.to_builtins(loaded.config)
    plain[DETECTORS] = {OFF: loaded.config.detectors.get(OFF, [])} | {
        name: msgspec.to_builtins(one) for name, one in sorted(thresholds(loaded, silent=True).items())
    }
    plain[OUTLETS] = {
        name: msgspec.to_builtins(one) for name, one in outlet_options(loaded.config, silent=True).items()
    }
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
    if key == f"{DETECTORS}.{OFF}":
        return "Names of detectors that are silent."
    if key.startswith(f"{DETECTORS}."):
        name, _, leaf = key.removeprefix(f"{DETECTORS}.").partition(".")
        found = detectors.load().get(name)
        if found is None or leaf not in found.thresholds.__struct_fields__:
            return ""
        schema = threshold_schema(found.thresholds, leaf)
        return f"{schema['description']} ({bounds_of(schema)}) Default from: {schema['source']}."
    if key.startswith(f"{OUTLETS}."):
        name, _, leaf = key.removeprefix(f"{OUTLETS}.").partition(".")
        if name not in ways_out.names() or leaf not in ways_out.load(name).options.__struct_fields__:
            return ""
        schema = option_schema(ways_out.load(name).options, leaf)
        bounds = bounds_of(schema)
        return f"{schema['description']} ({bounds})" if bounds else str(schema["description"])
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
    bounds, source = bounds_of(schema), schema.get("source")
    known = f"Default from: {source}." if source else ""
    said = [schema.get("description", ""), f"({bounds})" if bounds else "", known]
    return " ".join(part for part in said if part)


def schema() -> dict[str, Any]:
    """The JSON schema of a configuration file, detectors' and outlets' tables included; imports both."""
    tables = [(name, one.thresholds, one.thresholds()) for name, one in sorted(detectors.load().items())]
    options = [(name, one.options, one.options()) for name, one in ways_out.outlets().items()]
    joined = [
        msgspec.defstruct(
            "Detectors", [(OFF, list[str], msgspec.field(default_factory=list)), *tables], forbid_unknown_fields=True
        ),
        msgspec.defstruct("Outlets", options, forbid_unknown_fields=True),
    ]
    found, parts = msgspec.json.schema_components([Config, *joined], ref_template="#/$defs/{name}")
    for name, table in zip((DETECTORS, OUTLETS), found[1:], strict=True):
        parts["Config"]["properties"][name] = {**table, "default": {}}
    return {**found[0], "$defs": parts}

"""Settings while they are edited: every value as a field with its bounds, and what has been changed but not saved."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET

from feeds.errors import BadInput
from tapeview import config
from tapeview.config import DETECTORS, OFF, OUTLETS, Config, Loaded
from tapeview.desk.limits import Limits
from tapeview.desk.settings import BracketSettings, DeskSettings
from tapeview.outlets import names as ways_out
from tapeview.outlets import outlets
from tapeview.settings_file import Key

if TYPE_CHECKING:
    from tapeview.detectors._declare import Thresholds

NOT_SAVED: Final = "not saved"
"""The origin of a value that has been changed here."""
START, SCREEN, ENGINE, DESK, BRACKET, LIMITS = "start", "screen", "engine", "desk", "bracket", "limits"
TITLES: Final = {
    START: "Start and theme", SCREEN: "Screen", ENGINE: "Engine", DESK: "Desk: paper account and keys",
    BRACKET: "Desk: exits of an entry", LIMITS: "Limits of the desk",
}  # fmt: skip
AT_ONCE, NEXT_SESSION, NEXT_START = "acts at once", "acts on sessions opened from now on", "acts at the next start"
_LATER: Final = {("source",): NEXT_START, ("screen", "ascii"): NEXT_START}
_CHOICES: Final = re.compile(r"\^\(([\w|]+)\)\$\Z")
_SWITCHES: Final = {"on": True, "off": False, "true": True, "false": False}
_WANTED: Final[dict[Key, str]] = {
    ("desk", "account"): "at most 40 letters, digits, _ . -",
    ("desk", "equity"): "an amount such as 25000 or 25000.00",
}
"""What may stand in texts that have a pattern."""
_SOURCES: Final = {
    "P": "a paper", "X": "an exchange, regulator or vendor", "M": "measured", "S": "the users' guide", "J": "judgement",
    "B": "fitted by `tapeview bench detectors`",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One value a person can set."""

    key: Key
    """Where it stands in the settings; of a detector's switch, a name that is in no file."""
    section: str
    """start, screen, engine, desk, bracket, limits, a detector's name, or outlets.NAME."""
    name: str
    kind: str
    """int, float, text, choice, switch (a choice of on and off that is true and false in the file) or list."""
    default: Any
    about: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    source: str = ""
    """Tag of where a threshold's default comes from."""
    acts: str = AT_ONCE
    items: str = ""
    """What a list may hold, in words."""

    @property
    def dotted(self) -> str:
        """The key as it is written."""
        return ".".join(self.key)

    @property
    def bounds(self) -> str:
        """What it may be, in words."""
        if self.choices:
            return " ".join(self.choices)
        if self.kind == "list":
            return self.items
        if self.least is None or self.most is None:
            return "" if self.least is None else f"at least {text_of(self.least)}"
        return f"{text_of(self.least)} to {text_of(self.most)}"

    @property
    def source_words(self) -> str:
        """Where the default comes from, in words."""
        tag, _, rest = self.source.partition(":")
        known = _SOURCES.get(tag.strip())
        return self.source if known is None else ": ".join(part for part in (known, rest.strip()) if part)


def text_of(value: Any) -> str:
    """A value as a person writes it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(text_of(one) for one in value)
    if isinstance(value, float):
        short = f"{value:.10g}"
        return short if "e" not in short else f"{value:.15f}".rstrip("0")
    return str(value)


class Draft:
    """The settings of this run with the changes made to them; imports the detectors."""

    def __init__(self, loaded: Loaded, themes: Iterable[str] = ()) -> None:
        from tapeview.detectors import load

        self.loaded = loaded
        self.changes: dict[Key, Any] = {}
        """What has been changed and is not in the user's file yet; UNSET where a key is to be taken out."""
        self.titles = TITLES | {f"{OUTLETS}.{name}": f"Outlet: {name}" for name in ways_out()}
        self.titles |= {name: one.title for name, one in sorted(load().items())}
        """Section -> heading, in order."""
        self.knobs = {name: one.knob for name, one in load().items()}
        """Detector -> the threshold that says how easily it fires."""
        self.fields = tuple(_fields(tuple(themes)))
        self._kinds: dict[str, type[msgspec.Struct]] = {name: one.thresholds for name, one in load().items()}
        self._kinds |= {LIMITS: Limits, DESK: DeskSettings, BRACKET: BracketSettings}
        self._kinds |= {f"{OUTLETS}.{name}": one.options for name, one in outlets().items()}
        self._plain = self._table(loaded)

    @staticmethod
    def _table(loaded: Loaded) -> dict[str, Any]:
        table: dict[str, Any] = msgspec.to_builtins(loaded.config)
        table[DETECTORS] = {name: dict(t) if isinstance(t, dict) else list(t) for name, t in table[DETECTORS].items()}
        return table

    # -- values --------------------------------------------------------------------------------
    def value(self, field: Field) -> Any:
        """The value as it is now."""
        if field.key[-1] == _SWITCH:
            return "off" if field.section in self._off() else "on"
        if field.key in self.changes:
            change = self.changes[field.key]
            return field.default if change is UNSET else change
        return self._before(field)

    def _before(self, field: Field) -> Any:
        inner: Any = self._plain
        for name in field.key:
            if name not in inner:
                return field.default
            inner = inner[name]
        return inner

    def _off(self) -> list[str]:
        off = self.changes.get(_OFF_KEY, self._plain[DETECTORS].get(OFF, []))
        return [] if off is UNSET else list(off)

    def changed(self, field: Field) -> bool:
        """Whether it has been changed and not been saved."""
        if field.key[-1] == _SWITCH:
            return (field.section in self._off()) != (field.section in self._plain[DETECTORS].get(OFF, []))
        return field.key in self.changes

    def origin(self, field: Field) -> str:
        """The file its value comes from, '--set', 'default', or that it is not saved."""
        if self.changed(field):
            return NOT_SAVED
        key = ".".join(_OFF_KEY) if field.key[-1] == _SWITCH else field.dotted
        return self.loaded.origin.get(key, "default")

    # -- changes -------------------------------------------------------------------------------
    def parse(self, field: Field, text: str) -> Any:
        """Turn text into a value of the field; raise BadInput saying what may stand there."""
        text = text.strip()
        value: Any = text
        if field.kind == "switch":
            if text.casefold() not in _SWITCHES:
                raise BadInput(field.dotted, text, "on or off")
            return _SWITCHES[text.casefold()]
        if field.choices:
            if text not in field.choices:
                raise BadInput(field.dotted, text, f"one of {', '.join(field.choices)}")
            return text
        if field.kind == "list":
            value = [int(one) if one.isdecimal() else one for one in re.split(r"[,;\s]+", text) if one]
        if field.kind in ("int", "float"):
            try:
                value = int(text.replace("_", "")) if field.kind == "int" else float(text)
            except ValueError:
                wanted = "a whole number" if field.kind == "int" else "a number"
                raise BadInput(field.dotted, text, f"{wanted}, {field.bounds}".rstrip(", ")) from None
            if isinstance(value, float) and not math.isfinite(value):
                raise BadInput(field.dotted, text, f"a number, {field.bounds}")
        self._check(field, value)
        return value

    def _check(self, field: Field, value: Any) -> None:
        kinds = {f.name: f.type for f in msgspec.structs.fields(Config)}
        kind = self._kinds[field.section] if field.section in self._kinds else kinds[field.key[0]]
        try:
            msgspec.convert({field.key[-1]: value} if len(field.key) > 1 else value, kind)
        except msgspec.ValidationError as error:
            words = str(error).partition(" - at ")[0].removeprefix("Expected ")
            raise BadInput(field.dotted, text_of(value), field.bounds or _WANTED.get(field.key, words)) from None

    def put(self, field: Field, value: Any) -> None:
        """Change a field; one that is back where it was is changed no more."""
        if field.key[-1] == _SWITCH:
            off = [name for name in self._off() if name != field.section]
            self._put_key(_OFF_KEY, [*off, field.section] if value == "off" else off, [])
        else:
            self._put_key(field.key, value, field.default)

    def _put_key(self, key: Key, value: Any, default: Any) -> None:
        inner: Any = self._plain
        for name in key:
            inner = inner.get(name, UNSET) if isinstance(inner, Mapping) else UNSET
        if value == (default if inner is UNSET else inner):
            self.changes.pop(key, None)
        else:
            self.changes[key] = value

    def reset(self, field: Field) -> None:
        """Put a field to its default, by taking it out of the file."""
        if field.key[-1] == _SWITCH:
            self.put(field, "on")
        elif ".".join(field.key) in self.loaded.origin:
            self.changes[field.key] = UNSET
        else:
            self.changes.pop(field.key, None)

    def undo(self) -> None:
        """Forget every change that was not saved."""
        self.changes.clear()

    def step(self, field: Field, direction: int) -> Any:
        """The next value up (1) or down (-1): the next choice, or a step that fits the size, inside the bounds."""
        value = self.value(field)
        if field.kind == "switch":
            return not value
        if field.choices:
            at = field.choices.index(value) if value in field.choices else 0
            return field.choices[(at + direction) % len(field.choices)]
        if field.kind in ("text", "list"):
            return value
        step = step_of(value, field, direction)
        at = value / step
        moved = round((math.floor(at + _NEXT) + 1 if direction > 0 else math.ceil(at - _NEXT) - 1) * step, 12)
        if field.least is not None:
            moved = max(field.least, moved)
        if field.most is not None:
            moved = min(field.most, moved)
        return int(moved) if field.kind == "int" else float(moved)

    # -- what follows --------------------------------------------------------------------------
    def now(self) -> Loaded:
        """The settings with all changes."""
        table = self._table(self.loaded)
        origin = dict(self.loaded.origin)
        for key, value in self.changes.items():
            inner = table
            for name in key[:-1]:
                inner = inner.setdefault(name, {})
            dotted = ".".join(key)
            if value is UNSET:
                inner.pop(key[-1], None)
                origin.pop(dotted, None)
            else:
                inner[key[-1]] = value
                origin[dotted] = NOT_SAVED
        return Loaded(config.check(table, "settings"), origin)

    def check(self) -> None:
        """Refuse changes that do not fit together, and that no start would take; raise BadInput naming the key."""
        config.check_outlets(self.now())

    def thresholds(self, *, silent: bool = False) -> dict[str, Thresholds]:
        """The detectors' thresholds with all changes; of those that are off too where `silent`."""
        return config.thresholds(self.now(), silent=silent)

    def saved(self, file: str) -> None:
        """Take note that all changes are in the user's file now."""
        now = self.now()
        origin = {key: file if place == NOT_SAVED else place for key, place in now.origin.items()}
        self.loaded = Loaded(now.config, origin)
        self._plain = self._table(self.loaded)
        self.changes.clear()


_NEXT: Final = 1e-6
_SWITCH: Final = "on or off"
_OFF_KEY: Final = (DETECTORS, OFF)


def step_of(value: float, field: Field, direction: int) -> float:
    """A power of ten that changes a value by a fifth at most; near 1, what it leaves to 1 counts."""
    size = abs(value)
    if field.kind == "float" and field.most is not None and field.most <= 1 and value > 0.5:
        left = 1 - value
        size = left if direction > 0 or left >= 1e-9 else 1 - field.most
    if size < 1e-9:
        size = abs(field.default) or 1.0
    step = 10.0 ** math.floor(math.log10(size / 5) + 1e-9)
    return max(1.0, step) if field.kind == "int" else step


def _fields(themes: tuple[str, ...]) -> Iterable[Field]:
    from tapeview.detectors import load

    whole = msgspec.json.schema(Config)["$defs"]["Config"]["properties"]
    how = "choice" if themes else "text"
    yield Field(("theme",), START, "theme", how, "dark", whole["theme"]["description"], themes)
    yield Field(("source",), START, "source", "text", "", whole["source"]["description"], acts=NEXT_START)
    for name in (SCREEN, ENGINE):
        kind = type(getattr(Config(), name))
        yield from _of_struct(name, (name,), kind, NEXT_SESSION if name == ENGINE else AT_ONCE)
    yield from _of_struct(DESK, ("desk",), DeskSettings, NEXT_SESSION)
    yield from _of_struct(BRACKET, ("desk", "bracket"), BracketSettings, NEXT_SESSION)
    yield from _of_struct(LIMITS, ("desk", "limits"), Limits, NEXT_SESSION)
    for name, outlet in outlets().items():
        options = _of_struct(f"{OUTLETS}.{name}", (OUTLETS, name), outlet.options, NEXT_START)
        yield from sorted(options, key=lambda one: one.name != "on")
    for name, detector in sorted(load().items()):
        yield Field(
            (DETECTORS, name, _SWITCH), name, "detector", "choice", "on", _first(detector.rule), ("on", "off")
        )  # fmt: skip
        yield from _of_struct(name, (DETECTORS, name), detector.thresholds, AT_ONCE)


def _of_struct(section: str, path: Key, kind: type[msgspec.Struct], acts: str) -> Iterable[Field]:
    properties = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    kinds = {"integer": "int", "number": "float", "boolean": "switch", "array": "list"}
    defaults = kind()
    for name, schema in properties.items():
        if isinstance(getattr(defaults, name), msgspec.Struct):
            continue  # a section of its own
        choices = _CHOICES.match(schema.get("pattern", ""))
        key = (*path, name)
        how = "choice" if choices else kinds.get(schema.get("type", ""), "text")
        yield Field(
            key, section, name, how, getattr(defaults, name), schema.get("description", ""),
            ("on", "off") if how == "switch" else tuple(choices[1].split("|")) if choices else (),
            schema.get("minimum"), schema.get("maximum"), schema.get("source", ""), _LATER.get(key, acts),
            _items(schema),
        )  # fmt: skip


def _items(schema: Mapping[str, Any]) -> str:
    """What a list may hold, in words; '' for what is none."""
    if schema.get("type") != "array":
        return ""
    each = schema.get("items", {})
    least, most = schema.get("minItems"), schema.get("maxItems")
    count = f"{least} " if least is not None and least == most else f"at most {most} " if most is not None else ""
    if each.get("type") != "integer":
        return f"{count}words"
    return f"{count}numbers from {each.get('minimum')} to {each.get('maximum')}"


def _first(text: str) -> str:
    """The first sentence of a text."""
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]

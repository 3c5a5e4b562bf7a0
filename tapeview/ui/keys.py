"""Every key there is: collected where actions are declared, checked against a person's own, shown as tables."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from textual.binding import Binding, BindingType
from textual.keys import Keys, _character_to_key, format_key

from feeds.errors import BadInput

GROUPS: Final = {
    "app": "Everywhere",
    "trade": "Trading on paper",
    "replay": "Replay",
    "live": "Live",
    "screen": "Panels",
    "panel": "Panels",
    "ladder": "Ladder",
    "tape": "Tape",
    "chart": "Price and VWAP",
    "alerts": "Alerts",
    "explain": "Alert explained",
    "meters": "Meters",
    "home": "Home",
    "opening": "Opening",
    "choose": "Live instrument",
    "log": "Log",
    "settings": "Settings",
    "journal": "Journal",
    "table": "Journal",
    "story": "A trade's story",
    "drills": "Drills",
    "drill": "Drill",
    "result": "Drill",
    "help": "Help",
}
"""First part of an id -> heading, in the order of the help screen."""
TRADING: Final = frozenset("absBSxXfkt12345")
"""Bare keys of trading by default: nothing else has them by default, on any screen with a market."""
BY_KEY_ALONE: Final = frozenset(
    f"trade.{name}"
    for name in (
        "arm", "buy", "sell", "buy-market", "sell-market", "cancel", "cancel-all", "flatten", "trail", "call-up",
        "call-down",
    )
)  # fmt: skip
"""Actions that are not found by name: Enter in a text field never trades."""

_MODIFIERS: Final = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
_NAMES: Final = frozenset(key.value.rpartition("+")[2] for key in Keys if "<" not in key.value) | frozenset(
    _character_to_key(chr(code)) for code in range(33, 127)
)
_SHOWN: Final = {
    "up": "↑", "down": "↓", "left": "←", "right": "→", "pageup": "PgUp", "pagedown": "PgDn", "space": "Space",
    "enter": "Enter", "escape": "Esc", "tab": "Tab", "home": "Home", "end": "End", "backspace": "Backspace",
    "delete": "Del", "insert": "Ins", "comma": ",", "full_stop": ".", "plus": "+", "minus": "-",
}  # fmt: skip

_ARROWS: Final = {"↑": "Up", "↓": "Down", "←": "Left", "→": "Right"}
"""Signs of keys that would be taken for other keys in ASCII."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does."""

    id: str
    keys: tuple[str, ...]
    """Key names as Textual knows them."""
    text: str
    group: str
    shown: str
    """The keys as a person reads them."""


def declared(owner: type) -> list[Binding]:
    """The bindings a class of ours declares itself and inherits from classes of ours, one a declaration."""
    found: list[Binding] = []
    for cls in reversed(owner.__mro__):
        if not cls.__dict__.get("_inherit_bindings", True):
            found.clear()
        if cls.__module__.startswith("tapeview."):
            entries: Iterable[BindingType] = cls.__dict__.get("BINDINGS", ())
            found += [entry if isinstance(entry, Binding) else Binding(*entry) for entry in entries]
    return found


def actions(owners: Iterable[type], keymap: Mapping[str, str] | None = None) -> list[Action]:
    """The actions of some classes, with a person's own keys where they are given; ids are listed once."""
    found: dict[str, Action] = {}
    for owner in owners:
        for binding in declared(owner):
            if binding.id is None:
                continue
            own = (keymap or {}).get(binding.id)
            keys = tuple(_character_to_key(k) if len(k) == 1 else k for k in _split(own or binding.key))
            if own is None and binding.key_display:
                shown = binding.key_display
            else:
                shown = " ".join(key_text(key) for key in keys)
            group = GROUPS.get(binding.id.partition(".")[0], binding.id.partition(".")[0].capitalize())
            if binding.id in found:
                before = found[binding.id]
                found[binding.id] = replace(before, keys=before.keys + keys)
            else:
                found[binding.id] = Action(binding.id, keys, binding.description, group, shown)
    return list(found.values())


def key_text(key: str) -> str:
    """A key as a person reads it: `question_mark` -> `?`, `shift+left` -> `Shift+←`."""
    *modifiers, name = key.split("+")
    words = [modifier.capitalize() for modifier in modifiers]
    last = _SHOWN.get(name) or format_key(name)
    if (len(last) == 1 and words) or (last[:1] == "f" and last[1:].isdigit()):
        last = last.upper()
    return "+".join([*words, last])


def in_words(shown: str) -> str:
    """Keys as a person reads them on a screen in ASCII: `Shift+←` -> `Shift+Left`."""
    for arrow, word in _ARROWS.items():
        shown = shown.replace(arrow, word)
    return shown


def contexts() -> dict[str, tuple[tuple[type, ...], ...]]:
    """Screen -> chains of classes whose keys are alive at the same time: app, screen and one focused panel."""
    from tapeview.ui.app import TapeviewApp
    from tapeview.ui.screens._story import StoryScreen
    from tapeview.ui.screens.choose import ChooseScreen
    from tapeview.ui.screens.drill import DrillScreen, ResultScreen
    from tapeview.ui.screens.drills import DrillsScreen
    from tapeview.ui.screens.explain import ExplainScreen
    from tapeview.ui.screens.help import HelpScreen
    from tapeview.ui.screens.home import HomeScreen
    from tapeview.ui.screens.journal import JournalScreen
    from tapeview.ui.screens.leave import LeaveScreen
    from tapeview.ui.screens.live import LiveScreen
    from tapeview.ui.screens.log import LogScreen
    from tapeview.ui.screens.opening import OpeningScreen
    from tapeview.ui.screens.settings import SettingsScreen
    from tapeview.ui.screens.trade import PANELS, TradeScreen
    from tapeview.ui.widgets._sheet import Table

    return {
        "home": ((TapeviewApp, HomeScreen),),
        "opening": ((TapeviewApp, OpeningScreen),),
        "trade": tuple((TapeviewApp, TradeScreen, panel) for panel in PANELS),
        "live": tuple((TapeviewApp, LiveScreen, panel) for panel in PANELS),
        "choose": ((TapeviewApp, ChooseScreen),),
        "log": ((TapeviewApp, LogScreen),),
        "settings": ((TapeviewApp, SettingsScreen), (TapeviewApp, LeaveScreen)),
        "explain": ((TapeviewApp, ExplainScreen),),
        "journal": ((TapeviewApp, JournalScreen, Table), (TapeviewApp, StoryScreen)),
        "drills": ((TapeviewApp, DrillsScreen),),
        "drill": (*((TapeviewApp, DrillScreen, panel) for panel in PANELS), (TapeviewApp, ResultScreen)),
        "help": ((TapeviewApp, HelpScreen),),
    }


def everything(keymap: Mapping[str, str] | None = None) -> dict[str, list[Action]]:
    """Heading -> its actions, in the order they are shown."""
    owners: dict[type, None] = {}
    for chains in contexts().values():
        owners.update(dict.fromkeys(cls for chain in chains for cls in chain))
    grouped: dict[str, list[Action]] = {title: [] for title in GROUPS.values()}
    for action in actions(owners, keymap):
        grouped.setdefault(action.group, []).append(action)
    return {title: listed for title, listed in grouped.items() if listed}


def _told(keymap: Mapping[str, str] | None) -> dict[str, list[Action]]:
    # One of a row of like actions (instrument 1 to 9) speaks for the others, which have no text.
    return {title: [a for a in listed if a.text] for title, listed in everything(keymap).items()}


def clashes(keymap: Mapping[str, str] | None = None) -> list[tuple[str, str, str, str]]:
    """(screen, key, id, id) wherever one key means two things at the same time."""
    found: dict[tuple[str, str, str, str], None] = {}
    for screen, chains in contexts().items():
        for chain in chains:
            taken: dict[str, str] = {}
            for action in actions(chain, keymap):
                for key in action.keys:
                    other = taken.setdefault(key, action.id)
                    if other != action.id:
                        found[screen, key, other, action.id] = None
    return list(found)


def check_keymap(keymap: Mapping[str, str], origin: Mapping[str, str] | None = None) -> None:
    """Refuse an unknown id, a key that does not exist, and a key that would mean two things.

    `origin` tells the file of each `keys.ID`. Raises BadInput naming file, id and the nearest known id.
    """
    if not keymap:
        return
    known = {action.id: action for listed in everything().values() for action in listed}
    for name, keys in keymap.items():
        place = f"{(origin or {}).get(f'keys.{name}', 'settings')}: keys"
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            raise BadInput(place, name, f"{near[0]!r}?" if near else "one of " + ", ".join(known))
        for key in _split(keys) or [""]:
            *modifiers, last = key.split("+") if len(key) > 1 else [key]
            if (len(last) != 1 and last not in _NAMES) or not last or not _MODIFIERS.issuperset(modifiers):
                near = difflib.get_close_matches(last, _NAMES, 1)
                raise BadInput(
                    f"{place}: {name}", key, f"{near[0]!r}?" if near else "a key such as q, ctrl+g, f5 or space"
                )
    for screen, key, first, second in clashes(keymap):
        mine = first if first in keymap else second
        place = f"{(origin or {}).get(f'keys.{mine}', 'settings')}: keys: {mine}"
        other = second if mine == first else first
        free = f"a key that is free on the {screen} screen; {key_text(key)} is {other!r}"
        raise BadInput(place, keymap.get(mine, key), free)


def readme_keys() -> str:
    """The table of keys for the README, in Markdown."""
    lines: list[str] = []
    for title, listed in _told(None).items():
        lines += [f"| {title} | key | id |", "|---|---|---|"]
        lines += [f"| {a.text} | {' '.join(f'`{word}`' for word in a.shown.split())} | `{a.id}` |" for a in listed]
        lines.append("")
    return "\n".join(lines).replace("`|`", "`\\|`")


def table(
    keymap: Mapping[str, str] | None = None, *, ascii_only: bool = False
) -> Sequence[tuple[str, Sequence[tuple[str, str]]]]:
    """Heading and (keys, what they do), for the help screen."""
    write = in_words if ascii_only else str
    return [(title, [(write(a.shown), a.text) for a in listed]) for title, listed in _told(keymap).items()]


def _split(keys: Any) -> list[str]:
    return [key.strip() for key in str(keys).split(",") if key.strip()]

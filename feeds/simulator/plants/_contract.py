"""What a plant is: a plan drawn from the seed, a behaviour inside the market, and the label it leaves.

A plant's file has three parts. `plan` draws when and with which numbers it happens; kernels act on it; `label` turns
what was noted down into one row of the truth. The plan of one kind has draws of its own, so that planting another
changes nothing about when and how it happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from feeds.simulator.draws import Draws

SECOND_NS: Final = 1_000_000_000


class Planned(NamedTuple):
    """One plant that is going to happen."""

    code: int
    """Which behaviour of the market it drives."""
    start_ns: int
    """After the session's start."""
    side: int
    values: tuple[int, ...]
    """Its own numbers, as its kernels know them."""
    params: dict[str, Any]
    """What is written into its label whatever happens."""
    facts: tuple[tuple[int, int], ...] = ()
    """Slow inputs told at the start of the session: (FACT value, lots)."""
    draws: tuple[int, int] = (0, 0)
    """Which draws are its own: its kind's number and its number among its kind."""


class Note(NamedTuple):
    """A fact written down while the market ran."""

    what: int
    ns: int
    """After the session's start."""
    tick: int
    lots: int
    more: int


class Label(NamedTuple):
    """One row of the truth, times after the session's start."""

    type: str
    method: str
    side: int
    tick: int
    t0_ns: int
    t1_ns: int
    outcome: str
    params: dict[str, Any]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may say about a kind of plant: a whole number in a range, or a word; '' leaves it to the seed."""

    default: str
    low: int = 0
    high: int = 0
    words: tuple[str, ...] = ()
    text: str = ""


EVERY: Final = "every"


def every(seconds: int) -> Setting:
    """How often a plant begins."""
    return Setting(default=str(seconds), low=1, high=100_000, text="seconds between beginnings, on average")


class Plant(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of plant."""

    name: str
    text: str
    settings: Mapping[str, Setting]
    plan: Callable[[Context], list[Planned]]
    label: Callable[[Planned, Sequence[Note]], Label | None]


class Context(NamedTuple):
    """What a plan is drawn from."""

    draws: Draws
    times: Draws
    """Draws of their own for the beginnings, so that a shorter session has the first plants of a longer one."""
    length_ns: int
    depth: int
    """Lots a touch of the profile settles at."""
    settings: Mapping[str, str]

    def below(self, n: int) -> int:
        """Draw a whole number from 0 to n - 1."""
        return (self.draws.word() >> 32) * n >> 32

    def between(self, low: int, high: int) -> int:
        """Draw a whole number from low to high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """Say yes in so many of a hundred draws."""
        return self.below(100) < percent

    def number(self, key: str, drawn: int) -> int:
        """Give a setting's number, or what was drawn where the person left it to the seed."""
        said = self.settings[key]
        return int(said) if said else drawn

    def starts(self, first_s: int, last_s: int, jitter: int = 60) -> list[int]:
        """Draw beginnings in ns: every `every` seconds, give or take `jitter` percent, none in the last seconds."""
        step = int(self.settings[EVERY]) * SECOND_NS
        out = []
        word = self.times.word
        now = first_s * SECOND_NS + ((word() >> 32) * (step // 1_000_000) >> 32) * 500_000
        while now < self.length_ns - last_s * SECOND_NS:
            out.append(now)
            wide = step * jitter // 100
            now += step - wide + ((word() >> 32) * (2 * wide // 1_000_000 + 1) >> 32) * 1_000_000
        return out


def read_settings(plant: Plant, text: str) -> dict[str, str]:
    """Read `delay=150:jitter=0`; raise BadInput naming what was probably meant."""
    import difflib

    out = {key: setting.default for key, setting in plant.settings.items()}
    for piece in filter(None, text.split(":")):
        key, equals, value = piece.partition("=")
        if key not in out:
            near = difflib.get_close_matches(key, out, 1)
            raise BadInput(
                f"plant {plant.name}: setting", key, f"{near[0]!r}?" if near else "one of " + ", ".join(sorted(out))
            )
        setting = plant.settings[key]
        if setting.words:
            if value not in setting.words:
                raise BadInput(f"plant {plant.name}: {key}", value, "one of " + ", ".join(setting.words))
        elif not (equals and value.isascii() and value.isdigit() and setting.low <= int(value[:12]) <= setting.high):
            raise BadInput(f"plant {plant.name}: {key}", value, f"a whole number from {setting.low} to {setting.high}")
        out[key] = value
    return out

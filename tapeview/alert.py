"""Alerts as the rest of the program sees them: what was found, where, how sure, and on what evidence."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

PHASES: Final = ("confirmed", "raised", "cleared")
CONFIRMED, RAISED, CLEARED = range(len(PHASES))
TIERS: Final = "ABCD"
UNKNOWN: Final = math.nan
"""A measured value that is not known; always this very object, so that equal alerts compare equal."""
_TICK: Final = "_tick"
_HUNDREDTHS: Final = 100
"""Parts of a tick that a price between two ticks is told in."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One step in the life of an alert. Steps of the same story share `detector`, `inst` and `key`."""

    detector: str
    method: str
    """Which of the detector's methods found it."""
    key: int
    """Number of the story among the detector's stories of this instrument."""
    phase: str
    """One of PHASES."""
    reason: str = ""
    """Why it was cleared, empty otherwise."""
    inst: int
    """Which of the session's instruments."""
    seq: int
    """The row that decided it."""
    recv_ns: int
    exch_ns: int | None
    side: int
    """BID or ASK: the side of the book meant; 0 where the alert has none."""
    tick: int | None
    tick_to: int | None
    """Other end of a zone, equal to `tick` for a single price."""
    lots: int
    grade: int
    """1 notable, 2 strong, 3 extreme."""
    score: float
    """Raw evidence, comparable within one detector and method only."""
    confidence: float | None = None
    """Calibrated probability that it is right, None where no calibration is known."""
    tier: str
    """What the source lets one see, A to D."""
    held: bool = False
    """Kept back from the screen because the hour's budget was spent; recorded all the same."""
    lasts: bool = True
    """Whether it stays true until it is cleared; an event, such as a large print, is only told."""
    text: str
    """One line of at most 100 columns."""
    evidence: dict[str, float]
    """Measured values by name, UNKNOWN where one is not known; those whose names end in `_tick` are prices in ticks."""

    def as_json(self, scale: Any) -> dict[str, object]:
        """The alert as the interface promises it; `scale` is a `tapeview.format.Scale`."""
        return {
            "detector": self.detector,
            "method": self.method,
            "instrument": scale.name,
            "seq": self.seq,
            "exch_ns": self.exch_ns,
            "recv_ns": self.recv_ns,
            "phase": self.phase,
            "reason": self.reason or None,
            "key": self.key,
            "side": {1: "bid", -1: "ask"}.get(self.side),
            "price": None if self.tick is None else scale.price.text(self.tick),
            "price_to": None if self.tick_to in (None, self.tick) else scale.price.text(self.tick_to),
            "size": scale.size.text(self.lots),
            "grade": self.grade,
            "score": self.score,
            "confidence": self.confidence,
            "tier": self.tier,
            "held": self.held,
            "text": self.text,
            "evidence": {named(name): _written(name, value, scale) for name, value in self.evidence.items()},
        }


def named(name: str) -> str:
    """A measured value's name where prices are shown as such: `stop_tick` is a `stop`."""
    return name.removesuffix(_TICK)


def priced(name: str, value: float, scale: Any) -> str | None:
    """A price in ticks, by its name and `scale`, as the venue would write it; None for any other value."""
    if not name.endswith(_TICK) or not math.isfinite(value):
        return None
    text: str = scale.price.fine_text(round(value * _HUNDREDTHS) * (scale.price.fine // _HUNDREDTHS))
    return text


def _written(name: str, value: float, scale: Any) -> float | str | None:
    return priced(name, value, scale) or (None if math.isnan(value) else value)

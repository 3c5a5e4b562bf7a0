"""From a score to a probability: isotonic maps fitted on simulated and labelled sessions, kept as a versioned file."""

from __future__ import annotations

import bisect
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = Path(__file__).with_name("calibration.json")
VERSION: Final = 1
"""Of the file's form; another is not read."""
CEILINGS: Final = {"A": 0.99, "B": 0.97, "C": 0.85, "D": 0.60}
"""The most that a source of each tier lets one be sure of."""
METHOD_CEILINGS: Final = {"pulled.orders": 0.85, "pulled.levels": 0.70}
"""The most where intent cannot be seen, whatever the source shows."""


class Map(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step function that never falls: `share[i]` of alerts with a score from `score[i]` on were right."""

    score: tuple[float, ...]
    share: tuple[float, ...]
    alerts: int
    """Alerts it was fitted on."""
    fitted_on: str


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All maps, by `detector.method.tier`."""

    version: int = VERSION
    made_by: str = ""
    maps: dict[str, Map] = {}


@cache
def calibration() -> Calibration:
    """The maps that came with the program; none where the file is missing or of another version."""
    if not FILE.is_file():
        return Calibration()
    found = msgspec.json.decode(FILE.read_bytes(), type=Calibration)
    return found if found.version == VERSION else Calibration()


def ceiling(detector: str, method: str, tier: str) -> float:
    """The most that an alert of this method can be sure of on a source of this tier."""
    return min(CEILINGS[tier], METHOD_CEILINGS.get(f"{detector}.{method}", 1.0))


def share(detector: str, method: str, tier: str, score: float, maps: Calibration | None = None) -> float | None:
    """The share of alerts of this score that were right where the map was fitted; None without a map."""
    known = (calibration() if maps is None else maps).maps.get(f"{detector}.{method}.{tier}")
    if known is None or not known.score:
        return None
    return known.share[max(bisect.bisect_right(known.score, score) - 1, 0)]


def confidence(detector: str, method: str, tier: str, score: float, maps: Calibration | None = None) -> float | None:
    """The probability that an alert of this score is right, at most the ceiling; None without a map."""
    known = share(detector, method, tier, score, maps)
    return None if known is None else min(known, ceiling(detector, method, tier))

"""From a score to a probability: isotonic maps fitted on simulated and labelled sessions, kept as a versioned file."""

from __future__ import annotations

import bisect
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = Path(__file__).with_name("calibration.json")
CEILINGS: Final = {"A": 0.99, "B": 0.97, "C": 0.85, "D": 0.60}
"""The most that a source of each tier lets one be sure of."""


class Map(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step function that never falls: `share[i]` of alerts with a score from `score[i]` on were right."""

    score: tuple[float, ...]
    share: tuple[float, ...]
    alerts: int
    """Alerts it was fitted on."""
    fitted_on: str


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All maps, by `detector.method.tier`."""

    version: int = 1
    maps: dict[str, Map] = {}


@cache
def calibration() -> Calibration:
    """The maps that came with the program; none where the file is missing."""
    if not FILE.is_file():
        return Calibration()
    return msgspec.json.decode(FILE.read_bytes(), type=Calibration)


def confidence(detector: str, method: str, tier: str, score: float) -> float | None:
    """The probability that an alert of this score is right, at most the tier's ceiling; None without a map."""
    known = calibration().maps.get(f"{detector}.{method}.{tier}")
    if known is None or not known.score:
        return None
    at = bisect.bisect_right(known.score, score) - 1
    return min(known.share[max(at, 0)], CEILINGS[tier])

"""How much of a day's volume a position may be: average daily volume, time to get out, and price impact."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from statistics import median
from typing import NamedTuple

from tapeview.desk.limits import DEFAULTS, Limits
from tapeview.desk.money import exact


class Volume(NamedTuple):
    """What a symbol trades in a day, and the sizes that follow; in lots."""

    days: int
    """Complete days it was taken of."""
    average: Fraction | None
    """The lesser of mean and median; None where history is insufficient."""
    warn: int
    """Largest size without a warning."""
    most: int
    """Largest size that is not refused."""
    note: str
    """What is to be known of it; empty where all is well."""


class Verdict(NamedTuple):
    """What is said of a size."""

    allowed: bool
    warned: bool
    text: str


def volume(
    by_day: Mapping[date, int], today: date, last_30_minutes: int | None = None, limits: Limits = DEFAULTS
) -> Volume:
    """Sizes from the volumes of complete days before today; no other day counts.

    With too few days, a share of what traded in today's 30 minutes is the cap, and nothing where that is unknown.
    """
    past = sorted(day for day in by_day if day < today)[-limits.adv_days :]
    volumes = [by_day[day] for day in past]
    if any(lots < 0 for lots in volumes):
        raise ValueError(f"a volume of {min(volumes)}")
    if len(volumes) < limits.adv_least_days:
        cap = 0 if last_30_minutes is None else int(exact(limits.adv_part) * last_30_minutes)
        of = "no cap can be given" if last_30_minutes is None else "cap from today's 30 minutes"
        return Volume(len(volumes), None, cap, cap, f"insufficient history: {len(volumes)} days, {of}")
    average = min(Fraction(sum(volumes), len(volumes)), Fraction(median(map(Fraction, volumes))))
    note = "" if len(volumes) == limits.adv_days else f"{len(volumes)} days instead of {limits.adv_days}"
    return Volume(
        len(volumes), average, int(exact(limits.adv_warn) * average), int(exact(limits.adv_most) * average), note
    )


def judge(known: Volume, lots: int) -> Verdict:
    """Say whether a size may be held."""
    if lots > known.most:
        return Verdict(False, True, f"{lots} is more than the {known.most} that may be held")
    if lots > known.warn:
        return Verdict(True, True, f"{lots} is more than {known.warn}, of which a warning is given")
    return Verdict(True, False, "")


def exit_seconds(lots: int, traded_a_second: float, limits: Limits = DEFAULTS) -> float | None:
    """Seconds to get out as a share of what trades now; None where nothing trades."""
    if traded_a_second <= 0:
        return None
    return lots / (limits.adv_part * traded_a_second)


def impact(lots: int, average: float, sigma_day: float, limits: Limits = DEFAULTS) -> tuple[float, float]:
    """The least and greatest impact of trading so many lots, as a share of the price: Y sigma sqrt(q / A).

    The square-root law; its exponent is 0.489 +- 0.071 over all stocks of Tokyo (Sato and Kanazawa, Physical Review
    Letters 2025), 0.6 in Almgren et al., Risk 18(7), 2005.
    """
    if average <= 0:
        return math.inf, math.inf
    shape = sigma_day * math.sqrt(lots / average)
    return limits.impact_low * shape, limits.impact_high * shape

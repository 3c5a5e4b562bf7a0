"""What drills say of the trader: how often a call was right, beside what blind rules would have made of the same.

A call is right where it names what the mid did over the horizon: up or down by the threshold or more, or neither.
Skill is what is left over chance, and chance is what the same calls in the same numbers would have got had they been
dealt to the drills at random (Cohen, Educational and Psychological Measurement 20(1), 1960). Whether that much is
luck is told by dealing them ten thousand times. Confidence is scored by the mean squared error of the probability
given (Brier, Monthly Weather Review 78(1), 1950).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
import numpy as np

from tapeview.desk.expectancy import FEW, SEED, Interval, of_results, wilson
from tapeview.desk.records import Drilled

NAMES: Final = {1: "buy", 0: "nothing", -1: "sell"}
"""Calls in words."""
DEALS: Final = 10_000
_AT_ONCE: Final = 500
SURELY: Final = 0.05
"""Chance of so much by luck under which a result is called told apart."""
_BANDS: Final = ((0.0, 0.45), (0.45, 0.65), (0.65, 0.85), (0.85, 1.01))


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one drill."""

    move: float
    """Of the mid over the horizon, in ticks."""
    came: int
    """+1 up, -1 down, 0 neither by as much as the threshold."""
    right: bool
    made: int
    """Ticks that the call would have made, bought at the ask and sold at the bid; 0 for nothing."""
    sigmas: float | None
    """The mid's move the way of the call in its sigmas, None where they are not known or nothing was called."""
    brier: float | None
    """(probability given - 1 where right, else 0) squared."""


class Blind(msgspec.Struct, frozen=True):
    """What a rule that looks at nothing would have made of the same drills."""

    name: str
    right: Interval
    made: float
    """Mean ticks."""
    sigmas: float | None


class Band(msgspec.Struct, frozen=True):
    """The drills called with about the same confidence."""

    low: float
    high: float
    count: int
    said: float
    """Mean of the probabilities given."""
    right: Interval


class Skill(msgspec.Struct, frozen=True, kw_only=True):
    """What all drills say together."""

    drills: int
    """Called ones, those seen before left out."""
    left: int
    """Left without a call."""
    seen: int
    """Called when seen before: left out of everything else."""
    right: Interval
    chance: float
    """Share that the same calls get right when dealt at random."""
    luck: float | None
    """Chance that luck alone does as well or better; None where there are no drills."""
    badge: str
    """Whether it can be told from luck."""
    made: Interval
    """Mean ticks a drill, bought at the ask and sold at the bid."""
    sigmas: Interval
    """Mean move the way of the call, in sigmas, of those that bought or sold."""
    brier: float | None
    brier_alone: float | None
    """The same had one's own share of right calls been said every time: what confidence must beat."""
    bands: tuple[Band, ...]
    blind: tuple[Blind, ...]
    """Always buy, always sell, always nothing."""
    waited_s: float | None
    grey: bool
    """Too few to be taken as if they meant something."""


def result(one: Drilled, side: int | None = None) -> Result:
    """What came of a drill, by its own call or as if `side` had been called."""
    called = one.side if side is None else side
    moved = one.bid_then + one.ask_then - one.bid - one.ask
    came = 0 if abs(moved) < one.threshold else 1 if moved > 0 else -1
    right = called == came
    made = one.bid_then - one.ask if called == 1 else one.bid - one.ask_then if called == -1 else 0
    move = moved / 2
    sure = one.sure if side is None else None
    return Result(
        move=move, came=came, right=right, made=made,
        sigmas=called * move / one.sigma if called and one.sigma else None,
        brier=None if sure is None or called is None else (sure - right) ** 2,
    )  # fmt: skip


def skill(drills: Iterable[Drilled]) -> Skill:
    """What drills say; the same drills give the same intervals."""
    given = list(drills)
    fresh = [one for one in given if not one.again]
    called = [one for one in fresh if one.side is not None]
    results = [result(one) for one in called]
    hits = sum(one.right for one in results)
    right = wilson(hits, len(results))
    chance, luck = _chance([one.side or 0 for one in called], [one.came for one in results])
    scored = [one.brier for one in results if one.brier is not None]
    share = right.value
    return Skill(
        drills=len(called),
        left=len(fresh) - len(called),
        seen=len(given) - len(fresh),
        right=right,
        chance=chance,
        luck=luck,
        badge=_badge(right.value, chance, luck),
        made=_mean([float(one.made) for one in results]),
        sigmas=_mean([one.sigmas for one in results if one.sigmas is not None]),
        brier=math.fsum(scored) / len(scored) if scored else None,
        brier_alone=share * (1 - share) if results else None,
        bands=tuple(_bands(called, results)),
        blind=tuple(_blind(called, side) for side in NAMES),
        waited_s=math.fsum(one.waited_ns for one in called) / 1e9 / len(called) if called else None,
        grey=len(called) < FEW,
    )


def by(drills: Iterable[Drilled], key: Callable[[Drilled], str]) -> dict[str, list[Drilled]]:
    """Drills by a word for each, such as what stopped them."""
    groups: dict[str, list[Drilled]] = {}
    for one in drills:
        groups.setdefault(key(one), []).append(one)
    return dict(sorted(groups.items()))


def _chance(calls: Sequence[int], came: Sequence[int]) -> tuple[float, float | None]:
    if not calls:
        return math.nan, None
    sides, moves = np.array(calls, np.int8), np.array(came, np.int8)
    chance = sum(float((sides == k).mean() * (moves == k).mean()) for k in NAMES)
    hits = int((sides == moves).sum())
    random = np.random.Generator(np.random.PCG64(SEED))
    lucky = 0
    for _ in range(DEALS // _AT_ONCE):
        dealt = random.permuted(np.tile(sides, (_AT_ONCE, 1)), axis=1)
        lucky += int(((dealt == moves).sum(axis=1) >= hits).sum())
    # One more than counted of one more than dealt: what happened is itself one of the ways (Phipson and Smyth, 2010).
    return chance, (lucky + 1) / (DEALS + 1)


def _badge(share: float, chance: float, luck: float | None) -> str:
    if luck is None:
        return "no drill yet"
    if luck <= SURELY and share > chance:
        return "above chance"
    return "not yet distinguishable from luck"


def _mean(values: Sequence[float]) -> Interval:
    if not values:
        return Interval(math.nan, -math.inf, math.inf)
    return of_results(values).expectancy


def _bands(called: Sequence[Drilled], results: Sequence[Result]) -> Iterable[Band]:
    for low, high in _BANDS:
        inside = [(one.sure, made.right) for one, made in zip(called, results, strict=True) if _within(one, low, high)]
        if inside:
            said = math.fsum(sure or 0.0 for sure, _ in inside) / len(inside)
            yield Band(low, min(1.0, high), len(inside), said, wilson(sum(ok for _, ok in inside), len(inside)))


def _within(one: Drilled, low: float, high: float) -> bool:
    return one.sure is not None and low <= one.sure < high


def _blind(called: Sequence[Drilled], side: int) -> Blind:
    results = [result(one, side) for one in called]
    sigmas = [one.sigmas for one in results if one.sigmas is not None]
    return Blind(
        f"always {NAMES[side]}",
        wilson(sum(one.right for one in results), len(results)),
        math.fsum(one.made for one in results) / len(results) if results else math.nan,
        math.fsum(sigmas) / len(sigmas) if sigmas else None,
    )

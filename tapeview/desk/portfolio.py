"""All open positions as one: their correlations, what they risk together, and what size each may keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapeview.desk.correlation import PairMonitor, dollar_risk, multiplier, portfolio_risk, stressed
from tapeview.desk.limits import DEFAULTS, Limits

DAY_S: Final = {"futures": 23 * 3600, "crypto": 24 * 3600, "equities": 6.5 * 3600}
"""Seconds that an instrument of a calendar trades in a day."""
LEAST_RETURNS: Final = 10
"""Returns below which a sigma is not given."""


class Held(NamedTuple):
    """A position, or what is about to be one, as it is weighed with others."""

    lots: int
    """Above 0 long."""
    tick_value: Decimal
    """Money per tick and lot."""
    tick: int
    """The mid, or any price near it."""
    sigma: float
    """Standard deviation of a day's return."""


def risks_of(held: Sequence[Held]) -> list[float]:
    """What each position moves by in a day's sigma: money, with the position's sign."""
    return [dollar_risk(one.lots, float(one.tick_value), one.tick, one.sigma) for one in held]


def budgets(equity: Decimal, limits: Limits = DEFAULTS) -> tuple[float, float]:
    """(what all positions together may move by in a day's sigma, what a single one may).

    All of them as much as a day may lose, one of them as much as a trade may.
    """
    return float(equity) * limits.daily_loss, float(equity) * limits.trade_risk


def sigma_of(mids: Sequence[float], every_s: float, day_s: float) -> float | None:
    """A day's sigma from mids at equal distances: root mean square of their returns, times the root of their number.

    None for fewer than 10 returns, and where a mid is not above 0 or nothing moved.
    """
    if len(mids) <= LEAST_RETURNS or any(not mid > 0 or math.isinf(mid) for mid in mids):
        return None
    returns = np.diff(np.log(np.asarray(mids, np.float64)))
    found = math.sqrt(float((returns * returns).mean()) * day_s / every_s)
    return found if found > 0 else None


class Weighed(NamedTuple):
    """What positions risk together; money is that of the risks given."""

    risk: float
    """R, extreme pairs stressed and no hedge taken for more than it is."""
    keep: tuple[float, ...]
    """Share of each position that may stay, at most 1."""
    extreme: tuple[tuple[int, int], ...]
    """Pairs in the extreme state."""
    unknown: tuple[tuple[int, int], ...]
    """Pairs of which no fresh correlation is known: their last cautious value was used."""


class Portfolio:
    """Follows the mids of several instruments, every pair of them for itself."""

    def __init__(self, instruments: int, limits: Limits = DEFAULTS) -> None:
        self._limits = limits
        self._count = instruments
        self._pairs = {(i, j): PairMonitor(limits) for j in range(instruments) for i in range(j)}

    def mid(self, instrument: int, ns: int, mid: float, *, is_open: bool = True) -> None:
        """Take an instrument's mid at an exchange time in ns."""
        for (i, j), pair in self._pairs.items():
            if instrument in (i, j):
                pair.mid(int(instrument == j), ns, mid, is_open=is_open)

    def weigh(self, ns: int, risks: Sequence[float], budget: float, single: float) -> Weighed:
        """Weigh positions by their risks (see `dollar_risk`), against the budget of all and that of a single one.

        All are scaled by min(1, budget / R). Those that extreme pairs tie together, all on one side, may together
        risk no more than a single position.
        """
        readings = {pair: monitor.read(ns) for pair, monitor in self._pairs.items()}
        used, extreme = np.eye(self._count), np.zeros((self._count, self._count), np.bool_)
        for (i, j), reading in readings.items():
            used[i, j] = used[j, i] = reading.used
            extreme[i, j] = extreme[j, i] = reading.extreme
        x = np.asarray(risks, np.float64)
        matrix = stressed(x, used, extreme, self._limits)
        risk = portfolio_risk(x, matrix)
        keep = np.full(self._count, multiplier(budget, risk))
        for group in _tied(extreme & (np.outer(x, x) > 0)):
            inside = np.ix_(group, group)
            keep[group] = np.minimum(keep[group], multiplier(single, portfolio_risk(x[group], matrix[inside])))
        return Weighed(
            risk,
            tuple(keep.tolist()),
            tuple(pair for pair, reading in readings.items() if reading.extreme),
            tuple(pair for pair, reading in readings.items() if not reading.known),
        )


def _tied(together: NDArray[np.bool_]) -> list[list[int]]:
    """Groups of two and more that are connected."""
    left, groups = set(range(len(together))), []
    while left:
        group, todo = set[int](), [left.pop()]
        while todo:
            one = todo.pop()
            group.add(one)
            near = {int(other) for other in np.flatnonzero(together[one])} & left
            left -= near
            todo += near
        if len(group) > 1:
            groups.append(sorted(group))
    return groups

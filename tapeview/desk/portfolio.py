"""All open positions as one: their correlations, what they risk together, and what size each may keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapeview.desk.correlation import PairMonitor, multiplier, portfolio_risk, stressed
from tapeview.desk.limits import DEFAULTS, Limits


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

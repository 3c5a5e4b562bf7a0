"""What a record of trades says, and how sure it is: expectancy, profit factor, intervals, losing runs, Kelly.

Results are in R, the money at risk at the stop. A win of b nets b - c, a loss nets -(1 + c), c being what a round
trip costs in R.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES: Final = 10_000
"""Resamples of a bootstrap."""
SEED: Final = 20_240_229
FEW: Final = 20
"""Trades under which a figure is shown greyed."""
_BLOCK: Final = 1 << 21
_MOST_TRADES: Final = 100_000
NOT_YET: Final = "not yet distinguishable from 0"
CONTEXT: Final = (
    "An edge compounds only where p and b are known and stay as they are; a record of trades tells them within an "
    "interval. Of Brazilian futures day traders who went on for more than 300 days, 97 % lost money (Chague, De-Losso "
    "and Giovannetti, 2020)."
)
"""What to know before believing any of these figures."""


class Edge(NamedTuple):
    """What winning a share p of trades at b to 1 is worth, costs taken off."""

    expectancy: float
    """R a trade."""
    profit_factor: float
    """What is won over what is lost; infinite where nothing is lost."""
    break_even: float
    """The share of wins at which nothing is left."""
    kelly: float
    """Share of the account that would grow it fastest were p and b certain; 0 where there is no edge."""
    sigma: float
    """Standard deviation of one trade, in R."""


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def badge(self) -> str:
        """Whether it can be told from 0."""
        return "above 0" if self.low > 0 else "below 0" if self.high < 0 else NOT_YET


class Record(NamedTuple):
    """What a list of results says."""

    trades: int
    wins: int
    win_rate: Interval
    expectancy: Interval
    profit_factor: Interval

    @property
    def grey(self) -> bool:
        """Whether there are too few trades to show these figures as if they meant something."""
        return self.trades < FEW


def edge(p: float, b: float, c: float = 0.0) -> Edge:
    """The worth of winning a share `p` at `b` to 1 where a round trip costs `c` R.

    Kelly's share is f* = p - (1 - p) / b_net with b_net = (b - c) / (1 + c): Kelly, Bell System Technical Journal
    35(4), 1956, for unequal stakes.
    """
    if not (0 <= p <= 1 and b > 0 and c > -1 and math.isfinite(b) and math.isfinite(c)):
        raise ValueError(f"no trade wins {p} at {b} to 1 for {c} R")
    won, lost = p * (b - c), (1 - p) * (1 + c)
    net = (b - c) / (1 + c)
    mean = p * b - (1 - p)
    return Edge(
        mean - c,
        won / lost if lost > 0 else math.inf,
        (1 + c) / (1 + b),
        max(0.0, p - (1 - p) / net) if net > 0 else 0.0,
        math.sqrt(max(0.0, p * b * b + (1 - p) - mean * mean)),
    )


def trades_needed(expectancy: float, sigma: float) -> int | None:
    """Trades until an expectancy stands out from 0 at 95 %: (1.96 sigma / E)**2; None for one of 0."""
    if expectancy == 0:
        return None
    return math.ceil((1.96 * sigma / expectancy) ** 2 - 1e-9)


def longest_losing_run(trades: int, p: float) -> float:
    """The longest losing run to expect: ln(n p) / ln(1 / (1 - p)), Schilling, College Mathematics Journal 21(3), 1990.

    0 where nothing is lost, all trades where nothing is won.
    """
    if p >= 1 or trades == 0:
        return 0.0
    if p <= 0:
        return float(trades)
    return min(float(trades), max(0.0, math.log(trades * p) / -math.log1p(-p)))


def wilson(wins: int, trades: int, confidence: float = 0.95) -> Interval:
    """The interval of a share of wins: Wilson, Journal of the American Statistical Association 22(158), 1927.

    From 0 to 1 where there are no trades.
    """
    if not 0 <= wins <= trades:
        raise ValueError(f"{wins} wins of {trades} trades")
    if trades == 0:
        return Interval(math.nan, 0.0, 1.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = wins / trades
    middle = share + z * z / (2 * trades)
    reach = z * math.sqrt(share * (1 - share) / trades + z * z / (4 * trades * trades))
    whole = 1 + z * z / trades
    low = 0.0 if wins == 0 else max(0.0, (middle - reach) / whole)
    high = 1.0 if wins == trades else min(1.0, (middle + reach) / whole)
    return Interval(share, low, high)


def of_results(results: Sequence[float], *, samples: int = SAMPLES, seed: int = SEED) -> Record:
    """What net results in R say; the same results and seed give the same intervals (percentile bootstrap, Efron 1979).

    A result above 0 is a win. Raises ValueError for more than 100,000 results or one that is not finite.
    """
    import numpy as np

    values = np.asarray(results, np.float64)
    if len(values) > _MOST_TRADES or not np.isfinite(values).all():
        raise ValueError(f"{len(values)} results, wanted at most {_MOST_TRADES}, all finite")
    wins = int((values > 0).sum())
    rate = wilson(wins, len(values))
    if len(values) == 0:
        unknown = Interval(math.nan, -math.inf, math.inf)
        return Record(0, 0, rate, unknown, Interval(math.nan, 0.0, math.inf))
    means, factors = _resampled(values, samples, seed)
    return Record(
        len(values), wins, rate, _interval(float(values.mean()), means), _interval(float(_factor(values)), factors)
    )


def _resampled(values: NDArray[np.float64], samples: int, seed: int) -> tuple[NDArray[np.float64], ...]:
    import numpy as np

    draw = np.random.Generator(np.random.PCG64(seed))
    rows = max(1, _BLOCK // len(values))
    means, factors = np.empty(samples), np.empty(samples)
    for first in range(0, samples, rows):
        last = min(samples, first + rows)
        drawn = values[draw.integers(0, len(values), (last - first, len(values)))]
        means[first:last] = drawn.mean(axis=1)
        factors[first:last] = _factor(drawn)
    return means, factors


def _factor(values: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    won = np.maximum(values, 0).sum(axis=-1)
    lost = -np.minimum(values, 0).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Nothing won and nothing lost is neither: 1 keeps a day of scratches from counting as ruin or as riches.
        return np.where(lost > 0, won / lost, np.where(won > 0, np.inf, 1.0))


def _interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    ordered = sorted(drawn.tolist())
    reach = len(ordered) * 0.025
    return Interval(value, ordered[math.floor(reach)], ordered[math.ceil(len(ordered) - reach) - 1])

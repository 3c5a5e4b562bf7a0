"""How much positions are one position: correlation of mids, its interval, the extreme state, and what size is left.

Returns are of a minute and taken at refresh times, the first instants at which every leg has a new mid since the last
one (Barndorff-Nielsen, Hansen, Lunde and Shephard, Journal of Econometrics 162, 2011); faster ones bias correlation
to 0 (Epps, Journal of the American Statistical Association 74, 1979). They overlap, six to a length, and count as
the fewer independent ones they are worth.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapeview.desk.limits import DEFAULTS, Limits

_NS: Final = 1_000_000_000
_PHASES: Final = 6
"""Returns that begin within the length of one."""
_WORTH: Final = 3 * _PHASES / (2 * _PHASES**2 + 1)
"""Independent returns that an overlapping one is worth. Sums over k steps that begin a step apart are correlated by
1 - j / k; the squares of that add up to (2 k**2 + 1) / (3 k), where k would make them worth no more than every k-th."""
_Z95: Final = 1.959963984540054


class Reading(NamedTuple):
    """What is known of a pair."""

    known: bool
    """False: UNKNOWN, a leg is missing, shut or too young; the other fields then hold their last cautious values."""
    used: float
    """The correlation to reckon with: shrunk towards the prior, the more adverse of fast and slow."""
    seen: float
    """The fast estimate as it is; nan before there is one."""
    low: float
    high: float
    """Its 95 % interval (Fisher, Metron 1, 1921)."""
    samples: float
    """Independent samples it is worth."""
    extreme: bool


class PairMonitor:
    """Follows the correlation of two instruments from their mids."""

    def __init__(self, limits: Limits = DEFAULTS, slow: float | None = None, slow_days: float = 0.0) -> None:
        """`slow` is a correlation of daily returns by `daily`, worth `slow_days` samples."""
        self._limits = limits
        self._slow = math.nan if slow is None else _shrink(slow, slow_days, limits)
        self._length_ns = limits.corr_sample_s * _NS
        self._step_ns = self._length_ns // _PHASES
        self._mids = [math.nan, math.nan]
        self._fresh = [False, False]
        self._samples: deque[tuple[int, float, float]] = deque(maxlen=4 * _PHASES)
        self._xx = self._yy = self._xy = self._weight = self._weight2 = 0.0
        self._counted_ns = 0
        self._last_ns: int | None = None
        self._seen_ns: int | None = None
        self._extreme = False
        self._used = limits.corr_prior if math.isnan(self._slow) else max(limits.corr_prior, self._slow)

    def mid(self, leg: int, ns: int, mid: float, *, is_open: bool = True) -> None:
        """Take the mid of leg 0 or 1 at an exchange time in ns; a leg that is not open forgets what went before.

        Times that go back and mids that are not above 0 are left out.
        """
        if self._seen_ns is not None and ns < self._seen_ns:
            return
        self._seen_ns = ns
        if not is_open:
            self._mids[leg] = math.nan
            self._fresh = [False, False]
            self._samples.clear()
            return
        if not mid > 0 or math.isinf(mid):
            return
        self._mids[leg] = mid
        self._fresh[leg] = True
        if all(self._fresh) and (not self._samples or ns - self._samples[-1][0] >= self._step_ns):
            self._sample(ns)

    def _sample(self, ns: int) -> None:
        self._fresh = [False, False]
        now = (ns, math.log(self._mids[0]), math.log(self._mids[1]))
        before = next((one for one in reversed(self._samples) if ns - one[0] >= self._length_ns), None)
        if before is not None and ns - before[0] <= self._length_ns * 3 // 2:
            self._learn(ns, before[0], now[1] - before[1], now[2] - before[2])
        self._samples.append(now)

    def _learn(self, ns: int, from_ns: int, x: float, y: float) -> None:
        # Returns are scaled to one length, so that a late refresh does not weigh more.
        scale = self._length_ns / (ns - from_ns)
        if self._last_ns is not None:
            age = min(ns - self._last_ns, self._length_ns)  # weekends and halts do not age what is known
            keep = 0.5 ** (age / (self._limits.corr_fast_min * 60 * _NS))
            self._xx, self._yy, self._xy = self._xx * keep, self._yy * keep, self._xy * keep
            self._weight, self._weight2 = self._weight * keep, self._weight2 * keep * keep
            self._counted_ns += age
        self._xx += x * x * scale
        self._yy += y * y * scale
        self._xy += x * y * scale
        self._weight += 1
        self._weight2 += 1
        self._last_ns = ns
        self._judge()

    def _judge(self) -> None:
        limits, (seen, low, _, samples) = self._limits, self._estimate()
        if math.isnan(seen):
            return
        fast = _shrink(seen, samples, limits)
        self._used = fast if math.isnan(self._slow) else max(fast, self._slow)
        if self._extreme:
            self._extreme = seen >= limits.corr_leave
        elif self._counted_ns >= limits.corr_least_min * 60 * _NS:
            self._extreme = seen >= limits.corr_enter and low >= limits.corr_low

    def _estimate(self) -> tuple[float, float, float, float]:
        if self._xx <= 0 or self._yy <= 0:
            return math.nan, -1.0, 1.0, 0.0
        samples = self._weight * self._weight / self._weight2 * _WORTH
        seen = max(-1.0, min(1.0, self._xy / math.sqrt(self._xx * self._yy)))
        return seen, *fisher(seen, samples), samples

    def read(self, ns: int) -> Reading:
        """What is known at a time; UNKNOWN where the last return is older than five lengths of one."""
        seen, low, high, samples = self._estimate()
        known = (
            self._last_ns is not None
            and ns - self._last_ns <= 5 * self._length_ns
            and not math.isnan(seen)
            and not any(map(math.isnan, self._mids))
        )
        return Reading(known, self._used, seen, low, high, samples, self._extreme)


def _shrink(seen: float, samples: float, limits: Limits) -> float:
    """A correlation shrunk towards the prior: (n rho + n0 rho0) / (n + n0)."""
    prior = limits.corr_prior_n
    return (samples * seen + prior * limits.corr_prior) / (samples + prior) if samples + prior > 0 else seen


def fisher(seen: float, samples: float) -> tuple[float, float]:
    """The 95 % interval of a correlation of so many independent samples: atanh(r) +- 1.96 / sqrt(n - 3).

    From -1 to 1 for up to 3 samples.
    """
    if samples <= 3:
        return -1.0, 1.0
    if abs(seen) >= 1:
        return seen, seen
    middle, reach = math.atanh(seen), _Z95 / math.sqrt(samples - 3)
    return math.tanh(middle - reach), math.tanh(middle + reach)


def daily(x: NDArray[np.float64], y: NDArray[np.float64], limits: Limits = DEFAULTS) -> tuple[float, float]:
    """The slow estimate from daily returns, oldest first, and the samples it is worth (RiskMetrics, 1996).

    (nan, 0) where a side never moved.
    """
    weights = limits.corr_slow ** np.arange(len(x))[::-1]
    xx, yy, xy = ((weights * a * b).sum() for a, b in ((x, x), (y, y), (x, y)))
    if not (xx > 0 and yy > 0):
        return math.nan, 0.0
    return float(xy / math.sqrt(xx * yy)), float(weights.sum() ** 2 / (weights**2).sum())


# -- what it means for a portfolio ----------------------------------------------------------------


def repaired(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The correlation matrix near one that is none: eigenvalues below 0 are cut off and the diagonal is set to 1 again.

    Rebonato and Jaeckel, Journal of Risk 2(2), 2000; one that is one comes back as it is.
    """
    whole = (matrix + matrix.T) / 2
    np.fill_diagonal(whole, 1.0)
    values, vectors = np.linalg.eigh(whole)
    if values[0] >= -1e-12:
        return whole
    cut = (vectors * np.maximum(values, 0.0)) @ vectors.T
    scale = 1 / np.sqrt(np.diag(cut))
    out: NDArray[np.float64] = cut * scale * scale[:, None]
    np.fill_diagonal(out, 1.0)
    return out


def dollar_risk(lots: int, tick_value: float, tick: int, sigma: float) -> float:
    """Money a position moves by one sigma: lots x money per tick x price in ticks x sigma as a share of the price.

    The sign is the position's.
    """
    return lots * tick_value * tick * sigma


def stressed(
    risks: NDArray[np.float64],
    used: NDArray[np.float64],
    extreme: NDArray[np.bool_],
    limits: Limits = DEFAULTS,
) -> NDArray[np.float64]:
    """The correlations to reckon risk with: extreme pairs worse than seen, and no hedge beyond the limit's credit."""
    out = np.where(extreme, np.minimum(used + limits.corr_stress, limits.corr_most), np.minimum(used, limits.corr_most))
    against = np.outer(risks, risks) < 0
    out = np.where(against, np.minimum(used, limits.corr_hedge), out)
    np.fill_diagonal(out, 1.0)
    return repaired(out)


def portfolio_risk(risks: NDArray[np.float64], matrix: NDArray[np.float64]) -> float:
    """R = sqrt(x' C x), in the money of `risks`."""
    return math.sqrt(max(0.0, float(risks @ matrix @ risks)))


def multiplier(budget: float, risk: float) -> float:
    """By how much sizes shrink to keep a portfolio in its budget: min(1, B / R)."""
    return 1.0 if risk <= budget else budget / risk


def pair_multiplier(rho: float) -> float:
    """What is left of each of two equal legs of one side, so that both risk what one may: 1 / sqrt(2 + 2 rho)."""
    return 1 / math.sqrt(2 + 2 * rho)

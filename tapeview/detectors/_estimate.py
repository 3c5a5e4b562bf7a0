"""Running estimates that detectors share, as parts of kernels over the fields that `fields` gives a memory.

A memory that has `*fields(windows=3, means=2, sizes=1)` has three sliding sums, two exponential means and one table of
sizes, named by number. Windows move in steps of 100 ms of receive time, so that they end on CLOCK rows in a quiet
market; nothing is kept per event. Everything is integers or plain float arithmetic in a fixed order, so results do
not depend on how a batch was cut.
"""

from __future__ import annotations

import math
from typing import Any, Final

from tapeview.engine._jit import high_bit, inlined, part

STEP_NS: Final = 100_000_000
"""Length of a window's step."""
CELLS: Final = 600
"""Steps a window holds at most: 60 s."""
SIZES: Final = 960
"""Buckets of a table of sizes: exact below 16, then 16 to an octave."""
OCTAVES: Final = SIZES // 16
"""Sums of 16 buckets, over which a walk of a table goes."""
_HALVE_AT: Final = 1 << 14


def fields(*, windows: int = 0, means: int = 0, sizes: int = 0) -> tuple[tuple[Any, ...], ...]:
    """The memory fields that the parts of this module use."""
    out: list[tuple[Any, ...]] = []
    if windows:
        out += [
            ("w_step", "i8", (windows,)), ("w_cell", "i8", (windows,)), ("w_sum", "i8", (windows,)),
            ("w_lots", "i8", (windows, CELLS)),
        ]  # fmt: skip
    if means:
        out += [("e_mean", "f8", (means,)), ("e_var", "f8", (means,)), ("e_n", "i8", (means,))]
    if sizes:
        out += [("h_count", "i8", (sizes, SIZES)), ("h_octave", "i8", (sizes, OCTAVES)), ("h_n", "i8", (sizes,))]
    return tuple(out)


# -- sliding sums ---------------------------------------------------------------------------------


@part
def slide_to(m: Any, k: int, now_ns: int, cells: int) -> None:
    """Move window k of `cells` steps on to a time, which never goes back."""
    step = now_ns // STEP_NS
    last = m.w_step[k]
    if step <= last:
        return
    if step - last >= cells:
        for cell in range(cells):
            m.w_lots[k, cell] = 0
        m.w_sum[k] = 0
    else:
        while last < step:
            last += 1
            m.w_sum[k] -= m.w_lots[k, last % cells]
            m.w_lots[k, last % cells] = 0
    m.w_step[k] = step
    m.w_cell[k] = step % cells


@part
def slide_add(m: Any, k: int, now_ns: int, cells: int, lots: int) -> None:
    """Add lots to window k at a time."""
    slide_to(m, k, now_ns, cells)
    m.w_lots[k, m.w_cell[k]] += lots
    m.w_sum[k] += lots


# -- exponential means ----------------------------------------------------------------------------


@part
def mean_add(m: Any, k: int, value: float, half_life: float) -> None:
    """Move mean and variance k towards a value; half of what was known is forgotten after `half_life` values.

    The plain average until as many values were seen as the mean then remembers. Incremental form of D. H. D. West,
    Communications of the ACM 22(9), 1979, with a fixed weight.
    """
    m.e_n[k] += 1
    weight = 1.0 - 0.5 ** (1.0 / half_life)
    if m.e_n[k] * weight < 1.0:
        weight = 1.0 / m.e_n[k]
    away = value - m.e_mean[k]
    m.e_mean[k] += weight * away
    m.e_var[k] = (1.0 - weight) * (m.e_var[k] + weight * away * away)


@part
def sigmas(m: Any, k: int, value: float) -> float:
    """How many standard deviations a value lies above mean k; 0 while fewer than 10 values are known."""
    if m.e_n[k] < 10 or m.e_var[k] <= 0.0:
        return 0.0
    return (value - m.e_mean[k]) / math.sqrt(m.e_var[k])


@part
def root_mean(m: Any, k: int, value: float) -> float:
    """A value over the root of the mean square about 0 of k; 0 while fewer than 10 values are known."""
    square = m.e_var[k] + m.e_mean[k] * m.e_mean[k]
    if m.e_n[k] < 10 or square <= 0.0:
        return 0.0
    return value / math.sqrt(square)


# -- sizes ----------------------------------------------------------------------------------------


@inlined
def size_bucket(lots: int) -> int:
    """The bucket of a size above 0."""
    # Without a branch, which could not be foretold: below 16 the octave is 3 and nothing is shifted out.
    octave = high_bit(lots | 8)
    bucket = (octave - 3) * 16 + ((lots >> max(octave - 4, 0)) & 15)
    return min(bucket, SIZES - 1)


@part
def halve_sizes(m: Any, k: int) -> None:
    """Halve all counts of table k."""
    m.h_n[k] = 0
    for octave in range(OCTAVES):
        total = 0
        for n in range(16 * octave, 16 * octave + 16):
            m.h_count[k, n] >>= 1
            total += m.h_count[k, n]
        m.h_octave[k, octave] = total
        m.h_n[k] += total


@inlined
def size_count(m: Any, k: int, lots: int, times: int) -> None:
    """Count a size in table k once or, without a branch, not at all."""
    bucket = size_bucket(lots)
    m.h_count[k, bucket] += times
    m.h_octave[k, bucket >> 4] += times
    m.h_n[k] += times
    if m.h_n[k] >= _HALVE_AT:
        halve_sizes(m, k)


@inlined
def size_add(m: Any, k: int, lots: int) -> None:
    """Count a size in table k; after some 16,000 all counts are halved, so that the newest weigh most."""
    size_count(m, k, lots, 1)


@part
def size_take(m: Any, k: int, bucket: int) -> None:
    """Take a size counted earlier out of table k; to be called only where nothing was halved since."""
    m.h_count[k, bucket] -= 1
    m.h_octave[k, bucket >> 4] -= 1
    m.h_n[k] -= 1


@part
def size_quantile(m: Any, k: int, share: float) -> int:
    """The least size that no more than 1 - `share` of table k reach or pass; 0 while it is empty."""
    allowed = math.floor((1.0 - share) * m.h_n[k])
    above = 0
    octave = OCTAVES
    while octave > 0 and above + m.h_octave[k, octave - 1] <= allowed:
        octave -= 1
        above += m.h_octave[k, octave]
    n = 16 * octave
    while n > 0 and above + m.h_count[k, n - 1] <= allowed:
        n -= 1
        above += m.h_count[k, n]
    if n == 0:
        return 0
    if n < 16:
        return n
    return (16 + (n & 15)) << ((n >> 4) - 1)


@part
def size_share(m: Any, k: int, lots: int) -> float:
    """The share of table k that is smaller than a size; 0 while it is empty."""
    if m.h_n[k] == 0:
        return 0.0
    bucket = size_bucket(lots)
    below = 0
    for octave in range(bucket >> 4):
        below += m.h_octave[k, octave]
    for n in range(bucket >> 4 << 4, bucket):
        below += m.h_count[k, n]
    return below / m.h_n[k]


# -- distributions --------------------------------------------------------------------------------


@part
def normal_share(z: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-z * 0.7071067811865476)


@part
def logistic(x: float) -> float:
    """1 / (1 + e**-x)."""
    if x < -700.0:
        return 0.0
    return 1.0 / (1.0 + math.exp(-x))

"""Bars of the mid price, and the ranges among them that are tighter than a random walk would be."""

from __future__ import annotations

import math
from typing import Any, Final

from tapeview.detectors._flow import SECOND_NS
from tapeview.engine._jit import part

BARS: Final = 128
_SIGMA_BARS: Final = 120
_ATR_BARS: Final = 14
_WALK: Final = 1.5957691216057308
_FAR: Final = 1 << 60


def fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields that the parts of this module use; prices are in half ticks."""
    return (
        *((name, "i8") for name in ("bar", "bars", "high", "low", "close", "fresh_from")),
        ("sigma", "f8"), ("atr", "f8"),
        ("b_high", "i8", (BARS,)), ("b_low", "i8", (BARS,)), ("b_close", "i8", (BARS,)),
        ("g_bars", "i8", (2,)), ("g_high", "i8", (2,)), ("g_low", "i8", (2,)), ("g_tight", "f8", (2,)),
    )  # fmt: skip


@part
def close_bars(m: Any, bar: int) -> None:
    """End the bar that runs; bars without a price repeat the close, and too many of them start anew."""
    quiet = bar - m.bar - 1
    if m.bar == 0 or quiet > 5:
        m.bars = 0
        m.fresh_from = 0
    else:
        for n in range(1 + quiet):
            at = m.bars % BARS
            m.b_high[at] = m.high if n == 0 else m.close
            m.b_low[at] = m.low if n == 0 else m.close
            m.b_close[at] = m.close
            m.bars += 1
    m.bar = bar


@part
def measure_bars(m: Any) -> None:
    """Standard deviation of a bar's change, and the mean true range, in half ticks."""
    n = min(m.bars, _SIGMA_BARS)
    total = 0.0
    for back in range(1, n):
        change = m.b_close[(m.bars - back) % BARS] - m.b_close[(m.bars - back - 1) % BARS]
        total += change * change
    m.sigma = math.sqrt(total / (n - 1)) if n > 1 else 0.0
    n = min(m.bars - 1, _ATR_BARS)
    reach = 0
    for back in range(1, n + 1):
        at = (m.bars - back) % BARS
        before = m.b_close[(m.bars - back - 1) % BARS]
        reach += max(m.b_high[at], before) - min(m.b_low[at], before)
    m.atr = reach / n if n > 0 else 0.0


@part
def touched(m: Any, bars: int, level: float, side: int) -> int:
    """How many bars reach a level, given times side; one where the first and the last are not 3 bars apart."""
    count, first, last = 0, 0, 0
    for back in range(1, bars + 1):
        at = (m.bars - back) % BARS
        reach = m.b_high[at] if side > 0 else -m.b_low[at]
        if reach >= level:
            count += 1
            first = back
            last = back if last == 0 else last
    return count if first - last >= 3 else min(count, 1)


@part
def reached_by(m: Any, bars: int, side: int, leave_out: int) -> int:
    """The highest high (side 1) or lowest low (-1) of the last bars, given times side, the furthest few left out."""
    first = second = -_FAR
    for back in range(1, bars + 1):
        at = (m.bars - back) % BARS
        reach = m.b_high[at] if side > 0 else -m.b_low[at]
        if reach > first:
            second = first
            first = reach
        elif reach > second:
            second = reach
    return second if leave_out > 0 else first


@part
def edge_of(m: Any, bars: int, side: int, width: int, limit: Any) -> int:
    """The edge of a range on a side, given times side: what its bars reach, or what all but one do if that one did not
    poke far beyond; _FAR where neither is touched often enough.
    """
    near = max(2.0, 0.1 * width)
    edge = reached_by(m, bars, side, 0)
    if touched(m, bars, edge - near, side) >= limit.touches:
        return edge
    inner = reached_by(m, bars, side, 1)
    if limit.poke <= 0.0 or edge - inner > max(4.0, limit.poke * width):
        return _FAR
    # The bar that poked reaches the inner edge too.
    return inner if touched(m, bars, inner - near, side) > limit.touches else _FAR


@part
def find_range(m: Any, r: int, bars: int, limit: Any) -> None:
    """Look whether the last bars are a range: tight, wide enough to matter, and reached at both edges."""
    m.g_bars[r] = 0
    if m.bars < bars or (m.fresh_from > 0 and m.bars - m.fresh_from < limit.new_bars):
        return
    high = reached_by(m, bars, 1, 0)
    low = -reached_by(m, bars, -1, 0)
    width = high - low
    if limit.naive == 0:
        high = edge_of(m, bars, 1, width, limit)
        low = -edge_of(m, bars, -1, width, limit)
        if high == _FAR or low == -_FAR:
            return
        width = high - low
    walk = _WALK * m.sigma * math.sqrt(float(bars))
    tight = width / walk if walk > 0.0 else 99.0
    if limit.naive == 0 and (width < 2 * limit.min_ticks or tight > limit.compress):
        return
    m.g_bars[r], m.g_high[r], m.g_low[r], m.g_tight[r] = bars, high, low, tight


@part
def count_bar(m: Any, mid: int, now_ns: int, limit: Any) -> int:
    """Take a mid price into its bar; give whether the bar before has just closed."""
    bar = (now_ns - 1) // (limit.bar_s * SECOND_NS)
    closed = 0
    if bar != m.bar:
        close_bars(m, bar)
        closed = 1
        m.high = m.low = mid
        if m.bars > 1:
            measure_bars(m)
    m.high = max(m.high, mid)
    m.low = min(m.low, mid)
    m.close = mid
    return closed


@part
def find_ranges(m: Any, limit: Any) -> None:
    """Once a bar, unless a break is on: see what ranges there are."""
    find_range(m, 0, limit.bars, limit)
    if limit.naive == 0:
        find_range(m, 1, 3 * limit.bars, limit)

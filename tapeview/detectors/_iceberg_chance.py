"""How often orders of a size come to a price anyway: what a chain of tranches is weighed against.

Counted are, by size and by delay: orders that come after any trade at their price, orders that follow one of their own
size that was executed in full, and those that follow an order which had followed one itself. A chain that was told is
taken out again.
"""

from __future__ import annotations

import math
from typing import Any, Final

from feeds.events import NONE
from tapeview.detectors._estimate import size_bucket
from tapeview.detectors._iceberg_memory import (
    BINS,
    CANDIDATES,
    LEVELS,
    RESERVOIR,
    SECOND_NS,
    SIZE_ROWS,
    STEPS,
    next_random,
)
from tapeview.engine._jit import part

WINDOW_NS: Final = 2_500_000_000
"""Five times the longest delay: what comes later is no successor."""
DELAYS: Final = (0.05, 0.15, 0.5)
_EDGES: Final = (10_000_000, 30_000_000, 100_000_000, 300_000_000, 1_000_000_000, 2_500_000_000)
_WIDTHS: Final = (0.01, 0.02, 0.07, 0.2, 0.7, 1.5)
_TRUST: Final = 4.0
"""Executed orders of a size that the rate of that size after any trade stands for."""
_TRUST_LONG: Final = 20.0
"""Executed orders that followed another of their size, for which the rate after single ones stands."""
CHAIN_NS: Final = 60 * SECOND_NS


@part
def bin_of(d: int) -> int:
    """The bin of a delay of at most WINDOW_NS."""
    if d < 30_000_000:
        return 0 if d < 10_000_000 else 1
    if d < 300_000_000:
        return 2 if d < 100_000_000 else 3
    return 4 if d < 1_000_000_000 else 5


@part
def row_of(lots: int) -> int:
    """The row of a size in the tables of chance."""
    return min(size_bucket(lots), SIZE_ROWS - 1)


@part
def expose(m: Any, gap_ns: int) -> None:
    """Count the time that passed after a trade at a price, by bin."""
    below = 0
    for b in range(BINS):
        edge = _EDGES[b]
        if gap_ns <= below:
            break
        m.nu_seconds[b] += (min(gap_ns, edge) - below) / 1e9
        below = edge
    if m.nu_seconds[0] > 60.0:
        m.nu_all *= 0.5
        for b in range(BINS):
            m.nu_seconds[b] *= 0.5
        for r in range(SIZE_ROWS):
            for b in range(BINS + 1):
                m.nu_adds[r, b] *= 0.5


@part
def rate_by_chance(m: Any, slot: int, low: int, high: int, b: int, own: int, now_ns: int, equal: int) -> float:
    """Orders a second of sizes in a range that come anyway in a bin of delay: the largest of three measures."""
    adds, all_adds = 0.0, 0.0
    ends, after, all_after = 0.0, 0.0, 0.0
    ends2, after2, all_after2 = 0.0, 0.0, 0.0
    for r in range(row_of(low), row_of(high) + 1):
        adds += m.nu_adds[r, b]
        ends += m.nu_ends[r]
        ends2 += m.nu_ends[SIZE_ROWS + r]
        all_adds += m.nu_adds[r, BINS]
        if equal != 0:
            after += m.nu_after[r, b]
            all_after += m.nu_after[r, BINS]
            after2 += m.nu_after[SIZE_ROWS + r, b]
            all_after2 += m.nu_after[SIZE_ROWS + r, BINS]
        else:
            after += m.nu_like[r, b]
            all_after += m.nu_like[r, BINS]
            after2 += m.nu_like[SIZE_ROWS + r, b]
            all_after2 += m.nu_like[SIZE_ROWS + r, BINS]
    # What this chain added to the counts itself is no chance.
    adds *= max(1.0 - (own + 1.0) / max(all_adds, 1.0), 0.0)
    if own > 0:
        after *= max(1.0 - 1.0 / max(all_after, 1.0), 0.0)
        ends = max(ends - 1.0, 0.0)
    if own > 1:
        after2 *= max(1.0 - (own - 1.0) / max(all_after2, 1.0), 0.0)
        ends2 = max(ends2 - (own - 1.0), 0.0)
    rate = (adds + 0.5) / (m.nu_seconds[b] + 1.0)
    wide = _WIDTHS[b]
    follows = (after + _TRUST * wide * rate) / ((ends + _TRUST) * wide)
    if own > 0:
        follows = (after2 + _TRUST_LONG * wide * follows) / ((ends2 + _TRUST_LONG) * wide)
    passed = max((now_ns - m.lv_since_ns[slot]) / 1e9, 1.0)
    here = max(m.lv_adds[slot] - own, 0) / passed * (max(all_adds - own, 0.0) + 0.5) / (m.nu_all + 1.0)
    return max(rate, follows, here)


@part
def step_of(d: int) -> int:
    """The row of a delay in the table of likelihoods: 16 to an octave of a quarter of a millisecond."""
    return min(size_bucket(d // 250_000), STEPS - 1)


@part
def gain(m: Any, step: int, k: int, rate: float) -> float:
    """What an order that comes so long after adds to the score of a chain with mean delay k."""
    return math.log1p(m.nu_density[step, k] / rate) - m.nu_passed[step, k]


def fill_likelihoods(p1: float, density: Any, passed: Any) -> None:
    """Fill the tables `gain` reads: how dense successors are after each delay, and the share that has come by then.

    Both have a row for each step of the delay and a column for each mean delay; `p1` is the share of tranches that
    are followed by another. Steps are at most 6 % wide and stand for their middle.
    """
    for step in range(STEPS):
        low = step if step < 16 else (16 + (step & 15)) << ((step >> 4) - 1)
        wide = 1 if step < 16 else 1 << ((step >> 4) - 1)
        d_s = (low + 0.5 * wide) * 0.000_25
        for k, mean_s in enumerate(DELAYS):
            decay = math.exp(-d_s / mean_s)
            density[step, k] = p1 * decay / mean_s
            passed[step, k] = p1 * (1.0 - decay)


@part
def count_add(m: Any, slot: int, lots: int, d: int) -> None:
    """Count an order that came at a price so long after a trade there."""
    m.lv_adds[slot] += 1
    if d < 0 or d > WINDOW_NS or m.lv_story[slot] != 0:
        return
    r = row_of(lots)
    m.nu_adds[r, bin_of(d)] += 1.0
    m.nu_adds[r, BINS] += 1.0
    m.nu_all += 1.0


@part
def count_end(m: Any, limit: Any, lots: int, count: int) -> None:
    """Count an order that was executed in full."""
    r = row_of(lots) + (SIZE_ROWS if count > 1 else 0)
    m.nu_ends[r] += 1.0
    if m.nu_ends[r] > 400.0:
        m.nu_ends[r] *= 0.5
        for b in range(BINS + 1):
            m.nu_after[r, b] *= 0.5
            m.nu_like[r, b] *= 0.5


@part
def uncount(m: Any, lots: int, bins: int) -> None:
    """Take the links of a chain that was told out of the counts of chance."""
    r = row_of(lots)
    while bins > 0:
        b = (bins & 7) - 1
        bins >>= 3
        k = r + SIZE_ROWS if bins > 0 else r
        m.nu_ends[k] = max(m.nu_ends[k] - 1.0, 0.0)
        for column in (b, BINS):
            m.nu_after[k, column] = max(m.nu_after[k, column] - 1.0, 0.0)
            m.nu_like[k, column] = max(m.nu_like[k, column] - 1.0, 0.0)
            m.nu_adds[r, column] = max(m.nu_adds[r, column] - 1.0, 0.0)


@part
def permuted(m: Any, lots: int) -> int:
    """Exchange a size with one of long ago."""
    if m.rv_n[0] < RESERVOIR:
        m.rv_left[m.rv_n[0]] = lots
        m.rv_n[0] += 1
        return lots
    at = next_random(m) % RESERVOIR
    old = m.rv_left[at]
    m.rv_left[at] = lots
    return old


@part
def elsewhere(m: Any, limit: Any, slot: int, lots: int, now_ns: int, alike: int) -> int:
    """Count the links of chains of about a size at other prices: a market maker's are everywhere."""
    links = 0
    for n in range(LEVELS):
        if n == slot or m.lv_side[n] == 0 or m.lv_last_ns[n] == NONE or now_ns - m.lv_last_ns[n] > CHAIN_NS:
            continue
        if m.lv_story[n] != 0 or (m.lv_cool_ns[n] != NONE and now_ns < m.lv_cool_ns[n]):
            continue
        for c in range(n * CANDIDATES, n * CANDIDATES + CANDIDATES):
            if (
                m.cd_count[c] > 1
                and m.cd_lots[c] != 0
                and now_ns - m.cd_ns[c] <= CHAIN_NS
                and abs(m.cd_lots[c] - lots) <= limit.similar * lots * alike
            ):
                links += m.cd_count[c] - 1
    return links

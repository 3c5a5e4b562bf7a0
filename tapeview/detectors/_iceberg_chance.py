"""How often orders of a size follow others anyway: what a chain of tranches is weighed against.

Counted are the orders that come to prices watched, by size; those that come soon after an order there was executed in
full, by delay; and of the orders executed in full, by size, how many were followed by one of the same size or of a
similar one. What a price and a size added to these counts themselves is no chance, and is taken off when that size is
judged at that price; a market maker, who quotes the same size anew everywhere, remains in them.
"""

from __future__ import annotations

import math
from typing import Any, Final

from tapeview.detectors._estimate import size_bucket
from tapeview.detectors._iceberg_memory import (
    BINS,
    OWN,
    RESERVOIR,
    SECOND_NS,
    SIZE_ROWS,
    STEPS,
    next_random,
)
from tapeview.engine._jit import inlined, part

WINDOW_NS: Final = 2_500_000_000
"""Five times the longest delay: what comes later is no successor."""
CHAIN_NS: Final = 60 * SECOND_NS
"""How long an interrupted chain is remembered."""
DELAYS: Final = (0.05, 0.15, 0.5)
_WIDTHS: Final = (0.01, 0.02, 0.07, 0.2, 0.7, 1.5)
_TRUST: Final = 10.0
"""Executed orders of a size for which what is usual of all sizes stands."""
_PRIOR: Final = 200.0
"""Orders that what is known of sizes beforehand stands for."""
_HALVE_AT: Final = 20_000.0


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
def step_of(d: int) -> int:
    """The row of a delay in the table of likelihoods: 16 to an octave of a quarter of a millisecond."""
    return min(size_bucket(d // 250_000), STEPS - 1)


def fill_likelihoods(p1: float, density: Any, missing: Any) -> None:
    """Fill the tables `odds` reads: how dense successors are after each delay, and the chance that none came by then.

    One row for each step of the delay, the mean of exponential delays of DELAYS; `p1` is the share of tranches that
    are followed by another. Steps are at most 6 % wide and stand for their middle.
    """
    for step in range(STEPS):
        low = step if step < 16 else (16 + (step & 15)) << ((step >> 4) - 1)
        wide = 1 if step < 16 else 1 << ((step >> 4) - 1)
        d_s = (low + 0.5 * wide) * 0.000_25
        density[step] = missing[step] = 0.0
        for mean_s in DELAYS:
            decay = math.exp(-d_s / mean_s)
            density[step] += p1 * decay / mean_s / len(DELAYS)
            missing[step] += (1.0 - p1 * (1.0 - decay)) / len(DELAYS)


def fill_prior(prior: Any) -> None:
    """Fill the table of how many of _PRIOR orders have a size of each row: falling with its power 1.5, at least 0.5."""
    for row in range(SIZE_ROWS):
        lots = row if row < 16 else (16 + (row & 15)) << ((row >> 4) - 1)
        prior[row] = max(0.38 * _PRIOR / max(lots, 1) ** 1.5, 0.5)


@inlined
def odds(m: Any, d: int, rate: float) -> float:
    """How much likelier the first order of a size that comes so long after another was executed is as the successor.

    Or as a stranger where the successor did not come, than as a stranger of whom so many come a second. Its log is
    what the order adds to the score of a chain.
    """
    step = step_of(d)
    return m.nu_density[step] / rate + m.nu_missing[step]


@inlined
def may_pass(score: float, ratio: float, best: float) -> bool:
    """Say whether a score and the log of a ratio may come to more than the best: that log is at most the ratio less 1.

    Most orders are strangers, and a log costs more than all else that is done about one.
    """
    return score + (ratio - 1.0) > best - 1e-6


@part
def own_place(m: Any, slot: int, lots: int) -> int:
    """Give the place of what a size added to the counts at a price, -1 where it has none."""
    for n in range(slot * OWN, slot * OWN + OWN):
        if m.ow_lots[n] == lots:
            return n
    return -1


@part
def take_own(m: Any, slot: int, lots: int, now_ns: int) -> int:
    """The same; the one not touched for longest gives way where it has none."""
    oldest = slot * OWN
    for n in range(slot * OWN, slot * OWN + OWN):
        if m.ow_lots[n] == lots:
            m.ow_ns[n] = now_ns
            return n
        if m.ow_lots[n] == 0 or (m.ow_lots[oldest] != 0 and m.ow_ns[n] < m.ow_ns[oldest]):
            oldest = n
    m.ow_lots[oldest], m.ow_ns[oldest], m.ow_ends[oldest], m.ow_adds[oldest] = lots, now_ns, 0, 0
    for b in range(BINS):
        m.ow_after[oldest, b], m.ow_like[oldest, b] = 0, 0
    return oldest


@part
def share_of(m: Any, row: int, own: int) -> float:
    """What part of the orders that come after any order there was executed has a size.

    Those of the price itself count as far as they are many more than were executed: tranches never are, crowds are.
    """
    adds, more = m.nu_adds[row], 0.0
    if own >= 0:
        adds -= m.ow_adds[own]
        more = max(m.ow_adds[own] - 3 * m.ow_ends[own] - 3, 0) / (m.ow_ends[own] + 1.0)
    usual = (max(adds, 0.0) + m.nu_prior[row]) / (m.nu_all + _PRIOR) / (m.nu_ends_all + 5.0)
    total = 3.0
    for n in range(BINS):
        total += m.nu_bins[n]
    return max(usual, more / total)


@inlined
def rate_of(m: Any, b: int, share: float) -> float:
    """Orders of a size with such a share that come a second in a bin of delay after any order there was executed."""
    return (m.nu_bins[b] + 0.5) / _WIDTHS[b] * share


@part
def rate_after(m: Any, row: int, b: int, own: int, usual: float) -> float:
    """The same after one of that size was executed, where that is more: market makers."""
    after = m.nu_after[row, b] - (m.ow_after[own, b] if own >= 0 else 0)
    ends = m.nu_ends[row] - (m.ow_ends[own] if own >= 0 else 0)
    share = (max(after, 0.0) + _TRUST * usual * _WIDTHS[b]) / (max(ends, 0.0) + _TRUST)
    return max(share / _WIDTHS[b], usual)


@part
def rate_like(m: Any, row: int, b: int, own: int, sizes: float, usual: float) -> float:
    """Orders of one of so many similar sizes that come a second after one of this size was executed."""
    after = m.nu_like[row, b] - (m.ow_like[own, b] if own >= 0 else 0)
    ends = m.nu_ends[row] - (m.ow_ends[own] if own >= 0 else 0)
    share = (max(after, 0.0) + _TRUST * usual * _WIDTHS[b]) / (max(ends, 0.0) + _TRUST)
    return max(share / _WIDTHS[b] / max(sizes - 1.0, 1.0), usual)


@part
def count_moved(m: Any, lots: int) -> None:
    """An order of a size was moved to another price, as makers do: the size comes again likelier than is counted."""
    r = row_of(lots)
    m.nu_moved[r] += 1.0
    m.nu_makers[r] = max(m.nu_moved[r] - 3.0, 1.0) ** 0.3


@part
def count_add(m: Any, slot: int, lots: int, d: int) -> None:
    """Count an order that came to a price, so long after one there was executed."""
    m.nu_adds[row_of(lots)] += 1.0
    m.nu_all += 1.0
    own = own_place(m, slot, lots)
    if own >= 0:
        m.ow_adds[own] += 1
    if 0 <= d <= WINDOW_NS:
        m.nu_bins[bin_of(d)] += 1.0


@part
def count_end(m: Any, slot: int, lots: int, now_ns: int) -> None:
    """Count an order that was executed in full."""
    m.nu_ends[row_of(lots)] += 1.0
    m.nu_ends_all += 1.0
    m.ow_ends[take_own(m, slot, lots, now_ns)] += 1
    if m.nu_ends_all > _HALVE_AT:
        m.nu_ends_all *= 0.5
        m.nu_all *= 0.5
        for b in range(BINS):
            m.nu_bins[b] *= 0.5
        for r in range(SIZE_ROWS):
            m.nu_adds[r] *= 0.5
            m.nu_ends[r] *= 0.5
            m.nu_moved[r] *= 0.5
            m.nu_makers[r] = max(m.nu_moved[r] - 3.0, 1.0) ** 0.3
            for b in range(BINS):
                m.nu_after[r, b] *= 0.5
                m.nu_like[r, b] *= 0.5


@part
def count_after(m: Any, slot: int, lots: int, d: int) -> None:
    """Count that an executed order was followed by one of its size."""
    m.nu_after[row_of(lots), bin_of(d)] += 1.0
    own = own_place(m, slot, lots)
    if own >= 0:
        m.ow_after[own, bin_of(d)] += 1


@part
def count_like(m: Any, slot: int, lots: int, d: int) -> None:
    """Count that an executed order was followed by one of another, similar size."""
    m.nu_like[row_of(lots), bin_of(d)] += 1.0
    own = own_place(m, slot, lots)
    if own >= 0:
        m.ow_like[own, bin_of(d)] += 1


@part
def uncount(m: Any, slot: int, low: int, high: int) -> None:
    """Take what sizes in a range added at a price out of the counts: they were told of."""
    for n in range(slot * OWN, slot * OWN + OWN):
        lots = m.ow_lots[n]
        if lots < low or lots > high or lots == 0:
            continue
        r = row_of(lots)
        m.nu_ends[r] = max(m.nu_ends[r] - m.ow_ends[n], 0.0)
        m.nu_adds[r] = max(m.nu_adds[r] - m.ow_adds[n], 0.0)
        for b in range(BINS):
            m.nu_after[r, b] = max(m.nu_after[r, b] - m.ow_after[n, b], 0.0)
            m.nu_like[r, b] = max(m.nu_like[r, b] - m.ow_like[n, b], 0.0)
        m.ow_lots[n] = 0


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

"""Synthetic icebergs: tranches of one size that follow each other at a price, each soon after the one before was taken.

With order ids a tranche is an order, and its successor an order of equal or similar size that comes soon after it was
executed in full. Without them it is growth of a level by one order, soon after a trade there and after at least its own
size was traded since the last. Each successor adds the log of how much likelier it is under an exponential delay than
by chance; chance is measured: how often orders of that size come so long after a trade, and how often they follow
an order of their own size that was executed, which is what market makers do that quote the same size anew everywhere.
"""

from __future__ import annotations

import math
from typing import Any, Final

from feeds.events import NONE
from tapeview.detectors._estimate import size_bucket
from tapeview.detectors._iceberg_memory import (
    BINS,
    CANDIDATES,
    CHAIN_SETS,
    LEVELS,
    RESERVOIR,
    SCORES,
    SECOND_NS,
    SIZE_ROWS,
    SYNTHETIC,
    WAYS,
    next_random,
    open_story,
    refill_story,
)
from tapeview.engine._jit import part

WINDOW_NS: Final = 2_500_000_000
"""Five times the longest delay: what comes later is no successor."""
_DELAYS: Final = (0.05, 0.15, 0.5)
_EDGES: Final = (10_000_000, 30_000_000, 100_000_000, 300_000_000, 1_000_000_000, 2_500_000_000)
_WIDTHS: Final = (0.01, 0.02, 0.07, 0.2, 0.7, 1.5)
_TRUST: Final = 4.0
"""Executed orders of a size that the rate of that size after any trade stands for."""
_LATE_S: Final = 60.0
"""A tranche that does not come soon comes any time until then, as when the price has left."""
_CHAIN_NS: Final = 60 * SECOND_NS


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
                m.nu_adds[r, b] *= 0.5


@part
def rate_by_chance(
    m: Any, limit: Any, slot: int, low: int, high: int, b: int, own: int, now_ns: int, equal: int
) -> float:
    """Orders a second of sizes in a range that come anyway in a bin of delay: the largest of three measures."""
    adds, all_adds = 0.0, 0.0
    ends, after, all_after = 0.0, 0.0, 0.0
    ends2, after2, all_after2 = 0.0, 0.0, 0.0
    for r in range(row_of(low), row_of(high) + 1):
        adds += m.nu_adds[r, b]
        ends += m.nu_ends[r]
        ends2 += m.nu_ends[SIZE_ROWS + r]
        for k in range(BINS):
            all_adds += m.nu_adds[r, k]
            got = m.nu_after[r, k] if equal != 0 else m.nu_like[r, k]
            all_after += got
            after += got if k == b else 0.0
            got = m.nu_after[SIZE_ROWS + r, k] if equal != 0 else m.nu_like[SIZE_ROWS + r, k]
            all_after2 += got
            after2 += got if k == b else 0.0
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
    if own > 0 and limit.x_class != 0:
        follows = (after2 + _TRUST * wide * follows) / ((ends2 + _TRUST) * wide)
    passed = max((now_ns - m.lv_since_ns[slot]) / 1e9, 1.0)
    here = max(m.lv_adds[slot] - own, 0) / passed * (max(all_adds - own, 0.0) + 0.5) / (m.nu_all + 1.0)
    return max(rate, follows, here)


@part
def gain(d_s: float, mean_s: float, rate: float, p1: float, x_late: float) -> float:
    """What an order that comes after so many seconds adds to the score of a chain with that mean delay."""
    decay = math.exp(-d_s / mean_s)
    late = x_late * (1.0 - p1) / _LATE_S
    return math.log((p1 * decay / mean_s + late + rate) / rate) - p1 * (1.0 - decay) - late * d_s


@part
def best_of(m: Any, c: int) -> float:
    """The best score of a candidate."""
    best = 0.0
    for k in range(SCORES):
        best = max(best, m.cd_score[c, k])
    return best


@part
def delay_between(m: Any, c: int, recv_ns: int, exch_ns: int) -> int:
    """Time since a candidate was noted, by the venue's clock where it is known."""
    if exch_ns != NONE and m.cd_exch_ns[c] != NONE:
        return exch_ns - m.cd_exch_ns[c]
    return recv_ns - m.cd_ns[c]


@part
def count_add(m: Any, slot: int, lots: int, d: int) -> None:
    """Count an order that came at a price so long after a trade there."""
    m.lv_adds[slot] += 1
    if d < 0 or d > WINDOW_NS or m.lv_story[slot] != 0:
        return
    m.nu_adds[row_of(lots), bin_of(d)] += 1.0
    m.nu_all += 1.0


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


# -- with order ids -------------------------------------------------------------------------------


@part
def chain_slot(m: Any, number: int) -> int:
    """Give the slot of an order that is a tranche, -1 where it is none."""
    base = ((number ^ (number >> 7)) & (CHAIN_SETS - 1)) * WAYS
    for n in range(base, base + WAYS):
        if m.ch_id[n] == number:
            return n
    return -1


@part
def order_moved(m: Any, number: int) -> None:
    """An order that was a tranche went to another price or grew."""
    n = chain_slot(m, number)
    if n >= 0:
        m.ch_id[n] = NONE


@part
def count_end(m: Any, limit: Any, lots: int, count: int) -> None:
    """Count an order that was executed in full."""
    r = row_of(lots) + (SIZE_ROWS if count > 1 and limit.x_class != 0 else 0)
    m.nu_ends[r] += 1.0
    if m.nu_ends[r] > 400.0:
        m.nu_ends[r] *= 0.5
        for b in range(BINS):
            m.nu_after[r, b] *= 0.5
            m.nu_like[r, b] *= 0.5


@part
def tranche_taken(m: Any, limit: Any, slot: int, number: int, lots: int, recv_ns: int, exch_ns: int) -> None:
    """An order at a price was executed in full: from now on its successor may come."""
    first = slot * CANDIDATES
    n = chain_slot(m, number)
    value = 0.0
    if n >= 0:
        for k in range(SCORES):
            value = max(value, m.ch_score[n, k])
    place, least = first, 1e9
    for c in range(first, first + CANDIDATES):
        if m.cd_lots[c] != 0 and delay_between(m, c, recv_ns, exch_ns) > (
            WINDOW_NS if best_of(m, c) < limit.x_keep or limit.x_late == 0 else _CHAIN_NS
        ):
            m.cd_lots[c] = 0
        score = -1.0 if m.cd_lots[c] == 0 else best_of(m, c)
        if m.cd_lots[c] == lots:
            place = c
            least = score
            break
        if score < least:
            place, least = c, score
    if m.lv_story[slot] == 0:
        count_end(m, limit, lots, 2 if n >= 0 else 1)
    if least > value:
        return
    m.cd_lots[place], m.cd_ns[place], m.cd_exch_ns[place] = lots, recv_ns, exch_ns
    if n >= 0:
        m.cd_sum[place], m.cd_count[place], m.cd_bins[place] = m.ch_sum[n], m.ch_count[n], m.ch_bins[n]
        for k in range(SCORES):
            m.cd_score[place, k] = m.ch_score[n, k]
        m.ch_id[n] = NONE
    else:
        m.cd_sum[place], m.cd_count[place], m.cd_bins[place] = lots, 1, 0
        for k in range(SCORES):
            m.cd_score[place, k] = 0.0


@part
def join(m: Any, limit: Any, slot: int, c: int, lots: int, d: int, now_ns: int, out: int) -> float:
    """Score an order as the successor of a candidate, into the scores of tranche `out`; give the best."""
    b = bin_of(d)
    own = m.cd_count[c] - 1
    d_s = d / 1e9
    best = 0.0
    mean = m.cd_sum[c] / m.cd_count[c]
    equal = lots == m.cd_lots[c]
    similar = abs(lots - mean) <= limit.similar * mean
    if equal:
        rate = rate_by_chance(m, limit, slot, lots, lots, b, own, now_ns, 1)
        for k in range(3):
            m.ch_score[out, k] = max(m.cd_score[c, k] + gain(d_s, _DELAYS[k], rate, limit.p1, float(limit.x_late)), 0.0)
            best = max(best, m.ch_score[out, k])
    else:
        for k in range(3):
            m.ch_score[out, k] = 0.0
    if similar:
        low, high = math.ceil(mean * (1.0 - limit.similar)), math.floor(mean * (1.0 + limit.similar))
        rate = rate_by_chance(m, limit, slot, max(low, 1), max(high, low, 1), b, own, now_ns, 0)
        for k in range(3):
            m.ch_score[out, 3 + k] = max(
                m.cd_score[c, 3 + k] + gain(d_s, _DELAYS[k], rate, limit.p1, float(limit.x_late)), 0.0
            )
            best = max(best, m.ch_score[out, 3 + k])
    else:
        for k in range(3):
            m.ch_score[out, 3 + k] = 0.0
    return best


@part
def both_sides(m: Any, limit: Any, slot: int, value: float, now_ns: int) -> int:
    """Say whether the other side near a price shows half as much evidence: a market maker that quotes both."""
    tick, side = m.lv_tick[slot], m.lv_side[slot]
    for n in range(LEVELS):
        if (
            m.lv_side[n] == -side
            and abs(m.lv_tick[n] - tick) <= limit.pair_ticks
            and m.lv_chain_ns[n] != NONE
            and now_ns - m.lv_chain_ns[n] <= _CHAIN_NS
            and 2.0 * m.lv_chain[n] > value
        ):
            return 1
    return 0


@part
def uncount(m: Any, lots: int, bins: int) -> None:
    """Take the links of a chain that was told out of the counts of chance."""
    r = row_of(lots)
    while bins > 0:
        b = (bins & 7) - 1
        bins >>= 3
        k = r + SIZE_ROWS if bins > 0 else r
        m.nu_ends[k] = max(m.nu_ends[k] - 1.0, 0.0)
        m.nu_after[k, b] = max(m.nu_after[k, b] - 1.0, 0.0)
        m.nu_like[k, b] = max(m.nu_like[k, b] - 1.0, 0.0)
        m.nu_adds[r, b] = max(m.nu_adds[r, b] - 1.0, 0.0)


@part
def tranche_found(
    m: Any, board: Any, limit: Any, row: Any, slot: int, number: int, lots: int, count: int, executed: int,
    value: float, delay: int, bins: int,
) -> None:  # fmt: skip
    """A tranche followed another: count it in the story of the price, or begin one where the score suffices."""
    m.lv_chain[slot], m.lv_chain_ns[slot] = value, row.recv_ns
    s = m.lv_story[slot] - 1
    if s >= 0:
        near = abs(lots - m.st_peak[s]) <= limit.similar * m.st_peak[s]
        if m.st_method[s] == SYNTHETIC and near and value >= limit.synthetic_off:
            refill_story(m, s, lots, lots, row.recv_ns, value)
            m.st_owner[s], m.st_queue[s] = number, row.now
        return
    if (
        value < (limit.level_score if number == NONE else limit.synthetic_score)
        or count < limit.k_min
        or row.warm == 0
        or limit.rule != 0
        or (m.lv_cool_ns[slot] != NONE and row.recv_ns < m.lv_cool_ns[slot])
        or both_sides(m, limit, slot, value, row.recv_ns) != 0
    ):
        return
    s = open_story(
        m, board, slot, SYNTHETIC, row.seq, row.recv_ns, lots, count - 1, executed, executed, value, row.now
    )  # fmt: skip
    if s >= 0:
        m.st_owner[s] = number
        uncount(m, executed // max(count - 1, 1), bins)
        m.st_delay[s] = math.floor(_DELAYS[delay] * 1000.0 + 0.5)


@part
def order_added(
    m: Any, board: Any, limit: Any, row: Any, slot: int, number: int, lots: int, exch_ns: int
) -> None:  # fmt: skip
    """A new order came at a price that trades: whose successor may it be."""
    base = ((number ^ (number >> 7)) & (CHAIN_SETS - 1)) * WAYS
    place = base
    for n in range(base, base + WAYS):
        if m.ch_id[n] == NONE or (m.ch_id[place] != NONE and m.ch_ns[n] < m.ch_ns[place]):
            place = n
    m.ch_id[place] = NONE
    chosen, value, newest, like = -1, -1.0, -1, -1
    for c in range(slot * CANDIDATES, slot * CANDIDATES + CANDIDATES):
        if m.cd_lots[c] == 0:
            continue
        d = delay_between(m, c, row.recv_ns, exch_ns)
        if d < 0 or d > (WINDOW_NS if best_of(m, c) < limit.x_keep or limit.x_late == 0 else _CHAIN_NS):
            continue
        if m.cd_lots[c] == lots and d <= WINDOW_NS and (newest < 0 or m.cd_ns[c] > m.cd_ns[newest]):
            newest = c
        if (
            d <= WINDOW_NS
            and abs(lots - m.cd_lots[c]) <= limit.similar * m.cd_lots[c]
            and (like < 0 or m.cd_ns[c] > m.cd_ns[like])
        ):
            like = c
        mean = m.cd_sum[c] / m.cd_count[c]
        if m.cd_lots[c] == lots or abs(lots - mean) <= limit.similar * mean:
            got = join(m, limit, slot, c, lots, d, row.recv_ns, place)
            if got > value:
                chosen, value = c, got
    if chosen >= 0:
        d = delay_between(m, chosen, row.recv_ns, exch_ns)
        value = join(m, limit, slot, chosen, lots, d, row.recv_ns, place)
    if m.lv_story[slot] == 0:
        if newest >= 0 and (limit.x_cap == 0 or m.cd_count[newest] <= limit.x_cap):
            r = row_of(lots) + (SIZE_ROWS if m.cd_count[newest] > 1 and limit.x_class != 0 else 0)
            m.nu_after[r, bin_of(delay_between(m, newest, row.recv_ns, exch_ns))] += 1.0
        if like >= 0 and (limit.x_cap == 0 or m.cd_count[like] <= limit.x_cap):
            r = row_of(m.cd_lots[like]) + (SIZE_ROWS if m.cd_count[like] > 1 and limit.x_class != 0 else 0)
            m.nu_like[r, bin_of(delay_between(m, like, row.recv_ns, exch_ns))] += 1.0
    if chosen < 0:
        return
    m.ch_id[place], m.ch_ns[place] = number, row.recv_ns
    m.ch_count[place], m.ch_sum[place] = m.cd_count[chosen] + 1, m.cd_sum[chosen] + lots
    m.ch_bins[place] = (
        ((m.cd_bins[chosen] & 0xFFFFFFFFFFFFF) << 3) + bin_of(d) + 1 if d <= WINDOW_NS else m.cd_bins[chosen]
    )
    delay = 0
    for k in range(SCORES):
        delay = k if m.ch_score[place, k] > m.ch_score[place, delay] else delay
    tranche_found(
        m, board, limit, row, slot, number, lots, m.ch_count[place], m.ch_sum[place] - lots, value, delay % 3,
        m.ch_bins[place],
    )  # fmt: skip


@part
def join_level(m: Any, board: Any, limit: Any, row: Any, slot: int, c: int, lots: int, d: int) -> None:
    """Score growth of a level as the next tranche of a candidate."""
    out = CHAIN_SETS * WAYS - 1
    value = join(m, limit, slot, c, lots, d, row.recv_ns, out)
    delay = 0
    for k in range(SCORES):
        m.cd_score[c, k] = m.ch_score[out, k]
        delay = k if m.cd_score[c, k] > m.cd_score[c, delay] else delay
    m.cd_count[c] += 1
    m.cd_sum[c] += lots
    tranche_found(m, board, limit, row, slot, NONE, lots, m.cd_count[c], m.cd_sum[c] - lots, value, delay % 3, 0)


# -- without order ids ----------------------------------------------------------------------------


@part
def level_grown(
    m: Any, board: Any, limit: Any, row: Any, slot: int, lots: int, d: int
) -> None:  # fmt: skip
    """A level that trades grew by one order, so long after the last trade there."""
    first = slot * CANDIDATES
    found, place = -1, first
    for c in range(first, first + CANDIDATES):
        if m.cd_lots[c] == lots:
            found = c
        if m.cd_lots[c] == 0 or (m.cd_lots[place] != 0 and m.cd_ns[c] < m.cd_ns[place]):
            place = c
    if found < 0:
        for c in range(first, first + CANDIDATES):
            if m.cd_lots[c] != 0 and m.cd_count[c] > 1:
                mean = m.cd_sum[c] / m.cd_count[c]
                if abs(lots - mean) <= limit.similar * mean and (found < 0 or best_of(m, c) > best_of(m, found)):
                    found = c
    volume = m.lv_volume[slot]
    if found < 0 or row.recv_ns - m.cd_ns[found] > _CHAIN_NS:
        found = place if found < 0 else found
        m.cd_count[found], m.cd_sum[found] = 1, lots
        for k in range(SCORES):
            m.cd_score[found, k] = 0.0
    elif volume - m.cd_volume[found] >= lots and 0 <= d <= WINDOW_NS:
        join_level(m, board, limit, row, slot, found, lots, d)
    else:
        count = 1
        for k in range(SCORES):
            m.cd_score[found, k] = max(m.cd_score[found, k] - 1.5, 0.0)
            count = m.cd_count[found] if m.cd_score[found, k] > 0.0 else count
        m.cd_count[found] = count
        m.cd_sum[found] = lots if count == 1 else m.cd_sum[found]
    m.cd_lots[found], m.cd_ns[found], m.cd_volume[found], m.cd_ahead[found] = lots, row.recv_ns, volume, row.was


@part
def refill_was_due(m: Any, slot: int) -> None:
    """After a trade: candidates whose tranche must have been taken long since lose."""
    volume = m.lv_volume[slot]
    for c in range(slot * CANDIDATES, slot * CANDIDATES + CANDIDATES):
        if m.cd_lots[c] != 0 and m.cd_count[c] >= 2 and volume - m.cd_volume[c] > m.cd_ahead[c] + 2 * m.cd_lots[c]:
            for k in range(SCORES):
                m.cd_score[c, k] = max(m.cd_score[c, k] - 1.0, 0.0)
            m.cd_volume[c] = volume - m.cd_ahead[c] - m.cd_lots[c]

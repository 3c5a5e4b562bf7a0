"""Synthetic icebergs: tranches of one size that follow each other at a price, each soon after the one before was taken.

With order ids a tranche is an order, and its successor an order of equal or similar size that comes soon after it was
executed in full. Without them it is growth of a level by one order, soon after a trade there and after at least its own
size was traded since the last. Each successor adds the log of how much likelier it is under an exponential delay than
by chance; chance is measured: how often orders of that size come so long after a trade, and how often they follow
an order of their own size that was executed, which is what market makers do that quote the same size anew everywhere.
"""

from __future__ import annotations

import math
from typing import Any

from feeds.events import NONE
from tapeview.detectors._iceberg_chance import (
    CHAIN_NS,
    DELAYS,
    WINDOW_NS,
    bin_of,
    count_end,
    elsewhere,
    gain,
    permuted,
    rate_by_chance,
    row_of,
    step_of,
    uncount,
)
from tapeview.detectors._iceberg_memory import (
    BINS,
    CANDIDATES,
    CHAIN_SETS,
    SCORES,
    SIZE_ROWS,
    SYNTHETIC,
    WAYS,
    open_story,
    refill_story,
)
from tapeview.engine._jit import part


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
def tranche_taken(m: Any, limit: Any, slot: int, number: int, lots: int, recv_ns: int, exch_ns: int) -> None:
    """An order at a price was executed in full: from now on its successor may come."""
    first = slot * CANDIDATES
    n = chain_slot(m, number)
    value = 0.0
    if n >= 0:
        lots = m.ch_lots[n]
        for k in range(SCORES):
            value = max(value, m.ch_score[n, k])
    place, least = first, 1e9
    for c in range(first, first + CANDIDATES):
        score = best_of(m, c)
        if m.cd_lots[c] == 0 or delay_between(m, c, recv_ns, exch_ns) > WINDOW_NS:
            score = -1.0
        if m.cd_lots[c] == lots:
            place = c
            least = score
            break
        if score < least:
            place, least = c, score
    m.lv_taken_ns[slot] = recv_ns
    if m.lv_story[slot] == 0:
        count_end(m, limit, lots, 2 if n >= 0 else 1)
    if least > value:
        return
    m.cd_lots[place], m.cd_ns[place], m.cd_exch_ns[place] = lots, recv_ns, exch_ns
    if n >= 0:
        m.cd_sum[place], m.cd_count[place], m.cd_bins[place] = m.ch_sum[n], m.ch_count[n], m.ch_bins[n]
        m.cd_alike[place] = m.ch_alike[n]
        for k in range(SCORES):
            m.cd_score[place, k] = m.ch_score[n, k]
        m.ch_id[n] = NONE
    else:
        m.cd_sum[place], m.cd_count[place], m.cd_bins[place], m.cd_alike[place] = lots, 1, 0, 1
        for k in range(SCORES):
            m.cd_score[place, k] = 0.0


@part
def join(
    m: Any, limit: Any, slot: int, c: int, lots: int, d: int, now_ns: int, out: int, alike: int, least: float
) -> float:
    """Score an order as the successor of a candidate of equal or similar size; what is better than `least` is kept.

    The scores are put into tranche `out`; given is the best of them.
    """
    if alike == 0:
        rate = rate_by_chance(m, slot, lots, lots, bin_of(d), m.cd_count[c] - 1, now_ns, 1)
    else:
        mean = m.cd_sum[c] / m.cd_alike[c]
        low = max(math.ceil(mean * (1.0 - limit.similar)), 1)
        high = max(math.floor(mean * (1.0 + limit.similar)), low)
        rate = rate_by_chance(m, slot, low, high, bin_of(d), m.cd_alike[c] - 1, now_ns, 0)
    step, k = step_of(d), 3 * alike
    first = max(m.cd_score[c, k] + gain(m, step, 0, rate), 0.0)
    second = max(m.cd_score[c, k + 1] + gain(m, step, 1, rate), 0.0)
    third = max(m.cd_score[c, k + 2] + gain(m, step, 2, rate), 0.0)
    best = max(first, second, third)
    if best > least:
        m.ch_score[out, k], m.ch_score[out, k + 1], m.ch_score[out, k + 2] = first, second, third
    return best


@part
def tranche_found(
    m: Any, board: Any, limit: Any, row: Any, slot: int, number: int, lots: int, count: int, executed: int,
    value: float, least: float, delay: int, bins: int, alike: int,
) -> None:  # fmt: skip
    """A tranche followed another: count it in the story of the price, or begin one where the score suffices."""
    s = m.lv_story[slot] - 1
    if s >= 0:
        near = abs(lots - m.st_peak[s]) <= limit.similar * m.st_peak[s]
        if m.st_method[s] == SYNTHETIC and near and value >= limit.synthetic_off:
            refill_story(m, s, lots, lots, row.recv_ns, value)
            m.st_owner[s], m.st_queue[s] = number, row.now
        return
    if (
        value < least
        or count < limit.k_min
        or row.warm == 0
        or limit.rule != 0
        or (m.lv_cool_ns[slot] != NONE and row.recv_ns < m.lv_cool_ns[slot])
        or 2 * elsewhere(m, limit, slot, lots, row.recv_ns, alike) > count - 1
    ):
        return
    s = open_story(
        m, board, slot, SYNTHETIC, row.seq, row.recv_ns, lots, count - 1, executed, executed, value, row.now
    )  # fmt: skip
    if s >= 0:
        m.st_owner[s] = number
        uncount(m, executed // max(count - 1, 1), bins)
        m.st_delay[s] = math.floor(DELAYS[delay] * 1000.0 + 0.5)


@part
def order_added(m: Any, board: Any, limit: Any, row: Any, slot: int, number: int, lots: int, exch_ns: int) -> None:
    """A new order came at a price that trades: whose successor may it be."""
    if limit.null_seed != 0:
        lots = permuted(m, lots)
    base = ((number ^ (number >> 7)) & (CHAIN_SETS - 1)) * WAYS
    place = base
    for n in range(base, base + WAYS):
        if m.ch_id[n] == NONE or (m.ch_id[place] != NONE and m.ch_ns[n] < m.ch_ns[place]):
            place = n
    m.ch_id[place] = NONE
    for k in range(SCORES):
        m.ch_score[place, k] = 0.0
    equal, equal_value, alike, alike_value, newest, like = -1, -1.0, -1, -1.0, -1, -1
    for c in range(slot * CANDIDATES, slot * CANDIDATES + CANDIDATES):
        if m.cd_lots[c] == 0:
            continue
        d = delay_between(m, c, row.recv_ns, exch_ns)
        if d < 0 or d > WINDOW_NS:
            continue
        if m.cd_lots[c] == lots:
            newest = c if newest < 0 or m.cd_ns[c] > m.cd_ns[newest] else newest
            got = join(m, limit, slot, c, lots, d, row.recv_ns, place, 0, equal_value)
            if got > equal_value:
                equal, equal_value = c, got
        if abs(lots - m.cd_lots[c]) <= limit.similar * m.cd_lots[c]:
            like = c if like < 0 or m.cd_ns[c] > m.cd_ns[like] else like
        if (
            limit.similar > 0.0
            and abs(lots - m.cd_sum[c] / m.cd_alike[c]) <= limit.similar * m.cd_sum[c] / m.cd_alike[c]
        ):
            got = join(m, limit, slot, c, lots, d, row.recv_ns, place, 1, alike_value)
            if got > alike_value:
                alike, alike_value = c, got
    bins, delay = 0, 0
    if equal >= 0:
        d = delay_between(m, equal, row.recv_ns, exch_ns)
        bins = ((m.cd_bins[equal] & 0xFFFFFFFFFFFF) << 3) + bin_of(d) + 1
    if m.lv_story[slot] == 0:
        if newest >= 0:
            r = row_of(lots) + (SIZE_ROWS if m.cd_count[newest] > 1 else 0)
            m.nu_after[r, bin_of(delay_between(m, newest, row.recv_ns, exch_ns))] += 1.0
            m.nu_after[r, BINS] += 1.0
        if like >= 0:
            r = row_of(m.cd_lots[like]) + (SIZE_ROWS if m.cd_alike[like] > 1 else 0)
            m.nu_like[r, bin_of(delay_between(m, like, row.recv_ns, exch_ns))] += 1.0
            m.nu_like[r, BINS] += 1.0
    if equal < 0 and alike < 0:
        return
    m.ch_id[place], m.ch_ns[place], m.ch_lots[place], m.ch_bins[place] = number, row.recv_ns, lots, bins
    m.ch_count[place], m.ch_alike[place], m.ch_sum[place] = 1, 1, lots
    if equal >= 0:
        m.ch_count[place] = m.cd_count[equal] + 1
    if alike >= 0:
        m.ch_alike[place], m.ch_sum[place] = m.cd_alike[alike] + 1, m.cd_sum[alike] + lots
    for k in range(SCORES):
        delay = k if m.ch_score[place, k] > m.ch_score[place, delay] else delay
    if equal >= 0:
        tranche_found(
            m, board, limit, row, slot, number, lots, m.ch_count[place], (m.ch_count[place] - 1) * lots, equal_value,
            limit.synthetic_score, delay % 3, bins, 0,
        )  # fmt: skip
    if alike >= 0 and (equal < 0 or m.lv_story[slot] == 0):
        tranche_found(
            m, board, limit, row, slot, number, lots, m.ch_alike[place], m.ch_sum[place] - lots, alike_value,
            limit.similar_score, delay % 3, 0, 1,
        )  # fmt: skip


# -- without order ids ----------------------------------------------------------------------------


@part
def level_grown(m: Any, board: Any, limit: Any, row: Any, slot: int, lots: int, d: int) -> None:
    """A level that trades grew by one order, so long after the last trade there."""
    if limit.null_seed != 0:
        lots = permuted(m, lots)
    first = slot * CANDIDATES
    found, place = -1, first
    for c in range(first, first + CANDIDATES):
        if m.cd_lots[c] == lots:
            found = c
        if m.cd_lots[c] == 0 or (m.cd_lots[place] != 0 and m.cd_ns[c] < m.cd_ns[place]):
            place = c
    volume = m.lv_volume[slot]
    if found < 0 or row.recv_ns - m.cd_ns[found] > CHAIN_NS:
        found = place if found < 0 else found
        m.cd_count[found], m.cd_alike[found], m.cd_sum[found] = 1, 1, lots
        for k in range(SCORES):
            m.cd_score[found, k] = 0.0
    elif volume - m.cd_volume[found] >= lots and 0 <= d <= WINDOW_NS:
        out = CHAIN_SETS * WAYS - 1
        value = join(m, limit, slot, found, lots, d, row.recv_ns, out, 0, -1.0)
        delay = 0
        for k in range(3):
            m.cd_score[found, k] = m.ch_score[out, k]
            delay = k if m.cd_score[found, k] > m.cd_score[found, delay] else delay
        m.cd_count[found] += 1
        m.lv_linked[slot] = 1
        count = m.cd_count[found]
        tranche_found(
            m, board, limit, row, slot, NONE, lots, count, (count - 1) * lots, value, limit.level_score, delay, 0, 0
        )  # fmt: skip
    else:
        count = 1
        for k in range(3):
            m.cd_score[found, k] = max(m.cd_score[found, k] - 1.5, 0.0)
            count = m.cd_count[found] if m.cd_score[found, k] > 0.0 else count
        m.cd_count[found] = count
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

"""Synthetic icebergs: tranches of one size that follow each other at a price, each soon after the one before was taken.

A tranche is an order, and its successor an order of equal or similar size that comes soon after it was executed in
full. Each successor adds the log of how much likelier it is, under a mixture of exponential delays, than by chance;
one that stays away takes as much as its absence says. With order ids the orders are known; without them the orders of
a price are followed by their count (`_iceberg_queue`).
"""

from __future__ import annotations

import math
from typing import Any

from feeds.events import NONE
from tapeview.detectors._iceberg_chance import (
    CHAIN_NS,
    WINDOW_NS,
    bin_of,
    count_add,
    count_after,
    count_end,
    count_like,
    may_pass,
    odds,
    own_place,
    permuted,
    rate_after,
    rate_like,
    rate_of,
    row_of,
    share_of,
    uncount,
)
from tapeview.detectors._iceberg_memory import (
    CHAIN_SETS,
    ENDS,
    FOREVER,
    LINKS,
    SYNTHETIC,
    WAYS,
    open_story,
    refill_story,
)
from tapeview.engine._jit import part


@part
def is_told(m: Any, slot: int, now_ns: int) -> bool:
    """Say whether a price has a story, or had one a short while ago."""
    return m.lv_story[slot] != 0 or (m.lv_cool_ns[slot] != NONE and now_ns < m.lv_cool_ns[slot])


@part
def delay_after(m: Any, n: int, recv_ns: int, exch_ns: int) -> int:
    """Time since an order was executed, by the venue's clock where it is known."""
    if exch_ns != NONE and m.en_exch_ns[n] != NONE:
        return exch_ns - m.en_exch_ns[n]
    return recv_ns - m.en_ns[n]


# -- what was executed ----------------------------------------------------------------------------


@part
def order_ended(
    m: Any, slot: int, lots: int, score: float, links: int, like: float, alike: int, total: int, recv_ns: int,
    exch_ns: int,
) -> None:  # fmt: skip
    """An order at a price was executed in full, with the chain it carries: from now on its successor may come."""
    if not is_told(m, slot, recv_ns):
        count_end(m, slot, lots, recv_ns)
    place, least = slot * ENDS, 1e18
    for n in range(slot * ENDS, slot * ENDS + ENDS):
        worth = -1e9
        if m.en_lots[n] != 0:
            age = recv_ns - m.en_ns[n]
            best = max(m.en_score[n], m.en_like[n])
            if age <= CHAIN_NS and (age <= WINDOW_NS or best > 0.0):
                worth = best - 0.3 * (age / 1e9)
        if worth < least:
            place, least = n, worth
    m.en_lots[place], m.en_ns[place], m.en_exch_ns[place] = lots, recv_ns, exch_ns
    m.en_score[place], m.en_like[place] = max(score, 0.0), max(like, 0.0)
    m.en_links[place] = links if score > 0.0 else 1
    m.en_alike[place], m.en_sum[place] = (alike, total) if like > 0.0 else (1, lots)
    m.lv_end_ns[slot], m.lv_end_exch_ns[slot] = recv_ns, exch_ns


# -- what came ------------------------------------------------------------------------------------


@part
def elsewhere(m: Any, slot: int, lots: int, now_ns: int) -> int:
    """Count the links of chains of a size at other prices: a market maker's are everywhere."""
    links = 0
    for n in range(LINKS):
        where = m.lk_slot[n]
        if now_ns - m.lk_ns[n] <= CHAIN_NS and where != slot and m.lk_lots[n] == lots and not is_told(m, where, now_ns):
            links += 1
    return links


@part
def chain_found(
    m: Any, board: Any, limit: Any, row: Any, slot: int, number: int, lots: int, value: float, count: int,
    executed: int, least: float, d: int,
) -> None:  # fmt: skip
    """A tranche followed another: count it in the story of the price, or begin one where the score suffices."""
    s = m.lv_story[slot] - 1
    if s >= 0:
        near = abs(lots - m.st_peak[s]) <= limit.similar * m.st_peak[s]
        if m.st_method[s] == SYNTHETIC and near and value >= limit.synthetic_off:
            refill_story(m, s, lots, lots, row.recv_ns, value)
            m.st_owner[s], m.st_queue[s] = number, row.now
        return
    if count >= 3:
        n = m.links_n % LINKS
        m.links_n += 1
        m.lk_lots[n], m.lk_slot[n], m.lk_ns[n] = lots, slot, row.recv_ns
    if (
        value < least
        or count < limit.k_min
        or m.nu_ends_all < limit.min_ended
        or row.warm == 0
        or limit.rule != 0
        or (m.lv_cool_ns[slot] != NONE and row.recv_ns < m.lv_cool_ns[slot])
        or elsewhere(m, slot, lots, row.recv_ns) > count - 1
    ):
        return
    s = open_story(
        m, board, slot, SYNTHETIC, row.seq, row.recv_ns, lots, count - 1, executed, executed, value, row.now
    )  # fmt: skip
    if s >= 0:
        m.st_owner[s] = number
        m.st_delay[s] = min(d // 1_000_000, 500)
        uncount(m, slot, math.ceil(lots * (1.0 - limit.similar)), math.floor(lots * (1.0 + limit.similar)))


@part
def order_came(m: Any, board: Any, limit: Any, row: Any, slot: int, number: int, lots: int, exch_ns: int) -> None:
    """A new order came to a price that is watched: whose successor may it be. Its chain is left in `ad_...`."""
    recv_ns = row.recv_ns
    if limit.null_seed != 0:
        lots = permuted(m, lots)
    m.ad_lots, m.ad_score, m.ad_links, m.ad_like, m.ad_alike, m.ad_sum = lots, 0.0, 1, 0.0, 1, lots
    told = is_told(m, slot, recv_ns)
    if m.lv_end_ns[slot] == NONE or recv_ns - m.lv_end_ns[slot] > CHAIN_NS:
        if not told:
            count_add(m, slot, lots, -1)
        return
    here, own = row_of(lots), own_place(m, slot, lots)
    share = -1.0
    # Sizes that cannot be similar, by a lot more than rounding: most are, and these two bounds say so soonest.
    reach = 1.5 * limit.similar
    small = max(math.floor(lots / (1.0 + reach)) - 1, 1)
    large = math.ceil(lots / (1.0 - reach)) + 1 if reach < 0.99 else FOREVER
    lost = math.log(1.0 - limit.p1)
    best, best_at, best_links, newest = 0.0, -1, 1, WINDOW_NS + 1
    like, like_at, like_links, like_sum, nearest, nearest_lots = 0.0, -1, 1, 0, WINDOW_NS + 1, 0
    first = slot * ENDS
    fresh, fresh_ns, alone, alone_ns = -1, NONE, -1, NONE
    for k in range(ENDS + 2):
        # Of those without a chain only the newest of the size, and of similar ones, can be the best.
        n = first + k if k < ENDS else (fresh if k == ENDS else alone)
        other = m.en_lots[n] if n >= 0 else 0
        alone_there = n >= 0 and m.en_links[n] == 1 and m.en_alike[n] == 1
        if other == 0 or (alone_there and (other < small or other > large)):
            continue
        if k < ENDS and alone_there:
            if other == lots:
                if m.en_ns[n] >= fresh_ns:
                    fresh, fresh_ns = n, m.en_ns[n]
            elif m.en_ns[n] >= alone_ns and abs(lots - other) <= 1.5 * limit.similar * other:
                alone, alone_ns = n, m.en_ns[n]
            continue
        mean = m.en_sum[n] / m.en_alike[n]
        # Of few tranches the mean may lie as far from the middle as a tranche may.
        wide = limit.similar * (1.0 + 0.5 / m.en_alike[n])
        close = abs(lots - mean) <= wide * mean
        if other != lots and not close:
            continue
        d = delay_after(m, n, recv_ns, exch_ns)
        if d < 0 or d > CHAIN_NS:
            continue
        if d > WINDOW_NS:
            # The chain was interrupted; it goes on with what its score can bear.
            if other == lots and m.en_score[n] + lost > best:
                best, best_at, best_links = m.en_score[n] + lost, n, m.en_links[n]
            if close and m.en_like[n] + lost > like:
                like, like_at, like_links, like_sum = m.en_like[n] + lost, n, m.en_alike[n], m.en_sum[n]
            continue
        b = bin_of(d)
        if share < 0.0:
            share = share_of(m, here, own)
        usual = rate_of(m, b, share)
        sizes = 2.0 * math.floor(wide * mean) + 1.0
        rate = usual
        if other == lots:
            newest = min(newest, d)
            rate = rate_after(m, here, b, own, usual) * m.nu_makers[here]
            ratio = odds(m, d, rate)
            if may_pass(m.en_score[n], ratio, best):
                value = m.en_score[n] + math.log(ratio)
                if value > best:
                    best, best_at, best_links = value, n, m.en_links[n] + 1
        else:
            if d < nearest:
                nearest, nearest_lots = d, other
            if sizes > 1.0:
                theirs = row_of(other)
                rate = rate_like(m, theirs, b, own_place(m, slot, other), sizes, usual) * m.nu_makers[theirs]
        if close:
            ratio = odds(m, d, rate * sizes)
            if may_pass(m.en_like[n], ratio, like):
                value = m.en_like[n] + math.log(ratio)
                if value > like:
                    like, like_at, like_links, like_sum = value, n, m.en_alike[n] + 1, m.en_sum[n] + lots
    if not told:
        if newest <= WINDOW_NS:
            count_after(m, slot, lots, newest)
        if nearest <= WINDOW_NS:
            count_like(m, slot, nearest_lots, nearest)
        if exch_ns != NONE and m.lv_end_exch_ns[slot] != NONE:
            count_add(m, slot, lots, exch_ns - m.lv_end_exch_ns[slot])
        else:
            count_add(m, slot, lots, recv_ns - m.lv_end_ns[slot])
    if best_at >= 0:
        d = delay_after(m, best_at, recv_ns, exch_ns)
        m.ad_score, m.ad_links = best, best_links
        if d <= WINDOW_NS:
            chain_found(
                m, board, limit, row, slot, number, lots, best, best_links, (best_links - 1) * lots,
                limit.synthetic_score, d,
            )  # fmt: skip
    if like_at >= 0:
        d = delay_after(m, like_at, recv_ns, exch_ns)
        m.ad_like, m.ad_alike, m.ad_sum = like, like_links, like_sum
        if d <= WINDOW_NS and (best_at < 0 or m.lv_story[slot] == 0) and like_links > limit.k_min:
            chain_found(
                m, board, limit, row, slot, number, lots, like, like_links, like_sum - lots, limit.similar_score, d,
            )  # fmt: skip
    # What adds little may be a stranger, and the successor is still to come.
    if best_at >= 0 and best > m.en_score[best_at] + 1.0:
        m.en_lots[best_at] = 0
    elif like_at >= 0 and like_links > 2:
        m.en_lots[like_at] = 0


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
def tranche_taken(m: Any, slot: int, number: int, lots: int, recv_ns: int, exch_ns: int) -> None:
    """An order known by its id was executed in full."""
    n = chain_slot(m, number)
    if n < 0:
        order_ended(m, slot, lots, 0.0, 1, 0.0, 1, lots, recv_ns, exch_ns)
        return
    order_ended(
        m, slot, m.ch_lots[n], m.ch_score[n], m.ch_links[n], m.ch_like[n], m.ch_alike[n], m.ch_sum[n], recv_ns, exch_ns
    )  # fmt: skip
    m.ch_id[n] = NONE


@part
def order_added(m: Any, board: Any, limit: Any, row: Any, slot: int, number: int, lots: int, exch_ns: int) -> None:
    """A new order with an id came to a price that is watched; what follows another is kept until it is executed."""
    order_came(m, board, limit, row, slot, number, lots, exch_ns)
    if m.ad_score <= 0.0 and m.ad_like <= 0.0 and m.ad_lots == lots:
        return
    base = ((number ^ (number >> 7)) & (CHAIN_SETS - 1)) * WAYS
    place = base
    for n in range(base, base + WAYS):
        if m.ch_id[n] == NONE or (m.ch_id[place] != NONE and m.ch_ns[n] < m.ch_ns[place]):
            place = n
    m.ch_id[place], m.ch_ns[place], m.ch_lots[place] = number, row.recv_ns, m.ad_lots
    m.ch_score[place], m.ch_links[place], m.ch_like[place] = m.ad_score, m.ad_links, m.ad_like
    m.ch_alike[place], m.ch_sum[place] = m.ad_alike, m.ad_sum

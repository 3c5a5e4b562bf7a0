"""Replenishing prices of feeds that tell prints and depth apart: a sequential test on episodes.

A print belongs to the first update of depth whose venue time is not before its own. An update is judged only once
`late_ms` have passed, so that prints which come after their depth count like any other. What traded at a price between
two updates and the change of its level make an episode. Of each kind of episode (what share of the level traded, what
share of that came back, whether the level is still there) it is known by how much it is likelier at an iceberg; what
that comes to on average at prices without a story is taken off, so that a market that replenishes by itself is quiet.
"""

from __future__ import annotations

import math
from typing import Any, Final

from feeds.events import NONE
from tapeview.detectors._estimate import mean_add
from tapeview.detectors._iceberg_memory import (
    ASYNC,
    BUCKETS,
    FOREVER,
    LEVELS,
    MESSAGE_KEYS,
    QUEUE,
    RESERVOIR,
    RING,
    SECOND_NS,
    UPDATES,
    find_level,
    next_random,
    octave,
    open_story,
    refill_story,
    take_level,
)
from tapeview.engine._jit import part

WEIGHTS: Final = (
    -0.691, -0.22, 0.0, 0.018, 0.0, 0.016, 0.0, -0.123, 0.0, -0.171, 0.0, -0.127,
    -1.037, -0.082, 0.0, 0.305, 0.0, -0.006, 0.0, -0.057, 0.0, 0.093, 0.0, 0.188,
    -0.251, 0.059, -0.737, 0.595, 0.0, 0.226, 0.0, 0.415, 0.0, 0.459, 0.0, 0.505,
    0.0, 0.0, -0.79, 0.028, -0.756, 0.016, -0.487, 0.707, 0.0, 1.127, 0.0, 0.852,
)  # fmt: skip
"""Log of how much likelier each kind of episode is at an iceberg. B: `python -m tapeview.bench.fit_iceberg`, fitted on
simulated futures told every 100 ms, seeds 0-11. Empty kinds are 0."""
_SPREAD: Final = 0.273
"""Their standard deviation at prices without an iceberg, on the same tapes."""
_USUAL: Final = 1000.0
"""Episodes after which half of what they come to on average is forgotten."""


@part
def kind_of(traded: int, was: int, after: int) -> int:
    """The kind of an episode, a place in WEIGHTS."""
    back = traded - (was - after)
    part_of_level = (5 * traded >= was) + (5 * traded >= 3 * was) + (traded >= was)
    came_back = (
        (2 * back >= -traded) + (20 * back >= traded) + (2 * back >= traded) + (20 * back >= 21 * traded)
        + (back >= 2 * traded)
    )  # fmt: skip
    return (part_of_level * 6 + came_back) * 2 + (1 if after > 0 else 0)


@part
def queue_print(m: Any, row: Any, slot: int, exch_ns: int) -> None:
    """Keep a print until its depth is judged."""
    if m.q_n >= QUEUE:
        return
    n = m.q_n
    m.q_exch_ns[n] = exch_ns if exch_ns != NONE else row.recv_ns
    m.q_recv_ns[n] = row.recv_ns
    m.q_side[n], m.q_tick[n], m.q_lots[n] = m.lv_side[slot], m.lv_tick[slot], row.lots
    m.q_oldest = min(m.q_oldest, m.q_exch_ns[n]) if n > 0 else m.q_exch_ns[n]
    m.q_n = n + 1


@part
def depth_row(m: Any, row: Any, orders: int, slot: int) -> None:
    """Keep a changed level of the update that is being told."""
    if m.update_open == 0:
        m.update_open = 1
        m.u_number += 1
        m.u_first = m.r_n
    n = m.r_n & (RING - 1)
    if slot >= 0:
        m.r_before[n] = m.lv_ring[slot]
        m.lv_ring[slot] = m.r_n
    m.r_n += 1
    m.r_side[n], m.r_tick[n], m.r_was[n], m.r_now[n] = row.side, row.tick, row.was, row.now
    m.r_update[n], m.r_orders[n] = m.u_number, orders


@part
def depth_end(m: Any, recv_ns: int, exch_ns: int, late_ns: int) -> None:
    """An update of depth is complete: it is judged when its late prints must have come."""
    m.update_open = 0
    time = exch_ns if exch_ns != NONE else recv_ns
    if m.last_update_ns != NONE and time > m.last_update_ns:
        gap = time - m.last_update_ns
        m.gap_ns = gap if m.gap_ns == 0 else m.gap_ns + (gap - m.gap_ns) // 16
    m.last_update_ns = time
    n = (m.u_at + m.u_n) & (UPDATES - 1)
    m.u_exch_ns[n], m.u_due_ns[n], m.u_row[n], m.u_which[n] = time, recv_ns + late_ns, m.u_first, m.u_number
    m.u_n += 1


@part
def two_sided(m: Any, limit: Any, slot: int, now_ns: int) -> int:
    """Say whether the other side near a price has half as high a score: market makers, or a price pinned between."""
    tick, side = m.lv_tick[slot], m.lv_side[slot]
    for n in range(LEVELS):
        if (
            m.lv_side[n] == -side
            and abs(m.lv_tick[n] - tick) <= limit.pair_ticks
            and m.lv_episode_ns[n] != NONE
            and now_ns - m.lv_episode_ns[n] <= limit.idle_clear_s * SECOND_NS
            and 2.0 * m.lv_score[n] > m.lv_score[slot]
        ):
            return 1
    return 0


@part
def episode(
    m: Any, board: Any, limit: Any, row: Any, slot: int, traded: int, was: int, after: int, orders: int
) -> None:
    """One step of the test: so much traded at a price while its level went from `was` to `after`."""
    if was <= 0:
        return
    back = traded - (was - after)
    if limit.null_seed != 0:
        which = min(octave(traded), BUCKETS - 1)
        held = m.rv_n[which]
        at = held if held < RESERVOIR else next_random(m) % RESERVOIR
        at += which * RESERVOIR
        old_back, old_after = m.rv_left[at], m.rv_after[at]
        m.rv_left[at], m.rv_after[at] = back, after
        if held < RESERVOIR:
            m.rv_n[which] = held + 1
            return
        back, after = old_back, old_after
    refilled = 1 if 2 * back >= traded and after > 0 else 0
    s = m.lv_story[slot] - 1
    now_ns = row.recv_ns
    if m.lv_episode_ns[slot] != NONE and now_ns - m.lv_episode_ns[slot] > limit.idle_clear_s * SECOND_NS:
        m.lv_score[slot], m.lv_episodes[slot], m.lv_refilled[slot], m.lv_detect[slot] = 0.0, 0, 0, 0.0
        m.lv_replaced[slot] = 0
    m.lv_episode_ns[slot] = now_ns
    known = m.e_n[0] >= limit.min_known
    square = max(m.e_var[1] + m.e_mean[1] * m.e_mean[1], 1.0)
    weight = WEIGHTS[kind_of(traded, was, after)]
    usual, spread = m.e_mean[0], math.sqrt(max(m.e_var[0], 0.0))
    if s < 0:
        wide = 3.0 * math.sqrt(square)
        left = float(back)
        if known:
            left = min(max(left, -wide), wide)
        mean_add(m, 0, weight, _USUAL)
        mean_add(m, 1, left, limit.half_life)
    if not known:
        return
    score = m.lv_score[slot] + (weight - usual) * min(_SPREAD / max(spread, 1e-9), 1.0) - limit.async_drift
    if orders > 0 and m.lv_orders[slot] > 0 and refilled != 0:
        if orders <= m.lv_orders[slot]:
            score += limit.same_orders
        elif orders >= m.lv_orders[slot] + 2:
            score -= limit.more_orders
    if orders > 0:
        m.lv_orders[slot] = orders
    m.lv_score[slot] = max(score, 0.0)
    m.lv_episodes[slot] += 1
    m.lv_refilled[slot] += refilled
    m.lv_detect[slot] += traded * traded / square
    m.lv_replaced[slot] += max(back, 0)
    if s >= 0:
        m.st_episodes[s], m.st_refilled[s] = m.st_episodes[s] + 1, m.st_refilled[s] + refilled
        m.st_detect[s], m.st_queue[s] = m.lv_detect[slot], after
        if refilled != 0:
            refill_story(m, s, after, max(back, 0), now_ns, m.lv_score[slot])
    elif (
        m.lv_score[slot] >= limit.async_score
        and m.lv_episodes[slot] >= limit.min_episodes
        and row.warm != 0
        and limit.rule == 0
        and (m.lv_cool_ns[slot] == NONE or now_ns >= m.lv_cool_ns[slot])
        and two_sided(m, limit, slot, now_ns) == 0
    ):
        open_story(
            m, board, slot, ASYNC, row.seq, now_ns, after, m.lv_refilled[slot], m.lv_replaced[slot],
            m.lv_volume[slot], m.lv_score[slot], after,
        )  # fmt: skip


@part
def link_rows(m: Any, slot: int, first: int) -> None:
    """Link the rows of a price from some row on."""
    last = -1
    for k in range(max(first, m.r_n - RING), m.r_n):
        at = k & (RING - 1)
        if m.r_tick[at] == m.lv_tick[slot] and m.r_side[at] == m.lv_side[slot]:
            m.r_before[at] = last
            last = k
    m.lv_ring[slot] = last


@part
def judge(m: Any, board: Any, limit: Any, row: Any, until_ns: int, first: int, update: int, told_ns: int) -> None:
    """Sum the prints that belong to an update by price, and judge each price's episode."""
    hold_ns = max(limit.hold_ms * 1_000_000, m.gap_ns * 5 // 2)
    kept, touched = 0, 0
    oldest = FOREVER
    for n in range(m.q_n):
        if m.q_exch_ns[n] > until_ns:
            m.q_exch_ns[kept], m.q_side[kept], m.q_tick[kept] = m.q_exch_ns[n], m.q_side[n], m.q_tick[n]
            m.q_lots[kept], m.q_recv_ns[kept] = m.q_lots[n], m.q_recv_ns[n]
            kept += 1
            oldest = min(oldest, m.q_exch_ns[n])
            continue
        slot = find_level(m, m.q_side[n], m.q_tick[n])
        if slot < 0 or until_ns - m.q_exch_ns[n] > hold_ns:
            continue
        if m.lv_message[slot] != update:
            if touched >= MESSAGE_KEYS:
                continue
            m.lv_message[slot], m.lv_traded[slot] = update, 0
            m.tm_slot[touched] = slot
            touched += 1
        m.lv_traded[slot] += m.q_lots[n]
    m.q_n, m.q_oldest = kept, oldest
    for n in range(touched):
        slot = m.tm_slot[n]
        was, after, orders = -1, m.lv_now[slot], 0
        if m.lv_since_ns[slot] >= told_ns:
            # The price has its slot since after this update: its rows are not linked.
            link_rows(m, slot, first)
        k = m.lv_ring[slot]
        while k >= first and k > m.r_n - RING:
            at = k & (RING - 1)
            if m.r_update[at] == update:
                if was < 0:
                    after, orders = m.r_now[at], m.r_orders[at]
                was = m.r_was[at]
            elif m.r_update[at] > update:
                after = m.r_was[at]
            k = m.r_before[at]
        was = after if was < 0 else was
        episode(m, board, limit, row, slot, m.lv_traded[slot], was, after, orders)


@part
def judge_due(m: Any, board: Any, limit: Any, row: Any) -> None:
    """Judge the updates whose time has come, in order."""
    while m.u_n > 0 and (m.u_due_ns[m.u_at] <= row.recv_ns or m.u_n >= UPDATES - 1):
        n = m.u_at
        if m.q_n > 0 and m.q_oldest <= m.u_exch_ns[n]:
            judge(
                m,
                board,
                limit,
                row,
                m.u_exch_ns[n],
                m.u_row[n],
                m.u_which[n],
                m.u_due_ns[n] - limit.late_ms * 1_000_000,
            )
        m.u_at = (n + 1) & (UPDATES - 1)
        m.u_n -= 1


@part
def level_for(m: Any, row: Any) -> int:
    """Give the slot of a price that trades, with what it displays."""
    side = -row.side
    slot = find_level(m, side, row.tick)
    if slot < 0:
        slot = take_level(m, side, row.tick, row.recv_ns)
        if slot >= 0:
            m.lv_now[slot] = row.was
    return slot

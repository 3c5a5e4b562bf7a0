"""Hidden liquidity by accounting: what traded at a price in one match event, less what its level lost.

Nobody else acts inside a match event, so that what is left over was never displayed, or was shown again. A feed that
tells prints and depth apart gives itself away: its prints come without their change, and the identity is then not used.
The naive rules that the detector is measured against are here too.
"""

from __future__ import annotations

from typing import Any

from feeds.events import NONE
from tapeview.detectors._iceberg_memory import (
    ATOMIC,
    MESSAGE_KEYS,
    NAIVE,
    SECOND_NS,
    open_story,
    refill_story,
)
from tapeview.engine._jit import part


@part
def traded_here(m: Any, slot: int, was: int, lots: int, hidden: int) -> None:
    """A print at a price in this message, whose level displayed `was` just before."""
    if m.lv_message[slot] != m.message or m.lv_traded[slot] + m.lv_unseen[slot] == 0:
        if m.touched_n >= MESSAGE_KEYS:
            m.inexact = 1
            return
        m.tm_slot[m.touched_n] = slot
        m.touched_n += 1
    if m.lv_message[slot] != m.message:
        for n in range(m.before_n):
            if m.bf_tick[n] == m.lv_tick[slot] and m.bf_side[n] == m.lv_side[slot]:
                m.lv_was[slot], m.lv_seen[slot] = m.bf_was[n], 1
                break
        else:
            m.lv_was[slot], m.lv_seen[slot] = was, 0
        m.lv_message[slot], m.lv_is[slot] = m.message, was
        m.lv_traded[slot], m.lv_unseen[slot], m.lv_eaten[slot] = 0, 0, 0
    if hidden != 0:
        m.lv_unseen[slot] += lots
    else:
        m.lv_traded[slot] += lots


@part
def changed_here(m: Any, slot: int, was: int, now: int) -> None:
    """A level of the table changed in this message."""
    if m.lv_message[slot] != m.message:
        m.lv_message[slot], m.lv_was[slot], m.lv_traded[slot], m.lv_unseen[slot] = m.message, was, 0, 0
        m.lv_eaten[slot] = 0
    m.lv_is[slot], m.lv_seen[slot] = now, 1


@part
def changed_elsewhere(m: Any, side: int, tick: int, was: int) -> None:
    """A level that is not in the table changed in a message that goes on: it may trade yet."""
    for n in range(m.before_n):
        if m.bf_tick[n] == tick and m.bf_side[n] == side:
            return
    if m.before_n >= MESSAGE_KEYS:
        m.inexact = 1
        return
    m.bf_side[m.before_n], m.bf_tick[m.before_n], m.bf_was[m.before_n] = side, tick, was
    m.before_n += 1


@part
def hidden_hit(m: Any, board: Any, limit: Any, row: Any, slot: int, over: int) -> None:
    """A match event left lots over at a price."""
    now_ns = row.recv_ns
    if m.lv_hit_ns[slot] != NONE and now_ns - m.lv_hit_ns[slot] > limit.window_s * SECOND_NS:
        m.lv_hits[slot], m.lv_hidden[slot] = 0, 0
    m.lv_hit_ns[slot] = now_ns
    m.lv_hits[slot] += 1
    m.lv_hidden[slot] += over
    s = m.lv_story[slot] - 1
    if s >= 0:
        m.st_hits[s] += 1
        if m.st_method[s] == ATOMIC:
            refill_story(m, s, m.lv_hidden[slot] // m.lv_hits[slot], over, now_ns, float(m.lv_hits[slot]))
            m.st_queue[s] = m.lv_is[slot]
            m.st_gone_ns[s] = now_ns if m.lv_is[slot] == 0 else NONE
        return
    large = max(m.lv_was[slot], m.large_print)
    if (
        (m.lv_hits[slot] < limit.events and (over < large or large == 0 or m.prints < limit.min_prints))
        or row.warm == 0
        or limit.rule != 0
        or (m.lv_cool_ns[slot] != NONE and now_ns < m.lv_cool_ns[slot])
    ):
        return
    s = open_story(
        m, board, slot, ATOMIC, row.seq, now_ns, m.lv_hidden[slot] // m.lv_hits[slot], m.lv_hits[slot],
        m.lv_hidden[slot], m.lv_traded[slot] + m.lv_unseen[slot], float(m.lv_hits[slot]), m.lv_is[slot],
    )  # fmt: skip
    if s >= 0 and m.lv_is[slot] == 0:
        m.st_gone_ns[s] = now_ns


@part
def naive_level(m: Any, board: Any, limit: Any, row: Any, slot: int, was: int, now: int) -> None:
    """For the naive rules: the level of a price that traded was told."""
    now_ns = row.recv_ns
    found = 0
    m.lv_shown[slot] = max(m.lv_shown[slot], now)
    if limit.rule == 1:
        if m.lv_prior[slot] > 0 and now_ns - m.lv_prior_ns[slot] <= SECOND_NS and 5 * now >= 4 * m.lv_prior[slot]:
            m.lv_prior[slot] = 0
            first = m.lv_first_ns[slot]
            m.lv_first_ns[slot], m.lv_second_ns[slot] = m.lv_second_ns[slot], now_ns
            found = 1 if first != NONE and now_ns - first <= 60 * SECOND_NS else 0
    elif m.lv_dipped[slot] != 0 and now > was:
        m.lv_dipped[slot] = 0
        m.lv_refills[slot] += 1
        if m.lv_refills[slot] >= 2 and 2 * m.lv_turnover[slot] >= 3 * m.lv_shown[slot]:
            found = 1
    s = m.lv_story[slot] - 1
    if found == 0 or s >= 0 or row.warm == 0 or (m.lv_cool_ns[slot] != NONE and now_ns < m.lv_cool_ns[slot]):
        return
    refills = 3 if limit.rule == 1 else m.lv_refills[slot]
    open_story(
        m, board, slot, NAIVE, row.seq, now_ns, now, refills, 0, m.lv_turnover[slot], float(refills), now,
    )  # fmt: skip


# -- the naive rules ------------------------------------------------------------------------------


@part
def naive_trade(m: Any, board: Any, limit: Any, row: Any, slot: int, traded: int) -> None:
    """For the naive rules: a price traded."""
    now_ns = row.recv_ns
    if m.lv_window_ns[slot] == NONE or now_ns - m.lv_window_ns[slot] > 60 * SECOND_NS:
        m.lv_window_ns[slot], m.lv_turnover[slot], m.lv_refills[slot] = now_ns, 0, 0
        m.lv_shown[slot] = m.lv_was[slot]
    m.lv_turnover[slot] += traded
    m.lv_dipped[slot] = 1
    m.lv_prior[slot], m.lv_prior_ns[slot] = m.lv_was[slot], now_ns
    if m.lv_seen[slot] != 0:
        naive_level(m, board, limit, row, slot, m.lv_is[slot], m.lv_is[slot])


@part
def event_ended(m: Any, board: Any, limit: Any, row: Any) -> None:
    """The match event is over: settle the account of every price that traded in it."""
    for n in range(m.touched_n):
        slot = m.tm_slot[n]
        traded, unseen = m.lv_traded[slot], m.lv_unseen[slot]
        if traded > 0:
            if m.lv_seen[slot] != 0:
                m.told += 1
            else:
                m.untold += 1
        over = unseen
        if traded > 0 and m.inexact == 0 and (m.lv_seen[slot] != 0 or m.told > 3 * m.untold):
            over += traded - (m.lv_was[slot] - m.lv_is[slot])
        if over > 0:
            hidden_hit(m, board, limit, row, slot, over)
        if limit.rule != 0:
            naive_trade(m, board, limit, row, slot, traded)

"""Icebergs: prices that trade more than they display, by order id, by accounting, by tranches, or by episodes."""

from __future__ import annotations

import math
from typing import Any, Final

from numpy.typing import NDArray

from feeds.events import (
    ADD,
    BOOK,
    CANCEL,
    CLOCK,
    FILL,
    FLOW_PRINTS,
    HIDDEN,
    KEYFRAME,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    OFF_GRID,
    OFF_LOT,
    S_CROSSED,
    S_LIVE,
    SNAPSHOT,
    TRADE,
)  # fmt: skip
from tapeview.detectors._declare import Detector, Found
from tapeview.detectors._estimate import size_add, size_quantile
from tapeview.detectors._iceberg_cases import CASES
from tapeview.detectors._iceberg_chain import order_added, order_moved, tranche_taken
from tapeview.detectors._iceberg_chance import count_moved, fill_likelihoods, fill_prior
from tapeview.detectors._iceberg_episodes import depth_end, depth_row, judge_due, level_for, queue_print
from tapeview.detectors._iceberg_identity import (
    changed_elsewhere,
    changed_here,
    event_ended,
    naive_level,
    naive_trade,
    traded_here,
)
from tapeview.detectors._iceberg_memory import (
    ASYNC,
    ATOMIC,
    EATEN,
    EVIDENCE,
    IDLE,
    MEMORY,
    METHODS,
    NAIVE,
    NATIVE,
    PULLED,
    REASONS,
    RESYNC,
    RUNNING,
    SECOND_NS,
    STALE,
    SYNTHETIC,
    TELL_CONFIRM,
    UPDATES,
    end_story,
    find_level,
    forget_levels,
    take_level,
    tell_one,
)
from tapeview.detectors._iceberg_orders import native_row, native_slot
from tapeview.detectors._iceberg_queue import forget_queue, queue_changed
from tapeview.detectors._iceberg_thresholds import IcebergThresholds
from tapeview.engine._jit import inlined, kernel, part
from tapeview.engine.frame import IS_BOOK, IS_END, IS_EVENT, IS_TRADE

_A, _B, _C = range(3)
REACH = 2
"""Ticks behind the best price within which the orders of a level are followed before it trades."""


# -- rows -----------------------------------------------------------------------------------------


@part
def traded_through(m: Any, row: Any) -> None:
    """Mark the stories whose price lies behind a print."""
    for s in range(m.top):
        if (
            m.st_state[s] == RUNNING
            and m.st_side[s] == -row.side
            and (row.tick - m.st_tick[s]) * row.side > 0
            and m.st_gone_ns[s] == NONE
        ):
            m.st_gone_ns[s] = row.recv_ns


@part
def traded_in(m: Any, slot: int) -> bool:
    """Say whether a price traded in this message."""
    return m.lv_message[slot] == m.message and m.lv_traded[slot] > 0


@part
def near_touch(row: Any) -> bool:
    """Say whether a level lies where icebergs rest: at its side's best price or a few ticks behind."""
    best = row.bid if row.side > 0 else row.ask
    return best != NONE and (best - row.tick) * row.side <= REACH


@part
def take_print(m: Any, board: Any, limit: Any, row: Any, exch_ns: int, tier: int) -> None:
    """A print of the flow with a side."""
    size_add(m, 0, row.lots)
    m.prints += 1
    if m.prints % 64 == 0:
        m.large_print = size_quantile(m, 0, 0.99)
    hidden = 1 if row.print == HIDDEN else 0
    if hidden != 0:
        if tier == _C or limit.count_hidden == 0:
            return
        known = find_level(m, -row.side, row.tick)
        if row.was == 0 and (known < 0 or not traded_in(m, known)):
            # Inside the spread nothing is displayed that could be refilled.
            return
    slot = level_for(m, row) if tier == _C else take_level(m, -row.side, row.tick, row.recv_ns)
    if slot < 0:
        return
    if tier != _C:
        traded_here(m, slot, row.was, row.lots, hidden)
        if row.marks & OFF_LOT != 0:
            m.inexact = 1
    s = m.lv_story[slot] - 1
    if s >= 0:
        m.st_trade_ns[s] = row.recv_ns
        m.st_since[s] += row.lots
        if m.st_method[s] != NATIVE:
            m.st_executed[s] += row.lots
    if m.top > 0:
        traded_through(m, row)
    if hidden != 0:
        return
    m.lv_last_ns[slot], m.lv_exch_ns[slot] = row.recv_ns, exch_ns
    m.lv_volume[slot] += row.lots
    if tier == _C:
        queue_print(m, row, slot, exch_ns)
        if limit.rule != 0:
            m.lv_was[slot], m.lv_seen[slot] = row.was, 0
            naive_trade(m, board, limit, row, slot, row.lots)


@part
def take_change(m: Any, board: Any, limit: Any, row: Any, slot: int, number: int, exch_ns: int, tier: int) -> None:
    """A level of the table changed, at a feed that tells prints and depth together."""
    kind = row.kind
    if kind == FILL:
        m.lv_fill_ns[slot] = row.recv_ns
        m.fill_id = number
    if m.touched_n > 0 or row.marks & LAST == 0:
        changed_here(m, slot, row.was, row.now)
    s = m.lv_story[slot] - 1
    if s >= 0:
        m.st_queue[s] = row.now
        if row.now == 0:
            m.st_gone_ns[s] = row.recv_ns if m.st_gone_ns[s] == NONE else m.st_gone_ns[s]
        elif row.now > row.was:
            m.st_gone_ns[s] = NONE
    if row.marks & OFF_LOT != 0:
        m.inexact = 1
    if limit.rule != 0:
        naive_level(m, board, limit, row, slot, row.was, row.now)
        return
    if kind == BOOK:
        if (
            tier == _B
            and (number > 0 or (row.now == 0 and m.counted != 0))
            and (m.lv_message[slot] != m.message or m.lv_unseen[slot] == 0)
        ):
            traded = m.lv_traded[slot] - m.lv_eaten[slot] if m.lv_message[slot] == m.message else 0
            m.lv_eaten[slot] += traded
            queue_changed(m, board, limit, row, slot, number, traded, exch_ns)
        elif tier == _B:
            forget_queue(m, slot, row.now, number if number > 0 else -1)
        return
    if kind == ADD:
        order_added(m, board, limit, row, slot, number, row.lots, exch_ns)
        return
    if kind == MODIFY:
        if row.from_tick != NONE or row.lots > row.order_was:
            order_moved(m, number)
        if row.from_tick != NONE:
            count_moved(m, row.lots)
        native_row(m, board, limit, row, number)
        return
    gone = row.lots >= row.order_was and row.order_was > 0
    executed = (kind == FILL and row.marks & NO_BOOK == 0) or (kind == CANCEL and m.fill_id == number)
    if gone and executed and native_slot(m, number) < 0:
        tranche_taken(m, slot, number, row.executed, row.recv_ns, exch_ns)
    if s >= 0 and kind == FILL and m.st_owner[s] == number and m.st_method[s] == NATIVE:
        m.st_executed[s] = row.executed
    native_row(m, board, limit, row, number)


@part
def take_depth(m: Any, board: Any, limit: Any, row: Any, orders: int) -> None:
    """A level changed, at a feed that tells prints and depth apart."""
    slot = find_level(m, row.side, row.tick)
    depth_row(m, row, orders, slot)
    if slot < 0:
        return
    m.lv_now[slot] = row.now
    s = m.lv_story[slot] - 1
    if s >= 0:
        if row.now == 0:
            m.st_gone_ns[s] = row.recv_ns if m.st_gone_ns[s] == NONE else m.st_gone_ns[s]
        elif row.now > row.was:
            m.st_gone_ns[s] = NONE
    if limit.rule != 0:
        naive_level(m, board, limit, row, slot, row.was, row.now)


@inlined
def take_row(m: Any, board: Any, limit: Any, row: Any, ref: int, aux: int, exch_ns: int, tier: int) -> None:
    """A row that changes a level, not of a snapshot."""
    if tier == _C:
        take_depth(m, board, limit, row, aux)
        return
    kind = row.kind
    if kind == BOOK and aux > 0:
        m.counted = 1
    slot = find_level(m, row.side, row.tick)
    if slot < 0:
        if kind != FILL:
            if row.marks & LAST == 0:
                changed_elsewhere(m, row.side, row.tick, row.was)
            if kind == MODIFY and row.from_tick != NONE:
                count_moved(m, row.lots)
                order_moved(m, ref)
                native_row(m, board, limit, row, ref)
            if kind == BOOK and aux > 0 and near_touch(row):
                slot = take_level(m, row.side, row.tick, row.recv_ns)
                if slot >= 0:
                    forget_queue(m, slot, row.now, aux)
            return
        slot = take_level(m, row.side, row.tick, row.recv_ns)
        if slot < 0:
            return
    if row.from_tick != NONE:
        m.inexact = 1
    take_change(m, board, limit, row, slot, aux if kind == BOOK else ref, exch_ns, tier)


@part
def check_stories(m: Any, board: Any, limit: Any, row: Any) -> None:
    """On CLOCK rows: stories that are over."""
    now_ns = row.recv_ns
    for s in range(m.top):
        if m.st_state[s] != RUNNING:
            continue
        method = m.st_method[s]
        idle_ns = now_ns - max(m.st_refill_ns[s], m.st_trade_ns[s])
        reason = 0
        if method == NATIVE:
            reason = STALE if idle_ns >= 30 * limit.stale_s * SECOND_NS else 0
        elif method == NAIVE:
            reason = STALE if now_ns - m.st_first_ns[s] >= 60 * SECOND_NS else 0
        elif m.st_gone_ns[s] != NONE:
            wait_ns = max(limit.gone_ms, 5 * m.st_delay[s]) * 1_000_000
            if now_ns - m.st_gone_ns[s] >= wait_ns and now_ns - m.st_refill_ns[s] >= wait_ns:
                reason = EATEN if m.st_since[s] >= max(m.st_peak[s], 1) else PULLED
        if reason == 0 and method not in (NATIVE, NAIVE):
            longest_s = limit.stale_s if method == ATOMIC else limit.idle_clear_s
            if idle_ns >= longest_s * SECOND_NS or (method == ASYNC and m.lv_score[m.st_slot[s]] < limit.async_off):
                reason = STALE
        if reason != 0:
            cool_s = 0 if method == NAIVE else (limit.chain_dup_s if method == SYNTHETIC else limit.dup_s)
            end_story(m, board, s, reason, row.seq, cool_s * SECOND_NS)


@part
def new_epoch(m: Any, board: Any, row: Any) -> None:
    """What was known of single prices counts no more."""
    m.epoch = row.epoch
    for s in range(m.top):
        if m.st_state[s] != RUNNING:
            continue
        if m.st_tell[s] & TELL_CONFIRM != 0:
            m.st_tell[s], m.st_state[s] = 0, IDLE
            m.telling -= 1
            m.stories_n -= 1
        else:
            end_story(m, board, s, RESYNC, row.seq, 0)
    forget_levels(m)


@inlined
def nothing_to_see(m: Any, row: Any, event: Any, kind: int, marks: int, tier: int) -> bool:
    """Say whether a row alone in its message matters to nothing, for no price traded in it.

    That is an order at a price not watched; a cancel while no order is known to be refilled and no story runs; a level
    while no story runs, at a feed that does not tell its number of orders.
    """
    if marks & LAST == 0 or row.epoch != m.epoch or m.touched_n + m.before_n + m.telling != 0:
        return False
    if kind == BOOK:
        return m.top + m.counted == 0 and tier == _B and event.aux == 0
    if kind == ADD:
        return find_level(m, row.side, row.tick) < 0
    if kind == CANCEL:
        return m.natives == 0 and m.fill_id == NONE and (m.top == 0 or find_level(m, row.side, row.tick) < 0)
    return False


@kernel
def watch(
    events: Any, frame: Any, rows: Any, context: Any, board: Any, limits: Any, memory: Any, out: Any
) -> int:  # fmt: skip
    """Follow what trades and what is displayed, price by price."""
    m, limit, shared, tier = memory[0], limits[0], board[0], context[0].tier
    quick = tier != _C and limit.rule == 0
    n = 0
    if tier > _C:
        return 0
    for at in range(len(rows)):
        i = rows[at]
        row = frame[i]
        kind, marks = row.kind, row.marks
        if quick and nothing_to_see(m, row, events[i], kind, marks, tier):
            continue
        m.now_ns = row.recv_ns
        if row.epoch != m.epoch:
            new_epoch(m, shared, row)
        ready = (row.state in (S_LIVE, S_CROSSED)) and marks & (SNAPSHOT | KEYFRAME | OFF_GRID) == 0
        if ready:
            if kind == TRADE:
                if (FLOW_PRINTS >> row.print) & 1 != 0 and row.side != 0 and row.lots > 0:
                    take_print(m, shared, limit, row, events[i].exch_ns, tier)
            elif kind != 0 and kind < TRADE and row.side != 0:
                event = events[i]
                take_row(m, shared, limit, row, event.ref, event.aux, event.exch_ns, tier)
            elif kind == CLOCK and m.top > 0 and row.state == S_LIVE:
                check_stories(m, shared, limit, row)
        if marks & LAST != 0:
            if tier == _C:
                if m.update_open != 0:
                    if m.u_n >= UPDATES - 1:
                        judge_due(m, shared, limit, row)
                    depth_end(m, row.recv_ns, events[i].exch_ns, limit.late_ms * 1_000_000)
            else:
                if m.touched_n > 0:
                    if ready:
                        event_ended(m, shared, limit, row)
                    m.touched_n = 0
                m.message += 1
                m.before_n = 0
                m.inexact = 0
                m.gone_lots = m.come_lots = 0
                m.fill_id = NONE
        if m.u_n > 0 and m.u_due_ns[m.u_at] <= row.recv_ns:
            judge_due(m, shared, limit, row)
        if m.telling > 0:
            event = events[i]
            n += tell_one(m, out[n], row.seq, row.recv_ns, event.exch_ns, i)
            if m.telling > 0:
                n += tell_one(m, out[n], row.seq, row.recv_ns, event.exch_ns, i)
    return n


def prepare(limits: NDArray[Any], memory: NDArray[Any]) -> None:
    """Fill fresh memory: no order is known, and the permuted run begins at its seed."""
    for name in ("no_id", "ch_id", "st_owner", "fill_id", "last_update_ns", "lv_exch_ns", "lv_last_ns", "lv_cool_ns"):
        memory[name] = NONE
    memory["message"] = 1
    memory["nu_makers"] = 1.0
    memory["random"] = limits["null_seed"]
    fill_likelihoods(float(limits["p1"][0]), memory["nu_density"][0], memory["nu_missing"][0])
    fill_prior(memory["nu_prior"][0])


# -- words ----------------------------------------------------------------------------------------


def words(found: Found) -> str:
    """Say which price holds more than it shows, and what became of it."""
    about, price = found.evidence, found.price(found.tick)
    asynchronous = found.method == "async"
    side = ("ASK" if found.side < 0 else "BID") if asynchronous else ("SELL" if found.side < 0 else "BUY")
    if found.phase == "cleared":
        done = found.size(found.lots)
        if found.reason == "eaten":
            return f"EATEN {price} after {done} lots · {_name(found)} {side}"
        deed = {"pulled": "PULLED", "stale": "quiet", "resync": "lost sight of"}[found.reason]
        return f"{_name(found)} {side} {price} {deed} · {done} done"
    if found.method == "naive":
        return f"REFILLED {side} {price} · naive rule · {about['refills']:.0f} refills"
    if asynchronous:
        return f"REPLENISHING {side} {price} · {about['refilled']:.0f} of {about['episodes']:.0f} hits refilled"
    refills = int(about["refills"])
    many = "refill" if refills == 1 else "refills"
    text = f"{_name(found)} {side} {price} · {found.method} · {refills} {many}, peak ~{found.size(int(about['peak']))}"
    if about["hidden"]:
        text += f" · ≥{found.size(int(about['hidden']))} hidden"
    if math.isnan(about["left_median"]):
        return text + " · left n/a" if found.method == "native" else text
    low, high = found.size(int(about["left_low"])), found.size(int(about["left_high"]))
    text += f" · left {found.size(int(about['left_median']))} ({low}–{high})"
    return text


def _name(found: Found) -> str:
    return {"async": "REPLENISHING", "naive": "REFILLED"}.get(found.method, "ICEBERG")


_NAIVE: Final[dict[str, dict[str, float]]] = {"refill-3x": {"rule": 1}, "volume ratio": {"rule": 2}}
DETECTOR = Detector(
    title="Iceberg",
    rule=(
        "Native: an order executes or shows more than was left of it (order ids). Atomic: in one match event more "
        "traded at a price than its level lost, `events` times within `window_s`, or once as much as a large print. "
        "Synthetic: `k_min` tranches of equal or similar size follow each other sooner than chance has it; needs order "
        "ids, or the number of orders with each level. Async, where prints and depth come apart: more of what trades "
        "comes back than is usual in this market, time after time; that is told as replenishing, for many small orders "
        "look the same. Over when eaten, pulled, or without a trade for long; a native one is followed by its id until "
        "it is gone."
    ),
    thresholds=IcebergThresholds,
    memory=MEMORY,
    reads=IS_TRADE | IS_BOOK | IS_EVENT | IS_END,
    kernel=watch,
    words=words,
    methods=METHODS,
    reasons=REASONS,
    evidence=EVIDENCE,
    cases=CASES,
    knob="synthetic_score",
    prepare=prepare,
    baselines=_NAIVE,
)

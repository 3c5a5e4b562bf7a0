"""The one loop: every event in turn through book, orders, tape and VWAP, and its facts into the frame."""

from __future__ import annotations

from typing import Any

from feeds.events import (
    ADD,
    BAD_TIME,
    BOOK,
    CANCEL,
    CHECKED,
    CLEAR,
    CLOCK,
    EVERY,
    FILL,
    GAP,
    KEEPS_PLACE,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    OFF_GRID,
    OFF_LOT,
    OTHER,
    PRINTS_ONLY,
    S_AUCTION,
    S_CROSSED,
    S_HALTED,
    S_LIVE,
    S_STALE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
)  # fmt: skip
from tapeview.engine._jit import inlined, kernel, part
from tapeview.engine.book import clear_side, level_lots, set_inside, set_level, settle_after
from tapeview.engine.frame import IS_BOOK, IS_END, IS_EVENT, IS_FACT, IS_NEAR, IS_TRADE
from tapeview.engine.orders import (
    add_order,
    cancel_order,
    clear_orders,
    fill_order,
    modify_order,
    order_side,
    wipe_orders,
)  # fmt: skip
from tapeview.engine.state import LOTS_LIMIT, NEAR, NO_KEY, PRICE_LIMIT, SETTLE, TIME_LIMIT, TOUCH, WINDOW
from tapeview.engine.tables import bar_row
from tapeview.engine.tape import count_bar, expire, pace_step, record_trade
from tapeview.engine.vwap import start_anchor

_ODD = OFF_GRID | OFF_LOT | SNAPSHOT | BAD_TIME | CHECKED | SUSPECT
_DAY = 86_400_000_000_000
_WARM_NS = 5_000_000_000
_WARM_MESSAGES = 3
_MEDIANS = 20
# What a row of a kind is news of, by the kind's number.
_NEWS = (
    0, IS_BOOK, IS_BOOK, IS_BOOK, IS_BOOK, IS_BOOK, IS_TRADE, IS_EVENT, IS_EVENT, IS_EVENT, IS_EVENT, IS_FACT, 0,
)  # fmt: skip
W_START, W_GAP, W_CLEAR, W_STATUS = range(4)


@inlined
def state_now(s: Any) -> int:
    """Give the validity of the book, an index into STATUSES."""
    if s.phase != S_LIVE:
        return s.phase
    if s.is_crossed != 0:
        return S_CROSSED
    return S_STALE if s.silent != 0 else S_LIVE


@part
def enter(s: Any, phase: int, why: int) -> None:
    """Change the phase; live time, updates and the silence watch begin anew."""
    if phase == s.phase:
        return
    if s.phase == S_LIVE or ((s.phase in (S_AUCTION, S_HALTED)) and phase == S_LIVE):
        s.epoch += 1
    s.phase = phase
    s.why = why
    s.is_crossed = 0
    s.silent = 0
    s.last_book_ns = NONE
    if phase == S_LIVE:
        s.live_since_ns = s.now_ns
        s.updates = 0
        if s.awaiting != 0:
            s.awaiting = 0
            s.n_resyncs += 1


@inlined
def end_message(s: Any, marks: int, told: int) -> None:
    """Judge the book at the end of a venue message; `told` says whether its last row told of the book."""
    if told != 0 or s.in_message != 0:
        s.in_message = 0
        s.silent = 0
        if s.phase == S_LIVE:
            if s.last_book_ns != NONE:
                gap = s.now_ns - s.last_book_ns
                median = s.median_gap_ns
                if median == NONE:
                    s.median_gap_ns = gap
                else:
                    # Half of all gaps are longer: a branch could not be foretold.
                    s.median_gap_ns = median + (int(gap > median) - int(gap < median)) * ((median >> 5) + 1)
            s.last_book_ns = s.now_ns
            if marks & SNAPSHOT == 0:
                s.updates += 1
    if s.phase != S_LIVE:
        return
    bid, ask = s.best[0], s.best[1]
    crossed = 0
    if NO_KEY not in (bid, ask):
        # Mirrored keys: bid + ask > 0 is crossed; equal prices have keys and fractions that cancel.
        over = bid + ask
        parts = s.best_frac[0] + s.best_frac[1]
        if (
            over > 0
            or (over == 0 and parts > 0)
            or (over == -1 and parts > s.fine)
            or (s.locked_ok == 0 and ((over == 0 and parts == 0) or (over == -1 and parts == s.fine)))
        ):
            crossed = 1
    if crossed != 0 and s.is_crossed == 0:
        s.n_crossed += 1
    s.is_crossed = crossed


@part
def watch_silence(s: Any) -> None:
    """Find the book stale where no message of it came for too long."""
    if s.phase != S_LIVE or s.last_book_ns == NONE:
        return
    limit = s.stale_ns
    if s.median_gap_ns != NONE and s.median_gap_ns * _MEDIANS > limit:
        limit = s.median_gap_ns * _MEDIANS
    if s.now_ns - s.last_book_ns > limit and s.silent == 0:
        s.silent = 1
        s.n_silences += 1


@part
def take_status(s: Any, event: Any) -> None:
    """Apply what venue or reader say of the market's phase."""
    stated = event.aux
    if event.ref != NONE:
        s.venue_seq = event.ref
    if stated == S_LIVE:
        s.in_message = 1
    if stated in (S_LIVE, S_SYNCING, S_STALE, S_AUCTION, S_HALTED):
        enter(s, stated, s.zero + W_STATUS)


@part
def take_gap(s: Any, event: Any) -> None:
    """Apply a GAP: unless only prints are missing, the book is not to be trusted until it is rebuilt."""
    if event.marks & PRINTS_ONLY == 0:
        if s.phase == S_LIVE:
            enter(s, s.zero + S_STALE, s.zero + W_GAP)
        else:
            s.epoch += 1
            s.phase = S_STALE
            s.why = W_GAP
        s.awaiting = 1
    s.n_gaps += 1
    s.gap_cause, s.gap_lost, s.gap_ns, s.gap_at_ns = event.lots, event.ref, event.aux, event.recv_ns
    for which in range(2):
        bar_row(s, count_bar(s, which, s.now_ns)).gap += 1


@part
def take_clear(s: Any, event: Any) -> None:
    """Forget the book, or one side of it."""
    s.in_message = 1
    if event.marks & SNAPSHOT != 0:
        s.n_snapshots += 1
    if s.phase in (S_LIVE, S_STALE):
        enter(s, s.zero + S_SYNCING, s.zero + W_CLEAR)
    for b in range(2):
        if (event.side >= 0 and b == 0) or (event.side <= 0 and b == 1):
            clear_side(s, b)
            s.told_key[b] = NO_KEY
    if event.side == 0:
        wipe_orders(s)
    else:
        clear_orders(s, 0 if event.side > 0 else 1)
    s.flag |= TOUCH | NEAR


@part
def take_book(s: Any, event: Any) -> int:
    """Apply a row that changes the book; give 0 where it is refused."""
    kind = event.kind
    marks = event.marks
    lots = event.lots
    fine_lots = NONE
    if marks & OFF_LOT != 0:
        fine_lots = lots
        s.n_off_lot += 1
        rounded = (lots + (s.fine_lot >> 1)) // s.fine_lot
        lots = 1 if rounded == 0 and lots > 0 else rounded
        if lots == 0:
            fine_lots = NONE
    if lots < 0 or lots > LOTS_LIMIT:
        return 0
    if marks & SNAPSHOT != 0 and s.phase == S_STALE:
        enter(s, s.zero + S_SYNCING, s.zero + W_CLEAR)
    if kind == BOOK:
        if event.ref != NONE:
            s.venue_seq = event.ref
    elif event.aux != NONE:
        s.venue_seq = event.aux
    if kind == CANCEL:
        cancel_order(s, event.ref, lots)
        return 1
    if kind == FILL:
        fill_order(s, event.ref, lots, 0 if marks & NO_BOOK != 0 else 1)
        return 1
    side = event.side
    tick = event.tick
    if side == 0 and kind == MODIFY:
        side = order_side(s, event.ref)
        if side == 0:
            s.n_unknown_orders += 1
            return 1
    if (side not in (1, -1)) or tick <= -PRICE_LIMIT or tick >= PRICE_LIMIT:
        return 0
    b = 0 if side > 0 else 1
    frac = 0
    key = tick * side
    if marks & OFF_GRID != 0:
        s.n_off_grid += 1
        fine = key
        key = fine // s.fine
        frac = fine - key * s.fine
        s.row_tick = key if b == 0 else (-key if frac == 0 else -key - 1)
    s.row_side = side
    if kind == BOOK:
        count = event.aux if event.aux > 0 and event.aux < 2**31 else 0
        if marks & SNAPSHOT != 0 and (key < s.told_key[b] or s.told_key[b] == NO_KEY):
            s.told_key[b] = key
        s.row_was = set_level(s, b, key, frac, lots, count, fine_lots)
        s.row_now = lots
        if s.row_was == 0 and lots == 0:
            s.n_unknown_levels += 1
    elif kind == ADD:
        if lots == 0:
            return 0
        add_order(s, event.ref, b, key, frac, lots)
    else:
        modify_order(s, event.ref, b, key, frac, lots, 1 if marks & KEEPS_PLACE != 0 else 0)
    return 1


@inlined
def take_level(s: Any, event: Any) -> int:
    """Apply a BOOK row on both grids, not of a snapshot; give the lots that were there, -1 where it is refused."""
    lots = event.lots
    tick = event.tick
    side = event.side
    if lots < 0 or lots > LOTS_LIMIT or side * side != 1 or tick <= -PRICE_LIMIT or tick >= PRICE_LIMIT:
        return -1
    s.venue_seq = event.ref if event.ref != NONE else s.venue_seq
    count = event.aux if event.aux > 0 and event.aux < 2**31 else 0
    b = (1 - side) >> 1
    key = tick * side
    offset = key - s.low_key[b]
    if offset >= 0 and offset < WINDOW and s.off_lots[b] == 0:
        was = set_inside(s, b, key, lots, count if lots != 0 else 0)
        if s.flag & SETTLE != 0:
            settle_after(s, b, key, was, lots)
    else:
        was = set_level(s, b, key, s.zero, lots, count, s.none)
    if was == 0 and lots == 0:
        s.n_unknown_levels += 1
    return was


@inlined
def take_trade(
    s: Any, event: Any
) -> int:  # fmt: skip
    """Apply a print; give 0 where it is refused."""
    lots = event.lots
    tick = event.tick
    fine_lots = NONE
    if event.marks & OFF_LOT != 0:
        fine_lots = lots
        s.n_off_lot += 1
        rounded = (lots + (s.fine_lot >> 1)) // s.fine_lot
        lots = 1 if rounded == 0 and lots > 0 else rounded
    if lots < 0 or lots > LOTS_LIMIT or tick <= -PRICE_LIMIT or tick >= PRICE_LIMIT:
        return 0
    side = event.side
    if side > 1 or side < -1:
        return 0
    frac = 0
    if event.marks & OFF_GRID != 0:
        s.n_off_grid += 1
        fine = tick
        tick = fine // s.fine
        frac = fine - tick * s.fine
    s.row_tick = tick
    s.row_lots = lots
    if side != 0:
        b = 1 if side > 0 else 0
        key = -side * tick
        part = frac
        if side > 0 and frac != 0:
            key -= 1
            part = s.fine - frac
        s.row_was = level_lots(s, b, key, part)
        s.row_now = s.row_was
    record_trade(s, event, tick, frac, lots, fine_lots)
    return 1


@inlined
def write_row(
    s: Any, event: Any, row: Any, kind: int, tick: int, lots: int, was: int, now: int, from_tick: int, side: int,
    order_was: int, executed: int, refill: int, place: int,
) -> None:  # fmt: skip
    """Write the facts of one event."""
    row.seq, row.recv_ns, row.tick, row.lots = event.seq, event.recv_ns, tick, lots
    row.was, row.now, row.from_tick = was, now, from_tick
    bid, ask = s.best[0], s.best[1]
    row.bid = NONE if bid == NO_KEY else bid
    row.ask = NONE if ask == NO_KEY else (-ask if s.best_frac[1] == 0 else -ask - 1)
    row.bid_lots, row.ask_lots = s.best_lots[0], s.best_lots[1]
    row.bid_depth, row.ask_depth = s.depth[0], s.depth[1]
    row.bid_wall_lots, row.ask_wall_lots = s.wall_lots[0], s.wall_lots[1]
    sold, bought = s.flow_lots[0], s.flow_lots[2]
    row.volume, row.delta = sold + s.flow_lots[1] + bought, bought - sold
    row.vwap_t16, row.sigma_t16 = s.vwap_t16, s.sigma_t16
    row.order_was, row.executed, row.refill = order_was, executed, refill
    row.epoch, row.bid_orders, row.ask_orders = s.epoch, s.best_orders[0], s.best_orders[1]
    row.bid_wall_ticks, row.ask_wall_ticks = bid - s.wall_key[0], ask - s.wall_key[1]
    row.marks, row.kind, row.side = event.marks, kind, side
    state = state_now(s)
    row.state = state
    warm = state == S_LIVE and s.updates >= _WARM_MESSAGES and s.now_ns - s.live_since_ns >= _WARM_NS
    row.warm = 1 if warm else 0
    row.place = place
    traded = kind == TRADE
    row.lean = s.lean if traded else 0
    row.print = 255 if not traded else (event.aux if event.aux >= 0 and event.aux <= OTHER else OTHER)
    row.spare = 0
    valid = (s.epoch << 4) | (state << 1) | row.warm
    if valid != s.valid:
        s.valid = valid
        s.news |= IS_EVENT


@part
def count_marks(s: Any, marks: int) -> None:
    """Count what a row's marks say of its time and of the venue's checksum."""
    s.n_bad_time += 1 if marks & BAD_TIME != 0 else 0
    s.n_checked += 1 if marks & CHECKED != 0 else 0
    s.n_suspect += 1 if marks & SUSPECT != 0 else 0


@part
def pass_time(s: Any, recv_ns: int) -> None:
    """Move the clock on, and into a new UTC day where it begins."""
    s.now_ns = recv_ns
    if recv_ns >= s.day_end_ns:
        if s.anchor_ns[0] == NONE:
            s.anchor_ns[0] = recv_ns
        s.day_end_ns = recv_ns - recv_ns % _DAY + _DAY
        start_anchor(s, s.zero + 1, recv_ns)


@part
def take_rare(s: Any, event: Any, kind: int) -> None:
    """Apply a row that is neither a trade nor a change of the book."""
    if kind == CLOCK:
        expire(s, s.now_ns)
        pace_step(s, s.now_ns)
        watch_silence(s)
    elif kind == STATUS:
        take_status(s, event)
    elif kind == GAP:
        take_gap(s, event)
    elif kind == CLEAR:
        take_clear(s, event)


@inlined
def take_other(s: Any, event: Any, kind: int) -> int:
    """Apply any row but a plain BOOK row; give its kind for the frame, 0 where it is refused."""
    marks = event.marks
    if marks & (BAD_TIME | CHECKED | SUSPECT) != 0:
        count_marks(s, marks)
    s.row_tick, s.row_lots, s.row_was, s.row_side = event.tick, event.lots, 0, event.side
    s.row_order_was, s.row_executed, s.row_refill, s.row_place = 0, 0, 0, 0
    s.row_now, s.row_from = 0, NONE
    done = 1
    if kind == TRADE:
        done = take_trade(s, event)
    elif kind < TRADE:
        s.in_message = 1
        done = take_book(s, event)
    else:
        take_rare(s, event, kind)
    if marks & LAST != 0 and event.inst != EVERY:
        end_message(s, marks, s.zero)
    if done == 0:
        s.n_bad_rows += 1
        return 0
    return kind


@kernel
def advance(events: Any, start: int, state: Any, frame: Any, news: Any) -> int:
    """Apply events from `start`; give the place where it stopped, the end unless `need` says what is missing."""
    s = state[0]
    inst = s.inst
    for i in range(start, len(events)):
        if s.need != 0:
            return i
        event = events[i]
        row = frame[i]
        kind = event.kind
        s.seq = event.seq
        if kind == 0 or (inst >= 0 and event.inst not in (inst, EVERY)):
            zero, none = s.zero, s.none
            write_row(
                s, event, row, zero, event.tick, event.lots, zero, zero, none, event.side, zero, zero, zero, zero
            )  # fmt: skip
            news[i] = 0
            continue
        s.events += 1
        s.recv_ns = event.recv_ns
        if event.recv_ns > s.now_ns and event.recv_ns < TIME_LIMIT:
            s.now_ns = event.recv_ns
            if event.recv_ns >= s.day_end_ns:
                pass_time(s, event.recv_ns)
        if event.exch_ns != NONE:
            s.exch_ns = event.exch_ns
        s.flag = 0
        marks = event.marks
        if kind == BOOK and marks & _ODD == 0:
            s.news = IS_BOOK
            was = take_level(s, event)
            now = event.lots
            if was < 0:
                s.n_bad_rows += 1
                kind = 0
                was = 0
                now = 0
            if marks & LAST != 0:
                end_message(s, marks, 1)
            else:
                s.in_message = 1
            write_row(s, event, row, kind, event.tick, event.lots, was, now, s.none, event.side, 0, 0, 0, 0)
        else:
            s.news = _NEWS[kind] if kind < len(_NEWS) else 0
            if marks & SNAPSHOT != 0:
                s.news |= IS_BOOK
            kind = take_other(s, event, kind)
            write_row(
                s, event, row, kind, s.row_tick, s.row_lots, s.row_was, s.row_now, s.row_from, s.row_side,
                s.row_order_was, s.row_executed, s.row_refill, s.row_place,
            )  # fmt: skip
        told = s.news | (s.flag & (TOUCH | NEAR))
        s.heard |= told
        if marks & LAST != 0 and event.inst != EVERY:
            if s.heard & (IS_TRADE | IS_NEAR) != 0:
                told |= IS_END
            s.heard = 0
        news[i] = told
    return len(events)

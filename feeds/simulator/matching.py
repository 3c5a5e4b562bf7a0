"""The exchange as kernels: price, then displayed before hidden, then time; whole lots and ticks, order by order.

Every command is one venue message: the rows it causes, the last one marked LAST; a command that changes nothing that
is told causes none. A fill takes displayed lots in the order of arrival. A native iceberg shows its next lots under
the same id at the back of its level, written as FILL with NO_BOOK followed by MODIFY, as CME's order feed does. Hidden
lots trade after everything displayed at their price, one print of kind `hidden` an order, and are never in the book.
Stops wait outside the book; a trade at or through their trigger elects them, and they enter in the order they came.
"""

from __future__ import annotations

from typing import Any

from feeds.events import (
    ADD,
    AUCTION,
    BID,
    CANCEL,
    FILL,
    HIDDEN,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    REGULAR,
    S_AUCTION,
    S_HALTED,
    S_LIVE,
    STATUS,
    TRADE,
    UNKNOWN,
)
from feeds.simulator._jit import part
from feeds.simulator.chance import below
from feeds.simulator.state import (
    CALL,
    CONTINUOUS,
    CROWD,
    HALTED,
    LEVELS,
    NO_ASK,
    NO_BID,
    NOTES,
    PLANT_OWNER,
    PLANT_STREAM,
    ROWS,
    STOPS,
    W_DONE,
    W_HIDDEN,
    W_PART,
    W_SHOWN,
    WOKEN,
)


@part
def emit(s: Any, kind: int, side: int, tick: int, lots: int, ref: int, aux: int, marks: int) -> None:
    """Write one row at the time that is now."""
    n = s.out_n
    if n >= ROWS:
        s.trouble = 1
        return
    s.out_ns[n] = s.now
    s.out_kind[n] = kind
    s.out_side[n] = side
    s.out_tick[n] = tick
    s.out_lots[n] = lots
    s.out_ref[n] = ref
    s.out_aux[n] = aux
    s.out_marks[n] = marks
    s.out_n = n + 1


@part
def seal(s: Any) -> None:
    """End the venue message that was begun, where it has a row, and note the best prices it left."""
    if s.out_n > s.started:
        n = s.out_n - 1
        s.out_marks[n] |= LAST
        s.messages += 1
        bid, ask = s.shown[0], s.shown[1]
        s.top_bid[n], s.top_ask[n] = bid, ask
        s.top_bid_lots[n] = s.lv_lots[level_of(s, 0, bid)] if bid != NO_BID else 0
        s.top_ask_lots[n] = s.lv_lots[level_of(s, 1, ask)] if ask != NO_ASK else 0
    s.started = s.out_n


@part
def note(s: Any, plant: int, what: int, tick: int, lots: int, more: int) -> None:
    """Write down a fact for the truth."""
    n = s.notes_n
    if n >= NOTES:
        s.trouble = 2
        return
    s.note_plant[n] = plant
    s.note_what[n] = what
    s.note_ns[n] = s.now
    s.note_tick[n] = tick
    s.note_lots[n] = lots
    s.note_more[n] = more
    s.notes_n = n + 1


@part
def wake(s: Any, what: int, slot: int, lots: int) -> None:
    """Tell the owner of an order, if it has one, what became of it; it acts after the command."""
    if s.o_owner[slot] == CROWD:
        return
    n = s.woken_n
    if n >= WOKEN:
        s.trouble = 3
        return
    s.wk_owner[n] = s.o_owner[slot]
    s.wk_what[n] = what
    s.wk_slot[n] = slot
    s.wk_id[n] = s.o_id[slot]
    s.wk_lots[n] = lots
    s.wk_tick[n] = s.o_tick[slot]
    s.wk_side[n] = s.o_side[slot]
    s.woken_n = n + 1


@part
def half(side: int) -> int:
    """Give the index of a side's half of the book: 0 for bids, 1 for asks."""
    return (1 - side) >> 1


@part
def level_of(s: Any, b: int, tick: int) -> int:
    """Give the index of a level."""
    return b * LEVELS + tick - s.origin


@part
def at_level(s: Any, side: int, tick: int) -> int:
    """Displayed lots at a price."""
    at = tick - s.origin
    if at < 0 or at >= LEVELS:
        return 0
    return s.lv_lots[half(side) * LEVELS + at]


@part
def settle(s: Any, b: int) -> None:
    """Find the best prices of a half again after a level lost its last order."""
    step = -1 if b == 0 else 1
    none = NO_BID if b == 0 else NO_ASK
    tick = s.best[b]
    if tick != none:
        lv = level_of(s, b, tick)
        while tick != none and s.lv_head[lv] < 0 and s.lv_hidden[lv] < 0:
            if tick == s.far[b]:
                tick = none
            else:
                tick += step
                lv += step
        s.best[b] = tick
    if s.shown[b] != none:
        tick = s.shown[b]
        lv = level_of(s, b, tick)
        while tick != none and s.lv_head[lv] < 0:
            if tick == s.far[b]:
                tick = none
            else:
                tick += step
                lv += step
        s.shown[b] = tick


@part
def append(s: Any, slot: int) -> None:
    """Put an order at the back of its level."""
    b = half(s.o_side[slot])
    lv = level_of(s, b, s.o_tick[slot])
    s.o_next[slot] = -1
    if s.o_hidden[slot]:
        tail = s.lv_hidden_tail[lv]
        s.lv_hidden_tail[lv] = slot
        if tail < 0:
            s.lv_hidden[lv] = slot
    else:
        tail = s.lv_tail[lv]
        s.lv_tail[lv] = slot
        if tail < 0:
            s.lv_head[lv] = slot
        s.lv_lots[lv] += s.o_lots[slot]
        s.lv_reserve[lv] += s.o_reserve[slot]
        s.lv_count[lv] += 1
    s.o_prev[slot] = tail
    if tail >= 0:
        s.o_next[tail] = slot


@part
def unlink(s: Any, slot: int) -> None:
    """Take an order out of its level's queue."""
    b = half(s.o_side[slot])
    lv = level_of(s, b, s.o_tick[slot])
    before, after = s.o_prev[slot], s.o_next[slot]
    if before >= 0:
        s.o_next[before] = after
    elif s.o_hidden[slot]:
        s.lv_hidden[lv] = after
    else:
        s.lv_head[lv] = after
    if after >= 0:
        s.o_prev[after] = before
    elif s.o_hidden[slot]:
        s.lv_hidden_tail[lv] = before
    else:
        s.lv_tail[lv] = before
    if not s.o_hidden[slot]:
        s.lv_lots[lv] -= s.o_lots[slot]
        s.lv_reserve[lv] -= s.o_reserve[slot]
        s.lv_count[lv] -= 1


@part
def forget(s: Any, slot: int) -> None:
    """Free an order's slot; it is out of its queue already."""
    at = s.o_roster[slot]
    if at >= 0:
        last = s.roster[s.roster_n - 1]
        s.roster[at] = last
        s.o_roster[last] = at
        s.roster_n -= 1
        s.o_roster[slot] = -1
    s.o_id[slot] = 0
    s.free[s.free_n] = slot
    s.free_n += 1
    s.orders_n -= 1


@part
def remove(s: Any, slot: int) -> None:
    """Take an order out of the market."""
    b = half(s.o_side[slot])
    tick = s.o_tick[slot]
    unlink(s, slot)
    forget(s, slot)
    if tick == s.best[b] or tick == s.shown[b]:
        settle(s, b)


@part
def next_shown(s: Any, slot: int) -> int:
    """Lots that an iceberg shows next: its peak, give or take its jitter, at most what is left."""
    peak = s.o_peak[slot]
    owner = s.o_owner[slot]
    if s.o_jitter[slot] > 0 and owner >= PLANT_OWNER:
        spread = peak * s.o_jitter[slot] // 100
        peak += below(s, PLANT_STREAM + owner - PLANT_OWNER, 2 * spread + 1) - spread
    return max(1, min(peak, s.o_reserve[slot]))


@part
def rest(s: Any, order_id: int, owner: int, side: int, tick: int, lots: int, peak: int, jitter: int, hidden: int,
         kind: int) -> int:  # fmt: skip
    """Put an order to rest and tell of it (`kind` ADD or MODIFY); give its slot, -1 where there is no room."""
    at = tick - s.origin
    if s.free_n == 0 or at < 0 or at >= LEVELS:
        s.trouble = 4
        return -1
    s.free_n -= 1
    slot = s.free[s.free_n]
    s.orders_n += 1
    shown = min(lots, peak) if peak > 0 else lots
    s.o_id[slot] = order_id
    s.o_owner[slot] = owner
    s.o_side[slot] = side
    s.o_tick[slot] = tick
    s.o_lots[slot] = shown
    s.o_reserve[slot] = lots - shown
    s.o_peak[slot] = peak
    s.o_jitter[slot] = jitter
    s.o_hidden[slot] = hidden
    s.o_roster[slot] = -1
    s.added += lots
    append(s, slot)
    b = half(side)
    if (tick - s.best[b]) * side > 0:
        s.best[b] = tick
    if not hidden and (tick - s.shown[b]) * side > 0:
        s.shown[b] = tick
    if s.far[b] == NO_BID or s.far[b] == NO_ASK or (s.far[b] - tick) * side > 0:
        s.far[b] = tick
    if not hidden:
        emit(s, kind, side, tick, shown, order_id, s.messages + 1, 0)
    return slot


@part
def traded(s: Any, tick: int, lots: int, side: int) -> None:
    """Count a print and elect the stops it reaches."""
    s.last_tick = tick
    s.last_side = side
    s.trades_n += 1
    away = tick - s.price
    s.vw_lots += lots
    s.vw_sum += lots * away
    s.vw_square += lots * away * away
    s.high = max(s.high, tick)
    s.low = min(s.low, tick)
    if tick >= s.next_up or tick <= s.next_down:
        elect(s, tick)


@part
def elect(s: Any, tick: int) -> None:
    """Move the stops that a price reaches to the elected, in the order they came."""
    kept = 0
    s.next_up, s.next_down = NO_ASK, NO_BID
    for i in range(s.stops_n):
        side, trigger = s.st_side[i], s.st_trigger[i]
        hit = (side == BID and tick >= trigger) or (side != BID and tick <= trigger)
        if hit and s.elected_n < STOPS // 4:
            at = s.elected_n * 4
            s.elected[at] = side * s.st_lots[i]
            s.elected[at + 1] = s.st_limit[i]
            s.elected[at + 2] = s.st_owner[i]
            s.elected[at + 3] = s.st_id[i]
            s.elected_n += 1
            continue
        if side == BID:
            s.next_up = min(s.next_up, trigger)
        else:
            s.next_down = max(s.next_down, trigger)
        s.st_side[kept], s.st_trigger[kept], s.st_limit[kept] = side, trigger, s.st_limit[i]
        s.st_lots[kept], s.st_owner[kept], s.st_id[kept] = s.st_lots[i], s.st_owner[i], s.st_id[i]
        kept += 1
    s.stops_n = kept


@part
def match_hidden(s: Any, lv: int, tick: int, side: int, lots: int) -> int:
    """Trade with the hidden orders of a level whose displayed lots are gone; give what is left."""
    while lots > 0 and s.lv_hidden[lv] >= 0:
        slot = s.lv_hidden[lv]
        part_lots = min(lots, s.o_lots[slot])
        lots -= part_lots
        s.o_lots[slot] -= part_lots
        s.filled += part_lots
        s.hidden_filled += part_lots
        emit(s, TRADE, side, tick, part_lots, s.next_trade, HIDDEN, 0)
        s.next_trade += 1
        traded(s, tick, part_lots, side)
        wake(s, W_HIDDEN, slot, part_lots)
        if s.o_lots[slot] == 0:
            wake(s, W_DONE, slot, 0)
            unlink(s, slot)
            forget(s, slot)
    return lots


@part
def match(s: Any, side: int, lots: int, worst: int) -> int:
    """Trade with the other side, no worse than `worst`; give the lots left."""
    b = half(-side)
    while lots > 0:
        tick = s.best[b]
        if tick in (NO_BID, NO_ASK) or (worst - tick) * side < 0:
            break
        lv = level_of(s, b, tick)
        left = min(lots, s.lv_lots[lv] + s.lv_reserve[lv])
        if left > 0:
            lots -= left
            s.filled += left
            emit(s, TRADE, side, tick, left, s.next_trade, REGULAR, 0)
            s.next_trade += 1
            traded(s, tick, left, side)
            left = take_queue(s, lv, left)
        if lots > 0:
            lots = match_hidden(s, lv, tick, side, lots)
        if s.lv_head[lv] < 0:
            settle(s, b)
    return lots


@part
def take_queue(s: Any, lv: int, left: int) -> int:
    """Execute lots against the queue of a level, first come first served; give what is left, 0 unless it ran out."""
    message = s.messages + 1
    while left > 0 and s.lv_head[lv] >= 0:
        slot = s.lv_head[lv]
        side, tick, order_id = s.o_side[slot], s.o_tick[slot], s.o_id[slot]
        part_lots = min(left, s.o_lots[slot])
        left -= part_lots
        if part_lots < s.o_lots[slot]:
            s.o_lots[slot] -= part_lots
            s.lv_lots[lv] -= part_lots
            emit(s, FILL, side, tick, part_lots, order_id, message, 0)
            wake(s, W_PART, slot, part_lots)
        elif s.o_reserve[slot] > 0:
            unlink(s, slot)
            shown = next_shown(s, slot)
            s.o_lots[slot] = shown
            s.o_reserve[slot] -= shown
            append(s, slot)
            emit(s, FILL, side, tick, part_lots, order_id, message, NO_BOOK)
            emit(s, MODIFY, side, tick, shown, order_id, message, 0)
            wake(s, W_PART, slot, part_lots)
            wake(s, W_SHOWN, slot, shown)
        else:
            emit(s, FILL, side, tick, part_lots, order_id, message, 0)
            wake(s, W_DONE, slot, part_lots)
            unlink(s, slot)
            forget(s, slot)
    return left


# -- commands -------------------------------------------------------------------------------------


@part
def limit(s: Any, owner: int, side: int, tick: int, lots: int, peak: int, jitter: int, hidden: int) -> int:
    """Place a limit order; what does not trade at once rests. Give its slot, -1 where nothing rests.

    With `peak` above 0 it is a native iceberg that displays so many lots at a time, give or take `jitter` percent.
    """
    order_id = s.next_order
    s.next_order = order_id + 1
    if s.phase == HALTED:
        return -1
    if s.phase == CONTINUOUS and (tick - s.best[half(-side)]) * side >= 0:
        lots = match(s, side, lots, tick)
    slot = -1
    if lots > 0:
        slot = rest(s, order_id, owner, side, tick, lots, peak, jitter, hidden, ADD)
    seal(s)
    return slot


@part
def take(s: Any, side: int, lots: int, worst: int) -> int:
    """Buy or sell at the market, no worse than `worst`; what is left is dropped. Give the lots that traded."""
    if s.phase != CONTINUOUS:
        return 0
    left = match(s, side, lots, worst)
    seal(s)
    return lots - left


@part
def withdraw(s: Any, slot: int) -> None:
    """Take back an order that rests."""
    s.cancelled += s.o_lots[slot] + s.o_reserve[slot]
    if not s.o_hidden[slot]:
        emit(s, CANCEL, s.o_side[slot], s.o_tick[slot], s.o_lots[slot], s.o_id[slot], s.messages + 1, 0)
    remove(s, slot)
    seal(s)


@part
def cancel(s: Any, slot: int, order_id: int) -> int:
    """Take back an order, found by slot and id; give whether it still rested."""
    if slot < 0 or s.o_id[slot] != order_id:
        return 0
    withdraw(s, slot)
    return 1


@part
def replace(s: Any, slot: int, tick: int, lots: int) -> int:
    """Change an order's price or its open lots (reserve included); give its slot, -1 where nothing rests any more.

    Fewer lots at the same price keep the place, anything else goes to the back. A new price that crosses trades.
    """
    side, order_id, owner = s.o_side[slot], s.o_id[slot], s.o_owner[slot]
    peak, jitter, hidden = s.o_peak[slot], s.o_jitter[slot], s.o_hidden[slot]
    whole = s.o_lots[slot] + s.o_reserve[slot]
    if tick == s.o_tick[slot] and lots <= whole:
        return shrink(s, slot, whole - lots)
    if s.phase == HALTED:
        return slot
    s.cancelled += whole
    crosses = s.phase == CONTINUOUS and (tick - s.best[half(-side)]) * side >= 0
    shown = min(lots, peak) if peak > 0 else lots
    moved = not crosses and (tick != s.o_tick[slot] or shown > s.o_lots[slot])  # else MODIFY would keep the place
    if not moved and not hidden:
        emit(s, CANCEL, side, s.o_tick[slot], s.o_lots[slot], order_id, s.messages + 1, 0)
    in_roster = s.o_roster[slot] >= 0
    remove(s, slot)
    if crosses:
        lots = match(s, side, lots, tick)
    slot = -1
    if lots > 0:
        slot = rest(s, order_id, owner, side, tick, lots, peak, jitter, hidden, MODIFY if moved else ADD)
        if in_roster and slot >= 0:
            enrol(s, slot)
    seal(s)
    return slot


@part
def enrol(s: Any, slot: int) -> None:
    """Put an order on the roster of those that leave by chance."""
    s.o_roster[slot] = s.roster_n
    s.roster[s.roster_n] = slot
    s.roster_n += 1


@part
def shrink(s: Any, slot: int, less: int) -> int:
    """Take lots off an order that keeps its place, from its reserve first; give its slot."""
    lv = level_of(s, half(s.o_side[slot]), s.o_tick[slot])
    s.cancelled += less
    if s.o_hidden[slot]:
        s.o_lots[slot] -= less
        return slot
    behind = min(less, s.o_reserve[slot])
    s.o_reserve[slot] -= behind
    s.lv_reserve[lv] -= behind
    if less > behind:
        s.o_lots[slot] -= less - behind
        s.lv_lots[lv] -= less - behind
        emit(s, MODIFY, s.o_side[slot], s.o_tick[slot], s.o_lots[slot], s.o_id[slot], s.messages + 1, 0)
    seal(s)
    return slot


@part
def stop(s: Any, owner: int, side: int, trigger: int, worst: int, lots: int) -> int:
    """Leave a stop: at a trade at or through `trigger` it enters, as a limit at `worst` or, beyond all prices, at the
    market. Give its id, -1 where there is no room.
    """
    n = s.stops_n
    if n >= STOPS:
        s.trouble = 5
        return -1
    order_id = s.next_order
    s.next_order = order_id + 1
    s.st_side[n], s.st_trigger[n], s.st_limit[n], s.st_lots[n] = side, trigger, worst, lots
    s.st_owner[n], s.st_id[n] = owner, order_id
    s.stops_n = n + 1
    if side == BID:
        s.next_up = min(s.next_up, trigger)
    else:
        s.next_down = max(s.next_down, trigger)
    return order_id


@part
def enter_elected(s: Any) -> None:
    """Let the elected stops enter one by one, each a message of its own, until none is left."""
    while s.elected_at < s.elected_n and s.phase == CONTINUOUS:
        at = s.elected_at * 4
        s.elected_at += 1
        signed, worst, owner, order_id = s.elected[at], s.elected[at + 1], s.elected[at + 2], s.elected[at + 3]
        side = 1 if signed > 0 else -1
        lots = signed * side
        left = match(s, side, lots, worst)
        if left > 0 and worst not in (NO_ASK, NO_BID):
            rest(s, order_id, owner, side, worst, left, 0, 0, 0, ADD)
        seal(s)
    if s.elected_at >= s.elected_n:
        s.elected_at = s.elected_n = 0


# -- phases ---------------------------------------------------------------------------------------


@part
def tell_phase(s: Any, value: int) -> None:
    """Tell the market's phase in a message of its own."""
    emit(s, STATUS, 0, 0, 0, s.messages + 1, value, 0)
    seal(s)


@part
def halt(s: Any) -> None:
    """Stop trading: orders may only be taken back."""
    s.phase = HALTED
    tell_phase(s, S_HALTED)


@part
def begin_call(s: Any) -> None:
    """Gather orders for an auction: they rest, crossed or not, and nothing trades."""
    s.phase = CALL
    tell_phase(s, S_AUCTION)


@part
def clearing_tick(s: Any) -> int:
    """Give the price at which the most lots trade, the least imbalance and then the nearest to the last price among
    equals; NO_ASK where nobody meets.
    """
    low, high = s.best[1], s.best[0]
    best, best_lots, best_gap = NO_ASK, 0, 0
    if low == NO_ASK or high == NO_BID or low > high:
        return best
    for tick in range(low, high + 1):
        buying = 0
        for t in range(tick, high + 1):
            buying += open_lots(s, 0, t)
        selling = 0
        for t in range(low, tick + 1):
            selling += open_lots(s, 1, t)
        lots = min(buying, selling)
        gap = abs(buying - selling)
        nearer = abs(tick - s.last_tick) < abs(best - s.last_tick)
        if lots > best_lots or (lots == best_lots and (gap < best_gap or (gap == best_gap and nearer))):
            best, best_lots, best_gap = tick, lots, gap
    return best


@part
def open_lots(s: Any, b: int, tick: int) -> int:
    """Lots of all orders at a price, reserves and hidden ones included."""
    lv = level_of(s, b, tick)
    lots = s.lv_lots[lv] + s.lv_reserve[lv]
    slot = s.lv_hidden[lv]
    while slot >= 0:
        lots += s.o_lots[slot]
        slot = s.o_next[slot]
    return lots


@part
def uncross(s: Any) -> int:
    """End the call: everybody who meets trades at one price in one message, then trading goes on. Give its lots."""
    tick = clearing_tick(s)
    done = 0
    if tick != NO_ASK:
        buying = 0
        for t in range(tick, s.best[0] + 1):
            buying += open_lots(s, 0, t)
        selling = 0
        for t in range(s.best[1], tick + 1):
            selling += open_lots(s, 1, t)
        done = min(buying, selling)
        emit(s, TRADE, UNKNOWN, tick, done, s.next_trade, AUCTION, 0)
        s.next_trade += 1
        traded(s, tick, done, 0)
        for b in range(2):
            left = done
            while left > 0:
                lv = level_of(s, b, s.best[b])
                s.filled += min(left, open_lots(s, b, s.best[b]))
                left = take_queue(s, lv, left)
                left = take_hidden(s, lv, left)
                if s.lv_head[lv] < 0:
                    settle(s, b)
        seal(s)
    s.phase = CONTINUOUS
    tell_phase(s, S_LIVE)
    return done


@part
def take_hidden(s: Any, lv: int, left: int) -> int:
    """Execute lots against the hidden orders of a level in an auction, whose one print has told of them."""
    while left > 0 and s.lv_hidden[lv] >= 0:
        slot = s.lv_hidden[lv]
        lots = min(left, s.o_lots[slot])
        left -= lots
        s.o_lots[slot] -= lots
        s.hidden_filled += lots
        wake(s, W_HIDDEN, slot, lots)
        if s.o_lots[slot] == 0:
            wake(s, W_DONE, slot, 0)
            unlink(s, slot)
            forget(s, slot)
    return left


@part
def tell_fact(s: Any, which: int, value: int, kind: int) -> None:
    """Tell a slow input (`kind` FACT) in a message of its own."""
    emit(s, kind, 0, 0, value, NONE, which, 0)
    seal(s)

"""The book and its matching as kernels: price, then displayed before hidden, then time; whole lots and ticks.

A fill takes displayed lots in the order of arrival. A native iceberg shows its next lots under the same id at the back
of its level, written as FILL with NO_BOOK followed by MODIFY, as CME's order feed does. Hidden lots trade after
everything displayed at their price, one print of kind `hidden` an order, and are never in the book. A trade at or
through the trigger of a stop elects it.
"""

from __future__ import annotations

from typing import Any

from feeds.events import (
    BID,
    FILL,
    HIDDEN,
    LAST,
    MODIFY,
    NO_BOOK,
    REGULAR,
    TRADE,
)
from feeds.simulator._jit import part
from feeds.simulator.chance import below
from feeds.simulator.state import (
    CROWD,
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

"""What can be asked of the exchange, as kernels: limit, market, cancel, replace and stop orders, halts and auctions.

Every command is one venue message: the rows it causes, the last one marked LAST; a command that changes nothing that
is told causes none. Elected stops enter in the order they came, each a message of its own.
"""

from __future__ import annotations

from typing import Any

from feeds.events import (
    ADD,
    AUCTION,
    BID,
    CANCEL,
    MODIFY,
    NONE,
    S_AUCTION,
    S_HALTED,
    S_LIVE,
    STATUS,
    TRADE,
    UNKNOWN,
)
from feeds.simulator._jit import part
from feeds.simulator.matching import (
    emit,
    forget,
    half,
    level_of,
    match,
    remove,
    rest,
    seal,
    settle,
    take_queue,
    traded,
    unlink,
    wake,
)
from feeds.simulator.state import (
    CALL,
    CONTINUOUS,
    HALTED,
    NO_ASK,
    NO_BID,
    STOPS,
    W_DONE,
    W_HIDDEN,
)


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

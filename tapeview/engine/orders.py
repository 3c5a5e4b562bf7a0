"""The orders: who rests where since when, order by order, feeding the levels of the book.

An order's place in its queue is its stamp, a number that rises with every arrival at the back; nothing is linked, so
a change costs one search of the table. Refills and fills beyond the displayed size are native signs of an iceberg:
the same order at the same price shows or executes more than what was left of it.
"""

from __future__ import annotations

from typing import Any

from tapeview.engine._jit import inlined, kernel, part
from tapeview.engine.book import level_lots, level_orders, set_inside, set_level, settle_after
from tapeview.engine.state import MASK, NEED_ORDERS, SETTLE, WINDOW
from tapeview.engine.tables import order_row


@inlined
def order_slot(s: Any, number: int) -> int:
    """Find the slot of an order, or the free slot where it would go."""
    mask = s.order_slots - 1
    mixed = (number ^ (number >> 32)) & 0x7FFFFFFF
    slot = ((mixed * 0x5BD1E995) >> 15) & mask
    while order_row(s, slot).stamp != 0 and order_row(s, slot).id != number:
        slot = (slot + 1) & mask
    return slot


@inlined
def copy_order(a: Any, c: Any) -> None:
    """Copy one order row onto another."""
    a.id, a.key, a.frac, a.lots, a.stamp, a.executed = c.id, c.key, c.frac, c.lots, c.stamp, c.executed
    a.pending, a.hidden, a.peak, a.refills, a.side, a.filled = c.pending, c.hidden, c.peak, c.refills, c.side, c.filled


@part
def free_order(s: Any, slot: int) -> None:
    """Free a slot and draw later rows of its chain back."""
    mask = s.order_slots - 1
    s.orders_n -= 1
    hole = slot
    probe = (slot + 1) & mask
    while order_row(s, probe).stamp != 0:
        number = order_row(s, probe).id
        mixed = (number ^ (number >> 32)) & 0x7FFFFFFF
        home = ((mixed * 0x5BD1E995) >> 15) & mask
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            copy_order(order_row(s, hole), order_row(s, probe))
            hole = probe
        probe = (probe + 1) & mask
    order_row(s, hole).stamp = 0


@part
def shift_level(s: Any, b: int, key: int, frac: int, lots: int, count: int) -> int:
    """Change a level by some lots and orders; give the lots that were there."""
    offset = key - s.low_key[b]
    inside = frac == 0 and offset >= 0 and offset < WINDOW and s.off_lots[b] == 0
    if inside:
        had = s.lots[b, key & MASK]
        many = s.zero + s.orders[b, key & MASK] + count
    else:
        had = level_lots(s, b, key, frac)
        many = level_orders(s, b, key, frac) + count
    now = had + lots
    if now <= 0:
        now = 0
        many = 0
    many = max(many, 0)
    if inside:
        set_inside(s, b, key, now, many)
        if s.flag & SETTLE != 0:
            settle_after(s, b, key, had, now)
    else:
        set_level(s, b, key, frac, now, many, s.none)
    return had


@part
def add_order(s: Any, number: int, b: int, key: int, frac: int, lots: int) -> None:
    """Rest a new order at the back of its level; one already known by that id is replaced."""
    slot = order_slot(s, number)
    row = order_row(s, slot)
    if row.stamp != 0:
        s.n_repeated_orders += 1
        shift_level(s, s.zero + row.side, row.key, row.frac, -row.lots, s.zero - 1)
        free_order(s, slot)
        row = order_row(s, order_slot(s, number))
    s.stamp += 1
    s.orders_n += 1
    s.orders_seen = 1
    row.id, row.key, row.frac, row.lots, row.stamp, row.side = number, key, frac, lots, s.stamp, b
    row.executed, row.pending, row.hidden, row.peak, row.refills, row.filled = 0, 0, 0, lots, 0, 0
    if 2 * (s.orders_n + 1) > s.order_slots:
        s.need |= NEED_ORDERS
    s.row_was = shift_level(s, b, key, frac, lots, s.zero + 1)


@part
def less_order(s: Any, slot: int, lots: int) -> None:
    """Take lots from an order, and the order from the table when nothing is left."""
    row = order_row(s, slot)
    b, key, frac = s.zero + row.side, row.key, row.frac
    if lots < row.lots:
        row.lots -= lots
        s.row_was = shift_level(s, b, key, frac, -lots, s.zero)
    else:
        s.row_was = shift_level(s, b, key, frac, -row.lots, s.zero - 1)
        free_order(s, slot)


@part
def tell_order(s: Any, row: Any) -> None:
    """Say in the frame which order this row names."""
    s.row_tick = row.key if row.side == 0 else (-row.key if row.frac == 0 else -row.key - 1)
    s.row_side = 1 if row.side == 0 else -1
    s.row_order_was = row.lots
    s.row_executed = row.executed


@part
def cancel_order(s: Any, number: int, lots: int) -> None:
    """Remove lots from an order, all of it when lots is 0."""
    slot = order_slot(s, number)
    row = order_row(s, slot)
    if row.stamp == 0:
        s.n_unknown_orders += 1
        return
    tell_order(s, row)
    if lots == 0 or lots > row.lots:
        lots = row.lots
    s.row_lots = lots
    if row.pending > row.lots:
        s.row_refill = row.pending - row.lots
        row.hidden += s.row_refill
    row.pending = row.pending - lots if row.pending > lots else 0
    less_order(s, slot, lots)


@part
def fill_order(s: Any, number: int, lots: int, shown: int) -> None:
    """Execute lots of an order; `shown` is 0 where the venue states the change of the book in a later row."""
    slot = order_slot(s, number)
    row = order_row(s, slot)
    if row.stamp == 0:
        s.n_unknown_orders += 1
        return
    tell_order(s, row)
    row.executed += lots
    row.filled = 1
    s.row_executed = row.executed
    if shown == 0:
        row.pending += lots
        s.row_was = level_lots(s, s.zero + row.side, row.key, row.frac)
        return
    if lots > row.lots:
        s.row_refill = lots - row.lots
        row.hidden += s.row_refill
    less_order(s, slot, lots)


@part
def modify_order(s: Any, number: int, b: int, key: int, frac: int, lots: int, keeps: int) -> None:
    """Give an order a price and displayed lots; it keeps its place when neither the price nor the lots grow worse."""
    slot = order_slot(s, number)
    row = order_row(s, slot)
    if row.stamp == 0:
        s.n_unknown_orders += 1
        return
    s.row_order_was = row.lots
    s.row_executed = row.executed
    same = row.side == b and row.key == key and row.frac == frac
    if same:
        left = row.lots - row.pending if row.pending < row.lots else 0
        if row.filled != 0 and lots > left:
            s.row_refill = lots - left
            row.hidden += lots - left
            row.refills += 1
    row.filled = 0
    row.pending = 0
    if lots == 0:
        tell_order(s, row)
        less_order(s, slot, row.lots)
        return
    if keeps == 0 and (not same or lots > row.lots):
        s.stamp += 1
        row.stamp = s.stamp
    was_lots = row.lots
    row.lots = lots
    if lots > row.peak or not same:
        row.peak = lots
    if same:
        s.row_was = shift_level(s, b, key, frac, lots - was_lots, s.zero)
        return
    old_b, old_key, old_frac = s.zero + row.side, row.key, row.frac
    row.side, row.key, row.frac = b, key, frac
    shift_level(s, old_b, old_key, old_frac, -was_lots, s.zero - 1)
    s.row_was = shift_level(s, b, key, frac, lots, s.zero + 1)


@part
def clear_orders(s: Any, b: int) -> None:
    """Forget the orders of a side."""
    if s.orders_n == 0:
        return
    for slot in range(s.order_slots):
        while order_row(s, slot).stamp != 0 and order_row(s, slot).side == b:
            free_order(s, slot)


@part
def wipe_orders(s: Any) -> None:
    """Forget every order."""
    if s.orders_n == 0:
        return
    for slot in range(s.order_slots):
        order_row(s, slot).stamp = 0
    s.orders_n = 0


@part
def order_side(s: Any, number: int) -> int:
    """Give the side of an order, 0 where it is not known."""
    row = order_row(s, order_slot(s, number))
    if row.stamp == 0:
        return 0
    return 1 if row.side == 0 else -1


@kernel
def readd_orders(state: Any, old: Any) -> int:
    """Copy every order of the table until now into the new, empty one."""
    s = state[0]
    for slot in range(len(old)):
        if old[slot].stamp != 0:
            copy_order(order_row(s, order_slot(s, old[slot].id)), old[slot])
    return 0

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
from tapeview.engine.tables import extra_row, order_row


@inlined
def order_slot(s: Any, number: int) -> int:
    """Find the slot of an order, or the free slot where it would go."""
    mask = s.order_slots - 1
    mixed = (number ^ (number >> 32)) & 0x7FFFFFFF
    slot = ((mixed * 0x5BD1E995) >> 15) & mask
    row = order_row(s, slot)
    while row.tag != 0 and row.id != number:
        slot = (slot + 1) & mask
        row = order_row(s, slot)
    return slot


@part
def copy_extra(a: Any, c: Any) -> None:
    """Copy one EXTRA row onto another."""
    a.frac, a.executed, a.pending, a.hidden, a.peak = c.frac, c.executed, c.pending, c.hidden, c.peak
    a.refills, a.filled = c.refills, c.filled


@part
def copy_order(s: Any, slot: int, other: int) -> None:
    """Copy the order of another slot."""
    a, c = order_row(s, slot), order_row(s, other)
    a.id, a.key, a.lots, a.tag = c.id, c.key, c.lots, c.tag
    if c.tag & 2 != 0:
        copy_extra(extra_row(s, slot), extra_row(s, other))


@part
def free_order(s: Any, slot: int) -> None:
    """Free a slot and draw later rows of its chain back."""
    mask = s.order_slots - 1
    s.orders_n -= 1
    hole = slot
    probe = (slot + 1) & mask
    row = order_row(s, probe)
    while row.tag != 0:
        number = row.id
        mixed = (number ^ (number >> 32)) & 0x7FFFFFFF
        home = ((mixed * 0x5BD1E995) >> 15) & mask
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            copy_order(s, hole, probe)
            hole = probe
        probe = (probe + 1) & mask
        row = order_row(s, probe)
    order_row(s, hole).tag = 0


@part
def open_extra(s: Any, slot: int) -> None:
    """Begin an order's EXTRA row where it has none."""
    row = order_row(s, slot)
    extra = extra_row(s, slot)
    if row.tag & 2 == 0:
        row.tag += 2
        extra.frac, extra.executed, extra.pending, extra.hidden, extra.peak = 0, 0, 0, 0, row.lots
        extra.refills, extra.filled = 0, 0


@inlined
def frac_of(s: Any, slot: int) -> int:
    """Give the fraction of an order's price."""
    return extra_row(s, slot).frac if order_row(s, slot).tag & 2 != 0 else 0


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
    s.row_now = now
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
    if row.tag != 0:
        s.n_repeated_orders += 1
        shift_level(s, row.tag & 1, row.key, frac_of(s, slot), -row.lots, s.zero - 1)
        free_order(s, slot)
        slot = order_slot(s, number)
        row = order_row(s, slot)
    s.stamp += 1
    s.orders_n += 1
    s.orders_seen = 1
    row.id, row.key, row.lots, row.tag = number, key, lots, s.stamp * 4 + b
    if frac != 0:
        open_extra(s, slot)
        extra_row(s, slot).frac = frac
    if 2 * (s.orders_n + 1) > s.order_slots:
        s.need |= NEED_ORDERS
    s.row_was = shift_level(s, b, key, frac, lots, s.zero + 1)


@part
def less_order(s: Any, slot: int, lots: int) -> None:
    """Take lots from an order, and the order from the table when nothing is left."""
    row = order_row(s, slot)
    b, key, frac = row.tag & 1, row.key, frac_of(s, slot)
    if lots < row.lots:
        open_extra(s, slot)
        row.lots -= lots
        s.row_was = shift_level(s, b, key, frac, -lots, s.zero)
    else:
        s.row_was = shift_level(s, b, key, frac, -row.lots, s.zero - 1)
        free_order(s, slot)


@part
def tell_order(s: Any, slot: int) -> None:
    """Say in the frame which order this row names."""
    row = order_row(s, slot)
    frac = frac_of(s, slot)
    bid = row.tag & 1 == 0
    s.row_tick = row.key if bid else (-row.key if frac == 0 else -row.key - 1)
    s.row_side = 1 if bid else -1
    s.row_order_was = row.lots
    s.row_executed = extra_row(s, slot).executed if row.tag & 2 != 0 else 0


@part
def cancel_order(s: Any, number: int, lots: int) -> None:
    """Remove lots from an order, all of it when lots is 0."""
    slot = order_slot(s, number)
    row = order_row(s, slot)
    if row.tag == 0:
        s.n_unknown_orders += 1
        return
    tell_order(s, slot)
    if lots == 0 or lots > row.lots:
        lots = row.lots
    s.row_lots = lots
    if row.tag & 2 != 0:
        extra = extra_row(s, slot)
        if extra.pending > row.lots:
            s.row_refill = extra.pending - row.lots
            extra.hidden += s.row_refill
        extra.pending = extra.pending - lots if extra.pending > lots else 0
    less_order(s, slot, lots)


@part
def fill_order(s: Any, number: int, lots: int, shown: int) -> None:
    """Execute lots of an order; `shown` is 0 where the venue states the change of the book in a later row."""
    slot = order_slot(s, number)
    row = order_row(s, slot)
    if row.tag == 0:
        s.n_unknown_orders += 1
        return
    tell_order(s, slot)
    s.row_executed += lots
    if shown != 0 and lots > row.lots:
        s.row_refill = lots - row.lots
    if shown == 0 or lots < row.lots:
        open_extra(s, slot)
        extra = extra_row(s, slot)
        extra.executed = s.row_executed
        extra.filled = 1
        if shown == 0:
            extra.pending += lots
            s.row_was = level_lots(s, row.tag & 1, row.key, extra.frac)
            s.row_now = s.row_was
            return
    less_order(s, slot, lots)


@part
def modify_order(s: Any, number: int, b: int, key: int, frac: int, lots: int, keeps: int) -> None:
    """Give an order a price and displayed lots; it keeps its place when neither the price nor the lots grow worse."""
    slot = order_slot(s, number)
    row = order_row(s, slot)
    if row.tag == 0:
        s.n_unknown_orders += 1
        return
    open_extra(s, slot)
    extra = extra_row(s, slot)
    s.row_order_was = row.lots
    s.row_executed = extra.executed
    same = row.tag & 1 == b and row.key == key and extra.frac == frac
    if same:
        left = row.lots - extra.pending if extra.pending < row.lots else 0
        if extra.filled != 0 and lots > left:
            s.row_refill = lots - left
            extra.hidden += lots - left
            extra.refills += 1
    extra.filled = 0
    extra.pending = 0
    if lots == 0:
        tell_order(s, slot)
        less_order(s, slot, row.lots)
        return
    old_b, old_key, old_frac, was_lots = row.tag & 1, row.key, extra.frac, row.lots
    if keeps == 0 and (not same or lots > was_lots):
        s.stamp += 1
        row.tag = s.stamp * 4 + 2 + b
    elif b != old_b:
        row.tag += b - old_b
    row.lots = lots
    if lots > extra.peak or not same:
        extra.peak = lots
    if same:
        s.row_was = shift_level(s, b, key, frac, lots - was_lots, s.zero)
        return
    row.key = key
    extra.frac = frac
    s.row_from = old_key if old_b == 0 else (-old_key if old_frac == 0 else -old_key - 1)
    shift_level(s, old_b, old_key, old_frac, -was_lots, s.zero - 1)
    s.row_was = shift_level(s, b, key, frac, lots, s.zero + 1)


@part
def clear_orders(s: Any, b: int) -> None:
    """Forget the orders of a side."""
    if s.orders_n == 0:
        return
    for slot in range(s.order_slots):
        while order_row(s, slot).tag != 0 and order_row(s, slot).tag & 1 == b:
            free_order(s, slot)


@part
def wipe_orders(s: Any) -> None:
    """Forget every order."""
    if s.orders_n == 0:
        return
    for slot in range(s.order_slots):
        order_row(s, slot).tag = 0
    s.orders_n = 0


@part
def order_side(s: Any, number: int) -> int:
    """Give the side of an order, 0 where it is not known."""
    row = order_row(s, order_slot(s, number))
    if row.tag == 0:
        return 0
    return 1 - 2 * (row.tag & 1)


@kernel
def readd_orders(state: Any, old: Any, extras: Any) -> int:
    """Copy every order of the tables until now into the new, empty ones."""
    s = state[0]
    for n in range(len(old)):
        row = old[n]
        if row.tag != 0:
            slot = order_slot(s, row.id)
            new = order_row(s, slot)
            new.id, new.key, new.lots, new.tag = row.id, row.key, row.lots, row.tag
            if row.tag & 2 != 0:
                copy_extra(extra_row(s, slot), extras[n])
    return 0

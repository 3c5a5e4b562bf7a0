"""The book: levels in a window of ticks on each side, and exactly everywhere else.

A side's window is a ring of cells, one a tick, with a bitmap of the occupied ones and a bitmap of the bitmap's words,
so that the next level is found in a few steps. A level outside the window, off the price grid or of a size off the
lot grid lies in the spill table, open addressing with backward-shift deletion, and counts for the best price just
the same. Which of the two holds a level is nobody's business and changes no result.
"""

from __future__ import annotations

from typing import Any

from feeds.events import NONE
from tapeview.engine._jit import high_bit, inlined, kernel, part, with_bit, without_bit
from tapeview.engine.state import (
    GROUPS,
    MASK,
    NEAR,
    NEED_CENTRE,
    NEED_SPILL,
    NO_KEY,
    REACH,
    SETTLE,
    TOUCH,
    WINDOW,
)  # fmt: skip
from tapeview.engine.tables import spill_row

_QUARTER = WINDOW // 4


@part
def next_below(s: Any, b: int, key: int) -> int:
    """Give the key of the nearest occupied window cell below an empty cell; NO_KEY where the window is empty."""
    if s.levels[b] == 0:
        return NO_KEY
    cell = key & MASK
    at = cell >> 6
    word = s.words[b, at] & ((1 << (cell & 63)) - 1)
    if word == 0:
        group = at >> 6
        word = s.groups[b, group] & ((1 << (at & 63)) - 1)
        while word == 0:
            # Cells above in the ring are lower keys, wrapped; the last turn comes back to the group it began in.
            group = (group - 1) & (GROUPS - 1)
            word = s.groups[b, group]
        at = (group << 6) | high_bit(word)
        word = s.words[b, at]
    found = (at << 6) | high_bit(word)
    return key - ((cell - found) & MASK)


@part
def spill_slot(s: Any, b: int, key: int, frac: int) -> int:
    """Find the slot of a spilled level, or the free slot where it would go."""
    mask = s.spill_slots - 1
    mixed = (key ^ (key >> 31) ^ (frac << 7)) & 0x7FFFFFFF
    slot = ((mixed * 0x5BD1E995 + b) >> 11) & mask
    while True:
        row = spill_row(s, slot)
        if row.side == 0 or (row.key == key and row.frac == frac and row.side == b + 1):
            return slot
        slot = (slot + 1) & mask


@part
def spill_home(s: Any, slot: int) -> int:
    """Give the slot where the search for a row begins."""
    row = spill_row(s, slot)
    key = row.key
    mixed = (key ^ (key >> 31) ^ (row.frac << 7)) & 0x7FFFFFFF
    return ((mixed * 0x5BD1E995 + row.side - 1) >> 11) & (s.spill_slots - 1)


@part
def spill_free(s: Any, slot: int) -> None:
    """Free a slot and draw later rows of its chain back."""
    mask = s.spill_slots - 1
    b = spill_row(s, slot).side - 1
    s.spilled[b] -= 1
    if spill_row(s, slot).fine_lots != NONE:
        s.off_lots[b] -= 1
    hole = slot
    probe = (slot + 1) & mask
    while spill_row(s, probe).side != 0:
        home = spill_home(s, probe)
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            a, c = spill_row(s, hole), spill_row(s, probe)
            a.key, a.frac, a.lots, a.fine_lots, a.orders, a.side = c.key, c.frac, c.lots, c.fine_lots, c.orders, c.side
            hole = probe
        probe = (probe + 1) & mask
    spill_row(s, hole).side = 0


@part
def spill_find_top(s: Any, b: int) -> None:
    """Look for the best spilled level of a side."""
    s.top_key[b] = NO_KEY
    s.top_frac[b] = 0
    s.top_lots[b] = 0
    s.top_orders[b] = 0
    s.top_stale[b] = 0
    if s.spilled[b] == 0:
        return
    for slot in range(s.spill_slots):
        row = spill_row(s, slot)
        if row.side == b + 1 and (row.key > s.top_key[b] or (row.key == s.top_key[b] and row.frac > s.top_frac[b])):
            s.top_key[b] = row.key
            s.top_frac[b] = row.frac
            s.top_lots[b] = row.lots
            s.top_orders[b] = row.orders


@part
def spill_set(s: Any, b: int, key: int, frac: int, lots: int, orders: int, fine_lots: int) -> int:
    """Set a level of the spill table, 0 lots deletes it; give the lots that were there."""
    slot = spill_slot(s, b, key, frac)
    row = spill_row(s, slot)
    was = 0
    at_top = key == s.top_key[b] and frac == s.top_frac[b]
    if row.side != 0:
        was = row.lots
        if lots == 0:
            spill_free(s, slot)
            if at_top:
                s.top_stale[b] = 1
            if s.spilled[b] == 0:
                spill_find_top(s, b)
            return was
        s.off_lots[b] -= 1 if row.fine_lots != NONE else 0
    elif lots == 0:
        return 0
    else:
        row.key, row.frac, row.side = key, frac, b + 1
        s.spilled[b] += 1
        if 2 * (s.spilled[0] + s.spilled[1] + 2) > s.spill_slots:
            s.need |= NEED_SPILL
    row.lots, row.orders, row.fine_lots = lots, orders, fine_lots
    s.off_lots[b] += 1 if fine_lots != NONE else 0
    if key > s.top_key[b] or (key == s.top_key[b] and frac >= s.top_frac[b]):
        s.top_key[b] = key
        s.top_frac[b] = frac
        s.top_lots[b] = lots
        s.top_orders[b] = orders
        s.top_stale[b] = 0
    return was


@part
def level_lots(s: Any, b: int, key: int, frac: int) -> int:
    """Give the lots of a level, 0 where there is none."""
    offset = key - s.low_key[b]
    if frac == 0 and offset >= 0 and offset < WINDOW:
        lots = s.lots[b, key & MASK]
        if lots != 0 or s.off_lots[b] == 0:
            return lots
    if s.spilled[b] == 0:
        return 0
    row = spill_row(s, spill_slot(s, b, key, frac))
    return row.lots if row.side != 0 else 0


@part
def level_orders(s: Any, b: int, key: int, frac: int) -> int:
    """Give the order count of a level."""
    offset = key - s.low_key[b]
    if frac == 0 and offset >= 0 and offset < WINDOW and s.lots[b, key & MASK] != 0:
        return s.zero + s.orders[b, key & MASK]
    if s.spilled[b] == 0:
        return 0
    row = spill_row(s, spill_slot(s, b, key, frac))
    return s.zero + row.orders if row.side != 0 else s.zero


@part
def survey_inside(s: Any, b: int) -> None:
    """Count depth and wall anew from a touch whose near levels all lie in the window, on grid and lot grid."""
    best = s.best[b]
    total = 0
    wall = 0
    at = 0
    for step in range(s.depth_ticks):
        lots = s.lots[b, (best - step) & MASK]
        total += lots
        at = step if lots > wall else at
        wall = max(wall, lots)
    s.depth[b] = total
    s.wall_lots[b] = wall
    s.wall_key[b] = best - at


@part
def survey(s: Any, b: int) -> None:
    """Count depth and wall anew from the touch of one side."""
    best = s.best[b]
    offset = best - s.low_key[b]
    if best != NO_KEY and s.off_lots[b] == 0 and offset < WINDOW and offset >= s.depth_ticks:
        survey_inside(s, b)
        return
    total = 0
    wall = 0
    at = 0
    if best != NO_KEY:
        for step in range(s.depth_ticks):
            lots = level_lots(s, b, best - step, s.zero)
            total += lots
            if lots > wall:
                wall = lots
                at = step
    s.depth[b] = total
    s.wall_lots[b] = wall
    s.wall_key[b] = best - at


@part
def watch_centre(s: Any, b: int, key: int) -> None:
    """Ask for the window to be moved when a new best has left its middle half."""
    offset = key - s.low_key[b]
    if key != NO_KEY and (offset < _QUARTER or offset >= 3 * _QUARTER):
        s.need |= NEED_CENTRE


@part
def settle(s: Any, b: int) -> None:
    """Find the best of window and spill together and survey the side from there."""
    if s.top_stale[b] != 0 and s.top_key[b] >= s.top_cell[b]:
        spill_find_top(s, b)
    key = s.top_cell[b]
    frac = 0
    lots = 0
    orders = 0
    if s.top_key[b] > key or (s.top_key[b] == key and s.top_frac[b] > 0):
        key = s.top_key[b]
        frac = s.top_frac[b]
        lots = s.top_lots[b]
        orders = s.top_orders[b]
    elif key != NO_KEY:
        lots = s.lots[b, key & MASK]
        orders = s.orders[b, key & MASK]
    if key != s.best[b] or frac != s.best_frac[b]:
        s.flag |= TOUCH | NEAR
        watch_centre(s, b, key)
    elif lots != s.best_lots[b] or orders != s.best_orders[b]:
        s.flag |= TOUCH | NEAR
    s.best[b] = key
    s.best_frac[b] = frac
    s.best_lots[b] = lots
    s.best_orders[b] = orders
    survey(s, b)


@part
def place_window(s: Any, middle: int) -> None:
    """Lay an empty window about a tick, as far as ticks go."""
    low = middle - WINDOW // 2
    low = max(low, -REACH)
    low = min(low, REACH)
    s.low_key[0] = low
    s.low_key[1] = -(low + WINDOW - 1)


@inlined
def put_cell(s: Any, b: int, cell: int, lots: int, orders: int) -> int:
    """Write a cell of the window and its bits; give the lots that were there."""
    was = s.lots[b, cell]
    s.lots[b, cell] = lots
    s.orders[b, cell] = orders
    if (was == 0) != (lots == 0):
        at = cell >> 6
        word = s.words[b, at]
        if lots != 0:
            s.words[b, at] = with_bit(word, cell & 63)
            if word == 0:
                s.groups[b, at >> 6] = with_bit(s.groups[b, at >> 6], at & 63)
            s.levels[b] += 1
        else:
            word = without_bit(word, cell & 63)
            s.words[b, at] = word
            if word == 0:
                s.groups[b, at >> 6] = without_bit(s.groups[b, at >> 6], at & 63)
            s.levels[b] -= 1
    return was


@inlined
def set_inside(s: Any, b: int, key: int, lots: int, orders: int) -> int:
    """Set a level of the window of a side without sizes off the lot grid; SETTLE in `flag` asks for `settle`."""
    cell = key & MASK
    orders_was = s.orders[b, cell]
    was = put_cell(s, b, cell, lots, orders)
    best = s.top_cell[b]
    if key >= best:
        if lots == 0:
            if was == 0:
                return 0
            if key == best:
                best = next_below(s, b, key)
                s.top_cell[b] = best
        elif key > best:
            best = key
            s.top_cell[b] = best
    if s.top_key[b] >= best or s.best_frac[b] != 0:
        s.flag |= SETTLE
        return was
    distance = best - key
    if best != s.best[b]:
        s.best[b] = best
        s.best_lots[b] = s.lots[b, best & MASK]
        s.best_orders[b] = s.orders[b, best & MASK]
        offset = best - s.low_key[b]
        if offset < _QUARTER or offset >= 3 * _QUARTER:
            s.need |= NEED_CENTRE
            s.flag |= SETTLE
        s.flag |= TOUCH | NEAR
        survey_inside(s, b)
    elif distance < s.depth_ticks:
        if was == 0 and lots == 0:
            return 0
        s.flag |= NEAR
        if distance == 0:
            if lots != was or orders != orders_was:
                s.flag |= TOUCH
            s.best_lots[b] = lots
            s.best_orders[b] = orders
        s.depth[b] += lots - was
        if lots > s.wall_lots[b] or (lots == s.wall_lots[b] and key > s.wall_key[b]):
            s.wall_lots[b] = lots
            s.wall_key[b] = key
        elif key == s.wall_key[b] and lots < was:
            survey_inside(s, b)
    return was


@part
def settle_after(s: Any, b: int, key: int, was: int, lots: int) -> None:
    """Settle a side after `set_inside` asked for it."""
    settle(s, b)
    if s.best[b] - key < s.depth_ticks and (was != 0 or lots != 0):
        s.flag |= NEAR


@part
def set_outside(s: Any, b: int, key: int, frac: int, lots: int, orders: int, fine_lots: int) -> int:
    """Set a level wherever it belongs, beside any kind of level."""
    offset = key - s.low_key[b]
    zero = s.zero
    was = 0
    if offset >= 0 and offset < WINDOW and frac == 0:
        if s.off_lots[b] != 0:
            was = spill_set(s, b, key, frac, zero, zero, s.none)
        if fine_lots == NONE:
            was += put_cell(s, b, key & MASK, lots, orders)
        else:
            was += put_cell(s, b, key & MASK, zero, zero)
            spill_set(s, b, key, frac, lots, orders, fine_lots)
        if lots != 0 and fine_lots == NONE:
            s.top_cell[b] = max(s.top_cell[b], key)
        elif key == s.top_cell[b]:
            s.top_cell[b] = next_below(s, b, key)
    else:
        was = spill_set(s, b, key, frac, lots, orders, fine_lots)
    if was == 0 and lots == 0:
        return 0
    settle(s, b)
    if s.best[b] - key < s.depth_ticks:
        s.flag |= NEAR
    return was


@part
def set_level(s: Any, b: int, key: int, frac: int, lots: int, orders: int, fine_lots: int) -> int:
    """Set a level to absolute lots, 0 deletes it; give the lots that were there and mark what changed in `flag`."""
    if lots == 0:
        orders = 0
    offset = key - s.low_key[b]
    out = offset < 0 or offset >= WINDOW
    if out and s.levels[0] == 0 and s.levels[1] == 0 and s.spilled[0] == 0 and s.spilled[1] == 0:
        place_window(s, key if b == 0 else -key)
        offset = key - s.low_key[b]
    if frac != 0 or fine_lots != NONE or s.off_lots[b] != 0 or offset < 0 or offset >= WINDOW:
        return set_outside(s, b, key, frac, lots, orders, fine_lots)
    was = set_inside(s, b, key, lots, orders)
    if s.flag & SETTLE != 0:
        settle_after(s, b, key, was, lots)
    return was


@part
def clear_side(s: Any, b: int) -> None:
    """Forget every level of a side."""
    for group in range(GROUPS):
        while s.groups[b, group] != 0:
            bit = high_bit(s.groups[b, group])
            s.groups[b, group] = without_bit(s.groups[b, group], bit)
            at = (group << 6) | bit
            while s.words[b, at] != 0:
                place = high_bit(s.words[b, at])
                s.words[b, at] = without_bit(s.words[b, at], place)
                s.lots[b, (at << 6) | place] = 0
                s.orders[b, (at << 6) | place] = 0
    if s.spilled[b] != 0:
        for slot in range(s.spill_slots):
            while spill_row(s, slot).side == b + 1:
                spill_free(s, slot)
    s.levels[b] = 0
    s.top_cell[b] = NO_KEY
    spill_find_top(s, b)
    settle(s, b)


@kernel
def relay(state: Any, old: Any, middle: int, move: int) -> int:
    """Lay every level out anew into an empty spill table, after moving the window about a tick if `move` is set.

    `old` is the spill table until now; the new one has at least twice as many slots as there are levels in all.
    """
    s = state[0]
    flag = s.flag
    was = (s.low_key[0], s.low_key[1])
    if move != 0:
        place_window(s, middle)
    for b in range(2):
        low = was[b]
        s.spilled[b] = 0
        s.off_lots[b] = 0
        s.top_key[b] = NO_KEY
        s.top_stale[b] = 0
        if s.low_key[b] != low:
            s.top_cell[b] = NO_KEY
            for cell in range(WINDOW):
                lots = s.lots[b, cell]
                if lots == 0:
                    continue
                key = low + ((cell - low) & MASK)
                offset = key - s.low_key[b]
                if offset < 0 or offset >= WINDOW:
                    spill_set(s, b, key, s.zero, lots, s.zero + s.orders[b, cell], s.none)
                    put_cell(s, b, cell, s.zero, s.zero)
                elif key > s.top_cell[b]:
                    s.top_cell[b] = key
    for slot in range(len(old)):
        row = old[slot]
        if row.side == 0:
            continue
        b = s.zero + row.side - 1
        offset = row.key - s.low_key[b]
        if row.frac == 0 and row.fine_lots == NONE and offset >= 0 and offset < WINDOW:
            put_cell(s, b, row.key & MASK, row.lots, s.zero + row.orders)
            s.top_cell[b] = max(s.top_cell[b], row.key)
        else:
            spill_set(s, b, row.key, row.frac, row.lots, s.zero + row.orders, row.fine_lots)
    for b in range(2):
        spill_find_top(s, b)
        settle(s, b)
    s.flag = flag
    return 0

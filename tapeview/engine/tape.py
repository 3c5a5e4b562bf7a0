"""The tape: prints raw and merged, volume at price, session totals and extremes, meters, bars.

Only kinds of print in FLOW_PRINTS count; the others are on the tape with their kind and in no sum.
"""

from __future__ import annotations

from typing import Any

from feeds.events import BUST, FLOW_PRINTS, IMPLIED, NONE, OTHER, S_LIVE
from tapeview.engine._jit import high_bit, inlined, kernel, part
from tapeview.engine.state import (
    BIG,
    BUCKETS,
    BUSTED,
    FLOW_LIMIT,
    HIGH,
    IMPLIED_SIDE,
    LOW,
    MERGED,
    MINUTE_BARS,
    NEED_FLOW,
    NEED_PAGES,
    NO_KEY,
    OFF_GRID_PRINT,
    P_ABOVE_ASK,
    P_AT_ASK,
    P_AT_BID,
    P_BELOW_BID,
    P_BETWEEN,
    P_UNKNOWN,
    PAGE,
    RING,
    SECOND_BARS,
)  # fmt: skip
from tapeview.engine.tables import bar_row, cell_row, flow_row, merged_row, page_row, ring_row
from tapeview.engine.vwap import mean_and_sigma, unweigh, weigh

_SECOND = 1_000_000_000
_BIG_EVERY = 128
"""Merged prints between two looks for the size that counts as big."""
_BIG_LEAST = 64
"""Merged prints seen before any counts as big."""
_BIG_MEMORY = 16_384
"""Prints after which older ones count half."""
_SHARE = 10_000


@part
def page_slot(s: Any, page: int) -> int:
    """Find the slot of a page of ticks, or the free slot where it would go."""
    mask = s.page_slots - 1
    mixed = (page ^ (page >> 31)) & 0x7FFFFFFF
    slot = ((mixed * 0x5BD1E995) >> 11) & mask
    while page_row(s, slot).at != 0 and page_row(s, slot).page != page:
        slot = (slot + 1) & mask
    return slot


@inlined
def cell_of(s: Any, tick: int) -> int:
    """Give the place of a tick's volume of unknown side, sold before and bought after it; make its page if new."""
    page = tick >> 6
    if page != s.last_page or s.last_page_at == 0:
        slot = page_row(s, page_slot(s, page))
        if slot.at == 0:
            s.pages_n += 1
            slot.page = page
            slot.at = s.pages_n
            if 2 * (s.pages_n + 2) > s.page_slots:
                s.need |= NEED_PAGES
        s.last_page = page
        s.last_page_at = slot.at
    return ((s.last_page_at - 1) * PAGE + (tick & (PAGE - 1))) * 3 + 1


@kernel
def readd_pages(state: Any, old: Any) -> int:
    """Copy every page slot of the table until now into the new, empty one."""
    s = state[0]
    for n in range(len(old)):
        if old[n].at != 0:
            slot = page_row(s, page_slot(s, old[n].page))
            slot.page = old[n].page
            slot.at = old[n].at
    return 0


@inlined
def place_of(s: Any, tick: int, frac: int, side: int) -> int:
    """Say where a print falls against the touch."""
    bid, ask = s.best[0], s.best[1]
    if s.phase != S_LIVE or (bid == NO_KEY and ask == NO_KEY):
        return P_UNKNOWN
    key = tick
    to_bid = -1
    if bid != NO_KEY:
        above = key > bid or (key == bid and frac > s.best_frac[0])
        to_bid = 1 if above else (0 if key == bid and frac == s.best_frac[0] else -1)
    to_ask = 1
    if ask != NO_KEY:
        mirror = -tick if frac == 0 else -tick - 1
        mirror_frac = 0 if frac == 0 else s.fine - frac
        beyond = mirror < ask or (mirror == ask and mirror_frac < s.best_frac[1])
        to_ask = 1 if beyond else (0 if mirror == ask and mirror_frac == s.best_frac[1] else -1)
    if bid == NO_KEY:
        return P_ABOVE_ASK if to_ask > 0 else (P_AT_ASK if to_ask == 0 else P_UNKNOWN)
    if ask == NO_KEY:
        return P_BELOW_BID if to_bid < 0 else (P_AT_BID if to_bid == 0 else P_UNKNOWN)
    if to_bid > 0:
        return P_ABOVE_ASK if to_ask > 0 else (P_AT_ASK if to_ask == 0 else P_BETWEEN)
    if to_ask < 0:
        return P_BELOW_BID if to_bid < 0 else P_AT_BID
    # Locked or crossed: the price is at or through both.
    return P_AT_ASK if side > 0 else (P_AT_BID if side < 0 else P_BETWEEN)


@part
def expire(s: Any, now_ns: int) -> None:
    """Let prints older than the meters' lengths leave them: a meter is the whole flow less what has left."""
    mask = s.flow_slots - 1
    prints = s.prints
    s.meter_ns = now_ns
    for n in range(3):
        edge = now_ns - (5 if n == 0 else (15 if n == 1 else 60)) * _SECOND
        head = s.meter_head[n]
        while head < prints:
            row = flow_row(s, head & mask)
            if row.recv_ns > edge:
                break
            s.meter_left[n, row.side + 1] += row.lots
            s.meter_left[n, 3] += row.count
            head += 1
        s.meter_head[n] = head


@inlined
def count_bar(s: Any, which: int, now_ns: int) -> int:
    """Give the place of the bar now running, a new one where the last has ended."""
    first = SECOND_BARS * which
    room = SECOND_BARS if which == 0 else MINUTE_BARS
    n = s.bar_n[which]
    if now_ns < s.bar_end_ns[which]:
        return first + ((n - 1) & (room - 1))
    length = _SECOND if which == 0 else 60 * _SECOND
    start = now_ns - now_ns % length
    s.bar_end_ns[which] = start + length
    s.bar_n[which] = n + 1
    at = first + (n & (room - 1))
    bar = bar_row(s, at)
    bar.start_ns = start
    bar.open, bar.high, bar.low, bar.close = s.close, s.close, s.close, s.close
    bar.volume, bar.delta, bar.trades, bar.gap = 0, 0, 0, 0
    bar.cvd, bar.vwap, bar.sigma = s.flow_lots[2] - s.flow_lots[0], s.vwap, s.sigma
    return at


@inlined
def bar_print(s: Any, tick: int, side: int, lots: int) -> None:
    """Count a print of the flow in the running bars."""
    for which in range(2):
        bar = bar_row(s, count_bar(s, which, s.now_ns))
        if bar.trades == 0:
            bar.open, bar.high, bar.low = tick, tick, tick
        bar.high = max(bar.high, tick)
        bar.low = min(bar.low, tick)
        bar.close = tick
        bar.volume += lots
        bar.delta += side * lots
        bar.trades += 1
        bar.cvd, bar.vwap, bar.sigma = s.flow_lots[2] - s.flow_lots[0], s.vwap, s.sigma


@part
def unbar(s: Any, which: int, recv_ns: int, side: int, lots: int) -> None:
    """Take a print back from the bar it fell in, as far as bars are kept; its prices stay."""
    first = 0 if which == 0 else SECOND_BARS
    room = SECOND_BARS if which == 0 else MINUTE_BARS
    n = s.bar_n[which] - 1
    while n >= 0 and n > s.bar_n[which] - room and bar_row(s, first + (n & (room - 1))).start_ns > recv_ns:
        n -= 1
    if n >= 0 and bar_row(s, first + (n & (room - 1))).start_ns <= recv_ns:
        bar = bar_row(s, first + (n & (room - 1)))
        bar.volume -= lots
        bar.delta -= side * lots
        bar.trades -= 1


@part
def bucket_of(lots: int) -> int:
    """Give the bucket of a print's size: the size itself below 16, then 16 to an octave."""
    if lots < 16:
        return lots
    octave = high_bit(lots)
    return (octave - 3) * 16 + ((lots >> (octave - 4)) & 15)


@part
def bucket_floor(bucket: int) -> int:
    """Give the smallest size of a bucket."""
    if bucket < 16:
        return bucket
    return (16 + (bucket & 15)) << ((bucket >> 4) - 1)


@part
def learn_size(s: Any, lots: int) -> None:
    """Count a finished merged print and now and then find the size that only the largest few reach."""
    bucket = bucket_of(lots)
    s.size_counts[bucket] += 1
    if bucket >= s.size_top:
        s.size_top = bucket + 1
    s.big_n += 1
    s.big_next -= 1
    if s.big_n >= _BIG_MEMORY:
        s.big_n = 0
        for n in range(BUCKETS):
            s.size_counts[n] >>= 1
            s.big_n += s.size_counts[n]
    if s.big_next <= 0 and s.big_n >= _BIG_LEAST:
        s.big_next = _BIG_EVERY
        most = s.big_n * (_SHARE - s.big_share)
        above = 0
        n = s.size_top
        while n > 0 and (above + s.size_counts[n - 1]) * _SHARE <= most:
            n -= 1
            above += s.size_counts[n]
        s.big_lots = bucket_floor(n)


@inlined
def put_print(s: Any, at: int, event: Any, tick: int, fine: int, lots: int, fine_lots: int, kind: int) -> None:
    """Write a new print into a ring."""
    row = ring_row(s, at)
    row.seq, row.last_seq, row.recv_ns, row.exch_ns = event.seq, event.seq, event.recv_ns, event.exch_ns
    row.tick, row.fine, row.lots, row.fine_lots, row.ref = tick, fine, lots, fine_lots, event.ref
    row.count, row.side, row.kind = 1, event.side, kind
    row.marks = (OFF_GRID_PRINT if fine != NONE else 0) | (IMPLIED_SIDE if event.marks & IMPLIED != 0 else 0)
    row.place, row.lean, row.flow = 0, 0, 0


@inlined
def merge_print(s: Any, at: int) -> None:
    """Join the raw print at `at` to the newest merged one, or begin another."""
    raw = ring_row(s, at)
    row = merged_row(s, (s.merged_n - 1) & (MERGED - 1))
    # Between times of noise the difference may wrap, to below 0.
    since = raw.recv_ns - row.recv_ns if raw.recv_ns >= row.recv_ns else s.none
    if (
        s.merged_n > 0
        and row.side == raw.side
        and row.tick == raw.tick
        and row.fine == raw.fine
        and row.kind == raw.kind
        and raw.kind != BUST
        and since >= 0
        and since <= s.merge_ns
        and row.fine_lots == NONE
        and raw.fine_lots == NONE
    ):
        row.last_seq = raw.seq
        row.lots += raw.lots
        row.count += 1
        row.marks |= raw.marks
    else:
        if s.merged_n > 0 and (FLOW_PRINTS >> row.kind) & 1 != 0 and row.lots > 0:
            learn_size(s, row.lots)
        row = merged_row(s, s.merged_n & (MERGED - 1))
        s.merged_n += 1
        row.seq, row.last_seq, row.recv_ns, row.exch_ns = raw.seq, raw.seq, raw.recv_ns, raw.exch_ns
        row.tick, row.fine, row.lots, row.fine_lots, row.ref = raw.tick, raw.fine, raw.lots, raw.fine_lots, raw.ref
        row.count, row.side, row.place, row.kind, row.lean = 1, raw.side, raw.place, raw.kind, raw.lean
        row.marks, row.flow = raw.marks, raw.flow
    if s.big_lots > 0 and row.lots >= s.big_lots and (FLOW_PRINTS >> row.kind) & 1 != 0:
        row.marks |= BIG


@part
def is_print(row: Any, ref: int, tick: int, fine: int, lots: int, side: int) -> bool:
    """Say whether a raw print is the one a BUST names."""
    if row.kind == BUST:
        return False
    if ref != NONE:
        return row.ref == ref
    return row.marks & BUSTED == 0 and row.tick == tick and row.fine == fine and row.lots == lots and row.side == side


@part
def mark_merged(s: Any, seq: int) -> None:
    """Mark the merged print that holds a raw one as busted, as far as merged prints are kept."""
    n = s.merged_n - 1
    while n >= 0 and n > s.merged_n - MERGED and merged_row(s, n & (MERGED - 1)).seq > seq:
        n -= 1
    if n >= 0:
        row = merged_row(s, n & (MERGED - 1))
        if row.seq <= seq and row.last_seq >= seq:
            row.marks |= BUSTED


@part
def take_back(s: Any, event: Any, tick: int, fine: int, lots: int) -> None:
    """Undo an earlier print: found by its trade id, or without one by price, size and side.

    One that is not among the prints kept is undone as the row states it, unless all prints are still there.
    """
    mask = RING - 1
    s.n_busts += 1
    # The bust's own row already lies in the slot of the oldest print.
    oldest = s.ring_n - mask if s.ring_n > mask else 0
    n = s.ring_n - 1
    while n >= oldest and not is_print(ring_row(s, n & mask), event.ref, tick, fine, lots, event.side):
        n -= 1
    side = event.side
    if n >= oldest:
        row = ring_row(s, n & mask)
        if row.marks & BUSTED != 0:
            s.n_busts_unknown += 1
            return
        tick, fine, lots, side = row.tick, row.fine, row.lots, row.side
        row.marks |= BUSTED
        mark_merged(s, row.seq)
        if (FLOW_PRINTS >> row.kind) & 1 == 0:
            return
        back = (s.prints - row.flow) & 0xFFFFFFFF
        if back <= s.flow_slots:
            at = s.prints - back
            moved = flow_row(s, at & (s.flow_slots - 1))
            moved.lots, moved.count = 0, 0
            for k in range(3):
                if at < s.meter_head[k]:
                    s.meter_left[k, side + 1] -= lots
                    s.meter_left[k, 3] -= 1
        for k in range(2):
            unbar(s, k, row.recv_ns, side, lots)
    else:
        s.n_busts_unknown += 1
        if oldest == 0:
            return
    frac = 0 if fine == NONE else fine - tick * s.fine
    s.flow_lots[side + 1] -= lots
    s.flow_lots[3] -= 1
    cell_row(s, cell_of(s, tick) + side).lots -= lots
    if (tick == s.high and frac == s.high_frac) or (tick == s.low and frac == s.low_frac):
        s.n_busts_of_extremes += 1
    unweigh(s, tick, frac, lots, n)
    mean_and_sigma(s)


@part
def make_flow_room(s: Any) -> None:
    """Let prints leave the meters where the flow's table is full, and ask for a longer one where none may."""
    expire(s, s.now_ns)
    if 2 * (s.prints - s.meter_head[2]) < s.flow_slots:
        return
    if s.flow_slots < FLOW_LIMIT:
        s.need |= NEED_FLOW
        return
    s.n_meter_short += 1
    for n in range(3):
        if s.prints - s.meter_head[n] >= s.flow_slots:
            row = flow_row(s, s.meter_head[n] & (s.flow_slots - 1))
            s.meter_left[n, row.side + 1] += row.lots
            s.meter_left[n, 3] += row.count
            s.meter_head[n] += 1


@inlined
def record_trade(s: Any, event: Any, tick: int, frac: int, lots: int, fine_lots: int) -> None:
    """Put a TRADE on the tape and into every sum it belongs to."""
    kind = event.aux
    if kind < 0 or kind > OTHER:
        kind = OTHER
    side = event.side
    at = s.ring_n & (RING - 1)
    put_print(s, at, event, tick, NONE if frac == 0 else tick * s.fine + frac, lots, fine_lots, kind)
    row = ring_row(s, at)
    s.flow_ns = s.now_ns
    if kind == BUST:
        take_back(s, event, tick, row.fine, lots)
    else:
        row.place = place_of(s, tick, frac, side)
    s.row_place = row.place
    if (FLOW_PRINTS >> kind) & 1 != 0:
        if s.prints != 0:
            if tick > s.close or (tick == s.close and frac > s.close_frac):
                s.lean = 1
            elif tick < s.close or frac < s.close_frac:
                s.lean = -1
            if tick > s.high or (tick == s.high and frac > s.high_frac):
                s.high, s.high_frac = tick, frac
                row.marks |= HIGH
            if tick < s.low or (tick == s.low and frac < s.low_frac):
                s.low, s.low_frac = tick, frac
                row.marks |= LOW
        else:
            s.open, s.open_frac, s.high, s.high_frac, s.low, s.low_frac = tick, frac, tick, frac, tick, frac
            s.first_ns = event.recv_ns
        s.close, s.close_frac, s.last_ns = tick, frac, event.recv_ns
        if frac != 0:
            s.has_frac = 1
        if weigh(s, tick, frac, lots) == 0:
            s.n_vwap_left_out += 1
        row.flow = s.prints & 0xFFFFFFFF
        moved = flow_row(s, s.prints & (s.flow_slots - 1))
        moved.recv_ns, moved.tick, moved.lots, moved.side, moved.count = event.recv_ns, tick, lots, side, 1
        s.prints += 1
        s.flow_lots[side + 1] += lots
        s.flow_lots[3] += 1
        cell_row(s, cell_of(s, tick) + side).lots += lots
        mean_and_sigma(s)
        bar_print(s, tick, side, lots)
        if s.big_lots > 0 and lots >= s.big_lots:
            row.marks |= BIG
        if s.prints - s.meter_head[2] >= s.flow_slots:
            make_flow_room(s)
    row.lean = s.lean
    merge_print(s, at)
    s.ring_n += 1


@part
def pace_step(s: Any, now_ns: int) -> None:
    """Move the mean of the 15 s print count, once a second of CLOCK rows."""
    if now_ns % _SECOND == 0:
        s.pace_mean += (((s.flow_lots[3] - s.meter_left[1, 3]) << 16) - s.pace_mean) >> 6
        s.pace_ns = now_ns

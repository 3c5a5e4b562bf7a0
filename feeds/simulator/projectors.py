"""What weaker feeds tell of an order-by-order tape: levels by match event, levels by interval, best quotes.

All of it is numpy over whole tapes. `Depth` is the history of every level, computed once: an order's lots from its
own rows, a level's from its orders'.

Tier B: for every message the levels it changed, absolute, after its prints, closed by LAST; so a trade and what it did
to the book share a message, and h = V - (Q- - Q+) of a level counts what was executed without being displayed.
Tier C: levels that are different at the end of an interval, in one message that is received some time after it; prints
on a channel of their own with a lag of N(35, 15) ms, so that some of them come after the depth they changed.
Tier D: prints, and the best prices as QUOTE rows where they changed.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    CANCEL,
    CLEAR,
    FACT,
    FILL,
    LAST,
    MODIFY,
    NO_BOOK,
    QUOTE,
    SNAPSHOT,
    TRADE,
    Events,
    empty,
)
from feeds.simulator.draws import CELLS, BlockDraws
from feeds.simulator.state import NO_ASK, NO_BID

CONFLATIONS_MS: Final = (50, 100, 250, 1000)
"""Intervals tier C is made for."""
LAG_NS: Final = 35_000_000
LAG_DEVIATION_NS: Final = 15_000_000
DEPTH_LAG_NS: Final = {50: 47_000_000, 100: 41_000_000, 250: 31_000_000, 1000: 4_000_000}
"""From an interval's end to its message, by interval in ms: so 2 to 4 % of prints come after their depth."""
_JITTER_NS: Final = 2_000_000
_IS_ORDER: Final = np.isin(np.arange(256), (ADD, MODIFY, CANCEL, FILL))
_Ints = NDArray[np.int64]


class Depth(NamedTuple):
    """Every change of a level in the order of the rows; lots and orders are those after it."""

    row: _Ints
    side: _Ints
    tick: _Ints
    lots: _Ints
    orders: _Ints


def depth_of(rows: Events) -> Depth:
    """Follow every order and every level of a tier A tape that starts with its whole book."""
    kinds = rows["kind"]
    at = np.flatnonzero(_IS_ORDER[kinds])
    at = at[(kinds[at] != FILL) | (rows["marks"][at] & NO_BOOK == 0)]
    refs = rows["ref"][at]
    by_ref = np.argsort(refs, kind="stable")
    by_order, ref = at[by_ref], refs[by_ref]
    kind, lots, sides = kinds[by_order], rows["lots"][by_order], rows["side"][by_order].astype(np.int64)
    first = np.ones(len(ref), dtype=bool)
    first[1:] = ref[1:] != ref[:-1]
    place = np.arange(len(ref))
    # Fills and cancels take from what the order last stated; its place is what it last stated too.
    takes = (kind == FILL) | ((kind == CANCEL) & (lots > 0))
    anchor = np.maximum.accumulate(np.where(takes, 0, place))
    stated = np.maximum.accumulate(np.where((kind == ADD) | (kind == MODIFY), place, 0))
    tick, sides = rows["tick"][by_order][stated], sides[stated]
    told = np.where(kind == CANCEL, 0, lots)
    taken = np.cumsum(np.where(takes, lots, 0))
    after = told[anchor] - (taken - taken[anchor])
    before = np.where(first, 0, np.roll(after, 1))
    old_tick = np.where(first, tick, np.roll(tick, 1))
    moved = old_tick != tick
    # An order that moves leaves one level and joins another; everything else is one change of one level.
    joins = np.where(moved, after, after - before)
    joined = np.where(moved, 1, (before == 0).astype(np.int64) - (after == 0))
    row = np.concatenate([by_order[moved], by_order])
    side = np.concatenate([sides[moved], sides])
    where = np.concatenate([old_tick[moved], tick])
    change = np.concatenate([-before[moved], joins])
    count = np.concatenate([np.full(int(moved.sum()), -1), joined])
    back = np.argsort(row, kind="stable")
    row, side, where, change, count = row[back], side[back], where[back], change[back], count[back]
    level = where * 2 + (side < 0)
    by_level = np.argsort(level, kind="stable")
    start = np.ones(len(level), dtype=bool)
    start[1:] = level[by_level][1:] != level[by_level][:-1]
    lots_after, orders_after = np.empty_like(change), np.empty_like(count)
    lots_after[by_level] = _running(change[by_level], start)
    orders_after[by_level] = _running(count[by_level], start)
    return Depth(row, side, where, lots_after, orders_after)


def _running(values: _Ints, start: NDArray[np.bool_]) -> _Ints:
    """Sums within groups that begin where `start` is set."""
    total = np.cumsum(values)
    return total - _held(total - values, start)


def _held(values: _Ints, start: NDArray[np.bool_]) -> _Ints:
    """At each place the value at the beginning of its group."""
    return values[np.maximum.accumulate(np.where(start, np.arange(len(values)), 0))]


def _last_of(group: _Ints, depth: Depth) -> _Ints:
    """Places of the last change of each level within each group; groups never go back."""
    low = int(depth.tick.min()) if len(depth.tick) else 0
    wide = (int(depth.tick.max()) - low + 1) * 2 if len(depth.tick) else 1
    key = group * wide + (depth.tick - low) * 2 + (depth.side < 0)
    order = np.argsort(key, kind="stable")
    last = np.ones(len(key), dtype=bool)
    last[:-1] = key[order][1:] != key[order][:-1]
    return order[last]


def _book_rows(depth: Depth, places: _Ints, update: _Ints, *, counts: bool) -> Events:
    rows = empty(len(places))
    rows["kind"], rows["side"], rows["tick"] = BOOK, depth.side[places], depth.tick[places]
    rows["lots"], rows["ref"] = depth.lots[places], update
    if counts:
        rows["aux"] = depth.orders[places]
    return rows


def _messages(rows: Events) -> _Ints:
    ends = rows["marks"] & LAST != 0
    return np.cumsum(ends) - ends


def _closed(rows: Events, group: _Ints) -> Events:
    """Set LAST on the last row of each group and on no other."""
    rows["marks"] &= np.uint16(0xFFFF ^ LAST)
    last = np.ones(len(rows), dtype=bool)
    last[:-1] = group[1:] != group[:-1]
    rows["marks"][last] |= LAST
    return rows


def to_b(rows: Events, depth: Depth | None = None) -> Events:
    """Project a tier A tape to tier B; times are kept, receive times equal those of the messages."""
    depth = depth or depth_of(rows)
    message = _messages(rows)
    places = _last_of(message[depth.row], depth)
    book = _book_rows(depth, places, message[depth.row][places], counts=True)
    source = depth.row[places]
    book["exch_ns"], book["recv_ns"] = rows["exch_ns"][source], rows["recv_ns"][source]
    book["marks"] = rows["marks"][source] & SNAPSHOT
    others = np.flatnonzero(~_IS_ORDER[rows["kind"]])
    kept = rows[others]
    # In a message: CLEAR, prints and facts, then levels, then the phase.
    rank = np.where(kept["kind"] == CLEAR, 0, np.where((kept["kind"] == TRADE) | (kept["kind"] == FACT), 1, 3))
    group = np.concatenate([message[others], message[depth.row][places]])
    whole = np.concatenate([kept, book])
    order = np.argsort(4 * group + np.concatenate([rank, np.full(len(book), 2)]), kind="stable")
    return _closed(whole[order], group[order])


def to_c(rows: Events, conflate_ms: int, seed: int, depth: Depth | None = None) -> Events:
    """Project a tier A tape to tier C with messages every `conflate_ms`; receive times are made anew from the seed."""
    depth = depth or depth_of(rows)
    step = conflate_ms * 1_000_000
    opening = rows["marks"] & SNAPSHOT != 0
    start = int(rows["exch_ns"][0])
    # The opening snapshot is interval 0; a change at the end of an interval belongs to the next one.
    interval = np.where(opening, 0, (rows["exch_ns"] - start) // step + 1)
    places = _changed(depth, _last_of(interval[depth.row], depth))
    number = interval[depth.row[places]]
    by_number = np.argsort(number, kind="stable")
    places, number = places[by_number], number[by_number]
    book = _book_rows(depth, places, number, counts=False)
    book["marks"] = np.where(number == 0, SNAPSHOT, 0)
    others = np.flatnonzero(~_IS_ORDER[rows["kind"]] & (rows["kind"] != TRADE))
    told, told_number = rows[others], interval[others]
    channel = np.concatenate([told, book])
    group = np.concatenate([told_number, number])
    rank = np.where(channel["kind"] == CLEAR, 0, np.where(channel["kind"] == BOOK, 1, 2))
    order = np.argsort(4 * group + rank, kind="stable")
    channel, group = channel[order], group[order]
    channel["exch_ns"] = start + group * step
    draws = BlockDraws(seed, 0x63)
    jitter = (draws.words(int(group[-1]) + 1 if len(group) else 0) & np.uint64(CELLS - 1)).astype(np.int64)
    channel["recv_ns"] = channel["exch_ns"] + DEPTH_LAG_NS[conflate_ms] + jitter[group] * _JITTER_NS // CELLS
    channel = _closed(channel, group)
    trades = rows[rows["kind"] == TRADE].copy()
    trades["marks"] |= LAST
    trades["recv_ns"] = np.maximum.accumulate(trades["exch_ns"] + _lags(draws, len(trades)))
    whole = np.concatenate([channel, trades])
    out = whole[np.argsort(whole["recv_ns"], kind="stable")]  # the depth first where both come at once
    opens = int(np.count_nonzero(channel["marks"] & SNAPSHOT))
    return _opening_first(out, opens)


def _opening_first(rows: Events, opens: int) -> Events:
    """Nothing comes before the snapshot a session opens with."""
    first = rows["marks"] & SNAPSHOT != 0
    if not opens or first[:opens].all():
        return rows
    rows = np.concatenate([rows[first], rows[~first]])
    rows["recv_ns"] = np.maximum.accumulate(rows["recv_ns"])
    return rows


def _changed(depth: Depth, places: _Ints) -> _Ints:
    """Of the last changes of levels in their intervals, those that leave other lots than the interval before."""
    level = depth.tick[places] * 2 + (depth.side[places] < 0)
    order = np.argsort(level, kind="stable")  # the places go on with the intervals
    lots, same = depth.lots[places][order], np.zeros(len(places), dtype=bool)
    same[1:] = level[order][1:] == level[order][:-1]
    was = np.where(same, np.roll(lots, 1), 0)
    return places[order[lots != was]]


def _lags(draws: BlockDraws, n: int) -> _Ints:
    """Lags of N(35, 15) ms, at least 1 ms: the sum of four 16-bit words, whole microseconds."""
    words = draws.words(n)
    total = np.zeros(n, np.int64)
    for shift in (0, 16, 32, 48):
        total += (words >> np.uint64(shift) & np.uint64(0xFFFF)).astype(np.int64)
    lag = LAG_NS + (total - 131_070) * LAG_DEVIATION_NS // 37_837
    return np.maximum(lag, 1_000_000) // 1000 * 1000


def to_d(rows: Events, tops: NDArray[Any]) -> Events:
    """Project to tier D, from the best prices after each message (`Exchange.tops`); times are kept."""
    ends = np.flatnonzero(rows["marks"] & LAST)
    message = _messages(rows)
    parts, groups = [], []
    for side, name, none in ((BID, "bid", NO_BID), (ASK, "ask", NO_ASK)):
        tick, lots = tops[name], tops[f"{name}_lots"]
        new = np.ones(len(tops), dtype=bool)
        new[1:] = (tick[1:] != tick[:-1]) | (lots[1:] != lots[:-1])
        at = np.flatnonzero(new)
        quotes = empty(len(at))
        quotes["kind"], quotes["side"], quotes["ref"] = QUOTE, side, at
        gone = tick[at] == none
        quotes["tick"], quotes["lots"] = np.where(gone, 0, tick[at]), np.where(gone, 0, lots[at])
        quotes["exch_ns"], quotes["recv_ns"] = rows["exch_ns"][ends[at]], rows["recv_ns"][ends[at]]
        parts.append(quotes)
        groups.append(message[ends[at]])
    others = np.flatnonzero(~np.isin(rows["kind"], (ADD, MODIFY, CANCEL, FILL, CLEAR)))
    kept = rows[others]
    kept["marks"] &= np.uint16(0xFFFF ^ SNAPSHOT)
    whole = np.concatenate([kept, *parts])
    group = np.concatenate([message[others], *groups])
    rank = np.concatenate([np.where(kept["kind"] == TRADE, 0, 2), *(np.ones(len(p), np.int64) for p in parts)])
    order = np.lexsort((rank, group))
    return _closed(whole[order], group[order])

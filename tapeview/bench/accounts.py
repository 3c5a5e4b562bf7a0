"""What a feed of levels and prints tells of every print: the account of its match event and price.

Rows of orders are followed by the engine, so that orders nobody told of before do no harm; rows of one venue time are
one match event. Within it, what traded at a price less what its level lost is h = V - (Q- - Q+).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import (
    ADD,
    CANCEL,
    CLEAR,
    CLOCK,
    FILL,
    FLOW_PRINTS,
    HIDDEN,
    LAST,
    MODIFY,
    NONE,
    OFF_GRID,
    SNAPSHOT,
    TRADE,
    Events,
)
from feeds.instruments import Instrument
from feeds.simulator.projectors import Depth

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Prints(NamedTuple):
    """Every print of the flow with a side, in order."""

    time_ns: Ints
    side: Ints
    """Of the order that rested."""
    tick: Ints
    lots: Ints
    event: Ints
    """Number of its match event."""
    hidden: Bools
    on_grid: Bools
    shown: Bools
    """Whether lots were displayed at its price at the beginning of its match event."""
    over: Ints
    """What its match event left over at its price: h."""


class Book(NamedTuple):
    """A tape of orders and every change of a level in it."""

    rows: Events
    """Without CLOCK rows; rows of one venue time are one message."""
    depth: Depth
    before: Ints
    """Lots of the level before each change of it."""


def is_print(rows: Events) -> Bools:
    """Which rows are prints."""
    found: Bools = rows["kind"] == TRADE
    return found


def followed(rows: Events, instrument: Instrument) -> Book:
    """Follow a tape of orders, CLOCK rows and all, through an engine."""
    from tapeview.engine import Engine, warm
    from tapeview.session import pieces

    warm()
    engine = Engine(instrument)
    names = ("was", "now", "from_tick", "order_was", "side", "kind")
    parts: dict[str, list[Any]] = {name: [] for name in names}
    for piece in pieces(rows):
        frame = engine.apply(piece).frame
        for name in names:
            parts[name].append(frame[name].copy())
    frame_of = {name: np.concatenate(some).astype(np.int64) for name, some in parts.items()}
    market = rows["kind"] != CLOCK
    kept = rows[market].copy()
    of = {name: values[market] for name, values in frame_of.items()}
    opening = kept["marks"] & SNAPSHOT != 0
    # One venue time is one match event, however many messages it was told in.
    same = np.zeros(len(kept), dtype=bool)
    same[:-1] = (kept["exch_ns"][1:] == kept["exch_ns"][:-1]) & (kept["exch_ns"][1:] != NONE) & ~opening[:-1]
    kept["marks"][same] &= np.uint16(0xFFFF ^ LAST)
    orders = np.isin(of["kind"], (ADD, MODIFY, CANCEL, FILL)) & (kept["marks"] & OFF_GRID == 0)
    here = np.flatnonzero(orders & (of["was"] != of["now"]))
    left = np.flatnonzero(orders & (of["from_tick"] != NONE) & (of["order_was"] != 0))
    row = np.concatenate([left, here])
    side = np.concatenate([of["side"][left], of["side"][here]])
    tick = np.concatenate([of["from_tick"][left], kept["tick"][here].astype(np.int64)])
    change = np.concatenate([-of["order_was"][left], of["now"][here] - of["was"][here]])
    by_row = np.argsort(row, kind="stable")
    row, side, tick, change = row[by_row], side[by_row], tick[by_row], change[by_row]
    # A CLEAR in the middle would leave levels behind; the sums then begin anew.
    life = np.cumsum(kept["kind"] == CLEAR)[row]
    after = _running(number_of(life, side, tick), change)
    return Book(kept, Depth(row, side, tick, after, np.zeros(len(row), np.int64)), after - change)


def number_of(*columns: Ints) -> Ints:
    """Number the distinct combinations of several columns."""
    _, number = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return number.astype(np.int64).ravel()


def _running(group: Ints, values: Ints) -> Ints:
    order = np.argsort(group, kind="stable")
    total = np.cumsum(values[order])
    start = np.ones(len(order), dtype=bool)
    start[1:] = group[order][1:] != group[order][:-1]
    base = (total - values[order])[np.maximum.accumulate(np.where(start, np.arange(len(order)), 0))]
    out = np.empty_like(total)
    out[order] = total - base
    return out


def prints_of(book: Book) -> Prints:
    """Every print with the account of its match event and price."""
    rows, depth = book.rows, book.depth
    ends = rows["marks"] & LAST != 0
    event = (np.cumsum(ends) - ends).astype(np.int64)
    flow = (FLOW_PRINTS >> np.where(is_print(rows), rows["aux"], 31)) & 1 == 1
    at = np.flatnonzero(is_print(rows) & flow & (rows["side"] != 0))
    side, tick = -rows["side"][at].astype(np.int64), rows["tick"][at].astype(np.int64)
    opening = rows["marks"][depth.row] & SNAPSHOT != 0
    on_grid = rows["marks"][at] & OFF_GRID == 0
    number = number_of(
        np.concatenate([event[at], event[depth.row]]),
        np.concatenate([side, depth.side]),
        np.concatenate([tick, depth.tick]),
        np.concatenate([on_grid, np.ones(len(depth.row), bool)]).astype(np.int64),
    )
    mine, theirs = number[: len(at)], number[len(at) :]
    size = int(number.max()) + 1
    lots = rows["lots"][at].astype(np.int64)
    traded = np.bincount(mine, lots, size).astype(np.int64)
    lost = np.zeros(size, np.int64)
    first = np.full(size, -1, np.int64)
    np.subtract.at(lost, theirs[~opening], (depth.lots - book.before)[~opening])
    # What stood there at the beginning: before the event's first change of it, or after the last change of any event.
    first[theirs[::-1]] = book.before[::-1]
    standing = _lots_before(depth, at, side, tick)
    shown = np.where(first[mine] >= 0, first[mine], standing) > 0
    return Prints(
        rows["exch_ns"][at].astype(np.int64), side, tick, lots, event[at], rows["aux"][at] == HIDDEN, on_grid, shown,
        (traded - lost)[mine],
    )  # fmt: skip


def _lots_before(depth: Depth, at: Ints, side: Ints, tick: Ints) -> Ints:
    """Lots at each print's side and price after the last change told before its row."""
    row = np.concatenate([depth.row, at])
    level = number_of(np.concatenate([depth.side, side]), np.concatenate([depth.tick, tick]))
    asks = np.concatenate([np.zeros(len(depth.row), bool), np.ones(len(at), bool)])
    order = np.lexsort((asks, row, level))
    place = np.where(asks[order], -1, order)
    start = np.ones(len(order), dtype=bool)
    start[1:] = level[order][1:] != level[order][:-1]
    newest = np.maximum.accumulate(
        np.where(place >= 0, np.arange(len(order)), np.where(start, np.arange(len(order)), 0))
    )
    told = place[newest]
    out = np.zeros(len(order), np.int64)
    out[order] = np.where(told >= 0, depth.lots[np.maximum(told, 0)], 0)
    return out[len(depth.row) :]

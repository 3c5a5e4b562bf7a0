"""How resting paper orders fare in the market's own queue: fills, triggers, and lots ahead; as kernels.

A paper order never changes the market. It stands behind what is displayed when it arrives, and is filled by what
would have reached it:

- prints at its price by the other side eat the lots ahead of it, then fill it; a print beyond its price fills it whole;
- where the other side's best price comes to stand at or beyond its price, what is displayed there fills it;
- lots that leave its level without a print were cancelled. A pessimist says all of them stood behind (but no more
  can be ahead than is displayed); an optimist that they stood ahead in proportion.

On order-by-order data nobody has to guess: an order that arrived later stands behind, every other one ahead, and both
say the same.
After a hole in the book the pessimist goes to the back of what is displayed then.

Source of the two models: hftbacktest, order fill, "risk averse" and "probability" queue models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from feeds.events import (
    ADD,
    BOOK,
    CANCEL,
    EVENT,
    FILL,
    FLOW_PRINTS,
    HIDDEN,
    KEEPS_PLACE,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    S_CROSSED,
    S_LIVE,
    S_STALE,
    SNAPSHOT,
    TRADE,
)  # fmt: skip
from tapeview.engine._jit import inlined, kernel, part, warmer
from tapeview.engine.frame import FRAME

SLOTS: Final = 64
"""Paper orders that can work at a time in one market."""
FREE, RESTING, WAITING, HIT = range(4)
"""States of a slot: free, a limit order in its queue, a stop that waits for its trigger, a stop that met it."""
MATCH_NS: Final = 1_000_000_000
"""How far a print and the decrease of its level that is told of apart from it may lie from each other."""

SLOT: Final = np.dtype(
    [
        ("state", "i8"), ("side", "i8"), ("tick", "i8"), ("left", "i8"), ("ahead", "i8"), ("shown", "i8"),
        ("credit", "i8"), ("credit_ns", "i8"), ("debit", "i8"), ("given", "i8"), ("debit_ns", "i8"), ("met", "i8"),
        ("exact", "i8"), ("hopeful", "i8"), ("seq", "i8"), ("by_quote", "i8"), ("lost", "i8"),
    ]
)  # fmt: skip
"""A paper order as the kernel needs it. `side` +1 buys; `tick` its price, or a stop's trigger; `ahead` lots before it
in the queue; `shown` lots displayed at its level; `credit` printed lots the level has not yet been lowered by; `debit`
lots it was lowered by that no print has told of yet, and `given` what `ahead` was lowered by for them; `met` lots of
the other side it has been filled against since they came to its price; `exact` 1 while the queue is known order by
order; `hopeful` 1 for the optimist; `seq` the row after which it arrived; `by_quote` 1 where a stop triggers by the
best price and not by prints; `lost` 1 from a hole in the book until it is live again."""

QUEUE: Final = np.dtype([("slots", "i8"), ("behind", "i8"), ("epoch", "i8")])
"""One market's: how many SLOT rows from the first are looked at, entries of LATER, and the newest epoch."""

LATER: Final = np.dtype([("id", "i8"), ("seq", "i8")])
"""An order of the market that came to a watched level, and the row by which it came; seq 0 where free."""

DONE: Final = np.dtype([("row", "i8"), ("slot", "i8"), ("what", "i8"), ("lots", "i8"), ("tick", "i8")])
"""What happened to a slot by a row of the batch."""
FILLED, TRIGGERED = 1, 2


@inlined
def place_of(later: Any, number: int) -> int:
    """Give where an id is in the table, or the free place where it would go."""
    mask = len(later) - 1
    at = (number * 0x9E3779B97F4A7C1 >> 20) & mask
    while later[at].seq != 0 and later[at].id != number:
        at = (at + 1) & mask
    return at


@part
def came(q: Any, later: Any, number: int, seq: int) -> None:
    """Note that an order came to a watched level, or went to the back of it."""
    at = place_of(later, number)
    if later[at].seq == 0:
        q.behind += 1
    later[at].id = number
    later[at].seq = seq + 1


@part
def fewer(o: Any, was: int, now: int, recv_ns: int) -> None:
    """A level went from `was` to `now` lots without saying which orders left it."""
    o.shown = now
    if now < was:
        gone = was - now
        if o.credit > 0 and recv_ns - o.credit_ns <= MATCH_NS:
            printed = min(gone, o.credit)
            o.credit -= printed
            gone -= printed
            was -= printed
        before = o.ahead
        if o.hopeful != 0 and gone > 0 and was > 0:
            # In proportion; what is left ahead is rounded down: that is what an optimist says.
            o.ahead = o.ahead * (was - gone) // was
        o.ahead = min(o.ahead, now)
        if recv_ns - o.debit_ns > MATCH_NS:
            o.debit = 0
            o.given = 0
        o.debit += gone
        o.given += before - o.ahead
        o.debit_ns = recv_ns
    o.ahead = min(o.ahead, now)


@part
def eaten(o: Any, lots: int, recv_ns: int) -> int:
    """Lots were executed at the order's price from the front of the queue; give how many of them fill it.

    Lots that had left the level before their print is told of were no cancels: all of them stood at the front, and
    what was taken off for them by share is put right.
    """
    ahead = o.ahead
    rest = lots
    if o.debit > 0 and recv_ns - o.debit_ns <= MATCH_NS:
        both = min(lots, o.debit)
        given = o.given * both // o.debit
        o.debit -= both
        o.given -= given
        ahead += given
        rest -= both
    o.credit = rest + (o.credit if recv_ns - o.credit_ns <= MATCH_NS else 0)
    o.credit_ns = recv_ns
    o.ahead = max(0, ahead - lots)
    fill = max(0, min(o.left, lots - ahead))
    o.left -= fill
    return fill


@part
def by_order(o: Any, later: Any, row: Any, number: int) -> int:
    """An order of the market changed at the level of an order whose queue is known; give the lots that fill it."""
    entry = later[place_of(later, number)]
    ahead = entry.seq == 0 or entry.seq <= o.seq + 1
    kind = row.kind
    if kind == FILL:
        if not ahead:
            fill = min(o.left, row.lots)
            o.left -= fill
            return fill
        if row.marks & NO_BOOK == 0:
            o.ahead -= row.lots
    elif kind == CANCEL:
        if ahead:
            o.ahead -= row.lots
    elif kind == MODIFY and ahead:
        if row.from_tick != NONE or (row.lots > row.order_was and row.marks & KEEPS_PLACE == 0):
            o.ahead -= row.order_was
        else:
            o.ahead -= row.order_was - row.lots
    o.ahead = max(0, min(o.ahead, o.shown))
    return 0


@part
def printed(o: Any, row: Any) -> int:
    """A print of the session's flow; give the lots that fill the order."""
    beyond = o.side * (o.tick - row.tick)
    if beyond > 0:
        fill = o.left
        o.left = 0
        return fill
    if beyond < 0 or row.side == o.side:
        return 0
    if row.print == HIDDEN and (o.exact != 0 or o.hopeful != 0):
        # What is displayed goes before what is hidden at the same price.
        fill = min(o.left, row.lots)
        o.left -= fill
        return fill
    if o.exact != 0:
        return 0
    return eaten(o, row.lots, row.recv_ns)


@part
def reached(o: Any, row: Any) -> int:
    """The other side's best price after a whole message; give the lots that fill the order."""
    best = row.ask if o.side > 0 else row.bid
    if best == NONE or o.side * (o.tick - best) < 0:
        o.met = 0
        return 0
    lots = row.ask_lots if o.side > 0 else row.bid_lots
    fill = min(o.left, lots - o.met) if lots > o.met else 0
    o.met = max(o.met, lots)
    o.left -= fill
    return fill


@part
def rebuilt(o: Any) -> None:
    """The book is whole again after a hole: where in the queue the order stands can only be bounded."""
    o.ahead = min(o.ahead, o.shown) if o.hopeful != 0 else o.shown
    o.credit = 0
    o.debit = 0
    o.exact = 0
    o.lost = 0


@part
def meets(o: Any, row: Any, flow: bool) -> bool:
    """Whether a row triggers a stop."""
    if o.by_quote == 0:
        return flow and o.side * (row.tick - o.tick) >= 0
    best = row.ask if o.side > 0 else row.bid
    return row.state == S_LIVE and best != NONE and o.side * (best - o.tick) >= 0


@kernel
def work(events: Any, frame: Any, queue: Any, orders: Any, later: Any, out: Any) -> int:
    """Take the SLOT rows `orders` through a batch; give how many DONE rows were written.

    `later` must have room for every row of the batch, `out` for two rows of each slot and row.
    """
    q = queue[0]
    n = 0
    for i in range(len(frame)):
        row = frame[i]
        kind = row.kind
        if kind == 0:
            continue
        if row.epoch != q.epoch:
            q.epoch = row.epoch
            for k in range(q.slots):
                orders[k].lost = 1
                orders[k].shown = 0
        flow = kind == TRADE and (FLOW_PRINTS >> row.print) & 1 != 0 and row.state in (S_LIVE, S_CROSSED, S_STALE)
        book = kind == BOOK or ADD <= kind <= FILL
        told = row.marks & LAST != 0 and row.state == S_LIVE
        if not (flow or book or told):
            continue
        number = events[i].ref
        for k in range(q.slots):
            o = orders[k]
            if o.state == WAITING:
                if meets(o, row, flow):
                    o.state = HIT
                    out[n].row = i
                    out[n].slot = k
                    out[n].what = TRIGGERED
                    out[n].lots = o.left
                    out[n].tick = row.tick if flow else row.ask if o.side > 0 else row.bid
                    n += 1
                continue
            if o.state != RESTING:
                continue
            fill = 0
            if book and row.side == o.side:
                if row.tick == o.tick:
                    if o.lost != 0 or row.marks & SNAPSHOT != 0:
                        o.shown = row.now
                    elif o.exact != 0 and kind != BOOK:
                        o.shown = row.now
                        fill = by_order(o, later, row, number)
                    else:
                        fewer(o, row.was, row.now, row.recv_ns)
                if kind == MODIFY and row.from_tick == o.tick and row.tick != o.tick and o.lost == 0:
                    if o.exact != 0:
                        o.shown -= row.order_was
                        by_order(o, later, row, number)
                    else:
                        # Its old level is lower by what it showed there.
                        fewer(o, o.shown, o.shown - row.order_was, row.recv_ns)
            elif flow and o.lost == 0:
                fill = printed(o, row)
            if told and o.lost != 0:
                rebuilt(o)
            if told and o.lost == 0 and o.left > 0:
                fill += reached(o, row)
            if fill > 0:
                out[n].row = i
                out[n].slot = k
                out[n].what = FILLED
                out[n].lots = fill
                out[n].tick = o.tick
                n += 1
                if o.left == 0:
                    o.state = FREE
        if kind in (ADD, MODIFY) and row.marks & SNAPSHOT == 0 and q.slots > 0:
            kept = row.lots <= row.order_was or row.marks & KEEPS_PLACE != 0
            stays = kind == MODIFY and row.from_tick == NONE and kept
            for k in range(q.slots):
                o = orders[k]
                if o.state == RESTING and o.exact != 0 and o.side == row.side and o.tick == row.tick and not stays:
                    came(q, later, number, row.seq)
                    break
    return n


@warmer
def _warm(run: Callable[..., Any]) -> None:
    events = np.zeros(0, EVENT)
    events.flags.writeable = False
    tables = (np.zeros(1, QUEUE), np.zeros(SLOTS, SLOT), np.zeros(2, LATER), np.zeros(2, DONE))
    run(work, events, np.zeros(0, FRAME), *tables)

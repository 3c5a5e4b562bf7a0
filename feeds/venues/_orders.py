"""Books of single orders with a checksum: their queues, and the rows of what changes in them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from typing import ClassVar, Final, NamedTuple

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    BID,
    CANCEL,
    CLEAR,
    IMPLIED,
    KEEPS_PLACE,
    LAST,
    MODIFY,
    NONE,
    OFF_GRID,
    S_LIVE,
    SNAPSHOT,
    STATUS,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.venues._verified import Market, Verified

MOST_ORDERS: Final = 1_000_000
"""Orders of one book; no venue here lists so many."""


class Change(NamedTuple):
    """An order as a message states it."""

    ident: int | str
    """The venue's id."""
    side: int
    tick: int
    lots: int
    """0 removes it."""
    marks: int
    text: str
    """What of it enters the checksum."""
    known: bool = False
    """The message says of an order that it was there before."""


class Order(NamedTuple):
    """An order that rests."""

    ident: int | str
    number: int
    """What rows call it."""
    side: int
    key: int
    """Price in fine units; of bids negated, so that the best is the least."""
    tick: int
    marks: int
    text: str


class OrderMarket(Market):
    """One symbol's orders, by price and place in the queue."""

    def __init__(self, symbol: str, inst: int, instrument: Instrument) -> None:
        super().__init__(symbol, inst, instrument)
        self._scale = instrument.price.fine
        self.orders: dict[int | str, Order] = {}
        self._keys: dict[int, list[int]] = {BID: [], ASK: []}
        self._levels: dict[int, dict[int, dict[int | str, Order]]] = {BID: {}, ASK: {}}
        self._numbered = 0

    def change(self, ident: int | str, side: int, price: str, size: str, text: str, *, known: bool = False) -> Change:
        """Read an order; raise BadInput where it is none."""
        tick, off_tick = self.numbers.price(price)
        lots, off_lot = self.numbers.size(size)
        if lots < 0 or tick < 0:
            raise BadInput("order", f"{price} x {size}", "a price and a size of 0 or more")
        return Change(ident, side, tick, lots, off_tick | off_lot, text, known)

    def put(self, one: Change) -> tuple[Order, Order | None]:
        """Set an order: it keeps its place where side and price are the same and goes to the back elsewhere.

        Gives it and what it was before.
        """
        price = one.tick if one.marks & OFF_GRID else one.tick * self._scale
        key = -price if one.side == BID else price
        before = self.orders.get(one.ident)
        if before is None:
            number = one.ident if isinstance(one.ident, int) else self._numbered
            self._numbered += 1
        else:
            number = before.number
            if (before.side, before.key) != (one.side, key):
                self.drop(one.ident)
        order = Order(one.ident, number, one.side, key, one.tick, one.marks, one.text)
        level = self._levels[one.side].get(key)
        if level is None:
            insort(self._keys[one.side], key)
            level = self._levels[one.side][key] = {}
        level[one.ident] = self.orders[one.ident] = order
        return order, before

    def drop(self, ident: int | str) -> Order | None:
        """Remove an order and give it; None where there was none."""
        order = self.orders.pop(ident, None)
        if order is not None:
            level = self._levels[order.side][order.key]
            del level[ident]
            if not level:
                del self._levels[order.side][order.key]
                keys = self._keys[order.side]
                del keys[bisect_left(keys, order.key)]
        return order

    def cut(self) -> list[Order]:
        """Remove the orders of all levels beyond the depth and give them."""
        gone: list[Order] = []
        for side, keys in self._keys.items():
            for key in keys[self.depth :]:
                gone += self._levels[side].pop(key).values()
            del keys[self.depth :]
        for order in gone:
            del self.orders[order.ident]
        return gone

    def best(self, side: int, levels: int) -> list[list[Order]]:
        """The orders of the best levels in the order of their queues."""
        return [list(self._levels[side][key].values()) for key in self._keys[side][:levels]]

    def forget(self) -> None:
        """Empty the book."""
        super().forget()
        self.orders.clear()
        for side in (BID, ASK):
            self._keys[side].clear()
            self._levels[side].clear()


class Orders(Verified):
    """A venue that shows single orders, under a checksum."""

    tier: ClassVar[str] = "A"
    market_type: ClassVar[type[Market]] = OrderMarket

    def order_market(self, symbol: str) -> OrderMarket | None:
        """Find a symbol's state; one that is not asked for is counted."""
        market = self.market(symbol)
        return market if isinstance(market, OrderMarket) else None

    def write(
        self, market: OrderMarket, changes: list[Change], times: tuple[int, int], out: EventBuffer,
        checksum: Callable[[OrderMarket], int], stated: int | None, *, snapshot: bool,
    ) -> None:  # fmt: skip
        """Apply one message at (receive, venue) time, cut to the depth, check, and write its rows.

        Updates before the first snapshot are dropped: it follows in band and holds them.
        """
        if len(changes) + (0 if snapshot else len(market.orders)) > MOST_ORDERS:
            raise BadInput("book", len(market.orders), f"at most {MOST_ORDERS:,} orders")
        market.touched = True
        if snapshot:
            self.checks.resyncs += market.broken
            market.forget()
            market.live, market.broken, market.asked = True, False, False
        elif not market.live:
            self.ignore("update before the snapshot")
            return
        marks = SNAPSHOT if snapshot else 0
        recv_ns, exch_ns = times
        start = len(out)
        if snapshot:
            out.append(CLEAR, recv_ns, exch_ns, inst=market.inst, marks=marks)
        for one in changes:
            self._change(market, one, marks, times, out)
        for order in market.cut():
            out.append(
                CANCEL, recv_ns, exch_ns, order.tick, 0, order.side, order.number, NONE, market.inst,
                order.marks & OFF_GRID | IMPLIED | marks,
            )  # fmt: skip
        verdict = self.verdict(market, stated, checksum)
        empty = len(out) == start
        if not empty:
            out.mark_last(LAST | verdict)
        if snapshot or empty:
            out.append(STATUS, recv_ns, exch_ns, aux=S_LIVE, inst=market.inst, marks=LAST | verdict)

    def _change(self, market: OrderMarket, one: Change, marks: int, times: tuple[int, int], out: EventBuffer) -> None:
        if one.lots == 0:
            gone = market.drop(one.ident)
            if gone is None:
                self.checks.unknown_orders += 1
                return
            kind, order, lots, marks = CANCEL, gone, 0, marks | gone.marks & OFF_GRID
        else:
            order, before = market.put(one)
            kind, lots, marks = ADD, one.lots, marks | one.marks
            self.checks.off_grid += one.marks != 0
            self.checks.unknown_orders += one.known and before is None
            if before is not None and before.side == order.side:
                kind = MODIFY
                marks |= KEEPS_PLACE if before.key == order.key else 0
            elif before is not None:
                out.append(
                    CANCEL, *times, before.tick, 0, before.side, before.number, NONE, market.inst,
                    before.marks & OFF_GRID,
                )  # fmt: skip
        out.append(kind, *times, order.tick, lots, order.side, order.number, NONE, market.inst, marks)

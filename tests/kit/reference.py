"""A book as plain dictionaries, slow and obviously right, to compare everything else with.

Prices and sizes are exact integers in fine units (feeds.instruments.Grid), so that a level off the tick grid is
a level like any other and no conversion can hide a fault. One book follows one instrument.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    CANCEL,
    CLEAR,
    EVERY,
    FILL,
    KEEPS_PLACE,
    KEYFRAME,
    LAST,
    MODIFY,
    NO_BOOK,
    OFF_GRID,
    OFF_LOT,
    QUOTE,
    S_SYNCING,
    STATUS,
    TRADE,
    Events,
)  # fmt: skip
from feeds.instruments import Instrument


@dataclass
class Order:
    """A resting order; prices and sizes in fine units."""

    order_id: int
    side: int
    price: int
    size: int
    pending: int = 0
    """Filled, but the book is told in a later row."""


@dataclass
class NaiveBook:
    """Levels told as a whole (BOOK) and orders told one by one (ADD ...) of one instrument."""

    inst: int = 0
    instrument: Instrument | None = None
    told: dict[int, dict[int, tuple[int, int]]] = field(default_factory=lambda: {BID: {}, ASK: {}})
    """side -> price -> (size, order count) from BOOK rows."""
    orders: dict[int, Order] = field(default_factory=dict)
    """order id -> order, in order of time priority within each level."""
    phase: int = S_SYNCING
    """The phase the last STATUS row stated."""
    venue_seq: int | None = None
    trades: list[tuple[int, int, int]] = field(default_factory=list)
    """(price, size, side) of every TRADE row."""
    quotes: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """side -> (price, size, venue update id) of the last QUOTE row."""

    @property
    def price_fine(self) -> int:
        """Fine units in a tick."""
        return self.instrument.price.fine if self.instrument else 10**6

    @property
    def size_fine(self) -> int:
        """Fine units in a lot."""
        return self.instrument.size.fine if self.instrument else 10**6

    def apply(self, rows: Events, *, keyframes: bool = False) -> NaiveBook:
        """Take rows one at a time; copies of the book (KEYFRAME) only where asked."""
        for row in rows:
            if int(row["inst"]) not in (self.inst, EVERY):
                continue
            if int(row["marks"]) & KEYFRAME and not keyframes:
                continue
            self._row(row)
        return self

    def _row(self, row) -> None:
        kind, side, marks, ref = int(row["kind"]), int(row["side"]), int(row["marks"]), int(row["ref"])
        price = int(row["tick"]) if marks & OFF_GRID else int(row["tick"]) * self.price_fine
        size = int(row["lots"]) if marks & OFF_LOT else int(row["lots"]) * self.size_fine
        if kind in (BOOK, ADD, MODIFY, CANCEL, FILL) and size < 0:
            return
        if kind in (BOOK, ADD) and side not in (BID, ASK):
            return
        if kind == BOOK:
            if size == 0:
                self.told[side].pop(price, None)
            else:
                self.told[side][price] = (size, int(row["aux"]))
        elif kind == ADD:
            if size > 0:
                self.orders.pop(ref, None)
                self.orders[ref] = Order(ref, side, price, size)
        elif kind == MODIFY:
            old = self.orders.get(ref)
            if old is None:
                return
            side = side or old.side
            stays = old.price == price and old.side == side and size <= max(0, old.size - old.pending)
            if size == 0:
                del self.orders[ref]
            elif stays or marks & KEEPS_PLACE:
                old.side, old.price, old.size, old.pending = side, price, size, 0
            else:
                del self.orders[ref]
                self.orders[ref] = Order(ref, side, price, size)
        elif kind == FILL and marks & NO_BOOK:
            if ref in self.orders:
                self.orders[ref].pending += size
        elif kind in (CANCEL, FILL):
            order = self.orders.get(ref)
            if order is not None:
                if kind == CANCEL:
                    order.pending = max(0, order.pending - (size or order.size))
                order.size -= size
                if order.size <= 0 or (kind == CANCEL and size == 0):
                    del self.orders[ref]
        elif kind == CLEAR:
            sides = (side,) if side else (BID, ASK)
            for one in sides:
                self.told[one].clear()
            self.orders = {i: o for i, o in self.orders.items() if o.side not in sides}
        elif kind == STATUS:
            self.phase = int(row["aux"])
        elif kind == TRADE:
            self.trades.append((price, size, side))
        elif kind == QUOTE:
            self.quotes[side] = (price, size, ref)

    def levels(self, side: int) -> list[tuple[int, int, int]]:
        """(price, size, orders) in fine units, best first; orders is 0 where it is not told."""
        out: dict[int, tuple[int, int]] = dict(self.told[side])
        for order in self.orders.values():
            if order.side == side:
                size, count = out.get(order.price, (0, 0))
                out[order.price] = (size + order.size, count + 1)
        return [(price, *out[price]) for price in sorted(out, reverse=side == BID)]

    def ticks(self, side: int) -> list[tuple[int, int]]:
        """(tick, lots) best first; fails where a level is off the grid or a size is not whole lots."""
        out = []
        for price, size, _ in self.levels(side):
            assert price % self.price_fine == 0, f"price {price} is off the grid"
            assert size % self.size_fine == 0, f"size {size} is not whole lots"
            out.append((price // self.price_fine, size // self.size_fine))
        return out

    def inside(self, side: int) -> tuple[int, int] | None:
        """(price, size) in fine units of the best level, None where the side is empty."""
        levels = self.levels(side)
        return levels[0][:2] if levels else None

    def queue(self, side: int, price: int) -> list[tuple[int, int]]:
        """(order id, size) of a level in order of time priority; fine units."""
        return [(o.order_id, o.size) for o in self.orders.values() if o.side == side and o.price == price]

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        bid, ask = self.inside(BID), self.inside(ASK)
        return bid is not None and ask is not None and bid[0] >= ask[0]

    def state(self) -> tuple[object, ...]:
        """Everything the book holds, for comparison: levels, queues in order, phase."""
        queues: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for order in self.orders.values():
            queues.setdefault((order.side, order.price), []).append((order.order_id, order.size))
        return (self.told[BID], self.told[ASK], queues, self.phase)


def message_ends(rows: Events) -> list[int]:
    """Index after each row that ends a venue message."""
    return [i + 1 for i, marks in enumerate(rows["marks"].tolist()) if marks & LAST]

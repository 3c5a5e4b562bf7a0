"""The best prices of one instrument's book, kept as simply as checking needs; the engine's book is elsewhere."""

from __future__ import annotations

from bisect import bisect_left, insort

from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    CANCEL,
    CLEAR,
    FILL,
    MODIFY,
    NO_BOOK,
    OFF_GRID,
    OFF_LOT,
)
from feeds.instruments import Instrument


class Inside:
    """Follow BOOK and order rows; prices and sizes in fine units, exact for levels off the grid as well."""

    def __init__(self, instrument: Instrument) -> None:
        self._price_fine = instrument.price.fine
        self._size_fine = instrument.size.fine
        self._sizes: dict[int, dict[int, int]] = {BID: {}, ASK: {}}
        self._prices: dict[int, list[int]] = {BID: [], ASK: []}
        self._orders: dict[int, tuple[int, int, int]] = {}

    def best(self, side: int) -> tuple[int, int] | None:
        """(price, size) in fine units, None where the side is empty."""
        prices = self._prices[side]
        if not prices:
            return None
        price = prices[-1] if side == BID else prices[0]
        return price, self._sizes[side][price]

    def apply(self, kind: int, side: int, tick: int, lots: int, ref: int, marks: int) -> None:
        """Take one row's fields."""
        price = tick if marks & OFF_GRID else tick * self._price_fine
        size = lots if marks & OFF_LOT else lots * self._size_fine
        if size < 0 and kind != CLEAR:
            return
        if kind == BOOK:
            if side:
                self._set(side, price, size)
        elif kind == ADD:
            if size > 0 and side:
                self._drop(ref, None)
                self._rest(ref, side, price, size)
        elif kind == MODIFY:
            if ref in self._orders:
                side = side or self._orders[ref][0]
                self._drop(ref, None)
                self._rest(ref, side, price, size)
        elif kind == CANCEL:
            self._drop(ref, size or None)
        elif kind == FILL:
            if not marks & NO_BOOK:
                self._drop(ref, size)
        elif kind == CLEAR:
            for one in (side,) if side else (BID, ASK):
                self._sizes[one].clear()
                self._prices[one].clear()
            self._orders = {ref: order for ref, order in self._orders.items() if side and order[0] != side}

    def _rest(self, ref: int, side: int, price: int, size: int) -> None:
        if size > 0:
            self._orders[ref] = (side, price, size)
            self._set(side, price, self._sizes[side].get(price, 0) + size)

    def _drop(self, ref: int, size: int | None) -> None:
        order = self._orders.get(ref)
        if order is None:
            return
        side, price, left = order
        gone = left if size is None else min(left, size)
        if gone == left:
            del self._orders[ref]
        else:
            self._orders[ref] = (side, price, left - gone)
        self._set(side, price, self._sizes[side].get(price, 0) - gone)

    def _set(self, side: int, price: int, size: int) -> None:
        sizes, prices = self._sizes[side], self._prices[side]
        if size <= 0:
            if sizes.pop(price, None) is not None:
                del prices[bisect_left(prices, price)]
        else:
            if price not in sizes:
                insort(prices, price)
            sizes[price] = size

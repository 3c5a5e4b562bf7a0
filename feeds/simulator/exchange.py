"""A matching engine for one instrument: price-time priority, whole lots and ticks, order by order.

Every command is one venue message: the rows it causes, the last one marked LAST. A fill takes displayed lots in
the order of arrival. A native iceberg shows `peak` lots; when those are gone it shows the next ones under
the same id at the back of its level, written as FILL with NO_BOOK followed by MODIFY, as CME's order feed does.
"""

from __future__ import annotations

import struct
from heapq import heappop, heappush
from typing import Final

import numpy as np

from feeds.events import (
    ADD,
    ASK,
    BID,
    CANCEL,
    CLEAR,
    EVENT,
    FILL,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    REGULAR,
    S_LIVE,
    SNAPSHOT,
    STATUS,
    TRADE,
    Events,
)

_ROW: Final = struct.Struct("<qqqqqqqIBbH")
_pack: Final = _ROW.pack
SPARE_LEVELS: Final = 4096
"""Empty levels that may stay before they are forgotten."""


class Order:
    """A resting order: `lots` are displayed, `reserve` is behind them."""

    __slots__ = ("id", "lots", "peak", "reserve", "side", "tick")

    def __init__(self, order_id: int, side: int, tick: int, lots: int, reserve: int, peak: int) -> None:
        self.id = order_id
        self.side = side
        self.tick = tick
        self.lots = lots
        self.reserve = reserve
        self.peak = peak


class Level:
    """The orders at one price in the order of their priority."""

    __slots__ = ("lots", "queue", "reserve")

    def __init__(self) -> None:
        self.lots = 0
        """Displayed lots."""
        self.reserve = 0
        self.queue: dict[int, Order] = {}
        """Orders by id; the dictionary's order is the queue."""


class Half:
    """One side of the book: its levels, and the best price of those that hold an order."""

    __slots__ = ("_heap", "_room", "best", "changed", "levels", "side")

    def __init__(self, side: int) -> None:
        self.side = side
        self.levels: dict[int, Level] = {}
        """Levels by tick; an empty one stays until it comes to the top of the heap or there are too many."""
        self.best: int | None = None
        self.changed: set[int] = set()
        """Ticks whose lots changed since the owner last emptied this; sort before use."""
        self._heap: list[int] = []
        self._room = SPARE_LEVELS

    def level(self, tick: int) -> Level:
        """Give the level at a tick for an order that comes, new if there is none, and note a better best price."""
        level = self.levels.get(tick)
        if level is None:
            if len(self.levels) >= self._room:
                self._forget_empty()
            level = self.levels[tick] = Level()
            heappush(self._heap, -tick * self.side)
        self.changed.add(tick)
        if self.best is None or (tick - self.best) * self.side > 0:
            self.best = tick
        return level

    def settle(self) -> None:
        """Find the best price again after its level ran empty."""
        heap, levels, side = self._heap, self.levels, self.side
        while heap:
            tick = -heap[0] * side
            if levels[tick].queue:
                self.best = tick
                return
            del levels[tick]
            heappop(heap)
        self.best = None

    def _forget_empty(self) -> None:
        self.levels = {tick: level for tick, level in self.levels.items() if level.queue}
        self._heap = sorted(-tick * self.side for tick in self.levels)
        self._room = SPARE_LEVELS + 2 * len(self.levels)

    def ticks(self) -> list[int]:
        """Prices that hold an order, best first."""
        return sorted((tick for tick, level in self.levels.items() if level.queue), reverse=self.side == BID)


class Exchange:
    """The market: give it commands, take its rows."""

    def __init__(self, first_order: int = 1, first_trade: int = 1) -> None:
        self.now_ns = 0
        """Time of the next command, ns since 1970; the owner moves it."""
        self.bids = Half(BID)
        self.asks = Half(ASK)
        self.orders: dict[int, Order] = {}
        """Resting orders by id."""
        self.next_order = first_order
        self.next_trade = first_trade
        self.last_tick = 0
        """Price of the last trade, 0 before the first."""
        self.messages = 0
        """Venue sequence: messages sent."""
        self.added = self.filled = self.cancelled = 0
        """Lots of resting orders ever accepted, executed and taken back, reserves included."""
        self._rows = bytearray()

    def limit(self, side: int, tick: int, lots: int, peak: int = 0) -> int:
        """Place a limit order; what does not trade at once rests. Give its id.

        With `peak` above 0 it is a native iceberg that displays so many lots at a time.
        """
        if lots < 1 or peak < 0 or side not in (BID, ASK):
            raise ValueError("an order has a side and at least one lot")
        order_id = self.next_order
        self.next_order = order_id + 1
        self.messages += 1
        other = self.asks if side == BID else self.bids
        if other.best is not None and (tick - other.best) * side >= 0:
            lots = self._match(other, side, lots, tick)
        if lots:
            self._rest(order_id, side, tick, lots, peak, ADD)
        self._rows[-2] |= LAST
        return order_id

    def take(self, side: int, lots: int, worst: int | None = None) -> int:
        """Buy or sell at the market, no worse than `worst`; what is left is dropped. Give the lots that traded."""
        if lots < 1 or side not in (BID, ASK):
            raise ValueError("an order has a side and at least one lot")
        other = self.asks if side == BID else self.bids
        if other.best is None or (worst is not None and (worst - other.best) * side < 0):
            return 0
        self.messages += 1
        left = self._match(other, side, lots, worst)
        self._rows[-2] |= LAST
        return lots - left

    def cancel(self, order_id: int, lots: int = 0) -> bool:
        """Take back an order, or `lots` of it (its reserve first); False where it rests no more."""
        order = self.orders.get(order_id)
        if order is None:
            return False
        if 0 < lots < order.lots + order.reserve:
            return self.replace(order_id, order.tick, order.lots + order.reserve - lots)
        self.messages += 1
        self.cancelled += order.lots + order.reserve
        self._write(CANCEL, order.tick, order.lots, order.side, order_id)
        self._rows[-2] |= LAST
        self._remove(order)
        return True

    def replace(self, order_id: int, tick: int, lots: int) -> bool:
        """Change an order's price or its open lots (reserve included); False where it rests no more.

        Fewer lots at the same price keep the place, anything else goes to the back. A new price that crosses trades.
        """
        order = self.orders.get(order_id)
        if order is None:
            return False
        if lots < 1:
            raise ValueError("an order keeps at least one lot")
        whole = order.lots + order.reserve
        half = self.bids if order.side == BID else self.asks
        if tick == order.tick and lots <= whole:
            self._shrink(order, half, whole - lots)
            return True
        self.messages += 1
        self.cancelled += whole
        other = self.asks if order.side == BID else self.bids
        crosses = other.best is not None and (tick - other.best) * order.side >= 0
        shown = min(lots, order.peak) if order.peak else lots
        moved = not crosses and (tick != order.tick or shown > order.lots)  # else MODIFY would keep the place
        self._remove(order)
        if not moved:
            self._write(CANCEL, order.tick, order.lots, order.side, order_id)
        if crosses:
            lots = self._match(other, order.side, lots, tick)
        if lots:
            self._rest(order_id, order.side, tick, lots, order.peak, MODIFY if moved else ADD, order)
        self._rows[-2] |= LAST
        return True

    def snapshot(self) -> Events:
        """The whole book as one message: CLEAR, every order in queue order, STATUS live."""
        now, rows = self.now_ns, bytearray()
        rows += _pack(now, now, 0, 0, 0, NONE, 0, 0, CLEAR, 0, SNAPSHOT)
        for half in (self.bids, self.asks):
            for tick in half.ticks():
                for order in half.levels[tick].queue.values():
                    rows += _pack(now, now, 0, tick, order.lots, order.id, self.messages, 0, ADD, order.side, SNAPSHOT)
        rows += _pack(now, now, 0, 0, 0, self.messages, S_LIVE, 0, STATUS, 0, SNAPSHOT | LAST)
        return np.frombuffer(rows, dtype=EVENT)

    def give(self) -> Events:
        """Give the rows since the last call and start anew."""
        taken, self._rows = self._rows, bytearray()
        return np.frombuffer(taken, dtype=EVENT)

    @property
    def pending(self) -> int:
        """Rows that `give` would give."""
        return len(self._rows) // EVENT.itemsize

    def _match(self, other: Half, side: int, lots: int, worst: int | None) -> int:
        now, message, orders = self.now_ns, self.messages, self.orders
        out: list[bytes] = []
        while lots and (tick := other.best) is not None and (worst is None or (worst - tick) * side >= 0):
            level = other.levels[tick]
            other.changed.add(tick)
            queue = level.queue
            left = min(lots, level.lots + level.reserve)
            lots -= left
            self.filled += left
            self.last_tick = tick
            out.append(_pack(now, now, 0, tick, left, self.next_trade, REGULAR, 0, TRADE, side, 0))
            self.next_trade += 1
            while left:
                order = next(iter(queue.values()))
                part = min(left, order.lots)
                left -= part
                level.lots -= part
                if part < order.lots:
                    order.lots -= part
                    out.append(_pack(now, now, 0, tick, part, order.id, message, 0, FILL, -side, 0))
                elif order.reserve:
                    del queue[order.id]
                    queue[order.id] = order
                    order.lots = min(order.peak, order.reserve)
                    order.reserve -= order.lots
                    level.reserve -= order.lots
                    level.lots += order.lots
                    out.append(_pack(now, now, 0, tick, part, order.id, message, 0, FILL, -side, NO_BOOK))
                    out.append(_pack(now, now, 0, tick, order.lots, order.id, message, 0, MODIFY, -side, 0))
                else:
                    del queue[order.id], orders[order.id]
                    out.append(_pack(now, now, 0, tick, part, order.id, message, 0, FILL, -side, 0))
            if not queue:
                other.settle()
        self._rows += b"".join(out)
        return lots

    def _rest(
        self, order_id: int, side: int, tick: int, lots: int, peak: int, kind: int, order: Order | None = None
    ) -> None:
        self.added += lots
        shown = min(lots, peak) if peak else lots
        if order is None:
            order = Order(order_id, side, tick, shown, lots - shown, peak)
        else:
            order.tick, order.lots, order.reserve = tick, shown, lots - shown
        self.orders[order_id] = order
        level = (self.bids if side == BID else self.asks).level(tick)
        level.queue[order_id] = order
        level.lots += shown
        level.reserve += lots - shown
        now = self.now_ns
        self._rows += _pack(now, now, 0, tick, shown, order_id, self.messages, 0, kind, side, 0)

    def _remove(self, order: Order) -> None:
        half = self.bids if order.side == BID else self.asks
        level = half.levels[order.tick]
        half.changed.add(order.tick)
        level.lots -= order.lots
        level.reserve -= order.reserve
        del level.queue[order.id], self.orders[order.id]
        if not level.queue and order.tick == half.best:
            half.settle()

    def _shrink(self, order: Order, half: Half, less: int) -> None:
        level = half.levels[order.tick]
        self.cancelled += less
        hidden = min(less, order.reserve)
        order.reserve -= hidden
        level.reserve -= hidden
        if less > hidden:
            order.lots -= less - hidden
            level.lots -= less - hidden
            half.changed.add(order.tick)
            self.messages += 1
            self._write(MODIFY, order.tick, order.lots, order.side, order.id)
            self._rows[-2] |= LAST

    def _write(self, kind: int, tick: int, lots: int, side: int, ref: int) -> None:
        now = self.now_ns
        self._rows += _pack(now, now, 0, tick, lots, ref, self.messages, 0, kind, side, 0)

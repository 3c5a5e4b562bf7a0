"""The book an order log tells of: held takers, orders older than the log, ghosts, and whose trade it was."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from feeds.events import (
    ADD,
    CANCEL,
    FILL,
    IMPLIED,
    KEEPS_PLACE,
    MODIFY,
    NONE,
    SNAPSHOT,
    EventBuffer,
)
from feeds.files._sides import Side, lean
from feeds.instruments import Instrument
from feeds.source import Checks

PATIENCE_NS: Final = 2_000_000_000
"""How long the book and the venue's snapshots may contradict each other before the book gives way."""
_MATCH_NS: Final = 5_000_000_000
_REMEMBERED: Final = 65_536
_Row = Callable[[int], tuple[int, int]]


class _Order:
    __slots__ = ("left", "price", "side", "since_ns")

    def __init__(self, side: int, price: int, left: int, since_ns: int) -> None:
        self.side = side
        self.price = price
        self.left = left
        self.since_ns = since_ns


class _Side(Side):
    """A side that also knows the orders of each price, and the anonymous order of a level."""

    __slots__ = ("anonymous", "ids")

    def __init__(self, sign: int) -> None:
        super().__init__(sign)
        self.ids: dict[int, dict[int, None]] = {}
        self.anonymous: dict[int, tuple[int, int]] = {}


class OrderLogBook:
    """Turn created, changed and deleted orders into rows; compare with snapshots and mend what they refute.

    An order created across the other side's best is the taker of a match under way: it is held out of the book
    until it no longer crosses, is gone, or 2 s have passed, since the venue's own book never shows it crossed.
    Prices and amounts are in fine units.
    """

    def __init__(self, checks: Checks, out: EventBuffer, tick: _Row, lots: _Row, instrument: Instrument) -> None:
        self.checks = checks
        self.out = out
        self.tick = tick
        self.lots = lots
        self.instrument = instrument
        self.orders: dict[int, _Order] = {}
        self.held: dict[int, _Order] = {}
        """Takers whose match is still under way."""
        self.sides = {1: _Side(1), -1: _Side(-1)}
        self.over: OrderedDict[int, None] = OrderedDict()
        """Ids of orders that ended lately."""
        self.executions: deque[tuple[int, int, int, int]] = deque()
        """Newest executions: (time, order id, side, amount)."""
        self.doubts: dict[tuple[int, int], tuple[int, int]] = {}
        """Side and price of a contradicted level: (since, least excess of the book over the snapshots)."""
        self.seeded = False
        self.synthetic = 0

    def created(self, now: int, order_id: int, side: int, price: int, amount: int, born_ns: int) -> None:
        """Take a new order in, or hold it while it crosses."""
        if order_id in self.over:
            self.ghost(now, order_id, _Order(side, price, amount, now), "its deletion came before its creation")
            self.checks.out_of_order += 1
            return
        if order_id in self.orders or order_id in self.held:
            self.checks.duplicates += 1
            return
        if not amount:
            self.checks.ignore("order_created with amount 0")
            return
        order = _Order(side, price, amount, now)
        best = self.sides[-side].best
        if best is not None and side * (price - best) >= 0:
            self.held[order_id] = order
        else:
            self.rest(now, order_id, order, born_ns)

    def changed(self, now: int, order_id: int, side: int, price: int, amount: int) -> None:
        """Apply what is left of an order after a partial execution."""
        order = self.orders.get(order_id) or self.held.get(order_id)
        if order is None:
            if order_id in self.over:
                self.ghost(now, order_id, _Order(side, price, amount, now), "its change came after its deletion")
                self.checks.out_of_order += 1
            else:
                self.checks.unknown_orders += 1
                self.adopt(now, order_id, side, price, amount)
            return
        if amount > order.left:
            # Executions of one order told in reverse: the smaller amount is the newer.
            self.checks.out_of_order += 1
            return
        self.execute(now, order_id, order, order.left - amount)

    def deleted(self, now: int, order_id: int, side: int, price: int, amount: int) -> None:
        """End an order: amount 0 says it was executed, anything else that it was cancelled."""
        if order_id in self.over:
            self.checks.duplicates += 1
            return
        self.over[order_id] = None
        if len(self.over) > _REMEMBERED:
            self.over.popitem(last=False)
        order = self.orders.get(order_id) or self.held.get(order_id)
        if order is None:
            self.checks.unknown_orders += 1
            held = self.sides[side].anonymous.get(price)
            if held is not None:
                self.anonymous(now, side, price, max(0, held[1] - amount) if amount else 0)
        elif not amount:
            self.execute(now, order_id, order, order.left)
        elif self.held.pop(order_id, None) is None:
            self.drop(now, order_id, 0)

    def execute(self, now: int, order_id: int, order: _Order, amount: int) -> None:
        """Take executed `amount` from an order, wherever it is."""
        if not amount:
            return
        self.executions.append((now, order_id, order.side, amount))
        while now - self.executions[0][0] > _MATCH_NS or len(self.executions) > 1024:
            self.executions.popleft()
        order.left -= amount
        if order_id in self.held:
            if not order.left:
                del self.held[order_id]
            return
        tick, off_grid = self.tick(order.price)
        lots, off_lot = self.lots(amount)
        self.out.append(FILL, now, NONE, tick, lots, order.side, order_id, NONE, 0, off_grid | off_lot)
        self.sides[order.side].change(order.price, -amount)
        if not order.left:
            self.forget(order_id)

    def rest(self, now: int, order_id: int, order: _Order, born_ns: int, marks: int = 0) -> None:
        """Add an order to the book."""
        side = self.sides[order.side]
        self.orders[order_id] = order
        side.change(order.price, order.left)
        side.ids.setdefault(order.price, {})[order_id] = None
        tick, off_grid = self.tick(order.price)
        lots, off_lot = self.lots(order.left)
        marks |= off_grid | off_lot
        self.checks.off_grid += bool(off_grid)
        self.out.append(ADD, now, born_ns, tick, lots, order.side, order_id, NONE, 0, marks)

    def drop(self, now: int, order_id: int, marks: int) -> None:
        """Remove an order from the book."""
        order = self.orders[order_id]
        tick, off_grid = self.tick(order.price)
        lots, off_lot = self.lots(order.left)
        self.out.append(CANCEL, now, NONE, tick, lots, order.side, order_id, NONE, 0, marks | off_grid | off_lot)
        self.sides[order.side].change(order.price, -order.left)
        self.forget(order_id)

    def forget(self, order_id: int) -> None:
        """Drop an order from the indexes."""
        order = self.orders.pop(order_id)
        ids = self.sides[order.side].ids
        del ids[order.price][order_id]
        if not ids[order.price]:
            del ids[order.price]

    def settle(self, now: int) -> None:
        """Let held takers rest that no longer cross or have waited too long."""
        for order_id, order in list(self.held.items()):
            best = self.sides[-order.side].best
            if best is None or order.side * (order.price - best) < 0 or now - order.since_ns > PATIENCE_NS:
                del self.held[order_id]
                self.rest(now, order_id, order, NONE)

    def adopt(self, now: int, order_id: int, side: int, price: int, amount: int) -> None:
        """Give an order older than the log its id, taken out of its level's anonymous amount."""
        held = self.sides[side].anonymous.get(price)
        if held is None or not amount:
            return
        self.anonymous(now, side, price, max(0, held[1] - amount))
        self.rest(now, order_id, _Order(side, price, amount, now), NONE, IMPLIED)

    def anonymous(self, now: int, side: int, price: int, amount: int, marks: int = IMPLIED) -> None:
        """Set the amount of a level's anonymous order."""
        half = self.sides[side]
        held = half.anonymous.pop(price, None)
        tick, off_grid = self.tick(price)
        lots, off_lot = self.lots(amount)
        marks |= off_grid | off_lot
        if held is None:
            self.synthetic -= 1
            half.anonymous[price] = (self.synthetic, amount)
            half.change(price, amount)
            self.out.append(ADD, now, NONE, tick, lots, side, self.synthetic, NONE, 0, marks)
        elif amount:
            half.anonymous[price] = (held[0], amount)
            half.change(price, amount - held[1])
            self.out.append(MODIFY, now, NONE, tick, lots, side, held[0], NONE, 0, marks | KEEPS_PLACE)
        else:
            half.change(price, -held[1])
            self.out.append(CANCEL, now, NONE, tick, 0, side, held[0], NONE, 0, marks)

    def ghost(self, now: int, order_id: int, order: _Order, why: str) -> None:
        """List an order whose end had to be concluded."""
        fine_price, fine_size = self.instrument.price.fine_text, self.instrument.size.fine_text
        entry: dict[str, object] = {
            "id": order_id, "side": "bid" if order.side > 0 else "ask", "price": fine_price(order.price),
            "size": fine_size(order.left), "since_ns": order.since_ns, "dropped_ns": now, "why": why,
        }  # fmt: skip
        self.checks.ghosts.append(entry)

    def snapshot(self, now: int, bids: tuple[list[int], list[int]], asks: tuple[list[int], list[int]]) -> bool | None:
        """Compare with the venue's levels and mend what they have refuted for 2 s; whether the inside agreed."""
        if not self.seeded:
            self.seeded = True
            for side, (prices, sizes) in ((1, bids), (-1, asks)):
                for price, size in zip(prices, sizes, strict=True):
                    missing = size - self.sides[side].amounts.get(price, 0)
                    if missing > 0:
                        self.anonymous(now, side, price, missing, SNAPSHOT)
            return None
        agrees = True
        found: dict[tuple[int, int], int] = {}
        for side, (prices, sizes) in ((1, bids), (-1, asks)):
            half = self.sides[side]
            best = half.best
            if prices:
                ours = half.down_to(prices[-1])
                agrees &= best == prices[0] and half.amounts[best] == sizes[0]
                if ours != prices or [half.amounts[price] for price in ours] != sizes:
                    venue = dict(zip(prices, sizes, strict=True))
                    for price in {*ours, *prices}:
                        excess = half.amounts.get(price, 0) - venue.get(price, 0)
                        if excess:
                            found[side, price] = excess
            else:
                agrees &= best is None
        self.checks.snapshots += 1
        self.checks.snapshots_failed += not agrees
        if found or self.doubts:
            self.mend(now, found)
        return agrees

    def mend(self, now: int, found: dict[tuple[int, int], int]) -> None:
        """Resolve contradictions that have lasted; keep the younger ones in mind."""
        for key in [key for key in self.doubts if found.get(key, 0) * self.doubts[key][1] <= 0]:
            del self.doubts[key]
        for key, excess in sorted(found.items()):
            since, least = self.doubts.get(key, (now, excess))
            least = min(least, excess) if excess > 0 else max(least, excess)
            side, price = key
            held = self.sides[side].anonymous.get(price)
            if now - since <= PATIENCE_NS and not (held and excess > 0):
                self.doubts[key] = (since, least)
                continue
            self.doubts.pop(key, None)
            if least < 0:
                self.anonymous(now, side, price, (held[1] if held else 0) - least)
            elif held:
                self.anonymous(now, side, price, max(0, held[1] - least))
            else:
                self.refute(now, side, price, least, since)

    def refute(self, now: int, side: int, price: int, excess: int, since: int) -> None:
        """Drop the orders of a level that the venue has not shown since then."""
        ids = [one for one in self.sides[side].ids.get(price, {}) if self.orders[one].since_ns <= since]
        exact = [one for one in ids if self.orders[one].left == excess]
        if sum(self.orders[one].left for one in ids) != excess:
            ids = exact[:1]
        if not ids:
            shown = self.instrument.price.fine_text(price)
            self.checks.problem(f"{now} ns: {shown}: the venue shows less than the orders there, none of which fits")
        for one in ids:
            self.ghost(now, one, self.orders[one], "the venue's snapshots have not shown it for 2 s")
            self.over[one] = None
            self.drop(now, one, IMPLIED)

    def aggressor(self, now: int, price: int, amount: int) -> int:
        """Conclude which side took: by the orders executed with this amount, by a held taker, by the quote."""
        near = [
            (order_id, side) for at, order_id, side, size in self.executions if size == amount and now - at <= _MATCH_NS
        ]
        sides = {side for _, side in near}
        if len(sides) == 2:
            return max(near)[1]
        takers = {order.side for order in self.held.values() if order.side * (order.price - price) >= 0}
        if len(takers) == 1:
            return takers.pop()
        return lean(self.sides[1].best, self.sides[-1].best, price)

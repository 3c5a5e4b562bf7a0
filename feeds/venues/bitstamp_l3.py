"""Bitstamp order by order: `live_orders`, whose events each name the one before.

`pre_event_id` of an event equals the `event_id` of the last one of its market, so that a lost one is seen at the next;
that costs the book. There is no snapshot that joins the chain, and one seeded from elsewhere crosses for ever: the book
starts empty and is said to be syncing until it is known to be whole at the touch. It is, once an ask has rested at or
below the best bid and a bid at or above the best ask: no older order can be left there. An order rests where it was the
best for 2 s in a book that does not cross; aggressors are told as orders too, and cross it for moments. A deletion may
carry the price of the execution, so that orders are found by id alone; one with nothing left was filled. Orders of
before the start that change become known, marked SNAPSHOT. Source: Bitstamp's "WebSocket API v2", live orders.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Annotated, ClassVar, Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    BAD_TIME,
    BID,
    C_DAMAGED,
    C_SEQUENCE,
    CANCEL,
    CLEAR,
    FILL,
    LAST,
    MODIFY,
    NONE,
    OFF_GRID,
    OFF_LOT,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.venues._bitstamp import Channels, Frame, Id, Place, micro_ns

SIDES: Final = {0: BID, 1: ASK}
EVENTS: Final = ("order_created", "order_changed", "order_deleted")
RESTED_NS: Final = 2_000_000_000
MOST_ORDERS: Final = 1_000_000
"""Orders of one book; the venue lists a hundredth of it."""


class _Order(msgspec.Struct, gc=False):
    order_type: Annotated[int, msgspec.Meta(ge=0, le=1)]
    price_str: str
    amount_str: str
    microtimestamp: str
    id_str: str = ""
    id: Id = 0
    event_id: str | int | None = None
    pre_event_id: str | int | None = None


_ORDER: Final = msgspec.json.Decoder(_Order)


class _Resting(NamedTuple):
    side: int
    price: int
    """In fine units."""
    tick: int
    off_grid: int
    size: int
    """What is left, in fine units."""


class _Levels:
    """One side's prices, best first, each with how many orders rest there and since when."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._keys: list[int] = []
        self._there: dict[int, tuple[int, int]] = {}

    def add(self, price: int, exch_ns: int) -> None:
        key = -price * self._side
        orders, since = self._there.get(key, (0, exch_ns))
        if not orders:
            insort(self._keys, key)
        self._there[key] = (orders + 1, since)

    def remove(self, price: int) -> None:
        key = -price * self._side
        orders, since = self._there[key]
        if orders > 1:
            self._there[key] = (orders - 1, since)
        else:
            del self._there[key]
            del self._keys[bisect_left(self._keys, key)]

    def best(self) -> tuple[int, int] | None:
        """The best price and since when there are orders."""
        if not self._keys:
            return None
        return -self._keys[0] * self._side, self._there[self._keys[0]][1]


class _Market(Place):
    """One symbol's orders."""

    def __init__(self, symbol: str, inst: int, instrument: Instrument) -> None:
        super().__init__(symbol, inst, instrument)
        self.fine_tick, self.fine_lot = instrument.price.fine, instrument.size.fine
        self.forget()
        self.broken = False

    def forget(self) -> None:
        """Empty the book and leave the chain."""
        self.orders: dict[int, _Resting] = {}
        self.levels = {BID: _Levels(BID), ASK: _Levels(ASK)}
        self.last: str | int | None = None
        self.began = self.live = False
        self.lowest_ask: int | None = None
        """No older bid is left at or above it."""
        self.highest_bid: int | None = None

    def put(self, ident: int, order: _Resting, exch_ns: int) -> None:
        """Set an order."""
        self.drop(ident)
        if len(self.orders) >= MOST_ORDERS:
            raise BadInput("book", len(self.orders), f"at most {MOST_ORDERS:,} orders")
        self.orders[ident] = order
        self.levels[order.side].add(order.price, exch_ns)

    def drop(self, ident: int) -> _Resting | None:
        """Remove an order and give it."""
        order = self.orders.pop(ident, None)
        if order is not None:
            self.levels[order.side].remove(order.price)
        return order

    def whole(self, exch_ns: int) -> bool:
        """Whether nothing older can be left at the touch."""
        bid, ask = self.levels[BID].best(), self.levels[ASK].best()
        if bid is None or ask is None or bid[0] >= ask[0]:
            return False
        if exch_ns - ask[1] >= RESTED_NS and (self.lowest_ask is None or ask[0] < self.lowest_ask):
            self.lowest_ask = ask[0]
        if exch_ns - bid[1] >= RESTED_NS and (self.highest_bid is None or bid[0] > self.highest_bid):
            self.highest_bid = bid[0]
        if self.lowest_ask is None or self.highest_bid is None:
            return False
        return self.lowest_ask <= bid[0] and self.highest_bid >= ask[0]


class BitstampL3(Channels[_Market]):
    """Bitstamp's orders; symbols such as 'btcusd'."""

    name: ClassVar[str] = "bitstamp-l3"
    verification: ClassVar[str] = "chain"
    tier: ClassVar[str] = "A"
    state = _Market
    book: ClassVar[str] = "live_orders_"

    def on_book(self, symbol: str, frame: Frame, recv_ns: int, out: EventBuffer) -> None:
        """Take what happened to an order."""
        market = self.market(symbol)
        if market is None:
            return
        if frame.event not in EVENTS:
            raise BadInput("event", frame.event, "order_created, order_changed or order_deleted")
        order = _ORDER.decode(frame.data)
        ident = _ident(order)
        resting = _resting(market, order)
        exch_ns = micro_ns(order.microtimestamp)
        if order.event_id is not None:
            if order.event_id == market.last:
                self.checks.duplicates += 1
                return
            if market.last is not None and order.pre_event_id != market.last:
                why = f"event {order.event_id} follows {order.pre_event_id}, not {market.last}"
                self.lose(market, C_SEQUENCE, why, recv_ns, out)
            market.last = order.event_id
        if not market.began:
            self._begin(market, exch_ns, recv_ns, out)
        before = len(out)
        self._take(market, frame.event, ident, resting, (recv_ns, exch_ns), out)
        if len(out) > before:
            out.mark_last()
        else:
            status = S_LIVE if market.live else S_SYNCING
            out.append(STATUS, recv_ns, exch_ns, aux=status, inst=market.inst, marks=LAST)
        if not market.live and market.whole(exch_ns):
            market.live = True
            out.append(STATUS, recv_ns, exch_ns, aux=S_LIVE, inst=market.inst, marks=LAST)

    def _begin(self, market: _Market, exch_ns: int, recv_ns: int, out: EventBuffer) -> None:
        self.checks.resyncs += market.broken
        market.began = market.touched = True
        market.broken = False
        out.append(CLEAR, recv_ns, exch_ns, inst=market.inst, marks=SNAPSHOT)
        out.append(STATUS, recv_ns, exch_ns, aux=S_SYNCING, inst=market.inst, marks=LAST)

    def _take(
        self, market: _Market, event: str, ident: int, now: _Resting, times: tuple[int, int], out: EventBuffer
    ) -> None:
        was = market.orders.get(ident)
        if event == "order_deleted":
            market.drop(ident)
            if was is None:
                self.checks.unknown_orders += 1
            else:
                self._row(FILL if now.size == 0 else CANCEL, market, ident, was, times, out)
        elif event == "order_created" or was is None:
            marks = 0
            if event == "order_changed":
                self.checks.unknown_orders += 1
                marks = SNAPSHOT
            if was is not None:
                self.checks.duplicates += 1
            elif now.size:
                market.put(ident, now, times[1])
                self._row(ADD, market, ident, now, times, out, marks)
        elif (now.side, now.price) == (was.side, was.price) and 0 <= now.size < was.size:
            if now.size:
                market.orders[ident] = now
            else:
                market.drop(ident)
            self._row(FILL, market, ident, was._replace(size=was.size - now.size), times, out)
        elif now.size:
            market.put(ident, now, times[1])
            if now.side != was.side:
                self._row(CANCEL, market, ident, was, times, out)
            self._row(MODIFY if now.side == was.side else ADD, market, ident, now, times, out)
        else:
            market.drop(ident)
            self._row(CANCEL, market, ident, was, times, out)

    def _row(
        self, kind: int, market: _Market, ident: int, order: _Resting, times: tuple[int, int], out: EventBuffer,
        marks: int = 0,
    ) -> None:  # fmt: skip
        lots, rest = divmod(order.size, market.fine_lot)
        marks |= order.off_grid | (OFF_LOT if rest else 0) | (BAD_TIME if times[1] == 0 else 0)
        self.checks.off_grid += marks & (OFF_GRID | OFF_LOT) != 0
        out.append(
            kind, *times, order.tick, order.size if rest else lots, order.side, ident, NONE, market.inst, marks
        )  # fmt: skip

    def on_damaged(self, symbol: str, recv_ns: int, out: EventBuffer) -> None:
        """Lose the book: what the event told is not known."""
        market = self.markets.get(symbol)
        if market is not None and market.began:
            self.lose(market, C_DAMAGED, "an order's event cannot be read", recv_ns, out)

    def lose(self, market: _Market, cause: int, why: str, recv_ns: int, out: EventBuffer, lost: int = NONE) -> None:
        """Write a gap and forget the book, which begins anew with the next event."""
        self.write_hole(market, cause, why, recv_ns, out, lost)
        market.forget()
        market.broken = True


def _ident(order: _Order) -> int:
    text = order.id_str
    if not text and order.id:
        return order.id
    if not (text.isdigit() and text.isascii() and len(text) <= 18):
        raise BadInput("order id", text[:40], "a number below 10**18")
    return int(text)


def _resting(market: _Market, order: _Order) -> _Resting:
    tick, off_grid = market.numbers.price(order.price_str)
    lots, off_lot = market.numbers.size(order.amount_str)
    if tick < 0 or lots < 0:
        raise BadInput("order", f"{order.price_str} x {order.amount_str}"[:80], "a price and an amount of 0 or more")
    price = tick if off_grid else tick * market.fine_tick
    size = lots if off_lot else lots * market.fine_lot
    if size >= 2**62:
        raise BadInput("amount", order.amount_str[:40], "an amount that fits 62 bits")
    return _Resting(SIDES[order.order_type], price, tick, off_grid, size)


VENUES: Final = (BitstampL3,)

"""One view's orders and fills of one instrument, as they become position, exits and records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.events import NONE, S_LIVE
from tapeview.desk import outcome
from tapeview.desk.commands import STOP, Place
from tapeview.desk.costs import Charges
from tapeview.desk.exits import IDS, ExitOrder
from tapeview.desk.limits import Limits
from tapeview.desk.paper import MAKER, Change, Fill, Order
from tapeview.desk.position import Trade
from tapeview.desk.records import PESSIMIST, Changed, Closed, Filled, Sent, Told
from tapeview.desk.terms import Terms
from tapeview.desk.view import View, mid2_of


class Blotter:
    """Sends, books and follows what one view does with the orders of one instrument.

    `add` takes a record's type and fields; those of place and time it fills in where they are not given.
    """

    def __init__(
        self, view: View, terms: Terms, limits: Limits, charges: Charges, add: Callable[..., None],
        closed: Callable[[Trade, dict[str, Any]], None],
    ) -> None:  # fmt: skip
        self.view = view
        self._terms = terms
        self._limits = limits
        self._charges = charges
        self._add = add
        self._closed = closed

    # -- out ----------------------------------------------------------------------------------------
    def enter(self, number: int, order: Place, now_ns: int, *, size_kept: bool | None) -> None:
        """Send an entry under its command's number."""
        trade = self.view.position.trade
        adds = trade is not None and trade.side == order.side
        self.view.exits.expect(number * IDS, order, adds=adds, size_kept=size_kept)
        self._send(
            number * IDS, order.side, order.lots, order.kind, order.tick, now_ns, by_quote=order.by_quote,
            why="add" if adds else "entry", mid2=self.view.mid2,
        )  # fmt: skip

    def close(self, kind: str, why: str, now_ns: int) -> None:
        """Send an order that closes the position."""
        one = self.view
        number, side = one.exits.next_number(), -1 if one.position.lots > 0 else 1
        self._send(
            number, side, abs(one.position.lots), kind, None, now_ns, parent=one.exits.parent_of(number), why=why,
            mid2=self.view.mid2,
        )  # fmt: skip

    def _send(
        self, number: int, side: int, lots: int, kind: str, tick: int | None, now_ns: int, *, by_quote: bool = False,
        parent: int | None = None, why: str, mid2: int | None = None, **at: int,
    ) -> None:  # fmt: skip
        protect = self._limits.protect_ticks or None if kind == STOP else None
        self.view.venue.send(
            Order(
                id=number, side=side, lots=lots, kind=kind, tick=tick, by_quote=by_quote, sent_ns=now_ns, left=lots,
                protect_ticks=protect, reduces=parent is not None, parent=parent, why=why, mid2=mid2,
            )
        )  # fmt: skip
        self._add(
            Sent, order=number, view=self.view.name, side=side, lots=lots, kind=kind, tick=tick, parent=parent,
            why=why, inst=self.view.inst, recv_ns=now_ns, **at,
        )  # fmt: skip

    def _send_exits(self, orders: Sequence[ExitOrder], now_ns: int, seq: int) -> None:
        for one in orders:
            parent = self.view.exits.parent_of(one.number)
            self._send(one.number, one.side, one.lots, one.kind, one.tick, now_ns, parent=parent, why=one.why, seq=seq)

    # -- in -----------------------------------------------------------------------------------------
    def book(self, done: Sequence[Fill | Change], frame: NDArray[Any] | None) -> None:
        """Take what happened to orders, by a batch's rows or between them."""
        at = 0
        for event in done:
            if frame is not None:
                end = int(np.searchsorted(frame["seq"], event.seq, side="right"))
                self._mark(frame[at:end])
                at = end
            if isinstance(event, Fill):
                self._filled(event)
            else:
                self._changed(event, None if frame is None else frame[at - 1])
        if frame is not None:
            self._mark(frame[at:])

    def _changed(self, event: Change, row: Any) -> None:
        one, touch = self.view, None
        if event.state == "triggered" and row is not None:
            one.venue.orders[event.order].mid2 = mid2_of(int(row["bid"]), int(row["ask"]))
        place = one.exits.place_of(event.order)
        exits: tuple[ExitOrder, ...] = ()
        if event.state in ("cancelled", "refused") and place is not None:
            if one.exits.missed(event.order):
                touch = one.touch[1 if place.side > 0 else 0]
            exits = one.exits.ended(event.order, one.position.trade)
        self._say(
            Changed, event, order=event.order, state=event.state, why=event.why, touch=touch,
            ahead=one.venue.ahead(event.order) if event.state == "working" else None,
        )  # fmt: skip
        self._send_exits(exits, event.recv_ns, event.seq)
        self._forget()

    def _filled(self, fill: Fill) -> None:
        one = self.view
        fee = self._charges.take(self._terms, fill.lots, fill.tick, maker=fill.liquidity == MAKER)
        closed, opened, slip = one.take(fill, fee)
        trade, parent = one.position.trade, one.exits.parent_of(fill.order)
        if trade is not None and trade.decision is None:
            place = one.exits.place_of(parent)
            trade.decision, trade.setup = parent // IDS, "" if place is None else place.setup
        self._say(
            Filled, fill, order=fill.order, side=fill.side, tick=fill.tick, lots=fill.lots,
            liquidity=fill.liquidity, fee=f"{fee:f}", position=one.position.lots, slip_half_ticks=slip,
        )  # fmt: skip
        for over in closed:
            fields = outcome.closed(one.name, over, self._terms)
            self._add(Closed, **fields)
            self._closed(over, fields)
        made = one.exits.after_fill(fill, trade, opened)
        if made.tighten is not None and trade is not None:
            self._tighten(trade, made.tighten, fill)
        self._send_exits(made.orders, fill.recv_ns, fill.seq)
        for cut in one.trim(fill.recv_ns):
            self._say(Changed, fill, order=cut.order, state="cut", lots=cut.left)
        self._forget()

    def _forget(self) -> None:
        if not self.view.position.lots:
            self.view.exits.clear()

    def _mark(self, frame: NDArray[Any]) -> None:
        position = self.view.position
        if not position.lots or not len(frame):
            return
        name = "bid" if position.lots > 0 else "ask"
        prices = frame[name][(frame["kind"] != 0) & (frame["state"] == S_LIVE) & (frame[name] != NONE)]
        if len(prices):
            for tick in (int(prices.min()), int(prices.max())):
                position.mark(tick, tick)

    # -- stops --------------------------------------------------------------------------------------
    def move_stops(self, tick: int, seq: int, now_ns: int) -> bool:
        """Ask that no stop stands looser than at a tick; whether one did."""
        moved = False
        for order in self.view.stops:
            if order.tick is not None and order.side * (order.tick - tick) > 0:
                moved = True
                self.view.venue.move(order.id, tick, now_ns)
                self._add(
                    Changed, order=order.id, view=self.view.name, state="moved", tick=tick, inst=self.view.inst,
                    seq=seq, recv_ns=now_ns,
                )  # fmt: skip
        return moved

    def _tighten(self, trade: Trade, tick: int, fill: Fill) -> None:
        if self.view.trail.trade == trade.number:
            self.view.trail.tighten(tick)
        if self.move_stops(tick, fill.seq, fill.recv_ns) and self.view.name == PESSIMIST:
            price = self._terms.price.text(tick)
            text = f"stops move to {price}: all legs together lose no more than was to be lost before"
            self._add(Told, kind="stop", text=text, inst=self.view.inst, seq=fill.seq, recv_ns=fill.recv_ns)

    def _say(self, record: type[Any], event: Fill | Change, **fields: Any) -> None:
        self._add(record, view=self.view.name, inst=self.view.inst, seq=event.seq, recv_ns=event.recv_ns, **fields)

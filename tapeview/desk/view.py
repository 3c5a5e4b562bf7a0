"""One instrument's paper trading as the pessimist or the optimist sees it: orders, position, exits, and their stops."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from feeds.events import NONE, S_LIVE
from tapeview.desk import layers
from tapeview.desk.commands import LIMIT, STOP, Place
from tapeview.desk.exits import Exits
from tapeview.desk.follow import Trailing
from tapeview.desk.layers import Leg, Plan
from tapeview.desk.limits import Limits
from tapeview.desk.paper import Fill, Order, PaperVenue
from tapeview.desk.position import Position, Trade
from tapeview.desk.stops import COVERED, FLAT, NAKED, Cover, Status, Stop, StopWatch, cover
from tapeview.desk.terms import Terms

Touch = tuple[int | None, int | None]
"""Best bid and ask in ticks, None for a side that is empty."""


class Cut(NamedTuple):
    """An exit that was larger than what it was to close."""

    order: int
    left: int


class View:
    """One instrument under one view."""

    def __init__(self, name: str, inst: int, venue: PaperVenue, limits: Limits) -> None:
        self.name = name
        self.inst = inst
        self.venue = venue
        self.touch: Touch = (None, None)
        self.state = 0
        """Validity of the book, an index into STATUSES."""
        self.position = Position(inst)
        self.exits = Exits(limits)
        self.trail = Trailing()
        self.watch = StopWatch(limits)
        self.status = Status(FLAT, Cover(0, "", ()), False, "")
        """What is to be shown and said of its stops."""
        self._worth = 0

    # -- what there is ----------------------------------------------------------------------------
    @property
    def mid2(self) -> int | None:
        """Twice the mid, None where a side is empty."""
        bid, ask = self.touch
        return None if bid is None or ask is None else bid + ask

    @property
    def stops(self) -> list[Order]:
        """Exits that are stops and not met yet."""
        return [one for one in self.venue.orders.values() if _is_stop(one) and one.left and one.state != "triggered"]

    @property
    def leaving(self) -> bool:
        """A stop was met, and its order has not ended."""
        return any(_is_stop(one) and one.left and one.state == "triggered" for one in self.venue.orders.values())

    def working(self, side: int) -> int:
        """Lots of entries of a side that are not filled yet."""
        orders = self.venue.orders.values()
        return sum(one.left for one in orders if one.side == side and not one.reduces)

    def entries(self) -> list[tuple[Order, Place]]:
        """Entries that are not filled yet, and the commands they were sent by."""
        found = [(one, self.exits.place_of(one.id)) for one in self.venue.orders.values() if not one.reduces]
        return [(one, place) for one, place in found if place is not None]

    def worth(self) -> int:
        """Cash and position at the exit side of the book, in ticks times lots; as last known where it is empty."""
        worth = self.position.worth(*self.touch)
        self._worth = self._worth if worth is None else worth
        return self._worth

    # -- what it risks ----------------------------------------------------------------------------
    def gain(self) -> Fraction:
        """What the open position stands at against its entry, in ticks times lots; 0 where nobody can say."""
        trade, leave = self.position.trade, self._leave()
        if trade is None or leave is None:
            return Fraction(0)
        return trade.side * (leave - trade.entry) * abs(self.position.lots)

    def loss(self) -> tuple[int, int]:
        """(what the open position loses from its entry where its stops are hit, ticks times lots; its lots).

        A tick for every lot included; what no stop covers is taken to lose what it stands at.
        """
        trade = self.position.trade
        if trade is None or not self.position.lots:
            return 0, 0
        lots = left = abs(self.position.lots)
        lost = Fraction(0)
        for one in self.stops:
            assert one.tick is not None
            counted = min(left, one.left)
            lost += (trade.side * (trade.entry - one.tick) + 1) * counted
            left -= counted
        leave = self._leave()
        if left and leave is not None:
            lost += (trade.side * (trade.entry - leave) + 1) * left
        return max(0, -(-lost.numerator // lost.denominator)), lots

    def _leave(self) -> int | None:
        return self.touch[0] if self.position.lots > 0 else self.touch[1]

    def plan(self) -> Plan | None:
        """The open position in layers, at its loosest stop; None where stops do not cover all of it."""
        trade, stops = self.position.trade, self.stops
        if (
            trade is None
            or trade.risk is None
            or trade.bare
            or sum(one.left for one in stops) < abs(self.position.lots)
        ):
            return None
        loosest = trade.side * min(trade.side * (one.tick or 0) for one in stops)
        legs = tuple(Leg(tick, lots) for tick, lots in trade.legs)
        return Plan(trade.side, legs, loosest, trade.risk, trade.risk_ticks or 0)

    def growth(self, order: Place, terms: Terms, limits: Limits) -> str:
        """Why an entry may not be added to the open position, '' where it may or there is none on its side."""
        trade = self.position.trade
        if trade is None or trade.side != order.side:
            return ""
        plan = self.plan()
        if self.leaving:
            return "the position is being closed by its stop"
        if plan is None:
            return "the position grows only behind stops that cover all of it: what it risks is not known"
        tick = order.tick if order.tick is not None else self.touch[1] if order.side > 0 else self.touch[0]
        if order.kind == LIMIT and tick is not None:
            other = self.touch[1] if order.side > 0 else self.touch[0]
            tick = tick if other is None else order.side * min(order.side * tick, order.side * other)
        if tick is None:
            return "a side of the book is empty"
        verdict = layers.add(terms, plan, tick, order.lots, limits=limits)
        return (
            f"the position grows only where its risk does not: {verdict.reason}"
            if isinstance(verdict, layers.Refused)
            else ""
        )

    # -- what is done to it -----------------------------------------------------------------------
    def look(self, now_ns: int) -> Status:
        """Compare the position with its stops; a book that is not live says nothing of them."""
        (bid, ask), lots = self.touch, self.position.lots
        if not lots:
            self.status = self.watch.look(now_ns, 0, Cover(0, "", ()))
        elif self.state != S_LIVE or bid is None or ask is None:
            self.status = self.watch.wait(now_ns)
        else:
            stops = [Stop(one.side, one.left, one.tick, "venue") for one in self.stops if one.tick is not None]
            self.status = self.watch.look(now_ns, lots, cover(lots, stops, bid, ask))
        trade = self.position.trade
        if trade is not None:
            trade.naked = trade.naked or self.status.state == NAKED
            trade.covered = trade.covered or self.status.state == COVERED
        return self.status

    def trim(self, now_ns: int) -> list[Cut]:
        """Cut exits of each kind down to the position they close."""
        done: list[Cut] = []
        for kind in (STOP, LIMIT):
            exits = [one for one in self.venue.orders.values() if one.reduces and one.kind == kind]
            over = sum(one.left for one in exits) - abs(self.position.lots)
            for order in sorted(exits, key=lambda one: -one.id):
                if over <= 0:
                    break
                off = min(over, order.left)
                if not off:
                    continue
                over -= off
                if off == order.left:
                    self.venue.cancel(order.id, now_ns)
                self.venue.resize(order.id, order.left - off)
                done.append(Cut(order.id, order.left))
        return done

    def take(self, fill: Fill, fee: Decimal) -> tuple[list[Trade], int, int | None]:
        """Book a fill: the trades it closed, the lots that made the position larger, and its slippage a lot."""
        before = self.position.lots
        closing = 0 if before * fill.side >= 0 else min(fill.lots, abs(before))
        was = self.position.trade
        closed = self.position.take(fill, fee)
        opened = fill.lots - closing
        slip = None if fill.mid2 is None else fill.side * (2 * fill.tick - fill.mid2)
        if was is not None and closing:
            _count(was, slip, closing)
            way = fill.why if fill.why not in ("entry", "add") else "hand"
            if way not in was.ways:
                was.ways.append(way)
            if fill.why == "stop":
                was.covered = True
        if self.position.trade is not None and opened:
            _count(self.position.trade, slip, opened)
        return closed, opened, slip


def _count(trade: Trade, slip: int | None, lots: int) -> None:
    if slip is not None:
        trade.slip = (trade.slip or 0) + slip * lots


def _is_stop(order: Order) -> bool:
    return order.kind == STOP and order.reduces and order.tick is not None


def mid2_of(bid: int, ask: int) -> int | None:
    """Twice the mid of a frame's row, None where a side is empty."""
    return None if NONE in (bid, ask) else bid + ask

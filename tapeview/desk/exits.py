"""The exits of entries: stops and targets made as an entry is filled, and stops that follow the market."""

from __future__ import annotations

from typing import Final, NamedTuple

from tapeview.desk.commands import LIMIT, STOP, Place
from tapeview.desk.paper import Fill
from tapeview.desk.position import Trade

_IDS: Final = 1000


class ExitOrder(NamedTuple):
    """An exit to be sent."""

    number: int
    side: int
    lots: int
    kind: str
    tick: int
    why: str


class _Plan:
    """One entry and what has been made of it."""

    def __init__(self, order: Place) -> None:
        self.order = order
        self.filled = 0
        self.reference: int | None = None
        """The tick of its first fill, from which all exits are measured."""
        self.targets: list[int] = [0] * len(order.bracket.targets) if order.bracket is not None else []
        """Lots that each target has been given."""
        self.exits = 0


class Exits:
    """The exits of one instrument under one view."""

    def __init__(self) -> None:
        self.trailing = False
        """Stops follow the market."""
        self._plans: dict[int, _Plan] = {}
        self._newest = 0

    def expect(self, number: int, order: Place) -> None:
        """An entry was sent."""
        self._plans[number] = _Plan(order)
        self._newest = number
        if order.bracket is not None and order.bracket.trail:
            self.trailing = True

    def parent_of(self, number: int) -> int:
        """The entry an order belongs to."""
        return number // _IDS * _IDS

    def setup_of(self, number: int) -> str:
        """The trader's name for an entry's setup."""
        plan = self._plans.get(number)
        return "" if plan is None else plan.order.setup

    def next_number(self) -> int:
        """A number for another exit of the newest entry."""
        plan = self._plans.get(self._newest)
        if plan is None:
            self._newest += 1
            return self._newest
        plan.exits += 1
        return self._newest + plan.exits

    def after_fill(self, fill: Fill, trade: Trade | None) -> list[ExitOrder]:
        """The exits that a fill of an entry asks for."""
        plan = self._plans.get(fill.order)
        if plan is None or plan.order.bracket is None or trade is None or trade.side != fill.side:
            return []
        bracket = plan.order.bracket
        plan.filled += fill.lots
        if plan.reference is None:
            plan.reference = fill.tick
        stop = plan.reference - fill.side * bracket.stop_ticks
        if trade.risk_ticks is None:
            trade.risk_ticks = bracket.stop_ticks
        made = [(fill.lots, STOP, stop, "stop")]
        for n, (ticks, share) in enumerate(bracket.targets):
            more = plan.filled * share // 100 - plan.targets[n]
            if more > 0:
                plan.targets[n] += more
                made.append((more, LIMIT, plan.reference + fill.side * ticks, "target"))
        orders = []
        for lots, kind, tick, why in made:
            plan.exits += 1
            orders.append(ExitOrder(fill.order + plan.exits, -fill.side, lots, kind, tick, why))
        return orders

    def forget(self, number: int) -> None:
        """An entry is over and so are its exits."""
        self._plans.pop(number, None)

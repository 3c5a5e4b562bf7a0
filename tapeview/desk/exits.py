"""The exits of entries: stops and targets made as an entry is filled, and what a leg added later may not risk."""

from __future__ import annotations

from typing import Final, NamedTuple

from tapeview.desk import layers
from tapeview.desk.commands import LIMIT, STOP, Place
from tapeview.desk.layers import Leg, Plan
from tapeview.desk.limits import DEFAULTS, Limits
from tapeview.desk.paper import Fill
from tapeview.desk.position import Trade

IDS: Final = 1_000_000
"""Orders of a command are numbered from its number times this: the entry first, then its exits."""
_PIECES: Final = 8
"""A target is sent in at most so many orders, however many pieces its entry is filled in."""


class ExitOrder(NamedTuple):
    """An exit to be sent."""

    number: int
    side: int
    lots: int
    kind: str
    tick: int
    why: str


class Made(NamedTuple):
    """What a fill asks for."""

    orders: tuple[ExitOrder, ...] = ()
    tighten: int | None = None
    """The loosest tick at which stops may stand from now on; None where they may stay."""


class _Entry:
    """One entry and what has been made of it."""

    def __init__(self, order: Place, *, adds: bool, size_kept: bool | None) -> None:
        self.order = order
        self.adds = adds
        self.size_kept = size_kept
        self.done = 0
        """Lots executed."""
        self.opened = 0
        """Those of them that made the position larger."""
        self.over = False
        self.reference: int | None = None
        """The tick of its first fill, from which all exits are measured."""
        self.targets: list[int] = [0] * len(order.bracket.targets) if order.bracket is not None else []
        """Lots that each target has been given."""
        self.exits = 0

    @property
    def planned(self) -> bool:
        bracket = self.order.bracket
        return bracket is not None and bool(bracket.targets or bracket.trail)


class Exits:
    """The exits of one instrument under one view."""

    def __init__(self, limits: Limits = DEFAULTS) -> None:
        self.trailing = False
        """Stops follow the market."""
        self._limits = limits
        self._entries: dict[int, _Entry] = {}

    def expect(self, number: int, order: Place, *, adds: bool = False, size_kept: bool | None = None) -> None:
        """An entry was sent; one that adds brings no risk of its own."""
        self._entries[number] = _Entry(order, adds=adds, size_kept=size_kept)
        if order.bracket is not None and (order.bracket.trail or order.bracket.scale_out):
            self.trailing = True

    def parent_of(self, number: int) -> int:
        """The entry an order belongs to."""
        return number // IDS * IDS

    def place_of(self, number: int) -> Place | None:
        """The command an entry was sent by, None for what is no entry or is over."""
        entry = self._entries.get(number)
        return None if entry is None else entry.order

    def missed(self, number: int) -> bool:
        """Whether nothing was executed of an entry."""
        entry = self._entries.get(number)
        return entry is not None and not entry.done

    def next_number(self) -> int:
        """A number for another exit of the newest entry; raise LookupError where there is none."""
        newest = max(self._entries, default=None)
        if newest is None:
            raise LookupError("a position without an entry")
        entry = self._entries[newest]
        entry.exits += 1
        return newest + entry.exits

    def after_fill(self, fill: Fill, trade: Trade | None, opened: int) -> Made:
        """What a fill of an entry asks for, of which `opened` lots made the position `trade` larger."""
        entry = self._entries.get(fill.order)
        if entry is None:
            return Made()
        entry.done += fill.lots
        entry.over = entry.over or entry.done >= entry.order.lots
        if trade is None or not opened:
            return Made()
        entry.opened += opened
        if entry.reference is None:
            entry.reference = fill.tick
        if trade.entered_lots == opened:
            trade.planned = entry.planned
        if entry.size_kept is not None:
            trade.size_kept = entry.size_kept and trade.size_kept is not False
        stop, tighten = self._stop(entry, fill, trade, opened)
        if stop is None:
            return Made()
        made = self._order(fill.order, entry, opened, STOP, stop, "stop")
        return Made((made, *self._targets(fill.order, entry)), tighten)

    def ended(self, number: int, trade: Trade | None) -> tuple[ExitOrder, ...]:
        """An entry was taken back or refused: the targets of what was filled of it before."""
        entry = self._entries.get(number)
        if entry is None:
            return ()
        entry.over = True
        if trade is None or trade.side != entry.order.side or entry.reference is None:
            return ()
        return self._targets(number, entry)

    def clear(self) -> None:
        """The position is flat: forget entries that are over.

        The venue knows of the end of an order before its fills have been booked one after the other.
        """
        self._entries = {number: entry for number, entry in self._entries.items() if not entry.over}
        if not self._entries:
            self.trailing = False

    def _stop(self, entry: _Entry, fill: Fill, trade: Trade, opened: int) -> tuple[int | None, int | None]:
        """Where the stop of a fill goes, and where others must come to for it."""
        side, bracket = fill.side, entry.order.bracket
        own = None
        if bracket is not None:
            own = (entry.reference or 0) - side * bracket.stop_ticks
        first = trade.entered_lots == opened
        if own is None and first:
            trade.bare = True
        if bracket is not None and own is not None and (first or not entry.adds):
            trade.risk = (trade.risk or 0) + opened * max(0, side * (fill.tick - own))
            trade.risk_ticks = trade.risk_ticks or bracket.stop_ticks
            return own, None
        if trade.risk is None or trade.bare:
            return own, None
        legs = [Leg(tick, lots) for tick, lots in trade.legs]
        needed = layers.least_stop(side, legs, trade.risk)
        return (needed if own is None else side * max(side * own, side * needed)), needed

    def _targets(self, number: int, entry: _Entry) -> tuple[ExitOrder, ...]:
        made = []
        side, reference, bracket = entry.order.side, entry.reference, entry.order.bracket
        if bracket is None or reference is None:
            return ()
        for n, (ticks, share) in enumerate(bracket.targets):
            tick, wanted = reference + side * ticks, entry.opened * share // 100
            if bracket.scale_out:
                plan = Plan(side, (Leg(reference, entry.opened),), reference - side * bracket.stop_ticks, 0, 0)
                tick, wanted, _ = layers.out_near(plan, tick, self._limits)
            more = wanted - entry.targets[n]
            if more > 0 and (entry.over or more >= max(1, entry.order.lots // _PIECES)):
                entry.targets[n] += more
                made.append(self._order(number, entry, more, LIMIT, tick, "target"))
        return tuple(made)

    def _order(self, number: int, entry: _Entry, lots: int, kind: str, tick: int, why: str) -> ExitOrder:
        entry.exits += 1
        return ExitOrder(number + entry.exits, -entry.order.side, lots, kind, tick, why)

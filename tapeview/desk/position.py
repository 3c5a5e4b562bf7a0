"""What fills make: position, cash and trades, in exact numbers.

Cash and position are sums over fills and nothing else, so any order of the same fills gives the same. A trade goes
from flat to flat; a fill that turns a position around ends one trade and begins the next.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec

from tapeview.desk.paper import Fill


class Trade(msgspec.Struct, kw_only=True):
    """One trade, from the fill that opened it to the one that closed it."""

    number: int
    inst: int
    side: int
    """+1 long, -1 short."""
    opened_ns: int
    opened_seq: int
    closed_ns: int | None = None
    closed_seq: int | None = None
    entered_lots: int = 0
    entered_sum: int = 0
    """Sum of tick times lots of all fills on its side."""
    left_lots: int = 0
    left_sum: int = 0
    most_lots: int = 0
    """The largest position held."""
    fees: Decimal = Decimal(0)
    legs: list[tuple[int, int]] = []
    """(tick, lots) of what is held, oldest first; what goes out takes the oldest."""
    risk_ticks: int | None = None
    """Distance from the entry to its first stop."""
    risk: int | None = None
    """R: what its entries were to lose at their stops, in ticks times lots. Legs added later bring none."""
    bare: bool = False
    """An entry came without a stop, so that nobody can say what was at risk."""
    planned: bool = False
    size_kept: bool | None = None
    naked: bool = False
    """Its stops were missed when time was up."""
    covered: bool = False
    """All of it was covered by resting stops at some time."""
    ways: list[str] = []
    """How its lots went out: stop, target, flatten, lock, hand."""
    slip: int | None = None
    """What its fills cost against the mids they are measured by, in half ticks times lots."""
    best_tick: int | None = None
    """The best and the worst price at which it could have been closed while open."""
    worst_tick: int | None = None
    setup: str = ""
    decision: int | None = None
    """The command that opened it."""

    @property
    def entry(self) -> Fraction:
        """Average price of entry in ticks."""
        return Fraction(self.entered_sum, self.entered_lots)

    @property
    def gross(self) -> int:
        """What it made without costs, in ticks times lots, once it is closed."""
        return self.side * (self.left_sum - self.entered_sum)

    @property
    def mae_ticks(self) -> Fraction | None:
        """How far it went against its entry at the worst, in ticks; None where it was never marked."""
        return None if self.worst_tick is None else max(Fraction(0), self.side * (self.entry - self.worst_tick))

    @property
    def mfe_ticks(self) -> Fraction | None:
        """How far it went for it at the best."""
        return None if self.best_tick is None else max(Fraction(0), self.side * (self.best_tick - self.entry))


class Position:
    """One instrument's position under one view of the queues."""

    def __init__(self, inst: int) -> None:
        self.inst = inst
        self.lots = 0
        """Signed: above 0 is long."""
        self.cash = 0
        """What was taken in less what was paid, in ticks times lots."""
        self.fees = Decimal(0)
        self.trade: Trade | None = None
        """The trade that is open."""
        self._numbers = 0

    def take(self, fill: Fill, fee: Decimal) -> list[Trade]:
        """Add a fill, with what it cost; give the trades it closed."""
        self.cash -= fill.side * fill.tick * fill.lots
        self.fees += fee
        closed: list[Trade] = []
        lots = fill.lots
        if self.trade is not None and fill.side != self.trade.side:
            part = min(lots, abs(self.lots))
            share = fee * part / lots
            _take_out(self.trade.legs, part)
            self.trade.left_lots += part
            self.trade.left_sum += fill.tick * part
            self.trade.fees += share
            self.lots += fill.side * part
            lots, fee = lots - part, fee - share
            if not self.lots:
                self.trade.closed_ns, self.trade.closed_seq = fill.recv_ns, fill.seq
                closed.append(self.trade)
                self.trade = None
        if lots:
            if self.trade is None:
                self._numbers += 1
                self.trade = Trade(
                    number=self._numbers, inst=self.inst, side=fill.side, opened_ns=fill.recv_ns, opened_seq=fill.seq
                )
            self.lots += fill.side * lots
            self.trade.legs.append((fill.tick, lots))
            self.trade.entered_lots += lots
            self.trade.entered_sum += fill.tick * lots
            self.trade.fees += fee
            self.trade.most_lots = max(self.trade.most_lots, abs(self.lots))
        return closed

    def mark(self, bid: int | None, ask: int | None) -> None:
        """Look at the price at which the position could be closed."""
        trade = self.trade
        tick = bid if self.lots > 0 else ask
        if trade is None or tick is None:
            return
        if trade.best_tick is None or trade.side * (tick - trade.best_tick) > 0:
            trade.best_tick = tick
        if trade.worst_tick is None or trade.side * (tick - trade.worst_tick) < 0:
            trade.worst_tick = tick

    def worth(self, bid: int | None, ask: int | None) -> int | None:
        """Cash and position at the exit side of the book, in ticks times lots; None where that side is empty."""
        tick = bid if self.lots > 0 else ask if self.lots < 0 else 0
        return None if tick is None else self.cash + self.lots * tick


def _take_out(legs: list[tuple[int, int]], lots: int) -> None:
    while lots:
        tick, held = legs[0]
        if held > lots:
            legs[0] = (tick, held - lots)
            return
        lots -= held
        del legs[0]

"""The terms something trades on: how its ticks and lots are written, and what a tick is worth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from feeds.instruments import Contract, Grid, Instrument, contracts, parse_decimal
from tapeview.desk.money import decimal, times, total

BUY, SELL = 1, -1


@dataclass(frozen=True, slots=True)
class Terms:
    """How an instrument is counted, and the money one tick of one lot is."""

    symbol: str
    price: Grid
    size: Grid
    tick_value: Decimal
    """Money per tick and lot."""
    currency: str = "USD"
    doubtful: bool = False
    """The row of the contract table these come from still wants checking."""

    @classmethod
    def of(cls, instrument: Instrument) -> Terms:
        """The terms of an instrument: a tick of a lot is tick x lot x multiplier."""
        value = Fraction(1)
        for text in (instrument.tick, instrument.lot, instrument.multiplier):
            mantissa, decimals = parse_decimal(text)
            value *= Fraction(mantissa, 10**decimals)
        return cls(instrument.symbol, instrument.price, instrument.size, decimal(value), instrument.currency)

    @classmethod
    def of_contract(cls, row: Contract) -> Terms:
        """The terms of a row of the futures table."""
        return cls(row.symbol, Grid(row.tick), Grid("1"), Decimal(row.tick_value), row.currency, row.doubtful)

    def money(self, ticks_lots: int) -> Decimal:
        """The money that so many ticks, each of one lot, are."""
        return times(self.tick_value, ticks_lots)

    def profit(self, side: int, entry: int, leave: int, lots: int, costs: Decimal = Decimal(0)) -> Decimal:
        """Profit of a round trip: side x (exit - entry) in ticks x money per tick x lots, less costs."""
        return total(self.money(side * (leave - entry) * lots), -costs)

    def ticks_of(self, amount: Decimal) -> Fraction:
        """How many ticks of one lot an amount is."""
        return Fraction(amount) / Fraction(self.tick_value)


def terms_of_symbol(symbol: str) -> Terms | None:
    """The terms of a future of the table shipped with the program, by its root; None where it has none."""
    row = contracts().get(symbol.upper())
    return None if row is None else Terms.of_contract(row)

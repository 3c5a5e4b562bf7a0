"""What a tick is worth, and profit in ticks times that."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from feeds.instruments import Instrument, contracts, parse_decimal
from tapeview.desk.terms import Terms, terms_of_symbol


@pytest.mark.parametrize("symbol", sorted(contracts()))
def test_every_contract_has_the_tick_value_of_tick_times_multiplier(symbol):
    row, terms = contracts()[symbol], terms_of_symbol(symbol)
    (tick, td), (mult, md) = parse_decimal(row.tick), parse_decimal(row.multiplier)
    assert Fraction(terms.tick_value) == Fraction(tick, 10**td) * Fraction(mult, 10**md)
    assert terms.doubtful == (row.checked == "verify")


def test_a_symbol_that_is_not_in_the_table_has_no_terms():
    assert terms_of_symbol("XYZ") is None
    assert terms_of_symbol("mes").symbol == "MES"


def test_lots_of_a_thousandth_and_ticks_of_a_cent_are_counted_in_a_hundred_thousandth():
    terms = Terms.of(Instrument(venue="binance", symbol="BTCUSDT", tick="0.01", lot="0.001"))
    assert terms.tick_value == Decimal("0.00001")
    assert terms.money(100_000) == 1


def test_profit_is_ticks_times_their_value_times_lots_less_costs():
    mes = terms_of_symbol("MES")
    entry, leave = mes.price.exact("5000"), mes.price.exact("5004.25")
    assert mes.profit(1, entry, leave, 2, Decimal("2.48")) == Decimal("42.50") - Decimal("2.48")
    assert mes.profit(-1, entry, leave, 2) == Decimal("-42.50")

"""Sizes lose no more than was meant to be lost, and not one lot less."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview.desk.costs import profiles, round_trip
from tapeview.desk.limits import Limits
from tapeview.desk.sizing import kelly, size
from tapeview.desk.terms import terms_of_symbol

MES, MNQ = terms_of_symbol("MES"), terms_of_symbol("MNQ")
IBKR = profiles()["ibkr-micro"]


def test_one_percent_of_ten_thousand_at_sixteen_ticks_of_mes_is_four_contracts():
    found = size(MES, Decimal(10_000), 16, round_trip(IBKR, MES))
    assert (found.budget, found.lots) == (100, 4)
    assert found.loss == 4 * (Decimal("20.00") + Decimal("1.24"))
    assert found.risk == 80


def test_a_twenty_tick_stop_of_mnq_costs_twelve_point_four_percent_of_r_and_is_shown_red():
    found = size(MNQ, Decimal(10_000), 20, round_trip(IBKR, MNQ))
    assert found.cost_ticks == Fraction(248, 100)
    assert found.cost_r == Fraction(124, 1000)
    assert found.costly
    assert not size(MES, Decimal(10_000), 20, round_trip(IBKR, MES)).costly


@given(
    st.decimals(1, 10**7, places=2), st.integers(1, 500), st.decimals(0, 50, places=2), st.integers(0, 5),
    st.integers(1, 500),
)  # fmt: skip
def test_the_size_is_the_greatest_whose_loss_the_budget_bears(account, ticks, cost, slip, basis_points):
    share = Fraction(basis_points, 10_000)
    found = size(MES, account, ticks, cost, share=share, slip_ticks=slip)
    budget = share * Fraction(account)

    def loss(lots):
        return lots * (Fraction(5, 4) * (ticks + slip) + Fraction(cost))

    assert loss(found.lots) <= budget < loss(found.lots + 1)
    assert Fraction(found.loss) == loss(found.lots)


def test_a_cap_is_a_cap_and_an_account_too_small_holds_nothing():
    assert size(MES, Decimal(10**6), 4, most_lots=3).lots == 3
    assert size(MES, Decimal(100), 16).lots == 0


@pytest.mark.parametrize(("ticks", "cost", "slip"), [(0, 0, 0), (0, 5, 0), (-3, 0, 0), (3, 0, -1), (4, -5, 0)])
def test_a_stop_that_loses_nothing_has_no_size(ticks, cost, slip):
    with pytest.raises(ValueError, match="stop"):
        size(MES, Decimal(1000), ticks, Decimal(cost), slip_ticks=slip)


def test_kelly_is_suggested_at_the_lower_end_a_quarter_and_at_most_the_cap():
    found = kelly(60, 100, 1.5)
    assert found.full == pytest.approx(1 / 3)
    low = found.win_rate.low
    assert low == pytest.approx(0.5020, abs=1e-4)  # Wilson's interval of 60 of 100
    assert found.cautious == pytest.approx(low - (1 - low) / 1.5)
    assert found.suggested == 0.01
    assert kelly(60, 100, 1.5, limits=Limits(kelly_cap=0.05)).suggested == pytest.approx(found.cautious / 4)


def test_twelve_wins_of_twenty_suggest_nothing_since_the_lower_end_has_no_edge():
    found = kelly(12, 20, 1.5)
    assert found.full == pytest.approx(1 / 3)
    assert found.suggested == 0
    assert kelly(0, 0, 1.5)[1:] == (0, 0, 0)


@given(st.integers(0, 500), st.integers(1, 500), st.floats(0.1, 10), st.floats(0, 1))
def test_kelly_never_suggests_more_than_the_cap_nor_more_than_what_is_seen(wins, more, b, c):
    found = kelly(wins, wins + more, b, c)
    assert 0 <= found.suggested <= min(0.01, found.full)

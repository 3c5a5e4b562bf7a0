"""A position may grow where its risk does not: the worked case, and brute force over every stop."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tapeview.desk.layers import Leg, Plan, Refused, add, begin, least_stop, open_risk, out_near, worst_case
from tapeview.desk.terms import terms_of_symbol

MES = terms_of_symbol("MES")


def tick(price):
    return MES.price.exact(price)


def test_two_and_two_of_mes_stop_at_5000_and_4999_75_is_refused():
    plan = begin(1, tick("5000"), 2, tick("4996"))
    assert MES.money(plan.open_risk) == 40
    grown = add(MES, plan, tick("5004"), 2)
    assert MES.price.text(grown.stop) == "5000.00"
    assert grown.average == tick("5002")
    assert MES.money(grown.open_risk) == 40
    refused = add(MES, plan, tick("5004"), 2, tick("4999.75"))
    assert isinstance(refused, Refused)
    assert "5000.00" in refused.reason
    assert isinstance(add(MES, plan, tick("5004"), 2, tick("5000")), Plan)


def test_the_same_holds_for_a_short_in_the_mirror():
    plan = begin(-1, tick("5000"), 2, tick("5004"))
    grown = add(MES, plan, tick("4996"), 2)
    assert MES.price.text(grown.stop) == "5000.00"
    assert isinstance(add(MES, plan, tick("4996"), 2, tick("5000.25")), Refused)


@pytest.mark.parametrize(("price", "taken"), [("5001.75", False), ("5002", True), ("4999", False)])
def test_it_adds_from_half_an_r_in_favour_on(price, taken):
    made = add(MES, begin(1, tick("5000"), 2, tick("4996")), tick(price), 1)
    assert isinstance(made, Plan) == taken
    if not taken:
        assert "5002.00" in made.reason


def test_a_stop_never_loosens_when_a_leg_is_added():
    plan = begin(1, tick("5000"), 4, tick("4996"))._replace(stop=tick("5003"))
    assert add(MES, plan, tick("5008"), 1).stop == tick("5003")
    refused = add(MES, plan, tick("5008"), 1, tick("5002.75"))
    assert "looser" in refused.reason


def test_a_leg_whose_stop_would_be_where_the_market_is_is_refused():
    plan = begin(1, 100, 1, 98)
    refused = add(MES, plan, 101, 50)
    assert isinstance(refused, Refused)
    assert "market" in refused.reason


LEGS = st.lists(st.builds(Leg, st.integers(-50, 50), st.integers(1, 9)), min_size=1, max_size=5)


@given(st.sampled_from([1, -1]), LEGS, st.integers(0, 400))
def test_the_loosest_stop_is_that_of_trying_every_tick(side, legs, risk):
    def lost(stop):
        return sum(leg.lots * (leg.tick - stop) * side for leg in legs if (leg.tick - stop) * side > 0)

    fine = [stop for stop in range(-600, 601) if lost(stop) <= risk]
    assert least_stop(side, legs, risk) == (min(fine) if side > 0 else max(fine))
    assert open_risk(side, legs, least_stop(side, legs, risk)) <= risk


@given(st.sampled_from([1, -1]), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), min_size=1, max_size=6),
       st.integers(1, 30), st.integers(1, 9))  # fmt: skip
def test_whatever_is_added_the_risk_is_never_more_than_that_of_the_first_leg(side, moves, away, lots):
    plan = begin(side, 1000, lots, 1000 - side * away)
    for move, more in moves:
        made = add(MES, plan, 1000 + side * move, more)
        if isinstance(made, Plan):
            assert made.open_risk <= lots * away
            assert side * (made.stop - plan.stop) >= 0
            plan = made


@pytest.mark.parametrize(
    ("side", "at", "lots", "stop"),
    [(1, 100, 2, 100), (1, 100, 2, 101), (-1, 100, 2, 99), (1, 100, 0, 90), (0, 1, 1, 0)],
)
def test_a_plan_without_a_stop_behind_it_does_not_begin(side, at, lots, stop):
    with pytest.raises(ValueError, match="stop"):
        begin(side, at, lots, stop)


def test_half_goes_out_at_four_fifths_of_the_way_and_the_rest_stays():
    out = out_near(begin(1, tick("5000"), 5, tick("4996")), tick("5010"))
    assert (MES.price.text(out.near), out.lots, out.rest) == ("5008.00", 2, 3)


def test_a_single_lot_goes_out_whole():
    assert out_near(begin(-1, 100, 1, 104), 90)[1:] == (1, 0)


@given(st.sampled_from([1, -1]), LEGS, st.integers(1, 200))
def test_the_near_tick_is_the_first_at_or_beyond_four_fifths_of_the_way(side, legs, way):
    plan = Plan(side, tuple(legs), -side * 1000, 1, 1)
    target = side * (max(side * leg.tick for leg in legs) + way)
    near = out_near(plan, target).near
    goal = plan.average + (target - plan.average) * Fraction(4, 5)
    assume(near != target)
    assert side * (near - goal) >= 0 > side * (near - side - goal)


def test_a_target_that_is_no_profit_is_refused():
    with pytest.raises(ValueError, match="target"):
        out_near(begin(1, 100, 1, 90), 100)


def test_the_worst_case_is_all_stops_costs_and_a_tick_for_every_lot():
    plan = begin(1, tick("5000"), 2, tick("4996"))
    assert worst_case(MES, plan, Decimal("1.24")) == 40 + 2 * Decimal("1.24") + 2 * Decimal("1.25")
    grown = add(MES, plan, tick("5004"), 2, tick("5001"))
    # The first leg's profit at the stop is not counted on.
    assert worst_case(MES, grown, Decimal(0), 0) == 2 * 12 * Decimal("1.25")

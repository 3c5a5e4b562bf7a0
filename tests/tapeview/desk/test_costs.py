"""Costs by bracket, and slippage against what was there when one decided."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.instruments import Instrument
from tapeview.desk.costs import (
    Attempt,
    commission,
    profiles,
    read_profiles,
    round_trip,
    side_cost,
    slippage,
    slippage_half_ticks,
    too_costly,
)
from tapeview.desk.terms import Terms, terms_of_symbol

IBKR = profiles()["ibkr-micro"]
MES, MNQ, MCL = map(terms_of_symbol, ("MES", "MNQ", "MCL"))
MAKER = """
[[profile]]
name = "maker"
rebate = "0.30"
exchange_other = "0.05"
[[profile.tier]]
commission = "0.10"
"""


def test_a_round_trip_of_mes_costs_1_24_which_is_99_hundredths_of_a_tick():
    cost = round_trip(IBKR, MES)
    assert cost == Decimal("1.24")
    assert round(float(MES.ticks_of(cost)), 2) == 0.99


def test_the_same_of_mnq_is_2_48_ticks():
    assert round_trip(IBKR, MNQ) == Decimal("1.24")
    assert float(MNQ.ticks_of(Decimal("1.24"))) == 2.48


def test_crossing_a_thousand_contracts_changes_only_the_later_ones():
    assert commission(IBKR, 10, 995) == 5 * Decimal("0.25") + 5 * Decimal("0.20")
    assert commission(IBKR, 1000) == 250
    assert commission(IBKR, 1, 1000) == Decimal("0.20")


def _rate(number):
    """What the contract of this number in the month costs."""
    for last, rate in ((1_000, "0.25"), (10_000, "0.20"), (20_000, "0.15")):
        if number <= last:
            return Decimal(rate)
    return Decimal("0.10")


@given(st.integers(0, 21_000), st.integers(0, 300))
def test_every_contract_costs_what_its_number_in_the_month_says(before, lots):
    assert commission(IBKR, lots, before) == sum((_rate(before + n) for n in range(1, lots + 1)), Decimal(0))


def test_a_rebate_may_make_a_side_cost_less_than_nothing():
    profile = read_profiles(MAKER, "x")["maker"]
    assert side_cost(profile, MES, 4) == 4 * Decimal("-0.15")
    assert round_trip(profile, MES, 1) == Decimal("-0.30")


def test_slippage_is_part_of_what_a_side_costs():
    assert side_cost(IBKR, MES, 2, slippage_half_ticks=1) == 2 * (Decimal("0.62") + Decimal("0.625"))


def test_a_symbol_without_a_known_exchange_fee_is_refused_not_taken_to_be_free():
    with pytest.raises(BadInput, match="MCL"):
        side_cost(IBKR, MCL, 1)
    assert side_cost(profiles()["free"], MCL, 5) == 0


def test_coins_cost_a_share_of_their_value_and_a_maker_may_be_paid():
    btc = Terms.of(Instrument(venue="binance", symbol="BTCUSDT", tick="0.10", lot="0.001"))
    futures = profiles()["binance-futures"]
    half_a_coin, at = btc.size.exact("0.5"), btc.price.exact("60000.10")
    assert side_cost(futures, btc, half_a_coin, tick=at) == Decimal("60000.10") / 2 * Decimal("0.0005")
    assert side_cost(futures, btc, half_a_coin, tick=at, maker=True) == Decimal("60000.10") / 2 * Decimal("0.0002")
    assert round_trip(futures, btc, 1, tick=at) == Decimal("60000.10") * Decimal("0.001") * Decimal("0.001")
    paid = read_profiles(MAKER.replace('rebate = "0.30"', 'maker = "-0.0001"'), "x")["maker"]
    assert side_cost(paid, btc, 1000, tick=at, maker=True) == 1000 * Decimal("0.15") - Decimal("6.000010")
    with pytest.raises(BadInput, match="a price"):
        side_cost(futures, btc, 1)


def test_costs_above_a_tenth_of_r_are_too_many():
    assert too_costly(MNQ.ticks_of(Decimal("1.24")) / 20)
    assert not too_costly(MNQ.ticks_of(Decimal("1.24")) / 25)


def test_every_profile_names_its_source_and_whether_it_was_checked():
    for profile in profiles().values():
        assert profile.source
        assert profile.checked
    assert IBKR.doubtful
    assert not profiles()["free"].doubtful


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("x", "profile"),
        ("[[profile]]\nname = 'a'\ntier = []", "tier"),
        ("[[profile]]\nname = 'a'\n[[profile.tier]]\ncommission = '1'\nup_to = 5", "last bracket"),
        ("[[profile]]\nname = 'a'\n[[profile.tier]]\ncommission = '1'\nup_to = 5\n"
         "[[profile.tier]]\ncommission = '1'\nup_to = 5\n[[profile.tier]]\ncommission = '1'", "rising"),
        ("[[profile]]\nname = 'a'\n[[profile.tier]]\ncommission = 'dear'", "dear"),
        ("[[profile]]\nname = 'a'\n[[profile.tier]]\ncommission = 1.5", "str"),
        ("[[profile]]\nname = 'a'\nfee = 1\n[[profile.tier]]\ncommission = '1'", "fee"),
        (MAKER + MAKER, "once"),
    ],
)  # fmt: skip
def test_a_table_that_is_none_is_refused_with_its_place(text, part):
    with pytest.raises(BadInput, match="mine.toml") as caught:
        read_profiles(text, "mine.toml")
    assert part in str(caught.value)


def test_a_fill_at_the_touch_costs_half_the_spread_and_one_at_the_bid_saves_it():
    assert slippage_half_ticks(Attempt("market", 1, 1, 100, 102, 102)) == 2
    assert slippage_half_ticks(Attempt("limit", 1, 1, 100, 101, 100)) == -1
    assert slippage_half_ticks(Attempt("market", -1, 1, 100, 101, 98)) == 5


def test_limit_orders_save_what_they_fill_better_by_less_what_the_missed_ones_ran_away():
    tried = [
        Attempt("limit", 1, 2, 100, 101, 100),  # a tick better than the ask, on two lots
        Attempt("limit", 1, 2, 100, 101, None, touch_later=104),  # three ticks away when given up
        Attempt("limit", -1, 1, 100, 101, None, touch_later=99),  # a sale, and the bid fell
        Attempt("market", 1, 1, 100, 101, 102),
    ]
    found = slippage(tried)
    assert found["limit"][:2] == (1, 2)
    assert found["limit"].saved_ticks_lots == 2 - 6 - 1
    assert found["limit"].saved(MES) == Decimal("-6.25")
    assert found["market"].half_ticks_lots == 3
    with pytest.raises(ValueError, match="given up"):
        slippage([Attempt("limit", 1, 1, 100, 101, None)])

"""Money is exact: what is read, compared and written is what a person wrote."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadInput
from tapeview.desk.money import cents, decimal, exact, plain, read_money, times, total

AMOUNTS = st.decimals(-(10**14), 10**14, allow_nan=False, allow_infinity=False, places=12)


@given(AMOUNTS)
def test_an_amount_is_read_as_it_is_written(amount):
    assert read_money(f"{amount:f}") == amount


@pytest.mark.parametrize("text", ["", "x", "NaN", "inf", "1e15", "0.0000000000001", "1,000", " 3", "0x10", "9" * 2000])
def test_what_is_no_amount_is_refused_with_its_place(text):
    with pytest.raises(BadInput, match="--account"):
        read_money(text, "--account")


@given(st.lists(AMOUNTS, max_size=20), st.integers(-(10**9), 10**9))
def test_sums_and_products_do_not_round(amounts, count):
    assert Fraction(total(*amounts)) == sum(map(Fraction, amounts))
    for amount in amounts:
        assert Fraction(times(amount, count)) == Fraction(amount) * count


def test_a_share_kept_as_a_float_is_the_decimal_that_was_written():
    assert exact(0.02) == Fraction(2, 100)
    assert exact(1e-4) == Fraction(1, 10_000)


@given(st.integers(-(10**30), 10**30), st.integers(0, 20), st.integers(0, 20))
def test_a_fraction_whose_decimals_end_becomes_exactly_that_decimal(top, twos, fives):
    value = Fraction(top, 2**twos * 5**fives)
    assert Fraction(decimal(value)) == value


def test_a_fraction_whose_decimals_never_end_is_refused():
    with pytest.raises(ValueError, match="no end"):
        decimal(Fraction(1, 3))


def test_people_read_two_decimals_and_scripts_all_of_them():
    assert cents(Decimal("-1240.505")) == "-1,240.50"
    assert cents(Decimal("-0.001")) == "0.00"
    assert cents(Fraction(1, 3)) == "0.33"
    assert plain(Decimal("1E+3")) == "1000"
    assert plain(Decimal("-0.00")) == "0.00"

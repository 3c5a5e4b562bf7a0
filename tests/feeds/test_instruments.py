"""Decimal text to ticks and lots and back, exactly, for any increment; the contract table."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.instruments import Grid, Instrument, contracts, derive_increment, parse_decimal, read_contracts

INCREMENTS = (
    "0.01",
    "0.25",
    "0.1",
    "0.10",
    "1",
    "5",
    "100",
    "0.00000001",
    "1e-8",
    "0.0078125",
    "0.03125",
    "2.5",
    "0.000000000001",
)
DECIMALS = st.from_regex(r"[+-]?(\d{1,12}(\.\d{0,9})?|\.\d{1,9})([eE][+-]?\d)?", fullmatch=True).filter(str.isascii)


@given(DECIMALS)
def test_decimal_text_is_read_exactly(text: str) -> None:
    mantissa, decimals = parse_decimal(text)
    assert decimals >= 0
    assert Fraction(mantissa, 10**decimals) == Fraction(Decimal(text))


def test_trailing_zeros_count() -> None:
    assert parse_decimal("1.50") == (150, 2)
    assert parse_decimal("-0.0") == (0, 1)
    assert parse_decimal("2E3") == (2000, 0)
    assert parse_decimal("12.") == (12, 0)
    assert parse_decimal(".5") == (5, 1)


WORDS = [
    "-",
    ".",
    "+.",
    "e5",
    "1e",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "0x10",
    "1_000",
    "1,5",
    "--1",
    "1.2.3",
    "1e9999",
    "١",
    "１",
    "1e+",
    "½",
]
REFUSED = [*WORDS, "", " 1", "1 ", "1\n", "9" * 5000, "0." + "0" * 5000 + "1", None, 5, b"1"]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text)[:20])
def test_what_is_no_decimal_number_is_refused(text: object) -> None:
    with pytest.raises(BadInput):
        parse_decimal(text)
    with pytest.raises(BadInput):
        Grid("0.01").read(text)


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_bad_input(text: str) -> None:
    try:
        mantissa, decimals = parse_decimal(text)
    except BadInput:
        return
    assert Fraction(mantissa, 10**decimals) == Fraction(Decimal(text))


@given(st.sampled_from(INCREMENTS), st.integers(-(2**61), 2**61))
def test_every_count_goes_to_text_and_back(increment: str, count: int) -> None:
    grid = Grid(increment)
    text = grid.text(count)
    assert grid.read(text) == (count, True)
    assert grid.exact(text) == count
    assert Fraction(Decimal(text)) == count * Fraction(Decimal(increment))


@given(st.sampled_from(INCREMENTS), st.integers(-(10**15), 10**15), st.integers(0, 6))
def test_a_value_off_the_grid_keeps_its_exact_value(increment: str, mantissa: int, finer: int) -> None:
    grid = Grid(increment)
    decimals = grid.decimals + finer
    text = str(Decimal(mantissa).scaleb(-decimals, None))
    value = Fraction(Decimal(text))
    try:
        count, on_grid = grid.read(text)
    except BadInput:
        assert abs(value * 10**grid.fine_decimals) >= 2**62
        return
    on = value % Fraction(Decimal(increment)) == 0
    assert on_grid == on
    if on:
        assert count * Fraction(Decimal(increment)) == value
    else:
        assert Fraction(count, 10**grid.fine_decimals) == value
        assert Fraction(Decimal(grid.fine_text(count))) == value
        assert count % grid.fine != 0, "an off-grid value is never taken for one on the grid"
        with pytest.raises(BadInput, match="a multiple of"):
            grid.exact(text)


def test_text_has_the_increments_decimals() -> None:
    assert Grid("0.25").text(20_049) == "5012.25"
    assert Grid("0.10").text(279_851) == "27985.10"
    assert Grid("0.10").text(-1) == "-0.10"
    assert Grid("0.10").text(0) == "0.00"
    assert Grid("5").text(-3) == "-15"
    assert Grid("1e-8").text(1) == "0.00000001"


def test_fine_text_drops_only_the_zeros_beyond_the_decimals() -> None:
    grid = Grid("0.01")
    assert grid.fine_text(grid.read("585.335")[0]) == "585.335"
    assert grid.fine_text(5_853_300_000) == "58.533"
    assert grid.fine_text(-5_000) == "-0.00005"
    assert Grid("1").fine_text(2_500_000) == "2.5"
    assert Grid("1").fine_text(3_000_000) == "3"


def test_a_value_finer_than_fine_units_or_too_large_is_refused_and_never_rounded() -> None:
    grid = Grid("0.01")
    with pytest.raises(BadInput, match="at most 8 decimals"):
        grid.read("1.000000001")
    assert grid.read("1.0000000000000") == (100, True)
    with pytest.raises(BadInput, match=r"2\*\*62"):
        grid.read("1e30")
    with pytest.raises(BadInput, match="62 bits"):
        grid.read("99999999999999999.001")


@pytest.mark.parametrize("increment", ["0", "-1", "0.00", "x", "", "nan"])
def test_an_increment_must_be_above_zero(increment: str) -> None:
    with pytest.raises(BadInput):
        Grid(increment)
    with pytest.raises(BadInput, match="tick of v:s"):
        Instrument(venue="v", symbol="s", tick=increment)


def test_a_value_as_a_float_is_near_and_for_pictures() -> None:
    assert Grid("0.25").value(20_049) == 5012.25
    assert Grid("0.1").value(1.5) == pytest.approx(0.15)


def test_an_instrument_knows_its_grids_and_survives_json() -> None:
    mes = Instrument(venue="cme", symbol="MES", tick="0.25", multiplier="5", currency="USD")
    assert mes.name == "cme:MES"
    assert mes.price.text(4) == "1.00"
    assert mes.size.exact("3") == 3
    again = msgspec.json.decode(msgspec.json.encode(mes), type=Instrument)
    assert again == mes
    assert hash(again) == hash(mes)


@pytest.mark.parametrize(
    ("texts", "nice", "increment"),
    [
        (["27985.10", "27985.20"], True, "0.10"),
        (["27985.10", "27985.20"], False, "0.01"),
        (["585.33", "585.94"], True, "0.01"),
        (["5012.25", "5012.50", "5013.00"], True, "0.25"),
        (["100", "150", "200"], True, "50"),
        (["100", "125"], True, "25"),
        (["1.5", "2", "2.5"], True, "0.5"),
        (["3", "6"], True, "1"),
        (["0.001", "2.5"], False, "0.001"),
        (["7.000"], True, "0.001"),
        (["7", "7.0"], True, "0.1"),
        (["-0.25", "0.25"], True, "0.25"),
        (["0", "0.00"], True, "0.01"),
    ],
)
def test_increments_are_derived_from_the_decimals_in_use(texts: list[str], nice: bool, increment: str) -> None:
    assert derive_increment(texts, nice=nice) == increment


@given(
    st.lists(st.sampled_from(["1", "12.5", "0.75", "101.10", "3.003", "-4.25", "0", "99999.00000001"]), min_size=1),
    st.booleans(),
)
def test_a_derived_increment_divides_every_value_it_came_from(texts: list[str], nice: bool) -> None:
    grid = Grid(derive_increment(texts, nice=nice))
    assert all(grid.read(text)[1] for text in texts)
    leading = str(grid.mantissa).rstrip("0")
    assert leading in ("1", "2", "5", "25")


def test_no_values_give_no_increment() -> None:
    with pytest.raises(BadInput):
        derive_increment([], nice=True)


def test_the_contract_table_is_whole_and_its_tick_values_are_right() -> None:
    table = contracts()
    assert {"MES", "MNQ", "M2K", "MYM", "MCL", "MGC", "SIL"} <= table.keys()
    for row in table.values():
        assert Fraction(row.tick) * Fraction(row.multiplier) == Fraction(row.tick_value), row.symbol
        assert row.doubtful == (row.checked == "verify")
        assert row.source or row.checked, row.symbol
    mes = table["MES"]
    assert (mes.tick, mes.tick_value, mes.multiplier) == ("0.25", "1.25", "5")


ROW = 'symbol="X"\nvenue="V"\ntick="0.25"\ntick_value="{value}"\nmultiplier="5"\nunit="u"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[contract]]\n" + ROW.format(value="1.26"), "tick_value"),
        (("[[contract]]\n" + ROW.format(value="1.25")) * 2, "each symbol once"),
        ("[[contract]]\n" + ROW.format(value="1.25") + "colour=1\n", "colour"),
        ("[[contract]]\n" + ROW.format(value="x"), "number"),
        ("[[contract]]\nsymbol=1", "contract"),
        ("contract = [", "table"),
        ("", "contract"),
    ],
)
def test_a_wrong_contract_row_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_contracts(text, "table.toml")
    assert said in str(caught.value)


@given(st.integers(-(2**40), 2**40), st.sampled_from(INCREMENTS))
def test_one_fine_unit_beside_the_grid_is_off_the_grid(count: int, increment: str) -> None:
    grid = Grid(increment)
    fine = count * grid.fine + 1
    assume(abs(fine) < 2**62)
    assert grid.read(grid.fine_text(fine)) == (fine, False)

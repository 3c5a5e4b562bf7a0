"""The fields of facts, and which facts contradict each other."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import F_ADV20, F_BORROW_FEE, F_FLOAT_SHARES, F_OPEN_INTEREST, F_SHORT_INTEREST, F_UTILISATION
from feeds.facts.fact import Fact, Parsed, consistent, read_day, read_instant, read_scaled, read_symbol, read_value
from feeds.facts.kinds import KINDS

SHARES = 10**6


def fact(kind: int, value: int, known: int = 100, as_of: int = 50, symbol: str = "ABC", source: str = "s") -> Fact:
    return Fact(
        symbol=symbol, kind=kind, value=value, as_of_ns=as_of, known_ns=known, source=source, place="f.csv: line 2"
    )


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False), st.integers(4, 9))
def test_numbers_are_scaled_exactly(number, decimals):
    assert Fraction(read_scaled(str(number), decimals, "f", "v"), 10**decimals) == Fraction(number)


@given(st.integers(0, 10**12))
def test_thousands_may_be_grouped_and_nothing_else(number):
    assert read_scaled(f"{number:,}", 6, "f", "v") == number * 10**6
    if number >= 1000:
        for wrong in (f"{number:,}".replace(",", ",,"), f"{number:,}" + ",", f"{number:,}".replace(",", " ")):
            with pytest.raises(BadInput, match="f: v"):
                read_scaled(wrong, 6, "f", "v")


@pytest.mark.parametrize(
    ("code", "text", "unit"),
    [
        (F_BORROW_FEE, "10.000000001", "fraction"), (F_BORROW_FEE, "1000.1", "percent"), (F_BORROW_FEE, "-1", "bp"),
        (F_BORROW_FEE, "5", ""), (F_BORROW_FEE, "5", "per cent"), (F_UTILISATION, "101", "percent"),
        (F_OPEN_INTEREST, "-1", ""), (F_SHORT_INTEREST, "-0.000001", ""), (F_SHORT_INTEREST, "1.0000001", "shares"),
        (F_SHORT_INTEREST, "1e13", "shares"), (F_FLOAT_SHARES, "0", ""), (F_ADV20, "nan", ""), (F_ADV20, "", ""),
        (F_ADV20, "0x10", ""), (F_ADV20, "1" * 2_000, ""), (F_ADV20, "1e999", ""),
    ],
)  # fmt: skip
def test_a_value_outside_its_kind_is_refused_with_place_field_value_and_what_was_expected(code, text, unit):
    with pytest.raises(BadInput) as refused:
        read_value(text, KINDS[code], "f.csv: line 7", unit)
    assert refused.value.place in ("f.csv: line 7: value", "f.csv: line 7: unit")
    assert refused.value.expected
    assert refused.value.value == (unit if refused.value.place.endswith("unit") else text)


@pytest.mark.parametrize(
    ("code", "text", "unit", "value"),
    [
        (F_BORROW_FEE, "44.25", "percent", 442_500_000), (F_BORROW_FEE, "10", "fraction", 10**10),
        (F_BORROW_FEE, "25", "bp", 2_500_000), (F_UTILISATION, "100", "percent", 10**9),
        (F_SHORT_INTEREST, "17705180.795191", "", 17705180795191), (F_OPEN_INTEREST, "81234.567", "", 81234567 * 10**6),
    ],
)  # fmt: skip
def test_units_are_exact_powers_of_ten(code, text, unit, value):
    assert read_value(text, KINDS[code], "f", unit) == value


@given(st.dates(date(1990, 1, 1), date(2100, 12, 31)))
def test_dates_are_read_in_the_three_ways_they_are_published(day):
    for text in (day.isoformat(), day.strftime("%Y%m%d"), f"{day.month}/{day.day}/{day.year}", f" {day:%m/%d/%Y} "):
        assert read_day(text, "f", "d") == day


@pytest.mark.parametrize("text", ["", "2025-02-30", "13/01/2025", "1989-12-31", "2101-01-01", "20251301", "١٢/٠١/٢٠٢٥"])
def test_other_dates_are_refused(text):
    with pytest.raises(BadInput, match="f: d"):
        read_day(text, "f", "d")


@given(st.datetimes(datetime(1991, 1, 1), datetime(2100, 12, 30)), st.integers(0, 999), st.integers(-14 * 60, 14 * 60))
def test_times_keep_their_nanoseconds_and_their_zone(when, nanos, minutes):
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    ns, day = read_instant(f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond:06d}{nanos:03d}{zone}", "f", "t")
    whole = int(when.replace(microsecond=0, tzinfo=UTC).timestamp())
    assert ns == (whole - minutes * 60) * 10**9 + when.microsecond * 1000 + nanos
    assert day is None
    assert read_instant(str(ns), "f", "t") == (ns, None) or ns < 10**17


@pytest.mark.parametrize(
    "text", ["2025-11-20T15:30:00", "2025-11-20T24:00:00Z", "2025-11-20T15:30:00.1234567891Z",
             "2025-11-20T15:30:00+24:00", "9999999999999999999", "12", "now", "2025-11-20T15:30:60Z"]
)  # fmt: skip
def test_other_times_are_refused(text):
    with pytest.raises(BadInput, match="f: t"):
        read_instant(text, "f", "t")


@pytest.mark.parametrize("text", ["", " ", "A" * 65, "A\x1b[2J", "A\nB", "ÄBC", ",", "|"])
def test_a_symbol_is_short_and_plain(text):
    with pytest.raises(BadInput, match="symbol"):
        read_symbol(text, "f")


def test_short_interest_above_three_times_the_float_is_refused_whichever_comes_second():
    short, free = fact(F_SHORT_INTEREST, 301 * SHARES, 100), fact(F_FLOAT_SHARES, 100 * SHARES, 90)
    kept, refused = consistent([short, free])
    assert kept == [free]
    assert "f.csv: line 2" in str(refused[0])
    assert "301" in str(refused[0])
    assert consistent([fact(F_FLOAT_SHARES, 100 * SHARES, 110), short])[0] == [short]
    assert len(consistent([free, fact(F_SHORT_INTEREST, 300 * SHARES)])[0]) == 2
    assert len(consistent([free, fact(F_SHORT_INTEREST, 301 * SHARES, symbol="DEF")])[0]) == 2
    assert len(consistent([free, fact(F_SHORT_INTEREST, 301 * SHARES, symbol="DEF")], lambda _: 0)[0]) == 1


def test_a_refused_fact_does_not_count_against_those_after_it():
    free = fact(F_FLOAT_SHARES, 100 * SHARES, 90)
    wrong, right = fact(F_SHORT_INTEREST, 900 * SHARES, 100), fact(F_SHORT_INTEREST, 90 * SHARES, 110)
    assert consistent([free, wrong, right])[0] == [free, right]
    more = fact(F_FLOAT_SHARES, 200 * SHARES, 120)
    assert consistent([free, wrong, more])[0] == [free, more]


def test_a_fact_of_a_time_after_it_became_known_is_refused():
    kept, refused = consistent([fact(F_ADV20, 1, known=49)])
    assert kept == []
    assert "as_of" in str(refused[0])


FACTS = st.builds(
    fact, st.sampled_from([F_SHORT_INTEREST, F_FLOAT_SHARES, F_ADV20]), st.integers(1, 9), st.integers(50, 53),
    st.integers(48, 51), st.sampled_from(["A", "B"]), st.sampled_from(["x", "y"]),
)  # fmt: skip


@given(st.lists(FACTS, max_size=20), st.randoms())
def test_facts_come_in_one_order_each_once_from_wherever_they_were_read(facts, rng):
    kept, refused = consistent(facts)
    shuffled = facts + facts[:3]
    rng.shuffle(shuffled)
    again, refused_again = consistent(shuffled)
    assert again == kept
    assert [str(one) for one in refused_again] == [str(one) for one in refused]
    assert len({one.order for one in facts}) == len(kept) + len(refused)
    assert [one.known_ns for one in kept] == sorted(one.known_ns for one in kept)


@given(st.lists(FACTS, max_size=20))
def test_what_is_kept_never_shows_more_than_three_floats_short(facts):
    newest = {}
    for one in consistent(facts)[0]:
        newest[one.symbol, one.kind] = one.value
        short, free = newest.get((one.symbol, F_SHORT_INTEREST)), newest.get((one.symbol, F_FLOAT_SHARES))
        assert short is None or free is None or short <= 3 * free


def test_a_file_keeps_a_thousand_refusals_and_counts_all():
    out = Parsed(format="f", place="p")
    for number in range(1_500):
        out.refuse(BadInput(f"p: line {number}"))
    assert (len(out.refused), out.refused_rows) == (1_000, 1_500)
    with pytest.raises(BadInput, match="line 0"):
        out.done()
    out.facts.append(fact(F_ADV20, 1))
    assert out.done() is out


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_a_refusal(text):
    for kind in KINDS.values():
        for unit in kind.units:
            try:
                value = read_value(text, kind, "f", unit)
            except BadInput:
                continue
            assert abs(value) < 2**62

"""Cboe's put and call volumes: the file of a day and the tables of the years before."""

from __future__ import annotations

from datetime import date

import pytest

from feeds.errors import BadInput
from feeds.events import F_CALL_VOLUME, F_PUT_VOLUME
from feeds.facts.calendar import new_york_ns, next_morning_ns
from feeds.facts.cboe import parse_day, parse_table
from feeds.facts.layout import every
from tests.feeds.facts.samples import CBOE_DAY, CBOE_TABLE

NAME = "in/2026-07-02_daily_options"
SPX = (
    b"Cboe Volume and Put/Call Ratio data is provided for informational purposes only.\r\n"
    b"Date,SPX Put/Call Ratio,SPX Put Volume,SPX Call Volume,Total SPX Options Volume\r\n"
    b"7/6/2010,1.91,446308,233843,680151\r\n10/04/2019, 2.32, 1015727, 437756, 1453483\r\n"
)


def values(parsed):
    return [(fact.symbol, fact.kind, fact.value) for fact in parsed.facts]


def test_a_day_gives_puts_and_calls_of_each_known_product():
    parsed = parse_day(CBOE_DAY, NAME, every)
    assert values(parsed) == [
        ("$TOTAL", F_PUT_VOLUME, 7490078), ("$TOTAL", F_CALL_VOLUME, 9428474),
        ("$EQUITY", F_PUT_VOLUME, 100), ("$EQUITY", F_CALL_VOLUME, 200),
        ("SPX", F_PUT_VOLUME, 1547345), ("SPX", F_CALL_VOLUME, 1100763),
    ]  # fmt: skip
    assert (parsed.rows, parsed.unwanted) == (4, 1)
    assert {fact.as_of_ns for fact in parsed.facts} == {new_york_ns(date(2026, 7, 2))}
    # 3 July 2026 is the holiday for the 4th, a Saturday.
    assert {fact.known_ns for fact in parsed.facts} == {next_morning_ns(date(2026, 7, 2))}
    assert {fact.known_ns for fact in parsed.facts} == {new_york_ns(date(2026, 7, 6), 9)}


def test_the_date_may_be_inside_and_must_not_contradict_the_name():
    inside = CBOE_DAY[:-1] + b',"selectedDate":"2026-07-02"}'
    assert values(parse_day(inside, "kept.json", every)) == values(parse_day(CBOE_DAY, NAME, every))
    assert parse_day(inside, NAME, every).facts
    with pytest.raises(BadInput, match=r"date: got '2026-07-01 and 2026-07-02', expected one date"):
        parse_day(inside, "2026-07-01_daily_options", every)
    with pytest.raises(BadInput, match=r"kept\.json: date"):
        parse_day(CBOE_DAY, "kept.json", every)
    with pytest.raises(BadInput, match="date in the file's name"):
        parse_day(CBOE_DAY, "2026-13-01_daily_options", every)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [(b'"total":16918552', b'"total":16918551', "total"), (b'"put":7490078', b'"put":-1', "put"),
     (b'"call":9428474', b'"call":null', "call"), (b'"name":"VOLUME","call":9', b'"name":"OTHER","call":9', "VOLUME"),
     (b'"call":9428474', b'"call":9428474.5', "call")],
)  # fmt: skip
def test_a_product_that_does_not_add_up_is_refused_by_itself(old, new, field):
    assert old in CBOE_DAY
    parsed = parse_day(CBOE_DAY.replace(old, new), NAME, every)
    assert [fact.symbol for fact in parsed.facts] == ["$EQUITY", "$EQUITY", "SPX", "SPX"]
    assert f"{NAME}: SUM OF ALL PRODUCTS" in str(parsed.refused[0])
    assert field in str(parsed.refused[0])


def test_the_tables_are_read_under_each_of_their_headers():
    expected = [
        ("$TOTAL", F_PUT_VOLUME, 1271445), ("$TOTAL", F_CALL_VOLUME, 1401036),
        ("$TOTAL", F_PUT_VOLUME, 2289715), ("$TOTAL", F_CALL_VOLUME, 2175006),
    ]  # fmt: skip
    parsed = parse_table(CBOE_TABLE, "x.csv", every)
    assert values(parsed) == expected
    assert parsed.facts[2].as_of_ns == new_york_ns(date(2019, 10, 4))
    archive = CBOE_TABLE.replace(b"DATE,CALLS,PUTS,TOTAL", b"Trade_date,Call,Put,Total").replace(
        b", PRODUCT: TOTAL,,EXCHANGE: Cboe,", b"Total Volume,,,,"
    )
    assert values(parse_table(archive, "x.csv", every)) == expected
    equity = CBOE_TABLE.replace(b"DATE,CALLS,PUTS", b"DATE,CALL,PUT").replace(b"PRODUCT: TOTAL", b"PRODUCT: EQUITY")
    assert {fact.symbol for fact in parse_table(equity, "x.csv", every).facts} == {"$EQUITY"}
    assert values(parse_table(SPX, "spxpc.csv", every)) == [
        ("SPX", F_PUT_VOLUME, 446308), ("SPX", F_CALL_VOLUME, 233843),
        ("SPX", F_PUT_VOLUME, 1015727), ("SPX", F_CALL_VOLUME, 437756),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [(b"1401036,1271445", b"1271445,1401036", "ratio"), (b"2672481", b"2672480", "total"), (b"0.91", b"0.93", "ratio"),
     (b"11/1/2006", b"11/31/2006", "date"), (b"11/1/2006", b"10/4/2019", "date"),
     (b"2672481,0.91", b"2672481", "fields"), (b"1401036", b"many", "call")],
)  # fmt: skip
def test_a_row_that_contradicts_itself_is_refused_by_itself(old, new, field):
    parsed = parse_table(CBOE_TABLE.replace(old, new, 1), "x.csv", every)
    assert len(parsed.facts) == 2
    assert str(parsed.refused[0]).startswith("x.csv: line ")
    assert field in str(parsed.refused[0])


def test_a_table_of_no_known_product_or_header_is_refused():
    with pytest.raises(BadInput, match="product"):
        parse_table(SPX, "unnamed.csv", every)
    with pytest.raises(BadInput, match="header"):
        parse_table(b"P/C Ratio,\nx\n", "totalpc.csv", every)
    with pytest.raises(BadInput, match="one column for put"):
        parse_table(CBOE_TABLE.replace(b"PUTS", b"OTHER"), "totalpc.csv", every)


def test_a_product_nobody_asked_for_is_not_read():
    parsed = parse_table(CBOE_TABLE, "x.csv", {"$EQUITY"}.__contains__)
    assert (parsed.facts, parsed.unwanted) == ([], 2)

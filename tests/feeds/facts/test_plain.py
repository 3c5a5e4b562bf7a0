"""Our own layout: what a person writes down."""

from __future__ import annotations

import json
from datetime import date

import pytest

from feeds.errors import BadInput
from feeds.events import BUY, F_BORROW_FEE, F_FLOAT_SHARES, F_LIQUIDATION, F_SHORT_INTEREST
from feeds.facts.calendar import day_over_ns, evening_ns, new_york_ns, next_morning_ns, short_interest_known_ns
from feeds.facts.layout import every
from feeds.facts.plain import parse
from tests.feeds.facts.samples import PLAIN, PLAIN_JSON

HEADER = b"symbol,kind,value,unit,as_of,source,known_at,side,price\n"


def one(line: bytes):
    parsed = parse(HEADER + line + b"\n", "f.csv", every)
    assert len(parsed.facts) == 1
    return parsed.facts[0]


def test_a_table_gives_what_it_says():
    parsed = parse(PLAIN, "f.csv", every)
    assert [(fact.kind, fact.value, fact.source) for fact in parsed.facts[:3]] == [
        (F_SHORT_INTEREST, 30 * 10**12, "desk"), (F_FLOAT_SHARES, 12 * 10**12, "filing"),
        (F_BORROW_FEE, 442_500_000, "broker"),
    ]  # fmt: skip
    assert [fact.place for fact in parsed.facts] == [f"f.csv: line {n}" for n in range(2, 7)]
    assert parsed.facts[4].as_of_ns == parsed.facts[4].known_ns == 1_763_652_600_123_456_789


def test_json_gives_the_same_as_csv():
    rows = [
        dict(zip(("symbol", "kind", "value", "unit", "as_of", "source"), line.split(","), strict=True))
        for line in PLAIN.decode().replace('"12,000,000"', "12000000").splitlines()[1:]
    ]
    expected = [fact.order for fact in parse(PLAIN, "f", every).facts]
    for data in (rows, {"facts": rows}):
        assert [fact.order for fact in parse(json.dumps(data).encode(), "f", every).facts] == expected


def test_numbers_of_json_are_exact():
    facts = parse(PLAIN_JSON, "f", every).facts
    assert [fact.value for fact in facts] == [81234567 * 10**6, 5 * 10**8, -125000]
    assert (facts[1].kind, facts[1].side, facts[1].price) == (F_LIQUIDATION, BUY, 91000_100000000)


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (b"A,short_interest,1,,2025-11-14,", short_interest_known_ns(date(2025, 11, 14))),
        (b"A,put_volume,1,,2025-11-14,", next_morning_ns(date(2025, 11, 14))),
        (b"A,short_volume,1,,2025-11-14,", evening_ns(date(2025, 11, 14))),
        (b"A,float_shares,1,,2025-11-14,", day_over_ns(date(2025, 11, 14))),
        (b"A,adv20,1,,2025-11-14T12:00:00Z,", 1_763_121_600 * 10**9),
    ],
)
def test_without_known_at_each_kind_has_its_own_time(line, known):
    assert one(line + b",,,").known_ns == known


def test_known_at_decides_and_a_date_means_its_end():
    assert one(b"A,short_interest,1,,2025-11-14,,2025-11-25T21:12:00Z,,").known_ns == 1_764_105_120 * 10**9
    assert one(b"A,short_interest,1,,2025-11-14,,2025-11-25,,").known_ns == new_york_ns(date(2025, 11, 26))


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b"A,shortinterest,1,,2025-11-14,,,,", "kind"), (b"A,utilisation,97,,2025-11-14,,,,", "unit"),
        (b"A,adv20,,,2025-11-14,,,,", "value"), (b"A,adv20,1,,yesterday,,,,", "as_of"),
        (b"A,adv20,1,,2025-11-14,,2025-11-12,,", "as_of"), (b"A,adv20,1,,2025-11-14,,,buy,", "side and price"),
        (b"A,liquidation,1,,2025-11-14T00:00:00Z,,,,5", "side"),
        (b"A,liquidation,1,,2025-11-14T00:00:00Z,,,buy,", "price"),
        (b"A,liquidation,0,,2025-11-14T00:00:00Z,,,buy,5", "value"), (b"A,halt,2,,2025-11-14,,,,", "value"),
        (b"A,adv20,1,,2025-11-14,\x1b[2J,,,", "source"), (b",adv20,1,,2025-11-14,,,,", "symbol"),
        (b"A,adv20,1,,2025-11-14,,,", None), (b"A,adv20,1,,2025-11-14," + b"s" * 81 + b",,,", "source"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_line_and_field(line, place):
    with pytest.raises(BadInput) as refused:
        parse(HEADER + line + b"\n", "f.csv", every)
    assert refused.value.place == "f.csv: line 2" + (f": {place}" if place else "")
    assert refused.value.expected


def test_a_misspelt_column_or_field_is_refused():
    with pytest.raises(BadInput, match="known_on"):
        parse(HEADER.replace(b"known_at", b"known_on"), "f.csv", every)
    with pytest.raises(BadInput, match=r"item 1: field: got 'asof'"):
        parse(b'[{"symbol":"A","kind":"adv20","value":1,"as_of":"2025-11-14","asof":1}]', "f", every)


def test_the_same_fact_twice_is_refused_unless_it_became_known_later():
    row = b"A,adv20,%b,,2025-11-14,,%b,,\n"
    parsed = parse(HEADER + row % (b"1", b"2025-11-15") + row % (b"2", b"2025-11-15"), "f", every)
    assert (len(parsed.facts), parsed.refused_rows) == (1, 1)
    parsed = parse(HEADER + row % (b"1", b"2025-11-15") + row % (b"2", b"2025-11-16"), "f", every)
    assert [fact.value for fact in parsed.facts] == [10**6, 2 * 10**6]


def test_a_byte_order_mark_carriage_returns_and_blank_lines_change_nothing():
    other = b"\xef\xbb\xbf" + PLAIN.replace(b"\n", b"\r\n\r\n")
    assert [fact.order for fact in parse(other, "f", every).facts] == [
        fact.order for fact in parse(PLAIN, "f", every).facts
    ]

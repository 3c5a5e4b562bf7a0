"""Nasdaq's answer about the short interest of a stock."""

from __future__ import annotations

import json
from datetime import date

import pytest

from feeds.errors import BadInput
from feeds.events import F_ADV20, F_SHORT_INTEREST
from feeds.facts.calendar import new_york_ns, short_interest_known_ns
from feeds.facts.layout import every
from feeds.facts.nasdaq import parse
from tests.feeds.facts.samples import NASDAQ


def answer(**changes: object) -> bytes:
    rows = [{"settlementDate": "09/15/2026", "interest": "1,000", "avgDailyShareVolume": "10", "daysToCover": 9.5}]
    rows[0] |= changes
    return json.dumps({"data": {"shortInterestTable": {"rows": rows}}, "status": {"rCode": 200}}).encode()


def test_the_table_is_read_with_its_thousands_separators():
    parsed = parse(NASDAQ, "abc.json", every)
    assert [(fact.symbol, fact.kind, fact.value) for fact in parsed.facts] == [
        ("ABC", F_SHORT_INTEREST, 25946861 * 10**6), ("ABC", F_ADV20, 4168492 * 10**6),
        ("ABC", F_SHORT_INTEREST, 27649788 * 10**6), ("ABC", F_ADV20, 4028630 * 10**6),
    ]  # fmt: skip
    assert parsed.facts[2].as_of_ns == new_york_ns(date(2026, 9, 15))
    assert parsed.facts[2].known_ns == short_interest_known_ns(date(2026, 9, 15))


def test_rows_in_another_order_are_the_same_facts():
    data = json.loads(NASDAQ)
    data["data"]["shortInterestTable"]["rows"].reverse()
    again = parse(json.dumps(data).encode(), "abc.json", every)
    assert sorted(one.order for one in again.facts) == sorted(one.order for one in parse(NASDAQ, "f", every).facts)


def test_without_a_symbol_inside_the_file_is_named_after_it():
    assert parse(answer(), "some/where/upst.short-interest.json", every).facts[0].symbol == "UPST"


def test_a_stock_of_another_exchange_has_no_data_and_that_is_said():
    parsed = parse(b'{"data":null,"message":null,"status":{"rCode":200}}', "IBM.json", every)
    assert (parsed.facts, parsed.notes) == ([], ["Nasdaq has no data for this symbol"])


def test_another_symbol_is_not_read():
    parsed = parse(NASDAQ, "abc.json", {"DEF"}.__contains__)
    assert (parsed.facts, parsed.unwanted) == ([], 2)


@pytest.mark.parametrize(
    "changes",
    [{"interest": "1,00"}, {"interest": None}, {"interest": "-1"}, {"settlementDate": "2026/09/15"}, {"interest": True},
     {"settlementDate": None}, {"avgDailyShareVolume": "x"}, {"interest": [1]}],
)  # fmt: skip
def test_a_wrong_row_is_refused_with_its_field(changes):
    with pytest.raises(BadInput) as refused:
        parse(answer(**changes), "upst.json", every)
    assert refused.value.place == f"upst.json: row 1: {next(iter(changes))}"


@pytest.mark.parametrize(
    "data", [b"[]", b"{}", b'{"data":[]}', b'{"data":{"symbol":"A"}}', b"{", b'{"data":{"symbol":5.5e3}}']
)
def test_another_answer_is_refused(data):
    with pytest.raises(BadInput, match=r"^upst\.json"):
        parse(data, "upst.json", every)

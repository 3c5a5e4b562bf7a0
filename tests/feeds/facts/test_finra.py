"""FINRA's short interest and daily volume as they are published, and damaged."""

from __future__ import annotations

from datetime import date

import pytest

from feeds.errors import BadInput
from feeds.events import F_ADV20, F_REPORTED_VOLUME, F_SHORT_EXEMPT_VOLUME, F_SHORT_INTEREST, F_SHORT_VOLUME
from feeds.facts.calendar import evening_ns, new_york_ns, short_interest_known_ns
from feeds.facts.finra import parse_daily, parse_short_interest
from feeds.facts.layout import every
from tests.feeds.facts.samples import DAILY, SHORT_INTEREST, SHORT_INTEREST_JSON

MILLION = 10**6


def values(parsed):
    return [(fact.symbol, fact.kind, fact.value) for fact in parsed.facts]


def test_short_interest_is_read_as_it_is_published():
    parsed = parse_short_interest(SHORT_INTEREST, "shrt20251114.csv", every)
    assert values(parsed) == [
        ("ABC", F_SHORT_INTEREST, 3354818 * MILLION), ("ABC", F_ADV20, 1749336 * MILLION),
        ("BRKB", F_SHORT_INTEREST, 900 * MILLION), ("BRKB", F_ADV20, 0), ("NOVOL", F_SHORT_INTEREST, 77 * MILLION),
    ]  # fmt: skip
    assert (parsed.rows, parsed.refused_rows, parsed.format) == (3, 0, "finra-short-interest")
    assert {fact.as_of_ns for fact in parsed.facts} == {new_york_ns(date(2025, 11, 14))}
    assert parsed.facts[0].known_ns == short_interest_known_ns(date(2025, 11, 14))
    assert parsed.facts[0].place == "shrt20251114.csv: line 2"


def test_a_revised_position_is_not_known_before_the_next_report():
    parsed = parse_short_interest(SHORT_INTEREST, "f", every)
    revised = next(fact for fact in parsed.facts if fact.symbol == "BRKB")
    assert revised.known_ns == short_interest_known_ns(date(2025, 11, 28))
    assert parsed.notes == ["1 revised positions, taken as known one reporting period later"]


def test_the_answer_of_the_api_is_the_same_in_json_and_in_csv_with_commas():
    parsed = parse_short_interest(SHORT_INTEREST_JSON, "f", every)
    assert values(parsed) == [("ABC", F_SHORT_INTEREST, 5502353 * MILLION), ("ABC", F_ADV20, 2091764 * MILLION)]
    table = (
        b'"settlementDate","symbolCode","issueName","currentShortPositionQuantity","averageDailyVolumeQuantity"\n'
        b'"2026-05-15","ABC","Abc, Inc.",5502353,2091764\n'
    )
    same = parse_short_interest(table, "f", every)
    assert [fact.order for fact in same.facts] == [fact.order for fact in parsed.facts]


def test_only_wanted_symbols_are_read():
    parsed = parse_short_interest(SHORT_INTEREST.replace(b"|77|77|", b"|junk|77|"), "f", {"ABC"}.__contains__)
    assert {fact.symbol for fact in parsed.facts} == {"ABC"}
    assert (parsed.rows, parsed.unwanted, parsed.refused_rows) == (3, 2, 0)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (b"|3354818|", b"|-5|", "currentShortPositionQuantity"), (b"|3354818|", b"||", "currentShortPositionQuantity"),
        (b"|1749336|", b"|many|", "averageDailyVolumeQuantity"),
        (b"2025-11-14\n2025", b"2025-11-31\n2025", "settlementDate"),
        (b"|ABC|", b"|A\x1bC|", "symbol"), (b"|NYSE|3354818", b"|NYSE|1|3354818", "line 2"),
        (b"|BRKB|", b"|ABC|", "symbolCode"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_refused_by_itself_with_its_line_field_and_value(old, new, field):
    data = SHORT_INTEREST
    assert old in data
    parsed = parse_short_interest(data.replace(old, new, 1), "shrt.csv", every)
    assert parsed.refused_rows == 1
    text = str(parsed.refused[0])
    assert text.startswith("shrt.csv: line ")
    assert field in text
    assert "expected" in text
    assert parsed.facts


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"symbolCode|x\nABC|1\n", SHORT_INTEREST.replace(b"issueName", b"symbolCode", 1), b"[1, 2",
             b"[5]",
             b'{"symbolCode":"ABC","settlementDate":"2026-05-15"}',
             b'[{"symbolCode":["ABC"],"settlementDate":"2026-05-15","currentShortPositionQuantity":1}]']
)  # fmt: skip
def test_another_table_is_refused_whole(data):
    with pytest.raises(BadInput, match="^f"):
        parse_short_interest(data, "f", every)


def test_daily_volume_is_read_with_fractions_of_shares_and_odd_symbols():
    parsed = parse_daily(DAILY, "CNMSshvol20260812.txt", every)
    assert values(parsed)[:3] == [
        ("ABC", F_SHORT_VOLUME, 5521379994964), ("ABC", F_SHORT_EXEMPT_VOLUME, 43970500000),
        ("ABC", F_REPORTED_VOLUME, 14277891689275),
    ]  # fmt: skip
    assert [fact.symbol for fact in parsed.facts[::3]] == ["ABC", "BRK/B", "ABRpD"]
    assert {fact.known_ns for fact in parsed.facts} == {evening_ns(date(2026, 8, 12))}
    assert {fact.as_of_ns for fact in parsed.facts} == {new_york_ns(date(2026, 8, 12))}


def test_a_day_without_trades_is_a_header_and_a_zero():
    # The file of the ADF on such a day is 65 bytes long.
    data = DAILY.splitlines(keepends=True)[0] + b"0\r\n"
    assert len(data) == 65
    parsed = parse_daily(data, "f", every)
    assert (parsed.rows, parsed.facts) == (0, [])


def test_the_layout_until_2011_has_no_exempt_volume():
    data = b"Date|Symbol|ShortVolume|TotalVolume|Market\r\n20100104|ABC|10|20|Q\r\n1\r\n"
    assert values(parse_daily(data, "f", every)) == [
        ("ABC", F_SHORT_VOLUME, 10 * MILLION), ("ABC", F_REPORTED_VOLUME, 20 * MILLION)
    ]  # fmt: skip


@pytest.mark.parametrize("cut", range(1, len(DAILY)))
def test_a_file_cut_anywhere_is_refused_or_has_all_its_rows(cut):
    try:
        parsed = parse_daily(DAILY[:cut], "f", every)
    except BadInput as error:
        assert str(error).startswith("f")
        return
    assert parsed.facts == parse_daily(DAILY, "f", every).facts
    assert cut >= DAILY.rindex(b"3") + 1


def test_a_trailer_that_counts_other_rows_is_refused_with_both_numbers():
    with pytest.raises(BadInput, match=r"line 5: trailer: got '4', expected the number of rows, here 3"):
        parse_daily(DAILY.replace(b"\r\n3\r\n", b"\r\n4\r\n"), "f", every)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"|10|0|20|", b"|21|0|20|"), (b"|10|0|20|", b"|10|11|20|"), (b"20260812|BRK", b"20261312|BRK"),
     (b"BRK/B", b"ABC"), (b"|10|0|20|Q", b"|10|0|20"), (b"|10|0|20|", b"|10|0|20.0000001|")],
)  # fmt: skip
def test_a_wrong_day_row_is_refused_by_itself(old, new):
    parsed = parse_daily(DAILY.replace(old, new, 1), "f", every)
    assert len(parsed.facts) == 6
    assert str(parsed.refused[0]).startswith("f: line 3")

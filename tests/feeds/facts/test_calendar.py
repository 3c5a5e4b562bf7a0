"""Holidays by rule against the lists of the years, and publication against the exchange's own releases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.facts.calendar import (
    business_days_after,
    day_over_ns,
    easter,
    evening_ns,
    exchange_holidays,
    federal_holidays,
    is_business_day,
    new_york_day,
    new_york_ns,
    next_morning_ns,
    next_settlement,
    short_interest_known_ns,
)

# Year: days the New York Stock Exchange is closed, days the federal government is; weekends left out.
CLOSED = {
    2020: ("0101 0120 0217 0410 0525 0703 0907 1126 1225", "0101 0120 0217 0525 0703 0907 1012 1111 1126 1225"),
    2021: ("0101 0118 0215 0402 0531 0705 0906 1125 1224",
           "0101 0118 0215 0531 0618 0705 0906 1011 1111 1125 1224 1231"),
    2022: ("0117 0221 0415 0530 0620 0704 0905 1124 1226", "0117 0221 0530 0620 0704 0905 1010 1111 1124 1226"),
    2023: ("0102 0116 0220 0407 0529 0619 0704 0904 1123 1225",
           "0102 0116 0220 0529 0619 0704 0904 1009 1110 1123 1225"),
    2024: ("0101 0115 0219 0329 0527 0619 0704 0902 1128 1225",
           "0101 0115 0219 0527 0619 0704 0902 1014 1111 1128 1225"),
    2025: ("0101 0109 0120 0217 0418 0526 0619 0704 0901 1127 1225",
           "0101 0120 0217 0526 0619 0704 0901 1013 1111 1127 1225"),
    2026: ("0101 0119 0216 0403 0525 0619 0703 0907 1126 1225",
           "0101 0119 0216 0525 0619 0703 0907 1012 1111 1126 1225"),
    2027: ("0101 0118 0215 0326 0531 0618 0705 0906 1125 1224",
           "0101 0118 0215 0531 0618 0705 0906 1011 1111 1125 1224 1231"),
    2028: ("0117 0221 0414 0529 0619 0704 0904 1123 1225", "0117 0221 0529 0619 0704 0904 1009 1110 1123 1225"),
    2029: ("0101 0115 0219 0330 0528 0619 0704 0903 1122 1225",
           "0101 0115 0219 0528 0619 0704 0903 1008 1112 1122 1225"),
    2030: ("0101 0121 0218 0419 0527 0619 0704 0902 1128 1225",
           "0101 0121 0218 0527 0619 0704 0902 1014 1111 1128 1225"),
}  # fmt: skip

# Settlement date and the date of Nasdaq's press release with the figures of all its stocks, in the evening.
RELEASES = """
    2021-06-15 2021-06-24  2021-06-30 2021-07-12  2021-07-15 2021-07-26  2021-08-13 2021-08-24  2021-09-15 2021-09-24
    2022-06-15 2022-06-27  2022-06-30 2022-07-12  2022-09-15 2022-09-26  2024-12-13 2024-12-24  2024-12-31 2025-01-10
    2025-02-14 2025-02-26  2025-03-14 2025-03-25  2025-04-30 2025-05-09  2025-05-15 2025-05-27  2025-07-31 2025-08-11
    2025-08-15 2025-08-26  2025-09-30 2025-10-09  2025-10-31 2025-11-11  2025-11-14 2025-11-25  2025-11-28 2025-12-09
"""


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def listed(year: int, days: str) -> set[date]:
    return {date(year, int(day[:2]), int(day[2:])) for day in days.split()}


def weekdays(days: frozenset[date]) -> set[date]:
    return {day for day in days if day.weekday() < 5}


@pytest.mark.parametrize("year", CLOSED)
def test_holidays_are_those_of_the_year(year):
    exchange, federal = CLOSED[year]
    assert weekdays(exchange_holidays(year)) == listed(year, exchange)
    assert weekdays(federal_holidays(year)) == listed(year, federal)


@pytest.mark.parametrize("day", ["2000-04-23", "2024-03-31", "2025-04-20", "2026-04-05", "2038-04-25", "2008-03-23"])
def test_easter_falls_on_its_day(day):
    assert easter(int(day[:4])).isoformat() == day


@given(st.dates(date(1990, 1, 1), date(2100, 12, 31)), st.integers(1, 30))
def test_a_counted_business_day_has_that_many_business_days_behind_it(day, n):
    end = business_days_after(day, n)
    between = [day + timedelta(days=k) for k in range(1, (end - day).days + 1)]
    assert sum(map(is_business_day, between)) == n
    assert is_business_day(end)


def test_short_interest_of_mid_november_is_known_in_the_evening_of_the_eighth_business_day():
    # 17, 18, 19, 20, 21, 24, 25 and 26 November 2025; 18:00 in New York is 23:00 UTC in winter.
    assert short_interest_known_ns(date(2025, 11, 14)) == utc("2025-11-26T23:00:00")


@pytest.mark.parametrize(("settled", "released"), zip(RELEASES.split()[::2], RELEASES.split()[1::2], strict=True))
def test_no_short_interest_is_known_before_its_press_release_nor_long_after(settled, released):
    known, evening = short_interest_known_ns(date.fromisoformat(settled)), evening_ns(date.fromisoformat(released))
    assert known > evening
    assert known - evening <= 5 * 86_400_000_000_000


def test_settlement_dates_follow_each_other_as_finra_lists_them():
    days = [next_settlement(date(2017, 12, 15))]
    while days[-1] < date(2026, 9, 15):
        days.append(next_settlement(days[-1]))
    texts = [day.isoformat() for day in days]
    assert texts[:3] == ["2017-12-29", "2018-01-12", "2018-01-31"]
    assert texts[-4:] == ["2026-07-31", "2026-08-14", "2026-08-31", "2026-09-15"]
    assert len(texts) == 210


def test_hours_of_new_york_follow_its_summer_time():
    assert evening_ns(date(2026, 7, 1)) == utc("2026-07-01T22:00:00")
    assert evening_ns(date(2026, 12, 1)) == utc("2026-12-01T23:00:00")
    assert evening_ns(date(2006, 4, 1)) == utc("2006-04-01T23:00:00")  # summer began on 2 April until 2006
    assert next_morning_ns(date(2026, 11, 20)) == utc("2026-11-23T14:00:00")  # over a weekend
    assert next_morning_ns(date(2026, 11, 25)) == utc("2026-11-27T14:00:00")  # over Thanksgiving
    assert day_over_ns(date(2026, 11, 20)) == utc("2026-11-21T05:00:00")
    assert new_york_ns(date(2026, 11, 20)) == utc("2026-11-20T05:00:00")


@given(st.dates(date(1990, 1, 1), date(2100, 12, 31)))
def test_an_instant_of_a_day_is_of_that_day(day):
    assert new_york_day(new_york_ns(day)) == day
    assert new_york_day(new_york_ns(day) - 1) == day - timedelta(days=1)
    assert new_york_day(day_over_ns(day) - 1) == day

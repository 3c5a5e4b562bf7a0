"""Days of the United States market: holidays by rule, business days, and when published numbers become known.

A business day here is one on which neither the exchanges nor the federal government are closed, so that a day
counted from it is never too early. Rules: NYSE rule 7.2 (holidays) and 5 U.S.C. 6103. Short interest: FINRA rule
4560 and Nasdaq's publication schedule, "the 8th business day after the reporting settlement date". The exchanges'
releases of 2021 to 2025 came in the evening of the 7th; the rule's day is kept, so nothing is known before its time.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from feeds.errors import BadInput

FIRST_YEAR: Final = 1990
LAST_YEAR: Final = 2100
SHORT_INTEREST_DAYS: Final = 8
"""Business days from settlement to publication of short interest."""
EVENING: Final = 18
"""Hour of New York by which FINRA posts a day's file."""
MORNING: Final = 9
"""Hour of New York, of the next business day, by which yesterday's option volumes are taken to be known."""
_MONDAY: Final = 0
_THURSDAY: Final = 3
_CLOSED: Final = frozenset(
    date.fromisoformat(text)
    for text in (
        "1994-04-27", "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14", "2004-06-11", "2007-01-02",
        "2012-10-29", "2012-10-30", "2018-12-05", "2025-01-09",
    )
)  # fmt: skip
"""Days the exchanges were closed by no rule: mourning, attack, storm."""


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _last_monday(year: int, month: int) -> date:
    end = date(year, month + 1, 1) - timedelta(days=1)
    return end - timedelta(days=end.weekday())


def _observed(day: date) -> date:
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm, Nature, 20 April 1876)."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    month, day = divmod(h + k - 7 * m + 114, 31)
    return date(year, month, day + 1)


@cache
def exchange_holidays(year: int) -> frozenset[date]:
    """Days of a year on which the stock exchanges are closed all day, weekends aside."""
    fixed = [date(year, 7, 4), date(year, 12, 25)]
    if year >= 2022:
        fixed.append(date(year, 6, 19))
    days = {_observed(day) for day in fixed} | {
        _nth(year, 2, _MONDAY, 3), easter(year) - timedelta(days=2), _last_monday(year, 5), _nth(year, 9, _MONDAY, 1),
        _nth(year, 11, _THURSDAY, 4),
    }  # fmt: skip
    if year >= 1998:
        days.add(_nth(year, 1, _MONDAY, 3))
    new_year = date(year, 1, 1)
    if new_year.weekday() != 5:  # on a Saturday the Friday before ends the year's accounts, and is open
        days.add(_observed(new_year))
    return frozenset(days | {day for day in _CLOSED if day.year == year})


@cache
def federal_holidays(year: int) -> frozenset[date]:
    """Days of a year on which the federal government is closed, weekends aside."""
    fixed = [date(year, 1, 1), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25), date(year + 1, 1, 1)]
    if year >= 2021:
        fixed.append(date(year, 6, 19))
    days = {_observed(day) for day in fixed} | {
        _nth(year, 1, _MONDAY, 3), _nth(year, 2, _MONDAY, 3), _last_monday(year, 5), _nth(year, 9, _MONDAY, 1),
        _nth(year, 10, _MONDAY, 2), _nth(year, 11, _THURSDAY, 4),
    }  # fmt: skip
    return frozenset(day for day in days if day.year == year)


def is_business_day(day: date) -> bool:
    """Say whether exchanges and government are both open."""
    return day.weekday() < 5 and day not in exchange_holidays(day.year) and day not in federal_holidays(day.year)


def business_days_after(day: date, n: int) -> date:
    """The n-th business day after a day."""
    while n > 0:
        day += timedelta(days=1)
        n -= is_business_day(day)
    return day


@lru_cache(4096)
def next_settlement(day: date) -> date:
    """The first day after `day` that short interest is reported of: the 15th, or the month's last business day.

    Where that is no business day, it is the last one before (FINRA rule 4560).
    """
    month = date(day.year, day.month, 1)
    while True:
        following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        for last in (month.replace(day=15), following - timedelta(days=1)):
            while not is_business_day(last):
                last -= timedelta(days=1)  # noqa: PLW2901
            if last > day:
                return last
        month = following


@cache
def _zone() -> tzinfo:
    try:
        return ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:
        raise BadInput(
            "time zone America/New_York", None, "the system's time zone data, or the package tzdata"
        ) from None


@cache
def _epoch() -> datetime:
    return datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))


def new_york_ns(day: date, hour: int = 0) -> int:
    """The instant of a whole hour of New York, ns since 1970."""
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=_zone()).timestamp()) * 1_000_000_000


def new_york_day(ns: int) -> date:
    """The date in New York at an instant, ns since 1970."""
    return (_epoch() + timedelta(seconds=ns // 1_000_000_000)).astimezone(_zone()).date()


@lru_cache(4096)
def short_interest_known_ns(settlement: date) -> int:
    """When short interest of a settlement date is public at the latest, ns since 1970."""
    return new_york_ns(business_days_after(settlement, SHORT_INTEREST_DAYS), EVENING)


def evening_ns(day: date) -> int:
    """When a file posted on its trade date by 18:00 New York is public at the latest, ns since 1970."""
    return new_york_ns(day, EVENING)


def next_morning_ns(day: date) -> int:
    """09:00 New York of the next business day, ns since 1970."""
    return new_york_ns(business_days_after(day, 1), MORNING)


def day_over_ns(day: date) -> int:
    """Midnight of New York that ends a day, ns since 1970."""
    return new_york_ns(day + timedelta(days=1))

"""Sessions by the exchange's date: when one rolls into the next, whatever daylight saving does."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from feeds.errors import BadInput

_NS: Final = 1_000_000_000


class Calendar(NamedTuple):
    """Where and when sessions roll."""

    timezone: str
    hour: int
    """Hour of the day there."""
    next_day: bool
    """A session is named by the day it ends on, not by the one it begins on."""
    weekends: bool
    """Saturday and Sunday have sessions of their own; else they are part of Monday's."""


CALENDARS: Final = {
    "futures": Calendar("America/Chicago", 17, next_day=True, weekends=False),
    "crypto": Calendar("UTC", 0, next_day=False, weekends=True),
    "equities": Calendar("America/New_York", 4, next_day=False, weekends=False),
}
"""Futures roll at 17:00 Chicago, crypto at 00:00 UTC, equities at 04:00 New York."""


class Session(NamedTuple):
    """One session: the exchange's date, and the instants it begins and ends at, ns since 1970."""

    day: date
    start_ns: int
    end_ns: int


def calendar_of(name: str) -> Calendar:
    """A calendar by its name; raise BadInput naming those there are."""
    if name not in CALENDARS:
        raise BadInput("session calendar", name, "one of " + ", ".join(CALENDARS))
    return CALENDARS[name]


def session_at(name: str, exch_ns: int) -> Session:
    """The session an instant of exchange time lies in; raise BadInput for one outside the years 1980 to 2200."""
    if not _FIRST_NS <= exch_ns < _LAST_NS:
        raise BadInput("exchange time", str(exch_ns), "ns since 1970 of a time from 1980 to 2200")
    calendar = calendar_of(name)
    local = datetime.fromtimestamp(exch_ns // _NS, UTC).astimezone(_zone(calendar.timezone))
    begun = local.date() if local.hour >= calendar.hour else local.date() - timedelta(days=1)
    return _session(name, begun + timedelta(days=1) if calendar.next_day else begun)


_FIRST_NS: Final = int(datetime(1980, 1, 1, tzinfo=UTC).timestamp()) * _NS
_LAST_NS: Final = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * _NS


@lru_cache(1024)
def _session(name: str, named: date) -> Session:
    calendar = calendar_of(name)
    first = last = named
    if not calendar.weekends:
        # Friday's roll begins what trades next, which is Monday's session.
        while last.weekday() > 4:
            last += timedelta(days=1)
        while (first - timedelta(days=1)).weekday() > 4:
            first -= timedelta(days=1)
    shift = timedelta(days=1 if calendar.next_day else 0)
    return Session(last, _roll_ns(calendar, first - shift), _roll_ns(calendar, last - shift + timedelta(days=1)))


def _roll_ns(calendar: Calendar, day: date) -> int:
    at = datetime.combine(day, time(calendar.hour), _zone(calendar.timezone))
    return int(at.timestamp()) * _NS


@cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        raise BadInput(f"time zone {name}", None, "the system's time zone data, or the package tzdata") from None

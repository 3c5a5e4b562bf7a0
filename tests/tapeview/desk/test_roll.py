"""Sessions roll by the exchange's date, whatever the clocks of the country do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadInput
from tapeview.desk.roll import CALENDARS, session_at

NS = 10**9


def ns(text, zone="UTC"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * NS


def test_futures_roll_at_five_in_chicago_into_the_next_days_session():
    before, after = ns("2026-07-15T16:59:59", "America/Chicago"), ns("2026-07-15T17:00", "America/Chicago")
    assert session_at("futures", before).day == date(2026, 7, 15)
    assert session_at("futures", after).day == date(2026, 7, 16)
    assert session_at("futures", before).end_ns == session_at("futures", after).start_ns == after
    assert after == ns("2026-07-15T22:00")  # summer time: five hours behind UTC, six in winter
    assert session_at("futures", ns("2026-01-15T22:30")).day == date(2026, 1, 15)


def test_the_futures_of_a_weekend_are_those_of_monday():
    for at in ("2026-07-17T17:00", "2026-07-18T12:00", "2026-07-19T17:00", "2026-07-20T16:59"):
        assert session_at("futures", ns(at, "America/Chicago")).day == date(2026, 7, 20)
    assert session_at("futures", ns("2026-07-20T17:00", "America/Chicago")).day == date(2026, 7, 21)


def test_crypto_rolls_at_midnight_utc_on_every_day():
    saturday = session_at("crypto", ns("2026-07-18T23:59:59"))
    assert saturday.day == date(2026, 7, 18)
    assert saturday.end_ns == ns("2026-07-19T00:00")


def test_equities_roll_at_four_in_new_york():
    assert session_at("equities", ns("2026-07-15T03:59", "America/New_York")).day == date(2026, 7, 14)
    assert session_at("equities", ns("2026-07-15T04:00", "America/New_York")).day == date(2026, 7, 15)
    assert session_at("equities", ns("2026-07-18T12:00", "America/New_York")).day == date(2026, 7, 20)


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [("futures", date(2026, 3, 9), 71), ("futures", date(2026, 11, 2), 73), ("equities", date(2026, 3, 9), 71),
     ("equities", date(2026, 11, 2), 73), ("futures", date(2026, 3, 10), 24), ("crypto", date(2026, 3, 8), 24)],
)  # fmt: skip
def test_a_session_over_a_change_of_clocks_is_an_hour_shorter_or_longer(name, day, hours):
    zone = CALENDARS[name].timezone
    session = session_at(name, ns(f"{day}T12:00", zone))
    assert session.day == day
    assert session.end_ns - session.start_ns == hours * 3600 * NS


@given(st.sampled_from(sorted(CALENDARS)), st.datetimes(datetime(1990, 1, 1), datetime(2150, 1, 1)))
def test_sessions_follow_each_other_without_a_hole(name, at):
    exch_ns = int(at.replace(tzinfo=UTC).timestamp()) * NS
    session = session_at(name, exch_ns)
    assert session.start_ns <= exch_ns < session.end_ns
    following = session_at(name, session.end_ns)
    assert following.start_ns == session.end_ns
    assert session_at(name, session.end_ns - 1) == session
    assert session.day < following.day <= session.day + timedelta(days=3)


@pytest.mark.parametrize(("name", "at"), [("stocks", 10**18), ("crypto", -1), ("crypto", 2**63 - 1)])
def test_an_unknown_calendar_and_a_time_of_no_exchange_are_refused(name, at):
    with pytest.raises(BadInput):
        session_at(name, at)

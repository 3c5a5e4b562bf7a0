"""Moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadInput
from tapeview.times import parse_time, utc_offset_s

SECOND = 1_000_000_000


def ns(*parts: int) -> int:
    """A UTC moment in ns."""
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * SECOND


START = ns(2012, 6, 21, 13, 30) + 4_241_176
"""09:30 in New York, and a little."""


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("09:45", "America/New_York", ns(2012, 6, 21, 13, 45)),
        ("09:45:12.250", "America/New_York", ns(2012, 6, 21, 13, 45, 12) + 250_000_000),
        ("09:30", "America/New_York", ns(2012, 6, 21, 13, 30)),
        ("09:29", "America/New_York", ns(2012, 6, 22, 13, 29)),
        ("13:45", "UTC", ns(2012, 6, 21, 13, 45)),
        ("2012-06-21T10:00:00.000000001", "America/New_York", ns(2012, 6, 21, 14) + 1),
        ("2012-06-21 10:00Z", "America/New_York", ns(2012, 6, 21, 10)),
        ("2012-06-21T10:00:00+02:00", "UTC", ns(2012, 6, 21, 8)),
        ("2012-06-22", "UTC", ns(2012, 6, 22)),
        ("+90s", "UTC", START + 90 * SECOND),
        ("+1.5m", "UTC", START + 90 * SECOND),
        ("+250ms", "UTC", START + SECOND // 4),
        ("-3", "UTC", START - 3 * SECOND),
        (str(START + 7), "UTC", START + 7),
    ],
)
def test_a_written_moment_is_exact(text, zone, expected):
    assert parse_time(text, START, zone) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "25:00",
        "09:61",
        "soon",
        "9",
        "12.5",
        "+",
        "+5x",
        "2012-13-01",
        "٠٩:٤٥",
        "99999999999999999999999999s",
        "+9999999999999999999999h",
    ],
)
def test_what_is_no_moment_is_refused_with_what_was_expected(text):
    with pytest.raises(BadInput, match="09:45"):
        parse_time(text, START)


@given(st.integers(0, 86_399), st.integers(0, 999))
def test_a_time_of_day_is_the_first_one_not_before_the_start(second, ms):
    text = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{ms:03}"
    moment = parse_time(text, START)
    assert START <= moment < START + 86_400 * SECOND
    assert moment // 1_000_000 % 86_400_000 == second * 1000 + ms


def test_new_york_is_four_hours_behind_in_summer_and_five_in_winter():
    assert utc_offset_s(START, "America/New_York") == -4 * 3600
    assert utc_offset_s(ns(2012, 1, 21, 13), "America/New_York") == -5 * 3600
    assert utc_offset_s(START, "No/Such_Zone") == 0

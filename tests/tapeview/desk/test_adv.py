"""Sizes against a day's volume."""

from __future__ import annotations

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview.desk.adv import exit_seconds, impact, judge, volume

TODAY = date(2026, 11, 23)


def days(volumes, until=TODAY):
    return {until - timedelta(days=len(volumes) - n): lots for n, lots in enumerate(volumes)}


def test_of_a_quarter_of_a_million_a_day_2500_are_warned_and_5000_refused():
    known = volume(days([250_000] * 20), TODAY)
    assert (known.average, known.warn, known.most, known.note) == (250_000, 2_500, 5_000, "")
    assert judge(known, 2_500) == (True, False, "")
    assert judge(known, 2_501)[:2] == (True, True)
    assert judge(known, 5_000)[:2] == (True, True)
    assert judge(known, 5_001)[:2] == (False, True)


@pytest.mark.parametrize("at", [0, 7, 19])
def test_one_day_of_fifty_times_the_volume_does_not_raise_the_average(at):
    volumes = [250_000] * 20
    volumes[at] *= 50
    assert volume(days(volumes), TODAY).average == 250_000


@given(st.lists(st.integers(0, 10**6), min_size=20, max_size=20), st.integers(0, 19), st.integers(2, 100))
def test_one_day_however_great_moves_the_average_by_no_more_than_to_the_next_day_of_the_middle(volumes, at, times):
    spiked = [lots * times if n == at else lots for n, lots in enumerate(volumes)]
    ordered = sorted(volumes)
    assert volume(days(spiked), TODAY).average <= (ordered[10] + ordered[11]) / 2


def test_today_and_days_to_come_do_not_count():
    known = volume({**days([1_000] * 20), TODAY: 10**9, TODAY + timedelta(days=1): 10**9}, TODAY)
    assert known.average == 1_000
    assert volume({**days([1_000] * 19), TODAY: 5}, TODAY).days == 19


def test_only_the_last_twenty_days_count():
    assert volume(days([10**6] * 15 + [100] * 20), TODAY).average == 100


def test_nine_days_are_insufficient_and_the_cap_is_a_tenth_of_the_last_half_hour():
    known = volume(days([250_000] * 9), TODAY, last_30_minutes=20_009)
    assert known.average is None
    assert (known.warn, known.most) == (2_000, 2_000)
    assert "insufficient history" in known.note
    assert volume(days([250_000] * 9), TODAY).most == 0
    assert volume(days([250_000] * 10), TODAY).average == 250_000


def test_a_volume_below_0_is_refused():
    with pytest.raises(ValueError, match="-1"):
        volume(days([-1] * 20), TODAY)


def test_getting_out_takes_as_long_as_a_tenth_of_what_trades_allows():
    assert exit_seconds(5_000, 50_000 / 60) == pytest.approx(60.0)
    assert exit_seconds(10, 0.5) == pytest.approx(200.0)
    assert exit_seconds(5_000, 0.0) is None


@pytest.mark.parametrize(("share", "low", "high"), [(0.01, 0.004, 0.008), (0.02, 0.0057, 0.0113)])
def test_the_impact_of_a_share_of_the_volume_at_eight_percent_a_day(share, low, high):
    found = impact(int(250_000 * share), 250_000, 0.08)
    assert found == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_what_never_trades_has_no_bound_to_its_impact():
    assert impact(1, 0, 0.08) == (math.inf, math.inf)

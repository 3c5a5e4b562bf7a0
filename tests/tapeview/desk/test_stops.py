"""What counts as a stop, and when its lack is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview.desk.stops import (
    COVERED,
    FLAT,
    NAKED,
    NAKED_WORDS,
    UNKNOWN,
    WAITING,
    Band,
    Stop,
    StopWatch,
    cover,
)

S = 10**9
BID, ASK = 100, 101


def sell(lots, tick=90, held_by="venue"):
    return Stop(-1, lots, tick, held_by)


def test_a_position_with_a_covering_stop_at_the_venue_is_covered():
    status = StopWatch().look(0, 4, cover(4, [sell(4)], BID, ASK))
    assert (status.state, status.alarm) == (COVERED, False)
    assert "venue-held" in status.text


def test_three_of_four_covered_is_an_alarm_after_the_moment_allowed():
    watch, found = StopWatch(), cover(4, [sell(3)], BID, ASK)
    assert found.lots == 3
    assert watch.look(0, 4, found).state == WAITING
    status = watch.look(5 * S, 4, found)
    assert (status.state, status.alarm) == (NAKED, True)
    assert status.text.startswith(NAKED_WORDS)
    assert "3 of 4" in status.text


def test_no_stop_within_five_seconds_is_naked_and_said_again_every_thirty():
    watch, none = StopWatch(), cover(1, [], BID, ASK)
    states = [(at, watch.look(at * S // 2, 1, none)) for at in range(140)]
    assert [at / 2 for at, status in states if status.alarm] == [5.0, 35.0, 65.0]
    assert all(status.state == (WAITING if at < 10 else NAKED) for at, status in states)


def test_a_stop_that_comes_ends_the_alarm_and_one_that_goes_begins_it_anew():
    watch, none, held = StopWatch(), cover(1, [], BID, ASK), cover(1, [sell(1)], BID, ASK)
    watch.look(0, 1, none)
    assert watch.look(6 * S, 1, none).alarm
    assert watch.look(7 * S, 1, held).state == COVERED
    assert watch.look(8 * S, 1, none).state == WAITING
    assert watch.look(13 * S, 1, none).alarm


@pytest.mark.parametrize(
    ("position", "stop", "band", "words"),
    [
        (2, Stop(-1, 2, 100, "venue"), None, "wrong side of the market"),
        (2, Stop(-1, 2, 105, "venue"), None, "wrong side of the market"),
        (-2, Stop(1, 2, 101, "broker"), None, "wrong side of the market"),
        (2, Stop(1, 2, 110, "venue"), None, "adds to the position"),
        (2, Stop(-1, 2, 60, "venue"), Band(70, 130), "beyond the price limit"),
        (-2, Stop(1, 2, 131, "venue"), Band(70, 130), "beyond the price limit"),
    ],
)
def test_a_stop_on_the_wrong_side_or_beyond_the_band_alarms_at_once(position, stop, band, words):
    found = cover(position, [stop], BID, ASK, band)
    assert found.lots == 0
    status = StopWatch().look(0, position, found)
    assert (status.state, status.alarm) == (NAKED, True)
    assert words in status.text


def test_a_stop_at_the_very_limit_of_the_band_counts():
    assert cover(2, [sell(2, 70)], BID, ASK, Band(70, 130)).lots == 2
    assert cover(-2, [Stop(1, 2, 130, "venue")], BID, ASK, Band(70, 130)).lots == 2


def test_a_stop_that_adds_alarms_even_where_another_covers():
    status = StopWatch().look(0, 2, cover(2, [sell(2), Stop(1, 2, 110, "venue")], BID, ASK))
    assert (status.state, status.alarm) == (NAKED, True)


def test_a_stop_held_by_the_program_is_no_hard_stop():
    found = cover(2, [sell(2, held_by="client")], BID, ASK)
    assert found.lots == 0
    watch = StopWatch()
    assert watch.look(0, 2, found).state == WAITING
    assert watch.look(5 * S, 2, found).state == NAKED
    both = cover(2, [sell(2, held_by="client"), sell(2)], BID, ASK)
    status = watch.look(6 * S, 2, both)
    assert status.state == COVERED
    assert "not a hard stop" in status.text


def test_the_grade_is_that_of_the_worst_stop_that_is_needed():
    assert cover(4, [sell(3), sell(1, held_by="broker")], BID, ASK).grade == "broker"
    assert cover(3, [sell(1, held_by="broker"), sell(3)], BID, ASK).grade == "venue"
    assert cover(3, [], BID, ASK).grade == ""


def test_more_than_three_seconds_of_silence_is_unknown_and_never_covered():
    watch = StopWatch()
    watch.look(0, 1, cover(1, [sell(1)], BID, ASK))
    assert watch.wait(3 * S).state == COVERED
    status = watch.wait(3 * S + 1)
    assert (status.state, status.alarm, status.text) == (UNKNOWN, True, "stop status unknown: the feed is silent")
    assert (watch.wait(4 * S).state, watch.wait(4 * S).alarm) == (UNKNOWN, False)
    assert watch.look(5 * S, 1, cover(1, [sell(1)], BID, ASK)).state == COVERED


def test_silence_hides_no_alarm_and_a_flat_position_may_be_none():
    watch = StopWatch()
    watch.look(0, 1, cover(1, [], BID, ASK))
    assert watch.wait(4 * S).state == UNKNOWN
    status = watch.wait(5 * S)
    assert (status.state, status.alarm) == (NAKED, True)
    assert watch.wait(34 * S).alarm is False
    assert watch.wait(35 * S).alarm is True
    assert StopWatch().wait(0)[::2] == (UNKNOWN, True)
    watch.look(36 * S, 0, cover(0, [], BID, ASK))
    assert watch.wait(37 * S).state == FLAT
    assert watch.wait(40 * S).state == UNKNOWN


STOPS = st.lists(
    st.builds(Stop, st.sampled_from([1, -1]), st.integers(1, 5), st.integers(80, 120),
              st.sampled_from(["venue", "broker", "client"])), max_size=6,
)  # fmt: skip


@given(st.integers(-10, 10).filter(bool), STOPS)
def test_cover_is_the_sum_of_the_stops_that_would_really_work(position, stops):
    works = 0
    for stop in stops:
        behind = stop.tick < BID if position > 0 else stop.tick > ASK
        if stop.side * position < 0 and behind and 85 <= stop.tick <= 115 and stop.held_by != "client":
            works += stop.lots
    found = cover(position, stops, BID, ASK, Band(85, 115))
    assert found.lots == min(abs(position), works)
    assert (found.grade == "") == (works == 0)


def test_a_stop_of_no_lots_or_of_no_known_holder_is_refused():
    for stop in (Stop(-1, 0, 90, "venue"), Stop(-1, 1, 90, "friend")):
        with pytest.raises(ValueError, match="a stop of"):
            cover(1, [stop], BID, ASK)

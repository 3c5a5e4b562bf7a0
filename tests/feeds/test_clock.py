"""CLOCK rows: where they are due, from the stream alone, however it is cut."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.clock import TICK_NS, Clock, boundaries, clock_rows
from feeds.events import BOOK, CLOCK, EVERY, LAST, NONE, Events, empty
from tests.kit.rows import START_NS


def rows_at(times: list[int]) -> Events:
    rows = empty(len(times))
    rows["recv_ns"] = times
    rows["kind"] = BOOK
    rows["marks"] = LAST
    return rows


SECOND, MINUTE, HOUR, DAY, YEAR = 10, 600, 36_000, 864_000, 366 * 864_000


def due(before: int, number: int) -> bool:
    """The rule, for one boundary."""
    silence = number - before
    if silence <= MINUTE:
        return True
    if silence <= HOUR:
        return number % SECOND == 0
    return number % (MINUTE if silence <= YEAR else DAY) == 0


@given(st.integers(-50, 10**7), st.integers(0, 40_000))
@settings(max_examples=100, deadline=None)
def test_boundaries_follow_the_rule(before: int, silence: int) -> None:
    expected = [number for number in range(before + 1, before + silence + 1) if due(before, number)]
    assert boundaries(before, before + silence).tolist() == expected


@given(st.integers(0, 10**6), st.integers(0, 3 * YEAR))
@settings(max_examples=20, deadline=None)
def test_boundaries_of_long_silences_follow_the_rule(before: int, silence: int) -> None:
    found = boundaries(before, before + silence)
    coarse = np.arange(-(-(before + 1) // MINUTE) * MINUTE, before + silence + 1, MINUTE)
    expected = coarse[[due(before, number) for number in coarse.tolist()]] if len(coarse) else coarse
    assert found[found > before + HOUR].tolist() == expected[expected > before + HOUR].tolist()
    assert (np.diff(found) > 0).all()


def test_a_silence_of_a_year_or_of_centuries_stays_small() -> None:
    assert len(boundaries(0, 365 * DAY)) < 531_000
    assert len(boundaries(0, 300 * YEAR)) < 650_000


def test_a_boundary_comes_before_the_first_row_at_or_past_it() -> None:
    start = START_NS
    rows = Clock().insert(rows_at([start, start + TICK_NS - 1, start + TICK_NS, start + 3 * TICK_NS + 5]))
    assert rows["kind"].tolist() == [BOOK, BOOK, CLOCK, BOOK, CLOCK, CLOCK, BOOK]
    clock = rows[rows["kind"] == CLOCK]
    assert clock["recv_ns"].tolist() == [start + n * TICK_NS for n in (1, 2, 3)]
    assert set(clock["inst"].tolist()) == {EVERY}
    assert set(clock["exch_ns"].tolist()) == {NONE}
    assert (clock["marks"] == LAST).all()
    assert rows["seq"].tolist() == list(range(7))


@given(
    st.lists(
        st.sampled_from([0, 1, TICK_NS - 1, TICK_NS, 7 * TICK_NS, -3 * TICK_NS, 700 * TICK_NS]), min_size=1, max_size=40
    ),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_how_a_stream_is_cut_changes_nothing(steps: list[int], data: st.DataObject) -> None:
    rows = rows_at((START_NS + np.cumsum(steps)).tolist())
    whole = Clock().insert(rows.copy())
    places = [0, *sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=6))), len(rows)]
    clock = Clock()
    pieces = [clock.insert(rows[a:b].copy()) for a, b in itertools.pairwise(places)]
    assert np.concatenate(pieces).tobytes() == whole.tobytes()


def test_a_timer_that_fires_in_silence_gives_the_rows_a_replay_gives() -> None:
    start, end = START_NS, START_NS + 90_000_000_000
    replayed = Clock().insert(rows_at([start, end]))
    live = [int(start // TICK_NS)]
    for number in range(start // TICK_NS + 1, end // TICK_NS + 1):
        live += [n for n in boundaries(live[0], number).tolist() if n > live[-1]]
    assert replayed[1:-1]["recv_ns"].tolist() == [n * TICK_NS for n in live[1:]]


def test_time_that_goes_back_brings_no_row_twice() -> None:
    start = START_NS
    rows = Clock().insert(rows_at([start, start + 5 * TICK_NS, start, start + 5 * TICK_NS, start + 6 * TICK_NS]))
    assert rows[rows["kind"] == CLOCK]["recv_ns"].tolist() == [start + n * TICK_NS for n in range(1, 7)]


def test_a_clock_goes_on_from_a_checkpoint() -> None:
    rows = rows_at([START_NS + n * 40_000_000 for n in range(50)])
    whole = Clock().insert(rows.copy())
    first = Clock()
    begun = first.insert(rows[:20].copy())
    second = Clock(first.next_seq, first.boundary)
    assert np.concatenate([begun, second.insert(rows[20:].copy())]).tobytes() == whole.tobytes()


def test_rows_handed_in_that_may_not_be_written_are_copied() -> None:
    rows = rows_at([START_NS, START_NS + 1])
    rows.flags.writeable = False
    out = Clock(7).insert(rows)
    assert out["seq"].tolist() == [7, 8]
    assert rows["seq"].tolist() == [0, 0]


def test_no_rows_are_no_rows() -> None:
    clock = Clock()
    assert len(clock.insert(empty())) == 0
    assert clock.boundary is None


@pytest.mark.parametrize("numbers", [[], [5], [-3, 0, 4]])
def test_clock_rows_carry_their_boundary(numbers: list[int]) -> None:
    rows = clock_rows(np.array(numbers, dtype=np.int64))
    assert rows["recv_ns"].tolist() == [n * TICK_NS for n in numbers]


@given(
    st.lists(
        st.tuples(st.integers(0, 40 * TICK_NS) | st.integers(0, 90 * 60 * 10 * TICK_NS), st.lists(st.floats(0, 1))),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=150, deadline=None)
def test_a_timer_that_fires_in_silence_changes_nothing(story: list[tuple[int, list[float]]]) -> None:
    """Rows after pauses, the timer asked at any moments of each pause: the same rows as without a timer."""
    live, now, out = Clock(), START_NS, []
    times = [START_NS]
    out.append(live.insert(rows_at([now])))
    for pause, moments in story:
        out += [live.due(now + int(pause * share)) for share in sorted(moments)]
        now += pause
        times.append(now)
        out.append(live.insert(rows_at([now])))
    assert np.concatenate(out).tobytes() == Clock().insert(rows_at(times)).tobytes()


def test_before_the_first_row_no_clock_row_is_due() -> None:
    assert len(Clock().due(START_NS)) == 0

"""Two hours of work, then a break: what pauses the timer, what is muted, and what survives a restart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadInput
from tapeview.desk.limits import Limits
from tapeview.desk.rest import (
    BREAK,
    GRACE,
    IDLE,
    NEVER_MUTED,
    PAUSED,
    WORK,
    RestState,
    muted,
    restore,
    save,
    tick,
    touch,
)

MIN = 60 * 10**9
WALL = 1_700_000_000 * 10**9


class Desk:
    """A person at the screen: minutes pass with or without keys, and everything said is kept."""

    def __init__(self):
        self.state, self.minute, self.said = RestState(), 0, []

    def pass_by(self, minutes, *, keys=True, position_open=False):
        for _ in range(minutes):
            self.minute += 1
            act = touch if keys else tick
            ns = self.minute * MIN
            self.state, noted = act(self.state, ns, WALL + ns, position_open=position_open)
            self.said += [(self.minute, one.kind) for one in noted]
            self.words = noted[-1].text if noted else ""
        return self.state.phase

    def kinds(self):
        return [kind for _, kind in self.said]


def test_nothing_is_counted_before_the_first_key():
    desk = Desk()
    assert desk.pass_by(300, keys=False) == IDLE
    assert desk.said == []


def test_a_break_is_due_after_two_hours_with_hints_between():
    desk = Desk()
    assert desk.pass_by(120) == WORK
    assert desk.pass_by(1) == BREAK
    assert desk.said == [(1, "began"), (46, "nudge"), (91, "nudge"), (121, "break")]
    assert desk.state.quiet


def test_twenty_minutes_without_a_key_end_the_break_and_the_next_key_begins_anew():
    desk = Desk()
    desk.pass_by(121)
    assert desk.pass_by(19, keys=False) == BREAK
    assert desk.pass_by(1, keys=False) == IDLE
    assert desk.kinds()[-1] == "rested"
    assert desk.pass_by(1) == WORK
    assert desk.state.worked_ns == 0


def test_a_key_within_the_break_begins_it_again_and_is_noted():
    desk = Desk()
    desk.pass_by(121)
    desk.pass_by(10, keys=False)
    desk.pass_by(1)
    assert desk.kinds()[-1] == "early"
    assert "9 min left" in desk.words  # 11 of 20 are over
    assert desk.pass_by(19, keys=False) == BREAK
    assert desk.pass_by(1, keys=False) == IDLE


def test_ten_minutes_without_a_key_pause_the_timer():
    desk = Desk()
    desk.pass_by(30)
    assert desk.pass_by(10, keys=False) == WORK
    assert desk.pass_by(5, keys=False) == PAUSED
    assert desk.state.worked_ns == 39 * MIN  # from the first key, and ten minutes after the last
    desk.pass_by(1)
    assert desk.kinds()[-2:] == ["paused", "resumed"]
    assert desk.pass_by(80) == WORK
    assert desk.pass_by(1) == BREAK  # 39 and 81 minutes


def test_being_away_as_long_as_a_break_is_one():
    desk = Desk()
    desk.pass_by(60)
    assert desk.pass_by(20, keys=False) == IDLE
    assert desk.kinds()[-2:] == ["paused", "rested"]
    assert desk.state.worked_ns == 0


def test_an_open_position_has_ten_minutes_of_grace_without_muting():
    desk = Desk()
    desk.pass_by(120)
    assert desk.pass_by(1, position_open=True) == GRACE
    assert not desk.state.quiet
    assert desk.pass_by(9, position_open=True) == GRACE
    assert desk.pass_by(1, position_open=True) == BREAK
    closed = Desk()
    closed.pass_by(120)
    closed.pass_by(2, position_open=True)
    assert closed.pass_by(1) == BREAK


def test_a_break_mutes_alerts_but_never_naked_lock_or_stale():
    desk = Desk()
    desk.pass_by(121)
    assert muted(desk.state, "iceberg")
    assert {"NAKED", "LOCK", "STALE"} == NEVER_MUTED
    assert not any(muted(desk.state, alarm) for alarm in NEVER_MUTED)
    assert not muted(Desk().state, "iceberg")


def test_a_restart_goes_on_where_it_was_and_time_off_is_time_away():
    desk = Desk()
    desk.pass_by(60)
    line, wall = save(desk.state), WALL + 60 * MIN
    state, noted = restore(line, 5, wall + 5 * MIN)  # the machine's own clock began anew
    assert [one.kind for one in noted] == ["restored"]
    assert (state.phase, state.worked_ns) == (PAUSED, 59 * MIN)
    state, noted = touch(state, 5, wall + 5 * MIN)
    assert (state.phase, [one.kind for one in noted]) == (WORK, ["resumed"])
    state, _ = restore(line, 0, wall + 20 * MIN)
    assert (state.phase, state.worked_ns) == (IDLE, 0)


def test_a_restart_does_not_end_a_break_and_a_clock_set_back_does_not_either():
    desk = Desk()
    desk.pass_by(121)
    line, wall = save(desk.state), WALL + 121 * MIN
    for later in (-600, 0, 19):
        state, _ = restore(line, 77, wall + later * MIN)
        assert state.phase == BREAK
    state, _ = restore(line, 77, wall + 20 * MIN)
    assert state.phase == IDLE


def test_a_monotonic_clock_that_goes_back_counts_as_none():
    desk = Desk()
    desk.pass_by(30)
    state, noted = tick(desk.state, 0, WALL)
    assert (state.worked_ns, state.now_ns, noted) == (desk.state.worked_ns, desk.state.now_ns, [])


@pytest.mark.parametrize("line", [b"", b"{", b'{"phase":"holiday"}', b'{"phase":3}', b"\xff"])
def test_what_is_no_state_is_refused(line):
    with pytest.raises(BadInput, match="rest"):
        restore(line, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 1800), st.booleans(), st.booleans()), max_size=80))
def test_how_often_time_is_told_changes_nothing(moves):
    """Ticks between keys neither add to the work nor take from it, but for when they notice."""
    limits = Limits(work_min=480, nudge_min=480, break_min=240)
    fine, coarse, ns = RestState(), RestState(), 0
    for seconds, _, is_open in moves:
        for step in range(1, 5):
            fine, _ = tick(fine, ns + seconds * 10**9 * step // 4, 0, position_open=is_open, limits=limits)
        ns += seconds * 10**9
        fine, _ = touch(fine, ns, 0, position_open=is_open, limits=limits)
        coarse, _ = touch(coarse, ns, 0, position_open=is_open, limits=limits)
    if fine.phase == coarse.phase == WORK:
        assert fine.worked_ns == coarse.worked_ns <= ns

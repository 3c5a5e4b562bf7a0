"""Receive times that never step back, and what happened to the clocks."""

from __future__ import annotations

import pytest

from feeds.times import Times

S = 1_000_000_000


class Clocks:
    """A machine's clocks, as a test moves them."""

    def __init__(self) -> None:
        self.mono = S
        self.wall = 1_700_000_000 * S
        self.boot = 5 * S

    def go(self, ns: int, *, wall: int = 0, asleep: int = 0) -> None:
        """Time passes; the wall clock is set by `wall`, the machine sleeps for `asleep`."""
        self.mono += ns
        self.wall += ns + wall + asleep
        self.boot += ns + asleep

    def times(self) -> Times:
        return Times(lambda: self.mono, lambda: self.wall, lambda: self.boot)


@pytest.mark.parametrize("by_s", [-7200, -3600, -1, 1, 3600, 7200])
def test_a_step_of_the_wall_clock_is_told_once_and_no_time_goes_back(by_s):
    clocks = Clocks()
    times = clocks.times()
    said, steps = [times.now()[0]], []
    for n in range(50):
        clocks.go(S // 10, wall=by_s * S if n == 20 else 0)
        steps.append(times.check())
        said.append(times.now()[0])
    assert [step for step in steps if step] == [by_s * S]
    assert said == sorted(said)
    assert times.now()[1] == clocks.mono


def test_a_wall_clock_that_drifts_is_followed_without_a_word():
    clocks = Clocks()
    times = clocks.times()
    for _ in range(1000):
        clocks.go(S // 10, wall=100_000)  # a thousandth
        assert times.check() == 0
    assert times.now()[0] == clocks.wall


def test_sleep_is_told_by_the_clock_that_counts_it_and_once():
    clocks = Clocks()
    times = clocks.times()
    clocks.go(S)
    assert times.slept() == 0
    clocks.go(S, asleep=3600 * S)
    assert times.slept() == 3600 * S
    assert times.slept() == 0
    clocks.go(100 * S)
    assert times.slept() == 0


def test_the_real_clocks_are_near_each_other():
    times = Times()
    assert times.check() == 0
    assert times.slept() == 0

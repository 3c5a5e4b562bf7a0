import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview.ui.screens._presses import HELD_S, Presses

RATES = {"X11": (0.66, 0.04), "Windows": (0.5, 0.033), "GNOME": (0.5, 0.03), "macOS": (0.375, 0.09),
         "Linux console": (0.25, 0.092)}  # fmt: skip
"""Delay and interval, in seconds, after which systems repeat a key by default."""


@pytest.mark.parametrize("system", RATES)
def test_a_key_held_down_is_pressed_once_at_the_rates_of_all_systems(system):
    delay, interval = RATES[system]
    presses = Presses()
    times = [0.0, *(delay + n * interval for n in range(200))]
    assert [presses.fresh("b", at) for at in times] == [True] + [False] * 200
    assert presses.fresh("b", times[-1] + HELD_S + 0.001)


def test_a_hundred_keys_a_second_that_take_turns_are_all_pressed():
    presses = Presses()
    assert all(presses.fresh("bs"[n % 2], n / 100) for n in range(1000))


def test_a_key_between_makes_the_next_one_a_press():
    presses = Presses()
    assert [presses.fresh(key, n / 10) for n, key in enumerate("bb1bb")] == [True, False, True, True, False]


def test_a_terminal_that_tells_held_keys_is_believed():
    presses = Presses()
    told = [("b", False), ("b", True), ("b", True), ("b", False), ("b", False)]
    found = [presses.fresh(key, n / 100, held=held, exact=True) for n, (key, held) in enumerate(told)]
    assert found == [True, False, False, True, True]
    # The first held key tells it, even before the terminal has shown a release.
    assert not Presses().fresh("b", 0.0, held=True)


@given(st.lists(st.tuples(st.sampled_from("bs"), st.floats(0, 3)), max_size=60))
def test_what_is_dropped_is_a_key_again_within_the_time_and_nothing_else(steps):
    presses, at, before = Presses(), 0.0, None
    for key, passed in steps:
        at += passed
        again = before is not None and before[0] == key and at - before[1] <= HELD_S
        assert presses.fresh(key, at) == (not again)
        before = key, at

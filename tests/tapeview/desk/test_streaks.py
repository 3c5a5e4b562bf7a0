"""After a loss: ten minutes, half size for two trades, and the end after three in a row."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tapeview.desk.limits import Limits
from tapeview.desk.roll import session_at
from tapeview.desk.streaks import StreakState, closed, entry

MIN = 60 * 10**9
START = int(datetime(2026, 7, 15, 8, tzinfo=UTC).timestamp()) * 10**9
END = session_at("crypto", START).end_ns
WIN, LOSS, SCRATCH = Decimal(1), Decimal(-1), Decimal(0)
FRESH = StreakState(calendar="crypto")


def after(*results, minutes=20):
    state, ns = FRESH, START
    for result in results:
        state = closed(state, ns, result)
        ns += minutes * MIN
    return state, ns


def test_a_loss_pauses_for_ten_minutes_then_halves_two_trades():
    state = closed(FRESH, START, LOSS)
    assert not entry(state, START + 10 * MIN - 1).allowed
    assert "1 min left" in entry(state, START + 10 * MIN - 1).reason
    assert entry(state, START + 10 * MIN)[:2] == (True, 0.5)
    state = closed(state, START + 15 * MIN, WIN)
    assert entry(state, START + 16 * MIN).size == 0.5
    state = closed(state, START + 20 * MIN, WIN)
    assert entry(state, START + 21 * MIN) == (True, 1.0, "")


def test_three_losses_in_a_row_end_the_session_and_a_win_between_does_not():
    state, ns = after(LOSS, LOSS, LOSS)
    assert not entry(state, ns).allowed
    assert "3 losses" in entry(state, ns).reason
    state, ns = after(LOSS, LOSS, WIN, LOSS)
    assert entry(state, ns).allowed


def test_a_scratch_neither_breaks_a_run_nor_lengthens_it():
    state, ns = after(LOSS, SCRATCH, LOSS)
    assert entry(state, ns).allowed
    state, ns = after(LOSS, SCRATCH, LOSS, SCRATCH, LOSS)
    assert not entry(state, ns).allowed


def test_only_the_exchanges_next_session_lets_one_begin_again():
    state, _ = after(LOSS, LOSS, LOSS)
    assert not entry(state, END - 1).allowed
    assert not entry(state, 0).allowed  # a clock set back
    assert entry(state, END) == (True, 1.0, "")


def test_a_stop_once_reached_holds_though_a_position_still_open_wins():
    state, ns = after(LOSS, LOSS, LOSS, WIN)
    assert not entry(state, ns).allowed


@given(st.lists(st.tuples(st.sampled_from([WIN, LOSS, SCRATCH]), st.integers(0, 30)), max_size=30), st.integers(1, 4))
def test_it_is_what_a_list_of_all_results_says(results, stop):
    limits = Limits(losses_stop=stop)
    state, ns, row, stopped, last_loss, since = FRESH, START, 0, False, None, 99
    for result, minutes in results:
        ns = min(ns + minutes * MIN, END - 1)
        state = closed(state, ns, result, limits)
        row = row + 1 if result < 0 else 0 if result > 0 else row
        stopped = stopped or row >= stop
        last_loss, since = (ns, 0) if result < 0 else (last_loss, since + 1)
        found = entry(state, ns, limits)
        paused = last_loss is not None and ns < last_loss + 10 * MIN
        assert found.allowed == (not stopped and not paused)
        if found.allowed:
            assert found.size == (0.5 if since < 2 else 1.0)

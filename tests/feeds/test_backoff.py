"""Waits and budgets."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.backoff import Backoff, Budget

S = 1_000_000_000


def longest() -> float:
    """The draw that waits longest."""
    return 1.0 - 2**-53


def test_waits_double_from_one_second_to_a_minute() -> None:
    waits = Backoff(longest)
    assert [round(waits.wait_ns() / S) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_waits_are_spread_over_the_whole_of_their_range(seed: int, failures: int) -> None:
    waits = Backoff(random.Random(seed).random)
    drawn = [waits.wait_ns() for _ in range(failures)]
    assert all(0 <= wait <= min(60 * S, S * 2**n) for n, wait in enumerate(drawn))


def test_at_the_cap_there_is_still_jitter() -> None:
    waits = Backoff(random.Random(3).random)
    drawn = [waits.wait_ns() for _ in range(400)][20:]
    assert min(drawn) < 5 * S
    assert max(drawn) > 55 * S


def test_what_a_venue_asks_for_comes_before_the_drawn_wait() -> None:
    assert Backoff(lambda: 0.0).wait_ns(30 * S) == 30 * S
    assert 30 * S < Backoff(longest).wait_ns(30 * S) <= 31 * S


def test_only_a_minute_of_verified_data_makes_the_waits_short_again() -> None:
    waits = Backoff(longest)
    for _ in range(5):
        waits.wait_ns()
    for second in range(60):
        waits.verified(second * S)
        assert waits.failures == 5
    waits.verified(60 * S)
    assert waits.failures == 0


def test_doubt_and_failure_break_the_proof_off() -> None:
    waits = Backoff(longest)
    waits.wait_ns()
    waits.verified(0)
    waits.verified(59 * S)
    waits.doubted()
    waits.verified(61 * S)
    waits.verified(120 * S)
    assert waits.failures == 1
    waits.wait_ns()
    waits.verified(122 * S)
    assert waits.failures == 2


def test_a_server_that_accepts_and_drops_for_ever_is_asked_some_twenty_times_in_ten_minutes() -> None:
    for seed in range(50):
        waits, now, tries = Backoff(random.Random(seed).random), 0, 0
        while now < 600 * S:
            tries += 1
            waits.verified(now)
            now += waits.wait_ns() + S // 100
        assert tries <= 60


# -- budgets -------------------------------------------------------------------------------------
def test_a_budget_gives_what_there_is_and_then_what_flows_in() -> None:
    budget = Budget(3, per_s=0.5)
    assert [budget.ask(0) for _ in range(4)] == [0, 0, 0, 2 * S]
    assert budget.ask(2 * S) == 0
    assert budget.ask(2 * S) == 2 * S
    assert [budget.ask(100 * S) for _ in range(4)] == [0, 0, 0, 2 * S]


@given(st.lists(st.tuples(st.integers(0, 3 * S), st.integers(1, 5)), min_size=1, max_size=60))
def test_no_more_is_given_in_any_time_than_the_budget_has(asked: list[tuple[int, int]]) -> None:
    budget, now, given_out = Budget(5, per_s=2), 0, 0.0
    for step, cost in asked:
        now += step
        if budget.ask(now, cost) == 0:
            given_out += cost
        assert given_out <= 5 + 2 * now / S + 1e-6


@given(st.integers(1, 40), st.integers(1, 8))
def test_who_waits_as_long_as_told_is_served(first: int, cost: int) -> None:
    budget, now = Budget(8, per_s=1.5), 0
    for _ in range(first):
        budget.ask(now)
    wait = budget.ask(now, cost)
    assert wait == 0 or budget.ask(now + wait, cost) == 0


def test_more_than_the_whole_amount_waits_for_a_full_budget_and_is_owed() -> None:
    budget = Budget(10, per_s=1)
    assert budget.ask(0) == 0
    assert budget.ask(0, 25) == S
    assert budget.ask(S, 25) == 0
    assert budget.ask(S) == 16 * S


def test_the_venue_is_believed_about_what_was_used() -> None:
    budget = Budget(100, per_s=1)
    budget.used(0, 95)
    assert budget.ask(0, 10) == 5 * S
    budget.used(5 * S, 3)
    assert budget.ask(5 * S, 10) == 0


def test_a_ban_is_kept_to_its_end_and_never_shortened() -> None:
    budget = Budget(100, per_s=100)
    budget.block(120 * S)
    budget.block(60 * S)
    assert budget.ask(S) == 119 * S
    assert budget.ask(120 * S - 1) == 1
    assert budget.ask(120 * S) == 0
    assert budget.blocked_ns is None


def test_time_that_steps_back_gives_nothing() -> None:
    budget = Budget(1, per_s=1)
    assert budget.ask(10 * S) == 0
    assert budget.ask(5 * S) > 0
    assert budget.ask(10 * S) == S


@pytest.mark.parametrize(("amount", "per_s"), [(0, 1), (1, 0), (-1, 1)])
def test_a_budget_of_nothing_is_refused(amount: float, per_s: float) -> None:
    with pytest.raises(ValueError, match="gives nothing"):
        Budget(amount, per_s)

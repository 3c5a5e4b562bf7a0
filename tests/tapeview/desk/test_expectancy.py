"""What a record of trades says, against the formulas' own numbers and brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview.desk.expectancy import NOT_YET, edge, longest_losing_run, of_results, trades_needed, wilson

SHARES = st.floats(0.01, 0.99)
RATIOS = st.floats(0.1, 20)
COSTS = st.floats(0, 0.5)


def test_sixty_percent_at_one_and_a_half_to_one_is_worth_half_an_r():
    made = edge(0.6, 1.5)
    assert made.expectancy == pytest.approx(0.50)
    assert made.profit_factor == pytest.approx(2.25)
    assert made.kelly == pytest.approx(1 / 3)
    assert made.break_even == pytest.approx(0.40)
    assert made.sigma**2 == pytest.approx(1.50)


def test_costs_of_fifteen_hundredths_of_r_leave_thirty_five():
    made = edge(0.6, 1.5, 0.15)
    assert made.expectancy == pytest.approx(0.35)
    assert made.profit_factor == pytest.approx(1.761, abs=5e-4)


@pytest.mark.parametrize(("expectancy", "trades"), [(0.5, 24), (0.1, 577), (-0.1, 577)])
def test_it_takes_so_many_trades_to_tell_an_expectancy_from_nothing(expectancy, trades):
    assert trades_needed(expectancy, math.sqrt(1.5)) == trades


def test_no_number_of_trades_tells_nothing_from_nothing():
    assert trades_needed(0.0, 1.0) is None


@given(SHARES, RATIOS, COSTS)
def test_the_worth_of_a_trade_is_the_mean_of_its_two_ends_and_so_is_its_spread(p, b, c):
    made = edge(p, b, c)
    ends, weights = np.array([b - c, -(1 + c)]), np.array([p, 1 - p])
    mean = float(weights @ ends)
    assert made.expectancy == pytest.approx(mean, abs=1e-9)
    assert made.sigma == pytest.approx(math.sqrt(float(weights @ (ends - mean) ** 2)), abs=1e-6)
    at_even = edge(min(1.0, made.break_even), b, c) if made.break_even <= 1 else None
    if at_even is not None:
        assert at_even.expectancy == pytest.approx(0, abs=1e-9)


@given(SHARES, RATIOS, COSTS)
def test_kelly_is_the_share_at_which_the_account_grows_fastest(p, b, c):
    made = edge(p, b, c)
    won, lost = b - c, 1 + c

    def growth(share):
        """Mean log growth where `share` of the account is what a loss takes."""
        return p * math.log1p(share * won / lost) + (1 - p) * math.log1p(-share)

    if won <= 0:
        assert made.kelly == 0
        return
    shares = np.linspace(0, 0.999, 2_000)
    best = max(map(growth, shares))
    assert growth(made.kelly) >= best - 1e-9


@pytest.mark.parametrize(("p", "b", "c"), [(1.1, 1, 0), (-0.1, 1, 0), (0.5, 0, 0), (0.5, math.nan, 0), (0.5, 1, -1)])
def test_a_trade_that_cannot_be_is_refused(p, b, c):
    with pytest.raises(ValueError, match="no trade"):
        edge(p, b, c)


def test_seven_losses_in_a_row_are_to_be_expected_in_a_thousand_trades():
    assert round(longest_losing_run(1000, 0.6)) == 7


def test_the_longest_losing_run_is_near_its_exact_mean():
    """The exact distribution by recursion: the chance of no run of k losses in n trades."""

    def none_of(k, n, q):
        chance = [1.0] * (n + 1)
        for i in range(k, n + 1):
            chance[i] = 1 - q**k if i == k else chance[i - 1] - (1 - q) * q**k * chance[i - k - 1]
        return chance[n]

    mean = sum(1 - none_of(k, 1000, 0.4) for k in range(1, 60))
    assert longest_losing_run(1000, 0.6) == pytest.approx(mean, abs=0.5)


@pytest.mark.parametrize(("trades", "p", "run"), [(0, 0.5, 0), (10, 1.0, 0), (10, 0.0, 10), (1, 0.5, 0)])
def test_losing_runs_at_the_ends_are_what_they_must_be(trades, p, run):
    assert longest_losing_run(trades, p) == run


@given(st.integers(1, 400), st.data())
def test_the_ends_of_wilsons_interval_are_as_far_from_what_was_seen_as_chance_goes(trades, data):
    """By definition: at an end p, |seen - p| is z standard deviations of p."""
    wins = data.draw(st.integers(0, trades))
    found = wilson(wins, trades)
    for end in (found.low, found.high):
        if 0 < end < 1:
            assert abs(wins / trades - end) == pytest.approx(1.959963984540054 * math.sqrt(end * (1 - end) / trades))
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_no_trades_say_nothing_of_the_win_rate():
    assert wilson(0, 0)[1:] == (0.0, 1.0)
    assert wilson(0, 10).low == 0
    assert wilson(10, 10).high == 1


def test_the_bootstrap_of_three_results_is_that_of_all_twenty_seven_resamples():
    results = [-1.0, 0.5, 2.0]
    means = sorted(sum(some) / 3 for some in itertools.product(results, repeat=3))
    found = of_results(results)
    # 1/27 of the resamples lie at each end, more than 2.5 %: the interval reaches from the least to the greatest.
    assert found.expectancy.low == pytest.approx(means[0])
    assert found.expectancy.high == pytest.approx(means[-1])
    assert found.profit_factor.low == 0
    assert found.profit_factor.high == math.inf


def test_the_bootstrap_of_many_results_is_that_of_the_normal_law():
    results = np.random.Generator(np.random.PCG64(3)).normal(0.2, 1.0, 2_000)
    found = of_results(results.tolist())
    reach = 1.96 * results.std() / math.sqrt(len(results))
    assert found.expectancy.value == pytest.approx(results.mean())
    assert found.expectancy.low == pytest.approx(results.mean() - reach, abs=0.1 * reach)
    assert found.expectancy.high == pytest.approx(results.mean() + reach, abs=0.1 * reach)


def test_the_same_results_and_seed_give_the_same_interval_and_another_seed_another():
    results = [1.5, -1.0, -1.0, 1.5, 0.3, -0.4, 2.2]
    assert of_results(results) == of_results(results)
    assert of_results(results) != of_results(results, seed=1)


def test_the_badge_says_so_until_the_interval_leaves_0():
    few, many = [1.5, -1.0, 1.5, -1.0, 1.5], [1.5, 1.5, 1.5, -1.0, -1.0] * 40
    assert of_results(few).expectancy.badge == NOT_YET
    assert of_results(few).grey
    assert of_results(many).expectancy.badge == "above 0"
    assert not of_results(many).grey
    assert of_results([-one for one in many]).expectancy.badge == "below 0"


def test_a_day_without_wins_or_losses_is_neither_riches_nor_ruin():
    assert of_results([0.0] * 5).profit_factor == (1.0, 1.0, 1.0)
    assert of_results([]).expectancy.badge == NOT_YET
    assert of_results([2.0]).profit_factor.value == math.inf


@pytest.mark.parametrize("results", [[math.nan], [math.inf], [0.0] * 100_001])
def test_results_that_are_none_or_too_many_are_refused(results):
    with pytest.raises(ValueError, match="results"):
        of_results(results)

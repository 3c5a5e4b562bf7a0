"""Correlation from made-up markets whose true correlation is known, and what it does to sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.instruments import contracts
from tapeview.desk.correlation import (
    PairMonitor,
    daily,
    dollar_risk,
    fisher,
    multiplier,
    pair_multiplier,
    portfolio_risk,
    repaired,
    stressed,
)
from tapeview.desk.limits import DEFAULTS, Limits

S = 10**9


def walk(rho, minutes, seed, step_s=5):
    """Log mids of two legs every few seconds."""
    draw = np.random.Generator(np.random.PCG64(seed))
    x, y = draw.standard_normal((2, minutes * 60 // step_s)) * 1e-4
    return x.cumsum(), (rho * x + math.sqrt(1 - rho * rho) * y).cumsum()


def play(monitor, rho, minutes, seed, step_s=5):
    """Feed a walk; give the minutes after which the pair was extreme for the first time, or None."""
    first = None
    for n, (x, y) in enumerate(zip(*(leg.tolist() for leg in walk(rho, minutes, seed, step_s)), strict=True)):
        ns = n * step_s * S
        monitor.mid(0, ns, 20_000 * math.exp(x))
        monitor.mid(1, ns, 60_000 * math.exp(y))
        if first is None and monitor.read(ns).extreme:
            first = (n + 1) * step_s / 60
    return first


def test_a_pair_of_85_is_flagged_within_45_minutes_of_data_and_one_of_50_never():
    flagged = [play(PairMonitor(), 0.85, 45, seed, 10) for seed in range(60)]
    # At 45 minutes what is seen of .85 is below .80 in one walk of ten; looking all the way leaves some 4 %.
    assert sum(at is not None for at in flagged) >= 54
    assert not any(play(PairMonitor(), 0.5, 240, seed, 10) for seed in range(60))


def test_an_extreme_pair_stays_so_between_leaving_and_entering():
    monitor = PairMonitor(Limits(corr_fast_min=10, corr_least_min=10))
    legs = [
        np.concatenate([one, one[-1] + other]) for one, other in zip(walk(0.95, 60, 3), walk(0.2, 60, 4), strict=True)
    ]
    seen, states = [], []
    for n, (x, y) in enumerate(zip(*legs, strict=True)):
        monitor.mid(0, 5 * n * S, math.exp(x))
        monitor.mid(1, 5 * n * S, math.exp(y))
        reading = monitor.read(5 * n * S)
        seen.append(reading.seen)
        states.append(reading.extreme)
    entered = states.index(True)
    left = states.index(False, entered)
    assert seen[entered] >= DEFAULTS.corr_enter
    assert seen[left] < DEFAULTS.corr_leave <= min(seen[entered:left]) < DEFAULTS.corr_enter
    assert not any(states[left:])


def test_what_is_used_is_shrunk_towards_a_half_and_the_more_adverse_of_fast_and_slow():
    monitor = PairMonitor()
    play(monitor, 0.0, 120, 1)
    reading = monitor.read(7200 * S)
    want = (reading.samples * reading.seen + 30 * 0.5) / (reading.samples + 30)
    assert reading.used == pytest.approx(want)
    slow = PairMonitor(slow=0.9, slow_days=1e9)
    play(slow, 0.0, 120, 1)
    assert slow.read(7200 * S).used == pytest.approx(0.9)
    assert slow.read(7200 * S).seen == reading.seen


def test_the_estimate_of_many_walks_is_that_of_the_truth_and_as_sure_as_it_says():
    seen, inside, samples = [], 0, 0.0
    for seed in range(40):
        monitor = PairMonitor(Limits(corr_least_min=240))
        play(monitor, 0.6, 90, 100 + seed, 10)
        reading = monitor.read(90 * 60 * S)
        seen.append(reading.seen)
        inside += reading.low <= 0.6 <= reading.high
        samples = reading.samples
    spread = (1 - 0.6**2) / math.sqrt(samples)
    assert np.mean(seen) == pytest.approx(0.6, abs=4 * spread / math.sqrt(40) + 0.01)
    assert np.std(seen) == pytest.approx(spread, rel=0.4)
    assert inside >= 33  # of 40, where 38 are to be expected


def test_legs_that_tick_at_other_times_are_compared_at_refresh_times_without_bias():
    found = []
    for seed in range(12):
        monitor = PairMonitor(Limits(corr_least_min=240))
        draw = np.random.Generator(np.random.PCG64(seed))
        one, other = walk(0.8, 180, 50 + seed, 1)
        for second in range(180 * 60):
            if draw.random() < 0.3:
                monitor.mid(0, second * S, math.exp(one[second]))
            if draw.random() < 0.2:
                monitor.mid(1, second * S + 1, math.exp(other[second]))
        found.append(monitor.read(180 * 60 * S).seen)
    # 60-s returns whose ends are some 5 s apart still lose little; ticks of a second would lose most of it.
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def test_a_missing_leg_or_a_weekend_keeps_the_last_cautious_value_as_unknown():
    monitor = PairMonitor()
    play(monitor, 0.9, 60, 5)
    assert monitor.read(3600 * S).known
    monitor.mid(1, 3600 * S, 60_000.0)
    known = monitor.read(3600 * S)
    for second in range(3605, 7200, 5):
        monitor.mid(1, second * S, 60_000 * (1 + 1e-5 * (second % 7)))  # the other leg is silent
    silent = monitor.read(7200 * S)
    assert not silent.known
    assert (silent.used, silent.extreme) == (known.used, known.extreme)
    monitor.mid(0, 7200 * S, 1.0, is_open=False)
    assert not monitor.read(7200 * S).known
    for second in range(172_800, 172_830, 5):  # open again two days later: no return spans the weekend
        monitor.mid(0, second * S, 40_000.0)
        monitor.mid(1, second * S, 20_000.0)
    assert monitor.read(172_830 * S)[1:] == silent[1:]


def test_a_leg_that_opens_again_is_not_compared_with_what_the_other_was_before():
    monitor = PairMonitor()
    play(monitor, 0.9, 60, 5)
    known = monitor.read(3600 * S)
    monitor.mid(0, 3600 * S, math.nan, is_open=False)
    monitor.mid(0, 3610 * S, 20_000.0)
    monitor.mid(0, 3670 * S, 30_000.0)
    monitor.mid(1, 3670 * S, 90_000.0)
    assert monitor.read(3670 * S)[1:] == known[1:]


def test_what_the_returns_are_worth_follows_from_their_ages_and_how_they_overlap():
    monitor = PairMonitor()
    play(monitor, 0.3, 45, 8)
    ages = np.arange(0, 45 * 60 - 60, 10)  # a return ends every 10 s, the first after a minute
    weights = 0.5 ** (ages / 3600)
    correlated = sum((1 - abs(j) / 6) ** 2 for j in range(-5, 6))
    want = weights.sum() ** 2 / (weights**2).sum() / correlated
    assert monitor.read(45 * 60 * S).samples == pytest.approx(want, rel=0.02)


def test_before_there_are_data_the_prior_is_used():
    monitor = PairMonitor()
    reading = monitor.read(0)
    assert not reading.known
    assert reading.used == 0.5
    assert not reading.extreme


def test_times_that_go_back_and_mids_of_nothing_change_nothing():
    one, other = PairMonitor(), PairMonitor()
    play(one, 0.7, 30, 9)
    play(other, 0.7, 30, 9)
    other.mid(0, 5 * S, 1.0)
    other.mid(1, 3000 * S, math.nan)
    other.mid(1, 3000 * S, 0.0)
    other.mid(1, 3000 * S, math.inf)
    assert one.read(1800 * S) == other.read(1800 * S)


def test_fishers_interval_holds_its_share_of_samples():
    draw = np.random.Generator(np.random.PCG64(1))
    inside = 0
    for _ in range(1_000):
        x, y = draw.standard_normal((2, 50))
        low, high = fisher(float(np.corrcoef(x, 0.6 * x + 0.8 * y)[0, 1]), 50)
        inside += low <= 0.6 <= high
    assert 930 <= inside <= 970
    assert fisher(0.5, 3) == (-1.0, 1.0)
    assert fisher(1.0, 100) == (1.0, 1.0)


def test_the_slow_estimate_is_the_weighted_one_of_days():
    draw = np.random.Generator(np.random.PCG64(2))
    x, y = draw.standard_normal((2, 60))
    weights = [0.94 ** (59 - n) for n in range(60)]
    top = sum(w * a * b for w, a, b in zip(weights, x, y, strict=True))
    under = math.sqrt(sum(w * a * a for w, a in zip(weights, x, strict=True)))
    under *= math.sqrt(sum(w * b * b for w, b in zip(weights, y, strict=True)))
    found, samples = daily(x, y)
    assert found == pytest.approx(top / under)
    assert samples == pytest.approx((1 + 0.94) / (1 - 0.94), rel=0.05)
    assert math.isnan(daily(np.zeros(5), np.ones(5))[0])


# -- portfolios -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("rho", "risk"), [(0.5, 1.73), (0.8, 1.90), (1.0, 2.00)])
def test_two_equal_positions_of_one_side_risk_so_much_of_one(rho, risk):
    matrix = np.array([[1, rho], [rho, 1]])
    assert round(portfolio_risk(np.array([1.0, 1.0]), matrix), 2) == risk
    assert portfolio_risk(np.array([1.0, 1.0]), matrix) * pair_multiplier(rho) == pytest.approx(1.0)


def test_each_leg_of_an_extreme_pair_at_80_keeps_527_thousandths():
    assert round(pair_multiplier(0.8), 3) == 0.527
    assert multiplier(1.0, math.sqrt(3.6)) == pytest.approx(pair_multiplier(0.8))
    assert multiplier(2.0, 1.0) == 1.0


def test_an_extreme_pair_is_stressed_and_capped():
    risks, flags = np.array([1.0, 1.0]), np.array([[False, True], [True, False]])
    for used, want in ((0.8, 0.95), (0.9, 0.99)):
        matrix = np.array([[1, used], [used, 1]])
        assert stressed(risks, matrix, flags)[0, 1] == pytest.approx(want)
        assert stressed(risks, matrix, ~flags)[0, 1] == pytest.approx(used)


def test_an_opposite_leg_gets_no_credit_above_a_half():
    risks, none = np.array([1.0, -1.0]), np.zeros((2, 2), bool)
    for used, want in ((0.9, 1.0), (0.5, 1.0), (0.2, math.sqrt(1.6))):
        matrix = np.array([[1, used], [used, 1]])
        assert portfolio_risk(risks, stressed(risks, matrix, ~none)) == pytest.approx(want)


def test_mnq_with_mbt_is_the_worked_case():
    """Two MNQ at 20,000 with 1.2 % a day beside two MBT at 90,000 with 3 %: the table's own multipliers."""
    mnq, mbt = contracts()["MNQ"], contracts()["MBT"]
    first = dollar_risk(2, float(mnq.tick_value), round(20_000 / float(mnq.tick)), 0.012)
    second = dollar_risk(2, float(mbt.tick_value), round(90_000 / float(mbt.tick)), 0.03)
    assert first == pytest.approx(2 * 2 * 20_000 * 0.012)
    assert second == pytest.approx(2 * 0.1 * 90_000 * 0.03)
    risks = np.array([first, second])
    matrix, flags = np.array([[1, 0.82], [0.82, 1]]), np.array([[False, True], [True, False]])
    calm, worst = portfolio_risk(risks, matrix), portfolio_risk(risks, stressed(risks, matrix, flags))
    assert calm == pytest.approx(math.sqrt(960**2 + 540**2 + 2 * 0.82 * 960 * 540))
    assert worst == pytest.approx(math.sqrt(960**2 + 540**2 + 2 * 0.97 * 960 * 540))
    assert multiplier(960.0, worst) == pytest.approx(960 / worst)
    assert multiplier(960.0, worst) < multiplier(960.0, calm) < 1


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 7), st.integers(0, 10**6))
def test_a_matrix_that_is_no_correlation_is_repaired_into_one(size, seed):
    draw = np.random.Generator(np.random.PCG64(seed))
    matrix = np.triu(draw.uniform(-1, 1, (size, size)), 1)
    matrix = matrix + matrix.T + np.eye(size)
    found = repaired(matrix)
    assert np.linalg.eigvalsh(found)[0] >= -1e-9
    assert np.array_equal(np.diag(found), np.ones(size))
    assert np.allclose(found, found.T)
    assert np.abs(found).max() <= 1 + 1e-9
    assert np.allclose(repaired(found), found, atol=1e-9)


def test_a_matrix_that_is_one_comes_back_as_it_is():
    matrix = np.array([[1, 0.9, 0.3], [0.9, 1, 0.2], [0.3, 0.2, 1]])
    assert np.array_equal(repaired(matrix), matrix)

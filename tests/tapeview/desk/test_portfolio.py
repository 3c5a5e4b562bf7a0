"""Positions weighed together, on made-up markets of which the truth is known."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from tapeview.desk.correlation import pair_multiplier
from tapeview.desk.limits import Limits
from tapeview.desk.portfolio import DAY_S, Held, Portfolio, budgets, risks_of, sigma_of

S = 10**9
QUICK = Limits(corr_least_min=10, corr_prior_n=0)


def market(loads, minutes=60, seed=1, limits=QUICK):
    """A portfolio that saw instruments of which each has a common part of its load."""
    draw = np.random.Generator(np.random.PCG64(seed))
    steps = minutes * 12
    common, own = draw.standard_normal(steps), draw.standard_normal((len(loads), steps))
    moves = [load * common + math.sqrt(1 - load**2) * one for load, one in zip(loads, own, strict=True)]
    portfolio = Portfolio(len(loads), limits)
    for n, mids in enumerate(np.exp(1e-4 * np.cumsum(moves, axis=1)).T.tolist()):
        for leg, mid in enumerate(mids):
            portfolio.mid(leg, 5 * n * S, mid)
    return portfolio, 5 * steps * S


def test_two_that_move_as_one_may_together_be_one():
    portfolio, ns = market([0.99, 0.99])
    found = portfolio.weigh(ns, [100.0, 100.0], 1000.0, 100.0)
    assert found.extreme == ((0, 1),)
    assert found.keep == (pytest.approx(pair_multiplier(0.99)),) * 2  # stressed to the most that is reckoned with
    assert sum(found.keep) * 100 == pytest.approx(100, rel=0.01)


def test_unrelated_ones_are_only_held_to_the_budget_of_all():
    portfolio, ns = market([0.0, 0.0, 0.0])
    roomy = portfolio.weigh(ns, [100.0, 100.0, 100.0], 1000.0, 100.0)
    assert (roomy.keep, roomy.extreme) == ((1.0, 1.0, 1.0), ())
    assert roomy.risk == pytest.approx(100 * math.sqrt(3), rel=0.15)
    tight = portfolio.weigh(ns, [100.0, 100.0, 100.0], 50.0, 100.0)
    assert tight.keep == (pytest.approx(50 / tight.risk),) * 3


def test_a_third_that_is_apart_is_not_shrunk_with_the_two_that_are_one():
    portfolio, ns = market([0.99, 0.0, 0.99])
    found = portfolio.weigh(ns, [100.0, 100.0, 100.0], 1000.0, 100.0)
    assert found.extreme == ((0, 2),)
    assert found.keep[1] == 1.0
    assert found.keep[0] == found.keep[2] < 0.52


def test_opposite_positions_of_a_pair_are_not_shrunk_but_hedge_no_more_than_the_limit():
    portfolio, ns = market([0.99, 0.99])
    found = portfolio.weigh(ns, [100.0, -100.0], 1000.0, 100.0)
    assert found.keep == (1.0, 1.0)
    assert found.risk == pytest.approx(100.0)  # sqrt(1 + 1 - 2 x 0.5), and not next to nothing


def test_three_that_hang_together_are_one_group():
    portfolio, ns = market([0.98, 0.98, 0.98])
    found = portfolio.weigh(ns, [100.0, 100.0, 100.0], 1000.0, 100.0)
    assert len(found.extreme) == 3
    assert found.keep == (pytest.approx(100 / found.risk),) * 3


def test_before_there_are_data_every_pair_is_unknown_and_the_prior_counts():
    found = Portfolio(2).weigh(0, [100.0, 100.0], 1000.0, 100.0)
    assert found.unknown == ((0, 1),)
    assert found.risk == pytest.approx(100 * math.sqrt(3))
    assert Portfolio(1).weigh(0, [100.0], 50.0, 100.0).keep == (0.5,)


def test_the_budget_of_a_single_one_holds_only_what_is_tied_to_another():
    assert Portfolio(1).weigh(0, [100.0], 200.0, 50.0).keep == (1.0,)
    portfolio, ns = market([0.0, 0.0])
    assert portfolio.weigh(ns, [0.5, 0.5], 200.0, 0.1).keep == (1.0, 1.0)
    portfolio, ns = market([0.99, 0.99])
    assert portfolio.weigh(ns, [0.5, 0.5], 200.0, 0.5).keep[0] < 0.51


def test_the_risk_of_a_position_is_lots_times_multiplier_times_price_times_sigma():
    # MNQ at 18,000: 2 a point; MBT at 60,000: 0.1 a point; ticks of 0.25 and 5.
    mnq, mbt = Held(2, Decimal("0.50"), 72_000, 0.015), Held(-3, Decimal("0.50"), 12_000, 0.03)
    assert risks_of([mnq, mbt]) == [pytest.approx(2 * 2 * 18_000 * 0.015), pytest.approx(-3 * 0.1 * 60_000 * 0.03)]
    assert budgets(Decimal(25_000)) == (pytest.approx(500), pytest.approx(250))


def test_mnq_beside_mbt_at_point_eight_keeps_just_over_half_of_each():
    portfolio, ns = market([math.sqrt(0.85)] * 2, minutes=240, seed=3, limits=Limits(corr_prior_n=0, corr_stress=0))
    legs = [Held(1, Decimal("0.50"), 72_000, 0.00694444), Held(10, Decimal("0.50"), 12_000, 0.00416667)]
    risks = risks_of(legs)
    found = portfolio.weigh(ns, risks, 500.0, 250.0)
    assert found.extreme == ((0, 1),)
    # Both risk what one may: 1 / sqrt(2 + 2 rho) of each, which is 0.527 at 0.8 and 0.5 at 1.
    assert found.risk * found.keep[0] == pytest.approx(250)
    assert 0.48 < found.keep[0] < 0.55


def test_a_days_sigma_comes_from_returns_of_any_length():
    draw = np.random.Generator(np.random.PCG64(2))
    mids = np.exp(np.cumsum(draw.normal(0, 0.02 / math.sqrt(1440), 4000)))
    assert sigma_of(mids.tolist(), 60, DAY_S["crypto"]) == pytest.approx(0.02, rel=0.05)
    assert sigma_of(mids[::5].tolist(), 300, DAY_S["crypto"]) == pytest.approx(0.02, rel=0.1)
    assert sigma_of([100.0] * 10, 60, 1) is None
    assert sigma_of([100.0] * 100, 60, 1) is None
    assert sigma_of([100.0, 0.0] * 10, 60, 1) is None

"""Positions weighed together, on made-up markets of which the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tapeview.desk.correlation import pair_multiplier
from tapeview.desk.limits import Limits
from tapeview.desk.portfolio import Portfolio

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

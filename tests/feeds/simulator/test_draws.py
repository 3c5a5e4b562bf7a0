from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.simulator.draws import (
    CELLS,
    UNIT,
    BlockDraws,
    Draws,
    exponential,
    mixed,
    pareto,
    places,
    poisson,
    quantiles,
    rate,
    sizes,
    wait,
)


def share(table):
    return {value: count / CELLS for value, count in Counter(table).items()}


def test_words_are_the_raw_words_of_pcg64():
    draws = Draws(7, 3)
    expected = np.random.PCG64(np.random.SeedSequence(entropy=7, spawn_key=(3,))).random_raw(9000)
    assert [draws.word() for _ in range(9000)] == expected.tolist()


def test_streams_and_seeds_give_different_words():
    firsts = {Draws(seed, stream).word() for seed in range(5) for stream in range(5)}
    assert len(firsts) == 25


@given(st.lists(st.integers(0, 500), max_size=8))
def test_blocks_of_words_do_not_depend_on_how_they_are_cut(cuts):
    whole = BlockDraws(1, 2).words(sum(cuts)).tolist()
    pieces = BlockDraws(1, 2)
    assert [word for n in cuts for word in pieces.words(n).tolist()] == whole


def test_waits_are_exponential_with_their_mean():
    table = exponential()
    assert len(table) == CELLS + 1
    words = BlockDraws(5, 0).words(200_000).tolist()
    waits = np.array([wait(word, 1_000_000) for word in words])
    assert waits.mean() == pytest.approx(1_000_000, rel=0.01)
    for share_above in (0.5, 0.1, 0.01):
        assert (waits > -math.log(share_above) * 1_000_000).mean() == pytest.approx(share_above, rel=0.06)
    for i in range(0, CELLS, 97):
        assert table[i] / UNIT == pytest.approx(-math.log1p(-i / CELLS), rel=2e-3, abs=2e-6)


@given(st.integers(0, 2**64 - 1), st.integers(1, 10**13))
def test_a_wait_is_never_negative_and_at_most_ten_means(word, mean):
    assert 0 <= wait(word, mean) <= 10 * mean


def test_a_pareto_count_has_its_tail():
    got = pareto("1.5", 300)
    for n in (2, 5, 20, 60):
        assert sum(value >= n for value in got) / CELLS == pytest.approx(n**-1.5, abs=1 / CELLS)
    assert (got[0], got[-1]) == (1, 300)


def test_a_poisson_count_has_its_probabilities():
    got = share(poisson("0.65"))
    for n in range(4):
        assert got[n] == pytest.approx(math.exp(-0.65) * 0.65**n / math.factorial(n), abs=1 / CELLS)


def test_sizes_are_geometric_with_point_masses():
    got = share(sizes("4", ((1, "0.2"), (50, "0.05"))))
    assert got[1] == pytest.approx(0.2 + 0.75 * 0.25, abs=2 / CELLS)
    assert got[2] == pytest.approx(0.75 * 0.25 * 0.75, abs=2 / CELLS)
    assert got[50] == pytest.approx(0.05, abs=2 / CELLS)


def test_places_follow_head_and_power_law():
    got = share(places(("3", "2"), "1.5", "0.5", 9))
    weights = {1: 3, 2: 2} | {i: 1.5 * i**-0.5 for i in range(3, 10)}
    total = sum(weights.values())
    assert got.keys() == weights.keys()
    for i, weight in weights.items():
        assert got[i] == pytest.approx(weight / total, abs=1 / CELLS)
    assert rate(("3", "2"), "1.5", "0.5", 9) == int(total * 1000)


def test_a_table_has_all_its_cells_whatever_the_weights():
    assert len(quantiles([(3, Decimal(1) / 3), (1, Decimal(1) / 3), (2, Decimal(1) / 7)])) == CELLS


def test_mixing_spreads_neighbouring_prices():
    values = [mixed(tick) for tick in range(-5000, 5000)]
    assert len(set(values)) == 10_000
    assert np.mean(values) == pytest.approx(2**31, rel=0.02)

"""Shuffled evidence: it comes from the same class, all of it is used, and it is the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from tapeview.detectors import _null
from tapeview.engine._jit import call_plain

SWAPS = np.dtype(list(_null.fields(3)))
MOVES = np.dtype(list(_null.move_fields()))


def swapped(values, seed):
    memory = np.zeros(1, SWAPS)
    return call_plain(lambda m: [_null.swap(m[0], seed, which, value) for which, value in values], memory)


@pytest.fixture
def values():
    chance = np.random.default_rng(1)
    return [(int(which), 1000 * int(which) + int(value)) for which, value in chance.integers(0, [3, 900], (3000, 2))]


def test_a_value_is_exchanged_for_an_earlier_one_of_its_class(values):
    got = swapped(values, 7)
    seen: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    for (which, value), other in zip(values, got, strict=True):
        seen[which].add(value)
        assert other in seen[which]
    assert np.mean([value == other for (_, value), other in zip(values, got, strict=True)]) < 0.05
    # The distribution stays: nothing is made up, nothing preferred.
    for which in range(3):
        real = np.array([value for n, value in values if n == which])
        mine = np.array([other for (n, _), other in zip(values, got, strict=True) if n == which])
        assert abs(real.mean() - mine.mean()) < 4 * real.std() / len(real) ** 0.5


def test_the_same_seed_shuffles_alike_and_another_does_not(values):
    assert swapped(values, 7) == swapped(values, 7)
    assert swapped(values, 7) != swapped(values, 8)


def test_a_borrowed_move_belonged_to_a_flow_of_the_same_tenth_and_goes_on_from_there():
    cells, steps = 100, 3600
    chance = np.random.default_rng(2)
    flows = np.repeat(chance.integers(-9, 10, steps // cells + 1), cells)[:steps]
    moves = np.cumsum(chance.choice([-1, 0, 1], steps))
    memory = np.zeros(1, MOVES)

    def run(m):
        return [
            _null.borrowed(m[0], 5, 1000 + n, int(flows[n]), int(moves[n]), cells, abs(int(flows[n])) / 10)
            for n in range(steps)
        ]

    got = np.array(call_plain(run, memory))
    signs = np.where(flows >= 0, 1, -1)
    towards = moves * signs
    lent = 0
    for begin in range(0, steps - cells, cells):
        mine = (got * signs)[begin : begin + cells]
        if (mine == towards[begin : begin + cells]).all():
            continue
        lent += 1
        # A run of the past, unbroken, that began where the flow was as strong.
        donors = [
            at for at in range(begin)
            if abs(flows[at]) == abs(flows[begin]) and (towards[at : at + cells] == mine).all()
        ]  # fmt: skip
        assert donors, begin
    assert lent > 20

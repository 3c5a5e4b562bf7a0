"""The micro-price against linear algebra, the queue fit against draws whose probability is known."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from tapeview.detectors import _flow, _micro
from tapeview.detectors._micro import STATES, fit_micro, learn_quote, micro_offset, mirrored, state_of, up_share
from tapeview.engine._jit import call_plain

MEMORY = np.dtype([*_flow.fields(), *_micro.fields()])


def run(memory: np.ndarray, function, *args):
    """Run a part as plain Python on a memory."""
    return call_plain(lambda view: function(view[0], *args), memory)


def quote(memory: np.ndarray, bid: int, bid_lots: int, ask: int, ask_lots: int) -> None:
    """Let a touch come."""

    def come(view) -> None:
        m = view[0]
        m.n_bid, m.n_bid_lots, m.n_ask, m.n_ask_lots = bid, bid_lots, ask, ask_lots
        learn_quote(m)
        _flow.settle(m)

    call_plain(come, memory)


def reference(stay: np.ndarray, move: np.ndarray, jump: np.ndarray, terms: int) -> np.ndarray:
    """The micro-price of Stoikov by numpy's solver, the sample mirrored."""
    flip = np.array([mirrored(i) for i in range(STATES)])
    stay = stay + stay[flip][:, flip]
    move = move + move[flip][:, flip]
    jump = jump - jump[flip]
    total = (stay + move).sum(axis=1, keepdims=True)
    total[total == 0] = 1
    away = np.eye(STATES) - stay / total
    first = np.linalg.solve(away, jump / total[:, 0])
    again = np.linalg.solve(away, move / total)
    return sum(np.linalg.matrix_power(again, n) @ first for n in range(terms))


def test_the_fit_agrees_with_numpys_solver() -> None:
    draws = np.random.default_rng(5)
    memory = np.zeros(1, MEMORY)
    stay = draws.integers(0, 400, (STATES, STATES))
    move = draws.integers(1, 40, (STATES, STATES))
    jump = draws.integers(-300, 300, STATES)
    memory["u_stay"][0], memory["u_move"][0], memory["u_jump"][0] = stay.ravel(), move.ravel(), jump
    run(memory, fit_micro, 1)
    np.testing.assert_allclose(memory["u_micro"][0], reference(stay, move, jump, 6), rtol=1e-9, atol=1e-12)


def test_mirrored_books_have_opposite_micro_prices() -> None:
    draws = np.random.default_rng(6)
    memory = np.zeros(1, MEMORY)
    memory["u_stay"][0] = draws.integers(0, 400, STATES**2)
    memory["u_move"][0] = draws.integers(1, 40, STATES**2)
    memory["u_jump"][0] = draws.integers(-300, 300, STATES)
    run(memory, fit_micro, 1)
    micro = memory["u_micro"][0]
    np.testing.assert_allclose(micro, -micro[[mirrored(i) for i in range(STATES)]], atol=1e-12)


def test_a_state_that_was_never_seen_says_nothing() -> None:
    memory = np.zeros(1, MEMORY)
    run(memory, fit_micro, 1)
    assert not memory["u_micro"][0].any()


@pytest.mark.parametrize(
    ("touch", "state"),
    [((10, 5, 11, 5), 5), ((10, 99, 11, 1), 9), ((10, 1, 11, 99), 0), ((10, 3, 12, 1), 17), ((10, 1, 12, 3), 12)],
)
def test_states_are_tenths_of_the_bids_share(touch: tuple[int, int, int, int], state: int) -> None:
    assert state_of(*touch) == state
    bid, bid_lots, ask, ask_lots = touch
    if bid_lots != ask_lots:
        assert state_of(-ask, ask_lots, -bid, bid_lots) == mirrored(state)


def test_a_locked_or_crossed_touch_has_no_state() -> None:
    assert state_of(10, 5, 10, 5) == -1
    assert state_of(11, 5, 10, 5) == -1


def play_queues(memory: np.ndarray, moves: int, slope: float, seed: int) -> list[tuple[float, float, int]]:
    """Draw queues, ask, and let the mid move up with the probability of a logistic law; give what was foretold."""
    draws = random.Random(seed)
    bid, out = 1000, []
    for _ in range(moves):
        share = draws.uniform(0.02, 0.98)
        lots = max(1, round(1000 * share))
        quote(memory, bid, lots, bid + 1, 1000 - lots)
        imbalance = (2 * lots - 1000) / 1000
        run(memory, _micro.ask_side, imbalance)
        foretold = run(memory, up_share, imbalance, 1)
        up = draws.random() < 1 / (1 + math.exp(-slope * imbalance))
        bid += 1 if up else -1
        quote(memory, bid, 500, bid + 1, 500)
        out.append((foretold, imbalance, int(up)))
    return out


def test_the_queue_fit_finds_the_law_it_was_drawn_from() -> None:
    memory = np.zeros(1, MEMORY)
    told = play_queues(memory, 6000, 2.0, 3)
    assert memory["p_weight"][0] == pytest.approx([0.0, 2.0, 0.0, 0.0], abs=0.3)
    late = told[1000:]
    error = 0.0
    for tenth in range(10):
        some = [(share, up) for share, _, up in late if min(9, int(share * 10)) == tenth]
        error += abs(sum(share for share, _ in some) - sum(up for _, up in some))
    assert error / len(late) < 0.03


def newton(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Logistic regression by Newton's method, drawn to 0 as the fit is when it begins."""
    weights = np.zeros(x.shape[1])
    for _ in range(30):
        share = 1 / (1 + np.exp(-x @ weights))
        hesse = (x * (share * (1 - share))[:, None]).T @ x + np.eye(x.shape[1])
        weights += np.linalg.solve(hesse, x.T @ (y - share) - weights)
    return weights


@pytest.mark.parametrize("seed", range(3))
def test_the_fit_of_queues_spread_and_flow_is_that_of_newtons_method(seed: int) -> None:
    draws = np.random.default_rng(seed)
    memory, n = np.zeros(1, MEMORY), 3000
    spread, imbalance, flow = draws.integers(1, 4, n), draws.uniform(-1, 1, n), draws.normal(0, 1, n)
    x = np.array([[_micro.term(k, *one) for k in range(4)]
                  for one in zip(imbalance, spread, flow, strict=True)])  # fmt: skip
    assert (x[:, 1] != 0).sum() == (spread == 1).sum()
    assert not (x[:, 1] * x[:, 2]).any()
    y = (draws.random(n) < 1 / (1 + np.exp(-x @ np.array([0.1, 2.0, -0.5, 1.0])))).astype(float)
    for one, up in zip(x, y, strict=True):
        memory["p_x"][0] = one
        run(memory, _micro.learn_side, up)
    # What is older than 5,000 outcomes weighs half: the oldest of 3,000 weigh two thirds.
    assert memory["p_weight"][0] == pytest.approx(newton(x, y), abs=0.12)
    covariance = memory["p_cov"][0].reshape(4, 4)
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-9)
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_a_spread_that_is_never_met_neither_grows_without_end_nor_disturbs() -> None:
    draws = np.random.default_rng(9)
    memory = np.zeros(1, MEMORY)
    for _ in range(4000):
        imbalance = draws.uniform(-1, 1)
        memory["p_x"][0] = [1.0, imbalance, 0.0, 0.0]
        run(memory, _micro.learn_side, float(draws.random() < 1 / (1 + math.exp(-2 * imbalance))))
    for _ in range(40_000 // 100):
        memory["p_cov"][0] *= 1.02
        memory["p_x"][0] = [1.0, 0.5, 0.0, 0.0]
        run(memory, _micro.learn_side, 1.0)
    assert memory["p_cov"][0].reshape(4, 4).diagonal().max() <= 10.0
    assert np.isfinite(memory["p_weight"][0]).all()
    assert memory["p_weight"][0][2:].tolist() == [0.0, 0.0]


def test_what_just_pressed_fades_by_half_in_a_second_and_is_measured_in_touches() -> None:
    memory = np.zeros(1, MEMORY)
    quote(memory, 100, 30, 101, 50)
    memory["a_ofi"] = 160
    run(memory, _micro.follow_flow)
    assert run(memory, _micro.pressed) == pytest.approx(160 / 80)
    memory["a_ofi"] = 0
    for _ in range(10):
        run(memory, _micro.follow_flow)
    assert run(memory, _micro.pressed) == pytest.approx(80 / 80)
    memory["a_ofi"] = -100_000
    run(memory, _micro.follow_flow)
    assert run(memory, _micro.pressed) == -4.0


def test_before_fifty_moves_the_queue_fit_says_nothing() -> None:
    memory = np.zeros(1, MEMORY)
    assert all(share == 0.5 for share, _, _ in play_queues(memory, 50, 2.0, 4))
    assert play_queues(memory, 1, 2.0, 4)[0][0] != 0.5


def test_one_move_from_which_nothing_follows_is_its_expected_jump() -> None:
    """With all moves ending in balanced books the further terms are 0, and G is the mean jump before the mid moves."""
    memory = np.zeros(1, MEMORY)
    told = play_queues(memory, 4000, 2.0, 7)
    run(memory, fit_micro, 1)
    for tenth in (1, 3, 6, 8):
        mine = [2 * up - 1 for _, q, up in told if state_of(0, round(500 + 500 * q), 1, round(500 - 500 * q)) == tenth]
        other = [
            1 - 2 * up for _, q, up in told if state_of(0, round(500 + 500 * q), 1, round(500 - 500 * q)) == 9 - tenth
        ]
        jumps = mine + other
        assert memory["u_micro"][0][tenth] / 2 == pytest.approx(sum(jumps) / len(jumps), abs=0.02)


def test_before_a_fit_the_weighted_mid_is_used_and_a_fit_stays_within_the_spread() -> None:
    memory = np.zeros(1, MEMORY)
    quote(memory, 100, 30, 102, 10)
    assert run(memory, micro_offset) == pytest.approx((30 * 102 + 10 * 100) / 40 - 101)
    memory["u_fit_ns"], memory["u_micro"] = 1, 9.0
    assert run(memory, micro_offset) == 1.0
    quote(memory, 100, 10, 101, 10)
    assert run(memory, micro_offset) == 0.0

"""What the touch says of the next move: the micro-price, and a logistic fit of queues and flow, learning as it goes."""

from __future__ import annotations

import math
from typing import Any, Final

from feeds.events import NONE
from tapeview.detectors._estimate import logistic
from tapeview.engine._jit import part

STATES: Final = 20
"""States of a touch: tenths of the bid's share of its lots, at a spread of one tick and of more."""
_WIDE: Final = 2 * STATES + 1
_TERMS: Final = 6
_KEEP: Final = 0.5 ** (1.0 / 5000.0)
TERMS: Final = 4
"""What the next move is fitted on: `term`."""
LEAST_MOVES: Final = 50
_FADE: Final = 0.5**0.1
"""Half of the flow is forgotten in a second, of ten steps."""
_DRIFT: Final = 0.01


def fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields of both; they go on top of those of `_flow`."""
    return (
        *((name, "i8") for name in ("u_state", "u_quotes", "u_fit_ns", "p_wait", "p_mid", "p_n")),
        ("p_flow", "f8"), ("p_depth", "f8"), ("p_cov", "f8", (TERMS * TERMS,)),
        *((name, "f8", (TERMS,)) for name in ("p_x", "p_weight", "p_gain")),
        ("u_stay", "i8", (STATES * STATES,)), ("u_move", "i8", (STATES * STATES,)), ("u_jump", "i8", (STATES,)),
        ("u_micro", "f8", (STATES,)), ("u_term", "f8", (STATES,)), ("u_next", "f8", (STATES,)),
        ("u_work", "f8", (STATES * _WIDE,)),
    )  # fmt: skip


@part
def state_of(bid: int, bid_lots: int, ask: int, ask_lots: int) -> int:
    """The state of a touch, mirrored for a mirrored touch; -1 where it is locked, crossed or empty."""
    whole = bid_lots + ask_lots
    if whole <= 0 or ask <= bid:
        return -1
    tenth = bid_lots * 10 // whole if bid_lots >= ask_lots else 9 - ask_lots * 10 // whole
    tenth = max(0, min(tenth, 9))
    return tenth if ask - bid == 1 else 10 + tenth


@part
def mirrored(state: int) -> int:
    """The state of the mirrored touch."""
    return 9 - state if state < 10 else 29 - state


@part
def follow_flow(m: Any) -> None:
    """Let the order flow of the last 100 ms into what has just pressed, and the touch into its usual lots."""
    m.p_flow = m.p_flow * _FADE + m.a_ofi
    if m.q_known != 0:
        lots = 0.5 * (m.q_bid_lots + m.q_ask_lots)
        m.p_depth += lots - m.p_depth if m.p_depth == 0.0 else _DRIFT * (lots - m.p_depth)


@part
def pressed(m: Any) -> float:
    """What has just pressed on the touch, in ticks that it could have moved: at most 4 either way."""
    return max(-4.0, min(4.0, m.p_flow / (2.0 * m.p_depth))) if m.p_depth > 0.0 else 0.0


@part
def term(k: int, queue_imbalance: float, spread: int, flow: float) -> float:
    """What the fit makes of a touch: 1, its queue imbalance at a spread of a tick, at a wider one, and the flow."""
    if k == 0:
        return 1.0
    if k == 3:
        return flow
    return queue_imbalance if (spread == 1) == (k == 1) else 0.0


@part
def learn_side(m: Any, up: float) -> None:
    """Move the fit by one outcome: recursive logistic regression, half of it forgotten after 5,000 moves of the mid."""
    if m.p_n == 0:
        for i in range(TERMS):
            m.p_cov[i * TERMS + i] = 1.0
    m.p_n += 1
    said = 0.0
    scale = 0.0
    for i in range(TERMS):
        said += m.p_weight[i] * m.p_x[i]
        gain = 0.0
        for j in range(TERMS):
            gain += m.p_cov[i * TERMS + j] * m.p_x[j]
        m.p_gain[i] = gain
        scale += m.p_x[i] * gain
    share = logistic(said)
    scale = 1.0 / (_KEEP / max(share * (1.0 - share), 0.01) + scale)
    for i in range(TERMS):
        for j in range(TERMS):
            m.p_cov[i * TERMS + j] = (m.p_cov[i * TERMS + j] - scale * m.p_gain[i] * m.p_gain[j]) / _KEEP
    # What is never met would be known less and less, without end.
    for i in range(TERMS):
        if m.p_cov[i * TERMS + i] > 10.0:
            less = math.sqrt(10.0 / m.p_cov[i * TERMS + i])
            for j in range(TERMS):
                m.p_cov[i * TERMS + j] *= less
                m.p_cov[j * TERMS + i] *= less
    for i in range(TERMS):
        gain = 0.0
        for j in range(TERMS):
            gain += m.p_cov[i * TERMS + j] * m.p_x[j]
        m.p_gain[i] = gain
    for i in range(TERMS):
        m.p_weight[i] += m.p_gain[i] * (up - share)


@part
def learn_quote(m: Any) -> None:
    """Count the step from the last quote to the one that is about to be settled, and learn from a move of the mid."""
    if m.q_known == 0 or NONE in (m.n_bid, m.n_ask):
        m.u_state = -1
        m.p_wait = 0
    if NONE in (m.n_bid, m.n_ask):
        return
    state = state_of(m.n_bid, m.n_bid_lots, m.n_ask, m.n_ask_lots)
    last = m.u_state
    mid = m.n_bid + m.n_ask
    if last >= 0 and state >= 0:
        jump = mid - m.q_bid - m.q_ask
        if jump == 0:
            m.u_stay[last * STATES + state] += 1
        else:
            m.u_move[last * STATES + state] += 1
            m.u_jump[last] += jump
        m.u_quotes += 1
    m.u_state = state
    if m.p_wait != 0 and mid != m.p_mid:
        learn_side(m, 1.0 if mid > m.p_mid else 0.0)
        m.p_wait = 0


@part
def ask_side(m: Any, queue_imbalance: float) -> None:
    """Remember the touch of this instant until the mid has moved, unless an earlier one still waits."""
    if m.p_wait == 0:
        m.p_wait = 1
        m.p_mid = m.q_bid + m.q_ask
        flow = pressed(m)
        for k in range(TERMS):
            m.p_x[k] = term(k, queue_imbalance, m.q_ask - m.q_bid, flow)


@part
def up_share(m: Any, queue_imbalance: float, spread: int) -> float:
    """Probability that the next move of the mid is up, given the queues, the spread in ticks and the flow just now;
    0.5 while fewer than 50 moves are known.

    M. Gould, J. Bonart, Queue imbalance as a one-tick-ahead price predictor in a limit order book, Market
    Microstructure and Liquidity 2(2), 2016, have the queues alone, in markets whose spread is a tick.
    """
    if m.p_n < LEAST_MOVES:
        return 0.5
    flow = pressed(m)
    said = 0.0
    for k in range(TERMS):
        said += m.p_weight[k] * term(k, queue_imbalance, spread, flow)
    return logistic(said)


@part
def eliminate(m: Any) -> None:
    """Turn [I-Q | T | R K] into [I | B | G1]; a state that was never left has rows of zeros."""
    for k in range(STATES):
        row = k * _WIDE
        pivot = m.u_work[row + k]
        if pivot < 1e-12:
            for j in range(_WIDE):
                m.u_work[row + j] = 0.0
            continue
        for j in range(k, _WIDE):
            m.u_work[row + j] /= pivot
        for i in range(STATES):
            factor = m.u_work[i * _WIDE + k]
            if i != k and factor != 0.0:
                for j in range(k, _WIDE):
                    m.u_work[i * _WIDE + j] -= factor * m.u_work[row + j]


@part
def add_terms(m: Any) -> None:
    """Add up B^i G1."""
    for i in range(STATES):
        m.u_term[i] = m.u_work[i * _WIDE + 2 * STATES]
        m.u_micro[i] = m.u_term[i]
    for _ in range(_TERMS - 1):
        for i in range(STATES):
            value = 0.0
            for j in range(STATES):
                value += m.u_work[i * _WIDE + STATES + j] * m.u_term[j]
            m.u_next[i] = value
        for i in range(STATES):
            m.u_term[i] = m.u_next[i]
            m.u_micro[i] += m.u_next[i]


@part
def fit_micro(m: Any, now_ns: int) -> None:
    """Fit the micro-price's distance from the mid, in half ticks, for every state, and forget half of the counts.

    S. Stoikov, The micro-price, Quantitative Finance 18(12), 2018: with G1 = (I-Q)^-1 R K and B = (I-Q)^-1 T, the sum
    of B^i G1, of which six terms are taken here. Every step is counted together with its mirror image.
    """
    for i in range(STATES):
        p = mirrored(i)
        total = 0
        for j in range(STATES):
            q = mirrored(j)
            total += m.u_stay[i * STATES + j] + m.u_stay[p * STATES + q]
            total += m.u_move[i * STATES + j] + m.u_move[p * STATES + q]
        share = 1.0 / total if total > 0 else 0.0
        row = i * _WIDE
        for j in range(STATES):
            q = mirrored(j)
            stay = (m.u_stay[i * STATES + j] + m.u_stay[p * STATES + q]) * share
            m.u_work[row + j] = (1.0 if i == j else 0.0) - stay
            m.u_work[row + STATES + j] = (m.u_move[i * STATES + j] + m.u_move[p * STATES + q]) * share
        m.u_work[row + 2 * STATES] = (m.u_jump[i] - m.u_jump[p]) * share
    eliminate(m)
    add_terms(m)
    m.u_fit_ns = now_ns
    for i in range(STATES * STATES):
        m.u_stay[i] >>= 1
        m.u_move[i] >>= 1
    for i in range(STATES):
        m.u_jump[i] = (m.u_jump[i] + (1 if m.u_jump[i] < 0 else 0)) >> 1


@part
def micro_offset(m: Any) -> float:
    """The micro-price less the mid in ticks, within the spread; the weighted mid's while no fit is known."""
    whole = m.q_bid_lots + m.q_ask_lots
    spread = m.q_ask - m.q_bid
    if whole <= 0 or spread <= 0:
        return 0.0
    if m.u_fit_ns == 0:
        return 0.5 * spread * (m.q_bid_lots - m.q_ask_lots) / whole
    if m.q_bid_lots == m.q_ask_lots:
        return 0.0
    offset = 0.5 * m.u_micro[state_of(m.q_bid, m.q_bid_lots, m.q_ask, m.q_ask_lots)]
    return max(-0.5 * spread, min(0.5 * spread, offset))

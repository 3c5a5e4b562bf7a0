"""Streams of EVENT rows for the engine's tests: hypothesis strategies for hard ones, seeded long ones for bulk."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import strategies as st

from feeds.clock import Clock
from feeds.events import (
    ADD,
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    BUST,
    CANCEL,
    CHECKED,
    CLEAR,
    EVENT,
    FACT,
    FILL,
    GAP,
    KEEPS_PLACE,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    OFF_GRID,
    OFF_LOT,
    QUOTE,
    S_AUCTION,
    S_HALTED,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
    Events,
)  # fmt: skip

START_NS = 1_700_000_000_000_000_000
FINE = 10**6
"""Fine units in a tick and in a lot of an instrument with both increments 1."""

FIELDS = ("kind", "side", "tick", "lots", "ref", "aux", "marks")


def table(ops: list[tuple[int, ...]], gaps_ns: list[int] | int = 1_000_000, *, clock: bool = False) -> Events:
    """Make rows of (kind, side, tick, lots, ref, aux, marks) tuples, some ns apart."""
    out = np.zeros(len(ops), EVENT)
    for n, name in enumerate(FIELDS):
        out[name] = [op[n] for op in ops]
    gaps = np.full(len(ops), gaps_ns, np.int64) if isinstance(gaps_ns, int) else np.array(gaps_ns, np.int64)
    out["recv_ns"] = START_NS + np.cumsum(gaps)
    out["exch_ns"] = out["recv_ns"] - 1000
    out["seq"] = np.arange(len(ops))
    return Clock().insert(out) if clock else out


NEAR_TICKS = st.integers(990, 1012)
WIDE_TICKS = st.one_of(
    NEAR_TICKS,
    NEAR_TICKS,
    st.integers(-40, 40),
    st.builds(lambda k, d: 1000 + k * 9_000 + d, st.integers(-12, 12), st.integers(-2, 2)),
    st.sampled_from([-(2**62) + 1, 2**62 - 1, 2**61, -(2**61), 2**40, -(2**40), 2**61 + 70_000]),
)
LOTS = st.one_of(st.just(0), st.integers(1, 9), st.integers(1, 2**45))
SIDES = st.sampled_from([BID, ASK])


@st.composite
def level_op(draw) -> tuple[int, ...]:
    """One row of levels: a set or delete on or off the grid, on or off the lot grid, or a clear."""
    pick = draw(st.integers(0, 30))
    if pick == 0:
        return (CLEAR, draw(st.sampled_from([0, BID, ASK])), 0, 0, NONE, 0, LAST)
    side, tick, lots = draw(SIDES), draw(WIDE_TICKS), draw(LOTS)
    marks = LAST
    if pick < 6 and abs(tick) < 2**41:
        marks |= OFF_GRID
        tick = tick * FINE + draw(st.sampled_from([1, 500_000, 999_999]))
    if 4 < pick < 9:
        marks |= OFF_LOT
        lots = draw(st.integers(1, 10**8))
        lots += lots % FINE == 0
    return (BOOK, side, tick, lots, draw(st.sampled_from([NONE, 7])), draw(st.integers(0, 5)), marks)


@st.composite
def order_op(draw, ids: int = 25) -> tuple[int, ...]:
    """One row of orders, of ids few enough to repeat."""
    kind = draw(st.sampled_from([ADD, ADD, ADD, MODIFY, MODIFY, CANCEL, CANCEL, FILL, FILL, CLEAR]))
    if kind == CLEAR:
        side = draw(st.sampled_from([None, 0, BID, ASK]))
        if side is not None:
            return (CLEAR, side, 0, 0, NONE, 0, LAST)
        kind = ADD
    number, lots = draw(st.integers(-3, ids)), draw(st.integers(0, 12))
    marks = LAST
    if kind in (CANCEL, FILL):
        if kind == FILL and draw(st.integers(0, 3)) == 0:
            marks |= NO_BOOK
        return (kind, 0, 0, lots, number, draw(st.sampled_from([NONE, 5])), marks)
    tick = draw(WIDE_TICKS)
    if draw(st.integers(0, 7)) == 0 and abs(tick) < 2**41:
        marks |= OFF_GRID
        tick = tick * FINE + 250_000
    if kind == MODIFY and draw(st.integers(0, 4)) == 0:
        marks |= KEEPS_PLACE
    side = draw(SIDES)
    if kind == ADD:
        lots = max(lots, 1)
    return (kind, side, tick, lots, number, NONE, marks)


def market(events: int, seed: int, *, orders: bool = False, wild: bool = True, per_second: int = 200) -> Events:
    """A long seeded stream of everything: levels or orders, trades of all kinds with busts, gaps, phases, facts.

    With `wild`, prices now and then jump beyond the window, lie off the grid or are negative.
    """
    rng = random.Random(seed)
    centre = 1000
    ops: list[tuple[int, ...]] = [(STATUS, 0, 0, 0, NONE, S_LIVE, LAST)]
    trades: list[tuple[int, int, int]] = []
    live: list[int] = []
    number = 0
    while len(ops) < events:
        draw = rng.random()
        last = LAST if rng.random() < 0.8 else 0
        if wild and draw < 0.002:
            centre += rng.choice([-1, 1]) * rng.choice([40, 20_000, 50_000, 300_000])
        elif rng.random() < 0.1:
            centre += rng.choice([-1, 1])
        side = rng.choice([BID, ASK])
        tick = centre - side * int(rng.expovariate(0.2))
        if draw < 0.22:
            lots = 1 + int(rng.lognormvariate(1, 1))
            kind = 0 if rng.random() < 0.93 else rng.choice([1, 2, 3, 4, 7, 8, 10, 99])
            aggressor = rng.choice([1, -1, 1, -1, 0])
            tick = centre + rng.choice([-1, 0, 0, 1])
            marks = last
            if wild and rng.random() < 0.03:
                marks |= OFF_GRID
                tick = tick * FINE + 500_000
            if trades and rng.random() < 0.03:
                ref, tick, lots, aggressor, marks = rng.choice(trades[-400:])
                kind = BUST
            else:
                ref = len(ops)
                trades.append((ref, tick, lots, aggressor, marks))
            ops.extend(
                [(TRADE, aggressor, tick, lots, ref, kind, marks)] * (1 if rng.random() < 0.8 or kind == BUST else 2)
            )
        elif draw < 0.225:
            ops.append(rng.choice([
                (GAP, 0, 0, 1, 3, NONE, LAST), (CLEAR, rng.choice([0, 0, 1, -1]), 0, 0, NONE, 0, LAST),
                (STATUS, 0, 0, 0, NONE, rng.choice([S_SYNCING, S_AUCTION, S_HALTED]), LAST),
                (FACT, 0, 0, 5, NONE, 2, LAST), (QUOTE, 1, tick, 4, 3, 0, LAST),
            ]))  # fmt: skip
            ops.append((STATUS, 0, 0, 0, NONE, S_LIVE, LAST | rng.choice([0, SNAPSHOT])))
        elif orders:
            draw = rng.random()
            if draw < 0.5 or len(live) < 20:
                number += 1
                live.append(number)
                ops.append((ADD, side, tick, 1 + int(rng.lognormvariate(1, 1)), number, number, last))
            else:
                which = live[rng.randrange(len(live))] if rng.random() < 0.97 else -5
                if draw < 0.8:
                    ops.append((CANCEL, 0, 0, rng.choice([0, 0, 0, 1, 2]), which, NONE, last))
                elif draw < 0.9:
                    ops.append(
                        (MODIFY, side, tick, rng.randrange(0, 9), which, NONE, last | rng.choice([0, KEEPS_PLACE]))
                    )
                else:
                    ops.append((FILL, 0, 0, rng.randrange(1, 9), which, NONE, last | rng.choice([0, 0, NO_BOOK])))
        else:
            lots = 0 if rng.random() < 0.25 else 1 + int(rng.lognormvariate(2, 1))
            marks = last | rng.choice([0] * 50 + [CHECKED, SUSPECT, BAD_TIME, SNAPSHOT])
            if wild and rng.random() < 0.02:
                marks |= OFF_GRID
                tick = tick * FINE + 250_000
            if wild and rng.random() < 0.01:
                marks |= OFF_LOT
                lots = lots * FINE + 300_000
            ops.append((BOOK, side, tick, lots, len(ops), rng.randrange(0, 4), marks))
    gaps = np.random.default_rng(seed).exponential(1e9 / per_second, len(ops)).astype(np.int64)
    gaps[np.random.default_rng(seed + 1).random(len(ops)) < 0.001] += 8_000_000_000
    return table(ops, gaps.tolist(), clock=True)

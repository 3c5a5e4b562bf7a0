"""Order flow, queues and moves against a plain recount of the same tape, however it is cut."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.events import CLOCK, FLOW_PRINTS, LAST, TRADE
from feeds.simulator.tape import generate
from tapeview.bench import score
from tapeview.bench.pressure import WINDOW_NS, Pressure
from tapeview.bench.score import Tape
from tapeview.engine import Engine
from tapeview.session import pieces

MINUTES = 6


@pytest.fixture(scope="module")
def made():
    return generate(seed=5, minutes=MINUTES)


def measured(made, cut: int):
    engine, seen = Engine(made.instrument), Pressure(made.instrument, made.tier)
    for at in range(0, len(made.events), cut):
        for piece in pieces(made.events[at : at + cut]):
            seen.take(engine.apply(piece))
    return seen.measures()


@pytest.fixture(scope="module")
def got(made):
    return measured(made, 10**9)


def test_the_same_however_the_tape_is_cut(made, got):
    assert measured(made, 1777) == got


def test_order_flow_tells_what_a_plain_recount_tells(made, got):
    engine = Engine(made.instrument)
    touch, windows = None, {}
    for piece in pieces(made.events):
        outcome = engine.apply(piece)
        for event, row in zip(outcome.events, outcome.frame, strict=True):
            now = int(row["recv_ns"])
            window = windows.setdefault(now // WINDOW_NS, [0.0, 0.0, 0.0, None, None, True, 0.0, 0.0])
            if row["kind"] == TRADE and (FLOW_PRINTS >> int(row["print"])) & 1:
                window[1] += int(row["side"]) * int(row["lots"])
            if not (int(event["marks"]) & LAST or row["kind"] == CLOCK):
                continue
            bid, ask, qb, qa = (int(row[name]) for name in ("bid", "ask", "bid_lots", "ask_lots"))
            db, da = int(row["bid_depth"]), int(row["ask_depth"])
            if not row["warm"]:
                window[5] = False
                touch = None
                continue
            if touch is not None:
                b, a, pb, pa, was, wb, wa = touch
                window[6] += (bid >= b) * db - (bid <= b) * wb - (ask <= a) * da + (ask >= a) * wa
                window[7] += (wb + wa) / 2 * (now - was)
                window[0] += (bid >= b) * qb - (bid <= b) * pb - (ask <= a) * qa + (ask >= a) * pa
                window[2] += (pb + pa) / 2 * (now - was)
            touch = (bid, ask, qb, qa, now, db, da)
            window[3] = bid + ask if window[3] is None else window[3]
            window[4] = bid + ask
    keys = sorted(windows)[1:-1]
    whole = [k for k in keys if windows[k][5] and windows[k - 1][4] is not None]
    moved = np.array([windows[k][4] - windows[k - 1][4] for k in whole], float)
    pressed = np.array([windows[k][0] / windows[k][2] for k in whole])
    traded = np.array([windows[k][1] for k in whole])
    deep = np.array([windows[k][6] / windows[k][7] for k in whole])
    assert len(whole) > 25
    # A touch between two rows belongs to either window in a recount: a little slack.
    assert got["flow"][0] == pytest.approx(np.corrcoef(pressed, moved)[0, 1] ** 2, abs=0.02)
    assert got["trades"][0] == pytest.approx(np.corrcoef(traded, moved)[0, 1] ** 2, abs=0.02)
    assert got["deep"][0] == pytest.approx(np.corrcoef(deep, moved)[0, 1] ** 2, abs=0.02)
    assert got["deep.gain"][0] == pytest.approx(got["deep"][0] - got["trades"][0])
    assert got["gain"][0] == pytest.approx(got["flow"][0] - got["trades"][0])


def test_each_second_and_each_move_is_looked_at_once(got):
    assert sum(got["chance.n"]) == got["samples"][0] == pytest.approx(60 * MINUTES, abs=30)
    assert sum(got["queue.up"]) + sum(got["queue.down"]) == got["moves"][0] > 100
    assert sum(got["stated.up"]) + sum(got["stated.down"]) == got["moves"][0]
    assert 0 < sum(got["tick.up"]) + sum(got["tick.down"]) < got["moves"][0]
    assert sum(got["second.up"]) + sum(got["second.down"]) == got["samples"][0]


def test_the_chance_of_any_touch_is_the_one_the_detector_states(made):
    engine, seen = Engine(made.instrument), Pressure(made.instrument, made.tier)
    spreads, imbalances = {}, {}
    for piece in pieces(made.events):
        outcome = engine.apply(piece)
        seen.take(outcome)
        for row in outcome.frame[outcome.frame["kind"] == CLOCK]:
            spreads[int(row["recv_ns"])] = int(row["ask"] - row["bid"])
            both = int(row["bid_lots"]), int(row["ask_lots"])
            imbalances[int(row["recv_ns"])] = (both[0] - both[1]) / (both[0] + both[1])
    times = np.array([sample[0] for sample in seen._samples])
    spread, imbalance = (np.array([known[int(at)] for at in times]) for known in (spreads, imbalances))
    assert len(set(spread.tolist())) > 1
    told = np.array([sample[2] for sample in seen._samples])
    assert told.std() > 0.05
    np.testing.assert_allclose(seen._stated(times, imbalance, spread), told, atol=1e-12)


def test_what_the_detector_states_tells_the_next_move_better_than_the_queues(got):
    tape = [Tape(5, 0.1, 0, 0, 0, extra=got)]
    assert score.area_of("stated")(tape) > score.area_of("queue")(tape)
    assert score.area_of("tick")(tape) > score.area_of("queue")(tape)


def test_queues_tell_the_next_move_better_than_the_last_trade(got):
    tape = [Tape(5, 0.1, 0, 0, 0, extra=got)]
    assert score.area_of("queue")(tape) > 0.55
    assert score.area_of("queue")(tape) > score.area_of("trade")(tape)


def test_nothing_seen_is_nothing_measured(made):
    assert Pressure(made.instrument, "A").measures() == {}

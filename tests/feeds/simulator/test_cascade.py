"""Liquidation cascades and their twins: what the tape tells of them is what happened."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.events import F_FUNDING_RATE, F_LIQUIDATION, F_OPEN_INTEREST, FACT, TRADE
from feeds.simulator import generate

S = 1_000_000_000


@pytest.fixture(scope="module")
def tapes():
    return {
        said: generate(seed=4, minutes=30, profile="perpetual", plants=(f"cascade:forced={said}:poll=5",), tier="B")
        for said in ("yes", "no")
    }


def told(tape, which):
    rows = tape.events[(tape.events["kind"] == FACT) & (tape.events["aux"] == which)]
    return rows["exch_ns"].astype(np.int64), rows["lots"].astype(np.int64), rows["side"].astype(np.int64)


def runs(tape):
    return [label for label in tape.labels if label.type == "cascade" and label.outcome == "ran"]


def test_each_run_goes_its_way_and_is_halfway_in_between(tapes):
    for said, method in (("yes", "forced"), ("no", "unforced")):
        labels = runs(tapes[said])
        assert labels
        assert {label.method for label in labels} == {method}
        for label in labels:
            assert label.t0_ns < label.params["half_ns"] < label.params["peak_ns"] <= label.t1_ns
            assert (label.params["peak_tick"] - label.tick) * label.side > 0.7 * label.params["height"]


def test_open_interest_is_polled_and_falls_only_where_positions_are_closed(tapes):
    for said in ("yes", "no"):
        when, value, _ = told(tapes[said], F_OPEN_INTEREST)
        assert (np.diff(when) == 5 * S).all()
        for label in runs(tapes[said]):
            before = value[np.searchsorted(when, label.t0_ns) - 1]
            after = value[min(np.searchsorted(when, label.t1_ns), len(value) - 1)]
            assert (after / before - 1 < -0.02) if said == "yes" else (after > before)
            # No more is closed than is traded.
            trades = tapes[said].events[tapes[said].events["kind"] == TRADE]
            inside = (trades["exch_ns"] >= label.t0_ns) & (trades["exch_ns"] <= label.t1_ns)
            assert before - after < trades["lots"][inside].sum()


def test_forced_orders_are_told_with_their_side_and_one_a_second_at_most(tapes):
    for said in ("yes", "no"):
        when, lots, side = told(tapes[said], F_LIQUIDATION)
        for label in runs(tapes[said]):
            inside = (when >= label.t0_ns) & (when <= label.t1_ns)
            orders = set(zip(label.params["order_ns"], label.params["order_lots"], strict=True))
            mine = [pair in orders for pair in zip(when[inside].tolist(), lots[inside].tolist(), strict=True)]
            if said == "no":
                assert not any(mine)
                continue
            assert sum(mine) >= 5
            assert (side[inside][mine] == label.side).all()
            assert (np.diff(when[inside][mine]) >= S).all()
        # Small ones come all day long, of both sides.
        assert {1, -1} <= set(side.tolist())


def test_funding_is_told(tapes):
    _, value, _ = told(tapes["yes"], F_FUNDING_RATE)
    assert len(value) == 1
    assert abs(value[0]) <= 300_000


def test_a_twin_trades_as_much(tapes):
    lots = {
        said: np.median([sum(label.params["order_lots"]) / label.params["lots"] for label in runs(tapes[said])])
        for said in ("yes", "no")
    }
    assert lots["no"] == pytest.approx(lots["yes"], rel=0.35)

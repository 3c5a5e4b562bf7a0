"""How levels held, against prints drawn by hand; and one recording from end to end."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.events import ASK, BID, BUY, SELL
from tapeview.bench import real

S = 1_000_000_000


class Prints:
    def __init__(self, *rows: tuple[float, int, int]) -> None:
        self.recv_ns = np.array([int(second * S) for second, _, _ in rows], np.int64)
        self.tick = np.array([tick for _, tick, _ in rows], np.int64)
        self.side = np.array([side for _, _, side in rows], np.int64)
        self.hidden = np.zeros(len(rows), np.int64)


@pytest.mark.parametrize(
    ("tick", "second", "expected"),
    [(100, 20, True), (101, 20, False), (101, 30.5, True), (99, 20, True)],
)
def test_an_ask_has_held_when_nobody_bought_above_it_for_thirty_seconds(tick, second, expected):
    prints = Prints((second, tick, BUY), (40, 100, BUY))
    assert real.held(prints, 0, ASK, 100) is expected
    mirrored = Prints((second, 200 - tick, SELL), (40, 100, SELL))
    assert real.held(mirrored, 0, BID, 100) is expected


def test_what_the_tape_does_not_reach_is_not_judged():
    assert real.held(Prints((10, 100, BUY), (29, 100, BUY)), 0, ASK, 100) is None
    assert real.held(Prints(), 0, ASK, 100) is None


def test_the_lift_is_over_prints_of_the_same_takers_nearby():
    # Every minute a price is bought, and ten seconds later one above it; only where an alert came does it hold.
    rows, alerts = [], []
    for minute in range(90):
        rows.append((60 * minute, 100, BUY))
        if minute % 3 == 0:
            alerts.append(((60 * minute + 1) * S, ASK, 100))
        else:
            rows.append((60 * minute + 10, 101, BUY))
        rows.append((60 * minute + 45, 100, SELL))
    got = real.lift(Prints(*rows), alerts)
    assert got is not None
    assert (got.alerts, got.held) == (30, 1.0)
    # Of five prints bought, one goes through in two thirds of the minutes, three in the third where nothing follows.
    assert 0.3 < got.control < 0.8
    assert got.low is not None
    assert 0 < got.low < got.held - got.control < got.high
    assert real.lift(Prints(*rows), []) is None


def test_a_recording_is_measured_from_end_to_end():
    said: list[str] = []
    rows = real.measure(["simulator:seed=2,minutes=8,profile=futures,plant=absorber"], say=said.append)
    got = {(row.task, row.measure): row for row in rows}
    assert {measure for _, measure in got} == {"lift", "AUC", "ECE", "R2", "gain", "alerts/h"}
    assert got["queue imbalance, next move", "AUC"].value > 0.55
    assert got["order flow and the move beside it", "gain"].value > 0.05
    assert all(len(real.cells(row)) == 9 for row in rows)
    assert said[-1].endswith("hours")

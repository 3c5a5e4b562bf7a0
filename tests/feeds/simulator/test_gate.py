"""Comparing a simulated session with a real one: each figure has its distance and its verdict."""

from __future__ import annotations

import math

import msgspec
import pytest

from feeds import open_source
from feeds.script import events
from feeds.simulator.gate import gate, gate_table
from feeds.simulator.realism import measure


@pytest.fixture(scope="module")
def figures():
    rows = events(
        "[ b100:50 b99:7 a102:30 ] " + "~200 -100:10&b100:40 ~150 b100:50 ~90 +102:5&a102:25 ~60 a102:30 " * 300
    )
    return measure([rows])


def test_a_session_is_within_every_distance_of_itself(figures):
    full = msgspec.structs.replace(figures, vol_1s=1.0, vol_60s=6.0)
    verdicts = gate(full, full)
    assert len(verdicts) == 13
    assert all(verdict.within for verdict in verdicts)


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        ({"spread_one": 0.5}, "spread: share of one tick"),
        ({"signs": [0.9] * 6}, "signs: autocorrelation at lag 1"),
        ({"vol_60s": 60.0}, "volatility signature, 60 s over 1 s"),
        ({"withdrawn": 0.2}, "book: taken back of what left"),
        ({"still_1s": 0.5}, "seconds without a move"),
        ({"gaps_ms": [1.0, 2.0, 10.0, 20.0, 900.0, 2000.0]}, "takers: wait, 95 % over median"),
        ({"touch": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}, "depth: touch over taker, upper quartiles"),
    ],
)
def test_a_figure_that_is_far_off_is_outside_and_named(figures, change, figure):
    full = msgspec.structs.replace(figures, vol_1s=1.0, vol_60s=6.0)
    outside = {verdict.figure for verdict in gate(msgspec.structs.replace(full, **change), full) if not verdict.within}
    assert figure in outside
    assert len(outside) <= 3


def test_a_figure_that_cannot_be_had_is_not_within(figures):
    verdict = next(v for v in gate(figures, figures) if v.figure.startswith("volatility"))
    assert math.isnan(verdict.real)
    assert not verdict.within


def test_the_table_tells_every_figure_and_how_many_are_within(figures):
    text = gate_table(gate(figures, figures), "one", "other")
    assert text.count("within") >= 12
    assert "OUTSIDE" in text
    assert text.endswith("12 of 13 figures within")


def test_planted_futures_are_within_most_distances_of_a_real_market(data):
    real = measure(open_source(str(data / "binance-usdm-btcusdt")).batches())
    simulated = measure(open_source("simulator:seed=5,minutes=10,profile=futures").batches())
    verdicts = gate(simulated, real)
    assert sum(verdict.within for verdict in verdicts) >= 8
    near = {verdict.figure for verdict in verdicts if verdict.within}
    assert {
        "spread: share of one tick", "takers: wait, 95 % over median", "signs: autocorrelation at lag 1",
        "signs: autocorrelation at lag 10", "book: taken back of what left",
    } <= near  # fmt: skip

"""What comes after alerts, measured on paths drawn by hand."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from feeds.events import ASK, BID
from tapeview.alert import Alert
from tapeview.bench.probes import UNFLAGGED_S, Seen, exit_signal, failed_breaks, half, set_up, total_size
from tapeview.bench.score import Shot

S = 1_000_000_000


class Truth(NamedTuple):
    params: dict[str, Any]
    t1_ns: int = 0
    outcome: str = ""


def alert(
    second: float, key: int = 1, phase: str = "confirmed", side: int = BID, reason: str = "", **evidence: float
) -> Alert:
    return Alert(
        detector="x", method="m", key=key, phase=phase, reason=reason, inst=0, seq=0, recv_ns=int(second * S),
        exch_ns=None, side=side, tick=None, tick_to=None, lots=0, grade=1, score=1.0, tier="A", text="",
        evidence=evidence,
    )  # fmt: skip


def seen(
    labels: list[Truth], firsts: list[Alert], steps: list[Alert] | None = None, mids: list[int] | None = None
) -> Seen:
    shots = [Shot(a.side, None, a.recv_ns, 1.0) for a in firsts]
    path = np.array([[n * S for n in range(len(mids or []))], mids or []], np.int64)
    return Seen(labels, shots, firsts, steps or firsts, [(n, n) for n in range(min(len(labels), len(firsts)))], path)


def test_before_half_of_a_move_counts_as_early():
    runs = [Truth({"half_ns": 10 * S}), Truth({"half_ns": 10 * S}), Truth({"half_ns": None})]
    assert half(seen(runs, [alert(10), alert(10.1), alert(1)])) == {"early": (1.0, 0.0, 0.0)}


def test_an_exit_signal_has_to_come_three_seconds_before_the_reversal():
    levels = [Truth({"reversal_ns": 10 * S}), Truth({"reversal_ns": 10 * S})]
    assert exit_signal(seen(levels, [alert(7), alert(7.1)])) == {"early": (1.0, 0.0)}


def test_a_failed_break_is_timed_from_its_failing_and_one_never_flagged_counts_as_an_hour():
    breaks = [Truth({"failed_ns": 30 * S}, outcome="failed")] * 3 + [Truth({}, outcome="held")]
    firsts = [alert(20, key=n) for n in range(4)]
    steps = [
        *firsts, alert(34, 0, "cleared", reason="failed"), alert(29, 1, "cleared", reason="reversed"),
        alert(40, 2, "cleared", reason="done"), alert(31, 3, "cleared", reason="failed"),
    ]  # fmt: skip
    assert failed_breaks(seen(breaks, firsts, steps)) == {"flagged": (4.0, 0.0, UNFLAGGED_S)}


def test_the_size_of_an_iceberg_is_compared_at_each_step_that_gives_one():
    icebergs = [Truth({"lots": 100}, t1_ns=50 * S), Truth({"lots": 60}, t1_ns=5 * S)]
    first = alert(8, executed=10, left_median=math.nan)
    steps = [
        first,
        alert(10, 1, "raised", executed=40, left_median=50),
        alert(12, 1, "cleared", executed=9, left_median=9),
    ]
    got = total_size(seen(icebergs, [first], steps))
    assert got == {"off": (pytest.approx(0.1),), "off.plain": (pytest.approx(0.4),)}


@pytest.mark.parametrize(
    ("path", "side", "outcome"),
    [
        ([200, 204, 212, 180], BID, 1.0),  # target 106 first
        ([200, 196, 190, 220], BID, 0.0),  # stop 95 first
        ([200, 204, 204, 204], BID, 14 / 22),  # neither: 7 of the 11 ticks from stop to target
        ([200, 196, 188, 230], ASK, 1.0),
        ([200, 204, 210, 180], ASK, 0.0),
    ],
)
def test_a_set_up_is_judged_by_what_comes_first(path, side, outcome):
    target, invalid = (106, 95) if side == BID else (94, 105)
    null = 5 / (5 + 6)
    excursion = Truth({"recross_ns": 0}, t1_ns=100 * S)
    got = set_up(
        seen([excursion], [alert(0, side=side, mid_tick=100, target_tick=target, invalid_tick=invalid)], mids=path)
    )
    assert got["over"] == got["over.all"] == (pytest.approx(outcome - null),)
    assert got["decided"] == (float(outcome in (0, 1)),)


def test_a_set_up_is_judged_up_to_the_end_of_its_excursion_only():
    told = alert(0.5, side=BID, mid_tick=100, target_tick=106, invalid_tick=95)
    got = set_up(seen([Truth({"recross_ns": 0}, t1_ns=2 * S)], [told], mids=[200, 200, 202, 180]))
    assert got["over"] == (pytest.approx(6 / 11 - 5 / 11),)
    assert got["over.all"] == (pytest.approx(0 - 5 / 11),)
    before = set_up(seen([Truth({"recross_ns": S}, t1_ns=2 * S)], [told], mids=[200, 200, 202, 180]))
    assert (before["over"], len(before["over.all"])) == ((), 1)


def test_an_aimless_price_has_nothing_over_its_null():
    chance = np.random.default_rng(4)
    over = []
    for _ in range(1500):
        path = (200 + np.cumsum(chance.choice([-1, 1], 300))).tolist()
        told = alert(0, side=BID, mid_tick=100, target_tick=106, invalid_tick=95)
        over += set_up(seen([Truth({"recross_ns": 0}, t1_ns=400 * S)], [told], mids=[200, *path]))["over"]
    assert abs(np.mean(over)) < 3 * np.std(over) / len(over) ** 0.5

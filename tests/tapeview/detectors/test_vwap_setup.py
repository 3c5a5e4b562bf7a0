"""VWAP set-ups: deviations against the engine's VWAP, targets against what comes, and what forbids a beginning."""

from __future__ import annotations

import numpy as np
import pytest

from feeds import script
from feeds.events import CLOCK, F_ADV20, F_NEWS, FACT, LAST, NONE, Events, empty
from feeds.instruments import Instrument
from tapeview.alert import Alert
from tapeview.detectors import load
from tapeview.detectors._walk import LADDER, walk
from tapeview.engine import Engine
from tapeview.watch import Watch

SETUP = load()["vwap_setup"]
CASES = {case.story: case for case in SETUP.cases}
REVERT = CASES["a reversion that reaches the VWAP"]
PULLBACK = CASES["a pullback to the VWAP, buyers take over, and the target is reached"]
TOLD = [story for story, case in CASES.items() if case.alerts]
SECOND_NS = 1_000_000_000


def play(rows: Events, **thresholds: float) -> tuple[np.ndarray, list[Alert]]:
    about = Instrument(venue="test", symbol="X", tick="1")
    engine, watch = Engine(about), Watch(about, "A", {"vwap_setup": SETUP.thresholds(**thresholds)})
    outcome = engine.apply(rows)
    return outcome.frame, [found.alert for found in watch.apply(outcome)]


def with_fact(rows: Events, at_ns: int, fact: int, value: int) -> Events:
    more = empty(1)
    more["kind"], more["aux"], more["lots"], more["recv_ns"] = FACT, fact, value, at_ns
    more["exch_ns"], more["marks"] = NONE, LAST
    out = np.concatenate([rows, more])
    out = out[np.argsort(out["recv_ns"], kind="stable")]
    out["seq"] = np.arange(len(out))
    return out


@pytest.mark.parametrize("story", TOLD)
def test_deviations_null_and_prices_are_those_of_the_row_that_decided(story: str) -> None:
    case = CASES[story]
    frame, alerts = play(script.events(case.script), **case.thresholds)
    told = alerts[0]
    row = frame[frame["seq"] == told.seq][0]
    vwap, sigma = row["vwap_t16"] / 65536, row["sigma_t16"] / 65536
    mid = (int(row["bid"]) + int(row["ask"])) / 2
    e = told.evidence
    assert e["mid_tick"] == mid
    assert e["z"] == pytest.approx((mid - vwap) / sigma, abs=1e-6)
    stop, reach = abs(mid - e["invalid_tick"]), abs(e["target_tick"] - mid)
    assert e["null"] == pytest.approx(stop / (stop + reach), abs=1e-6)
    if told.method == "revert":
        assert e["target_tick"] == pytest.approx(vwap, abs=1e-6)
        assert e["invalid_tick"] == pytest.approx(vwap + (e["z_from"] - 0.5 * told.side) * sigma, abs=1e-4)
    else:
        assert e["target_tick"] == pytest.approx(vwap + told.side * sigma, abs=1e-4)


@pytest.mark.parametrize("story", TOLD)
def test_it_ends_at_the_first_clock_at_which_the_mid_is_at_one_of_its_prices(story: str) -> None:
    case = CASES[story]
    frame, alerts = play(script.events(case.script), **case.thresholds)
    told, over = alerts[0], alerts[1]
    clock = frame[(frame["kind"] == CLOCK) & (frame["seq"] > told.seq)]
    away = told.side * ((clock["bid"] + clock["ask"]) / 2)
    hit = away >= told.side * told.evidence["target_tick"]
    lost = away <= told.side * told.evidence["invalid_tick"]
    first = int(np.flatnonzero(hit | lost)[0])
    assert over.seq == int(clock["seq"][first])
    assert over.reason == ("target" if hit[first] else "invalid")


def test_a_driftless_price_hits_the_target_as_often_as_the_null_says() -> None:
    """The gambler's ruin by simulation: 20 ticks to the target, 12 to the stop."""
    steps = np.random.default_rng(3).choice(np.array([-1, 1], np.int16), (4000, 4000))
    paths = np.cumsum(steps, axis=1)
    target, stop = (paths >= 20).argmax(axis=1), (paths <= -12).argmax(axis=1)
    target[~(paths >= 20).any(axis=1)] = 10_000
    stop[~(paths <= -12).any(axis=1)] = 10_000
    ended = (target < 10_000) | (stop < 10_000)
    assert (target < stop)[ended].mean() == pytest.approx(12 / 32, abs=0.03)


def test_nothing_begins_before_the_vwap_counts_unless_the_days_volume_is_known() -> None:
    rows = script.events(REVERT.script)
    late = REVERT.thresholds | {"valid_min": 30.0}
    assert play(rows, **late)[1] == []
    known = with_fact(rows, script.START_NS + SECOND_NS, F_ADV20, 2000 * 10**6)
    assert [alert.method for alert in play(known, **late)[1]] == ["revert", "revert"]
    unknown = with_fact(rows, script.START_NS + SECOND_NS, F_ADV20, 2_000_000 * 10**6)
    assert play(unknown, **late)[1] == []


def test_nothing_begins_on_a_quiet_night_or_after_news() -> None:
    rows = script.events(REVERT.script)
    assert play(rows, **(REVERT.thresholds | {"min_sigma": 30.0}))[1] == []
    told = with_fact(rows, script.START_NS + 14 * SECOND_NS, F_NEWS, 0)
    assert play(told, **REVERT.thresholds)[1] == []
    assert play(told, **(REVERT.thresholds | {"news_s": 1}))[1] != []


def test_a_second_reversion_needs_a_visit_to_the_vwap() -> None:
    """The first fails; the next turn from below, without a visit, is not told, and after one it is."""
    case = CASES["a reversion that falls to a new low"]
    again = walk("d" * 2, 94, 1, 300) + walk("u" * 5 + "+u+u+", 92, 9, 200) + "~100 b99:30 " + walk("+++", 99, 9, 200)
    alerts = play(script.events(case.script + " " + again), **case.thresholds)[1]
    assert [alert.phase for alert in alerts if alert.side > 0] == ["confirmed", "cleared"]


def test_a_trend_day_takes_no_reversion() -> None:
    falls = walk("d" * 16, 104, 12, 250) + walk("u" * 3 + "+u++++++++", 88, 9, 200)
    falls += "~50 b92:50 " + walk("+" * 9, 92, 9, 200)
    day = LADDER + walk(("uuu" + "dddddd" + "uuu") * 6, 104, 6, 200)
    rows = script.events(day + falls)
    calm = REVERT.thresholds | {"rev_z": 1.0, "turn_z": 1.4, "late_z": 0.0, "again_z": 0.1}
    some = [alert for alert in play(rows, **(calm | {"trend_s": 600}))[1] if alert.phase == "confirmed"]
    assert [(alert.method, alert.side) for alert in some] == [("revert", 1)]
    assert play(rows, **(calm | {"trend_s": 2}))[1] == []


def test_the_naive_rule_needs_no_turn_and_no_flow() -> None:
    rows = script.events(CASES["far away and turning, but without flow"].script)
    naive = SETUP.baselines["z <= -2 alone"]
    told = [alert for alert in play(rows, **(REVERT.thresholds | naive))[1] if alert.phase == "confirmed"]
    assert [(alert.side, alert.method) for alert in told] == [(1, "revert")]

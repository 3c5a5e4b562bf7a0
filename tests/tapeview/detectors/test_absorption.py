"""Absorption: the regression, the zone and the story of a level against plain counting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from feeds import script
from feeds.events import FLOW_PRINTS, TRADE
from feeds.instruments import Instrument
from tapeview.alert import Alert
from tapeview.detectors import _absorption_cases as cases
from tapeview.detectors import _absorption_level as level
from tapeview.detectors import absorption
from tapeview.detectors._declare import ABSORBED
from tapeview.engine import Engine
from tapeview.engine._jit import call_plain
from tapeview.watch import Watch


def instrument() -> Instrument:
    return Instrument(venue="cme", symbol="X", tick="1")


def watched(text: str, **thresholds: float) -> tuple[list[Alert], Any, Any]:
    rows = script.events(text)
    engine = Engine(instrument())
    watch = Watch(instrument(), "B", {"absorption": absorption.AbsorptionThresholds(**thresholds)})
    outcome = engine.apply(rows)
    alerts = [finding.alert for finding in watch.apply(outcome, engine)]
    return alerts, watch, (rows, outcome.frame.copy())


def market(seed: int, pairs: int) -> str:
    """Takers of random sizes; the price follows most of what they do."""
    draw = np.random.default_rng(seed)
    bid, said = 1000, ["[", *(f"b{1000 - n}:40 a{1001 + n}:40" for n in range(60)), "]"]
    for _ in range(pairs):
        for _ in range(2):
            side, lots = int(draw.choice((-1, 1))), int(draw.integers(1, 30))
            said.append(f"~{int(draw.integers(150, 450))} " + (f"+{bid + 1}:{lots}" if side > 0 else f"-{bid}:{lots}"))
            if draw.random() < lots / 40:
                said.append(f"a{bid + 1}:0&b{bid + 1}:40" if side > 0 else f"b{bid}:0&a{bid}:40")
                bid += side
    return " ".join(said)


def by_hand(rows: Any, frame: Any, limit: absorption.AbsorptionThresholds) -> tuple[float, float, int]:
    """Slope, sigma and windows learnt, from all rows at once."""
    cells = limit.window_s * 10
    steps = rows["recv_ns"] // 100_000_000
    flow = (rows["kind"] == TRADE) & ((FLOW_PRINTS >> rows["aux"]) & 1 == 1)
    clocks = [n for n in range(len(rows)) if rows["kind"][n] == 10 and frame["warm"][n]]
    mids = {int(steps[n]): int(frame["bid"][n] + frame["ask"][n]) for n in clocks}
    first = min(mids)
    ff = fd = dd = slope = sigma = 0.0
    n = 0
    for at in clocks:
        step = int(steps[at])
        if step - first < cells or step % 10:
            continue
        inside = flow & (steps > step - cells) & (np.arange(len(rows)) < at)
        total = int((rows["lots"][inside] * rows["side"][inside]).sum())
        moved = 0.5 * (mids[step] - mids[step - cells + 1])
        n += 1
        weight = max(1.0 - 0.5 ** (1.0 / (limit.half_life * limit.window_s)), 1.0 / n)
        if n > 61 and sigma > 0:
            moved = float(np.clip(moved, slope * total - 3 * sigma, slope * total + 3 * sigma))
        ff, fd, dd = (old + weight * (new - old) for old, new in ((ff, total**2), (fd, total * moved), (dd, moved**2)))
        slope = fd / ff if ff else 0.0
        sigma = max(dd - slope * fd, 0.0) ** 0.5
    return slope, sigma, n


@pytest.mark.parametrize("seed", [1, 2])
def test_slope_and_deviation_are_those_of_a_regression_through_the_origin(seed: int) -> None:
    limit = absorption.AbsorptionThresholds(warmup_s=3600)
    _, watch, (rows, frame) = watched(market(seed, 190), warmup_s=3600)
    slope, sigma, n = by_hand(rows, frame, limit)
    memory = watch._posts[0].memory[0]
    assert n > 80
    assert int(memory["b_n"]) == n
    assert float(memory["slope"]) == pytest.approx(slope, rel=1e-9)
    assert float(memory["sigma"]) == pytest.approx(sigma, rel=1e-9)
    assert slope > 0


HIT = np.dtype([(name, "i8") for name in ("ns", "k", "tick", "lots", "was", "mid2")])
SECOND = 1_000_000_000


def _play(memory: Any, hits: Any, idle_ns: int) -> int:
    m = memory[0]
    for n in range(len(hits)):
        row = hits[n]
        level.hit(m, row.k, row.tick, row.lots, row.was, row.ns, row.mid2, idle_ns, 2 * SECOND)
    return 0


def _within(memory: Any, k: int, at: int, now_ns: int, seconds: int) -> int:
    return level.lots_within(memory[0], k, at, now_ns, seconds)


def _found(memory: Any, k: int, best: int, now_ns: int, seconds: int) -> int:
    return level.find_price(memory[0], k, best, now_ns, seconds, 5 * SECOND)


def _measured(memory: Any, at: int, now_ns: int, flow: int, moved2: int, mid2: int, same: int) -> int:
    level.measure(memory[0], 0, at, now_ns, flow, moved2, mid2, same, 10, 0.05, 2.0)
    return 0


def hits_of(seed: int, n: int = 400) -> Any:
    draw = np.random.default_rng(seed)
    hits = np.zeros(n, HIT)
    hits["ns"] = 1000 * SECOND + np.cumsum(draw.integers(1, 250, n)) * 1_000_000
    hits["k"], hits["tick"] = draw.integers(0, 2, n), draw.integers(100, 105, n)
    hits["lots"], hits["was"] = draw.integers(1, 20, n), draw.integers(1, 60, n)
    hits["mid2"] = 2 * draw.integers(100, 105, n) + 1
    return hits


def account(hits: Any, k: int, tick: int, idle_ns: int) -> Any:
    """The hits of a price since the last pause that is too long."""
    mine = np.flatnonzero((hits["k"] == k) & (hits["tick"] == tick))
    gaps = np.flatnonzero(np.diff(hits["ns"][mine]) > idle_ns)
    return mine[gaps[-1] + 1 :] if len(gaps) else mine


@pytest.mark.parametrize("seed", range(4))
def test_the_account_of_a_price_is_what_counting_its_hits_gives(seed: int) -> None:
    hits, idle_ns = hits_of(seed), 3 * SECOND
    memory = np.zeros(1, absorption.MEMORY)
    call_plain(_play, memory, hits, idle_ns)
    m = memory[0]
    now_ns = int(hits["ns"][-1])
    for k in range(2):
        for tick in range(100, 105):
            mine, at = account(hits, k, tick, idle_ns), tick & (level.PRICES - 1)
            rows = hits[mine]
            before = np.concatenate(([-(2**62)], rows["ns"][:-1]))
            looks = rows["was"][rows["ns"] - before >= 80_000_000]
            mean, restored = 0.0, 0
            for n, was in enumerate(looks.tolist(), 1):
                mean += max(1 / n, 0.08) * (was - mean)
                restored += was >= 0.8 * mean
            left = np.maximum(rows["was"] - rows["lots"], 0)[:-1]
            added = np.maximum(rows["was"][1:] - left, 0)
            others = hits[mine[0] :]
            assert int(m["l_lots"][k, at]) == rows["lots"].sum()
            assert int(m["l_hits"][k, at]) == len(rows)
            assert int(m["l_restored"][k, at]) == restored
            assert float(m["l_mean"][k, at]) == pytest.approx(mean)
            assert int(m["l_added"][k, at]) == added.sum()
            assert int(m["l_lumps"][k, at]) == (added > 0).sum()
            assert int(m["l_waves"][k, at]) == 1 + (np.diff(rows["ns"]) >= 2 * SECOND).sum()
            assert int(m["t_lots"][1 - k] - m["l_other"][k, at]) == others["lots"][others["k"] == 1 - k].sum()
            for seconds in (1, 3, 10, 60):
                oldest = now_ns // SECOND - seconds + 1
                inside = rows["ns"] // SECOND >= oldest
                assert call_plain(_within, memory, k, at, now_ns, seconds) == rows["lots"][inside].sum()


@pytest.mark.parametrize("seed", range(4))
def test_the_price_judged_is_the_one_hit_most_at_or_behind_the_touch(seed: int) -> None:
    hits = hits_of(seed, 60)
    memory = np.zeros(1, absorption.MEMORY)
    call_plain(_play, memory, hits, 60 * SECOND)
    now_ns = int(hits["ns"][-1])
    for k, best in ((0, 101), (1, 103)):
        side = 1 - 2 * k
        totals = {}
        for tick in (best + away * side for away in range(-1, level.REACH + 1)):
            rows = hits[(hits["k"] == k) & (hits["tick"] == tick)]
            if len(rows) and now_ns - rows["ns"][-1] <= 5 * SECOND:
                totals[tick] = int(rows["lots"].sum())
        at = call_plain(_found, memory, k, best, now_ns, 0)
        assert totals
        assert int(memory[0]["l_lots"][k, at]) == max(totals.values())


def test_the_measures_of_a_price_are_those_of_its_hits() -> None:
    hits = np.zeros(5, HIT)
    hits["ns"] = 1000 * SECOND + np.array([0, 500, 1000, 1500, 2000]) * 1_000_000
    hits["k"], hits["tick"] = (0, 0, 1, 0, 0), (101, 101, 100, 101, 101)
    hits["lots"], hits["was"], hits["mid2"] = (10, 10, 6, 10, 20), (40, 40, 30, 50, 40), 201
    memory = np.zeros(1, absorption.MEMORY)
    call_plain(_play, memory, hits, 8 * SECOND)
    memory["u_prints"], memory["u_touch"], memory["u_flow"] = 8.0, 40.0, 22.0
    now_ns = 1002 * SECOND
    call_plain(_measured, memory, 101 & (level.PRICES - 1), now_ns, 44, 1, 202, 50)
    x = dict(zip(level.NAMES, memory[0]["x"][0].tolist(), strict=True))
    assert x["hits"] == pytest.approx(math.log(4 / 8))
    assert x["flow"] == pytest.approx(2.0)
    assert x["restored"] == 1.0
    assert x["other side"] == pytest.approx(math.log(7 / 51))
    assert x["lately"] == pytest.approx(math.log(51 / 41))
    assert x["shortfall"] == pytest.approx((0.05 * 44 - 0.5) / 2.0)
    # 40 - 10, then 40 again, 30 left, then 50, 40 left, then 40: 10 and 20 were added.
    assert x["added"] == pytest.approx(30 / 50)
    assert x["lumps"] == pytest.approx(2 / 4)
    assert x["share"] == 1.0
    assert x["shortfall since"] == pytest.approx((0.05 * 44 - 0.5) / 2.0 / math.sqrt(5 / 10))


def test_a_story_is_on_the_board_from_its_alert_to_its_end() -> None:
    case = absorption.DETECTOR.cases[0]
    alerts, watch, _ = watched(case.script, **case.thresholds)
    board = watch.board[0]
    begun = next(alert for alert in alerts if alert.phase == "confirmed")
    over = next(alert for alert in alerts if alert.phase == "cleared")
    assert int(board["a_stories"]) == 1
    assert ABSORBED > 1
    told = tuple(int(board[name][0]) for name in ("a_side", "a_tick", "a_from_seq", "a_to_seq"))
    assert told == (begun.side, begun.tick, begun.seq, over.seq)
    assert begun.seq < over.seq


def test_eight_thousand_lots_that_flash_and_go_are_not_absorption() -> None:
    flash = " ".join("~400 a102:8000 ~60 a102:20" for _ in range(10))
    assert watched(market(3, 240) + " " + flash)[0] == []


def test_trades_before_or_after_their_depth_give_the_same_alerts() -> None:
    first = cases._BUYING
    second = first.replace("~250 +101:15 a101:35", "~250 a101:35 +101:15")
    assert second != first
    texts = []
    for wave in (first, second):
        alerts, _, _ = watched(cases._USUAL + " " + wave * 50, warmup_s=60)
        texts.append([(alert.phase, alert.tick, alert.side, alert.recv_ns) for alert in alerts])
    assert texts[0] == texts[1]
    assert texts[0]


def test_nothing_is_judged_while_a_fifth_of_the_lots_has_no_known_side() -> None:
    case = absorption.DETECTOR.cases[0]
    unknown = cases._BUYING.replace("~250 +101:15", "~250 +101:15 ?101:5")
    assert watched(cases._USUAL + " " + unknown * 50, warmup_s=60)[0] == []
    assert watched(case.script, warmup_s=60)[0] != []

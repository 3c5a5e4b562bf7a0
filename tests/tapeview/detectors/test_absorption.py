"""Absorption: the regression, the zone and the story of a level against plain counting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feeds import script
from feeds.events import FLOW_PRINTS, TRADE
from feeds.instruments import Instrument
from tapeview.alert import Alert
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


def _zone(memory: Any, prints: Any, oldest: int, side: int, best: int, width: int) -> int:
    m = memory[0]
    for n in range(len(prints)):
        row = prints[n]
        absorption.remember(m, row.step, row.side, row.tick, row.lots, row.was)
    absorption.find_zone(m, oldest, side, best, width)
    return 0


@pytest.mark.parametrize("seed", range(6))
def test_the_zone_is_the_price_behind_the_touch_with_the_most_hits(seed: int) -> None:
    draw = np.random.default_rng(seed)
    kind = np.dtype([(name, "i8") for name in ("step", "side", "tick", "lots", "was")])
    prints = np.zeros(300, kind)
    prints["step"] = np.sort(draw.integers(0, 100, 300))
    prints["side"] = draw.choice((-1, 1), 300)
    prints["tick"] = draw.integers(95, 112, 300)
    prints["lots"] = draw.integers(1, 20, 300)
    prints["was"] = draw.integers(1, 90, 300)
    memory = np.zeros(1, absorption.MEMORY)
    oldest, side, best, width = 40, 1, 100, 1
    call_plain(_zone, memory, prints, oldest, side, best, width)
    mine = prints[(prints["step"] >= oldest) & (prints["side"] == side)]
    totals = {t: int(mine["lots"][mine["tick"] == t].sum()) for t in range(best - 1, best + absorption.REACH + 1)}
    most = max(totals.values())
    m = memory[0]
    assert int(m["z_tick"]) == min(t for t, lots in totals.items() if lots == most)
    near = np.abs(mine["tick"] - int(m["z_tick"])) <= width
    assert int(m["z_lots"]) == int(mine["lots"][near].sum())
    assert int(m["z_all"]) == int(mine["lots"].sum())
    assert int(m["z_was"]) == int(mine["was"][mine["tick"] == int(m["z_tick"])].max())
    assert int(m["z_step"]) == int(mine["step"][near][0])


def test_prints_beyond_the_ring_push_out_the_oldest() -> None:
    kind = np.dtype([(name, "i8") for name in ("step", "side", "tick", "lots", "was")])
    prints = np.zeros(absorption.RING + 10, kind)
    prints["step"], prints["side"], prints["lots"], prints["was"] = 1, 1, 1, 5
    prints["tick"] = 100 + np.arange(len(prints)) % 2
    memory = np.zeros(1, absorption.MEMORY)
    call_plain(_zone, memory, prints, 0, 1, 100, 0)
    assert int(memory[0]["z_all"]) == absorption.RING


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
    first = absorption._BUYING
    second = first.replace("~250 +101:15 a101:35", "~250 a101:35 +101:15")
    assert second != first
    texts = []
    for wave in (first, second):
        alerts, _, _ = watched(absorption._USUAL + " " + wave * 50, warmup_s=60)
        texts.append([(alert.phase, alert.tick, alert.side, alert.recv_ns) for alert in alerts])
    assert texts[0] == texts[1]
    assert texts[0]


def test_nothing_is_judged_while_a_fifth_of_the_lots_has_no_known_side() -> None:
    case = absorption.DETECTOR.cases[0]
    unknown = absorption._BUYING.replace("~250 +101:15", "~250 +101:15 ?101:5")
    assert watched(absorption._USUAL + " " + unknown * 50, warmup_s=60)[0] == []
    assert watched(case.script, warmup_s=60)[0] != []

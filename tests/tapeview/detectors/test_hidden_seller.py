"""Hidden seller or buyer: levels, bars and large orders against plain counting, and what breaks a story."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feeds import script
from feeds.instruments import Instrument
from tapeview.alert import Alert
from tapeview.detectors import _hidden_cases as cases
from tapeview.detectors import _level_prints as prints
from tapeview.detectors import _levels as levels
from tapeview.detectors import hidden_seller as hidden
from tapeview.detectors._declare import ABSORBED, B_ICEBERG, BOARD, STORIES, record
from tapeview.engine import Engine
from tapeview.engine._jit import call_plain
from tapeview.engine.settings import EngineSettings
from tapeview.watch import Watch, context_of

PRINT = np.dtype([("ns", "i8"), ("tick", "i8"), ("lots", "i8")])
MINUTE = 60_000_000_000
DAY = 1440 * MINUTE


def instrument(tick: str = "1") -> Instrument:
    return Instrument(venue="cme", symbol="X", tick=tick)


def limits(**thresholds: float) -> Any:
    return record(hidden.HiddenSellerThresholds(**thresholds))


def watched(text: str, **thresholds: float) -> tuple[list[Alert], Any]:
    rows = script.events(text)
    engine = Engine(instrument())
    watch = Watch(instrument(), "A", {"hidden_seller": hidden.HiddenSellerThresholds(**thresholds)})
    return [f.alert for f in watch.apply(engine.apply(rows), engine)], watch


def _count(memory: Any, limit: Any, context: Any, prints: Any) -> int:
    m = memory[0]
    for n in range(len(prints)):
        row = prints[n]
        levels.count_print(m, limit[0], context[0], row.ns, row.tick, row.lots)
    return 0


def counted(prints: Any, **thresholds: float) -> Any:
    memory = np.zeros(1, hidden.MEMORY)
    context = context_of(instrument(), "A", EngineSettings())
    call_plain(_count, memory, limits(**thresholds), context, prints)
    return memory


def wandering(seed: int, minutes: int, step: int = 3) -> Any:
    draw = np.random.default_rng(seed)
    prints = np.zeros(minutes * 6, PRINT)
    prints["ns"] = 1_700_006_400_000_000_000 + np.arange(len(prints)) * 10_000_000_000
    prints["tick"] = 20_000 + np.cumsum(draw.integers(-step, step + 1, len(prints)))
    prints["lots"] = draw.integers(1, 40, len(prints))
    return prints


def test_what_is_large_is_the_quantile_of_the_last_two_thousand_orders() -> None:
    draw = np.random.default_rng(5)
    sizes = np.concatenate([draw.integers(500, 900, 1000), draw.integers(1, 15, 3000)]).astype(np.int64)
    table = np.zeros(len(sizes), PRINT)
    table["lots"] = sizes

    def fill(memory: Any, limit: Any, rows: Any) -> int:
        for n in range(len(rows)):
            prints.count_order(memory[0], limit[0], rows[n].lots)
        return 0

    memory = np.zeros(1, hidden.MEMORY)
    call_plain(fill, memory, limits(), table)
    last = sizes[-prints.ORDERS :]
    allowed = int(0.005 * len(last))
    expected = min(size for size in range(1, 1000) if (last >= size).sum() <= allowed)
    assert int(memory["h_n"][0][0]) == prints.ORDERS
    assert int(memory["large"][0]) == expected < 20


@pytest.mark.parametrize("seed", range(3))
def test_bars_and_swing_points_are_those_of_the_prints(seed: int) -> None:
    prints = wandering(seed, 30)
    memory = counted(prints)
    minute = prints["ns"] // MINUTE
    bars = [prints["tick"][minute == one] for one in np.unique(minute)]
    closes = [int(bar[-1]) for bar in bars]
    # A bar begins where the last one ended.
    high = [max(int(bar.max()), before) for bar, before in zip(bars, closes[:1] + closes, strict=False)]
    low = [min(int(bar.min()), before) for bar, before in zip(bars, closes[:1] + closes, strict=False)]
    high[0], low[0] = int(bars[0].max()), int(bars[0].min())
    done = len(bars) - 1
    m = memory[0]
    assert int(m["bars"]) == done
    for n in range(done):
        assert (int(m["b_high"][n]), int(m["b_low"][n]), int(m["b_close"][n])) == (high[n], low[n], closes[n])
    expected = []
    for middle in range(3, done - 3):
        others = [n for n in range(middle - 3, middle + 4) if n != middle]
        if all(high[n] < high[middle] for n in others):
            expected.append((high[middle], 1))
        if all(low[n] > low[middle] for n in others):
            expected.append((low[middle], -1))
    found = [(int(m["s_tick"][n]), int(m["s_side"][n])) for n in range(int(m["swings"]))]
    assert found == expected
    assert found


def test_a_new_day_keeps_the_last_ones_high_low_close_and_value_area() -> None:
    prints = wandering(9, 60)
    later = prints[:1].copy()
    later["ns"] += DAY
    m = counted(np.concatenate([prints, later]))[0]
    ticks, lots = prints["tick"], prints["lots"]
    assert (int(m["prior_high"]), int(m["prior_low"])) == (int(ticks.max()), int(ticks.min()))
    assert int(m["prior_close"]) == int(ticks[-1])
    volume = {t: int(lots[ticks == t].sum()) for t in range(int(ticks.min()), int(ticks.max()) + 1)}
    poc = min(t for t, v in volume.items() if v == max(volume.values()))
    low = high = poc
    inside = volume[poc]
    while inside < 0.7 * sum(volume.values()):
        above, below = volume.get(high + 1, 0), volume.get(low - 1, 0)
        if above >= below:
            high += 1
            inside += above
        else:
            low -= 1
            inside += below
    assert (int(m["p_poc"]), int(m["p_value_high"]), int(m["p_value_low"])) == (poc, high, low)
    assert int(m["swings"]) == 0


@pytest.mark.parametrize("way", [-1, 1])
def test_a_profile_that_is_outgrown_keeps_its_volume_in_wider_cells(way: int) -> None:
    prints = np.zeros(400, PRINT)
    prints["ns"] = 1_700_006_400_000_000_000 + np.arange(400) * 1_000_000_000
    prints["tick"] = 20_000 + way * np.arange(400) * 11
    prints["lots"] = 1 + np.arange(400) % 7
    m = counted(prints)[0]
    shift, base = int(m["v_shift"]), int(m["v_base"])
    assert shift > 0
    expected = np.bincount((prints["tick"] - base) >> shift, prints["lots"], levels.CELL_COUNT).astype(np.int64)
    np.testing.assert_array_equal(m["v_lots"], expected)


@pytest.mark.parametrize(
    ("tick", "price", "step"),
    [("0.25", 5000, 20), ("0.1", 28_000, 200), ("0.01", 580, 50), ("0.01", 2400, 200), ("1", 100, 20)],
)
def test_round_numbers_are_one_two_or_five_times_a_power_of_ten(tick: str, price: int, step: int) -> None:
    def ask(memory: Any, limit: Any, context: Any, at: int) -> int:
        return levels.round_step(context[0], limit[0], at)

    context = context_of(instrument(tick), "A", EngineSettings())
    memory = np.zeros(1, hidden.MEMORY)
    assert call_plain(ask, memory, limits(), context, round(price / float(tick))) == step


def _evidence(memory: Any, board: Any, side: int, level: int, seq: int, first: int) -> int:
    m = memory[0]
    m.zone = 2
    m.n_seq = first
    return 10 * hidden.is_iceberg(m, board[0], side, level, seq) + hidden.is_absorbed(m, board[0], side, level, seq)


@pytest.mark.parametrize(
    ("side", "level", "seq", "first", "known"),
    [(-1, 100, 50, 30, True), (-1, 103, 50, 30, False), (1, 100, 50, 30, False), (-1, 100, 39, 30, False),
     (-1, 102, 90, 59, True), (-1, 100, 90, 60, False)],
)  # fmt: skip
def test_stories_count_from_the_row_they_were_told_until_they_ended(
    side: int, level: int, seq: int, first: int, known: bool
) -> None:
    board = np.zeros(1, BOARD)
    b = board[0]
    b["stories"] = b["a_stories"] = 1
    b["what"][0] = B_ICEBERG
    for prefix in ("", "a_"):
        b[f"{prefix}side"][0], b[f"{prefix}tick"][0] = -1, 100
        b[f"{prefix}from_seq"][0], b[f"{prefix}to_seq"][0] = 40, 60
    memory = np.zeros(1, hidden.MEMORY)
    assert call_plain(_evidence, memory, board, side, level, seq, first) == (11 if known else 0)
    assert STORIES > ABSORBED


def test_two_earlier_swings_in_the_zone_are_rejections() -> None:
    memory = np.zeros(1, hidden.MEMORY)
    m = memory[0]
    m["zone"], m["swings"] = 2, 3
    m["s_tick"][:3], m["s_side"][:3] = (101, 99, 100), (1, 1, -1)

    def ask(memory: Any, side: int, level: int) -> int:
        return levels.is_rejected(memory[0], side, level)

    assert call_plain(ask, memory, 1, 100) == 1
    assert call_plain(ask, memory, -1, 100) == 0
    assert call_plain(ask, memory, 1, 102) == 0


def test_the_same_level_is_told_once_while_its_story_lasts() -> None:
    text = cases._BRIEF + (cases._BUYERS + cases._STILL * 14) * 3
    alerts, _ = watched(text, **cases._ALONE)
    assert [alert.phase for alert in alerts] == ["confirmed"]


def test_prints_inside_an_auction_are_no_evidence() -> None:
    case = hidden.DETECTOR.cases[1]
    rows = script.events(case.script)
    rows["aux"][(rows["kind"] == 6) & (rows["lots"] > 20)] = 2
    engine = Engine(instrument())
    watch = Watch(instrument(), "A", {"hidden_seller": hidden.HiddenSellerThresholds(**case.thresholds)})
    assert watch.apply(engine.apply(rows), engine) == []
    assert [alert.phase for alert in watched(case.script, **case.thresholds)[0]] == ["confirmed"]

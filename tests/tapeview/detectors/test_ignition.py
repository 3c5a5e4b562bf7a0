"""Ignition: ranges and volatility against numpy, and what news, gaps and cold books do to a break."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from feeds import script
from feeds.events import CLOCK, F_NEWS, FACT, LAST, NONE, TRADE, Events, empty
from feeds.instruments import Instrument
from tapeview.alert import Alert
from tapeview.detectors import _ignition_range, load
from tapeview.detectors._declare import record
from tapeview.detectors._ignition_range import BARS
from tapeview.detectors._walk import LADDER, walk
from tapeview.engine import Engine, _jit
from tapeview.watch import Watch

IGNITION = load()["ignition"]
CASES = {case.story: case for case in IGNITION.cases}
BREAK = CASES["a tight range breaks upwards on a surge and runs its course"]
SECOND_NS = 1_000_000_000


def play(rows: Events, **thresholds: float) -> tuple[np.ndarray, Watch, list[Alert]]:
    about = Instrument(venue="test", symbol="X", tick="1")
    engine, watch = Engine(about), Watch(about, "A", {"ignition": IGNITION.thresholds(**thresholds)})
    outcome = engine.apply(rows)
    return outcome.frame, watch, [found.alert for found in watch.apply(outcome)]


def wandering(seed: int, moves: int) -> Events:
    draws = np.random.default_rng(seed)
    return script.events(LADDER + walk("".join(draws.choice(["u", "d"], moves)), 104, 1, 270))


def bars_of(frame: np.ndarray) -> np.ndarray:
    """(high, low, close) of the mid in half ticks at the CLOCK rows of each second of a warm book, without the last."""
    clock = frame[(frame["kind"] == CLOCK) & (frame["warm"] == 1)]
    mid = clock["bid"] + clock["ask"]
    second = (clock["recv_ns"] - 1) // SECOND_NS
    groups = [mid[second == one] for one in np.unique(second)]
    return np.array([(group.max(), group.min(), group[-1]) for group in groups[:-1]])


@pytest.mark.parametrize("seed", range(3))
def test_bars_and_their_volatility_are_those_of_the_mid(seed: int) -> None:
    frame, watch, _ = play(wandering(seed, 120), bar_s=1)
    m = watch._posts[0].memory
    bars = bars_of(frame)
    n = int(m["bars"][0])
    assert n == len(bars) < BARS
    for column, name in enumerate(("b_high", "b_low", "b_close")):
        np.testing.assert_array_equal(m[name][0][:n], bars[:, column])
    assert m["sigma"][0] == pytest.approx(math.sqrt(np.mean(np.diff(bars[:, 2]) ** 2.0)))


def test_a_range_is_told_with_its_width_and_tightness() -> None:
    rows = script.events(BREAK.script)
    frame, _, alerts = play(rows, **BREAK.thresholds)
    told = alerts[0]
    out_ns = told.recv_ns - round(told.evidence["seconds"] * 1e9)
    bars = bars_of(frame[frame["recv_ns"] <= out_ns])[-20:]
    every = bars_of(frame[frame["recv_ns"] <= out_ns])
    width = bars[:, 0].max() - bars[:, 1].min()
    sigma = math.sqrt(np.mean(np.diff(every[:, 2]) ** 2.0))
    assert told.evidence["width"] == width / 2
    assert told.evidence["tightness"] == pytest.approx(width / (1.5957691216057308 * sigma * math.sqrt(20)), rel=0.02)


def test_the_constant_is_what_a_random_walk_covers() -> None:
    draws = np.random.default_rng(1).normal(0, 1 / 20, (4000, 20 * 400)).astype(np.float32)
    paths = np.cumsum(draws, axis=1)
    reach = np.maximum(paths.max(axis=1), 0) - np.minimum(paths.min(axis=1), 0)
    assert reach.mean() / (math.sqrt(20)) == pytest.approx(1.596, abs=0.05)


def test_wandering_prices_are_no_range() -> None:
    for seed in range(4):
        assert play(wandering(seed, 200), **BREAK.thresholds)[2] == []


def with_news(rows: Events, at_ns: int) -> Events:
    fact = empty(1)
    fact["kind"], fact["aux"], fact["recv_ns"], fact["exch_ns"], fact["marks"] = FACT, F_NEWS, at_ns, NONE, LAST
    out = np.concatenate([rows, fact])
    out = out[np.argsort(out["recv_ns"], kind="stable")]
    out["seq"] = np.arange(len(out))
    return out


def test_a_break_after_news_is_called_a_news_break() -> None:
    rows = script.events(BREAK.script)
    told = play(with_news(rows, script.START_NS + 27 * SECOND_NS), **BREAK.thresholds)[2]
    assert [alert.method for alert in told] == ["news", "news"]
    assert told[0].text.startswith("NEWS BREAK ▲")
    early = play(with_news(rows, script.START_NS + 6 * SECOND_NS), **(BREAK.thresholds | {"news_s": 10}))[2]
    assert [alert.method for alert in early] == ["ignition", "ignition"]


@pytest.mark.parametrize("story", [story for story, case in CASES.items() if case.alerts])
def test_the_stop_idea_is_behind_the_touch_and_not_beyond_the_best_price(story: str) -> None:
    case = CASES[story]
    frame, _, alerts = play(script.events(case.script), **case.thresholds)
    told = alerts[0]
    row = frame[frame["seq"] == told.seq][0]
    stop = told.evidence["stop_tick"]
    if told.side > 0:
        assert stop <= int(row["bid"]) - 1
    else:
        assert stop >= int(row["ask"]) + 1


def test_a_gap_ends_a_story_and_the_range_with_it() -> None:
    rows = script.events(BREAK.script)
    told_ns = play(rows, **BREAK.thresholds)[2][0].recv_ns
    before = rows[rows["recv_ns"] <= told_ns + SECOND_NS // 2]
    after = script.events("!gap ~100 " + LADDER + "~9000 b104:21", start_ns=told_ns + SECOND_NS)
    joined = np.concatenate([before, after])
    joined["seq"] = np.arange(len(joined))
    told = play(joined, **BREAK.thresholds)[2]
    assert [(alert.phase, alert.reason) for alert in told] == [("confirmed", ""), ("cleared", "book lost")]


def test_nothing_is_told_while_the_market_is_halted() -> None:
    cut = BREAK.script.index("~130 a109:0")
    halted = BREAK.script[:cut] + "!halted " + BREAK.script[cut:]
    assert play(script.events(halted), **BREAK.thresholds)[2] == []


@pytest.mark.parametrize(
    ("story", "lifted"),
    [
        (
            "out of the range, but on no more volume than before",
            {"rvol": 0.0, "rvol_keep": 0.0, "buy_share": 0.5, "ofi_z": 0.0},
        ),
        ("one block is no surge", {"one_print": 1.0, "rvol_keep": 0.0, "ofi_z": 0.0}),
        ("no range: the price had been walking all along", {"compress": 2.0, "touches": 1, "ofi_z": 0.0}),
    ],
)  # fmt: skip
def test_each_trap_is_what_keeps_its_case_quiet(story: str, lifted: dict[str, float]) -> None:
    case = CASES[story]
    rows = script.events(case.script)
    assert play(rows, **case.thresholds)[2] == []
    assert any(alert.phase == "confirmed" for alert in play(rows, **(case.thresholds | lifted))[2])


POKED = CASES["a tight range that one bar poked beyond, broken upwards"]


def test_one_bar_may_poke_beyond_an_edge_and_the_range_is_that_of_the_others() -> None:
    told = play(script.events(POKED.script), **POKED.thresholds)[2][0]
    plain = play(script.events(BREAK.script), **BREAK.thresholds)[2][0]
    assert (told.tick, told.evidence["width"]) == (plain.tick, plain.evidence["width"])
    assert play(script.events(POKED.script), **(POKED.thresholds | {"poke": 0.0}))[2] == []


def bars(highs: list[int], lows: list[int]) -> Any:
    """A memory of bars with these extremes in half ticks, and changes large enough for any of it to be tight."""
    m = _jit._Record(np.zeros(1, IGNITION.memory))[0]
    for n, (high, low) in enumerate(zip(highs, lows, strict=True)):
        m.b_high[n], m.b_low[n] = high, low
    m.bars, m.sigma = len(highs), 40.0
    return m


@pytest.mark.parametrize(
    ("poke", "edge"),
    [
        ({3: 204}, 200),  # one bar, two ticks beyond
        ({3: 206}, _ignition_range._FAR),  # one bar, too far beyond
        ({3: 204, 9: 204}, 204),  # twice is an edge
        ({3: 204, 4: 204}, _ignition_range._FAR),  # one swing of two bars is no edge, and not one bar
    ],
)
def test_the_edge_is_where_all_bars_but_one_end(poke: dict[int, int], edge: int) -> None:
    highs = [poke.get(n, 200 if n % 4 == 0 else 192) for n in range(20)]
    m = bars(highs, [184 if n % 4 == 2 else 192 for n in range(20)])
    limit = _jit._Rows(record(IGNITION.thresholds(poke=0.1)))[0]
    assert _ignition_range.edge_of(m, 20, 1, max(highs) - 184, limit) == edge
    mirrored = bars([-low for low in [184] * 20], [-high for high in highs])
    assert _ignition_range.edge_of(mirrored, 20, -1, max(highs) - 184, limit) == edge


def test_takers_alone_may_carry_a_break_through_a_book_that_fills_up_again() -> None:
    rows = script.events(BREAK.script)
    assert play(rows, **(BREAK.thresholds | {"ofi_z": 10.0, "taker_z": 100.0}))[2] == []
    told = play(rows, **(BREAK.thresholds | {"ofi_z": 10.0}))[2][0]
    assert told.evidence["taker_z"] >= 2.0


def test_net_lots_of_takers_are_measured_against_the_root_of_their_mean_square() -> None:
    rows = script.events(BREAK.script)
    frame, watch, _ = play(rows, **BREAK.thresholds)
    clock = frame[(frame["kind"] == CLOCK) & (frame["warm"] == 1)]
    prints = frame[frame["kind"] == TRADE]
    signed, when = np.cumsum(prints["side"] * prints["lots"]), prints["recv_ns"]
    edges = (clock["recv_ns"] - 1) // 100_000_000 * 100_000_000 + 100_000_000
    upto = np.concatenate([[0], signed])[np.searchsorted(when, edges, side="left")]
    before = np.concatenate([[0], signed])[np.searchsorted(when, edges - 20 * SECOND_NS, side="left")]
    net = (upto - before).astype(float)
    second = clock["recv_ns"] // SECOND_NS
    first = np.flatnonzero(np.concatenate([[True], second[1:] != second[:-1]]))
    usual = math.sqrt(np.mean(net[first[first < len(net) - 1]] ** 2))
    assert watch._posts[0].memory["taken_z"][0] == pytest.approx(net[-1] / usual, rel=0.05)


def test_the_naive_rule_fires_without_a_range() -> None:
    rows = script.events(CASES["no range: the price had been walking all along"].script)
    naive = IGNITION.baselines["20-bar high"]
    assert play(rows, **(BREAK.thresholds | naive))[2]


def test_scores_are_the_geometric_mean_of_four_shares() -> None:
    for case in CASES.values():
        for alert in play(script.events(case.script), **case.thresholds)[2]:
            e = alert.evidence
            parts = (e["rvol"] / 3, max(e["ofi_z"], e["taker_z"]) / 3, (0.6 - e["tightness"]) / 0.3, e["share"])
            clipped = [min(1.0, max(0.0, part)) for part in parts]
            assert alert.score == pytest.approx(math.prod(clipped) ** 0.25)
            assert list(itertools.accumulate(clipped)) == sorted(itertools.accumulate(clipped))

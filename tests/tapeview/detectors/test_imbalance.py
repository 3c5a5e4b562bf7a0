"""Imbalance: what it measures against the frame it read, and what it says of real markets."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.recfunctions import append_fields

import feeds
from feeds import script
from feeds.events import CLOCK, NONE, S_LIVE, TRADE, Events
from feeds.instruments import Instrument
from tapeview.alert import Alert
from tapeview.detectors import load
from tapeview.detectors.imbalance import reading
from tapeview.engine import Engine
from tapeview.engine.frame import IS_EVENT, IS_TOUCH
from tapeview.watch import Watch

IMBALANCE = load()["imbalance"]
SECOND_NS = 1_000_000_000
FAST = {"window_s": 2, "learn_s": 10, "off_s": 1, "cooldown_s": 5}


def random_rows(seed: int, seconds: int) -> Events:
    """A touch that wanders, changes its lots and is traded at."""
    draws = np.random.default_rng(seed)
    bid, words = 100, ["[ b99:20 b100:20 a101:20 a102:20 ]"]
    for _ in range(seconds * 6):
        words.append(f"~{draws.integers(20, 300)}")
        what = draws.integers(0, 7)
        lots = int(draws.integers(1, 60))
        if what == 0:
            words.append(f"b{bid + 1}:{lots}&a{bid + 1}:0&a{bid + 2}:{lots + 3}&b{bid}:{lots}")
            bid += 1
        elif what == 1:
            words.append(f"a{bid}:{lots}&b{bid}:0&b{bid - 1}:{lots + 2}")
            bid -= 1
        elif what == 2:
            words.append(f"+{bid + 1}:{lots}")
        elif what == 3:
            words.append(f"-{bid}:{lots}")
        elif what == 4:
            words.append(f"b{bid}:{lots}")
        elif what == 5:
            words.append(f"a{bid + 1}:{lots}")
        else:
            words.append(f"b{bid - 1}:{lots} a{bid + 2}:{lots}")
    return script.events(" ".join(words))


def play(rows: Events, **thresholds: float) -> tuple[np.ndarray, list[dict[str, Any]], list[Alert]]:
    """The frame, what was known after each full second, and the alerts."""
    about = Instrument(venue="test", symbol="X", tick="1")
    engine, watch = Engine(about), Watch(about, "A", {"imbalance": IMBALANCE.thresholds(**(FAST | thresholds))})
    full = (rows["kind"] == CLOCK) & (rows["recv_ns"] % SECOND_NS == 0)
    edges = [0, *(np.flatnonzero(full) + 1).tolist(), len(rows)]
    frames, known, alerts = [], [], []
    for start, end in itertools.pairwise(edges):
        outcome = engine.apply(rows[start:end])
        frames.append(append_fields(outcome.frame, "news", outcome.news.copy(), usemask=False))
        alerts += [found.alert for found in watch.apply(outcome)]
        known.append(reading(watch._posts[0].memory) | {"end": end})
    return np.concatenate(frames), known[:-1], alerts


def touches(frame: np.ndarray, *names: str) -> list[tuple[int, int, int, int, int]]:
    """(time, bid, lots, ask, lots) at the end of each receive time that has a whole touch."""
    live = (frame["state"] == S_LIVE) & (frame["bid"] != NONE) & (frame["ask"] != NONE) & (frame["kind"] != TRADE)
    names = names or ("recv_ns", "bid", "bid_lots", "ask", "ask_lots")
    rows = list(zip(*(frame[name][live].tolist() for name in names), strict=True))
    return [row for row, after in itertools.zip_longest(rows, rows[1:]) if after is None or after[0] != row[0]]


def flow(before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """Equation 4 of Cont, Kukanov and Stoikov, as it is written there."""
    _, pb0, qb0, pa0, qa0 = before
    _, pb, qb, pa, qa = after
    return (pb >= pb0) * qb - (pb <= pb0) * qb0 - (pa <= pa0) * qa + (pa >= pa0) * qa0


@pytest.mark.parametrize("seed", range(3))
def test_order_flow_is_the_sum_over_the_touches_of_the_window(seed: int) -> None:
    frame, known, _ = play(random_rows(seed, 20))
    seen = touches(frame)
    steps = [(after[0], flow(before, after)) for before, after in itertools.pairwise(seen)]
    for second in known:
        if not frame["warm"][second["end"] - 1]:
            continue
        now = int(frame["recv_ns"][second["end"] - 1])
        assert second["ofi"] == sum(e for at, e in steps if now - 2 * SECOND_NS <= at < now)


@pytest.mark.parametrize("seed", range(3))
def test_deep_flow_takes_all_lots_within_the_watched_depth_as_the_queues(seed: int) -> None:
    frame, known, _ = play(random_rows(seed + 20, 20))
    told = frame[(frame["news"] & (IS_TOUCH | IS_EVENT) != 0) & (frame["kind"] != CLOCK)]
    seen = touches(told, "recv_ns", "bid", "bid_depth", "ask", "ask_depth")
    steps = [(after[0], flow(before, after)) for before, after in itertools.pairwise(seen)]
    for second in known:
        if frame["warm"][second["end"] - 1]:
            now = int(frame["recv_ns"][second["end"] - 1])
            assert second["deep"] == sum(e for at, e in steps if now - 2 * SECOND_NS <= at < now)


def test_z_is_order_flow_over_its_own_root_mean_square_before() -> None:
    _, known, _ = play(random_rows(4, 30))
    live = [second for second in known if second["spans"] or second["ofi"] or second["z"]]
    flows = [second["ofi"] for second in known]
    first = next(n for n, second in enumerate(known) if second["z"] != 0.0)
    start = next(n for n in range(len(flows)) if first - n == 10)
    assert live
    for n in range(first, len(known)):
        before = flows[start:n]
        assert known[n]["z"] == pytest.approx(flows[n] / math.sqrt(sum(f * f for f in before) / len(before)))


def test_trade_and_queue_imbalance_are_those_of_the_frame() -> None:
    frame, known, _ = play(random_rows(5, 20))
    trades = frame[frame["kind"] == TRADE]
    for second in known:
        last = frame[second["end"] - 1]
        if not last["warm"]:
            continue
        now = int(frame["recv_ns"][second["end"] - 1])
        some = trades[(trades["recv_ns"] >= now - 2 * SECOND_NS) & (trades["recv_ns"] < now)]
        signed = int((some["lots"] * some["side"]).sum())
        assert second["ti"] == pytest.approx(signed / max(1, int(some["lots"].sum())))
        whole = int(last["bid_lots"] + last["ask_lots"])
        assert second["qi"] == pytest.approx(int(last["bid_lots"] - last["ask_lots"]) / whole)


def test_the_naive_rule_fires_where_ours_does_not() -> None:
    rows = random_rows(6, 40)
    ours = [a for a in play(rows)[2] if a.phase == "confirmed"]
    naive = [a for a in play(rows, **IMBALANCE.baselines["queue imbalance 0.5"])[2] if a.phase == "confirmed"]
    assert len(naive) > 3 * max(1, len(ours))


@pytest.mark.parametrize(
    ("story", "lifted"),
    [
        ("the spread is six times the usual", {"spread_most": 100.0}),
        ("takers of unknown side", {"unsigned_most": 1.0}),
        ("the touch shows little more than one trade takes", {"depth_trades": 0.0}),
    ],
)
def test_each_trap_is_what_keeps_its_case_quiet(story: str, lifted: dict[str, float]) -> None:
    case = next(case for case in IMBALANCE.cases if case.story == story)
    rows = script.events(case.script.replace("?101", "+101") if "unsigned_most" in lifted else case.script)
    assert play(script.events(case.script))[2] == []
    assert any(a.phase == "confirmed" for a in play(rows, **lifted)[2])


def test_on_a_real_market_it_keeps_within_its_budget_and_order_flow_tells_more_than_trades(data: Path) -> None:
    source = feeds.open_source(str(data / "binance-spot-ethusdt"))
    engine = Engine(source.instruments[0])
    watch = Watch(source.instruments[0], source.info.tier, {"imbalance": IMBALANCE.thresholds()})
    frames, alerts = [], []
    for rows in source.batches():
        outcome = engine.apply(rows)
        frames.append(outcome.frame[["recv_ns", "kind", "side", "lots", "bid", "ask"]].copy())
        alerts += [found.alert for found in watch.apply(outcome)]
    frame = np.concatenate(frames)
    hours = (int(frame["recv_ns"][-1]) - int(frame["recv_ns"][0])) / 3.6e12
    assert sum(a.phase == "confirmed" for a in alerts) <= max(3, 12 * hours)
    told = reading(watch._posts[0].memory)
    assert told["r2"] >= trade_share(frame) + 0.05


def trade_share(frame: np.ndarray) -> float:
    """R squared of the mid's moves over 10 s by the signed lots of the same 10 s."""
    live = (frame["bid"] != NONE) & (frame["ask"] != NONE)
    bucket = frame["recv_ns"] // (10 * SECOND_NS)
    first = int(bucket[0])
    signed = np.zeros(int(bucket[-1]) - first + 1)
    trades = frame["kind"] == TRADE
    np.add.at(signed, bucket[trades] - first, (frame["lots"] * frame["side"])[trades])
    mids = np.full(len(signed), np.nan)
    mids[bucket[live] - first] = (frame["bid"] + frame["ask"])[live] / 2
    moves = np.diff(mids)
    known = ~np.isnan(moves)
    return float(np.corrcoef(moves[known], signed[1:][known])[0, 1] ** 2)

"""The tape: merging, conservation, places, extremes, meters, bars, busts."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import polars as pl
import pytest

from feeds import script
from feeds.events import (
    AUCTION,
    BUST,
    BUY,
    FLOW_PRINTS,
    LAST,
    NONE,
    OFF_GRID,
    OFF_LOT,
    S_LIVE,
    SELL,
    STATUS,
    TRADE,
    UNKNOWN,
)  # fmt: skip
from feeds.instruments import Instrument
from tapeview.engine import Engine, EngineSettings
from tapeview.engine.state import BIG, BUSTED, HIGH, LOW, PLACES
from tests.kit.streams import FINE, START_NS, market, table

INSTRUMENT = Instrument(venue="test", symbol="X", tick="1")


def trade(side: int, tick: int, lots: int, ref: int = NONE, kind: int = 0, marks: int = LAST) -> tuple[int, ...]:
    return (TRADE, side, tick, lots, ref, kind, marks)


def flow_of(rows: np.ndarray) -> np.ndarray:
    """Rows that count, without those busted later; by trade id, from the rows alone."""
    prints = rows[rows["kind"] == TRADE]
    busted = Counter(prints["ref"][prints["aux"] == BUST].tolist())
    keep = []
    for place in range(len(prints) - 1, -1, -1):
        row = prints[place]
        kind = int(row["aux"]) if 0 <= row["aux"] <= 10 else 10
        if kind == BUST:
            continue
        if busted[int(row["ref"])] > 0 and place < _last_bust(prints, int(row["ref"])):
            busted[int(row["ref"])] = 0
            continue
        if FLOW_PRINTS >> kind & 1:
            keep.append(place)
    return prints[keep[::-1]]


def _last_bust(prints: np.ndarray, ref: int) -> int:
    return int(np.flatnonzero((prints["aux"] == BUST) & (prints["ref"] == ref))[-1])


def test_prints_of_one_side_and_price_within_the_span_are_one():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("!live +101:2 ~60 +101:3 ~40 +101:1 ~1 +101:4 -101:4 +101:5 +102:5"))
    got = [(int(p["lots"]), int(p["count"]), int(p["side"]), int(p["tick"])) for p in engine.tape.prints(10)]
    assert got == [(5, 1, 1, 102), (5, 1, 1, 101), (4, 1, -1, 101), (4, 1, 1, 101), (6, 3, 1, 101)]


def test_the_span_of_merging_is_a_setting():
    engine = Engine(INSTRUMENT, EngineSettings(merge_ms=10))
    engine.apply(script.events("!live +101:2 ~10 +101:3 ~1 +101:1"))
    assert engine.tape.prints(10)["lots"].tolist() == [1, 5]


@pytest.mark.parametrize("seed", range(3))
def test_merged_prints_hold_exactly_the_raw_ones(seed):
    rows = market(20_000, seed, per_second=2000)
    engine = Engine(INSTRUMENT)
    engine.apply(rows)
    prints = rows[(rows["kind"] == TRADE) & (rows["lots"] >= 0)]
    raw = engine.tape.raw(10**6)[::-1]
    assert raw["seq"].tolist() == prints["seq"].tolist()
    assert raw["lots"].tolist() == prints["lots"].tolist()
    merged = engine.tape.prints(10**6)[::-1]
    assert merged["count"].sum() == len(prints)
    assert merged["lots"].sum() == prints["lots"].sum()
    assert (merged["count"] > 1).any()
    for one in merged:
        parts = engine.tape.raw_of(one)
        assert len(parts) == one["count"]
        assert parts["lots"].sum() == one["lots"]
        assert set(parts["tick"].tolist()) == {int(one["tick"])}
        assert set(parts["side"].tolist()) == {int(one["side"])}
        assert parts["recv_ns"].max() - parts["recv_ns"].min() <= 100_000_000
    # Merging is as wide as it may be: neighbours that could have been one are not two.
    for one, two in itertools.pairwise(merged):
        same = all(one[name] == two[name] for name in ("side", "tick", "fine", "kind"))
        near = engine.tape.raw_of(two)[-1]["recv_ns"] - one["recv_ns"] <= 100_000_000
        assert not (same and near and one["kind"] != BUST)


def test_a_filter_by_size_leaves_out_the_small_and_an_end_the_late():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("!live +101:2 -100:7 +101:9 -100:1 +101:8"))
    assert engine.tape.prints(2, min_lots=7)["lots"].tolist() == [8, 9]
    third = int(engine.tape.prints(5)[2]["seq"])
    assert engine.tape.prints(9, until=third)["lots"].tolist() == [9, 7, 2]
    assert engine.tape.raw(9, first_seq=third)["lots"].tolist() == [8, 1, 9]


PLACED = {
    "[ b100:5 a103:5 ]": {99: "below_bid", 100: "at_bid", 101: "between", 103: "at_ask", 104: "above_ask"},
    "[ a103:5 ]": {102: "unknown", 103: "at_ask", 104: "above_ask"},
    "[ b100:5 ]": {99: "below_bid", 100: "at_bid", 101: "unknown"},
    "[ ]": {100: "unknown"},
    "!syncing b100:5 a103:5": {100: "unknown"},
}


@pytest.mark.parametrize(("book", "tick", "place"), [(b, t, p) for b, of in PLACED.items() for t, p in of.items()])
def test_a_print_has_its_place_against_the_touch_before_it(book, tick, place):
    engine = Engine(INSTRUMENT)
    frame = engine.apply(script.events(f"{book} ?{tick}:1")).frame
    assert PLACES[engine.tape.prints(1)[0]["place"]] == place
    assert PLACES[frame["place"][-1]] == place


def test_in_a_locked_book_the_aggressor_decides_the_place():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("[ b100:5 a100:5 ] +100:1 -100:1 ?100:1 +101:1 -99:1"))
    places = [PLACES[p] for p in engine.tape.prints(5)["place"]]
    assert places[::-1] == ["at_ask", "at_bid", "between", "above_ask", "below_bid"]


def test_lean_follows_the_last_price_change():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("!live ?100:1 -101:1 +101:1 ?100:1 +100:1 -102:2"))
    assert engine.tape.prints(9)["lean"].tolist()[::-1] == [0, 1, 1, -1, -1, 1]


def test_new_extremes_are_marked_and_equal_ones_are_not():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("!live ?100:1 ?101:1 ?99:1 ?101:2 ?99:2 ?103:1"))
    marks = engine.tape.prints(9)["marks"].tolist()[::-1]
    assert marks == [0, HIGH, LOW, 0, 0, HIGH]
    tape = engine.tape
    assert (tape.open, tape.high, tape.low, tape.close) == (100, 103, 99, 103)


def test_prints_outside_the_flow_are_on_the_tape_and_in_no_sum():
    engine = Engine(INSTRUMENT)
    engine.apply(table([trade(1, 100, 5), trade(1, 900, 70, kind=AUCTION)]))
    assert engine.tape.totals.volume == 5
    assert engine.tape.high == 100
    assert engine.tape.prints(1)["kind"][0] == AUCTION
    assert engine.vwap.value(0).vwap == 100
    assert engine.tape.volume(890, 910)[0].sum() == 0


def test_sides_unknown_count_in_volume_and_not_in_delta():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("!live +101:7 -100:2 ?100:5"))
    assert tuple(engine.tape.totals) == (14, 7, 2, 5, 3, 5)


@pytest.mark.parametrize("seed", range(3))
def test_sums_and_volume_at_price_equal_a_recount(seed):
    rows = market(25_000, seed)
    engine = Engine(INSTRUMENT)
    for at in range(0, len(rows), 777):
        engine.apply(rows[at : at + 777])
    flow = flow_of(rows)
    tick = np.where(flow["marks"] & OFF_GRID != 0, flow["tick"] // FINE, flow["tick"])
    lots, side = flow["lots"], flow["side"]
    totals = engine.tape.totals
    assert totals.volume == lots.sum()
    assert totals.buy == lots[side == BUY].sum()
    assert totals.sell == lots[side == SELL].sum()
    assert totals.unknown == lots[side == UNKNOWN].sum()
    assert totals.trades == len(flow)
    low, high = int(tick.min()) - 3, int(tick.min()) + 4000
    for got, which in zip(engine.tape.volume(low, high), (BUY, SELL, UNKNOWN), strict=True):
        want = np.zeros(high - low, np.int64)
        pick = (side == which) & (tick < high)
        np.add.at(want, tick[pick] - low, lots[pick])
        assert got.tolist() == want.tolist()
    assert engine.counters["busts"] > 10


@pytest.mark.parametrize("per_second", [40, 400])
def test_meters_and_recent_volume_equal_a_recount_at_every_look(per_second):
    rows = market(12_000, 3, per_second=per_second)
    engine = Engine(INSTRUMENT)
    for at in range(0, len(rows), 613):
        engine.apply(rows[at : at + 613])
        seen = rows[: at + 613]
        moments = seen[(seen["kind"] == TRADE) | (seen["kind"] == 10)]
        now = int(moments["recv_ns"][-1]) if len(moments) else START_NS
        flow = flow_of(seen)
        for seconds in (5, 15, 60):
            inside = flow[flow["recv_ns"] > now - seconds * 10**9]
            meter = engine.tape.meter(seconds)
            assert meter.prints == len(inside)
            assert meter.buy == inside["lots"][inside["side"] == BUY].sum()
            assert meter.sell == inside["lots"][inside["side"] == SELL].sum()
            assert meter.unknown == inside["lots"][inside["side"] == UNKNOWN].sum()
        since = now - 20 * 10**9
        tick = np.where(flow["marks"] & OFF_GRID != 0, flow["tick"] // FINE, flow["tick"])
        pick = (flow["recv_ns"] >= since) & (tick >= 900) & (tick < 1100)
        bought, sold, covered = engine.tape.recent(since, 900, 1100)
        assert covered == since
        for got, which in ((bought, BUY), (sold, SELL)):
            want = np.zeros(200, np.int64)
            np.add.at(want, tick[pick & (flow["side"] == which)] - 900, flow["lots"][pick & (flow["side"] == which)])
            assert got.tolist() == want.tolist()


def test_a_print_leaves_a_meter_when_it_is_exactly_that_old():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("!live +100:1 ~4999 -100:2"))
    assert tuple(engine.tape.meter(5)) == (1, 2, 2, 0)
    engine.apply(script.events("~1 ?100:4", start_ns=int(engine.recv_ns)))
    assert tuple(engine.tape.meter(5)) == (0, 2, 2, 4)


def test_a_minute_of_more_prints_than_there_was_room_for_is_counted_whole():
    n = 30_000
    rows = table([trade(1 if k % 3 else -1, 100 + k % 2, 1 + k % 4) for k in range(n)], 1_000_000)
    engine = Engine(INSTRUMENT)
    engine.apply(rows)
    meter = engine.tape.meter(60)
    assert meter.prints == n
    assert meter.buy == rows["lots"][rows["side"] == 1].sum()
    assert engine.counters["meter_short"] == 0


@pytest.mark.parametrize(("seconds", "length"), [(1, 10**9), (60, 60 * 10**9)])
def test_bars_equal_a_group_by(seconds, length):
    rows = market(30_000, 11, per_second=90)
    rows = rows[~((rows["kind"] == TRADE) & (rows["aux"] == BUST)) & (rows["kind"] != 8)]
    engine = Engine(INSTRUMENT)
    for at in range(0, len(rows), 1001):
        engine.apply(rows[at : at + 1001])
    flow = flow_of(rows)
    tick = np.where(flow["marks"] & OFF_GRID != 0, flow["tick"] // FINE, flow["tick"])
    signed = flow["side"] * flow["lots"]
    want = (
        pl.DataFrame({"start_ns": flow["recv_ns"] // length * length, "tick": tick, "lots": flow["lots"],
                      "signed": signed, "cvd": np.cumsum(signed)})
        .group_by("start_ns", maintain_order=True)
        .agg(open=pl.first("tick"), high=pl.max("tick"), low=pl.min("tick"), close=pl.last("tick"),
             volume=pl.sum("lots"), delta=pl.sum("signed"), cvd=pl.last("cvd"), trades=pl.len())
    )  # fmt: skip
    got = engine.tape.bars(10**6, seconds)
    for name in want.columns:
        assert got[name].tolist() == want[name].to_list()[-len(got) :], name
    assert len(got) > 3
    assert got["vwap"][-1] == pytest.approx(engine.vwap.value(0).vwap, rel=1e-12)
    assert engine.tape.bars(2, seconds).tolist() == got[-2:].tolist()


def test_a_gap_marks_the_bars_it_falls_in():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("!live +101:2 ~3000 !gap ~3000 +101:2"))
    assert engine.tape.bars(9)["gap"].tolist() == [0, 1, 0]
    assert engine.tape.bars(9)["trades"].tolist() == [1, 0, 1]


def test_a_bust_takes_the_print_back_and_leaves_the_extremes():
    engine, clean = Engine(INSTRUMENT), Engine(INSTRUMENT)
    before = [trade(1, 100, 5, 1), trade(-1, 104, 2, 2)]
    engine.apply(table([*before, trade(1, 150, 40, 3), trade(-1, 99, 1, 4), trade(1, 150, 40, 3, BUST)]))
    clean.apply(table([*before, trade(-1, 99, 1, 4)]))
    assert engine.tape.totals == clean.tape.totals
    assert engine.vwap.value(0) == clean.vwap.value(0)
    assert [v.sum() for v in engine.tape.volume(140, 160)] == [0, 0, 0]
    assert engine.tape.meter(60) == clean.tape.meter(60)
    assert engine.tape.bars(1)["volume"].tolist() == clean.tape.bars(1)["volume"].tolist()
    assert engine.tape.high == 150
    assert engine.counters["busts_of_extremes"] == 1
    busted = [p for p in engine.tape.prints(9) if p["marks"] & BUSTED]
    assert [int(p["tick"]) for p in busted] == [150]
    assert engine.tape.prints(1)["kind"][0] == BUST


def test_a_bust_counts_once_and_an_unknown_one_not_at_all():
    engine = Engine(INSTRUMENT)
    bust = trade(1, 100, 5, 1, BUST)
    engine.apply(table([trade(1, 100, 5, 1), bust, bust, trade(1, 100, 5, 77, BUST)]))
    assert tuple(engine.tape.totals) == (0, 0, 0, 0, 0, 0)
    assert engine.vwap.value(0) is None
    assert engine.counters["busts"] == 3
    assert engine.counters["busts_unknown"] == 2


def test_a_bust_without_a_trade_id_takes_the_newest_print_like_it():
    engine = Engine(INSTRUMENT)
    engine.apply(table([trade(1, 100, 5), trade(1, 100, 5), trade(1, 101, 5), trade(1, 100, 5, NONE, BUST)]))
    assert engine.tape.volume(100, 102)[0].tolist() == [5, 5]


def test_a_bust_of_a_print_no_longer_kept_is_undone_as_it_is_stated():
    n = 70_000
    rows = table([trade(1, 100 + k % 7, 3, k) for k in range(n)] + [trade(1, 102, 3, 2, BUST)])
    engine = Engine(INSTRUMENT)
    engine.apply(rows)
    assert engine.tape.totals.volume == 3 * (n - 1)
    assert engine.counters["busts_unknown"] == 1


def test_large_prints_are_those_above_the_quantile_of_recent_ones():
    rng = np.random.default_rng(2)
    sizes = np.maximum(1, rng.lognormal(3, 1, 4000)).astype(int).tolist()
    rows = table([trade(1 if k % 2 else -1, 100, size) for k, size in enumerate(sizes)])
    engine = Engine(INSTRUMENT)
    assert engine.tape.big_lots is None
    engine.apply(rows)
    exact = np.quantile(sizes, 0.98)
    assert exact / 1.1 <= engine.tape.big_lots <= exact * 1.1
    marked = engine.tape.prints(2000)
    share = (marked["marks"] & BIG != 0).mean()
    assert 0.01 < share < 0.03


def test_prints_of_one_size_are_none_of_them_large():
    engine = Engine(INSTRUMENT)
    engine.apply(table([trade(1 if k % 2 else -1, 100, 5) for k in range(500)]))
    assert not (engine.tape.prints(500)["marks"] & BIG).any()


def test_a_size_off_the_lot_grid_is_kept_exactly_and_counted_rounded():
    engine = Engine(INSTRUMENT)
    engine.apply(table([trade(1, 100, 2_600_000, marks=LAST | OFF_LOT), trade(1, 100, 100, marks=LAST | OFF_LOT)]))
    assert engine.tape.raw(2)["fine_lots"].tolist() == [100, 2_600_000]
    assert engine.tape.totals.volume == 4
    assert engine.counters["off_lot"] == 2


def test_an_off_grid_price_is_kept_exactly():
    engine = Engine(INSTRUMENT)
    half = -5 * FINE - 500_000
    engine.apply(table([trade(1, half, 2, marks=LAST | OFF_GRID)]))
    assert (int(engine.tape.prints(1)["tick"][0]), int(engine.tape.prints(1)["fine"][0])) == (-6, half)
    assert engine.tape.price("high") == (-6, half)
    assert engine.tape.price("close") == (-6, half)


def test_pace_is_a_rate_and_its_ratio_to_the_usual():
    engine = Engine(INSTRUMENT)
    assert engine.tape.pace == (0.0, None)
    quiet = "~500 +101:1 -100:1 " * 600
    engine.apply(script.events("!live " + quiet))
    steady = engine.tape.pace
    assert steady.prints_per_s == pytest.approx(4, abs=0.2)
    assert steady.ratio == pytest.approx(1, abs=0.1)
    engine.apply(script.events("~10 +101:1 -100:1 " * 60, start_ns=int(engine.recv_ns), clock=False))
    assert engine.tape.pace.ratio > 2


def test_session_times_are_those_of_the_flow():
    engine = Engine(INSTRUMENT)
    assert (engine.tape.open, engine.tape.first_ns, engine.tape.price("low")) == (None, NONE, None)
    engine.apply(table([(STATUS, 0, 0, 0, NONE, S_LIVE, LAST), trade(1, 5, 1), trade(1, 6, 1)]))
    assert (engine.tape.first_ns, engine.tape.last_ns) == (START_NS + 2_000_000, START_NS + 3_000_000)
    assert engine.tape.raw_prints == engine.tape.merged_prints == 2


def test_other_lengths_of_meters_and_bars_are_refused():
    engine = Engine(INSTRUMENT)
    with pytest.raises(ValueError, match="30"):
        engine.tape.meter(30)
    with pytest.raises(ValueError, match="5"):
        engine.tape.bars(3, 5)

"""Snapshots against what is plainly in the events."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.events import OFF_GRID
from feeds.instruments import Instrument
from feeds.script import START_NS, events
from tapeview import camera
from tapeview.engine import Engine
from tapeview.engine.state import BIG, BUSTED, HIGH, LOW, OFF_GRID_PRINT
from tapeview.format import Scale
from tapeview.snapshot import (
    PRINT_BIG,
    PRINT_BUSTED,
    PRINT_HIGH,
    PRINT_LOW,
    PRINT_OFF_GRID,
    ROW_ALERT,
    ROW_ALERT_ASK,
    ROW_ALERT_BID,
    ROW_ALERT_EXTREME,
    ROW_ALERT_STRONG,
    ROW_BEST_ASK,
    ROW_BEST_BID,
    ROW_HIGH,
    ROW_LAST,
    ROW_LOW,
    ROW_OFF_GRID,
    ROW_UNKNOWN,
    ROW_UNKNOWN_ASK,
    ROW_UNKNOWN_BID,
    Window,
)  # fmt: skip

INSTRUMENT = Instrument(venue="test", symbol="STORY", tick="0.25")
SCALE = Scale.of(INSTRUMENT)
STORY = "[ b100:5 b99:7 b95:2 a101:3 a103:9 ] ~250 +101:2&a101:1 ~10 +101:1 ~300 -100:1&b100:4 ~900 +103:4&a103:5"


def engine_of(script):
    """An engine that has seen a script."""
    engine = Engine(INSTRUMENT)
    engine.apply(events(script))
    return engine


def test_the_marks_of_prints_are_the_engines():
    ours = (PRINT_HIGH, PRINT_LOW, PRINT_BIG, PRINT_OFF_GRID, PRINT_BUSTED)
    assert ours == (HIGH, LOW, BIG, OFF_GRID_PRINT, BUSTED)


ALERT_BITS = ROW_ALERT | ROW_ALERT_STRONG | ROW_ALERT_EXTREME


def alert_marks(active, **window):
    """Tick -> what the rows say of alerts, where they say something."""
    part = camera.ladder(engine_of(STORY), SCALE, Window(**({"rows": 10, "top": 104} | window)), active)
    return {t: m & ALERT_BITS for t, m in zip(part.tick.tolist(), part.marks.tolist(), strict=True) if m & ALERT_BITS}


def test_rows_with_an_alert_say_its_side_and_grade():
    assert alert_marks([]) == {}
    assert alert_marks([(1, 99, 99, 1)]) == {99: ROW_ALERT_BID}
    assert alert_marks([(-1, 103, 103, 2)]) == {103: ROW_ALERT_ASK | ROW_ALERT_STRONG}
    assert alert_marks([(-1, 101, 103, 3)]) == dict.fromkeys((101, 102, 103), ROW_ALERT_ASK | ROW_ALERT_EXTREME)
    assert alert_marks([(-1, 103, 101, 3)]) == alert_marks([(-1, 101, 103, 3)])
    assert alert_marks([(1, 99, 99, 1), (-1, 99, 99, 1)]) == {99: ROW_ALERT}


def test_alerts_beyond_the_rows_mark_none_and_those_that_reach_in_what_is_seen():
    assert alert_marks([(1, 94, 94, 1), (-1, 105, 200, 1), (1, -500, 0, 2)]) == {}
    assert alert_marks([(-1, 103, 500, 1)]) == {103: ROW_ALERT_ASK, 104: ROW_ALERT_ASK}
    assert alert_marks([(1, 0, 96, 1)]) == {95: ROW_ALERT_BID, 96: ROW_ALERT_BID}


def test_in_coarser_rows_alerts_are_where_their_side_is():
    # Bids round down to their row, asks up, as their sizes do.
    assert alert_marks([(1, 99, 99, 1)], rows=4, top=11, group=10) == {90: ROW_ALERT_BID}
    assert alert_marks([(-1, 101, 101, 1)], rows=4, top=11, group=10) == {110: ROW_ALERT_ASK}
    assert alert_marks([(-1, 100, 100, 1)], rows=4, top=11, group=10) == {100: ROW_ALERT_ASK}


def test_ladder_rows_are_the_levels_at_their_prices():
    part = camera.ladder(engine_of(STORY), SCALE, Window(rows=10, top=104))
    assert part.tick.tolist() == list(range(104, 94, -1))
    assert part.label[0] == "26.00"
    assert dict(zip(part.tick.tolist(), part.bid.tolist(), strict=True)) | {} == {
        **dict.fromkeys(range(95, 105), 0), 100: 4, 99: 7, 95: 2,
    }  # fmt: skip
    assert {t: a for t, a in zip(part.tick.tolist(), part.ask.tolist(), strict=True) if a} == {101: 1, 103: 5}
    assert {t: v for t, v in zip(part.tick.tolist(), part.volume.tolist(), strict=True) if v} == {
        101: 3,
        100: 1,
        103: 4,
    }
    marks = dict(zip(part.tick.tolist(), part.marks.tolist(), strict=True))
    assert marks[100] & ROW_BEST_BID
    assert marks[101] & ROW_BEST_ASK
    assert marks[103] & ROW_LAST
    assert marks[103] & ROW_HIGH
    assert marks[100] & ROW_LOW
    assert (part.last_tick, part.last_direction, part.last_lots, part.last_side) == (103, 1, 4, 1)


@pytest.mark.parametrize("group", [1, 2, 3, 5, 10])
def test_grouping_keeps_every_lot_bids_down_asks_up(group):
    engine = engine_of(STORY)
    part = camera.ladder(engine, SCALE, Window(rows=120 // group, top=110 // group, group=group))
    assert part.bid.sum() == 13
    assert part.ask.sum() == 6
    assert part.volume.sum() == 8
    for row in range(len(part.tick)):
        low = int(part.tick[row])
        assert part.bid[row] == sum(lots for tick, lots in {100: 4, 99: 7, 95: 2}.items() if low <= tick < low + group)
        assert part.ask[row] == sum(lots for tick, lots in {101: 1, 103: 5}.items() if low - group < tick <= low)


def test_sold_and_bought_slide_out_of_their_window():
    engine = engine_of(STORY)
    part = camera.ladder(engine, SCALE, Window(rows=10, top=104, recent_s=1))
    assert (part.bought.sum(), part.sold.sum()) == (4, 1)
    part = camera.ladder(engine, SCALE, Window(rows=10, top=104, recent_s=60))
    assert (part.bought.sum(), part.sold.sum()) == (7, 1)
    part = camera.ladder(engine, SCALE, Window(rows=10, top=104, recent_from_ns=START_NS + 255_000_000))
    assert (part.bought.sum(), part.sold.sum()) == (5, 1)


def test_a_level_between_ticks_has_a_row_of_its_own():
    rows = events("[ b100:5 a103:3 ] b101:7")
    level = rows[-1:]
    level["tick"] = INSTRUMENT.price.read("25.30")[0]
    level["marks"] |= OFF_GRID
    engine = Engine(INSTRUMENT)
    engine.apply(rows)
    part = camera.ladder(engine, SCALE, Window(rows=6, top=104))
    assert part.label == ("26.00", "25.75", "25.50", "25.30", "25.25", "25.00")
    assert part.bid.tolist() == [0, 0, 0, 7, 0, 5]
    assert part.marks[3] & ROW_OFF_GRID


@pytest.mark.parametrize(
    ("group", "top", "bids", "asks"),
    [(1, 105, {97, 96}, {105, 104}), (2, 53, {96, 94, 92, 90, 88}, {106}), (5, 22, {90, 85, 80, 75, 70, 65}, {110})],
)
def test_rows_beyond_what_the_snapshot_told_are_unknown_on_their_own_side(group, top, bids, asks):
    # Told of bids from 98 and asks up to 103; bids round down to their row, asks up.
    engine = engine_of("[ b100:5 b98:7 a101:3 a103:9 ] b96:2")
    part = camera.ladder(engine, SCALE, Window(rows=10, top=top, group=group))
    assert set(part.tick[part.marks & ROW_UNKNOWN_BID != 0].tolist()) == bids
    assert set(part.tick[part.marks & ROW_UNKNOWN_ASK != 0].tolist()) == asks


def test_where_the_market_left_what_the_snapshot_told_the_empty_side_of_the_touch_is_still_known():
    engine = engine_of("[ b100:5 a101:3 ] a101:0 b100:0 b108:5 a110:2 a113:1")
    part = camera.ladder(engine, SCALE, Window(rows=20, top=116))
    assert set(part.tick[part.marks & ROW_UNKNOWN_ASK != 0].tolist()) == {111, 112, 113, 114, 115, 116}
    assert set(part.tick[part.marks & ROW_UNKNOWN_BID != 0].tolist()) == {97, 98, 99}


def test_a_book_that_told_everything_has_no_unknown_rows():
    part = camera.ladder(engine_of("b100:5 a101:3"), SCALE, Window(rows=40, top=120))
    assert not (part.marks & ROW_UNKNOWN).any()


def test_the_tape_unfolds_to_raw_prints_of_the_same_sum():
    engine = engine_of(STORY)
    folded = camera.tape(engine, Window(tape_rows=10))
    first = int(folded.prints[2]["seq"])
    unfolded = camera.tape(engine, Window(tape_rows=10, tape_unfold=frozenset({first})))
    assert folded.prints["lots"].tolist() == [4, 1, 3]
    assert unfolded.depth.tolist() == [0, 0, 0, 1, 1]
    assert unfolded.prints["lots"][unfolded.depth == 1].sum() == folded.prints[2]["lots"]


def test_a_held_tape_counts_what_came_since():
    engine = engine_of(STORY)
    held = int(engine.tape.prints(3)[1]["last_seq"])
    part = camera.tape(engine, Window(tape_rows=10, tape_until=held))
    assert part.prints["lots"].tolist() == [1, 3]
    assert part.newer == 1


def test_the_tape_filter_lists_and_does_not_merge():
    part = camera.tape(engine_of(STORY), Window(tape_rows=10, tape_min_lots=3))
    assert part.prints["lots"].tolist() == [4, 3]


def test_chart_columns_carry_over_quiet_time_and_never_over_a_gap():
    engine = engine_of(STORY + " ~10000 !gap ~10000 +101:1 ~3000")
    part = camera.chart(engine, SCALE, Window(chart_columns=60, chart_s=60))
    known = np.flatnonzero(~np.isnan(part.close))
    gap = np.flatnonzero(part.gap)
    assert len(gap) == 1
    assert not np.isnan(part.close[known[0] : gap[0]]).any()
    assert part.close[known[-1]] == 101


@pytest.mark.parametrize(
    ("elapsed_s", "chosen_s", "span_s"),
    [
        (1, 300, 30), (30, 300, 30), (31, 300, 60), (61, 300, 120), (130, 300, 300), (299, 300, 300), (900, 300, 300),
        (31, 40, 40), (601, 3600, 900), (3601, 14400, 7200), (100_000, 86_400, 86_400),
        (1, 0, 30), (31, 0, 60), (61, 0, 120), (3599, 0, 3600), (3601, 0, 3660),
    ],
)  # fmt: skip
def test_a_chart_spans_no_more_than_its_session_needs(elapsed_s, chosen_s, span_s):
    # From the first print to the newest row, whatever came before that print.
    engine = engine_of(f"~7000 b100:5 +101:1 ~{elapsed_s * 1000} b100:6")
    part = camera.chart(engine, SCALE, Window(chart_columns=60, chart_s=chosen_s))
    assert part.column_ns == span_s * 1_000_000_000 // 60
    assert len(part.close) == 60


def test_before_any_print_a_chart_spans_what_was_asked_for():
    for asked, spanned in ((300, 300), (0, 60)):
        part = camera.chart(engine_of("b100:5 ~9000 b100:6"), SCALE, Window(chart_columns=60, chart_s=asked))
        assert part.column_ns == spanned * 1_000_000_000 // 60


def test_the_first_print_of_a_young_session_is_in_its_chart():
    engine = engine_of("+101:1 ~45000 +105:1")
    part = camera.chart(engine, SCALE, Window(chart_columns=60, chart_s=3600))
    known = np.flatnonzero(~np.isnan(part.close))
    assert part.close[known[0]] == 101
    assert (len(known), part.close[known[-1]]) == (46, 105)


def test_a_users_anchor_is_drawn_from_its_own_prints_only():
    engine = engine_of(STORY)
    slot = engine.anchor("mine")
    later = events("+110:3 ~2000 +112:1 ~1000")
    later["recv_ns"] += 3_000_000_000
    engine.apply(later)
    part = camera.chart(engine, SCALE, Window(chart_columns=60, chart_s=60, anchor=slot))
    assert part.vwap_now == pytest.approx((110 * 3 + 112) / 4)
    drawn = part.vwap[~np.isnan(part.vwap)]
    assert drawn[0] == pytest.approx(110)
    assert drawn[-1] == pytest.approx(110.5)
    assert part.sigma[~np.isnan(part.sigma)][-1] == pytest.approx(
        float(np.sqrt(np.average(np.array([-0.5, 1.5]) ** 2, weights=[3, 1])))
    )


def test_an_anchor_that_is_gone_shows_the_session():
    engine = engine_of(STORY)
    slot = engine.anchor("mine")
    engine.drop_anchor(slot)
    assert camera.chart(engine, SCALE, Window(chart_columns=10, anchor=slot)).anchor_slot == 0


def test_meters_are_none_where_nothing_can_be_known():
    empty = camera.meters(Engine(INSTRUMENT))
    assert empty.imbalance is None
    assert empty.trades == (None, None, None)
    full = camera.meters(engine_of(STORY))
    assert full.imbalance == pytest.approx((13 - 6) / 19)
    assert full.trades[2] == pytest.approx((7 - 1) / 8)
    assert (full.delta, full.buy, full.sell, full.high, full.low) == (6, 7, 1, 103, 100)


def test_a_snapshot_of_an_empty_engine_is_empty_and_fine():
    engine = Engine(INSTRUMENT)
    part = camera.ladder(engine, SCALE, Window(rows=5))
    assert part.bid.sum() == part.ask.sum() == 0
    assert part.best_bid is None
    assert len(camera.tape(engine, Window(tape_rows=5)).prints) == 0
    assert np.isnan(camera.chart(engine, SCALE, Window(chart_columns=5)).close).all()


def test_arrays_are_copies_that_the_engine_cannot_change():
    engine = engine_of(STORY)
    ladder, tape = camera.ladder(engine, SCALE, Window(rows=10, top=104)), camera.tape(engine, Window(tape_rows=5))
    before = ladder.bid.copy(), tape.prints.copy()
    engine.apply(events("b100:99 -100:50 -100:50 -100:50 -100:50"))
    assert np.array_equal(before[0], ladder.bid)
    assert np.array_equal(before[1], tape.prints)

"""The flow that detectors share, against the book it came from."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds import script
from feeds.events import CLOCK, FACT, S_LIVE, Events
from feeds.instruments import Instrument
from tapeview.detectors import _flow
from tapeview.detectors._declare import BOARD
from tapeview.detectors._flow import (
    MINUTE_NS,
    count_volume,
    fit,
    follow_median,
    hear,
    knows_days,
    order_flow,
    relative_volume,
    settle,
)
from tapeview.engine import Engine
from tapeview.engine._jit import call_plain

LOTS = st.integers(1, 1000)
MOVES = st.integers(-5, 5)
FLOW = np.dtype([*_flow.fields()])
CURVE = np.dtype([*_flow.curve_fields()])
DAY_NS = 1440 * MINUTE_NS
START_NS = 19_000 * DAY_NS


@given(bid=LOTS, ask=LOTS, bid_to=LOTS, ask_to=LOTS)
def test_at_unchanged_prices_order_flow_is_what_was_added_to_the_bid_less_the_ask(
    bid: int, ask: int, bid_to: int, ask_to: int
) -> None:
    assert order_flow(100, bid, 101, ask, 100, bid_to, 101, ask_to) == (bid_to - bid) - (ask_to - ask)


@given(bid=LOTS, ask=LOTS, bid_to=LOTS, ask_to=LOTS, up=st.integers(1, 5))
def test_a_better_price_adds_its_whole_queue_and_a_lost_one_takes_it(
    bid: int, ask: int, bid_to: int, ask_to: int, up: int
) -> None:
    assert order_flow(100, bid, 110, ask, 100 + up, bid_to, 110, ask) == bid_to
    assert order_flow(100, bid, 110, ask, 100 - up, bid_to, 110, ask) == -bid
    assert order_flow(100, bid, 110, ask, 100, bid, 110 - up, ask_to) == -ask_to
    assert order_flow(100, bid, 110, ask, 100, bid, 110 + up, ask_to) == ask


@given(moves=st.tuples(MOVES, MOVES), lots=st.tuples(LOTS, LOTS, LOTS, LOTS))
def test_a_mirrored_book_has_the_opposite_flow(moves: tuple[int, int], lots: tuple[int, int, int, int]) -> None:
    b, a = 100, 120
    to = (b + moves[0], lots[2], a + moves[1], lots[3])
    here = order_flow(b, lots[0], a, lots[1], *to)
    assert here == -order_flow(-a, lots[1], -b, lots[0], -to[2], to[3], -to[0], to[1])


def heard(text: str) -> np.ndarray:
    """A memory that has heard a script."""
    rows = script.events(text)
    outcome = Engine(Instrument(venue="test", symbol="X", tick="1")).apply(rows)
    memory = np.zeros(1, FLOW)

    def listen(view, frame) -> None:
        m = view[0]
        for row in frame:
            if m.n_open != 0 and row.recv_ns != m.n_ns:
                settle(m)
            hear(m, row)
        if m.n_open != 0:
            settle(m)

    call_plain(listen, memory, outcome.frame)
    return memory


def test_what_happens_inside_one_receive_time_is_one_change() -> None:
    apart = heard("[ b100:5 a101:5 ] ~10 b100:0 ~10 b99:9 ~10 b101:3")
    joined = heard("[ b100:5 a101:5 b99:9 ] ~10 b100:0&b99:7&b100:8")
    assert int(joined["a_ofi"][0]) == 3
    assert int(apart["a_ofi"][0]) != 3


def test_a_snapshot_a_gap_and_an_empty_side_are_no_flow() -> None:
    assert int(heard("[ b100:5 a101:5 ] ~10 [ b100:900 a101:1 ]")["a_ofi"][0]) == 0
    assert int(heard("[ b100:5 a101:5 ] ~10 !gap ~10 [ b90:7 a91:5 ]")["a_ofi"][0]) == 0
    assert int(heard("[ b100:5 a101:5 ] ~10 a101:0 ~10 a103:4")["a_ofi"][0]) == 0


def test_trades_are_counted_by_side_and_other_prints_are_not() -> None:
    memory = heard("[ b100:5 a101:5 ] ~10 +101:3 ~10 -100:2 ~10 ?100:4")
    assert [int(memory[name][0]) for name in ("a_buy", "a_sell", "a_none", "a_most")] == [3, 2, 4, 4]


def volumes(lots: list[int]) -> np.ndarray:
    """A memory after so many lots in each minute, and one more minute begun."""
    memory = np.zeros(1, CURVE)

    def run(view) -> None:
        m = view[0]
        for at, size in enumerate([*lots, 0]):
            count_volume(m, START_NS + (at + 1) * MINUTE_NS, size, MINUTE_NS, 60.0)

    call_plain(run, memory)
    return memory


def rvol(memory: np.ndarray, now_ns: int, lots: int, least: int = 3) -> float:
    return float(call_plain(lambda view: relative_volume(view[0], now_ns, lots, least), memory))


def test_relative_volume_is_against_the_mean_minute_of_today_without_the_first_part_of_one() -> None:
    memory = volumes([900, 10, 20, 30])
    assert rvol(memory, START_NS + 5 * MINUTE_NS, 60) == 60 / 20
    assert call_plain(lambda view: knows_days(view[0], START_NS + 5 * MINUTE_NS), memory) == 0


def test_relative_volume_is_unknown_before_enough_minutes() -> None:
    assert rvol(volumes([900, 10, 20]), START_NS + 4 * MINUTE_NS, 60) == 0.0


def test_after_five_days_relative_volume_is_against_the_same_minute_of_those_days() -> None:
    memory = np.zeros(1, CURVE)

    def run(view) -> None:
        m = view[0]
        for day in range(6):
            for minute in range(4):
                lots = 100 * (minute + 1)
                count_volume(m, START_NS + day * DAY_NS + (minute + 1) * MINUTE_NS, lots, MINUTE_NS, 60.0)

    call_plain(run, memory)
    now = START_NS + 6 * DAY_NS
    assert rvol(memory, now + 3 * MINUTE_NS, 600) == 2.0
    assert call_plain(lambda view: knows_days(view[0], now + 3 * MINUTE_NS), memory) == 1
    assert call_plain(lambda view: knows_days(view[0], now + 9 * MINUTE_NS), memory) == 0


def test_the_running_median_comes_near_the_median() -> None:
    sizes = np.random.default_rng(2).lognormal(3, 0.5, 4000).astype(int) + 1
    median = 0
    for size in sizes.tolist():
        median = follow_median(median, size)
    assert abs(median / 16 - np.median(sizes)) < 0.15 * np.median(sizes)


def test_words_are_cut_to_leave_room() -> None:
    assert fit("x" * 90, "short") == "short"
    assert len(fit("x" * 90, "y" * 80)) == _flow.ROOM


# -- one pass for several -------------------------------------------------------------------------


def _moments(rows: Events, cuts: list[int]) -> list[tuple[int, ...]]:
    """What `collect` gives at each row that has a moment, with the rows cut anyhow."""
    engine = Engine(Instrument(venue="test", symbol="X", tick="1"))
    memory, board, table = np.zeros(1, _flow.FLOW), np.zeros(1, BOARD), np.zeros(len(rows) + 1, _flow.MOMENT)
    board["moment_at"], board["moment_slots"] = table.ctypes.data, len(table)
    out = []
    for start, end in itertools.pairwise([0, *cuts, len(rows)]):
        done = engine.apply(rows[start:end])
        read = np.flatnonzero(done.news & _flow.COLLECTED).astype(np.uint32)
        call_plain(_flow.collect, done.frame, done.news, read, board, memory)
        out += [tuple(now) for now in table[: np.count_nonzero(done.news & _flow.MOMENTS)].tolist()]
    return out


def _by_itself(rows: Events) -> list[tuple[int, ...]]:
    """The same by a detector that hears every row for itself, and empties its sums on CLOCK rows."""
    engine = Engine(Instrument(venue="test", symbol="X", tick="1"))
    done = engine.apply(rows)
    memory, out = np.zeros(1, FLOW), []

    def listen(m_: Any, frame: Any) -> None:
        m = m_[0]
        for n in np.flatnonzero(done.news & _flow.COLLECTED).tolist():
            row = frame[n]
            if m.n_open != 0 and row.recv_ns != m.n_ns:
                settle(m)
            if row.kind != FACT and (row.kind != CLOCK or row.epoch != m.q_epoch or row.state != S_LIVE):
                hear(m, row)
            if done.news[n] & _flow.MOMENTS:
                out.append(
                    (
                        m.q_bid, m.q_bid_lots, m.q_ask, m.q_ask_lots, m.q_known, m.q_epoch, m.q_since_ns, m.q_lost,
                        m.a_ofi, m.a_buy, m.a_sell, m.a_none, m.a_most,
                    )
                )  # fmt: skip
                m.q_lost = 0
            if row.kind == CLOCK:
                m.a_ofi = m.a_buy = m.a_sell = m.a_none = m.a_most = 0

    call_plain(listen, memory, done.frame)
    return out


BUSY = "[ b99:40 b100:50 a101:50 a102:40 ] " + (
    "~150 b100:54 ~130 a101:47 +101:3 ~110 a101:50&b100:51 ~140 b100:0 -100:1 ~40 b100:30 ?101:2 " * 15
)


@pytest.mark.parametrize("cuts", [[], [1, 2, 3], [57, 130, 131, 260]])
def test_one_pass_gives_every_detector_the_flow_it_would_have_heard_itself(cuts: list[int]) -> None:
    rows = script.events(BUSY + "!gap ~100 [ b99:40 b100:900 a101:5 a102:40 ] ~7000 b100:901 " + BUSY[60:900])
    moments = _moments(rows, cuts)
    assert moments == _by_itself(rows)
    assert any(now[7] for now in moments), "the book was never lost"
    assert sum(now[8] != 0 for now in moments) > 50

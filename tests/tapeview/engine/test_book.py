"""The book against dictionaries, wherever prices lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.events import ASK, BID, BOOK, LAST, NONE, OFF_GRID
from feeds.instruments import Instrument
from tapeview.engine import Engine
from tapeview.engine.state import WINDOW
from tests.kit.reference import NaiveBook
from tests.kit.streams import FINE, level_op, market, table

INSTRUMENT = Instrument(venue="test", symbol="X", tick="1")


def levels(engine: Engine, side: int) -> list[tuple[int, int, int]]:
    """(price, size, orders) in fine units, best first, as the reference gives them."""
    rows = engine.book.bids() if side == BID else engine.book.asks()
    return [
        (
            fine if fine != NONE else tick * FINE,
            fine_lots if fine_lots != NONE else lots * FINE,
            orders,
        )
        for tick, fine, lots, orders, fine_lots in rows.tolist()
    ]


def compare(engine: Engine, naive: NaiveBook) -> None:
    for side in (BID, ASK):
        want = naive.levels(side)
        assert levels(engine, side) == want
        best = engine.book.best_bid if side == BID else engine.book.best_ask
        lots = engine.book.bid_lots if side == BID else engine.book.ask_lots
        if want:
            assert best == want[0][0] // FINE
            assert lots == max(1, (want[0][1] + FINE // 2) // FINE)
        else:
            assert (best, lots) == (None, 0)
        some = engine.book.bids(3) if side == BID else engine.book.asks(3)
        whole = engine.book.bids() if side == BID else engine.book.asks()
        assert some.tolist() == whole[:3].tolist()


@settings(max_examples=150, deadline=None)
@given(st.lists(level_op(), min_size=1, max_size=80))
def test_the_book_equals_a_dictionary_after_every_message(ops):
    rows = table(ops)
    engine, naive = Engine(INSTRUMENT), NaiveBook(instrument=INSTRUMENT)
    for n in range(len(rows)):
        engine.apply(rows[n : n + 1])
        compare(engine, naive.apply(rows[n : n + 1]))


@pytest.mark.parametrize("seed", range(4))
def test_the_book_equals_a_dictionary_over_a_long_wandering_stream(seed):
    rows = market(30_000, seed)
    engine, naive = Engine(INSTRUMENT), NaiveBook(instrument=INSTRUMENT)
    for at in range(0, len(rows), 1499):
        engine.apply(rows[at : at + 1499])
        compare(engine, naive.apply(rows[at : at + 1499]))


def test_a_walk_of_many_windows_moves_the_window_and_loses_nothing():
    ticks = np.arange(0, 6 * WINDOW, 997)
    ops = []
    for tick in ticks.tolist():
        ops += [(BOOK, BID, tick, 1 + tick % 7, NONE, 0, LAST), (BOOK, ASK, tick + 5, 0, NONE, 0, LAST)]
        ops += [(BOOK, ASK, tick + 3000, 2, NONE, 0, LAST)]
    rows = table(ops + ops[::-1])
    engine, naive = Engine(INSTRUMENT), NaiveBook(instrument=INSTRUMENT)
    for at in range(0, len(rows), 101):
        engine.apply(rows[at : at + 101])
        compare(engine, naive.apply(rows[at : at + 101]))
    assert engine.counters["overflow_levels"] > 0
    assert engine.book.rows(-10, 10)[0].tolist() == [
        {p // FINE: s // FINE for p, s, _ in naive.levels(BID)}.get(tick, 0) for tick in range(-10, 10)
    ]


@pytest.mark.parametrize(("spacing", "levels"), [(1, 40), (70, 12), (97, 300), (5000, 8)])
def test_the_next_level_is_found_however_far_it_is(spacing, levels):
    """Mostly deletes of the best levels, so that the search crosses cells, words and groups that were emptied."""
    rng = np.random.default_rng(spacing)
    engine, naive = Engine(INSTRUMENT), NaiveBook(instrument=INSTRUMENT)
    for _ in range(250):
        held = {side: [price // FINE for price, _, _ in naive.levels(side)] for side in (BID, ASK)}
        ops = []
        for side in (BID, ASK):
            ticks = (1000 + side * spacing * rng.integers(-levels, 0, 4)).tolist()
            ops += [(BOOK, side, tick, int(rng.integers(1, 9)), NONE, 0, LAST) for tick in ticks]
            gone = held[side][: int(rng.integers(0, 5))] + held[side][-1:]
            ops += [(BOOK, side, tick, 0, NONE, 0, LAST) for tick in gone]
        rows = table([ops[n] for n in rng.permutation(len(ops))])
        for n in range(len(rows)):
            engine.apply(rows[n : n + 1])
            naive.apply(rows[n : n + 1])
            for side, best in ((BID, engine.book.best_bid), (ASK, engine.book.best_ask)):
                want = naive.levels(side)
                assert best == (want[0][0] // FINE if want else None)
        compare(engine, naive)


def test_levels_between_ticks_are_in_the_order_of_their_exact_prices():
    rng = np.random.default_rng(3)
    engine, naive = Engine(INSTRUMENT), NaiveBook(instrument=INSTRUMENT)
    for _ in range(400):
        ops = []
        for side in (BID, ASK):
            held = [price for price, _, _ in naive.levels(side)]
            for fine in (1000 * FINE - side * rng.integers(0, 12, 2) * (FINE // 4)).tolist():
                off = fine % FINE != 0
                tick = fine if off else fine // FINE
                ops.append((BOOK, side, tick, int(rng.integers(1, 9)), NONE, 0, LAST | (OFF_GRID if off else 0)))
            for fine in held[: int(rng.integers(0, 4))]:
                off = fine % FINE != 0
                ops.append((BOOK, side, fine if off else fine // FINE, 0, NONE, 0, LAST | (OFF_GRID if off else 0)))
        rows = table([ops[n] for n in rng.permutation(len(ops))])
        for n in range(len(rows)):
            engine.apply(rows[n : n + 1])
            compare(engine, naive.apply(rows[n : n + 1]))


def test_thousands_of_levels_beyond_the_window_are_kept():
    rng = np.random.default_rng(5)
    ticks = rng.integers(-(2**50), 2**50, 5000).tolist()
    rows = table([(BOOK, BID, tick, 1 + n % 9, NONE, 0, LAST) for n, tick in enumerate(ticks)])
    engine, naive = Engine(INSTRUMENT), NaiveBook(instrument=INSTRUMENT)
    engine.apply(rows)
    compare(engine, naive.apply(rows))
    gone = table([(BOOK, BID, tick, 0, NONE, 0, LAST) for tick in ticks[::2]])
    engine.apply(gone)
    compare(engine, naive.apply(gone))


def test_a_crossed_book_keeps_both_sides():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("[ b100:5 a101:3 ] b103:2 a99:4"))
    assert engine.book.bids()["tick"].tolist() == [103, 100]
    assert engine.book.asks()["tick"].tolist() == [99, 101]


def test_a_delete_of_an_unknown_level_is_counted_and_harmless():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("[ b100:5 a101:3 ] b98:0 b100000000:0"))
    assert engine.counters["unknown_levels"] == 2
    assert engine.book.bids().tolist() == [(100, NONE, 5, 0, NONE)]


def test_prices_at_the_ends_of_the_integers_are_refused_and_counted():
    ends = [2**62, -(2**62), 2**63 - 1, NONE]
    engine = Engine(INSTRUMENT)
    engine.apply(table([(BOOK, BID, tick, 5, NONE, 0, LAST) for tick in ends]))
    assert engine.counters["bad_rows"] == 4
    assert len(engine.book.bids()) == 0


def test_rows_of_negative_lots_or_no_side_are_refused_and_counted():
    engine = Engine(INSTRUMENT)
    engine.apply(
        table([(BOOK, BID, 5, -1, NONE, 0, LAST), (BOOK, 0, 5, 1, NONE, 0, LAST), (6, 1, 5, -2, NONE, 0, LAST)])
    )
    assert engine.counters["bad_rows"] == 3
    assert len(engine.book.bids()) == 0
    assert engine.tape.totals.trades == 0


def test_dense_rows_show_every_level_of_a_range_and_off_grid_ones_apart():
    engine = Engine(INSTRUMENT)
    half = 99 * FINE + 500_000
    engine.apply(script.events("[ b100:5/3 b98:2 a101:7 a103:1/1 ]"))
    engine.apply(table([(BOOK, BID, half, 4, NONE, 2, LAST | OFF_GRID)]))
    bids, asks, bid_orders, ask_orders = engine.book.rows(97, 104)
    assert bids.tolist() == [0, 2, 0, 5, 0, 0, 0]
    assert asks.tolist() == [0, 0, 0, 0, 7, 0, 1]
    assert bid_orders.tolist() == [0, 0, 0, 3, 0, 0, 0]
    assert ask_orders.tolist() == [0, 0, 0, 0, 0, 0, 1]
    off_bids, off_asks = engine.book.off_grid(97, 104)
    assert off_bids.tolist() == [(99, half, 4, 2, NONE)]
    assert len(off_asks) == 0


def test_a_level_off_the_grid_is_best_by_its_exact_price():
    engine = Engine(INSTRUMENT)
    ask, bid = 100 * FINE + 900_000, 100 * FINE + 400_000
    engine.apply(script.events("[ b100:5 a101:7 ]"))
    engine.apply(table([(BOOK, ASK, ask, 1, NONE, 0, LAST | OFF_GRID), (BOOK, BID, bid, 2, NONE, 0, LAST | OFF_GRID)]))
    assert engine.book.asks(1).tolist() == [(100, ask, 1, 0, NONE)]
    assert engine.book.bids(2).tolist() == [(100, bid, 2, 0, NONE), (100, NONE, 5, 0, NONE)]
    assert engine.book.state_name == "live"
    assert engine.counters["off_grid"] == 2
    through = 100 * FINE + 950_000
    engine.apply(table([(BOOK, BID, through, 2, NONE, 0, LAST | OFF_GRID)]))
    assert engine.book.state_name == "crossed"


def test_imbalance_is_over_the_best_levels_of_both_sides():
    engine = Engine(INSTRUMENT)
    assert engine.book.imbalance is None
    engine.apply(script.events("[ b100:5 b99:5 b98:5 b97:5 b96:5 b95:99 a101:15 ]"))
    assert engine.book.imbalance == (25 - 15) / 40

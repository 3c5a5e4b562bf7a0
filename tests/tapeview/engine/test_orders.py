"""Orders one by one against dictionaries: levels, queues, what is ahead, refills."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.events import ADD, ASK, BID, CANCEL, FILL, KEEPS_PLACE, LAST, MODIFY, NO_BOOK, NONE
from feeds.instruments import Instrument
from tapeview.engine import Engine
from tests.kit.reference import NaiveBook
from tests.kit.streams import FINE, market, order_op, table

INSTRUMENT = Instrument(venue="test", symbol="X", tick="1")


def levels(engine: Engine, side: int) -> list[tuple[int, int, int]]:
    rows = engine.book.bids() if side == BID else engine.book.asks()
    return [(fine if fine != NONE else tick * FINE, lots * FINE, n) for tick, fine, lots, n, _ in rows.tolist()]


def queues(naive: NaiveBook) -> dict[tuple[int, int], list]:
    """(side, price) -> orders in queue order; the reference keeps its dictionary in order of priority."""
    out: dict[tuple[int, int], list] = {}
    for order in naive.orders.values():
        out.setdefault((order.side, order.price), []).append(order)
    return out


def compare(engine: Engine, naive: NaiveBook) -> None:
    assert engine.book.orders == len(naive.orders)
    for side in (BID, ASK):
        assert levels(engine, side) == naive.levels(side)
    for (side, price), queue in queues(naive).items():
        tick, part = divmod(price, FINE)
        there = engine.book.orders_at(side, tick, price if part else NONE)
        assert there["id"].tolist() == [order.order_id for order in queue]
        assert (there["lots"] * FINE).tolist() == [order.size for order in queue]
        ahead = 0
        for n, order in enumerate(queue):
            got = engine.book.order(order.order_id)
            assert (got.side, got.tick, got.lots * FINE) == (side, tick, order.size)
            assert got.fine == (price if part else NONE)
            assert (got.queue_ahead_lots * FINE, got.queue_ahead_orders) == (ahead, n)
            ahead += order.size


@settings(max_examples=120, deadline=None)
@given(st.lists(order_op(), min_size=1, max_size=60))
def test_orders_equal_a_dictionary_after_every_message(ops):
    rows = table(ops)
    engine, naive = Engine(INSTRUMENT), NaiveBook(instrument=INSTRUMENT)
    for n in range(len(rows)):
        engine.apply(rows[n : n + 1])
        compare(engine, naive.apply(rows[n : n + 1]))


@pytest.mark.parametrize("seed", range(2))
def test_orders_equal_a_dictionary_over_a_long_stream(seed):
    rows = market(20_000, seed, orders=True)
    engine, naive = Engine(INSTRUMENT), NaiveBook(instrument=INSTRUMENT)
    for at in range(0, len(rows), 2999):
        engine.apply(rows[at : at + 2999])
        compare(engine, naive.apply(rows[at : at + 2999]))


def test_the_table_of_orders_grows_and_keeps_every_order():
    ops = [
        (ADD, BID if n % 2 else ASK, 1000 + n % 50 * (-1 if n % 2 else 1), 1 + n % 5, n * 7, NONE, LAST)
        for n in range(9000)
    ]
    ops += [(CANCEL, 0, 0, 0, n * 7, NONE, LAST) for n in range(0, 9000, 3)]
    engine = Engine(INSTRUMENT)
    engine.apply(table(ops))
    assert engine.book.orders == 6000
    assert engine.book.order(3 * 7) is None
    assert engine.book.order(4 * 7).lots == 5
    assert engine.book.bids()["orders"].sum() + engine.book.asks()["orders"].sum() == 6000


def test_changes_of_unknown_orders_are_counted_and_change_nothing():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("!live o1b100:5 x9 f9:1 m9b100:3"))
    assert engine.counters["unknown_orders"] == 3
    assert engine.book.bids().tolist() == [(100, NONE, 5, 1, NONE)]


def test_an_add_of_a_known_id_replaces_the_order_and_is_counted():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("!live o1b100:5 o2b100:1 o1b99:3"))
    assert engine.counters["repeated_orders"] == 1
    assert engine.book.bids().tolist() == [(100, NONE, 1, 1, NONE), (99, NONE, 3, 1, NONE)]


def frame_of(engine: Engine, ops: list[tuple[int, ...]]):
    return engine.apply(table(ops)).frame


def test_a_fill_above_the_displayed_lots_is_a_refill_by_the_excess():
    engine = Engine(INSTRUMENT)
    frame = frame_of(engine, [(ADD, ASK, 101, 5, 7, NONE, LAST), (FILL, 0, 0, 8, 7, NONE, LAST)])
    assert frame["refill"].tolist() == [0, 3]
    assert frame["executed"].tolist() == [0, 8]
    assert frame["order_was"].tolist() == [0, 5]
    assert frame["tick"].tolist() == [101, 101]
    assert frame["side"].tolist() == [ASK, ASK]
    assert engine.book.order(7) is None


def test_showing_more_than_was_left_after_a_fill_is_a_refill_and_goes_to_the_back():
    engine = Engine(INSTRUMENT)
    frame = frame_of(
        engine,
        [
            (ADD, ASK, 101, 5, 7, NONE, LAST),
            (ADD, ASK, 101, 9, 8, NONE, LAST),
            (FILL, 0, 0, 3, 7, NONE, LAST),
            (MODIFY, ASK, 101, 5, 7, NONE, LAST),
        ],
    )
    assert frame["refill"].tolist() == [0, 0, 0, 3]
    order = engine.book.order(7)
    assert (order.refills, order.executed, order.hidden, order.peak) == (1, 3, 3, 5)
    assert (order.queue_ahead_lots, order.queue_ahead_orders) == (9, 1)


def test_a_fill_the_book_does_not_show_yet_waits_for_the_change_that_follows():
    engine = Engine(INSTRUMENT)
    ops = [(ADD, BID, 100, 5, 7, NONE, LAST), (FILL, 0, 0, 5, 7, NONE, NO_BOOK), (MODIFY, BID, 100, 5, 7, NONE, LAST)]
    frame = frame_of(engine, ops)
    assert frame["bid_lots"].tolist() == [5, 5, 5]
    assert frame["refill"].tolist() == [0, 0, 5]
    assert engine.book.order(7).refills == 1


def test_a_cancel_after_a_fill_it_states_is_no_refill():
    engine = Engine(INSTRUMENT)
    ops = [(ADD, BID, 100, 5, 7, NONE, LAST), (FILL, 0, 0, 2, 7, NONE, NO_BOOK), (CANCEL, 0, 0, 2, 7, NONE, LAST)]
    ops += [(MODIFY, BID, 100, 2, 7, NONE, LAST)]
    frame = frame_of(engine, ops)
    assert frame["refill"].tolist() == [0, 0, 0, 0]
    assert engine.book.order(7).lots == 2


def test_more_lots_without_a_fill_are_no_refill():
    frame = frame_of(Engine(INSTRUMENT), [(ADD, BID, 100, 5, 7, NONE, LAST), (MODIFY, BID, 100, 50, 7, NONE, LAST)])
    assert frame["refill"].tolist() == [0, 0]


def test_a_change_that_keeps_its_place_keeps_it_even_when_it_grows():
    engine = Engine(INSTRUMENT)
    frame_of(
        engine,
        [
            (ADD, BID, 100, 5, 1, NONE, LAST),
            (ADD, BID, 100, 5, 2, NONE, LAST),
            (MODIFY, BID, 100, 9, 1, NONE, LAST | KEEPS_PLACE),
        ],
    )
    assert engine.book.orders_at(BID, 100)["id"].tolist() == [1, 2]
    assert engine.book.has_orders

"""A book whose levels know their age."""

from __future__ import annotations

import pytest

from feeds.errors import BadInput
from feeds.events import ASK, BID, OFF_GRID, OFF_LOT, EventBuffer
from feeds.instruments import Instrument
from feeds.venues._aged import AgedBook, write_places

ONE = Instrument(venue="x", symbol="y", tick="0.5", lot="0.1")


def book(*levels):
    made = AgedBook(ONE)
    for side, price, size, stamp in levels:
        made.put(side, made.read(price, size, stamp))
    return made


def test_levels_are_best_first_and_a_size_of_0_deletes():
    made = book((BID, "10", "1", 1), (BID, "10.5", "2", 1), (ASK, "12", "3", 1), (ASK, "11", "4", 2))
    assert (made.best(BID).tick, made.best(ASK).tick, len(made)) == (21, 22, 4)
    made.put(BID, made.read("10.5", "0.0", 3))
    made.put(BID, made.read("9", "0", 3))
    assert (made.best(BID).tick, len(made)) == (20, 3)
    assert made.crossing() is None


def test_levels_off_the_grid_have_their_place_among_the_others():
    made = book((BID, "10.5", "1", 1), (BID, "10.25", "1", 1), (ASK, "10.75", "0.15", 1))
    assert made.best(BID).tick == 21
    made.put(BID, made.read("10.5", "0", 2))
    assert made.best(BID).marks == OFF_GRID
    assert made.best(ASK).marks == OFF_GRID | OFF_LOT
    made.put(BID, made.read("10.75", "0.2", 1))
    shown = made.shown()
    assert {(side, row.lots, row.marks & OFF_LOT) for (side, _), row in shown.items()} == {
        (ASK, 0, 0),
        (BID, 500_000, OFF_LOT),
    }


@pytest.mark.parametrize(("price", "size"), [("-1", "1"), ("1", "-1"), ("x", "1"), ("1", "")])
def test_a_level_that_is_none_is_refused(price, size):
    with pytest.raises(BadInput):
        AgedBook(ONE).read(price, size, 0)


def test_rows_are_the_same_whether_one_of_them_is_off_the_grid():
    made = AgedBook(ONE)
    levels = [(BID, made.read("10", "1", 0)), (ASK, made.read("11", "2", 0))]
    odd = (ASK, made.read("11.3", "2", 0))
    plain, mixed = EventBuffer(), EventBuffer()
    assert write_places(levels, (5, 6), 7, 3, 0, plain) == 0
    assert write_places([*levels, odd], (5, 6), 7, 3, 0, mixed) == 1
    assert plain.take().tolist() == mixed.take()[:2].tolist()

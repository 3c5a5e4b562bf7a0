from __future__ import annotations

import pytest

from feeds.errors import BadInput
from feeds.events import ASK, BID, CANCEL, LAST, MODIFY, NONE, EventBuffer
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues import _orders
from feeds.venues._orders import OrderMarket
from feeds.venues.bitfinex import BitfinexOrders

ONE = Instrument(venue="bitfinex-r0", symbol="tX", tick="1", lot="1")


def market():
    return OrderMarket("tX", 0, ONE)


def put(book, ident, side, price, size="1"):
    return book.put(book.change(ident, side, price, size, f"{ident}"))


def queue(book, side):
    return [[one.ident for one in level] for level in book.best(side, 10)]


def test_levels_are_from_the_best_on_and_orders_in_the_order_they_came():
    book = market()
    for ident, side, price in ((1, BID, "99"), (2, BID, "100"), (3, BID, "99"), (4, ASK, "102"), (5, ASK, "101")):
        put(book, ident, side, price)
    assert queue(book, BID) == [[2], [1, 3]]
    assert queue(book, ASK) == [[5], [4]]
    assert book.best(BID, 1) == book.best(BID, 10)[:1]


def test_an_order_keeps_its_place_at_its_price_and_goes_to_the_back_elsewhere():
    book = market()
    for ident, price in ((1, "99"), (2, "99"), (3, "98")):
        put(book, ident, BID, price)
    assert put(book, 1, BID, "99", "7")[1] is not None
    assert queue(book, BID) == [[1, 2], [3]]
    put(book, 1, BID, "98")
    assert queue(book, BID) == [[2], [3, 1]]
    put(book, 1, BID, "99")
    assert queue(book, BID) == [[2, 1], [3]]


def test_a_level_without_orders_is_gone():
    book = market()
    put(book, 1, BID, "99")
    assert book.drop(1) is not None
    assert book.drop(1) is None
    assert queue(book, BID) == []


def test_prices_off_the_grid_stand_between_those_on_it():
    book = market()
    for ident, price in ((1, "99"), (2, "99.5"), (3, "100")):
        put(book, ident, ASK, price)
    assert queue(book, ASK) == [[1], [2], [3]]


def test_what_is_beyond_the_depth_is_cut_on_both_sides():
    book = market()
    book.depth = 1
    for ident, side, price in ((1, BID, "99"), (2, BID, "98"), (3, BID, "98"), (4, ASK, "101"), (5, ASK, "102")):
        put(book, ident, side, price)
    assert sorted(one.ident for one in book.cut()) == [2, 3, 5]
    assert sorted(book.orders) == [1, 4]
    assert book.cut() == []


def test_an_order_that_changes_its_side_leaves_one_book_before_it_enters_the_other():
    venue, out = BitfinexOrders({"tX": (0, ONE)}, Checks()), EventBuffer()
    said = '{"event":"subscribed","channel":"book","chanId":5,"symbol":"tX","prec":"R0"}'
    for frame in (said, "[5,[[11,100,1]]]"):
        venue.on_frame(frame, 1, out)
    out.take()
    venue.on_frame("[5,[11,101,-2]]", 2, out)
    rows = out.take()
    assert rows[["kind", "side", "ref", "marks"]].tolist()[0] == (CANCEL, BID, 11, 0)
    assert rows[["kind", "side", "ref"]].tolist()[1][1:] == (ASK, 11)
    assert rows["kind"][1] != MODIFY
    assert rows["marks"][1] == LAST
    assert venue.checks.unknown_orders == 0
    assert rows["aux"].tolist() == [NONE, NONE]


def test_a_book_has_room_for_so_many_orders_only(monkeypatch):
    monkeypatch.setattr(_orders, "MOST_ORDERS", 3)
    venue, out = BitfinexOrders({"tX": (0, ONE)}, Checks()), EventBuffer()
    said = '{"event":"subscribed","channel":"book","chanId":5,"symbol":"tX","prec":"R0"}'
    for frame in (said, "[5,[[11,100,1],[12,100,1],[13,100,1]]]", "[5,[14,100,1]]"):
        venue.on_frame(frame, 1, out)
    assert (venue.checks.damaged, venue.checks.gaps) == (1, 1)


@pytest.mark.parametrize(("price", "size"), [("-1", "1"), ("1", "-1"), ("x", "1"), ("1", "")])
def test_what_is_no_order_is_refused(price, size):
    with pytest.raises(BadInput):
        market().change(1, BID, price, size, "")

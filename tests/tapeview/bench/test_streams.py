"""The synthetic streams have the shape they claim and never cross."""

from __future__ import annotations

import numpy as np

from feeds.events import ADD, ASK, BID, BOOK, CANCEL, FILL, MODIFY, TRADE
from feeds.instruments import Instrument
from tapeview.bench.streams import level_stream, order_stream
from tests.kit.reference import NaiveBook

INSTRUMENT = Instrument(venue="test", symbol="X", tick="1")


def share(rows: np.ndarray, *kinds: int) -> float:
    return float(np.isin(rows["kind"], kinds).mean())


def test_levels_have_the_shape_of_busy_feeds():
    rows = level_stream(40_000)
    assert 0.09 < share(rows, TRADE) < 0.13
    book = rows[rows["kind"] == BOOK]
    assert 0.48 < (book["side"] == BID).mean() < 0.52
    assert 0.15 < (book["lots"] == 0).mean() < 0.25
    assert (np.diff(rows["recv_ns"]) >= 0).all()


def test_orders_have_the_shape_of_busy_feeds():
    rows = order_stream(60_000)[10_000:]
    assert 0.38 < share(rows, ADD) < 0.50
    assert 0.33 < share(rows, CANCEL) < 0.50
    assert 0.03 < share(rows, MODIFY) < 0.08
    assert share(rows, FILL) == share(rows, TRADE)


def test_both_are_the_same_each_time_and_never_crossed():
    for make in (level_stream, order_stream):
        rows = make(6000)
        assert rows.tobytes() == make(6000).tobytes()
        naive = NaiveBook(instrument=INSTRUMENT)
        for at in range(0, len(rows), 50):
            naive.apply(rows[at : at + 50])
            bids, asks = naive.levels(BID), naive.levels(ASK)
            assert not bids or not asks or bids[0][0] < asks[0][0]

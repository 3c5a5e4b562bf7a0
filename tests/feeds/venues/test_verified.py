"""Levels read at once and levels read one by one are the same rows, texts and verdicts."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import ASK, BID, CHECKED, SUSPECT, EventBuffer
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._levels import OffGridError
from feeds.venues._verified import Depth, Market
from feeds.venues.kraken import Kraken
from feeds.venues.okx import Okx

PRICES = st.integers(1, 12).map(lambda n: f"{n // 2}.{n % 2 * 5}0")
SIZES = st.sampled_from(["0", "0.000", "1", "1.5", "0.001", "12.250", "0.0015"])
SIDE = st.lists(st.tuples(PRICES, SIZES), max_size=6)
MESSAGES = st.lists(st.tuples(SIDE, SIDE, st.booleans()), min_size=1, max_size=8)
ONE = Instrument(venue="x", symbol="X", tick="0.10", lot="0.001")


def crc(market: Market) -> int:
    """A checksum over everything that is kept."""
    return zlib.crc32("|".join(market.sides[BID].top(9) + market.sides[ASK].top(9)).encode())


def make(cls, depth):
    venue = cls({"X": (3, ONE)}, Checks())
    venue.markets["X"].depth = depth
    return venue, venue.markets["X"]


@pytest.mark.parametrize("cls", [Kraken, Okx])
@given(messages=MESSAGES, depth=st.integers(1, 5), wrong=st.booleans())
def test_both_ways_of_reading_levels_give_the_same(cls, messages, depth, wrong):
    (fast, quick), (slow, single) = make(cls, depth), make(cls, depth)
    outs = EventBuffer(), EventBuffer()
    stated = 1 if wrong else None
    for i, (bids, asks, snapshot) in enumerate(messages):
        sides = ((BID, bids), (ASK, asks))
        levels = [
            single.level(side, price, size, single.price_field(price, ONE.price) + single.size_field(size, ONE.size))
            for side, entries in sides
            for price, size in entries
        ]
        told = Depth(levels, snapshot, i, i, stated)
        slow.emit(single, told, i, outs[1], crc)
        try:
            read = [(side, quick.read(entries)) for side, entries in sides]
        except OffGridError:
            assert any(level.marks for level in levels)
            fast.emit(quick, told, i, outs[0], crc)
        else:
            assert not any(level.marks for level in levels)
            fast.emit_read(quick, read, told, i, outs[0], crc)
        assert crc(quick) == crc(single)
    rows, same = (out.take() for out in outs)
    assert rows.tolist() == same.tolist()
    assert fast.checks == slow.checks
    assert not (rows["marks"] & CHECKED).any() or not wrong
    assert not (rows["marks"] & SUSPECT).any() or wrong


@pytest.mark.parametrize("text", ["-1", "-0.000", "x", "", "1e400", "1" * 80])
def test_a_size_that_is_none_is_refused_as_by_the_other_way(text):
    _, market = make(Kraken, 5)
    failed = []
    for read in (lambda: market.read([("1.00", text)]), lambda: market.level(BID, "1.00", text, "")):
        try:
            read()
            failed.append(False)
        except BadInput:
            failed.append(True)
    assert failed[0] == failed[1]


def test_a_price_below_0_is_one_where_the_venue_has_such_and_refused_where_not():
    _, spread = make(Okx, 5)
    (row,) = spread.read([("-1.00", "1")]).rows
    assert int.from_bytes(row[:8], "little", signed=True) == -10
    _, spot = make(Kraken, 5)
    with pytest.raises(BadInput, match="price"):
        spot.read([("-1.00", "1")])

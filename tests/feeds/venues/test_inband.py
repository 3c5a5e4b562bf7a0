"""Streams of every kind, with messages lost, repeated and out of place, against books of plain dictionaries."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import ASK, BID, BOOK, CLEAR, GAP, LAST, S_LIVE, STATUS, EventBuffer
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues.bybit import BybitLinear
from feeds.venues.coinbase import Coinbase
from feeds.venues.deribit import Deribit

ONE = Instrument(venue="x", symbol="X", tick="1", lot="1")


class Message(NamedTuple):
    number: int
    previous: int
    snapshot: bool
    levels: list[tuple[int, int, int]]
    book: dict[int, dict[int, int]]
    """What the venue's book is after it."""


def bybit(one):
    sides = {key: [[str(p), str(q)] for s, p, q in one.levels if s == side] for side, key in ((BID, "b"), (ASK, "a"))}
    data = {"s": "X", "u": one.number, "seq": one.number} | sides
    kind = "snapshot" if one.snapshot else "delta"
    return json.dumps({"topic": "orderbook.50.X", "type": kind, "ts": 5, "cts": 5, "data": data})


def coinbase(one):
    names = {BID: "bid", ASK: "offer"}
    updates = [
        {"side": names[s], "event_time": "2026-01-01T00:00:00Z", "price_level": str(p), "new_quantity": str(q)}
        for s, p, q in one.levels
    ]
    event = {"type": "snapshot" if one.snapshot else "update", "product_id": "X", "updates": updates}
    return json.dumps({"channel": "l2_data", "timestamp": "", "sequence_num": one.number, "events": [event]})


def deribit(one):
    sides = {
        key: [["delete" if q == 0 else "change", p, q] for s, p, q in one.levels if s == side]
        for side, key in ((BID, "bids"), (ASK, "asks"))
    }
    data = {"type": "snapshot" if one.snapshot else "change", "timestamp": 5, "instrument_name": "X"} | sides
    data |= {"change_id": one.number} | ({} if one.snapshot else {"prev_change_id": one.previous})
    return json.dumps({"method": "subscription", "params": {"channel": "book.X.raw", "data": data}})


VENUES = pytest.mark.parametrize(
    ("cls", "write", "counter"),
    [(BybitLinear, bybit, True), (Coinbase, coinbase, True), (Deribit, deribit, False)],
    ids=["bybit", "coinbase", "deribit"],
)
LEVELS = st.lists(
    st.tuples(st.sampled_from([BID, ASK]), st.integers(1, 6), st.integers(0, 3)), max_size=4, unique_by=lambda x: x[:2]
)


@st.composite
def streams(draw, counter):
    """A snapshot, then changes and now and then another snapshot, as a venue would send them."""
    number = draw(st.integers(2, 50))
    book = {BID: {}, ASK: {}}
    out = []
    for i in range(draw(st.integers(2, 14))):
        previous, number = number, number + (1 if counter else draw(st.integers(1, 9)))
        levels = draw(LEVELS)
        snapshot = i == 0 or draw(st.integers(0, 9)) == 0
        if snapshot:
            book = {BID: {}, ASK: {}}
            levels = [level for level in levels if level[2]]
        book = {side: dict(of) for side, of in book.items()}
        for side, price, size in levels:
            book[side][price] = size
        book = {side: {p: q for p, q in of.items() if q} for side, of in book.items()}
        out.append(Message(number, previous, snapshot, levels, book))
    return out


def run(cls, write, messages):
    """The venue, and (live, ref, book) after each of its messages."""
    venue = cls({"X": (0, ONE)}, Checks())
    book, live, states = {BID: {}, ASK: {}}, False, []
    for i, one in enumerate(messages):
        out = EventBuffer()
        venue.on_frame(write(one), i, out)
        ref = None
        for kind, side, tick, lots, ref, aux, marks in out.take()[
            ["kind", "side", "tick", "lots", "ref", "aux", "marks"]
        ].tolist():
            if kind == CLEAR:
                book = {BID: {}, ASK: {}}
            elif kind == BOOK:
                book[side][tick] = lots
            elif kind == STATUS:
                live = aux == S_LIVE
            if marks & LAST and live and kind in (BOOK, STATUS):
                states.append((ref, {side: {p: q for p, q in of.items() if q} for side, of in book.items()}))
    return venue, states


@VENUES
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_whole_stream_gives_the_venues_book_after_every_message(cls, write, counter, data):
    stream = data.draw(streams(counter))
    venue, states = run(cls, write, stream)
    assert dict(states) == {one.number: one.book for one in stream}
    assert (venue.checks.gaps, venue.checks.duplicates, venue.wants()) == (0, 0, [])


@VENUES
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_happens_to_messages_a_live_book_is_the_venues(cls, write, counter, data):
    stream = data.draw(streams(counter))
    truth = {one.number: one.book for one in stream}
    messages = list(stream)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(messages) - 1)) if messages else 0
        fault = data.draw(st.sampled_from(["drop", "repeat", "swap"]))
        if fault == "drop" and messages:
            del messages[at]
        elif fault == "repeat" and messages and not messages[at].snapshot:
            messages.insert(data.draw(st.integers(at + 1, len(messages))), messages[at])
        elif at + 1 < len(messages) and not (messages[at].snapshot or messages[at + 1].snapshot):
            messages[at], messages[at + 1] = messages[at + 1], messages[at]
    _, states = run(cls, write, messages)
    assert all(truth[ref] == book for ref, book in states)


@VENUES
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_lost_change_is_always_found_at_the_next_message(cls, write, counter, data):
    stream = [one for one in data.draw(streams(counter)) if not one.snapshot]
    first = Message(1000, 999, snapshot=True, levels=[], book={})
    at, previous, messages = 1000, 1000, [first]
    for one in stream:
        previous, at = at, at + (1 if counter else 7)
        messages.append(one._replace(number=at, previous=previous))
    if len(messages) < 3:
        return
    lost = data.draw(st.integers(1, len(messages) - 2))
    venue, _ = run(cls, write, messages[:lost] + messages[lost + 1 :])
    assert venue.checks.gaps == 1
    assert [want.what for want in venue.wants()] == ["resubscribe"]
    whole, _ = run(cls, write, messages[: lost + 1] + messages[lost:])
    assert (whole.checks.gaps, whole.checks.duplicates) == (0, 1)


@VENUES
def test_the_rows_of_a_gap_come_before_anything_else_of_the_message_that_shows_it(cls, write, counter):
    venue = cls({"X": (0, ONE)}, Checks())
    venue.no_fetch = True
    out = EventBuffer()
    book = {BID: {}, ASK: {}}
    venue.on_frame(write(Message(5, 4, snapshot=True, levels=[], book=book)), 1, out)
    out.take()
    venue.on_frame(write(Message(9, 8, snapshot=False, levels=[(BID, 3, 2)], book=book)), 2, out)
    rows = out.take()
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS, BOOK]
    assert set(rows["recv_ns"].tolist()) == {2}

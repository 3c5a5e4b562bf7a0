"""dYdX's frames to rows: the counter of a connection, and books that cross."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    CLEAR,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_OPEN_INTEREST,
    GAP,
    IMPLIED,
    LATE,
    LIQUIDATION,
    OTHER,
    REGULAR,
    S_HALTED,
    SELL,
    STATUS,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues.dydx import SYMBOLS_A_SOCKET, Dydx

BTC = Instrument(venue="dydx", symbol="BTC-USD", tick="1", lot="0.1")
WHEN = "2024-01-01T00:00:01.000Z"


class Wire:
    """A connection, its frames numbered."""

    def __init__(self, *instruments):
        chosen = instruments or (BTC,)
        self.venue = Dydx({one.symbol: (n, one) for n, one in enumerate(chosen)}, Checks())
        self.book: dict[tuple[int, int], int] = {}
        self.number = -1

    def send(self, kind, channel="", contents=None, ident="BTC-USD", skip=0):
        self.number += 1 + skip
        frame = {"type": kind, "message_id": self.number, "channel": channel, "id": ident, "contents": contents or {}}
        out = EventBuffer()
        self.venue.on_frame(json.dumps(frame).encode(), self.number, out)
        rows = out.take()
        for row in rows:
            if row["kind"] == CLEAR:
                self.book.clear()
            elif row["kind"] == BOOK:
                self.book[int(row["side"]), int(row["tick"])] = int(row["lots"])
        self.book = {key: lots for key, lots in self.book.items() if lots}
        return rows

    def snapshot(self, bids, asks):
        whole = {
            name: [{"price": str(p), "size": str(s)} for p, s in side]
            for name, side in (("bids", bids), ("asks", asks))
        }
        return self.send("subscribed", "v4_orderbook", whole)

    def update(self, bids=(), asks=(), **more):
        sides = {"bids": [[str(p), str(s)] for p, s in bids], "asks": [[str(p), str(s)] for p, s in asks]}
        return self.send("channel_data", "v4_orderbook", sides, **more)


def test_a_subscription_begins_with_the_book_and_updates_are_absolute():
    wire = Wire()
    wire.send("connected")
    assert wire.snapshot([(100, 1.5)], [(102, 2)])["kind"].tolist() == [CLEAR, BOOK, BOOK, STATUS]
    wire.update([(100, "0.0"), (99, 3)], [(102, 1)])
    assert wire.book == {(BID, 99): 30, (ASK, 102): 10}


def test_of_levels_that_cross_the_older_is_not_shown_and_comes_back_when_it_may():
    wire = Wire()
    wire.snapshot([(100, 1)], [(101, 2), (102, 3)])
    rows = wire.update(bids=[(101, 0.4)])
    assert wire.book == {(BID, 100): 10, (BID, 101): 4, (ASK, 102): 30}
    hidden = rows[(rows["side"] == ASK) & (rows["kind"] == BOOK)]
    assert hidden[["tick", "lots"]].tolist() == [(101, 0)]
    assert (hidden["marks"] & IMPLIED).all()
    assert wire.venue.checks.gaps == 0
    wire.update(bids=[(101, 0)])
    assert wire.book == {(BID, 100): 10, (ASK, 101): 20, (ASK, 102): 30}


def test_of_levels_told_at_one_time_the_smaller_size_is_taken_from_both():
    wire = Wire()
    wire.snapshot([(100, 1)], [(103, 3)])
    wire.update(bids=[(102, 5)], asks=[(101, 2)])
    assert wire.book == {(BID, 100): 10, (BID, 102): 30, (ASK, 103): 30}
    wire.update(asks=[(101, 0)])
    assert wire.book == {(BID, 100): 10, (BID, 102): 50, (ASK, 103): 30}


def uncrossed(levels):
    """The venue's own procedure on plain lists: (price, size, told) of bids, then of asks."""
    bids, asks = (
        sorted(([*one] for one in side), reverse=down) for side, down in zip(levels, (True, False), strict=True)
    )
    while bids and asks and bids[0][0] >= asks[0][0]:
        bid, ask = bids[0], asks[0]
        if bid[2] < ask[2]:
            bids.pop(0)
        elif bid[2] > ask[2]:
            asks.pop(0)
        else:
            less = min(bid[1], ask[1])
            bid[1] -= less
            ask[1] -= less
            bids, asks = bids[not bid[1] :], asks[not ask[1] :]
    return {(BID, p): s for p, s, _ in bids} | {(ASK, p): s for p, s, _ in asks}


changes = st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 3)), max_size=4)


@given(st.lists(changes, max_size=20))
def test_what_is_shown_is_the_venues_procedure_on_the_whole_raw_book(steps):
    wire = Wire()
    wire.snapshot([], [])
    raw: dict[tuple[bool, int], tuple[int, int]] = {}
    for step in steps:
        sides = {flag: [(p, s / 10) for is_bid, p, s in step if is_bid == flag] for flag in (True, False)}
        rows = wire.update(sides[True], sides[False])
        for is_bid in (True, False):
            for price, size in sides[is_bid]:
                raw[is_bid, price] = (round(size * 10), wire.number)
        raw = {key: one for key, one in raw.items() if one[0]}
        told = [[(p, *one) for (is_bid, p), one in raw.items() if is_bid == flag] for flag in (True, False)]
        assert wire.book == uncrossed(told)
        assert rows["marks"][-1] & 1
        tops = [[p for (side, p) in wire.book if side == one] for one in (BID, ASK)]
        assert not tops[0] or not tops[1] or max(tops[0]) < min(tops[1])


def test_a_frame_missed_costs_every_book_of_the_connection_and_its_length_is_told():
    eth = Instrument(venue="dydx", symbol="ETH-USD", tick="1", lot="1")
    wire = Wire(BTC, eth)
    wire.snapshot([(100, 1)], [(102, 2)])
    wire.send("subscribed", "v4_orderbook", {"bids": [{"price": "9", "size": "1"}], "asks": []}, "ETH-USD")
    rows = wire.update([(99, 1)], skip=2)
    gaps = rows[rows["kind"] == GAP]
    assert gaps["inst"].tolist() == [0, 1]
    assert gaps["ref"].tolist() == [2, 2]
    assert {(want.what, want.symbol) for want in wire.venue.wants()} == {
        ("resubscribe", "BTC-USD"),
        ("resubscribe", "ETH-USD"),
    }
    assert BOOK not in wire.update([(99, 1)])["kind"]
    assert wire.snapshot([(99, 1)], [(102, 2)])["kind"].tolist() == [CLEAR, BOOK, BOOK, STATUS]


def test_a_frame_seen_before_is_counted_and_changes_nothing():
    wire = Wire()
    wire.snapshot([(100, 1)], [(102, 2)])
    wire.number -= 1
    assert len(wire.update([(100, 5)])) == 0
    assert wire.venue.checks.duplicates == 1


def test_batches_are_one_message():
    wire = Wire()
    wire.snapshot([(100, 1)], [(102, 2)])
    rows = wire.send("channel_batch_data", "v4_orderbook", [{"bids": [["101", "1"]]}, {"asks": [["102", "0"]]}])
    assert rows["kind"].tolist() == [BOOK, BOOK]
    assert (rows["marks"] & 1).tolist() == [0, 1]


def trade(ident, side="BUY", kind="LIMIT"):
    return {"id": ident, "side": side, "size": "0.5", "price": "100", "type": kind, "createdAt": WHEN}


def test_sides_of_trades_are_the_takers_and_forced_ones_are_of_their_kind():
    wire = Wire()
    first = wire.send("subscribed", "v4_trades", {"trades": [trade("b"), trade("a", "SELL")]})
    assert first[["kind", "side", "aux"]].tolist() == [(TRADE, SELL, LATE), (TRADE, BUY, LATE)]
    told = [trade("c"), trade("d", "SELL", "LIQUIDATED"), trade("e", "BUY", "DELEVERAGED"), trade("a", "SELL")]
    rows = wire.send("channel_data", "v4_trades", {"trades": told})
    assert rows[["side", "aux"]].tolist() == [(BUY, REGULAR), (SELL, LIQUIDATION), (BUY, OTHER)]
    assert (rows["exch_ns"] == 1_704_067_201_000_000_000).all()
    assert wire.venue.checks.duplicates == 1


def test_funding_open_interest_and_the_oracle_are_facts_and_a_pause_is_a_halt():
    wire = Wire()
    market = {"oraclePrice": "43250.5", "openInterest": "987.6", "nextFundingRate": "-0.0001", "status": "ACTIVE"}
    rows = wire.send("subscribed", "v4_markets", {"markets": {"BTC-USD": market, "X-USD": market}}, "")
    assert dict(rows[["aux", "lots"]].tolist()) == {
        F_INDEX_PRICE: 43_250_500_000_000,
        F_FUNDING_RATE: -100_000,
        F_OPEN_INTEREST: 9876,
    }
    halted = wire.send("channel_data", "v4_markets", {"trading": {"BTC-USD": {"status": "PAUSED"}}}, "")
    assert halted[["kind", "aux"]].tolist() == [(STATUS, S_HALTED)]


def test_no_more_symbols_are_asked_for_on_a_connection_than_it_takes():
    names = [f"C{n}-USD" for n in range(SYMBOLS_A_SOCKET + 1)]
    sockets = Dydx.sockets(names)
    assert [len(one.symbols) for one in sockets] == [SYMBOLS_A_SOCKET, 1]
    assert json.loads(sockets[1].frames[0]) == {
        "type": "subscribe", "channel": "v4_orderbook", "id": names[-1], "batched": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("orderbook_subscribed", [CLEAR, *[BOOK] * 6, STATUS]),
        ("orderbook_update", [STATUS]),
        ("trades_subscribed", [TRADE]),
        ("trades_update", [TRADE, TRADE]),
    ],
)
def test_the_venues_own_single_frames_are_read(data, name, kinds):
    raw = (data / "venue-fixtures" / "dydx" / f"ws_{name}.json").read_bytes()
    venue, out = Dydx({"BTC-USD": (0, BTC)}, Checks()), EventBuffer()
    venue.on_frame(raw, 1, out)
    assert out.take()["kind"].tolist() == (kinds if name != "orderbook_update" else [])
    assert venue.checks.damaged == 0


def test_the_venues_own_markets_are_listed(data):
    raw = (data / "venue-fixtures" / "dydx" / "ws_markets_subscribed.json").read_bytes()
    listed = Dydx.read_instruments(raw)
    assert (listed["ETH-USD"].tick, listed["ETH-USD"].lot) == ("0.1", "0.01")

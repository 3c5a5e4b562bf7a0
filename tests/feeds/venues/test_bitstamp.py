"""Bitstamp's books by level, against plain dictionaries and a recorded session."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np

from feeds.events import ASK, BID, BOOK, BUY, CLEAR, GAP, IMPLIED, S_LIVE, SELL, SNAPSHOT, STATUS, TRADE, EventBuffer
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues.bitstamp import Bitstamp, BitstampDiff
from tests.feeds.venues.captured import books_after, frames_of, rows_of, touch

S = 1_000_000_000
T0 = 1_758_000_000_000_000
BTC = Instrument(venue="bitstamp", symbol="btcusd", tick="1", lot="0.1")


class Wire:
    """One symbol's socket, its answers over REST, and the book that the rows make."""

    def __init__(self, venue=BitstampDiff):
        self.venue = venue({"btcusd": (0, BTC)}, Checks())
        self.kind = venue.book
        self.book = {}

    def take(self, out):
        rows = out.take()
        for row in rows:
            if row["kind"] == CLEAR:
                self.book.clear()
            elif row["kind"] == BOOK:
                self.book[int(row["side"]), int(row["tick"])] = int(row["lots"])
        self.book = {key: lots for key, lots in self.book.items() if lots}
        return rows

    def told(self, at, bids, asks):
        pairs = {"bids": [[str(p), str(s)] for p, s in bids], "asks": [[str(p), str(s)] for p, s in asks]}
        return pairs | {"timestamp": "1758000000", "microtimestamp": str(T0 + at)}

    def update(self, at, bids=(), asks=(), recv_s=0):
        frame = {"event": "data", "channel": f"{self.kind}btcusd", "data": self.told(at, bids, asks)}
        return self.frame(frame, recv_s)

    def frame(self, frame, recv_s=0):
        out = EventBuffer()
        self.venue.on_frame(json.dumps(frame).encode(), recv_s * S, out)
        return self.take(out)

    def snapshot(self, at, bids, asks, recv_s=0):
        out = EventBuffer()
        self.venue.on_snapshot("btcusd", json.dumps(self.told(at, bids, asks)).encode(), recv_s * S, out)
        return self.take(out)

    def wants(self):
        return [(want.what, want.why) for want in self.venue.wants()]


def test_updates_wait_for_the_snapshot_and_those_it_holds_are_dropped():
    wire = Wire()
    assert len(wire.update(10, [(100, 1)])) == 0
    assert len(wire.update(20, [(99, 2)])) == 0
    assert wire.wants() == [("snapshot", "updates wait for it")]
    rows = wire.snapshot(15, [(100, 5), (98, 1)], [(102, 3)])
    assert rows["kind"][0] == CLEAR
    assert rows["kind"][-1] == STATUS
    assert rows["aux"][-1] == S_LIVE
    assert (rows["marks"][:-1] & SNAPSHOT).all()
    assert wire.book == {(BID, 100): 50, (BID, 99): 20, (BID, 98): 10, (ASK, 102): 30}
    rows = wire.update(30, [(100, 0)])
    assert wire.book == {(BID, 99): 20, (BID, 98): 10, (ASK, 102): 30}
    assert rows["exch_ns"].tolist() == [(T0 + 30) * 1000]


def test_a_snapshot_older_than_the_oldest_update_is_fetched_again():
    wire = Wire()
    wire.update(10, [(100, 1)])
    wire.wants()
    assert len(wire.snapshot(5, [(100, 5)], [(102, 3)])) == 0
    assert wire.wants() == [("snapshot", "the snapshot is older than the oldest update kept")]
    assert len(wire.snapshot(12, [(100, 5)], [(102, 3)])) > 0


def test_a_quiet_market_has_its_book_before_anything_changes():
    wire = Wire()
    wire.frame({"event": "bts:subscription_succeeded", "channel": "diff_order_book_btcusd", "data": {}})
    assert wire.wants() == [("snapshot", "subscribed")]
    wire.snapshot(5, [(100, 5)], [(102, 3)])
    assert wire.book == {(BID, 100): 50, (ASK, 102): 30}


def test_of_levels_that_cross_the_older_is_removed_and_a_snapshot_follows_in_3_s():
    wire = Wire()
    wire.update(10)
    wire.wants()
    wire.snapshot(10, [(100, 5)], [(101, 9), (102, 3)], recv_s=1)
    rows = wire.update(20, [(101, 2)], recv_s=2)
    assert wire.book == {(BID, 100): 50, (BID, 101): 20, (ASK, 102): 30}
    assert rows[["side", "tick", "lots"]][(rows["marks"] & IMPLIED) != 0].tolist() == [(ASK, 101, 0)]
    assert wire.venue.checks.gaps == 0
    wire.update(30, [(90, 1)], recv_s=4)
    assert wire.wants() == []
    wire.update(40, [(90, 2)], recv_s=5)
    assert wire.wants() == [("snapshot", "compared with the venue's own")]


def test_a_snapshot_each_minute_is_compared_and_replaces_a_book_that_is_wrong():
    wire = Wire()
    wire.update(10, [(100, 5)])
    wire.wants()
    wire.snapshot(10, [(100, 5)], [(102, 3)], recv_s=1)
    wire.update(20, [(99, 1)], recv_s=61)
    assert [what for what, _ in wire.wants()] == ["snapshot"]
    agreeing = wire.snapshot(15, [(100, 5)], [(102, 3)], recv_s=62)
    assert agreeing["kind"].tolist() == [STATUS]
    assert (wire.venue.checks.snapshots, wire.venue.checks.snapshots_failed) == (1, 0)
    wire.update(30, [(98, 1)], recv_s=130)
    wire.wants()
    wire.snapshot(25, [(100, 5), (99, 1)], [(101, 7)], recv_s=131)
    assert (wire.venue.checks.snapshots, wire.venue.checks.snapshots_failed) == (2, 1)
    assert wire.book == {(BID, 100): 50, (BID, 99): 10, (BID, 98): 10, (ASK, 101): 70}


def test_the_end_of_a_connection_costs_the_book_and_what_waits():
    wire = Wire()
    wire.update(10, [(100, 5)])
    wire.snapshot(10, [(100, 5)], [(102, 3)])
    out = EventBuffer()
    wire.venue.on_disconnect(1, out)
    assert wire.take(out)["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert len(wire.update(20, [(90, 1)])) == 0
    assert len(wire.snapshot(15, [(100, 5)], [])) == 0


def test_whole_books_become_what_changed_in_them():
    wire = Wire(Bitstamp)
    rows = wire.update(10, [(100, 5), (99, 1)], [(102, 3), (103, 4)])
    assert rows["kind"].tolist() == [CLEAR, *[BOOK] * 4, STATUS]
    rows = wire.update(20, [(100, 5), (98, 1)], [(101, 1), (102, 3)])
    assert rows[["side", "tick", "lots"]].tolist() == [(BID, 99, 0), (BID, 98, 10), (ASK, 103, 0), (ASK, 101, 10)]
    # The ask at 103 is behind the last one shown: it was pushed out of sight.
    assert (rows["marks"] & IMPLIED != 0).tolist() == [False, False, True, False]
    assert wire.book == {(BID, 100): 50, (BID, 98): 10, (ASK, 101): 10, (ASK, 102): 30}
    assert wire.update(30, [(100, 5), (98, 1)], [(101, 1), (102, 3)])["kind"].tolist() == [STATUS]


def test_a_request_to_reconnect_is_told_as_a_known_end():
    wire = Wire()
    wire.frame({"event": "bts:request_reconnect", "channel": "", "data": ""})
    wire.frame({"event": "bts:error", "channel": "", "data": {"code": 4009, "message": "no"}})
    assert [one.kind for one in wire.venue.notices()] == ["closing", "error"]


def test_the_type_of_a_print_is_the_takers():
    wire = Wire()
    data = {"id": 7, "price_str": "101", "amount_str": "0.30000000", "type": 0, "microtimestamp": str(T0)}
    first = wire.frame({"event": "trade", "channel": "live_trades_btcusd", "data": data})
    assert first[["kind", "side", "tick", "lots", "ref", "exch_ns"]].tolist() == [(TRADE, BUY, 101, 3, 7, T0 * 1000)]
    second = wire.frame({"event": "trade", "channel": "live_trades_btcusd", "data": data | {"id": 8, "type": 1}})
    assert second["side"].tolist() == [SELL]
    assert len(wire.frame({"event": "trade", "channel": "live_trades_btcusd", "data": data})) == 0
    assert wire.venue.checks.duplicates == 1


def test_each_channel_is_asked_for_in_a_frame_of_less_than_512_bytes():
    sockets = BitstampDiff.sockets(f"coin{n}usd" for n in range(501))
    assert [len(one.symbols) for one in sockets] == [500, 1]
    assert max(len(text) for one in sockets for text in one.frames) < 512
    assert all(len(one.frames) <= 1024 for one in sockets)


def test_tick_and_lot_are_the_listed_decimals():
    raw = b'[{"name":"BTC/USD","url_symbol":"btcusd","base_decimals":8,"counter_decimals":0},'
    raw += b'{"name":"XRP/EUR","market_symbol":"xrpeur","base_decimals":8,"counter_decimals":5}]'
    listed = Bitstamp.read_instruments(raw)
    assert [(one.symbol, one.tick, one.lot, one.currency) for one in listed.values()] == [
        ("btcusd", "1", "0.00000001", "USD"),
        ("xrpeur", "0.00001", "0.00000001", "EUR"),
    ]


def test_a_recorded_session_gives_the_books_of_its_snapshots_and_updates(data):
    path = data / "venue-captures" / "BITSTAMP.jsonl.zst"
    reader, rows = rows_of(path)
    assert reader.verification == "unverifiable"
    assert reader.checks.damaged == 0
    updates = {}
    for _, frame in frames_of(path):
        if frame["event"] == "data":
            updates.setdefault(frame["channel"].rpartition("_")[2], []).append(frame["data"])
    assert sum(map(len, updates.values())) == 717
    # What only the stream tells: after its last message every level that it set is as it was set last.
    final = {}
    for name, _, book in books_after(reader, rows):
        final[name.partition(":")[2]] = {side: dict(levels) for side, levels in book.items()}
    crossings = sum("crossed" in text for text in reader.checks.problems)
    for symbol, told in updates.items():
        last = {}
        for one in told:
            for side, levels in ((BID, one["bids"]), (ASK, one["asks"])):
                last |= {(side, Decimal(price)): Decimal(size) for price, size in levels}
        wrong = [key for key, size in last.items() if final[symbol][key[0]].get(key[1], 0) != size]
        assert len(wrong) <= crossings
        bid, _, ask, _ = touch(final[symbol])
        assert bid < ask
    prints = rows[rows["kind"] == TRADE]
    assert len(prints) == 10
    # A print is at the touch of the book: a seller at the bid, a buyer at the ask.
    assert set(np.unique(prints["side"]).tolist()) <= {BUY, SELL}

"""Bitstamp's orders to rows: the chain of events, and a book that begins empty."""

from __future__ import annotations

import json

from feeds.events import (
    ADD,
    ASK,
    BID,
    C_SEQUENCE,
    CANCEL,
    CLEAR,
    FILL,
    GAP,
    LAST,
    MODIFY,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues.bitstamp_l3 import BitstampL3

BTC = Instrument(venue="bitstamp-l3", symbol="btcusd", tick="1", lot="0.1")
T0 = 1_758_000_000_000_000


class Wire:
    """A channel of orders, its events chained."""

    def __init__(self):
        self.venue = BitstampL3({"btcusd": (0, BTC)}, Checks())
        self.last = "e0"
        self.number = 0

    def send(self, event, ident, side, price, amount, at_s=0, lost=0):
        self.number += 1 + lost
        before = self.last if not lost else f"e{self.number - 1}"
        self.last = f"e{self.number}"
        data = {"id_str": str(ident), "order_type": side, "price_str": str(price), "amount_str": amount}
        data |= {"microtimestamp": str(T0 + at_s * 1_000_000), "event_id": self.last, "pre_event_id": before}
        return self.raw({"event": event, "channel": "live_orders_btcusd", "data": data})

    def raw(self, frame):
        out = EventBuffer()
        self.venue.on_frame(json.dumps(frame).encode(), 1, out)
        return out.take()


def shown(rows):
    return rows[["kind", "side", "tick", "lots", "ref"]][rows["kind"] != STATUS].tolist()


def test_the_life_of_an_order_is_added_filled_and_gone():
    wire = Wire()
    first = wire.send("order_created", 11, 0, 100, "1.0")
    assert first["kind"].tolist() == [CLEAR, STATUS, ADD]
    assert first["aux"][1] == S_SYNCING
    assert shown(wire.send("order_changed", 11, 0, 100, "0.4")) == [(FILL, BID, 100, 6, 11)]
    assert shown(wire.send("order_deleted", 11, 0, 100, "0.4")) == [(CANCEL, BID, 100, 4, 11)]


def test_a_deletion_with_nothing_left_is_a_fill_and_finds_the_order_by_id_alone():
    wire = Wire()
    wire.send("order_created", 11, 1, 105, "1.0")
    assert shown(wire.send("order_deleted", 11, 1, 101, "0.00000000")) == [(FILL, ASK, 105, 10, 11)]


def test_an_order_that_moves_or_grows_is_modified():
    wire = Wire()
    wire.send("order_created", 11, 1, 105, "1.0")
    assert shown(wire.send("order_changed", 11, 1, 104, "1.0")) == [(MODIFY, ASK, 104, 10, 11)]
    assert shown(wire.send("order_changed", 11, 1, 104, "1.5")) == [(MODIFY, ASK, 104, 15, 11)]


def test_orders_of_before_the_start_become_known_when_they_change():
    wire = Wire()
    rows = wire.send("order_changed", 9, 0, 99, "2.0")
    added = rows[rows["kind"] == ADD]
    assert (added["marks"] & SNAPSHOT).all()
    gone = wire.send("order_deleted", 8, 0, 98, "2.0")
    assert gone[["kind", "aux"]].tolist() == [(STATUS, S_SYNCING)]
    assert wire.venue.checks.unknown_orders == 2


def test_an_event_missed_costs_the_book_which_begins_anew():
    wire = Wire()
    wire.send("order_created", 11, 0, 100, "1.0")
    rows = wire.send("order_created", 12, 0, 99, "1.0", lost=1)
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS, CLEAR, STATUS, ADD]
    assert rows["lots"][0] == C_SEQUENCE
    assert rows["marks"][-1] & LAST
    assert shown(wire.send("order_deleted", 11, 0, 100, "1.0")) == []
    assert (wire.venue.checks.gaps, wire.venue.checks.resyncs) == (1, 1)


def test_an_event_told_twice_is_counted_and_changes_nothing():
    wire = Wire()
    data = {"id_str": "11", "order_type": 0, "price_str": "100", "amount_str": "1", "microtimestamp": str(T0)}
    frame = {"event": "order_created", "channel": "live_orders_btcusd", "data": data | {"event_id": 5}}
    assert len(wire.raw(frame)) == 3
    assert len(wire.raw(frame)) == 0
    assert wire.venue.checks.duplicates == 1


def live(rows):
    return [int(one) for one in rows["aux"][rows["kind"] == STATUS]][-1:] == [S_LIVE]


def test_the_book_is_not_live_while_an_older_order_may_be_left_at_the_touch():
    wire = Wire()
    wire.send("order_created", 1, 0, 100, "1")
    wire.send("order_created", 2, 1, 110, "1")
    # Bids of before the start may rest between them, until an ask has rested there.
    assert not live(wire.send("order_created", 3, 1, 111, "1", at_s=10))
    assert not live(wire.send("order_created", 4, 1, 101, "1", at_s=10))
    # The ask at 101 rested, so that no older bid is at or above it; it goes, and a bid comes there.
    assert not live(wire.send("order_deleted", 4, 1, 101, "1", at_s=13))
    assert not live(wire.send("order_created", 5, 0, 102, "1", at_s=20))
    # Of the asks nothing is known yet: no bid has rested at or above the best of them.
    assert not live(wire.send("order_created", 6, 1, 112, "1", at_s=23))
    assert not live(wire.send("order_created", 7, 0, 109, "1", at_s=24))
    assert not live(wire.send("order_created", 8, 1, 113, "1", at_s=27))


def test_an_ask_that_rested_at_the_bid_and_a_bid_that_rested_at_the_ask_make_it_whole():
    wire = Wire()
    wire.send("order_created", 1, 0, 100, "1")
    wire.send("order_created", 2, 1, 101, "1")
    wire.send("order_created", 3, 1, 120, "1", at_s=5)  # 100 and 101 rested
    wire.send("order_deleted", 2, 1, 101, "0", at_s=6)
    wire.send("order_created", 4, 0, 104, "1", at_s=7)
    assert not live(wire.send("order_created", 5, 0, 90, "1", at_s=10))  # 104 rested: bids from 101 on are whole
    wire.send("order_deleted", 4, 0, 104, "1", at_s=11)
    wire.send("order_created", 6, 0, 102, "1", at_s=11)
    rows = wire.send("order_created", 7, 1, 103, "1", at_s=12)
    assert live(rows)  # the ask at 103 is below 104, the bid at 102 above 101
    assert rows["kind"].tolist() == [ADD, STATUS]


def test_an_aggressor_that_crosses_for_a_moment_proves_nothing():
    wire = Wire()
    wire.send("order_created", 1, 0, 100, "1")
    wire.send("order_created", 2, 1, 101, "5")
    wire.send("order_created", 3, 0, 300, "1", at_s=5)  # takes from 101
    wire.send("order_changed", 2, 1, 101, "4", at_s=9)
    wire.send("order_deleted", 3, 0, 300, "0", at_s=9)
    assert not live(wire.send("order_created", 4, 1, 120, "1", at_s=10))


def test_orders_and_prints_are_asked_for():
    (socket,) = BitstampL3.sockets(["btcusd"])
    assert [json.loads(text)["data"]["channel"] for text in socket.frames] == [
        "live_orders_btcusd",
        "live_trades_btcusd",
    ]

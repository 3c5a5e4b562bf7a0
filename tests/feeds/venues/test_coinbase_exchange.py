from __future__ import annotations

import json

import pytest

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    BUY,
    C_DAMAGED,
    CLEAR,
    GAP,
    LAST,
    LATE,
    NONE,
    QUOTE,
    REGULAR,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._access import Notice
from feeds.venues.coinbase_exchange import TAKER, CoinbaseExchange

BTC = Instrument(venue="coinbase-exchange", symbol="BTC-USD", tick="0.01", lot="0.00000001")
WHEN = "2014-11-07T08:19:27.028459Z"


def exchange():
    return CoinbaseExchange({"BTC-USD": (2, BTC)}, Checks())


def said(kind, **more):
    return json.dumps({"type": kind, "product_id": "BTC-USD"} | more)


def update(*changes, **more):
    return said("l2update", time=WHEN, changes=[list(one) for one in changes], **more)


def match(number, kind="match", **more):
    return said(
        kind, trade_id=number, sequence=50, time=WHEN, size="5.23", price="400.23", side="sell", **more
    )  # fmt: skip


START = said("snapshot", bids=[["10101.10", "0.45054140"]], asks=[["10102.55", "0.57753524"]])


def run(venue, *frames):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, 100 + i, out)
    return out.take()


def test_a_snapshot_and_an_update_as_documented():
    rows = run(exchange(), START, update(("buy", "10101.80000000", "0.162567"), ("sell", "10102.55", "0")))
    assert rows[["kind", "tick", "lots", "side"]].tolist() == [
        (CLEAR, 0, 0, 0), (BOOK, 1010110, 45054140, BID), (BOOK, 1010255, 57753524, ASK), (STATUS, 0, 0, 0),
        (BOOK, 1010180, 16256700, BID), (BOOK, 1010255, 0, ASK),
    ]  # fmt: skip
    assert rows["marks"].tolist() == [SNAPSHOT, SNAPSHOT, SNAPSHOT | LAST, LAST, 0, LAST]
    assert rows["exch_ns"].tolist() == [NONE] * 4 + [1415348367_028_459_000] * 2
    assert set(rows["ref"].tolist()) == {NONE}


def test_nothing_tells_of_a_lost_update_and_the_book_is_called_so():
    assert CoinbaseExchange.verification == "unverifiable"


def test_a_snapshot_in_mid_stream_replaces_the_book():
    venue = exchange()
    assert run(venue, START, START)["kind"].tolist() == [CLEAR, BOOK, BOOK, STATUS] * 2
    assert (venue.checks.gaps, venue.checks.resyncs) == (0, 0)


def test_updates_before_the_snapshot_are_dropped():
    venue = exchange()
    assert len(run(venue, update(("buy", "1", "1")))) == 0
    assert [want.what for want in venue.wants()] == ["resubscribe"]


@pytest.mark.parametrize("changed", [("buy", "1", "-1"), ("hold", "1", "1"), ("buy", "NaN", "1")])
def test_an_update_that_cannot_be_read_costs_the_book(changed):
    rows = run(exchange(), START, update(changed))[4:]
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert rows["lots"][0] == C_DAMAGED


def test_the_side_of_a_match_is_the_makers():
    assert TAKER == {"sell": BUY, "buy": SELL}
    rows = run(exchange(), match(10))
    assert rows[["kind", "tick", "lots", "side", "ref", "aux", "exch_ns"]].tolist() == [
        (TRADE, 40023, 523000000, BUY, 10, REGULAR, 1415348367_028_459_000),
    ]  # fmt: skip


def test_the_match_told_at_the_subscription_is_late():
    venue = exchange()
    rows = run(venue, match(10, "last_match"), match(11), match(14), match(14), match(14, "last_match"))
    assert rows[["ref", "aux"]].tolist() == [(10, LATE), (11, REGULAR), (14, REGULAR)]
    assert venue.checks.problems == ["coinbase-exchange: BTC-USD: 2 prints missed before 14"]
    assert (venue.checks.duplicates, venue.checks.ignored) == (1, {"print told again": 1})


def test_a_time_of_the_year_1_is_marked():
    rows = run(exchange(), START, said("l2update", time="0001-01-01T00:00:00.000000Z", changes=[["buy", "1", "1"]]))
    assert rows["marks"][-1] & BAD_TIME


def test_a_ticker_tells_the_best_prices():
    best = {"best_bid": "99.90", "best_bid_size": "1", "best_ask": "100.10", "best_ask_size": "2"}
    rows = run(exchange(), said("ticker", sequence=60, time=WHEN, **best), said("ticker", sequence=61))
    assert rows[["kind", "tick", "side", "ref"]].tolist() == [(QUOTE, 9990, BID, NONE), (QUOTE, 10010, ASK, NONE)]


def test_what_the_venue_says_of_the_connection_is_no_market_data():
    venue = exchange()
    run(
        venue, '{"type":"subscriptions","channels":[]}', said("heartbeat", sequence=90, last_trade_id=20, time=WHEN),
        '{"type":"error","message":"Failed to subscribe","reason":"level2 requires authentication"}',
    )  # fmt: skip
    assert venue.notices() == [
        Notice("ack", "subscriptions"), Notice("error", "Failed to subscribe level2 requires authentication"),
    ]  # fmt: skip
    assert venue.checks.ignored == {"ack": 1, "heartbeat": 1, "error": 1}


def test_a_disconnect_forgets_the_book():
    venue, out = exchange(), EventBuffer()
    run(venue, START)
    venue.on_disconnect(900, out)
    assert out.take()["kind"].tolist() == [GAP, CLEAR, STATUS]
    run(venue, START)
    assert venue.checks.resyncs == 1


def test_only_channels_that_need_no_key_are_asked_for():
    (socket,) = CoinbaseExchange.sockets(["BTC-USD"])
    assert json.loads(socket.frames[0]) == {
        "type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["level2_batch", "matches", "ticker", "heartbeat"],
    }  # fmt: skip


def test_a_book_is_asked_for_anew_alone():
    frames = [json.loads(text) for text in exchange().renewal("BTC-USD")]
    assert [one["type"] for one in frames] == ["unsubscribe", "subscribe"]
    assert all((one["channels"], one["product_ids"]) == (["level2_batch"], ["BTC-USD"]) for one in frames)


def test_tick_and_lot_are_what_the_venue_lists():
    listed = [
        {"id": "BTC-USD", "quote_increment": "0.01000000", "base_increment": "0.00000001", "quote_currency": "USD"}
    ]
    found = CoinbaseExchange.read_instruments(json.dumps(listed))["BTC-USD"]
    assert (found.tick, found.lot, found.currency) == ("0.01", "0.00000001", "USD")
    for raw in ("{}", '[{"id":"A"}]', "noise"):
        with pytest.raises(BadInput):
            CoinbaseExchange.read_instruments(raw)

from __future__ import annotations

import json
import zlib

import pytest

from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    C_DAMAGED,
    C_DISCONNECT,
    CHECKED,
    CLEAR,
    GAP,
    IMPLIED,
    LAST,
    NONE,
    S_LIVE,
    S_SYNCING,
    SELL,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._contract import Want
from feeds.venues._kraken import checksum
from feeds.venues.kraken_v1 import KrakenV1, seconds_to_ns

XBT = Instrument(venue="kraken-v1", symbol="XBT/USD", tick="0.00001", lot="0.00000001")
WHEN = "1618678132.136369"
# The vector of Kraken's documentation of the v1 checksum.
VECTOR_ASKS = [f"0.05{i:03d}" for i in range(5, 55, 5)]
VECTOR_BIDS = [
    "0.05000",
    "0.04995",
    "0.04990",
    "0.04980",
    "0.04975",
    "0.04970",
    "0.04965",
    "0.04960",
    "0.04955",
    "0.04950",
]
VECTOR = 974947235


def kraken():
    return KrakenV1({"XBT/USD": (3, XBT)}, Checks())


def frame(*payloads, name="book-10", pair="XBT/USD"):
    return json.dumps([336, *payloads, name, pair]).encode()


def snapshot(asks=VECTOR_ASKS, bids=VECTOR_BIDS, size="0.00000500"):
    return {"as": [[p, size, WHEN] for p in asks], "bs": [[p, size, WHEN] for p in bids]}


def run(venue, *frames, at=10):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, at + i, out)
    return out.take()


def naive_crc(asks, bids):
    """The documented construction, over {price text: size text}."""
    text = ""
    for side, best in ((asks, False), (bids, True)):
        for price in sorted(side, key=float, reverse=best)[:10]:
            text += "".join(part.replace(".", "").lstrip("0") or "0" for part in (price, side[price]))
    return str(zlib.crc32(text.encode()))


def test_the_documented_checksum_vector():
    venue = kraken()
    run(venue, frame(snapshot()))
    assert checksum(venue.markets["XBT/USD"]) == VECTOR


def test_a_snapshot_clears_then_states_every_level_then_says_live():
    rows = run(kraken(), frame(snapshot(["0.06000"], ["0.05000", "0.04000"])))
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, BOOK, STATUS]
    assert rows["tick"].tolist() == [0, 6000, 5000, 4000, 0]
    assert rows["lots"].tolist() == [0, 500, 500, 500, 0]
    assert rows["side"].tolist() == [0, ASK, BID, BID, 0]
    assert rows["marks"].tolist() == [SNAPSHOT, SNAPSHOT, SNAPSHOT, SNAPSHOT | LAST, LAST]
    assert rows["aux"][-1] == S_LIVE
    assert set(rows["inst"].tolist()) == {3}
    assert set(rows["exch_ns"].tolist()) == {1618678132_136369000}
    assert set(rows["ref"].tolist()) == {NONE}


def test_both_sides_in_two_payloads_are_one_message_with_its_checksum_in_the_last():
    sides = (dict.fromkeys(VECTOR_ASKS, "0.00000500"), dict.fromkeys(VECTOR_BIDS, "0.00000500"))
    sides[0]["0.05005"], sides[1]["0.05001"] = "2.00000000", "1.00000000"
    del sides[1]["0.04950"]
    update = frame(
        {"a": [["0.05005", "2.00000000", WHEN]]}, {"b": [["0.05001", "1.00000000", WHEN]], "c": naive_crc(*sides)}
    )
    venue = kraken()
    rows = run(venue, frame(snapshot()), update)[-3:]
    assert rows[["tick", "lots", "side", "marks"]].tolist() == [
        (5005, 200000000, ASK, 0), (5001, 100000000, BID, 0), (4950, 0, BID, IMPLIED | LAST | CHECKED),
    ]  # fmt: skip
    assert (venue.checks.checksums, venue.checks.checksums_failed) == (1, 0)


def test_truncation_is_by_message_and_not_by_level():
    # The new level and the deleted one are in one message: nothing falls out.
    update = {"b": [["0.05001", "1.00000000", WHEN], ["0.05000", "0.00000000", WHEN]]}
    rows = run(kraken(), frame(snapshot()), frame(update))[-2:]
    assert rows["tick"].tolist() == [5001, 5000]
    assert not (rows["marks"] & IMPLIED).any()


def test_a_level_twice_in_one_message_ends_as_the_last_one():
    update = {"a": [["0.05005", "1.00000000", WHEN], ["0.05005", "0.00000000", WHEN], ["0.05005", "3.00000000", WHEN]]}
    sides = (
        dict.fromkeys(VECTOR_ASKS, "0.00000500") | {"0.05005": "3.00000000"},
        dict.fromkeys(VECTOR_BIDS, "0.00000500"),
    )
    rows = run(kraken(), frame(snapshot()), frame(update | {"c": naive_crc(*sides)}))
    assert rows["lots"][-3:].tolist() == [10**8, 0, 3 * 10**8]
    assert rows["marks"][-1] == LAST | CHECKED


def test_a_wrong_checksum_makes_the_book_suspect_and_asks_once_until_a_snapshot_heals_it():
    venue = kraken()
    wrong = frame({"a": [["0.05005", "1.00000000", WHEN]], "c": "1"})
    rows = run(venue, frame(snapshot()), wrong, wrong)
    assert rows["marks"][-2:].tolist() == [LAST | SUSPECT] * 2
    assert venue.wants() == [Want("resubscribe", "XBT/USD", "checksum")]
    assert venue.wants() == []
    run(venue, frame(snapshot()))
    assert (venue.checks.checksums_failed, venue.checks.resyncs) == (2, 1)
    run(venue, wrong)
    assert len(venue.wants()) == 1


def test_updates_before_the_snapshot_are_dropped():
    venue = kraken()
    assert len(run(venue, frame({"a": [["0.05005", "1.00000000", WHEN]], "c": "1"}))) == 0
    assert venue.checks.ignored == {"update before the snapshot": 1}


def test_trades_have_the_side_of_the_taker_and_their_own_time():
    prints = [
        ["0.05000", "1.5", "1534614057.321597", "s", "l", ""],
        ["0.05001", "0.5", "1534614057.324998", "b", "m", ""],
    ]
    rows = run(kraken(), frame(prints, name="trade"))
    assert rows[["kind", "tick", "lots", "side", "ref", "aux", "exch_ns", "marks"]].tolist() == [
        (TRADE, 5000, 150000000, SELL, NONE, 0, 1534614057_321597000, LAST),
        (TRADE, 5001, 50000000, BUY, NONE, 0, 1534614057_324998000, LAST),
    ]


def test_a_depth_message_that_cannot_be_read_costs_the_book():
    venue = kraken()
    rows = run(venue, frame(snapshot()), frame({"a": [["abc", "1.0", WHEN]]}), frame(snapshot()))
    at = rows["kind"].tolist().index(GAP)
    assert rows["kind"][at : at + 3].tolist() == [GAP, CLEAR, STATUS]
    assert (rows["lots"][at], rows["aux"][at + 2]) == (C_DAMAGED, S_SYNCING)
    assert (venue.checks.damaged, venue.checks.gaps, venue.checks.resyncs) == (1, 1, 1)
    assert len(venue.wants()) == 1


def test_a_disconnect_is_a_gap_for_every_symbol_that_was_heard():
    venue, out = kraken(), EventBuffer()
    venue.on_disconnect(5, out)
    assert len(out) == 0
    run(venue, frame(snapshot()))
    venue.on_disconnect(6, out)
    rows = out.take()
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert rows["lots"][0] == C_DISCONNECT
    assert venue.wants() == []


def test_the_depth_comes_from_the_answer_and_from_the_name():
    venue = kraken()
    ack = {"event": "subscriptionStatus", "status": "subscribed", "pair": "XBT/USD", "channelName": "book-25",
           "subscription": {"name": "book", "depth": 25}}  # fmt: skip
    run(venue, json.dumps(ack))
    assert venue.markets["XBT/USD"].depth == 25
    run(venue, frame(snapshot(), name="book-100"))
    assert venue.markets["XBT/USD"].depth == 100


def test_answers_errors_and_pongs_are_notices():
    venue = kraken()
    error = {
        "event": "subscriptionStatus",
        "status": "error",
        "pair": "XBT/USD",
        "errorMessage": "Subscription depth not supported",
        "subscription": {"name": "book", "depth": 42},
    }
    run(venue, json.dumps(error), '{"event":"pong","reqid":1}', '{"event":"heartbeat"}')
    assert [(n.kind, n.text) for n in venue.notices()] == [
        ("error", "book XBT/USD: Subscription depth not supported"), ("pong", ""),
    ]  # fmt: skip
    assert venue.checks.ignored == {"error": 1, "pong": 1, "heartbeat": 1}


@pytest.mark.parametrize(
    ("text", "ns"), [("1618678132.136369", 1618678132136369000), ("1.1234567891", 1123456789), ("5", 5 * 10**9)]
)
def test_seconds_become_ns_without_a_float(text, ns):
    assert seconds_to_ns(text) == ns


def test_what_a_live_client_sends_is_what_the_venue_describes():
    (socket,) = KrakenV1.sockets(["XBT/USD"], depth=10)
    assert socket.url == "wss://ws.kraken.com"
    assert [json.loads(text) for text in socket.frames] == [
        {"event": "subscribe", "pair": ["XBT/USD"], "subscription": {"name": "book", "depth": 10}},
        {"event": "subscribe", "pair": ["XBT/USD"], "subscription": {"name": "trade"}},
    ]

from __future__ import annotations

import json

import pytest

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    C_DAMAGED,
    C_SEQUENCE,
    CHECKED,
    CLEAR,
    GAP,
    LAST,
    LATE,
    REGULAR,
    S_LIVE,
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
from feeds.venues.okx import Okx

BTC = Instrument(venue="okx", symbol="BTC-USDT", tick="0.1", lot="1")
VECTOR = -1881014294
"""CRC32 of 3366.1:7:3366.8:9:3366:6:3368:8, the vector of OKX's documentation."""
SECOND = 10**9


def okx():
    return Okx({"BTC-USDT": (2, BTC)}, Checks())


def books(action, bids=(), asks=(), *, seq=None, prev=None, checksum=0, channel="books"):
    book = {"asks": list(asks), "bids": list(bids), "ts": "1597026383085", "checksum": checksum}
    if seq is not None:
        book |= {"seqId": seq, "prevSeqId": prev}
    return json.dumps({"arg": {"channel": channel, "instId": "BTC-USDT"}, "action": action, "data": [book]}).encode()


def level(price, size, orders="1"):
    return [price, size, "0", orders]


def trades(*prints):
    return json.dumps({"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": list(prints)}).encode()


def a_print(ident, side="buy", size="3"):
    return {
        "instId": "BTC-USDT",
        "tradeId": str(ident),
        "px": "42219.9",
        "sz": size,
        "side": side,
        "ts": "1630048897897",
    }


ACK = b'{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"a"}'
SNAPSHOT_FRAME = books(
    "snapshot",
    [level("3366.1", "7", "4"), level("3366", "6")],
    [level("3366.8", "9"), level("3368", "8")],
    seq=10,
    prev=-1,
)


def run(venue, *frames, at=10):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, at + i, out)
    return out.take()


def test_the_documented_checksum_vector():
    venue = okx()
    bids, asks = [level("3366.1", "7"), level("3366", "6")], [level("3366.8", "9"), level("3368", "8")]
    rows = run(venue, books("snapshot", bids, asks, checksum=VECTOR), books("update", checksum=VECTOR))
    assert (venue.checks.checksums, venue.checks.checksums_failed) == (2, 0)
    assert rows["marks"][-1] == LAST | CHECKED
    rows = run(venue, books("update", [level("3366", "5")], checksum=VECTOR))
    assert rows["marks"][-1] == LAST | SUSPECT
    assert venue.wants() == [Want("resubscribe", "BTC-USDT", "checksum")]


def test_the_longer_side_of_the_checksum_goes_on_alone():
    import zlib

    text = "3366.1:7:3366.8:9:3366:6"
    crc = zlib.crc32(text.encode())
    bids, asks = [level("3366.1", "7"), level("3366", "6")], [level("3366.8", "9")]
    venue = okx()
    run(venue, books("snapshot", bids, asks, checksum=crc - (1 << 32) if crc >> 31 else crc))
    assert (venue.checks.checksums, venue.checks.checksums_failed) == (1, 0)


def test_a_snapshot_states_every_level_with_its_orders():
    rows = run(okx(), SNAPSHOT_FRAME)
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, BOOK, BOOK, STATUS]
    assert rows[["tick", "lots", "side", "aux"]].tolist()[1:5] == [
        (33661, 7, BID, 4), (33660, 6, BID, 1), (33668, 9, ASK, 1), (33680, 8, ASK, 1),
    ]  # fmt: skip
    assert rows["ref"].tolist() == [10] * 6
    assert rows["marks"].tolist() == [SNAPSHOT] * 4 + [SNAPSHOT | LAST, LAST]
    assert rows["aux"][-1] == S_LIVE
    assert set(rows["exch_ns"].tolist()) == {1597026383_085000000}


def test_a_checksum_of_0_is_none():
    venue = okx()
    rows = run(venue, SNAPSHOT_FRAME, books("update", [level("3366", "5")], seq=15, prev=10))
    assert venue.checks.checksums == 0
    assert rows["marks"][-1] == LAST


def test_the_two_oddities_of_the_chain_are_followed():
    venue = okx()
    rows = run(
        venue, SNAPSHOT_FRAME, books("update", seq=10, prev=10), books("update", [level("3366", "5")], seq=3, prev=10),
        books("update", [level("3366", "4")], seq=9, prev=3),
    )  # fmt: skip
    assert venue.checks.gaps == 0
    assert rows[["kind", "ref", "lots"]].tolist()[6:] == [(STATUS, 10, 0), (BOOK, 3, 5), (BOOK, 9, 4)]


def test_a_lost_update_is_a_gap_and_only_a_snapshot_heals_it():
    venue = okx()
    follow = books("update", [level("3366", "4")], seq=30, prev=25)
    rows = run(venue, SNAPSHOT_FRAME, books("update", [level("3366", "5")], seq=25, prev=20), follow, SNAPSHOT_FRAME)
    assert rows["kind"].tolist()[6:9] == [GAP, CLEAR, STATUS]
    assert rows["lots"][6] == C_SEQUENCE
    assert rows["kind"].tolist()[9:] == [CLEAR, BOOK, BOOK, BOOK, BOOK, STATUS]
    assert (venue.checks.gaps, venue.checks.resyncs) == (1, 1)
    assert [want.what for want in venue.wants()] == ["resubscribe"]


def test_a_repeated_update_changes_nothing():
    venue = okx()
    update = books("update", [level("3366", "5")], seq=15, prev=10)
    assert len(run(venue, SNAPSHOT_FRAME, update, update)) == 7
    assert venue.checks.duplicates == 1


def test_the_first_print_after_the_subscription_is_a_repeated_one():
    venue = okx()
    rows = run(venue, ACK, trades(a_print(1)), trades(a_print(2, "sell")), trades(a_print(2)), at=SECOND)
    assert rows[["kind", "tick", "lots", "side", "ref", "aux"]].tolist() == [
        (TRADE, 422199, 3, BUY, 1, LATE), (TRADE, 422199, 3, SELL, 2, REGULAR),
    ]  # fmt: skip
    assert venue.checks.duplicates == 1


def test_a_first_print_long_after_the_subscription_is_a_new_one():
    venue = okx()
    run(venue, ACK, at=0)
    assert run(venue, trades(a_print(1)), at=2 * SECOND)["aux"].tolist() == [REGULAR]


@pytest.mark.parametrize("size", ["0", "0.0", "-1"])
def test_a_print_of_no_size_is_no_print(size):
    assert len(run(okx(), trades(a_print(1, size=size)))) == 0


def test_a_depth_message_that_cannot_be_read_costs_the_book():
    venue = okx()
    rows = run(
        venue, SNAPSHOT_FRAME, books("update", [level("abc", "5")], seq=15, prev=10), books("update", seq=20, prev=15)
    )
    assert rows["kind"].tolist()[6:] == [GAP, CLEAR, STATUS]
    assert rows["lots"][6] == C_DAMAGED


def test_a_second_book_channel_of_a_symbol_is_left_alone():
    venue = okx()
    rows = run(venue, SNAPSHOT_FRAME, books("snapshot", [level("1", "1")], seq=5, prev=-1, channel="books50-l2-tbt"))
    assert len(rows) == 6


def test_negative_prices_are_prices():
    rows = run(okx(), books("snapshot", [level("-12.5", "7")], [level("-12.4", "1")], seq=1, prev=-1))
    assert rows["tick"].tolist()[1:3] == [-125, -124]


def test_notices_of_the_venue():
    venue = okx()
    run(
        venue,
        ACK,
        b"pong",
        b'{"event":"error","code":"60012","msg":"bad","connId":"a"}',
        b'{"event":"notice","code":"64008","msg":"soon"}',
    )
    assert [n.kind for n in venue.notices()] == ["ack", "pong", "error", "closing"]


def test_what_a_live_client_sends_is_what_the_venue_describes():
    (socket,) = Okx.sockets(["BTC-USDT"])
    assert json.loads(socket.frames[0]) == {
        "id": "1", "op": "subscribe",
        "args": [{"channel": "books", "instId": "BTC-USDT"}, {"channel": "trades", "instId": "BTC-USDT"}],
    }  # fmt: skip
    assert Okx.snapshot_url("BTC-USDT") is None
    with pytest.raises(BadInput):
        Okx.read_instruments(b'{"code":"1"}')

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
    C_DISCONNECT,
    C_SEQUENCE,
    CLEAR,
    GAP,
    LAST,
    NONE,
    QUOTE,
    REGULAR,
    S_LIVE,
    S_SYNCING,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._contract import Want
from feeds.venues.binance import BinanceSpot, BinanceUS

ETH = Instrument(venue="binance", symbol="ETHUSDT", tick="0.01", lot="0.0001")
MS = 1723161255308
SNAPSHOT_BODY = {"lastUpdateId": 100, "bids": [["99.90000000", "1.00000000"]], "asks": [["100.10000000", "3.00000000"]]}


def spot():
    return BinanceSpot({"ETHUSDT": (1, ETH)}, Checks())


def depth(first, last, bids=(), asks=(), *, stream="ethusdt@depth@100ms", **more):
    data = {"e": "depthUpdate", "E": MS, "s": "ETHUSDT", "U": first, "u": last, "b": list(bids), "a": list(asks)} | more
    return json.dumps({"stream": stream, "data": data} if stream else data, separators=(",", ":")).encode()


def trade(ident, **more):
    data = {
        "e": "trade",
        "E": MS,
        "s": "ETHUSDT",
        "t": ident,
        "p": "2683.80000000",
        "q": "0.00200000",
        "T": MS,
        "m": True,
        "M": True,
    }
    return json.dumps({"stream": "ethusdt@trade", "data": data | more}).encode()


def run(venue, *frames, at=10):
    out = EventBuffer()
    for i, one in enumerate(frames):
        if isinstance(one, dict):
            venue.on_snapshot("ETHUSDT", json.dumps(one), at + i, out)
        else:
            venue.on_frame(one, at + i, out)
    return out.take()


def test_updates_wait_and_ask_for_a_snapshot_once():
    venue = spot()
    assert len(run(venue, depth(95, 99), depth(100, 105))) == 0
    assert venue.wants() == [Want("snapshot", "ETHUSDT", "updates wait for it")]
    assert venue.wants() == []
    rows = run(venue, SNAPSHOT_BODY, at=50)
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, STATUS, STATUS]
    assert rows["ref"].tolist() == [100, 100, 100, 100, 105]
    assert set(rows["recv_ns"].tolist()) == {50}
    assert rows["exch_ns"].tolist() == [NONE] * 4 + [MS * 10**6]


def test_an_update_states_levels_with_the_event_time_and_the_id_they_end_at():
    rows = run(spot(), SNAPSHOT_BODY, depth(101, 107, [["99.90000000", "0.00000000"]], [["100.00000000", "2.5"]]))[-2:]
    assert rows[["kind", "side", "tick", "lots", "ref", "exch_ns", "marks", "inst"]].tolist() == [
        (BOOK, BID, 9990, 0, 107, MS * 10**6, 0, 1), (BOOK, ASK, 10000, 25000, 107, MS * 10**6, LAST, 1),
    ]  # fmt: skip


def test_an_empty_update_still_moves_the_id():
    rows = run(spot(), SNAPSHOT_BODY, depth(101, 107))
    assert rows[["kind", "aux", "ref", "marks"]].tolist()[-1] == (STATUS, S_LIVE, 107, LAST)


def test_a_snapshot_older_than_the_updates_is_asked_for_again():
    venue = spot()
    run(venue, depth(150, 160), SNAPSHOT_BODY)
    assert [want.symbol for want in venue.wants()] == ["ETHUSDT", "ETHUSDT"]
    rows = run(venue, SNAPSHOT_BODY | {"lastUpdateId": 155})
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, STATUS, STATUS]
    assert venue.checks.gaps == 0


def test_a_hole_empties_the_book_and_asks_for_a_snapshot():
    venue = spot()
    rows = run(venue, SNAPSHOT_BODY, depth(101, 105), depth(107, 110, [["99.90000000", "9.0"]]))
    assert rows["kind"].tolist()[-3:] == [GAP, CLEAR, STATUS]
    assert rows["lots"][-3] == C_SEQUENCE
    assert rows["aux"][-1] == S_SYNCING
    assert rows["marks"].tolist()[-3:] == [0, 0, LAST]
    assert [want.what for want in venue.wants()] == ["snapshot"]
    rows = run(venue, SNAPSHOT_BODY | {"lastUpdateId": 108}, depth(111, 112))
    assert rows["ref"].tolist() == [108, 108, 108, 108, 110, 112]
    assert (venue.checks.gaps, venue.checks.resyncs) == (1, 1)


@pytest.mark.parametrize("price", ["abc", "", "-1", "NaN", "1e999", 5, None])
def test_an_unreadable_update_empties_the_book_at_once(price):
    venue = spot()
    rows = run(venue, SNAPSHOT_BODY, depth(101, 105), depth(106, 110, [[price, "1.0"]]))
    assert rows["kind"].tolist()[-3:] == [GAP, CLEAR, STATUS]
    assert rows["lots"][-3] == C_DAMAGED
    assert [want.what for want in venue.wants()] == ["snapshot"]
    assert venue.checks.damaged == venue.checks.gaps == 1


def test_an_unreadable_update_of_another_stream_leaves_the_book_alone():
    venue = spot()
    other = depth(106, 110, [["abc", "1.0"]], stream="ethusdt@depth@1000ms")
    rows = run(venue, SNAPSHOT_BODY, depth(101, 105), other, depth(106, 107))
    assert rows["ref"][-1] == 107
    assert (venue.checks.damaged, venue.checks.gaps) == (1, 0)


def test_an_unreadable_snapshot_is_damage_and_asked_for_again():
    venue = spot()
    run(venue, depth(95, 99), {"code": -1003, "msg": "Too many requests"})
    assert venue.checks.damaged == 1
    assert len(venue.wants()) == 2


def test_a_snapshot_the_book_has_passed_changes_nothing():
    venue = spot()
    rows = run(venue, SNAPSHOT_BODY, depth(101, 107), SNAPSHOT_BODY, depth(108, 109))
    assert rows["ref"].tolist()[-1] == 109
    assert rows["kind"].tolist().count(CLEAR) == 1


def test_prints_have_the_side_of_the_taker_and_are_told_once():
    venue = spot()
    rows = run(venue, trade(5), trade(6, m=False), trade(6), trade(5), trade(9))
    assert rows[["kind", "tick", "lots", "side", "ref", "aux", "exch_ns", "marks"]].tolist() == [
        (TRADE, 268380, 20, SELL, 5, REGULAR, MS * 10**6, LAST), (TRADE, 268380, 20, BUY, 6, REGULAR, MS * 10**6, LAST),
        (TRADE, 268380, 20, SELL, 9, REGULAR, MS * 10**6, LAST),
    ]  # fmt: skip
    assert venue.checks.duplicates == 2
    assert "2 prints missed" in venue.checks.problems[0]


def test_single_and_aggregate_prints_are_not_counted_twice():
    venue = spot()
    agg = {
        "e": "aggTrade",
        "E": MS,
        "s": "ETHUSDT",
        "a": 77,
        "p": "2683.8",
        "q": "0.002",
        "f": 5,
        "l": 5,
        "T": MS,
        "m": False,
    }
    rows = run(venue, trade(5), json.dumps({"stream": "ethusdt@aggTrade", "data": agg}), trade(6))
    assert rows["ref"].tolist() == [5, 6]
    assert run(spot(), json.dumps(agg))[["ref", "side"]].tolist() == [(77, BUY)]


@pytest.mark.parametrize("size", ["0.00000000", "0", "-1"])
def test_a_print_of_no_size_is_no_print(size):
    venue = spot()
    assert len(run(venue, trade(5, q=size))) == 0
    assert sum(venue.checks.ignored.values()) == 1


def test_quotes_have_no_time_and_raw_frames_are_read_as_combined_ones():
    quote = {"u": 400900217, "s": "ETHUSDT", "b": "25.35190000", "B": "31.2100", "a": "25.36520000", "A": "40.6600"}
    for frame in (json.dumps(quote), json.dumps({"stream": "ethusdt@bookTicker", "data": quote})):
        venue = BinanceSpot(
            {"ETHUSDT": (1, Instrument(venue="b", symbol="ETHUSDT", tick="0.0001", lot="0.01"))}, Checks()
        )
        rows = run(venue, frame, frame.encode())
        assert rows[["kind", "tick", "lots", "side", "ref", "exch_ns", "marks"]].tolist() == [
            (QUOTE, 253519, 3121, BID, 400900217, NONE, 0), (QUOTE, 253652, 4066, ASK, 400900217, NONE, LAST),
        ] * 2  # fmt: skip


def test_raw_depth_frames_make_the_same_rows():
    raw = [depth(101, 107, [["99.90000000", "0.00000000"]], stream=""), depth(108, 109, stream="")]
    combined = [depth(101, 107, [["99.90000000", "0.00000000"]]), depth(108, 109)]
    assert run(spot(), SNAPSHOT_BODY, *raw).tolist() == run(spot(), SNAPSHOT_BODY, *combined).tolist()


def test_microseconds_are_told_from_milliseconds():
    rows = run(spot(), trade(1, T=MS * 1000 + 7), trade(2, T=0))
    assert rows["exch_ns"].tolist() == [MS * 10**6 + 7_000, 0]
    assert rows["marks"].tolist() == [LAST, LAST | BAD_TIME]


def test_other_depth_streams_of_a_symbol_are_left_alone():
    venue = spot()
    partial = json.dumps({"stream": "ethusdt@depth20@100ms", "data": {"lastUpdateId": 5, "bids": [], "asks": []}})
    rows = run(venue, SNAPSHOT_BODY, depth(101, 107), depth(101, 120, stream="ethusdt@depth"), partial, depth(108, 109))
    assert rows["ref"].tolist()[-2:] == [107, 109]
    assert venue.checks.gaps == 0


def test_a_name_that_carries_another_kind_of_event_is_still_read_right():
    venue = spot()
    moved = trade(3).replace(b"ethusdt@trade", b"ethusdt@depth@100ms")
    rows = run(venue, SNAPSHOT_BODY, depth(101, 107), depth(108, 109), moved, depth(110, 111))
    assert rows["kind"].tolist()[-4:] == [STATUS, STATUS, TRADE, STATUS]
    assert venue.checks.damaged == 0


def test_unknown_kinds_and_symbols_are_counted():
    venue = spot()
    kline = {"stream": "ethusdt@kline_1m", "data": {"e": "kline", "E": 1, "s": "ETHUSDT", "k": {"o": "1"}}}
    run(
        venue,
        json.dumps(kline),
        trade(1, s="DOGEUSDT"),
        b'{"result":null,"id":1}',
        b'{"code":2,"msg":"Invalid request"}',
    )
    assert venue.checks.ignored == {"kline": 1, "other symbols": 1, "ack": 1, "error": 1}
    assert [(n.kind, n.text) for n in venue.notices()] == [("ack", "1"), ("error", "Invalid request")]
    run(venue, b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}')
    assert [n.kind for n in venue.notices()] == ["closing"]


def test_no_number_of_kinds_makes_the_count_grow_without_bound():
    venue = spot()
    run(venue, *(json.dumps({"e": f"kind{i}\x1b[31m"}) for i in range(1_000)))
    assert len(venue.checks.ignored) <= 201
    assert sum(venue.checks.ignored.values()) == 1_000
    assert not any("\x1b" in kind for kind in venue.checks.ignored)


def test_a_disconnect_is_a_gap_and_the_next_connection_starts_anew():
    venue, out = spot(), EventBuffer()
    run(venue, SNAPSHOT_BODY, depth(101, 107))
    venue.on_disconnect(99, out)
    rows = out.take()
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert (rows["lots"][0], rows["recv_ns"][0]) == (C_DISCONNECT, 99)
    assert len(run(venue, depth(108, 110, stream="ethusdt@depth"))) == 0
    assert [want.what for want in venue.wants()] == ["snapshot"]


def test_a_snapshot_without_levels_is_an_empty_book():
    rows = run(spot(), {"lastUpdateId": 7, "bids": [], "asks": []})
    assert rows[["kind", "marks"]].tolist() == [(CLEAR, SNAPSHOT | LAST), (STATUS, LAST)]


def test_what_a_live_client_needs():
    (socket,) = BinanceSpot.sockets(["ETHUSDT"])
    assert socket.url == (
        "wss://stream.binance.com:9443/stream?streams=ethusdt@depth@100ms/ethusdt@trade/ethusdt@bookTicker"
    )
    assert BinanceSpot.snapshot_url("ethusdt") == "https://api.binance.com/api/v3/depth?symbol=ETHUSDT&limit=5000"
    assert BinanceUS.snapshot_url("X").startswith("https://api.binance.us/")
    with pytest.raises(BadInput):
        BinanceSpot.read_instruments(b"<html>")


# -- the end of what is known -------------------------------------------------------------------------
def quote(bid, ask, number=1):
    data = {"u": number, "s": "ETHUSDT", "b": bid, "B": "1.0000", "a": ask, "A": "1.0000"}
    return json.dumps({"stream": "ethusdt@bookTicker", "data": data}).encode()


def body(at, best_bid, best_ask, levels=200):
    """A snapshot of so many levels a side, a tick apart."""
    bids = [[f"{best_bid - n / 100:.2f}", "1.00000000"] for n in range(levels)]
    asks = [[f"{best_ask + n / 100:.2f}", "2.00000000"] for n in range(levels)]
    return {"lastUpdateId": at, "bids": bids, "asks": asks}


def book_of(rows):
    book = {}
    for kind, side, tick, lots in rows[["kind", "side", "tick", "lots"]].tolist():
        if kind == CLEAR:
            book.clear()
        elif kind == BOOK:
            book[side, tick] = lots
    return {key: lots for key, lots in book.items() if lots}


@pytest.fixture
def narrow(monkeypatch):
    """A venue whose snapshots end after 200 levels."""
    monkeypatch.setattr(BinanceSpot, "snapshot_path", "/api/v3/depth?symbol={symbol}&limit=200")
    venue = spot()
    rows = run(venue, depth(95, 99), body(99, 100.00, 100.01), depth(100, 101, [["99.95000000", "3.0000"]]))
    venue.wants()
    return venue, rows


def test_near_the_end_of_what_is_known_a_wider_snapshot_is_fetched_and_joined_without_a_hole(narrow):
    venue, _ = narrow
    assert len(run(venue, quote("98.50", "98.51"))) == 2, "a quarter of it is left"
    assert venue.wants() == []
    run(venue, quote("98.40", "98.41"))
    (want,) = venue.wants()
    assert (want.what, want.symbol) == ("snapshot", "ETHUSDT")
    run(venue, quote("98.30", "98.31"))
    assert venue.wants() == [], "asked once"
    went_on = run(venue, depth(102, 103, [["98.20000000", "7.0000"]]), depth(104, 105, [["98.19000000", "0.0000"]]))
    assert book_of(went_on), "the book goes on meanwhile"
    rows = run(venue, body(103, 98.30, 98.31), at=60)
    assert not (rows["kind"] == GAP).any()
    assert (rows["marks"][rows["kind"] == BOOK] & SNAPSHOT != 0).all(), "a book sent anew is no news"
    wanted = {(BID, 9830 - n): 10_000 for n in range(200)} | {(ASK, 9831 + n): 20_000 for n in range(200)}
    wanted.pop((BID, 9819))
    assert book_of(rows) == wanted
    assert (venue.checks.gaps, venue.checks.problems) == (0, [])
    after = run(venue, depth(106, 107, [["98.00000000", "1.0000"]]))
    assert after["ref"].tolist() == [107], "the chain goes on"
    run(venue, quote("98.30", "98.31", 2))
    assert venue.wants() == [], "its end is far again"


def test_a_snapshot_that_does_not_join_a_live_book_is_asked_for_again_and_the_book_goes_on(narrow):
    venue, _ = narrow
    run(venue, quote("98.40", "98.41"))
    assert len(venue.wants()) == 1
    assert len(run(venue, body(90, 98.30, 98.31))) == 0
    assert len(venue.wants()) == 1
    assert run(venue, depth(102, 103, [["98.20000000", "7.0000"]]))["ref"].tolist() == [103]
    assert len(run(venue, body(95, 98.30, 98.31))) == 0, "older than the first update kept"
    assert len(venue.wants()) == 1
    assert (run(venue, body(110, 98.30, 98.31))["kind"] == CLEAR).sum() == 1
    assert len(run(venue, depth(104, 110, [["98.20000000", "7.0000"]]))) == 0, "the snapshot holds it"


def test_a_book_that_ends_before_the_snapshot_does_has_no_end_to_watch(monkeypatch):
    monkeypatch.setattr(BinanceSpot, "snapshot_path", "/api/v3/depth?symbol={symbol}&limit=500")
    venue = spot()
    run(venue, depth(95, 99), body(99, 100.00, 100.01), depth(100, 101, [["99.95000000", "3.0000"]]))
    venue.wants()
    run(venue, quote("98.05", "98.06"))
    assert venue.wants() == []


def test_a_gap_while_a_wider_snapshot_is_on_its_way_is_a_gap_like_any_other(narrow):
    venue, _ = narrow
    run(venue, quote("98.40", "98.41"))
    venue.wants()
    rows = run(venue, depth(150, 151))
    assert (rows["kind"] == GAP).sum() == 1
    rows = run(venue, body(150, 98.30, 98.31))
    assert rows["aux"][rows["kind"] == STATUS].tolist()[-1] == S_LIVE

from __future__ import annotations

import json

import pytest

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BID,
    BLOCK,
    BOOK,
    BUY,
    C_DAMAGED,
    C_SEQUENCE,
    CLEAR,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_OPEN_INTEREST,
    FACT,
    GAP,
    LAST,
    LIQUIDATION,
    NONE,
    QUOTE,
    REGULAR,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._access import Notice
from feeds.venues.deribit import TAKER, Deribit
from tests.feeds.venues.captured import books_after, change, frames_of, rows_of, touch

PERPETUAL = Instrument(venue="deribit", symbol="BTC-PERPETUAL", tick="0.5", lot="10")
S = "BTC-PERPETUAL"


def deribit():
    return Deribit({S: (2, PERPETUAL)}, Checks())


def told(channel, data):
    return json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}})


def book(kind, at, bids=(), asks=(), channel=f"book.{S}.100ms", **more):
    data = {"type": kind, "timestamp": 1699999999500, "instrument_name": S, "change_id": at} | more
    return told(channel, data | {"bids": list(bids), "asks": list(asks)})


def delta(at, previous, bids=(), asks=(), **more):
    return book("change", at, bids, asks, prev_change_id=previous, **more)


def trades(*prints):
    one = {
        "timestamp": 1765531356452, "price": 92294.5, "amount": 10.0, "direction": "sell", "instrument_name": S,
        "trade_id": "403691824",
    }  # fmt: skip
    return told(f"trades.{S}.100ms", [one | more for more in prints])


START = book("snapshot", 10, [["new", 42500.0, 1000.0], ["new", 42499.5, 500]], [["new", 42501.0, 8e2]])


def run(venue, *frames):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, 100 + i, out)
    return out.take()


def test_a_snapshot_states_every_level():
    rows = run(deribit(), START)
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, BOOK, STATUS]
    assert rows[["tick", "lots", "side"]].tolist()[1:4] == [(85000, 100, BID), (84999, 50, BID), (85002, 80, ASK)]
    assert set(rows["exch_ns"].tolist()) == {1699999999_500_000_000}
    assert set(rows["ref"].tolist()) == {10}
    assert rows["marks"].tolist() == [SNAPSHOT] * 3 + [SNAPSHOT | LAST, LAST]


def test_numbers_are_read_as_they_are_written():
    fine = Instrument(venue="deribit", symbol=S, tick="0.00000001", lot="0.1")
    venue = Deribit({S: (0, fine)}, Checks())
    text = book("snapshot", 1, [["new", 7, 7]]).replace('"new", 7, 7', '"new", 9007199254.74099301, 1e-1')
    rows = run(venue, text)
    assert rows[["tick", "lots"]].tolist()[1] == (900719925474099301, 1)
    quoted = book("change", 2, [["change", 7, 7]], prev_change_id=1).replace('"change", 7, 7', '"change", "7", 7')
    run(venue, quoted)
    assert venue.checks.damaged == 1


def test_changes_follow_by_the_previous_id_which_is_no_counter():
    rows = run(
        deribit(), START, delta(17, 10, [["change", 42500.0, 950.0]], [["delete", 42501.0, 0.0]]), delta(90, 17),
    )[5:]  # fmt: skip
    assert rows[["kind", "tick", "lots", "side", "ref", "marks"]].tolist() == [
        (BOOK, 85000, 95, BID, 17, 0), (BOOK, 85002, 0, ASK, 17, LAST), (STATUS, 0, 0, 0, 90, LAST),
    ]  # fmt: skip
    assert rows["aux"][2] == S_LIVE


def test_a_delete_removes_the_level_whatever_its_amount_says():
    assert run(deribit(), START, delta(17, 10, [["delete", 42500.0, 950.0]]))["lots"][5] == 0


def test_a_lost_change_is_a_gap_that_a_snapshot_heals():
    venue = deribit()
    rows = run(venue, START, delta(30, 17), delta(35, 30), book("snapshot", 40, [["new", 42500.0, 10]]))[5:]
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS, CLEAR, BOOK, STATUS]
    assert rows[["lots", "ref"]].tolist()[0] == (C_SEQUENCE, NONE)
    assert (venue.checks.gaps, venue.checks.resyncs) == (1, 1)
    assert [want.what for want in venue.wants()] == ["resubscribe"]


def test_a_repeated_change_changes_nothing():
    venue = deribit()
    update = delta(17, 10, [["change", 42500.0, 950.0]])
    assert len(run(venue, START, update, update, delta(20, 17), update)) == 7
    assert (venue.checks.duplicates, venue.checks.gaps) == (2, 0)


def test_a_snapshot_in_mid_stream_replaces_the_book():
    venue = deribit()
    rows = run(venue, START, book("snapshot", 5, [["new", 1.0, 10]]), delta(6, 5, [["new", 1.5, 10]]))[5:]
    assert rows["kind"].tolist() == [CLEAR, BOOK, STATUS, BOOK]
    assert venue.checks.gaps == 0


@pytest.mark.parametrize("bids", [[["new", 42500.0, -1]], [["moved", 42500.0, 1]], [["new", 42500.0]], [["new", "a"]]])
def test_a_change_that_cannot_be_read_costs_the_book(bids):
    venue = deribit()
    rows = run(venue, START, delta(17, 10, bids))[5:]
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert rows["lots"][0] == C_DAMAGED


def test_a_change_without_the_id_before_it_costs_the_book():
    assert run(deribit(), START, book("change", 17))["kind"].tolist()[5:] == [GAP, CLEAR, STATUS]


def test_grouped_books_and_second_channels_are_not_mixed_in():
    venue = deribit()
    grouped = told(f"book.{S}.none.10.100ms", {"instrument_name": S, "change_id": 5, "bids": [[1, 2]], "asks": []})
    raw = book("snapshot", 50, channel=f"book.{S}.raw")
    assert len(run(venue, START, grouped, raw)) == 5
    assert venue.checks.ignored == {"grouped book": 1, f"second book.{S}.raw": 1}


def test_the_direction_of_a_trade_is_the_takers_and_its_number_counts():
    assert TAKER == {"buy": BUY, "sell": SELL}
    venue = deribit()
    rows = run(venue, trades({"trade_seq": 5}, {"trade_seq": 6, "direction": "buy"}), trades({"trade_seq": 9}))
    assert rows[["kind", "tick", "lots", "side", "ref", "aux"]].tolist() == [
        (TRADE, 184589, 1, SELL, 5, REGULAR), (TRADE, 184589, 1, BUY, 6, REGULAR), (TRADE, 184589, 1, SELL, 9, REGULAR),
    ]  # fmt: skip
    assert set(rows["exch_ns"].tolist()) == {1765531356_452_000_000}
    assert venue.checks.problems == ["deribit: BTC-PERPETUAL: 2 prints missed before 9"]
    run(venue, trades({"trade_seq": 9}))
    assert venue.checks.duplicates == 1


def test_a_liquidation_is_told_once_for_each_side_closed_by_force():
    rows = run(
        deribit(), trades({"trade_seq": 1, "liquidation": "T"}, {"trade_seq": 2, "liquidation": "M"},
        {"trade_seq": 3, "liquidation": "MT"}),
    )  # fmt: skip
    assert rows[["kind", "side", "aux", "lots"]].tolist() == [
        (TRADE, SELL, LIQUIDATION, 1),
        (TRADE, SELL, REGULAR, 1), (FACT, BUY, F_LIQUIDATION, 1),
        (TRADE, SELL, LIQUIDATION, 1), (FACT, BUY, F_LIQUIDATION, 1),
    ]  # fmt: skip


def test_a_block_trade_is_of_that_kind():
    assert run(deribit(), trades({"trade_seq": 1, "block_trade_id": "154"}))["aux"].tolist() == [BLOCK]
    assert run(deribit(), trades({"trade_seq": 1, "block_trade_id": None}))["aux"].tolist() == [REGULAR]


def test_a_ticker_tells_facts_and_the_best_prices_once_a_second_where_nothing_changes():
    data = {
        "timestamp": 1765541474086, "instrument_name": S, "mark_price": 92281.78, "index_price": 92263.55,
        "open_interest": 1132329370.0, "funding_8h": 0.00001742, "current_funding": 0.5, "best_bid_price": 92283.5,
        "best_bid_amount": 117660.0, "best_ask_price": None, "best_ask_amount": 0.0,
    }  # fmt: skip
    frames = [told(f"ticker.{S}.100ms", data | {"timestamp": data["timestamp"] + ms}) for ms in (0, 100, 1000)]
    venue = deribit()
    first, same, later = (run(venue, frame) for frame in frames)
    assert first[["kind", "tick", "lots", "side"]].tolist()[:2] == [(QUOTE, 184567, 11766, BID), (QUOTE, 0, 0, ASK)]
    assert first[["aux", "lots"]].tolist()[2:] == [
        (F_MARK_PRICE, 92281_780_000_000), (F_INDEX_PRICE, 92263_550_000_000), (F_FUNDING_RATE, 17_420),
        (F_OPEN_INTEREST, 113232937),
    ]  # fmt: skip
    assert same["kind"].tolist() == [QUOTE, QUOTE]
    assert later["kind"].tolist() == first["kind"].tolist()


def test_a_heartbeat_that_tests_is_answered_once():
    venue = deribit()
    test = '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'
    run(venue, '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}', test)
    (reply,) = venue.replies()
    assert json.loads(reply)["method"] == "public/test"
    assert venue.replies() == []
    run(venue, '{"jsonrpc":"2.0","id":2,"result":{"version":"1.2.26"},"testnet":false}')
    assert venue.notices() == [Notice("pong")]


def test_channels_that_the_venue_drops_from_its_answer_are_named():
    venue = deribit()
    requests = [json.loads(frame) for frame in Deribit.sockets([S])[0].frames]
    assert [one["method"] for one in requests] == ["public/set_heartbeat", "public/subscribe"]
    asked = requests[1]["params"]["channels"]
    assert asked == [f"book.{S}.100ms", f"trades.{S}.100ms", f"ticker.{S}.100ms"]
    run(venue, json.dumps({"id": requests[0]["id"], "result": "ok"}))
    run(venue, json.dumps({"id": requests[1]["id"], "result": asked[:2]}))
    assert venue.notices() == [
        Notice("ack", "1"),
        Notice("ack", "2 channels"),
        Notice("error", f"no channel {asked[2]}"),
    ]
    whole = deribit()
    run(whole, json.dumps({"id": requests[1]["id"], "result": asked}))
    assert whole.notices() == [Notice("ack", "3 channels")]


def test_many_channels_are_asked_for_in_several_requests_and_judged_at_the_last():
    symbols = [f"BTC-{i}" for i in range(400)]
    requests = [json.loads(frame) for frame in Deribit.sockets(symbols)[0].frames][1:]
    assert [len(one["params"]["channels"]) for one in requests] == [500, 500, 200]
    venue = Deribit({symbol: (i, PERPETUAL) for i, symbol in enumerate(symbols)}, Checks())
    run(venue, *(json.dumps({"id": one["id"], "result": one["params"]["channels"]}) for one in requests))
    assert [notice.kind for notice in venue.notices()] == ["ack"] * 3
    assert venue.checks.problems == []


def test_a_book_is_asked_for_anew_after_it_is_let_go():
    venue = deribit()
    run(venue, book("snapshot", 10, channel=f"book.{S}.raw"))
    left, asked = (json.loads(frame) for frame in venue.renewal(S))
    assert (left["method"], asked["method"]) == ("public/unsubscribe", "public/subscribe")
    assert left["params"] == asked["params"] == {"channels": [f"book.{S}.raw"]}
    run(venue, json.dumps({"id": asked["id"], "result": asked["params"]["channels"]}))
    assert [notice.kind for notice in venue.notices()] == ["ack"]


def test_a_refused_request_is_told():
    venue = deribit()
    run(venue, '{"jsonrpc":"2.0","id":100,"error":{"code":13778,"message":"raw_subscriptions_not_available"}}')
    assert venue.notices() == [Notice("error", "13778 raw_subscriptions_not_available")]


def test_tick_and_lot_are_the_venues_finest():
    listed = [
        {
            "instrument_name": "BTC-27MAR26-100000-C", "tick_size": 0.0001, "min_trade_amount": 0.1, "kind": "option",
            "quote_currency": "BTC", "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}],
        },
        {
            "instrument_name": S, "tick_size": 5e-1, "min_trade_amount": 10, "kind": "future", "quote_currency": "USD",
            "instrument_type": "reversed",
        },
        {
            "instrument_name": "PEPE_USDC-PERPETUAL", "tick_size": 1e-10, "min_trade_amount": 1000.0, "kind": "future",
            "quote_currency": "USDC", "instrument_type": "linear",
        },
    ]  # fmt: skip
    found = Deribit.read_instruments(json.dumps({"result": listed}))
    assert [(one.tick, one.lot, one.description) for one in found.values()] == [
        ("0.0001", "0.1", "option"), ("0.5", "10", "inverse, amounts in USD"), ("0.0000000001", "1000", "future"),
    ]  # fmt: skip
    for raw in ("{}", '{"result":[{"instrument_name":"A","tick_size":null,"min_trade_amount":1}]}', "noise"):
        with pytest.raises(BadInput):
            Deribit.read_instruments(raw)


# -- real frames ------------------------------------------------------------------------------
def test_the_frames_collected_elsewhere_are_read(data):
    folder = data / "venue-fixtures" / "deribit"
    frames = {path.stem: path.read_bytes() for path in folder.glob("*.json")}
    venue = deribit()
    rows = run(venue, frames["ws_book_snapshot"], frames["ws_book_delta"])
    assert rows["kind"].tolist() == [CLEAR] + [BOOK] * 10 + [STATUS] + [BOOK] * 4
    assert rows[["tick", "lots", "side"]].tolist()[12:] == [
        (85000, 95, BID), (84997, 30, BID), (85002, 0, ASK), (85003, 70, ASK),
    ]  # fmt: skip
    assert run(venue, frames["ws_trades"])["ref"].tolist() == [271252854, 271252855]
    assert run(venue, frames["ws_ticker"])["kind"].tolist() == [QUOTE, QUOTE] + [FACT] * 4
    assert len(run(venue, frames["ws_book_grouped_snapshot"])) == 0
    assert venue.checks.ignored == {"grouped book": 1}
    assert (venue.checks.damaged, venue.checks.gaps) == (0, 0)


def test_every_book_of_a_session_equals_one_of_plain_dictionaries_and_every_ticker_agrees(data):
    path = data / "venue-captures" / "DERIBIT.jsonl.zst"
    books, told, tickers, newest = {}, {}, [], {}
    for _, frame in frames_of(path):
        if frame.get("method") != "subscription":
            continue
        one = frame["params"]["data"]
        name = f"deribit:{one['instrument_name']}"
        if frame["params"]["channel"].startswith("ticker"):
            best = ("best_bid_price", "best_bid_amount", "best_ask_price", "best_ask_amount")
            tickers.append((name, one["timestamp"], tuple(one[key] or 0 for key in best)))
            continue
        book = books.setdefault(name, {BID: {}, ASK: {}})
        if one["type"] == "change":
            assert one["prev_change_id"] == newest[name]
        newest[name] = one["change_id"]
        for side, key in ((BID, "bids"), (ASK, "asks")):
            for action, price, size in one[key]:
                change(book, side, str(price), "0" if action == "delete" else str(size))
        told[name, one["change_id"]] = (one["timestamp"], touch(book), len(book[BID]), len(book[ASK]))
    reader, rows = rows_of(path)
    mine = {}
    for name, ref, book in books_after(reader, rows):
        mine[name, ref] = (touch(book), len(book[BID]), len(book[ASK]))
        assert not (book[BID] and book[ASK]) or touch(book)[0] < touch(book)[2]
    assert mine == {key: tuple(rest) for key, (_, *rest) in told.items()}
    assert len(mine) == 46
    assert (reader.checks.gaps, reader.checks.damaged, reader.checks.off_grid) == (0, 0, 0)
    compared = 0
    for name, at, best in tickers:
        known = [state for (one, _), (ms, state, *_) in told.items() if one == name and ms <= at]
        if known:
            compared += 1
            assert tuple(map(float, known[-1])) == best
    assert compared == 89

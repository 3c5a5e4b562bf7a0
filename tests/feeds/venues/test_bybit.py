from __future__ import annotations

import bisect
import json
from decimal import Decimal

import pytest

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BLOCK,
    BOOK,
    BUY,
    C_DAMAGED,
    C_DISCONNECT,
    C_SEQUENCE,
    CLEAR,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    F_OPEN_INTEREST,
    FACT,
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
from feeds.venues._access import Notice
from feeds.venues._contract import Want
from feeds.venues.bybit import CLOSED_BY, TAKER, Bybit, BybitInverse, BybitLinear
from tests.feeds.venues.captured import books_after, change, frames_of, rows_of, touch

BTC = Instrument(venue="bybit-linear", symbol="BTCUSDT", tick="0.10", lot="0.001")
TOPIC = "orderbook.50.BTCUSDT"


def bybit(cls=BybitLinear):
    return cls({"BTCUSDT": (2, BTC)}, Checks())


def book(kind, update, bids=(), asks=(), topic=TOPIC, **more):
    data = {"s": "BTCUSDT", "b": list(bids), "a": list(asks), "u": update, "seq": 9123456789}
    return json.dumps({"topic": topic, "type": kind, "ts": 1672304486868, "data": data, "cts": 1672304486865} | more)


def ticker(kind, cs=5, **data):
    return json.dumps(
        {"topic": "tickers.BTCUSDT", "type": kind, "cs": cs, "ts": 1672304486868, "data": {"symbol": "BTCUSDT"} | data}
    )


def trades(*prints):
    one = {"T": 1672304486865, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "16578.50", "i": "20f43950", "BT": False}
    return json.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "data": [one | more for more in prints]})


START = book("snapshot", 10, [["99.90", "1.000"], ["99.80", "2.000"]], [["100.10", "3.000"]])


def run(venue, *frames):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, 100 + i, out)
    return out.take()


def test_a_snapshot_states_every_level_in_the_matching_engines_time():
    rows = run(bybit(), START)
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, BOOK, STATUS]
    assert rows[["tick", "lots", "side"]].tolist()[1:4] == [(999, 1000, BID), (998, 2000, BID), (1001, 3000, ASK)]
    assert set(rows["exch_ns"].tolist()) == {1672304486_865_000_000}
    assert set(rows["ref"].tolist()) == {10}
    assert rows["marks"].tolist() == [SNAPSHOT] * 3 + [SNAPSHOT | LAST, LAST]
    assert rows["aux"][-1] == S_LIVE


def test_a_snapshot_without_the_matching_engines_time_has_the_frames():
    assert run(bybit(), book("snapshot", 10, [["99.90", "1"]], cts=0))["exch_ns"][1] == 1672304486_868_000_000
    assert run(bybit(), book("snapshot", 10, [["99.90", "1"]], cts=0, ts=0))["marks"][1] & BAD_TIME


@pytest.mark.parametrize("zero", ["0", "0.0", "0.00000", "0.000"])
def test_a_delta_changes_levels_and_deletes_them_by_any_spelling_of_0(zero):
    rows = run(bybit(), START, book("delta", 11, [["99.90", zero]], [["100.20", "0.5"]]))[5:]
    assert rows[["kind", "tick", "lots", "side", "ref", "marks"]].tolist() == [
        (BOOK, 999, 0, BID, 11, 0), (BOOK, 1002, 500, ASK, 11, LAST),
    ]  # fmt: skip


def test_an_empty_delta_moves_the_id_on():
    rows = run(bybit(), START, book("delta", 11))[5:]
    assert rows[["kind", "ref", "aux", "marks"]].tolist() == [(STATUS, 11, S_LIVE, LAST)]


def test_a_level_never_told_is_deleted_without_harm():
    venue = bybit()
    run(venue, START, book("delta", 11, [["50.00", "0"]]))
    assert (venue.checks.gaps, venue.checks.damaged, venue.checks.problems) == (0, 0, [])


def test_a_lost_delta_is_a_gap_of_known_length_that_a_snapshot_heals():
    venue = bybit()
    late = book("delta", 15, [["99.80", "1"]])
    rows = run(venue, START, book("delta", 14, [["99.90", "4"]]), late, book("snapshot", 40, [["99.90", "5"]]))[5:]
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS, CLEAR, BOOK, STATUS]
    assert rows[["lots", "ref", "aux"]].tolist()[0] == (C_SEQUENCE, 3, NONE)
    assert rows["aux"][2] == S_SYNCING
    assert (venue.checks.gaps, venue.checks.resyncs) == (1, 1)
    assert venue.checks.ignored == {"update before the snapshot": 2}
    assert venue.wants() == [Want("resubscribe", "BTCUSDT", "update 14 does not follow 10")]
    assert venue.wants() == []


def test_where_nobody_subscribes_anew_updates_go_on_to_a_book_that_says_so():
    venue = bybit()
    venue.no_fetch = True
    rows = run(venue, START, book("delta", 14, [["99.90", "4"]]), book("delta", 15))[5:]
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS, BOOK, STATUS]
    assert rows["aux"][4] == S_SYNCING


def test_a_repeated_or_older_delta_changes_nothing():
    venue = bybit()
    delta = book("delta", 11, [["99.90", "4"]])
    rows = run(venue, START, delta, book("delta", 12), delta, book("delta", 12), book("delta", 13))
    assert rows["ref"].tolist()[5:] == [11, 12, 13]
    assert (venue.checks.duplicates, venue.checks.gaps) == (2, 0)


def test_a_snapshot_in_mid_stream_replaces_the_book_even_with_a_smaller_id():
    venue = bybit()
    rows = run(venue, START, book("snapshot", 3, [["99.50", "1"]]), book("delta", 4, [["99.40", "1"]]))[5:]
    assert rows["kind"].tolist() == [CLEAR, BOOK, STATUS, BOOK]
    assert (venue.checks.gaps, venue.checks.resyncs) == (0, 0)


def test_a_restarted_service_begins_at_1():
    rows = run(bybit(), START, book("delta", 1, [["99.50", "1"]]), book("delta", 2, [["99.40", "1"]]))[5:]
    assert rows["kind"].tolist() == [CLEAR, BOOK, STATUS, BOOK]


def test_deltas_before_the_snapshot_are_dropped_and_it_is_asked_for_once():
    venue = bybit()
    assert len(run(venue, book("delta", 11), book("delta", 12))) == 0
    assert [want.what for want in venue.wants()] == ["resubscribe"]
    assert len(run(venue, START)) == 5


def test_a_second_depth_of_the_same_symbol_is_not_mixed_in():
    venue = bybit()
    other = book("snapshot", 500, [["99.90", "9"]], topic="orderbook.1.BTCUSDT")
    assert len(run(venue, START, other)) == 5
    assert venue.checks.ignored == {"second orderbook.1.BTCUSDT": 1}


def test_a_delta_that_cannot_be_read_costs_the_book():
    venue = bybit()
    rows = run(venue, START, book("delta", 11, [["99.90", "NaN"]]))[5:]
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert rows["lots"][0] == C_DAMAGED
    assert venue.checks.damaged == 1


def test_a_snapshot_that_cannot_be_read_is_asked_for_again():
    venue = bybit()
    for _ in range(2):
        assert len(run(venue, book("snapshot", 10, [["-1", "1"]]))) == 0
        assert [want.what for want in venue.wants()] == ["resubscribe"]


def test_a_disconnect_forgets_the_book_and_its_channel():
    venue, out = bybit(), EventBuffer()
    run(venue, START)
    venue.on_disconnect(900, out)
    rows = out.take()
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert rows["lots"][0] == C_DISCONNECT
    again = run(venue, book("snapshot", 3, [["99.50", "1"]], topic="orderbook.200.BTCUSDT"))
    assert again["kind"].tolist() == [CLEAR, BOOK, STATUS]
    assert venue.checks.resyncs == 1


def test_the_side_of_a_trade_is_the_takers():
    assert TAKER == {"Buy": BUY, "Sell": SELL}
    rows = run(bybit(), trades({}, {"S": "Sell", "i": "b", "BT": True}))
    assert rows[["kind", "tick", "lots", "side", "ref", "aux"]].tolist() == [
        (TRADE, 165785, 1, BUY, NONE, REGULAR), (TRADE, 165785, 1, SELL, NONE, BLOCK),
    ]  # fmt: skip
    assert set(rows["exch_ns"].tolist()) == {1672304486_865_000_000}
    assert set(rows["marks"].tolist()) == {LAST}


def test_a_trade_told_twice_counts_once():
    venue = bybit()
    assert len(run(venue, trades({}, {}), trades({}, {"i": "b"}))) == 2
    assert venue.checks.duplicates == 2


@pytest.mark.parametrize("more", [{"S": "None"}, {"p": "abc"}, {"v": "1e999"}, {"T": -5}])
def test_a_trade_that_cannot_be_read_refuses_its_frame(more):
    venue = bybit()
    assert len(run(venue, trades({"i": "a"}, {"i": "b"} | more))) == 0
    assert venue.checks.damaged == 1
    assert len(run(venue, trades({"i": "a"}))) == 1


@pytest.mark.parametrize("size", ["0", "-1"])
def test_a_trade_of_no_size_is_no_print(size):
    assert len(run(bybit(), trades({"v": size}))) == 0


def test_a_long_closed_by_force_is_a_sell_order():
    assert CLOSED_BY == {"Buy": SELL, "Sell": BUY}
    one = {"T": 1672304486865, "s": "BTCUSDT", "S": "Buy", "v": "20.000", "p": "99.50"}
    rows = run(bybit(), json.dumps({"topic": "allLiquidation.BTCUSDT", "data": [one, one | {"S": "Sell"}]}))
    assert rows[["kind", "aux", "side", "tick", "lots"]].tolist() == [
        (FACT, F_LIQUIDATION, SELL, 995, 20000), (FACT, F_LIQUIDATION, BUY, 995, 20000),
    ]  # fmt: skip


def test_a_ticker_tells_facts_and_the_best_prices():
    rows = run(
        bybit(),
        ticker(
            "snapshot", markPrice="17217.33", indexPrice="17227.36", fundingRate="-0.000212", openInterest="68744.761",
            nextFundingTime="1673280000000", bid1Price="17215.50", bid1Size="84.489", ask1Price="17216.00",
            ask1Size="83.020",
        ),
    )  # fmt: skip
    assert rows[["kind", "tick", "lots", "side"]].tolist()[:2] == [
        (QUOTE, 172155, 84489, BID), (QUOTE, 172160, 83020, ASK),
    ]  # fmt: skip
    assert set(rows["ref"].tolist()[:2]) == {NONE}
    assert rows[["aux", "lots"]].tolist()[2:] == [
        (F_MARK_PRICE, 17217_330_000_000), (F_INDEX_PRICE, 17227_360_000_000), (F_FUNDING_RATE, -212_000),
        (F_NEXT_FUNDING_NS, 1673280000_000_000_000), (F_OPEN_INTEREST, 68744761),
    ]  # fmt: skip
    assert rows["marks"].tolist() == [0, LAST, 0, 0, 0, 0, LAST]


def test_a_tickers_delta_leaves_what_it_does_not_name():
    venue = bybit()
    run(venue, ticker("snapshot", bid1Price="99.9", bid1Size="1", ask1Price="100.1", ask1Size="2", markPrice="100"))
    rows = run(venue, ticker("delta", ask1Size="7"), ticker("delta", lastPrice="100.1"))
    assert rows[["kind", "tick", "lots", "side"]].tolist() == [(QUOTE, 999, 1000, BID), (QUOTE, 1001, 7000, ASK)]
    assert venue.checks.ignored == {"ticker without news": 1}


def test_open_interest_is_one_sides_as_soon_as_the_venue_tells_it():
    rows = run(
        bybit(), ticker("snapshot", openInterest="20"), ticker("delta", openInterest="22", singleOpenInterest="11"),
        ticker("delta", openInterest="24"),
    )  # fmt: skip
    assert rows["lots"].tolist() == [20_000, 11_000]


def test_what_the_venue_says_of_the_connection_is_no_market_data():
    venue = bybit()
    run(
        venue, '{"success":true,"ret_msg":"","conn_id":"a","req_id":"1","op":"subscribe"}',
        '{"success":false,"ret_msg":"error:handler not found,topic:x","op":"subscribe"}',
        '{"success":true,"ret_msg":"pong","conn_id":"a","op":"ping"}', '{"req_id":"p","op":"pong"}',
    )  # fmt: skip
    assert venue.notices() == [
        Notice("ack", "subscribe"), Notice("error", "error:handler not found,topic:x"), Notice("pong"), Notice("pong"),
    ]  # fmt: skip


def test_each_market_has_an_address_and_asks_in_small_requests():
    (spot,) = Bybit.sockets(["BTCUSDT"])
    assert spot.url == "wss://stream.bybit.com/v5/public/spot"
    assert json.loads(spot.frames[0])["args"] == ["orderbook.200.BTCUSDT", "publicTrade.BTCUSDT"]
    many = [f"COIN{i}USDT" for i in range(400)]
    sockets = BybitLinear.sockets(many, depth=50)
    assert {socket.url for socket in sockets} == {"wss://stream.bybit.com/v5/public/linear"}
    args = [json.loads(frame)["args"] for socket in sockets for frame in socket.frames]
    assert max(map(len, args)) <= 10
    assert len({topic for some in args for topic in some}) == 4 * 400
    assert all(sum(map(len, socket.frames)) < 21_000 for socket in sockets)
    assert BybitInverse.sockets([])[0].url.endswith("/inverse")


def test_a_book_is_asked_for_anew_by_its_own_topic():
    venue = bybit()
    assert [json.loads(frame)["args"] for frame in venue.renewal("BTCUSDT")] == [["orderbook.200.BTCUSDT"]] * 2
    run(venue, START)
    frames = [json.loads(frame) for frame in venue.renewal("BTCUSDT")]
    assert [(frame["op"], frame["args"]) for frame in frames] == [("unsubscribe", [TOPIC]), ("subscribe", [TOPIC])]


def test_tick_and_lot_are_those_of_the_market_asked():
    linear = {
        "result": {
            "category": "linear",
            "list": [
                {
                    "symbol": "BTCUSDT", "quoteCoin": "USDT", "priceFilter": {"tickSize": "0.10"},
                    "lotSizeFilter": {"qtyStep": "0.001", "maxOrderQty": "5"},
                },
            ],
        },
    }  # fmt: skip
    found = BybitLinear.read_instruments(json.dumps(linear))["BTCUSDT"]
    assert (found.tick, found.lot, found.currency, found.name) == ("0.1", "0.001", "USDT", "bybit-linear:BTCUSDT")
    for cls, raw in ((Bybit, json.dumps(linear)), (BybitLinear, "{}"), (BybitLinear, "noise")):
        with pytest.raises(BadInput):
            cls.read_instruments(raw)


# -- real frames ------------------------------------------------------------------------------
def test_the_frames_collected_elsewhere_are_read(data):
    folder = data / "venue-fixtures" / "bybit"
    names = ["ws_orderbook_snapshot", "ws_orderbook_delta", "ws_public_trade", "ws_ticker_linear"]
    frames = {name: (folder / f"{name}.json").read_bytes() for name in names}
    venue = bybit()
    rows = run(venue, frames["ws_orderbook_snapshot"], frames["ws_orderbook_delta"])
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, BOOK, BOOK, STATUS, BOOK, BOOK]
    assert rows[["tick", "lots", "side", "ref"]].tolist()[6:] == [
        (274500, 400, BID, 123456790), (274510, 0, ASK, 123456790),
    ]  # fmt: skip
    assert rows["exch_ns"][6] == 1709891679500_000_000
    assert rows["kind"][0] == CLEAR
    assert len(run(venue, frames["ws_public_trade"])) == 0  # a topic of v5's first days, trade.linear.BTCUSDT
    assert venue.checks.ignored == {"trade": 1}
    assert run(venue, frames["ws_ticker_linear"])["kind"].tolist() == [QUOTE, QUOTE] + [FACT] * 5


@pytest.fixture(scope="module")
def session(data):
    path = data / "venue-captures" / "BYBIT.jsonl.zst"
    return path, *rows_of(path)


MARKETS = {"BYBIT.ws.2": "bybit-linear", "BYBIT.ws.3": "bybit"}


def test_every_book_of_a_session_equals_one_of_plain_dictionaries_after_every_message(session):
    path, reader, rows = session
    books, updates, told = {}, {}, []
    for conn, frame in frames_of(path):
        if frame.get("topic", "").startswith("orderbook"):
            one = frame["data"]
            name = f"{MARKETS[conn]}:{one['s']}"
            book = books.setdefault(name, {BID: {}, ASK: {}})
            if frame["type"] == "snapshot":
                book[BID].clear()
                book[ASK].clear()
            else:
                assert one["u"] == updates[name] + 1
            updates[name] = one["u"]
            for side, key in ((BID, "b"), (ASK, "a")):
                for price, size in one[key]:
                    change(book, side, price, size)
            told.append((name, one["u"], touch(book), len(book[BID]), len(book[ASK])))
    mine = {}
    for name, ref, book in books_after(reader, rows):
        mine.setdefault(name, {})[ref] = (touch(book), len(book[BID]), len(book[ASK]))
        assert touch(book)[0] < touch(book)[2]
    assert len(told) == 2148
    assert all(mine[name][ref] == tuple(rest) for name, ref, *rest in told)
    assert {(bids, asks) for *_, bids, asks in told} == {(200, 200)}
    assert (reader.checks.gaps, reader.checks.damaged, reader.checks.duplicates, reader.checks.off_grid) == (0,) * 4


def test_every_print_of_a_session_is_told_and_was_bought_at_the_ask_or_sold_at_the_bid(session):
    path, reader, rows = session
    told = []
    for conn, frame in frames_of(path):
        for one in frame["data"] if frame.get("topic", "").startswith("publicTrade") else []:
            side = {"Buy": 1, "Sell": -1}[one["S"]]
            told.append((f"{MARKETS[conn]}:{one['s']}", one["T"] * 10**6, Decimal(one["p"]), Decimal(one["v"]), side))
    prints = rows[rows["kind"] == TRADE]
    got = [
        (one.name, ns, Decimal(one.price.text(tick)), Decimal(one.size.text(lots)), side)
        for inst, ns, tick, lots, side in prints[["inst", "exch_ns", "tick", "lots", "side"]].tolist()
        for one in [reader.instruments[inst]]
    ]
    assert sorted(got) == sorted(told)
    assert len(got) == 347
    best = {}
    agree = 0
    for inst, kind, side, tick, lots in rows[["inst", "kind", "side", "tick", "lots"]].tolist():
        levels = best.setdefault(inst, {BID: {}, ASK: {}})
        if kind == BOOK:
            if lots:
                levels[side][tick] = lots
            else:
                levels[side].pop(tick, None)
        elif kind == TRADE:
            agree += tick >= min(levels[ASK]) if side == BUY else tick <= max(levels[BID])
    assert agree == 347


def test_the_best_prices_of_tickers_are_mostly_those_of_the_book_at_their_time(session):
    _, reader, rows = session
    crosses = {
        (f"{MARKETS[conn]}:{f['data']['symbol']}", f["ts"] * 10**6): f["cs"]
        for conn, f in frames_of(session[0])
        if f.get("topic", "").startswith("tickers")
    }
    quotes = {}
    for inst, ns, side, tick in rows[rows["kind"] == QUOTE][["inst", "exch_ns", "side", "tick"]].tolist():
        name = reader.instruments[inst].name
        quotes.setdefault(name, {}).setdefault(crosses[name, ns], {})[side] = tick
    books = {}
    by_name = {one.name: one for one in reader.instruments}
    sequences = {
        (f"{MARKETS[conn]}:{f['data']['s']}", f["data"]["u"]): f["data"]["seq"]
        for conn, f in frames_of(session[0])
        if f.get("topic", "").startswith("orderbook")
    }
    for name, ref, book in books_after(reader, rows):
        grid = by_name[name].price
        bid, _, ask, _ = touch(book)
        books.setdefault(name, {})[sequences[name, ref]] = (grid.exact(str(bid)), grid.exact(str(ask)))
    agree = total = 0
    for name, told in quotes.items():
        numbers = sorted(told)
        for seq, best in books[name].items():
            at = bisect.bisect_right(numbers, seq) - 1
            if at >= 0:
                total += 1
                agree += (told[numbers[at]][BID], told[numbers[at]][ASK]) == best
    assert total > 1500
    assert agree / total > 0.99


def test_one_market_of_a_session_can_be_chosen(session):
    reader, rows = rows_of(session[0], venue="bybit", symbol="btcusdt")
    assert [one.name for one in reader.instruments] == ["bybit:BTCUSDT"]
    assert reader.venue == "bybit"
    whole = session[2]
    same = whole[whole["inst"] == [one.name for one in session[1].instruments].index("bybit:BTCUSDT")]
    assert rows["tick"].tolist() == same["tick"].tolist()
    assert session[1].venue == "bybit-linear+bybit"

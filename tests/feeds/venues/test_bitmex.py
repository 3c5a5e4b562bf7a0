"""BitMEX's frames to rows, against a plain book by id and the venue's documented forms."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import pytest

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    CLEAR,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    F_OPEN_INTEREST,
    FACT,
    GAP,
    LATE,
    NONE,
    OFF_GRID,
    OTHER,
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
from feeds.venues.bitmex import Bitmex

XBT = Instrument(venue="bitmex", symbol="XBTUSD", tick="0.1", lot="100")
ETH = Instrument(venue="bitmex", symbol="ETHUSD", tick="0.05", lot="1")
WHEN = "2024-11-24T08:26:22.356Z"
NS = 1_732_436_782_356_000_000


def parser(*instruments):
    return Bitmex({one.symbol: (n, one) for n, one in enumerate(instruments or (XBT,))}, Checks())


def frame(table, action, *rows, **more):
    return json.dumps({"table": table, "action": action, "data": list(rows)} | more).encode()


def level(ident, side, size=None, price=None, symbol="XBTUSD", **more):
    one = {"symbol": symbol, "id": ident, "side": side, "timestamp": WHEN} | more
    return one | ({} if size is None else {"size": size}) | ({} if price is None else {"price": price})


def rows_of(venue, *frames):
    out = EventBuffer()
    for raw in frames:
        venue.on_frame(raw, 1, out)
    return out.take()


def levels(rows):
    return [tuple(row) for row in rows[rows["kind"] == BOOK][["side", "tick", "lots"]].tolist()]


PARTIAL = frame(
    "orderBookL2", "partial", level(1, "Buy", 500, 98459.8), level(2, "Sell", 300, 98460), filter={"symbol": "XBTUSD"}
)


def test_a_partial_is_the_whole_book_and_replaces_what_was_there():
    venue = parser()
    rows = rows_of(venue, PARTIAL)
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, STATUS]
    assert levels(rows) == [(BID, 984598, 5), (ASK, 984600, 3)]
    assert (rows["marks"][:3] & SNAPSHOT).all()
    again = rows_of(venue, frame("orderBookL2", "partial", level(3, "Buy", 100, 98450)))
    assert again["kind"].tolist() == [CLEAR, BOOK, STATUS]
    assert venue.checks.gaps == 0


def test_updates_and_deletes_find_their_price_by_the_level_id():
    venue = parser()
    rows_of(venue, PARTIAL)
    rows = rows_of(
        venue,
        frame("orderBookL2", "update", level(1, "Buy", 700)),
        frame("orderBookL2", "insert", level(7, "Sell", 900, 98460.5)),
        frame("orderBookL2", "delete", level(2, "Sell")),
        frame("orderBookL2", "update", level(7, "Sell", 1000)),
    )
    assert levels(rows) == [(BID, 984598, 7), (ASK, 984605, 9), (ASK, 984600, 0), (ASK, 984605, 10)]
    assert (rows["exch_ns"] == NS).all()


def test_the_time_of_a_level_is_the_matching_engines_where_it_is_told():
    rows = rows_of(
        parser(),
        frame("orderBookL2", "partial", level(1, "Buy", 100, 5.5, transactTime="2024-11-24T08:26:22.275Z")),
    )
    assert (rows["exch_ns"] == NS - 81_000_000).all()


def test_nothing_of_a_table_counts_before_its_partial():
    venue = parser()
    assert len(rows_of(venue, frame("orderBookL2", "update", level(1, "Buy", 700)))) == 0
    assert venue.checks.ignored["update before the partial"] == 1


def test_an_empty_partial_is_an_empty_book_of_the_symbol_it_was_filtered_by():
    rows = rows_of(parser(), frame("orderBookL2", "partial", filter={"symbol": "XBTUSD"}))
    assert rows["kind"].tolist() == [CLEAR, STATUS]
    assert rows["aux"][-1] == S_LIVE


def test_an_update_of_a_level_never_inserted_costs_the_book_and_asks_for_another():
    venue = parser()
    rows_of(venue, PARTIAL)
    rows = rows_of(venue, frame("orderBookL2", "update", level(99, "Buy", 700)))
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert [want.what for want in venue.wants()] == ["resubscribe"]
    assert len(rows_of(venue, frame("orderBookL2", "update", level(1, "Buy", 800)))) == 0
    healed = rows_of(venue, PARTIAL)
    assert healed["kind"].tolist() == [CLEAR, BOOK, BOOK, STATUS]
    assert venue.checks.resyncs == 1


def test_a_delete_of_a_level_never_held_is_harmless():
    venue = parser()
    rows_of(venue, PARTIAL)
    rows = rows_of(venue, frame("orderBookL2", "delete", level(99, "Buy")))
    assert rows["kind"].tolist() == [STATUS]
    assert venue.checks.gaps == 0


def test_one_frame_may_hold_levels_of_several_symbols():
    venue = parser(XBT, ETH)
    rows = rows_of(
        venue,
        frame("orderBookL2", "partial", level(1, "Buy", 100, 98459.8), level(2, "Sell", 7, 3400.05, "ETHUSD")),
    )
    assert rows[["inst", "tick", "lots"]][rows["kind"] == BOOK].tolist() == [(0, 984598, 1), (1, 68001, 7)]


def test_the_book_is_that_of_a_plain_dictionary_by_id():
    draw = random.Random(7)
    venue, book, told = parser(), {}, {}
    ids = {n: (98000 + n) / 10 for n in range(60)}
    first = [(n, "Buy" if n < 30 else "Sell", 100 * draw.randint(1, 50)) for n in range(20, 40)]
    book |= {n: (side, size) for n, side, size in first}
    out = EventBuffer()
    venue.on_frame(frame("orderBookL2", "partial", *(level(n, side, size, ids[n]) for n, side, size in first)), 1, out)
    for _ in range(500):
        action = draw.choice(["insert", "update", "delete"])
        pool = [n for n in ids if n not in book] if action == "insert" else list(book)
        if not pool:
            continue
        n = draw.choice(pool)
        side, size = ("Buy" if n < 30 else "Sell"), 100 * draw.randint(1, 50)
        if action == "delete":
            del book[n]
            raw = frame("orderBookL2", action, level(n, side))
        else:
            book[n] = (side, size)
            raw = frame("orderBookL2", action, level(n, side, size, ids[n] if action == "insert" else None))
        venue.on_frame(raw, 1, out)
    for row in out.take():
        if row["kind"] == BOOK:
            key = (int(row["side"]), int(row["tick"]))
            told[key] = int(row["lots"])
            if not told[key]:
                del told[key]
    expected = {
        (BID if side == "Buy" else ASK, int(Decimal(str(ids[n])) * 10)): size // 100 for n, (side, size) in book.items()
    }
    assert told == expected
    assert venue.checks.damaged == venue.checks.gaps == 0


def test_a_level_off_the_grid_keeps_its_exact_price():
    rows = rows_of(parser(), frame("orderBookL2", "partial", level(1, "Buy", 500, 98459.85)))
    row = rows[rows["kind"] == BOOK][0]
    assert row["marks"] & OFF_GRID
    assert XBT.price.fine_text(int(row["tick"])) == "98459.85"


def trade(**more):
    one = {"timestamp": WHEN, "symbol": "XBTUSD", "side": "Sell", "size": 100, "price": 98570.9, "trdMatchID": "a"}
    return one | {"trdType": "Regular"} | more


def test_the_side_of_a_print_is_the_takers_and_one_told_twice_is_counted():
    venue = parser()
    rows = rows_of(venue, frame("trade", "insert", trade(), trade(trdMatchID="b", side="Buy"), trade()))
    assert rows[["kind", "side", "aux", "tick", "lots", "exch_ns"]].tolist() == [
        (TRADE, SELL, REGULAR, 985709, 1, NS),
        (TRADE, BUY, REGULAR, 985709, 1, NS),
    ]
    assert venue.checks.duplicates == 1


def test_prints_of_before_the_subscription_are_late_and_other_kinds_are_off_the_flow():
    rows = rows_of(
        parser(),
        frame("trade", "partial", trade()),
        frame("trade", "insert", trade(trdMatchID="c", trdType="Referential")),
    )
    assert rows["aux"].tolist() == [LATE, OTHER]


def test_a_liquidation_is_on_the_side_of_its_order_and_has_no_time():
    forced = {"orderID": "x", "symbol": "XBTUSD", "side": "Buy", "price": 95000.0, "leavesQty": 1000}
    rows = rows_of(parser(), frame("liquidation", "partial", forced), frame("liquidation", "insert", forced))
    assert rows[["kind", "aux", "side", "tick", "lots", "exch_ns"]].tolist() == [
        (FACT, F_LIQUIDATION, BUY, 950000, 10, NONE)
    ]


def test_open_interest_funding_and_marks_come_from_the_instrument():
    state = {"symbol": "XBTUSD", "timestamp": WHEN, "openInterest": 538432500, "fundingRate": 0.0001}
    state |= {"fundingTimestamp": "2024-11-24T12:00:00.000Z", "markPrice": 98459.85, "indicativeSettlePrice": 98450.01}
    rows = rows_of(parser(), frame("instrument", "partial", state))
    assert dict(rows[["aux", "lots"]].tolist()) == {
        F_MARK_PRICE: 98_459_850_000_000,
        F_INDEX_PRICE: 98_450_010_000_000,
        F_FUNDING_RATE: 100_000,
        F_NEXT_FUNDING_NS: 1_732_449_600_000_000_000,
        F_OPEN_INTEREST: 5_384_325,
    }


def test_best_prices_are_quotes_and_never_change_the_book():
    quote = {"timestamp": WHEN, "symbol": "XBTUSD", "bidSize": 500, "bidPrice": 98459.8, "askPrice": 98460}
    rows = rows_of(parser(), frame("quote", "insert", quote | {"askSize": 300}, quote | {"askSize": None}))
    assert rows[["kind", "side", "tick", "lots"]].tolist() == [(QUOTE, BID, 984598, 5), (QUOTE, ASK, 984600, 3)]


def test_what_is_listed_gives_tick_and_lot_without_floats():
    raw = b'[{"symbol":"XBTUSD","tickSize":0.5,"lotSize":100,"quoteCurrency":"USD","isInverse":true},'
    raw += b'{"symbol":"PEPEUSDT","tickSize":1e-10,"lotSize":1000,"quoteCurrency":"USDT"},'
    raw += b'{"symbol":".BXBT","tickSize":0.01,"lotSize":null}]'
    listed = Bitmex.read_instruments(raw)
    assert {name: (one.tick, one.lot) for name, one in listed.items()} == {
        "XBTUSD": ("0.5", "100"),
        "PEPEUSDT": ("0.0000000001", "1000"),
    }
    with pytest.raises(BadInput, match="list of instruments"):
        Bitmex.read_instruments(b"{}")


def test_a_symbol_is_asked_for_with_all_its_tables_and_renewed_alone():
    (socket,) = Bitmex.sockets(["XBTUSD", "ETHUSD"])
    assert socket.symbols == ("XBTUSD", "ETHUSD")
    assert json.loads(socket.frames[0])["args"][:2] == ["orderBookL2:XBTUSD", "trade:XBTUSD"]
    venue = parser()
    assert [json.loads(text) for text in venue.renewal("XBTUSD")] == [
        {"op": "unsubscribe", "args": ["orderBookL2:XBTUSD"]},
        {"op": "subscribe", "args": ["orderBookL2:XBTUSD"]},
    ]


def test_acknowledgements_pongs_and_errors_are_told():
    venue = parser()
    rows_of(
        venue,
        b'{"success":true,"subscribe":"orderBookL2:XBTUSD","request":{}}',
        b"pong",
        b'{"status":400,"error":"Unknown table"}',
    )
    assert [(one.kind, one.text) for one in venue.notices()] == [
        ("ack", "orderBookL2:XBTUSD"),
        ("pong", ""),
        ("error", "Unknown table"),
    ]


def test_the_venues_own_single_messages_are_read(data):
    folder = data / "venue-fixtures" / "bitmex"
    made = {
        name: json.loads((folder / f"ws_{name}.json").read_text()) for name in ("orderbook_l2", "trade", "liquidation")
    }
    venue = parser()
    rows = rows_of(
        venue,
        frame("orderBookL2", "partial", made["orderbook_l2"]),
        frame("trade", "insert", made["trade"]),
        frame("liquidation", "insert", made["liquidation"]),
    )
    assert rows[["kind", "side", "tick", "lots"]][rows["kind"] != STATUS].tolist() == [
        (CLEAR, 0, 0, 0),
        (BOOK, ASK, 984599, 330),
        (TRADE, SELL, 985709, 1),
        (FACT, BUY, 950000, 10),
    ]
    assert venue.checks.damaged == 0

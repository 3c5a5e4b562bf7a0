"""Alpaca's frames to rows: the login, sides by the quote, corrections, coins' books."""

from __future__ import annotations

import json

import pytest

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    AUCTION,
    BID,
    BOOK,
    BUST,
    BUY,
    CLEAR,
    GAP,
    IMPLIED,
    LATE,
    ODD_LOT,
    OFF_EXCHANGE,
    OFF_GRID,
    OTHER,
    QUOTE,
    REGULAR,
    S_HALTED,
    S_LIVE,
    SELL,
    STATUS,
    TRADE,
    UNKNOWN,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.keys import Secrets
from feeds.source import Checks
from feeds.venues.alpaca import AlpacaCrypto, AlpacaSip, AlpacaStocks

AAPL = Instrument(venue="alpaca", symbol="AAPL", tick="0.01", lot="1")
COIN = Instrument(venue="alpaca-crypto", symbol="BTC/USD", tick="0.01", lot="0.0001")
WHEN = "2021-02-22T15:51:44.208123456Z"
NS = 1_614_009_104_208_123_456
KEY = Secrets({"APCA_API_KEY_ID": "AK123", "APCA_API_SECRET_KEY": "hush"})


def stocks():
    return AlpacaStocks({"AAPL": (0, AAPL)}, Checks())


def coins():
    return AlpacaCrypto({"BTC/USD": (0, COIN)}, Checks())


def rows_of(venue, *items):
    out = EventBuffer()
    venue.on_frame(json.dumps(list(items)).encode(), 1, out)
    return out.take()


def trade(ident=1, price=126.55, size=1, exchange="V", conditions=("@",), **more):
    one = {"T": "t", "S": "AAPL", "i": ident, "x": exchange, "p": price, "s": size, "c": list(conditions)}
    return one | {"t": WHEN, "z": "C"} | more


def quote(bid=126.5, ask=126.6):
    return {"T": "q", "S": "AAPL", "bx": "V", "bp": bid, "bs": 4, "ax": "V", "ap": ask, "as": 3, "t": WHEN, "z": "C"}


def test_the_login_is_told_and_the_subscription_waits_for_it():
    venue = stocks()
    rows_of(venue, {"T": "success", "msg": "connected"})
    rows_of(venue, {"T": "success", "msg": "authenticated"}, {"T": "subscription", "trades": ["AAPL"]})
    rows_of(venue, {"T": "error", "code": 406, "msg": "connection limit exceeded"})
    assert [one.kind for one in venue.notices()] == ["greeting", "login", "ack", "error"]
    (socket,) = AlpacaStocks.sockets(["AAPL", "MSFT"])
    assert AlpacaStocks.awaits_login
    assert json.loads(AlpacaStocks.login(socket, KEY, "", 0)[0]) == {"action": "auth", "key": "AK123", "secret": "hush"}
    assert "hush" not in repr(socket)
    assert json.loads(socket.frames[0]) == {
        "action": "subscribe", "trades": ["AAPL", "MSFT"], "quotes": ["AAPL", "MSFT"], "statuses": ["AAPL", "MSFT"],
    }  # fmt: skip


def test_quotes_are_the_best_prices_with_exact_times():
    rows = rows_of(stocks(), quote())
    assert rows[["kind", "side", "tick", "lots", "exch_ns"]].tolist() == [
        (QUOTE, BID, 12650, 4, NS),
        (QUOTE, ASK, 12660, 3, NS),
    ]


@pytest.mark.parametrize(
    ("price", "side"),
    [(126.6, BUY), (126.61, BUY), (126.5, SELL), (126.4, SELL), (126.56, BUY), (126.54, SELL), (126.55, UNKNOWN)],
)
def test_the_side_of_a_print_is_told_by_the_quote_and_marked_so(price, side):
    rows = rows_of(stocks(), quote(), trade(price=price))
    print_ = rows[rows["kind"] == TRADE][0]
    assert print_["side"] == side
    assert bool(print_["marks"] & IMPLIED) == (side != UNKNOWN)


@pytest.mark.parametrize("touch", [[], [quote(0, 126.6)], [quote(126.6, 126.6)], [quote(126.7, 126.6)]])
def test_without_a_quote_of_two_sides_a_print_has_no_side(touch):
    rows = rows_of(stocks(), *touch, trade())
    assert rows[["side", "aux", "ref"]][rows["kind"] == TRADE].tolist() == [(UNKNOWN, REGULAR, 1)]


@pytest.mark.parametrize(
    ("exchange", "conditions", "kind"),
    [
        ("V", ["@"], REGULAR), ("V", ["@", "I"], ODD_LOT), ("D", ["@"], OFF_EXCHANGE), ("D", ["@", "I"], ODD_LOT),
        ("V", ["@", "6"], AUCTION), ("V", ["@", "O"], AUCTION), ("V", ["@", "M"], OTHER), ("V", ["@", "Z"], LATE),
    ],
)  # fmt: skip
def test_sale_conditions_say_of_what_kind_a_print_is(exchange, conditions, kind):
    rows = rows_of(stocks(), trade(exchange=exchange, conditions=conditions))
    assert rows["aux"].tolist() == [kind]


def test_a_correction_takes_the_print_back_and_tells_another():
    venue = stocks()
    rows_of(venue, quote(), trade(ident=7, price=126.6, size=5))
    fix = {"T": "c", "S": "AAPL", "x": "V", "oi": 7, "op": 126.6, "os": 5, "oc": ["@"], "ci": 9, "cp": 126.5, "cs": 4}
    rows = rows_of(venue, fix | {"cc": ["@"], "t": WHEN, "z": "C"})
    assert rows[["kind", "aux", "ref", "tick", "lots", "side"]].tolist() == [
        (TRADE, BUST, 7, 12660, 5, BUY),
        (TRADE, REGULAR, 9, 12650, 4, SELL),
    ]


def test_a_cancel_takes_back_only_what_was_told():
    venue = stocks()
    rows_of(venue, trade(ident=7, exchange="D"))
    cancel = {"T": "x", "S": "AAPL", "i": 7, "p": 126.55, "s": 1, "a": "C", "z": "C", "t": WHEN}
    assert len(rows_of(venue, cancel | {"x": "V"})) == 0
    assert rows_of(venue, cancel | {"x": "D"})[["aux", "ref"]].tolist() == [(BUST, 7)]
    assert len(rows_of(venue, cancel | {"x": "D"})) == 0


def test_one_id_is_a_print_of_each_exchange_and_told_twice_it_is_counted():
    venue = stocks()
    assert len(rows_of(venue, trade(), trade(exchange="P"), trade())) == 2
    assert venue.checks.duplicates == 1


def test_a_halt_and_its_end_are_statuses():
    venue = stocks()
    halt = {"T": "s", "S": "AAPL", "sc": "H", "sm": "Trading Halt", "rc": "T12", "rm": "x", "t": WHEN, "z": "C"}
    assert rows_of(venue, halt)[["kind", "aux"]].tolist() == [(STATUS, S_HALTED)]
    assert rows_of(venue, halt | {"sc": "T", "sm": "Trading Resumption"})["aux"].tolist() == [S_LIVE]


def test_a_message_that_cannot_be_read_does_not_cost_the_others():
    venue = stocks()
    rows = rows_of(venue, trade(ident=1), trade(ident=2) | {"t": 5}, trade(ident=3) | {"p": None}, trade(ident=4))
    assert rows["ref"].tolist() == [1, 4]
    assert venue.checks.damaged == 2


def test_a_price_below_a_cent_is_exact():
    rows = rows_of(stocks(), trade(price=0.12345))
    assert rows["marks"][0] & OFF_GRID
    assert AAPL.price.fine_text(int(rows["tick"][0])) == "0.12345"


def book(bids, asks, **more):
    sides = {name: [{"p": p, "s": s} for p, s in side] for name, side in (("b", bids), ("a", asks))}
    return {"T": "o", "S": "BTC/USD", "t": WHEN} | sides | more


def test_a_coins_book_begins_with_a_whole_one_which_replaces_whenever_it_comes():
    venue = coins()
    assert len(rows_of(venue, book([(100.5, 1)], []))) == 0
    rows = rows_of(venue, book([(100.5, 1.5)], [(100.75, 0.0002)], r=True))
    assert rows[["kind", "side", "tick", "lots"]].tolist() == [
        (CLEAR, 0, 0, 0), (BOOK, BID, 10050, 15000), (BOOK, ASK, 10075, 2), (STATUS, 0, 0, 0),
    ]  # fmt: skip
    assert rows_of(venue, book([(100.5, 0)], []))[["side", "tick", "lots"]].tolist() == [(BID, 10050, 0)]
    assert rows_of(venue, book([], [], r=True))["kind"].tolist() == [CLEAR, STATUS]


def test_a_book_message_that_cannot_be_read_costs_the_book():
    venue = coins()
    rows_of(venue, book([(100.5, 1.5)], [], r=True))
    assert rows_of(venue, book([(100.5, "x")], []))["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert [want.what for want in venue.wants()] == ["resubscribe"]
    assert [json.loads(text)["action"] for text in venue.renewal("BTC/USD")] == ["unsubscribe", "subscribe"]


def test_the_side_of_a_coins_print_is_the_takers():
    print_ = {"T": "t", "S": "BTC/USD", "p": 100.5, "s": 0.0001, "t": WHEN, "i": 9, "tks": "S"}
    rows = rows_of(coins(), print_, print_ | {"i": 8, "tks": "B"}, print_)
    assert rows[["side", "ref", "lots"]].tolist() == [(SELL, 9, 1), (BUY, 8, 1)]


def test_stocks_are_listed_by_their_newest_prints_and_coins_by_their_increments():
    raw = b'{"AAPL":{"latestTrade":{"p":126.5}},"PENNY":{"latestTrade":{"p":0.31}},"NONE":null,"NEW":{}}'
    assert {name: one.tick for name, one in AlpacaStocks.read_instruments(raw).items()} == {
        "AAPL": "0.01", "PENNY": "0.0001", "NEW": "0.01",
    }  # fmt: skip
    assert AlpacaSip.listing_urls(["aapl", "BRK.B"])[0].endswith("?feed=sip&symbols=AAPL%2CBRK.B")
    raw = b'[{"symbol":"BTC/USD","price_increment":"0.01","min_trade_increment":"0.0001"},{"symbol":"X"}]'
    assert [(one.tick, one.lot) for one in AlpacaCrypto.read_instruments(raw).values()] == [("0.01", "0.0001")]
    with pytest.raises(BadInput, match="list of instruments"):
        AlpacaCrypto.read_instruments(b'{"code":40110000,"message":"request is not authorized"}')

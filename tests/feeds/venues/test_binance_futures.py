from __future__ import annotations

import json

import pytest

from feeds.events import (
    BOOK,
    BUY,
    C_SEQUENCE,
    FACT,
    FLOW_PRINTS,
    GAP,
    INSURANCE,
    LAST,
    OTHER,
    QUOTE,
    REGULAR,
    SELL,
    STATUS,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues.binance_futures import BinanceDelivery, BinanceFutures

BTC = Instrument(venue="binance-futures", symbol="BTCUSDT", tick="0.10", lot="0.001")
SNAPSHOT_BODY = {
    "lastUpdateId": 100,
    "E": 5,
    "T": 1680652700580,
    "bids": [["99.90", "1.000"]],
    "asks": [["100.10", "3.000"]],
}


def venue():
    return BinanceFutures({"BTCUSDT": (0, BTC)}, Checks())


def frame(what, data):
    return json.dumps(
        {"stream": f"btcusdt@{what}", "data": {"s": "BTCUSDT", "E": 1680652700455, "T": 1680652700452} | data}
    ).encode()


def depth(first, last, prev, bids=()):
    return frame("depth@100ms", {"e": "depthUpdate", "U": first, "u": last, "pu": prev, "b": list(bids), "a": []})


def trade(ident, how="MARKET", **more):
    return frame("trade", {"e": "trade", "t": ident, "p": "100.00", "q": "0.010", "X": how, "m": True} | more)


def run(parser, *frames):
    out = EventBuffer()
    for i, one in enumerate(frames):
        if isinstance(one, dict):
            parser.on_snapshot("BTCUSDT", json.dumps(one), 10 + i, out)
        else:
            parser.on_frame(one, 10 + i, out)
    return out.take()


def test_the_chain_is_by_the_previous_id_and_the_time_is_the_matching_engines():
    parser = venue()
    rows = run(
        parser, SNAPSHOT_BODY, depth(95, 105, 90, [["99.90", "2.000"]]), depth(130, 140, 105, [["99.80", "1.000"]])
    )
    assert parser.checks.gaps == 0
    assert rows["exch_ns"].tolist() == [1680652700_580000000] * 4 + [1680652700_452000000] * 2
    rows = run(parser, depth(141, 150, 139))
    assert rows["kind"].tolist()[0] == GAP
    assert rows["lots"][0] == C_SEQUENCE


def test_the_first_update_may_follow_the_snapshot_directly():
    parser = venue()
    assert run(parser, SNAPSHOT_BODY, depth(120, 130, 100))["kind"].tolist()[-1] == STATUS
    assert parser.checks.gaps == 0
    parser = venue()
    run(parser, SNAPSHOT_BODY, depth(120, 130, 101))
    assert parser.checks.gaps == 1


@pytest.mark.parametrize(
    ("how", "aux"), [("MARKET", REGULAR), ("INSURANCE_FUND", INSURANCE), ("ADL", INSURANCE), ("NA", OTHER)]
)
def test_prints_that_are_no_flow_are_on_the_tape_all_the_same(how, aux):
    rows = run(venue(), trade(1, how))
    assert rows["aux"].tolist() == [aux]
    assert bool(FLOW_PRINTS >> aux & 1) == (how == "MARKET")


def test_a_liquidation_is_a_fact_with_the_side_of_its_order_and_no_print():
    order = {
        "s": "BTCUSDT",
        "S": "BUY",
        "o": "LIMIT",
        "f": "IOC",
        "q": "0.014",
        "p": "99.10",
        "ap": "0",
        "z": "0",
        "T": 1680652700001,
    }
    rows = run(venue(), frame("forceOrder", {"e": "forceOrder", "o": order}))
    assert rows[["kind", "tick", "lots", "side", "aux", "ref", "marks"]].tolist() == [
        (FACT, 991, 14, BUY, 5, 1680652700_001000000, LAST)
    ]


def test_an_all_market_array_is_read_one_by_one():
    one = {"e": "markPriceUpdate", "E": 1680652700000, "s": "BTCUSDT", "p": "-0.5", "r": "", "T": 0}
    rows = run(venue(), json.dumps({"stream": "!markPrice@arr@1s", "data": [one, one | {"s": "OTHER"}, one]}))
    assert rows[["kind", "aux", "lots", "marks"]].tolist() == [(FACT, 0, -500_000_000, LAST)] * 2


def test_quotes_carry_the_matching_engines_time():
    quote = {"e": "bookTicker", "u": 9, "b": "99.90", "B": "1.000", "a": "100.10", "A": "2.000"}
    rows = run(venue(), frame("bookTicker", quote))
    assert rows["kind"].tolist() == [QUOTE, QUOTE]
    assert rows["exch_ns"].tolist() == [1680652700_452000000] * 2


def test_coin_margined_contracts_are_listed_with_their_size():
    listing = {
        "symbols": [
            {
                "symbol": "BTCUSD_PERP",
                "contractSize": 100,
                "quoteAsset": "USD",
                "pricePrecision": 1,
                "filters": [
                    {"filterType": "PRICE_FILTER", "tickSize": "0.1"},
                    {"filterType": "LOT_SIZE", "stepSize": "1"},
                ],
            }
        ]
    }
    one = BinanceDelivery.read_instruments(json.dumps(listing))["BTCUSD_PERP"]
    assert (one.tick, one.lot, one.multiplier, one.currency, one.venue) == (
        "0.1",
        "1",
        "100",
        "USD",
        "binance-delivery",
    )
    assert "inverse" in one.description


def test_depth_and_trades_come_over_two_routes():
    public, market = BinanceFutures.sockets(["BTCUSDT"])
    assert public.url == "wss://fstream.binance.com/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker"
    assert market.url == (
        "wss://fstream.binance.com/market/stream?streams=btcusdt@aggTrade/btcusdt@markPrice@1s/btcusdt@forceOrder"
    )
    (single,) = BinanceDelivery.sockets(["BTCUSD_PERP"])
    assert single.url.startswith("wss://dstream.binance.com/stream?streams=btcusd_perp@depth@100ms/")
    assert (
        BinanceDelivery.snapshot_url("BTCUSD_PERP")
        == "https://dapi.binance.com/dapi/v1/depth?symbol=BTCUSD_PERP&limit=1000"
    )


def test_an_aggressor_who_sold_met_a_maker_who_bought():
    rows = run(venue(), trade(1, m=True), trade(2, m=False))
    assert rows["side"].tolist() == [SELL, BUY]
    assert BOOK not in rows["kind"].tolist()

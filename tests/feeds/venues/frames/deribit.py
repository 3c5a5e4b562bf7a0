"""Deribit."""

NAMES = ("deribit",)
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None


def told(channel, data):
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}


def book(kind, at, bids, asks, **more):
    data = {"type": kind, "timestamp": 1699999999000, "instrument_name": S, "change_id": at} | more
    return told(f"book.{S}.100ms", data | {"bids": bids, "asks": asks})


def trade(number, **more):
    return {
        "timestamp": 1765531356452,
        "price": 100.1,
        "amount": 10.0,
        "direction": "sell",
        "instrument_name": S,
        "trade_seq": number,
        "trade_id": "403691824",
    } | more


FRAMES = [
    book("snapshot", 10, [["new", 99.9, 1.0], ["new", 99.8, 2.0]], [["new", 100.1, 3]]),
    book("change", 15, [["delete", 99.9, 0.0]], [["change", 100.1, 2.5]], prev_change_id=10),
    book("change", 16, [], [], prev_change_id=15),
    told(f"trades.{S}.100ms", [trade(1), trade(2, liquidation="MT"), trade(3, block_trade_id="7")]),
    told(
        f"ticker.{S}.100ms",
        {
            "timestamp": 1765541474086,
            "instrument_name": S,
            "mark_price": 100.05,
            "index_price": 100.04,
            "funding_8h": 0.00001742,
            "current_funding": 0.0,
            "open_interest": 1132329370.0,
            "best_bid_price": 99.9,
            "best_bid_amount": 1.0,
            "best_ask_price": None,
            "best_ask_amount": 0.0,
        },
    ),
    told(f"book.{S}.none.10.100ms", {"instrument_name": S, "change_id": 5, "bids": [[99.9, 1.0]], "asks": []}),
    {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}},
    {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "heartbeat"}},
    {"jsonrpc": "2.0", "id": 1, "result": "ok"},
    {"jsonrpc": "2.0", "id": 2, "result": {"version": "1.2.26"}},
    {"jsonrpc": "2.0", "id": 100, "result": [f"book.{S}.100ms"]},
    {"jsonrpc": "2.0", "id": 100, "error": {"code": 13778, "message": "raw_subscriptions_not_available"}},
]
WIDE = [
    b'{"method":"subscription","params":{"channel":"book.BTCUSDT.100ms","data":{"type":"snapshot","timestamp":1,'
    b'"instrument_name":"BTCUSDT","change_id":1,"bids":[%b],"asks":[]}}}'
]

"""Bybit v5."""

NAMES = ("bybit", "bybit-linear", "bybit-inverse")
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None
TOPIC = f"orderbook.200.{S}"


def book(kind, update, bids, asks):
    data = {"s": S, "b": bids, "a": asks, "u": update, "seq": 9000 + update}
    return {"topic": TOPIC, "type": kind, "ts": 1672304486868, "data": data, "cts": 1672304486865}


FRAMES = [
    book("snapshot", 10, [["99.90", "1.000"], ["99.80", "2.000"]], [["100.10", "3.000"]]),
    book("delta", 11, [["99.90", "0"]], [["100.20", "1.5"]]),
    book("delta", 12, [], []),
    book("delta", 1, [["99.90", "4.000"]], []),
    {
        "topic": f"publicTrade.{S}",
        "type": "snapshot",
        "ts": 1672304486868,
        "data": [
            {"T": 1672304486865, "s": S, "S": "Buy", "v": "0.001", "p": "100.10", "i": "20f43950-d8dd", "BT": False}
        ],
    },
    {
        "topic": f"tickers.{S}",
        "type": "snapshot",
        "cs": 5,
        "ts": 1672304486868,
        "data": {
            "symbol": S,
            "markPrice": "100.05",
            "indexPrice": "100.04",
            "fundingRate": "-0.000212",
            "nextFundingTime": "1673280000000",
            "openInterest": "20.000",
            "singleOpenInterest": "10.000",
            "bid1Price": "99.90",
            "bid1Size": "1.000",
            "ask1Price": "100.10",
            "ask1Size": "3.000",
        },
    },
    {"topic": f"tickers.{S}", "type": "delta", "cs": 6, "ts": 1672304486968, "data": {"symbol": S, "bid1Size": "2"}},
    {
        "topic": f"allLiquidation.{S}",
        "type": "snapshot",
        "ts": 1672304486868,
        "data": [{"T": 1672304486865, "s": S, "S": "Sell", "v": "20.000", "p": "99.50"}],
    },
    {"success": True, "ret_msg": "", "conn_id": "a", "req_id": "1", "op": "subscribe"},
    {"success": False, "ret_msg": "error:handler not found", "op": "subscribe"},
    {"success": True, "ret_msg": "pong", "op": "ping"},
]
WIDE = [b'{"topic":"orderbook.200.BTCUSDT","type":"snapshot","ts":1,"data":{"s":"BTCUSDT","u":1,"b":[%b],"a":[]}}']

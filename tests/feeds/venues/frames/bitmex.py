"""BitMEX."""

NAMES = ("bitmex",)
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None
WHEN = "2024-11-24T08:26:22.356Z"


def level(ident, side, **more):
    return {"symbol": S, "id": ident, "side": side} | more | {"timestamp": WHEN, "transactTime": WHEN}


def table(name, action, *rows, **more):
    return {"table": name, "action": action, "data": list(rows)} | more


def trade(ident, side):
    one = {"timestamp": WHEN, "symbol": S, "side": side, "size": 100, "price": 100.1, "trdType": "Regular"}
    return one | {"trdMatchID": ident, "tickDirection": "ZeroPlusTick"}


FRAMES = [
    {"info": "Welcome to the BitMEX Realtime API.", "version": "2", "limit": {"remaining": 39}},
    {"success": True, "subscribe": f"orderBookL2:{S}", "request": {"op": "subscribe"}},
    table("orderBookL2", "partial", level(1, "Buy", size=5, price=99.9), level(2, "Sell", size=3, price=100.1),
          filter={"symbol": S}, keys=["symbol", "id", "side"]),
    table("orderBookL2", "update", level(1, "Buy", size=7)),
    table("orderBookL2", "insert", level(3, "Sell", size=1, price=100.2)),
    table("orderBookL2", "delete", level(2, "Sell")),
    table("orderBookL2", "update", level(9, "Buy", size=7)),
    table("trade", "partial", trade("a", "Sell")),
    table("trade", "insert", trade("b", "Buy"), trade("b", "Buy")),
    table("quote", "insert", {"timestamp": WHEN, "symbol": S, "bidSize": 5, "bidPrice": 99.9, "askPrice": 100.1,
                              "askSize": 3}),
    table("instrument", "update", {"symbol": S, "timestamp": WHEN, "openInterest": 538, "fundingRate": 0.0001,
                                   "fundingTimestamp": WHEN, "markPrice": 100.05, "indicativeSettlePrice": 100.0}),
    table("liquidation", "insert", {"orderID": "x", "symbol": S, "side": "Buy", "price": 95.0, "leavesQty": 10}),
    {"status": 400, "error": "Unknown or expired symbol.", "meta": {}, "request": {}},
]  # fmt: skip
WIDE = [b'{"table":"orderBookL2","action":"partial","data":[%b]}']

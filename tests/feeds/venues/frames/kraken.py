"""Kraken, websocket v2: levels and orders."""

NAMES = ("kraken", "kraken-l3")
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None
WHEN = "2023-10-06T17:35:55.440295Z"


def book(kind, bids, asks, checksum=5):
    entries = [[{"price": p, "qty": q} for p, q in side] for side in (bids, asks)]
    data = {"symbol": S, "bids": entries[0], "asks": entries[1], "checksum": checksum, "timestamp": WHEN}
    return {"channel": "book", "type": kind, "data": [data]}


def order(ident, price, size, **more):
    return {"order_id": ident, "limit_price": price, "order_qty": size, "timestamp": WHEN} | more


def orders(kind, bids, asks):
    data = {"symbol": S, "bids": bids, "asks": asks, "checksum": 7, "timestamp": WHEN}
    return {"channel": "level3", "type": kind, "data": [data]}


FRAMES = [
    book("snapshot", [(99.9, 1.5), (99.8, 2)], [(100.1, 1)]),
    book("update", [(99.9, 0)], [(100.1, 1e-3)]),
    orders("snapshot", [order("OA", 99.9, 1.5), order("OB", 99.9, 2)], [order("OC", 100.1, 1)]),
    orders("update", [order("OA", 99.8, 1, event="modify")], [order("OD", 100.2, 1, event="add")]),
    orders("update", [order("OB", 99.9, 0, event="delete")], []),
    {
        "channel": "trade",
        "type": "update",
        "data": [
            {
                "symbol": S,
                "side": "buy",
                "price": 100.1,
                "qty": 0.25,
                "ord_type": "limit",
                "trade_id": 7,
                "timestamp": WHEN,
            }
        ],
    },
    {"method": "subscribe", "result": {"channel": "book", "depth": 10, "snapshot": True, "symbol": S}, "success": True},
    {"error": "Currency pair not supported", "method": "subscribe", "success": False, "symbol": S},
    {"channel": "status", "type": "update", "data": [{"system": "online", "api_version": "v2"}]},
    {"channel": "heartbeat"},
]
WIDE = [
    b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTCUSDT","bids":[%b],"asks":[]}]}',
    b'{"channel":"level3","type":"snapshot","data":[{"symbol":"BTCUSDT","bids":[%b],"asks":[]}]}',
]

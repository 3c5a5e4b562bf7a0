"""Coinbase Exchange, the channels that need no key."""

NAMES = ("coinbase-exchange",)
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None
WHEN = "2014-11-07T08:19:27.028459Z"


def match(kind, number):
    ids = {"maker_order_id": "a", "taker_order_id": "b", "sequence": 50}
    return {
        "type": kind, "trade_id": number, "time": WHEN, "product_id": S, "size": "5.23", "price": "99.9",
        "side": "sell",
    } | ids  # fmt: skip


FRAMES = [
    {"type": "snapshot", "product_id": S, "bids": [["99.90", "1.000"]], "asks": [["100.10", "2.000"]], "time": WHEN},
    {"type": "l2update", "product_id": S, "time": WHEN, "changes": [["buy", "99.80", "1.5"], ["sell", "100.10", "0"]]},
    {"type": "l2update", "product_id": S, "time": "0001-01-01T00:00:00.000000Z", "changes": []},
    match("last_match", 10),
    match("match", 11),
    {
        "type": "ticker", "sequence": 60, "product_id": S, "price": "99.9", "time": WHEN,
        "best_bid": "99.90", "best_bid_size": "1.000", "best_ask": "100.10", "best_ask_size": "2.000",
    },
    {"type": "heartbeat", "sequence": 90, "last_trade_id": 20, "product_id": S, "time": WHEN},
    {"type": "subscriptions", "channels": [{"name": "matches", "product_ids": [S]}]},
    {"type": "error", "message": "Failed to subscribe", "reason": "level2 requires authentication"},
]  # fmt: skip
WIDE = [b'{"type":"snapshot","product_id":"BTCUSDT","bids":[%b],"asks":[]}']

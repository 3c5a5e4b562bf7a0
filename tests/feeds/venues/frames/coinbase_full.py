"""Coinbase Exchange, order by order."""

NAMES = ("coinbase-full",)
SYMBOL = S = "BTCUSDT"
SNAPSHOT = b'"bids"'
WHEN = "2014-11-07T08:19:27.028459Z"


def order(number):
    return f"d50ec984-77a8-460a-b958-66f114b0de{number:02}"


def told(kind, sequence, **more):
    return {"type": kind, "product_id": S, "sequence": sequence, "time": WHEN} | more


FRAMES = [
    {"sequence": 10, "bids": [["99.90", "1.000", order(1)]], "asks": [["100.10", "2.000", order(2)]], "time": WHEN},
    told("received", 11, order_id=order(3), side="buy", price="99.80", size="1.5", order_type="limit"),
    told("open", 12, order_id=order(3), side="buy", price="99.80", remaining_size="1.5"),
    told(
        "match",
        13,
        maker_order_id=order(2),
        taker_order_id=order(4),
        side="sell",
        price="100.10",
        size="0.5",
        trade_id=7,
    ),
    told("change", 14, order_id=order(3), side="buy", price="99.80", old_size="1.5", new_size="1.0"),
    told("done", 15, order_id=order(1), side="buy", price="99.90", reason="canceled", remaining_size="1.0"),
    told("last_match", 5, maker_order_id=order(8), side="buy", price="99.90", size="0.5", trade_id=6),
    {"type": "heartbeat", "sequence": 90, "last_trade_id": 20, "product_id": S, "time": WHEN},
    {"type": "subscriptions", "channels": [{"name": "full", "product_ids": [S]}]},
    {"type": "error", "message": "Authentication Failed", "reason": "{}"},
]
WIDE = [b'{"type":"open","product_id":"BTCUSDT","sequence":1,"levels":[%b]}']

"""Coinbase Advanced Trade."""

NAMES = ("coinbase",)
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None
WHEN = "2026-08-09T21:05:48.170326Z"


def frame(channel, number, *events):
    return {
        "channel": channel,
        "client_id": "",
        "timestamp": "2026-08-09T21:05:48.483587501Z",
        "sequence_num": number,
        "events": list(events),
    }


def book(kind, *levels):
    names = ("side", "event_time", "price_level", "new_quantity")
    updates = [dict(zip(names, (side, WHEN, price, size), strict=True)) for side, price, size in levels]
    return {"type": kind, "product_id": S, "updates": updates}


def trade(number, side):
    return {"product_id": S, "trade_id": str(number), "price": "100.1", "size": "0.5", "time": WHEN, "side": side}


FRAMES = [
    frame("l2_data", 0, book("snapshot", ("bid", "99.9", "1"), ("bid", "99.8", "2"), ("offer", "100.1", "3"))),
    frame("subscriptions", 1, {"subscriptions": {"level2": [S]}}),
    frame("l2_data", 2, book("update", ("bid", "99.9", "0"), ("offer", "100.2", "0.5"))),
    frame("market_trades", 3, {"type": "snapshot", "trades": [trade(8, "SELL"), trade(7, "BUY")]}),
    frame("market_trades", 4, {"type": "update", "trades": [trade(9, "SELL")]}),
    frame(
        "ticker",
        5,
        {
            "type": "update",
            "tickers": [
                {
                    "type": "ticker",
                    "product_id": S,
                    "best_bid": "99.9",
                    "best_bid_quantity": "1",
                    "best_ask": "100.1",
                    "best_ask_quantity": "3",
                }
            ],
        },
    ),
    frame("heartbeats", 6, {"current_time": "2026-08-09 21:05:48", "heartbeat_counter": 7}),
    frame("l2_data", 9, book("update")),
    {"type": "error", "message": "rate limit exceeded"},
]
WIDE = [b'{"channel":"l2_data","sequence_num":0,"timestamp":"","events":[%b]}']

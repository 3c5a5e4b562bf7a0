"""Hyperliquid."""

NAMES = ("hyperliquid",)
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None
TIME = 1790232236546


def level(price, size, n=1):
    return {"px": price, "sz": size, "n": n}


FRAMES = [
    {
        "channel": "l2Book",
        "data": {
            "coin": S,
            "time": TIME,
            "levels": [[level("99.9", "1"), level("99.8", "2", 3)], [level("100.1", "1")]],
        },
    },
    {
        "channel": "l2Book",
        "data": {"coin": S, "time": TIME + 5, "levels": [[level("99.8", "2")], [level("100.1", "4", 2)]]},
    },
    {"channel": "l2Book", "data": {"coin": S, "time": TIME + 9, "levels": [[], []]}},
    {"channel": "bbo", "data": {"coin": S, "time": TIME + 7, "bbo": [level("99.7", "1"), level("100.0", "2")]}},
    {"channel": "bbo", "data": {"coin": S, "time": TIME + 8, "bbo": [None, level("100.0", "2")]}},
    {
        "channel": "trades",
        "data": [
            {
                "coin": S,
                "side": "A",
                "px": "99.9",
                "sz": "0.5",
                "time": TIME,
                "hash": "0x0",
                "tid": 7,
                "users": ["a", "b"],
            }
        ],
    },
    {
        "channel": "activeAssetCtx",
        "data": {
            "coin": S,
            "ctx": {
                "funding": "0.0000018952",
                "openInterest": "36585.318",
                "oraclePx": "84198.0",
                "markPx": "84148.0",
                "midPx": None,
            },
        },
    },
    {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": {"type": "l2Book", "coin": S}}},
    {"channel": "error", "data": "Already subscribed"},
    {"channel": "pong"},
]
WIDE = [b'{"channel":"l2Book","data":{"coin":"BTCUSDT","time":1,"levels":[[%b],[]]}}']

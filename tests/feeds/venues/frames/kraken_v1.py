"""Kraken, websocket v1."""

NAMES = ("kraken-v1",)
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None
WHEN = "1618678132.136369"
FRAMES = [
    [1, {"as": [["100.10", "1.0", WHEN]], "bs": [["99.90", "1.0", WHEN], ["99.80", "2.0", WHEN]]}, "book-10", S],
    [1, {"a": [["100.10", "0.0", WHEN, "r"]]}, {"b": [["99.70", "1.0", WHEN]], "c": "123"}, "book-10", S],
    [2, [["100.00", "0.5", WHEN, "b", "l", ""]], "trade", S],
    {"event": "subscriptionStatus", "status": "subscribed", "pair": S, "subscription": {"name": "book", "depth": 10}},
]
WIDE = [b'[1,{"as":[%b],"bs":[]},"book-10","BTCUSDT"]']

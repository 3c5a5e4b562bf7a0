"""Alpaca: stocks and coins."""

NAMES = ("alpaca", "alpaca-sip", "alpaca-delayed", "alpaca-crypto")
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None
WHEN = "2021-02-22T15:51:44.208123456Z"
TRADE = {"T": "t", "S": S, "i": 96921, "x": "V", "p": 100.1, "s": 1, "c": ["@", "I"], "t": WHEN, "z": "C"}
QUOTE = {"T": "q", "S": S, "bx": "V", "bp": 99.9, "bs": 4, "ax": "V", "ap": 100.1, "as": 3, "c": ["R"], "t": WHEN}
FRAMES = [
    [{"T": "success", "msg": "connected"}],
    [{"T": "success", "msg": "authenticated"}],
    [{"T": "subscription", "trades": [S], "quotes": [S], "orderbooks": [S]}],
    [QUOTE],
    [TRADE, TRADE | {"i": 96922, "tks": "B", "x": "D", "c": [" "]}],
    [{"T": "c", "S": S, "x": "V", "oi": 96921, "op": 100.1, "os": 1, "oc": ["@"], "ci": 96925, "cp": 100.0, "cs": 2,
      "cc": ["@"], "z": "C", "t": WHEN}],
    [{"T": "x", "S": S, "i": 96922, "x": "D", "p": 100.1, "s": 1, "a": "C", "z": "C", "t": WHEN}],
    [{"T": "s", "S": S, "sc": "H", "sm": "Trading Halt", "rc": "T12", "rm": "News", "t": WHEN, "z": "C"}],
    [{"T": "o", "S": S, "t": WHEN, "b": [{"p": 99.9, "s": 1.5}], "a": [{"p": 100.1, "s": 2}], "r": True}],
    [{"T": "o", "S": S, "t": WHEN, "b": [{"p": 99.9, "s": 0}, {"p": 99.8, "s": 0.25}], "a": []}],
    [{"T": "error", "code": 406, "msg": "connection limit exceeded"}],
]  # fmt: skip
WIDE = [b'[{"T":"o","S":"BTCUSDT","t":"2021-02-22T15:51:44Z","b":[%b]}]']

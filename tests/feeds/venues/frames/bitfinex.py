"""Bitfinex: levels and orders."""

NAMES = ("bitfinex", "bitfinex-r0")
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None


def subscribed(number, channel, **more):
    return {"event": "subscribed", "channel": channel, "chanId": number, "symbol": S} | more


FRAMES = [
    {"event": "conf", "status": "OK", "flags": 65536},
    subscribed(5, "book", prec="P0", freq="F0", len="25"),
    subscribed(6, "book", prec="R0", freq="F0", len="25"),
    subscribed(7, "trades"),
    {"event": "subscribed", "channel": "status", "chanId": 8, "key": f"deriv:{S}"},
    {"event": "subscribed", "channel": "status", "chanId": 9, "key": "liq:global"},
    [5, [[99.9, 2, 1.5], [99.8, 1, 2], [100.1, 1, -1]], 1],
    [5, [99.9, 0, 1], 2],
    [5, "cs", 1330055495, 3],
    [6, [[11, 99.9, 1.5], [12, 99.9, 2], [13, 100.1, -1]], 4],
    [6, [11, 99.8, 1], 5],
    [6, [12, 0, 1], 6],
    [7, [[401, 1574694475000, 0.005, 100.1]], 7],
    [7, "te", [402, 1574694475039, -0.25, 99.9], 8],
    [7, "tu", [402, 1574694475039, -0.25, 99.9], 9],
    [8, [1596124822000, None, 0.9, 0.8, None, 1, None, 1596153600000, 0.0001, 6, None, -0.01, None, None, 0.7, None,
         None, 246502.091], 10],
    [9, [["pos", 1423, 1574697680828.2, None, S, -2.625, 91.5, None, 1, 1, None, 112.2]], 11],
    [5, "hb", 12],
    {"event": "error", "msg": "symbol: invalid", "code": 10300, "channel": "book", "symbol": S},
]  # fmt: skip
WIDE = [b"[5,[%b],1]"]

"""Binance: spot, US, USD-M and COIN-M."""

NAMES = ("binance", "binance-us", "binance-futures", "binance-delivery")
SYMBOL = S = "BTCUSDT"
SNAPSHOT = b"lastUpdateId"
LEVELS = [["99.90", "1.000"], ["99.80", "0.000"], ["99.70", "3.125"], ["99.60", "2.000"]]


def combined(what, data):
    return {"stream": f"btcusdt@{what}", "data": {"E": 1680652700455, "T": 1680652700452, "s": S} | data}


FRAMES = [
    combined("depth@100ms", {"e": "depthUpdate", "U": 95, "u": 105, "pu": 90, "b": LEVELS, "a": [["100.10", "1.000"]]}),
    combined("depth@100ms", {"e": "depthUpdate", "U": 106, "u": 110, "pu": 105, "b": [], "a": []}),
    combined("trade", {"e": "trade", "t": 1, "p": "100.00", "q": "0.010", "X": "MARKET", "m": True}),
    combined("aggTrade", {"e": "aggTrade", "a": 1, "p": "100.00", "q": "0.010", "f": 1, "l": 2, "m": False}),
    combined("bookTicker", {"e": "bookTicker", "u": 9, "b": "99.90", "B": "1.000", "a": "100.10", "A": "2.000"}),
    combined("markPrice", {"e": "markPriceUpdate", "p": "1.5", "i": "1.4", "r": "0.0001", "P": "1"}),
    combined(
        "forceOrder",
        {"e": "forceOrder", "o": {"s": S, "S": "SELL", "q": "1", "p": "99.1", "ap": "99", "z": "1", "T": 5}},
    ),
    {"lastUpdateId": 100, "E": 5, "T": 1680652700580, "bids": LEVELS, "asks": [["100.10", "3.000"]]},
    {"result": None, "id": 1},
    {"code": 2, "msg": "Invalid"},
]
WIDE = [
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"b":[%b],"a":[]}}'
]

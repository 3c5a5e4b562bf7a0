"""Gemini: the current socket and the archived one."""

NAMES = ("gemini", "gemini-v2")
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None
E = 1789456740173524809
PRINT = {"event_id": 1, "price": "100.00", "quantity": "0.5", "side": "buy", "symbol": S, "tid": 5, "type": "trade"}
PRINT |= {"timestamp": 1786313194672}
FRAMES = [
    {"e": "depthUpdate", "E": E, "s": S, "U": 9, "u": 9, "b": [["99.90", "1.000"]], "a": [["100.10", "1.000"]]},
    {"e": "depthUpdate", "E": E, "s": S, "U": 9, "u": 12, "b": [["99.90", "0.000"], ["99.80", "2.000"]], "a": []},
    {"e": "depthUpdate", "E": E, "s": S, "U": 12, "u": 15, "b": [], "a": [["100.10", "3.000"]]},
    {"E": E, "s": S, "t": 7, "p": "100.00", "q": "0.5", "m": True},
    {"u": 15, "s": S, "b": "99.80", "B": "2.000", "a": "100.10", "A": "3.000", "E": E},
    {"e": "markPrice", "E": E, "s": S, "p": "100.01", "i": "10000.5"},
    {"e": "fundingAmount", "E": E, "s": S, "T": E, "i": 60, "f": "7.9", "r": "0.01", "p": "100.01", "R": False},
    {"id": 1, "status": 200},
    {"id": 4, "status": 400, "error": {"code": -1013, "msg": "Invalid stream name"}},
    {"type": "l2_updates", "symbol": S, "changes": [["buy", "99.9", "1"], ["sell", "100.1", "1"]], "trades": [PRINT]},
    {"type": "l2_updates", "symbol": S, "changes": [["buy", "99.9", "0"]]},
    PRINT | {"tid": 6, "side": "sell"},
    {"type": "mark_price_updates", "symbol": S, "changes": [{"mark_price": "1", "spot_index": "1", "timestamp": E}]},
    {"type": "heartbeat", "timestamp": 1786313195331},
]
WIDE = [
    b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":9,"u":9,"b":[%b],"a":[]}',
    b'{"type":"l2_updates","symbol":"BTCUSDT","changes":[%b],"trades":[]}',
]

"""dYdX v4's indexer."""

NAMES = ("dydx",)
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None
WHEN = "2024-01-01T00:00:01.000Z"


def frame(kind, number, channel, contents, ident=S):
    return {"type": kind, "message_id": number, "channel": channel, "id": ident, "contents": contents}


def trade(ident, side, kind="LIMIT"):
    one = {"id": ident, "side": side, "size": "0.5", "price": "100.1", "type": kind}
    return one | {"createdAt": WHEN, "createdAtHeight": "12345678"}


MARKET = {"clobPairId": "0", "ticker": S, "status": "ACTIVE", "oraclePrice": "100.00", "nextFundingRate": "0.0001"}
MARKET |= {"openInterest": "987.5", "tickSize": "0.1", "stepSize": "0.001"}
FRAMES = [
    {"type": "connected", "connection_id": "c", "message_id": 0},
    frame("subscribed", 1, "v4_orderbook", {"bids": [{"price": "99.9", "size": "1.5"}, {"price": "99.8", "size": "2"}],
                                            "asks": [{"price": "100.1", "size": "1.2"}]}),
    frame("channel_data", 2, "v4_orderbook", {"bids": [["99.9", "2.0"]], "asks": [["100.1", "0.0"]]}),
    frame("channel_data", 3, "v4_orderbook", {"bids": [["100.2", "1"]]}),
    frame("channel_batch_data", 4, "v4_orderbook", [{"asks": [["100.1", "0.4"]]}, {"bids": [["100.2", "0"]]}]),
    frame("subscribed", 5, "v4_trades", {"trades": [trade("t2", "BUY"), trade("t1", "SELL")]}),
    frame("channel_data", 6, "v4_trades", {"trades": [trade("t3", "SELL", "LIQUIDATED"), trade("t3", "SELL")]}),
    frame("subscribed", 7, "v4_markets", {"markets": {S: MARKET}}, ""),
    frame("channel_data", 8, "v4_markets", {"trading": {S: {"status": "PAUSED", "nextFundingRate": "0.1"}}}, ""),
    frame("channel_data", 9, "v4_markets", {"oraclePrices": {S: {"oraclePrice": "101", "effectiveAt": WHEN}}}, ""),
    frame("channel_data", 12, "v4_orderbook", {"bids": [["99.7", "1"]]}),
    {"type": "error", "message": "Invalid subscription id", "connection_id": "c", "message_id": 13},
]  # fmt: skip
WIDE = [b'{"type":"channel_data","message_id":1,"channel":"v4_orderbook","id":"BTCUSDT","contents":{"bids":[%b]}}']

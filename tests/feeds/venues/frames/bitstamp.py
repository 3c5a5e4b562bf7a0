"""Bitstamp: whole books, updates, orders."""

NAMES = ("bitstamp", "bitstamp-diff", "bitstamp-l3")
SYMBOL = S = "BTCUSDT"
SNAPSHOT = b'"rest"'
MICRO = 1758000000123456


def book(channel, at, bids, asks):
    data = {"timestamp": "1758000000", "microtimestamp": str(MICRO + at), "bids": bids, "asks": asks}
    return {"data": data, "channel": f"{channel}_{S}", "event": "data"}


def order(event, number, ident, kind, price, amount):
    data = {"id": ident, "id_str": str(ident), "order_type": kind, "datetime": "1758000000", "amount_str": amount}
    data |= {"microtimestamp": str(MICRO + 1_000_000 * number), "price_str": price, "amount_traded": "0"}
    data |= {"event_id": f"e{number}", "pre_event_id": f"e{number - 1}"}
    return {"data": data, "channel": f"live_orders_{S}", "event": event}


def trade(ident, kind):
    data = {"id": ident, "timestamp": "1758000000", "amount": 0.5, "amount_str": "0.50000000", "price": 100.1}
    data |= {"price_str": "100.1", "type": kind, "microtimestamp": str(MICRO), "buy_order_id": 1, "sell_order_id": 2}
    return {"data": data, "channel": f"live_trades_{S}", "event": "trade"}


FRAMES = [
    {"event": "bts:subscription_succeeded", "channel": f"diff_order_book_{S}", "data": {}},
    book("order_book", 0, [["99.9", "1.5"], ["99.8", "2"]], [["100.1", "1"]]),
    book("order_book", 9, [["99.9", "1"], ["99.7", "2"]], [["100.1", "1"]]),
    book("diff_order_book", 10, [["99.9", "1.5"]], [["100.1", "1.00000000"]]),
    {"rest": 1, "microtimestamp": str(MICRO + 20), "bids": [["99.9", "1"]], "asks": [["100.1", "1"], ["100", "2"]]},
    book("diff_order_book", 30, [["100", "1.5"], ["99.9", "0.00000000"]], []),
    order("order_created", 1, 11, 0, "99.9", "1.00000000"),
    order("order_created", 2, 12, 1, "100.1", "2.00000000"),
    order("order_changed", 3, 12, 1, "100.1", "0.50000000"),
    order("order_deleted", 4, 12, 1, "100.0", "0.00000000"),
    order("order_changed", 6, 13, 0, "99.8", "1"),
    order("order_deleted", 7, 11, 0, "99.9", "1.00000000"),
    trade(5, 0),
    trade(6, 1),
    {"event": "bts:heartbeat", "channel": "", "data": {"status": "success"}},
    {"event": "bts:request_reconnect", "channel": "", "data": ""},
    {"event": "bts:error", "channel": "", "data": {"code": 4009, "message": "Connection is unauthorized."}},
]
WIDE = [
    b'{"event":"data","channel":"order_book_BTCUSDT","data":{"microtimestamp":"1","bids":[%b],"asks":[]}}',
    b'{"event":"data","channel":"diff_order_book_BTCUSDT","data":{"microtimestamp":"1","bids":[%b],"asks":[]}}',
]

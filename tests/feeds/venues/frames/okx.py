"""OKX v5."""

NAMES = ("okx",)
SYMBOL = S = "BTCUSDT"
SNAPSHOT = None
FRAMES = [
    {
        "arg": {"channel": "books", "instId": S},
        "action": "snapshot",
        "data": [
            {
                "asks": [["100.1", "1", "0", "1"]],
                "bids": [["99.9", "2", "0", "3"]],
                "ts": "1597026383085",
                "checksum": 5,
                "seqId": 10,
                "prevSeqId": -1,
            }
        ],
    },
    {
        "arg": {"channel": "books", "instId": S},
        "action": "update",
        "data": [
            {
                "asks": [["100.1", "0", "0", "0"]],
                "bids": [],
                "ts": "1597026383086",
                "checksum": 0,
                "seqId": 15,
                "prevSeqId": 10,
            }
        ],
    },
    {
        "arg": {"channel": "trades", "instId": S},
        "data": [{"instId": S, "tradeId": "7", "px": "100.0", "sz": "1", "side": "buy", "ts": "1630048897897"}],
    },
    {"event": "subscribe", "arg": {"channel": "trades", "instId": S}},
]
WIDE = [b'{"arg":{"channel":"books","instId":"BTCUSDT"},"action":"snapshot","data":[{"asks":[%b],"bids":[],"ts":"1"}]}']

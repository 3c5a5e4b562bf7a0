"""What Deribit answers to JSON-RPC: the channels it knows, snapshots of new subscriptions, tests of who is there.

A channel is served at the interval it was recorded with, under the name it is asked by.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

import msgspec

from feeds.events import ASK, BID
from feeds.venues._voice import Answering, Talk, TextBook, exact, symbols_in, written

_CHANNEL: Final = re.compile(rb'("channel"\s*:\s*)"((book|trades|ticker)\.([^"]{1,60})\.(raw|100ms|agg2))"')
_NAME: Final = re.compile(r"(book|trades|ticker)\.(.+)\.(raw|100ms|agg2)\Z")


class DeribitVoice(Answering):
    """Deribit's public channels."""

    every_s: ClassVar[float] = 10.0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, TextBook] = {symbol: TextBook() for symbol in self.instruments}
        self._last: dict[str, dict[str, Any]] = {}
        self._tickers: dict[str, dict[str, Any]] = {}

    def topic(self, raw: bytes) -> str | None:
        """Kind and instrument."""
        found = _CHANNEL.search(raw)
        return f"{found[3].decode()} {found[4].decode()}" if found else None

    def keep(self, raw: bytes) -> None:
        """Take a book message or a ticker."""
        found = _CHANNEL.search(raw)
        if found is None or found[3] == b"trades":
            return
        said, name = exact(raw), found[4].decode()
        if found[3] == b"ticker":
            self._tickers[name] = said
            return
        one, book = said["params"]["data"], self.books.get(name)
        if book is None:
            return
        if one["type"] == "snapshot":
            book.clear(whole=True)
        elif one.get("prev_change_id") != book.at:
            if one["change_id"] > (book.at or 0):
                book.clear(whole=False)
            return
        for side, label in ((BID, "bids"), (ASK, "asks")):
            for action, price, size in one[label]:
                book.put(side, price, 0 if action == "delete" else size, ["new", price, size])
        book.at = one["change_id"]
        self._last[name] = said

    # -- a client -----------------------------------------------------------------------------
    def hear(self, talk: Talk, said: str) -> list[str]:
        """Requests; of a subscription's channels, those that it knows are named in the answer."""
        asked = exact(said)
        method, params = asked.get("method", ""), asked.get("params") or {}
        answers: list[str] = []
        result: Any = "ok"
        if method == "public/set_heartbeat":
            talk.flags = 1
        elif method == "public/test":
            result = {"version": "1.2.26"}
        elif method in ("public/subscribe", "public/unsubscribe"):
            result = []
            for name in symbols_in(params, "channels"):
                found = _NAME.match(name)
                if found is None or found[2] not in self.instruments:
                    continue
                result.append(name)
                kind, instrument = found[1], found[2]
                topic = f"{kind} {instrument}"
                if method == "public/unsubscribe":
                    talk.topics.pop(topic, None)
                elif topic not in talk.topics:  # asked again, there is no new snapshot
                    talk.topics[topic] = name
                    answers += self._first(kind, instrument, name)
        else:
            error = {"code": -32601, "message": "Method not found"}
            return [written({"jsonrpc": "2.0", "id": asked.get("id"), "error": error})]
        stamp = self.now_ns // 1000
        told = {"jsonrpc": "2.0", "id": asked.get("id"), "result": result, "usIn": stamp, "usOut": stamp, "usDiff": 0}
        return [written(told | {"testnet": False}), *answers]

    def _first(self, kind: str, instrument: str, name: str) -> list[str]:
        if kind == "ticker" and instrument in self._tickers:
            said = self._tickers[instrument]
            return [written(said | {"params": said["params"] | {"channel": name}})]
        book = self.books[instrument]
        if kind != "book" or not book.whole:
            return []
        one = {key: value for key, value in self._last[instrument]["params"]["data"].items() if key != "prev_change_id"}
        one |= {"type": "snapshot", "bids": book.best(BID), "asks": book.best(ASK)}
        return [written({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": name, "data": one}})]

    def tell(self, talk: Talk, topic: str, raw: bytes) -> bytes:
        """A frame under the name of the channel that was asked for."""
        asked = talk.topics[topic].encode()
        return raw if b'"' + asked + b'"' in raw else _CHANNEL.sub(rb'\g<1>"%b"' % asked, raw, count=1)

    def beat(self, talk: Talk) -> list[str]:
        """A test of who is there, where heartbeats were asked for."""
        if not talk.flags:
            return []
        return ['{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}']

    def listing(self, path: str) -> bytes:
        """The instruments."""
        del path
        listed = []
        for one in self.instruments.values():
            inverse = one.description.startswith("inverse")
            listed.append({
                "instrument_name": one.symbol, "tick_size": msgspec.Raw(one.tick.encode()),
                "min_trade_amount": msgspec.Raw(one.lot.encode()), "quote_currency": one.currency,
                "kind": "future" if inverse else one.description,
                "instrument_type": "reversed" if inverse else "linear",
            })  # fmt: skip
        return written({"jsonrpc": "2.0", "result": listed}).encode()

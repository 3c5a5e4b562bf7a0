"""What Kraken answers over websocket v1 and v2: a subscription's own acknowledgement, snapshots under the checksum.

A book is served at the depth it was recorded with, whatever depth is asked: the acknowledgement states it.
"""

from __future__ import annotations

import re
import zlib
from typing import Any, ClassVar, Final

from feeds.events import ASK, BID
from feeds.venues._kraken import CHECKED_LEVELS, DEPTHS, field
from feeds.venues._voice import (
    CHECKSUM,
    Answering,
    OrderBook,
    Talk,
    TextBook,
    decimals,
    exact,
    iso,
    symbols_in,
    text,
    written,
)

_CHANNEL: Final = re.compile(rb'"channel"\s*:\s*"([^"]{1,40})"')
_SYMBOL: Final = re.compile(rb'"symbol"\s*:\s*"([^"]{1,40})"')
_OLD: Final = re.compile(rb',\s*"((?:book-\d+|trade|spread|ticker|ohlc-\d+))"\s*,\s*"([^"]{1,40})"\s*\]\s*\Z')
_DATA: Final = ("book", "trade", "level3", "ticker", "instrument", "ohlc")


class KrakenVoice(Answering):
    """Kraken over websocket v2."""

    every_s: ClassVar[float] = 1.0
    when_idle: ClassVar[bool] = True
    checksums: ClassVar[re.Pattern[bytes] | None] = CHECKSUM

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, Any] = {symbol: self._empty() for symbol in self.instruments}
        self.depths: dict[str, int] = {}
        self._stamps: dict[str, str] = {}

    def _empty(self) -> TextBook | OrderBook:
        return TextBook()

    def topic(self, raw: bytes) -> str | None:
        """Channel and symbol."""
        channel = _CHANNEL.search(raw)
        name = channel[1].decode() if channel else ""
        if name not in _DATA or b'"method"' in raw[:60]:
            return None
        symbol = _SYMBOL.search(raw)
        return f"{name} {symbol[1].decode()}" if symbol else None

    def learn(self, raw: bytes) -> None:
        """Depths as recorded acknowledgements state them, or as a snapshot shows."""
        said = exact(raw)
        if said.get("method") == "subscribe":
            result = said.get("result") or {}
            if result.get("channel") in ("book", "level3") and result.get("depth"):
                self.depths[result["symbol"]] = result["depth"]
        elif said.get("channel") in ("book", "level3") and said.get("type") == "snapshot":
            for one in said["data"]:
                widest = max(self._width(one["bids"]), self._width(one["asks"]))
                self.depths.setdefault(one["symbol"], next((d for d in DEPTHS if widest <= d), widest))

    def _width(self, entries: list[Any]) -> int:
        return len({text(one.get("price", one.get("limit_price"))) for one in entries})

    def keep(self, raw: bytes) -> None:
        """Take a book message."""
        if b'"book"' not in raw[:80] and b'"level3"' not in raw[:80]:
            return
        said = exact(raw)
        if said.get("channel") not in ("book", "level3"):
            return
        for one in said["data"]:
            book = self.books.get(one["symbol"])
            if book is None:
                continue
            if said["type"] == "snapshot":
                book.clear(whole=True)
            if book.whole:
                for side, name in ((BID, "bids"), (ASK, "asks")):
                    for entry in one.get(name, ()):
                        self._put(book, side, entry)
                if one["symbol"] in self.depths:
                    book.cut(self.depths[one["symbol"]])
            self._stamps[one["symbol"]] = one.get("timestamp", "")

    def _put(self, book: Any, side: int, entry: dict[str, Any]) -> None:
        if "order_id" not in entry:
            book.put(side, entry["price"], entry["qty"], entry)
        elif entry.get("event") == "delete":
            book.orders.pop(entry["order_id"], None)
        else:
            book.put(entry["order_id"], side, entry["limit_price"], {k: v for k, v in entry.items() if k != "event"})

    # -- a client -----------------------------------------------------------------------------
    def greet(self, talk: Talk) -> list[str]:
        """The system's state."""
        state = {"version": "2.0.10", "system": "online", "api_version": "v2", "connection_id": talk.number}
        return [written({"channel": "status", "type": "update", "data": [state]})]

    def hear(self, talk: Talk, said: str) -> list[str]:
        """Subscriptions, one answer a symbol; pings."""
        asked = exact(said)
        method, more = asked.get("method"), {"req_id": asked["req_id"]} if "req_id" in asked else {}
        stamps = {"time_in": iso(self.now_ns), "time_out": iso(self.now_ns)} | more
        if method == "ping":
            return [written({"method": "pong"} | stamps)]
        params = asked.get("params") or {}
        channel = params.get("channel", "")
        if method not in ("subscribe", "unsubscribe") or channel not in _DATA:
            error = f"Event(s) not found: {channel or method}"
            return [written({"error": error, "method": method, "success": False} | stamps)]
        answers = []
        for symbol in symbols_in(params, "symbol"):
            told: dict[str, Any] = {"channel": channel, "symbol": symbol}
            if symbol not in self.instruments:
                error = f"Currency pair not supported {symbol}"
                answers.append(written({"error": error, "method": method, "success": False, "symbol": symbol} | stamps))
                continue
            if channel in ("book", "level3"):
                told |= {"depth": self.depths.get(symbol, params.get("depth", 10)), "snapshot": True}
            answers.append(written({"method": method, "result": told, "success": True} | stamps))
            topic = f"{channel} {symbol}"
            if method == "unsubscribe":
                talk.topics.pop(topic, None)
            else:
                fresh = topic not in talk.topics
                talk.topics[topic] = None
                answers += self._snapshot(channel, symbol) if fresh else []
        return answers

    def _snapshot(self, channel: str, symbol: str) -> list[str]:
        book = self.books[symbol]
        if not book.whole or (channel == "level3") != isinstance(book, OrderBook) or channel == "trade":
            return []
        if isinstance(book, OrderBook):
            sides = {side: [one for level in book.levels(side) for one in level] for side in (BID, ASK)}
        else:
            sides = {side: book.best(side) for side in (BID, ASK)}
        one = {
            "symbol": symbol, "bids": sides[BID], "asks": sides[ASK], "checksum": self._checksum(symbol),
            "timestamp": self._stamps.get(symbol) or iso(self.now_ns),
        }  # fmt: skip
        return [written({"channel": channel, "type": "snapshot", "data": [one]})]

    def _checksum(self, symbol: str) -> int:
        book, grids = self.books[symbol], self.instruments[symbol]
        names = ("limit_price", "order_qty") if isinstance(book, OrderBook) else ("price", "qty")
        texts = []
        for side in (ASK, BID):
            if isinstance(book, OrderBook):
                entries = [one for level in book.levels(side, CHECKED_LEVELS) for one in level]
            else:
                entries = book.best(side, CHECKED_LEVELS)
            for one in entries:
                texts += [field(text(one[names[0]]), grids.price), field(text(one[names[1]]), grids.size)]
        return zlib.crc32("".join(texts).encode())

    def beat(self, talk: Talk) -> list[str]:
        """A heartbeat, once there is a subscription."""
        return ['{"channel":"heartbeat"}'] if talk.topics else []

    def listing(self, path: str) -> bytes:
        """`AssetPairs`, each pair under the name that the websocket uses."""
        del path
        pairs = {
            symbol.replace("/", ""): {
                "altname": symbol.replace("/", ""), "wsname": symbol, "quote": one.currency, "status": "online",
                "pair_decimals": decimals(one.tick), "lot_decimals": decimals(one.lot), "tick_size": one.tick,
            }
            for symbol, one in self.instruments.items()
        }  # fmt: skip
        return written({"error": [], "result": pairs}).encode()


class KrakenL3Voice(KrakenVoice):
    """Kraken's orders over websocket v2."""

    def _empty(self) -> TextBook | OrderBook:
        return OrderBook()


class KrakenV1Voice(KrakenVoice):
    """Kraken over websocket v1."""

    checksums: ClassVar[re.Pattern[bytes] | None] = re.compile(rb'"c"\s*:\s*"(\d+)"')

    def topic(self, raw: bytes) -> str | None:
        """Channel name and pair."""
        found = _OLD.search(raw)
        return f"{found[1].decode()} {found[2].decode()}" if found else None

    def learn(self, raw: bytes) -> None:
        """Depths, of the channels' names."""
        found = _OLD.search(raw)
        if found and found[1].startswith(b"book-"):
            self.depths[found[2].decode()] = int(found[1][5:])

    def keep(self, raw: bytes) -> None:
        """Take a book message."""
        if b'"book-' not in raw[-60:]:
            return
        parts = exact(raw)
        book = self.books.get(parts[-1])
        if book is None:
            return
        payloads = parts[1:-2]
        if any("as" in one or "bs" in one for one in payloads):
            book.clear(whole=True)
        if book.whole:
            for one in payloads:
                for side, name in ((ASK, "as"), (ASK, "a"), (BID, "bs"), (BID, "b")):
                    for entry in one.get(name, ()):
                        book.put(side, entry[0], entry[1], entry[:3])
            book.cut(int(parts[-2].removeprefix("book-")))

    def greet(self, talk: Talk) -> list[str]:
        """The system's state."""
        state = {"connectionID": talk.number, "event": "systemStatus", "status": "online", "version": "1.9.0"}
        return [written(state)]

    def hear(self, talk: Talk, said: str) -> list[str]:
        """Subscriptions, one answer a pair; pings."""
        asked = exact(said)
        event, wanted = asked.get("event"), asked.get("subscription") or {}
        if event == "ping":
            return [written({"event": "pong"} | ({"reqid": asked["reqid"]} if "reqid" in asked else {}))]
        kind = wanted.get("name", "")
        if event not in ("subscribe", "unsubscribe"):
            return [written({"errorMessage": "Unsupported event", "event": "error"})]
        answers = []
        for pair in symbols_in(asked, "pair"):
            if pair not in self.instruments or kind not in ("book", "trade", "spread", "ticker"):
                what = (
                    f"Currency pair not supported {pair}"
                    if pair not in self.instruments
                    else "Subscription name invalid"
                )
                refused = {"errorMessage": what, "event": "subscriptionStatus", "pair": pair, "status": "error"}
                answers.append(written(refused | {"subscription": wanted}))
                continue
            depth = {"depth": self.depths.get(pair, wanted.get("depth", 10))} if kind == "book" else {}
            name = f"book-{depth['depth']}" if depth else kind
            topic = f"{name} {pair}"
            told = {"channelID": 1, "channelName": name, "event": "subscriptionStatus", "pair": pair}
            state = "subscribed" if event == "subscribe" else "unsubscribed"
            answers.append(written(told | {"status": state, "subscription": depth | {"name": kind}}))
            if event == "unsubscribe":
                talk.topics.pop(topic, None)
            else:
                fresh = topic not in talk.topics
                talk.topics[topic] = None
                book = self.books[pair]
                if fresh and depth and book.whole:
                    levels = {"as": book.best(ASK), "bs": book.best(BID)}
                    answers.append(written([1, levels, name, pair]))
        return answers

    def beat(self, talk: Talk) -> list[str]:
        """A heartbeat, once there is a subscription."""
        return ['{"event":"heartbeat"}'] if talk.topics else []

"""What Binance's venues answer: combined and single streams, subscriptions by frame or address, depth over HTTP."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from feeds.events import ASK, BID
from feeds.venues._voice import Answering, Talk, TextBook, exact, symbols_in, written

_STREAM: Final = re.compile(rb'\{"stream"\s*:\s*"([^"]{1,80})"')
_DEPTH: Final = re.compile(r"(@depth)(?:@\d{1,5}ms)?\Z")
_PRINTS: Final = ("trade", "aggTrade")
_OF_BOOK: Final = re.compile(r"@(?:depth|bookTicker|rpiDepth)")
_BUFFERED: Final = 5_000
"""Updates kept of a book whose snapshot has not come."""


class BinanceVoice(Answering):
    """Binance spot, Binance.US, USD-M and COIN-M futures."""

    chained: ClassVar[bool] = False
    """Updates name the one before by `pu`; else `U` follows `u`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, TextBook] = {symbol: TextBook() for symbol in self.instruments}
        self._waiting: dict[str, list[dict[str, Any]]] = {}
        self._recorded: set[str] = set()

    def learn(self, raw: bytes) -> None:
        """Which streams there are."""
        topic = self.topic(raw)
        if topic is not None:
            self._recorded.add(topic)

    def _recorded_as(self, name: str) -> str:
        """The recorded stream that stands for an asked one: depth of any speed, prints single or together."""
        name = _DEPTH.sub(r"\1", name)
        symbol, _, kind = name.partition("@")
        other = f"{symbol}@{_PRINTS[kind == 'trade']}"
        return other if kind in _PRINTS and name not in self._recorded and other in self._recorded else name

    def topic(self, raw: bytes) -> str | None:
        """The stream's name without the speed; of a frame that was received alone, made from what it says."""
        found = _STREAM.match(raw)
        if found:
            return _DEPTH.sub(r"\1", found[1].decode())
        said = exact(raw)
        kind, symbol = said.get("e", ""), str(said.get("s", "")).lower()
        names = {"depthUpdate": "depth", "markPriceUpdate": "markPrice@1s", "": "bookTicker"}
        return f"{symbol}@{names.get(kind, kind)}" if symbol else None

    def keep(self, raw: bytes) -> None:
        """Take a depth message."""
        if b'"depthUpdate"' not in raw:
            return
        said = exact(raw)
        one = said.get("data", said)
        book = self.books.get(one["s"])
        if book is None:
            return
        if not book.whole:
            waiting = self._waiting.setdefault(one["s"], [])
            waiting.append(one)
            del waiting[:-_BUFFERED]
        elif book.at is None or one["u"] > book.at:
            follows = one.get("pu") == book.at if self.chained else one["U"] <= (book.at or 0) + 1
            if follows or (self.chained and book.at is not None and one["U"] <= book.at <= one["u"]):
                _apply(book, one)
            else:
                book.clear(whole=False)
                self._waiting[one["s"]] = [one]

    def keep_snapshot(self, symbol: str, raw: bytes) -> None:
        """Take a recorded snapshot and what waited for it."""
        book, said = self.books.get(symbol), exact(raw)
        at = said["lastUpdateId"]
        if book is None or (book.whole and book.at is not None and book.at >= at):
            return
        book.clear(whole=True)
        book.at = at
        for side, name in ((BID, "bids"), (ASK, "asks")):
            for level in said[name]:
                book.put(side, level[0], level[1], level[:2])
        for one in self._waiting.pop(symbol, []):
            if one["u"] > at:
                _apply(book, one)

    def forget(self) -> None:
        """The books are no longer known."""
        super().forget()
        self._waiting.clear()

    # -- a client -----------------------------------------------------------------------------
    def paths(self) -> set[str]:
        """`/stream` and `/ws` below each route, and below none as it was before there were routes."""
        roots = {urlsplit(one.url).path.removesuffix("/stream") for one in self.venue.sockets(["A"])} | {""}
        return {f"{root}/{kind}" for root in roots for kind in ("stream", "ws")}

    def greet(self, talk: Talk) -> list[str]:
        """Subscribe the streams that the address names; an address without a route gets books alone where there are."""
        parts = urlsplit(talk.path)
        named = parse_qs(parts.query).get("streams", [""])[0].split("/")
        _, _, single = parts.path.partition("/ws/")
        if "/ws" in parts.path:
            talk.flags = 1
            named = single.split("/")
        self._subscribe(talk, named)
        return []

    def _subscribe(self, talk: Talk, names: list[str]) -> None:
        routed = any(urlsplit(one.url).path.count("/") > 1 for one in self.venue.sockets(["A"]))
        unrouted = routed and urlsplit(talk.path).path.split("/")[1] in ("stream", "ws")
        books_alone = unrouted or urlsplit(talk.path).path.startswith("/public")
        for name in names:
            of_book = _OF_BOOK.search(name) is not None
            if name and of_book >= books_alone and not (of_book and urlsplit(talk.path).path.startswith("/market")):
                talk.topics[self._recorded_as(name)] = name

    def hear(self, talk: Talk, said: str) -> list[str]:
        """Subscribe and unsubscribe; streams that do not exist are accepted and bring nothing, as at the venue."""
        asked = exact(said)
        names, ident = symbols_in(asked, "params"), asked.get("id")
        method = asked.get("method")
        if method == "SUBSCRIBE":
            self._subscribe(talk, names)
        elif method == "UNSUBSCRIBE":
            for name in names:
                talk.topics.pop(self._recorded_as(name), None)
        elif method == "LIST_SUBSCRIPTIONS":
            return [written({"result": list(talk.topics.values()), "id": ident})]
        else:
            return [written({"error": {"code": 2, "msg": f"Invalid request: unknown method {method}"}, "id": ident})]
        return [written({"result": None, "id": ident})]

    def tell(self, talk: Talk, topic: str, raw: bytes) -> bytes | None:
        """A frame with its stream's name, or alone where the address asks for single streams."""
        named = _STREAM.match(raw)
        if talk.flags:
            return raw[raw.index(b'"data":') + 7 : -1] if named else raw
        asked = talk.topics[topic].encode()
        if named is None:
            return b'{"stream":"%b","data":%b}' % (asked, raw)
        return raw if named[1] == asked else raw[: named.start(1)] + asked + raw[named.end(1) :]

    # -- over HTTP ----------------------------------------------------------------------------
    def snapshot(self, symbol: str, path: str) -> bytes | None:
        """The book as it is, down to the asked depth."""
        book = self.books.get(symbol.upper())
        if book is None or not book.whole:
            return None
        limit = parse_qs(urlsplit(path).query).get("limit", ["1000"])[0]
        most = int(limit) if limit.isdigit() else 1000
        stamp = {"E": self.now_ns // 1_000_000, "T": self.now_ns // 1_000_000} if self.chained else {}
        levels = {"bids": book.best(BID, most), "asks": book.best(ASK, most)}
        return written({"lastUpdateId": book.at, **stamp, **levels}).encode()

    def listing(self, path: str) -> bytes:
        """`exchangeInfo`."""
        del path
        listed = [
            {
                "symbol": one.symbol,
                "status": "TRADING",
                "quoteAsset": one.currency,
                "contractSize": one.multiplier,
                "filters": [
                    {"filterType": "PRICE_FILTER", "tickSize": one.tick},
                    {"filterType": "LOT_SIZE", "stepSize": one.lot},
                ],
            }
            for one in self.instruments.values()
        ]
        return written({"timezone": "UTC", "symbols": listed}).encode()


class BinanceFuturesVoice(BinanceVoice):
    """USD-M and COIN-M futures, whose updates name the one before."""

    chained: ClassVar[bool] = True


def _apply(book: TextBook, one: dict[str, Any]) -> None:
    for side, name in ((BID, "b"), (ASK, "a")):
        for level in one[name]:
            book.put(side, level[0], level[1], level[:2])
    book.at = one["u"]

"""What Gemini's two sockets answer: the current one after its snapshots, the archived one not at all."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import msgspec

from feeds.events import ASK, BID
from feeds.venues._voice import Answering, Talk, TextBook, exact, symbols_in, written

_SYMBOL: Final = re.compile(rb'"s"\s*:\s*"([^"]{1,40})"')
_OLD_SYMBOL: Final = re.compile(rb'"symbol"\s*:\s*"([^"]{1,40})"')
_DETAILS: Final = "/v1/symbols/details/"
_SIDES: Final = {"buy": BID, "sell": ASK}


class GeminiVoice(Answering):
    """Gemini's current socket."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, TextBook] = {symbol: TextBook() for symbol in self.instruments}
        self._last: dict[str, dict[str, Any]] = {}
        self._quotes: dict[str, bytes] = {}

    def topic(self, raw: bytes) -> str | None:
        """The stream, told by what a frame holds."""
        found = _SYMBOL.search(raw)
        if found is None:
            return None
        for mark, name in (
            (b'"depthUpdate"', "depth@100ms"), (b'"markPrice"', "markPrice"), (b'"fundingAmount"', "fundingAmount"),
            (b'"B":', "bookTicker"), (b'"m":', "trade"),
        ):  # fmt: skip
            if mark in raw:
                return f"{found[1].decode()}@{name}"
        return None

    def keep(self, raw: bytes) -> None:
        """Take a depth message or a quote."""
        if b'"depthUpdate"' not in raw:
            if b'"B":' in raw and (found := _SYMBOL.search(raw)):
                self._quotes[f"{found[1].decode()}@bookTicker"] = raw
            return
        one = exact(raw)
        book = self.books.get(one["s"])
        if book is None:
            return
        if one["U"] == one["u"] and (not book.whole or one["u"] > (book.at or 0)):
            book.clear(whole=True)
        elif one["u"] <= (book.at or 0):
            return
        elif one["U"] > (book.at or 0):
            book.clear(whole=False)
        if book.whole:
            for side, name in ((BID, "b"), (ASK, "a")):
                for level in one[name]:
                    book.put(side, level[0], level[1], level)
            book.at = one["u"]
            self._last[one["s"]] = one

    # -- a client -----------------------------------------------------------------------------
    def hear(self, talk: Talk, said: str) -> list[str]:
        """Snapshots, then the answer; one unknown name refuses a whole request."""
        asked = exact(said)
        method, ident, names = asked.get("method"), asked.get("id"), symbols_in(asked, "params")
        unknown = [one for one in names if one.partition("@")[0] not in self.instruments]
        if unknown:
            error = {"code": -1013, "msg": f"Invalid stream name: {unknown[0]}"}
            return [written({"id": ident, "status": 400, "error": error})]
        answers = []
        for name in names:
            if method == "unsubscribe":
                talk.topics.pop(name, None)
            elif method == "subscribe" and name not in talk.topics:
                talk.topics[name] = None
                answers += self._first(name)
        return [*answers, written({"id": ident, "status": 200})]

    def _first(self, name: str) -> list[str]:
        if name in self._quotes:
            return [self._quotes[name].decode()]
        symbol, _, kind = name.partition("@")
        book = self.books[symbol]
        if not kind.startswith("depth") or not book.whole:
            return []
        levels = {"U": book.at, "u": book.at, "b": book.best(BID), "a": book.best(ASK)}
        return [written(self._last[symbol] | levels)]

    def page(self, path: str) -> bytes | None:
        """The details of one symbol."""
        place = urlsplit(path).path
        name = place.removeprefix(_DETAILS)
        one = next((its for symbol, its in self.instruments.items() if symbol.lower() == name.lower()), None)
        if not place.startswith(_DETAILS) or one is None:
            return None
        told = {
            "symbol": name.upper(), "quote_currency": one.currency, "status": "open",
            "tick_size": msgspec.Raw(_number(one.lot)), "quote_increment": msgspec.Raw(_number(one.tick)),
        }  # fmt: skip
        return written(told).encode()


class GeminiV2Voice(GeminiVoice):
    """Gemini's archived socket, version 2."""

    every_s: ClassVar[float] = 5.0

    def topic(self, raw: bytes) -> str | None:
        """The symbol: all of it is one subscription."""
        found = _OLD_SYMBOL.search(raw)
        return found[1].decode() if found else None

    def keep(self, raw: bytes) -> None:
        """Take levels; the message with old prints is a whole book."""
        if b'"l2_updates"' not in raw:
            return
        one = exact(raw)
        book = self.books.get(one["symbol"])
        if book is None:
            return
        if "trades" in one:
            book.clear(whole=True)
        if book.whole:
            for side, price, size in one["changes"]:
                book.put(_SIDES[side], price, size, [side, price, size])

    def hear(self, talk: Talk, said: str) -> list[str]:
        """Subscriptions, which are not answered; an unknown symbol is."""
        asked = exact(said)
        answers = []
        for one in asked.get("subscriptions", []):
            for symbol in symbols_in(one, "symbols"):
                if symbol not in self.instruments:
                    answers.append(written({"result": "error", "reason": f"InvalidSymbol {symbol}"}))
                elif asked.get("type") == "unsubscribe":
                    talk.topics.pop(symbol, None)
                elif symbol not in talk.topics:
                    talk.topics[symbol] = None
                    book = self.books[symbol]
                    if book.whole:
                        levels = book.best(BID) + book.best(ASK)
                        told = {"type": "l2_updates", "symbol": symbol, "changes": levels, "trades": []}
                        answers.append(written(told | {"auction_events": []}))
        return answers

    def beat(self, talk: Talk) -> list[str]:
        """A heartbeat, once there is a subscription."""
        return [written({"type": "heartbeat", "timestamp": self.now_ns // 1_000_000})] if talk.topics else []

    def paths(self) -> set[str]:
        """With and without a slash at the end."""
        return {"/v2/marketdata", "/v2/marketdata/"}


def _number(increment: str) -> bytes:
    return f"{Decimal(increment):e}".encode().replace(b"e", b"E")

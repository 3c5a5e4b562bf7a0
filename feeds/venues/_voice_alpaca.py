"""What Alpaca answers: a welcome, the login, what is subscribed now, whole books of coins to newcomers.

Whoever subscribes is served, with or without a key, and any key is accepted: here is nothing to protect.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

import msgspec

from feeds.events import ASK, BID
from feeds.venues._voice import EVERYTHING, Answering, Talk, TextBook, exact, symbols_in, written

_ANSWER: Final = re.compile(rb'"T"\s*:\s*"(?:success|subscription|error)"')
_LISTS: Final = {"t": "trades", "c": "trades", "x": "trades", "q": "quotes", "s": "statuses", "o": "orderbooks"}
"""What a kind of message is subscribed by; corrections and cancels come with the trades."""


class AlpacaVoice(Answering):
    """Alpaca's stocks and coins: all of a connection is one subscription, of lists of symbols."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, TextBook] = {symbol: TextBook() for symbol in self.instruments}
        self._when: dict[str, str] = {}

    def topic(self, raw: bytes) -> str | None:
        """The one there is; which messages of a frame are sent is the connection's."""
        return None if _ANSWER.search(raw) else EVERYTHING

    def keep(self, raw: bytes) -> None:
        """Take books of coins."""
        if b'"o"' not in raw:
            return
        for one in exact(raw):
            book = self.books.get(one.get("S", ""))
            if one["T"] != "o" or book is None:
                continue
            if one.get("r"):
                book.clear(whole=True)
            if book.whole:
                for side, name in ((BID, "b"), (ASK, "a")):
                    for level in one.get(name) or []:
                        book.put(side, level["p"], level["s"], level)
                self._when[one["S"]] = one["t"]

    # -- a client -----------------------------------------------------------------------------
    def greet(self, talk: Talk) -> list[str]:
        """The welcome."""
        del talk
        return [written([{"T": "success", "msg": "connected"}])]

    def hear(self, talk: Talk, said: str) -> list[str]:
        """The login; subscriptions, answered by everything that is subscribed then."""
        asked = exact(said)
        action = asked.get("action")
        if action == "auth":
            return [written([{"T": "success", "msg": "authenticated"}])]
        if action not in ("subscribe", "unsubscribe"):
            return [written([{"T": "error", "code": 400, "msg": "invalid syntax"}])]
        wanted: set[tuple[str, str]] = talk.topics.setdefault(EVERYTHING, set())
        named = {(name, one) for name in set(_LISTS.values()) for one in symbols_in(asked, name)}
        fresh = sorted(named - wanted) if action == "subscribe" else []
        (wanted.update if action == "subscribe" else wanted.difference_update)(named)
        lists = {name: sorted(one for its, one in wanted if its == name) for name in dict.fromkeys(_LISTS.values())}
        books = [self._whole(symbol) for name, symbol in fresh if name == "orderbooks"]
        return [written([{"T": "subscription"} | lists]), *(written([one]) for one in books if one)]

    def _whole(self, symbol: str) -> dict[str, Any] | None:
        book = self.books.get(symbol)
        if book is None or not book.whole:
            return None
        told = {"T": "o", "S": symbol, "t": self._when[symbol]}
        return told | {"b": book.best(BID), "a": book.best(ASK), "r": True}

    def tell(self, talk: Talk, topic: str, raw: bytes) -> bytes | str | None:
        """Of a frame the messages that are subscribed."""
        items = exact(raw)
        mine = [one for one in items if (_LISTS.get(one.get("T"), ""), one.get("S")) in talk.topics[topic]]
        return raw if len(mine) == len(items) else written(mine) if mine else None

    def listing(self, path: str) -> bytes:
        """Newest prints, from which a client takes the increments of stocks; of coins, what is listed."""
        if "assets" in path:
            listed = [
                {"symbol": one.symbol, "price_increment": one.tick, "min_trade_increment": one.lot}
                for one in self.instruments.values()
            ]
            return written(listed).encode()
        prints: dict[str, Any] = {}
        for one in self.instruments.values():
            price = b"0.5" if Decimal(one.tick) < Decimal("0.01") else b"100"
            prints[one.symbol] = {"latestTrade": {"p": msgspec.Raw(price)}}
        return written(prints).encode()

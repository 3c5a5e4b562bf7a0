"""What Bitstamp answers: acknowledgements, of unknown symbols too; whole books at once; a snapshot over HTTP.

Orders are passed on as they were recorded: the venue tells a newcomer nothing of those that rest already.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any, Final

from feeds.events import ASK, BID
from feeds.venues._voice import Answering, Talk, TextBook, decimals, exact, written

_CHANNEL: Final = re.compile(rb'"channel"\s*:\s*"([a-z0-9_]{1,80})"')
_ANSWER: Final = re.compile(rb'"event"\s*:\s*"bts:')
_BUFFERED: Final = 5_000
"""Updates that are kept for a recorded snapshot, which lags."""


class BitstampVoice(Answering):
    """Bitstamp's best levels as whole books, and its prints."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books = {}
        self._newest: dict[str, bytes] = {}

    def topic(self, raw: bytes) -> str | None:
        """The channel."""
        found = _CHANNEL.search(raw)
        return found[1].decode() if found and not _ANSWER.search(raw) else None

    def keep(self, raw: bytes) -> None:
        """Every book is whole: the newest is what a newcomer is told."""
        topic = self.topic(raw)
        if topic is not None and topic.startswith("order_book_"):
            self._newest[topic] = raw

    def forget(self) -> None:
        """Nothing is known."""
        super().forget()
        self._newest.clear()

    # -- a client -----------------------------------------------------------------------------
    def hear(self, talk: Talk, said: str) -> list[str]:
        """Subscriptions, each to one channel; heartbeats."""
        asked = exact(said)
        event, channel = asked.get("event", ""), (asked.get("data") or {}).get("channel", "")
        if event == "bts:heartbeat":
            return [written({"event": event, "channel": "", "data": {"status": "success"}})]
        if event not in ("bts:subscribe", "bts:unsubscribe") or not channel:
            fault = {"code": None, "message": "Bad format"}
            return [written({"event": "bts:error", "channel": channel, "data": fault})]
        answers = [written({"event": f"{event.removesuffix('be')}ption_succeeded", "channel": channel, "data": {}})]
        if event == "bts:unsubscribe":
            talk.topics.pop(channel, None)
        elif channel not in talk.topics:
            talk.topics[channel] = None
            if channel in self._newest:
                answers.append(self._newest[channel].decode())
        return answers

    def listing(self, path: str) -> bytes:
        """The pairs."""
        del path
        return written([
            {
                "name": f"{one.symbol.upper()}/{one.currency}", "url_symbol": one.symbol, "trading": "Enabled",
                "base_decimals": decimals(one.lot), "counter_decimals": decimals(one.tick),
            }
            for one in self.instruments.values()
        ]).encode()  # fmt: skip


class BitstampDiffVoice(BitstampVoice):
    """Bitstamp's updates, and the book that they make, over HTTP."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, TextBook] = {symbol: TextBook() for symbol in self.instruments}
        self._recent: dict[str, deque[dict[str, Any]]] = {}

    def keep(self, raw: bytes) -> None:
        """Take an update."""
        topic = self.topic(raw)
        if topic is None or not topic.startswith("diff_order_book_"):
            return
        symbol, one = topic.removeprefix("diff_order_book_"), exact(raw)["data"]
        book = self.books.get(symbol)
        if book is None:
            return
        if book.whole:
            _apply(book, one)
        else:
            self._recent.setdefault(symbol, deque(maxlen=_BUFFERED)).append(one)

    def keep_snapshot(self, symbol: str, raw: bytes) -> None:
        """Take a recorded snapshot and the updates that are newer."""
        book, one = self.books.get(symbol), exact(raw)
        if book is None or book.whole:
            return
        book.clear(whole=True)
        for newer in (one, *self._recent.pop(symbol, ())):
            if int(newer["microtimestamp"]) >= (book.at or 0):
                _apply(book, newer)

    def forget(self) -> None:
        """The books are no longer known."""
        super().forget()
        self._recent.clear()

    def snapshot(self, symbol: str, path: str) -> bytes | None:
        """The book as it is."""
        del path
        book = self.books.get(symbol)
        if book is None or not book.whole:
            return None
        at = book.at or 0
        told = {"timestamp": str(at // 1_000_000), "microtimestamp": str(at)}
        return written(told | {"bids": book.best(BID), "asks": book.best(ASK)}).encode()


def _apply(book: TextBook, one: dict[str, Any]) -> None:
    for side, name in ((BID, "bids"), (ASK, "asks")):
        for level in one[name]:
            book.put(side, level[0], level[1], level[:2])
    book.at = int(one["microtimestamp"])

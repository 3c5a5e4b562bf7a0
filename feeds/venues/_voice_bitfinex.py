"""What Bitfinex answers: channel numbers, a counter and times of the connection's own, snapshots of both kinds of book.

Flags that cannot be kept are not confirmed: checksums come only where they were recorded.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, ClassVar, Final

import msgspec

from feeds.events import ASK, BID
from feeds.venues._bitfinex import OB_CHECKSUM, SEQ_ALL, TIMESTAMP
from feeds.venues._voice import OrderBook, Talk, TextBook, Voice, exact, text, written

_HELD: Final = SEQ_ALL | TIMESTAMP


class BitfinexVoice(Voice):
    """Bitfinex's public channels."""

    every_s: ClassVar[float] = 15.0
    when_idle: ClassVar[bool] = True
    checksums: ClassVar[re.Pattern[bytes] | None] = re.compile(rb'"cs"\s*,\s*(-?\d+)')

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, Any] = {}
        self._channels: dict[int, str] = {}
        """The recorder's channel numbers."""
        self._flags = 0
        self._checked = False
        self._last: int | None = None
        self._parts: list[Any] = []
        self._stamp: Any = None

    def _event(self, raw: bytes) -> None:
        said = exact(raw)
        if said.get("event") == "subscribed":
            self._channels[said["chanId"]] = _topic(said)
        elif said.get("event") == "conf" and said.get("status") == "OK":
            self._flags, self._last = said.get("flags", 0), None

    def learn(self, raw: bytes) -> None:
        """Channel numbers and flags, and whether checksums come."""
        if raw[:1] == b"{":
            self._event(raw)
        else:
            self._checked = self._checked or b',"cs",' in raw[:40]

    def topic(self, raw: bytes) -> str | None:
        """What the recorder's channel number stands for."""
        self.skipped = 0
        if raw[:1] == b"{":
            self._event(raw)
            return None
        parts = exact(raw)
        self._stamp = parts.pop() if self._flags & TIMESTAMP else None
        if self._flags & SEQ_ALL:
            at = parts.pop()
            self.skipped = max(0, at - self._last - 1) if self._last is not None else 0
            self._last = at
        self._parts = parts
        return None if parts[1:] == ["hb"] else self._channels.get(parts[0])

    def keep(self, raw: bytes) -> None:
        """Take a book message."""
        if raw[:1] == b"{":
            return
        parts = exact(raw)
        topic = self._channels.get(parts[0], "")
        if not topic.startswith("book ") or not isinstance(parts[1], list):
            return
        orders = topic.endswith(" R0")
        book = self.books.setdefault(topic, OrderBook() if orders else TextBook())
        rows = parts[1]
        many = not rows or isinstance(rows[0], list)
        if many and not book.whole:
            book.clear(whole=True)
        for row in rows if many else [rows]:
            side = ASK if text(row[2]).startswith("-") else BID
            if not orders:
                book.put(side, row[0], row[2] if row[1] else 0, row)
            elif Decimal(text(row[1])):
                book.put(row[0], side, row[1], row)
            else:
                book.orders.pop(row[0], None)

    def forget(self) -> None:
        """Books, numbers and flags were the connection's."""
        self.books.clear()
        self._last = None

    # -- a client -----------------------------------------------------------------------------
    def greet(self, talk: Talk) -> list[str]:
        """The version."""
        info = {"event": "info", "version": 2, "serverId": f"mirror-{talk.number}", "platform": {"status": 1}}
        return [written(info)]

    def hear(self, talk: Talk, said: str) -> list[str]:
        """Flags, subscriptions, pings."""
        asked = exact(said)
        event = asked.get("event")
        if event == "ping":
            return [
                written(
                    {"event": "pong", "ts": self.now_ns // 1_000_000}
                    | ({"cid": asked["cid"]} if "cid" in asked else {})
                )
            ]
        if event == "conf":
            talk.flags = asked.get("flags", 0) & (_HELD | (OB_CHECKSUM if self._checked else 0))
            talk.sent = 0
            return [written({"event": "conf", "status": "OK", "flags": talk.flags})]
        if event == "unsubscribe":
            for topic, number in list(talk.topics.items()):
                if number == asked.get("chanId"):
                    del talk.topics[topic]
            return [written({"event": "unsubscribed", "status": "OK", "chanId": asked.get("chanId")})]
        if event != "subscribe":
            return [written({"event": "error", "msg": "unknown event", "code": 10000})]
        name = asked.get("symbol") or asked.get("key", "")
        if asked.get("symbol", name) not in self.instruments and asked.get("channel") != "status":
            return [
                written(
                    {
                        "channel": asked.get("channel"),
                        "symbol": name,
                        "event": "error",
                        "msg": "symbol: invalid",
                        "code": 10300,
                    }
                )
            ]
        topic = _topic(asked)
        if topic in talk.topics:
            return [
                written(
                    {
                        "channel": asked.get("channel"),
                        "symbol": name,
                        "event": "error",
                        "msg": "subscribe: dup",
                        "code": 10301,
                    }
                )
            ]
        number = 1000 * talk.number + len(talk.topics) + talk.beaten_ns % 7 + 1
        while number in talk.topics.values():
            number += 1
        talk.topics[topic] = number
        answer = asked | {"event": "subscribed", "chanId": number}
        return [written(answer), *self._first(talk, topic, number)]

    def _first(self, talk: Talk, topic: str, number: int) -> list[str]:
        book = self.books.get(topic)
        if book is None or not book.whole:
            return []
        if isinstance(book, OrderBook):
            rows = [one for side in (BID, ASK) for level in book.levels(side) for one in level]
        else:
            rows = book.best(BID) + book.best(ASK)
        return [self._counted(talk, [number, rows], None)]

    def _counted(self, talk: Talk, parts: list[Any], stamp: Any) -> str:
        talk.sent += 1
        tail: list[Any] = [talk.sent] if talk.flags & SEQ_ALL else []
        if talk.flags & TIMESTAMP:
            tail.append(self.now_ns // 1_000_000 if stamp is None else stamp)
        return written(parts + tail)

    def tell(self, talk: Talk, topic: str, raw: bytes) -> str | None:
        """A frame under the connection's own channel number and counter."""
        del raw
        if self._parts[1:2] == ["cs"] and not talk.flags & OB_CHECKSUM:
            return None
        talk.sent += self.skipped
        return self._counted(talk, [talk.topics[topic], *self._parts[1:]], self._stamp)

    def beat(self, talk: Talk) -> list[str]:
        """A heartbeat on each channel."""
        return [self._counted(talk, [number, "hb"], None) for number in talk.topics.values()]

    def listing(self, path: str) -> bytes:
        """Tickers, whose last prices have the ticks that the instruments have."""
        del path
        rows = []
        for one in self.instruments.values():
            price = msgspec.Raw(f"{Decimal(one.tick) * 10_000:f}".encode())
            rows.append([one.symbol, price, 1, price, 1, 0, 0, price, 1, price, price])
        return written(rows).encode()


def _topic(said: dict[str, Any]) -> str:
    return f"{said.get('channel')} {said.get('symbol') or said.get('key', '')} {said.get('prec', '')}".rstrip()

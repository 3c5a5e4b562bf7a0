"""What BitMEX answers: a welcome, one acknowledgement a topic and the whole table after it, `pong` as text."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from feeds.venues._voice import Answering, Talk, exact, symbols_in, written

_TABLE: Final = re.compile(rb'"table"\s*:\s*"([A-Za-z0-9_]{1,40})"')
_SYMBOL: Final = re.compile(rb'"symbol"\s*:\s*"([^"]{1,40})"')
_BOOKS: Final = ("orderBookL2", "orderBookL2_25")
_KEPT: Final = ("instrument", "quote", *_BOOKS)
_KEYS: Final = {"orderBookL2": ["symbol", "id", "side"], "orderBookL2_25": ["symbol", "id", "side"]}


class _Table:
    """One symbol's rows of one table: levels by id, of other tables the newest as far as it was told."""

    def __init__(self) -> None:
        self.whole = False
        self.rows: dict[Any, dict[str, Any]] = {}

    def clear(self, *, whole: bool) -> None:
        self.whole = whole
        self.rows.clear()

    def change(self, action: str, rows: list[dict[str, Any]], *, levels: bool) -> None:
        if action == "partial":
            self.clear(whole=True)
        for row in rows:
            key = row["id"] if levels else None
            if action == "delete":
                self.rows.pop(key, None)
            else:
                self.rows[key] = self.rows.get(key, {}) | row


class BitmexVoice(Answering):
    """BitMEX's public tables."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, _Table] = {}

    def topic(self, raw: bytes) -> str | None:
        """Table and symbol."""
        table, symbol = _TABLE.search(raw), _SYMBOL.search(raw)
        return f"{table[1].decode()}:{symbol[1].decode()}" if table and symbol else None

    def keep(self, raw: bytes) -> None:
        """Take a change of a table."""
        topic = self.topic(raw)
        name = topic.partition(":")[0] if topic else ""
        if topic is None or name not in _KEPT:
            return
        said = exact(raw)
        table = self.books.setdefault(topic, _Table())
        levels = name in _BOOKS
        if levels and not table.whole and said["action"] != "partial":
            return
        table.change(said["action"], said["data"], levels=levels)

    # -- a client -----------------------------------------------------------------------------
    def greet(self, talk: Talk) -> list[str]:
        """The welcome."""
        return [written({"info": "Welcome to the BitMEX Realtime API.", "version": f"mirror-{talk.number}"})]

    def hear(self, talk: Talk, said: str) -> list[str]:
        """Subscriptions, one answer a topic; `ping` as text."""
        if said == "ping":
            return ["pong"]
        asked = exact(said)
        op, answers = asked.get("op"), []
        for topic in symbols_in(asked, "args"):
            _, _, symbol = topic.partition(":")
            if op not in ("subscribe", "unsubscribe") or symbol not in self.instruments:
                error = f"Unknown or expired symbol. {topic}"
                answers.append(written({"status": 400, "error": error, "meta": {}, "request": asked}))
                continue
            answers.append(written({"success": True, op: topic, "request": asked}))
            if op == "unsubscribe":
                talk.topics.pop(topic, None)
            elif topic not in talk.topics:
                talk.topics[topic] = None
                answers += self._first(topic, symbol)
        return answers

    def _first(self, topic: str, symbol: str) -> list[str]:
        name = topic.partition(":")[0]
        table = self.books.get(topic)
        if name in _BOOKS and (table is None or not table.whole):
            return []  # what was recorded follows
        rows = list(table.rows.values()) if table is not None else []
        told = {"table": name, "action": "partial", "keys": _KEYS.get(name, ["symbol"]), "filter": {"symbol": symbol}}
        return [written(told | {"data": rows})]

    def listing(self, path: str) -> bytes:
        """The instruments that trade."""
        del path
        return written([
            {
                "symbol": one.symbol, "state": "Open", "quoteCurrency": one.currency,
                "tickSize": msgspec.Raw(one.tick.encode()), "lotSize": msgspec.Raw(one.lot.encode()),
                "isInverse": one.description.startswith("inverse"), "isQuanto": one.description == "quanto",
            }
            for one in self.instruments.values()
        ]).encode()  # fmt: skip

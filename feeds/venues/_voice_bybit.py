"""What Bybit answers: one acknowledgement a request, snapshots under the id reached, whole tickers."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from feeds.events import ASK, BID
from feeds.venues._voice import Answering, Talk, TextBook, exact, symbols_in, written

_TOPIC: Final = re.compile(rb'"topic"\s*:\s*"([^"]{1,80})"')


class BybitVoice(Answering):
    """Bybit v5, spot, linear and inverse."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, TextBook] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._tickers: dict[str, dict[str, Any]] = {}

    def topic(self, raw: bytes) -> str | None:
        """The topic as the frame names it."""
        found = _TOPIC.search(raw)
        return found[1].decode() if found else None

    def keep(self, raw: bytes) -> None:
        """Take a book message or a ticker."""
        found = _TOPIC.search(raw)
        if found is None:
            return
        topic = found[1].decode()
        if topic.startswith("tickers."):
            said = exact(raw)
            before = self._tickers.get(topic) if said.get("type") == "delta" else None
            said["data"] = (before or said)["data"] | said["data"]
            self._tickers[topic] = said | {"type": "snapshot"}
        elif topic.startswith("orderbook."):
            said = exact(raw)
            one, book = said["data"], self.books.setdefault(topic, TextBook())
            if said["type"] == "snapshot" or one["u"] == 1:
                book.clear(whole=True)
            elif one["u"] != (book.at or 0) + 1:
                if one["u"] > (book.at or 0):
                    book.clear(whole=False)
                return
            for side, name in ((BID, "b"), (ASK, "a")):
                for level in one[name]:
                    book.put(side, level[0], level[1], level)
            book.at = one["u"]
            self._last[topic] = said

    def forget(self) -> None:
        """The books are no longer known."""
        super().forget()
        self._tickers.clear()

    # -- a client -----------------------------------------------------------------------------
    def hear(self, talk: Talk, said: str) -> list[str]:
        """One answer a request, which one unknown topic refuses; pings."""
        asked = exact(said)
        op, topics = asked.get("op", ""), symbols_in(asked, "args")
        more = {"conn_id": f"mirror-{talk.number}", "req_id": asked.get("req_id", ""), "op": op}
        if op == "ping":
            return [written({"success": True, "ret_msg": "pong"} | more)]
        unknown = [one for one in topics if one.split(".")[-1] not in self.instruments]
        if op not in ("subscribe", "unsubscribe") or unknown:
            about = f"error:handler not found,topic:{unknown[0]}" if unknown else f"Invalid op: {op}"
            return [written({"success": False, "ret_msg": about} | more)]
        answers = [written({"success": True, "ret_msg": "subscribe" if op == "subscribe" else ""} | more)]
        for topic in topics:
            if op == "unsubscribe":
                talk.topics.pop(topic, None)
            elif topic not in talk.topics:
                talk.topics[topic] = None
                answers += self._first(topic)
        return answers

    def _first(self, topic: str) -> list[str]:
        if topic in self._tickers:
            return [written(self._tickers[topic])]
        book = self.books.get(topic)
        if book is None or not book.whole:
            return []
        last = self._last[topic]
        data = last["data"] | {"b": book.best(BID), "a": book.best(ASK)}
        return [written(last | {"type": "snapshot", "data": data})]

    def page(self, path: str) -> bytes | None:
        """The list of this kind of instruments alone: several markets share the path."""
        return super().page(path) if _category(path) == _category(self.venue.instruments_url()) else None

    def listing(self, path: str) -> bytes:
        """`instruments-info`."""
        del path
        category = _category(self.venue.instruments_url())
        size = "basePrecision" if category == "spot" else "qtyStep"
        listed = [
            {
                "symbol": one.symbol, "status": "Trading", "quoteCoin": one.currency,
                "priceFilter": {"tickSize": one.tick}, "lotSizeFilter": {size: one.lot},
            }
            for one in self.instruments.values()
        ]  # fmt: skip
        return written({"retCode": 0, "retMsg": "OK", "result": {"category": category, "list": listed}}).encode()


def _category(url: str) -> str:
    return parse_qs(urlsplit(url).query).get("category", [""])[0]

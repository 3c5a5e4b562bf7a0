"""What dYdX's indexer answers: every frame under the connection's own number, whole books to newcomers."""

from __future__ import annotations

import re
from typing import Any, Final

from feeds.events import ASK, BID
from feeds.venues._voice import Answering, Talk, TextBook, exact, written

_NUMBER: Final = re.compile(rb'("message_id"\s*:\s*)(\d+)')
_CHANNEL: Final = re.compile(rb'"channel"\s*:\s*"(v4_[a-z_]{1,40})"')
_ID: Final = re.compile(rb'"id"\s*:\s*"([^"]{1,60})"')
_TYPE: Final = re.compile(rb'"type"\s*:\s*"([a-z_]{1,40})"')
_DATA: Final = ("subscribed", "channel_data", "channel_batch_data")
_BOOK, _TRADES, _MARKETS = "v4_orderbook", "v4_trades", "v4_markets"


class DydxVoice(Answering):
    """dYdX v4's public channels."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, TextBook] = {symbol: TextBook() for symbol in self.instruments}
        self._states: dict[str, Any] = {}
        self._last: int | None = None

    def topic(self, raw: bytes) -> str | None:
        """Channel and market; the recorded numbers tell what is missing before it."""
        number, kind, channel = _NUMBER.search(raw), _TYPE.search(raw), _CHANNEL.search(raw)
        if number is None:
            return None
        at = int(number[2])
        self.skipped = max(0, at - self._last - 1) if self._last is not None else 0
        self._last = at
        if kind is None or channel is None or kind[1].decode() not in _DATA:
            return None
        name, ident = channel[1].decode(), _ID.search(raw[: raw.find(b'"contents"')] if b'"id"' in raw else b"")
        return name if name == _MARKETS or ident is None else f"{name} {ident[1].decode()}"

    def keep(self, raw: bytes) -> None:
        """Take a book message, or the states of the markets."""
        said = exact(raw)
        contents = said.get("contents")
        if said.get("channel") == _MARKETS and said.get("type") == "subscribed":
            self._states = contents
        book = self.books.get(said.get("id", ""))
        if said.get("channel") != _BOOK or book is None:
            return
        if said["type"] == "subscribed":
            book.clear(whole=True)
            contents = {
                name: [[one["price"], one["size"]] for one in contents.get(name, [])] for name in ("bids", "asks")
            }
        for part in contents if isinstance(contents, list) else [contents]:
            for side, name in ((BID, "bids"), (ASK, "asks")):
                for level in part.get(name, []):
                    book.put(side, level[0], level[1], level[:2])

    def forget(self) -> None:
        """The books and the numbers are no longer known."""
        super().forget()
        self._last = None

    # -- a client -----------------------------------------------------------------------------
    def greet(self, talk: Talk) -> list[str]:
        """The connection's name."""
        return [self._numbered(talk, {"type": "connected"})]

    def _numbered(self, talk: Talk, frame: dict[str, Any]) -> str:
        frame = {"type": frame.pop("type"), "connection_id": f"mirror-{talk.number}", "message_id": talk.sent} | frame
        talk.sent += 1
        return written(frame)

    def hear(self, talk: Talk, said: str) -> list[str]:
        """Subscriptions to one channel of one market; a whole book is the answer, at once or as soon as it is known."""
        asked = exact(said)
        what, channel, ident = asked.get("type"), asked.get("channel", ""), asked.get("id", "")
        if what not in ("subscribe", "unsubscribe") or channel not in (_BOOK, _TRADES, _MARKETS):
            return [self._numbered(talk, {"type": "error", "message": f"Invalid channel: {channel}"})]
        if channel != _MARKETS and ident not in self.instruments:
            message = f"Invalid subscription id for channel: ({channel}-{ident})"
            return [self._numbered(talk, {"type": "error", "message": message})]
        topic = channel if channel == _MARKETS else f"{channel} {ident}"
        about = {"channel": channel} | ({} if channel == _MARKETS else {"id": ident})
        if what == "unsubscribe":
            talk.topics.pop(topic, None)
            return [self._numbered(talk, {"type": "unsubscribed"} | about)]
        if topic in talk.topics:
            message = f"Invalid subscribe message: already subscribed ({channel}-{ident})"
            return [self._numbered(talk, {"type": "error", "message": message})]
        talk.topics[topic] = None
        book = self.books.get(ident)
        contents: Any = self._states if channel == _MARKETS else {"trades": []}
        if channel == _BOOK:
            if book is None or not book.whole:
                return []  # what was recorded follows
            names = {"bids": book.best(BID), "asks": book.best(ASK)}
            contents = {name: [{"price": one[0], "size": one[1]} for one in side] for name, side in names.items()}
        return [self._numbered(talk, {"type": "subscribed"} | about | {"contents": contents})]

    def tell(self, talk: Talk, topic: str, raw: bytes) -> bytes:
        """A frame under the connection's next number, which leaves out what the recording misses."""
        del topic
        talk.sent += self.skipped
        number = talk.sent
        talk.sent += 1
        return _NUMBER.sub(lambda found: found[1] + str(number).encode(), raw, count=1)

    def listing(self, path: str) -> bytes:
        """The markets."""
        del path
        listed = {
            one.symbol: {
                "ticker": one.symbol, "status": "ACTIVE", "tickSize": one.tick, "stepSize": one.lot,
                "stepBaseQuantums": 1_000_000, "marketType": "CROSS",
            }
            for one in self.instruments.values()
        }  # fmt: skip
        return written({"markets": listed}).encode()

"""What Coinbase answers: Advanced Trade under a connection's own counter, the Exchange's batches, and its orders."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from feeds.events import ASK, BID
from feeds.venues._voice import Answering, OrderBook, Talk, TextBook, exact, iso, symbols_in, text, written

_NUMBER: Final = re.compile(rb'("sequence_num"\s*:\s*)(\d+)')
_CHANNEL: Final = re.compile(rb'"channel"\s*:\s*"([^"]{1,40})"')
_PRODUCT: Final = re.compile(rb'"product_id"\s*:\s*"([^"]{1,40})"')
_TYPE: Final = re.compile(rb'"type"\s*:\s*"([^"]{1,40})"')
_RENAMED: Final = {"l2_data": "level2"}
_SIDES: Final = {"bid": BID, "offer": ASK, "buy": BID, "sell": ASK}
_TYPES: Final = {
    "snapshot": "level2_batch", "l2update": "level2_batch", "match": "matches", "last_match": "matches",
    "ticker": "ticker",
}  # fmt: skip
_ORDERS: Final = ("received", "open", "match", "done", "change", "activate")


class CoinbaseVoice(Answering):
    """Advanced Trade; every frame of a connection has the next number."""

    every_s: ClassVar[float] = 1.0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, TextBook] = {symbol: TextBook() for symbol in self.instruments}
        self._newest: dict[str, str] = {}
        self._last: int | None = None

    def topic(self, raw: bytes) -> str | None:
        """Channel and product; the recorded numbers tell what is missing before it."""
        number, channel = _NUMBER.search(raw), _CHANNEL.search(raw)
        if number is None or channel is None:
            return None
        at = int(number[2])
        self.skipped = max(0, at - self._last - 1) if self._last is not None else 0
        self._last = at
        product = _PRODUCT.search(raw)
        name = channel[1].decode()
        if name in ("subscriptions", "heartbeats") or product is None:
            return None
        return f"{_RENAMED.get(name, name)} {product[1].decode()}"

    def keep(self, raw: bytes) -> None:
        """Take a book message."""
        if b'"l2_data"' not in raw:
            return
        for event in exact(raw)["events"]:
            book = self.books.get(event["product_id"])
            if book is None:
                continue
            if event["type"] == "snapshot":
                book.clear(whole=True)
            if book.whole:
                for one in event["updates"]:
                    book.put(_SIDES[one["side"]], one["price_level"], one["new_quantity"], one)
                    self._newest[event["product_id"]] = one["event_time"]

    def forget(self) -> None:
        """The books are no longer known."""
        self._last = None
        for book in self.books.values():
            book.clear(whole=False)

    # -- a client -----------------------------------------------------------------------------
    def _numbered(self, talk: Talk, channel: str, events: list[Any]) -> str:
        frame = {"channel": channel, "client_id": "", "timestamp": iso(self.now_ns), "sequence_num": talk.sent}
        talk.sent += 1
        return written(frame | {"events": events})

    def hear(self, talk: Talk, said: str) -> list[str]:
        """Subscriptions to one channel; the answer names all there are."""
        asked = exact(said)
        products, channel = symbols_in(asked, "product_ids"), asked.get("channel", "")
        unknown = [one for one in products if one not in self.instruments]
        if asked.get("type") not in ("subscribe", "unsubscribe") or not channel or unknown:
            return [written({"type": "error", "message": f"failure: invalid product or channel {unknown or channel}"})]
        answers = []
        for product in products or [""]:
            topic = f"{channel} {product}".rstrip()
            if asked["type"] == "unsubscribe":
                talk.topics.pop(topic, None)
                continue
            fresh = topic not in talk.topics
            talk.topics[topic] = None
            book = self.books.get(product)
            if fresh and channel == "level2" and book is not None and book.whole:
                updates = book.best(BID) + book.best(ASK)
                when = self._newest.get(product) or iso(self.now_ns)
                updates = [one | {"event_time": when} for one in updates]
                event = {"type": "snapshot", "product_id": product, "updates": updates}
                answers.append(self._numbered(talk, "l2_data", [event]))
        named: dict[str, list[str]] = {}
        for topic in talk.topics:
            name, _, product = topic.partition(" ")
            named.setdefault(name, []).extend([product] if product else [])
        return [*answers, self._numbered(talk, "subscriptions", [{"subscriptions": named}])]

    def tell(self, talk: Talk, topic: str, raw: bytes) -> bytes:
        """A frame under the connection's next number, which leaves out what the recording misses."""
        del topic
        talk.sent += self.skipped
        number = talk.sent
        talk.sent += 1
        return _NUMBER.sub(lambda found: found[1] + str(number).encode(), raw, count=1)

    def beat(self, talk: Talk) -> list[str]:
        """Heartbeats, where they are subscribed."""
        if not any(topic.startswith("heartbeats") for topic in talk.topics):
            return []
        event = {"current_time": iso(self.now_ns), "heartbeat_counter": talk.sent}
        return [self._numbered(talk, "heartbeats", [event])]

    def listing(self, path: str) -> bytes:
        """The products."""
        del path
        products = [
            {
                "product_id": one.symbol, "base_increment": one.lot, "quote_increment": one.tick,
                "price_increment": one.tick, "quote_currency_id": one.currency, "status": "online",
            }
            for one in self.instruments.values()
        ]  # fmt: skip
        return written({"products": products, "num_products": len(products)}).encode()


class CoinbaseExchangeVoice(Answering):
    """The Exchange's public channels."""

    every_s: ClassVar[float] = 1.0
    defaults: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[str, Any] = {symbol: self._empty() for symbol in self.instruments}
        self._matches: dict[str, bytes] = {}

    def _empty(self) -> TextBook | OrderBook:
        return TextBook()

    def topic(self, raw: bytes) -> str | None:
        """Channel and product."""
        kind, product = _TYPE.search(raw), _PRODUCT.search(raw)
        name = _TYPES.get(kind[1].decode()) if kind else None
        return f"{name} {product[1].decode()}" if name and product else None

    def keep(self, raw: bytes) -> None:
        """Take a book message, or the newest match."""
        said = exact(raw)
        book = self.books.get(said.get("product_id"))
        if book is None:
            return
        if said["type"] in ("match", "last_match"):
            self._matches[said["product_id"]] = raw
        elif said["type"] == "snapshot":
            book.clear(whole=True)
            for side, name in ((BID, "bids"), (ASK, "asks")):
                for level in said[name]:
                    book.put(side, level[0], level[1], level)
        elif said["type"] == "l2update" and book.whole:
            for side, price, size in said["changes"]:
                book.put(_SIDES[side], price, size, [price, size])

    # -- a client -----------------------------------------------------------------------------
    def hear(self, talk: Talk, said: str) -> list[str]:
        """Subscriptions; the answer names all there are."""
        asked = exact(said)
        channels: list[tuple[str, list[str]]] = []
        for one in asked.get("channels", []):
            if isinstance(one, str):
                channels.append((one, symbols_in(asked, "product_ids")))
            else:
                channels.append((one["name"], symbols_in(one, "product_ids") or symbols_in(asked, "product_ids")))
        unknown = [product for _, products in channels for product in products if product not in self.instruments]
        if asked.get("type") not in ("subscribe", "unsubscribe") or unknown:
            reason = (
                f"{unknown[0]} is not a valid product" if unknown else "Type has to be either subscribe or unsubscribe"
            )
            return [written({"type": "error", "message": "Failed to subscribe", "reason": reason})]
        fresh = []
        for name, products in channels:
            for product in products:
                topic = f"{name} {product}"
                if asked["type"] == "unsubscribe":
                    talk.topics.pop(topic, None)
                elif topic not in talk.topics:
                    talk.topics[topic] = None
                    fresh.append((name, product))
        named: dict[str, list[str]] = {}
        for topic in talk.topics:
            name, _, product = topic.partition(" ")
            named.setdefault(name, []).append(product)
        told = [{"name": name, "product_ids": products} for name, products in named.items()]
        answers = [written({"type": "subscriptions", "channels": told})]
        for name, product in fresh:
            answers += self._first(name, product)
        return answers

    def _first(self, name: str, product: str) -> list[str]:
        if name in ("matches", "full") and product in self._matches:
            return [written(exact(self._matches[product]) | {"type": "last_match"})]
        book = self.books[product]
        if name != "level2_batch" or not book.whole:
            return []
        levels = {"bids": book.best(BID), "asks": book.best(ASK)}
        return [written({"type": "snapshot", "product_id": product} | levels | {"time": iso(self.now_ns)})]

    def beat(self, talk: Talk) -> list[str]:
        """Heartbeats of the products they are subscribed for."""
        beats = []
        for topic in talk.topics:
            name, _, product = topic.partition(" ")
            if name == "heartbeat":
                last = exact(self._matches[product]).get("trade_id", 0) if product in self._matches else 0
                told = {"type": "heartbeat", "last_trade_id": last, "product_id": product, "sequence": 0}
                beats.append(written(told | {"time": iso(self.now_ns)}))
        return beats

    def listing(self, path: str) -> bytes:
        """The products."""
        del path
        return written([
            {
                "id": one.symbol, "quote_currency": one.currency, "base_increment": one.lot,
                "quote_increment": one.tick, "status": "online",
            }
            for one in self.instruments.values()
        ]).encode()  # fmt: skip


class CoinbaseFullVoice(CoinbaseExchangeVoice):
    """The Exchange's `full` channel: orders by number, joined to a snapshot over HTTP."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._waiting: dict[str, list[dict[str, Any]]] = {}

    def _empty(self) -> TextBook | OrderBook:
        return OrderBook()

    def topic(self, raw: bytes) -> str | None:
        """The channel and the product."""
        kind, product = _TYPE.search(raw), _PRODUCT.search(raw)
        return f"full {product[1].decode()}" if kind and product and kind[1].decode() in _ORDERS else None

    def keep(self, raw: bytes) -> None:
        """Take a message about an order."""
        said = exact(raw)
        product = said.get("product_id")
        book = self.books.get(product)
        if book is None or "sequence" not in said or said["type"] not in _ORDERS:
            return
        if said["type"] == "match":
            self._matches[product] = raw
        if not book.whole:
            self._waiting.setdefault(product, []).append(said)
        elif said["sequence"] == (book.at or 0) + 1:
            _change(book, said)
        elif said["sequence"] > (book.at or 0):
            book.clear(whole=False)
            self._waiting[product] = [said]

    def keep_snapshot(self, symbol: str, raw: bytes) -> None:
        """Take a recorded snapshot and what waited for it."""
        book, said = self.books.get(symbol), exact(raw)
        if book is None or (book.whole and (book.at or 0) >= said["sequence"]):
            return
        book.clear(whole=True)
        book.at = said["sequence"]
        for side, name in ((BID, "bids"), (ASK, "asks")):
            for price, size, ident in said[name]:
                book.put(ident, side, price, [price, size, ident])
        for one in self._waiting.pop(symbol, []):
            if one["sequence"] > book.at:
                _change(book, one)

    def snapshot(self, symbol: str, path: str) -> bytes | None:
        """Every order."""
        del path
        book = self.books.get(symbol)
        if book is None or not book.whole:
            return None
        sides = {side: [one for level in book.levels(side) for one in level] for side in (BID, ASK)}
        told = {"sequence": book.at, "bids": sides[BID], "asks": sides[ASK], "time": iso(self.now_ns)}
        return written(told).encode()

    def forget(self) -> None:
        """The books are no longer known."""
        super().forget()
        self._waiting.clear()

    def page(self, path: str) -> bytes | None:
        """The products."""
        return self.listing(path) if urlsplit(path).path == "/products" else None


def _change(book: OrderBook, one: dict[str, Any]) -> None:
    book.at = one["sequence"]
    kind = one["type"]
    if kind == "open":
        book.put(
            one["order_id"], _SIDES[one["side"]], one["price"], [one["price"], one["remaining_size"], one["order_id"]]
        )
        return
    ident = one.get("maker_order_id" if kind == "match" else "order_id")
    if ident not in book.orders:
        return
    side, _, (price, size, _) = book.orders[ident]
    left = Decimal(text(size)) - Decimal(text(one["size"])) if kind == "match" else Decimal(0)
    if kind == "change" and one.get("new_size"):
        left, price = Decimal(one["new_size"]), one.get("new_price") or price
    if kind in ("match", "done", "change"):
        if left > 0:
            book.put(ident, side, price, [price, f"{left:f}", ident])
        else:
            del book.orders[ident]

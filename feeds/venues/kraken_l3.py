"""Kraken spot order by order: the level3 channel of websocket v2, with a CRC32 over the orders of ten levels a side.

Subscribing needs a token, got over REST with a key (GetWebSocketsToken). Orders come in the order of their
queues; one that is modified keeps its place where its price stays and goes to the back elsewhere. The reader
drops levels beyond the subscribed depth itself; all orders of a level that comes within it are told. Fills are
not told apart from other modifications and deletions, prints come over the trade channel. Source: Kraken's
"Orders (Level 3)" and "L3 checksum (WebSocket v2)".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import ASK, BID, EventBuffer
from feeds.keys import Secrets
from feeds.venues._access import FAULTS, Request, Socket
from feeds.venues._kraken import CHECKED_LEVELS, Checksum, field
from feeds.venues._orders import Change, OrderMarket, Orders
from feeds.venues.kraken import Kraken, request, time_of, trades

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

DEPTHS: Final = (10, 100, 1000)
_KNOWN: Final = {"": False, "add": False, "modify": True, "delete": True}


class _Order(msgspec.Struct, gc=False):
    order_id: str
    limit_price: msgspec.Raw
    order_qty: msgspec.Raw
    timestamp: str = ""
    event: str = ""


class _Book(msgspec.Struct, gc=False):
    symbol: str
    bids: list[_Order] = []
    asks: list[_Order] = []
    checksum: Checksum | None = None
    timestamp: str = ""


class _Token(msgspec.Struct):
    token: str = ""


class _TokenAnswer(msgspec.Struct):
    error: list[str] = []
    result: _Token = msgspec.field(default_factory=_Token)


KEY, SECRET = "KRAKEN_API_KEY", "KRAKEN_API_SECRET"  # names of them
_TOKEN_PATH: Final = "/0/private/GetWebSocketsToken"
_NO_TOKEN: Final = '"token":""'
_TOKEN: Final = msgspec.json.Decoder(_TokenAnswer)
_BOOKS: Final = msgspec.json.Decoder(list[_Book])


def checksum(market: OrderMarket) -> int:
    """CRC32 over every order of the ten best asks and the ten best bids, each level in the order of its queue."""
    levels = market.best(ASK, CHECKED_LEVELS) + market.best(BID, CHECKED_LEVELS)
    return zlib.crc32("".join(order.text for level in levels for order in level).encode())


class KrakenL3(Kraken, Orders):
    """Kraken's orders over websocket v2; symbols are such as 'BTC/USD'."""

    name: ClassVar[str] = "kraken-l3"
    tier: ClassVar[str] = "A"
    market_type = OrderMarket
    book_channel: ClassVar[str] = "level3"
    depths: ClassVar[tuple[int, ...]] = DEPTHS
    secrets: ClassVar[tuple[str, ...]] = (KEY, SECRET)

    def on_books(self, data: msgspec.Raw, recv_ns: int, out: EventBuffer, *, snapshot: bool) -> None:
        """Take the data of one book message."""
        ready = []
        for book in _BOOKS.decode(data):
            market = self.order_market(book.symbol)
            if market is not None:
                changes = [
                    *(_change(market, BID, one, snapshot) for one in book.bids),
                    *(_change(market, ASK, one, snapshot) for one in book.asks),
                ]
                newest = max((one.timestamp for one in (*book.bids, *book.asks)), default="")
                prices = max(len({one.tick for one in changes if one.side == side}) for side in (BID, ASK))
                ready.append((market, prices, changes, time_of(book.timestamp or newest), book.checksum))
        for market, prices, changes, exch_ns, stated in ready:
            if snapshot:
                self.guess_depth(market, prices)
            self.write(market, changes, (recv_ns, exch_ns), out, checksum, stated, snapshot=snapshot)

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str], depth: int = 100, token: str = "") -> tuple[Socket, ...]:
        """Say what to connect to: orders with a token, prints without; depth is one of DEPTHS."""
        chosen = list(symbols)
        params: dict[str, object] = {"channel": "level3", "symbol": chosen, "depth": depth, "snapshot": True}
        orders = request("subscribe", params | {"token": token})
        return (
            Socket("wss://ws-l3.kraken.com/v2", (orders,), tuple(chosen)),
            Socket("wss://ws.kraken.com/v2", (trades(chosen),)),
        )

    @classmethod
    def token_request(cls, key: Secrets, now_ms: int) -> Request:
        """What gets a token, signed: SHA-512 under the secret of the path and of SHA-256 of nonce and body."""
        body = msgspec.json.encode({"nonce": str(now_ms)})
        try:
            code = base64.b64decode(key[SECRET], validate=True)
        except ValueError:
            raise BadInput(f"{SECRET} of kraken-l3", None, "base64 text") from None
        told = hmac.new(code, _TOKEN_PATH.encode() + hashlib.sha256(f"{now_ms}".encode() + body).digest(), "sha512")
        headers = {"API-Key": key[KEY], "API-Sign": base64.b64encode(told.digest()).decode()}
        return Request(f"https://api.kraken.com{_TOKEN_PATH}", body.decode(), headers)

    @classmethod
    def read_token(cls, raw: bytes | str) -> str:
        """Read the token; raise BadInput where the answer holds none."""
        try:
            answer = _TOKEN.decode(raw)
        except FAULTS:
            answer = _TokenAnswer()
        if not answer.result.token:
            raise BadInput("token of kraken-l3", ", ".join(answer.error)[:80], "a token to subscribe with")
        return answer.result.token

    @classmethod
    def sealed(cls, socket: Socket, key: Secrets, token: str, now_s: int) -> tuple[str, ...]:
        """Orders are asked for with the token, prints without."""
        del key, now_s
        return tuple(
            frame.replace(_NO_TOKEN, f'"token":{msgspec.json.encode(token).decode()}') for frame in socket.frames
        )

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """None: the token that a new subscription needs is the client's."""
        del symbol
        return ()

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_kraken import KrakenL3Voice

        return KrakenL3Voice


def _change(market: OrderMarket, side: int, one: _Order, snapshot: bool) -> Change:
    if one.event not in _KNOWN or (snapshot and one.event not in ("", "add")) or not one.order_id:
        raise BadInput("order", f"{one.event} {one.order_id}"[:80], "an add, modify or delete of an order")
    price, size = bytes(one.limit_price).decode(), bytes(one.order_qty).decode()
    grids = market.numbers.instrument
    text = field(price, grids.price) + field(size, grids.size)
    if one.event == "delete":
        size = "0"
    return market.change(one.order_id, side, price, size, text, known=_KNOWN[one.event])


VENUES: Final = (KrakenL3,)

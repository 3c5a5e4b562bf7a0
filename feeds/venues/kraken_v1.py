"""Kraken spot over the old websocket v1: books of a subscribed depth with a CRC32 over their top ten, and trades.

Captures speak it; live sessions use v2 (`kraken`), which also numbers the prints.

A frame is `[channel, payload, (second payload,) name, pair]`. A book's update states absolute volumes of
levels, asks before bids where both changed; levels beyond the subscribed depth are to be dropped by the
reader. The checksum is over price and volume as written, dots and leading zeros removed. Source: Kraken's
"Websockets 1.9" and "Book checksum".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import ASK, BAD_TIME, BID, BUY, LAST, NONE, REGULAR, SELL, TRADE, EventBuffer
from feeds.instruments import Instrument
from feeds.venues._access import FAULTS, Socket, Terms, bounded
from feeds.venues._kraken import PAIRS_URL, KrakenMarket, checksum, digits, read_pairs
from feeds.venues._levels import OffGridError
from feeds.venues._times import decimal_ns
from feeds.venues._verified import Depth, Level, Market, Sides, Verified

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

_BOOK: Final = re.compile(r"book-(\d{1,5})\Z", re.ASCII)


class _Payload(msgspec.Struct, gc=False):
    as_: list[list[str]] | None = msgspec.field(default=None, name="as")
    bs: list[list[str]] | None = None
    a: list[list[str]] = []
    b: list[list[str]] = []
    c: str | None = None


class _Subscription(msgspec.Struct):
    name: str = ""
    depth: int = 0


class _Event(msgspec.Struct):
    event: str
    status: str = ""
    pair: str = ""
    errorMessage: str = ""  # noqa: N815
    subscription: _Subscription = msgspec.field(default_factory=_Subscription)


_FRAME: Final = msgspec.json.Decoder(list[msgspec.Raw])
_EVENT: Final = msgspec.json.Decoder(_Event)
_PAYLOAD: Final = msgspec.json.Decoder(_Payload)
_TEXT: Final = msgspec.json.Decoder(str)
_PRINTS: Final = msgspec.json.Decoder(list[list[str]])


def seconds_to_ns(text: str) -> int:
    """Seconds since 1970 as decimal text in ns, exactly; what is finer is cut off."""
    return decimal_ns(text, 0)


class KrakenV1(Verified):
    """Kraken spot over websocket v1; symbols are the pair names of that interface, such as 'XBT/USD'."""

    name: ClassVar[str] = "kraken-v1"
    captures: ClassVar[tuple[str, ...]] = ("KRAKEN",)
    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r',\s*"([^"\\]{1,40})"\s*\]\s*\Z')
    market_type: ClassVar[type[Market]] = KrakenMarket
    terms: ClassVar[Terms] = Terms(silence_s=5, ping='{"event":"ping"}', ping_s=20, send_gap_ms=100)

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        name = pair = ""
        try:
            bounded(raw)
            if raw[:1] in (b"{", "{"):
                self._on_event(_EVENT.decode(raw))
                return
            parts = _FRAME.decode(raw)
            if len(parts) < 4:
                raise BadInput("frame", len(parts), "channel, payload, name and pair")
            name, pair = _TEXT.decode(parts[-2]), _TEXT.decode(parts[-1])
            book = _BOOK.match(name)
            if book:
                self._on_book(pair, int(book[1]), parts[1:-2], recv_ns, out)
            elif name == "trade":
                for part in parts[1:-2]:
                    self._on_trades(pair, part, recv_ns, out)
            else:
                self.ignore(name)
        except FAULTS as error:
            self.damaged(f"{name or 'frame'} {pair}".rstrip()[:80], error)
            if name.startswith("book"):
                self.lose_damaged(pair, recv_ns, out)

    def _on_event(self, said: _Event) -> None:
        if said.event == "subscriptionStatus":
            about = f"{said.subscription.name} {said.pair}".strip()
            if said.status == "error":
                self.problem(f"the venue refuses {about}: {said.errorMessage[:200]}")
                self.notice("error", f"{about}: {said.errorMessage}")
                return
            if said.subscription.name == "book" and said.subscription.depth > 0 and said.pair in self.markets:
                self.markets[said.pair].depth = said.subscription.depth
            self.notice("ack", about)
        elif said.event == "pong":
            self.notice("pong")
        else:
            self.ignore(said.event)

    def _on_book(self, pair: str, depth: int, parts: list[msgspec.Raw], recv_ns: int, out: EventBuffer) -> None:
        market = self.market(pair)
        if market is None:
            return
        if depth:
            market.depth = depth
        payloads = [_PAYLOAD.decode(part) for part in parts]
        snapshot = any(payload.as_ is not None or payload.bs is not None for payload in payloads)
        sides: dict[int, list[list[str]]] = {ASK: [], BID: []}
        for payload in payloads:
            sides[ASK] += payload.as_ or payload.a
            sides[BID] += payload.bs or payload.b
        for entry in (*sides[BID], *sides[ASK]):
            if len(entry) < 3 or entry[0].startswith("-"):
                raise BadInput("level", entry, "a price of 0 or more, volume and time")
        newest = max([seconds_to_ns(entry[2]) for entries in sides.values() for entry in entries], default=NONE)
        stated = next((payload.c for payload in reversed(payloads) if payload.c is not None), None)
        if stated is not None and not (stated.isdigit() and stated.isascii() and len(stated) <= 10):
            raise BadInput("checksum", stated, "a number")
        check = None if stated is None else int(stated)
        levels: list[Level] = []
        read: Sides | None = None
        try:
            read = [(side, market.read([(entry[0], entry[1]) for entry in entries])) for side, entries in sides.items()]
        except OffGridError:
            for side, entries in sides.items():
                for price, size, *_ in entries:
                    levels.append(market.level(side, price, size, digits(price) + digits(size)))
        depth_told = Depth(levels, snapshot, newest, NONE, check)
        if read is not None:
            self.emit_read(market, read, depth_told, recv_ns, out, checksum)
        else:
            self.emit(market, depth_told, recv_ns, out, checksum)

    def _on_trades(self, pair: str, part: msgspec.Raw, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(pair)
        if market is None:
            return
        prints = []
        for entry in _PRINTS.decode(part):
            if len(entry) < 4 or entry[3] not in ("b", "s"):
                raise BadInput("trade", entry, "price, volume, time and side b or s")
            tick, off_tick = market.numbers.price(entry[0])
            lots, off_lot = market.numbers.size(entry[1])
            prints.append((tick, lots, off_tick | off_lot, seconds_to_ns(entry[2]), BUY if entry[3] == "b" else SELL))
        market.touched = market.touched or bool(prints)
        for tick, lots, marks, exch_ns, side in prints:
            if lots <= 0 or tick < 0:
                self.ignore("print of no size" if lots == 0 else "print of negative price or size")
                continue
            self.checks.off_grid += marks != 0
            bad = BAD_TIME if exch_ns == 0 else 0
            out.append(TRADE, recv_ns, exch_ns, tick, lots, side, NONE, REGULAR, market.inst, marks | bad | LAST)

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str], depth: int = 25) -> tuple[Socket, ...]:
        """Say what to connect to; depth is one of DEPTHS."""
        pairs = list(symbols)
        wanted: tuple[dict[str, object], ...] = ({"name": "book", "depth": depth}, {"name": "trade"})
        frames = [{"event": "subscribe", "pair": pairs, "subscription": one} for one in wanted]
        return (Socket("wss://ws.kraken.com", tuple(msgspec.json.encode(frame).decode() for frame in frames)),)

    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its pairs."""
        return PAIRS_URL

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the pairs, by the name the websocket uses; raise BadInput where the answer is none."""
        return read_pairs(cls.name, raw, v2=False)

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_kraken import KrakenV1Voice

        return KrakenV1Voice


VENUES: Final = (KrakenV1,)

"""Kraken spot, websocket v2: books of a subscribed depth with a CRC32 over their top ten, and numbered prints.

A frame is an object with `channel`, `type` (snapshot or update) and `data`. Prices and sizes are JSON numbers
whose digits as written enter the checksum, so they are kept as text. Updates state absolute sizes, in the order
of their arrays; levels beyond the subscribed depth are to be dropped by the reader. The checksum, of snapshots
too, is over ten levels a side whatever the depth: an error deeper down stays unseen. A print's side is the
taker's and its number rises by one a book. Source: Kraken's "Spot WebSocket v2" and "Book checksum (v2)".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import ASK, BAD_TIME, BID, BUY, LAST, LATE, NONE, REGULAR, SELL, TRADE, EventBuffer
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded, spread
from feeds.venues._kraken import (
    DEPTHS,
    PAIRS_URL,
    Checksum,
    KrakenMarket,
    checksum,
    field,
    read_channel,
    read_pairs,
)
from feeds.venues._levels import OffGridError
from feeds.venues._times import iso_ns
from feeds.venues._verified import Depth, Level, Market, Sides, Verified

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

SYMBOLS_A_SOCKET: Final = 100
SIDES: Final = {"buy": BUY, "sell": SELL}
"""Of a print, the taker's."""
SNAPSHOT, UPDATE = "snapshot", "update"
_SYMBOL: Final = re.compile(rb'"symbol"\s*:\s*"([^"\\]{1,40})"')
_TradeId = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class _Result(msgspec.Struct, gc=False):
    channel: str = ""
    symbol: str = ""
    depth: int = 0


class _Frame(msgspec.Struct, gc=False):
    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw()
    method: str = ""
    success: bool = True
    error: str = ""
    symbol: str = ""
    result: _Result = msgspec.field(default_factory=_Result)


class _Level(msgspec.Struct, gc=False):
    price: msgspec.Raw
    qty: msgspec.Raw


class _Book(msgspec.Struct, gc=False):
    symbol: str
    bids: list[_Level] = []
    asks: list[_Level] = []
    checksum: Checksum | None = None
    timestamp: str = ""


class _Print(msgspec.Struct, gc=False):
    symbol: str
    side: str
    price: msgspec.Raw
    qty: msgspec.Raw
    trade_id: _TradeId
    timestamp: str


class _System(msgspec.Struct, gc=False):
    system: str = ""


_FRAME: Final = msgspec.json.Decoder(_Frame)
_BOOKS: Final = msgspec.json.Decoder(list[_Book])
_PRINTS: Final = msgspec.json.Decoder(list[_Print])
_SYSTEMS: Final = msgspec.json.Decoder(list[_System])


def time_of(text: str) -> int:
    """A frame's time in ns, NONE where it has none."""
    return iso_ns(text) if text else NONE


class Kraken(Verified):
    """Kraken spot over websocket v2; symbols are such as 'BTC/USD'."""

    name: ClassVar[str] = "kraken"
    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"symbol"\s*:\s*"([^"\\]{1,40})"')
    terms: ClassVar[Terms] = Terms(silence_s=5, ping='{"method":"ping"}', ping_s=20, send_gap_ms=100)
    market_type: ClassVar[type[Market]] = KrakenMarket
    book_channel: ClassVar[str] = "book"
    depths: ClassVar[tuple[int, ...]] = DEPTHS

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._acknowledged: set[str] = set()
        self._last_print: dict[str, int] = {}

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        channel = ""
        try:
            bounded(raw)
            frame = _FRAME.decode(raw)
            channel = frame.channel
            if frame.method or frame.error:
                self._on_answer(frame)
            elif channel == self.book_channel:
                if frame.type not in (SNAPSHOT, UPDATE):
                    raise BadInput("type", frame.type, "snapshot or update")
                self.on_books(frame.data, recv_ns, out, snapshot=frame.type == SNAPSHOT)
            elif channel == "trade":
                self._on_trades(_PRINTS.decode(frame.data), recv_ns, out, old=frame.type == SNAPSHOT)
            elif channel == "status":
                self._on_status(_SYSTEMS.decode(frame.data))
            else:
                self.ignore(channel or "frame without a channel")
        except FAULTS as error:
            self.damaged(channel[:80] or "frame", error)
            if channel == self.book_channel:
                whole = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
                for symbol in sorted({found.decode("utf-8", "replace") for found in _SYMBOL.findall(whole)}):
                    self.lose_damaged(symbol, recv_ns, out)

    def _on_answer(self, frame: _Frame) -> None:
        about = f"{frame.result.channel} {frame.result.symbol or frame.symbol}".strip() or frame.method
        if frame.error or not frame.success:
            self.problem(f"the venue refuses {about}: {frame.error[:200]}")
            self.notice("error", f"{about}: {frame.error}")
        elif frame.method == "pong":
            self.notice("pong")
        elif frame.method == "subscribe":
            if frame.result.channel == self.book_channel and frame.result.depth > 0:
                market = self.markets.get(frame.result.symbol)
                if market is not None:
                    market.depth = frame.result.depth
                    self._acknowledged.add(market.symbol)
            self.notice("ack", about)
        else:
            self.ignore(frame.method)

    def _on_status(self, systems: list[_System]) -> None:
        for one in systems:
            if one.system in ("", "online"):
                self.ignore("status")
            else:
                self.problem(f"the venue's system is {one.system[:40]}")
                self.notice("closing" if one.system == "maintenance" else "error", f"system {one.system}")

    def guess_depth(self, market: Market, levels: int) -> None:
        """Take the depth from a snapshot that came before the answer stating it: the least one that holds it."""
        if market.symbol not in self._acknowledged:
            market.depth = next((depth for depth in self.depths if levels <= depth), levels)

    def on_books(self, data: msgspec.Raw, recv_ns: int, out: EventBuffer, *, snapshot: bool) -> None:
        """Take the data of one book message."""
        ready = []
        for book in _BOOKS.decode(data):
            market = self.market(book.symbol)
            if market is not None:
                widest = max(len(book.bids), len(book.asks))
                exch_ns = time_of(book.timestamp)
                levels: list[Level] = []
                read: Sides | None = None
                try:
                    read = [(BID, market.read(_texts(book.bids))), (ASK, market.read(_texts(book.asks)))]
                except OffGridError:
                    levels = [_level(market, BID, one) for one in book.bids]
                    levels += [_level(market, ASK, one) for one in book.asks]
                ready.append((market, widest, read, Depth(levels, snapshot, exch_ns, NONE, book.checksum)))
        for market, widest, read, depth in ready:
            if snapshot:
                self.guess_depth(market, widest)
            if read is not None:
                self.emit_read(market, read, depth, recv_ns, out, checksum)
            else:
                self.emit(market, depth, recv_ns, out, checksum)

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write gaps and forget books and depths."""
        super().on_disconnect(recv_ns, out)
        self._acknowledged.clear()

    def _on_trades(self, prints: list[_Print], recv_ns: int, out: EventBuffer, *, old: bool) -> None:
        ready = []
        for one in sorted(prints, key=lambda one: one.trade_id) if old else prints:
            market = self.market(one.symbol)
            if market is None:
                continue
            if one.side not in SIDES:
                raise BadInput("side", one.side, "buy or sell")
            tick, off_tick = market.numbers.price(bytes(one.price).decode())
            lots, off_lot = market.numbers.size(bytes(one.qty).decode())
            ready.append((market, one, tick, lots, off_tick | off_lot, iso_ns(one.timestamp)))
        for market, one, tick, lots, marks, exch_ns in ready:
            if lots <= 0 or tick < 0:
                self.ignore("print of no size" if lots == 0 else "print of negative price or size")
                continue
            last = self._last_print.get(one.symbol, NONE)
            if last != NONE and one.trade_id != last + 1:
                if one.trade_id <= last:
                    self.checks.duplicates += 1
                    continue
                self.problem(f"{one.symbol}: {one.trade_id - last - 1} prints missed before {one.trade_id}")
            self._last_print[one.symbol] = one.trade_id
            market.touched = True
            self.checks.off_grid += marks != 0
            bad = BAD_TIME if exch_ns == 0 else 0
            out.append(
                TRADE, recv_ns, exch_ns, tick, lots, SIDES[one.side], one.trade_id, LATE if old else REGULAR,
                market.inst, marks | bad | LAST,
            )  # fmt: skip

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str], depth: int = 25) -> tuple[Socket, ...]:
        """Say what to connect to, a socket for every few symbols; depth is one of DEPTHS, the checksum sees ten."""
        about: dict[str, object] = {"channel": "book", "depth": depth, "snapshot": True}

        def socket(some: list[str]) -> Socket:
            book = request("subscribe", about | {"symbol": some})
            return Socket("wss://ws.kraken.com/v2", (book, trades(some)), tuple(some))

        return spread(symbols, SYMBOLS_A_SOCKET, socket)

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew."""
        market = self.markets[symbol]
        depth = market.depth if market.depth in self.depths else 25
        params: dict[str, object] = {"channel": "book", "symbol": [symbol], "depth": depth}
        return (request("unsubscribe", params), request("subscribe", params | {"snapshot": True}))

    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its pairs."""
        return PAIRS_URL

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the pairs from that listing or from a frame of the instrument channel; raise BadInput otherwise."""
        try:
            return read_pairs(cls.name, raw, v2=True)
        except BadInput:
            return read_channel(cls.name, raw)

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_kraken import KrakenVoice

        return KrakenVoice


def request(method: str, params: dict[str, object]) -> str:
    """A frame that asks for something."""
    return msgspec.json.encode({"method": method, "params": params}).decode()


def trades(symbols: list[str]) -> str:
    """The frame that subscribes prints, without those of before."""
    return request("subscribe", {"channel": "trade", "symbol": symbols, "snapshot": False})


def _texts(levels: list[_Level]) -> list[tuple[str, str]]:
    return [(str(one.price, "ascii"), str(one.qty, "ascii")) for one in levels]


def _level(market: Market, side: int, one: _Level) -> Level:
    price, size = bytes(one.price).decode(), bytes(one.qty).decode()
    if price.startswith("-"):
        raise BadInput("price", price, "0 or more")
    grids = market.numbers.instrument
    return market.level(side, price, size, field(price, grids.price) + field(size, grids.size))


VENUES: Final = (Kraken,)

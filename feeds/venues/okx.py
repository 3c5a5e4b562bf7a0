"""OKX: books of 400 levels chained by `prevSeqId`, with a CRC32 over the top 25 where it is not 0, and trades.

Updates state absolute sizes; sizes of derivatives are contracts. The checksum was retired in 2026 and is 0
since; older recordings carry real ones and older still no sequence ids. Right after a subscription to
trades the venue repeats the newest print: it is kept on the tape as late. Source: OKX's v5 API, "Order book
channel" and "Trades channel".
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import ASK, BAD_TIME, BID, BUY, C_SEQUENCE, LAST, LATE, NONE, REGULAR, SELL, TRADE, EventBuffer
from feeds.instruments import Grid, Instrument
from feeds.sequencer import Sequencer, Step, okx
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded, plain, refuse_list, spread
from feeds.venues._levels import OffGridError
from feeds.venues._verified import Depth, Level, Market, Read, Sides, Verified

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

SYMBOLS_A_SOCKET: Final = 100
"""Of one request, which the venue bounds in length."""
DEPTHS: Final = {"books": 400, "books-l2-tbt": 400, "books50-l2-tbt": 50}
"""Channels read as a book, with their depth."""
REPEATED_NS: Final = 1_000_000_000
"""The first print within this time of the subscription's answer is the repeated one."""
_CHECKED_LEVELS: Final = 25
_SEQ: Final = 2**62


class _Arg(msgspec.Struct, gc=False):
    channel: str = ""
    instId: str = ""  # noqa: N815


class _Frame(msgspec.Struct, gc=False):
    arg: _Arg = msgspec.field(default_factory=_Arg)
    action: str = ""
    data: msgspec.Raw = msgspec.Raw()
    event: str = ""
    code: str = ""
    msg: str = ""


class _Book(msgspec.Struct, gc=False):
    asks: list[list[str]]
    bids: list[list[str]]
    ts: str
    checksum: int = 0
    prevSeqId: int = NONE  # noqa: N815
    seqId: int = NONE  # noqa: N815


class _Print(msgspec.Struct, gc=False):
    instId: str  # noqa: N815
    px: str
    sz: str
    side: str
    ts: str
    tradeId: str = ""  # noqa: N815


class _Listed(msgspec.Struct):
    instId: str  # noqa: N815
    tickSz: str  # noqa: N815
    lotSz: str  # noqa: N815
    ctVal: str = ""  # noqa: N815
    ctType: str = ""  # noqa: N815
    ctValCcy: str = ""  # noqa: N815
    quoteCcy: str = ""  # noqa: N815
    settleCcy: str = ""  # noqa: N815


class _Listing(msgspec.Struct):
    data: list[_Listed]


_FRAME: Final = msgspec.json.Decoder(_Frame)
_COUNTS_KEPT: Final = 4096
_BOOKS: Final = msgspec.json.Decoder(list[_Book])
_PRINTS: Final = msgspec.json.Decoder(list[_Print])
_LISTING: Final = msgspec.json.Decoder(_Listing)


def checksum(market: Market) -> int:
    """Signed CRC32 over the 25 best bids and asks in turn, `price:size` each, the longer side going on alone."""
    bids, asks = market.sides[BID].top(_CHECKED_LEVELS), market.sides[ASK].top(_CHECKED_LEVELS)
    texts = []
    for i in range(max(len(bids), len(asks))):
        texts += bids[i : i + 1] + asks[i : i + 1]
    crc = zlib.crc32(":".join(texts).encode())
    return crc - (1 << 32) if crc & 0x8000_0000 else crc


class OkxMarket(Market):
    """One instrument's state."""

    @staticmethod
    def price_field(text: str, grid: Grid) -> str:
        """The price and the colon behind it."""
        del grid
        return f"{text}:"


class Okx(Verified):
    """OKX v5 public channels; symbols are its instrument ids, such as 'BTC-USDT' or 'BTC-USDT-SWAP'."""

    name: ClassVar[str] = "okx"
    market_type: ClassVar[type[Market]] = OkxMarket
    captures: ClassVar[tuple[str, ...]] = ("OKX",)
    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"instId"\s*:\s*"([^"\\]{1,60})"')
    verified_by: ClassVar[str] = '"seqId"'  # not sent in 2022
    verified_else: ClassVar[str] = "checksum"
    verification: ClassVar[str] = "chain"
    terms: ClassVar[Terms] = Terms(silence_s=30, ping="ping", ping_s=20, send_gap_ms=300)

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._sequencers = {symbol: Sequencer(okx) for symbol in instruments}
        self._channels: dict[str, str] = {}
        self._subscribed_ns: dict[str, int] = {}
        self._last_print: dict[str, int] = {}

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        channel = symbol = ""
        try:
            if raw in (b"pong", "pong"):
                self.notice("pong")
                return
            bounded(raw)
            frame = _FRAME.decode(raw)
            channel, symbol = frame.arg.channel, frame.arg.instId
            if frame.event:
                self._on_event(frame, recv_ns)
            elif channel in DEPTHS:
                self._on_books(channel, symbol, frame, recv_ns, out)
            elif channel == "trades":
                self._on_trades(_PRINTS.decode(frame.data), recv_ns, out)
            else:
                self.ignore(channel or "frame without a channel")
        except FAULTS as error:
            self.damaged(f"{channel or 'frame'} {symbol}".rstrip()[:80], error)
            if channel in DEPTHS and self._channels.get(symbol, channel) == channel:
                self._break(symbol)
                self.lose_damaged(symbol, recv_ns, out)

    def _on_event(self, frame: _Frame, recv_ns: int) -> None:
        about = f"{frame.arg.channel} {frame.arg.instId}".strip()
        if frame.event == "error":
            self.problem(f"the venue refuses {about}: {frame.code} {frame.msg[:200]}")
            self.notice("error", f"{frame.code} {frame.msg}")
        elif frame.event == "notice":
            self.notice("closing", f"{frame.code} {frame.msg}")
        elif frame.event == "subscribe":
            if frame.arg.channel == "trades" and frame.arg.instId in self.markets:
                self._subscribed_ns[frame.arg.instId] = recv_ns
            self.notice("ack", about)
        else:
            self.ignore(frame.event)

    def _break(self, symbol: str) -> None:
        if symbol in self._sequencers:
            self._sequencers[symbol].reset()

    def _on_books(self, channel: str, symbol: str, frame: _Frame, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(symbol)
        if market is None:
            return
        if self._channels.setdefault(symbol, channel) != channel:
            self.ignore(f"second book channel {channel}")
            return
        if frame.action not in ("snapshot", "update"):
            raise BadInput("action", frame.action, "snapshot or update")
        market.depth = DEPTHS[channel]
        for book in _BOOKS.decode(frame.data):
            read, depth = _depth(market, book, snapshot=frame.action == "snapshot")
            if self._follows(market, book, depth.snapshot, recv_ns, out):
                if read is not None:
                    self.emit_read(market, read, depth, recv_ns, out, checksum)
                else:
                    self.emit(market, depth, recv_ns, out, checksum)

    def _follows(self, market: Market, book: _Book, snapshot: bool, recv_ns: int, out: EventBuffer) -> bool:
        sequencer = self._sequencers[market.symbol]
        if book.seqId == NONE:
            return True
        if snapshot:
            sequencer.snapshot(book.seqId)
            return True
        at = sequencer.id
        step = sequencer.update(book.seqId, book.seqId, book.prevSeqId)
        if step is Step.IGNORE:
            self.checks.duplicates += 1
        elif step is Step.WAIT:
            self.ignore("update before the snapshot")
        elif step is not Step.APPLY:
            self.lose(market, C_SEQUENCE, f"update {book.seqId} follows {book.prevSeqId}, not {at}", recv_ns, out)
        return step is Step.APPLY

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write gaps and forget books and channels."""
        super().on_disconnect(recv_ns, out)
        self._channels.clear()
        self._subscribed_ns.clear()
        for sequencer in self._sequencers.values():
            sequencer.reset()

    def _on_trades(self, prints: list[_Print], recv_ns: int, out: EventBuffer) -> None:
        ready = []
        for one in prints:
            market = self.market(one.instId)
            if market is None:
                continue
            if one.side not in ("buy", "sell"):
                raise BadInput("side", one.side, "buy or sell")
            tick, off_tick = market.numbers.price(one.px)
            lots, off_lot = market.numbers.size(one.sz)
            ready.append((market, one, tick, lots, off_tick | off_lot, _ms(one.ts)))
        for market, one, tick, lots, marks, exch_ns in ready:
            if lots <= 0:
                self.ignore("print of no size" if lots == 0 else "print of negative size")
                continue
            number = one.tradeId
            ident = int(number) if number.isdigit() and number.isascii() and len(number) <= 18 else NONE
            if ident != NONE:
                if ident <= self._last_print.get(one.instId, NONE):
                    self.checks.duplicates += 1
                    continue
                self._last_print[one.instId] = ident
            market.touched = True
            since = self._subscribed_ns.pop(one.instId, NONE)
            aux = LATE if since != NONE and 0 <= recv_ns - since < REPEATED_NS else REGULAR
            self.checks.off_grid += marks != 0
            bad = BAD_TIME if exch_ns == 0 else 0
            side = BUY if one.side == "buy" else SELL
            out.append(TRADE, recv_ns, exch_ns, tick, lots, side, ident, aux, market.inst, marks | bad | LAST)

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to: a socket for every few symbols."""
        return spread(symbols, SYMBOLS_A_SOCKET, cls._socket)

    @classmethod
    def _socket(cls, symbols: list[str]) -> Socket:
        args = [{"channel": what, "instId": symbol} for symbol in symbols for what in ("books", "trades")]
        frame = msgspec.json.encode({"id": "1", "op": "subscribe", "args": args}).decode()
        return Socket("wss://ws.okx.com:8443/ws/v5/public", (frame,), tuple(symbols))

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew: asked for again, it sends none by itself."""
        args = [{"channel": self._channels.get(symbol, "books"), "instId": symbol}]
        return tuple(
            msgspec.json.encode({"id": "renew", "op": op, "args": args}).decode() for op in ("unsubscribe", "subscribe")
        )

    @classmethod
    def instruments_url(cls, kind: str = "SPOT") -> str:
        """Where the venue lists its instruments of one kind: SPOT, SWAP or FUTURES."""
        return f"https://www.okx.com/api/v5/public/instruments?instType={kind}"

    @classmethod
    def listing_urls(cls, symbols: Iterable[str]) -> tuple[str, ...]:
        """The lists of the kinds of the symbols: SWAP and FUTURES by the end of their ids, SPOT else."""
        return tuple(dict.fromkeys(cls.instruments_url(_kind(symbol)) for symbol in symbols))

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the instruments, by id; raise BadInput where the answer is none."""
        try:
            return {one.instId: _instrument(one) for one in _LISTING.decode(raw).data if one.tickSz and one.lotSz}
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_okx import OkxVoice

        return OkxVoice


def _kind(symbol: str) -> str:
    end = symbol.upper().rpartition("-")[2]
    return "SWAP" if end == "SWAP" else "FUTURES" if end.isdigit() and symbol.count("-") == 2 else "SPOT"


def _instrument(one: _Listed) -> Instrument:
    inverse = one.ctType == "inverse"
    return Instrument(
        venue=Okx.name,
        symbol=one.instId,
        tick=one.tickSz,
        lot=plain(one.lotSz),
        multiplier=one.ctVal or "1",
        currency=one.quoteCcy or (one.ctValCcy if inverse else one.settleCcy),
        description=f"inverse, {one.ctVal} {one.ctValCcy} a contract" if inverse else "",
    )


def _ms(text: str) -> int:
    if not (text.isdigit() and text.isascii() and len(text) <= 15):
        raise BadInput("time", text, "ms since 1970")
    return min(int(text) * 1_000_000, _SEQ)


def _depth(market: Market, book: _Book, *, snapshot: bool) -> tuple[Sides | None, Depth]:
    if not (abs(book.seqId) < _SEQ or book.seqId == NONE) or not (abs(book.prevSeqId) < _SEQ or book.prevSeqId == NONE):
        raise BadInput("seqId", book.seqId, "an id below 2**62")
    levels: list[Level] = []
    read: Sides | None = None
    try:
        read = [(BID, _side(market, book.bids, book.seqId)), (ASK, _side(market, book.asks, book.seqId))]
    except OffGridError:
        for side, entries in ((BID, book.bids), (ASK, book.asks)):
            for price, size, *more in entries:
                levels.append(market.level(side, price, size, f"{price}:{size}", _count(more)))
    return read, Depth(levels, snapshot, _ms(book.ts), book.seqId, book.checksum or None)


def _side(market: Market, entries: list[list[str]], ref: int) -> Read:
    if entries and min(map(len, entries)) < 4:
        # The count of orders may be missing, but not price and size.
        if min(map(len, entries)) < 2:
            raise BadInput("level", min(entries, key=len), "price and size")
        entries = [[*entry, "", ""] for entry in entries]
    rows, texts, _ = market.read(entries)
    ref8, counts = ref.to_bytes(8, "little", signed=True), _COUNTS
    return Read([row + ref8 + counts[entry[3]] for row, entry in zip(rows, entries, strict=True)], texts, counts=True)


def _count(more: list[str]) -> int:
    return int.from_bytes(_COUNTS[more[1] if len(more) > 1 else ""], "little")


class _Counts(dict[str, bytes]):
    """Texts of counts of orders and their 8 bytes; 0 for what is none."""

    def __missing__(self, text: str) -> bytes:
        count = int(text) if text.isdigit() and text.isascii() and len(text) <= 9 else 0
        found = count.to_bytes(8, "little")
        if len(self) < _COUNTS_KEPT:
            self[text] = found
        return found


_COUNTS: Final = _Counts()
VENUES: Final = (Okx,)

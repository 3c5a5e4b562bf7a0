"""What Bitfinex's books by level and by order have in common: channels, the socket's counter, prints and facts.

Events are objects, data are arrays `[channel, payload, counter, time]`; which symbol a channel number means is
told once, when it is subscribed. With SEQ_ALL every array of a socket is counted, heartbeats too, so one lost
frame is seen at the next and costs every book of the socket. Numbers are JSON's, written as JavaScript writes
them; as such they enter the checksum, so their text is kept. Source: Bitfinex's "WebSockets v2" (Public
Channels, Flags, Checksum).

There is no tick: prices have five significant digits and at most eight decimals. The tick is that of the price
at hand, and prices of another power of ten are off its grid; what a price has beyond six decimals more than the
tick's, so far below the price at hand is it, is cut off. Amounts have eight decimals; what a sum of several
orders has beyond them is the noise of the venue's floating-point numbers and rounded off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    BAD_TIME,
    BUY,
    C_SEQUENCE,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    F_OPEN_INTEREST,
    FACT,
    LAST,
    LATE,
    NONE,
    OFF_LOT,
    REGULAR,
    SELL,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Grid, Instrument, parse_decimal
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded, refuse_list
from feeds.venues._numbers import fact
from feeds.venues._seen import Seen
from feeds.venues._times import decimal_ns
from feeds.venues._verified import Market, Verified

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

URL: Final = "wss://api-pub.bitfinex.com/ws/2"
TIMESTAMP: Final = 32_768
SEQ_ALL: Final = 65_536
OB_CHECKSUM: Final = 131_072
SYMBOLS_A_SOCKET: Final = 8
"""Three subscriptions a symbol, of 25 a connection."""
SIGNIFICANT: Final = 5
PRICE_DECIMALS: Final = 8
AMOUNT_DECIMALS: Final = 8
CHECKED_LEVELS: Final = 25
_RECONNECT, _PAUSED, _RESUMED = 20051, 20060, 20061
_AMOUNTS: Final = Grid("0.00000001")
_NO_CHANNEL: Final = -1
_REMEMBERED: Final = 4096


class _Event(msgspec.Struct, gc=False):
    event: str
    channel: str = ""
    chanId: int = _NO_CHANNEL  # noqa: N815
    symbol: str = ""
    key: str = ""
    prec: str = ""
    flags: int = 0
    status: str = ""
    code: int = 0
    msg: str = ""


class Channel(msgspec.Struct, gc=False):
    """What a channel number means."""

    kind: str
    symbol: str
    prec: str = ""
    fresh: bool = True
    """Nothing has come on it yet."""


_EVENT: Final = msgspec.json.Decoder(_Event)
RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
ROWS: Final = msgspec.json.Decoder(list[list[msgspec.Raw]])
_INTEGER: Final = msgspec.json.Decoder(Annotated[int, msgspec.Meta(ge=-(2**62), lt=2**62)])
_COUNT: Final = msgspec.json.Decoder(Annotated[int, msgspec.Meta(ge=0, lt=2**62)])
_TICKERS: Final = msgspec.json.Decoder(list[list[msgspec.Raw]])
_TEXT: Final = msgspec.json.Decoder(str)
_DERIVATIVE: Final = re.compile(r"F0:\w+F0\Z", re.ASCII)


def text(raw: msgspec.Raw) -> str:
    """The text of a JSON number."""
    return bytes(raw).decode()


def count(raw: msgspec.Raw) -> int:
    """An id or a count of 0 or more."""
    found: int = _COUNT.decode(raw)
    return found


@lru_cache(maxsize=_REMEMBERED)
def amount(number: str) -> tuple[str, bool]:
    """An amount's size as text of at most eight decimals, and whether it is below 0."""
    mantissa, decimals = parse_decimal(number)
    if decimals > AMOUNT_DECIMALS:
        scale = 10 ** (decimals - AMOUNT_DECIMALS)
        return _AMOUNTS.text((2 * abs(mantissa) + scale) // (2 * scale)), mantissa < 0
    return number.removeprefix("-"), mantissa < 0


@lru_cache(maxsize=_REMEMBERED)
def within(price: str, grid: Grid) -> str:
    """A price without the decimals that are beyond the fine units of its grid."""
    mantissa, decimals = parse_decimal(price)
    beyond = decimals - grid.fine_decimals
    return price if beyond <= 0 else grid.fine_text(mantissa // 10**beyond)


def tick_of(price: str) -> str:
    """The increment of prices near a price: one of its fifth significant digit, of 8 decimals at the finest.

    Raises BadInput for a price of 0 or below.
    """
    mantissa, decimals = parse_decimal(price)
    if mantissa <= 0:
        raise BadInput("price", price, "above 0")
    finest = min(decimals + SIGNIFICANT - len(str(mantissa)), PRICE_DECIMALS)
    if finest < -SIGNIFICANT:
        raise BadInput("price", price, "a price below ten thousand million")
    return f"0.{'1':0>{finest}}" if finest > 0 else "1" + "0" * -finest


class Bitfinex(Verified):
    """Bitfinex's public channels; symbols are as the venue's, such as 'tBTCUSD' or 'tBTCF0:USTF0'."""

    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"symbol"\s*:\s*"(t[^"\\]{1,40})"')
    verified_by: ClassVar[str] = '"cs"'
    verified_else: ClassVar[str] = "counter"
    patience: ClassVar[int] = 2  # one that disagrees alone heals by the next
    terms: ClassVar[Terms] = Terms(silence_s=45, ping='{"event":"ping"}', ping_s=20, send_gap_ms=100)
    precision: ClassVar[str]
    length: ClassVar[str]

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._channels: dict[int, Channel] = {}
        self._books: dict[str, int] = {}
        self._flags = 0
        self._counter = NONE
        self._seen: dict[str, Seen] = {}

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        channel: Channel | None = None
        try:
            bounded(raw)
            if raw[:1] in (b"{", "{"):
                self._on_event(_EVENT.decode(raw))
                return
            parts = RAWS.decode(raw)
            if len(parts) < 2:
                raise BadInput("frame", len(parts), "channel and payload")
            number = count(parts[0])
            channel = self._channels.get(number)
            exch_ns = decimal_ns(text(parts.pop()), 3) if self._flags & TIMESTAMP else NONE
            counted = self._flags & SEQ_ALL
            if (counted and not self._follows(count(parts.pop()), recv_ns, out)) or len(parts) < 2:
                return
            if channel is None:
                self.ignore("channel not subscribed")
            else:
                self._on_data(number, channel, parts[1:], (recv_ns, exch_ns), out)
        except FAULTS as error:
            self.damaged(f"{channel.kind} {channel.symbol}"[:80] if channel else "frame", error)
            if channel is not None and channel.kind == "book":
                self.lose_damaged(channel.symbol, recv_ns, out)

    def _on_event(self, said: _Event) -> None:
        about = f"{said.channel} {said.symbol or said.key}".strip()
        if said.event == "subscribed":
            if said.chanId < 0:
                raise BadInput("chanId", said.chanId, "a channel number")
            if len(self._channels) < 10_000:
                self._channels[said.chanId] = Channel(said.channel, said.symbol or said.key, said.prec)
                if said.channel == "book" and said.prec == self.precision:
                    self._books[said.symbol] = said.chanId
            self.notice("ack", about)
        elif said.event == "unsubscribed":
            self._channels.pop(said.chanId, None)
            self.ignore(said.event)
        elif said.event == "conf":
            if said.status == "OK" and said.flags != self._flags:
                self._flags, self._counter = said.flags, NONE
            self.notice("ack" if said.status == "OK" else "error", f"conf {said.flags}")
        elif said.event == "error":
            self.problem(f"the venue refuses {about}: {said.code} {said.msg[:200]}")
            self.notice("error", f"{about}: {said.code} {said.msg}")
        elif said.event == "info" and said.code in (_RECONNECT, _PAUSED, _RESUMED):
            self.problem(f"the venue says {said.code}: {said.msg[:200]}")
            self.notice("closing", f"{said.code} {said.msg}")
        elif said.event == "pong":
            self.notice("pong")
        else:
            self.ignore(said.event)

    def _follows(self, counter: int, recv_ns: int, out: EventBuffer) -> bool:
        last, self._counter = self._counter, counter
        if last == NONE or counter == last + 1:
            return True
        if counter <= last:
            self.checks.duplicates += 1
            self._counter = last
            return False
        lost = counter - last - 1
        for market in self.markets.values():
            if market.live:
                self.lose(market, C_SEQUENCE, f"{lost} frames missed before {counter}", recv_ns, out, lost)
        return True

    def _on_data(
        self, number: int, channel: Channel, parts: list[msgspec.Raw], times: tuple[int, int], out: EventBuffer
    ) -> None:
        first = bytes(parts[0])
        if first == b'"hb"':
            self.ignore("hb")
        elif channel.kind == "book":
            if channel.prec != self.precision or self._books.get(channel.symbol) != number:
                self.ignore(f"book {channel.prec}")
            else:
                self._on_book(channel, first, parts, times, out)
        elif channel.kind == "trades":
            self._on_trades(channel.symbol, first, parts, times, out)
        elif channel.kind == "status":
            if channel.symbol.startswith("deriv:"):
                self._on_derivative(channel.symbol.removeprefix("deriv:"), parts[0], times, out)
            elif channel.symbol == "liq:global":
                self._on_liquidations(parts[0], times, out)
            else:
                self.ignore(channel.symbol)
        else:
            self.ignore(channel.kind)

    def _on_book(
        self, channel: Channel, first: bytes, parts: list[msgspec.Raw], times: tuple[int, int], out: EventBuffer
    ) -> None:
        market = self.market(channel.symbol)
        if market is None:
            return
        if first == b'"cs"':
            if len(parts) < 2:
                raise BadInput("checksum", None, "a number")
            self.take(market, [], times, _INTEGER.decode(parts[1]), out, snapshot=False)
            return
        rows = ROWS.decode(first) if first in (b"[]", b"[ ]") or first[1:].lstrip()[:1] == b"[" else None
        snapshot = rows is not None and channel.fresh
        self.take(market, [RAWS.decode(first)] if rows is None else rows, times, None, out, snapshot=snapshot)
        channel.fresh = False

    def take(
        self, market: Market, rows: list[list[msgspec.Raw]], times: tuple[int, int], checksum: int | None,
        out: EventBuffer, *, snapshot: bool,
    ) -> None:  # fmt: skip
        """Take the rows of one book message, or its checksum."""
        raise NotImplementedError

    def _on_trades(
        self, symbol: str, first: bytes, parts: list[msgspec.Raw], times: tuple[int, int], out: EventBuffer
    ) -> None:
        market = self.market(symbol)
        if market is None:
            return
        old = first[:1] == b"["
        if not old and (kind := _TEXT.decode(first)) != "te":
            self.ignore(kind)  # tu says the same again
            return
        if not old and len(parts) < 2:
            raise BadInput("trade", None, "id, time, amount and price")
        prints = []
        for entry in ROWS.decode(first) if old else [RAWS.decode(parts[1])]:
            if len(entry) < 4:
                raise BadInput("trade", len(entry), "id, time, amount and price")
            size, sold = amount(text(entry[2]))
            tick, off_tick = market.numbers.price(within(text(entry[3]), market.numbers.instrument.price))
            lots, off_lot = market.numbers.size(size)
            side = SELL if sold else BUY
            prints.append((count(entry[0]), decimal_ns(text(entry[1]), 3), tick, lots, off_tick | off_lot, side))
        seen = self._seen.setdefault(symbol, Seen())
        for ident, exch_ns, tick, lots, marks, side in sorted(prints):
            if lots <= 0 or tick < 0:
                self.ignore("print of no size" if lots == 0 else "print of negative price")
            elif not seen.add(ident):
                self.checks.duplicates += 1
            else:
                market.touched = True
                self.checks.off_grid += marks != 0
                bad = BAD_TIME if exch_ns == 0 else 0
                out.append(
                    TRADE, times[0], exch_ns, tick, lots, side, ident, LATE if old else REGULAR, market.inst,
                    marks | bad | LAST,
                )  # fmt: skip

    def _on_derivative(self, symbol: str, raw: msgspec.Raw, times: tuple[int, int], out: EventBuffer) -> None:
        market = self.market(symbol)
        if market is None:
            return
        row = RAWS.decode(raw)
        said = {at: text(one) for at, one in enumerate(row) if bytes(one) != b"null"}
        exch_ns = decimal_ns(said.get(0, ""), 3)
        values = [(aux, fact(said[at]), 0) for at, aux in _DERIVATIVE_FACTS if at in said]
        if 7 in said:
            values.append((F_NEXT_FUNDING_NS, decimal_ns(said[7], 3), 0))
        if 17 in said:
            values.append((F_OPEN_INTEREST, *market.numbers.size(amount(said[17])[0])))
        for aux, value, off in values:
            out.append(FACT, times[0], exch_ns, 0, value, 0, exch_ns, aux, market.inst, off & OFF_LOT)
        if values:
            out.mark_last()

    def _on_liquidations(self, raw: msgspec.Raw, times: tuple[int, int], out: EventBuffer) -> None:
        # A positive amount is a long position, which is sold. The trigger comes first and the execution again.
        ready = []
        for row in ROWS.decode(raw):
            if len(row) < 12:
                raise BadInput("liquidation", len(row), "twelve fields")
            symbol = _TEXT.decode(row[4])
            if bytes(row[8]) != b"1" or bytes(row[11]) == b"null":
                self.ignore("liquidation triggered")
            elif (market := self.market(symbol)) is not None:
                size, short = amount(text(row[5]))
                tick, off_tick = market.numbers.price(within(text(row[11]), market.numbers.instrument.price))
                lots, off_lot = market.numbers.size(size)
                if lots <= 0 or tick < 0:
                    raise BadInput("liquidation", f"{text(row[5])} at {text(row[11])}"[:80], "a size and a price")
                ready.append((market.inst, decimal_ns(text(row[2]), 3), tick, lots, off_tick | off_lot, short))
        for inst, exch_ns, tick, lots, marks, short in ready:
            self.checks.off_grid += marks != 0
            out.append(
                FACT, times[0], exch_ns, tick, lots, BUY if short else SELL, exch_ns, F_LIQUIDATION, inst, marks | LAST
            )

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write gaps and forget books, channels and the counter."""
        super().on_disconnect(recv_ns, out)
        self._channels.clear()
        self._books.clear()
        self._flags, self._counter = 0, NONE

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to: a socket for every few symbols, each with a counter of its own.

        A parser follows one counter: every one of these sockets wants its own.
        """
        chosen = list(symbols)
        conf = {"event": "conf", "flags": OB_CHECKSUM | SEQ_ALL | TIMESTAMP}
        found = []
        for at in range(0, len(chosen), SYMBOLS_A_SOCKET):
            frames: list[dict[str, object]] = [conf]
            some = chosen[at : at + SYMBOLS_A_SOCKET]
            for symbol in some:
                frames += [cls._book_request(symbol), {"event": "subscribe", "channel": "trades", "symbol": symbol}]
            derivatives = [symbol for symbol in some if _DERIVATIVE.search(symbol)]
            keys = [*(f"deriv:{symbol}" for symbol in derivatives), *(["liq:global"] if derivatives else [])]
            frames += [{"event": "subscribe", "channel": "status", "key": key} for key in keys]
            texts = tuple(msgspec.json.encode(frame).decode() for frame in frames)
            found.append(Socket(URL, texts, tuple(some)))
        return tuple(found)

    @classmethod
    def _book_request(cls, symbol: str) -> dict[str, object]:
        wanted = {"channel": "book", "symbol": symbol, "prec": cls.precision, "freq": "F0", "len": cls.length}
        return {"event": "subscribe", **wanted}

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew."""
        number = self._books.get(symbol)
        left: list[dict[str, object]] = [] if number is None else [{"event": "unsubscribe", "chanId": number}]
        return tuple(msgspec.json.encode(frame).decode() for frame in [*left, self._book_request(symbol)])

    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its symbols with the prices that their ticks follow from."""
        return "https://api-pub.bitfinex.com/v2/tickers?symbols=ALL"

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the tickers, by symbol; raise BadInput where the answer is none."""
        try:
            found = {}
            for row in _TICKERS.decode(raw):
                symbol = _TEXT.decode(row[0])
                if symbol.startswith("t") and len(row) == 11 and parse_decimal(text(row[7]))[0] > 0:
                    found[symbol] = cls._instrument(symbol, text(row[7]))
            return found
        except (*FAULTS, IndexError) as error:
            raise refuse_list(cls.name, error) from None

    @classmethod
    def read_heads(cls, frames: Iterable[bytes]) -> dict[str, Instrument]:
        """Derive ticks from the first best price of each book of a capture."""
        channels: dict[int, str] = {}
        found: dict[str, Instrument] = {}
        for raw in frames:
            try:
                if raw[:1] == b"{":
                    said = _EVENT.decode(raw)
                    if said.channel == "book" and said.event == "subscribed" and said.prec == cls.precision:
                        channels[said.chanId] = said.symbol
                    continue
                parts = RAWS.decode(raw)
                symbol = channels.get(count(parts[0]))
                if symbol is not None and symbol not in found:
                    rows = ROWS.decode(parts[1])
                    found[symbol] = cls._instrument(symbol, cls.price_in(rows[0]))
            except (*FAULTS, IndexError):
                continue
        return found

    @classmethod
    def price_in(cls, row: list[msgspec.Raw]) -> str:
        """The price of a row of a book."""
        return text(row[0])

    @classmethod
    def _instrument(cls, symbol: str, price: str) -> Instrument:
        pair = symbol[1:].partition(":")[2] or symbol[-3:]
        return Instrument(
            venue=cls.name, symbol=symbol, tick=tick_of(price), lot=_AMOUNTS.increment, currency=pair, derived=True
        )

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_bitfinex import BitfinexVoice

        return BitfinexVoice


_DERIVATIVE_FACTS: Final = ((14, F_MARK_PRICE), (3, F_INDEX_PRICE), (11, F_FUNDING_RATE))

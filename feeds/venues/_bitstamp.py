"""What Bitstamp's books have in common: channels of one symbol each, answers, prints and the listing.

A channel is a kind and a symbol, as in `diff_order_book_btcusd`; frames hold an event, the channel and the data.
Frames of ours must stay below 512 bytes, so that each channel is subscribed by its own. The venue acknowledges unknown
symbols too and is then silent, asks for a reconnection some seconds before it closes (`bts:request_reconnect`), and
ends a connection after 90 days. `type` of a print is the taker's: 0 bought, 1 sold. Times are `microtimestamp`s, us
since 1970 as text. Source: Bitstamp's "WebSocket API v2" and "HTTP API".
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, TypeVar

import msgspec

from feeds.errors import BadInput
from feeds.events import BAD_TIME, BUY, LAST, NONE, REGULAR, SELL, TRADE, EventBuffer
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded, refuse_list
from feeds.venues._books import Books
from feeds.venues._contract import Want
from feeds.venues._levels import Numbers
from feeds.venues._numbers import unit

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

URL: Final = "wss://ws.bitstamp.net"
TAKER: Final = {0: BUY, 1: SELL}
"""`type` of a print is the aggressor's."""
SYMBOLS_A_SOCKET: Final = 500
"""Two channels a symbol, of 1,024 a connection."""
PAIRS_URL: Final = "https://www.bitstamp.net/api/v2/trading-pairs-info/"
_DAYS_S: Final = 86_400
_TRADES: Final = "live_trades_"

Id = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Type = Annotated[int, msgspec.Meta(ge=0, le=1)]


class Frame(msgspec.Struct, gc=False):
    """A frame."""

    event: str = ""
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Print(msgspec.Struct, gc=False):
    id: Id
    price_str: str
    amount_str: str
    type: _Type
    microtimestamp: str


class _Fault(msgspec.Struct, gc=False):
    code: int | None = None
    message: str = ""


class _Listed(msgspec.Struct):
    base_decimals: int
    counter_decimals: int
    url_symbol: str = ""
    market_symbol: str = ""
    name: str = ""


_FRAME: Final = msgspec.json.Decoder(Frame)
_PRINT: Final = msgspec.json.Decoder(_Print)
_FAULT: Final = msgspec.json.Decoder(_Fault)
_LISTING: Final = msgspec.json.Decoder(list[_Listed])


class Place:
    """What prints need to know of a symbol."""

    def __init__(self, symbol: str, inst: int, instrument: Instrument) -> None:
        self.symbol = symbol
        self.inst = inst
        self.numbers = Numbers(instrument)
        self.asked = False
        self.touched = False
        self.last_print = NONE


P = TypeVar("P", bound=Place)


class Channels(Books[P]):
    """A venue of such channels."""

    state: Callable[[str, int, Instrument], P]
    """Makes what is kept of a symbol."""

    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(
        r'"channel"\s*:\s*"(?:diff_order_book|detail_order_book|order_book|live_trades|live_orders)_([a-z0-9]{1,40})"'
    )
    terms: ClassVar[Terms] = Terms(
        silence_s=30, ping='{"event":"bts:heartbeat"}', ping_s=10, max_age_s=89 * _DAYS_S, send_gap_ms=50
    )
    book: ClassVar[str]
    """Kind of the channel that the book is read from, with the underscore before the symbol."""

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self.markets = {symbol: self.state(symbol, inst, one) for symbol, (inst, one) in instruments.items()}
        self._wants: list[Want] = []

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        channel = ""
        try:
            bounded(raw)
            frame = _FRAME.decode(raw)
            channel = frame.channel
            if frame.event.startswith("bts:"):
                self._on_answer(frame)
            elif channel.startswith(self.book):
                self.on_book(channel.removeprefix(self.book), frame, recv_ns, out)
            elif channel.startswith(_TRADES) and frame.event == "trade":
                self._on_trade(channel.removeprefix(_TRADES), _PRINT.decode(frame.data), recv_ns, out)
            elif channel:
                self.ignore(f"{channel.rpartition('_')[0]} {frame.event}")
            else:
                self.ignore(frame.event or "frame without an event")
        except FAULTS as error:
            self.damaged(channel[:80] or "frame", error)
            if channel.startswith(self.book):
                self.on_damaged(channel.removeprefix(self.book), recv_ns, out)

    @abstractmethod
    def on_book(self, symbol: str, frame: Frame, recv_ns: int, out: EventBuffer) -> None:
        """Take a frame of the book's channel."""

    @abstractmethod
    def on_damaged(self, symbol: str, recv_ns: int, out: EventBuffer) -> None:
        """A frame of the book's channel could not be read."""

    def on_subscribed(self, symbol: str) -> None:
        """The book's channel was acknowledged."""

    def _on_answer(self, frame: Frame) -> None:
        if frame.event == "bts:subscription_succeeded":
            if frame.channel.startswith(self.book):
                self.on_subscribed(frame.channel.removeprefix(self.book))
            self.notice("ack", frame.channel)
        elif frame.event == "bts:request_reconnect":
            self.problem("the venue asks for a reconnection")
            self.notice("closing", "it asks for a reconnection")
        elif frame.event == "bts:error":
            said = _FAULT.decode(frame.data)
            self.problem(f"the venue refuses {frame.channel[:80]}: {said.code} {said.message[:200]}")
            self.notice("error", f"{said.code} {said.message}")
        elif frame.event == "bts:heartbeat":
            self.notice("pong")
        else:
            self.ignore(frame.event)

    def _on_trade(self, symbol: str, one: _Print, recv_ns: int, out: EventBuffer) -> None:
        place = self.market(symbol)
        if place is None:
            return
        tick, off_tick = place.numbers.price(one.price_str)
        lots, off_lot = place.numbers.size(one.amount_str)
        exch_ns = micro_ns(one.microtimestamp)
        if lots <= 0 or tick < 0:
            self.ignore("print of no size" if lots == 0 else "print of negative price or size")
        elif one.id <= place.last_print:
            self.checks.duplicates += 1
        else:
            place.last_print = one.id
            place.touched = True
            self.checks.off_grid += (off_tick | off_lot) != 0
            marks = LAST | off_tick | off_lot | (BAD_TIME if exch_ns == 0 else 0)
            out.append(
                TRADE, recv_ns, exch_ns, tick, lots, TAKER[one.type], one.id, REGULAR, place.inst, marks
            )  # fmt: skip

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to; symbols are such as 'btcusd'."""
        chosen = list(symbols)
        sockets = []
        for at in range(0, max(len(chosen), 1), SYMBOLS_A_SOCKET):
            some = chosen[at : at + SYMBOLS_A_SOCKET]
            frames = tuple(request("subscribe", kind + symbol) for symbol in some for kind in (cls.book, _TRADES))
            sockets.append(Socket(URL, frames, tuple(some)))
        return tuple(sockets)

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_bitstamp import BitstampVoice

        return BitstampVoice

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew."""
        return tuple(request(what, self.book + symbol) for what in ("unsubscribe", "subscribe"))

    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its pairs."""
        return PAIRS_URL

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the pairs, by symbol; raise BadInput where the answer is none."""
        try:
            return {
                symbol: Instrument(
                    venue=cls.name, symbol=symbol, tick=unit(one.counter_decimals), lot=unit(one.base_decimals),
                    currency=one.name.partition("/")[2],
                )
                for one in _LISTING.decode(raw)
                if (symbol := one.url_symbol or one.market_symbol)
            }  # fmt: skip
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None


def micro_ns(text: str) -> int:
    """A `microtimestamp` in ns since 1970; raise BadInput where it is none."""
    if not (text.isdigit() and text.isascii() and len(text) <= 18) or (ns := int(text) * 1000) >= 2**62:
        raise BadInput("microtimestamp", text[:40], "us since 1970")
    return ns


def request(what: str, channel: str) -> str:
    """A frame that subscribes to a channel, or leaves it."""
    return msgspec.json.encode({"event": f"bts:{what}", "data": {"channel": channel}}).decode()

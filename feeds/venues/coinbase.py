"""Coinbase Advanced Trade: full books and trades under one counter for everything a connection sends.

`sequence_num` rises by 1 with every frame of a connection, answers and heartbeats among them, so that one parser
reads one connection, and a hole costs every book on it. A snapshot is the whole book, tens of thousands of
levels. Deletes of levels never told are normal. `side` of a trade is the maker's: `SELL` was bought. In a real
session 48 of 50 prints of `SELL` were at the ask and 23 of 28 of `BUY` at the bid, none the other way. A subscription
to trades begins with the newest ones, which are kept on the tape as late. Source: Coinbase's "Advanced Trade
WebSocket Channels".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import BUY, C_DAMAGED, C_SEQUENCE, LATE, NONE, REGULAR, SELL, EventBuffer
from feeds.instruments import Instrument
from feeds.sequencer import Sequencer, State, Step, spot
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded, plain, refuse_list
from feeds.venues._inband import InBand, Market
from feeds.venues._times import iso_ns

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

TAKER: Final = {"SELL": BUY, "BUY": SELL}
"""`side` of a trade is the maker's; the aggressor is on the other side."""
_CHANNELS: Final = ("level2", "market_trades", "ticker", "heartbeats")
_ID_DIGITS: Final = 18

Number = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class _Frame(msgspec.Struct, gc=False):
    channel: str = ""
    timestamp: str = ""
    sequence_num: Number | None = None
    events: msgspec.Raw = msgspec.Raw()
    type: str = ""
    message: str = ""


class _Level(msgspec.Struct, gc=False):
    side: str
    event_time: str
    price_level: str
    new_quantity: str


class _Book(msgspec.Struct, gc=False):
    type: str
    product_id: str
    updates: list[_Level]


class _Name(msgspec.Struct, gc=False):
    product_id: str = ""


class _Print(msgspec.Struct, gc=False):
    product_id: str
    trade_id: str
    price: str
    size: str
    time: str
    side: str


class _Prints(msgspec.Struct, gc=False):
    type: str
    trades: list[_Print]


class _Ticker(msgspec.Struct, gc=False):
    product_id: str
    best_bid: str = ""
    best_bid_quantity: str = ""
    best_ask: str = ""
    best_ask_quantity: str = ""


class _Tickers(msgspec.Struct, gc=False):
    tickers: list[_Ticker]


class _Listed(msgspec.Struct):
    product_id: str
    base_increment: str = ""
    quote_increment: str = ""
    price_increment: str = ""
    quote_currency_id: str = ""


class _Listing(msgspec.Struct):
    products: list[_Listed]


_FRAME: Final = msgspec.json.Decoder(_Frame)
_EVENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_BOOK: Final = msgspec.json.Decoder(_Book)
_NAME: Final = msgspec.json.Decoder(_Name)
_PRINTS: Final = msgspec.json.Decoder(list[_Prints])
_TICKERS: Final = msgspec.json.Decoder(list[_Tickers])
_LISTING: Final = msgspec.json.Decoder(_Listing)


class Coinbase(InBand):
    """Coinbase Advanced Trade's public channels; symbols are product ids, such as 'BTC-USD'."""

    name: ClassVar[str] = "coinbase"
    captures: ClassVar[tuple[str, ...]] = ("COINBASE",)
    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"product_id"\s*:\s*"([^"\\]{1,40})"')
    verification: ClassVar[str] = "counter"
    counts_prints: ClassVar[bool] = True
    terms: ClassVar[Terms] = Terms(silence_s=5, send_gap_ms=150)

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._connection = Sequencer(spot)

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        channel = ""
        try:
            bounded(raw)
            frame = _FRAME.decode(raw)
            channel = frame.channel
            if not channel:
                self._on_error(frame)
            elif frame.sequence_num is None:
                raise BadInput("sequence_num", None, "the number of the frame")
            elif self._counts(frame.sequence_num, recv_ns, out):
                self._on_channel(channel, frame, frame.sequence_num, recv_ns, out)
        except FAULTS as error:
            self.damaged(channel[:80] or "frame", error)
            if channel == "l2_data":
                self._lose_all(C_DAMAGED, "a book message cannot be read", recv_ns, out)

    def _lose_all(self, cause: int, why: str, recv_ns: int, out: EventBuffer, lost: int = NONE) -> None:
        for market in self.markets.values():
            if market.live or market.partial:
                self.lose(market, cause, why, recv_ns, out, lost)
            elif market.asked:
                self.ask_again(market, why)

    def _counts(self, number: int, recv_ns: int, out: EventBuffer) -> bool:
        if self._connection.state is State.EMPTY:
            self._connection.snapshot(number - 1)
        at = self._connection.id
        step = self._connection.update(number, number)
        if step is Step.IGNORE:
            self.checks.duplicates += 1
            return False
        if step is not Step.APPLY:
            lost = number - at - 1 if number > at else NONE
            self._lose_all(C_SEQUENCE, f"frame {number} does not follow {at}", recv_ns, out, lost)
            self._connection.snapshot(number - 1)
            self._connection.update(number, number)
        return True

    def _on_error(self, frame: _Frame) -> None:
        if frame.type == "error":
            self.problem(f"the venue refuses: {frame.message[:200]}")
            self.notice("error", frame.message)
        else:
            self.ignore(frame.type or "frame without a channel")

    def _on_channel(self, channel: str, frame: _Frame, number: int, recv_ns: int, out: EventBuffer) -> None:
        if channel == "l2_data":
            events = _EVENTS.decode(frame.events)
            if not events:
                self.ignore("l2_data without events")
            for event in events:
                self._on_book(event, number, recv_ns, out)
        elif channel == "market_trades":
            self._on_trades(_PRINTS.decode(frame.events), recv_ns, out)
        elif channel == "ticker":
            exch_ns = iso_ns(frame.timestamp)
            for told in _TICKERS.decode(frame.events):
                for one in told.tickers:
                    self._on_ticker(one, exch_ns, recv_ns, out)
        elif channel == "subscriptions":
            self.notice("ack", bytes(frame.events)[:300].decode("utf-8", "replace"))
        else:
            self.ignore(channel)

    def _find(self, symbol: str) -> Market | None:
        # Books of -USDC products, which are the same, may come under -USD.
        if symbol not in self.markets and symbol.endswith("-USD") and f"{symbol}C" in self.markets:
            symbol += "C"
        return self.market(symbol)

    def _on_book(self, event: msgspec.Raw, number: int, recv_ns: int, out: EventBuffer) -> None:
        market = None
        try:
            market = self._find(_NAME.decode(event).product_id)
            if market is None:
                return
            book = _BOOK.decode(event)
            if book.type not in ("snapshot", "update"):
                raise BadInput("type", book.type, "snapshot or update")
            bids = [(one.price_level, one.new_quantity) for one in book.updates if one.side == "bid"]
            asks = [(one.price_level, one.new_quantity) for one in book.updates if one.side == "offer"]
            if len(bids) + len(asks) != len(book.updates):
                raise BadInput("side", [one.side for one in book.updates][:3], "bid or offer")
            sides = market.sides(bids + asks, len(bids))
            exch_ns = max(map(iso_ns, {one.event_time for one in book.updates}), default=NONE)
        except FAULTS as error:
            self.damaged("l2_data", error)
            if market is not None:
                self.lose_damaged(market.symbol, recv_ns, out)
            else:
                self._lose_all(C_DAMAGED, "a book message does not say whose it is", recv_ns, out)
            return
        if book.type == "snapshot":
            self.rebuild(market, number, sides, exch_ns, recv_ns, out)
        else:
            self.change(market, number, sides, exch_ns, recv_ns, out)

    def _on_trades(self, events: list[_Prints], recv_ns: int, out: EventBuffer) -> None:
        ready = []
        for event in events:
            kind = LATE if event.type == "snapshot" else REGULAR
            for one in event.trades:
                market = self._find(one.product_id)
                if market is None:
                    continue
                if one.side not in TAKER:
                    raise BadInput("side", one.side, "BUY or SELL")
                number = _number(one.trade_id)
                if kind == LATE and number <= market.last_print:
                    self.ignore("print told again")
                    continue
                ready.append(
                    (market, market.print(one.price, one.size, TAKER[one.side], number, iso_ns(one.time), kind))
                )
        for market, read in sorted(ready, key=lambda pair: pair[1].ident):  # the newest come first
            self.write_prints(market, (read,), recv_ns, out)

    def _on_ticker(self, one: _Ticker, exch_ns: int, recv_ns: int, out: EventBuffer) -> None:
        market = self._find(one.product_id)
        if market is not None:
            texts = (one.best_bid, one.best_bid_quantity, one.best_ask, one.best_ask_quantity)
            if all(texts):
                self.write_quote(market, texts, exch_ns, recv_ns, out)
            else:
                self.ignore("ticker without a quote")

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write gaps and forget books and numbers."""
        super().on_disconnect(recv_ns, out)
        self._connection.reset()

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to: one connection, a request for each channel; quiet ones need the heartbeats."""
        products = list(symbols)
        frames = [
            msgspec.json.encode({"type": "subscribe", "product_ids": products, "channel": channel}).decode()
            for channel in _CHANNELS
        ]
        return (Socket("wss://advanced-trade-ws.coinbase.com", tuple(frames)),)

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew."""
        return tuple(
            msgspec.json.encode({"type": kind, "product_ids": [symbol], "channel": "level2"}).decode()
            for kind in ("unsubscribe", "subscribe")
        )

    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its products."""
        return "https://api.coinbase.com/api/v3/brokerage/market/products"

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the products, by id; raise BadInput where the answer is none."""
        try:
            return {
                one.product_id: Instrument(
                    venue=cls.name,
                    symbol=one.product_id,
                    tick=plain(one.price_increment or one.quote_increment),
                    lot=plain(one.base_increment),
                    currency=one.quote_currency_id,
                )
                for one in _LISTING.decode(raw).products
            }
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_coinbase import CoinbaseVoice

        return CoinbaseVoice


def _number(text: str) -> int:
    if not (text.isdigit() and text.isascii() and len(text) <= _ID_DIGITS):
        raise BadInput("trade_id", text, "a number")
    return int(text)


VENUES: Final = (Coinbase,)

"""Coinbase Exchange without a key: books in batches of 50 ms that nothing numbers, and numbered trades.

Sizes are absolute. Book messages have no sequence and no checksum: a lost one cannot be noticed, and the book is
called unverifiable. `trade_id` rises by 1 for each product. `side` of a match is the maker's: `sell` was bought. A
subscription to matches begins with the newest one (`last_match`), kept on the tape as late. Times may be of the
year 1 where the venue knows none. Source: Coinbase Exchange's "WebSocket Channels".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import BUY, LATE, NONE, REGULAR, SELL, EventBuffer
from feeds.instruments import Instrument
from feeds.venues._access import FAULTS, Socket, Terms, bounded, plain, refuse_list
from feeds.venues._inband import InBand
from feeds.venues._times import iso_ns

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

TAKER: Final = {"sell": BUY, "buy": SELL}
"""`side` of a match is the maker's; the aggressor is on the other side."""

Id = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class _Frame(msgspec.Struct, gc=False):
    type: str = ""
    product_id: str = ""
    message: str = ""
    reason: str = ""


class _Snapshot(msgspec.Struct, gc=False):
    bids: msgspec.Raw
    asks: msgspec.Raw
    time: str = ""


class _Update(msgspec.Struct, gc=False):
    changes: list[tuple[str, str, str]]
    time: str = ""


class _Match(msgspec.Struct, gc=False):
    trade_id: Id
    price: str
    size: str
    side: str
    time: str = ""


class _Ticker(msgspec.Struct, gc=False):
    best_bid: str = ""
    best_bid_size: str = ""
    best_ask: str = ""
    best_ask_size: str = ""
    time: str = ""


class _Listed(msgspec.Struct):
    id: str
    quote_increment: str
    base_increment: str
    quote_currency: str = ""


_FRAME: Final = msgspec.json.Decoder(_Frame)
_SNAPSHOT: Final = msgspec.json.Decoder(_Snapshot)
_UPDATE: Final = msgspec.json.Decoder(_Update)
_MATCH: Final = msgspec.json.Decoder(_Match)
_TICKER: Final = msgspec.json.Decoder(_Ticker)
_LISTING: Final = msgspec.json.Decoder(list[_Listed])


class CoinbaseExchange(InBand):
    """Coinbase Exchange's public channels; symbols are product ids, such as 'BTC-USD'."""

    name: ClassVar[str] = "coinbase-exchange"
    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"product_id"\s*:\s*"([^"\\]{1,40})"')
    verification: ClassVar[str] = "unverifiable"
    counts_prints: ClassVar[bool] = True
    terms: ClassVar[Terms] = Terms(silence_s=5, send_gap_ms=50)

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        frame = _Frame()
        try:
            bounded(raw)
            frame = _FRAME.decode(raw)
            if frame.type in ("snapshot", "l2update"):
                self._on_book(frame, raw, recv_ns, out)
            elif frame.type in ("match", "last_match"):
                self._on_match(frame, _MATCH.decode(raw), recv_ns, out)
            elif frame.type == "ticker":
                self._on_ticker(frame.product_id, _TICKER.decode(raw), recv_ns, out)
            elif frame.type == "subscriptions":
                self.notice("ack", "subscriptions")
            elif frame.type == "error":
                self.problem(f"the venue refuses: {frame.message[:150]} {frame.reason[:150]}")
                self.notice("error", f"{frame.message} {frame.reason}".strip())
            else:
                self.ignore(frame.type or "frame without a type")
        except FAULTS as error:
            self.damaged(f"{frame.type or 'frame'} {frame.product_id}".rstrip()[:80], error)
            if frame.type in ("snapshot", "l2update"):
                self.lose_damaged(frame.product_id, recv_ns, out)

    def _on_book(self, frame: _Frame, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(frame.product_id)
        if market is None:
            return
        if frame.type == "snapshot":
            book = _SNAPSHOT.decode(raw)
            sides = market.arrays(book.bids, book.asks)
            self.rebuild(market, NONE, sides, _when(book.time), recv_ns, out)
            return
        update = _UPDATE.decode(raw)
        bids = [(price, size) for side, price, size in update.changes if side == "buy"]
        asks = [(price, size) for side, price, size in update.changes if side == "sell"]
        if len(bids) + len(asks) != len(update.changes):
            raise BadInput("side", [side for side, _, _ in update.changes][:3], "buy or sell")
        self.change(market, NONE, market.sides(bids + asks, len(bids)), _when(update.time), recv_ns, out)

    def _on_match(self, frame: _Frame, one: _Match, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(frame.product_id)
        if market is None:
            return
        if one.side not in TAKER:
            raise BadInput("side", one.side, "buy or sell")
        kind = LATE if frame.type == "last_match" else REGULAR
        read = market.print(one.price, one.size, TAKER[one.side], one.trade_id, _when(one.time), kind)
        if kind == LATE and one.trade_id <= market.last_print:
            self.ignore("print told again")
        else:
            self.write_prints(market, (read,), recv_ns, out)

    def _on_ticker(self, symbol: str, one: _Ticker, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(symbol)
        if market is None:
            return
        texts = (one.best_bid, one.best_bid_size, one.best_ask, one.best_ask_size)
        if all(texts):
            self.write_quote(market, texts, _when(one.time), recv_ns, out)
        else:
            self.ignore("ticker without a quote")

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to; the venue wants the request within 5 s."""
        channels = ["level2_batch", "matches", "ticker", "heartbeat"]
        frame = {"type": "subscribe", "product_ids": list(symbols), "channels": channels}
        return (Socket("wss://ws-feed.exchange.coinbase.com", (msgspec.json.encode(frame).decode(),)),)

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew."""
        return tuple(
            msgspec.json.encode({"type": kind, "product_ids": [symbol], "channels": ["level2_batch"]}).decode()
            for kind in ("unsubscribe", "subscribe")
        )

    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its products."""
        return "https://api.exchange.coinbase.com/products"

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the products, by id; raise BadInput where the answer is none."""
        try:
            return {
                one.id: Instrument(
                    venue=cls.name,
                    symbol=one.id,
                    tick=plain(one.quote_increment),
                    lot=plain(one.base_increment),
                    currency=one.quote_currency,
                )
                for one in _LISTING.decode(raw)
            }
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_coinbase import CoinbaseExchangeVoice

        return CoinbaseExchangeVoice


def _when(text: str) -> int:
    return iso_ns(text) if text else NONE


VENUES: Final = (CoinbaseExchange,)

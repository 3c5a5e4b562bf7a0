"""Deribit: books chained by `prev_change_id`, trades numbered by `trade_seq`, tickers with funding and interest.

Frames are JSON-RPC notifications whose prices and amounts are JSON numbers; their text is read as it stands.
Amounts are dollars for inverse instruments, the base coin for linear ones and contracts for options. `direction` is
the taker's. `liquidation` of a trade says who was closed by force: the taker's print is of that kind, the
maker's is told as a liquidation on the other side. A block trade stays off the flow. Funding is the rate over
eight hours (`funding_8h`). The tick of options grows with the price; the finest is the instrument's. Heartbeats
that test must be answered. Source: Deribit's API v2, "Notifications", "Subscriptions" and "public/set_heartbeat".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    BLOCK,
    BUY,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_OPEN_INTEREST,
    LIQUIDATION,
    NONE,
    REGULAR,
    SELL,
    EventBuffer,
)
from feeds.instruments import Grid, Instrument
from feeds.sequencer import Rule, deribit
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded, plain, refuse_list
from feeds.venues._inband import Fact, InBand, Print
from feeds.venues._numbers import fact
from feeds.venues._times import ms_ns

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

TAKER: Final = {"buy": BUY, "sell": SELL}
"""`direction` of a trade is the aggressor's."""
_CHANNEL: Final = re.compile(r"(book|trades|ticker)\.(.+)\.(raw|100ms|agg2)\Z")
_GROUPED: Final = re.compile(r"book\..+\.(?:none|[\d.]+)\.\d+\.(?:raw|100ms|agg2)\Z", re.ASCII)
_ACTIONS: Final = ("new", "change", "delete")
_NOTHING: Final = ("", "null")
_HEARTBEAT: Final = 1
_TEST: Final = 2
_RENEW: Final = 3
_SUBSCRIBE: Final = 100
"""Id of the last subscription; each one before it has the next number, so that the answers tell the end."""
_CHANNELS_PER_REQUEST: Final = 500

Id = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class _Params(msgspec.Struct, gc=False):
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw()
    type: str = ""


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Frame(msgspec.Struct, gc=False):
    method: str = ""
    params: _Params = msgspec.field(default_factory=_Params)
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: _Error | None = None


class _Book(msgspec.Struct, gc=False):
    type: str
    timestamp: int
    instrument_name: str
    change_id: Id
    bids: list[tuple[str, msgspec.Raw, msgspec.Raw]]
    asks: list[tuple[str, msgspec.Raw, msgspec.Raw]]
    prev_change_id: Id | None = None


class _Print(msgspec.Struct, gc=False):
    timestamp: int
    price: msgspec.Raw
    amount: msgspec.Raw
    direction: str
    instrument_name: str
    trade_seq: Id
    liquidation: str = ""
    block_trade_id: msgspec.Raw = msgspec.Raw()


class _Ticker(msgspec.Struct, gc=False):
    timestamp: int
    instrument_name: str
    mark_price: msgspec.Raw = msgspec.Raw()
    index_price: msgspec.Raw = msgspec.Raw()
    funding_8h: msgspec.Raw = msgspec.Raw()
    open_interest: msgspec.Raw = msgspec.Raw()
    best_bid_price: msgspec.Raw = msgspec.Raw()
    best_bid_amount: msgspec.Raw = msgspec.Raw()
    best_ask_price: msgspec.Raw = msgspec.Raw()
    best_ask_amount: msgspec.Raw = msgspec.Raw()


class _Listed(msgspec.Struct):
    instrument_name: str
    tick_size: msgspec.Raw
    min_trade_amount: msgspec.Raw
    quote_currency: str = ""
    kind: str = ""
    instrument_type: str = ""
    future_type: str = ""


class _Listing(msgspec.Struct):
    result: list[_Listed]


_FRAME: Final = msgspec.json.Decoder(_Frame)
_BOOK: Final = msgspec.json.Decoder(_Book)
_PRINTS: Final = msgspec.json.Decoder(list[_Print])
_TICKER: Final = msgspec.json.Decoder(_Ticker)
_NAMES: Final = msgspec.json.Decoder(list[str])
_LISTING: Final = msgspec.json.Decoder(_Listing)


class Deribit(InBand):
    """Deribit's public channels; symbols are instrument names, such as 'BTC-PERPETUAL'."""

    name: ClassVar[str] = "deribit"
    captures: ClassVar[tuple[str, ...]] = ("DERIBIT",)
    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"instrument_name"\s*:\s*"([^"\\]{1,60})"')
    verification: ClassVar[str] = "chain"
    rule: Rule = staticmethod(deribit)
    counts_prints: ClassVar[bool] = True
    terms: ClassVar[Terms] = Terms(silence_s=35, send_gap_ms=300)

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._replies: list[str] = []
        self._subscribed: set[str] = set()

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        channel = ""
        found = None
        try:
            bounded(raw)
            frame = _FRAME.decode(raw)
            if frame.method != "subscription":
                self._on_control(frame)
                return
            channel = frame.params.channel
            found = None if _GROUPED.match(channel) else _CHANNEL.match(channel)
            if found is None:
                self.ignore("grouped book" if _GROUPED.match(channel) else channel.partition(".")[0] or "no channel")
            elif found[1] == "book":
                self._on_book(channel, found[2], _BOOK.decode(frame.params.data), recv_ns, out)
            elif found[1] == "trades":
                self._on_trades(_PRINTS.decode(frame.params.data), recv_ns, out)
            else:
                self._on_ticker(_TICKER.decode(frame.params.data), recv_ns, out)
        except FAULTS as error:
            self.damaged(channel[:80] or "frame", error)
            if found and found[1] == "book":
                market = self.markets.get(found[2])
                if market is not None and market.channel in ("", channel):
                    self.lose_damaged(found[2], recv_ns, out)

    def replies(self) -> list[str]:
        """Answers to heartbeats that test whether we are there."""
        said, self._replies = self._replies, []
        return said

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write gaps and forget books and numbers."""
        super().on_disconnect(recv_ns, out)
        self._replies.clear()
        self._subscribed.clear()

    def _on_control(self, frame: _Frame) -> None:
        if frame.method == "heartbeat":
            if frame.params.type == "test_request":
                if not self._replies:
                    self._replies.append(_request(_TEST, "public/test", {}))
                self.ignore("test request")
            else:
                self.ignore("heartbeat")
        elif frame.error is not None:
            self.problem(f"the venue refuses request {frame.id}: {frame.error.code} {frame.error.message[:200]}")
            self.notice("error", f"{frame.error.code} {frame.error.message}")
        elif frame.result:
            self._on_result(frame)
        else:
            self.ignore(frame.method or "frame without a method")

    def _on_result(self, frame: _Frame) -> None:
        if frame.id == _TEST:
            self.notice("pong")
            return
        if bytes(frame.result)[:1] != b"[":
            self.notice("ack", str(frame.id))
            return
        names = _NAMES.decode(frame.result)
        self.notice("ack", f"{len(names)} channels")
        self._subscribed.update(names[: 4 * _CHANNELS_PER_REQUEST])
        if frame.id == _SUBSCRIBE:
            asked = [name for symbol in self.markets for name in _channels(symbol)]
            for name in (name for name in asked if name not in self._subscribed):
                self.problem(f"the venue knows no channel {name}")
                self.notice("error", f"no channel {name}")

    def _on_book(self, channel: str, symbol: str, book: _Book, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(symbol)
        if market is None or not self.one_channel(market, channel):
            return
        if book.instrument_name != symbol or book.type not in ("snapshot", "change"):
            raise BadInput("book", f"{book.type} of {book.instrument_name}", f"a snapshot or change of {symbol}")
        pairs = [_level(*level) for level in (*book.bids, *book.asks)]
        sides = market.sides(pairs, len(book.bids))
        exch_ns = ms_ns(book.timestamp)
        if book.type == "snapshot":
            self.rebuild(market, book.change_id, sides, exch_ns, recv_ns, out)
            return
        if book.prev_change_id is None:
            raise BadInput("prev_change_id", None, "the id before a change")
        if self.follows(market, (NONE, book.change_id, book.prev_change_id), recv_ns, out):
            self.change(market, book.change_id, sides, exch_ns, recv_ns, out)

    def _on_trades(self, prints: list[_Print], recv_ns: int, out: EventBuffer) -> None:
        ready = []
        for one in prints:
            market = self.market(one.instrument_name)
            if market is None:
                continue
            if one.direction not in TAKER or one.liquidation not in ("", "none", "M", "T", "MT"):
                told = f"{one.direction} {one.liquidation}".strip()
                raise BadInput("trade", told, "buy or sell, liquidation M, T or MT")
            side = TAKER[one.direction]
            kind = LIQUIDATION if "T" in one.liquidation else REGULAR
            if _text(one.block_trade_id) not in _NOTHING:
                kind = BLOCK
            exch_ns = ms_ns(one.timestamp)
            read = market.print(_text(one.price), _text(one.amount), side, one.trade_seq, exch_ns, kind)
            forced = Fact(F_LIQUIDATION, read.lots, read.marks, read.tick, -side) if "M" in one.liquidation else None
            ready.append((market, read, forced))
        for market, read, forced in sorted(ready, key=_by_number):
            before = len(out)
            self.write_prints(market, (read,), recv_ns, out)
            if forced is not None and len(out) > before:
                self.write_facts(market, (forced,), read.exch_ns, recv_ns, out)

    def _on_ticker(self, one: _Ticker, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(one.instrument_name)
        if market is None:
            return
        exch_ns = ms_ns(one.timestamp)
        texts = ((F_MARK_PRICE, one.mark_price), (F_INDEX_PRICE, one.index_price), (F_FUNDING_RATE, one.funding_8h))
        facts = [Fact(aux, fact(_text(raw))) for aux, raw in texts if _text(raw) not in _NOTHING]
        interest = _text(one.open_interest)
        if interest not in _NOTHING:
            facts.append(Fact(F_OPEN_INTEREST, *market.numbers.size(interest)))
        best = (one.best_bid_price, one.best_bid_amount, one.best_ask_price, one.best_ask_amount)
        bid, bid_size, ask, ask_size = ("0" if _text(raw) in _NOTHING else _text(raw) for raw in best)
        self.write_quote(market, (bid, bid_size, ask, ask_size), exch_ns, recv_ns, out)
        self.write_facts(market, facts, exch_ns, recv_ns, out)

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to; the answers to the subscriptions name every channel that the venue knows."""
        names = [name for symbol in symbols for name in _channels(symbol)]
        groups = [names[i : i + _CHANNELS_PER_REQUEST] for i in range(0, len(names), _CHANNELS_PER_REQUEST)]
        frames = [_request(_HEARTBEAT, "public/set_heartbeat", {"interval": 10})]
        for left, group in zip(reversed(range(len(groups))), groups, strict=True):
            frames.append(_request(_SUBSCRIBE + left, "public/subscribe", {"channels": group}))
        return (Socket("wss://www.deribit.com/ws/api/v2", tuple(frames)),)

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew."""
        params: dict[str, object] = {"channels": [self.markets[symbol].channel or f"book.{symbol}.100ms"]}
        return (_request(_RENEW, "public/unsubscribe", params), _request(_RENEW, "public/subscribe", params))

    @classmethod
    def instruments_url(cls, currency: str = "any") -> str:
        """Where the venue lists its instruments of one currency, or of all."""
        return f"https://www.deribit.com/api/v2/public/get_instruments?currency={currency}&expired=false"

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the instruments, by name; raise BadInput where the answer is none."""
        try:
            return {one.instrument_name: _instrument(one) for one in _LISTING.decode(raw).result}
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_deribit import DeribitVoice

        return DeribitVoice


def _by_number(ready: tuple[object, Print, object]) -> int:
    return ready[1].ident


def _channels(symbol: str) -> tuple[str, ...]:
    return (f"book.{symbol}.100ms", f"trades.{symbol}.100ms", f"ticker.{symbol}.100ms")


def _request(ident: int, method: str, params: dict[str, object]) -> str:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": ident, "method": method, "params": params}).decode()


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()


def _level(action: str, price: msgspec.Raw, size: msgspec.Raw) -> tuple[str, str]:
    if action not in _ACTIONS:
        raise BadInput("action", action, "new, change or delete")
    return _text(price), "0" if action == "delete" else _text(size)


def _increment(raw: msgspec.Raw) -> str:
    return plain(Grid(_text(raw)).text(1))


def _instrument(one: _Listed) -> Instrument:
    told = one.instrument_type or one.future_type
    inverse = one.kind == "future" and (told == "reversed" or (not told and one.quote_currency == "USD"))
    return Instrument(
        venue=Deribit.name,
        symbol=one.instrument_name,
        tick=_increment(one.tick_size),
        lot=_increment(one.min_trade_amount),
        currency=one.quote_currency,
        description="inverse, amounts in USD" if inverse else one.kind,
    )


VENUES: Final = (Deribit,)

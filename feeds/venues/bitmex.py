"""BitMEX: books by level id that nothing numbers, prints, liquidations, funding and open interest.

A frame tells of one table: `partial` is the whole of it and replaces what was there, whenever it comes; before it
nothing of the table counts. `insert`, `update` and `delete` follow by the level's id, and only an insert states the
price. Book messages have no sequence and no checksum: a lost one cannot be noticed, except where an update is of a
level that was never inserted, and the book is called unverifiable. Sizes are contracts. `side` of a trade is the
taker's, `side` of a liquidation that of the order that closes the position: `Buy` closes a short. Times of levels
are the matching engine's where they are stated. Source: BitMEX's "WebSocket API".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    BUY,
    C_SEQUENCE,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    F_OPEN_INTEREST,
    LATE,
    NONE,
    OTHER,
    REGULAR,
    SELL,
    UNKNOWN,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded, refuse_list
from feeds.venues._inband import Fact, InBand, Market, Print
from feeds.venues._numbers import fact, increment
from feeds.venues._seen import Seen
from feeds.venues._times import iso_ns

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

SIDES: Final = {"Buy": BUY, "Sell": SELL}
"""Of a print the taker's, of a liquidation the order's."""
BOOKS: Final = ("orderBookL2", "orderBookL2_25")
ACTIONS: Final = ("partial", "insert", "update", "delete")
MOST_LEVELS: Final = 1_000_000
"""Ids of one book that are remembered; no book here has so many levels."""
TABLES: Final = ("orderBookL2", "trade", "quote", "instrument", "liquidation")
"""Tables that are subscribed for each symbol."""

_Id = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class _Filter(msgspec.Struct, gc=False):
    symbol: str = ""


class _Frame(msgspec.Struct, gc=False):
    table: str = ""
    action: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    filter: _Filter | None = None
    success: bool | None = None
    subscribe: str = ""
    error: str = ""
    info: str = ""


class _Level(msgspec.Struct, gc=False):
    symbol: str
    id: _Id
    side: str
    size: _Count | None = None
    price: msgspec.Raw = msgspec.Raw()
    timestamp: str = ""
    transactTime: str = ""  # noqa: N815


class _Print(msgspec.Struct, gc=False):
    symbol: str
    size: msgspec.Raw
    price: msgspec.Raw
    timestamp: str
    side: str | None = ""
    trdMatchID: str = ""  # noqa: N815
    trdType: str = ""  # noqa: N815


class _Quote(msgspec.Struct, gc=False):
    symbol: str
    timestamp: str
    bidSize: msgspec.Raw  # noqa: N815
    bidPrice: msgspec.Raw  # noqa: N815
    askPrice: msgspec.Raw  # noqa: N815
    askSize: msgspec.Raw  # noqa: N815


class _State(msgspec.Struct, gc=False):
    symbol: str
    timestamp: str = ""
    openInterest: msgspec.Raw = msgspec.Raw()  # noqa: N815
    fundingRate: msgspec.Raw = msgspec.Raw()  # noqa: N815
    fundingTimestamp: str | None = None  # noqa: N815
    markPrice: msgspec.Raw = msgspec.Raw()  # noqa: N815
    indicativeSettlePrice: msgspec.Raw = msgspec.Raw()  # noqa: N815


class _Forced(msgspec.Struct, gc=False):
    orderID: str  # noqa: N815
    symbol: str
    side: str
    price: msgspec.Raw
    leavesQty: msgspec.Raw  # noqa: N815


class _Listed(msgspec.Struct):
    symbol: str
    tickSize: msgspec.Raw  # noqa: N815
    lotSize: msgspec.Raw  # noqa: N815
    quoteCurrency: str = ""  # noqa: N815
    isInverse: bool = False  # noqa: N815
    isQuanto: bool = False  # noqa: N815
    multiplier: int = 0


_FRAME: Final = msgspec.json.Decoder(_Frame)
_LEVELS: Final = msgspec.json.Decoder(list[_Level])
_PRINTS: Final = msgspec.json.Decoder(list[_Print])
_QUOTES: Final = msgspec.json.Decoder(list[_Quote])
_STATES: Final = msgspec.json.Decoder(list[_State])
_FORCED: Final = msgspec.json.Decoder(list[_Forced])
_LISTING: Final = msgspec.json.Decoder(list[_Listed])
_SYMBOL: Final = re.compile(rb'"symbol"\s*:\s*"([^"\\]{1,40})"')


class Bitmex(InBand):
    """BitMEX; symbols such as 'XBTUSD'."""

    name: ClassVar[str] = "bitmex"
    captures: ClassVar[tuple[str, ...]] = ("BITMEX",)
    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"symbol"\s*:\s*"([^"\\]{1,40})"')
    verification: ClassVar[str] = "unverifiable"
    # The venue takes some 20 connections an hour.
    terms: ClassVar[Terms] = Terms(silence_s=15, ping="ping", ping_s=5, connect_burst=5, connect_s=240)

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._prices: dict[str, dict[int, str]] = {symbol: {} for symbol in instruments}
        self._seen = Seen()

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        table = ""
        try:
            if raw in (b"pong", "pong"):
                self.notice("pong")
                return
            bounded(raw)
            frame = _FRAME.decode(raw)
            table = frame.table
            if table and frame.action not in ACTIONS:
                raise BadInput("action", frame.action, "partial, insert, update or delete")
            if table in BOOKS:
                self._on_book(frame, recv_ns, out)
            elif table == "trade":
                self._on_trades(_PRINTS.decode(frame.data), recv_ns, out, old=frame.action == "partial")
            elif table == "quote":
                self._on_quotes(_QUOTES.decode(frame.data), recv_ns, out)
            elif table == "instrument":
                self._on_states(_STATES.decode(frame.data), recv_ns, out)
            elif table == "liquidation":
                self._on_liquidations(frame, recv_ns, out)
            else:
                self._on_answer(frame)
        except FAULTS as error:
            self.damaged(table[:80] or "frame", error)
            if table in BOOKS:
                whole = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
                for symbol in sorted({found.decode("utf-8", "replace") for found in _SYMBOL.findall(whole)}):
                    market = self.markets.get(symbol)
                    if market is not None and market.channel in ("", table):
                        self.lose_damaged(symbol, recv_ns, out)

    def _on_answer(self, frame: _Frame) -> None:
        if frame.table:
            self.ignore(frame.table)
        elif frame.error:
            self.problem(f"the venue refuses: {frame.error[:200]}")
            self.notice("error", frame.error)
        elif frame.success:
            self.notice("ack", frame.subscribe)
        else:
            self.ignore("info" if frame.info else "frame without a table")

    # -- the book -----------------------------------------------------------------------------
    def _on_book(self, frame: _Frame, recv_ns: int, out: EventBuffer) -> None:
        by_symbol: dict[str, list[_Level]] = {}
        if frame.action == "partial" and frame.filter is not None and frame.filter.symbol:
            by_symbol[frame.filter.symbol] = []
        for level in _LEVELS.decode(frame.data):
            found = by_symbol.get(level.symbol)
            if found is None:
                by_symbol[level.symbol] = [level]
            else:
                found.append(level)
        for symbol, levels in by_symbol.items():
            market = self.market(symbol)
            if market is not None and self.one_channel(market, frame.table):
                self._on_levels(market, frame.action, levels, recv_ns, out)

    def _on_levels(
        self, market: Market, action: str, levels: list[_Level], recv_ns: int, out: EventBuffer
    ) -> None:  # fmt: skip
        if action != "partial" and not (market.live or market.partial):
            self.ignore("update before the partial")
            return
        known = self._prices[market.symbol]
        prices = {} if action == "partial" else known
        bids: list[tuple[str, str]] = []
        asks: list[tuple[str, str]] = []
        changed: dict[int, str] = {}
        for one in levels:
            price = bytes(one.price).decode() if one.price else changed.get(one.id) or prices.get(one.id)
            if price is None or price == "null":
                if action == "delete":
                    self.ignore("delete of a level not held")
                    continue
                why = f"{action} of level {one.id}, of which no price is known"
                self._lose(market, why, recv_ns, out)
                return
            changed[one.id] = price
            if action == "delete":
                size = "0"
            elif one.size is None:
                self.ignore("update without a size")
                continue
            else:
                size = str(one.size)
            if one.side == "Buy":
                bids.append((price, size))
            elif one.side == "Sell":
                asks.append((price, size))
            else:
                raise BadInput("side", one.side, "Buy or Sell")
        sides = market.sides(bids + asks, len(bids))
        when = max((one.transactTime or one.timestamp for one in levels), default="")
        exch_ns = iso_ns(when) if when else NONE
        if action == "delete":
            for one in levels:
                known.pop(one.id, None)
        else:
            if len(prices) + len(changed) > MOST_LEVELS:
                raise BadInput("levels", len(prices), f"at most {MOST_LEVELS:,}")
            prices.update(changed)
            self._prices[market.symbol] = prices
        if action == "partial":
            self.rebuild(market, NONE, sides, exch_ns, recv_ns, out)
        else:
            self.change(market, NONE, sides, exch_ns, recv_ns, out)

    def _lose(self, market: Market, why: str, recv_ns: int, out: EventBuffer) -> None:
        self.lose(market, C_SEQUENCE, why, recv_ns, out)
        if not market.partial:
            self._prices[market.symbol].clear()

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write gaps and forget books and ids."""
        super().on_disconnect(recv_ns, out)
        for prices in self._prices.values():
            prices.clear()

    # -- prints, quotes, facts ----------------------------------------------------------------
    def _on_trades(self, prints: list[_Print], recv_ns: int, out: EventBuffer, *, old: bool) -> None:
        ready: list[tuple[Market, Print, str]] = []
        for one in prints:
            market = self.market(one.symbol)
            if market is None:
                continue
            if one.side and one.side not in SIDES:
                raise BadInput("side", one.side, "Buy or Sell")
            kind = LATE if old else REGULAR if one.trdType in ("", "Regular") else OTHER
            side = SIDES[one.side] if one.side else UNKNOWN
            read = market.print(_text(one.price), _text(one.size), side, NONE, iso_ns(one.timestamp), kind)
            ready.append((market, read, one.trdMatchID[:60]))
        for market, read, ident in ready:
            if ident and not self._seen.add(ident):
                self.checks.duplicates += 1
            else:
                self.write_prints(market, (read,), recv_ns, out)

    def _on_quotes(self, quotes: list[_Quote], recv_ns: int, out: EventBuffer) -> None:
        for one in quotes:
            market = self.market(one.symbol)
            if market is None:
                continue
            texts = (_text(one.bidPrice), _text(one.bidSize), _text(one.askPrice), _text(one.askSize))
            if "null" in texts:
                self.ignore("quote of one side")
            else:
                self.write_quote(market, texts, iso_ns(one.timestamp), recv_ns, out)

    def _on_states(self, states: list[_State], recv_ns: int, out: EventBuffer) -> None:
        for one in states:
            market = self.market(one.symbol)
            if market is None:
                continue
            told = (
                (F_MARK_PRICE, one.markPrice),
                (F_INDEX_PRICE, one.indicativeSettlePrice),
                (F_FUNDING_RATE, one.fundingRate),
            )
            facts = [Fact(aux, fact(_text(raw))) for aux, raw in told if _stated(raw)]
            if one.fundingTimestamp:
                facts.append(Fact(F_NEXT_FUNDING_NS, iso_ns(one.fundingTimestamp)))
            if _stated(one.openInterest):
                facts.append(Fact(F_OPEN_INTEREST, *market.numbers.size(_text(one.openInterest))))
            exch_ns = iso_ns(one.timestamp) if one.timestamp else NONE
            if not self.write_facts(market, facts, exch_ns, recv_ns, out):
                self.ignore("instrument without news")

    def _on_liquidations(self, frame: _Frame, recv_ns: int, out: EventBuffer) -> None:
        # A partial lists those that were told before, updates and deletes what becomes of them.
        if frame.action != "insert":
            self.ignore(f"liquidation {frame.action}")
            return
        ready = []
        for one in _FORCED.decode(frame.data):
            market = self.market(one.symbol)
            if market is None:
                continue
            tick, off_tick = market.numbers.price(_text(one.price))
            lots, off_lot = market.numbers.size(_text(one.leavesQty))
            if one.side not in SIDES or lots <= 0 or tick < 0:
                told = f"{one.side} {_text(one.leavesQty)} at {_text(one.price)}"
                raise BadInput("liquidation", told[:80], "Buy or Sell, a size, a price")
            ready.append((market, Fact(F_LIQUIDATION, lots, off_tick | off_lot, tick, SIDES[one.side])))
        for market, read in ready:
            self.checks.off_grid += read.marks != 0
            self.write_facts(market, (read,), NONE, recv_ns, out)

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to."""
        chosen = list(symbols)
        frames = [_request("subscribe", [f"{table}:{symbol}" for table in TABLES]) for symbol in chosen]
        return (Socket("wss://ws.bitmex.com/realtime", tuple(frames), tuple(chosen)),)

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_bitmex import BitmexVoice

        return BitmexVoice

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew."""
        topic = f"{self.markets[symbol].channel or BOOKS[0]}:{symbol}"
        return (_request("unsubscribe", [topic]), _request("subscribe", [topic]))

    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its instruments that trade."""
        return "https://www.bitmex.com/api/v1/instrument/active"

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the instruments, by symbol; raise BadInput where the answer is none."""
        try:
            return {
                one.symbol: Instrument(
                    venue=cls.name, symbol=one.symbol, tick=increment(one.tickSize), lot=increment(one.lotSize),
                    currency=one.quoteCurrency, description=_kind(one),
                )
                for one in _LISTING.decode(raw)
                if _stated(one.tickSize) and _stated(one.lotSize)
            }  # fmt: skip
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None


def _kind(one: _Listed) -> str:
    return "inverse, sizes in dollars" if one.isInverse else "quanto" if one.isQuanto else ""


def _request(op: str, args: list[str]) -> str:
    return msgspec.json.encode({"op": op, "args": args}).decode()


def _stated(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()


VENUES: Final = (Bitmex,)

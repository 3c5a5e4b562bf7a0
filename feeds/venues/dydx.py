"""dYdX v4 by its indexer: books that may cross, frames numbered by connection, prints, funding and open interest.

`message_id` rises by 1 with every frame of a connection, whatever its channel, so that one lost frame is seen at the
next and costs every book of the connection. Books have no time. They cross for moments and that is no fault: block
proposers see different orders. What is shown is the book without its crossed part: of two levels that cross, the one
told by the older frame is left out, and of two told at the same time the smaller size is taken from both; a level left
out comes back when what it crossed is gone. Rows that say so are marked IMPLIED. `side` of a trade is the taker's; a
trade of the type LIQUIDATED is one of a position closed by force. Source: dYdX's "Indexer WebSocket API" and
"Uncrossing the Orderbook".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    C_SEQUENCE,
    CLEAR,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_OPEN_INTEREST,
    IMPLIED,
    LAST,
    LATE,
    LIQUIDATION,
    NONE,
    OTHER,
    REGULAR,
    S_HALTED,
    S_LIVE,
    S_SYNCING,
    SELL,
    SNAPSHOT,
    STATUS,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.sequencer import Sequencer, State, Step, spot
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded, refuse_list
from feeds.venues._aged import AgedBook, Place, Row, write_places
from feeds.venues._inband import Fact, InBand, Market, Print
from feeds.venues._numbers import fact
from feeds.venues._seen import Seen
from feeds.venues._times import iso_ns

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

TAKER: Final = {"BUY": BUY, "SELL": SELL}
"""`side` of a trade is the aggressor's."""
KINDS: Final = {"LIMIT": REGULAR, "MARKET": REGULAR, "LIQUIDATED": LIQUIDATION}
"""Kinds of print by the trade's type; whatever else, such as DELEVERAGED, is no trade on the book."""
SYMBOLS_A_SOCKET: Final = 32
"""Subscriptions of one channel that a connection may have."""

_Number = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Pair = tuple[str, str]


class _Frame(msgspec.Struct, gc=False):
    type: str = ""
    channel: str = ""
    id: str = ""
    message_id: _Number | None = None
    contents: msgspec.Raw = msgspec.Raw()
    message: str = ""


class _Level(msgspec.Struct, gc=False):
    price: str
    size: str


class _Whole(msgspec.Struct, gc=False):
    bids: list[_Level] = []
    asks: list[_Level] = []


class _Update(msgspec.Struct, gc=False):
    bids: list[_Pair] = []
    asks: list[_Pair] = []


class _Trade(msgspec.Struct, gc=False):
    id: str
    side: str
    size: str
    price: str
    createdAt: str  # noqa: N815
    type: str = ""


class _Trades(msgspec.Struct, gc=False):
    trades: list[_Trade]


class _State(msgspec.Struct, gc=False):
    oraclePrice: str | None = None  # noqa: N815
    effectiveAt: str | None = None  # noqa: N815
    openInterest: str | None = None  # noqa: N815
    nextFundingRate: str | None = None  # noqa: N815
    status: str | None = None


class _States(msgspec.Struct, gc=False):
    markets: dict[str, _State] = {}
    trading: dict[str, _State] = {}
    oraclePrices: dict[str, _State] = {}  # noqa: N815


class _Listed(msgspec.Struct):
    ticker: str
    tickSize: str  # noqa: N815
    stepSize: str  # noqa: N815


class _Listing(msgspec.Struct):
    markets: dict[str, _Listed]


_FRAME: Final = msgspec.json.Decoder(_Frame)
_WHOLE: Final = msgspec.json.Decoder(_Whole)
_UPDATE: Final = msgspec.json.Decoder(_Update)
_UPDATES: Final = msgspec.json.Decoder(list[_Update])
_TRADES: Final = msgspec.json.Decoder(_Trades)
_SOME_TRADES: Final = msgspec.json.Decoder(list[_Trades])
_STATES: Final = msgspec.json.Decoder(_States)
_SOME_STATES: Final = msgspec.json.Decoder(list[_States])
_LISTING: Final = msgspec.json.Decoder(_Listing)
_ONE, _MANY = "channel_data", "channel_batch_data"


class Dydx(InBand):
    """dYdX v4's perpetuals; symbols such as 'BTC-USD'."""

    name: ClassVar[str] = "dydx"
    captures: ClassVar[tuple[str, ...]] = ("DYDX",)
    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"id"\s*:\s*"([A-Z0-9][^"\\]{0,39}-USD)"')
    verification: ClassVar[str] = "counter"
    terms: ClassVar[Terms] = Terms(silence_s=60, send_gap_ms=550)

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._connection = Sequencer(spot)
        self._books = {symbol: AgedBook(one) for symbol, (_, one) in instruments.items()}
        self._shown: dict[str, dict[tuple[int, int], Row]] = {symbol: {} for symbol in instruments}
        self._seen = Seen()

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        frame = _Frame()
        try:
            bounded(raw)
            frame = _FRAME.decode(raw)
            if not frame.type:
                self.ignore("frame without a type")
            elif frame.message_id is None:
                if frame.type != "error":
                    raise BadInput("message_id", None, "the number of the frame")
                self._on_error(frame)
            elif self._counts(frame.message_id, recv_ns, out):
                self._dispatch(frame, frame.message_id, recv_ns, out)
        except FAULTS as error:
            self.damaged(f"{frame.channel or frame.type or 'frame'} {frame.id}".rstrip()[:80], error)
            if frame.channel == "v4_orderbook":
                self.lose_damaged(frame.id, recv_ns, out)

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
            for market in self.markets.values():
                if market.live or market.partial:
                    self.lose(market, C_SEQUENCE, f"frame {number} does not follow {at}", recv_ns, out, lost)
                elif market.asked:
                    self.ask_again(market, f"frame {number} does not follow {at}")
            self._connection.snapshot(number - 1)
            self._connection.update(number, number)
        return True

    def _dispatch(self, frame: _Frame, number: int, recv_ns: int, out: EventBuffer) -> None:
        data = frame.type in (_ONE, _MANY)
        if frame.type == "subscribed":
            self.notice("ack", f"{frame.channel} {frame.id}".rstrip())
        if frame.type == "error":
            self._on_error(frame)
        elif not data and frame.type != "subscribed":
            self.ignore(frame.type)
        elif frame.channel == "v4_orderbook":
            self._on_book(frame, number, recv_ns, out)
        elif frame.channel == "v4_trades":
            some = _SOME_TRADES.decode(frame.contents) if frame.type == _MANY else [_TRADES.decode(frame.contents)]
            self._on_trades(frame.id, [one for part in some for one in part.trades], recv_ns, out, old=not data)
        elif frame.channel == "v4_markets":
            states = _SOME_STATES.decode(frame.contents) if frame.type == _MANY else [_STATES.decode(frame.contents)]
            for one in states:
                self._on_states(one, recv_ns, out)
        elif data:
            self.ignore(frame.channel or "data without a channel")

    def _on_error(self, frame: _Frame) -> None:
        self.problem(f"the venue refuses: {frame.message[:200]}")
        self.notice("error", frame.message)

    # -- the book -----------------------------------------------------------------------------
    def _on_book(self, frame: _Frame, number: int, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(frame.id)
        if market is None:
            return
        book = self._books[market.symbol]
        if frame.type == "subscribed":
            whole = _WHOLE.decode(frame.contents)
            pairs = [[(one.price, one.size) for one in side] for side in (whole.bids, whole.asks)]
            places = _places(book, pairs[0], pairs[1], number)
            self._rebuild(market, book, places, number, recv_ns, out)
            return
        many = frame.type == _MANY
        updates = _UPDATES.decode(frame.contents) if many else [_UPDATE.decode(frame.contents)]
        ready = [_places(book, one.bids, one.asks, number) for one in updates]
        market.touched = True
        if not (market.live or market.partial):
            self.ignore("update before the snapshot")
            self.ask(market, "updates without a snapshot")
            return
        self._change(market, book, [one for some in ready for one in some], number, recv_ns, out)

    def _rebuild(
        self, market: Market, book: AgedBook, places: Sequence[tuple[int, Place]], number: int, recv_ns: int,
        out: EventBuffer,
    ) -> None:  # fmt: skip
        book.clear()
        self._shown[market.symbol] = {}
        self.checks.resyncs += market.broken
        market.live = market.touched = True
        market.broken = market.asked = market.partial = False
        out.append(CLEAR, recv_ns, ref=number, inst=market.inst, marks=SNAPSHOT | (0 if len(places) else LAST))
        self._write(market, book, places, (SNAPSHOT, number), recv_ns, out)
        out.append(STATUS, recv_ns, ref=number, aux=S_LIVE, inst=market.inst, marks=LAST)

    def _change(
        self, market: Market, book: AgedBook, places: Sequence[tuple[int, Place]], number: int, recv_ns: int,
        out: EventBuffer,
    ) -> None:  # fmt: skip
        before = len(out)
        self._write(market, book, places, (0, number), recv_ns, out)
        if len(out) == before:
            status = S_LIVE if market.live else S_SYNCING
            out.append(STATUS, recv_ns, ref=number, aux=status, inst=market.inst, marks=LAST)

    def _write(
        self, market: Market, book: AgedBook, places: Sequence[tuple[int, Place]], how: tuple[int, int], recv_ns: int,
        out: EventBuffer,
    ) -> None:  # fmt: skip
        marks, number = how
        start = len(out)
        for side, place in places:
            book.put(side, place)
        before = self._shown[market.symbol]
        shown = book.shown() if book.crossing() else {}
        if not (before or shown):
            self.checks.off_grid += write_places(places, (recv_ns, NONE), number, market.inst, marks, out)
        else:
            self._shown[market.symbol] = shown
            told = {(side, place.price): place for side, place in places}
            for key in dict.fromkeys((*told, *before, *shown)):
                self._write_level(market, book, key, told.get(key), before.get(key), how, recv_ns, out)
        if len(out) > start:
            out.mark_last()

    def _write_level(
        self, market: Market, book: AgedBook, key: tuple[int, int], told: Place | None, before: Row | None,
        how: tuple[int, int], recv_ns: int, out: EventBuffer,
    ) -> None:  # fmt: skip
        row = self._shown[market.symbol].get(key)
        if row is None:
            place = told or book.at(*key)
            if place is None:
                return
            row, implied = Row(key[0], place.tick, place.lots, place.marks), 0 if told else IMPLIED
        elif told is None and row == before:
            return
        else:
            implied = IMPLIED
        self.checks.off_grid += row.marks != 0 and told is not None
        marks, number = how
        out.append(
            BOOK, recv_ns, NONE, row.tick, row.lots, row.side, number, 0, market.inst, marks | row.marks | implied
        )

    def lose(
        self, market: Market, cause: int, why: str, recv_ns: int, out: EventBuffer, lost: int = NONE
    ) -> None:  # fmt: skip
        """Write a gap of `lost` messages and forget the book."""
        super().lose(market, cause, why, recv_ns, out, lost)
        self._books[market.symbol].clear()
        self._shown[market.symbol] = {}

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write gaps and forget the books and the numbering."""
        super().on_disconnect(recv_ns, out)
        self._connection.reset()

    # -- prints and facts ---------------------------------------------------------------------
    def _on_trades(
        self, symbol: str, trades: list[_Trade], recv_ns: int, out: EventBuffer, *, old: bool
    ) -> None:  # fmt: skip
        market = self.market(symbol)
        if market is None:
            return
        ready: list[tuple[Print, str]] = []
        for one in trades:
            if one.side not in TAKER:
                raise BadInput("side", one.side, "BUY or SELL")
            kind = LATE if old else KINDS.get(one.type, OTHER) if one.type else REGULAR
            read = market.print(one.price, one.size, TAKER[one.side], NONE, iso_ns(one.createdAt), kind)
            ready.append((read, one.id[:60]))
        # Those of before the subscription come newest first.
        for read, ident in reversed(ready) if old else ready:
            if ident and not self._seen.add(ident):
                self.checks.duplicates += 1
            else:
                self.write_prints(market, (read,), recv_ns, out)

    def _on_states(self, states: _States, recv_ns: int, out: EventBuffer) -> None:
        for some in (states.markets, states.trading, states.oraclePrices):
            for symbol, one in some.items():
                market = self.markets.get(symbol)
                if market is None:
                    continue
                told = ((F_INDEX_PRICE, one.oraclePrice), (F_FUNDING_RATE, one.nextFundingRate))
                facts = [Fact(aux, fact(text)) for aux, text in told if text]
                if one.openInterest:
                    facts.append(Fact(F_OPEN_INTEREST, *market.numbers.size(one.openInterest)))
                exch_ns = iso_ns(one.effectiveAt) if one.effectiveAt else NONE
                self.write_facts(market, facts, exch_ns, recv_ns, out)
                if one.status and (one.status != "ACTIVE" or market.live):
                    status = S_LIVE if one.status == "ACTIVE" else S_HALTED
                    out.append(STATUS, recv_ns, aux=status, inst=market.inst, marks=LAST)

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to: as many symbols a connection as the venue takes."""
        chosen = list(symbols)
        sockets = []
        for at in range(0, max(len(chosen), 1), SYMBOLS_A_SOCKET):
            some = chosen[at : at + SYMBOLS_A_SOCKET]
            frames = [_request("subscribe", channel, one) for one in some for channel in ("v4_orderbook", "v4_trades")]
            frames.append(_request("subscribe", "v4_markets"))
            sockets.append(Socket("wss://indexer.dydx.trade/v4/ws", tuple(frames), tuple(some)))
        return tuple(sockets)

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_dydx import DydxVoice

        return DydxVoice

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew."""
        return tuple(_request(what, "v4_orderbook", symbol) for what in ("unsubscribe", "subscribe"))

    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its markets."""
        return "https://indexer.dydx.trade/v4/perpetualMarkets"

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the markets from that listing or from a frame of `v4_markets`; raise BadInput where it is none."""
        try:
            frame = _FRAME.decode(raw)
            listed = _LISTING.decode(frame.contents or raw).markets
            return {
                symbol: Instrument(
                    venue=cls.name, symbol=symbol, tick=one.tickSize, lot=one.stepSize,
                    currency=symbol.rpartition("-")[2],
                )
                for symbol, one in listed.items()
            }  # fmt: skip
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None


def _places(
    book: AgedBook, bids: Iterable[_Pair], asks: Iterable[_Pair], number: int
) -> list[tuple[int, Place]]:  # fmt: skip
    found = [(BID, book.read(price, size, number)) for price, size in bids]
    return found + [(ASK, book.read(price, size, number)) for price, size in asks]


def _request(what: str, channel: str, symbol: str = "") -> str:
    frame: dict[str, object] = {"type": what, "channel": channel}
    if symbol:
        frame |= {"id": symbol, "batched": False}
    return msgspec.json.encode(frame).decode()


VENUES: Final = (Dydx,)

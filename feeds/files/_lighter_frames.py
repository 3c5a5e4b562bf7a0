"""Frames of Lighter turned into EVENT rows: books by their counter, prints, best prices, funding and open interest."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    C_DISCONNECT,
    C_SEQUENCE,
    CLEAR,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_OPEN_INTEREST,
    FACT,
    GAP,
    LAST,
    LIQUIDATION,
    NONE,
    QUOTE,
    REGULAR,
    S_LIVE,
    S_SYNCING,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
    Events,
)  # fmt: skip
from feeds.files._exact import blank
from feeds.instruments import Instrument, parse_decimal
from feeds.source import Checks
from feeds.venues._levels import Numbers

_MS: Final = 1_000_000
_US: Final = 1_000
_LIMIT: Final = 2**62


class Level(msgspec.Struct):
    """A price and a size as text."""

    price: str
    size: str


class OrderBook(msgspec.Struct):
    """Levels that changed, or all of them."""

    asks: list[Level] = []
    bids: list[Level] = []
    offset: int | None = None
    nonce: int | None = None
    begin_nonce: int | None = None


class Trade(msgspec.Struct):
    """A print."""

    trade_id: int
    price: str
    size: str
    is_maker_ask: bool
    timestamp: int
    type: str = "trade"


class Stats(msgspec.Struct):
    """Slow inputs of a market."""

    symbol: str = ""
    index_price: str = ""
    mark_price: str = ""
    open_interest: str = ""
    current_funding_rate: str = ""


class Ticker(msgspec.Struct):
    """The best prices."""

    s: str = ""
    a: Level | None = None
    b: Level | None = None


class Frame(msgspec.Struct):
    """One frame, whatever it is about."""

    type: str = ""
    channel: str = ""
    timestamp: int = 0
    order_book: OrderBook | None = None
    trades: list[Trade] | None = None
    liquidation_trades: list[Trade] | None = None
    market_stats: Stats | None = None
    ticker: Ticker | None = None

    @property
    def market(self) -> str | None:
        """The number of the market it is about, None where that is none or all."""
        number = self.channel.partition(":")[2]
        return number if number.isascii() and number.isdigit() and len(number) < 10 else None

    @property
    def time_ns(self) -> int:
        """The venue's time, 0 where it gives none."""
        newest = max((one.timestamp for one in self.trades or ()), default=0)
        stamp = self.timestamp or newest
        return stamp * _MS if 0 <= stamp < _LIMIT // _MS else 0


class _Market:
    def __init__(self, inst: int, instrument: Instrument) -> None:
        self.inst = inst
        self.numbers = Numbers(instrument)
        self.offset: int | None = None
        self.nonce: int | None = None
        self.live = False
        self.seen = -1
        """Newest trade id."""


class Frames:
    """The state of the markets of one file."""

    def __init__(
        self, numbers: dict[str, int], instruments: tuple[Instrument, ...], checks: Checks, out: EventBuffer
    ) -> None:
        self.markets = {one: _Market(at, instruments[at]) for one, at in numbers.items()}
        self.checks = checks
        self.out = out
        self.connected = False

    def take(self, frame: Frame, recv_ns: int) -> None:
        """Write the rows of one frame; what cannot be read is counted and named."""
        self.checks.messages += 1
        if frame.type == "connected":
            if self.connected:
                for each in self.markets.values():
                    self._lose(each, recv_ns, C_DISCONNECT)
            self.connected = True
            return
        market = self.markets.get(frame.market or "")
        if market is None:
            self.checks.ignore(frame.type[:40] if frame.type.isprintable() else "frames of no kind")
            return
        try:
            if frame.order_book is not None:
                self._book(market, frame, frame.order_book, recv_ns)
            elif frame.type == "subscribed/trade":
                # What was printed before the subscription is no part of this session.
                newest = max((one.trade_id for one in frame.trades or ()), default=-1)
                market.seen = max(market.seen, newest)
                self.checks.ignore("trades before the subscription")
            elif frame.type == "update/trade":
                self._trades(market, [*(frame.trades or ()), *(frame.liquidation_trades or ())], recv_ns)
            elif frame.market_stats is not None:
                self._stats(market, frame.market_stats, frame.time_ns, recv_ns)
            elif frame.ticker is not None:
                self._ticker(market, frame.ticker, frame.time_ns, recv_ns)
            else:
                self.checks.ignore(frame.type[:40] if frame.type.isprintable() else "frames of no kind")
        except BadInput as error:
            self.checks.damaged += 1
            self.checks.problem(str(error))

    def _lose(self, market: _Market, recv_ns: int, cause: int, lost: int = NONE) -> None:
        if market.live or market.offset is not None:
            self.checks.gaps += 1
            self.out.append(GAP, recv_ns, lots=cause, ref=lost, aux=NONE, inst=market.inst)
            self.out.append(CLEAR, recv_ns, inst=market.inst)
            self.out.append(STATUS, recv_ns, aux=S_SYNCING, inst=market.inst, marks=LAST)
        market.offset = market.nonce = None
        market.live = False

    def _book(self, market: _Market, frame: Frame, book: OrderBook, recv_ns: int) -> None:
        whole = frame.type == "subscribed/order_book"
        exch_ns = frame.time_ns or NONE
        rows = _levels(market, book, exch_ns, recv_ns)
        if whole:
            self.checks.resyncs += market.live
            self.out.append(CLEAR, recv_ns, exch_ns, inst=market.inst, marks=SNAPSHOT)
            rows = rows[rows["lots"] > 0]
            rows["marks"] |= SNAPSHOT
            self.out.extend(rows)
            at = NONE if book.offset is None else book.offset
            self.out.append(STATUS, recv_ns, exch_ns, aux=S_LIVE, ref=at, inst=market.inst, marks=SNAPSHOT | LAST)
            market.offset, market.nonce, market.live = book.offset, book.nonce, True
            return
        if not market.live:
            self.checks.ignore("changes before the first whole book")
            return
        if book.begin_nonce is not None and market.nonce is not None:
            lost = None if book.begin_nonce == market.nonce else NONE
        elif book.offset is not None and market.offset is not None:
            lost = None if book.offset == market.offset + 1 else book.offset - market.offset - 1
        else:
            lost = None
        if lost is not None:
            if book.offset is not None and market.offset is not None and book.offset <= market.offset:
                self.checks.duplicates += 1
                return
            self.checks.problem(f"offset {book.offset} follows {market.offset}: changes are missing")
            self._lose(market, recv_ns, C_SEQUENCE, lost if 0 < lost < _LIMIT else NONE)
            return
        market.offset, market.nonce = book.offset, book.nonce
        if len(rows):
            rows["marks"][-1] |= LAST
            self.out.extend(rows)
        else:
            at = NONE if book.offset is None else book.offset
            self.out.append(STATUS, recv_ns, exch_ns, aux=S_LIVE, ref=at, inst=market.inst, marks=LAST)

    def _trades(self, market: _Market, trades: list[Trade], recv_ns: int) -> None:
        for one in sorted(trades, key=lambda trade: trade.trade_id):
            if one.trade_id <= market.seen or one.trade_id >= _LIMIT:
                self.checks.duplicates += 1
                continue
            market.seen = one.trade_id
            tick, off = market.numbers.price(one.price[:64])
            lots, off_lot = market.numbers.size(one.size[:64])
            if lots <= 0 or not 0 <= one.timestamp < _LIMIT // _MS:
                raise BadInput("trade", f"{one.size} at {one.timestamp}", "a size above 0 and a time in ms")
            exch_ns = one.timestamp * _MS
            side = BUY if one.is_maker_ask else SELL
            forced = one.type == "liquidation"
            self.checks.off_grid += off != 0
            self.out.append(
                TRADE, recv_ns, exch_ns, tick, lots, side, one.trade_id, LIQUIDATION if forced else REGULAR,
                market.inst, off | off_lot | (0 if forced else LAST),
            )  # fmt: skip
            if forced:
                self.out.append(
                    FACT, recv_ns, exch_ns, tick, lots, side, exch_ns, F_LIQUIDATION, market.inst, off | off_lot | LAST
                )

    def _stats(self, market: _Market, stats: Stats, exch_ns: int, recv_ns: int) -> None:
        told: list[tuple[int, int, int]] = []
        for text, fact, percent in (
            (stats.mark_price, F_MARK_PRICE, 0),
            (stats.index_price, F_INDEX_PRICE, 0),
            (stats.current_funding_rate, F_FUNDING_RATE, 2),
        ):
            if text:
                told.append((fact, _fixed(text, 9 - percent), 0))
        if stats.open_interest and stats.mark_price:
            # It is told in USDC.
            value, decimals = parse_decimal(stats.open_interest[:64])
            mark, places = parse_decimal(stats.mark_price[:64])
            grid = market.numbers.instrument.size
            if mark > 0:
                lots = value * 10 ** (places + grid.decimals) // (mark * 10**decimals * grid.mantissa)
                if 0 <= lots < _LIMIT:
                    told.append((F_OPEN_INTEREST, lots, 0))
        for at, (fact, value, marks) in enumerate(told):
            last = LAST if at == len(told) - 1 else 0
            self.out.append(
                FACT, recv_ns, exch_ns or NONE, 0, value, 0, exch_ns or recv_ns, fact, market.inst, marks | last
            )

    def _ticker(self, market: _Market, ticker: Ticker, exch_ns: int, recv_ns: int) -> None:
        told = [
            (side, level) for side, level in ((BID, ticker.b), (ASK, ticker.a)) if level is not None and level.price
        ]
        read = [(side, market.numbers.price(one.price[:64]), market.numbers.size(one.size[:64])) for side, one in told]
        for at, (side, (tick, off), (lots, off_lot)) in enumerate(read):
            last = LAST if at == len(told) - 1 else 0
            self.out.append(
                QUOTE, recv_ns, exch_ns or NONE, tick, lots, side, NONE, 0, market.inst, off | off_lot | last
            )


def _levels(market: _Market, book: OrderBook, exch_ns: int, recv_ns: int) -> Events:
    pairs = [(level.price[:64], level.size[:64]) for level in (*book.bids, *book.asks)]
    sides = market.numbers.texts(pairs, len(book.bids))
    n = len(sides)
    rows = blank(n)
    if n:
        values = sides.values
        if int(values.min()) < 0:
            raise BadInput("level", int(values.min()), "a price and a size of 0 or more")
        rows["tick"], rows["lots"] = values[:, 0], values[:, 1]
        if sides.marks is not None:
            rows["marks"] = sides.marks
        rows["kind"], rows["inst"] = BOOK, market.inst
        rows["side"] = np.where(np.arange(n) < sides.bids, BID, ASK)
        rows["recv_ns"], rows["exch_ns"] = recv_ns, exch_ns
        rows["ref"] = NONE if book.offset is None else book.offset
    return rows


def _fixed(text: str, decimals: int) -> int:
    value, places = parse_decimal(text[:64])
    out: int = value * 10 ** (decimals - places) if places <= decimals else value // 10 ** (places - decimals)
    if abs(out) >= _LIMIT:
        raise BadInput("number", text, "a value that fits 62 bits")
    return out

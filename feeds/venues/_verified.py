"""What Kraken, OKX and Bitfinex have in common: snapshots in band, a depth, a checksum over the levels' text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, NamedTuple, TypeVar

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BID,
    BOOK,
    C_DAMAGED,
    C_DISCONNECT,
    CHECKED,
    CLEAR,
    IMPLIED,
    LAST,
    NONE,
    OFF_GRID,
    S_LIVE,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._books import Books
from feeds.venues._contract import Want
from feeds.venues._levels import Numbers
from feeds.venues._texts import TextSide

UNLIMITED: Final = 1 << 30


class Level(NamedTuple):
    """One level of a message."""

    side: int
    tick: int
    lots: int
    marks: int
    text: str
    """What of it enters the checksum."""
    orders: int = 0


class Depth(NamedTuple):
    """One depth message, read."""

    levels: list[Level]
    snapshot: bool
    exch_ns: int
    ref: int
    checksum: int | None


class Market:
    """One symbol's state: the texts of its levels and whether the book may be believed."""

    def __init__(self, symbol: str, inst: int, instrument: Instrument) -> None:
        self.symbol = symbol
        self.inst = inst
        self.numbers = Numbers(instrument)
        self.sides = {BID: TextSide(bids=True), ASK: TextSide(bids=False)}
        self.depth = UNLIMITED
        self.live = False
        self.broken = False
        self.asked = False
        self.touched = False
        self.mismatches = 0
        """Checksums in a row that disagreed."""
        self._fine = instrument.price.fine

    def level(self, side: int, price: str, size: str, text: str, orders: int = 0) -> Level:
        """Read one level; raise BadInput where it is none."""
        tick, off_tick = self.numbers.price(price)
        lots, off_lot = self.numbers.size(size)
        if lots < 0:
            raise BadInput("size", size, "0 or more")
        return Level(side, tick, lots, off_tick | off_lot, text, orders)

    def apply(self, levels: list[Level]) -> None:
        """Change the texts."""
        for level in levels:
            price = level.tick if level.marks & OFF_GRID else level.tick * self._fine
            if level.lots:
                self.sides[level.side].put(price, level.text)
            else:
                self.sides[level.side].drop(price)

    def truncated(self) -> list[Level]:
        """Delete what lies beyond the depth and give it as levels of size 0."""
        gone = []
        for side, texts in self.sides.items():
            for price in texts.truncate(self.depth):
                tick, rest = divmod(price, self._fine)
                gone.append(Level(side, price if rest else tick, 0, IMPLIED | (OFF_GRID if rest else 0), ""))
        return gone

    def forget(self) -> None:
        """Empty the book."""
        self.live = False
        self.mismatches = 0
        for side in self.sides.values():
            side.clear()


M = TypeVar("M", bound=Market)


class Verified(Books[Market]):
    """A venue whose snapshots come in band, and whose books a checksum may be over."""

    verification = "checksum"
    market_type: ClassVar[type[Market]] = Market
    keeps_texts: ClassVar[bool] = True
    """The texts of levels are kept, for a checksum or to cut a book to its depth."""
    patience: ClassVar[int] = 1
    """So many checksums in a row must disagree before the symbol is asked for anew."""

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        make = self.market_type
        self.markets = {symbol: make(symbol, inst, one) for symbol, (inst, one) in instruments.items()}
        self._wants: list[Want] = []

    def emit(
        self, market: Market, depth: Depth, recv_ns: int, out: EventBuffer, checksum: Callable[[Market], int]
    ) -> None:
        """Apply one message, truncate, check, and write its rows.

        Updates before the first snapshot are dropped: it follows in band and holds them.
        """
        market.touched = True
        if depth.snapshot:
            if market.broken:
                self.checks.resyncs += 1
            market.forget()
            market.live, market.broken, market.asked = True, False, False
        elif not market.live:
            self.ignore("update before the snapshot")
            return
        levels = depth.levels
        if self.keeps_texts:
            market.apply(levels)
            levels = [*levels, *market.truncated()]
        verdict = self.verdict(market, depth.checksum, checksum)
        marks = SNAPSHOT if depth.snapshot else 0
        if depth.snapshot:
            last = 0 if levels else LAST
            out.append(CLEAR, recv_ns, depth.exch_ns, ref=depth.ref, inst=market.inst, marks=marks | last)
        for level in levels:
            self.checks.off_grid += level.marks != 0 and not level.marks & IMPLIED
            out.append(
                BOOK, recv_ns, depth.exch_ns, level.tick, level.lots, level.side, depth.ref, level.orders, market.inst,
                marks | level.marks,
            )  # fmt: skip
        if levels:
            out.mark_last(LAST | verdict)
        if depth.snapshot or not levels:
            out.append(
                STATUS, recv_ns, depth.exch_ns, ref=depth.ref, aux=S_LIVE, inst=market.inst, marks=LAST | verdict
            )

    def verdict(self, market: M, stated: int | None, checksum: Callable[[M], int]) -> int:
        """Compare a checksum, where one is stated, and give the mark: CHECKED, SUSPECT or 0."""
        if stated is None:
            return 0
        self.checks.checksums += 1
        if checksum(market) == stated:
            market.mismatches = 0
            return CHECKED
        self.checks.checksums_failed += 1
        self.problem(f"{market.symbol}: the checksum disagrees with the book")
        market.mismatches += 1
        if market.mismatches >= self.patience:
            self.ask(market, "checksum")
        return SUSPECT

    def ask(self, market: Market, why: str) -> None:
        """Want the symbol subscribed anew, once until its snapshot comes."""
        market.broken = True
        if not market.asked:
            market.asked = True
            self._wants.append(Want("resubscribe", market.symbol, why))

    def lose(self, market: Market, cause: int, why: str, recv_ns: int, out: EventBuffer, lost: int = NONE) -> None:
        """Write a gap, of so many messages where that is known, and forget the book."""
        self.write_hole(market, cause, why, recv_ns, out, lost)
        market.forget()
        market.broken = True
        if cause != C_DISCONNECT:
            self.ask(market, why)

    def lose_damaged(self, symbol: str, recv_ns: int, out: EventBuffer) -> None:
        """Write the gap of a depth message that cannot be read, where it is known whose it was."""
        market = self.markets.get(symbol)
        if market is not None and market.touched:
            self.lose(market, C_DAMAGED, "a depth message cannot be read", recv_ns, out)

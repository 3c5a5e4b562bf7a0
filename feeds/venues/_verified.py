"""What Kraken, OKX and Bitfinex have in common: snapshots in band, a depth, a checksum over the levels' text."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from feeds.instruments import Grid, Instrument
from feeds.source import Checks
from feeds.venues._books import Books
from feeds.venues._contract import Want
from feeds.venues._levels import Numbers, OffGridError, plain_count, tail
from feeds.venues._texts import TextSide

UNLIMITED: Final = 1 << 30
_REMEMBERED: Final = 4096
_HEAD: Final = struct.Struct("<qqq")
_NO_LOTS: Final = bytes(8)
_REST: Final = struct.Struct("<qqq")
_COUNT: Final = struct.Struct("<q")


class Level(NamedTuple):
    """One level of a message."""

    side: int
    tick: int
    lots: int
    marks: int
    text: str
    """What of it enters the checksum."""
    orders: int = 0


class Read(NamedTuple):
    """One side of a depth message whose levels are all on the grids, read without an object each."""

    rows: list[bytes]
    """Of each what EVENT rows have: 8 bytes each of tick and lots, and with `counts` of update id and orders."""
    texts: list[tuple[int, str]]
    """Price in fine units and what enters the checksum, empty for a level deleted."""
    counts: bool = False
    """The venue tells how many orders there are."""


Sides = Sequence[tuple[int, Read]]
"""The sides of a message, in its order."""


class Depth(NamedTuple):
    """One depth message, read."""

    levels: list[Level]
    snapshot: bool
    exch_ns: int
    ref: int
    checksum: int | None


class Prices(dict[str, tuple[int, bytes, str]]):
    """Price texts: in fine units, the 8 bytes of the tick, and what of it enters the checksum; the newest are kept."""

    def __init__(self, numbers: Numbers, field: Callable[[str, Grid], str]) -> None:
        super().__init__()
        self._numbers, self._field = numbers, field
        self._grid = numbers.instrument.price
        self._fine = self._grid.fine
        self._decimals, self._step = self._grid.decimals, self._grid.mantissa

    def __missing__(self, text: str) -> tuple[int, bytes, str]:
        tick = plain_count(text, self._decimals, self._step)
        if tick is None:
            tick, off = self._numbers.price(text)
            if off:
                raise OffGridError
        if len(self) >= _REMEMBERED:
            self.clear()
        found = self[text] = (tick * self._fine, tick.to_bytes(8, "little", signed=True), self._field(text, self._grid))
        return found


class Sizes(dict[str, tuple[bytes, str]]):
    """Size texts: the 8 bytes of the lots, and what of it enters the checksum; the newest are kept.

    With `digits` that is a number's digits from the first that is not 0.
    """

    def __init__(self, numbers: Numbers, field: Callable[[str, Grid], str], *, digits: bool) -> None:
        super().__init__()
        self._digits = digits
        self._read, self._field, self._grid = numbers.size, field, numbers.instrument.size
        self._decimals, self._step = self._grid.decimals, self._grid.mantissa

    def __missing__(self, text: str) -> tuple[bytes, str]:
        lots = plain_count(text, self._decimals, self._step)
        if lots is not None:
            field = text.replace(".", "").lstrip("0") or "0" if self._digits else text
        else:
            lots, off = self._read(text)
            if off:
                raise OffGridError
            if lots < 0:
                raise BadInput("size", text, "0 or more")
            field = self._field(text, self._grid)
        if len(self) >= _REMEMBERED:
            self.clear()
        found = self[text] = (lots.to_bytes(8, "little"), field)
        return found


class Market:
    """One symbol's state: the texts of its levels and whether the book may be believed."""

    digits: ClassVar[bool] = False
    """Of a size its digits enter the checksum, without dot and leading zeros; else its text."""

    @staticmethod
    def price_field(text: str, grid: Grid) -> str:
        """A price as it enters the checksum, and what stands behind it."""
        del grid
        return text

    @staticmethod
    def size_field(text: str, grid: Grid) -> str:
        """A size as it enters the checksum."""
        del grid
        return text

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
        self.prices = Prices(self.numbers, self.price_field)
        self.sizes = Sizes(self.numbers, self.size_field, digits=self.digits)

    def level(self, side: int, price: str, size: str, text: str, orders: int = 0) -> Level:
        """Read one level; raise BadInput where it is none."""
        tick, off_tick = self.numbers.price(price)
        lots, off_lot = self.numbers.size(size)
        if lots < 0:
            raise BadInput("size", size, "0 or more")
        return Level(side, tick, lots, off_tick | off_lot, text, orders)

    def read(self, levels: Iterable[Sequence[str]]) -> Read:
        """Read one side of a message, price and size first of each level.

        Raises OffGridError where a level needs marks, BadInput where it is none.
        """
        prices, sizes = self.prices, self.sizes
        rows: list[bytes] = []
        texts: list[tuple[int, str]] = []
        for level in levels:
            key, tick8, price_field = prices[level[0]]
            lots8, size_field = sizes[level[1]]
            rows.append(tick8 + lots8)
            texts.append((key, price_field + size_field if lots8 != _NO_LOTS else ""))
        return Read(rows, texts)

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
        if not self._enter(market, depth):
            return
        levels = depth.levels
        if self.keeps_texts:
            market.apply(levels)
            levels = [*levels, *market.truncated()]
        self._write(market, depth, levels, b"", recv_ns, out, checksum)

    def emit_read(
        self, market: Market, read: Sides, depth: Depth, recv_ns: int, out: EventBuffer,
        checksum: Callable[[Market], int],
    ) -> None:  # fmt: skip
        """The same for levels that are `Read`; those of `depth` are not looked at."""
        if not self._enter(market, depth):
            return
        gone: list[Level] = []
        if self.keeps_texts:
            for side, one in read:
                market.sides[side].change(one.texts)
            gone = market.truncated()
        marks = SNAPSHOT if depth.snapshot else 0
        rows = read_rows(read, recv_ns, depth, market.inst, marks)
        self._write(market, depth, gone, rows, recv_ns, out, checksum)

    def _enter(self, market: Market, depth: Depth) -> bool:
        market.touched = True
        if depth.snapshot:
            if market.broken:
                self.checks.resyncs += 1
            market.forget()
            market.live, market.broken, market.asked = True, False, False
        elif not market.live:
            self.ignore("update before the snapshot")
            return False
        return True

    def _write(
        self, market: Market, depth: Depth, levels: list[Level], rows: bytes, recv_ns: int, out: EventBuffer,
        checksum: Callable[[Market], int],
    ) -> None:  # fmt: skip
        verdict = self.verdict(market, depth.checksum, checksum)
        marks = SNAPSHOT if depth.snapshot else 0
        if depth.snapshot:
            last = 0 if levels or rows else LAST
            out.append(CLEAR, recv_ns, depth.exch_ns, ref=depth.ref, inst=market.inst, marks=marks | last)
        out.extend_bytes(rows)
        for level in levels:
            self.checks.off_grid += level.marks != 0 and not level.marks & IMPLIED
            out.append(
                BOOK, recv_ns, depth.exch_ns, level.tick, level.lots, level.side, depth.ref, level.orders, market.inst,
                marks | level.marks,
            )  # fmt: skip
        if levels or rows:
            out.mark_last(LAST | verdict)
        if depth.snapshot or not (levels or rows):
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


def read_rows(read: Sides, recv_ns: int, depth: Depth, inst: int, marks: int) -> bytes:
    """Make the rows of bids and asks as bytes, none of them LAST."""
    head = _HEAD.pack(recv_ns, depth.exch_ns, 0)
    made = b""
    for side, one in read:
        if one.rows:
            last = tail(inst, side, marks)
            end = _COUNT.pack(last) if one.counts else _REST.pack(depth.ref, 0, last)
            made += head + (end + head).join(one.rows) + end
    return made

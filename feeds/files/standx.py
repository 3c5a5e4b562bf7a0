"""StandX: 20-level book snapshots and trades of a perpetual in Parquet, merged by the time they were received.

Columns: timestamp, received_at, symbol, bid_prices, bid_quantities, ask_prices, ask_quantities (lists, best
first) of `orderbook_*.parquet`; timestamp, received_at, symbol, price, quantity, side, is_buyer_taker of
`trades_*.parquet`. Numbers are floats or text; a float means its shortest decimal text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from feeds.errors import BadInput
from feeds.events import (
    BAD_TIME,
    BUY,
    IMPLIED,
    LAST,
    OFF_GRID,
    OFF_LOT,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    UNKNOWN,
    Events,
)
from feeds.files import _parquet
from feeds.files._contract import Reader
from feeds.files._exact import Ints, Levels, blank, differences
from feeds.files._increments import increments
from feeds.files._snapshots import compose, merge, newest, shift
from feeds.files._standx import (
    BOOK_COLUMNS,
    TRADE_COLUMNS,
    aggressors,
    levels,
    numbers,
    require,
    states_sides,
    symbol,
    texts,
    times,
    twice_mid,
)  # fmt: skip
from feeds.files._streams import Stream
from feeds.instruments import Instrument
from feeds.source import Checks, OpenOptions

if TYPE_CHECKING:
    import polars as pl

_MAGIC: Final = b"PAR1"
_BOOK_SLICE: Final = 512
_TRADE_SLICE: Final = 16_384
_SAMPLE: Final = 4_096


class StandxReader(Reader):
    """Read a folder of StandX books and trades, or one such file, as one session.

    Each snapshot becomes its differences from the one before; one that repeats it, a live status.
    """

    format = "standx"
    title = "StandX book snapshots and trades (Parquet)"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether a Parquet file has StandX columns; of a folder, whether files are named so."""
        if path.is_dir():
            return bool(_files(path, "orderbook") or _files(path, "trades"))
        if not head.startswith(_MAGIC):
            return False
        try:
            columns = set(_parquet.columns_of(path))
        except BadInput:
            return False
        return columns.issuperset(BOOK_COLUMNS) or columns.issuperset({*TRADE_COLUMNS, "is_buyer_taker"})

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Check the columns of every file and derive tick and lot from the first rows."""
        return cls(path, options)

    def __init__(self, path: Path, options: OpenOptions) -> None:
        self.books, self.trades = _sort_files(path)
        files = [*self.books, *self.trades]
        for file in files:
            require(file, BOOK_COLUMNS if file in self.books else TRADE_COLUMNS)
        self.size = sum(file.stat().st_size for file in files)
        self.position = 0
        self._newest = files[0]
        self.checks = Checks()
        self.venue = options.venue or "standx"
        self.tier = "C" if self.books else "D"
        self.verification = "snapshot" if self.books else "unverifiable"
        self.notes = []
        self.symbol, tick, lot = self._derive(options)
        self.instruments = (
            Instrument(
                venue=self.venue, symbol=options.symbol or self.symbol, tick=tick, lot=lot, locked_ok=True,
                derived=options.tick is None or options.lot is None, currency=self.symbol.partition("-")[2],
            ),
        )  # fmt: skip
        self.stated = not self.trades or states_sides(self.trades[0])
        if not self.stated:
            self.notes.append(
                "every trade says the same side, so that it says nothing: sides are inferred by the quote"
            )

    def _derive(self, options: OpenOptions) -> tuple[str, str, str]:
        name, prices, sizes = "", list[str](), list[str]()
        for at, file in enumerate((*self.books[:1], *self.trades[:1])):
            book = bool(self.books) and at == 0
            head = _parquet.head_of(
                file, BOOK_COLUMNS if book else TRADE_COLUMNS, _SAMPLE if not book else _SAMPLE // 8
            )
            if not head.height:
                continue
            name = name or symbol(file, head)
            for column in ("bid_prices", "ask_prices") if book else () if self.books else ("price",):
                prices += texts(head, column)
            for column in ("bid_quantities", "ask_quantities") if book else ("quantity",):
                sizes += texts(head, column)
        if not name:
            raise BadInput(str((self.books + self.trades)[0]), "no rows", "at least one book or trade")
        found = increments(options, f"{(self.books + self.trades)[0]}: row 1", prices, sizes)
        if found.derived:
            self.notes.append(f"{found.derived} derived from the decimals of the file")
        return name, found.tick, found.lot

    def rows(self) -> Iterator[Events]:
        """Give books and trades merged by the time they were received."""
        self._quotes: list[tuple[Ints, Ints]] = []
        self._read = {"books": 0.0, "trades": 0.0}
        books, trades = self._book_parts(), self._trade_parts()
        last = np.iinfo(np.int64).min
        for keys, rows in self._guarded(merge(trades, books)):
            if not self.stated:
                self._infer(keys, rows)
            late = rows["recv_ns"] < np.maximum.accumulate(np.maximum(rows["recv_ns"], last))
            rows["marks"][late] |= BAD_TIME
            last = max(last, int(rows["recv_ns"].max()))
            self.position = min(self.size, int(sum(self._read.values())))
            yield rows
        self.position = self.size

    def _guarded(self, parts: Iterator[tuple[Ints, Events]]) -> Iterator[tuple[Ints, Events]]:
        """Tell damage that polars finds only when columns are used as damage of the newest file."""
        while True:
            try:
                part = next(parts, None)
            except BaseException as error:
                if isinstance(error, BadInput) or not type(error).__module__.startswith(("polars", "pyo3")):
                    raise
                raise BadInput(str(self._newest), str(error).split("\n")[0], "an undamaged Parquet file") from None
            if part is None:
                return
            yield part

    def _slices(
        self, files: list[Path], name: str, columns: tuple[str, ...], n: int
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        for file in files:
            self._newest = file
            whole, seen = max(1, _parquet.row_count(file)), 0
            for frame in _parquet.slices(file, columns, n):
                place = f"{file}: row {seen + 1} to {seen + frame.height}"
                seen += frame.height
                self._read[name] += file.stat().st_size * frame.height / whole
                if frame["symbol"].ne_missing(self.symbol).any():
                    raise BadInput(f"{place}: symbol", None, f"{self.symbol!r} only")
                yield place, frame

    def _book_parts(self) -> Iterator[tuple[Ints, Events]]:
        before: tuple[Levels, Levels] | None = None
        latest = np.iinfo(np.int64).min
        for place, frame in self._slices(self.books, "books", BOOK_COLUMNS, _BOOK_SLICE):
            recv, exch = times(place, frame)
            n = len(recv)
            grid, size = self.instruments[0].price, self.instruments[0].size
            sides = [levels(place, frame, name, grid, size) for name in ("bid", "ask")]
            self.checks.messages += n
            self.checks.off_grid += sum(int((side.marks & OFF_GRID != 0).sum()) for side in sides)
            first = before is None
            shifted = [shift(side, n, before[at] if before else None) for at, side in enumerate(sides)]
            parts = [differences(old, new) for old, new in zip(shifted, sides, strict=True)]
            before = (newest(sides[0], n), newest(sides[1], n))
            rows, of = compose(n, recv, exch, parts, first)
            keys = np.maximum.accumulate(np.maximum(recv, latest))
            self.checks.out_of_order += int((recv < keys).sum())
            latest = int(keys[-1])
            if not self.stated:
                self._quotes.append((keys, twice_mid(sides, n, grid)))
            yield keys[of], rows

    def _trade_parts(self) -> Iterator[tuple[Ints, Events]]:
        latest = np.iinfo(np.int64).min
        live = not self.books
        for file_at, file in enumerate(self.trades):
            known = _parquet.columns_of(file)
            columns = (*TRADE_COLUMNS, *(name for name in ("side", "is_buyer_taker") if name in known))
            for place, frame in self._slices([file], "trades", columns, _TRADE_SLICE):
                recv, exch = times(place, frame)
                n = len(recv)
                tick, off = numbers(f"{place}: price", frame["price"], self.instruments[0].price)
                lots, off_lot = numbers(f"{place}: quantity", frame["quantity"], self.instruments[0].size)
                wrong = np.flatnonzero((tick <= 0) | (lots <= 0))
                if len(wrong):
                    found = frame.row(int(wrong[0]), named=True)
                    raise BadInput(place, f"{found['price']}, {found['quantity']}", "a price and a quantity above 0")
                rows = blank(n)
                rows["recv_ns"], rows["exch_ns"] = recv, exch
                rows["tick"], rows["lots"] = tick, lots
                rows["kind"] = TRADE
                rows["marks"] = LAST | np.where(off, OFF_GRID, 0) | np.where(off_lot, OFF_LOT, 0)
                if self.stated:
                    rows["side"] = aggressors(place, frame)
                keys = np.maximum.accumulate(np.maximum(recv, latest))
                self.checks.messages += n
                self.checks.off_grid += int(off.sum())
                self.checks.out_of_order += int((recv < keys).sum())
                latest = int(keys[-1])
                if live and file_at == 0:
                    live = False
                    head = blank(1)
                    head["recv_ns"], head["exch_ns"] = recv[0], exch[0]
                    head["kind"], head["aux"], head["marks"] = STATUS, S_LIVE, SNAPSHOT | LAST
                    rows, keys = np.concatenate([head, rows]), np.concatenate([keys[:1], keys])
                yield keys, rows

    def _infer(self, keys: Ints, rows: Events) -> None:
        """Set aggressors by the newest quote received before each trade."""
        trades = np.flatnonzero(rows["kind"] == TRADE)
        if not len(trades) or not self._quotes:
            return
        known = np.concatenate([part[0] for part in self._quotes])
        twice = np.concatenate([part[1] for part in self._quotes])
        at = np.searchsorted(known, keys[trades], side="left") - 1
        grid = self.instruments[0].price
        fine = rows["tick"][trades] * np.where(rows["marks"][trades] & OFF_GRID, 1, grid.fine)
        gap = np.where((at >= 0) & (twice[at] > 0), 2 * fine - twice[at], 0)
        side = np.where(gap > 0, BUY, np.where(gap < 0, SELL, UNKNOWN))
        rows["side"][trades] = side
        rows["marks"][trades[side != UNKNOWN]] |= IMPLIED
        # The two newest parts: trades to come are received after the start of the newest.
        self._quotes = self._quotes[-2:]


def _files(folder: Path, kind: str) -> list[Path]:
    try:
        return sorted(file for file in folder.glob(f"{kind}_*.parquet") if file.is_file())
    except OSError:
        return []


def _sort_files(path: Path) -> tuple[list[Path], list[Path]]:
    if path.is_dir():
        books, trades = _files(path, "orderbook"), _files(path, "trades")
        if not books and not trades:
            raise BadInput(f"{path}: files", None, "orderbook_*.parquet or trades_*.parquet")
        return books, trades
    with Stream(path) as stream:
        magic = stream.read(4)
    if magic != _MAGIC:
        raise BadInput(f"{path}: byte 0", magic, "a Parquet file, which begins with 'PAR1'")
    return ([path], []) if "bid_prices" in _parquet.columns_of(path) else ([], [path])


READER = StandxReader

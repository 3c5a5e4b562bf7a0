"""Any CSV or Parquet table of trades, or of books of some levels a line, its columns named by a person or by custom.

`--columns time=ts,price=px,size=qty,side=taker` names the columns of trades; for books `bid_price`, `bid_size`,
`ask_price` and `ask_size`, with {n} for the number of the level, as in `bid_price=bid_px_{n}`. `unit` says what times
count (s, ms, us, ns, or iso for text), `buy` and `sell` the words of sides, `|` between several.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from feeds.errors import BadInput
from feeds.events import BAD_TIME, BUY, LAST, NONE, S_LIVE, SELL, SNAPSHOT, STATUS, TRADE, UNKNOWN, Events
from feeds.files import _parquet
from feeds.files._columns import Part, header, off_marks, parts, texts_of
from feeds.files._contract import Reader
from feeds.files._exact import LIMIT, Ints, Levels, blank, differences
from feeds.files._increments import increments
from feeds.files._snapshots import compose, levels, newest, shift
from feeds.files._streams import Stream, peek
from feeds.files._wording import UNITS, Meaning, guessed, stated
from feeds.instruments import Grid, Instrument
from feeds.source import Checks, OpenOptions

if TYPE_CHECKING:
    import polars as pl

_PARQUET: Final = b"PAR1"
_SLICE: Final = 16_384
_BOOK_SLICE: Final = 2_048
_SAMPLE: Final = 1 << 20
_SAMPLE_ROWS: Final = 4_096
_TARDIS: Final = b",symbol,timestamp,local_timestamp"
_STANDX: Final = {"timestamp", "received_at", "symbol"}
_ISO: Final = "%Y-%m-%d %H:%M:%S%.f"


class TableReader(Reader):
    """Read one table as the trades, or the books, of one instrument."""

    format = "table"
    title = "CSV or Parquet table of trades or of books (--columns)"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether names of columns in common use tell of trades or books."""
        if path.is_dir() or not head or _TARDIS in head[:200]:
            return False
        try:
            names = _names(path, head)
        except BadInput:
            return False
        return not set(names) >= _STANDX and guessed(names) is not None

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Find the columns, the unit of time, tick and lot in the first rows."""
        return cls(path, options)

    def __init__(self, path: Path, options: OpenOptions) -> None:
        if path.is_dir():
            raise BadInput(str(path), None, "one CSV or Parquet file")
        self.path = path
        self.checks = Checks()
        self.position = 0
        self.notes = []
        with Stream(path) as stream:
            self.size = stream.size
        head = peek(path, 1 << 18)
        self.packed = head.startswith(_PARQUET)
        self.names = _names(path, head)
        meaning = stated(options.columns, self.names) if options.columns is not None else guessed(self.names)
        if meaning is None:
            shown = ", ".join(self.names[:30])
            raise BadInput(f"{path}: columns", shown, "--columns time=…,price=…,size=… to say what they mean")
        self.meaning = meaning
        if self.packed:
            _check_types(path, meaning)
        if options.columns is None:
            told = ", ".join(f"{name} = {column}" for name, column in _told(meaning))
            self.notes.append(f"columns taken by their names: {told}")
        self.tier = "C" if meaning.bids and len(meaning.bids) > 1 else "D"
        self.verification = "snapshot" if meaning.bids else "unverifiable"
        self.venue = options.venue or "table"
        first = next(self._parts(_SAMPLE_ROWS), None)
        if first is None or not len(first):
            raise BadInput(f"{path}: {'row' if self.packed else 'line'} 2", None, "at least one row of data")
        self.symbol = self._choose(first, options)
        self.unit = meaning.unit or _unit(first, meaning.time)
        tick, lot = self._derive(first, options)
        self.position = 0
        self.instruments = (
            Instrument(
                venue=self.venue, symbol=options.symbol or self.symbol or path.name.partition(".")[0], tick=tick,
                lot=lot, derived=options.tick is None or options.lot is None,
            ),
        )  # fmt: skip

    def _choose(self, first: Part, options: OpenOptions) -> str:
        """The symbol whose rows are read; '' where the table does not name any."""
        column = self.meaning.symbol
        if not column:
            return ""
        there = [str(one) for one in first.frame[column].drop_nulls().unique(maintain_order=True).to_list()]
        if options.symbol is not None:
            found = [one for one in there if one.casefold() == options.symbol.casefold()]
            if not found:
                raise BadInput("--symbol", options.symbol, "one of " + ", ".join(there[:50]))
            return found[0]
        if len(there) != 1 or not there[0].isprintable() or len(there[0]) > 100:
            shown = ", ".join(there[:20])
            raise BadInput(f"{self.path}: {column}", shown, "one symbol, or --symbol to choose one")
        return there[0]

    def _derive(self, first: Part, options: OpenOptions) -> tuple[str, str]:
        meaning = self.meaning
        pairs = [*meaning.bids, *meaning.asks] or [(meaning.price, meaning.size)]
        mine = first.frame[meaning.symbol].eq_missing(self.symbol).to_numpy() if self.symbol else None
        prices = [text for price, _ in pairs for text in texts_of(first, price, mine)]
        sizes = [text for _, size in pairs for text in texts_of(first, size, mine)]
        found = increments(options, f"{self.path}: first rows", prices, sizes)
        if found.derived:
            self.notes.append(f"{found.derived} derived from the decimals of the first rows")
        return found.tick, found.lot

    def _parts(self, n: int, checks: Checks | None = None) -> Iterator[Part]:
        if self.packed:
            seen, whole = 0, max(1, _parquet.row_count(self.path))
            for frame in _parquet.slices(self.path, self.meaning.columns, n):
                yield Part(self.path, seen + 1, self._named(frame), "row")
                seen += frame.height
                self.position = self.size * min(seen, whole) // whole
            return
        with Stream(self.path) as stream:
            for part in parts(stream, self.names, self.meaning.columns, checks, _SAMPLE):
                self.position = stream.position
                yield part

    def _named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with its symbols as text, however they are stored."""
        import polars as pl

        return frame.with_columns(pl.col(self.meaning.symbol).cast(pl.String)) if self.meaning.symbol else frame

    def rows(self) -> Iterator[Events]:
        """Give a row a trade, or the differences of consecutive books."""
        made = self._rows()
        while (rows := self._next(made)) is not None:
            yield rows

    def _rows(self) -> Iterator[Events]:
        self._before: tuple[Levels, Levels] | None = None
        begun = False
        latest = np.iinfo(np.int64).min
        parts = self._parts(_BOOK_SLICE if self.meaning.bids else _SLICE, self.checks)
        for part in parts:
            for some in self._mine(part):
                self.checks.messages += len(some)
                exch = self.times(some, self.meaning.time)
                recv = self.times(some, self.meaning.received) if self.meaning.received else exch
                rows = self._books(some, recv, exch) if self.meaning.bids else self._trades(some, recv, exch)
                if not len(rows):
                    continue
                if not begun and not self.meaning.bids:
                    start = blank(1)
                    start["recv_ns"], start["exch_ns"] = rows["recv_ns"][0], rows["exch_ns"][0]
                    start["kind"], start["aux"], start["marks"] = STATUS, S_LIVE, SNAPSHOT | LAST
                    rows = np.concatenate([start, rows])
                begun = True
                reached = np.maximum.accumulate(np.maximum(rows["recv_ns"], latest))
                late = rows["recv_ns"] < reached
                rows["marks"][late] |= BAD_TIME
                self.checks.out_of_order += int(late.sum())
                latest = int(reached[-1])
                yield rows
        self.position = self.size

    def _next(self, made: Iterator[Events]) -> Events | None:
        try:
            return next(made, None)
        except BaseException as error:
            if isinstance(error, BadInput) or not type(error).__module__.startswith(("polars", "pyo3")):
                raise
            raise BadInput(str(self.path), str(error).split("\n")[0], "an undamaged table") from None

    def _mine(self, part: Part) -> Iterator[Part]:
        """The part without other symbols, in pieces small enough for a batch."""
        if self.symbol:
            column = self.meaning.symbol
            mine = (part.frame[column] == self.symbol).fill_null(value=False)
            if not mine.all():
                self.checks.ignored["rows of other symbols"] = self.checks.ignored.get(
                    "rows of other symbols", 0
                ) + int((~mine).sum())
                if mine.any():
                    yield Part(self.path, part.first, part.frame.filter(mine), f"{part.word}s from")
                return
        n = max(1, 60_000 // (4 * len(self.meaning.bids))) if self.meaning.bids else 60_000
        for at in range(0, len(part), n):
            yield Part(self.path, part.first + at, part.frame.slice(at, n), part.word)

    def times(self, part: Part, column: str) -> Ints:
        """A column of times in ns since 1970; raise BadInput for what is none."""
        import polars as pl

        series = part.frame[column]
        expected = "a time in UTC" if self.unit == "iso" else f"a time in {self.unit} since 1970"
        if series.null_count():
            raise part.bad(int(series.is_null().arg_max() or 0), column, expected)
        if isinstance(series.dtype, pl.Datetime):
            scale = {"ns": 1, "us": 1_000, "ms": 1_000_000}[series.dtype.time_unit]
            values = series.to_physical().to_numpy()
            wrong = (values < 0) | (values >= LIMIT // scale)
            if wrong.any():
                raise part.bad(int(np.argmax(wrong)), column, expected)
            return values * scale
        if self.unit == "iso":
            texts = series.cast(pl.String).str.replace(r"[Zz]$|\+00:?00$", "").str.replace("T", " ", literal=True)
            read = texts.str.to_datetime(_ISO, time_unit="ns", strict=False)
            if read.null_count():
                raise part.bad(int(read.is_null().arg_max() or 0), column, "a time such as 2024-05-06T07:08:09.123Z")
            values = read.to_physical().to_numpy()
        else:
            grid = Grid("0." + "0" * (UNITS[self.unit] - 1) + "1" if UNITS[self.unit] else "1")
            values, off = part.counts(column, grid)
            if off.any():
                raise part.bad(int(np.argmax(off)), column, "a time of whole ns")
        wrong = (values < 0) | (values >= LIMIT)
        if wrong.any():
            raise part.bad(int(np.argmax(wrong)), column, expected)
        return values

    def _trades(self, part: Part, recv: Ints, exch: Ints) -> Events:
        import polars as pl

        meaning, market = self.meaning, self.instruments[0]
        for column in (meaning.price, meaning.size):
            there = part.present(column)
            if not there.all():
                raise part.bad(int(np.argmin(there)), column, "a number in every row")
        rows = blank(len(part))
        rows["recv_ns"], rows["exch_ns"], rows["kind"] = recv, exch, TRADE
        tick, off = part.counts(meaning.price, market.price, None)
        lots, off_lot = part.counts(meaning.size, market.size, 1)
        rows["tick"], rows["lots"] = tick, lots
        rows["marks"] = LAST | off_marks(off, off_lot)
        self.checks.off_grid += int(off.sum())
        if meaning.id:
            ids = part.frame[meaning.id]
            if ids.dtype == pl.String or ids.dtype.is_integer():
                rows["ref"] = ids.cast(pl.Int64, strict=False).fill_null(NONE).to_numpy()
        if meaning.side:
            words = {"": UNKNOWN} | dict.fromkeys(meaning.buys, BUY) | dict.fromkeys(meaning.sells, SELL)
            side = (
                Part(part.path, part.first, part.frame.with_columns(pl.col(meaning.side).fill_null("")), part.word)
                if part.frame[meaning.side].dtype == pl.String
                else part
            )
            rows["side"] = side.words(meaning.side, words)
        elif meaning.maker:
            rows["side"] = part.words(meaning.maker, {"true": SELL, "false": BUY, "1": SELL, "0": BUY})
        return rows

    def _books(self, part: Part, recv: Ints, exch: Ints) -> Events:
        n, market = len(part), self.instruments[0]
        sides = [
            levels(part, list(pairs), market, sign, self.checks)
            for pairs, sign in ((self.meaning.bids, 1), (self.meaning.asks, -1))
        ]
        before = self._before
        shifted = [shift(side, n, before[at] if before else None) for at, side in enumerate(sides)]
        changes = [differences(old, new) for old, new in zip(shifted, sides, strict=True)]
        self._before = (newest(sides[0], n), newest(sides[1], n))
        return compose(n, recv, exch, changes, before is None)[0]


READER = TableReader


def _names(path: Path, head: bytes) -> list[str]:
    if head.startswith(_PARQUET):
        return list(_parquet.columns_of(path))
    return header(path, head)


def _check_types(path: Path, meaning: Meaning) -> None:
    """Refuse columns of a Parquet file that hold neither numbers, text, times nor truths."""
    import polars as pl

    kinds = _parquet.columns_of(path)
    for name in meaning.columns:
        kind = kinds[name]
        plain = kind.is_numeric() or isinstance(kind, (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Datetime))
        if not plain or (isinstance(kind, pl.Datetime) and name not in {meaning.time, meaning.received}):
            raise BadInput(f"{path}: column {name}", str(kind), "numbers or text, a value in each row")


def _told(meaning: Meaning) -> list[tuple[str, str]]:
    named = [(name, getattr(meaning, name)) for name in ("time", "received", "price", "size", "side", "maker", "id")]
    if meaning.bids:
        named += [("bids", f"{meaning.bids[0][0]} … {len(meaning.bids)} levels"), ("asks", meaning.asks[0][0])]
    return [(name, column) for name, column in named if column]


def _unit(first: Part, column: str) -> str:
    """The unit of a column of times, by its first value: each is some thousand times the next."""
    import polars as pl

    series = first.frame[column]
    if isinstance(series.dtype, pl.Datetime):
        return "ns"
    text = str(series[0] if series[0] is not None else "")
    whole = text.partition(".")[0]
    if not whole.isdigit():
        return "iso"
    digits = len(whole.lstrip("0"))
    return "s" if digits <= 11 else "ms" if digits <= 14 else "us" if digits <= 17 else "ns"

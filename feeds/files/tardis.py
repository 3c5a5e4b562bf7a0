"""Tardis CSV (.csv, .csv.gz): incremental books, book snapshots, quotes, trades, derivative tickers, liquidations.

Format: https://docs.tardis.dev/downloadable-csv-files. Times are microseconds since 1970. Files of one folder are one
session: those of one kind follow each other by their first line, the kinds are merged by `local_timestamp`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np

from feeds.errors import BadInput
from feeds.events import BAD_TIME, Events
from feeds.files._columns import Part, header, parts, texts_of
from feeds.files._contract import Reader
from feeds.files._exact import Ints
from feeds.files._increments import increments
from feeds.files._snapshots import merge
from feeds.files._streams import Stream, peek
from feeds.files._tardis_rows import KEYS, KINDS, Books, Facts, Liquidations, Markets, Prints, Rows, Updates, depth_of
from feeds.instruments import Instrument
from feeds.source import Checks, OpenOptions

_HEAD: Final = ",".join(KEYS).encode() + b","
_SAMPLE: Final = 1 << 21
_MARKETS: Final = 5_000
_MAKERS: Final[dict[str, type[Rows]]] = {
    "incremental_book_L2": Updates,
    "book_snapshot": Books,
    "quotes": Books,
    "trades": Prints,
    "liquidations": Liquidations,
    "derivative_ticker": Facts,
}
_BOOKS: Final = ("incremental_book_L2", "book_snapshot", "quotes")


class _File(NamedTuple):
    path: Path
    size: int
    kind: str
    names: list[str]
    first_ns: int
    markets: dict[str, str]
    """Symbols by 'exchange:symbol' as they are seen in the first lines."""


class TardisReader(Reader):
    """Read one Tardis CSV file, or a folder of them, as one session.

    A snapshot in an incremental file resets the book. Of several kinds that tell the book of one market the most
    detailed makes it: increments before snapshots, those before quotes, which are then told beside it.
    """

    format = "tardis"
    title = "Tardis CSV files (books, snapshots, quotes, trades, tickers, liquidations)"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether the header is one of Tardis; of a folder, whether it holds such a file."""
        try:
            if path.is_dir():
                return any(_kind(peek(file, 4_096), file) for file in _listing(path)[:50])
            return bool(_kind(head, path))
        except OSError:
            return False

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Read the header and the first lines of every file for kind, markets, tick and lot."""
        return cls(path, options)

    def __init__(self, path: Path, options: OpenOptions) -> None:
        self.checks = Checks()
        self.position = 0
        self.notes = []
        self.prices: dict[str, set[str]] = {}
        self.sizes: dict[str, set[str]] = {}
        self.files = [self._look(file) for file in _files(path, self.notes)]
        names = list(dict.fromkeys(name for file in self.files for name in file.markets))
        if not names:
            raise BadInput(f"{self.files[0].path}: line 2", None, "at least one line of data")
        if options.symbol is not None:
            named = [name for name in names if options.symbol.casefold() in (name.casefold(), _symbol(name).casefold())]
            if not named:
                raise BadInput("--symbol", options.symbol, "one of " + ", ".join(map(_symbol, names[:50])))
            names = named
        if len(names) > _MARKETS:
            raise BadInput(f"{path}: symbols", len(names), f"at most {_MARKETS}; choose one with --symbol")
        self.size = sum(file.size for file in self.files)
        exchanges = dict.fromkeys(name.partition(":")[0] for name in names)
        self.venue = options.venue or (exchanges.popitem()[0] if len(exchanges) == 1 else "tardis")
        self.instruments = tuple(self._instrument(name, options) for name in names)
        self._choose(names)

    def _look(self, path: Path) -> _File:
        """What the beginning of one file tells."""
        head = peek(path, 4_096)
        kind = _kind(head, path)
        if not kind:
            header(path, head)
            raise BadInput(
                f"{path}: line 1",
                head.split(b"\n")[0][:80].decode(errors="replace"),
                "the columns of one of " + ", ".join(KINDS),
            )
        columns = header(path, head)
        markets: dict[str, str] = {}
        first = -1
        with Stream(path) as stream:
            # Some bytes of text are read however long its lines are.
            part = next(parts(stream, columns, columns, block=_SAMPLE), None)
            size = stream.size
        if part is not None:
            first = int(part.times("local_timestamp")[0])
            for exchange, symbol in part.frame.select("exchange", "symbol").unique(maintain_order=True).rows():
                if not exchange or not symbol or not f"{exchange}{symbol}".isprintable() or len(symbol) > 100:
                    raise BadInput(f"{path}: symbol", f"{exchange}:{symbol}", "an exchange and a symbol in every line")
                name = f"{exchange}:{symbol}"
                markets[name] = symbol
                its = part.frame["exchange"].eq_missing(exchange) & part.frame["symbol"].eq_missing(symbol)
                for column in _value_columns(kind, columns):
                    into = self.prices if "price" in column else self.sizes
                    into.setdefault(name, set()).update(texts_of(part, column, its.to_numpy())[:20_000])
        return _File(path, size, kind, columns, first, markets)

    def _instrument(self, name: str, options: OpenOptions) -> Instrument:
        place = f"{self.files[0].path.parent}: {name}"
        found = increments(options, place, self.prices.get(name) or ["0.01"], self.sizes.get(name) or ["1"])
        if found.derived and len(self.notes) < 20:
            self.notes.append(f"{_symbol(name)}: {found.derived} derived from the decimals of the first lines")
        return Instrument(
            venue=options.venue or name.partition(":")[0], symbol=_symbol(name), tick=found.tick,
            lot=found.lot, derived=bool(found.derived),
        )  # fmt: skip

    def _choose(self, names: list[str]) -> None:
        """Say which kind makes the book of each market, and with it tier and verification."""
        kinds = {file.kind for file in self.files if not file.markets.keys().isdisjoint(names)}
        book = [0] * len(names)
        depths: dict[int, int] = {}
        for file in self.files:
            for at, name in enumerate(names):
                if name in file.markets and file.kind in _BOOKS:
                    rank = len(_BOOKS) - _BOOKS.index(file.kind)
                    book[at] = max(book[at], rank)
                    depths[at] = max(depths.get(at, 0), depth_of(file.names))
        self.markets = Markets(names, self.instruments, [_BOOKS[-rank] if rank else "" for rank in book], depths)
        rank = max(book)
        self.tier = "C" if rank > 1 else "D"
        self.verification = "snapshot" if rank == len(_BOOKS) - 1 else "unverifiable"
        if len(kinds) > 1:
            self.notes.append("merged by local_timestamp: " + ", ".join(sorted(kinds)))
        if not rank:
            self.notes.append("no book: prints and slow inputs only")

    def rows(self) -> Iterator[Events]:
        """Give all kinds merged by the time they were received."""
        self._read = dict.fromkeys(range(len(self.files)), 0)
        lanes: dict[tuple[str, frozenset[str]], list[int]] = {}
        order = sorted(range(len(self.files)), key=lambda at: (self.files[at].first_ns, self.files[at].path.name))
        for at in order:
            file = self.files[at]
            key = (f"{file.kind} {depth_of(file.names)}", frozenset(file.markets))
            lanes.setdefault(key, []).append(at)
        # The book of a moment is told before what traded against it.
        ranked = sorted(lanes, key=lambda key: list(KINDS).index(key[0].split()[0]))
        latest = np.iinfo(np.int64).min
        for keys, rows in merge(*(self._lane(lanes[key]) for key in ranked)):
            late = rows["recv_ns"] < np.maximum.accumulate(np.maximum(rows["recv_ns"], latest))
            rows["marks"][late] |= BAD_TIME
            self.checks.out_of_order += int(late.sum())
            latest = max(latest, int(keys[-1]))
            self.position = min(self.size, sum(self._read.values()))
            yield rows
        self.position = self.size

    def _lane(self, files: list[int]) -> Iterator[tuple[Ints, Events]]:
        latest = np.iinfo(np.int64).min
        for at in files:
            file = self.files[at]
            maker = _MAKERS[file.kind](file.kind, self.markets, self.checks)
            with Stream(file.path) as stream:
                for part in _whole_messages(parts(stream, file.names, maker.columns(file.names), self.checks)):
                    self._read[at] = stream.position
                    rows = maker.rows(part)
                    if len(rows):
                        keys = np.maximum.accumulate(np.maximum(rows["recv_ns"], latest))
                        latest = int(keys[-1])
                        yield keys, rows
            self._read[at] = file.size


READER = TardisReader


def _symbol(name: str) -> str:
    return name.partition(":")[2]


def _value_columns(kind: str, columns: list[str]) -> list[str]:
    """Prices and sizes on the grid: not those that an index or a mark may have."""
    if kind == "derivative_ticker":
        return ["last_price"] if "last_price" in columns else []
    return [name for name in columns if name.endswith(("price", "amount"))]


def _kind(head: bytes, path: Path) -> str:
    """The kind of a file by its header, '' where it is none of Tardis."""
    if not head.removeprefix(b"\xef\xbb\xbf").startswith(_HEAD):
        return ""
    try:
        names = set(header(path, head))
    except BadInput:
        return ""
    found = [kind for kind, needed in KINDS.items() if names.issuperset(needed)]
    if "trades" in found:
        # Both have the same columns: only the name tells them apart.
        return "liquidations" if "liquidation" in path.name.casefold() else "trades"
    return found[0] if found else ""


def _listing(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file() and ".csv" in file.suffixes)


def _files(path: Path, notes: list[str]) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = {file: bool(_kind(peek(file, 4_096), file)) for file in _listing(path)}
    ignored = [file.name for file, ours in found.items() if not ours]
    if ignored:
        notes.append(f"ignored: {', '.join(ignored[:20])}")
    files = [file for file, ours in found.items() if ours]
    if not files:
        raise BadInput(f"{path}: files", None, "CSV files of Tardis")
    return files


_HELD: Final = 1 << 18


def _whole_messages(given: Iterator[Part]) -> Iterator[Part]:
    """Cut parts where a line was received at another time than the one before, so that each holds whole messages."""
    import polars as pl

    held: Part | None = None
    for part in given:
        whole = part if held is None else Part(part.path, held.first, pl.concat([held.frame, part.frame]))
        stamps = whole.frame["local_timestamp"]
        before = (stamps != stamps[-1]).to_numpy().nonzero()[0]
        cut = int(before[-1]) + 1 if len(before) else 0
        if cut == 0 and len(whole) < _HELD:
            held = whole
            continue
        cut = cut or len(whole)
        yield Part(whole.path, whole.first, whole.frame.head(cut))
        held = Part(whole.path, whole.first + cut, whole.frame.slice(cut)) if cut < len(whole) else None
    if held is not None:
        yield held

"""LOBSTER: a day of one Nasdaq stock order by order, message file and order book file in CSV.

Format: https://lobsterdata.com, "Output structure": `time,type,id,size,price*10000,direction`. The book's rows
give the state after the message of the same number, ask price, ask size, bid price, bid size, level by level.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from feeds.errors import BadInput
from feeds.events import Events
from feeds.files._contract import Reader
from feeds.files._lobster_day import LINE, NAME, Day
from feeds.files._streams import Stream, peek
from feeds.instruments import Instrument, derive_increment
from feeds.source import Checks, OpenOptions

_HEAD: Final = re.compile(rb"\d{1,6}(?:\.\d+)?,[1-7],\d+,\d+,-?\d+,(?:-1|0|1)\r?\n")


class LobsterReader(Reader):
    """Read LOBSTER messages as orders, seeded from the first row of the order book file where there is one.

    Orders older than the file are unknown: each level of the seed is one anonymous order with an id below 0, and
    a message that names an unknown order acts on the anonymous order of its level. The number of the row in the
    message file, from 1, is the venue sequence. The inside after each message is compared with the book file.
    """

    format = "lobster"
    title = "LOBSTER message and order book files (CSV)"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether lines are LOBSTER messages; of a folder, whether it holds a message file."""
        if path.is_dir():
            return bool(_message_files(path))
        if "_orderbook_" in path.name:
            return bool(_message_beside(path))
        return bool(_HEAD.match(head)) and all(LINE.match(line) for line in head.splitlines()[1:5])

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Find the message files, the seed, the date and the tick."""
        return cls(path, options)

    def __init__(self, path: Path, options: OpenOptions) -> None:
        self.files = _find_messages(path)
        self.tier = "A"
        self.checks = Checks()
        self.position = 0
        symbols = {found["symbol"] if (found := NAME.match(file.name)) else "" for file in self.files}
        if len(symbols) > 1 and not options.symbol:
            raise BadInput(f"{path}: symbols", ", ".join(sorted(symbols)), "one stock; open one message file instead")
        symbol = options.symbol or symbols.pop() or "UNKNOWN"
        books = [_books_of(file) for file in self.files]
        self.books = [deepest for deepest, _ in books]
        # Sizes are compared as the file counts them, in shares.
        self.truths = [longest if options.lot in {None, "1"} else None for _, longest in books]
        self.verification = "snapshot" if any(self.truths) else "unverifiable"
        self.size = sum(file.stat().st_size for file in self.files)
        self.venue = options.venue or "nasdaq"
        self.notes = []
        tick = options.tick
        if tick is None:
            tick = _derive_tick(self.files[0])
            self.notes.append(f"tick {tick} derived from the prices of the first orders")
        for file, book in zip(self.files, self.books, strict=True):
            if book is None:
                self.notes.append(f"{file.name}: no order book file, partial: orders before the first row are unknown")
            else:
                self.notes.append(f"{file.name}: book seeded from {book.name}; orders beyond its levels are unknown")
            if not NAME.match(file.name):
                self.notes.append(f"{file.name}: no date in the name, times are those of 1970-01-01")
        self.instruments = (
            Instrument(
                venue=self.venue, symbol=symbol, tick=tick, lot=options.lot or "1", currency="USD",
                derived=options.tick is None, locked_ok=True, timezone="America/New_York",
            ),
        )  # fmt: skip

    def rows(self) -> Iterator[Events]:
        """Give each message as one or two rows, each file's after its seed."""
        done = 0
        for file, book, truth in zip(self.files, self.books, self.truths, strict=True):
            day = Day(file, book, truth, self.instruments[0], self.checks)
            with Stream(file) as stream:
                for block in day.blocks(stream):
                    self.position = done + stream.position
                    yield block
                done += stream.size
            self.position = done


def _message_files(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if "_message_" in file.name and ".csv" in file.suffixes)
    except OSError:
        return []


def _message_beside(book: Path) -> list[Path]:
    prefix = book.name.split("_orderbook_")[0] + "_message_"
    return [file for file in _message_files(book.parent) if file.name.startswith(prefix)]


def _find_messages(path: Path) -> list[Path]:
    if path.is_dir():
        files = _message_files(path)
    elif "_orderbook_" in path.name:
        files = _message_beside(path)
    else:
        files = [path]
    for file in files:
        with Stream(file):
            pass
    if not files:
        raise BadInput(
            f"{path}: messages", None, "a file NAME_message_LEVELS.csv: the order book file alone has no times"
        )
    return files


def _books_of(message: Path) -> tuple[Path | None, Path | None]:
    """The book file of a message file with the most levels, and the one with the most rows."""
    if "_message_" not in message.name:
        return None, None
    prefix = message.name.split("_message_")[0] + "_orderbook_"
    try:
        found = [file for file in sorted(message.parent.iterdir()) if file.name.startswith(prefix)]
    except OSError:
        return None, None
    width = {file: peek(file, 1 << 16).split(b"\n", 1)[0] for file in found}
    deepest = max(found, key=lambda file: width[file].count(b","), default=None)
    # Rows are about as long as the first; of files with all rows the narrowest is the quickest to read.
    rows = {file: file.stat().st_size // (len(width[file]) + 1) for file in found}
    most = max(rows.values(), default=0)
    longest = min((file for file in found if rows[file] * 2 > most), key=lambda file: len(width[file]), default=None)
    return deepest, longest


def _derive_tick(path: Path) -> str:
    head = peek(path, 1 << 18)
    texts = []
    for line in head.splitlines()[:8192]:
        found = LINE.match(line)
        if found and found[3] == b"1" and int(found[6]) > 0:
            texts.append(f"{int(found[6]) // 10000}.{int(found[6]) % 10000:04d}".rstrip("0").rstrip("."))
    return derive_increment(texts, nice=True) if texts else "0.01"


READER = LobsterReader

"""Nasdaq TotalView-ITCH 5.0 (plain or packed): every order of one stock over a day.

Format: Nasdaq TotalView-ITCH 5.0 specification; each message stands behind its length as two bytes, as in the files
that Nasdaq gives away. Times are ns after midnight in New York; the date is read from the name of the file.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo

import numpy as np

from feeds.errors import BadInput
from feeds.events import BAD_TIME, Events
from feeds.files._contract import Reader
from feeds.files._itch import LENGTHS, blocks
from feeds.files._itch_day import Day
from feeds.files._streams import Stream
from feeds.instruments import Instrument
from feeds.source import Checks, OpenOptions

_SAMPLE: Final = 1 << 26
"""Bytes looked at before reading: for the list of stocks, and the first prices of the one that is read."""
_PRICES: Final = 500
_CENT: Final = 100
"""Orders of a stock at a dollar or more are a multiple of this apart; below, every 0.0001 is allowed."""
_TELLING: Final = 100
"""Hidden executions that all say one side say nothing: so many of one side by chance is 1 in 2**99."""
_MOST_ROWS: Final = 60_000
_DATES: Final = (
    (re.compile(r"(?<!\d)(\d{2})(\d{2})(20\d{2})(?!\d)"), "{3}-{1}-{2}"),
    (re.compile(r"(?<!\d)(20\d{2})-?(\d{2})-?(\d{2})(?!\d)"), "{1}-{2}-{3}"),
    (re.compile(r"(?<![A-Za-z\d])[Ss](\d{2})(\d{2})(\d{2})(?!\d)"), "20{3}-{1}-{2}"),
)


class _Start(NamedTuple):
    stocks: list[bytes]
    prices: list[int]
    sided: bool


class ItchReader(Reader):
    """Read the orders, executions, crosses and states of one stock.

    A file has thousands: `symbol` says which, and opening without it tells their names. Executions of orders are
    prints of regular kind, those of orders never shown hidden prints, crosses auction prints; a broken trade takes its
    print back. A replaced order is a new one behind its level.
    """

    format = "itch"
    title = "Nasdaq TotalView-ITCH 5.0, one stock of a day"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether the file begins with messages behind their lengths."""
        if path.is_dir() or len(head) < 14 or head[:2] != b"\x00\x0c" or head[2:3] != b"S":
            return False
        at = 0
        for _ in range(8):
            if at + 3 > len(head):
                break
            length = int.from_bytes(head[at : at + 2], "big")
            if LENGTHS.get(head[at + 2 : at + 3]) != length:
                return length == 0 and at > 0
            at += 2 + length
        return True

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Read the list of stocks and the first prices of the one that is wanted."""
        return cls(path, options)

    def __init__(self, path: Path, options: OpenOptions) -> None:
        if path.is_dir():
            raise BadInput(str(path), None, "one file of ITCH messages")
        self.path = path
        self.checks = Checks()
        self.position = 0
        self.tier = "A"
        self.verification = "unverifiable"
        self.venue = options.venue or "nasdaq"
        self.notes = []
        start = _look(path, None if options.symbol is None else options.symbol.strip().upper().encode())
        symbol = _choose(path, start.stocks, options.symbol)
        self.stock = symbol.ljust(8).encode()
        with Stream(path) as stream:
            self.size = stream.size
        day = _date(path.name)
        midnight = dt.datetime.fromisoformat(day or "1970-01-01").replace(tzinfo=ZoneInfo("America/New_York"))
        self.midnight_ns = int(midnight.timestamp()) * 10**9
        if day is None:
            self.notes.append(f"{path.name}: no date in the name, times are those of 1970-01-01")
        self.sided = start.sided
        if not start.sided:
            self.notes.append("hidden executions name no side: it is inferred by the quote")
        tick = options.tick
        if tick is None:
            tick = "0.0001" if any(price % _CENT for price in start.prices) else "0.01"
            self.notes.append(f"tick {tick} derived from the prices of the first orders")
        self.instruments = (
            Instrument(
                venue=self.venue, symbol=symbol, tick=tick, lot=options.lot or "1", currency="USD",
                derived=options.tick is None, locked_ok=True, timezone="America/New_York",
            ),
        )  # fmt: skip

    def rows(self) -> Iterator[Events]:
        """Give the stock's rows, in the order of the file."""
        day = Day(self.stock, self.instruments[0], self.midnight_ns, self.checks, sided=self.sided)
        latest = np.iinfo(np.int64).min
        with Stream(self.path) as stream:
            for block in blocks(stream):
                self.position = stream.position
                rows = day.rows(block, f"{self.path}: bytes from {block.at}")
                if not len(rows):
                    continue
                reached = np.maximum.accumulate(np.maximum(rows["recv_ns"], latest))
                late = rows["recv_ns"] < reached
                rows["marks"][late] |= BAD_TIME
                self.checks.out_of_order += int(late.sum())
                latest = int(reached[-1])
                yield from _cut(rows)
        self.position = self.size


READER = ItchReader


def _cut(rows: Events) -> Iterator[Events]:
    """Batches of at most some rows; no message has more than two."""
    at = 0
    while at < len(rows):
        end = min(len(rows), at + _MOST_ROWS)
        if end < len(rows) and not rows["marks"][end - 1] & 1:
            end -= 1
        yield rows[at:end]
        at = end


def _look(path: Path, wanted: bytes | None) -> _Start:
    """The stocks of a file, the first prices of one of them, and whether hidden executions tell their side."""
    stocks: dict[bytes, int] = {}
    prices: list[int] = []
    sides: dict[bytes, int] = {b"B": 0, b"S": 0}
    with Stream(path) as stream:
        head = stream.read(3)
        if head[:2] != b"\x00\x0c" or head[2:3] != b"S":
            raise BadInput(f"{path}: byte 0", head, "the length 12 and a system event of ITCH 5.0")
    try:
        _read_start(path, wanted, stocks, prices, sides)
    except BadInput:
        # Told again with the rows before it, where the file is read.
        if not stocks:
            raise
    told = min(sides.values()) > 0 or (sum(sides.values()) < _TELLING and sides[b"S"] > 0)
    return _Start(list(stocks), [price for price in prices if price > 0], told)


def _read_start(
    path: Path, wanted: bytes | None, stocks: dict[bytes, int], prices: list[int], sides: dict[bytes, int]
) -> None:
    with Stream(path) as stream:
        for block in blocks(stream):
            letters = block.letters
            for one in block.messages(b"R", np.flatnonzero(letters == ord("R"))):
                stocks.setdefault(bytes(one["stock"]).rstrip(), int(one["locate"]))
            chosen = wanted if wanted is not None else next(iter(stocks), b"") if len(stocks) == 1 else b""
            if chosen in stocks and len(prices) < _PRICES:
                its = np.flatnonzero((block.locates == stocks[chosen]) & (letters == ord("A")))[:_PRICES]
                prices += block.messages(b"A", its)["price"].astype(np.int64).tolist()
            hidden = block.messages(b"P", np.flatnonzero(letters == ord("P")))
            for side in sides:
                sides[side] += int((hidden["side"] == side).sum())
            many = len(stocks) > 1 and wanted is None and b"A" in letters.tobytes()
            if many or block.at > _SAMPLE or (len(prices) >= _PRICES and sum(sides.values()) >= _TELLING):
                return


def _choose(path: Path, stocks: list[bytes], wanted: str | None) -> str:
    names = [stock.decode("ascii", "replace") for stock in stocks]
    names = [name for name in names if name and name.isprintable()]
    if not names:
        raise BadInput(f"{path}: stocks", None, "a stock directory message near the start of the file")
    if wanted is None:
        if len(names) == 1:
            return names[0]
        shown = ", ".join(sorted(names)[:20])
        raise BadInput(f"{path}: --symbol", f"{len(names)} stocks", f"one of them: {shown} …")
    if wanted.strip().upper() in names:
        return wanted.strip().upper()
    near = difflib.get_close_matches(wanted.upper(), names, 5) or sorted(names)[:20]
    raise BadInput(f"{path}: --symbol", wanted, "one of the file's stocks, such as " + ", ".join(near))


def _date(name: str) -> str | None:
    for pattern, form in _DATES:
        if found := pattern.search(name):
            text = form.format(found[0], *found.groups())
            try:
                dt.date.fromisoformat(text)
            except ValueError:
                continue
            return text
    return None

"""LOBSTER: a day of one Nasdaq stock order by order, message file and order book file in CSV.

Format: https://lobsterdata.com, "Output structure": `time,type,id,size,price*10000,direction`. The book's rows
give the state after the message of the same number, ask price, ask size, bid price, bid size, level by level.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    AUCTION,
    BAD_TIME,
    BID,
    BUY,
    CANCEL,
    CLEAR,
    FILL,
    HIDDEN,
    IMPLIED,
    LAST,
    NONE,
    OFF_GRID,
    S_AUCTION,
    S_HALTED,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    UNKNOWN,
    EventBuffer,
    Events,
)  # fmt: skip
from feeds.files._contract import Reader
from feeds.files._exact import Bools, Ints, blank, count_scaled
from feeds.files._streams import Stream, peek
from feeds.instruments import Instrument, derive_increment
from feeds.source import Checks, OpenOptions

_LINE: Final = re.compile(rb"(\d{1,6})(?:\.(\d{0,20}))?,([1-7]),(\d{1,18}),(\d{1,15}),(-?\d{1,13}),(-1|0|1)\Z")
_HEAD: Final = re.compile(rb"\d{1,6}(?:\.\d+)?,[1-7],\d+,\d+,-?\d+,(?:-1|0|1)\r?\n")
_NAME: Final = re.compile(r"(?P<symbol>.+?)_(?P<date>\d{4}-\d\d-\d\d)_")
_BLOCK: Final = 16_384
_BLANK_PRICE: Final = 9_999_999_999
_SIDE_LOST: Final = date(2014, 7, 14)
"""Since this day type 5 always says direction 1, whatever the side was."""
_PHASES: Final = {-1: S_HALTED, 0: S_AUCTION, 1: S_LIVE}


class LobsterReader(Reader):
    """Read LOBSTER messages as orders, seeded from the first row of the order book file where there is one.

    Orders older than the file are unknown: each level of the seed is one anonymous order with an id below 0, and
    a message that names an unknown order acts on the anonymous order of its level. The number of the row in the
    message file, from 1, is the venue sequence.
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
        return bool(_HEAD.match(head)) and all(_LINE.match(line) for line in head.splitlines()[1:5])

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Find the message files, the seed, the date and the tick."""
        return cls(path, options)

    def __init__(self, path: Path, options: OpenOptions) -> None:
        self.files = _find_messages(path)
        self.tier = "A"
        self.verification = "unverifiable"
        self.checks = Checks()
        self.position = 0
        symbols = {found["symbol"] if (found := _NAME.match(file.name)) else "" for file in self.files}
        if len(symbols) > 1 and not options.symbol:
            raise BadInput(f"{path}: symbols", ", ".join(sorted(symbols)), "one stock; open one message file instead")
        symbol = options.symbol or symbols.pop() or "UNKNOWN"
        self.books = [_book_of(file) for file in self.files]
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
            if not _NAME.match(file.name):
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
        for file, book in zip(self.files, self.books, strict=True):
            day = _Day(file, book, self.instruments[0], self.checks)
            with Stream(file) as stream:
                for block in day.blocks(stream):
                    self.position = done + stream.position
                    yield block
                done += stream.size
            self.position = done


class _Day:
    def __init__(self, path: Path, book: Path | None, instrument: Instrument, checks: Checks) -> None:
        self.path = path
        self.book = book
        self.grid = instrument.price
        self.lot = instrument.size
        self.checks = checks
        found = _NAME.match(path.name)
        day = _date(path, found["date"]) if found else date(1970, 1, 1)
        self.midnight_ns = _midnight_ns(day)
        self.infer_hidden = found is None or day > _SIDE_LOST
        self.left: dict[int, int] = {}
        self.anonymous: dict[tuple[int, int], tuple[int, int]] = {}
        """Side and price to the synthetic id and what is left of it."""
        self.quotes: dict[tuple[int, int], int] | None = {} if self.infer_hidden else None
        self.phase = S_LIVE
        self.last_ns = NONE
        self.row = 0

    def blocks(self, stream: Stream) -> Iterator[Events]:
        lines: list[tuple[bytes, ...]] = []
        match = _LINE.match
        for number, line in stream.lines():
            found = match(line)
            if found is None:
                raise BadInput(
                    f"{self.path}: line {number}",
                    line[:60].decode("utf-8", "replace"),
                    "time,type,id,size,price,direction as LOBSTER writes them",
                )
            lines.append(found.groups(b""))
            if len(lines) == _BLOCK:
                yield self.block(lines)
                lines = []
        if lines:
            yield self.block(lines)
        if not self.row:
            raise BadInput(f"{self.path}: line 1", "", "at least one message")

    def block(self, lines: list[tuple[bytes, ...]]) -> Events:
        seconds, parts, kinds, ids, sizes, prices, sides = zip(*lines, strict=True)
        n = len(lines)
        place = f"{self.path}: line {self.row + 1} to {self.row + n}"
        times = np.fromiter(map(int, seconds), np.int64, n) * 1_000_000_000
        times += np.fromiter(map(_fraction_ns, parts), np.int64, n) + self.midnight_ns
        kind = np.fromiter(map(int, kinds), np.int64, n)
        price = np.fromiter(map(int, prices), np.int64, n)
        side = np.fromiter(map(int, sides), np.int64, n)
        lots, off_lot = count_scaled(self.lot, np.fromiter(map(int, sizes), np.int64, n), 0, f"{place}: size")
        if off_lot.any():
            raise BadInput(
                f"{place}: size", sizes[int(np.flatnonzero(off_lot)[0])].decode(), f"lots of {self.lot.increment}"
            )
        quiet = kind == 7
        wrong = ((kind <= 4) & ((side == 0) | (price <= 0) | (lots <= 0))) | ((kind > 4) & ~quiet & (lots <= 0))
        wrong |= quiet & ((price < -1) | (price > 1))
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            found = b",".join(lines[at][2:]).decode()
            raise BadInput(
                f"{self.path}: line {self.row + at + 1}", found, "a price and a size above 0, direction 1 or -1"
            )
        tick, off = count_scaled(self.grid, np.where(quiet, 0, price), 4, f"{place}: price")
        start = self.row == 0
        seed = self.seed(int(times[0]), lines[0]) if start else None
        ref, aggressor, implied, phase = self.follow(kind, np.fromiter(map(int, ids), np.int64, n), lots, price, side)
        rows = self.compose(kind, times, tick, off, lots, side, ref, aggressor, implied, phase)
        self.row += n
        self.checks.messages += n
        self.checks.off_grid += int(off[~quiet].sum())
        return rows if seed is None else np.concatenate([seed, rows])

    def follow(self, kind: Ints, ids: Ints, lots: Ints, price: Ints, side: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Name the order each message acts on, its lots (corrected in place), the aggressor and the phase."""
        n = len(kind)
        ref = ids.copy()
        aggressor = np.where((kind == 4) | (kind == 5), -side, UNKNOWN)
        implied = np.zeros(n, dtype=np.int64)
        phase = np.full(n, self.phase, dtype=np.int64)
        left, quotes = self.left, self.quotes
        columns = zip(kind.tolist(), ids.tolist(), lots.tolist(), price.tolist(), side.tolist(), strict=True)
        for at, (what, order, size, at_price, of_side) in enumerate(columns):
            if what == 1:
                left[order] = size
                if quotes is not None:
                    quotes[of_side, at_price] = quotes.get((of_side, at_price), 0) + size
            elif what <= 4:
                have = left.get(order)
                if have is None:
                    ref[at] = self.anonymous_order(of_side, at_price, order, size)
                    taken = size
                elif what == 3 or size >= have:
                    del left[order]
                    taken = lots[at] = have
                else:
                    left[order] = have - size
                    taken = size
                if quotes is not None:
                    rest = quotes.get((of_side, at_price), 0) - taken
                    if rest > 0:
                        quotes[of_side, at_price] = rest
                    else:
                        quotes.pop((of_side, at_price), None)
            elif what == 5 and quotes is not None and of_side >= 0:
                aggressor[at] = _by_quote(quotes, at_price)
                implied[at] = IMPLIED if aggressor[at] else 0
            elif what == 7:
                self.phase = _PHASES[at_price]
                phase[at:] = self.phase
        return ref, aggressor, implied, phase

    def anonymous_order(self, side: int, price: int, order: int, size: int) -> int:
        """Take `size` from the anonymous order of a level; its id, or the unknown order's own where there is none."""
        held = self.anonymous.get((side, price))
        if held is None:
            self.checks.unknown_orders += 1
            return order
        synthetic, rest = held
        if rest > size:
            self.anonymous[side, price] = (synthetic, rest - size)
        else:
            del self.anonymous[side, price]
        return synthetic

    def compose(
        self, kind: Ints, times: Ints, tick: Ints, off: Bools, lots: Ints, side: Ints, ref: Ints, aggressor: Ints,
        implied: Ints, phase: Ints,
    ) -> Events:  # fmt: skip
        """Write one row a message, and a second one for executions: FILL and TRADE, or TRADE and STATUS."""
        n = len(kind)
        double = (kind >= 4) & (kind <= 6)
        many = 1 + double
        first = np.cumsum(many) - many
        last = first + many - 1
        rows = blank(int(many.sum()))
        of = np.repeat(np.arange(n), many)
        rows["recv_ns"] = times[of]
        rows["exch_ns"] = times[of]
        number = self.row + 1 + np.arange(n)
        orders, prints, fills, states = kind <= 4, kind >= 4, kind == 4, kind >= 5
        prints &= kind <= 6
        kinds = np.array([0, ADD, CANCEL, CANCEL, FILL, TRADE, TRADE, STATUS], dtype=np.uint8)
        at = first[orders]
        rows["kind"][at] = kinds[kind[orders]]
        rows["side"][at] = side[orders]
        rows["ref"][at] = ref[orders]
        rows["aux"][at] = number[orders]
        at = first[prints] + fills[prints]
        rows["kind"][at] = TRADE
        rows["side"][at] = aggressor[prints]
        rows["aux"][at] = np.array([0, 0, 0, 0, 0, HIDDEN, AUCTION], dtype=np.int64)[kind[prints]]
        for name, column in (("tick", tick), ("lots", lots)):
            rows[name][first[orders]] = column[orders]
            rows[name][at] = column[prints]
        marks = rows["marks"]
        marks[first[orders]] |= np.where(off[orders], OFF_GRID, 0).astype(np.uint16)
        marks[at] |= (np.where(off[prints], OFF_GRID, 0) | implied[prints]).astype(np.uint16)
        at = last[states]
        rows["kind"][at] = STATUS
        rows["aux"][at] = phase[states]
        rows["ref"][at] = number[states]
        marks[last] |= LAST
        reached = np.maximum.accumulate(np.maximum(times, self.last_ns))
        late = times < reached
        if late.any():
            marks[late[of]] |= BAD_TIME
            self.checks.out_of_order += int(late.sum())
        self.last_ns = int(reached[-1])
        return rows

    def seed(self, time_ns: int, first: tuple[bytes, ...]) -> Events:
        """Write the book before message 1: row 1 of the order book file without what message 1 did."""
        out = EventBuffer()
        out.append(CLEAR, time_ns, time_ns, marks=SNAPSHOT)
        for (side, price), size in self.levels_before(first).items():
            synthetic = -1 - len(self.anonymous)
            lots, on_lot = self.lot.read(str(size))
            if not on_lot:
                raise BadInput(f"{self.book}: line 1", size, f"lots of {self.lot.increment}")
            (tick,), (off,) = count_scaled(self.grid, np.array([price]), 4, f"{self.book}: line 1")
            self.anonymous[side, price] = (synthetic, lots)
            if self.quotes is not None:
                self.quotes[side, price] = lots
            marks = SNAPSHOT | (OFF_GRID if off else 0)
            out.append(ADD, time_ns, time_ns, int(tick), lots, side, synthetic, NONE, 0, marks)
        out.append(STATUS, time_ns, time_ns, aux=S_LIVE, marks=SNAPSHOT | LAST)
        return out.take()

    def levels_before(self, first: tuple[bytes, ...]) -> dict[tuple[int, int], int]:
        levels: dict[tuple[int, int], int] = {}
        if self.book is None:
            return levels
        with Stream(self.book) as stream:
            _, line = next(stream.lines(), (1, b""))
        place = f"{self.book}: line 1"
        cells = line.split(b",")
        if len(cells) % 4 or not re.fullmatch(rb"-?\d{1,13}(,-?\d{1,13})*", line):
            raise BadInput(place, line[:60].decode("utf-8", "replace"), "ask price, ask size, bid price, bid size, ...")
        numbers = list(map(int, cells))
        for at in range(0, len(numbers), 2):
            price, size = numbers[at], numbers[at + 1]
            if size < 0 or (abs(price) != _BLANK_PRICE and (size == 0 or price <= 0)):
                raise BadInput(place, f"{price},{size}", "a price and a size above 0")
            if size and abs(price) != _BLANK_PRICE:
                levels[ASK if at % 4 == 0 else BID, price] = size
        kind, size, price, side = int(first[2]), int(first[4]), int(first[5]), int(first[6])
        if kind == 1:
            levels[side, price] = levels.get((side, price), 0) - size
        elif kind <= 4:
            levels[side, price] = levels.get((side, price), 0) + size
        return {level: size for level, size in levels.items() if size > 0}


def _fraction_ns(digits: bytes) -> int:
    # More than 9 digits are the noise of a float that held the time: the nearest ns is meant.
    if len(digits) <= 9:
        return int(digits.ljust(9, b"0"))
    return int(digits[:9]) + (digits[9:10] >= b"5")


def _by_quote(quotes: dict[tuple[int, int], int], price: int) -> int:
    bid = max((at for side, at in quotes if side == BID), default=None)
    ask = min((at for side, at in quotes if side == ASK), default=None)
    if bid is None or ask is None or bid >= ask:
        return UNKNOWN
    twice = 2 * price - bid - ask
    return BUY if twice > 0 else SELL if twice < 0 else UNKNOWN


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


def _book_of(message: Path) -> Path | None:
    if "_message_" not in message.name:
        return None
    prefix = message.name.split("_message_")[0] + "_orderbook_"
    try:
        found = [file for file in sorted(message.parent.iterdir()) if file.name.startswith(prefix)]
    except OSError:
        return None
    return max(found, key=lambda file: peek(file, 1 << 16).split(b"\n", 1)[0].count(b","), default=None)


def _derive_tick(path: Path) -> str:
    head = peek(path, 1 << 18)
    texts = []
    for line in head.splitlines()[:8192]:
        found = _LINE.match(line)
        if found and found[3] == b"1" and int(found[6]) > 0:
            texts.append(f"{int(found[6]) // 10000}.{int(found[6]) % 10000:04d}".rstrip("0").rstrip("."))
    return derive_increment(texts, nice=True) if texts else "0.01"


def _date(path: Path, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{path}: date in the name", text, "a date such as 2012-06-21") from None


def _midnight_ns(day: date) -> int:
    try:
        zone = ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:
        raise BadInput(
            "time zone America/New_York", None, "the system's time zone data, or the package tzdata"
        ) from None
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1_000_000_000


READER = LobsterReader

"""One day of LOBSTER messages: orders followed by id, composed into rows, compared with the vendor's book."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    AUCTION,
    BAD_TIME,
    BID,
    CANCEL,
    CHECKED,
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
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
    UNKNOWN,
    EventBuffer,
    Events,
)  # fmt: skip
from feeds.files._exact import Bools, Ints, blank, count_scaled
from feeds.files._sides import Side, lean
from feeds.files._streams import Stream
from feeds.instruments import Instrument
from feeds.source import Checks

LINE: Final = re.compile(rb"(\d{1,6})(?:\.(\d{0,20}))?,([1-7]),(\d{1,18}),(\d{1,15}),(-?\d{1,13}),(-1|0|1)\Z")
NAME: Final = re.compile(r"(?P<symbol>.+?)_(?P<date>\d{4}-\d\d-\d\d)_")
_INSIDE: Final = re.compile(rb"(-?\d{1,13}),(\d{1,15}),(-?\d{1,13}),(\d{1,15})(?:,|\r?\Z)")
_BLOCK: Final = 16_384
_BLANK_PRICE: Final = 9_999_999_999
_SIDE_LOST: Final = date(2014, 7, 14)
"""Since this day type 5 always says direction 1, whatever the side was."""
_PHASES: Final = {-1: S_HALTED, 0: S_AUCTION, 1: S_LIVE}
_Inside = tuple[int | None, int, int | None, int]
"""Ask, its size, bid, its size, as a book file begins; a price is None where the side is empty."""


class Day:
    """The messages of one file, seeded from the first row of a book file and compared with every row of one."""

    def __init__(
        self, path: Path, book: Path | None, truth: Path | None, instrument: Instrument, checks: Checks
    ) -> None:
        self.path = path
        self.book = book
        self.grid = instrument.price
        self.lot = instrument.size
        self.checks = checks
        found = NAME.match(path.name)
        day = _date(path, found["date"]) if found else date(1970, 1, 1)
        self.midnight_ns = _midnight_ns(day)
        self.infer_hidden = found is None or day > _SIDE_LOST
        self.left: dict[int, int] = {}
        self.anonymous: dict[tuple[int, int], tuple[int, int]] = {}
        """Side and price to the synthetic id and what is left of it."""
        self.truth = truth
        self.wrong = False
        """Whether the newest message left another inside than the vendor's."""
        self.sides = {BID: Side(BID), ASK: Side(ASK)} if self.infer_hidden or truth else None
        self.vendor = _insides(truth)
        self.phase = S_LIVE
        self.last_ns = NONE
        self.row = 0

    def blocks(self, stream: Stream) -> Iterator[Events]:
        try:
            yield from self.followed(stream)
        finally:
            self.vendor.close()

    def followed(self, stream: Stream) -> Iterator[Events]:
        lines: list[tuple[bytes, ...]] = []
        damage = None
        try:
            for number, line in stream.lines():
                found = LINE.match(line)
                if found is None:
                    place, shown = f"{self.path}: line {number}", line[:60].decode("utf-8", "replace")
                    raise BadInput(place, shown, "time,type,id,size,price,direction as LOBSTER writes them")
                lines.append(found.groups(b""))
                if len(lines) == _BLOCK:
                    full, lines = lines, []
                    yield self.block(full)
        except BadInput as error:
            damage = error
        if lines:
            yield self.block(lines)
        if damage is not None:
            raise damage
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
        ref, aggressor, more, phase = self.follow(kind, np.fromiter(map(int, ids), np.int64, n), lots, price, side)
        rows = self.compose(kind, times, tick, off, lots, side, ref, aggressor, more, phase)
        self.row += n
        self.checks.messages += n
        self.checks.off_grid += int(off[~quiet].sum())
        return rows if seed is None else np.concatenate([seed, rows])

    def follow(self, kind: Ints, ids: Ints, lots: Ints, price: Ints, side: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Name the order each message acts on, its lots (corrected in place), the aggressor, marks and the phase."""
        n = len(kind)
        ref = ids.copy()
        aggressor = np.where((kind == 4) | (kind == 5), -side, UNKNOWN)
        more = np.zeros(n, dtype=np.int64)
        phase = np.full(n, self.phase, dtype=np.int64)
        left, sides = self.left, self.sides
        columns = zip(kind.tolist(), ids.tolist(), lots.tolist(), price.tolist(), side.tolist(), strict=True)
        for at, (what, order, size, at_price, of_side) in enumerate(columns):
            if what == 1:
                left[order] = size
                if sides is not None:
                    sides[of_side].change(at_price, size)
            elif what <= 4:
                have = left.get(order)
                if have is None:
                    ref[at], taken = self.anonymous_order(of_side, at_price, order, size)
                elif what == 3 or size >= have:
                    del left[order]
                    taken = lots[at] = have
                else:
                    left[order] = have - size
                    taken = size
                if sides is not None:
                    sides[of_side].change(at_price, -taken)
            elif what == 5 and self.infer_hidden and sides is not None and of_side >= 0:
                aggressor[at] = lean(sides[BID].best, sides[ASK].best, at_price)
                more[at] |= IMPLIED if aggressor[at] else 0
            elif what == 7:
                self.phase = _PHASES[at_price]
                phase[at:] = self.phase
            wanted = next(self.vendor)
            if wanted is not None:
                more[at] |= self.compare(at, wanted)
        return ref, aggressor, more, phase

    def anonymous_order(self, side: int, price: int, order: int, size: int) -> tuple[int, int]:
        """Take `size` from a level's anonymous order; give its id and what it had, or the unknown order's own and 0."""
        held = self.anonymous.get((side, price))
        if held is None:
            self.checks.unknown_orders += 1
            return order, 0
        synthetic, rest = held
        if rest > size:
            self.anonymous[side, price] = (synthetic, rest - size)
        else:
            del self.anonymous[side, price]
        return synthetic, min(rest, size)

    def compare(self, at: int, wanted: _Inside) -> int:
        """Compare the inside after a message with the vendor's: the mark of its closing row."""
        assert self.sides is not None
        bids, asks = self.sides[BID], self.sides[ASK]
        bid, ask = bids.best, asks.best
        have = (ask, asks.amounts.get(ask, 0) if ask else 0, bid, bids.amounts.get(bid, 0) if bid else 0)
        wrong = have != wanted
        self.checks.snapshots += 1
        self.checks.snapshots_failed += wrong
        if wrong and not self.wrong:
            place = f"{self.truth}: line {self.row + at + 1}"
            self.checks.problem(f"{place}: ask, size, bid, size {_shown(wanted)}, the messages give {_shown(have)}")
        self.wrong = wrong
        return SUSPECT if wrong else CHECKED

    def compose(
        self, kind: Ints, times: Ints, tick: Ints, off: Bools, lots: Ints, side: Ints, ref: Ints, aggressor: Ints,
        more: Ints, phase: Ints,
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
        marks[at] |= (np.where(off[prints], OFF_GRID, 0) | more[prints] & IMPLIED).astype(np.uint16)
        at = last[states]
        rows["kind"][at] = STATUS
        rows["aux"][at] = phase[states]
        rows["ref"][at] = number[states]
        marks[last] |= (more & (CHECKED | SUSPECT) | LAST).astype(np.uint16)
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
            if self.sides is not None:
                self.sides[side].change(price, lots)
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


def _insides(truth: Path | None) -> Generator[_Inside | None, None, None]:
    # The vendor's inside after each message, None once its book file has ended.
    if truth is not None:
        with Stream(truth) as stream:
            for number, line in stream.lines():
                found = _INSIDE.match(line)
                if found is None:
                    place, shown = f"{truth}: line {number}", line[:60].decode("utf-8", "replace")
                    raise BadInput(place, shown, "ask price, ask size, bid price, bid size, ...")
                ask, ask_size, bid, bid_size = map(int, found.groups())
                yield ask if ask_size else None, ask_size, bid if bid_size else None, bid_size
    while True:
        yield None


def _shown(inside: _Inside) -> str:
    return ", ".join("none" if price is None else str(price) for price in inside)


def _fraction_ns(digits: bytes) -> int:
    # More than 9 digits are the noise of a float that held the time: the nearest ns is meant.
    if len(digits) <= 9:
        return int(digits.ljust(9, b"0"))
    return int(digits[:9]) + (digits[9:10] >= b"5")


def _date(path: Path, text: str) -> date:
    try:
        day = date.fromisoformat(text)
        if not 1970 <= day.year < 2200:
            raise ValueError(text)
        return day
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

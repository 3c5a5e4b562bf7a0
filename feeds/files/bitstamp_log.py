"""Bitstamp order log: `<local ms> <event> <json>` lines of orders, trades and the venue's top-20 snapshots.

Protocol: Bitstamp live_orders, live_trades and order_book channels (https://www.bitstamp.net/websocket/v2/).
The events of one match arrive in any order within milliseconds: a deletion may come before its creation, a
change after its deletion, a trade before or after the changes it made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Final, Self

import msgspec
import numpy as np

from feeds.errors import BadInput
from feeds.events import (
    BAD_TIME,
    CHECKED,
    CLEAR,
    IMPLIED,
    LAST,
    NONE,
    OFF_GRID,
    OFF_LOT,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
    EventBuffer,
    Events,
)  # fmt: skip
from feeds.files._contract import Reader
from feeds.files._increments import increments
from feeds.files._order_log import OrderLogBook
from feeds.files._streams import Stream, peek
from feeds.instruments import Grid, Instrument, parse_decimal
from feeds.source import Checks, OpenOptions

_EVENTS: Final = rb"order_created|order_changed|order_deleted|order_book|trade"
_LINE: Final = re.compile(rb"([0-8]?\d{12}) (" + _EVENTS + rb") (\{.*\})\Z", re.DOTALL)
_HEAD: Final = re.compile(rb"[0-8]?\d{12} (?:" + _EVENTS + rb") \{")
_BATCH: Final = 32_768
_KEPT: Final = 1 << 18
_Id = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Number = str | float
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Order(msgspec.Struct):
    id: _Id
    price: _Number
    amount: _Number
    order_type: Annotated[int, msgspec.Meta(ge=0, le=1)]
    datetime: str | int = ""


class _Trade(msgspec.Struct):
    price: _Number
    amount: _Number
    id: _Id


class _Snapshot(msgspec.Struct):
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


_ORDER: Final = msgspec.json.Decoder(_Order)
_TRADE: Final = msgspec.json.Decoder(_Trade)
_SNAPSHOT: Final = msgspec.json.Decoder(_Snapshot)


class BitstampLogReader(Reader):
    """Read a log of Bitstamp's orders, checked against the venue's own snapshots.

    The first snapshot seeds what is older than the log as anonymous orders with ids below 0, one a level; later
    snapshots correct them. The venue sequence is the log time in ms of the newest snapshot, which itself bears
    no time. An order of a match that is still going on is not in the book: see OrderLogBook.
    """

    format = "bitstamp-log"
    title = "Bitstamp order log with snapshots and trades"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether lines are a local time, a Bitstamp event and JSON; of a folder, its first log."""
        if path.is_dir():
            files = _log_files(path)
            return bool(files) and bool(_HEAD.match(peek(files[0], 4096)))
        return bool(_HEAD.match(head))

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Derive tick and lot from the first lines, and see whether snapshots come."""
        return cls(path, options)

    def __init__(self, path: Path, options: OpenOptions) -> None:
        self.files = _log_files(path) if path.is_dir() else [path]
        if not self.files:
            raise BadInput(f"{path}: files", None, "a log of lines such as 1430438404518 order_created {...}")
        for file in self.files:
            with Stream(file):
                pass
        self.tier = "A"
        self.venue = options.venue or "bitstamp"
        self.checks = Checks()
        self.size = sum(file.stat().st_size for file in self.files)
        self.position = 0
        prices, sizes, self._checked = _sample(self.files[0])
        self.verification = "snapshot" if self._checked else "unverifiable"
        found = increments(options, f"{self.files[0]}: first lines", prices, sizes)
        self.notes = [f"{found.derived} derived from the decimals of the log"] if found.derived else []
        if options.symbol is None:
            self.notes.append("the log names no symbol: BTC/USD is assumed")
        self.notes.append("sides of trades are inferred from the orders they matched, or by the quote")
        if not self._checked:
            self.notes.append("no snapshots near the start: partial, orders before the log are unknown")
        self.instruments = (
            Instrument(
                venue=self.venue, symbol=options.symbol or "BTC/USD", tick=found.tick, lot=found.lot,
                derived=bool(found.derived), currency=(options.symbol or "BTC/USD").partition("/")[2],
            ),
        )  # fmt: skip

    def rows(self) -> Iterator[Events]:
        """Give the rows of each line as one message."""
        out = EventBuffer()
        log = _Log(self.instruments[0], self.checks, out)
        done, file = 0, self.files[0]
        try:
            for file in self.files:
                with Stream(file) as stream:
                    lines = stream.lines()
                    first = True
                    while some := list(islice(lines, 4096)):
                        if first and file is self.files[0]:
                            log.begin(some[0][1], self._checked)
                        first = False
                        for log.number, line in some:
                            log.line(line)
                        self.position = done + stream.position
                        if len(out) >= _BATCH:
                            yield log.take()
                    done += stream.size
        except _UNREADABLE as error:
            if len(out):
                yield log.take()
            raise BadInput(f"{file}: line {log.number}", str(error), "an order, a trade or a snapshot") from None
        except BadInput as error:
            if len(out):
                yield log.take()
            if error.place.startswith(str(file)):
                raise
            shown = error.place if error.value is None else f"{error.place} {error.value}"
            raise BadInput(f"{file}: line {log.number}", shown, error.expected) from None
        if len(out):
            yield log.take()
        self.position = self.size


class _Log:
    def __init__(self, instrument: Instrument, checks: Checks, out: EventBuffer) -> None:
        self.checks = checks
        self.out = out
        self.price = _Fine(instrument.price, OFF_GRID)
        self.size = _Fine(instrument.size, OFF_LOT)
        self.book = OrderLogBook(checks, out, self.price.row, self.size.row, instrument)
        self.number = 0
        """Line being read, from 1."""
        self.last_ns = 0
        self.taken_ns = 0
        self.last_trade = NONE

    def begin(self, line: bytes, checked: bool) -> None:
        found = _LINE.match(line)
        if found is None:
            self.line(line)
        else:
            now = int(found[1]) * 1_000_000
            self.out.append(CLEAR, now, marks=SNAPSHOT)
            self.out.append(STATUS, now, aux=S_SYNCING if checked else S_LIVE, marks=SNAPSHOT | LAST)

    def line(self, line: bytes) -> None:
        found = _LINE.match(line)
        if found is None:
            raise BadInput("line", line[:60].decode("utf-8", "replace"), "<local ms> <event> <json>")
        local, event, body = found.groups()
        now = int(local) * 1_000_000
        before = len(self.out)
        self.checks.messages += 1
        book = self.book
        if event == b"order_book":
            self.snapshot(now, body)
        elif event == b"trade":
            self.trade(now, _TRADE.decode(body))
        else:
            order = _ORDER.decode(body)
            price, amount = self.price[order.price], self.size[order.amount]
            if price <= 0 or amount < 0:
                raise BadInput("order", f"{order.price}, {order.amount}", "a price above 0 and an amount of 0 or more")
            side = -1 if order.order_type else 1
            if event == b"order_created":
                book.created(now, order.id, side, price, amount, _seconds_ns(order.datetime))
            elif event == b"order_changed":
                book.changed(now, order.id, side, price, amount)
            else:
                book.deleted(now, order.id, side, price, amount)
        if book.held and event != b"trade":
            book.settle(now)
        if len(self.out) > before:
            self.out.mark_last()
        if now < self.last_ns:
            self.checks.out_of_order += 1
        else:
            self.last_ns = now

    def take(self) -> Events:
        """The rows so far, those whose time went back marked."""
        rows = self.out.take()
        if len(rows):
            reached = np.maximum.accumulate(np.maximum(rows["recv_ns"], self.taken_ns))
            rows["marks"][rows["recv_ns"] < reached] |= BAD_TIME
            self.taken_ns = int(reached[-1])
        return rows

    def trade(self, now: int, trade: _Trade) -> None:
        price, amount = self.price[trade.price], self.size[trade.amount]
        if price <= 0 or amount <= 0:
            raise BadInput("trade", f"{trade.price}, {trade.amount}", "a price and an amount above 0")
        if trade.id == self.last_trade:
            self.checks.duplicates += 1
            return
        self.last_trade = trade.id
        side = self.book.aggressor(now, price, amount)
        (tick, off_grid), (lots, off_lot) = self.price.row(price), self.size.row(amount)
        marks = (IMPLIED if side else 0) | off_grid | off_lot
        self.checks.off_grid += bool(off_grid)
        self.out.append(TRADE, now, NONE, tick, lots, side, trade.id, 0, 0, marks)

    def snapshot(self, now: int, body: bytes) -> None:
        shown = _SNAPSHOT.decode(body)
        price_of, size_of = self.price.__getitem__, self.size.__getitem__
        sides = []
        for levels, best_is_high in ((shown.bids, True), (shown.asks, False)):
            texts, amounts = zip(*levels, strict=True) if levels else ((), ())
            prices, sizes = list(map(price_of, texts)), list(map(size_of, amounts))
            if prices != sorted(set(prices), reverse=best_is_high):
                raise BadInput("snapshot", texts[0], "levels from the best price on")
            if prices and (min(prices) <= 0 or min(sizes) <= 0):
                raise BadInput("snapshot", texts[0], "prices and amounts above 0")
            sides.append((prices, sizes))
        agrees = self.book.snapshot(now, sides[0], sides[1])
        marks = 0 if agrees is None else CHECKED if agrees else SUSPECT
        self.out.append(STATUS, now, aux=S_LIVE, ref=now // 1_000_000, marks=marks)


class _Fine(dict[_Number, int]):
    """Numbers of the log in fine units: the newest are kept, an order's amount comes again and again."""

    def __init__(self, grid: Grid, mark: int) -> None:
        super().__init__()
        self.grid = grid
        self.mark = mark

    def __missing__(self, text: _Number) -> int:
        # A trade's numbers are floats printed with 17 digits: the shortest text of the same float is meant.
        count, on_grid = self.grid.read(text if isinstance(text, str) else repr(text))
        value = count * self.grid.fine if on_grid else count
        if len(self) >= _KEPT:
            self.clear()
        self[text] = value
        return value

    def row(self, fine: int) -> tuple[int, int]:
        count, rest = divmod(fine, self.grid.fine)
        return (fine, self.mark) if rest else (count, 0)


def _seconds_ns(value: str | int) -> int:
    text = str(value)
    return int(text) * 1_000_000_000 if text.isascii() and text.isdigit() and len(text) < 10 + 1 else NONE


def _log_files(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if ".log" in file.suffixes)
    except OSError:
        return []


def _sample(path: Path) -> tuple[list[str], list[str], bool]:
    lines = peek(path, 1 << 18).split(b"\n")
    prices: dict[str, None] = {}
    sizes: dict[str, None] = {}
    snapshots = False
    for number, line in enumerate(lines[:-1] if len(lines) > 1 else lines, 1):
        try:
            found = _LINE.match(line.removesuffix(b"\r"))
            if found is None:
                raise BadInput("line", line[:60].decode("utf-8", "replace"), "<local ms> <event> <json>")
            if found[2] == b"order_book":
                snapshots = True
                shown = _SNAPSHOT.decode(found[3])
                levels = shown.bids + shown.asks
            elif found[2] == b"trade":
                continue
            else:
                order = _ORDER.decode(found[3])
                levels = [(_text(order.price), _text(order.amount))]
            for level in levels:
                for text, known in zip(level, (prices, sizes), strict=True):
                    if text not in known:
                        parse_decimal(text)
                        known[text] = None
        except _UNREADABLE as error:
            raise BadInput(f"{path}: line {number}", str(error), "an order, a trade or a snapshot") from None
        except BadInput as error:
            raise BadInput(f"{path}: line {number}", error.value, error.expected) from None
    if not prices:
        raise BadInput(f"{path}: line 1", "", "at least one order or snapshot")
    return list(prices), list(sizes), snapshots


def _text(number: _Number) -> str:
    return number if isinstance(number, str) else repr(number)


READER = BitstampLogReader

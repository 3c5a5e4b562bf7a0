"""DBN records turned into EVENT rows: orders one by one, books as differences, trades."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    CANCEL,
    CLEAR,
    FILL,
    IMPLIED,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    OFF_GRID,
    OFF_LOT,
    S_LIVE,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
    Events,
)  # fmt: skip
from feeds.files._dbn import F_LAST, F_SNAPSHOT, MAYBE_BAD_BOOK, UNDEF_PRICE, UNDEF_SIZE
from feeds.files._exact import Bools, Ints, Levels, blank, count_scaled, differences
from feeds.instruments import Instrument
from feeds.source import Checks

Records = NDArray[Any]
_NEW, _WAITING, _BEGUN = range(3)
_KINDS: Final = {b"A": ADD, b"C": CANCEL, b"M": MODIFY, b"R": CLEAR, b"T": TRADE, b"F": FILL}
_SIDES: Final = {b"B": 1, b"A": -1, b"N": 0}


class _Rows:
    def __init__(self, path: Path, instruments: tuple[Instrument, ...], checks: Checks) -> None:
        self.path = path
        self.instruments = instruments
        self.checks = checks

    def count(self, inst: Ints, prices: Ints, sizes: Ints, place: str) -> tuple[Ints, Ints, Ints]:
        """Ticks, lots and marks of prices in 1e-9 and whole sizes, each by its own instrument's grid."""
        ticks, lots = np.zeros_like(prices), np.zeros_like(sizes)
        marks = np.zeros(len(prices), dtype=np.int64)
        for one in np.unique(inst).tolist():
            its = inst == one
            grid, size = self.instruments[one].price, self.instruments[one].size
            ticks[its], off = count_scaled(grid, prices[its], 9, f"{place}: price")
            lots[its], off_lot = count_scaled(size, sizes[its], 0, f"{place}: size")
            marks[its] = np.where(off, OFF_GRID, 0) | np.where(off_lot, OFF_LOT, 0)
        self.checks.off_grid += int((marks & OFF_GRID != 0).sum())
        return ticks, lots, marks


def _flags(records: Records) -> Ints:
    flags = records["flags"]
    marks = np.where(flags & F_SNAPSHOT, SNAPSHOT, 0) | np.where(flags & MAYBE_BAD_BOOK, SUSPECT, 0)
    return np.asarray(marks, dtype=np.int64)


def _codes(column: Records, table: dict[bytes, int], place: str, what: str) -> Ints:
    """Translate a column of letters; -9 for 'N' where the table lacks it."""
    letters = column.view(np.uint8)
    known = np.full(256, -128, dtype=np.int64)
    known[ord("N")] = -9
    for letter, code in table.items():
        known[letter[0]] = code
    codes = known[letters]
    if (codes == -128).any():
        wrong = column[codes == -128][0]
        raise BadInput(f"{place}: {what}", bytes(wrong), "one of " + ", ".join(letter.decode() for letter in table))
    return codes


class OrderRows(_Rows):
    """mbo: one row a record. A fill leaves the book as it is: the change follows as a cancel or a modify."""

    def __init__(self, path: Path, instruments: tuple[Instrument, ...], checks: Checks) -> None:
        super().__init__(path, instruments, checks)
        self.takers: dict[int, set[int]] = {}
        """Ids of the aggressors of each instrument's event under way."""

    def forget(self, inst: int) -> None:
        """Take what follows of an instrument as another day's or another listing's."""
        self.takers.pop(inst, None)

    def rows(self, records: Records, inst: Ints, place: str) -> tuple[Events, Ints]:
        """Rows and the record each comes from."""
        kind = _codes(records["action"], _KINDS, place, "action")
        side = _codes(records["side"], _SIDES, place, "side")
        size = records["size"].astype(np.int64)
        blank_price = records["price"] == UNDEF_PRICE
        nothing = kind < 0
        own = self.own_fills(records, kind, inst)
        needs = (kind == ADD) | (kind == MODIFY) | (kind == TRADE)
        wrong = needs & (blank_price | (size == UNDEF_SIZE) | (size == 0))
        resting = ((kind == ADD) | (kind == MODIFY)) & (side == 0)
        keep = ~(nothing | own | wrong | resting)
        if wrong.any() or resting.any():
            count = int((wrong | resting).sum())
            self.checks.damaged += count
            at = int(np.flatnonzero(wrong | resting)[0])
            self.checks.problem(
                f"{place}: {count} records without a price, size or side, the first is {at + 1} on: left out"
            )
        last = (records["flags"] & F_LAST) != 0
        of = np.flatnonzero(keep)
        priced = ~blank_price & (kind != CLEAR)
        price = np.where(priced, records["price"], 0)[of]
        size = np.where((size == UNDEF_SIZE) | (kind == CLEAR), 0, size)[of]
        ticks, lots, marks = self.count(inst[of], price, size, place)
        kinds = kind[of]
        rows = blank(len(of))
        rows["kind"], rows["side"] = kinds, side[of]
        rows["tick"], rows["lots"] = ticks, lots
        orders = np.isin(kinds, (ADD, MODIFY, CANCEL, FILL))
        rows["ref"] = np.where(orders, records["order_id"].astype(np.int64)[of], NONE)
        rows["aux"] = np.where(orders, records["sequence"].astype(np.int64)[of], 0)
        rows["side"][kinds == CLEAR] = 0
        rows["marks"] = marks | _flags(records)[of] | np.where(last[of], LAST, 0) | np.where(kinds == FILL, NO_BOOK, 0)
        ends = np.flatnonzero(last & ~keep)
        return (rows, of) if not len(ends) else _close(rows, of, ends, records, inst)

    def own_fills(self, records: Records, kind: Ints, inst: Ints) -> Bools:
        """Fills that list the aggressor's own order: it was modified into the market and never rested there."""
        own = np.zeros(len(records), dtype=bool)
        matters = np.flatnonzero((kind == TRADE) | (kind == FILL) | ((records["flags"] & F_LAST) != 0))
        columns = (inst[matters], kind[matters], records["order_id"][matters], records["flags"][matters])
        at_last = (columns[3] & F_LAST) != 0
        if not (self.takers or ((columns[1] == TRADE) & (columns[2] != 0)).any()):
            return own
        for at, one, what, order, last in zip(
            matters.tolist(),
            columns[0].tolist(),
            columns[1].tolist(),
            columns[2].tolist(),
            at_last.tolist(),
            strict=True,
        ):
            if what == TRADE and order:
                self.takers.setdefault(one, set()).add(order)
            elif what == FILL and order in self.takers.get(one, ()):
                own[at] = True
            if last:
                self.takers.pop(one, None)
        if own.any():
            self.checks.ignored["fills of the aggressor's own order"] = self.checks.ignored.get(
                "fills of the aggressor's own order", 0
            ) + int(own.sum())
        return own


def _close(rows: Events, of: Ints, ends: Ints, records: Records, inst: Ints) -> tuple[Events, Ints]:
    """End events whose last record gave no row: by the row before it, or by a status where that is elsewhere."""
    extra: list[int] = []
    for end in ends.tolist():
        at = int(np.searchsorted(of, end)) - 1
        if at >= 0 and inst[of[at]] == inst[end]:
            rows["marks"][at] |= LAST
        else:
            extra.append(end)
    if not extra:
        return rows, of
    status = blank(len(extra))
    status["kind"], status["aux"] = STATUS, S_LIVE
    status["marks"] = _flags(records)[extra] | LAST
    all_of = np.concatenate([of, np.array(extra, dtype=np.int64)])
    order = np.argsort(all_of, kind="stable")
    return np.concatenate([rows, status])[order], all_of[order]


class BookRows(_Rows):
    """mbp-1, mbp-10, tbbo and trades: each record's levels as differences from the instrument's record before."""

    def __init__(self, path: Path, instruments: tuple[Instrument, ...], checks: Checks) -> None:
        super().__init__(path, instruments, checks)
        self.newest: dict[int, tuple[Levels, Levels]] = {}

    def forget(self, inst: int) -> None:
        """Take what follows of an instrument as another day's or another listing's."""
        self.newest.pop(inst, None)

    def rows(self, records: Records, inst: Ints, place: str) -> tuple[Events, Ints]:
        """Rows and the record each comes from: changed levels first, then the trade, or a status where neither is."""
        kind = _codes(records["action"], _KINDS, place, "action")
        side = _codes(records["side"], _SIDES, place, "side")
        prints = (kind == TRADE) & (records["price"] != UNDEF_PRICE) & (records["size"] > 0)
        pieces = self.books(records, inst, place) if "levels" in (records.dtype.names or ()) else []
        of = np.flatnonzero(prints)
        rows = blank(len(of))
        ticks, lots, marks = self.count(inst[of], records["price"][of], records["size"][of].astype(np.int64), place)
        rows["kind"], rows["side"], rows["tick"], rows["lots"], rows["marks"] = TRADE, side[of], ticks, lots, marks
        pieces.append((of, rows))
        told = np.zeros(len(records), dtype=bool)
        for piece in pieces:
            told[piece[0]] = True
        quiet = np.flatnonzero(~told)
        rows = blank(len(quiet))
        rows["kind"], rows["aux"] = STATUS, S_LIVE
        pieces.append((quiet, rows))
        of = np.concatenate([piece[0] for piece in pieces])
        rows = np.concatenate([piece[1] for piece in pieces])
        order = np.argsort(of, kind="stable")
        of, rows = of[order], rows[order]
        rows["marks"] |= _flags(records)[of].astype(np.uint16)
        ends = np.flatnonzero(np.diff(of, append=len(records)))
        # Some venues flag no record at all: each is then an event of its own.
        flagged = (records["flags"] & F_LAST) != 0
        rows["marks"][ends] |= np.where(flagged[of[ends]] | (not flagged.any()), LAST, 0).astype(np.uint16)
        return rows, of

    def books(self, records: Records, inst: Ints, place: str) -> list[tuple[Ints, Events]]:
        """BOOK rows of all instruments, each with the record it comes from."""
        pieces = []
        for one in np.unique(inst).tolist():
            its = np.flatnonzero(inst == one)
            sides = [self.levels(records["levels"][its], name, one, place) for name in ("bid", "ask")]
            before = self.newest.get(one)
            for at, (level, side) in enumerate(zip(sides, (BID, ASK), strict=True)):
                old = _earlier(level, len(its), before[at] if before else None)
                book, ticks, lots, counts, marks = differences(old, level)
                rows = blank(len(book))
                rows["kind"], rows["side"], rows["aux"] = BOOK, side, counts
                rows["tick"], rows["lots"], rows["marks"] = ticks, lots, marks
                rows["ref"] = records["sequence"][its].astype(np.int64)[book]
                if before is None:
                    rows["marks"][book == 0] |= SNAPSHOT
                pieces.append((its[book], rows))
            self.newest[one] = (_final(sides[0], len(its)), _final(sides[1], len(its)))
        return pieces

    def levels(self, levels: Records, side: str, one: int, place: str) -> Levels:
        """Levels of one side that are there: a blank price or size 0 is no level."""
        prices, sizes = levels[f"{side}_px"], levels[f"{side}_sz"].astype(np.int64)
        there = (prices != UNDEF_PRICE) & (sizes > 0)
        of = np.nonzero(there)[0]
        ticks, lots, marks = self.count(np.full(len(of), one), prices[there], sizes[there], place)
        double = (np.diff(of) == 0) & (np.diff(prices[there]) == 0)
        if double.any():
            raise BadInput(f"{place}: {side} levels", int(prices[there][:-1][double][0]), "each price once")
        return Levels(of, ticks, lots, marks, levels[f"{side}_ct"].astype(np.int64)[there])


def _final(side: Levels, n: int) -> Levels:
    at = side.of == n - 1
    return Levels(np.zeros(int(at.sum()), np.int64), side.tick[at], side.lots[at], side.marks[at], side.count[at])


def _earlier(side: Levels, n: int, before: Levels | None) -> Levels:
    at = side.of < n - 1
    parts = [(side.of[at] + 1, side.tick[at], side.lots[at], side.marks[at], side.count[at])]
    if before is not None:
        parts.insert(0, (before.of, before.tick, before.lots, before.marks, before.count))
    of, tick, lots, marks, count = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Levels(of, tick, lots, marks, count)


class Starts:
    """Tell where an instrument's book is live: from its first row, or behind the snapshot that it begins with.

    A book that the venue clears is live again when the event that cleared it ends, with the snapshot it may hold.
    """

    def __init__(self, instruments: int, *, orders: bool) -> None:
        self.orders = orders
        self.phase = np.full(instruments, _NEW)
        self.stale: set[int] = set()
        """Instruments whose book is another's until their next row."""

    def forget(self, inst: int) -> None:
        """Have an instrument's book cleared before its next row."""
        if self.phase[inst] != _NEW:
            self.phase[inst] = _NEW
            self.stale.add(inst)

    def told(self, rows: Events) -> Events:
        """Rows with the statuses among them, and with the clears of books that are another's."""
        clears = rows["kind"] == CLEAR
        if (self.phase == _BEGUN).all() and not clears.any():
            return rows
        at: list[int] = []
        heads: list[Events] = []
        concerned = set(np.flatnonzero(self.phase != _BEGUN).tolist()) | set(np.unique(rows["inst"][clears]).tolist())
        for inst in sorted(concerned):
            its = np.flatnonzero(rows["inst"] == inst)
            if not len(its):
                continue
            first = int(its[0])
            emptied = its[clears[its]]
            waits = emptied.tolist()
            if inst in self.stale:
                self.stale.discard(inst)
                if first not in waits:
                    at.append(first)
                    heads.append(_head(rows[first : first + 1], CLEAR))
            if self.phase[inst] == _NEW and first not in waits:
                if self.orders and rows["marks"][first] & SNAPSHOT:
                    waits.insert(0, first)
                else:
                    at.append(first)
                    heads.append(_head(rows[first : first + 1], STATUS))
            elif self.phase[inst] == _WAITING:
                waits.insert(0, first)
            ends = its[(rows["marks"][its] & LAST).astype(bool)]
            after = np.unique(np.searchsorted(ends, waits))
            for end in ends[after[after < len(ends)]].tolist():
                at.append(end + 1)
                heads.append(_head(rows[end : end + 1], STATUS))
            self.phase[inst] = _WAITING if len(after) and after[-1] == len(ends) else _BEGUN
        return np.insert(rows, at, np.concatenate(heads)) if heads else rows


def _head(row: Events, kind: int) -> Events:
    head = row.copy()
    head["kind"], head["aux"], head["ref"], head["side"], head["tick"], head["lots"] = kind, S_LIVE, NONE, 0, 0, 0
    head["marks"] = (head["marks"] & BAD_TIME) | LAST | (SNAPSHOT if kind == STATUS else IMPLIED)
    if kind == CLEAR:
        head["aux"] = 0
    return head

"""Lines of Tardis CSV files turned into EVENT rows, kind by kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import numpy as np

from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    CLEAR,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    F_OPEN_INTEREST,
    FACT,
    FACT_DECIMALS,
    LAST,
    NONE,
    QUOTE,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    UNKNOWN,
    Events,
)  # fmt: skip
from feeds.files._columns import Part, off_marks
from feeds.files._exact import Bools, Ints, Levels, blank, differences
from feeds.files._snapshots import compose, levels, newest, shift
from feeds.instruments import Instrument
from feeds.source import Checks

KEYS: Final = ("exchange", "symbol", "timestamp", "local_timestamp")
KINDS: Final = {
    "incremental_book_L2": ("is_snapshot", "side", "price", "amount"),
    "book_snapshot": ("asks[0].price", "asks[0].amount", "bids[0].price", "bids[0].amount"),
    "quotes": ("ask_amount", "ask_price", "bid_price", "bid_amount"),
    "derivative_ticker": ("funding_rate", "index_price", "mark_price"),
    "liquidations": ("id", "side", "price", "amount"),
    "trades": ("id", "side", "price", "amount"),
}
"""Columns that tell a kind, beside the four that all have."""
_SIDES: Final = {"bid": BID, "ask": ASK}
_TAKERS: Final = {"buy": BUY, "sell": SELL, "unknown": UNKNOWN}
_FACTS: Final = {
    "funding_rate": F_FUNDING_RATE,
    "mark_price": F_MARK_PRICE,
    "index_price": F_INDEX_PRICE,
    "funding_timestamp": F_NEXT_FUNDING_NS,
    "open_interest": F_OPEN_INTEREST,
}


def depth_of(names: list[str]) -> int:
    """Levels a side that each line of a file tells, 0 where it tells none."""
    if "asks[0].price" in names:
        return sum(name.startswith("asks[") and name.endswith(".price") for name in names)
    return 1 if {"ask_price", "bid_price"} <= set(names) else 0


class Markets:
    """The markets of a source, and which kind makes the book of each."""

    def __init__(
        self, names: list[str], instruments: tuple[Instrument, ...], books: list[str], depths: dict[int, int]
    ) -> None:
        self.instruments = instruments
        self.books = books
        """'' where nothing tells a book."""
        self.depths = depths
        self._numbers = {name: at for at, name in enumerate(names)}
        self.begun = np.zeros(len(names), dtype=bool)
        """Markets whose book was begun."""

    def numbers(self, part: Part, checks: Checks) -> Ints:
        """The source's number of every line's market, -1 where it is not one of them."""
        import polars as pl

        names = part.frame.select(pl.concat_str(["exchange", "symbol"], separator=":", ignore_nulls=False))
        texts = names.to_series()
        found = texts.replace_strict(self._numbers, default=-1, return_dtype=pl.Int64)
        strange = found == -1
        if strange.any():
            kind = f"lines of {str(texts.filter(strange)[0])[:60]} or others"
            checks.ignored[kind] = checks.ignored.get(kind, 0) + int(strange.sum())
        return found.fill_null(-1).to_numpy()


class Rows(ABC):
    """Makes rows of the lines of one kind."""

    def __init__(self, kind: str, markets: Markets, checks: Checks) -> None:
        self.kind = kind
        self.markets = markets
        self.checks = checks

    @abstractmethod
    def columns(self, names: list[str]) -> list[str]:
        """The columns that are read."""

    @abstractmethod
    def rows(self, part: Part) -> Events:
        """The rows of some lines."""

    def known(self, part: Part) -> tuple[Part, Ints]:
        """The lines of the source's markets and their numbers."""
        import polars as pl

        inst = self.markets.numbers(part, self.checks)
        self.checks.messages += len(part)
        if (inst >= 0).all():
            return part, inst
        # Lines keep their numbers: what is left out is blanked by its market alone.
        keep = inst >= 0
        first = Part(part.path, part.first, part.frame.filter(pl.Series(keep)), part.word)
        return first, inst[keep]

    def lines(self, part: Part, inst: Ints) -> Events:
        """A row a line with its times and market."""
        rows = blank(len(part))
        rows["recv_ns"] = part.times("local_timestamp")
        rows["exch_ns"] = part.times("timestamp", blank=NONE)
        rows["inst"] = inst
        return rows

    def count(self, part: Part, rows: Events, price: str, size: str, least: int) -> None:
        """Set tick, lots and marks, each market by its own grids."""
        for one in np.unique(rows["inst"]).tolist():
            its = rows["inst"] == one
            some = part if its.all() else _of(part, its)
            market = self.markets.instruments[one]
            tick, off = some.counts(price, market.price, None)
            lots, off_lot = some.counts(size, market.size, least)
            rows["tick"][its], rows["lots"][its] = tick, lots
            rows["marks"][its] |= off_marks(off, off_lot).astype(np.uint16)
            self.checks.off_grid += int(off.sum())
            for column in (price, size):
                if not (there := some.present(column)).all():
                    raise some.bad(int(np.argmin(there)), column, "a number in every line")


def _of(part: Part, its: Bools) -> Part:
    """Some lines of a part; places then tell the part's first line."""
    import polars as pl

    return Part(part.path, part.first, part.frame.filter(pl.Series(its)), "lines from")


def _ends(rows: Events) -> Bools:
    """Where a message ends: the next line is of another market or of other times."""
    ends = np.ones(len(rows), dtype=bool)
    for name in ("recv_ns", "exch_ns", "inst"):
        ends[:-1] &= rows[name][1:] == rows[name][:-1]
    ends[:-1] = ~ends[:-1]
    return ends


def _told(row: Events, kind: int, marks: int) -> Events:
    out = blank(1)
    out["recv_ns"], out["exch_ns"], out["inst"] = row["recv_ns"], row["exch_ns"], row["inst"]
    out["kind"], out["marks"] = kind, marks
    out["aux"] = S_LIVE if kind == STATUS else 0
    return out


class Updates(Rows):
    """incremental_book_L2: a row a line; where snapshot lines begin, the book is made anew."""

    def __init__(self, kind: str, markets: Markets, checks: Checks) -> None:
        super().__init__(kind, markets, checks)
        self.snapshot = np.zeros(len(markets.instruments), dtype=bool)
        """Markets whose newest line belongs to a snapshot; each file begins anew."""

    def columns(self, names: list[str]) -> list[str]:
        """All that tell something."""
        return [*KEYS, *(name for name in names if name in KINDS[self.kind])]

    def rows(self, part: Part) -> Events:
        """BOOK rows, with CLEAR before and a live status behind each snapshot."""
        part, inst = self.known(part)
        rows = self.lines(part, inst)
        if not len(rows):
            return rows
        snapshot = part.words("is_snapshot", {"true": 1, "false": 0}).astype(bool)
        rows["kind"] = BOOK
        rows["side"] = part.words("side", _SIDES)
        self.count(part, rows, "price", "amount", 0)
        rows["marks"][snapshot] |= SNAPSHOT
        ends = np.flatnonzero(_ends(rows))
        rows["marks"][ends] |= LAST
        at: list[int] = []
        heads: list[Events] = []
        for one in np.unique(inst).tolist():
            its = np.flatnonzero(inst == one)
            flags = snapshot[its]
            before = np.concatenate([[self.snapshot[one]], flags[:-1]])
            self.snapshot[one] = flags[-1]
            starts = its[flags & ~before]
            if not self.markets.begun[one] and not flags[0]:
                at.append(int(its[0]))
                heads.append(_told(rows[its[:1]], STATUS, SNAPSHOT | LAST))
            self.checks.resyncs += len(starts) - (not self.markets.begun[one] and bool(flags[0]))
            self.markets.begun[one] = True
            for start in starts.tolist():
                at.append(start)
                heads.append(_told(rows[start : start + 1], CLEAR, SNAPSHOT))
                end = int(ends[np.searchsorted(ends, start)])
                rows["marks"][end] &= ~np.uint16(LAST)
                at.append(end + 1)
                heads.append(_told(rows[end : end + 1], STATUS, SNAPSHOT | LAST))
        return np.insert(rows, at, np.concatenate(heads)) if heads else rows


class Books(Rows):
    """book_snapshot and quotes: whole books a line as their differences, or QUOTE rows beside a better book."""

    def __init__(self, kind: str, markets: Markets, checks: Checks) -> None:
        super().__init__(kind, markets, checks)
        self.newest: dict[int, tuple[Levels, Levels]] = {}
        self.depth = 0
        self._names: set[str] = set()

    def columns(self, names: list[str]) -> list[str]:
        """All levels."""
        self.depth = depth_of(names)
        self._names = set(names)
        return [*KEYS, *(column for side in ("bid", "ask") for pair in self.pairs(side) for column in pair)]

    def pairs(self, side: str) -> list[tuple[str, str]]:
        """Names of price and amount of each level."""
        if self.kind == "quotes":
            return [(f"{side}_price", f"{side}_amount")]
        every = ((f"{side}s[{level}].price", f"{side}s[{level}].amount") for level in range(self.depth))
        return [pair for pair in every if self._names.issuperset(pair)]

    def rows(self, part: Part) -> Events:
        """The rows of some lines, in their order."""
        part, inst = self.known(part)
        pieces, of = [], []
        recv, exch = part.times("local_timestamp"), part.times("timestamp", blank=NONE)
        for one in np.unique(inst).tolist():
            its = np.flatnonzero(inst == one)
            book = self.markets.books[one]
            if book == self.kind and self.markets.depths.get(one) == self.depth:
                rows, lines = self.books(_of(part, inst == one) if len(its) < len(part) else part, one, recv, exch, its)
            elif self.kind == "quotes":
                rows, lines = self.quotes(part, one, recv, exch, its)
            else:
                self.checks.ignored[f"{self.kind}_{self.depth}"] = self.checks.ignored.get(
                    f"{self.kind}_{self.depth}", 0
                ) + len(its)
                continue
            rows["inst"] = one
            pieces.append(rows)
            of.append(lines)
        if not pieces:
            return blank(0)
        order = np.argsort(np.concatenate(of), kind="stable")
        return np.concatenate(pieces)[order]

    def books(self, part: Part, one: int, recv: Ints, exch: Ints, its: Ints) -> tuple[Events, Ints]:
        """Differences of one market's books."""
        n = len(part)
        market = self.markets.instruments[one]
        sides = [
            levels(part, self.pairs(name), market, sign, self.checks) for name, sign in (("bid", BID), ("ask", ASK))
        ]
        first = one not in self.newest
        before = self.newest.get(one)
        shifted = [shift(side, n, before[at] if before else None) for at, side in enumerate(sides)]
        changes = [differences(old, new) for old, new in zip(shifted, sides, strict=True)]
        self.newest[one] = (newest(sides[0], n), newest(sides[1], n))
        rows, of = compose(n, recv[its], exch[its], changes, first)
        return rows, its[of]

    def quotes(self, part: Part, one: int, recv: Ints, exch: Ints, its: Ints) -> tuple[Events, Ints]:
        """The best prices of one market beside its book."""
        market = self.markets.instruments[one]
        pieces, of = [], []
        some = part if len(its) == len(part) else _of(part, np.isin(np.arange(len(part)), its))
        for side, sign in (("bid", BID), ("ask", ASK)):
            price, size = self.pairs(side)[0]
            there = some.present(price) & some.present(size)
            tick, off = some.counts(price, market.price, None)
            lots, off_lot = some.counts(size, market.size)
            rows = blank(len(its))
            rows["kind"], rows["side"], rows["tick"], rows["lots"] = QUOTE, sign, tick, lots
            rows["marks"] = off_marks(off, off_lot)
            rows["recv_ns"], rows["exch_ns"] = recv[its], exch[its]
            pieces.append(rows[there])
            of.append(its[there])
        lines = np.concatenate(of)
        order = np.argsort(lines, kind="stable")
        rows, lines = np.concatenate(pieces)[order], lines[order]
        rows["marks"][np.flatnonzero(np.diff(lines, append=-1))] |= LAST
        return rows, lines


class Prints(Rows):
    """trades: a row a line; `side` is the taker's."""

    def columns(self, names: list[str]) -> list[str]:
        """All that tell something."""
        return [*KEYS, *(name for name in names if name in KINDS["trades"])]

    def rows(self, part: Part) -> Events:
        """TRADE rows, with a live status before a market's first where nothing tells its book."""
        part, inst = self.known(part)
        rows = self.lines(part, inst)
        if not len(rows):
            return rows
        rows["kind"], rows["marks"] = TRADE, LAST
        rows["side"] = part.words("side", _TAKERS)
        rows["ref"] = _ids(part)
        self.count(part, rows, "price", "amount", 0)
        empty = rows["lots"] == 0
        if empty.any():
            self.checks.ignored["trades of nothing"] = self.checks.ignored.get("trades of nothing", 0) + int(
                empty.sum()
            )
        at, heads = [], []
        for one in np.unique(inst).tolist():
            if not self.markets.books[one] and not self.markets.begun[one]:
                self.markets.begun[one] = True
                first = int(np.argmax(inst == one))
                at.append(first)
                heads.append(_told(rows[first : first + 1], STATUS, SNAPSHOT | LAST))
        out = np.insert(rows, at, np.concatenate(heads)) if heads else rows
        return out[(out["kind"] != TRADE) | (out["lots"] > 0)] if empty.any() else out


def _ids(part: Part) -> Ints:
    """Trade ids that are whole numbers, NONE for others: many venues name trades by texts."""
    import polars as pl

    ids = part.frame["id"].cast(pl.Int64, strict=False).fill_null(NONE)
    return ids.to_numpy()


class Liquidations(Rows):
    """liquidations: the order that closed a position by force; `buy` closed a short."""

    def columns(self, names: list[str]) -> list[str]:
        """All that tell something."""
        return [*KEYS, *(name for name in names if name in KINDS["liquidations"])]

    def rows(self, part: Part) -> Events:
        """FACT rows."""
        part, inst = self.known(part)
        rows = self.lines(part, inst)
        if not len(rows):
            return rows
        rows["kind"], rows["aux"], rows["marks"] = FACT, F_LIQUIDATION, LAST
        rows["side"] = part.words("side", _TAKERS)
        self.count(part, rows, "price", "amount", 0)
        rows["ref"] = np.where(rows["exch_ns"] == NONE, rows["recv_ns"], rows["exch_ns"])
        return rows


class Facts(Rows):
    """derivative_ticker: funding, mark and index price, open interest, each where it changes."""

    def __init__(self, kind: str, markets: Markets, checks: Checks) -> None:
        super().__init__(kind, markets, checks)
        self.newest: dict[tuple[int, str], int] = {}
        self._columns: list[str] = []

    def columns(self, names: list[str]) -> list[str]:
        """Those that become facts."""
        self._columns = [name for name in _FACTS if name in names]
        return [*KEYS, *self._columns]

    def rows(self, part: Part) -> Events:
        """FACT rows, those of a line as one message."""
        part, inst = self.known(part)
        base = self.lines(part, inst)
        pieces, of = [], []
        for name in self._columns:
            values, marks, there = self.values(part, name, inst)
            changed = np.zeros(len(part), dtype=bool)
            for one in np.unique(inst).tolist():
                its = np.flatnonzero((inst == one) & there)
                if len(its):
                    told = values[its]
                    changed[its] = np.diff(told, prepend=told[0]) != 0
                    changed[its[0]] = self.newest.get((one, name)) != int(told[0])
                    self.newest[one, name] = int(told[-1])
            at = np.flatnonzero(changed)
            rows = base[at].copy()
            rows["kind"], rows["aux"], rows["lots"], rows["marks"] = FACT, _FACTS[name], values[at], marks[at]
            rows["ref"] = np.where(rows["exch_ns"] == NONE, rows["recv_ns"], rows["exch_ns"])
            pieces.append(rows)
            of.append(at)
        lines = np.concatenate(of)
        order = np.argsort(lines, kind="stable")
        rows, lines = np.concatenate(pieces)[order], lines[order]
        rows["marks"][np.flatnonzero(np.diff(lines, append=-1))] |= LAST
        return rows

    def values(self, part: Part, name: str, inst: Ints) -> tuple[Ints, Ints, Bools]:
        """Values of one fact, their marks, and where it is told."""
        marks = np.zeros(len(part), dtype=np.int64)
        if name == "funding_timestamp":
            values = part.times(name, blank=NONE)
            return values, marks, values != NONE
        decimals = FACT_DECIMALS[_FACTS[name]]
        if decimals is not None:
            values, there = part.fixed(name, decimals)
            return values, marks, there
        values = np.zeros(len(part), dtype=np.int64)
        there = part.present(name)
        for one in np.unique(inst).tolist():
            its = inst == one
            some = part if its.all() else _of(part, its)
            values[its], off = some.counts(name, self.markets.instruments[one].size)
            marks[its] = off_marks(np.zeros_like(off), off)
        return values, marks, there

"""Consecutive whole books as rows of their differences, and streams of rows merged by time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from feeds.events import ASK, BID, BOOK, CLEAR, LAST, OFF_GRID, S_LIVE, SNAPSHOT, STATUS, Events
from feeds.files._columns import Part, off_marks
from feeds.files._exact import LIMIT, Ints, Levels, blank
from feeds.instruments import Instrument
from feeds.source import Checks


def levels(part: Part, pairs: list[tuple[str, str]], market: Instrument, sign: int, checks: Checks) -> Levels:
    """One side of every line's book, from columns of price and size, best first; raise BadInput for what is none."""
    columns: list[tuple[Ints, Ints, Ints, Ints, Ints]] = []
    for level, (price, size) in enumerate(pairs):
        there = part.present(price) & part.present(size)
        tick, off = part.counts(price, market.price, None)
        lots, off_lot = part.counts(size, market.size)
        checks.off_grid += int((off & there).sum())
        at = np.flatnonzero(there & (lots > 0))
        columns.append((at, np.full(len(at), level), tick[at], lots[at], off_marks(off, off_lot)[at]))
    of, depth, tick, lots, marks = (np.concatenate(column) for column in zip(*columns, strict=True))
    order = np.argsort(of * (len(pairs) + 1) + depth, kind="stable")
    of, tick, lots, marks = of[order], tick[order], lots[order], marks[order]
    falls = tick * sign
    if (marks & OFF_GRID).any():
        beyond = np.abs(tick) >= LIMIT // market.price.fine
        fine = np.where((marks & OFF_GRID != 0) | beyond, tick, tick * market.price.fine)
        falls = fine * sign
    wrong = (np.diff(falls) >= 0) & (np.diff(of) == 0)
    if wrong.any():
        raise part.bad(int(of[int(np.argmax(wrong))]), pairs[0][0], "prices from the best on, each once")
    return Levels(of, tick, lots, marks)


def newest(side: Levels, n: int) -> Levels:
    """The levels of the last of `n` books, numbered 0."""
    at = side.of == n - 1
    return Levels(np.zeros(int(at.sum()), dtype=np.int64), side.tick[at], side.lots[at], side.marks[at])


def shift(side: Levels, n: int, before: Levels | None) -> Levels:
    """The books one earlier: book k here is book k - 1 of `side`, book 0 the one before."""
    at = side.of < n - 1
    names = ("tick", "lots", "marks")
    columns = [getattr(side, name)[at] for name in names]
    of = side.of[at] + 1
    if before is not None:
        of = np.concatenate([before.of, of])
        columns = [np.concatenate([getattr(before, name), column]) for name, column in zip(names, columns, strict=True)]
    return Levels(of, *columns)


def compose(
    n: int, recv: Ints, exch: Ints, parts: list[tuple[Ints, Ints, Ints, Ints, Ints]], first: bool
) -> tuple[Events, Ints]:
    """Rows of `n` books in order, and the book each belongs to."""
    changed = np.zeros(n, dtype=bool)
    for part in parts:
        changed[part[0]] = True
    quiet = np.flatnonzero(~changed)
    pieces = []
    for (book, tick, lots, _, marks), side in zip(parts, (BID, ASK), strict=True):
        rows = blank(len(book))
        rows["kind"], rows["side"] = BOOK, side
        rows["tick"], rows["lots"], rows["marks"] = tick, lots, marks
        pieces.append((book, rows))
    rows = blank(len(quiet))
    rows["kind"], rows["aux"] = STATUS, S_LIVE
    pieces.append((quiet, rows))
    if first:
        for kind in (CLEAR, STATUS):
            row = blank(1)
            row["kind"] = kind
            row["aux"] = S_LIVE if kind == STATUS else 0
            piece = (np.zeros(1, dtype=np.int64), row)
            pieces.insert(0 if kind == CLEAR else len(pieces), piece)
        pieces = [piece for piece in pieces if piece[1] is not rows or len(piece[0])]
    of = np.concatenate([piece[0] for piece in pieces])
    rows = np.concatenate([piece[1] for piece in pieces])
    order = np.argsort(of, kind="stable")
    of, rows = of[order], rows[order]
    rows["recv_ns"], rows["exch_ns"] = recv[of], exch[of]
    if first:
        rows["marks"][of == 0] |= SNAPSHOT
    rows["marks"][np.flatnonzero(np.diff(of, append=n))] |= LAST
    return rows, of


def merge(*streams: Iterator[tuple[Ints, Events]]) -> Iterator[tuple[Ints, Events]]:
    """Merge streams of (rising keys, rows); at equal keys the earlier stream goes first."""
    waiting = [next(stream, None) for stream in streams]
    while any(part is not None for part in waiting):
        bound = min(int(part[0][-1]) for part in waiting if part is not None)
        keys, rows = [], []
        for at, part in enumerate(waiting):
            if part is None:
                continue
            cut = int(np.searchsorted(part[0], bound, side="right"))
            keys.append(part[0][:cut])
            rows.append(part[1][:cut])
            waiting[at] = (part[0][cut:], part[1][cut:]) if cut < len(part[0]) else next(streams[at], None)
        there = [at for at, some in enumerate(keys) if len(some)]
        if len(there) == 1:
            yield keys[there[0]], rows[there[0]]
            continue
        all_keys = np.concatenate(keys)
        order = np.argsort(all_keys, kind="stable")
        if len(order):
            yield all_keys[order], np.concatenate(rows)[order]

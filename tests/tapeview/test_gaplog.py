"""Holes: where they begin and end, and that a pass ahead and the player tell the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.clock import Clock
from feeds.events import (
    ASK,
    BID,
    BOOK,
    C_DISCONNECT,
    C_SEQUENCE,
    CLEAR,
    GAP,
    LAST,
    NONE,
    PRINTS_ONLY,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
    Events,
)
from feeds.instruments import Instrument
from feeds.source import SourceInfo
from tapeview.gaplog import GapLog, Hole
from tapeview.session import Session

S = 1_000_000_000
START = 1_700_000_000 * S


class Scripted:
    """A source that gives rows in batches cut as asked."""

    def __init__(self, rows: Events, cuts: Sequence[int] = ()) -> None:
        self.rows, self.cuts = rows, sorted(cuts)
        self.instruments = (Instrument(venue="test", symbol="A", tick="1"),)
        self.info = SourceInfo(address="s", format="s", venue="test", tier="C", verification="chain", bytes=0)

    def batches(self) -> list[Events]:
        return [piece for piece in np.split(self.rows, self.cuts) if len(piece)]

    def close(self) -> None:
        pass


def book(out: EventBuffer, at: int, ref: int, *, snapshot: bool = False) -> None:
    marks = SNAPSHOT if snapshot else 0
    out.append(BOOK, at, at, 100, 5, BID, ref, 0, 0, marks)
    out.append(BOOK, at, at, 101, 5, ASK, ref, 0, 0, marks | LAST)


def broken_twice() -> Events:
    """A book at 0 s, a hole from 2 to 5 s, one from 8 s on that is never closed."""
    out = EventBuffer()
    out.append(STATUS, START, aux=S_SYNCING, marks=LAST)
    out.append(CLEAR, START, marks=SNAPSHOT)
    book(out, START, 10, snapshot=True)
    out.append(STATUS, START, aux=S_LIVE, marks=LAST)
    book(out, START + 1 * S, 11)
    out.append(TRADE, START + 2 * S, START, 100, 1, 1, 1, 0, 0, LAST)
    out.append(GAP, START + 4 * S, lots=C_DISCONNECT, ref=NONE, aux=NONE, marks=LAST)
    out.append(STATUS, START + 4 * S, aux=S_SYNCING, marks=LAST)
    out.append(CLEAR, START + 5 * S, marks=SNAPSHOT)
    book(out, START + 5 * S, 20, snapshot=True)
    out.append(STATUS, START + 5 * S, aux=S_LIVE, marks=LAST)
    book(out, START + 8 * S, 21)
    out.append(GAP, START + 9 * S, lots=C_SEQUENCE, ref=3, aux=NONE, marks=LAST)
    return Clock().insert(out.take())


def holes(rows: Events, cuts: Sequence[int] = (), log: GapLog | None = None) -> tuple[tuple[Hole, ...], int, GapLog]:
    session = Session(Scripted(rows, cuts), None, {}, log)  # type: ignore[arg-type]
    for batch in session.source.batches():
        session.play(batch)
    return session.gaps.newest(0, session.seq), session.seq, session.gaps


def test_a_hole_runs_from_the_last_row_before_it_until_the_book_is_live_again() -> None:
    found, _, log = holes(broken_twice())
    second, first = found
    assert (first.since_ns, first.at_ns, first.until_ns) == (START + 2 * S, START + 4 * S, START + 5 * S)
    assert first.length_ns == 3 * S
    assert (first.cause, first.lost) == ("disconnect", None)
    assert (first.before, first.after) == (11, 20)
    assert second.length_ns is None
    assert (second.cause, second.lost, second.since_ns, second.before) == ("sequence", 3, START + 8 * S, 21)
    assert log.open_hole(0) == second


@given(st.lists(st.integers(1, 120), max_size=8))
def test_holes_do_not_depend_on_how_the_rows_were_cut(cuts: list[int]) -> None:
    rows = broken_twice()
    assert holes(rows, cuts)[0] == holes(rows)[0]


def test_told_twice_they_are_one() -> None:
    rows = broken_twice()
    found, _, log = holes(rows)
    again, _, _ = holes(rows, (5, 40), log)
    assert again == found


def test_before_its_end_a_hole_is_open_and_before_its_beginning_it_is_not() -> None:
    rows = broken_twice()
    found, last, log = holes(rows)
    first = found[1]
    assert first.until_seq is not None
    assert log.newest(0, first.seq - 1) == ()
    assert log.newest(0, first.until_seq - 1)[0].length_ns is None
    assert log.newest(0, first.until_seq) == (first,)
    assert log.first(0, first.seq - 1) is None
    assert log.first(0, last) is not None


@pytest.mark.parametrize("again", [False, True])
def test_broken_again_before_it_was_whole_is_one_hole(again: bool) -> None:
    out = EventBuffer()
    book(out, START, 10)
    for at in (1, 2) if again else (1,):
        out.append(GAP, START + at * S, lots=C_DISCONNECT, ref=NONE, aux=NONE, marks=LAST)
        out.append(CLEAR, START + at * S, marks=SNAPSHOT | LAST)
    out.append(CLEAR, START + 3 * S, marks=SNAPSHOT)
    book(out, START + 3 * S, 20, snapshot=True)
    out.append(STATUS, START + 3 * S, aux=S_LIVE, marks=LAST)
    rows = Clock().insert(out.take())
    found, _, log = holes(rows)
    assert [hole.length_ns for hole in found] == [3 * S]
    assert holes(rows, (3,), log)[0] == found


def test_where_only_prints_are_missing_the_book_stays_whole() -> None:
    out = EventBuffer()
    book(out, START, 10)
    out.append(GAP, START + S, lots=C_DISCONNECT, ref=NONE, aux=NONE, marks=LAST | PRINTS_ONLY)
    book(out, START + 2 * S, 11)
    (hole,), _, log = holes(Clock().insert(out.take()))
    assert hole.prints_only
    assert hole.length_ns is not None
    assert log.open_hole(0) is None


def test_only_so_many_are_kept_but_the_first_is_known() -> None:
    out = EventBuffer()
    for at in range(1200):
        out.append(GAP, START + at * S, lots=C_DISCONNECT, ref=NONE, aux=NONE, marks=LAST | PRINTS_ONLY)
    rows = out.take()
    rows["seq"] = np.arange(len(rows))
    _, last, log = holes(rows)
    assert len(log.newest(0, last, 5000)) == 1000
    first = log.first(0, last)
    assert first is not None
    assert first.seq == 0

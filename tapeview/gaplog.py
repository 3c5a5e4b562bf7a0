"""The holes of a session: where the stream was broken, how long, and what is known of what is missing.

A hole begins with a GAP row and is closed by the first row after which the book is live again. Its length runs from
the last row before it, because nothing that came between is known.
"""

from __future__ import annotations

import bisect
import threading
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from feeds.events import BOOK, CAUSES, EVERY, GAP, NONE, PRINTS_ONLY, S_STALE, S_SYNCING, TRADE, Events

_MOST: Final = 1000
"""Holes of an instrument that are kept, the newest."""


class Hole(NamedTuple):
    """A place where the stream was broken."""

    seq: int
    """The GAP row."""
    since_ns: int
    """Receive time of the last row before it."""
    at_ns: int
    """Receive time of the GAP row."""
    until_ns: int | None = None
    """Receive time at which the book was live again; None while it is not."""
    until_seq: int | None = None
    """The row that closed it."""
    cause: str = "unknown"
    lost: int | None = None
    """Messages missing, None where the venue's rule does not tell."""
    before: int | None = None
    """The venue's number of the last change of the book before it."""
    after: int | None = None
    """The same of the newest change when the book was live again."""
    prints_only: bool = False
    """Only prints and slow inputs are missing; the book stayed whole."""
    stated_ns: int | None = None
    """Its length as the GAP row has it."""

    @property
    def length_ns(self) -> int | None:
        """From the last row before it until the book was live again; None while it is open."""
        if self.until_ns is None:
            return None
        return max(self.until_ns - self.since_ns, self.stated_ns or 0)


class Applied(Protocol):
    """What a session says a batch did to one instrument."""

    @property
    def events(self) -> Events:
        """The rows."""

    @property
    def frame(self) -> NDArray[Any]:
        """A FRAME row for each."""


class GapLog:
    """Holes of a source's instruments; told twice, as by a pass ahead and by the player, they are one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holes: dict[int, list[Hole]] = {}
        self._first: dict[int, Hole] = {}

    def add(self, inst: int, done: Applied, newest_ns: int, venue_seq: int) -> None:
        """Look at applied rows that hold a GAP or come while a hole is open.

        `newest_ns` is the receive time of the instrument's newest change or print before them, `venue_seq` the venue's
        number of the newest change, NONE where there is none.
        """
        events, state = done.events, done.frame["state"]
        at = 0
        gaps = np.flatnonzero((events["kind"] == GAP) & ((events["inst"] == inst) | (events["inst"] == EVERY)))
        for place in [*gaps.tolist(), len(events)]:
            self._close(inst, events, state, at, place, venue_seq)
            if place < len(events):
                self._open(inst, events, place, newest_ns, venue_seq)
            at = place + 1

    def open_hole(self, inst: int) -> Hole | None:
        """The newest hole while it is open."""
        holes = self._holes.get(inst)
        return holes[-1] if holes and holes[-1].until_ns is None else None

    def _open(self, inst: int, events: Events, place: int, newest_ns: int, venue_seq: int) -> None:
        row = events[place]
        earlier = events[:place]
        earlier = earlier[(earlier["kind"] >= BOOK) & (earlier["kind"] <= TRADE)]
        told = earlier["ref"][(earlier["kind"] == BOOK) & (earlier["ref"] != NONE)]
        since = int(earlier["recv_ns"][-1]) if len(earlier) else newest_ns
        at_ns = int(row["recv_ns"])
        before = int(told[-1]) if len(told) else venue_seq
        cause = int(row["lots"])
        prints_only = bool(row["marks"] & PRINTS_ONLY)
        hole = Hole(
            seq=int(row["seq"]),
            since_ns=at_ns if since == NONE else min(since, at_ns),
            at_ns=at_ns,
            until_ns=at_ns if prints_only else None,
            until_seq=int(row["seq"]) if prints_only else None,
            cause=CAUSES[cause] if 0 <= cause < len(CAUSES) else CAUSES[0],
            lost=None if row["ref"] == NONE else int(row["ref"]),
            before=None if before == NONE else before,
            prints_only=prints_only,
            stated_ns=None if row["aux"] == NONE or row["aux"] <= 0 else int(row["aux"]),
        )
        with self._lock:
            holes = self._holes.setdefault(inst, [])
            where = bisect.bisect_left(holes, hole.seq, key=lambda h: h.seq)
            if where < len(holes) and holes[where].seq == hole.seq:
                return
            earlier_end = holes[where - 1].until_seq if where else hole.seq
            if not prints_only and (earlier_end is None or earlier_end > hole.seq):
                return  # broken again before it was whole: one hole
            holes.insert(where, hole)
            if inst not in self._first or hole.seq < self._first[inst].seq:
                self._first[inst] = hole
            del holes[:-_MOST]

    def _close(self, inst: int, events: Events, state: NDArray[Any], start: int, end: int, venue_seq: int) -> None:
        with self._lock:
            holes = self._holes.get(inst, [])
            which = next((n for n in range(len(holes) - 1, -1, -1) if holes[n].until_ns is None), None)
            if which is None or start >= end:
                return
            live = np.flatnonzero(~np.isin(state[start:end], (S_SYNCING, S_STALE)))
            live = live[events["seq"][start:end][live] > holes[which].seq]
            if not len(live):
                return
            place = start + int(live[0])
            until = events[: place + 1]
            told = until["ref"][(until["kind"] == BOOK) & (until["ref"] != NONE)]
            holes[which] = holes[which]._replace(
                until_ns=int(events["recv_ns"][place]),
                until_seq=int(events["seq"][place]),
                after=int(told[-1]) if len(told) else None if venue_seq == NONE else venue_seq,
            )

    def first(self, inst: int, seq: int) -> Hole | None:
        """The first hole of an instrument up to a row."""
        hole = self._first.get(inst)
        return hole if hole is not None and hole.seq <= seq else None

    def newest(self, inst: int, seq: int, most: int = 64) -> tuple[Hole, ...]:
        """The newest holes up to a row, newest first; one closed later than the row is still open."""
        with self._lock:
            holes = self._holes.get(inst, [])
            end = bisect.bisect_right(holes, seq, key=lambda h: h.seq)
            found = holes[max(0, end - most) : end][::-1]
        return tuple(
            hole if hole.until_seq is None or hole.until_seq <= seq
            else hole._replace(until_ns=None, until_seq=None, after=None)
            for hole in found
        )  # fmt: skip

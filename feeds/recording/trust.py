"""How far a capture may be trusted: how long its books were verified, how long nothing was missing, what we lost.

A book is verified while it is live and the venue's own rule vouches for it: with a chain, a counter or whole
snapshots from one message to the next; with checksums up to the message whose checksum agrees, because what it covers
is the book that all messages before it have made. A feed without a rule is never verified, however clean it is.
A hole begins after the last message before it and ends when the book is whole again.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from feeds.events import (
    C_DAMAGED,
    C_DROPS,
    C_RECORDING,
    CAUSES,
    CHECKED,
    CLOCK,
    FACT,
    GAP,
    LAST,
    NONE,
    PRINTS_ONLY,
    QUOTE,
    S_LIVE,
    STATUS,
    SUSPECT,
    TRADE,
)
from feeds.instruments import Instrument
from feeds.recording.columns import Column

MOST_TOLD: Final = 1000
"""Holes and drops that are listed; the counts and shares are of all."""
_OURS: Final = (C_DROPS, C_RECORDING, C_DAMAGED)
_NO_BOOK: Final = (TRADE, FACT, QUOTE, CLOCK, GAP)


class Hole(msgspec.Struct, kw_only=True):
    """Something is missing."""

    instrument: str
    seq: int
    """Of the GAP row."""
    cause: str
    lost: int | None = None
    """Messages, where the venue's rule tells how many."""
    since_ns: int
    until_ns: int | None = None
    """When the book was whole again; None where it never was."""
    length_ns: int = 0
    prints_only: bool = False
    """The book was whole all the time; only prints may be missing."""


class Drop(msgspec.Struct, kw_only=True):
    """Frames that came and that we lost."""

    at_ns: int
    lost: int | None = None
    """How many; None where nothing tells."""
    length_ns: int | None = None
    cause: str = ""


class Share(msgspec.Struct, kw_only=True):
    """Shares of one instrument, or of all together, in %: never rounded up."""

    verified_time: float = 0.0
    verified_messages: float = 0.0
    clean_time: float = 0.0


class Trust(msgspec.Struct, kw_only=True):
    """How far a capture may be trusted."""

    verification: str = ""
    """The venue's rule: chain, counter, checksum, snapshot or unverifiable."""
    session_ns: int = 0
    messages: int = 0
    """Messages about a book."""
    all: Share = msgspec.field(default_factory=Share)
    instruments: dict[str, Share] = {}
    own_drops: int = 0
    """Frames we lost, where their number is known."""
    drops: list[Drop] = []
    holes: list[Hole] = []


class _Market:
    """One instrument's account."""

    def __init__(self, name: str, *, by_checksum: bool, never: bool) -> None:
        self.name = name
        self.by_checksum, self.never = by_checksum, never
        self.since: int | None = None
        self.live = False
        self.hole: Hole | None = None
        self.hole_ns = self.verified_ns = self.waiting_ns = 0
        self.messages = self.verified = self.waiting = 0

    def reach(self, now: int) -> int:
        """Account for the time since the row before; give its length."""
        passed = 0 if self.since is None else max(0, now - self.since)
        self.since = now if self.since is None else max(self.since, now)
        if self.hole is not None:
            self.hole_ns += passed
        elif self.live and not self.never:
            if self.by_checksum:
                self.waiting_ns += passed
            else:
                self.verified_ns += passed
        return passed

    def take_back(self, length: int) -> None:
        """The newest `length` of the time accounted for was a hole."""
        if self.live and not self.never and self.hole is None:
            if self.by_checksum:
                self.waiting_ns = max(0, self.waiting_ns - length)
            else:
                self.verified_ns -= length
        if self.hole is None:
            self.hole_ns += length

    def doubt(self) -> None:
        """What was not vouched for yet never will be."""
        self.waiting = self.waiting_ns = 0

    def heal(self, now: int) -> None:
        if self.hole is not None:
            self.hole.until_ns = now
            self.hole.length_ns = now - self.hole.since_ns
            self.hole = None

    def message(self, marks: int) -> None:
        self.messages += 1
        if self.never or not self.live or self.hole is not None:
            return
        if not self.by_checksum:
            self.verified += 1
            return
        self.waiting += 1
        if marks & CHECKED:
            self.verified += self.waiting
            self.verified_ns += self.waiting_ns
            self.doubt()


class Account:
    """Follow a recording's rows; `result` says how far they may be trusted."""

    def __init__(self, instruments: tuple[Instrument, ...], verification: str) -> None:
        self._trust = Trust(verification=verification)
        by_checksum, never = verification == "checksum", verification in ("", "unverifiable")
        self._markets = [_Market(one.name, by_checksum=by_checksum, never=never) for one in instruments]
        self._drops: set[tuple[int, ...]] = set()
        self._ends: tuple[int, int] | None = None

    def take(self, columns: dict[str, Column]) -> None:
        """Take rows, as columns."""
        recv = columns["recv_ns"]
        ends = (int(recv.min()), int(recv.max()))
        self._ends = ends if self._ends is None else (min(self._ends[0], ends[0]), max(self._ends[1], ends[1]))
        kind, marks = columns["kind"], columns["marks"]
        telling = (kind == GAP) | (kind == STATUS) | ((marks & LAST) != 0)
        at = np.flatnonzero(telling & (columns["inst"] < len(self._markets)))
        names = ("kind", "inst", "lots", "ref", "aux", "marks", "seq", "recv_ns")
        for row in zip(*(columns[name][at].tolist() for name in names), strict=True):
            self._row(*row)

    def _row(self, kind: int, inst: int, lots: int, ref: int, aux: int, marks: int, seq: int, recv_ns: int) -> None:
        market = self._markets[inst]
        before = market.since
        passed = market.reach(recv_ns)
        if kind == GAP:
            self._gap(market, lots, ref, aux, marks, seq, recv_ns, passed if before is not None else 0)
            return
        if kind == STATUS:
            market.live = aux == S_LIVE
            if market.live:
                market.heal(recv_ns)
        if marks & SUSPECT:
            market.doubt()
            market.live = False
        elif marks & CHECKED and market.hole is None:
            market.live = True
        if marks & LAST and kind not in _NO_BOOK:
            market.message(marks)

    def _gap(
        self, market: _Market, cause: int, lost: int, length: int, marks: int, seq: int, recv_ns: int, passed: int
    ) -> None:
        hole_ns = passed if length == NONE else min(passed, max(0, length))
        market.take_back(hole_ns)
        known = None if lost == NONE else lost
        word = CAUSES[cause] if 0 <= cause < len(CAUSES) else str(cause)
        if cause in _OURS and (drop := (recv_ns, cause, lost, length)) not in self._drops:
            # Each instrument has a row for it, and it was lost once.
            self._drops.add(drop)
            self._trust.own_drops += known or 0
            if len(self._trust.drops) < MOST_TOLD:
                told = Drop(at_ns=recv_ns, lost=known, length_ns=None if length == NONE else length, cause=word)
                self._trust.drops.append(told)
        prints_only = bool(marks & PRINTS_ONLY)
        hole = Hole(
            instrument=market.name, seq=seq, cause=word, lost=known, since_ns=recv_ns - hole_ns, length_ns=hole_ns,
            prints_only=prints_only,
        )  # fmt: skip
        if len(self._trust.holes) < MOST_TOLD:
            self._trust.holes.append(hole)
        if prints_only:
            hole.until_ns = recv_ns
            return
        market.doubt()
        market.live = False
        if market.hole is None:
            market.hole = hole
        else:
            # One hole in the other: it is whole again when the book is.
            hole.since_ns = market.hole.since_ns
            market.hole.until_ns, market.hole.length_ns = recv_ns, recv_ns - market.hole.since_ns
            market.hole = hole

    def result(self) -> Trust:
        """The account of all rows taken."""
        trust = self._trust
        if self._ends is None:
            return trust
        first, last = self._ends
        trust.session_ns = last - first
        for market in self._markets:
            if market.since is not None:
                market.reach(last)
            if market.hole is not None:
                market.hole.length_ns = last - market.hole.since_ns
            trust.instruments[market.name] = self._share([market])
        trust.messages = sum(market.messages for market in self._markets)
        trust.all = self._share(self._markets)
        return trust

    def _share(self, markets: list[_Market]) -> Share:
        time = self._trust.session_ns * len(markets)
        return Share(
            verified_time=_percent(sum(market.verified_ns for market in markets), time),
            verified_messages=_percent(sum(m.verified for m in markets), sum(m.messages for m in markets)),
            clean_time=_percent(time - sum(market.hole_ns for market in markets), time),
        )


def _percent(part: int, whole: int) -> float:
    # Cut off, not rounded: 100 says that it was all.
    return part * 100_000 // whole / 1000 if whole > 0 else 0.0

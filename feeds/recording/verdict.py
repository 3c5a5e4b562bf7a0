"""Checking a recording, or any source, as far as its data allows: what was checked, what is wrong and where."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
import numpy as np

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    CAUSES,
    CHECKED,
    CLEAR,
    CLOCK,
    EVERY,
    GAP,
    LAST,
    NONE,
    OFF_GRID,
    OFF_LOT,
    QUOTE,
    S_LIVE,
    STATUS,
    SUSPECT,
    TRADE,
    Events,
)
from feeds.instruments import Instrument
from feeds.recording.columns import Column, split
from feeds.recording.inside import Inside
from feeds.recording.trust import Account, Trust
from feeds.recording.writer import EventsDigest
from feeds.source import Checks, Source

Progress = Callable[[int, int], None]
CROSSED_NS: Final = 2_000_000_000
"""A book crossed for longer than this is a fault; a shorter cross happens at every venue that conflates."""
MOST_PROBLEMS: Final = 1000
_MOST_TOLD: Final = 100_000


class Checked(msgspec.Struct, kw_only=True):
    """How many of some comparison were made and how many disagreed."""

    checked: int = 0
    failed: int = 0


class Verdict(msgspec.Struct, kw_only=True):
    """What `tapeview verify` says; `ok` is whether there is no problem."""

    ok: bool = True
    events: int = 0
    trades: int = 0
    blocks: int = 0
    """Blocks of frames and parts of events read."""
    checksums: Checked = msgspec.field(default_factory=Checked)
    """The venue's own checksums over its book."""
    snapshots: Checked = msgspec.field(default_factory=Checked)
    """The venue's own snapshots against the book rebuilt."""
    quotes: Checked = msgspec.field(default_factory=Checked)
    """The venue's own best prices against the inside of the book."""
    live: Checked = msgspec.field(default_factory=Checked)
    """Digests of the rows a capture saw live against those of the rows its frames give; one failed is told."""
    gaps: int = 0
    resyncs: int = 0
    crossed: int = 0
    """Venue messages after which the best bid was at or above the best ask (above, where locked is legal)."""
    off_grid: int = 0
    out_of_order: int = 0
    torn_bytes: int = 0
    frames_digest: str | None = None
    events_digest: str | None = None
    trust: Trust | None = None
    """How long the books were verified, how long nothing was missing, what we lost; of captures."""
    problems: list[str] = []
    """One sentence each, with its place."""

    def problem(self, text: str) -> None:
        """Add a sentence; the verdict is not ok."""
        self.ok = False
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(text)


class _Told(NamedTuple):
    """Best bid and ask, as (price, size) in fine units, up to a venue update id."""

    ref: int
    seq: int
    bid: tuple[int, int] | None
    ask: tuple[int, int] | None


class _Market:
    """One instrument's part of the checks."""

    def __init__(self, instrument: Instrument, verdict: Verdict) -> None:
        self.name = instrument.name
        self.inside = Inside(instrument)
        self.locked_ok = instrument.locked_ok
        self.verdict = verdict
        self.live = False
        self.crossed_since: int | None = None
        self.told = False
        self.quote: dict[int, tuple[int, int]] = {}
        self.quote_ref = NONE
        self.quotes: deque[_Told] = deque()
        self.waiting: deque[_Told] = deque()
        self.fine = instrument.price.fine, instrument.size.fine
        self.depth_ref = NONE

    def forget(self) -> None:
        self.waiting.clear()
        self.quotes.clear()
        self.quote = {}
        self.depth_ref = self.quote_ref = NONE

    def on_quote(self, side: int, tick: int, lots: int, ref: int, marks: int) -> None:
        price = tick if marks & OFF_GRID else tick * self.fine[0]
        size = lots if marks & OFF_LOT else lots * self.fine[1]
        self.quote[side] = (price, size)
        self.quote_ref = ref

    def compare(self, ref: int) -> None:
        # Quotes come in order of their ids, so one of this id says that all up to it have come.
        while self.waiting and self.waiting[0].ref <= ref:
            depth = self.waiting.popleft()
            while len(self.quotes) > 1 and self.quotes[1].ref <= depth.ref:
                self.quotes.popleft()
            if not self.quotes or self.quotes[0].ref > depth.ref:
                continue
            self.verdict.quotes.checked += 1
            if (self.quotes[0].bid, self.quotes[0].ask) != (depth.bid, depth.ask):
                self.verdict.quotes.failed += 1
                what = f"the inside of the book is not the venue's quote up to update {depth.ref}"
                self.verdict.problem(f"seq {depth.seq}: {self.name}: {what}")

    def end_message(self, seq: int, recv_ns: int) -> None:
        bid, ask = self.inside.best(BID), self.inside.best(ASK)
        if self.quote_ref != NONE and len(self.quote) == 2:
            self.quotes.append(_Told(self.quote_ref, seq, self.quote[BID], self.quote[ASK]))
            self.compare(self.quote_ref)
        self.quote_ref = NONE
        if self.depth_ref != NONE and self.live:
            self.waiting.append(_Told(self.depth_ref, seq, bid, ask))
            if self.quotes:
                self.compare(self.quotes[-1].ref)
        for told in (self.quotes, self.waiting):
            if len(told) > _MOST_TOLD:
                told.popleft()
        self.depth_ref = NONE
        crossed = bid is not None and ask is not None and (bid[0] > ask[0] or (bid[0] == ask[0] and not self.locked_ok))
        if not crossed or not self.live:
            self.crossed_since, self.told = None, False
            return
        self.verdict.crossed += 1
        if self.crossed_since is None:
            self.crossed_since = recv_ns
        elif recv_ns - self.crossed_since > CROSSED_NS and not self.told:
            self.told = True
            self.verdict.problem(f"seq {seq}: {self.name}: the book is crossed for more than {CROSSED_NS / 1e9:.0f} s")


class StreamCheck:
    """Check rows as they come: numbering, order of time, gaps, venue marks, crossed books, quotes.

    With the rule by which a venue's books are verified, also how far a capture may be trusted.
    """

    def __init__(
        self, instruments: tuple[Instrument, ...], verdict: Verdict, *, verification: str | None = None
    ) -> None:
        self.verdict = verdict
        self._account = None if verification is None else Account(instruments, verification)
        self.digest = EventsDigest()
        self._markets = [_Market(instrument, verdict) for instrument in instruments]
        self._next_seq: int | None = None
        self._last_ns: int | None = None
        self._marked = Checked()

    def take(self, rows: Events) -> None:
        """Check a batch."""
        if not len(rows):
            return
        columns = split(rows)
        self.digest.add(rows)
        verdict = self.verdict
        verdict.events += len(rows)
        verdict.trades += int(np.count_nonzero(columns["kind"] == TRADE))
        if self._account is not None:
            self._account.take(columns)
        self._numbers(columns)
        self._times(columns)
        last = (columns["marks"] & LAST) != 0
        self._marked.checked += int(np.count_nonzero(last & ((columns["marks"] & (CHECKED | SUSPECT)) != 0)))
        self._marked.failed += int(np.count_nonzero(last & ((columns["marks"] & SUSPECT) != 0)))
        verdict.off_grid += int(np.count_nonzero(columns["marks"] & (OFF_GRID | OFF_LOT)))
        bad = (columns["inst"] >= len(self._markets)) & (columns["inst"] != EVERY)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            verdict.problem(f"seq {int(columns['seq'][at])}: inst {int(columns['inst'][at])} of {len(self._markets)}")
        self._books({name: column[~bad] for name, column in columns.items()} if bad.any() else columns)

    def _numbers(self, columns: dict[str, Column]) -> None:
        seq = columns["seq"]
        expected = self._next_seq if self._next_seq is not None else int(seq[0])
        steps = np.flatnonzero(np.diff(seq, prepend=expected - 1) != 1)
        for at in steps[:10].tolist():
            self.verdict.problem(f"seq {int(seq[at])}: does not follow {int(seq[at - 1]) if at else expected - 1}")
        self._next_seq = int(seq[-1]) + 1

    def _times(self, columns: dict[str, Column]) -> None:
        recv = columns["recv_ns"]
        newest = np.maximum.accumulate(np.concatenate([[recv[0] if self._last_ns is None else self._last_ns], recv]))
        back = np.flatnonzero(recv < newest[:-1])
        self.verdict.out_of_order += len(back)
        unmarked = back[(columns["marks"][back] & BAD_TIME) == 0]
        for at in unmarked[:10].tolist():
            late = int(newest[at]) - int(recv[at])
            seq = int(columns["seq"][at])
            self.verdict.problem(f"seq {seq}: receive time goes back by {late} ns and is not marked so")
        self._last_ns = int(newest[-1])

    def _books(self, columns: dict[str, Column]) -> None:
        names = ("kind", "inst", "side", "tick", "lots", "ref", "aux", "marks", "seq", "recv_ns")
        markets = self._markets
        for kind, inst, side, tick, lots, ref, aux, marks, seq, recv_ns in zip(
            *(columns[name].tolist() for name in names), strict=True
        ):
            if kind == CLOCK or inst == EVERY:
                continue
            market = markets[inst]
            if kind <= CLEAR and kind != TRADE:
                market.inside.apply(kind, side, tick, lots, ref, marks)
                if kind == BOOK:
                    market.depth_ref = ref
                elif kind == CLEAR:
                    market.waiting.clear()
                    market.depth_ref = NONE
            elif kind == QUOTE:
                market.on_quote(side, tick, lots, ref, marks)
            elif kind == STATUS:
                market.live = aux == S_LIVE
                market.depth_ref = ref  # also a depth message that changed nothing says where the venue is
            elif kind == GAP:
                market.forget()
                self.verdict.gaps += 1
                size = "" if ref == NONE else f" of {ref} messages"
                cause = CAUSES[lots] if 0 <= lots < len(CAUSES) else str(lots)
                self.verdict.problem(f"seq {seq}: {market.name}: gap{size} ({cause})")
            if marks & LAST:
                market.end_message(seq, recv_ns)

    def finish(self, checks: Checks) -> None:
        """Add what the source's reader found."""
        verdict = self.verdict
        for market in self._markets:
            market.compare(2**63)
        snapshots_marked = checks.snapshots and not checks.checksums  # CHECKED and SUSPECT then speak of those
        verdict.checksums = Checked() if snapshots_marked else self._marked
        if checks.checksums >= self._marked.checked:
            verdict.checksums = Checked(checked=checks.checksums, failed=checks.checksums_failed)
        verdict.snapshots = Checked(checked=checks.snapshots, failed=checks.snapshots_failed)
        verdict.resyncs = max(verdict.resyncs, checks.resyncs)
        if verdict.checksums.failed:
            verdict.problem(f"{verdict.checksums.failed} of {verdict.checksums.checked} venue checksums disagree")
        if verdict.snapshots.failed:
            verdict.problem(f"{verdict.snapshots.failed} of {verdict.snapshots.checked} venue snapshots disagree")
        for text in checks.problems:
            verdict.problem(text)
        verdict.events_digest = self.digest.value()
        self.digest.close()
        if self._account is not None:
            verdict.trust = self._account.result()


def verify_source(source: Source, progress: Progress | None = None) -> Verdict:
    """Check a source that is no recording, such as a foreign file."""
    verdict = Verdict()
    check = StreamCheck(source.instruments, verdict)
    try:
        for rows in source.batches():
            check.take(rows)
            if progress is not None:
                progress(*source.progress)
    except BadInput as error:
        verdict.problem(str(error))
    check.finish(source.checks)
    return verdict

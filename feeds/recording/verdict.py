"""Checking a recording, or any source, as far as its data allows: what was checked, what is wrong and where."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

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
from feeds.recording import segments
from feeds.recording.columns import Column, split
from feeds.recording.derived import Rebuild
from feeds.recording.inside import Inside
from feeds.recording.keyframe import KeyframeBook
from feeds.recording.manifest import NAME, Manifest, code_digest, intact, read_manifest
from feeds.recording.parts import FOLDER
from feeds.recording.recorded import Recording
from feeds.recording.segments import FrameReader, list_segments
from feeds.recording.writer import EventsDigest
from feeds.source import Checks, Source

Progress = Callable[[int, int], None]
CROSSED_NS: Final = 2_000_000_000
"""A book crossed for longer than this is a fault; a shorter cross happens at every venue that conflates."""
MOST_PROBLEMS: Final = 1000


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
    gaps: int = 0
    resyncs: int = 0
    crossed: int = 0
    """Venue messages after which the best bid was at or above the best ask (above, where locked is legal)."""
    off_grid: int = 0
    out_of_order: int = 0
    torn_bytes: int = 0
    frames_digest: str | None = None
    events_digest: str | None = None
    problems: list[str] = []
    """One sentence each, with its place."""

    def problem(self, text: str) -> None:
        """Add a sentence; the verdict is not ok."""
        self.ok = False
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(text)


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
        self.quote: dict[int, tuple[int, int, int]] = {}
        self.before: dict[int, tuple[int, int, int]] = {}
        self.waiting: deque[tuple[int, int, tuple[int, int] | None, tuple[int, int] | None]] = deque()
        self.fine = instrument.price.fine, instrument.size.fine
        self.depth_ref = NONE

    def forget(self) -> None:
        self.waiting.clear()
        self.quote, self.before = {}, {}
        self.depth_ref = NONE

    def on_quote(self, side: int, tick: int, lots: int, ref: int, marks: int) -> None:
        if ref == NONE:
            return
        now = self.quote.get(side)
        if now is not None and ref != now[2]:
            if ref < now[2]:
                return
            self.compare(ref)
        price = tick if marks & OFF_GRID else tick * self.fine[0]
        size = lots if marks & OFF_LOT else lots * self.fine[1]
        self.quote[side] = (price, size, ref)

    def compare(self, ref: int) -> None:
        # A quote newer than a depth message says that all quotes up to that message have come.
        while self.waiting and self.waiting[0][0] < ref:
            depth_ref, seq, bid, ask = self.waiting.popleft()
            quotes = [self.quote.get(BID), self.quote.get(ASK)]
            if any(quote is None or quote[2] > depth_ref for quote in quotes):
                continue
            self.verdict.quotes.checked += 1
            if [quote and quote[:2] for quote in quotes] != [bid, ask]:
                self.verdict.quotes.failed += 1
                what = f"the inside of the book is not the venue's quote up to update {depth_ref}"
                self.verdict.problem(f"seq {seq}: {self.name}: {what}")

    def end_message(self, seq: int, recv_ns: int) -> None:
        bid, ask = self.inside.best(BID), self.inside.best(ASK)
        if self.depth_ref != NONE and self.live:
            self.waiting.append((self.depth_ref, seq, bid, ask))
            if len(self.waiting) > 100_000:
                self.waiting.popleft()
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
    """Check rows as they come: numbering, order of time, gaps, venue marks, crossed books, quotes."""

    def __init__(self, instruments: tuple[Instrument, ...], verdict: Verdict) -> None:
        self.verdict = verdict
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
                    market.forget()
            elif kind == QUOTE:
                market.on_quote(side, tick, lots, ref, marks)
            elif kind == STATUS:
                market.live = aux == S_LIVE
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
        verdict.checksums = self._marked
        if checks.checksums >= self._marked.checked:
            verdict.checksums = Checked(checked=checks.checksums, failed=checks.checksums_failed)
        verdict.snapshots = Checked(checked=checks.snapshots, failed=checks.snapshots_failed)
        verdict.resyncs = max(verdict.resyncs, checks.resyncs)
        if verdict.checksums.failed:
            verdict.problem(f"{verdict.checksums.failed} of {verdict.checksums.checked} venue checksums disagree")
        for text in checks.problems:
            verdict.problem(text)
        verdict.events_digest = self.digest.value()
        self.digest.close()


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


def verify(recording: Path | str, progress: Progress | None = None) -> Verdict:
    """Check a recording on disk: its manifest, frames, parts and rows, and that frames and events agree."""
    folder = Path(recording)
    folder = folder.parent if folder.name == NAME else folder
    verdict = Verdict()
    try:
        manifest = read_manifest(folder)
    except BadInput as error:
        verdict.problem(str(error))
        return verdict
    if not intact((folder / NAME).read_bytes()):
        verdict.problem(f"{NAME}: changed after it was written (its sha256 disagrees)")
    if not manifest.complete:
        verdict.problem(f"{NAME}: the recording was not ended in order")
    total = sum(part.bytes for part in manifest.parts)
    total += 2 * sum(path.stat().st_size for path in list_segments(folder)) if manifest.frames else 0
    told = progress or (lambda _done, _all: None)
    frames_ok = _verify_segments(folder, manifest, verdict, lambda done: told(done, total))
    before = sum(path.stat().st_size for path in list_segments(folder))
    if frames_ok:
        verdict.frames_digest = _digest_frames(folder, manifest, verdict, lambda done: told(before + done, total))
    if manifest.parts:
        _verify_parts(folder, manifest, verdict, lambda done: told(2 * before * manifest.frames + done, total))
    return verdict


def _verify_segments(folder: Path, manifest: Manifest, verdict: Verdict, told: Callable[[int], None]) -> bool:
    if not manifest.frames:
        return False
    sums = {segment.name: segment for segment in manifest.segments}
    paths = list_segments(folder)
    for name in sorted(sums.keys() - {path.name for path in paths}):
        verdict.problem(f"{segments.FOLDER}/{name}: missing")
    for path in paths:
        segment = sums.get(path.name)
        if segment is None:
            if manifest.complete:
                verdict.problem(f"{segments.FOLDER}/{path.name}: not in the manifest")
        elif segment.sha256 and _sha256(path) != segment.sha256:
            verdict.problem(f"{segments.FOLDER}/{path.name}: not the bytes written (sha256 disagrees)")
    reader = FrameReader(folder)
    try:
        for _ in reader.records():
            told(reader.position)
    except BadInput as error:
        verdict.problem(str(error))
        return False
    finally:
        verdict.blocks += reader.blocks
        verdict.torn_bytes += reader.torn_bytes
        for damage in reader.damage:
            verdict.problem(str(damage))
    if not reader.ended and manifest.complete:
        verdict.problem(f"{segments.FOLDER}: the last record is not the writer's end")
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_frames(folder: Path, manifest: Manifest, verdict: Verdict, told: Callable[[int], None]) -> str | None:
    try:
        again = Rebuild(folder, manifest)
    except BadInput as error:
        verdict.problem(str(error))
        return None
    if manifest.parts:
        digest = EventsDigest()
        for rows in again.batches():
            digest.add(rows)
            told(again.position)
        found = digest.value()
        digest.close()
        return found
    check = StreamCheck(manifest.instruments, verdict)
    for rows in again.batches():
        check.take(rows)
        told(again.position)
    check.finish(again.checks)
    return verdict.events_digest


def _verify_parts(folder: Path, manifest: Manifest, verdict: Verdict, told: Callable[[int], None]) -> None:
    recording = Recording(folder, manifest)
    book = KeyframeBook(manifest.instruments)
    check = StreamCheck(manifest.instruments, verdict)
    whole, done, last_ns = True, 0, 0
    for number, part in enumerate(manifest.parts):
        try:
            keyframe, rows = recording.read_part(number)
        except BadInput as error:
            verdict.problem(str(error))
            whole = False
            continue
        verdict.blocks += 1
        if whole and number and not np.array_equal(keyframe, book.rows(last_ns, part.first_seq - 1)):
            verdict.problem(f"{FOLDER}/{part.name}: the keyframe is not the book of the rows before it")
        check.take(rows)
        book.follow(rows, split(rows))
        last_ns = part.last_ns
        done += part.bytes
        told(done)
    checks = Checks(checksums=manifest.checksums, checksums_failed=manifest.checksums_failed, resyncs=manifest.resyncs)
    check.finish(checks)
    _verify_manifest(manifest, verdict, whole)


def _verify_manifest(manifest: Manifest, verdict: Verdict, whole: bool) -> None:
    if whole and (manifest.events, manifest.trades) != (verdict.events, verdict.trades):
        counts = f"{manifest.events} events and {manifest.trades} trades"
        verdict.problem(f"{NAME}: says {counts}, there are {verdict.events} and {verdict.trades}")
    if manifest.events_digest is not None and verdict.events_digest != manifest.events_digest:
        verdict.problem(f"{NAME}: events_digest {manifest.events_digest[:16]} is not that of the events")
    if verdict.frames_digest is not None and verdict.frames_digest != verdict.events_digest:
        other = "" if manifest.code_digest == code_digest() else " (they were made by another version of the program)"
        verdict.problem(f"{FOLDER}: the frames give other events than those stored{other}")

"""Writing events: rows gathered into parts, each put in place whole, the manifest brought up to date after each."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

import msgspec
import numpy as np

from feeds.errors import BadInput
from feeds.events import KEYFRAME, LAST, TRADE, Events, empty
from feeds.instruments import Instrument
from feeds.recording.columns import Column, split
from feeds.recording.keyframe import KeyframeBook
from feeds.recording.manifest import NAME, Manifest, Part, code_digest, program, read_manifest, write_manifest
from feeds.recording.parts import FOLDER, encode_part, part_name
from feeds.recording.storage import Storage, WriteLock, replace_file
from feeds.source import Checks, SourceInfo

ROWS_PER_PART: Final = 131_072
_FIRST_ROOM: Final = 65_536


def describe(
    info: SourceInfo,
    instruments: tuple[Instrument, ...],
    *,
    origin: str = "",
    licence: str = "",
    notes: tuple[str, ...] = (),
    story: str = "",
    begin_ns: int | None = None,
) -> Manifest:
    """Make the manifest of a recording to be written from what is known of its source."""
    return Manifest(
        created_by=program(),
        origin=origin or info.address,
        venue=info.venue,
        source_format=info.format,
        tier=info.tier,
        verification=info.verification,
        instruments=instruments,
        derived=any(instrument.derived for instrument in instruments),
        licence=licence,
        notes=(*info.notes, *notes),
        story=story,
        begin_ns=begin_ns,
    )


class EventsDigest:
    """blake2b over the 64-byte rows in order, without keyframes; the same however the batches are cut."""

    def __init__(self) -> None:
        self._sums = hashlib.blake2b(digest_size=32)
        self._worker = ThreadPoolExecutor(1, "digest")
        self._busy: Future[None] | None = None

    def add(self, rows: Events) -> None:
        """Take the next rows; they must not be changed before the next `wait` or `value`."""
        marked = (rows["marks"] & KEYFRAME) != 0
        data = np.ascontiguousarray(rows[~marked] if marked.any() else rows)
        self.wait()
        self._busy = self._worker.submit(self._sums.update, data.view(np.uint8).data)

    def wait(self) -> None:
        """Return when the rows taken have been gone through."""
        if self._busy is not None:
            self._busy.result()

    def value(self) -> str:
        """The digest of all rows so far, in hex."""
        self.wait()
        return self._sums.hexdigest()

    def close(self) -> None:
        """End the thread."""
        self._worker.shutdown()


class RecordingWriter:
    """Write numbered EVENT rows as a recording; a context manager.

    What is written survives the end of the process at any moment; the disk is waited for once, at the end, because
    events can be made again. A folder that has frames and no events gets its events; a recording that has both gets
    new events with `replace`. Anything else in the way is refused with BadInput, and so is a disk that takes no more.
    """

    def __init__(
        self,
        recording: Path | str,
        info: SourceInfo,
        instruments: tuple[Instrument, ...],
        *,
        origin: str = "",
        licence: str = "",
        notes: tuple[str, ...] = (),
        story: str = "",
        begin_ns: int | None = None,
        replace: bool = False,
        part_rows: int = ROWS_PER_PART,
        level: int = 5,
        storage: Storage | None = None,
    ) -> None:
        self.recording = Path(recording)
        self._storage = storage or Storage()
        self._part_rows, self._level = max(1, part_rows), level
        self._refuse(replace)
        with self._disk():
            (self.recording / FOLDER).mkdir(parents=True, exist_ok=True)
        self.checks: Checks | None = None
        """What the source's reader found, for the manifest; set it before the end."""
        self._lock = WriteLock(self.recording)
        try:
            about = describe(
                info, tuple(instruments), origin=origin, licence=licence, notes=notes, story=story, begin_ns=begin_ns
            )
            with self._disk():
                self._manifest = self._begin(about)
        except BaseException:
            self._lock.release()
            raise
        self._book = KeyframeBook(tuple(instruments))
        self._digest = EventsDigest()
        self._forms: tuple[str, ...] | None = None
        self._waiting: Events = empty()
        self._rows = 0
        self._room: Column = np.empty(0, np.int64)
        self._next_seq: int | None = None
        self._last_ns: int | None = None

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        # What a failed call left is unknown, so nothing more is written; the manifest names the parts that are whole.
        self._failed = True
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise BadInput(str(self.recording), reason, "a disk that takes the recording") from error
        self._failed = False

    def _refuse(self, replace: bool) -> None:
        if not self.recording.exists():
            return
        if not self.recording.is_dir():
            raise BadInput(str(self.recording), "a file", "a folder to write to")
        there = {path.name for path in self.recording.iterdir()} - {".lock"}
        if not there:
            return
        if NAME not in there:
            raise BadInput(str(self.recording), "a folder with other files", "a new or an empty folder, or a recording")
        manifest = read_manifest(self.recording)
        if manifest.parts and not replace:
            raise BadInput(str(self.recording), "a recording with events", "a new or an empty folder")
        if replace and manifest.parts and not manifest.frames:
            raise BadInput(str(self.recording), "a recording without frames", "frames to make the events anew from")

    def _begin(self, about: Manifest) -> Manifest:
        if (self.recording / NAME).exists():
            old = read_manifest(self.recording)
            if old.instruments != about.instruments:
                raise BadInput(str(self.recording), "other instruments", "the instruments of the recording's frames")
            about = msgspec.structs.replace(
                old, parts=(), events=0, trades=0, first_ns=None, last_ns=None, events_digest=None, code_digest=None
            )
        write_manifest(self.recording, about, self._storage)
        for path in (self.recording / FOLDER).glob("part-*.parquet"):
            self._storage.remove(path)
        return about

    def write(self, rows: Events) -> None:
        """Take the next rows of the stream; their `seq` must go on where the last ended."""
        if len(rows) and (rows["marks"] & KEYFRAME).any():
            rows = rows[(rows["marks"] & KEYFRAME) == 0]
        if self._failed:
            raise BadInput(str(self.recording), "a recording that failed", "a disk that takes the recording")
        if not len(rows):
            return
        first = int(rows["seq"][0])
        if (self._next_seq is not None and first != self._next_seq) or int(rows["seq"][-1]) != first + len(rows) - 1:
            raise ValueError(f"rows from seq {first} do not go on from {self._next_seq}")
        self._next_seq = first + len(rows)
        for start in range(0, len(rows), self._part_rows):
            self._take(rows[start : start + self._part_rows])
            while self._rows >= self._part_rows and self._part():
                pass

    def _take(self, rows: Events) -> None:
        # The same memory serves every part: new memory costs more to clear than the rows cost to copy.
        end = self._rows + len(rows)
        if end > len(self._waiting):
            grown = empty(max(2 * end, min(2 * self._part_rows, _FIRST_ROOM)))
            grown[: self._rows] = self._waiting[: self._rows]
            self._waiting = grown
        self._waiting[self._rows : end] = rows
        self._rows = end

    def _part(self, last: bool = False) -> bool:
        rows = self._waiting[: self._rows]
        end = len(rows)
        if not last:
            ends = np.flatnonzero(rows["marks"][: self._part_rows] & LAST)
            if not len(ends):
                ends = self._part_rows + np.flatnonzero(rows["marks"][self._part_rows :] & LAST)[:1]
                if not len(ends):
                    return False
            end = int(ends[-1]) + 1
        with self._disk():
            self._save(rows[:end])
        self._digest.wait()
        rows[: len(rows) - end] = rows[end:].copy()
        self._rows = len(rows) - end
        return True

    def _save(self, rows: Events) -> None:
        if not len(rows):
            return
        self._digest.add(rows)
        first_seq, first_ns = int(rows["seq"][0]), int(rows["recv_ns"][0])
        keyframe = empty() if self._last_ns is None else self._book.rows(self._last_ns, first_seq - 1)
        if len(self._room) < 8 * (len(keyframe) + len(rows)):
            self._room = np.empty(9 * (len(keyframe) + len(rows)), np.int64)
        whole = split(keyframe, rows, room=self._room)
        columns = {name: column[len(keyframe) :] for name, column in whole.items()}
        newest = int(columns["recv_ns"].max())
        self._last_ns = newest if self._last_ns is None else max(self._last_ns, newest)
        data, self._forms = encode_part(whole, first_seq, len(keyframe), self._forms, self._level)
        name = part_name(len(self._manifest.parts))
        replace_file(self._storage, self.recording / FOLDER / name, data, sync=False)
        self._book.follow(rows, columns)
        part = Part(
            name=name,
            first_seq=first_seq,
            rows=len(rows),
            keyframe=len(keyframe),
            first_ns=first_ns,
            last_ns=self._last_ns,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        manifest = self._manifest
        manifest.parts = (*manifest.parts, part)
        manifest.events += len(rows)
        manifest.trades += int(np.count_nonzero(columns["kind"] == TRADE))
        manifest.first_ns = first_ns if manifest.first_ns is None else manifest.first_ns
        manifest.last_ns = self._last_ns
        manifest.complete = False
        write_manifest(self.recording, manifest, self._storage, sync=False)

    @property
    def manifest(self) -> Manifest:
        """The manifest as it stands; final after `close`."""
        return self._manifest

    def close(self, checks: Checks | None = None, notes: tuple[str, ...] = ()) -> None:
        """Write what is left and end the recording in order; `checks` is what the source's reader found."""
        checks = checks or self.checks
        if self._lock.released:
            return
        try:
            if self._rows:
                self._part(last=True)
            manifest = self._manifest
            manifest.events_digest, manifest.code_digest = self._digest.value(), code_digest()
            manifest.notes = (*manifest.notes, *(note for note in notes if note not in manifest.notes))
            if checks is not None:
                manifest.checksums, manifest.checksums_failed = checks.checksums, checks.checksums_failed
                manifest.resyncs = checks.resyncs
                manifest.snapshots, manifest.snapshots_failed = checks.snapshots, checks.snapshots_failed
            manifest.complete = True
            with self._disk():
                for part in manifest.parts:
                    self._storage.sync_file(self.recording / FOLDER / part.name)
                self._storage.sync_folder(self.recording / FOLDER)
                write_manifest(self.recording, manifest, self._storage)
        finally:
            self._abandon()

    def _abandon(self) -> None:
        self._digest.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(BadInput):
            if self._rows and not self._failed:
                self._part(last=True)
        self._abandon()

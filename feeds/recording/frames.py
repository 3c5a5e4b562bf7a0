"""Writing frames: what a venue sent, as it came, so that nothing acknowledged is ever lost.

Records gather in a block; a full block is written at once, `commit` writes what there is and brings it to the disk.
Blocks stay in memory until a sync of theirs returned. After a failed write the torn block is cut back; after a
failed sync nothing the segment holds since the last good one is trusted, because the system may have dropped it
and will say the next sync succeeded: the segment is closed for good and those blocks go to a new one. The reader
drops what it meets twice by the records' numbers.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec

from feeds.errors import BadInput
from feeds.recording.blocks import (
    BLOCK_BYTES,
    CLOCKS,
    END,
    FRAME,
    MORE,
    RECORD_HEAD,
    REST,
    SUFFIX,
    Header,
    pack_block,
    pack_frame,
    pack_header,
    pack_record,
)  # fmt: skip
from feeds.recording.manifest import NAME, Manifest, Segment, program, read_manifest, write_manifest
from feeds.recording.repair import repair
from feeds.recording.segments import FOLDER, FrameReader, list_segments
from feeds.recording.storage import Storage, WriteLock, boot_id, write_all

__all__ = ["FrameReader", "FrameWriter", "NotRecording"]

COMMIT_NS: Final = 1_000_000_000
"""The longest time `poll` lets pass between two commits."""
SEGMENT_BYTES: Final = 64 << 20
SEGMENT_NS: Final = 15 * 60 * 1_000_000_000
UNSYNCED_BYTES: Final = 8 << 20
"""Written but unsynced bytes kept in memory before a sync is forced."""
TAIL_BYTES: Final = 32 << 20
"""Bytes kept while the disk takes none; beyond them the oldest block goes, and the hole is known by its numbers."""
RETRY_NS: Final = 1_000_000_000


class NotRecording(msgspec.Struct, frozen=True):
    """The disk takes nothing at the moment."""

    since_ns: int
    """Wall-clock time of the first failure."""
    reason: str


class _Block(NamedTuple):
    records: int
    data: bytes


class FrameWriter:
    """Append records to a recording; used from one thread, by one process at a time.

    `about` describes the recording; an existing recording of frames only is continued, its torn tail cut off and
    told in `repaired`. Clocks are handed in so that a test or a simulation has its own.
    """

    def __init__(
        self,
        recording: Path,
        about: Manifest,
        *,
        storage: Storage | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
        mono_ns: Callable[[], int] = time.monotonic_ns,
        segment_bytes: int = SEGMENT_BYTES,
        segment_ns: int = SEGMENT_NS,
        tail_bytes: int = TAIL_BYTES,
        level: int = 3,
    ) -> None:
        import zstandard

        self.recording = recording
        self.trouble: NotRecording | None = None
        """Set while the disk takes nothing; None while all is well."""
        self.acknowledged = 0
        """Records whose sync has returned."""
        self.dropped = 0
        """Records given up because the disk took nothing for too long."""
        self.repaired: list[str] = []
        """What was cut off the end of an earlier run."""
        self._storage = storage or Storage()
        self._wall_ns, self._mono_ns = wall_ns, mono_ns
        self._segment_bytes, self._segment_ns, self._tail_bytes = segment_bytes, segment_ns, tail_bytes
        self._compressor: Any = zstandard.ZstdCompressor(level=level)
        self._raw, self._raw_records = bytearray(), 0
        self._blocks: deque[_Block] = deque()
        self._blocks_bytes = 0
        self._written = 0
        self._fd: int | None = None
        self._path = recording
        self._offset = self._segment_first = self._segment_records = self._opened_ns = 0
        self._sums = hashlib.sha256()
        self._retry_ns: int | None = None
        self._run = self._number = self._next_segment = self._next_record = 0
        try:
            (recording / FOLDER).mkdir(parents=True, exist_ok=True)
            self._lock = WriteLock(recording)
            try:
                self._manifest = self._take_over(about)
                write_manifest(recording, self._manifest, self._storage)
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise BadInput(str(recording), reason, "a disk that takes the recording") from error
        self._first_of_run = self._next_record
        self._committed_ns = mono_ns()
        self.clock_pair()

    def _take_over(self, about: Manifest) -> Manifest:
        about = msgspec.structs.replace(about, frames=True, complete=False, created_by=about.created_by or program())
        segments = list_segments(self.recording)
        if not (self.recording / NAME).exists():
            if segments:
                raise BadInput(str(self.recording), None, f"a folder whose frames have their {NAME}")
            return about
        old = read_manifest(self.recording)
        if old.parts:
            raise BadInput(str(self.recording), "a recording with events", "a new folder, or one with frames only")
        if (old.venue, old.instruments) != (about.venue, about.instruments):
            raise BadInput(
                str(self.recording), f"{old.venue}", f"a recording of {about.venue} with the same instruments"
            )
        earlier = repair(self.recording, old.segments, self._storage)
        self._run, self._next_segment, self._next_record = earlier.run, earlier.next_segment, earlier.next_record
        self.repaired = earlier.repaired
        old.segments, old.frames, old.complete = earlier.segments, True, False
        return old

    # -- taking records -------------------------------------------------------------------------
    @property
    def taken(self) -> int:
        """Records taken so far in this run, acknowledged or not; long payloads count once a piece."""
        return self._next_record - self._first_of_run

    def frame(
        self, channel: str, raw: bytes | str, *, wall_ns: int | None = None, mono_ns: int | None = None, conn: int = 0
    ) -> None:
        """Take one frame of a channel such as 'ws' or 'rest:snapshot:BTCUSDT'."""
        data = raw.encode() if isinstance(raw, str) else raw
        self.record(FRAME, pack_frame(channel, data), wall_ns=wall_ns, mono_ns=mono_ns, conn=conn)

    def clock_pair(self) -> None:
        """Record both clocks' readings, so that a step of the wall clock can be told later."""
        self.record(CLOCKS)

    def record(
        self, kind: int, payload: bytes = b"", *, wall_ns: int | None = None, mono_ns: int | None = None, conn: int = 0
    ) -> None:
        """Take one record of a type of feeds.recording.blocks; never raises for what the disk does."""
        if self._lock.released:
            raise ValueError("the recording is closed")
        wall = self._wall_ns() if wall_ns is None else wall_ns
        mono = self._mono_ns() if mono_ns is None else mono_ns
        if kind == FRAME:
            manifest = self._manifest
            manifest.first_ns = wall if manifest.first_ns is None else manifest.first_ns
            manifest.last_ns = max(wall, manifest.last_ns or wall)
        room = BLOCK_BYTES - RECORD_HEAD
        for start in range(0, max(1, len(payload)), room):
            bits = (MORE if start + room < len(payload) else 0) | (REST if start else 0)
            self._append(pack_record(kind | bits, wall, mono, conn, payload[start : start + room]))

    def _append(self, record: bytes) -> None:
        if len(self._raw) + len(record) > BLOCK_BYTES:
            self._seal()
            self._drain()
        self._raw += record
        self._raw_records += 1
        self._next_record += 1

    def _seal(self) -> None:
        if not self._raw_records:
            return
        first = self._next_record - self._raw_records
        block = _Block(self._raw_records, pack_block(self._compressor, first, self._raw_records, bytes(self._raw)))
        self._raw.clear()
        self._raw_records = 0
        self._blocks.append(block)
        self._blocks_bytes += len(block.data)
        while self._fd is None and self._blocks_bytes > self._tail_bytes and len(self._blocks) > 1:
            gone = self._blocks.popleft()
            self._blocks_bytes -= len(gone.data)
            self.dropped += gone.records

    # -- to the disk ----------------------------------------------------------------------------
    def commit(self) -> bool:
        """Bring everything taken so far to the disk; False where it takes nothing, and `trouble` says why."""
        self._committed_ns = self._mono_ns()
        self._seal()
        for _ in range(2):
            if not self._drain():
                return False
            if not self._blocks or self._sync():
                return True
        return False

    def poll(self) -> None:
        """Commit if the last commit was a second ago; call it a few times a second."""
        if self._mono_ns() - self._committed_ns >= COMMIT_NS:
            self.commit()

    def _drain(self) -> bool:
        for _ in range(2):
            if not self._blocks:
                return True
            if self._fd is None and not self._open():
                return False
            assert self._fd is not None
            try:
                while self._written < len(self._blocks):
                    block = self._blocks[self._written]
                    write_all(self._storage, self._fd, block.data)
                    self._offset += len(block.data)
                    self._segment_records += block.records
                    self._sums.update(block.data)
                    self._written += 1
            except OSError as error:
                self._cut_back(error)
                continue
            if self._offset < self._segment_bytes and self._blocks_bytes < UNSYNCED_BYTES and not self._old():
                return True
            if self._sync():
                return True
        return False

    def _old(self) -> bool:
        return self._mono_ns() - self._opened_ns >= self._segment_ns

    def _sync(self) -> bool:
        assert self._fd is not None
        try:
            self._storage.sync(self._fd)
        except OSError as error:
            self._end_segment("")
            self._written = 0
            self._refused(error)
            self._retry_ns = None
            return False
        self._acknowledge()
        self.trouble = self._retry_ns = None
        if self._offset >= self._segment_bytes or self._old():
            self._end_segment(self._sums.hexdigest())
            self._save_manifest()
        return True

    def _acknowledge(self) -> None:
        for _ in range(self._written):
            block = self._blocks.popleft()
            self._blocks_bytes -= len(block.data)
            self.acknowledged += block.records
        self._written = 0

    def _open(self) -> bool:
        now = self._mono_ns()
        if self._retry_ns is not None and now < self._retry_ns:
            return False
        wall = self._wall_ns()
        first = self._next_record - self._raw_records - sum(block.records for block in self._blocks)
        header = Header(
            build=self._manifest.created_by,
            venue=self._manifest.venue,
            instruments=self._manifest.instruments,
            run=self._run,
            number=self._number,
            first_record=first,
            wall_ns=wall,
            mono_ns=now,
            boot=boot_id(),
        )
        start = pack_header(header)
        day = datetime.fromtimestamp(wall / 1e9, UTC).strftime("%Y%m%d-%H%M%S")
        self._path = self.recording / FOLDER / f"{day}-{self._next_segment:06}{SUFFIX}"
        self._next_segment += 1
        fd = None
        try:
            fd = self._storage.create(self._path)
            write_all(self._storage, fd, start)
            self._storage.sync_folder(self._path.parent)
        except OSError as error:
            if fd is not None:
                with contextlib.suppress(OSError):
                    self._storage.close(fd)
                with contextlib.suppress(OSError):
                    self._storage.remove(self._path)
            self._refused(error)
            return False
        self._fd, self._offset, self._opened_ns = fd, len(start), now
        self._segment_first, self._segment_records, self._written = first, 0, 0
        self._sums = hashlib.sha256(start)
        self._number += 1
        return True

    def _cut_back(self, error: OSError) -> None:
        assert self._fd is not None
        sums = ""
        try:
            self._storage.truncate(self._fd, self._offset)
            self._storage.sync(self._fd)
        except OSError:
            self._written = 0
        else:
            sums = self._sums.hexdigest()
            self._acknowledge()
        self._end_segment(sums)
        self._refused(error)
        self._retry_ns = None

    def _refused(self, error: OSError) -> None:
        reason = f"{self._path.name}: {error.strerror or error}"
        self.trouble = self.trouble or NotRecording(self._wall_ns(), reason)
        self._retry_ns = self._mono_ns() + RETRY_NS

    def _end_segment(self, sums: str) -> None:
        assert self._fd is not None
        with contextlib.suppress(OSError):
            self._storage.close(self._fd)
        self._fd = None
        segment = Segment(
            name=self._path.name,
            first_record=self._segment_first,
            records=self._segment_records,
            bytes=self._offset,
            sha256=sums,
        )
        self._manifest.segments = (*self._manifest.segments, segment)

    def _save_manifest(self) -> None:
        try:
            write_manifest(self.recording, self._manifest, self._storage)
        except OSError as error:
            self.trouble = self.trouble or NotRecording(self._wall_ns(), f"{NAME}: {error.strerror or error}")

    # -- the end --------------------------------------------------------------------------------
    def close(self) -> None:
        """End the recording in order; raise OSError where something taken could not be brought to the disk."""
        if self._lock.released:
            return
        self.record(END)
        self._retry_ns = None
        done = self.commit()
        if self._fd is not None:
            self._end_segment(self._sums.hexdigest() if done else "")
        self._manifest.complete = done
        try:
            write_manifest(self.recording, self._manifest, self._storage)
        finally:
            self._lock.release()
        if not done:
            waiting = sum(block.records for block in self._blocks)
            reason = self.trouble.reason if self.trouble else "the disk"
            raise OSError(f"{waiting} records could not be written: {reason}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(OSError):
            self.close()

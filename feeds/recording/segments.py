"""Reading frames back: segments in order, blocks found again after damage, every hole told with its place."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

from feeds.errors import BadInput
from feeds.recording.blocks import (
    BLOCK_HEAD,
    END,
    MAGIC,
    MAX_HEADER,
    MORE,
    REST,
    SYNC,
    BlockHead,
    Header,
    Record,
    unpack_block_head,
    unpack_header,
    unpack_records,
)  # fmt: skip

FOLDER: Final = "frames"
_NAME: Final = re.compile(r"\d{8}-\d{6}-(\d+)\.tvr\Z", re.ASCII)
_CHUNK: Final = 1 << 20


class Damage(msgspec.Struct, kw_only=True):
    """A stretch of a segment that cannot be read, or records that are nowhere."""

    segment: str
    start: int
    end: int
    """Byte range in the segment; empty where the records are in no file at all."""
    lost: int | None
    """Records missing; None where the damage is at the very end, 0 where another segment repeats them."""
    torn: bool = False
    """The segment ends in it, as after a crash."""
    before_ns: int | None = None
    after_ns: int | None = None
    """Receive time of the last record before and the first after it."""
    what: str = ""

    def __str__(self) -> str:
        where = f"{self.segment}: bytes {self.start} to {self.end}" if self.end > self.start else self.segment
        kind = self.what or ("torn tail, cut" if self.torn else "damaged")
        lost = "" if self.lost is None else ", nothing lost" if self.lost == 0 else f", {self.lost} records lost"
        return f"{where}: {kind}{lost}"


class Found(msgspec.Struct, frozen=True):
    """A block that is whole, or (head None) bytes that are none."""

    start: int
    end: int
    head: BlockHead | None
    records: list[Record] = []


def segment_number(name: str) -> int | None:
    """The place of a segment in its recording, None where the name is not a segment's."""
    match = _NAME.match(name)
    return int(match[1]) if match else None


def list_segments(recording: Path) -> list[Path]:
    """The segments of a recording in the order they were written, whatever the clock in their names did."""
    folder = recording / FOLDER
    try:
        found = [(n, path) for path in folder.iterdir() if (n := segment_number(path.name)) is not None]
    except OSError:
        return []
    return [path for _, path in sorted(found)]


def scan_segment(path: Path) -> Iterator[Header | Damage | Found]:
    """Give a segment's header (or its damage), then its blocks and the bytes between them that are none.

    Raises BadInput where the file is no segment at all, or one of a newer build.
    """
    import zstandard

    decompressor = zstandard.ZstdDecompressor()
    place = f"{path.parent.name}/{path.name}"
    try:
        with path.open("rb", buffering=0) as file:  # positions are moved behind a buffer's back
            size = file.seek(0, 2)
            file.seek(0)
            head = file.read(65_536)
            if len(head) >= 16 and (want := int.from_bytes(head[12:16], "little")) <= MAX_HEADER:
                head += file.read(max(0, want + 32 - len(head)))
            run, at = 0, 0
            try:
                header, at = unpack_header(head, place)
                run = header.run
                yield header
            except BadInput as error:
                first = _find_sync(file, 0)
                if error.place.endswith("version") or (first is None and not _cut_short(head, size)):
                    raise
                at = size if first is None else first
                yield Damage(segment=place, start=0, end=at, lost=0, torn=first is None, what="damaged header")
            yield from _blocks(file, at, size, run, decompressor)
    except OSError as error:
        raise BadInput(place, None, f"a readable segment ({error.strerror})") from None


def _cut_short(head: bytes, size: int) -> bool:
    return size <= len(head) and head[: len(MAGIC)] == MAGIC[: len(head)]


def _blocks(file: FileIO, at: int, size: int, run: int, decompressor: object) -> Iterator[Found]:
    bad = -1
    while at < size:
        file.seek(at)
        start = file.read(BLOCK_HEAD)
        head = unpack_block_head(start[len(SYNC) :]) if start.startswith(SYNC) else None
        records = unpack_records(head, file.read(head.stored), decompressor, run) if head else None
        if head is not None and records is not None:
            if bad >= 0:
                yield Found(bad, at, None)
                bad = -1
            end = at + BLOCK_HEAD + head.stored
            yield Found(at, end, head, records)
            at = end
        else:
            bad = at if bad < 0 else bad
            following = _find_sync(file, at + 1)
            at = size if following is None else following
    if bad >= 0:
        yield Found(bad, size, None)


def _find_sync(file: FileIO, at: int) -> int | None:
    rest = b""
    while True:
        after = _next_data(file, at)
        if after is None:
            return None
        if after != at:
            rest, at = b"", after
        file.seek(at)
        chunk = file.read(_CHUNK)
        if not chunk:
            return None
        text = rest + chunk
        found = text.find(SYNC)
        if found >= 0:
            return at - len(rest) + found
        at += len(chunk)
        rest = text[-len(SYNC) + 1 :]


def _next_data(file: FileIO, at: int) -> int | None:
    # A sparse file may be far longer than anything can be read; holes in it are skipped.
    try:
        return os.lseek(file.fileno(), at, os.SEEK_DATA)
    except OSError as error:
        return None if error.errno == errno.ENXIO else at
    except AttributeError:
        return at


class FrameReader:
    """Read the frames of a recording once, in order."""

    def __init__(self, recording: Path) -> None:
        self.recording = recording
        self.paths = list_segments(recording)
        self.headers: list[Header] = []
        self.damage: list[Damage] = []
        """What was found so far, torn tails included."""
        self.blocks = 0
        self.duplicates = 0
        """Records met a second time, which a failing disk made the writer repeat."""
        self.ended = False
        """The last record is the writer's orderly end."""
        self.size = sum(path.stat().st_size for path in self.paths)
        self.position = 0
        """Bytes of the segments gone through."""
        self._next = 0
        self._run = 0
        self._last_ns: int | None = None

    @property
    def torn_bytes(self) -> int:
        """Bytes at the ends of segments that are no whole block."""
        return sum(d.end - d.start for d in self.damage if d.torn)

    def records(self) -> Iterator[Record | Damage]:
        """Give every record in order, and a Damage before the first record after a hole."""
        pieces: list[bytes] = []
        for item in self._numbered():
            if isinstance(item, Damage):
                pieces.clear()
                yield item
            elif item.kind & (MORE | REST):
                if bool(item.kind & REST) != bool(pieces):
                    pieces.clear()  # its beginning, or the end of the one before, is lost
                    if item.kind & REST:
                        continue
                pieces.append(item.payload)
                if not item.kind & MORE:
                    yield item._replace(kind=item.kind ^ REST, payload=b"".join(pieces))
                    pieces.clear()
            else:
                self.ended = item.kind == END
                pieces.clear()
                yield item

    def _numbered(self) -> Iterator[Record | Damage]:
        unexplained: Damage | None = None
        before = 0
        for path in self.paths:
            place = f"{path.parent.name}/{path.name}"
            for found in scan_segment(path):
                if isinstance(found, Header):
                    self.headers.append(found)
                elif isinstance(found, Damage):
                    self.damage.append(found)
                    unexplained = found
                elif found.head is None:
                    torn = found.end == path.stat().st_size
                    unexplained = Damage(segment=place, start=found.start, end=found.end, lost=None, torn=torn)
                    unexplained.before_ns = self._last_ns
                    self.damage.append(unexplained)
                else:
                    self.blocks += 1
                    yield from self._block(found, place, unexplained)
                    unexplained = None
                    self.position = before + found.end
            before += path.stat().st_size
            self.position = before

    def _block(self, found: Found, place: str, unexplained: Damage | None) -> Iterator[Record | Damage]:
        assert found.head is not None
        lost = max(0, found.head.first_record - self._next)
        if unexplained is not None:
            unexplained.lost = lost
        elif lost:
            unexplained = Damage(segment=place, start=found.start, end=found.start, lost=lost, what="records missing")
            unexplained.before_ns = self._last_ns
            self.damage.append(unexplained)
        if unexplained is not None and found.records:
            unexplained.after_ns = found.records[0].wall_ns
        if unexplained is not None and lost:
            yield unexplained
        for record in found.records:
            if record.number < self._next:
                self.duplicates += 1
                continue
            self._next = record.number + 1
            self._last_ns = record.wall_ns
            yield record

"""Going on with a recording of frames: where the next run starts, and what a crash left mended."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from feeds.recording.blocks import Header
from feeds.recording.manifest import Segment
from feeds.recording.segments import FOLDER, Damage, list_segments, scan_segment, segment_number
from feeds.recording.storage import Storage


class Earlier(msgspec.Struct):
    """What earlier runs left."""

    run: int = 0
    """The number of the next run."""
    next_segment: int = 0
    next_record: int = 0
    segments: tuple[Segment, ...] = ()
    repaired: list[str] = []
    """A sentence for every file that was cut or removed."""


def repair(recording: Path, listed: tuple[Segment, ...], storage: Storage) -> Earlier:
    """Find where a recording ends; cut torn tails off the segments a crash left, those not `listed`."""
    earlier = Earlier()
    names = {segment.name for segment in listed}
    added: list[Segment] = []
    paths = list_segments(recording)
    newest_listed = max((path for path in paths if path.name in names), key=paths.index, default=None)
    for path in paths:
        earlier.next_segment = (segment_number(path.name) or 0) + 1
        if path.name in names and path != newest_listed:
            continue
        whole = _Whole(path)
        earlier.run = max(earlier.run, whole.run + 1)
        earlier.next_record = max(earlier.next_record, whole.next_record)
        if path.name in names:
            continue
        size = path.stat().st_size
        if whole.end < size or not size:
            _cut(path, whole.end, storage)
            what = f"{size - whole.end} bytes after byte {whole.end} were no whole block and are cut"
            earlier.repaired.append(f"{FOLDER}/{path.name}: {what if whole.end else 'held nothing and is removed'}")
        if whole.end:
            added.append(whole.segment())
    earlier.segments = (*listed, *added)
    return earlier


class _Whole:
    """A segment up to its last whole block; `end` 0 where not even its beginning is there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = self.records = self.next_record = 0
        self.run = -1
        self.first: int | None = None
        for found in scan_segment(path):
            if isinstance(found, Header):
                self.run, self.next_record, self.first = found.run, found.first_record, found.first_record
                self.end = path.stat().st_size
            elif isinstance(found, Damage):
                self.end = 0 if found.torn else path.stat().st_size
            elif found.head is None:
                self.end = found.start
            else:
                self.end = found.end
                self.records += found.head.records
                self.first = found.head.first_record if self.first is None else self.first
                self.next_record = found.head.first_record + found.head.records

    def segment(self) -> Segment:
        with self.path.open("rb") as file:
            sums = hashlib.file_digest(file, "sha256").hexdigest()
        return Segment(
            name=self.path.name, first_record=self.first or 0, records=self.records, bytes=self.end, sha256=sums
        )


def _cut(path: Path, end: int, storage: Storage) -> None:
    if not end:
        storage.remove(path)
        return
    with path.open("r+b") as file:
        storage.truncate(file.fileno(), end)
        storage.sync(file.fileno())

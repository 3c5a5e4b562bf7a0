"""Reading a recording: from the start, from any part, as Parquet columns, with what is damaged told."""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from feeds.errors import BadInput
from feeds.events import C_DAMAGED, KEYFRAME, Events, empty
from feeds.recording.holes import gap_rows
from feeds.recording.manifest import NAME, Manifest, Part, intact, parse_manifest, read_manifest
from feeds.recording.parts import FOLDER, Assemble, PartRows, open_part
from feeds.source import Checks, Source, SourceInfo

if TYPE_CHECKING:
    import polars as pl

_PIECE: Final = 8192
"""Rows in a batch."""


class Recording(Source):
    """A recording on disk, or one whose files lie under a URL."""

    def __init__(self, address: str | Path, manifest: Manifest) -> None:
        self.address = str(address)
        self.manifest = manifest
        self.instruments = manifest.instruments
        self.checks = Checks()
        self.assemble: Assemble | None = None
        """Compiled code that puts rows together; numpy does where there is none."""
        self._position = 0
        self._size = sum(part.bytes for part in manifest.parts)
        if not manifest.parts and manifest.frames and self.local:
            from feeds.recording.segments import list_segments

            self._size = sum(path.stat().st_size for path in list_segments(Path(self.address)))
        notes = manifest.notes
        if not manifest.complete:
            notes = (*notes, "the recording was not ended in order: what is there is what could be saved")
        self.info = SourceInfo(
            address=self.address,
            format="recording",
            venue=manifest.venue,
            tier=manifest.tier,
            verification=manifest.verification,
            bytes=self._size,
            notes=notes,
        )

    @property
    def local(self) -> bool:
        """Whether it is a folder on this machine."""
        return "://" not in self.address

    @property
    def parts(self) -> tuple[Part, ...]:
        """The index of the events; empty where there are frames only."""
        return self.manifest.parts

    @property
    def next_seq(self) -> int:
        """The `seq` after the last row of the events."""
        return self.parts[-1].next_seq if self.parts else 0

    @property
    def progress(self) -> tuple[int, int]:
        """(bytes read, bytes in all) of the newest pass."""
        return self._position, self._size

    def part_at(self, *, seq: int | None = None, recv_ns: int | None = None) -> int:
        """The number of the part that holds row `seq`, or whose keyframe is the last not after `recv_ns`."""
        if (seq is None) == (recv_ns is None):
            raise ValueError("give seq or recv_ns")
        if seq is not None:
            at = bisect.bisect_right([part.first_seq for part in self.parts], seq)
        else:
            assert recv_ns is not None
            # last_ns never falls, and a part's keyframe is the book at the last_ns of the part before it
            at = 1 + bisect.bisect_right([part.last_ns for part in self.parts[:-1]], recv_ns)
        return max(0, at - 1)

    def read_part(self, number: int) -> tuple[Events, Events]:
        """(keyframe, rows) of a part; raise BadInput where its bytes are not those written."""
        part = self._open_part(number)
        return part.take(part.head.keyframe, self.assemble), part.take(part.count, self.assemble)

    def _open_part(self, number: int) -> PartRows:
        part = self.parts[number]
        place = f"{self.address}/{FOLDER}/{part.name}"
        data: bytes | str = place
        if self.local:
            try:
                data = Path(place).read_bytes()
            except OSError as error:
                raise BadInput(place, None, f"a readable part ({error.strerror})") from None
            found = hashlib.sha256(data).hexdigest()
            if found != part.sha256:
                what = f"{len(data)} bytes, sha256 {found[:16]}"
                raise BadInput(place, what, f"{part.bytes} bytes, sha256 {part.sha256[:16]}")
        rows = open_part(data, place)
        head = rows.head
        if (head.first_seq, head.keyframe, rows.count) != (part.first_seq, part.keyframe, part.keyframe + part.rows):
            raise BadInput(place, f"rows from seq {head.first_seq}", f"{part.rows} rows from seq {part.first_seq}")
        return rows

    def batches(self) -> Iterator[Events]:
        """Give the rows from the start: those stored, or those the frames give where none are."""
        if not self.parts and self.manifest.frames:
            yield from self._rebuilt()
            return
        yield from self.batches_from_part(0)

    def batches_from(self, seq: int) -> Iterator[Events]:
        """Give rows from the part that holds `seq`, its keyframe first."""
        yield from self.batches() if not self.parts else self.batches_from_part(self.part_at(seq=seq))

    def batches_from_part(self, number: int) -> Iterator[Events]:
        """Give a part's keyframe and rows, and all rows of the parts after it, some thousand rows at a time.

        A damaged part becomes a GAP row, followed by the next part's book as a snapshot.
        """
        with ThreadPoolExecutor(1, "read ahead") as ahead:
            yield from self._parts_from(number, ahead)

    def _parts_from(self, number: int, ahead: Executor) -> Iterator[Events]:
        self._position = sum(part.bytes for part in self.parts[:number])
        lost: Part | None = None
        first = True
        coming: Future[PartRows] | None = None
        for at in range(number, len(self.parts)):
            part = self.parts[at]
            try:
                rows = coming.result() if coming is not None else self._open_part(at)
            except BadInput as error:
                coming = None
                self.checks.damaged += 1
                self.checks.problem(str(error))
                if lost is None:
                    lost = part
                continue
            finally:
                self._position += part.bytes
            keyframe = rows.take(rows.head.keyframe, self.assemble)
            if lost is not None:
                yield _hole(len(self.instruments), lost, part, keyframe)
                lost = None
            elif first and len(keyframe):
                yield keyframe
            first = False
            coming = None
            while len(piece := rows.take(_PIECE, self.assemble)):
                yield piece
                if coming is None and at + 1 < len(self.parts):
                    # Whoever asks for a second piece goes on: the next part is opened meanwhile.
                    coming = ahead.submit(self._open_part, at + 1)
        if lost is not None:
            yield _hole(len(self.instruments), lost, None, empty())

    def _rebuilt(self) -> Iterator[Events]:
        from feeds.recording.derived import Rebuild

        rebuild = Rebuild(Path(self.address), self.manifest)
        self.checks = rebuild.checks
        for rows in rebuild.batches():
            self._position = rebuild.position
            yield rows


def _hole(instruments: int, lost: Part, following: Part | None, keyframe: Events) -> Events:
    end_seq = following.first_seq if following else lost.next_seq
    recv_ns = int(keyframe["recv_ns"][0]) if len(keyframe) else lost.last_ns
    gap = gap_rows(instruments, recv_ns, C_DAMAGED, end_seq - lost.first_seq, recv_ns - lost.first_ns)
    rows = np.concatenate([gap, keyframe])
    rows["marks"] &= np.uint16(0xFFFF ^ KEYFRAME)
    rows["seq"] = end_seq - 1
    return rows


def is_recording(path: Path | str) -> bool:
    """Whether a path is the folder of a recording, or such a folder's manifest."""
    path = Path(path)
    return (path / NAME).is_file() or (path.name == NAME and path.is_file())


def open_recording(address: Path | str) -> Recording:
    """Open a recording's folder, or the URL of one; raise BadInput where there is none."""
    text = str(address)
    if "://" in text:
        return Recording(text.rstrip("/"), _remote_manifest(text.rstrip("/")))
    folder = Path(text)
    folder = folder.parent if folder.name == NAME else folder
    recording = Recording(folder, read_manifest(folder))
    if not intact((folder / NAME).read_bytes()):
        recording.checks.problem(f"{folder / NAME}: changed after it was written (its sha256 disagrees)")
    return recording


def _remote_manifest(address: str) -> Manifest:
    import polars as pl

    place = f"{address}/{NAME}"
    try:
        lines = pl.scan_lines(place).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadInput(place, str(error).splitlines()[0], "the manifest of a recording") from None
    return parse_manifest("\n".join(lines.to_series().to_list()).encode(), place)


def scan(address: Path | str) -> pl.LazyFrame:
    """The events as a polars LazyFrame with every field of EVENT but `seq`, keyframes left out, unknowns null."""
    import polars as pl

    files = f"{address}/{FOLDER}/part-*.parquet"
    # A part's wide columns are narrow where its values fit: the schema of the first part is not that of all.
    schema = {
        name: pl.Int64() if kind == pl.Int32 else kind for name, kind in pl.scan_parquet(files).collect_schema().items()
    }
    lazy = pl.scan_parquet(
        files, include_file_paths="part", schema=schema, cast_options=pl.ScanCastOptions(integer_cast="upcast")
    )
    one = pl.col("kind").is_between(2, 5)
    fields: list[pl.Expr] = []
    for field in ("recv_ns", "exch_ns", "ref", "aux"):
        stem = field.removesuffix("_ns")
        step = pl.col(stem + "_step")
        base = pl.col(stem + "_base") if stem + "_base" in schema else pl.lit(0)
        if field in schema:
            value = pl.col(field)
        elif field == "exch_ns" and "lag_ns" in schema:
            value = fields[0] - pl.col("lag_ns")
        elif field == "aux":
            value = pl.when(one).then(pl.when(one).then(step).otherwise(0).cum_sum().over("part")).otherwise(step)
        else:
            value = base + step.cum_sum().over("part")
        bit = {"exch_ns": 1, "ref": 2, "aux": 4}.get(field)
        known = pl.lit(True) if bit is None else pl.col("unknown") & bit == 0
        fields.append(pl.when(known).then(value).alias(field))
    plain = [pl.col(name) for name in ("tick", "lots", "inst", "kind", "side", "marks")]
    return lazy.select(*fields, *plain).filter(pl.col("marks") & KEYFRAME == 0)

"""Events made anew from frames, by the venue's own parser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from feeds.clock import Clock
from feeds.errors import BadInput
from feeds.events import C_DAMAGED, C_RECORDING, C_UNKNOWN, EventBuffer, Events
from feeds.recording.blocks import DISCONNECT, FRAME, GAP, Record, unpack_frame
from feeds.recording.holes import gap_rows
from feeds.recording.manifest import Manifest, read_manifest
from feeds.recording.segments import Damage, FrameReader
from feeds.source import Checks, SourceInfo
from feeds.venues import venues

SNAPSHOT_CHANNEL: Final = "rest:snapshot:"
"""Channel of a book snapshot's frames, followed by the venue's symbol."""
FRAME_CHANNEL: Final = "ws"
"""Channel of websocket frames; may be followed by ':' and a name of the connection."""
_BATCH_ROWS: Final = 65_536


class GapTold(msgspec.Struct, frozen=True):
    """The payload of a GAP record, as JSON."""

    cause: int = C_UNKNOWN
    lost: int | None = None
    length_ns: int | None = None


class Rebuild:
    """One pass over a recording's frames."""

    def __init__(self, recording: Path, manifest: Manifest) -> None:
        if manifest.venue not in venues():
            raise BadInput(f"{recording}: venue", manifest.venue, "one of " + ", ".join(sorted(venues())))
        self.reader = FrameReader(recording)
        self.checks = Checks()
        self._instruments = len(manifest.instruments)
        self._venue = venues()[manifest.venue](
            {instrument.symbol: (inst, instrument) for inst, instrument in enumerate(manifest.instruments)}, self.checks
        )

    @property
    def position(self) -> int:
        """Bytes of the segments gone through."""
        return self.reader.position

    def batches(self) -> Iterator[Events]:
        """Give the rows the venue's parser makes of the frames, numbered, with CLOCK rows and GAP rows at holes."""
        out, clock, run = EventBuffer(), Clock(), None
        for record in self.reader.records():
            if isinstance(record, Damage):
                self._damage(record, out)
                continue
            if run is not None and record.run != run:
                self._venue.on_disconnect(record.wall_ns, out)
            run = record.run
            self._record(record, out)
            if len(out) >= _BATCH_ROWS:
                yield clock.insert(out.take())
        if len(out):
            yield clock.insert(out.take())

    def _record(self, record: Record, out: EventBuffer) -> None:
        if record.kind == FRAME:
            channel, raw = unpack_frame(record.payload)
            if channel.startswith(SNAPSHOT_CHANNEL):
                self._venue.on_snapshot(channel.removeprefix(SNAPSHOT_CHANNEL), raw, record.wall_ns, out)
            elif channel.partition(":")[0] == FRAME_CHANNEL:
                self._venue.on_frame(raw, record.wall_ns, out)
            else:
                self.checks.ignore(channel.partition(":")[0])
        elif record.kind == DISCONNECT:
            self._venue.on_disconnect(record.wall_ns, out)
        elif record.kind == GAP:
            try:
                told = msgspec.json.decode(record.payload, type=GapTold)
            except (msgspec.DecodeError, UnicodeDecodeError):
                told = GapTold()
            out.extend(gap_rows(self._instruments, record.wall_ns, told.cause, told.lost, told.length_ns))
        self._venue.wants()

    def _damage(self, damage: Damage, out: EventBuffer) -> None:
        self.checks.damaged += 1
        self.checks.problem(str(damage))
        recv_ns = damage.after_ns if damage.after_ns is not None else damage.before_ns or 0
        length = recv_ns - damage.before_ns if damage.before_ns is not None else None
        cause = C_DAMAGED if damage.end > damage.start else C_RECORDING
        out.extend(gap_rows(self._instruments, recv_ns, cause, damage.lost, length))
        if self._venue.verification == "unverifiable":  # nothing in its frames would tell that the book is wrong now
            self._venue.on_disconnect(recv_ns, out)


def rebuild(recording: Path | str) -> Iterator[Events]:
    """Give the rows of a recording made anew from its frames."""
    folder = Path(recording)
    yield from Rebuild(folder, read_manifest(folder)).batches()


def derive_events(recording: Path | str, progress: Callable[[int, int], None] | None = None) -> Manifest:
    """Write a recording's events anew from its frames and return its manifest."""
    from feeds.recording.writer import RecordingWriter

    folder = Path(recording)
    manifest = read_manifest(folder)
    again = Rebuild(folder, manifest)
    info = SourceInfo(
        address=str(folder),
        format=manifest.source_format,
        venue=manifest.venue,
        tier=manifest.tier,
        verification=manifest.verification,
        bytes=again.reader.size,
    )
    with RecordingWriter(folder, info, manifest.instruments, replace=True) as out:
        for rows in again.batches():
            out.write(rows)
            if progress is not None:
                progress(again.position, again.reader.size)
        out.close(again.checks)
    return read_manifest(folder)

"""Events made anew from frames, by the venue's own parser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from feeds.clock import Clock
from feeds.errors import BadInput
from feeds.events import C_DAMAGED, C_RECORDING, C_UNKNOWN, EventBuffer, Events
from feeds.feed import Feed
from feeds.recording.blocks import DISCONNECT, FRAME, GAP, Record, unpack_frame
from feeds.recording.holes import gap_rows
from feeds.recording.manifest import Manifest, read_manifest
from feeds.recording.segments import Damage, FrameReader
from feeds.source import Checks, SourceInfo
from feeds.venues import venues

SNAPSHOT_CHANNEL: Final = "rest:snapshot:"
"""Channel of a book snapshot's frames, followed by the venue's symbol."""
FRAME_CHANNEL: Final = "ws"
"""Channel of websocket frames; followed by ':' and the number of the venue's route, or all frames are one socket's."""
_BATCH_ROWS: Final = 65_536
_ONE: Final = -1
"""The socket of frames that say nothing of theirs."""


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
        self._venue = venues()[manifest.venue]
        self._feed = Feed(
            self._venue, {one.symbol: (inst, one) for inst, one in enumerate(manifest.instruments)}, self.checks
        )
        self._open: set[int] = set()

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
                self._close_all(record.wall_ns, out)
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
                symbol = channel.removeprefix(SNAPSHOT_CHANNEL)
                conn = record.conn if record.conn in self._open else self._socket(_ONE, 0, record.wall_ns)
                self._feed.snapshot(conn, symbol, raw, record.wall_ns, out)
                self._feed.wants()
                return
            kind, _, route = channel.partition(":")
            if kind == FRAME_CHANNEL:
                plain = not (route.isdigit() and route.isascii() and len(route) < 4)
                conn = self._socket(_ONE if plain else record.conn, 0 if plain else int(route), record.wall_ns)
                self._feed.frame(conn, raw, record.wall_ns, out)
            else:
                self.checks.ignore(kind)
        elif record.kind == DISCONNECT:
            self._close(record.conn if record.conn in self._open else _ONE, record.wall_ns, out)
        elif record.kind == GAP:
            try:
                told = msgspec.json.decode(record.payload, type=GapTold)
            except (msgspec.DecodeError, UnicodeDecodeError):
                told = GapTold()
            out.extend(gap_rows(self._instruments, record.wall_ns, told.cause, told.lost, told.length_ns))
        self._feed.wants()

    def _socket(self, conn: int, route: int, recv_ns: int) -> int:
        if conn not in self._open:
            self._open.add(conn)
            self._feed.open(conn, route, recv_ns)
        return conn

    def _close(self, conn: int, recv_ns: int, out: EventBuffer) -> None:
        self._open.discard(conn)
        self._feed.close(conn, recv_ns, out)

    def _close_all(self, recv_ns: int, out: EventBuffer) -> None:
        for conn in sorted(self._open):
            self._close(conn, recv_ns, out)

    def _damage(self, damage: Damage, out: EventBuffer) -> None:
        self.checks.damaged += 1
        self.checks.problem(str(damage))
        recv_ns = damage.after_ns if damage.after_ns is not None else damage.before_ns or 0
        length = recv_ns - damage.before_ns if damage.before_ns is not None else None
        cause = C_DAMAGED if damage.end > damage.start else C_RECORDING
        out.extend(gap_rows(self._instruments, recv_ns, cause, damage.lost, length))
        if self._venue.verification == "unverifiable":  # nothing in its frames would tell that the book is wrong now
            self._close_all(recv_ns, out)


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

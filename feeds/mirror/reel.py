"""What a mirror plays: frames, snapshots and ends of connections in the order of their times, of whatever has them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, Protocol, runtime_checkable

from feeds.errors import BadInput
from feeds.files._contract import Reader, Spoken
from feeds.instruments import Instrument
from feeds.source import OpenOptions
from feeds.venues import venues

HEAD: Final = 20_000
"""Frames looked at before anything is served: for depths, channel numbers and the first snapshots."""
FRAME, SNAPSHOT, CUT = "frame", "snapshot", "cut"


class Shot(NamedTuple):
    """One thing that the venue did."""

    ns: int
    venue: str
    kind: str
    """FRAME, SNAPSHOT (an answer over HTTP) or CUT (a connection's end)."""
    raw: bytes = b""
    symbol: str = ""
    """Whose snapshot."""
    code: int = 0
    """Close code of a CUT, 0 where it was none."""


class Reel(ABC):
    """Something to play; `shots` starts anew at each call."""

    address: str
    looked: ClassVar[int] = HEAD
    """Shots of the head."""
    markets: dict[str, dict[str, Instrument]]
    """Instruments by venue and symbol."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        """Other recorded answers over HTTP, by path with query."""
        self.first: dict[tuple[str, str], bytes] = {}
        """The first recorded snapshot of each venue's symbol."""
        self.head: list[Shot] = []
        """The first shots."""

    @abstractmethod
    def shots(self) -> Iterator[Shot]:
        """Everything in the order of time; raises BadInput where it is damaged beyond reading."""

    def look(self) -> None:
        """Go through the head."""
        self.head = list(islice(self.shots(), self.looked))
        for shot in self.head:
            if shot.kind == SNAPSHOT:
                self.first.setdefault((shot.venue, shot.symbol), shot.raw)


def open_reel(address: str, options: OpenOptions | None = None) -> Reel:
    """Open a recording or a capture, or any source of events; raises BadInput for what is none.

    Frames are played as they are. A source that holds events alone is spoken in the words of Binance's USD-M futures.
    """
    from feeds.recording import is_recording
    from feeds.recording.manifest import read_manifest

    options = options or OpenOptions()
    path = Path(address).expanduser()
    reel: Reel
    if path.exists() and is_recording(path) and options.format in (None, "recording") and read_manifest(path).frames:
        reel = RecordedFrames(path)
    elif path.exists() and not is_recording(path):
        reel = _captured(path, options)
    else:
        reel = _events(address, options)
    reel.look()
    if not reel.head:
        raise BadInput(address, None, "at least one frame to serve")
    return reel


class RecordedFrames(Reel):
    """A recording's own frames."""

    def __init__(self, folder: Path) -> None:
        from feeds.recording.manifest import read_manifest

        super().__init__()
        manifest = read_manifest(folder)
        if manifest.venue not in venues():
            raise BadInput(f"{folder}: venue", manifest.venue, "one of " + ", ".join(venues()))
        self.address = str(folder)
        self.folder = folder
        self.venue = manifest.venue
        self.markets = {manifest.venue: {one.symbol: one for one in manifest.instruments}}

    def shots(self) -> Iterator[Shot]:
        """Frames of one connection a route: those of one opened to follow another begin where that one ends."""
        from feeds.recording.blocks import DISCONNECT, unpack_frame
        from feeds.recording.blocks import FRAME as FRAME_RECORD
        from feeds.recording.derived import FRAME_CHANNEL, SNAPSHOT_CHANNEL
        from feeds.recording.segments import Damage, FrameReader

        heard: dict[str, int] = {}
        for record in FrameReader(self.folder).records():
            if isinstance(record, Damage):
                continue
            if record.kind == DISCONNECT:
                route = next((name for name, conn in heard.items() if conn == record.conn), None)
                if route is not None:
                    del heard[route]
                    text = record.payload.decode("ascii", "replace")
                    yield Shot(record.wall_ns, self.venue, CUT, code=int(text) if text.isdigit() else 0)
                continue
            if record.kind != FRAME_RECORD:
                continue
            channel, raw = unpack_frame(record.payload)
            if channel.startswith(SNAPSHOT_CHANNEL):
                yield Shot(record.wall_ns, self.venue, SNAPSHOT, raw, channel.removeprefix(SNAPSHOT_CHANNEL))
            elif channel.partition(":")[0] == FRAME_CHANNEL and heard.setdefault(channel, record.conn) == record.conn:
                yield Shot(record.wall_ns, self.venue, FRAME, raw)


@runtime_checkable
class _Speaks(Protocol):
    def session(self) -> Iterator[Spoken]:
        """Give what was said."""


class Captured(Reel):
    """A capture of frames that a reader of files knows."""

    def __init__(self, address: str, reader: Reader, again: type[Reader], path: Path, options: OpenOptions) -> None:
        super().__init__()
        self.address = address
        self.markets = {}
        for one in reader.instruments:
            self.markets.setdefault(one.venue, {})[one.symbol] = one
        self._kind, self._path, self._options = again, path, options

    def shots(self) -> Iterator[Shot]:
        """Frames and answers of the venues whose instruments are known."""
        from urllib.parse import urlsplit

        reader = self._kind.open(self._path, self._options)
        assert isinstance(reader, _Speaks)
        connected: dict[str, str] = {}
        for said in reader.session():
            if said.kind == "frame" and said.venue in self.markets:
                yield Shot(said.recv_ns, said.venue, FRAME, said.raw)
            elif said.kind == "snapshot" and said.venue in self.markets:
                yield Shot(said.recv_ns, said.venue, SNAPSHOT, said.raw, said.symbol)
            elif said.kind == "answer":
                parts = urlsplit(said.url)
                self.pages[parts.path + (f"?{parts.query}" if parts.query else "")] = said.raw
            elif said.kind == "connect" and said.venue in self.markets:
                if said.conn in connected:
                    yield Shot(said.recv_ns, said.venue, CUT)
                connected[said.conn] = said.venue


class Listed(Reel):
    """Shots at hand, as of a test."""

    def __init__(self, address: str, markets: Mapping[str, Mapping[str, Instrument]], shots: Iterable[Shot]) -> None:
        super().__init__()
        self.address = address
        self.markets = {venue: dict(instruments) for venue, instruments in markets.items()}
        self._shots = list(shots)
        self.look()

    def shots(self) -> Iterator[Shot]:
        """All of them."""
        return iter(self._shots)


def _captured(path: Path, options: OpenOptions) -> Reel:
    from feeds.files import reader_for

    kind = reader_for(path, options)
    reader = kind.open(path, options)
    if isinstance(reader, _Speaks) and all(one.venue in venues() for one in reader.instruments):
        return Captured(str(path), reader, kind, path, options)
    return _events(str(path), options)


def _events(address: str, options: OpenOptions) -> Reel:
    from feeds.mirror.translated import Translated

    return Translated(address, options)

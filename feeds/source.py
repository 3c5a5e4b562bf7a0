"""Sources of events: what they promise, and how an address becomes one."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from feeds.errors import BadInput
from feeds.instruments import Instrument

if TYPE_CHECKING:  # options are read, and a screen is painted, before numpy is imported
    from feeds.events import Events


class OpenOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person may say about a source that it does not say itself."""

    format: str | None = None
    tick: str | None = None
    lot: str | None = None
    symbol: str | None = None
    venue: str | None = None
    columns: str | None = None
    """What the columns of a table mean, as `time=ts,price=px,size=qty,side=taker` (see `feeds.files.table`)."""
    facts: str | None = None
    """File or folder of slow inputs (see `feeds.facts`), put in at the moments they became known."""
    clip: int | None = None
    """Rows to give at most, for a quick look; the last message is whole."""
    url: str | None = None
    """Of a live source: scheme and host in place of the venue's, as of a mirror."""
    rest: str | None = None
    """The same of what is fetched over HTTP."""
    seconds: float | None = None
    """Of a live source: how long it goes on; without end for None."""


class Checks(msgspec.Struct, kw_only=True):
    """What a reader found out about the data while reading it."""

    messages: int = 0
    checksums: int = 0
    checksums_failed: int = 0
    gaps: int = 0
    resyncs: int = 0
    off_grid: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    damaged: int = 0
    unknown_orders: int = 0
    """Changes or deletes of orders never seen."""
    ghosts: list[dict[str, object]] = []
    """Orders whose end was never told, each with id, side, price, size, since_ns, dropped_ns and why."""
    snapshots: int = 0
    """The venue's own snapshots compared with the book rebuilt, and how many disagreed at the inside."""
    snapshots_failed: int = 0
    ignored: dict[str, int] = {}
    """Messages of a kind that is not used, by kind."""
    problems: list[str] = []
    """Sentences for a person, each with its place; at most 1,000 are kept."""

    def problem(self, text: str) -> None:
        """Keep a sentence."""
        if len(self.problems) < 1000:
            self.problems.append(text)

    def ignore(self, kind: str) -> None:
        """Count a message of a kind that is not used."""
        self.ignored[kind] = self.ignored.get(kind, 0) + 1


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a source without reading it through."""

    address: str
    format: str
    venue: str
    tier: str
    """A order by order · B trade and depth in one event · C depth and trades apart · D trades and best quote."""
    verification: str
    """chain, counter, checksum, snapshot or unverifiable."""
    bytes: int
    notes: tuple[str, ...] = ()


class Source(ABC):
    """A finite or endless stream of EVENT batches over some instruments."""

    info: SourceInfo
    instruments: tuple[Instrument, ...]
    checks: Checks

    @abstractmethod
    def batches(self) -> Iterator[Events]:
        """Give the rows from the start, numbered, with CLOCK rows, in batches of any length.

        A batch ends where a venue message ends. Each call starts anew.
        """

    @property
    def progress(self) -> tuple[int, int]:
        """(bytes read, bytes in all) of the newest `batches` call; (0, 0) where it is not known."""
        return (0, 0)

    async def __aiter__(self) -> AsyncIterator[Events]:
        """Give the same batches without holding the event loop between them."""
        for batch in self.batches():
            yield batch
            await asyncio.sleep(0)

    def close(self) -> None:
        """Let go of files and tasks; a closed source is not used again."""


class FileSource(Source):
    """A foreign file or folder read by its reader."""

    def __init__(
        self, address: str, reader_factory: Callable[[], object], first: object, clip: int | None = None
    ) -> None:
        from feeds.files._contract import Reader

        assert isinstance(first, Reader)
        self._make = reader_factory
        self._reader: Reader = first
        self._fresh = True
        self._clip = clip
        self.instruments = first.instruments
        self.checks = first.checks
        self.info = SourceInfo(
            address=address,
            format=first.format,
            venue=first.venue,
            tier=first.tier,
            verification=first.verification,
            bytes=first.size,
            notes=tuple(first.notes),
        )

    def batches(self) -> Iterator[Events]:
        """Read the file from its start."""
        from feeds.files._contract import Reader

        if not self._fresh:
            reader = self._make()
            assert isinstance(reader, Reader)
            self._reader = reader
            self.checks = reader.checks
        self._fresh = False
        from feeds.clock import Clock
        from feeds.events import LAST

        clock = Clock()
        for rows in self._reader.rows():
            batch = clock.insert(rows)
            if self._clip is not None and clock.next_seq > self._clip:
                keep = len(batch) - (clock.next_seq - self._clip)
                whole = [at for at, marks in enumerate(batch["marks"][:keep].tolist(), 1) if marks & LAST]
                if whole:
                    yield batch[: whole[-1]]
                return
            if len(batch):
                yield batch

    @property
    def progress(self) -> tuple[int, int]:
        """(bytes read, bytes in all) of the files as stored."""
        return self._reader.position, self._reader.size


def open_source(address: str | Path, options: OpenOptions | None = None) -> Source:
    """Open a recording, a foreign file or folder, `simulator:...`, `live:VENUE:SYMBOL` or `broker://...`.

    Raises BadInput where that fails.

    The format is found by content unless `options.format` names it.
    """
    options = options or OpenOptions()
    source = _open(address, options)
    if options.facts is None:
        return source
    from feeds.facts import WithFacts, read_facts

    path = Path(options.facts).expanduser()
    if not path.exists():
        raise BadInput("--facts", options.facts, "a file or folder of slow inputs")
    return WithFacts(source, [fact for parsed in read_facts(path) for fact in parsed.facts])


def local(address: str) -> Path | None:
    """The file or folder an address names; None where there is none of that name."""
    try:
        path = Path(address).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError):  # a name too long for any file, a home of nobody
        return None


def _open(address: str | Path, options: OpenOptions) -> Source:
    text = str(address)
    if text.startswith("simulator:"):
        from feeds.simulator import open_simulator

        return open_simulator(text, options)
    if text.startswith("live:"):
        from feeds.livesource import open_live

        return open_live(text, options)
    if text.startswith("broker://"):
        from feeds.broker.client import open_broker

        return open_broker(text, options)
    path = local(text)
    if path is None:
        raise BadInput("source", text, "a recording, a file or folder of market data, or simulator:seed=7,minutes=30")
    from feeds.recording import is_recording, open_recording

    if is_recording(path):
        if options.format not in (None, "recording"):
            raise BadInput("--format", options.format, "'recording' for this folder")
        return open_recording(path)
    from feeds.files import reader_for

    kind = reader_for(path, options)
    return FileSource(text, lambda: kind.open(path, options), kind.open(path, options), options.clip)

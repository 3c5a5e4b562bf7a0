"""What a reader of a foreign format promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from feeds.events import Events
from feeds.instruments import Instrument
from feeds.source import Checks, OpenOptions


class Reader(ABC):
    """Read one foreign format as a stream of EVENT rows.

    A module in this folder is found by being there; it defines `READER`, a subclass of this. Rows come in file
    order with recv_ns, inst and marks set; `seq` and CLOCK rows are added by the source. A batch holds whole
    venue messages, at most about 65,536 rows, and no more of the file than that is held in memory.
    """

    format: ClassVar[str]
    """Name for `--format` and `tapeview info`."""
    title: ClassVar[str]
    """What it is, in a few words."""
    tier: str
    verification: str
    venue: str
    instruments: tuple[Instrument, ...]
    checks: Checks
    size: int
    """Bytes of all files."""
    position: int
    """Bytes of the files consumed so far, as stored (compressed)."""
    notes: list[str]
    """What a person should know: 'tick and lot derived', 'day two without snapshot' ..."""

    @classmethod
    @abstractmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether this is the reader's format, from the first 64 KiB (decompressed) or, for a folder
        (`head` empty), from its listing and its first file. Never raises.
        """

    @classmethod
    @abstractmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Look at the beginning, find instruments, tick and lot; raise BadInput where it cannot be read."""

    @abstractmethod
    def rows(self) -> Iterator[Events]:
        """Give the rows once; raise BadInput with the place (file, line or byte) where the file is damaged."""


class Spoken(NamedTuple):
    """One thing that was said in a captured session, unparsed, as `session` of a reader of frames gives it."""

    recv_ns: int
    kind: str
    """frame, snapshot (an answer with a book), answer (any other over HTTP) or connect."""
    venue: str
    conn: str
    raw: bytes
    symbol: str = ""
    """Whose snapshot."""
    url: str = ""

"""Recordings of frames made for tests, with clocks that stand still until told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from feeds.recording.blocks import CLOCKS, END, FRAME, Record, unpack_frame
from feeds.recording.frames import FrameWriter
from feeds.recording.manifest import Manifest
from feeds.recording.segments import Damage, FrameReader
from feeds.recording.storage import Storage
from tests.kit.disk import FailingStorage
from tests.kit.rows import INSTRUMENTS

ABOUT = Manifest(venue="test", instruments=INSTRUMENTS[:1], created_by="test", verification="chain", tier="C")
WALL_NS = 1_767_225_600_000_000_000


class Clocks:
    """Both clocks; a test moves them."""

    def __init__(self, wall_ns: int = WALL_NS, mono_ns: int = 5_000_000_000) -> None:
        self.wall_ns, self.mono_ns = wall_ns, mono_ns

    def pass_ns(self, ns: int) -> None:
        self.wall_ns += ns
        self.mono_ns += ns


def writer(
    folder: Path,
    clocks: Clocks | None = None,
    storage: Storage | None = None,
    about: Manifest = ABOUT,
    **options: object,
) -> FrameWriter:
    clocks = clocks or Clocks()
    wall: Callable[[], int] = lambda: clocks.wall_ns  # noqa: E731
    mono: Callable[[], int] = lambda: clocks.mono_ns  # noqa: E731
    return FrameWriter(folder, about, storage=storage or FailingStorage(), wall_ns=wall, mono_ns=mono, **options)


def read_all(folder: Path) -> tuple[list[Record], list[Damage], FrameReader]:
    """(records, holes in the order met, the reader)."""
    reader = FrameReader(folder)
    items = list(reader.records())
    return [i for i in items if isinstance(i, Record)], [i for i in items if isinstance(i, Damage)], reader


def payloads(folder: Path) -> list[bytes]:
    """The raw bytes of every frame."""
    return [unpack_frame(r.payload)[1] for r in read_all(folder)[0] if r.kind == FRAME]


def kinds(folder: Path) -> list[int]:
    """The type of every record but the writer's own clock pairs and its end."""
    return [r.kind for r in read_all(folder)[0] if r.kind not in (CLOCKS, END)]

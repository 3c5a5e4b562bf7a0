"""Where a venue's frames are recorded: a folder of their own, what it says of itself, and the queue before the disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from feeds.errors import BadInput
from feeds.instruments import Instrument
from feeds.recording.frames import FrameWriter
from feeds.recording.manifest import Manifest, program
from feeds.recording.queue import FrameQueue


class Recorded(Protocol):
    """What a recording tells of the venue."""

    @property
    def name(self) -> str:
        """As in addresses."""

    @property
    def tier(self) -> str:
        """A to D."""

    @property
    def verification(self) -> str:
        """chain, counter, checksum, snapshot or unverifiable."""


class Capture(NamedTuple):
    """A recording that is being made."""

    queue: FrameQueue
    about: Manifest


def check_free(folder: Path, option: str) -> None:
    """Refuse a folder that holds something, under the name of the option that names it; raises BadInput."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(option, str(folder), "a folder that does not exist yet, or an empty one")


def begin_capture(
    venue: Recorded, instruments: Mapping[str, tuple[int, Instrument]], folder: Path, option: str
) -> Capture:
    """Begin a recording of a venue's frames; raises BadInput for a folder in the way."""
    check_free(folder, option)
    about = Manifest(
        created_by=program(),
        origin=" ".join(f"{venue.name}:{symbol}" for symbol in instruments),
        venue=venue.name,
        source_format="live",
        tier=venue.tier,
        verification=venue.verification,
        instruments=tuple(one for _, one in instruments.values()),
    )
    return Capture(FrameQueue(FrameWriter(folder, about)), about)

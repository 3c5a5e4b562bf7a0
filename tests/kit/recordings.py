"""Recordings of events made for tests."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from feeds.events import Events, empty
from feeds.recording import Recording, RecordingWriter, open_recording
from feeds.source import SourceInfo
from tapeview import bundled
from tests.kit.disk import FailingStorage
from tests.kit.rows import INSTRUMENTS

INFO = SourceInfo(address="made/up", format="script", venue="test", tier="A", verification="chain", bytes=0)


def write_recording(folder: Path, rows: Events, cuts: list[int] | None = None, **options: object) -> Recording:
    """Write rows, cut into batches at these places, and open what was written."""
    options.setdefault("part_rows", 100)
    options.setdefault("storage", FailingStorage())  # does not wait for the disk
    instruments = options.pop("instruments", INSTRUMENTS[:1])
    with RecordingWriter(folder, INFO, instruments, **options) as out:
        places = cuts or [0, len(rows)]
        for start, end in itertools.pairwise(places):
            out.write(rows[start:end])
    return open_recording(folder)


def beginning(folder: Path, name: str, seconds: float, part_rows: int = 5000) -> Recording:
    """Write the first seconds of a bundled recording as one of its own, in smaller parts."""
    whole = open_recording(next(one.path for one in bundled.recordings() if one.name == name))
    rows = whole.read_part(0)[1]
    rows = rows[rows["recv_ns"] <= rows["recv_ns"][0] + int(seconds * 1e9)]
    with RecordingWriter(
        folder / name, whole.info, whole.instruments, part_rows=part_rows, storage=FailingStorage()
    ) as out:
        out.write(rows)
    whole.close()
    return open_recording(folder / name)


def all_rows(batches: object) -> Events:
    """Batches as one array."""
    return np.concatenate([empty(), *batches])

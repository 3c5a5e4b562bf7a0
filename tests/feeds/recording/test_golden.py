"""A recording of each released format version, kept as it was written, is still read as what it was made from.

`make` wrote them, each in its time; a folder here is never rewritten, a new version gets a new folder.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from feeds import script
from feeds.events import Events
from feeds.recording import open_recording, verify
from feeds.recording.manifest import Manifest
from tests.feeds.recording.test_derived import BTC, record
from tests.kit.frames import Clocks, payloads, writer
from tests.kit.recordings import all_rows, write_recording

FOLDER = Path(__file__).parent / "golden"
SCRIPT = (
    "[ b100:5/2 b99:4 a101:5 ] ~50 +101:1 a101:4 ~300 o7b98:6 -100:2 f7:1 x7 !halted ~2000 !live "
    + "b98:1 a103:2 " * 20
)
FRAMES = [b"one", b"two" * 100, bytes(range(256)) * 1200]


def events() -> Events:
    return script.events(SCRIPT)


def make(folder: Path) -> None:
    """Write the present version's golden recordings."""
    write_recording(folder / "events", events(), part_rows=30, origin="a script", licence="MIT")
    with writer(
        folder / "frames", Clocks(), about=Manifest(venue="none", instruments=(BTC,), created_by="test")
    ) as out:
        for frame in FRAMES:
            out.frame("ws", frame, conn=3)
            out.commit()
    record(folder / "venue", 10)


def versions() -> list[Path]:
    return sorted(FOLDER.iterdir())


def test_there_is_one_for_the_present_version() -> None:
    assert (FOLDER / f"version-{Manifest().version}").is_dir()


@pytest.mark.parametrize("folder", versions(), ids=lambda folder: folder.name)
def test_events_of_every_version_are_read(folder: Path) -> None:
    recording = open_recording(folder / "events")
    assert all_rows(recording.batches()).tobytes() == events().tobytes()
    assert recording.manifest.licence == "MIT"
    assert verify(folder / "events").problems == []


@pytest.mark.parametrize("folder", versions(), ids=lambda folder: folder.name)
def test_frames_of_every_version_are_read(folder: Path) -> None:
    assert payloads(folder / "frames") == FRAMES


@pytest.mark.parametrize("folder", versions(), ids=lambda folder: folder.name)
def test_frames_of_every_version_go_through_the_venues_parser(folder: Path, tmp_path: Path) -> None:
    record(tmp_path / "now", 10)
    now = all_rows(open_recording(tmp_path / "now").batches())
    assert all_rows(open_recording(folder / "venue").batches()).tobytes() == now.tobytes()

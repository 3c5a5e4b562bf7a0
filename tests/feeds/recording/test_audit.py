"""Recordings on disk: every planted fault is found with its place, and nothing where nothing is wrong."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from feeds import open_source, script
from feeds.events import KEYFRAME, Events
from feeds.recording import RecordingWriter, open_recording, verify
from tests.conftest import ROOT
from tests.feeds.recording.test_derived import record
from tests.kit.frames import writer
from tests.kit.recordings import write_recording

GOOD = "[ b100:5 b99:4 a101:5 ] ~50 +101:1 a101:4 ~300 b100:6 -100:2 b100:4 " + "~20 b98:1 a103:2 +101:1 a101:3 " * 40


def test_a_sound_recording_is_found_sound(tmp_path: Path) -> None:
    rows = script.events(GOOD)
    recording = write_recording(tmp_path / "r", rows, part_rows=30)
    seen: list[tuple[int, int]] = []
    verdict = verify(tmp_path / "r", lambda done, total: seen.append((done, total)))
    assert verdict.ok
    assert verdict.problems == []
    assert verdict.events == len(rows)
    assert verdict.trades == 42
    assert verdict.blocks == len(recording.parts) > 3
    assert verdict.events_digest == recording.manifest.events_digest
    assert verdict.frames_digest is None
    assert seen[-1][0] == seen[-1][1] > 0


def test_every_flipped_byte_of_a_part_or_the_manifest_is_found_with_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    write_recording(folder, script.events(GOOD), part_rows=60)
    rng = random.Random(7)
    for path in [*sorted((folder / "events").iterdir()), folder / "manifest.json"]:
        data = path.read_bytes()
        for at in rng.sample(range(len(data)), 12):
            changed = bytearray(data)
            changed[at] ^= 1 << rng.randrange(8)
            path.write_bytes(changed)
            verdict = verify(folder)
            assert not verdict.ok
            assert any(path.name in problem for problem in verdict.problems), (path.name, at, verdict.problems)
        path.write_bytes(data)
    assert verify(folder).ok


def test_every_flipped_byte_of_a_segment_is_found_with_its_file(tmp_path: Path) -> None:

    record(tmp_path, 10, commit=True)
    assert verify(tmp_path).ok
    (path,) = (tmp_path / "frames").iterdir()
    data = path.read_bytes()
    for at in random.Random(8).sample(range(len(data)), 40):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        path.write_bytes(changed)
        assert any(path.name in problem for problem in verify(folder_of(path)).problems), at


def folder_of(path: Path) -> Path:
    return path.parent.parent


def test_missing_parts_and_segments_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    recording = write_recording(folder, script.events(GOOD), part_rows=60)
    (folder / "events" / recording.parts[1].name).unlink()
    assert any(recording.parts[1].name in problem for problem in verify(folder).problems)
    with writer(tmp_path / "f") as out:
        out.frame("ws", b"x")
    (path,) = (tmp_path / "f" / "frames").iterdir()
    path.unlink()
    assert any(path.name in problem for problem in verify(tmp_path / "f").problems)


def test_a_keyframe_that_is_not_the_book_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from feeds.recording import keyframe

    plain = keyframe.KeyframeBook.rows

    def wrong(self: keyframe.KeyframeBook, recv_ns: int, seq: int) -> Events:
        rows = plain(self, recv_ns, seq)
        rows["lots"][1] += 1
        return rows

    with monkeypatch.context() as patched:
        patched.setattr(keyframe.KeyframeBook, "rows", wrong)
        write_recording(tmp_path / "r", script.events(GOOD), part_rows=60)
    assert any("keyframe is not the book" in problem for problem in verify(tmp_path / "r").problems)


def test_what_is_no_recording_is_a_problem_and_not_an_error(tmp_path: Path) -> None:
    assert not verify(tmp_path).ok
    (tmp_path / "manifest.json").write_text("{")
    assert not verify(tmp_path).ok


def test_keyframes_in_a_stream_are_not_events(tmp_path: Path) -> None:
    rows = script.events(GOOD)
    marked = rows.copy()
    marked["marks"] |= KEYFRAME
    recording = write_recording(tmp_path / "r", rows, part_rows=60)
    assert verify(tmp_path / "r").events == recording.manifest.events == len(rows)


@pytest.mark.parametrize(("name", "compared"), [("binance-usdm-btcusdt", 16_110), ("binance-spot-ethusdt", 6_468)])
def test_a_real_capture_recorded_agrees_with_the_venues_own_quotes(
    data: Path, tmp_path: Path, name: str, compared: int
) -> None:
    source = open_source(data / name)
    with RecordingWriter(tmp_path / "r", source.info, source.instruments, part_rows=250_000) as out:
        for rows in source.batches():
            out.write(rows)
        out.checks = source.checks
    verdict = verify(tmp_path / "r")
    assert verdict.problems == []
    assert verdict.quotes.checked >= compared
    assert verdict.quotes.failed == 0
    manifest = open_recording(tmp_path / "r").manifest
    assert sum(part.bytes for part in manifest.parts) <= 6 * manifest.events, "six bytes an event"


@pytest.mark.parametrize("folder", sorted((ROOT / "recordings").iterdir()), ids=lambda folder: folder.name)
def test_every_bundled_recording_is_sound(folder: Path) -> None:
    verdict = verify(folder)
    assert verdict.problems == []
    assert verdict.ok
    assert verdict.trades > 0

"""Writing events: parts, the manifest after each, refusals, failing disks, and the digest."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import KEYFRAME, LAST, TRADE
from feeds.recording import EventsDigest, RecordingWriter, open_recording
from feeds.recording.manifest import read_manifest
from feeds.source import Checks
from tests.kit.disk import FailingStorage
from tests.kit.recordings import INFO, all_rows, write_recording
from tests.kit.rows import INSTRUMENTS, cuts, stream, streams


@given(streams(instruments=2), st.data())
@settings(max_examples=25, deadline=None)
def test_the_digest_is_that_of_the_rows_however_they_are_cut(rows: np.ndarray, data: st.DataObject) -> None:
    digest = EventsDigest()
    places = data.draw(cuts(len(rows)))
    for start, end in itertools.pairwise(places):
        digest.add(rows[start:end])
    found = digest.value()
    digest.close()
    assert found == hashlib.blake2b(rows.tobytes(), digest_size=32).hexdigest()


def test_keyframes_do_not_count_in_the_digest() -> None:
    rows = stream(1, 30)
    marked = rows[:5].copy()
    marked["marks"] |= KEYFRAME
    digest = EventsDigest()
    digest.add(np.concatenate([marked, rows]))
    found = digest.value()
    digest.close()
    assert found == hashlib.blake2b(rows.tobytes(), digest_size=32).hexdigest()


def test_the_manifest_says_what_there_is(tmp_path: Path) -> None:
    rows = stream(2, 150)
    manifest = write_recording(tmp_path / "r", rows, licence="CC0", origin="command").manifest
    assert manifest.complete
    assert manifest.events == len(rows)
    assert manifest.trades == int((rows["kind"] == TRADE).sum())
    assert manifest.first_ns == int(rows["recv_ns"][0])
    assert manifest.last_ns == int(rows["recv_ns"].max())
    assert (manifest.licence, manifest.origin, manifest.tier) == ("CC0", "command", "A")
    assert len(manifest.parts) > 2
    for part in manifest.parts:
        data = (tmp_path / "r" / "events" / part.name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (part.bytes, part.sha256)


def test_parts_follow_each_other_and_end_with_a_message(tmp_path: Path) -> None:
    rows = stream(3, 300)
    recording = write_recording(tmp_path / "r", rows, part_rows=64)
    after = 0
    for part in recording.parts:
        assert part.first_seq == after
        assert part.rows <= 64
        assert rows["marks"][part.next_seq - 1] & LAST
        after = part.next_seq
    assert after == len(rows)
    assert [p.last_ns for p in recording.parts] == sorted(p.last_ns for p in recording.parts)


def test_a_message_longer_than_a_part_is_kept_whole(tmp_path: Path) -> None:
    rows = stream(4, 40)
    rows["marks"] &= np.uint16(0xFFFF ^ LAST)
    rows["marks"][[50, -1]] |= LAST
    recording = write_recording(tmp_path / "r", rows, part_rows=10)
    assert [part.rows for part in recording.parts] == [51, len(rows) - 51]


def test_the_manifest_after_each_part_describes_what_is_on_the_disk(tmp_path: Path) -> None:
    rows = stream(5, 200)
    out = RecordingWriter(tmp_path / "r", INFO, INSTRUMENTS[:1], part_rows=50)
    seen = 0
    for start in range(0, len(rows), 20):
        out.write(rows[start : start + 20])
        manifest = read_manifest(tmp_path / "r")
        assert not manifest.complete
        recording = open_recording(tmp_path / "r")
        stored = all_rows(recording.batches())
        assert stored.tobytes() == rows[: recording.next_seq].tobytes()
        seen = max(seen, len(manifest.parts))
    assert seen > 3
    out.close()
    assert read_manifest(tmp_path / "r").complete


def test_rows_must_go_on_where_they_ended(tmp_path: Path) -> None:
    rows = stream(6, 50)
    with RecordingWriter(tmp_path / "r", INFO, INSTRUMENTS[:1]) as out:
        out.write(rows[:10])
        with pytest.raises(ValueError, match="from seq 11"):
            out.write(rows[11:])
        out.write(rows[10:])
    assert len(all_rows(open_recording(tmp_path / "r").batches())) == len(rows)


def test_an_empty_recording_is_a_recording(tmp_path: Path) -> None:
    recording = write_recording(tmp_path / "r", stream(1, 1)[:0])
    assert list(recording.batches()) == []
    assert recording.manifest.complete
    assert recording.manifest.first_ns is None


def test_nothing_is_written_over(tmp_path: Path) -> None:
    write_recording(tmp_path / "r", stream(7, 20))
    with pytest.raises(BadInput, match="a recording with events"):
        RecordingWriter(tmp_path / "r", INFO, INSTRUMENTS[:1])
    with pytest.raises(BadInput, match="without frames"):
        RecordingWriter(tmp_path / "r", INFO, INSTRUMENTS[:1], replace=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="other files"):
        RecordingWriter(tmp_path / "other", INFO, INSTRUMENTS[:1])
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="file"):
        RecordingWriter(tmp_path / "file", INFO, INSTRUMENTS[:1])


def test_a_recording_is_complete_only_when_all_of_it_is_on_the_disk(tmp_path: Path) -> None:
    rows, storage = stream(9, 200), FailingStorage()
    out = RecordingWriter(tmp_path / "r", INFO, INSTRUMENTS[:1], part_rows=50, storage=storage)
    out.write(rows)
    before = storage.names.count("sync")
    parts = len(out.manifest.parts)
    assert parts > 3
    storage.fails = lambda n, name: name == "sync"
    with pytest.raises(BadInput, match="planned"):
        out.close()
    assert not read_manifest(tmp_path / "r").complete
    assert before <= 1

    again = FailingStorage()
    with RecordingWriter(tmp_path / "again", INFO, INSTRUMENTS[:1], part_rows=50, storage=again) as out:
        out.write(rows)
    last = len(again.names) - 1 - again.names[::-1].index("rename")
    assert again.names[:last].count("sync") == 1 + len(out.manifest.parts) + 1
    assert again.names[-1] == "sync_folder"


def test_two_writers_are_refused(tmp_path: Path) -> None:
    out = RecordingWriter(tmp_path / "r", INFO, INSTRUMENTS[:1])
    with pytest.raises(BadInput, match="nobody is writing"):
        RecordingWriter(tmp_path / "r", INFO, INSTRUMENTS[:1])
    out.close()


def test_what_the_reader_found_is_in_the_manifest(tmp_path: Path) -> None:
    out = RecordingWriter(tmp_path / "r", INFO, INSTRUMENTS[:1])
    out.checks = Checks(checksums=7, checksums_failed=1, resyncs=2)
    out.close()
    manifest = read_manifest(tmp_path / "r")
    assert (manifest.checksums, manifest.checksums_failed, manifest.resyncs) == (7, 1, 2)


def test_whichever_call_fails_the_parts_named_in_the_manifest_are_whole(tmp_path: Path) -> None:
    rows = stream(8, 80)

    def run(folder: Path, storage: FailingStorage) -> None:
        with RecordingWriter(folder, INFO, INSTRUMENTS[:1], part_rows=60, storage=storage) as out:
            for start in range(0, len(rows), 30):
                out.write(rows[start : start + 30])

    counting = FailingStorage()
    run(tmp_path / "count", counting)
    assert counting.calls > 20
    failed = 0
    for k in range(counting.calls):
        folder = tmp_path / str(k)
        try:
            run(folder, FailingStorage(lambda n, _, k=k: n == k))
        except BadInput as error:
            failed += "planned" in str(error)
        try:
            recording = open_recording(folder)
        except BadInput:
            continue
        stored = all_rows(recording.batches())
        assert recording.checks.problems == []
        assert stored.tobytes() == rows[: len(stored)].tobytes()
        assert len(stored) == recording.manifest.events
    assert failed > 10

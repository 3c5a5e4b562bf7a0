"""Reading recordings: equal rows whatever the cuts, any part as a start, holes for damaged parts, Parquet for all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import open_source
from feeds.errors import BadInput
from feeds.events import C_DAMAGED, GAP, KEYFRAME, NONE
from feeds.recording import Recording, is_recording, open_recording, scan
from feeds.source import OpenOptions
from tests.kit.recordings import all_rows, write_recording
from tests.kit.reference import NaiveBook
from tests.kit.rows import INSTRUMENTS, cuts, stream, streams


@given(streams(instruments=2, max_messages=80), st.data())
@settings(max_examples=15, deadline=None)
def test_rows_are_read_as_they_were_written_whatever_the_batches_and_parts(tmp_path_factory, rows, data) -> None:
    folder = tmp_path_factory.mktemp("r") / "r"
    part_rows = data.draw(st.integers(1, 120))
    places = data.draw(cuts(len(rows)))
    recording = write_recording(folder, rows, places, part_rows=part_rows, instruments=INSTRUMENTS)
    assert all_rows(recording.batches()).tobytes() == rows.tobytes()
    assert all_rows(recording.batches()).tobytes() == rows.tobytes(), "each call starts anew"
    assert recording.progress[0] == recording.progress[1] == recording.info.bytes


@given(streams(instruments=2, max_messages=80), st.data())
@settings(max_examples=15, deadline=None)
def test_starting_at_any_part_gives_the_book_of_playing_through(tmp_path_factory, rows, data) -> None:
    folder = tmp_path_factory.mktemp("r") / "r"
    part_rows = data.draw(st.integers(5, 60))
    recording = write_recording(folder, rows, part_rows=part_rows, instruments=INSTRUMENTS)
    number = data.draw(st.integers(0, len(recording.parts) - 1))
    upto = data.draw(st.integers(recording.parts[number].first_seq, recording.parts[number].next_seq))
    got = all_rows(recording.batches_from_part(number))
    assert set(got["seq"][got["marks"] & KEYFRAME != 0].tolist()) <= {recording.parts[number].first_seq - 1}
    got = got[got["seq"] < upto]
    for inst, instrument in enumerate(INSTRUMENTS):
        through = NaiveBook(inst, instrument).apply(rows[:upto])
        assert NaiveBook(inst, instrument).apply(got, keyframes=True).state() == through.state()


def test_a_part_is_found_by_seq_and_by_time(tmp_path: Path) -> None:
    rows = stream(1, 300)
    recording = write_recording(tmp_path / "r", rows, part_rows=50)
    newest = np.maximum.accumulate(rows["recv_ns"])
    for seq in range(0, len(rows), 7):
        part = recording.parts[recording.part_at(seq=seq)]
        assert part.first_seq <= seq < part.next_seq
    for ns in [int(newest[0]) - 5, *newest[::11].tolist(), int(newest[-1]) + 5]:
        number = recording.part_at(recv_ns=ns)
        before = rows[: recording.parts[number].first_seq]
        assert (before["recv_ns"] <= ns).all(), "no row before the part lies after the time"
        if number + 1 < len(recording.parts):
            assert recording.parts[number].last_ns > ns, "and no later part would do"
    assert recording.part_at(seq=10**9) == len(recording.parts) - 1
    with pytest.raises(ValueError, match="give seq or recv_ns"):
        recording.part_at()


def test_batches_from_a_seq_begin_with_the_keyframe_of_its_part(tmp_path: Path) -> None:
    rows = stream(2, 200)
    recording = write_recording(tmp_path / "r", rows, part_rows=50)
    batches = list(recording.batches_from(120))
    part = recording.parts[recording.part_at(seq=120)]
    assert (batches[0]["marks"] & KEYFRAME != 0).all()
    assert len(batches[0]) == part.keyframe
    assert all_rows(batches[1:]).tobytes() == rows[part.first_seq :].tobytes()
    assert all_rows(recording.batches_from(0)).tobytes() == rows.tobytes()


def test_a_damaged_part_becomes_a_gap_and_the_next_parts_book(tmp_path: Path) -> None:
    rows = stream(3, 300)
    recording = write_recording(tmp_path / "r", rows, part_rows=80)
    lost = recording.parts[1]
    path = tmp_path / "r" / "events" / lost.name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    got = all_rows(recording.batches())
    assert recording.checks.damaged == 1
    assert lost.name in recording.checks.problems[0]
    (gap,) = got[(got["kind"] == GAP) & (got["lots"] == C_DAMAGED) & (got["ref"] == lost.rows)]
    assert int(gap["seq"]) == lost.next_seq - 1
    kept = got[(got["seq"] < lost.first_seq) | (got["seq"] >= lost.next_seq)]
    assert kept.tobytes() == np.concatenate([rows[: lost.first_seq], rows[lost.next_seq :]]).tobytes()
    assert not (got["marks"] & KEYFRAME).any(), "a reader that skips keyframes must see this one"
    assert NaiveBook(0, INSTRUMENTS[0]).apply(got).state() == NaiveBook(0, INSTRUMENTS[0]).apply(rows).state()
    assert (np.diff(got["seq"]) >= 0).all()


@pytest.mark.parametrize("number", [0, -1])
def test_a_damaged_first_or_last_part_is_a_gap_too(tmp_path: Path, number: int) -> None:
    recording = write_recording(tmp_path / "r", stream(3, 300), part_rows=80)
    part = recording.parts[number]
    (tmp_path / "r" / "events" / part.name).unlink()
    got = all_rows(recording.batches())
    gaps = got[(got["kind"] == GAP) & (got["lots"] == C_DAMAGED) & (got["ref"] == part.rows)]
    assert len(gaps) == 1


def test_a_part_in_anothers_place_is_refused(tmp_path: Path) -> None:
    recording = write_recording(tmp_path / "r", stream(4, 200), part_rows=50)
    first, second = (tmp_path / "r" / "events" / part.name for part in recording.parts[:2])
    second.write_bytes(first.read_bytes())
    with pytest.raises(BadInput, match=second.name):
        recording.read_part(1)


@pytest.mark.parametrize("seed", [5, 6])
def test_scan_gives_every_field_as_it_was(tmp_path: Path, seed: int) -> None:
    rows = stream(seed, 300, instruments=2)
    write_recording(tmp_path / "r", rows, part_rows=70, instruments=INSTRUMENTS)
    frame = scan(tmp_path / "r").collect()
    assert len(frame) == len(rows)
    for name in ("recv_ns", "tick", "lots", "inst", "kind", "side", "marks"):
        assert frame[name].to_list() == rows[name].tolist(), name
    for name in ("exch_ns", "ref", "aux"):
        assert frame[name].to_list() == [None if v == NONE else v for v in rows[name].tolist()], name


def test_scan_works_for_each_form_of_the_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from feeds.recording import parts

    rows = stream(9, 200)
    for at, forms in enumerate(FORMS):
        chosen = dict(zip([choices[0] for choices in parts._FORMS], forms, strict=True))
        monkeypatch.setattr(parts, "_smallest", lambda plain, choices, level, chosen=chosen: chosen[choices[0]])
        write_recording(tmp_path / str(at), rows, part_rows=70)
        frame = scan(tmp_path / str(at)).collect()
        for name in ("exch_ns", "ref", "aux", "recv_ns"):
            assert frame[name].to_list() == [None if v == NONE else v for v in rows[name].tolist()], (name, forms)


FORMS = (
    ("recv_step", "exch_step", "ref_step", "aux_step"),
    ("recv_ns", "lag_ns", "ref", "aux"),
    ("recv_step", "lag_ns", "ref", "aux"),
)


@pytest.mark.parametrize("wide", [10, 60], ids=["in the first part", "in a later part"])
def test_a_scan_joins_parts_of_different_widths(tmp_path: Path, wide: int) -> None:
    rows = stream(6, 100)
    rows["tick"][wide] = 2**40
    rows["recv_ns"][wide:] += 2**40
    write_recording(tmp_path / "r", rows, part_rows=50)
    frame = scan(tmp_path / "r").collect()
    assert frame["tick"].to_list() == rows["tick"].tolist()
    assert frame["recv_ns"].to_list() == rows["recv_ns"].tolist()


def test_a_time_filter_of_polars_works_on_a_scan(tmp_path: Path) -> None:
    rows = stream(7, 200)
    write_recording(tmp_path / "r", rows)
    middle = int(np.median(rows["recv_ns"]))
    assert scan(tmp_path / "r").filter(pl.col("recv_ns") > middle).collect().height == int(
        (rows["recv_ns"] > middle).sum()
    )


def test_a_recording_is_known_by_its_manifest(tmp_path: Path) -> None:
    write_recording(tmp_path / "r", stream(8, 10))
    assert is_recording(tmp_path / "r")
    assert is_recording(tmp_path / "r" / "manifest.json")
    assert not is_recording(tmp_path)
    assert not is_recording(tmp_path / "none")
    assert open_recording(tmp_path / "r" / "manifest.json").manifest.events > 0


def test_open_source_opens_recordings(tmp_path: Path) -> None:
    rows = stream(8, 10)
    write_recording(tmp_path / "r", rows)
    source = open_source(tmp_path / "r")
    assert isinstance(source, Recording)
    assert all_rows(source.batches()).tobytes() == rows.tobytes()
    with pytest.raises(BadInput, match="--format"):
        open_source(tmp_path / "r", OpenOptions(format="lobster"))


def test_a_recording_under_a_url_is_read_like_one_on_disk(tmp_path: Path) -> None:
    rows = stream(9, 150)
    write_recording(tmp_path / "r", rows, part_rows=50)
    recording = open_recording(f"file://{tmp_path / 'r'}")
    assert not recording.local
    assert all_rows(recording.batches()).tobytes() == rows.tobytes()


def test_a_url_without_a_recording_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"manifest\.json"):
        open_recording(f"file://{tmp_path / 'nothing'}")


def test_a_changed_manifest_is_told_on_opening(tmp_path: Path) -> None:
    write_recording(tmp_path / "r", stream(8, 10))
    path = tmp_path / "r" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"0.25"', b'"0.50"'))
    assert "sha256 disagrees" in open_recording(tmp_path / "r").checks.problems[0]

"""Reading frames back from damaged segments: all that is whole is found, every hole is told."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.recording.blocks import MAGIC, SYNC
from feeds.recording.segments import Found, list_segments, scan_segment
from tests.kit.frames import payloads, read_all, writer

BLOCKS = 10


def recorded(folder: Path) -> tuple[Path, list[bytes], list[tuple[int, int]]]:
    """One segment of BLOCKS frames, each in a block of its own: (path, frames, byte range of each block)."""
    frames = [b"%d:" % n + random.Random(n).randbytes(200 + n) for n in range(BLOCKS)]
    with writer(folder) as out:
        out.commit()
        for frame in frames:
            out.frame("ws", frame)
            out.commit()
    (path,) = list_segments(folder)
    ranges = [(f.start, f.end) for f in scan_segment(path) if isinstance(f, Found)]
    assert len(ranges) == BLOCKS + 2
    return path, frames, ranges[1:-1]


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_a_damaged_stretch_costs_only_the_blocks_it_touches(tmp_path_factory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("r")
    path, frames, ranges = recorded(folder)
    start = data.draw(st.integers(ranges[0][0], ranges[-1][1] - 1))
    end = data.draw(st.integers(start + 1, min(start + 700, ranges[-1][1])))
    whole = bytearray(path.read_bytes())
    fill = data.draw(st.sampled_from((b"\0", b"\xff", b"\xf3", None)))
    junk = fill * (end - start) if fill else bytes(b ^ 0x5A for b in whole[start:end])
    if whole[start:end] == junk:
        return
    changed = [i for i in range(start, end) if whole[i] != junk[i - start]]
    whole[start:end] = junk
    path.write_bytes(whole)
    hit = [n for n, (a, b) in enumerate(ranges) if any(a <= i < b for i in changed)]
    records, holes, reader = read_all(folder)
    assert payloads(folder) == [frame for n, frame in enumerate(frames) if n not in hit]
    assert sum(hole.lost or 0 for hole in holes) == len(hit)
    (damage,) = reader.damage
    assert damage.start == ranges[hit[0]][0]
    assert damage.end == ranges[hit[-1]][1]
    assert damage.before_ns is not None
    assert damage.after_ns is not None
    assert str(damage.start) in str(damage)
    assert records[-1].number == BLOCKS + 1


def test_every_flipped_byte_of_the_blocks_is_found_with_its_place(tmp_path: Path) -> None:
    path, _, ranges = recorded(tmp_path)
    whole = path.read_bytes()
    for at in range(ranges[3][0], ranges[5][1], 3):
        changed = bytearray(whole)
        changed[at] ^= 1 << (at % 8)
        path.write_bytes(changed)
        (damage,) = read_all(tmp_path)[2].damage
        assert damage.start <= at < damage.end
        assert damage.lost == 1


def test_cut_anywhere_everything_before_the_cut_is_read_and_the_rest_is_told(tmp_path: Path) -> None:
    path, frames, ranges = recorded(tmp_path)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 37):
        path.write_bytes(whole[:cut])
        kept = [frame for frame, (_, end) in zip(frames, ranges, strict=True) if end <= cut]
        assert payloads(tmp_path) == kept
        _, holes, reader = read_all(tmp_path)
        assert holes == []
        good = max((end for end in [ranges[0][0], *(e for _, e in ranges)] if end <= cut), default=0)
        if cut > ranges[0][0] and cut <= ranges[-1][1]:
            assert reader.torn_bytes == cut - good
        assert not reader.ended


def test_a_zero_filled_tail_is_torn(tmp_path: Path) -> None:
    path, frames, _ = recorded(tmp_path)
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(5000))
    reader = read_all(tmp_path)[2]
    assert (reader.damage[0].start, reader.damage[0].end, reader.torn_bytes) == (size, size + 5000, 5000)
    assert payloads(tmp_path) == frames


def test_a_sync_mark_inside_a_payload_confuses_nobody(tmp_path: Path) -> None:
    frames = [SYNC * 3, b"x" + SYNC, b"end"]
    with writer(tmp_path, level=1) as out:
        for frame in frames:
            out.frame("ws", frame)
            out.commit()
    assert payloads(tmp_path) == frames


@pytest.mark.parametrize("before", [0, 1, 8, 15, 16])
def test_a_block_is_found_again_wherever_it_begins(tmp_path: Path, before: int) -> None:
    path, frames, ranges = recorded(tmp_path)
    whole = path.read_bytes()
    start = ranges[4][0]
    junk = b"\xf3" * ((1 << 20) + 1 - before)  # the search reads 1 MiB at a time, from a byte after the damage begins
    path.write_bytes(whole[:start] + junk + whole[start:])
    assert payloads(tmp_path) == frames
    (damage,) = read_all(tmp_path)[2].damage
    assert (damage.start, damage.end, damage.lost) == (start, start + len(junk), 0)


def test_a_damaged_header_costs_no_record(tmp_path: Path) -> None:
    path, frames, ranges = recorded(tmp_path)
    whole = bytearray(path.read_bytes())
    for at in (0, 5, 9, 13, 40):
        changed = bytearray(whole)
        changed[at] ^= 1
        path.write_bytes(changed)
        assert payloads(tmp_path) == frames
        (damage,) = read_all(tmp_path)[2].damage
        assert (damage.start, damage.lost, damage.what) == (0, 0, "damaged header")
        assert damage.end <= ranges[0][0]


def test_a_missing_segment_is_a_hole_of_known_size(tmp_path: Path) -> None:
    with writer(tmp_path, segment_bytes=1) as out:
        for number in range(4):
            out.frame("ws", b"%d" % number)
            out.commit()
    list_segments(tmp_path)[2].unlink()
    assert payloads(tmp_path) == [b"0", b"1", b"3"]
    _, (hole,), _ = read_all(tmp_path)
    assert (hole.lost, hole.what) == (1, "records missing")


def test_a_piece_of_a_long_payload_alone_is_never_given(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.frame("ws", b"first")
        out.frame("ws", random.Random(0).randbytes(600_000))
        out.frame("ws", b"last")
    (path,) = list_segments(tmp_path)
    blocks = [f for f in scan_segment(path) if isinstance(f, Found)]
    changed = bytearray(path.read_bytes())
    changed[(blocks[1].start + blocks[1].end) // 2] ^= 1
    path.write_bytes(changed)
    found = payloads(tmp_path)
    assert found[0] == b"first"
    assert found[-1] == b"last"
    assert all(len(frame) < 600_000 for frame in found)
    assert len(found) == 2


@pytest.mark.parametrize("content", [b"PAR1" + bytes(100), b"\x1f\x8b" + bytes(50), b"hello", bytes(3_000)])
def test_a_file_that_is_no_segment_is_refused_with_its_place(tmp_path: Path, content: bytes) -> None:
    path, _, _ = recorded(tmp_path)
    path.write_bytes(content)
    with pytest.raises(BadInput, match=path.name):
        read_all(tmp_path)


def test_an_empty_segment_left_by_a_crash_is_no_fault(tmp_path: Path) -> None:
    path, frames, _ = recorded(tmp_path)
    (path.parent / "20300101-000000-000009.tvr").write_bytes(b"")
    (path.parent / "20300101-000000-000010.tvr").write_bytes(MAGIC[:5])
    assert payloads(tmp_path) == frames


def test_a_sparse_giant_is_read_at_once(tmp_path: Path) -> None:
    path, frames, _ = recorded(tmp_path)
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    assert payloads(tmp_path) == frames


def test_files_of_other_names_are_left_alone(tmp_path: Path) -> None:
    path, frames, _ = recorded(tmp_path)
    (path.parent / "notes.txt").write_text("hello")
    (path.parent / ".20260101-000000-000001.tvr.new").write_bytes(b"x")
    assert payloads(tmp_path) == frames


def subsequence(found: list[bytes], whole: list[bytes]) -> bool:
    rest = iter(whole)
    return all(any(frame == other for other in rest) for frame in found)


@given(st.lists(st.tuples(st.sampled_from("dxcr"), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_however_a_segment_is_cut_and_pasted_only_true_frames_come_out(tmp_path_factory, edits) -> None:
    folder = tmp_path_factory.mktemp("r")
    path, frames, _ = recorded(folder)
    data = path.read_bytes()
    for what, begin, length in edits:
        start = int(begin * len(data))
        end = min(len(data), start + int(length * 900))
        piece = data[start:end]
        if what == "d":
            data = data[:start] + data[end:]
        elif what == "x":
            data = data[:start] + bytes(b ^ 0xA5 for b in piece) + data[end:]
        elif what == "c":
            data += piece
        else:
            data = data[:start] + piece + data[start:]
    path.write_bytes(data)
    try:
        found = payloads(folder)
    except BadInput as error:
        found = []
        told = error.place
    else:
        told = path.name
    assert path.name in told
    assert subsequence(found, frames)

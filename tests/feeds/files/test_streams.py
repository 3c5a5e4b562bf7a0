"""Bytes and lines of packed files, and where they are damaged."""

from __future__ import annotations

import bz2
import gzip
import random
from pathlib import Path

import pytest
import zstandard
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.files._streams import CHUNK, MAX_LINE, MAX_PADDING, Stream, peek

PACKS = {"": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "zstd": zstandard.compress}
each_packing = pytest.mark.parametrize("packing", PACKS)


def lines_of(path: Path) -> list[tuple[int, bytes]]:
    """All lines of a file."""
    with Stream(path) as stream:
        return list(stream.lines())


def content(path: Path, n: int = CHUNK) -> bytes:
    """All bytes of a file read in pieces of n."""
    out = b""
    with Stream(path) as stream:
        while chunk := stream.read(n):
            assert len(chunk) <= n
            out += chunk
    return out


@each_packing
def test_a_file_is_unpacked_by_its_content_whatever_its_name(packing: str, tmp_path: Path) -> None:
    data = random.Random(3).randbytes(700_000) + b"end"
    path = tmp_path / "named.csv"
    path.write_bytes(PACKS[packing](data))
    assert content(path) == data
    assert content(path, 1000) == data
    with Stream(path) as stream:
        assert stream.compression == packing
        assert stream.size == path.stat().st_size


@each_packing
def test_members_behind_each_other_are_one_file(packing: str, tmp_path: Path) -> None:
    path = tmp_path / "two"
    path.write_bytes(PACKS[packing](b"one\n") + PACKS[packing](b"two\n") * 2)
    assert lines_of(path) == [(1, b"one"), (2, b"two"), (3, b"two")]


@each_packing
def test_position_rises_to_the_size_of_the_file_as_stored(packing: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(PACKS[packing](random.Random(4).randbytes(3_000_000)))
    with Stream(path) as stream:
        positions = []
        while stream.read():
            positions.append(stream.position)
        assert positions == sorted(positions)
        assert positions[0] < positions[-1] <= stream.size
    assert stream.position == stream.size


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(max_size=30), st.just(b"x" * 300_000)).map(lambda b: b.replace(b"\n", b"")), max_size=8
    ),
    st.booleans(),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_lines_are_those_of_a_plain_split(
    tmp_path_factory: pytest.TempPathFactory, lines, ends: bool, end: bytes
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file"
    data = end.join(lines) + (end if ends else b"")
    assume(not data.startswith((b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd")))  # that would be a packed file
    path.write_bytes(data)
    wanted = path.read_bytes().split(b"\n")
    if not wanted[-1]:
        wanted.pop()
    assert lines_of(path) == list(enumerate((line.removesuffix(b"\r") for line in wanted), 1))


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "zstd"])
@pytest.mark.parametrize("part", [0.2, 0.6, 0.99])
def test_a_packed_file_cut_short_is_refused_with_its_byte(packing: str, part: float, tmp_path: Path) -> None:
    data = random.Random(5).randbytes(900_000)
    packed = PACKS[packing](data)
    path = tmp_path / "cut"
    path.write_bytes(packed[: int(len(packed) * part)])
    with pytest.raises(BadInput, match=rf"cut: byte \d+: .*an undamaged {packing} file"):
        content(path)


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "zstd"])
def test_a_flipped_byte_is_refused_or_changes_nothing(packing: str, tmp_path: Path) -> None:
    data = b"".join(b"%d,%d\n" % (at, at * at) for at in range(20_000))
    pack = PACKS[packing] if packing != "zstd" else zstandard.ZstdCompressor(write_checksum=True).compress
    packed = pack(data)
    path = tmp_path / "flipped"
    refused = 0
    for at in range(10, len(packed), len(packed) // 40):
        path.write_bytes(packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :])
        try:
            assert content(path) == data
        except BadInput:
            refused += 1
    assert refused > 30


def test_zeros_behind_a_gzip_file_are_padding_up_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "padded"
    path.write_bytes(gzip.compress(b"one\n") + bytes(5000) + gzip.compress(b"two\n") + bytes(5000))
    assert lines_of(path) == [(1, b"one"), (2, b"two")]
    some = bytes(MAX_PADDING * 2 // 3)
    path.write_bytes(gzip.compress(b"one\n") + some + gzip.compress(b"two\n") + some)
    assert lines_of(path) == [(1, b"one"), (2, b"two")]
    path.write_bytes(gzip.compress(b"one\n") + bytes(MAX_PADDING + CHUNK))
    with pytest.raises(BadInput, match="padded: byte"):
        content(path)


def test_noise_behind_a_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noisy"
    path.write_bytes(gzip.compress(b"one\n") + b"noise behind it")
    with pytest.raises(BadInput, match="noisy: byte"):
        content(path)


def test_a_line_without_end_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"first\nsecond\n")
    with path.open("ab") as file:
        file.truncate(MAX_LINE + 2 * CHUNK)
    with pytest.raises(BadInput, match=r"long: line 3\b"):
        lines_of(path)


def test_a_small_bomb_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    with Stream(path) as stream:
        longest = 0
        while chunk := stream.read():
            longest = max(longest, len(chunk))
    assert 0 < longest <= CHUNK


def test_files_that_cannot_be_opened_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(BadInput, match=path.name):
            Stream(path)


@each_packing
def test_peek_gives_the_first_bytes(packing: str, tmp_path: Path) -> None:
    data = random.Random(6).randbytes(200_000)
    path = tmp_path / "file"
    path.write_bytes(PACKS[packing](data))
    assert peek(path) == data[:65_536]
    assert peek(path, 10) == data[:10]
    assert peek(tmp_path) == peek(tmp_path / "missing") == b""
    path.write_bytes(b"")
    assert peek(path) == b""

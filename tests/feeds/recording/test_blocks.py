"""The bytes of segments: round trips, and that no changed byte goes unnoticed."""

from __future__ import annotations

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.recording.blocks import (
    BLOCK_BYTES,
    BLOCK_HEAD,
    FRAME,
    MAGIC,
    SYNC,
    Header,
    pack_block,
    pack_frame,
    pack_header,
    pack_record,
    unpack_block_head,
    unpack_frame,
    unpack_header,
    unpack_records,
)
from tests.kit.rows import INSTRUMENTS

HEADER = Header(
    build="t", venue="test", instruments=INSTRUMENTS, run=2, number=3, first_record=40, wall_ns=7, mono_ns=8
)
U64 = st.integers(0, 2**64 - 1)
RECORDS = st.lists(
    st.tuples(st.integers(1, 8), U64, U64, st.integers(0, 2**32 - 1), st.binary(max_size=50)), max_size=20
)


def block_of(records: list[tuple[int, int, int, int, bytes]], first: int = 0) -> bytes:
    raw = b"".join(pack_record(*record) for record in records)
    return pack_block(zstandard.ZstdCompressor(), first, len(records), raw)


def read_block(data: bytes) -> list[tuple[int, int, int, int, bytes]] | None:
    head = unpack_block_head(data[len(SYNC) :]) if data.startswith(SYNC) else None
    if head is None:
        return None
    records = unpack_records(head, data[BLOCK_HEAD : BLOCK_HEAD + head.stored], zstandard.ZstdDecompressor(), 0)
    return None if records is None else [(r.kind, r.wall_ns, r.mono_ns, r.conn, r.payload) for r in records]


@given(RECORDS, U64)
@settings(deadline=None)
def test_records_come_back_as_they_went_in(records: list, first: int) -> None:
    assert read_block(block_of(records, min(first, 2**63))) == records


def test_every_flipped_bit_of_a_block_is_noticed() -> None:
    data = block_of([(FRAME, 1, 2, 3, pack_frame("ws", b"payload %d" % i)) for i in range(5)])
    assert read_block(data) is not None
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            assert read_block(bytes(changed)) is None, f"byte {at}"


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes_after_a_sync_mark_are_a_block_or_none(data: bytes) -> None:
    assert read_block(SYNC + data) is None or len(data) >= BLOCK_HEAD - len(SYNC)


def test_a_block_whose_numbers_agree_but_whose_records_do_not_is_refused() -> None:
    raw = pack_record(FRAME, 1, 2, 3, b"abc")
    compressor = zstandard.ZstdCompressor()
    assert read_block(pack_block(compressor, 0, 2, raw)) is None
    assert read_block(pack_block(compressor, 0, 1, raw + b"\0")) is None
    assert read_block(pack_block(compressor, 0, 1, raw[:-1] + b"x")) is None
    assert read_block(pack_block(compressor, 0, 1, b"\xff" * 40)) is None


def test_a_decompression_bomb_is_bounded() -> None:
    data = pack_block(zstandard.ZstdCompressor(), 0, 1, bytes(BLOCK_BYTES * 8))
    assert read_block(data) is None


def test_a_header_comes_back_as_it_went_in() -> None:
    data = pack_header(HEADER)
    assert unpack_header(data + b"more", "place") == (HEADER, len(data))


def test_every_flipped_bit_of_a_header_is_noticed() -> None:
    data = pack_header(HEADER)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 4
        with pytest.raises(BadInput, match="place: byte"):
            unpack_header(bytes(changed), "place")


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 15, 16, 30, -1])
def test_a_header_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(BadInput, match="place"):
        unpack_header(pack_header(HEADER)[:cut], "place")


def test_a_newer_segment_is_refused_politely() -> None:
    import struct
    import zlib

    data = bytearray(pack_header(HEADER)[:-4])
    data[8:10] = struct.pack("<H", 2)
    with pytest.raises(BadInput, match="newer tapeview") as caught:
        unpack_header(bytes(data) + struct.pack("<I", zlib.crc32(data)), "place")
    assert caught.value.value == 2


def test_the_magic_shows_line_ending_damage() -> None:
    assert MAGIC.startswith(b"\x89")
    assert b"\r\n\x1a\n" in MAGIC


@given(st.text(max_size=60), st.binary(max_size=60))
@settings(deadline=None)
def test_a_frame_keeps_its_channel_and_its_bytes(channel: str, raw: bytes) -> None:
    assert unpack_frame(pack_frame(channel, raw)) == (channel, raw)


def test_a_channel_has_a_bound() -> None:
    with pytest.raises(ValueError, match="255"):
        pack_frame("x" * 256, b"")

"""The bytes of a message: what was packed comes back, and nothing else is believed."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.broker.batches import END, HEAD_BYTES, KEY, MAGIC, MEND, ROWS, About, about_bytes, join, pack_group, unpack
from feeds.errors import BadInput
from feeds.events import EVENT, EVERY, KEYFRAME
from tests.kit.rows import INSTRUMENTS, stream, streams

ABOUT = About(instrument=INSTRUMENTS[0], tier="B", verification="chain", origin="tapeview 0")


def packed(rows: np.ndarray, *, kind: int = ROWS, most_rows: int = 8192, prev: int | None = None) -> list[bytes]:
    first, last = int(rows["seq"][0]), int(rows["seq"][-1])
    return pack_group(
        kind, rows, run=7, number=3, prev_seq=first - 1 if prev is None else prev, seqs=(first, last),
        about=about_bytes(ABOUT), most_rows=most_rows,
    )  # fmt: skip


@given(streams(), st.integers(1, 40))
def test_rows_come_back_as_they_were_whole_or_in_pieces(rows: np.ndarray, most: int) -> None:
    messages = [unpack(data, "m") for data in packed(rows, most_rows=most)]
    group = join(messages, "m")
    assert group.rows.tobytes() == rows.tobytes()
    assert (group.kind, group.run, group.prev_seq, group.last_seq) == (ROWS, 7, -1, len(rows) - 1)
    assert [one.number for one in messages] == list(range(3, 3 + len(messages)))
    assert [one.piece for one in messages] == list(range(len(messages)))
    assert len(messages) == -(-len(rows) // most)


def test_a_book_brings_its_instrument_and_rows_only_its_checksum() -> None:
    rows = stream(1, 50)
    rows["marks"] |= KEYFRAME
    rows["seq"] = 9
    first, second, *_ = packed(rows, kind=KEY, most_rows=len(rows) // 2 + 1, prev=9)
    assert unpack(first, "m").about == ABOUT
    assert unpack(second, "m").about is None
    assert unpack(packed(stream(1, 5))[0], "m").about_crc == unpack(first, "m").about_crc


def test_long_groups_are_compressed_and_short_ones_are_not() -> None:
    short, long = stream(1, 3)[:4], stream(1, 3000)
    assert len(packed(short)[0]) == HEAD_BYTES + 4 * EVENT.itemsize
    assert sum(map(len, packed(long))) < long.nbytes // 2


@given(streams(max_messages=20), st.data())
def test_a_changed_byte_is_refused(rows: np.ndarray, data: st.DataObject) -> None:
    good = packed(rows)[0]
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    if at == 7:  # the one byte that says nothing
        bad = bytearray(good[: len(good) - 1])
    with pytest.raises(BadInput):
        unpack(bytes(bad), "m")


@given(st.binary(max_size=300))
def test_bytes_of_another_kind_are_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        unpack(data, "m")
    with pytest.raises(BadInput):
        unpack(MAGIC + data, "m")


def resealed(message: bytes, at: int, form: str, value: int) -> bytes:
    """A message with one number changed and its checksum made right again."""
    out = bytearray(message)
    struct.pack_into(form, out, at, value)
    crc = zlib.crc32(out[HEAD_BYTES:], zlib.crc32(out[: HEAD_BYTES - 4]))
    struct.pack_into("<I", out, HEAD_BYTES - 4, crc)
    return bytes(out)


@pytest.mark.parametrize(
    ("at", "form", "value", "said"),
    [
        (4, "<B", 2, "another tapeview publishes here"),
        (5, "<B", 9, "a message of this version"),
        (6, "<B", 5, "a message of this version"),
        (24, "<q", 99999, "numbers that rise"),
        (32, "<q", -5, "numbers that rise"),
        (48, "<I", 2**31, "rows a piece"),
        (48, "<I", 1, "64 a row"),
        (52, "<H", 9, "rows a piece"),
        (54, "<H", 60000, "rows a piece"),
    ],
)
def test_numbers_that_cannot_be_are_refused_though_the_checksum_agrees(
    at: int, form: str, value: int, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        unpack(resealed(packed(stream(1, 3)[:4])[0], at, form, value), "m")


def test_a_frame_that_says_it_is_larger_than_its_rows_is_not_unpacked() -> None:
    message = packed(stream(1, 600))[0]
    with pytest.raises(BadInput, match="bytes of rows"):
        unpack(resealed(message, 48, "<I", 8), "m")


@pytest.mark.parametrize(("field", "value"), [("kind", 0), ("kind", 13), ("side", 3), ("inst", 1)])
def test_rows_of_no_kind_or_of_another_instrument_are_refused(field: str, value: int) -> None:
    rows = stream(1, 10)
    rows[field][3] = value
    with pytest.raises(BadInput, match="a row of one instrument"):
        unpack(packed(rows)[0], "m")


def test_rows_for_every_instrument_are_taken() -> None:
    rows = stream(1, 10)
    rows["inst"][3] = EVERY
    assert unpack(packed(rows)[0], "m").rows["inst"][3] == EVERY


def test_rows_that_are_not_those_of_the_numbers_are_refused() -> None:
    rows = stream(1, 10)
    rows["seq"][3] = rows["seq"][4]
    with pytest.raises(BadInput, match="whole messages"):
        join([unpack(packed(rows)[0], "m")], "m")
    with pytest.raises(BadInput, match="whole messages"):
        join([unpack(packed(stream(1, 10), kind=MEND)[0], "m")], "m")
    ends = pack_group(END, rows, run=1, number=1, prev_seq=0, seqs=(1, len(rows)), about=b"")
    with pytest.raises(BadInput, match="whole messages"):
        join([unpack(ends[0], "m")], "m")


def test_a_group_beyond_all_measure_is_not_packed() -> None:
    with pytest.raises(BadInput, match="at most 512 rows"):
        packed(stream(1, 200), most_rows=1)

"""The bytes of one message on a broker: rows of one instrument, with what a reader needs to vouch for them.

    magic 4 | version u8 | kind u8 | codec u8 | 0 u8 | run u64 | number u64 | prev_seq i64 | first_seq i64 |
    last_seq i64 | rows u32 | piece u16 | pieces u16 | about length u32 | about crc32 u32 | stored length u32 |
    crc32 u32 of all bytes but these four | about, JSON | rows as stored

All little-endian. Rows are the 64 bytes of `feeds.events.EVENT`, as they are or as one zstd frame. A group is what
must be taken whole: one or more venue messages, in one message or in `pieces` of them that follow each other.
`prev_seq`, `first_seq` and `last_seq` are the group's, the same in each of its pieces.

`prev_seq` is the last `seq` of the group before, so that a reader knows by itself that nothing is missing between
two groups and that nothing comes twice, whatever the broker did. `seq` may leave out numbers: those of the other
instruments of the capture.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from feeds.errors import BadInput
from feeds.events import EVENT, EVERY, KEYFRAME, KIND_NAMES, Events
from feeds.instruments import Instrument

MAGIC: Final = b"TVEB"
VERSION: Final = 1
ROWS, KEY, MEND, END = range(1, 5)
"""Kinds of group: rows of the stream · the book after `last_seq`, for readers who begin here · what stands for rows
that were lost: a GAP and the book after them · the capture's orderly end, without rows."""
KINDS: Final = ("", "rows", "key", "mend", "end")
PLAIN, ZSTD = range(2)
"""Codecs of the rows."""
MAX_ROWS: Final = 8192
"""Rows of one message at most: 512 KiB, half of what brokers take by default."""
MAX_PIECES: Final = 512
MAX_ABOUT: Final = 16_384
NOTHING: Final = -1
"""`seq` before the first row."""
_COMPRESSED_FROM: Final = 2048
_HEAD: Final = struct.Struct("<4sBBBxQQqqqIHHIIII")
HEAD_BYTES: Final = _HEAD.size
_CRC_AT: Final = HEAD_BYTES - 4


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is published: an instrument, and how far its rows may be trusted."""

    instrument: Instrument
    tier: str = ""
    verification: str = ""
    origin: str = ""
    """Name and version of the program that captures it."""


class Message(NamedTuple):
    """One message, read and found whole."""

    kind: int
    run: int
    """When the capture began, ns since 1970: another run, another capture."""
    number: int
    """Counts the messages of a run of one instrument from 0."""
    prev_seq: int
    first_seq: int
    last_seq: int
    piece: int
    pieces: int
    about_crc: int
    about: About | None
    """Only with the first piece of a KEY."""
    rows: Events


def about_bytes(about: About) -> bytes:
    """The JSON of an About, the same bytes for the same content."""
    return msgspec.json.encode(about)


def pack_group(
    kind: int,
    rows: Events,
    *,
    run: int,
    number: int,
    prev_seq: int,
    seqs: tuple[int, int],
    about: bytes,
    most_rows: int = MAX_ROWS,
) -> list[bytes]:
    """Write a group as messages numbered from `number`; `seqs` are its first and last `seq`.

    Raises BadInput where a group is larger than any reader would take.
    """
    cuts = [rows[at : at + most_rows] for at in range(0, len(rows), most_rows)] or [rows]
    if len(cuts) > MAX_PIECES:
        raise BadInput("a message for the broker", len(rows), f"at most {MAX_PIECES * most_rows} rows")
    crc = zlib.crc32(about)
    return [
        _pack(kind, cut, (run, number + piece, prev_seq, *seqs), (piece, len(cuts)), about if kind == KEY else b"", crc)
        for piece, cut in enumerate(cuts)
    ]


def _pack(
    kind: int, rows: Events, numbers: tuple[int, ...], pieces: tuple[int, int], about: bytes, about_crc: int
) -> bytes:
    plain = np.ascontiguousarray(rows).tobytes()
    codec, stored = PLAIN, plain
    if len(plain) >= _COMPRESSED_FROM:
        packed = _zstd()[0].compress(plain)
        if len(packed) < len(plain):
            codec, stored = ZSTD, packed
    if pieces[0]:
        about = b""
    head = _HEAD.pack(
        MAGIC, VERSION, kind, codec, *numbers, len(rows), *pieces, len(about), about_crc, len(stored), 0
    )  # fmt: skip
    crc = zlib.crc32(stored, zlib.crc32(about, zlib.crc32(head[:_CRC_AT])))
    return head[:_CRC_AT] + crc.to_bytes(4, "little") + about + stored


def unpack(data: bytes, place: str) -> Message:
    """Read one message; raises BadInput, naming the place, where it is not one that this build vouches for."""
    if len(data) < HEAD_BYTES or data[:4] != MAGIC:
        raise BadInput(place, f"{len(data)} bytes", "a message of a tapeview capture")
    if data[4] != VERSION:
        raise BadInput(f"{place}: version", data[4], f"{VERSION}: another tapeview publishes here")
    (
        _, _, kind, codec, run, number, prev_seq, first_seq, last_seq, count, piece, pieces, about_length, about_crc,
        stored_length, crc,
    ) = _HEAD.unpack_from(data)  # fmt: skip
    body = memoryview(data)[HEAD_BYTES:]
    if len(body) != about_length + stored_length:
        raise BadInput(place, f"{len(data)} bytes", f"{HEAD_BYTES + about_length + stored_length}")
    if zlib.crc32(body, zlib.crc32(data[:_CRC_AT])) != crc:
        raise BadInput(place, None, "the bytes that were published (crc32 disagrees)")
    if not 0 < kind < len(KINDS) or codec not in (PLAIN, ZSTD) or about_length > MAX_ABOUT:
        raise BadInput(place, f"kind {kind}, codec {codec}", "a message of this version")
    if not piece < pieces <= MAX_PIECES or count > MAX_ROWS:
        raise BadInput(place, f"piece {piece} of {pieces} with {count} rows", f"at most {MAX_ROWS} rows a piece")
    if not NOTHING <= prev_seq <= last_seq or (kind in (ROWS, MEND) and not prev_seq < first_seq <= last_seq):
        raise BadInput(place, f"seq {first_seq} to {last_seq} after {prev_seq}", "numbers that rise")
    about = _read_about(bytes(body[:about_length]), about_crc, place) if about_length else None
    rows = _read_rows(bytes(body[about_length:]), codec, count, place)
    return Message(kind, run, number, prev_seq, first_seq, last_seq, piece, pieces, about_crc, about, rows)


def _read_about(data: bytes, crc: int, place: str) -> About:
    if zlib.crc32(data) != crc:
        raise BadInput(f"{place}: instrument", None, "the instrument its crc32 says")
    try:
        return msgspec.json.decode(data, type=About)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{place}: instrument", str(error), "an instrument") from None


def _read_rows(stored: bytes, codec: int, count: int, place: str) -> Events:
    size = count * EVENT.itemsize
    if codec == ZSTD:
        import zstandard

        try:
            # Asked first, because a frame may say any size and is believed when it is unpacked.
            if zstandard.frame_content_size(stored) != size:
                raise BadInput(place, "rows of another size", f"{size} bytes of rows")
            stored = _zstd()[1].decompress(stored, max_output_size=size)
        except zstandard.ZstdError as error:
            raise BadInput(place, str(error), "rows as a zstd frame") from None
    if len(stored) != size:
        raise BadInput(place, f"{len(stored)} bytes of rows", f"{size}, {EVENT.itemsize} a row")
    rows = np.frombuffer(stored, EVENT)
    _check_rows(rows, place)
    return rows


_threads: Final = threading.local()


def _zstd() -> tuple[Any, Any]:
    # Making the two costs more than a short message; each thread has its own, for they are not to be shared.
    if not hasattr(_threads, "both"):
        import zstandard

        _threads.both = (zstandard.ZstdCompressor(level=1), zstandard.ZstdDecompressor())
    return _threads.both


_UNKNOWN: Final = np.array([kind not in KIND_NAMES for kind in range(256)])


def _check_rows(rows: Events, place: str) -> None:
    side, inst = rows["side"], rows["inst"]
    bad: Any = _UNKNOWN[rows["kind"]] | (side > 1) | (side < -1) | ((inst != 0) & (inst != EVERY))
    if bad.any():
        row = rows[int(np.argmax(bad))]
        what = f"kind {row['kind']}, side {row['side']}, inst {row['inst']}"
        raise BadInput(f"{place}: row {int(np.argmax(bad))}", what, "a row of one instrument")


class Group(NamedTuple):
    """What is taken whole."""

    kind: int
    run: int
    prev_seq: int
    last_seq: int
    about_crc: int
    about: About | None
    rows: Events


def join(pieces: Sequence[Message], place: str) -> Group:
    """Put the pieces of a group together; raises BadInput where its rows are not those of its numbers."""
    first = pieces[0]
    rows = first.rows if len(pieces) == 1 else np.concatenate([one.rows for one in pieces])
    if not _agrees(first, rows):
        expected = f"whole messages of seq {first.first_seq} to {first.last_seq}"
        raise BadInput(f"{place}: {KINDS[first.kind]}", f"{len(rows)} rows", expected)
    return Group(first.kind, first.run, first.prev_seq, first.last_seq, first.about_crc, first.about, rows)


def _agrees(first: Message, rows: Events) -> bool:
    if first.kind == END:
        return not len(rows)
    if not len(rows):
        return False
    if first.kind == ROWS:
        seqs = rows["seq"]
        ends = (int(seqs[0]), int(seqs[-1])) == (first.first_seq, first.last_seq)
        return ends and bool((np.diff(seqs) > 0).all()) and not (rows["marks"] & KEYFRAME).any()
    return bool(
        (rows["seq"] == first.last_seq).all() and ((rows["marks"] & KEYFRAME != 0) == (first.kind == KEY)).all()
    )

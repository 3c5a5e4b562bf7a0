"""The bytes of a segment of frames: header, sync marks, compressed blocks, records. No files here.

    segment  magic 8 | version u16 | 0 u16 | length u32 | JSON header | crc32 u32 over all of it
    block    sync mark 16 | first record u64 | records u32 | raw length u32 | stored length u32 |
             crc32 of the stored bytes u32 | crc32 of the five numbers u32 | zstd frame
    record   length u32 | type u8 | crc32 u32 of what follows | mono_ns u64 | wall_ns u64 | conn u32 | payload

All little-endian. `length` of a record counts its payload. A payload too long for one block goes on in the next
record of the same type; all pieces but the last carry MORE in the type, all but the first REST. Records are numbered
from 0 through all segments, so a reader knows how many are missing and skips those written twice after a failing disk.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from feeds.instruments import Instrument

MAGIC: Final = b"\x89TVR\r\n\x1a\n"
VERSION: Final = 1
SYNC: Final = bytes.fromhex("f3a95c0e71d84b26bd19e7608f42c6d5")
BLOCK_BYTES: Final = 262_144
"""The most that the records of one block may take before compression."""
SUFFIX: Final = ".tvr"

FRAME, DISCONNECT, GAP, RESYNC, CLOCKS, DIGEST, MARK, END = range(1, 9)
"""Record types: a venue's frame, a connection's end, a known hole, a book started anew, a pair of clock readings
(the record's own), a digest of events so far, a person's mark, and the writer's orderly end."""
MORE: Final = 0x80
"""Bit of the type of a record whose payload goes on in the next."""
REST: Final = 0x40
"""Bit of the type of a record whose payload goes on from the one before."""

_START: Final = struct.Struct("<8sHHI")
_BLOCK: Final = struct.Struct("<QIIIII")
_RECORD: Final = struct.Struct("<IBIQQI")
_TAIL: Final = struct.Struct("<QQI")
BLOCK_HEAD: Final = len(SYNC) + _BLOCK.size
RECORD_HEAD: Final = _RECORD.size
MAX_STORED: Final = BLOCK_BYTES + 4096
MAX_HEADER: Final = 1 << 22


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the beginning of a segment says."""

    build: str = ""
    venue: str = ""
    instruments: tuple[Instrument, ...] = ()
    run: int = 0
    """Counts the writers of this recording from 0: another run, another clock and another connection."""
    number: int = 0
    """Counts the segments of a run from 0."""
    first_record: int = 0
    wall_ns: int = 0
    mono_ns: int = 0
    boot: str = ""


class Record(NamedTuple):
    """One thing that happened, as it was received."""

    number: int
    kind: int
    wall_ns: int
    mono_ns: int
    conn: int
    payload: bytes
    run: int = 0


class BlockHead(NamedTuple):
    """What a block says of itself."""

    first_record: int
    records: int
    raw: int
    stored: int
    crc: int


def pack_header(header: Header) -> bytes:
    """Make the beginning of a segment."""
    text = msgspec.json.encode(header)
    start = _START.pack(MAGIC, VERSION, 0, len(text)) + text
    return start + struct.pack("<I", zlib.crc32(start))


def unpack_header(data: bytes, place: str) -> tuple[Header, int]:
    """Read the beginning of a segment as (header, its bytes); raise BadInput where it is not one or is newer."""
    if not data.startswith(MAGIC):
        raise BadInput(f"{place}: byte 0", data[:8], f"the magic {MAGIC!r} of a segment of frames")
    if len(data) < _START.size:
        raise BadInput(f"{place}: byte {len(data)}", None, "a whole header")
    _, version, _, length = _START.unpack_from(data)
    end = _START.size + length
    whole = length <= MAX_HEADER and len(data) >= end + 4
    if not whole or struct.unpack_from("<I", data, end)[0] != zlib.crc32(data[:end]):
        raise BadInput(f"{place}: byte 8", None, "a header that agrees with its checksum")
    if version != VERSION:
        raise BadInput(f"{place}: version", version, f"version {VERSION}: a newer tapeview wrote this segment")
    try:
        return msgspec.json.decode(data[_START.size : end], type=Header), end + 4
    except (msgspec.DecodeError, BadInput) as error:
        raise BadInput(f"{place}: byte {_START.size}", str(error), "a header of a segment") from None


def pack_record(kind: int, wall_ns: int, mono_ns: int, conn: int, payload: bytes) -> bytes:
    """Make one record."""
    tail = _TAIL.pack(mono_ns, wall_ns, conn)
    return _RECORD.pack(len(payload), kind, zlib.crc32(payload, zlib.crc32(tail)), mono_ns, wall_ns, conn) + payload


def pack_block(compressor: Any, first_record: int, records: int, raw: bytes) -> bytes:
    """Make one block of ready records; `compressor` is a zstandard.ZstdCompressor."""
    stored = compressor.compress(raw)
    numbers = struct.pack("<QIIII", first_record, records, len(raw), len(stored), zlib.crc32(stored))
    return b"".join((SYNC, numbers, struct.pack("<I", zlib.crc32(numbers)), stored))


def unpack_block_head(data: bytes | memoryview) -> BlockHead | None:
    """Read what follows a sync mark; None where it disagrees with its checksum."""
    if len(data) < _BLOCK.size:
        return None
    first, records, raw, stored, crc, own = _BLOCK.unpack_from(data)
    if own != zlib.crc32(data[: _BLOCK.size - 4]) or raw > BLOCK_BYTES or stored > MAX_STORED:
        return None
    return BlockHead(first, records, raw, stored, crc)


def unpack_records(head: BlockHead, stored: bytes, decompressor: Any, run: int) -> list[Record] | None:
    """Read a block's records; None where anything disagrees with its checksum."""
    import zstandard

    if len(stored) != head.stored or zlib.crc32(stored) != head.crc:
        return None
    try:
        raw = decompressor.decompress(stored, max_output_size=BLOCK_BYTES)
    except zstandard.ZstdError:
        return None
    if len(raw) != head.raw:
        return None
    records = list(_split(raw, head.first_record, run))
    return records if len(records) == head.records and sum(map(_size, records)) == len(raw) else None


def _size(record: Record) -> int:
    return RECORD_HEAD + len(record.payload)


def _split(raw: bytes, number: int, run: int) -> Iterator[Record]:
    at = 0
    while at + RECORD_HEAD <= len(raw):
        length, kind, crc, mono_ns, wall_ns, conn = _RECORD.unpack_from(raw, at)
        payload = raw[at + RECORD_HEAD : at + RECORD_HEAD + length]
        if len(payload) != length or crc != zlib.crc32(payload, zlib.crc32(_TAIL.pack(mono_ns, wall_ns, conn))):
            return
        yield Record(number, kind, wall_ns, mono_ns, conn, payload, run)
        number += 1
        at += RECORD_HEAD + length


def pack_frame(channel: str, raw: bytes) -> bytes:
    """Make the payload of a FRAME record: length of the channel's name u8, name, raw bytes."""
    name = channel.encode()
    if len(name) > 255:
        raise ValueError("a channel's name takes at most 255 bytes")
    return bytes((len(name),)) + name + raw


def unpack_frame(payload: bytes) -> tuple[str, bytes]:
    """(channel, raw bytes) of a FRAME record's payload."""
    if not payload:
        return "", b""
    end = 1 + payload[0]
    return payload[1:end].decode("utf-8", "replace"), payload[end:]

"""Messages of Nasdaq TotalView-ITCH 5.0: their layouts, and how they are found in a block of bytes.

Format: Nasdaq TotalView-ITCH 5.0 specification; files carry each message behind its length as two bytes (BinaryFILE).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.files._exact import Ints
from feeds.files._streams import Stream

Bytes = NDArray[np.uint8]

LENGTHS: Final = {
    b"S": 12, b"R": 39, b"H": 25, b"Y": 20, b"L": 26, b"V": 35, b"W": 12, b"K": 28, b"J": 35, b"h": 21,
    b"A": 36, b"F": 40, b"E": 31, b"C": 36, b"X": 23, b"D": 19, b"U": 35, b"P": 44, b"Q": 40, b"B": 19,
    b"I": 50, b"N": 20, b"O": 48,
}  # fmt: skip
"""Bytes of each kind of message, by the letter it begins with."""
_HEAD: Final[list[tuple[str, Any]]] = [("type", "S1"), ("locate", ">u2"), ("tracking", ">u2"), ("high", ">u2"),
                                       ("low", ">u4")]  # fmt: skip
_ORDER: Final[list[tuple[str, Any]]] = [*_HEAD, ("ref", ">u8")]
LAYOUTS: Final = {
    b"S": np.dtype([*_HEAD, ("event", "S1")]),
    b"R": np.dtype([*_HEAD, ("stock", "S8"), ("rest", "V20")]),
    b"H": np.dtype([*_HEAD, ("stock", "S8"), ("state", "S1"), ("rest", "V5")]),
    b"Y": np.dtype([*_HEAD, ("stock", "S8"), ("action", "S1")]),
    b"h": np.dtype([*_HEAD, ("stock", "S8"), ("market", "S1"), ("action", "S1")]),
    b"A": np.dtype([*_ORDER, ("side", "S1"), ("shares", ">u4"), ("stock", "S8"), ("price", ">u4")]),
    b"F": np.dtype([*_ORDER, ("side", "S1"), ("shares", ">u4"), ("stock", "S8"), ("price", ">u4"), ("mpid", "V4")]),
    b"E": np.dtype([*_ORDER, ("shares", ">u4"), ("match", ">u8")]),
    b"C": np.dtype([*_ORDER, ("shares", ">u4"), ("match", ">u8"), ("printable", "S1"), ("price", ">u4")]),
    b"X": np.dtype([*_ORDER, ("shares", ">u4")]),
    b"D": np.dtype(_ORDER),
    b"U": np.dtype([*_ORDER, ("new", ">u8"), ("shares", ">u4"), ("price", ">u4")]),
    b"P": np.dtype(
        [*_ORDER, ("side", "S1"), ("shares", ">u4"), ("stock", "S8"), ("price", ">u4"), ("match", ">u8")]
    ),
    b"Q": np.dtype([*_HEAD, ("shares", ">u8"), ("stock", "S8"), ("price", ">u4"), ("match", ">u8"), ("cross", "S1")]),
    b"B": np.dtype([*_HEAD, ("match", ">u8")]),
}  # fmt: skip
"""Fields of the messages that are read, without the length in front."""
assert all(layout.itemsize == LENGTHS[letter] for letter, layout in LAYOUTS.items())
_LENGTH_OF: Final = np.zeros(256, dtype=np.uint8)
for _letter, _bytes in LENGTHS.items():
    _LENGTH_OF[_letter[0]] = _bytes
_TABLE: Final = _LENGTH_OF.tobytes()
_CHUNK: Final = 1 << 21
LONGEST: Final = 1 << 10
"""Bytes of a message at most, known or not."""


class Block(NamedTuple):
    """Some consecutive whole messages."""

    raw: Bytes
    starts: Ints
    """Where each message begins, behind its length."""
    at: int
    """Byte of the file where `raw` begins, decompressed."""
    number: int
    """Number of the first message, from 1."""

    @property
    def letters(self) -> Bytes:
        """The kind of each message."""
        return self.raw[self.starts]

    @property
    def locates(self) -> Ints:
        """The stock locate code of each message."""
        return self.raw[self.starts + 1].astype(np.int64) << 8 | self.raw[self.starts + 2]

    def messages(self, letter: bytes, which: Ints) -> NDArray[Any]:
        """Some messages of one kind as records."""
        layout = LAYOUTS[letter]
        bytes_of = self.raw[self.starts[which][:, None] + np.arange(layout.itemsize)]
        return np.ascontiguousarray(bytes_of).view(layout)[:, 0]


def times(messages: NDArray[Any]) -> Ints:
    """Nanoseconds since midnight."""
    return messages["high"].astype(np.int64) << 32 | messages["low"].astype(np.int64)


def blocks(stream: Stream, chunk: int = _CHUNK) -> Iterator[Block]:
    """Give the messages of a file in blocks; raise BadInput at the byte where no message begins."""
    rest, at, number, over = b"", 0, 1, False
    while more := stream.read(chunk):
        buffer = rest + more
        starts, done, over = find(buffer, f"{stream.path}: byte", at)
        if len(starts):
            yield Block(np.frombuffer(buffer, np.uint8), starts, at, number)
        number += len(starts)
        at += done
        rest = buffer[done:]
        if over:
            # A length of 0 ends the session; nothing but zeros may follow it.
            if rest.strip(b"\0") or stream.read(1):
                raise BadInput(f"{stream.path}: byte {at}", rest[:8], "nothing behind the end of the session")
            return
    if rest:
        raise BadInput(f"{stream.path}: byte {at}", f"{len(rest)} bytes, then the end", "a whole message")


def find(buffer: bytes, place: str, at: int) -> tuple[Ints, int, bool]:
    """Where the messages of a buffer begin, the bytes that they take, and whether a length of 0 ended them.

    A place where a known letter stands behind its own length is taken for the start of a message as long as each ends
    where the next begins; only where that breaks are lengths followed one by one.
    """
    raw = np.frombuffer(buffer, np.uint8)
    if len(raw) < 3:
        return np.zeros(0, dtype=np.int64), 0, False
    wanted = np.frombuffer(buffer.translate(_TABLE), np.uint8)
    likely = np.flatnonzero((wanted[2:] == raw[1:-1]) & (raw[:-2] == 0) & (raw[1:-1] != 0))
    ends = likely + 2 + raw[likely + 1]
    breaks = np.append(np.flatnonzero(likely[1:] != ends[:-1]) + 1, len(likely))
    pieces: list[Ints] = []
    here, k = 0, 0
    while True:
        k = int(np.searchsorted(likely, here))
        if k < len(likely) and likely[k] == here:
            fits = stop = int(breaks[np.searchsorted(breaks, k, side="right")])
            while fits > k and ends[fits - 1] > len(raw):
                fits -= 1
            pieces.append(likely[k:fits] + 2)
            if fits > k:
                here = int(ends[fits - 1])
            if fits < stop:
                break
            k = stop
            continue
        if here + 2 > len(raw):
            break
        length = int(raw[here]) << 8 | int(raw[here + 1])
        if length == 0:
            return np.concatenate([*pieces, np.zeros(0, np.int64)]), here, True
        known = int(_LENGTH_OF[raw[here + 2]]) if here + 2 < len(raw) else length
        if length > LONGEST or (known and known != length):
            raise BadInput(f"{place} {at + here}", buffer[here : here + 3], "the length of a message and its letter")
        if here + 2 + length > len(raw):
            break
        pieces.append(np.array([here + 2], dtype=np.int64))
        here += 2 + length
    return np.concatenate([*pieces, np.zeros(0, np.int64)]), here, False

"""Checkpoints: the engines' whole state at some instants of a source, so that a seek need not play from the start."""

from __future__ import annotations

import bisect
import contextlib
import hashlib
import io
import os
import struct
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from feeds.errors import BadInput

_HEAD: Final = struct.Struct("<4sqqI")
"""Magic, place, and how many states follow; then their lengths, a digest of all this, and the states."""
_MAGIC: Final = b"TVC1"
_CHECK: Final = 8
_MOST: Final = 1 << 16
"""States in a checkpoint."""


class Checkpoint(NamedTuple):
    """Where a checkpoint lies: after the row `seq`, received at `recv_ns`."""

    seq: int
    recv_ns: int


class Checkpoints:
    """Keep engines' saved states by their place in a source, compressed, and on disk where a folder is given.

    The key names what the states depend on (source, code, settings); a folder of another key is another folder,
    so nothing stale is ever found. A file that is damaged is left out as if it had never been written.
    """

    def __init__(self, folder: Path | None = None, key: str = "") -> None:
        self._folder = None if folder is None else folder / f"checkpoints-{_short(key)}"
        self._places: list[Checkpoint] = []
        self._packed: dict[int, bytes] = {}
        if self._folder is not None and self._folder.is_dir():
            for file in sorted(self._folder.glob("*.tvc")):
                seq, _, recv_ns = file.stem.partition("_")
                if _whole(seq) and _whole(recv_ns):
                    bisect.insort(self._places, Checkpoint(int(seq), int(recv_ns)))

    def __len__(self) -> int:
        return len(self._places)

    @property
    def places(self) -> tuple[Checkpoint, ...]:
        """Where there are checkpoints, in the order of the source."""
        return tuple(self._places)

    def put(self, seq: int, recv_ns: int, blobs: list[bytes]) -> None:
        """Keep the saved states of all engines as they are after the row `seq`.

        A folder that cannot be written to is no fault: the checkpoint is then kept in memory only.
        """
        place = Checkpoint(seq, recv_ns)
        at = bisect.bisect_left(self._places, (seq,))
        if at < len(self._places) and self._places[at].seq == seq:
            self._places[at] = place
        else:
            self._places.insert(at, place)
        if self._store(place, blobs):
            self._packed.pop(seq, None)
        else:
            packed = io.BytesIO()
            _pack(packed, place, blobs)
            self._packed[seq] = packed.getvalue()

    def _store(self, place: Checkpoint, blobs: list[bytes]) -> bool:
        if self._folder is None:
            return False
        file = self._file(place)
        fresh = file.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with fresh.open("wb") as out:
                _pack(out, place, blobs)
            fresh.replace(file)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink()
            return False
        return True

    def best_before(self, *, seq: int | None = None, recv_ns: int | None = None) -> Checkpoint | None:
        """Give the newest checkpoint at or before a place, None where there is none.

        With `recv_ns`, every later checkpoint is of a later time, whatever single receive times ran backwards.
        """
        if (seq is None) == (recv_ns is None):
            raise TypeError("either seq or recv_ns")
        if seq is not None:
            at = bisect.bisect_right(self._places, seq, key=lambda place: place.seq)
            return self._places[at - 1] if at else None
        best = None
        for place in self._places:
            if recv_ns is not None and place.recv_ns > recv_ns:
                break
            best = place
        return best

    def load(self, place: Checkpoint) -> list[bytes]:
        """Give the saved states of a checkpoint; BadInput where it is damaged or gone, and it is then forgotten."""
        import zstandard

        packed = self._packed.get(place.seq)
        try:
            if packed is not None:
                return _unpack(io.BytesIO(packed), place)
            if self._folder is None:
                raise BadInput("checkpoint", place.seq, "one of `places`")
            with self._file(place).open("rb") as file:
                return _unpack(file, place)
        except (OSError, zstandard.ZstdError) as error:
            self._forget(place)
            raise BadInput("checkpoint", str(error), "a whole file") from None
        except BadInput:
            self._forget(place)
            raise

    def _forget(self, place: Checkpoint) -> None:
        if place in self._places:
            self._places.remove(place)
        self._packed.pop(place.seq, None)

    def _file(self, place: Checkpoint) -> Path:
        assert self._folder is not None
        return self._folder / f"{place.seq:020d}_{place.recv_ns}.tvc"


def _pack(out: BinaryIO, place: Checkpoint, blobs: list[bytes]) -> None:
    import zstandard

    head = _HEAD.pack(_MAGIC, *place, len(blobs)) + b"".join(len(blob).to_bytes(8, "little") for blob in blobs)
    pieces = (head, _digest(head), *blobs)
    compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
    # One state after the other into the stream: together they would be in memory twice.
    with compressor.stream_writer(out, size=sum(map(len, pieces)), closefd=False) as stream:
        for piece in pieces:
            stream.write(piece)


def _unpack(file: BinaryIO, place: Checkpoint) -> list[bytes]:
    import zstandard

    with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as stream:
        head = stream.read(_HEAD.size)
        if len(head) < _HEAD.size or head[: len(_MAGIC)] != _MAGIC:
            raise BadInput("checkpoint", head[: len(_MAGIC)], "a checkpoint")
        *found, count = _HEAD.unpack(head)[1:]
        if tuple(found) != place:
            raise BadInput("checkpoint", found[0], f"seq {place.seq}")
        lengths = stream.read(8 * min(count, _MOST))
        # Lengths are trusted only once known to be whole: a damaged one could ask for any amount of memory.
        if stream.read(_CHECK) != _digest(head + lengths):
            raise BadInput("checkpoint", len(lengths), "an undamaged head")
        sizes = [int.from_bytes(lengths[at : at + 8], "little") for at in range(0, len(lengths), 8)]
        blobs = [stream.read(size) for size in sizes]
        if [len(blob) for blob in blobs] != sizes or stream.read(1):
            raise BadInput("checkpoint", sum(len(blob) for blob in blobs), f"{sum(sizes)} bytes of states")
    return blobs


def _digest(head: bytes) -> bytes:
    return hashlib.blake2b(head, digest_size=_CHECK).digest()


def _short(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=12).hexdigest()


def _whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) <= 21

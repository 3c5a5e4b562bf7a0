"""Checkpoints: the engines' whole state at some instants of a source, so that a seek need not play from the start."""

from __future__ import annotations

import bisect
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import msgspec

from feeds.errors import BadInput


class Checkpoint(NamedTuple):
    """Where a checkpoint lies: after the row `seq`, received at `recv_ns`."""

    seq: int
    recv_ns: int


class _Entry(msgspec.Struct, array_like=True):
    seq: int
    recv_ns: int
    blobs: list[bytes]


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
        import zstandard

        place = Checkpoint(seq, recv_ns)
        packed = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(
            msgspec.msgpack.encode(_Entry(seq, recv_ns, blobs))
        )
        at = bisect.bisect_left(self._places, (seq,))
        if at < len(self._places) and self._places[at].seq == seq:
            self._places[at] = place
        else:
            self._places.insert(at, place)
        self._packed[seq] = packed
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._file(place)
            fresh = file.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(packed)
            fresh.replace(file)
        except OSError:
            return
        del self._packed[seq]

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
            if packed is None:
                if self._folder is None:
                    raise BadInput("checkpoint", place.seq, "one of `places`")
                packed = self._file(place).read_bytes()
            raw = zstandard.ZstdDecompressor().decompress(packed)
            entry = msgspec.msgpack.decode(raw, type=_Entry)
            if (entry.seq, entry.recv_ns) != place:
                raise BadInput("checkpoint", entry.seq, f"seq {place.seq}")
        except (OSError, zstandard.ZstdError, msgspec.DecodeError) as error:
            self._forget(place)
            raise BadInput("checkpoint", str(error), "a whole file") from None
        except BadInput:
            self._forget(place)
            raise
        return entry.blobs

    def _forget(self, place: Checkpoint) -> None:
        if place in self._places:
            self._places.remove(place)
        self._packed.pop(place.seq, None)

    def _file(self, place: Checkpoint) -> Path:
        assert self._folder is not None
        return self._folder / f"{place.seq:020d}_{place.recv_ns}.tvc"


def _short(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=12).hexdigest()


def _whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) <= 21

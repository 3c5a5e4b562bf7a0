"""hftbacktest event files (.npz, .npy): depth, trades and orders with both clocks.

Format: https://hftbacktest.readthedocs.io/en/latest/data.html, version 2: 64-byte records `ev, exch_ts, local_ts, px,
qty, order_id, ival, fval`. Nothing is unpickled: an array of another layout is refused by its header.
"""

from __future__ import annotations

import ast
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    BAD_TIME,
    BOOK,
    CANCEL,
    CLEAR,
    FILL,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    QUOTE,
    S_LIVE,
    SNAPSHOT,
    STATUS,
    TRADE,
    Events,
)  # fmt: skip
from feeds.files._columns import off_marks
from feeds.files._contract import Reader
from feeds.files._exact import LIMIT, Bools, Ints, blank, count_floats
from feeds.files._increments import increments
from feeds.files._streams import Stream
from feeds.instruments import Instrument
from feeds.source import Checks, OpenOptions

RECORD: Final = np.dtype(
    [
        ("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"), ("qty", "<f8"),
        ("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8"),
    ]
)  # fmt: skip
"""One event, 64 bytes."""
_LOCAL: Final = 1 << 30
_BUY: Final = 1 << 29
_SELL: Final = 1 << 28
_DEPTH, _TRADE, _CLEAR, _SNAPSHOT, _BBO = 1, 2, 3, 4, 5
_ADD, _CANCEL, _MODIFY, _FILL = 10, 11, 12, 13
_KINDS: Final = {
    _DEPTH: BOOK, _TRADE: TRADE, _CLEAR: CLEAR, _SNAPSHOT: BOOK, _BBO: QUOTE,
    _ADD: ADD, _CANCEL: CANCEL, _MODIFY: MODIFY, _FILL: FILL,
}  # fmt: skip
_ZIP: Final = b"PK\x03\x04"
_NPY: Final = b"\x93NUMPY"
_ROWS: Final = 32_768
_SAMPLE_ROWS: Final = 16_384
_HEADER: Final = 10_000
"""Bytes of a header at most; ours has some 200."""
_DIRECTORY: Final = 1 << 20
"""Bytes of a ZIP directory at most: one of more entries than any such file has is not read into memory."""
_END: Final = struct.Struct("<4s4H2IH")
_DAMAGE: Final = (
    OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError, struct.error,
    KeyError, OverflowError, IndexError, SyntaxError,
)  # fmt: skip


class HftbacktestReader(Reader):
    """Read the events as the local side received them.

    Events that only the exchange side has are left out: they repeat others in another order. A clear forgets its side
    of the book, also what lies beyond the price that it names.
    """

    format = "hftbacktest"
    title = "hftbacktest event arrays (npz)"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether a file is an array of such records, or a ZIP file of one."""
        if path.is_dir() or not head.startswith((_ZIP, _NPY)):
            return False
        try:
            with _Array(path):
                return True
        except BadInput:
            return False

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Read the header and the first records for tick and lot."""
        return cls(path, options)

    def __init__(self, path: Path, options: OpenOptions) -> None:
        if path.is_dir():
            raise BadInput(str(path), None, "one file of hftbacktest events")
        self.path = path
        self.checks = Checks()
        self.position = 0
        self.notes = []
        with _Array(path) as array:
            self.size = array.size
            sample = array.read(_SAMPLE_ROWS)
        if not len(sample):
            raise BadInput(f"{path}: event 1", None, "at least one event")
        kinds = set((sample["ev"] & np.uint64(0xFF)).tolist())
        orders = not kinds.isdisjoint({_ADD, _CANCEL, _MODIFY, _FILL})
        depth = not kinds.isdisjoint({_DEPTH, _SNAPSHOT, _CLEAR})
        self.tier = "A" if orders else "C" if depth else "D"
        self.verification = "unverifiable"
        self.venue = options.venue or "hftbacktest"
        self.local = bool((sample["ev"] & np.uint64(_LOCAL)).any())
        if not self.local:
            self.notes.append("no event is flagged as received: all are read, in their order")
        counted = np.isin(sample["ev"] & np.uint64(0xFF), list(_KINDS.keys() - {_CLEAR}))
        prices, sizes = _texts(sample["px"][counted]) or ["0.01"], _texts(sample["qty"][counted]) or ["1"]
        found = increments(options, f"{path}: first events", prices, sizes)
        if found.derived:
            self.notes.append(f"{found.derived} derived from the decimals of the first events")
        if (sample["ev"][0] & np.uint64(0xFF)) not in (_CLEAR, _SNAPSHOT):
            self.notes.append("no snapshot at the start: partial, the book before the file is unknown")
        symbol = options.symbol or path.name.partition("_")[0].partition(".")[0].upper() or "UNKNOWN"
        self.instruments = (
            Instrument(
                venue=self.venue, symbol=symbol, tick=found.tick, lot=found.lot,
                derived=bool(found.derived),
            ),
        )  # fmt: skip

    def rows(self) -> Iterator[Events]:
        """Give a row an event, in the order they were received; events of one kind and time are one message."""
        self._live = False
        latest = np.iinfo(np.int64).min
        held = np.zeros(0, dtype=RECORD)
        number = 1
        with _Array(self.path) as array:
            while True:
                new = array.read(_ROWS)
                self.position = min(array.position, self.size)
                block = np.concatenate([held, new])
                if not len(block):
                    break
                # The last message may go on in the next block.
                ends = np.flatnonzero(_message_ends(block)[:-1]) if len(new) else np.array([len(block) - 1])
                cut = int(ends[-1]) + 1 if len(ends) else 0 if len(block) < 2 * _ROWS else len(block)
                some, held = block[:cut], block[cut:]
                if cut:
                    rows = self._rows(some, number)
                    number += cut
                    if len(rows):
                        reached = np.maximum.accumulate(np.maximum(rows["recv_ns"], latest))
                        late = rows["recv_ns"] < reached
                        rows["marks"][late] |= BAD_TIME
                        self.checks.out_of_order += int(late.sum())
                        latest = int(reached[-1])
                        yield rows
                if not len(new):
                    break
        self.position = self.size

    def _rows(self, some: NDArray[Any], number: int) -> Events:
        place = f"{self.path}: events from {number}"
        code = (some["ev"] & np.uint64(0xFF)).astype(np.int64)
        known = np.isin(code, list(_KINDS))
        if not known.all():
            at = int(np.argmin(known))
            raise BadInput(f"{self.path}: event {number + at}: ev", int(some["ev"][at]), "a kind of event")
        for name in ("local_ts", "exch_ts"):
            wrong = (some[name] < 0) | (some[name] >= LIMIT)
            if wrong.any():
                at = int(np.argmax(wrong))
                raise BadInput(f"{self.path}: event {number + at}: {name}", int(some[name][at]), "ns since 1970")
        flags = some["ev"].astype(np.int64)
        if self.local:
            mine = (flags & _LOCAL) != 0
            self.checks.ignored["events of the exchange side"] = self.checks.ignored.get(
                "events of the exchange side", 0
            ) + int((~mine).sum())
            some, code, flags = some[mine], code[mine], flags[mine]
        self.checks.messages += len(some)
        if not len(some):
            return blank(0)
        table = np.zeros(256, dtype=np.int64)
        table[list(_KINDS)] = list(_KINDS.values())
        rows = blank(len(some))
        rows["recv_ns"], rows["exch_ns"] = some["local_ts"], np.where(some["exch_ts"] > 0, some["exch_ts"], NONE)
        rows["kind"] = table[code]
        rows["side"] = np.where(flags & _BUY, 1, np.where(flags & _SELL, -1, 0))
        self._count(some, code, rows, place)
        marks = np.where((code == _SNAPSHOT) | (code == _CLEAR), SNAPSHOT, 0) | np.where(code == _FILL, NO_BOOK, 0)
        rows["marks"] |= marks.astype(np.uint16)
        orders = np.isin(code, (_ADD, _CANCEL, _MODIFY, _FILL))
        rows["ref"] = np.where(orders, some["order_id"].astype(np.int64), NONE)
        rows["aux"] = np.where(orders, NONE, 0)
        rows["marks"][_message_ends(some)] |= LAST
        return self._live_ends(rows, code)

    def _count(self, some: NDArray[Any], code: Ints, rows: Events, place: str) -> None:
        """Set ticks, lots and their marks; refuse what can be none."""
        instrument = self.instruments[0]
        priced = (code != _CLEAR) & (code != _CANCEL)
        tick, off = count_floats(instrument.price, np.where(priced, some["px"], 0.0), f"{place}: px")
        lots, off_lot = count_floats(instrument.size, np.where(priced, some["qty"], 0.0), f"{place}: qty")
        wrong = (lots < 0) | (np.isin(code, (_ADD, _MODIFY, _TRADE, _FILL)) & (lots == 0))
        wrong |= np.isin(code, (_DEPTH, _SNAPSHOT, _BBO, _ADD, _MODIFY)) & (rows["side"] == 0)
        if wrong.any():
            at = int(np.argmax(wrong))
            found = f"qty {some['qty'][at]}, side {rows['side'][at]}"
            raise BadInput(f"{place}, {at + 1} on", found, "a side and a quantity above 0")
        rows["tick"], rows["lots"] = tick, lots
        rows["marks"] = off_marks(off, off_lot)
        self.checks.off_grid += int(off.sum())

    def _live_ends(self, rows: Events, code: Ints) -> Events:
        """Rows with a live status behind each rebuild, and before the first row where there is none."""
        rebuild = (code == _SNAPSHOT) | (code == _CLEAR)
        at, where = [], []
        ends = np.flatnonzero(rebuild & ~np.append(rebuild[1:], False)).tolist()
        if not self._live and not rebuild[0]:
            at.append(0)
            where.append(0)
        self._live = True
        for end in ends:
            rows["marks"][end] &= ~np.uint16(LAST)
            at.append(end + 1)
            where.append(end)
        if not at:
            return rows
        heads = blank(len(at))
        heads["kind"], heads["aux"], heads["marks"] = STATUS, S_LIVE, SNAPSHOT | LAST
        heads["recv_ns"], heads["exch_ns"] = rows["recv_ns"][where], rows["exch_ns"][where]
        return np.insert(rows, at, heads)


READER = HftbacktestReader


def _message_ends(some: NDArray[Any]) -> Bools:
    """Where the next event is of another time or another sort, or each is a trade or an order of its own."""
    code = some["ev"] & np.uint64(0xFF)
    sort = np.where(code == _DEPTH, 1, np.where((code == _SNAPSHOT) | (code == _CLEAR), 2, 0))
    ends = np.ones(len(some), dtype=bool)
    same = (sort[1:] == sort[:-1]) & (sort[1:] > 0)
    for name in ("local_ts", "exch_ts"):
        same &= some[name][1:] == some[name][:-1]
    ends[:-1] = ~same
    return ends


def _texts(values: NDArray[Any]) -> list[str]:
    finite = np.unique(values[np.isfinite(values) & (values != 0) & (np.abs(values) < 1e15)])
    return [repr(value).removesuffix(".0") for value in finite[:20_000].tolist()]


class _Array:
    """The records of one file, read in blocks; every damage is a BadInput."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: Stream | None
        self._zip: zipfile.ZipFile | None = None
        self._member: IO[bytes] | None = None
        self._left = 0
        self._stream = stream = Stream(path)
        self.size = stream.size
        try:
            self._file: Any = self._open(stream)
            self._header()
        except BadInput:
            self.close()
            raise
        except _DAMAGE as error:
            self.close()
            raise self._damaged(error) from None

    def _open(self, stream: Stream) -> object:
        start = stream.read(6)
        if start == _NPY:
            return _Ahead(stream, start)
        stream.close()
        self._stream = None
        if not start.startswith(_ZIP):
            raise BadInput(f"{self.path}: byte 0", start, "a ZIP file of arrays (npz) or an array (npy)")
        _check_directory(self.path)
        self._zip = zipfile.ZipFile(self.path)
        arrays = [one for one in self._zip.infolist() if one.filename.endswith(".npy")]
        chosen = next((one for one in arrays if one.filename == "data.npy"), arrays[0] if len(arrays) == 1 else None)
        if chosen is None:
            found = ", ".join(one.filename for one in self._zip.infolist()[:5])
            raise BadInput(f"{self.path}: arrays", found, "an array 'data', or one array only")
        self._member = self._zip.open(chosen)
        return self._member

    def _header(self) -> None:
        place = f"{self.path}: array header"
        prefix = self._exactly(10)
        if prefix[:6] != _NPY or prefix[6] not in {1, 2, 3}:
            raise BadInput(place, prefix, "an array in the npy format")
        (length,) = struct.unpack("<H", prefix[8:10]) if prefix[6] == 1 else (0,)
        rest = b"" if prefix[6] == 1 else self._exactly(2)
        if prefix[6] > 1:
            (length,) = struct.unpack("<I", prefix[8:10] + rest)
        if length > _HEADER:
            raise BadInput(place, length, f"at most {_HEADER} bytes")
        try:
            said = ast.literal_eval(self._exactly(length).decode("latin1").strip())
            layout, shape = said["descr"], said["shape"]
            fits = layout == RECORD.descr and len(shape) == 1 and type(shape[0]) is int and 0 <= shape[0] < LIMIT
        except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
            raise BadInput(place, None, "a header that tells layout and shape") from None
        if not fits:
            what = "one-dimensional events of hftbacktest 2: ev, exch_ts, local_ts, px, qty, order_id, ival, fval"
            raise BadInput(place, f"{layout} of shape {shape}", what)
        self._left = self.many = int(shape[0])

    def _exactly(self, n: int) -> bytes:
        out = bytearray()
        while len(out) < n and (chunk := self._file.read(n - len(out))):
            out += chunk
        if len(out) < n:
            raise EOFError("the file ends within the array")
        return bytes(out)

    @property
    def position(self) -> int:
        """Bytes of the file consumed, as stored: of a ZIP file, in proportion to its events."""
        if self._stream is not None:
            return self._stream.position
        return self.size * (self.many - self._left) // max(1, self.many)

    def read(self, n: int) -> NDArray[Any]:
        """At most n records; none at the end."""
        n = min(n, self._left)
        try:
            raw = self._exactly(n * RECORD.itemsize)
            self._left -= n
            if not self._left and self._file.read(1):
                raise ValueError("bytes behind the array")
        except BadInput:
            raise
        except _DAMAGE as error:
            raise self._damaged(error) from None
        return np.frombuffer(raw, dtype=RECORD)

    def _damaged(self, error: BaseException) -> BadInput:
        text = str(error).split("\n")[0] or type(error).__name__
        return BadInput(f"{self.path}: event {self.many - self._left + 1}", text, "an undamaged array of events")

    many = 0

    def close(self) -> None:
        """Close the file."""
        for one in (self._member, self._stream, self._zip):
            if one is not None:
                one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Ahead:
    """A stream with some bytes put back in front."""

    def __init__(self, stream: Stream, ahead: bytes) -> None:
        self._stream, self._ahead = stream, ahead

    def read(self, n: int) -> bytes:
        if self._ahead:
            out, self._ahead = self._ahead[:n], self._ahead[n:]
            return out
        return self._stream.read(n)


def _check_directory(path: Path) -> None:
    with path.open("rb") as file:
        end = file.seek(0, io.SEEK_END)
        file.seek(max(0, end - _END.size - 65_535))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise BadInput(f"{path}: end", None, "a complete ZIP file")
    size = _END.unpack_from(tail, at)[5]
    if size > _DIRECTORY:
        raise BadInput(f"{path}: directory", size, f"at most {_DIRECTORY} bytes")

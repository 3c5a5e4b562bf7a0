"""The frame of a DBN file: its metadata, and its records as arrays, run by run."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput, MissingExtra
from feeds.files._streams import Stream

UNDEF_PRICE: Final = 2**63 - 1
UNDEF_TIME: Final = np.uint64(2**63)
"""Times from here on are undefined: ns that no clock of this format reaches."""
UNDEF_SIZE: Final = 2**32 - 1
F_LAST: Final = 128
F_SNAPSHOT: Final = 32
BAD_TS_RECV: Final = 8
MAYBE_BAD_BOOK: Final = 4

_HEADER: Final[list[tuple[str, Any]]] = [
    ("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"), ("ts_event", "<u8"),
]  # fmt: skip
_TRADE: Final = [
    *_HEADER, ("price", "<i8"), ("size", "<u4"), ("action", "S1"), ("side", "S1"), ("flags", "u1"), ("depth", "u1"),
    ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"),
]  # fmt: skip
_LEVEL: Final = [
    ("bid_px", "<i8"), ("ask_px", "<i8"), ("bid_sz", "<u4"), ("ask_sz", "<u4"), ("bid_ct", "<u4"), ("ask_ct", "<u4"),
]  # fmt: skip
RECORDS: Final = {
    0: np.dtype(_TRADE),
    1: np.dtype([*_TRADE, ("levels", _LEVEL, (1,))]),
    10: np.dtype([*_TRADE, ("levels", _LEVEL, (10,))]),
    160: np.dtype(
        [
            *_HEADER, ("order_id", "<u8"), ("price", "<i8"), ("size", "<u4"), ("flags", "u1"), ("channel_id", "u1"),
            ("action", "S1"), ("side", "S1"), ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"),
        ]
    ),
}  # fmt: skip
"""Record layouts by rtype: trades, mbp-1 (also tbbo), mbp-10, mbo; the same in DBN 1 to 3."""
_NAMES: Final = {
    0: "trades", 1: "mbp-1", 10: "mbp-10", 17: "ohlcv", 18: "status", 19: "definition", 20: "imbalance", 21: "error",
    22: "symbol mapping", 23: "system", 24: "statistics", 160: "mbo",
}  # fmt: skip
_DEFINITION: Final = 19
_MAPPING: Final = 22
_MOST_METADATA: Final = 1 << 26
_CHUNK: Final = 1 << 20


class Metadata(NamedTuple):
    """What the head of a file says."""

    dataset: str
    schema: str
    """'' where the records may be of any schema."""
    symbols: dict[int, str]
    """Names by instrument id."""
    length: int
    """Bytes before the first record."""
    version: int
    """Of the encoding, 1 to 3."""


class Records(NamedTuple):
    """A run of records of one kind; `rows` is empty where the kind is not read."""

    rtype: int
    rows: NDArray[Any]
    many: int
    place: str
    raw: bytes = b""
    """The records themselves where they name instruments."""

    @property
    def name(self) -> str:
        """The schema's name."""
        return _NAMES.get(self.rtype, f"rtype {self.rtype}")


def _exactly(stream: Stream, n: int) -> bytes:
    out = bytearray()
    while len(out) < n and (chunk := stream.read(min(_CHUNK, n - len(out)))):
        out += chunk
    return bytes(out)


def read_metadata(stream: Stream) -> Metadata:
    """Read the metadata; raise MissingExtra where databento-dbn is not installed, BadInput where it is damaged."""
    try:
        import databento_dbn
    except ImportError:
        raise MissingExtra("reading DBN", "databento") from None
    head = _exactly(stream, 8)
    if len(head) < 8 or head[:3] != b"DBN" or head[3] not in {1, 2, 3}:
        raise BadInput(f"{stream.path}: byte 0", head[:8], "'DBN' and a version from 1 to 3")
    (length,) = struct.unpack("<I", head[4:])
    if length > _MOST_METADATA:
        raise BadInput(f"{stream.path}: byte 4", length, f"metadata of at most {_MOST_METADATA} bytes")
    body = _exactly(stream, length)
    if len(body) < length:
        raise BadInput(f"{stream.path}: byte {8 + len(body)}", "end of file", f"{length} bytes of metadata")
    try:
        meta = databento_dbn.Metadata.decode(head + body)
        names: dict[int, list[str]] = {}
        for symbol, intervals in meta.mappings.items():
            for number in dict.fromkeys(interval["symbol"] for interval in intervals):
                if number.isascii() and number.isdigit():
                    names.setdefault(int(number), []).append(symbol)
        schema = str(meta.schema) if meta.schema is not None else ""
        dataset = str(meta.dataset)
    except BaseException as error:
        # A panic of the native part is no Exception.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise BadInput(f"{stream.path}: byte 8", str(error), "DBN metadata") from None
        raise
    of_symbol: dict[str, int] = {}
    for symbols in names.values():
        of_symbol[symbols[0]] = of_symbol.get(symbols[0], 0) + 1
    unique = {
        one: symbols[0] if of_symbol[symbols[0]] == 1 else f"{symbols[0]} ({one})" for one, symbols in names.items()
    }
    return Metadata(dataset, schema, unique, 8 + length, head[3])


def named(parts: list[Records], version: int) -> dict[int, tuple[str, int]]:
    """Names and price increments in 1e-9 (0 unknown) by instrument id, from definitions and mappings among records."""
    import databento_dbn

    found: dict[int, tuple[str, int]] = {}
    for part in parts:
        if not part.raw:
            continue
        try:
            decoder = databento_dbn.DBNDecoder(has_metadata=False, input_version=version)
            decoder.write(part.raw)
            records: list[Any] = decoder.decode()
            for record in records:
                one = int(record.instrument_id)
                name, step = found.get(one, ("", 0))
                if part.rtype == _DEFINITION:
                    name, step = str(record.raw_symbol) or name, int(record.min_price_increment)
                else:
                    symbols = (str(record.stype_out_symbol), str(record.stype_in_symbol))
                    name = name or next((symbol for symbol in symbols if symbol and not symbol.isdigit()), "")
                found[one] = (name, step if 0 < step < UNDEF_PRICE else 0)
        except BaseException as error:
            # A panic of the native part is no Exception.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                raise BadInput(part.place, str(error), f"records of {part.name}") from None
            raise
    return found


class Frames:
    """The records of a stream behind its metadata."""

    def __init__(self, stream: Stream, at: int) -> None:
        self.stream = stream
        self.at = at
        """Decompressed bytes consumed."""

    def parts(self) -> Iterator[Records]:
        """Give runs of equal records in order; raise BadInput at the byte of a record that is none."""
        rest = b""
        while chunk := self.stream.read(_CHUNK):
            buffer = rest + chunk
            begun = self.at
            yield from self.runs(buffer)
            rest = buffer[self.at - begun :]
        if rest:
            place = f"{self.stream.path}: byte {self.at}"
            raise BadInput(place, f"{len(rest)} bytes, then the end", f"a record of {rest[0] * 4} bytes")

    def runs(self, buffer: bytes) -> Iterator[Records]:
        """Give the runs of equal records that a buffer holds whole; `at` moves behind each."""
        done = 0
        while done < len(buffer):
            length, rtype = buffer[done] * 4, buffer[done + 1] if done + 1 < len(buffer) else 0
            if length < 16:
                place = f"{self.stream.path}: byte {self.at}"
                raise BadInput(place, buffer[done : done + 16], "a record of at least 16 bytes")
            whole = (len(buffer) - done) // length
            if not whole:
                return
            block = np.frombuffer(buffer, np.uint8, whole * length, done).reshape(whole, length)
            other = (block[:, 0] != block[0, 0]) | (block[:, 1] != rtype)
            count = int(other.argmax()) if other.any() else whole
            yield self._records(rtype, block[:count])
            done += count * length
            self.at += count * length

    def _records(self, rtype: int, block: NDArray[np.uint8]) -> Records:
        place = f"{self.stream.path}: byte {self.at}"
        layout = RECORDS.get(rtype)
        if layout is None:
            raw = block.tobytes() if rtype in {_DEFINITION, _MAPPING} else b""
            return Records(rtype, np.zeros(0, RECORDS[0]), len(block), place, raw)
        if block.shape[1] < layout.itemsize:
            raise BadInput(place, f"{block.shape[1]} bytes", f"a record of {layout.itemsize} bytes for rtype {rtype}")
        rows = np.ascontiguousarray(block[:, : layout.itemsize]).view(layout)[:, 0]
        return Records(rtype, rows, len(rows), place)

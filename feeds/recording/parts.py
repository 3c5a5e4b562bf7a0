"""Events as Parquet part files that stand alone: a keyframe, then some hundred thousand rows.

Columns, in the order of the rows. Of the first four each recording uses the form that takes less room:

column                          | meaning
--------------------------------|-----------------------------------------------------------------------------------
recv_ns or recv_step            | the field, or its difference from the row before (the first row's 0) above recv_base
exch_ns, exch_step or lag_ns    | the same, or recv_ns - exch_ns
ref or ref_step                 | as recv
aux or aux_step                 | the field; in aux_step, rows of the order kinds (2 to 5) differ from the last such
recv_base, exch_base, ref_base  | the part's first value, on every row, where the column is one of differences
tick, lots, inst, kind, side, marks | as in feeds.events
unknown                         | bit set: 1 exch_ns, 2 ref, 4 aux is NONE; their columns then repeat the value before,
                                | or the first known one at the part's beginning

The wide columns are 32 bits where a part's values fit, else 64. Differences wrap at 64 bits; `cum_sum` over a part,
cast to 64 bits before, gives the fields back, and `feeds.recording.scan` does so with polars. Rows of the keyframe,
marked KEYFRAME, come first. `seq` is not stored: the part's metadata has the `first_seq` of the rows after the
keyframe, and the keyframe's rows have the seq before it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
import numpy as np

from feeds.errors import BadInput
from feeds.events import ADD, EVENT, FILL, NONE, Events
from feeds.recording.columns import Column

FOLDER: Final = "events"
VERSION: Final = 2
_KEY: Final = "tapeview"
_PLAIN: Final = ("tick", "lots", "inst", "kind", "side", "marks")
_UNKNOWN: Final = {"exch_ns": 1, "ref": 2, "aux": 4}
_BASES: Final = {"recv_step": "recv_base", "exch_step": "exch_base", "ref_step": "ref_base"}
_UNPACKING: Final = 0.05
"""Bytes of file that one byte unpacked is worth, when a form is chosen."""
_FORMS: Final = (("recv_ns", "recv_step"), ("exch_ns", "exch_step", "lag_ns"), ("ref", "ref_step"), ("aux", "aux_step"))


class PartHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a part says of itself in its Parquet metadata."""

    version: int = VERSION
    first_seq: int
    keyframe: int


def part_name(number: int) -> str:
    """The file name of a part."""
    return f"part-{number:05}.parquet"


def encode_part(
    fields: dict[str, Column], first_seq: int, keyframe: int, forms: tuple[str, ...] | None, level: int
) -> tuple[bytes, tuple[str, ...]]:
    """Make a part's bytes of its columns (keyframe first); also the forms used, chosen by size where None is given."""
    import polars as pl

    plain = dict(fields)
    unknown = np.zeros(len(plain["kind"]), np.uint8)
    for field, bit in _UNKNOWN.items():
        plain[field] = _fill(plain[field], unknown, bit)
    if forms is None:
        forms = tuple(_smallest(plain, choices, level) for choices in _FORMS)
    columns = _stored(plain, forms)
    columns |= {field: _narrow(plain[field]) for field in _PLAIN}
    columns["unknown"] = unknown
    head = PartHead(first_seq=first_seq, keyframe=keyframe)
    return _parquet(pl.DataFrame(columns), level, {_KEY: msgspec.json.encode(head).decode()}), forms


def _parquet(frame: Any, level: int, metadata: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(
        out,
        compression="zstd",
        compression_level=level,
        statistics=False,
        row_group_size=max(1, len(frame)),
        data_page_size=1 << 18,
        metadata=metadata,
    )
    return out.getvalue()


def _fill(column: Column, unknown: Column, bit: int) -> Column:
    none = np.flatnonzero(column == NONE)
    if not len(none):
        return column
    unknown[none] |= np.uint8(bit)
    if len(none) == len(column):
        return np.zeros_like(column)
    # Each run of unknowns takes the value before its first; at the very beginning there is none, and the first known
    # value is taken: differences stay small.
    begins = np.diff(none, prepend=none[0] - 2) != 1
    before = (none[begins] - 1)[np.cumsum(begins) - 1]
    filled = column.copy()
    filled[none] = np.where(before >= 0, column[before], column[np.argmax(column != NONE)])
    return filled


def _smallest(plain: dict[str, Column], choices: tuple[str, ...], level: int) -> str:
    import polars as pl

    # Half of what is to be unpacked weighs too: reading takes as long as its bytes are many.
    costs = []
    for form in choices:
        columns = _stored(plain, (form,))
        whole = sum(column.nbytes for name, column in columns.items() if not name.endswith("_base"))
        costs.append(len(_parquet(pl.DataFrame(columns), level)) + whole * _UNPACKING)
    return choices[costs.index(min(costs))]


def _stored(plain: dict[str, Column], forms: tuple[str, ...]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for form in forms:
        field = _field(form)
        if form in _BASES:
            column = plain[field]
            first = column[:1]
            columns[_BASES[form]] = np.full(len(column), first[0] if len(first) else 0)
            columns[form] = _narrow(np.diff(column, prepend=first))
        elif form == "lag_ns":
            columns[form] = _narrow(plain["recv_ns"] - plain["exch_ns"])
        elif form == "aux_step":
            column = plain["aux"].copy()
            orders = _orders(plain["kind"])
            column[orders] = np.diff(column[orders], prepend=np.int64(0))
            columns[form] = _narrow(column)
        else:
            columns[form] = _narrow(plain[field])
    return columns


def _field(form: str) -> str:
    if form.endswith("_step"):
        stem = form.removesuffix("_step")
        return stem if stem in ("ref", "aux") else stem + "_ns"
    return form


def _narrow(column: Column) -> Column:
    if column.dtype != np.int64 or not len(column):
        return column
    limits = np.iinfo(np.int32)
    return column.astype(np.int32) if column.min() >= limits.min and column.max() <= limits.max else column


def _orders(kind: Column) -> Column:
    return (kind >= ADD) & (kind <= FILL)


def decode_part(data: bytes | str, place: str) -> tuple[Events, PartHead]:
    """Read a part's bytes, or the part at a URL, as (rows with the keyframe first, head)."""
    part = open_part(data, place)
    return part.take(part.count), part.head


def open_part(data: bytes | str, place: str) -> PartRows:
    """Read a part's bytes, or the part at a URL, so that its rows can be taken little by little."""
    import polars as pl

    source: Callable[[], Any] = (lambda: io.BytesIO(data)) if isinstance(data, bytes) else (lambda: data)
    try:
        text = pl.read_parquet_metadata(source()).get(_KEY, "")
        frame = pl.read_parquet(source(), glob=False, hive_partitioning=False)
    except Exception as error:
        raise BadInput(place, str(error).splitlines()[0] if str(error) else None, "a Parquet part of events") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise BadInput(place, "damaged Parquet", "a Parquet part of events") from None
    try:
        head = msgspec.json.decode(text, type=PartHead)
    except msgspec.DecodeError:
        raise BadInput(f"{place}: metadata", text, "the head of a part of events") from None
    if head.version > VERSION:
        raise BadInput(f"{place}: version", head.version, f"at most {VERSION}: a newer tapeview wrote this part")
    return PartRows(frame, head, place)


class Assemble(Protocol):
    """Puts rows together from columns as `PartRows` does; `tapeview.engine.reading.assemble` is one."""

    def __call__(
        self, rows: Events, words: Column, small: tuple[Column, ...], sums: Column, forms: int, seq: int, /
    ) -> None:
        """Fill rows, the first of which has number `seq`; carry on `sums`.

        `words` has lines of i8 for recv, exch, ref, aux, tick and lots, `small` is inst, kind, side, marks and
        unknown. Bits of `forms`: 1, 2, 4, 8 say that recv, exch, ref, aux are differences, 16 that exch is the lag.
        """


class PartRows:
    """A part's columns, checked, from which EVENT rows are taken from the first to the last.

    Rows taken a few thousand at a time are still in the processor's cache when they are read.
    """

    def __init__(self, frame: Any, head: PartHead, place: str) -> None:
        self.head = head
        self.count = len(frame)
        """Rows, those of the keyframe included."""
        self._at = 0
        self._column: dict[str, Column] = {}
        for name in frame.columns:
            kinds = _TYPES.get(name, ("Int32", "Int64"))
            series = frame[name]
            if series.null_count() or str(series.dtype) not in kinds:
                raise BadInput(f"{place}: column {name}", str(series.dtype), f"{' or '.join(kinds)} without nulls")
            self._column[name] = series.to_numpy()
        missing = [forms[0] for forms in _FORMS if not any(form in self._column for form in forms)]
        missing += [name for name in (*_PLAIN, "unknown") if name not in self._column]
        if missing:
            raise BadInput(f"{place}: columns", ", ".join(frame.columns), "also " + ", ".join(missing))
        self._forms: list[str] = [next(form for form in forms if form in self._column) for forms in _FORMS]
        # In version 1 there is no base: the first row's difference is that from 0.
        bases = [self._column.get(_BASES.get(form, "")) for form in self._forms]
        self._sums = np.array([0 if base is None or not len(base) else base[0] for base in bases], np.int64)
        """The running totals of the columns of differences."""
        self._words = np.empty((len(_FORMS) + 2, _BLOCK), np.int64)

    def take(self, count: int, assemble: Assemble | None = None) -> Events:
        """Give the next rows, `count` or as many as are left, put together by a compiled `assemble` where given."""
        rows = np.empty(min(count, self.count - self._at), EVENT)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            part = slice(self._at, self._at + len(block))
            first = self.head.first_seq - self.head.keyframe + part.start
            if assemble is None:
                self._fill(block, part, first)
            else:
                self._hand(block, part, first, assemble)
            if part.start < self.head.keyframe:
                block["seq"][: self.head.keyframe - part.start] = self.head.first_seq - 1
            self._at = part.stop
        return rows

    def _hand(self, rows: Events, part: slice, first: int, assemble: Assemble) -> None:
        forms = 0
        for line, name in enumerate((*self._forms, "tick", "lots")):
            self._words[line, : len(rows)] = self._column[name][part]
            forms |= (1 << line if name.endswith("_step") else 0) | (_LAG if name == "lag_ns" else 0)
        small = tuple(self._column[name][part] for name in ("inst", "kind", "side", "marks", "unknown"))
        assemble(rows, self._words, small, self._sums, forms, first)

    def _fill(self, rows: Events, part: slice, first: int) -> None:
        recv = self._known(0, part)
        rows["recv_ns"] = recv
        rows["exch_ns"] = recv - self._known(1, part) if self._forms[1] == "lag_ns" else self._known(1, part)
        rows["seq"] = np.arange(first, first + len(rows))
        rows["ref"] = self._known(2, part)
        rows["aux"] = self._aux(part)
        for name in _PLAIN:
            rows[name] = self._column[name][part]
        unknown = self._column["unknown"][part]
        if unknown.any():
            for field, bit in _UNKNOWN.items():
                rows[field][(unknown & np.uint8(bit)) != 0] = NONE

    def _known(self, which: int, part: slice) -> Column:
        form = self._forms[which]
        column = self._column[form][part]
        return self._summed(which, column) if form.endswith("_step") else column

    def _summed(self, which: int, steps: Column) -> Column:
        total = np.cumsum(steps, dtype=np.int64)
        total += self._sums[which]
        if len(total):
            self._sums[which] = total[-1]
        return total

    def _aux(self, part: slice) -> Column:
        if self._forms[3] == "aux":
            return self._column["aux"][part]
        aux = self._column["aux_step"][part].astype(np.int64)
        orders = _orders(self._column["kind"][part])
        aux[orders] = self._summed(3, aux[orders])
        return aux


_TYPES: Final = {
    "inst": ("UInt32",), "kind": ("UInt8",), "side": ("Int8",), "marks": ("UInt16",), "unknown": ("UInt8",),
}  # fmt: skip
_BLOCK: Final = 4096
"""Rows put together at a time: they and the columns they come from stay in the processor's cache."""
_LAG: Final = 16
"""The bit of `Assemble`'s forms that says that exch is told as the lag behind recv."""

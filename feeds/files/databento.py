"""Databento DBN files (.dbn, .dbn.zst): mbo order by order, mbp-1 and mbp-10 books, tbbo and trades.

A folder of files of one dataset and schema, as a batch download gives, is one continuous session in the order of their
names. Instruments go by their names: an instrument id means something within its own file only.

Format: https://databento.com/docs/standards-and-conventions/databento-binary-encoding. Prices are integers of
1e-9, times ns since 1970. Metadata is decoded by the package databento-dbn; records, fixed structs, by numpy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np

from feeds.errors import BadInput
from feeds.events import BAD_TIME, LAST, Events
from feeds.files._contract import Reader
from feeds.files._dbn import (
    BAD_TS_RECV,
    F_SNAPSHOT,
    RECORDS,
    UNDEF_PRICE,
    UNDEF_TIME,
    Frames,
    Metadata,
    Records,
    named,
    read_metadata,
)  # fmt: skip
from feeds.files._dbn_rows import BookRows, OrderRows, Starts
from feeds.files._exact import Bools, Ints
from feeds.files._streams import Stream, peek
from feeds.instruments import Contract, Instrument, contracts, derive_increment
from feeds.source import Checks, OpenOptions

_SCHEMAS: Final = {"mbo": 160, "mbp-10": 10, "mbp-1": 1, "tbbo": 1, "trades": 0}
_TIERS: Final = {160: "A", 10: "B", 1: "D", 0: "D"}
_FUTURE: Final = re.compile(r"([A-Z0-9]{1,4}?)(?:[FGHJKMNQUVXZ]\d{1,2}|\.(?:FUT|[cnv]\.\d+))\Z")
_SAMPLE: Final = 1 << 20
_MOST: Final = 65_536
_MOST_OPEN: Final = 1 << 20
"""Rows of one event at most; the end of an event comes long before."""


class _Found(NamedTuple):
    """What the beginning of a file tells of one instrument."""

    name: str
    step: int
    """Price increment in 1e-9, 0 where nothing says it."""
    prices: Ints


class _Head(NamedTuple):
    """What the beginning of a file tells."""

    path: Path
    size: int
    meta: Metadata
    first_ns: int | None
    """Receive time of its first record, None where it is empty or that time is said to be bad."""
    found: dict[int, _Found]
    """By instrument id."""
    whole: bool | None
    """Whether its orders begin with a snapshot; None where it is empty."""


class _File(NamedTuple):
    path: Path
    numbers: dict[int, int]
    """Databento's instrument ids to the source's."""
    anew: tuple[int, ...]
    """Instruments that have another id than in the files before: another listing, or another day's numbering."""


class DatabentoReader(Reader):
    """Read DBN of one schema; every instrument that metadata or the first records name."""

    format = "databento"
    title = "Databento DBN (mbo, mbp-1, mbp-10, tbbo, trades); a folder is one session"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether the file begins as DBN of version 1 to 3; of a folder, whether any of its files does."""
        try:
            if path.is_dir():
                return any(_is_dbn(peek(file, 4)) for file in _listing(path)[:20])
            return _is_dbn(head)
        except OSError:
            return False

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Read the metadata and the first records of every file for schema, instruments and ticks."""
        return cls(path, options)

    def __init__(self, path: Path, options: OpenOptions) -> None:
        self.path = path
        self.checks = Checks()
        self.position = 0
        self.notes = []
        heads = self._heads(_files(path, self.notes))
        meta = heads[0].meta
        self.size = sum(head.size for head in heads)
        self.tier = _TIERS[self.rtype]
        self.verification = "unverifiable"
        self.venue = options.venue or meta.dataset.lower() or "databento"
        numbers: dict[str, int] = {}
        told: list[_Found] = []
        ids: dict[int, int] = {}
        self.files: list[_File] = []
        for head in heads:
            for one in head.found.values():
                if one.name not in numbers:
                    numbers[one.name] = len(told)
                    told.append(one)
            its = {one: numbers[found.name] for one, found in head.found.items()}
            anew = tuple(number for one, number in its.items() if ids.get(number, one) != one)
            ids |= {number: one for one, number in its.items()}
            self.files.append(_File(head.path, its, anew))
        if not told:
            raise BadInput(f"{path}: instruments", None, "symbols in the metadata or records")
        shared = options if len(told) == 1 else _common(options)
        self.instruments = tuple(self._instrument(one.name, one.prices, one.step, meta, shared) for one in told)
        if any(instrument.derived for instrument in self.instruments):
            self.notes.append("tick derived from the first prices where the contract is not known")
        if self.rtype == 160 and not next((head.whole for head in heads if head.whole is not None), False):
            self.notes.append("no snapshot at the start: partial, orders before the file are unknown")
        changed = [file.path.name for file in self.files if file.anew]
        if changed:
            self.notes.append(f"instrument ids change with {', '.join(changed[:20])}: books begin anew there")

    def _heads(self, files: list[Path]) -> list[_Head]:
        """Look at the beginning of every file; raise BadInput where they are not of one session."""
        heads: list[_Head] = []
        self.rtype = -1
        seen: set[str] = set()
        newest: _Head | None = None
        for file in files:
            with Stream(file) as stream:
                meta = read_metadata(stream)
                sample = _sample(Frames(stream, meta.length))
                size = stream.size
            first = heads[0].meta if heads else meta
            if (meta.dataset, meta.schema) != (first.dataset, first.schema):
                what = f"{first.dataset} {first.schema} as in {files[0].name}"
                raise BadInput(f"{file}: dataset and schema", f"{meta.dataset} {meta.schema}", what)
            if self.rtype < 0 and (meta.schema or sample):
                self.rtype = self._choose(file, meta, sample)
            taken = [part for part in sample if part.rtype == self.rtype]
            found = _found(taken, sample, meta, seen)
            seen |= {one.name for one in found.values()}
            whole = _begins_whole(taken[0]) if taken else None
            head = _Head(file, size, meta, _first_ns(taken[0].rows) if taken else None, found, whole)
            if newest is not None and head.first_ns is not None and head.first_ns < (newest.first_ns or 0):
                what = "files of one session, named in order of time"
                raise BadInput(f"{self.path}: {file.name}", f"starts before {newest.path.name}", what)
            newest = head if head.first_ns is not None else newest
            heads.append(head)
        if self.rtype < 0:
            raise BadInput(f"{self.path}: records", [], "records of one of " + ", ".join(_SCHEMAS))
        return heads

    def _choose(self, file: Path, meta: Metadata, sample: list[Records]) -> int:
        if meta.schema:
            if meta.schema not in _SCHEMAS:
                raise BadInput(f"{file}: schema", meta.schema, "one of " + ", ".join(_SCHEMAS))
            return _SCHEMAS[meta.schema]
        there = {part.rtype for part in sample}
        for rtype in (160, 10, 1, 0):
            if rtype in there:
                self.notes.append("records of several schemas: only the most detailed are read")
                return rtype
        raise BadInput(f"{file}: records", sorted(there), "records of one of " + ", ".join(_SCHEMAS))

    def _instrument(self, symbol: str, prices: Ints, step: int, meta: Metadata, options: OpenOptions) -> Instrument:
        contract = contract_of(symbol) if meta.dataset in {"", "GLBX.MDP3"} else None
        tick = options.tick or (contract.tick if contract else None) or (_text(step) if step else None)
        derived = tick is None
        if tick is None:
            tick = derive_increment([_text(price) for price in prices.tolist()] or ["0.01"], nice=True)
        return Instrument(
            venue=options.venue or self.venue,
            symbol=options.symbol or symbol,
            tick=tick,
            lot=options.lot or "1",
            multiplier=contract.multiplier if contract else "1",
            currency=contract.currency if contract else "",
            derived=derived,
            locked_ok=meta.dataset != "GLBX.MDP3",
        )

    def rows(self) -> Iterator[Events]:
        """Give the rows of each record, cut into batches where an event ends."""
        open_rows: list[Events] = []
        waiting = 0
        for rows, place in self._pieces():
            open_rows.append(rows)
            waiting += len(rows)
            ends = np.flatnonzero(rows["marks"] & LAST)
            if len(ends) and waiting >= _MOST // 2:
                cut = int(ends[-1]) + 1
                open_rows[-1] = rows[:cut]
                yield np.concatenate(open_rows)
                open_rows, waiting = [rows[cut:]], len(rows) - cut
            elif waiting > _MOST_OPEN:
                raise BadInput(place, None, f"a record flagged as the last of its event within {_MOST_OPEN}")
        if waiting:
            whole = np.concatenate(open_rows)
            whole["marks"][-1] |= LAST
            yield whole
        self.position = self.size

    def _pieces(self) -> Iterator[tuple[Events, str]]:
        """The rows of each run of records, and its place."""
        make = (OrderRows if self.rtype == 160 else BookRows)(self.path, self.instruments, self.checks)
        starts = Starts(len(self.instruments), orders=self.rtype == 160)
        latest = newest = np.iinfo(np.int64).min
        consumed = 0
        for at, file in enumerate(self.files):
            border: int | None = newest if at else None
            for one in file.anew:
                make.forget(one)
                starts.forget(one)
            with Stream(file.path) as stream:
                frames = Frames(stream, read_metadata(stream).length)
                for part in frames.parts():
                    self.position = consumed + stream.position
                    self.checks.messages += len(part.rows) if part.rtype == self.rtype else 0
                    if part.rtype != self.rtype:
                        self.checks.ignored[part.name] = self.checks.ignored.get(part.name, 0) + part.many
                        continue
                    if border is not None and (first_ns := _first_ns(part.rows)) is not None:
                        if first_ns < border:
                            what = f"a time from {border} on, where {self.files[at - 1].path.name} ended"
                            raise BadInput(part.place, f"ts_recv {first_ns}", what)
                        border = None
                    records, inst = self._known(part, file)
                    if not len(records):
                        continue
                    recv, exch, bad = _times(records, latest)
                    self.checks.out_of_order += int(bad.sum())
                    latest = max(latest, int(recv.max()))
                    newest = max(newest, int(recv[~bad].max(initial=newest)))
                    rows, of = make.rows(records, inst, part.place)
                    rows["inst"] = inst[of]
                    rows["recv_ns"], rows["exch_ns"] = recv[of], exch[of]
                    rows["marks"][bad[of]] |= BAD_TIME
                    yield starts.told(rows), part.place
                consumed += stream.size

    def _known(self, part: Records, file: _File) -> tuple[Events, Ints]:
        """The records of known instruments and the source's number of each."""
        ids, back = np.unique(part.rows["instrument_id"], return_inverse=True)
        numbers = np.array([file.numbers.get(int(one), -1) for one in ids], dtype=np.int64)
        inst = numbers[back]
        strange = inst < 0
        if not strange.any():
            return part.rows, inst
        for one in ids[numbers < 0].tolist():
            name = f"instrument {one}"
            if name not in self.checks.ignored:
                self.checks.problem(
                    f"{part.place}: {name} is named neither by the metadata nor near the start: ignored"
                )
            count = int((part.rows["instrument_id"] == one).sum())
            self.checks.ignored[name] = self.checks.ignored.get(name, 0) + count
        return part.rows[~strange], inst[~strange]


def _is_dbn(head: bytes) -> bool:
    return head[:3] == b"DBN" and head[3:4] in {b"\x01", b"\x02", b"\x03"}


def _listing(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))


def _files(path: Path, notes: list[str]) -> list[Path]:
    if not path.is_dir():
        return [path]
    files, ignored = [], []
    for file in _listing(path):
        head = peek(file, 4)
        if _is_dbn(head):
            files.append(file)
        elif ".dbn" in file.suffixes:
            # Passed over, it would be a hole in the session that nothing tells of.
            raise BadInput(f"{file}: byte 0", head, "'DBN' and a version from 1 to 3")
        else:
            ignored.append(file.name)
    if not files:
        raise BadInput(str(path), None, "files of DBN")
    if ignored:
        notes.append(f"ignored: {', '.join(ignored[:20])}")
    return files


def _found(taken: list[Records], sample: list[Records], meta: Metadata, seen: set[str]) -> dict[int, _Found]:
    """Instruments by id, those of the first records first; prices of those only that no file before has named."""
    there = dict.fromkeys(int(one) for part in taken for one in np.unique(part.rows["instrument_id"]))
    listed = named(sample, meta.version)
    names = {**dict.fromkeys(there, ""), **meta.symbols}
    names |= {one: name for one, (name, _) in listed.items() if one in there and name}
    found: dict[int, _Found] = {}
    used: set[str] = set()
    for one, name in names.items():
        own = name or str(one)
        own = f"{own} ({one})" if own in used else own
        used.add(own)
        prices = [] if own in seen else list(_prices(taken, one))
        found[one] = _Found(own, listed.get(one, ("", 0))[1], np.concatenate([np.zeros(0, np.int64), *prices]))
    return found


def _first_ns(records: Events) -> int | None:
    times, _, bad = _times(records[:1], np.iinfo(np.int64).min)
    return None if bad[0] else int(times[0])


def _times(records: Events, latest: int) -> tuple[Ints, Ints, Bools]:
    """Receive and venue times in ns, and which receive times are bad."""
    event, recv = records["ts_event"], records["ts_recv"]
    exch = np.where(event >= UNDEF_TIME, np.uint64(2**63), event).astype(np.int64)
    usable = np.where(recv >= UNDEF_TIME, event, recv)
    bad = (usable >= UNDEF_TIME) | ((records["flags"] & BAD_TS_RECV) != 0)
    times = np.where(usable >= UNDEF_TIME, 0, usable).astype(np.int64)
    reached = np.maximum.accumulate(np.maximum(times, latest))
    times = np.where(usable >= UNDEF_TIME, reached, times)
    return times, exch, bad | (times < reached)


def _sample(frames: Frames) -> list[Records]:
    parts: list[Records] = []
    for part in frames.parts():
        parts.append(part)
        if frames.at >= _SAMPLE:
            break
    return parts


def _prices(parts: list[Records], instrument: int) -> Iterator[Ints]:
    for part in parts:
        rows = part.rows[part.rows["instrument_id"] == instrument]
        price = rows["price"][:8192]
        yield price[(price != UNDEF_PRICE) & (price != 0)]
        if "levels" in (rows.dtype.names or ()):
            for name in ("bid_px", "ask_px"):
                level = rows["levels"][name][:1024].ravel()
                yield level[level != UNDEF_PRICE]


def _begins_whole(part: Records) -> bool:
    first = part.rows[0]
    return bool(first["flags"] & F_SNAPSHOT) or first["action"] == b"R"


def _common(options: OpenOptions) -> OpenOptions:
    return OpenOptions(tick=options.tick, lot=options.lot, venue=options.venue)


def contract_of(symbol: str) -> Contract | None:
    """The row of the futures table for a raw symbol such as ESM4, None where it has none."""
    found = _FUTURE.match(symbol)
    return contracts().get(found[1]) if found else None


def _text(price: int) -> str:
    sign = "-" if price < 0 else ""
    whole, part = divmod(abs(price), 10**9)
    return f"{sign}{whole}.{part:09d}".rstrip("0").rstrip(".")


READER = DatabentoReader
assert set(_TIERS) <= set(RECORDS)

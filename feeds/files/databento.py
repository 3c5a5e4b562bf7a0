"""Databento DBN files (.dbn, .dbn.zst): mbo order by order, mbp-1 and mbp-10 books, tbbo and trades.

Format: https://databento.com/docs/standards-and-conventions/databento-binary-encoding. Prices are integers of
1e-9, times ns since 1970. Metadata is decoded by the package databento-dbn; records, fixed structs, by numpy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import numpy as np

from feeds.errors import BadInput
from feeds.events import BAD_TIME, LAST, NONE, S_LIVE, SNAPSHOT, STATUS, Events
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
from feeds.files._dbn_rows import BookRows, OrderRows
from feeds.files._exact import Bools, Ints
from feeds.files._streams import Stream
from feeds.instruments import Contract, Instrument, contracts, derive_increment
from feeds.source import Checks, OpenOptions

_SCHEMAS: Final = {"mbo": 160, "mbp-10": 10, "mbp-1": 1, "tbbo": 1, "trades": 0}
_TIERS: Final = {160: "A", 10: "B", 1: "D", 0: "D"}
_FUTURE: Final = re.compile(r"([A-Z0-9]{1,4}?)(?:[FGHJKMNQUVXZ]\d{1,2}|\.(?:FUT|[cnv]\.\d+))\Z")
_SAMPLE: Final = 1 << 20
_MOST: Final = 65_536
_MOST_OPEN: Final = 1 << 20
"""Rows of one event at most; the end of an event comes long before."""


class DatabentoReader(Reader):
    """Read a DBN file of one schema; every instrument that its metadata or its first records name."""

    format = "databento"
    title = "Databento DBN (mbo, mbp-1, mbp-10, tbbo, trades)"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether the file begins as DBN of version 1 to 3."""
        return not path.is_dir() and head[:3] == b"DBN" and head[3:4] in {b"\x01", b"\x02", b"\x03"}

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Read the metadata and the first records for schema, instruments and ticks."""
        return cls(path, options)

    def __init__(self, path: Path, options: OpenOptions) -> None:
        self.path = path
        if path.is_dir():
            raise BadInput(str(path), "a folder", "one DBN file")
        self.checks = Checks()
        self.position = 0
        self.notes = []
        with Stream(path) as stream:
            self.size = stream.size
            meta = read_metadata(stream)
            frames = Frames(stream, meta.length)
            sample = _sample(frames)
        self.rtype = self._choose(meta, sample)
        self.tier = _TIERS[self.rtype]
        self.verification = "unverifiable"
        self.venue = options.venue or meta.dataset.lower() or "databento"
        taken = [part for part in sample if part.rtype == self.rtype]
        found = dict.fromkeys(int(one) for part in taken for one in np.unique(part.rows["instrument_id"]))
        listed = named(sample, meta.version)
        names = {**dict.fromkeys(found, ""), **meta.symbols}
        names |= {one: name for one, (name, _) in listed.items() if one in found and name}
        if not names:
            raise BadInput(f"{path}: instruments", None, "symbols in the metadata or records")
        self.index = {one: at for at, one in enumerate(names)}
        """Databento's instrument ids to the source's."""
        prices = {one: np.concatenate([np.zeros(0, np.int64), *_prices(taken, one)]) for one in names}
        shared = options if len(names) == 1 else _common(options)
        self.instruments = tuple(
            self._instrument(names[one] or str(one), prices[one], listed.get(one, ("", 0))[1], meta, shared)
            for one in names
        )
        if any(instrument.derived for instrument in self.instruments):
            self.notes.append("tick derived from the first prices where the contract is not known")
        if self.rtype == 160 and not any(_begins_whole(part) for part in taken[:1]):
            self.notes.append("no snapshot at the start: partial, orders before the file are unknown")

    def _choose(self, meta: Metadata, sample: list[Records]) -> int:
        if meta.schema:
            if meta.schema not in _SCHEMAS:
                raise BadInput(f"{self.path}: schema", meta.schema, "one of " + ", ".join(_SCHEMAS))
            return _SCHEMAS[meta.schema]
        there = {part.rtype for part in sample}
        for rtype in (160, 10, 1, 0):
            if rtype in there:
                self.notes.append("records of several schemas: only the most detailed are read")
                return rtype
        raise BadInput(f"{self.path}: records", sorted(there), "records of one of " + ", ".join(_SCHEMAS))

    def _instrument(self, symbol: str, prices: Ints, step: int, meta: Metadata, options: OpenOptions) -> Instrument:
        contract = _contract(symbol) if meta.dataset in {"", "GLBX.MDP3"} else None
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
        make = (OrderRows if self.rtype == 160 else BookRows)(self.path, self.instruments, self.checks)
        started = np.zeros(len(self.instruments), dtype=bool)
        latest = np.iinfo(np.int64).min
        open_rows: list[Events] = []
        waiting = 0
        with Stream(self.path) as stream:
            frames = Frames(stream, read_metadata(stream).length)
            for part in frames.parts():
                self.position = stream.position
                self.checks.messages += len(part.rows) if part.rtype == self.rtype else 0
                if part.rtype != self.rtype:
                    self.checks.ignored[part.name] = self.checks.ignored.get(part.name, 0) + part.many
                    continue
                records, inst = self._known(part)
                if not len(records):
                    continue
                recv, exch, bad = _times(records, latest)
                self.checks.out_of_order += int(bad.sum())
                latest = max(latest, int(recv.max()))
                rows, of = make.rows(records, inst, part.place)
                rows["inst"] = inst[of]
                rows["recv_ns"], rows["exch_ns"] = recv[of], exch[of]
                rows["marks"][bad[of]] |= BAD_TIME
                rows = _with_starts(rows, started, self.rtype)
                open_rows.append(rows)
                waiting += len(rows)
                ends = np.flatnonzero(rows["marks"] & LAST)
                if len(ends) and waiting >= _MOST // 2:
                    cut = int(ends[-1]) + 1
                    open_rows[-1] = rows[:cut]
                    yield np.concatenate(open_rows)
                    open_rows, waiting = [rows[cut:]], len(rows) - cut
                elif waiting > _MOST_OPEN:
                    raise BadInput(part.place, None, f"a record flagged as the last of its event within {_MOST_OPEN}")
        if waiting:
            whole = np.concatenate(open_rows)
            whole["marks"][-1] |= LAST
            yield whole
        self.position = self.size

    def _known(self, part: Records) -> tuple[Events, Ints]:
        """The records of known instruments and the source's number of each."""
        ids, back = np.unique(part.rows["instrument_id"], return_inverse=True)
        numbers = np.array([self.index.get(int(one), -1) for one in ids], dtype=np.int64)
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


def _with_starts(rows: Events, started: Bools, rtype: int) -> Events:
    """Put a live status before an instrument's first row, or after its snapshot where it begins with one."""
    fresh = np.flatnonzero(~started)
    if not len(fresh) or not len(rows):
        return rows
    at: list[int] = []
    heads: list[Events] = []
    for inst in fresh.tolist():
        its = np.flatnonzero(rows["inst"] == inst)
        if not len(its):
            continue
        whole = rtype == 160 and bool(rows["marks"][its[0]] & SNAPSHOT)
        ends = its[(rows["marks"][its] & LAST).astype(bool)] if whole else its
        if not len(ends):
            continue
        started[inst] = True
        head = rows[ends[:1]].copy()
        head["kind"], head["aux"], head["ref"], head["side"], head["tick"], head["lots"] = STATUS, S_LIVE, NONE, 0, 0, 0
        head["marks"] = (head["marks"] & BAD_TIME) | SNAPSHOT | LAST
        heads.append(head)
        at.append(int(ends[0]) + 1 if whole else int(its[0]))
    if not heads:
        return rows
    return np.insert(rows, at, np.concatenate(heads))


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


def _contract(symbol: str) -> Contract | None:
    found = _FUTURE.match(symbol)
    return contracts().get(found[1]) if found else None


def _text(price: int) -> str:
    sign = "-" if price < 0 else ""
    whole, part = divmod(abs(price), 10**9)
    return f"{sign}{whole}.{part:09d}".rstrip("0").rstrip(".")


READER = DatabentoReader
assert set(_TIERS) <= set(RECORDS)

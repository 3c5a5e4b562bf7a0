"""The journal: one SQLite file of runs and of everything the desk said happened in them, never lost, never twice.

A run names its source; its records are numbered, and each is the desk's record as JSON with the seq of the row it
came by, so that the market itself is not repeated. Everything is committed with a full sync before it is acknowledged,
by one connection in one thread. What cannot be written (a full disk, a locked file) is kept in memory and appended to
a side log beside the file; the next run takes it in.

One process writes at a time; readers open the file read-only.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import msgspec

from feeds.errors import BadInput
from tapeview import journal_file
from tapeview.desk.records import AnyRecord, Commanded, Kept
from tapeview.journal_file import SideLog, open_readonly, own_path, reading

__all__ = [
    "About", "Journal", "Line", "Run", "Stored", "about_of", "commands", "cursors", "decoded", "kept", "lines",
    "now_ns", "open_readonly", "own_path", "reading", "records", "refusals", "runs", "tag_of",
]  # fmt: skip

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(AnyRecord)
_WAIT_S: Final = 0.5
_INSERT: Final = "insert or ignore into record values (?, ?, ?, ?, ?, ?, ?)"
_UPDATE: Final = "update run set ended_ns = ?, digest = ? where id = ?"
_ROW, _END = 7, 3
"""Lengths of what is written: a row of `record`, and the end of a run as (ended_ns, digest, run)."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a run needs to be made again, besides its source and its commands; kept as the run's settings."""

    account: str
    live: bool
    """A venue's market, as it happened."""
    equity: str
    """The account's at the run's start."""
    calendar: str
    costs: str
    """Name of the profile."""
    limits: dict[str, float]
    from_seq: int = -1
    """The newest row that was applied when the desk began; -1 for the source's start."""
    kept: dict[str, str] = {}
    """States the desk began with."""
    hindsight: bool = False
    """The rows had been on the screen before."""
    instruments: tuple[str, ...] = ()
    """Names, by instrument number."""
    grids: tuple[tuple[str, str], ...] = ()
    """(tick, lot) of each, as decimal text."""
    options: dict[str, Any] = {}
    """How the source was opened."""


class Run(NamedTuple):
    """A session that was journalled."""

    id: int
    source: str
    began_ns: int
    version: str
    settings: str
    ended_ns: int | None
    digest: str | None


class Line(NamedTuple):
    """A record and its place."""

    run: int
    n: int
    record: AnyRecord


class Stored(NamedTuple):
    """A record as the file has it, not read yet."""

    run: int
    n: int
    what: str
    body: str


def tag_of(record: AnyRecord) -> str:
    """What kind of record it is, as the file says."""
    return str(record.__struct_config__.tag)


class Journal:
    """The journal as its one writer has it open; raise BadInput where that cannot be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        """Why records wait in memory, '' while all is well."""
        self._pending: list[tuple[Any, ...]] = []
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._next: dict[int, int] = {}
        self._posting = threading.Lock()
        self._busy = threading.Lock()
        self._done = threading.Condition()
        self._acknowledged = 0
        self._posted = 0
        self._aside = 0
        """How many of the pending are in the side log."""
        self._lock = journal_file.lock(path)
        try:
            self._db = journal_file.open_to_write(path)
            self.name = str(self._db.execute("select name from identity").fetchone()[0])
            """What tells this journal from every other."""
            self._side = SideLog(path, self.name)
            self._take_side_log()
        except BaseException:
            os.close(self._lock)
            raise
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- writing ----------------------------------------------------------------------------------
    def begin(self, source: str, version: str, settings: str, began_ns: int) -> int:
        """Begin a run and give its number; it is on disk when this returns."""
        try:
            with self._using() as db:
                cursor = db.execute(
                    "insert into run (source, began_ns, version, settings) values (?, ?, ?, ?)",
                    (source, began_ns, version, settings),
                )
                number = cursor.lastrowid
        except sqlite3.Error as error:
            raise BadInput(str(self.path), str(error), "a journal that can be written") from None
        assert number is not None
        self._next[number] = 0
        return number

    def post(self, run: int, records: Sequence[AnyRecord]) -> int:
        """Hand over records of a run; give the number that `acknowledged` reaches once they are on disk."""
        if not records:
            return self._posted
        with self._posting:
            first = self._next[run]
            self._next[run] += len(records)
            return self._hand_over([_row(run, first + k, record) for k, record in enumerate(records)])

    def end(self, run: int, digest: str, ended_ns: int) -> int:
        """End a run in order; gives a number as `post` does."""
        with self._posting:
            return self._hand_over([(ended_ns, digest, run)])

    def _hand_over(self, rows: list[tuple[Any, ...]]) -> int:
        self._posted += len(rows)
        self._queue.put(rows)
        return self._posted

    @property
    def acknowledged(self) -> int:
        """How much of what was handed over is on disk."""
        return self._acknowledged

    @property
    def unwritten(self) -> int:
        """How much of it is not."""
        return self._posted - self._acknowledged

    def wait(self, number: int | None = None, timeout_s: float = 10.0) -> bool:
        """Wait until so much (all, for None) is on disk; False where that took too long."""
        wanted = self._posted if number is None else number
        with self._done:
            return self._done.wait_for(lambda: self._acknowledged >= wanted, timeout_s)

    def news(self, seen: int, timeout_s: float) -> int:
        """Wait until more is on disk than was seen, or so long; give how much there is."""
        with self._done:
            self._done.wait_for(lambda: self._acknowledged > seen, timeout_s)
        return self._acknowledged

    def close(self) -> None:
        """Write what there is and let go of the file."""
        self._queue.put(None)
        self._thread.join()
        with self._busy:
            self._db.close()
        os.close(self._lock)

    # -- the thread that writes ---------------------------------------------------------------------
    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The connection, for a transaction of its own."""
        with self._busy, self._db:
            yield self._db

    def _work(self) -> None:
        while True:
            try:
                item = self._queue.get(timeout=_WAIT_S if self._pending else None)
            except queue.Empty:
                item = []
            last = item is None
            self._pending += item or []
            while not last and not self._queue.empty():
                more = self._queue.get()
                last = more is None
                self._pending += more or []
            self._write()
            if last:
                return

    def _write(self) -> None:
        if not self._pending:
            return
        try:
            self._put(self._pending)
        except sqlite3.Error as error:
            self.trouble = f"the journal cannot be written: {error}"
            if self._aside < len(self._pending) and self._side.add(self._pending[self._aside :]):
                self._aside = len(self._pending)
            return
        self.trouble = ""
        count = len(self._pending)
        self._pending = []
        if self._aside:
            self._side.remove()
            self._aside = 0
        with self._done:
            self._acknowledged += count
            self._done.notify_all()

    def _put(self, rows: Sequence[Sequence[Any]]) -> None:
        with self._using() as db:
            db.executemany(_INSERT, [row for row in rows if len(row) == _ROW])
            db.executemany(_UPDATE, [row for row in rows if len(row) == _END])

    def _take_side_log(self) -> None:
        """Take in what an earlier process could only put aside."""
        rows = self._side.rows()
        if rows:
            try:
                self._put(rows)
            except sqlite3.Error as error:
                raise BadInput(str(self.path), str(error), "a journal that can be written") from None
        self._side.remove()

    # -- reading what is needed to go on ----------------------------------------------------------------
    def kept(self) -> dict[str, str]:
        """The newest line of every state that a restart reads first, by what it is of."""
        with self._using() as db:
            return kept(db)

    def cursor(self, outlet: str) -> tuple[int, int] | None:
        """(run, n) of the record after which an outlet goes on; None for one that has never been on."""
        with self._using() as db:
            return cursors(db).get(outlet)

    def newest(self) -> tuple[int, int]:
        """(run, n) of the newest record on disk; (0, -1) where there is none."""
        with self._using() as db:
            row = db.execute("select run, n from record order by run desc, n desc limit 1").fetchone()
        return (0, -1) if row is None else (int(row[0]), int(row[1]))

    def delivered(self, outlet: str, run: int, n: int) -> None:
        """An outlet has delivered everything up to a record."""
        with self._using() as db:
            db.execute("insert or replace into cursor values (?, ?, ?)", (outlet, run, n))

    def refused(self, outlet: str, run: int, n: int, why: str) -> None:
        """An outlet's other end will never take a record."""
        with self._using() as db:
            db.execute("insert or replace into refused values (?, ?, ?, ?, ?)", (outlet, run, n, now_ns(), why))

    def after(self, run: int, n: int, most: int = 500) -> list[Stored]:
        """The next records on disk after a place, over all runs."""
        with self._using() as db:
            rows = db.execute(
                "select run, n, what, body from record where (run, n) > (?, ?) order by run, n limit ?", (run, n, most)
            ).fetchall()
        return [Stored(*row) for row in rows]

    def about(self, run: int) -> About | None:
        """What a run was made with; None where it does not say."""
        with self._using() as db:
            row = db.execute("select settings from run where id = ?", (run,)).fetchone()
        try:
            return None if row is None else msgspec.json.decode(row[0], type=About)
        except msgspec.MsgspecError:
            return None


def _row(run: int, n: int, record: AnyRecord) -> tuple[Any, ...]:
    return (run, n, record.seq, record.recv_ns, record.inst, tag_of(record), _ENCODER.encode(record).decode())


# -- reading ------------------------------------------------------------------------------------------


def runs(db: sqlite3.Connection) -> list[Run]:
    """All runs, the oldest first."""
    return [Run(*row) for row in db.execute("select * from run order by id")]


def about_of(run: Run) -> About:
    """What a run was made with; raise BadInput where it does not say."""
    try:
        return msgspec.json.decode(run.settings, type=About)
    except msgspec.MsgspecError as error:
        raise BadInput(f"journal: settings of run {run.id}", str(error), "what a run is made with") from None


def decoded(one: Stored) -> Line:
    """Read a record; raise BadInput for one that is damaged, or of a kind that came later than this program."""
    return Line(one.run, one.n, _decoded(one.run, one.n, one.body))


def _decoded(run: int, n: int, body: str) -> AnyRecord:
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError as error:
        raise BadInput(f"journal: run {run}, record {n}", str(error), "a record of the desk") from None


def lines(db: sqlite3.Connection, after: tuple[int, int] = (0, -1), most: int = -1) -> Iterator[Line]:
    """Records after a place, in order; raise BadInput as `decoded`."""
    rows = db.execute("select run, n, body from record where (run, n) > (?, ?) order by run, n limit ?", (*after, most))
    for run, n, body in rows.fetchall() if most >= 0 else rows:
        yield Line(run, n, _decoded(run, n, body))


def records(db: sqlite3.Connection, run: int, kinds: Iterable[type[AnyRecord]] | None = None) -> Iterator[AnyRecord]:
    """The records of a run, of some kinds where they are given; raise BadInput as `decoded`."""
    tags = [] if kinds is None else [str(kind.__struct_config__.tag) for kind in kinds]
    wanted = f" and what in ({', '.join('?' * len(tags))})" if tags else ""
    for n, body in db.execute(f"select n, body from record where run = ?{wanted} order by n", (run, *tags)):
        yield _decoded(run, n, body)


def commands(db: sqlite3.Connection, run: int) -> list[Commanded]:
    """The commands of a run, in order: with its source they make the run again."""
    return [record for record in records(db, run, [Commanded]) if isinstance(record, Commanded)]


def kept(db: sqlite3.Connection) -> dict[str, str]:
    """The newest line of every state that a restart reads first, by what it is of."""
    newest: dict[str, str] = {}
    tag = str(Kept.__struct_config__.tag)
    for run, n, body in db.execute("select run, n, body from record where what = ? order by run, n", (tag,)):
        record = _decoded(run, n, body)
        assert isinstance(record, Kept)
        newest[record.what] = record.line
    return newest


def cursors(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """(run, n) of the last record that each outlet has delivered or passed over."""
    return {outlet: (run, n) for outlet, run, n in db.execute("select outlet, run, n from cursor order by outlet")}


def refusals(db: sqlite3.Connection, outlet: str) -> list[tuple[int, int, int, str]]:
    """(run, n, when, why) of the records that an outlet's other end would not take; none before version 2."""
    if not db.execute("select count(*) from sqlite_schema where name = 'refused'").fetchone()[0]:
        return []
    return db.execute("select run, n, at_ns, why from refused where outlet = ? order by run, n", (outlet,)).fetchall()


def now_ns() -> int:
    """The wall clock's time, for when a run began and ended."""
    return time.time_ns()

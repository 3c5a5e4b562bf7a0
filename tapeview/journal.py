"""The journal: one SQLite file of runs and of everything the desk said happened in them, never lost, never twice.

A run names its source; its records are numbered, and each is the desk's record as JSON with the seq of the row it
came by, so that the market itself is not repeated. Everything is committed with a full sync before it is acknowledged,
by one connection in one thread. What cannot be written (a full disk, a locked file) is kept in memory and appended to
a side log beside the file; the next run takes it in.

One process writes at a time; readers open the file read-only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import msgspec

from feeds.errors import BadInput
from tapeview.desk.records import AnyRecord, Commanded, Kept

APPLICATION: Final = 0x74617065
"""`application_id` of the file: "tape"."""
VERSION: Final = 1
"""`user_version`: of the tables below."""
_TABLES: Final = """
create table run (
    id integer primary key,
    source text not null,
    began_ns integer not null,
    version text not null,
    settings text not null,
    ended_ns integer,
    digest text
) strict;
create table record (
    run integer not null references run (id),
    n integer not null,
    seq integer not null,
    recv_ns integer not null,
    inst integer not null,
    what text not null,
    body text not null,
    primary key (run, n)
) strict, without rowid;
create index record_what on record (what, run);
create table identity (name text primary key) strict, without rowid;
create table cursor (outlet text primary key, run integer not null, n integer not null) strict;
"""
_MIGRATIONS: Final[dict[int, str]] = {}
"""By the version before: the statements that make the next one."""
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(AnyRecord)
_WAIT_S: Final = 0.5


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


def tag_of(record: AnyRecord) -> str:
    """What kind of record it is, as the file says."""
    return str(record.__struct_config__.tag)


class Journal:
    """The journal as its one writer has it open; raise BadInput where that cannot be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        """Why records wait in memory, '' while all is well."""
        self._pending: list[tuple[int, int, AnyRecord]] = []
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._next: dict[int, int] = {}
        self._busy = threading.Lock()
        self._done = threading.Condition()
        self._acknowledged = 0
        self._posted = 0
        self._aside = 0
        """How many of the pending records are in the side log."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path)
        try:
            self._db = _opened(path)
            self.name = str(self._db.execute("select name from identity").fetchone()[0])
            """What tells this journal from every other."""
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
        if records:
            first = self._next[run]
            self._next[run] += len(records)
            self._posted += len(records)
            self._queue.put([(run, first + k, record) for k, record in enumerate(records)])
        return self._posted

    @property
    def acknowledged(self) -> int:
        """How many of the records posted are on disk."""
        return self._acknowledged

    @property
    def unwritten(self) -> int:
        """How many of them are not."""
        return self._posted - self._acknowledged

    def wait(self, number: int | None = None, timeout_s: float = 10.0) -> bool:
        """Wait until so many records (all, for None) are on disk; False where that took too long."""
        wanted = self._posted if number is None else number
        with self._done:
            return self._done.wait_for(lambda: self._acknowledged >= wanted, timeout_s)

    def end(self, run: int, digest: str, ended_ns: int) -> None:
        """End a run in order."""
        self.wait()
        with self._using() as db:
            db.execute("update run set ended_ns = ?, digest = ? where id = ?", (ended_ns, digest, run))

    def close(self) -> None:
        """Write what there is and let go of the file."""
        self._queue.put(None)
        self._thread.join()
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
            with self._using() as db:
                db.executemany("insert or ignore into record values (?, ?, ?, ?, ?, ?, ?)", map(_row, self._pending))
        except sqlite3.Error as error:
            self.trouble = f"the journal cannot be written: {error}"
            self._keep_aside()
            return
        self.trouble = ""
        count = len(self._pending)
        self._pending = []
        self._aside = 0
        with contextlib.suppress(OSError):
            self._side_path.unlink(missing_ok=True)
        with self._done:
            self._acknowledged += count
            self._done.notify_all()

    # -- what could not be written --------------------------------------------------------------------
    @property
    def _side_path(self) -> Path:
        return self.path.with_suffix(".side")

    def _keep_aside(self) -> None:
        new = self._pending[self._aside :]
        try:
            with self._side_path.open("ab") as file:
                file.write(b"".join(_ENCODER.encode(_row(one)) + b"\n" for one in new))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return
        self._aside = len(self._pending)

    def _take_side_log(self) -> None:
        """Take in what an earlier process could only put aside; a torn last line was never acknowledged."""
        try:
            lines = self._side_path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        rows = []
        for line in lines:
            with contextlib.suppress(msgspec.MsgspecError):
                rows.append(msgspec.json.decode(line, type=tuple[int, int, int, int, int, str, str]))
        with self._using() as db:
            db.executemany("insert or ignore into record values (?, ?, ?, ?, ?, ?, ?)", rows)
        self._side_path.unlink()

    # -- reading what is needed to go on ----------------------------------------------------------------
    def kept(self) -> dict[str, str]:
        """The newest line of every state that a restart reads first, by what it is of."""
        with self._using() as db:
            return kept(db)

    def cursor(self, outlet: str) -> tuple[int, int]:
        """(run, n) of the record after which an outlet goes on; (0, -1) at the beginning."""
        with self._using() as db:
            row = db.execute("select run, n from cursor where outlet = ?", (outlet,)).fetchone()
        return (0, -1) if row is None else (int(row[0]), int(row[1]))

    def delivered(self, outlet: str, run: int, n: int) -> None:
        """An outlet has delivered everything up to a record."""
        with self._using() as db:
            db.execute("insert or replace into cursor values (?, ?, ?)", (outlet, run, n))

    def after(self, run: int, n: int, most: int = 500) -> list[Line]:
        """The next records on disk after a place, over all runs."""
        with self._using() as db:
            return list(lines(db, (run, n), most))


def _row(one: tuple[int, int, AnyRecord]) -> tuple[Any, ...]:
    run, n, record = one
    return (run, n, record.seq, record.recv_ns, record.inst, tag_of(record), _ENCODER.encode(record).decode())


def _locked(path: Path) -> int:
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise BadInput(str(path), None, "a journal that no other tapeview is writing") from None
    return lock


def _opened(path: Path) -> sqlite3.Connection:
    fresh = not path.exists()
    try:
        db = sqlite3.connect(path, isolation_level="IMMEDIATE", check_same_thread=False, timeout=5)
    except sqlite3.Error as error:
        raise BadInput(str(path), str(error), "a file that can be written") from None
    try:
        if fresh:
            path.chmod(0o600)
        db.execute("pragma journal_mode = wal")
        for pragma in ("synchronous = full", "fullfsync = 1", "foreign_keys = on"):
            db.execute(f"pragma {pragma}")
        check = db.execute("pragma quick_check(1)").fetchone()[0]
        if check != "ok":
            raise BadInput(str(path), check, "a journal that is not damaged; move it away to begin another")
        _migrate(db, path)
    except sqlite3.DatabaseError as error:
        db.close()
        raise BadInput(str(path), str(error), "a journal of tapeview") from None
    except BaseException:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    application, version = (db.execute(f"pragma {name}").fetchone()[0] for name in ("application_id", "user_version"))
    tables = db.execute("select count(*) from sqlite_schema").fetchone()[0]
    if not tables:
        db.executescript(
            f"begin immediate; {_TABLES} insert into identity values ('{secrets.token_hex(8)}');"
            f"pragma application_id = {APPLICATION}; pragma user_version = {VERSION}; commit"
        )
        return
    if application != APPLICATION:
        raise BadInput(str(path), f"application {application:#x}", "a journal of tapeview")
    if version > VERSION:
        raise BadInput(str(path), f"version {version}", f"at most {VERSION}: a newer tapeview wrote it")
    if version < VERSION:
        backup = path.with_suffix(f".v{version}.backup")
        backup.unlink(missing_ok=True)
        db.execute("vacuum into ?", (str(backup),))
        for step in range(version, VERSION):
            db.executescript(f"begin immediate; {_MIGRATIONS[step]} pragma user_version = {step + 1}; commit")


def own_path() -> Path:
    """Where a person's own journal lies: `$TAPEVIEW_JOURNAL`, or in the user's data folder."""
    import platformdirs

    named = os.environ.get("TAPEVIEW_JOURNAL")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("tapeview")) / "journal.sqlite"


# -- reading ------------------------------------------------------------------------------------------


def open_readonly(path: Path) -> sqlite3.Connection:
    """Open a journal to look at it; raise BadInput where there is none."""
    if not path.is_file():
        raise BadInput(str(path), None, "a journal; none has been written yet")
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        application = db.execute("pragma application_id").fetchone()[0]
    except sqlite3.DatabaseError as error:
        db.close()
        raise BadInput(str(path), str(error), "a journal of tapeview") from None
    if application != APPLICATION:
        db.close()
        raise BadInput(str(path), f"application {application:#x}", "a journal of tapeview")
    return db


def runs(db: sqlite3.Connection) -> list[Run]:
    """All runs, the oldest first."""
    return [Run(*row) for row in db.execute("select * from run order by id")]


def lines(db: sqlite3.Connection, after: tuple[int, int] = (0, -1), most: int = -1) -> Iterator[Line]:
    """Records after a place, in order."""
    rows = db.execute("select run, n, body from record where (run, n) > (?, ?) order by run, n limit ?", (*after, most))
    for run, n, body in rows.fetchall() if most >= 0 else rows:
        yield Line(run, n, _DECODER.decode(body))


def records(db: sqlite3.Connection, run: int, kinds: Iterable[type[AnyRecord]] | None = None) -> Iterator[AnyRecord]:
    """The records of a run, of some kinds where they are given."""
    tags = [] if kinds is None else [str(kind.__struct_config__.tag) for kind in kinds]
    wanted = f" and what in ({', '.join('?' * len(tags))})" if tags else ""
    for (body,) in db.execute(f"select body from record where run = ?{wanted} order by n", (run, *tags)):
        yield _DECODER.decode(body)


def commands(db: sqlite3.Connection, run: int) -> list[Commanded]:
    """The commands of a run, in order: with its source they make the run again."""
    return [record for record in records(db, run, [Commanded]) if isinstance(record, Commanded)]


def kept(db: sqlite3.Connection) -> dict[str, str]:
    """The newest line of every state that a restart reads first, by what it is of."""
    newest: dict[str, str] = {}
    tag = str(Kept.__struct_config__.tag)
    for (body,) in db.execute("select body from record where what = ? order by run, n", (tag,)):
        record = _DECODER.decode(body)
        assert isinstance(record, Kept)
        newest[record.what] = record.line
    return newest


def now_ns() -> int:
    """The wall clock's time, for when a run began and ended."""
    return time.time_ns()

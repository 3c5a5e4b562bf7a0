"""The journal's file: its tables and their versions, who may write it, and the log beside it for bad times.

SQLite in WAL mode with a full sync at every commit, one connection that writes: the fault of SQLite 3.7.0 to 3.51.2
that damages a WAL needs two. An older version is brought up in one transaction, after a copy was made beside the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from feeds.errors import BadInput

APPLICATION: Final = 0x74617065
"""`application_id` of the file: "tape"."""
TABLES: Final = """
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
"""The tables of version 1; what came since is in the migrations, which a new file goes through as well."""
MIGRATIONS: Final[dict[int, str]] = {
    1: """
create table refused (
    outlet text not null,
    run integer not null,
    n integer not null,
    at_ns integer not null,
    why text not null,
    primary key (outlet, run, n)
) strict, without rowid;
""",
}
"""By the version before: the statements that make the next one."""
VERSION: Final = 2
"""`user_version` of a file that has been through all of them."""


def own_path() -> Path:
    """Where a person's own journal lies: `$TAPEVIEW_JOURNAL`, or in the user's data folder."""
    import platformdirs

    named = os.environ.get("TAPEVIEW_JOURNAL")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("tapeview")) / "journal.sqlite"


# -- writing ------------------------------------------------------------------------------------------


def lock(path: Path) -> int:
    """Keep other writers out for as long as the descriptor is open; raise BadInput where one is at work."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadInput(str(path), error.strerror, "a place that can be written to") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise BadInput(str(path), None, "a journal that no other tapeview is writing") from None
    return held


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open the file, made or brought up to this version where need be; raise BadInput where that cannot be."""
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
        _bring_up(db, path)
    except sqlite3.Error as error:
        db.close()
        raise BadInput(str(path), str(error), "a journal of tapeview") from None
    except BaseException:
        db.close()
        raise
    return db


def _bring_up(db: sqlite3.Connection, path: Path) -> None:
    if not db.execute("select count(*) from sqlite_schema").fetchone()[0]:
        name = secrets.token_hex(8)
        steps = "".join(MIGRATIONS[step] for step in range(1, VERSION))
        db.executescript(
            f"begin immediate; {TABLES} {steps} insert into identity values ('{name}');"
            f"pragma application_id = {APPLICATION}; pragma user_version = {VERSION}; commit"
        )
        return
    version = _checked(db, path)
    if version == VERSION:
        return
    backup = path.with_suffix(f".v{version}.backup")
    backup.unlink(missing_ok=True)
    db.execute("vacuum into ?", (str(backup),))
    backup.chmod(0o600)
    for step in range(version, VERSION):
        db.executescript(f"begin immediate; {MIGRATIONS[step]} pragma user_version = {step + 1}; commit")


def _checked(db: sqlite3.Connection, path: Path) -> int:
    """The file's version; raise BadInput where it is no journal, or of a version that is not known."""
    application, version = (db.execute(f"pragma {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if application != APPLICATION:
        raise BadInput(str(path), f"application {application:#x}", "a journal of tapeview")
    if version > VERSION:
        raise BadInput(str(path), f"version {version}", f"at most {VERSION}: a newer tapeview wrote it")
    if version < 1:
        raise BadInput(str(path), f"version {version}", f"1 to {VERSION}")
    return int(version)


# -- reading ------------------------------------------------------------------------------------------


def open_readonly(path: Path) -> sqlite3.Connection:
    """Open a journal to look at it; raise BadInput where there is none that can be read."""
    if not path.is_file():
        raise BadInput(str(path), None, "a journal; none has been written yet")
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5, check_same_thread=False)
    except sqlite3.Error as error:
        raise BadInput(str(path), str(error), "a journal that can be read") from None
    try:
        _checked(db, path)
    except sqlite3.Error as error:
        db.close()
        raise BadInput(str(path), str(error), "a journal of tapeview") from None
    except BaseException:
        db.close()
        raise
    return db


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Look at a journal; damage that shows only while it is read is raised as BadInput too."""
    db = open_readonly(path)
    try:
        yield db
    except sqlite3.Error as error:
        raise BadInput(str(path), str(error), "a journal that is not damaged") from None
    finally:
        db.close()


# -- what could not be written ------------------------------------------------------------------------


class SideLog:
    """Lines of JSON beside the journal, for rows that its file did not take; each names the journal it belongs to."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path.with_suffix(".side"), name

    def add(self, rows: Iterable[tuple[Any, ...]]) -> bool:
        """Append rows and bring them to the disk; False where that failed, and then nothing is left of them."""
        # The line end goes first: it ends what an earlier crash has torn.
        data = b"".join(b"\n" + msgspec.json.encode((self._name, *row)) for row in rows) + b"\n"
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            before = os.fstat(handle).st_size
            try:
                written = 0
                while written < len(data):
                    written += os.write(handle, data[written:])
                os.fsync(handle)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, before)
                return False
        finally:
            os.close(handle)
        return True

    def rows(self) -> list[list[Any]]:
        """The rows of this journal, but for a torn line, which nobody was told of; another's lines are put away."""
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BadInput(str(self._path), error.strerror, "a file that can be read") from None
        own, others = [], []
        for line in filter(None, lines):
            try:
                name, *row = msgspec.json.decode(line, type=list[Any])
            except (msgspec.MsgspecError, ValueError):
                continue
            if name == self._name:
                own.append(row)
            else:
                others.append(line + b"\n")
        if others:
            with self._path.with_suffix(".side.other").open("ab") as kept:
                kept.write(b"".join(others))
        return own

    def remove(self) -> None:
        """Take it away: all of it is in the journal."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

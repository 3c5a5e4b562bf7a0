"""The journal: what was acknowledged is there once, whatever dies, fills up or is damaged; a run can be run again."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from feeds.errors import BadInput
from feeds.recording import open_recording
from tapeview import bundled, journal, journal_file
from tapeview.desk.commands import Arm, Bracket, Flatten, Place
from tapeview.desk.costs import profiles
from tapeview.desk.desk import Desk
from tapeview.desk.limits import Limits
from tapeview.desk.records import Closed, Commanded, Filled, Kept, Told
from tapeview.journal import Journal
from tapeview.session import Session


def told(n: int, kind: str = "armed") -> Told:
    return Told(seq=n, recv_ns=n, kind=kind, text=f"record {n}")


def test_records_come_back_in_order_and_numbered(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as book:
        run = book.begin("a recording", "1", "{}", 5)
        book.post(run, [told(0), told(1)])
        number = book.post(run, [told(2)])
        assert book.wait(number)
        book.end(run, "digest", 9)
    db = journal.open_readonly(path)
    assert journal.runs(db) == [journal.Run(1, "a recording", 5, "1", "{}", 9, "digest")]
    assert [(line.n, line.record.seq) for line in journal.lines(db)] == [(0, 0), (1, 1), (2, 2)]
    db.close()


def test_the_newest_state_that_a_restart_needs_is_found_over_all_runs(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as book:
        for value in ("first", "second"):
            run = book.begin("x", "1", "{}", 0)
            book.post(
                run, [Kept(seq=0, recv_ns=0, what="day", line=value), Kept(seq=0, recv_ns=0, what="rest", line="r")]
            )
        assert book.wait()
        assert book.kept() == {"day": "second", "rest": "r"}


def test_two_cannot_write_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"), pytest.raises(BadInput, match="no other tapeview"):
        Journal(tmp_path / "j")
    Journal(tmp_path / "j").close()


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be looked at by it" * 40, b"SQLite format 3\0"]
)
def test_what_is_no_journal_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(BadInput):
        Journal(path)
    path.unlink()
    sqlite3.connect(path).execute("create table other (a)").connection.close()
    with pytest.raises(BadInput, match="application"):
        Journal(path)


@pytest.mark.parametrize(("version", "said"), [(journal_file.VERSION + 1, "newer tapeview"), (0, "expected 1 to")])
def test_a_version_that_is_not_known_is_left_alone(tmp_path: Path, version: int, said: str) -> None:
    path = tmp_path / "j"
    Journal(path).close()
    db = sqlite3.connect(path)
    db.execute(f"pragma user_version = {version}")
    db.close()
    for opened in (Journal, journal.open_readonly):
        with pytest.raises(BadInput, match=said):
            opened(path)


def sqlite_file(path: Path, statements: str) -> None:
    db = sqlite3.connect(path)
    db.executescript(statements)
    db.close()


VERSION_1 = """
pragma journal_mode = wal;
create table run (
    id integer primary key, source text not null, began_ns integer not null, version text not null,
    settings text not null, ended_ns integer, digest text
) strict;
create table record (
    run integer not null references run (id), n integer not null, seq integer not null, recv_ns integer not null,
    inst integer not null, what text not null, body text not null, primary key (run, n)
) strict, without rowid;
create index record_what on record (what, run);
create table identity (name text primary key) strict, without rowid;
create table cursor (outlet text primary key, run integer not null, n integer not null) strict;
insert into identity values ('5eed');
insert into run values (1, 'recordings/quiet-open', 7, '0.1', '{}', 9, 'abc');
insert into record values (1, 0, 3, 4, 0, 'told', '{"is":"told","seq":3,"recv_ns":4,"kind":"warn","text":"as it was"}');
insert into record values (1, 1, 5, 6, 0, 'kept', '{"is":"kept","seq":5,"recv_ns":6,"what":"rest","line":"{}"}');
insert into cursor values ('webhook', 1, 0);
pragma application_id = 1952542821; pragma user_version = 1;
"""
"""A journal as the first version wrote it."""
OLD = [
    Told(seq=3, recv_ns=4, kind="warn", text="as it was"),
    Kept(seq=5, recv_ns=6, what="rest", line="{}"),
]


def test_a_journal_of_the_first_version_is_brought_up_with_a_copy_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    sqlite_file(path, VERSION_1)
    with journal.reading(path) as db:  # as it lies there
        assert [line.record for line in journal.lines(db)] == OLD
        assert journal.refusals(db, "webhook") == []
    with Journal(path) as book:
        assert (book.name, book.cursor("webhook"), book.kept()) == ("5eed", (1, 0), {"rest": "{}"})
        book.refused("webhook", 1, 1, "answered 422")
        book.post(book.begin("another", "2", "{}", 11), [told(1)])
    with journal.reading(path) as db:
        assert db.execute("pragma user_version").fetchone() == (journal_file.VERSION,)
        assert [line.record for line in journal.lines(db)] == [*OLD, told(1)]
        assert [(run, n, why) for run, n, _, why in journal.refusals(db, "webhook")] == [(1, 1, "answered 422")]
    copy = tmp_path / "journal.v1.backup"
    assert copy.stat().st_mode & 0o777 == 0o600
    with journal.reading(copy) as db:
        assert db.execute("pragma user_version").fetchone() == (1,)
        assert [line.record for line in journal.lines(db)] == OLD


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.sqlite"
    sqlite_file(path, VERSION_1)
    with monkeypatch.context() as patched:
        patched.setitem(journal_file.MIGRATIONS, 1, journal_file.MIGRATIONS[1] + "create table more (a) strict;")
        with pytest.raises(BadInput, match="journal"):
            Journal(path)
    with journal.reading(path) as db:
        assert db.execute("pragma user_version").fetchone() == (1,)
        assert [line.record for line in journal.lines(db)] == OLD
    Journal(path).close()


def test_damage_is_told_in_words_wherever_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path) as book:
        run = book.begin("x", "1", "not what a run is made with", 0)
        book.post(run, [told(n) for n in range(3)])
    db = sqlite3.connect(path)
    db.execute('update record set body = \'{"is":"later"}\' where n = 1')
    db.commit()
    db.close()
    with pytest.raises(BadInput, match="run 1, record 1"), journal.reading(path) as db:
        list(journal.lines(db))
    with pytest.raises(BadInput, match="settings of run 1"), journal.reading(path) as db:
        journal.about_of(journal.runs(db)[0])
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(BadInput), journal.reading(path) as db:
        list(journal.lines(db))
    with pytest.raises(BadInput):
        Journal(path)


# -- a full disk ------------------------------------------------------------------------------------
_FILLER = """
import json, os, resource, sys, time
from pathlib import Path
from feeds.errors import BadInput
from tapeview.journal import Journal
from tapeview.desk.records import Told
path, end = Path(sys.argv[1]), sys.argv[2]
book = Journal(path)
run = book.begin("x", "1", "{}", 0)
def told(n):
    return Told(seq=n, recv_ns=n, kind="warn", text="x" * 2000)
number = book.post(run, [told(n) for n in range(5)])
assert book.wait(number)
room = max(file.stat().st_size for file in path.parent.iterdir()) + int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
for n in range(5, 25):
    book.post(run, [told(n)])
until = time.monotonic() + 20
while not book.trouble and time.monotonic() < until:
    time.sleep(0.01)
try:
    refused = book.begin("y", "1", "x" * 5000, 0)
except BadInput as error:
    refused = str(error)
print(json.dumps({"trouble": book.trouble, "acknowledged": book.acknowledged, "unwritten": book.unwritten,
                  "begin": refused, "side": path.with_suffix(".side").exists()}), flush=True)
if end == "kill":
    os.kill(os.getpid(), 9)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert book.wait(timeout_s=20)
print(json.dumps({"trouble": book.trouble, "unwritten": book.unwritten, "side": path.with_suffix(".side").exists()}))
book.close()
"""


def python(code: str, *words: str, **more: str) -> subprocess.Popen[str]:
    root = Path(journal.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(root), **more},
    )  # fmt: skip


def there(path: Path) -> list[int]:
    with journal.reading(path) as db:
        return [line.n for line in journal.lines(db)]


@pytest.mark.parametrize("end", ["room again", "kill"])
def test_a_full_disk_is_told_of_and_loses_nothing_acknowledged(tmp_path: Path, end: str) -> None:
    # The greatest size of a file stands for the disk's: there is room for the side log, not for the journal.
    path = tmp_path / "journal.sqlite"
    child = python(_FILLER, str(path), end, "3000")
    out, _ = child.communicate(timeout=60)
    full = json.loads(out.splitlines()[0])
    assert full["trouble"].startswith("the journal cannot be written")
    assert full["unwritten"] == 25 - full["acknowledged"] > 0
    assert str(full["begin"]).endswith("expected a journal that can be written")
    if end == "kill":
        assert there(path) == list(range(len(there(path))))
        assert len(there(path)) >= full["acknowledged"]
        Journal(path).close()  # takes in what was put aside
        assert full["side"]
    else:
        assert json.loads(out.splitlines()[1]) == {"trouble": "", "unwritten": 0, "side": False}
    assert there(path)[: full["acknowledged"]] == list(range(full["acknowledged"]))
    if end != "kill":
        assert there(path) == list(range(25))


def test_the_next_process_takes_in_what_was_put_aside_once(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path) as book:
        run = book.begin("x", "1", "{}", 0)
        book.post(run, [told(0)])
        name = book.name
    rows = [(name, *journal._row(run, n, told(n))) for n in (0, 1)] + [(name, 77, "digest", run)]
    other = msgspec.json.encode(("another journal", *journal._row(run, 2, told(2))))
    side = path.with_suffix(".side")
    side.write_bytes(b"\n".join([*map(msgspec.json.encode, rows), other, b'["torn', b""]))
    with Journal(path) as book:
        assert [one.n for one in book.after(0, -1)] == [0, 1]
    with journal.reading(path) as db:
        assert journal.runs(db)[0][-2:] == (77, "digest")
    assert not side.exists()
    assert path.with_suffix(".side.other").read_bytes() == other + b"\n"


def test_a_side_log_that_the_disk_cuts_short_leaves_nothing_of_the_row(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from tapeview.journal_file import SideLog
side = SideLog(Path(sys.argv[1]), "name")
assert side.add([(1, "kept")])
resource.setrlimit(resource.RLIMIT_FSIZE, (100, -1))
assert not side.add([(2, "x" * 500)])
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
assert side.add([(3, "kept")])
"""
    child = python(code, str(tmp_path / "j"))
    child.communicate(timeout=60)
    assert child.returncode == 0
    assert journal_file.SideLog(tmp_path / "j", "name").rows() == [[1, "kept"], [3, "kept"]]


def test_a_second_process_is_told_that_another_writes(tmp_path: Path) -> None:
    path = tmp_path / "j"
    code = """
import sys
from pathlib import Path
from feeds.errors import BadInput
from tapeview.backoffice import About, BackOffice
from tapeview.config import Config
office = BackOffice(Config(), Path(sys.argv[1]))
about = About(account="a", live=False, equity="1", calendar="crypto", costs="", limits={})
try:
    office.begin("x", about)
except BadInput as error:
    print(str(error) == office.off, office.off)
office.close()
"""
    with Journal(path) as book:
        book.begin("mine", "1", "{}", 0)
        out, _ = python(code, str(path)).communicate(timeout=60)
    assert out.startswith("True ")
    assert "a journal that no other tapeview is writing" in out
    with journal.reading(path) as db:
        assert [run.source for run in journal.runs(db)] == ["mine"]


def test_the_end_of_a_run_is_written_after_its_records_and_nobody_waits_for_it(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path) as book:
        run = book.begin("x", "1", "{}", 0)
        book.post(run, [told(0)])
        number = book.end(run, "digest", 5)
        assert book.wait(number)
        assert book.unwritten == 0
        with journal.reading(path) as db:
            assert journal.runs(db)[0].digest == "digest"


def test_many_threads_may_post_to_runs_of_their_own(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as book:
        numbers = [book.begin("x", "1", "{}", 0) for _ in range(4)]

        def post(run: int) -> None:
            for n in range(200):
                book.post(run, [told(n)])

        threads = [threading.Thread(target=post, args=(run,)) for run in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert book.wait()
        assert (book.acknowledged, book.unwritten) == (800, 0)
        assert [(one.run, one.n) for one in book.after(0, -1, most=1000)] == [
            (r, n) for r in numbers for n in range(200)
        ]


def test_an_outlet_goes_on_where_it_was(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as book:
        run = book.begin("x", "1", "{}", 0)
        book.post(run, [told(n) for n in range(5)])
        book.wait()
        assert book.cursor("webhook") is None
        book.delivered("webhook", run, 2)
        assert [line.n for line in book.after(run, 2)] == [3, 4]


# -- a run again ------------------------------------------------------------------------------------
def desk_over(instruments: tuple[object, ...]) -> Desk:
    return Desk(
        instruments, [False] * len(instruments), limits=Limits(latency_ms=20, cooldown_min=0, losses_stop=20),  # type: ignore[arg-type]
        profile=profiles()["ibkr-micro"] if "ibkr-micro" in profiles() else next(iter(profiles().values())),
        calendar="crypto", equity=Decimal(1_000_000),
    )  # fmt: skip


def test_a_run_made_again_from_its_journal_reaches_the_same_digest(tmp_path: Path) -> None:
    shipped = bundled.folder()
    assert shipped is not None
    folder = shipped / "quiet-open"
    draw = random.Random(4)
    path = tmp_path / "j"
    with Session(open_recording(folder), thresholds={}) as session, Journal(path) as book:
        session.desk = desk_over(session.instruments)
        run = book.begin(str(folder), "1", "{}", 0)
        next_at = 2000
        for batch in session.source.batches():
            for piece in session.pieces(batch):
                session.step(piece)
                if session.seq >= next_at and session.seq < 40_000:
                    next_at = session.seq + 1500
                    side = draw.choice((1, -1))
                    bid, ask = session.book().best_bid, session.book().best_ask
                    assert bid is not None
                    assert ask is not None
                    session.send(Arm())
                    bracket = Bracket(stop_ticks=draw.randint(5, 60), targets=((draw.randint(5, 60), 50),), trail=True)
                    tick = bid if side > 0 else ask
                    session.send(
                        draw.choice((
                            Place(side=side, lots=2, kind="limit", tick=tick, bracket=bracket),
                            Place(side=side, lots=3, kind="market", bracket=bracket), Flatten(),
                        ))
                    )  # fmt: skip
                book.post(run, session.desk.take())
            if session.seq > 45_000:
                break
        digest, last = session.desk.digest(), session.seq
        book.end(run, digest, 1)
    db = journal.open_readonly(path)
    commands = journal.commands(db, run)
    fills = list(journal.records(db, run, [Filled]))
    assert len(fills) > 10
    assert list(journal.records(db, run, [Closed]))
    with Session(open_recording(folder), thresholds={}) as again:
        again.desk = desk_over(again.instruments)
        again.script.extend((one.seq, one.command) for one in commands)
        records = []
        for _ in again.run():
            records += again.desk.take()
            if again.seq == last:
                break
        assert again.desk.digest() == digest
    assert [r for r in records if isinstance(r, Filled)] == fills
    assert [r for r in records if isinstance(r, Commanded)] == commands
    db.close()


# -- dying ------------------------------------------------------------------------------------------
_WRITER = """
import sys
from pathlib import Path
from tapeview.journal import Journal
from tapeview.desk.records import Told
book = Journal(Path(sys.argv[1]))
run = book.begin("x", "1", "{}", 0)
n = 0
while True:
    number = book.post(run, [Told(seq=n, recv_ns=n, kind="armed", text=f"{k}") for k in range(n % 3 + 1)])
    n += 1
    book.wait(number)
    print(run, number, flush=True)
"""


@pytest.mark.parametrize("kills", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_a_killed_writer_loses_and_doubles_nothing_acknowledged(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "j"
    draw = random.Random(kills)
    for _ in range(kills):
        writer = python(_WRITER, str(path))
        assert writer.stdout is not None
        seen = (0, 0)
        for _ in range(draw.randint(1, 30)):
            run, number = map(int, writer.stdout.readline().split())
            seen = (run, number)
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split("\n")
        writer.stdout.close()
        writer.wait()
        for line in rest:
            if len(line.split()) == 2:
                seen = (seen[0], max(seen[1], int(line.split()[1])))
        with journal.reading(path) as db:
            found = [line.n for line in journal.lines(db) if line.run == seen[0]]
        assert found == list(range(len(found)))
        assert len(found) >= seen[1]

"""The journal: what was acknowledged is there once, whatever dies, fills up or is damaged; a run can be run again."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from feeds.errors import BadInput
from feeds.recording import open_recording
from tapeview import bundled, journal
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


def test_a_newer_journal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j"
    Journal(path).close()
    db = sqlite3.connect(path)
    db.execute(f"pragma user_version = {journal.VERSION + 1}")
    db.close()
    with pytest.raises(BadInput, match="newer tapeview"):
        Journal(path)


def test_an_older_journal_is_brought_up_with_a_copy_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j"
    with Journal(path) as book:
        book.post(book.begin("x", "1", "{}", 0), [told(1)])
    monkeypatch.setattr(journal, "VERSION", journal.VERSION + 1)
    monkeypatch.setattr(journal, "_MIGRATIONS", {journal.VERSION - 1: "create table more (a integer) strict;"})
    with Journal(path):
        pass
    db = journal.open_readonly(path)
    assert db.execute("select count(*) from more").fetchone() == (0,)
    assert db.execute("pragma user_version").fetchone() == (journal.VERSION,)
    db.close()
    copy = journal.open_readonly(path.with_suffix(f".v{journal.VERSION - 1}.backup"))
    assert [line.record for line in journal.lines(copy)] == [told(1)]
    copy.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j"
    Journal(path).close()
    before = path.read_bytes()
    monkeypatch.setattr(journal, "VERSION", journal.VERSION + 1)
    monkeypatch.setattr(journal, "_MIGRATIONS", {journal.VERSION - 1: "create table more (a) strict; nonsense;"})
    with pytest.raises(BadInput):
        Journal(path)
    monkeypatch.undo()
    Journal(path).close()
    assert len(path.read_bytes()) == len(before)


def test_what_cannot_be_written_is_put_aside_told_of_and_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j"
    book = Journal(path)
    run = book.begin("x", "1", "{}", 0)
    full = True
    using = Journal._using

    def failing(self: Journal) -> object:
        if full:
            raise sqlite3.OperationalError("database or disk is full")
        return using(self)

    monkeypatch.setattr(Journal, "_using", failing)
    book.post(run, [told(0), told(1)])
    assert not book.wait(timeout_s=0.3)
    assert book.acknowledged == 0
    assert book.trouble == "the journal cannot be written: database or disk is full"
    assert len(path.with_suffix(".side").read_bytes().splitlines()) == 2
    full = False
    book.post(run, [told(2)])
    assert book.wait()
    assert book.trouble == ""
    book.close()
    db = journal.open_readonly(path)
    assert [line.n for line in journal.lines(db)] == [0, 1, 2]
    db.close()


def test_the_next_process_takes_in_what_was_put_aside_once(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path) as book:
        run = book.begin("x", "1", "{}", 0)
        book.post(run, [told(0)])
    rows = [journal._row((run, n, told(n))) for n in (0, 1)]
    path.with_suffix(".side").write_bytes(b"\n".join(map(msgspec.json.encode, rows)) + b'\n[1, 2, "torn')
    with Journal(path) as book:
        assert [line.n for line in book.after(0, -1)] == [0, 1]
    assert not path.with_suffix(".side").exists()


def test_an_outlet_goes_on_where_it_was(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as book:
        run = book.begin("x", "1", "{}", 0)
        book.post(run, [told(n) for n in range(5)])
        book.wait()
        assert book.cursor("webhook") == (0, -1)
        book.delivered("webhook", run, 2)
        assert [line.n for line in book.after(*book.cursor("webhook"))] == [3, 4]


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
    root = Path(journal.__file__).parents[1]
    for _ in range(kills):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        )  # fmt: skip
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
        db = journal.open_readonly(path)
        there = [line.n for line in journal.lines(db) if line.run == seen[0]]
        db.close()
        assert there == list(range(len(there)))
        assert len(there) >= seen[1]

import sqlite3

from tapeview import journal
from tapeview.backoffice import BackOffice
from tapeview.config import Config
from tapeview.drill.history import History, read
from tests.kit.journals import drawn, drilled, write


def test_what_is_kept_is_read_back_by_the_next_visit(tmp_path):
    path = tmp_path / "journal.sqlite"
    office = BackOffice(Config(), path)
    visit = History(office)
    calls = [drilled(1, 1, 3), drilled(2, None, 0, sure=None), drilled(3, -1, 2, again=True)]
    for one in calls:
        visit.keep(one)
    visit.close()
    office.close()
    assert visit.off == ""
    assert read(path) == calls
    with journal.reading(path) as db:
        runs = journal.runs(db)
    assert [(run.source, run.ended_ns is not None) for run in runs] == [("drill:1", True)]
    assert runs[0].digest


def test_a_visit_without_a_call_leaves_no_run(tmp_path):
    path = tmp_path / "journal.sqlite"
    office = BackOffice(Config(), path)
    History(office).close()
    office.close()
    assert not path.exists()
    assert read(path) == []


def test_drills_are_no_trades_and_trades_no_drills(tmp_path):
    from tapeview import ledger

    path = write(tmp_path / "journal.sqlite", drawn(3))
    office = BackOffice(Config(), path)
    visit = History(office)
    visit.keep(drilled(7, 1, 3))
    visit.close()
    office.close()
    with journal.reading(path) as db:
        assert len(ledger.rows(db)) == 3
    assert [one.seed for one in read(path)] == [7]


def test_where_the_journal_cannot_be_had_drills_go_on_and_it_is_said(tmp_path):
    path = tmp_path / "journal.sqlite"
    other = sqlite3.connect(path)
    other.execute("create table mine (x)")
    other.commit()
    other.close()
    visit = History(BackOffice(Config(), path))
    visit.keep(drilled(1, 1, 3))
    assert "journal of tapeview" in visit.off
    assert visit.here == [drilled(1, 1, 3)]
    visit.close()
    without = History(None)
    without.keep(drilled(1, 1, 3))
    without.close()
    assert without.off == "nothing is journalled here"

"""A run is made again from the journal: the same records, the same digest, and every difference is told."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.errors import BadInput
from tapeview import bundled
from tapeview.desk.commands import LIMIT, MARKET, Arm, Bracket, CancelAll, Disarm, Flatten, Note, Place, Trail
from tapeview.desk.records import AnyRecord, Filled, Kept
from tapeview.market import Refused as No
from tapeview.trading import remake
from tapeview.trading.again import read_run
from tests.kit.trading import HELD, OPENING, RISES, floor, record, runs, write, written
from tests.kit.trading import settings as config


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def rising(tmp_path: Path) -> Path:
    return record(tmp_path, f"{OPENING} ~1500 b19999:70 {RISES} {HELD}")


def traded(source: Path, book: Path, **more: object) -> None:
    """Leave a run with a few trades in the journal."""
    with floor(source, journal=book, **more) as it:  # type: ignore[arg-type]
        it.do(Arm(), Note(text="a plan"))
        it.do(Place(side=1, lots=2, kind=MARKET, bracket=Bracket(stop_ticks=8, targets=((10, 50),)), setup="x"))
        it.go(3000)
        it.do(Trail(on=True))
        it.flatten()


def test_a_run_made_again_gives_the_same_records_and_digest(rising: Path, book: Path) -> None:
    traded(rising, book)
    again = remake(book, 1)
    assert again.differences == []
    assert again.digest_ok
    assert again.records == len([one for one in written(book, 1) if not isinstance(one, Kept)]) - 1, "all but its end"
    assert len(written(book, 1, Filled)) >= 4


STEPS = st.lists(
    st.one_of(
        st.integers(20, 1500),
        st.sampled_from([
            Arm(), Disarm(), Flatten(), CancelAll(), Trail(on=True), Note(text="n"),
            Place(side=1, lots=2, kind=MARKET, bracket=Bracket(stop_ticks=8, targets=((6, 50), (12, 50)))),
            Place(side=-1, lots=1, kind=MARKET, bracket=Bracket(stop_ticks=6, trail=True)),
            Place(side=1, lots=3, kind=LIMIT, tick=20055), Place(side=-1, lots=3, kind=LIMIT, tick=20064),
        ]),
    ),
    min_size=4, max_size=16,
)  # fmt: skip


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_was_commanded_is_made_again(tmp_path_factory: pytest.TempPathFactory, steps: list[object]) -> None:
    path = next(one.path for one in bundled.recordings() if one.name == "quiet-open")
    book = tmp_path_factory.mktemp("again") / "journal.sqlite"
    with floor(Path(path), journal=book, at="+40s", config=config(orders_minute=600), detectors=True) as it:
        it.do(Arm())
        for step in steps:
            if isinstance(step, int):
                it.go(step, 33)
            else:
                it.do(step)  # type: ignore[arg-type]
    again = remake(book, 1)
    assert again.differences == []
    assert again.digest_ok


def test_a_second_run_begins_with_what_was_kept_and_is_made_again_alone(rising: Path, book: Path) -> None:
    traded(rising, book)
    traded(rising, book)
    again = remake(book, 2)
    assert (again.differences, again.digest_ok) == ([], True)
    assert "day" in read_run(book, 2).about.kept


def test_a_source_that_holds_something_else_is_told_of(tmp_path: Path, rising: Path, book: Path) -> None:
    traded(rising, book)
    shutil.rmtree(rising)
    rows = script.events(f"{OPENING} ~1500 b19999:70 {RISES} {HELD}")
    late = rows.copy()
    late["lots"][-1] += 1
    write(tmp_path, late)
    again = remake(book, 1)
    assert again.differences == ["the source holds other events than it did"]
    assert not again.digest_ok


def test_a_source_that_is_gone_is_refused_by_its_name(rising: Path, book: Path) -> None:
    traded(rising, book)
    shutil.rmtree(rising)
    with pytest.raises(BadInput, match=str(rising)):
        remake(book, 1)


def test_a_run_that_is_not_there_is_refused(rising: Path, book: Path) -> None:
    with pytest.raises(BadInput, match="none has been written yet"):
        remake(book, 1)
    traded(rising, book)
    with pytest.raises(BadInput, match="a run of the journal"):
        remake(book, 7)


def test_a_record_that_was_changed_afterwards_is_the_first_difference_with_its_place(rising: Path, book: Path) -> None:
    traded(rising, book)
    db = sqlite3.connect(book)
    ((n, body),) = db.execute("select n, body from record where what = 'filled' order by n limit 1").fetchall()
    fill = msgspec.json.decode(body)
    db.execute("update record set body = ? where n = ?", (msgspec.json.encode(fill | {"lots": 9}).decode(), n))
    db.commit()
    db.close()
    again = remake(book, 1)
    assert f"filled after row {fill['seq']}" in again.differences[0]
    assert '"lots":9' in again.differences[0]
    assert again.digest_ok, "the desk's state does not come from the records"


def test_a_run_that_ended_by_force_is_compared_as_far_as_it_goes(rising: Path, book: Path) -> None:
    traded(rising, book)
    db = sqlite3.connect(book)
    db.execute("update run set ended_ns = null, digest = null")
    db.execute("delete from record where n > 12")
    db.commit()
    db.close()
    again = remake(book, 1)
    assert again.differences == []
    assert not again.digest_ok


def test_a_run_is_made_again_on_the_screen(rising: Path, book: Path) -> None:
    traded(rising, book)
    before = [one.n for one in _lines(book)]
    with floor(rising, journal=book, again=1, at=None) as it:
        about = read_run(book, 1).about
        assert it.playback.lane.session.seq == about.from_seq
        with pytest.raises(No, match="being made again"):
            it.do(Arm())
        it.go(1000)
        assert it.part.position == 2
        assert it.part.armed
        it.go(8000)
        assert it.part.position == 0
        kind, words = it.heard[-1]
        assert kind == "again"
        assert words.startswith("run 1 made again, the same;")
        assert words.endswith("digest equal")
    assert [one.n for one in _lines(book)] == before, "nothing is written"
    assert len(runs(book)) == 1


def _lines(book: Path) -> list[AnyRecord]:
    from tapeview import journal

    db = journal.open_readonly(book)
    try:
        return list(journal.lines(db))  # type: ignore[arg-type]
    finally:
        db.close()


def test_a_run_made_again_on_another_source_is_refused_by_its_instruments(
    tmp_path: Path, rising: Path, book: Path
) -> None:
    traded(rising, book)
    other = record(tmp_path, f"{OPENING} {HELD}", "MNQ")
    with pytest.raises(BadInput, match="a run on cme:MNQ, not cme:MES"), floor(other, journal=book, again=1, at=None):
        pass


def test_a_run_of_two_lanes_is_made_again_lane_by_lane(tmp_path: Path, book: Path) -> None:
    first, second = (record(tmp_path, f"{OPENING} ~1500 b19999:70 {RISES}", symbol) for symbol in ("MES", "MNQ"))
    with floor(first, second, journal=book) as it:
        it.trade()
        it.playback.select(1)
        it.trade(side=-1)
        it.go(6000)
        it.flatten()
    for run in (1, 2):
        again = remake(book, run)
        assert (again.differences, again.digest_ok) == ([], True)

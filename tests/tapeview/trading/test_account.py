"""One account over all lanes: what is lost stays lost, a lock holds for all, and every session has its own day."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from feeds import script
from tapeview.desk import day
from tapeview.desk.commands import Arm, Elsewhere, Lock, Place, Scale
from tapeview.desk.records import Commanded, Kept, Told
from tapeview.engine import warm
from tapeview.market import Refused as No
from tests.kit.trading import FALLS, HELD, OPENING, RISES, Floor, floor, kept, record, runs, settings, written

TIGHT = {"daily_loss": 0.002}
"""50 of 25,000: a fall of 20 ticks takes it from 2 lots."""
LOSING = f"{OPENING} ~1500 b19999:70 {FALLS} {HELD}"
DAY_NS = 86_400_000_000_000


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def losing(tmp_path: Path) -> Path:
    return record(tmp_path, LOSING)


def lose(it: Floor, lots: int = 2) -> None:
    """Buy before the fall, and sell after it."""
    it.trade(lots=lots, stop=8)
    it.go(3000)
    if not it.part.locked:
        it.flatten()
    assert it.part.position == 0


def test_rewinding_takes_no_loss_away(losing: Path, book: Path) -> None:
    with floor(losing, journal=book) as it:
        lose(it)
        # Bought at 20001 and sold at 19980: 21 ticks of 2 lots, 1.25 each.
        assert it.part.session_profit == "-52.50"
        it.playback.seek(it.playback.start_ns or 0)
        assert it.part.session_profit == "-52.50"
        it.playback.seek_relative(6)
        lose(it)
        assert it.part.session_profit == "-105.00"
    with floor(losing, journal=book) as it:
        assert it.part.session_profit == "-105.00"
        lose(it)
        assert it.part.session_profit == "-157.50"
    assert kept(book)["equity practice"] == "24842.50"


def test_every_session_has_a_day_of_its_own_and_the_account_goes_on(tmp_path: Path, book: Path) -> None:
    first = record(tmp_path / "1", LOSING)
    later = record(tmp_path / "2", LOSING, start_ns=script.START_NS + DAY_NS)
    with floor(first, journal=book) as it:
        lose(it)
    with floor(later, journal=book) as it:
        assert it.part.session_profit == "0.00"
        assert it.part.loss_left == "498.95", "2 % of what the account has now"
        lose(it)
        assert it.part.session_profit == "-52.50"
    with floor(first, journal=book) as it:
        assert it.part.session_profit == "-52.50", "dates come in any order"
    assert kept(book)["equity practice"] == "24895.00"
    assert sum(name.startswith("day practice ") for name in kept(book)) == 2


def test_a_locked_day_is_locked_when_it_is_opened_again_whatever_the_settings_say(losing: Path, book: Path) -> None:
    with floor(losing, journal=book, config=settings(**TIGHT)) as it:
        lose(it)
        assert it.part.locked.startswith("daily loss limit")
        assert [alarm for _, kind, _, alarm in it.part.told if kind == "lock"] == [True]
        it.do(Arm())
        assert it.heard[-1] == ("refused", f"locked: {it.part.locked}")
        it.playback.seek(it.playback.start_ns or 0)
        it.playback.seek_relative(6)
        assert it.part.locked
    with floor(losing, journal=book, config=settings(daily_loss=0.05)) as it:
        assert it.part.locked.startswith("daily loss limit"), "told before anything is asked for"
        it.do(Arm(), Place(side=1, lots=1, kind="market"))
        it.go(500)
        assert not it.part.armed
        assert it.part.position == 0
    with floor(losing, journal=book, config=settings(**TIGHT), account="again") as it:
        assert not it.part.locked, "to practise it again is another account, by name"
        it.do(Arm())
        assert it.part.armed


def test_the_loss_of_two_lanes_together_locks_both(tmp_path: Path, book: Path) -> None:
    both = [record(tmp_path, LOSING, symbol) for symbol in ("MES", "MNQ")]
    # Each lane loses 52.50 of the 75 that may be lost.
    with floor(*both, journal=book, config=settings(daily_loss=0.003)) as it:
        it.trade(lots=2, stop=8)
        it.playback.select(1)
        it.trade(lots=2, stop=8)
        it.go(8000)
        lanes = [lane.trading for lane in it.playback.lanes]
        assert [lane.desk.locked[:16] for lane in lanes if lane and lane.desk] == ["daily loss limit"] * 2
        assert [lane.busy for lane in lanes if lane] == [False, False]
        it.settle()
        locks = [one for one in written(book, None, Told) if one.kind == "lock"]
        assert len(locks) == 2
    commands = [type(one.command) for number in (1, 2) for one in written(book, number, Commanded)]
    assert commands.count(Elsewhere) >= 1
    assert commands.count(Lock) + sum("daily loss limit: lost" in one.text for one in locks) >= 2
    with floor(both[1], journal=book) as it:
        assert it.part.locked


def test_what_another_lane_may_still_lose_counts_before_an_entry(tmp_path: Path, book: Path) -> None:
    both = [record(tmp_path, f"{OPENING} {HELD}", symbol) for symbol in ("MES", "MNQ")]
    # 75 may be lost; 2 lots with a stop 20 ticks away may lose more than half of it.
    with floor(*both, journal=book, config=settings(daily_loss=0.003)) as it:
        it.trade(lots=2, stop=18)
        it.playback.select(1)
        it.do(Arm())
        it.go(1500)
        it.do(Place(side=1, lots=2, kind="market", bracket=_bracket(18)))
        assert it.heard[-1][0] == "refused"
        assert "worst case" in it.heard[-1][1]


def _bracket(stop: int) -> object:
    from tapeview.desk.commands import Bracket

    return Bracket(stop_ticks=stop)


def test_a_lock_that_one_lane_wrote_is_not_written_over_by_another(tmp_path: Path, book: Path) -> None:
    both = [record(tmp_path, LOSING, symbol) for symbol in ("MES", "MNQ")]
    with floor(*both, journal=book, config=settings(daily_loss=0.003)) as it:
        it.trade(lots=2, stop=8)
        it.playback.select(1)
        it.trade(lots=2, stop=8)
        it.go(8000)
    lines = [one.line for one in written(book, None, Kept) if one.what.startswith("day ")]
    states = [day.load(line.encode()) for line in lines]
    locked = [state.locked for state in states]
    assert locked.index(True) > 0
    assert all(locked[locked.index(True) :]), "nothing after the lock looks as if the day were open"


def test_equity_of_the_account_is_that_of_all_lanes(tmp_path: Path, book: Path) -> None:
    down, up = record(tmp_path / "1", LOSING), record(tmp_path / "2", f"{OPENING} ~1500 b19999:70 {RISES}", "MNQ")
    with floor(down, up, journal=book) as it:
        it.trade(lots=2, stop=8)
        it.playback.select(1)
        it.trade(lots=3, stop=8)
        it.go(3000)
        account = it.playback.account
        assert account is not None
        assert account.equity == Decimal(25000) + Decimal("-52.50") + Decimal("1.25") * 19 * 3
        assert it.part.session_profit == "+18.75"


# -- processes that are killed ---------------------------------------------------------------------
CHILD = """
import sys, time
from pathlib import Path
from tests.kit.trading import floor, settings
with floor(Path(sys.argv[1]), journal=Path(sys.argv[2]), config=settings(daily_loss=float(sys.argv[3]))) as it:
    it.trade(lots=2, stop=8)
    it.go(3000)
    while it.office.unwritten:
        time.sleep(0.001)
    print(it.part.locked or "open", it.part.position, flush=True)
    time.sleep(60)
"""


def killed(losing: Path, book: Path, daily_loss: float) -> str:
    """What a process said that traded, and was killed in the middle of it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(losing), str(book), str(daily_loss)], stdout=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip
    assert child.stdout is not None
    try:
        said = child.stdout.readline().strip()
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    return said


def test_a_process_killed_while_the_day_is_locked_comes_back_locked(losing: Path, book: Path) -> None:
    assert killed(losing, book, 0.002).startswith("daily loss limit")
    with floor(losing, journal=book) as it:
        assert it.part.locked.startswith("daily loss limit")
        it.do(Arm())
        assert not it.part.armed
        (run, _) = runs(book)
        assert run.digest is None


def test_a_process_killed_with_a_loss_open_comes_back_with_it(losing: Path, book: Path) -> None:
    assert killed(losing, book, 0.02) == "open 2"
    with floor(losing, journal=book) as it:
        assert it.part.session_profit == "-52.50"
        it.do(Arm())
        assert it.part.session_profit == "-52.50"


# -- work and rest ----------------------------------------------------------------------------------
def test_work_is_counted_from_the_first_key_and_goes_on_after_a_restart(
    losing: Path, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000_000_000_000]
    monkeypatch.setattr(time, "monotonic_ns", lambda: clock[0])
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000 + clock[0])

    def minutes(it: Floor, count: int) -> None:
        account = it.playback.account
        assert account is not None
        for _ in range(count):
            clock[0] += 60_000_000_000
            account.touched()
            account.tick()

    with floor(losing, journal=book) as it:
        assert it.part.rest == ""
        it.do(Arm())
        minutes(it, 1)
        minutes(it, 30)
        assert it.part.rest == "30 of 120 min worked"
    with floor(losing, journal=book) as it:
        minutes(it, 20)
        assert it.part.rest.startswith("50 of 120 min worked") or it.part.rest.startswith("49 of")
        minutes(it, 72)
        assert it.part.rest_due
        assert it.part.rest.startswith("break")
    assert any(kind == "rest" for kind, _ in it.heard)


# -- what moves together ----------------------------------------------------------------------------
def test_instruments_that_move_together_are_told_to_be_smaller(tmp_path: Path, book: Path) -> None:
    import numpy as np

    assert warm()  # in plain Python the player would fall behind at this speed
    drawn = np.random.default_rng(5).integers(-3, 4, 400).cumsum()

    def moving(symbol: str) -> Path:
        words = [OPENING]
        bid, ask = 20000, 20001
        for step in drawn.tolist():
            new = 20000 + step
            words.append(f"~10000 b{bid}:0&a{ask}:0&b{new}:50&a{new + 1}:50" if new != bid else f"~10000 b{bid}:51")
            bid, ask = new, new + 1
        opening = "[ b20000:50 a20001:40 ] ~5500 b20000:49"
        return record(tmp_path, " ".join([opening, *words[1:]]), symbol)

    both = [moving(symbol) for symbol in ("MES", "MNQ")]
    with floor(*both, journal=book) as it:
        it.playback.set_speed(100.0)
        it.go(36_000, 20)
        it.playback.set_speed(1.0)
        it.trade(lots=10, stop=16)
        it.playback.select(1)
        it.do(Arm())
        account = it.playback.account
        assert account is not None
        account._tick_ns = 0
        it.go(100)
        # Both moved by the same prices for an hour: extreme, and both together may risk what one may. The open one
        # risks 16 or 17 ticks of 10 lots, by the tick it was filled at: 200 or 212.50 of the 250 that one may. The
        # other would come to as much as one may: 250 / 450 or 250 / 462.50 of it, in twentieths.
        it.settle()
        asked = [one.command for one in written(book, None, Commanded) if isinstance(one.command, Scale)]
        assert it.part.pause.startswith("moves together with MES")
        assert asked
        assert asked[-1].share in (0.5, 0.55)


def test_a_trading_market_that_cannot_read_its_journal_says_so(losing: Path, book: Path) -> None:
    book.write_bytes(b"not a journal at all, but long enough to be read as one" * 100)
    with floor(losing, journal=book) as it:
        assert "journal" in it.part.off
        with pytest.raises(No, match="journal"):
            it.do(Arm())

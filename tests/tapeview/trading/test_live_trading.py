"""Paper trading on a live market: in the lane's own thread, journalled, and made again from what was recorded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

import feeds.livesource
from feeds.recording.derived import derive_events
from feeds.times import Times
from tapeview.backoffice import BackOffice
from tapeview.config import Config
from tapeview.desk.commands import LIMIT, MARKET, Arm, Bracket, CancelAll, Flatten, Lock, Place
from tapeview.desk.records import Alerted, Commanded, Filled
from tapeview.market import Refused as No
from tapeview.snapshot import DeskPart, Window
from tapeview.trading import Plan, remake
from tapeview.trading.lane import Recipe
from tests.kit.live import BTC, ETH, Floor
from tests.kit.live import floor as venue
from tests.kit.trading import kept, runs, settings, written

WARM_S = 6.0


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@contextlib.asynccontextmanager
async def floor(*addresses: str, journal: Path, config: Config | None = None, **more: object) -> AsyncIterator[Floor]:
    """A venue whose market is traded on."""
    chosen = config or settings()
    office = BackOffice(chosen, journal)
    async with venue(*addresses, settings=chosen, desk=Plan(office), **more) as it:  # type: ignore[arg-type]
        await it.live()
        await it.say(20)
        await it.caught_up()
        yield it
    await asyncio.to_thread(office.close)


def part(it: Floor) -> DeskPart:
    found = it.market.snapshot(Window()).desk
    assert found is not None
    return found


async def until_traded(it: Floor) -> None:
    """Buy two, and wait for the fill."""
    it.market.send(Arm())
    it.market.send(Place(side=1, lots=2, kind=MARKET, bracket=Bracket(stop_ticks=8)))
    await it.until(lambda: part(it).position == 2 and part(it).cover == "covered")


async def until_flat(it: Floor) -> None:
    it.market.send(Flatten())
    await it.until(lambda: not part(it).position and not part(it).orders)


async def test_a_live_trade_goes_from_signal_to_journal_and_is_made_again_from_the_recording(
    tmp_path: Path, book: Path
) -> None:
    async with floor(BTC, ETH, journal=book, record=tmp_path / "recorded") as it:
        await until_traded(it)
        await it.say(150)
        await it.caught_up()
        with pytest.raises(No, match="a position is open: flatten before you run other detectors"):
            it.market.adopt({})
        with pytest.raises(No, match="a position is open: flatten before you run other detectors"):
            it.market.prepare({})
        await until_flat(it)
        # Stays armed where it is, and is disarmed by another instrument.
        assert part(it).armed
        it.market.select(1)
        assert not part(it).armed
    (run,) = runs(book)
    about = msgspec.json.decode(run.settings, type=Recipe)
    assert (about.account, about.live, about.recording) == ("paper", True, str(tmp_path / "recorded"))
    assert len(written(book, 1, Filled)) == 4
    assert "day paper" in kept(book)
    derive_events(tmp_path / "recorded")
    again = remake(book, 1)
    assert (again.differences, again.digest_ok) == ([], True)


async def test_detectors_that_begin_anew_end_the_run_and_the_next_is_made_again_from_there(
    tmp_path: Path, book: Path
) -> None:
    async with floor(BTC, journal=book, record=tmp_path / "recorded") as it:
        it.market.send(Arm())
        await it.say(30)
        await it.caught_up()
        it.market.adopt(dict(it.market.thresholds))
        assert not part(it).armed
        await until_traded(it)
        await it.say(60)
        await it.caught_up()
        await until_flat(it)
    first, second = runs(book)
    assert first.digest is not None
    assert msgspec.json.decode(second.settings, type=Recipe).watch_from > 0
    derive_events(tmp_path / "recorded")
    for run in (1, 2):
        again = remake(book, run)
        assert (again.differences, again.digest_ok) == ([], True)


async def test_an_instrument_with_a_position_is_not_taken_away(book: Path) -> None:
    async with floor(BTC, ETH, journal=book) as it:
        it.market.send(Arm())
        it.market.send(Place(side=1, lots=1, kind=LIMIT, tick=90))
        await it.until(lambda: bool(part(it).orders) and part(it).orders[0].state == "working")
        with pytest.raises(No, match="an order works: flatten before you take it away"):
            it.market.remove(0)
        assert len(it.market.addresses) == 2
        it.market.send(CancelAll())
        await it.until(lambda: not part(it).orders)
        it.market.remove(0)
        assert it.market.addresses == [ETH]


async def test_alerts_go_out_from_the_start_where_somebody_listens(tmp_path: Path, book: Path) -> None:
    outlets = {"lines": {"on": True, "path": str(tmp_path / "out.jsonl")}}
    async with floor(BTC, journal=book, config=settings(outlets=outlets)) as it:
        await it.say(20)
        await it.caught_up()
        assert it.lane().trading is not None
        assert it.lane().trading.run == 1  # type: ignore[union-attr]
        assert not part(it).armed
    (run,) = runs(book)
    assert run.digest is not None
    assert not written(book, 1, Commanded)
    assert all(one.phase == "confirmed" for one in written(book, 1, Alerted))


async def test_no_desk_comes_where_nobody_asked_for_one(book: Path) -> None:
    async with floor(BTC, journal=book) as it:
        await it.say(50)
        await it.caught_up()
        assert it.lane().session.desk is None
    assert not book.exists()


class Yesterday(Times):
    """A clock that was set back by a day."""

    def __init__(self) -> None:
        super().__init__(wall_ns=lambda: Times().now()[0] - 86_400_000_000_000)


async def test_a_lock_holds_when_the_clock_is_set_back(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with floor(BTC, journal=book) as it:
        it.market.send(Arm())
        it.market.send(Lock(reason="enough for today"))
        await it.until(lambda: bool(part(it).locked))
    monkeypatch.setattr(feeds.livesource, "Times", Yesterday, raising=False)
    monkeypatch.setattr("feeds.live.Times", Yesterday)
    async with floor(BTC, journal=book) as it:
        lane = it.lane()
        assert lane.source.times.now()[0] < Times().now()[0] - 86_000_000_000_000
        assert part(it).locked == "enough for today"
        it.market.send(Arm())
        await it.until(lambda: bool(part(it).told))
        assert not part(it).armed
        assert part(it).told[-1][1:3] == ("refused", "locked: enough for today")


async def test_two_venues_of_one_account_lock_together(book: Path) -> None:
    async with floor(BTC, journal=book) as it:
        it.market.add(ETH)
        await it.live(1)
        it.market.select(1)
        await it.say(20)
        await it.caught_up(1)
        it.market.send(Arm())
        it.market.select(0)
        it.market.send(Arm())
        it.market.send(Lock(reason="enough for today"))
        await it.until(lambda: bool(it.market.snapshot(Window()).desk.locked))  # type: ignore[union-attr]
        it.market.select(1)
        await it.until(lambda: part(it).locked == "enough for today")

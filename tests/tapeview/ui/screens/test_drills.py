"""Drills from the way in to what they say afterwards, driven by keys on recordings whose prices are known."""

import contextlib
import time

import pytest
from textual.widgets import Input

from tapeview.backoffice import BackOffice
from tapeview.bundled import listed
from tapeview.config import Config
from tapeview.drill.choice import Rules
from tapeview.drill.history import read
from tapeview.drill.skill import result
from tapeview.engine import warm
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens.drill import AFTER, CALLING, WATCHING, DrillScreen, ResultScreen
from tapeview.ui.screens.drills import DrillsScreen
from tests.kit.screen import screen_cells
from tests.kit.trade import CALM, record
from tests.tapeview.drill.conftest import stairs

RULES = Rules(least_s=5, most_s=20, horizon_s=10)


@pytest.fixture(scope="module", autouse=True)
def _kernels():
    import tapeview.watch  # noqa: F401

    warm()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drills")
    record(folder, stairs(), symbol="STAIRS")
    return listed(folder)


class Drilling:
    def __init__(self, app, pilot, lobby):
        self.app, self.pilot, self.lobby = app, pilot, lobby

    @property
    def screen(self):
        return self.app.screen

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, condition, *, frames=False):
        """Wait for a condition; `frames` makes the drill's own meanwhile."""
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, self.text()
            if frames and isinstance(self.screen, DrillScreen):
                self.screen.frame(anyway=True)
            await self.pilot.pause(0.01)

    async def begin(self, *keys):
        await self.press(*(keys or ("enter",)))
        await self.until(lambda: isinstance(self.screen, DrillScreen))
        self.screen.playback._playback.set_speed(100.0)
        return self.screen

    async def stopped(self):
        """A drill that has come to its stop."""
        screen = await self.begin()
        screen._timed = True  # frames let time pass by the wall clock; the test says when they are made
        await self.until(lambda: screen.phase == CALLING, frames=True)
        screen.frame(anyway=True)
        await self.pilot.pause()
        return screen

    def text(self):
        return "\n".join("".join(c for c, _ in row).rstrip() for row in screen_cells(self.app))


@contextlib.asynccontextmanager
async def drilling(recordings, journal, size=(120, 36), rules=RULES):
    office = BackOffice(Config(), journal)
    app = TapeviewApp(StartPlan(settings=CALM))
    async with app.run_test(size=size) as pilot:
        lobby = DrillsScreen(app.plan, office, journal, recordings=recordings, timed=False)
        lobby.rules = rules
        await app.push_screen(lobby)
        await lobby.workers.wait_for_complete()
        await pilot.pause()
        yield Drilling(app, pilot, lobby)
    office.close()


async def test_a_call_is_kept_scored_and_told(recordings, tmp_path):
    journal = tmp_path / "journal.sqlite"
    async with drilling(recordings, journal) as drill:
        assert "no drill yet: Enter begins one" in drill.text()
        screen = await drill.stopped()
        assert "STOPPED" in drill.text()
        await drill.press("shift+up", "right", "right")
        screen.frame(anyway=True)
        await drill.pilot.pause()
        assert "BUY  70% sure" in drill.text()
        assert not drill.lobby.history.here
        await drill.press("y")
        assert screen.phase == AFTER
        await drill.press("y")
        await drill.until(lambda: isinstance(drill.screen, ResultScreen), frames=True)
        text = drill.text()
        # The market goes up two ticks in ten seconds: more than its spread of one.
        for words in ("RIGHT", "you said buy, 70% sure", "went up: +2.0 ticks", "it was cme:STAIRS", "2023-11-14"):
            assert words in text, text
        await drill.press("escape")
        await drill.until(lambda: drill.screen is drill.lobby)
        await drill.lobby.workers.wait_for_complete()
        await drill.pilot.pause()
        assert "1 called" in drill.text()
    kept = read(journal)
    assert [(one.side, one.sure, one.again, one.symbol) for one in kept] == [(1, 0.7, False, "STAIRS")]
    assert result(kept[0]).right
    assert kept[0].waited_ns > 0


async def test_until_the_call_nothing_of_the_market_is_told(recordings, tmp_path):
    async with drilling(recordings, tmp_path / "journal.sqlite", size=(200, 60)) as drill:
        screen = await drill.stopped()
        text = drill.text()
        assert "hidden" in text
        for words in ("STAIRS", "cme", "2023", "22:1", "script"):
            assert words not in text, (words, text)
        assert "12:00:" in text
        assert "symbol, date and clock hidden; prices are real" in text
        seen = screen.shown
        assert seen.status.timeline == ()
        assert seen.status.end_ns is None
        # Keys that would show what comes do nothing here.
        for key in ("n", "N", "g", "r", "full_stop", "greater_than_sign", "apostrophe", "shift+right"):
            await drill.press(key)
            screen.frame(anyway=True)
        assert screen.playback._lane.session.seq == screen.playback.question.stop_seq
        assert screen.phase == CALLING


async def test_a_call_may_be_changed_until_it_is_made_and_not_before_the_stop(recordings, tmp_path):
    async with drilling(recordings, tmp_path / "journal.sqlite") as drill:
        screen = await drill.begin()
        await drill.press("shift+up", "y")
        assert (screen.phase, screen.side) == (WATCHING, None)
        screen._timed = True
        await drill.until(lambda: screen.phase == CALLING, frames=True)
        await drill.press("y")
        assert screen.phase == CALLING  # first what
        await drill.press("shift+up", "shift+down", "n", *["left"] * 9)
        assert (screen.side, screen.sure) == (0, 0.1)
        await drill.press("shift+down", *["right"] * 12)
        assert (screen.side, screen.sure) == (-1, 0.9)
        await drill.press("y", "shift+up")
        assert screen.record.side == -1
        assert len(drill.lobby.history.here) == 1


async def test_leaving_without_a_call_is_asked_twice_and_kept(recordings, tmp_path):
    journal = tmp_path / "journal.sqlite"
    async with drilling(recordings, journal) as drill:
        screen = await drill.stopped()
        await drill.press("escape")
        assert drill.screen is screen
        assert "Esc again leaves" in drill.text()
        await drill.press("escape")
        await drill.until(lambda: drill.screen is drill.lobby)
        assert [one.side for one in drill.lobby.history.here] == [None]
    assert [one.side for one in read(journal)] == [None]


async def test_leaving_while_it_plays_is_no_drill(recordings, tmp_path):
    journal = tmp_path / "journal.sqlite"
    async with drilling(recordings, journal) as drill:
        await drill.begin()
        await drill.press("q")
        await drill.until(lambda: drill.screen is drill.lobby)
    assert read(journal) == []


async def test_the_same_drill_once_more_is_marked_as_seen(recordings, tmp_path):
    journal = tmp_path / "journal.sqlite"
    async with drilling(recordings, journal) as drill:
        screen = await drill.stopped()
        question = screen.playback.question
        await drill.press("shift+down", "y", "y")
        await drill.until(lambda: isinstance(drill.screen, ResultScreen), frames=True)
        assert "WRONG" in drill.text()
        await drill.press("r")
        await drill.until(lambda: isinstance(drill.screen, DrillScreen) and drill.screen is not screen)
        again = drill.screen
        assert again.playback.question == question
        again.playback._playback.set_speed(100.0)
        again._timed = True
        await drill.until(lambda: again.phase == CALLING, frames=True)
        await drill.press("shift+up", "y", "y")
        await drill.until(lambda: isinstance(drill.screen, ResultScreen), frames=True)
        assert "seen before: not counted" in drill.text()
    assert [one.again for one in read(journal)] == [False, True]


async def test_a_seed_gives_its_drill_again(recordings, tmp_path):
    async with drilling(recordings, tmp_path / "journal.sqlite") as drill:
        await drill.press("y")
        drill.lobby.query_one(Input).value = "nonsense"
        await drill.press("enter")
        assert "a seed is a number" in drill.text()
        questions = []
        for _ in range(2):
            await drill.press("y")
            drill.lobby.query_one(Input).value = "4711"
            screen = await drill.begin("enter")
            questions.append(screen.playback.question)
            await drill.press("q")
            await drill.until(lambda: drill.screen is drill.lobby)
        assert questions[0] == questions[1]
        assert questions[0].choice.seed == 4711


async def test_the_seconds_scored_can_be_changed_and_what_fits_is_told(recordings, tmp_path):
    async with drilling(recordings, tmp_path / "journal.sqlite") as drill:
        assert "10 s are scored" in drill.text()
        await drill.press("h", "h", "h")
        assert "120 s are scored" in drill.text()
        await drill.press("h")
        assert "300 s are scored" in drill.text()
        assert "0 of 1 recordings are long enough" in drill.text()
        await drill.press("enter")
        await drill.until(lambda: "longer than" in drill.text())


async def test_another_folder_is_taken_in_or_refused_with_a_sentence(recordings, tmp_path, folder_of_two):
    async with drilling([], tmp_path / "journal.sqlite") as drill:
        assert "0 of 0 recordings" in drill.text()
        await drill.press("o")
        drill.lobby.query_one(Input).value = str(tmp_path / "nowhere")
        await drill.press("enter")
        await drill.until(lambda: "a folder with recordings in it" in " ".join(drill.text().split()))
        await drill.press("o", "escape")
        assert drill.screen is drill.lobby
        await drill.press("o")
        drill.lobby.query_one(Input).value = str(folder_of_two)
        await drill.press("enter")
        await drill.until(lambda: f"{folder_of_two} too"[-20:] in drill.text())
        assert {"A", "B"} <= {one.name for one in drill.lobby._recordings}


@pytest.fixture
def folder_of_two(tmp_path):
    folder = tmp_path / "two"
    for name in "AB":
        record(folder, stairs(4), symbol=name)
    return folder


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_a_drill_can_be_read_at_every_size(recordings, tmp_path, size):
    async with drilling(recordings, tmp_path / "journal.sqlite", size=size) as drill:
        await drill.stopped()
        text = drill.text()
        for words in ("STOPPED", "buy", "sell", "n nothing", "how sure", "Esc leave"):
            assert words in text, (words, text)
        await drill.press("shift+up", "y", "y")
        await drill.until(lambda: isinstance(drill.screen, ResultScreen), frames=True)
        text = drill.text()
        for words in ("RIGHT", "seed", "by chance", "Enter next", "Esc back"):
            assert words in text, (words, text)


async def test_d_goes_to_the_drills_and_a_recording_below_waits(recordings, tmp_path, monkeypatch):
    from tests.kit.trade import open_trade

    monkeypatch.setenv("TAPEVIEW_JOURNAL", str(tmp_path / "journal.sqlite"))
    async with open_trade([recordings[0].path]) as desk:
        desk.playback.play()
        await desk.pilot.press("d")
        await desk.pilot.pause()
        assert isinstance(desk.app.screen, DrillsScreen)
        assert not desk.playback.playing
        await desk.pilot.press("f3", "d")
        await desk.pilot.pause()
        assert sum(isinstance(one, DrillsScreen) for one in desk.app.screen_stack) == 1
        await desk.app.screen.workers.wait_for_complete()
        await desk.pilot.press("escape")
        await desk.pilot.pause()
        assert desk.app.screen is desk.screen

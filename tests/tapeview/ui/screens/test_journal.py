"""The journal screen on journals that were written as the program writes them."""

import contextlib
import sqlite3

import msgspec
import polars as pl
import pytest
from textual.widgets import Input, Static

from tapeview.journal import Journal
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens._story import StoryScreen
from tapeview.ui.screens.journal import PAGES, JournalScreen
from tapeview.ui.screens.opening import OpeningScreen
from tapeview.ui.widgets._sheet import Sheet, Table
from tests.kit.journals import NS, S, about, drawn, drilled, trade, write
from tests.kit.screen import screen_cells

SIZES = [(80, 24), (120, 36), (200, 60)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Forty trades of one account, two with hindsight of another, some drills."""
    path = write(tmp_path_factory.mktemp("journal") / "journal.sqlite", drawn(40))
    with Journal(path) as book:
        seen = about(account="second", hindsight=True)
        run = book.begin("recordings/gone", "1", msgspec.json.encode(seen).decode(), NS + 10**15)
        book.post(run, [*trade(1, 2.0), *trade(2, -1.0)])
        book.end(run, "", NS + 10**15 + S)
        run = book.begin("drill:1", "1", msgspec.json.encode(about(account="drills")).decode(), NS + 2 * 10**15)
        book.post(run, [drilled(n, 1, 3 if n % 2 else -3) for n in range(6)])
        book.end(run, "", NS + 2 * 10**15 + S)
    return path


class Shown:
    def __init__(self, app, pilot, screen):
        self.app, self.pilot, self.screen = app, pilot, screen

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self):
        await self.pilot.pause()
        await self.screen.workers.wait_for_complete()
        await self.pilot.pause()

    def text(self):
        return "\n".join("".join(c for c, _ in row).rstrip() for row in screen_cells(self.app))

    def title(self):
        return str(self.screen.query_one("#journal-title", Static).render())


@contextlib.asynccontextmanager
async def opened(path, size=(120, 36), **plan):
    app = TapeviewApp(StartPlan(**plan))
    async with app.run_test(size=size) as pilot:
        screen = JournalScreen(path, app.plan)
        await app.push_screen(screen)
        shown = Shown(app, pilot, screen)
        await shown.settle()
        yield shown


@pytest.mark.parametrize("size", SIZES)
async def test_every_page_is_drawn_at_every_size(path, size):
    wanted = {
        "trades": ("▼ short", "instrument"), "figures": ("win rate", "results in R"), "groups": ("breakout", "trades"),
        "runs": ("recordings/one", "source"), "drills": ("by chance", "always buy"),
    }  # fmt: skip
    async with opened(path, size) as shown:
        for page in PAGES:
            assert shown.screen.page == page
            text = shown.text()
            assert all(words in text for words in wanted[page]), (page, text)
            assert "Esc back" in text
            for panel in (*shown.screen.query(Sheet), *shown.screen.query(Table)):
                assert panel.error is None
            await shown.press("tab")
        assert shown.screen.page == PAGES[0]
        await shown.press("left")
        assert shown.screen.page == PAGES[-1]


async def test_hindsight_is_left_out_of_figures_until_it_is_asked_for(path):
    async with opened(path) as shown:
        assert "42 trades, 2 with hindsight not counted" in shown.title()
        assert shown.screen.view.whole.trades == 40
        await shown.press("h")
        assert shown.screen.view.whole.trades == 42
        assert "hindsight counted" in shown.title()
        await shown.press("h")
        assert shown.screen.view.whole.trades == 40


async def test_a_filter_shows_some_trades_and_what_they_say(path):
    async with opened(path) as shown:
        await shown.press("slash", *"setup:fade", "enter")
        assert {one.setup for one in shown.screen.view.trades} == {"fade"}
        assert "few" in shown.title()
        assert "only setup:fade" in shown.title()
        await shown.press("slash")
        field = shown.screen.query_one("#journal-ask-field", Input)
        field.value = "mood:good"
        await shown.press("enter")
        assert "got 'mood:'" in shown.text()
        await shown.press("slash", "escape")
        assert shown.screen.is_current
        await shown.press("slash")
        field.value = ""
        await shown.press("enter")
        assert len(shown.screen.view.trades) == 42


async def test_keys_that_act_do_nothing_while_a_filter_is_written(path):
    async with opened(path) as shown:
        await shown.press("slash", *"whod")
        assert shown.screen.query_one("#journal-ask-field", Input).value == "whod"
        assert shown.screen.is_current
        assert not shown.screen._with_hindsight


async def test_trades_are_put_in_another_order(path):
    async with opened(path) as shown:
        for _ in range(5):
            await shown.press("o")
        assert "in the order of R" in shown.text()
        results = [one.r for one in shown.screen._listed]
        assert results == sorted(results, reverse=True)
        await shown.press("O")
        assert [one.r for one in shown.screen._listed] == sorted(results)


async def test_groups_by_what_trades_can_be_told_apart_and_enter_shows_those_of_one(path):
    from tapeview.ledger import BY

    async with opened(path) as shown:
        seen = set()
        for _ in BY:
            await shown.press("g")
            seen.add(shown.screen._by)
        assert seen == set(BY)
        await shown.press("g", "g")
        assert shown.screen._by == "hour"
        name = list(shown.screen.groups)[1]
        await shown.press("down", "enter")
        assert shown.screen.page == "trades"
        assert {f"{one.hour:02}" for one in shown.screen.view.trades} == {name}


async def test_enter_on_a_run_shows_its_trades(path):
    async with opened(path) as shown:
        await shown.press("left", "left")
        assert shown.screen.page == "runs"
        await shown.press("down", "enter")  # the newest is the one of drills
        assert {one.run for one in shown.screen.view.trades} == {2}


async def test_the_story_of_a_trade_is_told_and_its_recording_opened_ten_seconds_before(path, tmp_path):
    source = tmp_path / "made"
    source.mkdir()
    other = write(tmp_path / "journal.sqlite", [1.0], source=str(source))
    async with opened(other) as shown:
        await shown.press("enter")
        story = shown.app.screen
        assert isinstance(story, StoryScreen)
        text = shown.text()
        for words in ("The decision", "entry 5000.00, stop 4998.00", "ICEBERG BUY 5000.00", "bought 2 at 5000.00",
                      "sold 2 at 5002.00", "took it late", "plan left", "iceberg, 4.0 s before"):  # fmt: skip
            assert words in text, (words, text)
        await shown.pilot.press("r")
        await shown.pilot.pause()
        screens = [type(one) for one in shown.app.screen_stack]
        assert StoryScreen not in screens
        opening = next((one for one in shown.app.screen_stack if isinstance(one, OpeningScreen)), None)
        if opening is not None:  # else it is over already: there are no rows in that folder
            assert opening._plan.addresses == (str(source),)
            assert opening._plan.at == str(NS + 600 * S - 10 * S)
        await shown.settle()


async def test_a_recording_that_is_gone_is_said_to_be(path):
    async with opened(path) as shown:
        await shown.press("enter")
        await shown.press("r")
        assert "recordings/one is gone" in shown.text() or "recordings/gone is gone" in shown.text()


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
async def test_what_is_listed_is_what_is_written(path, tmp_path, name):
    async with opened(path) as shown:
        await shown.press("slash", *"fade", "enter")
        listed = len(shown.screen._listed)
        await shown.press("w")
        shown.screen.query_one("#journal-ask-field", Input).value = str(tmp_path / name)
        await shown.press("enter")
        assert f"{listed} trades in" in shown.text()
    frame = pl.read_csv(tmp_path / name) if name.endswith("csv") else pl.read_parquet(tmp_path / name)
    assert len(frame) == listed > 0
    assert set(frame["setup"]) == {"fade"}


async def test_a_file_that_cannot_be_written_is_a_sentence(path, tmp_path):
    async with opened(path) as shown:
        for wrong, words in ((tmp_path / "no" / "out.csv", "can be written"), (tmp_path / "out.xls", ".parquet")):
            await shown.press("w")
            shown.screen.query_one("#journal-ask-field", Input).value = str(wrong)
            await shown.press("enter")
            assert words in " ".join(shown.text().split()), words


async def test_a_journal_that_is_missing_foreign_or_damaged_is_a_sentence(tmp_path, path):
    foreign = tmp_path / "foreign.sqlite"
    db = sqlite3.connect(foreign)
    db.execute("create table mine (x)")
    db.commit()
    db.close()
    torn = tmp_path / "torn.sqlite"
    torn.write_bytes(path.read_bytes()[:5000] + b"\xff" * 3000)
    text = tmp_path / "text.sqlite"
    text.write_text("not a database at all\n" * 100)
    for wrong, words in (
        (tmp_path / "none.sqlite", "none has been written yet"), (foreign, "journal of tapeview"), (torn, "journal"),
        (text, "journal of tapeview"),
    ):  # fmt: skip
        async with opened(wrong) as shown:
            for _ in PAGES if wrong is text else PAGES[:1]:
                assert words in " ".join(shown.text().split()), (wrong, shown.text())
                await shown.press("tab")
            await shown.press("enter", "o", "O", "g", "h", "w", "escape")


async def test_a_damaged_record_is_a_sentence_with_its_place(path, tmp_path):
    copy = write(tmp_path / "journal.sqlite", [1.0, 2.0])
    db = sqlite3.connect(copy)
    db.execute("update record set body = '{\"is\":\"closed\"}' where what = 'closed' and n = 4")
    db.commit()
    db.close()
    async with opened(copy) as shown:
        assert "run 1, record 4" in shown.text()


async def test_f3_opens_the_journal_and_leaves_it_again(path, monkeypatch):
    monkeypatch.setenv("TAPEVIEW_JOURNAL", str(path))
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("f3")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, JournalScreen)
        assert screen.path == path
        await screen.workers.wait_for_complete()
        await pilot.press("f3")
        await pilot.pause()
        assert not any(isinstance(one, JournalScreen) for one in app.screen_stack)


async def test_in_ascii_and_without_colours_everything_is_still_told(path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = TapeviewApp(StartPlan(), ascii_only=True)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = JournalScreen(path, app.plan)
        await app.push_screen(screen)
        await pilot.pause()
        await screen.workers.wait_for_complete()
        for _ in PAGES:
            await pilot.pause()
            text = "".join(c for row in screen_cells(app) for c, _ in row)
            assert text.isascii(), [c for c in text if not c.isascii()]
            await pilot.press("tab")

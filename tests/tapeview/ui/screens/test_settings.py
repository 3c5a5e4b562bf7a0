"""The settings screen: finding, editing, bounds, effect at once, alerts an hour, saving and leaving."""

from __future__ import annotations

import contextlib
import time
import tomllib

import pytest

from feeds.recording import open_recording
from tapeview import config
from tapeview.config import Config
from tapeview.playback import Playback
from tapeview.scan import Job, scan_one
from tapeview.snapshot import Window
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens.home import HomeScreen
from tapeview.ui.screens.leave import LeaveScreen
from tapeview.ui.screens.opening import OpeningScreen
from tapeview.ui.screens.settings import SettingsScreen
from tapeview.ui.screens.trade import TradeScreen
from tapeview.watch import thresholds_of
from tests.kit import crowd
from tests.kit.trade import open_trade

MINE = """\
# My settings.

theme = "dark"   # the office is dark

# The screen.
[screen]
fps = 20 # a slow line

# Large prints only.
[detectors.large_print]
quantile = 0.99   # measured in May
"""
SAVED = """\
# My settings.

theme = "light"   # the office is dark

# The screen.
[screen]
# a slow line
recent_s = 45

# Large prints only.
[detectors.large_print]
quantile = 0.985   # measured in May
min_orders = 60
"""


def text_of(app):
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line) for line in strips)


class Desk:
    """The settings screen under a test's hands."""

    def __init__(self, app, pilot):
        self.app, self.pilot = app, pilot
        self.screen = app.screen

    async def until(self, condition):
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end, "it never came"
            await self.pilot.pause(0.01)

    async def go(self, dotted):
        """Open the section of a setting and put the cursor on it."""
        field = next(one for one in self.screen.draft.fields if one.dotted == dotted)
        self.screen._open.add(field.section)
        self.screen._fill()
        listing = self.screen._list
        listing.highlighted = listing.get_option_index(dotted)
        await self.pilot.pause()
        assert self.screen.current is field
        return field

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, dotted, text):
        """Edit a field and type a value, without taking it."""
        await self.go(dotted)
        await self.press("enter", *["full_stop" if c == "." else c for c in text])

    def row(self, dotted):
        """A field's row as it is shown."""
        prompt = self.screen._list.get_option(dotted).prompt
        return prompt.plain

    def value(self, dotted):
        field = next(one for one in self.screen.draft.fields if one.dotted == dotted)
        return self.screen.draft.value(field)


@contextlib.asynccontextmanager
async def open_settings(size=(80, 24), loaded=None):
    """The settings over the home screen."""
    loaded = loaded or config.load()
    app = TapeviewApp(StartPlan(settings=loaded.config, origin=loaded.origin, theme=loaded.config.theme))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press("f2")
        desk = Desk(app, pilot)
        await desk.until(lambda: isinstance(app.screen, SettingsScreen) and app.screen.draft is not None)
        desk.screen = app.screen
        await pilot.pause()
        yield desk


@pytest.fixture
def file():
    path = config.user_file()
    path.parent.mkdir(parents=True)
    path.write_text(MINE)
    return path


QUANTILE = "detectors.large_print.quantile"
ORDERS = "detectors.large_print.min_orders"


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60), (60, 16)])
async def test_sections_fields_and_what_is_told_of_them_are_seen_at_every_size(size, file):
    async with open_settings(size) as desk:
        await desk.go(QUANTILE)
        shown = text_of(desk.app)
        assert all(len(line) <= size[0] for line in shown.splitlines())
        assert "Settings" in shown
        row = next(line for line in shown.splitlines() if line.startswith("▸") and "quantile" in line)
        for part in ("0.99 ", "0.9995") if size[0] > 60 else ("0.99 ",):
            assert part in row
        if size[0] >= 80:
            assert "0.9 to 0.99999" in row
            assert file.name in row
        assert "Share of recent aggressor orders" in " ".join(shown.split())
        await desk.press("slash", *"screen fps", "enter")
        shown = text_of(desk.app)
        assert "fps" in shown
        assert "quantile" not in shown


async def test_up_down_and_enter_open_sections_and_reach_every_field():
    async with open_settings() as desk:
        seen = set()
        for _ in range(400):
            current = desk.screen.current
            if isinstance(current, str):
                if current not in desk.screen._open:
                    await desk.press("enter")
            else:
                seen.add(current.dotted)
            if len(seen) == len(desk.screen.draft.fields):
                break
            desk.screen._list.action_cursor_down()
        assert seen == {one.dotted for one in desk.screen.draft.fields}
        await desk.press("left")
        assert isinstance(desk.screen.current, str)
        closed = desk.screen._list.option_count
        await desk.press("right")
        assert desk.screen._list.option_count > closed


async def test_a_value_is_edited_in_its_row_and_acts_when_taken():
    async with open_settings() as desk:
        await desk.type(QUANTILE, "0.97")
        edit = desk.screen.query_one("#settings-edit")
        row = next(
            n for n, line in enumerate(text_of(desk.app).splitlines()) if line.startswith("▸") and "quant" in line
        )
        assert edit.region.y == row
        assert desk.value(QUANTILE) == 0.9995
        await desk.press("enter")
        assert desk.value(QUANTILE) == 0.97
        assert "*" in desk.row(QUANTILE)
        assert "1 not saved" in text_of(desk.app)
        assert desk.app.plan.settings.detectors == {"large_print": {"quantile": 0.97}}


async def test_a_value_out_of_bounds_is_refused_beside_the_field_and_leaves_it():
    async with open_settings() as desk:
        await desk.type(QUANTILE, "0.5")
        assert "0.9 to 0.99999" in desk.row(QUANTILE)
        await desk.press("enter")
        assert desk.screen._editing is not None
        assert desk.screen.draft.changes == {}
        line = next(line for line in text_of(desk.app).splitlines() if line.startswith("▸"))
        assert "0.9 to 0.99999" in line
        await desk.press("ctrl+s")
        assert not config.user_file().exists()
        await desk.press("escape")
        assert desk.screen._editing is None
        assert desk.value(QUANTILE) == 0.9995


async def test_keys_typed_into_a_field_are_not_commands():
    async with open_settings() as desk:
        await desk.type("source", "a+b-q/?")
        await desk.press("backspace", "enter")
        assert desk.value("source") == "a+b-q/"


async def test_plus_minus_and_backspace_step_and_reset():
    async with open_settings() as desk:
        await desk.go("screen.fps")
        await desk.press("plus", "plus", "minus")
        assert desk.value("screen.fps") == 31
        await desk.press("backspace")
        assert desk.value("screen.fps") == 30
        assert desk.screen.draft.changes == {}


async def test_a_theme_acts_at_once_and_undoing_brings_the_old_one_back():
    async with open_settings() as desk:
        await desk.go("theme")
        await desk.press("plus")
        assert desk.app.theme == "light"
        await desk.press("escape")
        await desk.press("down", "down", "enter")
        assert isinstance(desk.app.screen, HomeScreen)
        assert desk.app.theme == "dark"
        assert desk.app.plan.settings.theme == "dark"


async def test_saving_keeps_comments_and_order(file):
    async with open_settings() as desk:
        await desk.go("theme")
        await desk.press("plus")
        await desk.go("screen.fps")
        await desk.press("backspace")
        await desk.type("screen.recent_s", "45")
        await desk.press("enter")
        await desk.type(QUANTILE, "0.985")
        await desk.press("enter")
        await desk.type(ORDERS, "60")
        await desk.press("ctrl+s")
        assert file.read_text() == SAVED
        assert "5 values saved" in text_of(desk.app)
        assert desk.screen.draft.changes == {}
        assert desk.screen.draft.origin(await desk.go(ORDERS)) == str(file)
        await desk.press("escape")
        assert isinstance(desk.app.screen, HomeScreen)


async def test_an_outlet_that_could_not_begin_is_not_saved_until_it_can(file):
    async with open_settings(size=(120, 36)) as desk:
        await desk.go("outlets.lines.on")
        await desk.press("plus")
        assert "outlets.lines.path" in " ".join(text_of(desk.app).split())
        await desk.press("ctrl+s")
        assert file.read_text() == MINE
        await desk.type("outlets.lines.path", "out")
        await desk.press("enter", "ctrl+s")
        assert file.read_text() == MINE + '\n[outlets.lines]\non = true\npath = "out"\n'
        assert config.load().config.outlets["lines"] == {"on": True, "path": "out"}


async def test_a_file_that_changed_meanwhile_is_not_written_over(file):
    async with open_settings() as desk:
        await desk.go("screen.fps")
        await desk.press("plus")
        file.write_text(MINE + "join_ms = 3\n")
        await desk.press("ctrl+s")
        assert "changed" in " ".join(text_of(desk.app).split())
        assert file.read_text() == MINE + "join_ms = 3\n"
        assert desk.screen.draft.changes
        await desk.press("ctrl+s")
        assert tomllib.loads(file.read_text())["screen"] == {"fps": 21}
        assert tomllib.loads(file.read_text())["detectors"]["large_print"]["join_ms"] == 3


async def test_a_file_that_is_broken_now_is_told_and_left_alone(file):
    loaded = config.load()
    file.write_text("[screen")
    async with open_settings(loaded=loaded) as desk:
        assert "config.toml" in text_of(desk.app)
        await desk.go("screen.fps")
        await desk.press("plus", "ctrl+s")
        assert file.read_text() == "[screen"
        assert desk.screen.draft.changes


@pytest.mark.parametrize(("downs", "saved", "kept"), [(0, True, True), (1, False, True), (2, False, False)])
async def test_leaving_asks_what_becomes_of_changes(downs, saved, kept):
    async with open_settings() as desk:
        await desk.go("screen.fps")
        await desk.press("plus", "escape")
        assert isinstance(desk.app.screen, LeaveScreen)
        await desk.press("escape")
        assert isinstance(desk.app.screen, SettingsScreen)
        await desk.press("f2")
        await desk.press(*["down"] * downs, "enter")
        assert isinstance(desk.app.screen, HomeScreen)
        assert config.user_file().exists() == saved
        assert desk.app.plan.settings.screen.fps == (31 if kept else 30)
        assert desk.app.screen._plan.settings.screen.fps == (31 if kept else 30)
        await desk.press("f2")
        await desk.until(lambda: isinstance(desk.app.screen, SettingsScreen) and desk.app.screen.draft is not None)
        assert bool(desk.app.screen.draft.changes) == (kept and not saved)
        await desk.press("escape")
        assert isinstance(desk.app.screen, HomeScreen)


async def test_escape_leaves_at_once_where_nothing_was_changed():
    async with open_settings() as desk:
        await desk.press("escape")
        assert isinstance(desk.app.screen, HomeScreen)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_the_settings_can_be_drawn_in_ascii_alone(size):
    app = TapeviewApp(StartPlan(settings=Config()), ascii_only=True)
    async with app.run_test(size=size) as pilot:
        await pilot.press("f2")
        desk = Desk(app, pilot)
        await desk.until(lambda: isinstance(app.screen, SettingsScreen) and app.screen.draft is not None)
        desk.screen = app.screen
        await desk.go(QUANTILE)
        for keys in ([], ["plus"], ["enter", "9"], ["escape"], ["slash", "f"], ["escape"], ["escape"]):
            await desk.press(*keys)
            shown = text_of(app)
            assert all(" " <= c <= "~" or c == "\n" for c in shown), (keys, {c for c in shown if not " " <= c <= "~"})
        assert isinstance(app.screen, LeaveScreen)


async def test_nothing_comes_over_a_session_that_is_being_opened(monkeypatch):
    async def never(self):
        pass

    monkeypatch.setattr(OpeningScreen, "_open", never)
    app = TapeviewApp(StartPlan(addresses=("somewhere",), settings=Config()))
    async with app.run_test() as pilot:
        assert isinstance(app.screen, OpeningScreen)
        await pilot.press("f2")
        assert isinstance(app.screen, OpeningScreen)


async def test_leaving_the_filter_keeps_the_setting_that_was_found():
    async with open_settings() as desk:
        await desk.press("slash", *"large_print.quantile", "enter", "down", "escape")
        assert desk.screen.current.dotted == QUANTILE


async def test_no_setting_found_is_told_and_escape_brings_all_back():
    async with open_settings() as desk:
        before = desk.screen._list.option_count
        await desk.press("slash", *"zzz")
        assert "no setting" in text_of(desk.app)
        await desk.press("escape")
        assert desk.screen._list.option_count == before


# -- over a session -------------------------------------------------------------------------------


@pytest.fixture
def address(tmp_path):
    return crowd.record(tmp_path / "crowd").address


@contextlib.asynccontextmanager
async def over_session(address, size=(120, 36), detectors=crowd.STRICT):
    """The settings over a session, paused in its second half."""
    settings = Config(detectors=detectors)
    async with open_trade([address], size=size, at=f"+{crowd.SPAN_MS // 2}ms", settings=settings) as trade:
        await trade.press("f2")
        desk = Desk(trade.app, trade.pilot)
        await desk.until(lambda: isinstance(trade.app.screen, SettingsScreen) and trade.app.screen.draft is not None)
        desk.screen, desk.trade = trade.app.screen, trade
        await desk.pilot.pause()
        yield desk


def alerts_of(playback):
    return playback.snapshot(Window(alert_rows=99)).alerts


def afresh(address, thresholds, ns):
    """What a session opened with thresholds tells at a moment."""
    play = Playback([open_recording(address)], None, thresholds)
    play.seek(ns)
    told = alerts_of(play), play.lane.session.watch_digest()
    play.close()
    return told


async def test_thresholds_act_on_the_session_played_as_if_it_had_been_opened_with_them(address):
    async with over_session(address) as desk:
        playback = desk.trade.playback
        before = alerts_of(playback)
        await desk.type(QUANTILE, "0.9")
        await desk.press("enter")
        await desk.type(ORDERS, "20")
        await desk.press("enter")
        tuning = desk.trade.screen.tuning
        await desk.until(lambda: tuning.share is None)
        thresholds = desk.screen.draft.thresholds()
        assert thresholds["large_print"] == thresholds_of(crowd.LOOSE)["large_print"]
        told, digest = afresh(address, thresholds, playback.market_ns)
        assert alerts_of(playback) == told
        assert playback.lane.session.watch_digest() == digest
        assert told.total > before.total
        await desk.press("escape", "down", "down", "enter")
        await desk.until(lambda: isinstance(desk.app.screen, TradeScreen) and tuning.share is None)
        assert alerts_of(playback) == before


async def test_a_detector_that_is_off_tells_nothing_until_it_is_on_again(address):
    async with over_session(address, detectors=crowd.LOOSE) as desk:
        playback, tuning = desk.trade.playback, desk.trade.screen.tuning
        before = alerts_of(playback)
        assert "large_print" in {line.detector for line in before.lines}
        await desk.go("detectors.large_print.on or off")
        await desk.press("enter")
        await desk.until(lambda: tuning.share is None)
        assert "large_print" not in playback.thresholds
        assert "large_print" not in {line.detector for line in alerts_of(playback).lines}
        await desk.press("enter")
        await desk.until(lambda: tuning.share is None)
        assert alerts_of(playback) == before


async def test_steps_in_quick_succession_end_with_the_last(address):
    async with over_session(address) as desk:
        playback, tuning = desk.trade.playback, desk.trade.screen.tuning
        await desk.go(ORDERS)
        await desk.pilot.press(*["minus"] * 8)
        await desk.until(lambda: tuning.share is None)
        assert playback.thresholds["large_print"].min_orders == desk.value(ORDERS)
        told, digest = afresh(address, desk.screen.draft.thresholds(), playback.market_ns)
        assert (alerts_of(playback), playback.lane.session.watch_digest()) == (told, digest)


async def test_the_session_goes_on_while_detectors_run_anew(address):
    async with over_session(address) as desk:
        playback, trade = desk.trade.playback, desk.trade.screen
        playback.play()
        playback.tick(0)
        await desk.go(ORDERS)
        await desk.press("minus")
        now = 0
        while trade.tuning.share is not None:
            now += 50_000_000
            if not trade._orders.busy:
                playback.tick(now)
            await desk.pilot.pause(0.001)
        playback.pause()
        assert playback.thresholds["large_print"].min_orders == desk.value(ORDERS)
        fresh = Playback([open_recording(address)], None, desk.screen.draft.thresholds())
        fresh.lane.go(seq=playback.lane.session.seq)
        assert playback.lane.session.watch_digest() == fresh.lane.session.watch_digest()
        fresh.close()


async def test_screen_settings_act_on_the_session_at_once(address):
    async with over_session(address) as desk:
        await desk.type("screen.tape_min_lots", "5")
        await desk.press("enter")
        await desk.type("screen.recent_s", "20")
        await desk.press("enter", "escape", "down", "enter")
        await desk.trade.frame()
        window = desk.trade.shown.window
        assert (window.tape_min_lots, window.recent_s) == (5, 20)


async def test_alerts_an_hour_are_those_that_a_scan_counts_and_the_present_value_is_marked(address):
    async with over_session(address) as desk:
        await desk.go(QUANTILE)
        rates = desk.screen.counting.rates
        thresholds = desk.screen.draft.thresholds(silent=True)
        tried = rates.tried("large_print", thresholds)
        await desk.until(lambda: len(rates.known("large_print", thresholds)) == len(tried))
        await desk.until(lambda: not desk.screen.counting.busy)
        await desk.pilot.pause()
        known = rates.known("large_print", thresholds)
        assert len(set(known.values())) > 1
        for value in tried:
            own = {"large_print": {**crowd.STRICT["large_print"], "quantile": value}}
            job = Job(number=0, address=str(address), options=None, settings=Config().engine, thresholds=(own,))
            result = scan_one(job)
            assert known[value] == pytest.approx(result.fires[0]["large_print"] / result.hours)
        shown = text_of(desk.app)
        assert "alerts an hour by quantile" in shown
        marked = [line for line in shown.splitlines() if "▸" in line.partition("│")[2]]
        assert len(marked) == 1
        assert "0.99 " in marked[0]


async def test_a_detector_without_one_knob_says_that_nothing_is_counted(address):
    async with over_session(address) as desk:
        desk.screen.draft.knobs["vwap_setup"] = ""
        await desk.go("detectors.vwap_setup.valid_min")
        await desk.pilot.pause(0.4)
        beside = "".join(line.partition("│")[2] for line in text_of(desk.app).splitlines())
        assert "no one threshold says" in " ".join(beside.split())
        assert not desk.screen.counting.busy


async def test_measuring_ends_when_the_settings_are_left(address, monkeypatch):
    from tapeview import scan

    begun, ended = [], []
    real = scan.scan_one

    def slow(job, told):
        begun.append(job)
        try:
            while True:
                told(0, 1, 100, 0, 0)
                time.sleep(0.005)
        finally:
            ended.append(job)
        return real(job, told)

    monkeypatch.setattr(scan, "scan_one", slow)
    async with over_session(address) as desk:
        await desk.go(QUANTILE)
        await desk.until(lambda: begun)
        await desk.until(lambda: "1%" in text_of(desk.app))
        await desk.press("escape")
        await desk.until(lambda: len(ended) == len(begun))


async def test_leaving_the_session_gives_up_detectors_on_their_way(address):
    async with over_session(address) as desk:
        await desk.go(ORDERS)
        await desk.pilot.press("minus", "f2", "down", "enter", "q")
        await desk.until(lambda: not isinstance(desk.app.screen, TradeScreen))
        assert desk.app.faults == []

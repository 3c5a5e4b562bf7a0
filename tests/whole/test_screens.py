"""Whole screens as pictures, a few; what panels show in detail is tested beside them."""

import pytest

from tapeview.config import Config
from tapeview.engine import warm
from tapeview.playback import open_playback
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens.home import HomeScreen
from tapeview.ui.screens.trade import TradeScreen
from tests.kit.trade import CALM, OPENING, open_trade, record


@pytest.fixture(scope="module", autouse=True)
def _kernels():
    warm()


@pytest.fixture
def picture(snap_compare, tmp_path):
    """Compare a trade screen on the scripted session, after some keys, with its kept picture."""

    def compare(*keys, size, at="+30s", theme="dark"):
        async def prepare(pilot):
            playback = open_playback([str(record(tmp_path))], None, CALM, at=at, paused=True)
            while not all(lane.index_done for lane in playback.lanes):
                await pilot.pause(0.005)
            screen = TradeScreen(playback, Config().screen, timed=False)
            await pilot.app.push_screen(screen)
            for key in [None, *keys]:
                if key is not None:
                    await pilot.press(key)
                while screen._orders.busy:
                    await pilot.pause(0.005)
                screen.frame()
                await pilot.pause()

        app = TapeviewApp(StartPlan(theme=theme, settings=Config()))
        return snap_compare(app, terminal_size=size, run_before=prepare)

    return compare


def test_home_on_a_fresh_machine(snap_compare):
    async def prepare(pilot):
        await pilot.app.push_screen(HomeScreen(pilot.app.plan, fresh=True))
        await pilot.pause()

    assert snap_compare(TapeviewApp(StartPlan(settings=Config())), terminal_size=(80, 24), run_before=prepare)


def test_help_lists_the_keys_in_columns(snap_compare):
    async def prepare(pilot):
        await pilot.press("question_mark")
        await pilot.pause()

    assert snap_compare(TapeviewApp(StartPlan(settings=Config())), terminal_size=(120, 36), run_before=prepare)


def test_a_small_window_has_ladder_tape_and_a_line_of_meters(picture):
    assert picture("up", "up", size=(80, 24))


def test_a_medium_window_has_the_chart_and_the_light_theme_its_colours(picture):
    assert picture("greater_than_sign", size=(120, 36), theme="light")


def test_a_large_window_has_all_panels_in_blue_and_orange(picture):
    assert picture("greater_than_sign", "v", "greater_than_sign", size=(200, 60), theme="deuter")


def test_going_to_a_time_leaves_a_zoomed_tape_in_sight(picture):
    assert picture("tab", "z", "g", "n", "o", "enter", size=(80, 24))


def test_a_window_too_small_has_a_card(picture):
    assert picture(size=(50, 14))


def seen(app):
    """The rows of the screen as text."""
    return ["".join(part.text for part in strip) for strip in app.screen._compositor.render_strips()]


def assert_ascii(app, where):
    for row in seen(app):
        assert all(" " <= c <= "~" for c in row), (where, row)
        assert len(row) == app.size.width, (where, row)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_home_help_and_palette_can_be_drawn_in_ascii_alone(size):
    app = TapeviewApp(StartPlan(settings=Config()), ascii_only=True)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert_ascii(app, "home")
        assert any("> " in row for row in seen(app))
        await pilot.press("o", *"/tmp/é價", "enter")
        while not isinstance(app.screen, HomeScreen):
            await pilot.pause(0.01)
        await pilot.pause()
        assert_ascii(app, "home with an error")
        await pilot.press("escape", "question_mark")
        await pilot.pause()
        assert_ascii(app, "help")
        assert any("Shift+Up" in row for row in seen(app)) or size[1] < 36
        await pilot.press("escape", "ctrl+p")
        await pilot.pause(0.2)
        assert_ascii(app, "palette")


@pytest.mark.parametrize("size", [(50, 14), (80, 24), (120, 36), (200, 60)])
async def test_every_trade_screen_can_be_drawn_in_ascii_alone(size, tmp_path):
    broken = OPENING + " ~500 +401:1 ~100 !gap ~20000 +402:2 ~10000"
    session = [record(tmp_path), record(tmp_path, broken, symbol="MNQ", part_rows=5)]
    async with open_trade(session, size=size, at="+20s", ascii_only=True) as desk:
        assert_ascii(desk.app, "all")
        for keys in (
            ["up", "pageup", "pageup"], ["p"], ["f6"], ["f7"], ["f8"], ["f5"], ["tab", "down", "down", "enter"], ["z"],
            ["z", "tab", "z"], ["z", "v", "w", "plus"], ["g", "n", "enter"], ["escape", "m"], ["alt+2"], ["ctrl+p"],
        ):  # fmt: skip
            await desk.press(*keys)
            await desk.pilot.pause()
            assert_ascii(desk.app, keys)
            if keys == ["alt+2"] and size[0] >= 80:
                assert "::" in desk.text()  # hatched: the book is not live
        assert seen(desk.app)


async def test_ascii_and_unicode_differ_in_nothing_but_their_signs(tmp_path):
    session, shown = [record(tmp_path)], []
    for ascii_only in (False, True):
        async with open_trade(session, size=(200, 60), at="+20s", ascii_only=ascii_only) as desk:
            shown.append(seen(desk.app)[:-1])  # the keys' names are words in ASCII
    for one, other in zip(*shown, strict=True):
        assert [(a, b) for a, b in zip(one, other, strict=True) if a != b and a.isascii() and a != " "] == []

"""Whole screens as pictures, a few; what panels show in detail is tested beside them."""

import pytest

from tapeview.config import Config
from tapeview.engine import warm
from tapeview.playback import open_playback
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens.home import HomeScreen
from tapeview.ui.screens.trade import TradeScreen
from tests.kit.trade import record


@pytest.fixture(scope="module", autouse=True)
def _kernels():
    warm()


@pytest.fixture
def picture(snap_compare, tmp_path):
    """Compare a trade screen on the scripted session, after some keys, with its kept picture."""

    def compare(*keys, size, at="+30s", theme="dark"):
        async def prepare(pilot):
            playback = open_playback([str(record(tmp_path))], None, Config(), at=at, paused=True)
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

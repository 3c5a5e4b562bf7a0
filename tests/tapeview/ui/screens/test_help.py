import pytest

from tapeview.ui import keys
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens.help import HelpScreen


def text_of(app):
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line) for line in strips)


@pytest.mark.parametrize("width", [60, 80, 117, 200])
def test_help_lists_every_binding_at_every_width(width):
    told = HelpScreen({}).text(width).plain
    for listed in keys.everything().values():
        for action in listed:
            assert action.text in told, action
            if action.text:
                assert action.shown in told, action


@pytest.mark.parametrize("width", [80, 117, 200])
def test_no_line_of_help_is_wider_than_the_screen(width):
    assert max(map(len, HelpScreen({}).text(width).plain.splitlines())) <= width


def test_help_tells_a_persons_own_keys():
    told = HelpScreen({"replay.pause": "f12"}).text(100).plain
    line = next(line for line in told.splitlines() if "Play or pause" in line)
    assert "F12" in line.split()


async def test_question_mark_opens_help_and_escape_puts_it_away():
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.pause()
        assert "Find a command" in text_of(app)
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)


async def test_help_scrolls_to_its_last_line():
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        for _ in range(12):
            await pilot.press("pagedown")
        await pilot.pause()
        assert "A page up" in text_of(app)

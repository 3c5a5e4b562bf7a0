import msgspec
import pytest
from textual.widgets import Input, OptionList

from tapeview import bundled
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens.home import HomeScreen
from tapeview.ui.screens.opening import OpeningScreen

NS = 1_000_000_000


def text_of(app):
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line) for line in strips)


def make(folder, name, story, seconds=360, symbol="MES", **more):
    (folder / name).mkdir(parents=True)
    manifest = {
        "format": "tapeview-recording",
        "version": 1,
        "instruments": [{"symbol": symbol}],
        "first_ns": 1_700_000_000 * NS,
        "last_ns": (1_700_000_000 + seconds) * NS,
        "notes": [story],
    } | more
    (folder / name / "manifest.json").write_bytes(msgspec.json.encode(manifest))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    make(tmp_path / "shipped", "breakout", "a range, then not", symbol="BTCUSDT")
    make(tmp_path / "shipped", "quiet-open", "a calm open, then a push")
    monkeypatch.setattr(bundled, "folder", lambda: tmp_path / "shipped")
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """What the home screen would open; the opening itself is another test's."""
    plans = []
    monkeypatch.setattr(OpeningScreen, "on_mount", lambda self: plans.append(self._plan))
    return plans


async def test_enter_on_a_fresh_machine_plays_the_first_bundled_session(shelf, opened):
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await pilot.pause()
    assert [plan.addresses for plan in opened] == [(str(shelf / "shipped" / "quiet-open"),)]


async def test_the_list_tells_name_instrument_length_and_story(shelf):
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        lines = text_of(app).splitlines()
    row = next(line for line in lines if "quiet-open" in line)
    assert row.split()[1:4] == ["quiet-open", "MES", "6:00"]
    assert "a calm open, then a push" in row
    assert any("BTCUSDT" in line and "a range, then not" in line for line in lines)


async def test_a_persons_own_recordings_are_listed(shelf, opened):
    make(bundled.own_folder(), "tuesday", "my capture")
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end", "enter")
        await pilot.pause()
    assert opened[0].addresses == (str(bundled.own_folder() / "tuesday"),)


async def test_a_recording_that_says_where_to_begin_is_begun_there(shelf, opened):
    begin = (1_700_000_000 + 200) * NS
    make(bundled.own_folder(), "tuesday", "my capture", begin_ns=begin)
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end", "enter")
        await pilot.pause()
    assert opened[0].at == str(begin)


async def test_the_session_played_last_comes_first_and_goes_on_where_it_was_left(shelf, opened):
    at = (1_700_000_000 + 100) * NS
    bundled.remember(bundled.Last(str(shelf / "shipped" / "breakout"), "breakout", at, "22:15:00"))
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "left at 22:15:00" in text_of(app)
        await pilot.press("enter")
        await pilot.pause()
    assert opened[0].addresses == (str(shelf / "shipped" / "breakout"),)
    assert opened[0].at == str(at)


async def test_a_last_session_that_is_gone_is_not_offered(shelf):
    bundled.remember(bundled.Last(str(shelf / "nowhere"), "nowhere", None))
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "Played last" not in text_of(app)


async def test_any_address_can_be_typed(shelf, opened):
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o", *"simulator:seed=7", "enter")
        await pilot.pause()
    assert opened[0].addresses == ("simulator:seed=7",)


async def test_letters_that_are_keys_can_be_typed_into_the_field(shelf):
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o", *"q?om")
        assert app.screen.query_one("#home-field", Input).value == "q?om"
        await pilot.press("escape")
        assert isinstance(app.focused, OptionList)


async def test_what_cannot_be_opened_is_said_on_the_home_screen(shelf):
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o", *"/no/such/file", "enter")
        await pilot.pause()
        for _ in range(500):
            if isinstance(app.screen, HomeScreen):
                break
            await pilot.pause(0.02)
        await pilot.pause()
        assert "/no/such/file" in text_of(app)
        assert "expected" in text_of(app)


async def test_a_click_plays_too(shelf, opened):
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        row = next(y for y, line in enumerate(text_of(app).splitlines()) if "breakout" in line)
        await pilot.click(offset=(12, row))
        await pilot.pause()
    assert opened[0].addresses[0].endswith("breakout")


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 36), (200, 60)])
async def test_every_key_that_does_something_is_told_at_every_size(shelf, size):
    app = TapeviewApp(StartPlan())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        last = text_of(app)
        for word in ("quiet-open", "Enter play", "? help", "q quit"):
            assert word in last


async def test_a_broken_manifest_is_passed_over(shelf):
    for name, data in (
        ("torn", b'{"format":'),
        ("list", b"[]"),
        ("odd", b'{"instruments": 5, "notes": {}, "first_ns": "x"}'),
    ):
        (shelf / "shipped" / name).mkdir()
        (shelf / "shipped" / name / "manifest.json").write_bytes(data)
    names = [recorded.name for recorded in bundled.recordings()]
    assert names == ["quiet-open", "breakout", "odd"]

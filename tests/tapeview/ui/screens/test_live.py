"""The live screen: states in words, holes on the tape, instruments that come and go, and keys that only replay has."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from textual.widgets import Input, OptionList

from tapeview import bundled
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens.choose import ChooseScreen
from tapeview.ui.screens.live import LiveScreen
from tapeview.ui.screens.log import LogScreen
from tests.kit.live import BTC, ETH, floor
from tests.kit.trade import CALM


class Seat:
    """An app on a live screen, whose frames the test makes."""

    def __init__(self, app, pilot, screen, it):
        self.app, self.pilot, self.screen, self.it = app, pilot, screen, it

    async def frame(self):
        self.screen.frame(anyway=True)
        await self.pilot.pause()

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.frame()

    def text(self):
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line) for line in strips)

    async def until(self, words, seconds=15):
        async with asyncio.timeout(seconds):
            while words not in self.text():
                await self.frame()
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def seat(*addresses, size=(120, 36), **of_floor):
    async with floor(*addresses, settings=CALM, **of_floor) as it:
        app = TapeviewApp(StartPlan(settings=CALM))
        async with app.run_test(size=size) as pilot:
            screen = LiveScreen(it.market, CALM.screen, last=bundled.Last(addresses[0], "live"), timed=False)
            await app.push_screen(screen)
            seat = Seat(app, pilot, screen, it)
            await seat.frame()
            yield seat


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_a_live_market_tells_what_vouches_for_it(size):
    async with seat(BTC, size=size) as here:
        await here.it.live()
        await here.it.say(60)
        await here.it.caught_up()
        await here.frame()
        text = here.text()
        assert "LIVE ✓" in text
        assert "● live" in text
        assert "messages verified by sequence" in text
        assert "101" in text


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60), (40, 12)])
async def test_a_broken_connection_is_told_in_words_in_every_pane(size):
    async with seat(BTC, size=size) as here:
        await here.it.live()
        await here.it.say(60)
        await here.it.caught_up()
        here.it.venue.refuse = 503
        await here.it.venue.drop(1012, "service restart")
        await here.until("RECONNECTING")
        if size[0] >= 80:
            lines = here.text().splitlines()
            assert "RECONNECTING" in lines[0]
            assert any("next try in" in line for line in lines[3:]), "over the ladder"
            assert sum("RECONNECTING" in line for line in lines) >= 3, "and over the tape"


async def test_a_hole_is_a_line_of_the_tape_with_its_length_and_sums_are_partial():
    async with seat(BTC, size=(200, 60)) as here:
        await here.it.live()
        await here.it.say(60)
        await here.it.caught_up()
        await here.it.venue.cut()
        await here.it.until(lambda: here.it.state() != "live")
        await here.it.live()
        await here.it.say(30)
        await here.it.caught_up()
        await here.until("live again after a gap")
        text = here.text()
        assert "— gap " in text
        assert "seq " in text
        assert text.count("partial since") >= 3


async def test_a_ban_is_told_with_its_end():
    async with seat(BTC) as here:
        await here.it.live()
        here.it.venue.refuse = 429
        await here.it.venue.cut()
        await here.until("BANNED until")
        assert "429" in here.text()


async def test_without_a_venue_the_screen_says_so_and_tries_again():
    async with seat(BTC, listing=False, refuse=503) as here:
        assert "RECONNECTING in" in here.text()
        assert "answers 503" in here.text()


async def test_a_held_picture_says_how_far_behind_it_is():
    async with seat(BTC) as here:
        await here.it.live()
        await here.it.say(30)
        await here.it.caught_up()
        await here.press("p")
        assert "HELD" in here.text()
        assert "behind" in here.text()
        await here.press("p")
        assert "HELD" not in here.text()


@pytest.mark.parametrize("key", ["full_stop", "greater_than_sign", "comma", "left", "right_square_bracket", "g", "r"])
async def test_keys_that_only_replay_has_are_refused_with_a_sentence(key):
    async with seat(BTC, size=(200, 60)) as here:
        await here.it.live()
        await here.press(key)
        for _ in range(20):
            await here.frame()
        assert "a live market cannot" in here.text()


async def test_the_keys_line_tells_the_keys_of_a_live_market():
    async with seat(BTC, size=(200, 60)) as here:
        await here.it.live()
        await here.frame()
        bottom = here.text().splitlines()[-1]
        assert "hold" in bottom
        assert "add" in bottom
        assert "speed" not in bottom


async def test_an_instrument_is_added_from_the_venues_own_list_and_taken_away():
    async with seat(BTC) as here:
        await here.it.live()
        await here.pilot.press("i")
        await here.pilot.pause()
        screen = here.app.screen
        assert isinstance(screen, ChooseScreen)
        screen._rest = here.it.venue.url.replace("ws:", "http:")
        venues = screen.query_one("#choose-venues", OptionList)
        venues.highlighted = [option.id for option in venues.options].index("okx")
        await here.pilot.press("enter")
        async with asyncio.timeout(15):
            while "ETH-X" not in here.text():
                await here.pilot.pause(0.02)
        screen.query_one("#choose-symbol", Input).value = "eth-x"
        await here.pilot.press("enter")
        await here.pilot.pause()
        await here.it.live(1)
        await here.until("▸2 ETH-X")
        assert here.it.market.addresses == [BTC, ETH]
        await here.press("I")
        assert here.it.market.addresses == [BTC]
        await here.press("I")
        assert "the only instrument" in here.text()


async def test_the_choice_can_be_left_and_a_symbol_typed_without_a_list():
    async with seat(BTC) as here:
        await here.pilot.press("i")
        await here.pilot.pause()
        screen = here.app.screen
        screen._rest = "http://127.0.0.1:9"
        venues = screen.query_one("#choose-venues", OptionList)
        venues.highlighted = [option.id for option in venues.options].index("okx")
        await here.pilot.press("enter")
        async with asyncio.timeout(15):
            while "no list" not in here.text():
                await here.pilot.pause(0.02)
        await here.pilot.press("escape")
        assert isinstance(here.app.screen, ChooseScreen)
        await here.pilot.press("escape")
        await here.pilot.pause()
        assert isinstance(here.app.screen, LiveScreen)


async def test_the_log_tells_what_happened_newest_first():
    async with seat(BTC) as here:
        await here.it.live()
        await here.it.venue.cut()
        await here.it.until(lambda: any("live again" in news.text for news in here.it.market.news))
        await here.frame()
        await here.pilot.press("L")
        await here.pilot.pause()
        assert isinstance(here.app.screen, LogScreen)
        text = here.text()
        assert text.index("live again") < text.index("the stream is broken")
        assert "connected" in text
        await here.pilot.press("escape")
        assert isinstance(here.app.screen, LiveScreen)


async def test_a_recording_is_told_with_its_bytes(tmp_path):
    async with seat(BTC, size=(200, 60), record=tmp_path / "kept") as here:
        await here.it.live()
        await here.it.say(20)
        await here.it.caught_up()
        await here.frame()
        assert "● REC" in here.text()

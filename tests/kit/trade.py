"""Scripted recordings and a trade screen whose frames the test makes itself."""

from __future__ import annotations

import contextlib
import time

import numpy as np

from feeds import script
from feeds.instruments import Instrument
from feeds.recording import RecordingWriter
from feeds.source import SourceInfo
from tapeview import detectors
from tapeview.config import Config
from tapeview.playback import open_playback
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens.trade import TradeScreen

CALM = Config(detectors={"off": [name for name in detectors.names() if name != "large_print"]})
"""Settings under which the scripted session has an alerts panel and no alert, whatever detectors there are."""
# Ticks of 0.25: 400 is 100.00. A venue message a word; `~` passes milliseconds.
OPENING = "[ b400:5 b399:7 b398:9 b397:4 b396:3 a401:2 a402:9 a403:6 a404:1 a405:8 ]"
SESSION = " ".join(
    [
        OPENING,
        "~1000 +401:1 a401:1 ~500 b400:8 ~500 -400:3 b400:5 ~500 a402:10",
        *(f"~250 +{401 + n % 3}:{1 + n % 5} ~250 b{399 - n % 3}:{5 + n % 7}" for n in range(120)),
    ]
)


def record(folder, text=SESSION, symbol="MES", part_rows=200):
    """Write a script as a recording and give its path."""
    instrument = Instrument(venue="cme", symbol=symbol, tick="0.25", multiplier="5", currency="USD")
    info = SourceInfo(address="script", format="script", venue="cme", tier="B", verification="chain", bytes=0)
    with RecordingWriter(folder / symbol, info, (instrument,), part_rows=part_rows) as out:
        out.write(script.events(text))
    return folder / symbol


class Desk:
    """An app on a trade screen, with what a test asks of it."""

    def __init__(self, app, pilot, screen):
        self.app, self.pilot, self.screen, self.playback = app, pilot, screen, screen.playback

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.frame()

    async def frame(self):
        """Wait until nothing runs beside the loop, then make a frame."""
        end = time.monotonic() + 30
        while self.screen._orders.busy:
            assert time.monotonic() < end
            await self.pilot.pause(0.005)
        self.screen.frame()
        await self.pilot.pause()

    @property
    def shown(self):
        return self.screen.shown

    @property
    def since_start_ms(self):
        return (self.playback.market_ns - script.START_NS) / 1e6

    def text(self):
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line) for line in strips)


@contextlib.asynccontextmanager
async def open_trade(addresses, size=(120, 36), at="+0s", settings=None, last=None, **of_app):
    """A trade screen on recordings, paused, whose frames the caller makes."""
    plan = StartPlan(settings=settings or CALM)
    app = TapeviewApp(plan, **of_app)
    async with app.run_test(size=size) as pilot:
        playback = open_playback([str(address) for address in addresses], None, plan.settings, at=at, paused=True)
        while not all(lane.index_done for lane in playback.lanes):
            await pilot.pause(0.005)
        screen = TradeScreen(playback, plan.settings.screen, timed=False, last=last)
        await app.push_screen(screen)
        desk = Desk(app, pilot, screen)
        await desk.frame()
        yield desk


def row_of(part, tick):
    """The ladder row of a tick."""
    return int(np.flatnonzero(part.tick == tick)[0])

"""The screen between a choice and the market: it says what is being done while the source is opened beside the loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from feeds.errors import BadInput
from tapeview.bundled import Last
from tapeview.ui.background import beside

if TYPE_CHECKING:
    from tapeview.market import Market
    from tapeview.playback import Playback
    from tapeview.ui.app import StartPlan, TapeviewApp


_FIRST_ROWS_S: Final = 2.0
"""Longest the first rows of a source are waited for before the screen is shown without them."""


class OpeningScreen(Screen[BadInput | None]):
    """Open sources in a thread of their own, then become the trade screen.

    Dismissed with the error where they cannot be opened; with None where the wait is given up.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "give_up", "Give up", id="opening.give-up")]

    def __init__(self, plan: StartPlan) -> None:
        super().__init__()
        self._plan = plan
        self._given_up = False

    @property
    def title_text(self) -> str:
        """What is opened, in a few words."""
        return ", ".join(shorter(address) for address in self._plan.addresses)

    def compose(self) -> ComposeResult:
        """A few still lines."""
        with Vertical(id="opening"):
            yield Static(Content.assemble(("Opening ", "$dim"), (self.title_text, "$loud bold")), id="opening-what")
            yield Static("", id="opening-step")
            yield Static(Content.styled("Esc gives up", "$dim"), id="opening-keys")

    def on_mount(self) -> None:
        """Begin once the first frame is on the terminal."""
        self._say("starting")
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        # A worker of the app's: one of this screen's would be cancelled with it and leave the player open.
        self.app.run_worker(self._open(), name="open")

    def action_give_up(self) -> None:
        """Go back without waiting for what was begun."""
        self._given_up = True
        self._end(None)

    async def _open(self) -> None:
        plan = self._plan
        loop = self.app._loop
        assert loop is not None

        def say(text: str) -> None:
            loop.call_soon_threadsafe(self._say, text)

        try:
            playback = await beside(_load, plan, say)
        except BadInput as error:
            if not self._given_up:
                self._end(error)
            return
        except Exception as error:
            if not cast("TapeviewApp", self.app).has_home:
                raise
            self._end(BadInput(f"{self.title_text}: a fault in the program: {type(error).__name__}: {error}"))
            return
        if self._given_up:
            playback.close()
            return
        from tapeview.ui.screens.live import LiveScreen
        from tapeview.ui.screens.trade import TradeScreen

        screen = (LiveScreen if playback.follows else TradeScreen)(
            playback,
            plan.settings.screen if plan.settings is not None else None,
            last=Last(plan.addresses[0], self.title_text),
        )
        await self.app.switch_screen(screen)

    def _say(self, text: str) -> None:
        for step in self.query("#opening-step").results(Static):
            step.update(Content.styled(text, "$text"))

    def _end(self, error: BadInput | None) -> None:
        app = cast("TapeviewApp", self.app)
        if app.has_home:
            self.dismiss(error)
        elif error is not None:
            app.fail(error)
        else:
            app.exit()


def shorter(address: str) -> str:
    """An address in a few words: the last part of a path."""
    if address.startswith(("simulator:", "live:")):
        return address.removeprefix("live:")
    return Path(address).name or address


def _load(plan: StartPlan, say: Callable[[str], None]) -> Market:
    live = [address.startswith("live:") for address in plan.addresses]
    if any(live) and not all(live):
        raise BadInput("sources", ", ".join(plan.addresses), "either live instruments or recordings, not both at once")
    return _connect(plan, say) if any(live) else _play(plan, say)


def _connect(plan: StartPlan, say: Callable[[str], None]) -> Market:
    say("loading the engine")
    import tapeview.ui.screens.live  # noqa: F401
    from tapeview.config import Config, Loaded, thresholds
    from tapeview.live import open_market

    say("asking the venue for its instruments")
    return open_market(
        plan.addresses, plan.live, plan.settings, thresholds(Loaded(plan.settings or Config(), dict(plan.origin))),
        plan.recorded, plan.desk,
    )  # fmt: skip


def _play(plan: StartPlan, say: Callable[[str], None]) -> Playback:
    # Imports, the first rows and the first picture take longest; the loop need not stop for them.
    say("loading the engine")
    import tapeview.ui.screens.trade  # noqa: F401
    from tapeview.config import Config, Loaded, thresholds
    from tapeview.playback import open_playback

    left = plan.at is not None and plan.at.isdigit()
    going = "going to where it was left" if left else f"going to {plan.at}"
    say("reading the beginning of the source" if plan.at is None else going)
    playback = open_playback(
        plan.addresses, plan.options, plan.settings, at=plan.at, paused=plan.paused, speed=plan.speed,
        thresholds=thresholds(Loaded(plan.settings or Config(), dict(plan.origin))), desk=plan.desk,
    )  # fmt: skip
    try:
        first_frame(playback)
    except BaseException:
        playback.close()
        raise
    return playback


def first_frame(playback: Playback) -> None:
    """Bring a player to its first moment, for a thread: afterwards every frame is a small one."""
    from tapeview.snapshot import Window

    if playback.market_ns is None and not playback.playing and playback.start_ns is not None:
        playback.seek(playback.start_ns)
    give_up = time.monotonic() + _FIRST_ROWS_S
    while playback.market_ns is None and time.monotonic() < give_up:
        playback.tick(time.monotonic_ns())
        time.sleep(0.005)
    playback.snapshot(Window(rows=40, tape_rows=40, chart_columns=80))

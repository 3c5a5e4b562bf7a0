"""Pictures of the screens, from the bundled recordings at fixed moments: the same every time."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from textual.pilot import Pilot

from feeds.errors import BadInput
from feeds.recording import open_recording
from tapeview.backoffice import BackOffice
from tapeview.bundled import recordings
from tapeview.config import Config
from tapeview.desk.commands import MARKET, Arm, Bracket, Flatten, Place
from tapeview.desk.limits import Limits
from tapeview.desk.settings import BracketSettings, DeskSettings
from tapeview.drill.choice import Choice, Rules
from tapeview.drill.hidden import HiddenMarket
from tapeview.drill.question import draw_question
from tapeview.drill.skill import skill
from tapeview.playback import Playback, open_playback
from tapeview.snapshot import Window
from tapeview.trading import Plan
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens.drill import DrillScreen
from tapeview.ui.screens.home import HomeScreen
from tapeview.ui.screens.journal import JournalScreen
from tapeview.ui.screens.trade import TradeScreen
from tapeview.watch import default_thresholds

_TRADED: Final = Config(desk=DeskSettings(limits=Limits(orders_minute=600, cooldown_min=0, losses_stop=20)))
"""One who never rests, for a picture with trades in it."""
_PRINTS: Final = 40
"""Prints after which a trade of the journal's picture is closed by hand."""
_FONTS: Final = "DejaVu Sans Mono, Menlo, Consolas, Liberation Mono, monospace"


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: which screen, how large, when."""

    name: str
    size: tuple[int, int]
    theme: str = "dark"
    recording: str = ""
    """Empty for the home screen."""
    at: str = ""
    cursor_rows: int = 4
    """Rows above the touch the cursor is put on."""
    drill: int | None = None
    """Seed of a drill that waits for its call, in place of the trade screen."""
    trades: int = 0
    """Trades made in the recording, of which the journal is shown in place of it."""
    desk: DeskSettings | None = None
    """How it is traded on; None where it is only watched."""
    acts: tuple[str | int, ...] = ()
    """Keys that are pressed, and numbers of prints that pass."""


_NEAR: Final = DeskSettings(bracket=BracketSettings(stop_ticks=6, targets=[6, 10]))
_SMALL: Final = DeskSettings(equity="1000", limits=Limits(daily_loss=0.004))
_ENTRY: Final[tuple[str | int, ...]] = (*["down"] * 9, "a", "b", 10, "2", "B", 60)
"""One lot that waits below, then two at market with their bracket."""
SHOTS: Final = (
    Shot("home", (80, 24)),
    Shot("trade-80x24", (80, 24), recording="quiet-open", at="+150s"),
    Shot("trade-120x36", (120, 36), recording="quiet-open", at="+200s"),
    Shot("trade-200x60", (200, 60), recording="perp-breakout", at="+180s"),
    Shot("journal-120x36", (120, 36), recording="quiet-open", at="+20s", trades=22),
    Shot("drill-120x36", (120, 36), drill=11),
    Shot("theme-light", (120, 36), "light", "perp-breakout", "+120s"),
    Shot("theme-deuter", (120, 36), "deuter", "quiet-open", "+280s"),
    Shot("armed-120x36", (120, 36), recording="quiet-open", at="+110s", desk=_NEAR, acts=("a", "3")),
    Shot("position-120x36", (120, 36), recording="quiet-open", at="+110s", desk=_NEAR, acts=_ENTRY),
    Shot("position-200x60", (200, 60), recording="quiet-open", at="+110s", desk=_NEAR, acts=_ENTRY),
    Shot("locked-120x36", (120, 36), recording="quiet-open", at="+110s", desk=_SMALL, acts=("a", "k", "B", 140, "up")),
)
"""Every picture in screenshots/."""


def rebuild(folder: Path) -> Iterator[Path]:
    """Make every picture, one file after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    for shot in SHOTS:
        path = folder / f"{shot.name}.svg"
        path.write_text(picture(shot), encoding="utf-8")
        yield path


def picture(shot: Shot) -> str:
    """One picture as SVG; raises BadInput where its recording is not there."""
    return asyncio.run(_picture(shot))


async def _picture(shot: Shot) -> str:
    settings = Config(desk=shot.desk) if shot.desk is not None else Config()
    with _no_colour_variables(), tempfile.TemporaryDirectory(prefix="tapeview-") as folder:
        app = TapeviewApp(StartPlan(theme=shot.theme, settings=settings))
        app.ansi_color = False
        office = BackOffice(settings, Path(folder) / "journal.db")
        try:
            async with app.run_test(size=shot.size, headless=True) as pilot:
                if shot.drill is not None:
                    await _drill(shot.drill, pilot)
                elif shot.trades:
                    await _journal(shot, pilot)
                elif shot.recording:
                    plan = Plan(office) if shot.desk is not None else None
                    await _play(shot, _open(shot, settings, plan), pilot, office)
                else:
                    await app.push_screen(HomeScreen(app.plan, fresh=True))
                await pilot.pause()
                what = "drill" if shot.drill is not None else "journal" if shot.trades else shot.recording or "home"
                svg = app.export_screenshot(title=f"tapeview · {what}", simplify=True)
        finally:
            office.close()
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", _FONTS).replace("Fira Code", _FONTS)
    return svg.replace("<text ", '<text xml:space="preserve" ')


async def _drill(seed: int, pilot: Pilot[None]) -> None:
    """A drill on a bundled recording, called and not yet sure."""

    def opened(choice: Choice) -> Playback:
        return Playback([open_recording(choice.address)], Config(), default_thresholds())

    question, playback = draw_question(recordings(), Rules(), seed, opened)
    market = HiddenMarket(playback, question)
    market.to_stop()
    screen = DrillScreen(market, Config().screen, lambda _: skill(()), lambda _: None, timed=False)
    await pilot.app.push_screen(screen)
    await pilot.pause()
    screen.frame(anyway=True)
    await pilot.press("shift+up", "right")
    screen.frame(anyway=True)


async def _journal(shot: Shot, pilot: Pilot[None]) -> None:
    """The journal of trades made in a recording, in at market and out by bracket or by hand."""
    with tempfile.TemporaryDirectory(prefix="tapeview-") as folder:
        path = Path(folder) / "journal.sqlite"
        office = BackOffice(_TRADED, path)
        playback = _open(shot, _TRADED, Plan(office))
        try:
            for n in range(shot.trades):
                _trade(playback, n)
        finally:
            playback.close()
            office.close()
        screen = JournalScreen(path, StartPlan())
        await pilot.app.push_screen(screen)
        await pilot.pause()
        await screen.workers.wait_for_complete()
        await pilot.pause()


def _trade(playback: Playback, n: int) -> None:
    bracket = Bracket(stop_ticks=4, targets=((6, 100),))
    setup = ("fade", "breakout", "iceberg bounce")[n % 3]
    playback.send(Arm())
    playback.send(
        Place(side=1 if n % 5 < 3 else -1, lots=1 + n % 2, kind=MARKET, bracket=bracket, setup=setup, sure=0.6)
    )
    for _ in range(_PRINTS):
        playback.step_trade()
        desk = playback.snapshot(Window()).desk
        if desk is not None and not desk.position and not desk.orders:
            return
    playback.send(Flatten())
    while (desk := playback.snapshot(Window()).desk) is not None and (desk.position or desk.orders):
        playback.step_trade()


async def _play(shot: Shot, playback: Playback, pilot: Pilot[None], office: BackOffice) -> None:
    screen = TradeScreen(playback, Config().screen, timed=False)
    await pilot.app.push_screen(screen)
    await pilot.pause()
    screen.frame(anyway=True)
    await pilot.press("home", *["up"] * shot.cursor_rows)
    screen.frame(anyway=True)
    for act in shot.acts:
        if isinstance(act, str):
            await pilot.press(act)
        else:
            for _ in range(act):
                playback.step_trade()
        screen.frame(anyway=True)
        await pilot.pause()
    # A few events more, so that the picture shows something happening.
    for _ in range(6):
        playback.step_trade()
        screen.frame(anyway=True)
    playback.play()
    if shot.desk is not None:
        screen.say("")
        office.open().wait()
        await pilot.pause()
    screen.frame(anyway=True)


def _open(shot: Shot, settings: Config, plan: Plan | None) -> Playback:
    found = next((recorded for recorded in recordings() if recorded.name == shot.recording), None)
    if found is None:
        raise BadInput("recording", shot.recording, "one of the bundled recordings")
    playback = open_playback([found.path], None, settings, at=shot.at, paused=True, desk=plan)
    while not all(lane.index_done or playback.failure for lane in playback.lanes):
        time.sleep(0.01)
    return playback


@contextmanager
def _no_colour_variables() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in ("NO_COLOR", "COLORTERM") if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)

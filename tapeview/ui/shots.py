"""Pictures of the screens, from the bundled recordings at fixed moments: the same every time."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feeds.errors import BadInput
from tapeview.bundled import recordings
from tapeview.config import Config
from tapeview.playback import Playback, open_playback
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens.home import HomeScreen
from tapeview.ui.screens.trade import TradeScreen

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


SHOTS: Final = (
    Shot("home", (80, 24)),
    Shot("trade-80x24", (80, 24), recording="quiet-open", at="+150s"),
    Shot("trade-120x36", (120, 36), recording="quiet-open", at="+200s"),
    Shot("trade-200x60", (200, 60), recording="perp-breakout", at="+180s"),
    Shot("theme-light", (120, 36), "light", "perp-breakout", "+120s"),
    Shot("theme-deuter", (120, 36), "deuter", "quiet-open", "+280s"),
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
    with _no_colour_variables():
        app = TapeviewApp(StartPlan(theme=shot.theme, settings=Config()))
        app.ansi_color = False
        async with app.run_test(size=shot.size, headless=True) as pilot:
            if shot.recording:
                playback = _open(shot)
                screen = TradeScreen(playback, Config().screen, timed=False)
                await app.push_screen(screen)
                await pilot.pause()
                screen.frame(anyway=True)
                await pilot.press("home", *["up"] * shot.cursor_rows)
                screen.frame(anyway=True)
                # A few events more, so that the picture shows something happening.
                for _ in range(6):
                    playback.step_trade()
                    screen.frame(anyway=True)
                playback.play()
                screen.frame(anyway=True)
            else:
                await app.push_screen(HomeScreen(app.plan, fresh=True))
            await pilot.pause()
            svg = app.export_screenshot(title=f"tapeview · {shot.recording or 'home'}", simplify=True)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", _FONTS).replace("Fira Code", _FONTS)
    return svg.replace("<text ", '<text xml:space="preserve" ')


def _open(shot: Shot) -> Playback:
    found = next((recorded for recorded in recordings() if recorded.name == shot.recording), None)
    if found is None:
        raise BadInput("recording", shot.recording, "one of the bundled recordings")
    playback = open_playback([found.path], None, Config(), at=shot.at, paused=True)
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

"""Other thresholds for the session that is played: prepared beside it, put in their place when they are ready."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tapeview.ui.background import beside

if TYPE_CHECKING:
    from tapeview.detectors._declare import Thresholds
    from tapeview.market import Market


class Tuning:
    """Take wishes for other thresholds; only the newest counts, and one still on its way is given up for it."""

    def __init__(
        self,
        playback: Market,
        later: Callable[[Callable[[], None]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """`later` makes a call when nobody else uses the player."""
        self.share: float | None = None
        """How far the newest wish has got, None while there is none."""
        self.done = 0
        """Wishes fulfilled so far."""
        self._playback = playback
        self._later = later
        self._failed = failed
        self._wanted: Mapping[str, Thresholds] | None = None
        self._stop = threading.Event()

    def ask(self, thresholds: Mapping[str, Thresholds]) -> bool:
        """Wish for thresholds; True where `run` is to be started."""
        idle = self.share is None
        if idle and thresholds == self._playback.thresholds:
            return False
        self._wanted = thresholds
        self._stop.set()
        self.share = 0.0
        return idle

    def stop(self) -> None:
        """Give up what is on its way."""
        self._wanted = None
        self._stop.set()

    def _tell(self, share: float) -> None:
        self.share = share

    async def run(self) -> None:
        """Fulfil the wishes there are."""
        try:
            while self._wanted is not None:
                wanted, self._wanted = self._wanted, None
                self._stop = stop = threading.Event()
                try:
                    prepared = await beside(self._playback.prepare, wanted, stop, self._tell)
                    if prepared is not None and not stop.is_set():
                        await self._adopt(prepared)
                        self.done += 1
                except Exception as error:
                    if not stop.is_set():
                        self._failed(error)
        finally:
            self.share = None

    async def _adopt(self, prepared: Any) -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def adopt() -> None:
            try:
                self._playback.adopt(prepared)
            finally:
                loop.call_soon_threadsafe(over.set)

        self._later(adopt)
        await over.wait()

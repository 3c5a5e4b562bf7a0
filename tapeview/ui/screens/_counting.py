"""Counting alerts beside the settings: begun when the cursor rests on a detector, given up when it goes on."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.content import Content

from feeds.errors import BadInput
from tapeview.ui.background import beside
from tapeview.ui.screens import _setting_rows as draw
from tapeview.ui.screens._rates import Rates, Stopped

if TYPE_CHECKING:
    from tapeview.detectors._declare import Thresholds
    from tapeview.market import Market


class Counting:
    """Alerts an hour of one detector after another on the session that is played, one at a time."""

    def __init__(self, playback: Market | None) -> None:
        self.busy = ""
        """The detector whose alerts are being counted; empty where none's are."""
        self.trouble = ""
        """Why the last count came to nothing."""
        self._share = 0.0
        self._compiled = False
        self._stop = threading.Event()
        self._playback = playback
        recording = playback.recording if playback is not None else None
        self.rates: Rates | None = None
        if playback is not None and recording is not None:
            self.rates = Rates(str(recording.address), playback.settings.engine)

    def stop(self) -> None:
        """Give up what is being counted."""
        self._stop.set()
        self.busy = ""

    def missing(self) -> str:
        """Why alerts cannot be counted now; empty where they can."""
        from tapeview.engine import ready
        from tapeview.engine._jit import cached

        if self.rates is None or self._playback is None:
            return "counted on the session that is played, and none is"
        if self._playback.reading:
            return "counted when all of the file has been read"
        # The engine is ready before the detectors are; counting would compile them in the screen's own process.
        self._compiled = self._compiled or (ready() and cached())
        return "" if self._compiled else "counted when kernels are compiled"

    def wanted(self, name: str, thresholds: Mapping[str, Thresholds]) -> bool:
        """Whether anything is left to be counted of a detector, and can be."""
        if self.missing() or self.rates is None:
            return False
        known = self.rates.known(name, thresholds)
        return any(value not in known for value in self.rates.tried(name, thresholds))

    async def run(self, name: str, thresholds: Mapping[str, Thresholds]) -> None:
        """Count a detector's alerts, instead of what is being counted."""
        assert self.rates is not None
        self.stop()
        self._stop = stop = threading.Event()
        self.busy, self.trouble, self._share = name, "", 0.0

        def told(share: float) -> None:
            if self._stop is stop:
                self._share = share

        try:
            await beside(self.rates.measure, name, thresholds, stop, told)
        except Stopped:
            return
        except BadInput as error:
            self.trouble = str(error)
        if self._stop is stop:
            self.busy = ""

    def told(self, name: str, knob: str, thresholds: Mapping[str, Thresholds], width: int, height: int) -> Content:
        """What is known of a detector's alerts an hour, the present value of its knob marked."""
        missing = self.trouble or self.missing()
        if missing or self.rates is None:
            return Content.styled(f"alerts an hour: {missing}", "$dim")
        known = self.rates.known(name, thresholds)
        pairs = [(value, known.get(value)) for value in self.rates.tried(name, thresholds)]
        whole = f"{self._share:.0%}" if self.busy == name else draw.length(self.rates.hours)
        return draw.rates(knob, pairs, float(getattr(thresholds[name], knob)), whole, width, height)

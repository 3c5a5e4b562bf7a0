"""The state machine of one market: events in, book, tape, VWAP and a frame of facts out."""

from __future__ import annotations

from tapeview.engine._jit import failure, ready, start_background, warm
from tapeview.engine.engine import Engine, Outcome
from tapeview.engine.frame import FRAME
from tapeview.engine.settings import EngineSettings
from tapeview.engine.state import BAR, LEVEL, PRINT

__all__ = [
    "BAR",
    "FRAME",
    "LEVEL",
    "PRINT",
    "Engine",
    "EngineSettings",
    "Outcome",
    "failure",
    "ready",
    "start_background",
    "warm",
]

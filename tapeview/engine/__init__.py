"""The state machine of one market: events in, book, tape, VWAP and a frame of facts out.

Only the settings are imported with the package; the rest, which needs numpy, comes with the first name asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapeview.engine.settings import EngineSettings

if TYPE_CHECKING:
    from tapeview.engine._jit import failure, ready, start_background, wanted, warm
    from tapeview.engine.engine import Engine, Outcome
    from tapeview.engine.frame import FRAME
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
    "wanted",
    "warm",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Every kernel is registered before any name is given out, so that `warm` misses none.
    from tapeview.engine import _jit as jit
    from tapeview.engine import engine, frame, reading, state

    for home in (jit, engine, frame, reading, state):
        for known in __all__:
            if hasattr(home, known):
                globals().setdefault(known, getattr(home, known))
    return globals()[name]

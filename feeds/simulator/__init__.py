"""Markets that can be had anywhere: seeded, deterministic, matched by price and time.

Two profiles tell a story: `mes` is order by order, like a Micro E-mini future; `perp` is a crypto perpetual as Binance
USD-M would send it. In four others (`feeds.simulator.markets`) events are planted, and the truth about each of them
is written down, so that detectors can be scored. The same address gives the same rows on every machine: all draws are
integers. A shorter story is the beginning of a longer one.
"""

from __future__ import annotations

from feeds.simulator.planted import Planted, Wish, open_simulator, parse_wish
from feeds.simulator.recorder import write_planted, write_recording
from feeds.simulator.seeds import seeds_of, set_of
from feeds.simulator.source import Simulator
from feeds.simulator.tape import Tape, generate

__all__ = [
    "Planted",
    "Simulator",
    "Tape",
    "Wish",
    "generate",
    "open_simulator",
    "parse_wish",
    "seeds_of",
    "set_of",
    "write_planted",
    "write_recording",
]

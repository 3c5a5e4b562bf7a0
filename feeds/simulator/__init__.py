"""A market that can be had anywhere: seeded, deterministic, matched by price and time, in two profiles.

`mes` is order by order, like a Micro E-mini future; `perp` is a crypto perpetual as Binance USD-M would send it.
The same address gives the same rows on every machine: all draws are integers from raw PCG64 words. A shorter
session is the beginning of a longer one.
"""

from __future__ import annotations

from feeds.simulator.recorder import write_recording
from feeds.simulator.source import Simulator, open_simulator

__all__ = ["Simulator", "open_simulator", "write_recording"]

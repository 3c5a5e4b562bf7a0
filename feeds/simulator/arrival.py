"""When the rows of an order feed are received: one latency a message, never going backwards."""

from __future__ import annotations

from typing import Final

import numpy as np

from feeds.events import LAST, Events
from feeds.simulator.draws import CELLS, UNIT, BlockDraws, exponential

LATENCY_NS: Final = 180_000
"""Least time from the exchange to the receiver."""
JITTER_NS: Final = 60_000
"""Mean of what comes on top, exponential, whole microseconds."""


class Arrival:
    """Receive times of an order feed: one latency a message, never going backwards."""

    def __init__(self, seed: int) -> None:
        self._draws = BlockDraws(seed, 9)
        self._jitter = np.array(exponential()[:CELLS], dtype=np.int64) * JITTER_NS // (UNIT * 1000) * 1000
        self._last_ns = 0

    def stamp(self, rows: Events) -> Events:
        """Set recv_ns of whole messages."""
        ends = (rows["marks"] & LAST) != 0
        message = np.cumsum(ends) - ends
        jitter = self._jitter[(self._draws.words(int(ends.sum())) & np.uint64(CELLS - 1)).astype(np.int64)]
        recv = rows["exch_ns"] + LATENCY_NS + jitter[message]
        recv[0] = max(int(recv[0]), self._last_ns)
        rows["recv_ns"] = np.maximum.accumulate(recv)
        self._last_ns = int(rows["recv_ns"][-1])
        return rows

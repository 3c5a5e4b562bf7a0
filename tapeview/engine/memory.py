"""The arrays behind one engine, and how they are before any event."""

from __future__ import annotations

from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from feeds.events import NONE
from feeds.instruments import Instrument
from tapeview.engine.settings import EngineSettings
from tapeview.engine.state import (
    BAR,
    CELL,
    EXTRA,
    FLOW,
    FLOW_START,
    MERGED,
    MINUTE_BARS,
    NO_KEY,
    ORDER,
    PAGE,
    PAGE_SLOT,
    PRINT,
    RING,
    SECOND_BARS,
    SPILL,
    STATE,
    WINDOW,
)  # fmt: skip

_MS: Final = 1_000_000
TABLE_START: Final = 256
"""Slots of a growing table at first."""


class Memory:
    """The state record and the tables beside it; `put` is the one way to give it a table."""

    def __init__(self) -> None:
        self.state = np.zeros(1, STATE)
        self.tables: dict[str, NDArray[Any]] = {}
        self.put("spill", np.zeros(TABLE_START, SPILL))
        self.put("order", np.zeros(TABLE_START, ORDER))
        self.put("extra", np.zeros(TABLE_START, EXTRA))
        self.put("page", np.zeros(TABLE_START, PAGE_SLOT))
        self.put("cell", np.zeros(TABLE_START // 2 * PAGE * 3, CELL))
        self.put("flow", np.zeros(FLOW_START, FLOW))
        self.put("ring", np.zeros(RING, PRINT))
        self.put("merged", np.zeros(MERGED, PRINT))
        self.put("bar", np.zeros(SECOND_BARS + MINUTE_BARS, BAR))

    def __reduce__(self) -> NoReturn:
        # The record holds addresses of this object's own tables: a copy of it would write into them.
        raise TypeError("an engine is copied by save and load")

    def put(self, name: str, table: NDArray[Any]) -> NDArray[Any]:
        """Make an array the table of that name; give the one it replaces (itself the first time)."""
        old = self.tables.get(name, table)
        self.tables[name] = table
        self.state[f"{name}_at"] = table.ctypes.data
        self.state[f"{name}_slots"] = len(table)
        return old


def fresh(instrument: Instrument, settings: EngineSettings, inst: int | None) -> Memory:
    """Make the memory of an engine that has seen nothing; `inst` None takes the rows of every instrument."""
    memory = Memory()
    s = memory.state[0]
    s["inst"] = -1 if inst is None else inst
    s["fine"] = instrument.price.fine
    s["fine_lot"] = instrument.size.fine
    s["locked_ok"] = instrument.locked_ok
    s["depth_ticks"] = settings.depth_ticks
    s["merge_ns"] = settings.merge_ms * _MS
    s["stale_ns"] = settings.stale_ms * _MS
    s["big_share"] = round(settings.big_print_quantile * 10_000)
    for name in (
        "seq", "recv_ns", "exch_ns", "venue_seq", "day_end_ns", "live_since_ns", "last_book_ns",
        "median_gap_ns", "gap_lost", "gap_ns", "gap_at_ns", "open", "high", "low", "close", "first_ns", "last_ns",
        "pace_ns", "anchor_ns", "bar_end_ns", "none",
    ):  # fmt: skip
        s[name] = NONE
    for name in ("top_cell", "top_key", "best", "wall_key", "told_key"):
        s[name] = NO_KEY
    s["anchor_on"][0] = 1
    s["low_key"] = (-(WINDOW // 2), -(WINDOW // 2) + 1)
    return memory

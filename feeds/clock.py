"""CLOCK rows at fixed boundaries of receive time, from the stream alone.

A row is due at every multiple of 100 ms that receive time passes. A long silence is thinned so that a gap of
days stays small: all boundaries for the first 60 s, then whole seconds for the first hour, then whole minutes
for a year, then whole days, so that a damaged time centuries ahead costs some 600,000 rows.
A live timer that fires `due` in silence and a replay that calls `Clock.insert` give the same rows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from feeds.events import CLOCK, EVENT, EVERY, LAST, NONE, Events

TICK_NS: Final = 100_000_000
"""Distance of the boundaries in ns."""
_ALL: Final = 600
_SECONDS: Final = 36_000
_MINUTES: Final = 316_224_000


def boundaries(before: int, after: int) -> NDArray[np.int64]:
    """Boundary numbers in (before, after] at which a CLOCK row is due when `before` was the last active one."""
    near = np.arange(before + 1, min(after, before + _ALL) + 1, dtype=np.int64)
    if after <= before + _ALL:
        return near
    first = -(-(before + _ALL + 1) // 10) * 10
    seconds = np.arange(first, min(after, before + _SECONDS) + 1, 10, dtype=np.int64)
    first = -(-(before + _SECONDS + 1) // 600) * 600
    minutes = np.arange(first, min(after, before + _MINUTES) + 1, 600, dtype=np.int64)
    first = -(-(before + _MINUTES + 1) // 864_000) * 864_000
    days = np.arange(first, after + 1, 864_000, dtype=np.int64)
    return np.concatenate([near, seconds, minutes, days])


def clock_rows(numbers: NDArray[np.int64]) -> Events:
    """Make the CLOCK rows of some boundary numbers."""
    rows = np.zeros(len(numbers), dtype=EVENT)
    rows["recv_ns"] = numbers * TICK_NS
    rows["exch_ns"] = NONE
    rows["ref"] = NONE
    rows["inst"] = EVERY
    rows["kind"] = CLOCK
    rows["marks"] = LAST
    return rows


class Clock:
    """Insert CLOCK rows into batches and number the rows; the same whatever the batches."""

    def __init__(self, next_seq: int = 0, boundary: int | None = None) -> None:
        self.next_seq = next_seq
        self.boundary = boundary
        """Last boundary passed by a row, None before the first."""
        self._fired = NONE if boundary is None else boundary

    def due(self, now_ns: int) -> Events:
        """Give the CLOCK rows due in a silence that has lasted until now; later rows must not be received before."""
        if self.boundary is None:
            return clock_rows(np.zeros(0, np.int64))
        numbers = boundaries(self.boundary, now_ns // TICK_NS)
        rows = clock_rows(numbers[numbers > self._fired])
        if len(rows):
            self._fired = int(numbers[-1])
            rows["seq"] = np.arange(self.next_seq, self.next_seq + len(rows))
            self.next_seq += len(rows)
        return rows

    def insert(self, rows: Events) -> Events:
        """Return rows with the CLOCK rows due before them, `seq` filled in."""
        if not len(rows):
            return rows
        reached = np.maximum.accumulate(rows["recv_ns"] // TICK_NS)
        before = int(reached[0]) if self.boundary is None else self.boundary
        np.maximum(reached, before, out=reached)
        steps = np.flatnonzero(np.diff(reached, prepend=before))
        self.boundary = int(reached[-1])
        self._fired = max(self._fired, before)
        if len(steps):
            lasts = np.concatenate(([before], reached[steps[:-1]]))
            spans = zip(lasts.tolist(), reached[steps].tolist(), strict=True)
            numbers = np.concatenate([boundaries(last, now) for last, now in spans])
            numbers = numbers[numbers > self._fired]
            self._fired = self.boundary
            due = np.searchsorted(reached, numbers) + np.arange(len(numbers))
            out = np.empty(len(rows) + len(numbers), EVENT)
            kept = np.ones(len(out), dtype=bool)
            kept[due] = False
            out[due], out[kept] = clock_rows(numbers), rows
            rows = out
        elif not rows.flags.writeable:
            rows = rows.copy()
        rows["seq"] = np.arange(self.next_seq, self.next_seq + len(rows))
        self.next_seq += len(rows)
        return rows

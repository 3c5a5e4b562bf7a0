"""EVENT rows as one contiguous array a field, and back, at memory speed."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feeds.events import EVENT, Events

Column = NDArray[Any]
_WIDE: Final = ("recv_ns", "exch_ns", "seq", "tick", "lots", "ref", "aux")
_SMALL: Final = ("inst", "kind", "side", "marks")
_ROWS: Final = 4096


def split(rows: Events) -> dict[str, Column]:
    """Copy rows into columns; one pass over the rows instead of one a field."""
    words = np.ascontiguousarray(rows).view("<i8").reshape(-1, 8)
    wide = np.empty((8, len(rows)), "<i8")
    for start in range(0, len(rows), _ROWS):
        wide[:, start : start + _ROWS] = words[start : start + _ROWS].T
    columns: dict[str, Column] = dict(zip(_WIDE, wide, strict=False))
    last = wide[7].view(np.dtype([(name, EVENT[name]) for name in _SMALL]))
    columns |= {name: np.ascontiguousarray(last[name]) for name in _SMALL}
    return columns


def assemble(columns: dict[str, Column], count: int) -> Events:
    """Put columns together as rows, a cache's worth of rows at a time."""
    rows = np.empty(count, dtype=EVENT)
    for start in range(0, count, _ROWS):
        block = rows[start : start + _ROWS]
        for name, values in columns.items():
            block[name] = values[start : start + _ROWS]
    return rows

"""EVENT rows as one contiguous array a field, at memory speed."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feeds.events import EVENT, Events

Column = NDArray[Any]
_WIDE: Final = ("recv_ns", "exch_ns", "seq", "tick", "lots", "ref", "aux")
_SMALL: Final = ("inst", "kind", "side", "marks")
_ROWS: Final = 8192


def split(*pieces: Events, room: Column | None = None) -> dict[str, Column]:
    """Copy rows, given in one or more pieces, into columns; one pass over the rows instead of one a field.

    `room`, 8 or more i8 a row, takes the columns instead of new memory, which the system must first clear.
    """
    count = sum(map(len, pieces))
    wide = np.empty((8, count), "<i8") if room is None else room[: 8 * count].reshape(8, count)
    at = 0
    for rows in pieces:
        words = np.ascontiguousarray(rows).view("<i8").reshape(-1, 8)
        for start in range(0, len(rows), _ROWS):
            block = words[start : start + _ROWS]
            wide[:, at : at + len(block)] = block.T
            at += len(block)
    columns: dict[str, Column] = dict(zip(_WIDE, wide, strict=False))
    last = wide[7].view(np.dtype([(name, EVENT[name]) for name in _SMALL]))
    columns |= {name: np.ascontiguousarray(last[name]) for name in _SMALL}
    return columns

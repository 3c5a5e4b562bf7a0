"""Hidden executions that a venue tells of, against the accounting identity of a match event.

For each message and each price that traded in it, h = V - (Q- - Q+): lots that traded and were never displayed, or were
shown again at once. A venue that marks its hidden executions says how many of them the identity finds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import BOOK, FILL, FLOW_PRINTS, HIDDEN, LAST, TRADE

_Ints = NDArray[np.int64]


class Found(NamedTuple):
    """What the identity makes of a tape."""

    executions: int
    """Hidden prints told by the venue."""
    recall: float
    """The part of them in whose match event lots are left over at their price."""
    precision: float | None
    """The part of prices with lots left over where the venue told of hidden ones."""


class Identity:
    """Collects the match events of one instrument; `found` accounts for the whole."""

    def __init__(self) -> None:
        self._rows: list[_Ints] = []
        self._messages = 0

    def take(self, outcome: Any) -> None:
        """Take what a batch did; messages may be cut anywhere."""
        frame = outcome.frame
        ends = outcome.events["marks"] & LAST != 0
        message = self._messages + np.cumsum(ends) - ends
        self._messages += int(ends.sum())
        trade = (frame["kind"] == TRADE) & ((FLOW_PRINTS >> np.minimum(frame["print"], 31).astype(np.int64)) & 1 != 0)
        level = (frame["kind"] >= BOOK) & (frame["kind"] <= FILL) & (frame["kind"] != TRADE)
        keep = trade | level
        rows = frame[keep]
        side = np.where(trade[keep], -rows["side"].astype(np.int64), rows["side"])
        traded = np.where(trade[keep], rows["lots"], 0)
        hidden = trade[keep] & (rows["print"] == HIDDEN)
        columns = (message[keep], side, rows["tick"], traded, rows["was"], rows["now"], trade[keep], hidden)
        self._rows.append(np.stack([column.astype(np.int64) for column in columns]))

    def found(self) -> Found | None:
        """The account; None where the venue tells of no hidden execution."""
        if not self._rows:
            return None
        message, side, tick, traded, was, now, trade, hidden = np.concatenate(self._rows, axis=1)
        if not hidden.any():
            return None
        low, wide = int(tick.min()), int(tick.max() - tick.min() + 1) * 3
        key = message * wide + (tick - low) * 3 + side + 1
        order = np.argsort(key, kind="stable")
        key, traded, was, now = key[order], traded[order], was[order], now[order]
        trade, hidden, side = trade[order] != 0, hidden[order], side[order]
        start = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        end = np.concatenate([start[1:], [len(key)]])
        # What a print says of its level is what stands there: only rows of the book change it.
        change = np.add.reduceat(np.where(trade, 0, now - was), start)
        left = np.add.reduceat(traded, start) + change
        printed = np.add.reduceat(trade.astype(np.int64), start) > 0
        marked = np.add.reduceat(hidden, start)
        shown = (left > 0) & printed & (side[end - 1] != 0)
        told = int(marked.sum())
        claims = int(shown.sum())
        return Found(told, float(marked[shown].sum() / told), float((marked[shown] > 0).mean()) if claims else None)

"""How well a conflated feed could show an iceberg at all: D, the sum of V squared over the usual variance.

An episode is what lies between two updates of depth: V lots traded at a price while its level went from Q- to Q+. What
came back, n = V - (Q- - Q+), scatters about 0 where nobody refills, by s. Of an iceberg of the truth D is the sum of
V^2 / s^2 over the episodes at its price during its life; below 9, three standard deviations, nobody could tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import BOOK, FLOW_PRINTS, TRADE, Events

LEAST: Final = 9.0
_WINSOR: Final = 3.0
_ROUNDS: Final = 5
_Ints = NDArray[np.int64]


class Episodes(NamedTuple):
    """All episodes of a tape, in no order."""

    side: _Ints
    tick: _Ints
    ns: _Ints
    """Venue time of the update that ended each."""
    traded: _Ints
    back: _Ints
    """What came back."""


def episodes_of(rows: Events) -> Episodes:
    """Put prints and depth of a tape of levels together by the venue's clock: each print goes with the first update
    of depth not before it.
    """
    kinds = rows["kind"]
    book = rows[kinds == BOOK]
    prints = rows[(kinds == TRADE) & (rows["side"] != 0)]
    prints = prints[(FLOW_PRINTS >> prints["aux"].astype(np.int64)) & 1 != 0]
    updates = np.unique(book["exch_ns"])
    if not len(updates) or not len(prints):
        nothing = np.zeros(0, np.int64)
        return Episodes(nothing, nothing, nothing, nothing, nothing)
    place = np.searchsorted(updates, prints["exch_ns"], side="left")
    prints, place = prints[place < len(updates)], place[place < len(updates)]
    low = int(min(book["tick"].min(), prints["tick"].min()))
    # A print consumes the other side.
    key = (prints["tick"] - low) * 2 + (prints["side"] > 0)
    whole, which = np.unique(np.stack([key, place]), axis=1, return_inverse=True)
    traded = np.bincount(which.ravel(), prints["lots"]).astype(np.int64)
    key, place = whole
    level = (book["tick"] - low) * 2 + (book["side"] < 0)
    number = np.searchsorted(updates, book["exch_ns"])
    wide = len(updates) + 1
    order = np.argsort(level * wide + number, kind="stable")
    known, lots = (level * wide + number)[order], book["lots"][order]

    def lots_at(update: _Ints) -> _Ints:
        at = np.searchsorted(known, key * wide + update, side="right") - 1
        same = (at >= 0) & (known[at] // wide == key)
        return np.where(same, lots[at], 0)

    was, after = lots_at(place - 1), lots_at(place)
    seen = was > 0
    key, place, traded, was, after = key[seen], place[seen], traded[seen], was[seen], after[seen]
    return Episodes(
        np.where(key % 2 == 1, -1, 1).astype(np.int64), key // 2 + low, updates[place], traded, traded - (was - after)
    )


def usual_variance(back: _Ints) -> float:
    """The mean square of what came back, with values beyond three deviations counted as that many."""
    if not len(back):
        return 1.0
    values = back.astype(np.float64)
    for _ in range(_ROUNDS):
        wide = _WINSOR * float(np.sqrt(np.mean(np.square(values))))
        values = np.clip(back.astype(np.float64), -wide, wide)
    return max(float(np.mean(np.square(values))), 1.0)


def detectability(rows: Events, labels: Sequence[Any]) -> list[float]:
    """D of each label of the truth on a tape of levels; what is usual comes from all prices without a label."""
    found = episodes_of(rows)
    mine = [_of(found, label) for label in labels]
    others = np.ones(len(found.ns), dtype=bool)
    for members in mine:
        others &= ~members
    usual = usual_variance(found.back[others])
    return [float(np.square(found.traded[members].astype(np.float64)).sum() / usual) for members in mine]


def _of(found: Episodes, label: Any) -> NDArray[np.bool_]:
    here = (found.side == label.side) & (found.tick == label.tick)
    return here & (found.ns >= label.params["begin_ns"]) & (found.ns <= label.t1_ns)

"""A book whose levels know when they were told, for venues whose books cross: what is stale there, and what is shown.

Prices and sizes are in fine units, so that they compare whatever grid they lie on.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Final, NamedTuple

from feeds.errors import BadInput
from feeds.events import ASK, BID, BOOK, OFF_GRID, OFF_LOT, EventBuffer
from feeds.instruments import Instrument
from feeds.venues._levels import Numbers, Packed, packed_rows

_PAIR: Final = struct.Struct("<qq")


class Place(NamedTuple):
    """A level as it was told last."""

    price: int
    """In fine units."""
    tick: int
    lots: int
    size: int
    """`lots` in fine units."""
    marks: int
    stamp: int
    """When it was told, in the venue's own counting."""


class Row(NamedTuple):
    """A level to be written."""

    side: int
    tick: int
    lots: int
    marks: int


class AgedBook:
    """Both sides of a book, best first, each level with its age."""

    def __init__(self, instrument: Instrument) -> None:
        self._numbers = Numbers(instrument)
        self._fine_tick, self._fine_lot = instrument.price.fine, instrument.size.fine
        self._keys: dict[int, list[int]] = {BID: [], ASK: []}  # ascending; bids negated
        self._places: dict[int, dict[int, Place]] = {BID: {}, ASK: {}}

    def __len__(self) -> int:
        return len(self._keys[BID]) + len(self._keys[ASK])

    def clear(self) -> None:
        """Forget every level."""
        for side in (BID, ASK):
            self._keys[side].clear()
            self._places[side].clear()

    def read(self, price: str, size: str, stamp: int) -> Place:
        """Read a level; raise BadInput where it is none."""
        tick, off_tick = self._numbers.price(price)
        lots, off_lot = self._numbers.size(size)
        if tick < 0 or lots < 0:
            raise BadInput("level", f"{price} x {size}"[:80], "a price and a size of 0 or more")
        fine_price = tick if off_tick else tick * self._fine_tick
        fine_size = lots if off_lot else lots * self._fine_lot
        return Place._make((fine_price, tick, lots, fine_size, off_tick | off_lot, stamp))

    def put(self, side: int, place: Place) -> None:
        """Set a level, or delete it by a size of 0."""
        key = -place.price if side == BID else place.price
        places, keys = self._places[side], self._keys[side]
        if place.lots:
            if key not in places:
                insort(keys, key)
            places[key] = place
        elif places.pop(key, None) is not None:
            del keys[bisect_left(keys, key)]

    def levels(self) -> dict[int, dict[int, int]]:
        """Size by price of each side, in fine units."""
        return {side: {one.price: one.size for one in places.values()} for side, places in self._places.items()}

    def crossing(self) -> tuple[Place, Place] | None:
        """The best bid and the best ask, where the bid is at or above the ask."""
        bids, asks = self._keys[BID], self._keys[ASK]
        if bids and asks and -bids[0] >= asks[0]:
            return self._places[BID][bids[0]], self._places[ASK][asks[0]]
        return None

    def best(self, side: int) -> Place | None:
        """The best level of a side."""
        keys = self._keys[side]
        return self._places[side][keys[0]] if keys else None

    def drop(self, side: int, place: Place) -> Row:
        """Delete a level that was found to be stale, and give the row that says so."""
        self.put(side, place._replace(lots=0))
        return Row(side, place.tick, 0, place.marks & OFF_GRID)

    def shown(self) -> dict[tuple[int, int], Row]:
        """What is to be shown in place of levels that cross, by (side, price).

        While the best bid is at or above the best ask: of levels of different ages the older is not shown; of the same
        age, the smaller size is taken from both.
        """
        found: dict[tuple[int, int], Row] = {}
        bids, asks = self._keys[BID], self._keys[ASK]
        i = j = 0
        left: dict[int, int] = {}
        while i < len(bids) and j < len(asks) and -bids[i] >= asks[j]:
            bid, ask = self._places[BID][bids[i]], self._places[ASK][asks[j]]
            bid_size, ask_size = left.get(BID, bid.size), left.get(ASK, ask.size)
            if bid.stamp == ask.stamp:
                taken = min(bid_size, ask_size)
                bid_size, ask_size = bid_size - taken, ask_size - taken
            elif bid.stamp < ask.stamp:
                bid_size = 0
            else:
                ask_size = 0
            for side, place, size in ((BID, bid, bid_size), (ASK, ask, ask_size)):
                if size != place.size:
                    found[side, place.price] = self._row(side, place, size)
                left[side] = size
            if not bid_size:
                i += 1
                left.pop(BID, None)
            if not ask_size:
                j += 1
                left.pop(ASK, None)
        return found

    def at(self, side: int, price: int) -> Place | None:
        """The level at a price in fine units."""
        return self._places[side].get(-price if side == BID else price)

    def _row(self, side: int, place: Place, size: int) -> Row:
        lots, rest = divmod(size, self._fine_lot)
        marks = place.marks & OFF_GRID | (OFF_LOT if rest else 0)
        return Row(side, place.tick, size if rest else lots, marks)


def write_places(
    places: Sequence[tuple[int, Place]], times: tuple[int, int], ref: int, inst: int, marks: int, out: EventBuffer
) -> int:
    """Write levels as they were told, at (receive, venue) time, none of them LAST; how many are off their grids."""
    off = sum(1 for _, place in places if place.marks)
    if not off:
        bids, asks = ([_PAIR.pack(one.tick, one.lots) for at, one in places if at == side] for side in (BID, ASK))
        out.extend_bytes(packed_rows(Packed(bids, asks), *times, ref, inst, marks))
        return 0
    for side, place in places:
        out.append(BOOK, *times, place.tick, place.lots, side, ref, 0, inst, marks | place.marks)
    return off

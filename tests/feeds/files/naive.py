"""A book of dictionaries fed with EVENT rows one by one, to compare what readers write with other truths."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from feeds.events import (
    ADD,
    BOOK,
    CANCEL,
    CLEAR,
    FILL,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    OFF_GRID,
    SNAPSHOT,
    STATUS,
)  # fmt: skip

FIELDS = ("kind", "side", "tick", "lots", "ref", "aux", "marks")


class Naive:
    """Orders by id and levels by price of one instrument; a price off the grid is a key of its own."""

    def __init__(self) -> None:
        self.orders: dict[int, list[int]] = {}
        self.levels: dict[int, dict[object, int]] = {1: {}, -1: {}}
        self.unknown: list[tuple[int, ...]] = []
        self.venue_seq: int | None = None

    def change(self, side: int, price: object, by: int) -> None:
        """Add to a level; a level may never fall below 0."""
        left = self.levels[side].get(price, 0) + by
        assert left >= 0, (side, price, left)
        if left:
            self.levels[side][price] = left
        else:
            self.levels[side].pop(price, None)

    def apply(self, row: tuple[int, ...]) -> None:
        """Take one row."""
        kind, side, tick, lots, ref, aux, marks = row
        price: object = (tick, "fine") if marks & OFF_GRID else tick
        if kind in {ADD, MODIFY, CANCEL, FILL} and aux != NONE:
            self.venue_seq = aux
        if kind == STATUS and ref != NONE:
            self.venue_seq = ref
        if kind == CLEAR:
            self.orders.clear()
            self.levels = {1: {}, -1: {}}
        elif kind == BOOK:
            if lots:
                self.levels[side][price] = lots
            else:
                del self.levels[side][price]
        elif kind == ADD:
            assert ref not in self.orders
            self.orders[ref] = [side, price, lots]
            self.change(side, price, lots)
        elif kind in {MODIFY, CANCEL, FILL} and not (kind == FILL and marks & NO_BOOK):
            order = self.orders.get(ref)
            if order is None:
                self.unknown.append(row)
                return
            self.change(order[0], order[1], -order[2])
            order[2] = lots if kind == MODIFY else order[2] - min(order[2], lots or order[2])
            if kind == MODIFY:
                order[1] = price
            if order[2]:
                self.change(order[0], order[1], order[2])
            else:
                del self.orders[ref]

    def best(self, side: int) -> tuple[object, int] | None:
        """Price and lots of the best level."""
        if not self.levels[side]:
            return None
        price = (max if side > 0 else min)(self.levels[side])
        return price, self.levels[side][price]


def plain(rows: np.ndarray) -> Iterator[tuple[int, ...]]:
    """Rows as tuples of the fields a book needs."""
    return zip(*(rows[name].tolist() for name in FIELDS), strict=True)


def after_messages(rows: np.ndarray, book: Naive) -> Iterator[tuple[int, ...]]:
    """Feed a book; give the closing row of each message that is no rebuild, the book as it then is."""
    for row in plain(rows):
        book.apply(row)
        if row[-1] & LAST and not row[-1] & SNAPSHOT:
            yield row

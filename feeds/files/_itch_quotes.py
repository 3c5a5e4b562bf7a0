"""The best prices of one stock while its orders are read, to sign executions against orders that nobody saw."""

from __future__ import annotations

import numpy as np

from feeds.events import ADD, ASK, BID, CANCEL, FILL, HIDDEN, IMPLIED, OFF_GRID, TRADE, UNKNOWN, Events
from feeds.files._sides import Side, lean


class Quotes:
    """What is left of each order and at each price, in fine units."""

    def __init__(self, fine: int) -> None:
        self._fine = fine
        self._orders: dict[int, tuple[int, int, int]] = {}
        self._sides = {BID: Side(BID), ASK: Side(ASK)}

    def sign(self, rows: Events) -> None:
        """Follow the rows' orders; set the side of hidden prints by the quote before them, marked as inferred."""
        kinds = rows["kind"]
        which = np.flatnonzero(np.isin(kinds, (ADD, CANCEL, FILL)) | ((kinds == TRADE) & (rows["aux"] == HIDDEN)))
        prices = np.where(rows["marks"] & OFF_GRID, rows["tick"], rows["tick"] * self._fine)[which].tolist()
        columns = (rows[name][which].tolist() for name in ("kind", "side", "lots", "ref"))
        bids, asks = self._sides[BID], self._sides[ASK]
        for at, price, kind, side, lots, ref in zip(which.tolist(), prices, *columns, strict=True):
            if kind == ADD:
                self._orders[ref] = (side, price, lots)
                self._sides[side].change(price, lots)
            elif kind == TRADE:
                leaning = lean(bids.best, asks.best, price)
                if side == UNKNOWN and leaning:
                    rows["side"][at] = leaning
                    rows["marks"][at] |= IMPLIED
            else:
                held = self._orders.pop(ref, None)
                if held is None:
                    continue
                gone = held[2] if lots == 0 else min(lots, held[2])
                self._sides[held[0]].change(held[1], -gone)
                if gone < held[2]:
                    self._orders[ref] = (held[0], held[1], held[2] - gone)

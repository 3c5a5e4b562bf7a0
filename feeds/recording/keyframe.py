"""The book of every instrument as a recording's writer must know it, to begin each part with a copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    CANCEL,
    CLEAR,
    FILL,
    KEEPS_PLACE,
    KEYFRAME,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    OFF_GRID,
    OFF_LOT,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    Events,
    empty,
)
from feeds.instruments import Instrument
from feeds.recording.columns import Column

_WINDOW: Final = 1 << 20
_LOOK: Final = 4096
_ORDER_KINDS: Final = (ADD, MODIFY, CANCEL, FILL)


def level_table() -> Column:
    """Scratch room (4 MiB) that several KeyframeBooks may share if no two are used at once."""
    return np.full(_WINDOW, -1, np.int32)


class KeyframeBook:
    """Follow rows a part at a time and give the book back as rows."""

    def __init__(self, instruments: Sequence[Instrument], table: Column | None = None) -> None:
        self._newest = level_table() if table is None else table
        self._books = [_Book(instrument, self._newest) for instrument in instruments]

    def follow(self, rows: Events, columns: dict[str, Column]) -> None:
        """Take the rows of a part and the same as columns; keyframe rows must not be among them."""
        if len(self._books) == 1:
            self._books[0].follow(rows, columns)
            return
        for inst, book in enumerate(self._books):
            mine = np.flatnonzero(columns["inst"] == inst)
            if len(mine):
                book.follow(rows[mine], {name: column[mine] for name, column in columns.items()})

    def rows(self, recv_ns: int, seq: int) -> Events:
        """The books as CLEAR, BOOK or ADD and STATUS rows marked KEYFRAME, each instrument's ended by LAST."""
        out = np.concatenate([book.rows(inst) for inst, book in enumerate(self._books)] or [empty()])
        out["recv_ns"] = recv_ns
        out["seq"] = seq
        return out


class _Book:
    def __init__(self, instrument: Instrument, newest: Column) -> None:
        self.size_fine = instrument.size.fine
        self.newest = newest
        self.levels: Events = empty()
        self.orders: dict[int, list[int]] = {}
        self.phase = S_SYNCING
        self.venue_seq = NONE

    def follow(self, rows: Events, columns: dict[str, Column]) -> None:
        kind = columns["kind"]
        counts = np.bincount(kind, minlength=32)
        clears = np.flatnonzero(kind == CLEAR) if counts[CLEAR] else np.zeros(0, np.int64)
        if counts[BOOK] or (len(clears) and len(self.levels)):
            self._follow_levels(rows, columns, clears)
        if counts[ADD] or counts[MODIFY] or (self.orders and (counts[CANCEL] or counts[FILL] or len(clears))):
            self._follow_orders(columns)
        if counts[STATUS]:
            self.phase = int(columns["aux"][np.flatnonzero(kind == STATUS)[-1]])
        self._follow_venue_seq(columns)

    def _follow_levels(self, rows: Events, columns: dict[str, Column], clears: Column) -> None:
        keep = (columns["kind"] == BOOK) & (columns["lots"] >= 0) & (columns["side"] != 0)
        for side in (BID, ASK):
            sides = columns["side"][clears]
            cut = clears[(sides == 0) | (sides == side)]
            if len(cut):
                self.levels = self.levels[self.levels["side"] != side]
                keep[: int(cut[-1])] &= columns["side"][: int(cut[-1])] != side
        told = np.flatnonzero(keep)
        if len(told):
            keys = _level_keys(*(columns[name][told] for name in ("tick", "side", "marks")))
            self.levels = np.concatenate([self.levels, rows[told[self._last_of_each(keys)]]])
            keys = _level_keys(*(self.levels[name] for name in ("tick", "side", "marks")))
            self.levels = self.levels[len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1]]
        self.levels = self.levels[self.levels["lots"] != 0]

    def _last_of_each(self, keys: Column) -> Column:
        # Nearly all levels lie in a window around the middle, where a table finds the last row of each without sorting.
        offset = keys - (int(np.median(keys[:: max(1, len(keys) // 4096)])) - _WINDOW // 2)
        near = (offset >= 0) & (offset < _WINDOW)
        rows = np.flatnonzero(near).astype(np.int32)
        slots = offset[rows]
        np.maximum.at(self.newest, slots, rows)
        kept = rows[self.newest[slots] == rows]
        self.newest[slots] = -1
        far = np.flatnonzero(~near)
        if not len(far):
            return np.asarray(kept)
        return np.concatenate([kept, far[len(far) - 1 - np.unique(keys[far][::-1], return_index=True)[1]]])

    def _follow_orders(self, columns: dict[str, Column]) -> None:
        mine = np.flatnonzero(np.isin(columns["kind"], (*_ORDER_KINDS, CLEAR)))
        mine = mine[~self._short_lived(columns["kind"][mine], columns["ref"][mine], columns["lots"][mine])]
        orders = self.orders
        names = ("kind", "ref", "side", "tick", "lots", "marks")
        for k, ref, side, tick, lots, marks in zip(*(columns[name][mine].tolist() for name in names), strict=True):
            if lots < 0:
                continue
            if k == ADD:
                if lots > 0 and side:
                    orders.pop(ref, None)
                    orders[ref] = [side, tick, lots, marks & (OFF_GRID | OFF_LOT), 0]
            elif k == MODIFY:
                old = orders.get(ref)
                if old is None:
                    continue
                fresh = [side or old[0], tick, lots, marks & (OFF_GRID | OFF_LOT), 0]
                if lots == 0:
                    del orders[ref]
                elif marks & KEEPS_PLACE or self._stays(old, fresh):
                    orders[ref] = fresh
                else:
                    del orders[ref]
                    orders[ref] = fresh
            elif k in (CANCEL, FILL) and (order := orders.get(ref)) is not None:
                size = self._fine(lots, marks)
                if k == FILL and marks & NO_BOOK:
                    order[4] += size
                else:
                    if k == CANCEL:
                        order[4] = max(0, order[4] - (size or self._fine(order[2], order[3])))
                    self._less(order, lots, marks)
                    if order[2] <= 0 or (k == CANCEL and lots == 0):
                        del orders[ref]
            elif k == CLEAR:
                if side == 0:
                    orders.clear()
                else:
                    for gone in [i for i, order in orders.items() if order[0] == side]:
                        del orders[gone]

    def _stays(self, old: list[int], new: list[int]) -> bool:
        same_level = old[0] == new[0] and old[1] == new[1] and (old[3] ^ new[3]) & OFF_GRID == 0
        return same_level and self._fine(new[2], new[3]) <= max(0, self._fine(old[2], old[3]) - old[4])

    def _fine(self, lots: int, marks: int) -> int:
        return lots if marks & OFF_LOT else lots * self.size_fine

    def _less(self, order: list[int], lots: int, marks: int) -> None:
        if not (marks | order[3]) & OFF_LOT:
            order[2] -= lots
            return
        left = self._fine(order[2], order[3]) - self._fine(lots, marks)
        whole, rest = divmod(left, self.size_fine)
        order[2] = left if rest else whole
        order[3] = order[3] | OFF_LOT if rest else order[3] & ~OFF_LOT

    def _short_lived(self, kind: Column, ref: Column, lots: Column) -> Column:
        # Rows of orders whose last word in the part is their whole cancellation need not be gone through singly.
        last = len(ref) - 1 - np.unique(ref[::-1], return_index=True)[1]
        gone = last[(kind[last] == CANCEL) & (lots[last] == 0)]
        dead = np.isin(ref, ref[gone]) & (kind != CLEAR)
        for order in set(ref[gone].tolist()) & self.orders.keys():
            del self.orders[order]
        return np.asarray(dead)

    def _follow_venue_seq(self, columns: dict[str, Column]) -> None:
        kind = columns["kind"]
        end, look = len(kind), _LOOK
        while end:
            part = slice(max(0, end - look), end)
            end, look = part.start, look * 8
            told = np.where(np.isin(kind[part], (BOOK, STATUS)), columns["ref"][part], NONE)
            told = np.where(np.isin(kind[part], _ORDER_KINDS), columns["aux"][part], told)
            known = np.flatnonzero(told != NONE)
            if len(known):
                self.venue_seq = int(told[known[-1]])
                return

    def rows(self, inst: int) -> Events:
        out = empty(len(self.levels) + len(self.orders) + 2)
        out["kind"][0] = CLEAR
        out[1 : 1 + len(self.levels)] = self.levels
        out["exch_ns"] = out["ref"] = NONE  # when each level was told is no part of the book, and costs room
        if self.orders:
            adds = out[1 + len(self.levels) : -1]
            columns = np.array(list(self.orders.values()), dtype=np.int64)
            adds["kind"], adds["aux"] = ADD, NONE
            adds["ref"] = np.fromiter(self.orders, np.int64, len(self.orders))
            for at, field in enumerate(("side", "tick", "lots", "marks")):
                adds[field] = columns[:, at]
        out["marks"] &= OFF_GRID | OFF_LOT
        out["marks"] |= KEYFRAME | SNAPSHOT
        out["inst"] = inst
        end = out[-1:]
        end["kind"], end["aux"], end["ref"] = STATUS, self.phase, self.venue_seq
        end["marks"] |= LAST
        return out


def _level_keys(tick: Column, side: Column, marks: Column) -> Column:
    return np.asarray(tick * 4 + (side == BID) + 2 * ((marks & OFF_GRID) != 0))

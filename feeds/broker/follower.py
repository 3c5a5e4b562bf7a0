"""From messages of a log to exact rows: nothing missing, nothing twice, or a GAP and a whole book where that failed.

No I/O here. The chain of `prev_seq` is checked group by group, so a reader need not trust the broker: what it
doubles is dropped, what it lost is told.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from feeds.broker.batches import END, KEY, MEND, NOTHING, ROWS, Group, Message, join, unpack
from feeds.broker.log import Broker, Extent, Stored
from feeds.errors import BadInput
from feeds.events import C_DROPS, GAP, KEYFRAME, NONE, Events, empty
from feeds.source import Checks

_NO_ROWS: Final = empty()


class Follower:
    """One reader's place in the log of one instrument."""

    def __init__(self, checks: Checks, *, begin: int | None = None, end: int | None = None, about_crc: int) -> None:
        self.checks = checks
        self.reached = None if begin is None else begin - 1
        """`seq` of the newest row given, None before there is a whole book to begin with."""
        self.run = 0
        """The capture that published it."""
        self.position = 0
        """Of the newest message taken."""
        self.ended = False
        """The capture has ended in order."""
        self.waiting = begin is None
        """Nothing can be given before the next whole book."""
        self._end = end
        self._about_crc = about_crc
        self._pieces: list[Message] = []
        self._newest_ns = NONE

    @property
    def done(self) -> bool:
        """All rows wanted have been given."""
        return self._end is not None and self.reached is not None and self.reached >= self._end

    def take(self, stored: Stored) -> Events:
        """Take the log's next message; give the rows that are whole now, perhaps none.

        Raises BadInput where the log now is about another instrument.
        """
        self.position = stored.position
        place = f"message {stored.position}"
        try:
            message = unpack(stored.data, place)
            group = self._gather(message, place)
        except BadInput as error:
            self._pieces.clear()
            self.checks.damaged += 1
            self.checks.problem(str(error))
            return _NO_ROWS
        if message.about_crc != self._about_crc:
            raise BadInput(place, "another tick, lot or trust", "the instrument as it was: open the address again")
        return _NO_ROWS if group is None else self._group(group)

    def _gather(self, message: Message, place: str) -> Group | None:
        waiting = self._pieces
        if message.piece and not (waiting and _follows(waiting[-1], message)):
            waiting.clear()
            return None
        if not message.piece:
            waiting.clear()
        waiting.append(message)
        if message.piece + 1 < message.pieces:
            return None
        group = join(waiting, place)
        waiting.clear()
        return group

    def _group(self, group: Group) -> Events:
        self.checks.messages += 1
        self.run = group.run
        if group.kind == END:
            self.ended = group.prev_seq == self.reached
            return _NO_ROWS
        rows = self._begin(group) if self.reached is None else self._go_on(group, self.reached)
        if not len(rows):
            return rows
        self.ended = False
        if self._end is not None:
            rows = rows[rows["seq"] <= self._end]
        if len(rows):
            self._newest_ns = max(self._newest_ns, int(rows["recv_ns"].max()))
        return rows

    def _begin(self, group: Group) -> Events:
        if group.kind != KEY:
            return _NO_ROWS
        self.reached, self.waiting = group.last_seq, False
        # Before the first row of all there is no book, and rows that say so would not be the capture's.
        return _NO_ROWS if group.last_seq == NOTHING else group.rows

    def _go_on(self, group: Group, reached: int) -> Events:
        if group.last_seq <= reached:
            self.checks.duplicates += group.kind == ROWS
            return _NO_ROWS
        if group.kind == ROWS:
            if group.prev_seq > reached:
                self.waiting = True
                return _NO_ROWS
            rows = group.rows if group.prev_seq == reached else group.rows[group.rows["seq"] > reached]
        elif group.kind == MEND:
            self.checks.gaps += 1
            rows = group.rows
        else:
            self.checks.gaps += 1
            rows = self._whole_again(group.rows)
        self.reached, self.waiting = group.last_seq, False
        return rows

    def _whole_again(self, key: Events) -> Events:
        rows = np.concatenate([empty(1), key])
        rows["marks"] &= np.uint16(0xFFFF ^ KEYFRAME)
        gap = rows[:1]
        for name in ("recv_ns", "seq"):
            gap[name] = key[name][0]
        gap["kind"], gap["lots"], gap["exch_ns"], gap["ref"] = GAP, C_DROPS, NONE, NONE
        gap["aux"] = NONE if self._newest_ns == NONE else max(0, int(key["recv_ns"][0]) - self._newest_ns)
        return rows


def _follows(before: Message, message: Message) -> bool:
    same = ("kind", "run", "prev_seq", "first_seq", "last_seq", "pieces")
    together = all(getattr(before, name) == getattr(message, name) for name in same)
    return together and message.piece == before.piece + 1


async def find(broker: Broker, venue: str, symbol: str, extent: Extent, reached: int | None) -> int:
    """The position where to read on after a `seq`, or at the newest whole book where it is None; raises NoLog."""
    if reached is None:
        newest = await broker.newest_key(venue, symbol)
        if newest is None:
            return extent.first
        # The last piece is the one that is found, so that a book is begun only where all of it is there.
        try:
            pieces = unpack(newest.data, f"message {newest.position}").pieces
        except BadInput:
            return extent.first
        return max(newest.position - pieces + 1, extent.first)
    low, high = extent.first, extent.last + 1
    while low < high:
        middle = (low + high) // 2
        stored = await broker.read(venue, symbol, middle)
        if stored is None or _last_seq(stored) <= reached:
            low = middle + 1
        else:
            high = middle
    return low


def _last_seq(stored: Stored) -> int:
    try:
        return unpack(stored.data, f"message {stored.position}").last_seq
    except BadInput:
        return NOTHING

"""What is to be published of one instrument: rows in, messages out, and what is left of both while a broker is away.

No I/O and no clock here. Rows wait as they came until there is room for a message; a message waits until the broker
has acknowledged it. Where too much waits, rows are given up from the oldest on, and what takes their place when the
broker is back is a GAP with their number and length, and the book after them, so that a reader is exact again.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import numpy as np

from feeds.broker.batches import (
    END,
    KEY,
    MAX_ROWS,
    MEND,
    NOTHING,
    ROWS,
    About,
    Message,
    about_bytes,
    pack_group,
)
from feeds.events import C_DROPS, C_RECORDING, CLOCK, EVERY, GAP, KEYFRAME, LAST, NONE, Events, empty
from feeds.recording.columns import Column, split
from feeds.recording.keyframe import KeyframeBook, level_table

KEY_ROWS: Final = 8192
"""Rows after which a whole book is published again at the earliest, so that a new reader has few to go through."""
KEY_SHARE: Final = 4
"""And as many times the rows of the book itself, so that books are a small part of what is published."""
KEY_NS: Final = 600_000_000_000
"""Time after which a whole book is published again, however few rows there were."""
HOLD_NS: Final = 500_000_000
"""How long CLOCK rows wait for company: a quiet market costs two messages a second."""
_FOLLOW_ROWS: Final = 65_536


class Packed(NamedTuple):
    """A message on its way."""

    number: int
    data: bytes
    key: bool
    """It ends a whole book: where a new reader begins."""
    rows: int


class Superseded(Exception):
    """A later capture publishes the same instrument."""


class _Gap(NamedTuple):
    """Rows given up that no message speaks of yet."""

    messages: int
    since_ns: int
    until_ns: int


class Outbox:
    """One instrument's rows on their way to a broker; `inst` is its index in the capture.

    A `table` (`feeds.recording.keyframe.level_table`) may be shared by outboxes of which no two are used at once.
    """

    def __init__(self, about: About, inst: int, run: int, table: Column | None = None) -> None:
        self.about, self.inst, self.run = about, inst, run
        self.packed: deque[Packed] = deque()
        """Messages made and not acknowledged, oldest first."""
        self.waiting_bytes = 0
        """Of rows and messages that the broker does not have."""
        self.published = 0
        """Rows that the broker has acknowledged."""
        self.lost = 0
        """Venue messages given up because the broker was away for too long."""
        self._about = about_bytes(about)
        self._rows: deque[tuple[Events, int]] = deque()
        self._quiet = False
        """Only CLOCK rows wait."""
        self._base: int | None = None
        self._number = 0
        self._reached = self._told = NOTHING
        """`seq` of the newest row packed or given up, and of the newest one in a message."""
        self._gap: _Gap | None = None
        self._key_due = True
        self._key_rows = self._key_length = 0
        self._key_ns = self._newest_ns = NONE
        self._table = level_table() if table is None else table
        self._book = KeyframeBook([about.instrument], self._table)
        self._unfollowed: list[Events] = []
        self._unfollowed_rows = 0
        self._most_rows = MAX_ROWS

    @property
    def idle(self) -> bool:
        """Nothing waits."""
        return not (self._rows or self.packed or self._gap)

    def due(self, now_ns: int) -> bool:
        """There is something to send now, not only CLOCK rows that still wait for company."""
        if self.packed or self._gap is not None:
            return True
        return bool(self._rows) and (not self._quiet or now_ns - self._rows[0][1] >= HOLD_NS)

    # -- rows in ---------------------------------------------------------------------------------
    def add(self, batch: Events, now_ns: int) -> None:
        """Take the instrument's rows, and those that concern all, of a batch of the capture."""
        rows = batch[(batch["inst"] == self.inst) | (batch["inst"] == EVERY)]
        if len(rows):
            rows["inst"][rows["inst"] != EVERY] = 0
            self._quiet = (self._quiet or not self._rows) and bool((rows["kind"] == CLOCK).all())
            self._rows.append((rows, now_ns))
            self.waiting_bytes += rows.nbytes

    def give_up(self) -> int:
        """Give up the rows that wait and are in no message yet; give the bytes this freed."""
        freed = 0
        while self._rows:
            rows, _ = self._rows.popleft()
            freed += rows.nbytes
            messages = int(np.count_nonzero((rows["marks"] & LAST != 0) & (rows["kind"] != CLOCK)))
            self.lost += messages
            ends = (int(rows["recv_ns"][0]), int(rows["recv_ns"].max()))
            if self._gap is not None:
                messages, ends = messages + self._gap.messages, (self._gap.since_ns, max(self._gap.until_ns, ends[1]))
            self._gap = _Gap(messages, *ends)
            self._reached = int(rows["seq"][-1])
            self._follow(rows)
        self.waiting_bytes -= freed
        return freed

    # -- where the log ends ----------------------------------------------------------------------
    def resume(self, newest: Message | None) -> None:
        """Go on after the newest message of the log; None where it holds nothing. Not while idle before the first.

        What the log turns out to have is acknowledged. Raises Superseded where a later capture publishes here.
        """
        if self._base is None:
            self._begin(newest)
            return
        if newest is not None and newest.run > self.run:
            raise Superseded(f"another capture publishes {self.about.instrument.name}")
        stored = newest.number if newest is not None and newest.run == self.run else -1
        while self.packed and self.packed[0].number <= stored:
            self.acknowledge()
        if stored + 1 >= (self.packed[0].number if self.packed else self._number):
            return
        # The log lost what it had acknowledged: what is in messages does not follow from what it has.
        while self.packed:
            self.waiting_bytes -= len(self.packed.popleft().data)
        told, self._told = self._told, NOTHING if newest is None else newest.last_seq
        self._number = stored + 1
        self._key_due = True
        if self._told < told:
            self._mend(told, C_DROPS, NONE, NONE)

    def _begin(self, newest: Message | None) -> None:
        self._base = 0
        if newest is None:
            return
        # Numbers go on where the log ends, after one for the row that says so; the later run is the greater one,
        # whatever was done to the clock.
        self.run = max(self.run, newest.run + 1)
        self._base = newest.last_seq + 2
        self._told = newest.last_seq
        before = int(newest.rows["recv_ns"][-1]) if len(newest.rows) else NONE
        first = self._gap.since_ns if self._gap else int(self._rows[0][0]["recv_ns"][0]) if self._rows else NONE
        self._newest_ns = first
        length = max(0, first - before) if NONE not in (first, before) else NONE
        self._mend(newest.last_seq + 1, C_RECORDING, NONE, length, empty_book=True)

    def acknowledge(self) -> None:
        """The broker has the oldest message."""
        done = self.packed.popleft()
        self.waiting_bytes -= len(done.data)
        self.published += done.rows

    # -- messages out ----------------------------------------------------------------------------
    def pack(self, now_ns: int, *, most_rows: int = MAX_ROWS, all_of_it: bool = False) -> bool:
        """Make the next group of messages if there is one to be made; `resume` comes first."""
        self._most_rows = min(most_rows, MAX_ROWS)
        if self._base is None:
            return False
        if self._gap is not None:
            gap, self._gap = self._gap, None
            self._mend(self._reached + self._base, C_DROPS, gap.messages, gap.until_ns - gap.since_ns)
        elif self._key_due and (self._rows or self._newest_ns != NONE):
            self._key()
        else:
            rows = self._take(now_ns, all_of_it)
            if rows is None:
                return False
            self._reached = int(rows["seq"][-1])
            rows["seq"] += self._base
            self._append(ROWS, rows, (int(rows["seq"][0]), int(rows["seq"][-1])))
            self._count(rows)
        return True

    def end(self) -> None:
        """Make the message that ends the capture in order, after all rows were packed."""
        if self._base is not None:
            self._append(END, empty(), (self._told, self._told))

    def _take(self, now_ns: int, all_of_it: bool) -> Events | None:
        if not self._rows:
            return None
        if self._quiet and not all_of_it and now_ns - self._rows[0][1] < HOLD_NS:
            return None
        taken: list[Events] = []
        count = 0
        while self._rows and (not taken or count + len(self._rows[0][0]) <= self._most_rows):
            rows, _ = self._rows.popleft()
            taken.append(rows)
            count += len(rows)
            self.waiting_bytes -= rows.nbytes
        # Followed as the capture numbers them, before the base is added to what is sent.
        rows = np.concatenate(taken)
        self._follow(rows)
        return rows.copy()

    def _count(self, rows: Events) -> None:
        self._key_rows += len(rows)
        if self._key_ns == NONE:
            self._key_ns = self._newest_ns
        many = self._key_rows >= max(KEY_ROWS, KEY_SHARE * self._key_length)
        self._key_due = many or self._newest_ns - self._key_ns >= KEY_NS

    def _append(self, kind: int, rows: Events, seqs: tuple[int, int]) -> None:
        made = pack_group(
            kind, rows, run=self.run, number=self._number, prev_seq=self._told, seqs=seqs, about=self._about,
            most_rows=self._most_rows,
        )  # fmt: skip
        self._number += len(made)
        for at, data in enumerate(made):
            whole = at == len(made) - 1
            self.packed.append(
                Packed(
                    self._number - len(made) + at,
                    data,
                    kind == KEY and whole,
                    len(rows) if whole and kind == ROWS else 0,
                )
            )
            self.waiting_bytes += len(data)
        self._told = seqs[1]

    # -- books -----------------------------------------------------------------------------------
    def _follow(self, rows: Events) -> None:
        newest = int(rows["recv_ns"].max())
        self._newest_ns = max(self._newest_ns, newest)
        self._unfollowed.append(rows)
        self._unfollowed_rows += len(rows)
        if self._unfollowed_rows >= _FOLLOW_ROWS:
            self._catch_up()

    def _catch_up(self) -> None:
        if self._unfollowed:
            rows = np.concatenate(self._unfollowed)
            self._unfollowed.clear()
            self._unfollowed_rows = 0
            self._book.follow(rows, split(rows))

    def _key(self) -> None:
        self._catch_up()
        if self._newest_ns == NONE:
            self._newest_ns = int(self._rows[0][0]["recv_ns"][0])
        rows = self._book.rows(self._newest_ns, self._told)
        self._append(KEY, rows, (self._told, self._told))
        self._key_due, self._key_rows, self._key_length, self._key_ns = False, 0, len(rows), self._newest_ns

    def _mend(self, seq: int, cause: int, lost: int, length_ns: int, *, empty_book: bool = False) -> None:
        self._catch_up()
        book = KeyframeBook([self.about.instrument], self._table) if empty_book else self._book
        rows = np.concatenate([empty(1), book.rows(self._newest_ns, seq)])
        gap = rows[:1]
        gap["recv_ns"], gap["seq"], gap["exch_ns"] = self._newest_ns, seq, NONE
        gap["kind"], gap["lots"], gap["ref"], gap["aux"] = GAP, cause, lost, length_ns
        rows["marks"] &= np.uint16(0xFFFF ^ KEYFRAME)
        self._append(MEND, rows, (seq, seq))
        self._key_due = True

"""Joining a book's snapshot to its updates: which update applies, which waits, and when something is missing.

A pure state machine over the ids that venues number their depth messages with. A rule says how one update
stands to the book (OLD, NEXT or AHEAD); one table turns that and the state into what to do. The caller
keeps the updates that WAIT and hands their ids over again when a snapshot has come.

Rules, each from the venue's own description of a local book:
Binance spot (`U`, `u`), Binance futures (`U`, `u`, `pu`), OKX (`prevSeqId`, `seqId`), Deribit (`prev_change_id`,
`change_id`). A plain counter is Binance spot's rule with `U` = `u`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final

from feeds.events import NONE


class Step(Enum):
    """What to do with a message."""

    APPLY = "apply"
    WAIT = "wait"
    """No snapshot yet: keep the update."""
    REFETCH = "refetch"
    """The snapshot and the updates do not meet: fetch another one."""
    IGNORE = "ignore"
    """Already part of the book."""
    GAP = "gap"
    """Something is missing before this update: the book is no longer the venue's."""


class State(Enum):
    """How far a book is."""

    EMPTY = "empty"
    SEEDED = "seeded"
    """A snapshot and no update yet."""
    LIVE = "live"


class Relation(Enum):
    """How an update stands to the book."""

    OLD = "old"
    NEXT = "next"
    AHEAD = "ahead"


TABLE: Final = {
    (State.EMPTY, Relation.OLD): Step.WAIT,
    (State.EMPTY, Relation.NEXT): Step.WAIT,
    (State.EMPTY, Relation.AHEAD): Step.WAIT,
    (State.SEEDED, Relation.OLD): Step.IGNORE,
    (State.SEEDED, Relation.NEXT): Step.APPLY,
    (State.SEEDED, Relation.AHEAD): Step.REFETCH,
    (State.LIVE, Relation.OLD): Step.IGNORE,
    (State.LIVE, Relation.NEXT): Step.APPLY,
    (State.LIVE, Relation.AHEAD): Step.GAP,
}
"""What to do, by the book's state and the update's relation to it."""

PATIENCE: Final = 200
"""So many old updates in a row are no duplicates but a venue that numbers anew."""
_REMEMBERED: Final = 256

Ids = tuple[int, int, int]
"""(first, last, previous) id of one update; NONE where the venue has no such id."""
Rule = Callable[["Sequencer", State, int, Ids], Relation]


def spot(_: Sequencer, __: State, at: int, ids: Ids) -> Relation:
    """Binance spot: `u <= id` is old, `U > id + 1` leaves a hole."""
    first, last, _prev = ids
    if last <= at:
        return Relation.OLD
    return Relation.NEXT if first <= at + 1 else Relation.AHEAD


def futures(_: Sequencer, state: State, at: int, ids: Ids) -> Relation:
    """Binance futures: first `U <= id <= u` or `pu = id`, then each `pu` equals the previous `u`."""
    first, last, prev = ids
    if state is State.SEEDED:
        if last < at:
            return Relation.OLD
        return Relation.NEXT if first <= at or prev == at else Relation.AHEAD
    if last <= at and prev <= last:
        return Relation.OLD
    return Relation.NEXT if prev == at else Relation.AHEAD


def okx(book: Sequencer, _: State, at: int, ids: Ids) -> Relation:
    """OKX: `prevSeqId` equals the last `seqId`, also where nothing changed (both equal) and where the venue
    numbers anew (`seqId` below `prevSeqId`); a message seen before is old, everything else leaves a hole.
    """
    _first, last, prev = ids
    if prev == at:
        return Relation.NEXT
    return Relation.OLD if (prev, last) in book.recent else Relation.AHEAD


def deribit(_: Sequencer, __: State, at: int, ids: Ids) -> Relation:
    """Deribit: `prev_change_id` equals the last `change_id`; ids only rise, so nothing at or below it is new."""
    _first, last, prev = ids
    if last <= at:
        return Relation.OLD
    return Relation.NEXT if prev == at else Relation.AHEAD


class Sequencer:
    """The place of one book in its venue's numbering."""

    __slots__ = ("_old", "id", "in_band", "recent", "rule", "state")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.in_band = rule is okx
        """Snapshots come in the stream of updates and are always newer than what came before."""
        self.state = State.EMPTY
        self.id = NONE
        """Id the book has reached."""
        self.recent: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
        """(previous, last) ids of the newest updates applied, where the rule needs them."""
        self._old = 0

    def reset(self) -> None:
        """Forget the book, as after a gap or a disconnect."""
        self.state, self.id, self._old = State.EMPTY, NONE, 0
        self.recent.clear()

    def snapshot(self, at: int, waiting: Iterable[Ids] = ()) -> Step:
        """Judge a snapshot with id `at`: APPLY it and then the waiting updates, REFETCH it, or IGNORE it.

        It is useless where the oldest waiting update that it does not hold already leaves a hole to it, and
        older than the book where the book has passed it.
        """
        if not self.in_band:
            if self.state is not State.EMPTY and at < self.id:
                return Step.IGNORE
            for ids in waiting:
                relation = self.rule(self, State.SEEDED, at, ids)
                if relation is not Relation.OLD:
                    if relation is Relation.AHEAD:
                        return Step.REFETCH
                    break
        self.reset()
        self.state, self.id = State.SEEDED, at
        return Step.APPLY

    def update(self, first: int, last: int, prev: int = NONE) -> Step:
        """Judge the next update and move on where it applies; GAP and REFETCH forget the book."""
        ids = (first, last, prev)
        if self.state is State.EMPTY:
            return Step.WAIT
        step = TABLE[self.state, self.rule(self, self.state, self.id, ids)]
        if step is Step.IGNORE and self.state is State.LIVE:
            self._old += 1
            if self._old >= PATIENCE:
                step = Step.GAP
        if step is Step.APPLY:
            self.state, self.id, self._old = State.LIVE, last, 0
            if self.in_band:
                self.recent.append((prev, last))
        elif step is not Step.IGNORE:
            self.reset()
        return step

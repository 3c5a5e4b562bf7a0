"""A paper venue for one instrument: orders arrive after a delay, walk the real book, wait in its real queues.

It is asked about every batch after the engine: `cut` says how far a batch may go at once so that the book an order
arrives at is the very book of that moment, `step` takes a batch's rows through the queues, `arrive` lets in what is
due. What it gives are fills; whose position they make is `tapeview.desk.desk`'s. The market is not changed by any of
it, so an order as large as what is displayed will do better here than it could have done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.events import NONE, S_LIVE, Events
from tapeview.desk.commands import LIMIT, STOP
from tapeview.desk.queue import (
    DONE,
    FREE,
    LATER,
    QUEUE,
    RESTING,
    SLOT,
    SLOTS,
    TRIGGERED,
    WAITING,
    work,
)  # fmt: skip
from tapeview.engine import _jit
from tapeview.engine.book_view import BookView

MAKER, TAKER = "maker", "taker"
_LATER_ROOM: Final = 1 << 12


class Order(msgspec.Struct, kw_only=True):
    """A paper order and what has become of it."""

    id: int
    side: int
    lots: int
    kind: str
    tick: int | None
    """A limit's price or a stop's trigger, None at market."""
    by_quote: bool = False
    protect_ticks: int | None = None
    """A stop becomes a limit order so many ticks beyond its trigger; None: an order at market."""
    reduces: bool = False
    """An exit: cut down to the position where that has become smaller."""
    parent: int | None = None
    """The entry it belongs to."""
    sent_ns: int
    left: int
    why: str = "entry"
    """entry, add, stop, target, flatten, lock."""
    mid2: int | None = None
    """Twice the mid its price is measured against, None where it is not."""
    state: str = "sent"
    """sent, working, waiting (a stop), triggered, filled, cancelled, refused, merged."""


class Fill(NamedTuple):
    """Lots of a paper order that were executed."""

    order: int
    seq: int
    recv_ns: int
    side: int
    tick: int
    lots: int
    liquidity: str
    """maker or taker."""
    why: str = "entry"
    mid2: int | None = None


class Change(NamedTuple):
    """An order's state became another without a fill."""

    order: int
    seq: int
    recv_ns: int
    state: str
    why: str = ""


class _Due(NamedTuple):
    due_ns: int
    order: int
    what: str
    """arrive, cancel or move."""
    tick: int = 0


class PaperVenue:
    """One instrument's paper orders under one view of the queues, the pessimist's or the optimist's."""

    def __init__(self, *, hopeful: bool, latency_ns: int, exact: bool) -> None:
        if latency_ns < 0:
            raise ValueError("latency_ns must not be below 0")
        self.hopeful = hopeful
        self.latency_ns = max(1, latency_ns)
        self.exact = exact
        """Whether the feed tells of single orders, so that places in a queue can be known."""
        self.orders: dict[int, Order] = {}
        """Orders that are not over, by id."""
        self._slots = np.zeros(SLOTS, SLOT)
        self._queue = np.zeros(1, QUEUE)
        self._later = np.zeros(_LATER_ROOM, LATER)
        self._order_of: list[int | None] = [None] * SLOTS
        self._due: list[_Due] = []
        self._out = np.zeros(0, DONE)

    # -- what is asked of it ---------------------------------------------------------------------
    def send(self, order: Order) -> None:
        """Send an order; it arrives after the delay."""
        self.orders[order.id] = order
        self._ask(order.sent_ns, order.id, "arrive")

    def cancel(self, order: int, now_ns: int) -> None:
        """Ask for an order back; until the delay is over it may still be filled."""
        if order in self.orders:
            self._ask(now_ns, order, "cancel")

    def move(self, order: int, tick: int, now_ns: int) -> None:
        """Ask that a waiting stop triggers at a nearer price; one farther off is never taken."""
        if order in self.orders:
            self._ask(now_ns, order, "move", tick)

    def _ask(self, now_ns: int, order: int, what: str, tick: int = 0) -> None:
        self._due.append(_Due(now_ns + self.latency_ns, order, what, tick))
        self._due.sort()

    def adopt(self, epoch: int) -> None:
        """Begin at a book that has been through as many holes already."""
        self._queue["epoch"] = epoch

    # -- how far, and through --------------------------------------------------------------------
    @property
    def idle(self) -> bool:
        """Nothing works and nothing is on its way."""
        return not self.orders and not self._due

    @property
    def due_ns(self) -> int | None:
        """When the next thing arrives, None where nothing is on its way."""
        return self._due[0].due_ns if self._due else None

    def cut(self, recv_ns: NDArray[np.int64]) -> int:
        """How many rows of a batch, given their receive times, may be applied before `arrive` is due.

        While orders work, a batch spans less than the delay: what a fill or a trigger sends then arrives after it.
        """
        if self.idle:
            return len(recv_ns)
        reached = np.maximum.accumulate(recv_ns)
        ends = [int(np.searchsorted(reached, int(reached[0]) + self.latency_ns, side="left"))]
        if self._due:
            ends.append(int(np.searchsorted(reached, self._due[0].due_ns, side="left")))
        return min(ends)

    def step(self, events: Events, frame: NDArray[Any]) -> list[Fill | Change]:
        """Take the orders through rows the engine has applied; give what happened to them, in the order of rows."""
        queue = self._queue
        if not queue["slots"][0] or not len(frame):
            self._remember_epoch(frame)
            return []
        self._make_room(len(frame))
        count = _jit.call(work, events, frame, queue, self._slots, self._later, self._out)
        done: list[Fill | Change] = []
        for one in self._out[:count]:
            slot, row = int(one["slot"]), int(one["row"])
            number = self._order_of[slot]
            assert number is not None
            order = self.orders[number]
            seq, recv_ns = int(frame["seq"][row]), int(frame["recv_ns"][row])
            if one["what"] == TRIGGERED:
                self._free(slot)
                order.state = "triggered"
                self._ask(recv_ns, number, "arrive")
                done.append(Change(number, seq, recv_ns, "triggered"))
            else:
                done.append(self._fill(order, seq, recv_ns, int(one["tick"]), int(one["lots"]), MAKER))
                if not order.left:
                    self._free(slot)
        return done

    def _remember_epoch(self, frame: NDArray[Any]) -> None:
        if len(frame):
            self._queue["epoch"] = frame["epoch"][-1]

    def _make_room(self, rows: int) -> None:
        if len(self._out) < 2 * rows * int(self._queue["slots"][0]):
            self._out = np.zeros(2 * rows * SLOTS, DONE)
        if 2 * (int(self._queue["behind"][0]) + rows) > len(self._later):
            # What came before every order that still waits stands ahead of them all, as unknown ones do.
            oldest = int(self._slots["seq"][self._slots["state"] == RESTING].min(initial=np.iinfo(np.int64).max))
            kept = self._later[self._later["seq"] > oldest + 1]
            room = len(self._later)
            while 2 * (len(kept) + rows) > room:
                room *= 2
            self._later = _table(kept, room)
            self._queue["behind"] = len(kept)

    # -- arrivals --------------------------------------------------------------------------------
    def arrive(self, before_ns: int, book: BookView, seq: int) -> list[Fill | Change]:
        """Let in what is due up to a time, at the book as it stands after row `seq`."""
        done: list[Fill | Change] = []
        while self._due and self._due[0].due_ns <= before_ns:
            due = self._due.pop(0)
            order = self.orders.get(due.order)
            if order is None:
                continue
            if due.what == "cancel":
                done.append(self._end(order, seq, due.due_ns, "cancelled"))
            elif due.what == "move":
                self._moved(order, due.tick)
            else:
                done += self._arrive(order, due.due_ns, book, seq)
        return done

    def _moved(self, order: Order, tick: int) -> None:
        slot = self._slot_of(order.id)
        nearer = order.tick is not None and order.side * (order.tick - tick) > 0
        if slot is not None and order.state == "waiting" and nearer:
            order.tick = tick
            self._slots["tick"][slot] = tick

    def _arrive(self, order: Order, now_ns: int, book: BookView, seq: int) -> list[Fill | Change]:
        if order.kind == STOP and order.state == "sent":
            twin = self._twin(order) if order.reduces else None
            if twin is not None:
                return [self._merge(order, twin, seq, now_ns)]
            return [self._enter(order, WAITING, seq, now_ns, book)]
        if book.state != S_LIVE:
            return [self._end(order, seq, now_ns, "refused", f"the book is {book.state_name}")]
        worst = order.tick if order.kind == LIMIT else None
        if order.kind == STOP and order.protect_ticks is not None and order.tick is not None:
            worst = order.tick + order.side * order.protect_ticks
        done: list[Fill | Change] = []
        for tick, lots in self._opposite(book, order.side, order.left, worst):
            done.append(self._fill(order, seq, now_ns, tick, lots, TAKER))
        if not order.left:
            return done
        if worst is None:
            return [*done, self._end(order, seq, now_ns, "cancelled", "nothing more to trade with")]
        order.tick = worst
        return [*done, self._enter(order, RESTING, seq, now_ns, book)]

    def _twin(self, order: Order) -> Order | None:
        """A stop of the same entry that waits at the same price."""
        for one in self.orders.values():
            same = (one.parent, one.side, one.tick, one.by_quote) == (
                order.parent,
                order.side,
                order.tick,
                order.by_quote,
            )
            if same and one.state == "waiting":
                return one
        return None

    def _merge(self, order: Order, twin: Order, seq: int, now_ns: int) -> Change:
        # An entry may be filled in hundreds of pieces; each with a stop of its own would fill the venue.
        twin.lots += order.left
        self.resize(twin.id, twin.left + order.left)
        order.left = 0
        return self._end(order, seq, now_ns, "merged", f"into {twin.id}")

    def _opposite(self, book: BookView, side: int, lots: int, worst: int | None) -> Iterable[tuple[int, int]]:
        count = 64
        while True:
            levels = book.asks(count) if side > 0 else book.bids(count)
            if len(levels) < count or int(levels["lots"].sum()) >= lots:
                break
            count *= 4
        for level in levels:
            # A price off the grid lies above the tick that names it: a buyer pays the tick above.
            tick = int(level["tick"]) + (1 if side > 0 and level["fine"] != NONE else 0)
            if not lots or (worst is not None and side * (worst - tick) < 0):
                return
            taken = min(lots, int(level["lots"]))
            lots -= taken
            if taken:
                yield tick, taken

    def _enter(self, order: Order, state: int, seq: int, now_ns: int, book: BookView) -> Change:
        free = np.flatnonzero(self._slots["state"] == FREE)
        if not len(free):
            return self._end(order, seq, now_ns, "refused", f"more than {SLOTS} orders at a time")
        assert order.tick is not None
        slot = int(free[0])
        bids, asks, _, _ = book.rows(order.tick, order.tick + 1)
        shown = int((bids if order.side > 0 else asks)[0])
        row = self._slots[slot : slot + 1]
        row[:] = np.zeros(1, SLOT)
        row["state"], row["side"], row["tick"], row["left"] = state, order.side, order.tick, order.left
        row["ahead"], row["shown"], row["seq"] = shown, shown, seq
        row["exact"], row["hopeful"], row["by_quote"] = self.exact, self.hopeful, order.by_quote
        if state == RESTING:
            best = book.best_ask if order.side > 0 else book.best_bid
            if best is not None and order.side * (order.tick - best) >= 0:
                row["met"] = book.ask_lots if order.side > 0 else book.bid_lots
        self._order_of[slot] = order.id
        self._queue["slots"] = max(int(self._queue["slots"][0]), slot + 1)
        order.state = "working" if state == RESTING else "waiting"
        return Change(order.id, seq, now_ns, order.state)

    # -- ends ------------------------------------------------------------------------------------
    def _fill(self, order: Order, seq: int, recv_ns: int, tick: int, lots: int, liquidity: str) -> Fill:
        order.left -= lots
        if not order.left:
            order.state = "filled"
            del self.orders[order.id]
        return Fill(order.id, seq, recv_ns, order.side, tick, lots, liquidity, order.why, order.mid2)

    def _end(self, order: Order, seq: int, recv_ns: int, state: str, why: str = "") -> Change:
        slot = self._slot_of(order.id)
        if slot is not None:
            self._free(slot)
        order.state = state
        del self.orders[order.id]
        return Change(order.id, seq, recv_ns, state, why)

    def resize(self, order: int, left: int) -> None:
        """Set what is left of an order at once: an exit whose position was closed by another."""
        slot = self._slot_of(order)
        self.orders[order].left = left
        if slot is not None:
            self._slots["left"][slot] = left

    def _slot_of(self, order: int) -> int | None:
        return self._order_of.index(order) if order in self._order_of else None

    def _free(self, slot: int) -> None:
        self._slots["state"][slot] = FREE
        self._order_of[slot] = None
        used = np.flatnonzero(self._slots["state"] != FREE)
        self._queue["slots"] = int(used[-1]) + 1 if len(used) else 0
        if not len(used):
            self._later[:] = 0
            self._queue["behind"] = 0

    # -- looking ---------------------------------------------------------------------------------
    def ahead(self, order: int) -> int | None:
        """Lots ahead of a working order in its queue, None where it is not in one."""
        slot = self._slot_of(order)
        return int(self._slots["ahead"][slot]) if slot is not None and self._slots["state"][slot] == RESTING else None

    def digest(self) -> str:
        """A digest of all that bears on what will be filled."""
        whole = hashlib.blake2b(digest_size=16)
        whole.update(self._slots[: int(self._queue["slots"][0])].tobytes())
        whole.update(msgspec.json.encode([list(self.orders.values()), self._due, self._order_of]))
        return whole.hexdigest()


def _table(rows: NDArray[Any], room: int) -> NDArray[Any]:
    later = np.zeros(room, LATER)
    for number, seq in zip(rows["id"].tolist(), rows["seq"].tolist(), strict=True):
        at = (number * 0x9E3779B97F4A7C1 >> 20) & (room - 1)
        while later["seq"][at]:
            at = (at + 1) & (room - 1)
        later[at] = (number, seq)
    return later

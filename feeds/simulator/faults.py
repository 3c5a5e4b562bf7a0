"""What goes wrong on the way from an exchange, done to a finished tape of any tier, with a list of what was done.

A tape is cut into messages (rows up to LAST); faults take, repeat, swap and insert whole messages. Whatever leaves the
book wrong stays wrong until something in the tape mends it: `gap` and `halt` say so and bring a new snapshot, `drop`,
`duplicate` and `reorder` do not, as on a feed that nobody checks (their venue sequences show it). Every fault has
draws of its own, so that asking for one more moves none of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    C_SEQUENCE,
    CANCEL,
    CLEAR,
    FILL,
    GAP,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    QUOTE,
    S_HALTED,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    TRADE,
    Events,
    empty,
)
from feeds.simulator.draws import Draws, wait

_SECOND_NS: Final = 1_000_000_000
QUIET_NS: Final = 20 * _SECOND_NS
"""No fault in the first seconds of a tape."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of fault: how often, and for how long."""

    every_s: int
    length_ms: int = 0
    text: str = ""


FAULTS: Final = {
    "drop": Fault(every_s=30, text="a message never comes"),
    "duplicate": Fault(every_s=30, text="a message comes twice"),
    "reorder": Fault(every_s=30, text="two neighbouring messages come the wrong way round"),
    "gap": Fault(every_s=120, length_ms=3000, text="messages are missing, then the book is sent anew"),
    "crossed": Fault(every_s=120, length_ms=400, text="the best bid is told above the best ask for a moment"),
    "skew": Fault(every_s=120, length_ms=8000, text="the venue's clock is wrong by up to a second"),
    "halt": Fault(every_s=400, length_ms=20_000, text="the venue halts, then opens with a new snapshot"),
}
"""Kinds of faults by name; `every` (s) and `length` (ms) can be said."""


class Injected(NamedTuple):
    """One fault as it was done."""

    kind: str
    recv_ns: int
    until_ns: int
    rows: int
    """Rows taken, repeated, moved or put in."""
    ref: int
    """Venue sequence or update id of the message concerned, NONE where it has none."""


class _Wish(NamedTuple):
    kind: str
    every_ns: int
    length_ns: int


def read_faults(texts: Sequence[str]) -> list[_Wish]:
    """Read `gap:every=60:length=2000`; raise BadInput naming what was probably meant."""
    import difflib

    out = []
    for text in texts:
        name, *pieces = text.split(":")
        if name not in FAULTS:
            near = difflib.get_close_matches(name, FAULTS, 1, 0.4)
            raise BadInput("simulator: fault", name, f"{near[0]!r}?" if near else "one of " + ", ".join(FAULTS))
        said = {"every": FAULTS[name].every_s, "length": FAULTS[name].length_ms}
        for piece in pieces:
            key, _, value = piece.partition("=")
            if key not in said:
                raise BadInput(f"fault {name}: setting", key, "every or length")
            if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= 10_000_000):
                raise BadInput(f"fault {name}: {key}", value, "a whole number from 1 to 10000000")
            said[key] = int(value)
        out.append(_Wish(name, said["every"] * _SECOND_NS, said["length"] * 1_000_000))
    return out


def inject(rows: Events, wishes: Sequence[_Wish], seed: int) -> tuple[Events, tuple[Injected, ...]]:
    """Do the faults to a tape without CLOCK rows; give the tape and what was done, in order of time.

    Faults that would touch the same message or overlap a gap or a halt are left out.
    """
    tape = _Tape(rows)
    plans: list[tuple[int, int, _Wish]] = []
    for order, wish in enumerate(sorted(wishes, key=lambda w: list(FAULTS).index(w.kind))):
        word = Draws(seed, 0x300 + list(FAULTS).index(wish.kind)).word
        now = tape.start_ns + QUIET_NS + wait(word(), wish.every_ns)
        while now < tape.end_ns - _SECOND_NS:
            plans.append((now, order, wish))
            now += _SECOND_NS // 10 + wait(word(), wish.every_ns)
    long = [(now, now + wish.length_ns) for now, _, wish in plans if wish.kind in ("gap", "halt")]
    free = 0
    for now, _, wish in sorted(plans, key=lambda plan: plan[:2]):
        lasts = wish.length_ns if wish.kind in ("gap", "halt", "crossed", "skew") else 0
        inside = any(low < now + lasts and now < high for low, high in long if (low, high) != (now, now + lasts))
        if now < free or (inside and wish.kind not in ("gap", "halt")):
            continue
        until = tape.do(wish, now, Draws(seed, 0x380).word() if wish.kind != "skew" else now // 1000)
        if until is not None:
            free = until + 1_000_000
    return tape.finish()


class _Tape:
    """A tape in messages, and the edits it is going to get."""

    def __init__(self, rows: Events) -> None:
        self.rows = rows.copy()
        ends = np.flatnonzero(rows["marks"] & LAST) + 1
        self.begins = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        self.ends = ends.astype(np.int64)
        self.recv = np.maximum.accumulate(rows["recv_ns"][self.begins]) if len(ends) else np.zeros(0, np.int64)
        self.start_ns, self.end_ns = (int(rows["recv_ns"][0]), int(rows["recv_ns"][-1])) if len(rows) else (0, 0)
        self._gone = np.zeros(len(rows), dtype=bool)
        self._put: dict[int, list[Events]] = {}
        self._done: list[Injected] = []

    def do(self, wish: _Wish, now: int, word: int) -> int | None:
        """Do one fault at the first message at or after a time; give when it is over, None where it cannot be."""
        m = int(np.searchsorted(self.recv, now))
        if m >= len(self.ends) - 2:
            return None
        if wish.kind in ("drop", "duplicate", "reorder"):
            return self._single(wish.kind, m)
        last = int(np.searchsorted(self.recv, int(self.recv[m]) + wish.length_ns))
        if last >= len(self.ends) - 1 or last <= m:
            return None
        if wish.kind == "skew":
            return self._skew(m, last, word)
        if wish.kind == "crossed":
            return self._crossed(m, last)
        return self._renew(wish.kind, m, last)

    def finish(self) -> tuple[Events, tuple[Injected, ...]]:
        """Put the edited tape together."""
        parts: list[Events] = []
        at = 0
        for place in sorted(self._put):
            parts += [self.rows[at:place][~self._gone[at:place]], *self._put[place]]
            at = place
        parts.append(self.rows[at:][~self._gone[at:]])
        return np.concatenate(parts), tuple(sorted(self._done, key=lambda done: done.recv_ns))

    def _tell(self, kind: str, m: int, last: int, rows: int) -> int:
        message = self.rows[self.begins[m] : self.ends[m]]
        ref = int(message["ref"][0]) if message["kind"][0] in (BOOK, QUOTE, TRADE) else int(message["aux"][0])
        until = int(self.recv[last])
        self._done.append(Injected(kind, int(self.recv[m]), until, rows, ref))
        return until

    def _single(self, kind: str, m: int) -> int | None:
        begin, end = int(self.begins[m]), int(self.ends[m])
        if kind == "drop":
            self._gone[begin:end] = True
        elif kind == "duplicate":
            self._put.setdefault(end, []).append(self.rows[begin:end].copy())
        else:
            moved = self.rows[begin:end].copy()
            after = int(self.ends[m + 1])
            moved["recv_ns"] = self.rows["recv_ns"][after - 1]
            moved["marks"] |= BAD_TIME
            self._gone[begin:end] = True
            self._put.setdefault(after, []).append(moved)
            return self._tell(kind, m, m + 1, end - begin)
        return self._tell(kind, m, m, end - begin)

    def _skew(self, m: int, last: int, word: int) -> int:
        begin, end = int(self.begins[m]), int(self.ends[last - 1])
        shift = (50 + word % 950) * 1_000_000 * (1 if word >> 12 & 1 else -1)
        known = self.rows["exch_ns"][begin:end] != NONE
        self.rows["exch_ns"][begin:end][known] += shift
        return self._tell("skew", m, last - 1, end - begin)

    def _crossed(self, m: int, last: int) -> int | None:
        book = book_at(self.rows[: self.begins[m]])
        bids, asks = book[BID], book[ASK]
        if not bids or not asks:
            return None
        level = max(bids)
        tick = min(asks) + 1
        begin, end = int(self.begins[m]), int(self.begins[last])
        if self._tier_d():
            wrong = self._row(m, QUOTE, BID, tick, bids[level])
            right = self._row(last, QUOTE, BID, level, bids[level])
        elif self._by_order():
            wrong, right = self._row(m, ADD, BID, tick, 1), self._row(last, CANCEL, BID, tick, 1)
            wrong["ref"] = right["ref"] = -1
        else:
            wrong, right = self._row(m, BOOK, BID, tick, 1), self._row(last, BOOK, BID, tick, bids.get(tick, 0))
        self._put.setdefault(begin, []).append(wrong)
        self._put.setdefault(end, []).insert(0, right)
        return self._tell("crossed", m, last, 2)

    def _renew(self, kind: str, m: int, last: int) -> int:
        begin, end = int(self.begins[m]), int(self.begins[last])
        missing = int(np.count_nonzero(~self._gone[begin:end]))
        self._gone[begin:end] = True
        first = self._row(m, GAP, 0, 0, C_SEQUENCE)
        if kind == "halt":
            first = self._row(m, STATUS, 0, 0, 0)
            first["aux"] = S_HALTED
            announce = first
        else:
            first["ref"], first["aux"] = last - m, int(self.recv[last]) - int(self.recv[m])
            state = self._row(m, STATUS, 0, 0, 0)
            state["aux"] = S_SYNCING
            announce = np.concatenate([first, state])
        self._put.setdefault(begin, []).append(announce)
        self._put.setdefault(end, []).insert(0, self._snapshot(last))
        return self._tell(kind, m, last, missing)

    def _row(self, m: int, kind: int, side: int, tick: int, lots: int) -> Events:
        row = empty(1)
        row["kind"], row["side"], row["tick"], row["lots"] = kind, side, tick, lots
        row["ref"] = row["aux"] = NONE
        if kind == BOOK:
            row["aux"] = 0
        row["recv_ns"] = self.recv[m]
        row["exch_ns"] = self.rows["exch_ns"][self.begins[m]]
        row["marks"] = LAST
        return row

    def _by_order(self) -> bool:
        return bool((self.rows["kind"][:4096] == ADD).any())

    def _tier_d(self) -> bool:
        return not self._by_order() and not bool((self.rows["kind"][:4096] == BOOK).any())

    def _snapshot(self, m: int) -> Events:
        """The book as it is before a message, all faults aside, as one message."""
        past = self.rows[: self.begins[m]]
        live = self._row(m, STATUS, 0, 0, 0)
        live["aux"] = S_LIVE
        if self._tier_d():
            return live
        if self._by_order():
            body = orders_at(past)
        else:
            found = book_at(past)
            body = empty(sum(map(len, found.values())))
            levels = [(side, tick, lots) for side in (BID, ASK) for tick, lots in sorted(found[side].items())]
            body["side"], body["tick"], body["lots"] = np.array(levels).T if levels else np.zeros((3, 0))
            body["kind"], body["ref"] = BOOK, past["ref"][past["kind"] == BOOK][-1] if len(past) else NONE
        body["recv_ns"], body["exch_ns"] = live["recv_ns"], live["exch_ns"]
        clear = self._row(m, CLEAR, 0, 0, 0)
        out = np.concatenate([clear, body, live])
        out["marks"] = SNAPSHOT
        out["marks"][-1] |= LAST
        return out


def book_at(rows: Events) -> dict[int, dict[int, int]]:
    """Give the levels that a tape's rows leave, of any tier: side -> tick -> lots."""
    if (rows["kind"][:4096] == ADD).any():
        from feeds.simulator.projectors import depth_of

        depth = depth_of(rows)
        side, tick, lots = depth.side, depth.tick, depth.lots
    else:
        told = rows[(rows["kind"] == BOOK) | (rows["kind"] == QUOTE)]
        side, tick, lots = told["side"].astype(np.int64), told["tick"], told["lots"]
        if len(told) and told["kind"][-1] == QUOTE:
            newest = {s: int(np.flatnonzero(side == s)[-1]) for s in (BID, ASK) if (side == s).any()}
            return {s: {int(tick[newest[s]]): int(lots[newest[s]])} if s in newest else {} for s in (BID, ASK)}
    out: dict[int, dict[int, int]] = {BID: {}, ASK: {}}
    key = tick * 2 + (side < 0)
    order = np.argsort(key, kind="stable")
    last = order[np.append(np.diff(key[order]) != 0, True)] if len(order) else order
    for at in last.tolist():
        if lots[at] > 0:
            out[int(side[at])][int(tick[at])] = int(lots[at])
    return out


def orders_at(rows: Events) -> Events:
    """Give the orders that rest after a tier A tape's rows as ADD rows, each level's in the order of its queue."""
    queue: dict[int, tuple[int, int, int]] = {}
    pending: dict[int, int] = {}
    told = rows[np.isin(rows["kind"], (ADD, MODIFY, CANCEL, FILL))]
    fields: tuple[NDArray[np.int64], ...] = tuple(
        told[name].astype(np.int64) for name in ("kind", "side", "tick", "lots", "ref", "marks")
    )
    for kind, side, tick, lots, ref, marks in zip(*(column.tolist() for column in fields), strict=True):
        if kind == ADD:
            queue[ref] = side, tick, lots
        elif kind == MODIFY:
            old = queue.get(ref, (0, 0, 0))
            if old[:2] != (side, tick) or lots > old[2] - pending.pop(ref, 0):
                queue.pop(ref, None)
            queue[ref] = side, tick, lots
        elif kind == CANCEL:
            queue.pop(ref, None)
        elif marks & NO_BOOK:
            pending[ref] = pending.get(ref, 0) + lots
        else:
            rests = queue[ref]
            if rests[2] > lots:
                queue[ref] = *rests[:2], rests[2] - lots
            else:
                del queue[ref]
    out = empty(len(queue))
    if queue:
        out["side"], out["tick"], out["lots"] = np.array(list(queue.values())).T
    out["ref"], out["kind"] = list(queue), ADD
    out["aux"] = int(told["aux"][-1]) if len(told) else NONE
    return out

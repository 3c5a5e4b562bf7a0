"""One stock's messages of a day of TotalView-ITCH 5.0 turned into EVENT rows, block by block.

Order numbers are used once a day, so that what a message says of an order is joined to it by number alone.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import (
    ADD,
    ASK,
    AUCTION,
    BID,
    BUST,
    BUY,
    CANCEL,
    F_SSR,
    FACT,
    FILL,
    HIDDEN,
    IMPLIED,
    LAST,
    REGULAR,
    S_AUCTION,
    S_HALTED,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    UNKNOWN,
    Events,
)  # fmt: skip
from feeds.files._columns import off_marks
from feeds.files._exact import Ints, blank, count_scaled
from feeds.files._itch import LAYOUTS, Block, times
from feeds.files._itch_quotes import Quotes
from feeds.instruments import Instrument
from feeds.source import Checks

DECIMALS: Final = 4
"""Of the prices in all messages that are read."""
_MARKET_WIDE: Final = b"h"
_STATES: Final = {b"T": S_LIVE, b"H": S_HALTED, b"P": S_HALTED, b"Q": S_AUCTION}
_MOST_PRINTS: Final = 1 << 22


class _Piece(NamedTuple):
    order: Ints
    """Place of each row: twice the message's, plus one for its second row."""
    rows: Events


class _Orders:
    """Orders by number, in the order of their numbers."""

    def __init__(self) -> None:
        self.ref = np.zeros(0, dtype=np.int64)
        self.side = np.zeros(0, dtype=np.int64)
        self.price = np.zeros(0, dtype=np.int64)
        self.left = np.zeros(0, dtype=np.int64)

    def add(self, ref: Ints, side: Ints, price: Ints, left: Ints) -> int:
        """Take new orders in; give how many have a number that is taken."""
        refs = np.concatenate([self.ref, ref])
        order = np.argsort(refs, kind="stable")
        refs = refs[order]
        first = np.ones(len(refs), dtype=bool)
        first[1:] = refs[1:] != refs[:-1]
        keep = order[first]
        for name, new in (("ref", ref), ("side", side), ("price", price), ("left", left)):
            setattr(self, name, np.concatenate([getattr(self, name), new])[keep])
        return len(refs) - int(first.sum())

    def find(self, ref: Ints) -> Ints:
        """Where orders are, -1 where they are not known."""
        if not len(self.ref):
            return np.full(len(ref), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.ref, ref), len(self.ref) - 1)
        return np.where(self.ref[at] == ref, at, -1)

    def drop_done(self) -> None:
        """Forget orders of which nothing is left."""
        there = self.left > 0
        for name in ("ref", "side", "price", "left"):
            setattr(self, name, getattr(self, name)[there])


class Day:
    """The state of one stock over a day."""

    def __init__(self, stock: bytes, instrument: Instrument, midnight_ns: int, checks: Checks, *, sided: bool) -> None:
        self.stock = stock
        self.instrument = instrument
        self.midnight_ns = midnight_ns
        self.checks = checks
        self.sided = sided
        """Hidden executions name the side of the order that rested."""
        self.locate = -1
        self.begun = False
        self.orders = _Orders()
        self._quotes = None if sided else Quotes(instrument.price.fine)
        self.prints: list[tuple[Ints, Events]] = []
        self._counted = 0

    def rows(self, block: Block, place: str) -> Events:
        """The stock's rows of one block."""
        letters = block.letters
        locates = block.locates
        if self.locate < 0:
            named = np.flatnonzero(letters == ord("R"))
            if len(named):
                stocks = block.messages(b"R", named)
                mine = np.flatnonzero(stocks["stock"] == self.stock)
                if len(mine):
                    self.locate = int(stocks["locate"][mine[0]])
        which = np.flatnonzero((locates == self.locate) | (letters == _MARKET_WIDE[0]))
        mine_letters = letters[which]
        self.checks.messages += len(which)
        self._place = place
        self._block, self._which = block, which
        for letter in np.unique(mine_letters).tolist():
            if bytes([letter]) not in LAYOUTS or letter == ord("S"):
                kind = f"messages {chr(letter)}" if 32 < letter < 127 else "messages of unknown kinds"
                many = int((mine_letters == letter).sum())
                self.checks.ignored[kind] = self.checks.ignored.get(kind, 0) + many
        pieces = [*self._adds(), *self._states(), *self._ends(), *self._prints()]
        self.orders.drop_done()
        order = np.concatenate([np.zeros(0, np.int64), *(piece.order for piece in pieces)])
        if not len(order):
            return blank(0)
        by = np.argsort(order, kind="stable")
        rows = np.concatenate([piece.rows for piece in pieces])[by]
        # Of two rows of one message the second ends it.
        message = order[by] // 2
        rows["marks"][np.append(message[1:] != message[:-1], True)] |= LAST
        if self._quotes is not None:
            self._quotes.sign(rows)
            _sign_busts(rows)
        self._keep_prints(rows)
        return rows

    def _of(self, letter: bytes) -> tuple[Ints, NDArray[Any]]:
        """Places in the block and messages of one kind."""
        found = self._which[self._block.raw[self._block.starts[self._which]] == letter[0]]
        return found, self._block.messages(letter, found)

    def _blank(self, where: Ints, messages: NDArray[Any], kind: int) -> Events:
        rows = blank(len(where))
        rows["recv_ns"] = rows["exch_ns"] = self.midnight_ns + times(messages)
        rows["kind"] = kind
        if kind in {ADD, CANCEL, FILL}:
            rows["aux"] = self._block.number + where
        return rows

    def _value(self, rows: Events, price: Ints, shares: Ints) -> Events:
        tick, off = count_scaled(self.instrument.price, price.astype(np.int64), DECIMALS, f"{self._place}: price")
        lots, off_lot = count_scaled(self.instrument.size, shares.astype(np.int64), 0, f"{self._place}: shares")
        rows["tick"], rows["lots"] = tick, lots
        rows["marks"] |= off_marks(off, off_lot).astype(np.uint16)
        self.checks.off_grid += int(off.sum())
        return rows

    def _adds(self) -> list[_Piece]:
        """New orders, and those that replace others; both are then known."""
        pieces = []
        for letter in (b"A", b"F"):
            where, new = self._of(letter)
            side = np.where(new["side"] == b"B", BID, np.where(new["side"] == b"S", ASK, 0)).astype(np.int64)
            good = (side != 0) & (new["shares"] > 0) & (new["price"] > 0)
            self._damaged(int((~good).sum()), f"orders {letter.decode()} without a side, shares or price")
            where, new, side = where[good], new[good], side[good]
            taken = self.orders.add(new["ref"].astype(np.int64), side, _ints(new["price"]), _ints(new["shares"]))
            self._damaged(taken, "orders whose number is taken")
            rows = self._value(self._blank(where, new, ADD), new["price"], new["shares"])
            rows["side"], rows["ref"] = side, new["ref"].astype(np.int64)
            pieces.append(_Piece(where * 2, rows))
        where, new = self._of(b"U")
        if not len(where):
            return pieces
        old, ref = new["ref"].astype(np.int64), new["new"].astype(np.int64)
        self._damaged(
            self.orders.add(ref, np.zeros(len(ref), np.int64), _ints(new["price"]), _ints(new["shares"])),
            "orders whose number is taken",
        )
        while True:
            # A replacement may itself be replaced within the block.
            at, mine = self.orders.find(old), self.orders.find(ref)
            side = np.where(at >= 0, self.orders.side[at], 0)
            fresh = (side != 0) & (self.orders.side[mine] == 0)
            if not fresh.any():
                break
            self.orders.side[mine[fresh]] = side[fresh]
        known = side != 0
        self.checks.unknown_orders += int((~known).sum())
        self.orders.left[mine[~known]] = 0
        where, new, old, ref, side = where[known], new[known], old[known], ref[known], side[known]
        gone = self._blank(where, new, CANCEL)
        gone["ref"], gone["side"] = old, side
        rows = self._value(self._blank(where, new, ADD), new["price"], new["shares"])
        rows["ref"], rows["side"] = ref, side
        self.orders.left[self.orders.find(old)] = 0
        return [*pieces, _Piece(where * 2, gone), _Piece(where * 2 + 1, rows)]

    def _ends(self) -> list[_Piece]:
        """Executions, cancels and deletes of orders."""
        pieces = []
        for letter, kind in ((b"E", FILL), (b"C", FILL), (b"X", CANCEL), (b"D", CANCEL)):
            where, said = self._of(letter)
            at = self.orders.find(said["ref"].astype(np.int64))
            known = at >= 0
            self.checks.unknown_orders += int((~known).sum())
            where, said, at = where[known], said[known], at[known]
            shares = _ints(said["shares"]) if letter != b"D" else np.zeros(len(at), np.int64)
            if letter != b"D":
                good = shares > 0
                self._damaged(int((~good).sum()), f"messages {letter.decode()} of no shares")
                where, said, at, shares = where[good], said[good], at[good], shares[good]
            side, price = self.orders.side[at], self.orders.price[at]
            if letter == b"D":
                self.orders.left[at] = 0
            else:
                np.subtract.at(self.orders.left, at, shares)
            rows = self._value(self._blank(where, said, kind), price, shares)
            rows["ref"], rows["side"] = said["ref"].astype(np.int64), side
            pieces.append(_Piece(where * 2, rows))
            if kind == FILL:
                told = said["printable"] != b"N" if letter == b"C" else np.ones(len(at), dtype=bool)
                prices = _ints(said["price"]) if letter == b"C" else price
                rows = self._value(self._blank(where[told], said[told], TRADE), prices[told], shares[told])
                rows["side"] = np.where(side[told] == BID, SELL, BUY)
                rows["ref"], rows["aux"] = said["match"].astype(np.int64)[told], REGULAR
                pieces.append(_Piece(where[told] * 2 + 1, rows))
        return pieces

    def _prints(self) -> list[_Piece]:
        """Executions against orders that nobody saw, crosses, and prints taken back."""
        pieces = []
        for letter, sort in ((b"P", HIDDEN), (b"Q", AUCTION)):
            where, said = self._of(letter)
            good = said["shares"] > 0
            if letter == b"P":
                self._damaged(int((~good).sum()), "messages P of no shares")
            where, said = where[good], said[good]
            rows = self._value(self._blank(where, said, TRADE), said["price"], said["shares"])
            rows["ref"], rows["aux"] = said["match"].astype(np.int64), sort
            if letter == b"P" and self.sided:
                rows["side"] = np.where(said["side"] == b"B", SELL, np.where(said["side"] == b"S", BUY, UNKNOWN))
            pieces.append(_Piece(where * 2, rows))
        where, said = self._of(b"B")
        if len(where):
            rows = self._blank(where, said, TRADE)
            rows["ref"], rows["aux"] = said["match"].astype(np.int64), BUST
            prints = [*self.prints, *((piece.rows["ref"], piece.rows) for piece in pieces)]
            pieces.append(self._busts(where, rows, prints))
        return pieces

    def _busts(self, where: Ints, rows: Events, prints: list[tuple[Ints, Events]]) -> _Piece:
        found = np.zeros(len(rows), dtype=bool)
        for match, printed in prints:
            by = np.argsort(match, kind="stable")
            at = np.minimum(np.searchsorted(match[by], rows["ref"]), max(0, len(match) - 1))
            there = match[by][at] == rows["ref"] if len(match) else np.zeros(len(rows), dtype=bool)
            for name in ("tick", "lots", "side"):
                rows[name][there] = printed[name][by[at[there]]]
            rows["marks"][there] |= printed["marks"][by[at[there]]] & ~np.uint16(LAST)
            found |= there
        missing = int((~found).sum())
        if missing:
            self.checks.problem(f"{self._place}: {missing} broken trades that were never told: left out")
        return _Piece(where[found] * 2, rows[found])

    def _keep_prints(self, rows: Events) -> None:
        printed = rows[(rows["kind"] == TRADE) & (rows["aux"] != BUST)]
        self._counted += len(printed)
        if len(printed) and self._counted <= _MOST_PRINTS:
            self.prints.append((printed["ref"], printed))

    def _states(self) -> list[_Piece]:
        """Trading states, halts of the whole market, the short sale rule."""
        pieces = []
        where, said = self._of(b"R")
        if len(where) and not self.begun:
            self.begun = True
            rows = self._blank(where[:1], said[:1], STATUS)
            rows["aux"], rows["marks"] = S_LIVE, SNAPSHOT
            pieces.append(_Piece(where[:1] * 2, rows))
        where, said = self._of(b"H")
        rows = self._blank(where, said, STATUS)
        for state, status in _STATES.items():
            rows["aux"][said["state"] == state] = status
        known = np.isin(said["state"], list(_STATES))
        self._damaged(int((~known).sum()), "trading states that are none")
        pieces.append(_Piece(where[known] * 2, rows[known]))
        where, said = self._of(b"h")
        rows = self._blank(where, said, STATUS)
        rows["aux"] = np.where(said["action"] == b"H", S_HALTED, S_LIVE)
        here = (said["market"] == b"Q") & ((said["stock"] == self.stock) | (said["locate"] == self.locate))
        pieces.append(_Piece(where[here] * 2, rows[here]))
        where, said = self._of(b"Y")
        rows = self._blank(where, said, FACT)
        rows["aux"], rows["lots"], rows["ref"] = F_SSR, (said["action"] != b"0").astype(np.int64), rows["exch_ns"]
        pieces.append(_Piece(where * 2, rows))
        return pieces

    def _damaged(self, many: int, what: str) -> None:
        if many:
            self.checks.damaged += many
            self.checks.problem(f"{self._place}: {many} {what}: left out")


def _sign_busts(rows: Events) -> None:
    """Give prints taken back the side that was inferred for them among the same rows."""
    prints = rows["kind"] == TRADE
    for at in np.flatnonzero(prints & (rows["aux"] == BUST)).tolist():
        told = np.flatnonzero(prints[:at] & (rows["ref"][:at] == rows["ref"][at]) & (rows["aux"][:at] == HIDDEN))
        if len(told):
            rows["side"][at] = rows["side"][told[0]]
            rows["marks"][at] |= rows["marks"][told[0]] & IMPLIED


def _ints(column: NDArray[Any]) -> Ints:
    return column.astype(np.int64)

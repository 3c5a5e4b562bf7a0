"""Bitstamp by level: the best hundred levels as whole books, and the full book by updates that nothing numbers.

`order_book` sends the best 100 levels a side at every change: each frame is verified by being whole. What leaves the
hundred was pushed out of sight, which is not to say that it is gone; its row is marked IMPLIED.

`diff_order_book` sends absolute sizes of changed levels. They are joined to a snapshot over REST by `microtimestamp`:
what the snapshot holds is dropped, what is newer applied. REST lags the stream by about a second, so that a snapshot
older than the oldest update kept is fetched again. Updates have no sequence and no checksum, and levels of the
snapshot may never be taken back: the book is called unverifiable. Of two levels that cross the older one is removed
(marked IMPLIED), and a snapshot is fetched after 3 s; one is compared with the book every minute besides. Source:
Bitstamp's "WebSocket API v2" and "Order book".
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    C_DAMAGED,
    C_DISCONNECT,
    CLEAR,
    IMPLIED,
    LAST,
    NONE,
    OFF_GRID,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.venues import _aged as aged
from feeds.venues._access import FAULTS, bounded
from feeds.venues._bitstamp import Channels, Frame, Place, micro_ns
from feeds.venues._contract import Want

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

_COMPARED_NS: Final = 60_000_000_000
_CROSSED_NS: Final = 3_000_000_000
_KEPT_NS: Final = 30_000_000_000
"""Updates are kept so long, to be applied to a snapshot that lags."""
_KEPT: Final = 20_000
_SNAPSHOT: Final = re.compile(r"/api/v2/order_book/([a-z0-9]{1,40})/?(?:\?group=1)?\Z")
_Pairs = list[tuple[str, str]]


class _Book(msgspec.Struct, gc=False):
    bids: _Pairs
    asks: _Pairs
    microtimestamp: str


_BOOK: Final = msgspec.json.Decoder(_Book)


class _Top(Place):
    """One symbol's best levels as they were told last: price text -> size text."""

    def __init__(self, symbol: str, inst: int, instrument: Instrument) -> None:
        super().__init__(symbol, inst, instrument)
        self.sides: dict[int, dict[str, str]] = {BID: {}, ASK: {}}
        self.at_ns = NONE
        self.live = self.broken = False


class Bitstamp(Channels[_Top]):
    """Bitstamp's best 100 levels; symbols such as 'btcusd'."""

    name: ClassVar[str] = "bitstamp"
    verification: ClassVar[str] = "snapshot"
    state = _Top
    book: ClassVar[str] = "order_book_"

    def on_book(self, symbol: str, frame: Frame, recv_ns: int, out: EventBuffer) -> None:
        """Take a whole book."""
        market = self.market(symbol)
        if market is None:
            return
        if frame.event != "data":
            raise BadInput("event", frame.event, "data")
        book = _BOOK.decode(frame.data)
        exch_ns = micro_ns(book.microtimestamp)
        if market.live and exch_ns < market.at_ns:
            self.ignore("book older than the last")
            return
        rows: list[tuple[int, int, int, int]] = []
        sides: dict[int, dict[str, str]] = {}
        for side, pairs in ((BID, book.bids), (ASK, book.asks)):
            now = sides[side] = dict(pairs)
            was = market.sides[side]
            numbers = market.numbers
            gone = [price for price in was if price not in now]
            if gone:
                worst = _fine(market, pairs[-1][0]) if pairs else None
                for price in gone:
                    unseen = worst is not None and (_fine(market, price) - worst) * side < 0
                    tick, off = numbers.price(price)
                    rows.append((side, tick, 0, off | (IMPLIED if unseen else 0)))
            for price, size in pairs:
                if was.get(price) != size:
                    (tick, off_tick), (lots, off_lot) = numbers.price(price), numbers.size(size)
                    if tick < 0 or lots < 0:
                        raise BadInput("level", f"{price} x {size}"[:80], "a price and a size of 0 or more")
                    rows.append((side, tick, lots, off_tick | off_lot))
        market.sides, market.at_ns = sides, exch_ns
        self._write(market, rows, exch_ns, recv_ns, out)

    def _write(
        self, market: _Top, rows: Sequence[tuple[int, int, int, int]], exch_ns: int, recv_ns: int, out: EventBuffer
    ) -> None:
        first = not market.live
        market.touched = True
        marks = (SNAPSHOT if first else 0) | (BAD_TIME if exch_ns == 0 else 0)
        if first:
            self.checks.resyncs += market.broken
            market.live, market.broken = True, False
            last = 0 if rows else LAST
            out.append(CLEAR, recv_ns, exch_ns, ref=exch_ns, inst=market.inst, marks=marks | last)
        for side, tick, lots, off in rows:
            self.checks.off_grid += off & ~IMPLIED != 0
            out.append(BOOK, recv_ns, exch_ns, tick, lots, side, exch_ns, 0, market.inst, marks | off)
        if rows:
            out.mark_last()
        if first or not rows:
            out.append(STATUS, recv_ns, exch_ns, ref=exch_ns, aux=S_LIVE, inst=market.inst, marks=LAST)

    def on_damaged(self, symbol: str, recv_ns: int, out: EventBuffer) -> None:
        """Lose the book; the next frame is a whole one."""
        market = self.markets.get(symbol)
        if market is not None and market.live:
            self.lose(market, C_DAMAGED, "a book message cannot be read", recv_ns, out)

    def lose(self, market: _Top, cause: int, why: str, recv_ns: int, out: EventBuffer, lost: int = NONE) -> None:
        """Write a gap and forget the book."""
        self.write_hole(market, cause, why, recv_ns, out, lost)
        market.sides = {BID: {}, ASK: {}}
        market.live, market.broken = False, True


def _fine(market: _Top, price: str) -> int:
    tick, off = market.numbers.price(price)
    return tick if off else tick * market.numbers.instrument.price.fine


class _Update(NamedTuple):
    exch_ns: int
    places: list[tuple[int, aged.Place]]


class _Full(Place):
    """One symbol's full book and the updates of late."""

    def __init__(self, symbol: str, inst: int, instrument: Instrument) -> None:
        super().__init__(symbol, inst, instrument)
        self.book = aged.AgedBook(instrument)
        self.recent: deque[_Update] = deque(maxlen=_KEPT)
        self.live = self.broken = self.partial = False
        self.due_ns: int | None = None
        """When the next snapshot is to be asked for; None before the first."""


class BitstampDiff(Channels[_Full]):
    """Bitstamp's full book by updates; symbols such as 'btcusd'."""

    name: ClassVar[str] = "bitstamp-diff"
    captures: ClassVar[tuple[str, ...]] = ("BITSTAMP",)
    verification: ClassVar[str] = "unverifiable"
    state = _Full
    book: ClassVar[str] = "diff_order_book_"

    def on_subscribed(self, symbol: str) -> None:
        """Ask for the snapshot: a quiet market may not change for long."""
        market = self.markets.get(symbol)
        if market is not None and not market.live:
            self._ask(market, "subscribed")

    def on_book(self, symbol: str, frame: Frame, recv_ns: int, out: EventBuffer) -> None:
        """Take an update."""
        market = self.market(symbol)
        if market is None:
            return
        if frame.event != "data":
            raise BadInput("event", frame.event, "data")
        update = _read(market, _BOOK.decode(frame.data))
        market.touched = True
        recent = market.recent
        while recent and update.exch_ns - recent[0].exch_ns > _KEPT_NS and market.live:
            recent.popleft()
        recent.append(update)
        if market.live or market.partial:
            self._apply(market, update, 0, recv_ns, out)
            if market.due_ns is not None and recv_ns >= market.due_ns:
                market.due_ns = recv_ns + _COMPARED_NS
                self._ask(market, "compared with the venue's own")
        else:
            self._ask(market, "updates wait for it")

    def _apply(self, market: _Full, update: _Update, marks: int, recv_ns: int, out: EventBuffer) -> None:
        book, exch_ns = market.book, update.exch_ns
        marks |= BAD_TIME if exch_ns == 0 else 0
        for side, place in update.places:
            book.put(side, place)
        times = (recv_ns, exch_ns)
        before = len(out)
        self.checks.off_grid += aged.write_places(update.places, times, exch_ns, market.inst, marks, out)
        stale = 0
        while (crossing := book.crossing()) is not None:
            bid, ask = crossing
            gone = [(BID, bid)] if bid.stamp <= ask.stamp else []
            gone += [(ASK, ask)] if ask.stamp <= bid.stamp else []
            for side, place in gone:
                stale += 1
                row = book.drop(side, place)
                out.append(
                    BOOK, *times, row.tick, 0, side, exch_ns, 0, market.inst, marks | row.marks & OFF_GRID | IMPLIED
                )  # fmt: skip
        if len(out) > before:
            out.mark_last()
        else:
            status = S_LIVE if market.live else S_SYNCING
            out.append(STATUS, *times, ref=exch_ns, aux=status, inst=market.inst, marks=LAST | marks & BAD_TIME)
        if stale:
            self.problem(f"{market.symbol}: {stale} stale levels crossed the book and were removed")
            due = recv_ns + _CROSSED_NS
            market.due_ns = due if market.due_ns is None else min(market.due_ns, due)

    def on_snapshot(self, symbol: str, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Join a snapshot to the updates kept, or compare the book with it."""
        self.checks.messages += 1
        market = self.market(symbol)
        if market is None:
            return
        market.asked = False
        try:
            bounded(raw)
            whole = _read(market, _BOOK.decode(raw))
        except FAULTS as error:
            self.damaged(f"snapshot {symbol}", error)
            if not market.live:
                self._ask(market, "the snapshot cannot be read")
            return
        recent = market.recent
        proven = bool(recent) and recent[0].exch_ns <= whole.exch_ns
        if recent and not proven:
            self.problem(f"{symbol}: the snapshot is older than the oldest update kept")
            if not self.no_fetch:
                self._ask(market, "the snapshot is older than the oldest update kept")
                return
        if market.live and self._agrees(market, whole):
            market.due_ns = recv_ns + _COMPARED_NS
            out.append(STATUS, recv_ns, whole.exch_ns, ref=whole.exch_ns, aux=S_LIVE, inst=market.inst, marks=LAST)
            return
        self._rebuild(market, whole, recv_ns, out)
        market.due_ns = recv_ns + (_COMPARED_NS if proven else _CROSSED_NS)

    def _agrees(self, market: _Full, whole: _Update) -> bool:
        """Whether the book is what the snapshot and the updates since make it, and its inside at least."""
        theirs = aged.AgedBook(market.numbers.instrument)
        for side, place in whole.places:
            theirs.put(side, place)
        for update in market.recent:
            if update.exch_ns > whole.exch_ns:
                for side, place in update.places:
                    theirs.put(side, place)
        self.checks.snapshots += 1
        inside = all(_same(market.book.best(side), theirs.best(side)) for side in (BID, ASK))
        self.checks.snapshots_failed += not inside
        return inside and market.book.levels() == theirs.levels()

    def _rebuild(self, market: _Full, whole: _Update, recv_ns: int, out: EventBuffer) -> None:
        self.checks.resyncs += market.broken
        market.live = market.touched = True
        market.broken = market.partial = False
        market.book.clear()
        exch_ns = whole.exch_ns
        out.append(CLEAR, recv_ns, exch_ns, ref=exch_ns, inst=market.inst, marks=SNAPSHOT)
        self._apply(market, whole, SNAPSHOT, recv_ns, out)
        for update in market.recent:
            if update.exch_ns > exch_ns:
                self._apply(market, update, SNAPSHOT, recv_ns, out)
        out.append(STATUS, recv_ns, exch_ns, ref=exch_ns, aux=S_LIVE, inst=market.inst, marks=LAST)

    def _ask(self, market: _Full, why: str) -> None:
        if not market.asked:
            market.asked = True
            self._wants.append(Want("snapshot", market.symbol, why))

    def on_damaged(self, symbol: str, recv_ns: int, out: EventBuffer) -> None:
        """Lose the book and ask for a snapshot."""
        market = self.markets.get(symbol)
        if market is not None and market.live:
            self.lose(market, C_DAMAGED, "a book message cannot be read", recv_ns, out)

    def lose(self, market: _Full, cause: int, why: str, recv_ns: int, out: EventBuffer, lost: int = NONE) -> None:
        """Write a gap and forget the book."""
        self.write_hole(market, cause, why, recv_ns, out, lost)
        market.book.clear()
        market.recent.clear()
        market.live, market.broken, market.due_ns = False, True, None
        market.partial = self.no_fetch and cause != C_DISCONNECT
        if cause != C_DISCONNECT:
            market.asked = False
            self._ask(market, why)

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_bitstamp import BitstampDiffVoice

        return BitstampDiffVoice

    @classmethod
    def snapshot_url(cls, symbol: str) -> str:
        """Where a book is fetched."""
        return f"https://www.bitstamp.net/api/v2/order_book/{symbol}/?group=1"

    @classmethod
    def snapshot_symbol(cls, url: str) -> str | None:
        """The symbol whose book is the answer at `url`."""
        found = _SNAPSHOT.search(url)
        return found[1] if found else None


def _read(market: _Full, book: _Book) -> _Update:
    exch_ns = micro_ns(book.microtimestamp)
    read = market.book.read
    places = [(BID, read(price, size, exch_ns)) for price, size in book.bids]
    places += [(ASK, read(price, size, exch_ns)) for price, size in book.asks]
    return _Update(exch_ns, places)


def _same(ours: aged.Place | None, theirs: aged.Place | None) -> bool:
    return (ours and (ours.price, ours.size)) == (theirs and (theirs.price, theirs.size))


VENUES: Final = (Bitstamp, BitstampDiff)

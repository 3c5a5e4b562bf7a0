"""Events spoken in the words of Binance's USD-M futures, for sources that hold no frames of their own.

Depth comes every 100 ms, conflated and chained by `pu`; aggregate trades and best quotes as they are; slow inputs as
mark prices and liquidations. Who has the words has the rest: any client of that venue hears any source.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

import msgspec

from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    CANCEL,
    CLEAR,
    EVERY,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    FACT,
    FILL,
    KEYFRAME,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    OFF_GRID,
    OFF_LOT,
    QUOTE,
    SELL,
    TRADE,
)
from feeds.instruments import Instrument
from feeds.mirror.reel import FRAME, SNAPSHOT, Reel, Shot
from feeds.source import OpenOptions, open_source

VENUE: Final = "binance-futures"
DEPTH_NS: Final = 100_000_000
_FIELDS: Final = ["recv_ns", "exch_ns", "tick", "lots", "ref", "aux", "inst", "kind", "side", "marks"]
_FIRST_UPDATE: Final = 1_000_000


class Translated(Reel):
    """A source of events."""

    looked: ClassVar[int] = 500

    def __init__(self, address: str, options: OpenOptions) -> None:
        super().__init__()
        self.address = address
        self._options = options
        source = open_source(address, options)
        names: dict[str, int] = {}
        self._instruments: list[Instrument] = []
        for one in source.instruments:
            plain = "".join(c for c in one.symbol.upper() if c.isalnum() and c.isascii()) or "MIRROR"
            names[plain] = names.get(plain, 0) + 1
            symbol = plain if names[plain] == 1 else f"{plain}{names[plain]}"
            self._instruments.append(msgspec.structs.replace(one, venue=VENUE, symbol=symbol))
        source.close()
        self.markets = {VENUE: {one.symbol: one for one in self._instruments}}

    def shots(self) -> Iterator[Shot]:
        """The source from its start."""
        books = [_Book(one) for one in self._instruments]
        source = open_source(self.address, self._options)
        try:
            due = 0
            for batch in source.batches():
                for row in batch[_FIELDS].tolist():
                    if not due:
                        due = row[0] // DEPTH_NS * DEPTH_NS + DEPTH_NS
                    while row[0] >= due:
                        for book in books:
                            yield from book.depth(due)
                        due = (
                            due + DEPTH_NS if row[0] < due + 10 * DEPTH_NS else row[0] // DEPTH_NS * DEPTH_NS + DEPTH_NS
                        )
                    if row[6] != EVERY:
                        yield from books[row[6]].row(row)
            for book in books:
                yield from book.depth(due)
        finally:
            source.close()


class _Book:
    def __init__(self, instrument: Instrument) -> None:
        self._one = instrument
        self._orders: dict[int, tuple[int, int, int]] = {}
        self._levels: dict[int, dict[int, int]] = {BID: {}, ASK: {}}
        self._changed: dict[int, dict[int, None]] = {BID: {}, ASK: {}}
        self._update = _FIRST_UPDATE
        self._sent = _FIRST_UPDATE
        self._seeded = False
        self._trades = 0
        self._quote: dict[int, tuple[str, str]] = {}
        self._exch_ns = 0

    def row(self, row: tuple[int, ...]) -> Iterator[Shot]:
        recv_ns, exch_ns, tick, lots, ref, aux, _, kind, side, marks = row
        if marks & KEYFRAME:
            return
        self._exch_ns = exch_ns if exch_ns != NONE else recv_ns
        if marks & (OFF_GRID | OFF_LOT):
            # Nothing off the grids can be said in whole ticks and lots: levels and orders there stay unsaid.
            return
        if kind == BOOK:
            self._level(side, tick, lots)
        elif kind in (ADD, MODIFY, CANCEL, FILL):
            self._order(kind, ref, side, tick, lots, marks)
        elif kind == CLEAR:
            self._clear(side)
        elif kind == TRADE and lots > 0:
            self._trades += 1
            yield self._say(recv_ns, "aggTrade", {
                "e": "aggTrade", "E": self._exch_ns // 1_000_000, "a": self._trades, "s": self._one.symbol,
                "p": self._one.price.text(tick), "q": self._one.size.text(lots), "f": self._trades, "l": self._trades,
                "T": self._exch_ns // 1_000_000, "m": side == SELL,
            })  # fmt: skip
        elif kind == QUOTE:
            self._quote[side] = (self._one.price.text(tick), self._one.size.text(lots))
            if marks & LAST and len(self._quote) == 2:
                yield self._best(recv_ns)
        elif kind == FACT:
            yield from self._fact(recv_ns, aux, tick, lots, side)

    def _fact(self, recv_ns: int, aux: int, tick: int, lots: int, side: int) -> Iterator[Shot]:
        stamp = self._exch_ns // 1_000_000
        if aux == F_LIQUIDATION:
            price, size = self._one.price.text(tick), self._one.size.text(lots)
            order = {
                "s": self._one.symbol, "S": "SELL" if side == SELL else "BUY", "o": "LIMIT", "f": "IOC", "q": size,
                "p": price, "ap": price, "X": "FILLED", "l": size, "z": size, "T": stamp,
            }  # fmt: skip
            yield self._say(recv_ns, "forceOrder", {"e": "forceOrder", "E": stamp, "o": order})
        elif aux in (F_MARK_PRICE, F_INDEX_PRICE):
            text = f"{lots // 10**9}.{lots % 10**9:09d}"
            told = {"p": text, "i": ""} if aux == F_MARK_PRICE else {"p": "", "i": text}
            data = {"e": "markPriceUpdate", "E": stamp, "s": self._one.symbol, "r": "", "T": 0}
            yield self._say(recv_ns, "markPrice@1s", data | told)

    def _say(self, recv_ns: int, stream: str, data: dict[str, object]) -> Shot:
        raw = msgspec.json.encode({"stream": f"{self._one.symbol.lower()}@{stream}", "data": data})
        return Shot(recv_ns, VENUE, FRAME, raw)

    def _best(self, recv_ns: int) -> Shot:
        (bid, bid_size), (ask, ask_size) = self._quote[BID], self._quote[ASK]
        stamp = self._exch_ns // 1_000_000
        return self._say(recv_ns, "bookTicker", {
            "e": "bookTicker", "u": self._update, "s": self._one.symbol, "b": bid, "B": bid_size, "a": ask,
            "A": ask_size, "T": stamp, "E": stamp,
        })  # fmt: skip

    # -- the book -----------------------------------------------------------------------------
    def _level(self, side: int, tick: int, lots: int) -> None:
        self._update += 1
        self._changed[side][tick] = None
        if lots > 0:
            self._levels[side][tick] = lots
        else:
            self._levels[side].pop(tick, None)

    def _add(self, side: int, tick: int, lots: int) -> None:
        self._level(side, tick, self._levels[side].get(tick, 0) + lots)

    def _order(self, kind: int, ref: int, side: int, tick: int, lots: int, marks: int) -> None:
        before = self._orders.get(ref)
        if kind in (ADD, MODIFY):
            if before is not None:
                self._add(before[0], before[1], -before[2])
            if lots > 0:
                self._orders[ref] = (side, tick, lots)
                self._add(side, tick, lots)
            else:
                self._orders.pop(ref, None)
            return
        if before is None or (kind == FILL and marks & NO_BOOK):
            return
        taken = before[2] if kind == CANCEL and lots == 0 else min(lots, before[2])
        self._add(before[0], before[1], -taken)
        if taken < before[2]:
            self._orders[ref] = (before[0], before[1], before[2] - taken)
        else:
            del self._orders[ref]

    def _clear(self, side: int) -> None:
        for one in (BID, ASK) if side == 0 else (side,):
            for tick in list(self._levels[one]):
                self._level(one, tick, 0)
        self._orders = {ref: order for ref, order in self._orders.items() if side not in (0, order[0])}

    def _texts(self, side: int, ticks: list[int]) -> list[tuple[str, str]]:
        levels = self._levels[side]
        return [(self._one.price.text(tick), self._one.size.text(levels.get(tick, 0))) for tick in ticks]

    def depth(self, now_ns: int) -> Iterator[Shot]:
        """What has changed since the last message; first of all, a snapshot."""
        if self._update == self._sent:
            return
        stamp = self._exch_ns // 1_000_000
        changes = {
            "b": self._texts(BID, sorted(self._changed[BID])),
            "a": self._texts(ASK, sorted(self._changed[ASK])),
        }
        for changed in self._changed.values():
            changed.clear()
        yield self._say(now_ns, "depth@100ms", {
            "e": "depthUpdate", "E": stamp, "T": stamp, "s": self._one.symbol, "U": self._sent + 1, "u": self._update,
            "pu": self._sent, **changes,
        })  # fmt: skip
        self._sent = self._update
        if not self._seeded:
            self._seeded = True
            sides = {
                "bids": self._texts(BID, sorted(self._levels[BID], reverse=True)),
                "asks": self._texts(ASK, sorted(self._levels[ASK])),
            }
            raw = msgspec.json.encode({"lastUpdateId": self._update, "E": stamp, "T": stamp, **sides})
            yield Shot(now_ns, VENUE, SNAPSHOT, raw, self._one.symbol)
        bids, asks = self._levels[BID], self._levels[ASK]
        if bids and asks and not self._quote:
            bid, ask = max(bids), min(asks)
            text, size = self._one.price.text, self._one.size.text
            self._quote = {BID: (text(bid), size(bids[bid])), ASK: (text(ask), size(asks[ask]))}
            yield self._best(now_ns)
            self._quote = {}

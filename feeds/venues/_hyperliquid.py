"""Hyperliquid's frames as structs, strictly typed, and one coin's book as whole books and best prices tell of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from feeds.events import ASK, BID
from feeds.instruments import Instrument
from feeds.venues._levels import Numbers
from feeds.venues._seen import Seen

_Ms = Annotated[int, msgspec.Meta(ge=0, lt=4 * 10**12)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
_TradeId = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class Level(msgspec.Struct, gc=False):
    """A level: price, size, orders."""

    px: str
    sz: str
    n: _Count = 0


class Book(msgspec.Struct, gc=False):
    """A whole book: bids, then asks."""

    coin: str
    time: _Ms
    levels: tuple[list[Level], list[Level]]


class Best(msgspec.Struct, gc=False):
    """The best bid and ask."""

    coin: str
    time: _Ms
    bbo: tuple[Level | None, Level | None]


class Print(msgspec.Struct, gc=False):
    """A print."""

    coin: str
    side: str
    px: str
    sz: str
    time: _Ms
    tid: _TradeId


class Context(msgspec.Struct, gc=False):
    """Slow inputs of a coin."""

    markPx: str | None = None  # noqa: N815
    oraclePx: str | None = None  # noqa: N815
    funding: str | None = None
    openInterest: str | None = None  # noqa: N815


class Asset(msgspec.Struct, gc=False):
    """A coin's slow inputs."""

    coin: str
    ctx: Context


class Frame(msgspec.Struct, gc=False):
    """A frame."""

    channel: str
    data: msgspec.Raw = msgspec.Raw()


class Coin(msgspec.Struct, gc=False):
    """Whose a frame is."""

    coin: str = ""


class Listed(msgspec.Struct):
    """A listed coin."""

    name: str
    szDecimals: Annotated[int, msgspec.Meta(ge=0, le=18)]  # noqa: N815
    isDelisted: bool = False  # noqa: N815


class Meta(msgspec.Struct):
    """The listed coins."""

    universe: list[Listed]


FRAME: Final = msgspec.json.Decoder(Frame)
BOOK: Final = msgspec.json.Decoder(Book)
BEST: Final = msgspec.json.Decoder(Best)
PRINTS: Final = msgspec.json.Decoder(list[Print])
ASSET: Final = msgspec.json.Decoder(Asset)
COIN: Final = msgspec.json.Decoder(Coin)
META: Final = msgspec.json.Decoder(Meta)
META_AND_CONTEXTS: Final = msgspec.json.Decoder(tuple[Meta, list[Context]])
ERROR: Final = msgspec.json.Decoder(str)


class Place(NamedTuple):
    """What rows say of a level."""

    tick: int
    lots: int
    orders: int
    marks: int


Side = dict[int, Place]
"""Levels by their price in fine units."""


class Market:
    """One coin's newest book, what was written of it, and the best prices told since."""

    def __init__(self, inst: int, symbol: str, instrument: Instrument) -> None:
        self.inst = inst
        self.symbol = symbol
        self.numbers = Numbers(instrument)
        self.fine = instrument.price.fine
        self.told: dict[int, Side] = {BID: {}, ASK: {}}
        """The newest whole book."""
        self.told_ms = -1
        self.written: dict[int, Side] = {BID: {}, ASK: {}}
        self.best: tuple[Side, Side] | None = None
        self.best_ms = -1
        self.seen = Seen()
        self.printed = self.live = self.broken = self.touched = False

    def places(self, levels: Iterable[Level]) -> Side:
        """Read levels; raise BadInput where one is none."""
        found: Side = {}
        for level in levels:
            tick, off_tick = self.numbers.price(level.px)
            lots, off_lot = self.numbers.size(level.sz)
            if tick <= 0 or lots < 0:
                raise BadInput("level", f"{level.px} x {level.sz}"[:80], "a price above 0 and a size of 0 or more")
            if lots:
                price = tick if off_tick else tick * self.fine
                found[price] = Place(tick, lots, level.n, off_tick | off_lot)
        return found

    def newest(self) -> dict[int, Side]:
        """The newest book with the touch that was told after it."""
        book = self.told
        if self.best is None or self.best_ms <= self.told_ms:
            return book
        found = {}
        for side, best in ((BID, self.best[0]), (ASK, self.best[1])):
            edge = max(best, default=None) if side == BID else min(best, default=None)
            kept = {p: one for p, one in book[side].items() if edge is not None and (p - edge) * side < 0}
            found[side] = kept | best
        return found

    def forget(self) -> None:
        """Empty the book."""
        self.told = {BID: {}, ASK: {}}
        self.written = {BID: {}, ASK: {}}
        self.best = None
        self.told_ms = self.best_ms = -1
        self.live = False

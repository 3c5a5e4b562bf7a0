"""What Gemini's two sockets have in common: prints, quoted numbers and where the instruments are listed.

What the listing calls `quote_increment` is the price's increment, `tick_size` the size's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import ASK, BAD_TIME, BID, LAST, TRADE, EventBuffer
from feeds.instruments import Grid, Instrument, parse_decimal
from feeds.source import Checks
from feeds.venues._access import FAULTS, refuse_list
from feeds.venues._levels import Packed
from feeds.venues._seen import Seen
from feeds.venues._verified import Depth, Level, Market, Read, Verified

Ns = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
Id = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class _Details(msgspec.Struct):
    symbol: str
    tick_size: msgspec.Raw
    quote_increment: msgspec.Raw
    quote_currency: str = ""


_ONE: Final = msgspec.json.Decoder(_Details)
_MANY: Final = msgspec.json.Decoder(list[_Details])


class GeminiBase(Verified):
    """What both sockets have in common: prints, and where the instruments are listed."""

    keeps_texts: ClassVar[bool] = False

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._seen: dict[str, Seen] = {}

    def read_levels(
        self, market: Market, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]
    ) -> tuple[Packed | None, list[Level]]:
        """Read (price, size) texts at once, or into levels where one needs marks; raise BadInput, also below 0."""
        packed = market.numbers.packed(bids, asks)
        if packed is not None:
            return packed, []
        sides = ((BID, bids), (ASK, asks))
        return None, [market.level(side, quoted(price), size, "") for side, entries in sides for price, size in entries]

    def emit_levels(
        self, market: Market, read: Packed | None, depth: Depth, recv_ns: int, out: EventBuffer
    ) -> None:  # fmt: skip
        """Apply one message and write its rows."""
        if read is None:
            self.emit(market, depth, recv_ns, out, no_checksum)
        else:
            self.emit_read(
                market, [(BID, Read(read.bids, [])), (ASK, Read(read.asks, []))], depth, recv_ns, out, no_checksum
            )

    def write_print(
        self, market: Market, ident: int, price: str, size: str, exch_ns: int, side: int, kind: int, recv_ns: int,
        out: EventBuffer,
    ) -> None:  # fmt: skip
        """Write a print that was not there before."""
        tick, off_tick = market.numbers.price(price)
        lots, off_lot = market.numbers.size(size)
        if lots <= 0 or tick < 0:
            self.ignore("print of no size" if lots == 0 else "print of negative price or size")
            return
        if not self._seen.setdefault(market.symbol, Seen()).add(ident):
            self.checks.duplicates += 1
            return
        market.touched = True
        marks = off_tick | off_lot
        self.checks.off_grid += marks != 0
        bad = BAD_TIME if exch_ns == 0 else 0
        out.append(TRADE, recv_ns, exch_ns, tick, lots, side, ident, kind, market.inst, marks | bad | LAST)

    @classmethod
    def instruments_url(cls, symbol: str = "btcusd") -> str:
        """Where the venue tells the details of one symbol; `/v1/symbols` has the names alone."""
        return f"https://api.gemini.com/v1/symbols/details/{symbol.lower()}"

    @classmethod
    def listing_urls(cls, symbols: Iterable[str]) -> tuple[str, ...]:
        """Where each symbol's details are told."""
        return tuple(cls.instruments_url(symbol) for symbol in symbols)

    @classmethod
    def symbol_of(cls, listed: str) -> str:
        """A listed symbol as this socket spells it."""
        return listed.lower()

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the details of one symbol, or a list of such; raise BadInput where the answer is none."""
        try:
            many = _MANY.decode(raw) if raw[:1] in (b"[", "[") else [_ONE.decode(raw)]
            return {
                cls.symbol_of(one.symbol): Instrument(
                    venue=cls.name, symbol=cls.symbol_of(one.symbol), tick=_plain(one.quote_increment),
                    lot=_plain(one.tick_size), currency=one.quote_currency,
                )
                for one in many
            }  # fmt: skip
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None


def quoted(text: str) -> str:
    """A price or size of a book; raise BadInput where it is below 0."""
    if text.startswith("-"):
        raise BadInput("number", text, "0 or more")
    return text


def no_checksum(_: Market) -> int:
    """Stands where other venues have a checksum."""
    return 0


def _plain(raw: msgspec.Raw) -> str:
    mantissa, decimals = parse_decimal(bytes(raw).decode())
    if not 0 <= decimals <= 18:
        raise BadInput("increment", bytes(raw)[:40], "at most 18 decimals")
    return Grid(f"0.{'1':0>{decimals}}" if decimals else "1").text(mantissa)

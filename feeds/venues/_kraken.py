"""What Kraken's websocket interfaces have in common: depths, the checksum, prints of pairs and their listing."""

from __future__ import annotations

import zlib
from typing import Annotated, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import ASK, BID
from feeds.instruments import Grid, Instrument, parse_decimal
from feeds.venues._access import FAULTS, refuse_list
from feeds.venues._verified import Market

DEPTHS: Final = (10, 25, 100, 500, 1000)
"""Levels a side that a book can be subscribed with."""
CHECKED_LEVELS: Final = 10
PAIRS_URL: Final = "https://api.kraken.com/0/public/AssetPairs"
RENAMED: Final = {"XBT": "BTC", "XDG": "DOGE"}
"""Currencies that v2 calls otherwise than v1 and REST."""


class _Pair(msgspec.Struct):
    pair_decimals: int
    lot_decimals: int
    wsname: str = ""
    altname: str = ""
    tick_size: str = ""
    quote: str = ""


class _Pairs(msgspec.Struct):
    result: dict[str, _Pair]


class _Traded(msgspec.Struct):
    symbol: str
    price_increment: msgspec.Raw
    qty_increment: msgspec.Raw
    quote: str = ""


class _TradedData(msgspec.Struct):
    pairs: list[_Traded]


class _TradedFrame(msgspec.Struct):
    data: _TradedData


_PAIRS: Final = msgspec.json.Decoder(_Pairs)
_TRADED: Final = msgspec.json.Decoder(_TradedFrame)
Checksum = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


def digits(text: str) -> str:
    """A number as it enters the checksum: no dot, no leading zeros."""
    return text.replace(".", "").lstrip("0") or "0"


def field(text: str, grid: Grid) -> str:
    """A number as it enters the checksum; one with an exponent is first written with the pair's decimals."""
    if "e" in text or "E" in text:
        count, on_grid = grid.read(text)
        text = grid.text(count) if on_grid else grid.fine_text(count)
    return digits(text)


class KrakenMarket(Market):
    """One symbol's state."""

    digits: ClassVar[bool] = True
    size_field = staticmethod(field)

    @staticmethod
    def price_field(text: str, grid: Grid) -> str:
        """The digits of a price; raise BadInput for one below 0."""
        if text.startswith("-"):
            raise BadInput("price", text, "0 or more")
        return field(text, grid)


def checksum(market: Market) -> int:
    """CRC32 over the ten best asks, then the ten best bids."""
    levels = market.sides[ASK].top(CHECKED_LEVELS) + market.sides[BID].top(CHECKED_LEVELS)
    return zlib.crc32("".join(levels).encode())


def unit(decimals: int) -> str:
    """The increment of so many decimals."""
    if not 0 <= decimals <= 18:
        raise BadInput("decimals", decimals, "0 to 18")
    return f"0.{'1':0>{decimals}}" if decimals else "1"


def read_pairs(venue: str, raw: bytes | str, *, v2: bool) -> dict[str, Instrument]:
    """Read the pairs that REST lists, by the websocket's name; raise BadInput where the answer is none."""
    try:
        found = {}
        for one in _PAIRS.decode(raw).result.values():
            name = "/".join(RENAMED.get(part, part) for part in one.wsname.split("/")) if v2 else one.wsname
            if name:
                found[name] = Instrument(
                    venue=venue,
                    symbol=name,
                    tick=one.tick_size or unit(one.pair_decimals),
                    lot=unit(one.lot_decimals),
                    currency=one.quote[1:] if len(one.quote) == 4 and one.quote[0] in "XZ" else one.quote,
                )
        return found
    except FAULTS as error:
        raise refuse_list(venue, error) from None


def read_channel(venue: str, raw: bytes | str) -> dict[str, Instrument]:
    """Read the pairs that v2's instrument channel gives; raise BadInput where the frame is none."""
    try:
        return {
            one.symbol: Instrument(
                venue=venue, symbol=one.symbol, tick=_plain(one.price_increment), lot=_plain(one.qty_increment),
                currency=one.quote,
            )
            for one in _TRADED.decode(raw).data.pairs
        }  # fmt: skip
    except FAULTS as error:
        raise refuse_list(venue, error) from None


def _plain(raw: msgspec.Raw) -> str:
    # JSON numbers, perhaps with an exponent.
    mantissa, decimals = parse_decimal(bytes(raw).decode())
    if not 0 <= decimals <= 18:
        raise BadInput("increment", bytes(raw)[:40], "at most 18 decimals")
    return Grid(unit(decimals)).text(mantissa)

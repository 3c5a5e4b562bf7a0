"""The frames of Binance's venues as structs, strictly typed; what is not used is not named."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from feeds.events import NONE

Id = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
Time = Annotated[int, msgspec.Meta(ge=0, lt=4_000_000_000_000_000)]
_MICROSECONDS: Final = 100_000_000_000_000


class Head(msgspec.Struct, gc=False):
    """A frame: combined, raw, an answer or an error."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()
    e: str = ""
    result: msgspec.Raw = msgspec.Raw()
    id: int | str | None = None
    code: int | None = None
    msg: str = ""
    error: msgspec.Raw = msgspec.Raw()


class Kind(msgspec.Struct, gc=False):
    """What an event is and whose."""

    e: str = ""
    s: str = ""


class Depth(msgspec.Struct, gc=False):
    """A change of levels."""

    e: Literal["depthUpdate"]
    s: str
    U: Id
    u: Id
    E: Time
    b: msgspec.Raw
    a: msgspec.Raw
    pu: Annotated[int, msgspec.Meta(ge=-1, lt=2**62)] = NONE
    T: Time = 0


class Trade(msgspec.Struct, gc=False):
    """A single print."""

    e: Literal["trade"]
    s: str
    p: str
    q: str
    T: Time
    m: bool
    t: Id
    X: str = ""


class AggTrade(msgspec.Struct, gc=False):
    """Prints of one taker at one price."""

    e: Literal["aggTrade"]
    s: str
    p: str
    q: str
    T: Time
    m: bool
    a: Id
    X: str = ""


class Quote(msgspec.Struct, gc=False):
    """The best bid and ask."""

    s: str
    u: Id
    b: str
    B: str
    a: str
    A: str
    e: Literal["bookTicker"] = "bookTicker"
    T: Time = 0


class Mark(msgspec.Struct, gc=False):
    """Mark and index price and funding."""

    e: Literal["markPriceUpdate"]
    s: str
    E: Time
    p: str
    i: str = ""
    r: str = ""
    T: Time = 0


class Order(msgspec.Struct, gc=False):
    """The order of a liquidation."""

    s: str
    S: str
    p: str
    q: str
    T: Time
    ap: str = ""
    z: str = ""


class Force(msgspec.Struct, gc=False):
    """A liquidation."""

    e: Literal["forceOrder"]
    o: Order


class Snapshot(msgspec.Struct, gc=False):
    """A book's snapshot."""

    lastUpdateId: Id  # noqa: N815
    bids: msgspec.Raw
    asks: msgspec.Raw
    T: Time = 0


class Filter(msgspec.Struct):
    """A rule of a listed symbol."""

    filterType: str  # noqa: N815
    tickSize: str = "0"  # noqa: N815
    stepSize: str = "0"  # noqa: N815


class Listed(msgspec.Struct):
    """One listed symbol."""

    symbol: str
    filters: list[Filter]
    quoteAsset: str = ""  # noqa: N815
    contractSize: int | float | str = 1  # noqa: N815
    quoteAssetPrecision: int = 8  # noqa: N815
    pricePrecision: int = -1  # noqa: N815


class Listing(msgspec.Struct):
    """The venue's symbols."""

    symbols: list[Listed]


HEAD: Final = msgspec.json.Decoder(Head)
KIND: Final = msgspec.json.Decoder(Kind)
DEPTH: Final = msgspec.json.Decoder(Depth)
TRADE: Final = msgspec.json.Decoder(Trade)
AGG: Final = msgspec.json.Decoder(AggTrade)
QUOTE: Final = msgspec.json.Decoder(Quote)
MARK: Final = msgspec.json.Decoder(Mark)
FORCE: Final = msgspec.json.Decoder(Force)
SNAPSHOT: Final = msgspec.json.Decoder(Snapshot)
MANY: Final = msgspec.json.Decoder(list[msgspec.Raw])
LISTING: Final = msgspec.json.Decoder(Listing)


def to_ns(time: int) -> int:
    """A Binance time, ms or µs since 1970, in ns."""
    return time * (1_000 if time >= _MICROSECONDS else 1_000_000)

"""A venue's own side of a conversation, for a mirror of its recorded frames: acknowledgements, snapshots, lists.

A voice reads recorded frames with every number as the venue wrote it and keeps the books they make, so that a client
that comes late is told a snapshot to which the frames after it join, by the same numbers and under the same checksums.
There is no I/O and no clock: the time of the recording is handed in. Nothing here must be overridden: `Voice` itself
passes recorded frames on as they are, to whoever connects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import msgspec

from feeds.events import ASK, BID
from feeds.instruments import Instrument
from feeds.venues._access import FAULTS, Access

EVERYTHING: Final = ""
"""Topic of frames that belong to no subscription."""
_EXACT: Final = msgspec.json.Decoder(float_hook=lambda text: msgspec.Raw(text.encode()))
_CHECKSUM: Final = re.compile(rb'"checksum"\s*:\s*(-?\d+)')


def exact(raw: bytes | str) -> Any:
    """Read JSON with the texts of its numbers kept: what is no plain integer is a Raw, written back as it was."""
    return _EXACT.decode(raw)


def written(value: object) -> str:
    """JSON text of what `exact` gives."""
    return msgspec.json.encode(value).decode()


def text(number: object) -> str:
    """The text of a number as it stood in the frame, quoted or not."""
    return bytes(number).decode() if isinstance(number, msgspec.Raw) else str(number)


def iso(ns: int, digits: int = 6) -> str:
    """A time as ISO text in UTC with so many decimals of a second."""
    seconds, part = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{part:09d}"[: 20 + digits] + "Z"


class TextBook:
    """Levels of one symbol: the entry that the venue last wrote for each price."""

    def __init__(self) -> None:
        self.whole = False
        """A snapshot was seen and nothing is missing since."""
        self.at: int | None = None
        """The venue's number of the newest message in it."""
        self.sides: dict[int, dict[Decimal, Any]] = {BID: {}, ASK: {}}

    def clear(self, *, whole: bool) -> None:
        """Empty it, for a snapshot or because something is missing."""
        self.whole = whole
        self.at = None
        for side in self.sides.values():
            side.clear()

    def put(self, side: int, price: object, size: object, entry: Any) -> None:
        """Set a level, or delete it by any spelling of 0."""
        key = Decimal(text(price))
        if Decimal(text(size)):
            self.sides[side][key] = entry
        else:
            self.sides[side].pop(key, None)

    def best(self, side: int, levels: int | None = None) -> list[Any]:
        """Entries, best first."""
        entries = self.sides[side]
        return [entries[price] for price in sorted(entries, reverse=side == BID)[:levels]]

    def cut(self, levels: int) -> None:
        """Delete what lies beyond so many levels a side."""
        for side, entries in self.sides.items():
            if len(entries) > levels:
                for price in sorted(entries, reverse=side == BID)[levels:]:
                    del entries[price]


class OrderBook:
    """Orders of one symbol in the order of their queues: the entry that the venue last wrote for each."""

    def __init__(self) -> None:
        self.whole = False
        self.at: int | None = None
        self.orders: dict[object, tuple[int, Decimal, Any]] = {}
        """Id -> (side, price, entry)."""

    def clear(self, *, whole: bool) -> None:
        """Empty it, for a snapshot or because something is missing."""
        self.whole = whole
        self.at = None
        self.orders.clear()

    def put(self, ident: object, side: int, price: object, entry: Any) -> None:
        """Set an order: it keeps its place where side and price stay, and goes to the back elsewhere."""
        key = Decimal(text(price))
        before = self.orders.get(ident)
        if before is not None and before[:2] != (side, key):
            del self.orders[ident]
        self.orders[ident] = (side, key, entry)

    def levels(self, side: int, most: int | None = None) -> list[list[Any]]:
        """Entries of the best levels, each in the order of its queue."""
        found: dict[Decimal, list[Any]] = {}
        for its, price, entry in self.orders.values():
            if its == side:
                found.setdefault(price, []).append(entry)
        return [found[price] for price in sorted(found, reverse=side == BID)[:most]]

    def cut(self, levels: int) -> None:
        """Delete the orders of levels beyond so many a side."""
        for side in (BID, ASK):
            prices = {price for its, price, _ in self.orders.values() if its == side}
            for beyond in sorted(prices, reverse=side == BID)[levels:]:
                for ident in [one for one, (its, price, _) in self.orders.items() if (its, price) == (side, beyond)]:
                    del self.orders[ident]


class Talk:
    """One connection as the venue's side knows it."""

    def __init__(self, number: int, path: str) -> None:
        self.number = number
        self.path = path
        """Path and query that it was opened with."""
        self.topics: dict[str, Any] = {}
        """What it is subscribed to, each with whatever the voice keeps of it."""
        self.sent = 0
        """Numbered frames sent, where the venue counts them by connection."""
        self.flags = 0
        self.beaten_ns = 0
        """Monotonic time of the last heartbeat."""
        self.end: int | None = None
        """The voice wants it closed with this code; 1006 breaks it off."""


class Voice:
    """What a venue says; this one only passes recorded frames on."""

    every_s: ClassVar[float] = 0.0
    """Seconds between heartbeats; 0 where the protocol's pings are all."""
    when_idle: ClassVar[bool] = False
    """Heartbeats are sent only where nothing else was."""
    checksums: ClassVar[re.Pattern[bytes] | None] = None
    """Finds a stated checksum as its first group; None where frames of the venue state none."""

    def __init__(self, venue: type[Access], instruments: Mapping[str, Instrument]) -> None:
        self.venue = venue
        self.instruments = dict(instruments)
        self.now_ns = 0
        """Time of the recording."""
        self.skipped = 0
        """Numbers that the recording misses before the frame whose topic was asked last."""

    # -- the recording ------------------------------------------------------------------------
    def topic(self, raw: bytes) -> str | None:
        """What subscription a recorded frame is for; None where it was said to the recorder alone. Once a frame."""
        del raw
        return EVERYTHING

    def learn(self, raw: bytes) -> None:
        """Look at a frame before anything is served: depths, channel numbers."""

    def keep(self, raw: bytes) -> None:
        """Take a frame into the books; one that cannot be read is left out."""

    def keep_snapshot(self, symbol: str, raw: bytes) -> None:
        """Take a recorded snapshot of a book."""

    def forget(self) -> None:
        """The recorder's connection ended: the books are no longer known."""

    # -- a client -----------------------------------------------------------------------------
    def paths(self) -> set[str]:
        """Paths at which it is served."""
        return {urlsplit(socket.url).path or "/" for socket in self.venue.sockets(list(self.instruments)[:1] or ["A"])}

    def greet(self, talk: Talk) -> list[str]:
        """Say what the venue says first; subscribe what the address names."""
        talk.topics[EVERYTHING] = None
        return []

    def hear(self, talk: Talk, said: str) -> list[str]:
        """Answer a text frame; raises one of FAULTS where it cannot be read."""
        del talk, said
        return []

    def tell(self, talk: Talk, topic: str, raw: bytes) -> bytes | str | None:
        """Give a recorded frame as this connection gets it; None where it gets none."""
        del talk, topic
        return raw

    def beat(self, talk: Talk) -> list[str]:
        """Heartbeats."""
        del talk
        return []

    # -- over HTTP ----------------------------------------------------------------------------
    def page(self, path: str) -> bytes | None:
        """The answer to a path with its query: instruments; None where there is none."""
        wanted = {urlsplit(url).path for url in self.venue.listing_urls(list(self.instruments))}
        return self.listing(path) if urlsplit(path).path in wanted else None

    def listing(self, path: str) -> bytes | None:
        """The list of instruments at a path."""
        del path
        return None

    def snapshot(self, symbol: str, path: str) -> bytes | None:
        """A book's snapshot over HTTP; None where it is not known now."""
        del symbol, path
        return None


class Answering(Voice):
    """A voice that says nothing of its own accord and serves what it is asked for, out of books by some key."""

    books: dict[Any, Any]

    def forget(self) -> None:
        """The books are no longer known."""
        for book in self.books.values():
            book.clear(whole=False)

    def greet(self, talk: Talk) -> list[str]:
        """Nothing."""
        del talk
        return []


def spoiled(pattern: re.Pattern[bytes], raw: bytes) -> bytes | None:
    """A frame whose checksum is wrong by one; None where it states none."""
    found = pattern.search(raw)
    if found is None:
        return None
    return raw[: found.start(1)] + str(int(found[1]) + 1).encode() + raw[found.end(1) :]


def decimals(increment: str) -> int:
    """Decimals of an increment as text."""
    return len(increment.partition(".")[2])


def symbols_in(request: Mapping[str, Any], *names: str) -> list[str]:
    """Texts of a list that a request holds under one of the names."""
    for name in names:
        found = request.get(name)
        if isinstance(found, str):
            return [found]
        if isinstance(found, Iterable):
            return [one for one in found if isinstance(one, str)]
    return []


CHECKSUM: Final = _CHECKSUM
"""`"checksum": N`, as several venues write it."""
UNREADABLE: Final = (*FAULTS, KeyError, IndexError, TypeError, AttributeError, ArithmeticError)
"""Everything that a frame read without a schema may raise."""

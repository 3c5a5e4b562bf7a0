"""What a venue's parser promises: frames in, EVENT rows out, no I/O and no clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import msgspec

from feeds.events import EventBuffer
from feeds.instruments import Instrument
from feeds.source import Checks


class Want(msgspec.Struct, frozen=True):
    """Something the parser needs fetched, as for a book snapshot over REST."""

    what: str
    """'snapshot' or 'resubscribe'."""
    symbol: str
    why: str


class Venue(ABC):
    """Parse one venue's frames into EVENT rows.

    State is only what the venue's own rules need (sequence numbers, the text of the levels under a checksum).
    Malformed frames are counted in `checks.damaged` and skipped with a sentence; a break in the venue's sequence
    writes a GAP row, clears the book and adds a Want. The parser never raises for what a frame holds.
    """

    name: ClassVar[str]
    """Venue name in addresses, such as 'binance-futures'."""
    verification: ClassVar[str]
    """chain, counter, checksum, snapshot or unverifiable."""
    tier: ClassVar[str] = "C"

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        self.instruments = instruments
        """The venue's symbol -> (inst, Instrument)."""
        self.checks = checks

    @abstractmethod
    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one websocket frame."""

    @abstractmethod
    def on_snapshot(self, symbol: str, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse the answer to a snapshot request."""

    @abstractmethod
    def wants(self) -> list[Want]:
        """What should be fetched or asked again now; each is given once."""

    @abstractmethod
    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write GAP rows and forget the books."""

"""What a capture and its readers need of a broker: an append-only log an instrument, and no more than that.

Everything that makes the rows exact (order, no loss, no doubling, whole books) is done by the publisher and the
follower over these few calls, so that it can be shown to hold whatever a broker does.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol


class BrokerAway(OSError):
    """The broker cannot be reached, does not answer, or ended the connection; it may come back."""


class BrokerRefuses(BrokerAway):
    """The broker is there and says no: too full, not allowed; `code` is its own word for it."""

    def __init__(self, code: object, text: str) -> None:
        super().__init__(f"the broker refuses: {text}")
        self.code = code


class LogConflict(Exception):
    """The log does not end where the writer thought: something was stored by another, or lost, or not acknowledged."""


class NoLog(Exception):
    """There is no log of this name."""


class Stored(NamedTuple):
    """One message in a log."""

    position: int
    """Counts the messages of a log from 1; the oldest may be gone."""
    data: bytes


class Extent(NamedTuple):
    """What a log holds: positions `first` to `last`, `last` = `first` - 1 where it holds nothing."""

    first: int
    last: int


class Broker(Protocol):
    """A connection to a broker; every call raises BrokerAway where it fails or takes too long."""

    @property
    def most_rows(self) -> int:
        """Rows that one message may have here."""

    async def create(self, venue: str, symbol: str) -> None:
        """Make an instrument's log if there is none."""

    async def names(self) -> list[str]:
        """`VENUE:SYMBOL` of all logs."""

    async def extent(self, venue: str, symbol: str) -> Extent:
        """What a log holds; raises NoLog."""

    async def read(self, venue: str, symbol: str, position: int) -> Stored | None:
        """One message, None where it is gone or not there yet."""

    async def newest_key(self, venue: str, symbol: str) -> Stored | None:
        """The newest message that was appended with `key`; raises NoLog."""

    async def append(self, venue: str, symbol: str, data: bytes, *, position: int, key: bool = False) -> Future[None]:
        """Append a message that is to have this position; several may be under way.

        The future ends when it is stored; it raises LogConflict where the log does not end just before.
        """

    def follow(self, venue: str, symbol: str, position: int) -> AsyncIterator[Stored]:
        """Give the messages from a position on, waiting for more at the end."""

    async def close(self) -> None:
        """End the connection."""

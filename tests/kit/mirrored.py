"""A mirror and the real client on it, over real sockets, with what came of both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from feeds.events import Events, empty
from feeds.instruments import Instrument
from feeds.listing import listed, sockets
from feeds.live import Client, Sink
from feeds.mirror import Mirror, Plan, Reel
from feeds.rest import Answer, Rest
from feeds.venues import venues
from feeds.venues._access import Access, Socket


class Pages:
    """Requests over HTTP by a client that is made when the first is, as making it takes a while."""

    def __init__(self) -> None:
        self._rest: Rest | None = None

    def make(self) -> None:
        """Make it now."""
        self._rest = self._rest or Rest()

    async def get(self, url: str, **more: Any) -> Answer:
        """As `Rest.get`."""
        self.make()
        assert self._rest is not None
        return await self._rest.get(url, **more)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._rest is not None:
            await self._rest.close()


class Visit:
    """A client of a mirror."""

    def __init__(self, client: Client, mirror: Mirror, rest: Pages) -> None:
        self.client, self.mirror, self.rest = client, mirror, rest
        self._batches: list[Events] = []

    @property
    def rows(self) -> Events:
        """Everything delivered so far."""
        self._drain()
        return np.concatenate(self._batches) if self._batches else empty()

    def _drain(self) -> None:
        self._batches += self.client.inbox.take()

    @property
    def told(self) -> list[str]:
        """What a person was told so far."""
        return [line.text for line in self.client.log]

    async def until(self, what: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(seconds):
            while not what():
                await asyncio.sleep(0.01)

    async def told_of(self, text: str, seconds: float = 20.0) -> None:
        """Wait until a person was told something."""
        await self.until(lambda: any(text in line for line in self.told), seconds)

    async def over(self, seconds: float = 60.0) -> None:
        """Wait for the recording's end and until all that was sent has been read."""
        async with asyncio.timeout(seconds):
            while not self.mirror.over.is_set():
                self._drain()  # a reader who takes nothing would stop the sockets
                await asyncio.sleep(0.02)
        before = -1
        while before != self.client.checks.messages:
            before = self.client.checks.messages
            await asyncio.sleep(0.12)
            self._drain()


@contextlib.asynccontextmanager
async def mirrored(
    reel: Reel, *, speed: float = 0.0, plan: Plan | None = None, settle_s: float = 0.3, loop: bool = False
) -> AsyncIterator[Mirror]:
    """A mirror that plays once somebody has subscribed."""
    async with Mirror(reel, speed=speed, plan=plan, settle_s=settle_s, loop=loop) as mirror:
        playing = asyncio.create_task(mirror.run())
        try:
            yield mirror
        finally:
            playing.cancel()
            ends = await asyncio.gather(playing, return_exceptions=True)
            assert isinstance(ends[0], asyncio.CancelledError), ends


@contextlib.asynccontextmanager
async def visiting(
    mirror: Mirror, venue: str | None = None, symbols: Sequence[str] | None = None, *, sink: Sink | None = None,
    at: Sequence[Socket] | None = None, instruments: Mapping[str, tuple[int, Instrument]] | None = None,
    like: Visit | None = None,
) -> AsyncIterator[Visit]:  # fmt: skip
    """The real client on a mirror: the instruments it lists, the venue's own sockets or others; or one like another."""
    name = venue or next(iter(mirror.reel.markets))
    kind: type[Access] = venues()[name]
    async with contextlib.nullcontext(like.rest) if like is not None else Pages() as rest:
        if kind.snapshot_url("A") is not None:
            rest.make()
        if like is not None:
            instruments = like.client.feed.instruments
        chosen = list(mirror.reel.markets[name]) if symbols is None else list(symbols)
        found = instruments or await listed(kind, chosen, rest.get, mirror.rest)
        client = Client(
            kind, found, fetch=rest.get, rest=mirror.rest, sink=sink, draw=lambda: 0.0,
            sockets=sockets(kind, found, mirror.url) if at is None else at,
            again=None if at is not None else lambda some: sockets(kind, some, mirror.url),
        )  # fmt: skip
        task = asyncio.create_task(client.run())
        try:
            yield Visit(client, mirror, rest)
        finally:
            task.cancel()
            ends = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(ends[0], asyncio.CancelledError), ends

"""A live market on loopback: a venue that speaks OKX's words, and what a screen would hold of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from tapeview.config import Config
from tapeview.live import LiveMarket, Options
from tapeview.livelane import Lane
from tapeview.trading import Plan
from tests.feeds.test_feed import TWO, Server
from tests.kit.venue_server import VenueServer

LIST = "/api/v5/public/instruments?instType=SPOT"
LISTED = msgspec.json.encode({
    "code": "0",
    "data": [{"instId": s, "instType": "SPOT", "tickSz": "1", "lotSz": "1", "state": "live"} for s in TWO],
})  # fmt: skip
BTC, ETH = "live:okx:BTC-X", "live:okx:ETH-X"


class Floor:
    """The venue, its market, and the live market that listens."""

    def __init__(self, venue: VenueServer, server: Server, market: LiveMarket) -> None:
        self.venue, self.server, self.market = venue, server, market

    def lane(self, tab: int = 0) -> Lane:
        lane = self.market.lanes[tab]
        assert lane is not None
        return lane

    async def until(self, what: Callable[[], bool], seconds: float = 15.0) -> None:
        async with asyncio.timeout(seconds):
            while not what():
                await asyncio.sleep(0.01)

    def state(self, tab: int = 0) -> str:
        """The badge of an instrument."""
        from tapeview.snapshot import Window

        shown, self.market.index = self.market.index, tab
        try:
            link = self.market.snapshot(Window()).status.link
        finally:
            self.market.index = shown
        assert link is not None
        return link.state

    async def live(self, tab: int = 0) -> None:
        await self.until(lambda: self.state(tab) == "live")

    async def say(self, count: int) -> None:
        """The venue tells so many messages of either instrument."""
        for _ in range(count):
            await self.venue.say(self.server.next())

    async def caught_up(self, tab: int = 0) -> None:
        """Wait until all that the venue said has been applied."""

        def done() -> bool:
            lane = self.lane(tab)
            seqs = [self.server.seq[symbol] for symbol in lane.source.symbols]
            books = [engine.venue_seq for engine in lane.session.engines]
            return books == seqs and not lane.source.client.inbox.rows

        await self.until(done)


@contextlib.asynccontextmanager
async def floor(
    *addresses: str,
    record: Path | None = None,
    settings: Config | None = None,
    seed: int = 5,
    listing: bool = True,
    refuse: int | None = None,
    desk: Plan | None = None,
) -> AsyncIterator[Floor]:
    """A venue server and a live market on some of its instruments."""
    server = Server(seed)

    async with VenueServer(lambda: [server.snapshot(symbol) for symbol in TWO]) as venue:
        venue.refuse = refuse
        if listing:
            venue.pages[LIST] = LISTED
        rest = venue.url.replace("ws:", "http:")
        market = LiveMarket(Options(venue.url, rest, record), settings, draw=lambda: 0.01, desk=desk)
        try:
            await asyncio.to_thread(market.open, addresses, 5.0)
            yield Floor(venue, server, market)
        finally:
            await asyncio.to_thread(market.close)

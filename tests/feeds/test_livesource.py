"""A venue as a source: it starts when it is read, ends when asked or in time, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from feeds import open_source
from feeds.errors import BadInput
from feeds.events import BOOK, CLOCK, TRADE, Events
from feeds.livesource import LiveSource, Wires
from feeds.recording import rebuild
from feeds.source import OpenOptions
from feeds.venues.okx import Okx
from tests.feeds.test_feed import ONE, TWO, Server
from tests.kit.live import BTC, LIST, LISTED
from tests.kit.recordings import all_rows
from tests.kit.venue_server import VenueServer

R = TypeVar("R")


async def with_venue(work: Callable[[VenueServer, Server], Awaitable[R]]) -> R:
    server = Server(9)
    async with VenueServer(lambda: [server.snapshot(symbol) for symbol in TWO]) as venue:
        venue.pages[LIST] = LISTED
        return await work(venue, server)


def options(venue: VenueServer, seconds: float | None = None) -> OpenOptions:
    return OpenOptions(url=venue.url, rest=venue.url.replace("ws:", "http:"), seconds=seconds)


async def test_a_live_address_is_a_source_that_ends_in_time() -> None:
    async def work(venue: VenueServer, server: Server) -> Events:
        source = await asyncio.to_thread(open_source, BTC, options(venue, 1.0))
        assert isinstance(source, LiveSource)
        assert source.info.format == "live"
        assert [one.symbol for one in source.instruments] == ["BTC-X"]
        assert venue.connections == 0, "nothing is connected before it is read"
        reading = asyncio.create_task(asyncio.to_thread(lambda: list(source.batches())))
        while not reading.done():
            await venue.say(server.next())
            await asyncio.sleep(0.005)
        await asyncio.to_thread(source.close)
        return np.concatenate(await reading)

    rows = await with_venue(work)
    assert (np.diff(rows["seq"]) == 1).all()
    assert {BOOK, TRADE, CLOCK} <= set(rows["kind"].tolist())


async def test_what_a_source_recorded_is_what_it_gave(tmp_path: Path) -> None:
    async def work(venue: VenueServer, server: Server) -> Events:
        with Wires() as wires:
            source = LiveSource(Okx, TWO, wires, url=venue.url, record=tmp_path / "kept")
            source.start()
            got: list[Events] = []
            while sum(map(len, got)) < 200:
                await venue.say(server.next())
                got += await asyncio.to_thread(source.take, 0.01)
            await asyncio.to_thread(source.stop)
            assert source.queue is None
            return np.concatenate([*got, *source.take()])

    rows = await with_venue(work)
    again = all_rows(rebuild(tmp_path / "kept"))
    assert rows[: len(again)].tobytes() == again.tobytes()
    assert (rows["kind"][len(again) :] == CLOCK).all()


async def test_a_closed_source_leaves_no_thread_and_no_connection() -> None:
    async def work(venue: VenueServer, server: Server) -> None:
        source = await asyncio.to_thread(open_source, BTC, options(venue))
        batches = source.batches()
        while not len(await asyncio.to_thread(next, batches)):
            await venue.say(server.next())
        await asyncio.to_thread(source.close)
        async with asyncio.timeout(10):
            while venue.clients or any(thread.name == "wires" for thread in threading.enumerate()):
                await asyncio.sleep(0.01)

    await with_venue(work)


async def test_a_source_that_was_never_read_can_be_closed() -> None:
    async def work(venue: VenueServer, _: Server) -> int:
        source = await asyncio.to_thread(open_source, BTC, options(venue))
        await asyncio.to_thread(source.close)
        return venue.connections

    assert await with_venue(work) == 0


async def test_a_folder_in_the_way_of_a_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("mine")
    with Wires() as wires, pytest.raises(BadInput, match="empty"):
        LiveSource(Okx, ONE, wires, record=tmp_path / "kept")


@pytest.mark.parametrize("address", ["live:nowhere:BTC", "live:okx:", "live:okx"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadInput):
        open_source(address)


def test_a_host_that_does_not_answer_is_bad_input() -> None:
    with pytest.raises(BadInput, match="reached"):
        open_source(BTC, OpenOptions(url="ws://127.0.0.1:9", rest="http://127.0.0.1:9"))

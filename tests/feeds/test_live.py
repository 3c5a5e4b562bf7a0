"""The live client over real sockets: it comes back, loses nothing it received, and its recording says the same."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from feeds.events import BOOK, CLOCK, GAP, S_LIVE, STATUS, TRADE, Events, empty
from feeds.instruments import Instrument
from feeds.link import LinkState
from feeds.live import Client, Inbox, Times
from feeds.recording import rebuild
from feeds.recording.frames import FrameWriter
from feeds.recording.manifest import Manifest
from feeds.rest import Answer
from feeds.venues._access import Access, Socket
from feeds.venues.binance_futures import BinanceFutures
from feeds.venues.okx import Okx
from tests.feeds.test_feed import TWO, Server, engines, equal
from tests.kit.recordings import all_rows
from tests.kit.venue_server import VenueServer

SUBSCRIBE = '{"op":"subscribe"}'


async def no_fetch(url: str) -> Answer:
    raise OSError(f"nothing at {url}")


class Desk:
    """A client on its way, the venue it talks to and what has come of it."""

    def __init__(self, client: Client, venue: VenueServer, market: Server) -> None:
        self.client, self.venue, self.market = client, venue, market
        self._batches: list[Events] = []

    @property
    def rows(self) -> Events:
        self._batches += self.client.inbox.take()
        return np.concatenate(self._batches) if self._batches else empty()

    async def until(self, what: Callable[[], bool], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not what():
                await asyncio.sleep(0.01)

    async def caught_up(self) -> None:
        """Wait until everything the venue said has been delivered."""

        def done() -> bool:
            rows = self.rows
            books = [rows["ref"][(rows["kind"] == BOOK) & (rows["inst"] == n)] for n in range(len(TWO))]
            newest = all(len(b) and b[-1] == seq for b, seq in zip(books, self.market.seq.values(), strict=True))
            return newest and int(rows["ref"][rows["kind"] == TRADE].max(initial=0)) == self.market.trades

        await self.until(done)

    def live(self) -> int:
        """How often a book became live."""
        rows = self.rows
        return int(((rows["kind"] == STATUS) & (rows["aux"] == S_LIVE)).sum()) if len(rows) else 0


@contextlib.asynccontextmanager
async def desk(
    tmp_path: Path,
    venue: type[Access] = Okx,
    instruments: dict[str, tuple[int, Instrument]] | None = None,
    fetch: Callable[[str], object] = no_fetch,
    routes: int = 1,
) -> AsyncIterator[Desk]:
    """A venue server, a client that records what it hears, and both ended in order."""
    instruments = instruments or TWO
    market = Server(5)
    about = Manifest(
        venue=venue.name, instruments=tuple(i for _, i in instruments.values()), created_by="test",
        verification=venue.verification, tier="C",
    )  # fmt: skip
    async with VenueServer(lambda: [market.snapshot(s) for s in TWO] if venue is Okx else []) as server:
        with FrameWriter(tmp_path / "recorded", about) as sink:
            client = Client(
                venue, instruments, fetch=fetch, sink=sink, draw=lambda: 0.0,  # type: ignore[arg-type]
                sockets=[Socket(server.url, (SUBSCRIBE,))] * routes,
            )  # fmt: skip
            task = asyncio.create_task(client.run())
            try:
                yield Desk(client, server, market)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def same_as_recorded(rows: Events, folder: Path) -> None:
    """What the recording says is what was delivered, byte for byte, up to the clock of the silence at the end."""
    again = all_rows(rebuild(folder))
    assert len(again) > 20
    assert rows[: len(again)].tobytes() == again.tobytes()
    assert (rows["kind"][len(again) :] == CLOCK).all()


async def test_a_client_connects_subscribes_and_keeps_the_venues_book(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.until(lambda: it.live() == 2)
        for _ in range(200):
            await it.venue.say(it.market.next())
        await it.caught_up()
        assert it.venue.subscriptions == [SUBSCRIBE]
        assert [route.state for route in it.client.health()] == [LinkState.LIVE]
    rows = it.rows
    assert it.client.inbox.over
    assert (np.diff(rows["seq"]) == 1).all()
    for engine, book in zip(engines(rows), it.market.books.values(), strict=True):
        assert equal(engine, book)
    same_as_recorded(rows, tmp_path / "recorded")


@pytest.mark.parametrize("end", ["1000", "1001", "1012", "abort"])
async def test_every_end_of_a_connection_is_a_hole_and_it_comes_back(tmp_path: Path, end: str) -> None:
    async with desk(tmp_path) as it:
        await it.until(lambda: it.live() == 2)
        await it.venue.say(it.market.next())
        await (it.venue.cut() if end == "abort" else it.venue.drop(int(end), "bye"))
        it.market.change()
        await it.until(lambda: it.live() == 4)
        await it.venue.say(it.market.change())
        await asyncio.sleep(0.1)
        await it.caught_up()
        told = [line.text for line in it.client.log]
        assert told[0] == "connected"
        assert told[-1] == "connected"
        assert len(told) == 3
    rows = it.rows
    assert int((rows["kind"] == GAP).sum()) == 2
    for engine, book in zip(engines(rows), it.market.books.values(), strict=True):
        assert engine.book.state_name == "live"
        assert equal(engine, book)
    same_as_recorded(rows, tmp_path / "recorded")


async def test_before_a_told_end_it_goes_over_to_another_connection_without_a_hole(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.until(lambda: it.live() == 2)
        for _ in range(30):
            await it.venue.say(it.market.next())
        await it.venue.say(b'{"event":"notice","code":"64008","msg":"upgrade soon"}')
        while it.venue.connections < 2 or len(it.venue.clients) > 1 or not it.venue.clients:
            await it.venue.say(it.market.next())
            await asyncio.sleep(0.005)
        for _ in range(30):
            await it.venue.say(it.market.next())
        await it.caught_up()
    rows = it.rows
    assert not (rows["kind"] == GAP).any()
    assert sorted(rows["ref"][rows["kind"] == TRADE].tolist()) == list(range(1, it.market.trades + 1))
    assert any("without a hole" in line.text for line in it.client.log)
    for engine, book in zip(engines(rows), it.market.books.values(), strict=True):
        assert equal(engine, book)
    same_as_recorded(rows, tmp_path / "recorded")


async def test_a_venue_that_says_no_is_not_asked_again_soon(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.until(lambda: it.live() == 2)
        it.venue.refuse = 429
        await it.venue.drop()
        await it.until(lambda: any("429" in line.text for line in it.client.log))
        health = it.client.health()[0]
        assert health.state is LinkState.DOWN
        assert health.retry_in_ns is not None
        assert health.retry_in_ns > 50 * 10**9
        await asyncio.sleep(0.3)
        assert sum("429" in line.text for line in it.client.log) == 1


async def test_a_book_that_breaks_is_subscribed_anew_on_the_same_connection(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.until(lambda: it.live() == 2)
        it.market.change()
        for _ in range(20):
            await it.venue.say(it.market.change())
        await it.until(lambda: len(it.venue.subscriptions) == 2)
        await it.until(lambda: it.live() >= 3)
        assert it.venue.connections == 1


async def test_a_slow_reader_stops_the_sockets_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feeds.live.WAITING_ROWS", 50)
    async with desk(tmp_path) as it:
        await asyncio.sleep(0.2)
        for _ in range(3000):
            await it.venue.say(it.market.next())
        await asyncio.sleep(0.3)
        assert it.client.inbox.rows < 200, "the rest waits in the network"
        await it.caught_up()
    for engine, book in zip(engines(it.rows), it.market.books.values(), strict=True):
        assert equal(engine, book)


# -- snapshots over REST -------------------------------------------------------------------------
BTC = Instrument(venue="binance-futures", symbol="BTCUSDT", tick="0.10", lot="0.001")


def depth(first: int, last: int, before: int) -> bytes:
    names = {"e": "depthUpdate", "E": 5, "T": 5, "s": "BTCUSDT", "U": first, "u": last, "pu": before}
    return msgspec.json.encode({"stream": "btcusdt@depth@100ms", "data": names | {"b": [["100.0", "1"]], "a": []}})


SNAPSHOT = msgspec.json.encode({"lastUpdateId": 100, "E": 1, "T": 1, "bids": [["99.9", "2"]], "asks": [["100.2", "3"]]})


async def test_a_snapshot_is_fetched_and_recorded_for_the_socket_that_wants_it(tmp_path: Path) -> None:
    asked: list[str] = []

    async def fetch(url: str) -> Answer:
        asked.append(url)
        if len(asked) == 1:
            raise OSError("no route to host")
        return Answer(500, b"") if len(asked) == 2 else Answer(200, SNAPSHOT)

    async with desk(tmp_path, BinanceFutures, {"BTCUSDT": (0, BTC)}, fetch, routes=2) as it:
        await it.until(lambda: len(it.venue.clients) == 2)
        await it.venue.say(depth(95, 101, 90), to=0)
        await it.until(lambda: it.live() == 1)
        for n in range(30):
            await it.venue.say(depth(102 + n, 102 + n, 101 + n), to=0)
        await asyncio.sleep(0.1)
        assert len(asked) == 3
        assert all("/fapi/v1/depth?symbol=BTCUSDT" in url for url in asked)
        assert sum("no snapshot" in line.text for line in it.client.log) == 2
    same_as_recorded(it.rows, tmp_path / "recorded")


async def test_after_too_many_requests_nothing_is_asked_of_that_host(tmp_path: Path) -> None:
    asked: list[str] = []

    async def fetch(url: str) -> Answer:
        asked.append(url)
        return Answer(429, b"", retry_after_s=3600)

    async with desk(tmp_path, BinanceFutures, {"BTCUSDT": (0, BTC)}, fetch) as it:
        await it.until(lambda: bool(it.venue.clients))
        await it.venue.say(depth(95, 101, 90))
        await it.until(lambda: bool(asked))
        await asyncio.sleep(0.4)
        assert len(asked) == 1


# -- times and the inbox -------------------------------------------------------------------------
def test_receive_times_follow_a_clock_set_forward_and_never_step_back() -> None:
    now = {"mono": 10**9, "wall": 10**18}
    times = Times(lambda: now["mono"], lambda: now["wall"])
    said = [times.now()[0]]
    for mono, wall in ((10**8, 10**8), (10**8, 3600 * 10**9), (10**8, -7200 * 10**9), (10**8, 10**8)):
        now["mono"] += mono
        now["wall"] += wall
        step = times.check()
        said.append(times.now()[0])
        if abs(wall - mono) > 10**9:
            assert abs(step) > 3000 * 10**9
    assert said == sorted(said)
    assert said[2] - said[1] == 3600 * 10**9


def test_an_inbox_gives_batches_in_order_and_ends() -> None:
    inbox = Inbox()
    inbox.put(np.zeros(0, np.int64))
    assert inbox.take() == []
    inbox.put(np.arange(3))
    inbox.put(np.arange(2))
    assert inbox.rows == 5
    assert [len(batch) for batch in inbox.take()] == [3, 2]
    assert inbox.rows == 0
    inbox.close()
    assert inbox.take(None) == []
    assert inbox.over

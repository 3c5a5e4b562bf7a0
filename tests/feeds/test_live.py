"""The live client over real sockets: it comes back, loses nothing it received, and its recording says the same."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from feeds.events import BOOK, CLOCK, GAP, S_LIVE, STATUS, TRADE, Events, empty
from feeds.instruments import Instrument
from feeds.link import LinkState
from feeds.live import Client
from feeds.mirror.reel import FRAME, Listed, Shot
from feeds.recording import rebuild
from feeds.recording.blocks import CLOCKS
from feeds.recording.frames import FrameWriter
from feeds.recording.manifest import Manifest
from feeds.recording.segments import Damage, FrameReader
from feeds.rest import Answer
from feeds.times import Times
from feeds.venues._access import Access, Socket
from feeds.venues.binance import BinanceSpot
from feeds.venues.binance_futures import BinanceFutures
from feeds.venues.okx import Okx
from tests.feeds.mirror.test_voices import book_of
from tests.feeds.test_feed import TWO, Server, engines, equal
from tests.kit.mirrored import mirrored, visiting
from tests.kit.proxy import Proxy
from tests.kit.recordings import all_rows
from tests.kit.spoken import MARKETS
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
        await it.until(lambda: len(it.venue.subscriptions) == 3)  # and unsubscribed before
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


# -- F36, F37: subscriptions that bring nothing -------------------------------------------------------
async def test_a_symbol_of_which_nothing_comes_is_named_and_the_others_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feeds.live.FIRST_DATA_NS", 300_000_000)
    market = Server(5)
    async with VenueServer(lambda: [market.snapshot("BTC-X")]) as server:
        client = Client(
            Okx, TWO, fetch=no_fetch, draw=lambda: 0.0, again=lambda some: [Socket(server.url, (SUBSCRIBE,))],
            sockets=[Socket(server.url, (SUBSCRIBE,))],
        )  # fmt: skip
        task = asyncio.create_task(client.run())
        it = Desk(client, server, market)
        await it.until(lambda: any("no data within" in line.text for line in client.log))
        line = next(line for line in client.log if "no data within" in line.text)
        assert line.where == "ETH-X"
        await it.until(lambda: any("ETH-X" in said and "unsubscribe" in said for said in server.subscriptions))
        assert client.health()[0].state is LinkState.LIVE
        assert server.connections == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("a_socket", [25, 3])
async def test_a_symbol_that_ends_every_connection_is_found_and_left_out_and_the_others_run_on(
    a_socket: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feeds.venues.hyperliquid.SYMBOLS_A_SOCKET", a_socket)
    coins = {
        name: Instrument(venue="hyperliquid", symbol=name, tick="1", lot="0.001")
        for name in ("A", "B", "C", "D", "BAD")
    }
    known = {name: (n, coin) for n, (name, coin) in enumerate(coins.items())}
    listed = {name: coin for name, coin in coins.items() if name != "BAD"}
    shots = [
        Shot(1 + n, "hyperliquid", FRAME, b'{"channel":"l2Book","data":{"coin":"%b","time":%d,'
             b'"levels":[[{"px":"10","sz":"1","n":1}],[{"px":"11","sz":"1","n":1}]]}}' % (name.encode(), 1000 + n))
        for n, name in enumerate(listed)
    ]  # fmt: skip
    async with (
        mirrored(Listed("coins", {"hyperliquid": listed}, shots), settle_s=0.05) as mirror,
        visiting(mirror, "hyperliquid", instruments=known) as visit,
    ):
        await visit.told_of("left out for 10 min", 60)
        line = next(line for line in visit.client.log if "left out" in line.text)
        assert line.where == "BAD"
        await visit.until(lambda: set(visit.rows["inst"][visit.rows["kind"] == BOOK].tolist()) == {0, 1, 2, 3})
        states = [route.state for route in visit.client.health()]
        assert states.count(LinkState.DOWN) == 1
        assert any("asked for apart" in line for line in visit.told)
        assert len(states) >= -(-len(coins) // a_socket) + 1


# -- F47, F48, F49: this machine ----------------------------------------------------------------------
class Clocks:
    """Real clocks that a test sets."""

    def __init__(self) -> None:
        self.wall = self.boot = 0

    def times(self) -> Times:
        import time

        return Times(time.monotonic_ns, lambda: time.time_ns() + self.wall, lambda: time.monotonic_ns() + self.boot)


@contextlib.asynccontextmanager
async def clocked(tmp_path: Path, clocks: Clocks) -> AsyncIterator[Desk]:
    """A client with such clocks."""
    market = Server(5)
    about = Manifest(venue="okx", instruments=tuple(i for _, i in TWO.values()), created_by="test")
    async with VenueServer(lambda: [market.snapshot(s) for s in TWO]) as server:
        with FrameWriter(tmp_path / "recorded", about) as sink:
            client = Client(
                Okx, TWO, fetch=no_fetch, draw=lambda: 0.0, sockets=[Socket(server.url, (SUBSCRIBE,))], sink=sink,
                times=clocks.times(),
            )  # fmt: skip
            task = asyncio.create_task(client.run())
            try:
                yield Desk(client, server, market)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def test_a_step_of_the_wall_clock_is_told_recorded_and_no_row_goes_back(tmp_path: Path) -> None:
    clocks = Clocks()
    async with clocked(tmp_path, clocks) as it:
        await it.until(lambda: it.live() == 2)
        clocks.wall -= 3600 * 10**9
        await it.until(lambda: any("stepped by -3600" in line.text for line in it.client.log))
        for _ in range(20):
            await it.venue.say(it.market.next())
        await it.caught_up()
        assert sum("stepped" in line.text for line in it.client.log) == 1
        assert it.venue.connections == 1
    assert (np.diff(it.rows["recv_ns"]) >= 0).all()
    pairs = [r for r in FrameReader(tmp_path / "recorded").records() if not isinstance(r, Damage) and r.kind == CLOCKS]
    assert len(pairs) >= 2


async def test_after_the_machine_slept_every_book_is_asked_for_anew(tmp_path: Path) -> None:
    clocks = Clocks()
    async with clocked(tmp_path, clocks) as it:
        await it.until(lambda: it.live() == 2)
        clocks.boot += 1800 * 10**9
        await it.until(lambda: it.live() == 4)
        assert any("slept for 1800" in line.text for line in it.client.log)
        assert it.venue.connections == 2
    assert int((it.rows["kind"] == GAP).sum()) == 2


async def test_a_process_that_stood_still_says_so_and_does_not_blame_the_venue(tmp_path: Path) -> None:
    import time

    async with clocked(tmp_path, Clocks()) as it:
        await it.until(lambda: it.live() == 2)
        time.sleep(1.3)  # the whole loop stands
        await it.venue.say(it.market.change())
        await it.caught_up()
        assert any("stood still for 1." in line.text for line in it.client.log)
        assert it.venue.connections == 1
        assert it.client.health()[0].state is LinkState.LIVE


# -- F40, F42: certificates and proxies ---------------------------------------------------------------
async def test_a_certificate_nobody_vouches_for_is_refused_and_said(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = await asyncio.create_subprocess_exec(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "1", "-keyout",
        str(key), "-out", str(certificate), stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await made.wait() == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, ssl=context) as server:
        url = f"wss://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        client = Client(Okx, TWO, fetch=no_fetch, draw=lambda: 0.0, sockets=[Socket(url, (SUBSCRIBE,))])
        task = asyncio.create_task(client.run())
        async with asyncio.timeout(20):
            while not any("certificate" in line.text.lower() for line in client.log):
                await asyncio.sleep(0.01)
        assert client.health()[0].state is not LinkState.LIVE
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_small_frame_that_unpacks_to_a_giant_is_not_unpacked() -> None:
    sent: list[int] = []

    async def bomb(connection: ServerConnection) -> None:
        await connection.recv()
        sent.append(1)
        with contextlib.suppress(ConnectionClosed):
            await connection.send("x" * (64 << 20))  # some 64 KB on the wire
            await connection.recv()

    async with serve(bomb, "127.0.0.1", 0, compression="deflate", max_size=None) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        client = Client(Okx, TWO, fetch=no_fetch, draw=lambda: 0.0, sockets=[Socket(url, (SUBSCRIBE,))])
        task = asyncio.create_task(client.run())
        async with asyncio.timeout(20):
            while len(sent) < 2:
                await asyncio.sleep(0.01)
        assert client.checks.messages == 0
        assert any("1009" in line.text or "too big" in line.text for line in client.log), list(client.log)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_sockets_and_requests_go_through_the_proxy_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    reel, book = MARKETS["coinbase-full"](5, 60)
    async with Proxy() as proxy, mirrored(reel, settle_s=0.1, speed=2) as mirror:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with visiting(mirror) as visit:
            await visit.over()
            assert book_of(visit.rows) == book
        assert f"CONNECT 127.0.0.1:{mirror.port}" in proxy.asked
    assert any(one.startswith("GET http://127.0.0.1") and "/book" in one for one in proxy.asked)


# -- F38: many come back at once ----------------------------------------------------------------------
async def test_of_many_symbols_that_come_back_at_once_the_one_somebody_looks_at_comes_first() -> None:
    symbols = [f"S{n}USDT" for n in range(30)]
    known = {name: (n, Instrument(venue="binance", symbol=name, tick="1")) for n, name in enumerate(symbols)}
    asked: list[str] = []

    async def fetch(url: str, **_: object) -> Answer:
        asked.append(url.partition("symbol=")[2].partition("&")[0])
        return Answer(200, b'{"lastUpdateId":5,"bids":[["1","1"]],"asks":[["2","1"]]}')

    def first() -> list[bytes]:
        return []

    async with VenueServer(first) as server:
        client = Client(BinanceSpot, known, fetch=fetch, sockets=[Socket(server.url, ("hello",))], draw=lambda: 0.0)
        client.shown = symbols[-1]
        task = asyncio.create_task(client.run())
        async with asyncio.timeout(10):
            while not server.clients:
                await asyncio.sleep(0.01)
        for name in symbols:
            await server.say(
                b'{"stream":"%b@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"%b","U":1,"u":4,"b":[],"a":[]}}'
                % (name.lower().encode(), name.encode())
            )
        async with asyncio.timeout(20):
            while len(asked) < 12:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert symbols[-1] in asked[:11], "ten may be asked at once, and then it is its turn"
    assert len(set(asked)) == len(asked)

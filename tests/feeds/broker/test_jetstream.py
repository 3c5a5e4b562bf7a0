"""The real server: what is published is read, whatever is killed in between."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from feeds.broker.address import Login, parse_address, parse_target
from feeds.broker.batches import About
from feeds.broker.client import BrokerClient, look_up, open_broker
from feeds.broker.jetstream import connect, stream_name, token, untoken
from feeds.broker.log import BrokerAway, BrokerRefuses, LogConflict, NoLog
from feeds.broker.publisher import Publisher
from feeds.errors import BadInput
from feeds.instruments import Instrument
from feeds.live import Inbox
from tests.feeds.broker.test_follower import wanted
from tests.feeds.broker.test_publisher import put, until
from tests.kit.broker import NatsServer, needs_server
from tests.kit.recordings import all_rows
from tests.kit.rows import stream

ABOUT = About(instrument=Instrument(venue="kraken", symbol="BTC/USD", tick="0.1"), verification="checksum")
NAME = "kraken:BTC/USD"


def publisher(server: NatsServer, inbox: Inbox) -> Publisher:
    return Publisher(parse_target(server.url), [ABOUT], inbox, who=Login(), draw=lambda: 0.1)


@pytest.fixture(autouse=True)
def _no_litter() -> Iterator[None]:
    """Let go here, and not in some later test, of what the client leaves of a connection that failed half-way."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize("text", ["BTC/USD", "a.b*c>d e", "=", "é_ü", "plain-1_2"])
def test_any_symbol_is_a_token_and_comes_back(text: str) -> None:
    assert untoken(token(text)) == text
    assert not set(token(text)) & set(".*> /\\")


def test_what_is_no_token_is_refused() -> None:
    with pytest.raises(BadInput):
        untoken("a=ZZ")
    with pytest.raises(BadInput):
        untoken("=FF")


@needs_server
async def test_the_calls_do_what_the_log_promises(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        broker = await connect(parse_target(server.url), Login())
        try:
            with pytest.raises(NoLog):
                await broker.extent("okx", "A/B")
            with pytest.raises(NoLog):
                await broker.newest_key("okx", "A/B")
            await broker.create("okx", "A/B")
            await broker.create("okx", "A/B")
            assert await broker.extent("okx", "A/B") == (1, 0)
            assert await broker.newest_key("okx", "A/B") is None
            assert await broker.read("okx", "A/B", 1) is None
            answers = [await broker.append("okx", "A/B", b"%d" % n, position=n, key=n % 3 == 0) for n in range(1, 300)]
            await asyncio.gather(*answers)
            with pytest.raises(LogConflict):
                await (await broker.append("okx", "A/B", b"again", position=5))
            assert await broker.extent("okx", "A/B") == (1, 299)
            assert await broker.read("okx", "A/B", 7) == (7, b"7")
            assert await broker.newest_key("okx", "A/B") == (297, b"297")
            assert await broker.names() == ["okx:A/B"]
            got = []
            async for stored in broker.follow("okx", "A/B", 100):
                got.append(stored)
                if len(got) == 200:
                    break
            assert got == [(n, b"%d" % n) for n in range(100, 300)]
            with pytest.raises(BrokerRefuses, match="no stream takes"):
                await (await broker.append("okx", "NONE", b"", position=1))
        finally:
            await broker.close()
        with pytest.raises(BrokerAway):
            await broker.extent("okx", "A/B")


@needs_server
async def test_a_server_that_dies_is_noticed_at_once_by_writer_and_reader(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        broker = await connect(parse_target(server.url), Login())
        await broker.create("okx", "A")
        await (await broker.append("okx", "A", b"x", position=1))
        messages = broker.follow("okx", "A", 1)
        assert await anext(messages) == (1, b"x")
        waiting = asyncio.create_task(anext(messages))
        await asyncio.sleep(0.05)
        server.kill()
        async with asyncio.timeout(3):
            with pytest.raises(BrokerAway):
                await waiting
            with pytest.raises(BrokerAway):
                await (await broker.append("okx", "A", b"y", position=2))
        await broker.close()
        with pytest.raises(BrokerAway, match="nats://127"):
            await connect(parse_target(server.url), Login())


def _source_rows(server: NatsServer, query: str = "?from=first&to=now"):
    source = open_broker(f"broker://127.0.0.1:{server.port}/{NAME}{query}")
    return source, all_rows(source.batches())


@needs_server
def test_what_is_published_through_restarts_of_the_broker_is_read_through_kills_of_the_reader(tmp_path: Path) -> None:
    rows, draw = stream(11, 1500), random.Random(3)
    inbox = Inbox()
    with NatsServer(tmp_path) as server:
        publishing = publisher(server, inbox)
        for turn, at in enumerate(range(0, len(rows), 500)):
            put(inbox, rows[at : at + 500], draw.randint(1, 60))
            if turn % 4 == 1:
                server.kill()
                put(inbox, rows[:0])
                server.start()
        inbox.close()
        state = publishing.close(patience_s=20)
        assert (state.waiting_bytes, state.lost, state.why) == (0, 0, "")
        source, got = _source_rows(server)
        assert source.instruments[0] == ABOUT.instrument
        assert got.tobytes() == wanted(rows).tobytes()
        pieces, reached = [], -1
        while reached < int(rows["seq"][-1]):
            some = open_broker(f"broker://127.0.0.1:{server.port}/{NAME}?from={reached + 1}")
            batches = some.batches()
            for _ in range(draw.randint(1, 8)):
                batch = next(batches, None)
                if batch is None:
                    break
                pieces.append(batch)
                reached = int(batch["seq"][-1])
            batches.close()
        assert all_rows(pieces).tobytes() == wanted(rows).tobytes()


@needs_server
async def test_a_live_reader_outlives_its_broker(tmp_path: Path) -> None:
    rows = stream(12, 600)
    inbox = Inbox()
    with NatsServer(tmp_path) as server:
        publishing = publisher(server, inbox)
        put(inbox, rows[:700])
        await asyncio.to_thread(until, lambda: publishing.state().rows >= 700)
        address = parse_address(f"broker://127.0.0.1:{server.port}/{NAME}?from=first")
        client = BrokerClient(address, await look_up(address), draw=lambda: 0.1)
        task = asyncio.create_task(client.run())
        await asyncio.to_thread(until, lambda: client.follower.reached == 699)
        server.kill()
        put(inbox, rows[700:])
        server.start()
        inbox.close()
        await asyncio.to_thread(publishing.close, 20)
        await asyncio.to_thread(until, lambda: client.follower.ended)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert all_rows(client.inbox.take()).tobytes() == wanted(rows).tobytes()
    assert any("again in" in told.text for told in client.log)


def open_sockets() -> int:
    """Sockets of this process that are open now."""
    return sum(1 for one in Path("/proc/self/fd").iterdir() if "socket:" in str(one.resolve()))


@needs_server
def test_logins_and_encryption_are_asked_for_and_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("no openssl to make a certificate with")
    rows, inbox = stream(13, 20), Inbox()
    words = ["--tls", "--tlscert", str(certificate), "--tlskey", str(key), "--user", "desk", "--pass", "s3cret"]
    with NatsServer(tmp_path / "js", *words) as server:
        address = f"broker://127.0.0.1:{server.port}/{NAME}"
        with pytest.raises(BadInput, match="certificate"):
            open_broker(f"{address}?tls=on")
        monkeypatch.setenv("TAPEVIEW_BROKER_CA", str(certificate))
        with pytest.raises(BadInput, match="can be reached") as refused:
            open_broker(f"{address}?tls=on")
        assert "asks for a login" in str(refused.value)
        before = open_sockets()
        for _ in range(6):
            with pytest.raises(BadInput, match="can be reached"):
                open_broker(f"{address}?tls=on")
        assert open_sockets() == before, "a login that failed leaves nothing open"
        monkeypatch.setenv("TAPEVIEW_BROKER_USER", "desk")
        monkeypatch.setenv("TAPEVIEW_BROKER_PASSWORD", "s3cret")
        target = parse_target(server.url.replace("nats://", "tls://"))
        publishing = Publisher(target, [ABOUT], inbox)
        put(inbox, rows)
        inbox.close()
        assert publishing.close().rows == len(rows)
        source = open_broker(f"{address}?tls=on&to=now&from=0")
        assert all_rows(source.batches()).tobytes() == wanted(rows).tobytes()
        said = "".join(told.text for told in publishing.log) + repr(source.info) + repr(vars(publishing))
        assert "s3cret" not in said


@needs_server
async def test_a_reader_of_a_server_without_jetstream_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = NatsServer(tmp_path)
    from tests.kit.broker import SERVER

    process = subprocess.Popen(
        [str(SERVER), "-a", "127.0.0.1", "-p", str(server.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        address = parse_address(f"broker://127.0.0.1:{server.port}/{NAME}")
        async with asyncio.timeout(15):
            while True:
                try:
                    await look_up(address)
                except BrokerAway as error:
                    if "JetStream is off" in str(error):
                        break
                    await asyncio.sleep(0.05)
    finally:
        process.kill()
        process.wait()


def test_the_stream_of_an_instrument_has_a_name_of_its_own() -> None:
    assert stream_name("kraken", "BTC/USD") == "tapeview_kraken_BTC=2FUSD"
    assert os.sep not in stream_name("kraken", "BTC/USD")

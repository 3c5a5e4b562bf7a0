"""The live client with a key: the order of what is sent, and that nothing of it is kept."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from feeds.errors import BadInput
from feeds.events import BOOK
from feeds.instruments import Instrument
from feeds.listing import listed
from feeds.live import Client
from feeds.recording.frames import FrameWriter
from feeds.recording.manifest import Manifest
from feeds.rest import Answer
from feeds.venues._access import Socket
from feeds.venues.alpaca import AlpacaCrypto
from feeds.venues.coinbase_full import CoinbaseFull
from feeds.venues.kraken_l3 import KrakenL3
from tests.kit.venue_server import VenueServer

COIN = Instrument(venue="alpaca-crypto", symbol="BTC/USD", tick="0.01", lot="0.0001")
BOOK_TOLD = b'[{"T":"o","S":"BTC/USD","t":"2021-02-22T15:51:44Z","b":[{"p":100.5,"s":1.5}],"a":[],"r":true}]'
SECRET = base64.b64encode(b"hush hush").decode()


async def no_fetch(url: str, **_: Any) -> Answer:
    raise OSError(f"nothing at {url}")


async def until(what: Any, seconds: float = 10.0) -> None:
    """Wait for something to be true."""
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.01)


async def test_a_subscription_follows_the_accepted_login_and_no_key_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", "AK123")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "hush")
    monkeypatch.setenv("TAPEVIEW_KEYS_TO_LOOPBACK", "1")

    def answer() -> list[bytes]:
        if "auth" in server.subscriptions[-1]:
            return [b'[{"T":"success","msg":"authenticated"}]']
        return [b'[{"T":"subscription","orderbooks":["BTC/USD"]}]', BOOK_TOLD]

    about = Manifest(venue="alpaca-crypto", instruments=(COIN,), created_by="test", verification="none", tier="C")

    def booked() -> bool:
        return any(BOOK in batch["kind"] for batch in client.inbox.take())

    async with VenueServer(answer) as server:
        with FrameWriter(tmp_path / "recorded", about) as sink:
            (socket,) = AlpacaCrypto.sockets(["BTC/USD"])
            client = Client(
                AlpacaCrypto, {"BTC/USD": (0, COIN)}, fetch=no_fetch, sink=sink, draw=lambda: 0.0,
                sockets=[Socket(server.url, socket.frames, socket.symbols)],
            )  # fmt: skip
            task = asyncio.create_task(client.run())
            try:
                await until(booked)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
    assert [json.loads(text)["action"] for text in server.subscriptions] == ["auth", "subscribe"]
    assert json.loads(server.subscriptions[0]) == {"action": "auth", "key": "AK123", "secret": "hush"}
    kept = b"".join(path.read_bytes() for path in (tmp_path / "recorded").rglob("*") if path.is_file())
    assert kept
    assert b"hush" not in kept
    assert b"AK123" not in kept
    assert "hush" not in " ".join(f"{line}" for line in client.log)


async def test_without_a_key_a_client_is_not_even_made() -> None:
    with pytest.raises(BadInput, match="key of alpaca-crypto: APCA_API_KEY_ID and APCA_API_SECRET_KEY"):
        Client(AlpacaCrypto, {"BTC/USD": (0, COIN)}, fetch=no_fetch)


async def test_a_mirror_of_the_venue_is_asked_without_a_key_and_never_told_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", "AK123")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "hush")
    async with VenueServer(list) as server:
        (socket,) = AlpacaCrypto.sockets(["BTC/USD"])
        moved = [Socket(server.url, socket.frames, socket.symbols)]
        client = Client(AlpacaCrypto, {"BTC/USD": (0, COIN)}, fetch=no_fetch, sockets=moved, draw=lambda: 0.0)
        task = asyncio.create_task(client.run())
        try:
            await until(lambda: server.subscriptions)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert server.subscriptions == list(socket.frames)
    assert any("no key is sent" in line.text for line in client.log)


async def test_a_list_that_needs_a_key_is_asked_for_with_one_at_the_venue_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", "AK123")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "hush")
    asked: dict[str, dict[str, str]] = {}

    async def get(url: str, *, body: str = "", headers: dict[str, str] | None = None) -> Answer:
        asked[url.split("/")[2]] = headers or {}
        told = [{"symbol": "BTC/USD", "price_increment": "0.1", "min_trade_increment": "0.01"}]
        return Answer(200, json.dumps(told).encode())

    for base in (None, "https://test.elsewhere.com", "http://127.0.0.1:9"):
        await listed(AlpacaCrypto, ["BTC/USD"], get, base)
    assert asked.pop("api.alpaca.markets")["APCA-API-SECRET-KEY"] == "hush"
    assert asked == {"test.elsewhere.com": {}, "127.0.0.1:9": {}}


async def test_a_token_is_fetched_for_orders_and_none_for_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRAKEN_API_KEY", "K1")
    monkeypatch.setenv("KRAKEN_API_SECRET", SECRET)
    monkeypatch.setenv("TAPEVIEW_KEYS_TO_LOOPBACK", "1")
    asked: list[tuple[str, str, dict[str, str]]] = []

    async def fetch(url: str, *, body: str = "", headers: dict[str, str] | None = None) -> Answer:
        asked.append((url, body, headers or {}))
        return Answer(200, b'{"error":[],"result":{"token":"T/1","expires":900}}')

    instrument = Instrument(venue="kraken-l3", symbol="BTC/USD", tick="0.1", lot="0.00000001")
    async with VenueServer(list) as server:
        moved = [Socket(server.url, one.frames, one.symbols) for one in KrakenL3.sockets(["BTC/USD"])]
        client = Client(KrakenL3, {"BTC/USD": (0, instrument)}, fetch=fetch, sockets=moved, draw=lambda: 0.0)
        task = asyncio.create_task(client.run())
        try:
            await until(lambda: len(server.subscriptions) == 2)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    params = {one["params"]["channel"]: one["params"] for one in map(json.loads, server.subscriptions)}
    assert params["level3"]["token"] == "T/1"
    assert "token" not in params["trade"]
    ((url, body, headers),) = asked
    assert url == "https://api.kraken.com/0/private/GetWebSocketsToken"
    nonce = json.loads(body)["nonce"]
    told = b"/0/private/GetWebSocketsToken" + hashlib.sha256((nonce + body).encode()).digest()
    sign = hmac.new(b"hush hush", told, hashlib.sha512).digest()
    assert headers == {"API-Key": "K1", "API-Sign": base64.b64encode(sign).decode()}


@pytest.mark.parametrize("answer", [b"{}", b'{"error":["EAPI:Invalid key"]}', b"no"])
async def test_a_token_refused_is_told_and_tried_again_later(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setenv("KRAKEN_API_KEY", "K1")
    monkeypatch.setenv("KRAKEN_API_SECRET", SECRET)
    monkeypatch.setenv("TAPEVIEW_KEYS_TO_LOOPBACK", "1")

    async def fetch(url: str, **_: Any) -> Answer:
        return Answer(200, answer)

    instrument = Instrument(venue="kraken-l3", symbol="BTC/USD", tick="0.1", lot="0.00000001")
    async with VenueServer(list) as server:
        orders = KrakenL3.sockets(["BTC/USD"])[0]
        moved = [Socket(server.url, orders.frames, orders.symbols)]
        client = Client(KrakenL3, {"BTC/USD": (0, instrument)}, fetch=fetch, sockets=moved, draw=lambda: 0.0)
        task = asyncio.create_task(client.run())
        try:
            await until(lambda: any("token" in line.text for line in client.log))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert server.subscriptions == []
    assert SECRET not in " ".join(f"{line}" for line in client.log)


def test_a_request_of_orders_at_coinbase_is_signed_when_it_is_sent() -> None:
    from feeds.keys import Secrets

    key = Secrets(dict(zip(CoinbaseFull.secrets, ("K", SECRET, "P"), strict=True)))
    (socket,) = CoinbaseFull.sockets(["BTC-USD"])
    (text,) = CoinbaseFull.sealed(socket, key, "", 1_700_000_000)
    sent = json.loads(text)
    assert (sent["key"], sent["passphrase"], sent["timestamp"]) == ("K", "P", "1700000000")
    sign = hmac.new(b"hush hush", b"1700000000GET/users/self/verify", hashlib.sha256).digest()
    assert sent["signature"] == base64.b64encode(sign).decode()
    assert SECRET not in text

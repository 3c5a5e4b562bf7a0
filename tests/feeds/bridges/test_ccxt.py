"""The bridge to ccxt: the real library against an exchange on loopback, reached by its own settings of addresses."""

from __future__ import annotations

import asyncio
import datetime as dt
import http
import json
import time
from collections.abc import Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

pytest.importorskip("ccxt", reason="the extra 'ccxt' is not installed")

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from feeds.bridges import bridge
from feeds.bridges.ccxt import CcxtBridge
from feeds.errors import BadInput
from feeds.events import (
    BOOK,
    CLEAR,
    GAP,
    LAST,
    NONE,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    TRADE,
)  # fmt: skip
from tests.feeds.bridges.following import follow
from tests.feeds.files.naive import Naive, plain

CONSTANTS = {
    "coins": {},
    "pairs": {
        "btc-usdt": {
            "id": 1, "name": "btc-usdt", "pair_base": "btc", "pair_2": "usdt", "min_size": 0.0001, "max_size": 10,
            "min_price": 1, "max_price": 10**6, "increment_size": 0.0001, "increment_price": 0.5, "active": True,
        }
    },
}  # fmt: skip


def iso(seconds: float) -> str:
    """A time as the exchange writes it."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def book(bids: list[list[float]], asks: list[list[float]], seconds: float) -> str:
    """A frame of a whole book."""
    data = {"bids": bids, "asks": asks, "timestamp": iso(seconds)}
    return json.dumps({"topic": "orderbook", "action": "partial", "symbol": "btc-usdt", "data": data})


def trades(*prints: tuple[float, float, str, float]) -> str:
    """A frame of prints: price, size, side, time."""
    data = [{"price": p, "size": s, "side": side, "timestamp": iso(at)} for p, s, side, at in prints]
    return json.dumps({"topic": "trade", "action": "partial", "symbol": "btc-usdt", "data": data})


@asynccontextmanager
async def exchange(play: Callable):
    """A HollaEx on loopback: its list of pairs over HTTP, its stream over a websocket."""
    state = {"sessions": 0, "asked": []}

    def rest(connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/stream":
            return None
        body = json.dumps(CONSTANTS).encode() if request.path == "/v2/constants" else b"{}"
        return Response(
            http.HTTPStatus.OK,
            "OK",
            Headers({"Content-Type": "application/json", "Content-Length": str(len(body))}),
            body,
        )

    async def stream(ws: ServerConnection) -> None:
        state["sessions"] += 1
        asked = set()
        while len(asked) < 2:
            said = json.loads(await ws.recv())
            if said.get("op") == "subscribe":
                asked |= set(said["args"])
        state["asked"].append(asked)
        await play(ws, state["sessions"])

    async with serve(stream, "127.0.0.1", 0, process_request=rest) as server:
        port = server.sockets[0].getsockname()[1]
        state["settings"] = {
            "urls": {"api": {"rest": f"http://127.0.0.1:{port}", "ws": f"ws://127.0.0.1:{port}/stream"}}
        }
        yield state


def made(state: dict, symbol: str = "BTC/USDT") -> CcxtBridge:
    """A bridge to the exchange on loopback."""
    kind = bridge("ccxt-hollaex")
    assert kind is not None
    return kind([symbol], settings=state["settings"], least_wait_s=0.01)


def kinds(rows: np.ndarray) -> list[int]:
    """Kinds in order."""
    return rows["kind"].tolist()


async def test_books_and_trades_come_through_the_real_library() -> None:
    now = time.time()

    async def play(ws: ServerConnection, session: int) -> None:
        await ws.send(book([[100.5, 2], [100.0, 1.25]], [[101.0, 0.0001]], now))
        await asyncio.sleep(0.1)
        await ws.send(book([[100.5, 2.5], [99.5, 1]], [[101.0, 0.0001]], now))
        await ws.send(trades((50.0, 9, "buy", now - 3600), (100.5, 0.125, "sell", now + 1), (101.0, 2, "buy", now + 1)))
        await ws.wait_closed()

    async with exchange(play) as state:
        one = made(state)
        rows = await follow(one, lambda rows: kinds(rows).count(TRADE) == 2 and kinds(rows).count(BOOK) >= 6)
    assert (one.instruments[0].tick, one.instruments[0].lot) == ("0.5", "0.0001")
    assert one.instruments[0].name == "ccxt-hollaex:BTC/USDT"
    assert one.verification == "unverifiable"
    books = rows[np.isin(rows["kind"], (CLEAR, BOOK, STATUS))]
    assert kinds(books) == [CLEAR, BOOK, BOOK, BOOK, STATUS, BOOK, BOOK, BOOK]
    assert books["marks"][4] == SNAPSHOT | LAST
    assert books["marks"][-1] & LAST
    assert books["exch_ns"][0] == int(now) * 10**9
    state_of = Naive()
    for row in plain(books):
        state_of.apply(row)
    assert state_of.levels == {1: {201: 25_000, 199: 10_000}, -1: {202: 1}}
    prints = rows[rows["kind"] == TRADE]
    assert prints["tick"].tolist() == [201, 202]
    assert prints["lots"].tolist() == [1_250, 20_000]
    assert prints["side"].tolist() == [-1, 1]
    assert prints["ref"].tolist() == [NONE, NONE]
    assert one.checks.ignored == {"trades before the subscription": 1}
    assert state["asked"][0] == {"orderbook:btc-usdt", "trade:btc-usdt"}


async def test_a_connection_that_drops_is_made_anew_and_the_hole_told() -> None:
    async def play(ws: ServerConnection, session: int) -> None:
        await ws.send(book([[100.5, 2]], [[101.0, 1]], time.time()))
        if session == 1:
            await asyncio.sleep(0.2)
            await ws.close(1001)
        await ws.wait_closed()

    async with exchange(play) as state:
        one = made(state)
        rows = await follow(one, lambda rows: kinds(rows).count(BOOK) == 4)
    assert kinds(rows) == [CLEAR, BOOK, BOOK, STATUS, CLEAR, STATUS, GAP, CLEAR, BOOK, BOOK, STATUS]
    assert rows["aux"][rows["kind"] == STATUS].tolist() == [S_LIVE, S_SYNCING, S_LIVE]
    assert rows["aux"][rows["kind"] == GAP][0] > 0
    assert one.checks.gaps == 1
    assert state["sessions"] == 2


async def test_a_symbol_that_is_not_listed_is_refused() -> None:
    async def play(ws: ServerConnection, session: int) -> None:
        await ws.wait_closed()

    async with exchange(play) as state:
        with pytest.raises(BadInput, match="BTC/USDT"):
            await made(state, "BTC/USDC").run()


async def test_an_exchange_that_does_not_answer_is_an_oserror() -> None:
    settings = {"urls": {"api": {"rest": "http://127.0.0.1:9", "ws": "ws://127.0.0.1:9"}}}
    with pytest.raises(OSError, match="ccxt-hollaex"):
        await made({"settings": settings}).prepare()


async def test_an_exchange_that_is_unknown_is_refused_with_those_like_it() -> None:
    kind = bridge("ccxt-hollax")
    assert kind is not None
    with pytest.raises(BadInput, match="ccxt-hollaex"):
        await kind(["BTC/USDT"]).prepare()
    with pytest.raises(BadInput, match="ccxt-EXCHANGE"):
        bridge("ccxt-")


async def test_numbers_that_are_none_are_counted_and_the_book_stays() -> None:
    from feeds.instruments import Instrument

    one = bridge("ccxt-hollaex")(["BTC/USDT"])
    one.instruments = (Instrument(venue="x", symbol="BTC/USDT", tick="0.5", lot="0.001"),)

    class Exchange:
        books = (
            {"bids": [[100.0, 1]], "asks": []},
            {"bids": [[float("nan"), 1]], "asks": []},
            {"bids": None, "asks": []},
        )

        def __init__(self) -> None:
            self.left = list(self.books)

        async def watch_order_book(self, symbol: str) -> dict:
            if not self.left:
                raise ConnectionError
            return self.left.pop(0)

    with pytest.raises(ConnectionError):
        await one._books(Exchange(), "BTC/USDT", 0)
    assert one.checks.damaged == 2
    assert kinds(one.out.take()) == [CLEAR, BOOK, STATUS]


def test_the_side_of_exchanges_that_ccxt_misreads_is_not_believed() -> None:
    kind = bridge("ccxt-coinbase")
    assert kind is not None
    one = kind(["BTC/USD"])
    plain_one = bridge("ccxt-hollaex")(["BTC/USD"])
    from feeds.instruments import Instrument

    for it, side in ((one, 0), (plain_one, 1)):
        it.instruments = (Instrument(venue="x", symbol="BTC/USD", tick="0.01", lot="0.00000001"),)
        it.trades(0, [{"timestamp": 10**12, "price": 10.0, "amount": 1.0, "side": "buy", "id": "77"}], 0)
        row = it.out.take()[0]
        assert (int(row["side"]), int(row["ref"])) == (side, 77)

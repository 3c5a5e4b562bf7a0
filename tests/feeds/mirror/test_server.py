"""The mirror itself: paths and pages, a beginning for those who are there, holding, looping, sources without frames."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from feeds.errors import BadInput
from feeds.events import BOOK, CLOCK, QUOTE, TRADE
from feeds.instruments import Instrument
from feeds.mirror import Mirror, open_reel
from feeds.mirror.reel import CUT, FRAME, SNAPSHOT, Listed, Shot
from feeds.rest import Rest
from feeds.source import open_source
from feeds.venues.binance_futures import BinanceFutures
from tests.conftest import ROOT
from tests.feeds.mirror.test_voices import book_of
from tests.kit.mirrored import mirrored, visiting
from tests.kit.spoken import MARKETS

PERP = ROOT / "recordings" / "perp-breakout"


async def refused(url):
    try:
        async with connect(url):
            return None
    except InvalidStatus as error:
        return error.response.status_code


async def test_each_route_has_its_path_and_other_paths_are_refused():
    async with mirrored(open_reel(str(PERP))) as mirror:
        assert await refused(mirror.url + "/public/stream?streams=btcusdt@depth") is None
        assert await refused(mirror.url + "/market/ws/btcusdt@aggTrade") is None
        assert await refused(mirror.url + "/stream?streams=btcusdt@depth") is None
        assert await refused(mirror.url + "/v2") == 404
        assert await refused(mirror.url + "/private") == 404


async def heard(mirror, path, streams, seconds=0.6):
    async with connect(f"{mirror.url}{path}?streams={streams}") as socket:
        found = set()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found.add(json.loads(await socket.recv())["stream"])
        except TimeoutError:
            return found


async def test_an_address_without_a_route_brings_books_alone_as_at_the_venue():
    both = "btcusdt@depth@100ms/btcusdt@aggTrade"
    places = ("/stream", "/market/stream", "/public/stream")
    async with mirrored(open_reel(str(PERP)), settle_s=0.05, speed=200) as mirror:
        found = await asyncio.gather(*(heard(mirror, place, both) for place in places))
    assert found == [{"btcusdt@depth@100ms"}, {"btcusdt@aggTrade"}, {"btcusdt@depth@100ms"}]


async def test_streams_can_be_subscribed_and_left_by_frame():
    async with (
        mirrored(open_reel(str(PERP)), settle_s=0.3, speed=500) as mirror,
        connect(mirror.url + "/public/ws", max_queue=None) as ws,
    ):
        await ws.send('{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms","nothing@depth"],"id":7}')
        assert json.loads(await ws.recv()) == {"result": None, "id": 7}
        first = json.loads(await ws.recv())
        assert first["e"] == "depthUpdate", "a single stream has no envelope"
        await ws.send('{"method":"LIST_SUBSCRIPTIONS","id":8}')
        while "result" not in (said := json.loads(await ws.recv())):
            pass
        assert "btcusdt@depth@100ms" in said["result"]
        await ws.send('{"method":"BOGUS","id":9}')
        while "error" not in (said := json.loads(await ws.recv())):
            pass
        assert said["error"]["code"] == 2
        await ws.send("no JSON at all")


async def test_pages_list_instruments_by_get_and_by_post_and_know_no_others():
    one = Instrument(venue="hyperliquid", symbol="BTC", tick="1", lot="0.00001")
    book = b'{"channel":"l2Book","data":{"coin":"BTC","time":1700000000000,"levels":[[],[]]}}'
    reel = Listed("a coin", {"hyperliquid": {"BTC": one}}, [Shot(1, "hyperliquid", FRAME, book)])
    import httpx

    async with mirrored(reel) as mirror, httpx.AsyncClient() as client:
        for answer in (
            await client.get(mirror.rest + "/info"),
            await client.post(mirror.rest + "/info", json={"type": "metaAndAssetCtxs"}),
        ):
            assert answer.status_code == 200
            assert answer.json()[0]["universe"] == [{"name": "BTC", "szDecimals": 5}]
        assert (await client.get(mirror.rest + "/nothing")).status_code == 404


async def test_a_snapshot_over_http_is_the_book_at_that_moment():
    reel = open_reel(str(PERP))
    async with mirrored(reel, settle_s=0.05) as mirror, visiting(mirror) as visit:
        await visit.over()
        path = BinanceFutures.snapshot_url("BTCUSDT").removeprefix(BinanceFutures.rest)
        told = json.loads((await visit.rest.get(mirror.rest + path)).body)
        wrong = await visit.rest.get(mirror.rest + path.replace("BTCUSDT", "NOTHING"))
        book = book_of(visit.rows)
        symbol = visit.client.feed.instruments["BTCUSDT"][1]
    assert wrong.status == 400
    assert b"-1121" in wrong.body
    for side, name in ((1, "bids"), (-1, "asks")):
        best = [symbol.price.exact(price) for price, _ in told[name]]
        assert best == sorted(book[side], reverse=side == 1)[: len(best)]
        assert [symbol.size.exact(size) for _, size in told[name]] == [book[side][tick] for tick in best]


async def test_the_recording_waits_for_somebody_and_then_tells_all_of_it():
    reel, book = MARKETS["okx"](3, 50)
    async with mirrored(reel, settle_s=0.1) as mirror:
        await asyncio.sleep(0.3)
        assert mirror.progress().seconds == 0
        async with visiting(mirror, "okx") as visit:
            await visit.over()
            assert book_of(visit.rows) == book
            assert mirror.progress().over
            assert mirror.progress().clients == 1, "held at the end"


async def test_looping_cuts_everybody_off_and_begins_again():
    reel, book = MARKETS["okx"](3, 80)
    async with mirrored(reel, settle_s=0.1, loop=True) as mirror, visiting(mirror, "okx") as visit:
        await visit.until(lambda: mirror.progress().connections == 3)
        assert sum("begins again" in line for line in visit.told) == 2
        await visit.until(lambda: book_of(visit.rows) == book)


async def test_recorded_ends_of_connections_are_ends_for_clients():
    reel, _ = MARKETS["okx"](3, 60)
    shots = list(reel.shots())
    at = shots[30].ns + 1
    cut = Listed("cut", reel.markets, [*shots[:31], Shot(at, "okx", CUT, code=1012), *shots[31:]])
    async with mirrored(cut, settle_s=0.1, speed=2) as mirror, visiting(mirror, "okx") as visit:
        await visit.until(lambda: mirror.progress().connections == 2)
        assert any("recorded" in line for line in visit.told)


async def test_a_client_that_takes_nothing_does_not_hold_the_others_up_for_ever(monkeypatch):
    monkeypatch.setattr("feeds.mirror.server.WAITING_FRAMES", 200)
    monkeypatch.setattr("feeds.mirror.server.PATIENCE_S", 0.3)
    reel = open_reel(str(PERP))
    async with (
        mirrored(reel, settle_s=0.3) as mirror,
        connect(f"{mirror.url}/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker", max_queue=1) as lazy,
        visiting(mirror) as visit,
    ):
        lazy.transport.pause_reading()
        await visit.over()
        assert visit.client.checks.gaps == 0
        assert visit.client.checks.messages > 3000
        lazy.transport.abort()


# -- sources of events ------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("name", ["quiet-open", "squeeze"])
async def test_a_source_without_frames_is_spoken_in_binances_words(name):
    folder = ROOT / "recordings" / name
    source = open_source(folder)
    rows = [
        row for batch in source.batches() for row in batch[batch["kind"] == TRADE][["tick", "lots", "side"]].tolist()
    ]
    reel = open_reel(str(folder))
    symbol = source.instruments[0].symbol
    async with mirrored(reel, settle_s=0.4) as mirror, visiting(mirror, "binance-futures", [symbol.lower()]) as visit:
        assert list(reel.markets["binance-futures"]) == [symbol]
        await visit.over()
        heard_rows, checks = visit.rows, visit.client.checks
    assert (checks.gaps, checks.damaged) == (0, 0)
    assert heard_rows[heard_rows["kind"] == TRADE][["tick", "lots", "side"]].tolist() == rows
    assert {BOOK, QUOTE, CLOCK} <= set(heard_rows["kind"].tolist())
    whole = book_at_the_end(folder)
    book = book_of(heard_rows)
    assert {side: levels for side, levels in book.items() if levels} == {s: v for s, v in whole.items() if v}


def book_at_the_end(folder):
    from tapeview.engine import Engine

    source = open_source(folder)
    engine = Engine(source.instruments[0])
    for batch in source.batches():
        engine.apply(batch)
    return {
        side: {int(row["tick"]): int(row["lots"]) for row in levels}
        for side, levels in ((1, engine.book.bids()), (-1, engine.book.asks()))
    }


def test_what_cannot_be_served_is_refused(tmp_path):
    with pytest.raises(BadInput, match="source"):
        open_reel(str(tmp_path / "nothing"))
    (tmp_path / "text").write_text("hello\n")
    with pytest.raises(BadInput, match="format"):
        open_reel(str(tmp_path / "text"))


def test_a_recording_is_the_same_each_time_and_its_snapshots_are_known_from_the_first():
    reel = open_reel(str(PERP))
    assert list(reel.shots()) == list(reel.shots())
    kinds = {shot.kind for shot in reel.shots()}
    assert kinds == {FRAME, SNAPSHOT}
    assert json.loads(reel.first["binance-futures", "BTCUSDT"])["lastUpdateId"] > 0


async def test_two_mirrors_cannot_have_one_port():
    reel, _ = MARKETS["okx"](3, 5)
    async with Mirror(reel) as mirror:
        with pytest.raises(OSError, match="address already in use|Errno 98"):
            await Mirror(reel, port=mirror.port).__aenter__()
        async with Rest() as rest:
            assert (await rest.get(mirror.rest + "/nothing")).status == 404


async def test_clients_are_cut_off_when_the_mirror_ends():
    reel, _ = MARKETS["okx"](3, 5)
    async with Mirror(reel) as mirror:
        socket = await connect(mirror.url + "/ws/v5/public")
    with pytest.raises(ConnectionClosed):
        await socket.recv()

"""One symbol's book asked for anew, without the others, over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feeds.events import CHECKED, CLEAR, LAST, SUSPECT
from feeds.instruments import Instrument
from feeds.live import Client
from feeds.rest import Answer
from feeds.venues._access import Access, Socket
from feeds.venues.bitfinex import BitfinexLevels
from feeds.venues.kraken import Kraken
from tests.kit.venue_server import VenueServer

BOOK = (
    '{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":1.0,"qty":1}],"asks":[],'
    '"checksum":%d}]}'
)
GOOD = 1416650876
"""CRC32 of '101'."""
CHANNEL = '{"event":"subscribed","channel":"book","chanId":%d,"symbol":"tBTCUSD","prec":"P0","freq":"F0","len":"250"}'
SIGNED = -1365276426
"""Signed CRC32 of '1:1'."""


async def no_fetch(url: str) -> Answer:
    raise OSError(f"nothing at {url}")


def kraken(sent: list[str]) -> list[str]:
    """The first book has a checksum that disagrees, the one asked for anew has the right one."""
    asked = json.loads(sent[-1])
    if asked["method"] == "unsubscribe":
        return []
    return [BOOK % (1 if len(sent) == 1 else GOOD)]


def bitfinex(sent: list[str]) -> list[str]:
    """Two checksums in a row disagree, until the book comes on another channel."""
    asked = json.loads(sent[-1])
    if asked["event"] == "unsubscribe":
        return [json.dumps({"event": "unsubscribed", "status": "OK", "chanId": asked["chanId"]})]
    if len(sent) == 1:
        return [CHANNEL % 5, "[5,[[1,1,1]]]", '[5,"cs",7]', '[5,"cs",7]']
    return [CHANNEL % 6, "[6,[[1,1,1]]]", f'[6,"cs",{SIGNED}]']


@pytest.mark.parametrize(
    ("venue", "symbol", "answers", "asked"),
    [
        (Kraken, "BTC/USD", kraken, [("unsubscribe", ["BTC/USD"]), ("subscribe", ["BTC/USD"])]),
        (BitfinexLevels, "tBTCUSD", bitfinex, [("unsubscribe", None), ("subscribe", "tBTCUSD")]),
    ],
)
async def test_a_book_whose_checksum_disagrees_is_asked_for_anew_and_heals(
    venue: type[Access], symbol: str, answers: Callable[[list[str]], list[str]], asked: list[tuple[str, Any]]
) -> None:
    one = Instrument(venue=venue.name, symbol=symbol, tick="0.1", lot="0.1")
    async with VenueServer(lambda: [text.encode() for text in answers(server.subscriptions)]) as server:
        first = venue.sockets([symbol])[0].frames[0 if venue is Kraken else 1]
        client = Client(
            venue, {symbol: (0, one)}, fetch=no_fetch, draw=lambda: 0.0, sockets=[Socket(server.url, (first,))]
        )
        task = asyncio.create_task(client.run())
        batches = []
        try:
            async with asyncio.timeout(10):
                while not (batches and batches[-1]["marks"][-1] & CHECKED):
                    batches += client.inbox.take()
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        rows = np.concatenate(batches)
        assert (rows["marks"] & (LAST | SUSPECT) == LAST | SUSPECT).any()
        assert (rows["kind"] == CLEAR).sum() == 2
        told = [json.loads(text) for text in server.subscriptions[1:]]
        assert [
            (text.get("method") or text["event"], text["params"]["symbol"] if "params" in text else text.get("symbol"))
            for text in told
        ] == asked
        assert (client.checks.resyncs, client.checks.gaps) == (1, 0)

"""A bridge as a source of a session."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("ib_async", reason="the extra 'ib' is not installed")

from feeds.bridges.ib import IbBridge
from feeds.bridges.source import BridgeSource
from feeds.errors import BadInput
from feeds.events import TRADE
from tapeview.session import Session
from tests.feeds.bridges.tws import depth, last, tws


async def play(writer, session: int, book: int, prints: int) -> None:
    writer.write(
        depth(book, 0, 0, 1, 100.0, 3) + depth(book, 0, 0, 0, 100.01, 4) + last(prints, 1_700_000_000, 100.01, 2)
    )
    await writer.drain()


async def test_a_session_runs_on_a_bridge() -> None:
    async with tws(play) as server:

        def run() -> tuple[list, list, int]:
            bridge = IbBridge(["AAPL"], host="127.0.0.1", port=server.port)
            with Session(BridgeSource(bridge, seconds=1.5)) as session:
                for _ in session.run():
                    pass
                return session.book().bids(5), session.book().asks(5), session.source.checks.messages

        bids, asks, messages = await asyncio.to_thread(run)
    assert [(int(level["tick"]), int(level["lots"])) for level in bids] == [(10_000, 3)]
    assert [(int(level["tick"]), int(level["lots"])) for level in asks] == [(10_001, 4)]
    assert messages == 3


async def test_a_source_ends_when_it_is_closed() -> None:
    async with tws(play) as server:

        def run() -> int:
            source = BridgeSource(IbBridge(["AAPL"], host="127.0.0.1", port=server.port))
            many = 0
            for batch in source.batches():
                many += int((batch["kind"] == TRADE).sum())
                if many:
                    source.close()
            assert source.failed is None
            return many

        assert await asyncio.to_thread(run) == 1


async def test_a_symbol_that_is_none_is_refused_before_anything_starts() -> None:
    async with tws(play) as server:
        with pytest.raises(BadInput, match="NONE"):
            await asyncio.to_thread(lambda: BridgeSource(IbBridge(["NONE"], host="127.0.0.1", port=server.port)))

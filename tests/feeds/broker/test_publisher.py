"""Publishing beside a capture, and reading what was published, through brokers that fail."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.broker.address import Login, Place, Target, parse_address
from feeds.broker.batches import About
from feeds.broker.client import BrokerClient, BrokerSource, look_up
from feeds.broker.log import BrokerAway
from feeds.broker.publisher import Publisher
from feeds.errors import BadInput
from feeds.events import GAP, Events
from feeds.link import LinkState
from feeds.live import Inbox
from tests.feeds.broker.test_follower import book, wanted
from tests.kit.broker import MemoryLogs
from tests.kit.recordings import all_rows
from tests.kit.rows import INSTRUMENTS, stream, streams

TARGET = Target(Place("memory"))
ABOUTS = [About(instrument=one, tier="B", verification="chain") for one in INSTRUMENTS]
NAMES = ("test:ONE", "test:TWO")


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.002)


class Shared(MemoryLogs):
    """Logs that loops of several threads may use: every connection is made on the loop that asks."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 0

    async def connect(self, target: Target, who: Login):
        if self.refusals:
            self.refusals -= 1
            raise BrokerAway("refused")
        return await super().connect(target, who)


@contextmanager
def publishing(logs: MemoryLogs, **words: object) -> Iterator[tuple[Publisher, Inbox]]:
    """A publisher and the inbox it publishes from, waiting no time between its tries."""
    inbox = Inbox()
    publisher = Publisher(TARGET, ABOUTS, inbox, connect=logs.connect, who=Login(), draw=lambda: 0.0, **words)
    try:
        yield publisher, inbox
    finally:
        inbox.close()
        publisher.close(patience_s=words.pop("patience", 5.0))


def put(inbox: Inbox, rows: Events, size: int = 40) -> None:
    """Put rows in as a capture does, batch by batch."""
    for at in range(0, len(rows), size):
        inbox.put(rows[at : at + size].copy())


def read(logs: MemoryLogs, name: str, query: str = "?from=0&to=now") -> Events:
    """What a reader gets."""

    async def go() -> list[Events]:
        address = parse_address(f"broker://memory/{name}{query}")
        # The condition of the logs belongs to the publisher's loop, which has ended.
        logs.news = asyncio.Condition()
        client = BrokerClient(address, await look_up(address, connect=logs.connect, who=Login()),
                              connect=logs.connect, who=Login(), draw=lambda: 0.0)  # fmt: skip
        await client.run()
        return client.inbox.take()

    return all_rows(asyncio.run(go()))


@settings(deadline=None, max_examples=25)
@given(streams(2), st.integers(0, 3), st.integers(0, 3), st.integers(5, 60))
def test_every_row_is_published_once_though_the_broker_is_away_and_answers_get_lost(
    rows: Events, refusals: int, unanswered: int, size: int
) -> None:
    logs = Shared()
    logs.refusals, logs.unanswered = refusals, unanswered
    with publishing(logs) as (publisher, inbox):
        put(inbox, rows, size)
    assert publisher.state().waiting_bytes == 0
    assert publisher.state().why == ""
    for inst, name in enumerate(NAMES):
        expected = wanted(rows, inst)
        if logs.logs.get(name):
            assert read(logs, name).tobytes() == expected.tobytes()
        else:
            assert not len(expected)


def test_a_broker_that_is_away_holds_nothing_up_and_beyond_a_bound_costs_a_gap() -> None:
    rows, logs = stream(4, 4000, 2)[:5300], MemoryLogs()
    logs.down = True
    with publishing(logs, waiting_bytes=100_000) as (publisher, inbox):
        put(inbox, rows[:5000])
        until(lambda: not inbox.rows)
        until(lambda: publisher.state().lost)
        state = publisher.state()
        assert state.waiting_bytes <= 100_000
        assert state.why
        assert "NOT PUBLISHING" in state.text
        logs.down = False
        until(lambda: publisher.state().waiting_bytes == 0)
        put(inbox, rows[5000:])
    assert publisher.state().why == ""
    for inst, name in enumerate(NAMES):
        got, expected = read(logs, name, "?to=now"), wanted(rows, inst)
        assert (book(got) == book(expected)).all()
        again = read(logs, name)
        gaps = again[(again["kind"] == GAP) & ~np.isin(again["seq"], expected["seq"][expected["kind"] == GAP])]
        assert len(gaps)
        assert (gaps["ref"] > 0).all()
        assert (gaps["aux"] > 0).all()
        late = again[again["seq"] >= 5000]
        assert late.tobytes() == expected[expected["seq"] >= 5000].tobytes()
    assert any("kept" in told.text for told in publisher.log)


def test_a_log_that_takes_nothing_more_stops_no_other() -> None:
    rows, logs = stream(4, 200, 2), MemoryLogs()
    logs.full.add(NAMES[0])
    with publishing(logs) as (publisher, inbox):
        put(inbox, rows)
        until(lambda: len(logs.logs.get(NAMES[1], [])) > 1)
        until(lambda: publisher.state().why)
        assert "full" in publisher.state().why
        logs.full.clear()
    assert read(logs, NAMES[0]).tobytes() == wanted(rows, 0).tobytes()
    assert read(logs, NAMES[1]).tobytes() == wanted(rows, 1).tobytes()


def test_a_capture_that_is_superseded_publishes_no_more_and_says_so() -> None:
    rows, logs = stream(4, 300), MemoryLogs()
    with publishing(logs) as (first, one):
        put(one, rows[:200])
        until(lambda: first.state().waiting_bytes == 0 and first.state().rows)
        with publishing(logs) as (second, other):
            put(other, rows)
            until(lambda: second.state().rows >= len(rows))
            stored = len(logs.logs[NAMES[0]])
            put(one, rows[200:])
            until(lambda: first.state().why)
    assert "another capture" in first.state().why
    assert "another capture" in "".join(told.text for told in first.log)
    # The second one's end, and nothing of the first.
    assert len(logs.logs[NAMES[0]]) == stored + 1


def test_a_fault_of_the_publisher_ends_it_and_not_the_capture() -> None:
    logs = MemoryLogs()

    async def broken(target: Target, who: Login):
        raise ZeroDivisionError("planned")

    inbox = Inbox()
    publisher = Publisher(TARGET, ABOUTS, inbox, connect=broken, who=Login())
    put(inbox, stream(1, 100))
    until(lambda: not inbox.rows)
    inbox.close()
    assert "planned" in publisher.close().why
    assert not logs.logs


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 30), max_size=6))
def test_a_live_reader_goes_on_where_it_was_after_every_cut(seed: int, cuts: list[int]) -> None:
    """Everything on one loop: a log that grows while connections are cut under writer's and reader's feet."""
    rows = stream(seed, 120)

    logs = MemoryLogs()
    with publishing(logs) as (_, inbox):
        put(inbox, rows)
    whole = wanted(rows)

    async def follow() -> Events:
        logs.news = asyncio.Condition()
        address = parse_address("broker://memory/test:ONE?from=0")
        found = await look_up(address, connect=logs.connect, who=Login())
        client = BrokerClient(address, found, connect=logs.connect, who=Login(), draw=lambda: 0.0)
        stored = logs.logs[NAMES[0]]
        later = stored[:]
        del stored[1:]
        task = asyncio.create_task(client.run())
        at = 1
        for cut in [*cuts, len(later)]:
            for message in later[at : at + cut]:
                stored.append(message)
                async with logs.news:
                    logs.news.notify_all()
            at += len(later[at : at + cut])
            await asyncio.sleep(0)
            await logs.cut()
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            while not client.follower.ended:
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert client.inbox.over is False or client.inbox.rows == 0
        return all_rows(client.inbox.take())

    assert asyncio.run(follow()).tobytes() == whole.tobytes()


def test_a_reader_says_how_it_does() -> None:
    logs = MemoryLogs()
    with publishing(logs) as (_, inbox):
        put(inbox, stream(1, 50))

    async def go() -> None:
        logs.news = asyncio.Condition()
        now = [0]
        address = parse_address("broker://memory/test:ONE")
        found = await look_up(address, connect=logs.connect, who=Login())
        client = BrokerClient(address, found, connect=logs.connect, who=Login(), draw=lambda: 1.0,
                              mono_ns=lambda: now[0])  # fmt: skip
        assert client.health()[0].state is LinkState.DOWN
        task = asyncio.create_task(client.run())
        async with asyncio.timeout(10):
            while client.health()[0].state is not LinkState.LIVE or not client.follower.ended:
                await asyncio.sleep(0.001)
        now[0] = 4 * 10**9
        (health,) = client.health()
        assert (health.state, health.why) == (LinkState.STALE, "the capture has ended")
        assert health.url == "nats://memory:4222/test:ONE"
        client.follower.ended = False
        assert client.health()[0].why == "the capture said nothing for 4 s"
        logs.down = True
        await logs.cut()
        async with asyncio.timeout(10):
            while client.health()[0].state is not LinkState.DOWN:
                await asyncio.sleep(0.001)
        (health,) = client.health()
        assert health.retry_in_ns is not None
        assert health.retry_in_ns > 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert client.inbox.over is False

    asyncio.run(go())


def test_a_log_begun_anew_under_a_reader_ends_it_with_a_sentence() -> None:
    logs = MemoryLogs()
    with publishing(logs) as (_, inbox):
        put(inbox, stream(1, 200))

    async def go() -> None:
        logs.news = asyncio.Condition()
        address = parse_address("broker://memory/test:ONE?from=0")
        found = await look_up(address, connect=logs.connect, who=Login())
        client = BrokerClient(address, found, connect=logs.connect, who=Login(), draw=lambda: 0.0)
        task = asyncio.create_task(client.run())
        async with asyncio.timeout(10):
            while not client.follower.ended:
                await asyncio.sleep(0.001)
        logs.logs.clear()
        logs.keys.clear()
        done = threading.Event()

        def again() -> None:
            with publishing(logs) as (_, second):
                put(second, stream(2, 5))
            done.set()

        await logs.cut()
        threading.Thread(target=again).start()
        await asyncio.to_thread(done.wait)
        logs.news = asyncio.Condition()
        with pytest.raises(BadInput, match="begun anew"):
            async with asyncio.timeout(10):
                await task

    asyncio.run(go())


def test_a_source_gives_the_rows_and_ends_with_the_capture() -> None:
    rows, logs = stream(6, 300, 2), MemoryLogs()
    with publishing(logs) as (_, inbox):
        put(inbox, rows)
    address = parse_address("broker://memory/test:TWO?from=first")

    async def fresh(target: Target, who: Login):
        logs.news = asyncio.Condition()
        return await logs.connect(target, who)

    source = BrokerSource(address, asyncio.run(look_up(address, connect=fresh, who=Login())), connect=fresh)
    assert source.instruments == (INSTRUMENTS[1],)
    assert (source.info.format, source.info.tier, source.info.verification) == ("broker", "B", "chain")
    assert all_rows(source.batches()).tobytes() == wanted(rows, 1).tobytes()
    assert all_rows(source.batches()).tobytes() == wanted(rows, 1).tobytes()
    assert source.checks.messages
    clipped = BrokerSource(address, source._found, connect=fresh, clip=10)
    first = next(iter(clipped.batches()))
    assert first.tobytes() == wanted(rows, 1)[: len(first)].tobytes()


async def test_a_name_that_is_not_there_is_refused_with_the_nearest() -> None:
    logs = MemoryLogs()
    address = parse_address("broker://memory/test:ONF")
    with pytest.raises(BadInput, match="nothing is published there"):
        await look_up(address, connect=logs.connect, who=Login())
    logs.logs["test:ONE"] = []
    logs.keys["test:ONE"] = []
    with pytest.raises(BadInput, match="one of test:ONE"):
        await look_up(address, connect=logs.connect, who=Login())
    with pytest.raises(BadInput, match="has published a book"):
        await look_up(address._replace(symbol="ONE"), connect=logs.connect, who=Login())

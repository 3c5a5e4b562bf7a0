"""A source that goes on by itself: begun once, ended in order, and what ended it is raised to whoever reads."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

import pytest

from feeds.events import EventBuffer, Events
from feeds.inbox import Inbox
from feeds.live import RouteHealth, Told
from feeds.ongoing import Ongoing
from feeds.source import Checks, SourceInfo


class Ticker:
    """Puts rows into its inbox until cancelled, or until it fails."""

    def __init__(self, fails_after: int | None = None) -> None:
        self.inbox = Inbox()
        self.log: deque[Told] = deque()
        self.runs = 0
        self.cancelled = False
        self._fails_after = fails_after

    def health(self) -> list[RouteHealth]:
        return []

    async def run(self) -> None:
        self.runs += 1
        try:
            for n in range(10**6):
                if n == self._fails_after:
                    raise RuntimeError("broken")
                self.inbox.put(rows(n))
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            self.cancelled = True
            raise


def rows(number: int) -> Events:
    out = EventBuffer()
    out.append(1, number)
    return out.take()


class Ticking(Ongoing):
    """One of them."""

    def __init__(self, client: Ticker, *, seconds: float | None = None) -> None:
        super().__init__(seconds=seconds)
        self._client = client
        self.instruments, self.symbols, self.checks = (), (), Checks()
        self.info = SourceInfo(address="", format="live", venue="test", tier="C", verification="", bytes=0)

    @property
    def client(self) -> Ticker:
        return self._client


def take_some(source: Ticking, most: int) -> list[int]:
    found: list[int] = []
    for batch in source.batches():
        found += batch["recv_ns"].tolist()
        if len(found) >= most:
            return found
    return found


def test_rows_come_in_order_and_reading_again_goes_on_where_it_was() -> None:
    source = Ticking(Ticker())
    source.start()
    source.start()
    first = take_some(source, 5)
    second = take_some(source, 5)
    source.close()
    assert source.client.runs == 1
    assert (first + second)[: len(first) + 5] == list(range(len(first) + 5))
    assert source.client.cancelled
    assert source.failed is None


def test_what_came_before_the_end_can_still_be_taken_and_then_there_is_no_more() -> None:
    source = Ticking(Ticker())
    take_some(source, 1)
    source.stop()
    source.stop()
    left = [batch for batch in source.batches() if len(batch)]
    assert source.client.inbox.over
    assert [batch for batch in source.batches() if len(batch)] == []
    assert all(len(batch) for batch in left)


def test_what_ended_the_client_is_raised_after_the_rows_before_it() -> None:
    source = Ticking(Ticker(fails_after=3))
    found: list[int] = []
    with pytest.raises(RuntimeError, match="broken"):
        found.extend(number for batch in source.batches() for number in batch["recv_ns"].tolist())
    assert found == [0, 1, 2]
    assert isinstance(source.failed, RuntimeError)
    source.close()


def test_the_stream_ends_when_its_time_is_over() -> None:
    source = Ticking(Ticker(), seconds=0.1)
    assert sum(len(batch) for batch in source.batches()) > 5
    source.close()
    assert source.client.cancelled


@pytest.mark.parametrize("act", [Ticking.stop, Ticking.close])
def test_one_that_was_never_begun_ends_without_a_thread(act: Callable[[Ticking], None]) -> None:
    before = threading.active_count()
    source = Ticking(Ticker())
    act(source)
    assert threading.active_count() == before
    assert source.client.runs == 0


def test_one_that_is_ended_at_once_leaves_nothing_running() -> None:
    before = threading.active_count()
    for _ in range(20):
        source = Ticking(Ticker())
        source.start()
        source.close()
    assert threading.active_count() == before

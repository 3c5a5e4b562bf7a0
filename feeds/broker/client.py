"""An instrument's rows from a broker: a live reader of the shape of `feeds.live.Client`, and a source for a command."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import random
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, Final, NamedTuple, Self, TypeVar

from feeds.backoff import Backoff
from feeds.broker.address import Address, Login, Target, login, parse_address
from feeds.broker.batches import About, unpack
from feeds.broker.follower import Follower, find
from feeds.broker.log import Broker, BrokerAway, Extent, NoLog
from feeds.errors import BadInput
from feeds.events import Events
from feeds.link import LinkState
from feeds.live import WAITING_ROWS, Inbox, RouteHealth, Times, Told
from feeds.ongoing import Ongoing
from feeds.source import Checks, OpenOptions, Source, SourceInfo
from feeds.venues._access import clean

_S: Final = 1_000_000_000
STALE_NS: Final = 3 * _S
"""A capture that is alive says something every half second, so this long without a word is news."""
_PAUSE_S: Final = 0.005
_MOST_WAIT_S: Final = 10.0
_T = TypeVar("_T")

Reach = Callable[[Target, Login], Awaitable[Broker]]
"""Connect to a broker; raises BrokerAway."""


class Found(NamedTuple):
    """What a log says of itself."""

    about: About
    about_crc: int


async def reach(target: Target, who: Login) -> Broker:
    """Connect to the kind of broker there is: NATS with JetStream."""
    from feeds.broker.jetstream import connect

    return await connect(target, who)


async def look_up(address: Address, *, connect: Reach = reach, who: Login | None = None) -> Found:
    """What the broker holds of an address's instrument.

    Raises BrokerAway where it cannot be reached, BadInput where it has no log of the name, or none with a book yet.
    """
    broker = await connect(Target(address.place), login() if who is None else who)
    try:
        try:
            key = await broker.newest_key(address.venue, address.symbol)
        except NoLog:
            there = await broker.names()
            near = difflib.get_close_matches(address.name, there, 3)
            listed = ", ".join(near or there[:10]) or "nothing is published there"
            raise BadInput(f"{address.place.text}: log", address.name, f"one of {listed}") from None
        if key is None:
            raise BadInput(f"{address.place.text}: {address.name}", None, "a capture that has published a book")
        message = unpack(key.data, f"{address.name}: message {key.position}")
        if message.pieces > 1:
            first = await broker.read(address.venue, address.symbol, key.position - message.pieces + 1)
            message = unpack(first.data if first else b"", f"{address.name}: message {key.position}")
        if message.about is None:
            raise BadInput(f"{address.name}: message {key.position}", None, "a book with its instrument")
        return Found(message.about, message.about_crc)
    finally:
        await broker.close()


class BrokerClient:
    """One instrument of one broker, on the running event loop; its rows come in `inbox`."""

    def __init__(
        self,
        address: Address,
        found: Found,
        *,
        connect: Reach = reach,
        who: Login | None = None,
        with_capture: bool = False,
        draw: Callable[[], float] = random.random,
        mono_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.address, self.about = address, found.about
        self.instruments = (found.about.instrument,)
        self.checks = Checks()
        self.inbox = Inbox()
        self.log: deque[Told] = deque(maxlen=1000)
        """What happened, oldest first."""
        self.follower = Follower(self.checks, begin=address.begin, end=address.end, about_crc=found.about_crc)
        self.finished = False
        """Everything the address asks for has been given."""
        self._with_capture = with_capture
        self._connect = connect
        self._who = login() if who is None else who
        self._mono_ns, self._wall_ns = mono_ns, wall_ns
        self._backoff = Backoff(draw, most_s=_MOST_WAIT_S, proof_s=5.0)
        self._state, self._why = LinkState.DOWN, ""
        self._retry_ns: int | None = None
        self._data_ns: int | None = None
        self._last_wanted: int | None = None

    def health(self) -> list[RouteHealth]:
        """How the connection does now."""
        now = self._mono_ns()
        state, why = self._state, self._why
        age = None if self._data_ns is None else now - self._data_ns
        if state is LinkState.LIVE and age is not None and age >= STALE_NS:
            said = "the capture has ended" if self.follower.ended else f"the capture said nothing for {age / _S:.0f} s"
            state, why = LinkState.STALE, said
        retry = max(0, self._retry_ns - now) if state is LinkState.DOWN and self._retry_ns is not None else None
        return [RouteHealth(f"{self.address.place.text}/{self.address.name}", state, why, retry, age)]

    def _tell(self, text: str) -> None:
        self.log.append(Told(self._wall_ns(), self.address.name, clean(text, 300)))

    async def run(self) -> None:
        """Keep reading until cancelled, or until all that the address asks for has come.

        Raises BadInput where the log is no longer the one that was opened.
        """
        try:
            while not self.finished:
                try:
                    await self._session()
                except (BrokerAway, NoLog) as error:
                    self._state, self._why = LinkState.DOWN, str(error) or "its log is gone"
                    wait = self._backoff.wait_ns()
                    self._retry_ns = self._mono_ns() + wait
                    self._tell(f"{self._why}; again in {wait / _S:.1f} s")
                    await asyncio.sleep(wait / _S)
        finally:
            self.inbox.close()

    async def _session(self) -> None:
        self._state, self._why = LinkState.CONNECTING, ""
        broker = await self._connect(Target(self.address.place), self._who)
        try:
            venue, symbol = self.address.venue, self.address.symbol
            self._state = LinkState.SYNCING
            extent = await broker.extent(venue, symbol)
            await self._same_log(broker, extent)
            if self.address.until_now and self._last_wanted is None:
                self._last_wanted = extent.last
            position = await find(broker, venue, symbol, extent, self.follower.reached)
            self._tell("connected")
            if self._last_wanted is not None and position > self._last_wanted:
                self.finished = True
                return
            async with contextlib.aclosing(_closing(broker.follow(venue, symbol, position))) as messages:
                async for stored in messages:
                    await self._take(self.follower.take(stored))
                    if self.finished:
                        return
        finally:
            await broker.close()

    async def _same_log(self, broker: Broker, extent: Extent) -> None:
        reached = self.follower.reached
        if reached is None or not self.follower.run or extent.last < extent.first:
            return
        newest = await broker.read(self.address.venue, self.address.symbol, extent.last)
        if newest is None:
            return
        try:
            message = unpack(newest.data, f"message {newest.position}")
        except BadInput:
            return
        if message.run > self.follower.run and message.last_seq < reached:
            raise BadInput(
                self.address.text, f"seq {message.last_seq} of another capture",
                f"seq {reached}, where this reader is: the log was begun anew, open it again",
            )  # fmt: skip

    async def _take(self, rows: Events) -> None:
        now = self._mono_ns()
        if len(rows):
            self._data_ns = now
            self._backoff.verified(now)
            self.inbox.put(rows)
        self._state = LinkState.SYNCING if self.follower.waiting else LinkState.LIVE
        self._why = "waiting for a whole book" if self.follower.waiting else ""
        last = self._last_wanted
        self.finished = self.follower.done or (last is not None and self.follower.position >= last)
        self.finished |= self._with_capture and self.follower.ended
        while self.inbox.rows > WAITING_ROWS:
            await asyncio.sleep(_PAUSE_S)


async def _closing(messages: AsyncIterator[_T]) -> AsyncGenerator[_T, None]:
    # A generator whose inner one is closed with it, whatever kind of iterator a broker gives.
    try:
        async for message in messages:
            yield message
    finally:
        close = getattr(messages, "aclose", None)
        if close is not None:
            await close()


class BrokerTail(Ongoing):
    """A log as it grows, for a screen or a session: its rows from the place the address names."""

    def __init__(
        self, address: Address, found: Found, *, connect: Reach = reach, with_capture: bool = False
    ) -> None:  # fmt: skip
        """`with_capture` ends it where the capture has ended and all of it was read."""
        super().__init__()
        self.address = address
        self._client = BrokerClient(address, found, connect=connect, with_capture=with_capture)
        self.instruments = self._client.instruments
        self.checks = self._client.checks
        self.symbols = (address.symbol,)
        self.times = Times()
        self.info = _info(address, found)

    @property
    def client(self) -> BrokerClient:
        """The reader of the log."""
        return self._client


class BrokerSource(Source):
    """A log as a source: ends where the address says, or when the capture has ended and all of it was read."""

    def __init__(self, address: Address, found: Found, *, connect: Reach = reach, clip: int | None = None) -> None:
        self.address = address
        self.instruments = (found.about.instrument,)
        self.checks = Checks()
        self.info = _info(address, found)
        self._found, self._connect, self._clip = found, connect, clip

    def batches(self) -> Iterator[Events]:
        """Read from the place the address names."""
        tail = BrokerTail(self.address, self._found, connect=self._connect, with_capture=True)
        self.checks = tail.checks
        given = 0
        with contextlib.closing(tail):
            for rows in tail.batches():
                yield rows
                given += len(rows)
                if self._clip is not None and given >= self._clip:
                    return


def _info(address: Address, found: Found) -> SourceInfo:
    return SourceInfo(
        address=address.text, format="broker", venue=address.venue, tier=found.about.tier,
        verification=found.about.verification, bytes=0,
    )  # fmt: skip


class Aside:
    """A coroutine on an event loop in a thread of its own, cancelled at the end of the block."""

    def __init__(self, work: Coroutine[Any, Any, None], name: str = "broker") -> None:
        self._work = work
        self._error: BaseException | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.wait()
        return self

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            self._error = error

    async def _main(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._loop, self._task = asyncio.get_running_loop(), task
        self._begun.set()
        await self._work

    def result(self, timeout_s: float | None = None) -> bool:
        """Wait for its end and raise what it raised; False where the time is over before."""
        self._thread.join(timeout_s)
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    def call(self, work: Callable[[], object]) -> None:
        """Have something done on the loop; nothing where it has ended."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(work)

    def __exit__(self, *_: object) -> None:
        self.call(self._task.cancel)
        self._thread.join()


async def follow(text: str, *, connect: Reach = reach) -> BrokerTail:
    """The log of `broker://HOST[:PORT]/VENUE:SYMBOL` as it grows; raises BadInput, and OSError where nobody answers."""
    address = parse_address(text)
    try:
        return BrokerTail(address, await look_up(address, connect=connect), connect=connect)
    except BrokerAway as error:
        raise OSError(str(error) or f"{address.place.text} does not answer") from None


def open_broker(text: str, options: OpenOptions | None = None, *, connect: Reach = reach) -> BrokerSource:
    """Open `broker://HOST[:PORT]/VENUE:SYMBOL`; raises BadInput where nothing of the name can be read there."""
    address = parse_address(text)
    found: list[Found] = []

    async def ask() -> None:
        found.append(await look_up(address, connect=connect))

    try:
        with Aside(ask()) as asking:
            asking.result()
    except BrokerAway as error:
        raise BadInput(text, str(error), "a broker that can be reached") from None
    return BrokerSource(address, found[0], connect=connect, clip=options.clip if options else None)

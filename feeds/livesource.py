"""A venue as a Source: clients on an event loop in a thread of its own, their rows for whoever reads them.

`Wires` is the thread, its loop, and what all clients on it share: the HTTP client and the budgets of hosts. A
LiveSource is one client there, with the recorder before it where its frames are kept.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from feeds.errors import BadInput
from feeds.ongoing import Ongoing
from feeds.source import Checks, OpenOptions, SourceInfo

if TYPE_CHECKING:
    from feeds.backoff import Budget
    from feeds.instruments import Instrument
    from feeds.listing import Get, Logged, Market
    from feeds.live import Client, Times
    from feeds.rest import Answer, Rest
    from feeds.venues._access import Access

R = TypeVar("R")
_LIST_S: Final = 30.0
"""Longest that a venue's list of instruments is waited for."""
_END_S: Final = 5.0
"""Longest that a client's end is waited for: its sockets close within one second."""


class Wires:
    """An event loop in a thread of its own; it must be closed."""

    def __init__(self, agent: str = "tapeview") -> None:
        self._agent = agent
        self.loop = asyncio.new_event_loop()
        self.budgets: dict[str, Budget] = {}
        """What may be asked of each host, shared by all clients."""
        self._rest: Rest | None = None
        self._thread = threading.Thread(target=self._run, name="wires", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            # A transport that was closed lets go of its socket in a later turn of the loop.
            for _ in range(3):
                self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    async def get(self, url: str, *, body: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """Get a URL, with a body by POST; for coroutines on the loop. Raises OSError where nothing came."""
        from feeds.rest import Rest

        if self._rest is None:
            self._rest = Rest(self._agent)
        return await self._rest.get(url, body=body, headers=headers)

    def start(self, work: Coroutine[Any, Any, R]) -> concurrent.futures.Future[R]:
        """Run a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def wait(self, work: Coroutine[Any, Any, R], seconds: float) -> R:
        """Run a coroutine and give what it returns or raises; TimeoutError where that takes longer."""
        future = self.start(work)
        try:
            return future.result(seconds)
        except (concurrent.futures.TimeoutError, KeyboardInterrupt):
            future.cancel()
            raise

    def close(self) -> None:
        """End the loop and everything on it."""
        if not self._thread.is_alive():
            return
        if self._rest is not None:
            self.wait(self._rest.close(), _END_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_END_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LiveSource(Ongoing):
    """Some instruments of one venue, from now on."""

    def __init__(
        self,
        venue: type[Access],
        instruments: Mapping[str, tuple[int, Instrument]],
        wires: Wires,
        *,
        url: str | None = None,
        rest: str | None = None,
        record: Path | None = None,
        seconds: float | None = None,
        own_wires: bool = False,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`record` is a folder that does not exist or is empty; `seconds` ends the stream after so long.

        `draw` gives the numbers in [0, 1) by which waits between tries are spread.
        """
        from feeds.listing import sockets
        from feeds.live import Client, Times

        super().__init__(seconds=seconds)
        self.venue = venue
        self.symbols = tuple(instruments)
        self.instruments = tuple(one for _, one in instruments.values())
        self.info = SourceInfo(
            address=" ".join(f"live:{venue.name}:{symbol}" for symbol in instruments),
            format="live", venue=venue.name, tier=venue.tier, verification=venue.verification, bytes=0,
        )  # fmt: skip
        self.folder = record
        if record is not None:
            from feeds.recording.capture import begin_capture

            self.queue = begin_capture(venue, instruments, record, "--record").queue
        self.times: Times = Times()
        self._client = Client(
            venue, instruments, fetch=wires.get, sockets=sockets(venue, instruments, url), rest=rest,
            sink=self.queue, times=self.times, budgets=wires.budgets, draw=draw,
            again=lambda some: sockets(venue, some, url),
        )  # fmt: skip
        self.checks: Checks = self._client.checks
        self._wires, self._own_wires = wires, own_wires

    @property
    def client(self) -> Client:
        """The venue's client."""
        return self._client

    def show(self, symbol: str) -> None:
        """Somebody looks at this symbol: of many that come back at once it comes first."""
        self._client.shown = symbol

    def _launch(self, work: Coroutine[Any, Any, None]) -> None:
        self._wires.start(work)

    def close(self) -> None:
        """End the client, the recording, and the loop where it is this source's own."""
        super().close()
        if self._own_wires:
            self._wires.close()


async def open_line(
    addresses: Sequence[Market | Logged],
    wires: Wires,
    get: Get,
    *,
    url: str | None = None,
    rest: str | None = None,
    record: Path | None = None,
    draw: Callable[[], float] = random.random,
) -> Ongoing:
    """One source for addresses of one key: a venue's client, or the reader of a broker's log; not yet started.

    Raises BadInput for what the venue or the broker does not have, OSError where neither answers.
    """
    from feeds.listing import Logged, listed

    first = addresses[0]
    if isinstance(first, Logged):
        if record is not None:
            raise BadInput("--record", str(record), "addresses of venues: what a broker tells its capture has recorded")
        from feeds.broker.client import follow

        return await follow(first.address)
    found = await listed(first.venue, [one.symbol for one in addresses], get, rest)
    return LiveSource(first.venue, found, wires, url=url, rest=rest, record=record, draw=draw)


def open_live(address: str, options: OpenOptions) -> LiveSource:
    """Open `live:VENUE:SYMBOL`: ask the venue for its list, and connect when the first rows are asked for.

    Raises BadInput for an address that is none, a symbol the venue does not list, and a venue that does not answer.
    """
    from feeds.listing import check_base, listed, parse

    check_base("--url", options.url, ("ws", "wss"))
    check_base("--rest", options.rest, ("http", "https"))
    market = parse(address)
    wires = Wires()
    try:
        try:
            found = wires.wait(listed(market.venue, [market.symbol], wires.get, options.rest), _LIST_S)
        except (OSError, TimeoutError) as error:
            raise BadInput(address, str(error) or type(error).__name__, "a venue that can be reached") from None
        return LiveSource(
            market.venue, found, wires, url=options.url, rest=options.rest, seconds=options.seconds, own_wires=True
        )
    except BaseException:
        wires.close()
        raise

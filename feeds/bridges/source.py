"""A bridge as a source: its rows from now on, for a session, a screen or a command."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

from feeds.bridges._bridge import Bridge
from feeds.events import Events
from feeds.source import Source, SourceInfo

_ROUND_S: Final = 0.25
_END_S: Final = 10.0


class BridgeSource(Source):
    """Some instruments of one bridge. Its stream is one: `batches` goes on where it is."""

    def __init__(self, bridge: Bridge, *, seconds: float | None = None) -> None:
        """Find the instruments; `seconds` ends the stream after so long.

        Raises BadInput for symbols that are none, OSError where nothing answers.
        """
        asyncio.run(bridge.prepare())
        self.client = bridge
        self.instruments = bridge.instruments
        self.checks = bridge.checks
        self.times = bridge.times
        self.symbols = tuple(bridge.symbols)
        self.info = SourceInfo(
            address=" ".join(f"live:{bridge.name}:{symbol}" for symbol in bridge.symbols), format="live",
            venue=bridge.name, tier=bridge.tier, verification=bridge.verification, bytes=0,
        )  # fmt: skip
        self._seconds = seconds
        self._thread = threading.Thread(target=self._run, name=f"source {bridge.name}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._started = False
        self._failed: BaseException | None = None

    def start(self) -> None:
        """Connect; again, nothing."""
        if not self._started:
            self._started = True
            self._thread.start()

    def _run(self) -> None:
        try:
            asyncio.run(self._follow())
        finally:
            self.client.inbox.close()

    async def _follow(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self.client.run())
        await asyncio.gather(self._task, return_exceptions=True)
        if not self._task.cancelled():
            self._failed = self._task.exception()

    @property
    def failed(self) -> BaseException | None:
        """What ended the bridge; None while it runs or was ended in order."""
        return self._failed

    def take(self, timeout_s: float = 0.0) -> Sequence[Events]:
        """All batches that wait, after waiting for the first up to a time."""
        return self.client.inbox.take(timeout_s)

    def batches(self) -> Iterator[Events]:
        """Give what comes, until the time is over or the source is closed."""
        self.start()
        end = None if self._seconds is None else time.monotonic() + self._seconds
        while not self.client.inbox.over:
            left = _ROUND_S if end is None else min(_ROUND_S, end - time.monotonic())
            if left <= 0:
                return
            yield from self.take(left)
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """End the bridge in order; what came before can still be taken."""
        loop, task = self._loop, self._task
        if loop is not None and task is not None and self._thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
        if self._started:
            self._thread.join(_END_S)

    def close(self) -> None:
        """End the bridge."""
        self.stop()

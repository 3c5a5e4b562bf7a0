"""A source that goes on by itself: a client on an event loop of another thread, its rows for whoever takes them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from feeds.source import Source

if TYPE_CHECKING:
    from feeds.events import Events
    from feeds.inbox import Inbox
    from feeds.live import RouteHealth, Times, Told
    from feeds.recording.queue import FrameQueue

_ROUND_S: Final = 0.2
_BEGIN_S: Final = 5.0
_END_S: Final = 10.0
"""Longest that a client's end is waited for: sockets close within one second, libraries take longer."""


class Follower(Protocol):
    """A client that runs until it is cancelled and puts rows into an inbox."""

    inbox: Inbox
    log: deque[Told]

    async def run(self) -> None:
        """Go on until cancelled, or until nothing more can come."""

    def health(self) -> list[RouteHealth]:
        """How its connections do."""


class Ongoing(Source):
    """A source whose stream is one: `batches` goes on where it is, from `start` to `stop`."""

    symbols: tuple[str, ...]
    times: Times
    """The clock of its rows."""
    queue: FrameQueue | None = None
    """What brings its frames to the disk; None where they are not recorded."""
    folder: Path | None = None
    """The recording's folder."""

    def __init__(self, *, seconds: float | None = None) -> None:
        """`seconds` ends the stream after so long."""
        self._seconds = seconds
        self._started = False
        self._begun, self._over = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._failed: BaseException | None = None

    @property
    @abstractmethod
    def client(self) -> Follower:
        """What brings the rows."""

    def start(self) -> None:
        """Connect; again, nothing."""
        if not self._started:
            self._started = True
            self._launch(self._follow())

    def _launch(self, work: Coroutine[Any, Any, None]) -> None:
        self._thread = threading.Thread(target=asyncio.run, args=(work,), name=f"source {self.info.venue}", daemon=True)
        self._thread.start()

    async def _follow(self) -> None:
        try:
            self._loop = asyncio.get_running_loop()
            self._task = self._loop.create_task(self.client.run())
            self._begun.set()
            await asyncio.gather(self._task, return_exceptions=True)
            if not self._task.cancelled():
                self._failed = self._task.exception()
        finally:
            self.client.inbox.close()
            self._over.set()

    @property
    def failed(self) -> BaseException | None:
        """The fault that ended the client; None while it runs or was ended in order."""
        return self._failed

    def show(self, symbol: str) -> None:
        """Somebody looks at this symbol: of many that come back at once it comes first."""

    def take(self, timeout_s: float = 0.0) -> Sequence[Events]:
        """All batches that wait, after waiting for the first up to a time."""
        return self.client.inbox.take(timeout_s)

    def batches(self) -> Iterator[Events]:
        """Give what comes, until the time is over or the source is closed; raises what ended the client."""
        self.start()
        inbox = self.client.inbox
        end = None if self._seconds is None else time.monotonic() + self._seconds
        while not inbox.over:
            left = _ROUND_S if end is None else min(_ROUND_S, end - time.monotonic())
            if left <= 0:
                return
            yield from self.take(left)
        if self._over.wait(_END_S) and self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """End the client and the recording in order; what came before can still be taken."""
        if self._started and not self._over.is_set():
            self._begun.wait(_BEGIN_S)
            if self._loop is not None and self._task is not None:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(self._task.cancel)
            self._over.wait(_END_S)
        if self._thread is not None:
            self._thread.join(_END_S)
        queue, self.queue = self.queue, None
        if queue is not None:
            queue.close()

    def close(self) -> None:
        """End the client and the recording."""
        self.stop()

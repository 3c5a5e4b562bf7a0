"""What all bridges do: a thread of their own, a supervisor around the library, holes told with their length.

The library's session runs on an event loop in its own thread, so that whatever it does there stalls nobody. When it
ends, for whatever reason, its books are forgotten, it is begun anew after a wait with full jitter, and the first data
then is told as a gap as long as nothing came.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

from feeds.backoff import Backoff
from feeds.clock import Clock
from feeds.errors import BadInput
from feeds.events import (
    C_DISCONNECT,
    CLEAR,
    GAP,
    LAST,
    S_SYNCING,
    STATUS,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.link import LinkState
from feeds.live import Inbox, RouteHealth, Times, Told
from feeds.source import Checks
from feeds.venues._access import clean

_S: Final = 1_000_000_000
_LOG: Final = 1000
_BEAT_S: Final = 0.02
_PATIENCE_S: Final = 5.0


class Bridge(ABC):
    """Some instruments of one venue through a library; the same to its reader as `feeds.live.Client`."""

    name: ClassVar[str]
    """Venue name in addresses."""
    tier: str = "C"
    verification: str = "unverifiable"
    silence_s: float = 60.0
    """Without anything for so long, a session is ended and begun anew."""

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        times: Times | None = None,
        draw: Callable[[], float] = random.random,
        least_wait_s: float = 0.5,
    ) -> None:
        if not symbols:
            raise BadInput("address", "", "a symbol")
        self.symbols = list(symbols)
        self.checks = Checks()
        self.inbox = Inbox()
        self.log: deque[Told] = deque(maxlen=_LOG)
        """What happened, oldest first."""
        self.instruments: tuple[Instrument, ...] = ()
        """Set by `prepare`."""
        self.out = EventBuffer()
        self.times = times or Times()
        self._backoff = Backoff(draw, least_s=least_wait_s)
        self._clock = Clock()
        self._state, self._why = LinkState.DOWN, ""
        self._retry_ns: int | None = None
        self._heard_ns: int | None = None
        self._data_ns: int | None = None
        self._hole_since: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._error: BaseException | None = None

    # -- what a bridge writes --------------------------------------------------------------------
    @abstractmethod
    async def prepare(self) -> Mapping[str, tuple[int, Instrument]]:
        """Find the instruments of the symbols and set `instruments`; raise BadInput where one is none."""

    @abstractmethod
    async def session(self) -> str:
        """Connect, subscribe and write rows to `out` until it ends; say why it did. `opened` and `heard` tell how."""

    def forget(self) -> None:
        """Forget the books of the session that ended."""

    def opened(self) -> None:
        """The connection is open."""
        self._state, self._why = LinkState.SYNCING, ""
        self._heard_ns = self.times.now()[1]
        self.tell("connected")

    def alive(self) -> None:
        """Something came, no data: a heartbeat."""
        self._heard_ns = self.times.now()[1]

    def heard(self, recv_ns: int) -> None:
        """Data came; to be called before its rows are written. Tells the hole before it, if there was one."""
        mono = self.times.now()[1]
        self._heard_ns = self._data_ns = mono
        self._backoff.verified(mono)
        if self._state is not LinkState.LIVE:
            self._state = LinkState.LIVE
        if self._hole_since is not None:
            hole = max(0, mono - self._hole_since)
            self._hole_since = None
            self.checks.gaps += 1
            for inst in range(len(self.instruments)):
                self.out.append(GAP, recv_ns, lots=C_DISCONNECT, aux=hole, inst=inst, marks=LAST)
            self.tell(f"data again after a hole of {hole / _S:.1f} s")

    def tell(self, text: str) -> None:
        """Add a line for a person."""
        self.log.append(Told(self.times.now()[0], self.name, clean(text, 300)))

    # -- running ---------------------------------------------------------------------------------
    def health(self) -> list[RouteHealth]:
        """How the session does now."""
        now = self.times.mono_ns()
        retry = None if self._retry_ns is None else max(0, self._retry_ns - now)
        age = None if self._data_ns is None else now - self._data_ns
        return [RouteHealth(self.name, self._state, self._why, retry, age)]

    async def run(self) -> None:
        """Keep the session up until cancelled; what it brought is then delivered. Raises what `prepare` raises."""
        thread = threading.Thread(target=self._thread, name=f"bridge {self.name}", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                await asyncio.sleep(_BEAT_S)
        finally:
            self._cancel()
            await asyncio.to_thread(thread.join, _PATIENCE_S)
            self.inbox.close()
        if self._error is not None:
            raise self._error

    def _cancel(self) -> None:
        if self._loop is not None and self._main is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._main.cancel)

    def _thread(self) -> None:
        try:
            asyncio.run(self._supervise())
        except asyncio.CancelledError:
            return
        except BaseException as error:
            self._error = error

    async def _supervise(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        if not self.instruments:
            await self.prepare()
        try:
            while True:
                self._state, self._why, self._retry_ns = LinkState.CONNECTING, "", None
                self._heard_ns = self.times.now()[1]
                why = await self._one_session()
                self._lost(why)
                wait = self._backoff.wait_ns()
                self._retry_ns = self.times.now()[1] + wait
                until = self._retry_ns
                while self.times.now()[1] < until:
                    self._deliver()
                    await asyncio.sleep(min(_BEAT_S, wait / _S))
        finally:
            self._deliver()

    async def _one_session(self) -> str:
        task = asyncio.ensure_future(self.session())
        try:
            while not task.done():
                await asyncio.wait([task], timeout=_BEAT_S)
                self._deliver()
                silent = self.times.now()[1] - (self._heard_ns or 0)
                if not task.done() and silent >= self.silence_s * _S:
                    return f"nothing came for {silent / _S:.0f} s"
            return task.result()
        except BadInput:
            raise
        except asyncio.CancelledError:
            if task.done() and not task.cancelled():
                raise
            if task.cancelled():
                return "the session was cancelled"
            raise
        except Exception as error:
            # Whatever a library raises ends one session and no more.
            return f"{type(error).__name__}: {error}"[:300]
        finally:
            if not task.done():
                task.cancel()
            await asyncio.wait([task], timeout=_PATIENCE_S)

    def _lost(self, why: str) -> None:
        wall, _mono = self.times.now()
        self._state, self._why = LinkState.DOWN, clean(why, 200)
        self.tell(self._why)
        if self._hole_since is None and self._data_ns is not None:
            self._hole_since = self._data_ns
            for inst in range(len(self.instruments)):
                self.out.append(CLEAR, wall, inst=inst)
                self.out.append(STATUS, wall, aux=S_SYNCING, inst=inst, marks=LAST)
        self.forget()

    def _deliver(self) -> None:
        if len(self.out):
            self.inbox.put(self._clock.insert(self.out.take()))
        self.inbox.put(self._clock.due(self.times.now()[0]))

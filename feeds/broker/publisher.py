"""A capture's rows on a broker, beside the capture and never in its way.

One thread takes the capture's batches as they come and only puts them aside; another talks to the broker. Where the
broker is slow or away, rows wait in memory up to a bound and are given up beyond it, oldest first, which readers are
told as a GAP. The recording on disk knows nothing of all this.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from asyncio import Future
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from feeds.backoff import Backoff
from feeds.broker.address import Login, Target, login
from feeds.broker.batches import About, Message, unpack
from feeds.broker.client import Aside, Reach, reach
from feeds.broker.log import Broker, BrokerAway, BrokerRefuses, LogConflict, NoLog
from feeds.broker.outbox import Outbox, Superseded
from feeds.errors import BadInput
from feeds.events import EVERY, Events
from feeds.live import Inbox, Told
from feeds.recording.keyframe import level_table
from feeds.venues._access import clean

WAITING_BYTES: Final = 256 << 20
"""What may wait for the broker, of all instruments together."""
WINDOW: Final = 64
"""Messages of one instrument that may be under way at once."""
ANSWER_S: Final = 5.0
"""How long the broker may take to acknowledge a message."""
PATIENCE_S: Final = 1.5
"""How long the end of a capture waits for the broker to take the rest."""
_ROUND_S: Final = 0.1
_BREATH_S: Final = 0.002
_MOST_WAIT_S: Final = 10.0
_S: Final = 1_000_000_000


class Published(NamedTuple):
    """How publishing does."""

    rows: int
    """Rows the broker has acknowledged."""
    waiting_bytes: int
    lost: int
    """Venue messages given up because the broker was away for too long."""
    why: str
    """Why nothing is published now; empty where all is well."""

    @property
    def text(self) -> str:
        """For a progress line."""
        waits = f", {self.waiting_bytes / 1e6:.1f} MB wait" if self.waiting_bytes > 1_000_000 or self.why else ""
        lost = f", {self.lost:,} messages given up" if self.lost else ""
        return f"published {self.rows:,} rows{waits}{lost}" + (f"  NOT PUBLISHING: {self.why}" if self.why else "")


class _Channel:
    """One instrument's way to its log."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.venue, self.symbol = outbox.about.instrument.venue, outbox.about.instrument.symbol
        self.position: int | None = None
        """Of the next message to send; None where the log has to be looked at first."""
        self.sent: deque[tuple[Future[None], int]] = deque()
        """Answers that are waited for, with when they were asked for: those of the outbox's oldest messages."""
        self.why = ""
        self.retry_ns = 0
        self.over = False

    def forget(self) -> None:
        self.position = None
        self.sent.clear()


class Publisher:
    """Publish what comes in an inbox until it is closed; `close` ends it. `seen` hears of every batch first."""

    def __init__(
        self,
        target: Target,
        abouts: Sequence[About],
        inbox: Inbox,
        *,
        connect: Reach = reach,
        who: Login | None = None,
        waiting_bytes: int = WAITING_BYTES,
        seen: Callable[[Events], None] | None = None,
        draw: Callable[[], float] = random.random,
        mono_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.target = target
        self.log: deque[Told] = deque(maxlen=1000)
        """What happened, oldest first."""
        self._inbox, self._connect, self._most = inbox, connect, waiting_bytes
        self._seen = seen or (lambda _: None)
        self._who = login() if who is None else who
        self._draw, self._mono_ns, self._wall_ns = draw, mono_ns, wall_ns
        run = wall_ns()
        table = level_table()
        self._channels = [_Channel(Outbox(about, inst, run, table)) for inst, about in enumerate(abouts)]
        self._lock = threading.Lock()
        self._news = asyncio.Event()
        self._over = False
        """No more rows come."""
        self._give_in_ns: int | None = None
        self._why = "not connected yet"
        self._aside = Aside(self._run(), "publisher")
        self._aside.__enter__()
        self._taker = threading.Thread(target=self._take, name="publisher-in", daemon=True)
        self._taker.start()

    # -- for the capture -------------------------------------------------------------------------
    def state(self) -> Published:
        """How it does now; from any thread."""
        with self._lock:
            boxes = [channel.outbox for channel in self._channels]
            why = self._why or next((channel.why for channel in self._channels if channel.why), "")
            return Published(
                sum(box.published for box in boxes), sum(box.waiting_bytes for box in boxes),
                sum(box.lost for box in boxes), why,
            )  # fmt: skip

    def drain(self) -> None:
        """Wait until all that came in the inbox was taken; it must have been closed."""
        self._taker.join()

    def close(self, patience_s: float = PATIENCE_S) -> Published:
        """Publish the rest, if the broker takes it in time, and end; the inbox must have been closed."""
        self.drain()
        self._give_in_ns = self._mono_ns() + round(patience_s * _S)
        self._aside.call(self._news.set)
        self._aside.result(patience_s + ANSWER_S)
        self._aside.__exit__()
        state = self.state()
        if state.waiting_bytes:
            self._tell(f"the capture ended with {state.waiting_bytes:,} bytes unpublished")
        return state

    def _tell(self, text: str) -> None:
        self.log.append(Told(self._wall_ns(), self.target.place.text, clean(text, 300)))

    def _take(self) -> None:
        while not self._inbox.over:
            batches = self._inbox.take(_ROUND_S)
            if not batches:
                continue
            batch = batches[0] if len(batches) == 1 else np.concatenate(batches)
            self._seen(batch)
            now = self._mono_ns()
            concerned = set(np.unique(batch["inst"]).tolist())
            with self._lock:
                for channel in self._channels:
                    if not channel.over and (EVERY in concerned or channel.outbox.inst in concerned):
                        channel.outbox.add(batch, now)
                self._bound()
            self._aside.call(self._news.set)
        self._over = True
        self._aside.call(self._news.set)

    def _bound(self) -> None:
        waiting = sum(channel.outbox.waiting_bytes for channel in self._channels)
        for channel in sorted(self._channels, key=lambda one: -one.outbox.waiting_bytes):
            if waiting <= self._most:
                return
            waiting -= channel.outbox.give_up()

    # -- on the publisher's loop -----------------------------------------------------------------
    async def _run(self) -> None:
        backoff = Backoff(self._draw, most_s=_MOST_WAIT_S, proof_s=5.0)
        while not self._done():
            try:
                broker = await self._connect(self.target, self._who)
                try:
                    await self._publish(broker, backoff)
                finally:
                    for channel in self._channels:
                        channel.forget()
                    await broker.close()
            except BrokerAway as error:
                self._why = str(error)
                wait = backoff.wait_ns() / _S
                self._tell(f"{self._why}; again in {wait:.1f} s, what comes is kept")
                await self._pause(wait)
            except Exception as error:
                # An extra that is not installed, a login that may not be read: no waiting mends it. And whatever
                # else it is, the capture goes on without it.
                self._why = str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
                self._tell(f"{self._why}; nothing more is published")
                for channel in self._channels:
                    channel.over = True
                    channel.outbox.give_up()
                return

    def _done(self) -> bool:
        if self._give_in_ns is not None and self._mono_ns() >= self._give_in_ns:
            return True
        return self._over and all(channel.over or channel.outbox.idle for channel in self._channels)

    async def _pause(self, seconds: float) -> None:
        end = self._mono_ns() + round(seconds * _S)
        while (left := end - self._mono_ns()) > 0:
            if self._give_in_ns is not None:
                left = min(left, self._give_in_ns - self._mono_ns())
                if left <= 0:
                    return
            await asyncio.sleep(min(left / _S, _ROUND_S))

    async def _publish(self, broker: Broker, backoff: Backoff) -> None:
        self._why = ""
        self._tell("publishing")
        ended = False
        while True:
            self._news.clear()
            now = self._mono_ns()
            for channel in self._channels:
                if not channel.over and (channel.sent or self._over or channel.outbox.due(now)):
                    await self._serve(broker, channel)
            backoff.verified(now)
            if self._done():
                if ended or (self._give_in_ns is not None and now >= self._give_in_ns):
                    return
                ended = True
                self._end()
                continue
            # Looking at hundreds of instruments for each row of one would cost more than sending it.
            await asyncio.sleep(_BREATH_S)
            if not self._news.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_ROUND_S):
                        await self._news.wait()

    def _end(self) -> None:
        with self._lock:
            for channel in self._channels:
                if not channel.over and channel.position is not None:
                    channel.outbox.end()

    async def _serve(self, broker: Broker, channel: _Channel) -> None:
        """Look at one instrument's answers, then send what it has; its own troubles stop nobody else."""
        try:
            now = self._mono_ns()
            if channel.retry_ns > now:
                return
            self._hear(channel, now)
            if channel.position is None:
                if channel.outbox.idle:
                    return
                await self._resume(broker, channel)
            await self._send(broker, channel)
            channel.why = ""
        except (LogConflict, NoLog):
            channel.forget()
        except Superseded as error:
            channel.over, channel.why = True, str(error)
            with self._lock:
                channel.outbox.give_up()
            self._tell(f"{error}; this one ends")
        except BrokerRefuses as error:
            channel.forget()
            channel.retry_ns = self._mono_ns() + _S
            if channel.why != str(error):
                channel.why = str(error)
                self._tell(f"{channel.venue}:{channel.symbol}: {error}")

    def _hear(self, channel: _Channel, now: int) -> None:
        while channel.sent and channel.sent[0][0].done():
            failed = channel.sent.popleft()[0].exception()
            if failed is not None:
                raise failed
            with self._lock:
                channel.outbox.acknowledge()
        if channel.sent and now - channel.sent[0][1] > ANSWER_S * _S:
            raise BrokerAway(f"nothing acknowledged within {ANSWER_S:.0f} s")

    async def _resume(self, broker: Broker, channel: _Channel) -> None:
        await broker.create(channel.venue, channel.symbol)
        extent = await broker.extent(channel.venue, channel.symbol)
        newest: Message | None = None
        if extent.last >= extent.first:
            stored = await broker.read(channel.venue, channel.symbol, extent.last)
            if stored is None:
                raise LogConflict
            try:
                newest = unpack(stored.data, f"message {stored.position}")
            except BadInput as error:
                raise BrokerRefuses(None, f"the log holds what no capture wrote: {error}") from None
        with self._lock:
            channel.outbox.resume(newest)
        channel.position = extent.last + 1

    async def _send(self, broker: Broker, channel: _Channel) -> None:
        assert channel.position is not None
        while len(channel.sent) < WINDOW:
            with self._lock:
                if len(channel.outbox.packed) <= len(channel.sent) and not channel.outbox.pack(
                    self._mono_ns(), most_rows=broker.most_rows, all_of_it=self._over
                ):
                    return
                packed = channel.outbox.packed[len(channel.sent)]
            answer = await broker.append(
                channel.venue, channel.symbol, packed.data, position=channel.position, key=packed.key
            )
            answer.add_done_callback(lambda _: self._news.set())
            channel.sent.append((answer, self._mono_ns()))
            channel.position += 1

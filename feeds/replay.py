"""Giving a source's rows at the speed of a clock that is handed in."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import CLOCK, KEYFRAME, LAST, TRADE, Events, empty
from feeds.source import Source

SLOWEST: Final = 0.25
FASTEST: Final = 100.0
MAX: Final = 0.0
"""The speed that gives as many rows a call as the budget allows, whatever their time."""
MAX_ROWS: Final = 65_536
"""Rows that one call gives at most, to the end of a message."""
WAIT_S: Final = 0.01
"""The longest that `due` waits for rows that are still being read."""
_AHEAD: Final = 1


class _Ahead:
    """Read batches in a thread from the first need on; a batch is begun only when the one before has been taken."""

    def __init__(self, batches: Iterator[Events]) -> None:
        self._queue: queue.SimpleQueue[Events | BaseException | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_AHEAD)
        self._stop = False
        self._batches = batches
        self._thread = threading.Thread(target=self._run, args=(batches,), name="replay", daemon=True)
        self._begun = False

    def begin(self) -> None:
        """Start to read, once."""
        if not self._begun:
            self._begun = True
            self._thread.start()

    def _run(self, batches: Iterator[Events]) -> None:
        last: BaseException | None = None
        try:
            while True:
                self._room.acquire()
                if self._stop or not self._next(batches):
                    return
        except BaseException as error:  # handed on to whoever asks for rows
            last = error
        finally:
            _close(batches)
            self._queue.put(last)

    def _next(self, batches: Iterator[Events]) -> bool:
        for batch in batches:
            if self._stop:
                return False
            if len(batch):
                self._queue.put(batch)
                return True
        return False

    def get(self, timeout_s: float | None) -> Events | None:
        """The next batch, None at the end; raises queue.Empty when the time is over, and what the reader raised."""
        self.begin()
        item = self._queue.get(timeout=timeout_s) if timeout_s is None or timeout_s > 0 else self._queue.get_nowait()
        if isinstance(item, BaseException):
            raise item
        self._room.release()
        return item

    def close(self, *, wait: bool = True) -> None:
        if not self._begun:
            _close(self._batches)
            return
        self._stop = True
        self._room.release()
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        if wait:
            self.join()

    def join(self) -> None:
        if self._begun:
            self._thread.join()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()


def _close(batches: Iterator[Events]) -> None:
    close = getattr(batches, "close", None)
    if close is not None:
        close()


class Player:
    """Play a source against a clock: `due(now_ns)` gives the rows whose time has come.

    Time is the running maximum of recv_ns. Rows are never cut inside a venue message. All times of the clock are
    ns of any steady origin.
    """

    def __init__(self, source: Source, *, speed: float = 1.0, max_rows: int = MAX_ROWS) -> None:
        self.source = source
        self.paused = False
        self.ended = False
        """All rows have been given."""
        self.market_ns: int | None = None
        """Market time reached; None before the first row."""
        self.max_rows = max(1, max_rows)
        """Rows that `due` gives at once at most, rounded up to a message's end."""
        self._now_ns: int | None = None
        self._fraction = 0.0
        self.speed = speed
        self._left: list[_Ahead] = []
        """Readers told to end that may still be at it."""
        self._start(source.batches())

    def _start(self, batches: Iterator[Events]) -> None:
        self._ahead: _Ahead | None = _Ahead(batches)
        self._rows: Events = empty()
        self._times: NDArray[np.int64] = np.zeros(0, np.int64)
        self._ends: NDArray[np.int64] = np.zeros(0, np.int64)
        self._at = 0
        self._newest: int | None = None
        self.ended = False

    # -- control --------------------------------------------------------------------------------
    @property
    def speed(self) -> float:
        """Market seconds a second, MAX for as fast as asked; BadInput outside 0.25 to 100 and MAX."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not (SLOWEST <= speed <= FASTEST or speed == MAX):
            raise BadInput("speed", speed, f"{SLOWEST} to {FASTEST:.0f}, or max")
        self._speed = float(speed)

    def play(self) -> None:
        """Go on."""
        self.paused = False

    def pause(self) -> None:
        """Hold market time."""
        self.paused = True

    def resume(self, rows: Events, part: int, market_ns: int | None = None) -> None:
        """Go on with `rows`, then with the parts of the recording from number `part`, at a market time.

        For a caller that has read the rows up to a place already, so that nothing is read twice.
        """
        source = self.source
        from_part = getattr(source, "batches_from_part", None)
        if from_part is None:
            raise TypeError(f"{type(source).__name__} has no parts to go on with")
        self.close(wait=False)
        self._start(batch for batch in from_part(part) if not batch["marks"][0] & KEYFRAME)
        self.market_ns, self._now_ns, self._fraction = market_ns, None, 0.0
        if len(rows):
            self._put(rows)

    # -- rows -----------------------------------------------------------------------------------
    def due(self, now_ns: int) -> Events:
        """The rows that are due at a reading of the clock, perhaps none; at most `max_rows` to a message's end."""
        passed = 0 if self._now_ns is None else max(0, now_ns - self._now_ns)
        self._now_ns = now_ns
        if self.paused or self.ended:
            return empty()
        if self._ahead is not None:
            self._ahead.begin()
        if self._at >= len(self._rows) and not self._load(WAIT_S):
            return empty()
        if self._speed == MAX:
            return self._take(self._end_at(self._at + self.max_rows))
        if self.market_ns is None:
            self.market_ns = int(self._times[self._at])
        else:
            step = passed * self._speed + self._fraction
            self.market_ns += int(step)
            self._fraction = step - int(step)
        while self._times[-1] <= self.market_ns and len(self._rows) - self._at < self.max_rows:
            if not self._load(WAIT_S):
                break
        due = int(np.searchsorted(self._times, self.market_ns, side="right"))
        if due <= self._at:
            return empty()
        if due - self._at > self.max_rows:
            # Market time waits for whoever cannot take all that is due; it never runs ahead of what was given.
            rows = self._take(self._end_at(self._at + self.max_rows))
            self.market_ns = int(self._times[self._at - 1])
            return rows
        before = int(np.searchsorted(self._ends, due, side="right"))
        return self._take(int(self._ends[before - 1]) if before else self._at)

    def up_to(self, market_ns: int) -> Events:
        """The rows up to a market time, to the end of a message, which is then reached; pauses."""
        self.paused = True
        while (not len(self._rows) or self._times[-1] <= market_ns) and self._load(None):
            pass
        due = int(np.searchsorted(self._times, market_ns, side="right"))
        before = int(np.searchsorted(self._ends, due, side="right"))
        rows = self._take(max(self._at, int(self._ends[before - 1]) if before else 0))
        self.market_ns = market_ns if self.market_ns is None else max(self.market_ns, market_ns)
        return rows

    def step_event(self) -> Events:
        """The rows to the end of the next venue message, with the CLOCK rows before it; pauses."""
        return self._step(lambda rows: rows["kind"] != CLOCK)

    def step_trade(self) -> Events:
        """The rows to the end of the message with the next trade, at most `max_rows`; pauses."""
        return self._step(lambda rows: rows["kind"] == TRADE)

    def _step(self, wanted: object) -> Events:
        assert callable(wanted)
        self.paused = True
        start = self._at
        while True:
            found = np.flatnonzero(wanted(self._rows[start:]))
            if len(found):
                return self._take(self._end_at(start + int(found[0]) + 1))
            start = len(self._rows)
            if start - self._at >= self.max_rows:
                return self._take(start)
            kept = self._at
            if not self._load(None):
                return self._take(len(self._rows))
            start -= kept  # loading drops the rows already given

    def _end_at(self, row: int) -> int:
        after = int(np.searchsorted(self._ends, min(row, len(self._rows))))
        return int(self._ends[after]) if after < len(self._ends) else len(self._rows)

    def _take(self, end: int) -> Events:
        rows = self._rows[self._at : end]
        if len(rows):
            reached = int(self._times[end - 1])
            if self.market_ns is None or self._speed == MAX or self.paused:
                self.market_ns = reached if self.market_ns is None else max(self.market_ns, reached)
            self._at = end
        if end >= len(self._rows) and self._ahead is None:
            self.ended = True
        return rows

    def _load(self, timeout_s: float | None) -> bool:
        if self._ahead is None:
            self.ended = self._at >= len(self._rows)
            return False
        try:
            batch = self._ahead.get(timeout_s)
        except queue.Empty:
            return False
        except BaseException:
            self._ahead = None
            raise
        if batch is None:
            self._ahead.close()
            self._ahead = None
            self.ended = self._at >= len(self._rows)
            return False
        self._put(batch)
        return True

    def _put(self, batch: Events) -> None:
        times = np.maximum.accumulate(batch["recv_ns"])
        if self._newest is not None:
            np.maximum(times, self._newest, out=times)
        self._newest = int(times[-1])
        left = slice(self._at, None)
        if self._at < len(self._rows):
            batch = np.concatenate([self._rows[left], batch])
            times = np.concatenate([self._times[left], times])
        self._rows, self._times, self._at = batch, times, 0
        self._ends = np.flatnonzero(batch["marks"] & LAST) + 1

    def close(self, *, wait: bool = True) -> None:
        """Stop reading; the player gives no more rows. Without `wait` the reading thread ends a little later."""
        if self._ahead is not None:
            self._ahead.close(wait=wait)
            if not wait:
                self._left = [old for old in self._left if old.running] + [self._ahead]
            self._ahead = None
        if wait:
            for old in self._left:
                old.join()
            self._left.clear()
        self._rows, self._at = empty(), 0
        self.ended = True

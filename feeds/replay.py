"""Giving a source's rows at the speed of a clock that is handed in, and several sources as one stream."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from feeds.clock import Clock
from feeds.errors import BadInput
from feeds.events import CLOCK, EVERY, KEYFRAME, LAST, TRADE, Events, empty
from feeds.instruments import Instrument
from feeds.source import Checks, Source, SourceInfo

if TYPE_CHECKING:
    from feeds.recording import Recording

SLOWEST: Final = 0.25
FASTEST: Final = 100.0
MAX: Final = 0.0
"""The speed that gives as many rows a call as the budget allows, whatever their time."""
MAX_ROWS: Final = 65_536
"""Rows that one call gives at most, to the end of a message."""
WAIT_S: Final = 0.01
"""The longest that `due` waits for rows that are still being read."""
SEEK_WAIT_S: Final = 0.25
"""The longest that `seek` by number waits to say the time of the place."""
_AHEAD: Final = 1


class _Ahead:
    """Read batches in a thread, a few ahead."""

    def __init__(self, batches: Iterator[Events]) -> None:
        self._queue: queue.Queue[Events | BaseException | None] = queue.Queue(_AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(batches,), name="replay", daemon=True)
        self._thread.start()

    def _run(self, batches: Iterator[Events]) -> None:
        last: BaseException | None = None
        try:
            for batch in batches:
                if len(batch) and not self._put(batch):
                    return
        except BaseException as error:  # handed on to whoever asks for rows
            last = error
        finally:
            close = getattr(batches, "close", None)
            if close is not None:
                close()
        self._put(last)

    def _put(self, item: Events | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def get(self, timeout_s: float | None) -> Events | None:
        """The next batch, None at the end; raises queue.Empty when the time is over, and what the reader raised."""
        item = self._queue.get(timeout=timeout_s) if timeout_s is None or timeout_s > 0 else self._queue.get_nowait()
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self, *, wait: bool = True) -> None:
        self._stop.set()
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        if wait:
            self.join()

    def join(self) -> None:
        self._thread.join()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()


class _Place:
    """A place in a stream, to leave out what comes before it."""

    def __init__(self, seq: int | None, recv_ns: int | None) -> None:
        self.seq, self.recv_ns = seq, recv_ns
        self.reached_ns: int | None = None
        """Time of the last row before the place, the greatest seen."""

    def after(self, batches: Iterator[Events]) -> Iterator[Events]:
        found = False
        for batch in batches:
            if found:
                yield batch
                continue
            times = np.maximum.accumulate(batch["recv_ns"])
            if self.reached_ns is not None:
                np.maximum(times, self.reached_ns, out=times)
            if self.seq is not None:
                at = int(np.searchsorted(batch["seq"], self.seq))
            else:
                at = int(np.searchsorted(times, np.int64(self.recv_ns or 0), side="right"))
            if at:
                self.reached_ns = int(times[at - 1])
            if at < len(batch):
                found = True
                yield batch[at:]


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

    def seek(self, *, seq: int | None = None, recv_ns: int | None = None) -> int:
        """Go on from row `seq`, or from the first row after `recv_ns`; give the number of the part read from.

        The state at that place is the caller's to restore. A recording is read from the part that holds the
        place, any other source from its beginning.
        """
        recording = self._recording()
        number = recording.part_at(seq=seq, recv_ns=recv_ns) if recording is not None and recording.parts else 0
        from_part = getattr(self.source, "batches_from_part", None)
        if number and from_part is not None:
            batches = from_part(number)
        else:
            batches = self.source.batches()
        self.close(wait=False)
        place = _Place(seq, recv_ns)
        self._start(place.after(batches))
        self.market_ns, self._now_ns, self._fraction = recv_ns, None, 0.0
        if recv_ns is None and self._load(SEEK_WAIT_S):
            self.market_ns = place.reached_ns
        return number

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

    def _recording(self) -> Recording | None:
        from feeds.recording import Recording

        found = self.source if isinstance(self.source, Recording) else getattr(self.source, "recording", None)
        return found if isinstance(found, Recording) else None

    # -- rows -----------------------------------------------------------------------------------
    def due(self, now_ns: int) -> Events:
        """The rows that are due at a reading of the clock, perhaps none; at most `max_rows` to a message's end."""
        passed = 0 if self._now_ns is None else max(0, now_ns - self._now_ns)
        self._now_ns = now_ns
        if self.paused or self.ended:
            return empty()
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


class Merged(Source):
    """Several sources as one stream in order of receive time, instruments numbered through, one clock."""

    def __init__(self, sources: Sequence[Source]) -> None:
        if not sources:
            raise BadInput("source", None, "at least one")
        self.sources = tuple(sources)
        self.instruments: tuple[Instrument, ...] = tuple(i for source in sources for i in source.instruments)
        infos = [source.info for source in sources]
        self.info = SourceInfo(
            address=" ".join(info.address for info in infos),
            format=_one_of([info.format for info in infos]),
            venue=_one_of([info.venue for info in infos]),
            tier=max(info.tier for info in infos),
            verification=_one_of([info.verification for info in infos]),
            bytes=sum(info.bytes for info in infos),
            notes=tuple(f"{info.address}: {note}" for info in infos for note in info.notes),
        )

    @property
    def checks(self) -> Checks:  # type: ignore[override]
        """What all the sources' readers found, together."""
        out = Checks()
        for source in self.sources:
            for name in out.__struct_fields__:
                mine, theirs = getattr(out, name), getattr(source.checks, name)
                if isinstance(mine, dict):
                    for kind, count in theirs.items():
                        mine[kind] = mine.get(kind, 0) + count
                else:
                    setattr(out, name, mine + theirs)
        return out

    @property
    def progress(self) -> tuple[int, int]:
        """(bytes read, bytes in all) over all sources."""
        pairs = [source.progress for source in self.sources]
        return sum(done for done, _ in pairs), sum(size for _, size in pairs)

    def batches(self) -> Iterator[Events]:
        """Give the rows from the start; rows of one time come in the order of the sources."""
        clock, first = Clock(), 0
        feeds: list[_Feed] = []
        for source in self.sources:
            feeds.append(_Feed(source.batches(), first))
            first += len(source.instruments)
        while True:
            for feed in feeds:
                feed.fill()
            live = [feed for feed in feeds if not feed.ended]
            if not live and not any(len(feed.rows) for feed in feeds):
                return
            # Rows before the earliest end of what is known are complete; those at it may still get company.
            horizon = min((int(feed.times[-1]) for feed in live), default=None)
            ready = [feed.take(horizon) for feed in feeds]
            if sum(len(rows) for rows, _ in ready):
                rows = np.concatenate([rows for rows, _ in ready])
                times = np.concatenate([times for _, times in ready])
                yield clock.insert(rows[np.argsort(times, kind="stable")])
            for feed in live:
                if len(feed.rows) and int(feed.times[-1]) == horizon:
                    feed.more()

    def close(self) -> None:
        """Close every source."""
        for source in self.sources:
            source.close()


class _Feed:
    def __init__(self, batches: Iterator[Events], first_inst: int) -> None:
        self._batches = batches
        self._first_inst = first_inst
        self._newest = -(2**63)
        self.rows: Events = empty()
        self.times: NDArray[np.int64] = np.zeros(0, np.int64)
        self.ended = False

    def fill(self) -> None:
        while not self.ended and not len(self.rows):
            self.more()

    def more(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            self.ended = True
            return
        rows = batch[batch["kind"] != CLOCK]
        if not len(rows):
            return
        rows["inst"] += np.where(rows["inst"] == EVERY, 0, self._first_inst).astype(np.uint32)
        ends = np.flatnonzero(rows["marks"] & LAST)
        if not len(ends) or ends[-1] != len(rows) - 1:
            ends = np.append(ends, len(rows) - 1)
        times = np.maximum(np.maximum.accumulate(rows["recv_ns"]), self._newest)
        times = np.repeat(times[ends], np.diff(ends, prepend=-1))
        self._newest = int(times[-1])
        self.rows = np.concatenate([self.rows, rows])
        self.times = np.concatenate([self.times, times])

    def take(self, horizon: int | None) -> tuple[Events, NDArray[np.int64]]:
        end = len(self.rows) if horizon is None else int(np.searchsorted(self.times, horizon))
        out = self.rows[:end], self.times[:end]
        self.rows, self.times = self.rows[end:], self.times[end:]
        return out


def _one_of(names: list[str]) -> str:
    return names[0] if len(set(names)) == 1 else "several"


def merge(sources: Sequence[Source]) -> Source:
    """Several sources as one; a single source stays as it is."""
    return sources[0] if len(sources) == 1 else Merged(sources)

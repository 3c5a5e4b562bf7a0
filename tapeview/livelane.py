"""One client of a live market and the session behind it: rows applied in a thread, watched, held, measured."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from feeds.events import BOOK, EVERY, GAP, NONE, TRADE, Events
from feeds.link import LinkState
from feeds.live import RouteHealth
from tapeview import format as text
from tapeview.alertlog import AlertLog
from tapeview.engine import Engine, EngineSettings, ready
from tapeview.session import PIECE, Session
from tapeview.snapshot import SOUND

if TYPE_CHECKING:
    from feeds.ongoing import Ongoing
    from tapeview.detectors._declare import Thresholds
    from tapeview.trading import Trading

STORIES: Final = 2000
"""Alerts of an instrument that are kept."""
_PLAIN_PIECE: Final = 64
"""Rows applied at a time while kernels are plain Python, so that the screen gets its turn."""
_WAIT_S: Final = 0.25
_REST: Final = 2.0
_REST_S: Final = 0.005
"""After a turn the thread rests so many times as long as it took, and so long at most."""
_REFUSAL: Final = re.compile(r"answers (401|403|418|429|451)\b")
_STATES: Final = ("live", "syncing", "stale", "connecting", "reconnecting", "banned")
"""From good to bad."""
_SAMPLES: Final = 4096
_AHEAD_NS: Final = 5_000_000
"""A venue's clock this far ahead is told."""
_BACK_NS: Final = 60_000_000_000
"""No network takes so long: the venue's clock, or that of a recording it serves, is another time's."""


class News(NamedTuple):
    """A line of the log."""

    wall_ns: int
    where: str
    text: str
    loud: bool = False
    """Told on the bottom line too."""


class Tell(Protocol):
    """Takes a line for the log."""

    def __call__(self, where: str, text: str, *, wall_ns: int | None = None, loud: bool = False) -> None:
        """Keep it."""


class Connection(NamedTuple):
    """How some routes do together: as the worst of them."""

    state: str
    why: str
    retry_ns: int | None

    def words(self) -> str:
        """Cause and next try, for a person."""
        if self.retry_ns is None:
            return self.why
        return f"{self.why}; next try in {-(-self.retry_ns // 1_000_000_000)} s"


def link_state(routes: Sequence[RouteHealth]) -> Connection:
    """The worst of some routes; live where there is none."""
    worst = Connection("live", "", None)
    for route in routes:
        state = {LinkState.DOWN: "reconnecting"}.get(route.state, route.state.value)
        if route.state is LinkState.DOWN and route.retry_in_ns is None and not route.why:
            state = "connecting"
        elif state == "reconnecting" and _REFUSAL.search(route.why):
            state = "banned"
        if _STATES.index(state) > _STATES.index(worst.state):
            worst = Connection(state, route.why, route.retry_in_ns)
    return worst


class Lateness:
    """Times from the venue's clock to receipt of the newest messages, in a ring."""

    def __init__(self) -> None:
        self._ring = np.zeros(_SAMPLES, np.int64)
        self._count = 0
        self._made: tuple[int, tuple[int, int] | None, int] = (0, None, 0)
        self._made_at = 0.0

    def add(self, rows: Events) -> None:
        """Take in applied rows; one a message and venue time."""
        told = rows[((rows["kind"] == BOOK) | (rows["kind"] == TRADE)) & (rows["marks"] & 1 != 0)]
        told = told[told["exch_ns"] != NONE][-_SAMPLES:]
        if len(told):
            places = (self._count + np.arange(len(told))) % _SAMPLES
            self._ring[places] = told["recv_ns"] - told["exch_ns"]
            self._count += len(told)

    def _look(self) -> None:
        now = time.monotonic()
        if self._made[0] != self._count and now - self._made_at >= 1.0:
            known = self._ring[: min(self._count, _SAMPLES)]
            least = int(known.min())
            # Taken off first: years in ns are more than a float counts.
            middle, worst = np.percentile(known - (least if least >= _BACK_NS else 0), (50, 99))
            self._made, self._made_at = (self._count, (int(middle), int(worst)), least), now

    def middle_and_worst(self) -> tuple[int, int] | None:
        """Median and 99th percentile in ns, made anew each second; None before any.

        Where the clocks are minutes apart (`off_ns`) they are counted from the least.
        """
        self._look()
        return self._made[1]

    def off_ns(self) -> int | None:
        """How far at least the venue's clock is from ours; None where it need not be."""
        self._look()
        least = self._made[2]
        return abs(least) if self._made[1] is not None and not -_AHEAD_NS < least < _BACK_NS else None


class Shot(NamedTuple):
    """Engines as they are at one moment."""

    engines: list[Engine]
    seq: int
    at_ns: int


class Lane:
    """A source that goes on by itself, applied as it comes."""

    def __init__(
        self, source: Ongoing, settings: EngineSettings, thresholds: Mapping[str, Thresholds], tell: Tell
    ) -> None:
        self.source = source
        self.session = Session(source, settings, thresholds)
        self.log = AlertLog(STORIES)
        self.late = Lateness()
        self.held: Shot | None = None
        """The moment that is shown while the market goes on."""
        self.trouble: tuple[str, int] | None = None
        """Why the disk takes nothing, and since when."""
        self.trading: Trading | None = None
        """Paper trading, None where there is none; only within `quiet`."""
        self.applied: Callable[[Events], None] | None = None
        """Called after rows were applied, for measurements."""
        self._tell = tell
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._fault: Exception | None = None
        self._ended_told = False
        self._stop = threading.Event()
        self.sound: dict[int, Engine] = {}
        """By instrument, a copy of the engine as it was before the hole that is open."""
        self._holes: dict[int, tuple[int, bool]] = {}
        self._dropped = 0
        self._behind_ns = 0
        source.start()
        self._thread = threading.Thread(target=self._run, name="market", daemon=True)
        self._thread.start()

    def place_of(self, symbol: str) -> int:
        """Which of the session's instruments has a symbol, whatever its case."""
        folded = [one.casefold() for one in self.source.symbols]
        return folded.index(symbol.casefold())

    # -- applying ------------------------------------------------------------------------------
    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Hold the session still; whoever waits gets it before the thread that applies has it again."""
        with self._turn:
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and not self.source.client.inbox.over:
                batches = self.source.take(_WAIT_S)
                if not batches:
                    continue
                began = time.perf_counter()
                self._apply(np.concatenate(batches) if len(batches) > 1 else batches[0])
                # In a busy market more rows a turn cost less than more turns, and the client needs its time too.
                self._stop.wait(min(_REST_S, _REST * (time.perf_counter() - began)))
        except Exception as error:
            self._fault = error

    def _apply(self, rows: Events) -> None:
        at = 0
        while at < len(rows) and not self._stop.is_set():
            piece = rows[at : at + (PIECE if ready() else _PLAIN_PIECE)]
            broken = np.flatnonzero(piece["kind"] == GAP)
            if len(broken) and broken[0]:
                piece = piece[: broken[0]]
            with self.quiet():
                if len(broken) and not broken[0]:
                    self._remember(piece)
                play = self.session.play if self.trading is None else self.trading.play
                self.log.add(play(piece))
                self.late.add(piece)
            at += len(piece)
            self._behind_ns = len(rows) - at
            if self.applied is not None:
                self.applied(piece)
        self._tell_holes()

    def _remember(self, piece: Events) -> None:
        for k, engine in enumerate(self.session.engines):
            if engine.book.state_name in SOUND and np.isin(piece["inst"][0], (k, EVERY)):
                self.sound[k] = _copy(engine)

    def lag(self, now_ns: int) -> tuple[int, int]:
        """Rows that wait to be applied, and how far the newest one applied is behind."""
        waiting = self.source.client.inbox.rows + self._behind_ns
        newest = self.session.recv_ns
        return waiting, max(0, now_ns - newest) if waiting and newest is not None else 0

    # -- what is told --------------------------------------------------------------------------
    def _tell_holes(self) -> None:
        session = self.session
        for k, instrument in enumerate(session.instruments):
            newest = session.gaps.newest(k, session.seq, 1)
            if not newest:
                continue
            hole = newest[0]
            key = (hole.seq, hole.until_ns is not None)
            before = self._holes.get(k)
            if key == before:
                continue
            self._holes[k] = key
            missing = f", {hole.lost} messages lost" if hole.lost is not None else ""
            if hole.prints_only:
                self._tell(instrument.name, f"prints may be missing: {hole.cause}{missing}", loud=True)
                continue
            if before is None or before[0] != hole.seq:
                self._tell(instrument.name, f"the stream is broken: {hole.cause}{missing}", loud=not key[1])
            if key[1]:
                self.sound.pop(k, None)
                length = text.duration(hole.length_ns)
                self._tell(instrument.name, f"live again after a gap of {length} ({hole.cause}{missing})", loud=True)

    def check(self) -> None:
        """Pass on what the client tells, watch the disk, and raise what ended the thread; for the screen's loop."""
        client, venue = self.source.client, self.source.info.venue
        while client.log:
            said = client.log.popleft()
            self._tell(f"{venue} {said.where}", said.text, wall_ns=said.wall_ns)
        queue = self.source.queue
        if queue is not None:
            self._check_disk(queue.trouble.reason if queue.trouble else "", queue.dropped)
        fault, self._fault = self._fault, None
        if fault is None and isinstance(self.source.failed, Exception) and not self._ended_told:
            self._ended_told = True
            fault = self.source.failed
        if fault is not None:
            raise fault

    def _check_disk(self, reason: str, dropped: int) -> None:
        if reason and self.trouble is None:
            self.trouble = (reason, time.time_ns())
            self._tell("disk", f"not recording: {reason}", loud=True)
        elif not reason and self.trouble is not None:
            since = time.time_ns() - self.trouble[1]
            self.trouble = None
            self._tell("disk", f"recording again after {text.duration(since)}", loud=True)
        if dropped > self._dropped:
            self._tell("disk", f"{dropped - self._dropped} frames dropped by us: the disk is too slow", loud=True)
            self._dropped = dropped

    # -- holding -------------------------------------------------------------------------------
    def now(self) -> Shot:
        """The engines as they are; only within `quiet`."""
        return Shot(self.session.engines, self.session.seq, self.session.recv_ns or 0)

    def hold(self) -> None:
        """Keep a copy of the engines as they are."""
        if self.held is None:
            with self.quiet():
                engines = [_copy(engine) for engine in self.session.engines]
                self.held = Shot(engines, self.session.seq, self.source.times.now()[0])

    def release(self) -> None:
        """Let go of the copy."""
        self.held = None

    def retune(self, thresholds: Mapping[str, Thresholds]) -> None:
        """Run detectors under other thresholds from here on, with a log of their own."""
        with self.quiet():
            if self.trading is not None:
                self.trading.end("other detectors run")
                self.trading.watch_from = self.session.seq
            self.session.thresholds = thresholds
            self.session.watches = self.session.fresh_watches()
            self.log = AlertLog(STORIES)

    def close(self) -> None:
        """End the client, apply what it left, and end the thread."""
        try:
            self.source.stop()
        except OSError as error:
            self._tell("disk", f"the end of the recording could not be written: {error}", loud=True)
        self._thread.join(10)
        self._stop.set()
        if self.trading is not None:
            with self.quiet():
                self.trading.close()


def _copy(engine: Engine) -> Engine:
    return Engine.load(engine.instrument, engine.settings, engine.save())

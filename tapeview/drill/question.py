"""The question of a drill: where it stops, what the market did before, and what it did over the seconds after.

All of it is found at once, before anything is shown, by a session of its own; what is shown goes no further than the
stop until the call was made. Moments at which the book is not sound, or of which the recording does not know what
came after, are passed over, and the seed draws again.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import NONE, S_LIVE, empty
from feeds.recording import Recording
from tapeview.alert import Alert
from tapeview.bundled import Recorded
from tapeview.desk.records import Drilled
from tapeview.drill.choice import Choice, Rules, draw
from tapeview.library import Growing
from tapeview.playback import Lane, Playback
from tapeview.session import Session, cut_at, pieces

BUY, NOTHING, SELL = 1, 0, -1
_SECOND: Final = 1_000_000_000
_ATTEMPTS: Final = 30
_PAST_S: Final = 600
"""Seconds before the stop that its sigma is made of, at the most."""
_LEAST_MOVES: Final = 20
"""And of seconds, at the least."""
_KEPT: Final = ("seq", "recv_ns", "bid", "ask", "state")
_TOUCH: Final = np.dtype([("seq", "i8"), ("recv_ns", "i8"), ("bid", "i8"), ("ask", "i8"), ("state", "u1")])
_NEVER: Final = threading.Event()


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A moment, and what came of it."""

    choice: Choice
    symbol: str
    inst: int
    start_seq: int
    stop_seq: int
    stop_ns: int
    by: str
    """The detector whose alert stopped it, '' for a moment drawn beforehand."""
    text: str
    """The alert's own words."""
    horizon_s: int
    bid: int
    ask: int
    bid_then: int
    ask_then: int
    threshold: int
    """Half ticks."""
    sigma: float | None

    @property
    def end_ns(self) -> int:
        """The last moment that is scored."""
        return self.stop_ns + self.horizon_s * _SECOND

    def called(self, side: int | None, sure: float | None, waited_ns: int, *, again: bool = False) -> Drilled:
        """The record of a call; `side` is BUY, SELL, NOTHING, or None where it was left without one."""
        return Drilled(
            seq=self.stop_seq, recv_ns=self.stop_ns, inst=self.inst, seed=self.choice.seed,
            source=self.choice.address, symbol=self.symbol, start_ns=self.choice.start_ns, by=self.by, side=side,
            sure=sure, waited_ns=waited_ns, horizon_s=self.horizon_s, bid=self.bid, ask=self.ask,
            bid_then=self.bid_then, ask_then=self.ask_then, threshold=self.threshold, sigma=self.sigma, again=again,
        )  # fmt: skip


class Stopped(Exception):
    """The search was given up."""


def ask(
    playback: Playback,
    choice: Choice,
    rules: Rules,
    stop: threading.Event = _NEVER,
    told: Callable[[float], None] | None = None,
) -> Question | None:
    """Find the question of a choice and put the playback at its start; None where the moment is of no use.

    Afterwards the playback's way to start and stop is short. Raises Stopped where `stop` is set meanwhile.
    """
    lane = playback.lanes[0]
    pass_ = _Pass(lane, choice, rules, stop, told)
    found = pass_.run()
    if found is not None:
        playback.select(found.inst)
        lane.go(recv_ns=choice.start_ns)
    return found


def draw_question(
    recordings: Sequence[Recorded],
    rules: Rules,
    seed: int,
    opened: Callable[[Choice], Playback],
    stop: threading.Event = _NEVER,
    told: Callable[[float], None] | None = None,
) -> tuple[Question, Playback]:
    """Draw until a moment is of use; give its question, and the playback at its start, for the caller to close.

    The same recordings, rules and seed give the same. Raises BadInput where no moment is found, Stopped where stopped.
    """
    for attempt in range(_ATTEMPTS):
        choice = draw(recordings, rules, seed, attempt)
        playback = opened(choice)
        try:
            found = ask(playback, choice, rules, stop, told)
        except BaseException:
            playback.close()
            raise
        if found is not None:
            return found, playback
        playback.close()
    raise BadInput("recordings", f"{_ATTEMPTS} moments drawn", "one with a sound book before and after it")


class _Touch:
    """The touch as rows tell it: by the second, and row by row from the drill's start on."""

    def __init__(self) -> None:
        self.by_row = False
        self._mids: dict[int, int] = {}
        self._kept: list[NDArray[Any]] = []

    def add(self, frame: NDArray[Any]) -> None:
        own = frame[frame["kind"] != 0]
        live = own[(own["state"] == S_LIVE) & (own["bid"] != NONE) & (own["ask"] != NONE)]
        if len(live):
            seconds = live["recv_ns"] // _SECOND
            newest = np.flatnonzero(np.diff(seconds, append=seconds[-1] + 1))
            mids = live["bid"][newest] + live["ask"][newest]
            self._mids.update(zip(seconds[newest].tolist(), mids.tolist(), strict=True))
        if self.by_row and len(own):
            self._kept.append(own[list(_KEPT)].astype(_TOUCH))

    def rows(self) -> NDArray[Any]:
        """The touch after each row since `by_row`."""
        return np.concatenate(self._kept) if self._kept else np.zeros(0, _TOUCH)

    def sigma(self, until_ns: int, horizon_s: int) -> float | None:
        """The standard deviation of the mid over a horizon in ticks: that of its moves by the second, scaled by time.

        Only seconds that were over by then count.
        """
        end = until_ns // _SECOND
        known = sorted(second for second in self._mids if end - _PAST_S <= second < end)
        if not known or end - known[0] <= _LEAST_MOVES:
            return None
        mid, line = self._mids[known[0]], []
        for second in range(known[0], end):
            mid = self._mids.get(second, mid)
            line.append(mid)
        moves = np.diff(np.array(line, dtype=np.float64)) / 2
        return float(math.sqrt(float(np.mean(moves * moves)) * horizon_s)) or None


class _Pass:
    """One way through a recording: to the start, and on to where the latest horizon ends."""

    def __init__(
        self,
        lane: Lane,
        choice: Choice,
        rules: Rules,
        stop: threading.Event,
        told: Callable[[float], None] | None,
    ) -> None:
        self._lane, self._choice, self._rules, self._stop, self._told = lane, choice, rules, stop, told
        self._session = Session(lane.source, lane.session.settings, lane.session.thresholds, lane.session.gaps)
        self._inst = min(len(self._session.instruments) - 1, int(choice.inst * len(self._session.instruments)))
        self._touch = _Touch()
        self._alerts: list[Alert] = []
        recording = _whole(lane.source)
        self._count = max(1, recording.next_seq)
        self._batches = recording.batches()
        self._rest = empty()

    def run(self) -> Question | None:
        choice, horizon_ns = self._choice, self._rules.horizon_s * _SECOND
        if not self._play(choice.start_ns) or self._session.recv_ns is None:
            return None
        start_seq = self._session.seq
        with self._lane.scout.lock:
            # The screen goes to the start from here, and from there to the stop.
            self._lane.checkpoints.put(start_seq, self._session.recv_ns, self._session.save())
        self._touch.by_row, self._alerts = True, []
        # The source must go on after the horizon: else it may have ended before it.
        if not self._play(choice.moment_ns + horizon_ns):
            return None
        rows = self._touch.rows()
        alert = self._first_alert()
        stop_ns = alert.recv_ns if alert is not None else choice.moment_ns
        newest = np.maximum.accumulate(rows["recv_ns"]) if len(rows) else rows["recv_ns"]
        by_time = int(np.searchsorted(newest, stop_ns, side="right"))
        at = int(np.searchsorted(rows["seq"], alert.seq, side="right")) if alert is not None else by_time
        then = int(np.searchsorted(newest, stop_ns + horizon_ns, side="right"))
        # Between them every row must have left the book sound: what was not seen cannot be scored.
        if at < 1 or not _sound(rows[at - 1 : then]):
            return None
        bid, ask = int(rows["bid"][at - 1]), int(rows["ask"][at - 1])
        sigma = self._touch.sigma(stop_ns, self._rules.horizon_s)
        return Question(
            choice=choice, symbol=self._session.instruments[self._inst].symbol, inst=self._inst, start_seq=start_seq,
            stop_seq=int(rows["seq"][at - 1]), stop_ns=stop_ns, by=alert.detector if alert is not None else "",
            text=alert.text if alert is not None else "", horizon_s=self._rules.horizon_s, bid=bid, ask=ask,
            bid_then=int(rows["bid"][then - 1]), ask_then=int(rows["ask"][then - 1]),
            threshold=max(1, math.ceil(2 * max((ask - bid) * self._rules.spreads, (sigma or 0) * self._rules.sigmas))),
            sigma=sigma,
        )  # fmt: skip

    def _first_alert(self) -> Alert | None:
        if not self._choice.at_alert:
            return None
        earliest_ns = self._choice.start_ns + self._rules.least_s * _SECOND
        found = [
            alert
            for alert in self._alerts
            if alert.phase == "confirmed" and not alert.held and alert.inst == self._inst
            and earliest_ns <= alert.recv_ns <= self._choice.moment_ns
        ]  # fmt: skip
        return min(found, key=lambda alert: alert.seq, default=None)

    def _play(self, until_ns: int) -> bool:
        """Play to the last row at or before a time; True where the source goes on."""
        while True:
            rows = self._rest if len(self._rest) else next(self._batches, None)
            if rows is None:
                return False
            cut = cut_at(rows, recv_ns=until_ns)
            for piece in pieces(rows[:cut]):
                if self._stop.is_set():
                    raise Stopped
                for outcome in self._session.step(piece):
                    self._lane.log.add(outcome.findings)
                    self._alerts += [found.alert for found in outcome.findings]
                    if outcome.instrument == self._inst:
                        self._touch.add(outcome.frame)
            self._rest = rows[cut:]
            if len(self._rest):
                return True
            if self._told is not None:
                self._told(min(1.0, (self._session.seq + 1) / self._count))


def _sound(rows: NDArray[Any]) -> bool:
    return bool(
        len(rows)
        and (rows["state"] == S_LIVE).all()
        and (rows["bid"] != NONE).all()
        and (rows["ask"] != NONE).all()
        and (rows["ask"] > rows["bid"])[[0, -1]].all()
    )


def _whole(source: Recording | Growing) -> Recording:
    if isinstance(source, Recording):
        return source
    while not source.complete:
        source.wait(len(source.recording.parts) + 1 if source.recording is not None else 1)
    assert source.recording is not None
    return source.recording

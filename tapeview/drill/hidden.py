"""A playback that does not tell which market it is and goes no further than the drill's stop until it is let on.

Symbol, venue, source, date and clock are hidden: the drill begins at noon of a day that never was. Prices and sizes
are the real ones, since a ladder of others would be another market; who knows a market by its price knows it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from feeds.events import NONE
from tapeview.drill.question import Question
from tapeview.format import Scale
from tapeview.market import Market, Place
from tapeview.playback import SPEEDS, Playback
from tapeview.session import cut_at
from tapeview.snapshot import AlertLine, AlertsPart, Snapshot, StatusPart, TapePart, Window

if TYPE_CHECKING:
    from tapeview.detectors._declare import Thresholds
    from tapeview.explanation import Explanation

NAME: Final = "hidden"
NOON_NS: Final = 43_200_000_000_000
"""What the clock shows at the drill's start."""
_NEVER: Final = threading.Event()


class HiddenMarket(Market):
    """Play one drill; it holds by itself at the stop and at the horizon's end, and closes the playback with itself."""

    def __init__(self, playback: Playback, question: Question) -> None:
        self.question = question
        self.called = False
        """The stop is passed, and the seconds after it play."""
        self._playback = playback
        self._lane = playback.lanes[0]
        instrument = self._lane.session.instruments[question.inst]
        self._names = (instrument.name, instrument.symbol)
        self.shift_ns = question.choice.start_ns - NOON_NS
        """What the drill's own clock is behind the market's."""
        self.settings = playback.settings
        self.coalesced = 0
        self.playing = playback.playing

    # -- what there is ---------------------------------------------------------------------------
    def place(self) -> Place:
        """The instrument shown."""
        return self._playback.place()

    @property
    def start_ns(self) -> int | None:
        """Nothing: there is no time to go to."""
        return None

    @property
    def market_ns(self) -> int | None:
        """The time reached, by the drill's own clock."""
        now = self._now_ns
        return None if now is None else now - self.shift_ns

    @property
    def _now_ns(self) -> int | None:
        # The player's clock may be part of a frame past the last row that is shown.
        now, last = self._playback.market_ns, self.question.end_ns if self.called else self.question.stop_ns
        return None if now is None else min(now, last)

    @property
    def name(self) -> str:
        """Which market it is: for when it is over."""
        return self._names[0]

    @property
    def stopped(self) -> bool:
        """It waits for the call."""
        if self.called:
            return False
        if self.question.by and self._lane.session.seq >= self.question.stop_seq:
            return True
        now = self._playback.market_ns
        return now is not None and now >= self.question.stop_ns

    @property
    def ended(self) -> bool:
        """The seconds that are scored have been played."""
        now = self._playback.market_ns
        return self.called and now is not None and now >= self.question.end_ns

    @property
    def speed(self) -> float:
        """Market seconds a second."""
        return self._playback.speed

    # -- going on --------------------------------------------------------------------------------
    def tick(self, now_ns: int) -> bool:
        """Go on to the monotonic time handed in, no further than is to be seen."""
        rows = self._lane.player.due(now_ns)
        if self.called:
            changed = self._lane.step(rows[: cut_at(rows, recv_ns=self.question.end_ns)])
            if self.ended:
                self.pause()
            return changed
        changed = self._lane.step(rows[: cut_at(rows, seq=self.question.stop_seq)])
        if self.stopped and self.playing:
            # Rows that were due beyond the stop are dropped here, and read again when it goes on from there.
            self.pause()
            if self._lane.session.seq < self.question.stop_seq:
                self._lane.go(seq=self.question.stop_seq)
        return changed

    def to_stop(self) -> None:
        """Go to the stop; takes a moment, as a seek does."""
        if not self.called:
            self.pause()
            if self.question.by:
                self._lane.go(seq=self.question.stop_seq)
            else:
                self._lane.go(recv_ns=self.question.stop_ns)

    def go_on(self) -> None:
        """Let the seconds after the stop play; takes a moment, as a seek does."""
        if not self.called:
            self._lane.go(seq=self.question.stop_seq)
            self.called = True
            self.play()

    def to_end(self) -> None:
        """Go to the end of what is scored; takes a moment, as a seek does."""
        if self.called and not self.ended:
            self.pause()
            self._lane.go(recv_ns=self.question.end_ns)

    def play(self) -> None:
        """Go on, where it does not wait for the call and is not over."""
        if not (self.stopped or self.ended):
            self._playback.play()
            self.playing = True

    def pause(self) -> None:
        """Hold."""
        self._playback.pause()
        self.playing = False

    def faster(self) -> None:
        """The next speed up."""
        self._playback.set_speed(next((s for s in SPEEDS[:-1] if s > self.speed), SPEEDS[-2]))

    def slower(self) -> None:
        """The next speed down."""
        self._playback.slower()

    def select(self, index: int) -> bool:
        """Refuse all but the one instrument there is."""
        return index == 0

    def close(self) -> None:
        """Let go of the recording."""
        self._playback.close()

    # -- thresholds ------------------------------------------------------------------------------
    @property
    def thresholds(self) -> Mapping[str, Thresholds]:
        """The thresholds in force."""
        return self._playback.thresholds

    def prepare(
        self,
        thresholds: Mapping[str, Thresholds],
        stop: threading.Event = _NEVER,
        told: Callable[[float], None] | None = None,
    ) -> Any:
        """Refuse: the drill's stop was found under the thresholds it began with."""
        del thresholds, stop, told

    def adopt(self, prepared: Any) -> None:
        """Do nothing, as nothing is ever prepared."""

    # -- the picture -----------------------------------------------------------------------------
    def snapshot(self, window: Window) -> Snapshot:
        """Copy what the window asks for, and hide which market it is."""
        if window.recent_from_ns is not None:
            window = replace(window, recent_from_ns=window.recent_from_ns + self.shift_ns)
        snapshot = self._playback.snapshot(window)
        now, reached = self._now_ns, self._playback.market_ns
        past = reached - now if reached is not None and now is not None else 0
        ages = [
            None if age is None else max(0, age - past)
            for age in (snapshot.status.book_age_ns, snapshot.status.tape_age_ns)
        ]
        status = replace(
            snapshot.status, market_ns=now, coalesced=self.coalesced, book_age_ns=ages[0], tape_age_ns=ages[1]
        )  # fmt: skip
        return hidden(replace(snapshot, status=status), self.shift_ns, self._names)

    def explain(self, number: int) -> Explanation | None:
        """Why a story was told, under a name that says nothing."""
        found = super().explain(number)
        if found is None:
            return None
        shift = self.shift_ns
        story = tuple(
            msgspec.structs.replace(one, recv_ns=one.recv_ns - shift, text=_unnamed(one.text, self._names))
            for one in found.story
        )
        market = found.market
        if market is not None:
            prints = tuple((ns - shift, tick, lots, side) for ns, tick, lots, side in market.prints)
            market = market._replace(prints=prints)
        return replace(found, instrument=NAME, story=story, market=market, scale=_nameless(found.scale))


def hidden(snapshot: Snapshot, shift_ns: int, names: Sequence[str] = ()) -> Snapshot:
    """A snapshot with every time `shift_ns` earlier and nothing in it that names the market, as `names` do."""
    ladder, chart = snapshot.ladder, snapshot.chart
    if ladder is not None:
        ladder = replace(
            ladder,
            last_ns=ladder.last_ns - shift_ns if ladder.last_ns else 0,
            recent_since_ns=ladder.recent_since_ns - shift_ns,
        )
    if chart is not None:
        since = None if chart.since_ns is None else chart.since_ns - shift_ns
        chart = replace(chart, start_ns=chart.start_ns - shift_ns, since_ns=since)
    window = snapshot.window
    if window.recent_from_ns is not None:
        window = replace(window, recent_from_ns=window.recent_from_ns - shift_ns)
    return replace(
        snapshot,
        window=window,
        scale=_nameless(snapshot.scale),
        status=_status(snapshot.status, shift_ns),
        ladder=ladder,
        tape=_tape(snapshot.tape, shift_ns),
        chart=chart,
        alerts=_alerts(snapshot.alerts, shift_ns, names),
        desk=None,
    )


def _nameless(scale: Scale) -> Scale:
    return replace(scale, name=NAME, currency="")


def _status(status: StatusPart, shift_ns: int) -> StatusPart:
    partial = status.partial_since_ns
    return replace(
        status,
        instrument=NAME,
        instruments=(NAME,),
        index=0,
        source="drill",
        mode="DRILL",
        market_ns=None if status.market_ns is None else status.market_ns - shift_ns,
        start_ns=None,
        end_ns=None,
        timeline=(),
        indexed=1.0,
        ended=False,
        notice="",
        partial_since_ns=None if partial is None else partial - shift_ns,
        utc_offset_s=0,
        zone="UTC",
    )


def _tape(part: TapePart | None, shift_ns: int) -> TapePart | None:
    if part is None:
        return None
    prints = part.prints.copy()
    for field in ("recv_ns", "exch_ns"):
        if field in (prints.dtype.names or ()):
            known = prints[field] != NONE
            prints[field] = np.where(known, prints[field] - shift_ns, prints[field])
    holes = {
        seq: hole._replace(
            since_ns=hole.since_ns - shift_ns,
            at_ns=hole.at_ns - shift_ns,
            until_ns=None if hole.until_ns is None else hole.until_ns - shift_ns,
        )
        for seq, hole in part.holes.items()
    }
    return replace(part, prints=prints, holes=holes)


def _alerts(part: AlertsPart | None, shift_ns: int, names: Sequence[str]) -> AlertsPart | None:
    if part is None:
        return None

    def moved(line: AlertLine) -> AlertLine:
        words = _unnamed(line.text, names)
        return replace(line, recv_ns=line.recv_ns - shift_ns, told_ns=line.told_ns - shift_ns, text=words)

    return replace(
        part,
        lines=tuple(moved(line) for line in part.lines),
        newest=None if part.newest is None else moved(part.newest),
        standing=None if part.standing is None else moved(part.standing),
    )


def _unnamed(words: str, names: Sequence[str]) -> str:
    for name in names:
        words = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", NAME, words)
    return words

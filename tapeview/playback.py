"""Playing sources on a screen: one clock for all of them, exact seeking, steps forward and back.

Each source has a Lane: a Player that says which rows are due, and a Session they go through. Lanes share nothing
but the clock, so several instruments stay exact whatever the others do. In the background a pass at engine speed
leaves a checkpoint after each part; a seek restores the last one before the moment and plays on from there, which
gives the very state that playing through would.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from feeds.errors import BadInput
from feeds.events import CLOCK, LAST, NONE, TRADE, Events, empty
from feeds.recording import Recording
from feeds.replay import Player
from feeds.source import OpenOptions, open_source
from tapeview import camera
from tapeview.alertlog import AlertLog
from tapeview.checkpoints import Checkpoints
from tapeview.config import Config, Loaded
from tapeview.config import thresholds as thresholds_of
from tapeview.engine import EngineSettings, failure, ready, start_background, wanted
from tapeview.library import Growing, as_recording
from tapeview.market import Market, Place
from tapeview.scout import NEVER, Retuning, Scout
from tapeview.session import Session, cut_at
from tapeview.snapshot import Snapshot, StatusPart, Window
from tapeview.times import parse_time, utc_offset_s
from tapeview.trading.again import Again
from tapeview.trading.plan import Plan, Repeat, open_account, open_lane, options_of, repeat

if TYPE_CHECKING:
    from tapeview.desk.commands import AnyCommand
    from tapeview.detectors._declare import Thresholds
    from tapeview.trading import Account, Trading

__all__ = ["SPEEDS", "Playback", "open_playback", "parse_time"]

SPEEDS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 10.0, 25.0, 50.0, 100.0, 0.0)
"""Speeds the keys go through; 0 is as fast as possible."""
LEAD_S: Final = 10.0
"""Seconds before an alert at which it is replayed from."""
_WATCHABLE: Final = 4.0
"""The highest speed an alert is replayed at."""
TIMELINE: Final = 200
"""Pieces of the volume-over-time profile."""
_MAX_ROWS: Final = 40_000
_PLAIN_ROWS: Final = 800
"""Rows a frame at most, compiled and as plain Python: the screen still moves."""
_RATE_NS: Final = 2_000_000_000


class Lane:
    """One source with its session, and the checkpoints to go back to."""

    def __init__(
        self,
        source: Recording | Growing,
        settings: EngineSettings,
        thresholds: Mapping[str, Thresholds] | None = None,
    ) -> None:
        self.source = source
        self.session = Session(source, settings, thresholds or {})
        self.player = Player(source)
        self.player.pause()
        self._scratch = tempfile.mkdtemp(prefix="tapeview-")
        # Also where nobody closes it, as when the program is left while a session is being opened.
        self._clean = weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        self._passes = 0
        self.scout = self.fresh_scout(self.session.thresholds)
        """The background pass under the thresholds in force."""
        self.trading: Trading | None = None
        """Paper trading, None where there is none."""
        self.noted_seq = -1
        self.index_done = False
        self.volume: dict[int, int] = {}
        """Lots traded in each second of receive time, from the background pass, for the timeline."""
        self._counting = threading.Lock()

    @property
    def log(self) -> AlertLog:
        """What the detectors found as far as the session has been played, here or in the background."""
        return self.scout.log

    @property
    def checkpoints(self) -> Checkpoints:
        """Where the background pass has been."""
        return self.scout.checkpoints

    @property
    def indexed_seq(self) -> int:
        """The newest row of the background pass."""
        return self.scout.seq if self.scout.seq >= 0 else self.noted_seq

    @property
    def recording(self) -> Recording | None:
        """The recording as far as it is known."""
        return self.source.recording if isinstance(self.source, Growing) else self.source

    def newest_log(self) -> AlertLog:
        """The log under the thresholds in force."""
        return self.scout.log

    def content(self) -> str:
        """Digest of the recording's events, '' while it is not known."""
        recording = self.recording
        return "" if recording is None else recording.manifest.events_digest or ""

    def close(self) -> None:
        """Let go of the source and of the checkpoints."""
        if self.trading is not None:
            self.trading.close()
        self.player.close()
        self.source.close()
        self._clean()

    # -- the background pass ------------------------------------------------------------------
    def fresh_scout(self, thresholds: Mapping[str, Thresholds]) -> Scout:
        """A pass under other thresholds that has not begun."""
        self._passes += 1
        folder = Path(self._scratch) / str(self._passes)
        return Scout(self.source, self.session.settings, thresholds, folder, self.session.gaps)

    def index(self, stop: threading.Event, *, scouting: bool = True) -> None:
        """Play every part through engines of its own and leave checkpoints; for a thread.

        Without `scouting`, as where kernels are never compiled, only the volumes are counted.
        """
        if scouting:
            scout = self.scout
            done = scout.run(stop, seen=self._note)
            if scout is self.scout:
                self.index_done = done
            return
        for batch in self.source.batches():
            if stop.is_set():
                return
            self._note(batch)
        self.index_done = True

    def adopt(self, scout: Scout, session: Session) -> None:
        """Go on with a session's detectors, which are where this one is, and with the scout behind them."""
        assert session.seq == self.session.seq
        old = self.scout
        self.session.thresholds, self.session.watches = session.thresholds, session.watches
        self.scout, self.index_done = scout, False
        shutil.rmtree(old.folder, ignore_errors=True)

    def _note(self, batch: Events) -> None:
        with self._counting:
            if int(batch["seq"][-1]) > self.noted_seq:
                self._count(batch)
                self.noted_seq = int(batch["seq"][-1])

    def _count(self, batch: Events) -> None:
        prints = batch[batch["kind"] == TRADE]
        if len(prints):
            seconds, which = np.unique(prints["recv_ns"] // 1_000_000_000, return_inverse=True)
            lots = np.bincount(which, weights=prints["lots"].astype(np.float64))
            for second, total in zip(seconds.tolist(), lots.tolist(), strict=True):
                self.volume[second] = self.volume.get(second, 0) + int(total)

    # -- moving -------------------------------------------------------------------------------
    def step(self, batch: Events) -> bool:
        """Apply rows; True where there were any."""
        if len(batch):
            play = self.session.play if self.trading is None else self.trading.play
            self.log.add(play(batch))
        return len(batch) > 0

    def restore(self, *, recv_ns: int | None = None, seq: int | None = None) -> int:
        """Put engines back to the last checkpoint at or before a moment; give the next seq to play."""
        with self.scout.lock:
            place = self.checkpoints.best_before(seq=seq, recv_ns=recv_ns)
            blobs = self.checkpoints.load(place) if place is not None else []
        session = self.session
        if place is None:
            session.engines = session.fresh_engines()
            session.watches = session.fresh_watches()
            session.seq, session.recv_ns = -1, None
            return 0
        session.restore(blobs, place.seq, place.recv_ns)
        return place.seq + 1

    def go(self, *, recv_ns: int | None = None, seq: int | None = None) -> None:
        """Bring engines to the state after the last row at or before a moment."""
        recording = self.recording
        if recording is None:
            return
        if self.trading is not None:
            self.trading.end("another moment is shown")
        # What the player still has of the place left behind would only take memory beside what is read now.
        self.player.close(wait=False)
        position = self.restore(recv_ns=recv_ns, seq=seq)
        number, rest = recording.part_at(seq=position), empty()
        while number < len(recording.parts):
            rows = recording.read_part(number)[1]
            rows = rows[position - int(rows["seq"][0]) :] if len(rows) else rows
            number += 1
            cut = cut_at(rows, recv_ns=recv_ns, seq=seq)
            self.step(rows[:cut])
            position += cut
            rest = rows[cut:]
            if len(rest):
                break
        self.player.resume(rest, number, recv_ns if recv_ns is not None else self.session.recv_ns)
        if self.trading is not None:
            self.trading.seen = max(self.trading.seen, self.session.seq)

    def follow(self, recv_ns: int) -> None:
        """Come to the state at a moment that another lane has reached; rows are played where a desk trades on them."""
        trading = self.trading
        now = self.player.market_ns
        if trading is None or trading.run is None or now is None or recv_ns < now:
            self.go(recv_ns=recv_ns)
        else:
            self.step(self.player.up_to(recv_ns))

    def message_before(self) -> int:
        """The seq at which the venue message before the newest one ended; -1 before the first."""
        recording = self.recording
        if recording is None or self.session.seq < 0:
            return -1
        ends: list[int] = []
        newest: int | None = None
        number = recording.part_at(seq=self.session.seq)
        while number >= 0 and len(ends) < 2:
            rows = recording.read_part(number)[1]
            rows = rows[(rows["seq"] <= self.session.seq) & (rows["kind"] != CLOCK)]
            if newest is None and len(rows):
                newest = int(rows["seq"][-1])
            ends = rows["seq"][rows["marks"] & LAST != 0][-2:].tolist() + ends
            number -= 1
        # At a row inside a message, as an alert's may be, the newest end is that of the message before.
        back = 2 if ends and ends[-1] == newest else 1
        return ends[-back] if len(ends) >= back else -1


class Playback(Market):
    """Recordings on the screen: sources, a clock, and snapshots of where they are."""

    def __init__(
        self,
        sources: Iterable[Recording | Growing],
        settings: Config | None = None,
        thresholds: Mapping[str, Thresholds] | None = None,
        desk: Plan | None = None,
        options: OpenOptions | None = None,
    ) -> None:
        """Without `desk` there is no paper trading; `options` are those the sources were opened with."""
        self.settings = settings or Config()
        again = None if desk is None else repeat(desk, self.settings)
        if again is not None:
            self.settings, thresholds = again.settings, again.thresholds
        self.lanes = [Lane(source, self.settings.engine, thresholds) for source in sources]
        self.account: Account | None = None
        """The paper account of all lanes."""
        if desk is not None:
            self._open_desks(desk, again, options or OpenOptions())
        self._places = [(lane, k) for lane in self.lanes for k in range(len(lane.session.instruments))]
        self.index = 0
        """The instrument shown."""
        self.playing = False
        self.speed = 1.0
        self.coalesced = 0
        self.failure: str = ""
        self._number = 0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._rate: list[tuple[int, int]] = []
        self._timeline: tuple[tuple[int, int, int], tuple[float, ...]] = ((0, 0, 0), ())

    # -- what there is -------------------------------------------------------------------------
    @property
    def lane(self) -> Lane:
        """The lane of the instrument shown."""
        return self._places[self.index][0]

    def place(self) -> Place:
        """The instrument shown."""
        lane, k = self._places[self.index]
        return Place(lane.session, lane.log, k)

    @property
    def recording(self) -> Recording | None:
        """The recording of the instrument shown, as far as it is known."""
        return self.lane.recording

    @property
    def reading(self) -> bool:
        """The file of the instrument shown is still being read."""
        return isinstance(self.lane.source, Growing) and not self.lane.source.complete

    @property
    def start_ns(self) -> int | None:
        """Receive time of the first row of all sources."""
        starts = [r.manifest.first_ns for r in self._recordings() if r.manifest.first_ns is not None]
        return min(starts, default=None)

    @property
    def end_ns(self) -> int | None:
        """Receive time of the last row known of all sources."""
        ends = [r.manifest.last_ns for r in self._recordings() if r.manifest.last_ns is not None]
        return max(ends, default=None)

    @property
    def market_ns(self) -> int | None:
        """The time reached."""
        return max((lane.player.market_ns for lane in self.lanes if lane.player.market_ns is not None), default=None)

    def _recordings(self) -> list[Recording]:
        return [lane.recording for lane in self.lanes if lane.recording is not None]

    def start_index(self) -> None:
        """Begin the background pass, as soon as kernels are compiled."""
        thread = threading.Thread(target=self._index, args=(self._stop,), name="index", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _index(self, stop: threading.Event) -> None:
        if not _compiled(stop):
            return
        for lane in self.lanes:
            try:
                lane.index(stop, scouting=ready())
            except BadInput as error:
                if not stop.is_set():
                    self.failure = str(error)

    # -- thresholds ----------------------------------------------------------------------------
    @property
    def thresholds(self) -> Mapping[str, Thresholds]:
        """The thresholds in force."""
        return self.lanes[0].session.thresholds

    def retune(self, thresholds: Mapping[str, Thresholds]) -> None:
        """Run the detectors anew under other thresholds, from the start of the session to here.

        Afterwards alerts are those of a session opened with these thresholds. Takes a while, and nobody else may
        touch the player: `prepare` does the long part of it while the player goes on.
        """
        prepared = self.prepare(thresholds)
        if prepared is not None:
            self.adopt(prepared)

    def prepare(
        self,
        thresholds: Mapping[str, Thresholds],
        stop: threading.Event = NEVER,
        told: Callable[[float], None] | None = None,
    ) -> Retuning | None:
        """Run other detectors to where the player is, beside it, telling the share done; None where stopped."""
        self._hold_still("run other detectors")
        if not _compiled(stop):
            return None
        retuning = Retuning([lane.fresh_scout(thresholds) for lane in self.lanes])
        return retuning if retuning.approach(self._places_reached, stop, told) else None

    def adopt(self, retuning: Retuning) -> None:
        """Let prepared detectors take over, and the background pass go on with them.

        Refused while an order works or a position is open.
        """
        self._hold_still("run other detectors")
        for lane in self.lanes:
            if lane.trading is not None:
                lane.trading.end("other detectors run")
        sessions = retuning.arrive(self._places_reached())
        old, self._stop = self._stop, threading.Event()
        old.set()
        for lane, scout, session in zip(self.lanes, retuning.scouts, sessions, strict=True):
            lane.adopt(scout, session)
        self.start_index()

    def _places_reached(self) -> list[int]:
        return [lane.session.seq for lane in self.lanes]

    # -- the clock -----------------------------------------------------------------------------
    def tick(self, now_ns: int) -> bool:
        """Apply what has come due by the monotonic clock handed in; True where anything did."""
        changed = False
        for lane in self.lanes:
            if isinstance(lane.source, Growing) and not lane.source.complete:
                try:
                    lane.source.refresh()
                except BadInput as error:
                    self.failure = str(error)
            lane.player.max_rows = _MAX_ROWS if ready() else _PLAIN_ROWS
            changed |= lane.step(lane.player.due(now_ns))
        if self.account is not None:
            self._trade(self.account)
        return changed

    # -- trading -------------------------------------------------------------------------------
    def _open_desks(self, desk: Plan, again: Repeat | None, options: OpenOptions) -> None:
        if again is not None and len(self.lanes) != 1:
            raise BadInput("--journal", again.kept.run.id, "the one source of the run")
        self.account = account = open_account(desk, self.settings, again, live=False)
        for lane in self.lanes:
            lane.trading = open_lane(
                account, again, lane.session, lane.newest_log, options=options_of(options), content=lane.content
            )

    def begin_again(self) -> None:
        """Go to where the run began that is to be made again, and let it begin; nothing is done without one."""
        trading = self.lanes[0].trading
        if isinstance(trading, Again):
            self.lanes[0].go(seq=trading.kept.about.from_seq)
            trading.begin()

    def _trade(self, account: Account) -> None:
        if self.market_ns is not None:
            account.together.sample(self.market_ns)
        account.tick()
        for lane in self.lanes:
            if lane.trading is not None:
                lane.trading.serve()

    def send(self, command: AnyCommand) -> None:
        """Give the desk of the instrument shown a command, after the newest row; Refused where there is none."""
        lane, k = self._places[self.index]
        if lane.trading is None:
            super().send(command)
        else:
            lane.trading.send(msgspec.structs.replace(command, inst=k))
            for other in self.lanes:
                if other is not lane and other.trading is not None:
                    other.trading.serve()

    def touched(self) -> None:
        """A person pressed a key: work goes on."""
        if self.account is not None:
            self.account.touched()

    def _hold_still(self, what: str) -> None:
        """Refuse what would leave rows out or show them again while something is open."""
        for lane in self.lanes:
            if lane.trading is not None:
                lane.trading.refuse_while_busy(what)

    # -- going on ------------------------------------------------------------------------------
    def play(self) -> None:
        """Go on."""
        self.playing = True
        for lane in self.lanes:
            lane.player.play()

    def pause(self) -> None:
        """Hold."""
        self.playing = False
        for lane in self.lanes:
            lane.player.pause()

    def toggle(self) -> None:
        """Play or hold; at the end, start again."""
        if self.ended and not self.playing and self.start_ns is not None:
            self.seek(self.start_ns)
        if self.playing:
            self.pause()
        else:
            self.play()

    def set_speed(self, speed: float) -> None:
        """Market seconds a second; 0 is as fast as possible."""
        self.speed = speed
        for lane in self.lanes:
            lane.player.speed = speed

    def faster(self) -> None:
        """The next speed up."""
        self.set_speed(next((s for s in SPEEDS[:-1] if s > self.speed), 0.0) if self.speed else 0.0)

    def slower(self) -> None:
        """The next speed down."""
        current = self.speed or float("inf")
        self.set_speed(next((s for s in reversed(SPEEDS[:-1]) if s < current), SPEEDS[0]))

    @property
    def ended(self) -> bool:
        """Every source has been played to its end."""
        return all(lane.player.ended for lane in self.lanes)

    # -- moving by hand ------------------------------------------------------------------------
    def step_event(self) -> None:
        """Pause, and apply the next venue message of the instrument shown."""
        self.pause()
        self.lane.step(self.lane.player.step_event())
        self._catch_up()

    def step_trade(self) -> None:
        """Pause, and play to the next print of the instrument shown."""
        self.pause()
        self.lane.step(self.lane.player.step_trade())
        self._catch_up()

    def back(self) -> None:
        """Pause, and undo the newest venue message; Refused while an order works or a position is open."""
        self._hold_still("step back")
        self.pause()
        target = self.lane.message_before()
        if target >= 0:
            self.lane.go(seq=target)
        elif self.start_ns is not None:
            self.lane.go(seq=0)
        self._catch_up()

    def _catch_up(self) -> None:
        """Bring the other lanes to the time of the lane shown."""
        now = self.lane.player.market_ns
        for lane in self.lanes:
            if lane is not self.lane and now is not None:
                lane.follow(now)

    def seek(self, ns: int) -> None:
        """Go to a moment, exactly: the state after the last row at or before it.

        Refused while an order works or a position is open.
        """
        first, last = self.start_ns, self.end_ns
        if first is None or last is None:
            return
        self._hold_still("go to another time")
        ns = max(first, min(ns, last))
        for lane in self.lanes:
            lane.go(recv_ns=ns)
        self._rate.clear()

    def seek_relative(self, seconds: float) -> None:
        """Go some seconds on or back."""
        if self.market_ns is not None:
            self.seek(self.market_ns + int(seconds * 1e9))

    def select(self, index: int) -> bool:
        """Show another instrument; False where there is none of that number."""
        if 0 <= index < len(self._places):
            trading = self.lane.trading
            if trading is not None and index != self.index:
                trading.disarm("another instrument is shown")
            self.index = index
            self._rate.clear()
            return True
        return False

    # -- alerts --------------------------------------------------------------------------------
    def go_to_alert(self, number: int) -> None:
        """Go to the row at which a story began."""
        story = self.alert_story(number)
        if story:
            self._hold_still("go to an alert")
            self.lane.go(seq=story[0].alert.seq)
            self._catch_up()
            self._rate.clear()

    def replay_alert(self, number: int) -> None:
        """Play from LEAD_S before a story began, at a speed at which it can be watched."""
        story = self.alert_story(number)
        if story:
            self._hold_still("go to an alert")
            if not 0 < self.speed <= _WATCHABLE:
                self.set_speed(1.0)
            self.seek(story[0].alert.recv_ns - int(LEAD_S * 1e9))
            self.play()

    # -- the picture ---------------------------------------------------------------------------
    def snapshot(self, window: Window) -> Snapshot:
        """Copy what the window asks for."""
        lane, k = self._places[self.index]
        self._number += 1
        session = lane.session
        return camera.take(
            session.engines[k], session.instruments[k], window, self._status(lane, k), self._number,
            alerts=lane.log.part(k, session.seq, window) if session.watches and window.alert_rows else None,
            holes=session.gaps.newest(k, session.seq),
            desk=lane.trading.part(k) if lane.trading is not None else None,
        )  # fmt: skip

    def _status(self, lane: Lane, k: int) -> StatusPart:
        engine, instrument, info = lane.session.engines[k], lane.session.instruments[k], lane.source.info
        now = lane.player.market_ns
        recording = lane.recording
        rows = recording.next_seq if recording is not None else 0
        counters = engine.counters
        hole = lane.session.gaps.first(k, lane.session.seq)
        return StatusPart(
            instrument=instrument.name,
            instruments=tuple(p.session.instruments[n].symbol for p, n in self._places),
            index=self.index,
            source=Path(info.address).name or info.address,
            mode="REPLAY",
            tier=info.tier,
            verification=info.verification,
            market_ns=now,
            playing=self.playing,
            speed=self.speed,
            ended=self.ended,
            start_ns=self.start_ns,
            end_ns=self.end_ns,
            timeline=self._profile(lane),
            indexed=1.0 if lane.index_done else (lane.indexed_seq + 1) / rows if rows else 0.0,
            state=engine.book.state_name,
            why=engine.book.why,
            events=engine.events,
            events_per_s=self._events_per_s(engine.events, now),
            book_age_ns=_age(engine.book.last_update_ns, now),
            tape_age_ns=_age(engine.tape.last_ns, now),
            gaps=counters["gaps"],
            coalesced=self.coalesced,
            partial_since_ns=hole.since_ns if hole is not None else None,
            notice=self._notice(lane),
            counters=tuple((name, int(value)) for name, value in counters.items()),
            utc_offset_s=utc_offset_s(now, instrument.timezone) if now is not None else 0,
            zone=instrument.timezone,
        )

    def _notice(self, lane: Lane) -> str:
        if self.failure:
            return self.failure
        if not ready():
            return failure() or "kernels are being compiled, once on this machine; plain Python until then"
        if isinstance(lane.source, Growing) and not lane.source.complete:
            return "reading the rest of the file"
        if self.ended and not self.playing:
            return "end of the session"
        return ""

    def _events_per_s(self, events: int, now: int | None) -> float:
        if now is None:
            return 0.0
        while self._rate and (self._rate[0][0] < now - _RATE_NS or self._rate[-1][0] > now):
            self._rate.pop(0)
        self._rate.append((now, events))
        (then, before), (_, after) = self._rate[0], self._rate[-1]
        return (after - before) * 1e9 / (now - then) if now > then else 0.0

    def _profile(self, lane: Lane) -> tuple[float, ...]:
        """Volume over the session's time as far as the background pass has got."""
        first, last = self.start_ns, self.end_ns
        count = len(lane.volume)
        if not count or first is None or last is None or last <= first:
            return ()
        key = (id(lane), count, last)
        if self._timeline[0] != key:
            taken = np.array(list(lane.volume.items())[:count], dtype=np.int64)
            place = ((taken[:, 0] * 1_000_000_000 - first) * TIMELINE // (last - first + 1)).clip(0, TIMELINE - 1)
            volume = np.bincount(place, weights=taken[:, 1].astype(np.float64), minlength=TIMELINE)
            peak = volume.max() or 1.0
            self._timeline = (key, tuple((volume / peak).tolist()))
        return self._timeline[1]

    def close(self) -> None:
        """Stop the background pass and let go of the sources."""
        self._stop.set()
        for lane in self.lanes:
            lane.source.close()
        for thread in self._threads:
            thread.join(5)
        for lane in self.lanes:
            lane.close()


def _compiled(stop: threading.Event) -> bool:
    """Wait until kernels are compiled or never will be; False where stopped."""
    while not ready() and wanted() and not failure():
        if stop.wait(0.1):
            return False
    return not stop.is_set()


def _age(then: int, now: int | None) -> int | None:
    return None if then == NONE or now is None else max(0, now - then)


def open_playback(
    addresses: Iterable[str],
    options: OpenOptions | None = None,
    settings: Config | None = None,
    *,
    at: str | None = None,
    paused: bool = False,
    speed: float = 1.0,
    thresholds: Mapping[str, Thresholds] | None = None,
    desk: Plan | None = None,
) -> Playback:
    """Open sources for the screen; raise BadInput where one cannot be read. Takes a while: for a thread.

    Without `thresholds` every detector runs that the settings do not turn off, with what they say.
    """
    # Detectors' kernels are compiled with the engine's: they must be known before that begins.
    import tapeview.watch  # noqa: F401

    opened = options or OpenOptions()
    if thresholds is None:
        thresholds = thresholds_of(Loaded(settings or Config(), {}))
    start_background()
    sources = [as_recording(open_source(address, opened), opened) for address in addresses]
    try:
        for source in sources:
            if isinstance(source, Growing):
                source.wait(1)
        playback = Playback(sources, settings, thresholds, desk, opened)
    except BaseException:
        for source in sources:
            source.close()
        raise
    try:
        playback.set_speed(speed)
        playback.start_index()
        if at is not None and playback.start_ns is not None:
            zone = playback.lane.session.instruments[0].timezone
            playback.seek(parse_time(at, playback.start_ns, zone, place="--at"))
        playback.begin_again()
    except BaseException:
        playback.close()
        raise
    if not paused:
        playback.play()
    return playback

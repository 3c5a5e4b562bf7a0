"""The one place where a source meets its engines: step by step, the same for live, replay and scan."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import CLOCK, EVERY, GAP, LAST, Events
from feeds.recording import Recording
from feeds.source import Source
from tapeview.engine import Engine, EngineSettings, ready, warm
from tapeview.engine import Outcome as EngineOutcome
from tapeview.engine.book_view import BookView
from tapeview.engine.reading import assemble
from tapeview.engine.tape_view import TapeView
from tapeview.engine.vwap_view import VwapView
from tapeview.gaplog import GapLog

if TYPE_CHECKING:
    from tapeview.alert import Alert
    from tapeview.desk.commands import AnyCommand
    from tapeview.desk.desk import Desk
    from tapeview.detectors._declare import Thresholds
    from tapeview.watch import Finding, Watch

PIECE: Final = 4096
"""Rows applied at a time: a frame of that length stays in the processor's cache, and small in memory."""

_PLAIN_ROWS: Final = 2 * PIECE
"""Rows that are played sooner in plain Python than the kernels are loaded."""

NO_ALERTS: Final = np.zeros(0, np.void)


class Outcome(NamedTuple):
    """What one batch did to one instrument; the arrays are valid until the next step."""

    instrument: int
    """Which of the session's instruments."""
    events: Events
    frame: NDArray[Any]
    """One FRAME row an event."""
    news: NDArray[np.uint8]
    """What each row is news of, IS_ bits of `tapeview.engine.frame`."""
    alerts: NDArray[Any] = NO_ALERTS
    """ALERT records of `tapeview.detectors`, in the order of their rows; none where no detectors run."""
    findings: tuple[Finding, ...] = ()
    """The same in words, each with the market around it."""


class Session:
    """Run a source through one engine an instrument, with detectors beside it.

    Without `thresholds` every detector runs with its defaults; an empty mapping runs none.

    >>> from feeds import open_source
    >>> with Session(open_source("recordings/quiet-open")) as session:  # doctest: +SKIP
    ...     for outcome in session.run():
    ...         outcome.frame, outcome.alerts
    ...     session.book().bids(10)
    """

    def __init__(
        self,
        source: Source,
        settings: EngineSettings | None = None,
        thresholds: Mapping[str, Thresholds] | None = None,
        gaps: GapLog | None = None,
        desk: Desk | None = None,
    ) -> None:
        self.source = source
        self.gaps = gaps if gaps is not None else GapLog()
        """Where the stream was broken."""
        self.desk = desk
        """Paper trading beside it; its records are for the caller to `take`."""
        self.desk_failed: Callable[[Exception], None] | None = None
        """Told what went wrong in the desk, which is let go of then so that the market goes on; None lets it raise."""
        self.script: deque[tuple[int, AnyCommand]] = deque()
        """Commands of an earlier run and the row after which each came, oldest first: they come again."""
        self._active: dict[tuple[str, int, int], Alert] = {}
        self._newest: dict[int, Alert] = {}
        self.settings = settings or EngineSettings()
        self.instruments = source.instruments
        if not self.instruments:
            raise BadInput(source.info.address, None, "at least one instrument")
        self.thresholds = _defaults() if thresholds is None else thresholds
        self.engines = self.fresh_engines()
        self.watches = self.fresh_watches()
        if ready():
            self._quicken()
        self.seq = -1
        """Sequence number of the newest row applied, -1 before the first."""
        self.recv_ns: int | None = None
        self.first_ns: list[int | None] = [None] * len(self.instruments)
        """Receive time of each instrument's first row."""

    def fresh_engines(self) -> list[Engine]:
        """New engines for the instruments, as at the start of the source."""
        return [Engine(instrument, self.settings) for instrument in self.instruments]

    def fresh_watches(self) -> list[Watch]:
        """New detectors for the instruments, as at the start of the source."""
        if not self.thresholds:
            return []
        from tapeview.watch import Watch

        tier = self.source.info.tier
        return [Watch(i, tier, self.thresholds, self.settings, n) for n, i in enumerate(self.instruments)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def book(self, index: int = 0) -> BookView:
        """Give an instrument's book."""
        return self.engines[index].book

    def tape(self, index: int = 0) -> TapeView:
        """Give an instrument's tape."""
        return self.engines[index].tape

    def vwap(self, index: int = 0) -> VwapView:
        """Give an instrument's VWAP anchors."""
        return self.engines[index].vwap

    def step(self, batch: Events) -> list[Outcome]:
        """Apply a batch; give one outcome for each instrument that has rows in it.

        Where a desk is, batches come from `pieces`.
        """
        if not len(batch):
            return []
        outcomes = self._apply_all(batch)
        if self.desk is not None:
            self._guarded(self._tell_desk, self.desk, batch, outcomes)
        return outcomes

    def _apply_all(self, batch: Events) -> list[Outcome]:
        self.seq = int(batch["seq"][-1])
        newest = int(batch["recv_ns"].max())
        self.recv_ns = newest if self.recv_ns is None else max(newest, self.recv_ns)
        if len(self.engines) == 1:
            if self.first_ns[0] is None:
                self.first_ns[0] = int(batch["recv_ns"][0])
            return [self._apply(0, batch)]
        outcomes = []
        inst = batch["inst"]
        common = inst == EVERY
        for index in range(len(self.engines)):
            rows = batch[(inst == index) | common]
            if len(rows):
                if self.first_ns[index] is None and (rows["inst"][0] != EVERY or (rows["inst"] != EVERY).any()):
                    self.first_ns[index] = int(rows["recv_ns"][int(np.argmax(rows["inst"] != EVERY))])
                outcomes.append(self._apply(index, rows))
        return outcomes

    def pieces(self, batch: Events) -> Iterator[Events]:
        """Cut a batch into runs to be given to `step` one after the other: short ones, at which the desk may act."""
        while len(batch):
            n = min(len(batch), PIECE)
            if self.desk is not None:
                cut = self._guarded(self._until_desk, self.desk, batch[:n])
                n = n if cut is None else cut
            yield batch[:n]
            batch = batch[n:]

    def _guarded(self, call: Callable[..., Any], *args: Any) -> Any:
        if self.desk_failed is None:
            return call(*args)
        try:
            return call(*args)
        except Exception as error:
            self.desk = None
            self.script.clear()
            self.desk_failed(error)
            return None

    def attach(self, desk: Desk | None, standing: Iterable[Alert] = (), newest: Iterable[Alert] = ()) -> None:
        """Let a desk trade from the newest row on, or none; it is told what alerts stand and which came last."""
        self.script.clear()
        self._active = {(alert.detector, alert.inst, alert.key): alert for alert in standing}
        self._newest = {alert.inst: alert for alert in newest}
        if desk is not None:
            desk.adopt(self.engines)
        self.desk = desk

    def _until_desk(self, desk: Desk, rows: Events) -> int:
        self.repeat()
        desk.before(int(rows["recv_ns"][0]), self.engines)
        n = desk.cut(rows)
        if self.script:
            n = min(n, max(1, int(np.searchsorted(rows["seq"], self.script[0][0], side="right"))))
        return n

    def send(self, command: AnyCommand) -> None:
        """Give the desk a command; it takes place after the newest row."""
        if self.desk is None:
            raise BadInput("command", type(command).__name__, "a session with a desk")
        from tapeview.desk.decision import Scene

        alert = self._newest.get(command.inst)
        active = [found for found in self._active.values() if found.inst == command.inst]
        scene = Scene(
            alerts=tuple(found.text for found in active if not found.held),
            last_alert="" if alert is None else alert.detector,
            last_alert_ns=None if alert is None else alert.recv_ns,
            icebergs=tuple((f.side, f.tick) for f in active if f.detector == "iceberg" and f.tick is not None),
        )
        self.desk.command(command, self.engines, scene)

    def repeat(self) -> None:
        """Give the script's commands that are due after the newest row; `pieces` does so before every piece."""
        while self.script and self.script[0][0] <= self.seq:
            self.send(self.script.popleft()[1])

    def _tell_desk(self, desk: Desk, batch: Events, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            desk.after(outcome.instrument, outcome.events, outcome.frame)
            for finding in outcome.findings:
                self._remember(finding.alert)
        if desk.busy and len(batch) and batch["kind"][-1] == CLOCK:
            desk.look(int(batch["recv_ns"][-1]))

    def _remember(self, alert: Alert) -> None:
        story = (alert.detector, alert.inst, alert.key)
        if alert.phase == "cleared":
            self._active.pop(story, None)
            return
        if not alert.held:
            self._newest[alert.inst] = alert
        if alert.lasts:
            self._active[story] = alert

    def _apply(self, index: int, rows: Events) -> Outcome:
        engine = self.engines[index]
        if self.gaps.open_hole(index) is None and not (rows["kind"] == GAP).any():
            return self._look(index, engine.apply(rows))
        newest_ns, venue_seq = max(engine.book.last_update_ns, engine.tape.last_ns), engine.venue_seq
        done = engine.apply(rows)
        self.gaps.add(index, done, newest_ns, venue_seq)
        return self._look(index, done)

    def _look(self, index: int, done: EngineOutcome) -> Outcome:
        findings = self.watches[index].apply(done, self.engines[index]) if self.watches else []
        if not findings:
            return Outcome(index, done.events, done.frame, done.news)
        alerts = np.concatenate([finding.record for finding in findings])
        return Outcome(index, done.events, done.frame, done.news, alerts, tuple(findings))

    def run(self) -> Iterator[Outcome]:
        """Play the whole source as fast as it goes; each outcome is valid until the next one is asked for.

        A source of more than some thousand rows waits for the kernels once: about a second, or the time of compiling
        them (`tapeview.engine.warm`) the first time on a machine.
        """
        done = 0
        for batch in self.source.batches():
            for piece in self.pieces(batch):
                yield from self.step(piece)
                done += len(piece)
                if done - len(piece) < _PLAIN_ROWS <= done and warm():
                    self._quicken()

    def _quicken(self) -> None:
        if isinstance(self.source, Recording):
            self.source.assemble = assemble

    def play(self, batch: Events) -> list[Finding]:
        """Apply a batch of any length; give what the detectors found in it."""
        return [found for piece in self.pieces(batch) for outcome in self.step(piece) for found in outcome.findings]

    def run_until(self, *, recv_ns: int | None = None, seq: int | None = None) -> bool:
        """Play until the last event at or before a time or sequence number; True where the source went on."""
        for batch in self.source.batches():
            cut = cut_at(batch, recv_ns=recv_ns, seq=seq)
            self.play(batch[:cut])
            if cut < len(batch):
                return True
        return False

    def save(self) -> list[bytes]:
        """Write the state of all engines and detectors; `restore` gives it back."""
        return [engine.save() for engine in self.engines] + [watch.save() for watch in self.watches]

    def restore(self, blobs: list[bytes], seq: int, recv_ns: int) -> None:
        """Take up what `save` wrote after a row, under the same settings and thresholds; BadInput otherwise."""
        self.engines = [
            type(engine).load(engine.instrument, engine.settings, blob)
            for engine, blob in zip(self.engines, blobs[: len(self.engines)], strict=True)
        ]
        for watch, blob in zip(self.watches, blobs[len(self.engines) :], strict=True):
            watch.restore(blob)
        self.seq, self.recv_ns = seq, recv_ns

    def digest(self) -> str:
        """A digest of the engines' state, equal whenever the same rows were applied, however they were cut."""
        if len(self.engines) == 1:
            return self.engines[0].digest()
        whole = hashlib.blake2b(digest_size=16)
        for engine in self.engines:
            whole.update(engine.digest().encode())
        return whole.hexdigest()

    def watch_digest(self) -> str:
        """The same of all that the detectors remember."""
        whole = hashlib.blake2b(digest_size=16)
        for watch in self.watches:
            whole.update(watch.digest().encode())
        return whole.hexdigest()

    def close(self) -> None:
        """Let go of the source."""
        self.source.close()


def _defaults() -> Mapping[str, Thresholds]:
    from tapeview.watch import default_thresholds

    return default_thresholds()


def pieces(batch: Events) -> Iterator[Events]:
    """Cut a batch into runs of at most PIECE rows."""
    for start in range(0, len(batch), PIECE):
        yield batch[start : start + PIECE]


def cut_at(batch: Events, *, recv_ns: int | None = None, seq: int | None = None) -> int:
    """How many rows of a batch come at or before a receive time and a sequence number.

    Rows are compared by the greatest receive time so far, so a clock that stepped back cuts nothing short.
    """
    cut = len(batch)
    if recv_ns is not None:
        cut = int(np.searchsorted(np.maximum.accumulate(batch["recv_ns"]), recv_ns, side="right"))
    if seq is not None:
        cut = min(cut, int(np.searchsorted(batch["seq"], seq, side="right")))
    return cut


def message_ends(batch: Events) -> NDArray[np.intp]:
    """Where venue messages end: the index after each row marked LAST, CLOCK rows left out."""
    return np.flatnonzero((batch["marks"] & LAST != 0) & (batch["inst"] != EVERY)) + 1

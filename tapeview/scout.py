"""Scouts: run a source's detectors ahead of, or anew beside, the session that is shown.

A scout plays the source at engine speed through engines of its own. Behind every batch it leaves a checkpoint, and
it logs what its detectors tell. The state after any row is then a checkpoint and at most a batch away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from feeds.events import KEYFRAME, Events, empty
from feeds.recording import Recording
from tapeview.alertlog import AlertLog
from tapeview.checkpoints import Checkpoints
from tapeview.engine import EngineSettings
from tapeview.gaplog import GapLog
from tapeview.library import Growing
from tapeview.session import PIECE, Session, cut_at, pieces

if TYPE_CHECKING:
    from tapeview.detectors._declare import Thresholds

NEVER: Final = threading.Event()
"""An event that nobody sets."""
Seen = Callable[[Events], None]
"""Called with each batch before it is played."""


class Scout:
    """One pass over one source under one set of thresholds; it may be stopped and gone on with."""

    def __init__(
        self,
        source: Recording | Growing,
        settings: EngineSettings,
        thresholds: Mapping[str, Thresholds] | None,
        folder: Path,
        gaps: GapLog | None = None,
    ) -> None:
        self.source = source
        self.gaps = gaps if gaps is not None else GapLog()
        """Where the stream was broken, of this pass and of whoever plays the same source."""
        self.settings = settings
        self.thresholds = thresholds or {}
        self.folder = folder
        self.log = AlertLog()
        """What the detectors told, of this pass and of whoever plays under the same thresholds."""
        self.checkpoints = Checkpoints(folder)
        self.lock = threading.Lock()
        """Held by whoever uses the checkpoints."""
        self.seq = -1
        """The newest row played."""
        self._session: Session | None = None
        self._batches: Iterator[Events] | None = None
        self._rest = empty()

    def run(self, stop: threading.Event, *, until: int | None = None, seen: Seen | None = None) -> bool:
        """Play on to the end, or to the end of the batch with row `until`; False where stopped before that.

        Only one thread may be at it.
        """
        if self._session is None or self._batches is None:
            self._session = self._fresh()
            self._batches = self.source.batches()
        while until is None or self.seq < until or len(self._rest):
            if stop.is_set():
                return False
            if not len(self._rest):
                batch = next(self._batches, None)
                if batch is None:
                    return True
                if seen is not None:
                    seen(batch)
                self._rest = batch
                del batch
            while len(self._rest):
                if stop.is_set():
                    return False
                piece, self._rest = self._rest[:PIECE], self._rest[PIECE:]
                self.log.add(self._session.play(piece))
                self.seq = self._session.seq
            self._rest = piece = empty()  # else the batch is held while the state is saved and the next part read
            if stop.is_set():  # perhaps for good: where checkpoints lie may be on its way out
                return False
            self._keep(self._session)
        return True

    def _fresh(self) -> Session:
        return Session(self.source, self.settings, self.thresholds, self.gaps)

    def _keep(self, session: Session) -> None:
        assert session.recv_ns is not None
        blobs = session.save()
        with self.lock:
            self.checkpoints.put(session.seq, session.recv_ns, blobs)

    def session_at(self, seq: int, stop: threading.Event = NEVER) -> Session | None:
        """A session of one's own as it is after row `seq`; None where stopped.

        What its detectors tell on the way is logged as well.
        """
        session = self._fresh()
        with self.lock:
            place = self.checkpoints.best_before(seq=seq)
            blobs = self.checkpoints.load(place) if place is not None else []
        if place is not None:
            session.restore(blobs, place.seq, place.recv_ns)
        del blobs
        return session if self.bring(session, seq, stop) else None

    def bring(self, session: Session, seq: int, stop: threading.Event = NEVER) -> bool:
        """Play a session of this pass on to row `seq`; False where stopped."""
        recording = self.source.recording if isinstance(self.source, Growing) else self.source
        if session.seq >= seq or recording is None:
            return session.seq == seq
        for batch in recording.batches_from_part(recording.part_at(seq=session.seq + 1)):
            if batch["marks"][0] & KEYFRAME:
                continue
            rows = batch[cut_at(batch, seq=session.seq) : cut_at(batch, seq=seq)]
            for piece in pieces(rows):
                if stop.is_set():
                    return False
                self.log.add(session.play(piece))
            if session.seq >= seq:
                break
        return session.seq == seq


class Retuning:
    """Scouts of several sources under new thresholds, on their way to where each source is shown."""

    def __init__(self, scouts: list[Scout]) -> None:
        self.scouts = scouts
        self.sessions: list[Session] = []
        """For each source the session whose detectors will take over."""

    def approach(
        self, places: Callable[[], list[int]], stop: threading.Event, told: Callable[[float], None] | None = None
    ) -> bool:
        """Come near to where the sources are shown, which may go on meanwhile; False where stopped."""
        for _ in range(_ROUNDS):
            wanted = places()
            whole = max(1, sum(place + 1 for place in wanted))
            for scout, place in zip(self.scouts, wanted, strict=True):

                def seen(_: Events, whole: int = whole) -> None:
                    if told is not None:
                        told(min(1.0, sum(one.seq + 1 for one in self.scouts) / whole))

                if not scout.run(stop, until=place, seen=seen):
                    return False
            sessions = [scout.session_at(place, stop) for scout, place in zip(self.scouts, wanted, strict=True)]
            self.sessions = [session for session in sessions if session is not None]
            if len(self.sessions) < len(sessions):
                return False
            if all(0 <= now - then <= _NEAR for now, then in zip(places(), wanted, strict=True)):
                return True
        return True

    def arrive(self, places: list[int]) -> list[Session]:
        """The sessions, each exactly where its source is shown."""
        for number, (scout, place) in enumerate(zip(self.scouts, places, strict=True)):
            session = self.sessions[number]
            if session.seq > place or not scout.bring(session, place):
                again = scout.session_at(place)
                assert again is not None
                self.sessions[number] = again
        return self.sessions


_ROUNDS: Final = 8
_NEAR: Final = 50_000
"""Rows that are left to be played at the end, when what is shown stands still for it."""

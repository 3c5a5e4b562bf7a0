"""Market: what the trade screen shows and drives, whether it is played from a recording or comes from a venue.

What is common to both is here: instruments to choose from, anchors, and the alerts' stories. What only a recording
can do (seek, steps, speed) refuses here with a sentence, and Playback overrides it.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn

from tapeview.config import Config
from tapeview.snapshot import Snapshot, Window

if TYPE_CHECKING:
    from feeds.recording import Recording
    from tapeview.alertlog import AlertLog
    from tapeview.desk.commands import AnyCommand
    from tapeview.detectors._declare import Thresholds
    from tapeview.explanation import Explanation
    from tapeview.session import Session
    from tapeview.watch import Finding

_NEVER = threading.Event()
"""An event that nobody sets."""


class Refused(Exception):
    """A market cannot do what was asked; its text is a sentence for a person."""


class Place(NamedTuple):
    """The instrument shown: its session, its alerts, and which of the session's instruments it is."""

    session: Session
    log: AlertLog
    number: int


class Market(ABC):
    """One or more instruments with a clock; one of them is shown."""

    follows: ClassVar[bool] = False
    """It goes on by itself: there is no time to choose."""
    settings: Config
    playing: bool
    """The picture goes on; False while it is held."""
    coalesced: int
    """Pictures left out so far because the screen was slower than the market."""

    # -- what there is -------------------------------------------------------------------------
    @abstractmethod
    def place(self) -> Place:
        """The instrument shown."""

    @property
    @abstractmethod
    def start_ns(self) -> int | None:
        """Receive time of the first row of all sources."""

    @property
    @abstractmethod
    def market_ns(self) -> int | None:
        """The time reached."""

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Nothing more will come."""

    @property
    def recording(self) -> Recording | None:
        """What is played of the instrument shown, as far as it is known; None for what is not a recording."""
        return None

    @property
    def reading(self) -> bool:
        """More of that recording is on its way."""
        return False

    # -- going on ------------------------------------------------------------------------------
    @abstractmethod
    def tick(self, now_ns: int) -> bool:
        """Go on to the monotonic time handed in; True where there is something new to show."""

    @abstractmethod
    def snapshot(self, window: Window) -> Snapshot:
        """Copy what the window asks for."""

    @abstractmethod
    def play(self) -> None:
        """Go on."""

    @abstractmethod
    def pause(self) -> None:
        """Hold."""

    def toggle(self) -> None:
        """Go on or hold."""
        if self.playing:
            self.pause()
        else:
            self.play()

    @abstractmethod
    def select(self, index: int) -> bool:
        """Show another instrument; False where there is none of that number."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""

    # -- thresholds ----------------------------------------------------------------------------
    @property
    @abstractmethod
    def thresholds(self) -> Mapping[str, Thresholds]:
        """The thresholds in force."""

    @abstractmethod
    def prepare(
        self,
        thresholds: Mapping[str, Thresholds],
        stop: threading.Event = _NEVER,
        told: Callable[[float], None] | None = None,
    ) -> Any:
        """Make ready to go on under other thresholds, telling the share done; None where stopped."""

    @abstractmethod
    def adopt(self, prepared: Any) -> None:
        """Go on with what `prepare` gave."""

    # -- what only a recording can do ----------------------------------------------------------
    def _only_recorded(self, what: str) -> NoReturn:
        raise Refused(f"a live market cannot {what}: record it, and replay the recording")

    def step_event(self) -> None:
        """Pause, and apply the next venue message of the instrument shown."""
        self._only_recorded("step")

    def step_trade(self) -> None:
        """Pause, and play to the next print of the instrument shown."""
        self._only_recorded("step")

    def back(self) -> None:
        """Pause, and undo the newest venue message."""
        self._only_recorded("go back")

    def slower(self) -> None:
        """The next speed down."""
        self._only_recorded("change its speed")

    def faster(self) -> None:
        """The next speed up."""
        self._only_recorded("change its speed")

    def seek(self, ns: int) -> None:
        """Go to a moment, exactly: the state after the last row at or before it."""
        del ns
        self._only_recorded("go to a time")

    def seek_relative(self, seconds: float) -> None:
        """Go some seconds on or back."""
        del seconds
        self._only_recorded("go to a time")

    def go_to_alert(self, number: int) -> None:
        """Go to the row at which a story began."""
        del number
        self._only_recorded("go to an alert")

    def replay_alert(self, number: int) -> None:
        """Play from some seconds before a story began."""
        del number
        self._only_recorded("replay an alert")

    # -- trading -------------------------------------------------------------------------------
    def send(self, command: AnyCommand) -> None:
        """Give the desk of the instrument shown a command; Refused where there is no desk.

        Its `inst` is set here. What came of it is in the desk's records, and in the next snapshot.
        """
        del command
        raise Refused("there is no paper trading here")

    def touched(self) -> None:
        """A person pressed a key: work goes on."""

    # -- anchors -------------------------------------------------------------------------------
    def anchor(self) -> int:
        """Start a VWAP anchor now; give its slot."""
        session, _, k = self.place()
        return session.engines[k].anchor("user")

    def drop_anchor(self, slot: int) -> None:
        """Remove a user's anchor."""
        session, _, k = self.place()
        session.engines[k].drop_anchor(slot)

    # -- alerts --------------------------------------------------------------------------------
    def alert_beside(self, step: int, muted: frozenset[str] = frozenset()) -> int | None:
        """The number of the next story of the instrument shown (1), or of the last one before here (-1)."""
        session, log, k = self.place()
        near = log.next_after if step > 0 else log.last_before
        found = near(k, session.seq, muted)
        return log.number(found) if found is not None else None

    def alert_story(self, number: int) -> tuple[Finding, ...]:
        """All that is known of a story of the instrument shown, even of later than now; empty where there is none."""
        _, log, k = self.place()
        return log.story(k, number)

    def explain(self, number: int) -> Explanation | None:
        """Why a story was told, as far as it had got by now; of one yet to come, its beginning."""
        from tapeview.explanation import explain

        session, log, k = self.place()
        story = log.story(k, number)
        told = tuple(f for f in story if f.alert.seq <= session.seq) or story[:1]
        return explain(told, session.thresholds, session.instruments[k]) if told else None

"""What the keys of alerts do on a screen with a player, and how it tells of a new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.screen import Screen

from tapeview.snapshot import AlertLine, Snapshot
from tapeview.ui.widgets.alerts import Alerts, AlertStrip, AlertsView, foremost, subject

if TYPE_CHECKING:
    from tapeview.market import Market

TOLD_FROM: Final = 2
"""The least grade that is told on the bottom line."""
_FRESH_NS: Final = 2_000_000_000
"""An alert older than this, as after a seek, is not told."""


class AlertScreen(Screen[None]):
    """A screen with a player, whose alerts can be explained, replayed, jumped between and muted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "explain", "Explain the alert", id="alerts.explain"),
        Binding("r", "replay_alert", "Replay from 10 s before the alert", id="alerts.replay"),
        Binding("n", "alert(1)", "Next alert", id="alerts.next"),
        Binding("N", "alert(-1)", "Previous alert", id="alerts.previous"),
        Binding("M", "mute", "Mute the alert's detector, and back", id="alerts.mute"),
        Binding("U", "unmute", "Unmute every detector", id="alerts.unmute"),
    ]
    playback: Market
    shown: Snapshot | None

    def __init__(self) -> None:
        super().__init__()
        self.alerts_view = AlertsView()
        self._alerts_of: tuple[str, object] = ("", None)
        """The instrument whose alerts are looked at, and the log they are in."""
        self._newest: tuple[int, str, int] | None = None
        self._found: int | None = None
        """The alert that the last jump was to."""
        self._hushed = ("", -1, -1)
        """The detector muted last, by which story, and the newest story then: the same key again takes it back."""

    # -- what the screen gives ---------------------------------------------------------------------
    def say(self, words: str, *, bad: bool = False) -> None:
        """Show a sentence on the bottom line for a moment."""
        raise NotImplementedError

    def _now(self, call: Callable[..., Any], *args: Any) -> None:
        raise NotImplementedError

    def _later(self, call: Callable[..., Any], *args: Any) -> None:
        raise NotImplementedError

    # -- news --------------------------------------------------------------------------------------
    def tell_alert(self, snapshot: Snapshot) -> None:
        """Say what was told since the picture before, where it is grave and has just happened."""
        part, status = snapshot.alerts, snapshot.status
        if part is None:
            return
        log = self.playback.place().log
        if self._alerts_of != (status.instrument, log):
            # Numbers of stories mean nothing among those of another instrument, or under other thresholds.
            self.alerts_view.follow()
            self._alerts_of, self._newest = (status.instrument, log), None
        line = part.newest
        newest = (line.number, line.phase, line.told_ns) if line is not None else None
        if newest == self._newest:
            return
        self._newest = newest
        if line is None or line.grade < TOLD_FROM or line.phase == "cleared" or status.market_ns is None:
            return
        if snapshot.desk is not None and snapshot.desk.rest_due:
            return  # in a break only risk speaks; the list has it all the same
        if 0 <= status.market_ns - line.told_ns <= _FRESH_NS * max(1.0, status.speed):
            self.say(line.text)

    # -- keys --------------------------------------------------------------------------------------
    def _subject(self) -> AlertLine | None:
        """The alert that keys act on: the one the list or the line points at."""
        if self.shown is None or self.shown.alerts is None:
            return None
        listed = any(panel.size.height for panel in self.query(Alerts) if panel.is_on_screen)
        if listed:
            return subject(self.shown.alerts, self.alerts_view)
        return foremost(self.shown.alerts, self.alerts_view, self.shown.status.market_ns or 0)

    def _none(self) -> None:
        known = self.shown is not None and self.shown.alerts is not None
        self.say("no alert yet" if known else "no detector is on")

    def on_alerts_opened(self, event: Alerts.Opened) -> None:
        """Explain the alert of the list."""
        event.stop()
        self.action_explain()

    def on_alert_strip_opened(self, event: AlertStrip.Opened) -> None:
        """Explain the alert of the line."""
        event.stop()
        self.action_explain()

    def action_explain(self) -> None:
        """Say why the selected or newest alert was told."""
        line = self._subject()
        if line is None:
            self._none()
        else:
            self._now(self._explain, line.number)

    def _explain(self, number: int) -> None:
        from tapeview.ui.screens.explain import ExplainScreen

        explanation = self.playback.explain(number)
        if explanation is None:
            self._none()
            return
        offset_s = self.shown.status.utc_offset_s if self.shown is not None else 0

        def closed(replay: bool | None) -> None:
            if replay:
                self._replay(number)

        self.app.push_screen(ExplainScreen(explanation, offset_s), closed)

    def action_replay_alert(self) -> None:
        """Play from 10 s before the selected or newest alert; again, the same one, though it is yet to come then."""
        selected, line = self.alerts_view.selected, self._subject()
        story = self.playback.alert_story(selected) if selected is not None else ()
        now = self.playback.market_ns
        if selected is not None and story and now is not None and story[0].alert.recv_ns > now:
            self._replay(selected)
        elif line is not None:
            self._replay(line.number)
        else:
            self._none()

    def _replay(self, number: int) -> None:
        self.alerts_view.follow()
        self.alerts_view.selected = number
        self._later(self.playback.replay_alert, number)

    def action_alert(self, step: int) -> None:
        """Go to the next alert (1) or the previous one (-1), also to one found ahead of what was played."""
        # Looking for it waits for the jump before, and telling of it for the jump itself.
        self._later(self._jump, step)
        self._now(self._arrived, step)

    def _jump(self, step: int) -> None:
        self._found = self.playback.alert_beside(step, self.alerts_view.muted)
        if self._found is not None:
            self.playback.go_to_alert(self._found)

    def _arrived(self, step: int) -> None:
        if self._found is not None:
            self.alerts_view.follow()
            self.alerts_view.reached = self._found
            self.say("")
            return
        status = self.shown.status if self.shown is not None else None
        if step < 0:
            self.say("no alert before this")
        elif status is not None and status.indexed < 1:
            self.say(f"no alert after this so far: {status.indexed:.0%} of the session is looked through")
        else:
            self.say("no alert after this")

    def action_mute(self) -> None:
        """Show no more alerts of the detector of the selected or newest alert; again, show them."""
        view, line = self.alerts_view, self._subject()
        newest = self.shown.alerts.newest if self.shown is not None and self.shown.alerts is not None else None
        detector, selected, latest = self._hushed
        if detector in view.muted and view.selected == selected and (newest is None or newest.number <= latest):
            view.muted -= {detector}
            self.say(f"{detector} is shown again")
        elif line is not None:
            view.selected = line.number
            view.muted |= {line.detector}
            self._hushed = (line.detector, line.number, newest.number if newest is not None else line.number)
            self.say(f"{line.detector} muted: recorded all the same, not shown; again shows it")
        elif view.muted:
            self.action_unmute()
        else:
            self._none()

    def action_unmute(self) -> None:
        """Show the alerts of every detector."""
        self.say("every detector is shown" if self.alerts_view.muted else "no detector is muted")
        self.alerts_view.muted = frozenset()

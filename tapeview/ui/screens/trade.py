"""The trade screen: panels around one player. It owns the frame timer and what the keys do to time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.events import Resize
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from feeds.errors import BadInput
from tapeview import bundled
from tapeview import format as text
from tapeview.market import Refused
from tapeview.snapshot import Snapshot, Window
from tapeview.ui.background import beside, spare_collector
from tapeview.ui.screens._bookmarks import Bookmarks
from tapeview.ui.screens._hints import ALWAYS, ARMED, hints
from tapeview.ui.screens._pace import Orders, Pulse
from tapeview.ui.screens._tabs import InstrumentTabs
from tapeview.ui.screens._ticket import TicketLine
from tapeview.ui.screens._trading import TradingScreen
from tapeview.ui.screens._tuning import Tuning
from tapeview.ui.terminal import redraw_if_dropped, terminal_backlog
from tapeview.ui.widgets._paint import Painter
from tapeview.ui.widgets._panel import Beside, Panel, Stacked
from tapeview.ui.widgets.alerts import Alerts, AlertStrip
from tapeview.ui.widgets.card import Card
from tapeview.ui.widgets.ladder import Ladder
from tapeview.ui.widgets.meters import Meters
from tapeview.ui.widgets.position import Position
from tapeview.ui.widgets.status import KeysLine, TruthLine
from tapeview.ui.widgets.tape import Tape
from tapeview.ui.widgets.timeline import Timeline
from tapeview.ui.widgets.vwap import Chart

if TYPE_CHECKING:
    from tapeview.config import ScreenSettings
    from tapeview.detectors._declare import Thresholds
    from tapeview.market import Market
    from tapeview.ui.app import TapeviewApp

PANELS: Final[tuple[type[Panel], ...]] = (Ladder, Tape, Chart, Alerts)
"""Panels that can have the keys."""
LAYOUTS: Final = {"f4": "alerts", "f5": "all", "f6": "flow", "f7": "chart", "f8": "ladder"}
"""Ladder and alerts · everything · ladder and tape · ladder and chart · ladder alone."""
FIRST_OWN_ANCHOR: Final = 2
"""Slot of the first VWAP anchor that is not the session's or the day's."""
LEAST_COLUMNS: Final = 60
LEAST_ROWS: Final = 16
_SETTLE_NS: Final = 1_500_000_000
"""After the last change frames go on this long, so that what lit up settles."""
_LEAP_NS: Final = 250_000_000
"""Longest time that one frame lets pass for the market."""
_BACKLOG: Final = 3
"""Writes a terminal may be behind before frames are left out."""
_SAID_S: Final = 4.0
_BAD_S: Final = 30.0


class TradeScreen(TradingScreen):
    """Show one player's market and drive it."""

    HINTS: ClassVar[tuple[tuple[str, str, int], ...]] = ALWAYS
    """Keys told on the bottom line whatever panel has them."""
    BLANK: ClassVar[bool] = True
    """Panels cover the screen: its own lines need no styles worked out every frame."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Play or pause", id="replay.pause"),
        Binding("full_stop", "step_event", "One event on", id="replay.event"),
        Binding("greater_than_sign", "step_trade", "One trade on", id="replay.trade"),
        Binding("comma", "back", "One event back", id="replay.back"),
        Binding("left_square_bracket", "slower", "Slower", id="replay.slower"),
        Binding("right_square_bracket", "faster", "Faster", id="replay.faster"),
        Binding("left", "seek_by(-10)", "10 s back", id="replay.left"),
        Binding("right", "seek_by(10)", "10 s on", id="replay.right"),
        Binding("shift+left", "seek_by(-60)", "A minute back", id="replay.minute-back"),
        Binding("shift+right", "seek_by(60)", "A minute on", id="replay.minute-on"),
        Binding("g", "go_to", "Go to a time", id="replay.goto"),
        Binding("m", "bookmark", "Set or take away a bookmark", id="replay.bookmark"),
        Binding("apostrophe", "bookmarked(1)", "Next bookmark", id="replay.next-bookmark"),
        Binding("quotation_mark", "bookmarked(-1)", "Previous bookmark", id="replay.previous-bookmark"),
        Binding("v", "anchor", "Anchor a VWAP here", id="replay.anchor"),
        Binding("V", "drop_anchor", "Drop the anchor shown", id="replay.drop-anchor"),
        Binding("d", "app.drill", "Drills: a random moment, a forced call", id="replay.drill"),
        Binding("tab", "app.focus_next", "Next panel", id="screen.next"),
        Binding("shift+tab", "app.focus_previous", "Previous panel", id="screen.previous"),
        Binding("z", "zoom", "This panel alone, and back", id="screen.zoom"),
        Binding("f4", "layout('alerts')", "Ladder and alerts", id="screen.layout-alerts"),
        Binding("f5", "layout('all')", "Everything", id="screen.layout-all"),
        Binding("f6", "layout('flow')", "Ladder and tape", id="screen.layout-flow"),
        Binding("f7", "layout('chart')", "Ladder and chart", id="screen.layout-chart"),
        Binding("f8", "layout('ladder')", "Ladder alone", id="screen.layout-ladder"),
        Binding("alt+1", "instrument(1)", "Instrument 1 to 9", key_display="Alt+1…9", id="screen.instrument1"),
        *(Binding(f"alt+{n}", f"instrument({n})", id=f"screen.instrument{n}") for n in range(2, 10)),
        Binding("escape", "back_out", "Close what is open", id="screen.escape"),
        Binding("q", "leave", "Leave this session", id="screen.leave"),
    ]

    def __init__(
        self,
        playback: Market,
        settings: ScreenSettings | None = None,
        *,
        last: bundled.Last | None = None,
        timed: bool = True,
    ) -> None:
        """`timed=False` leaves the frames to the caller, for pictures and tests."""
        super().__init__()
        self._timed = timed
        self.playback = playback
        self.bookmarks = Bookmarks()
        self.shown: Snapshot | None = None
        """The newest snapshot on the screen."""
        self.layout_name = "all"
        self._settings = settings
        self._last = last
        self._paths: list[tuple[Panel, *tuple[Widget, ...]]] = []
        """Each panel and what it lies in."""
        self._window = Window()
        self._drawn_ns: dict[Panel, int] = {}
        self._orders = Orders()
        self.tuning = Tuning(playback, self._later, self._failed)
        """Other thresholds on their way."""
        self._timer: Timer | None = None
        self._painter = Painter(self)
        self._pulse = Pulse(settings.fps if settings is not None else 30)
        self._clock_ns = time.monotonic_ns()
        self._changed_ns = 0
        self._wanted = True
        self._zoomed: Panel | None = None
        self._said = ""
        self._taken = 0
        """Cells of the bottom line that are not for hints."""
        self._said_until = 0.0

    def second_line(self) -> Panel:
        """What lies under the truth line; its id is `timeline`."""
        return Timeline(id="timeline")

    def compose(self) -> ComposeResult:
        """Truth line, timeline, panels side by side, the bottom line."""
        yield TruthLine(id="truth")
        yield self.second_line()
        yield InstrumentTabs(id="tabs")
        with Beside(id="body"):
            yield Ladder(id="ladder")
            yield Tape(id="tape", ruled=True)
            with Stacked(id="side"):
                yield Chart(id="chart", ruled=True)
                yield Meters(id="meters", ruled=True)
                yield Position(id="position", ruled=True)
                yield Alerts(self.alerts_view, id="alerts", ruled=True)
        yield Position(id="position-line")
        yield Meters(id="meters-line")
        yield AlertStrip(self.alerts_view, id="alert-line")
        yield Card(id="card")
        with Horizontal(id="goto"):
            yield Static(" go to ", id="goto-label")
            yield Input(placeholder="09:45  09:45:12.250  +90s  an ISO time", id="goto-field", compact=True)
            yield Static("", id="goto-error")
        yield TicketLine(id="ticket")
        yield KeysLine(id="keys")

    def on_mount(self) -> None:
        """Start the frames."""
        for meters in self.query(Meters):
            meters.can_focus = False  # it has no keys of its own
        if self._settings is not None:
            self._apply(self._settings)
        for panel in self.query(Panel):
            inside = panel.ancestors
            self._paths.append((panel, *[node for node in inside if isinstance(node, Widget) and node is not self]))
        self.query_one(Ladder).focus()
        if self._timed:
            self._timer = self.set_interval(self._pulse.period_ns / 1e9, self.frame)
        spare_collector()

    def _apply(self, settings: ScreenSettings) -> None:
        ladder = self.query_one(Ladder)
        ladder.mode, ladder.recent_s = settings.recentre, settings.recent_s
        self.query_one(Tape).min_lots = settings.tape_min_lots
        self.query_one(Chart).span_s = settings.chart_s

    def take_settings(self, settings: ScreenSettings, thresholds: Mapping[str, Thresholds]) -> None:
        """Let changed settings act: the screen's at once, the detectors' when they have run anew to here."""
        if settings != self._settings:
            if self._timer is not None and (self._settings is None or settings.fps != self._settings.fps):
                self._timer.stop()
                self._pulse = Pulse(settings.fps)
                self._timer = self.set_interval(self._pulse.period_ns / 1e9, self.frame)
            self._settings = settings
            self._apply(settings)
            self._wanted = True
        if self.tuning.ask(thresholds):
            self.run_worker(self._tune(), name="tuning")

    async def _tune(self) -> None:
        await self.tuning.run()
        self._wanted = True

    async def on_unmount(self) -> None:
        """Remember where it was left, and let go of the source."""
        self.tuning.stop()
        self._remember()
        await beside(self.playback.close)

    def _remember(self) -> None:
        if self._last is not None:
            at = self.playback.market_ns
            clock = self._clock(at)[:8] if at is not None else ""
            bundled.remember(bundled.Last(self._last.address, self._last.title, at, clock))

    # -- frames --------------------------------------------------------------------------------------
    @property
    def panels(self) -> list[Panel]:
        """The panels that can be seen."""
        return [path[0] for path in self._paths if all(node.display for node in path)]

    def frame(self, *, anyway: bool = False) -> None:
        """Let the market go on to now and show it, where something changed (or `anyway`) and the terminal keeps up."""
        now = time.monotonic_ns()
        self._wanted |= anyway
        passed = self._pulse.beat(now) if self._timed else 0
        if self._orders.busy:
            return
        if self._said_until and time.monotonic() > self._said_until:
            self.say("")
        # A program that was stopped or held up goes on where it was, instead of leaping over the market.
        self._clock_ns += min(passed, _LEAP_NS)
        try:
            if self.playback.tick(self._clock_ns):
                self._changed_ns = now
            seen = self.is_current or isinstance(self.app.screen, ModalScreen)
            self.watch_desk(seen=seen)
            if seen:
                self._show(now)
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, Refused):
            self.say(str(error))
            return
        # The last picture stays and the session is held; a fault of the program is told again at the end.
        self.playback.pause()
        if isinstance(error, BadInput):
            self.say(str(error), bad=True)
        else:
            cast("TapeviewApp", self.app).fault(error)
            self.say(f"held by a fault in the program: {type(error).__name__}: {error}", bad=True)

    def _show(self, now: int) -> None:
        panels = self.panels
        window = self._ask(panels)
        if not self._wanted and window == self._window and now - self._changed_ns > _SETTLE_NS:
            return
        if terminal_backlog(self.app) > _BACKLOG:
            self._pulse.skip()
            return
        redraw_if_dropped(self.app)
        asked = window
        if not self._wanted and window == self._window and self.playback.playing:
            panels = [panel for panel in panels if now - self._drawn_ns.get(panel, 0) >= panel.PERIOD_NS]
            columns = window.chart_columns if any(isinstance(panel, Chart) for panel in panels) else 0
            asked = replace(window, chart_columns=columns, meters=any(isinstance(p, Meters | Card) for p in panels))
        self._drawn_ns.update(dict.fromkeys(panels, now))
        self._wanted = False
        self._window = window
        self.playback.coalesced = self._pulse.coalesced
        self.shown = snapshot = self.playback.snapshot(asked)
        if (len(snapshot.status.instruments) > 1) != self.has_class("several"):
            self.toggle_class("several")
        if (snapshot.alerts is None) != self.has_class("unwatched"):
            self.toggle_class("unwatched")
        self._make_room()
        self.hear_desk(snapshot)
        self.tell_alert(snapshot)
        self._painter.show(panels, snapshot)

    def want(self) -> None:
        """Show the next picture even where the market did not go on."""
        self._wanted = True

    def _ask(self, panels: list[Panel]) -> Window:
        window = Window(
            meters=any(isinstance(panel, Meters | Card) for panel in panels),
            alert_rows=1,  # marks, and the newest, whether or not there is a list
            alert_muted=self.alerts_view.muted,
        )
        for panel in panels:
            try:
                window = panel.ask(window)
            except Exception as error:
                panel.error = error
        return window

    def say(self, words: str, *, bad: bool = False) -> None:
        """Show a sentence on the bottom line for a moment, a fault for longer; none takes it away."""
        self._said_until = time.monotonic() + (_BAD_S if bad else _SAID_S) if words else 0.0
        self.query_one(KeysLine).set_message(words)
        self._said = words
        self._make_room()

    def _make_room(self) -> None:
        line = self.query_one(KeysLine)
        taken = line.taken(self.shown, self.size.width) if self.shown is not None else len(self._said)
        taken += 2 if taken else 0
        if taken != self._taken:
            self._taken = taken
            self._hint()

    # -- size ----------------------------------------------------------------------------------------
    def on_resize(self, event: Resize) -> None:
        """Take the composition that fits."""
        width, height = event.size
        tiny = width < LEAST_COLUMNS or height < LEAST_ROWS
        # All at once: each change of a class lays the whole screen's styles out anew.
        sizes = {
            "tiny": tiny,
            "small": not tiny and (width < 100 or height < 28),
            "large": not tiny and width >= 160 and height >= 40,
        }
        kept = set(self.classes) - sizes.keys()
        if kept | {name for name, true in sizes.items() if true} != self.classes:
            self.set_classes(kept | {name for name, true in sizes.items() if true})
        self._wanted = True
        self._hint()

    # -- time ----------------------------------------------------------------------------------------
    def _now(self, call: Any, *args: Any) -> None:
        try:
            self._orders.now(call, *args)
        except Refused as error:
            self.say(str(error))
        self._wanted = True

    def _later(self, call: Any, *args: Any) -> None:
        if self._orders.later(call, *args):
            self.run_worker(self._run_orders(), name="orders")

    async def _run_orders(self) -> None:
        await self._orders.run(self._failed)
        self._wanted = True

    def action_pause(self) -> None:
        """Play or pause; at the end, play from the start again."""
        if self.playback.ended:
            self._later(self._restart)
        else:
            self._now(self.playback.toggle)

    def _restart(self) -> None:
        if self.playback.start_ns is not None:
            self.playback.seek(self.playback.start_ns)
        self.playback.play()

    def action_step_event(self) -> None:
        """Go on by one venue message."""
        self._now(self.playback.step_event)

    def action_step_trade(self) -> None:
        """Go on to the next print."""
        self._later(self.playback.step_trade)

    def action_back(self) -> None:
        """Go back by one venue message."""
        self._later(self.playback.back)

    def action_slower(self) -> None:
        """Play at the next lower speed."""
        self._now(self.playback.slower)

    def action_faster(self) -> None:
        """Play at the next higher speed."""
        self._now(self.playback.faster)

    def action_seek_by(self, seconds: int) -> None:
        """Go on or back by seconds of market time."""
        self._later(self.playback.seek_relative, seconds)

    def action_anchor(self) -> None:
        """Anchor a VWAP at this moment and show it."""

        def anchor() -> None:
            self.query_one(Chart).slot = self.playback.anchor()

        self._now(anchor)

    def action_drop_anchor(self) -> None:
        """Take away the anchor that is shown, where it is one of the user's own."""
        slot = self.shown.window.anchor if self.shown is not None else 0
        if slot >= FIRST_OWN_ANCHOR:
            self._now(self.playback.drop_anchor, slot)

    def action_instrument(self, number: int) -> None:
        """Show another instrument."""
        if self.shown is not None and number <= len(self.shown.status.instruments):
            self.disarm("another instrument")
            self._now(self.playback.select, number - 1)

    def action_bookmark(self) -> None:
        """Set a bookmark at this moment, or take the one here away."""
        self._now(self._bookmark)

    def _bookmark(self) -> None:
        now = self.playback.market_ns
        if now is not None:
            number = self.bookmarks.toggle(now)
            done = f"{number} of {len(self.bookmarks)} at" if number else "taken away at"
            self.say(f"bookmark {done} {self._clock(now)}")

    def _clock(self, ns: int) -> str:
        return text.clock(ns, offset_s=self.shown.status.utc_offset_s if self.shown is not None else 0)

    def action_bookmarked(self, step: int) -> None:
        """Go to the next bookmark, or with -1 to the previous, round and round."""
        self._now(self._go_to_bookmark, step)

    def _go_to_bookmark(self, step: int) -> None:
        now = self.playback.market_ns
        target = self.bookmarks.beside(now, step) if now is not None else None
        if target is None:
            self.say("no bookmark yet: m sets one")
        else:
            self.say(f"bookmark {self.bookmarks.number(target)} of {len(self.bookmarks)}")
            self._later(self.playback.seek, target)

    def on_instrument_tabs_chosen(self, event: InstrumentTabs.Chosen) -> None:
        """Show the instrument that was clicked."""
        self.action_instrument(event.number)

    def on_timeline_seek(self, event: Timeline.Seek) -> None:
        """Go to the time that was clicked."""
        self._later(self.playback.seek, event.market_ns)

    # -- go to ---------------------------------------------------------------------------------------
    def action_go_to(self) -> None:
        """Ask for a time in the bottom line; the market goes on meanwhile."""
        self.set_class(True, "asking")
        self.query_one("#goto-error", Static).update("")
        field = self.query_one("#goto-field", Input)
        field.value = ""
        field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the time that was written, or say what is wrong with it; or take a ticket."""
        from tapeview.playback import parse_time

        event.stop()
        if event.input.id == "ticket-field":
            self.written(event)
            return
        try:
            zone = self.shown.status.zone if self.shown is not None else "UTC"
            target = parse_time(event.value, self.playback.start_ns or 0, zone)
        except BadInput as error:
            self.query_one("#goto-error", Static).update(Content.styled(f" {error.expected}", "$error"))
            return
        self._close_goto()
        self._later(self.playback.seek, target)

    def _close_goto(self) -> None:
        self.set_class(False, "asking")
        self.query_one(Ladder).focus()

    # -- hints ---------------------------------------------------------------------------------------
    def on_descendant_focus(self) -> None:
        """Tell the keys of the panel that has them."""
        self._hint()

    def _hint(self) -> None:
        app, room = cast("TapeviewApp", self.app), self.size.width - self._taken
        owners: tuple[type, ...] = (type(app), type(self), *PANELS)
        always = ARMED if self.armed else self.HINTS
        told = hints(self.focused, owners, app._keymap, room, ascii_only=app.ascii_only, always=always)
        self.query_one(KeysLine).set_hints(told)

    # -- panels --------------------------------------------------------------------------------------
    def action_zoom(self) -> None:
        """Give the focused panel the whole body, or give the others their places back."""
        panel = self.focused
        if self._zoomed is not None:
            self._zoom(None)
        elif isinstance(panel, Panel) and self.query_one("#body") in panel.ancestors:
            self._zoom(panel)

    def _zoom(self, panel: Panel | None) -> None:
        self._zoomed = panel
        self.set_class(panel is not None, "zoomed")
        for other in self.query(Panel):
            other.set_class(other is panel, "zoom")
        for ruled in (self.query_one(Tape), *self.query("#side Panel").results(Panel)):
            ruled.ruled = ruled is not panel
        self.query_one("#side").set_class(panel is not None and self.query_one("#side") in panel.ancestors, "zoom")
        self._wanted = True

    def action_layout(self, name: str) -> None:
        """Take one of the layouts."""
        self._zoom(None)
        self.layout_name = name
        for other in LAYOUTS.values():
            self.set_class(other == name, f"layout-{other}")
        focused = self.focused
        if focused is None or not all(a.display for a in [focused, *focused.ancestors]):
            self.query_one(Ladder).focus()
        self._wanted = True

    def action_back_out(self) -> None:
        """Close the line that is written in, or undo the zoom."""
        if self.has_class("writing"):
            self.stop_writing()
        elif self.has_class("asking"):
            self._close_goto()
        elif self._zoomed is not None:
            self._zoom(None)
        else:
            self.say("")

    def action_leave(self) -> None:
        """Go back home, or out where there is no home; with something open, the second time."""
        if not self.may_leave():
            return
        self._remember()  # home, which shows it, comes up before this screen is gone
        cast("TapeviewApp", self.app).leave_screen()

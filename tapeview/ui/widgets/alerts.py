"""Alerts: a list of stories newest first, and a line with the one that counts now where there is no room for a list.

Nothing is told by colour alone: a grade is one, two or three exclamation marks, a side a word, a story that is over
has a cross and its reason.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tapeview import format as text
from tapeview.format import Scale
from tapeview.snapshot import AlertLine, AlertsPart, Snapshot, Window
from tapeview.ui.widgets._link import partial_words
from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel

GRADES: Final = (("", "dim"), ("!", "alert-info"), ("!!", "alert-warn bold"), ("!!!", "alert-act bold"))
"""Signs and style of a grade."""
SIDES: Final = {1: ("bid", "bid"), -1: ("ask", "ask")}
NEWS_NS: Final = 60_000_000_000
"""An event, which nothing clears, is news for so long."""
WHEEL_ROWS: Final = 3
WRAPPED_MOST: Final = 3
"""Rows that one story's text takes at most."""
WIDE: Final = 60
"""From this width on a row says how sure the alert is, and its tier."""
_LIST_ROWS: Final = 4
"""Rows of stories below which no text is written out."""
_ROOMY: Final = 8
"""Rows of stories from which a text may take all the rows it needs."""


@dataclass
class AlertsView:
    """What a person looks at among the alerts: one for the list, the line and the keys of a screen."""

    selected: int | None = None
    """The number of a story; None stands for the newest."""
    until: int | None = None
    """The newest story listed while the list is held."""
    offset: int = 0
    """Stories above the topmost one shown."""
    muted: frozenset[str] = frozenset()
    """Detectors whose alerts are not shown; they are recorded all the same."""
    pointed: int | None = None
    """The story that the list writes out while none is selected."""
    reached: int | None = None
    """The story whose beginning was jumped to, written out as long as it is the newest."""

    def follow(self) -> None:
        """Let go of what was selected and held."""
        self.selected, self.until, self.offset = None, None, 0


class Alerts(Panel):
    """Stories with grade, age, side, price, how sure, tier and words; the selected one in all its words, else the
    one just jumped to, the gravest that counts now or the newest.
    """

    PERIOD_NS: ClassVar[int] = 100_000_000
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "Hold the list, older alert", id="alerts.down"),
        Binding("up", "move(-1)", "Newer alert", id="alerts.up"),
        Binding("pagedown", "page(1)", "A page older", id="alerts.page-down"),
        Binding("pageup", "page(-1)", "A page newer", id="alerts.page-up"),
        Binding("home", "follow", "Follow the newest alert again", id="alerts.follow"),
        Binding("enter", "open", "Explain the selected alert", id="alerts.open"),
    ]

    class Opened(Message):
        """The selected alert is to be explained."""

    def __init__(
        self,
        view: AlertsView | None = None,
        *,
        ruled: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(ruled=ruled, name=name or "alerts", id=id)
        self.view = view or AlertsView()
        self._shown: list[int] = []
        """The story, by its place in the part, of each row below the heading."""

    # -- the view ----------------------------------------------------------------------------------
    @property
    def held(self) -> bool:
        """Whether the list stands still while the market goes on."""
        return self.view.until is not None

    @property
    def subject(self) -> AlertLine | None:
        """The alert that keys act on: the selected one, else the one that is written out."""
        part = self._part()
        return subject(part, self.view) if part is not None else None

    def ask(self, window: Window) -> Window:
        """Ask for the stories on show."""
        view = self.view
        # One more than has room, to know whether there is more.
        wanted = max(window.alert_rows, view.offset + self.size.height + 1)
        return replace(window, alert_rows=wanted, alert_until=view.until, alert_muted=view.muted)

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Draw heading, stories and what is left out."""
        part, now = snapshot.alerts, snapshot.status.market_ns or 0
        self._shown = []
        if part is None:
            off: list[Row] = [((" alerts", self.heading_style),), ((" detectors are off", "dim"),)]
            return off[:height]
        heading, muted = self._heading(part, partial_words(snapshot.status), width)
        foot = _foot(part, muted, width)
        room = max(0, height - 1 - len(foot))
        body = self._body(snapshot.scale, part, now, width, room)
        return [heading, *body, *[()] * (room - len(body)), *foot]

    # -- drawing -----------------------------------------------------------------------------------
    def _heading(self, part: AlertsPart, partial: str, width: int) -> tuple[Row, str]:
        # The heading, and what it has no room to say of muted detectors.
        muted = "muted " + ", ".join(text.clean(name) for name in part.muted) if part.muted else ""
        if self.held:
            words, hint = f" HELD · {part.newer} newer", "Home follows "
            pad = width - len(words) - len(hint)
            return ((words, "alert-warn bold"), ((" " * pad + hint) if pad > 0 else "", "dim")), muted
        words = f" alerts {part.total}" if part.total else " alerts"
        active = f"{len(part.active)} active " if part.active else ""
        if partial and len(words) + 2 + len(partial) + len(active) < width:
            pad = width - len(words) - 2 - len(partial) - len(active)
            return (
                (words, self.heading_style),
                (f"  {partial}", "alert-warn"),
                (" " * pad + active, "dim"),
            ), muted
        if muted and len(words) + 3 + len(muted) + 1 + len(active) <= width:
            pad = width - len(words) - 3 - len(muted) - len(active)
            return ((words, self.heading_style), (" · " + muted, "alert-warn"), (" " * pad + active, "dim")), ""
        pad = width - len(words) - len(active)
        return ((words, self.heading_style), (" " * max(0, pad) + active if pad > 0 else "", "dim")), muted

    def _body(self, scale: Scale, part: AlertsPart, now: int, width: int, room: int) -> list[Row]:
        if not part.lines:
            none: Row = ((" none yet" if not part.muted else " none but muted ones", "dim"),)
            return [none][:room]
        view = self.view
        view.offset = min(view.offset, max(0, len(part.lines) - 1))
        # What is written out is in sight with all its rows, and keys act on nothing else.
        seen = part.lines[view.offset : view.offset + max(1, room - WRAPPED_MOST)]
        view.pointed = seen[0].number if seen[0].number == view.reached else gravest(seen, now).number
        chosen = subject(part, view)
        price = max(len(_price(scale, line)) for line in part.lines)
        rows: list[Row] = []
        for at in range(view.offset, len(part.lines)):
            line = part.lines[at]
            selected = view.selected == line.number
            # Keys act on the one written out: where it is neither selected nor the newest, that is marked.
            mark = "▸" if selected else "›" if line is chosen and line is not part.lines[0] else " "
            row = _story_row(scale, line, now, width, price, mark)
            block = [row]
            if line is chosen and room >= _LIST_ROWS and row[-1][0].rstrip().endswith("…"):
                block += _whole_text(line, now, width, selected, WRAPPED_MOST if room >= _ROOMY else WRAPPED_MOST - 1)
            if len(rows) + len(block) > room:
                block = block[: max(0, room - len(rows))]
            rows += block
            self._shown += [at] * len(block)
            if len(rows) >= room:
                break
        return rows

    # -- keys and mouse ----------------------------------------------------------------------------
    def _part(self) -> AlertsPart | None:
        return self.snapshot.alerts if self.snapshot is not None else None

    def _hold(self, part: AlertsPart) -> None:
        if self.view.until is None:
            self.view.until = part.lines[0].number

    def action_move(self, step: int) -> None:
        """Go to the next older (1) or newer (-1) alert; the first move holds the list."""
        part, view = self._part(), self.view
        if part is None or not part.lines:
            return
        numbers = [line.number for line in part.lines]
        at = numbers.index(view.selected) + step if view.selected in numbers else 0
        if view.selected not in numbers and step < 0:
            return
        if at < 0:
            view.follow()
        elif at < len(numbers):
            self._hold(part)
            view.selected = numbers[at]
            view.offset = min(view.offset, at)
            if self._shown and at > self._shown[-1]:
                view.offset += at - self._shown[-1]
        self.redraw()

    def action_page(self, pages: int) -> None:
        """Go a page of alerts older (1) or newer (-1)."""
        part, view = self._part(), self.view
        if part is None or not part.lines:
            return
        numbers = [line.number for line in part.lines]
        page = max(1, len(set(self._shown)) - 1)
        at = (numbers.index(view.selected) if view.selected in numbers else 0) + pages * page
        if at < 0:
            view.follow()
        else:
            self._hold(part)
            at = min(at, len(numbers) - 1)
            view.selected, view.offset = numbers[at], at
        self.redraw()

    def action_follow(self) -> None:
        """Follow the newest alert, which is then the one that keys act on."""
        self.view.follow()
        self.redraw()

    def action_open(self) -> None:
        """Have the selected alert explained."""
        self.post_message(self.Opened())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Hold the list and go to older alerts."""
        event.stop()
        part = self._part()
        if part is not None and self.view.offset + len(set(self._shown)) < len(part.lines):
            self._hold(part)
            self.view.offset += min(WHEEL_ROWS, len(part.lines) - self.view.offset - 1)
            self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go to newer alerts; at the newest one, follow unless one is selected."""
        event.stop()
        view = self.view
        if view.offset:
            view.offset = max(0, view.offset - WHEEL_ROWS)
        elif view.selected is None:
            view.until = None
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Select the alert under the mouse, explain it at the second click; on the heading, follow again."""
        event.stop()
        part, row = self._part(), event.y - 1
        if event.y == 0:
            self.action_follow()
        elif part is not None and row < len(self._shown) and self._shown[row] < len(part.lines):
            self._hold(part)
            self.view.selected = part.lines[self._shown[row]].number
            self.redraw()
            if event.chain > 1:
                self.action_open()


class AlertStrip(Panel, can_focus=False):
    """One line: the alert that keys act on, else the newest that stands or is news, else the newest of all."""

    PERIOD_NS: ClassVar[int] = 100_000_000
    DEFAULT_CSS = """
    AlertStrip { height: 1; }
    """

    class Opened(Message):
        """The alert on show is to be explained."""

    def __init__(self, view: AlertsView | None = None, *, name: str | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name or "alert", id=id)
        self.view = view or AlertsView()

    @property
    def subject(self) -> AlertLine | None:
        """The alert on show."""
        if self.snapshot is None or self.snapshot.alerts is None:
            return None
        return foremost(self.snapshot.alerts, self.view, self.snapshot.status.market_ns or 0)

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:  # noqa: ARG002
        """Draw the alert with its grade and age, and how many more stand."""
        part, now = snapshot.alerts, snapshot.status.market_ns or 0
        if part is None:
            return []
        line = foremost(part, self.view, now)
        rest = f"  {len(part.active)} active" if len(part.active) > 1 else ""
        rest += f"  {part.held} held back" if part.held else ""
        rest += f"  muted {len(part.muted)}" if part.muted else ""
        if line is None:
            return [((" no alert yet", "dim"), (rest, "dim"))]
        ink = "text" if current(line, now) else "dim"
        selected = self.view.selected == line.number
        signs, loud = GRADES[min(line.grade, 3)]
        head: list[Run] = [
            ("▸" if selected else " ", "loud bold"),
            (signs.ljust(4), loud if ink == "text" else "dim"),
            (age(now - line.recv_ns).rjust(3) + "  ", "dim"),
        ]
        words = _words(line, whole=True)
        used = sum(len(run[0]) for run in head)
        if used + len(words) + len(rest) + 1 > width:
            rest = ""
        return [(*head, (_cut(words, width - used - len(rest)), ink), (rest, "dim"))]

    def on_click(self, event: events.Click) -> None:
        """Have the alert on show explained."""
        event.stop()
        self.post_message(self.Opened())


def current(line: AlertLine, now_ns: int) -> bool:
    """Whether an alert stands or, being an event, is still news."""
    return line.phase != "cleared" and (line.lasts or now_ns - line.recv_ns <= NEWS_NS)


def subject(part: AlertsPart, view: AlertsView) -> AlertLine | None:
    """The alert that keys act on: the selected one where it is listed, else the one written out, else the newest."""
    for number in (view.selected, view.pointed):
        for line in part.lines:
            if line.number == number:
                return line
    return part.lines[0] if part.lines else None


def gravest(lines: Sequence[AlertLine], now_ns: int) -> AlertLine:
    """The gravest of the alerts that count now, the newest of equals; the newest where none counts now."""
    now = [line for line in lines if current(line, now_ns)]
    return max(now, key=lambda line: (line.grade, line.number), default=lines[0])


def foremost(part: AlertsPart, view: AlertsView, now_ns: int) -> AlertLine | None:
    """The one alert worth a line: the selected, else the newest that counts now, else the newest."""
    newest = [*([part.newest] if part.newest is not None else []), *part.lines]
    for line in newest:
        if line.number == view.selected:
            return line
    candidates = [*newest, *([part.standing] if part.standing is not None else [])]
    now = [line for line in candidates if current(line, now_ns)]
    return max(now or candidates, key=lambda line: (line.seq, line.number), default=None)


def age(ns: int) -> str:
    """How long ago, in at most 3 cells: `12s`, `59m`, `23h`, `99d`."""
    seconds = max(0, ns) // 1_000_000_000
    for unit, length, most in (("s", 1, 60), ("m", 60, 60), ("h", 3600, 24)):
        if seconds < length * most:
            return f"{seconds // length}{unit}"
    return f"{min(99, seconds // 86_400)}d"


def sureness(line: AlertLine) -> str:
    """How sure, as the text says it: `conf .82`, or `score 3.1` where no calibration is known."""
    if line.confidence is not None:
        return f"conf {line.confidence:.2f}".replace(" 0.", " .").replace("1.00", "1")
    return "score " + (f"{line.score:.2f}".lstrip("0") if 0 <= line.score < 1 else f"{line.score:.1f}")


def _words(line: AlertLine, *, whole: bool) -> str:
    shown = text.clean(line.text)
    if not whole:
        # What stands in columns of its own is not said twice.
        shown = shown.removesuffix(f" · tier {line.tier}")
        head, dot, last = shown.rpartition(" · ")
        shown = head if dot and last.startswith(("conf ", "score ")) else shown
    if line.phase != "cleared":
        return shown
    return f"✗ {text.clean(line.reason)} · {shown}" if line.reason else f"✗ {shown}"


def _price(scale: Scale, line: AlertLine) -> str:
    return text.ladder_price(scale, line.tick) if line.tick is not None else ""


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else words[: max(0, width - 1)] + "…"


def _story_row(scale: Scale, line: AlertLine, now: int, width: int, price_width: int, mark: str) -> Row:
    at = "@cursor" if mark == "▸" else ""
    live = current(line, now)
    ink = ("text" if live else "dim") + at
    signs, loud = GRADES[max(0, min(line.grade, 3))]
    side, side_ink = SIDES.get(line.side, ("   ", "dim"))
    runs: list[Run] = [
        (mark, "loud bold" + at),
        (signs.ljust(3), (loud if live else "dim") + at),
        (f" {age(now - line.recv_ns).rjust(3)} ", "dim" + at),
        (side, (side_ink if live else "dim") + at),
        (" " + _price(scale, line).rjust(price_width) + " ", ink),
    ]
    if width >= WIDE:
        runs.append((f" {sureness(line).ljust(9)} {line.tier}  ", "dim" + at))
    room = width - sum(len(run[0]) for run in runs)
    if room > 0:
        runs.append((_cut(_words(line, whole=False), room).ljust(room), ink))
    return tuple(runs)


def _whole_text(line: AlertLine, now: int, width: int, selected: bool, most: int) -> list[Row]:
    words = _words(line, whole=True)
    if width >= WIDE and len(words) <= width - 5:
        wrapped = [words]
    else:
        wrapped = textwrap.wrap(words, max(8, width - 5), max_lines=most, placeholder=" …")
    ink = ("text" if current(line, now) else "dim") + ("@cursor" if selected else "")
    return [(((" " * 5 + part).ljust(width)[:width], ink),) for part in wrapped]


def _foot(part: AlertsPart, muted: str, width: int) -> list[Row]:
    words = ([f"{part.held} held back"] if part.held else []) + ([muted] if muted else [])
    return [((_cut(" " + " · ".join(words), width), "dim"),)] if words else []

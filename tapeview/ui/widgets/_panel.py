"""Panel: the base of every widget of the trade screen.

A panel owns view state only. It says what it wants to see (`ask`), gets a snapshot (`show`) and turns it into
rows of named runs (`rows`). Only rows that changed are repainted, each as one finished string.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tapeview.format import clean
from tapeview.snapshot import Snapshot, Window
from tapeview.ui.widgets._palette import Palette, Row, RowStrip, fit, plain_strip

RULE: Final = ("│", "rule")
ARMED: Final = ("ARMED", "armed")
LOCKED: Final = ("LOCKED", "alert-act")
"""The word and the colour that every panel's frame has while trading keys act, and while the account is locked."""
_FRAMED_ROWS: Final = 3
"""Rows from which a panel has a frame: its heading and the rule beside it."""


def mark_of(snapshot: Snapshot | None) -> tuple[str, str] | None:
    """What the panels' frames tell of trading: LOCKED, ARMED or nothing."""
    desk = snapshot.desk if snapshot is not None else None
    return None if desk is None else LOCKED if desk.locked else ARMED if desk.armed else None


def marked(row: Row, width: int, mark: tuple[str, str], *, bold: bool = False, told: bool = True) -> Row:
    """A row of the frame in the mark's colour, reversed, with its word at the right end where it is `told`."""
    word, ink = mark
    end = f" {word} " if told and width >= len(word) + 2 else ""
    words = "".join(words for words, _ in row).ljust(width)[: width - len(end)]
    runs: Row = ((words, f"{ink} bold reverse" if bold else f"{ink} reverse"), (end, f"{ink} bold reverse"))
    return tuple(run for run in runs if run[0])


class Panel(Widget, can_focus=True):
    """A widget that draws snapshots as rows; panels have no border and no padding, they fill their region.

    Subclasses write `rows`, and `ask` where they want something of the window.
    """

    ALLOW_SELECT: ClassVar[bool] = False
    READY_MADE: ClassVar[bool] = True
    """False draws by the documented line API alone: every row, every frame."""
    PERIOD_NS: ClassVar[int] = 0
    """Least time between two pictures while the market goes on; 0 draws every frame."""

    DEFAULT_CSS = """
    Panel { width: 1fr; height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "retry", "Retry a panel that failed", id="panel.retry", show=False)
    ]

    class Failed(Message):
        """A panel could not draw; it says so in itself and the rest goes on."""

        def __init__(self, panel: Panel, error: Exception) -> None:
            super().__init__()
            self.panel = panel
            self.error = error

    def __init__(
        self,
        *,
        ruled: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(name=name, id=id)
        self._ruled = ruled
        self._snapshot: Snapshot | None = None
        self._rows: list[Row] = []
        self._strips: dict[int, tuple[Row, RowStrip]] = {}
        self._palette = Palette({})
        self._mark: tuple[str, str] | None = None
        self.error: Exception | None = None
        """Why the panel stopped drawing, None while it draws."""

    # -- what subclasses write ---------------------------------------------------------------------
    def ask(self, window: Window) -> Window:
        """Put the panel's wishes and size into the window."""
        return window

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Draw a snapshot as at most `height` rows of `width` cells."""
        raise NotImplementedError

    # -- what screens call -------------------------------------------------------------------------
    @property
    def size(self) -> Size:
        """Cells the panel has: all of its region."""
        return self._size

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot, repainting only the rows that changed."""
        self._snapshot = snapshot
        self.redraw()

    @property
    def ruled(self) -> bool:
        """Whether a rule runs down the panel's left edge."""
        return self._ruled

    @ruled.setter
    def ruled(self, value: bool) -> None:
        if value != self._ruled:
            self._ruled = value
            self.redraw(everything=True)

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot last shown."""
        return self._snapshot

    @property
    def inner_width(self) -> int:
        """Cells a row may use, the rule left out."""
        return max(0, self.size.width - self._ruled)

    def dump(self) -> list[Row]:
        """Return the rows as last drawn, for tests and for text output."""
        return [fit(row, self.inner_width) for row in self._rows]

    def redraw(self, *, everything: bool = False) -> None:
        """Draw the last snapshot again, after a change of view."""
        changed = self._redrawn(everything=everything)
        if changed:
            self._repaint(_regions(changed, self.size.width))

    def draw(self, snapshot: Snapshot) -> list[int] | None:
        """Draw a snapshot and return the rows to repaint; None where the panel has asked to be repainted whole."""
        self._snapshot = snapshot
        return self._redrawn()

    def _redrawn(self, *, everything: bool = False) -> list[int] | None:
        size = self.size
        width, height = size.width - self._ruled, size.height
        if width <= 0 or height <= 0:
            return None
        rows = self._drawn(width, height)
        mark = mark_of(self._snapshot)
        if mark != self._mark:
            self._mark, everything = mark, True
        if mark is not None and height >= _FRAMED_ROWS:
            rows[0] = marked(rows[0], width, mark, bold=self.has_focus)
        old, self._rows = self._rows, rows
        if everything or len(old) != height or not self.READY_MADE:
            self._strips.clear()
            self.refresh()
            return None
        changed: list[int] = []
        for y, row in enumerate(rows):
            if row is not old[y]:
                if row == old[y]:
                    rows[y] = old[y]
                else:
                    changed.append(y)
        # Strips are kept by the row's identity, so that a row that only moved (the tape) is not made again.
        strips = self._strips
        self._strips = {key: strips[key] for row in rows if (key := id(row)) in strips}
        return changed

    def _repaint(self, regions: list[Region]) -> None:
        # What refresh() does for a widget without style or layout changes, less two messages a panel and frame
        if not self.is_mounted or not self.is_attached:
            self.refresh(*regions)
            return
        screen = self.screen
        if not screen.is_running:
            return
        self._repaint_regions.update(regions)
        screen._dirty_widgets.add(self)
        screen._update_timer.resume()

    # -- drawing -----------------------------------------------------------------------------------
    def _content(self, width: int, height: int) -> list[Row]:
        return self.rows(self._snapshot, width, height) if self._snapshot is not None else []

    def _drawn(self, width: int, height: int) -> list[Row]:
        rows: list[Row] = []
        if self.error is None:
            try:
                rows = self._content(width, height)
            except Exception as error:
                self.error = error
                self.post_message(self.Failed(self, error))
        if self.error is not None:
            rows = _failure(self.error, self.name or type(self).__name__.lower(), height)
        blank: Row = ((" " * width, "text"),)
        return [row or blank for row in rows[:height]] + [blank] * (height - len(rows))

    def _current_palette(self) -> Palette:
        app = self.app
        variables, filters = app.theme_variables, tuple(self.get_line_filters())
        if variables is not self._palette.variables or filters != self._palette.filters:
            self._palette = Palette(variables, filters)
            self._strips.clear()
        return self._palette

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows of a region, each a finished string where it is wanted whole."""
        if not self.READY_MADE:
            return super().render_lines(crop)
        self._dirty_regions.clear()
        strips = self.strips(range(crop.y, crop.bottom))
        if crop.x or crop.width != self.size.width:
            return [strip.crop(crop.x, crop.right) for strip in strips]
        return strips

    def strips(self, lines: Iterable[int]) -> list[Strip]:
        """Return rows as finished strings, made once for as long as they do not change."""
        palette = self._current_palette()
        width, rows, made = self.size.width, self._rows, self._strips
        strips: list[Strip] = []
        for y in lines:
            row = rows[y] if y < len(rows) else ()
            held = made.get(id(row))
            if held is None or held[1].cell_length != width:
                held = (row, RowStrip(self._runs(row, width), width, palette))
                made[id(row)] = held
            strips.append(held[1])
        return strips

    def render_line(self, y: int) -> Strip:
        """Return one row as an ordinary Strip, by the documented line API."""
        row = self._rows[y] if y < len(self._rows) else ()
        width = self.size.width
        return plain_strip(self._runs(row, width), self._current_palette(), width)

    def _runs(self, row: Row, width: int) -> Row:
        rule = RULE if self._mark is None else ("┃", f"{self._mark[1]} bold")
        runs = (rule, *row) if self._ruled else row
        # Between a resize and the redraw that follows it, rows have the old width.
        return runs if sum([len(text) for text, _ in runs]) == width else fit(runs, width)

    # -- events ------------------------------------------------------------------------------------
    def on_resize(self, _event: Resize) -> None:
        """Draw again at the new size."""
        self.redraw(everything=True)

    def on_focus(self) -> None:
        """Show that the panel has the keys."""
        self.redraw()

    def on_blur(self) -> None:
        """Show that the panel no longer has the keys."""
        self.redraw()

    def action_retry(self) -> None:
        """Draw again after a failure."""
        self.error = None
        self.redraw(everything=True)

    @property
    def heading_style(self) -> str:
        """The style of the panel's heading: bright while it has the keys."""
        return "text bold" if self.has_focus else "dim"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer `retry` only to a panel that failed."""
        return self.error is not None if action == "retry" else True


class Beside(Horizontal):
    """Panels side by side; the screen's own background shows where they leave room."""

    def render_lines(self, crop: Region) -> list[Strip]:  # noqa: ARG002
        """Draw nothing: the compositor would divide a blank line for every row of every frame."""
        return []


class Stacked(Vertical):
    """Panels one above another; the screen's own background shows where they leave room."""

    def render_lines(self, crop: Region) -> list[Strip]:  # noqa: ARG002
        """Draw nothing, as `Beside`."""
        return []


def _regions(changed: list[int], width: int) -> list[Region]:
    regions: list[Region] = []
    start = last = changed[0]
    for y in changed[1:]:
        if y != last + 1:
            regions.append(Region(0, start, width, last + 1 - start))
            start = y
        last = y
    regions.append(Region(0, start, width, last + 1 - start))
    return regions


def _failure(error: Exception, name: str, height: int) -> list[Row]:
    lines: list[Row] = [
        ((f" the {name} panel could not be drawn", "alert-act bold"),),
        ((" " + clean(f"{type(error).__name__}: {error}")[:500], "text"),),
        ((" R tries again; everything else goes on", "dim"),),
    ]
    return ([()] * ((height - len(lines)) // 2) + lines)[:height] if height > len(lines) else lines[:height]

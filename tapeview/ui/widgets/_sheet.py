"""Sheet and Table: panels that draw what they were given, where there is no market to take a snapshot of."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel

Draw = Callable[[int, int], list[Row]]
"""Draws at a width and a height in cells."""


class Sheet(Panel, can_focus=False):
    """Rows that something else draws, at whatever size the sheet has."""

    def __init__(
        self,
        draw: Draw | None = None,
        *,
        ruled: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(ruled=ruled, name=name, id=id)
        self._draw = draw

    def tell(self, draw: Draw) -> None:
        """Draw this from now on."""
        self._draw = draw
        self.error = None
        self.redraw()

    def _content(self, width: int, height: int) -> list[Row]:
        return self._draw(width, height) if self._draw is not None else []


class Column(NamedTuple):
    """One column of a table."""

    title: str
    right: bool = False
    rank: int = 0
    """Where there is no room the columns of the highest ranks are left out."""


class Table(Panel):
    """Lines in columns, one of them under the cursor; as many columns as fit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", id="table.down"),
        Binding("up", "move(-1)", "Up", id="table.up"),
        Binding("pagedown,space", "page(1)", "A page down", id="table.page-down"),
        Binding("pageup", "page(-1)", "A page up", id="table.page-up"),
        Binding("home", "first", "To the first", id="table.first"),
        Binding("end", "last", "To the last", id="table.last"),
        Binding("enter", "open", "Open what the cursor is on", id="table.open"),
    ]

    class Opened(Message):
        """A line was chosen; `number` is its place among the lines."""

        def __init__(self, table: Table, number: int) -> None:
            super().__init__()
            self.table = table
            self.number = number

    def __init__(self, *, name: str | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name, id=id)
        self.at = 0
        """The line under the cursor."""
        self._top = 0
        self._columns: Sequence[Column] = ()
        self._lines: Sequence[Sequence[Run]] = ()
        self._longest: list[int] = []
        """Cells of the longest words of each column."""
        self._empty = ""
        self._sorted: tuple[int, bool] | None = None

    def fill(
        self,
        columns: Sequence[Column],
        lines: Sequence[Sequence[Run]],
        *,
        empty: str = "",
        ordered: tuple[int, bool] | None = None,
    ) -> None:
        """Show these lines, each a run a column; `ordered` is the column they are in the order of, and if falling."""
        self._columns, self._lines, self._empty, self._sorted = columns, lines, empty, ordered
        self._longest = [max((len(line[n][0]) for line in lines), default=0) for n in range(len(columns))]
        self.at = max(0, min(self.at, len(lines) - 1))
        self.error = None
        self.redraw()

    def _content(self, width: int, height: int) -> list[Row]:
        if not self._lines:
            return [((line, "dim"),) for line in textwrap.wrap(self._empty, max(10, width - 2), initial_indent=" ",
                                                               subsequent_indent=" ")]  # fmt: skip
        room = max(1, height - 1)
        self._top = min(max(0, min(self._top, self.at)), max(0, len(self._lines) - room))
        self._top = max(self._top, self.at - room + 1)
        widths = self._widths(width)
        shown = range(self._top, min(len(self._lines), self._top + room))
        return [self._head(widths), *(self._line(number, widths, width) for number in shown)]

    def _widths(self, width: int) -> dict[int, int]:
        """Cells of the columns that fit, by their places."""
        kept = {n: max(len(self._title(n)), cells) for n, cells in enumerate(self._longest)}
        while len(kept) > 1 and 2 + sum(kept.values()) + 2 * (len(kept) - 1) > width:
            del kept[max(kept, key=lambda n: (self._columns[n].rank, n))]
        return kept

    def _title(self, n: int) -> str:
        mark = "" if self._sorted is None or self._sorted[0] != n else "▾" if self._sorted[1] else "▴"
        return self._columns[n].title + mark

    def _head(self, widths: dict[int, int]) -> Row:
        runs: list[Run] = [("  ", "dim")]
        for place, (n, cells) in enumerate(widths.items()):
            title = self._title(n)
            words = title.rjust(cells) if self._columns[n].right else title.ljust(cells)
            sorted_by = self._sorted is not None and self._sorted[0] == n
            runs += [("  " if place else "", "dim"), (words, "text bold" if sorted_by else "dim")]
        return tuple(runs)

    def _line(self, number: int, widths: dict[int, int], width: int) -> Row:
        here = number == self.at
        ground = "@cursor" if here else ""
        runs: list[Run] = [("▸ " if here else "  ", "loud bold" + ground)]
        used = 2
        for place, (n, cells) in enumerate(widths.items()):
            words, style = self._lines[number][n]
            gap = "  " if place else ""
            runs += [(gap, "dim" + ground), (words.rjust(cells) if self._columns[n].right else words.ljust(cells),
                                             style + ground)]  # fmt: skip
            used += len(gap) + cells
        runs.append((" " * max(0, width - used), "text" + ground))
        return tuple(runs)

    # -- keys and mouse ----------------------------------------------------------------------------
    def _to(self, number: int) -> None:
        self.at = max(0, min(len(self._lines) - 1, number))
        self.redraw()

    def action_move(self, lines: int) -> None:
        """Move the cursor by lines."""
        self._to(self.at + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self._to(self.at + pages * max(1, self.size.height - 2))

    def action_first(self) -> None:
        """Move the cursor to the first line."""
        self._to(0)

    def action_last(self) -> None:
        """Move the cursor to the last line."""
        self._to(len(self._lines) - 1)

    def action_open(self) -> None:
        """Open the line under the cursor."""
        if self._lines:
            self.post_message(self.Opened(self, self.at))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the line under the mouse; on the line it is on, open that."""
        event.stop()
        number = self._top + event.y - 1
        if event.y >= 1 and number < len(self._lines):
            if number == self.at:
                self.action_open()
            else:
                self._to(number)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move the cursor up."""
        event.stop()
        self._to(self.at - 3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move the cursor down."""
        event.stop()
        self._to(self.at + 3)

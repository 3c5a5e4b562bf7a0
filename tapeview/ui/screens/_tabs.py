"""The line of instruments, where a session has several: a number, a symbol, and which one is shown."""

from __future__ import annotations

from textual.events import Click
from textual.message import Message

from tapeview import format as text
from tapeview.snapshot import Snapshot
from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel


class InstrumentTabs(Panel, can_focus=False):
    """Symbols side by side with the number that Alt takes; the one shown is marked and bright."""

    class Chosen(Message):
        """An instrument was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:  # noqa: ARG002
        """Draw the tabs around the one shown, as many as fit."""
        runs: list[Run] = []
        used = 0
        for _, mark, words, shown in self._cells(snapshot, width):
            runs += [(mark, "last bold" if shown else "dim"), (words, "loud bold" if shown else "dim")]
            used += len(mark) + len(words)
        return [(*runs, (" " * max(0, width - used), "dim"))]

    def _cells(self, snapshot: Snapshot, width: int) -> list[tuple[int, str, str, bool]]:
        status = snapshot.status
        cells = []
        for index, symbol in enumerate(status.instruments):
            shown = index == status.index
            number = str(index + 1) if index < 9 else " "
            cells.append((index, f" {'▸' if shown else ' '}{number} ", f"{text.clean(symbol)} ", shown))
        first = 0
        while first < status.index and sum(len(c[1]) + len(c[2]) for c in cells[first : status.index + 1]) > width:
            first += 1
        fitting, used = [], 0
        for cell in cells[first:]:
            used += len(cell[1]) + len(cell[2])
            if used > width:
                break
            fitting.append(cell)
        return fitting

    def on_click(self, event: Click) -> None:
        """Choose the tab under the mouse."""
        event.stop()
        x = 0
        for index, mark, words, _ in self._cells(self.snapshot, self.inner_width) if self.snapshot is not None else ():
            x += len(mark) + len(words)
            if event.x < x:
                self.post_message(self.Chosen(index + 1))
                return

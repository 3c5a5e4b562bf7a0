"""The session's time as a bar: volume over time, where the market is now, and how far seeking is exact."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Final

from textual import events
from textual.message import Message

from tapeview import format as text
from tapeview.format import LEVELS
from tapeview.snapshot import Snapshot, StatusPart
from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel

PLAYED: Final = "dim"
AHEAD: Final = "volume-bar"


class Timeline(Panel, can_focus=False):
    """Start and end times around a bar whose height is the volume; a click seeks.

    `┃` is now. What was played is bright, what lies ahead dim; where the background pass has not been yet, `·`.
    """

    ALLOW_SELECT: ClassVar[bool] = False
    DEFAULT_CSS = """
    Timeline { height: 1; }
    """

    class Seek(Message):
        """The user pointed at a time of the session."""

        def __init__(self, market_ns: int) -> None:
            super().__init__()
            self.market_ns = market_ns

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:  # noqa: ARG002
        """Draw the bar between its two times."""
        status = snapshot.status
        left, right = _times(status)
        cells = width - len(left) - len(right)
        if cells < 8:
            left = right = ""
            cells = width
        now = _fraction(status)
        at = None if now is None else min(cells - 1, int(now * cells))
        bar = _bar(status.timeline, status.indexed, cells)
        runs: list[Run] = [(left, "dim")]
        if at is None:
            runs.append((bar, AHEAD))
        else:
            runs += [(bar[:at], PLAYED), ("┃", "last bold"), (bar[at + 1 :], AHEAD)]
        return [(*runs, (right, "dim"))]

    def on_click(self, event: events.Click) -> None:
        """Seek to the time under the mouse."""
        event.stop()
        status = self.snapshot.status if self.snapshot is not None else None
        if status is None or status.start_ns is None or status.end_ns is None:
            return
        left, right = _times(status)
        x, cells = event.x - self.ruled - len(left), self.inner_width - len(left) - len(right)
        if cells < 8:
            x, cells = event.x - self.ruled, self.inner_width
        share = min(1.0, max(0.0, (x + 0.5) / max(1, cells)))
        self.post_message(self.Seek(status.start_ns + int(share * (status.end_ns - status.start_ns))))


def _times(status: StatusPart) -> tuple[str, str]:
    if status.start_ns is None or status.end_ns is None:
        return "", ""
    seconds = 8 if status.end_ns - status.start_ns < 3_600_000_000_000 else 5
    start, end = (
        text.clock(ns, millis=False, offset_s=status.utc_offset_s)[:seconds] for ns in (status.start_ns, status.end_ns)
    )
    return f" {start} ", f" {end} "


def _fraction(status: StatusPart) -> float | None:
    if status.start_ns is None or status.end_ns is None or status.market_ns is None:
        return None
    length = status.end_ns - status.start_ns
    return 0.0 if length <= 0 else min(1.0, max(0.0, (status.market_ns - status.start_ns) / length))


@lru_cache(maxsize=8)
def _bar(volumes: tuple[float, ...], indexed: float, cells: int) -> str:
    known = cells if indexed >= 1 else int(indexed * cells)
    if not volumes:
        return "─" * known + "·" * (cells - known)
    shown = []
    for cell in range(cells):
        start = cell * len(volumes) // cells
        end = max(start + 1, (cell + 1) * len(volumes) // cells)
        level = max(volumes[start:end])
        shown.append("·" if cell >= known else LEVELS[max(1, min(8, round(level * 8)))])
    return "".join(shown)

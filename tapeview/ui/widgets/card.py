"""The card: what a window too small for the trade screen still shows."""

from __future__ import annotations

from dataclasses import replace

from tapeview import format as text
from tapeview.snapshot import Snapshot, Window
from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel
from tapeview.ui.widgets.status import badge_of


class Card(Panel, can_focus=False):
    """Instrument, last trade, touch, delta, state and the last alert, for windows under 60x16."""

    def ask(self, window: Window) -> Window:
        """Ask for the smallest ladder that tells the touch."""
        return replace(window, rows=max(window.rows, 1))

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Draw a line a fact, the most important first, centred where there is room."""
        status, ladder, scale = snapshot.status, snapshot.ladder, snapshot.scale
        badge, style = badge_of(status)
        lines: list[list[Run]] = [[(text.clean(status.instrument), "loud bold")], [(badge.strip(), style)]]
        if ladder is not None:
            if ladder.last_tick is not None:
                arrow = "•▲▼"[ladder.last_direction]
                ink = {1: "buy bold", -1: "sell bold"}.get(ladder.last_direction, "last bold")
                lines.insert(1, [(f"{text.ladder_price(scale, ladder.last_tick)} {arrow}", ink)])
            bid, ask = (
                "–" if tick is None else text.ladder_price(scale, tick) for tick in (ladder.best_bid, ladder.best_ask)
            )
            lines.insert(2, [(bid, "bid"), (" x ", "dim"), (ask, "ask")])
        if snapshot.meters is not None:
            lines.append([("delta ", "dim"), (text.signed(text.size(scale, snapshot.meters.delta)), "text")])
        lines.append([(text.clock(status.market_ns, millis=False, offset_s=status.utc_offset_s), "dim")])
        if snapshot.alerts is not None and snapshot.alerts.lines:
            lines.append([(text.clean(snapshot.alerts.lines[0].text), "alert-warn")])
        lines.append([("needs 60x16 for the ladder", "dim")])
        shown = lines[:height]
        top = (height - len(shown)) // 2
        return [()] * top + [_centre(line, width) for line in shown]


def _centre(line: list[Run], width: int) -> Row:
    length = sum(len(run[0]) for run in line)
    left = max(0, (width - length) // 2)
    return ((" " * left, "text"), *line)

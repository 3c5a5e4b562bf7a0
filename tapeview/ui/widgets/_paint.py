"""Painter: what panels changed goes to the terminal in one write, without composing the whole screen again.

Textual's compositor cuts every line of the changed area at every widget's edge. Where nothing lies over a panel and
no layout is due, its changed rows are whole pieces of the screen already: they are written where they belong.
Everything else (a popup, a screen above, a new layout) is left to the compositor, which has the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from rich.console import Console
from textual._compositor import CompositorUpdate
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tapeview.snapshot import Snapshot
from tapeview.ui.widgets._panel import Panel


class RowsUpdate(CompositorUpdate):
    """Whole rows of panels and where they go: (column, line, row)."""

    def __init__(self, rows: list[tuple[int, int, Strip]]) -> None:
        self.rows = rows

    def render_segments(self, console: Console) -> str:
        """Return the escape sequences that write the rows."""
        parts: list[str] = []
        for x, y, strip in self.rows:
            parts += (f"\x1b[{y + 1};{x + 1}H", strip.render(console))
        return "".join(parts)


class Painter:
    """Show snapshots on the panels of one screen."""

    def __init__(self, screen: Screen[Any]) -> None:
        self._screen = screen
        self._seen: dict[Widget, tuple[Region, Region]] | None = None
        self._places: dict[Widget, Region] = {}

    def show(self, panels: Iterable[Panel], snapshot: Snapshot) -> None:
        """Draw a snapshot on panels and write the rows that changed."""
        places = self._free()
        rows: list[tuple[int, int, Strip]] = []
        for panel in panels:
            place = places.get(panel)
            if place is None or place.size != panel.size:
                panel.show(snapshot)
                continue
            changed = panel.draw(snapshot)
            if changed is not None:
                x, top = place.offset
                rows += [(x, top + y, strip) for y, strip in zip(changed, panel.strips(changed), strict=True)]
        if rows:
            self._screen.app._display(self._screen, cast("Any", RowsUpdate(rows)))  # it writes any CompositorUpdate

    def _free(self) -> dict[Widget, Region]:
        # The panels that may be written straight to the terminal, with their places on it.
        screen = self._screen
        app, compositor = screen.app, screen._compositor
        if (
            app.screen is not screen
            or app._batch_count
            or app.is_inline
            or screen._layout_required
            or screen._scroll_required
            or screen._repaint_required
            or screen.size != compositor.size
        ):
            return {}
        visible = compositor.visible_widgets  # a new mapping after every layout
        if visible is not self._seen:
            self._seen, self._places = visible, _uncovered(visible)
        return self._places


def _uncovered(visible: dict[Widget, tuple[Region, Region]]) -> dict[Widget, Region]:
    places: dict[Widget, Region] = {}
    above: list[Region] = []
    for widget, (region, clip) in visible.items():  # front to back
        shown = region.intersection(clip)
        if (
            isinstance(widget, Panel)
            and widget.READY_MADE
            and shown == region
            and not any(other.overlaps(region) for other in above)
        ):
            places[widget] = region
        above.append(shown)
    return places

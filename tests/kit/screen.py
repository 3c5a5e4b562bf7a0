"""Widgets on a screen of their own, and what they drew as text and style names.

A dump has two lines a row: the text between bars, and under it the styles as `name*cells`. Golden dumps lie beside the
tests; TAPEVIEW_GOLDEN=write makes them anew, to be read before they are kept.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.widget import Widget

from tapeview.snapshot import Snapshot
from tapeview.ui.themes import THEMES, variable_defaults
from tapeview.ui.widgets._palette import Row
from tapeview.ui.widgets._panel import Panel


class Stage(App[None]):
    """An app that shows the given widgets from top to bottom, in one of our themes."""

    CSS = "Screen { background: $background; layout: vertical; }"

    def __init__(self, *widgets: Widget, theme: str = "dark", css: str = "") -> None:
        self._widgets, self._wanted = widgets, theme
        if css:
            self.CSS = type(self).CSS + css  # type: ignore[misc]
        super().__init__()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults()

    def compose(self) -> ComposeResult:
        yield from self._widgets

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self._wanted


def drawn(
    panel: Panel, *snapshots: Snapshot, size: tuple[int, int], act: Callable[[Any], None] | None = None
) -> list[Row]:
    """Show snapshots to a panel filling a screen of this size and return its rows; `act` comes before the last."""

    async def run() -> list[Row]:
        panel.styles.height = size[1]
        async with Stage(panel).run_test(size=size):
            for index, snapshot in enumerate(snapshots):
                if act is not None and index == len(snapshots) - 1:
                    act(panel)
                panel.show(snapshot)
            if panel.error is not None:
                raise panel.error
            return panel.dump()

    return asyncio.run(run())


def drawn_each(panel: Panel, snapshots: Iterable[Snapshot], *, size: tuple[int, int]) -> list[list[Row]]:
    """Show snapshots one after another and return the rows after each."""

    async def run() -> list[list[Row]]:
        panel.styles.height = size[1]
        found = []
        async with Stage(panel).run_test(size=size):
            for snapshot in snapshots:
                panel.show(snapshot)
                found.append(panel.dump())
            if panel.error is not None:
                raise panel.error
        return found

    return asyncio.run(run())


def lines(rows: Iterable[Row]) -> list[str]:
    """The text of rows."""
    return ["".join(text for text, _ in row) for row in rows]


def dump(rows: Iterable[Row]) -> str:
    """Rows as text and style names."""
    out = []
    for row in rows:
        merged: list[list[Any]] = []
        for text, style in row:
            if not text:
                continue
            if merged and merged[-1][0] == style:
                merged[-1][1] += len(text)
            else:
                merged.append([style, len(text)])
        out.append("|" + "".join(text for text, _ in row) + "|")
        out.append("    " + "  ".join(f"{style}*{count}" for style, count in merged))
    return "\n".join(out) + "\n"


def assert_golden(test_file: str, name: str, rows: Iterable[Row]) -> None:
    """Compare rows with the golden dump of this name beside the test."""
    path = Path(test_file).parent / "golden" / f"{name}.txt"
    text = dump(rows)
    if os.environ.get("TAPEVIEW_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), (
        f"no golden dump {path.name}: look at the rows, then write it with TAPEVIEW_GOLDEN=write\n{text}"
    )
    assert text == path.read_text(encoding="utf-8")


def assert_aligned(rows: list[Row], width: int) -> None:
    """Every row is exactly the panel's width, of characters one cell wide, none of them a control character."""
    for line in lines(rows):
        assert len(line) == width, line
        assert cell_len(line) == width, line
        assert line.isprintable(), line


def screen_cells(app: App[Any]) -> list[list[tuple[str, Any]]]:
    """Every cell of the app's screen as (character, Rich style), as the compositor joins it."""
    return [cells(strip) for strip in app.screen._compositor.render_strips()]


def cells(segments: Iterable[Segment]) -> list[tuple[str, Any]]:
    """Segments as one (character, style) a cell."""
    return [(character, segment.style) for segment in segments for character in segment.text]

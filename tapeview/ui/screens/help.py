"""The help screen: every key that does something, as declared where it acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Static

_COLUMN: Final = 58
"""Least cells of a column: the longest action and its keys."""
_KEYS: Final = 13


class HelpScreen(Screen[None]):
    """List what the keys do, in as many columns as fit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "app.pop_screen", "Back", id="help.back"),
        Binding("down,j", "scroll(1)", "Down", id="help.down"),
        Binding("up", "scroll(-1)", "Up", id="help.up"),
        Binding("pagedown,space", "page(1)", "A page down", id="help.page-down"),
        Binding("pageup", "page(-1)", "A page up", id="help.page-up"),
    ]

    def __init__(self, keymap: Mapping[str, str], *, ascii_only: bool = False) -> None:
        super().__init__()
        from tapeview.ui.keys import table

        self._table = table(keymap, ascii_only=ascii_only)

    def compose(self) -> ComposeResult:
        """A heading and one scrolled text."""
        yield Static(Content.assemble((" Keys", "$loud bold"), ("   Esc goes back", "$dim")), id="help-title")
        with VerticalScroll(id="help-body", can_focus=False):
            yield Static("", id="help-text")

    def on_resize(self, event: Resize) -> None:
        """Lay the columns out again."""
        self.query_one("#help-text", Static).update(self.text(event.size.width - 3))

    def text(self, width: int) -> Content:
        """The whole table at a width in cells."""
        columns = max(1, width // _COLUMN)
        each = width // columns
        blocks = [_block(title, rows, each) for title, rows in self._table]
        # Blocks keep their order and go down one column after the other, about equally high.
        whole = sum(len(block) for block in blocks)
        stacks: list[list[Content]] = [[]]
        for block in blocks:
            if stacks[-1] and len(stacks[-1]) + len(block) / 2 > whole / columns and len(stacks) < columns:
                stacks.append([])
            stacks[-1] += block
        height = max(len(stack) for stack in stacks)
        blank = Content(" " * each)
        lines = [
            Content("").join([stack[y] if y < len(stack) else blank for stack in stacks]).rstrip()
            for y in range(height)
        ]
        return Content("\n").join(lines)

    def action_scroll(self, lines: int) -> None:
        """Move by lines."""
        self.query_one("#help-body", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Move by pages."""
        body = self.query_one("#help-body", VerticalScroll)
        body.scroll_relative(y=pages * max(1, body.size.height - 2), animate=False)


def _block(title: str, rows: Sequence[tuple[str, str]], width: int) -> list[Content]:
    lines = [Content.styled(title.ljust(width), "$last bold")]
    for keys, text in rows:
        room = max(1, width - _KEYS - 1)
        lines.append(Content.assemble((keys.rjust(_KEYS) + " ", "$loud"), (text[:room].ljust(room), "$text")))
    lines.append(Content(" " * width))
    return lines

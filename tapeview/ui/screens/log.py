"""The log of a live market: what happened to connections, books and the disk, newest first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from tapeview import format as text

if TYPE_CHECKING:
    from tapeview.live import LiveMarket
    from tapeview.livelane import News

_MOST: Final = 500
"""Lines shown."""
_EACH_S: Final = 0.5


class LogScreen(Screen[None]):
    """List what happened, as it happens."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,L", "app.pop_screen", "Back", id="log.back"),
        Binding("down", "scroll(1)", "Down", id="log.down"),
        Binding("up", "scroll(-1)", "Up", id="log.up"),
        Binding("pagedown,space", "page(1)", "A page down", id="log.page-down"),
        Binding("pageup", "page(-1)", "A page up", id="log.page-up"),
    ]

    def __init__(self, market: LiveMarket) -> None:
        super().__init__()
        self._market = market
        self._shown = (-1, -1)

    def compose(self) -> ComposeResult:
        """A heading and one scrolled text."""
        about = "   newest first, times in UTC   Esc goes back"
        title = Content.assemble((" Connections", "$loud bold"), (about, "$dim"))
        yield Static(title, id="log-title")
        with VerticalScroll(id="log-body", can_focus=False):
            yield Static("", id="log-text")

    def on_mount(self) -> None:
        """Tell what there is, and go on telling."""
        self.set_interval(_EACH_S, self.tell)

    def on_resize(self) -> None:
        """Wrap anew."""
        self._shown = (-1, -1)
        self.tell()

    def tell(self) -> None:
        """Show what came since."""
        if self._shown == (self._market.told, self.size.width):
            return
        self._shown = (self._market.told, self.size.width)
        newest = list(reversed(self._market.news_since(0)))[:_MOST]
        self.query_one("#log-text", Static).update(written(newest, max(20, self.size.width - 3)))

    def action_scroll(self, lines: int) -> None:
        """Move by lines."""
        self.query_one("#log-body", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Move by pages."""
        body = self.query_one("#log-body", VerticalScroll)
        body.scroll_relative(y=pages * max(1, body.size.height - 2), animate=False)


def written(lines: Iterable[News], width: int) -> Content:
    """Lines of the log as text, wrapped under their times."""
    out: list[Content] = []
    for line in lines:
        clock = text.clock(line.wall_ns)
        words = textwrap.wrap(f"{text.clean(line.where)}: {text.clean(line.text)}", max(10, width - 14)) or [""]
        mark = "!" if line.loud else " "
        style = "$alert-warn" if line.loud else "$text"
        for number, part in enumerate(words):
            head = f"{clock} {mark}" if number == 0 else " " * (len(clock) + 2)
            out.append(Content.assemble((f" {head}", "$dim"), (part, style)))
    return Content("\n").join(out) if out else Content.styled(" nothing has happened yet", "$dim")

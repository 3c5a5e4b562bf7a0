"""The explanation of an alert, over the market: rule, evidence, thresholds, calibration, the market then, its story."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Static

from tapeview import format as text
from tapeview.ui.widgets.alerts import GRADES, SIDES

if TYPE_CHECKING:
    from tapeview.alert import Alert
    from tapeview.explanation import Explanation

WORDS_WIDTH: Final = 54
"""Least cells of the words where the market stands beside them, not below."""
WIDEST: Final = 150
"""Cells that the explanation takes at most."""
_GAP: Final = 3
_FRAME_WIDTH: Final = 7
"""Cells of border, margins and scroll bar."""
_FRAME_HEIGHT: Final = 4
"""Rows of border, heading and keys."""


class ExplainScreen(ModalScreen[bool]):
    """Say why an alert was told; dismissed with True where it is to be replayed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,e,enter", "done", "Back to the market", id="explain.back"),
        Binding("r", "replay", "Replay from 10 s before", id="explain.replay"),
        Binding("down,j", "scroll(1)", "Down", id="explain.down"),
        Binding("up", "scroll(-1)", "Up", id="explain.up"),
        Binding("pagedown,space", "page(1)", "A page down", id="explain.page-down"),
        Binding("pageup", "page(-1)", "A page up", id="explain.page-up"),
    ]

    def __init__(self, explanation: Explanation, offset_s: int = 0) -> None:
        super().__init__()
        self.explanation = explanation
        self._offset_s = offset_s

    def compose(self) -> ComposeResult:
        """A heading, one scrolled text, and the keys."""
        with Vertical(id="explain"):
            yield Static(heading(self.explanation), id="explain-title")
            with VerticalScroll(id="explain-body", can_focus=False):
                yield Static("", id="explain-text")
            yield Static(
                Content.assemble(
                    (" r", "$text bold"), (" replay  ", "$dim"), ("PgDn", "$text bold"), (" more  ", "$dim"),
                    ("Esc", "$text bold"), (" back", "$dim"),
                ),
                id="explain-keys",
            )  # fmt: skip

    def on_resize(self, event: Resize) -> None:
        """Lay the text out again."""
        shown = lines(self.explanation, min(event.size.width, WIDEST) - _FRAME_WIDTH, self._offset_s)
        self.query_one("#explain-text", Static).update(Content("\n").join(shown))
        body = self.query_one("#explain-body", VerticalScroll)
        body.styles.height = max(1, min(len(shown) + 1, event.size.height - _FRAME_HEIGHT))

    def action_done(self) -> None:
        """Close the explanation."""
        self.dismiss(False)

    def action_replay(self) -> None:
        """Close the explanation and replay the alert."""
        self.dismiss(True)

    def action_scroll(self, lines: int) -> None:
        """Move by lines."""
        self.query_one("#explain-body", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Move by pages."""
        body = self.query_one("#explain-body", VerticalScroll)
        body.scroll_relative(y=pages * max(1, body.size.height - 2), animate=False)


def heading(explanation: Explanation) -> Content:
    """Which alert it is, in a line."""
    newest = explanation.story[-1]
    signs, loud = GRADES[max(0, min(newest.grade, 3))]
    method = f" · {explanation.method}" if explanation.method else ""
    return Content.assemble(
        (f" {signs} ", _style(loud)), (explanation.title, "$loud bold"),
        (f"{method} · {text.clean(explanation.instrument)} · tier {newest.tier}", "$dim"),
    )  # fmt: skip


def lines(explanation: Explanation, width: int, offset_s: int = 0) -> list[Content]:
    """The whole explanation as lines of at most `width` cells, times `offset_s` ahead of UTC."""
    market = _market(explanation, offset_s)
    left_width = width - max(line.cell_length for line in market) - _GAP
    if left_width >= WORDS_WIDTH:
        return _beside(_words(explanation, left_width, offset_s), market, left_width)
    return [*_words(explanation, width, offset_s), Content(""), *market]


def _beside(left: list[Content], right: list[Content], left_width: int) -> list[Content]:
    height = max(len(left), len(right))
    blank = Content("")
    left, right = left + [blank] * (height - len(left)), right + [blank] * (height - len(right))
    return [
        Content("").join([one.pad_right(left_width - one.cell_length + _GAP), other]).rstrip()
        for one, other in zip(left, right, strict=True)
    ]


def _style(name: str) -> str:
    ink, _, rest = name.partition(" ")
    return f"${ink} {rest}".rstrip()


def _head(title: str) -> Content:
    return Content.styled(title, "$last bold")


def _wrapped(words: str, width: int, style: str = "$text") -> list[Content]:
    return [Content.styled(line, style) for line in textwrap.wrap(words, max(10, width))]


def _words(explanation: Explanation, width: int, offset_s: int) -> list[Content]:
    out = [_head("What was told")]
    for alert in explanation.story:
        out += _step(alert, width, offset_s)
    out += [Content(""), _head("The rule"), *_wrapped(explanation.rule.replace("`", ""), width)]
    out += [Content(""), _head("What was measured"), *_evidence(explanation, width)]
    out += [Content(""), _head("Thresholds"), *_thresholds(explanation, width)]
    out += [Content(""), _head("How sure"), *_wrapped(explanation.calibration, width)]
    return out


def _step(alert: Alert, width: int, offset_s: int) -> list[Content]:
    when = text.clock(alert.recv_ns, offset_s=offset_s)
    signs, loud = GRADES[max(0, min(alert.grade, 3))]
    phase = f"{alert.phase}: {alert.reason}" if alert.reason else alert.phase
    side, ink = SIDES.get(alert.side, ("", "dim"))
    head = Content.assemble(
        (when + "  ", "$dim"), (signs.ljust(3) + " ", _style(loud)), (phase, "$text bold"), ("  ", "$dim"),
        (side, _style(ink)), (f"  seq {alert.seq}", "$dim"),
        ("  held back: the hour's budget was spent" if alert.held else "", "$dim"),
    )  # fmt: skip
    told = textwrap.wrap(text.clean(alert.text), max(10, width - 4))
    return [head, *(Content.styled("    " + line, "$text") for line in told)]


def _evidence(explanation: Explanation, width: int) -> list[Content]:
    found = explanation.evidence
    if not found:
        return [Content.styled("nothing", "$dim")]
    name_width = max(len(name) for name, _ in found)
    value_width = max(len(value) for _, value in found)
    each = name_width + value_width + 4
    columns = max(1, min(3, (width + 2) // each))
    rows = -(-len(found) // columns)
    out = []
    for y in range(rows):
        parts: list[tuple[str, str]] = []
        for name, value in found[y::rows]:
            parts += [(name.ljust(name_width) + " ", "$dim"), (value.rjust(value_width) + "   ", "$text bold")]
        out.append(Content.assemble(*parts).rstrip())
    return out


def _thresholds(explanation: Explanation, width: int) -> list[Content]:
    applied = explanation.thresholds
    names = max((len(one.name) for one in applied), default=0)
    values = max((len(one.value) for one in applied), default=0)
    out = []
    for one in applied:
        bounds = f"{one.least} to {one.most}"
        parts = [
            (one.name.ljust(names) + " ", "$text"),
            (one.value.rjust(values), "$alert-warn bold" if one.changed else "$text bold"),
            (f"  default {one.default}" if one.changed else "  the default", "$dim"),
            (f"  {bounds}", "$dim"),
        ]
        head = Content.assemble(*parts)
        below: list[str] = []
        # What has no room beside the value is told below it, never cut.
        for words in filter(None, (text.clean(one.source), one.text)):
            if not below and head.cell_length + 2 + Content(words).cell_length <= width:
                head = Content.assemble(head, ("  " + words, "$dim"))
            else:
                below += textwrap.wrap(words, max(10, width - 4))
        out.append(head.truncate(width, ellipsis=True))
        out += [Content.styled("    " + line, "$dim") for line in below]
    return out


def _market(explanation: Explanation, offset_s: int) -> list[Content]:
    if explanation.market is None:
        return [_head("The market then"), Content.styled("not kept for this alert", "$dim")]
    book = [_head("The book then"), *_book(explanation)]
    prints = [_head("The last prints"), *_prints(explanation, offset_s)]
    return _beside(book, prints, max(line.cell_length for line in book))


def _book(explanation: Explanation) -> list[Content]:
    market, scale = explanation.market, explanation.scale
    if market is None or market.bids is None or market.asks is None:
        return [Content.styled("not known any more", "$dim")]
    levels = [("ask", tick, lots) for tick, lots in reversed(market.asks)]
    levels += [("bid", tick, lots) for tick, lots in market.bids]
    if not levels:
        return [Content.styled("empty", "$dim")]
    prices = max(len(text.ladder_price(scale, tick)) for _, tick, _ in levels)
    first = explanation.story[0]
    meant = [tick for tick in (first.tick, first.tick_to) if tick is not None]
    out = []
    for side, tick, lots in levels:
        here = bool(meant) and min(meant) <= tick <= max(meant)
        size = text.size(scale, lots).rjust(6)
        price = text.ladder_price(scale, tick).rjust(prices)
        bid, ask = (size, " " * 6) if side == "bid" else (" " * 6, size)
        out.append(
            Content.assemble(
                ("▸" if here else " ", "$loud bold"), (bid, "$bid"), ("  " + price, "$loud bold" if here else "$text"),
                (" " + ask, "$ask"),
            )
        )  # fmt: skip
    return out


def _prints(explanation: Explanation, offset_s: int) -> list[Content]:
    market, scale = explanation.market, explanation.scale
    if market is None or not market.prints:
        return [Content.styled("none yet", "$dim")]
    prices = max(len(text.ladder_price(scale, tick)) for _, tick, _, _ in market.prints)
    out = []
    for recv_ns, tick, lots, side in market.prints:
        arrow, ink = {1: ("▲", "$buy"), -1: ("▼", "$sell")}.get(side, ("◦", "$text"))
        when = text.clock(recv_ns, offset_s=offset_s)[3:]
        out.append(
            Content.assemble(
                (when + " ", "$dim"), (f"{arrow} {text.ladder_price(scale, tick).rjust(prices)}", ink),
                (text.size(scale, lots).rjust(6), ink),
            )
        )  # fmt: skip
    return out

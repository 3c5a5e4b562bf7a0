"""A trade's story: what was decided and on what sight, the orders it made, their fills, and what came of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Static

from feeds.instruments import Grid
from tapeview import format as text
from tapeview import journal, ledger
from tapeview.desk.records import (
    PESSIMIST,
    AnyRecord,
    Changed,
    Closed,
    Decided,
    Filled,
    Noted,
    Refused,
    Sent,
    Told,
)  # fmt: skip
from tapeview.journal import About
from tapeview.ledger import Row
from tapeview.ui.screens._journal_rows import moment, share, signed

_KINDS: Final = (Decided, Sent, Changed, Filled, Closed, Noted, Refused, Told)
WIDEST: Final = 120
_FRAME_WIDTH: Final = 7
_FRAME_HEIGHT: Final = 4


class Story(msgspec.Struct, frozen=True):
    """A trade with the records that tell of it, in order."""

    row: Row
    about: About
    decision: Decided | None
    records: tuple[AnyRecord, ...]
    """Orders, fills and what was said from the decision to the close, of the view the account follows."""

    @property
    def at_ns(self) -> int:
        """The moment of the decision, or of the opening where there was none."""
        return self.decision.recv_ns if self.decision is not None else self.row.opened_ns


def read(path: Path, row: Row) -> Story:
    """Read a trade's story from the journal; raises BadInput where that cannot be."""
    with journal.reading(path) as db:
        run = next(one for one in journal.runs(db) if one.id == row.run)
        found = list(journal.records(db, row.run, _KINDS))
    decision = next((r for r in found if isinstance(r, Decided) and r.number == row.decision), None)
    begin = decision.seq if decision is not None else row.opened_seq
    told = tuple(r for r in found if _tells(r, row, begin))
    return Story(row, journal.about_of(run), decision, told)


def _tells(record: AnyRecord, row: Row, begin: int) -> bool:
    inside = begin <= record.seq <= row.closed_seq and record.inst == row.inst
    match record:
        case Sent() | Filled() | Changed():
            return record.view == PESSIMIST and inside
        case Closed():
            return record.view == PESSIMIST and record.trade == row.trade and record.inst == row.inst
        case Noted():
            return row.decision is not None and record.number == row.decision
        case Refused() | Told():
            return inside
        case _:
            return False


class StoryScreen(ModalScreen[bool]):
    """Tell a trade's story; dismissed with True where it is to be replayed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "done", "Back to the journal", id="story.back"),
        Binding("r", "replay", "Replay from 10 s before the decision", id="story.replay"),
        Binding("down,j", "scroll(1)", "Down", id="story.down"),
        Binding("up", "scroll(-1)", "Up", id="story.up"),
        Binding("pagedown,space", "page(1)", "A page down", id="story.page-down"),
        Binding("pageup", "page(-1)", "A page up", id="story.page-up"),
    ]

    def __init__(self, story: Story) -> None:
        super().__init__()
        self.story = story

    def compose(self) -> ComposeResult:
        """A heading, one scrolled text, and the keys."""
        with Vertical(id="story"):
            yield Static(heading(self.story.row), id="story-title")
            with VerticalScroll(id="story-body", can_focus=False):
                yield Static("", id="story-text")
            keys = (("r", "replay from 10 s before"), ("PgDn", "more"), ("Esc", "back"))
            parts = [piece for key, word in keys for piece in ((f" {key}", "$text bold"), (f" {word} ", "$dim"))]
            yield Static(Content.assemble(*parts), id="story-keys")

    def on_resize(self, event: Resize) -> None:
        """Lay the text out again."""
        shown = lines(self.story, min(event.size.width, WIDEST) - _FRAME_WIDTH)
        self.query_one("#story-text", Static).update(Content("\n").join(shown))
        body = self.query_one("#story-body", VerticalScroll)
        body.styles.height = max(1, min(len(shown) + 1, event.size.height - _FRAME_HEIGHT))

    def action_done(self) -> None:
        """Close the story."""
        self.dismiss(False)

    def action_replay(self) -> None:
        """Close the story and replay the trade."""
        self.dismiss(True)

    def action_scroll(self, lines: int) -> None:
        """Move by lines."""
        self.query_one("#story-body", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Move by pages."""
        body = self.query_one("#story-body", VerticalScroll)
        body.scroll_relative(y=pages * max(1, body.size.height - 2), animate=False)


def heading(row: Row) -> Content:
    """Which trade it is, in a line."""
    arrow, ink = ("▲", "$buy") if row.side == "long" else ("▼", "$sell")
    result = f"{signed(row.r)} R" if row.r is not None else text.signed(row.net)
    return Content.assemble(
        (f" {arrow} ", ink), (f"{row.side} {row.lots} {text.clean(row.instrument)}", "$loud bold"),
        (f"  {result}", "$loud bold"), (f"  run {row.run}, trade {row.trade}", "$dim"),
        ("  hindsight" if row.hindsight else "", "$alert-warn"),
    )  # fmt: skip


def lines(story: Story, width: int) -> list[Content]:
    """The whole story as lines of at most `width` cells, times in UTC."""
    tick, lot = ledger.grids_of(story.about, story.row.inst)
    out = [_head("The decision")]
    if story.decision is None:
        out += _wrapped("none is known: the position came of a fill that followed no signal", width)
    else:
        out += _decision(story.decision, tick, lot, width)
    out += [Content(""), _head("Orders and fills, as they were certain")]
    called = {record.order: record.why or record.kind for record in story.records if isinstance(record, Sent)}
    for record in story.records:
        if not isinstance(record, Closed | Noted):
            out += _event(record, called, tick, lot, width)
    out += [Content(""), _head("What came of it"), *_outcome(story.row, width)]
    notes = [record for record in story.records if isinstance(record, Noted)]
    if notes:
        out += [Content(""), _head("Notes")]
        for note in notes:
            kept = {True: "plan followed: ", False: "plan left: ", None: ""}[note.followed]
            out += _wrapped(kept + text.clean(note.text), width)
    return out


def _decision(one: Decided, tick: Grid, lot: Grid, width: int) -> list[Content]:
    at = [
        ("at", f"{moment(one.recv_ns)}.{one.recv_ns // 1_000_000 % 1000:03d}  seq {one.seq}"),
        ("signal", f"{'buy' if one.side > 0 else 'sell'} {lot.text(one.lots) if one.lots else '(a call, no order)'}"),
        ("plan", _plan(one, tick)),
        ("setup", (one.setup or "none named") + ("" if one.sure is None else f", {share(one.sure)} sure")),
        ("note", one.note),
        ("book", f"{one.state}, {_price(tick, one.bid)} x {_price(tick, one.ask)}, "
                 f"{lot.text(one.bid_lots)} x {lot.text(one.ask_lots)}"),
        ("pressure", "" if one.imbalance is None else f"imbalance {signed(one.imbalance)}"),
        ("VWAP", "" if one.vwap_z is None else f"mid at {signed(one.vwap_z)} sigmas"),
        ("last alert", "" if not one.last_alert else one.last_alert
         + ("" if one.waited_ns is None else f", {one.waited_ns / 1e9:.1f} s before")),
    ]  # fmt: skip
    out: list[Content] = []
    for name, words in at:
        if words:
            out += _named(name, words, width)
    for alert in one.alerts:
        out += _named("on screen", alert, width)
    return out


def _plan(one: Decided, tick: Grid) -> str:
    entry = "at market" if one.entry_tick is None else f"entry {_price(tick, one.entry_tick)}"
    stop = "no stop" if one.stop_tick is None else f"stop {_price(tick, one.stop_tick)}"
    targets = " ".join(_price(tick, t) for t in one.target_ticks)
    return f"{entry}, {stop}, {'target ' + targets if targets else 'no target'}"


def _price(tick: Grid, value: int | None) -> str:
    return "–" if value is None else tick.text(value)


def _event(record: AnyRecord, called: Mapping[int, str], tick: Grid, lot: Grid, width: int) -> list[Content]:
    clock = text.clock(record.recv_ns)
    match record:
        case Sent():
            side = "buy" if record.side > 0 else "sell"
            price = "" if record.tick is None else f" {tick.text(record.tick)}"
            why = f" ({record.why})" if record.why else ""
            return _stamped(clock, f"sent {side} {lot.text(record.lots)} {record.kind}{price}{why}", "$text", width)
        case Changed():
            ahead = "" if record.ahead is None else f", {lot.text(record.ahead)} ahead"
            price = "" if record.tick is None else f" {tick.text(record.tick)}"
            why = f": {record.why}" if record.why else ""
            return _stamped(
                clock, f"{called.get(record.order, 'order')} {record.state}{price}{ahead}{why}", "$dim", width
            )
        case Filled():
            arrow, ink = ("▲ bought", "$buy") if record.side > 0 else ("▼ sold", "$sell")
            words = f"{arrow} {lot.text(record.lots)} at {tick.text(record.tick)} as {record.liquidity}, " \
                    f"fee {record.fee}, holds {_holds(record.position, lot)}"  # fmt: skip
            return _stamped(clock, words, ink, width)
        case Refused():
            return _stamped(clock, f"refused: {record.reason}", "$alert-warn", width)
        case Told():
            return _stamped(clock, record.text, "$text", width)
        case _:
            return []


def _holds(lots: int, lot: Grid) -> str:
    return "nothing" if not lots else f"{lot.text(abs(lots))} {'long' if lots > 0 else 'short'}"


def _outcome(row: Row, width: int) -> list[Content]:
    held = (row.closed_ns - row.opened_ns) / 1e9
    kinder = "" if row.hopeful_net in (None, row.net) else f"; {text.signed(str(row.hopeful_net))} if fills were kind"
    at = [
        ("result", f"{signed(row.r)} R, net {text.signed(row.net)}{kinder}"),
        ("costs", f"gross {text.signed(row.gross)}, fees {row.fees}"
                  + ("" if row.slippage is None else f", slippage {row.slippage}")),
        ("excursions", f"MAE {signed(row.mae_r)}, MFE {signed(row.mfe_r)}, ETD {signed(row.etd_r)} R"),
        ("held", f"{text.duration(int(held * 1e9))}, from {text.clock(row.opened_ns)} to {text.clock(row.closed_ns)}"),
        ("process", _process(row)),
    ]  # fmt: skip
    return [line for name, words in at for line in _named(name, words, width)]


def _process(row: Row) -> str:
    asked = (("planned", row.planned), ("size kept", row.size_kept), ("stop placed", row.stop_placed),
             ("plan followed", row.plan_followed))  # fmt: skip
    answers = ", ".join(f"{name} {'not known' if ok is None else 'yes' if ok else 'NO'}" for name, ok in asked)
    return f"{share(row.process)}: {answers}"


def _head(title: str) -> Content:
    return Content.styled(title, "$last bold")


def _wrapped(words: str, width: int, style: str = "$text") -> list[Content]:
    return [Content.styled(line, style) for line in textwrap.wrap(text.clean(words), max(10, width))]


def _named(name: str, words: str, width: int) -> list[Content]:
    return _hung(name.ljust(12), textwrap.wrap(text.clean(words), max(10, width - 12)), "$text")


def _stamped(clock: str, words: str, style: str, width: int) -> list[Content]:
    return _hung(clock + "  ", textwrap.wrap(text.clean(words), max(10, width - len(clock) - 2)), style)


def _hung(head: str, found: Sequence[str], style: str) -> list[Content]:
    heads: Iterable[str] = (head, *[" " * len(head)] * len(found))
    return [Content.assemble((left, "$dim"), (line, style)) for left, line in zip(heads, found, strict=False)]

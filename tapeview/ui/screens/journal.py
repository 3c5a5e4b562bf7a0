"""The journal screen: trades and their stories, what they say together and how sure, by groups, runs and drills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Input, Static

from feeds.errors import BadInput
from tapeview import ledger
from tapeview.drill.skill import Skill, skill
from tapeview.ledger import Figures, Row
from tapeview.ui.background import beside
from tapeview.ui.screens import _journal_rows as draw
from tapeview.ui.screens._filter import matching
from tapeview.ui.screens._journal_view import Contents, View, by_stop, look, read
from tapeview.ui.screens._story import Story, StoryScreen
from tapeview.ui.screens._story import read as read_story
from tapeview.ui.widgets._sheet import Column, Sheet, Table

if TYPE_CHECKING:
    from feeds.source import OpenOptions
    from tapeview.ui.app import StartPlan, TapeviewApp

PAGES: Final = ("trades", "figures", "groups", "runs", "drills")
_LEAD_NS: Final = 10_000_000_000
"""How long before its decision a trade is replayed from."""
_HINTS: Final = (
    ("Tab", "page"), ("Enter", "story"), ("/", "filter"), ("o", "order"), ("g", "group by"), ("h", "hindsight"),
    ("d", "drill"), ("w", "export"), ("Esc", "back"),
)  # fmt: skip


class JournalScreen(Screen[None]):
    """Show the journal's file as it is on disk, read beside the loop."""

    AUTO_FOCUS: ClassVar[str | None] = ""
    """The line that asks has the keys only while it asks."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back_out", "Close what is open, then the journal", id="journal.back"),
        Binding("q", "leave", "Leave the journal", id="journal.leave"),
        Binding("tab,right", "page(1)", "Next page", id="journal.next"),
        Binding("shift+tab,left", "page(-1)", "Previous page", id="journal.previous"),
        Binding("slash", "filter", "Show only some trades", id="journal.filter"),
        Binding("o", "order", "In the order of the next column", id="journal.order"),
        Binding("O", "reverse", "The other way round", id="journal.reverse"),
        Binding("g", "group", "Group by setup, detector, hour …", id="journal.group"),
        Binding("h", "hindsight", "Count trades made with hindsight, and back", id="journal.hindsight"),
        Binding("w", "export", "Write the trades shown to CSV or Parquet", id="journal.export"),
        Binding("d", "app.drill", "Begin a drill", id="journal.drill"),
        Binding("ctrl+r", "again", "Read the file again", id="journal.again"),
    ]

    def __init__(self, path: Path, plan: StartPlan) -> None:
        super().__init__()
        self.path = path
        self.page = PAGES[0]
        self.contents: Contents | None = None
        self.view: View | None = None
        self._plan = plan
        self._words = ""
        """The filter."""
        self._with_hindsight = False
        self._by = next(iter(ledger.BY))
        self._order, self._falling = 1, True
        self._asking = ""
        """What the line asks for: a filter or a file."""
        self._said = ("", "$text")
        self._listed: list[Row] = []
        self.groups: dict[str, Figures] = {}
        """The figures of each group, by what is grouped by."""
        self._skill: Skill | None = None
        self._skill_by: dict[str, Skill] = {}

    # -- picture -----------------------------------------------------------------------------------
    def compose(self) -> ComposeResult:
        """Title, pages, the body of each page, the line that asks, what was said, keys."""
        yield Static("", id="journal-title")
        yield Static("", id="journal-pages")
        with Container(id="journal-body"):
            yield Table(id="journal-trades", name="trades")
            yield Sheet(id="journal-line", name="equity")
            with Horizontal(id="journal-figures"):
                yield Sheet(id="journal-numbers", name="figures")
                with Container(id="journal-plots"):
                    yield Sheet(id="journal-equity", name="equity", ruled=True)
                    with Container(id="journal-pair"):
                        yield Sheet(id="journal-results", name="results", ruled=True)
                        yield Sheet(id="journal-excursions", name="excursions", ruled=True)
            yield Table(id="journal-groups", name="groups")
            yield Table(id="journal-runs", name="runs")
            yield Sheet(id="journal-drills", name="drills")
        with Horizontal(id="journal-ask"):
            yield Static("", id="journal-ask-label")
            yield Input(id="journal-ask-field", compact=True)
        yield Static("", id="journal-said")
        yield Static("", id="journal-keys")

    def on_mount(self) -> None:
        """Read the file."""
        self._turn(self.page)
        self.action_again()

    def on_screen_resume(self) -> None:
        """Drills may have been called meanwhile."""
        if self.contents is not None:
            self.action_again()

    def on_resize(self, event: Resize) -> None:
        """Take the composition that fits."""
        self.set_class(event.size.height < 30, "low")
        self.set_class(event.size.width < 116, "narrow")
        self.set_class(event.size.width >= 160, "wide")
        self._tell()

    def action_again(self) -> None:
        """Read the file again."""
        self.run_worker(self._read(), name="journal", exclusive=True)

    async def _read(self) -> None:
        try:
            self.contents = await beside(read, self.path)
        except BadInput as error:
            self.contents = self.view = None
            self._said = ("", "$text")
            self._empty(str(error))
            self._tell()
            return
        drilled = self.contents.drills
        self._skill = await beside(skill, drilled)
        self._skill_by = await beside(by_stop, drilled)
        await self._look()

    async def _look(self) -> None:
        """Make the view anew: another filter, or other contents."""
        if self.contents is None:
            return
        try:
            rows = matching(self.contents.rows, self._words)
            hopeful = matching(self.contents.hopeful, self._words)
        except BadInput as error:
            self._say(str(error), "$alert-warn")
            return
        self.view = await beside(look, rows, hopeful, self._with_hindsight)
        self._fill()
        await self._group()

    async def _group(self) -> None:
        if self.view is not None:
            self.groups = await beside(ledger.by, self.view.counted, self._by)
            self._fill_groups()

    def _empty(self, why: str) -> None:
        for name in ("trades", "groups", "runs"):
            self.query_one(f"#journal-{name}", Table).fill((), (), empty=why)
        for name in ("line", "equity", "results", "excursions"):
            self.query_one(f"#journal-{name}", Sheet).tell(lambda _width, _height: [])
        for name in ("numbers", "drills"):
            self.query_one(f"#journal-{name}", Sheet).tell(lambda width, _: draw.sentence(why, width))

    def _fill(self) -> None:
        view, contents = self.view, self.contents
        if view is None or contents is None:
            return
        self._fill_trades(view)
        equity = draw.curve(view.points)
        sheets = {
            "line": equity,
            "equity": equity,
            "numbers": lambda width, _: draw.figures(view.whole, view.losing, view.left_out, width, view.more),
            "results": draw.results(lambda step: view.bins[step]),
            "excursions": draw.excursions(view.dots),
            "drills": lambda width, _: draw.drills(self._skill, self._skill_by, width) if self._skill else [],
        }
        for name, made in sheets.items():
            self.query_one(f"#journal-{name}", Sheet).tell(made)
        counts: dict[int, int] = {}
        for row in contents.rows:
            counts[row.run] = counts.get(row.run, 0) + 1
        runs = [
            draw.run(one, contents.accounts.get(one.id, "?"), one.id in contents.seen, counts.get(one.id, 0))
            for one in reversed(contents.runs)
        ]
        self.query_one("#journal-runs", Table).fill(draw.RUNS, runs, empty="no run yet")
        self._tell()

    def _fill_trades(self, view: View) -> None:
        self._listed = draw.ordered(view.trades, self._order, self._falling)
        empty = "no trade is like that" if self._words else "no trade yet: arm with a on the trade screen, then b or s"
        self.query_one("#journal-trades", Table).fill(
            draw.TRADES, [draw.trade(one) for one in self._listed], empty=empty, ordered=(self._order, self._falling)
        )  # fmt: skip

    def _fill_groups(self) -> None:
        columns = (Column(self._by), *draw.GROUPS)
        lines = [draw.group(name, one) for name, one in self.groups.items()]
        self.query_one("#journal-groups", Table).fill(columns, lines, empty="no trade to group")

    def _tell(self) -> None:
        if not self.is_mounted:
            return
        self.query_one("#journal-title", Static).update(self._title())
        parts: list[tuple[str, str]] = []
        for name in PAGES:
            here = name == self.page
            parts += [(" ▸" if here else "  ", "$last bold"), (name, "$loud bold" if here else "$dim")]
        self.query_one("#journal-pages", Static).update(Content.assemble(*parts))
        self.query_one("#journal-said", Static).update(Content.styled(" " + self._said[0], self._said[1]))
        hints = list(_HINTS)
        while len(hints) > 1 and sum(len(key) + len(word) + 3 for key, word in hints) > self.size.width:
            del hints[-2]  # the way back is told last of all to go
        keys = Content.assemble(
            *(piece for key, word in hints for piece in ((f" {key}", "$text bold"), (f" {word} ", "$dim")))
        )
        self.query_one("#journal-keys", Static).update(keys)

    def _title(self) -> Content:
        view = self.view
        pieces: list[tuple[str, str]] = [(" Journal ", "$loud bold")]
        if view is not None:
            listed = len(view.trades)
            pieces.append((f" {listed} trade{'' if listed == 1 else 's'}", "$text"))
            if view.left_out:
                pieces.append((f", {view.left_out} with hindsight not counted", "$alert-warn"))
            if self._with_hindsight:
                pieces.append((", hindsight counted", "$alert-warn"))
            if view.whole.grey and view.whole.trades:
                pieces.append((f"  {draw.FEW_WORD}", "$alert-warn bold"))
        if self._words:
            pieces.append((f"  only {self._words}", "$last"))
        if self.page == "groups":
            pieces.append((f"  by {self._by}", "$last"))
        return Content.assemble(*pieces).truncate(max(1, self.size.width), ellipsis=True)

    def _say(self, words: str, style: str = "$text") -> None:
        self._said = (words, style)
        self._tell()

    def _turn(self, page: str) -> None:
        self.page = page
        for name in PAGES:
            self.set_class(name == page, f"page-{name}")
        tables = {"trades": "#journal-trades", "groups": "#journal-groups", "runs": "#journal-runs"}
        if page in tables:
            self.query_one(tables[page], Table).focus()
        else:
            self.set_focus(None)
        self._tell()

    # -- keys --------------------------------------------------------------------------------------
    def action_page(self, step: int) -> None:
        """Turn to the next page (1) or the previous one (-1)."""
        self._turn(PAGES[(PAGES.index(self.page) + step) % len(PAGES)])

    def action_order(self) -> None:
        """List the trades in the order of the next column."""
        self._order = (self._order + 1) % len(draw.TRADES)
        self._reorder()

    def action_reverse(self) -> None:
        """List them the other way round."""
        self._falling = not self._falling
        self._reorder()

    def _reorder(self) -> None:
        if self.view is not None:
            self._fill_trades(self.view)
            title = draw.TRADES[self._order].title
            self._say(f"in the order of {title}, {'the greatest' if self._falling else 'the least'} first")

    def action_group(self) -> None:
        """Group by the next of what trades can be told apart by."""
        names = list(ledger.BY)
        self._by = names[(names.index(self._by) + 1) % len(names)]
        self._turn("groups")
        self.run_worker(self._group(), name="groups", exclusive=True)

    def action_hindsight(self) -> None:
        """Count trades whose outcome had been on the screen before, or leave them out again."""
        self._with_hindsight = not self._with_hindsight
        self.run_worker(self._look(), name="view", exclusive=True)

    def action_filter(self) -> None:
        """Ask which trades to show."""
        self._ask("filter", " only ", "parts of words, or setup:fade account:practice detector:iceberg …", self._words)

    def action_export(self) -> None:
        """Ask for a file to write the trades to."""
        self._ask("export", " write to ", "a name ending .csv or .parquet", "")

    def _ask(self, what: str, label: str, hint: str, value: str) -> None:
        self._asking = what
        self.set_class(True, "asking")
        self.query_one("#journal-ask-label", Static).update(Content.styled(label, "$last"))
        field = self.query_one("#journal-ask-field", Input)
        field.placeholder, field.value = hint, value
        field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what was written."""
        event.stop()
        asked = self._asking
        self._close_line()
        if asked == "filter":
            self._words = event.value.strip()
            self._said = ("", "$text")
            self.run_worker(self._look(), name="view", exclusive=True)
        elif event.value.strip() and self.view is not None:
            self.run_worker(self._export(Path(event.value.strip()).expanduser(), self._listed), name="export")

    async def _export(self, path: Path, trades: Sequence[Row]) -> None:
        try:
            await beside(ledger.export, trades, path)
        except BadInput as error:
            self._say(str(error), "$alert-warn")
        else:
            self._say(f"{len(trades)} trades in {path}")

    def _close_line(self) -> None:
        self._asking = ""
        self.set_class(False, "asking")
        self._turn(self.page)

    def action_back_out(self) -> None:
        """Close the line that asks, then the journal."""
        if self._asking:
            self._close_line()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Go back to what was below."""
        cast("TapeviewApp", self.app).leave_screen()

    # -- stories -----------------------------------------------------------------------------------
    def on_table_opened(self, event: Table.Opened) -> None:
        """Tell a trade's story, or show the trades of a group or a run."""
        event.stop()
        if event.table.id == "journal-trades" and event.number < len(self._listed):
            self.run_worker(self._story(self._listed[event.number]), name="story", exclusive=True)
        elif event.table.id == "journal-groups" and event.number < len(self.groups):
            self._only(self._by, list(self.groups)[event.number])
        elif event.table.id == "journal-runs" and self.contents is not None:
            self._only("run", str(self.contents.runs[-1 - event.number].id))

    def _only(self, what: str, name: str) -> None:
        self._words = f"{what}:{name}".replace(" ", "_")
        self._turn("trades")
        self.run_worker(self._look(), name="view", exclusive=True)

    async def _story(self, row: Row) -> None:
        try:
            story = await beside(read_story, self.path, row)
        except BadInput as error:
            self._say(str(error), "$alert-warn")
            return

        def closed(replayed: bool | None) -> None:
            if replayed:
                self._replay(story)

        self.app.push_screen(StoryScreen(story), closed)

    def _replay(self, story: Story) -> None:
        from tapeview.ui.screens.opening import OpeningScreen

        source = story.row.source
        if story.row.live or source.startswith("live:"):
            self._say("a live market is not there twice: replay its recording, where one was made", "$alert-warn")
            return
        if "://" not in source and not source.startswith("simulator:") and not Path(source).exists():
            self._say(f"{source} is gone", "$alert-warn")
            return
        at = str(story.at_ns - _LEAD_NS)
        options = _options(story.about.options) or self._plan.options
        plan = replace(self._plan, addresses=(source,), options=options, at=at, paused=False, speed=1.0)
        self.app.push_screen(OpeningScreen(plan), self._opened)

    def _opened(self, error: BadInput | None) -> None:
        if error is not None:
            self._say(str(error), "$alert-warn")


def _options(said: Mapping[str, Any]) -> OpenOptions | None:
    from feeds.source import OpenOptions

    return msgspec.convert(said, OpenOptions) if said else None

"""The settings screen: every value with its bounds and where it comes from, changed with effect at once, and saved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from feeds.errors import BadInput
from tapeview.ui.background import beside
from tapeview.ui.screens import _setting_rows as draw
from tapeview.ui.screens._setting_rows import Columns
from tapeview.ui.screens.leave import SAVE, UNDO, LeaveScreen

if TYPE_CHECKING:
    from tapeview.config import Loaded
    from tapeview.settings_file import SettingsFile
    from tapeview.ui.app import TapeviewApp
    from tapeview.ui.screens._counting import Counting
    from tapeview.ui.screens._draft import Draft, Field
    from tapeview.ui.screens.trade import TradeScreen

_SETTLE_S: Final = 0.3
"""The cursor rests this long before anything is measured."""
_LOOK_S: Final = 0.2
"""How often progress is looked at."""
_WIDE: Final = 110
"""Columns from which what is told of a field stands beside the list."""


class SettingsScreen(Screen[None]):
    """Sections of fields; changes act as soon as they are made and are saved when asked for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "step(1)", "A step up, or the next choice", id="settings.more"),
        Binding("minus", "step(-1)", "A step down", id="settings.less"),
        Binding("backspace", "reset", "The default again", id="settings.default"),
        Binding("slash", "filter", "Find a setting", id="settings.filter"),
        Binding("right", "fold(False)", "Open a section", id="settings.open"),
        Binding("left", "fold(True)", "Close a section", id="settings.close"),
        Binding("ctrl+s", "save", "Save to your file", id="settings.save"),
        Binding("escape", "leave", "Leave the settings", id="settings.leave"),
    ]

    def __init__(
        self, loaded: Loaded, themes: Iterable[str], trade: TradeScreen | None = None, draft: Draft | None = None
    ) -> None:
        """`trade` is the session below, whose detectors are changed with the settings.

        `draft` is the one of an earlier visit, with the changes that were kept but not saved.
        """
        super().__init__()
        self.draft: Draft | None = None
        self._earlier = draft
        self._kept = dict(draft.changes) if draft is not None else {}
        self.file: SettingsFile | None = None
        self._begin_with = loaded
        self._themes = tuple(themes)
        self._trade = trade
        self._open: set[str] = {"start", "screen", "engine"}
        self._shown: dict[str, Field | str] = {}
        """Option -> its field, or the section of a heading."""
        self._here: str | None = None
        """The option drawn as the one under the cursor."""
        self._editing: Field | None = None
        self._error = ""
        self._said, self._bad = "", False
        self._progressing = False
        """Something was running when it was last looked."""
        self.counting: Counting | None = None
        self._resting: Timer | None = None
        self._columns = Columns(80)

    # -- picture -------------------------------------------------------------------------------
    def compose(self) -> ComposeResult:
        """Title, filter, list with the field that is edited over it, what is told of the field, keys."""
        yield Static("", id="settings-title")
        with Horizontal(id="settings-find"):
            yield Static(" find ", id="settings-find-label")
            yield Input(placeholder="parts of a name or of a section", id="settings-find-field",
                        compact=True)  # fmt: skip
        with Container(id="settings-body"):
            with Container(id="settings-box"):
                yield Static("", id="settings-head")
                yield OptionList(id="settings-list", compact=True)
                yield Input(id="settings-edit", compact=True, select_on_focus=True)
            with Vertical(id="settings-side"):
                yield Static("", id="settings-about")
                yield Static("", id="settings-rates")
        yield Static("", id="settings-said")
        yield Static("", id="settings-keys")

    def on_mount(self) -> None:
        """Read the file and collect the fields beside the loop."""
        self.query_one("#settings-list", OptionList).focus()
        self.set_interval(_LOOK_S, self._look)
        self.run_worker(self._begin(), name="settings")

    async def _begin(self) -> None:
        self.draft, self.file, trouble = await beside(_collect, self._begin_with, self._themes, self._earlier)
        cast("TapeviewApp", self.app).draft = self.draft
        if trouble:
            self._say(trouble, bad=True)
        from tapeview.ui.screens._counting import Counting

        self.counting = Counting(self._trade.playback if self._trade is not None else None)
        self._fill()

    def on_unmount(self) -> None:
        """Give up what is being counted."""
        if self.counting is not None:
            self.counting.stop()

    def on_resize(self, event: Resize) -> None:
        """Lay the list out for the new width."""
        self.set_class(event.size.width >= _WIDE, "wide")
        self.set_class(event.size.height < 20, "low")
        self.call_after_refresh(self._fill)

    @property
    def _list(self) -> OptionList:
        return self.query_one("#settings-list", OptionList)

    @property
    def current(self) -> Field | str | None:
        """The field under the cursor, or the section of a heading."""
        option = self._list.highlighted_option
        return None if option is None or option.id is None else self._shown.get(option.id)

    def _fill(self) -> None:
        draft = self.draft
        if draft is None or not self.size.width:
            return
        listing = self._list
        chosen = listing.highlighted_option.id if listing.highlighted_option is not None else None
        self._columns = Columns(max(20, listing.size.width - 1))
        self.query_one("#settings-head", Static).update(draw.head(self._columns))
        words = self.query_one("#settings-find-field", Input).value.casefold().split()
        self._shown = {}
        options: list[Option] = []
        for section in draft.titles:
            fields = [field for field in draft.fields if field.section == section]
            found = [field for field in fields if all(word in _searched(field, draft) for word in words)]
            if words and not found:
                continue
            opened = bool(words) or section in self._open
            self._shown[section] = section
            options.append(Option(draw.heading(draft, section, opened, self._columns), id=section))
            for field in found if opened else ():
                self._shown[field.dotted] = field
                options.append(Option(self._row(field), id=field.dotted))
        if not options:
            options = [Option(Content.styled("  no setting has this in its name", "$dim"), disabled=True)]
        listing.set_options(options)
        known = [option.id for option in options]
        if self._shown:
            listing.highlighted = known.index(chosen) if chosen in known else 0
        self._tell()

    def _row(self, field: Field) -> Content:
        assert self.draft is not None
        here = self.current is field
        return draw.row(self.draft, field, self._columns, self._error if field is self._editing else "", here=here)

    def _refresh_rows(self, keys: Iterable[str] | None = None) -> None:
        """Draw what has changed since the list was filled, in some rows or in all."""
        if self.draft is None:
            return
        for key in self._shown if keys is None else keys:
            what = self._shown[key]
            prompt = (
                draw.heading(self.draft, what, self._opened(what), self._columns, here=self.current == what)
                if isinstance(what, str)
                else self._row(what)
            )
            if self._list.get_option(key).prompt != prompt:
                self._list.replace_option_prompt(key, prompt)
        self._tell()

    def _opened(self, section: str) -> bool:
        return section in self._open or bool(self.query_one("#settings-find-field", Input).value.strip())

    def _tell(self) -> None:
        """Draw everything that is told beside the list."""
        draft = self.draft
        if draft is None:
            return
        tuning = self._trade.tuning.share if self._trade is not None else None
        path = str(self.file.path) if self.file is not None else ""
        self.query_one("#settings-title", Static).update(
            draw.title(len(draft.changes), tuning, draw.homely(path), self.size.width)
        )
        side = self.query_one("#settings-side")
        width, height = max(20, side.size.width - 2), side.size.height
        current = self.current
        about = draw.about(draft, current, path, width) if current is not None else Content("")
        self.query_one("#settings-about", Static).update(about)
        name = self._detector()
        told = Content("")
        if self.counting is not None and name is None and self._section() in draft.knobs:
            words = "alerts an hour are not told: no one threshold says how easily this detector fires"
            told = Content.styled(words, "$dim")
        if self.counting is not None and name is not None:
            used = self.query_one("#settings-about", Static).virtual_size.height
            room = max(2, height - used - 1)
            told = self.counting.told(name, draft.knobs[name], draft.thresholds(silent=True), width, room)
        self.query_one("#settings-rates", Static).update(told)
        self.query_one("#settings-said", Static).update(self._said_now())
        ascii_only = cast("TapeviewApp", self.app).ascii_only
        self.query_one("#settings-keys", Static).update(
            draw.keys(self._editing is not None, self.size.width, ascii_only=ascii_only)
        )

    def _said_now(self) -> Content:
        return Content.styled(f" {self._said}", "$error" if self._bad else "$text") if self._said else Content("")

    def _say(self, words: str, *, bad: bool = False) -> None:
        self._said, self._bad = words, bad
        self._tell()
        if self.draft is None:
            self.query_one("#settings-said", Static).update(self._said_now())

    # -- the cursor ----------------------------------------------------------------------------
    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Tell of what is under the cursor, and measure it when the cursor rests."""
        self._said = ""
        here = event.option_id
        self._refresh_rows([key for key in (self._here, here) if key is not None and key in self._shown])
        self._here = here
        self._rest()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Edit a field, open or close a section."""
        what = self._shown.get(event.option_id or "")
        if isinstance(what, str):
            self.action_fold(what in self._open)
        elif what is not None and what.choices:
            self.action_step(1)
        elif what is not None:
            self._edit(what)

    def action_fold(self, closed: bool) -> None:
        """Close or open the section under the cursor."""
        current = self.current
        if current is None or self._editing is not None:
            return
        section = current if isinstance(current, str) else current.section
        (self._open.discard if closed else self._open.add)(section)
        if closed and not isinstance(current, str):
            self._list.highlighted = self._list.get_option_index(section)
        self._fill()

    # -- changes -------------------------------------------------------------------------------
    def action_step(self, direction: int) -> None:
        """Take the field under the cursor a step up or down."""
        field = self.current
        if self.draft is not None and not isinstance(field, str) and field is not None:
            self._put(field, self.draft.step(field, direction))

    def action_reset(self) -> None:
        """Put the field under the cursor back to its default."""
        field = self.current
        if self.draft is not None and not isinstance(field, str) and field is not None:
            self.draft.reset(field)
            self._act()

    def _put(self, field: Field, value: Any) -> None:
        assert self.draft is not None
        self.draft.put(field, value)
        self._act()

    def _act(self) -> None:
        """Let the settings as they are now act on what is shown."""
        assert self.draft is not None
        self._said = ""
        try:
            cast("TapeviewApp", self.app).take_settings(self.draft.now())
            self.draft.check()
        except BadInput as error:
            self._say(str(error), bad=True)
        self._refresh_rows()
        self._rest()

    def _edit(self, field: Field) -> None:
        assert self.draft is not None
        from tapeview.ui.screens._draft import text_of

        at = self._list.get_option_index(field.dotted) - round(self._list.scroll_y)
        edit = self.query_one("#settings-edit", Input)
        edit.styles.offset = (self._columns.value_at, at + 1)
        edit.styles.width = (
            max(self._columns.value + 1, 12) if field.kind not in ("text", "list") else self._columns.text_room
        )
        self._editing, self._error = field, ""
        edit.value = text_of(self.draft.value(field))
        self.set_class(True, "editing")
        edit.focus()
        self._refresh_rows()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Check what is typed, or find what is looked for."""
        if event.input.id == "settings-find-field":
            self._fill()
            return
        if self._editing is not None and self.draft is not None:
            try:
                self.draft.parse(self._editing, event.value)
                self._error = ""
            except BadInput as error:
                self._error = error.expected or "something else"
            self._refresh_rows()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what was typed."""
        event.stop()
        if event.input.id == "settings-find-field":
            self._list.focus()
        else:
            self._finish()

    def _finish(self) -> bool:
        """Take the value that is being edited; False where it cannot be."""
        field = self._editing
        if field is None or self.draft is None:
            return True
        try:
            value = self.draft.parse(field, self.query_one("#settings-edit", Input).value)
        except BadInput as error:
            self._error = error.expected or "something else"
            self._refresh_rows()
            return False
        self._end_edit()
        self._put(field, value)
        return True

    def _end_edit(self) -> None:
        self._editing, self._error = None, ""
        self.set_class(False, "editing")
        self._list.focus()

    def action_filter(self) -> None:
        """Look for a setting."""
        self.set_class(True, "finding")
        self.query_one("#settings-find-field", Input).focus()

    # -- saving and leaving ----------------------------------------------------------------------
    def action_save(self) -> None:
        """Write what has been changed to the user's file."""
        if self._finish():
            self._save()

    def _save(self) -> bool:
        draft = self.draft
        if draft is None:
            return False
        if not draft.changes:
            self._say("nothing has been changed")
            return True
        try:
            if self.file is None:
                from tapeview import config
                from tapeview.settings_file import SettingsFile

                self.file = SettingsFile(config.user_file())
            count, path = len(draft.changes), str(self.file.path)
            draft.check()
            self.file.save(draft.changes)
        except BadInput as error:
            self._say(str(error), bad=True)
            return False
        draft.saved(path)
        cast("TapeviewApp", self.app).take_settings(draft.now())
        self._say(f"{count} {'value' if count == 1 else 'values'} saved to {draw.homely(path)}")
        self._refresh_rows()
        return True

    def action_leave(self) -> None:
        """Give up an edit, then the filter; then leave, asking where something is not saved."""
        found = self.query_one("#settings-find-field", Input)
        if self._editing is not None:
            self._end_edit()
            self._refresh_rows()
        elif self.has_class("finding"):
            current = self.current
            if current is not None and not isinstance(current, str):
                self._open.add(current.section)
            self.set_class(False, "finding")
            found.value = ""
            self._list.focus()
        elif self.draft is not None and self.draft.changes != self._kept:
            path = draw.homely(str(self.file.path)) if self.file is not None else "your file"
            self.app.push_screen(LeaveScreen(len(self.draft.changes), path), self._answered)
        else:
            self.app.pop_screen()

    def _answered(self, answer: str | None) -> None:
        assert self.draft is not None
        if answer == SAVE and not self._save():
            return
        if answer == UNDO:
            self.draft.undo()
            self._act()
        if answer is not None:
            self.app.pop_screen()

    # -- alerts an hour --------------------------------------------------------------------------
    def _rest(self) -> None:
        if self.counting is not None:
            self.counting.stop()
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(_SETTLE_S, self._count)

    def _section(self) -> str:
        current = self.current
        return current if isinstance(current, str) else current.section if current is not None else ""

    def _detector(self) -> str | None:
        """The detector under the cursor whose alerts can be counted."""
        section = self._section()
        return section if self.draft is not None and self.draft.knobs.get(section) else None

    def _count(self) -> None:
        name, draft, counting = self._detector(), self.draft, self.counting
        if name is not None and draft is not None and counting is not None:
            thresholds = draft.thresholds(silent=True)
            if counting.wanted(name, thresholds):
                self.run_worker(counting.run(name, thresholds), name="counting")

    def _look(self) -> None:
        """Progress may have changed."""
        busy = self.counting is not None and self.counting.busy
        if busy or (self._trade is not None and self._trade.tuning.share is not None):
            self._tell()
            self._progressing = True
        elif self._progressing:
            self._progressing = False
            self._tell()


def _searched(field: Field, draft: Draft) -> str:
    return f"{field.dotted} {draft.titles[field.section]}".casefold()


def _collect(loaded: Loaded, themes: tuple[str, ...], earlier: Draft | None) -> tuple[Draft, SettingsFile | None, str]:
    """The draft, the user's file where it can be read, and why it cannot; for a thread."""
    from tapeview import config
    from tapeview.settings_file import SettingsFile
    from tapeview.ui.screens._draft import Draft

    draft = earlier or Draft(loaded, themes)
    try:
        return draft, SettingsFile(config.user_file()), ""
    except BadInput as error:
        return draft, None, str(error)


def trade_below(screens: Iterable[Screen[Any]]) -> TradeScreen | None:
    """The trade screen on a stack of screens, the uppermost."""
    from tapeview.ui.screens.trade import TradeScreen

    return next((screen for screen in reversed(list(screens)) if isinstance(screen, TradeScreen)), None)

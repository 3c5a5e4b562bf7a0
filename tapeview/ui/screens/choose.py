"""Choose an instrument: the venues in a list, the symbol in a field that completes from the venue's own list."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tapeview import format as text
from tapeview.ui.background import beside

_MATCHES: Final = 40
"""Symbols told under the field at most."""
_ENOUGH: Final = 20_000


class ChooseScreen(ModalScreen[str | None]):
    """Ask for venue and symbol; the answer is an address, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back to the venues, and out", id="choose.back"),
    ]

    def __init__(self, rest: str | None = None) -> None:
        """`rest` takes the place of the venues' own scheme and host."""
        super().__init__()
        self._rest = rest
        self._venue = ""
        self._symbols: dict[str, tuple[str, ...]] = {}

    def compose(self) -> ComposeResult:
        """Venues, the field, and what it might become."""
        from feeds.venues import venues

        with Vertical(id="choose"):
            yield Static(Content.styled("A live instrument", "$loud bold"), id="choose-title")
            with Horizontal(id="choose-body"):
                yield OptionList(*(Option(name, id=name) for name in venues()), id="choose-venues", compact=True)
                with Vertical(id="choose-side"):
                    yield Input(placeholder="symbol, as the venue writes it", id="choose-symbol", compact=True)
                    yield Static("", id="choose-known")
            yield Static("", id="choose-keys")

    def on_mount(self) -> None:
        """Begin with the venues."""
        self.query_one("#choose-venues", OptionList).focus()
        self._say_keys()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Tell what is known of the venue's symbols."""
        self._venue = event.option_id or ""
        self._tell()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Go on to the symbol, and ask the venue for its own."""
        self._venue = event.option_id or ""
        field = self.query_one("#choose-symbol", Input)
        field.value = ""
        field.focus()
        if self._venue not in self._symbols:
            self.query_one("#choose-known", Static).update(Content.styled("asking the venue for its list", "$dim"))
            self.run_worker(self._ask(self._venue), name="symbols")
        else:
            self._tell()

    async def _ask(self, venue: str) -> None:
        from tapeview.live import symbols

        try:
            self._symbols[venue] = await beside(symbols, venue, self._rest)
        except Exception as error:
            words = f"no list: {str(error)[:120] or type(error).__name__}. The symbol can be typed all the same."
            if venue == self._venue and self.is_mounted:
                self.query_one("#choose-known", Static).update(Content.styled(words, "$alert-warn"))
            return
        if venue == self._venue and self.is_mounted:
            self._tell()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell the symbols that begin so, or hold it."""
        event.stop()
        self._tell()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer; a symbol that is written otherwise by the venue, as the venue writes it."""
        event.stop()
        typed = event.value.strip()
        if typed and self._venue:
            folded = {one.casefold(): one for one in self._symbols.get(self._venue, ())}
            self.dismiss(f"live:{self._venue}:{folded.get(typed.casefold(), typed)}")

    def _tell(self) -> None:
        known = self._symbols.get(self._venue)
        shown = self.query_one("#choose-known", Static)
        field = self.query_one("#choose-symbol", Input)
        if known is None:
            shown.update("")
            field.suggester = None
            return
        typed = field.value.strip().casefold()
        begin = [one for one in known if one.casefold().startswith(typed)]
        found = begin + [one for one in known if typed and typed in one.casefold() and one not in set(begin)]
        field.suggester = SuggestFromList(known[:_ENOUGH], case_sensitive=False)
        words = "  ".join(text.clean(one) for one in found[:_MATCHES])
        more = f"  and {len(found) - _MATCHES:,} more".replace(",", " ") if len(found) > _MATCHES else ""
        shown.update(Content.assemble((words or "none of the venue's symbols", "$text"), (more, "$dim")))

    def _say_keys(self) -> None:
        keys = (("↑↓", "venue"), ("Enter", "symbol, then open"), ("→", "complete"), ("Esc", "back"))
        out = Content("")
        for key, words in keys:
            out = out + Content.assemble((key, "$loud"), (f" {words}   ", "$dim"))
        self.query_one("#choose-keys", Static).update(out)

    def action_back(self) -> None:
        """From the symbol to the venues, from the venues out."""
        if self.focused is self.query_one("#choose-symbol", Input):
            self.query_one("#choose-venues", OptionList).focus()
        else:
            self.dismiss(None)

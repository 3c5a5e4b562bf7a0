"""The question before settings are left with changes that were not saved."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

SAVE, KEEP, UNDO = "save", "keep", "undo"
"""Answers; None stays."""


class LeaveScreen(ModalScreen[str | None]):
    """Ask what is to become of changes that were not saved."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "stay", "Stay in the settings", id="settings.stay")]

    def __init__(self, count: int, file: str) -> None:
        super().__init__()
        self._count, self._file = count, file

    def compose(self) -> ComposeResult:
        """A question and its answers."""
        noun = "change is" if self._count == 1 else "changes are"
        with Vertical(id="leave"):
            yield Static(Content.styled(f"{self._count} {noun} not saved", "$loud bold"), id="leave-title")
            yield OptionList(
                Option(Content(f"Save to {self._file}"), id=SAVE),
                Option(Content("Keep for this run of the program only"), id=KEEP),
                Option(Content("Undo"), id=UNDO),
                id="leave-list",
                compact=True,
            )
            yield Static(Content.styled("Enter takes one · Esc stays in the settings", "$dim"), id="leave-keys")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer."""
        self.dismiss(event.option_id)

    def action_stay(self) -> None:
        """Answer that it is not left yet."""
        self.dismiss(None)

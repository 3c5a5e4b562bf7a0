"""The ticket: what a person writes to a signal, read from one line; and the line it is written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from feeds.errors import BadInput

SETUP_MOST: Final = 40
"""Characters of a setup's name."""
NOTE_MOST: Final = 500
"""Characters of a note."""
NONE: Final = "-"
"""In place of a setup: none."""
FOLLOWED: Final = {"+": True, "-": False}
"""What a note begins with where it says whether the plan was followed."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What goes with the next signal."""

    setup: str = ""
    sure: float | None = None
    """Probability, 0 to 1."""
    note: str = ""

    def __bool__(self) -> bool:
        """Whether anything is on it."""
        return bool(self.setup or self.note) or self.sure is not None

    def words(self) -> str:
        """The ticket in a few words."""
        parts = [self.setup or "no setup"]
        if self.sure is not None:
            parts.append(f"{self.sure:.0%}")
        if self.note:
            parts.append("noted")
        return " ".join(parts)


def read_ticket(line: str) -> Ticket:
    """Read `SETUP [SURE] [NOTE …]`, as in `pullback 65 second test of the low`; BadInput where SURE is beyond 100.

    `-` in place of a setup is none; SURE is a whole number of percent, with or without its sign.
    """
    words = line.split()
    if not words:
        return Ticket()
    setup = "" if words[0] == NONE else words[0]
    if len(setup) > SETUP_MOST:
        raise BadInput("setup", setup, f"a name of at most {SETUP_MOST} characters")
    rest = words[1:]
    sure = None
    if rest and rest[0].removesuffix("%").isdecimal() and rest[0].isascii():
        percent = int(rest[0].removesuffix("%")[:9])
        if percent > 100:
            raise BadInput("sure", rest[0], "how sure you are, 0 to 100")
        sure, rest = percent / 100, rest[1:]
    note = " ".join(rest)
    if len(note) > NOTE_MOST:
        raise BadInput("note", f"{len(note)} characters", f"a note of at most {NOTE_MOST} characters")
    return Ticket(setup, sure, note)


def read_note(line: str) -> tuple[str, bool | None]:
    """Read a note on the newest decision: its text, and whether the plan was followed, where `+` or `-` says so."""
    stripped = line.strip()
    followed = FOLLOWED.get(stripped[:1])
    written = stripped[1:].strip() if followed is not None else stripped
    if len(written) > NOTE_MOST:
        raise BadInput("note", f"{len(written)} characters", f"a note of at most {NOTE_MOST} characters")
    return written, followed


class TicketLine(Horizontal):
    """One line to write in, in place of the bottom line: the next signal's ticket, or a note on the newest decision."""

    ASKED: Final = {
        "ticket": (" next signal ", "setup  sure 0-100  note, as in: pullback 65 second test of the low"),
        "note": (" newest signal ", "a note; + before it: the plan was followed, - before it: it was not"),
    }
    """What is asked for -> label and placeholder."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.asked = "ticket"

    def compose(self) -> ComposeResult:
        """Label, field, what is wrong with it."""
        yield Static("", id="ticket-label")
        yield Input(id="ticket-field", compact=True)
        yield Static("", id="ticket-error")

    def ask(self, what: str, value: str = "") -> None:
        """Ask for one of ASKED, beginning with a value."""
        self.asked = what
        label, placeholder = self.ASKED[what]
        self.query_one("#ticket-label", Static).update(label)
        field = self.query_one("#ticket-field", Input)
        field.placeholder, field.value = placeholder, value
        self.query_one("#ticket-error", Static).update("")
        field.focus()

    def refuse(self, error: BadInput) -> None:
        """Say what is wrong with what was written."""
        self.query_one("#ticket-error", Static).update(Content.styled(f" {error.expected}", "$error"))

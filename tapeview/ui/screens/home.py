"""The home screen: what can be played, and a field for anything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from feeds.errors import BadInput
from tapeview import __version__, bundled

if TYPE_CHECKING:
    from tapeview.ui.app import StartPlan

_NAME: Final = 28
_SYMBOL: Final = 14
"""Most cells of a name and of its instruments."""
_LENGTH: Final = 6
_HERE: Final = "▸ "
_REST: Final = "  "


class HomeScreen(Screen[None]):
    """Offer the bundled sessions, a person's own, the one played last, and a field for any address."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "type", "Type a path or an address", id="home.open"),
        Binding("escape", "list", "Back to the list", id="home.list"),
        Binding("d", "app.drill", "Drills: a random moment, a forced call", id="home.drill"),
        Binding("q", "app.quit", "Quit", id="home.quit"),
    ]

    def __init__(self, plan: StartPlan, *, fresh: bool = False) -> None:
        super().__init__()
        self._plan = plan
        self._fresh = fresh
        """Show what a machine shows on which nothing was played yet."""
        self._choices: dict[str, tuple[str, str | None]] = {}
        """Option -> address and the time to start at."""
        self._stories: dict[str, str] = {}
        """Option -> what is told of it below the list, at full length."""
        self._columns = (0, 0)

    def compose(self) -> ComposeResult:
        """Title, list, field, keys."""
        with Vertical(id="home"):
            yield Static(Content.assemble(("tapeview", "$loud bold"), (f"  {__version__}", "$dim")), id="home-title")
            yield Static(Content.styled("order flow, exact, in a terminal", "$dim"), id="home-tag")
            yield OptionList(id="home-list")
            yield Static("", id="home-story")
            with Horizontal(id="home-open"):
                yield Static("open", id="home-label")
                yield Input(
                    placeholder="a file, a folder, simulator:seed=7,minutes=30 or live:kraken:BTC/USD",
                    id="home-field",
                    compact=True,
                )
            yield Static("", id="home-error")
            yield Static("", id="home-keys")

    def on_mount(self) -> None:
        """Fill the list and put the highlight on what Enter plays."""
        self.query_one("#home-list", OptionList).focus()

    def on_resize(self, event: Resize) -> None:
        """Lay the list out for the new width."""
        self.set_class(event.size.width < 96 or event.size.height < 26, "small")
        self.set_class(event.size.height < 22, "low")
        self._fill()

    def on_screen_resume(self) -> None:
        """What was played last may have changed."""
        if self.size.width:
            self._fill()

    def _fill(self) -> None:
        listing = self.query_one("#home-list", OptionList)
        # The last cell is kept for a scrollbar.
        width = min(self.size.width, 104) - (3 if self.has_class("small") else 7)
        chosen = listing.highlighted_option.id if listing.highlighted_option is not None else None
        self._choices.clear()
        self._stories.clear()
        options: list[Option | None] = []
        bundles = bundled.recordings()
        own = [] if self._fresh else bundled.own_recordings()
        self._columns = (
            min(_NAME, max((len(r.name) for r in (*bundles, *own)), default=0)) + 2,
            min(_SYMBOL, max((len(r.instrument) for r in (*bundles, *own)), default=0)) + 1,
        )
        told = None if self._fresh else bundled.last()
        if told is not None:
            where = f"left at {told.clock}" if told.clock else ""
            options += [
                _heading("Played last"),
                self._option("last", told.address, told.title, "", "", where, width, told.at_ns, told.address),
            ]
            options.append(_gap())
        options.append(_heading("Bundled sessions"))
        for recorded in bundles:
            options.append(self._recorded("bundled", recorded, width))
        if len(self._choices) == (told is not None):
            options.append(_note("none found: this installation has no recordings folder"))
        options += [_gap(), _heading("Live")]
        options.append(self._option("live", "", "a venue's market", "", "", "choose venue and symbol", width))
        options += [_gap(), _heading("Your recordings")]
        options += [self._recorded("own", recorded, width) for recorded in own]
        if not own:
            place = "the data folder" if self._fresh else _homely(bundled.own_folder())
            options.append(_note(f"none yet; those in {place} are listed here"))
        listing.set_options(options)
        known = [option.id for option in listing.options]
        listing.highlighted = known.index(chosen if chosen in self._choices else next(iter(self._choices), known[0]))
        self.query_one("#home-keys", Static).update(_keys_line(width))

    def _recorded(self, kind: str, recorded: bundled.Recorded, width: int) -> Option:
        length = bundled.length(recorded.length_ns)
        return self._option(
            kind, recorded.path, recorded.name, recorded.instrument, length, recorded.story, width, recorded.begin_ns
        )

    def _option(
        self,
        kind: str,
        address: str,
        name: str,
        symbol: str,
        length: str,
        story: str,
        width: int,
        at: int | None = None,
        whole: str = "",
    ) -> Option:
        key = f"{kind}:{address}"
        self._choices[key] = (address, str(at) if at is not None else None)
        self._stories[key] = whole or story
        named, traded = self._columns
        room = max(0, width - named - traded - _LENGTH - 4)
        if not symbol and not length:
            # A long name takes the columns that would be empty.
            named, traded = named + traded + _LENGTH, 0
        text = Content.assemble(
            (_REST + _cut(name, named - 2).ljust(named), "$loud"),
            (_cut(symbol, traded - 1).ljust(traded) if traded else "", "$text"),
            (length.rjust(_LENGTH if traded else 0) + "  ", "$dim"),
            (_cut(story, room), "$text"),
        )
        return Option(text, id=key)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Mark the choice in text too, for terminals without colours, and tell the whole of its story."""
        self.query_one("#home-story", Static).update(
            Content.styled(self._stories.get(event.option_id or "", ""), "$dim")
        )
        for option in event.option_list.options:
            prompt = option.prompt
            mark = _HERE if option is event.option else _REST
            if option.id in self._choices and isinstance(prompt, Content) and not prompt.plain.startswith(mark):
                marked = Content.assemble((mark, "$last bold"), prompt[len(mark) :])
                event.option_list.replace_option_prompt(option.id, marked)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Play what was chosen."""
        if event.option_id == "live:":
            self._choose()
        elif event.option_id in self._choices:
            address, at = self._choices[event.option_id]
            self._open(replace(self._plan, addresses=(address,), at=at))

    def _choose(self) -> None:
        from tapeview.ui.screens.choose import ChooseScreen

        def chosen(address: str | None) -> None:
            if address is not None:
                self._open(replace(self._plan, addresses=(address,), at=None))

        self.app.push_screen(ChooseScreen(self._plan.live.rest if self._plan.live is not None else None), chosen)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Open what was typed."""
        typed = event.value.strip()
        if typed:
            self._open(replace(self._plan, addresses=(typed,), at=None))

    def action_type(self) -> None:
        """Go to the field."""
        self.query_one("#home-field", Input).focus()

    def action_list(self) -> None:
        """Go back to the list."""
        self._say("")
        self.query_one("#home-list", OptionList).focus()

    def take_plan(self, plan: StartPlan) -> None:
        """Open sessions with changed settings from now on."""
        self._plan = replace(self._plan, settings=plan.settings, origin=plan.origin)

    def _open(self, plan: StartPlan) -> None:
        from tapeview.ui.screens.opening import OpeningScreen

        self._say("")
        self.app.push_screen(OpeningScreen(plan), self._opened)

    def _opened(self, error: BadInput | None) -> None:
        if error is not None:
            self._say(str(error))

    def _say(self, text: str) -> None:
        self.query_one("#home-error", Static).update(Content(text))


def _heading(text: str) -> Option:
    return Option(Content.styled(text, "$dim"), disabled=True)


def _note(text: str) -> Option:
    return Option(Content.styled("  " + text, "$dim"), disabled=True)


def _gap() -> Option:
    return Option(Content(" "), disabled=True)


def _keys_line(width: int) -> Content:
    parts = [
        ("↑↓", "choose"), ("Enter", "play"), ("o", "type a path"), ("d", "drill"), ("F3", "journal"), ("F9", "theme"),
        ("?", "help"), ("q", "quit"),
    ]  # fmt: skip
    gap = 3 if width >= 96 else 2
    for least in (("F9", "theme"), ("F3", "journal"), ("d", "drill"), ("↑↓", "choose")):
        if sum(len(key) + 1 + len(text) + gap for key, text in parts) > width:
            parts.remove(least)
    out = Content("")
    for key, text in parts:
        out = out + Content.assemble((key, "$loud"), (f" {text}{' ' * gap}", "$dim"))
    return out


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def _homely(path: Path) -> str:
    try:
        return "~/" + str(path.relative_to(Path.home()))
    except ValueError:
        return str(path)

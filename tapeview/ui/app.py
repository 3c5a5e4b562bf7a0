"""The terminal program: themes, keys and screens. It knows nothing of markets."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen

from feeds.errors import BadInput
from tapeview.ui.background import beside
from tapeview.ui.terminal import Ending, TerminalDriver, ascii_only, require_terminal
from tapeview.ui.themes import THEMES, from_mapping, variable_defaults
from tapeview.ui.widgets._ascii import AsciiFilter

if TYPE_CHECKING:
    from feeds.source import OpenOptions
    from tapeview.backoffice import BackOffice
    from tapeview.config import Config, Loaded
    from tapeview.live import Options as LiveOptions
    from tapeview.trading import Plan
    from tapeview.ui.screens._draft import Draft

_FAULTS: Final = 5
"""Faults kept at most."""
_ALONE: Final = frozenset({"OpeningScreen", "SettingsScreen", "DrillsScreen"})
"""Screens over which neither journal nor drill may come; by name, as none is loaded before it is wanted."""


@dataclass(frozen=True, slots=True)
class StartPlan:
    """What the program begins with; the command line makes it."""

    addresses: tuple[str, ...] = ()
    """Sources to open at once; empty shows home."""
    options: OpenOptions | None = None
    at: str | None = None
    """Time to start at, as a person writes it."""
    paused: bool = False
    speed: float = 1.0
    """0 stands for as fast as possible."""
    theme: str = "dark"
    settings: Config | None = None
    """None stands for the defaults."""
    live: LiveOptions | None = None
    """How venues are reached; None as they say themselves."""
    recorded: list[Path] = field(default_factory=list)
    """Folders of the recordings made of live markets, as they are begun."""
    origin: Mapping[str, str] = field(default_factory=dict)
    """Dotted setting -> the file it came from, for messages."""
    desk: Plan | None = None
    """In whose name, and into which journal, is traded; None where there is no paper trading."""


class TapeviewApp(App[None]):
    """Hold the screens together; what they show is theirs."""

    TITLE = "tapeview"
    CSS_PATH = Path(__file__).with_name("tapeview.tcss")
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "What the keys do", id="app.help"),
        Binding("f2", "settings", "Settings", id="app.settings"),
        Binding("f3", "journal", "The journal", id="app.journal"),
        Binding("f9", "next_theme", "Next theme", id="app.theme"),
        Binding("ctrl+p", "command_palette", "Find a command", id="app.palette", priority=True),
        Binding("ctrl+z", "suspend_process", "To the shell; fg comes back", id="app.suspend"),
        Binding("ctrl+c,ctrl+q", "leave", "Leave the program", id="app.leave", priority=True),
    ]

    def __init__(self, plan: StartPlan, ending: Ending | None = None, *, ascii_only: bool = False) -> None:
        self.plan = plan
        self.ascii_only = ascii_only
        """Whether nothing but ASCII may reach the terminal."""
        self._ascii = (AsciiFilter(),) if ascii_only else ()
        self.ending = ending or Ending()
        """How signals and Ctrl+C end the program."""
        self.draft: Draft | None = None
        """The settings as they were last edited, with what was not saved."""
        self.failure: BadInput | None = None
        """Why the sources named on the command line could not be opened."""
        self.faults: list[str] = []
        """Tracebacks of what went wrong without ending the program."""
        super().__init__(driver_class=TerminalDriver)
        own = plan.settings.themes if plan.settings is not None else {}
        foreign = list(self.available_themes)
        for theme in [*THEMES, *(from_mapping(name, values, place="themes") for name, values in own.items())]:
            self.register_theme(theme)
        if plan.theme not in self.available_themes or plan.theme in foreign:
            ours = [name for name in self.available_themes if name not in foreign]
            raise BadInput("theme", plan.theme, "one of " + ", ".join(ours))
        self.theme = plan.theme
        for name in foreign:
            self.unregister_theme(name)
        if plan.settings is not None and plan.settings.keys:
            from tapeview.ui.keys import check_keymap

            check_keymap(plan.settings.keys, plan.origin)
            self.set_keymap(plan.settings.keys)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Colours as the terminal has them, and ASCII where it has nothing else."""
        return [*super().get_line_filters(), *self._ascii]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our variables, for a theme that has none of them."""
        return variable_defaults(dark=self.current_theme.dark)

    def on_mount(self) -> None:
        """Show home, or the opening of what was asked for."""
        if self.plan.addresses:
            from tapeview.ui.screens.opening import OpeningScreen

            self.push_screen(OpeningScreen(self.plan))
        else:
            from tapeview.ui.screens.home import HomeScreen

            self.push_screen(HomeScreen(self.plan))

    def leave_screen(self) -> None:
        """Go back to the screen below, or end where nothing is below."""
        if self.has_home:
            self.pop_screen()
        else:
            self.exit()

    @property
    def has_home(self) -> bool:
        """Whether there is a screen to go back to; the lowest on the stack is Textual's own and empty."""
        return len(self.screen_stack) > 2

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Everything a key can do here but trade, and the themes."""
        from tapeview.ui.keys import BY_KEY_ALONE, in_words, key_text

        told: set[str] = set()
        for key, active in screen.active_bindings.items():
            binding = active.binding
            if binding.id is None or binding.id in told or not binding.description or binding.id == "app.palette":
                continue
            if binding.id in BY_KEY_ALONE:
                continue
            told.add(binding.id)
            node, action = active.node, binding.action
            shown = binding.key_display or key_text(key)
            yield SystemCommand(
                binding.description,
                in_words(shown) if self.ascii_only else shown,
                lambda action=action, node=node: self.run_action(action, node),
            )
        for name in self.available_themes:
            yield SystemCommand(f"Theme {name}", "Colours", lambda name=name: setattr(self, "theme", name))

    def fail(self, error: BadInput) -> None:
        """End because what the command line named cannot be opened; `run` raises the error afterwards."""
        self.failure = error
        self.exit(return_code=2)

    def fault(self, error: Exception) -> None:
        """Keep a fault of the program that did not end it; `run` tells the first of each place at the end."""
        where = "".join(traceback.format_exception(error))
        if len(self.faults) < _FAULTS and where not in self.faults:
            self.faults.append(where)

    def action_help(self) -> None:
        """Show what the keys do, or put that away again."""
        from tapeview.ui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.pop_screen()
        else:
            keys = self.plan.settings.keys if self.plan.settings is not None else {}
            self.push_screen(HelpScreen(keys, ascii_only=self.ascii_only))

    def action_settings(self) -> None:
        """Show the settings, or leave them again."""
        from tapeview.config import Config, Loaded
        from tapeview.ui.screens.opening import OpeningScreen
        from tapeview.ui.screens.settings import SettingsScreen, trade_below

        if isinstance(self.screen, SettingsScreen):
            self.screen.action_leave()
        elif not any(isinstance(screen, (SettingsScreen, OpeningScreen)) for screen in self.screen_stack):
            # Nothing may come over a screen that is about to give its place to another.
            loaded = Loaded(self.plan.settings or Config(), dict(self.plan.origin))
            trade = trade_below(self.screen_stack)
            self.push_screen(SettingsScreen(loaded, self.available_themes, trade, self.draft))

    async def action_journal(self) -> None:
        """Show the journal, or leave it again."""
        await beside(import_module, "tapeview.ui.screens.journal")  # beside the frames of a market below
        from tapeview.ui.screens.journal import JournalScreen

        if isinstance(self.screen, JournalScreen):
            self.screen.action_leave()
        elif self._free(JournalScreen):
            self.push_screen(JournalScreen(self.journal_path, self.plan))

    async def action_drill(self) -> None:
        """Go to the drills; a recording that is played below waits meanwhile."""
        if not self._free():
            return
        await beside(import_module, "tapeview.ui.screens.drills")
        from tapeview.ui.screens.drills import DrillsScreen
        from tapeview.ui.screens.settings import trade_below

        if self._free():
            trade = trade_below(self.screen_stack)
            if trade is not None and not trade.playback.follows:
                trade.playback.pause()
            self.push_screen(DrillsScreen(self.plan, self.office, self.journal_path))

    def _free(self, *taken: type[Screen[Any]]) -> bool:
        """Whether a screen may come over this one: over none that asks or opens something, nor over a drill."""
        return not isinstance(self.screen, ModalScreen) and not any(
            isinstance(screen, taken) or type(screen).__name__ in _ALONE for screen in self.screen_stack
        )

    @property
    def office(self) -> BackOffice | None:
        """Where what is done here is journalled; None where nothing is."""
        return None if self.plan.desk is None else self.plan.desk.office

    @property
    def journal_path(self) -> Path:
        """The file that the journal screen shows."""
        from tapeview import journal

        return self.office.path if self.office is not None else journal.own_path()

    def take_settings(self, loaded: Loaded) -> None:
        """Let changed settings act on what is shown and on what is opened from now on."""
        from tapeview import config

        before = self.plan.settings.theme if self.plan.settings is not None else self.plan.theme
        self.plan = replace(self.plan, settings=loaded.config, origin=loaded.origin)
        if loaded.config.theme != before and loaded.config.theme in self.available_themes:
            self.theme = loaded.config.theme
        for screen in self.screen_stack:
            take = getattr(screen, "take_plan", None)
            if take is not None:
                take(self.plan)
            act = getattr(screen, "take_settings", None)
            if act is not None:
                act(loaded.config.screen, config.thresholds(loaded))

    def action_next_theme(self) -> None:
        """Go on to the next theme."""
        names = list(self.available_themes)
        self.theme = names[(names.index(self.theme) + 1) % len(names)]

    def action_leave(self) -> None:
        """End the program as the shell's Ctrl+C would; asked twice, at once."""
        self.ending.request(130)


def run(plan: StartPlan) -> int:
    """Show the program until it is left and give the exit code.

    Raises BadInput where there is no terminal, or where a source, key or theme that was named cannot be used.
    """
    require_terminal()
    ending = Ending()
    wanted, _ = ascii_only(plan.settings.screen.ascii if plan.settings is not None else "auto")
    app = TapeviewApp(plan, ending, ascii_only=wanted)
    # Threads that open, index and seek let go of the interpreter sooner when the screen has something to do.
    sys.setswitchinterval(0.001)
    try:
        with ending.signals():
            app.run()
    finally:
        if plan.desk is not None:
            plan.desk.office.close()
    if app.failure is not None:
        raise app.failure
    if app.faults:
        sys.stderr.write("\n".join(app.faults))
        return app.return_code or 1
    return app.return_code or 0

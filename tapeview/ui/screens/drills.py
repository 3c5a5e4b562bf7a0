"""The drills: what they are, how they went so far, and the way into the next one."""

from __future__ import annotations

import secrets
import textwrap
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, cast

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Input, Static

from feeds.errors import BadInput
from tapeview.bundled import Recorded
from tapeview.desk.records import Drilled
from tapeview.drill import choice as drawing
from tapeview.drill import history
from tapeview.drill.choice import Choice, Rules
from tapeview.drill.hidden import HiddenMarket
from tapeview.drill.question import Question, Stopped, ask, draw_question
from tapeview.drill.skill import Skill, by, skill
from tapeview.engine import ready
from tapeview.ui.background import beside
from tapeview.ui.screens import _journal_rows as draw
from tapeview.ui.screens.drill import AGAIN, NEXT, OPEN, DrillScreen
from tapeview.ui.widgets._sheet import Sheet

if TYPE_CHECKING:
    from tapeview.backoffice import BackOffice
    from tapeview.playback import Playback
    from tapeview.ui.app import StartPlan, TapeviewApp

ABOUT: Final = (
    "A random recording plays from a random moment, without symbol, date or clock. It stops at an alert or at a moment "
    "drawn beforehand, and you call the next seconds: buy, sell or nothing, and how sure you are. Prices are the real "
    "ones: who knows a market by its price knows it."
)
_HINTS: Final = (
    ("Enter", "begin"), ("h", "seconds scored"), ("o", "another folder"), ("y", "a seed"), ("Esc", "back"),
)  # fmt: skip


class DrillsScreen(Screen[None]):
    """Tell of the drills so far and begin new ones."""

    AUTO_FOCUS: ClassVar[str | None] = ""
    """The line that asks has the keys only while it asks."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "begin", "Begin a drill", id="drills.begin"),
        Binding("h", "horizon", "Score more or fewer seconds", id="drills.horizon"),
        Binding("o", "folder", "Drill the recordings of another folder too", id="drills.folder"),
        Binding("y", "seed", "Give the drill of a seed again", id="drills.seed"),
        Binding("escape,q", "leave", "Give up, or leave the drills", id="drills.leave"),
    ]

    def __init__(
        self,
        plan: StartPlan,
        office: BackOffice | None,
        journal: Path,
        *,
        recordings: Sequence[Recorded] | None = None,
        timed: bool = True,
    ) -> None:
        """`journal` is the file that is read; `recordings` take the place of those there are.

        `timed=False` leaves the frames of a drill to the caller.
        """
        super().__init__()
        self.rules = Rules()
        self.history = history.History(office)
        self.earlier: list[Drilled] = []
        """Drills of earlier visits."""
        self._plan, self._journal, self._timed = plan, journal, timed
        self._recordings = recordings
        self._folders: list[Path] = []
        self._stop: threading.Event | None = None
        """Set to give up what is looked for."""
        self._question: Question | None = None
        self._asking = ""
        self._said = ("", "$text")

    # -- picture -----------------------------------------------------------------------------------
    def compose(self) -> ComposeResult:
        """Title, what it is, what is done, how it went, the line that asks, keys."""
        with Vertical(id="drills"):
            yield Static(Content.styled("Drills", "$loud bold"), id="drills-title")
            yield Static("", id="drills-about")
            yield Static("", id="drills-state")
            yield Sheet(id="drills-skill", name="drills")
            with Horizontal(id="drills-ask"):
                yield Static("", id="drills-ask-label")
                yield Input(id="drills-folder", compact=True)
            yield Static("", id="drills-keys")

    def on_mount(self) -> None:
        """Read what there is."""
        self.run_worker(self._read(), name="drills")

    async def _read(self) -> None:
        try:
            self.earlier = await beside(history.read, self._journal)
        except BadInput as error:
            self._say(str(error), "$alert-warn")
        if self._recordings is None:
            try:
                self._recordings = await beside(drawing.pool)
            except BadInput as error:
                self._say(str(error), "$alert-warn")
        await self._reckon()

    async def _reckon(self) -> None:
        drilled = [*self.earlier, *self.history.here]
        whole, parts = await beside(_skills, drilled)
        self.query_one(Sheet).tell(lambda width, _: draw.drills(whole, parts, width, "Enter begins one"))
        self._tell()

    def on_resize(self, event: Resize) -> None:
        """Wrap anew."""
        del event
        self._tell()

    def _tell(self) -> None:
        if not self.is_mounted or not self.size.width:
            return
        width = min(104, self.size.width) - 4
        self.query_one("#drills-about", Static).update(Content.styled("\n".join(textwrap.wrap(ABOUT, width)), "$text"))
        found = self._recordings or ()
        fitting = len(drawing.long_enough(found, self.rules))
        state = [
            (f"{fitting} of {len(found)} recordings are long enough", "$dim"),
            (f"   {self.rules.horizon_s} s are scored", "$loud bold"), ("   h changes that", "$dim"),
        ]  # fmt: skip
        lines = [Content.assemble(*state)]
        if self.history.off:
            lines.append(Content.styled(f"not kept: {self.history.off}"[:width], "$alert-warn"))
        lines.append(Content.styled(self._said[0][: 2 * width], self._said[1]))
        self.query_one("#drills-state", Static).update(Content("\n").join(lines))
        keys = Content("")
        for key, word in _HINTS:
            keys = keys + Content.assemble((f"{key}", "$text bold"), (f" {word}   ", "$dim"))
        self.query_one("#drills-keys", Static).update(keys)

    def _say(self, words: str, style: str = "$text") -> None:
        self._said = (words, style)
        self._tell()

    # -- keys --------------------------------------------------------------------------------------
    def action_horizon(self) -> None:
        """Score the next number of seconds."""
        steps = drawing.HORIZONS_S
        at = steps.index(self.rules.horizon_s) if self.rules.horizon_s in steps else 0
        self.rules = msgspec.structs.replace(self.rules, horizon_s=steps[(at + 1) % len(steps)])
        self._tell()

    def action_folder(self) -> None:
        """Ask for a folder of recordings."""
        self._ask("folder", "folder ", "a folder with recordings in it")

    def action_seed(self) -> None:
        """Ask for the seed of a drill."""
        self._ask("seed", "seed ", "the number told at a drill's end; the same recordings give the same drill")

    def _ask(self, what: str, label: str, hint: str) -> None:
        self._asking = what
        self.set_class(True, "asking")
        self.query_one("#drills-ask-label", Static).update(Content.styled(label, "$last"))
        field = self.query_one("#drills-folder", Input)
        field.placeholder, field.value = hint, ""
        field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what was written."""
        event.stop()
        asked, typed = self._asking, event.value.strip()
        self._close_line()
        if not typed:
            return
        if asked == "folder":
            self.run_worker(self._add(Path(typed).expanduser()), name="folder")
        elif typed.isascii() and typed.isdigit() and len(typed) <= 20:
            self._begin(int(typed))
        else:
            self._say("a seed is a number", "$alert-warn")

    async def _add(self, folder: Path) -> None:
        try:
            self._recordings = await beside(drawing.pool, [*self._folders, folder])
        except BadInput as error:
            self._say(str(error), "$alert-warn")
            return
        self._folders.append(folder)
        self._say(f"{folder} too")

    def _close_line(self) -> None:
        self._asking = ""
        self.set_class(False, "asking")
        self.set_focus(None)

    def action_begin(self) -> None:
        """Begin a drill of a fresh seed."""
        self._begin(secrets.randbits(40))

    def action_leave(self) -> None:
        """Close the line, give up what is looked for, or leave."""
        if self._asking:
            self._close_line()
        elif self._stop is not None:
            self._stop.set()
        else:
            cast("TapeviewApp", self.app).leave_screen()

    async def on_unmount(self) -> None:
        """End the run in the journal."""
        if self._stop is not None:
            self._stop.set()
        await beside(self.history.close)

    # -- a drill -----------------------------------------------------------------------------------
    def _begin(self, seed: int, choice: Choice | None = None) -> None:
        if self._stop is None:
            self._stop = threading.Event()
            self.run_worker(self._open(seed, choice, self._stop), name="drill")

    async def _open(self, seed: int, choice: Choice | None, stop: threading.Event) -> None:
        loop = self.app._loop
        assert loop is not None

        def told(done: float) -> None:
            loop.call_soon_threadsafe(self._say, f"looking for a moment: {done:.0%} of a recording")

        self._say("looking for a moment" if ready() else "compiling kernels, once on this machine")
        try:
            question, playback = await beside(
                _find, self._plan, self._recordings or (), self.rules, seed, choice, stop, told
            )  # fmt: skip
        except Stopped:
            self._say("given up")
            return
        except BadInput as error:
            self._say(str(error), "$alert-warn")
            return
        finally:
            self._stop = None
        if not self.is_mounted or stop.is_set():
            await beside(playback.close)
            return
        self._question = question
        known = [one.seed for one in (*self.earlier, *self.history.here) if one.source == question.choice.address]
        market = HiddenMarket(playback, question)
        market.play()
        settings = self._plan.settings.screen if self._plan.settings is not None else None
        self._say("")
        await self.app.push_screen(
            DrillScreen(market, settings, self._keep, self._done, again=seed in known, timed=self._timed)
        )

    def _keep(self, record: Drilled) -> Skill:
        self.history.keep(record)
        return skill([*self.earlier, *self.history.here])

    def _done(self, answer: str) -> None:
        self.run_worker(self._reckon(), name="reckon")
        question = self._question
        if answer == NEXT:
            self.action_begin()
        elif answer == AGAIN and question is not None:
            self._begin(question.choice.seed, question.choice)
        elif answer == OPEN and question is not None:
            self._open_recording(question)

    def _open_recording(self, question: Question) -> None:
        from tapeview.ui.screens.opening import OpeningScreen

        at = str(question.stop_ns - 10_000_000_000)
        address = question.choice.address
        self.app.push_screen(OpeningScreen(replace(self._plan, addresses=(address,), at=at, paused=True)), self._opened)

    def _opened(self, error: BadInput | None) -> None:
        if error is not None:
            self._say(str(error), "$alert-warn")


def _skills(drilled: Sequence[Drilled]) -> tuple[Skill, dict[str, Skill]]:
    return skill(drilled), {name: skill(found) for name, found in by(drilled, lambda one: one.by or "moment").items()}


def _find(
    plan: StartPlan,
    recordings: Sequence[Recorded],
    rules: Rules,
    seed: int,
    choice: Choice | None,
    stop: threading.Event,
    told: Callable[[float], None],
) -> tuple[Question, Playback]:
    """The question of a seed, or of a choice that was drawn before, and its playback; for a thread."""
    # Detectors' kernels are compiled with the engine's: they must be known before that begins.
    import tapeview.watch  # noqa: F401
    from feeds.source import OpenOptions, open_source
    from tapeview.config import Config, Loaded, thresholds
    from tapeview.engine import start_background, warm
    from tapeview.library import as_recording
    from tapeview.playback import Playback

    start_background()
    warm()
    settings = plan.settings or Config()
    watched = thresholds(Loaded(settings, dict(plan.origin)))

    def opened(drawn: Choice) -> Playback:
        options = OpenOptions()
        return Playback([as_recording(open_source(drawn.address, options), options)], settings, watched)

    if choice is None:
        return draw_question(recordings, rules, seed, opened, stop, told)
    playback = opened(choice)
    try:
        found = ask(playback, choice, rules, stop, told)
    except BaseException:
        playback.close()
        raise
    if found is None:
        playback.close()
        raise BadInput("drill", seed, "the moment that was there before")
    return found, playback

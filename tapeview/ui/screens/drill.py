"""One drill on the trade screen: a market without a name plays, stops, and waits for a call; then it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tapeview import format as text
from tapeview.desk.records import Drilled
from tapeview.drill.hidden import NOON_NS, HiddenMarket
from tapeview.drill.skill import NAMES, Skill, result
from tapeview.snapshot import Snapshot
from tapeview.ui.keys import in_words
from tapeview.ui.screens._journal_rows import FEW_WORD, moment, share, signed
from tapeview.ui.screens.trade import TradeScreen
from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel
from tapeview.ui.widgets.status import KeysLine

if TYPE_CHECKING:
    from tapeview.config import ScreenSettings
    from tapeview.ui.app import TapeviewApp

WATCHING, CALLING, AFTER, OVER = "watching", "calling", "after", "over"
"""It plays up to the stop, waits for the call, plays the seconds that are scored, is told."""
NEXT, AGAIN, OPEN, LEAVE = "next", "again", "open", "leave"
"""What is to be done after a drill."""
SURE: Final = tuple(tenths / 10 for tenths in range(1, 10))
"""How sure a call may be."""
_EVEN: Final = 0.5
"""How sure it is before anything is said."""
_HINTS: Final = {
    WATCHING: (("p", "pause"), ("[ ]", "speed"), ("Tab", "panel"), ("?", "help"), ("Esc", "leave")),
    CALLING: (
        ("Shift+↑", "buy"),
        ("Shift+↓", "sell"),
        ("n", "nothing"),
        ("←→", "how sure"),
        ("y", "call it"),
        ("Esc", "leave"),
    ),
    AFTER: (("p", "pause"), ("[ ]", "speed"), ("y", "to the end"), ("Esc", "leave")),
    OVER: (("Enter", "next"),),
}  # fmt: skip


class DrillLine(Panel, can_focus=False):
    """Where the drill stands, under the truth line."""

    DEFAULT_CSS = "DrillLine { height: 1; }"

    def __init__(self, screen: DrillScreen) -> None:
        super().__init__(name="drill", id="timeline")
        self._drill = screen

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:  # noqa: ARG002
        """Draw the line."""
        runs = self._drill.words()
        used = sum(len(words) for words, _ in runs)
        last = "symbol, date and clock hidden; prices are real "
        room = width - used - len(last)
        return [(*runs, (" " * max(0, room) + last if room >= 2 else " " * max(0, width - used), "dim"))]


class DrillScreen(TradeScreen, inherit_bindings=False):
    """Play one drill; `done` is told of its record, and of what is to come next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("shift+up", "call(1)", "Call: buy", id="drill.buy"),
        Binding("shift+down", "call(-1)", "Call: sell", id="drill.sell"),
        Binding("n", "call(0)", "Call: nothing", id="drill.nothing"),
        Binding("right", "sure(1)", "Surer of the call", id="drill.surer"),
        Binding("left", "sure(-1)", "Less sure of it", id="drill.less-sure"),
        Binding("y", "make", "Make the call; then: on to its end", id="drill.make"),
        Binding("p", "pause", "Play or pause", id="drill.pause"),
        Binding("left_square_bracket", "slower", "Slower", id="drill.slower"),
        Binding("right_square_bracket", "faster", "Faster", id="drill.faster"),
        Binding("e", "explain", "Explain the alert", id="drill.explain"),
        Binding("tab", "app.focus_next", "Next panel", id="drill.next-panel"),
        Binding("shift+tab", "app.focus_previous", "Previous panel", id="drill.previous-panel"),
        Binding("z", "zoom", "This panel alone, and back", id="drill.zoom"),
        Binding("escape,q", "leave", "Leave the drill", id="drill.leave"),
    ]

    def __init__(
        self,
        market: HiddenMarket,
        settings: ScreenSettings | None,
        keep: Callable[[Drilled], Skill],
        done: Callable[[str], None],
        *,
        again: bool = False,
        timed: bool = True,
    ) -> None:
        """`keep` keeps a record and says what all of them say; `again` tells that it has been seen before."""
        super().__init__(market, settings, timed=timed)
        self.phase = WATCHING
        self.side: int | None = None
        """The call, which may change until it is made."""
        self.sure = _EVEN
        self.record: Drilled | None = None
        self._hidden = market
        self._keep, self._done, self._again = keep, done, again
        self._stopped_s = 0.0
        self._warned = False

    def second_line(self) -> Panel:
        """Where the drill stands."""
        return DrillLine(self)

    def frame(self, *, anyway: bool = False) -> None:
        """Go on, and see whether it has come to the stop or to its end."""
        super().frame(anyway=anyway)
        if self._orders.busy:
            return
        if self.phase == WATCHING and self._hidden.stopped:
            self._stopped_s = time.monotonic()
            self._enter(CALLING)
        elif self.phase == AFTER and self._hidden.ended:
            self._enter(OVER)
            self._tell_result()

    def _enter(self, phase: str) -> None:
        self.phase = phase
        self.set_class(phase == CALLING, "calling")
        self.say("")
        self._hint()
        self._wanted = True

    def words(self) -> list[Run]:
        """Where the drill stands, in runs."""
        question = self._hidden.question
        if self.phase == WATCHING:
            played = ((self._hidden.market_ns or 0) - NOON_NS) // 1_000_000_000
            return [(" DRILL ", "last bold"), (f" {max(0, played)} s played; it will stop", "text")]
        if self.phase == CALLING:
            why = f" STOPPED at {question.by.replace('_', ' ')} " if question.by else " STOPPED "
            if self.side is None:
                asked = f" the next {question.horizon_s} s:  Shift+↑ buy   Shift+↓ sell   n nothing "
            else:
                asked = f" {NAMES[self.side].upper()}  {share(self.sure)} sure   ← → how sure   y calls it "
            return [(why, "armed bold reverse"), (asked, "loud bold")]
        called = NAMES[self.side or 0]
        sure = self.record.sure if self.record is not None else None
        left = max(0, question.end_ns - self._hidden.shift_ns - (self._hidden.market_ns or 0)) / 1e9
        tail = f"  {left:.0f} s left" if self.phase == AFTER else "  over"
        return [(" CALLED ", "armed bold"), (f" {called} {share(sure)} sure", "loud bold"), (tail, "text")]

    def _hint(self) -> None:
        write = in_words if cast("TapeviewApp", self.app).ascii_only else str
        self.query_one(KeysLine).set_hints(tuple((write(key), word) for key, word in _HINTS[self.phase]))

    # -- keys --------------------------------------------------------------------------------------
    def action_call(self, side: int) -> None:
        """Say what one would do; it counts once the call is made."""
        if self._may_call():
            self.side = side
            self._wanted = True

    def action_sure(self, step: int) -> None:
        """Be surer of it (1), or less so (-1)."""
        if self._may_call():
            at = SURE.index(self.sure) + step
            self.sure = SURE[max(0, min(len(SURE) - 1, at))]
            self._wanted = True

    def action_make(self) -> None:
        """Make the call; when it is made, go to the end of what is scored at once."""
        if self.phase == AFTER:
            self._later(self._hidden.to_end)
        elif self._may_call():
            if self.side is None:
                self.say("first what: Shift+↑ buys, Shift+↓ sells, n does nothing")
                return
            self._call(self.side, self.sure)
            self._enter(AFTER)
            self._later(self._hidden.go_on)

    def _may_call(self) -> bool:
        if self.phase != CALLING:
            self.say("wait for the stop" if self.phase == WATCHING else "it is called already")
        return self.phase == CALLING

    def _call(self, side: int | None, sure: float | None) -> None:
        waited_ns = int((time.monotonic() - self._stopped_s) * 1e9)
        self.record = self._hidden.question.called(side, sure, waited_ns, again=self._again)
        self._skill = self._keep(self.record)

    def action_pause(self) -> None:
        """Play or pause."""
        self._now(self._hidden.toggle)

    def _replay(self, number: int) -> None:
        del number
        self.say("a drill does not go back")

    def action_back_out(self) -> None:
        """Leave."""
        self.action_leave()

    def action_leave(self) -> None:
        """Leave the drill; one that waits for a call only when asked twice, and it is recorded."""
        if self.phase == CALLING:
            if not self._warned:
                self._warned = True
                self.say("left now it counts as a drill without a call; Esc again leaves", bad=True)
                return
            self._call(None, None)
        self._over(LEAVE)

    def _over(self, answer: str) -> None:
        self.app.pop_screen()
        self._done(answer)

    def _tell_result(self) -> None:
        assert self.record is not None
        made = lines(self._hidden, self.record, self._skill)

        def closed(answer: str | None) -> None:
            self._over(answer or LEAVE)

        self.app.push_screen(ResultScreen(made), closed)


class ResultScreen(ModalScreen[str]):
    """What came of a drill, and which market it was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,d", "end('next')", "The next drill", id="result.next"),
        Binding("r", "end('again')", "The same once more, not counted", id="result.again"),
        Binding("o", "end('open')", "Open the recording at this moment", id="result.open"),
        Binding("escape,q", "end('leave')", "Back to the drills", id="result.leave"),
    ]

    def __init__(self, made: list[Content]) -> None:
        super().__init__()
        self.made = made

    def compose(self) -> ComposeResult:
        """The text and the keys."""
        with Vertical(id="result"):
            yield Static(Content("\n").join(self.made), id="result-text")
            keys = (("Enter", "next"), ("r", "once more"), ("o", "open it"), ("Esc", "back"))
            parts = [piece for key, word in keys for piece in ((f" {key}", "$text bold"), (f" {word} ", "$dim"))]
            yield Static(Content.assemble(*parts), id="result-keys")

    def action_end(self, answer: str) -> None:
        """Close it with an answer."""
        self.dismiss(answer)


def lines(market: HiddenMarket, record: Drilled, skill: Skill) -> list[Content]:
    """What came of a drill, as lines of at most 70 cells."""
    came = result(record)
    moved = {1: "up", -1: "down", 0: "nowhere that counts"}[came.came]
    verdict = (" RIGHT ", "$buy bold reverse") if came.right else (" WRONG ", "$sell bold reverse")
    sigma = "" if record.sigma is None else f", {signed(came.move / record.sigma, 1)} sigmas"
    out = [
        Content.assemble(
            verdict, (f"  you said {NAMES[record.side or 0]}, {share(record.sure)} sure", "$loud bold")
        ),
        Content.styled(
            f"the mid went {moved}: {signed(came.move, 1)} ticks{sigma} in {record.horizon_s} s", "$text"
        ),
        Content.styled(f"a move counts from {record.threshold / 2:g} ticks", "$dim"),
    ]  # fmt: skip
    if record.side:
        out.append(Content.styled(f"bought at the ask, sold at the bid: {signed(float(came.made), 0)} ticks", "$text"))
    if came.brier is not None:
        out.append(Content.styled(f"squared error of your confidence: {came.brier:.2f} (0 best, 1 worst)", "$text"))
    out += [
        Content(""),
        Content.assemble(
            ("it was ", "$dim"), (market.name, "$loud bold"),
            (f"  {moment(record.recv_ns)} UTC", "$text"),
        ),
        Content.styled(text.clean(record.source)[-70:], "$dim"),
        Content.styled(f"seed {record.seed}" + ("  seen before: not counted" if record.again else ""), "$dim"),
        Content(""),
    ]  # fmt: skip
    few = f"  {FEW_WORD}" if skill.grey else ""
    out.append(
        Content.assemble(
            (f"{skill.drills} drills: right {share(skill.right.value)}", "$text bold"),
            (f"  {share(skill.right.low)} to {share(skill.right.high)}", "$dim"), (few, "$alert-warn bold"),
        )
    )  # fmt: skip
    best = max(skill.blind, key=lambda one: one.right.value) if skill.drills else None
    if best is not None:
        words = f"by chance {share(skill.chance)}, {best.name} {share(best.right.value)}; {skill.badge}"
        out.append(Content.styled(words, "$dim"))
    return out

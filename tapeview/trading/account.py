"""One paper account over all lanes of a screen: its money, its daily lock, what lanes must hear of each other.

Lanes may run in threads of their own. What one of them causes in another is put into that one's inbox, which its own
thread empties between two batches, as commands that are journalled like a person's.

A state that a restart needs is written into the newest run: of all lines of a name that of the newest run counts.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import msgspec

from feeds.errors import BadInput
from tapeview import journal
from tapeview.desk import day
from tapeview.desk.commands import Elsewhere, Lock
from tapeview.desk.money import decimal, total
from tapeview.desk.records import ALARMS, PESSIMIST, AnyRecord, Closed, Filled, Kept, Refused, Told
from tapeview.desk.roll import session_at
from tapeview.market import Refused as NotNow
from tapeview.trading.breaks import Breaks
from tapeview.trading.together import Together

if TYPE_CHECKING:
    from tapeview.backoffice import About, BackOffice
    from tapeview.config import Config
    from tapeview.trading.lane import Trading

_HEARD: Final = 32
"""Things to tell that are kept."""
_SHARE_NS: Final = 1_000_000_000
"""Market time between two tellings of what other lanes have made."""
_TICK_NS: Final = 1_000_000_000
_STEPS: Final = 20
"""Steps of the daily loss after each of which the account is written down, though nothing was filled."""
PRACTICE, PAPER = "practice", "paper"
NOTHING: Final = (Decimal(0), Decimal(0))
"""(what open positions stand at, what may be lost)."""


class Account:
    """Whose money it is. `again`: a run that is made once more, of which nothing is written."""

    def __init__(
        self, settings: Config, office: BackOffice | None, *, live: bool, name: str = "", again: bool = False
    ) -> None:
        self.settings = settings
        self.live = live
        self.name = name or settings.desk.account or (PAPER if live else PRACTICE)
        self.off = ""
        """Why nothing can be traded under it, '' where it can."""
        self.lock = threading.RLock()
        self.told: deque[tuple[int, str, str, bool]] = deque(maxlen=_HEARD)
        """(number, kind, words, alarm), oldest first."""
        self.trades = 0
        self.breaks = Breaks(settings.desk.limits)
        self.together = Together(settings.desk.limits)
        self._office = office
        self._again = again
        self._lanes: list[Trading] = []
        self._states: dict[str, str] = {}
        self._base = Decimal(settings.desk.equity)
        self._closed = self._paid = Decimal(0)
        """What runs that are over have made, and what was paid in to them."""
        self._written = Decimal(0)
        self._step: Decimal | None = None
        self._run: int | None = None
        """The newest run."""
        self._process: list[float] = []
        self._numbers = 0
        self._tick_ns = 0
        if not again:
            self._load()

    def _load(self) -> None:
        assert self._office is not None
        try:
            if self._office.unwritten:
                self._office.open().wait()  # of the screen before this one
            if self._office.path.is_file():
                db = journal.open_readonly(self._office.path)
                try:
                    self._states = journal.kept(db)
                finally:
                    db.close()
            said = self._states.get(f"equity {self.name}")
            self._base = Decimal(said) if said is not None else self._base
            self.breaks.load(self._states.get("rest"), time.monotonic_ns(), time.time_ns())
        except (BadInput, ArithmeticError, OSError) as error:
            self.off = str(error)
        self._written = self._base

    def set_equity(self, equity: Decimal) -> None:
        """Begin with what a run that is made again began with."""
        self._base = self._written = equity

    # -- lanes -----------------------------------------------------------------------------------------
    def join(self, lane: Trading) -> None:
        """A lane opens."""
        with self.lock:
            self._lanes.append(lane)
            self.together.join(lane)

    def part(self, lane: Trading) -> None:
        """A lane is gone."""
        with self.lock:
            self._lanes.remove(lane)
            self.together.part(lane)

    @property
    def equity(self) -> Decimal:
        """What it has, open positions at the exit side of the book."""
        return total(self._base, self._made, self._paid, *(lane.paid for lane in self._lanes))

    @property
    def _made(self) -> Decimal:
        return total(self._closed, *(lane.own for lane in self._lanes))

    @property
    def process(self) -> float | None:
        """Share of the process questions answered well."""
        return sum(self._process) / len(self._process) if self._process else None

    def kept(self, calendar: str, recv_ns: int) -> dict[str, str]:
        """The states that a desk begins with at a market time: the day's, and its run of losses."""
        with self.lock:
            found = {what: self._states.get(self._name(what, calendar, recv_ns)) for what in ("day", "streak")}
        return {what: line for what, line in found.items() if line is not None}

    def session_at(self, calendar: str, recv_ns: int | None) -> day.LockState | None:
        """What is kept of the session that a market time lies in; None where nothing is, or it cannot be read."""
        if recv_ns is None:
            return None
        line = self.kept(calendar, recv_ns).get("day")
        try:
            state = None if line is None else day.load(line.encode())
        except BadInput:
            return None
        return state if state is not None and recv_ns < state.end_ns else None

    def _name(self, what: str, calendar: str, recv_ns: int) -> str:
        # Sessions of recordings come in any order; a live market's go on, and a clock that is set back does not.
        return f"{what} {self.name}" if self.live else f"{what} {self.name} {session_at(calendar, recv_ns).day}"

    # -- runs ------------------------------------------------------------------------------------------
    def open_journal(self) -> None:
        """Open the journal where it is not yet: the market should not wait for it. Refused where that cannot be."""
        if self._office is not None and not self.off:
            try:
                self._office.open()
            except BadInput as error:
                raise NotNow(str(error)) from None

    def begin(self, lane: Trading, source: str, about: About) -> int:
        """Begin a run and give its number; raise BadInput where the journal cannot be written."""
        assert self._office is not None
        number = self._office.begin(source, about)
        with self.lock:
            self._run = number
            lane.made_before = self._made
        return number

    def end(self, lane: Trading, run: int, digest: str | None) -> None:
        """A lane's run is over; without a digest, because of a fault."""
        with self.lock:
            self._closed, self._paid = total(self._closed, lane.own), total(self._paid, lane.paid)
            lane.own = lane.paid = Decimal(0)
            lane.stake = NOTHING
            self._write_down(lane)
            self._share()
        if digest is not None and self._office is not None:
            self._office.end(run, digest)

    def take(self, lane: Trading, records: Sequence[AnyRecord]) -> None:
        """Post what a lane's desk said, and let the others hear what concerns them."""
        with self.lock:
            told = [record for record in records if not isinstance(record, Kept)]
            for record in records:
                if isinstance(record, Kept):
                    self._take_state(lane, record)
                else:
                    self._hear(lane, record)
            if told and lane.run is not None:
                assert self._office is not None
                self._office.post(lane.run, told)
            self._weigh(lane, filled=any(isinstance(record, Filled) for record in told))

    def hear(self, lane: Trading, records: Sequence[AnyRecord]) -> None:
        """The same of a run that is made again: only told, neither written nor passed on."""
        with self.lock:
            for record in records:
                self._hear(lane, record)

    # -- what is said ----------------------------------------------------------------------------------
    def say(self, kind: str, words: str) -> None:
        """Have a person told something."""
        with self.lock:
            self._numbers += 1
            self.told.append((self._numbers, kind, words, kind in ALARMS))

    def _hear(self, lane: Trading, record: AnyRecord) -> None:
        where = lane.symbol(record.inst)
        match record:
            case Told():
                self.say(record.kind, f"{where}{record.text}")
                if record.kind == "lock" and not self._again:
                    self._pass_lock(lane, record.text)
            case Refused():
                self.say("refused", f"{where}{record.reason}")
            case Filled() if record.view == PESSIMIST:
                self.say("filled", where + lane.fill_words(record))
            case Closed() if record.view == PESSIMIST:
                self.trades += 1
                if record.score is not None:
                    self._process.append(record.score)
                self.say("closed", where + ("closed" if record.r is None else f"closed at {record.r:+.2f} R"))

    def _pass_lock(self, lane: Trading, reason: str) -> None:
        for other in self._lanes:
            if other is not lane and other.run is not None:
                other.inbox.append(Lock(reason=reason))

    # -- states ----------------------------------------------------------------------------------------
    def _keep(self, lane: Trading, what: str, line: str) -> None:
        self._states[what] = line
        if self._run is not None and self._office is not None:
            seq, recv_ns = lane.session.seq, lane.session.recv_ns or 0
            self._office.post(self._run, [Kept(seq=seq, recv_ns=recv_ns, what=what, line=line)])

    def _take_state(self, lane: Trading, record: Kept) -> None:
        line = record.line
        at_ns = record.recv_ns
        if record.what == "day":
            state = day.load(line.encode())
            at_ns = max(state.start_ns, min(at_ns, state.end_ns - 1))
            what = self._name("day", state.calendar, at_ns)
            known = self._day_named(what)
            if known is not None and known.start_ns == state.start_ns and known.locked and not state.locked:
                # Nobody has told this desk yet; nothing may look as if the session were open.
                lane.inbox.append(Lock(reason=known.reason))
                line = day.save(day.lock(state, known.reason)).decode()
            lane.day, self._step = what, max(state.limit / _STEPS, Decimal("0.01"))
        else:
            what = self._name(record.what, lane.calendar, at_ns)
        self._keep(lane, what, line)

    def _day_named(self, what: str) -> day.LockState | None:
        line = self._states.get(what)
        try:
            return None if line is None else day.load(line.encode())
        except BadInput:
            return None

    def _weigh(self, lane: Trading, *, filled: bool) -> None:
        before = (lane.own, lane.paid)
        lane.weigh()
        moved = (lane.own, lane.paid) != before and (
            self._step is None or abs(self.equity - self._written) >= self._step
        )
        if filled or moved:
            self._write_down(lane)
        self._share()

    def _write_down(self, lane: Trading) -> None:
        equity = self._written = self.equity
        self._keep(lane, f"equity {self.name}", f"{equity:f}")
        for one in self._lanes:
            state = self._day_named(one.day) if one.day and one.run is not None else None
            if state is not None:
                latest_ns, has = max(state.latest_ns, one.session.recv_ns or 0), f"{self.seen_by(one):f}"
                if latest_ns < state.end_ns and has != state.equity:
                    later = msgspec.structs.replace(state, latest_ns=latest_ns, equity=has)
                    self._keep(one, one.day, day.save(later).decode())

    def seen_by(self, lane: Trading) -> Decimal:
        """Equity as a lane's session counts it: from what its day began with, all lanes included."""
        return total(lane.began_with, lane.paid, self._made, -lane.made_before)

    def _share(self) -> None:
        for lane in self._lanes:
            if lane.run is None:
                continue
            others = [one.stake for one in self._lanes if one is not lane]
            made = total(self._made, -lane.made_before, -lane.own)
            stake = (total(*(gain for gain, _ in others)), total(*(loss for _, loss in others)))
            now_ns = lane.session.recv_ns or 0
            if (made, stake) != lane.elsewhere and not lane.elsewhere_ns <= now_ns < lane.elsewhere_ns + _SHARE_NS:
                lane.elsewhere, lane.elsewhere_ns = (made, stake), now_ns
                gain, loss = stake
                lane.inbox.append(Elsewhere(profit=f"{made:f}", worst=f"{loss:f}", unrealised=f"{gain:f}"))

    # -- time ------------------------------------------------------------------------------------------
    def touched(self) -> None:
        """A person pressed a key."""
        with self.lock:
            self._note_breaks(self.breaks.touch(time.monotonic_ns(), time.time_ns(), position_open=self.holding))

    @property
    def holding(self) -> bool:
        """Whether a position is open anywhere."""
        return any(lane.holding for lane in self._lanes)

    def tick(self) -> None:
        """Let time pass: work and rest, and what moves together; cheap to call often."""
        now_ns = time.monotonic_ns()
        if now_ns - self._tick_ns < _TICK_NS:
            return
        self._tick_ns = now_ns
        with self.lock:
            self._note_breaks(self.breaks.tick(now_ns, time.time_ns(), position_open=self.holding))
            if self._again:
                return
            self._share()
            single = self.single
            budget = Fraction(self.settings.desk.limits.daily_loss) * Fraction(max(self.equity, Decimal(0)))
            for lane, command in self.together.weigh(float(budget), float(single)):
                lane.inbox.append(command)

    @property
    def single(self) -> Fraction:
        """What one trade may lose at its stop."""
        return Fraction(self.settings.desk.limits.trade_risk) * Fraction(max(self.equity, Decimal(0)))

    def _note_breaks(self, said: list[tuple[str, str]]) -> None:
        for kind, words in said:
            if kind in ("nudge", "grace", "break", "rested", "early"):
                self.say("rest", words)
        line = self.breaks.due(said)
        if line is not None and self._lanes and self._run is not None:
            self._keep(self._lanes[0], "rest", line)

    # -- looking ---------------------------------------------------------------------------------------
    @property
    def unwritten(self) -> int:
        """Records that are not on disk yet."""
        return self._office.unwritten if self._office is not None else 0

    @property
    def trouble(self) -> str:
        """Why the journal or an outlet takes nothing, '' while all is well."""
        return self._office.trouble if self._office is not None else ""


def profit_of(state: day.LockState, equity: Decimal) -> tuple[Decimal, float, Decimal]:
    """(what a session has made at an equity, share of its loss limit used up, what is left to lose)."""
    made = total(equity, -Decimal(state.start_equity), -Decimal(state.paid_in))
    limit = state.limit
    used = float(min(Fraction(1), max(Fraction(0), -Fraction(made) / Fraction(limit)))) if limit > 0 else 1.0
    return made, used, max(decimal(0), total(limit, made))

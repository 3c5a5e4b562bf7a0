"""One session's paper trading: the desk while there is one, its run in the journal, and what a screen shows of it.

A run goes from the moment a desk is attached to where it ends. It begins at the first command and ends where rows are
left out or seen again, which an open position or a working order does not allow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from feeds.errors import BadInput
from feeds.instruments import Instrument, contracts
from tapeview.backoffice import About
from tapeview.desk.commands import AnyCommand, Arm, Disarm, Facts
from tapeview.desk.costs import Profile, profiles, side_cost
from tapeview.desk.desk import Desk
from tapeview.desk.records import PESSIMIST, Alerted, AnyRecord, Filled, Told
from tapeview.desk.roll import session_at
from tapeview.desk.terms import Terms
from tapeview.market import Refused
from tapeview.trading import picture
from tapeview.trading.account import NOTHING

if TYPE_CHECKING:
    from feeds.events import Events
    from tapeview.alert import Alert
    from tapeview.alertlog import AlertLog
    from tapeview.session import Session
    from tapeview.snapshot import DeskPart
    from tapeview.trading.account import Account
    from tapeview.watch import Finding

_FUTURES: Final = frozenset(("cme", "cbot", "nymex", "comex", "globex", "xsim", "glbx.mdp3", "ifus.impact"))
_EQUITIES: Final = frozenset(("nasdaq", "nyse", "arca", "bats", "iex", "alpaca", "ib", "xnas", "xnys", "xnas.itch"))
_NEVER_NS: Final = -1 << 62
END: Final = "end"
"""Kind of the Told that ends a run: where it lies, and why."""


class Recipe(About, frozen=True, kw_only=True):
    """All that a run needs to be made again, besides its source and its commands."""

    limits: dict[str, int | float]
    content: str = ""
    """Digest of the recording's events; '' where it was not known."""
    recording: str = ""
    """Folder in which a live market was recorded meanwhile."""
    engine: dict[str, Any] = msgspec.field(default_factory=dict)
    detectors: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    """Thresholds of those that ran."""
    watch_from: int = -1
    """The row after which the detectors began; -1 for the source's start."""


class Trading:
    """Paper trading of one session; nothing of it is called by two threads at a time."""

    def __init__(
        self,
        session: Session,
        account: Account,
        log: Callable[[], AlertLog],
        *,
        options: Mapping[str, Any] | None = None,
        content: Callable[[], str] = str,
        recording: str = "",
        at_once: bool = False,
    ) -> None:
        """`content` gives the digest of what is played; `at_once` begins a run without a command."""
        self.session = session
        self.account = account
        self.off = ""
        """Why nothing can be traded here, '' where it can."""
        self.run: int | None = None
        """The run's number, None while there is no desk."""
        self.seen = -1
        """The newest row that was on the screen."""
        self.hindsight = False
        """The run began at rows that had been seen."""
        self.watch_from = -1
        self.inbox: deque[AnyCommand] = deque()
        """What other lanes and the account have for it."""
        self.own = self.paid = Decimal(0)
        """What the run has made, and what was paid in to it."""
        self.stake = NOTHING
        self.risks: list[tuple[int, float | None]] = []
        """By instrument: the side of its position, and what it loses at its stops; None where nobody can say."""
        self.began_with = self.made_before = Decimal(0)
        """The desk's equity at the run's start, and what the account had made by then."""
        self.elsewhere, self.elsewhere_ns = (Decimal(0), NOTHING), _NEVER_NS
        """What the desk was told of other lanes, and when."""
        self.day = ""
        """Name of the kept state of its session."""
        self.calendar, self.profile = "crypto", profiles()["free"]
        self._log = log
        self._options = dict(options or {})
        self._content = content
        self._recording = recording
        self._at_once = at_once
        try:
            self.calendar = calendar_of(session.instruments[0], account.settings.desk.calendar)
            self.profile = profile_of(session, account.settings.desk.costs)
        except BadInput as error:
            self.off = str(error)
        account.join(self)

    # -- what a market asks ----------------------------------------------------------------------------
    @property
    def desk(self) -> Desk | None:
        """The desk while there is one."""
        return self.session.desk

    @property
    def busy(self) -> bool:
        """Whether an order works or a position is open."""
        return self.session.desk is not None and self.session.desk.open

    @property
    def armed(self) -> bool:
        """Whether trading keys act."""
        return self.session.desk is not None and self.session.desk.armed

    @property
    def holding(self) -> bool:
        """Whether a position is open."""
        desk = self.session.desk
        return desk is not None and any(one.position.lots for one in desk.views[PESSIMIST])

    def play(self, batch: Events) -> list[Finding]:
        """Take rows through the session, and what the desk says of them to the journal."""
        if self._at_once and self.run is None and not self.off and self.session.seq >= 0:
            self._begin_unasked()
        if self.run is None:
            found = self.session.play(batch)
        else:
            self.serve()
            found = []
            for piece in self.session.pieces(batch):
                new = [one for outcome in self.session.step(piece) for one in outcome.findings]
                found += new
                self._take(new)
        self.seen = max(self.seen, self.session.seq)
        return found

    def send(self, command: AnyCommand) -> None:
        """Give the desk a command after the newest row, and begin a run where there is none; Refused with the cause."""
        if self.off or self.account.off:
            raise Refused(self.off or self.account.off)
        desk = self.session.desk
        idle = desk is not None and not (desk.armed or desk.open)
        if isinstance(command, Arm) and self.hindsight and idle and self.session.seq >= self.seen:
            self.end("what comes has not been seen before")
        if self.run is None:
            if isinstance(command, Disarm):
                return
            self.begin()
        self.serve()
        self._give(command)

    def serve(self) -> None:
        """Carry out what other lanes and the account have for it."""
        while self.inbox:
            command = self.inbox.popleft()
            if self.run is not None:
                self._give(command)

    def _give(self, command: AnyCommand) -> None:
        try:
            self.session.send(command)
        except Exception as error:
            self.session.desk = None
            self._failed(error)
        self._take(())

    def disarm(self, why: str) -> None:
        """Disarm, where it is armed."""
        if self.armed:
            self._give(Disarm(reason=why))

    def refuse_while_busy(self, what: str) -> None:
        """Raise Refused where an order works or a position is open."""
        if self.busy:
            held = "a position is open" if self.holding else "an order works"
            raise Refused(f"{held}: flatten before you {what}")

    # -- runs ------------------------------------------------------------------------------------------
    def begin(self) -> None:
        """Attach a desk and begin a run; Refused with the cause where that cannot be."""
        session, account = self.session, self.account
        if session.seq < 0 or session.recv_ns is None:
            raise Refused("nothing has come of this market yet")
        equity = account.equity
        if equity <= 0:
            raise Refused(f"the account {account.name} has nothing left; --account names another")
        settings = account.settings.desk
        kept = account.kept(self.calendar, session.recv_ns)
        hindsight = session.seq < self.seen
        infos = [(i.name, (i.tick, i.lot)) for i in session.instruments]
        about = Recipe(
            account=account.name, live=account.live, equity=f"{equity:f}", calendar=self.calendar,
            costs=self.profile.name, limits=msgspec.to_builtins(settings.limits), from_seq=session.seq, kept=kept,
            hindsight=hindsight, instruments=tuple(name for name, _ in infos), grids=tuple(grid for _, grid in infos),
            options=self._options, content=self._content(), recording=self._recording,
            engine=msgspec.to_builtins(session.settings),
            detectors={name: msgspec.to_builtins(one) for name, one in session.thresholds.items()},
            watch_from=self.watch_from,
        )  # fmt: skip
        try:
            facts = self._facts(session.recv_ns)
            desk = self.make_desk(about)
            self.run = account.begin(self, session.source.info.address, about)
        except BadInput as error:
            self.run = None
            raise Refused(str(error)) from None
        self.hindsight = hindsight
        self._attach(desk)
        for one in facts:
            self._give(one)

    def _facts(self, recv_ns: int) -> list[Facts]:
        """What the files of volumes and notes say of the instruments; raise BadInput as they do."""
        settings = self.account.settings.desk
        if not settings.volumes and not settings.notes:
            return []
        from tapeview.desk.facts import facts_of

        volumes, notes = (Path(name).expanduser() if name else None for name in (settings.volumes, settings.notes))
        day = session_at(self.calendar, recv_ns).day
        found = [
            facts_of(Terms.of(one), day, volumes=volumes, notes=notes, inst=inst, limits=settings.limits)
            for inst, one in enumerate(self.session.instruments)
        ]
        return [one for one in found if one is not None]

    def make_desk(self, about: About) -> Desk:
        """A desk as a run's begins."""
        session = self.session
        exact = [session.source.info.tier == "A"] * len(session.instruments)
        return Desk(
            session.instruments, exact, limits=self.account.settings.desk.limits, profile=self.profile,
            calendar=about.calendar, equity=Decimal(about.equity), kept=about.kept,
        )  # fmt: skip

    def _attach(self, desk: Desk) -> None:
        session, log = self.session, self._log()
        told = [log.standing(inst, session.seq) for inst in range(len(session.instruments))]
        session.desk_failed = self._failed
        self.elsewhere, self.elsewhere_ns = (Decimal(0), NOTHING), _NEVER_NS
        try:
            session.attach(desk, [one for stands, _ in told for one in stands], [new for _, new in told if new])
        except Exception as error:
            session.desk = None
            self._failed(error)
            return
        self.began_with = desk.purse.equity
        self._take(())

    def _begin_unasked(self) -> None:
        try:
            self.begin()
        except Refused as error:
            self.off = str(error)
            self.account.say("off", f"paper trading is off: {error}")

    def end(self, why: str) -> None:
        """End the run, of which nothing should be open; nothing is done where there is none."""
        desk, run = self.session.desk, self.run
        if desk is None or run is None:
            return
        self.serve()
        self.disarm(why)
        desk.finish()
        self._take(())
        if self.run is None:
            return  # a fault has ended it
        self._write([Told(seq=self.session.seq, recv_ns=self.session.recv_ns or 0, kind=END, text=why)])
        digest = desk.digest()
        self._let_go()
        self.account.end(self, run, digest)

    def _let_go(self) -> None:
        self.session.attach(None)
        self.session.desk_failed = None
        self.run = None
        self.inbox.clear()

    def close(self) -> None:
        """End what runs; the lane is gone."""
        self.end("left with a position" if self.holding else "the session is left")
        self.account.part(self)

    def _failed(self, error: Exception) -> None:
        """Trading never stops the market: what goes wrong in it turns it off."""
        run = self.run
        self.off = f"a fault in paper trading: {type(error).__name__}: {error}"
        self.account.say("off", f"paper trading is off: {self.off}")
        self._let_go()
        if run is not None:
            self.account.end(self, run, None)

    # -- records ---------------------------------------------------------------------------------------
    def _take(self, findings: Sequence[Finding]) -> None:
        desk = self.session.desk
        if desk is None or self.run is None:
            return
        records: list[AnyRecord] = desk.take()
        told = [one.alert for one in findings if one.alert.phase == "confirmed" and not one.alert.held]
        if told:
            records = sorted([*records, *map(_alerted, told)], key=lambda record: (record.recv_ns, record.seq))
        if records or desk.busy:
            try:
                self._write(records)
            except Exception as error:
                self._failed(error)

    def _write(self, records: Sequence[AnyRecord]) -> None:
        self.account.take(self, records)

    # -- facts -----------------------------------------------------------------------------------------
    def weigh(self) -> None:
        """Look at what the desk has made, and what it may lose."""
        desk = self.session.desk
        if desk is not None:
            self.own, self.paid = desk.profit(), desk.purse.equity - self.began_with
            self.stake = desk.at_stake()
            self.risks = [picture.at_risk(desk, inst) for inst in range(len(self.session.instruments))]

    def symbol(self, inst: int) -> str:
        """An instrument's symbol as the beginning of a sentence, where there are several on the screen."""
        return "" if self.account.together.alone else f"{self.session.instruments[inst].symbol}: "

    def fill_words(self, fill: Filled) -> str:
        """A fill for a person."""
        instrument = self.session.instruments[fill.inst]
        lots, price = instrument.size.text(fill.lots), instrument.price.text(fill.tick)
        return f"{'bought' if fill.side > 0 else 'sold'} {lots} at {price}"

    def at_risk(self, inst: int, otherwise: float) -> float:
        """What a position loses at its stops, below 0 for a short; `otherwise` where nobody can say, 0 without one."""
        if self.run is None or inst >= len(self.risks):
            return 0.0
        side, money = self.risks[inst]
        return side * (otherwise if money is None else money)

    def part(self, inst: int) -> DeskPart:
        """What a screen shows."""
        try:
            return picture.part(self, inst)
        except Exception as error:
            if self.run is None:
                raise
            self._failed(error)
            return picture.part(self, inst)


def _alerted(alert: Alert) -> Alerted:
    return Alerted(
        seq=alert.seq, recv_ns=alert.recv_ns, inst=alert.inst, detector=alert.detector, phase=alert.phase,
        text=alert.text, side=alert.side, tick=alert.tick, score=alert.score, confidence=alert.confidence,
        grade=alert.grade,
    )  # fmt: skip


def calendar_of(instrument: Instrument, said: str) -> str:
    """When an account's day rolls: as the settings say, or by what is traded where."""
    if said != "auto":
        return said
    venue, symbol = instrument.venue.casefold(), instrument.symbol.upper()
    # MESZ6 is a contract of MES.
    if venue in _FUTURES or not contracts().keys().isdisjoint((symbol, symbol[:-2])):
        return "futures"
    return "equities" if venue in _EQUITIES else "crypto"


def profile_of(session: Session, said: str) -> Profile:
    """The profile of costs the settings name, or that of the venue, or none at all.

    Raises BadInput where the one that is named does not exist or cannot charge what is traded.
    """
    known = profiles()
    terms = [Terms.of(instrument) for instrument in session.instruments]
    if said:
        if said not in known:
            raise BadInput("desk.costs", said, "one of " + ", ".join(known))
        for one in terms:
            side_cost(known[said], one, 1, tick=1)
        return known[said]
    found = known.get(session.instruments[0].venue)
    if found is None:
        # A contract's own fee names its profile, where all that is traded has one.
        found = next((one for one in known.values() if all(term.symbol in one.exchange for term in terms)), None)
    return known["free"] if found is None else found

"""The desk: commands in, orders to the paper venues, fills to positions, limits over all of it, records out.

It meets a session at four places, always in this order: `cut` says how far the next batch may go at once, `before`
lets in what arrives before the batch's first row, `after` takes an instrument's applied rows, `look` weighs the whole
account at a CLOCK row. Commands come between batches. The same rows and commands make the same records, however rows
are cut.

Two views of the same orders run side by side: the pessimist's, in which cancels never shorten a queue and which the
account, the limits and the lock follow, and the optimist's. What lies between them is what nobody can know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import CLOCK, NONE, S_LIVE, STATUSES, Events
from feeds.instruments import Instrument
from tapeview.desk import decision
from tapeview.desk.blotter import Blotter
from tapeview.desk.commands import (
    MARKET,
    AnyCommand,
    Arm,
    Call,
    Cancel,
    CancelAll,
    CancelAt,
    Disarm,
    Elsewhere,
    Facts,
    Flatten,
    Lock,
    Note,
    PayIn,
    Place,
    Scale,
    Trail,
)  # fmt: skip
from tapeview.desk.costs import Charges, Profile, side_cost
from tapeview.desk.day import LockState
from tapeview.desk.decision import Scene
from tapeview.desk.follow import follow
from tapeview.desk.gate import Gate
from tapeview.desk.limits import Limits
from tapeview.desk.money import read_money, total
from tapeview.desk.paper import PaperVenue
from tapeview.desk.position import Trade
from tapeview.desk.purse import Purse
from tapeview.desk.queue import DONE
from tapeview.desk.records import (
    OPTIMIST,
    PESSIMIST,
    VIEWS,
    AnyRecord,
    Commanded,
    Decided,
    Kept,
    Noted,
    Refused,
    Told,
)  # fmt: skip
from tapeview.desk.risk import Refusal
from tapeview.desk.stops import UNKNOWN
from tapeview.desk.terms import Terms
from tapeview.desk.trailing import MinuteRange
from tapeview.desk.view import View
from tapeview.engine import _jit
from tapeview.engine.engine import Engine

__all__ = ["Desk", "Scene"]


class Desk:
    """Paper trading over a session's instruments.

    `calendar` names when the account's day rolls; `kept` holds the newest Kept line of each `what`, from the journal.
    Where its day is of the session that goes on, the account has what it had then, and not `equity`. Raises BadInput
    where the profile does not know what an instrument costs.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        exact: Sequence[bool],
        *,
        limits: Limits,
        profile: Profile,
        calendar: str,
        equity: Decimal,
        kept: Mapping[str, str] | None = None,
    ) -> None:
        self.limits = limits
        self.profile = profile
        self.terms = [Terms.of(instrument) for instrument in instruments]
        for terms in self.terms:
            side_cost(profile, terms, 1, tick=1)
        self.purse = Purse(equity, calendar, limits, kept or {})
        self.armed = False
        self.seq = -1
        self.now_ns = 0
        latency = limits.latency_ms * 1_000_000
        self.views: dict[str, list[View]] = {
            view: [
                View(view, n, PaperVenue(hopeful=view == OPTIMIST, latency_ns=latency, exact=by_order), limits)
                for n, by_order in enumerate(exact)
            ]
            for view in VIEWS
        }
        self.scores: list[float] = []
        """The process score of each trade the pessimist closed."""
        self.trades = 0
        """Trades the pessimist closed."""
        charges = {view: Charges(profile) for view in VIEWS}
        self._blotters = [
            Blotter(one, self.terms[one.inst], limits, charges[one.name], self._add, self._closed)
            for one in self._all()
        ]
        self.gate = Gate(
            self.views[PESSIMIST], self.views[OPTIMIST], self.terms, limits, charges[PESSIMIST], self.purse, calendar
        )
        self._numbers = 0
        self._decision = 0
        """The newest decision's number."""
        self._flattening: dict[int, str] = {}
        """Instruments that are being closed, and why: flatten or lock."""
        self._over: list[tuple[Trade, Mapping[str, Any]]] = []
        """Trades that were closed since the account last took note of them."""
        self._records: list[AnyRecord] = []
        self._ranges = [MinuteRange(limits) for _ in instruments]
        self._out = np.zeros(0, DONE)

    def adopt(self, engines: Sequence[Engine]) -> None:
        """Begin beside engines that have run already: take up the touch, the validity of books, and the time."""
        for inst, engine in enumerate(engines):
            book = engine.book
            for views in self.views.values():
                views[inst].venue.adopt(book.epoch)
                views[inst].touch, views[inst].state = (book.best_bid, book.best_ask), book.state
            if engine.seq != NONE:
                self.seq = max(self.seq, engine.seq)
                self.now_ns = max(self.now_ns, engine.recv_ns)
                minutes = engine.tape.bars(self.limits.trail_minutes + 2, 60)
                self._ranges[inst].begin_with(minutes, engine.recv_ns)
        self._mark()

    # -- what a session asks ----------------------------------------------------------------------
    @property
    def busy(self) -> bool:
        """Whether it wants to look at the next CLOCK row: something is open, or a result is not kept yet."""
        return self.purse.unkept or bool(self._over) or bool(self._flattening) or self.open

    @property
    def open(self) -> bool:
        """Whether an order works or a position is open in either view."""
        return any(not one.venue.idle or one.position.lots for one in self._all())

    def cut(self, rows: Events) -> int:
        """How many rows of a batch may be applied before the desk must be asked again; 0: `before` is due."""
        if not self.busy or not len(rows):
            return len(rows)
        clocks = np.flatnonzero(rows["kind"] == CLOCK)
        ends = [int(clocks[0]) + 1] if len(clocks) else []
        recv_ns = rows["recv_ns"]
        return min([*ends, *(one.venue.cut(recv_ns) for one in self._all())])

    def before(self, recv_ns: int, engines: Sequence[Engine]) -> None:
        """Let in what arrives before a row of that time, and what comes of it before then: exits of what is filled."""
        self._settle()
        for blotter in self._blotters:
            one, book = blotter.view, engines[blotter.view.inst].book
            while (due_ns := one.venue.due_ns) is not None and due_ns <= recv_ns:
                blotter.book(one.venue.arrive(due_ns, book, self.seq), None)
                if one.inst in self._flattening:
                    self._press_on(blotter, due_ns)

    def after(self, inst: int, events: Events, frame: NDArray[Any]) -> None:
        """Take an instrument's rows, which its engine has applied."""
        if not len(frame):
            return
        for blotter in self._of(inst):
            blotter.book(blotter.view.venue.step(events, frame), frame)
        self._follow(inst, frame)
        own = np.flatnonzero(frame["kind"])
        if len(own):
            last = frame[own[-1]]
            touch, state = (_known(last["bid"]), _known(last["ask"])), int(last["state"])
            for views in self.views.values():
                views[inst].touch, views[inst].state = touch, state
            doubtful = own[frame["state"][own] != S_LIVE] if self.armed else own[:0]
            if len(doubtful):
                first = frame[doubtful[0]]
                self._disarm(f"the book is {STATUSES[first['state']]}", int(first["seq"]), int(first["recv_ns"]))
        self.seq = max(self.seq, int(frame["seq"][-1]))
        self.now_ns = max(self.now_ns, int(frame["recv_ns"].max()))

    def look(self, recv_ns: int) -> None:
        """Weigh the account at a CLOCK row: loss limit, cover of positions, what is still to be closed."""
        self.now_ns = max(self.now_ns, recv_ns)
        for one in self._all():
            one.trail.follow(one.position.trade if one.exits.trailing else None, self.limits)
        self._mark()
        for one in self._all():
            status = one.look(self.now_ns)
            if status.alarm and one.name == PESSIMIST:
                silent = f"stop status unknown: the book is {STATUSES[one.state]}"
                text, kind = (silent, "unknown") if status.state == UNKNOWN else (status.text, "naked")
                self._add(Told, kind=kind, text=text, inst=one.inst)
        for blotter in self._blotters:
            if blotter.view.inst in self._flattening:
                self._press_on(blotter, self.now_ns)
        self._flattening = {inst: why for inst, why in self._flattening.items() if self._open(inst)}

    def take(self) -> list[AnyRecord]:
        """Give the records since the last time."""
        self._settle()
        taken, self._records = self._records, []
        # A batch goes through one view after the other; what is told does not depend on where it was cut. Receive
        # times may go back from one row to the next.
        return sorted(taken, key=lambda record: (record.seq, record.recv_ns))

    def finish(self) -> None:
        """Keep the account as it stands: no more rows come."""
        self._mark()
        self.purse.keep()
        self._add_kept()

    def _all(self) -> list[View]:
        return [one for views in self.views.values() for one in views]

    def _of(self, inst: int) -> list[Blotter]:
        return [blotter for blotter in self._blotters if blotter.view.inst == inst]

    def _follow(self, inst: int, frame: NDArray[Any]) -> None:
        """Take the quotes into the bars of a minute and to the trailing stops."""
        if len(self._out) < len(frame):
            self._out = np.zeros(1 << len(frame).bit_length(), DONE)
        ranges = self._ranges[inst].memory
        before = ranges.copy()
        for blotter in self._of(inst):
            one = blotter.view
            if one.name != PESSIMIST and not one.trail.trade:
                continue
            bars = ranges if one.name == PESSIMIST else before
            count = _jit.call(follow, frame, bars, one.trail.memory, self._out)
            if one.position.trade is not None and one.position.trade.number == one.trail.trade:
                for done in self._out[:count].tolist():
                    blotter.move_stops(done[4], int(frame["seq"][done[0]]), int(frame["recv_ns"][done[0]]))

    # -- commands ---------------------------------------------------------------------------------
    def command(self, command: AnyCommand, engines: Sequence[Engine], scene: Scene | None = None) -> None:
        """Carry out a command, or say why not."""
        self._numbers += 1
        number = self._numbers
        self._add(Commanded, number=number, command=command, inst=command.inst)
        self._mark()
        if not 0 <= command.inst < len(self.terms):
            self._refuse(number, f"instrument {command.inst}: there are {len(self.terms)}")
            return
        match command:
            case Arm():
                self._arm(number)
            case Disarm():
                self._disarm(command.reason or "by hand")
            case Place():
                self._place(number, command, engines[command.inst], scene or Scene())
            case Call() if command.side not in (1, -1):
                self._refuse(number, f"side {command.side}: +1 buys and -1 sells", command.inst)
            case Call():
                self._decide(number, command, engines[command.inst], scene or Scene(), 0)
            case Cancel() | CancelAt() | CancelAll():
                self._cancel(command)
            case Flatten():
                self._flatten(number, command.inst)
            case Trail():
                self._trail(number, command)
            case Note():
                self._add(Noted, number=self._decision, text=command.text, followed=command.followed, inst=command.inst)
            case Lock():
                self._lock(command.reason or "another desk of the account")
            case Elsewhere() | PayIn():
                self._count(number, command)
            case Scale():
                self._rescale(number, command)
            case Facts():
                self._learn(number, command)

    def _refuse(self, number: int, reason: str, inst: int = 0) -> None:
        self._add(Refused, number=number, reason=reason, inst=inst)

    def _arm(self, number: int) -> None:
        if self.locked:
            self._refuse(number, f"locked: {self.locked}")
        elif not self.armed:
            self.armed = True
            self._add(Told, kind="armed", text="trading keys are armed")

    def _disarm(self, reason: str, seq: int | None = None, recv_ns: int | None = None) -> None:
        if self.armed:
            self.armed = False
            at = {} if seq is None else {"seq": seq, "recv_ns": recv_ns}
            self._add(Told, kind="disarmed", text=f"disarmed: {reason}", **at)

    def _cancel(self, command: Cancel | CancelAt | CancelAll) -> None:
        for views in self.views.values():
            venue = views[command.inst].venue
            for one in list(venue.orders.values()):
                if (
                    isinstance(command, CancelAll)
                    or (isinstance(command, Cancel) and one.id == command.order)
                    or (isinstance(command, CancelAt) and one.tick == command.tick)
                ):
                    venue.cancel(one.id, self.now_ns)

    def _flatten(self, number: int, inst: int) -> None:
        if not self.armed:
            self._refuse(number, "not armed", inst)
            return
        self._close_out(inst, "flatten")

    def _trail(self, number: int, command: Trail) -> None:
        views = [views[command.inst] for views in self.views.values()]
        open_trades = [one.position.trade for one in views if one.position.trade is not None]
        if command.on and open_trades and all(not trade.risk_ticks for trade in open_trades):
            self._refuse(number, "the position has no stop that could trail", command.inst)
            return
        for one in views:
            one.exits.trailing = command.on

    def _rescale(self, number: int, command: Scale) -> None:
        if not 0 < command.share <= 1:
            self._refuse(number, f"a share of {command.share}: above 0 and at most 1")
            return
        self.purse.share, self.purse.share_why = command.share, command.why

    def _learn(self, number: int, command: Facts) -> None:
        reason = decision.wrong_facts(command)
        if reason:
            self._refuse(number, reason, command.inst)
            return
        self.gate.facts[command.inst] = command

    def _place(self, number: int, order: Place, engine: Engine, scene: Scene) -> None:
        closing = order.inst in self._flattening and self._open(order.inst)
        verdict = self.gate.ask(order, engine, scene, self.now_ns, armed=self.armed, closing=closing)
        if isinstance(verdict, Refusal):
            self._refuse(number, verdict.reason, order.inst)
            return
        for warning in verdict.approved.warnings:
            self._add(Told, kind="warn", text=warning, inst=order.inst)
        self._decide(number, order, engine, scene, order.lots)
        for blotter in self._of(order.inst):
            blotter.enter(number, order, self.now_ns, size_kept=verdict.size_kept)

    # -- the account --------------------------------------------------------------------------------
    @property
    def locked(self) -> str:
        """Why the desk is locked to the end of the session, '' where it is not."""
        return self.purse.locked(self.now_ns)

    @property
    def day(self) -> LockState | None:
        """Where the account's session stands; None before there is a time."""
        return self.purse.day

    @property
    def pause(self) -> str:
        """Why nothing may be entered for now, or only smaller; '' otherwise."""
        return self.purse.entry(self.now_ns).reason if self.now_ns > 0 else ""

    @property
    def process(self) -> float | None:
        """The mean process score of the trades closed; None before there is one."""
        return sum(self.scores) / len(self.scores) if self.scores else None

    def profit(self, view: str = PESSIMIST) -> Decimal:
        """What a view has made: open positions at the exit side of the book, all costs taken off."""
        amounts = []
        for one, terms in zip(self.views[view], self.terms, strict=True):
            amounts += [terms.money(one.worth()), -one.position.fees]
        return total(*amounts)

    def account(self, view: str = PESSIMIST) -> Decimal:
        """Equity of a view, without what other desks of the account have made."""
        return total(self.purse.equity, self.profit(view))

    def at_stake(self) -> tuple[Decimal, Decimal]:
        """(what open positions stand at, what they and entries that work may lose): for `Elsewhere` of other desks."""
        return self.gate.at_stake()

    def _closed(self, trade: Trade, fields: Mapping[str, Any]) -> None:
        if fields["view"] == PESSIMIST:
            self._over.append((trade, fields))

    def _settle(self) -> None:
        """Let the account take note of closed trades, in the order of rows whatever instrument they were of."""
        over, self._over = self._over, []
        for trade, fields in sorted(over, key=lambda one: (one[0].closed_seq or 0, one[0].closed_ns or 0, one[0].inst)):
            self.trades += 1
            if fields["score"] is not None:
                self.scores.append(fields["score"])
            self.purse.closed(trade.closed_ns or 0, Decimal(fields["net"]))
            self._add_kept(seq=trade.closed_seq, recv_ns=trade.closed_ns)

    def _count(self, number: int, command: Elsewhere | PayIn) -> None:
        try:
            if isinstance(command, Elsewhere):
                self.purse.count_elsewhere(command)
            else:
                self.purse.pay_in(read_money(command.amount, "amount"), self.profit())
        except (BadInput, ValueError) as error:
            self._refuse(number, str(error))
        self._mark()

    def _mark(self) -> None:
        self._settle()
        if self.now_ns <= 0:
            return
        for one in self.purse.mark(self.now_ns, self.profit()):
            self._add(Told, kind=one.kind, text=one.text)
            if one.kind == "lock":
                self._shut()
        self._add_kept()

    def _lock(self, reason: str) -> None:
        if not self.locked:
            self.purse.lock(reason)
            self._add_kept()
            self._add(Told, kind="lock", text=reason)
            self._shut()

    def _shut(self) -> None:
        self._disarm("the account is locked")
        for inst in range(len(self.terms)):
            self._close_out(inst, "lock")

    def _close_out(self, inst: int, why: str) -> None:
        """Take all orders back and close the position, again and again until it is closed."""
        if not self._open(inst):
            return
        self._flattening.setdefault(inst, why)
        for blotter in self._of(inst):
            venue = blotter.view.venue
            for one in list(venue.orders.values()):
                venue.cancel(one.id, self.now_ns)
            self._press_on(blotter, self.now_ns)

    def _open(self, inst: int) -> bool:
        return any(not one.view.venue.idle or one.view.position.lots for one in self._of(inst))

    def _press_on(self, blotter: Blotter, now_ns: int) -> None:
        one = blotter.view
        if one.venue.idle and one.position.lots and one.state == S_LIVE:
            blotter.close(MARKET, self._flattening[one.inst], now_ns)

    # -- records ----------------------------------------------------------------------------------
    def _decide(self, number: int, order: Place | Call, engine: Engine, scene: Scene, lots: int) -> None:
        self._decision = number
        self._add(Decided, **decision.decided(number, order, lots, engine, scene, self.now_ns))

    def _add_kept(self, **at: Any) -> None:
        for what, line in self.purse.take_kept():
            self._add(Kept, what=what, line=line, **at)

    def _add(self, record: type[Any], /, **fields: Any) -> None:
        self._records.append(record(**{"seq": self.seq, "recv_ns": self.now_ns} | fields))

    def digest(self) -> str:
        """A digest of all that bears on what comes next, equal whenever the same rows and commands were taken."""
        whole = hashlib.blake2b(digest_size=16)
        for one in self._all():
            whole.update(one.venue.digest().encode())
            whole.update(f"{one.position.lots} {one.position.cash} {one.position.fees}".encode())
        whole.update(f"{self.armed} {self.locked} {self._numbers} {sorted(self._flattening)}".encode())
        return whole.hexdigest()


def _known(tick: Any) -> int | None:
    return None if tick == NONE else int(tick)

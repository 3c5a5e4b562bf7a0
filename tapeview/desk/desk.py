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
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import CLOCK, NONE, S_LIVE, STATUSES, Events
from feeds.instruments import Instrument
from tapeview.desk import day, streaks
from tapeview.desk.commands import (
    LIMIT,
    MARKET,
    STOP,
    AnyCommand,
    Arm,
    Call,
    Cancel,
    CancelAll,
    CancelAt,
    Disarm,
    Flatten,
    Note,
    Place,
    Trail,
)  # fmt: skip
from tapeview.desk.costs import Profile, round_trip, side_cost
from tapeview.desk.exits import Exits
from tapeview.desk.follow import Trailing, follow
from tapeview.desk.limits import Limits
from tapeview.desk.money import total
from tapeview.desk.paper import MAKER, Change, Fill, Order, PaperVenue
from tapeview.desk.position import Position, Trade
from tapeview.desk.queue import DONE
from tapeview.desk.records import (
    OPTIMIST,
    PESSIMIST,
    VIEWS,
    AnyRecord,
    Changed,
    Closed,
    Commanded,
    Decided,
    Filled,
    Kept,
    Noted,
    Refused,
    Sent,
    Told,
)  # fmt: skip
from tapeview.desk.risk import Refusal, Standing, check, wrong
from tapeview.desk.stops import Cover, Stop, StopWatch, cover
from tapeview.desk.terms import Terms
from tapeview.desk.trailing import MinuteRange
from tapeview.engine import _jit
from tapeview.engine.engine import Engine

_MINUTE_NS: Final = 60_000_000_000
_IDS: Final = 1000
"""Orders of a command are numbered from its number times this: the entry first, then its exits."""


class Scene(NamedTuple):
    """What the desk is told of the market's patterns with a command: they are found above it."""

    alerts: tuple[str, ...] = ()
    """Texts of the alerts that are active for the instrument."""
    last_alert: str = ""
    last_alert_ns: int | None = None
    icebergs: tuple[tuple[int, int], ...] = ()
    """(side, tick) of those that are active."""


class _Desk:
    """One view of one instrument."""

    def __init__(self, venue: PaperVenue, position: Position) -> None:
        self.venue = venue
        self.position = position
        self.exits = Exits()
        self.trail = Trailing()


class Desk:
    """Paper trading over a session's instruments.

    `calendar` names when the account's day rolls; `lock_line` is the newest Kept record of the daily lock, from the
    journal.
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
        self.equity = equity
        """What the account began with."""
        self.armed = False
        self.seq = -1
        self.now_ns = 0
        self.state = [0] * len(instruments)
        latency = limits.latency_ms * 1_000_000
        self.views: dict[str, list[_Desk]] = {
            view: [
                _Desk(PaperVenue(hopeful=view == OPTIMIST, latency_ns=latency, exact=by_order), Position(n))
                for n, by_order in enumerate(exact)
            ]
            for view in VIEWS
        }
        self._calendar = calendar
        self._kept = dict(kept or {})
        self._day: day.LockState | None = None
        self._streak = streaks.StreakState(calendar=calendar)
        self._watches = [StopWatch(limits) for _ in instruments]
        self._covered = [""] * len(instruments)
        self._touch: list[tuple[int | None, int | None]] = [(None, None)] * len(instruments)
        self._worth: dict[tuple[str, int], int] = {}
        self._numbers = 0
        self._decision = 0
        """The newest decision's number."""
        self._minute: deque[int] = deque()
        self._flattening: set[int] = set()
        self._month_lots = dict.fromkeys(VIEWS, 0)
        self._records: list[AnyRecord] = []
        self._ranges = [MinuteRange(limits).memory for _ in instruments]
        self._out = np.zeros(0, DONE)

    # -- what a session asks ----------------------------------------------------------------------
    @property
    def busy(self) -> bool:
        """Whether an order works or a position is open in either view."""
        return bool(self._flattening) or any(
            not one.venue.idle or one.position.lots for desks in self.views.values() for one in desks
        )

    def cut(self, rows: Events) -> int:
        """How many rows of a batch may be applied before the desk must be asked again; 0: `before` is due."""
        if not self.busy or not len(rows):
            return len(rows)
        clocks = np.flatnonzero(rows["kind"] == CLOCK)
        ends = [int(clocks[0]) + 1] if len(clocks) else []
        recv_ns = rows["recv_ns"]
        return min([*ends, *(one.venue.cut(recv_ns) for desks in self.views.values() for one in desks)])

    def before(self, recv_ns: int, engines: Sequence[Engine]) -> None:
        """Let in what arrives before a row of that time, and what comes of it before then: exits of what is filled."""
        for view, desks in self.views.items():
            for inst, one in enumerate(desks):
                while one.venue.due_ns is not None and one.venue.due_ns <= recv_ns:
                    self._book(view, inst, one.venue.arrive(one.venue.due_ns, engines[inst].book, self.seq), None)

    def after(self, inst: int, events: Events, frame: NDArray[Any]) -> None:
        """Take an instrument's rows, which its engine has applied."""
        if not len(frame):
            return
        for view, desks in self.views.items():
            self._book(view, inst, desks[inst].venue.step(events, frame), frame)
        self._follow(inst, frame)
        own = frame[frame["kind"] != 0]
        if len(own):
            last = own[-1]
            self._touch[inst] = (_known(last["bid"]), _known(last["ask"]))
            doubtful = np.flatnonzero(own["state"] != S_LIVE)
            if self.armed and len(doubtful):
                first = own[doubtful[0]]
                self._disarm(f"the book is {STATUSES[first['state']]}", int(first["seq"]), int(first["recv_ns"]))
            self.state[inst] = int(last["state"])
        self.seq = max(self.seq, int(frame["seq"][-1]))
        self.now_ns = max(self.now_ns, int(frame["recv_ns"].max()))

    def look(self, recv_ns: int) -> None:
        """Weigh the account at a CLOCK row: loss limit, cover of positions, what is still to be closed."""
        self.now_ns = max(self.now_ns, recv_ns)
        for desks in self.views.values():
            for one in desks:
                one.trail.follow(one.position.trade if one.exits.trailing else None, self.limits)
        self._mark_day()
        for inst in range(len(self.terms)):
            self._look_at(inst)

    def take(self) -> list[AnyRecord]:
        """Give the records since the last time."""
        taken, self._records = self._records, []
        # A batch goes through one view after the other; what is told does not depend on where it was cut.
        return sorted(taken, key=lambda record: (record.recv_ns, record.seq))

    # -- commands ---------------------------------------------------------------------------------
    def command(self, command: AnyCommand, engines: Sequence[Engine], scene: Scene | None = None) -> None:
        """Carry out a command, or say why not."""
        self._numbers += 1
        number = self._numbers
        self._add(Commanded, number=number, command=command, inst=command.inst)
        self._mark_day()
        match command:
            case Arm():
                self._arm(number)
            case Disarm():
                self._disarm(command.reason or "by hand")
            case Place():
                self._place(number, command, engines[command.inst], scene or Scene())
            case Call():
                self._decide(number, command, engines[command.inst], scene or Scene(), 0)
            case Cancel() | CancelAt() | CancelAll():
                self._cancel(command)
            case Flatten():
                self._flatten(number, command.inst)
            case Trail():
                self._trail(command)
            case Note():
                self._add(Noted, number=self._decision, text=command.text, followed=command.followed, inst=command.inst)

    def _arm(self, number: int) -> None:
        why = self.locked
        if why:
            self._add(Refused, number=number, reason=f"locked: {why}")
        elif not self.armed:
            self.armed = True
            self._add(Told, kind="armed", text="trading keys are armed")

    def _disarm(self, reason: str, seq: int | None = None, recv_ns: int | None = None) -> None:
        if self.armed:
            self.armed = False
            at = {} if seq is None else {"seq": seq, "recv_ns": recv_ns}
            self._add(Told, kind="disarmed", text=f"disarmed: {reason}", **at)

    @property
    def locked(self) -> str:
        """Why the desk is locked to the end of the session, '' where it is not."""
        return self._day.reason if self._day is not None and self._day.locked else ""

    def _place(self, number: int, order: Place, engine: Engine, scene: Scene) -> None:
        inst = order.inst
        side_lots = [order.side * desks[inst].position.lots for desks in self.views.values()]
        while self._minute and self._minute[0] <= self.now_ns - _MINUTE_NS:
            self._minute.popleft()
        entry = streaks.entry(self._streak, self.now_ns, self.limits)
        standing = Standing(
            armed=self.armed,
            locked=self.locked,
            resting="" if entry.allowed else entry.reason,
            size_share=entry.size if entry.allowed else 1.0,
            state=engine.book.state_name,
            bid=engine.book.best_bid,
            ask=engine.book.best_ask,
            position=order.side * max(side_lots),
            working=max(self._working(view, inst, order.side) for view in VIEWS),
            minute=len(self._minute),
            budget="" if wrong(order) else self._budget(order),
            icebergs=scene.icebergs,
        )
        verdict = check(order, standing, self.limits)
        if isinstance(verdict, Refusal):
            self._add(Refused, number=number, reason=verdict.reason, inst=inst)
            return
        for warning in verdict.warnings:
            self._add(Told, kind="warn", text=warning, inst=inst)
        self._minute.append(self.now_ns)
        self._decide(number, order, engine, scene, order.lots)
        for view in VIEWS:
            self.views[view][inst].exits.expect(number * _IDS, order)
            self._send(
                view, inst, number * _IDS, order.side, order.lots, order.kind, order.tick, self.now_ns,
                by_quote=order.by_quote,
            )  # fmt: skip

    def _working(self, view: str, inst: int, side: int) -> int:
        orders = self.views[view][inst].venue.orders.values()
        return sum(one.left for one in orders if one.side == side and not one.reduces)

    def _budget(self, order: Place) -> str:
        """Whether the worst case of this plan and of all open ones is more than may still be lost."""
        if self._day is None or order.bracket is None:
            return ""
        terms = self.terms[order.inst]
        bid, ask = self._touch[order.inst]
        tick = order.tick if order.tick is not None else ask if order.side > 0 else bid
        costs = round_trip(self.profile, terms, order.lots, self._month_lots[PESSIMIST], tick=tick or 0)
        worst = total(terms.money((order.bracket.stop_ticks + 1) * order.lots), costs)
        open_ones = [self._worst_open(inst) for inst in range(len(self.terms))]
        unrealised = total(*(gain for gain, _ in open_ones))
        return day.refusal(self._day, unrealised, [worst, *(loss for _, loss in open_ones)])

    def _worst_open(self, inst: int) -> tuple[Decimal, Decimal]:
        """(what a position stands at, what it loses from its entry where its stops are hit)."""
        one = self.views[PESSIMIST][inst]
        trade, terms = one.position.trade, self.terms[inst]
        if trade is None or not one.position.lots:
            return Decimal(0), Decimal(0)
        lots = abs(one.position.lots)
        bid, ask = self._touch[inst]
        leave = bid if trade.side > 0 else ask
        entry = trade.entry
        gain = Decimal(0)
        if leave is not None:
            gain = terms.money(int(trade.side * (leave - entry) * lots))
        stops = [o for o in one.venue.orders.values() if o.kind == STOP and o.reduces and o.tick is not None]
        risked = sum((trade.side * (entry - o.tick) + 1) * o.left for o in stops if o.tick is not None)
        costs = side_cost(self.profile, terms, lots, self._month_lots[PESSIMIST], tick=leave or round(entry))
        return gain, total(terms.money(max(0, -(-int(risked) // 1))), costs)

    def _cancel(self, command: Cancel | CancelAt | CancelAll) -> None:
        for desks in self.views.values():
            venue = desks[command.inst].venue
            for one in list(venue.orders.values()):
                if (
                    isinstance(command, CancelAll)
                    or (isinstance(command, Cancel) and one.id == command.order)
                    or (isinstance(command, CancelAt) and one.tick == command.tick)
                ):
                    venue.cancel(one.id, self.now_ns)

    def _flatten(self, number: int, inst: int) -> None:
        if not self.armed:
            self._add(Refused, number=number, reason="not armed", inst=inst)
            return
        self._close_out(inst)

    def _close_out(self, inst: int) -> None:
        """Take all orders back and close the position, again at every look until it is closed."""
        self._flattening.add(inst)
        for desks in self.views.values():
            venue = desks[inst].venue
            for one in list(venue.orders.values()):
                venue.cancel(one.id, self.now_ns)

    def _trail(self, command: Trail) -> None:
        for desks in self.views.values():
            desks[command.inst].exits.trailing = command.on

    # -- orders and fills -------------------------------------------------------------------------
    def _send(
        self, view: str, inst: int, number: int, side: int, lots: int, kind: str, tick: int | None,
        now_ns: int, *, by_quote: bool = False, parent: int | None = None, why: str = "entry", seq: int | None = None,
    ) -> None:  # fmt: skip
        order = Order(
            id=number, side=side, lots=lots, kind=kind, tick=tick, by_quote=by_quote, sent_ns=now_ns, left=lots,
            protect_ticks=self.limits.protect_ticks or None if kind == STOP else None, reduces=parent is not None,
            parent=parent,
        )  # fmt: skip
        self.views[view][inst].venue.send(order)
        self._add(
            Sent, order=number, view=view, side=side, lots=lots, kind=kind, tick=tick, parent=parent, why=why,
            inst=inst, recv_ns=now_ns, seq=self.seq if seq is None else seq,
        )  # fmt: skip

    def _book(self, view: str, inst: int, done: Sequence[Fill | Change], frame: NDArray[Any] | None) -> None:
        one = self.views[view][inst]
        at = 0
        for event in done:
            if frame is not None:
                row = int(np.searchsorted(frame["seq"], event.seq, side="right"))
                self._marks(one.position, frame[at:row])
                at = row
            if isinstance(event, Fill):
                self._filled(view, inst, event)
            else:
                ahead = one.venue.ahead(event.order) if event.state == "working" else None
                self._add(
                    Changed, order=event.order, view=view, state=event.state, why=event.why, ahead=ahead, inst=inst,
                    seq=event.seq, recv_ns=event.recv_ns,
                )  # fmt: skip
        if frame is not None:
            self._marks(one.position, frame[at:])

    def _follow(self, inst: int, frame: NDArray[Any]) -> None:
        """Take the quotes into the bars of a minute and to the trailing stops."""
        if len(self._out) < len(frame):
            self._out = np.zeros(1 << len(frame).bit_length(), DONE)
        before = self._ranges[inst].copy()
        for view, desks in self.views.items():
            bars = self._ranges[inst] if view == PESSIMIST else before
            trail = desks[inst].trail
            count = _jit.call(follow, frame, bars, trail.memory, self._out)
            trade = desks[inst].position.trade
            if trade is not None and trade.number == trail.trade:
                for done in self._out[:count].tolist():
                    self._move_stops(view, inst, done[4], frame[done[0]])

    def _move_stops(self, view: str, inst: int, tick: int, row: Any) -> None:
        venue = self.views[view][inst].venue
        now_ns = int(row["recv_ns"])
        for order in venue.orders.values():
            if order.kind == STOP and order.reduces and order.tick is not None and order.side * (order.tick - tick) > 0:
                venue.move(order.id, tick, now_ns)
                self._add(
                    Changed, order=order.id, view=view, state="moved", tick=tick, inst=inst, seq=int(row["seq"]),
                    recv_ns=now_ns,
                )  # fmt: skip

    def _marks(self, position: Position, frame: NDArray[Any]) -> None:
        if not position.lots or not len(frame):
            return
        name = "bid" if position.lots > 0 else "ask"
        prices = frame[name][(frame["kind"] != 0) & (frame["state"] == S_LIVE) & (frame[name] != NONE)]
        if len(prices):
            for tick in (int(prices.min()), int(prices.max())):
                position.mark(tick, tick)

    def _filled(self, view: str, inst: int, fill: Fill) -> None:
        one, terms = self.views[view][inst], self.terms[inst]
        fee = side_cost(
            self.profile, terms, fill.lots, self._month_lots[view], tick=fill.tick, maker=fill.liquidity == MAKER
        )
        self._month_lots[view] += fill.lots
        closed = one.position.take(fill, fee)
        parent = one.exits.parent_of(fill.order)
        if one.position.trade is not None and one.position.trade.decision is None:
            one.position.trade.decision = parent // _IDS
            one.position.trade.setup = one.exits.setup_of(parent)
        self._add(
            Filled, order=fill.order, view=view, side=fill.side, tick=fill.tick, lots=fill.lots,
            liquidity=fill.liquidity, fee=f"{fee:f}", position=one.position.lots, inst=inst, seq=fill.seq,
            recv_ns=fill.recv_ns,
        )  # fmt: skip
        for trade in closed:
            self._closed(view, inst, trade)
        for exit_order in one.exits.after_fill(fill, one.position.trade):
            self._send(
                view, inst, exit_order.number, exit_order.side, exit_order.lots, exit_order.kind, exit_order.tick,
                fill.recv_ns, parent=parent, why=exit_order.why, seq=fill.seq,
            )  # fmt: skip
        self._trim(view, inst, fill)

    def _trim(self, view: str, inst: int, fill: Fill) -> None:
        """Exits of each kind are never more than the position they close."""
        one = self.views[view][inst]
        for kind in (STOP, LIMIT):
            exits = [o for o in one.venue.orders.values() if o.reduces and o.kind == kind]
            over = sum(o.left for o in exits) - abs(one.position.lots)
            for order in sorted(exits, key=lambda o: -o.id):
                if over <= 0:
                    break
                off = min(over, order.left)
                over -= off
                if off == order.left:
                    one.venue.cancel(order.id, fill.recv_ns)
                one.venue.shrink(order.id, order.left - off)
                self._add(
                    Changed, order=order.id, view=view, state="cut", lots=order.left, inst=inst, seq=fill.seq,
                    recv_ns=fill.recv_ns,
                )  # fmt: skip

    def _closed(self, view: str, inst: int, trade: Trade) -> None:
        terms = self.terms[inst]
        gross = terms.money(trade.gross)
        net = total(gross, -trade.fees)
        risk = None if not trade.risk_ticks else terms.money(trade.risk_ticks * trade.most_lots)
        per_tick = None if not trade.risk_ticks else trade.risk_ticks
        mae, mfe = trade.mae_ticks, trade.mfe_ticks
        self._add(
            Closed, view=view, trade=trade.number, decision=trade.decision, setup=trade.setup, side=trade.side,
            lots=trade.most_lots, entry=str(trade.entry), opened_ns=trade.opened_ns, opened_seq=trade.opened_seq,
            gross=f"{gross:f}", fees=f"{trade.fees:f}", net=f"{net:f}", risk_ticks=trade.risk_ticks,
            r=None if risk is None else float(net / risk),
            mae_r=None if per_tick is None or mae is None else float(mae / per_tick),
            mfe_r=None if per_tick is None or mfe is None else float(mfe / per_tick),
            mae_ticks=None if mae is None else float(mae), mfe_ticks=None if mfe is None else float(mfe),
            inst=inst, seq=trade.closed_seq or 0, recv_ns=trade.closed_ns or 0,
        )  # fmt: skip
        if view == PESSIMIST:
            self._streak = streaks.closed(self._streak, trade.closed_ns or 0, net, self.limits)

    # -- the account --------------------------------------------------------------------------------
    def account(self, view: str = PESSIMIST) -> Decimal:
        """Equity of a view: open positions at the exit side of the book, all costs taken off."""
        amounts = [self.equity]
        for inst, one in enumerate(self.views[view]):
            worth = one.position.worth(*self._touch[inst])
            if worth is None:
                worth = self._worth.get((view, inst), one.position.cash)
            self._worth[view, inst] = worth
            amounts += [self.terms[inst].money(worth), -one.position.fees]
        return total(*amounts)

    def _mark_day(self) -> None:
        if self.now_ns <= 0:
            return
        equity = self.account()
        told: list[day.Told]
        if self._day is None:
            line = self._kept.get("day")
            self._day, told = day.resume(
                None if line is None else line.encode(), self._calendar, self.now_ns, equity, self.limits
            )
            self._keep()
        else:
            before = (self._day.start_ns, self._day.warned, self._day.locked)
            self._day, told = day.mark(self._day, self.now_ns, equity, self.limits)
            if before != (self._day.start_ns, self._day.warned, self._day.locked):
                self._keep()
        for one in told:
            self._add(Told, kind=one.kind, text=one.text)
            if one.kind == "lock":
                self._disarm("the daily loss limit")
                for inst in range(len(self.terms)):
                    self._close_out(inst)

    def _keep(self) -> None:
        if self._day is not None:
            self._add(Kept, what="day", line=day.save(self._day).decode())

    def _look_at(self, inst: int) -> None:
        bid, ask = self._touch[inst]
        one = self.views[PESSIMIST][inst]
        if bid is not None and ask is not None:
            stops = [
                Stop(o.side, o.left, o.tick, "venue")
                for o in one.venue.orders.values()
                if o.kind == STOP and o.reduces and o.tick is not None and o.left and o.state != "triggered"
            ]
            found = cover(one.position.lots, stops, bid, ask) if one.position.lots else Cover(0, "", ())
            status = self._watches[inst].look(self.now_ns, one.position.lots, found)
            self._covered[inst] = status.state
            if status.alarm:
                self._add(Told, kind="naked", text=status.text, inst=inst)
        if inst in self._flattening:
            self._press_on(inst)

    def _press_on(self, inst: int) -> None:
        left = False
        for view, desks in self.views.items():
            one = desks[inst]
            if not one.venue.idle:
                left = True
            elif one.position.lots:
                left = True
                if self.state[inst] == S_LIVE:
                    number = one.exits.next_number()
                    side = -1 if one.position.lots > 0 else 1
                    self._send(
                        view, inst, number, side, abs(one.position.lots), MARKET, None, self.now_ns,
                        parent=number // _IDS * _IDS, why="flatten",
                    )  # fmt: skip
        if not left:
            self._flattening.discard(inst)

    # -- decisions --------------------------------------------------------------------------------
    def _decide(self, number: int, order: Place | Call, engine: Engine, scene: Scene, lots: int) -> None:
        self._decision = number
        book = engine.book
        bid, ask = book.best_bid, book.best_ask
        side = order.side
        entry = order.tick if order.tick is not None else (ask if side > 0 else bid)
        stop: int | None = None
        targets: tuple[int, ...] = ()
        if isinstance(order, Call):
            stop = order.stop_tick
            targets = () if order.target_tick is None else (order.target_tick,)
        elif order.bracket is not None and entry is not None:
            stop = entry - side * order.bracket.stop_ticks
            targets = tuple(entry + side * ticks for ticks, _ in order.bracket.targets)
        self._add(
            Decided, number=number, side=side, lots=lots, entry_tick=entry, stop_tick=stop, target_ticks=targets,
            setup=order.setup, sure=order.sure, note=order.note, state=book.state_name, bid=bid, ask=ask,
            bid_lots=book.bid_lots, ask_lots=book.ask_lots, imbalance=book.imbalance,
            vwap_z=engine.vwap.z(), alerts=scene.alerts,
            last_alert=scene.last_alert,
            waited_ns=None if scene.last_alert_ns is None else self.now_ns - scene.last_alert_ns, inst=order.inst,
        )  # fmt: skip

    # -- records ----------------------------------------------------------------------------------
    def _add(self, record: type[Any], /, **fields: Any) -> None:
        self._records.append(record(**{"seq": self.seq, "recv_ns": self.now_ns} | fields))

    def digest(self) -> str:
        """A digest of all that bears on what comes next, equal whenever the same rows and commands were taken."""
        whole = hashlib.blake2b(digest_size=16)
        for desks in self.views.values():
            for one in desks:
                whole.update(one.venue.digest().encode())
                whole.update(f"{one.position.lots} {one.position.cash} {one.position.fees}".encode())
        whole.update(f"{self.armed} {self.locked} {self._numbers} {sorted(self._flattening)}".encode())
        return whole.hexdigest()


def _known(tick: Any) -> int | None:
    return None if tick == NONE else int(tick)

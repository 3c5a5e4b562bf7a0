"""A desk in a real session on a simulated market, whatever is pressed, restarted, set back, halted, crossed or locked.

Every example ends with all its rows played again, cut otherwise, and its commands given again from the records.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from feeds import script
from feeds.events import Events
from feeds.source import open_source
from tapeview.desk.commands import (
    LIMIT,
    MARKET,
    STOP,
    AnyCommand,
    Arm,
    Bracket,
    CancelAll,
    Disarm,
    Elsewhere,
    Flatten,
    Lock,
    Place,
    Scale,
    Trail,
)  # fmt: skip
from tapeview.desk.desk import Desk
from tapeview.desk.exits import IDS
from tapeview.desk.limits import Limits
from tapeview.desk.records import PESSIMIST, VIEWS, AnyRecord, Commanded, Filled, Kept, Refused, Sent
from tapeview.desk.roll import session_at
from tapeview.session import Session
from tests.kit.floor import FREE

CALENDAR = "futures"
LIMITS = Limits(latency_ms=150, cooldown_min=0, losses_stop=20, orders_minute=600, trail_k=0, trail_step_ms=0)
SIMULATED = "simulator:seed=1207,minutes=3,tier=B"
DAY_NS = 86_400_000_000_000


@pytest.fixture(scope="module", autouse=True)
def _market() -> None:
    """Simulate once: about a minute of an index future after its opening snapshot."""
    if Machine.market is None:
        source = open_source(SIMULATED)
        Machine.market = np.concatenate([batch.copy() for batch in source.batches()])[:12_000]
        source.close()


class Run(NamedTuple):
    """One desk's life: from which row on, with what kept, and what it told."""

    desk: Desk
    from_row: int
    kept: dict[str, str]
    records: list[AnyRecord]


def made(kept: dict[str, str], session: Session) -> Desk:
    desk = Desk(
        session.instruments, [False], limits=LIMITS, profile=FREE, calendar=CALENDAR, equity=Decimal(25000), kept=kept
    )
    desk.adopt(session.engines)
    session.desk = desk
    return desk


class Machine(RuleBasedStateMachine):
    """Rows and commands in any order; the desk is told nothing but what a session tells it."""

    market: Events | None = None

    def __init__(self) -> None:
        super().__init__()
        assert self.market is not None
        self.session = Session(open_source(SIMULATED), thresholds={})
        self.rows: list[Events] = []
        self.given = 0
        self.shift = 0
        self.next = 0
        self.kept: dict[str, str] = {}
        self.locked_until = 0
        self.allowed: set[int] = set()
        self.runs: list[Run] = []
        self._play(400)
        self._begin()

    # -- what may happen --------------------------------------------------------------------------
    @rule(count=st.integers(1, 250))
    def play(self, count: int) -> None:
        self._play(count)

    @rule()
    def arm(self) -> None:
        self._send(Arm())

    @rule(
        side=st.sampled_from((1, -1)), lots=st.integers(1, 4), kind=st.sampled_from((MARKET, MARKET, LIMIT, STOP)),
        away=st.integers(-2, 4), stop=st.integers(2, 12), out=st.booleans(), bare=st.booleans(),
    )  # fmt: skip
    def place(self, side: int, lots: int, kind: str, away: int, stop: int, out: bool, bare: bool) -> None:
        book = self.session.book()
        touch = book.best_ask if (side > 0) == (kind == STOP) else book.best_bid
        tick = None if kind == MARKET or touch is None else touch + (side if kind == STOP else -side) * away
        bracket = None if bare else Bracket(stop_ticks=stop, targets=((stop, 100 if out else 50),), scale_out=out)
        self._send(Place(side=side, lots=lots, kind=kind, tick=tick, bracket=bracket))

    @rule(
        command=st.sampled_from(
            (Disarm(), CancelAll(), Flatten(), Flatten(), Trail(on=True), Trail(on=False), Scale(share=0.4),
             Scale(share=1), Elsewhere(profit="-300"), Elsewhere(profit="100", worst="200"))
        )
    )  # fmt: skip
    def press(self, command: AnyCommand) -> None:
        self._send(command)

    @rule(really=st.integers(0, 3))
    def lock(self, really: int) -> None:
        """Locks, and losses elsewhere that lock."""
        if really == 3:
            self._send(Lock(reason="by hand"))
        elif really == 2:
            self._send(Elsewhere(profit="-100000"))

    @rule(words=st.sampled_from(("!halted", "!auction", "!halted ~700 !live", "!live")))
    def stop_market(self, words: str) -> None:
        self._feed(script.events(words, start_ns=self._now()))

    @rule(back=st.booleans())
    def cross(self, back: bool) -> None:
        book = self.session.book()
        if book.best_bid is not None and book.best_ask is not None:
            level = f"b{book.best_ask + 1}"
            self._feed(script.events(f"{level}:3" + (f" ~40 {level}:0" if back else ""), start_ns=self._now()))

    @rule()
    def break_and_mend(self) -> None:
        book = self.session.book()
        sides = (("b", book.bids(9)), ("a", book.asks(9)))
        levels = [f"{word}{int(row['tick'])}:{int(row['lots'])}" for word, side in sides for row in side]
        if book.best_bid is not None and book.best_ask is not None and book.best_bid < book.best_ask:
            self._feed(script.events("!gap ~30 [ " + " ".join(levels) + " ]", start_ns=self._now()))

    @rule(step=st.sampled_from((-DAY_NS, -3_600_000_000_000, 60_000_000_000, 3_600_000_000_000, 2 * DAY_NS)))
    def set_clock(self, step: int) -> None:
        self.shift += step

    @rule()
    def restart(self) -> None:
        """The process is killed and begins anew with what it kept, beside the same engines."""
        self._begin()

    # -- how --------------------------------------------------------------------------------------
    def _now(self) -> int:
        return int(self.rows[-1]["recv_ns"][-1]) + 1_000_000

    def _play(self, count: int) -> None:
        assert self.market is not None
        rows = self.market[self.next : self.next + count].copy()
        self.next += len(rows)
        rows["recv_ns"] += self.shift
        self._feed(rows)

    def _feed(self, rows: Events) -> None:
        if not len(rows):
            return
        rows = rows.copy()
        rows["seq"] = np.arange(self.given, self.given + len(rows))
        self.given += len(rows)
        self.rows.append(rows)
        self.session.play(rows)
        self._take()

    def _begin(self) -> None:
        desk = made(self.kept, self.session)
        self.runs.append(Run(desk, self.given, dict(self.kept), []))
        self._take()

    def _take(self) -> None:
        if not self.runs:
            return
        run = self.runs[-1]
        for record in run.desk.take():
            run.records.append(record)
            if isinstance(record, Kept):
                self.kept[record.what] = record.line

    def _send(self, command: AnyCommand) -> None:
        run, desk = self.runs[-1], self.runs[-1].desk
        free = desk.armed and not self._locked() and self.session.book().state_name == "live"
        before = len(run.records)
        self.session.send(command)
        self._take()
        sent = {r.order for r in run.records[before:] if isinstance(r, Sent) and r.why in ("entry", "add")}
        if not free:
            assert not sent
            if isinstance(command, Place):
                assert any(isinstance(r, Refused) for r in run.records[before:])
        self.allowed |= {len(self.runs) * 10**15 + order for order in sent}

    def _seen(self) -> int:
        return max(int(rows["recv_ns"].max()) for rows in self.rows)

    def _locked(self) -> bool:
        return self._seen() < self.locked_until

    # -- what always holds ------------------------------------------------------------------------
    @invariant()
    def a_lock_holds_to_the_end_of_its_session(self) -> None:
        desk = self.runs[-1].desk
        if desk.locked:
            assert not desk.armed
            if self._seen() >= self.locked_until:
                self.locked_until = session_at(CALENDAR, desk.now_ns).end_ns
        if self._locked():
            assert desk.locked

    @invariant()
    def position_and_cash_are_the_sums_of_fills(self) -> None:
        run = self.runs[-1]
        for view in VIEWS:
            one = run.desk.views[view][0]
            fills = [r for r in run.records if isinstance(r, Filled) and r.view == view]
            assert one.position.lots == sum(r.side * r.lots for r in fills)
            assert one.position.cash == -sum(r.side * r.lots * r.tick for r in fills)
            assert one.position.fees == sum(Decimal(r.fee) for r in fills)
            entries = {r.order for r in fills if r.order % IDS == 0}
            assert {len(self.runs) * 10**15 + order for order in entries} <= self.allowed

    @invariant()
    def exits_are_never_more_than_what_they_close(self) -> None:
        for views in self.runs[-1].desk.views.values():
            for kind in (STOP, LIMIT):
                exits = [o for o in views[0].venue.orders.values() if o.reduces and o.kind == kind]
                assert sum(o.left for o in exits) <= abs(views[0].position.lots)

    def teardown(self) -> None:
        for number, run in enumerate(self.runs):
            last = number == len(self.runs) - 1
            end = self.given if last else self.runs[number + 1].from_row
            for cut in (7, 61, 5000):
                again = self._again(run, end, cut)
                assert msgspec.json.encode(again[1]) == msgspec.json.encode(run.records)
                assert again[0].digest() == run.desk.digest()
        self.session.close()

    def _again(self, run: Run, end: int, cut: int) -> tuple[Desk, list[AnyRecord]]:
        """Play the rows again in other pieces, the desk from its commands alone."""
        session = Session(open_source(SIMULATED), thresholds={})
        rows = np.concatenate(self.rows)[:end]
        session.play(rows[: run.from_row])
        desk = made(run.kept, session)
        session.script.extend((r.seq, r.command) for r in run.records if isinstance(r, Commanded))
        records = desk.take()
        for start in range(run.from_row, end, cut):
            session.play(rows[start : min(end, start + cut)])
            records += desk.take()
        while session.script:
            session.send(session.script.popleft()[1])
        records += desk.take()
        session.close()
        return desk, records


TestDesk = Machine.TestCase
# Making a failure smaller takes many minutes: each step plays a market again.
TestDesk.settings = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    phases=(Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def test_the_machine_trades() -> None:
    """What the machine may do does lead to fills and refusals: else it proves nothing."""
    machine = Machine()
    machine.arm()
    machine.place(1, 2, MARKET, 0, 6, out=False, bare=False)
    machine.play(250)
    filled: list[Any] = [r for r in machine.runs[-1].records if isinstance(r, Filled) and r.view == PESSIMIST]
    assert filled
    machine.press(Flatten())
    machine.play(250)
    machine.lock(3)
    machine.arm()
    assert machine.runs[-1].desk.locked == "by hand"
    machine.restart()
    machine.set_clock(-DAY_NS)
    machine.play(50)
    machine.arm()
    assert not machine.runs[-1].desk.armed
    machine.set_clock(3 * DAY_NS)
    machine.play(50)
    machine.arm()
    assert machine.runs[-1].desk.armed
    machine.teardown()


def test_records_come_in_the_order_of_rows_though_the_clock_was_set_back() -> None:
    machine = Machine()
    machine.arm()
    machine.set_clock(-DAY_NS)
    machine.play(20)
    machine.arm()
    machine.stop_market("!halted")
    machine.arm()
    machine.teardown()

"""What an entry is weighed against before it is let through: position, account, losses, volume, and the calendar."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from tapeview.desk import decision
from tapeview.desk.commands import Facts, Place
from tapeview.desk.costs import Charges
from tapeview.desk.decision import Scene, Weight
from tapeview.desk.limits import Limits
from tapeview.desk.money import total
from tapeview.desk.purse import Purse
from tapeview.desk.risk import Approved, Refusal, Standing, check, wrong
from tapeview.desk.roll import session_at
from tapeview.desk.terms import Terms
from tapeview.desk.view import View
from tapeview.engine.engine import Engine

_MINUTE_NS: Final = 60_000_000_000


class Passed(NamedTuple):
    """An entry that was let through."""

    approved: Approved
    size_kept: bool | None
    """What it risks is within a trade's share of the account; None without a stop."""


class Gate:
    """Lets entries through or says why not; `views` are the pessimist's and the optimist's of every instrument."""

    def __init__(
        self, pessimist: Sequence[View], optimist: Sequence[View], terms: Sequence[Terms], limits: Limits,
        charges: Charges, purse: Purse, calendar: str,
    ) -> None:  # fmt: skip
        self.facts: list[Facts | None] = [None] * len(terms)
        """What is known of each instrument beyond its market."""
        self._pessimist, self._optimist = pessimist, optimist
        self._terms = terms
        self._limits = limits
        self._charges = charges
        self._purse = purse
        self._calendar = calendar
        self._minute: deque[int] = deque()

    def ask(
        self, order: Place, engine: Engine, scene: Scene, now_ns: int, *, armed: bool, closing: bool
    ) -> Passed | Refusal:
        """Ask all limits of an entry; `closing`: the instrument's position is being closed."""
        views = self._views(order.inst)
        weight = Weight(None, "", ())
        if closing:
            weight = Weight(None, "the position is being closed", ())
        elif not wrong(order):
            weight = self._weigh(order, engine, now_ns)
        while self._minute and self._minute[0] <= now_ns - _MINUTE_NS:
            self._minute.popleft()
        entry = self._purse.entry(now_ns)
        standing = Standing(
            armed=armed,
            locked=self._purse.locked(now_ns),
            resting="" if entry.allowed else entry.reason,
            size_share=entry.size if entry.allowed else 1.0,
            size_why=entry.reason,
            state=engine.book.state_name,
            bid=engine.book.best_bid,
            ask=engine.book.best_ask,
            position=order.side * max(order.side * one.position.lots for one in views),
            working=max(one.working(order.side) for one in views),
            minute=len(self._minute),
            against=weight.refusal,
            warnings=weight.warnings,
            icebergs=scene.icebergs,
        )
        verdict = check(order, standing, self._limits)
        if isinstance(verdict, Refusal):
            return verdict
        self._minute.append(now_ns)
        return Passed(verdict, weight.kept)

    def _views(self, inst: int) -> tuple[View, View]:
        return self._pessimist[inst], self._optimist[inst]

    def _weigh(self, order: Place, engine: Engine, now_ns: int) -> Weight:
        """Weigh an entry against position, account, volume and calendar; what closes is let through."""
        inst, limits, terms, views = order.inst, self._limits, self._terms[order.inst], self._views(order.inst)
        held = max(order.side * one.position.lots for one in views)
        entry = decision.planned(order, views[0].touch).entry
        if order.lots <= -held or entry is None:
            return Weight(None, "", ())
        working = max(one.working(order.side) for one in views)
        growth = next(filter(None, (one.growth(order, terms, limits) for one in views)), "")
        meter = engine.tape.meter(60)
        traded, facts = meter.buy + meter.sell + meter.unknown, self.facts[inst]
        refused, warned = decision.volume(facts, held + working + order.lots, traded, limits)
        weight = Weight(None, "", ())
        if held <= 0:
            share = self._purse.entry(now_ns).size or 1.0
            weight = decision.weigh(order, entry, working, self._purse.standing, share, terms, self._charges, limits)
        reason = growth or refused or weight.refusal or self._budget(order, entry)
        dates = decision.near_dates(facts, session_at(self._calendar, now_ns).day, limits)
        return Weight(weight.kept, reason, (*weight.warnings, *filter(None, [warned]), *dates))

    def _budget(self, order: Place, entry: int) -> str:
        """Whether the worst case of this plan and of all open ones is more than may still be lost."""
        terms, plan = self._terms[order.inst], self._pessimist[order.inst].plan()
        worst = decision.worst_of(terms, self._charges, 0, order.lots, entry)
        if plan is not None and plan.side == order.side:
            # A leg more brings back at most what the stops have taken off the first risk.
            worst = total(worst, terms.money(max(0, plan.risk - plan.open_risk)))
        elif order.bracket is None:
            return ""
        else:
            worst = total(worst, terms.money(order.bracket.stop_ticks * order.lots))
        gains, losses = self.at_stake()
        return self._purse.refusal(gains, [worst, losses])

    def at_stake(self) -> tuple[Decimal, Decimal]:
        """(what open positions stand at, what they and entries that work lose from their entries, all stops hit)."""
        gains, losses = [], []
        for one, terms in zip(self._pessimist, self._terms, strict=True):
            lost, lots = one.loss()
            tick = next((tick for tick in one.touch if tick is not None), 0)
            gain = one.gain()
            gains.append(terms.money(gain.numerator // gain.denominator))
            losses += [terms.money(lost), self._charges.leaving(terms, lots, tick)]
            for order, place in one.entries():
                if place.bracket is not None:
                    ticks = place.bracket.stop_ticks
                    losses.append(decision.worst_of(terms, self._charges, ticks, order.left, order.tick or tick))
        return total(*gains), total(*losses)

"""A position in layers: what it risks at its stop, when it may grow, and what goes out near the target.

It may only grow where the risk does not: price has come far enough, and the stop moves so that all legs together
lose no more at it than the first leg was to lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from tapeview.desk.limits import DEFAULTS, Limits
from tapeview.desk.money import cents, exact, times, total
from tapeview.desk.terms import Terms


class Leg(NamedTuple):
    """One entry: a price in ticks and lots."""

    tick: int
    lots: int


class Plan(NamedTuple):
    """What is held on one side and where it is stopped; `risk` is what the first leg was to lose, in ticks x lots."""

    side: int
    legs: tuple[Leg, ...]
    stop: int
    risk: int
    first_risk_ticks: int
    """R per lot: ticks from the first entry to its stop."""

    @property
    def lots(self) -> int:
        """Lots of all legs."""
        return sum(leg.lots for leg in self.legs)

    @property
    def average(self) -> Fraction:
        """Average entry in ticks."""
        return Fraction(sum(leg.tick * leg.lots for leg in self.legs), self.lots)

    @property
    def open_risk(self) -> int:
        """What all legs lose at the stop, in ticks x lots."""
        return open_risk(self.side, self.legs, self.stop)


class Refused(NamedTuple):
    """Why not, in a sentence."""

    reason: str


def begin(side: int, tick: int, lots: int, stop: int) -> Plan:
    """The plan of a first leg; raise ValueError where its stop is no stop."""
    if lots <= 0 or side not in (1, -1) or side * (tick - stop) <= 0:
        raise ValueError(f"{lots} lots at {tick} with a stop at {stop}")
    away = side * (tick - stop)
    return Plan(side, (Leg(tick, lots),), stop, away * lots, away)


def open_risk(side: int, legs: Sequence[Leg], stop: int) -> int:
    """What legs lose at a stop, in ticks x lots: the sum of lots x max(0, side x (entry - stop))."""
    return sum(leg.lots * max(0, side * (leg.tick - stop)) for leg in legs)


def least_stop(side: int, legs: Sequence[Leg], risk: int) -> int:
    """The loosest stop at which legs lose no more than `risk` ticks x lots: lowest of a long, highest of a short.

    Exact on the grid: the risk falls by whole numbers from one tick to the next, and is 0 at the best entry.
    """
    if risk < 0 or not legs:
        raise ValueError(f"{len(legs)} legs that may lose {risk}")
    best = max(side * leg.tick for leg in legs)
    worst = min(side * leg.tick for leg in legs) - risk - 1
    # worst risks too much, best nothing: halve the way between them.
    while best - worst > 1:
        middle = (best + worst) // 2
        if open_risk(side, legs, side * middle) <= risk:
            best = middle
        else:
            worst = middle
    return side * best


def add(
    terms: Terms, plan: Plan, tick: int, lots: int, stop: int | None = None, limits: Limits = DEFAULTS
) -> Plan | Refused:
    """Add a leg: the plan with the stop that keeps the risk, or why it may not grow.

    Where a stop is asked for it is taken if it is no looser than needed, nor than the present one. The stop never
    loosens, and one that the market at `tick` would be at is refused.
    """
    side, price = plan.side, terms.price.text
    if lots <= 0:
        raise ValueError(f"{lots} lots")
    wanted = plan.average + side * exact(limits.add_after_r) * plan.first_risk_ticks
    if side * (tick - wanted) < 0:
        least = _on_grid(side, wanted)
        return Refused(f"adds from {price(least)} on, {limits.add_after_r:g} R in favour, not at {price(tick)}")
    legs = (*plan.legs, Leg(tick, lots))
    needed = side * max(side * least_stop(side, legs, plan.risk), side * plan.stop)
    chosen = needed if stop is None else stop
    if side * (chosen - needed) < 0:
        if side * (needed - plan.stop) <= 0:
            return Refused(f"a stop at {price(chosen)} is looser than the present one at {price(plan.stop)}")
        risk, cap = (cents(terms.money(amount)) for amount in (open_risk(side, legs, chosen), plan.risk))
        return Refused(f"a stop at {price(chosen)} risks {risk}, more than {cap}: {price(needed)} or closer")
    if side * (tick - chosen) <= 0:
        return Refused(f"a stop at {price(chosen)} is where the market is, at {price(tick)}")
    return plan._replace(legs=legs, stop=chosen)


def _on_grid(side: int, tick: Fraction) -> int:
    """The first whole tick at or beyond a price, seen in the direction of profit."""
    return side * -(-(side * tick) // 1)


class Out(NamedTuple):
    """The part that goes out near the target."""

    near: int
    """Tick from which the target counts as near."""
    lots: int
    rest: int
    """Lots that stay and trail."""


def out_near(plan: Plan, target: int, limits: Limits = DEFAULTS) -> Out:
    """What goes out once the price has come near the target, or is at it: half, rounded down, at least one lot.

    Raises ValueError for a target that is no profit.
    """
    if plan.side * (target - plan.average) <= 0:
        raise ValueError(f"a target at {target} of an average entry at {float(plan.average)}")
    way = (target - plan.average) * exact(limits.out_near)
    lots = max(1, int(exact(limits.out_part) * plan.lots))
    return Out(_on_grid(plan.side, plan.average + way), lots, plan.lots - lots)


def worst_case(terms: Terms, plan: Plan, round_trip: Decimal, slip_ticks: int = 1) -> Decimal:
    """What a plan loses where its stop is hit: its open risk, costs, and a tick more for every lot.

    A leg that the stop has in profit is not taken to make one.
    """
    return total(terms.money(plan.open_risk + slip_ticks * plan.lots), times(round_trip, plan.lots))

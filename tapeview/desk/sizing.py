"""How many: the size that loses no more than was meant to be lost, and what Kelly would allow."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from tapeview.desk.expectancy import Interval, edge, wilson
from tapeview.desk.limits import DEFAULTS, Limits
from tapeview.desk.money import decimal, exact, times, total
from tapeview.desk.terms import Terms


class Size(NamedTuple):
    """A size and what it risks; money in the instrument's currency."""

    lots: int
    budget: Decimal
    """What may be lost."""
    loss_per_lot: Decimal
    """What a lot loses at the stop, costs included."""
    loss: Decimal
    """What all of it loses at the stop, costs included."""
    risk: Decimal
    """R: what all of it loses at the stop before costs."""
    cost_r: Fraction
    """Costs of the round trip in R."""
    cost_ticks: Fraction
    """Costs of the round trip of a lot in ticks."""
    costly: bool
    """Costs are more than the limit's share of R."""


def size(
    terms: Terms,
    account: Decimal,
    stop_ticks: int,
    round_trip: Decimal = Decimal(0),
    *,
    share: Fraction | None = None,
    slip_ticks: int = 0,
    most_lots: int | None = None,
    limits: Limits = DEFAULTS,
) -> Size:
    """The greatest size whose loss at a stop `stop_ticks` away stays within a share of the account.

    `round_trip` is what a lot costs both ways, `slip_ticks` how much worse than its price the stop fills; both count
    as loss. Raises ValueError for a stop that is no distance, and for a rebate greater than the loss itself.
    """
    if stop_ticks <= 0 or slip_ticks < 0:
        raise ValueError(f"a stop {stop_ticks} ticks away that slips by {slip_ticks}")
    part = exact(limits.trade_risk) if share is None else share
    budget = decimal(part * Fraction(account))
    risk_per_lot = terms.money(stop_ticks)
    loss_per_lot = total(risk_per_lot, terms.money(slip_ticks), round_trip)
    if loss_per_lot <= 0:
        raise ValueError(f"a lot that loses {loss_per_lot} at its stop")
    lots = max(0, int(Fraction(budget) // Fraction(loss_per_lot)))
    lots = lots if most_lots is None else min(lots, most_lots)
    cost_r = Fraction(round_trip) / Fraction(risk_per_lot)
    return Size(
        lots, budget, loss_per_lot, times(loss_per_lot, lots), times(risk_per_lot, lots), cost_r,
        terms.ticks_of(round_trip), cost_r > exact(limits.cost_red),
    )  # fmt: skip


class Kelly(NamedTuple):
    """What Kelly says of a record of trades."""

    win_rate: Interval
    full: float
    """Kelly's share were the win rate seen the true one."""
    cautious: float
    """Kelly's share at the lower end of the interval."""
    suggested: float
    """A part of the cautious share, at most the cap; 0 where the lower end has no edge."""


def kelly(wins: int, trades: int, b: float, c: float = 0.0, limits: Limits = DEFAULTS) -> Kelly:
    """Kelly's share of an account after so many wins of so many trades at `b` to 1 and costs of `c` R.

    The win rate is taken at the lower end of its Wilson interval.
    """
    rate = wilson(wins, trades)
    full = edge(rate.value, b, c).kelly if trades else 0.0
    cautious = edge(rate.low, b, c).kelly
    return Kelly(rate, full, cautious, min(limits.kelly_part * cautious, limits.kelly_cap))

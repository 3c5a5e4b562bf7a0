"""What the journal says of the trader: trades, figures with their intervals, and by what they can be told apart.

Every figure is made of the journal's records and of nothing else. R is what a trade risked at its first stop; trades
without a stop count in money, not in R. The account is the pessimist's; the optimist's result of the same decision
stands beside it, and what lies between is what nobody can know. Trades made with hindsight are told apart: they prove
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

import msgspec

from tapeview.desk.expectancy import FEW, Interval, of_results
from tapeview.desk.money import total
from tapeview.trades import Row, export, grids_of, name_of, only_hopeful, rows, without_hindsight

__all__ = [
    "BY", "Bin", "Dot", "Figures", "Point", "Row", "by", "curve", "drawdown", "equity", "export", "figures",
    "grids_of", "histogram", "longest_losing", "name_of", "only_hopeful", "rows", "scatter", "trust_in",
    "without_hindsight",
]  # fmt: skip

RELIABLE: Final = 50
MEANINGFUL: Final = 100
"""Trades from which figures are called reliable, and meaningful; under FEW they are grey and marked so."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of trades says, as `tapeview journal stats --json` prints it."""

    trades: int
    win_rate: float | None
    win_rate_ci: tuple[float, float] | None
    expectancy_r: float | None
    expectancy_r_ci: tuple[float, float] | None
    profit_factor: float | None
    profit_factor_ci: tuple[float, float] | None
    badge: str
    """Whether expectancy can be told from 0."""
    net: str
    gross: str
    fees: str
    slippage: str | None
    """Of the trades of which it is known; None where it is of none."""
    costs_of_gross: float | None
    """Fees as a share of gross; None where gross is not above 0."""
    net_hopeful: str
    max_drawdown: str
    average_win: str | None
    average_loss: str | None
    mae_r: float | None
    mfe_r: float | None
    etd_r: float | None
    held_s: float | None
    """Mean time in a trade."""
    waited_s: float | None
    process: float | None
    grey: bool
    """Fewer than 20 trades: not to be taken as if it meant something."""
    trust: str
    """few, preliminary, reliable or meaningful."""


# -- figures ------------------------------------------------------------------------------------------


def figures(trades: Sequence[Row]) -> Figures:
    """The figures of some trades."""
    results = [one.r for one in trades if one.r is not None]
    record = of_results(results)
    nets = [Decimal(one.net) for one in trades]
    wins, losses = [n for n in nets if n > 0], [n for n in nets if n < 0]
    gross, fees = (total(*(Decimal(value) for value in found)) for found in _costs(trades))
    slipped = [Decimal(one.slippage) for one in trades if one.slippage is not None]
    count = len(trades)
    return Figures(
        trades=count,
        win_rate=_value(record.win_rate),
        win_rate_ci=_ends(record.win_rate) if results else None,
        expectancy_r=_value(record.expectancy),
        expectancy_r_ci=_ends(record.expectancy) if results else None,
        profit_factor=_value(record.profit_factor),
        profit_factor_ci=_ends(record.profit_factor) if results else None,
        badge=record.expectancy.badge if results else "no trade had a stop",
        net=_money(nets),
        gross=f"{gross:f}",
        fees=f"{fees:f}",
        slippage=_money(slipped) if slipped else None,
        costs_of_gross=float(fees / gross) if gross > 0 else None,
        net_hopeful=_money([Decimal(one.net if one.hopeful_net is None else one.hopeful_net) for one in trades]),
        max_drawdown=f"{drawdown(equity(trades)):f}",
        average_win=_mean_money(wins),
        average_loss=_mean_money(losses),
        mae_r=_mean(one.mae_r for one in trades),
        mfe_r=_mean(one.mfe_r for one in trades),
        etd_r=_mean(one.etd_r for one in trades),
        held_s=_mean((one.closed_ns - one.opened_ns) / 1e9 for one in trades),
        waited_s=_mean(one.waited_s for one in trades),
        process=_mean(one.process for one in trades),
        grey=count < FEW,
        trust=trust_in(count),
    )


def trust_in(trades: int) -> str:
    """How far figures of so many trades are to be believed, in a word."""
    if trades < FEW:
        return "few"
    return "preliminary" if trades < RELIABLE else "reliable" if trades < MEANINGFUL else "meaningful"


def _costs(trades: Sequence[Row]) -> tuple[list[str], list[str]]:
    return [one.gross for one in trades], [one.fees for one in trades]


BY: Final[dict[str, Callable[[Row], tuple[str, ...]]]] = {
    "setup": lambda one: (one.setup or "–",),
    "detector": lambda one: (one.detector or "–",),
    "hour": lambda one: (f"{one.hour:02}",),
    "instrument": lambda one: (one.instrument,),
    "side": lambda one: (one.side,),
    "tag": lambda one: one.tags or ("–",),
    "account": lambda one: (one.account,),
}
"""What trades can be told apart by; one of several tags counts under each."""


def by(trades: Sequence[Row], what: str) -> dict[str, Figures]:
    """The figures of each group of trades, by one of BY."""
    groups: dict[str, list[Row]] = {}
    for one in trades:
        for name in BY[what](one):
            groups.setdefault(name, []).append(one)
    return {name: figures(groups[name]) for name in sorted(groups)}


def longest_losing(trades: Sequence[Row]) -> int:
    """The longest run of losing trades."""
    losing = [Decimal(one.net) < 0 for one in trades]
    ends = [-1, *(k for k, lost in enumerate(losing) if not lost), len(losing)]
    return max(b - a - 1 for a, b in pairwise(ends))


# -- to be drawn --------------------------------------------------------------------------------------


class Point(msgspec.Struct, frozen=True):
    """What stood after a trade, money counted from 0."""

    run: int
    trade: int
    closed_ns: int
    net: Decimal
    equity: Decimal
    drawdown: Decimal
    """How far it is below the greatest height before, 0 or more."""
    hopeful: Decimal
    """Equity by the optimist's results."""


class Bin(msgspec.Struct, frozen=True):
    """How many trades made from `low` to below `high` R; None: as far as it goes."""

    low: float | None
    high: float | None
    trades: int


class Dot(msgspec.Struct, frozen=True):
    """A trade's excursions, in R: how far it went against and for one, and what it made."""

    mae_r: float
    mfe_r: float
    r: float


def curve(trades: Sequence[Row]) -> list[Point]:
    """Equity and drawdown after each trade, run by run in the order the trades were closed."""
    points: list[Point] = []
    so_far = height = hopeful = Decimal(0)
    for one in sorted(trades, key=lambda row: (row.run, row.closed_ns, row.trade)):
        net = Decimal(one.net)
        so_far = total(so_far, net)
        hopeful = total(hopeful, Decimal(one.hopeful_net) if one.hopeful_net is not None else net)
        height = max(height, so_far)
        points.append(Point(one.run, one.trade, one.closed_ns, net, so_far, total(height, -so_far), hopeful))
    return points


def equity(trades: Sequence[Row]) -> list[Decimal]:
    """What was made up to and with each trade, in the order of `curve`."""
    return [point.equity for point in curve(trades)]


def drawdown(equities: Sequence[Decimal]) -> Decimal:
    """The greatest fall from a height reached before, 0 at the least."""
    worst, height = Decimal(0), Decimal(0)
    for value in equities:
        height = max(height, value)
        worst = max(worst, total(height, -value))
    return worst


def histogram(trades: Sequence[Row], width: float = 0.5, most: int = 20) -> list[Bin]:
    """The results in R by how many trades made them: bins of a width side by side, at most so many on a side of 0.

    The last ones are open to their ends where results lie beyond. No bins where no trade has a result in R.
    """
    places = [min(most - 1, max(-most, math.floor(one.r / width + 1e-9))) for one in trades if one.r is not None]
    if not places:
        return []
    first, last = min(places), max(places)
    return [
        Bin(
            None if place == -most else place * width,
            None if place == most - 1 else (place + 1) * width,
            places.count(place),
        )
        for place in range(first, last + 1)
    ]


def scatter(trades: Sequence[Row]) -> list[Dot]:
    """The excursions of the trades of which they are known."""
    return [
        Dot(one.mae_r, one.mfe_r, one.r)
        for one in trades
        if one.mae_r is not None and one.mfe_r is not None and one.r is not None
    ]


def _value(figure: Interval) -> float | None:
    return figure.value if math.isfinite(figure.value) else None


def _ends(figure: Interval) -> tuple[float, float]:
    return figure.low, figure.high


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _money(amounts: Sequence[Decimal]) -> str:
    return f"{total(*amounts):f}"


def _mean_money(amounts: Sequence[Decimal]) -> str | None:
    return f"{total(*amounts) / len(amounts):.2f}" if amounts else None

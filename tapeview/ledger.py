"""What the journal says of the trader: trades, figures with their intervals, and by what they can be told apart.

Every figure is made of the journal's records and of nothing else. R is what a trade risked at its first stop; trades
without a stop count in money, not in R. The account is the pessimist's; the optimist's result of the same decision
stands beside it, and what lies between is what nobody can know.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import msgspec

from tapeview import journal
from tapeview.desk.expectancy import FEW, Interval, of_results
from tapeview.desk.money import total
from tapeview.desk.records import OPTIMIST, PESSIMIST, Closed, Decided, Noted

RELIABLE: Final = 50
MEANINGFUL: Final = 100
"""Trades from which figures are called reliable, and meaningful."""
_SOON_NS: Final = 60_000_000_000
"""How long after an alert a decision is counted as its."""


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was made with; stored with it, and needed to make it again."""

    instruments: tuple[str, ...]
    """Names, by instrument number."""
    grids: tuple[tuple[str, str], ...]
    """(tick, lot) of each, as decimal text."""
    equity: str
    calendar: str
    profile: str
    limits: dict[str, float]
    options: dict[str, Any] = {}
    """How the source was opened."""
    from_seq: int = 0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One trade with all that is known of it."""

    run: int
    trade: int
    instrument: str
    side: str
    lots: str
    entry: str
    opened_ns: int
    closed_ns: int
    net: str
    gross: str
    fees: str
    r: float | None
    mae_r: float | None
    mfe_r: float | None
    etd_r: float | None
    """End-trade drawdown: MFE less the result."""
    hopeful_net: str | None
    """What the optimist made of the same decision."""
    setup: str
    detector: str
    """The detector whose alert the decision followed within a minute; '' for none."""
    hour: int
    """Hour of the day it was opened in, UTC."""
    waited_s: float | None
    """From that alert to the decision."""
    followed: bool | None
    """Whether the plan was followed, as the trader noted."""
    process: float
    """Share of the process kept: a plan with a stop, a stop in the market, a named setup, no note that the plan was
    left."""


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
    """too few, preliminary, reliable or meaningful."""


def rows(db: sqlite3.Connection, run: int | None = None) -> list[Row]:
    """All trades of the journal, or of one run, in the order they were closed."""
    found: list[Row] = []
    for one in journal.runs(db):
        if run in (None, one.id):
            found += _rows_of(db, one)
    return found


def _rows_of(db: sqlite3.Connection, run: journal.Run) -> list[Row]:
    settings = msgspec.json.decode(run.settings, type=RunSettings)
    closed: list[Closed] = []
    decided: dict[int, Decided] = {}
    followed: dict[int, bool | None] = {}
    for record in journal.records(db, run.id, [Closed, Decided, Noted]):
        match record:
            case Closed():
                closed.append(record)
            case Decided():
                decided[record.number] = record
            case Noted():
                followed[record.number] = record.followed
            case _:
                pass
    hopeful = {(c.inst, c.decision): c for c in closed if c.view == OPTIMIST}
    return [
        _row(run.id, settings, one, decided.get(one.decision or -1), hopeful.get((one.inst, one.decision)), followed)
        for one in closed
        if one.view == PESSIMIST
    ]


def _row(
    run: int,
    settings: RunSettings,
    one: Closed,
    decision: Decided | None,
    hopeful: Closed | None,
    followed: dict[int, bool | None],
) -> Row:
    from feeds.instruments import Grid

    tick, lot = settings.grids[one.inst]
    waited = None if decision is None else decision.waited_ns
    near = decision is not None and waited is not None and waited <= _SOON_NS
    entry = Fraction(one.entry) * Fraction(tick)
    kept = followed.get(one.decision or -1)
    planned = decision is not None and decision.stop_tick is not None
    parts = [planned, one.risk_ticks is not None, kept is not False, bool(one.setup)]
    return Row(
        run=run,
        trade=one.trade,
        instrument=settings.instruments[one.inst],
        side="long" if one.side > 0 else "short",
        lots=Grid(lot).text(one.lots),
        entry=_decimal(entry, Grid(tick).decimals + 2),
        opened_ns=one.opened_ns,
        closed_ns=one.recv_ns,
        net=one.net,
        gross=one.gross,
        fees=one.fees,
        r=one.r,
        mae_r=one.mae_r,
        mfe_r=one.mfe_r,
        etd_r=None if one.r is None or one.mfe_r is None else one.mfe_r - one.r,
        hopeful_net=None if hopeful is None else hopeful.net,
        setup=one.setup,
        detector=decision.last_alert if decision is not None and near else "",
        hour=datetime.fromtimestamp(one.opened_ns / 1e9, UTC).hour,
        waited_s=None if waited is None or not near else waited / 1e9,
        followed=kept,
        process=sum(parts) / len(parts),
    )


def _decimal(value: Fraction, decimals: int) -> str:
    scaled = round(value * 10**decimals)
    return f"{Decimal(scaled).scaleb(-decimals):f}"


# -- figures ------------------------------------------------------------------------------------------


def figures(trades: Sequence[Row]) -> Figures:
    """The figures of some trades."""
    results = [one.r for one in trades if one.r is not None]
    record = of_results(results)
    nets = [Decimal(one.net) for one in trades]
    wins, losses = [n for n in nets if n > 0], [n for n in nets if n < 0]
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
        gross=_money([Decimal(one.gross) for one in trades]),
        fees=_money([Decimal(one.fees) for one in trades]),
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
        trust="too few" if count < FEW else "preliminary" if count < RELIABLE else "reliable"
        if count < MEANINGFUL else "meaningful",
    )  # fmt: skip


BY: Final[dict[str, Callable[[Row], str]]] = {
    "setup": lambda one: one.setup or "–",
    "detector": lambda one: one.detector or "–",
    "hour": lambda one: f"{one.hour:02}",
    "instrument": lambda one: one.instrument,
    "side": lambda one: one.side,
}
"""What trades can be told apart by."""


def by(trades: Sequence[Row], what: str) -> dict[str, Figures]:
    """The figures of each group of trades."""
    groups: dict[str, list[Row]] = {}
    for one in trades:
        groups.setdefault(BY[what](one), []).append(one)
    return {name: figures(groups[name]) for name in sorted(groups)}


def equity(trades: Sequence[Row]) -> list[Decimal]:
    """What was made up to and with each trade, in the order they were closed."""
    so_far, curve = Decimal(0), []
    for one in sorted(trades, key=lambda row: (row.run, row.closed_ns, row.trade)):
        so_far = total(so_far, Decimal(one.net))
        curve.append(so_far)
    return curve


def drawdown(curve: Sequence[Decimal]) -> Decimal:
    """The greatest fall from a height reached before, 0 at the least."""
    worst, height = Decimal(0), Decimal(0)
    for value in curve:
        height = max(height, value)
        worst = max(worst, total(height, -value))
    return worst


def longest_losing(trades: Sequence[Row]) -> int:
    """The longest run of losing trades."""
    losing = [Decimal(one.net) < 0 for one in trades]
    ends = [-1, *(k for k, lost in enumerate(losing) if not lost), len(losing)]
    return max(b - a - 1 for a, b in pairwise(ends))


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

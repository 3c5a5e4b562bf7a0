"""How the journal is written on its screen: tables of trades, groups and runs, and the figures with their intervals."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from tapeview import format as text
from tapeview.desk.expectancy import FEW
from tapeview.drill.skill import Skill
from tapeview.journal import Run
from tapeview.ledger import Bin, Dot, Figures, Point, Row
from tapeview.ui.widgets import _plots
from tapeview.ui.widgets._palette import Row as Cells
from tapeview.ui.widgets._palette import Run as Ink
from tapeview.ui.widgets._sheet import Column

FEW_WORD: Final = "few"
"""The mark of figures that rest on too few trades to mean something."""
TRADES: Final = (
    Column("run", right=True, rank=10), Column("opened, UTC", rank=3), Column("instrument", rank=2), Column("side"),
    Column("lots", right=True, rank=4), Column("entry", right=True, rank=5), Column("R", right=True),
    Column("MAE", right=True, rank=6), Column("MFE", right=True, rank=6), Column("net", right=True, rank=1),
    Column("to", right=True, rank=8), Column("setup", rank=2), Column("detector", rank=9),
    Column("process", right=True, rank=7), Column("account", rank=11), Column("seen", rank=3),
)  # fmt: skip
"""Columns of the list of trades; `net` is by the pessimist's fills, `to` by the optimist's."""
_KEYS: Final[tuple[Callable[[Row], Any], ...]] = (
    lambda one: (one.run, one.trade), lambda one: one.opened_ns, lambda one: one.instrument, lambda one: one.side,
    lambda one: Decimal(one.lots), lambda one: (one.instrument, Decimal(one.entry)), lambda one: one.r,
    lambda one: one.mae_r, lambda one: one.mfe_r, lambda one: Decimal(one.net),
    lambda one: Decimal(one.net if one.hopeful_net is None else one.hopeful_net), lambda one: one.setup,
    lambda one: one.detector, lambda one: one.process, lambda one: one.account, lambda one: one.hindsight,
)  # fmt: skip
GROUPS: Final = (
    Column("trades", right=True, rank=1), Column("R a trade", right=True), Column("95 %", right=True, rank=3),
    Column("win rate", right=True, rank=1), Column("95 %", right=True, rank=5),
    Column("profit factor", right=True, rank=4), Column("net", right=True, rank=2), Column("process", right=True,
    rank=6), Column("", rank=0),
)  # fmt: skip
"""Columns of a table of groups, after the group's own name."""
RUNS: Final = (
    Column("run", right=True), Column("began, UTC", rank=1), Column("trades", right=True, rank=2),
    Column("account", rank=3), Column("ended", rank=4), Column("source"),
)  # fmt: skip
MOST_BINS: Final = 12
STEPS: Final = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Widths of the bins of results, in R; the first whose bins fit is taken."""


def ordered(trades: Sequence[Row], column: int, falling: bool) -> list[Row]:
    """Trades in the order of a column; those in which it is not known come last."""
    key = _KEYS[column]
    known = [one for one in trades if key(one) is not None]
    return sorted(known, key=key, reverse=falling) + [one for one in trades if key(one) is None]


def moment(ns: int, *, seconds: bool = True) -> str:
    """A moment in UTC, to the second or the minute."""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime(f"%Y-%m-%d %H:%M{':%S' if seconds else ''}")


def signed(value: float | None, decimals: int = 2) -> str:
    """A number with its sign, `–` for an unknown."""
    if value is None or math.isnan(value):
        return "–"
    return text.signed(f"{value:.{decimals}f}") if math.isfinite(value) else "∞"


def share(value: float | None) -> str:
    """A share in percent, `–` for an unknown."""
    return "–" if value is None or math.isnan(value) else f"{value:.0%}"


def _ink(value: float | None) -> str:
    return "text" if not value else "buy" if value > 0 else "sell"


def trade(one: Row) -> tuple[Ink, ...]:
    """A trade as a line of TRADES; what was made with hindsight is dim."""
    side = ("▲ long", "buy") if one.side == "long" else ("▼ short", "sell")
    net = float(one.net)
    cells: tuple[Ink, ...] = (
        (str(one.run), "dim"), (moment(one.opened_ns)[5:], "text"), (text.clean(one.instrument), "text"), side,
        (one.lots, "text"), (_short(one.entry), "text"), (signed(one.r), _ink(one.r) + " bold"),
        (signed(one.mae_r), "text"), (signed(one.mfe_r), "text"), (text.signed(one.net), _ink(net)),
        ("" if one.hopeful_net in (None, one.net) else text.signed(str(one.hopeful_net)), "dim"),
        (text.clean(one.setup) or "–", "text"), (one.detector or "–", "text"), (share(one.process), "text"),
        (text.clean(one.account), "dim"), ("hindsight" if one.hindsight else "", "alert-warn"),
    )  # fmt: skip
    return tuple((words, "dim") for words, _ in cells[:-1]) + cells[-1:] if one.hindsight else cells


def _short(entry: str) -> str:
    # An average has two decimals more than the tick; where they say nothing they are left out.
    return entry.removesuffix("00") if entry.partition(".")[2] not in ("", "00") else entry.partition(".")[0]


def group(name: str, one: Figures) -> tuple[Ink, ...]:
    """A group as a line: its name and GROUPS, grey and marked where there are few."""
    style = "dim" if one.grey else "text"
    return (
        (text.clean(name), style), (str(one.trades), style),
        (signed(one.expectancy_r), "dim" if one.grey else _ink(one.expectancy_r) + " bold"),
        (_span(one.expectancy_r_ci), "dim"), (share(one.win_rate), style), (_shares(one.win_rate_ci), "dim"),
        (_plain(one.profit_factor), style), (text.signed(one.net), style), (share(one.process), style),
        (FEW_WORD if one.grey else "" if _told_apart(one) else "0?", "alert-warn" if one.grey else "dim"),
    )  # fmt: skip


def _told_apart(one: Figures) -> bool:
    ends = one.expectancy_r_ci
    return ends is not None and (ends[0] > 0 or ends[1] < 0)


def run(one: Run, account: str, hindsight: bool, trades: int) -> tuple[Ink, ...]:
    """A run as a line of RUNS."""
    if one.ended_ns is None:
        end: Ink = ("open, or ended by force", "alert-warn")
    else:
        end = (moment(one.ended_ns, seconds=False)[5:] + (" hindsight" if hindsight else ""), "dim")
    return (
        (str(one.id), "text"), (moment(one.began_ns), "text"), (str(trades), "text" if trades else "dim"),
        (text.clean(account), "dim"), end, (text.clean(one.source), "text"),
    )  # fmt: skip


def sentence(words: str, width: int) -> list[Cells]:
    """A sentence in place of what cannot be shown."""
    return [((" " + line, "alert-warn"),) for line in textwrap.wrap(text.clean(words), max(10, width - 2))]


# -- figures ------------------------------------------------------------------------------------------


def _span(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{signed(ends[0])} to {signed(ends[1])}"


def _shares(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.0%} to {ends[1]:.0%}"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _factors(ends: tuple[float, float] | None) -> str:
    if ends is None:
        return ""
    low, high = (f"{end:.2f}" if math.isfinite(end) else "∞" for end in ends)
    return "" if low == "∞" else f"{low} to {high}"


def figures(one: Figures, losing: int, hindsight: int, width: int, more: int = 0) -> list[Cells]:
    """All figures, a line each: name, value, its interval; grey and marked where there are few trades.

    `hindsight` trades were left out; `more` there would be by the optimist's fills alone.
    """
    loud, quiet = ("dim", "dim") if one.grey else ("loud bold", "text")
    rows: list[Cells] = []

    def add(name: str, value: str, after: str = "", style: str = quiet) -> None:
        # What has no room beside the value is left out whole: half an interval would be another one.
        tail = f"  {after}" if after and 17 + len(value) + len(after) + 2 <= width else ""
        rows.append(((f" {name:<15} ", "dim"), (value, style), (tail, "dim")))

    if not one.trades:
        return [((" no trade to reckon with", "dim"),)]
    if one.grey:
        said = f" {FEW_WORD}: {one.trades} of {FEW} trades"
        why = "; luck could show all this"
        rows.append(((said + (why if len(said + why) <= width else ""), "alert-warn bold"),))
    else:
        rows.append(((f" {one.trust}: {one.trades} trades", "text bold"),))
    add("win rate", share(one.win_rate), _shares(one.win_rate_ci), loud)
    add("R a trade", signed(one.expectancy_r), _span(one.expectancy_r_ci), loud)
    badge = "too few to tell from 0" if one.grey and one.trades else one.badge
    rows.append(((f" {'':<15} {badge}"[:width], "dim" if badge != "above 0" else quiet),))
    add("profit factor", _plain(one.profit_factor), _factors(one.profit_factor_ci))
    add("net", text.signed(one.net), f"if fills were kind {text.signed(one.net_hopeful)}", loud)
    add("gross", text.signed(one.gross), "before costs")
    kept = "" if one.costs_of_gross is None else f"{one.costs_of_gross:.0%} of gross"
    add("fees", one.fees, kept, "alert-warn bold" if (one.costs_of_gross or 0) > 0.5 and not one.grey else quiet)
    if one.slippage is not None:
        add("slippage", one.slippage, "against the mid, in gross")
    add("mean win, loss", f"{one.average_win or '–'}, {one.average_loss or '–'}")
    add("worst drawdown", one.max_drawdown)
    add("longest loss", f"{losing} in a row")
    add("MAE, MFE, ETD", f"{signed(one.mae_r)}, {signed(one.mfe_r)}, {signed(one.etd_r)} R")
    add("in a trade", "–" if one.held_s is None else text.duration(int(one.held_s * 1e9)))
    add("to decide", "–" if one.waited_s is None else f"{one.waited_s:.1f} s after an alert")
    add("process", share(one.process), "planned, size, stop, left by plan")
    if hindsight:
        rows.append(((f" {hindsight} with hindsight left out"[:width], "dim"),))
    if more:
        rows.append(((f" {more} more had fills been kind"[:width], "dim"),))
    return rows


def curve(points: Sequence[Point]) -> Callable[[int, int], list[Cells]]:
    """The equity line over its drawdown."""
    values = [0.0, *(float(point.equity) for point in points)] if points else []
    falls = [0.0, *(float(point.drawdown) for point in points)] if points else []
    return lambda width, height: _plots.line(values, falls, width, height, _money, "equity, drawdown below")


def _money(value: float) -> str:
    size = abs(value)
    words = f"{value:.0f}" if size >= 100 or value == 0 else f"{value:.2f}"
    return text.signed(words)


def results(bins: Callable[[float], Sequence[Bin]]) -> Callable[[int, int], list[Cells]]:
    """How results are spread, in bins as wide as they must be to fit."""

    def draw(width: int, height: int) -> list[Cells]:
        for step in STEPS:
            found = bins(step)
            if len(found) <= max(1, min(MOST_BINS, height - 1)):
                break
        lines = [(_bounds(one), -1 if (one.high is not None and one.high <= 0) else 1, one.trades) for one in found]
        return _plots.bars(lines, width, height, "results in R", "no trade had a stop")

    return draw


def _bounds(one: Bin) -> str:
    if one.low is None:
        return f"below {signed(one.high, 2)}"
    if one.high is None:
        return f"from {signed(one.low, 2)}"
    return f"{signed(one.low, 2)} to {signed(one.high, 2)}"


def excursions(dots: Sequence[Dot]) -> Callable[[int, int], list[Cells]]:
    """How far trades went against and for one."""
    found = [(dot.mae_r, dot.mfe_r, dot.r) for dot in dots]
    return lambda width, height: _plots.points(
        found, width, height, "against and for, in R  ▲ won ▼ lost", "MAE", "MFE", "no trade had a stop"
    )


# -- drills -------------------------------------------------------------------------------------------


def drills(one: Skill, by: Mapping[str, Skill], width: int, first: str = "d begins one") -> list[Cells]:
    """What drills say: calls beside what blind rules would have made of them."""
    if not one.drills:
        left = f"; {one.left} left without a call" if one.left else ""
        return [((f" no drill yet: {first}{left}", "dim"),)]
    loud, quiet = ("dim", "dim") if one.grey else ("loud bold", "text")
    rows: list[Cells] = []
    mark = f"{FEW_WORD}: " if one.grey else ""
    rows.append(((f" {mark}{one.drills} called, {one.left} left without a call, {one.seen} seen before",
                  "alert-warn bold" if one.grey else "text bold"),))  # fmt: skip
    rows += [
        _drill("right", share(one.right.value), _shares((one.right.low, one.right.high)), loud),
        _drill("by chance", share(one.chance), "the same calls dealt at random", quiet),
        _drill("luck alone", share(one.luck), "of the time does as well", quiet),
        _drill("", one.badge, "", "loud bold" if one.badge.startswith("above") and not one.grey else quiet),
        _drill("ticks a drill", signed(one.made.value), _span((one.made.low, one.made.high)), loud),
        _drill("in sigmas", signed(one.sigmas.value), _span((one.sigmas.low, one.sigmas.high)), quiet),
        _drill("Brier score", _plain(one.brier), f"lower is better; always saying {share(one.right.value)} gives "
               f"{_plain(one.brier_alone)}", quiet),
        _drill("to call", "–" if one.waited_s is None else f"{one.waited_s:.1f} s", "", quiet),
    ]  # fmt: skip
    rows += [(), ((" what blind rules make of the same", "text bold"),)]
    for rule in one.blind:
        made = f"{signed(rule.made)} ticks  {signed(rule.sigmas)} sigma"
        rows.append(_drill(rule.name, share(rule.right.value), made, quiet))
    rows += [(), ((" how sure, and how often right", "text bold"),)]
    for band in one.bands:
        rows.append(_drill(f"said {band.said:.0%}", share(band.right.value),
                           f"{_shares((band.right.low, band.right.high))}  {band.count} drills", quiet))  # fmt: skip
    if len(by) > 1:
        rows += [(), ((" by what stopped it", "text bold"),)]
        for name, each in by.items():
            few = f"  {FEW_WORD}" if each.grey else ""
            rows.append(_drill(text.clean(name), share(each.right.value),
                               f"by chance {share(each.chance)}  {each.drills} drills{few}", quiet))  # fmt: skip
    return [_within(row, width) for row in rows]


def _within(row: Cells, width: int) -> Cells:
    """A row without its last words where they have no room: half an interval would be another one."""
    return row if sum(len(words) for words, _ in row) <= width else row[:-1]


def _drill(name: str, value: str, after: str, style: str) -> Cells:
    return ((f" {name:<15} ", "dim"), (value, style), (f"  {after}" if after else "", "dim"))

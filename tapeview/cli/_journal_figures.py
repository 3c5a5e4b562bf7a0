"""What `tapeview journal` prints of trades, figures and decisions, as a person reads it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from tapeview.cli import _common as common

if TYPE_CHECKING:
    from tapeview.execution import Execution
    from tapeview.ledger import Figures, Row


def time_text(ns: int) -> str:
    """An instant in UTC, to the second."""
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def trades(found: Sequence[Row]) -> None:
    """The table of trades."""
    header = [
        "run", "opened", "instrument", "side", "lots", "entry", "net", "fees", "slip", "R", "MAE", "MFE", "band",
        "process", "setup",
    ]  # fmt: skip
    rows = [
        (
            one.run, time_text(one.opened_ns), one.instrument, one.side, one.lots, one.entry, one.net, one.fees,
            one.slippage or "–", _r(one.r), _r(one.mae_r), _r(one.mfe_r), one.hopeful_net or "–", _share(one.process),
            one.setup or "–",
        )
        for one in found
    ]  # fmt: skip
    common.table(header, rows, right=dict.fromkeys((0, *range(4, 14)), True))


def groups(what: str, found: Mapping[str, Figures]) -> None:
    """The table of the figures of groups of trades."""
    header = [what, "trades", "", "win rate", "95 %", "E in R", "95 %", "profit factor", "fees", "net", "process"]
    rows = [
        (
            name, one.trades, one.trust, _share(one.win_rate), _span(one.win_rate_ci, share=True),
            _r(one.expectancy_r), _span(one.expectancy_r_ci), _plain(one.profit_factor), one.fees, one.net,
            _share(one.process),
        )
        for name, one in found.items()
    ]  # fmt: skip
    common.table(header, rows, right=dict.fromkeys((1, *range(3, 11)), True))


def report(one: Figures, found: Sequence[Row], hopeful: Sequence[Row], entries: Sequence[Execution]) -> None:
    """The figures of all trades, and how they were entered; `hopeful` are those that only the optimist's fills made."""
    from tapeview import ledger

    out = sys.stdout.write
    if one.grey:
        out(f"{one.trades} trades, few: not to be taken as if they meant something (20 at the least)\n")
    share = "" if one.costs_of_gross is None else f", {one.costs_of_gross:.0%} of it"
    slipped = "" if one.slippage is None else f"; slippage {one.slippage} against the mid at decision"
    lines = [
        ("trades", f"{one.trades} ({one.trust})"),
        ("win rate", f"{_share(one.win_rate)}  {_span(one.win_rate_ci, share=True)}"),
        ("expectancy", f"{_r(one.expectancy_r)} R  {_span(one.expectancy_r_ci)}  {one.badge}"),
        ("profit factor", f"{_plain(one.profit_factor)}  {_span(one.profit_factor_ci)}"),
        ("net", f"{one.net}; by the optimist's fills {one.net_hopeful}"),
        ("gross and costs", f"{one.gross} less {one.fees} of fees{share}{slipped}"),
        ("average win, loss", f"{one.average_win or '–'}, {one.average_loss or '–'}"),
        ("max drawdown", one.max_drawdown),
        ("MAE, MFE, ETD", f"{_r(one.mae_r)}, {_r(one.mfe_r)}, {_r(one.etd_r)} R"),
        ("time in a trade", "–" if one.held_s is None else f"{one.held_s:.0f} s"),
        ("time to decide", "–" if one.waited_s is None else f"{one.waited_s:.1f} s after an alert"),
        ("longest losing run", str(ledger.longest_losing(found))),
        ("process", _share(one.process)),
    ]
    for name, text in lines:
        out(f"{name:<20}{text}\n")
    if hopeful:
        out(f"{'only by optimism':<20}{len(hopeful)} more trades, net {ledger.figures(hopeful).net}\n")
    for entry in entries:
        said = f"{entry.filled} filled, {entry.missed} missed; {entry.slip_ticks_lots:+.1f} against the mid"
        saved = f"{entry.saved_ticks_lots:+d} saved against taking the touch (ticks by lots)"
        out(f"{f'{entry.kind} entries':<20}{entry.instrument}: {said}, {saved}\n")
    _bars(found)


def _bars(found: Sequence[Row]) -> None:
    """Results in R as rows of marks."""
    from tapeview import ledger

    bins = ledger.histogram(found)
    most = max((one.trades for one in bins), default=0)
    for one in bins:
        low = "under " if one.low is None else f"{one.low:+.1f} to "
        high = "and more" if one.high is None else f"{one.high:+.1f}"
        mark = "#" * (0 if not one.trades else max(1, round(40 * one.trades / most)))
        sys.stdout.write(f"{low + high + ' R':<20}{one.trades:>5} {mark}\n")


def signals(db: Any, args: argparse.Namespace) -> None:
    """Every decision, and what came of it."""
    from tapeview import journal, ledger
    from tapeview.desk.records import PESSIMIST, Closed, Decided

    rows = []
    for run in journal.runs(db):
        about = journal.about_of(run)
        if args.run not in (None, run.id) or args.account not in (None, about.account):
            continue
        done = {
            one.decision: one
            for one in journal.records(db, run.id, [Closed])
            if isinstance(one, Closed) and one.view == PESSIMIST
        }
        for record in journal.records(db, run.id, [Decided]):
            assert isinstance(record, Decided)
            grid, lot = ledger.grids_of(about, record.inst)
            name = ledger.name_of(about, record.inst)
            closed = done.get(record.number)
            if args.json:
                result = None if closed is None else {"net": closed.net, "r": closed.r, "score": closed.score}
                plain = {"run": run.id, "account": about.account, "hindsight": about.hindsight, "instrument": name}
                common.emit({**plain, **msgspec.to_builtins(record), "closed": result})
                continue
            prices = [
                "–" if tick is None else grid.text(tick)
                for tick in (record.entry_tick, record.stop_tick, *record.target_ticks[:1])
            ]
            z = "–" if record.vwap_z is None else f"{record.vwap_z:+.1f}"
            rows.append((
                run.id, time_text(record.recv_ns), name, "buy" if record.side > 0 else "sell",
                lot.text(record.lots) if record.lots else "call", *prices, *["–"] * (3 - len(prices)), record.state, z,
                len(record.alerts), record.setup or "–", "–" if closed is None else _r(closed.r),
            ))  # fmt: skip
    if not args.json:
        header = [
            "run", "time", "instrument", "side", "lots", "entry", "stop", "target", "book", "z", "alerts", "setup", "R",
        ]  # fmt: skip
        common.table(header, rows, right=dict.fromkeys((0, 4, 5, 6, 7, 9, 10, 12), True))


def _r(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _span(ends: tuple[float, float] | None, *, share: bool = False) -> str:
    if ends is None:
        return ""
    low, high = ends
    return f"({low:.0%} to {high:.0%})" if share else f"({low:.2f} to {high:.2f})"

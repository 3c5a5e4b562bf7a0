"""`tapeview journal [runs|trades|stats|signals|export]`: the journal, and what it says of the trader."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from feeds.errors import BadInput
from tapeview.cli import _common as common

if TYPE_CHECKING:
    from tapeview.ledger import Figures, Row

PARTS: Final = {
    "runs": "sessions that were journalled",
    "trades": "every trade, with its R, excursions and costs",
    "stats": "win rate, expectancy, profit factor with their intervals, by setup, detector, hour …",
    "signals": "every decision: what was on the screen, what was planned, what came of the order",
    "export": "the trades as CSV or Parquet",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    parser.add_argument(
        "part", nargs="?", default="stats", metavar="PART",
        help="; ".join(f"{name}: {text}" for name, text in PARTS.items()),
    )  # fmt: skip
    parser.add_argument("out", nargs="?", metavar="FILE", help="where export writes: a name ending .csv or .parquet")
    parser.add_argument("--file", metavar="PATH", help="a journal other than one's own")
    parser.add_argument("--run", type=int, metavar="N", help="one run only")
    parser.add_argument("--by", metavar="WHAT", help="stats by setup, detector, hour, instrument or side")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print what is asked for."""
    from tapeview import journal

    if args.part not in PARTS:
        raise BadInput("journal", args.part, ", ".join(PARTS))
    if (args.out is not None) != (args.part == "export"):
        raise BadInput("journal", args.out, "a FILE with export, and with nothing else")
    db = journal.open_readonly(journal.own_path() if args.file is None else Path(args.file).expanduser())
    try:
        known = [one.id for one in journal.runs(db)]
        if args.run is not None and args.run not in known:
            raise BadInput("--run", args.run, f"a run from 1 to {max(known)}" if known else "a journal with runs in it")
        return int(_PARTS[args.part](db, args))
    finally:
        db.close()


def _runs(db: Any, args: argparse.Namespace) -> int:
    from tapeview import journal, ledger

    for one in journal.runs(db):
        count = len(ledger.rows(db, one.id))
        if args.json:
            common.emit({**one._asdict(), "settings": msgspec.json.decode(one.settings), "trades": count})
            continue
        end = "running, or ended by force" if one.ended_ns is None else _time(one.ended_ns)
        sys.stdout.write(f"{one.id:>4}  {_time(one.began_ns)} to {end}  {count:>4} trades  {one.source}\n")
    return 0


def _trades(db: Any, args: argparse.Namespace) -> int:
    from tapeview import ledger

    found = ledger.rows(db, args.run)
    if args.json:
        for one in found:
            common.emit(msgspec.to_builtins(one))
        return 0
    header = ["run", "opened", "instrument", "side", "lots", "entry", "net", "fees", "R", "MAE", "MFE", "band", "setup"]
    rows = [
        (
            one.run, _time(one.opened_ns), one.instrument, one.side, one.lots, one.entry, one.net, one.fees,
            _r(one.r), _r(one.mae_r), _r(one.mfe_r), one.hopeful_net or "–", one.setup or "–",
        )
        for one in found
    ]  # fmt: skip
    common.table(header, rows, right=dict.fromkeys((0, 4, 5, 6, 7, 8, 9, 10, 11), True))
    return 0


def _stats(db: Any, args: argparse.Namespace) -> int:
    from tapeview import ledger

    found = ledger.rows(db, args.run)
    if args.by is not None and args.by not in ledger.BY:
        raise BadInput("--by", args.by, ", ".join(ledger.BY))
    if args.by is not None:
        groups = ledger.by(found, args.by)
        if args.json:
            for name, one in groups.items():
                common.emit({args.by: name, **msgspec.to_builtins(one)})
            return 0
        header = [args.by, "trades", "win rate", "95 %", "E in R", "95 %", "profit factor", "net", "trust"]
        right = dict.fromkeys(range(1, 8), True)
        common.table(header, [_group(name, one) for name, one in groups.items()], right=right)
        return 0
    whole = ledger.figures(found)
    if args.json:
        common.emit(msgspec.to_builtins(whole))
        return 0
    _report(whole, found)
    return 0


def _group(name: str, one: Figures) -> tuple[object, ...]:
    return (
        name, one.trades, _share(one.win_rate), _span(one.win_rate_ci, share=True), _r(one.expectancy_r),
        _span(one.expectancy_r_ci), _plain(one.profit_factor), one.net, one.trust,
    )  # fmt: skip


def _report(one: Figures, trades: Sequence[Row]) -> None:
    from tapeview import ledger

    out = sys.stdout.write
    if one.grey:
        out(f"{one.trades} trades: too few to be taken as if they meant something (20 at the least)\n")
    lines = [
        ("trades", f"{one.trades} ({one.trust})"),
        ("win rate", f"{_share(one.win_rate)}  {_span(one.win_rate_ci, share=True)}"),
        ("expectancy", f"{_r(one.expectancy_r)} R  {_span(one.expectancy_r_ci)}  {one.badge}"),
        ("profit factor", f"{_plain(one.profit_factor)}  {_span(one.profit_factor_ci)}"),
        ("net", f"{one.net} (gross {one.gross}, fees {one.fees}); by the optimist's fills {one.net_hopeful}"),
        ("average win, loss", f"{one.average_win or '–'}, {one.average_loss or '–'}"),
        ("max drawdown", one.max_drawdown),
        ("MAE, MFE, ETD", f"{_r(one.mae_r)}, {_r(one.mfe_r)}, {_r(one.etd_r)} R"),
        ("time in a trade", "–" if one.held_s is None else f"{one.held_s:.0f} s"),
        ("time to decide", "–" if one.waited_s is None else f"{one.waited_s:.1f} s after an alert"),
        ("longest losing run", str(ledger.longest_losing(trades))),
        ("process", _share(one.process)),
    ]
    for name, text in lines:
        out(f"{name:<20}{text}\n")


def _signals(db: Any, args: argparse.Namespace) -> int:
    from feeds.instruments import Grid
    from tapeview import journal, ledger
    from tapeview.desk.records import Decided, Refused

    rows = []
    for one in journal.runs(db):
        if args.run not in (None, one.id):
            continue
        settings = msgspec.json.decode(one.settings, type=ledger.RunSettings)
        refused = {r.number: r.reason for r in journal.records(db, one.id, [Refused]) if isinstance(r, Refused)}
        for record in journal.records(db, one.id, [Decided]):
            assert isinstance(record, Decided)
            grid = Grid(settings.grids[record.inst][0])
            name = settings.instruments[record.inst]
            if args.json:
                common.emit({"run": one.id, "instrument": name, **msgspec.to_builtins(record)})
                continue
            prices = [
                "–" if tick is None else grid.text(tick)
                for tick in (record.entry_tick, record.stop_tick, *record.target_ticks[:1])
            ]
            z = "–" if record.vwap_z is None else f"{record.vwap_z:+.1f}"
            rows.append((
                one.id, _time(record.recv_ns), name, "buy" if record.side > 0 else "sell", record.lots or "call",
                *prices, *["–"] * (3 - len(prices)), record.state, z, len(record.alerts),
                record.setup or refused.get(record.number, "–"),
            ))  # fmt: skip
    if not args.json:
        header = [
            "run",
            "time",
            "instrument",
            "side",
            "lots",
            "entry",
            "stop",
            "target",
            "book",
            "z",
            "alerts",
            "setup",
        ]
        common.table(header, rows, right=dict.fromkeys((0, 4, 5, 6, 7, 9, 10), True))
    return 0


def _export(db: Any, args: argparse.Namespace) -> int:
    from tapeview import ledger

    path = Path(args.out).expanduser()
    if path.suffix not in (".csv", ".parquet"):
        raise BadInput("export", args.out, "a name ending .csv or .parquet")
    import polars as pl

    found = ledger.rows(db, args.run)
    texts = {"instrument", "side", "lots", "entry", "net", "gross", "fees", "hopeful_net", "setup", "detector"}
    whole = {"run", "trade", "opened_ns", "closed_ns", "hour"}
    kinds = {name: pl.Float64() for name in ledger.Row.__struct_fields__} | {"followed": pl.Boolean()}
    schema = kinds | dict.fromkeys(texts, pl.String()) | dict.fromkeys(whole, pl.Int64())
    frame = pl.DataFrame([msgspec.structs.asdict(one) for one in found], schema=schema)
    try:
        frame.write_csv(path) if path.suffix == ".csv" else frame.write_parquet(path)
    except OSError as error:
        raise BadInput("export", args.out, f"a file that can be written ({error.strerror})") from None
    if args.json:
        common.emit({"file": str(path), "trades": len(found)})
    else:
        sys.stdout.write(f"{len(found)} trades in {path}\n")
    return 0


_PARTS: Final = {"runs": _runs, "trades": _trades, "stats": _stats, "signals": _signals, "export": _export}


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")


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

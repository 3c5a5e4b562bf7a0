"""`tapeview journal [PART]`: what was decided and traded on paper, and what it says of the trader."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from feeds.errors import BadInput
from tapeview.cli import _common as common
from tapeview.cli import _journal_figures as told
from tapeview.cli._journal_figures import time_text

if TYPE_CHECKING:
    from tapeview.ledger import Row

PARTS: Final = {
    "runs": "sessions that were journalled",
    "trades": "every trade, with its R, excursions and costs",
    "stats": "win rate, expectancy, profit factor with their intervals, by setup, detector, hour …",
    "signals": "every decision: what was on the screen, what was planned, what came of it",
    "accounts": "paper accounts: equity, last session, whether that is locked",
    "outlets": "how far each outlet has delivered, and what was not taken",
    "export": "the trades to FILE, as CSV or Parquet",
    "verify": "a run made again from its source and its commands; exit 1 where anything comes out otherwise",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    parser.add_argument(
        "part", nargs="?", default="stats", metavar="PART",
        help="; ".join(f"{name}: {text}" for name, text in PARTS.items()),
    )  # fmt: skip
    parser.add_argument(
        "what",
        nargs="?",
        metavar="FILE|RUN",
        help="where export writes, a name ending .csv or .parquet; what to verify",
    )
    parser.add_argument("--file", metavar="PATH", help="a journal other than one's own")
    parser.add_argument("--run", type=int, metavar="N", help="one run only")
    parser.add_argument("--account", metavar="NAME", help="one paper account only")
    parser.add_argument("--by", metavar="WHAT", help="stats by setup, detector, hour, instrument, side, tag or account")
    parser.add_argument(
        "--hindsight", action="store_true", help="count trades too whose future had been on the screen before"
    )
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print what is asked for."""
    from tapeview import journal

    if args.part not in PARTS:
        import difflib

        near = difflib.get_close_matches(args.part, PARTS, 1)
        raise BadInput("journal", args.part, f"{near[0]!r}?" if near else ", ".join(PARTS))
    if (args.what is not None) != (args.part in ("export", "verify")):
        raise BadInput("journal", args.what, "a FILE with export, a RUN with verify, nothing else")
    path = journal.own_path() if args.file is None else Path(args.file).expanduser()
    with journal.reading(path) as db:
        if args.part == "verify":
            return _verify(db, path, args)
        _check_run(db, "--run", args.run)
        return int(_PARTS[args.part](db, args))


def _check_run(db: Any, place: str, number: int | None) -> None:
    from tapeview import journal

    known = [one.id for one in journal.runs(db)]
    if number is not None and number not in known:
        raise BadInput(place, number, f"a run from 1 to {max(known)}" if known else "a journal with runs in it")


def _chosen(db: Any, args: argparse.Namespace) -> tuple[list[Row], int]:
    """The trades that are asked for, and how many were left out for hindsight."""
    from tapeview import ledger

    found = ledger.rows(db, args.run, args.account)
    kept = found if args.hindsight else ledger.without_hindsight(found)
    return kept, len(found) - len(kept)


def _say_left_out(count: int) -> None:
    if count:
        trades = "trade" if count == 1 else "trades"
        common.say(f"{count} {trades} left out: what came had been on the screen before (--hindsight counts them)")


def _runs(db: Any, args: argparse.Namespace) -> int:
    from tapeview import journal, ledger

    rows = []
    for one in journal.runs(db):
        about = journal.about_of(one)
        if args.run not in (None, one.id) or args.account not in (None, about.account):
            continue
        trades = len(ledger.rows(db, one.id))
        if args.json:
            common.emit({**one._asdict(), "settings": msgspec.to_builtins(about), "trades": trades})
            continue
        end = "running, or ended by force" if one.ended_ns is None else time_text(one.ended_ns)
        rows.append((
            one.id, time_text(one.began_ns), end, about.account, "live" if about.live else "replay",
            trades, "hindsight" if about.hindsight else "", one.source,
        ))  # fmt: skip
    if not args.json:
        header = ["run", "began", "ended", "account", "market", "trades", "", "source"]
        common.table(header, rows, right={0: True, 5: True})
    return 0


def _trades(db: Any, args: argparse.Namespace) -> int:
    found, left_out = _chosen(db, args)
    if args.json:
        for one in found:
            common.emit(msgspec.to_builtins(one))
    else:
        told.trades(found)
    _say_left_out(left_out)
    return 0


def _stats(db: Any, args: argparse.Namespace) -> int:
    from tapeview import ledger
    from tapeview.execution import executions

    if args.by is not None and args.by not in ledger.BY:
        raise BadInput("--by", args.by, ", ".join(ledger.BY))
    found, left_out = _chosen(db, args)
    _say_left_out(left_out)
    if args.by is not None:
        groups = ledger.by(found, args.by)
        if args.json:
            for name, one in groups.items():
                common.emit({args.by: name, **msgspec.to_builtins(one)})
        else:
            told.groups(args.by, groups)
        return 0
    whole = ledger.figures(found)
    hopeful = ledger.only_hopeful(db, args.run, args.account)
    hopeful = hopeful if args.hindsight else ledger.without_hindsight(hopeful)
    entries = executions(db, args.run, args.account, hindsight=args.hindsight)
    if args.json:
        common.emit({
            **msgspec.to_builtins(whole),
            "longest_losing": ledger.longest_losing(found),
            "left_out_hindsight": left_out,
            "only_hopeful": {"trades": len(hopeful), "net": ledger.figures(hopeful).net},
            "entries": msgspec.to_builtins(entries),
            "r_histogram": msgspec.to_builtins(ledger.histogram(found)),
        })  # fmt: skip
        return 0
    told.report(whole, found, hopeful, entries)
    return 0


def _signals(db: Any, args: argparse.Namespace) -> int:
    told.signals(db, args)
    return 0


def _accounts(db: Any, args: argparse.Namespace) -> int:
    from tapeview.accounts import all_accounts

    now = time.time_ns()
    rows = []
    for one in all_accounts(db):
        if args.account not in (None, one.name):
            continue
        if args.json:
            common.emit(msgspec.to_builtins(one))
            continue
        over = one.until_ns is not None and one.until_ns <= now
        until = "–" if one.until_ns is None else time_text(one.until_ns)
        lock = f"{one.locked} ({'over since' if over else 'until'} {until})" if one.locked else "no"
        rows.append((one.name, one.equity or "–", one.session or "–", one.runs, one.trades, lock))
    if not args.json:
        common.table(
            ["account", "equity", "last session", "runs", "trades", "locked"],
            rows,
            right=dict.fromkeys((1, 3, 4), True),
        )
    return 0


def _outlets(db: Any, args: argparse.Namespace) -> int:
    from tapeview import journal

    rows = []
    for outlet, (run, n) in journal.cursors(db).items():
        refused = journal.refusals(db, outlet)
        waiting = db.execute("select count(*) from record where (run, n) > (?, ?)", (run, n)).fetchone()[0]
        if args.json:
            common.emit({
                "outlet": outlet, "run": run, "n": n, "behind": waiting,
                "refused": [{"run": r, "n": k, "at_ns": at, "why": why} for r, k, at, why in refused],
            })  # fmt: skip
            continue
        rows.append((outlet, f"run {run}, record {n}", waiting, len(refused), refused[-1][3] if refused else ""))
    if not args.json:
        common.table(["outlet", "delivered to", "behind", "refused", "last"], rows, right={2: True, 3: True})
    return 0


def _export(db: Any, args: argparse.Namespace) -> int:
    from tapeview import ledger

    found, left_out = _chosen(db, args)
    ledger.export(found, Path(args.what).expanduser())
    if args.json:
        common.emit({"file": args.what, "trades": len(found), "left_out_hindsight": left_out})
    else:
        sys.stdout.write(f"{len(found)} trades in {args.what}\n")
        _say_left_out(left_out)
    return 0


def _verify(db: Any, path: Path, args: argparse.Namespace) -> int:
    try:
        number = int(args.what)
    except ValueError:
        raise BadInput("journal verify", args.what, "the number of a run") from None
    _check_run(db, "journal verify", number)
    made = importlib.import_module("tapeview.trading").remake(path, number)
    ok = made.digest_ok and not made.differences
    if args.json:
        common.emit({
            "ok": ok, "run": number, "records": made.records, "digest_ok": made.digest_ok,
            "differences": list(made.differences),
        })  # fmt: skip
    elif ok:
        sys.stdout.write(f"run {number}: {made.records} records came again as they are, and so did the digest\n")
    else:
        for difference in made.differences:
            sys.stdout.write(f"{difference}\n")
        if not made.digest_ok:
            sys.stdout.write(f"run {number}: another digest\n")
    return 0 if ok else 1


_PARTS: Final = {
    "runs": _runs, "trades": _trades, "stats": _stats, "signals": _signals, "accounts": _accounts, "outlets": _outlets,
    "export": _export,
}  # fmt: skip

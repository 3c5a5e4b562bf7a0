"""`tapeview bench [PART]`: measure beside yardsticks; ratios are what counts."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from feeds.errors import BadInput
from tapeview.cli import _bench_hidden
from tapeview.cli import _common as common


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    parser.add_argument(
        "what",
        choices=[
            "engine",
            "detectors",
            "hidden",
            "cost",
            "formats",
            "screen",
            "keys",
            "venues",
            "live",
            "soak",
            "queue",
        ],
        help="what to measure",
    )
    parser.add_argument("source", nargs="?", metavar="SOURCE", help="of hidden and queue: orders one by one")
    parser.add_argument("--minutes", type=float, metavar="N", help="of soak: how long (60)")
    parser.add_argument("--quick", action="store_true", help="fewer events, rounds and seeds")
    detectors = parser.add_argument_group("detectors")
    detectors.add_argument("--task", metavar="TEXT", help="only tasks or detectors with this in their name")
    detectors.add_argument(
        "--seeds", default="tune", metavar="SET", help="fit (0-999), tune (1000-1999) or report (2000-2999)"
    )
    detectors.add_argument("--count", type=int, metavar="N", help="tapes of each task")
    detectors.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; 0 for one a core")
    detectors.add_argument("--all", action="store_true", help="every measure, not only those that are wanted")
    detectors.add_argument("--strata", action="store_true", help="icebergs by delay, jitter, display and D as well")
    detectors.add_argument("--baseline", action="store_true", help="only the naive rules")
    detectors.add_argument("--fresh", action="store_true", help="measure again what was measured before")
    detectors.add_argument("--real", nargs="+", metavar="SOURCE", help="what can be proved on recordings instead")
    detectors.add_argument(
        "--null", nargs="+", metavar="SOURCE", help="alerts on tapes from which what they claim was taken by shuffling"
    )
    detectors.add_argument("--shuffles", type=int, metavar="N", help="shuffled runs of --null (20)")
    detectors.add_argument("--fit", metavar="FILE", help="fit calibration maps on these seeds and write them there")
    parser.add_argument(
        "--set", action="append", default=argparse.SUPPRESS, metavar="KEY=VALUE", help="a setting for this run"
    )
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print a table."""
    if args.what == "detectors":
        return _detectors(args)
    for name in ("task", "count", "all", "strata", "baseline", "fresh", "real", "null", "shuffles", "fit"):
        if getattr(args, name):
            raise BadInput(f"--{name}", None, "the word 'detectors' after bench")
    if args.what == "hidden":
        return _bench_hidden.run(args)
    if args.what == "queue":
        return _queue(args)
    if args.source is not None:
        raise BadInput("bench", args.source, "the word 'hidden' or 'queue' before a SOURCE")
    if args.what != "soak" and args.minutes is not None:
        raise BadInput("--minutes", args.minutes, "the word 'soak' after bench")
    if args.what == "soak":
        return _soak(args)
    if args.what in ("engine", "formats"):
        common.compile_kernels()
    if args.what in ("cost", "live", "keys"):
        common.compile_watch()
    module = importlib.import_module(f"tapeview.bench.{args.what}")
    return _figures(module.measure(quick=args.quick, say=common.say), args)


def _queue(args: argparse.Namespace) -> int:
    from tapeview.bench import queue

    if args.source is None:
        raise BadInput("bench queue", None, "a SOURCE of orders one by one, such as a LOBSTER message file")
    common.compile_kernels()
    rows = queue.measure(args.source, quick=args.quick, say=common.say)
    if args.json:
        for row in rows:
            common.emit(row)
        return 0
    common.table(
        ["feed", "what", "value", "", "of", "95 %", "wanted"], [queue.cells(row) for row in rows], {2: True, 4: True}
    )
    return 0


def _soak(args: argparse.Namespace) -> int:
    from tapeview.bench import live

    minutes = 60.0 if args.minutes is None else args.minutes
    if not minutes > 0:
        raise BadInput("--minutes", args.minutes, "more than 0")
    common.compile_watch()
    return _figures(live.soak(minutes, say=common.say), args)


def _figures(rows: list[Any], args: argparse.Namespace) -> int:
    if args.json:
        for row in rows:
            common.emit(row)
        return 0
    common.table(
        ["what", "value", "unit", "ratio", "against"],
        [[r.what, f"{r.value:,.2f}", r.unit, f"{r.ratio:.2f}" if r.ratio is not None else "", r.against] for r in rows],
        {1: True, 3: True},
    )
    return 0


def _detectors(args: argparse.Namespace) -> int:
    from tapeview.bench import detectors, kept
    from tapeview.bench.tasks import TASKS

    for name in ("count", "shuffles"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise BadInput(f"--{name}", getattr(args, name), "1 or more")
    if args.jobs < 0:
        raise BadInput("--jobs", args.jobs, "0 or more")
    jobs = args.jobs or detectors.cores()
    if args.null or args.real:
        common.compile_watch()
        return _null(args, jobs) if args.null else _real(args)
    numbers = [
        n
        for n, task in enumerate(TASKS)
        if (args.strata or not task.apart)
        and (args.task is None or args.task.casefold() in f"{task.name} {task.detector}".casefold())
    ]
    if not numbers:
        raise BadInput("--task", args.task, "part of " + ", ".join(task.name for task in TASKS))
    common.compile_watch()
    rows = detectors.measure(
        tasks=numbers, seeds=args.seeds, count=args.count or (3 if args.quick else None), workers=jobs,
        say=common.say, fit=args.fit, strata=args.strata, keep=None if args.fresh else kept.folder(),
    )  # fmt: skip
    _show(rows, args)
    return 0


def _show(rows: list[Any], args: argparse.Namespace) -> None:
    from tapeview.cli import _bench_table as table

    if args.baseline:
        rows = [row for row in rows if row.rule != "ours"]
    if args.json:
        for row in rows:
            common.emit(row)
    elif args.all or args.baseline:
        table.everything([row for row in rows if " [" not in row.measure or row.wanted is not None])
    else:
        table.summary(rows)
    if args.strata and not args.json:
        print()
        table.strata(rows)


def _real(args: argparse.Namespace) -> int:
    from tapeview.bench import real

    rows = real.measure(args.real, say=common.say)
    if args.json:
        for row in rows:
            common.emit(row)
        return 0
    header = ["source", "task", "measure", "ours", "95 %", "wanted", "met", "naive rule", "from"]
    common.table(header, [real.cells(row) for row in rows], {3: True})
    return 0


def _null(args: argparse.Namespace, jobs: int) -> int:
    from tapeview.bench import null

    rows = null.measure(
        args.null, say=common.say, shuffles=args.shuffles or (5 if args.quick else null.SHUFFLES), workers=jobs
    )
    if args.json:
        for row in rows:
            common.emit(row)
        return 0
    shown = [
        [
            r.source.rstrip("/").rpartition("/")[2], f"{r.detector}.{r.method}", f"{r.threshold} = {r.value:g}",
            "default" if r.default else "", r.real, f"{r.null:.2f}", "–" if r.share is None else f"{r.share:.2f}",
            f"{r.real_per_hour:.2f}", f"{r.null_per_hour:.2f}",
        ]
        for r in rows
    ]  # fmt: skip
    header = ["source", "detector", "threshold", "", "alerts", "shuffled", "false share", "an hour", "shuffled an hour"]
    common.table(header, shown, dict.fromkeys(range(4, 9), True))
    return 0

"""`tapeview bench [engine|detectors|hidden|cost|formats|screen]`: measure beside yardsticks; ratios are what counts."""

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
        "what", choices=["engine", "detectors", "hidden", "cost", "formats", "screen"], help="what to measure"
    )
    parser.add_argument("source", nargs="?", metavar="SOURCE", help="of hidden: orders, with executions named hidden")
    parser.add_argument("--quick", action="store_true", help="fewer events, rounds and seeds")
    detectors = parser.add_argument_group("detectors")
    detectors.add_argument("--task", metavar="TEXT", help="only tasks or detectors with this in their name")
    detectors.add_argument(
        "--seeds", default="tune", metavar="SET", help="fit (0-999), tune (1000-1999) or report (2000-2999)"
    )
    detectors.add_argument("--count", type=int, metavar="N", help="tapes of each task")
    detectors.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; 0 for one a core")
    detectors.add_argument("--baseline", action="store_true", help="only the naive rules")
    detectors.add_argument(
        "--null", nargs="+", metavar="SOURCE", help="alerts on tapes from which what they claim was taken by shuffling"
    )
    detectors.add_argument("--fit", metavar="FILE", help="fit calibration maps on these seeds and write them there")
    parser.add_argument(
        "--set", action="append", default=argparse.SUPPRESS, metavar="KEY=VALUE", help="a setting for this run"
    )
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print a table."""
    if args.what == "detectors":
        return _detectors(args)
    for name in ("task", "count", "baseline", "null", "fit"):
        if getattr(args, name):
            raise BadInput(f"--{name}", None, "the word 'detectors' after bench")
    if args.what == "hidden":
        return _bench_hidden.run(args)
    if args.source is not None:
        raise BadInput("bench", args.source, "the word 'hidden' before a SOURCE")
    if args.what in ("engine", "formats"):
        common.compile_kernels()
    if args.what == "cost":
        common.compile_watch()
    module = importlib.import_module(f"tapeview.bench.{args.what}")
    rows = module.measure(quick=args.quick, say=common.say)
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
    from tapeview.bench import detectors

    if args.count is not None and args.count < 1:
        raise BadInput("--count", args.count, "1 or more")
    if args.jobs < 0:
        raise BadInput("--jobs", args.jobs, "0 or more")
    numbers = [
        n
        for n, task in enumerate(detectors.TASKS)
        if args.task is None or args.task.casefold() in f"{task.name} {task.detector}".casefold()
    ]
    if not numbers:
        raise BadInput("--task", args.task, "part of " + ", ".join(task.name for task in detectors.TASKS))
    common.compile_watch()
    if args.null:
        return _null(args)
    count = args.count or (3 if args.quick else None)
    rows = detectors.measure(
        tasks=numbers, seeds=args.seeds, count=count, workers=args.jobs or detectors.cores(), say=common.say,
        fit=args.fit,
    )  # fmt: skip
    if args.baseline:
        rows = [row for row in rows if row.rule != "ours"]
    if args.json:
        for row in rows:
            common.emit(row)
    else:
        _print(rows)
    return 0


def _print(rows: list[Any]) -> None:
    shown = []
    last = ("", "")
    for row in rows:
        head = (row.task, row.rule)
        span = f"{row.low:.2f} to {row.high:.2f}" if row.low is not None and row.high is not None else ""
        sign = "" if row.wanted is None else ("at most " if row.at_most else "at least ") + f"{row.wanted:g}"
        met = "" if row.met is None else "yes" if row.met else "NO"
        about = f"{row.labels} labels, {row.alerts} alerts, {row.hours:.1f} h" if head != last else ""
        value = "–" if row.value is None else f"{row.value:.2f}"
        task = row.task if row.task != last[0] else ""
        shown.append([task, row.rule if head != last else "", row.measure, value, span, sign, met, about])
        last = head
    header = ["task", "rule", "measure", "value", "95 %", "wanted", "met", "from"]
    common.table(header, shown, {3: True})


def _null(args: argparse.Namespace) -> int:
    from tapeview.bench import null

    rows = null.measure(args.null, say=common.say, quick=args.quick)
    if args.json:
        for row in rows:
            common.emit(row)
        return 0
    shown = [
        [
            r.source, r.detector, f"{r.threshold} = {r.value:g}", r.real, f"{r.null:.2f}",
            "–" if r.share is None else f"{r.share:.2f}", f"{r.real_per_hour:.1f}",
        ]
        for r in rows
    ]  # fmt: skip
    header = ["source", "detector", "threshold", "alerts", "on shuffled tapes", "false share", "an hour"]
    common.table(header, shown, {3: True, 4: True, 5: True, 6: True})
    return 0

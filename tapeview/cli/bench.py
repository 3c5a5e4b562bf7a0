"""`tapeview bench [engine|formats|screen]`: measure beside yardsticks; ratios are what counts."""

from __future__ import annotations

import argparse
import importlib

from tapeview.cli import _common as common


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    parser.add_argument("what", choices=["engine", "formats", "screen"], help="what to measure")
    parser.add_argument("--quick", action="store_true", help="fewer events and rounds")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print a table."""
    if args.what in ("engine", "formats"):
        common.compile_kernels()
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

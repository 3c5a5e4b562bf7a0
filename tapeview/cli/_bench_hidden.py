"""`tapeview bench hidden SOURCE`: what accounting finds of the executions that a venue itself calls hidden."""

from __future__ import annotations

import argparse
from typing import Any

from feeds.errors import BadInput
from tapeview.cli import _common as common


def run(args: argparse.Namespace) -> int:
    """Measure and print a table."""
    from tapeview.bench import hidden

    if args.source is None:
        raise BadInput("bench hidden", None, "a SOURCE of orders one by one, such as a LOBSTER message file")
    common.compile_watch()
    rows = hidden.measure(args.source, say=common.say)
    if args.json:
        for row in rows:
            common.emit(row)
        return 0
    common.table(
        ["what", "count", "of", "share", "control", "difference", "95 %"], [_cells(row) for row in rows],
        dict.fromkeys(range(1, 6), True),
    )  # fmt: skip
    print("held: nothing traded beyond the price; control: displayed executions, same side, within 15 minutes")
    return 0


def _cells(row: Any) -> list[str]:
    span = "" if row.low is None else f"{row.low:+.3f} to {row.high:+.3f}"
    shown = ["" if value is None else f"{value:.3f}" for value in (row.share, row.control)]
    more = "" if row.more is None else f"{row.more:+.3f}"
    return [row.what, f"{row.count:,}", "" if row.of is None else f"{row.of:,}", *shown, more, span]

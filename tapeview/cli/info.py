"""`tapeview info SOURCE`: what a source holds."""

from __future__ import annotations

import argparse

import numpy as np

from feeds.events import CLOCK, TRADE
from tapeview import format as write
from tapeview.cli import _common as common


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    common.add_source(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Read the source through and tell."""
    source = common.open_one(args)
    events = trades = 0
    first = last = None
    for batch in common.Progress("reading", source).over(source.batches()):
        market = batch["kind"] != CLOCK
        events += len(batch)
        trades += int(np.count_nonzero(batch["kind"] == TRADE))
        times = batch["recv_ns"][market]
        if len(times):
            first = int(times[0]) if first is None else first
            last = max(int(times.max()), last or 0)
    info = source.info
    instruments = [
        {
            "symbol": i.symbol, "venue": i.venue, "tick": i.tick, "lot": i.lot, "multiplier": i.multiplier,
            "currency": i.currency or None, "derived": i.derived,
        }
        for i in source.instruments
    ]  # fmt: skip
    if args.json:
        common.emit(
            {
                "format": info.format, "venue": info.venue, "instruments": instruments, "events": events,
                "trades": trades, "first_ns": first, "last_ns": last, "tier": info.tier, "bytes": info.bytes,
                "verification": info.verification, "notes": list(info.notes),
            }
        )  # fmt: skip
        return 0
    common.pairs(
        [
            ("source", info.address),
            ("format", info.format),
            ("venue", info.venue),
            ("tier", f"{info.tier} ({TIERS.get(info.tier, '')})"),
            ("verification", info.verification),
            ("events", f"{events:,}"),
            ("trades", f"{trades:,}"),
            ("first", f"{write.clock(first, date=True)} UTC" if first is not None else None),
            ("last", f"{write.clock(last, date=True)} UTC" if last is not None else None),
            ("bytes", f"{info.bytes:,}"),
        ]
    )
    for instrument in source.instruments:
        derived = "  (tick and lot derived)" if instrument.derived else ""
        grid = f"tick {instrument.tick}  lot {instrument.lot}  x{instrument.multiplier}"
        print(f"instrument    {instrument.name}  {grid}{derived}")
    for note in info.notes:
        print(f"note          {note}")
    return 0


TIERS = {
    "A": "order by order",
    "B": "trade and depth in one event",
    "C": "depth and trades apart",
    "D": "trades and best quote",
}

"""What detectors cost: nanoseconds of processor time an event, each alone and all together, beside the bare engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from feeds.events import Events
from feeds.instruments import Instrument
from tapeview.bench import Measured
from tapeview.bench.streams import level_stream, order_stream
from tapeview.session import pieces

_ROUNDS = 3


def measure(*, quick: bool = False, say: Callable[[str], None] = print) -> list[Measured]:
    """Measure on levels (tier B) and order by order (tier A); ratios are against the engine without detectors."""
    from tapeview.watch import default_thresholds

    n = 300_000 if quick else 1_000_000
    rows: list[Measured] = []
    for what, tier, stream in (("levels", "B", level_stream(n)), ("orders", "A", order_stream(n))):
        bare = _seconds(stream, tier, {})
        count = len(stream)
        rows.append(Measured(f"{what}, engine alone", count / bare / 1e6, "M events/s"))
        everything = default_thresholds()
        for name in everything:
            say(f"{what}: {name}")
            picks = {other: everything[other] for other in (*_after(name), name)}
            spent = _seconds(stream, tier, picks) - bare
            rows.append(Measured(f"{what}, {name}", spent / count * 1e9, "ns/event", spent / bare, "the engine alone"))
        say(f"{what}: all")
        spent = _seconds(stream, tier, everything)
        rows.append(
            Measured(f"{what}, all detectors", count / spent / 1e6, "M events/s", bare / spent, "the engine alone")
        )
    return rows


def _after(name: str) -> tuple[str, ...]:
    from tapeview.detectors import load

    return load()[name].after


def _seconds(stream: Events, tier: str, picks: Mapping[str, Any]) -> float:
    from tapeview.engine import Engine
    from tapeview.watch import Watch

    instrument = Instrument(venue="bench", symbol="X", tick="1")
    best = float("inf")
    for _ in range(_ROUNDS):
        engine = Engine(instrument)
        watch = Watch(instrument, tier, picks)
        began = time.process_time()
        for piece in pieces(stream):
            outcome = engine.apply(piece)
            if picks:
                watch.apply(outcome)
        best = min(best, time.process_time() - began)
    return best

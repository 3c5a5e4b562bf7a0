"""Alerts on tapes from which what a detector claims to find was taken away: every one of those is false.

The tape stays as it is; a detector with a `null_seed` shuffles what it measures among episodes alike in size, inside
its own kernel, so that everything else of the market (times, prices, sizes, clustering) is kept. The share of false
alerts is estimated by the mean number on shuffled tapes over the number on the real one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from feeds.source import open_source
from tapeview.engine.settings import EngineSettings
from tapeview.session import Session

SHUFFLES: Final = 20
STEPS: Final = (0.45, 0.67, 1.0, 1.33)
"""Parts of the default at which the knob is tried."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one threshold gives on one source."""

    source: str
    detector: str
    threshold: str
    value: float
    real: int
    null: float
    """Mean over the shuffles."""
    share: float | None
    """null / real, None where there is no real alert."""
    real_per_hour: float


def measure(sources: list[str], *, quick: bool = False, say: Callable[[str], None] = print) -> list[Row]:
    """Run every detector that can be shuffled over sources, really and shuffled, at several thresholds."""
    from tapeview.detectors import load
    from tapeview.watch import Watch

    shuffles = 5 if quick else SHUFFLES
    known = {n: d for n, d in load().items() if "null_seed" in d.thresholds.__struct_fields__ and d.knob}
    rows = []
    for address in sources:
        source = open_source(address)
        plan: list[tuple[str, float, int]] = []
        for name, detector in known.items():
            base = getattr(detector.thresholds(), detector.knob)
            plan += [(name, base * step, seed) for step in STEPS for seed in range(shuffles + 1)]
        counts = dict.fromkeys(plan, 0)
        with Session(source, EngineSettings(), {}) as session:
            watches: list[tuple[tuple[str, float, int], Any]] = [
                (
                    key,
                    Watch(instrument, source.info.tier, _picks(known, key), EngineSettings(), n),
                )
                for key in plan
                for n, instrument in enumerate(session.instruments)
            ]
            first = last = None
            for outcome in session.run():
                first = int(outcome.events["recv_ns"][0]) if first is None else first
                last = int(outcome.events["recv_ns"][-1])
                for key, watch in watches:
                    if watch.inst == outcome.instrument:
                        told = watch.apply(outcome)
                        counts[key] += sum(f.alert.phase == "confirmed" and f.alert.detector == key[0] for f in told)
        hours = ((last or 0) - (first or 0)) / 3.6e12
        for name, detector in known.items():
            base = getattr(detector.thresholds(), detector.knob)
            for step in STEPS:
                real = counts[name, base * step, 0]
                null = sum(counts[name, base * step, seed] for seed in range(1, shuffles + 1)) / shuffles
                rows.append(
                    Row(
                        source=address, detector=name, threshold=detector.knob, value=base * step, real=real, null=null,
                        share=null / real if real else None, real_per_hour=real / hours if hours else 0.0,
                    )
                )  # fmt: skip
        say(f"{address}: {hours:.2f} hours")
    return rows


def _picks(known: dict[str, Any], key: tuple[str, float, int]) -> dict[str, Any]:
    name, value, seed = key
    detector = known[name]
    picks = {other: known[other].thresholds() for other in detector.after if other in known}
    whole = isinstance(getattr(detector.thresholds(), detector.knob), int)
    picks[name] = detector.thresholds(**{detector.knob: round(value) if whole else value, "null_seed": seed})
    return picks

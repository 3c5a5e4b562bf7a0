"""One simulated tape of a task, and what our detector and the naive rules made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from tapeview.alert import Alert
from tapeview.bench.detectability import LEAST, detectability
from tapeview.bench.pressure import Pressure
from tapeview.bench.probes import PROBES, Extra, Seen, mids_of
from tapeview.bench.score import Label, Shot, Tape, match, tape_of
from tapeview.bench.tasks import Task
from tapeview.session import pieces

OURS: Final = "ours"
"""The rule that is the detector as it is."""


def run_tape(task: Task, seed: int, overrides: Mapping[str, float] | None = None) -> dict[str, Tape]:
    """Simulate one tape of a task and score it: {'ours': ..., naive rule: ...}."""
    import tapeview.watch as _watch  # noqa: F401  (its kernels are compiled with the others)
    from feeds.simulator.tape import generate
    from tapeview.detectors import load
    from tapeview.engine import warm

    warm()
    made = generate(
        seed=seed, minutes=task.minutes, profile=task.profile, plants=task.plants, tier=task.tier,
        conflate_ms=task.conflate_ms,
    )  # fmt: skip
    times = made.events["recv_ns"]
    hours = float(times[-1] - times[0]) / 3.6e12
    if task.pressure:
        return {OURS: Tape(seed, hours, 0, 0, 0, extra=_pressure(made, task))}
    truth = [label for label in made.labels if task.plants and task.labels(label)]
    labels = _labels(task, truth, made)
    detector = load()[task.detector]
    rules = {OURS: dict(overrides or {})} | {rule: dict(values) for rule, values in detector.baselines.items()}
    steps, mids = _watched(made, task, rules)
    out = {}
    for rule in rules:
        firsts = first_steps(steps[rule], task.methods if rule == OURS else ())
        shots = [
            Shot(a.side, None if task.anywhere else a.tick, a.recv_ns, a.score, a.confidence, a.method) for a in firsts
        ]
        extra: Extra = {}
        if task.probe and (rule == OURS or task.probe != "total"):
            pairs = match(labels, shots, task.slack).pairs
            extra = PROBES[task.probe](Seen(truth, shots, firsts, steps[rule], pairs, mids))
        out[rule] = tape_of(seed, hours, labels, shots, task.slack, extra)
    return out


def first_steps(steps: Sequence[Alert], methods: tuple[str, ...]) -> list[Alert]:
    """Of each story the step that confirmed it, or the first told by one of these methods."""
    out: dict[int, Alert] = {}
    for alert in steps:
        counts = alert.method in methods if methods else alert.phase == "confirmed"
        if counts and alert.phase != "cleared" and alert.key not in out:
            out[alert.key] = alert
    return list(out.values())


def _watched(made: Any, task: Task, rules: Mapping[str, Mapping[str, float]]) -> tuple[dict[str, list[Alert]], Any]:
    """Every step that each rule told on a tape, and the mid as it went."""
    from tapeview.detectors import load
    from tapeview.engine import Engine
    from tapeview.watch import Watch

    known = load()
    detector = known[task.detector]
    needed = {other: known[other].thresholds() for other in detector.after}
    watches = {
        rule: Watch(made.instrument, task.tier, needed | {task.detector: detector.thresholds(**values)})
        for rule, values in rules.items()
    }
    engine = Engine(made.instrument)
    steps: dict[str, list[Alert]] = {rule: [] for rule in rules}
    mids = []
    for piece in pieces(made.events):
        outcome = engine.apply(piece)
        mids.append(mids_of(outcome.frame))
        for rule, watch in watches.items():
            told = watch.apply(outcome)
            steps[rule] += [finding.alert for finding in told if finding.alert.detector == task.detector]
    return steps, np.concatenate(mids, axis=1)


def _pressure(made: Any, task: Task) -> Extra:
    from tapeview.engine import Engine

    engine, seen = Engine(made.instrument), Pressure(made.instrument, task.tier)
    for piece in pieces(made.events):
        seen.take(engine.apply(piece))
    return seen.measures()


def _labels(task: Task, truth: Sequence[Any], made: Any) -> list[Label]:
    shown: list[float | None] = [None] * len(truth)
    icebergs = bool(truth) and truth[0].type == "iceberg"
    if icebergs and task.tier == "C":
        shown = list(detectability(made.events, truth))
    return [
        Label(
            one.side, None if task.anywhere else one.tick, one.t0_ns, one.t1_ns,
            tuple(one.params.get(task.steps, ())) if task.steps else (), _strata(one, d) if icebergs else (),
        )
        for one, d in zip(truth, shown, strict=True)
    ]  # fmt: skip


def _strata(label: Any, shown: float | None) -> tuple[str, ...]:
    """The groups of an iceberg: its kind, delay, jitter, display over the level's depth, and D where it matters."""
    params = label.params
    ratio = params["display"] / max(params["level_lots"], 1)
    near = next((edge for edge in (0.1, 0.3, 1.0) if ratio < edge), None)
    out = [label.method, f"jitter {params['jitter']:2d} %", f"display/depth {'>= 1' if near is None else f'< {near}'}"]
    if label.method == "synthetic":
        out.append(f"delay {params['delay_ms']:4d} ms")
    if shown is not None:
        out.append(f"D >= {LEAST:g}" if shown >= LEAST else f"D < {LEAST:g}")
    return tuple(out)

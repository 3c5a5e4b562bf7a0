"""The detectors against the truth of simulated markets, each beside the naive rule that it must beat.

A task is a kind of simulated tape, the labels that count on it, and the measures that a detector must reach. Tapes of
a task differ by their seed only; every number is given with a 95 % interval by bootstrap over seeds. Seeds 0 to 999
are for fitting, 1000 to 1999 for choosing, 2000 to 2999 for reporting.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from feeds.events import Events
from feeds.instruments import Instrument
from tapeview.bench import score
from tapeview.bench.score import Figure, Label, Shot, Tape, tape_of
from tapeview.detectors._calibration import Calibration, Map
from tapeview.session import pieces

Measure = Callable[[Sequence[Tape]], float | None]
MEASURES: Final[Mapping[str, Measure]] = {
    "precision": score.precision,
    "recall": score.recall,
    "f1": score.f1,
    "false/h": score.false_an_hour,
    "delay s": score.delay_s,
    "delay steps": score.delay_steps,
    "area": score.average_precision,
    "calibration": score.calibration_error,
}


@dataclass(frozen=True)
class Task:
    """What is simulated, who looks, and what must come of it."""

    name: str
    detector: str
    methods: tuple[str, ...]
    """Methods whose alerts count; empty for all."""
    plants: tuple[str, ...]
    tier: str
    minutes: int
    wants: Mapping[str, float]
    """Measure -> least value, or greatest for rates and delays."""
    labels: Callable[[Any], bool] = lambda label: label.type != "negative"
    """Which labels of the tape count."""
    slack: int = 0
    """Ticks an alert may lie from its label."""
    anywhere: bool = False
    """Whether the price does not matter."""
    conflate_ms: int = 100
    profile: str = "futures"
    """The market it happens in; a future has no short interest."""
    seeds: int = 12
    """Tapes when nothing else is asked for."""
    steps: str = ""
    """Name of the label's list of times that can be counted."""
    least_is_best: tuple[str, ...] = ()
    """Measures that must be small here, though elsewhere they must be large."""


def _of(kind: str, *methods: str) -> Callable[[Any], bool]:
    return lambda label: label.type == kind and (not methods or label.method in methods)


def _told(label: Any) -> bool:
    return label.type == "iceberg" and label.params.get("tranches", 0) >= 3


def _synthetic(name: str, plant: str, least: float) -> Task:
    return Task(
        name, "iceberg", ("synthetic",), (plant,), "B", 20, {"f1": least}, _told,
        steps="refill_ns",
    )  # fmt: skip


TASKS: tuple[Task, ...] = (
    Task(
        "native iceberg, order ids", "iceberg", ("native",), ("native",), "A", 20, {"precision": 0.99, "recall": 0.99},
        lambda label: label.type == "iceberg" and label.params.get("tranches", 0) >= 2, steps="refill_ns",
    ),
    Task(
        "native iceberg, levels by match event", "iceberg", ("atomic",), ("native",), "B", 20,
        {"f1": 0.97, "delay steps": 2}, _told, steps="refill_ns",
    ),
    _synthetic("synthetic iceberg, 50 ms", "synthetic:delay=50:jitter=0", 0.88),
    _synthetic("synthetic iceberg, 150 ms", "synthetic:delay=150:jitter=0", 0.80),
    _synthetic("synthetic iceberg, 500 ms", "synthetic:delay=500:jitter=0", 0.65),
    _synthetic("synthetic iceberg, 20 % jitter", "synthetic:delay=50:jitter=20", 0.60),
    Task(
        "iceberg-like, levels every 100 ms", "iceberg", ("async",), ("iceberg",), "C", 20, {"f1": 0.50}, _told,
        steps="refill_ns",
    ),
    Task("iceberg: nothing there, order ids", "iceberg", (), (), "A", 30, {"false/h": 2}),
    Task("iceberg: nothing there, levels", "iceberg", (), (), "B", 30, {"false/h": 2}),
    Task("iceberg: nothing there, 100 ms", "iceberg", (), (), "C", 30, {"false/h": 2}),
    Task(
        "absorption", "absorption", (), ("absorber",), "A", 30, {"f1": 0.75},
        lambda label: label.type == "absorber" and label.params.get("evident", True), slack=2,
    ),
    Task(
        "hidden seller or buyer", "hidden_seller", (), ("hidden_seller",), "A", 60, {"f1": 0.70},
        lambda label: label.type == "hidden_seller" and label.outcome == "held", slack=2,
    ),
    Task(
        "squeeze, with fuel", "squeeze", ("squeeze",), ("squeeze:fuel=yes",), "B", 60,
        {"precision": 0.80, "recall": 0.90}, _of("squeeze", "fuel"), anywhere=True, profile="stock",
    ),
    Task(
        "called squeeze without fuel", "squeeze", ("squeeze",), ("squeeze:fuel=no",), "B", 60, {"recall": 0.10},
        _of("squeeze", "no fuel"), anywhere=True, profile="stock", least_is_best=("recall",),
    ),
    Task(
        "ignition", "ignition", (), ("ignition",), "A", 90, {"precision": 0.70, "recall": 0.80},
        lambda label: label.type == "ignition" and label.outcome != "not out", anywhere=True,
        seeds=8,
    ),
    Task(
        "pulled liquidity", "pulled", (), ("pulled",), "A", 40, {"precision": 0.80, "recall": 0.70},
        _of("pulled", "pattern"), slack=10,
    ),
)  # fmt: skip
TASKS += tuple(
    Task(f"{name}: nothing there", name, (), (), "A", 30, {"false/h": 3})
    for name in ("absorption", "hidden_seller", "squeeze", "ignition", "pulled")
)
_LEAST_FOR_MAP: Final = 40
"""Alerts below which no calibration map is made."""
_AT_MOST: Final = {"false/h", "delay s", "delay steps", "calibration"}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of one task."""

    task: str
    detector: str
    rule: str
    """'ours' or the baseline's name."""
    measure: str
    value: float | None
    low: float | None
    high: float | None
    wanted: float | None = None
    at_most: bool = False
    met: bool | None = None
    labels: int
    alerts: int
    hours: float


def shots_of(
    events: Events, instrument: Instrument, tier: str, picks: Mapping[str, Any], name: str, methods: tuple[str, ...]
) -> list[Shot]:
    """Run detectors over rows and give the confirmed alerts of one of them."""
    from tapeview.engine import Engine
    from tapeview.watch import Watch

    engine = Engine(instrument)
    watch = Watch(instrument, tier, picks)
    shots = []
    for piece in pieces(events):
        for finding in watch.apply(engine.apply(piece)):
            alert = finding.alert
            if alert.phase == "confirmed" and alert.detector == name and (not methods or alert.method in methods):
                shots.append(Shot(alert.side, alert.tick, alert.recv_ns, alert.score, alert.confidence, alert.method))
    return shots


def run_tape(number: int, seed: int, only: bool, overrides: Mapping[str, float] | None = None) -> dict[str, Tape]:
    """Simulate one tape of a task and score it: {'ours': ..., baseline: ...}."""
    import tapeview.watch as _watch  # noqa: F401  (its kernels are compiled with the others)
    from feeds.simulator.tape import generate
    from tapeview.detectors import load
    from tapeview.engine import warm

    warm()
    task = TASKS[number]
    made = generate(
        seed=seed, minutes=task.minutes, profile=task.profile, plants=task.plants, tier=task.tier,
        conflate_ms=task.conflate_ms,
    )  # fmt: skip
    known = load()
    detector = known[task.detector]
    labels = [
        Label(
            one.side, None if task.anywhere else one.tick, one.t0_ns, one.t1_ns,
            tuple(one.params.get(task.steps, ())) if task.steps else (),
        )
        for one in made.labels
        if task.plants and task.labels(one)
    ]  # fmt: skip
    times = made.events["recv_ns"]
    hours = float(times[-1] - times[0]) / 3.6e12
    rules: dict[str, dict[str, float]] = {"ours": dict(overrides or {})}
    if not only:
        rules |= {rule: dict(values) for rule, values in detector.baselines.items()}
    out = {}
    for rule, values in rules.items():
        picks = {other: known[other].thresholds() for other in detector.after}
        picks[task.detector] = detector.thresholds(**values)
        methods = task.methods if rule == "ours" else ()
        shots = shots_of(made.events, made.instrument, task.tier, picks, task.detector, methods)
        if task.anywhere:
            shots = [shot._replace(tick=None) for shot in shots]
        out[rule] = tape_of(seed, hours, labels, shots, task.slack)
    return out


def measure(
    *,
    tasks: Sequence[int] | None = None,
    seeds: str = "tune",
    count: int | None = None,
    baselines: bool = True,
    workers: int = 1,
    overrides: Mapping[str, float] | None = None,
    fit: str | None = None,
    say: Callable[[str], None] = print,
) -> list[Row]:
    """Run tasks (all where none are named) over the first seeds of a set and give their measures.

    With `fit` the calibration maps that these alerts give are written to that file as well.
    """
    from feeds.simulator.seeds import seeds_of

    numbers = list(range(len(TASKS))) if tasks is None else list(tasks)
    work = [(n, seed) for n in numbers for seed in seeds_of(seeds, count or TASKS[n].seeds)]
    done: dict[int, list[dict[str, Tape]]] = {n: [] for n in numbers}
    for (number, _), got in _run(work, baselines, overrides, workers, say):
        done[number].append(got)
    rows: list[Row] = []
    for number in numbers:
        rows += _rows(TASKS[number], done[number])
    if fit is not None:
        _write_maps(Path(fit), {number: done[number] for number in numbers}, seeds)
    return rows


def _write_maps(file: Path, done: Mapping[int, list[dict[str, Tape]]], seeds: str) -> None:
    pairs: dict[str, list[tuple[float, bool]]] = {}
    for number, tapes in done.items():
        task = TASKS[number]
        for method in task.methods or ("",):
            name = f"{task.detector}.{method}.{task.tier}" if method else ""
            for key, got in _by_method(task, tapes, name):
                pairs.setdefault(key, []).extend(got)
    maps = {}
    for name, some in sorted(pairs.items()):
        if len(some) >= _LEAST_FOR_MAP:
            scores, shares = score.isotonic(some)
            maps[name] = Map(
                score=tuple(scores), share=tuple(shares), alerts=len(some), fitted_on=f"simulated seeds: {seeds}"
            )
    file.write_bytes(msgspec.json.format(msgspec.json.encode(Calibration(maps=maps)), indent=1) + b"\n")


def _by_method(task: Task, tapes: list[dict[str, Tape]], name: str) -> Iterable[tuple[str, list[tuple[float, bool]]]]:
    found: dict[str, list[tuple[float, bool]]] = {}
    for tape in tapes:
        for (points, hit), method in zip(tape["ours"].ranked, tape["ours"].methods, strict=True):
            key = f"{task.detector}.{method}.{task.tier}"
            if not name or key == name:
                found.setdefault(key, []).append((points, hit))
    return found.items()


def _run(
    work: list[tuple[int, int]], baselines: bool, overrides: Any, workers: int, say: Callable[[str], None]
) -> Iterable[tuple[tuple[int, int], dict[str, Tape]]]:
    if workers <= 1 or len(work) < 2:
        for at, (number, seed) in enumerate(work, 1):
            yield (number, seed), run_tape(number, seed, not baselines, overrides)
            say(f"{at} of {len(work)} tapes: {TASKS[number].name}")
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(work)), mp_context=context) as pool:
        futures = {pool.submit(run_tape, n, seed, not baselines, overrides): (n, seed) for n, seed in work}
        for at, future in enumerate(as_completed(futures), 1):
            yield futures[future], future.result()
            say(f"{at} of {len(work)} tapes: {TASKS[futures[future][0]].name}")


def _rows(task: Task, tapes: list[dict[str, Tape]]) -> list[Row]:
    rows = []
    for rule in tapes[0]:
        # Bootstrap draws depend on the order, and tapes end in any.
        mine = sorted((one[rule] for one in tapes), key=lambda tape: tape.seed)
        names = list(task.wants)
        if task.plants:
            names += [name for name in ("precision", "recall", "f1", "area", "delay s") if name not in names]
        if task.steps and "delay steps" not in names:
            names.append("delay steps")
        names += ["false/h"] if "false/h" not in names else []
        names += ["calibration"] if any(tape.sure for tape in mine) else []
        for name in names:
            got: Figure = score.figure(mine, MEASURES[name])
            wanted = task.wants.get(name) if rule == "ours" else None
            rows.append(
                Row(
                    task=task.name, detector=task.detector, rule=rule, measure=name, value=got.value, low=got.low,
                    high=got.high, wanted=wanted, at_most=_at_most(task, name),
                    met=_met(task, name, got.value, wanted),
                    labels=sum(t.right + t.missed for t in mine), alerts=sum(t.right + t.false for t in mine),
                    hours=sum(t.hours for t in mine),
                )
            )  # fmt: skip
    return rows


def _met(task: Task, name: str, value: float | None, wanted: float | None) -> bool | None:
    if wanted is None:
        return None
    if value is None:
        return name in _AT_MOST
    return value <= wanted if _at_most(task, name) else value >= wanted


def _at_most(task: Task, name: str) -> bool:
    return name in _AT_MOST or name in task.least_is_best


def cores() -> int:
    """Processes to use where nobody says."""
    return os.cpu_count() or 1

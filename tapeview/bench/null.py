"""Alerts on tapes from which what a detector claims to find was taken away: every one of those is false.

The tape stays as it is; a detector with a `null_seed` shuffles what it measures among episodes alike in size, inside
its own kernel, so that everything else of the market (times, prices, sizes, clustering) is kept. The share of false
alerts is estimated by the mean number on shuffled tapes over the number on the real one.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, Final, NamedTuple

import msgspec

from feeds.source import open_source
from tapeview.engine.settings import EngineSettings
from tapeview.session import Session

SHUFFLES: Final = 20
STEPS: Final = (0.6, 0.8, 1.0, 1.25)
"""Parts of the default at which a threshold is tried."""
_COUNTS: Final = (-1, 0, 1, 2)
"""What is added to the default of one that counts."""
KNOBS: Final[dict[tuple[str, str], dict[str, tuple[str, ...]]]] = {
    ("iceberg", "synthetic"): {"A": ("synthetic_score", "similar_score"), "B": ("synthetic_score", "similar_score")},
    ("iceberg", "async"): {"C": ("async_score",)},
}
"""Thresholds that say how easily a method fires, by tier, where they are not the detector's own knob; a method here is
looked for in these tiers only."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one threshold gives on one source."""

    source: str
    detector: str
    method: str
    """'any' where the detector's methods share a threshold."""
    threshold: str
    value: float
    default: bool
    real: int
    null: float
    """Mean over the shuffles."""
    share: float | None
    """null / real, None where there is no real alert."""
    real_per_hour: float
    null_per_hour: float


class Job(NamedTuple):
    """A source, a method and one setting of its thresholds."""

    source: str
    detector: str
    method: str
    values: dict[str, float]
    default: bool
    shuffles: int


class _Count(NamedTuple):
    real: int
    null: int
    hours: float


def measure(
    sources: list[str], *, shuffles: int = SHUFFLES, workers: int = 1, say: Callable[[str], None] = print
) -> list[Row]:
    """Run every detector that can be shuffled over sources, really and shuffled, at several thresholds."""
    jobs = [job for source in sources for job in jobs_of(source, open_source(source).info.tier, shuffles)]
    counts: dict[int, _Count] = {}
    for n, count in _run(jobs, workers):
        counts[n] = count
        job = jobs[n]
        which = f"{job.source}: {job.detector}.{job.method} at {_said(job)}"
        say(f"{len(counts)} of {len(jobs)}: {which}: {count.real} alerts, {count.null / shuffles:.2f} shuffled")
    return [_row(job, counts[n]) for n, job in enumerate(jobs)]


def jobs_of(source: str, tier: str, shuffles: int) -> list[Job]:
    """What is to be run on a source of a tier."""
    from tapeview.detectors import load

    jobs = []
    for name, detector in load().items():
        fields = detector.thresholds.__struct_fields__
        if "null_seed" not in fields:
            continue
        ways = {method: by_tier.get(tier, ()) for (of, method), by_tier in KNOBS.items() if of == name}
        if not ways or any(key not in fields for keys in ways.values() for key in keys):
            ways = {"any": (detector.knob,)}
        for method, keys in ways.items():
            for n, step in enumerate(STEPS) if any(keys) else ():
                values = {key: _within(detector, key, step, _COUNTS[n]) for key in keys}
                plain = detector.thresholds()
                default = all(getattr(plain, key) == value for key, value in values.items())
                jobs.append(Job(source, name, method, values, default, shuffles))
    return jobs


def _within(detector: Any, key: str, step: float, more: int) -> float:
    """A part of a threshold's default, of a count so many more, within its bounds."""
    base = getattr(detector.thresholds(), key)
    about = msgspec.json.schema(detector.thresholds)["$defs"][detector.thresholds.__name__]["properties"][key]
    tried = base + more if isinstance(base, int) else float(base * step)
    return min(max(tried, about["minimum"]), about["maximum"])


def run_job(job: Job) -> _Count:
    """One pass over the source with one detector as it is and as many with shuffled evidence."""
    from tapeview.bench.taping import first_steps
    from tapeview.detectors import load
    from tapeview.engine import warm
    from tapeview.watch import Watch

    warm()
    known = load()
    detector = known[job.detector]
    needed = {other: known[other].thresholds() for other in detector.after}
    source = open_source(job.source)
    first = last = 0
    with Session(source, EngineSettings(), {}) as session:
        sets = [
            needed | {job.detector: detector.thresholds(**job.values, null_seed=seed)}
            for seed in range(job.shuffles + 1)
        ]
        watches = [
            (seed, n, Watch(i, source.info.tier, one))
            for seed, one in enumerate(sets)
            for n, i in enumerate(session.instruments)
        ]
        steps: dict[tuple[int, int], list[Any]] = {(seed, n): [] for seed, n, _ in watches}
        for outcome in session.run():
            first = first or int(outcome.events["recv_ns"][0])
            last = int(outcome.events["recv_ns"][-1])
            for seed, n, watch in watches:
                if n == outcome.instrument:
                    steps[seed, n] += [f.alert for f in watch.apply(outcome) if f.alert.detector == job.detector]
    methods = () if job.method == "any" else (job.method,)
    told = {key: len(first_steps(some, methods)) for key, some in steps.items()}
    real = sum(n for (seed, _), n in told.items() if seed == 0)
    return _Count(real, sum(told.values()) - real, (last - first) / 3.6e12)


def _run(jobs: list[Job], workers: int) -> Iterator[tuple[int, _Count]]:
    if workers <= 1 or len(jobs) < 2:
        for n, job in enumerate(jobs):
            yield n, run_job(job)
        return
    context = multiprocessing.get_context("spawn")
    ignore = (signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context, initializer=signal.signal, initargs=ignore)
    try:
        futures = {pool.submit(run_job, job): n for n, job in enumerate(jobs)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


def _said(job: Job) -> str:
    return ", ".join(f"{key} = {value:g}" for key, value in job.values.items())


def _row(job: Job, count: _Count) -> Row:
    null = count.null / job.shuffles
    hours = count.hours
    return Row(
        source=job.source, detector=job.detector, method=job.method, threshold=next(iter(job.values)),
        value=next(iter(job.values.values())), default=job.default, real=count.real, null=null,
        share=null / count.real if count.real else None, real_per_hour=count.real / hours if hours else 0.0,
        null_per_hour=null / hours if hours else 0.0,
    )  # fmt: skip

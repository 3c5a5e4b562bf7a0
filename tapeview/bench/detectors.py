"""The detectors against the truth of simulated markets, each beside the naive rules that it must beat.

Tapes of a task differ by their seed only; every number is given with a 95 % interval by bootstrap over seeds. Seeds 0
to 999 are for fitting, 1000 to 1999 for choosing, 2000 to 2999 for reporting.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tapeview.bench import kept, score
from tapeview.bench.score import Tape
from tapeview.bench.taping import OURS, run_tape
from tapeview.bench.tasks import TASKS, Task, Want, measure_of

_PLAIN: Final = {
    "size of a native iceberg": ("median of those before", "off by", score.median_of("off.plain")),
    "queue imbalance, next move, large tick": ("side of the last trade", "AUC", score.area_of("trade")),
    "order flow and the move beside it, large tick": ("trade imbalance", "R2", score.mean_of("trades")),
    "order flow and the move beside it, small tick": ("trade imbalance", "R2", score.mean_of("trades")),
}
"""Naive rules that no detector can be: (name, what is measured, how)."""
FIT_TIMES: Final = 1
"""A fit takes so many times the tapes of a measurement, always in the same proportions: how likely an alert is right
depends on how much happens beside it.
"""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of one task."""

    task: str
    detector: str
    rule: str
    """'ours' or the naive rule's name."""
    measure: str
    value: float | None
    low: float | None
    high: float | None
    wanted: float | None = None
    way: str = ""
    """'least', 'most', 'gain' or 'none', as `tapeview.bench.tasks.Want` has it."""
    met: bool | None = None
    labels: int
    alerts: int
    tapes: int
    hours: float
    seconds: float
    """Processor time of all rules on all tapes."""

    @property
    def want(self) -> Want | None:
        """What it must come to."""
        return None if self.wanted is None else Want(self.wanted, self.way)


class Done(NamedTuple):
    """All tapes of a task."""

    tapes: list[dict[str, Tape]]
    seconds: float


# -- many -----------------------------------------------------------------------------------------


def measure(
    *,
    tasks: Sequence[int] | None = None,
    seeds: str = "tune",
    count: int | None = None,
    workers: int = 1,
    overrides: Mapping[str, float] | None = None,
    fit: str | None = None,
    strata: bool = False,
    keep: Path | None = None,
    say: Callable[[str], None] = print,
) -> list[Row]:
    """Run tasks (all where none are named) over the first seeds of a set and give their measures, in their order.

    With `fit` the calibration maps that these alerts give are written to that file as well; `strata` adds measures by
    groups of labels; results of finished tapes are kept in the folder `keep` and not made again.
    """
    from feeds.simulator.seeds import seeds_of

    numbers = [n for n, task in enumerate(TASKS) if strata or not task.apart] if tasks is None else list(tasks)
    if fit is not None:
        numbers = [n for n in numbers if TASKS[n].calibrates]
    times = 1 if fit is None else FIT_TIMES
    work = [(n, seed) for n in numbers for seed in seeds_of(seeds, count or times * TASKS[n].seeds)]
    done = {n: Done([], 0.0) for n in numbers}
    for number, tape, seconds in _run(work, dict(overrides or {}), workers, kept.Kept(keep), say):
        done[number] = Done([*done[number].tapes, tape], done[number].seconds + seconds)
    rows: list[Row] = []
    for number in numbers:
        rows += _rows(TASKS[number], done[number], strata)
    if fit is not None:
        from tapeview.bench.calibrating import write_maps

        write_maps(Path(fit), [(TASKS[n], [one[OURS] for one in done[n].tapes]) for n in numbers], seeds)
    elif any(TASKS[n].calibrates for n in numbers):
        from tapeview.bench.calibrating import checked

        rows += checked([(TASKS[n], [one[OURS] for one in done[n].tapes]) for n in numbers])
    return rows


def _run(
    work: list[tuple[int, int]], overrides: dict[str, float], workers: int, known: kept.Kept, say: Callable[[str], None]
) -> Iterator[tuple[int, dict[str, Tape], float]]:
    from tapeview.detectors import load

    keys = {}
    todo = []
    for number, seed in work:
        task = TASKS[number]
        after = load()[task.detector].after
        key = keys[number, seed] = kept.key_of(task.name, seed, task.detector, overrides, after)
        was = known.get(key)
        if was is None:
            todo.append((number, seed))
        else:
            yield number, *was
    if len(todo) < len(work):
        say(f"{len(work) - len(todo)} of {len(work)} tapes were measured before")
    began = time.monotonic()
    for at, (number, seed, tape, seconds) in enumerate(_fresh(todo, overrides, workers), 1):
        known.put(keys[number, seed], tape, seconds)
        yield number, tape, seconds
        left = (time.monotonic() - began) / at * (len(todo) - at)
        say(f"{at} of {len(todo)} tapes, {left / 60:.1f} min left: {TASKS[number].name}, seed {seed}, {seconds:.1f} s")


def _fresh(
    todo: list[tuple[int, int]], overrides: dict[str, float], workers: int
) -> Iterator[tuple[int, int, dict[str, Tape], float]]:
    if workers <= 1 or len(todo) < 2:
        for number, seed in todo:
            yield number, seed, *_timed(number, seed, overrides)
        return
    context = multiprocessing.get_context("spawn")
    # The terminal's Ctrl-C reaches every process; only this one is to answer it.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(min(workers, len(todo)), mp_context=context, initializer=signal.signal, initargs=ignore)
    try:
        futures = {pool.submit(_timed, number, seed, overrides): (number, seed) for number, seed in todo}
        for future in as_completed(futures):
            yield *futures[future], *future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


def _timed(number: int, seed: int, overrides: dict[str, float]) -> tuple[dict[str, Tape], float]:
    began = time.process_time()
    tapes = run_tape(TASKS[number], seed, overrides)
    return tapes, time.process_time() - began


# -- the table ------------------------------------------------------------------------------------


def _rows(task: Task, done: Done, strata: bool) -> list[Row]:
    rows = []
    # Bootstrap draws depend on the order, and tapes end in any.
    tapes = sorted(done.tapes, key=lambda one: one[OURS].seed)
    for rule in tapes[0] if tapes else ():
        mine = [one[rule] for one in tapes]
        rows += [_row(task, rule, name, mine, measure_of(name), done) for name in _names(task, mine, strata)]
    if task.name in _PLAIN and tapes:
        rule, name, how = _PLAIN[task.name]
        rows.append(_row(task, rule, name, [one[OURS] for one in tapes], how, done))
    return rows


def _names(task: Task, tapes: Sequence[Tape], strata: bool) -> list[str]:
    names = [*task.wants, *task.shows]
    if task.plants and not task.pressure:
        names += ["precision", "recall", "f1", "area", "delay s"]
        names += ["delay steps"] if task.steps else []
    names += [] if task.pressure else ["false/h"]
    if strata:
        for group in score.strata_of(tapes):
            names += [f"{name} [{group}]" for name in ("labels", "recall", "f1", "delay steps")]
    return list(dict.fromkeys(names))


def _row(task: Task, rule: str, name: str, tapes: Sequence[Tape], how: score.Measure, done: Done) -> Row:
    # Naive rules tell of thousands: where nobody compares, their intervals are not worth the minutes.
    alone = name.startswith("labels") or (rule != OURS and (name == "area" or " [" in name))
    got = score.Figure(how(tapes)) if alone else score.figure(tapes, how)
    want = task.wants.get(name) if rule == OURS else None
    return Row(
        task=task.name, detector=task.detector, rule=rule, measure=name, value=got.value, low=got.low, high=got.high,
        wanted=None if want is None else want.value, way="" if want is None else want.way,
        met=None if want is None else want.met(got.value, got.low),
        labels=sum(t.right + t.missed for t in tapes), alerts=sum(t.right + t.false for t in tapes),
        tapes=len(tapes), hours=sum(t.hours for t in tapes), seconds=done.seconds,
    )  # fmt: skip


def cores() -> int:
    """Processes to use where nobody says."""
    return os.cpu_count() or 1

"""Run detectors over many sources without a screen: in this process, in several, or on a cluster.

A source is one job, so that every detector remembers what it should: results are the same wherever jobs run and in
whatever order they end.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import multiprocessing
import os
import queue
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from feeds.errors import BadInput, MissingExtra
from feeds.events import CLOCK, NONE, S_LIVE
from feeds.source import OpenOptions, open_source
from tapeview import __version__
from tapeview import format as fmt
from tapeview.engine.settings import EngineSettings
from tapeview.session import Session

HORIZONS_S: Final = (1, 5, 30, 60)
"""Seconds after an alert at which the mid is compared."""
_CONTROLS: Final = 20
_NEIGHBOURHOOD_NS: Final = 900_000_000_000
_BLOCK_NS: Final = 600_000_000_000
_EVERY_S: Final = 0.2


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One source to be scanned."""

    number: int
    address: str
    options: OpenOptions | None
    settings: EngineSettings
    thresholds: tuple[dict[str, dict[str, int | float]], ...]
    """Sets of detectors' thresholds that are run side by side; alerts are told of the first only."""
    markouts: bool = False

    def key(self) -> str:
        """A digest of all that the result depends on: the source as it lies there, settings, thresholds, version."""
        out = hashlib.blake2b(digest_size=16)
        out.update(msgspec.json.encode([__version__, self.address, self.options, self.settings, self.thresholds]))
        out.update(repr((self.markouts, _code_digest())).encode())
        path = Path(self.address)
        files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.exists() else []
        for file in files:
            about = file.stat()
            out.update(f"{file.name} {about.st_size} {about.st_mtime_ns};".encode())
        return out.hexdigest()


class Markout(msgspec.Struct, frozen=True):
    """How the mid moved after one alert, in ticks towards its side, beside the same at other times nearby."""

    detector: str
    method: str
    block: int
    moved: tuple[float | None, ...]
    control: tuple[float | None, ...]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one job found."""

    number: int
    address: str
    key: str
    events: int
    hours: float
    """Length of the session: from its first row to its last."""
    cpu_s: float
    alerts: list[dict[str, Any]]
    fires: list[dict[str, int]]
    """For each set of thresholds, confirmed alerts by detector."""
    markouts: list[Markout] = []
    problems: list[str] = []


Told = Callable[[int, int, int, int, int], None]
"""Called now and then with (job, bytes read, bytes in all, events, alerts)."""


def scan_one(job: Job, told: Told | None = None) -> Result:
    """Run one job here; raise BadInput where the source cannot be read."""
    from tapeview.engine import warm
    from tapeview.watch import Watch, thresholds_of

    sets = [thresholds_of(one) for one in job.thresholds]
    warm()
    source = open_source(job.address, job.options)
    began, events, first, last = time.process_time(), 0, None, None
    alerts: list[dict[str, Any]] = []
    confirmed: list[tuple[Any, int]] = []
    fires: list[dict[str, int]] = [dict.fromkeys(one, 0) for one in job.thresholds]
    next_s = 0.0
    with Session(source, job.settings, sets[0]) as session:
        scales = [fmt.Scale.of(instrument) for instrument in session.instruments]
        others = [
            [Watch(i, source.info.tier, one, job.settings, n) for n, i in enumerate(session.instruments)]
            for one in sets[1:]
        ]
        mids: list[list[Any]] = [[] for _ in scales]
        for outcome in session.run():
            events += len(outcome.events)
            index = outcome.instrument
            first = int(outcome.events["recv_ns"][0]) if first is None else first
            last = int(outcome.events["recv_ns"][-1])
            for finding in outcome.findings:
                alert = finding.alert
                alerts.append(alert.as_json(scales[index]))
                if alert.phase == "confirmed":
                    fires[0][alert.detector] += 1
                    confirmed.append((alert, index))
            for number, watches in enumerate(others, 1):
                for finding in watches[index].apply(outcome):
                    if finding.alert.phase == "confirmed":
                        fires[number][finding.alert.detector] += 1
            if job.markouts:
                mids[index].append(_mids(outcome.frame))
            if told is not None and time.monotonic() >= next_s:
                next_s = time.monotonic() + _EVERY_S
                told(job.number, *source.progress, events, len(alerts))
        markouts = _markouts(confirmed, mids) if job.markouts else []
        problems = list(source.checks.problems)
    return Result(
        number=job.number, address=job.address, key=job.key(), events=events,
        hours=0.0 if first is None or last is None else (last - first) / 3.6e12,
        cpu_s=time.process_time() - began, alerts=alerts, fires=fires, markouts=markouts, problems=problems,
    )  # fmt: skip


# -- markouts -------------------------------------------------------------------------------------


def _mids(frame: Any) -> Any:
    """Times and twice the mid at each CLOCK with a live book of two sides."""
    clock = frame[frame["kind"] == CLOCK]
    whole = clock[(clock["state"] == S_LIVE) & (clock["bid"] != NONE) & (clock["ask"] != NONE)]
    return np.stack([whole["recv_ns"], whole["bid"] + whole["ask"]])


def _markouts(confirmed: list[tuple[Any, int]], mids: list[list[Any]]) -> list[Markout]:
    series = [np.concatenate(one, axis=1) if one else np.zeros((2, 0), np.int64) for one in mids]
    out = []
    for alert, index in confirmed:
        times, twice = series[index]
        if not len(times) or alert.side == 0:
            continue
        near = times[(times >= alert.recv_ns - _NEIGHBOURHOOD_NS) & (times <= alert.recv_ns + _NEIGHBOURHOOD_NS)]
        chance = np.random.default_rng([alert.seq & 0x7FFFFFFF, alert.side + 1])
        others = chance.choice(near, _CONTROLS) if len(near) else near
        moved, control = [], []
        for seconds in HORIZONS_S:
            moved.append(_moved(times, twice, alert.recv_ns, seconds, alert.side))
            beside = [_moved(times, twice, int(t), seconds, alert.side) for t in others]
            known = [value for value in beside if value is not None]
            control.append(math.fsum(known) / len(known) if known else None)
        block = (index << 40) | (alert.recv_ns // _BLOCK_NS)
        out.append(Markout(alert.detector, alert.method, block, tuple(moved), tuple(control)))
    return out


def _moved(times: Any, twice: Any, at_ns: int, seconds: int, side: int) -> float | None:
    """Ticks the mid moved towards a side; None where the book was not live close to either end."""
    ends = []
    for when in (at_ns, at_ns + seconds * 1_000_000_000):
        at = int(np.searchsorted(times, when, side="right")) - 1
        if at < 0 or when - int(times[at]) > 1_000_000_000:
            return None
        ends.append(int(twice[at]))
    return (ends[1] - ends[0]) * side / 2


def markout_table(results: Iterable[Result], resamples: int = 1000) -> list[dict[str, Any]]:
    """For each detector and method: alerts, mean move, control and difference with its 95 % interval, by horizon.

    Intervals by bootstrap over blocks of ten minutes of one session, seeded; numbers in ticks.
    """
    groups: dict[tuple[str, str], list[tuple[tuple[int, int], Markout]]] = {}
    for result in results:
        for one in result.markouts:
            groups.setdefault((one.detector, one.method), []).append(((result.number, one.block), one))
    table = []
    for (detector, method), members in sorted(groups.items()):
        for at, seconds in enumerate(HORIZONS_S):
            pairs = [
                (block, one.moved[at], one.control[at])
                for block, one in members
                if one.moved[at] is not None and one.control[at] is not None
            ]
            row: dict[str, Any] = {"detector": detector, "method": method, "seconds": seconds, "alerts": len(pairs)}
            if pairs:
                moved = [m for _, m, _ in pairs if m is not None]
                control = [c for _, _, c in pairs if c is not None]
                low, high = _interval(pairs, resamples)
                row |= {"moved": sum(moved) / len(moved), "control": sum(control) / len(control)}
                row |= {"more": row["moved"] - row["control"], "low": low, "high": high}
            table.append(row)
    return table


def _interval(pairs: list[tuple[Any, Any, Any]], resamples: int) -> tuple[float | None, float | None]:
    blocks: dict[Any, list[float]] = {}
    for block, moved, control in pairs:
        blocks.setdefault(block, []).append(moved - control)
    if len(blocks) < 2:
        return None, None
    sums = np.array([sum(values) for values in blocks.values()])
    counts = np.array([len(values) for values in blocks.values()])
    picks = np.random.default_rng(1).integers(0, len(blocks), (resamples, len(blocks)))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return low, high


# -- many -----------------------------------------------------------------------------------------


def scan(
    jobs: list[Job],
    *,
    workers: int = 1,
    cluster: str | None = None,
    folder: Path | None = None,
    told: Told | None = None,
) -> Iterator[Result]:
    """Run jobs and give each result as it comes; `folder` keeps them, and those it holds already are not run again."""
    todo = []
    for job in jobs:
        kept = _kept(folder, job)
        if kept is not None:
            yield kept
        else:
            todo.append(job)
    if cluster is not None:
        done = _on_cluster(todo, cluster)
    elif workers > 1 and len(todo) > 1:
        done = _in_processes(todo, min(workers, len(todo)), told)
    else:
        done = (scan_one(job, told) for job in todo)
    for result in done:
        if folder is not None:
            _keep(folder, result)
        yield result


def _kept(folder: Path | None, job: Job) -> Result | None:
    if folder is None:
        return None
    file = folder / f"{job.number:06}.json"
    try:
        result = msgspec.json.decode(file.read_bytes(), type=Result)
    except (OSError, msgspec.DecodeError):
        return None
    return result if result.key == job.key() else None


def _keep(folder: Path, result: Result) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{result.number:06}.json"
    fresh = file.with_suffix(".tmp")
    with fresh.open("wb") as out:
        out.write(msgspec.json.encode(result))
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)


def _in_processes(jobs: list[Job], workers: int, told: Told | None) -> Iterator[Result]:
    context = multiprocessing.get_context("spawn")
    news = context.Queue()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_join, initargs=(news,)) as pool:
        waiting: set[Future[bytes]] = {pool.submit(_scan_there, msgspec.json.encode(job)) for job in jobs}
        try:
            while waiting:
                ended, waiting = wait(waiting, timeout=_EVERY_S, return_when=FIRST_COMPLETED)
                while told is not None:
                    try:
                        told(*news.get_nowait())
                    except queue.Empty:
                        break
                for future in ended:
                    yield msgspec.json.decode(future.result(), type=Result)
        finally:
            for future in waiting:
                future.cancel()
            if waiting:
                for process in multiprocessing.active_children():
                    process.terminate()


_news: Any = None


def _join(news: Any) -> None:
    global _news
    _news = news


def _scan_there(job: bytes) -> bytes:
    told = None if _news is None else lambda *said: _news.put(said)
    return msgspec.json.encode(scan_one(msgspec.json.decode(job, type=Job), told))


def _on_cluster(jobs: list[Job], cluster: str) -> Iterator[Result]:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise MissingExtra("--cluster", "cluster") from None
    try:
        where = {"n_workers": 2, "threads_per_worker": 1} if cluster == "local" else {"address": cluster}
        started = distributed.Client(timeout="10s", **where)
    except OSError as error:
        raise BadInput("--cluster", cluster, f"the address of a running scheduler ({error})") from None
    with started as client:
        futures = client.map(_scan_there, [msgspec.json.encode(job) for job in jobs], pure=False, retries=2)
        for future in distributed.as_completed(futures):
            yield msgspec.json.decode(future.result(), type=Result)


def _code_digest() -> str:
    from tapeview.engine._jit import cache_folder

    return cache_folder().name


# -- rates ----------------------------------------------------------------------------------------


def settings_of(value: float, least: float, most: float, *, whole: bool, steps: int = 9) -> list[float]:
    """Values of a threshold to try, from a third of its default to three times it, inside its bounds, rising.

    A threshold that lies in 0 to 1 is tried by what it leaves to 1, from three times to a third.
    """
    scales = [3.0 ** (2 * n / (steps - 1) - 1) for n in range(steps)]
    if 0 < value < 1 and most <= 1:
        tried = [1 - (1 - value) / scale for scale in scales]
    else:
        tried = [value * scale for scale in scales]
    inside = [min(max(one, least), most) for one in tried]
    return sorted({float(round(one)) if whole else one for one in inside})


def rate_table(results: list[Result], plan: list[tuple[str, float]], knobs: Mapping[str, str]) -> list[dict[str, Any]]:
    """Confirmed alerts an hour of a detector at each value tried: entry n of the plan is set n + 1 of every job."""
    hours = sum(result.hours for result in results)
    rows = []
    for number, (name, value) in enumerate(plan, 1):
        fires = sum(result.fires[number].get(name, 0) for result in results)
        per_hour = fires / hours if hours else 0.0
        rows.append({"detector": name, "threshold": knobs[name], "value": value, "fires": fires, "per_hour": per_hour})
    return rows


def solved(rows: list[dict[str, Any]], wanted_per_hour: float) -> dict[str, float | None]:
    """For each detector the least value tried that fires no more often than wanted, None where none is rare enough."""
    out: dict[str, float | None] = {}
    for row in rows:
        out.setdefault(row["detector"], None)
        if out[row["detector"]] is None and row["per_hour"] <= wanted_per_hour:
            out[row["detector"]] = row["value"]
    return out

"""Alerts against the truth: matching, precision and recall, delay, calibration, each with its uncertainty.

An alert and a label match where detector, side and price agree and the alert came between the label's beginning and
five seconds after its end, one to one; a second alert for the same label is a false one.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

GRACE_NS: Final = 5_000_000_000
"""How long after a label's end an alert may still come."""


class Label(NamedTuple):
    """Something that really happened."""

    side: int
    tick: int | None
    """None where the label is of no price."""
    t0_ns: int
    """The first moment at which it could have been known."""
    t1_ns: int
    steps: tuple[int, ...] = ()
    """Times of what can be counted of it, such as refills."""
    strata: tuple[str, ...] = ()
    """Names of the groups it belongs to: its delay, its jitter, how well the source can show it."""


class Shot(NamedTuple):
    """An alert, as far as scoring goes."""

    side: int
    tick: int | None
    recv_ns: int
    score: float
    confidence: float | None = None
    method: str = ""


class Match(NamedTuple):
    """Who was matched with whom, on one tape."""

    pairs: tuple[tuple[int, int], ...]
    """(label, alert)."""
    false: tuple[int, ...]
    """Alerts without a label."""
    missed: tuple[int, ...]
    """Labels without an alert."""


def match(labels: Sequence[Label], shots: Sequence[Shot], slack: int = 0) -> Match:
    """Match alerts in the order of their time with the label that began first among those that fit."""
    free = sorted(range(len(labels)), key=lambda n: labels[n].t0_ns)
    pairs, false = [], []
    for at in sorted(range(len(shots)), key=lambda n: shots[n].recv_ns):
        shot = shots[at]
        for n in free:
            label = labels[n]
            if label.t0_ns > shot.recv_ns:
                break
            if (
                label.side in (0, shot.side)
                and shot.recv_ns <= label.t1_ns + GRACE_NS
                and (label.tick is None or shot.tick is None or abs(label.tick - shot.tick) <= slack)
            ):
                pairs.append((n, at))
                free.remove(n)
                break
        else:
            false.append(at)
            continue
        if not pairs or pairs[-1][1] != at:
            false.append(at)
    return Match(tuple(pairs), tuple(sorted(false)), tuple(sorted(free)))


class Tape(NamedTuple):
    """One tape's score."""

    seed: int
    hours: float
    right: int
    false: int
    missed: int
    delays_s: tuple[float, ...] = ()
    """From the first moment at which it could have been known to the alert."""
    steps: tuple[int, ...] = ()
    """How many countable steps each needed."""
    sure: tuple[tuple[float, bool], ...] = ()
    """(confidence, whether it was right) of alerts that had one."""
    ranked: tuple[tuple[float, bool], ...] = ()
    """(score, whether it was right)."""
    methods: tuple[str, ...] = ()
    """Which method each of the ranked was found by."""
    cells: tuple[tuple[tuple[str, ...], bool, int], ...] = ()
    """Of each label the groups it belongs to, whether it was found, and in how many countable steps (-1: unknown)."""
    extra: dict[str, tuple[float, ...]] | None = None
    """What else was measured on the tape, by name."""


def tape_of(
    seed: int,
    hours: float,
    labels: Sequence[Label],
    shots: Sequence[Shot],
    slack: int = 0,
    extra: dict[str, tuple[float, ...]] | None = None,
) -> Tape:
    """Score one tape; `extra` goes with it as it is."""
    found = match(labels, shots, slack)
    delays, steps, hits = [], [], set()
    needed = dict.fromkeys(range(len(labels)), -1)
    for n, at in found.pairs:
        label, shot = labels[n], shots[at]
        delays.append((shot.recv_ns - label.t0_ns) / 1e9)
        if label.steps:
            needed[n] = bisect.bisect_right(label.steps, shot.recv_ns)
            steps.append(needed[n])
        hits.add(at)
    missed = set(found.missed)
    ranked = tuple((shot.score, n in hits) for n, shot in enumerate(shots))
    sure = tuple((shot.confidence, n in hits) for n, shot in enumerate(shots) if shot.confidence is not None)
    return Tape(
        seed,
        hours,
        len(found.pairs),
        len(found.false),
        len(found.missed),
        tuple(delays),
        tuple(steps),
        sure,
        ranked,
        tuple(shot.method for shot in shots),
        tuple((label.strata, n not in missed, needed[n]) for n, label in enumerate(labels) if label.strata),
        extra,
    )


Measure = Callable[[Sequence[Tape]], float | None]


class Figure(NamedTuple):
    """A number and its 95 % interval by bootstrap over seeds; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


def precision(tapes: Sequence[Tape]) -> float | None:
    """Right alerts over all alerts."""
    right, false = sum(t.right for t in tapes), sum(t.false for t in tapes)
    return right / (right + false) if right + false else None


def recall(tapes: Sequence[Tape]) -> float | None:
    """Labels found over all labels."""
    right, missed = sum(t.right for t in tapes), sum(t.missed for t in tapes)
    return right / (right + missed) if right + missed else None


def f1(tapes: Sequence[Tape]) -> float | None:
    """The harmonic mean of precision and recall; 0 where there are labels and no right alert."""
    right, wrong = sum(t.right for t in tapes), sum(t.false + t.missed for t in tapes)
    return 2 * right / (2 * right + wrong) if right + wrong else None


def false_an_hour(tapes: Sequence[Tape]) -> float | None:
    """False alerts an hour of market."""
    hours = sum(t.hours for t in tapes)
    return sum(t.false for t in tapes) / hours if hours else None


def delay_s(tapes: Sequence[Tape]) -> float | None:
    """Median delay in seconds."""
    return _median([d for t in tapes for d in t.delays_s])


def delay_steps(tapes: Sequence[Tape]) -> float | None:
    """Median number of countable steps until the alert."""
    return _median([float(s) for t in tapes for s in t.steps])


def average_precision(tapes: Sequence[Tape]) -> float | None:
    """Area under precision over recall when alerts are taken in falling order of their score."""
    ranked = sorted((pair for t in tapes for pair in t.ranked), key=lambda pair: -pair[0])
    labels = sum(t.right + t.missed for t in tapes)
    if not labels:
        return None
    right, area = 0, 0.0
    for n, (_, hit) in enumerate(ranked, 1):
        if hit:
            right += 1
            area += right / n
    return area / labels


def strata_of(tapes: Sequence[Tape]) -> list[str]:
    """Names of the groups that labels of these tapes belong to, in order."""
    return sorted({name for t in tapes for names, _, _ in t.cells for name in names})


def count_in(name: str) -> Measure:
    """How many labels belong to a group."""
    return lambda tapes: float(sum(name in names for t in tapes for names, _, _ in t.cells))


def recall_in(name: str) -> Measure:
    """Labels of a group found over all of them."""

    def measured(tapes: Sequence[Tape]) -> float | None:
        hits = [hit for t in tapes for names, hit, _ in t.cells if name in names]
        return sum(hits) / len(hits) if hits else None

    return measured


def f1_in(name: str) -> Measure:
    """The harmonic mean of the precision of all alerts and of the recall among the labels of a group.

    An alert on a label of another group is right; one without a label is wrong whatever group it claims.
    """
    part = recall_in(name)

    def measured(tapes: Sequence[Tape]) -> float | None:
        share, found = precision(tapes), part(tapes)
        if found is None:
            return None
        return 2 * share * found / (share + found) if share and found else 0.0

    return measured


def steps_in(name: str) -> Measure:
    """Median number of countable steps until the alert, among the labels of a group."""
    return lambda tapes: _median([float(n) for t in tapes for names, _, n in t.cells if name in names and n >= 0])


def mean_of(name: str) -> Measure:
    """The mean of everything measured under a name."""

    def measured(tapes: Sequence[Tape]) -> float | None:
        values = [value for t in tapes for value in _extra(t).get(name, ())]
        return math.fsum(values) / len(values) if values else None

    return measured


def median_of(name: str) -> Measure:
    """The median of everything measured under a name."""
    return lambda tapes: _median([value for t in tapes for value in _extra(t).get(name, ())])


def least_of(name: str) -> Measure:
    """The least of everything measured under a name."""
    return lambda tapes: min((value for t in tapes for value in _extra(t).get(name, ())), default=None)


def area_of(name: str) -> Measure:
    """The chance that a signal is higher before a rise than before a fall, ties by half (area under the curve).

    `name`.up and `name`.down count how often each value of the signal, in rising order, came before the one and the
    other.
    """

    def measured(tapes: Sequence[Tape]) -> float | None:
        up, down = _summed(tapes, f"{name}.up"), _summed(tapes, f"{name}.down")
        if not up.sum() or not down.sum():
            return None
        below = np.cumsum(down) - down
        return float((up * (below + down / 2)).sum() / (up.sum() * down.sum()))

    return measured


def gap_of(name: str) -> Measure:
    """Mean distance of a stated chance from what happened, by tenths of it, weighted by how often it was stated.

    `name`.said, `name`.was and `name`.n hold the sums of what was stated and of what happened, and their number.
    """

    def measured(tapes: Sequence[Tape]) -> float | None:
        said, was, n = (_summed(tapes, f"{name}.{part}") for part in ("said", "was", "n"))
        return float(np.abs(said - was).sum() / n.sum()) if n.sum() else None

    return measured


def _extra(tape: Tape) -> dict[str, tuple[float, ...]]:
    return tape.extra or {}


def _summed(tapes: Sequence[Tape], name: str) -> NDArray[np.float64]:
    parts = [_extra(t)[name] for t in tapes if name in _extra(t)]
    return np.array(parts, np.float64).sum(axis=0) if parts else np.zeros(1)


def sure_of(tapes: Sequence[Tape], confidence: Callable[[str, float], float | None]) -> list[Tape]:
    """The tapes with the confidence that a map of (method, score) gives to each alert."""
    out = []
    for tape in tapes:
        pairs = zip(tape.ranked, tape.methods, strict=True)
        known = ((confidence(method, points), hit) for (points, hit), method in pairs)
        out.append(tape._replace(sure=tuple((c, hit) for c, hit in known if c is not None)))
    return out


def deciles(tapes: Sequence[Tape], bins: int = 10) -> list[tuple[int, float, float]]:
    """For each tenth of confidence that has alerts: their number, their mean confidence and the share right."""
    pairs = [pair for t in tapes for pair in t.sure]
    out = []
    for n in range(bins):
        some = [(c, hit) for c, hit in pairs if min(int(c * bins), bins - 1) == n]
        if some:
            out.append((len(some), sum(c for c, _ in some) / len(some), sum(hit for _, hit in some) / len(some)))
    return out


def worst_decile(tapes: Sequence[Tape], least: int = 50) -> float | None:
    """The greatest distance of stated confidence from the share that was right, among tenths of enough alerts."""
    return max((abs(said - was) for n, said, was in deciles(tapes) if n >= least), default=None)


def calibration_error(tapes: Sequence[Tape], bins: int = 10) -> float | None:
    """Mean distance of stated confidence from the share that was right, by tenths of confidence, weighted."""
    pairs = [pair for t in tapes for pair in t.sure]
    if not pairs:
        return None
    total = 0.0
    for n in range(bins):
        some = [(c, hit) for c, hit in pairs if min(int(c * bins), bins - 1) == n]
        if some:
            total += abs(sum(c for c, _ in some) - sum(hit for _, hit in some))
    return total / len(pairs)


def brier(tapes: Sequence[Tape]) -> float | None:
    """Mean squared distance of confidence from what happened."""
    pairs = [pair for t in tapes for pair in t.sure]
    return math.fsum((c - hit) ** 2 for c, hit in pairs) / len(pairs) if pairs else None


def figure(tapes: Sequence[Tape], measure: Callable[[Sequence[Tape]], float | None], resamples: int = 400) -> Figure:
    """A measure with its interval."""
    value = measure(tapes)
    if value is None or len(tapes) < 3:
        return Figure(value)
    chance = np.random.default_rng(1)
    got = []
    for _ in range(resamples):
        again = measure([tapes[n] for n in chance.integers(0, len(tapes), len(tapes)).tolist()])
        if again is not None:
            got.append(again)
    low, high = np.quantile(got, (0.025, 0.975)).tolist() if got else (None, None)
    return Figure(value, low, high)


def isotonic(pairs: Sequence[tuple[float, bool]], least: int = 30) -> tuple[list[float], list[float]]:
    """The step function that never falls and lies nearest to what happened: (scores from which on, shares).

    Pool adjacent violators (Ayer and others, Annals of Mathematical Statistics 26(4), 1955); steps of fewer than
    `least` alerts are joined with their neighbour below.
    """
    blocks: list[list[Any]] = []
    for score, hit in sorted(pairs):
        blocks.append([score, float(hit), 1])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][2] >= blocks[-1][1] * blocks[-2][2]:
            _, hits, n = blocks.pop()
            blocks[-1][1] += hits
            blocks[-1][2] += n
    joined: list[list[Any]] = []
    for block in blocks:
        if joined and (joined[-1][2] < least or block[2] < least):
            joined[-1][1] += block[1]
            joined[-1][2] += block[2]
        else:
            joined.append(block)
    return [b[0] for b in joined], [b[1] / b[2] for b in joined]


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None

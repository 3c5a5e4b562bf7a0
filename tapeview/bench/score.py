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
    easy: bool = True
    """Whether it belongs to the stratum that the source can show."""


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


def tape_of(seed: int, hours: float, labels: Sequence[Label], shots: Sequence[Shot], slack: int = 0) -> Tape:
    """Score one tape."""
    found = match(labels, shots, slack)
    delays, steps, hits = [], [], set()
    for n, at in found.pairs:
        label, shot = labels[n], shots[at]
        delays.append((shot.recv_ns - label.t0_ns) / 1e9)
        if label.steps:
            steps.append(bisect.bisect_right(label.steps, shot.recv_ns))
        hits.add(at)
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
    )


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

"""What is measured of a tape beyond right and wrong alerts: whether they came in time, and what came after them.

A probe is given the truth, the alerts matched with it and the mid as it went on, and gives numbers by name, which are
pooled over tapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import CLOCK, NONE, S_LIVE
from tapeview.alert import Alert
from tapeview.bench.score import Shot

Extra = dict[str, tuple[float, ...]]
_SECOND_NS: Final = 1_000_000_000
BEFORE_NS: Final = 3 * _SECOND_NS
"""How long before a reversal an exit signal has to come."""
UNFLAGGED_S: Final = 3600.0
"""What a failed break counts for that was never called one."""
TTL_NS: Final = 45 * 60 * _SECOND_NS
"""A set-up whose end has not come by then is judged by where the price is."""


class Seen(NamedTuple):
    """One rule on one tape."""

    labels: Sequence[Any]
    """The truth's labels that count."""
    shots: Sequence[Shot]
    firsts: Sequence[Alert]
    """The alert behind each shot."""
    steps: Sequence[Alert]
    """Every step of every story of the detector, in order."""
    pairs: Sequence[tuple[int, int]]
    """(label, shot)."""
    mids: NDArray[np.int64]
    """Times and twice the mid at each CLOCK of a live book."""


def mids_of(frame: NDArray[Any]) -> NDArray[np.int64]:
    """Times and twice the mid at each CLOCK with a live book of two sides."""
    clock = frame[frame["kind"] == CLOCK]
    whole = clock[(clock["state"] == S_LIVE) & (clock["bid"] != NONE) & (clock["ask"] != NONE)]
    return np.stack([whole["recv_ns"], whole["bid"] + whole["ask"]]).astype(np.int64)


def half(seen: Seen) -> Extra:
    """Whether each run that was told of was told before half of its move."""
    got = []
    for n, at in seen.pairs:
        halfway = seen.labels[n].params["half_ns"]
        got.append(float(halfway is not None and seen.shots[at].recv_ns <= halfway))
    return {"early": tuple(got)}


def exit_signal(seen: Seen) -> Extra:
    """Whether each level that held was told of in time before the price had turned from it."""
    got = []
    for n, at in seen.pairs:
        turned = seen.labels[n].params["reversal_ns"]
        got.append(float(turned is not None and seen.shots[at].recv_ns <= turned - BEFORE_NS))
    return {"early": tuple(got)}


def failed_breaks(seen: Seen) -> Extra:
    """Seconds from a break's failing, by the truth, to its being called failed or reversed."""
    got = []
    for n, at in seen.pairs:
        label = seen.labels[n]
        if label.outcome != "failed":
            continue
        key = seen.firsts[at].key
        ends = [a for a in seen.steps if a.key == key and a.phase == "cleared" and a.reason in ("failed", "reversed")]
        late = (ends[0].recv_ns - label.params["failed_ns"]) / 1e9 if ends else UNFLAGGED_S
        got.append(max(late, 0.0))
    return {"flagged": tuple(got)}


def total_size(seen: Seen) -> Extra:
    """How far the estimated whole of an iceberg lies from the truth, at each step at which one was given; beside it
    the same of the median whole of those that had ended by then.
    """
    ours, plain = [], []
    ended = sorted((label.t1_ns, label.params["lots"]) for label in seen.labels)
    for n, at in seen.pairs:
        label = seen.labels[n]
        whole = label.params["lots"]
        for alert in seen.steps:
            left = alert.evidence["left_median"]
            if alert.key != seen.firsts[at].key or alert.phase == "cleared" or math.isnan(left):
                continue
            guess = alert.evidence["executed"] + left
            ours.append(abs(guess - whole) / whole)
            before = [lots for ns, lots in ended if ns < alert.recv_ns]
            if before:
                plain.append(abs(float(np.median(before)) - whole) / whole)
    return {"off": tuple(ours), "off.plain": tuple(plain)}


def set_up(seen: Seen) -> Extra:
    """What became of each set-up, less the chance of an aimless price to come to its target before its stop.

    1 where the mid came to the target first, 0 where to the price that ends it. Where neither came in time the share
    of the way from stop to target: an aimless price gets there as often on average. `over` counts the set-ups told
    while an excursion of the truth was let go of, judged up to its end, after which the next one leads the price away
    again; `over.all` counts every set-up of the tape up to the tape's end.
    """
    free = [(label.params["recross_ns"], label.t1_ns) for label in seen.labels]
    out: dict[str, list[float]] = {name: [] for name in ("over", "over.all", "hit", "decided")}
    for alert in seen.firsts:
        now, target, stop = (2.0 * alert.evidence[name] for name in ("mid_tick", "target_tick", "invalid_tick"))
        side = alert.side
        if (target - now) * side <= 0 or (now - stop) * side <= 0:
            continue
        null = (now - stop) / (target - stop)
        got = _outcome(seen.mids, alert.recv_ns, alert.recv_ns + TTL_NS, side, target, stop)
        if got is not None:
            out["over.all"].append(got - null)
        ends = [end for begin, end in free if begin <= alert.recv_ns < end]
        if ends:
            got = _outcome(seen.mids, alert.recv_ns, min(ends[0], alert.recv_ns + TTL_NS), side, target, stop)
            if got is not None:
                out["over"].append(got - null)
                out["hit"].append(got)
                out["decided"].append(float(got in (0.0, 1.0)))
    return {name: tuple(values) for name, values in out.items()}


def _outcome(
    mids: NDArray[np.int64], from_ns: int, until_ns: int, side: int, target: float, stop: float
) -> float | None:
    begin = int(np.searchsorted(mids[0], from_ns, side="right"))
    end = int(np.searchsorted(mids[0], until_ns, side="right"))
    way = mids[1][begin:end]
    if not len(way):
        return None
    there, gone = (way - target) * side >= 0, (way - stop) * side <= 0
    first = int(np.argmax(there)) if there.any() else math.inf
    lost = int(np.argmax(gone)) if gone.any() else math.inf
    if first != lost:
        return float(first < lost)
    return float(min(max((way[-1] - stop) / (target - stop), 0.0), 1.0))


PROBES: Final[Mapping[str, Callable[[Seen], Extra]]] = {
    "half": half,
    "exit": exit_signal,
    "failed": failed_breaks,
    "total": total_size,
    "set-up": set_up,
}

"""Fit what the iceberg detector weighs episodes with, from simulated tapes whose icebergs are known.

`python -m tapeview.bench.fit_iceberg` prints the table WEIGHTS of the detector's episodes and what it comes to at
prices without an iceberg. Tapes are of tier C, told every 100 ms; prints are laid to their depth by the venue's time,
which in a simulated tape is exact. The weight of a kind of episode is the log of its share at icebergs of at least
three tranches over its share elsewhere, drawn to 0 where few were seen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import BOOK, TRADE, Events
from feeds.simulator.seeds import seeds_of
from feeds.simulator.tape import generate
from tapeview.detectors._iceberg_episodes import WEIGHTS, kind_of

KINDS: Final = len(WEIGHTS)
_SEEN: Final = 20
"""Episodes that the share elsewhere stands for."""
_DRAWN: Final = 10
"""Episodes at icebergs with which half of a weight is believed."""
_AFTER_NS: Final = 100_000_000
"""An iceberg's last prints are told with the interval after its end."""


class Episode(NamedTuple):
    """What traded at a price between two updates of depth, and its level before and after."""

    exch_ns: int
    side: int
    tick: int
    traded: int
    was: int
    after: int


def episodes_of(events: Events) -> Iterable[Episode]:
    """Give the episodes of a simulated tape of tier C in the order of their depth."""
    depth, prints = events[events["kind"] == BOOK], events[events["kind"] == TRADE]
    times = np.unique(depth["exch_ns"])
    traded: dict[int, dict[tuple[int, int], int]] = {}
    which = np.searchsorted(times, prints["exch_ns"]).tolist()
    for at, side, tick, lots in zip(which, *(prints[name].tolist() for name in ("side", "tick", "lots")), strict=True):
        here = traded.setdefault(at, {})
        here[-side, tick] = here.get((-side, tick), 0) + lots
    book: dict[tuple[int, int], int] = {}
    columns = [depth[name].tolist() for name in ("side", "tick", "lots")]
    starts = np.searchsorted(np.searchsorted(times, depth["exch_ns"]), np.arange(len(times) + 1)).tolist()
    for at, time in enumerate(times.tolist()):
        touched = traded.get(at, {})
        before = {key: book.get(key, 0) for key in touched}
        for n in range(starts[at], starts[at + 1]):
            book[columns[0][n], columns[1][n]] = columns[2][n]
        for key, lots in touched.items():
            if before[key] > 0:
                yield Episode(time, *key, lots, before[key], book.get(key, 0))


def count(seed: int, minutes: int = 20) -> tuple[NDArray[Any], NDArray[Any]]:
    """Count kinds of episodes on one tape: at icebergs, and elsewhere."""
    tape = generate(seed=seed, minutes=minutes, profile="futures", plants=("iceberg",), tier="C", conflate_ms=100)
    spans: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for label in tape.labels:
        if label.type == "iceberg" and label.params.get("tranches", 0) >= 3:
            spans.setdefault((label.side, label.tick), []).append((label.t0_ns, label.t1_ns + _AFTER_NS))
    at_icebergs, elsewhere = np.zeros(KINDS), np.zeros(KINDS)
    for one in episodes_of(tape.events):
        known = any(t0 <= one.exch_ns <= t1 for t0, t1 in spans.get((one.side, one.tick), ()))
        (at_icebergs if known else elsewhere)[kind_of(one.traded, one.was, one.after)] += 1
    return at_icebergs, elsewhere


def weights(at_icebergs: NDArray[Any], elsewhere: NDArray[Any]) -> NDArray[Any]:
    """Turn counts into weights; kinds never seen get 0."""
    usual = (elsewhere + 1) / (elsewhere + 1).sum()
    share = (at_icebergs + 1 + _SEEN * usual) / ((at_icebergs + 1).sum() + _SEEN)
    found: NDArray[Any] = np.log(share / usual) * (at_icebergs + 1) / (at_icebergs + 1 + _DRAWN)
    found[(at_icebergs == 0) & (elsewhere == 0)] = 0.0
    return np.round(found, 3)


def main(arguments: list[str] | None = None) -> None:
    """Print the table, fitted on the first seeds for fitting."""
    say = sys.stdout.write
    parser = argparse.ArgumentParser(prog="python -m tapeview.bench.fit_iceberg")
    parser.add_argument("--tapes", type=int, default=12, help="tapes to fit on, from seed 0")
    counts = [count(seed) for seed in seeds_of("fit", parser.parse_args(arguments).tapes)]
    at_icebergs, elsewhere = sum(c[0] for c in counts), sum(c[1] for c in counts)
    table = weights(np.asarray(at_icebergs), np.asarray(elsewhere))
    for start in range(0, KINDS, 12):
        say(" ".join(f"{value}," for value in table[start : start + 12].tolist()) + "\n")
    mean = float((table * elsewhere).sum() / np.sum(elsewhere))
    spread = float(np.sqrt((table**2 * elsewhere).sum() / np.sum(elsewhere) - mean**2))
    say(f"elsewhere: mean {mean:.3f}, standard deviation {spread:.3f}\n")


if __name__ == "__main__":
    main()

"""Fit what absorption weighs: `python -m tapeview.bench.weights` prints the file that `absorption` reads.

Simulated sessions with absorbers and without anything are watched by the detector itself; whenever it measures a
price, the measures and whether an absorber was at work there are noted down. Logistic regression on them gives the
weights. The seeds are of those for fitting.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feeds.events import NONE, Events
from tapeview.bench.score import GRACE_NS
from tapeview.session import pieces

SEEDS: Final = range(80)
MINUTES: Final = 30
EVERY: Final = 2
"""Steps of 100 ms from one noted measure to the next."""
_PENALTY: Final = 1.0
_TEMPLATE: Final = '''"""How much each of what is measured of a price weighs when absorption is judged.

Logistic regression; made by `python -m tapeview.bench.weights`.
"""

from typing import Final

BIAS: Final = {bias}
WEIGHTS: Final = ({weights})
"""Where every change of the book is seen."""
BIAS_C: Final = {bias_c}
WEIGHTS_C: Final = ({weights_c})
"""Where levels come together every so often."""
'''


def noted(events: Events, instrument: Any, tier: str) -> Iterator[tuple[int, int, int, NDArray[np.float64]]]:
    """Whenever the detector measures a price: the time, the side of the book, the tick and the measures."""
    from tapeview.detectors import load
    from tapeview.detectors._declare import ALERT, BOARD, record
    from tapeview.detectors._rows import pick
    from tapeview.engine import Engine, _jit
    from tapeview.engine.settings import EngineSettings
    from tapeview.watch import context_of

    detector = load()["absorption"]
    engine = Engine(instrument)
    context = context_of(instrument, tier, EngineSettings())
    limits = record(detector.thresholds(on=0.999))
    memory, board, out = np.zeros(1, detector.memory), np.zeros(1, BOARD), np.zeros(20_000, ALERT)
    rows = np.zeros(20_000, np.uint32)
    m = memory[0]
    step = 0
    for piece in pieces(events):
        outcome = engine.apply(piece)
        mine = rows[: _jit.call(pick, outcome.news, detector.reads, rows)]
        clocks = np.flatnonzero(outcome.frame["kind"][mine] == 10) + 1
        start = 0
        for stop in (*clocks.tolist(), len(mine)):
            m["x_tick"] = NONE
            _jit.call(
                detector.kernel, outcome.events, outcome.frame, mine[start:stop], context, board, limits, memory, out
            )
            start = stop
            step += 1
            if step % EVERY == 0:
                for k in range(2):
                    if m["x_tick"][k] != NONE:
                        recv_ns = int(outcome.frame["recv_ns"][mine[stop - 1]])
                        yield recv_ns, 2 * k - 1, int(m["x_tick"][k]), m["x"][k].copy()


def truth(labels: Sequence[Any], recv_ns: int, side: int, tick: int) -> bool:
    """Whether an alert of that moment would be right."""
    return any(
        label.type == "absorber" and label.params["evident"] and label.side == side and abs(label.tick - tick) <= 2
        and label.t0_ns <= recv_ns <= label.t1_ns + GRACE_NS
        for label in labels
    )  # fmt: skip


def sample(seeds: Sequence[int], tier: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measures, one row each, and whether they were of an absorber."""
    from feeds.simulator.tape import generate

    measures, right = [], []
    for seed in seeds:
        for plants in (("absorber",), ()):
            made = generate(seed=seed, minutes=MINUTES, plants=plants, tier=tier)
            for recv_ns, side, tick, x in noted(made.events, made.instrument, tier):
                measures.append(x)
                right.append(truth(made.labels, recv_ns, side, tick))
    return np.array(measures), np.array(right, float)


def fit(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Bias and weights of a logistic regression, by Newton's method with a slight penalty on standardised weights."""
    mean, scale = x.mean(0), x.std(0) + 1e-12
    z = np.column_stack((np.ones(len(x)), (x - mean) / scale))
    penalty = np.array([0.0] + [_PENALTY] * x.shape[1])
    b = np.zeros(z.shape[1])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-z @ b))
        step = np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z + np.diag(penalty), z.T @ (y - p) - penalty * b)
        b += step
        if np.abs(step).max() < 1e-9:
            break
    weights = b[1:] / scale
    return float(b[0] - weights @ mean), weights


def main() -> None:
    """Fit and print."""
    import tapeview.watch  # noqa: F401  (its kernels are compiled with the others)
    from tapeview.engine import warm

    asked = argparse.ArgumentParser(prog="python -m tapeview.bench.weights", description=__doc__)
    asked.add_argument("--seeds", type=int, default=len(SEEDS), help="how many seeds for fitting, from 0")
    count = asked.parse_args().seeds
    warm()
    said = {}
    for tier, name in (("A", ""), ("C", "_c")):
        bias, weights = fit(*sample(range(min(count, 1000)), tier))
        said["bias" + name] = f"{bias:.4f}"
        said["weights" + name] = ", ".join(f"{weight:.4f}" for weight in weights)
    sys.stdout.write(_TEMPLATE.format(**said))


if __name__ == "__main__":
    main()

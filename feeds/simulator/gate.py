"""How near a simulated session comes to a real one: figures without units, each with the distance that is allowed.

Markets differ in tick, lot and pace, so what is compared is shape: shares, ratios of quantiles, autocorrelations, and
the volatility signature, the root mean square of a minute's moves over that of a second's times the root of 60 (1 for
a random walk, less where moves are taken back, more where they go on). After Vyetrenko et al., "Get Real" (2019).
Distances are judgements: wide enough for two days of one market, too narrow for another kind of market.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from feeds.simulator.realism import LAGS, QUANTILES, Figures

_MEDIAN, _P75, _P95, _P99 = (QUANTILES.index(q) for q in (0.5, 0.75, 0.95, 0.99))


class Verdict(NamedTuple):
    """One figure of both sessions and whether they are near enough."""

    figure: str
    simulated: float
    real: float
    allowed: str
    """'± 0.1', or 'x 2' for at most double and at least half."""
    within: bool


def gate(simulated: Figures, real: Figures) -> list[Verdict]:
    """Compare two sessions figure by figure; a figure that one of them does not have is not within."""
    one, other = _shape(simulated), _shape(real)
    return [_verdict(name, one[name][0], value, distance) for name, (value, distance) in other.items()]


def _shape(f: Figures) -> dict[str, tuple[float, str]]:
    out = {
        "spread: share of one tick": (f.spread_one, "± 0.15"),
        "spread: 95 % over median": (_ratio(f.spread[_P95], f.spread[_MEDIAN]), "x 2"),
        "depth: touch over taker, upper quartiles": (_ratio(f.touch[_P75], f.sizes[_P75]), "x 3"),
        "depth: ten ticks over the touch": (_ratio(f.near[1], f.near[0]), "x 3"),
        "takers: size, 95 % over median": (_ratio(f.sizes[_P95], f.sizes[_MEDIAN]), "x 3"),
        "takers: wait, 95 % over median": (_ratio(f.gaps_ms[_P95], f.gaps_ms[_MEDIAN]), "x 2"),
        "takers: wait, 99 % over median": (_ratio(f.gaps_ms[_P99], f.gaps_ms[_MEDIAN]), "x 2"),
    }
    for lag in (1, 10, 50):
        out[f"signs: autocorrelation at lag {lag}"] = (f.signs[LAGS.index(lag)], "± 0.15" if lag == 1 else "± 0.1")
    return out | {
        "volatility signature, 60 s over 1 s": (_ratio(f.vol_60s, f.vol_1s * math.sqrt(60)), "x 1.5"),
        "seconds without a move": (f.still_1s, "± 0.2"),
        "book: taken back of what left": (f.withdrawn, "± 0.05"),
    }


def _ratio(a: float, b: float) -> float:
    return a / b if b else math.nan


def _verdict(name: str, simulated: float, real: float, allowed: str) -> Verdict:
    how, distance = allowed.split()
    if math.isnan(simulated) or math.isnan(real):
        within = False
    elif how == "±":
        within = abs(simulated - real) <= float(distance)
    else:
        within = simulated > 0 and real > 0 and abs(math.log(simulated / real)) <= math.log(float(distance))
    return Verdict(name, simulated, real, allowed, within)


def gate_table(verdicts: Sequence[Verdict], simulated: str, real: str) -> str:
    """Write the comparison for a person."""
    lines = [f"simulated: {simulated}", f"real:      {real}", ""]
    lines.append(f"{'':44}{'simulated':>12}{'real':>12}{'allowed':>10}")
    for verdict in verdicts:
        word = "within" if verdict.within else "OUTSIDE"
        lines.append(f"{verdict.figure:44}{verdict.simulated:12.3f}{verdict.real:12.3f}{verdict.allowed:>10}  {word}")
    near = sum(verdict.within for verdict in verdicts)
    return "\n".join([*lines, "", f"{near} of {len(verdicts)} figures within"])

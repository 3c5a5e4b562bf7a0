"""Squeezes: a run upward into the stops of those who are short, which feeds itself; and the same run without any.

With fuel, short holders have left stops in clusters 1 to 8 ticks beyond the session's high and beyond round numbers
(Osler 2003), others are called for margin every few ticks and buy, and the tape says at its start how short the market
is. Without fuel the tape says that it is not, nobody leaves stops, and the run is takers alone. Both take
minutes, with several times the usual pace, mostly buys, and half of the asks withdrawn; both end and fade.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from feeds.events import BID, F_ADV20, F_BORROW_FEE, F_FLOAT_SHARES, F_SHORT_INTEREST, F_UTILISATION, FACT_DECIMALS
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.background import hit
from feeds.simulator.chance import below, wait
from feeds.simulator.commands import (
    stop,
)
from feeds.simulator.matching import (
    note,
)
from feeds.simulator.plants._contract import EVERY, Context, Label, Note, Planned, Plant, Setting, every
from feeds.simulator.plants._stage import leave_stage, middle, push_to, take_stage
from feeds.simulator.state import (
    A_PLANT,
    N_BEGUN,
    N_ENDED,
    N_EXECUTED,
    N_MARK,
    N_STOPS,
    NO_ASK,
    PLANT_OWNER,
    PLANT_STREAM,
    PLANT_VALUES,
    UNIT,
)

CODE: Final = 5
_SECOND_NS: Final = 1_000_000_000
(_FUEL, _HEIGHT, _TIME_NS, _CLUSTERS, _CLUSTER_LOTS, _SWEEP, _FADE, _ENDS, _CALLED, _START) = range(10)
(_BEGIN, _LOOK, _SWEEPS, _RELEASE) = range(4)
_IDLE, _ACTIVE, _FADING, _OVER = range(4)


@part
def squeeze_step(s: Any, p: int, phase: int) -> None:
    """What happens in a squeeze when its time comes."""
    v = p * PLANT_VALUES
    if phase == _BEGIN:
        if take_stage(s, p):
            begin(s, p, v)
    elif phase == _LOOK and s.p_step[p] in (_ACTIVE, _FADING):
        look(s, p, v)
    elif phase == _SWEEPS and s.p_step[p] == _ACTIVE:
        lots = s.p_values[v + _SWEEP]
        hit(s, BID, lots // 2 + below(s, PLANT_STREAM + p, lots), 3)
        at(s, s.now + 1000 + wait(s, PLANT_STREAM + p, 5 * _SECOND_NS), A_PLANT, p, _SWEEPS, 0)
    elif phase == _RELEASE and s.p_step[p] == _FADING:
        s.p_step[p] = _OVER
        leave_stage(s)


@part
def begin(s: Any, p: int, v: int) -> None:
    """Leave the stops and start the run."""
    stream = PLANT_STREAM + p
    s.p_step[p] = _ACTIVE
    here = middle(s) // 2
    s.p_values[v + _START] = here
    s.p_values[v + _CALLED] = here
    s.p_values[v + _ENDS] = s.now + s.p_values[v + _TIME_NS]
    note(s, p, N_BEGUN, here, s.p_values[v + _HEIGHT], s.p_values[v + _FUEL])
    if s.p_values[v + _FUEL]:
        level = max(s.high, here + 2)
        for _ in range(s.p_values[v + _CLUSTERS]):
            total = s.p_values[v + _CLUSTER_LOTS]
            while total > 0:
                lots = min(total, 3 + below(s, stream, max(2, s.p_values[v + _CLUSTER_LOTS] // 5)))
                total -= lots
                stop(s, PLANT_OWNER + p, BID, level + 1 + below(s, stream, 8), NO_ASK, lots)
            note(s, p, N_STOPS, level, s.p_values[v + _CLUSTER_LOTS], 0)
            level = (level + 9 + 19) // 20 * 20
    push_to(s, here + s.p_values[v + _HEIGHT], s.p_values[v + _TIME_NS])
    s.rush = 380
    s.bias = 700
    s.thin[1] = 38
    at(s, s.now + _SECOND_NS, A_PLANT, p, _LOOK, 0)
    at(s, s.now + 3 * _SECOND_NS, A_PLANT, p, _SWEEPS, 0)


@part
def look(s: Any, p: int, v: int) -> None:
    """Once a second: write down where the price is, call margin every few ticks, and end the run in its time."""
    here = middle(s)
    note(s, p, N_MARK, here, 0, s.p_step[p])
    at(s, s.now + _SECOND_NS, A_PLANT, p, _LOOK, 0)
    if s.p_step[p] != _ACTIVE:
        return
    if s.p_values[v + _FUEL] and here // 2 >= s.p_values[v + _CALLED] + 8:
        s.p_values[v + _CALLED] = here // 2
        done = hit(s, BID, s.p_values[v + _SWEEP] * 3 // 2, 4)
        note(s, p, N_EXECUTED, here // 2, done, 1)
    # Impact of the buying comes on top of the push; a run that is ahead of its time waits for it.
    if s.value > (s.p_values[v + _START] + s.p_values[v + _HEIGHT] + 8) * UNIT:
        s.push = 0
    if s.now >= s.p_values[v + _ENDS]:
        s.p_step[p] = _FADING
        note(s, p, N_ENDED, here, 0, 0)
        s.bias = -150
        s.rush = 180
        s.thin[1] = 100
        push_to(s, here // 2 - s.p_values[v + _FADE], 90 * _SECOND_NS)
        at(s, s.now + 90 * _SECOND_NS, A_PLANT, p, _RELEASE, 0)


# -- the plan and the label -----------------------------------------------------------------------


def _facts(context: Context, fuel: bool) -> tuple[tuple[int, int], ...]:
    shares = context.between(20, 200) * 1_000_000
    short = shares * (context.between(28, 45) if fuel else context.between(1, 6)) // 100
    days = context.between(60, 110) if fuel else context.between(8, 20)
    used = context.between(92, 100) if fuel else context.between(15, 45)
    fee = context.between(150, 800) if fuel else context.between(2, 7)
    return (
        (F_SHORT_INTEREST, short * 10 ** (FACT_DECIMALS[F_SHORT_INTEREST] or 0)),
        (F_FLOAT_SHARES, shares * 10 ** (FACT_DECIMALS[F_FLOAT_SHARES] or 0)),
        (F_ADV20, short * 10 // days * 10 ** (FACT_DECIMALS[F_ADV20] or 0)),
        (F_UTILISATION, used * 10_000_000),
        (F_BORROW_FEE, fee * 1_000_000),
    )


def _plan(context: Context) -> list[Planned]:
    said = context.settings["fuel"]
    drawn = context.chance(50)
    fuel = drawn if not said else said == "yes"  # one a session: the inputs are the instrument's
    facts = _facts(context, fuel)
    out = []
    for start in context.starts(600, 420, 20):
        height = context.between(70, 120)
        time = context.between(150, 260) * _SECOND_NS
        clusters = context.between(3, 5)
        lots = context.depth * context.between(200, 400) // 100
        sweep = context.depth * context.between(120, 220) // 100
        fade = height * context.between(25, 50) // 100
        params = {
            "fuel": fuel, "height": height, "stop_lots": lots if fuel else 0, "clusters": clusters if fuel else 0,
            "short_interest": facts[0][1] / 1e6, "float_shares": facts[1][1] / 1e6, "adv20": facts[2][1] / 1e6,
            "utilisation": facts[3][1] / 1e9, "borrow_fee": facts[4][1] / 1e9,
        }  # fmt: skip
        values = (int(fuel), height, time, clusters, lots, sweep, fade)
        out.append(Planned(CODE, start, BID, values, params, facts))
    return out


def _label(planned: Planned, notes: Sequence[Note]) -> Label | None:
    begun = [n for n in notes if n.what == N_BEGUN]
    marks = [n for n in notes if n.what == N_MARK]
    if not begun or not marks:
        return None
    ends = [n for n in notes if n.what == N_ENDED]
    last = ends[0].ns if ends else marks[-1].ns
    run = [n for n in marks if n.ns <= last]
    peak = max(run, key=lambda n: n.tick, default=marks[0])
    start = 2 * begun[0].tick
    halfway = next((n.ns for n in run if 2 * (n.tick - start) >= peak.tick - start), None)
    params = planned.params | {
        "peak_tick": peak.tick // 2,
        "peak_ns": peak.ns,
        "half_ns": halfway,
        "stop_levels": [n.tick for n in notes if n.what == N_STOPS],
        "margin_lots": sum(n.lots for n in notes if n.what == N_EXECUTED),
        "end_tick": marks[-1].tick // 2,
    }
    method = "fuel" if planned.params["fuel"] else "no fuel"
    outcome = "ran" if ends else "open"
    return Label("squeeze", method, BID, begun[0].tick, begun[0].ns, max(last, begun[0].ns), outcome, params)


SQUEEZE: Final = Plant(
    name="squeeze",
    text="runs upward into clusters of stops, with fuel, or the same run without",
    settings={
        EVERY: every(1500),
        "fuel": Setting(default="", words=("yes", "no"), text="whether the tape says that the market is short"),
    },
    plan=_plan,
    label=_label,
)

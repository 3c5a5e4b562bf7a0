"""Excursions from the session's VWAP: the price is led two deviations away and let go, with flow back to it or without.

With flow, takers and the fair value go on towards the VWAP for a minute or two after -1.5 deviations are crossed again;
without, the price is brought to -1.5 in the same way and from there on nothing drives it. What came first, the VWAP
of that moment or half a deviation beyond the extreme, is written down as it happened; neither is certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from feeds.events import ASK, BID
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.chance import whole_root
from feeds.simulator.matching import (
    note,
)
from feeds.simulator.plants._contract import EVERY, Context, Label, Note, Planned, Plant, Setting, every
from feeds.simulator.plants._stage import leave_stage, middle, take_stage
from feeds.simulator.state import (
    A_PLANT,
    N_BEGUN,
    N_CROSSED,
    N_ENDED,
    N_FIRST,
    N_MARK,
    N_TURNED,
    PLANT_VALUES,
    UNIT,
)

CODE: Final = 7
_SECOND_NS: Final = 1_000_000_000
(_FLOW_NS, _DEPTH, _RATE, _STRENGTH, _DEADLINE, _EXTREME, _UNTIL, _TARGET, _STOP) = range(9)
(_BEGIN, _LOOK) = range(2)
_IDLE, _LEAVING, _BACK, _FREE, _OVER = range(5)
TTL_NS: Final = 1500 * _SECOND_NS
"""After this a set-up is over without result."""


@part
def vwap_step(s: Any, p: int, phase: int) -> None:
    """Lead the price away, bring it back to -1.5 deviations, let it go, and see."""
    v = p * PLANT_VALUES
    if phase == _BEGIN:
        if take_stage(s, p):
            begin(s, p, v)
    elif s.p_step[p] != _OVER:
        look(s, p, v)
        if s.p_step[p] != _OVER:
            at(s, s.now + _SECOND_NS // 2, A_PLANT, p, _LOOK, 0)


@part
def deviation(s: Any) -> int:
    """The standard deviation of the session's prices by volume, in ticks / 16."""
    mean = s.vw_sum * 16 // max(1, s.vw_lots)
    return whole_root(max(0, s.vw_square * 256 // max(1, s.vw_lots) - mean * mean))


@part
def score(s: Any) -> int:
    """How far the mid price is from the VWAP, in deviations / 100."""
    mean = s.vw_sum * 16 // max(1, s.vw_lots) + 16 * s.price
    return (8 * middle(s) - mean) * 100 // max(1, deviation(s))


@part
def begin(s: Any, p: int, v: int) -> None:
    """Push the price away from the VWAP, further the way it is off already."""
    here = score(s)
    if abs(here) > 30:
        s.p_side[p] = BID if here < 0 else ASK
    s.p_step[p] = _LEAVING
    s.p_values[v + _DEADLINE] = s.now + 500 * _SECOND_NS
    note(s, p, N_BEGUN, middle(s), here, s.p_side[p])
    s.push = -s.p_side[p] * s.p_values[v + _RATE] * UNIT // 1000
    s.bias = -250 * s.p_side[p]
    at(s, s.now + _SECOND_NS // 2, A_PLANT, p, _LOOK, 0)


@part
def look(s: Any, p: int, v: int) -> None:
    """Twice a second: compare the price with the deviations."""
    side = s.p_side[p]
    away = -score(s) * side
    step = s.p_step[p]
    if step != _FREE and s.now > s.p_values[v + _DEADLINE]:
        over(s, p, 3)
    elif step == _LEAVING:
        if away >= s.p_values[v + _DEPTH]:
            s.p_step[p] = _BACK
            s.p_values[v + _EXTREME] = away
            note(s, p, N_FIRST, middle(s), away, deviation(s))
            turn_back(s, p, v)
    elif step == _BACK:
        s.p_values[v + _EXTREME] = max(s.p_values[v + _EXTREME], away)
        if away <= 150:
            s.p_step[p] = _FREE
            s.p_values[v + _DEADLINE] = s.now + TTL_NS
            s.p_values[v + _UNTIL] = s.now + s.p_values[v + _FLOW_NS]
            note(s, p, N_CROSSED, middle(s), away, s.p_values[v + _EXTREME])
            mean = s.vw_sum * 16 // max(1, s.vw_lots) + 16 * s.price
            s.p_values[v + _TARGET] = mean // 8
            s.p_values[v + _STOP] = (mean - side * deviation(s) * (s.p_values[v + _EXTREME] + 50) // 100) // 8
            note(s, p, N_MARK, s.p_values[v + _TARGET], s.p_values[v + _STOP], 0)
            if s.p_values[v + _FLOW_NS] == 0:
                # Neither a value that lags nor what takers moved it by may go on driving the price.
                s.value = middle(s) * UNIT // 2
                s.sway = 0
                let_go(s)
    elif (middle(s) - s.p_values[v + _TARGET]) * side >= 0:
        note(s, p, N_TURNED, middle(s), away, 0)
        over(s, p, 0)
    elif (middle(s) - s.p_values[v + _STOP]) * side <= 0:
        over(s, p, 1)
    elif s.now > s.p_values[v + _DEADLINE]:
        over(s, p, 2)
    elif s.now > s.p_values[v + _UNTIL]:
        let_go(s)


@part
def turn_back(s: Any, p: int, v: int) -> None:
    """Push the price back, with takers on its side."""
    s.push = s.p_side[p] * s.p_values[v + _RATE] * UNIT // 1000
    s.bias = s.p_values[v + _STRENGTH] * s.p_side[p]


@part
def over(s: Any, p: int, how: int) -> None:
    """Write down how it ended and let go."""
    s.p_step[p] = _OVER
    note(s, p, N_ENDED, middle(s), how, 0)
    leave_stage(s)


@part
def let_go(s: Any) -> None:
    """Leave the price to itself; nobody else leads it before it is known how this one ended."""
    s.push = 0
    s.bias = 0


# -- the plan and the label -----------------------------------------------------------------------

OUTCOMES: Final = ("target", "invalid", "timeout", "not reached")


def _plan(context: Context) -> list[Planned]:
    out = []
    said = context.settings["flow"]
    for start in context.starts(1900, 900, 30):
        side = BID if context.chance(50) else ASK
        drawn = context.chance(50)
        flow = drawn if not said else said == "yes"
        depth = context.between(210, 270)
        rate = context.between(12, 25)
        strength = context.between(300, 500)
        lasts = context.between(40, 140) * _SECOND_NS
        params = {"flow": flow, "depth_z": depth / 100, "rate": rate, "flow_s": lasts // _SECOND_NS if flow else 0}
        out.append(Planned(CODE, start, side, (lasts if flow else 0, depth, rate, strength), params))
    return out


def _label(planned: Planned, notes: Sequence[Note]) -> Label | None:
    begun = [n for n in notes if n.what == N_BEGUN]
    crossed = [n for n in notes if n.what == N_CROSSED]
    if not begun or not crossed:
        return None
    reached = [n for n in notes if n.what == N_FIRST]
    ends = [n for n in notes if n.what == N_ENDED]
    levels = next(n for n in notes if n.what == N_MARK)
    outcome = OUTCOMES[ends[0].lots] if ends else "open"
    params = planned.params | {
        "begin_ns": begun[0].ns,
        "start_z": begun[0].lots / 100,
        "reached_ns": reached[0].ns,
        "extreme_z": crossed[0].more / 100,
        "recross_ns": crossed[0].ns,
        "target_tick": levels.tick / 2,
        "stop_tick": levels.lots / 2,
        "end_ns": ends[0].ns if ends else None,
    }
    method = "with flow" if planned.params["flow"] else "without flow"
    last = ends[0].ns if ends else notes[-1].ns
    return Label("vwap", method, begun[0].more, crossed[0].tick // 2, crossed[0].ns, last, outcome, params)


VWAP: Final = Plant(
    name="vwap",
    text="excursions two deviations from the session's VWAP and back, with flow or without",
    settings={
        EVERY: every(900),
        "flow": Setting(default="", words=("yes", "no"), text="whether takers bring the price back"),
    },
    plan=_plan,
    label=_label,
)

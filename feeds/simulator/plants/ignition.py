"""Ignitions: a range that was tight for twenty minutes breaks on a surge of volume; 40 % fail.

Inside the range the fair value is led from edge to edge, so that both are touched again and again, at a quarter of the
usual volatility. The break comes with 2 to 6 times the usual pace and most takers on its side. A break that fails is
back inside within minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from feeds.events import ASK, BID
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.background import hit
from feeds.simulator.chance import below, wait
from feeds.simulator.matching import (
    note,
)
from feeds.simulator.plants._contract import EVERY, Context, Label, Note, Planned, Plant, Setting, every
from feeds.simulator.plants._stage import leave_stage, middle, push_to, take_stage
from feeds.simulator.state import (
    A_PLANT,
    N_BEGUN,
    N_BREAK,
    N_CROSSED,
    N_ENDED,
    N_FAILED,
    N_MARK,
    PLANT_STREAM,
    PLANT_VALUES,
    UNIT,
)

CODE: Final = 6
_SECOND_NS: Final = 1_000_000_000
(_WIDTH, _RANGE_NS, _RUSH, _FAILS, _REACH, _HOLD_NS, _SWEEP, _LOW, _HIGH, _UNTIL, _TOWARD) = range(11)
(_BEGIN, _RANGE, _BREAK, _SWEEPS, _RETURN, _RELEASE) = range(6)
_IDLE, _RANGING, _BREAKING, _RETURNING, _OVER = range(5)
SWING_NS: Final = 100 * _SECOND_NS
"""From one edge of the range to the other."""


@part
def ignition_step(s: Any, p: int, phase: int) -> None:
    """What happens in and after the range when its time comes."""
    v = p * PLANT_VALUES
    if phase == _BEGIN:
        if take_stage(s, p):
            begin(s, p, v)
    elif phase == _RANGE and s.p_step[p] == _RANGING:
        swing(s, p, v)
    elif phase == _BREAK and s.p_step[p] in (_BREAKING, _RETURNING):
        watch(s, p, v)
    elif phase == _SWEEPS and s.p_step[p] == _BREAKING:
        lots = s.p_values[v + _SWEEP]
        hit(s, s.p_side[p], lots // 2 + below(s, PLANT_STREAM + p, lots), 2)
        at(s, s.now + 1000 + wait(s, PLANT_STREAM + p, 6 * _SECOND_NS), A_PLANT, p, _SWEEPS, 0)
    elif phase == _RETURN and s.p_step[p] == _BREAKING:
        turn_back(s, p, v)
    elif phase == _RELEASE and s.p_step[p] != _OVER:
        s.p_step[p] = _OVER
        note(s, p, N_ENDED, middle(s), 0, 0)
        leave_stage(s)


@part
def begin(s: Any, p: int, v: int) -> None:
    """Hold the fair value in a range about where it is."""
    here = middle(s) // 2
    low = here - s.p_values[v + _WIDTH] // 2
    s.p_values[v + _LOW] = low
    s.p_values[v + _HIGH] = low + s.p_values[v + _WIDTH]
    s.p_values[v + _UNTIL] = s.now + s.p_values[v + _RANGE_NS]
    s.p_values[v + _TOWARD] = 1
    s.p_step[p] = _RANGING
    s.value = here * UNIT + UNIT // 2
    s.calm = 22
    s.rush = 80
    s.rein_low = low
    s.rein_high = low + s.p_values[v + _WIDTH]
    note(s, p, N_BEGUN, low, s.p_values[v + _WIDTH], 0)
    push_to(s, s.p_values[v + _HIGH], SWING_NS // 2)
    at(s, s.now + _SECOND_NS, A_PLANT, p, _RANGE, 0)


@part
def swing(s: Any, p: int, v: int) -> None:
    """Once a second: turn at the edges, and break when the time is over and the price is near the right edge."""
    low, high, toward = s.p_values[v + _LOW], s.p_values[v + _HIGH], s.p_values[v + _TOWARD]
    note(s, p, N_MARK, middle(s), 0, 0)
    edge = high if s.p_side[p] == BID else low
    if s.now >= s.p_values[v + _UNTIL] and abs(s.value - edge * UNIT) < 3 * UNIT:
        ignite(s, p, v)
        return
    if toward > 0 and s.value >= high * UNIT - UNIT // 2:
        s.p_values[v + _TOWARD] = -1
        push_to(s, low, SWING_NS)
    elif toward < 0 and s.value <= low * UNIT + UNIT // 2:
        s.p_values[v + _TOWARD] = 1
        push_to(s, high, SWING_NS)
    at(s, s.now + _SECOND_NS, A_PLANT, p, _RANGE, 0)


@part
def ignite(s: Any, p: int, v: int) -> None:
    """Let go and push through the edge."""
    side = s.p_side[p]
    edge = s.p_values[v + _HIGH] if side == BID else s.p_values[v + _LOW]
    s.p_tick[p] = edge
    s.p_step[p] = _BREAKING
    s.rein_low = 0
    s.rein_high = 0
    s.calm = 70
    s.rush = s.p_values[v + _RUSH]
    s.bias = 450 * side
    reach = s.p_values[v + _REACH]
    push_to(s, edge + side * reach, 60 * _SECOND_NS)
    note(s, p, N_BREAK, edge, reach, 0)
    at(s, s.now + _SECOND_NS // 4, A_PLANT, p, _BREAK, 0)
    at(s, s.now + _SECOND_NS, A_PLANT, p, _SWEEPS, 0)
    at(s, s.now + s.p_values[v + _HOLD_NS], A_PLANT, p, _RETURN, 0)
    at(s, s.now + 330 * _SECOND_NS, A_PLANT, p, _RELEASE, 0)


@part
def watch(s: Any, p: int, v: int) -> None:
    """Write down when the price is first outside, and when it is back inside by a quarter of the width."""
    side, edge = s.p_side[p], s.p_tick[p]
    width = s.p_values[v + _WIDTH]
    outside = (middle(s) - 2 * edge) * side
    if outside > 2 * max(1, width // 10):
        note(s, p, N_CROSSED, middle(s), outside, 0)
    elif 4 * outside < -2 * width:
        note(s, p, N_FAILED, middle(s), outside, 0)
    at(s, s.now + _SECOND_NS // 4, A_PLANT, p, _BREAK, 0)


@part
def turn_back(s: Any, p: int, v: int) -> None:
    """After the surge: go on quietly, or fall back into the range."""
    side, edge = s.p_side[p], s.p_tick[p]
    s.bias = 150 * side
    s.rush = 150
    if s.p_values[v + _FAILS]:
        s.p_step[p] = _RETURNING
        s.bias = -400 * side
        push_to(s, edge - side * s.p_values[v + _WIDTH], 60 * _SECOND_NS)
    else:
        push_to(s, s.value // UNIT + side * s.p_values[v + _REACH], 200 * _SECOND_NS)


# -- the plan and the label -----------------------------------------------------------------------


def _plan(context: Context) -> list[Planned]:
    out = []
    fails = context.number("fails", 40)
    for start in context.starts(900, 1700, 10):
        side = BID if context.chance(50) else ASK
        width = context.between(8, 14)
        length = context.between(1260, 1440) * _SECOND_NS
        rush = context.between(200, 600)
        failing = context.chance(fails)
        reach = width // 2 + context.between(4, 8)
        hold = (context.between(35, 80) if failing else context.between(70, 120)) * _SECOND_NS
        sweep = context.depth * context.between(60, 120) // 100
        values = (width, length, rush, int(failing), reach, hold, sweep)
        params = {"width": width, "rush": rush, "fails": failing, "range_s": length // _SECOND_NS}
        out.append(Planned(CODE, start, side, values, params))
    return out


def _label(planned: Planned, notes: Sequence[Note]) -> Label | None:
    broke = [n for n in notes if n.what == N_BREAK]
    if not broke:
        return None
    crossed = [n for n in notes if n.what == N_CROSSED]
    inside = [n for n in notes if n.what == N_FAILED and crossed and n.ns > crossed[0].ns]
    begun = next(n for n in notes if n.what == N_BEGUN)
    marks = [n.tick for n in notes if n.what == N_MARK]
    t0 = crossed[0].ns if crossed else broke[0].ns
    failed = bool(inside) and inside[0].ns - t0 <= 300 * _SECOND_NS
    outcome = "not out" if not crossed else "failed" if failed else "held"
    params = planned.params | {
        "range_low": begun.tick,
        "range_high": begun.tick + begun.lots,
        "mid_low": min(marks) / 2,
        "mid_high": max(marks) / 2,
        "range_ns": begun.ns,
        "surge_ns": broke[0].ns,
        "failed_ns": inside[0].ns if failed else None,
        "furthest": max((n.lots for n in crossed), default=0) / 2,
    }
    method = "up" if planned.side == BID else "down"
    return Label("ignition", method, planned.side, broke[0].tick, t0, t0 + 60 * _SECOND_NS, outcome, params)


IGNITION: Final = Plant(
    name="ignition",
    text="a range tight for twenty minutes that breaks on a surge of volume, or fails to",
    settings={
        EVERY: every(2400),
        "fails": Setting(default="40", low=0, high=100, text="percent that fall back"),
    },
    plan=_plan,
    label=_label,
)

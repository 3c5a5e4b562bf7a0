"""Absorbers: somebody keeps one price supplied against a run of takers, from an inventory that ends; half break.

The price stands while tens of times the usual volume trades at it, in two waves. The inventory comes as many orders
of changing size. Where it lasts longer than the takers the level has held and the price turns away; where it does
not, the price goes through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from feeds.events import ASK, BID
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.background import opposite, touch
from feeds.simulator.chance import below, wait
from feeds.simulator.commands import (
    limit,
)
from feeds.simulator.matching import (
    at_level,
    note,
)
from feeds.simulator.plants._contract import EVERY, Context, Label, Note, Planned, Plant, Setting, every
from feeds.simulator.plants._stage import hit_to, hold_beside, leave_stage, take_stage, withdraw_at
from feeds.simulator.state import (
    A_PLANT,
    N_BEGUN,
    N_BREAK,
    N_ENDED,
    N_EXECUTED,
    N_FIRST,
    PLANT_OWNER,
    PLANT_STREAM,
    PLANT_VALUES,
    UNIT,
)

CODE: Final = 2
_SECOND_NS: Final = 1_000_000_000
(_DISPLAY, _INVENTORY, _ATTACK, _GAP_NS, _LOTS, _BEGAN, _WALL, _HIT, _PAUSED, _POSTED, _FIRST_DONE) = range(11)
(_BEGIN, _STRIKE, _SUPPLY, _RELEASE) = range(4)
_IDLE, _ACTIVE, _LEAVING, _OVER = range(4)
MOST_NS: Final = 40 * _SECOND_NS
"""An attack is given up after this."""


@part
def absorber_step(s: Any, p: int, phase: int) -> None:
    """What an absorber, and those who run against it, do when their time comes."""
    v = p * PLANT_VALUES
    if phase == _BEGIN:
        if take_stage(s, p):
            begin(s, p, v)
    elif phase == _RELEASE:
        if s.p_step[p] == _LEAVING:
            withdraw_at(s, p, s.p_side[p], s.p_tick[p])
            s.p_step[p] = _OVER
            leave_stage(s)
    elif s.p_step[p] != _ACTIVE:
        return
    elif phase == _STRIKE:
        strike(s, p, v)
    else:
        supply(s, p, v)


@part
def begin(s: Any, p: int, v: int) -> None:
    """Take a stand at the touch."""
    side = s.p_side[p]
    tick = touch(s, side)
    s.p_tick[p] = tick
    s.p_step[p] = _ACTIVE
    s.p_values[v + _BEGAN] = s.now
    s.p_values[v + _WALL] = at_level(s, side, tick)
    hold_beside(s, side, tick)
    note(s, p, N_BEGUN, tick, s.p_values[v + _INVENTORY], at_level(s, side, tick))
    supply(s, p, v)
    at(s, s.now + _SECOND_NS, A_PLANT, p, _STRIKE, 0)


@part
def supply(s: Any, p: int, v: int) -> None:
    """Put orders of changing size at the price until it shows enough, as long as there is something left."""
    side, tick = s.p_side[p], s.p_tick[p]
    at(s, s.now + 1000 + wait(s, PLANT_STREAM + p, 60_000_000), A_PLANT, p, _SUPPLY, 0)
    if (opposite(s, side) - tick) * side <= 0:
        return
    while s.p_values[v + _INVENTORY] > 0 and at_level(s, side, tick) < s.p_values[v + _DISPLAY]:
        lots = 1 + below(s, PLANT_STREAM + p, max(2, s.p_values[v + _DISPLAY] // 3))
        lots = min(lots, s.p_values[v + _INVENTORY])
        s.p_values[v + _INVENTORY] -= lots
        limit(s, PLANT_OWNER + p, side, tick, lots, 0, 0, 0)


@part
def strike(s: Any, p: int, v: int) -> None:
    """One taker of the run; then the next, or the end."""
    side, tick = s.p_side[p], s.p_tick[p]
    if s.p_values[v + _INVENTORY] == 0 and (touch(s, side) - tick) * side < 0:
        s.still = 0
        jump = 4 + below(s, PLANT_STREAM + p, 5)
        s.value = (tick - side * jump) * UNIT
        s.p_step[p] = _LEAVING
        note(s, p, N_BREAK, tick, s.p_values[v + _HIT], jump)
        at(s, s.now + 12 * _SECOND_NS, A_PLANT, p, _RELEASE, 0)
        return
    if s.p_values[v + _ATTACK] <= 0 or s.now - s.p_values[v + _BEGAN] > MOST_NS:
        s.still = 0
        s.value += side * (2 + below(s, PLANT_STREAM + p, 4)) * UNIT
        s.p_step[p] = _LEAVING
        note(s, p, N_ENDED, tick, s.p_values[v + _HIT], s.p_values[v + _INVENTORY])
        at(s, s.now + 4 * _SECOND_NS, A_PLANT, p, _RELEASE, 0)
        return
    lots = 1 + below(s, PLANT_STREAM + p, 2 * s.p_values[v + _LOTS])
    if s.p_values[v + _INVENTORY] == 0:
        lots += at_level(s, side, tick)
    s.p_values[v + _ATTACK] -= hit_to(s, -side, lots, tick)
    gap = wait(s, PLANT_STREAM + p, s.p_values[v + _GAP_NS])
    if s.p_values[v + _PAUSED] == 0 and s.now - s.p_values[v + _BEGAN] > 8 * _SECOND_NS:
        s.p_values[v + _PAUSED] = 1
        gap = 2_500_000_000
    at(s, s.now + 1000 + gap, A_PLANT, p, _STRIKE, 0)


@part
def absorber_told(s: Any, p: int, lots: int) -> None:
    """Lots of it were executed."""
    if s.p_step[p] != _ACTIVE or lots == 0:
        return
    v = p * PLANT_VALUES
    s.p_values[v + _HIT] += lots
    note(s, p, N_EXECUTED, s.p_tick[p], lots, 0)
    shown = max(s.p_values[v + _WALL], s.p_values[v + _DISPLAY])
    if s.p_values[v + _FIRST_DONE] == 0 and s.p_values[v + _HIT] >= 2 * shown:
        s.p_values[v + _FIRST_DONE] = 1
        note(s, p, N_FIRST, s.p_tick[p], s.p_values[v + _HIT], 0)


# -- the plan and the label -----------------------------------------------------------------------


def _plan(context: Context) -> list[Planned]:
    out = []
    for start in context.starts(30, 70):
        side = BID if context.chance(50) else ASK
        display = context.depth * context.between(70, 150) // 100
        inventory = display * context.between(4, 10)
        breaks = context.chance(context.number("breaks", 50))
        # Takers follow takers: what strikes is less than half of what arrives.
        attack = inventory * (context.between(110, 140) if breaks else context.between(35, 50)) // 100
        gap = context.between(120, 320) * 1_000_000
        lots = max(1, attack * gap // (14 * _SECOND_NS))
        values = (display, inventory, attack, gap, lots)
        out.append(Planned(CODE, start, side, values, {"display": display, "inventory": inventory, "attack": attack}))
    return out


def _label(planned: Planned, notes: Sequence[Note]) -> Label | None:
    begun = [n for n in notes if n.what == N_BEGUN]
    if not begun:
        return None
    ends = [n for n in notes if n.what in (N_ENDED, N_BREAK)]
    first = [n for n in notes if n.what == N_FIRST]
    outcome = "open" if not ends else "broke" if ends[0].what == N_BREAK else "held"
    last = ends[0].ns if ends else notes[-1].ns
    params = planned.params | {
        "begin_ns": begun[0].ns,
        "level_lots": begun[0].more,
        "executed": sum(n.lots for n in notes if n.what == N_EXECUTED),
        "evident": bool(first),
    }
    t0 = first[0].ns if first else begun[0].ns
    return Label("absorber", "limit orders", planned.side, begun[0].tick, t0, max(t0, last), outcome, params)


ABSORBER: Final = Plant(
    name="absorber",
    text="one price kept supplied against a run of takers, from an inventory that ends",
    settings={
        EVERY: every(120),
        "breaks": Setting(default="50", low=0, high=100, text="percent in which the inventory is too small"),
    },
    plan=_plan,
    label=_label,
)

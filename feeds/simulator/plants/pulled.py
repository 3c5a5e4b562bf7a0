"""Pulled liquidity: large orders shown behind the touch and taken back untouched, again and again; and innocent twins.

A pattern shows about the same size on one side several times, takes it back before the price reaches it, and trades on
the other side meanwhile. A twin shows large orders too, but on either side, of any size, for as long as it takes,
and some of them are executed; it is labelled `innocent` and an alert on it is false.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from feeds.events import ASK, BID
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.background import hit, opposite, touch
from feeds.simulator.chance import below
from feeds.simulator.commands import (
    cancel,
    limit,
)
from feeds.simulator.matching import (
    note,
)
from feeds.simulator.plants._contract import EVERY, Context, Label, Note, Planned, Plant, Setting, every
from feeds.simulator.state import (
    A_PLANT,
    CONTINUOUS,
    CROWD,
    N_CANDIDATE,
    N_ENDED,
    N_EXECUTED,
    N_GONE,
    N_PRINT,
    PLANT_OWNER,
    PLANT_STREAM,
    PLANT_VALUES,
)

CODE: Final = 4
_MS: Final = 1_000_000
(_LEFT, _LOTS, _VARY, _LIFE_NS, _GAP_NS, _TWIN, _DISTANCE, _AWAY, _TOUCH, _ENDS) = range(10)
(_BEGIN, _WATCH, _TRADE) = range(3)


@part
def pulled_step(s: Any, p: int, phase: int) -> None:
    """What the one who shows large orders does when the time comes."""
    v = p * PLANT_VALUES
    if phase == _BEGIN:
        show(s, p, v)
    elif phase == _WATCH:
        watch(s, p, v)
    elif s.p_id[p] != 0 and s.phase == CONTINUOUS:
        side = s.p_side[p]
        tick = touch(s, -side)
        lots = 5 + below(s, PLANT_STREAM + p, 15)
        limit(s, CROWD, -side, tick, lots, 0, 0, 0)
        done = hit(s, side, lots, 0)
        note(s, p, N_PRINT, tick, done, 0)


@part
def show(s: Any, p: int, v: int) -> None:
    """Show one large order some ticks behind the touch."""
    stream = PLANT_STREAM + p
    if s.phase != CONTINUOUS:
        at(s, s.now + 5_000 * _MS, A_PLANT, p, _BEGIN, 0)
        return
    if s.p_values[v + _TWIN] and below(s, stream, 2):
        s.p_side[p] = -s.p_side[p]
    side = s.p_side[p]
    away = 1 + below(s, stream, s.p_values[v + _DISTANCE])
    tick = touch(s, side) - side * away
    lots = s.p_values[v + _LOTS]
    spread = lots * s.p_values[v + _VARY] // 100
    lots += below(s, stream, 2 * spread + 1) - spread
    slot = limit(s, PLANT_OWNER + p, side, tick, lots, 0, 0, 0)
    s.p_slot[p] = slot
    s.p_id[p] = s.o_id[slot] if slot >= 0 else 0
    s.p_tick[p] = tick
    life = s.p_values[v + _LIFE_NS]
    life = life // 2 + below(s, stream, life // 1000 + 1) * 1000
    s.p_values[v + _ENDS] = s.now + life
    s.p_values[v + _AWAY] = away
    s.p_values[v + _TOUCH] = touch(s, side)
    if slot >= 0:
        note(s, p, N_CANDIDATE, tick, lots, away * side)
    if s.p_values[v + _TWIN] == 0:
        at(s, s.now + life * (30 + below(s, stream, 40)) // 100, A_PLANT, p, _TRADE, 0)
    at(s, s.now + 20 * _MS, A_PLANT, p, _WATCH, 0)


@part
def watch(s: Any, p: int, v: int) -> None:
    """Take the order back when its time is over, or as soon as the price comes half the way; then show the next."""
    slot, side = s.p_slot[p], s.p_side[p]
    if s.p_id[p] == 0 or slot < 0 or s.o_id[slot] != s.p_id[p]:
        gone = 2
    else:
        near = (touch(s, side) - s.p_tick[p]) * side
        came = s.p_values[v + _TWIN] == 0 and 2 * near <= s.p_values[v + _AWAY]
        gone = 1 if came else 0
        if s.now >= s.p_values[v + _ENDS] or (opposite(s, side) - s.p_tick[p]) * side <= 0:
            gone = 3
    if gone == 0:
        at(s, s.now + 20 * _MS, A_PLANT, p, _WATCH, 0)
        return
    cancel(s, slot, s.p_id[p])
    s.p_id[p] = 0
    s.p_slot[p] = -1
    note(s, p, N_GONE, s.p_tick[p], 0, gone)
    s.p_values[v + _LEFT] -= 1
    if s.p_values[v + _LEFT] > 0:
        gap = s.p_values[v + _GAP_NS]
        at(s, s.now + gap // 2 + below(s, PLANT_STREAM + p, gap // 1000) * 1000, A_PLANT, p, _BEGIN, 0)
    else:
        note(s, p, N_ENDED, s.p_tick[p], 0, 0)


@part
def pulled_told(s: Any, p: int, lots: int, order_id: int) -> None:
    """Lots of a large order were executed."""
    if lots > 0 and order_id == s.p_id[p]:
        note(s, p, N_EXECUTED, s.p_tick[p], lots, 0)


# -- the plan and the label -----------------------------------------------------------------------

_GONE: Final = {1: "approached", 2: "executed", 3: "time"}


def _plan(context: Context) -> list[Planned]:
    out = []
    twins = context.number("twins", 50)
    for start in context.starts(40, 40):
        twin = context.chance(twins)
        side = BID if context.chance(50) else ASK
        left = context.between(4, 8)
        lots = max(60, context.depth * context.between(350, 600) // 100)
        vary = 70 if twin else context.between(0, 10)
        life = (context.between(8, 40) if twin else context.between(1, 4)) * 1000 * _MS
        gap = context.between(10, 35) * 1000 * _MS
        distance = context.between(4, 9)
        values = (left, lots, vary, life, gap, int(twin), distance)
        params = {"candidates_planned": left, "lots": lots, "vary": vary, "twin": twin, "life_ms": life // _MS}
        out.append(Planned(CODE, start, side, values, params))
    return out


def _label(planned: Planned, notes: Sequence[Note]) -> Label | None:
    shown = [n for n in notes if n.what == N_CANDIDATE]
    gone = [n for n in notes if n.what == N_GONE]
    if not shown or not gone:
        return None
    executed: list[int] = []
    reasons: list[str] = []
    for at_place, candidate in enumerate(shown):
        end = gone[at_place].ns if at_place < len(gone) else notes[-1].ns
        executed.append(sum(n.lots for n in notes if n.what == N_EXECUTED and candidate.ns <= n.ns <= end))
        reasons.append(_GONE[gone[at_place].more] if at_place < len(gone) else "open")
    params = planned.params | {
        "shown_ns": [n.ns for n in shown],
        "gone_ns": [n.ns for n in gone],
        "ticks": [n.tick for n in shown],
        "distances": [abs(n.more) for n in shown],
        "sides": [1 if n.more > 0 else -1 for n in shown],
        "sizes": [n.lots for n in shown],
        "executed": executed,
        "why": reasons,
        "third_gone_ns": gone[2].ns if len(gone) > 2 else None,
        "opposite_ns": [n.ns for n in notes if n.what == N_PRINT and n.lots],
    }
    twin = planned.params["twin"]
    method, outcome = ("twin", "innocent") if twin else ("pattern", "pulled")
    return Label("pulled", method, planned.side, shown[0].tick, shown[0].ns, gone[-1].ns, outcome, params)


PULLED: Final = Plant(
    name="pulled",
    text="large orders shown and taken back before they can trade, and innocent twins",
    settings={
        EVERY: every(150),
        "twins": Setting(default="50", low=0, high=100, text="percent that are innocent twins"),
    },
    plan=_plan,
    label=_label,
)

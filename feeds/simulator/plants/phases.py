"""An opening auction and trading halts, to be planted like anything else: phases of the market, not patterns in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from feeds.events import ASK, BID
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.chance import below
from feeds.simulator.commands import (
    begin_call,
    halt,
    limit,
    uncross,
)
from feeds.simulator.matching import (
    note,
)
from feeds.simulator.plants._contract import EVERY, Context, Label, Note, Planned, Plant, Setting, every
from feeds.simulator.state import (
    A_PLANT,
    CALL,
    CONTINUOUS,
    CROWD,
    HALTED,
    N_BEGUN,
    N_ENDED,
    PLANT_STREAM,
    PLANT_VALUES,
    UNIT,
)

CODE: Final = 8
_SECOND_NS: Final = 1_000_000_000
(_HALT_NS, _CALL_NS) = range(2)
(_BEGIN, _CALL, _ORDER, _UNCROSS) = range(4)


@part
def phase_step(s: Any, p: int, phase: int) -> None:
    """Halt, call, and open again."""
    v = p * PLANT_VALUES
    if phase == _BEGIN:
        if s.phase != CONTINUOUS or s.stage != 0:
            at(s, s.now + 20 * _SECOND_NS, A_PLANT, p, _BEGIN, 0)
            return
        s.stage = p + 1
        note(s, p, N_BEGUN, s.last_tick, s.p_values[v + _HALT_NS], 0)
        if s.p_values[v + _HALT_NS] > 0:
            halt(s)
            at(s, s.now + s.p_values[v + _HALT_NS], A_PLANT, p, _CALL, 0)
        else:
            call(s, p, v)
    elif phase == _CALL and s.phase == HALTED:
        call(s, p, v)
    elif phase == _ORDER and s.phase == CALL:
        order(s, p)
    elif phase == _UNCROSS:
        done = uncross(s)
        s.stage = 0
        note(s, p, N_ENDED, s.last_tick, done, 0)


@part
def call(s: Any, p: int, v: int) -> None:
    """Gather orders; they may cross."""
    begin_call(s)
    at(s, s.now + 1000, A_PLANT, p, _ORDER, 0)
    at(s, s.now + s.p_values[v + _CALL_NS], A_PLANT, p, _UNCROSS, 0)


@part
def order(s: Any, p: int) -> None:
    """One order into the call, either side of where the value is."""
    stream = PLANT_STREAM + p
    side = BID if below(s, stream, 2) else ASK
    tick = s.value // UNIT + below(s, stream, 7) - 3
    limit(s, CROWD, side, tick, 1 + below(s, stream, s.depth[0] // 2 + 2), 0, 0, 0)
    at(s, s.now + (20 + below(s, stream, 400)) * 1_000_000, A_PLANT, p, _ORDER, 0)


def _plan_halts(context: Context) -> list[Planned]:
    out = []
    for start in context.starts(120, 120):
        length = context.between(20, 60) * _SECOND_NS
        values = (length, 10 * _SECOND_NS)
        out.append(Planned(CODE, start, 0, values, {"halt_ms": length // 1_000_000}))
    return out


def _plan_auction(context: Context) -> list[Planned]:
    return [Planned(CODE, 0, 0, (0, context.number("seconds", 15) * _SECOND_NS), {})]


def _label(planned: Planned, notes: Sequence[Note]) -> Label | None:
    begun = [n for n in notes if n.what == N_BEGUN]
    ends = [n for n in notes if n.what == N_ENDED]
    if not begun or not ends:
        return None
    method = "halt" if planned.values[_HALT_NS] else "auction"
    params = planned.params | {"auction_lots": ends[0].lots}
    return Label("phase", method, 0, ends[0].tick, begun[0].ns, ends[0].ns, "opened", params)


HALT: Final = Plant(
    name="halt", text="trading halts, each ended by an auction", settings={EVERY: every(1200)}, plan=_plan_halts,
    label=_label,
)  # fmt: skip
AUCTION: Final = Plant(
    name="auction",
    text="the session opens with an auction",
    settings={"seconds": Setting(default="15", low=1, high=600, text="length of the call")},
    plan=_plan_auction,
    label=_label,
)

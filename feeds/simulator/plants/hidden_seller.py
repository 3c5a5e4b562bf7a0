"""Hidden sellers (and buyers) at a level everybody knows: large takers meet orders that were never displayed.

The price is led to a round number, or to the session's high or low where that is nearer. There somebody rests lots
that are not displayed and a native iceberg; several very large takers run into them and the price does not go on.
After a silence it turns, or, where the hidden lots were too few, breaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from feeds.events import ASK, BID
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.background import touch
from feeds.simulator.chance import below, word
from feeds.simulator.commands import (
    cancel,
    limit,
)
from feeds.simulator.matching import (
    half,
    level_of,
    note,
)
from feeds.simulator.plants._contract import EVERY, Context, Label, Note, Planned, Plant, Setting, every
from feeds.simulator.plants._stage import hit_to, hold_beside, leave_stage, middle, push_to, take_stage, withdraw_at
from feeds.simulator.state import (
    A_PLANT,
    N_BEGUN,
    N_BREAK,
    N_ENDED,
    N_EXECUTED,
    N_FAILED,
    N_PRINT,
    N_TURNED,
    PLANT_OWNER,
    PLANT_STREAM,
    PLANT_VALUES,
    UNIT,
)

CODE: Final = 3
LEVELS: Final = ("round", "session extreme")
_SECOND_NS: Final = 1_000_000_000
(_HIDDEN, _PEAK, _PRINTS, _LOTS, _GAP_NS, _BREAKS, _TURN, _QUIET_NS, _DEADLINE, _LEVEL) = range(10)
(_BEGIN, _WATCH, _STRIKE, _TURNING, _FOLLOW, _RELEASE) = range(6)
_IDLE, _LEADING, _ACTIVE, _QUIET, _MOVING, _OVER = range(6)


@part
def seller_step(s: Any, p: int, phase: int) -> None:
    """What happens at the level when its time comes."""
    v = p * PLANT_VALUES
    if phase == _BEGIN:
        if take_stage(s, p):
            lead(s, p, v)
    elif phase == _WATCH and s.p_step[p] == _LEADING:
        watch(s, p, v)
    elif phase == _STRIKE and s.p_step[p] == _ACTIVE:
        strike(s, p, v)
    elif phase == _TURNING and s.p_step[p] == _QUIET:
        turn_away(s, p, v)
    elif phase == _FOLLOW and s.p_step[p] == _MOVING:
        follow(s, p, v)
    elif phase == _RELEASE and s.p_step[p] != _OVER:
        give_up(s, p)


@part
def give_up(s: Any, p: int) -> None:
    """Take everything back and leave the stage."""
    withdraw_at(s, p, s.p_side[p], s.p_tick[p])
    cancel(s, s.p_slot[p], s.p_id[p])
    s.p_step[p] = _OVER
    leave_stage(s)


@part
def lead(s: Any, p: int, v: int) -> None:
    """Choose the level and push the price there."""
    side = s.p_side[p]
    here = touch(s, side)
    step = 20
    tick = (here + step - 1) // step * step if side == ASK else here // step * step
    if (here - tick) * side < 3:
        tick -= side * step
    level = 0
    extreme = s.high if side == ASK else s.low
    if 3 <= (here - extreme) * side < (here - tick) * side:
        tick = extreme
        level = 1
    s.p_tick[p] = tick
    s.p_values[v + _LEVEL] = level
    s.p_step[p] = _LEADING
    push_to(s, tick - side, 25 * _SECOND_NS)
    s.p_values[v + _DEADLINE] = s.now + 90 * _SECOND_NS
    note(s, p, N_BEGUN, tick, s.p_values[v + _HIDDEN], level)
    at(s, s.now + _SECOND_NS // 4, A_PLANT, p, _WATCH, 0)


@part
def watch(s: Any, p: int, v: int) -> None:
    """Wait for the price at the level; then rest what nobody sees."""
    side, tick = s.p_side[p], s.p_tick[p]
    if (touch(s, side) - tick) * side > 0:
        if s.now > s.p_values[v + _DEADLINE]:
            note(s, p, N_FAILED, tick, 0, 0)
            give_up(s, p)
            return
        if (s.value - tick * UNIT) * side <= 0:
            s.push = 0
        at(s, s.now + _SECOND_NS // 4, A_PLANT, p, _WATCH, 0)
        return
    hold_beside(s, side, tick)
    s.p_step[p] = _ACTIVE
    if (tick - touch(s, -side)) * side < 0:
        slot = limit(s, PLANT_OWNER + p, side, tick, s.p_values[v + _HIDDEN], 0, 0, 1)
        s.p_slot[p] = slot
        s.p_id[p] = s.o_id[slot] if slot >= 0 else 0
        if s.p_values[v + _PEAK] > 0:
            limit(s, PLANT_OWNER + p, side, tick, 6 * s.p_values[v + _PEAK], s.p_values[v + _PEAK], 0, 0)
    at(s, s.now + _SECOND_NS, A_PLANT, p, _STRIKE, 0)


@part
def strike(s: Any, p: int, v: int) -> None:
    """One very large taker runs into the level; then the next, or silence."""
    side, tick = s.p_side[p], s.p_tick[p]
    lots = s.p_values[v + _LOTS]
    lots += below(s, PLANT_STREAM + p, lots // 2 + 1)
    level = s.lv_lots[level_of(s, half(side), tick)]
    if s.p_values[v + _BREAKS] and s.p_values[v + _PRINTS] == 1:
        lots += 2 * level + s.p_values[v + _HIDDEN]
    done = hit_to(s, -side, max(lots, level + lots // 3), tick)
    if done > 0:
        note(s, p, N_PRINT, tick, done, 0)
    s.p_values[v + _PRINTS] -= 1
    if s.p_values[v + _PRINTS] > 0:
        gap = s.p_values[v + _GAP_NS]
        at(s, s.now + gap // 2 + below(s, PLANT_STREAM + p, gap // 1000) * 1000, A_PLANT, p, _STRIKE, 0)
        return
    s.p_step[p] = _QUIET
    s.rush = 60
    quiet = s.p_values[v + _QUIET_NS]
    if s.p_values[v + _BREAKS]:
        quiet = _SECOND_NS
    at(s, s.now + quiet, A_PLANT, p, _TURNING, 0)


@part
def turn_away(s: Any, p: int, v: int) -> None:
    """The price turns from the level, or breaks it."""
    side, tick = s.p_side[p], s.p_tick[p]
    s.still = 0
    s.rush = 110
    s.p_step[p] = _MOVING
    way = s.p_values[v + _TURN]
    if s.p_values[v + _BREAKS]:
        withdraw_at(s, p, side, tick)
        cancel(s, s.p_slot[p], s.p_id[p])
        way = -way
    push_to(s, tick + side * way, 12 * _SECOND_NS)
    s.p_values[v + _DEADLINE] = s.now + 40 * _SECOND_NS
    note(s, p, N_ENDED, tick, way, 0)
    at(s, s.now + _SECOND_NS // 4, A_PLANT, p, _FOLLOW, 0)


@part
def follow(s: Any, p: int, v: int) -> None:
    """Write down when the price has really turned or broken."""
    side, tick = s.p_side[p], s.p_tick[p]
    off = (middle(s) - 2 * tick) * side
    if off >= 8:
        note(s, p, N_TURNED, tick, off, 0)
        give_up(s, p)
    elif off <= -6:
        note(s, p, N_BREAK, tick, off, 0)
        give_up(s, p)
    elif s.now > s.p_values[v + _DEADLINE]:
        give_up(s, p)
    else:
        if s.now > s.p_values[v + _DEADLINE] - 28 * _SECOND_NS:
            s.push = 0
        at(s, s.now + _SECOND_NS // 4, A_PLANT, p, _FOLLOW, 0)


@part
def seller_told(s: Any, p: int, what: int, lots: int) -> None:
    """Lots of it were executed."""
    if lots > 0:
        note(s, p, N_EXECUTED, s.p_tick[p], lots, what)
        word(s, PLANT_STREAM + p)


# -- the plan and the label -----------------------------------------------------------------------


def _plan(context: Context) -> list[Planned]:
    out = []
    for start in context.starts(60, 180):
        side = ASK if context.chance(60) else BID
        prints = context.between(4, 7)
        lots = context.depth * context.between(150, 300) // 100
        breaks = context.chance(context.number("breaks", 25))
        hidden = lots * prints * (context.between(15, 30) if breaks else context.between(150, 250)) // 100
        peak = context.between(4, 12) if context.chance(50) else 0
        gap = context.between(3, 8) * _SECOND_NS
        turn = context.between(8, 16)
        quiet = context.between(11, 16) * _SECOND_NS
        values = (hidden, peak, prints, lots, gap, int(breaks), turn, quiet)
        params = {"hidden_lots": hidden, "peak": peak, "print_lots": lots, "prints_planned": prints, "breaks": breaks}
        out.append(Planned(CODE, start, side, values, params))
    return out


def _label(planned: Planned, notes: Sequence[Note]) -> Label | None:
    begun = [n for n in notes if n.what == N_BEGUN]
    prints = [n for n in notes if n.what == N_PRINT]
    if not begun or not prints:
        return None
    turned = [n for n in notes if n.what == N_TURNED]
    broke = [n for n in notes if n.what == N_BREAK]
    ends = [n for n in notes if n.what == N_ENDED]
    t0 = prints[min(2, len(prints) - 1)].ns
    last = (turned or broke or ends or prints[-1:])[0].ns
    params = planned.params | {
        "level": LEVELS[begun[0].more],
        "first_print_ns": prints[0].ns,
        "last_print_ns": prints[-1].ns,
        "print_ns": [n.ns for n in prints],
        "prints": [n.lots for n in prints],
        "executed": sum(n.lots for n in notes if n.what == N_EXECUTED),
        "turn_ns": ends[0].ns if ends else None,
        "reversal_ns": turned[0].ns if turned else None,
    }
    outcome = "held" if turned else "broken" if broke else "open"
    return Label("hidden_seller", "hidden", planned.side, begun[0].tick, t0, max(t0, last), outcome, params)


HIDDEN_SELLER: Final = Plant(
    name="hidden_seller",
    text="large takers meet undisplayed lots at a level everybody knows, and the price turns",
    settings={
        EVERY: every(240),
        "breaks": Setting(default="25", low=0, high=100, text="percent in which the level breaks"),
    },
    plan=_plan,
    label=_label,
)

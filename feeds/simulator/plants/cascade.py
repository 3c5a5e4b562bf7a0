"""Liquidation cascades of a perpetual: a run in which positions are closed by force, each closing the next; and twins.

Holders on the wrong side are closed every few ticks of the run by orders at the market. The venue tells of them as
Binance does, one a second at most, so that they are a sample; open interest is told every `poll` seconds and falls by
what is closed. A twin is the same run, with the same orders, of takers who open positions: open interest rises and
nobody is closed by force. Small forced orders of both sides and small changes of open interest come all day long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from feeds.events import ASK, BID, F_FUNDING_RATE, F_LIQUIDATION, F_OPEN_INTEREST, FACT, NONE
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.background import hit, touch
from feeds.simulator.chance import below, wait
from feeds.simulator.commands import tell_fact
from feeds.simulator.matching import emit, note, seal
from feeds.simulator.plants._contract import EVERY, Context, Label, Note, Planned, Plant, Setting, every
from feeds.simulator.plants._stage import leave_stage, middle, push_to, take_stage
from feeds.simulator.state import (
    A_PLANT,
    N_BEGUN,
    N_ENDED,
    N_EXECUTED,
    N_MARK,
    PLANT_STREAM,
    PLANT_VALUES,
    UNIT,
)

CODE: Final = 9
_SECOND_NS: Final = 1_000_000_000
_STEPS: Final = 14
"""Closings in the height of a run."""
_REACH: Final = 60
"""Ticks past the best price that one of them goes at most."""
(_FORCED, _HEIGHT, _TIME_NS, _LOTS, _FADE, _ENDS, _START, _NEXT, _TOLD_NS, _PACE) = range(10)
(_INTEREST, _POLL_NS, _FUNDING) = range(1, 4)
_TELLER: Final = 2
"""In the place of _FORCED: no run, but the one who tells open interest, funding and everyday closings."""
(_BEGIN, _LOOK, _SWEEP, _RELEASE, _POLL, _STRAY) = range(6)
_IDLE, _ACTIVE, _FADING, _OVER = range(4)


@part
def cascade_step(s: Any, p: int, phase: int) -> None:
    """What happens in a cascade, and about it, when its time comes."""
    v = p * PLANT_VALUES
    if s.p_values[v + _FORCED] == _TELLER:
        tell_slowly(s, p, v, phase)
    elif phase == _BEGIN:
        if take_stage(s, p):
            begin(s, p, v)
    elif phase == _LOOK and s.p_step[p] in (_ACTIVE, _FADING):
        look(s, p, v)
    elif phase == _SWEEP and s.p_step[p] == _ACTIVE:
        lots = s.p_values[v + _LOTS] // 2
        hit(s, s.p_side[p], lots // 2 + below(s, PLANT_STREAM + p, lots), _REACH // 2)
        at(s, s.now + 1000 + wait(s, PLANT_STREAM + p, 5 * _SECOND_NS), A_PLANT, p, _SWEEP, 0)
    elif phase == _RELEASE and s.p_step[p] == _FADING:
        s.p_step[p] = _OVER
        leave_stage(s)


@part
def tell_forced(s: Any, side: int, tick: int, lots: int) -> None:
    """Tell of a position closed by force, in a message of its own."""
    emit(s, FACT, side, tick, lots, NONE, F_LIQUIDATION, 0)
    seal(s)


@part
def tell_slowly(s: Any, p: int, v: int, phase: int) -> None:
    """Open interest every few seconds, funding now and then, and the small closings of every day."""
    stream = PLANT_STREAM + p
    if phase == _BEGIN:
        s.interest = s.p_values[v + _INTEREST]
        at(s, s.now + 1000, A_PLANT, p, _POLL, 0)
        at(s, s.now + 1000 + wait(s, stream, 25 * _SECOND_NS), A_PLANT, p, _STRAY, 0)
        tell_fact(s, F_FUNDING_RATE, s.p_values[v + _FUNDING], FACT)
    elif phase == _POLL:
        wide = s.p_values[v + _INTEREST] // 5000
        s.interest += below(s, stream, 2 * wide + 1) - wide
        tell_fact(s, F_OPEN_INTEREST, s.interest, FACT)
        at(s, s.now + s.p_values[v + _POLL_NS], A_PLANT, p, _POLL, 0)
    elif phase == _STRAY:
        side = BID if below(s, stream, 2) else ASK
        lots = hit(s, side, 1 + below(s, stream, s.depth[0] // 8 + 2), 2)
        if lots > 0:
            s.interest -= lots
            tell_forced(s, side, touch(s, -side), lots)
        at(s, s.now + 1000 + wait(s, stream, 25 * _SECOND_NS), A_PLANT, p, _STRAY, 0)


@part
def begin(s: Any, p: int, v: int) -> None:
    """Start the run."""
    side = s.p_side[p]
    here = middle(s) // 2
    s.p_step[p] = _ACTIVE
    s.p_values[v + _START] = here
    s.p_values[v + _NEXT] = s.p_values[v + _HEIGHT] // _STEPS
    s.p_values[v + _ENDS] = s.now + s.p_values[v + _TIME_NS]
    note(s, p, N_BEGUN, here, s.p_values[v + _HEIGHT], s.p_values[v + _FORCED])
    push_to(s, here + side * s.p_values[v + _HEIGHT], s.p_values[v + _TIME_NS])
    s.rush = s.p_values[v + _PACE]
    s.bias = 650 * side
    s.thin[1 if side == BID else 0] = 40
    at(s, s.now + _SECOND_NS, A_PLANT, p, _LOOK, 0)
    at(s, s.now + 3 * _SECOND_NS, A_PLANT, p, _SWEEP, 0)


@part
def close_some(s: Any, p: int, v: int, here: int) -> None:
    """The next holders' margin is gone, or in a twin the next takers follow: an order as large either way."""
    side = s.p_side[p]
    lots = s.p_values[v + _LOTS]
    done = hit(s, side, lots // 2 + below(s, PLANT_STREAM + p, lots), _REACH)
    s.p_values[v + _NEXT] += s.p_values[v + _HEIGHT] // _STEPS
    note(s, p, N_EXECUTED, here // 2, done, s.p_values[v + _FORCED])
    if s.p_values[v + _FORCED] == 0:
        s.interest += done // 3
        return
    # Those who watch close too: what falls is more than what is forced.
    s.interest -= done + done // 2
    if done > 0 and s.now - s.p_values[v + _TOLD_NS] >= _SECOND_NS:
        s.p_values[v + _TOLD_NS] = s.now
        tell_forced(s, side, here // 2, done)


@part
def look(s: Any, p: int, v: int) -> None:
    """Four times a second: write down where the price is, close positions as it goes, end the run in its time."""
    side = s.p_side[p]
    here = middle(s)
    note(s, p, N_MARK, here, 0, s.p_step[p])
    at(s, s.now + _SECOND_NS // 4, A_PLANT, p, _LOOK, 0)
    if s.p_step[p] != _ACTIVE:
        return
    if (here // 2 - s.p_values[v + _START]) * side >= s.p_values[v + _NEXT]:
        close_some(s, p, v, here)
    # Impact comes on top of the push; a run that is ahead of its time waits for it.
    goal = s.p_values[v + _START] + side * (s.p_values[v + _HEIGHT] + _REACH)
    if (s.value - goal * UNIT) * side > 0:
        s.push = 0
    if s.now >= s.p_values[v + _ENDS]:
        s.p_step[p] = _FADING
        note(s, p, N_ENDED, here, 0, 0)
        s.bias = -150 * side
        s.rush = 180
        s.thin[0] = 100
        s.thin[1] = 100
        push_to(s, here // 2 - side * s.p_values[v + _FADE], 90 * _SECOND_NS)
        at(s, s.now + 90 * _SECOND_NS, A_PLANT, p, _RELEASE, 0)


# -- the plan and the label -----------------------------------------------------------------------


def _plan(context: Context) -> list[Planned]:
    said = context.settings["forced"]
    # What a session's closings have to do with its open interest: a run takes 4 to 8 % of it.
    lots = context.depth * context.between(100, 220) // 100
    interest = lots * _STEPS * 150 // context.between(4, 8)
    poll = context.number("poll", context.between(3, 15)) * _SECOND_NS
    funding = context.between(-300_000, 300_000)
    out = [Planned(CODE, 0, 0, (_TELLER, interest, poll, funding), {})]
    for start in context.starts(700, 420, 20):
        side = BID if context.chance(50) else ASK
        drawn = context.chance(50)
        forced = drawn if not said else said == "yes"
        height = context.between(1800, 3400)
        time = context.between(110, 220) * _SECOND_NS
        fade = height * context.between(25, 50) // 100
        pace = context.between(260, 420)
        params = {"forced": forced, "height": height, "lots": lots, "interest": interest, "pace": pace}
        values = (int(forced), height, time, lots, fade, 0, 0, 0, 0, pace)
        out.append(Planned(CODE, start, side, values, params))
    return out


def _label(planned: Planned, notes: Sequence[Note]) -> Label | None:
    begun = [n for n in notes if n.what == N_BEGUN]
    marks = [n for n in notes if n.what == N_MARK]
    if not begun or not marks:
        return None
    side = planned.side
    ends = [n for n in notes if n.what == N_ENDED]
    last = ends[0].ns if ends else marks[-1].ns
    run = [n for n in marks if n.ns <= last]
    peak = max(run, key=lambda n: n.tick * side, default=marks[0])
    start = 2 * begun[0].tick
    halfway = next((n.ns for n in run if 2 * (n.tick - start) * side >= (peak.tick - start) * side), None)
    closed = [n for n in notes if n.what == N_EXECUTED]
    params = planned.params | {
        "peak_tick": peak.tick // 2,
        "peak_ns": peak.ns,
        "half_ns": halfway,
        "order_ns": [n.ns for n in closed],
        "order_lots": [n.lots for n in closed],
        "end_tick": marks[-1].tick // 2,
    }
    method = "forced" if planned.params["forced"] else "unforced"
    outcome = "ran" if ends else "open"
    return Label("cascade", method, side, begun[0].tick, begun[0].ns, max(last, begun[0].ns), outcome, params)


CASCADE: Final = Plant(
    name="cascade",
    text="runs of a perpetual in which positions are closed by force, and the same runs without",
    settings={
        EVERY: every(900),
        "forced": Setting(default="", words=("yes", "no"), text="whether positions are closed by force"),
        "poll": Setting(default="", low=1, high=120, text="seconds between values of the open interest (3 to 15)"),
    },
    plan=_plan,
    label=_label,
)

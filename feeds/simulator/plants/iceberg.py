"""Icebergs: orders that show a little of themselves at a time, kept by the exchange (native) or the owner (synthetic).

A native one keeps its id and goes to the back of its level with each tranche, in the same match event. A synthetic
one sends a new order, with a new id, some time after the last was executed. Ranges are those of the specification:
display 1 to 30, 3 to 40 tranches, delay 0 or exponential with mean 50, 150, 500 or 2,000 ms, jitter 0, 20 or 50 %, 0.3
cancelled. Takers are drawn to it while it is the touch (Frey and Sandås 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from feeds.events import ASK, BID
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.background import hit, opposite, touch
from feeds.simulator.chance import below, wait, word
from feeds.simulator.commands import (
    cancel,
    limit,
)
from feeds.simulator.matching import (
    at_level,
    note,
)
from feeds.simulator.plants._contract import EVERY, Context, Label, Note, Planned, Plant, Setting, every
from feeds.simulator.state import (
    A_PLANT,
    CONTINUOUS,
    N_BEGUN,
    N_ENDED,
    N_EXECUTED,
    N_REFILL,
    PLANT_OWNER,
    PLANT_STREAM,
    PLANT_VALUES,
    PLANTS,
    W_DONE,
    W_SHOWN,
)

CODE: Final = 1
DELAYS_MS: Final = (0, 50, 150, 500, 2000)
JITTERS: Final = (0, 20, 50)
OUTCOMES: Final = ("done", "cancelled", "expired")
_SECOND_NS: Final = 1_000_000_000
(_NATIVE, _DISPLAY, _LEFT, _DELAY_NS, _JITTER, _CANCEL_AT, _BEHIND, _LIFE_NS, _PRESSURE_NS, _DONE) = range(10)
_IDLE, _ACTIVE, _OVER = 0, 1, 2
(_BEGIN, _TRANCHE, _PRESS, _EXPIRE, _CANCEL) = range(5)


@part
def iceberg_step(s: Any, p: int, phase: int) -> None:
    """What an iceberg does when its time comes."""
    v = p * PLANT_VALUES
    if phase == _BEGIN:
        begin(s, p, v)
    elif s.p_step[p] != _ACTIVE:
        return
    elif phase == _TRANCHE:
        show_next(s, p, v)
    elif phase == _PRESS:
        at(s, s.now + 1000 + wait(s, PLANT_STREAM + p, s.p_values[v + _PRESSURE_NS]), A_PLANT, p, _PRESS, 0)
        if s.phase == CONTINUOUS and touch(s, s.p_side[p]) == s.p_tick[p]:
            hit(s, -s.p_side[p], s.t_taken[word(s, PLANT_STREAM + p) & 4095], 0)
    else:
        cancel(s, s.p_slot[p], s.p_id[p])
        end(s, p, 1 if phase == _CANCEL else 2)


@part
def begin(s: Any, p: int, v: int) -> None:
    """Rest the first tranche where no other iceberg is."""
    if s.phase != CONTINUOUS:
        at(s, s.now + 5 * _SECOND_NS, A_PLANT, p, _BEGIN, 0)
        return
    side = s.p_side[p]
    tick = touch(s, side) - side * s.p_values[v + _BEHIND]
    while taken_by_another(s, side, tick):
        tick -= side
    s.p_tick[p] = tick
    s.p_step[p] = _ACTIVE
    note(s, p, N_BEGUN, tick, s.p_values[v + _LEFT], at_level(s, side, tick))
    if s.p_values[v + _NATIVE]:
        rest_order(s, p, s.p_values[v + _LEFT], s.p_values[v + _DISPLAY], s.p_values[v + _JITTER])
    else:
        show_next(s, p, v)
    at(s, s.now + s.p_values[v + _LIFE_NS], A_PLANT, p, _EXPIRE, 0)
    at(s, s.now + 1000 + wait(s, PLANT_STREAM + p, s.p_values[v + _PRESSURE_NS]), A_PLANT, p, _PRESS, 0)


@part
def taken_by_another(s: Any, side: int, tick: int) -> bool:
    """Say whether an iceberg is at a price already."""
    for p in range(PLANTS):
        if s.p_kind[p] == CODE and s.p_step[p] == _ACTIVE and s.p_side[p] == side and s.p_tick[p] == tick:
            return True
    return False


@part
def rest_order(s: Any, p: int, lots: int, peak: int, jitter: int) -> None:
    """Rest an order of the plant's."""
    slot = limit(s, PLANT_OWNER + p, s.p_side[p], s.p_tick[p], lots, peak, jitter, 0)
    s.p_slot[p] = slot
    s.p_id[p] = s.o_id[slot] if slot >= 0 else 0


@part
def show_next(s: Any, p: int, v: int) -> None:
    """Send the next tranche of a synthetic one; wait where the price has gone through."""
    side, tick = s.p_side[p], s.p_tick[p]
    if s.phase != CONTINUOUS or (opposite(s, side) - tick) * side <= 0:
        at(s, s.now + _SECOND_NS // 2, A_PLANT, p, _TRANCHE, 0)
        return
    lots = s.p_values[v + _DISPLAY]
    spread = lots * s.p_values[v + _JITTER] // 100
    if spread > 0:
        lots += below(s, PLANT_STREAM + p, 2 * spread + 1) - spread
    first = s.p_id[p] == 0
    lots = max(1, min(lots, s.p_values[v + _LEFT]))
    s.p_values[v + _LEFT] -= lots
    rest_order(s, p, lots, 0, 0)
    if not first:
        note(s, p, N_REFILL, tick, lots, s.p_id[p])


@part
def end(s: Any, p: int, how: int) -> None:
    """Write down the end."""
    s.p_step[p] = _OVER
    note(s, p, N_ENDED, s.p_tick[p], s.p_values[p * PLANT_VALUES + _DONE], how)


@part
def iceberg_told(s: Any, p: int, what: int, lots: int, order_id: int) -> None:
    """Lots of it were executed, or the exchange showed the next ones."""
    v = p * PLANT_VALUES
    if s.p_step[p] != _ACTIVE:
        return
    if what == W_SHOWN:
        note(s, p, N_REFILL, s.p_tick[p], lots, order_id)
        return
    s.p_values[v + _DONE] += lots
    note(s, p, N_EXECUTED, s.p_tick[p], lots, order_id)
    stops_at = s.p_values[v + _CANCEL_AT]
    if what == W_DONE:
        if s.p_values[v + _NATIVE] or s.p_values[v + _LEFT] == 0:
            end(s, p, 0)
            return
        delay = s.p_values[v + _DELAY_NS]
        after = wait(s, PLANT_STREAM + p, delay) if delay > 0 else 0
        at(s, s.now + 1000 + after, A_PLANT, p, _TRANCHE, 0)
    if stops_at > 0 and s.p_values[v + _DONE] >= stops_at:
        s.p_values[v + _CANCEL_AT] = 0
        at(s, s.now + 1000 + wait(s, PLANT_STREAM + p, _SECOND_NS), A_PLANT, p, _CANCEL, 0)


# -- the plan and the label -----------------------------------------------------------------------


def _plan(context: Context, method: str) -> list[Planned]:
    out = []
    for start in context.starts(15, 20):
        native = context.chance(50) if method == "mixed" else method == "native"
        side = BID if context.chance(50) else ASK
        display = context.number("display", context.between(1, 30))
        tranches = context.number("tranches", context.between(3, 40))
        delay = context.number("delay", DELAYS_MS[context.below(len(DELAYS_MS))])
        jitter = context.number("jitter", JITTERS[context.below(len(JITTERS))])
        cancelled = context.chance(context.number("cancel", 30))
        share = context.between(10, 90)
        lots = display * tranches
        behind = context.below(2)
        pressure = context.number("pressure", 400)
        delay = 0 if native else delay
        stops_at = max(1, lots * share // 100) if cancelled else 0
        life = 180 * _SECOND_NS
        values = (int(native), display, lots, delay * 1_000_000, jitter, stops_at, behind, life, pressure * 1_000_000)
        params = {
            "display": display, "tranches_planned": tranches, "lots": lots, "delay_ms": delay, "jitter": jitter,
            "cancel_at": stops_at, "native": native,
        }  # fmt: skip
        out.append(Planned(CODE, start, side, values, params))
    return out


def _label(planned: Planned, notes: Sequence[Note]) -> Label | None:
    begun = [n for n in notes if n.what == N_BEGUN]
    if not begun:
        return None
    refills = [n for n in notes if n.what == N_REFILL]
    done = [n for n in notes if n.what == N_EXECUTED]
    ended = [n for n in notes if n.what == N_ENDED]
    last = ended[0].ns if ended else notes[-1].ns
    outcome = OUTCOMES[ended[0].more] if ended else "open"
    executed = sum(n.lots for n in done)
    shown = sum(n.lots for n in refills)
    params = planned.params | {
        "begin_ns": begun[0].ns,
        "level_lots": begun[0].more,
        "tranches": 1 + len(refills),
        "executed": executed,
        "hidden": max(0, min(shown, executed - planned.params["display"])),
        "refill_ns": [n.ns for n in refills],
        "refill_lots": [n.lots for n in refills],
        "refill_ids": [n.more for n in refills],
        "cancelled": outcome == "cancelled",
    }
    method = "native" if planned.params["native"] else "synthetic"
    first = refills[0].ns if refills else begun[0].ns
    return Label("iceberg", method, planned.side, begun[0].tick, first, max(first, last), outcome, params)


_SETTINGS: Final = {
    EVERY: every(60),
    "display": Setting(default="", low=1, high=1000, text="lots shown at a time (1 to 30)"),
    "tranches": Setting(default="", low=1, high=1000, text="tranches (3 to 40)"),
    "delay": Setting(default="", low=0, high=60_000, text="mean ms until a synthetic one's next tranche"),
    "jitter": Setting(default="", low=0, high=90, text="percent by which tranches vary"),
    "cancel": Setting(default="30", low=0, high=100, text="percent that are taken back unfinished"),
    "pressure": Setting(
        default="400", low=1, high=60_000, text="mean ms between takers it draws while it is the touch"
    ),
}


def _kind(name: str, method: str, text: str) -> Plant:
    return Plant(name=name, text=text, settings=_SETTINGS, plan=lambda context: _plan(context, method), label=_label)


ICEBERG: Final = _kind("iceberg", "mixed", "icebergs, half kept by the exchange and half by their owners")
NATIVE: Final = _kind("native", "native", "icebergs kept by the exchange: one id, refilled in the match event")
SYNTHETIC: Final = _kind(
    "synthetic", "synthetic", "icebergs kept by their owners: a new order a tranche, after a delay"
)

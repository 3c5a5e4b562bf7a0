"""The run of the market as one kernel: the next arrival or the next entry of the agenda, whichever is earlier.

What is here sees every agent and every plant; they do not see each other.
"""

from __future__ import annotations

from typing import Any

from feeds.simulator._jit import kernel, part
from feeds.simulator.agenda import pop
from feeds.simulator.background import (
    arrive,
    beat,
    begin_background,
    block,
    child,
    crowd_add,
    depart,
    follow,
    leave_now,
    noise,
    parent,
    place,
    refill,
    room,
)
from feeds.simulator.chance import wait, word
from feeds.simulator.commands import (
    begin_call,
    cancel,
    enter_elected,
    halt,
    limit,
    replace,
    stop,
    take,
    uncross,
)
from feeds.simulator.negatives import (
    answer,
    begin_negatives,
    crowd,
    flick,
    flicker,
    maker_quotes,
    maker_told,
    makers_look,
    news,
    rotation,
    rung,
    storm,
    thin_open,
    turn,
    wall,
    wall_ends,
)
from feeds.simulator.plants import absorber, cascade, hidden_seller, iceberg, ignition, phases, pulled, squeeze, vwap
from feeds.simulator.plants.absorber import absorber_step, absorber_told
from feeds.simulator.plants.cascade import cascade_step
from feeds.simulator.plants.hidden_seller import seller_step, seller_told
from feeds.simulator.plants.iceberg import iceberg_step, iceberg_told
from feeds.simulator.plants.ignition import ignition_step
from feeds.simulator.plants.phases import phase_step
from feeds.simulator.plants.pulled import pulled_step, pulled_told
from feeds.simulator.plants.squeeze import squeeze_step
from feeds.simulator.plants.vwap import vwap_step
from feeds.simulator.state import (
    A_ANSWER,
    A_BEAT,
    A_BLOCK,
    A_CHILD,
    A_CROWD,
    A_CROWD_ADD,
    A_FLICK,
    A_FLICKER,
    A_FOLLOW,
    A_MAKER,
    A_NEWS,
    A_NOISE,
    A_PARENT,
    A_PLANT,
    A_REFILL,
    A_ROTATION,
    A_RUNG,
    A_STORM,
    A_TURN,
    A_WALL,
    A_WALL_END,
    A_WITHDRAW,
    CROWD,
    D_LEAVE,
    D_QUOTES,
    LADDER,
    MAKER_OWNER,
    MAKERS,
    NOTES,
    PLANT_OWNER,
    ROWS,
    SPARE_ROWS,
)

_ICEBERG, _ABSORBER, _SELLER, _PULLED = iceberg.CODE, absorber.CODE, hidden_seller.CODE, pulled.CODE
_SQUEEZE, _IGNITION, _VWAP, _PHASE = squeeze.CODE, ignition.CODE, vwap.CODE, phases.CODE
_CASCADE = cascade.CODE


@part
def act(s: Any, kind: int, a: int, b: int, c: int) -> None:
    """Let one entry of the agenda happen."""
    if kind == A_WITHDRAW:
        leave_now(s, a, b)
    elif kind == A_REFILL:
        refill(s, a)
    elif kind == A_FOLLOW:
        follow(s, a)
    elif kind == A_BEAT:
        beat(s)
        if s.negatives:
            makers_look(s)
            thin_open(s)
    elif kind == A_CHILD:
        child(s, a, b, c)
    elif kind == A_NOISE:
        noise(s)
    elif kind == A_PARENT:
        parent(s)
    elif kind == A_BLOCK:
        block(s)
    elif kind == A_PLANT:
        step_plant(s, a, b)
    else:
        act_negative(s, kind, a, b, c)


@part
def act_negative(s: Any, kind: int, a: int, b: int, c: int) -> None:
    """The same for the hard negatives."""
    if kind == A_MAKER:
        maker_quotes(s, a, b)
    elif kind == A_FLICK:
        flick(s)
    elif kind == A_RUNG:
        rung(s, a, b)
    elif kind == A_CROWD_ADD:
        crowd_add(s, a, b, c)
    elif kind == A_ANSWER:
        answer(s, a, b, c)
    elif kind == A_TURN:
        turn(s)
    elif kind == A_CROWD:
        crowd(s)
    elif kind == A_WALL:
        wall(s)
    elif kind == A_WALL_END:
        wall_ends(s, a, b)
    elif kind == A_FLICKER:
        flicker(s)
    elif kind == A_STORM:
        storm(s)
    elif kind == A_ROTATION:
        rotation(s)
    elif kind == A_NEWS:
        news(s)


@part
def step_plant(s: Any, p: int, phase: int) -> None:
    """Let a plant act."""
    kind = s.p_kind[p]
    if kind == _ICEBERG:
        iceberg_step(s, p, phase)
    elif kind == _ABSORBER:
        absorber_step(s, p, phase)
    elif kind == _SELLER:
        seller_step(s, p, phase)
    elif kind == _PULLED:
        pulled_step(s, p, phase)
    elif kind == _SQUEEZE:
        squeeze_step(s, p, phase)
    elif kind == _IGNITION:
        ignition_step(s, p, phase)
    elif kind == _VWAP:
        vwap_step(s, p, phase)
    elif kind == _PHASE:
        phase_step(s, p, phase)
    elif kind == _CASCADE:
        cascade_step(s, p, phase)


@part
def tell_owners(s: Any) -> None:
    """Tell the owners of executed orders, in order."""
    while s.woken_at < s.woken_n:
        n = s.woken_at
        s.woken_at += 1
        owner, what, lots = s.wk_owner[n], s.wk_what[n], s.wk_lots[n]
        if owner >= PLANT_OWNER:
            p = owner - PLANT_OWNER
            kind = s.p_kind[p]
            if kind == _ICEBERG:
                iceberg_told(s, p, what, lots, s.wk_id[n])
            elif kind == _ABSORBER:
                absorber_told(s, p, lots)
            elif kind == _SELLER:
                seller_told(s, p, what, lots)
            elif kind == _PULLED:
                pulled_told(s, p, lots, s.wk_id[n])
        elif MAKER_OWNER <= owner < MAKER_OWNER + MAKERS:
            maker_told(s, owner - MAKER_OWNER, what, s.wk_side[n], lots)
    s.woken_at = s.woken_n = 0


@part
def settle_down(s: Any) -> None:
    """After anything that happened: stops enter, owners are told."""
    if s.elected_n > 0:
        enter_elected(s)
    if s.woken_n > 0:
        tell_owners(s)


@kernel
def run(state: Any, until_ns: int) -> int:
    """Play everything that happens before a time; give 0 when it is reached, 1 when the rows have to be taken first.

    How a session is cut into runs changes nothing.
    """
    s = state[0]
    while s.trouble == 0:
        if s.out_n > ROWS - SPARE_ROWS or s.notes_n > NOTES - 1024:
            return 1
        due = s.ag_ns[s.heap[0]]
        if due <= s.next_maker:
            if due >= until_ns:
                return 0
            item = pop(s)
            s.now = due
            act(s, s.ag_kind[item], s.ag_a[item], s.ag_b[item], s.ag_c[item])
        else:
            if s.next_maker >= until_ns:
                return 0
            s.now = s.next_maker
            if (word(s, D_QUOTES) & 0xFFFF) < s.adding:
                arrive(s)
            else:
                depart(s)
            s.next_maker += 1000 + wait(s, D_LEAVE, s.mean_ns)
        settle_down(s)
    return 2


@kernel
def begin(state: Any, orders: int) -> None:
    """Fill the book a little and call everybody for the first time; the owner has set the time to before the start."""
    s = state[0]
    for b in range(2):
        side = 1 - 2 * b
        for _ in range(orders):
            i = s.t_places[word(s, D_QUOTES) & 4095]
            tick = s.price + b - side * (i - 1)
            if s.free_depth or room(s, side, tick, i) > (word(s, D_QUOTES) & 0xFFFF):
                place(s, side, tick, i)
    begin_background(s)
    for k in range(2 * MAKERS):
        s.mk_slot[k] = -1
    for k in range(LADDER):
        s.rung_slot[k] = -1
    if s.negatives:
        begin_negatives(s)


# -- the exchange by itself ------------------------------------------------------------------------


(C_LIMIT, C_TAKE, C_CANCEL, C_REPLACE, C_STOP, C_HALT, C_CALL, C_UNCROSS) = range(8)


@kernel
def command(state: Any, what: int, a: int, b: int, c: int, d: int, e: int) -> int:
    """Do one thing to the exchange from outside; what the numbers mean depends on it, as does what is given.

    limit(side, tick, lots, peak, hidden) and replace(slot, tick, lots) give a slot, -1 where nothing rests;
    take(side, lots, worst) and uncross() give lots; cancel(slot, id) gives whether the order rested;
    stop(side, trigger, worst, lots) gives an id.
    """
    s = state[0]
    given = 0
    if what == C_LIMIT:
        given = limit(s, CROWD, a, b, c, d, 0, e)
    elif what == C_TAKE:
        given = take(s, a, b, c)
    elif what == C_CANCEL:
        given = cancel(s, a, b)
    elif what == C_REPLACE:
        given = replace(s, a, b, c)
    elif what == C_STOP:
        given = stop(s, CROWD, a, b, c, d)
    elif what == C_HALT:
        halt(s)
    elif what == C_CALL:
        begin_call(s)
    else:
        given = uncross(s)
    settle_down(s)
    return given

"""What looks like a plant and is none, as kernels: makers, crowds, walls, flicker, storms, rotation, news, a thin open.

None of them holds one side of one price with a size it never runs out of: makers quote both sides, back off when they
hold too much and vary their size; a crowd is many orders of strangers; a wall is there once. Each begin is noted down
(N_NEGATIVE), so that a false alarm can be laid at somebody's door.
"""

from __future__ import annotations

from typing import Any, Final

from feeds.events import ASK, BID, F_NEWS, FACT
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.background import hit, lean, opposite, touch
from feeds.simulator.chance import below, wait, word
from feeds.simulator.commands import (
    cancel,
    enrol,
    limit,
    replace,
    tell_fact,
)
from feeds.simulator.matching import (
    at_level,
    half,
    note,
)
from feeds.simulator.state import (
    A_ANSWER,
    A_CROWD,
    A_FLICK,
    A_FLICKER,
    A_MAKER,
    A_NEWS,
    A_ROTATION,
    A_RUNG,
    A_STORM,
    A_TURN,
    A_WALL,
    A_WALL_END,
    A_WITHDRAW,
    CROWD,
    D_CROWD,
    D_FLICKER,
    D_MAKERS,
    D_NEWS,
    D_ROTATION,
    D_STORM,
    D_WALLS,
    FULL,
    LADDER,
    LADDER_OWNER,
    MAKER_OWNER,
    N_NEGATIVE,
    UNIT,
    W_DONE,
    W_HIDDEN,
    W_SHOWN,
    WALL,
)

KINDS: Final = ("maker", "crowd", "wall", "flicker", "storm", "rotation", "news", "thin_open")
"""What a noted negative is: the plant of its note is -1 - its place here."""
CROWD_NS: Final = 40_000_000_000
WALL_NS: Final = 50_000_000_000
FLICKER_NS: Final = 20_000_000_000
STORM_NS: Final = 30_000_000_000
ROTATION_NS: Final = 60_000_000_000
NEWS_NS: Final = 590_000_000_000
"""Mean time between those; a wait is at most 600 s on average."""
THIN_NS: Final = 120_000_000_000
"""A session opens thin and fills up over this time."""
_MS: Final = 1_000_000


@part
def begin_negatives(s: Any) -> None:
    """Call the first of each."""
    for m in range(s.makers_n):
        at(s, s.now + 1000 + wait(s, D_MAKERS, 500 * _MS), A_MAKER, m, 0, 0)
        at(s, s.now + 1000 + wait(s, D_MAKERS, 500 * _MS), A_MAKER, m, 1, 0)
    at(s, s.now + wait(s, D_CROWD, CROWD_NS), A_CROWD, 0, 0, 0)
    at(s, s.now + wait(s, D_WALLS, WALL_NS), A_WALL, 0, 0, 0)
    at(s, s.now + wait(s, D_FLICKER, FLICKER_NS), A_FLICKER, 0, 0, 0)
    at(s, s.now + wait(s, D_STORM, STORM_NS), A_STORM, 0, 0, 0)
    at(s, s.now + wait(s, D_ROTATION, ROTATION_NS), A_ROTATION, 0, 0, 0)
    at(s, s.now + 60_000 * _MS + wait(s, D_NEWS, NEWS_NS), A_NEWS, 0, 0, 0)
    s.thin_until = THIN_NS
    note(s, -8, N_NEGATIVE, 0, 0, THIN_NS)


# -- market makers --------------------------------------------------------------------------------


@part
def maker_quotes(s: Any, m: int, b: int) -> None:
    """A market maker brings its quote of one side to where it wants it."""
    side = 1 - 2 * b
    k = 2 * m + b
    s.mk_due[k] = 0
    lots = s.mk_lots[m]
    tick = opposite(s, side) - side
    against = -lean(s) * side
    if s.mk_held[m] * side >= 3 * lots or against > FULL // 2:
        tick -= 2 * side
    elif against > FULL // 5:
        tick -= side
    elif (touch(s, side) - tick) * side < 0 and word(s, D_MAKERS) & 3 != 0:
        tick = touch(s, side)
    bits = word(s, D_MAKERS)
    if bits & 7 < 3:
        lots = max(1, lots + (bits >> 8) % (lots // 2 + 1) - lots // 4)
    slot = s.mk_slot[k]
    if slot >= 0 and s.o_id[slot] == s.mk_id[k]:
        if s.o_tick[slot] != tick:
            slot = replace(s, slot, tick, lots)
    else:
        slot = limit(s, MAKER_OWNER + m, side, tick, lots, 0, 0, 0)
    s.mk_slot[k] = slot
    s.mk_id[k] = s.o_id[slot] if slot >= 0 else 0


@part
def call_maker(s: Any, m: int, b: int) -> None:
    """Let a maker look at one side again after its own delay, unless it is on its way."""
    k = 2 * m + b
    if s.mk_due[k] == 0:
        s.mk_due[k] = 1
        at(s, s.now + 1000 + wait(s, D_MAKERS, s.mk_delay[m]), A_MAKER, m, b, 0)


@part
def maker_told(s: Any, m: int, what: int, side: int, lots: int) -> None:
    """A maker's order was executed: it holds more, and quotes anew where nothing is left."""
    if what in (W_SHOWN, W_HIDDEN):
        return
    s.mk_held[m] += side * lots
    if what == W_DONE:
        call_maker(s, m, half(side))


@part
def makers_look(s: Any) -> None:
    """On the beat: makers whose quote is off the touch move it, and what they hold fades."""
    for m in range(s.makers_n):
        s.mk_held[m] -= s.mk_held[m] >> 7
        for b in range(2):
            k = 2 * m + b
            slot = s.mk_slot[k]
            side = 1 - 2 * b
            if slot < 0 or s.o_id[slot] != s.mk_id[k]:
                call_maker(s, m, b)
            else:
                off = (opposite(s, side) - side - s.o_tick[slot]) * side
                if off >= 2 or off < 0 or (off == 0 and -lean(s) * side > FULL // 2):
                    call_maker(s, m, b)


# -- crowd, walls, flicker ------------------------------------------------------------------------


@part
def crowd(s: Any) -> None:
    """For a while many strangers put back what is taken at one price."""
    at(s, s.now + 45_000 * _MS + wait(s, D_CROWD, CROWD_NS), A_CROWD, 0, 0, 0)
    side = BID if word(s, D_CROWD) & 1 else ASK
    s.crowd_side = side
    s.crowd_tick = touch(s, side)
    s.crowd_left = 20 + below(s, D_CROWD, 60)
    s.crowd_until = s.now + 10_000 * _MS + below(s, D_CROWD, 30_000) * _MS
    note(s, -2, N_NEGATIVE, s.crowd_tick, side, s.crowd_until)


@part
def wall(s: Any) -> None:
    """A large order stands still some ticks away, where traders like round numbers."""
    at(s, s.now + 5_000 * _MS + wait(s, D_WALLS, WALL_NS), A_WALL, 0, 0, 0)
    side = BID if word(s, D_WALLS) & 1 else ASK
    away = 2 + below(s, D_WALLS, 8) * s.pull // 3
    tick = touch(s, side) - side * away
    if tick % 4 != 0 and word(s, D_WALLS) & 1:
        tick -= side * (tick * side % 4)
    lots = s.depth[min(away + 1, s.depth_n) - 1] * (4 + below(s, D_WALLS, 10))
    slot = limit(s, WALL, side, tick, lots, 0, 0, 0)
    if slot >= 0:
        life = 20_000 * _MS + wait(s, D_WALLS, 120_000 * _MS)
        at(s, s.now + life, A_WALL_END, slot, s.o_id[slot], 0)
        note(s, -3, N_NEGATIVE, tick, side, s.now + life)


@part
def wall_ends(s: Any, slot: int, order_id: int) -> None:
    """What is left of a wall is taken back."""
    cancel(s, slot, order_id)


@part
def flicker(s: Any) -> None:
    """Somebody shows single lots for milliseconds, again and again."""
    at(s, s.now + 3_000 * _MS + wait(s, D_FLICKER, FLICKER_NS), A_FLICKER, 0, 0, 0)
    s.flicks_left = 10 + below(s, D_FLICKER, 60)
    s.flick_side = BID if word(s, D_FLICKER) & 1 else ASK
    at(s, s.now + 1000, A_FLICK, 0, 0, 0)
    note(s, -4, N_NEGATIVE, touch(s, s.flick_side), s.flick_side, s.now + s.flicks_left * 40 * _MS)


@part
def flick(s: Any) -> None:
    """One lot, gone before anybody can reach it."""
    side = s.flick_side
    tick = opposite(s, side) - side
    slot = limit(s, CROWD, side, tick, 1, 0, 0, 0)
    if slot >= 0:
        enrol(s, slot)
        life = (3 + below(s, D_FLICKER, 28)) * _MS
        at(s, s.now + life, A_WITHDRAW, slot, s.o_id[slot], 0)
    s.flicks_left -= 1
    if s.flicks_left > 0:
        at(s, s.now + (20 + below(s, D_FLICKER, 40)) * _MS, A_FLICK, 0, 0, 0)


# -- storms, rotation, news -----------------------------------------------------------------------


@part
def storm(s: Any) -> None:
    """Somebody with orders on many levels takes them all back and puts them elsewhere within 5 ms, again and again."""
    at(s, s.now + 2_000 * _MS + wait(s, D_STORM, STORM_NS), A_STORM, 0, 0, 0)
    rounds = 2 + below(s, D_STORM, 5)
    for r in range(rounds):
        start = s.now + 1000 + r * (40 + below(s, D_STORM, 200)) * _MS
        shift = below(s, D_STORM, 3)
        for k in range(LADDER):
            at(s, start + below(s, D_STORM, 5 * _MS), A_RUNG, k, shift, 0)
    note(s, -5, N_NEGATIVE, touch(s, BID), 0, s.now + rounds * 240 * _MS)


@part
def rung(s: Any, k: int, shift: int) -> None:
    """One order of the ladder moves."""
    side = BID if k & 1 else ASK
    tick = opposite(s, side) - side * (2 + (k >> 1) + shift)
    slot = s.rung_slot[k]
    cancel(s, slot, s.rung_id[k])
    slot = limit(s, LADDER_OWNER, side, tick, 2 + (k >> 2), 0, 0, 0)
    s.rung_slot[k] = slot
    s.rung_id[k] = s.o_id[slot] if slot >= 0 else 0


@part
def rotation(s: Any) -> None:
    """For a while takers alternate, and makers of both sides answer each of them."""
    at(s, s.now + 30_000 * _MS + wait(s, D_ROTATION, ROTATION_NS), A_ROTATION, 0, 0, 0)
    s.turn_left = 30 + below(s, D_ROTATION, 50)
    s.turn_side = BID if word(s, D_ROTATION) & 1 else ASK
    at(s, s.now + 1000, A_TURN, 0, 0, 0)
    note(s, -6, N_NEGATIVE, touch(s, BID), 0, s.now + s.turn_left * 275 * _MS)


@part
def turn(s: Any) -> None:
    """One taker of a rotation, and the answer to it."""
    side = s.turn_side
    best = touch(s, -side)
    done = hit(s, side, 3 + below(s, D_ROTATION, 10), 0)
    if done > 0:
        lots = max(1, done - below(s, D_ROTATION, 3))
        at(s, s.now + 1000 + wait(s, D_ROTATION, 100 * _MS), A_ANSWER, -side, best, lots)
    s.turn_left -= 1
    if s.turn_left > 0:
        s.turn_side = -side if word(s, D_ROTATION) & 7 else side
        at(s, s.now + (150 + below(s, D_ROTATION, 250)) * _MS, A_TURN, 0, 0, 0)


@part
def answer(s: Any, side: int, tick: int, lots: int) -> None:
    """A maker puts back what a rotation took, unless the level is full or the price has left."""
    if (opposite(s, side) - tick) * side > 0 and at_level(s, side, tick) < 2 * s.depth[0]:
        slot = limit(s, CROWD, side, tick, lots, 0, 0, 0)
        if slot >= 0:
            enrol(s, slot)


@part
def news(s: Any) -> None:
    """Something is published: the fair value jumps and everybody is fast for ten seconds. Not while a plant is on."""
    at(s, s.now + 300_000 * _MS + wait(s, D_NEWS, NEWS_NS), A_NEWS, 0, 0, 0)
    bits = word(s, D_NEWS)
    jump = (6 + below(s, D_NEWS, 15)) * (1 if bits & 1 else -1)
    if s.stage != 0 or s.free_depth:
        return
    tell_fact(s, F_NEWS, 0, FACT)
    s.value += jump * UNIT
    s.extra_pace = 300
    s.extra_until = s.now + 10_000 * _MS
    note(s, -7, N_NEGATIVE, s.value // UNIT, jump, s.extra_until)


@part
def thin_open(s: Any) -> None:
    """On the beat: levels fill up over the first two minutes, from a third."""
    if s.thin_until <= 0 or s.stage != 0:
        return
    percent = 35 + 65 * max(0, s.now) // s.thin_until
    if percent >= 100:
        percent = 100
        s.thin_until = 0
    s.thin[0] = percent
    s.thin[1] = percent

"""The background as kernels: makers who come and leave, takers who follow each other, parents, a wandering fair value.

Arrivals and cancellations have the rates of Cont, Stoikov and Talreja (2010) by distance from the opposite best;
takers excite takers (exponential Hawkes, branching 0.65), refills and flights; parents are split into Pareto(1.5)
takers, which gives signs a long memory (Lillo, Mike and Farmer 2005). With `free_depth` (the profile `zi`) levels have
no target and there is no fair value: what is left is zero intelligence.
"""

from __future__ import annotations

from typing import Any, Final

from feeds.events import ASK, BID
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.chance import below, scrambled, wait, word
from feeds.simulator.commands import (
    cancel,
    enrol,
    limit,
    replace,
    take,
    withdraw,
)
from feeds.simulator.matching import (
    at_level,
    half,
    level_of,
)
from feeds.simulator.state import (
    A_BEAT,
    A_BLOCK,
    A_CHILD,
    A_CROWD_ADD,
    A_FOLLOW,
    A_NOISE,
    A_PARENT,
    A_REFILL,
    A_WITHDRAW,
    CONTINUOUS,
    CROWD,
    D_BLOCKS,
    D_CROWD,
    D_FLEE,
    D_FOLLOW,
    D_LEAVE,
    D_NOISE,
    D_PARENTS,
    D_QUOTES,
    D_REFILL,
    D_STEPS,
    D_TAKERS,
    FULL,
    NO_ASK,
    NO_BID,
    UNIT,
)

SAME_SIDE: Final = 3482
"""Of 4,096 followers so many take the same side."""
FLEETING_NS: Final = 350_000_000
"""Mean life of the quarter of orders near the touch that only flicker."""
FADE_US: Final = 20_000_000
"""What takers moved the fair value by fades over this time (mean): their signs can be foreseen, prices cannot."""
EDGE: Final = 60_000
"""The fair value turns back this many ticks from the start."""
_HALF_HOUR_NS: Final = 1_800_000_000_000
_NORMAL: Final = 37_837
"""Standard deviation of the sum of four 16-bit words."""


@part
def opposite(s: Any, side: int) -> int:
    """Best displayed price a side would trade against; next to its own best or the last one where nobody is there."""
    tick = s.shown[half(-side)]
    if tick not in (NO_BID, NO_ASK):
        return tick
    own = s.shown[half(side)]
    if own not in (NO_BID, NO_ASK):
        return own + side
    return s.last_tick + (1 if side == BID else 0)


@part
def touch(s: Any, side: int) -> int:
    """Best displayed price of a side, or where it would be were somebody there."""
    tick = s.shown[half(side)]
    if tick in (NO_BID, NO_ASK):
        return opposite(s, side) - side
    return tick


@part
def lean(s: Any) -> int:
    """How far the fair value lies above (+) or below (-) the mid price: -1024 to 1024, where all see it."""
    if s.free_depth or s.shown[0] == NO_BID or s.shown[1] == NO_ASK:
        return 0
    far = (2 * s.value - (s.shown[0] + s.shown[1]) * UNIT) * FULL // (2 * s.pull * UNIT)
    return max(-FULL, min(FULL, far))


@part
def target(s: Any, side: int, tick: int, i: int) -> int:
    """Lots a level settles at: the profile's, more at round prices, and each level's own character."""
    base = s.depth[min(i, s.depth_n) - 1]
    if i == 1:
        percent = s.touch_least + scrambled(tick >> 3) % (s.touch_most - s.touch_least)
    else:
        percent = 55 + scrambled(tick) % 90
        for k in range(s.rounds_n):
            if tick % s.round_step[k] == 0:
                percent = percent * s.round_more[k] // 100
    return max(1, base * percent * s.thin[half(side)] // 10_000)


@part
def room(s: Any, side: int, tick: int, i: int) -> int:
    """Chance of 65,536 that an order joins: high where the level is thin, low where it is full."""
    if s.free_depth:
        return 65_536
    return max(3000, 72_000 - at_level(s, side, tick) * 40_000 // target(s, side, tick, i))


# -- makers ---------------------------------------------------------------------------------------


@part
def place(s: Any, side: int, tick: int, i: int) -> None:
    """Let somebody without a name rest an order, some for a moment only."""
    bits = word(s, D_QUOTES)
    if i <= s.near:
        lots = s.t_small[bits & 4095]
    elif s.free_depth == 0 and s.depth[min(i, s.depth_n) - 1] <= s.depth[0] // 40:
        lots = s.t_taken[bits & 4095]
    else:
        lots = s.t_large[bits & 4095]
    slot = limit(s, CROWD, side, tick, lots, 0, 0, 0)
    if slot < 0:
        return
    enrol(s, slot)
    if i <= s.near and bits >> 12 & 3 == 0 and s.free_depth == 0:
        at(s, s.now + 1000 + wait(s, D_QUOTES, FLEETING_NS), A_WITHDRAW, slot, s.o_id[slot], 0)


@part
def arrive(s: Any) -> None:
    """A maker comes, to one side and distance by chance, where there is room."""
    bits = word(s, D_QUOTES)
    leaning = lean(s)
    side = BID if (bits & 0xFFF) < 2048 + (leaning >> 3) else ASK
    i = s.t_places[bits >> 12 & 4095]
    tick = opposite(s, side) - side * i
    free = room(s, side, tick, i)
    if i <= s.near and leaning * side < 0:
        free -= free * -leaning * side * 3 >> 12
    if (word(s, D_QUOTES) & 0xFFFF) < free:
        place(s, side, tick, i)


@part
def depart(s: Any) -> None:
    """One of those who rest takes an order back, or half of it; the nearer the likelier."""
    if s.roster_n == 0:
        return
    slot = s.roster[below(s, D_LEAVE, s.roster_n)]
    bits = word(s, D_LEAVE)
    i = (opposite(s, s.o_side[slot]) - s.o_tick[slot]) * s.o_side[slot]
    i = max(1, i)
    if i <= s.reach and (bits & 0xFFFF) > s.leaving[min(i, s.leaving_n) - 1]:
        return
    if bits >> 16 & 7 == 0 and s.o_lots[slot] > 1 and s.free_depth == 0:
        replace(s, slot, s.o_tick[slot], s.o_lots[slot] - s.o_lots[slot] // 2)
    else:
        withdraw(s, slot)


@part
def refill(s: Any, side: int) -> None:
    """A maker answers a taker: at the touch, or into a spread that opened, on the side the fair value is on."""
    leaning = lean(s)
    if s.shown[0] != NO_BID and s.shown[1] != NO_ASK and s.shown[1] - s.shown[0] > 1:
        side = BID if (word(s, D_REFILL) & 2047) < FULL + leaning else ASK
    elif leaning * side < -FULL // 2:
        return
    tick = opposite(s, side) - side
    if (word(s, D_REFILL) & 0xFFFF) < room(s, side, tick, 1):
        place(s, side, tick, 1)


# -- takers ---------------------------------------------------------------------------------------


@part
def hit(s: Any, side: int, lots: int, reach: int) -> int:
    """Take from the other side, at most `reach` ticks past its best, and wake up those who watch; give the lots.

    With reach 0 no more than what is displayed at the best; with -1 what is behind that too, at the same price.
    """
    b = half(-side)
    best = s.best[b]
    if best in (NO_BID, NO_ASK) or s.phase != CONTINUOUS:
        return 0
    lv = level_of(s, b, best)
    if reach == 0:
        lots = max(1, min(lots, s.lv_lots[lv]))
    done = take(s, side, lots, best + side * max(0, reach))
    if done == 0:
        return 0
    move = side * (done * s.impact * UNIT // 1_000_000)
    s.value += move
    s.sway += move
    for _ in range(s.t_followers[word(s, D_FOLLOW) & 4095]):
        same = (word(s, D_FOLLOW) & 4095) < SAME_SIDE
        at(s, s.now + 1000 + wait(s, D_FOLLOW, s.decay_ns), A_FOLLOW, side if same else -side, 0, 0)
    for _ in range(s.t_refills[word(s, D_REFILL) & 4095]):
        at(s, s.now + 1000 + wait(s, D_REFILL, 60_000_000), A_REFILL, -side, 0, 0)
    if s.crowd_until > s.now and s.crowd_side == -side and s.crowd_tick == best:
        answer_as_crowd(s, done)
    if s.best[b] == best:
        flights = s.t_flights[word(s, D_REFILL) & 4095]
        slot = s.lv_tail[lv]
        while flights > 0 and slot >= 0:
            if s.o_owner[slot] == CROWD:
                at(s, s.now + 1000 + wait(s, D_REFILL, 80_000_000), A_WITHDRAW, slot, s.o_id[slot], 0)
                flights -= 1
            slot = s.o_prev[slot]
    elif s.free_depth == 0:
        for _ in range(4):
            at(s, s.now + 1000 + wait(s, D_REFILL, 12_000_000), A_REFILL, -side, 0, 0)
    return done


@part
def answer_as_crowd(s: Any, done: int) -> None:
    """Many put a little back where lots were taken, none of them knowing of the others."""
    left = min(done, 40)
    while left > 0 and s.crowd_left > 0:
        lots = 1 + below(s, D_CROWD, 3)
        left -= lots
        s.crowd_left -= 1
        at(s, s.now + 1000 + wait(s, D_CROWD, 250_000_000), A_CROWD_ADD, s.crowd_side, s.crowd_tick, lots)


@part
def drawn_side(s: Any, bits: int) -> int:
    """Draw a taker's side; more take the side the fair value is on."""
    return BID if (bits & 4095) < 2048 + lean(s) * 3 // 4 + s.bias else ASK


@part
def follow(s: Any, side: int) -> None:
    """A taker follows another."""
    hit(s, side, s.t_taken[word(s, D_FOLLOW) & 4095], 0)


@part
def noise(s: Any) -> None:
    """A single taker comes, and the next is called."""
    bits, more = word(s, D_NOISE), word(s, D_NOISE)
    at(s, s.now + 1000 + wait(s, D_NOISE, s.noise_ns * FULL // s.pace), A_NOISE, 0, 0, 0)
    hit(s, drawn_side(s, bits), s.t_taken[bits >> 12 & 4095], 1 if more & 15 == 0 else 0)


@part
def parent(s: Any) -> None:
    """Somebody splits a large order into many takers."""
    bits, more = word(s, D_PARENTS), word(s, D_PARENTS)
    gap = 150_000_000
    kind = bits >> 24 & 3
    if kind == 1:
        gap = 400_000_000
    elif kind == 2:
        gap = 1_200_000_000
    elif kind == 3:
        gap = 3_000_000_000
    children = s.t_children[bits >> 12 & 4095]
    at(s, s.now + 1000 + wait(s, D_PARENTS, gap), A_CHILD, drawn_side(s, more), children, gap)
    at(s, s.now + 1000 + wait(s, D_PARENTS, s.parent_ns * FULL // s.pace), A_PARENT, 0, 0, 0)


@part
def child(s: Any, side: int, left: int, gap: int) -> None:
    """A part of a large order takes, and the next part is called."""
    hit(s, side, s.t_taken[word(s, D_TAKERS) & 4095], 0)
    if left > 1:
        at(s, s.now + 1000 + wait(s, D_TAKERS, gap * FULL // s.pace), A_CHILD, side, left - 1, gap)


@part
def block(s: Any) -> None:
    """A very large taker comes, and the next is called."""
    bits, more = word(s, D_BLOCKS), word(s, D_BLOCKS)
    lots = s.block_least + ((s.block_most - s.block_least) * (bits & 0xFFFF) * (bits >> 16) >> 32)
    at(s, s.now + 1000 + wait(s, D_BLOCKS, s.block_ns * FULL // s.pace), A_BLOCK, 0, 0, 0)
    hit(s, drawn_side(s, more), lots, max(1, s.pull))


# -- the beat: fair value, pace, and what makers do about a price that is wrong --------------------


@part
def step_value(s: Any) -> None:
    """Move the fair value on: by chance, by the push somebody plans, inside the reins somebody holds."""
    bits, more = word(s, D_STEPS), word(s, D_STEPS)
    lots = 0
    if s.jumps == 1 or word(s, D_STEPS) % s.jumps == 0:
        normal = (bits & 0xFFFF) + (bits >> 16) + (more & 0xFFFF) + (more >> 16) - 131_070
        lots = s.sigma * s.calm * normal // (100 * _NORMAL)
    back = s.sway * (s.beat_ns // 1000) // FADE_US
    s.sway -= back
    s.value += lots + s.push - back
    if s.rein_high > s.rein_low:
        if s.value > s.rein_high * UNIT:
            s.value = 2 * s.rein_high * UNIT - s.value
        if s.value < s.rein_low * UNIT:
            s.value = 2 * s.rein_low * UNIT - s.value
    if s.still:
        s.value = s.hold
    s.value = max((s.price - EDGE) * UNIT, min((s.price + EDGE) * UNIT, s.value))
    s.mood += ((FULL - s.mood) * s.beat_ns >> 34) + ((more & 63) - (more >> 6 & 63) >> 2)
    s.mood = max(620, min(1650, s.mood))


@part
def beat(s: Any) -> None:
    """One step of the fair value, and everybody's answer to it."""
    step_value(s)
    half_hours = max(0, min((s.now + s.opens_ns) // _HALF_HOUR_NS, 13))
    pace = s.mood * s.day[half_hours] // 100 * s.rush // 100
    if s.now < s.extra_until:
        pace = pace * s.extra_pace // 100
    s.pace = max(64, min(12 * FULL, pace))
    arriving = s.arriving * s.pace // FULL
    leaving = s.orders_n * 810 * s.speed * s.pace // (100 * s.patience * FULL)
    s.adding = (arriving << 16) // (arriving + leaving)
    s.mean_ns = 1_000_000_000_000 // (arriving + leaving)
    leaning = lean(s)
    if leaning != 0:
        flee(s, leaning)
        correct(s, leaning)
    if s.free_depth == 0:
        follow_touch(s, BID)
        follow_touch(s, ASK)
    at(s, s.now + s.beat_ns, A_BEAT, 0, 0, 0)


@part
def flee(s: Any, leaning: int) -> None:
    """Orders at prices that are about to be wrong leave, the last in each queue first."""
    b = 1 if leaning > 0 else 0
    side = 1 - 2 * b
    chance = abs(leaning) ** 3 * s.flee * 65_536 // (FULL * FULL * FULL * 1000)
    best = s.shown[b]
    if best in (NO_BID, NO_ASK) or chance < 64:
        return
    ticks = max(1, min(4 * s.pull, (s.value // UNIT - best) * -side))
    for k in range(ticks):
        slot = s.lv_tail[level_of(s, b, best - side * k)]
        while slot >= 0:
            if s.o_owner[slot] == CROWD and (word(s, D_FLEE) & 0xFFFF) < chance:
                at(s, s.now + 1000 + wait(s, D_FLEE, s.beat_ns // 2), A_WITHDRAW, slot, s.o_id[slot], 0)
            slot = s.o_prev[slot]


@part
def correct(s: Any, leaning: int) -> None:
    """Takers who see it too take what is mispriced, up to the fair value."""
    bits, more = word(s, D_STEPS), word(s, D_STEPS)
    if abs(leaning) < 400 or (bits & 0xFFFF) * FULL > abs(leaning) * 6_000:
        return
    side = BID if leaning > 0 else ASK
    b = half(-side)
    best = s.shown[b]
    lots = s.t_taken[bits >> 16 & 4095]
    reach = 0
    if best not in (NO_BID, NO_ASK):
        reach = max(0, (s.value // UNIT - best) * side)
        lots += s.lv_lots[level_of(s, b, best)] * (more & 127) >> 8
    hit(s, side, lots, min(reach, 2 * s.pull))


@part
def follow_touch(s: Any, side: int) -> None:
    """After the price has moved on, makers left behind move up to the new touch or leave."""
    b = half(side)
    best, old = s.shown[b], s.touch[b]
    gone = best in (NO_BID, NO_ASK)
    was = old not in (NO_BID, NO_ASK, 0)
    if not gone and was and (best - old) * side > 0:
        remember(s, b, old)
    s.touch[b] = best
    if gone:
        return
    kept = 0
    for k in range(s.trail_n[b]):
        tick = s.trail[8 * b + k]
        behind = (best - tick) * side
        if behind <= 0 or at_level(s, side, tick) <= target(s, side, tick, behind + 1):
            continue
        s.trail[8 * b + kept] = tick
        kept += 1
        lv = level_of(s, b, tick)
        leaving = s.lv_count[lv] * s.chase // 100
        slot = s.lv_tail[lv]
        while leaving > 0 and slot >= 0:
            up = s.o_prev[slot]
            if s.o_owner[slot] == CROWD:
                bits = word(s, D_FLEE)
                if bits & 3 != 0:
                    if bits & 12 != 0 and at_level(s, side, best) < target(s, side, best, 1):
                        replace(s, slot, best, s.o_lots[slot])
                    else:
                        withdraw(s, slot)
            leaving -= 1
            slot = up
    s.trail_n[b] = kept


@part
def remember(s: Any, b: int, tick: int) -> None:
    """Keep a price that was the touch, the last six of them."""
    n = s.trail_n[b]
    for k in range(n):
        if s.trail[8 * b + k] == tick:
            return
    if n == 6:
        for k in range(5):
            s.trail[8 * b + k] = s.trail[8 * b + k + 1]
        n = 5
    s.trail[8 * b + n] = tick
    s.trail_n[b] = n + 1


@part
def crowd_add(s: Any, side: int, tick: int, lots: int) -> None:
    """One of the crowd rests a little, unless the price has left."""
    if (opposite(s, side) - tick) * side > 0:
        slot = limit(s, CROWD, side, tick, lots, 0, 0, 0)
        if slot >= 0:
            enrol(s, slot)


@part
def leave_now(s: Any, slot: int, order_id: int) -> None:
    """Take back an order that was to leave about now, if it is still there."""
    cancel(s, slot, order_id)


@part
def begin_background(s: Any) -> None:
    """Call the first of everybody."""
    at(s, s.now, A_BEAT, 0, 0, 0)
    at(s, s.now + 1000 + wait(s, D_NOISE, s.noise_ns), A_NOISE, 0, 0, 0)
    if s.parent_ns > 0:
        at(s, s.now + 1000 + wait(s, D_PARENTS, s.parent_ns), A_PARENT, 0, 0, 0)
    if s.block_ns > 0:
        at(s, s.now + 1000 + wait(s, D_BLOCKS, s.block_ns), A_BLOCK, 0, 0, 0)

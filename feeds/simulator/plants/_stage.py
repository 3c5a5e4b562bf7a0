"""What plants that move the market share, as kernels: one of them at a time, and the levers they pull."""

from __future__ import annotations

from typing import Any

from feeds.events import BID
from feeds.simulator._jit import part
from feeds.simulator.agenda import at
from feeds.simulator.background import hit, touch
from feeds.simulator.commands import (
    cancel,
)
from feeds.simulator.matching import (
    half,
    level_of,
)
from feeds.simulator.state import A_PLANT, CONTINUOUS, NO_ASK, NO_BID, PLANT_OWNER, UNIT


@part
def take_stage(s: Any, p: int) -> bool:
    """Have the market to itself, or try again in 20 s."""
    if s.stage != 0 or s.phase != CONTINUOUS or s.shown[0] == NO_BID or s.shown[1] == NO_ASK:
        at(s, s.now + 20_000_000_000, A_PLANT, p, 0, 0)
        return False
    s.stage = p + 1
    if s.thin_until > 0:
        s.thin_until = 0
        s.thin[0] = 100
        s.thin[1] = 100
    return True


@part
def leave_stage(s: Any) -> None:
    """Let go of every lever."""
    s.stage = 0
    s.push = 0
    s.bias = 0
    s.still = 0
    s.calm = 100
    s.rush = 100
    s.rein_low = 0
    s.rein_high = 0
    s.thin[0] = 100
    s.thin[1] = 100


@part
def push_to(s: Any, tick: int, in_ns: int) -> None:
    """Push the fair value towards a price, evenly over a time."""
    beats = max(1, in_ns // s.beat_ns)
    s.push = (tick * UNIT - s.value) // beats


@part
def hold_beside(s: Any, side: int, tick: int) -> None:
    """Keep the fair value half a tick before a level, so that nobody flees or corrects."""
    s.push = 0
    s.still = 1
    s.hold = tick * UNIT + side * (UNIT // 2)
    s.value = s.hold


@part
def middle(s: Any) -> int:
    """The mid price in half ticks."""
    return touch(s, BID) + touch(s, -BID)


@part
def hit_to(s: Any, side: int, lots: int, tick: int) -> int:
    """Take at prices up to one, everything before it included; give the lots."""
    best = s.best[half(-side)]
    if best in (NO_BID, NO_ASK) or (tick - best) * side < 0:
        return 0
    reach = (tick - best) * side
    return hit(s, side, lots, reach if reach > 0 else -1)


@part
def withdraw_at(s: Any, p: int, side: int, tick: int) -> None:
    """Take back every displayed order a plant has at a price."""
    slot = s.lv_head[level_of(s, half(side), tick)]
    while slot >= 0:
        after = s.o_next[slot]
        if s.o_owner[slot] == PLANT_OWNER + p:
            cancel(s, slot, s.o_id[slot])
        slot = after

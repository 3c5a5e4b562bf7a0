"""Large lots on watch, from when they are shown: orders by their id, rises of a level by its price."""

from __future__ import annotations

import math
from typing import Any, Final

from feeds.events import NONE
from tapeview.detectors._estimate import size_add, size_bucket, size_quantile
from tapeview.engine._jit import high_bit, inlined, part

WAYS: Final = 4
SETS: Final = 256
"""Orders watched at once: SETS x WAYS; where a set is full the oldest is forgotten."""
PENDING: Final = 16
ADDS, LEVELS = range(2)
"""Tables of sizes: of adds, and of levels near the touch."""
_MS: Final = 1_000_000
_SECOND: Final = 1_000_000_000
_RELEARN: Final = 1024


def fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields that the parts of this module use."""
    return (
        *((name, "i8") for name in (
            "adds", "since_ns", "looked", "median", "watch", "least_drop", "large", "half_large", "pending", "learn_at",
        )),
        *((name, "i8", (SETS * WAYS,)) for name in (
            "w_id", "w_side", "w_tick", "w_lots", "w_born_ns", "w_away", "w_base", "w_traded", "w_across",
            "w_touch", "w_large",
        )),
        *((name, "i8", (PENDING,)) for name in (
            "p_ns", "p_due_ns", "p_side", "p_tick", "p_lots", "p_life_ns", "p_away", "p_came", "p_rate", "p_traded",
            "p_base", "p_class",
        )),
        ("p_x", "f8", (PENDING,)),
    )  # fmt: skip


@inlined
def place_of(key: int) -> int:
    """The first way of a key's set."""
    return ((key ^ (key >> 8) ^ (key >> 16)) & (SETS - 1)) * WAYS


@inlined
def find(m: Any, key: int) -> int:
    """Where an order or level is watched, -1 where it is not."""
    at = place_of(key)
    # All four are compared: a branch out of a loop could not be foretold.
    found = at if (m.w_born_ns[at] != 0) & (m.w_id[at] == key) else -1
    found = at + 1 if (m.w_born_ns[at + 1] != 0) & (m.w_id[at + 1] == key) else found
    found = at + 2 if (m.w_born_ns[at + 2] != 0) & (m.w_id[at + 2] == key) else found
    return at + 3 if (m.w_born_ns[at + 3] != 0) & (m.w_id[at + 3] == key) else found


@part
def room_for(m: Any, key: int) -> int:
    """A place to watch a key at: its own, a free one, or that of the oldest of its set."""
    first = place_of(key)
    best = first
    for at in range(first, first + WAYS):
        if m.w_born_ns[at] != 0 and m.w_id[at] == key:
            return at
        if m.w_born_ns[at] < m.w_born_ns[best]:
            best = at
    return best


@part
def across(row: Any, side: int) -> int:
    """Lots traded so far on the other side's book: by buyers while a bid is shown, by sellers while an ask is."""
    return (row.volume + side * row.delta) >> 1


@part
def learn(m: Any, limit: Any) -> None:
    """Now and then: what is large among adds and levels; after 1, 2, 4 and so on adds, then after every _RELEARN."""
    n = m.adds
    m.learn_at = 2 << high_bit(n) if n < _RELEARN // 2 else (n // _RELEARN + 1) * _RELEARN
    if n < limit.min_adds < m.learn_at:
        m.learn_at = limit.min_adds
    m.median = size_quantile(m, LEVELS, 0.5)
    if limit.naive != 0:
        m.large = m.watch = max(10 * size_quantile(m, ADDS, 0.5), 1)
    else:
        m.watch = max(size_quantile(m, ADDS, limit.watch_q), 1)
        m.large = max(size_quantile(m, ADDS, limit.size_q), math.ceil(limit.lvl_mult * m.median), m.watch)
    m.half_large = max(m.large >> 1, 1)
    m.least_drop = math.ceil(limit.dropped * m.watch)


@part
def is_rare(m: Any, limit: Any, now_ns: int, lots: int) -> bool:
    """Say whether a size is not one that many use: where such adds come all the time, some always look alike."""
    share = m.h_count[ADDS, size_bucket(lots)] / max(m.h_n[ADDS], 1)
    window_ns = limit.window_s * _SECOND
    a_window = m.adds * window_ns / max(now_ns - m.since_ns, window_ns)
    return limit.naive != 0 or share * a_window <= limit.common


@part
def tilts(limit: Any, row: Any, lots: int, away: int) -> bool:
    """Say whether lots just added moved the imbalance of depth enough."""
    own = row.bid_depth if row.side > 0 else row.ask_depth
    other = row.ask_depth if row.side > 0 else row.bid_depth
    before = own - lots if away < limit.most_ticks and own >= lots else own
    moved = (before + lots - other) / max(before + lots + other, 1) - (before - other) / max(before + other, 1)
    return bool(moved >= limit.imbalance)


@part
def take_up(m: Any, limit: Any, row: Any, key: int, lots: int, base: int) -> None:
    """Put lots on watch, unless larger ones of their level are; lots that went a moment ago were amended."""
    side = row.side
    away = ((row.bid if side > 0 else row.ask) - row.tick) * side
    for at in range(m.pending):
        if m.p_side[at] == side and m.p_lots[at] == lots and row.recv_ns - m.p_ns[at] <= limit.quote_ms * _MS:
            m.p_class[at] = -1
    at = room_for(m, key)
    # The level held less than what is watched there: that has gone in pieces.
    if m.w_born_ns[at] != 0 and m.w_id[at] == key and lots < m.w_lots[at] <= base:
        return
    large = 1 if lots >= m.large and tilts(limit, row, lots, away) and is_rare(m, limit, row.recv_ns, lots) else 0
    m.w_id[at], m.w_side[at], m.w_tick[at], m.w_lots[at] = key, side, row.tick, lots
    m.w_born_ns[at], m.w_away[at], m.w_base[at], m.w_traded[at] = row.recv_ns, away, base, 0
    m.w_across[at] = across(row, side)
    m.w_touch[at] = row.bid if side > 0 else row.ask
    m.w_large[at] = large


@inlined
def added(m: Any, limit: Any, row: Any, lots: int) -> bool:
    """Learn the size of lots that a row added near the touch; say whether to watch them."""
    side = row.side
    touch = row.bid if side > 0 else row.ask
    away = (touch - row.tick) * side
    if away < 0 or away > limit.most_ticks or touch == NONE:
        return False
    size_add(m, ADDS, lots)
    m.adds += 1
    if m.adds >= m.learn_at:
        if m.since_ns == 0:
            m.since_ns = row.recv_ns
        learn(m, limit)
    return bool(lots >= m.watch and m.adds >= limit.min_adds and away >= limit.least_ticks)

"""Pulled liquidity: large orders shown behind the touch and taken back unfilled, again and again on one side.

Nobody's intent can be seen; a single large order that goes away means nothing, and is never told.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

import numpy as np

from feeds.events import ADD, BOOK, CANCEL, CLOCK, FILL, FLOW_PRINTS, KEYFRAME, MODIFY, NONE, S_LIVE, SNAPSHOT, TRADE
from tapeview.alert import CLEARED, CONFIRMED, RAISED
from tapeview.detectors import _cycle as cycle
from tapeview.detectors import _estimate as estimate
from tapeview.detectors._cycle import ACTIVE, finish
from tapeview.detectors._declare import Case, Detector, Found, Thresholds, bound
from tapeview.detectors._estimate import size_add, size_bucket, size_quantile, size_share
from tapeview.engine._jit import high_bit, inlined, kernel, part
from tapeview.engine.frame import IS_BOOK, IS_EVENT, IS_TRADE


class PulledThresholds(Thresholds, frozen=True, kw_only=True):
    """What is a large order, what is unusual about how it goes, and how often makes a pattern."""

    size_q: Annotated[float, bound(0.5, 0.9999, "Share of recent adds that are smaller.", "J")] = 0.99
    lvl_mult: Annotated[
        float, bound(0, 100, "Least size over the median level.", "B: fitted on simulated seeds 20-23")
    ] = 1.5
    least_ticks: Annotated[int, bound(1, 100, "Least distance from the touch when shown, in ticks.", "J")] = 1
    most_ticks: Annotated[int, bound(1, 100, "Most distance from the touch when shown, in ticks.", "J")] = 10
    imbalance: Annotated[
        float, bound(0, 1, "Least change of the imbalance of depth that it made.", "B: fitted on simulated seeds 20-23")
    ] = 0.04
    unfilled: Annotated[float, bound(0.5, 1, "Least share of it that never traded.", "J")] = 0.95
    watch_q: Annotated[float, bound(0.1, 0.99, "Share of adds smaller than those that tell what is usual.", "J")] = 0.90
    min_class: Annotated[int, bound(20, 100_000, "Lives known before they are evidence.", "J")] = 500
    min_adds: Annotated[int, bound(50, 100_000, "Adds seen before any is large.", "J")] = 1000
    quote_ms: Annotated[int, bound(0, 1000, "Time in which amends and bursts of quotes show, in ms.", "J")] = 5
    hold_ms: Annotated[int, bound(0, 2000, "Longest delay of trades behind the depth, in ms.", "M: lags 35-99 ms")] = (
        150
    )
    burst: Annotated[int, bound(2, 100, "Large levels that leave together in a burst of quotes.", "J")] = 3
    common: Annotated[
        float,
        bound(0, 1000, "Adds of such a size to expect in a window, at most.", "B: fitted on simulated seeds 20-23"),
    ] = 5.0
    life_p: Annotated[
        float, bound(0, 1, "Largest share of lives like it that were shorter.", "B: fitted on simulated seeds 20-23")
    ] = 0.7
    single_p: Annotated[
        float, bound(0, 1, "Largest p-value of a single one that counts.", "B: fitted on simulated seeds 20-23")
    ] = 0.2
    pattern_n: Annotated[int, bound(2, 50, "Least of them in a pattern.", "J")] = 3
    p: Annotated[float, bound(0, 1, "Largest p-value of them together.", "B: fitted on simulated seeds 20-23")] = 0.001
    same: Annotated[float, bound(0, 1, "Most difference of their sizes.", "B: fitted on simulated seeds 20-23")] = 0.2
    window_s: Annotated[
        int, bound(10, 7200, "Time in which they come, in s.", "B: fitted on simulated seeds 20-23")
    ] = 180
    clear_s: Annotated[
        int, bound(10, 7200, "Time without another after which it is over, in s.", "B: fitted on simulated seeds 20-23")
    ] = 90
    naive: Annotated[
        int, bound(0, 1, "1: the naive rule alone, 10 times the median add and gone within 1 s.", "M: base rates")
    ] = 0


BY_ORDER, BY_LEVEL, SINGLE = range(3)
OVER, RESYNC = range(2)
WAYS: Final = 4
SETS: Final = 256
"""Orders watched at once: SETS x WAYS; where a set is full the oldest is forgotten."""
PENDING: Final = 16
GONE: Final = 128
BIG: Final = 8
LIVES: Final = 8
"""Stories at once, the first half of bids."""
NEAR_CLASSES: Final = 3
CLASSES: Final = 2 * NEAR_CLASSES
"""Distances of 1 to 2, 3 to 5 and more ticks, each for ordinary and for large sizes."""
STEPS: Final = 96
"""Half octaves of a time or a rate."""
MEMBERS: Final = 16
CEILING_ORDERS: Final = 0.85
CEILING_LEVELS: Final = 0.70
_MS: Final = 1_000_000
_SECOND: Final = 1_000_000_000
_RELEARN: Final = 1024
_HALVE_AT: Final = 1 << 13
_ADDS, _LEVELS = range(2)

MEMORY: Final = np.dtype(
    [
        *cycle.fields(LIVES),
        *estimate.fields(sizes=2),
        *((name, "i8") for name in (
            "epoch", "adds", "since_ns", "looked", "median", "watch", "large", "half_large", "pending", "gone", "bigs",
            "by_level", "fill_ns", "fill_side", "fill_lots",
        )),
        *((name, "i8", (SETS * WAYS,)) for name in (
            "w_id", "w_side", "w_tick", "w_lots", "w_born_ns", "w_away", "w_base", "w_traded", "w_across",
            "w_touch", "w_large",
        )),
        ("t_n", "i8", (CLASSES,)), ("t_came", "i8", (CLASSES,)),
        ("t_life", "i8", (CLASSES, STEPS)), ("t_rate", "i8", (CLASSES, STEPS)),
        *((name, "i8", (PENDING,)) for name in (
            "p_ns", "p_due_ns", "p_side", "p_tick", "p_lots", "p_life_ns", "p_away", "p_came", "p_rate", "p_traded",
            "p_class",
        )),
        ("p_x", "f8", (PENDING,)),
        ("big_ns", "i8", (BIG,)), ("big_tick", "i8", (BIG,)),
        *((name, "i8", (GONE,)) for name in (
            "g_ns", "g_side", "g_tick", "g_lots", "g_life_ns", "g_away", "g_came", "g_rate", "g_used",
        )),
        ("g_x", "f8", (GONE,)),
        *((name, "i8", (LIVES,)) for name in (
            "s_lots", "s_tick", "s_tick_to", "s_n", "s_last_ns", "s_least", "s_most", "s_came", "s_across", "s_life_ns",
        )),
        ("s_score", "f8", (LIVES,)), ("s_p", "f8", (LIVES,)),
    ]
)  # fmt: skip


# -- what is watched ------------------------------------------------------------------------------


@inlined
def place_of(key: int) -> int:
    """The first way of a key's set."""
    return ((key ^ (key >> 8) ^ (key >> 16)) & (SETS - 1)) * WAYS


@inlined
def find(m: Any, key: int) -> int:
    """Where an order or level is watched, -1 where it is not."""
    first = place_of(key)
    for at in range(first, first + WAYS):
        if m.w_born_ns[at] != 0 and m.w_id[at] == key:
            return at
    return -1


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
def class_of(away: int, large: int) -> int:
    """The class of a distance and a size."""
    near = 0 if away <= 2 else (1 if away <= 5 else 2)
    return near + NEAR_CLASSES * large


@part
def step_of(value: int) -> int:
    """The half octave of a number: 0 for 0."""
    if value <= 0:
        return 0
    bit = high_bit(value)
    half = (value >> (bit - 1)) & 1 if bit > 0 else 0
    return min(1 + 2 * bit + half, STEPS - 1)


@part
def across(row: Any, side: int) -> int:
    """Lots traded so far on the other side's book: by buyers while a bid is shown, by sellers while an ask is."""
    return (row.volume + side * row.delta) >> 1


@part
def learn(m: Any, limit: Any) -> None:
    """Now and then: what is large among adds and levels."""
    m.median = size_quantile(m, _LEVELS, 0.5)
    if limit.naive != 0:
        m.large = m.watch = max(10 * size_quantile(m, _ADDS, 0.5), 1)
    else:
        m.watch = max(size_quantile(m, _ADDS, limit.watch_q), 1)
        m.large = max(size_quantile(m, _ADDS, limit.size_q), math.ceil(limit.lvl_mult * m.median), m.watch)
    m.half_large = max(m.large >> 1, 1)


@part
def is_rare(m: Any, limit: Any, now_ns: int, lots: int) -> bool:
    """Say whether a size is not one that many use: where such adds come all the time, some always look alike."""
    share = m.h_count[_ADDS, size_bucket(lots)] / max(m.h_n[_ADDS], 1)
    window_ns = limit.window_s * _SECOND
    a_window = m.adds * window_ns / max(now_ns - m.since_ns, window_ns)
    return limit.naive != 0 or share * a_window <= limit.common


@part
def added(m: Any, limit: Any, row: Any, key: int, lots: int, base: int) -> None:
    """Lots were added: learn their size, and watch them where they are many and not at the touch."""
    side = row.side
    touch = row.bid if side > 0 else row.ask
    if touch == NONE:
        return
    away = (touch - row.tick) * side
    if away < 0 or away > limit.most_ticks:
        return
    size_add(m, _ADDS, lots)
    m.adds += 1
    if m.since_ns == 0:
        m.since_ns = row.recv_ns
    if m.adds % _RELEARN == 0 or m.adds == limit.min_adds or (m.adds < _RELEARN and m.adds & (m.adds - 1) == 0):
        learn(m, limit)
    if m.adds < limit.min_adds or lots < m.watch or away < limit.least_ticks:
        return
    for at in range(m.pending):
        if m.p_side[at] == side and m.p_lots[at] == lots and row.recv_ns - m.p_ns[at] <= limit.quote_ms * _MS:
            m.p_class[at] = -1
    at = room_for(m, key)
    own = row.bid_depth if side > 0 else row.ask_depth
    other = row.ask_depth if side > 0 else row.bid_depth
    if m.w_born_ns[at] != 0 and m.w_id[at] == key and m.w_lots[at] > lots:
        return
    inside = away < limit.most_ticks
    before = own - lots if inside and own >= lots else own
    moved = (before + lots - other) / max(before + lots + other, 1) - (before - other) / max(before + other, 1)
    large = 1 if lots >= m.large and moved >= limit.imbalance and is_rare(m, limit, row.recv_ns, lots) else 0
    m.w_id[at], m.w_side[at], m.w_tick[at], m.w_lots[at] = key, side, row.tick, lots
    m.w_born_ns[at], m.w_away[at], m.w_base[at], m.w_traded[at] = row.recv_ns, away, base, 0
    m.w_across[at], m.w_touch[at], m.w_large[at] = across(row, side), touch, large


# -- what goes ------------------------------------------------------------------------------------


@part
def pooled(m: Any, limit: Any, own: int) -> int:
    """How far a class must be pooled to be known: 0 itself, 1 its distance, 2 all, 3 unknown."""
    near = own % NEAR_CLASSES
    if m.t_n[own] >= limit.min_class:
        return 0
    if m.t_n[near] + m.t_n[near + NEAR_CLASSES] >= limit.min_class:
        return 1
    total = 0
    for other in range(CLASSES):
        total += m.t_n[other]
    return 2 if total >= limit.min_class else 3


@part
def is_in(own: int, other: int, pool: int) -> bool:
    """Say whether a class belongs to another's pool."""
    return pool == 2 or other == own or (pool == 1 and other % NEAR_CLASSES == own % NEAR_CLASSES)


@part
def tails(m: Any, limit: Any, own: int, life: int, came: int, rate: int) -> float:
    """-2 sum ln p of a life so short, of the price having come near, and of trades across at such a rate.

    Gives -1 where it lived as long as others do.
    """
    pool = pooled(m, limit, own)
    if pool == 3:
        return 0.0
    total, shorter, as_long, came_n, more, as_much = 0, 0, 0, 0, 0, 0
    for other in range(CLASSES):
        if not is_in(own, other, pool):
            continue
        total += m.t_n[other]
        came_n += m.t_came[other]
        for step in range(life):
            shorter += m.t_life[other, step]
        as_long += m.t_life[other, life]
        for step in range(rate + 1, STEPS):
            more += m.t_rate[other, step]
        as_much += m.t_rate[other, rate]
    p_life = (shorter + 0.5 * as_long + 0.5) / (total + 1.0)
    if p_life > limit.life_p:
        return -1.0
    x = -2.0 * math.log(p_life)
    if came != 0:
        x -= 2.0 * math.log((came_n + 1.0) / (total + 1.0))
    if rate > 0:
        x -= 2.0 * math.log((more + 0.5 * as_much + 0.5) / (total + 1.0))
    return x


@part
def count_life(m: Any, own: int, life: int, came: int, rate: int) -> None:
    """Count a life in its class; after some 8,000 all counts of the class are halved."""
    m.t_n[own] += 1
    m.t_came[own] += came
    m.t_life[own, life] += 1
    m.t_rate[own, rate] += 1
    if m.t_n[own] >= _HALVE_AT:
        m.t_n[own] = 0
        m.t_came[own] >>= 1
        for step in range(STEPS):
            m.t_life[own, step] >>= 1
            m.t_rate[own, step] >>= 1
            m.t_n[own] += m.t_life[own, step]


@part
def left(m: Any, limit: Any, row: Any, at: int, by_level: int) -> None:
    """What was watched has been taken back unfilled: count its life, and keep a large one until it may be judged."""
    now_ns, side, born_ns = row.recv_ns, m.w_side[at], m.w_born_ns[at]
    m.w_born_ns[at] = 0
    if m.w_lots[at] >= m.half_large:
        m.big_ns[m.bigs % BIG], m.big_tick[m.bigs % BIG] = now_ns, m.w_tick[at]
        m.bigs += 1
    touch = row.bid if side > 0 else row.ask
    if touch == NONE:
        return
    life_ns = now_ns - born_ns
    life = step_of(life_ns // 1000)
    came = 1 if 2 * (m.w_touch[at] - touch) * side >= m.w_away[at] else 0
    rate = step_of((across(row, side) - m.w_across[at]) * 1_000_000 // (life_ns // 1000 + 1))
    own = class_of(m.w_away[at], 1 if m.w_lots[at] >= m.large else 0)
    if m.w_large[at] != 0 and m.pending < PENDING:
        p = m.pending
        m.p_x[p] = tails(m, limit, own, life, came, rate)
        patient = m.p_x[p] < 0.0 and limit.naive == 0
        rarer = (1.0 - size_share(m, _ADDS, m.w_lots[at])) * m.h_n[_ADDS]
        m.p_x[p] -= 2.0 * math.log((rarer + 1.0) / (m.h_n[_ADDS] + 1.0))
        m.p_ns[p] = now_ns
        m.p_due_ns[p] = now_ns + (max(limit.hold_ms, limit.quote_ms) if by_level != 0 else limit.quote_ms) * _MS
        m.p_side[p], m.p_tick[p], m.p_lots[p], m.p_life_ns[p] = side, m.w_tick[at], m.w_lots[at], life_ns
        m.p_away[p], m.p_came[p], m.p_rate[p], m.p_class[p] = m.w_away[at], came, rate, -1 if patient else own
        m.p_traded[p] = m.w_traded[at]
        m.pending += 1
    count_life(m, own, life, came, rate)


@part
def is_burst(m: Any, limit: Any, p: int) -> bool:
    """Say whether what went was one of a burst of large quotes, or went because another order was filled."""
    quote_ns = limit.quote_ms * _MS
    n = 0
    for k in range(max(0, m.bigs - BIG), m.bigs):
        away = m.big_ns[k % BIG] - m.p_ns[p]
        if -quote_ns <= away <= quote_ns:
            n += 1
    if n >= limit.burst:
        return True
    off = m.fill_ns - m.p_ns[p]
    near = abs(m.fill_lots - m.p_lots[p]) <= limit.same * m.p_lots[p]
    return m.fill_side == -m.p_side[p] and near and -quote_ns <= off <= quote_ns


@part
def chi_square_tail(x: float, pairs: int) -> float:
    """The chance that a chi-square of 2 `pairs` degrees of freedom is at least x: e**-x/2 sum (x/2)**i / i!."""
    term = 1.0
    total = 1.0
    for i in range(1, pairs):
        term *= 0.5 * x / i
        total += term
    return min(math.exp(-0.5 * x) * total, 1.0)


# -- patterns -------------------------------------------------------------------------------------


@part
def keep(m: Any, p: int) -> int:
    """Keep what has been judged; give its place."""
    at = m.gone % GONE
    m.g_ns[at], m.g_side[at], m.g_tick[at], m.g_lots[at] = m.p_ns[p], m.p_side[p], m.p_tick[p], m.p_lots[p]
    m.g_life_ns[at], m.g_away[at], m.g_came[at], m.g_rate[at] = m.p_life_ns[p], m.p_away[p], m.p_came[p], m.p_rate[p]
    m.g_x[at], m.g_used[at] = m.p_x[p], 0
    m.gone += 1
    return at


@part
def life_of(m: Any, limit: Any, side: int, lots: int) -> int:
    """The active story of that side and size, a free life, or -1."""
    first = 0 if side > 0 else LIVES // 2
    free = -1
    for k in range(first, first + LIVES // 2):
        if m.c_phase[k] == ACTIVE:
            if abs(m.s_lots[k] - lots) <= limit.same * m.s_lots[k]:
                return k
        elif free < 0:
            free = k
    return free


@part
def summarise(m: Any, limit: Any, k: int, newest: int) -> None:
    """Gather what is like the newest into story k: their number, sizes, distances, and how unlikely they are."""
    lots, side, now_ns = m.g_lots[newest], m.g_side[newest], m.g_ns[newest]
    n, total, x, life_ns = 0, 0, 0.0, 0
    least, most, came, hit = m.g_away[newest], m.g_away[newest], 0, 0
    low, high = m.g_tick[newest], m.g_tick[newest]
    for back in range(m.gone - 1, max(0, m.gone - GONE) - 1, -1):
        at = back % GONE
        if now_ns - m.g_ns[at] > limit.window_s * _SECOND or n == MEMBERS:
            break
        if m.g_side[at] != side or m.g_used[at] != 0 or abs(m.g_lots[at] - lots) > limit.same * lots:
            continue
        n += 1
        total += m.g_lots[at]
        x += m.g_x[at]
        life_ns += m.g_life_ns[at]
        least, most = min(least, m.g_away[at]), max(most, m.g_away[at])
        low, high = min(low, m.g_tick[at]), max(high, m.g_tick[at])
        came += m.g_came[at]
        hit += 1 if m.g_rate[at] > 0 else 0
    p = chi_square_tail(x, 4 * n)
    m.s_n[k], m.s_lots[k], m.s_life_ns[k], m.s_p[k] = n, total // n, life_ns // n, p
    m.s_least[k], m.s_most[k], m.s_came[k], m.s_across[k] = least, most, came, hit
    m.s_tick[k], m.s_tick_to[k] = (high, low) if side > 0 else (low, high)
    m.s_last_ns[k] = now_ns
    rare = -math.log10(max(p, 1e-30))
    m.s_score[k] = (CEILING_LEVELS if m.by_level != 0 else CEILING_ORDERS) * rare / (rare + 3.0)


@part
def use_up(m: Any, limit: Any, k: int) -> None:
    """What a story told of cannot be told of again."""
    side = 1 if k < LIVES // 2 else -1
    for at in range(GONE):
        if m.g_side[at] == side and abs(m.g_lots[at] - m.s_lots[k]) <= limit.same * m.s_lots[k]:
            m.g_used[at] = 1


@part
def tell(m: Any, k: int, row: Any, exch_ns: int, alert: Any, i: int, phase: int, reason: int, method: int) -> None:
    """Write one step of a story."""
    alert.seq, alert.recv_ns, alert.exch_ns, alert.row = row.seq, row.recv_ns, exch_ns, i
    alert.key, alert.side, alert.phase, alert.reason = m.c_key[k], (1 if k < LIVES // 2 else -1), phase, reason
    alert.tick, alert.tick_to, alert.lots, alert.method = m.s_tick[k], m.s_tick_to[k], m.s_lots[k], method
    alert.grade, alert.score = max(m.c_grade[k], 1), m.s_score[k]
    alert.v0, alert.v1, alert.v2 = float(m.s_n[k]), float(m.s_lots[k]), float(m.s_least[k])
    alert.v3, alert.v4, alert.v5 = float(m.s_most[k]), float(m.s_came[k]), float(m.s_across[k])
    alert.v6, alert.v7 = m.s_life_ns[k] * 1e-9, m.s_p[k]


@part
def settle(m: Any, limit: Any, p: int) -> int:
    """Judge what went and could be judged; give 1 + life to confirm, -1 - life to raise, 0 for nothing."""
    traded = m.p_traded[p] > (1.0 - limit.unfilled) * m.p_lots[p]
    if m.p_class[p] < 0 or traded or is_burst(m, limit, p):
        return 0
    if limit.naive != 0:
        k = 0 if m.p_side[p] > 0 else LIVES // 2
        if m.p_life_ns[p] >= _SECOND:
            return 0
        newest = keep(m, p)
        m.g_used[newest] = 0
        summarise(m, limit, k, newest)
        m.g_used[newest] = 1
        m.c_keys += 1
        m.c_key[k], m.c_grade[k] = m.c_keys, 1
        return 1 + k
    if chi_square_tail(m.p_x[p], 4) > limit.single_p:
        return 0
    newest = keep(m, p)
    k = life_of(m, limit, m.p_side[p], m.p_lots[p])
    if k < 0:
        return 0
    summarise(m, limit, k, newest)
    grade = 3 if m.s_n[k] >= 3 * limit.pattern_n else (2 if m.s_n[k] >= 2 * limit.pattern_n else 1)
    if m.c_phase[k] == ACTIVE:
        if grade > m.c_grade[k]:
            m.c_grade[k] = grade
            return -1 - k
        return 0
    if m.s_n[k] < limit.pattern_n or m.s_p[k] > limit.p:
        return 0
    m.c_phase[k], m.c_grade[k] = ACTIVE, grade
    m.c_keys += 1
    m.c_key[k] = m.c_keys
    return 1 + k


@part
def forget(m: Any, epoch: int) -> None:
    """Drop what was known of single orders and levels."""
    m.epoch = epoch
    m.pending = 0
    for at in range(SETS * WAYS):
        m.w_born_ns[at] = 0


@part
def order_row(m: Any, limit: Any, row: Any, key: int) -> None:
    """Follow one order: shown, moved, executed or taken back."""
    if row.kind == ADD:
        added(m, limit, row, key, row.lots, 0)
        return
    if row.kind == FILL and row.order_was <= row.lots and row.executed >= m.half_large:
        m.fill_ns, m.fill_side, m.fill_lots = row.recv_ns, row.side, row.executed
    if row.kind == MODIFY and row.from_tick == NONE:
        return
    at = find(m, key)
    if at < 0:
        return
    if row.kind == MODIFY:
        m.w_tick[at] = row.tick
    elif row.order_was <= row.lots:
        if row.kind == CANCEL and row.executed <= (1.0 - limit.unfilled) * m.w_lots[at]:
            left(m, limit, row, at, 0)
        else:
            m.w_born_ns[at] = 0


@inlined
def look(m: Any, limit: Any, row: Any) -> None:
    """Learn from one row in eight what a level near the touch holds."""
    m.looked += 1
    if m.looked & 7 == 0 and row.was > 0:
        touch = row.bid if row.side > 0 else row.ask
        if abs(touch - row.tick) <= limit.most_ticks:
            size_add(m, _LEVELS, row.was)


@inlined
def level_row(m: Any, limit: Any, row: Any) -> None:
    """Follow a level's lots."""
    m.by_level = 1
    key = 2 * row.tick + (1 if row.side > 0 else 0)
    if row.now > row.was:
        added(m, limit, row, key, row.now - row.was, row.was)
        return
    if 2 * row.was < m.watch:
        return
    at = find(m, key)
    if at < 0:
        return
    over = (1.0 - limit.unfilled) * m.w_lots[at]
    if row.now - m.w_base[at] <= over:
        if m.w_traded[at] <= over:
            left(m, limit, row, at, 1)
        else:
            m.w_born_ns[at] = 0


@inlined
def level_trade(m: Any, row: Any) -> None:
    """Lots traded at a level, whether still watched or just gone."""
    at = find(m, 2 * row.tick + (1 if row.side < 0 else 0))
    if at >= 0:
        m.w_traded[at] += row.lots
    for p in range(m.pending):
        if m.p_side[p] == -row.side and m.p_tick[p] == row.tick:
            m.p_traded[p] += row.lots


@kernel
def watch(
    events: Any, frame: Any, rows: Any, context: Any, board: Any, limits: Any, memory: Any, out: Any
) -> int:  # fmt: skip
    """Follow large orders from when they are shown to when they go, and look for patterns among those that go."""
    m, limit = memory[0], limits[0]
    n = 0
    for at in range(len(rows)):
        i = rows[at]
        row = frame[i]
        kind = row.kind
        room = n + 2
        if row.epoch != m.epoch:
            for k in range(LIVES):
                if m.c_phase[k] == ACTIVE and n < room:
                    tell(m, k, row, events[i].exch_ns, out[n], i, CLEARED, RESYNC, m.by_level)
                    n += 1
                    use_up(m, limit, k)
                    finish(m, k, row.recv_ns, 0)
            if n < room:
                forget(m, row.epoch)
        if row.state != S_LIVE or row.warm == 0 or row.marks & (SNAPSHOT | KEYFRAME) != 0:
            continue
        while m.pending > 0 and row.recv_ns > m.p_due_ns[0] and n < room:
            told = settle(m, limit, 0)
            m.pending -= 1
            for p in range(m.pending):
                m.p_ns[p], m.p_due_ns[p], m.p_side[p] = m.p_ns[p + 1], m.p_due_ns[p + 1], m.p_side[p + 1]
                m.p_tick[p], m.p_lots[p], m.p_life_ns[p] = m.p_tick[p + 1], m.p_lots[p + 1], m.p_life_ns[p + 1]
                m.p_away[p], m.p_came[p], m.p_rate[p] = m.p_away[p + 1], m.p_came[p + 1], m.p_rate[p + 1]
                m.p_traded[p], m.p_class[p], m.p_x[p] = m.p_traded[p + 1], m.p_class[p + 1], m.p_x[p + 1]
            if told != 0:
                k = abs(told) - 1
                method = SINGLE if limit.naive != 0 else m.by_level
                tell(m, k, row, events[i].exch_ns, out[n], i, CONFIRMED if told > 0 else RAISED, 0, method)
                n += 1
        if kind == BOOK:
            look(m, limit, row)
            level_row(m, limit, row)
        elif kind < TRADE:
            look(m, limit, row)
            order_row(m, limit, row, events[i].ref)
        elif kind == TRADE:
            if m.by_level != 0 and row.side != 0 and (FLOW_PRINTS >> row.print) & 1 != 0:
                level_trade(m, row)
        elif kind == CLOCK:
            for k in range(LIVES):
                if m.c_phase[k] == ACTIVE and n < room and row.recv_ns - m.s_last_ns[k] >= limit.clear_s * _SECOND:
                    tell(m, k, row, events[i].exch_ns, out[n], i, CLEARED, OVER, m.by_level)
                    n += 1
                    use_up(m, limit, k)
                    finish(m, k, row.recv_ns, 0)
    return n


# -- words ----------------------------------------------------------------------------------------


def words(found: Found) -> str:
    """Say what was shown where and taken back; nobody is accused."""
    value = found.evidence
    side, other = ("BID", "asks") if found.side > 0 else ("ASK", "bids")
    where = found.price(found.tick)
    if found.phase == "cleared":
        return f"PULLED {side} over · {where}" + (" · book rebuilt" if found.reason == "resync" else "")
    least, most = int(value["least_ticks"]), int(value["most_ticks"])
    away = f"{least}t" if least == most else f"{least}-{most}t"
    size = found.size(found.lots)
    if found.method == "single":
        return f"PULLED {side} {where} · {size} lots {away} behind the touch, gone after {value['life_s']:.1f}s"
    text = f"PULLED ×{value['n']:.0f} {side} {where} {away} back · {size} avg, 0% filled, {value['life_s']:.1f}s each"
    return text + (f" · {other} hit" if value["traded_across"] else "")


# -- worked cases ---------------------------------------------------------------------------------


def _crowd(adds: int) -> str:
    """A market of orders of 3 to 10 lots that stay a second or so; each price has 20 lots that stay."""
    said = ["[", *(f"o{n + 1}b{100 - n}:20 o{n + 51}a{101 + n}:20" for n in range(12)), "]", "~5100"]
    for n in range(adds):
        side, tick = ("b", 99 - n % 7) if n % 2 else ("a", 102 + n % 7)
        said.append(f"~80 o{1000 + n}{side}{tick}:{3 + n % 8}")
        if n >= 15:
            said.append(f"x{1000 + n - 15 + (n % 3 == 0) - (n % 3 == 1)}" if n % 3 < 2 else f"x{1000 + n - 15}")
    return " ".join(said) + " "


def _levels(adds: int) -> str:
    """The same as levels."""
    said = ["[", *(f"b{100 - n}:20 a{101 + n}:20" for n in range(12)), "]", "~5100"]
    for n in range(adds):
        side, tick = ("b", 99 - n % 7) if n % 2 else ("a", 102 + n % 7)
        said.append(f"~80 {side}{tick}:{23 + n % 8}")
        if n >= 5:
            back = n - 5
            side, tick = ("b", 99 - back % 7) if back % 2 else ("a", 102 + back % 7)
            said.append(f"{side}{tick}:20")
    return " ".join(said) + " "


def _shown(first: int, sizes: tuple[int, ...], life_ms: int = 300, end: str = "x") -> str:
    """Large bids three ticks down, each for a while."""
    return (
        " ".join(
            f"~900 o{first + n}b97:{lots} ~{life_ms // 2} +101:2&f51:1 ~{life_ms // 2} {end}{first + n}"
            for n, lots in enumerate(sizes)
        )
        + " ~200 o99b90:1 x99 "
    )


_FEW: Final = {"watch_q": 0.3, "min_class": 60, "min_adds": 50}
_BEFORE: Final = _crowd(330)
DETECTOR = Detector(
    title="Pulled liquidity",
    rule=(
        "A candidate is an order (or a level's rise) among the largest, well above the median level, some ticks behind "
        "the touch, that tilts the depth and goes away unfilled. Its size, its life, whether the price had come near "
        "and what traded across meanwhile are ranked among recent ones of its kind; the ranks combine by Fisher's "
        "method. Told where `pattern_n` of one side and about one size within `window_s` are together rarer than `p`. "
        "Amends, bursts of quotes and orders that went because another was filled do not count."
    ),
    thresholds=PulledThresholds,
    memory=MEMORY,
    reads=IS_BOOK | IS_TRADE | IS_EVENT,
    kernel=watch,
    words=words,
    methods=("orders", "levels", "single"),
    reasons=("over", "resync"),
    evidence=("n", "lots", "least_ticks", "most_ticks", "approached", "traded_across", "life_s", "p"),
    cases=(
        Case(
            "about the same large bid is shown and taken back three times, while asks are bought",
            _BEFORE + _shown(501, (100, 95, 104)),
            ("PULLED ×3 BID 97 3t back · 99 avg",),
            thresholds=_FEW,
        ),
        Case(
            "the same where only levels are known",
            _levels(330) + "~900 b97:120 ~150 +101:2 ~150 b97:20 " * 3 + "~400 b90:20",
            ("PULLED ×3 BID 97 3t back · 100 avg",),
            thresholds=_FEW,
            tier="B",
        ),
        Case(
            "nothing follows, and after a while it is over",
            _BEFORE + _shown(501, (100, 95, 104)) + "~1000 o99b90:1 x99 " * 13,
            ("PULLED ×3 BID 97", "PULLED BID over"),
            thresholds=_FEW | {"clear_s": 10},
        ),
        Case(
            "as a naive rule: any very large order that is gone within a second",
            _BEFORE + _shown(501, (100,)),
            ("PULLED BID 97 · 100 lots 3t behind",),
            thresholds=_FEW | {"naive": 1},
        ),
        Case("orders of usual sizes come and go", _BEFORE, thresholds=_FEW),
        Case("once or twice means nothing", _BEFORE + _shown(501, (100, 100)), thresholds=_FEW),
        Case("large orders that are executed", _BEFORE + _shown(501, (100, 95, 104, 100), end="f"), thresholds=_FEW),
        Case("large orders of quite different sizes", _BEFORE + _shown(501, (100, 160, 260)), thresholds=_FEW),
        Case(
            "large orders that stay as long as others do",
            _BEFORE + _shown(501, (100, 95, 104), life_ms=3000),
            thresholds=_FEW | {"p": 1e-6},
        ),
        Case(
            "one order that is amended: taken back and shown again at once",
            _BEFORE + "~900 o501b97:100 " + " ".join(f"~300 x{n}&o{n + 1}b{97 - n % 2}:100" for n in range(501, 507)),
            thresholds=_FEW,
        ),
        Case(
            "a burst of quotes: three large levels go and come together",
            _BEFORE + " ".join(
                f"~900 o{n}b97:100&o{n + 1}b96:100&o{n + 2}b95:100 ~300 x{n}&x{n + 1}&x{n + 2}"
                for n in range(501, 519, 3)
            ) + " ~200 o99b90:1",
            thresholds=_FEW,
        ),
    ),
    baselines={"10 times the median and gone within 1 s": {"naive": 1}},
    knob="pattern_n",
)  # fmt: skip

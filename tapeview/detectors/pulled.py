"""Pulled liquidity: large orders shown behind the touch and taken back unfilled, again and again on one side.

Nobody's intent can be seen; a single large order that goes away means nothing, and is never told.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from feeds.events import ADD, BOOK, CANCEL, CLOCK, FILL, FLOW_PRINTS, KEYFRAME, MODIFY, NONE, SNAPSHOT, TRADE
from tapeview.alert import CLEARED, CONFIRMED, RAISED
from tapeview.detectors import _cycle as cycle
from tapeview.detectors import _estimate as estimate
from tapeview.detectors import _null as null
from tapeview.detectors import _pulled_chance as chance
from tapeview.detectors import _pulled_watch as watched
from tapeview.detectors._cycle import ACTIVE, finish
from tapeview.detectors._declare import Detector
from tapeview.detectors._estimate import size_add, size_share
from tapeview.detectors._null import swap
from tapeview.detectors._pulled_cases import CASES, words
from tapeview.detectors._pulled_chance import chi_square_tail, class_of, count_life, step_of, tails
from tapeview.detectors._pulled_thresholds import PulledThresholds
from tapeview.detectors._pulled_watch import ADDS, LEVELS, PENDING, SETS, WAYS, across, added, find, take_up
from tapeview.engine._jit import inlined, kernel, part
from tapeview.engine.frame import IS_BOOK, IS_EVENT, IS_TRADE

BY_ORDER, BY_LEVEL, SINGLE = range(3)
OVER, RESYNC = range(2)
GONE: Final = 128
BIG: Final = 8
LIVES: Final = 8
"""Stories at once, the first half of bids."""
MEMBERS: Final = 16
CEILING_ORDERS: Final = 0.85
CEILING_LEVELS: Final = 0.70
_MS: Final = 1_000_000
_SECOND: Final = 1_000_000_000

MEMORY: Final = np.dtype(
    [
        *cycle.fields(LIVES),
        *estimate.fields(sizes=2),
        *null.fields(chance.CLASSES),
        *watched.fields(),
        *chance.fields(),
        *((name, "i8") for name in ("epoch", "gone", "bigs", "by_level", "fill_ns", "fill_side", "fill_lots")),
        ("big_ns", "i8", (BIG,)), ("big_tick", "i8", (BIG,)),
        *((name, "i8", (GONE,)) for name in (
            "g_ns", "g_side", "g_tick", "g_lots", "g_life_ns", "g_away", "g_came", "g_rate", "g_used", "g_base",
        )),
        ("g_x", "f8", (GONE,)),
        *((name, "i8", (LIVES,)) for name in (
            "s_lots", "s_tick", "s_tick_to", "s_n", "s_last_ns", "s_least", "s_most", "s_came", "s_across", "s_life_ns",
        )),
        ("s_score", "f8", (LIVES,)), ("s_p", "f8", (LIVES,)),
    ]
)  # fmt: skip


# -- what goes ------------------------------------------------------------------------------------


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
    if limit.null_seed != 0:
        life = swap(m, limit.null_seed, own, life)
    if m.w_large[at] != 0 and m.pending < PENDING:
        p = m.pending
        m.p_x[p] = tails(m, limit, own, life, came, rate)
        patient = m.p_x[p] < 0.0 and limit.naive == 0
        rarer = (1.0 - size_share(m, ADDS, m.w_lots[at])) * m.h_n[ADDS]
        m.p_x[p] -= 2.0 * math.log((rarer + 1.0) / (m.h_n[ADDS] + 1.0))
        m.p_ns[p] = now_ns
        m.p_due_ns[p] = now_ns + (max(limit.hold_ms, limit.quote_ms) if by_level != 0 else limit.quote_ms) * _MS
        m.p_side[p], m.p_tick[p], m.p_lots[p], m.p_life_ns[p] = side, m.w_tick[at], m.w_lots[at], life_ns
        m.p_away[p], m.p_came[p], m.p_rate[p], m.p_class[p] = m.w_away[at], came, rate, -1 if patient else own
        m.p_traded[p], m.p_base[p] = m.w_traded[at], m.w_base[at] if by_level != 0 else 0
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


# -- patterns -------------------------------------------------------------------------------------


@part
def keep(m: Any, p: int) -> int:
    """Keep what has been judged; give its place."""
    at = m.gone % GONE
    m.g_ns[at], m.g_side[at], m.g_tick[at], m.g_lots[at] = m.p_ns[p], m.p_side[p], m.p_tick[p], m.p_lots[p]
    m.g_life_ns[at], m.g_away[at], m.g_came[at], m.g_rate[at] = m.p_life_ns[p], m.p_away[p], m.p_came[p], m.p_rate[p]
    m.g_x[at], m.g_used[at], m.g_base[at] = m.p_x[p], 0, m.p_base[p]
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
    traded = m.p_traded[p] - m.p_base[p] > (1.0 - limit.unfilled) * m.p_lots[p]
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
def order_row(m: Any, limit: Any, row: Any, event: Any) -> None:
    """Follow an order that was moved, executed or taken back."""
    kind = row.kind
    if kind == FILL and row.order_was <= row.lots and row.executed >= m.half_large:
        m.fill_ns, m.fill_side, m.fill_lots = row.recv_ns, row.side, row.executed
    if kind == MODIFY:
        if row.from_tick != NONE:
            at = find(m, event.ref)
            if at >= 0:
                m.w_tick[at] = row.tick
        return
    # What is on watch was as large as `watch` when it was shown, and taken back whole.
    if row.order_was > row.lots or (row.order_was + row.executed) * 2 < m.watch:
        return
    at = find(m, event.ref)
    if at >= 0:
        if kind == CANCEL and row.executed <= (1.0 - limit.unfilled) * m.w_lots[at]:
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
            size_add(m, LEVELS, row.was)


@part
def level_fell(m: Any, limit: Any, row: Any, drop: int) -> None:
    """Lots went from a level: taken back where they are about as many as were watched there."""
    at = find(m, 2 * row.tick + (1 if row.side > 0 else 0))
    if at < 0 or drop < limit.dropped * m.w_lots[at]:
        return
    if m.w_traded[at] - m.w_base[at] <= (1.0 - limit.unfilled) * m.w_lots[at]:
        left(m, limit, row, at, 1)
    else:
        m.w_born_ns[at] = 0


@inlined
def book_row(m: Any, limit: Any, row: Any, event: Any, kind: int) -> None:
    """Follow a level's lots or an order: what is added is watched where it is large, and what goes is judged."""
    lots = row.lots
    if kind == BOOK:
        m.by_level = 1
        lots = row.now - row.was
        if lots <= 0:
            if lots < 0 and -lots >= m.least_drop:
                level_fell(m, limit, row, -lots)
            return
    elif kind != ADD:
        if kind != CANCEL or (row.order_was <= lots and (row.order_was + row.executed) * 2 >= m.watch):
            order_row(m, limit, row, event)
        return
    if added(m, limit, row, lots):
        if kind == BOOK:
            take_up(m, limit, row, 2 * row.tick + (1 if row.side > 0 else 0), lots, row.was)
        else:
            take_up(m, limit, row, event.ref, lots, 0)


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
        if row.warm == 0 or row.marks & (SNAPSHOT | KEYFRAME) != 0:
            continue
        while m.pending > 0 and row.recv_ns > m.p_due_ns[0] and n < room:
            told = settle(m, limit, 0)
            m.pending -= 1
            for p in range(m.pending):
                m.p_ns[p], m.p_due_ns[p], m.p_side[p] = m.p_ns[p + 1], m.p_due_ns[p + 1], m.p_side[p + 1]
                m.p_tick[p], m.p_lots[p], m.p_life_ns[p] = m.p_tick[p + 1], m.p_lots[p + 1], m.p_life_ns[p + 1]
                m.p_away[p], m.p_came[p], m.p_rate[p] = m.p_away[p + 1], m.p_came[p + 1], m.p_rate[p + 1]
                m.p_traded[p], m.p_class[p], m.p_x[p] = m.p_traded[p + 1], m.p_class[p + 1], m.p_x[p + 1]
                m.p_base[p] = m.p_base[p + 1]
            if told != 0:
                k = abs(told) - 1
                method = SINGLE if limit.naive != 0 else m.by_level
                tell(m, k, row, events[i].exch_ns, out[n], i, CONFIRMED if told > 0 else RAISED, 0, method)
                n += 1
        if kind < TRADE:
            look(m, limit, row)
            book_row(m, limit, row, events[i], kind)
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
    cases=CASES,
    baselines={"10 times the median and gone within 1 s": {"naive": 1}},
    knob="pattern_n",
)  # fmt: skip

"""Hidden seller or buyer: large takers meet a level everybody knows, and the price gets no further."""

from __future__ import annotations

from typing import Annotated, Any, Final

import numpy as np

from feeds.events import CLOCK, FLOW_PRINTS, NONE, S_LIVE, TRADE
from tapeview.alert import CLEARED, CONFIRMED
from tapeview.detectors import _cycle as cycle
from tapeview.detectors import _estimate as estimate
from tapeview.detectors import _level_prints as prints
from tapeview.detectors import _levels as levels
from tapeview.detectors._cycle import ACTIVE, finish
from tapeview.detectors._declare import ABSORBED, B_ICEBERG, STORIES, Detector, Thresholds, bound
from tapeview.detectors._estimate import size_add, size_quantile, slide_add, slide_to
from tapeview.detectors._hidden_cases import CASES, words
from tapeview.detectors._level_prints import LARGE, close_order, furthest, gather, keep_mid, keep_print
from tapeview.detectors._levels import (
    K_ROUND,
    LEVELS,
    MINUTE_NS,
    close_minute,
    count_print,
    is_rejected,
    level_tick,
    nearest,
    rebuild,
)
from tapeview.engine._jit import kernel, part
from tapeview.engine.frame import IS_EVENT, IS_TRADE


class HiddenSellerThresholds(Thresholds, frozen=True, kw_only=True):
    """What is a level, what is large there, and what evidence is enough."""

    zone_ticks: Annotated[int, bound(0, 50, "Least half-width of a level's zone in ticks.", "J")] = 2
    zone_atr: Annotated[float, bound(0, 2, "Half-width in average true ranges of a minute.", "J")] = 0.1
    round_ticks: Annotated[
        int, bound(0, 1_000_000, "Distance of round numbers in ticks, 0 to find it.", "P: Osler 2003")
    ] = 0
    opening_min: Annotated[int, bound(1, 120, "Minutes of the opening range.", "J")] = 15
    swing_bars: Annotated[int, bound(1, 6, "Minutes on each side of a swing point that stay within it.", "J")] = 3
    print_q: Annotated[float, bound(0.9, 0.9999, "Share of recent aggressor orders that are smaller.", "J")] = 0.995
    min_orders: Annotated[int, bound(10, 2000, "Orders seen before any is called large.", "J")] = 500
    join_ms: Annotated[int, bound(0, 1000, "Longest pause between prints of one order, in ms.", "J")] = 1
    window_s: Annotated[int, bound(5, 60, "Time in which the prints come, in s.", "J")] = 60
    prints: Annotated[int, bound(1, 50, "Large orders at the level.", "J")] = 3
    volume_q: Annotated[float, bound(0.5, 0.9999, "Share of windows with less volume of a side, instead.", "J")] = 0.99
    min_seconds: Annotated[int, bound(10, 7200, "Seconds of volume seen before it counts.", "J")] = 600
    pass_ticks: Annotated[int, bound(0, 20, "Ticks beyond the level that the mid may have reached.", "J")] = 1
    quiet_s: Annotated[int, bound(1, 60, "Time without a new extreme after the last of them, in s.", "J")] = 10
    weight_base: Annotated[float, bound(0, 1, "Evidence of the prints themselves.", "J")] = 0.45
    weight_iceberg: Annotated[float, bound(0, 1, "Evidence of an iceberg in the zone.", "J")] = 0.25
    weight_absorption: Annotated[float, bound(0, 1, "Evidence of absorption in the zone.", "J")] = 0.20
    weight_rejected: Annotated[float, bound(0, 1, "Evidence of two earlier swings that ended there.", "J")] = 0.10
    on: Annotated[float, bound(0.1, 1, "Evidence that is enough.", "J")] = 0.65
    broken_ticks: Annotated[int, bound(1, 50, "Ticks beyond the level that break it.", "J")] = 3
    broken_s: Annotated[int, bound(0, 60, "Time beyond it that makes it broken, in s.", "J")] = 5
    away_s: Annotated[int, bound(10, 3600, "Time without coming near after which it is over, in s.", "J")] = 180
    cooldown_s: Annotated[int, bound(0, 3600, "Time before the same level is told of again, in s.", "J")] = 120
    naive: Annotated[int, bound(0, 1, "1: the naive rule alone, any large order at a level.", "J")] = 0


PRINTS, VOLUME, ANY = range(3)
BROKEN, AWAY, RESYNC = range(3)
COOLED: Final = 32
LIVES: Final = 8
"""Stories at once, the first half of sellers."""
_SECOND: Final = 1_000_000_000
_VOLUMES: Final = 1
_BUYS, _SELLS = range(2)

MEMORY: Final = np.dtype(
    [
        *cycle.fields(LIVES),
        *estimate.fields(windows=2, sizes=2),
        *levels.fields(),
        *prints.fields(),
        *((name, "i8") for name in ("epoch", "seen_s", "busy", "cooled")),
        ("k_tick", "i8", (COOLED,)), ("k_ns", "i8", (COOLED,)), ("k_side", "i8", (COOLED,)),
        *((name, "i8", (LIVES,)) for name in (
            "t_level", "t_kind", "t_zone", "t_lots", "t_prints", "t_first_ns", "t_last_ns", "t_near_ns",
            "t_beyond_ns", "t_iceberg", "t_absorbed", "t_rejected", "t_method",
        )),
        ("t_score", "f8", (LIVES,)),
    ]
)  # fmt: skip


# -- evidence -------------------------------------------------------------------------------------


@part
def is_iceberg(m: Any, b: Any, side: int, level: int, seq: int) -> int:
    """Say whether an iceberg of that side was known in the zone at some time from the first print to a row."""
    for n in range(max(0, b.stories - STORIES), b.stories):
        at = n % STORIES
        known = b.what[at] == B_ICEBERG and b.from_seq[at] <= seq and m.n_seq < b.to_seq[at]
        if known and b.side[at] == side and abs(b.tick[at] - level) <= m.zone:
            return 1
    return 0


@part
def is_absorbed(m: Any, b: Any, side: int, level: int, seq: int) -> int:
    """Say whether absorption on that side was known in the zone at some time from the first print to a row."""
    for n in range(max(0, b.a_stories - ABSORBED), b.a_stories):
        at = n % ABSORBED
        known = b.a_from_seq[at] <= seq and m.n_seq < b.a_to_seq[at]
        if known and b.a_side[at] == side and abs(b.a_tick[at] - level) <= m.zone:
            return 1
    return 0


# -- stories --------------------------------------------------------------------------------------


@part
def is_cool(m: Any, side: int, level: int, now_ns: int) -> bool:
    """Say whether a level may be told of: no story of it is on, and none ended just now."""
    for t in range(LIVES):
        if m.c_phase[t] == ACTIVE and (t < LIVES // 2) == (side > 0) and abs(m.t_level[t] - level) <= m.zone:
            return False
    for n in range(COOLED):
        if m.k_side[n] == side and now_ns < m.k_ns[n] and abs(m.k_tick[n] - level) <= m.zone:
            return False
    return True


@part
def free_life(m: Any, side: int) -> int:
    """A life for a new story of takers of one side, -1 where all are in use."""
    first = 0 if side > 0 else LIVES // 2
    for t in range(first, first + LIVES // 2):
        if m.c_phase[t] != ACTIVE:
            return t
    return -1


@part
def tell(m: Any, t: int, row: Any, exch_ns: int, alert: Any, i: int, phase: int, reason: int) -> None:
    """Write one step of a story."""
    alert.seq, alert.recv_ns, alert.exch_ns, alert.row = row.seq, row.recv_ns, exch_ns, i
    alert.key, alert.side, alert.phase, alert.reason = m.c_key[t], (-1 if t < LIVES // 2 else 1), phase, reason
    alert.tick, alert.tick_to, alert.lots, alert.method = m.t_level[t], m.t_level[t], m.t_lots[t], m.t_method[t]
    alert.grade, alert.score = m.c_grade[t], m.t_score[t]
    alert.v0, alert.v1 = float(m.t_lots[t]), float(m.t_prints[t])
    alert.v2, alert.v3 = (row.recv_ns - m.t_first_ns[t]) * 1e-9, float(m.t_kind[t])
    alert.v4, alert.v5, alert.v6 = float(m.t_iceberg[t]), float(m.t_absorbed[t]), float(m.t_rejected[t])
    alert.v7, alert.v8 = float(m.t_zone[t]), float(m.large)


@part
def end(m: Any, limit: Any, t: int, now_ns: int) -> None:
    """End a story; its level rests for a while."""
    finish(m, t, now_ns, 0)
    at = m.cooled % COOLED
    m.k_tick[at], m.k_ns[at], m.k_side[at] = (
        m.t_level[t], now_ns + limit.cooldown_s * _SECOND, 1 if t < LIVES // 2 else -1,
    )  # fmt: skip
    m.cooled += 1


@part
def follow(m: Any, limit: Any, t: int, now_ns: int, mid2: int) -> int:
    """Say whether a story goes on: -1, or the reason why it is over."""
    side = 1 if t < LIVES // 2 else -1
    if (m.last_tick - m.t_level[t]) * side >= limit.broken_ticks:
        if m.t_beyond_ns[t] < 0:
            m.t_beyond_ns[t] = now_ns
        if now_ns - m.t_beyond_ns[t] >= limit.broken_s * _SECOND:
            return BROKEN
    else:
        m.t_beyond_ns[t] = -1
    if abs(mid2 - 2 * m.t_level[t]) <= 2 * m.t_zone[t]:
        m.t_near_ns[t] = now_ns
    return AWAY if now_ns - m.t_near_ns[t] >= limit.away_s * _SECOND else -1


@part
def begin(m: Any, t: int, at: int, level: int, now_ns: int, method: int, score: float) -> None:
    """Take up a new story."""
    m.c_phase[t] = ACTIVE
    m.c_keys += 1
    m.c_key[t] = m.c_keys
    m.c_grade[t] = 3 if score >= 0.95 else (2 if score >= 0.85 else 1)
    m.t_level[t], m.t_kind[t], m.t_zone[t] = level, (m.lv_kind[at] if at < LEVELS else K_ROUND), m.zone
    m.t_lots[t], m.t_prints[t], m.t_first_ns[t], m.t_last_ns[t] = m.n_lots, m.n_prints, m.n_first_ns, m.n_last_ns
    m.t_near_ns[t], m.t_beyond_ns[t], m.t_method[t], m.t_score[t] = now_ns, -1, method, score


@part
def judge(m: Any, limit: Any, b: Any, side: int, row: Any) -> int:
    """Look at takers of one side; give the life of the story that begins, else -1."""
    now_ns = row.recv_ns
    since = now_ns - limit.window_s * _SECOND
    touch = row.ask if side > 0 else row.bid
    many = 0
    last = touch
    for n in range(m.l_n - 1, max(0, m.l_n - LARGE) - 1, -1):
        if m.l_ns[n % LARGE] <= since:
            break
        if m.l_lots[n % LARGE] * side > 0:
            if many == 0:
                last = m.l_tick[n % LARGE]
            many += 1
    busy = m.seen_s >= limit.min_seconds and m.w_sum[_BUYS if side > 0 else _SELLS] >= max(m.busy, 1)
    if (many < limit.prints and not busy) or (m.w_sum[_BUYS] - m.w_sum[_SELLS]) * side <= 0:
        return -1
    at = nearest(m, last)
    if at < 0:
        return -1
    level = level_tick(m, at, last)
    gather(m, limit, side, level, now_ns)
    method = PRINTS
    if m.n_prints < limit.prints:
        if not busy or m.n_lots < m.busy:
            return -1
        method = VOLUME
        m.n_first_ns, m.n_seq = since, row.seq
        m.n_last_ns = now_ns - limit.quiet_s * _SECOND
    if now_ns - m.n_last_ns < limit.quiet_s * _SECOND or not is_cool(m, side, level, now_ns):
        return -1
    first, turn, second = m.n_first_ns // _SECOND, m.n_last_ns // _SECOND, now_ns // _SECOND
    reached = furthest(m, first, turn, side)
    later = furthest(m, turn + 1, second, side)
    if max(reached, later) > 2 * (level * side + limit.pass_ticks) or later > reached:
        return -1
    iceberg = is_iceberg(m, b, -side, level, row.seq)
    absorbed = is_absorbed(m, b, -side, level, row.seq)
    rejected = is_rejected(m, side, level)
    score = limit.weight_base + iceberg * limit.weight_iceberg
    score += absorbed * limit.weight_absorption + rejected * limit.weight_rejected
    t = free_life(m, side)
    if score < limit.on - 1e-9 or t < 0:
        return -1
    begin(m, t, at, level, now_ns, method, score)
    m.t_iceberg[t], m.t_absorbed[t], m.t_rejected[t] = iceberg, absorbed, rejected
    return t


@part
def any_print(m: Any, limit: Any, row: Any) -> int:
    """The naive rule: the large order just closed was at a level."""
    now_ns = row.recv_ns
    if row.warm == 0:
        return -1
    at = (m.l_n - 1) % LARGE
    side = 1 if m.l_lots[at] > 0 else -1
    place = nearest(m, m.l_tick[at])
    if place < 0:
        return -1
    level = level_tick(m, place, m.l_tick[at])
    t = free_life(m, side)
    if t < 0 or not is_cool(m, side, level, now_ns):
        return -1
    m.n_lots, m.n_prints, m.n_first_ns, m.n_last_ns = abs(m.l_lots[at]), 1, m.l_ns[at], m.l_ns[at]
    begin(m, t, place, level, now_ns, ANY, m.n_lots / max(m.large, 1))
    m.c_grade[t] = 1
    end(m, limit, t, now_ns)
    return t


@kernel
def watch(
    events: Any, frame: Any, rows: Any, context: Any, board: Any, limits: Any, memory: Any, out: Any
) -> int:  # fmt: skip
    """Join prints to orders, keep levels, and every 100 ms ask whether a level has held against large takers."""
    m, limit, b, c = memory[0], limits[0], board[0], context[0]
    join_ns = limit.join_ms * 1_000_000
    n = 0
    for at in range(len(rows)):
        i = rows[at]
        row = frame[i]
        room = n + 2
        now_ns = row.recv_ns
        if row.epoch != m.epoch:
            for t in range(LIVES):
                if m.c_phase[t] == ACTIVE and n < room:
                    tell(m, t, row, events[i].exch_ns, out[n], i, CLEARED, RESYNC)
                    n += 1
                    end(m, limit, t, now_ns)
            if n < room:
                m.epoch = row.epoch
            m.l_n = 0
            m.second = 0
            m.r_start = m.r_end
        if row.kind == TRADE:
            if (FLOW_PRINTS >> row.print) & 1 == 0:
                continue
            count_print(m, limit, c, now_ns, row.tick, row.lots)
            side = row.side
            if side == 0:
                continue
            exch_ns = events[i].exch_ns
            together = exch_ns == m.o_exch_ns if exch_ns != NONE else now_ns - m.o_ns <= join_ns
            if (side != m.o_side or not together) and close_order(m, limit) != 0 and limit.naive != 0:
                t = any_print(m, limit, row)
                if t >= 0 and n < room:
                    tell(m, t, row, exch_ns, out[n], i, CONFIRMED, 0)
                    n += 1
            if m.o_lots == 0:
                m.o_side, m.o_seq = side, row.seq
            m.o_lots += row.lots
            m.o_tick, m.o_ns, m.o_exch_ns = row.tick, now_ns, exch_ns
            slide_add(m, _BUYS if side > 0 else _SELLS, now_ns, limit.window_s * 10, row.lots)
            if row.state == S_LIVE:
                if NONE not in (row.bid, row.ask):
                    keep_mid(m, now_ns // _SECOND, row.bid + row.ask)
                keep_print(m, now_ns // _SECOND, side, row.tick, row.lots)
            continue
        live = row.state == S_LIVE and NONE not in (row.bid, row.ask)
        if row.kind != CLOCK:
            continue
        if now_ns - m.o_ns > join_ns and close_order(m, limit) != 0 and limit.naive != 0:
            t = any_print(m, limit, row)
            if t >= 0 and n < room:
                tell(m, t, row, events[i].exch_ns, out[n], i, CONFIRMED, 0)
                n += 1
        if now_ns % MINUTE_NS == 0 and m.session_ns != 0:
            if now_ns // MINUTE_NS > m.minute:
                close_minute(m, limit, now_ns // MINUTE_NS)
            rebuild(m, limit, c, now_ns, row.vwap_t16, row.sigma_t16)
        if not live or row.warm == 0:
            for t in range(LIVES):
                m.t_beyond_ns[t] = -1
                m.t_near_ns[t] = now_ns
            continue
        for k in range(2):
            slide_to(m, k, now_ns, limit.window_s * 10)
        keep_mid(m, now_ns // _SECOND, row.bid + row.ask)
        if now_ns % _SECOND == 0:
            m.seen_s += 1
            size_add(m, _VOLUMES, m.w_sum[_BUYS])
            size_add(m, _VOLUMES, m.w_sum[_SELLS])
            m.busy = size_quantile(m, _VOLUMES, limit.volume_q)
        if limit.naive != 0:
            continue
        for t in range(LIVES):
            if m.c_phase[t] == ACTIVE and n < room:
                reason = follow(m, limit, t, now_ns, row.bid + row.ask)
                if reason >= 0:
                    tell(m, t, row, events[i].exch_ns, out[n], i, CLEARED, reason)
                    n += 1
                    end(m, limit, t, now_ns)
        for k in range(2):
            if n < room:
                t = judge(m, limit, b, 1 - 2 * k, row)
                if t >= 0:
                    tell(m, t, row, events[i].exch_ns, out[n], i, CONFIRMED, 0)
                    n += 1
    return n


DETECTOR = Detector(
    title="Hidden seller or buyer",
    rule=(
        "Within `window_s` at least `prints` large aggressor orders, or more lots than nearly all windows have, ran "
        "into the zone of a known level; the mid got no further than `pass_ticks` beyond it, takers on the whole "
        "ran at the level, and for `quiet_s` there was no new extreme. Icebergs and absorption in the zone and "
        "earlier rejections add to the evidence; told where that reaches `on`. Levels are known beforehand: prior "
        "day, session, opening range, swing points, prior volume profile, VWAP and its bands, round numbers."
    ),
    thresholds=HiddenSellerThresholds,
    memory=MEMORY,
    reads=IS_TRADE | IS_EVENT,
    kernel=watch,
    words=words,
    methods=("prints", "volume", "any"),
    reasons=("broken", "away", "resync"),
    evidence=("lots", "prints", "seconds", "level", "iceberg", "absorbed", "rejected", "zone", "large_from"),
    cases=CASES,
    after=("absorption", "iceberg"),
    baselines={"any large order at a level": {"naive": 1}},
    knob="on",
)  # fmt: skip

"""Hidden seller or buyer: large takers meet a level everybody knows, and the price gets no further."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

import numpy as np

from feeds.events import CLOCK, FLOW_PRINTS, NONE, S_LIVE, TRADE
from tapeview.alert import CLEARED, CONFIRMED
from tapeview.detectors import _cycle as cycle
from tapeview.detectors import _estimate as estimate
from tapeview.detectors._cycle import ACTIVE, finish
from tapeview.detectors._declare import (
    ABSORBED,
    B_ICEBERG,
    STORIES,
    Case,
    Detector,
    Found,
    Thresholds,
    bound,
)
from tapeview.detectors._estimate import size_add, size_bucket, size_quantile, slide_add, slide_to
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
KINDS: Final = (
    "round", "prior high", "prior low", "prior close", "session high", "session low", "open", "opening high",
    "opening low", "swing high", "swing low", "prior POC", "prior value high", "prior value low", "VWAP", "VWAP +1σ",
    "VWAP -1σ", "VWAP +2σ", "VWAP -2σ",
)  # fmt: skip
(
    K_ROUND, K_PRIOR_HIGH, K_PRIOR_LOW, K_PRIOR_CLOSE, K_HIGH, K_LOW, K_OPEN, K_OPENING_HIGH, K_OPENING_LOW,
    K_SWING_HIGH, K_SWING_LOW, K_POC, K_VALUE_HIGH, K_VALUE_LOW, K_VWAP, K_UP1, K_DOWN1, K_UP2, K_DOWN2,
) = range(len(KINDS))  # fmt: skip
ORDERS: Final = 2000
"""Aggressor orders among which the large ones are found."""
LARGE: Final = 128
RING: Final = 4096
BARS: Final = 32
SWINGS: Final = 48
LEVELS: Final = 64
COOLED: Final = 32
LIVES: Final = 8
"""Stories at once, the first half of sellers."""
CELL_COUNT: Final = 1024
"""Cells of the volume profile; they widen as the day's range does."""
_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND
_DAY: Final = 86_400 * _SECOND
_RELEARN: Final = 64
_ATR_BARS: Final = 14
_ROUND_SHARE: Final = 0.0005
_ROUND_LEAST: Final = 20
_VALUE_AREA: Final = 0.7
_VWAP_NS: Final = 30 * _MINUTE
_SIZES, _VOLUMES = range(2)
_BUYS, _SELLS = range(2)

MEMORY: Final = np.dtype(
    [
        *cycle.fields(LIVES),
        *estimate.fields(windows=2, sizes=2),
        *((name, "i8") for name in (
            "epoch", "o_side", "o_ns", "o_exch_ns", "o_seq", "o_lots", "o_tick", "q_n", "large", "l_n",
            "r_start", "r_end", "seen_s", "second", "mids_from", "busy", "last_tick",
            "minute", "bars", "first_minute", "swings", "day", "open", "high", "low", "opening_high", "opening_low",
            "prior", "prior_high", "prior_low", "prior_close", "session_ns", "step_ticks", "levels", "zone", "cooled",
            "v_base", "v_shift", "v_top", "v_n", "p_poc", "p_value_high", "p_value_low",
            "n_prints", "n_lots", "n_first_ns", "n_last_ns", "n_seq",
        )),
        ("q_bucket", "i8", (ORDERS,)),
        ("l_ns", "i8", (LARGE,)), ("l_seq", "i8", (LARGE,)), ("l_tick", "i8", (LARGE,)), ("l_lots", "i8", (LARGE,)),
        ("r_second", "i8", (RING,)), ("r_tick", "i8", (RING,)), ("r_lots", "i8", (RING,)),
        ("m_high", "i8", (128,)), ("m_low", "i8", (128,)),
        ("b_high", "i8", (BARS,)), ("b_low", "i8", (BARS,)), ("b_close", "i8", (BARS,)),
        ("s_tick", "i8", (SWINGS,)), ("s_side", "i8", (SWINGS,)),
        ("lv_tick", "i8", (LEVELS,)), ("lv_kind", "i8", (LEVELS,)),
        ("k_tick", "i8", (COOLED,)), ("k_ns", "i8", (COOLED,)), ("k_side", "i8", (COOLED,)),
        ("v_lots", "i8", (CELL_COUNT,)),
        *((name, "i8", (LIVES,)) for name in (
            "t_level", "t_kind", "t_zone", "t_lots", "t_prints", "t_first_ns", "t_last_ns", "t_near_ns",
            "t_beyond_ns", "t_iceberg", "t_absorbed", "t_rejected", "t_method",
        )),
        ("t_score", "f8", (LIVES,)),
    ]
)  # fmt: skip


# -- aggressor orders -----------------------------------------------------------------------------


@part
def count_order(m: Any, limit: Any, lots: int) -> None:
    """Count an aggressor order among the last ORDERS, and now and then learn anew what is large."""
    at = m.q_n % ORDERS
    if m.q_n >= ORDERS:
        m.h_count[_SIZES, m.q_bucket[at]] -= 1
        m.h_n[_SIZES] -= 1
    m.q_bucket[at] = size_bucket(lots)
    m.q_n += 1
    size_add(m, _SIZES, lots)
    if m.q_n >= limit.min_orders and (m.q_n % _RELEARN == 0 or m.large == 0):
        m.large = size_quantile(m, _SIZES, limit.print_q)


@part
def close_order(m: Any, limit: Any) -> int:
    """Close the aggressor order under way; give 1 where it was a large one, which is kept."""
    lots = m.o_lots
    if lots == 0:
        return 0
    m.o_lots = 0
    big = m.large > 0 and lots >= m.large
    count_order(m, limit, lots)
    if big:
        at = m.l_n % LARGE
        m.l_ns[at], m.l_seq[at], m.l_tick[at], m.l_lots[at] = m.o_ns, m.o_seq, m.o_tick, lots * m.o_side
        m.l_n += 1
        return 1
    return 0


# -- levels ---------------------------------------------------------------------------------------


@part
def count_profile(m: Any, tick: int, lots: int) -> None:
    """Count lots in the day's volume profile; where the range has outgrown it, cells become twice as wide."""
    if m.v_n == 0:
        m.v_shift = 0
        m.v_base = tick - CELL_COUNT // 2
    m.v_n += lots
    while (tick - m.v_base) >> m.v_shift >= CELL_COUNT or tick < m.v_base:
        half = CELL_COUNT // 2
        if tick < m.v_base:
            # Pairs from the top down, so that the old range lies in the upper half.
            for n in range(half):
                at = CELL_COUNT - 1 - n
                from_ = CELL_COUNT - 2 - 2 * n
                m.v_lots[at] = m.v_lots[from_] + m.v_lots[from_ + 1]
            for n in range(half):
                m.v_lots[n] = 0
            m.v_base -= CELL_COUNT << m.v_shift
        else:
            for n in range(half):
                m.v_lots[n] = m.v_lots[2 * n] + m.v_lots[2 * n + 1]
            for n in range(half, CELL_COUNT):
                m.v_lots[n] = 0
        m.v_shift += 1
    m.v_lots[(tick - m.v_base) >> m.v_shift] += lots


@part
def close_profile(m: Any) -> None:
    """Keep the day's point of control and value area (70 % of volume about it), and start a new profile."""
    top = 0
    for n in range(CELL_COUNT):
        if m.v_lots[n] > m.v_lots[top]:
            top = n
    low, high, inside = top, top, m.v_lots[top]
    while inside < _VALUE_AREA * m.v_n:
        above = m.v_lots[high + 1] if high + 1 < CELL_COUNT else -1
        below = m.v_lots[low - 1] if low > 0 else -1
        if above < 0 and below < 0:
            break
        if above >= below:
            high += 1
            inside += above
        else:
            low -= 1
            inside += below
    half = (1 << m.v_shift) >> 1
    m.p_poc = m.v_base + (top << m.v_shift) + half
    m.p_value_high = m.v_base + (high << m.v_shift) + half
    m.p_value_low = m.v_base + (low << m.v_shift) + half
    for n in range(CELL_COUNT):
        m.v_lots[n] = 0
    m.v_n = 0


@part
def start_day(m: Any, day: int, now_ns: int, tick: int) -> None:
    """Begin a session with its first print; what the last one was becomes the prior."""
    if m.v_n > 0:
        m.prior = 1
        m.prior_high, m.prior_low, m.prior_close = m.high, m.low, m.last_tick
        close_profile(m)
    m.day = day
    m.session_ns = now_ns
    m.open = tick
    m.high = m.low = m.opening_high = m.opening_low = tick
    m.swings = 0


@part
def put_level(m: Any, kind: int, tick: int) -> None:
    """Add a level to the list."""
    if m.levels < LEVELS:
        m.lv_tick[m.levels] = tick
        m.lv_kind[m.levels] = kind
        m.levels += 1


@part
def find_swing(m: Any, limit: Any) -> None:
    """Note the swing point that the minute just closed has confirmed, if any."""
    reach = limit.swing_bars
    if m.bars < 2 * reach + 1:
        return
    middle = m.bars - 1 - reach
    top = True
    bottom = True
    for n in range(m.bars - 1 - 2 * reach, m.bars):
        if n != middle:
            top = top and m.b_high[n % BARS] < m.b_high[middle % BARS]
            bottom = bottom and m.b_low[n % BARS] > m.b_low[middle % BARS]
    if top:
        m.s_tick[m.swings % SWINGS], m.s_side[m.swings % SWINGS] = m.b_high[middle % BARS], 1
        m.swings += 1
    if bottom:
        m.s_tick[m.swings % SWINGS], m.s_side[m.swings % SWINGS] = m.b_low[middle % BARS], -1
        m.swings += 1


@part
def round_step(c: Any, limit: Any, tick: int) -> int:
    """Ticks between round numbers: the least 1, 2 or 5 times a power of ten that is neither few ticks nor near."""
    if limit.round_ticks > 0:
        return limit.round_ticks
    least = max(_ROUND_LEAST * c.tick_size, abs(tick) * c.tick_size * _ROUND_SHARE)
    unit = 10.0 ** math.floor(math.log10(least))
    step = unit
    for times in (1, 2, 5, 10):
        step = unit * times
        if step >= least * 0.999999:
            break
    return max(math.floor(step / c.tick_size + 0.5), 1)


@part
def rebuild(m: Any, limit: Any, c: Any, now_ns: int, vwap_t16: int, sigma_t16: int) -> None:
    """Once a minute: the list of levels, the width of a zone and the distance of round numbers."""
    m.levels = 0
    if m.prior != 0:
        put_level(m, K_PRIOR_HIGH, m.prior_high)
        put_level(m, K_PRIOR_LOW, m.prior_low)
        put_level(m, K_PRIOR_CLOSE, m.prior_close)
        put_level(m, K_POC, m.p_poc)
        put_level(m, K_VALUE_HIGH, m.p_value_high)
        put_level(m, K_VALUE_LOW, m.p_value_low)
    if m.bars > 0:
        put_level(m, K_HIGH, m.high)
        put_level(m, K_LOW, m.low)
        put_level(m, K_OPEN, m.open)
    if now_ns - m.session_ns >= limit.opening_min * _MINUTE:
        put_level(m, K_OPENING_HIGH, m.opening_high)
        put_level(m, K_OPENING_LOW, m.opening_low)
    if now_ns - m.session_ns >= _VWAP_NS and sigma_t16 >= 2 * 65536:
        put_level(m, K_VWAP, (vwap_t16 + 32768) >> 16)
        put_level(m, K_UP1, (vwap_t16 + sigma_t16 + 32768) >> 16)
        put_level(m, K_DOWN1, (vwap_t16 - sigma_t16 + 32768) >> 16)
        put_level(m, K_UP2, (vwap_t16 + 2 * sigma_t16 + 32768) >> 16)
        put_level(m, K_DOWN2, (vwap_t16 - 2 * sigma_t16 + 32768) >> 16)
    for n in range(min(m.swings, SWINGS)):
        put_level(m, K_SWING_HIGH if m.s_side[n] > 0 else K_SWING_LOW, m.s_tick[n])
    m.step_ticks = round_step(c, limit, m.last_tick)
    bars = min(m.bars - 1, _ATR_BARS)
    wide = 0
    for n in range(m.bars - bars, m.bars):
        before = m.b_close[(n - 1) % BARS]
        wide += max(m.b_high[n % BARS], before) - min(m.b_low[n % BARS], before)
    average = wide / bars if bars > 0 else 0.0
    m.zone = max(limit.zone_ticks, math.floor(limit.zone_atr * average + 0.5))


@part
def open_bar(m: Any, tick: int) -> None:
    """Begin a minute's bar."""
    at = m.bars % BARS
    m.b_high[at] = m.b_low[at] = m.b_close[at] = tick


@part
def close_minute(m: Any, limit: Any, minute: int) -> None:
    """Close the bar of the last minute with prints; the session's extremes follow it."""
    at = m.bars % BARS
    m.high, m.low = max(m.high, m.b_high[at]), min(m.low, m.b_low[at])
    if m.minute - m.first_minute < limit.opening_min:
        m.opening_high, m.opening_low = max(m.opening_high, m.b_high[at]), min(m.opening_low, m.b_low[at])
    m.bars += 1
    find_swing(m, limit)
    m.minute = minute
    open_bar(m, m.last_tick)


@part
def count_print(m: Any, limit: Any, c: Any, now_ns: int, tick: int, lots: int) -> None:
    """Let a print into the bar, the day and the profile."""
    minute = now_ns // _MINUTE
    day = (now_ns - c.roll_ns) // _DAY
    if m.session_ns == 0 or day > m.day:
        if m.session_ns != 0:
            close_minute(m, limit, minute)
        start_day(m, day, now_ns, tick)
        m.first_minute = m.minute = minute
        open_bar(m, tick)
    elif minute > m.minute:
        close_minute(m, limit, minute)
    at = m.bars % BARS
    m.b_high[at], m.b_low[at], m.b_close[at] = max(m.b_high[at], tick), min(m.b_low[at], tick), tick
    m.last_tick = tick
    count_profile(m, tick, lots)


@part
def nearest(m: Any, tick: int) -> int:
    """The level next to a price within its zone: its place in the list, LEVELS for a round number, -1 for none."""
    found = -1
    least = m.zone + 1
    for n in range(m.levels):
        away = abs(m.lv_tick[n] - tick)
        if away < least:
            found = n
            least = away
    step = max(m.step_ticks, 1)
    away = abs(tick - (tick + (step >> 1)) // step * step)
    if m.step_ticks > 0 and away < least:
        found = LEVELS
    return found


@part
def level_tick(m: Any, at: int, tick: int) -> int:
    """The price of what `nearest` gave."""
    if at < LEVELS:
        return m.lv_tick[at]
    step = max(m.step_ticks, 1)
    return (tick + (step >> 1)) // step * step


# -- the last minute ------------------------------------------------------------------------------


@part
def keep_print(m: Any, second: int, side: int, tick: int, lots: int) -> None:
    """Keep a print for the window: with the last one where only the lots differ."""
    at = (m.r_end - 1) % RING
    if m.r_end > m.r_start and m.r_second[at] == second and m.r_tick[at] == tick and m.r_lots[at] * side > 0:
        m.r_lots[at] += side * lots
        return
    if m.r_end - m.r_start == RING:
        m.r_start += 1
    at = m.r_end % RING
    m.r_second[at], m.r_tick[at], m.r_lots[at] = second, tick, side * lots
    m.r_end += 1


@part
def keep_mid(m: Any, second: int, mid2: int) -> None:
    """Keep the highest and lowest mid of each second."""
    if second - m.second >= 128:
        m.second = second - 1
        m.mids_from = second
    while m.second < second:
        m.second += 1
        m.m_high[m.second & 127] = mid2
        m.m_low[m.second & 127] = mid2
    at = second & 127
    m.m_high[at], m.m_low[at] = max(m.m_high[at], mid2), min(m.m_low[at], mid2)


@part
def furthest(m: Any, first: int, last: int, side: int) -> int:
    """The mid furthest in a direction in some seconds, in half ticks towards it."""
    most = -(2**60)
    for n in range(max(first, m.second - 127, m.mids_from), last + 1):
        most = max(most, m.m_high[n & 127] if side > 0 else -m.m_low[n & 127])
    return most


@part
def gather(m: Any, limit: Any, side: int, level: int, now_ns: int) -> None:
    """Count what large orders and what lots of one side met the zone of a level within the window."""
    m.n_prints = m.n_lots = 0
    m.n_first_ns = m.n_last_ns = 0
    since = now_ns - limit.window_s * _SECOND
    for n in range(max(0, m.l_n - LARGE), m.l_n):
        at = n % LARGE
        if m.l_ns[at] > since and m.l_lots[at] * side > 0 and abs(m.l_tick[at] - level) <= m.zone:
            m.n_prints += 1
            if m.n_first_ns == 0:
                m.n_first_ns, m.n_seq = m.l_ns[at], m.l_seq[at]
            m.n_last_ns = m.l_ns[at]
    oldest = now_ns // _SECOND - limit.window_s + 1
    while m.r_start < m.r_end and m.r_second[m.r_start % RING] < oldest:
        m.r_start += 1
    for n in range(m.r_start, m.r_end):
        at = n % RING
        if m.r_lots[at] * side > 0 and abs(m.r_tick[at] - level) <= m.zone:
            m.n_lots += m.r_lots[at] * side


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


@part
def is_rejected(m: Any, side: int, level: int) -> int:
    """Say whether at least two earlier swings of the session ended in the zone."""
    times = 0
    for n in range(min(m.swings, SWINGS)):
        if m.s_side[n] == side and abs(m.s_tick[n] - level) <= m.zone:
            times += 1
    return 1 if times >= 2 else 0


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
        if now_ns % _MINUTE == 0 and m.session_ns != 0:
            if now_ns // _MINUTE > m.minute:
                close_minute(m, limit, now_ns // _MINUTE)
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


# -- words ----------------------------------------------------------------------------------------


def words(found: Found) -> str:
    """Say who may be there, what ran into them, and what else speaks for it."""
    who, did = ("SELLER", "bought") if found.side < 0 else ("BUYER", "sold")
    value = found.evidence
    where = f"{KINDS[int(value['level'])]} {found.price(found.tick)}"
    if found.phase == "cleared":
        how = {"broken": "BROKEN", "away": "over"}.get(found.reason, "over, book rebuilt")
        return f"HIDDEN {who} {how} · {where}"
    lots = f"{found.size(found.lots)} {did}"
    if found.method == "any":
        return f"LARGE PRINT AT {where} · {lots}"
    times = f"{value['prints']:.0f} large/" if found.method == "prints" else ""
    also = [name for name in ("iceberg", "absorbed", "rejected") if value[name]]
    return f"HIDDEN {who}? {where} · {lots}, {times}{value['seconds']:.0f}s" + (f" · {'+'.join(also)}" if also else "")


# -- worked cases ---------------------------------------------------------------------------------


def _swing(seconds: int) -> str:
    """A market about 100 that follows its flow 13 ticks up and down, from takers of 9 to 11 lots."""
    said = ["[", *(f"b{100 - n}:50 a{101 + n}:50" for n in range(20)), "]"]
    bid = 100
    for second in range(seconds):
        period, within = divmod(second, 26)
        side = 1 if within < 13 else -1
        uneven = (3 * period if side > 0 else 5 * period + 4) % 12
        steps = {uneven: 2, uneven + 1: 0}.get(within % 13, 1)
        said.append(f"~500 +{bid + 1}:{9 + second % 3}" if side > 0 else f"~500 -{bid}:{9 + second % 3}")
        for _ in range(steps):
            said.append(f"~20 a{bid + 1}:0&b{bid + 1}:50" if side > 0 else f"~20 b{bid}:0&a{bid}:50")
            bid += side
        said.append("~480")
    return " ".join(said)


_STILL: Final = "~1000 b98:50 "
_USUAL: Final = _swing(156) + " "
_BRIEF: Final = _swing(52) + " "
_LARGE: Final = "~300 +101:45 a101:5 ~50 a101:50 "
_SMALL: Final = "~150 +101:11 a101:39 ~50 a101:50 "
_BUYERS: Final = (_SMALL * 4 + _LARGE) * 14
_SELLERS: Final = _BUYERS.replace("+101", "-100").replace("a101", "b100")
_FEW: Final = {"min_orders": 60, "min_seconds": 100, "print_q": 0.9}
_ALONE: Final = {"min_orders": 30, "min_seconds": 30, "print_q": 0.9, "on": 0.45}
"""Prints at a level as evidence enough, where that is not what a case is about."""
_CLIMB: Final = "".join(f"~20 a{tick}:0&b{tick}:50 " for tick in range(101, 107))
_MORE: Final = "a105:0 ~20 +102:50 a102:0&b102:50 ~20 +103:50 a103:0&b103:50 ~20 +104:50 a104:0&b104:50 "
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
    cases=(
        Case(
            "large buyers run into the low of the session, which absorbs them, and then nothing comes after",
            _USUAL + _BUYERS + _STILL * 14,
            ("HIDDEN SELLER? session low 101",),
            thresholds=_FEW,
        ),
        Case(
            "large sellers, and a buyer whom they do not see",
            _BRIEF + _SELLERS + _STILL * 14,
            ("HIDDEN BUYER? round 100",),
            thresholds=_ALONE,
        ),
        Case(
            "no order is large, but far more is bought there than in other minutes",
            _BRIEF + _STILL * 60 + _SMALL * 90 + _STILL * 14,
            ("HIDDEN SELLER? session low 101",),
            thresholds=_ALONE | {"volume_q": 0.8},
        ),
        Case(
            "it gives way after all",
            _BRIEF + _BUYERS + _STILL * 14 + "~20 +101:50 a101:0&b101:50 " + _MORE + _STILL * 7,
            ("HIDDEN SELLER? session low 101", "HIDDEN SELLER BROKEN"),
            thresholds=_ALONE,
        ),
        Case(
            "as a naive rule: any large order at a level",
            _BRIEF + _LARGE + _STILL,
            ("LARGE PRINT AT",),
            thresholds=_ALONE | {"naive": 1},
        ),
        Case("the market as usual", _BRIEF, thresholds=_ALONE),
        Case(
            "large buyers at the level, but the price goes through with them",
            _BRIEF + _LARGE * 3 + "~20 +101:50 a101:0&b101:50 " + _MORE + _STILL * 12,
            thresholds=_ALONE,
        ),
        Case(
            "three large buyers at the level and nothing else that speaks for a seller",
            _USUAL + (_STILL * 9 + _LARGE) * 4 + _STILL * 14,
            thresholds=_FEW,
        ),
        Case(
            "large buyers far from any level",
            _BRIEF + _CLIMB + _BUYERS.replace("101", "107") + _STILL * 14,
            thresholds=_ALONE | {"round_ticks": 1000},
        ),
        Case("before enough orders are known", _BRIEF + _BUYERS + _STILL * 14),
    ),
    after=("absorption", "iceberg"),
    baselines={"any large order at a level": {"naive": 1}},
    knob="on",
)  # fmt: skip

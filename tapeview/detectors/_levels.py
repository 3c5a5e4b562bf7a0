"""Prices that everybody knows: of the prior day, the session, its opening, swings, volume, VWAP, and round ones.

The set is made anew once a minute from what was known before; between, `nearest` finds the level a price is at.
"""

from __future__ import annotations

import math
from typing import Any, Final

from tapeview.engine._jit import part

KINDS: Final = (
    "round", "prior high", "prior low", "prior close", "session high", "session low", "open", "opening high",
    "opening low", "swing high", "swing low", "prior POC", "prior value high", "prior value low", "VWAP", "VWAP +1σ",
    "VWAP -1σ", "VWAP +2σ", "VWAP -2σ",
)  # fmt: skip
(
    K_ROUND, K_PRIOR_HIGH, K_PRIOR_LOW, K_PRIOR_CLOSE, K_HIGH, K_LOW, K_OPEN, K_OPENING_HIGH, K_OPENING_LOW,
    K_SWING_HIGH, K_SWING_LOW, K_POC, K_VALUE_HIGH, K_VALUE_LOW, K_VWAP, K_UP1, K_DOWN1, K_UP2, K_DOWN2,
) = range(len(KINDS))  # fmt: skip
BARS: Final = 32
SWINGS: Final = 48
LEVELS: Final = 64
CELL_COUNT: Final = 1024
"""Cells of the volume profile; they widen as the day's range does."""
MINUTE_NS: Final = 60_000_000_000
_DAY_NS: Final = 86_400_000_000_000
_ATR_BARS: Final = 14
_ROUND_SHARE: Final = 0.0005
_ROUND_LEAST: Final = 20
_VALUE_AREA: Final = 0.7
_VWAP_NS: Final = 30 * MINUTE_NS


def fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields that the parts of this module use."""
    return (
        *((name, "i8") for name in (
            "last_tick", "minute", "bars", "first_minute", "swings", "day", "open", "high", "low", "opening_high",
            "opening_low", "prior", "prior_high", "prior_low", "prior_close", "session_ns", "step_ticks", "levels",
            "zone", "v_base", "v_shift", "v_top", "v_n", "p_poc", "p_value_high", "p_value_low",
        )),
        ("b_high", "i8", (BARS,)), ("b_low", "i8", (BARS,)), ("b_close", "i8", (BARS,)),
        ("s_tick", "i8", (SWINGS,)), ("s_side", "i8", (SWINGS,)),
        ("lv_tick", "i8", (LEVELS,)), ("lv_kind", "i8", (LEVELS,)),
        ("v_lots", "i8", (CELL_COUNT,)),
    )  # fmt: skip


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
    if now_ns - m.session_ns >= limit.opening_min * MINUTE_NS:
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
    minute = now_ns // MINUTE_NS
    day = (now_ns - c.roll_ns) // _DAY_NS
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


@part
def is_rejected(m: Any, side: int, level: int) -> int:
    """Say whether at least two earlier swings of the session ended in the zone."""
    times = 0
    for n in range(min(m.swings, SWINGS)):
        if m.s_side[n] == side and abs(m.s_tick[n] - level) <= m.zone:
            times += 1
    return 1 if times >= 2 else 0

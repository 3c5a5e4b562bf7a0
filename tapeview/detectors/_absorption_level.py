"""Prices that takers hit: for each what has traded there since the first hit, and what stood there before each.

A price's account begins with its first hit and is forgotten once it has not been hit for `idle_s`. From it and from
the market's usual ways `measure` makes the NAMES by which an absorbed price is told from any other.
"""

from __future__ import annotations

import math
from typing import Any, Final

from tapeview.engine._jit import part

PRICES: Final = 64
"""Prices of a side at once, found by the lowest bits of their tick."""
SECONDS: Final = 64
"""Seconds of lots kept for each."""
REACH: Final = 2
"""Ticks behind the touch at which a price that stands is looked for."""
NAMES: Final = (
    "hits", "unsteady", "flow", "restored", "other side", "lately", "shortfall", "added", "share", "shortfall since",
    "lumps",
)  # fmt: skip
"""What is measured: hits beside the prints usual in a window (log); deviation of what stood before hits, over its
mean; net flow of the window over its mean size; share of hits before which four fifths of the mean stood; lots of the
other side's takers over those at the price (log); lots of 3 s over the usual touch (log); shortfall of the price
against what the flow usually moves it, in deviations; lots added over lots traded; share of its side's lots that
traded at the price; the shortfall since the first hit; share of hits before which anything had been added."""
_LOOK_NS: Final = 80_000_000
"""What stands is looked at where the last hit is so long ago: orders in pieces are one."""
_MEMORY: Final = 0.08
_RESTORED: Final = 0.8
_LATELY_S: Final = 3
_SECOND: Final = 1_000_000_000


def fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields that the parts of this module use."""
    two = (2, PRICES)
    return (
        *((name, "i8", two) for name in (
            "l_tick", "l_first_ns", "l_last_ns", "l_lots", "l_hits", "l_left", "l_added", "l_looks", "l_restored",
            "l_same", "l_other", "l_mid2", "l_second", "l_most", "l_lumps",
            "l_waves",
        )),
        ("l_mean", "f8", two), ("l_var", "f8", two), ("l_second_lots", "i8", (2, PRICES, SECONDS)),
        ("t_lots", "i8", (2,)), ("t_prints", "i8"),
        ("u_touch", "f8"), ("u_prints", "f8"), ("u_flow", "f8"), ("u_n", "i8"), ("u_last", "i8"),
        ("x", "f8", (2, len(NAMES))), ("x_tick", "i8", (2,)), ("x_at", "i8", (2,)),
    )  # fmt: skip


@part
def hit(
    m: Any, k: int, tick: int, lots: int, was: int, now_ns: int, mid2: int, idle_ns: int, wave_ns: int
) -> None:  # fmt: skip
    """Takers of side k (0 buyers) hit a price at which so much was displayed before."""
    at = tick & (PRICES - 1)
    second = now_ns // _SECOND
    m.t_lots[k] += lots
    m.t_prints += 1
    if m.l_tick[k, at] != tick or now_ns - m.l_last_ns[k, at] > idle_ns or m.l_hits[k, at] == 0:
        m.l_tick[k, at], m.l_first_ns[k, at], m.l_last_ns[k, at], m.l_mid2[k, at] = tick, now_ns, 0, mid2
        m.l_lots[k, at] = m.l_hits[k, at] = m.l_added[k, at] = m.l_looks[k, at] = m.l_restored[k, at] = 0
        m.l_left[k, at], m.l_most[k, at], m.l_lumps[k, at] = was, 0, 0
        m.l_waves[k, at] = 0
        m.l_same[k, at], m.l_other[k, at] = m.t_lots[k] - lots, m.t_lots[1 - k]
        m.l_mean[k, at] = m.l_var[k, at] = 0.0
        m.l_second[k, at] = second - SECONDS
    if now_ns - m.l_last_ns[k, at] >= wave_ns:
        m.l_waves[k, at] += 1
    if now_ns - m.l_last_ns[k, at] >= _LOOK_NS:
        m.l_looks[k, at] += 1
        weight = max(1.0 / m.l_looks[k, at], _MEMORY)
        away = was - m.l_mean[k, at]
        m.l_mean[k, at] += weight * away
        m.l_var[k, at] = (1.0 - weight) * (m.l_var[k, at] + weight * away * away)
        if was >= _RESTORED * m.l_mean[k, at]:
            m.l_restored[k, at] += 1
    if was > m.l_left[k, at]:
        m.l_added[k, at] += was - m.l_left[k, at]
        m.l_lumps[k, at] += 1
    m.l_left[k, at] = max(was - lots, 0)
    m.l_most[k, at] = max(m.l_most[k, at], was)
    m.l_lots[k, at] += lots
    m.l_hits[k, at] += 1
    m.l_last_ns[k, at] = now_ns
    last = m.l_second[k, at]
    if second - last >= SECONDS:
        last = second - SECONDS
    while last < second:
        last += 1
        m.l_second_lots[k, at, last & (SECONDS - 1)] = 0
    m.l_second[k, at] = second
    m.l_second_lots[k, at, second & (SECONDS - 1)] += lots


@part
def forget_prices(m: Any) -> None:
    """Begin every price's account anew."""
    for k in range(2):
        for at in range(PRICES):
            m.l_hits[k, at] = 0


@part
def lots_within(m: Any, k: int, at: int, now_ns: int, seconds: int) -> int:
    """Lots traded at a price in the last so many seconds, the one under way as the last."""
    total = 0
    last = now_ns // _SECOND
    for second in range(max(last - seconds + 1, m.l_second[k, at] - SECONDS + 1), m.l_second[k, at] + 1):
        total += m.l_second_lots[k, at, second & (SECONDS - 1)]
    return total


@part
def find_price(m: Any, k: int, best: int, now_ns: int, seconds: int, since_ns: int) -> int:
    """The account of the price at or behind the touch that was hit most, and not too long ago; -1 where there is none.

    With `seconds` the lots of so many seconds are compared, with 0 those since the first hit. A price one tick before
    the touch has just been emptied.
    """
    side = 1 - 2 * k
    found = -1
    most = 0
    for away in range(-1, REACH + 1):
        tick = best + away * side
        at = tick & (PRICES - 1)
        if m.l_tick[k, at] == tick and m.l_hits[k, at] > 0 and now_ns - m.l_last_ns[k, at] <= since_ns:
            lots = m.l_lots[k, at] if seconds == 0 else lots_within(m, k, at, now_ns, seconds)
            if lots > most:
                most = lots
                found = at
    return found


@part
def learn_usual(m: Any, touch_lots: float, flow: int, seconds: int) -> None:
    """Once a second: how much usually stands at the touch, prints and net flow of a window."""
    m.u_n += 1
    weight = max(1.0 / m.u_n, 0.002)
    m.u_touch += weight * (touch_lots - m.u_touch)
    m.u_prints += weight * ((m.t_prints - m.u_last) * seconds - m.u_prints)
    m.u_last = m.t_prints
    m.u_flow += weight * (abs(flow) - m.u_flow)


@part
def measure(
    m: Any, k: int, at: int, now_ns: int, flow: int, moved2: int, mid2: int, same: int, seconds: int, slope: float,
    sigma: float,
) -> None:  # fmt: skip
    """Write the NAMES of a price into x: `flow`, `moved2` and `same` are of the window of so many seconds."""
    side = 1 - 2 * k
    lots = m.l_lots[k, at]
    other = m.t_lots[1 - k] - m.l_other[k, at]
    since = (now_ns - m.l_first_ns[k, at]) * 1e-9
    net = m.t_lots[k] - m.l_same[k, at] - other
    moved = 0.5 * (mid2 - m.l_mid2[k, at]) * side
    m.x[k, 0] = math.log(m.l_hits[k, at] / max(m.u_prints, 1.0))
    m.x[k, 1] = math.sqrt(m.l_var[k, at]) / (m.l_mean[k, at] + 1.0)
    m.x[k, 2] = flow * side / max(m.u_flow, 1.0)
    m.x[k, 3] = m.l_restored[k, at] / max(m.l_looks[k, at], 1)
    m.x[k, 4] = math.log((other + 1.0) / (lots + 1.0))
    m.x[k, 5] = math.log((lots_within(m, k, at, now_ns, _LATELY_S) + 1.0) / (m.u_touch + 1.0))
    m.x[k, 6] = (slope * flow - 0.5 * moved2) * side / sigma
    m.x[k, 7] = m.l_added[k, at] / lots
    m.x[k, 8] = lots_within(m, k, at, now_ns, seconds) / max(same, 1)
    m.x[k, 9] = (slope * net - moved) / sigma / math.sqrt(max(since, 0.5 * seconds) / seconds)
    m.x[k, 10] = m.l_lumps[k, at] / m.l_hits[k, at]

"""What takers did in the last minute: orders put together from prints, the large ones, and how far the mid got."""

from __future__ import annotations

from typing import Any, Final

from tapeview.detectors._estimate import size_add, size_bucket, size_quantile, size_take
from tapeview.engine._jit import part

ORDERS: Final = 2000
"""Aggressor orders among which the large ones are found."""
LARGE: Final = 128
RING: Final = 4096
SIZES: Final = 0
"""The table of sizes that aggressor orders are counted in."""
_RELEARN: Final = 64
_SECOND: Final = 1_000_000_000


def fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields that the parts of this module use."""
    return (
        *((name, "i8") for name in (
            "o_side", "o_ns", "o_exch_ns", "o_seq", "o_lots", "o_tick", "q_n", "large", "l_n", "r_start", "r_end",
            "second", "mids_from", "n_prints", "n_lots", "n_first_ns", "n_last_ns", "n_seq",
        )),
        ("q_bucket", "i8", (ORDERS,)),
        ("l_ns", "i8", (LARGE,)), ("l_seq", "i8", (LARGE,)), ("l_tick", "i8", (LARGE,)), ("l_lots", "i8", (LARGE,)),
        ("r_second", "i8", (RING,)), ("r_tick", "i8", (RING,)), ("r_lots", "i8", (RING,)),
        ("m_high", "i8", (128,)), ("m_low", "i8", (128,)),
    )  # fmt: skip


# -- aggressor orders -----------------------------------------------------------------------------


@part
def count_order(m: Any, limit: Any, lots: int) -> None:
    """Count an aggressor order among the last ORDERS, and now and then learn anew what is large."""
    at = m.q_n % ORDERS
    if m.q_n >= ORDERS:
        size_take(m, SIZES, m.q_bucket[at])
    m.q_bucket[at] = size_bucket(lots)
    m.q_n += 1
    size_add(m, SIZES, lots)
    if m.q_n >= limit.min_orders and (m.q_n % _RELEARN == 0 or m.large == 0):
        m.large = size_quantile(m, SIZES, limit.print_q)


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

"""What the tape does now against what it usually does: return, volume, flow, sweeps, depth and extremes.

A window is 30 bars and a fifth of it the flow window; bars end at multiples of their length of receive time, and only
sums at their ends are kept. What is usual is learned from bars as they leave the window, so that a run does not
become its own yardstick.
"""

from __future__ import annotations

import math
from typing import Any, Final

from feeds.events import NONE, ODD_LOT
from tapeview.detectors._estimate import mean_add, size_add, size_quantile
from tapeview.engine._jit import part

RING: Final = 64
BARS: Final = 30
"""Bars of the window."""
FLOW: Final = 6
"""Bars of the flow window."""
DEPTH_BARS: Final = 60
"""Bars whose median depth is the usual one."""
_LEAST_DEPTHS: Final = 10
_HALF_LIFE: Final = 180.0
"""Bars after which half of what is usual is forgotten."""
_SMOOTH: Final = 0.0625
"""Weight of one look at the depth, at 10 a second."""
_UNSIGNED: Final = 0.2
MEANS: Final = 5
"""Exponential means used: volume, delta, return, buyers' sweeps, sellers' sweeps of a bar."""
SIZES: Final = 2
"""Tables of sizes used: lots closed by force in a flow window, buys and sells."""
_SUMS: Final = (
    "mid", "volume", "delta", "unsigned", "buy_sweeps", "sell_sweeps", "forced_buys", "forced_sells", "interest",
    "closed_up", "closed_down",
)  # fmt: skip


def fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields of the windows."""
    return (
        *((f"r_{name}", "i8", (RING,)) for name in (*_SUMS, "ask", "bid", "whole")), ("r_sorted", "i8", (RING,)),
        *((name, "i8") for name in (
            *_SUMS, "bar", "bar_whole", "begun", "live_ns", "typical", "high", "low", "high_try", "low_try", "high_at",
            "low_at", "interest_mid", "order_side", "order_ns", "order_exch_ns", "order_tick", "order_levels",
            "ask_median", "bid_median", "swept", "forced",
        )),
        *((name, "f8") for name in (
            "ask_mean", "bid_mean", "x_return", "x_volume", "x_share", "x_flow", "x_lost", "x_sweeps", "x_new",
            "x_interest", "x_forced",
        )),
    )  # fmt: skip


@part
def take_extreme(m: Any, tick: int, lots: int) -> None:
    """Believe an extreme of the session from a print of usual size, or from the second print beyond the last."""
    if tick > m.high:
        if lots >= m.typical:
            m.high, m.high_try, m.high_at = tick, tick, m.live_ns
        elif m.high_try > m.high:
            m.high, m.high_try, m.high_at = min(tick, m.high_try), max(tick, m.high_try), m.live_ns
        else:
            m.high_try = tick
    elif lots >= m.typical:
        m.low, m.low_try, m.low_at = tick, tick, m.live_ns
    elif m.low_try < m.low:
        m.low, m.low_try, m.low_at = max(tick, m.low_try), min(tick, m.low_try), m.live_ns
    else:
        m.low_try = tick


@part
def take_print(m: Any, row: Any, exch_ns: int, join_ns: int, sweep_levels: int) -> None:
    """Count a print of the flow: its order's levels, unsigned lots, and the session's extremes."""
    side = row.side
    lots = row.lots
    tick = row.tick
    if side == 0:
        m.unsigned += lots
    else:
        together = exch_ns == m.order_exch_ns if exch_ns != NONE else row.recv_ns - m.order_ns <= join_ns
        if side != m.order_side or not together:
            m.order_side = side
            m.order_levels = 1
            m.order_tick = tick
        elif (tick - m.order_tick) * side > 0:
            m.order_tick = tick
            m.order_levels += 1
            if m.order_levels == sweep_levels:
                if side > 0:
                    m.buy_sweeps += 1
                else:
                    m.sell_sweeps += 1
        m.order_ns = row.recv_ns
        m.order_exch_ns = exch_ns
    if row.print != ODD_LOT:
        if m.typical == 0:
            m.typical = lots
            m.high, m.high_try, m.low, m.low_try = tick, tick, tick, tick
        elif tick > m.high or tick < m.low:
            take_extreme(m, tick, lots)
        m.typical += (int(lots > m.typical) - int(lots < m.typical)) * ((m.typical >> 5) + 1)


@part
def put_sums(m: Any, at: int, whole: int) -> None:
    """Write the sums into a place of the ring; `whole` says whether the bar that ends is one to learn from."""
    m.r_mid[at], m.r_volume[at], m.r_delta[at], m.r_unsigned[at] = m.mid, m.volume, m.delta, m.unsigned
    m.r_buy_sweeps[at], m.r_sell_sweeps[at] = m.buy_sweeps, m.sell_sweeps
    m.r_forced_buys[at], m.r_forced_sells[at], m.r_interest[at] = m.forced_buys, m.forced_sells, m.interest
    m.r_closed_up[at], m.r_closed_down[at] = m.closed_up, m.closed_down
    m.r_ask[at], m.r_bid[at] = int(m.ask_mean), int(m.bid_mean)
    m.r_whole[at] = whole


@part
def look(m: Any, row: Any) -> None:
    """Take mid, sums and depth of a CLOCK row of a live book of two sides."""
    m.mid = row.bid + row.ask
    m.volume, m.delta = row.volume, row.delta
    if m.ask_mean == 0.0:
        m.ask_mean, m.bid_mean = float(row.ask_depth), float(row.bid_depth)
    m.ask_mean += _SMOOTH * (row.ask_depth - m.ask_mean)
    m.bid_mean += _SMOOTH * (row.bid_depth - m.bid_mean)


@part
def take_interest(m: Any, interest: int) -> None:
    """Take the open interest as it is, 0 where unknown; what was closed since its last change goes to the price's way.

    Positions closed while the price rose were not those that a fall after it forces.
    """
    if interest == m.interest:
        return
    if interest > 0 and m.interest > 0:
        if m.mid > m.interest_mid:
            m.closed_up += m.interest - interest
        elif m.mid < m.interest_mid:
            m.closed_down += m.interest - interest
    m.interest = interest
    m.interest_mid = m.mid


@part
def restart(m: Any, now_ns: int, bar_ns: int) -> None:
    """Let the windows begin now; what is usual stays known."""
    for at in range(RING):
        put_sums(m, at, 0)
    m.bar = now_ns // bar_ns
    m.bar_whole = 0
    m.begun = 1


@part
def learn(m: Any, at: int, before: int, flow: int) -> None:
    """Count a bar that is whole, and so is the one before it, into what is usual."""
    if m.r_whole[at] == 0 or m.r_whole[before] == 0:
        return
    mean_add(m, 0, float(m.r_volume[at] - m.r_volume[before]), _HALF_LIFE)
    mean_add(m, 1, float(m.r_delta[at] - m.r_delta[before]), _HALF_LIFE)
    mean_add(m, 2, float(m.r_mid[at] - m.r_mid[before]), _HALF_LIFE)
    mean_add(m, 3, float(m.r_buy_sweeps[at] - m.r_buy_sweeps[before]), _HALF_LIFE)
    mean_add(m, 4, float(m.r_sell_sweeps[at] - m.r_sell_sweeps[before]), _HALF_LIFE)
    size_add(m, 0, m.r_forced_buys[at] - m.r_forced_buys[flow])
    size_add(m, 1, m.r_forced_sells[at] - m.r_forced_sells[flow])


@part
def depth_median(m: Any, which: int) -> int:
    """The median depth at the ends of the last bars, of asks (0) or bids (1); 0 where too few are known."""
    n = 0
    for back in range(1, DEPTH_BARS + 1):
        at = (m.bar - back) % RING
        if m.r_whole[at] != 0:
            value = m.r_ask[at] if which == 0 else m.r_bid[at]
            place = n
            while place > 0 and m.r_sorted[place - 1] > value:
                m.r_sorted[place] = m.r_sorted[place - 1]
                place -= 1
            m.r_sorted[place] = value
            n += 1
    return m.r_sorted[n // 2] if n >= _LEAST_DEPTHS else 0


@part
def close_bars(m: Any, now_ns: int, bar_ns: int) -> bool:
    """End the bars up to a time and learn from those that leave the window; say whether any ended."""
    bar = now_ns // bar_ns
    if bar <= m.bar:
        return False
    if bar - m.bar > RING:
        m.bar = bar - RING
    while m.bar < bar:
        put_sums(m, m.bar % RING, m.bar_whole)
        m.bar_whole = 1
        m.bar += 1
        learn(m, (m.bar - BARS) % RING, (m.bar - BARS - 1) % RING, (m.bar - BARS - FLOW) % RING)
    m.ask_median = depth_median(m, 0)
    m.bid_median = depth_median(m, 1)
    return True


@part
def measure(m: Any, side: int, flow_ns: int, forced_quantile: float) -> None:
    """Measure the windows as they stand for a run up (side 1) or down (-1) into the x_ fields."""
    start = (m.bar - BARS) % RING
    near = (m.bar - FLOW) % RING
    # A yardstick of less than a tick, a lot or a sweep measures nothing.
    sigma = max(math.sqrt(BARS * (m.e_var[2] + m.e_mean[2] * m.e_mean[2])), 2.0)
    m.x_return = side * (m.mid - m.r_mid[start]) / sigma
    m.x_volume = (m.volume - m.r_volume[start]) / max(BARS * m.e_mean[0], 1.0)
    flow = m.volume - m.r_volume[near]
    unsigned = m.unsigned - m.r_unsigned[near]
    net = side * (m.delta - m.r_delta[near])
    m.x_share, m.x_flow = 0.0, 0.0
    if flow > 0 and unsigned <= _UNSIGNED * flow:
        m.x_share = 0.5 + 0.5 * net / (flow - unsigned)
        m.x_flow = (net - side * FLOW * m.e_mean[1]) / max(math.sqrt(FLOW * m.e_var[1]), 1.0)
    own, other = m.ask_mean, m.bid_mean
    own_usual, other_usual = m.ask_median, m.bid_median
    if side < 0:
        own, other, own_usual, other_usual = other, own, other_usual, own_usual
    m.x_lost = 0.0
    if own_usual > 0 and other >= 0.8 * other_usual:
        m.x_lost = max(0.0, 1.0 - own / own_usual)
    k = 3 if side > 0 else 4
    m.swept = m.buy_sweeps - m.r_buy_sweeps[near] if side > 0 else m.sell_sweeps - m.r_sell_sweeps[near]
    m.x_sweeps = (m.swept - FLOW * m.e_mean[k]) / max(math.sqrt(FLOW * max(m.e_var[k], m.e_mean[k])), 1.0)
    reached = m.high_at if side > 0 else m.low_at
    m.x_new = 1.0 if reached > 0 and m.live_ns - reached <= flow_ns else 0.0
    m.forced = m.forced_buys - m.r_forced_buys[near] if side > 0 else m.forced_sells - m.r_forced_sells[near]
    m.x_forced = 0.0
    if m.forced > 0:
        m.x_forced = m.forced / max(size_quantile(m, 0 if side > 0 else 1, forced_quantile), 1)
    was = m.r_interest[start]
    m.x_interest = 0.0
    if m.interest > 0 and was > 0:
        closed = was - m.interest
        # Positions are closed by trades: a greater loss is the venue's restatement or another contract.
        if closed <= m.volume - m.r_volume[(m.bar - DEPTH_BARS) % RING]:
            its_way = m.closed_up - m.r_closed_up[start] if side > 0 else m.closed_down - m.r_closed_down[start]
            m.x_interest = its_way / was

"""Ignition: a price that was tightly held for twenty minutes leaves its range on a surge of volume.

The range is measured against what a random walk of the same volatility would have covered. A break is told once it
has held outside, and told again when it fails, reverses or runs its course.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

import numpy as np

from feeds.events import CLOCK, F_NEWS, FACT, NONE, S_LIVE
from tapeview.alert import CLEARED, CONFIRMED
from tapeview.detectors import _estimate, _flow, _ignition_range
from tapeview.detectors._declare import Detector, Thresholds, bound
from tapeview.detectors._estimate import mean_add, root_mean, slide_add
from tapeview.detectors._flow import (
    MOMENTS,
    SECOND_NS,
    count_volume,
    follow_median,
    forget,
    knows_days,
    relative_volume,
    take_moment,
)
from tapeview.detectors._ignition_cases import CASES, words
from tapeview.detectors._ignition_range import count_bar, find_ranges
from tapeview.engine._jit import kernel, part


class IgnitionThresholds(Thresholds, frozen=True, kw_only=True):
    """What a range is, and what breaks it."""

    bar_s: Annotated[int, bound(1, 60, "Length of a bar in s.", "S")] = 60
    bars: Annotated[int, bound(5, 40, "Bars of the short range; the long one has three times as many.", "J")] = 20
    compress: Annotated[
        float, bound(0.05, 2, "Most width of a range, over 1.596 σ √bars: what a random walk covers.", "J")
    ] = 0.60
    touches: Annotated[int, bound(1, 5, "Bars that reach each edge, the first and last 3 bars apart.", "J")] = 2
    poke: Annotated[
        float, bound(0, 1, "Width that one bar may have poked beyond an edge, at least two ticks; 0: none may.", "B")
    ] = 0.1
    min_ticks: Annotated[int, bound(1, 10_000, "Least width of a range in ticks.", "J")] = 6
    margin: Annotated[float, bound(0, 1, "Width beyond an edge that is a break, at least one tick.", "J")] = 0.1
    hold_s: Annotated[float, bound(0, 60, "Seconds outside before a break is looked at.", "J")] = 3.0
    confirm_s: Annotated[float, bound(0, 600, "Seconds outside, or a bar's close, that confirm it.", "B")] = 15.0
    rvol: Annotated[float, bound(0, 100, "Least volume of the last `rvol_s` over the usual.", "B")] = 1.5
    rvol_s: Annotated[int, bound(1, 60, "Seconds of volume looked at, a bar's length at most.", "B")] = 20
    rvol_bars: Annotated[int, bound(1, 600, "Bars of volume known before any is compared.", "J")] = 5
    rvol_keep: Annotated[float, bound(0, 100, "The same when it is confirmed.", "J")] = 1.5
    buy_share: Annotated[float, bound(0.5, 1, "Least share of takers on its side.", "J")] = 0.6
    ofi_z: Annotated[float, bound(0, 10, "Least order flow of 10 s since the break, in its own deviations.", "J")] = 2.0
    taker_z: Annotated[
        float, bound(0, 100, "Net lots of takers in 20 s that are as good, in their own deviations.", "B")
    ] = 2.0
    spread_most: Annotated[float, bound(1, 100, "Most median spreads at a break.", "J")] = 2.0
    one_print: Annotated[float, bound(0, 1, "Most of that volume that may be one print.", "J")] = 0.5
    fail_share: Annotated[float, bound(0, 2, "Width back inside that makes it failed.", "J")] = 0.25
    fail_s: Annotated[int, bound(1, 3600, "Seconds in which it can fail or reverse.", "J")] = 300
    retrace: Annotated[float, bound(0.1, 1, "Share of a large move given back that is a reversal.", "J")] = 0.7
    large_sigma: Annotated[float, bound(0, 20, "σ of a bar from which a move is large.", "J")] = 3.0
    done_widths: Annotated[
        float, bound(0.5, 20, "Widths on from where it was told at which it has run its course.", "J")
    ] = 2.0
    done_s: Annotated[int, bound(10, 7200, "Seconds after which it is over.", "J")] = 900
    new_bars: Annotated[int, bound(0, 60, "New bars before a range can form again.", "J")] = 10
    stop_atr: Annotated[float, bound(0.5, 10, "Stop idea: mean bar ranges from the best price.", "J")] = 2.5
    news_s: Annotated[int, bound(0, 3600, "Seconds after news in which a break is called a news break.", "J")] = 300
    naive: Annotated[int, bound(0, 1, "1: tell of every new high or low of `bars` bars instead.", "J")] = 0


FLOW, VOLUME, SIGNED, LATE_VOLUME, LATE_SIGNED = range(5)
_WINDOWS: Final = 5
_FLOW_CELLS: Final = 100
_MINUTE_CELLS: Final = 600
_SHARE_CELLS: Final = 200
_FLOW_HALF_LIFE: Final = 1800.0
_VOLUME_HALF_LIFE: Final = 60.0
IDLE, OUTSIDE, ACTIVE = range(3)
IGNITION, NEWS = range(2)
NO_REASON, FAILED, REVERSED, DONE, LOST = range(5)

MEMORY: Final = np.dtype(
    [
        *_flow.fields(),
        *_flow.curve_fields(),
        *_estimate.fields(windows=_WINDOWS, means=2),
        *_ignition_range.fields(),
        *((name, "i8") for name in ("second", "spread16", "news_ns", "big", "big_ns", "keys")),
        ("z", "f8"), ("taken_z", "f8"), ("rvol", "f8"), ("share", "f8"),
        *((name, "i8", (2,)) for name in (
            "k_phase", "k_out_ns", "k_armed", "k_edge", "k_width", "k_bars", "k_best", "k_told_ns", "k_told", "k_key",
            "k_grade", "k_news",
        )),
        ("k_tight", "f8", (2,)), ("k_z", "f8", (2,)), ("k_taken_z", "f8", (2,)),
    ]
)  # fmt: skip


# -- breaks ---------------------------------------------------------------------------------------


@part
def look_outside(m: Any, k: int, mid: int, now_ns: int, limit: Any) -> None:
    """See a break begin, or end before it was told."""
    side = 1 - 2 * k
    if m.k_phase[k] == OUTSIDE:
        if (mid - m.k_edge[k]) * side <= 0:
            m.k_phase[k] = IDLE
        elif now_ns - m.k_out_ns[k] > limit.fail_s * SECOND_NS:
            m.k_phase[k] = IDLE
            m.g_bars[0] = m.g_bars[1] = 0
        elif (mid - m.k_best[k]) * side > 0:
            m.k_best[k] = mid
        m.k_z[k] = max(m.k_z[k], m.z * side)
        m.k_taken_z[k] = max(m.k_taken_z[k], m.taken_z * side)
        return
    for r in range(2):
        if m.g_bars[r] == 0 or m.k_phase[k] != IDLE:
            continue
        edge = m.g_high[r] if side > 0 else m.g_low[r]
        width = m.g_high[r] - m.g_low[r]
        margin = max(2.0, limit.margin * width) if limit.naive == 0 else 0.0
        if (mid - edge) * side > margin:
            m.k_phase[k], m.k_out_ns[k], m.k_armed[k], m.k_edge[k] = OUTSIDE, now_ns, 0, edge
            m.k_width[k], m.k_bars[k], m.k_tight[k], m.k_best[k] = width, m.g_bars[r], m.g_tight[r], mid
            m.k_z[k], m.k_taken_z[k] = m.z * side, m.taken_z * side


@part
def surges(m: Any, k: int, limit: Any) -> int:
    """Say whether volume, takers and order flow are with a break, at a spread as usual."""
    side = 1 - 2 * k
    if m.rvol < limit.rvol or (m.k_z[k] < limit.ofi_z and m.k_taken_z[k] < limit.taker_z):
        return 0
    share = m.share if side > 0 else 1.0 - m.share
    if share < limit.buy_share or m.big > limit.one_print * m.w_sum[VOLUME]:
        return 0
    return 1 if (m.q_ask - m.q_bid) * 16 <= limit.spread_most * m.spread16 else 0


@part
def holds(m: Any, k: int, mid: int, now_ns: int, closed: int, limit: Any) -> int:
    """Say whether a break is confirmed now."""
    if m.k_phase[k] != OUTSIDE:
        return 0
    side = 1 - 2 * k
    if limit.naive != 0:
        return 1
    away_ns = now_ns - m.k_out_ns[k]
    if m.k_armed[k] == 0 and away_ns >= limit.hold_s * SECOND_NS and surges(m, k, limit) != 0:
        m.k_armed[k] = 1
    if m.k_armed[k] == 0 or (mid - m.k_edge[k]) * side <= max(2.0, limit.margin * m.k_width[k]):
        return 0
    return 1 if m.rvol >= limit.rvol_keep and (closed != 0 or away_ns >= limit.confirm_s * SECOND_NS) else 0


@part
def ended(m: Any, k: int, mid: int, now_ns: int, limit: Any) -> int:
    """The reason why a told break is over, 0 while it is not."""
    side = 1 - 2 * k
    if (mid - m.k_best[k]) * side > 0:
        m.k_best[k] = mid
    gone = (mid - m.k_edge[k]) * side
    far = (m.k_best[k] - m.k_edge[k]) * side
    if now_ns - m.k_out_ns[k] <= limit.fail_s * SECOND_NS:
        large = far >= limit.large_sigma * m.sigma
        if large and far - gone >= limit.retrace * far:
            return REVERSED
        if gone < -limit.fail_share * m.k_width[k]:
            return FAILED
    if (mid - m.k_told[k]) * side >= limit.done_widths * m.k_width[k] or now_ns - m.k_told_ns[
        k
    ] >= limit.done_s * SECOND_NS:
        return DONE
    return NO_REASON


@part
def clip(value: float) -> float:
    """A value from 0 to 1."""
    return max(0.0, min(1.0, value))


@part
def stop_idea(m: Any, k: int, limit: Any) -> int:
    """A trailing stop as it would stand: so many mean ranges from the best price, at least a tick from the touch."""
    side = 1 - 2 * k
    away = limit.stop_atr * m.atr
    if side > 0:
        return min(math.floor((m.k_best[k] - away) * 0.5), m.q_bid - 1)
    return max(-math.floor((-m.k_best[k] - away) * 0.5), m.q_ask + 1)


@part
def tell(m: Any, alert: Any, row: Any, i: int, k: int, phase: int, reason: int, limit: Any) -> None:
    """Write one step of a break's story."""
    side = 1 - 2 * k
    now_ns = row.recv_ns
    share = m.share if side > 0 else 1.0 - m.share
    edge = m.k_edge[k] >> 1 if side > 0 else -(-m.k_edge[k] >> 1)
    alert.seq, alert.recv_ns, alert.exch_ns, alert.row = row.seq, now_ns, NONE, i
    alert.key, alert.side, alert.phase, alert.reason = m.k_key[k], side, phase, reason
    alert.method = m.k_news[k]
    alert.tick, alert.tick_to, alert.lots, alert.grade = edge, edge, m.w_sum[VOLUME], m.k_grade[k]
    flow = max(m.k_z[k], m.k_taken_z[k])
    score = clip(m.rvol / 3.0) * clip(flow / 3.0) * clip((0.6 - m.k_tight[k]) / 0.3) * clip(share)
    alert.score = math.sqrt(math.sqrt(score))
    alert.v0, alert.v1, alert.v2, alert.v3 = 0.5 * m.k_width[k], m.k_tight[k], m.rvol, share
    alert.v4, alert.v5 = m.k_z[k], float(stop_idea(m, k, limit))
    alert.v6, alert.v7 = m.k_bars[k] * limit.bar_s / 60.0, 0.5 * (m.k_best[k] - m.k_edge[k]) * side
    alert.v8, alert.v9 = (now_ns - m.k_out_ns[k]) / 1e9, float(knows_days(m, now_ns))
    alert.v10, alert.v11 = 0.5 * m.sigma, m.k_taken_z[k]


# -- the kernel -----------------------------------------------------------------------------------


@part
def flush(m: Any, row: Any, limit: Any) -> None:
    """Move the flow of the 100 ms that end here into the windows."""
    now_ns = row.recv_ns
    lots = m.a_buy + m.a_sell + m.a_none
    signed = m.a_buy - m.a_sell
    slide_add(m, FLOW, now_ns - 1, _FLOW_CELLS, m.a_ofi)
    slide_add(m, VOLUME, now_ns - 1, 10 * min(limit.rvol_s, limit.bar_s), lots)
    slide_add(m, LATE_VOLUME, now_ns - 1, _SHARE_CELLS, m.a_buy + m.a_sell)
    slide_add(m, LATE_SIGNED, now_ns - 1, _SHARE_CELLS, signed)
    count_volume(m, now_ns, lots, limit.bar_s * SECOND_NS, _VOLUME_HALF_LIFE)
    if m.a_most >= m.big or now_ns - m.big_ns >= min(limit.rvol_s, limit.bar_s) * SECOND_NS:
        m.big = m.a_most
        m.big_ns = now_ns


@part
def measure(m: Any, now_ns: int, limit: Any) -> None:
    """Volume, takers and order flow as they are."""
    parts = limit.bar_s / min(limit.rvol_s, limit.bar_s)
    m.rvol = parts * relative_volume(m, now_ns, m.w_sum[VOLUME], limit.rvol_bars)
    known = m.w_sum[LATE_VOLUME]
    m.share = 0.5 + 0.5 * m.w_sum[LATE_SIGNED] / known if known > 0 else 0.5
    m.z = root_mean(m, 0, float(m.w_sum[FLOW]))
    m.taken_z = root_mean(m, 1, float(m.w_sum[LATE_SIGNED]))
    second = now_ns // SECOND_NS
    if second != m.second:
        m.second = second
        mean_add(m, 0, float(m.w_sum[FLOW]), _FLOW_HALF_LIFE)
        mean_add(m, 1, float(m.w_sum[LATE_SIGNED]), _FLOW_HALF_LIFE)
        m.spread16 = follow_median(m.spread16, m.q_ask - m.q_bid)


@kernel
def watch(
    events: Any, frame: Any, rows: Any, context: Any, board: Any, limits: Any, memory: Any, out: Any
) -> int:  # fmt: skip
    """Take up the flow, and ten times a second look at the price and its range."""
    m, limit, b = memory[0], limits[0], board[0]
    n = 0
    for at in range(len(rows)):
        i = rows[at]
        row = frame[i]
        kind = row.kind
        if kind == FACT:
            if events[i].aux == F_NEWS:
                m.news_ns = row.recv_ns
            continue
        take_moment(m, b, at)
        if m.q_lost != 0:
            forget(m, _WINDOWS, _MINUTE_CELLS)
            m.g_bars[0] = m.g_bars[1] = 0
            for k in range(2):
                if m.k_phase[k] == ACTIVE:
                    tell(m, out[n], row, i, k, CLEARED, LOST, limit)
                    n += 1
                m.k_phase[k] = IDLE
        if kind != CLOCK:
            continue
        flush(m, row, limit)
        if row.state != S_LIVE or row.warm == 0 or m.q_known == 0 or m.q_ask <= m.q_bid:
            continue
        now_ns = row.recv_ns
        mid = m.q_bid + m.q_ask
        measure(m, now_ns, limit)
        closed = count_bar(m, mid, now_ns, limit)
        for k in range(2):
            if m.k_phase[k] == ACTIVE:
                reason = ended(m, k, mid, now_ns, limit)
                if reason != NO_REASON:
                    tell(m, out[n], row, i, k, CLEARED, reason, limit)
                    n += 1
                    m.k_phase[k] = IDLE
                    m.fresh_from = m.bars
                    m.g_bars[0] = m.g_bars[1] = 0
                continue
            look_outside(m, k, mid, now_ns, limit)
            if holds(m, k, mid, now_ns, closed, limit) != 0:
                m.keys += 1
                m.k_key[k], m.k_phase[k], m.k_told_ns[k], m.k_told[k] = m.keys, ACTIVE, now_ns, mid
                m.k_grade[k] = 3 if m.rvol >= 2.5 * limit.rvol else (2 if m.rvol >= 1.5 * limit.rvol else 1)
                news = m.news_ns > 0 and m.k_out_ns[k] - m.news_ns <= limit.news_s * SECOND_NS
                m.k_news[k] = NEWS if news else IGNITION
                m.g_bars[0] = m.g_bars[1] = 0
                m.fresh_from = m.bars
                tell(m, out[n], row, i, k, CONFIRMED, NO_REASON, limit)
                n += 1
        if closed != 0 and m.k_phase[0] == IDLE and m.k_phase[1] == IDLE:
            find_ranges(m, limit)
    return n


DETECTOR = Detector(
    title="Ignition",
    rule=(
        "A range is the mid price of `bars` bars (or three times as many) no wider than `compress` of what a random "
        "walk covers, reached at both edges; one bar may have poked beyond each. A break is the mid beyond an edge by "
        "`margin` of the width, with volume, takers and order flow, or net lots of takers as far from usual, on its "
        "side at a usual spread; told when it has held for `confirm_s` or a bar has "
        "closed outside. It fails when it is back inside, is reversed when most of a large move is given back, and is "
        "done after `done_widths` or `done_s`."
    ),
    thresholds=IgnitionThresholds,
    memory=MEMORY,
    reads=MOMENTS,
    moments=True,
    kernel=watch,
    words=words,
    methods=("ignition", "news"),
    reasons=("", "failed", "reversed", "done", "book lost"),
    evidence=(
        "width", "tightness", "rvol", "share", "ofi_z", "stop_tick", "minutes", "beyond", "seconds", "rvol_days",
        "sigma", "taker_z",
    ),
    knob="rvol",
    cases=CASES,
    baselines={"20-bar high": {"naive": 1, "new_bars": 5}},
)  # fmt: skip

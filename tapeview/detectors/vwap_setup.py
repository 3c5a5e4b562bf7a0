"""VWAP set-ups: the price comes back to the session's VWAP, or turns back towards it, and flow goes along.

A pullback is a continuation: after a minor over-extension the price touches the VWAP again. A reversion starts two
deviations away and is told once the price has turned. Each says what an aimless price would make of it: stop over
stop plus target.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import numpy as np

from feeds.events import CLOCK, F_ADV20, F_NEWS, FACT, NONE, S_LIVE
from tapeview.alert import CLEARED, CONFIRMED
from tapeview.detectors import _estimate, _flow
from tapeview.detectors._declare import Case, Detector, Found, Thresholds, bound
from tapeview.detectors._estimate import mean_add, normal_share, root_mean, slide_add
from tapeview.detectors._flow import (
    MINUTE_NS,
    MOMENTS,
    SECOND_NS,
    count_volume,
    fit,
    forget,
    relative_volume,
    take_moment,
)
from tapeview.detectors._walk import LADDER, walk
from tapeview.engine._jit import kernel, part


class VwapSetupThresholds(Thresholds, frozen=True, kw_only=True):
    """Where a set-up begins, what must go along, and where it ends."""

    valid_min: Annotated[float, bound(0, 600, "Minutes of session before the VWAP counts.", "J")] = 30.0
    valid_adv: Annotated[float, bound(0.001, 1, "Share of the mean daily volume, where known, that does too.", "J")] = (
        0.05
    )
    min_sigma: Annotated[float, bound(0.1, 1000, "Least deviation in ticks.", "J")] = 2.0
    pull_from: Annotated[float, bound(0.1, 10, "Least over-extension before a pullback, in deviations.", "S")] = 1.0
    pull_to: Annotated[float, bound(0.1, 10, "Most over-extension before a pullback.", "S")] = 2.5
    touch_z: Annotated[float, bound(0.01, 1, "Nearness to the VWAP that is a touch.", "J")] = 0.25
    pull_target: Annotated[float, bound(0.1, 10, "Target of a pullback.", "J")] = 1.0
    pull_stop: Annotated[float, bound(0.1, 10, "Deviations on the wrong side that end a pullback.", "J")] = 0.75
    look_s: Annotated[int, bound(30, 7200, "Seconds in which the over-extension must have been.", "J")] = 1800
    rev_z: Annotated[float, bound(0.5, 10, "Deviations from which a reversion may start.", "S")] = 2.0
    turn_z: Annotated[float, bound(0.1, 10, "Deviations that are crossed again when it turns.", "J")] = 1.5
    late_z: Annotated[float, bound(0, 10, "Deviations under which it is too late for a reversion.", "J")] = 0.5
    stop_z: Annotated[float, bound(0.05, 10, "Deviations beyond the extreme that end a reversion.", "J")] = 0.5
    window_s: Annotated[int, bound(2, 60, "Seconds of trades looked at; of order flow half of it.", "J")] = 60
    ti_z: Annotated[float, bound(0, 10, "Least trade imbalance, in its own standard deviations.", "J")] = 1.0
    learn_s: Annotated[int, bound(10, 7200, "Seconds of trades known before any flow counts.", "J")] = 300
    ttl_min: Annotated[float, bound(0.05, 600, "Minutes until a set-up is over.", "J")] = 45.0
    again_z: Annotated[float, bound(0, 10, "Nearness to the VWAP that must come between two reversions.", "J")] = 0.5
    trend_move: Annotated[float, bound(0.01, 10, "Deviations the VWAP moves in `look_s` on a trend day.", "J")] = 0.5
    trend_s: Annotated[int, bound(1, 86_400, "Seconds beyond `rev_z` that make a trend day.", "J")] = 1200
    news_s: Annotated[int, bound(0, 3600, "Seconds after news in which nothing begins.", "J")] = 300
    naive: Annotated[int, bound(0, 1, "1: tell of every excursion of `rev_z` instead.", "J")] = 0


FLOW, SIGNED, VOLUME = range(3)
_WINDOWS: Final = 3
_BUCKETS: Final = 30
_HALF_LIFE: Final = 1800.0
_LEAST_MINUTES: Final = 5
_T16: Final = 65_536
IDLE, TURNED, ACTIVE, WAITING = range(4)
PULLBACK, REVERT = range(2)
NO_REASON, TARGET, INVALID, EXPIRED = range(4)

MEMORY: Final = np.dtype(
    [
        *_flow.fields(),
        *_flow.curve_fields(),
        *_estimate.fields(windows=_WINDOWS, means=1),
        *((name, "i8") for name in (
            "second", "first_ns", "adv_lots", "news_ns", "bucket", "cvd_n", "keys", "beyond_ns", "trend",
        )),
        ("z", "f8"), ("z_was", "f8"), ("ti_z", "f8"), ("slope", "f8"), ("rvol", "f8"),
        ("cvd", "i8", (60,)),
        ("z_high", "f8", (_BUCKETS,)), ("z_low", "f8", (_BUCKETS,)), ("vwap", "i8", (_BUCKETS,)),
        *((name, "i8", (4,)) for name in (
            "k_phase", "k_key", "k_told_ns", "k_target", "k_invalid", "k_grade", "k_lots",
        )),
        *((name, "f8", (4,)) for name in ("k_from", "k_null")),
    ]
)  # fmt: skip


# -- what is measured -----------------------------------------------------------------------------


@part
def flush(m: Any, now_ns: int, limit: Any) -> None:
    """Move the flow of the 100 ms that end here into the windows."""
    lots = m.a_buy + m.a_sell + m.a_none
    slide_add(m, FLOW, now_ns - 1, 5 * limit.window_s, m.a_ofi)
    slide_add(m, SIGNED, now_ns - 1, 10 * limit.window_s, m.a_buy - m.a_sell)
    slide_add(m, VOLUME, now_ns - 1, 600, lots)
    count_volume(m, now_ns, lots, MINUTE_NS, 60.0)


@part
def measure(m: Any, row: Any, limit: Any) -> None:
    """Trades, order flow and volume at a full second."""
    signed = float(m.w_sum[SIGNED])
    m.ti_z = root_mean(m, 0, signed) if m.e_n[0] >= limit.learn_s else 0.0
    mean_add(m, 0, signed, _HALF_LIFE)
    m.rvol = relative_volume(m, row.recv_ns, m.w_sum[VOLUME], _LEAST_MINUTES)
    count = limit.window_s
    m.cvd[m.cvd_n % 60] = row.delta
    m.cvd_n += 1
    m.slope = 0.0
    if m.cvd_n >= count:
        for back in range(count):
            m.slope += (0.5 * (count - 1) - back) * (m.cvd[(m.cvd_n - 1 - back) % 60] - row.delta)


@part
def agrees(m: Any, side: int, limit: Any) -> int:
    """How many of order flow, trade imbalance and the slope of cumulative volume delta go to a side."""
    count = 1 if m.w_sum[FLOW] * side > 0 else 0
    count += 1 if m.ti_z * side >= limit.ti_z else 0
    return count + (1 if m.slope * side > 0.0 else 0)


@part
def deviations(m: Any, row: Any) -> float:
    """The mid less the VWAP in deviations."""
    return ((m.q_bid + m.q_ask) * (_T16 // 2) - row.vwap_t16) / max(1, row.sigma_t16)


@part
def place(m: Any, row: Any, limit: Any) -> None:
    """Where the price is in deviations from the VWAP, its extremes and the VWAP lately, and whether it trends."""
    now_ns = row.recv_ns
    m.z_was = m.z
    m.z = deviations(m, row)
    bucket = now_ns // (limit.look_s * SECOND_NS // _BUCKETS)
    if bucket != m.bucket:
        for n in range(m.bucket + 1 if bucket - m.bucket < _BUCKETS else bucket - _BUCKETS + 1, bucket + 1):
            m.z_high[n % _BUCKETS] = m.z
            m.z_low[n % _BUCKETS] = m.z
            m.vwap[n % _BUCKETS] = row.vwap_t16
        m.bucket = bucket
    at = bucket % _BUCKETS
    m.z_high[at] = max(m.z_high[at], m.z)
    m.z_low[at] = min(m.z_low[at], m.z)
    if abs(m.z) < limit.rev_z or m.beyond_ns == 0:
        m.beyond_ns = now_ns
    if abs(m.z) < limit.again_z:
        m.trend = 0
    moved = abs(row.vwap_t16 - m.vwap[(bucket + 1) % _BUCKETS])
    if now_ns - m.beyond_ns > limit.trend_s * SECOND_NS and moved > limit.trend_move * row.sigma_t16:
        m.trend = 1


@part
def valid(m: Any, row: Any, limit: Any) -> int:
    """Say whether the VWAP and its deviation mean anything yet."""
    if row.volume <= 0 or row.sigma_t16 < limit.min_sigma * _T16:
        return 0
    if row.recv_ns - m.first_ns >= limit.valid_min * MINUTE_NS:
        return 1
    return 1 if m.adv_lots > 0 and row.volume >= limit.valid_adv * m.adv_lots else 0


# -- the set-ups ----------------------------------------------------------------------------------


@part
def pulls_back(m: Any, k: int, limit: Any) -> int:
    """Move a pullback's life on; 1 when it is to be told."""
    side = 1 - 2 * (k & 1)
    z = m.z * side
    if m.k_phase[k] == IDLE and m.z_was * side > limit.touch_z and z <= limit.touch_z:
        most = -99.0
        for n in range(_BUCKETS):
            most = max(most, m.z_high[n] if side > 0 else -m.z_low[n])
        if limit.pull_from <= most <= limit.pull_to:
            m.k_phase[k] = TURNED
            m.k_from[k] = most
    if m.k_phase[k] == TURNED:
        if abs(z) > limit.touch_z:
            m.k_phase[k] = IDLE
        elif agrees(m, side, limit) == 3:
            return 1
    return 0


@part
def reverts(m: Any, k: int, limit: Any) -> int:
    """Move a reversion's life on; 1 when it is to be told."""
    side = 1 - 2 * (k & 1)
    away = -m.z * side
    if m.k_phase[k] == WAITING:
        if abs(m.z) < limit.again_z:
            m.k_phase[k] = IDLE
        return 0
    if m.k_phase[k] == IDLE and away >= limit.rev_z:
        m.k_phase[k] = TURNED
        m.k_from[k] = away
        if limit.naive != 0:
            return 1
    if m.k_phase[k] == TURNED:
        m.k_from[k] = max(m.k_from[k], away)
        if away < limit.late_z:
            m.k_phase[k] = IDLE
        elif away <= limit.turn_z and m.trend == 0 and agrees(m, side, limit) == 3:
            return 1
    return 0


@part
def begin(m: Any, row: Any, k: int, limit: Any) -> None:
    """Fix a set-up's target and the price that ends it."""
    side = 1 - 2 * (k & 1)
    sigma, vwap = row.sigma_t16, row.vwap_t16
    mid = (m.q_bid + m.q_ask) * (_T16 // 2)
    if k < 2:
        target = vwap + side * int(limit.pull_target * sigma)
        invalid = vwap - side * int(limit.pull_stop * sigma)
        for n in range(_BUCKETS):
            if side > 0:
                m.z_high[n] = m.z
            else:
                m.z_low[n] = m.z
    else:
        target = vwap
        invalid = vwap - side * int((m.k_from[k] + limit.stop_z) * sigma)
    stop, reach = abs(mid - invalid), abs(target - mid)
    m.keys += 1
    m.k_key[k], m.k_phase[k], m.k_told_ns[k] = m.keys, ACTIVE, row.recv_ns
    m.k_target[k], m.k_invalid[k], m.k_null[k] = target, invalid, stop / max(1, stop + reach)
    m.k_lots[k] = abs(m.w_sum[SIGNED])
    m.k_grade[k] = 3 if abs(m.ti_z) >= 3.0 else (2 if abs(m.ti_z) >= 2.0 else 1)


@part
def ended(m: Any, k: int, now_ns: int, limit: Any) -> int:
    """The reason why a told set-up is over, 0 while it is not."""
    side = 1 - 2 * (k & 1)
    mid = (m.q_bid + m.q_ask) * (_T16 // 2)
    if (mid - m.k_target[k]) * side >= 0:
        return TARGET
    if (mid - m.k_invalid[k]) * side <= 0:
        return INVALID
    return EXPIRED if now_ns - m.k_told_ns[k] >= limit.ttl_min * MINUTE_NS else NO_REASON


@part
def tell(m: Any, alert: Any, row: Any, i: int, k: int, phase: int, reason: int) -> None:
    """Write one step of a set-up's story."""
    side = 1 - 2 * (k & 1)
    alert.seq, alert.recv_ns, alert.exch_ns, alert.row = row.seq, row.recv_ns, NONE, i
    alert.key, alert.side, alert.phase, alert.reason = m.k_key[k], side, phase, reason
    alert.method = PULLBACK if k < 2 else REVERT
    alert.tick, alert.tick_to, alert.lots, alert.grade = NONE, NONE, m.k_lots[k], m.k_grade[k]
    alert.score = normal_share(m.ti_z * side) * min(1.0, m.rvol if m.rvol > 0.0 else 1.0)
    alert.v0, alert.v1, alert.v2 = m.k_from[k] * (side if k < 2 else -side), deviations(m, row), m.k_null[k]
    alert.v3, alert.v4, alert.v5 = m.k_target[k] / _T16, m.k_invalid[k] / _T16, 0.5 * (m.q_bid + m.q_ask)
    alert.v6, alert.v7, alert.v8 = float(m.w_sum[FLOW]), m.ti_z, m.slope
    alert.v9, alert.v10 = m.rvol, (row.recv_ns - m.k_told_ns[k]) / 1e9


@part
def lose(m: Any, k: int) -> None:
    """Forget what was not told yet."""
    if m.k_phase[k] == TURNED:
        m.k_phase[k] = IDLE


@kernel
def watch(
    events: Any, frame: Any, rows: Any, context: Any, board: Any, limits: Any, memory: Any, out: Any
) -> int:  # fmt: skip
    """Take up the flow; look for set-ups once a second and for their ends ten times a second."""
    m, limit, b = memory[0], limits[0], board[0]
    n = 0
    for at in range(len(rows)):
        i = rows[at]
        row = frame[i]
        kind = row.kind
        if kind == FACT:
            what = events[i].aux
            if what == F_NEWS:
                m.news_ns = row.recv_ns
            elif what == F_ADV20:
                m.adv_lots = int(events[i].lots / (1e6 * context[0].lot_size))
            continue
        take_moment(m, b, at)
        if m.q_lost != 0:
            forget(m, _WINDOWS, 600)
            m.cvd_n = 0
            for k in range(4):
                lose(m, k)
        if kind != CLOCK:
            continue
        now_ns = row.recv_ns
        flush(m, now_ns, limit)
        if m.first_ns == 0 and row.volume > 0:
            m.first_ns = now_ns
        if row.state != S_LIVE or row.warm == 0 or m.q_known == 0 or m.q_ask <= m.q_bid:
            continue
        for k in range(4):
            if m.k_phase[k] == ACTIVE:
                reason = ended(m, k, now_ns, limit)
                if reason != NO_REASON:
                    m.k_phase[k] = IDLE if k < 2 else WAITING
                    tell(m, out[n], row, i, k, CLEARED, reason)
                    n += 1
        second = now_ns // SECOND_NS
        if second == m.second:
            continue
        m.second = second
        measure(m, row, limit)
        if valid(m, row, limit) == 0:
            continue
        place(m, row, limit)
        quiet = m.news_ns == 0 or now_ns - m.news_ns > limit.news_s * SECOND_NS
        for k in range(4):
            if m.k_phase[k] == ACTIVE:
                continue
            told = 0
            if k >= 2:
                told = reverts(m, k, limit)
            elif limit.naive == 0:
                told = pulls_back(m, k, limit)
            if told != 0 and quiet:
                begin(m, row, k, limit)
                tell(m, out[n], row, i, k, CONFIRMED, NO_REASON)
                n += 1
    return n


def words(found: Found) -> str:
    """Say which set-up, how far it has come, and what an aimless price would make of it."""
    e = found.evidence
    arrow = "▲" if found.side > 0 else "▼"
    name = "VWAP-REVERT" if found.method == "revert" else "VWAP-PULLBACK"
    null = f"null {e['null']:.0%}"
    if found.phase == "cleared":
        return f"{name} {arrow} {found.reason} after {e['seconds']:.0f}s · z {e['z']:+.1f} · {null}"
    way = f"z {e['z_from']:+.1f}→{e['z']:+.1f}"
    to = "VWAP" if found.method == "revert" else "target"
    target = f"{to} {found.price(round(e['target_tick']))}"
    far = f"{e['target_tick'] - e['mid_tick']:+.0f}t"
    end = found.price(round(e["invalid_tick"]))
    return fit(
        f"{name} {arrow} {way} · flow 3/3 · {target} ({far}) · invalid {end} · {null}",
        f"{name} {arrow} {way} · {target} ({far}) · invalid {end} · {null}",
        f"{name} {arrow} {way} · {target} ({far}) · inv. {end} · {null}",
        f"{name} {arrow} {way} · {target} · inv. {end} · {null}",
    )


_FAST: Final = {
    "valid_min": 0.1, "window_s": 4, "learn_s": 10, "look_s": 30, "min_sigma": 1.0, "ttl_min": 0.2, "trend_s": 4,
}  # fmt: skip
_DAY: Final = LADDER + walk(("uuu" + "dddddd" + "uuu") * 5, 104, 6, 200) + walk("+-" * 6, 104, 3, 170)
_UP: Final = _DAY + walk("uuuu", 104, 1, 250)
_BACK: Final = _UP + walk("dddd", 108, 1, 200)
_DOWN: Final = _DAY + walk("d" * 6, 104, 1, 200)
_TURN: Final = "~200 b98:24 " + walk("uu+u+", 98, 8, 200) + "~100 b101:26 " + walk("+++", 101, 6, 200)
DETECTOR = Detector(
    title="VWAP set-up",
    rule=(
        "In deviations of the session's VWAP. A pullback: after an over-extension from `pull_from` to `pull_to` the "
        "price touches the VWAP and flow goes on. A reversion: beyond `rev_z`, back across `turn_z`, with flow, and "
        "not on a trend day. Flow is order flow over half of `window_s`, trade imbalance of `ti_z` and the slope of "
        "cumulative volume delta: all three. Target and invalidation are fixed when it is told; it ends there or "
        "after `ttl_min`."
    ),
    thresholds=VwapSetupThresholds,
    memory=MEMORY,
    reads=MOMENTS,
    moments=True,
    kernel=watch,
    words=words,
    methods=("pullback", "revert"),
    reasons=("", "target", "invalid", "expired"),
    evidence=(
        "z_from", "z", "null", "target_tick", "invalid_tick", "mid_tick", "ofi", "ti_z", "cvd_slope", "rvol", "seconds",
    ),
    knob="ti_z",
    cases=(
        Case(
            "a pullback to the VWAP, buyers take over, and the target is reached",
            _BACK
            + walk("+++++", 104, 9, 300) + "~100 b104:40 a105:12 "
            + walk("+++++", 104, 9, 300) + walk("uuuu", 104, 2, 200) + "~500 b108:21",
            ("VWAP-PULLBACK ▲", "VWAP-PULLBACK ▲ target"),
            _FAST,
        ),
        Case(
            "a reversion that reaches the VWAP",
            _DOWN + _TURN + walk("uuu", 101, 2, 200) + "~500 b104:21",
            ("VWAP-REVERT ▲", "VWAP-REVERT ▲ target"),
            _FAST,
        ),
        Case(
            "a reversion that falls to a new low",
            _DOWN + _TURN + walk("d" * 7, 101, 2, 200) + "~500 b94:21",
            ("VWAP-REVERT ▲", "VWAP-REVERT ▲ invalid"),
            _FAST,
        ),
        Case("back at the VWAP without buyers", _BACK + walk("-+--", 104, 3, 300), (), _FAST),
        Case("far away and turning, but without flow", _DOWN + walk("uuu", 98, 1, 200) + walk("-" * 6, 101, 5, 200),
             (), _FAST),
    ),
    baselines={"z <= -2 alone": {"naive": 1}},
)  # fmt: skip

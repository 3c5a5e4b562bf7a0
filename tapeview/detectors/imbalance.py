"""Imbalance: more pressure on one side of the touch than this market is used to, in quotes, queues and trades at once.

Order flow at the touch over a window against its own size lately, the queue imbalance with its online fit, the
micro-price and the imbalance of trades. All of it says what presses now, none of it what the price will do.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray

from feeds.events import CLOCK, NONE, S_LIVE, TRADE
from tapeview.alert import CLEARED, CONFIRMED, RAISED
from tapeview.detectors import _cycle, _estimate, _flow, _micro
from tapeview.detectors._cycle import ACTIVE, CLEAR, CONFIRM, COOLING, NOTHING, drop, finish, step
from tapeview.detectors._declare import Case, Detector, Found, Thresholds, bound
from tapeview.detectors._estimate import mean_add, normal_share, root_mean, size_add, size_quantile, slide_add
from tapeview.detectors._flow import SECOND_NS, fit, follow_median, forget, hear, order_flow, settle
from tapeview.detectors._micro import (
    LEAST_MOVES,
    ask_side,
    fit_micro,
    follow_flow,
    learn_quote,
    micro_offset,
    pressed,
    up_share,
)
from tapeview.engine._jit import call_plain, kernel, part
from tapeview.engine.frame import IS_EVENT, IS_TOUCH, IS_TRADE


class ImbalanceThresholds(Thresholds, frozen=True, kw_only=True):
    """When pressure is worth a line."""

    window_s: Annotated[int, bound(1, 60, "Seconds of flow looked at.", "P: Cont, Kukanov, Stoikov 2014")] = 10
    arm_z: Annotated[float, bound(0, 10, "Order flow that arms, in its own standard deviations.", "J")] = 2.0
    on_z: Annotated[float, bound(0, 10, "Order flow that confirms in two steps of 1 s.", "J")] = 2.5
    off_z: Annotated[float, bound(0, 10, "Order flow under which it fades.", "J")] = 1.0
    qi_min: Annotated[float, bound(0, 1, "Least queue imbalance of the same sign.", "J")] = 0.4
    off_s: Annotated[int, bound(0, 600, "Seconds below `off_z` until it clears.", "J")] = 5
    cooldown_s: Annotated[int, bound(0, 3600, "Seconds of silence after it, by side.", "J")] = 20
    learn_s: Annotated[int, bound(10, 7200, "Seconds of flow known before any is called large.", "J")] = 120
    half_life_s: Annotated[int, bound(10, 86_400, "Half-life of what is usual, in s.", "J")] = 1800
    depth_trades: Annotated[
        float, bound(0, 100, "Least mean lots of a side of the touch, in median trades, against flicker.", "J")
    ] = 5.0
    spread_most: Annotated[float, bound(1, 100, "Median spreads from which nothing is said.", "J")] = 4.0
    unsigned_most: Annotated[float, bound(0, 1, "Share of volume without a side above which nothing is said.", "J")] = (
        0.2
    )
    micro_quotes: Annotated[int, bound(100, 10_000_000, "Quotes before the micro-price is fitted.", "J")] = 20_000
    refit_min: Annotated[int, bound(1, 1440, "Minutes between fits of the micro-price.", "J")] = 30
    naive: Annotated[int, bound(0, 1, "1: tell of every queue imbalance of `qi_min` instead.", "J")] = 0


FLOW, SIGNED, VOLUME, UNSIGNED, DEPTH, SAMPLES, DEEP = range(7)
_WINDOWS: Final = 7
_NEVER: Final = 1e300
_SLOPE_KEEP: Final = 0.5 ** (1.0 / 500.0)
NO_REASON, FADED, FLIPPED, LOST = range(4)

MEMORY: Final = np.dtype(
    [
        *_flow.fields(),
        *_micro.fields(),
        *_estimate.fields(windows=_WINDOWS, means=1, sizes=1),
        *_cycle.fields(2),
        *((name, "i8") for name in (
            "second", "spread16", "typical", "trades", "span_mid", "span_ends_ns", "ofi",
            "deep", "a_deep", "q_bid_deep", "q_ask_deep", "n_bid_deep", "n_ask_deep",
        )),
        *((name, "f8") for name in (
            "z", "qi", "ti", "unsigned", "depth", "press", "sxx", "sxy", "syy", "dxx", "dxy", "spans",
        )),
    ]
)  # fmt: skip


@part
def settle_deep(m: Any) -> None:
    """Count the same change with all lots within the watched depth as a side's queue; before `settle`."""
    if m.q_known != 0 and NONE not in (m.n_bid, m.n_ask):
        m.a_deep += order_flow(
            m.q_bid, m.q_bid_deep, m.q_ask, m.q_ask_deep, m.n_bid, m.n_bid_deep, m.n_ask, m.n_ask_deep
        )
    m.q_bid_deep = m.n_bid_deep
    m.q_ask_deep = m.n_ask_deep


@part
def flush(m: Any, row: Any, cells: int) -> None:
    """Move the flow of the 100 ms that end here into the windows, and sample the touch."""
    now_ns = row.recv_ns
    slide_add(m, FLOW, now_ns - 1, cells, m.a_ofi)
    slide_add(m, SIGNED, now_ns - 1, cells, m.a_buy - m.a_sell)
    slide_add(m, VOLUME, now_ns - 1, cells, m.a_buy + m.a_sell + m.a_none)
    slide_add(m, UNSIGNED, now_ns - 1, cells, m.a_none)
    slide_add(m, DEEP, now_ns - 1, cells, m.a_deep)
    m.a_deep = 0
    follow_flow(m)
    m.a_ofi = 0
    m.a_buy = 0
    m.a_sell = 0
    m.a_none = 0
    known = 1 if m.q_known != 0 and row.warm != 0 and m.q_ask > m.q_bid else 0
    lots = m.q_bid_lots + m.q_ask_lots
    slide_add(m, DEPTH, now_ns - 1, cells, lots * known)
    slide_add(m, SAMPLES, now_ns - 1, cells, known)
    if known != 0 and lots > 0:
        m.spread16 = follow_median(m.spread16, m.q_ask - m.q_bid)
        m.qi = (m.q_bid_lots - m.q_ask_lots) / lots
        ask_side(m, m.qi)


@part
def measure(m: Any, now_ns: int, limit: Any) -> None:
    """What presses at a full second."""
    m.ofi = m.w_sum[FLOW]
    m.deep = m.w_sum[DEEP]
    m.z = root_mean(m, 0, float(m.ofi))
    mean_add(m, 0, float(m.ofi), float(limit.half_life_s))
    volume = m.w_sum[VOLUME]
    m.ti = m.w_sum[SIGNED] / volume if volume > 0 else 0.0
    m.unsigned = m.w_sum[UNSIGNED] / volume if volume > 0 else 0.0
    samples = m.w_sum[SAMPLES]
    m.depth = m.w_sum[DEPTH] / (2.0 * samples) if samples > 0 else 0.0
    m.press = m.ofi / (2.0 * m.depth) if m.depth > 0.0 else 0.0
    mid = m.q_bid + m.q_ask
    if now_ns >= m.span_ends_ns:
        if now_ns - m.span_ends_ns < SECOND_NS and m.span_ends_ns > 0:
            moved = 0.5 * (mid - m.span_mid)
            m.sxx = m.sxx * _SLOPE_KEEP + m.press * m.press
            m.sxy = m.sxy * _SLOPE_KEEP + m.press * moved
            m.syy = m.syy * _SLOPE_KEEP + moved * moved
            m.dxx = m.dxx * _SLOPE_KEEP + float(m.deep) * float(m.deep)
            m.dxy = m.dxy * _SLOPE_KEEP + float(m.deep) * moved
            m.spans = m.spans * _SLOPE_KEEP + 1.0
        m.span_mid = mid
        m.span_ends_ns = now_ns + limit.window_s * SECOND_NS
    if m.u_quotes >= limit.micro_quotes and (
        m.u_fit_ns == 0 or now_ns - m.u_fit_ns >= limit.refit_min * 60 * SECOND_NS
    ):
        fit_micro(m, now_ns)
    if m.trades >= 10:
        m.typical = size_quantile(m, 0, 0.5)


@part
def agrees(m: Any, side: int, limit: Any) -> int:
    """How many of order flow, queues and trades press to a side."""
    count = 1 if m.z * side > 0.0 else 0
    count += 1 if m.qi * side >= limit.qi_min else 0
    count += 1 if m.ti * side > 0.0 else 0
    return count


@part
def can_tell(m: Any, now_ns: int, limit: Any) -> int:
    """Say whether what is measured means anything: enough known, enough at the touch, enough of it signed."""
    if limit.naive != 0:
        return 1
    if m.e_n[0] <= limit.learn_s or now_ns - m.q_since_ns < limit.window_s * SECOND_NS:
        return 0
    if m.unsigned > limit.unsigned_most or m.depth < limit.depth_trades * m.typical:
        return 0
    return 0 if (m.q_ask - m.q_bid) * 16 >= limit.spread_most * m.spread16 else 1


@part
def move(m: Any, k: int, now_ns: int, known: int, limit: Any) -> int:
    """Move one side's life on; give what is to be told, FLIPPED + CLEAR where the flow has turned."""
    side = 1 - 2 * k
    value = m.z * side
    arm, on, off = limit.arm_z, limit.on_z, limit.off_z
    hold_ns = SECOND_NS
    if limit.naive != 0:
        value = m.qi * side
        arm = on = off = limit.qi_min
        hold_ns = 0
    elif known == 0:
        arm = on = _NEVER
    elif agrees(m, side, limit) < 3:
        on = _NEVER
    size = abs(m.z)
    grade = 3 if size >= 2.0 * limit.on_z else (2 if size >= 1.4 * limit.on_z else 1)
    cool_ns = limit.cooldown_s * SECOND_NS
    if m.c_phase[k] == ACTIVE and value < 0.0:
        finish(m, k, now_ns, cool_ns)
        return -FLIPPED
    return step(m, k, now_ns, value, arm, on, off, hold_ns, limit.off_s * SECOND_NS, cool_ns, grade)


@part
def tell(m: Any, alert: Any, row: Any, i: int, k: int, phase: int, reason: int, limit: Any) -> None:
    """Write one step of a side's story."""
    side = 1 - 2 * k
    alert.seq, alert.recv_ns, alert.exch_ns, alert.row = row.seq, row.recv_ns, NONE, i
    alert.key, alert.side, alert.phase, alert.method, alert.reason = m.c_key[k], side, phase, 0, reason
    alert.tick, alert.tick_to, alert.lots, alert.grade = NONE, NONE, abs(m.ofi), m.c_grade[k]
    alert.score = normal_share(abs(m.z)) * agrees(m, side, limit) / 3.0
    alert.v0, alert.v1, alert.v2, alert.v3, alert.v4 = float(m.ofi), m.z, m.qi, m.ti, m.press
    alert.v5, alert.v6 = m.depth, up_share(m, m.qi, m.q_ask - m.q_bid)
    alert.v7 = float(m.q_ask - m.q_bid)
    alert.v8, alert.v9, alert.v10 = micro_offset(m), float(limit.window_s), float(m.deep)


@kernel
def watch(
    events: Any, frame: Any, rows: Any, context: Any, board: Any, limits: Any, memory: Any, out: Any
) -> int:  # fmt: skip
    """Collect flow row by row, and judge it at every full second."""
    m, limit = memory[0], limits[0]
    cells = limit.window_s * 10
    n = 0
    for at in range(len(rows)):
        i = rows[at]
        row = frame[i]
        kind = row.kind
        if m.n_open != 0 and row.recv_ns != m.n_ns:
            learn_quote(m)
            settle_deep(m)
            settle(m)
        if kind != CLOCK or row.epoch != m.q_epoch or row.state != S_LIVE:
            hear(m, row)
            m.n_bid_deep = row.bid_depth
            m.n_ask_deep = row.ask_depth
        if m.q_lost != 0:
            m.q_lost = 0
            forget(m, _WINDOWS, cells)
            m.span_ends_ns = 0
            m.p_flow = 0.0
            for k in range(2):
                if m.c_phase[k] == ACTIVE:
                    tell(m, out[n], row, i, k, CLEARED, LOST, limit)
                    n += 1
                drop(m, k)
        if kind == TRADE and row.lots > 0 and row.print == 0:
            size_add(m, 0, row.lots)
            m.trades += 1
        if kind != CLOCK:
            continue
        flush(m, row, cells)
        second = row.recv_ns // SECOND_NS
        if second == m.second:
            continue
        late = second - m.second > 1
        m.second = second
        if row.state != S_LIVE or row.warm == 0 or m.q_known == 0:
            continue
        measure(m, row.recv_ns, limit)
        known = can_tell(m, row.recv_ns, limit)
        for k in range(2):
            if late and m.c_phase[k] not in (ACTIVE, COOLING):
                drop(m, k)
            what = move(m, k, row.recv_ns, known, limit)
            if what != NOTHING:
                phase, reason = RAISED, NO_REASON
                if what == CONFIRM:
                    phase = CONFIRMED
                elif what == CLEAR or what < 0:
                    phase, reason = CLEARED, (FLIPPED if what < 0 else FADED)
                tell(m, out[n], row, i, k, phase, reason, limit)
                n += 1
    return n


def words(found: Found) -> str:
    """Say which way it presses, and by what."""
    e = found.evidence
    arrow = "▲" if found.side > 0 else "▼"
    if found.phase == "cleared":
        return f"IMBALANCE {arrow} {found.reason} · z {e['z']:+.1f} · QI {e['qi']:+.2f}"
    sign = "-" if e["ofi"] < 0 else "+"
    flow = f"{e['window']:.0f}s OFI {sign}{found.size(found.lots)} (z {abs(e['z']):.1f})"
    press = f"≈ {e['pressure']:+.1f}"
    rest = f"QI {e['qi']:+.2f} · TI {e['ti']:+.0%}"
    return fit(
        f"IMBALANCE {arrow} {found.name} {flow} {press} tick pressure · {rest}",
        f"IMBALANCE {arrow} {flow} {press} tick pressure · {rest}",
        f"IMBALANCE {arrow} {flow} {press}t · {rest}",
    )


def reading(memory: NDArray[Any]) -> dict[str, float | str]:
    """What a memory knows at its last full second, for the screen; lots and ticks, shares from -1 to 1.

    `micro` is the micro-price less the mid in ticks and `micro_by` says by what: "micro", or "wmid" before its first
    fit. `slope` is how many ticks of the mid came with one tick of pressure lately, `r2` how much of its movement
    that tells, both over `spans` windows side by side.
    """
    return dict(call_plain(_read, memory))


def learnt(memory: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """The weights of the fit of the next move, 0 while it knows too little, and what has just pressed, as a memory
    has them: with the queues and the spread all that the chance of a rise depends on.
    """
    known, flow = call_plain(_fit, memory)
    weights = memory["p_weight"][0].copy()
    return (weights if known else np.zeros_like(weights)), flow


def _fit(memory: Any) -> tuple[bool, float]:
    m = memory[0]
    return m.p_n >= LEAST_MOVES, pressed(m)


def _read(memory: Any) -> dict[str, float | str]:
    m = memory[0]
    known = m.spans >= 30.0 and m.sxx > 0.0 and m.syy > 0.0 and m.dxx > 0.0
    return {
        "ofi": float(m.ofi), "z": m.z, "deep": float(m.deep), "qi": m.qi, "ti": m.ti, "unsigned": m.unsigned,
        "depth": m.depth, "pressure": m.press, "slope": m.sxy / m.sxx if known else 1.0,
        "r2": m.sxy * m.sxy / (m.sxx * m.syy) if known else 0.0,
        "deep_r2": m.dxy * m.dxy / (m.dxx * m.syy) if known else 0.0, "spans": m.spans,
        "p_up": up_share(m, m.qi, m.q_ask - m.q_bid), "micro": micro_offset(m),
        "micro_by": "micro" if m.u_fit_ns else "wmid", "quotes": float(m.u_quotes),
    }  # fmt: skip


_FAST: Final = {"window_s": 2, "learn_s": 10, "off_s": 1, "cooldown_s": 5}
_CALM: Final = "[ b99:40 b100:50 a101:50 a102:40 ] " + (
    "~150 b100:54 ~130 a101:47 +101:1 ~110 a101:50 ~140 b100:50 -100:1 " * 28
)
_SURGE: Final = (
    "~100 +101:4&a101:40 ~40 b100:56 ~60 +101:6&a101:30 b100:62 ~90 b100:70 ~80 +101:9&a101:20 ~70 b100:80 "
    "~120 +101:4&a101:16 ~90 b100:84 ~100 +101:3&a101:14 ~90 b100:88 ~100 +101:2&a101:12 ~80 b100:92 "
    + "~110 +101:1&a101:11 ~90 b100:96 ~100 +101:2&a101:9 ~90 b100:99 "
    * 3
)
_SLUMP: Final = (
    "~100 -100:4&b100:40 ~40 a101:56 ~60 -100:6&b100:30 a101:62 ~90 a101:70 ~80 -100:9&b100:20 ~70 a101:80 "
    "~120 -100:4&b100:16 ~90 a101:84 ~100 -100:3&b100:14 ~90 a101:88 ~100 -100:2&b100:12 ~80 a101:92 "
    + "~110 -100:1&b100:11 ~90 a101:96 ~100 -100:2&b100:9 ~90 a101:99 "
    * 3
)
DETECTOR = Detector(
    title="Imbalance",
    rule=(
        "Order flow at the touch (Cont, Kukanov, Stoikov) over `window_s`, in its own standard deviations: armed from "
        "`arm_z`, told after two steps of 1 s from `on_z` while the queue imbalance, at least `qi_min`, and the "
        "imbalance of trades have its sign; over when it stays below `off_z` or turns. Nothing is said while the "
        "spread is unusual, the touch shows next to nothing, or too much volume has no side."
    ),
    thresholds=ImbalanceThresholds,
    memory=MEMORY,
    reads=IS_TOUCH | IS_TRADE | IS_EVENT,
    kernel=watch,
    words=words,
    methods=("pressure",),
    reasons=("", "faded", "turned", "book lost"),
    evidence=("ofi", "z", "qi", "ti", "pressure", "depth", "p_up", "spread", "micro", "window", "deep_ofi"),
    knob="on_z",
    cases=(
        Case("buyers take the ask while the bid fills up", _CALM + _SURGE, ("IMBALANCE ▲ X 2s OFI +",), _FAST),
        Case(
            "sellers take the bid while the ask fills up, and it fades",
            _CALM + _SLUMP + "~4000 b100:9",
            ("IMBALANCE ▼ X 2s OFI -", "IMBALANCE ▼ faded"),
            _FAST,
        ),
        Case(
            "the pressure turns round",
            _CALM + _SURGE + "~50 b100:20 a101:60 ~100 b100:5 a101:90 ~1000 b100:4",
            ("IMBALANCE ▲ X 2s OFI +", "IMBALANCE ▲ turned"),
            _FAST,
        ),
        Case(
            "quotes press, but takers sell: no agreement",
            _CALM + _SURGE.replace("+101:", "-100:"),
            (),
            _FAST,
        ),
        Case("takers of unknown side", _CALM + _SURGE.replace("+101:", "?101:"), (), _FAST),
        Case(
            "a rebuilt book is no flow",
            _CALM + "!gap ~100 [ b99:40 b100:900 a101:5 a102:40 ] ~7000 b100:901 ~1000 b100:902 ~1000 +101:1",
            (),
            _FAST,
        ),
        Case(
            "the touch shows little more than one trade takes",
            _CALM.replace("+101:1", "+101:20").replace("-100:1", "-100:20") + _SURGE,
            (),
            _FAST,
        ),
        Case("the spread is six times the usual", _CALM + "a101:0 a102:0 a107:9 " + _SURGE.replace("101:", "107:"), (),
             _FAST),
    ),
    baselines={"queue imbalance 0.5": {"naive": 1, "qi_min": 0.5}},
)  # fmt: skip

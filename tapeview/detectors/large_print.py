"""Large print and sweep: one aggressor's order that is among the largest, or that took several levels at once."""

from __future__ import annotations

from typing import Annotated, Any, Final

import numpy as np

from feeds.events import CLOCK, FLOW_PRINTS, NONE, S_LIVE, TRADE
from tapeview.alert import CONFIRMED
from tapeview.detectors import _estimate as estimate
from tapeview.detectors._declare import Case, Detector, Found, Thresholds, bound
from tapeview.detectors._estimate import size_add, size_quantile
from tapeview.engine._jit import kernel, part
from tapeview.engine.frame import IS_EVENT, IS_TRADE


class LargePrintThresholds(Thresholds, frozen=True, kw_only=True):
    """What makes an aggressor's order worth a line."""

    quantile: Annotated[float, bound(0.9, 0.99999, "Share of recent aggressor orders that are smaller.", "J")] = 0.9995
    min_orders: Annotated[int, bound(10, 10_000, "Orders seen before any is called large.", "J")] = 2000
    join_ms: Annotated[int, bound(0, 1000, "Longest pause between prints of one order, in ms.", "J")] = 1
    sweep_levels: Annotated[int, bound(2, 100, "Least prices an order trades at to be a sweep.", "J")] = 4
    sweep_quantile: Annotated[
        float, bound(0.0, 0.99999, "Share of recent orders that a sweep is larger than.", "J")
    ] = 0.95


PRINT, SWEEP = range(2)
_RELEARN: Final = 32

MEMORY: Final = np.dtype(
    [
        *estimate.fields(sizes=1),
        *((name, "i8") for name in (
            "side", "last_ns", "exch_ns", "lots", "prints", "first_tick", "last_tick", "levels", "said", "orders",
            "large", "swept", "key",
        )),
    ]
)  # fmt: skip


@part
def close_order(m: Any, limit: Any) -> None:
    """Count the aggressor's order that has ended, and now and then learn anew what is large."""
    if m.lots > 0:
        size_add(m, 0, m.lots)
        m.orders += 1
        if m.orders >= limit.min_orders and (m.orders % _RELEARN == 0 or m.large == 0):
            m.large = size_quantile(m, 0, limit.quantile)
            m.swept = size_quantile(m, 0, limit.sweep_quantile)
    m.lots = 0
    m.said = 0


@kernel
def watch(
    events: Any, frame: Any, rows: Any, context: Any, board: Any, limits: Any, memory: Any, out: Any
) -> int:  # fmt: skip
    """Join prints to aggressor orders and tell of the large ones as soon as they are."""
    m, limit = memory[0], limits[0]
    join_ns = limit.join_ms * 1_000_000
    n = 0
    for at in range(len(rows)):
        i = rows[at]
        row = frame[i]
        if row.kind != TRADE:
            if row.kind == CLOCK and m.lots > 0 and row.recv_ns - m.last_ns > join_ns:
                close_order(m, limit)
            continue
        if (FLOW_PRINTS >> row.print) & 1 == 0 or row.side == 0:
            continue
        event = events[i]
        together = event.exch_ns == m.exch_ns if event.exch_ns != NONE else row.recv_ns - m.last_ns <= join_ns
        if m.lots == 0 or row.side != m.side or not together:
            close_order(m, limit)
            m.side = row.side
            m.prints = 0
            m.levels = 1
            m.first_tick = row.tick
            m.last_tick = row.tick
        m.lots += row.lots
        m.prints += 1
        m.levels += 1 if (row.tick - m.last_tick) * row.side > 0 else 0
        m.last_tick = row.tick
        m.last_ns = row.recv_ns
        m.exch_ns = event.exch_ns
        if m.large == 0 or row.state != S_LIVE or row.warm == 0:
            continue
        what = 0
        if m.lots >= m.large:
            what = 1
        if m.levels >= limit.sweep_levels and m.lots >= m.swept:
            what += 2
        if what & ~m.said != 0:
            method = SWEEP if what & 2 != 0 and m.said & 2 == 0 else PRINT
            if m.said == 0:
                m.key += 1
                alert = out[n]
                alert.seq, alert.recv_ns, alert.exch_ns, alert.row = row.seq, row.recv_ns, event.exch_ns, i
                alert.key, alert.side, alert.phase, alert.method, alert.reason = m.key, -m.side, CONFIRMED, method, 0
                alert.tick, alert.tick_to, alert.lots = m.last_tick, m.first_tick, m.lots
                alert.score = m.lots / max(m.large, 1)
                alert.grade = 3 if m.lots >= 4 * m.large else (2 if m.lots >= 2 * m.large else 1)
                alert.v0, alert.v1, alert.v2 = float(m.lots), float(m.prints), float(m.levels)
                alert.v3, alert.v4 = float(m.large), float(m.swept)
                n += 1
            m.said |= what
    return n


def words(found: Found) -> str:
    """Say who hit what."""
    name = "SWEEP" if found.method == "sweep" else "LARGE PRINT"
    arrow, deed = ("▲", "bought") if found.side < 0 else ("▼", "sold")
    levels = int(found.evidence["levels"])
    where = f"through {levels} levels to" if levels > 1 else "at"
    large = found.size(int(found.evidence["large"]))
    return f"{name} {arrow} {found.size(found.lots)} {deed} {where} {found.price(found.tick)} · large from {large}"


_CROWD: Final = "[ b100:500 b99:500 a101:90 a102:90 a103:90 a104:500 ] " + "~20 +101:1 ~20 -100:2 b100:498 " * 260
_SOON: Final = {"quantile": 0.995, "sweep_levels": 3, "sweep_quantile": 0.95, "min_orders": 500}
DETECTOR = Detector(
    title="Large print",
    rule=(
        "Prints of one side and venue time (or at most `join_ms` apart) are one aggressor's order. It is large when "
        "its lots reach the `quantile` of recent orders, a sweep when it trades at `sweep_levels` prices and reaches "
        "the `sweep_quantile`. Told at the print that makes it so; every such order is told once."
    ),
    thresholds=LargePrintThresholds,
    memory=MEMORY,
    reads=IS_TRADE | IS_EVENT,
    kernel=watch,
    words=words,
    methods=("print", "sweep"),
    reasons=("",),
    knob="quantile",
    evidence=("lots", "prints", "levels", "large", "swept"),
    cases=(
        Case(
            "one order far larger than all before",
            _CROWD + "~50 +101:60",
            ("LARGE PRINT ▲ 60 bought at 101",),
            thresholds=_SOON,
        ),
        Case(
            "an order that takes three levels",
            _CROWD + "~50 +101:90&+102:90&+103:20",
            ("LARGE PRINT ▲ 90 bought at 101",),
            thresholds=_SOON,
        ),
        Case(
            "a small one through three levels",
            _CROWD + "~50 +101:1&+102:1&+103:1",
            ("SWEEP ▲ 3 bought through 3 levels to 103",),
            thresholds=_SOON,
        ),
        Case("ordinary sizes", _CROWD + "~50 +101:1 ~50 -100:2"),
        Case("before enough orders are known", "[ b100:5 a101:500 ] ~20 +101:1 ~20 +101:400"),
    ),
)

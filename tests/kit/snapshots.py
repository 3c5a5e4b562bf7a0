"""Hand-made snapshots: a market written down as a few numbers, for widgets to draw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from feeds.instruments import Instrument
from tapeview import format as text
from tapeview.engine.state import PRINT
from tapeview.format import Scale
from tapeview.snapshot import (
    ROW_BAND1,
    ROW_BEST_ASK,
    ROW_BEST_BID,
    ROW_HIGH,
    ROW_LAST,
    ROW_LOW,
    ROW_OFF_GRID,
    ROW_VWAP,
    AlertLine,
    AlertsPart,
    ChartPart,
    DeskPart,
    LadderPart,
    MetersPart,
    OwnOrder,
    Snapshot,
    StatusPart,
    TapePart,
    Window,
)

NOON_NS = 1_723_200_000_000_000_000 - 1_723_200_000_000_000_000 % 86_400_000_000_000 + 45_000_000_000_000
"""12:30:00 UTC of some day."""
MES = Scale.of(Instrument(venue="cme", symbol="MES", tick="0.25", multiplier="5", currency="USD"))
BTC = Scale.of(Instrument(venue="binance-futures", symbol="BTCUSDT", tick="0.10", lot="0.001"))
OIL = Scale.of(Instrument(venue="nymex", symbol="MCL", tick="0.01"))


def status(**changes: Any) -> StatusPart:
    """A live market in the middle of a played session."""
    part = StatusPart(
        instrument="cme:MES", instruments=("cme:MES",), index=0, source="quiet-open", mode="REPLAY", tier="A",
        verification="chain", market_ns=NOON_NS, playing=True, speed=4.0, ended=False,
        start_ns=NOON_NS - 900_000_000_000,
        end_ns=NOON_NS + 900_000_000_000, timeline=tuple((i % 8) / 7 for i in range(64)), indexed=1.0, state="live",
        why="", events=123_456, events_per_s=2134.0, book_age_ns=12_000_000, tape_age_ns=8_000_000, gaps=0, coalesced=0,
        partial_since_ns=None, notice="",
    )  # fmt: skip
    return replace(part, **changes)


def ladder(
    scale: Scale = MES,
    *,
    top: int = 20_060,
    rows: int = 20,
    group: int = 1,
    bids: dict[int, int] | None = None,
    asks: dict[int, int] | None = None,
    orders: bool = True,
    last: tuple[int, int, int, int] | None = (20_049, 1, 18, 1),
    last_ns: int = NOON_NS,
    marks: dict[int, int] | None = None,
    off_grid: dict[int, tuple[str, int, int]] | None = None,
    **changes: Any,
) -> LadderPart:
    """A ladder from price rows to lots; `last` is (tick, direction, lots, side), `off_grid` row: (label, bid, ask)."""
    bids = {20_048: 41, 20_047: 150, 20_046: 188, 20_045: 102, 20_043: 77} if bids is None else bids
    asks = {20_049: 18, 20_050: 34, 20_051: 128, 20_052: 96, 20_053: 340, 20_054: 212} if asks is None else asks
    ticks = [(top - row) * group for row in range(rows)]
    labels = [text.ladder_price(scale, tick) for tick in ticks]
    bid = [sum(bids.get(t, 0) for t in range(tick, tick + group)) for tick in ticks]
    ask = [sum(asks.get(t, 0) for t in range(tick - group + 1, tick + 1)) for tick in ticks]
    bits = dict(marks or {20_047: ROW_VWAP, 20_051: ROW_BAND1, 20_055: ROW_HIGH, 20_041: ROW_LOW})
    best_bid, best_ask = max(bids, default=None), min(asks, default=None)
    if best_bid is not None:
        bits[best_bid // group * group] = bits.get(best_bid // group * group, 0) | ROW_BEST_BID
    if best_ask is not None:
        key = -(-best_ask // group) * group
        bits[key] = bits.get(key, 0) | ROW_BEST_ASK
    if last is not None:
        key = last[0] // group * group
        bits[key] = bits.get(key, 0) | ROW_LAST
    mark = [bits.get(tick, 0) for tick in ticks]
    for row, (label, extra_bid, extra_ask) in sorted((off_grid or {}).items()):
        for values, value in (
            (ticks, ticks[row]),
            (labels, label),
            (bid, extra_bid),
            (ask, extra_ask),
            (mark, ROW_OFF_GRID),
        ):
            values.insert(row, value)
            values.pop()
    volume = [max(0, 4200 - 310 * abs(tick - 20_048)) for tick in ticks]
    sold, bought = [v // 12 for v in volume], [v // 9 for v in volume]
    sizes = [lots for lots in (*bid, *ask) if lots] or [0]
    array = lambda values: np.array(values, np.int64)  # noqa: E731
    part = LadderPart(
        top=top, group=group, tick=array(ticks), label=tuple(labels), bid=array(bid), ask=array(ask),
        bid_orders=array([lots // 10 for lots in bid]), ask_orders=array([lots // 10 for lots in ask]),
        volume=array(volume), sold=array(sold), bought=array(bought), marks=array(mark), best_bid=best_bid,
        best_ask=best_ask, last_tick=last[0] if last else None, last_direction=last[1] if last else 0,
        last_lots=last[2] if last else 0, last_side=last[3] if last else 0, last_ns=last_ns,
        bar_lots=int(np.quantile(sizes, 0.95)), volume_bar=max(volume), recent_since_ns=NOON_NS - 60_000_000_000,
        has_orders=orders,
    )  # fmt: skip
    return replace(part, **changes)


def prints(*rows: dict[str, Any]) -> np.ndarray:
    """PRINT records from dictionaries, newest first; the rest of each field is a quiet regular print."""
    out = np.zeros(len(rows), PRINT)
    for index, row in enumerate(rows):
        usual = {
            "seq": 1000 - 10 * index, "last_seq": 1000 - 10 * index, "recv_ns": NOON_NS - index * 137_000_000,
            "exch_ns": NOON_NS - index * 137_000_000, "tick": 20_049, "lots": 3, "side": 1, "lean": 1, "count": 1,
            "place": 4,
        }  # fmt: skip
        for name, value in (usual | row).items():
            out[index][name] = value
    return out


def tape(records: np.ndarray | None = None, **changes: Any) -> TapePart:
    """A tape of these prints."""
    records = (
        prints(*({"place": 1 + i % 5, "side": 1 if i % 5 > 2 else -1} for i in range(12)))
        if records is None
        else records
    )
    part = TapePart(
        prints=records, depth=np.zeros(len(records), np.int8), newer=0, min_lots=0, big_lots=40, per_minute=412,
        shown_lots=int(records["lots"].sum()),
    )  # fmt: skip
    return replace(part, **changes)


def chart(columns: int = 120, **changes: Any) -> ChartPart:
    """A price that swings about its VWAP over five minutes."""
    x = np.linspace(0, 4 * np.pi, columns)
    close = np.round(20_048 + 6 * np.sin(x) + 2 * np.sin(5 * x))
    part = ChartPart(
        start_ns=NOON_NS - 300_000_000_000, column_ns=300_000_000_000 // columns, close=close, high=close + 1,
        low=close - 1, vwap=np.linspace(20_046, 20_048, columns), sigma=np.linspace(2.0, 4.0, columns),
        gap=np.zeros(columns, np.bool_), anchor="session", anchor_slot=0, anchors=("session", "day"),
        since_ns=NOON_NS - 900_000_000_000,
        vwap_now=20_048.0, sigma_now=4.0, z=0.62, vwap_text="5 012.00", sigma_text="1.00", valid=True,
    )  # fmt: skip
    return replace(part, **changes)


def meters(**changes: Any) -> MetersPart:
    """Buyers slightly ahead."""
    part = MetersPart(
        imbalance=0.42, levels=5, trades=(-0.10, 0.18, 0.05), pace=(1.2, 1.8, 1.1), pace_word="elevated",
        prints_s=(9, 30, 80), delta=1204, cvd=tuple(float(v) for v in (0, 20, 60, 50, 90, 200, 400, 380, 700, 1204)),
        buy=8000, sell=6796, volume=14_900, high=20_055, low=20_041,
    )  # fmt: skip
    return replace(part, **changes)


def alerts(*texts: str) -> AlertsPart:
    """Stories of a detector, the newest first."""
    lines = tuple(
        AlertLine(
            number=len(texts) - 1 - index, detector="iceberg", method="native", seq=1000 - index,
            recv_ns=NOON_NS - index * 1_000_000_000, side=-1, tick=20_050, tick_to=None, grade=2, score=3.0,
            confidence=None, tier="A", text=text, phase="confirmed", reason="", told_ns=NOON_NS - index * 1_000_000_000,
        )
        for index, text in enumerate(texts)
    )  # fmt: skip
    return AlertsPart(lines=lines, total=len(lines), newer=0, held=0, muted=(), active=())


def desk(**changes: Any) -> DeskPart:
    """A desk at rest: nothing armed, nothing open, nothing used up."""
    part = DeskPart(
        off="", armed=False, locked="", account="practice", position=0, position_hopeful=0, entry_tick=None,
        stop_tick=None, orders=(), r=None, profit="", profit_hopeful="", session_profit="0.00", loss_used=0.0,
        loss_left="500.00", cover="", cover_text="", trailing=False, pause="", trades=0, process=None, hindsight=False,
        rest="1:58 left", rest_due=False, told=(), unwritten=0, trouble="",
    )  # fmt: skip
    return replace(part, **changes)


def order(**changes: Any) -> OwnOrder:
    """A limit to buy 2 that waits behind at most 12 lots, at least 3."""
    one = OwnOrder(
        id=1000, side=1, lots=2, kind="limit", tick=20_047, state="working", why="entry", ahead=(12, 3)
    )  # fmt: skip
    return replace(one, **changes)


def long_two(**changes: Any) -> DeskPart:
    """Two lots bought at 20 048, with a stop, a target and one more that waits."""
    usual: dict[str, Any] = {
        "armed": True, "position": 2, "position_hopeful": 2, "entry_tick": 20_048.0, "stop_tick": 20_040,
        "orders": (
            order(id=1001, side=-1, kind="stop", tick=20_044, state="waiting", why="stop", ahead=None),
            order(id=1002, side=-1, tick=20_056, why="target", ahead=(40, 40)),
            order(id=2000),
        ),
        "r": 0.42, "profit": "+16.80", "profit_hopeful": "+16.80", "session_profit": "-43.10", "loss_used": 0.31,
        "loss_left": "345.00", "cover": "covered", "trades": 3, "process": 0.92, "break_even_tick": 20_049.0,
    }  # fmt: skip
    return desk(**(usual | changes))


def snapshot(scale: Scale = MES, **parts: Any) -> Snapshot:
    """A whole frame; any part may be replaced."""
    usual: dict[str, Any] = {
        "number": 1, "window": Window(), "status": status(), "ladder": ladder(scale), "tape": tape(), "chart": chart(),
        "meters": meters(),
    }  # fmt: skip
    return Snapshot(scale=scale, **(usual | parts))

"""A made-up market as prepared snapshots, so that a measurement of the screen measures the screen alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from feeds.instruments import Instrument
from tapeview import format as text
from tapeview.engine.state import PRINT
from tapeview.format import Scale
from tapeview.snapshot import (
    PRINT_BIG,
    ROW_BAND1,
    ROW_BEST_ASK,
    ROW_BEST_BID,
    ROW_HIGH,
    ROW_LAST,
    ROW_LOW,
    ROW_VWAP,
    ChartPart,
    LadderPart,
    MetersPart,
    Snapshot,
    StatusPart,
    TapePart,
    Window,
)

FRAME_NS = 16_666_667
START_NS = 1_723_200_300_000_000_000
CHANGED_ROWS = 25
PRINTS_A_FRAME = 3


def frames(count: int, *, rows: int = 55, tape_rows: int = 54, columns: int = 100, seed: int = 7) -> list[Snapshot]:
    """Make snapshots a frame apart: a walk of the touch, sizes, prints and the chart's last column."""
    rng = np.random.default_rng(seed)
    scale = Scale.of(Instrument(venue="cme", symbol="MES", tick="0.25", multiplier="5", currency="USD"))
    top, mid = 20_048 + rows // 2, 20_048
    ticks = np.arange(top, top - rows, -1, dtype=np.int64)
    labels = tuple(text.ladder_price(scale, int(tick)) for tick in ticks)
    resting = rng.integers(1, 400, rows)
    volume, sold, bought = rng.integers(0, 4000, rows), rng.integers(0, 300, rows), rng.integers(0, 300, rows)
    tape = np.zeros(tape_rows, PRINT)
    walk = 20_048 + np.cumsum(rng.choice([-1.0, 0.0, 1.0], columns))
    cvd, out = [0.0] * 60, []
    for number in range(count):
        now = START_NS + number * FRAME_NS
        mid = int(np.clip(mid + (rng.random() < 0.15) * rng.choice([-1, 1]), top - rows + 12, top - 12))
        resting[rng.integers(0, rows, CHANGED_ROWS)] = rng.integers(1, 400, CHANGED_ROWS)
        hit = int(np.flatnonzero(ticks == mid)[0])
        volume[hit] += 3
        bought[hit] += 2
        tape = np.roll(tape, PRINTS_A_FRAME)
        for index in range(PRINTS_A_FRAME):
            side, lots = int(rng.choice([-1, 1])), int(rng.integers(1, 60))
            seq = number * PRINTS_A_FRAME + PRINTS_A_FRAME - index
            fields = {
                "seq": seq, "last_seq": seq, "recv_ns": now, "exch_ns": now, "tick": mid + (side > 0), "lots": lots,
                "count": int(rng.integers(1, 4)), "side": side, "lean": side, "place": 4 if side > 0 else 2,
                "marks": PRINT_BIG if lots > 56 else 0,
            }  # fmt: skip
            for name in PRINT.names or ():
                tape[index][name] = fields.get(name, 0)
        walk[-1] = mid
        if number % 150 == 149:
            walk = np.append(walk[1:], mid)
        cvd[-1] += float(rng.integers(-5, 6))
        marks = np.zeros(rows, np.int64)
        for tick, bit in (
            (mid, ROW_BEST_BID | ROW_LAST), (mid + 1, ROW_BEST_ASK), (20_050, ROW_VWAP), (20_056, ROW_BAND1),
            (top - 2, ROW_HIGH), (top - rows + 3, ROW_LOW),
        ):  # fmt: skip
            marks[top - tick] |= bit
        bid, ask = np.where(ticks <= mid, resting, 0), np.where(ticks > mid, resting, 0)
        ladder = LadderPart(
            top=top, group=1, tick=ticks, label=labels, bid=bid, ask=ask, bid_orders=bid // 9, ask_orders=ask // 9,
            volume=volume.copy(), sold=sold.copy(), bought=bought.copy(), marks=marks, best_bid=mid, best_ask=mid + 1,
            last_tick=mid, last_direction=1, last_lots=3, last_side=1, last_ns=now, bar_lots=380, volume_bar=4000,
            recent_since_ns=now - 60_000_000_000, has_orders=True,
        )  # fmt: skip
        out.append(_frame(number, now, scale, ladder, tape.copy(), walk.copy(), tuple(cvd)))
    return out


def _frame(
    number: int, now: int, scale: Scale, ladder: LadderPart, tape: np.ndarray, walk: np.ndarray, cvd: tuple[float, ...]
) -> Snapshot:
    columns = len(walk)
    status = StatusPart(
        instrument="cme:MES", instruments=("cme:MES",), index=0, source="made-up", mode="REPLAY", tier="A",
        verification="chain", market_ns=now, playing=True, speed=1.0, ended=False, start_ns=START_NS,
        end_ns=START_NS + 1_800_000_000_000, timeline=tuple((i * 7 % 16) / 16 for i in range(160)), indexed=1.0,
        state="live", why="", events=number * 40, events_per_s=2400.0 + number % 7, book_age_ns=number % 9 * 1_000_000,
        tape_age_ns=number % 5 * 1_000_000, gaps=0, coalesced=0, partial_since_ns=None, notice="",
    )  # fmt: skip
    chart = ChartPart(
        start_ns=START_NS - 300_000_000_000, column_ns=3_000_000_000, close=walk, high=walk + 1, low=walk - 1,
        vwap=np.full(columns, 20_050.0), sigma=np.linspace(3, 6, columns), gap=np.zeros(columns, np.bool_),
        anchor="session", anchor_slot=0, anchors=("session",), since_ns=START_NS, vwap_now=20_050.0, sigma_now=6.0,
        z=0.3 + number % 10 / 100, vwap_text="5 012.50", sigma_text="1.50", valid=True,
    )  # fmt: skip
    meters = MetersPart(
        imbalance=(number % 40 - 20) / 25, levels=5, trades=((number % 30 - 15) / 20, 0.1, 0.05), pace=(1.2, 1.8, 1.1),
        pace_word="elevated", prints_s=(15, 45, 180), delta=int(cvd[-1]), cvd=cvd, buy=9000, sell=8000, volume=17_000,
        high=ladder.top - 2, low=ladder.top - 50,
    )  # fmt: skip
    records = TapePart(
        prints=tape, depth=np.zeros(len(tape), np.int8), newer=0, min_lots=0, big_lots=57, per_minute=412 + number % 9,
        shown_lots=int(tape["lots"].sum()),
    )  # fmt: skip
    snapshot = Snapshot(number, Window(), scale, status, ladder, records, chart, meters)
    return replace(snapshot, window=Window(rows=len(ladder.label), top=ladder.top))

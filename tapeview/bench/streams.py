"""Synthetic streams to measure with: seeded, of the shape of busy real feeds."""

from __future__ import annotations

import random

import numpy as np

from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    BUY,
    CANCEL,
    CLEAR,
    FILL,
    LAST,
    MODIFY,
    NONE,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    Events,
    empty,
)  # fmt: skip

_START_NS = 1_700_000_000_000_000_000
_Row = tuple[int, int, int, int, int, int, int]


def _rows(rows: list[_Row], per_second: int) -> Events:
    table = np.array(rows, np.int64)
    out = empty(len(rows))
    for n, name in enumerate(("kind", "side", "tick", "lots", "ref", "aux", "marks")):
        out[name] = table[:, n]
    gaps = np.random.default_rng(1).exponential(1e9 / per_second, len(rows)).astype(np.int64)
    out["recv_ns"] = _START_NS + np.cumsum(gaps)
    out["exch_ns"] = out["recv_ns"] - 500_000
    out["seq"] = np.arange(len(rows))
    return out


def level_stream(events: int, seed: int = 1) -> Events:
    """Make about `events` rows of levels and trades: 45 % bids, 45 % asks, 10 % trades.

    Nine of ten level updates lie within 10 ticks of the touch, one of five deletes its level, and about 800 levels
    a side are held while the price walks.
    """
    random_ = random.Random(seed)
    uniform = random_.random
    book: dict[int, dict[int, int]] = {BID: {}, ASK: {}}
    best = {BID: 100_000, ASK: 100_001}
    rows: list[_Row] = [(CLEAR, 0, 0, 0, NONE, 0, SNAPSHOT)]
    for side in (BID, ASK):
        for step in range(800):
            tick = best[side] - side * step
            book[side][tick] = lots = int(random_.lognormvariate(3, 1)) + 1
            rows.append((BOOK, side, tick, lots, 1, 0, SNAPSHOT))
    rows.append((STATUS, 0, 0, 0, 1, S_LIVE, SNAPSHOT | LAST))
    serial = 1
    while len(rows) < events:
        serial += 1
        side = BID if uniform() < 0.5 else ASK
        levels = book[side]
        if uniform() < 0.131:
            tick = best[side]
            had = levels[tick]
            lots = min(had, int(random_.lognormvariate(1.5, 1)) + 1)
            left = had - lots if uniform() > 0.1 else had
            rows.append((TRADE, SELL if side == BID else BUY, tick, lots, serial, 0, LAST))
        else:
            span = int(random_.expovariate(0.30)) if uniform() < 0.92 else int(uniform() * 800)
            tick = best[-side] - side * (1 + span)
            had = levels.get(tick, 0)
            left = 0 if had and uniform() < 0.22 else int(random_.lognormvariate(3, 1)) + 1
        rows.append((BOOK, side, tick, left, serial, 0, LAST))
        if left:
            levels[tick] = left
            if (tick - best[side]) * side > 0:
                best[side] = tick
        else:
            del levels[tick]
            if tick == best[side]:
                while tick not in levels:
                    tick -= side
                best[side] = tick
    return _rows(rows, 5_000)


def order_stream(events: int, seed: int = 1) -> Events:
    """Make about `events` rows order by order: 46 % adds, 42 % cancels, 5 % changes, 7 % fills with their trades."""
    random_ = random.Random(seed)
    uniform = random_.random
    best = {BID: 100_000, ASK: 100_001}
    levels: dict[int, dict[int, dict[int, int]]] = {BID: {}, ASK: {}}
    where: dict[int, tuple[int, int]] = {}
    live: list[int] = []
    rows: list[_Row] = [(STATUS, 0, 0, 0, NONE, S_LIVE, LAST)]
    number = 0

    def retreat(side: int) -> None:
        tick = best[side]
        while not levels[side].get(tick):
            tick -= side
        best[side] = tick

    def rest(side: int, tick: int) -> None:
        nonlocal number
        number += 1
        lots = int(random_.lognormvariate(2, 1)) + 1
        levels[side].setdefault(tick, {})[number] = lots
        where[number] = (side, tick)
        live.append(number)
        if (tick - best[side]) * side > 0:
            best[side] = tick
        rows.append((ADD, side, tick, lots, number, NONE, LAST))

    def leave(which: int) -> None:
        side, tick = where.pop(which)
        del levels[side][tick][which]
        if tick == best[side] and not levels[side][tick]:
            retreat(side)

    for side in (BID, ASK):
        for step in range(1500):
            rest(side, best[side] - side * (step // 5))
    while len(rows) < events:
        draw = uniform() if len(where) < 8000 else 0.46 + 0.54 * uniform()
        side = BID if uniform() < 0.5 else ASK
        if draw < 0.46 or len(where) < 4000:
            span = int(random_.expovariate(0.25)) if uniform() < 0.9 else int(uniform() * 200)
            rest(side, best[-side] - side * (1 + span))
        elif draw < 0.53:
            queue = levels[side][best[side]]
            which = next(iter(queue))
            lots = min(queue[which], int(random_.lognormvariate(1, 1)) + 1)
            tick = best[side]
            rows.append((FILL, 0, 0, lots, which, NONE, 0))
            rows.append((TRADE, SELL if side == BID else BUY, tick, lots, number, 0, LAST))
            queue[which] -= lots
            if not queue[which]:
                leave(which)
        else:
            while True:
                at = int(uniform() * len(live))
                which = live[at]
                if which in where:
                    break
                live[at] = live[-1]
                live.pop()
            side, tick = where[which]
            if draw < 0.58:
                lots = levels[side][tick][which]
                lots = max(1, lots // 2) if uniform() < 0.6 else lots + 3
                levels[side][tick][which] = lots
                rows.append((MODIFY, side, tick, lots, which, NONE, LAST))
            else:
                rows.append((CANCEL, 0, 0, 0, which, NONE, LAST))
                leave(which)
    return _rows(rows, 5_000)

"""A stop that follows the market tick by tick and never loosens.

`range_step` keeps the average range of a minute's mid, `trail_step` moves the stop; both read and write one record,
allocate nothing and use integers only, so that kernels can call them. A short is a long in a mirror: prices are taken
with the other sign, and bid and ask change places. Only quotes move the stop; prints do not come in at all.

Stops lower expectancy where prices walk at random and help where they have momentum: Kaminski and Lo, Journal of
Financial Markets 18, 2014.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feeds.events import NONE
from tapeview.desk.limits import DEFAULTS, Limits
from tapeview.desk.money import exact

MINUTES: Final = 60
"""Ranges of minutes that are kept."""
MINUTE_NS: Final = 60_000_000_000
RANGE: Final = np.dtype(
    [
        ("minutes", "i8"), ("last_ns", "i8"), ("minute", "i8"), ("high", "i8"), ("low", "i8"), ("close", "i8"),
        ("before", "i8"), ("count", "i8"), ("total", "i8"), ("ring", "i8", (MINUTES,)), ("locked_ok", "i8"),
    ]
)  # fmt: skip
"""Bars of a minute of the mid, in half ticks: the one that is building, the close before it, and the true ranges of
the last `minutes` complete ones with their sum. `count` is how many complete ones there were."""

TRAIL: Final = np.dtype(
    [
        ("side", "i8"), ("stop", "i8"), ("best", "i8"), ("entry", "i8"), ("risk", "i8"), ("least", "i8"),
        ("k_milli", "i8"), ("arm_milli", "i8"), ("step_ns", "i8"), ("armed", "i8"), ("last_ns", "i8"),
        ("told_ns", "i8"), ("told", "i8"), ("locked_ok", "i8"),
    ]
)  # fmt: skip
"""A trailing stop; prices in mirrored ticks (side x tick). `best` is the best exit price since entry, `told` the stop
last suggested and `told_ns` when."""


def usable(m: Any, ns: int, bid: int, ask: int) -> bool:
    """Say whether a quote counts: both sides there, not crossed, locked only where that is legal, not late."""
    if min(bid, ask) == NONE or bid > ask or ns < m.last_ns:
        return False
    return bid < ask or m.locked_ok != 0


def range_step(r: Any, ns: int, bid: int, ask: int) -> int:
    """Take a quote into the bars of a minute; give 1 where it counted, 0 for one late, crossed or half empty."""
    if not usable(r, ns, bid, ask):
        return 0
    r.last_ns = ns
    mid = bid + ask
    minute = ns // MINUTE_NS
    if r.minute == NONE:
        r.minute = minute
        r.high = r.low = mid
    elif minute != r.minute:
        high, low = r.high, r.low
        if r.before != NONE:
            high, low = max(high, r.before), min(low, r.before)
        slot = r.count % r.minutes
        r.total += high - low - r.ring[slot]
        r.ring[slot] = high - low
        r.count += 1
        r.before = r.close
        r.minute = minute
        r.high = r.low = mid
    r.high = max(r.high, mid)
    r.low = min(r.low, mid)
    r.close = mid
    return 1


def trail_step(t: Any, r: Any, ns: int, bid: int, ask: int) -> int:
    """Move the stop by a quote; give 1 where the new stop is to be suggested to the venue now, else 0.

    HWM = max(HWM, bid), stop = max(stop, floor(HWM - d)) with d = max(n ticks, k x ATR), once the bid is R above the
    entry and the minutes of the ATR are complete; never nearer to the bid than two ticks.
    """
    if not usable(t, ns, bid, ask):
        return 0
    t.last_ns = ns
    leave = bid if t.side > 0 else -ask
    t.best = max(t.best, leave)
    if leave * 1000 >= t.entry * 1000 + t.arm_milli * t.risk:
        t.armed = 1
    if t.armed == 1 and (t.k_milli == 0 or r.count >= r.minutes):
        # Half ticks times thousandths, rounded up to whole ticks: HWM - d is so rounded down to one.
        unit = 2000 * r.minutes
        away = max(t.least, (t.k_milli * r.total + unit - 1) // unit)
        t.stop = max(t.stop, min(t.best - away, leave - 2))
    if t.stop > t.told and (t.told_ns == NONE or ns - t.told_ns >= t.step_ns):
        t.told = t.stop
        t.told_ns = ns
        return 1
    return 0


class MinuteRange:
    """The average true range of a minute's mid, kept all session long."""

    def __init__(self, limits: Limits = DEFAULTS, *, locked_ok: bool = False) -> None:
        self.memory: NDArray[Any] = np.zeros(1, RANGE)
        row = self.memory[0]
        row["minutes"] = limits.trail_minutes
        row["locked_ok"] = locked_ok
        for name in ("last_ns", "minute", "before"):
            row[name] = NONE
        self.row = self.memory.view(np.recarray)[0]

    def quote(self, ns: int, bid: int, ask: int) -> None:
        """Take a quote at an exchange time in ns; NONE for a side that is empty."""
        range_step(self.row, ns, bid, ask)

    def begin_with(self, bars: NDArray[Any], ns: int) -> None:
        """Take minutes that are over by a receive time from bars of prints, where no quote has been seen yet.

        `bars` have start_ns, high, low and close in ticks; minutes without a print are left out.
        """
        row = self.memory[0]
        if row["minute"] != NONE or row["count"]:
            return
        for bar in bars[(bars["close"] != NONE) & (bars["start_ns"] // MINUTE_NS < ns // MINUTE_NS)]:
            high, low = 2 * int(bar["high"]), 2 * int(bar["low"])
            if row["before"] != NONE:
                high, low = max(high, int(row["before"])), min(low, int(row["before"]))
            slot = int(row["count"] % row["minutes"])
            row["total"] += high - low - int(row["ring"][slot])
            row["ring"][slot] = high - low
            row["count"] += 1
            row["before"] = 2 * int(bar["close"])

    @property
    def ticks(self) -> float | None:
        """The average in ticks; None before the minutes are complete."""
        row = self.memory[0]
        if row["count"] < row["minutes"]:
            return None
        return float(row["total"]) / (2 * int(row["minutes"]))


class Trail:
    """A trailing stop of one position."""

    def __init__(self, side: int, entry: int, stop: int, ranges: MinuteRange, limits: Limits = DEFAULTS) -> None:
        if side not in (1, -1) or side * (entry - stop) <= 0:
            raise ValueError(f"a stop at {stop} of an entry at {entry}")
        self.memory: NDArray[Any] = np.zeros(1, TRAIL)
        self.row = self.memory.view(np.recarray)[0]
        self._ranges = ranges
        row = self.row
        row.side = side
        row.stop = row.told = side * stop
        row.best = row.entry = side * entry
        row.risk = side * (entry - stop)
        row.least = limits.trail_ticks
        row.k_milli = round(exact(limits.trail_k) * 1000)
        row.arm_milli = round(exact(limits.trail_arm_r) * 1000)
        row.step_ns = limits.trail_step_ms * 1_000_000
        row.last_ns = row.told_ns = NONE
        row.locked_ok = ranges.row.locked_ok

    def quote(self, ns: int, bid: int, ask: int) -> int | None:
        """Take a quote at an exchange time in ns; give the stop to amend to where one is to be suggested now.

        Call it before `MinuteRange.quote` of the same quote or after, but always the same way.
        """
        return self.stop if trail_step(self.row, self._ranges.row, ns, bid, ask) else None

    @property
    def stop(self) -> int:
        """Where the stop is to be, in ticks."""
        return int(self.row.side * self.row.stop)

    @property
    def armed(self) -> bool:
        """Whether the position was ever far enough in favour to trail."""
        return bool(self.row.armed)

"""The market's quotes through the bars of a minute and a trailing stop, as one kernel over the frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.events import NONE, S_LIVE
from tapeview.desk.limits import Limits
from tapeview.desk.position import Trade
from tapeview.desk.queue import DONE
from tapeview.desk.trailing import RANGE, TRAIL, MinuteRange, Trail, range_step, trail_step, usable
from tapeview.engine._jit import kernel, part, warmer
from tapeview.engine.frame import FRAME

# They are ordinary functions, so that they can be read and run without kernels; here they are parts of one.
for _step in (usable, range_step, trail_step):
    part(_step)


@kernel
def follow(frame: Any, ranges: Any, trail: Any, out: Any) -> int:
    """Take every quote of a live book; give how many DONE rows were written: stops to be moved, in mirrored ticks.

    A trail of side 0 is none: only the bars are kept. `out` must have room for every row.
    """
    r = ranges[0]
    t = trail[0]
    n = 0
    bid = NONE
    ask = NONE
    for i in range(len(frame)):
        row = frame[i]
        if row.kind == 0 or row.state != S_LIVE:
            continue
        if row.bid == bid and row.ask == ask and t.side == 0:
            continue
        bid = row.bid
        ask = row.ask
        if t.side != 0 and trail_step(t, r, row.recv_ns, bid, ask) != 0:
            out[n].row = i
            out[n].tick = t.side * t.stop
            n += 1
        range_step(r, row.recv_ns, bid, ask)
    return n


class Trailing:
    """One position's trailing stop, made anew for each trade."""

    def __init__(self) -> None:
        self.memory: NDArray[Any] = np.zeros(1, TRAIL)
        self.trade = 0
        """The trade it follows, 0 for none."""

    def follow(self, trade: Trade | None, limits: Limits) -> None:
        """Follow this trade from now on, from its first stop; None: none."""
        if trade is None or not trade.risk_ticks:
            if self.trade:
                self.trade, self.memory = 0, np.zeros(1, TRAIL)
        elif trade.number != self.trade:
            entry = round(trade.entry)
            stop = entry - trade.side * trade.risk_ticks
            self.trade, self.memory = trade.number, Trail(trade.side, entry, stop, MinuteRange(limits), limits).memory

    def tighten(self, tick: int) -> None:
        """Stand no looser than at this tick from now on."""
        row = self.memory[0]
        for name in ("stop", "told"):
            row[name] = max(int(row[name]), int(row["side"]) * tick)


@warmer
def _warm(run: Callable[..., Any]) -> None:
    run(follow, np.zeros(0, FRAME), np.zeros(1, RANGE), np.zeros(1, TRAIL), np.zeros(2, DONE))

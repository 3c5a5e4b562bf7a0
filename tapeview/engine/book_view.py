"""What may be asked of the book between two batches."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import ASK, BID, CAUSES, NONE, S_CROSSED, S_LIVE, S_STALE, STATUSES
from feeds.instruments import Instrument
from tapeview.engine.content import orders_of
from tapeview.engine.core import W_CLEAR, W_GAP, W_START
from tapeview.engine.memory import Memory
from tapeview.engine.settings import EngineSettings
from tapeview.engine.state import LEVEL, MASK, NO_KEY, WINDOW

_FIRST_SPAN: Final = 256

QUEUED: Final = np.dtype(
    [("id", "i8"), ("lots", "i8"), ("executed", "i8"), ("hidden", "i8"), ("peak", "i8"), ("refills", "i8")]
)
"""An order in its queue; `hidden` lots executed or shown again beyond what was displayed, `peak` the most displayed."""


class Order(NamedTuple):
    """A resting order."""

    id: int
    side: int
    tick: int
    fine: int
    """Exact fine price off the grid, NONE on it."""
    lots: int
    refills: int
    executed: int
    hidden: int
    peak: int
    queue_ahead_lots: int
    queue_ahead_orders: int


class BookView:
    """The book as it stands; ranges of ticks include their low end and not their high end."""

    def __init__(self, memory: Memory, instrument: Instrument, settings: EngineSettings) -> None:
        self._memory = memory
        self._instrument = instrument
        self._settings = settings

    @property
    def _row(self) -> Any:
        return self._memory.state[0]

    # -- validity -------------------------------------------------------------------------------

    @property
    def state(self) -> int:
        """Validity of the book, an index into STATUSES."""
        row = self._row
        if row["phase"] != S_LIVE:
            return int(row["phase"])
        return S_CROSSED if row["is_crossed"] else S_STALE if row["silent"] else S_LIVE

    @property
    def known(self) -> tuple[int | None, int | None]:
        """(lowest, highest) tick of which the newest snapshot of levels told, None where it has no such end.

        Beyond them only the levels that were named since are known: an empty one may be one that was never named.
        """
        bid, ask = (int(key) for key in self._row["told_key"])
        return None if bid == NO_KEY else bid, None if ask == NO_KEY else -ask

    @property
    def state_name(self) -> str:
        """Validity of the book in a word."""
        return STATUSES[self.state]

    @property
    def why(self) -> str:
        """Why the book is not live, in a few words; empty where it is."""
        row, state = self._row, self.state
        if state == S_LIVE:
            return ""
        if state == S_CROSSED:
            grid = self._instrument.price
            bid, ask = self.bids(1)[0], self.asks(1)[0]
            texts = [grid.text(p["tick"]) if p["fine"] == NONE else grid.fine_text(p["fine"]) for p in (bid, ask)]
            return f"bid {texts[0]} {'meets' if texts[0] == texts[1] else 'above'} ask {texts[1]}"
        if row["phase"] == S_LIVE:
            return f"no word of the book for {(row['now_ns'] - row['last_book_ns']) / 1e9:.1f} s"
        if row["why"] == W_GAP:
            cause = int(row["gap_cause"])
            lost = "" if row["gap_lost"] == NONE else f", {row['gap_lost']} messages lost"
            return f"gap: {CAUSES[cause] if 0 <= cause < len(CAUSES) else 'unknown'}{lost}"
        if row["why"] == W_CLEAR:
            return "gap: book being rebuilt" if row["awaiting"] else "book being rebuilt"
        return "no book yet" if row["why"] == W_START else f"stated by the source: {STATUSES[state]}"

    @property
    def epoch(self) -> int:
        """Rises when memory of single levels must be dropped."""
        return int(self._row["epoch"])

    @property
    def live_since_ns(self) -> int:
        """Receive time since which the book has been live, NONE where it never was."""
        return int(self._row["live_since_ns"])

    @property
    def updates_since_live(self) -> int:
        """Messages of the book since then."""
        return int(self._row["updates"])

    @property
    def last_update_ns(self) -> int:
        """Receive time of the newest message of a live book, NONE where there is none."""
        return int(self._row["last_book_ns"])

    # -- touch ----------------------------------------------------------------------------------

    def _best(self, b: int) -> int | None:
        row = self._row
        key = int(row["best"][b])
        if key == NO_KEY:
            return None
        return key if b == 0 else -key if row["best_frac"][1] == 0 else -key - 1

    @property
    def best_bid(self) -> int | None:
        """Best bid in ticks (the tick below where off the grid), None where there is none."""
        return self._best(0)

    @property
    def best_ask(self) -> int | None:
        """Best ask in ticks (the tick below where off the grid), None where there is none."""
        return self._best(1)

    @property
    def bid_lots(self) -> int:
        """Lots at the best bid, 0 where there is none."""
        return int(self._row["best_lots"][0])

    @property
    def ask_lots(self) -> int:
        """Lots at the best ask, 0 where there is none."""
        return int(self._row["best_lots"][1])

    @property
    def imbalance(self) -> float | None:
        """(bids - asks) / (bids + asks) in lots over the best `imbalance_levels` of each side, None when empty."""
        n = self._settings.imbalance_levels
        bids, asks = int(self.bids(n)["lots"].sum()), int(self.asks(n)["lots"].sum())
        return (bids - asks) / (bids + asks) if bids + asks else None

    # -- levels ---------------------------------------------------------------------------------

    def bids(self, n: int | None = None) -> NDArray[Any]:
        """The best `n` bid levels, all for None, as LEVEL rows, best first."""
        return self._levels(0, n)

    def asks(self, n: int | None = None) -> NDArray[Any]:
        """The best `n` ask levels, all for None, as LEVEL rows, best first."""
        return self._levels(1, n)

    def _inside(self, b: int, n: int | None) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
        row = self._row
        have = int(row["levels"][b])
        want = have if n is None else min(n, have)
        top = int(row["top_cell"][b])
        most = top - int(row["low_key"][b]) + 1 if have else 0
        span = min(most, WINDOW if n is None else _FIRST_SPAN)
        while True:
            keys = top - np.arange(span, dtype=np.int64)
            lots = row["lots"][b][keys & MASK]
            found = np.flatnonzero(lots)[:want]
            if len(found) == want or span >= most:
                keys = keys[found]
                return keys, lots[found], row["orders"][b][keys & MASK]
            span = min(most, span * 16)

    def _outside(self, b: int) -> NDArray[Any]:
        spill = self._memory.tables["spill"]
        return spill[spill["side"] == b + 1]

    def _levels(self, b: int, n: int | None) -> NDArray[Any]:
        keys, lots, orders = self._inside(b, n)
        fine = self._instrument.price.fine
        outside = self._outside(b) if self._row["spilled"][b] else self._memory.tables["spill"][:0]
        out = np.empty(len(keys) + len(outside), LEVEL)
        at = len(keys)
        side = 1 if b == 0 else -1
        out["tick"][:at], out["lots"][:at], out["orders"][:at] = side * keys, lots, orders
        out["fine"], out["fine_lots"] = NONE, NONE
        if len(outside):
            key, frac = outside["key"], outside["frac"]
            out["tick"][at:] = key if b == 0 else np.where(frac == 0, -key, -key - 1)
            # The product stays in range: a fraction exists only where the fine price fitted.
            out["fine"][at:] = np.where(frac == 0, NONE, side * (np.where(frac == 0, 0, key) * fine + frac))
            out["lots"][at:], out["orders"][at:] = outside["lots"], outside["orders"]
            out["fine_lots"][at:] = outside["fine_lots"]
            order = np.lexsort((np.append(np.zeros(at, np.int64), frac), np.append(keys, key)))[::-1]
            out = out[order]
        return out if n is None else out[:n]

    def rows(self, lo_tick: int, hi_tick: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Give (bid lots, ask lots, bid orders, ask orders) for every tick of a range; off-grid levels apart."""
        n = max(hi_tick - lo_tick, 0)
        row = self._row
        out = []
        for b in (0, 1):
            lots, orders = np.zeros(n, np.int64), np.zeros(n, np.int64)
            low = int(row["low_key"][b]) if b == 0 else -(int(row["low_key"][1]) + WINDOW - 1)
            first, end = max(lo_tick, low), min(hi_tick, low + WINDOW)
            if first < end:
                ticks = np.arange(first, end, dtype=np.int64)
                cells = (ticks if b == 0 else -ticks) & MASK
                lots[first - lo_tick : end - lo_tick] = row["lots"][b][cells]
                orders[first - lo_tick : end - lo_tick] = row["orders"][b][cells]
            if row["spilled"][b]:
                outside = self._outside(b)
                ticks = outside["key"] if b == 0 else -outside["key"]
                pick = (outside["frac"] == 0) & (ticks >= lo_tick) & (ticks < hi_tick)
                lots[ticks[pick] - lo_tick] = outside["lots"][pick]
                orders[ticks[pick] - lo_tick] = outside["orders"][pick]
            out += [lots, orders]
        return out[0], out[2], out[1], out[3]

    def off_grid(self, lo_tick: int, hi_tick: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Give the levels off the grid whose tick below is in a range: (bids, asks), best first."""
        sides = []
        for b in (0, 1):
            levels = self._levels(b, None) if self._row["spilled"][b] else np.empty(0, LEVEL)
            pick = (levels["fine"] != NONE) & (levels["tick"] >= lo_tick) & (levels["tick"] < hi_tick)
            sides.append(levels[pick])
        return sides[0], sides[1]

    # -- orders ---------------------------------------------------------------------------------

    @property
    def has_orders(self) -> bool:
        """Whether the feed has told of single orders."""
        return bool(self._row["orders_seen"])

    @property
    def orders(self) -> int:
        """Resting orders known."""
        return int(self._row["orders_n"])

    def _queue(self, b: int, key: int, frac: int) -> NDArray[Any]:
        table = self._memory.tables["order"]
        there = orders_of(self._memory, (table["tag"] & 1 == b) & (table["key"] == key))
        return there[there["frac"] == frac]

    def orders_at(self, side: int, tick: int, fine: int = NONE) -> NDArray[Any]:
        """Give the orders of a level as QUEUED rows, first in the queue first; `fine` names a level off the grid."""
        b = 0 if side == BID else 1
        key, frac = tick * side, 0
        if fine != NONE:
            key, frac = divmod(side * fine, self._instrument.price.fine)
        queue = self._queue(b, key, frac)
        out = np.empty(len(queue), QUEUED)
        for name in QUEUED.names or ():
            out[name] = queue[name]
        return out

    def order(self, number: int) -> Order | None:
        """Give an order by its id with what is ahead of it in its queue, None where it is not known."""
        found = orders_of(self._memory, self._memory.tables["order"]["id"] == number)
        if not len(found):
            return None
        row = found[0]
        b, key, frac = int(row["side"]), int(row["key"]), int(row["frac"])
        queue = self._queue(b, key, frac)
        place = int(np.flatnonzero(queue["id"] == number)[0])
        side = BID if b == 0 else ASK
        return Order(
            id=number,
            side=side,
            tick=key if b == 0 else -key if frac == 0 else -key - 1,
            fine=NONE if frac == 0 else side * (key * self._instrument.price.fine + frac),
            lots=int(row["lots"]),
            refills=int(row["refills"]),
            executed=int(row["executed"]),
            hidden=int(row["hidden"]),
            peak=int(row["peak"]),
            queue_ahead_lots=int(queue["lots"][:place].sum()),
            queue_ahead_orders=place,
        )

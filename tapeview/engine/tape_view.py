"""What may be asked of the tape between two batches."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import NONE
from feeds.instruments import Instrument
from tapeview.engine.memory import Memory
from tapeview.engine.state import MERGED, METERS, MINUTE_BARS, PAGE, SECOND_BARS


class Totals(NamedTuple):
    """The session's flow so far, in lots and prints."""

    volume: int
    buy: int
    sell: int
    unknown: int
    trades: int
    delta: int


class Meter(NamedTuple):
    """Flow of the newest seconds, in lots and prints."""

    buy: int
    sell: int
    prints: int
    unknown: int


class Pace(NamedTuple):
    """Prints a second over 15 s, and that against its own slow mean (None before there is one)."""

    prints_per_s: float
    ratio: float | None


class TapeView:
    """The tape as it stands; ranges of ticks include their low end and not their high end."""

    def __init__(self, memory: Memory, instrument: Instrument) -> None:
        self._memory = memory
        self._instrument = instrument

    def _one(self, name: str) -> int:
        return int(self._memory.state[name][0])

    # -- prints ---------------------------------------------------------------------------------

    @staticmethod
    def _newest(ring: NDArray[Any], count: int, n: int, until: int | None, first_seq: int | None) -> NDArray[Any]:
        room = len(ring)
        low, high = max(0, count - room), count
        seqs = ring["seq"]
        if until is not None:
            high = _place(seqs, room, low, high, until + 1)
        if first_seq is not None:
            low = _place(seqs, room, low, high, first_seq)
        return np.arange(high - 1, max(low, high - n) - 1, -1)

    def prints(self, n: int, min_lots: int = 0, until: int | None = None) -> NDArray[Any]:
        """Give the newest `n` merged prints of at least `min_lots` as PRINT rows, newest first.

        `until` leaves out those that began after that seq.
        """
        ring = self._memory.tables["merged"]
        count = self._one("merged_n")
        if min_lots <= 0:
            return ring[self._newest(ring, count, n, until, None) & (MERGED - 1)]
        places = self._newest(ring, count, MERGED, until, None)
        picked = places[ring["lots"][places & (MERGED - 1)] >= min_lots][:n]
        return ring[picked & (MERGED - 1)]

    def raw(self, n: int, until: int | None = None, first_seq: int | None = None) -> NDArray[Any]:
        """Give the newest `n` raw prints as PRINT rows, newest first, of seq `first_seq` to `until` where given."""
        ring = self._memory.tables["ring"]
        return ring[self._newest(ring, self._one("ring_n"), n, until, first_seq) & (len(ring) - 1)]

    def raw_of(self, merged: Any) -> NDArray[Any]:
        """Give the raw prints of a merged one, newest first, as far as they are kept."""
        return self.raw(int(merged["count"]), int(merged["last_seq"]), int(merged["seq"]))

    @property
    def raw_prints(self) -> int:
        """Raw prints seen so far, of every kind."""
        return self._one("ring_n")

    @property
    def merged_prints(self) -> int:
        """Merged prints begun so far."""
        return self._one("merged_n")

    # -- sums -----------------------------------------------------------------------------------

    def volume(self, lo_tick: int, hi_tick: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Give (bought, sold, unknown side) lots of the session for every tick of a range."""
        n = max(hi_tick - lo_tick, 0)
        out = np.zeros((n, 3), np.int64)
        pages = self._memory.tables["page"]
        there = pages[(pages["at"] != 0) & (pages["page"] >= lo_tick // PAGE) & (pages["page"] * PAGE < hi_tick)]
        cells = self._memory.tables["cell"]["lots"].reshape(-1, 3)
        for page, at in there.tolist():
            first, end = max(lo_tick, page * PAGE), min(hi_tick, (page + 1) * PAGE)
            start = (at - 1) * PAGE - page * PAGE
            out[first - lo_tick : end - lo_tick] = cells[start + first : start + end]
        return out[:, 2], out[:, 0], out[:, 1]

    def recent(self, from_ns: int, lo_tick: int, hi_tick: int) -> tuple[NDArray[Any], NDArray[Any], int]:
        """Give (bought, sold) lots of the flow received at `from_ns` or later for every tick of a range.

        The third value is the receive time from which that is complete: later than `from_ns` where older prints
        are no longer kept.
        """
        flow, count = self._memory.tables["flow"], self._one("prints")
        low = max(0, count - len(flow))
        covered = from_ns
        if low and int(flow["recv_ns"][low & (len(flow) - 1)]) >= from_ns:
            covered = int(flow["recv_ns"][low & (len(flow) - 1)]) + 1
        if from_ns > self._one("meter_ns") - METERS[-1] * 10**9:
            low = max(low, int(self._memory.state["meter_head"][0][-1]))
        rows = flow[np.arange(low, count) & (len(flow) - 1)]
        rows = rows[(rows["recv_ns"] >= from_ns) & (rows["tick"] >= lo_tick) & (rows["tick"] < hi_tick)]
        sides = []
        for side in (1, -1):
            out = np.zeros(max(hi_tick - lo_tick, 0), np.int64)
            of_side = rows[rows["side"] == side]
            np.add.at(out, of_side["tick"] - lo_tick, of_side["lots"])
            sides.append(out)
        return sides[0], sides[1], covered

    def meter(self, seconds: int) -> Meter:
        """Give the flow of the newest 5, 15 or 60 seconds, as of the newest print or CLOCK row."""
        if seconds not in METERS:
            raise ValueError(f"meters are {METERS} seconds long, not {seconds}")
        row, n = self._memory.state[0], METERS.index(seconds)
        left = row["meter_left"][n].copy()
        # What has left since the kernels last looked: a few rows from the meter's head on.
        flow, head, count = self._memory.tables["flow"], int(row["meter_head"][n]), self._one("prints")
        edge = max(int(row["meter_ns"]), self._one("flow_ns")) - seconds * 10**9
        while head < count:
            rows = flow[np.arange(head, min(count, head + 256)) & (len(flow) - 1)]
            late = np.flatnonzero(rows["recv_ns"] > edge)
            gone = rows[: late[0]] if len(late) else rows
            np.add.at(left, gone["side"] + 1, gone["lots"])
            left[3] += gone["count"].sum()
            head += len(gone)
            if len(late):
                break
        sell, unknown, buy, prints = (row["flow_lots"] - left).tolist()
        return Meter(buy, sell, prints, unknown)

    @property
    def pace(self) -> Pace:
        """How fast prints come, against how fast they usually come."""
        prints, mean = self.meter(15).prints, self._one("pace_mean")
        return Pace(prints / 15, prints * 65536 / mean if mean > 0 else None)

    @property
    def totals(self) -> Totals:
        """Volume, its sides and the number of prints of the session's flow."""
        sell, unknown, buy, trades = self._memory.state["flow_lots"][0].tolist()
        return Totals(sell + unknown + buy, buy, sell, unknown, trades, buy - sell)

    @property
    def big_lots(self) -> int | None:
        """Lots from which a merged print is big now, None before enough were seen."""
        return self._one("big_lots") or None

    # -- prices and times -----------------------------------------------------------------------

    def price(self, name: str) -> tuple[int, int] | None:
        """Give `open`, `high`, `low` or `close` as (tick, exact fine price or NONE); None before any print."""
        if not self._one("prints"):
            return None
        tick, frac = self._one(name), self._one(f"{name}_frac")
        return tick, NONE if frac == 0 else tick * self._instrument.price.fine + frac

    def _tick(self, name: str) -> int | None:
        return self._one(name) if self._one("prints") else None

    @property
    def open(self) -> int | None:
        """Tick of the session's first print, None before it."""
        return self._tick("open")

    @property
    def high(self) -> int | None:
        """Highest tick printed."""
        return self._tick("high")

    @property
    def low(self) -> int | None:
        """Lowest tick printed."""
        return self._tick("low")

    @property
    def close(self) -> int | None:
        """Tick of the newest print."""
        return self._tick("close")

    @property
    def lean(self) -> int:
        """Sign of the newest price change among prints."""
        return self._one("lean")

    @property
    def first_ns(self) -> int:
        """Receive time of the session's first print, NONE before it."""
        return self._one("first_ns")

    @property
    def last_ns(self) -> int:
        """Receive time of the newest print, NONE before any."""
        return self._one("last_ns")

    # -- bars -----------------------------------------------------------------------------------

    def bars(self, n: int, seconds: int = 1) -> NDArray[Any]:
        """Give the newest `n` bars of 1 or 60 seconds as BAR rows, newest last; spans without a print have none."""
        if seconds not in (1, 60):
            raise ValueError(f"bars are 1 or 60 seconds long, not {seconds}")
        which = 0 if seconds == 1 else 1
        first, room = (0, SECOND_BARS) if which == 0 else (SECOND_BARS, MINUTE_BARS)
        count = int(self._memory.state["bar_n"][0][which])
        places = np.arange(max(0, count - min(n, room)), count)
        return self._memory.tables["bar"][first + (places & (room - 1))]


def _place(seqs: NDArray[Any], room: int, low: int, high: int, seq: int) -> int:
    """Give the first place in [low, high) of a ring ordered by seq whose seq is at least `seq`."""
    while low < high:
        middle = (low + high) // 2
        if int(seqs[middle & (room - 1)]) < seq:
            low = middle + 1
        else:
            high = middle
    return low

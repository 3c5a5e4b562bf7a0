"""What moves together: mids of all instruments on a screen, and how much of its size each may still have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from feeds.events import S_LIVE
from tapeview.desk.commands import Scale
from tapeview.desk.limits import Limits
from tapeview.desk.portfolio import Portfolio

if TYPE_CHECKING:
    from tapeview.trading.lane import Trading

_MOST: Final = 16
"""Instruments followed at a time; those beyond are not weighed."""
_SAMPLE_NS: Final = 1_000_000_000
_STEP: Final = 20
"""Shares are told in twentieths, rounded down, so that not every breath of an estimate is a command."""


class Together:
    """Samples mids once a second of market time and says by how much sizes shrink."""

    def __init__(self, limits: Limits) -> None:
        self._portfolio = Portfolio(_MOST, limits)
        self._places: dict[tuple[int, int], int] = {}
        """(lane, instrument) -> its place in the portfolio; a place is given once."""
        self._lanes: dict[int, Trading] = {}
        self._seen: dict[int, int] = {}
        self._told: dict[tuple[int, int], float] = {}
        self._sampled_ns: int | None = None

    def join(self, lane: Trading) -> None:
        """Follow a lane's instruments."""
        self._lanes[id(lane)] = lane
        for inst in range(len(lane.session.instruments)):
            if len(self._places) < _MOST:
                self._places[id(lane), inst] = len(self._places)

    def part(self, lane: Trading) -> None:
        """Follow them no longer."""
        self._lanes.pop(id(lane), None)

    @property
    def alone(self) -> bool:
        """Whether there is nothing to compare."""
        return sum(len(lane.session.instruments) for lane in self._lanes.values()) < 2

    def sample(self, market_ns: int) -> None:
        """Take the newest mids, where a second has passed; the caller sees to it that no session moves meanwhile."""
        if self.alone or (self._sampled_ns is not None and 0 <= market_ns - self._sampled_ns < _SAMPLE_NS):
            return
        self._sampled_ns = market_ns
        for (key, inst), place in self._places.items():
            lane = self._lanes.get(key)
            if lane is not None:
                self._take(lane, inst, place, market_ns)

    def _take(self, lane: Trading, inst: int, place: int, market_ns: int) -> None:
        book = lane.session.engines[inst].book
        bid, ask = book.best_bid, book.best_ask
        if book.state != S_LIVE or bid is None or ask is None:
            self._portfolio.mid(place, market_ns, math.nan, is_open=False)
        elif self._seen.get(place) != book.last_update_ns:
            self._seen[place] = book.last_update_ns
            self._portfolio.mid(place, market_ns, lane.session.instruments[inst].price.value((bid + ask) / 2))

    def weigh(self, budget: float, single: float) -> list[tuple[Trading, Scale]]:
        """The shares of usual size that have changed, each for its lane.

        A flat instrument is weighed as if it had a position of full size on the side of those that are open.
        """
        if self.alone or self._sampled_ns is None:
            return []
        risks = [0.0] * _MOST
        for (key, inst), place in self._places.items():
            lane = self._lanes.get(key)
            risks[place] = lane.at_risk(inst, single) if lane is not None else 0.0
        out = []
        for (key, inst), place in self._places.items():
            lane = self._lanes.get(key)
            if lane is None or lane.run is None:
                self._told.pop((key, inst), None)
                continue
            others = sum(risks) - risks[place]
            share, why = 1.0, ""
            if others:
                asked = list(risks)
                asked[place] = asked[place] or math.copysign(single, others)
                share, why = self._share(asked, place, budget, single)
            if share != self._told.get((key, inst), 1.0):
                self._told[key, inst] = share
                out.append((lane, Scale(inst=inst, share=share, why=why)))
        return out

    def _share(self, risks: Sequence[float], place: int, budget: float, single: float) -> tuple[float, str]:
        assert self._sampled_ns is not None
        weighed = self._portfolio.weigh(self._sampled_ns, risks, budget, single)
        share = max(1, math.floor(weighed.keep[place] * _STEP + 1e-9)) / _STEP
        tied = [pair for pair in weighed.extreme if place in pair and all(risks[one] for one in pair)]
        if not tied:
            return share, "" if share == 1 else "all open positions together risk more than the day may lose"
        names = {at: self._lanes[key].session.instruments[inst].symbol
                 for (key, inst), at in self._places.items() if key in self._lanes}  # fmt: skip
        return share, "moves together with " + ", ".join(names[a if b == place else b] for a, b in tied)

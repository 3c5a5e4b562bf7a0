"""What a session tells: its phases, and what happens once on top of the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from feeds.events import ASK, BID
from feeds.simulator.draws import Draws
from feeds.simulator.profiles import Phase, Plan

if TYPE_CHECKING:
    from feeds.simulator.flow import Flow

ICEBERG_LIFE_NS: Final = 90_000_000_000
"""Mean time after which the rest of an iceberg is taken back."""
_SECOND_NS: Final = 1_000_000_000


class Forced(NamedTuple):
    """A position that was closed by force."""

    exch_ns: int
    side: int
    """Side of the order that closed it: BUY closed a short position."""
    tick: int
    """Price of its last trade."""
    lots: int


class Story:
    """The profile's opening phases in order, then phases drawn from the profile's, each in either direction.

    Whatever a phase plans goes on the flow's agenda; the story has draws of its own, so that a change to
    it leaves the makers' and takers' draws as they are.
    """

    def __init__(self, flow: Flow, seed: int) -> None:
        self._flow = flow
        self._profile = flow.profile
        self._word = Draws(seed, 3).word
        self._phase = Phase(seconds=0)
        self._ends_ns = flow.profile.start_ns
        self._count = 0
        self.forced: list[Forced] = []
        """Liquidations since the owner last took them."""

    def begin(self) -> None:
        """Put what happens in every session on the agenda."""
        if self._profile.iceberg_ns:
            self._flow.after(self._word(), self._profile.iceberg_ns, self._background_iceberg)

    def phase_at(self, now_ns: int) -> Phase:
        """Give the phase of a time, which never goes back; a new phase's plans go on the agenda."""
        while now_ns >= self._ends_ns:
            self._phase = self._next_phase()
            for plan in self._phase.plans:
                self._flow.at(self._ends_ns + plan.after_s * _SECOND_NS, self._carry_out, plan)
            self._ends_ns += self._phase.seconds * _SECOND_NS
        return self._phase

    def _next_phase(self) -> Phase:
        opening, drawn = self._profile.opening, self._profile.phases
        self._count += 1
        if self._count <= len(opening):
            return opening[self._count - 1]
        word = self._word()
        phase = drawn[(word & 0xFFFF) * len(drawn) >> 16]
        return msgspec.structs.replace(phase, drift=-phase.drift) if word >> 16 & 1 else phase

    def _carry_out(self, plan: Plan) -> None:
        if plan.what == "iceberg":
            self._iceberg(plan.side, plan.ticks, plan.lots, plan.peak)
            return
        done = self._flow.hit(plan.side, plan.lots, plan.ticks)
        if plan.what == "liquidation" and done:
            market = self._flow.market
            self.forced.append(Forced(market.now_ns, plan.side, market.last_tick, done))

    def _iceberg(self, side: int, behind: int, lots: int, peak: int) -> None:
        market = self._flow.market
        best = (market.bids if side == BID else market.asks).best
        tick = (best if best is not None else self._flow.opposite(side) - side) - side * behind
        order_id = market.limit(side, tick, lots, peak)
        self._flow.after(self._word(), ICEBERG_LIFE_NS, self._retire, order_id)

    def _retire(self, order_id: int) -> None:
        self._flow.market.cancel(order_id)

    def _background_iceberg(self) -> None:
        word = self._word()
        side = BID if word & 1 else ASK
        peak = 5 + (word >> 1 & 15)
        self._iceberg(side, word >> 5 & 3, peak * (8 + (word >> 8 & 15)), peak)
        self._flow.after(self._word(), self._profile.iceberg_ns * 1024 // self._flow.pace, self._background_iceberg)

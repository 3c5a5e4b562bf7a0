"""The owner of a simulated market's state: fills it from a profile and a plan, runs it, takes rows and notes."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import ADD, CLEAR, LAST, NONE, S_AUCTION, S_HALTED, S_LIVE, SNAPSHOT, STATUS, Events, empty
from feeds.simulator._jit import call
from feeds.simulator.draws import Draws, exponential, pareto, places, poisson, rate, sizes
from feeds.simulator.drive import (
    C_CALL,
    C_CANCEL,
    C_HALT,
    C_LIMIT,
    C_REPLACE,
    C_STOP,
    C_TAKE,
    C_UNCROSS,
    begin,
    command,
    run,
)
from feeds.simulator.flow import BRANCHING, DAY_SHAPE, MOST_CHILDREN, PARENT_POWER, WARM_NS
from feeds.simulator.markets import FREE
from feeds.simulator.plants import Note, Planned
from feeds.simulator.profiles import LEAVING, Profile
from feeds.simulator.state import (
    A_PLANT,
    LEVELS,
    MAKERS,
    NO_ASK,
    NO_BID,
    PLANT_VALUES,
    PLANTS,
    UNIT,
    State,
    fresh,
    seed_streams,
)

TROUBLES: Final = ("", "rows", "notes", "executions of one command", "orders or prices", "stops", "agenda")
"""What ran out, by the value of `trouble`."""
_NOTE: Final = np.dtype(
    [("plant", "<i8"), ("what", "<i8"), ("ns", "<i8"), ("tick", "<i8"), ("lots", "<i8"), ("more", "<i8")]
)
TOP: Final = np.dtype([("bid", "<i8"), ("ask", "<i8"), ("bid_lots", "<i8"), ("ask_lots", "<i8")])
"""The inside of the displayed book; NO_BID and NO_ASK where a side is empty."""
FIRST_ORDER: Final = 1_000_001
FIRST_TRADE: Final = 500_001


class Resting(NamedTuple):
    """A resting order as its owner sees it."""

    slot: int
    id: int


class Exchange:
    """The exchange by itself: give it commands, take its rows."""

    def __init__(self, price: int = 0) -> None:
        self.state: State = fresh()
        self._s: Any = self.state[0]
        self._s["origin"] = price - LEVELS // 2
        self._s["price"] = self._s["last_tick"] = self._s["high"] = self._s["low"] = price
        self.start_ns = 0
        self.tops: NDArray[Any] = np.zeros(0, TOP)
        """Best displayed prices and their lots after each message of the rows taken last."""

    def limit(self, side: int, tick: int, lots: int, peak: int = 0, *, hidden: bool = False) -> Resting | None:
        """Place a limit order; give where it rests, None where it does not."""
        slot = self._do(C_LIMIT, side, tick, lots, peak, int(hidden))
        return Resting(slot, int(self._s["o_id"][slot])) if slot >= 0 else None

    def take(self, side: int, lots: int, worst: int | None = None) -> int:
        """Buy or sell at the market, no worse than `worst`; give the lots that traded."""
        return self._do(C_TAKE, side, lots, (NO_ASK if side > 0 else NO_BID) if worst is None else worst)

    def cancel(self, order: Resting) -> bool:
        """Take back an order; give whether it still rested."""
        return bool(self._do(C_CANCEL, order.slot, order.id))

    def replace(self, order: Resting, tick: int, lots: int) -> Resting | None:
        """Change an order's price or open lots; give where it rests now, None where it does not."""
        if int(self._s["o_id"][order.slot]) != order.id:
            return None
        slot = self._do(C_REPLACE, order.slot, tick, lots)
        return Resting(slot, order.id) if slot >= 0 else None

    def stop(self, side: int, trigger: int, lots: int, worst: int | None = None) -> int:
        """Leave a stop, or with `worst` a stop-limit; give its id."""
        at_market = NO_ASK if side > 0 else NO_BID
        return self._do(C_STOP, side, trigger, at_market if worst is None else worst, lots)

    def halt(self) -> None:
        """Stop trading."""
        self._do(C_HALT)

    def begin_call(self) -> None:
        """Gather orders for an auction."""
        self._do(C_CALL)

    def uncross(self) -> int:
        """Hold the auction and open; give the lots it traded."""
        return self._do(C_UNCROSS)

    def _do(self, what: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0) -> int:
        given = int(call(command, self.state, what, a, b, c, d, e))
        self.check()
        return given

    def check(self) -> None:
        """Raise where the market ran out of room."""
        trouble = int(self._s["trouble"])
        if trouble:
            raise BadInput("simulator", TROUBLES[trouble], "a market that stays within its room")

    def lots_at(self, side: int, tick: int) -> int:
        """Displayed lots at a price."""
        return int(self._s["lv_lots"][(1 - side >> 1) * LEVELS + tick - int(self._s["origin"])])

    def best(self, side: int, *, shown: bool = False) -> int | None:
        """Best price of a side, hidden orders included unless `shown`; None where nobody is there."""
        tick = int(self._s["shown" if shown else "best"][1 - side >> 1])
        return None if tick in (NO_BID, NO_ASK) else tick

    def counts(self) -> dict[str, int]:
        """Lots ever accepted, executed and taken back, and those that rest, all with reserves and hidden ones."""
        s = self._s
        used = np.flatnonzero(s["o_id"])
        names = ("added", "filled", "cancelled", "hidden_filled")
        return {name: int(s[name]) for name in names} | {
            "resting": int((s["o_lots"][used] + s["o_reserve"][used]).sum())
        }

    def queues(self) -> dict[tuple[int, int], list[tuple[int, int]]]:
        """Displayed orders as (id, lots) in order of priority, by (side, tick)."""
        s = self._s
        out: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for at in np.flatnonzero(s["lv_head"] >= 0).tolist():
            b, offset = divmod(at, LEVELS)
            queue = out[1 - 2 * b, offset + int(s["origin"])] = []
            slot = int(s["lv_head"][at])
            while slot >= 0:
                queue.append((int(s["o_id"][slot]), int(s["o_lots"][slot])))
                slot = int(s["o_next"][slot])
        return out

    def take_rows(self) -> Events:
        """Give the rows since the last call, receive times equal to the exchange's."""
        s = self._s
        n = int(s["out_n"])
        rows = empty(n)
        for name in ("tick", "lots", "ref", "aux", "kind", "side", "marks"):
            rows[name] = s[f"out_{name}"][:n]
        rows["exch_ns"] = s["out_ns"][:n] + self.start_ns
        rows["recv_ns"] = rows["exch_ns"]
        ends = np.flatnonzero(rows["marks"] & LAST)
        self.tops = np.zeros(len(ends), TOP)
        for name in TOP.names or ():
            self.tops[name] = s[f"top_{name}"][ends]
        s["out_n"] = s["started"] = 0
        return rows

    def snapshot(self) -> Events:
        """The whole displayed book as one message: CLEAR, every order in queue order, the phase."""
        s = self._s
        parts = []
        for (side, tick), queue in sorted(
            self.queues().items(), key=lambda item: (-item[0][0], -item[0][1] * item[0][0])
        ):
            rows = empty(len(queue))
            rows["ref"], rows["lots"] = [order[0] for order in queue], [order[1] for order in queue]
            rows["tick"], rows["side"], rows["kind"], rows["aux"] = tick, side, ADD, int(s["messages"])
            parts.append(rows)
        first, last = empty(1), empty(1)
        first["kind"], first["ref"] = CLEAR, NONE
        last["kind"], last["aux"], last["ref"] = STATUS, (S_LIVE, S_AUCTION, S_HALTED)[int(s["phase"])], s["messages"]
        out = np.concatenate([first, *parts, last])
        out["marks"] = SNAPSHOT
        out["marks"][-1] |= LAST
        out["exch_ns"] = out["recv_ns"] = self.start_ns + int(s["now"])
        return out


class Market(Exchange):
    """A market with everybody in it."""

    def __init__(self, profile: Profile, seed: int, planned: Sequence[Planned], *, negatives: bool) -> None:
        super().__init__(profile.price)
        if len(planned) > PLANTS:
            raise BadInput("simulator: plants", len(planned), f"at most {PLANTS} in a session")
        self.profile = profile
        self.start_ns = profile.start_ns
        self.planned = tuple(planned)
        self._notes: list[NDArray[Any]] = []
        _fill(self._s, profile, seed, negatives)
        seed_streams(self.state, seed, [plant.draws for plant in self.planned])
        self._s["now"] = -WARM_NS
        call(begin, self.state, max(400, profile.reach))
        for p, plant in enumerate(self.planned):
            self._plant(p, plant)
        for _ in self.run(0):
            pass
        self._notes.clear()
        self._s["now"] = 0
        self._s["vw_lots"] = self._s["vw_sum"] = self._s["vw_square"] = 0
        middle = (int(self._s["shown"][0]) + int(self._s["shown"][1])) // 2
        if profile.name not in FREE:
            self._s["value"] = middle * UNIT + UNIT // 2
        self._s["high"] = self._s["low"] = int(self._s["last_tick"])

    def run(self, until_ns: int) -> Any:
        """Play until a time after the start; give rows as often as there are too many to keep."""
        while True:
            code = int(call(run, self.state, until_ns))
            self._keep_notes()
            self.check()
            yield self.take_rows()
            if code == 0:
                return

    def notes(self, plant: int) -> list[Note]:
        """What was written down of a plant; negatives have -1 - their kind."""
        whole = np.concatenate(self._notes) if self._notes else np.zeros(0, _NOTE)
        mine = whole[whole["plant"] == plant]
        return [Note(*row) for row in mine[["what", "ns", "tick", "lots", "more"]].tolist()]

    def _keep_notes(self) -> None:
        s = self._s
        n = int(s["notes_n"])
        if n:
            kept = np.zeros(n, _NOTE)
            for name in _NOTE.names or ():
                kept[name] = s[f"note_{name}"][:n]
            self._notes.append(kept)
            s["notes_n"] = 0

    def _plant(self, p: int, plant: Planned) -> None:
        s = self._s
        s["p_kind"][p], s["p_side"][p] = plant.code, plant.side
        s["p_values"][p * PLANT_VALUES : p * PLANT_VALUES + len(plant.values)] = plant.values
        _put(s, plant.start_ns, A_PLANT, p)


def _put(s: Any, when_ns: int, kind: int, a: int) -> None:
    """An agenda entry from outside, after everything the background entered at the same time."""
    n, waiting = int(s["heap_n"]), int(s["waiting_n"]) - 1
    item = int(s["ag_free"][waiting])
    s["waiting_n"] = waiting
    s["entries"] += 1
    s["ag_ns"][item], s["ag_entry"][item], s["ag_kind"][item] = when_ns // 1000 * 1000, s["entries"], kind
    s["ag_a"][item] = a
    s["heap"][n] = item
    s["heap_n"] = n + 1
    heap, ns, entry = s["heap"], s["ag_ns"], s["ag_entry"]
    while n:
        up = n - 1 >> 1
        one, other = int(heap[n]), int(heap[up])
        if (int(ns[one]), int(entry[one])) >= (int(ns[other]), int(entry[other])):
            break
        heap[n], heap[up] = other, one
        n = up


def _fill(s: Any, profile: Profile, seed: int, negatives: bool) -> None:
    free = profile.name in FREE
    s["next_order"], s["next_trade"] = FIRST_ORDER, FIRST_TRADE
    s["value"], s["mood"], s["pace"] = profile.price * UNIT, 1024, 1024
    s["next_maker"], s["mean_ns"] = -WARM_NS + 1000, 1000
    for name in (
        "beat_ns", "jumps", "pull", "impact", "speed", "patience", "reach", "near", "flee", "chase", "noise_ns",
        "parent_ns", "block_ns", "decay_ns",
    ):  # fmt: skip
        s[name] = getattr(profile, name)
    s["block_least"], s["block_most"] = profile.block
    s["opens_ns"] = profile.opens_s * 1_000_000_000
    s["free_depth"], s["negatives"], s["calm"], s["rush"] = int(free), int(negatives), 100, 100
    s["sigma"] = profile.sigma * isqrt(UNIT * UNIT * profile.beat_ns * profile.jumps // 60_000_000_000)
    s["arriving"] = 2 * rate(profile.head, *profile.tail, profile.reach) * profile.speed // 100
    s["t_wait"][:] = exponential()
    s["t_places"][:] = places(profile.head, *profile.tail, profile.reach)
    s["t_small"][:], s["t_large"][:] = sizes(*profile.small), sizes(*profile.large)
    s["t_taken"][:] = sizes(*profile.taken)
    s["t_children"][:] = pareto(PARENT_POWER, MOST_CHILDREN)
    s["t_followers"][:] = poisson(BRANCHING)
    s["t_refills"][:], s["t_flights"][:] = poisson(profile.refills), poisson(profile.flights)
    s["depth"][: len(profile.depth)], s["depth_n"] = profile.depth, len(profile.depth)
    s["leaving"][: len(LEAVING)], s["leaving_n"] = [x * 65_536 // max(LEAVING) for x in LEAVING], len(LEAVING)
    s["touch_least"], s["touch_most"] = profile.touch
    s["rounds_n"] = len(profile.rounds)
    for at, (step, more) in enumerate(profile.rounds):
        s["round_step"][at], s["round_more"][at] = step, more
    s["day"][: len(DAY_SHAPE)] = DAY_SHAPE
    word = Draws(seed, 0x60).word
    if negatives:
        s["makers_n"] = min(3, MAKERS)
        base = max(2, profile.depth[0] // 5)
        for m in range(3):
            s["mk_lots"][m] = base // 2 + ((word() >> 32) * (base + 1) >> 32) + m
            s["mk_delay"][m] = (5, 20, 60, 150, 300)[(word() >> 32) * 5 >> 32] * 1_000_000

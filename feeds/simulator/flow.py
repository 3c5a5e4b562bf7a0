"""Who trades in the simulated market: makers who come and leave, takers who follow each other, parents, icebergs.

Everything is an integer: times in ns, the fair value in ticks / 2**20, rates and chances in fixed point, so that
a seed gives the same session on every machine. What happens next is either the next arrival of makers (a
Poisson stream whose rate is set anew every beat) or the next entry of the agenda, whichever is earlier.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import isqrt
from typing import Any, Final

from feeds.events import ASK, BID, Events
from feeds.simulator.draws import UNIT, Draws, exponential, mixed, pareto, places, poisson, rate, sizes, wait
from feeds.simulator.exchange import Exchange, Half
from feeds.simulator.profiles import LEAVING, Profile
from feeds.simulator.story import Story

BRANCHING: Final = "0.65"
"""Followers of a taker on average (Hawkes branching ratio)."""
SAME_SIDE: Final = 3482
"""Of 4,096 followers so many take the same side."""
PARENT_POWER: Final = "1.5"
"""Tail of the number of takers in a parent order: signs with a long memory (Lillo, Mike and Farmer 2005)."""
MOST_CHILDREN: Final = 300
CHILD_GAPS_NS: Final = (150_000_000, 400_000_000, 1_200_000_000, 3_000_000_000)
"""Mean time between a parent's takers; each parent has one of these."""
WARM_NS: Final = 30_000_000_000
"""Market time played before the first row, so that queues have an age."""
DAY_SHAPE: Final = (150, 125, 112, 104, 98, 94, 90, 88, 87, 88, 92, 100, 116, 140)
"""Percent of the average pace by half hour from the open, the U of a stock-index day; the last one holds."""
FLEETING_NS: Final = 350_000_000
"""Mean life of the quarter of orders near the touch that only flicker."""
_HALF_HOUR_NS: Final = 1_800_000_000_000
_NORMAL: Final = 37_837
"""Standard deviation of the sum of four 16-bit words."""
FULL: Final = 1024
"""One, of paces; and the lean at which everybody sees the price is wrong."""

Action = Callable[..., None]


class Flow:
    """A market with everybody in it: `run` moves its time on, `give` has the rows."""

    def __init__(self, profile: Profile, seed: int) -> None:
        self.profile = profile
        self.market = Exchange(first_order=1_000_001, first_trade=500_001)
        self.value = profile.price * UNIT
        """Fair value in ticks / 2**20."""
        self._quotes, self._takers = Draws(seed, 0).word, Draws(seed, 1).word
        self._steps = Draws(seed, 2).word
        self._agenda: list[tuple[int, int, Action, tuple[Any, ...]]] = []
        self._entries = 0
        self._roster: list[int] = []
        self._character: dict[int, int] = {}
        self._trail: dict[int, list[int]] = {BID: [], ASK: []}
        self._touch: dict[int, int | None] = {BID: None, ASK: None}
        self._places = places(profile.head, *profile.tail, profile.reach)
        self._arriving = 2 * rate(profile.head, *profile.tail, profile.reach) * profile.speed // 100
        self._small, self._large, self._taken = sizes(*profile.small), sizes(*profile.large), sizes(*profile.taken)
        self._leaving = tuple(x * 65_536 // max(LEAVING) for x in LEAVING)
        self._children = pareto(PARENT_POWER, MOST_CHILDREN)
        self._followers, self._refills = poisson(BRANCHING), poisson(profile.refills)
        self._flights = poisson(profile.flights)
        exponential()
        self._sigma = profile.sigma * isqrt(UNIT * UNIT * profile.beat_ns * profile.jumps // 60_000_000_000)
        """Standard deviation of one move of the fair value."""
        self.story = Story(self, seed)
        self._mood = FULL
        self.pace = FULL
        """Factor of all rates now, in 1,024ths."""
        self._adding = 0
        self._mean_ns = self._next_ns = 1
        self._warm()

    def run(self, until_ns: int) -> None:
        """Play everything that happens before a time; how a session is cut into runs changes nothing."""
        agenda, word, market = self._agenda, self._quotes, self.market
        while True:
            due = agenda[0][0]
            if due <= self._next_ns:
                if due >= until_ns:
                    return
                _, _, act, what = heappop(agenda)
                market.now_ns = due
                act(*what)
                continue
            if self._next_ns >= until_ns:
                return
            market.now_ns = self._next_ns
            choice = word()
            if choice & 0xFFFF < self._adding:
                self._add(choice >> 16)
            else:
                self._leave(choice >> 16)
            self._next_ns += 1000 + wait(word(), self._mean_ns) // 1000 * 1000

    def give(self) -> Events:
        """Give the rows since the last call."""
        return self.market.give()

    def at(self, when_ns: int, act: Action, *what: Any) -> None:
        """Put something on the agenda; times are whole microseconds."""
        self._entries += 1
        heappush(self._agenda, (when_ns // 1000 * 1000, self._entries, act, what))

    def after(self, word: int, mean_ns: int, act: Action, *what: Any) -> None:
        """Put something on the agenda after an exponential wait."""
        self.at(self.market.now_ns + 1000 + wait(word, mean_ns), act, *what)

    def lean(self) -> int:
        """How far the fair value lies above (+) or below (-) the mid price: -1024 to 1024, where all see it."""
        bid, ask = self.market.bids.best, self.market.asks.best
        if bid is None or ask is None:
            return 0
        lean = (2 * self.value - (bid + ask) * UNIT) * FULL // (2 * self.profile.pull * UNIT)
        return max(-FULL, min(FULL, lean))

    def _warm(self) -> None:
        profile, market = self.profile, self.market
        market.now_ns = self._next_ns = profile.start_ns - WARM_NS
        for side in (BID, ASK):
            for _ in range(max(400, profile.reach)):
                draw = self._quotes()
                i = self._places[draw & 4095]
                tick = profile.price + (0 if side == BID else 1) - side * (i - 1)
                if self._room(side, tick, i) > draw >> 48:
                    self._rest(side, tick, i, draw >> 12)
        self.at(market.now_ns, self._beat)
        self.after(self._takers(), profile.noise_ns, self._noise)
        self.after(self._takers(), profile.parent_ns, self._parent)
        self.after(self._takers(), profile.block_ns, self._block)
        self.story.begin()
        self.run(profile.start_ns)
        self.value = profile.price * UNIT + (self.value - profile.price * UNIT) // 4
        market.now_ns = profile.start_ns
        market.give()

    # -- the beat: fair value, pace, and what makers do about a price that is wrong ---------------

    def _beat(self) -> None:
        profile, now = self.profile, self.market.now_ns
        phase, word = self.story.phase_at(now), self._steps()
        step = 0
        if profile.jumps == 1 or self._steps() % profile.jumps == 0:
            step = phase.drift * UNIT * profile.beat_ns * profile.jumps // 60_000_000_000
            normal = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48) - 131_070
            step += self._sigma * phase.sigma * normal // (100 * _NORMAL)
        self.value += step
        self._mood += ((FULL - self._mood) * profile.beat_ns >> 34) + ((word >> 7 & 63) - (word >> 13 & 63) >> 2)
        self._mood = max(620, min(1650, self._mood))
        half_hours = (now - profile.start_ns + profile.opens_s * 1_000_000_000) // _HALF_HOUR_NS
        shape = DAY_SHAPE[max(0, min(half_hours, len(DAY_SHAPE) - 1))]
        self.pace = max(64, self._mood * phase.pace * shape // 10_000)
        arriving = self._arriving * self.pace // FULL
        leaving = len(self.market.orders) * max(LEAVING) * profile.speed * self.pace // (100 * profile.patience * FULL)
        self._adding = (arriving << 16) // (arriving + leaving)
        self._mean_ns = 1_000_000_000_000 // (arriving + leaving)
        lean = self.lean()
        if lean:
            self._flee(lean)
            self._correct(lean)
        for side in (BID, ASK):
            self._follow_touch(side)
        self.at(now + profile.beat_ns, self._beat)

    def _flee(self, lean: int) -> None:
        """Orders at prices that are about to be wrong leave, the last in each queue first."""
        half = self.market.asks if lean > 0 else self.market.bids
        chance = abs(lean) ** 3 * self.profile.flee * 65_536 // (FULL**3 * 1000)
        if half.best is None or chance < 64:
            return
        toward = -half.side
        ticks = max(1, min(4 * self.profile.pull, (self.value // UNIT - half.best) * toward))
        word, bits = 0, 0
        for tick in range(half.best, half.best + toward * ticks, toward):
            level = half.levels.get(tick)
            for order_id in reversed(list(level.queue)) if level is not None else ():
                if not bits:
                    word, bits = self._quotes(), 4
                if word & 0xFFFF < chance:
                    self.after(self._quotes(), self.profile.beat_ns // 2, self._withdraw, order_id)
                word >>= 16
                bits -= 1

    def _correct(self, lean: int) -> None:
        """Takers who see it too take what is mispriced, up to the fair value."""
        word = self._takers()
        if abs(lean) < 400 or (word & 0xFFFF) * FULL > abs(lean) * 6_000:
            return
        side = BID if lean > 0 else ASK
        half = self.market.asks if side == BID else self.market.bids
        fair = self.value // UNIT
        reach = max(0, (fair - half.best) * side) if half.best is not None else 0
        lots = self._taken[word >> 16 & 4095]
        if half.best is not None:
            lots += half.levels[half.best].lots * (word >> 28 & 127) >> 8
        self.hit(side, lots, min(reach, 2 * self.profile.pull))

    def _follow_touch(self, side: int) -> None:
        """After the price has moved on, makers left behind move up to the new touch or leave."""
        half = self.market.bids if side == BID else self.market.asks
        best, old, trail = half.best, self._touch[side], self._trail[side]
        if best is not None and old is not None and (best - old) * side > 0 and old not in trail:
            trail.append(old)
            del trail[:-6]
        self._touch[side] = best
        if best is None:
            return
        for tick in trail[:]:
            level = half.levels.get(tick)
            behind = (best - tick) * side
            if level is None or behind <= 0 or level.lots <= self._target(tick, behind + 1):
                trail.remove(tick)
                continue
            leaving = len(level.queue) * self.profile.chase // 100
            for order_id in list(level.queue)[-leaving:] if leaving else []:
                word = self._quotes()
                order = self.market.orders[order_id]
                if order.peak or word & 3 == 0:
                    continue
                if word & 12 and half.levels[best].lots < self._target(best, 1):
                    self.market.replace(order_id, best, order.lots)
                else:
                    self.market.cancel(order_id)

    # -- makers ----------------------------------------------------------------------------------

    def _add(self, draw: int) -> None:
        lean = self.lean()
        side = BID if (draw & 0xFFF) < 2048 + (lean >> 3) else ASK
        i = self._places[draw >> 12 & 4095]
        tick = self.opposite(side) - side * i
        room = self._room(side, tick, i)
        if i <= self.profile.near and lean * side < 0:
            room -= room * -lean * side * 3 >> 12
        if draw >> 24 & 0xFFFF < room:
            self._rest(side, tick, i, self._quotes())

    def _rest(self, side: int, tick: int, i: int, draw: int) -> None:
        depth = self.profile.depth
        if i <= self.profile.near:
            table = self._small
        else:
            table = self._large if depth[min(i, len(depth)) - 1] > depth[0] // 40 else self._taken
        order_id = self.market.limit(side, tick, table[draw & 4095])
        self._roster.append(order_id)
        if i <= self.profile.near and draw >> 12 & 3 == 0:
            self.after(draw >> 14, FLEETING_NS, self._withdraw, order_id)

    def _leave(self, draw: int) -> None:
        roster, orders = self._roster, self.market.orders
        while roster:
            at = (draw & 0xFF_FFFF) * len(roster) >> 24
            order = orders.get(roster[at])
            if order is not None:
                break
            roster[at] = roster[-1]
            roster.pop()
            draw = self._quotes() >> 16
        else:
            return
        if order.peak:
            return
        draw >>= 24
        i = (self.opposite(order.side) - order.tick) * order.side
        if i <= self.profile.reach and draw & 0xFFFF > self._leaving[min(i, len(self._leaving)) - 1]:
            return
        if draw >> 16 & 7 == 0 and order.lots > 1:
            self.market.replace(order.id, order.tick, order.lots - order.lots // 2)
        else:
            self.market.cancel(order.id)

    def _withdraw(self, order_id: int) -> None:
        order = self.market.orders.get(order_id)
        if order is not None and not order.peak:
            self.market.cancel(order_id)

    def _refill(self, side: int) -> None:
        """A maker answers a taker: at the touch, or into a spread that opened, on the side the fair value is on."""
        bid, ask = self.market.bids.best, self.market.asks.best
        draw = self._quotes()
        lean = self.lean()
        if bid is not None and ask is not None and ask - bid > 1:
            side = BID if (draw & 2047) < FULL + lean else ASK
        elif lean * side < -FULL // 2:
            return
        tick = self.opposite(side) - side
        if draw >> 12 & 0xFFFF < self._room(side, tick, 1):
            self._rest(side, tick, 1, self._quotes())

    def opposite(self, side: int) -> int:
        """Best price a side would trade against, or the fair value's where nobody is there."""
        half = self.market.asks if side == BID else self.market.bids
        return half.best if half.best is not None else self.value // UNIT + side

    def _target(self, tick: int, i: int) -> int:
        """Lots the level settles at: the profile's, more at round prices, and each level's own character."""
        depth = self.profile.depth
        base = depth[min(i, len(depth)) - 1]
        percent = self._character.get(tick)
        if percent is None:
            if len(self._character) > 100_000:
                self._character.clear()
            percent = 55 + mixed(tick) % 90
            for step, more in self.profile.rounds:
                if tick % step == 0:
                    percent = percent * more // 100
            self._character[tick] = percent
        if i == 1:
            least, most = self.profile.touch
            percent = least + mixed(tick // 8) % (most - least)
        return base * percent // 100

    def _room(self, side: int, tick: int, i: int) -> int:
        """Chance of 65,536 that an order joins: high where the level is thin, low where it is full."""
        level = (self.market.bids if side == BID else self.market.asks).levels.get(tick)
        shown = level.lots if level is not None else 0
        return max(3000, 72_000 - shown * 40_000 // self._target(tick, i))

    # -- takers ----------------------------------------------------------------------------------

    def _side(self, word: int) -> int:
        return BID if (word & 4095) < 2048 + self.lean() * 3 // 4 else ASK

    def hit(self, side: int, lots: int, reach: int = 0) -> int:
        """Take from the other side, at most `reach` ticks past its best, and wake up those who watch; give the lots."""
        market, profile = self.market, self.profile
        half: Half = market.asks if side == BID else market.bids
        best = half.best
        if best is None:
            return 0
        if reach == 0:
            lots = min(lots, half.levels[best].lots)
        done = market.take(side, lots, best + side * reach)
        self.value += side * done * profile.impact * UNIT // 1_000_000
        word = self._takers()
        for _ in range(self._followers[word & 4095]):
            follower = self._takers()
            self.after(follower >> 12, profile.decay_ns, self._follow, side if follower & 4095 < SAME_SIDE else -side)
        for _ in range(self._refills[word >> 12 & 4095]):
            self.after(self._quotes(), 60_000_000, self._refill, -side)
        if half.best == best:
            queue = half.levels[best].queue
            leaving = self._flights[word >> 24 & 4095]
            for order_id in list(queue)[-leaving:] if leaving else []:
                self.after(self._quotes(), 80_000_000, self._withdraw, order_id)
        else:
            for _ in range(4):
                self.after(self._quotes(), 12_000_000, self._refill, -side)
        return done

    def _follow(self, side: int) -> None:
        self.hit(side, self._taken[self._takers() & 4095])

    def _noise(self) -> None:
        word = self._takers()
        self.hit(self._side(word), self._taken[word >> 12 & 4095], int(word >> 24 & 15 == 0))
        self.after(self._takers(), self.profile.noise_ns * FULL // self.pace, self._noise)

    def _parent(self) -> None:
        word = self._takers()
        children = self._children[word >> 12 & 4095]
        gap = CHILD_GAPS_NS[word >> 24 & 3]
        self.after(word >> 26, gap, self._child, self._side(word), children, gap)
        self.after(self._takers(), self.profile.parent_ns * FULL // self.pace, self._parent)

    def _child(self, side: int, left: int, gap: int) -> None:
        self.hit(side, self._taken[self._takers() & 4095])
        if left > 1:
            self.after(self._takers(), gap * FULL // self.pace, self._child, side, left - 1, gap)

    def _block(self) -> None:
        word = self._takers()
        least, most = self.profile.block
        lots = least + ((most - least) * (word >> 12 & 0xFFFF) * (word >> 28 & 0xFFFF) >> 32)
        self.hit(self._side(word), lots, self.profile.pull)
        self.after(self._takers(), self.profile.block_ns * FULL // self.pace, self._block)

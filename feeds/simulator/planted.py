"""Planted sessions as a source: their address, and their rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from feeds.errors import BadInput
from feeds.events import LAST, Events
from feeds.instruments import Instrument
from feeds.simulator.faults import read_faults
from feeds.simulator.markets import MARKETS
from feeds.simulator.profiles import PROFILES
from feeds.simulator.projectors import CONFLATIONS_MS
from feeds.simulator.source import PREFIX, Order, Simulator, check_order, check_seed, read_address, refuse_options
from feeds.simulator.tape import TIERS, Tape, check_minutes, check_profile, generate, plan
from feeds.source import Checks, OpenOptions, Source, SourceInfo

BATCH_ROWS: Final = 65_536


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be simulated and planted; texts as in the address."""

    profile: str = "futures"
    seed: int = 1
    minutes: str = "30"
    plant: str = ""
    """Plants joined by '+', each with its settings after colons."""
    tier: str = "A"
    conflate: int = 100
    """Milliseconds between depth messages of tier C."""
    negatives: str = "yes"
    """Whether what only looks like a plant is there too: 'yes' or 'no'."""
    fault: str = ""
    """Faults of the feed, joined by '+'."""

    @property
    def address(self) -> str:
        """The wish as an address, without what nobody said."""
        said = [f"seed={self.seed}", f"minutes={self.minutes}", f"profile={self.profile}"]
        fresh = Wish()
        others = ("plant", "tier", "conflate", "negatives", "fault")
        said += [f"{key}={getattr(self, key)}" for key in others if getattr(self, key) != getattr(fresh, key)]
        return PREFIX + ",".join(said)

    @property
    def plants(self) -> list[str]:
        """The plants one by one."""
        return [name for name in self.plant.split("+") if name]

    @property
    def faults(self) -> list[str]:
        """The faults one by one."""
        return [name for name in self.fault.split("+") if name]

    def check(self) -> Wish:
        """Give it back, or raise BadInput for the first thing in it that cannot be had."""
        profile = check_profile(self.profile)
        length = check_minutes(self.minutes)
        if self.tier not in TIERS:
            raise BadInput("simulator: tier", self.tier, "one of " + ", ".join(TIERS))
        if self.conflate not in CONFLATIONS_MS:
            raise BadInput("simulator: conflate", self.conflate, "one of " + ", ".join(map(str, CONFLATIONS_MS)))
        if self.negatives not in ("yes", "no"):
            raise BadInput("simulator: negatives", self.negatives, "yes or no")
        plan(self.seed, length, profile.depth[0], self.plants)
        read_faults(self.faults)
        return self

    def generate(self) -> Tape:
        """Simulate it."""
        return generate(
            seed=self.seed,
            minutes=self.minutes,
            profile=self.profile,
            plants=self.plants,
            tier=self.tier,
            conflate_ms=self.conflate,
            negatives=self.negatives == "yes",
            faults=self.faults,
        )


class Planted(Source):
    """A planted session, made as a whole when its rows are first asked for."""

    def __init__(self, wish: Wish, clip: int | None = None) -> None:
        self.wish = wish
        self._clip = clip
        self._tape: Tape | None = None
        profile = MARKETS[wish.profile]
        self.instruments: tuple[Instrument, ...] = (profile.instrument,)
        self.checks = Checks()
        self.info = SourceInfo(
            address=wish.address,
            format="simulator",
            venue=profile.instrument.venue,
            tier=wish.tier,
            verification="counter" if wish.tier == "A" and not wish.faults else "unverifiable",
            bytes=0,
            notes=(f"simulated: {profile.story}", f"no real market: seed {wish.seed}, profile {wish.profile}"),
        )

    @property
    def tape(self) -> Tape:
        """The session with its truth."""
        if self._tape is None:
            self._tape = self.wish.generate()
        return self._tape

    def batches(self) -> Iterator[Events]:
        """Give the rows from the start, in batches that end where a message ends."""
        self.checks = Checks()
        rows = self.tape.events
        ends = np.flatnonzero(rows["marks"] & LAST) + 1
        if self._clip is not None:
            ends = ends[ends <= self._clip]
        self.checks.messages = len(ends)
        at = 0
        while len(ends) and at < ends[-1]:
            whole = ends[ends >= min(at + BATCH_ROWS, int(ends[-1]))]
            until = int(whole[0])
            yield rows[at:until].copy()
            at = until

    def close(self) -> None:
        """Forget the tape."""
        self._tape = None


def parse_wish(address: str) -> Wish | Order:
    """Read `simulator:seed=7,minutes=30,plant=iceberg,tier=C`; an Order where a story of its own is asked for.

    Raises BadInput naming what was probably meant.
    """
    said = read_address(address, [*Wish.__struct_fields__])
    extra = set(said) - {"profile", "seed", "minutes"}
    story = said.get("profile", "mes")
    if not extra and story not in MARKETS:
        return check_order(story, said.get("seed", "1"), said.get("minutes", "30"))
    if story in PROFILES and "profile" in said:
        raise BadInput("simulator: profile", story, "one of " + ", ".join(MARKETS) + " to plant in")
    planted = said.get("plant", "")
    conflate = said.get("conflate", "100")
    return Wish(
        profile=said.get("profile", "stock" if planted.startswith("squeeze") else "futures"),
        seed=check_seed(said.get("seed", "1")),
        minutes=said.get("minutes", "30"),
        plant=planted,
        tier=said.get("tier", "A"),
        conflate=int(conflate) if conflate.isascii() and conflate.isdigit() and len(conflate) < 9 else -1,
        negatives=said.get("negatives", "yes"),
        fault=said.get("fault", ""),
    ).check()


def open_simulator(address: str, options: OpenOptions) -> Simulator | Planted:
    """Open a simulated session; raise BadInput for what it does not know.

    `simulator:seed=7,minutes=30,profile=mes` tells a story: `seed` (1 where none is given), `minutes` (30; decimals
    are taken, 'endless' has no end), `profile` ('mes', order by order, or 'perp', as Binance USD-M frames).
    `simulator:seed=7,minutes=30,plant=iceberg,tier=C` has planted events and their truth: `profile` (futures, stock,
    zi, coin), `plant` (names joined by '+', settings after colons), `tier` (A to D), `conflate` (ms, tier C),
    `negatives` (yes or no), `fault` (names joined by '+').
    """
    refuse_options(options)
    wanted = parse_wish(address)
    if isinstance(wanted, Order):
        return Simulator(wanted, options.clip)
    return Planted(wanted, options.clip)

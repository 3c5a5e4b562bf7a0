"""The numbers of the simulated markets: rates, sizes, depth, volatility and how a session opens.

Arrival and cancellation by distance start from Cont, Stoikov and Talreja (2010), fitted per side and second to a
Tokyo stock: limit orders 1.85, 1.51, 1.09, 0.88, 0.77 at 1 to 5 ticks from the opposite best and 1.92 * i ** -0.52
beyond, cancellation per order 0.71, 0.81, 0.68, 0.56, 0.47. `speed` runs them faster; `patience` makes orders stay
longer, so that queues are as long as in the market imitated. `mes` raises the first five a little, because its touch
has to hold more than in the fit; `perp` has weights of its own, set beside a real tape. How near a session comes to
a real one is printed by `python -m feeds.simulator --compare SOURCE`.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from feeds.events import ASK, BID
from feeds.instruments import Instrument, contracts

ARRIVAL_SCALE: Final = "1.92"
ARRIVAL_POWER: Final = "0.52"
LEAVING: Final = (710, 810, 680, 560, 470)
"""Cancellations per order and 1,000 seconds at 1 to 5 ticks from the opposite best."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens once in a phase, on top of the background."""

    after_s: int
    what: Literal["iceberg", "liquidation", "sweep"]
    """'iceberg' rests, 'sweep' takes at once, 'liquidation' is a sweep that the venue tells of."""
    side: int
    lots: int
    ticks: int = 0
    """An iceberg's distance behind its own best price; a sweep's reach beyond the best price."""
    peak: int = 0


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of market with its own drift and pace."""

    seconds: int
    drift: int = 0
    """Ticks a minute of the fair value."""
    sigma: int = 100
    """Percent of the profile's volatility."""
    pace: int = 100
    """Percent of the profile's rates."""
    plans: tuple[Plan, ...] = ()


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated market."""

    name: str
    tier: str
    """A: its orders are told one by one; C: it comes as a venue's conflated depth and trades apart."""
    story: str
    """How a session opens, in a few words."""
    instrument: Instrument
    start_ns: int
    """Time of the session's first row, ns since 1970."""
    opens_s: int
    """Seconds from the session's open to the start; the U shape of the day is counted from there."""
    price: int
    """Fair value at the start, in ticks."""
    beat_ns: int
    """Distance of the fair value's steps."""
    sigma: int
    """Volatility of the fair value, ticks a minute."""
    jumps: int
    """One step in so many moves the fair value, the more by its root; 1 is a plain random walk."""
    pull: int
    """Ticks between fair value and mid price at which everybody sees the price is wrong."""
    impact: int
    """Move of the fair value for 1,000 lots taken, in ticks / 1,000."""
    speed: int
    """Percent of the arrival rates."""
    patience: int
    """How many times longer than in the fit orders stay."""
    reach: int
    """Furthest distance from the opposite best at which orders arrive, ticks."""
    head: tuple[str, ...]
    """Arrival weights of the nearest distances."""
    tail: tuple[str, str]
    """Scale and power of the arrival weights beyond."""
    near: int
    """Distances up to this count as the touch: small orders there, larger ones behind."""
    small: tuple[str, tuple[tuple[int, str], ...]]
    """Mean and point masses of the lots of orders near the touch."""
    large: tuple[str, tuple[tuple[int, str], ...]]
    """The same for orders behind."""
    taken: tuple[str, tuple[tuple[int, str], ...]]
    """The same for takers."""
    depth: tuple[int, ...]
    """Lots that a level settles at, by distance from the opposite best; the last holds beyond."""
    touch: tuple[int, int]
    """Least and most percent of depth[0] that the touch settles at; neighbouring prices have the same."""
    rounds: tuple[tuple[int, int], ...]
    """(ticks, percent): levels on multiples of so many ticks settle at so much more."""
    noise_ns: int
    """Mean time between single takers."""
    parent_ns: int
    """Mean time between parent orders, each split into Pareto(1.5) takers."""
    block_ns: int
    """Mean time between very large takers."""
    block: tuple[int, int]
    """Least and most lots of those."""
    iceberg_ns: int
    """Mean time between native icebergs, 0 for none."""
    refills: str
    """Mean number of orders that answer a taker at the touch."""
    flights: str
    """Mean number of orders that leave the level a taker hit."""
    decay_ns: int
    """Mean delay of a taker's followers (Hawkes kernel)."""
    flee: int
    """Chance in 1,000 that an order at a touch everybody sees is wrong leaves within a step."""
    chase: int
    """Percent of a left-behind touch that moves after the price or leaves, a step."""
    opening: tuple[Phase, ...]
    """How the session begins; drawn phases follow."""
    phases: tuple[Phase, ...]
    """What the drawn phases are drawn from; each is taken in either direction."""


def _mes() -> Profile:
    contract = contracts()["MES"]
    return Profile(
        name="mes",
        tier="A",
        story="a calm open, a push into an iceberg, a pull-back and a second push",
        instrument=Instrument(
            venue=contract.venue,
            symbol="MES",
            tick=contract.tick,
            multiplier=contract.multiplier,
            currency=contract.currency,
            description="simulated Micro E-mini S&P 500",
        ),
        start_ns=1_707_834_600_000_000_000,  # 2024-02-13 14:30 UTC, the open in New York
        opens_s=0,
        price=20_048,
        beat_ns=50_000_000,
        sigma=8,
        jumps=1,
        pull=3,
        impact=3000,
        speed=480,
        patience=12,
        reach=32,
        head=("3.4", "2.0", "1.3", "1.0", "0.85"),
        tail=(ARRIVAL_SCALE, ARRIVAL_POWER),
        near=2,
        small=("3.4", ((1, "0.34"), (2, "0.10"), (3, "0.05"), (5, "0.07"), (10, "0.06"), (20, "0.02"), (50, "0.006"))),
        large=("6", ((1, "0.20"), (2, "0.08"), (5, "0.10"), (10, "0.12"), (20, "0.05"), (50, "0.02"), (100, "0.004"))),
        taken=("2.4", ((1, "0.46"), (2, "0.12"), (3, "0.05"), (5, "0.06"), (10, "0.05"), (20, "0.018"), (50, "0.006"))),
        depth=(85, 100, 115, 130, 140, 140, 135, 130, 120, 115, 110, 100, 95, 90, 85, 80),
        touch=(70, 150),
        rounds=((4, 125), (20, 170), (40, 150)),
        noise_ns=900_000_000,
        parent_ns=2_600_000_000,
        block_ns=32_000_000_000,
        block=(40, 180),
        iceberg_ns=75_000_000_000,
        refills="1.2",
        flights="0.5",
        decay_ns=160_000_000,
        flee=40,
        chase=0,
        opening=(
            Phase(seconds=20, sigma=60, pace=90),
            Phase(
                seconds=45,
                drift=12,
                pace=170,
                plans=(
                    Plan(after_s=3, what="sweep", side=BID, lots=150, ticks=1),
                    Plan(after_s=27, what="iceberg", side=ASK, lots=560, ticks=2, peak=12),
                    Plan(after_s=36, what="sweep", side=BID, lots=120, ticks=1),
                ),
            ),
            Phase(seconds=22, drift=4, sigma=50, pace=140),
            Phase(seconds=48, drift=-8, sigma=70, pace=80, plans=(Plan(after_s=6, what="sweep", side=ASK, lots=90),)),
            Phase(
                seconds=35,
                drift=-4,
                sigma=50,
                pace=90,
                plans=(Plan(after_s=1, what="iceberg", side=BID, lots=420, ticks=1, peak=10),),
            ),
            Phase(
                seconds=65,
                drift=14,
                pace=260,
                plans=(
                    Plan(after_s=2, what="sweep", side=BID, lots=260, ticks=2),
                    Plan(after_s=21, what="sweep", side=BID, lots=220, ticks=2),
                    Plan(after_s=40, what="sweep", side=BID, lots=310, ticks=3),
                ),
            ),
            Phase(
                seconds=125,
                drift=-2,
                sigma=80,
                pace=120,
                plans=(Plan(after_s=4, what="sweep", side=ASK, lots=150, ticks=1),),
            ),
        ),
        phases=(
            Phase(seconds=90, sigma=80, pace=80),
            Phase(seconds=60, drift=8, pace=110),
            Phase(seconds=45, drift=18, pace=180),
            Phase(seconds=120, sigma=60, pace=65),
            Phase(seconds=30, drift=30, sigma=120, pace=240),
        ),
    )


def _perp() -> Profile:
    return Profile(
        name="perp",
        tier="C",
        story="a quiet base, a breakout with short liquidations and a second leg",
        instrument=Instrument(
            venue="binance-futures",
            symbol="BTCUSDT",
            tick="0.10",
            lot="0.001",
            currency="USDT",
            description="simulated BTC perpetual",
        ),
        start_ns=1_738_335_600_000_000_000,  # 2025-01-31 15:00 UTC
        opens_s=30_000,
        price=970_000,
        beat_ns=20_000_000,
        sigma=280,
        jumps=140,
        pull=12,
        impact=350,
        speed=130,
        patience=9,
        reach=1200,
        head=("120", "2", "1.5", "1.2", "1"),
        tail=("4.4", "0.78"),
        near=1,
        small=("60", ((1, "0.08"), (2, "0.14"), (5, "0.06"), (10, "0.08"), (20, "0.06"), (50, "0.06"), (100, "0.08"),
                      (200, "0.06"), (500, "0.06"), (1000, "0.02"))),
        large=("70", ((2, "0.12"), (5, "0.08"), (10, "0.10"), (50, "0.06"), (100, "0.08"), (200, "0.05"),
                      (500, "0.04"), (1000, "0.015"), (2500, "0.003"))),
        taken=("24", ((1, "0.08"), (2, "0.13"), (3, "0.05"), (5, "0.08"), (10, "0.08"), (20, "0.08"), (50, "0.08"),
                      (100, "0.06"), (250, "0.05"), (500, "0.035"), (1000, "0.02"), (2000, "0.008"))),
        depth=(2600, 40, 40, 50, 60, 80, 100, 140, 200, 280, *range(400, 1600, 100)),
        touch=(25, 420),
        rounds=((100, 220), (500, 300), (1000, 200)),
        noise_ns=1_000_000_000,
        parent_ns=6_500_000_000,
        block_ns=14_000_000_000,
        block=(1500, 12_000),
        iceberg_ns=0,
        refills="1.6",
        flights="0.5",
        decay_ns=60_000_000,
        flee=300,
        chase=45,
        opening=(
            Phase(seconds=25, sigma=80, pace=100),
            Phase(seconds=20, sigma=50, pace=90, drift=40),
            Phase(
                seconds=50,
                drift=1500,
                sigma=150,
                pace=300,
                plans=(
                    Plan(after_s=1, what="sweep", side=BID, lots=18_000, ticks=60),
                    Plan(after_s=16, what="sweep", side=BID, lots=14_000, ticks=60),
                    Plan(after_s=33, what="sweep", side=BID, lots=22_000, ticks=80),
                    Plan(after_s=17, what="liquidation", side=BID, lots=1_840, ticks=40),
                    Plan(after_s=34, what="liquidation", side=BID, lots=3_275, ticks=40),
                    Plan(after_s=36, what="liquidation", side=BID, lots=912, ticks=40),
                ),
            ),
            Phase(seconds=45, drift=-500, sigma=100, pace=150),
            Phase(seconds=40, drift=500, sigma=90, pace=130),
            Phase(seconds=120, drift=-60, sigma=80, pace=100),
        ),
        phases=(
            Phase(seconds=90, sigma=80, pace=80),
            Phase(seconds=60, drift=300, pace=120),
            Phase(seconds=30, drift=1200, sigma=150, pace=260),
            Phase(seconds=120, sigma=60, pace=65),
        ),
    )  # fmt: skip


PROFILES: Final = {profile.name: profile for profile in (_mes(), _perp())}
"""The markets by name."""

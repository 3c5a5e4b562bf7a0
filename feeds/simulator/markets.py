"""The markets that can be planted in, by name, with the numbers their background runs on.

`futures` is a large-tick future with a short queue, `stock` the same as a share (for squeezes), `zi` zero intelligence
with the rates of Cont, Stoikov and Talreja five times as fast, `coin` a small-tick market with gaps in its book,
`perpetual` the same as a venue's perpetual (for liquidation cascades). How near they come to real tapes is printed by
`python -m feeds.simulator --compare SOURCE`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from feeds.instruments import Instrument
from feeds.simulator.profiles import PROFILES, Profile


def _futures() -> Profile:
    return msgspec.structs.replace(
        PROFILES["mes"],
        name="futures",
        story="a futures market with planted events",
        speed=560,
        sigma=6,
        depth=(30, 38, 44, 50, 54, 56, 56, 54, 50, 48, 46, 42, 40, 38, 36, 34),
        noise_ns=700_000_000,
        parent_ns=2_400_000_000,
        block_ns=45_000_000_000,
        block=(30, 110),
        iceberg_ns=0,
        impact=3000,
        refills="1.4",
        flights="0.8",
        opening=(),
        phases=(),
    )


def _stock() -> Profile:
    return msgspec.structs.replace(
        _futures(),
        name="stock",
        story="a share with planted events",
        instrument=Instrument(
            venue="XSIM", symbol="SQZ", tick="0.01", currency="USD", description="simulated share", locked_ok=False
        ),
        price=2_400,
    )


def _zi() -> Profile:
    return msgspec.structs.replace(
        PROFILES["mes"],
        name="zi",
        story="zero intelligence with planted events",
        speed=500,
        patience=1,
        reach=5,
        head=("1.85", "1.51", "1.09", "0.88", "0.77"),
        tail=("1.92", "0.52"),
        near=0,
        large=("4", ((1, "0.20"), (2, "0.08"), (5, "0.08"), (10, "0.06"), (50, "0.006"), (100, "0.002"))),
        taken=("3", ((1, "0.30"), (2, "0.10"), (5, "0.08"), (10, "0.06"), (50, "0.006"), (100, "0.002"))),
        depth=(12,),
        rounds=(),
        noise_ns=210_000_000,
        parent_ns=0,
        block_ns=0,
        iceberg_ns=0,
        refills="0",
        flights="0",
        sigma=0,
        impact=0,
        flee=0,
        opening=(),
        phases=(),
    )


def _coin() -> Profile:
    return msgspec.structs.replace(
        PROFILES["perp"],
        name="coin",
        tier="A",
        story="a small-tick market with planted events",
        instrument=Instrument(
            venue="XSIM", symbol="COIN", tick="0.01", lot="0.001", currency="USD", description="simulated coin"
        ),
        price=2_400_000,
        flee=1000,
        chase=90,
        impact=150,
        sigma=200,
        opening=(),
        phases=(),
    )


def _perpetual() -> Profile:
    return msgspec.structs.replace(
        _coin(),
        name="perpetual",
        story="a small-tick perpetual with planted events",
        instrument=Instrument(
            venue="binance-futures", symbol="PERP", tick="0.01", lot="0.001", currency="USDT",
            description="simulated perpetual",
        ),
    )  # fmt: skip


MARKETS: Final = {profile.name: profile for profile in (_futures(), _stock(), _zi(), _coin(), _perpetual())}
"""Markets by name."""
FREE: Final = frozenset({"zi"})
"""Markets without a fair value and without a depth that levels settle at."""

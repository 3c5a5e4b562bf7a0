"""What may be asked of the VWAP between two batches."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from feeds.instruments import Grid, Instrument
from tapeview.engine.memory import Memory
from tapeview.engine.state import ANCHORS, NO_KEY, SUMS


class Vwap(NamedTuple):
    """An anchored VWAP and its volume-weighted standard deviation, in ticks."""

    lots: int
    vwap: float
    sigma: float
    mean: Fraction
    """The VWAP exactly."""
    variance: Fraction
    """The variance exactly; sigma is its root."""


class Anchor(NamedTuple):
    """Where an anchored VWAP began."""

    slot: int
    name: str
    since_ns: int


def significant(value: Fraction, digits: int = 12, *, root: bool = False) -> str:
    """Write a fraction, or its square root, as decimal text of some significant digits."""
    wide = Context(prec=digits + 25)
    number = wide.divide(Decimal(value.numerator), Decimal(value.denominator))
    if root:
        number = wide.sqrt(number)
    return format(Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(number), "f")


def vwap_text(value: Vwap, grid: Grid, digits: int = 12) -> tuple[str, str]:
    """Write a VWAP and its sigma as prices, to some significant digits."""
    step = Fraction(grid.mantissa, 10**grid.decimals)
    return significant(value.mean * step, digits), significant(value.variance * step**2, digits, root=True)


class VwapView:
    """The anchored VWAPs; slot 0 counts from the start of the source, slot 1 from the start of the UTC day."""

    def __init__(self, memory: Memory, names: dict[int, str], instrument: Instrument) -> None:
        self._memory = memory
        self._names = names
        self._instrument = instrument

    def anchors(self) -> list[Anchor]:
        """List the anchors that run."""
        row = self._memory.state[0]
        return [
            Anchor(slot, self._names.get(slot, f"anchor {slot}"), int(row["anchor_ns"][slot]))
            for slot in range(ANCHORS)
            if row["anchor_on"][slot]
        ]

    def value(self, slot: int = 0) -> Vwap | None:
        """Give the VWAP of an anchor, None before its first print."""
        row = self._memory.state[0]
        if not (0 <= slot < ANCHORS and row["anchor_on"][slot]):
            raise ValueError(f"no anchor in slot {slot}")
        lots = int(row["weight"]) - int(row["anchor_weight"][slot])
        if lots <= 0:
            return None
        now = [_whole(limbs) for limbs in row["sums"][:SUMS].tolist()]
        then = [_whole(limbs) for limbs in row["sums"][(1 + slot) * SUMS : (2 + slot) * SUMS].tolist()]
        d, dd_low, dd_high, r, dr_low, dr_high, rr_low, rr_high = (a - b for a, b in zip(now, then, strict=True))
        fine = self._instrument.price.fine
        offset = Fraction(d * fine + r, fine * lots)
        square = (
            Fraction(dd_low + (dd_high << 31), lots)
            + Fraction(2 * (dr_low + (dr_high << 31)), fine * lots)
            + Fraction(rr_low + (rr_high << 31), fine * fine * lots)
        )
        variance = square - offset * offset
        mean = int(row["base_tick"]) + offset
        sigma = float(significant(variance, 17, root=True)) if variance else 0.0
        return Vwap(lots, float(mean), sigma, mean, variance)

    def z(self, slot: int = 0) -> float | None:
        """Give (middle of the touch - VWAP) / sigma of an anchor, None where one of them is missing or sigma is 0."""
        value = self.value(slot)
        row = self._memory.state[0]
        bid, ask = (int(key) for key in row["best"])
        if value is None or value.sigma == 0 or NO_KEY in (bid, ask):
            return None
        fine = self._instrument.price.fine
        parts = Fraction(int(row["best_frac"][0]) - int(row["best_frac"][1]), fine)
        return float((Fraction(bid - ask) + parts) / 2 - value.mean) / value.sigma


def _whole(limbs: list[int]) -> int:
    return (limbs[2] << 64) + (limbs[1] << 32) + limbs[0]

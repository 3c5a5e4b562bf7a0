"""The VWAP: exact sums over the prints of the flow, about the tick of the session's first print.

With v lots at d whole ticks and r fine units (0 on the grid) above the base tick, and F fine units to a tick, the
sums kept are v, v d, v d^2, v r, v d r and v r^2. They are integers in three limbs of 32 bits, so that a bust undoes
a print exactly, the order of addition cannot matter, and nothing cancels at high prices; mean and variance follow
from them as fractions. The incremental form (D. H. D. West, Updating mean and variance estimates, Communications of
the ACM 22(9), 1979) would round at every step.

Row of `sums`: 0 v d · 1 and 2 v d^2 · 3 v r · 4 and 5 v d r · 6 and 7 v r^2; the second of a pair counts 2**31.
The rows of anchor k begin at (1 + k) * SUMS: a copy of the sums at its start: what it has seen is the difference.
"""

from __future__ import annotations

import math
from typing import Any

from tapeview.engine._jit import inlined, kernel, part
from tapeview.engine.state import ANCHORS, SPAN_LIMIT, SUMS

_M32 = 2**32 - 1
_M31 = 2**31 - 1
_REACH = 2**30


@inlined
def add_product(s: Any, n: int, a: int, b: int) -> None:
    """Add a * b to a sum; a of less than 2**62 in size, b of less than 2**31."""
    low = (a & _M32) * b
    high = (a >> 32) * b + (low >> 32)
    first = s.sums[n, 0] + (low & _M32)
    second = s.sums[n, 1] + (high & _M32) + (first >> 32)
    s.sums[n, 0] = first & _M32
    s.sums[n, 1] = second & _M32
    s.sums[n, 2] += (high >> 32) + (second >> 32)


@part
def add_print(s: Any, first: int, away: int, frac: int, lots: int) -> None:
    """Add a print to the eight sums from row `first`."""
    add_product(s, first, lots, away)
    square = away * away
    add_product(s, first + 1, lots, square & _M31)
    if square > _M31:
        add_product(s, first + 2, lots, square >> 31)
    if frac != 0:
        add_product(s, first + 3, lots, frac)
        product = away * frac
        add_product(s, first + 4, lots, product & _M31)
        add_product(s, first + 5, lots, product >> 31)
        square = frac * frac
        add_product(s, first + 6, lots, square & _M31)
        add_product(s, first + 7, lots, square >> 31)


@part
def sum_value(s: Any, n: int) -> float:
    """Give a sum as the nearest float, but for a last rounding or two."""
    top = s.sums[n, 2]
    if top >= -_REACH and top < _REACH:
        both = (top << 32) + s.sums[n, 1]
        if both >= -_REACH and both < _REACH:
            return float((both << 32) + s.sums[n, 0])
        return float(both) * 4294967296.0 + float(s.sums[n, 0])
    return float(top) * 18446744073709551616.0 + float(s.sums[n, 1]) * 4294967296.0


@inlined
def weigh(s: Any, tick: int, frac: int, lots: int) -> int:
    """Add a print to the session's sums, or take one back with negative lots; give 0 where it is out of reach."""
    if s.prints == 0:
        s.base_tick = tick
    away = tick - s.base_tick
    if away >= SPAN_LIMIT or away <= -SPAN_LIMIT or frac >= SPAN_LIMIT:
        return 0
    s.weight += lots
    add_print(s, s.zero, away, frac, lots)
    return 1


@inlined
def mean_and_sigma(s: Any) -> None:
    """Work out the session's VWAP and sigma for the frame and the bars."""
    if s.weight <= 0:
        s.vwap = 0.0
        s.sigma = 0.0
        s.vwap_t16 = 0
        s.sigma_t16 = 0
        return
    part = 1.0 / float(s.weight)
    mean = sum_value(s, s.zero) * part
    square = (sum_value(s, s.zero + 1) + sum_value(s, s.zero + 2) * 2147483648.0) * part
    if s.has_frac != 0:
        fine = float(s.fine)
        square += 2.0 * (sum_value(s, s.zero + 4) + sum_value(s, s.zero + 5) * 2147483648.0) / fine * part
        square += (sum_value(s, s.zero + 6) + sum_value(s, s.zero + 7) * 2147483648.0) / fine / fine * part
        mean += sum_value(s, s.zero + 3) / fine * part
    variance = square - mean * mean
    s.vwap = float(s.base_tick) + mean
    s.sigma = math.sqrt(variance) if variance > 0.0 else 0.0
    s.vwap_t16 = s.base_tick * 65536 + math.floor(mean * 65536.0 + 0.5)
    s.sigma_t16 = math.floor(s.sigma * 65536.0 + 0.5)


@part
def start_anchor(s: Any, slot: int, now_ns: int) -> None:
    """Start an anchor here."""
    s.anchor_on[slot] = 1
    s.anchor_ns[slot] = now_ns
    s.anchor_print[slot] = s.ring_n
    s.anchor_weight[slot] = s.weight
    for n in range(SUMS):
        for limb in range(3):
            s.sums[(1 + slot) * SUMS + n, limb] = s.sums[n, limb]


@part
def unweigh(s: Any, tick: int, frac: int, lots: int, number: int) -> int:
    """Take back print `number` of the session's raw prints: of anchors begun after it nothing changes."""
    if weigh(s, tick, frac, -lots) == 0:
        return 0
    for slot in range(ANCHORS):
        if s.anchor_on[slot] != 0 and s.anchor_print[slot] > number:
            s.anchor_weight[slot] -= lots
            add_print(s, (1 + slot) * SUMS, tick - s.base_tick, frac, -lots)
    return 1


@kernel
def anchor_here(state: Any, slot: int, now_ns: int) -> int:
    """Start an anchor between two batches."""
    start_anchor(state[0], slot, now_ns)
    return 0

"""How unusual it is that lots go as they do: their lives, whether the price came near, and trades across, ranked.

Ranks are among recent lives of the same class of distance and size, pooled with others as long as too few are known.
"""

from __future__ import annotations

import math
from typing import Any, Final

from tapeview.engine._jit import high_bit, part

NEAR_CLASSES: Final = 3
CLASSES: Final = 2 * NEAR_CLASSES
"""Distances of 1 to 2, 3 to 5 and more ticks, each for ordinary and for large sizes."""
STEPS: Final = 96
"""Half octaves of a time or a rate."""
_HALVE_AT: Final = 1 << 13


def fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields that the parts of this module use."""
    return (
        ("t_n", "i8", (CLASSES,)), ("t_came", "i8", (CLASSES,)),
        ("t_life", "i8", (CLASSES, STEPS)), ("t_rate", "i8", (CLASSES, STEPS)),
    )  # fmt: skip


@part
def class_of(away: int, large: int) -> int:
    """The class of a distance and a size."""
    near = 0 if away <= 2 else (1 if away <= 5 else 2)
    return near + NEAR_CLASSES * large


@part
def step_of(value: int) -> int:
    """The half octave of a number: 0 for 0."""
    if value <= 0:
        return 0
    bit = high_bit(value)
    half = (value >> (bit - 1)) & 1 if bit > 0 else 0
    return min(1 + 2 * bit + half, STEPS - 1)


@part
def pooled(m: Any, limit: Any, own: int) -> int:
    """How far a class must be pooled to be known: 0 itself, 1 its distance, 2 all, 3 unknown."""
    near = own % NEAR_CLASSES
    if m.t_n[own] >= limit.min_class:
        return 0
    if m.t_n[near] + m.t_n[near + NEAR_CLASSES] >= limit.min_class:
        return 1
    total = 0
    for other in range(CLASSES):
        total += m.t_n[other]
    return 2 if total >= limit.min_class else 3


@part
def is_in(own: int, other: int, pool: int) -> bool:
    """Say whether a class belongs to another's pool."""
    return pool == 2 or other == own or (pool == 1 and other % NEAR_CLASSES == own % NEAR_CLASSES)


@part
def tails(m: Any, limit: Any, own: int, life: int, came: int, rate: int) -> float:
    """-2 sum ln p of a life so short, of the price having come near, and of trades across at such a rate.

    Gives -1 where it lived as long as others do.
    """
    pool = pooled(m, limit, own)
    if pool == 3:
        return 0.0
    total, shorter, as_long, came_n, more, as_much = 0, 0, 0, 0, 0, 0
    for other in range(CLASSES):
        if not is_in(own, other, pool):
            continue
        total += m.t_n[other]
        came_n += m.t_came[other]
        for step in range(life):
            shorter += m.t_life[other, step]
        as_long += m.t_life[other, life]
        for step in range(rate + 1, STEPS):
            more += m.t_rate[other, step]
        as_much += m.t_rate[other, rate]
    p_life = (shorter + 0.5 * as_long + 0.5) / (total + 1.0)
    if p_life > limit.life_p:
        return -1.0
    x = -2.0 * math.log(p_life)
    if came != 0:
        x -= 2.0 * math.log((came_n + 1.0) / (total + 1.0))
    if rate > 0:
        x -= 2.0 * math.log((more + 0.5 * as_much + 0.5) / (total + 1.0))
    return x


@part
def count_life(m: Any, own: int, life: int, came: int, rate: int) -> None:
    """Count a life in its class; after some 8,000 all counts of the class are halved."""
    m.t_n[own] += 1
    m.t_came[own] += came
    m.t_life[own, life] += 1
    m.t_rate[own, rate] += 1
    if m.t_n[own] >= _HALVE_AT:
        m.t_n[own] = 0
        m.t_came[own] >>= 1
        for step in range(STEPS):
            m.t_life[own, step] >>= 1
            m.t_rate[own, step] >>= 1
            m.t_n[own] += m.t_life[own, step]


@part
def chi_square_tail(x: float, pairs: int) -> float:
    """The chance that a chi-square of 2 `pairs` degrees of freedom is at least x: e**-x/2 sum (x/2)**i / i!."""
    term = 1.0
    total = 1.0
    for i in range(1, pairs):
        term *= 0.5 * x / i
        total += term
    return min(math.exp(-0.5 * x) * total, 1.0)

"""How much could be squeezed: short interest and its companions, and what holders of a perpetual pay.

Slow inputs come as FACT rows. A missing input never counts as zero: it drops out and the weights of the others are
made whole. Inputs fade as they age, faster once they are older than they may be.
"""

from __future__ import annotations

import math
from typing import Any, Final

from feeds.events import (
    F_ADV20,
    F_BORROW_FEE,
    F_CALL_VOLUME,
    F_FLOAT_SHARES,
    F_FUNDING_RATE,
    F_OPEN_INTEREST,
    F_PUT_VOLUME,
    F_SHORT_INTEREST,
    F_UTILISATION,
    FACTS,
    NONE,
)
from tapeview.detectors._estimate import mean_add, sigmas
from tapeview.engine._jit import part

_HOUR_NS: Final = 3_600_000_000_000
_DAY_NS: Final = 24 * _HOUR_NS
MAX_AGE_NS: Final = (
    0, 0, 8 * _HOUR_NS, 0, 120_000_000_000, 0, 20 * _DAY_NS,
    0, 20 * _DAY_NS, 2 * _DAY_NS, 2 * _DAY_NS, _DAY_NS, _DAY_NS, 0, 0, 0,
    _DAY_NS, _DAY_NS, _DAY_NS,
)  # fmt: skip
"""By FACT value, the age from which an input is stale, 0 where it never is; as `feeds.facts.kinds` has it."""
FEES: Final = 32
"""Borrow fees remembered, to tell whether they rise."""
OPTION_DAYS: Final = 20
_FEE_SPAN_NS: Final = 5 * _DAY_NS
_FUNDING_HALF: Final = 360.0
"""Half-life of the funding rate's mean, in hourly values: 15 days."""
_REBASED: Final = 0.1
"""A change of the float by more makes older short interest and volume meaningless: an offering or a split."""
UNKNOWN: Final = -1.0


def fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields of the slow inputs; the memory must have one exponential mean for the funding rate."""
    return (
        ("f_value", "i8", (len(FACTS),)), ("f_as_of", "i8", (len(FACTS),)), ("f_has", "i8", (len(FACTS),)),
        ("fee_value", "i8", (FEES,)), ("fee_as_of", "i8", (FEES,)), ("fee_n", "i8"),
        ("pc_as_of", "i8", (OPTION_DAYS,)), ("pc_put", "i8", (OPTION_DAYS,)), ("pc_call", "i8", (OPTION_DAYS,)),
        ("pc_n", "i8"), ("rebased_ns", "i8"), ("funding_hour", "i8"),
        ("fuel", "f8"), ("fuel_sure", "f8"), ("fuel_as_of", "i8"), ("short_share", "f8"), ("cover_days", "f8"),
        ("fee", "f8"),
    )  # fmt: skip


@part
def plausible(m: Any, which: int, value: int, as_of_ns: int, now_ns: int) -> bool:
    """Say whether an input contradicts neither itself nor what is known."""
    if as_of_ns > now_ns or (value < 0 and which != F_FUNDING_RATE):
        return False
    if which == F_SHORT_INTEREST:
        return m.f_has[F_FLOAT_SHARES] == 0 or value // 3 <= m.f_value[F_FLOAT_SHARES]
    if which == F_FLOAT_SHARES:
        return value > 0
    if which == F_UTILISATION:
        return value <= 1_000_000_000
    if which == F_BORROW_FEE:
        return value <= 10_000_000_000
    if which == F_FUNDING_RATE:
        return value <= 1_000_000_000 and value >= -1_000_000_000
    return True


@part
def take_options(m: Any, as_of_ns: int) -> None:
    """Keep a day of put and call volumes."""
    at = m.pc_n % OPTION_DAYS
    last = (m.pc_n - 1) % OPTION_DAYS
    if m.pc_n > 0 and m.pc_as_of[last] == as_of_ns:
        at = last
    else:
        m.pc_n += 1
    m.pc_as_of[at] = as_of_ns
    m.pc_put[at] = m.f_value[F_PUT_VOLUME]
    m.pc_call[at] = m.f_value[F_CALL_VOLUME]


@part
def take_input(m: Any, mean: int, which: int, value: int, as_of_ns: int, now_ns: int) -> bool:
    """Keep an input of this kind, value and time; give False where it is refused or older than the one held.

    `mean` is the number of the exponential mean of the funding rate. An input without a time is of now.
    """
    if which < 0 or which >= len(FACTS):
        return False
    as_of = as_of_ns if as_of_ns != NONE else now_ns
    if not plausible(m, which, value, as_of, now_ns):
        return False
    if which == F_BORROW_FEE:
        at = m.fee_n % FEES
        m.fee_value[at] = value
        m.fee_as_of[at] = as_of
        m.fee_n += 1
    if m.f_has[which] != 0 and as_of < m.f_as_of[which]:
        return False
    if which == F_FLOAT_SHARES and m.f_has[which] != 0:
        held = m.f_value[which]
        if abs(value - held) > _REBASED * held:
            m.rebased_ns = as_of
    m.f_value[which] = value
    m.f_as_of[which] = as_of
    m.f_has[which] = 1
    if which == F_FLOAT_SHARES and m.f_has[F_SHORT_INTEREST] != 0 and m.f_value[F_SHORT_INTEREST] // 3 > value:
        m.f_has[F_SHORT_INTEREST] = 0
    if which == F_FUNDING_RATE and as_of // _HOUR_NS != m.funding_hour:
        m.funding_hour = as_of // _HOUR_NS
        mean_add(m, mean, float(value), _FUNDING_HALF)
    both = m.f_has[F_PUT_VOLUME] != 0 and m.f_has[F_CALL_VOLUME] != 0
    if which in (F_PUT_VOLUME, F_CALL_VOLUME) and both and m.f_as_of[F_PUT_VOLUME] == m.f_as_of[F_CALL_VOLUME]:
        take_options(m, as_of)
    return True


@part
def known(value: float) -> float:
    """A value as evidence has it: not a number where it is UNKNOWN."""
    return value if value >= 0.0 else math.nan


@part
def fresh(m: Any, which: int, now_ns: int) -> bool:
    """Say whether an input is there and not older than it may be."""
    limit = MAX_AGE_NS[which]
    return m.f_has[which] != 0 and (limit == 0 or now_ns - m.f_as_of[which] <= limit)


@part
def worth(m: Any, which: int, now_ns: int) -> float:
    """How much an input still weighs: 1 until it is as old as it may be, then an e-th for every time that long."""
    if m.f_has[which] == 0:
        return 0.0
    limit = MAX_AGE_NS[which]
    age = now_ns - m.f_as_of[which]
    if limit == 0 or age <= limit:
        return 1.0
    return math.exp(-(age - limit) / limit)


@part
def anchored(value: float, none: float, half: float, full: float) -> float:
    """0 up to the first anchor, 1/2 at the second, 1 from the third, straight between."""
    if value <= none:
        return 0.0
    if value <= half:
        return 0.5 * (value - none) / max(half - none, 1e-12)
    if value < full:
        return 0.5 + 0.5 * (value - half) / max(full - half, 1e-12)
    return 1.0


@part
def fee_rises(m: Any) -> bool:
    """Say whether the borrow fee is above what it was five days before; False where that is not known."""
    then = NONE
    was = 0
    for n in range(min(m.fee_n, FEES)):
        if m.fee_as_of[n] <= m.f_as_of[F_BORROW_FEE] - _FEE_SPAN_NS and m.fee_as_of[n] >= then:
            then = m.fee_as_of[n]
            was = m.fee_value[n]
    return then != NONE and m.f_value[F_BORROW_FEE] > was


@part
def option_points(m: Any) -> float:
    """5 where puts are rare against calls as seldom, and calls twice their mean; -5 the other way round."""
    n = min(m.pc_n, OPTION_DAYS)
    if n < 10:
        return 0.0
    last = (m.pc_n - 1) % OPTION_DAYS
    total, square, puts, calls = 0.0, 0.0, 0.0, 0.0
    for day in range(n):
        ratio = m.pc_put[day] / max(m.pc_call[day], 1)
        total += ratio
        square += ratio * ratio
        puts += m.pc_put[day]
        calls += m.pc_call[day]
    spread = math.sqrt(max(square / n - (total / n) * (total / n), 0.0))
    if spread <= 0.0:
        return 0.0
    z = (m.pc_put[last] / max(m.pc_call[last], 1) - total / n) / spread
    if z < -1.5 and m.pc_call[last] > 2.0 * calls / n:
        return 5.0
    if z > 1.5 and m.pc_put[last] > 2.0 * puts / n:
        return -5.0
    return 0.0


@part
def refuel(m: Any, limit: Any, now_ns: int) -> None:
    """Work out the fuel, 0 to 100, and how far it is known; UNKNOWN where no input is."""
    day = 1.0 / _DAY_NS
    shares = m.f_value[F_FLOAT_SHARES]
    held = m.f_value[F_SHORT_INTEREST]
    usable = m.f_has[F_SHORT_INTEREST] != 0 and m.f_as_of[F_SHORT_INTEREST] >= m.rebased_ns
    oldest = now_ns
    total, weights, sure = 0.0, 0.0, 0.0
    m.short_share, m.cover_days, m.fee = UNKNOWN, UNKNOWN, UNKNOWN
    for n in range(4):
        which = F_SHORT_INTEREST
        weight = 0.0
        value = 0.0
        if n == 0 and usable and m.f_has[F_FLOAT_SHARES] != 0:
            weight = limit.share_weight
            m.short_share = held / shares
            value = anchored(m.short_share, limit.share_none, limit.share_half, limit.share_full)
        elif n == 1 and usable and m.f_has[F_ADV20] != 0 and m.f_value[F_ADV20] > 0:
            if m.f_as_of[F_ADV20] >= m.rebased_ns:
                weight = limit.cover_weight
                m.cover_days = held / m.f_value[F_ADV20]
                value = anchored(m.cover_days, limit.cover_none, limit.cover_half, limit.cover_full)
        elif n == 2 and m.f_has[F_UTILISATION] != 0:
            which = F_UTILISATION
            weight = limit.used_weight
            value = anchored(m.f_value[F_UTILISATION] * 1e-9, limit.used_none, limit.used_half, limit.used_full)
        elif n == 3 and m.f_has[F_BORROW_FEE] != 0:
            which = F_BORROW_FEE
            weight = limit.fee_weight
            m.fee = m.f_value[F_BORROW_FEE] * 1e-9
            value = anchored(m.fee, limit.fee_none, limit.fee_half, limit.fee_full)
            if value > 0.5 and not fee_rises(m):
                value = 0.5
        if weight > 0.0:
            weighs = weight * worth(m, which, now_ns)
            total += weighs * value
            weights += weighs
            sure += weight * math.exp(-(now_ns - m.f_as_of[which]) * day / limit.fuel_days)
            oldest = min(oldest, m.f_as_of[which])
    if weights <= 0.0:
        m.fuel, m.fuel_sure, m.fuel_as_of = UNKNOWN, 0.0, NONE
        return
    m.fuel = min(100.0, max(0.0, 100.0 * total / weights + option_points(m)))
    m.fuel_sure = sure
    m.fuel_as_of = oldest


@part
def open_interest(m: Any, now_ns: int) -> int:
    """Open interest in lots, 0 where it is unknown or stale."""
    return m.f_value[F_OPEN_INTEREST] if fresh(m, F_OPEN_INTEREST, now_ns) else 0


@part
def funding_sigmas(m: Any, mean: int) -> float:
    """How far the funding rate lies above its mean; 0 while fewer than 10 hours of it are known."""
    if m.f_has[F_FUNDING_RATE] == 0:
        return 0.0
    return sigmas(m, mean, float(m.f_value[F_FUNDING_RATE]))

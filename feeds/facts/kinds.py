"""What each kind of slow input may be: its units, its bounds and how old it may grow.

Kind                | k | unit (shift)                     | bounds of the value | stale after
--------------------|---|----------------------------------|---------------------|------------
mark_price          | 9 | price                            |                     |
index_price         | 9 | price                            |                     |
funding_rate        | 9 | fraction, percent, bp            | -1 to 1             | 8 h
next_funding_ns     | 0 | ns                               | 0 or more           |
open_interest       | - | contracts, units                 | 0 or more           | 2 min
liquidation         | - | contracts, units                 | above 0             |
short_interest      | 6 | shares                           | 0 or more           | 20 d
float_shares        | 6 | shares                           | above 0             |
adv20               | 6 | shares                           | 0 or more           | 20 d
utilisation         | 9 | fraction, percent                | 0 to 1              | 2 d
borrow_fee          | 9 | fraction, percent, bp (a year)   | 0 to 10             | 2 d
put_volume          | 0 | contracts                        | 0 or more           | 1 d
call_volume         | 0 | contracts                        | 0 or more           | 1 d
news, halt, ssr     | 0 | flag                             | 0 or 1              |
short_volume        | 6 | shares                           | 0 or more           | 1 d
short_exempt_volume | 6 | shares                           | 0 or more           | 1 d
reported_volume     | 6 | shares                           | 0 or more           | 1 d

In the EVENT row: `aux` = the kind, `lots` = value x 10**k (`feeds.events.FACT_DECIMALS`; - is the instrument's lots,
OFF_LOT where it is no whole number of them), `ref` = as-of ns, `recv_ns` = when it became known, `exch_ns` = NONE.
A liquidation has its price in `tick` and the side of the closing order in `side`. News is 1 at the time in `ref`.
A utilisation or a fee without a unit is refused: 5 may be 5 percent or 500.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from feeds.events import (
    F_ADV20,
    F_BORROW_FEE,
    F_CALL_VOLUME,
    F_FLOAT_SHARES,
    F_FUNDING_RATE,
    F_HALT,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_NEWS,
    F_NEXT_FUNDING_NS,
    F_OPEN_INTEREST,
    F_PUT_VOLUME,
    F_REPORTED_VOLUME,
    F_SHORT_EXEMPT_VOLUME,
    F_SHORT_INTEREST,
    F_SHORT_VOLUME,
    F_SSR,
    F_UTILISATION,
    FACT_DECIMALS,
    FACTS,
)

SIZE_DECIMALS: Final = 9
"""Decimals that a value counted in an instrument's lots has until the instrument is known."""
LIMIT: Final = 2**62
"""A scaled value is below this."""
_MINUTE: Final = 60_000_000_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


class Kind(msgspec.Struct, frozen=True):
    """One line of the table."""

    code: int
    """The FACT value, aux of its rows."""
    units: Mapping[str, int]
    """Power of ten that takes a value in this unit to the value kept; '' where the unit may be left out."""
    low: int | None = None
    """Least value, in whole units."""
    high: int | None = None
    """Greatest value, in whole units."""
    max_age_ns: int | None = None
    """Age from which a value is stale, None where the table names none."""
    positive: bool = False
    """The value 0 is refused too."""

    @property
    def name(self) -> str:
        """The name in files and in `feeds.events.FACTS`."""
        return FACTS[self.code]

    @property
    def decimals(self) -> int:
        """The k of value x 10**k in a Fact."""
        found = FACT_DECIMALS[self.code]
        return SIZE_DECIMALS if found is None else found

    @property
    def in_lots(self) -> bool:
        """Whether rows carry lots of their instrument."""
        return FACT_DECIMALS[self.code] is None

    @property
    def bounds(self) -> str:
        """The bounds in words."""
        if self.low is None:
            return "a number"
        if self.high is not None:
            return f"a number from {self.low} to {self.high}"
        return "a number above 0" if self.positive else f"a number of {self.low} or more"


_PRICE: Final = {"": 0, "price": 0}
_SHARES: Final = {"": 0, "shares": 0}
_CONTRACTS: Final = {"": 0, "contracts": 0}
_SIZE: Final = {"": 0, "contracts": 0, "units": 0}
_RATE: Final = {"fraction": 0, "percent": -2, "bp": -4}
_PART: Final = {"fraction": 0, "percent": -2}
_FLAG: Final = {"": 0, "flag": 0}

_KINDS: Final = (
    Kind(F_MARK_PRICE, _PRICE),
    Kind(F_INDEX_PRICE, _PRICE),
    Kind(F_FUNDING_RATE, _RATE, -1, 1, 8 * _HOUR),
    Kind(F_NEXT_FUNDING_NS, {"": 0, "ns": 0}, 0),
    Kind(F_OPEN_INTEREST, _SIZE, 0, None, 2 * _MINUTE),
    Kind(F_LIQUIDATION, _SIZE, 0, positive=True),
    Kind(F_SHORT_INTEREST, _SHARES, 0, None, 20 * _DAY),
    Kind(F_FLOAT_SHARES, _SHARES, 0, positive=True),
    Kind(F_ADV20, _SHARES, 0, None, 20 * _DAY),
    Kind(F_UTILISATION, _PART, 0, 1, 2 * _DAY),
    Kind(F_BORROW_FEE, _RATE, 0, 10, 2 * _DAY),
    Kind(F_PUT_VOLUME, _CONTRACTS, 0, None, _DAY),
    Kind(F_CALL_VOLUME, _CONTRACTS, 0, None, _DAY),
    Kind(F_NEWS, _FLAG, 0, 1),
    Kind(F_HALT, _FLAG, 0, 1),
    Kind(F_SSR, _FLAG, 0, 1),
    Kind(F_SHORT_VOLUME, _SHARES, 0, None, _DAY),
    Kind(F_SHORT_EXEMPT_VOLUME, _SHARES, 0, None, _DAY),
    Kind(F_REPORTED_VOLUME, _SHARES, 0, None, _DAY),
)
KINDS: Final = {kind.code: kind for kind in _KINDS}
"""The table by FACT value."""
NAMES: Final = {kind.name: kind for kind in _KINDS} | {
    "short_interest_shares": KINDS[F_SHORT_INTEREST],
    "borrow_fee_apr": KINDS[F_BORROW_FEE],
    "funding_rate_8h": KINDS[F_FUNDING_RATE],
    "news_time": KINDS[F_NEWS],
    "ssr_flag": KINDS[F_SSR],
}
"""The table by name, with the other names in use."""


def is_stale(code: int, age_ns: int) -> bool:
    """Say whether a value of this kind is older than it may be."""
    limit = KINDS[code].max_age_ns
    return limit is not None and age_ns > limit

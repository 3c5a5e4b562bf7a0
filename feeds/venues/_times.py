"""Times of venues as text, in ns since 1970, exactly."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Final

from feeds.errors import BadInput
from feeds.instruments import parse_decimal

_ISO: Final = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d)(?:\.(\d{1,9})\d{0,9})?(?:Z|[+-]00:?00)\Z", re.ASCII)
_EPOCH: Final = date(1970, 1, 1).toordinal()
_MAX_MS: Final = 2**62 // 1_000_000


def iso_ns(text: str) -> int:
    """UTC time such as '2026-08-09T21:05:42.514318Z' in ns since 1970; what is finer is cut off.

    0 for times before 1970, which some venues send where they know none. Raises BadInput where the text is no time.
    """
    match = _ISO.match(text)
    if match is None:
        raise BadInput("time", text[:40], "a UTC time such as 2026-08-09T21:05:42.514318Z")
    minute, second, part = match.groups()
    seconds = _minute(minute) + int(second)
    if seconds < 0:
        return 0
    return seconds * 1_000_000_000 + int((part or "").ljust(9, "0"))


@lru_cache(maxsize=1024)
def _minute(text: str) -> int:
    try:
        day = date.fromisoformat(text[:10]).toordinal() - _EPOCH
    except ValueError:
        raise BadInput("time", text, "a day of the calendar") from None
    hour, minute = int(text[11:13]), int(text[14:16])
    if hour > 23 or minute > 59 or day > 100_000:
        raise BadInput("time", text, "an hour below 24, a minute below 60, a year below 2240")
    return day * 86_400 + hour * 3_600 + minute * 60


def ms_ns(ms: int) -> int:
    """Milliseconds since 1970 in ns; raises BadInput where they are no time."""
    if not 0 <= ms < _MAX_MS:
        raise BadInput("time", ms, "ms since 1970")
    return ms * 1_000_000


def decimal_ns(text: str, unit_decimals: int) -> int:
    """Decimal text of a count of units of 10 ** -unit_decimals s since 1970, 0 for s and 3 for ms, in ns.

    What is finer is cut off. Raises BadInput where it is no time below 2**62 ns.
    """
    whole, _, part = text.partition(".")
    digits = whole + part
    if digits.isdigit() and text.isascii() and len(digits) <= 18:
        mantissa, decimals = int(digits), len(part)
    else:
        mantissa, decimals = parse_decimal(text[:40])
    power = 9 - unit_decimals - decimals
    ns: int = mantissa * 10**power if power >= 0 else mantissa // 10**-power
    if not 0 <= ns < 2**62:
        raise BadInput("time", text[:40], "a time since 1970")
    return ns

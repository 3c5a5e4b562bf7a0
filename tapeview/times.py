"""Moments a person writes: `09:45`, `09:45:12.250`, an ISO time, `+90s` from the start, or ns since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from feeds.errors import BadInput

EXPECTED: Final = "09:45, 09:45:12.250, 2024-08-09T00:10:00, +90s or ns since 1970"
_DAY_NS: Final = 86_400_000_000_000
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\Z", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(\d+(?:\.\d{1,9})?)(ms|s|m|h)?\Z", re.ASCII)
_ISO: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?\Z", re.ASCII
)
_UNITS: Final = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000, None: 1_000_000_000}


@lru_cache(maxsize=16)
def zone(name: str) -> ZoneInfo:
    """A time zone by name; UTC where the machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def utc_offset_s(ns: int, timezone: str) -> int:
    """How many seconds a zone is ahead of UTC at a moment."""
    offset = datetime.fromtimestamp(ns // 1_000_000_000, UTC).astimezone(zone(timezone)).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def parse_time(text: str, start_ns: int, timezone: str = "UTC", *, place: str = "time") -> int:
    """Turn a written moment into ns since 1970.

    A time of day is in the market's own zone, at or after the source's start; an ISO time without an offset is
    in that zone too. Raises BadInput for anything else.
    """
    text = text.strip()
    moment = None
    try:
        if match := _CLOCK.match(text):
            moment = _of_day(match, start_ns, timezone)
        elif match := _OFFSET.match(text):
            span = int(Decimal(match[2]) * _UNITS[match[3]])
            moment = start_ns + (span if match[1] == "+" else -span)
        elif match := _ISO.match(text):
            moment = _iso(match, timezone)
        elif text.isascii() and text.isdigit() and len(text) >= 15:
            moment = int(text)
    except (ValueError, OverflowError):
        raise BadInput(place, text, EXPECTED) from None
    if moment is None or not -(2**63) < moment < 2**63:
        raise BadInput(place, text, EXPECTED)
    return moment


def _of_day(match: re.Match[str], start_ns: int, timezone: str) -> int:
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    part = int((match[4] or "").ljust(9, "0"))
    there = datetime.fromtimestamp(start_ns // 1_000_000_000, UTC).astimezone(zone(timezone))
    moment = there.replace(hour=hour, minute=minute, second=second, microsecond=0)
    ns = int(moment.timestamp()) * 1_000_000_000 + part
    # The start itself may carry a fraction of the very minute or second that was asked for.
    if ns + (0 if match[4] else 999_999_999 if match[3] else 59_999_999_999) < start_ns:
        ns = int((moment + timedelta(days=1)).timestamp()) * 1_000_000_000 + part
    return ns


def _iso(match: re.Match[str], timezone: str) -> int:
    offset = (match[4] or "").replace("Z", "+00:00")
    moment = datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}{offset}")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone(timezone))
    return int(moment.timestamp()) * 1_000_000_000 + int((match[3] or "").ljust(9, "0"))

"""Measurements beside their yardsticks; nothing here is imported by the program's work."""

from __future__ import annotations

import msgspec


class Measured(msgspec.Struct, frozen=True):
    """One figure, and what it is when set against its yardstick from the same run."""

    what: str
    value: float
    unit: str
    ratio: float | None = None
    """value / yardstick, above 1 is better unless the unit says otherwise."""
    against: str = ""

"""Numbers that several venues write alike: slow inputs of nine decimals, increments as JSON numbers."""

from __future__ import annotations

import msgspec

from feeds.errors import BadInput
from feeds.instruments import Grid, parse_decimal


def fact(text: str) -> int:
    """Decimal text in units of 1e-9, what is finer cut off; raise BadInput where it is none or too large."""
    mantissa, decimals = parse_decimal(text[:64])
    value: int = mantissa * 10 ** (9 - decimals) if decimals <= 9 else mantissa // 10 ** (decimals - 9)
    if abs(value) >= 2**62:
        raise BadInput("number", text, "a value that fits 62 bits at 9 decimals")
    return value


def unit(decimals: int) -> str:
    """The increment of so many decimals; raise BadInput beyond 18."""
    if not 0 <= decimals <= 18:
        raise BadInput("decimals", decimals, "0 to 18")
    return f"0.{'1':0>{decimals}}" if decimals else "1"


def increment(raw: msgspec.Raw) -> str:
    """An increment written as a JSON number, perhaps with an exponent, as decimal text; raise BadInput else."""
    mantissa, decimals = parse_decimal(bytes(raw).decode())
    return Grid(unit(decimals)).text(mantissa)

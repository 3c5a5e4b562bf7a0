"""Money as exact decimals: reading it, comparing it with a share of something, and writing it for people."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from typing import Final

from feeds.errors import BadInput
from feeds.instruments import parse_decimal

DECIMALS: Final = 12
"""Decimals an amount may be given with."""
_MOST: Final = 10**15
_PRECISION: Final = 80
"""Digits that any sum or product of amounts and sizes here fits in."""


def read_money(text: str, place: str = "money") -> Decimal:
    """Read an amount; raise BadInput for what is no number, 10**15 and more, or finer than 12 decimals."""
    try:
        mantissa, decimals = parse_decimal(text)
    except BadInput:
        raise BadInput(place, text, "an amount such as 25000 or 1.24") from None
    if abs(mantissa) >= _MOST * 10**decimals or decimals > DECIMALS:
        raise BadInput(place, text, f"an amount below 10**15 with at most {DECIMALS} decimals")
    with localcontext(prec=_PRECISION):
        return Decimal(mantissa).scaleb(-decimals)


def read_profit(text: str, place: str = "profit") -> Decimal:
    """Read an amount that was reckoned, of any number of decimals; raise BadInput for 10**15 and what is no amount."""
    try:
        mantissa, decimals = parse_decimal(text)
    except BadInput:
        raise BadInput(place, text, "an amount such as -250 or 1.24") from None
    if abs(mantissa) >= _MOST * 10**decimals:
        raise BadInput(place, text, "an amount below 10**15")
    with localcontext(prec=_PRECISION):
        return Decimal(mantissa).scaleb(-decimals)


def exact(value: float) -> Fraction:
    """The decimal number a person wrote where it is kept as a float: 0.02 is 2/100 and nothing near it."""
    return Fraction(Decimal(repr(value)))


def decimal(value: Fraction | int) -> Decimal:
    """A fraction whose decimals end, as a Decimal; raise ValueError where they never do."""
    whole = Fraction(value)
    rest, places = whole.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest //= prime
            count += 1
        places = max(places, count)
    if rest != 1:
        raise ValueError(f"{whole} has no end of decimals")
    with localcontext(prec=max(_PRECISION, len(str(whole.numerator)) + places + 1)):
        return Decimal(whole.numerator * 10**places // whole.denominator).scaleb(-places)


def total(*amounts: Decimal) -> Decimal:
    """The sum, without rounding."""
    with localcontext(prec=_PRECISION):
        return sum(amounts, Decimal(0))


def times(amount: Decimal, count: int) -> Decimal:
    """An amount so many times, without rounding."""
    with localcontext(prec=_PRECISION):
        return amount * count


def cents(amount: Decimal | Fraction) -> str:
    """An amount to two decimals for people: '-1,240.50'."""
    with localcontext(prec=_PRECISION, rounding=ROUND_HALF_EVEN):
        value = Decimal(amount.numerator) / Decimal(amount.denominator) if isinstance(amount, Fraction) else amount
        shown = value.quantize(Decimal("0.01"))
        return f"{Decimal(0) if shown == 0 else shown:,.2f}"


def plain(amount: Decimal) -> str:
    """An amount in full, without an exponent, as a script reads it."""
    text = f"{amount:f}"
    return text if amount else text.removeprefix("-")

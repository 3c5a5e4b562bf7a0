"""Instruments, and the exact way between decimal text and integer ticks and lots.

A Grid counts a decimal quantity in whole increments: ticks of a price, lots of a size. It never goes
through a float. A value that is not a whole number of increments keeps its exact value in *fine units*
(10 ** -fine_decimals) and is reported as off the grid; it is never rounded.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable
from functools import cache, cached_property
from importlib import resources
from typing import Final

import msgspec

from feeds.errors import BadInput

_DECIMAL: Final = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?\Z", re.ASCII)
_EXTRA_DECIMALS: Final = 6
_LIMIT: Final = 2**62
_LONGEST: Final = 1_000
"""Characters of a number; Python refuses to read integers of more than 4,300 digits."""


def parse_decimal(text: str) -> tuple[int, int]:
    """Read decimal text as (mantissa, decimals), so that value = mantissa / 10**decimals.

    Trailing zeros count ('1.50' is (150, 2)). NaN, infinities, hex, spaces and underscores are refused.
    """
    known = isinstance(text, str) and len(text) <= _LONGEST  # type: ignore[redundant-expr]
    match = _DECIMAL.match(text) if known else None
    if match is None or not (match[2] or match[3]):
        raise BadInput("number", text, "a decimal number such as 101.25")
    sign, whole, part, power = match.groups()
    part = part or ""
    mantissa = int(f"{whole}{part}")
    decimals = len(part) - int(power or 0)
    if decimals < 0:
        mantissa *= 10**-decimals
        decimals = 0
    return (-mantissa if sign == "-" else mantissa), decimals


class Grid:
    """Count decimal text in whole increments, exactly, in both directions."""

    def __init__(self, increment: str) -> None:
        mantissa, decimals = parse_decimal(increment)
        if mantissa <= 0:
            raise BadInput("increment", increment, "a decimal number above 0")
        self.increment = increment
        self.decimals = decimals
        """Decimals that text of this quantity is written with."""
        self.mantissa = mantissa
        """The increment in units of 10 ** -decimals."""
        self.fine_decimals = decimals + _EXTRA_DECIMALS
        """Fine units are 10 ** -fine_decimals."""
        self.fine = mantissa * 10**_EXTRA_DECIMALS
        """Fine units in one increment."""

    def __repr__(self) -> str:
        return f"Grid({self.increment!r})"

    def read(self, text: str) -> tuple[int, bool]:
        """Turn text into (increments, True), or (fine units, False) for a value off the grid."""
        mantissa, decimals = parse_decimal(text)
        if decimals > self.fine_decimals:
            cut, rest = divmod(mantissa, 10 ** (decimals - self.fine_decimals))
            if rest:
                raise BadInput("number", text, f"at most {self.fine_decimals} decimals")
            fine = cut
        else:
            fine = mantissa * 10 ** (self.fine_decimals - decimals)
        count, rest = divmod(fine, self.fine)
        if rest:
            if abs(fine) >= _LIMIT:
                raise BadInput("number", text, f"a value that fits 62 bits at {self.fine_decimals} decimals")
            return fine, False
        if abs(count) >= _LIMIT:
            raise BadInput("number", text, f"a value of less than 2**62 increments of {self.increment}")
        return count, True

    def exact(self, text: str) -> int:
        """Turn text into increments; refuse a value off the grid."""
        count, on_grid = self.read(text)
        if not on_grid:
            raise BadInput("number", text, f"a multiple of {self.increment}")
        return count

    def text(self, count: int) -> str:
        """Write a count of increments as decimal text."""
        return _write(int(count) * self.mantissa, self.decimals)

    def fine_text(self, fine: int) -> str:
        """Write fine units as decimal text, trailing zeros beyond the grid's decimals dropped."""
        out = _write(int(fine), self.fine_decimals)
        keep = len(out) - self.fine_decimals + self.decimals
        head, tail = out[:keep], out[keep:].rstrip("0")
        return (head + tail).removesuffix(".")

    def value(self, count: float) -> float:
        """The quantity as a float, for words and pictures only."""
        return float(count) * self.mantissa / float(10**self.decimals)


def _write(mantissa: int, decimals: int) -> str:
    sign = "-" if mantissa < 0 else ""
    digits = str(abs(mantissa)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else f"{sign}{digits}"


class Instrument(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What is traded where, and how its prices and sizes are counted."""

    venue: str
    symbol: str
    tick: str
    """Price increment as decimal text; its decimals are those prices are written with."""
    lot: str = "1"
    """Size increment as decimal text."""
    multiplier: str = "1"
    """Money per one unit of price and of size."""
    currency: str = ""
    derived: bool = False
    """Tick and lot were derived from the decimals the source uses, not stated by the venue."""
    locked_ok: bool = False
    """Bid = ask at the end of a message is a legal state of this market, not a fault."""
    calendar: str = "24/7"
    """Name of the session calendar."""
    timezone: str = "UTC"
    description: str = ""

    def __post_init__(self) -> None:
        for name in ("tick", "lot", "multiplier"):
            try:
                ok = parse_decimal(getattr(self, name))[0] > 0
            except BadInput:
                ok = False
            if not ok:
                raise BadInput(f"{name} of {self.venue}:{self.symbol}", getattr(self, name), "a decimal number above 0")

    @cached_property
    def price(self) -> Grid:
        """The grid of prices."""
        return Grid(self.tick)

    @cached_property
    def size(self) -> Grid:
        """The grid of sizes."""
        return Grid(self.lot)

    @property
    def name(self) -> str:
        """VENUE:SYMBOL."""
        return f"{self.venue}:{self.symbol}"


def derive_increment(texts: Iterable[str], *, nice: bool) -> str:
    """Derive an increment from the decimals that texts use.

    The increment has as many decimals as the longest text. With `nice` it is the greatest 1, 2, 2.5 or 5
    times a power of ten that divides every value (prices quoted 0.10 apart but written 27985.10 give
    '0.10'); without, one unit of the last decimal, which later values cannot fall between.
    """
    pairs = [parse_decimal(text) for text in texts]
    if not pairs:
        raise BadInput("increment", "", "at least one value to derive it from")
    decimals = max(d for _, d in pairs)
    step = 1
    if nice:
        common = math.gcd(*(m * 10 ** (decimals - d) for m, d in pairs))
        distinct = {m * 10 ** (decimals - d) for m, d in pairs}
        if common > 0 and len(distinct) > 1:
            tens = 1
            while common % (tens * 10) == 0:
                tens *= 10
            step = max(tens * k for k in (1, 2, 5) if common % (tens * k) == 0)
            if common % (tens * 25) == 0:
                step = tens * 25
    return _write(step, decimals)


class Contract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the futures table."""

    symbol: str
    venue: str
    tick: str
    tick_value: str
    """Money per tick and contract; always tick x multiplier."""
    multiplier: str
    unit: str
    currency: str = "USD"
    source: str = ""
    checked: str = ""
    """Date the row was checked, or 'verify' while it is in doubt."""
    note: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether the row still wants checking against the exchange."""
        return self.checked == "verify"


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    contract: list[Contract]


def read_contracts(text: str, place: str) -> dict[str, Contract]:
    """Read a contract table (TOML); refuse a row whose tick value is not tick x multiplier."""
    try:
        rows = msgspec.convert(tomllib.loads(text), _Table).contract
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadInput(place, str(error), "a table of [[contract]] rows") from None
    table: dict[str, Contract] = {}
    for row in rows:
        (tick, td), (mult, md), (value, vd) = (parse_decimal(t) for t in (row.tick, row.multiplier, row.tick_value))
        if tick * mult * 10**vd != value * 10 ** (td + md):
            raise BadInput(f"{place}: {row.symbol}: tick_value", row.tick_value, f"{row.tick} x {row.multiplier}")
        if row.symbol in table:
            raise BadInput(f"{place}: symbol", row.symbol, "each symbol once")
        table[row.symbol] = row
    return table


@cache
def contracts() -> dict[str, Contract]:
    """The futures table shipped with the package, by symbol root."""
    text = (resources.files("feeds") / "contracts.toml").read_text(encoding="utf-8")
    return read_contracts(text, "contracts.toml")

"""One slow input read from a file, what a file gave, and the fields both are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

import msgspec

from feeds.errors import BadInput
from feeds.events import F_FLOAT_SHARES, F_SHORT_INTEREST
from feeds.facts.calendar import FIRST_YEAR, LAST_YEAR, day_over_ns, new_york_ns
from feeds.facts.kinds import KINDS, LIMIT, Kind
from feeds.instruments import parse_decimal

MAX_REFUSED: Final = 1_000
"""Refused rows of a file that are kept; all are counted."""
MAX_SYMBOL: Final = 64
_SYMBOL: Final = re.compile(r"[A-Za-z0-9$^*][A-Za-z0-9 ./:_+^*#=$-]{0,63}\Z", re.ASCII)
_GROUPED: Final = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?\Z", re.ASCII)
_ISO_DAY: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)\Z", re.ASCII)
_US_DAY: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})\Z", re.ASCII)
_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:(Z)|([+-])(\d\d):?(\d\d))\Z", re.ASCII
)
_NS: Final = re.compile(r"\d{18,19}\Z", re.ASCII)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

Wanted = Callable[[str], bool]
"""Says of a symbol whether its facts are wanted."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A value of one kind for one symbol, as of a time, known from a time on."""

    symbol: str
    """As the source writes it; $TOTAL, $EQUITY, $INDEX and $ETP are markets, not instruments."""
    kind: int
    """One of the FACT values."""
    value: int
    """The value x 10**k, k the kind's decimals."""
    as_of_ns: int
    """What time the value is of, ns since 1970; a date is its midnight in New York."""
    known_ns: int
    """From when on it may be used, ns since 1970."""
    source: str
    place: str = ""
    """File and line, for refusals."""
    side: int = 0
    """Side of a liquidation's closing order: BUY or SELL."""
    price: int = 0
    """Price of a liquidation x 10**9."""

    @property
    def order(self) -> tuple[int, int, str, int, int, str, int, int]:
        """Where the fact belongs among others, wherever they were read from; equal only for the same fact."""
        return (
            self.known_ns, self.as_of_ns, self.symbol, self.kind, self.value, self.source, self.side, self.price,
        )  # fmt: skip


class Parsed(msgspec.Struct, kw_only=True):
    """What one file gave."""

    format: str
    place: str
    facts: list[Fact] = []
    rows: int = 0
    """Rows of data in the file."""
    unwanted: int = 0
    """Rows of symbols nobody asked for."""
    refused: list[BadInput] = []
    """Why rows were left out, the first 1,000."""
    refused_rows: int = 0
    notes: list[str] = []

    def refuse(self, error: BadInput) -> None:
        """Leave a row out."""
        self.refused_rows += 1
        if len(self.refused) < MAX_REFUSED:
            self.refused.append(error)

    def done(self) -> Parsed:
        """Finish a file; raise the first refusal where it left nothing."""
        if self.refused and not self.facts:
            raise self.refused[0]
        return self


def read_symbol(text: str, place: str) -> str:
    """A symbol as it is written; raise BadInput for anything else."""
    text = text.strip()
    if not _SYMBOL.match(text):
        raise BadInput(f"{place}: symbol", text, f"a symbol of at most {MAX_SYMBOL} characters such as BRK.B")
    return text


def read_value(text: str, kind: Kind, place: str, unit: str = "", field: str = "value") -> int:
    """A value in the kind's fixed point, exactly; raise BadInput where unit, digits or bounds do not fit."""
    shift = kind.units.get(unit)
    if shift is None:
        named = [name for name in kind.units if name]
        raise BadInput(f"{place}: unit", unit, f"{' or '.join(named)} for {kind.name}")
    value = read_scaled(text, kind.decimals, place, field, shift)
    one = 10**kind.decimals
    low = kind.low is not None and (value < kind.low * one or (kind.positive and value == 0))
    if low or (kind.high is not None and value > kind.high * one):
        raise BadInput(f"{place}: {field}", text, f"{kind.bounds} for {kind.name}")
    return value


def read_scaled(text: str, decimals: int, place: str, field: str, shift: int = 0) -> int:
    """Decimal text, perhaps with thousands separators, as an integer x 10**decimals; BadInput where it has more."""
    text = text.strip()
    plain = text.replace(",", "") if _GROUPED.match(text) else text
    try:
        mantissa, digits = parse_decimal(plain)
    except BadInput as error:
        raise BadInput(f"{place}: {field}", text, error.expected) from None
    power = decimals + shift - digits
    value, rest = (mantissa * 10**power, 0) if power >= 0 else divmod(mantissa, 10**-power)
    if rest:
        raise BadInput(f"{place}: {field}", text, f"at most {decimals + shift} decimals")
    if abs(value) >= LIMIT:
        raise BadInput(f"{place}: {field}", text, f"a value that fits 62 bits at {decimals} decimals")
    return value


def read_day(text: str, place: str, field: str) -> date:
    """A date as YYYY-MM-DD, YYYYMMDD or MM/DD/YYYY, from 1990 to 2100."""
    text = text.strip()
    if found := _ISO_DAY.match(text):
        year, month, day = (int(part) for part in found.groups())
    elif found := _US_DAY.match(text):
        month, day, year = (int(part) for part in found.groups())
    else:
        year = month = day = 0
    try:
        if FIRST_YEAR <= year <= LAST_YEAR:
            return date(year, month, day)
    except ValueError:
        pass
    raise BadInput(f"{place}: {field}", text, f"a date such as 2026-11-13, from {FIRST_YEAR} to {LAST_YEAR}")


def read_instant(text: str, place: str, field: str) -> tuple[int, date | None]:
    """A time as (ns since 1970, None), or a date as (its midnight in New York, the date)."""
    text = text.strip()
    if _NS.match(text):
        ns = int(text)
        if ns < day_over_ns(date(LAST_YEAR, 12, 31)):
            return ns, None
    elif found := _INSTANT.match(text):
        day = read_day(found[1], place, field)
        hour, minute, second = int(found[2]), int(found[3]), int(found[4] or 0)
        away = (int(found[8]) * 60 + int(found[9])) * (-1 if found[7] == "-" else 1) if found[7] else 0
        if hour < 24 and minute < 60 and second < 60 and abs(away) < 24 * 60:
            seconds = (day.toordinal() - _EPOCH_DAY) * 86_400 + (hour * 60 + minute - away) * 60 + second
            return seconds * 1_000_000_000 + int((found[5] or "").ljust(9, "0")), None
    else:
        day = read_day(text, place, field)
        return new_york_ns(day), day
    raise BadInput(f"{place}: {field}", text, "a time such as 2026-11-13T14:30:00Z, or a date")


class Consistency:
    """Refuses facts that earlier ones, or the clock, contradict; facts come in the order they became known.

    Symbols with the same `key` are the same instrument.
    """

    def __init__(self, key: Callable[[str], object] = str) -> None:
        self._key = key
        self._newest: dict[tuple[object, int], int] = {}

    def check(self, fact: Fact, known_ns: int) -> None:
        """Take a fact known at `known_ns`; raise BadInput where it is of a later time, or short interest is above
        3 times the float, whichever of the two comes second.
        """
        if fact.as_of_ns > known_ns:
            raise BadInput(f"{fact.place}: as_of", _iso(fact.as_of_ns), f"a time that is not after {_iso(known_ns)}")
        if fact.kind in (F_SHORT_INTEREST, F_FLOAT_SHARES):
            other = F_FLOAT_SHARES if fact.kind == F_SHORT_INTEREST else F_SHORT_INTEREST
            key = self._key(fact.symbol)
            value = self._newest.get((key, other))
            short, free = (fact.value, value) if fact.kind == F_SHORT_INTEREST else (value, fact.value)
            if short is not None and free is not None and short > 3 * free:
                one = 10 ** KINDS[fact.kind].decimals
                what = f"{fact.symbol} {KINDS[fact.kind].name} {fact.value // one}"
                expected = f"short interest ({short // one}) of at most 3 x float ({free // one})"
                raise BadInput(f"{fact.place}: value", what, expected)
            self._newest[key, fact.kind] = fact.value


def consistent(facts: Iterable[Fact], key: Callable[[str], object] = str) -> tuple[list[Fact], list[BadInput]]:
    """Put facts in order, each once, and take out those the earlier ones contradict; give (facts, refusals)."""
    kept: list[Fact] = []
    refused: list[BadInput] = []
    consistency, before = Consistency(key), None
    for fact in sorted(facts, key=lambda one: one.order):
        if fact.order == before:
            continue
        before = fact.order
        try:
            consistency.check(fact, fact.known_ns)
        except BadInput as error:
            refused.append(error)
        else:
            kept.append(fact)
    return kept, refused


def _iso(ns: int) -> str:
    day, seconds = divmod(ns // 1_000_000_000, 86_400)
    hour, minute = divmod(seconds // 60, 60)
    try:
        return f"{date.fromordinal(_EPOCH_DAY + day).isoformat()}T{hour:02d}:{minute:02d}Z"
    except (ValueError, OverflowError):
        return f"{ns} ns"

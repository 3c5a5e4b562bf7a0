"""A small company on one sheet: market value, float, volume, how long its cash lasts, and dates to beware of.

Figures come from a file of the SEC's company facts (data.sec.gov/api/xbrl/companyfacts), which holds what every
filing reported: of a period reported more than once the latest filing counts, so that amendments replace what they
amend, and what was filed after the day asked for is not known yet. A concept that is missing is said to be, and never
taken for 0.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from tapeview.desk.adv import Volume
from tapeview.desk.money import decimal

MAX_BYTES: Final = 256 << 20
"""Bytes a file of company facts may have."""
_MAX_NOTES_BYTES: Final = 4 << 20
_MONTH_DAYS: Final = Fraction(36525, 1200)
_LEAST_DAYS, _MOST_DAYS = 60, 380
_STALE_DAYS: Final = 200
"""Age at which a figure is more than two quarters old."""

SHARES: Final = ("EntityCommonStockSharesOutstanding", "CommonStockSharesOutstanding")
FLOAT_VALUE: Final = ("EntityPublicFloat",)
CASH: Final = (
    "CashAndCashEquivalentsAtCarryingValue",
    "CashCashEquivalentsRestrictedCashAndRestrictedCashEquivalents",
    "Cash",
)
OPERATING: Final = (
    "NetCashProvidedByUsedInOperatingActivities",
    "NetCashProvidedByUsedInOperatingActivitiesContinuingOperations",
)


class _Reported(msgspec.Struct, frozen=True):
    end: date
    val: Decimal
    filed: date
    form: str = ""
    start: date | None = None


class _Concept(msgspec.Struct, frozen=True):
    units: dict[str, list[_Reported]]


_WANTED: Final = (*SHARES, *FLOAT_VALUE, *CASH, *OPERATING)
_Taxonomy = msgspec.defstruct("_Taxonomy", [(name, _Concept | None, None) for name in _WANTED], frozen=True)


class _Taxonomies(msgspec.Struct, frozen=True):
    dei: _Taxonomy = _Taxonomy()  # type: ignore[valid-type]
    gaap: _Taxonomy = msgspec.field(default=_Taxonomy(), name="us-gaap")  # type: ignore[valid-type]


class _Company(msgspec.Struct, frozen=True):
    facts: _Taxonomies
    entityName: str = ""  # noqa: N815  (the file's own name)


class Figure(NamedTuple):
    """A number of a filing."""

    value: Decimal
    end: date
    """The day it is of, or the last of its period."""
    filed: date
    form: str
    concept: str
    start: date | None = None
    """The first day of its period."""
    amended: bool = False
    """The same period was reported before with another value."""


class Company(NamedTuple):
    """What is known of a company on a day; None where its filings do not say."""

    name: str
    shares: Figure | None
    float_value: Figure | None
    """Money value of the shares in public hands, as the annual report states it for an earlier day."""
    cash: Figure | None
    operating: Figure | None
    """Cash from operations over the latest period; below 0 where it is spent."""


def read_company(path: Path, on: date) -> Company:
    """Read a file of company facts as known on a day; raise BadInput where it is none."""
    data = content(path, MAX_BYTES)
    try:
        company = msgspec.json.decode(data, type=_Company)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(str(path), str(error), "company facts of the SEC as JSON") from None
    return Company(
        company.entityName,
        _latest(company.facts, SHARES, "shares", on, path),
        _latest(company.facts, FLOAT_VALUE, "USD", on, path),
        _latest(company.facts, CASH, "USD", on, path),
        _latest(company.facts, OPERATING, "USD", on, path, spans=True),
    )


def content(path: Path, most: int) -> bytes:
    """The bytes of a file; raise BadInput where it cannot be read or has more than `most`."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise BadInput(str(path), None, f"a readable file ({error.strerror})") from None
    if len(data) > most:
        raise BadInput(str(path), f"more than {most} bytes", f"a file of at most {most >> 20} MiB")
    return data


def _latest(
    facts: _Taxonomies, names: tuple[str, ...], unit: str, on: date, path: Path, *, spans: bool = False
) -> Figure | None:
    """The figure of the latest end among all concepts that say the same, the first named first where they tie."""
    best: Figure | None = None
    for name in names:
        for taxonomy in (facts.dei, facts.gaap):
            concept = getattr(taxonomy, name)
            reported = [] if concept is None else [one for one in concept.units.get(unit, ()) if one.filed <= on]
            found = _of_concept(reported, name, path, spans=spans)
            if found is not None and (best is None or found.end > best.end):
                best = found
    return best


def _of_concept(reported: list[_Reported], name: str, path: Path, *, spans: bool) -> Figure | None:
    if spans:
        reported = [one for one in reported if one.start is not None and _LEAST_DAYS <= _days(one) <= _MOST_DAYS]
    if not reported:
        return None
    end = max(one.end for one in reported)
    at_end = [one for one in reported if one.end == end]
    if spans:
        # Quarterly reports tell the year to date; where the quarter itself is told too, it is the newer rate.
        shortest = min(_days(one) for one in at_end)
        at_end = [one for one in at_end if _days(one) == shortest]
    last = max(at_end, key=lambda one: one.filed)
    if not last.val.is_finite():
        raise BadInput(f"{path}: {name}", str(last.val), "a number")
    amended = any(one.val != last.val for one in at_end)
    return Figure(last.val, last.end, last.filed, last.form, name, last.start, amended)


def _days(one: _Reported) -> int:
    return (one.end - one.start).days + 1 if one.start is not None else 0


# -- notes ----------------------------------------------------------------------------------------


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dated event to beware of: a decision, results, the end of a lock-up."""

    date: date
    symbol: str
    text: str


class _Notes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    note: list[Note] = []


def read_notes(path: Path) -> list[Note]:
    """Dated notes by date, of a TOML file of [[note]] tables or a CSV file of date, symbol and text.

    Raises BadInput naming the line or key.
    """
    data = content(path, _MAX_NOTES_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start}", None, "UTF-8 text") from None
    if path.suffix.lower() == ".csv":
        return sorted(_csv_notes(text, path), key=lambda note: note.date)
    try:
        found = msgspec.convert(tomllib.loads(text), _Notes).note
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadInput(str(path), str(error), "[[note]] tables of date, symbol and text") from None
    return sorted(found, key=lambda note: note.date)


def _csv_notes(text: str, path: Path) -> Iterable[Note]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = next(rows, [])
        if [name.strip().lower() for name in head] != ["date", "symbol", "text"]:
            raise BadInput(f"{path}: line 1", ",".join(head), "date,symbol,text")
        for row in rows:
            place = f"{path}: line {rows.line_num}"
            if not row:
                continue
            if len(row) != 3:
                raise BadInput(place, f"{len(row)} fields", "3: date, symbol and text")
            try:
                day = date.fromisoformat(row[0].strip())
            except ValueError:
                raise BadInput(f"{place}: date", row[0], "a day such as 2026-12-01") from None
            yield Note(day, row[1].strip(), row[2].strip())
    except csv.Error as error:
        raise BadInput(f"{path}: line {rows.line_num}", str(error), "comma-separated values") from None


# -- the sheet ------------------------------------------------------------------------------------


class Sheet(NamedTuple):
    """A company on one page; None for what is not known, and `missing` says why in words."""

    name: str
    market_value: Decimal | None
    shares: Figure | None
    float_shares: int | None
    float_value: Figure | None
    volume: Volume | None
    cash: Figure | None
    burn_a_month: Decimal | None
    """Cash spent a month over the latest period reported; 0 and less where it earns."""
    runway_months: float | None
    """Months the cash reported lasts from the day of that report; infinite where none is spent."""
    left_months: float | None
    """The same from the day asked for."""
    ahead: tuple[Note, ...]
    """Notes of that day and later."""
    missing: tuple[str, ...]


def sheet(
    symbol: str,
    company: Company,
    on: date,
    price: Decimal | None,
    *,
    float_shares: int | None = None,
    volume: Volume | None = None,
    notes: Iterable[Note] = (),
) -> Sheet:
    """Put a company on a sheet as of a day."""
    missing: list[str] = []
    for figure, names in ((company.shares, SHARES), (company.cash, CASH), (company.operating, OPERATING)):
        if figure is None:
            missing.append(f"no {names[0]} filed by {on}")
        elif (on - figure.end).days > _STALE_DAYS:
            missing.append(f"{figure.concept} is of {figure.end}, {(on - figure.end).days} days old")
        if figure is not None and figure.amended:
            missing.append(f"{figure.concept} of {figure.end} was amended on {figure.filed}")
    if price is None:
        missing.append("no price")
    if float_shares is None:
        missing.append("float in shares is in no filing: give it")
    value = decimal(Fraction(company.shares.value) * Fraction(price)) if company.shares and price is not None else None
    burn = runway = left = None
    if company.operating is not None and company.operating.start is not None:
        days = (company.operating.end - company.operating.start).days + 1
        a_month = -Fraction(company.operating.value) / days * _MONTH_DAYS
        burn = Decimal(round(a_month))
        if company.cash is not None:
            runway = float(Fraction(company.cash.value) / a_month) if a_month > 0 else float("inf")
            left = max(0.0, runway - float((on - company.cash.end).days / _MONTH_DAYS))
    ahead = tuple(note for note in notes if note.symbol.upper() == symbol.upper() and note.date >= on)
    return Sheet(
        company.name or symbol, value, company.shares, float_shares, company.float_value, volume, company.cash, burn,
        runway, left, ahead, tuple(missing),
    )  # fmt: skip

"""FINRA's files: short interest twice a month, and the daily short sale volume of Regulation SHO.

Short interest (`shrtYYYYMMDD.csv`, divided by `|`): accountingYearMonthNumber, symbolCode, issueName,
issuerServicesGroupExchangeCode, marketClassCode, currentShortPositionQuantity, previousShortPositionQuantity,
stockSplitFlag, averageDailyVolumeQuantity, daysToCoverQuantity, revisionFlag, changePercent, changePreviousNumber,
settlementDate. The API's `consolidatedShortInterest` gives the same names as a JSON list of objects, or as CSV with
commas. Columns are found by name. Days to cover is not read: it is 999.99 where there is no volume.
That revisionFlag marks a position restated after its publication is recalled, not read in FINRA's own words.

Daily volume (`CNMSshvolYYYYMMDD.txt` and its sisters), "Regulation SHO Daily Short Sale Volume File Layout":
Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market, without ShortExemptVolume until 28 February 2011; the
last row is "a trailer denoting the number of records". Short volume includes exempt volume; since 2026 volumes are
in fractions of shares. It is volume reported off the exchanges, no position. Posted by 18:00 New York on its date.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from feeds.errors import BadInput
from feeds.events import (
    F_ADV20,
    F_REPORTED_VOLUME,
    F_SHORT_EXEMPT_VOLUME,
    F_SHORT_INTEREST,
    F_SHORT_VOLUME,
)
from feeds.facts.calendar import evening_ns, new_york_day, new_york_ns, next_settlement, short_interest_known_ns
from feeds.facts.fact import Fact, Parsed, Wanted, read_day, read_symbol, read_value
from feeds.facts.kinds import KINDS
from feeds.facts.layout import (
    Columns,
    Layout,
    first_line,
    is_json,
    list_of,
    read_json,
    read_lines,
    read_rows,
    text_of,
)

_SYMBOL: Final = "symbolCode"
_SETTLED: Final = "settlementDate"
_SHORT: Final = "currentShortPositionQuantity"
_ADV: Final = "averageDailyVolumeQuantity"
_REVISED: Final = "revisionFlag"
_NEEDED: Final = (_SYMBOL, _SHORT, _SETTLED)
_VOLUMES: Final = (("ShortVolume", F_SHORT_VOLUME), ("ShortExemptVolume", F_SHORT_EXEMPT_VOLUME),
                   ("TotalVolume", F_REPORTED_VOLUME))  # fmt: skip


def _is_short_interest(_: str, data: bytes) -> bool:
    if is_json(data):
        return b'"symbolCode"' in data[:65_536] and b'"settlementDate"' in data[:65_536]
    head = first_line(data)
    return _SYMBOL in head and _SHORT in head


def parse_short_interest(data: bytes, place: str, wanted: Wanted) -> Parsed:
    """Short interest and average daily volume in shares, as of settlement, known from publication on.

    A row marked as revised became known at an unknown later time; it is taken to be one reporting period later.
    """
    out = Parsed(format=SHORT_INTEREST.name, place=place)
    seen: set[tuple[str, date]] = set()
    if is_json(data):
        _short_interest_json(data, place, wanted, out, seen)
    else:
        lines = read_lines(data)
        if not lines:
            raise BadInput(f"{place}: line 1", "", f"a header with {', '.join(_NEEDED)}")
        delimiter = "|" if "|" in lines[0] else ","
        rows = read_rows(lines, place, delimiter, quoted=delimiter == ",")
        columns = Columns(next(rows, (1, [""]))[1], f"{place}: line 1", _NEEDED)
        for number, fields in rows:
            out.rows += 1
            where = f"{place}: line {number}"
            try:
                columns.checked(fields, where)
                row = {name: columns.of(fields, name) for name in (*_NEEDED, _ADV, _REVISED)}
                _short_interest(row, where, wanted, out, seen)
            except BadInput as error:
                out.refuse(error)
    revised = sum(fact.known_ns != _published(fact) for fact in out.facts if fact.kind == F_SHORT_INTEREST)
    if revised:
        out.notes.append(f"{revised} revised positions, taken as known one reporting period later")
    return out.done()


def _short_interest_json(data: bytes, place: str, wanted: Wanted, out: Parsed, seen: set[tuple[str, date]]) -> None:
    what = "objects with symbolCode and settlementDate"
    for number, one in enumerate(list_of(read_json(data, place, f"a list of {what}"), place, what), 1):
        out.rows += 1
        where = f"{place}: item {number}"
        try:
            if not isinstance(one, dict):
                raise BadInput(where, type(one).__name__, "an object")
            _short_interest(_texts(one, where), where, wanted, out, seen)
        except BadInput as error:
            out.refuse(error)


def _texts(one: dict[str, Any], where: str) -> dict[str, str]:
    names = (*_NEEDED, _ADV, _REVISED)
    return {name: "" if one.get(name) is None else text_of(one[name], where, name) for name in names}


def _short_interest(row: dict[str, str], where: str, wanted: Wanted, out: Parsed, seen: set[tuple[str, date]]) -> None:
    symbol = read_symbol(row[_SYMBOL], where)
    if not wanted(symbol):
        out.unwanted += 1
        return
    settled = read_day(row[_SETTLED], where, _SETTLED)
    if (symbol, settled) in seen:
        raise BadInput(f"{where}: {_SYMBOL}", symbol, "each symbol once a settlement date")
    values = [(F_SHORT_INTEREST, read_value(row[_SHORT], KINDS[F_SHORT_INTEREST], where, field=_SHORT))]
    if row[_ADV].strip():
        values.append((F_ADV20, read_value(row[_ADV], KINDS[F_ADV20], where, field=_ADV)))
    seen.add((symbol, settled))
    known = short_interest_known_ns(next_settlement(settled) if row[_REVISED].strip() else settled)
    as_of = new_york_ns(settled)
    out.facts += [
        Fact(symbol=symbol, kind=kind, value=value, as_of_ns=as_of, known_ns=known, source="FINRA", place=where)
        for kind, value in values
    ]


def _published(fact: Fact) -> int:
    return short_interest_known_ns(new_york_day(fact.as_of_ns))


def _is_daily(_: str, data: bytes) -> bool:
    return first_line(data).startswith("Date|Symbol|ShortVolume|")


def parse_daily(data: bytes, place: str, wanted: Wanted) -> Parsed:
    """Short, exempt and total reported volume of a day in shares; the trailer must count the rows."""
    out = Parsed(format=DAILY.name, place=place)
    lines = read_lines(data)
    while lines and not lines[-1].strip():
        lines.pop()
    header = lines[0].split("|") if lines else [""]
    columns = Columns(header, f"{place}: line 1", ("Date", "Symbol", "ShortVolume", "TotalVolume"))
    trailer = lines[-1].strip() if len(lines) > 1 else ""
    counted = int(trailer) if trailer.isascii() and trailer.isdigit() and len(trailer) < 10 else -1
    body = [line for line in lines[1:-1] if line.strip()]
    if not data.endswith(b"\n") and body and body[-1].startswith(trailer):
        counted = -1  # the beginning of another row's date
    if counted != len(body):
        raise BadInput(f"{place}: line {len(lines)}: trailer", trailer, f"the number of rows, here {len(body)}")
    seen: set[tuple[str, date]] = set()
    for number, fields in read_rows(lines[1:-1], place, "|", 2, quoted=False):
        out.rows += 1
        where = f"{place}: line {number}"
        try:
            _daily(columns, columns.checked(fields, where), where, wanted, out, seen)
        except BadInput as error:
            out.refuse(error)
    return out.done()


def _daily(
    columns: Columns, fields: list[str], where: str, wanted: Wanted, out: Parsed, seen: set[tuple[str, date]]
) -> None:
    symbol = read_symbol(columns.of(fields, "Symbol"), where)
    if not wanted(symbol):
        out.unwanted += 1
        return
    day = read_day(columns.of(fields, "Date"), where, "Date")
    if (symbol, day) in seen:
        raise BadInput(f"{where}: Symbol", symbol, "each symbol once a day")
    values = {
        kind: read_value(columns.of(fields, name), KINDS[kind], where, field=name)
        for name, kind in _VOLUMES
        if name in columns
    }
    exempt = values.get(F_SHORT_EXEMPT_VOLUME, 0)
    if not exempt <= values[F_SHORT_VOLUME] <= values[F_REPORTED_VOLUME]:
        shown = "|".join(columns.of(fields, name) for name, _ in _VOLUMES)
        raise BadInput(f"{where}: volumes", shown, "exempt of at most short, short of at most total volume")
    seen.add((symbol, day))
    as_of, known = new_york_ns(day), evening_ns(day)
    out.facts += [
        Fact(symbol=symbol, kind=kind, value=value, as_of_ns=as_of, known_ns=known, source="FINRA", place=where)
        for kind, value in values.items()
    ]


SHORT_INTEREST: Final = Layout(
    "finra-short-interest", "FINRA short interest (text or JSON)", _is_short_interest, parse_short_interest
)
DAILY: Final = Layout("finra-daily-volume", "FINRA daily short sale volume", _is_daily, parse_daily)

"""Cboe's daily put and call volumes by product.

Files of a day (`YYYY-MM-DD_daily_options`, from 7 October 2019): `{"ratios":[{"name":"TOTAL PUT/CALL RATIO",
"value":"0.91"},...],"SUM OF ALL PRODUCTS":[{"name":"VOLUME","call":...,"put":...,"total":...},{"name":"OPEN INTEREST",
...}],"INDEX OPTIONS":[...],...}`. The date is in the file's name, or in `selectedDate` where it was kept.
Tables of the years before (`totalpc.csv`, `equitypc.csv`, ...; end on 4 October 2019): a line or two of words with
`PRODUCT: TOTAL`, then `DATE,CALLS,PUTS,TOTAL,P/C Ratio` (CALL and PUT in other files, `Trade_date` in the archives,
`Date,SPX Put/Call Ratio,SPX Put Volume,SPX Call Volume,Total SPX Options Volume` for the S&P), dates MM/DD/YYYY.

When a day's figures are posted is not stated; they are taken to be known at 09:00 New York of the next business day.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

from feeds.errors import BadInput
from feeds.events import F_CALL_VOLUME, F_PUT_VOLUME
from feeds.facts.calendar import new_york_ns, next_morning_ns
from feeds.facts.fact import Fact, Parsed, Wanted, read_day, read_scaled, read_value
from feeds.facts.kinds import KINDS
from feeds.facts.layout import Layout, is_json, list_of, name_of, read_json, read_lines, read_rows, text_of

_SECTIONS: Final = {
    "SUM OF ALL PRODUCTS": "$TOTAL",
    "INDEX OPTIONS": "$INDEX",
    "EXCHANGE TRADED PRODUCTS": "$ETP",
    "EQUITY OPTIONS": "$EQUITY",
    "CBOE VOLATILITY INDEX (VIX)": "VIX",
    "SPX + SPXW": "SPX",
}
_PRODUCTS: Final = {
    "TOTAL": "$TOTAL",
    "INDEX": "$INDEX",
    "ETP": "$ETP",
    "EQUITY": "$EQUITY",
    "VIX": "VIX",
    "SPX": "SPX",
}
_FILE: Final = re.compile(r"(\d{4}-\d\d-\d\d)_daily_options", re.ASCII)
_TABLE: Final = re.compile(r"(total|index|etp|equity|vix|spx)pc(?:archive)?\.csv", re.ASCII | re.IGNORECASE)
_PRODUCT: Final = re.compile(r"PRODUCT:\s*([A-Za-z]+)|^([A-Za-z]+) Volume,", re.ASCII)
_HEADER_LINES: Final = 12
_WHAT: Final = "Cboe's daily options with SUM OF ALL PRODUCTS"
_RATIO_DECIMALS: Final = 9


def _recognises_day(_: str, data: bytes) -> bool:
    return is_json(data) and b'"SUM OF ALL PRODUCTS"' in data[:65_536]


def parse_day(data: bytes, place: str, wanted: Wanted) -> Parsed:
    """Put and call volume in contracts of each product that has a symbol here, on one day."""
    out = Parsed(format=DAY.name, place=place)
    answer = read_json(data, place, _WHAT)
    if not isinstance(answer, dict):
        raise BadInput(place, type(answer).__name__, _WHAT)
    day = _day_of(answer, place)
    for section, rows in answer.items():
        if section in ("ratios", "selectedDate"):
            continue
        out.rows += 1
        symbol = _SECTIONS.get(section)
        if symbol is None or not wanted(symbol):
            out.unwanted += 1
            continue
        try:
            out.facts += _section(rows, symbol, day, f"{place}: {section}")
        except BadInput as error:
            out.refuse(error)
    return out.done()


def _day_of(answer: dict[str, Any], place: str) -> date:
    named = _FILE.search(name_of(place))
    stated = answer.get("selectedDate")
    days = {read_day(named[1], place, "date in the file's name")} if named else set()
    if stated is not None:
        days.add(read_day(text_of(stated, place, "selectedDate"), place, "selectedDate"))
    if len(days) != 1:
        shown = " and ".join(day.isoformat() for day in sorted(days))
        raise BadInput(f"{place}: date", shown, "one date, in a file name such as 2026-11-20_daily_options")
    return days.pop()


def _section(rows: Any, symbol: str, day: date, where: str) -> list[Fact]:
    volumes = [row for row in list_of(rows, where, "rows") if isinstance(row, dict) and row.get("name") == "VOLUME"]
    if len(volumes) != 1:
        raise BadInput(where, f"{len(volumes)} rows", "one row named VOLUME")
    call, put, total = (text_of(volumes[0].get(name), where, name) for name in ("call", "put", "total"))
    return _facts(symbol, day, call, put, total, "", where)


def _facts(symbol: str, day: date, call: str, put: str, total: str, ratio: str, where: str) -> list[Fact]:
    calls = read_value(call, KINDS[F_CALL_VOLUME], where, field="call")
    puts = read_value(put, KINDS[F_PUT_VOLUME], where, field="put")
    if total and read_scaled(total, 0, where, "total") != calls + puts:
        raise BadInput(f"{where}: total", total, f"call + put, {calls + puts}")
    if ratio and calls:
        stated = read_scaled(ratio, _RATIO_DECIMALS, where, "ratio")
        one = 10**_RATIO_DECIMALS
        if (
            abs(stated * calls - puts * one) * 100 > calls * one
        ):  # more than 0.01 away: the columns are not what they say
            raise BadInput(f"{where}: ratio", ratio, f"put / call, {puts} / {calls}")
    as_of, known = new_york_ns(day), next_morning_ns(day)
    return [
        Fact(symbol=symbol, kind=kind, value=value, as_of_ns=as_of, known_ns=known, source="Cboe", place=where)
        for kind, value in ((F_PUT_VOLUME, puts), (F_CALL_VOLUME, calls))
    ]


def _recognises_table(_: str, data: bytes) -> bool:
    head = data[:4096].decode("utf-8", "replace")
    return not is_json(data) and ("P/C Ratio" in head or "Put/Call Ratio," in head) and "," in head


def parse_table(data: bytes, place: str, wanted: Wanted) -> Parsed:
    """Put and call volume in contracts of one product, day by day."""
    out = Parsed(format=TABLE.name, place=place)
    lines = read_lines(data)
    at, names = _header(lines, place)
    symbol = _product(lines[: at + 1], place)
    columns = {
        what: _column(names, what, f"{place}: line {at + 1}") for what in ("date", "call", "put", "total", "ratio")
    }
    seen: set[date] = set()
    for number, fields in read_rows(lines[at + 1 :], place, ",", at + 2):
        out.rows += 1
        where = f"{place}: line {number}"
        if not wanted(symbol):
            out.unwanted += 1
            continue
        try:
            if len(fields) < len(names):
                raise BadInput(where, ",".join(fields), f"{len(names)} fields as in the header")
            one = {what: fields[column].strip() for what, column in columns.items()}
            day = read_day(one["date"], where, "date")
            if day in seen:
                raise BadInput(f"{where}: date", one["date"], "each day once")
            out.facts += _facts(symbol, day, one["call"], one["put"], one["total"], one["ratio"], where)
            seen.add(day)
        except BadInput as error:
            out.refuse(error)
    return out.done()


def _header(lines: list[str], place: str) -> tuple[int, list[str]]:
    for at, line in enumerate(lines[:_HEADER_LINES]):
        names = [name.strip().lower() for name in line.split(",")]
        if names[0] in ("date", "trade_date") and len(names) >= 5:
            return at, names
    raise BadInput(
        f"{place}: line 1", lines[0] if lines else "", "a header DATE,CALLS,PUTS,TOTAL,P/C Ratio near the top"
    )


def _column(names: list[str], what: str, where: str) -> int:
    ends = {
        "date": ("date", "trade_date"),
        "call": ("call", "calls", "call volume"),
        "put": ("put", "puts", "put volume"),
        "total": ("total", "options volume"),
        "ratio": ("p/c ratio", "put/call ratio"),
    }[what]
    found = [at for at, name in enumerate(names) if name in ends or name.endswith(tuple(" " + end for end in ends))]
    if len(found) != 1:
        raise BadInput(f"{where}: header", ",".join(names), f"one column for {what}")
    return found[0]


def _product(lines: list[str], place: str) -> str:
    for line in lines:
        for found in _PRODUCT.finditer(line):
            symbol = _PRODUCTS.get((found[1] or found[2]).upper())
            if symbol:
                return symbol
    named = _TABLE.search(name_of(place))
    if named:
        return _PRODUCTS[named[1].upper()]
    raise BadInput(
        f"{place}: product", lines[0] if lines else "", "PRODUCT: TOTAL above the header, or totalpc.csv as name"
    )


DAY: Final = Layout("cboe-day", "Cboe option volume of a day (JSON)", _recognises_day, parse_day)
TABLE: Final = Layout("cboe-table", "Cboe put/call volumes by day (CSV, to 2019)", _recognises_table, parse_table)

"""Nasdaq's short interest of one stock, as its quote pages fetch it.

`{"data":{"symbol":"upst","shortInterestTable":{"headers":{...},"rows":[{"settlementDate":"09/15/2026",
"interest":"27,649,788","avgDailyShareVolume":"4,028,630","daysToCover":6.863323},...]}},"message":null,
"status":{"rCode":200,...}}`. Rows come in any order. `data` is null for stocks of other exchanges. History is
restated for splits, so positions from before a split are in shares of after it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Final

from feeds.errors import BadInput
from feeds.events import F_ADV20, F_SHORT_INTEREST
from feeds.facts.calendar import new_york_ns, short_interest_known_ns
from feeds.facts.fact import Fact, Parsed, Wanted, read_day, read_symbol, read_value
from feeds.facts.kinds import KINDS
from feeds.facts.layout import Layout, is_json, list_of, name_of, read_json, text_of

_WHAT: Final = "Nasdaq's answer with data.shortInterestTable.rows"


def _recognises(_: str, data: bytes) -> bool:
    head = data[:65_536]
    return is_json(data) and (b'"shortInterestTable"' in head or (b'"data"' in head and b'"rCode"' in head))


def parse(data: bytes, place: str, wanted: Wanted) -> Parsed:
    """Short interest and average daily volume in shares; no facts where Nasdaq has no data for the stock.

    The symbol is data.symbol, else the file's name up to its first point (`UPST.json`).
    """
    out = Parsed(format=LAYOUT.name, place=place)
    answer = read_json(data, place, _WHAT)
    body = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(answer, dict) and "data" in answer and body is None:
        out.notes.append("Nasdaq has no data for this symbol")
        return out
    if not isinstance(body, dict):
        raise BadInput(place, type(answer).__name__, _WHAT)
    named = body.get("symbol") or Path(name_of(place)).name.split(".", 1)[0]
    symbol = read_symbol(text_of(named, place, "symbol").upper(), place)
    table = body.get("shortInterestTable")
    rows = list_of(table.get("rows") if isinstance(table, dict) else None, f"{place}: shortInterestTable", "rows")
    if not wanted(symbol):
        out.rows = out.unwanted = len(rows)
        return out
    seen: set[date] = set()
    for number, row in enumerate(rows, 1):
        out.rows += 1
        try:
            out.facts += _row(row, symbol, f"{place}: row {number}", seen)
        except BadInput as error:
            out.refuse(error)
    return out.done()


def _row(row: Any, symbol: str, where: str, seen: set[date]) -> list[Fact]:
    if not isinstance(row, dict):
        raise BadInput(where, type(row).__name__, "an object")
    settled = read_day(text_of(row.get("settlementDate"), where, "settlementDate"), where, "settlementDate")
    if settled in seen:
        raise BadInput(f"{where}: settlementDate", settled.isoformat(), "each settlement date once")
    values = [("interest", F_SHORT_INTEREST)]
    if row.get("avgDailyShareVolume") not in (None, "", "N/A"):
        values.append(("avgDailyShareVolume", F_ADV20))
    as_of, known = new_york_ns(settled), short_interest_known_ns(settled)
    facts = []
    for name, kind in values:
        value = read_value(text_of(row.get(name), where, name), KINDS[kind], where, field=name)
        facts.append(
            Fact(symbol=symbol, kind=kind, value=value, as_of_ns=as_of, known_ns=known, source="Nasdaq", place=where)
        )
    seen.add(settled)
    return facts


LAYOUT: Final = Layout("nasdaq-short-interest", "Nasdaq short interest of a stock (JSON)", _recognises, parse)

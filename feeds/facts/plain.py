"""Our own plain layout of slow inputs, for whatever a person has: CSV with a header, or JSON.

`symbol,kind,value,unit,as_of,source` and, where wanted, `known_at,side,price`; as JSON a list of such objects, or
`{"facts": [...]}`. Kinds and units are those of `feeds.facts.kinds`; `unit` may be empty where the table allows.
`as_of` and `known_at` are dates (midnight in New York) or times with a zone (2026-11-13T14:30:00Z).
Without `known_at` a value is known: short interest 8 business days after settlement, daily option volume at 09:00 New
York of the next business day, daily short volume at 18:00 of its day, any other value of a date when the day is over,
a value of a time at that time. A liquidation needs `side` (buy or sell, of the closing order) and `price`.
"""

from __future__ import annotations

from typing import Any, Final

from feeds.errors import BadInput
from feeds.events import (
    BUY,
    F_CALL_VOLUME,
    F_LIQUIDATION,
    F_PUT_VOLUME,
    F_REPORTED_VOLUME,
    F_SHORT_EXEMPT_VOLUME,
    F_SHORT_INTEREST,
    F_SHORT_VOLUME,
    SELL,
)
from feeds.facts.calendar import (
    day_over_ns,
    evening_ns,
    new_york_day,
    next_morning_ns,
    short_interest_known_ns,
)
from feeds.facts.fact import Fact, Parsed, Wanted, read_instant, read_scaled, read_symbol, read_value
from feeds.facts.kinds import NAMES, SIZE_DECIMALS, Kind
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

_NEEDED: Final = ("symbol", "kind", "value", "as_of")
_FIELDS: Final = (*_NEEDED, "unit", "source", "known_at", "side", "price")
_MAX_SOURCE: Final = 80


def _recognises(_: str, data: bytes) -> bool:
    if is_json(data):
        return all(f'"{name}"'.encode() in data[:65_536] for name in _NEEDED)
    head = [name.strip() for name in first_line(data).split(",")]
    return all(name in head for name in _NEEDED)


def parse(data: bytes, place: str, wanted: Wanted) -> Parsed:
    """Facts as written; a column or a field with another name is refused."""
    out = Parsed(format=LAYOUT.name, place=place)
    seen: set[tuple[object, ...]] = set()
    for where, row in _json(data, place) if is_json(data) else _csv(data, place):
        out.rows += 1
        try:
            if isinstance(row, BadInput):
                raise row
            fact = _fact(row, where, wanted)
            if fact is not None:
                _refuse_again(fact, seen)
        except BadInput as error:
            out.refuse(error)
            continue
        if fact is None:
            out.unwanted += 1
        else:
            out.facts.append(fact)
    return out.done()


def _refuse_again(fact: Fact, seen: set[tuple[object, ...]]) -> None:
    event = (fact.value, fact.side, fact.price) if fact.kind == F_LIQUIDATION else ()
    identity = (fact.symbol, fact.kind, fact.as_of_ns, fact.known_ns, fact.source, *event)
    if identity in seen:
        raise BadInput(f"{fact.place}: as_of", fact.symbol, "each symbol, kind, as_of and source once, or known_at")
    seen.add(identity)


def _csv(data: bytes, place: str) -> list[tuple[str, dict[str, str] | BadInput]]:
    rows = read_rows(read_lines(data), place, ",")
    header = next(rows, (1, [""]))[1]
    columns = Columns(header, f"{place}: line 1", _NEEDED)
    for name in header:
        _refuse_unknown(name.strip(), f"{place}: line 1")
    found: list[tuple[str, dict[str, str] | BadInput]] = []
    for number, fields in rows:
        where = f"{place}: line {number}"
        try:
            columns.checked(fields, where)
            found.append((where, {name: columns.of(fields, name) for name in _FIELDS}))
        except BadInput as error:
            found.append((where, error))
    return found


def _json(data: bytes, place: str) -> list[tuple[str, dict[str, str] | BadInput]]:
    what = "objects with " + ", ".join(_NEEDED)
    answer = read_json(data, place, f"a list of {what}")
    if isinstance(answer, dict) and "facts" in answer:
        answer = answer["facts"]
    found: list[tuple[str, dict[str, str] | BadInput]] = []
    for number, one in enumerate(list_of(answer, place, what), 1):
        where = f"{place}: item {number}"
        try:
            found.append((where, _object(one, where)))
        except BadInput as error:
            found.append((where, error))
    return found


def _object(one: Any, where: str) -> dict[str, str]:
    if not isinstance(one, dict):
        raise BadInput(where, type(one).__name__, "an object")
    row = dict.fromkeys(_FIELDS, "")
    for name, value in one.items():
        _refuse_unknown(name, where)
        if value is not None:
            row[name] = text_of(value, where, name)
    return row


def _refuse_unknown(name: str, where: str) -> None:
    if name not in _FIELDS:
        raise BadInput(f"{where}: field", name, "one of " + ", ".join(_FIELDS))


def _fact(row: dict[str, str], where: str, wanted: Wanted) -> Fact | None:
    symbol = read_symbol(row["symbol"], where)
    kind = NAMES.get(row["kind"].strip())
    if kind is None:
        raise BadInput(f"{where}: kind", row["kind"], "one of " + ", ".join(NAMES))
    if not wanted(symbol):
        return None
    value = read_value(row["value"], kind, where, row["unit"].strip())
    as_of, known = _times(row, kind, where)
    side = price = 0
    if kind.code == F_LIQUIDATION:
        side = {"buy": BUY, "sell": SELL}.get(row["side"].strip().lower(), 0)
        if not side:
            raise BadInput(f"{where}: side", row["side"], "buy or sell, the side of the closing order")
        price = read_scaled(row["price"], SIZE_DECIMALS, where, "price")
    elif row["side"].strip() or row["price"].strip():
        raise BadInput(f"{where}: side and price", row["side"] or row["price"], "nothing, except for a liquidation")
    source = row["source"].strip()
    if len(source) > _MAX_SOURCE or not source.isprintable():
        raise BadInput(f"{where}: source", source, f"at most {_MAX_SOURCE} characters that can be shown")
    return Fact(
        symbol=symbol, kind=kind.code, value=value, as_of_ns=as_of, known_ns=known, source=source or "file",
        place=where, side=side, price=price,
    )  # fmt: skip


def _times(row: dict[str, str], kind: Kind, where: str) -> tuple[int, int]:
    as_of, day = read_instant(row["as_of"], where, "as_of")
    if row["known_at"].strip():
        known, known_day = read_instant(row["known_at"], where, "known_at")
        if known_day is not None:
            known = day_over_ns(known_day)
        if as_of > known:
            raise BadInput(f"{where}: as_of", row["as_of"], f"a time that is not after known_at, {row['known_at']}")
    elif kind.code == F_SHORT_INTEREST:
        known = short_interest_known_ns(day or new_york_day(as_of))
    elif day is None:
        known = as_of
    elif kind.code in (F_PUT_VOLUME, F_CALL_VOLUME):
        known = next_morning_ns(day)
    elif kind.code in (F_SHORT_VOLUME, F_SHORT_EXEMPT_VOLUME, F_REPORTED_VOLUME):
        known = evening_ns(day)
    else:
        known = day_over_ns(day)
    return as_of, known


LAYOUT: Final = Layout("facts", "tapeview's own list of slow inputs (CSV or JSON)", _recognises, parse)

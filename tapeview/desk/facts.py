"""What files say of an instrument beyond its market: daily volumes and closes, and dated notes, as a command."""

from __future__ import annotations

import csv
import io
import math
import statistics
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Final

from feeds.errors import BadInput
from tapeview.desk.adv import volume
from tapeview.desk.commands import Facts
from tapeview.desk.limits import DEFAULTS, Limits
from tapeview.desk.microcap import content, read_notes
from tapeview.desk.money import read_money
from tapeview.desk.terms import Terms

_MAX_BYTES: Final = 16 << 20
_HEAD: Final = ["date", "symbol", "volume"]


def facts_of(
    terms: Terms, on: date, *, volumes: Path | None = None, notes: Path | None = None, inst: int = 0,
    limits: Limits = DEFAULTS,
) -> Facts | None:  # fmt: skip
    """What is known of an instrument on a day; None where the files say nothing of it. Raises BadInput as they do.

    Only days before `on` count, so that a recording is held to what was known then.
    """
    by_day, closes = ({}, {}) if volumes is None else _read(volumes, terms)
    coming = [] if notes is None else read_notes(notes)
    dates = tuple((f"{one.date}", one.text) for one in coming if _same(one.symbol, terms) and one.date >= on)
    if not by_day:
        return Facts(dates=dates, inst=inst) if dates else None
    known = volume(by_day, on, limits=limits)
    return Facts(
        warn_lots=known.warn, most_lots=known.most, day_lots=float(known.average) if known.average else None,
        sigma=_sigma([closes[day] for day in sorted(closes) if day < on][-limits.adv_days - 1 :]), note=known.note,
        dates=dates, inst=inst,
    )  # fmt: skip


def _same(symbol: str, terms: Terms) -> bool:
    return symbol.casefold() == terms.symbol.casefold()


def _read(path: Path, terms: Terms) -> tuple[dict[date, int], dict[date, float]]:
    """Volumes in lots and closes of one symbol by day."""
    try:
        text = content(path, _MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start}", None, "UTF-8 text") from None
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    volumes: dict[date, int] = {}
    closes: dict[date, float] = {}
    try:
        head = [name.strip().lower() for name in next(rows, [])]
        if head[:3] != _HEAD or head[3:] not in ([], ["close"]):
            raise BadInput(f"{path}: line 1", ",".join(head), "date,symbol,volume or date,symbol,volume,close")
        for row in rows:
            place = f"{path}: line {rows.line_num}"
            if not row:
                continue
            if len(row) != len(head):
                raise BadInput(place, f"{len(row)} fields", f"{len(head)}: {', '.join(head)}")
            day = _day(row[0], place)
            if not _same(row[1].strip(), terms):
                continue
            if day in volumes:
                raise BadInput(f"{place}: date", row[0], "each day of a symbol once")
            volumes[day] = _lots(row[2], terms, place)
            if len(row) == 4:
                closes[day] = _close(row[3], place)
    except csv.Error as error:
        raise BadInput(f"{path}: line {rows.line_num}", str(error), "comma-separated values") from None
    return volumes, closes


def _day(text: str, place: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(f"{place}: date", text, "a day such as 2026-12-01") from None


def _lots(text: str, terms: Terms, place: str) -> int:
    try:
        lots = terms.size.exact(text.strip())
    except BadInput:
        lots = -1
    if lots < 0:
        raise BadInput(f"{place}: volume", text, f"0 or more in steps of {terms.size.increment}")
    return lots


def _close(text: str, place: str) -> float:
    price = float(read_money(text.strip(), f"{place}: close"))
    if price <= 0:
        raise BadInput(f"{place}: close", text, "a price above 0")
    return price


def _sigma(closes: list[float]) -> float | None:
    returns = [math.log(after / before) for before, after in pairwise(closes)]
    return statistics.pstdev(returns) if len(returns) >= 2 else None

"""The sheet of a small company, as `tapeview size` prints it below a size."""

from __future__ import annotations

import argparse
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from feeds.errors import BadInput
from tapeview.cli import _trade as trade


def add_company(parser: argparse.ArgumentParser) -> None:
    """Add the words that say where a company's figures are."""
    company = parser.add_argument_group("the company")
    company.add_argument("--company", metavar="FILE", type=Path, help="its facts as the SEC gives them, JSON")
    company.add_argument("--notes", metavar="FILE", type=Path, help="dated notes: TOML, or CSV of date,symbol,text")
    company.add_argument("--float", metavar="SHARES", help="shares in public hands, which no filing tells")
    company.add_argument("--on", metavar="DAY", help="as known on this day (today)")


def sheet_of(args: argparse.Namespace, price: Decimal | None) -> dict[str, Any] | None:
    """The sheet as a record for `--json`; None where no company is asked for."""
    from tapeview.desk.microcap import read_company, read_notes, sheet
    from tapeview.desk.money import plain

    if args.company is None:
        for name in ("notes", "float", "on"):
            if getattr(args, name) is not None:
                raise BadInput(f"--{name}", str(getattr(args, name)), "--company with it")
        return None
    on = _day(args.on)
    made = sheet(
        args.symbol, read_company(args.company, on), on, price,
        float_shares=None if args.float is None else trade.count(args.float, "--float"),
        notes=() if args.notes is None else read_notes(args.notes),
    )  # fmt: skip
    figures = {"shares": made.shares, "float_value": made.float_value, "cash": made.cash}
    months = {"runway_months": made.runway_months, "left_months": made.left_months}
    return {
        "name": made.name, "on": on, "market_value": None if made.market_value is None else plain(made.market_value),
        **{name: None if one is None else plain(one.value) for name, one in figures.items()},
        **{f"{name}_of": None if one is None else one.end for name, one in figures.items()},
        "float_shares": made.float_shares,
        "burn_a_month": None if made.burn_a_month is None else plain(made.burn_a_month),
        **{name: value if value is not None and math.isfinite(value) else None for name, value in months.items()},
        "ahead": made.ahead, "missing": made.missing,
    }  # fmt: skip


def sheet_rows(record: dict[str, Any] | None) -> list[tuple[str, object]]:
    """The same in words, for two columns."""
    if record is None:
        return []

    def whole(name: str) -> str:
        return f"{Decimal(record[name]):,.0f}"

    rows: list[tuple[str, object]] = [("company", f"{record['name']}, as known on {record['on']}")]
    if record["market_value"] is not None:
        rows.append(("worth", f"{whole('market_value')} with {whole('shares')} shares of {record['shares_of']}"))
    if record["float_shares"] is not None:
        rows.append(("float", f"{record['float_shares']:,} shares"))
    if record["float_value"] is not None:
        rows.append(("float then", f"worth {whole('float_value')} on {record['float_value_of']}"))
    if record["cash"] is not None:
        rows.append(("cash", f"{whole('cash')} on {record['cash_of']}{_lasting(record)}"))
    rows += [("ahead", f"{note.date}  {note.text}") for note in record["ahead"]]
    return [*rows, *(("missing", text) for text in record["missing"])]


def _lasting(record: dict[str, Any]) -> str:
    if record["burn_a_month"] is None:
        return ""
    if record["left_months"] is None:
        return ", and none is spent"
    return f", {Decimal(record['burn_a_month']):,.0f} a month spent: {record['left_months']:.1f} months left"


def _day(text: str | None) -> date:
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput("--on", text, "a day such as 2026-12-01") from None

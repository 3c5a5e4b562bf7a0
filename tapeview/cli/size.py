"""`tapeview size SYMBOL`: how many, from what may be lost, costs, Kelly, and what the market bears."""

from __future__ import annotations

import argparse
import math
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from feeds.errors import BadInput
from tapeview.cli import _common as common
from tapeview.cli import _trade as trade
from tapeview.cli._sheet import add_company, sheet_of, sheet_rows

if TYPE_CHECKING:
    from tapeview.desk.limits import Limits
    from tapeview.desk.terms import Terms


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    from tapeview.desk.expectancy import CONTEXT

    parser.epilog = CONTEXT
    trade.add_terms(parser)
    parser.add_argument("--account", metavar="MONEY", help="what the account holds")
    parser.add_argument(
        "--risk", metavar="SHARE", help="share of it to lose at the stop: 1%% or 0.01 (desk.limits.trade_risk)"
    )
    parser.add_argument("--ticks", metavar="N", help="distance of the stop in ticks")
    parser.add_argument("--entry", metavar="PRICE", help="price of the entry, with --stop or --ticks")
    parser.add_argument("--stop", metavar="PRICE", help="price of the stop")
    record = parser.add_argument_group("a record of trades, for Kelly")
    record.add_argument("--wins", metavar="N", help="trades won")
    record.add_argument("--trades", metavar="N", help="trades in all")
    record.add_argument("--ratio", metavar="B", help="what a win brings, in R before costs")
    volume = parser.add_argument_group("what the market bears")
    volume.add_argument("--volumes", metavar="V,V,…", help="volumes of complete days, the latest last")
    volume.add_argument("--last-30", metavar="V", help="volume of the last 30 minutes, where days lack")
    volume.add_argument("--rate", metavar="V", help="what trades in a minute now: tells the time to get out")
    volume.add_argument("--sigma", metavar="SHARE", help="daily volatility, 8%% or 0.08: tells the impact")
    add_company(parser)


def run(args: argparse.Namespace) -> int:
    """Reckon and print; exit 1 where not one lot may be had."""
    from tapeview.desk.costs import round_trip
    from tapeview.desk.money import plain
    from tapeview.desk.sizing import size

    limits, terms, costs = trade.limits(args), trade.terms(args), trade.profile(args)
    if args.account is None:
        raise BadInput("size", None, "--account MONEY")
    account = trade.amount(args.account, "--account")
    ticks = _distance(args, terms)
    share = None if args.risk is None else trade.share(args.risk, "--risk")
    month, slip = trade.count(args.month_lots, "--month-lots"), trade.count(args.slip, "--slip")
    entry = None if args.entry is None else trade.price(terms, args.entry, "--entry")
    cost = round_trip(costs, terms, 1, month, tick=entry)
    bears = _bears(args, terms, limits)
    try:
        found = size(terms, account, ticks, cost, share=share, slip_ticks=slip, limits=limits)
    except ValueError as error:
        raise BadInput("size", str(error), "a loss above 0 at the stop") from None
    lots = found.lots if bears is None else min(found.lots, bears["most_lots"])
    record = {
        "symbol": terms.symbol, "tick": terms.price.increment, "tick_value": plain(terms.tick_value),
        "currency": terms.currency, "account": plain(account), "budget": plain(found.budget), "stop_ticks": ticks,
        "slip_ticks": slip, "round_trip": plain(cost), "cost_ticks": float(found.cost_ticks),
        "cost_r": float(found.cost_r), "costly": found.costly, "loss_per_lot": plain(found.loss_per_lot),
        "size": terms.size.text(lots), "lots": lots, "by_risk": terms.size.text(found.lots),
        "loss": plain(found.loss_per_lot * lots), "kelly": _kelly(args, float(found.cost_r), limits),
        "volume": bears,
        "company": sheet_of(args, None if entry is None else Decimal(terms.price.text(entry))),
        "warnings": trade.warnings(terms, costs),
    }  # fmt: skip
    common.emit(record) if args.json else _print(record, terms)
    return 0 if lots > 0 else 1


def _distance(args: argparse.Namespace, terms: Terms) -> int:
    if args.ticks is not None and args.stop is None:
        return trade.count(args.ticks, "--ticks", 1)
    if args.ticks is not None or args.entry is None or args.stop is None:
        raise BadInput("size", None, "either --ticks N, or --entry PRICE and --stop PRICE")
    entry, stop = trade.price(terms, args.entry, "--entry"), trade.price(terms, args.stop, "--stop")
    if entry == stop:
        raise BadInput("--stop", args.stop, "another price than the entry")
    return abs(entry - stop)


def _kelly(args: argparse.Namespace, cost_r: float, limits: Limits) -> dict[str, Any] | None:
    from tapeview.desk.expectancy import edge, longest_losing_run, trades_needed
    from tapeview.desk.money import read_money
    from tapeview.desk.sizing import kelly

    said = (args.wins, args.trades, args.ratio)
    if said == (None, None, None):
        return None
    if None in said:
        raise BadInput("size", None, "--wins, --trades and --ratio together")
    wins, trades = trade.count(args.wins, "--wins"), trade.count(args.trades, "--trades", 1)
    ratio = float(read_money(args.ratio, "--ratio"))
    if wins > trades or ratio <= 0:
        raise BadInput("--wins", f"{wins} of {trades} at {ratio:g}", "no more wins than trades, at more than 0")
    found, made = kelly(wins, trades, ratio, cost_r, limits), edge(wins / trades, ratio, cost_r)
    return {
        "win_rate": found.win_rate.value, "win_rate_ci": [found.win_rate.low, found.win_rate.high],
        "expectancy_r": made.expectancy,
        "profit_factor": made.profit_factor if math.isfinite(made.profit_factor) else None,
        "break_even": made.break_even, "full": found.full, "cautious": found.cautious, "suggested": found.suggested,
        "trades_needed": trades_needed(made.expectancy, made.sigma),
        "losing_run_in_1000": round(longest_losing_run(1000, wins / trades)),
    }  # fmt: skip


def _bears(args: argparse.Namespace, terms: Terms, limits: Limits) -> dict[str, Any] | None:
    from tapeview.desk.adv import exit_seconds, impact, volume

    if args.volumes is None and args.last_30 is None:
        for name in ("rate", "sigma"):
            if getattr(args, name) is not None:
                raise BadInput(f"--{name}", getattr(args, name), "--volumes with it")
        return None
    days = [_lots(terms, one, "--volumes") for one in (args.volumes or "").split(",") if one]
    today = date(2000, 1, 1) + timedelta(days=len(days))  # only their order counts
    last = None if args.last_30 is None else _lots(terms, args.last_30, "--last-30")
    known = volume({today - timedelta(days=len(days) - n): lots for n, lots in enumerate(days)}, today, last, limits)
    rate = None if args.rate is None else _lots(terms, args.rate, "--rate") / 60
    sigma = None if args.sigma is None else float(trade.share(args.sigma, "--sigma"))
    average = None if known.average is None else float(known.average)
    return {
        "days": known.days, "average": None if average is None else average * float(terms.size.value(1)),
        "warn": terms.size.text(known.warn), "most": terms.size.text(known.most), "most_lots": known.most,
        "note": known.note,
        "exit_s": None if rate is None else exit_seconds(known.most, rate, limits),
        "impact": None if sigma is None or average is None else list(impact(known.most, average, sigma, limits)),
    }  # fmt: skip


def _lots(terms: Terms, text: str, place: str) -> int:
    try:
        lots = terms.size.exact(text.strip())
    except BadInput as error:
        raise BadInput(place, text, f"a size in steps of {terms.size.increment}") from error
    if lots < 0:
        raise BadInput(place, text, "a size of 0 or more")
    return lots


def _print(record: dict[str, Any], terms: Terms) -> None:
    from tapeview.desk.money import cents

    unit = f" {terms.currency}" if terms.currency else ""
    red = "  TOO COSTLY" if record["costly"] else ""
    rows: list[tuple[str, object]] = [
        ("symbol", f"{terms.symbol}, a tick of {terms.price.increment} is {record['tick_value']}{unit}"),
        ("may lose", f"{_money(record['budget'])} of {_money(record['account'])}"),
        (
            "stop",
            f"{record['stop_ticks']} ticks away = {cents(terms.money(record['stop_ticks']))}, "
            f"slips by {record['slip_ticks']}",
        ),
        (
            "costs",
            f"{_money(record['round_trip'])} a round trip = {record['cost_ticks']:.2f} ticks "
            f"= {trade.percent(record['cost_r'])} of R{red}",
        ),
        ("size", f"{record['size']}, which loses {_money(record['loss'])} at the stop, costs included"),
    ]
    known = record["volume"]
    if known is not None:
        by = f"by risk {record['by_risk']}, " if record["by_risk"] != record["size"] else ""
        average = "" if known["average"] is None else f" of {known['average']:,.0f} a day"
        rows.append(("volume", f"{by}warned from {known['warn']}, refused from {known['most']}{average}"))
        rows.append(("", known["note"]))
        if known["exit_s"] is not None:
            rows.append(("exit", f"{known['exit_s'] / 60:.0f} min for the most"))
        if known["impact"] is not None:
            low, high = known["impact"]
            rows.append(("impact", f"{low * 100:.2f} to {high * 100:.2f} % of the price for the most"))
    rows += _kelly_rows(record["kelly"])
    rows += sheet_rows(record["company"])
    common.pairs(rows)
    for text in record["warnings"]:
        common.say(text)


def _kelly_rows(kelly: dict[str, Any] | None) -> list[tuple[str, object]]:
    if kelly is None:
        return []
    low, high = kelly["win_rate_ci"]
    factor = "none lost" if kelly["profit_factor"] is None else f"{kelly['profit_factor']:.3f}"
    needed = "never" if kelly["trades_needed"] is None else f"after {kelly['trades_needed']} trades"
    return [
        ("win rate", f"{trade.percent(kelly['win_rate'])} ({trade.percent(low)} to {trade.percent(high)}), "
                     f"breaks even at {trade.percent(kelly['break_even'])}"),
        ("expectancy", f"{kelly['expectancy_r']:+.2f} R, profit factor {factor}; told from 0 {needed}"),
        ("losing run", f"{kelly['losing_run_in_1000']} to expect in 1,000 trades"),
        ("kelly", f"{trade.percent(kelly['full'])} as seen, {trade.percent(kelly['cautious'])} at the lower end; "
                  f"suggested {kelly['suggested'] * 100:.2f} %"),
    ]  # fmt: skip


def _money(text: str) -> str:
    from tapeview.desk.money import cents

    return cents(Decimal(text))

"""`tapeview plan SYMBOL SIDE LEG…`: layers whose risk does not grow, what goes out, and whether the day bears it."""

from __future__ import annotations

import argparse
from decimal import Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from feeds.errors import BadInput
from tapeview.cli import _common as common
from tapeview.cli import _trade as trade

if TYPE_CHECKING:
    from tapeview.desk.layers import Plan
    from tapeview.desk.limits import Limits
    from tapeview.desk.terms import Terms

_SIDES = {"buy": 1, "long": 1, "sell": -1, "short": -1}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    from tapeview.desk.stops import RESIDUAL

    parser.epilog = RESIDUAL
    trade.add_terms(parser)
    parser.add_argument("side", metavar="SIDE", help="buy or sell")
    parser.add_argument(
        "leg", nargs="+", metavar="LEG", help="SIZE@PRICE:STOP; the stop of later legs is worked out where not given"
    )
    parser.add_argument("--target", metavar="PRICE", help="where the profit is to be taken")
    parser.add_argument("--account", metavar="MONEY", help="equity at the session's roll: judges the daily loss")
    parser.add_argument("--day", default="0", metavar="MONEY", help="the day's realised result so far (0)")
    parser.add_argument("--open", default="0", metavar="MONEY", help="what other open plans lose at their stops (0)")


def run(args: argparse.Namespace) -> int:
    """Reckon and print; exit 1 where a leg or the whole is refused."""
    from tapeview.desk.costs import round_trip
    from tapeview.desk.layers import Refused, add, begin, out_near, worst_case
    from tapeview.desk.money import plain

    limits, terms, costs = trade.limits(args), trade.terms(args), trade.profile(args)
    if args.side not in _SIDES:
        raise BadInput("side", args.side, "buy or sell")
    side = _SIDES[args.side]
    slip, month = trade.count(args.slip, "--slip"), trade.count(args.month_lots, "--month-lots")
    plan: Plan | None = None
    legs: list[dict[str, Any]] = []
    refused = ""
    for text in args.leg:
        tick, lots, stop = _leg(terms, text)
        if plan is None:
            if stop is None:
                raise BadInput("LEG", text, "SIZE@PRICE:STOP, the first leg with its stop")
            try:
                plan = begin(side, tick, lots, stop)
            except ValueError:
                raise BadInput("LEG", text, f"a stop {'below' if side > 0 else 'above'} the entry") from None
        else:
            made = add(terms, plan, tick, lots, stop, limits)
            if isinstance(made, Refused):
                refused = made.reason
                legs.append(_row(terms, None, tick, lots, stop, refused))
                break
            plan = made
        legs.append(_row(terms, plan, tick, lots, plan.stop, ""))
    assert plan is not None
    record: dict[str, Any] = {
        "symbol": terms.symbol, "side": "buy" if side > 0 else "sell", "currency": terms.currency, "legs": legs,
        "out": None, "worst_case": None, "day": None, "warnings": trade.warnings(terms, costs),
    }  # fmt: skip
    if args.target is not None:
        target = trade.price(terms, args.target, "--target")
        try:
            near = out_near(plan, target, limits)
        except ValueError:
            raise BadInput("--target", args.target, "a price in profit of the average entry") from None
        record["out"] = {
            "from": terms.price.text(near.near), "size": terms.size.text(near.lots), "rest": terms.size.text(near.rest)
        }  # fmt: skip
    cost = round_trip(costs, terms, 1, month, tick=max(leg.tick for leg in plan.legs))
    worst = worst_case(terms, plan, cost, slip)
    record["worst_case"] = plain(worst)
    if args.account is not None:
        record["day"] = _day(args, worst, limits)
        refused = refused or record["day"]["reason"]
    record["ok"] = not refused
    record["reason"] = refused or None
    common.emit(record) if args.json else _print(record)
    return 1 if refused else 0


def _leg(terms: Terms, text: str) -> tuple[int, int, int | None]:
    lots_text, at, rest = text.partition("@")
    price_text, colon, stop_text = rest.partition(":")
    wanted = "SIZE@PRICE or SIZE@PRICE:STOP such as 2@5000:4996"
    if not at or (colon and not stop_text):
        raise BadInput("LEG", text, wanted)
    try:
        lots = terms.size.exact(lots_text)
        tick = terms.price.exact(price_text)
        stop = terms.price.exact(stop_text) if colon else None
    except BadInput as error:
        raise BadInput("LEG", text, f"{wanted}: {error.value} is no {error.expected}") from None
    if lots <= 0:
        raise BadInput("LEG", text, "a size above 0")
    return tick, lots, stop


def _row(terms: Terms, plan: Plan | None, tick: int, lots: int, stop: int | None, reason: str) -> dict[str, Any]:
    from tapeview.desk.money import plain

    return {
        "size": terms.size.text(lots), "price": terms.price.text(tick),
        "average": None if plan is None else _average(terms, plan.average),
        "stop": None if stop is None else terms.price.text(stop),
        "open_risk": None if plan is None else plain(terms.money(plan.open_risk)),
        "accepted": plan is not None, "reason": reason or None,
    }  # fmt: skip


def _average(terms: Terms, ticks: Fraction) -> str:
    """An average price, exact or to 12 significant digits."""
    value = ticks * terms.price.mantissa / 10**terms.price.decimals
    shown = Context(prec=12).divide(Decimal(value.numerator), Decimal(value.denominator))
    step = Decimal(1).scaleb(-terms.price.decimals)
    return f"{shown.quantize(step) if shown == shown.quantize(step) else shown:f}"


def _day(args: argparse.Namespace, worst: Decimal, limits: Limits) -> dict[str, Any]:
    from tapeview.desk.day import begin, mark, refusal
    from tapeview.desk.money import plain, total

    account = trade.amount(args.account, "--account")
    made, others = trade.amount(args.day, "--day", above=False), trade.amount(args.open, "--open", above=False)
    if others < 0:
        raise BadInput("--open", args.open, "an amount from 0 on")
    # Any session will do: what is asked is whether its limit bears the plan.
    state, _ = mark(begin("crypto", 10**18, account, limits), 10**18, total(account, made), limits)
    reason = refusal(state, Decimal(0), [worst, others])
    return {
        "limit": plain(state.limit), "result": plain(made), "left": plain(state.room), "locked": state.locked,
        "allowed": not reason, "reason": reason,
    }  # fmt: skip


def _print(record: dict[str, Any]) -> None:
    from tapeview.desk.money import cents

    def money(text: str) -> str:
        return cents(Decimal(text))

    common.table(
        ["leg", "size", "price", "average", "stop", "open risk", ""],
        [
            [
                n, leg["size"], leg["price"], leg["average"] or "", leg["stop"] or "",
                "" if leg["open_risk"] is None else money(leg["open_risk"]),
                f"REFUSED: {leg['reason']}" if leg["reason"] else "",
            ]
            for n, leg in enumerate(record["legs"], 1)
        ],
        dict.fromkeys(range(6), True),
    )  # fmt: skip
    rows: list[tuple[str, object]] = []
    if record["out"] is not None:
        out = record["out"]
        rows.append(("out", f"{out['size']} from {out['from']} on, {out['rest']} stay and trail"))
    rows.append(("worst case", f"{money(record['worst_case'])}: the stop, costs, and the slip"))
    if record["day"] is not None:
        day = record["day"]
        verdict = "borne" if day["allowed"] else f"REFUSED: {day['reason']}"
        rows.append(("the day", f"{money(day['left'])} left of {money(day['limit'])}: {verdict}"))
    common.pairs(rows)
    for text in record["warnings"]:
        common.say(text)

"""A decision before it is sent: what is planned, what it risks and costs, and what is to be said of it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from tapeview.desk import adv
from tapeview.desk.commands import Call, Facts, Place
from tapeview.desk.costs import Charges, too_costly
from tapeview.desk.limits import Limits
from tapeview.desk.money import cents, exact, times, total
from tapeview.desk.sizing import size
from tapeview.desk.terms import Terms
from tapeview.desk.view import Touch


class Scene(NamedTuple):
    """What the desk is told of the market's patterns with a command: they are found above it."""

    alerts: tuple[str, ...] = ()
    """Texts of the alerts that are active for the instrument."""
    last_alert: str = ""
    last_alert_ns: int | None = None
    icebergs: tuple[tuple[int, int], ...] = ()
    """(side, tick) of those that are active."""


class Planned(NamedTuple):
    """Prices of a decision in ticks."""

    entry: int | None
    stop: int | None
    targets: tuple[int, ...]


def planned(order: Place | Call, touch: Touch) -> Planned:
    """Where a decision means to enter and to leave; at market that is the touch of the moment."""
    entry = order.tick if order.tick is not None else touch[1] if order.side > 0 else touch[0]
    if isinstance(order, Call):
        return Planned(entry, order.stop_tick, () if order.target_tick is None else (order.target_tick,))
    if order.bracket is None or entry is None:
        return Planned(entry, None, ())
    targets = tuple(entry + order.side * ticks for ticks, _ in order.bracket.targets)
    return Planned(entry, entry - order.side * order.bracket.stop_ticks, targets)


def worst_of(terms: Terms, charges: Charges, stop_ticks: int, lots: int, tick: int) -> Decimal:
    """What an entry loses where its stop is hit: its way and a tick for every lot, and costs."""
    return total(terms.money((stop_ticks + 1) * lots), charges.both_ways(terms, lots, tick))


class Weight(NamedTuple):
    """An entry against the account."""

    kept: bool | None
    """What it risks is within a trade's share of the account; None without a stop."""
    refusal: str
    warnings: tuple[str, ...]


def weigh(
    order: Place, entry: int, held: int, account: Decimal, share: float, terms: Terms, charges: Charges, limits: Limits
) -> Weight:
    """Weigh what an entry and `held` lots before it risk; refuse what is too much while sizes are reduced."""
    if order.bracket is None:
        return Weight(None, "", ())
    stop_ticks, lots = order.bracket.stop_ticks, order.lots + held
    each = charges.both_ways(terms, 1, entry)
    warnings = []
    part = Fraction(each) / Fraction(terms.money(stop_ticks))
    if too_costly(part, limits):
        warnings.append(f"costs of {cents(each)} a lot are {float(part):.1%} of what {stop_ticks} ticks risk")
    if total(terms.money(stop_ticks), each) <= 0:
        return Weight(True, "", tuple(warnings))
    most = size(terms, account, stop_ticks, each, share=exact(limits.trade_risk) * exact(share), limits=limits).lots
    if lots <= most:
        return Weight(True, "", tuple(warnings))
    loss = times(total(terms.money(stop_ticks), each), lots)
    text = f"{lots} lots lose {cents(loss)} at the stop, {limits.trade_risk * share:.2%} of the account allow {most}"
    if share < 1 and lots > 1:
        return Weight(False, text, ())
    return Weight(False, "", (*warnings, text))


def volume(facts: Facts | None, lots: int, lots_a_minute: float, limits: Limits) -> tuple[str, str]:
    """(why a position of so many lots is refused, else what is warned of); both '' where volumes say nothing."""
    if facts is None or facts.most_lots is None or facts.warn_lots is None or lots <= facts.warn_lots:
        return "", ""
    refused = lots > facts.most_lots
    bound = facts.most_lots if refused else facts.warn_lots
    words = [f"the position would come to {lots} lots, the daily volume " + ("allows" if refused else "warns from"),
             str(bound)]  # fmt: skip
    seconds = adv.exit_seconds(lots, lots_a_minute / 60, limits)
    if seconds is None:
        words.append("; nothing trades now")
    else:
        words.append(f"; getting out takes {seconds / 60:,.0f} min at {limits.adv_part:.0%} of what trades")
    if facts.sigma is not None and facts.day_lots:
        low, high = adv.impact(lots, facts.day_lots, facts.sigma, limits)
        words.append(f" and moves the price by {low:.2%} to {high:.2%}")
    if facts.note:
        words.append(f"; {facts.note}")
    text = " ".join(words[:2]) + "".join(words[2:])
    return (text, "") if refused else ("", text)


def near_dates(facts: Facts | None, today: date, limits: Limits) -> tuple[str, ...]:
    """What is known to come within the days that are warned of."""
    if facts is None:
        return ()
    last = today + timedelta(days=limits.note_days)
    return tuple(f"{day}: {words}" for day, words in facts.dates if today <= date.fromisoformat(day) <= last)


def wrong_facts(facts: Facts) -> str:
    """What makes facts none, '' where nothing does."""
    for day, _ in facts.dates:
        try:
            date.fromisoformat(day)
        except ValueError:
            return f"{day!r}: a day such as 2026-12-01"
    known = (facts.warn_lots, facts.most_lots)
    if (None in known and known != (None, None)) or any(lots is not None and lots < 0 for lots in known):
        return f"sizes {known}: both of 0 and more, or none"
    if (facts.day_lots is not None and facts.day_lots <= 0) or (facts.sigma is not None and facts.sigma < 0):
        return "a daily volume above 0 and a sigma of 0 and more"
    return ""


def decided(number: int, order: Place | Call, lots: int, engine: Any, scene: Scene, now_ns: int) -> dict[str, Any]:
    """The fields of a Decided record."""
    book = engine.book
    entry, stop, targets = planned(order, (book.best_bid, book.best_ask))
    return {
        "number": number, "side": order.side, "lots": lots, "entry_tick": entry, "stop_tick": stop,
        "target_ticks": targets, "setup": order.setup, "sure": order.sure, "note": order.note,
        "state": book.state_name, "bid": book.best_bid, "ask": book.best_ask, "bid_lots": book.bid_lots,
        "ask_lots": book.ask_lots, "imbalance": book.imbalance, "vwap_z": engine.vwap.z(), "alerts": scene.alerts,
        "last_alert": scene.last_alert,
        "waited_ns": None if scene.last_alert_ns is None else now_ns - scene.last_alert_ns, "inst": order.inst,
    }  # fmt: skip

"""What the desk lets through: every limit asked in one order, every refusal a sentence.

`check` alone makes an `Approved`, and the paper venue is reached with one or by the desk's own exits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from tapeview.desk.commands import LIMIT, MARKET, STOP, Place
from tapeview.desk.limits import Limits
from tapeview.desk.money import exact

MOST_AWAY: Final = 1_000_000
"""Ticks that a stop or a target may lie from its entry."""
MOST_TARGETS: Final = 4
"""Targets of one entry."""


class Standing(NamedTuple):
    """All that a check looks at, as it stands at the command."""

    armed: bool
    locked: str
    """Why the desk is locked, '' where it is not."""
    resting: str
    """Why nothing may be entered just now though nothing is locked: a pause, a run of losses."""
    size_share: float
    """Share of the usual size that is allowed now."""
    size_why: str
    """Why it is smaller than usual."""
    state: str
    """Validity of the book in a word."""
    bid: int | None
    ask: int | None
    position: int
    """The larger of the two views' positions on the order's side."""
    working: int
    """Lots of entries on that side that are not filled yet."""
    minute: int
    """Orders sent in the last minute."""
    against: str
    """Why it may not be entered though it is small and near enough, '' where nothing is against it: the loss limit,
    volume, risk that would grow."""
    warnings: Sequence[str]
    """What is to be said of it."""
    icebergs: Sequence[tuple[int, int]]
    """(side, tick) of icebergs that are active."""


class Approved(NamedTuple):
    """An order that passed."""

    order: Place
    warnings: tuple[str, ...]


class Refusal(NamedTuple):
    """One that did not."""

    reason: str


def check(order: Place, at: Standing, limits: Limits) -> Approved | Refusal:
    """Ask all limits of an order."""
    reason = wrong(order) or _shut(order, at) or _large(order, at, limits) or _far(order, at, limits) or at.against
    if reason:
        return Refusal(reason)
    near = _iceberg(order, at, limits)
    if near and limits.iceberg_guard == 2:
        return Refusal(near)
    return Approved(order, (*at.warnings, near) if near and limits.iceberg_guard else tuple(at.warnings))


def wrong(order: Place) -> str:
    """What makes a command none that can be carried out anywhere, '' where nothing does."""
    if order.side not in (1, -1):
        return f"side {order.side}: +1 buys and -1 sells"
    if order.lots < 1:
        return f"{order.lots} lots: at least 1"
    if order.kind not in (LIMIT, MARKET, STOP):
        return f"kind {order.kind!r}: limit, market or stop"
    if (order.tick is None) != (order.kind == MARKET):
        return "a limit and a stop need a price, an order at market has none"
    bracket = order.bracket
    if bracket is not None:
        away = [bracket.stop_ticks, *(ticks for ticks, _ in bracket.targets)]
        if min(away) < 1 or max(away) > MOST_AWAY:
            return f"stops and targets lie from 1 to {MOST_AWAY} ticks away"
        if len(bracket.targets) > MOST_TARGETS:
            return f"{len(bracket.targets)} targets, the most is {MOST_TARGETS}"
        shares = [share for _, share in bracket.targets]
        if any(not 1 <= share <= 100 for share in shares) or sum(shares) > 100:
            return "shares of targets are from 1 % and at most 100 % together"
        if bracket.scale_out and len(shares) != 1:
            return "half goes out near one target: give exactly one"
    return ""


def _shut(order: Place, at: Standing) -> str:
    if at.locked:
        return f"locked: {at.locked}"
    if not at.armed:
        return "not armed"
    if at.state != "live":
        return f"the book is {at.state}"
    if at.bid is None or at.ask is None:
        return "a side of the book is empty"
    return "" if _closing(order, at) else at.resting


def _closing(order: Place, at: Standing) -> bool:
    """Whether it can only make the position smaller."""
    return at.position * order.side < 0 and order.lots <= abs(at.position)


def _large(order: Place, at: Standing, limits: Limits) -> str:
    if at.minute >= limits.orders_minute:
        return f"{at.minute} orders in the last minute, the limit is {limits.orders_minute}"
    if _closing(order, at):
        return ""
    now = "" if at.size_share >= 1 else " now" + (f": {at.size_why}" if at.size_why else "")
    most = _share(limits.order_lots, at.size_share)
    if order.lots > most:
        return f"{order.lots} lots, the limit for an order is {most}{now}"
    after = order.side * at.position + at.working + order.lots
    most = _share(limits.position_lots, at.size_share)
    if after > most:
        return f"the position would come to {after} lots, the limit is {most}{now}"
    return ""


def _share(lots: int, share: float) -> int:
    return lots if share >= 1 else max(1, int(lots * exact(share)))


def _far(order: Place, at: Standing, limits: Limits) -> str:
    if order.tick is None or at.bid is None or at.ask is None:
        return ""
    if order.kind == STOP:
        beyond = order.side * (order.tick - (at.ask if order.side > 0 else at.bid))
        if beyond <= 0:
            return "a stop must lie beyond the market: it would trigger at once"
        away = beyond
    else:
        away = order.side * ((at.bid if order.side > 0 else at.ask) - order.tick)
        through = order.side * (order.tick - (at.ask if order.side > 0 else at.bid))
        if through > limits.through_ticks:
            return f"{through} ticks through the touch, the limit is {limits.through_ticks}"
    if away > limits.away_ticks:
        return f"{away} ticks away from the touch, the limit is {limits.away_ticks}"
    return ""


def _iceberg(order: Place, at: Standing, limits: Limits) -> str:
    """Whether the order would have to trade through an iceberg on the other side."""
    if _closing(order, at):
        return ""
    for side, tick in at.icebergs:
        ahead = order.side * (tick - (at.ask if order.side > 0 else at.bid or 0)) if at.ask is not None else 0
        if side == -order.side and 0 <= ahead <= limits.iceberg_ticks:
            word = "bid" if side > 0 else "ask"
            return f"an iceberg on the {word} {ahead} ticks ahead is not eaten yet"
    return ""

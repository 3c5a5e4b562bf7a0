"""What a screen shows of paper trading: a DeskPart, made of the desk as it stands between two batches."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from feeds.events import S_LIVE
from tapeview.desk.commands import LIMIT, STOP
from tapeview.desk.costs import side_cost
from tapeview.desk.money import cents, exact, total
from tapeview.desk.records import OPTIMIST, PESSIMIST
from tapeview.desk.stops import COVERED, WAITING
from tapeview.snapshot import DeskPart, OwnOrder
from tapeview.trading.account import profit_of

if TYPE_CHECKING:
    from tapeview.desk.desk import Desk
    from tapeview.desk.paper import Order
    from tapeview.desk.position import Trade
    from tapeview.desk.terms import Terms
    from tapeview.trading.lane import Trading

_WHY: Final = {STOP: "stop", LIMIT: "target"}


def part(lane: Trading, inst: int) -> DeskPart:
    """Paper trading of one instrument, and of the account it belongs to."""
    account, desk, session = lane.account, lane.desk, lane.session
    now_ns = session.recv_ns
    with account.lock:
        state = account.session_at(lane.calendar, now_ns) if desk is None else desk.day
        if desk is not None:
            lane.weigh()
        has = account.seen_by(lane) if desk is not None else None if state is None else Decimal(state.equity)
        shared: dict[str, Any] = {
            "off": lane.off or account.off, "account": account.name, "trades": account.trades,
            "process": account.process, "hindsight": session.seq < lane.seen, "rest": account.breaks.words,
            "rest_due": account.breaks.is_due, "told": tuple(account.told), "unwritten": account.unwritten,
            "trouble": account.trouble,
        }  # fmt: skip
        equity = account.equity
    if state is None or has is None:
        left = exact(account.settings.desk.limits.daily_loss) * Fraction(max(equity, Decimal(0)))
        shared |= {"session_profit": "0.00", "loss_used": 0.0, "loss_left": cents(left)}
    else:
        made, used, room = profit_of(state, has)
        shared |= {"session_profit": _signed(made), "loss_used": used, "loss_left": cents(room)}
    if desk is None:
        locked = state.reason if state is not None and state.locked else ""
        return DeskPart(
            armed=False, locked=locked, position=0, position_hopeful=0, entry_tick=None, stop_tick=None, orders=(),
            r=None, profit="", profit_hopeful="", cover="", cover_text="", trailing=False, pause="", **shared,
        )  # fmt: skip
    return DeskPart(
        armed=desk.armed, locked=desk.locked, pause=desk.pause, **_position(lane, desk, inst), **shared
    )  # fmt: skip


def _position(lane: Trading, desk: Desk, inst: int) -> dict[str, Any]:
    sure, hopeful = desk.views[PESSIMIST][inst], desk.views[OPTIMIST][inst]
    held, trade = sure.position.lots, sure.position.trade
    stops = [one.tick for one in sure.stops if one.tick is not None]
    now, risk = _stands(desk, inst, PESSIMIST), None
    if trade is not None and trade.risk_ticks:
        risk = desk.terms[inst].money(trade.risk_ticks * trade.most_lots)
    maybe = _stands(desk, inst, OPTIMIST)
    cover, words = _cover(desk, inst) if held else ("", "")
    return {
        "position": held, "position_hopeful": hopeful.position.lots,
        "entry_tick": None if trade is None else float(trade.entry),
        "stop_tick": None if not held or not stops else max(stops) if held > 0 else min(stops),
        "orders": tuple(_own(one, desk, inst) for one in sure.venue.orders.values()),
        "r": None if now is None or not risk else float(now / risk),
        "break_even_tick": None if trade is None else _break_even(lane, trade, abs(held), desk.terms[inst]),
        "profit": "" if now is None else _signed(now), "profit_hopeful": "" if maybe is None else _signed(maybe),
        "cover": cover, "cover_text": words, "trailing": sure.exits.trailing,
    }  # fmt: skip


def _stands(desk: Desk, inst: int, view: str) -> Decimal | None:
    """What the open trade of a view stands at after costs so far; None without one, or where nobody can say."""
    one, terms = desk.views[view][inst], desk.terms[inst]
    bid, ask = one.touch
    leave = bid if one.position.lots > 0 else ask
    if one.position.trade is None or leave is None:
        return None
    return _open(terms, one.position.trade, abs(one.position.lots), leave)


def _open(terms: Terms, trade: Trade, lots: int, leave: int) -> Decimal:
    gross = trade.side * (trade.left_sum + leave * lots - trade.entered_sum)
    return total(terms.money(gross), -trade.fees)


def _break_even(lane: Trading, trade: Trade, lots: int, terms: Terms) -> float | None:
    if not lots:
        return None
    costs = total(trade.fees, side_cost(lane.profile, terms, lots, tick=round(trade.entry)))
    paid = Fraction(costs) / Fraction(terms.tick_value)
    return float((trade.side * paid + trade.entered_sum - trade.left_sum) / lots)


def _own(order: Order, desk: Desk, inst: int) -> OwnOrder:
    most = desk.views[PESSIMIST][inst].venue.ahead(order.id)
    least = desk.views[OPTIMIST][inst].venue.ahead(order.id)
    why = _WHY.get(order.kind, "flatten") if order.reduces else "entry"
    # An order that the optimist has filled already has nothing ahead of it there.
    ahead = None if most is None else (most, least or 0)
    return OwnOrder(order.id, order.side, order.left, order.kind, order.tick, order.state, why, ahead)


def _cover(desk: Desk, inst: int) -> tuple[str, str]:
    if desk.views[PESSIMIST][inst].state != S_LIVE:
        return "unknown", "stop status unknown: the book is not live"
    status = desk.views[PESSIMIST][inst].status
    if status.state == COVERED:
        return "covered", status.text
    partly = 0 < status.cover.lots < abs(desk.views[PESSIMIST][inst].position.lots)
    if partly or status.state == WAITING:
        return "partial", status.text
    return status.state, status.text


def at_risk(desk: Desk, inst: int) -> tuple[int, float | None]:
    """The side of a position (0 for none), and what it loses from its entry at its stops; None where none bounds it."""
    one = desk.views[PESSIMIST][inst]
    lots = one.position.lots
    if not lots:
        return 0, 0.0
    bounded = sum(order.left for order in one.stops) >= abs(lots)
    return (1 if lots > 0 else -1), float(desk.terms[inst].money(one.loss()[0])) if bounded else None


def _signed(amount: Decimal) -> str:
    text = cents(amount)
    return text if amount < 0 or text == "0.00" else f"+{text}"

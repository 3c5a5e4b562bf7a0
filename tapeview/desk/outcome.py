"""What came of a trade: its result in money and in R, how far it went, what it cost, and how it was made."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from tapeview.desk.money import decimal, total
from tapeview.desk.position import Trade
from tapeview.desk.process import Process
from tapeview.desk.terms import Terms

_PLANNED = frozenset({"stop", "target"})


def net_of(trade: Trade, terms: Terms) -> Decimal:
    """What a closed trade made after costs."""
    return total(terms.money(trade.gross), -trade.fees)


def process_of(trade: Trade) -> Process:
    """How a closed trade was made.

    The lock's flatten is nobody's choice: it neither follows a plan nor leaves it.
    """
    ways = set(trade.ways) - {"lock"}
    followed = None if not trade.planned or not ways else ways <= _PLANNED
    placed = False if trade.naked else True if trade.covered else None
    return Process(trade.planned, trade.size_kept, placed, followed)


def closed(view: str, trade: Trade, terms: Terms) -> dict[str, Any]:
    """The fields of a Closed record."""
    net, made = net_of(trade, terms), process_of(trade)
    risk = None if not trade.risk or trade.bare else terms.money(trade.risk)
    return {
        "view": view, "trade": trade.number, "decision": trade.decision, "setup": trade.setup, "side": trade.side,
        "lots": trade.most_lots, "entry": str(trade.entry), "opened_ns": trade.opened_ns,
        "opened_seq": trade.opened_seq, "gross": f"{terms.money(trade.gross):f}", "fees": f"{trade.fees:f}",
        "net": f"{net:f}", "risk_ticks": trade.risk_ticks, "r": None if risk is None else float(net / risk),
        "mae_r": _of(trade.mae_ticks, trade.risk_ticks), "mfe_r": _of(trade.mfe_ticks, trade.risk_ticks),
        "mae_ticks": _of(trade.mae_ticks, 1), "mfe_ticks": _of(trade.mfe_ticks, 1),
        "slippage": None if trade.slip is None else f"{decimal(Fraction(terms.money(trade.slip)) / 2):f}",
        **made._asdict(), "score": made.score,
        "inst": trade.inst, "seq": trade.closed_seq or 0, "recv_ns": trade.closed_ns or 0,
    }  # fmt: skip


def _of(ticks: Fraction | None, unit: int | None) -> float | None:
    return None if ticks is None or not unit else float(ticks / unit)

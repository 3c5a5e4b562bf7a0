"""Orders as they were decided on and what came of them, from a run's records: what slippage is counted over."""

from __future__ import annotations

from collections.abc import Iterable

from tapeview.desk.costs import Attempt
from tapeview.desk.exits import IDS
from tapeview.desk.records import PESSIMIST, AnyRecord, Changed, Decided, Filled, Sent


def attempts_of(records: Iterable[AnyRecord], view: str = PESSIMIST) -> list[Attempt]:
    """Each fill of an entry against the touch at its decision, and each entry that ended unfilled with the touch then.

    Records of one run and one instrument, in their order. Entries that still work, and those whose decision saw an
    empty side, are left out.
    """
    decided: dict[int, Decided] = {}
    sent: dict[int, Sent] = {}
    found: list[Attempt] = []
    for record in records:
        if isinstance(record, Decided):
            decided[record.number] = record
        elif isinstance(record, Sent) and record.view == view and record.parent is None:
            sent[record.order] = record
        elif isinstance(record, (Filled, Changed)) and record.view == view and record.order in sent:
            order, seen = sent[record.order], decided.get(record.order // IDS)
            if seen is None or seen.bid is None or seen.ask is None:
                continue
            if isinstance(record, Filled):
                found.append(Attempt(order.kind, order.side, record.lots, seen.bid, seen.ask, record.tick))
            elif record.touch is not None:
                found.append(Attempt(order.kind, order.side, order.lots, seen.bid, seen.ask, None, record.touch))
    return found

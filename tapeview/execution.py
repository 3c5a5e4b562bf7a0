"""How entries were executed: against the mid, and against the touch at their decision; missed ones count too.

A limit order saves what it is filled better than the touch that could have been taken, and costs, where it is missed,
what the touch has run away since: a fill alone would flatter it. In ticks, of the pessimist's fills.
"""

from __future__ import annotations

import sqlite3

import msgspec

from tapeview import journal
from tapeview.desk.attempts import attempts_of
from tapeview.desk.costs import Attempt, slippage
from tapeview.desk.records import Changed, Decided, Filled, Sent
from tapeview.trades import name_of


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of one kind of order in one instrument."""

    instrument: str
    kind: str
    """market, limit or stop."""
    filled: int
    """Fills; an order may have several."""
    missed: int
    slip_ticks_lots: float
    """Sum of what fills cost against the mid at decision, ticks by lots; above 0 is a cost."""
    saved_ticks_lots: int
    """Sum of what was saved against taking the touch at decision, missed orders counted with what it moved since."""


def executions(
    db: sqlite3.Connection, run: int | None = None, account: str | None = None, *, hindsight: bool = False
) -> list[Execution]:
    """Entries by instrument and kind of order; raise BadInput where what is read is damaged."""
    found: dict[str, list[Attempt]] = {}
    for one in journal.runs(db):
        if run not in (None, one.id):
            continue
        records = list(journal.records(db, one.id, [Decided, Sent, Filled, Changed]))
        if not records:
            continue
        about = journal.about_of(one)
        if account not in (None, about.account) or (about.hindsight and not hindsight):
            continue
        for inst in sorted({record.inst for record in records}):
            own = [record for record in records if record.inst == inst]
            found.setdefault(name_of(about, inst), []).extend(attempts_of(own))
    return [
        Execution(
            instrument=name, kind=kind, filled=sums.filled, missed=sums.missed,
            slip_ticks_lots=sums.half_ticks_lots / 2, saved_ticks_lots=sums.saved_ticks_lots,
        )
        for name, attempts in sorted(found.items())
        for kind, sums in sorted(slippage(attempts).items())
    ]  # fmt: skip

"""Paper accounts as the journal knows them: what each had, its last session, and whether that is locked.

A session's state is kept under `day ACCOUNT`, or under `day ACCOUNT DATE` where recordings come in any order; what an
account has, under `equity ACCOUNT`.
"""

from __future__ import annotations

import sqlite3

import msgspec

from feeds.errors import BadInput
from tapeview import journal
from tapeview.desk import day
from tapeview.desk.records import PESSIMIST, Closed, Kept
from tapeview.desk.roll import session_at

_DAY, _EQUITY = "day", "equity"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Where a paper account stands, by the newest of what was kept of it."""

    name: str
    equity: str | None
    """As last seen; None where nothing was kept."""
    session: str | None
    """The exchange's date of the session it was last traded in."""
    locked: str
    """Why that session is locked, '' where it is not."""
    until_ns: int | None
    """When that session ends, and a lock with it."""
    runs: int
    trades: int
    """Of them with hindsight too."""


def all_accounts(db: sqlite3.Connection) -> list[Account]:
    """All accounts of the journal by name; raise BadInput where what is read is damaged."""
    kept: dict[str, list[str]] = {}
    equity: dict[str, str] = {}
    count: dict[str, list[int]] = {}
    for run in journal.runs(db):
        about = journal.about_of(run)
        counted = count.setdefault(about.account, [0, 0])
        counted[0] += 1
        for record in journal.records(db, run.id, [Closed, Kept]):
            match record:
                case Closed(view=view) if view == PESSIMIST:
                    counted[1] += 1
                case Kept(what=what, line=line):
                    kind, *name = what.split(" ")
                    if kind == _DAY and name:
                        kept.setdefault(name[0], []).append(line)
                    elif kind == _EQUITY and name:
                        equity[name[0]] = line
                case _:
                    pass
    names = sorted({*kept, *equity, *count})
    return [_account(name, equity.get(name), kept.get(name, []), *count.get(name, [0, 0])) for name in names]


def _account(name: str, equity: str | None, lines: list[str], runs: int, trades: int) -> Account:
    states = [_state(line) for line in lines]
    newest = states[-1] if states else None
    if newest is None:
        locked = day.DAMAGED if states else ""
        return Account(
            name=name, equity=equity, session=None, locked=locked, until_ns=None, runs=runs, trades=trades
        )  # fmt: skip
    # Several instruments write the same session: it is locked where one of them locked it.
    same = [one for one in states if one is not None and one.start_ns == newest.start_ns]
    return Account(
        name=name,
        equity=equity if equity is not None else newest.equity,
        session=str(session_at(newest.calendar, newest.start_ns).day),
        locked=next((one.reason for one in reversed(same) if one.locked), ""),
        until_ns=newest.end_ns,
        runs=runs,
        trades=trades,
    )


def _state(line: str) -> day.LockState | None:
    try:
        return day.load(line.encode())
    except BadInput:
        return None

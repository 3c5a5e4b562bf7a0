"""What the journal screen is made of: the file's contents, and what is made of the trades that are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tapeview import journal, ledger
from tapeview.desk.records import Drilled
from tapeview.drill import history
from tapeview.drill.skill import Skill, by, skill
from tapeview.ledger import Bin, Dot, Figures, Point, Row
from tapeview.ui.screens._journal_rows import STEPS


class Contents(msgspec.Struct, frozen=True):
    """All that is read of the file."""

    rows: tuple[Row, ...]
    hopeful: tuple[Row, ...]
    """Trades that came about by the optimist's fills alone."""
    runs: tuple[journal.Run, ...]
    accounts: dict[int, str]
    """Run -> its account."""
    seen: frozenset[int]
    """Runs made with hindsight."""
    drills: tuple[Drilled, ...]


class View(msgspec.Struct, frozen=True):
    """What is made of the trades that are looked at."""

    trades: tuple[Row, ...]
    """Those listed; the figures leave out hindsight unless it is asked for."""
    left_out: int
    more: int
    """Trades there would be besides had fills been kind."""
    whole: Figures
    losing: int
    points: tuple[Point, ...]
    dots: tuple[Dot, ...]
    bins: dict[float, tuple[Bin, ...]]
    counted: tuple[Row, ...]
    """Those the figures are made of."""


def read(path: Path) -> Contents:
    """Read a journal; raises BadInput where there is none, or it is damaged."""
    with journal.reading(path) as db:
        runs = journal.runs(db)
        rows = ledger.rows(db)
        hopeful = ledger.only_hopeful(db)
        abouts = {one.id: journal.about_of(one) for one in runs}
        drilled = history.drilled(db)
    accounts = {number: about.account for number, about in abouts.items()}
    seen = frozenset(number for number, about in abouts.items() if about.hindsight)
    return Contents(tuple(rows), tuple(hopeful), tuple(runs), accounts, seen, tuple(drilled))


def look(rows: Sequence[Row], hopeful: Sequence[Row], with_hindsight: bool) -> View:
    """What some trades say; those with hindsight are listed, and counted where it is asked for."""
    counted = list(rows) if with_hindsight else ledger.without_hindsight(rows)
    return View(
        trades=tuple(rows),
        left_out=len(rows) - len(counted),
        more=len(hopeful if with_hindsight else ledger.without_hindsight(hopeful)),
        whole=ledger.figures(counted),
        losing=ledger.longest_losing(counted),
        points=tuple(ledger.curve(counted)),
        dots=tuple(ledger.scatter(counted)),
        bins={step: tuple(ledger.histogram(counted, step)) for step in STEPS},
        counted=tuple(counted),
    )


def by_stop(drilled: Sequence[Drilled]) -> dict[str, Skill]:
    """What drills say by what stopped them."""
    return {name: skill(found) for name, found in by(drilled, lambda one: one.by or "a moment").items()}

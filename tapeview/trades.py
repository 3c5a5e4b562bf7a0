"""Trades as the journal has them: each with its decision, its plan, what was noted of it, and the optimist's result.

Prices and sizes are decimal text on the instrument's grid. Trades made with hindsight, after the market that follows
had been on the screen, are told apart.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final

import msgspec

from feeds.errors import BadInput
from feeds.instruments import Grid
from tapeview import journal
from tapeview.desk.process import Process
from tapeview.desk.records import OPTIMIST, PESSIMIST, Closed, Decided, Noted
from tapeview.journal import About

_SOON_NS: Final = 60_000_000_000
"""How long after an alert a decision is counted as its."""
_TAG: Final = re.compile(r"#(\w[\w-]*)")
_UNKNOWN: Final = ("1", "1")
"""Tick and lot of an instrument that the run does not say: prices in ticks, sizes in lots."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One trade with all that is known of it."""

    run: int
    trade: int
    source: str
    account: str
    live: bool
    hindsight: bool
    """What came had been on the screen before."""
    inst: int
    instrument: str
    side: str
    lots: str
    entry: str
    opened_ns: int
    closed_ns: int
    opened_seq: int
    closed_seq: int
    decision: int | None
    """Number of the command it came of."""
    net: str
    gross: str
    fees: str
    slippage: str | None
    """What its fills cost against the mid at the decision, targets left out; it is part of gross."""
    r: float | None
    mae_r: float | None
    mfe_r: float | None
    etd_r: float | None
    """End-trade drawdown: MFE less the result."""
    hopeful_net: str | None
    """What the optimist made of the same decision."""
    setup: str
    tags: tuple[str, ...]
    """Words after a # in the decision's note and in notes to it."""
    detector: str
    """The detector whose alert the decision followed within a minute; '' for none."""
    hour: int
    """Hour of the day it was opened in, UTC."""
    waited_s: float | None
    """From that alert to the decision."""
    sure: float | None
    """The trader's own probability that it works out."""
    followed: bool | None
    """Whether the plan was followed, as the trader noted."""
    planned: bool | None
    size_kept: bool | None
    stop_placed: bool | None
    plan_followed: bool | None
    """As the desk saw it, or as the trader noted, whose word goes before."""
    process: float | None
    """Share of these four that were answered well."""


def rows(db: sqlite3.Connection, run: int | None = None, account: str | None = None) -> list[Row]:
    """All trades of the journal, or of a run or an account, in the order they were closed; those with hindsight too.

    Raises BadInput where what is read is damaged.
    """
    return [one for certain, _ in _all(db, run, account) for one in certain]


def only_hopeful(db: sqlite3.Connection, run: int | None = None, account: str | None = None) -> list[Row]:
    """The trades that came about by the optimist's fills alone: whether there were any, nobody can know."""
    return [one for _, hopeful in _all(db, run, account) for one in hopeful]


def without_hindsight(trades: Iterable[Row]) -> list[Row]:
    """The trades of which nobody knew what came."""
    return [one for one in trades if not one.hindsight]


def _all(db: sqlite3.Connection, run: int | None, account: str | None) -> Iterator[tuple[list[Row], list[Row]]]:
    for one in journal.runs(db):
        if run in (None, one.id):
            yield _rows_of(db, one, account)


def _rows_of(db: sqlite3.Connection, run: journal.Run, account: str | None) -> tuple[list[Row], list[Row]]:
    closed: list[Closed] = []
    decided: dict[int | None, Decided] = {}
    notes: dict[int | None, list[Noted]] = {}
    for record in journal.records(db, run.id, [Closed, Decided, Noted]):
        match record:
            case Closed():
                closed.append(record)
            case Decided():
                decided[record.number] = record
            case Noted():
                notes.setdefault(record.number, []).append(record)
            case _:
                pass
    if not closed:
        return [], []
    about = journal.about_of(run)
    if account not in (None, about.account):
        return [], []

    def row(one: Closed, hopeful: Closed | None) -> Row:
        return _row(run, about, one, decided.get(one.decision), hopeful, notes.get(one.decision, []))

    hopeful = {(one.inst, one.decision): one for one in closed if one.view == OPTIMIST}
    certain = [one for one in closed if one.view == PESSIMIST]
    known = {(one.inst, one.decision) for one in certain}
    return (
        [row(one, hopeful.get((one.inst, one.decision))) for one in certain],
        [row(one, one) for place, one in hopeful.items() if place not in known],
    )


def name_of(about: About, inst: int) -> str:
    """An instrument of a run by its number."""
    return about.instruments[inst] if inst < len(about.instruments) else f"instrument {inst}"


def grids_of(about: About, inst: int) -> tuple[Grid, Grid]:
    """(tick, lot) of it; of 1 each where the run does not say."""
    tick, lot = about.grids[inst] if inst < len(about.grids) else _UNKNOWN
    return Grid(tick), Grid(lot)


def _row(
    run: journal.Run, about: About, one: Closed, decision: Decided | None, hopeful: Closed | None, notes: list[Noted]
) -> Row:
    tick, lot = grids_of(about, one.inst)
    waited = None if decision is None else decision.waited_ns
    near = decision is not None and waited is not None and waited <= _SOON_NS
    entry = Fraction(one.entry) * Fraction(tick.increment)
    followed = next((note.followed for note in reversed(notes) if note.followed is not None), None)
    asked = Process(
        one.planned, one.size_kept, one.stop_placed, one.plan_followed if followed is None else followed
    )  # fmt: skip
    words = [decision.note if decision is not None else "", *(note.text for note in notes)]
    return Row(
        run=run.id,
        trade=one.trade,
        source=run.source,
        account=about.account,
        live=about.live,
        hindsight=about.hindsight,
        inst=one.inst,
        instrument=name_of(about, one.inst),
        side="long" if one.side > 0 else "short",
        lots=lot.text(one.lots),
        entry=_decimal(entry, tick.decimals + 2),
        opened_ns=one.opened_ns,
        closed_ns=one.recv_ns,
        opened_seq=one.opened_seq,
        closed_seq=one.seq,
        decision=one.decision,
        net=one.net,
        gross=one.gross,
        fees=one.fees,
        slippage=one.slippage,
        r=one.r,
        mae_r=one.mae_r,
        mfe_r=one.mfe_r,
        etd_r=None if one.r is None or one.mfe_r is None else one.mfe_r - one.r,
        hopeful_net=None if hopeful is None else hopeful.net,
        setup=one.setup,
        tags=tuple(sorted({tag.casefold() for text in words for tag in _TAG.findall(text)})),
        detector=decision.last_alert if decision is not None and near else "",
        hour=datetime.fromtimestamp(one.opened_ns / 1e9, UTC).hour,
        waited_s=None if waited is None or not near else waited / 1e9,
        sure=None if decision is None else decision.sure,
        followed=followed,
        planned=asked.planned,
        size_kept=asked.size_kept,
        stop_placed=asked.stop_placed,
        plan_followed=asked.plan_followed,
        process=asked.score,
    )


def _decimal(value: Fraction, decimals: int) -> str:
    scaled = round(value * 10**decimals)
    return f"{Decimal(scaled).scaleb(-decimals):f}"


def export(trades: Sequence[Row], path: Path) -> None:
    """Write trades to a .csv or .parquet file; raise BadInput for another name or a place that takes no file."""
    if path.suffix not in (".csv", ".parquet"):
        raise BadInput("export", str(path), "a name ending .csv or .parquet")
    import polars as pl

    kinds = {"int": pl.Int64(), "float": pl.Float64(), "bool": pl.Boolean(), "str": pl.String(), "tuple": pl.String()}
    # Annotations are text here: the first word of one is its type.
    schema = {name: kinds[kind.partition(" ")[0].partition("[")[0]] for name, kind in Row.__annotations__.items()}
    rows = [msgspec.structs.asdict(one) | {"tags": " ".join(one.tags)} for one in trades]
    frame = pl.DataFrame(rows, schema=schema)
    try:
        frame.write_csv(path) if path.suffix == ".csv" else frame.write_parquet(path)
    except OSError as error:
        raise BadInput("export", str(path), f"a file that can be written ({error.strerror})") from None

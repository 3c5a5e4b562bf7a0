"""How entries were executed, from records whose ticks are counted by hand."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tapeview import journal
from tapeview.desk.exits import IDS
from tapeview.desk.records import PESSIMIST, AnyRecord, Changed, Decided, Filled, Sent
from tapeview.execution import Execution, executions
from tapeview.journal import About, Journal


def entry(n: int, kind: str, *, fill: int | None, touch: int | None = None) -> list[AnyRecord]:
    """A buy of 2 lots with the inside at 100 to 102: filled at a price, or given up when one had to pay `touch`."""
    order, at = n * IDS, {"seq": n, "recv_ns": n}
    decided = Decided(
        **at, number=n, side=1, lots=2, entry_tick=100, stop_tick=None, target_ticks=(), setup="", sure=None, note="",
        state="live", bid=100, ask=102, bid_lots=1, ask_lots=1, imbalance=None, vwap_z=None, alerts=(), last_alert="",
        waited_ns=None,
    )  # fmt: skip
    sent = Sent(**at, order=order, view=PESSIMIST, side=1, lots=2, kind=kind, tick=100, parent=None, why="entry")
    if fill is None:
        return [decided, sent, Changed(**at, order=order, view=PESSIMIST, state="cancelled", touch=touch)]
    filled = Filled(
        **at, order=order, view=PESSIMIST, side=1, tick=fill, lots=2, liquidity="maker", fee="0", position=2
    )
    return [decided, sent, filled]


def settings(*, hindsight: bool = False) -> str:
    about = About(
        account="a", live=False, equity="1", calendar="crypto", costs="", limits={}, hindsight=hindsight,
        instruments=("cme:MES",), grids=(("0.25", "1"),),
    )  # fmt: skip
    return msgspec.json.encode(about).decode()


def test_a_missed_limit_costs_what_the_market_ran_away(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path) as book:
        book.post(book.begin("x", "1", settings(), 0), [
            *entry(1, "limit", fill=100), *entry(2, "limit", fill=None, touch=107), *entry(3, "market", fill=103),
        ])  # fmt: skip
        book.post(book.begin("x", "1", settings(hindsight=True), 0), entry(1, "market", fill=102))
    limit = Execution(
        instrument="cme:MES", kind="limit", filled=1, missed=1,
        slip_ticks_lots=-2.0,  # 100 is a tick under the mid of 101, twice
        saved_ticks_lots=-6,  # 2 ticks twice saved by the fill; 5 ticks twice lost by the miss
    )  # fmt: skip
    market = Execution(
        instrument="cme:MES", kind="market", filled=1, missed=0, slip_ticks_lots=4.0, saved_ticks_lots=-2
    )
    with journal.reading(path) as db:
        assert executions(db) == [limit, market]
        assert executions(db, account="b") == []
        assert executions(db, 2, hindsight=True) == [
            Execution(instrument="cme:MES", kind="market", filled=1, missed=0, slip_ticks_lots=2.0, saved_ticks_lots=0)
        ]

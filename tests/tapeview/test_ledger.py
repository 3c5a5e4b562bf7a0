"""What the journal says of the trader, from records whose figures are reckoned by hand."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import polars as pl
import pytest

from tapeview import journal, ledger
from tapeview.cli import entry
from tapeview.desk.records import OPTIMIST, PESSIMIST, Closed, Decided, Noted
from tapeview.journal import Journal

NS = 1_700_000_000_000_000_000
RESULTS = (1.5, -1.0, 1.5, 1.5, -1.0)
"""Three wins of 1.5 R and two losses of 1 R: 60 % at 1.5 to 1."""


def closed(n: int, r: float | None, *, view: str = PESSIMIST, net: str | None = None) -> Closed:
    return Closed(
        seq=n, recv_ns=NS + n * 10**9 + 5 * 10**8, view=view, trade=n, decision=n, setup="fade", side=1, lots=2,
        entry="40001/2",
        opened_ns=NS + n * 10**9, opened_seq=n, gross=net or f"{(r or 0) * 100:.2f}", fees="1.24",
        net=net or f"{(r or 0) * 100:.2f}", risk_ticks=8, r=r, mae_r=0.5, mfe_r=2.0, mae_ticks=4.0, mfe_ticks=16.0,
    )  # fmt: skip


def decided(n: int, *, waited_ns: int | None) -> Decided:
    return Decided(
        seq=n, recv_ns=NS + n * 10**9, number=n, side=1, lots=2, entry_tick=20000, stop_tick=19992,
        target_ticks=(20012,),
        setup="fade", sure=0.6, note="", state="live", bid=20000, ask=20001, bid_lots=5, ask_lots=4, imbalance=0.1,
        vwap_z=-1.0, alerts=("iceberg bid 5000.00",), last_alert="iceberg", waited_ns=waited_ns,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(entry.COMMANDS, "journal", "what was done, and what it says of the trader")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite"
    settings = ledger.RunSettings(
        instruments=("cme:MES",), grids=(("0.25", "1"),), equity="25000", calendar="futures", profile="x", limits={}
    )
    with Journal(path) as book:
        run = book.begin("recordings/one", "1", msgspec.json.encode(settings).decode(), 5)
        for n, r in enumerate(RESULTS, 1):
            waited = 4 * 10**9 if n == 1 else 90 * 10**9
            book.post(run, [decided(n, waited_ns=waited), closed(n, r)])
            book.post(run, [closed(n, r, view=OPTIMIST, net="200.00")] if n == 2 else [])
        book.post(run, [Noted(seq=9, recv_ns=NS, number=5, text="left early", followed=False)])
        book.end(run, "", 6)
    return path


def test_the_figures_are_those_of_the_results(path: Path) -> None:
    db = journal.open_readonly(path)
    rows = ledger.rows(db)
    db.close()
    one = ledger.figures(rows)
    assert (one.trades, one.win_rate, one.expectancy_r) == (5, 0.6, pytest.approx(0.5))
    assert one.profit_factor == pytest.approx(2.25)
    assert one.win_rate_ci == pytest.approx((0.2307, 0.8824), abs=1e-4)
    assert (one.net, one.fees, one.average_win, one.average_loss) == ("250.00", "6.20", "150.00", "-100.00")
    assert one.net_hopeful == "550.00"
    assert one.max_drawdown == "100.00"
    assert one.etd_r == pytest.approx(1.5)
    assert (one.grey, one.trust, one.badge) == (True, "too few", "not yet distinguishable from 0")
    assert (one.held_s, one.waited_s) == (0.5, 4.0)
    assert [str(value) for value in ledger.equity(rows)] == ["150.00", "50.00", "200.00", "350.00", "250.00"]
    assert ledger.longest_losing(rows) == 1


def test_a_decision_belongs_to_an_alert_of_the_last_minute_only(path: Path) -> None:
    db = journal.open_readonly(path)
    rows = ledger.rows(db)
    db.close()
    assert [one.detector for one in rows] == ["iceberg", "", "", "", ""]
    assert {name: one.trades for name, one in ledger.by(rows, "detector").items()} == {"iceberg": 1, "–": 4}
    assert [one.followed for one in rows] == [None, None, None, None, False]
    assert [one.process for one in rows] == [1.0, 1.0, 1.0, 1.0, 0.75]
    assert (rows[0].entry, rows[0].instrument, rows[0].lots) == ("5000.1250", "cme:MES", "2")


def test_no_trades_are_said_to_be_none(tmp_path: Path) -> None:
    one = ledger.figures([])
    assert (one.trades, one.win_rate, one.expectancy_r_ci, one.net, one.max_drawdown) == (0, None, None, "0", "0")
    assert msgspec.json.encode(one)


def test_the_command_prints_what_was_promised(path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert entry.main(["journal", "stats", "--json", "--file", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    promised = {"trades", "win_rate", "win_rate_ci", "expectancy_r", "expectancy_r_ci", "profit_factor", "net", "fees"}
    assert promised | {"max_drawdown", "mae_r", "mfe_r"} <= told.keys()
    assert entry.main(["journal", "--file", str(path)]) == 0
    assert capsys.readouterr().out.startswith("5 trades: too few")
    for part in ("runs", "trades", "signals"):
        assert entry.main(["journal", part, "--file", str(path)]) == 0
        assert capsys.readouterr().out.count("\n") >= 1
        assert entry.main(["journal", part, "--json", "--file", str(path)]) == 0
        assert all(json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert entry.main(["journal", "--by", "hour", "--file", str(path)]) == 0
    assert "22 " in capsys.readouterr().out
    for name in ("out.csv", "out.parquet"):
        assert entry.main(["journal", "export", str(tmp_path / name), "--file", str(path)]) == 0
    assert pl.read_parquet(tmp_path / "out.parquet")["r"].to_list() == list(RESULTS)
    assert pl.read_csv(tmp_path / "out.csv")["net"].sum() == 250.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "runs, trades"),
        (["export"], "a FILE with export"),
        (["export", "x.xls"], ".csv or .parquet"),
        (["--by", "mood"], "setup, detector"),
        (["--run", "7"], "from 1 to 1"),
    ],
)
def test_wrong_words_are_answered(path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert entry.main(["journal", *words, "--file", str(path)]) == 2
    assert said in capsys.readouterr().err


def test_where_there_is_no_journal_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["journal", "--file", str(tmp_path / "none")]) == 2
    assert "none has been written yet" in capsys.readouterr().err

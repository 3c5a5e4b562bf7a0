"""What the journal says of the trader, from records whose figures are reckoned by hand."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import polars as pl
import pytest

from tapeview import journal, ledger
from tapeview.accounts import all_accounts
from tapeview.cli import entry
from tapeview.desk import day
from tapeview.desk.records import OPTIMIST, PESSIMIST, AnyRecord, Closed, Decided, Kept, Noted
from tapeview.journal import About, Journal

NS = 1_700_000_000_000_000_000
RESULTS = (1.5, -1.0, 1.5, 1.5, -1.0)
"""Three wins of 1.5 R and two losses of 1 R: 60 % at 1.5 to 1."""


def closed(n: int, r: float | None, *, view: str = PESSIMIST, net: str | None = None) -> Closed:
    return Closed(
        seq=n, recv_ns=NS + n * 10**9 + 5 * 10**8, view=view, trade=n, decision=n, setup="fade", side=1, lots=2,
        entry="40001/2",
        opened_ns=NS + n * 10**9, opened_seq=n, gross=net or f"{(r or 0) * 100:.2f}", fees="1.24",
        net=net or f"{(r or 0) * 100:.2f}", risk_ticks=8, r=r, mae_r=0.5, mfe_r=2.0, mae_ticks=4.0, mfe_ticks=16.0,
        planned=True, size_kept=True, stop_placed=True, plan_followed=True, score=1.0, slippage="0.625",
    )  # fmt: skip


def decided(n: int, *, waited_ns: int | None) -> Decided:
    return Decided(
        seq=n, recv_ns=NS + n * 10**9, number=n, side=1, lots=2, entry_tick=20000, stop_tick=19992,
        target_ticks=(20012,),
        setup="fade", sure=0.6, note="", state="live", bid=20000, ask=20001, bid_lots=5, ask_lots=4, imbalance=0.1,
        vwap_z=-1.0, alerts=("iceberg bid 5000.00",), last_alert="iceberg", waited_ns=waited_ns,
    )  # fmt: skip


def about(account: str = "practice", *, hindsight: bool = False, live: bool = False) -> About:
    return About(
        account=account, live=live, equity="25000", calendar="futures", costs="x", limits={}, hindsight=hindsight,
        instruments=("cme:MES",), grids=(("0.25", "1"),),
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite"
    settings = about()
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
    assert (one.grey, one.trust, one.badge) == (True, "few", "not yet distinguishable from 0")
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
    assert (rows[4].plan_followed, rows[0].plan_followed) == (False, True)  # the trader's word goes before


def rows_of(path: Path, **more: object) -> list[ledger.Row]:
    with journal.reading(path) as db:
        return ledger.rows(db, **more)  # type: ignore[arg-type]


def written(path: Path, *runs: tuple[About, list[AnyRecord]]) -> Path:
    with Journal(path) as book:
        for settings, records in runs:
            book.post(book.begin("recordings/one", "1", msgspec.json.encode(settings).decode(), 5), records)
    return path


def test_costs_stand_against_gross(path: Path) -> None:
    one = ledger.figures(rows_of(path))
    assert (one.gross, one.fees, one.slippage) == ("250.00", "6.20", "3.125")
    assert one.costs_of_gross == pytest.approx(6.20 / 250)
    lost = ledger.figures([row for row in rows_of(path) if row.net == "-100.00"])
    assert (lost.gross, lost.costs_of_gross) == ("-200.00", None)


def test_the_curve_falls_from_its_heights(path: Path) -> None:
    points = ledger.curve(rows_of(path))
    assert [str(one.equity) for one in points] == ["150.00", "50.00", "200.00", "350.00", "250.00"]
    assert [str(one.drawdown) for one in points] == ["0.00", "100.00", "0.00", "0.00", "100.00"]
    assert [str(one.hopeful) for one in points] == ["150.00", "350.00", "500.00", "650.00", "550.00"]


def test_results_are_counted_into_bins_side_by_side(path: Path) -> None:
    bins = ledger.histogram(rows_of(path))
    assert [(one.low, one.high, one.trades) for one in bins] == [
        (-1.0, -0.5, 2), (-0.5, 0.0, 0), (0.0, 0.5, 0), (0.5, 1.0, 0), (1.0, 1.5, 0), (1.5, 2.0, 3),
    ]  # fmt: skip
    assert sum(one.trades for one in bins) == 5
    assert [(one.low, one.high, one.trades) for one in ledger.histogram(rows_of(path), 0.25, 4)] == [
        (None, -0.75, 2), (-0.75, -0.5, 0), (-0.5, -0.25, 0), (-0.25, 0.0, 0), (0.0, 0.25, 0), (0.25, 0.5, 0),
        (0.5, 0.75, 0), (0.75, None, 3),
    ]  # fmt: skip
    assert ledger.histogram([]) == []
    assert ledger.scatter(rows_of(path)) == [ledger.Dot(0.5, 2.0, r) for r in RESULTS]


def test_tags_are_words_after_a_hash_and_a_trade_may_have_several(tmp_path: Path) -> None:
    noted = [
        Noted(seq=1, recv_ns=NS, number=1, text="#FOMO, far too late #chased"),
        Noted(seq=1, recv_ns=NS, number=2, text="as planned: #fomo"),
    ]
    path = written(tmp_path / "j", (about(), [*(decided(n, waited_ns=None) for n in (1, 2)), *noted,
                                              closed(1, -1.0), closed(2, 1.0), closed(3, 1.0)]))  # fmt: skip
    assert [one.tags for one in rows_of(path)] == [("chased", "fomo"), ("fomo",), ()]
    groups = ledger.by(rows_of(path), "tag")
    assert {name: (one.trades, one.net) for name, one in groups.items()} == {
        "chased": (1, "-100.00"), "fomo": (2, "0.00"), "–": (1, "100.00"),
    }  # fmt: skip


def test_trades_made_with_hindsight_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "j", (about(), [closed(1, -1.0)]), (about(hindsight=True), [closed(1, 3.0)]))
    assert [one.r for one in ledger.without_hindsight(rows_of(path))] == [-1.0]
    for more, trades, left_out in (([], 1, 1), (["--hindsight"], 2, 0)):
        assert entry.main(["journal", "stats", "--json", "--file", str(path), *more]) == 0
        said = capsys.readouterr()
        whole = json.loads(said.out)
        assert (whole["trades"], whole["left_out_hindsight"]) == (trades, left_out)
        assert ("1 trade left out" in said.err) == bool(left_out)
    assert entry.main(["journal", "export", str(tmp_path / "x.csv"), "--file", str(path)]) == 0
    assert pl.read_csv(tmp_path / "x.csv").height == 1


def test_trades_are_told_apart_by_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "j", (about("mine"), [closed(1, 1.0)]), (about("other"), [closed(1, -1.0)]))
    assert [one.r for one in rows_of(path, account="other")] == [-1.0]
    assert {name: one.net for name, one in ledger.by(rows_of(path), "account").items()} == {
        "mine": "100.00", "other": "-100.00",
    }  # fmt: skip
    assert entry.main(["journal", "runs", "--json", "--account", "mine", "--file", str(path)]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == [1]


def test_a_trade_that_only_optimism_made_is_counted_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records: list[AnyRecord] = [closed(1, 1.0), closed(1, 1.5, view=OPTIMIST), closed(2, 2.0, view=OPTIMIST)]
    path = written(tmp_path / "j", (about(), records))
    assert [(one.net, one.hopeful_net) for one in rows_of(path)] == [("100.00", "150.00")]
    assert entry.main(["journal", "--json", "--file", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["only_hopeful"] == {"trades": 1, "net": "200.00"}
    assert entry.main(["journal", "--file", str(path)]) == 0
    assert "1 more trades, net 200.00" in capsys.readouterr().out


def test_an_instrument_that_the_run_does_not_name_is_counted_in_ticks(tmp_path: Path) -> None:
    settings = About(account="a", live=False, equity="1", calendar="crypto", costs="", limits={})
    row = rows_of(written(tmp_path / "j", (settings, [closed(1, 1.0)])))[0]
    assert (row.instrument, row.entry, row.lots) == ("instrument 0", "20000.50", "2")


# -- accounts ---------------------------------------------------------------------------------------
HOUR = 3600 * 10**9


def kept(name: str, state: day.LockState) -> Kept:
    return Kept(seq=1, recv_ns=NS, what=name, line=day.save(state).decode())


def test_accounts_say_what_they_have_and_whether_they_are_locked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from decimal import Decimal

    first = day.begin("crypto", NS, Decimal(25000))
    locked = day.lock(first, "daily loss limit: lost 500.00")
    later = day.begin("crypto", NS + 24 * HOUR, Decimal(24000))
    damaged = Kept(seq=1, recv_ns=NS, what="day broken", line="{}")
    path = written(
        tmp_path / "j",
        (about("paper", live=True), [kept("day paper", locked), closed(1, -1.0)]),
        (about("paper", live=True), [kept("day paper", first)]),  # another instrument of the same session
        (about("practice"), [kept("day practice 2023-11-14", locked), kept("day practice 2023-11-15", later)]),
        (about("practice"), [Kept(seq=1, recv_ns=NS, what="equity practice", line="23990.50"), damaged]),
    )
    with journal.reading(path) as db:
        found = {one.name: one for one in all_accounts(db)}
    assert sorted(found) == ["broken", "paper", "practice"]
    assert (found["paper"].locked, found["paper"].session) == ("daily loss limit: lost 500.00", "2023-11-14")
    assert (found["paper"].runs, found["paper"].trades, found["paper"].equity) == (2, 1, "25000")
    assert found["paper"].until_ns == 1_700_006_400 * 10**9
    assert (found["practice"].locked, found["practice"].session) == ("", "2023-11-15")
    assert found["practice"].equity == "23990.50"
    assert found["broken"].locked == day.DAMAGED
    assert entry.main(["journal", "accounts", "--file", str(path)]) == 0
    assert "daily loss limit: lost 500.00 (over since 2023-11-15 00:00:00)" in capsys.readouterr().out


def test_outlets_say_how_far_they_are_and_what_was_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "j", (about(), [closed(n, 1.0) for n in range(1, 6)]))
    with Journal(path) as book:
        book.delivered("webhook", 1, 2)
        book.refused("webhook", 1, 1, "answered 422")
    assert entry.main(["journal", "outlets", "--json", "--file", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["outlet"], told["run"], told["n"], told["behind"]) == ("webhook", 1, 2, 2)
    assert [(one["n"], one["why"]) for one in told["refused"]] == [(1, "answered 422")]


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
    assert capsys.readouterr().out.startswith("5 trades, few")
    for part in ("runs", "trades", "signals", "accounts"):
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
        (["expot"], "'export'?"),
        (["export"], "a FILE with export"),
        (["verify"], "a RUN with verify"),
        (["verify", "first"], "the number of a run"),
        (["verify", "7"], "from 1 to 1"),
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

"""Files of volumes and notes as what the desk is told, and every line that is none."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path

import pytest

from feeds.errors import BadInput
from feeds.instruments import Instrument
from tapeview.desk.commands import Facts
from tapeview.desk.facts import facts_of
from tapeview.desk.terms import Terms

TERMS = Terms.of(Instrument(venue="nasdaq", symbol="ABCD", tick="0.01"))
TODAY = date(2026, 3, 2)


def written(folder: Path, lines: list[str], name: str = "volumes.csv") -> Path:
    file = folder / name
    file.write_text("\n".join(lines) + "\n")
    return file


def days(count: int, volume: str = "250000", close: str = "2.00") -> list[str]:
    return [f"{TODAY - timedelta(days=n)},ABCD,{volume},{close}" for n in range(1, count + 1)]


def test_twenty_days_of_a_quarter_million_warn_at_2500_and_refuse_from_5000(tmp_path: Path) -> None:
    spike = [f"{TODAY},ABCD,12500000,9.00", f"{TODAY - timedelta(days=3)},WXYZ,1,1"]
    file = written(tmp_path, ["date,symbol,volume,close", *days(20), *spike])
    found = facts_of(TERMS, TODAY, volumes=file)
    assert found == Facts(warn_lots=2500, most_lots=5000, day_lots=250_000.0, sigma=0.0)


def test_a_spike_of_one_day_does_not_raise_it(tmp_path: Path) -> None:
    rows = days(20)
    rows[4] = rows[4].replace("250000", "12500000")
    found = facts_of(TERMS, TODAY, volumes=written(tmp_path, ["date,symbol,volume,close", *rows]))
    assert found is not None
    assert (found.warn_lots, found.most_lots) == (2500, 5000)


def test_sigma_is_that_of_the_closes_returns(tmp_path: Path) -> None:
    rows = [row.replace("2.00", "2.00" if n % 2 else "2.20") for n, row in enumerate(days(21))]
    found = facts_of(TERMS, TODAY, volumes=written(tmp_path, ["date,symbol,volume,close", *rows]))
    assert found is not None
    assert found.sigma == pytest.approx(math.log(1.1))


def test_few_days_say_so_and_allow_nothing(tmp_path: Path) -> None:
    found = facts_of(
        TERMS, TODAY, volumes=written(tmp_path, ["date,symbol,volume", *[r.rsplit(",", 1)[0] for r in days(9)]])
    )
    assert found is not None
    assert (found.most_lots, found.day_lots, found.sigma) == (0, None, None)
    assert found.note.startswith("insufficient history: 9 days")


def test_dates_ahead_are_told_and_those_behind_are_not(tmp_path: Path) -> None:
    notes = written(
        tmp_path, ["date,symbol,text", "2026-03-01,ABCD,gone", "2026-03-05,abcd,a decision", "2026-03-05,WXYZ,other"],
        "notes.csv",
    )  # fmt: skip
    assert facts_of(TERMS, TODAY, notes=notes, inst=2) == Facts(dates=(("2026-03-05", "a decision"),), inst=2)


def test_files_that_say_nothing_of_it_say_nothing(tmp_path: Path) -> None:
    assert facts_of(TERMS, TODAY) is None
    assert facts_of(TERMS, TODAY, volumes=written(tmp_path, ["date,symbol,volume", "2026-01-02,WXYZ,5"])) is None


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (["day,symbol,volume"], "line 1"),
        ([], "line 1"),
        (["date,symbol,volume", "2026-01-02,ABCD"], "line 2"),
        (["date,symbol,volume", "yesterday,ABCD,5"], "line 2: date"),
        (["date,symbol,volume", "2026-01-02,ABCD,-5"], "line 2: volume"),
        (["date,symbol,volume", "2026-01-02,ABCD,5.5"], "line 2: volume"),
        (["date,symbol,volume", "2026-01-02,ABCD,5", "2026-01-02,ABCD,6"], "line 3: date"),
        (["date,symbol,volume,close", "2026-01-02,ABCD,5,0"], "line 2: close"),
        (["date,symbol,volume,close", "2026-01-02,ABCD,5,dear"], "line 2: close"),
        (["date,symbol,volume", '"2026-01-02,ABCD,5'], "line"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, lines: list[str], place: str) -> None:
    with pytest.raises(BadInput) as error:
        facts_of(TERMS, TODAY, volumes=written(tmp_path, lines))
    assert place in str(error.value)


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="readable"):
        facts_of(TERMS, TODAY, volumes=tmp_path / "none.csv")
    (tmp_path / "x.csv").write_bytes(b"date,symbol,volume\n\xff")
    with pytest.raises(BadInput, match="byte 19"):
        facts_of(TERMS, TODAY, volumes=tmp_path / "x.csv")

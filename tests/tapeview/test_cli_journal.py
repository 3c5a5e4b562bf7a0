"""`tapeview journal verify`: a run made again, and what it prints."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tapeview.cli.entry import main
from tapeview.desk.commands import MARKET, Arm, Place


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with a run that traded."""
    from tests.kit.trading import HELD, OPENING, RISES, floor, record

    path = tmp_path / "journal.sqlite"
    with floor(record(tmp_path, f"{OPENING} ~1500 b19999:70 {RISES} {HELD}"), journal=path) as it:
        it.do(Arm())
        it.do(Place(side=1, lots=2, kind=MARKET))
        it.go(3000)
        it.flatten()
    return path


def test_a_run_that_comes_again_as_it_was_is_verified(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "verify", "1", "--json", "--file", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["run"], told["digest_ok"], told["differences"]) == (True, 1, True, [])
    assert told["records"] > 5
    assert main(["journal", "verify", "1", "--file", str(path)]) == 0
    assert "and so did the digest" in capsys.readouterr().out


def test_a_run_that_comes_otherwise_is_told_and_the_exit_code_is_1(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = sqlite3.connect(path)
    db.execute("update record set body = replace(body, '\"fee\":\"', '\"fee\":\"9') where what = 'filled'")
    db.commit()
    db.close()
    assert main(["journal", "verify", "1", "--json", "--file", str(path)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert told["differences"]
    assert main(["journal", "verify", "1", "--file", str(path)]) == 1
    assert capsys.readouterr().out


@pytest.mark.parametrize(("word", "said"), [("one", "the number of a run"), ("2", "a run from 1 to 1")])
def test_what_is_no_run_is_answered(path: Path, capsys: pytest.CaptureFixture[str], word: str, said: str) -> None:
    assert main(["journal", "verify", word, "--file", str(path)]) == 2
    assert said in capsys.readouterr().err

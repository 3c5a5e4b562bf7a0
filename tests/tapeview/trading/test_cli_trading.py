"""What the command line says of trading reaches the market: the account's name, and the run that is made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tapeview.cli.entry import main
from tapeview.desk.commands import Arm
from tests.kit.trading import HELD, OPENING, floor, record


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "journal.sqlite"
    monkeypatch.setenv("TAPEVIEW_JOURNAL", str(path))
    return path


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Plans the screen would have been opened with."""
    found: list[Any] = []
    monkeypatch.setattr("tapeview.ui.terminal.require_terminal", lambda: None)
    monkeypatch.setattr("tapeview.ui.app.run", lambda plan: found.append(plan) or 0)
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 2
    return capsys.readouterr().err


def test_a_named_account_is_traded_under(tmp_path: Path, book: Path, plans: list[Any]) -> None:
    source = record(tmp_path, f"{OPENING} {HELD}")
    assert main(["replay", str(source), "--account", "second-try"]) == 0
    (plan,) = plans
    assert (plan.desk.account, plan.desk.again) == ("second-try", None)
    assert plan.desk.office.path == book
    assert main(["live", "okx:BTC-USDT", "--account", "morning"]) == 0
    assert plans[-1].desk.account == "morning"


@pytest.mark.parametrize("name", ["", "a b", "x" * 41, "ä"])
def test_an_account_is_letters_digits_and_little_else(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert "--account" in refused(capsys, "replay", "quiet-open", "--account", name)


def test_a_run_is_opened_again_on_its_own_source_or_the_one_named(tmp_path: Path, book: Path, plans: list[Any]) -> None:
    source = record(tmp_path, f"{OPENING} {HELD}")
    with floor(source, journal=book) as it:
        it.do(Arm())
        it.go(500)
    assert main(["replay", "--journal", "1"]) == 0
    assert main(["replay", "quiet-open", "--journal", "1"]) == 0
    assert plans[0].addresses == (str(source),)
    assert plans[0].desk.again == plans[1].desk.again == 1
    assert plans[1].addresses[0].endswith("quiet-open")


def test_a_run_that_cannot_be_made_again_is_refused_in_the_shell(
    tmp_path: Path, book: Path, plans: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "none has been written yet" in refused(capsys, "replay", "--journal", "1")
    with floor(record(tmp_path, f"{OPENING} {HELD}"), journal=book) as it:
        it.do(Arm())
    assert "a run of the journal" in refused(capsys, "replay", "--journal", "9")
    assert "neither --at nor --account" in refused(capsys, "replay", "--journal", "1", "--at", "+5s")
    assert "one SOURCE" in refused(capsys, "replay", "quiet-open", "squeeze", "--journal", "1")
    assert not plans

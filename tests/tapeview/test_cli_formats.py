"""The commands on files of other programs: information, book, tape, statistics, and the way into a recording."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from feeds.recording.manifest import read_manifest
from feeds.source import open_source
from tapeview.cli import main
from tapeview.session import Session
from tests.feeds.files.samples import SAMPLES

FORMATS = ("hftbacktest", "itch", "lighter", "table", "tardis")
each_format = pytest.mark.parametrize("name", FORMATS)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict]:
    """The JSON objects that a command prints; it must end well."""
    assert main([*words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def digest(address: str) -> str:
    """The engine's digest after a whole source."""
    with Session(open_source(address)) as session:
        for _ in session.run():
            pass
        return session.digest()


@each_format
def test_every_command_reads_the_file(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(SAMPLES[name](tmp_path))
    (info,) = run(capsys, "info", source)
    assert info["format"] == name
    assert info["trades"] > 0
    assert info["instruments"][0]["derived"] is True
    (book,) = run(capsys, "book", source)
    assert bool(book["bids"]) == (name != "table")
    tape = run(capsys, "tape", source, "--raw")
    assert len(tape) == info["trades"]
    (stats,) = run(capsys, "stats", source)
    assert stats["events"] == info["events"]
    (verdict,) = run(capsys, "verify", source)
    assert verdict["ok"] is True


@each_format
def test_a_recording_made_of_the_file_is_the_file_by_its_digest(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(SAMPLES[name](tmp_path / "in"))
    out = str(tmp_path / "out")
    (told,) = run(capsys, "convert", source, out)
    (verdict,) = run(capsys, "verify", out)
    assert verdict["events_digest"] == told["digest"]
    assert verdict["ok"] is True
    assert digest(out) == digest(source)
    manifest = read_manifest(Path(out))
    assert manifest.derived is True
    assert manifest.source_format == name


def test_columns_are_said_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("when,dear,much,who\n1700000000000,10.25,3,L\n1700000000100,10.50,1,S\n")
    words = ("--columns", "time=when,price=dear,size=much,side=who,buy=L,sell=S")
    tape = run(capsys, "tape", str(path), "--raw", *words)
    assert [(one["price"], one["size"], one["side"]) for one in tape] == [("10.25", "3", "buy"), ("10.50", "1", "sell")]
    assert main(["info", str(path)]) == 2
    assert "--columns" in capsys.readouterr().err
    assert main(["info", str(path), "--columns", "time=when,price=cheap,size=much"]) == 2
    assert "price: got 'cheap', expected one of the columns when, dear, much, who" in capsys.readouterr().err


def test_a_file_of_many_stocks_lists_them_and_one_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.feeds.files.samples import ItchDay

    day = ItchDay()
    day.begin("AAA", "BBB")
    day.add("B", 100, 10_000, stock="AAA", locate=7)
    day.add("B", 200, 20_000, stock="BBB", locate=8)
    path = tmp_path / "20130506.itch"
    path.write_bytes(bytes(day.out))
    assert main(["book", str(path)]) == 2
    assert "AAA, BBB" in capsys.readouterr().err
    (book,) = run(capsys, "book", str(path), "--symbol", "BBB")
    assert book["bids"] == [["2.00", "200", 1]]

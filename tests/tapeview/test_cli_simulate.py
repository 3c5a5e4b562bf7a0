"""`tapeview simulate` from its words to its files and its errors."""

from __future__ import annotations

import json

import polars as pl
import pytest

from tapeview.cli import main

ASKED = ["simulate", "--seed", "5", "--minutes", "1", "--plant", "native:every=10", "--plant", "pulled:every=20"]


def test_it_writes_a_recording_with_its_truth(tmp_path, capsys):
    out = tmp_path / "session"
    assert main([*ASKED, "--tier", "B", "-o", str(out), "--json"]) == 0
    printed, said = capsys.readouterr()
    told = json.loads(printed)
    truth = pl.read_parquet(out / "truth.parquet")
    assert told["labels"]["iceberg"] == (truth["type"] == "iceberg").sum() > 0
    assert told["events"] > 1000
    assert told["address"].endswith("plant=native:every=10+pulled:every=20,tier=B")
    assert "simulating" in said
    assert main(["verify", str(out)]) == 0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--plant", "icebrg", "-o", "x"], "'iceberg'?"),
        (["--tier", "Q", "-o", "x"], "A, B, C, D"),
        (["--profile", "futurs", "-o", "x"], "'futures'?"),
        (["--plant", "iceberg", "--profile", "mes", "-o", "x"], "to plant in"),
        ([], "-o DIR"),
    ],
)
def test_what_it_cannot_do_is_one_line_and_code_two(words, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", *words]) == 2
    printed, said = capsys.readouterr()
    assert not printed
    assert named in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way_is_left_alone(tmp_path, capsys):
    (tmp_path / "kept").write_text("mine")
    assert main([*ASKED, "-o", str(tmp_path)]) == 2
    assert (tmp_path / "kept").read_text() == "mine"
    assert "does not exist yet" in capsys.readouterr().err


def test_it_lists_what_can_be_planted(capsys):
    assert main(["simulate", "--list"]) == 0
    text = capsys.readouterr().out
    for name in ("iceberg", "absorber", "hidden_seller", "squeeze:fuel=", "gap", "futures"):
        assert name in text
    assert main(["simulate", "--list", "--json"]) == 0
    assert {"plant", "does", "settings"} <= set(json.loads(capsys.readouterr().out.splitlines()[0]))


def test_it_compares_with_another_session_and_says_what_is_outside(capsys):
    words = ["simulate", "--seed", "5", "--minutes", "2", "--compare", "simulator:seed=6,minutes=2,profile=coin"]
    assert main(words) == 1
    assert "OUTSIDE" in capsys.readouterr().out
    assert main([*words, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert {figure["within"] for figure in told["figures"]} == {True, False}

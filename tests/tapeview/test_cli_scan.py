"""`tapeview scan` as a person and a script meet it."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import polars as pl
import pytest

from tapeview.cli.entry import main

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "recordings" / "quiet-open"
LOOSE = ("--detectors", "large_print", "--set", "large_print.min_orders=50", "--set", "large_print.quantile=0.95")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[str], str]:
    code = main(["scan", *(str(word) for word in words)])
    out = capsys.readouterr()
    return code, out.out.splitlines(), out.err


@pytest.fixture(scope="module")
def lines() -> list[dict]:
    """Every alert as --json tells it."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(["scan", str(SOURCE), *LOOSE, "--json"])
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_each_alert_is_a_line_of_the_promised_shape(lines: list[dict]) -> None:
    assert lines
    for line in lines:
        assert {
            "detector", "method", "instrument", "seq", "exch_ns", "recv_ns", "phase", "side", "price", "score",
            "confidence", "tier", "text", "evidence",
        } <= set(line)  # fmt: skip
        assert line["detector"] == "large_print"
        assert line["phase"] in ("confirmed", "cleared", "raised")
        assert line["side"] in ("bid", "ask", None)
        assert isinstance(line["price"], str)
        assert line["price"] in line["text"]
    assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)


@pytest.mark.parametrize("name", ["alerts.parquet", "alerts.jsonl", "alerts.csv"])
def test_files_hold_the_same_alerts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, lines: list[dict], name: str
) -> None:
    code, shown, _ = run(capsys, SOURCE, *LOOSE, "-o", tmp_path / name)
    assert code == 0
    assert "1 source(s)" in shown[-1]
    path = tmp_path / name
    if name.endswith("jsonl"):
        assert [json.loads(line) for line in path.read_text().splitlines()] == lines
    else:
        frame = pl.read_parquet(path) if name.endswith("parquet") else pl.read_csv(path, infer_schema_length=None)
        assert frame["text"].to_list() == [line["text"] for line in lines]
        assert frame["seq"].to_list() == [line["seq"] for line in lines]
        assert json.loads(frame["evidence"][0]) == lines[0]["evidence"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


def test_a_rate_prints_what_each_value_gives_and_the_one_to_take(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, SOURCE, *LOOSE, "--rate", "2000/h")
    assert code == 0
    assert any("at most 2000/h with --set large_print.quantile=" in line for line in shown)


def test_markouts_are_a_table_beside_a_control(capsys: pytest.CaptureFixture[str]) -> None:
    _, shown, _ = run(capsys, SOURCE, *LOOSE, "--markouts", "--json")
    rows = [row for row in map(json.loads, shown) if "control" in row]
    assert {row["seconds"] for row in rows} == {1, 5, 30, 60}
    assert all(row["more"] == pytest.approx(row["moved"] - row["control"]) for row in rows)


def test_an_unfinished_scan_is_resumed_or_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    (tmp_path / "a.jsonl.unfinished").mkdir()
    code, _, error = run(capsys, SOURCE, *LOOSE, "-o", out)
    assert code == 2
    assert "--resume" in error
    assert run(capsys, SOURCE, *LOOSE, "-o", out, "--resume")[0] == 0
    assert out.exists()
    assert not (tmp_path / "a.jsonl.unfinished").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rate", "4"), "4/h"),
        (("--jobs", "-1"), "--jobs"),
        (("-o", "alerts.txt"), ".parquet"),
        (("-o", "no/such/folder/a.csv"), "existing folder"),
        (("--resume",), "-o FILE"),
        (("--detectors", "large_prnt"), "large_print"),
        (("--set", "large_print.quantile=7"), "quantile"),
        (("--set", "large_print.quantil=0.9"), "quantile"),
    ],
)
def test_bad_words_are_refused_with_what_was_expected(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, _, error = run(capsys, SOURCE, *words)
    assert code == 2
    assert said in error
    assert "Traceback" not in error

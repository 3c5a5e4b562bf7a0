"""`tapeview bench detectors` from its words to its tables, its errors, and being stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tapeview.bench import detectors as bench
from tapeview.bench import kept, null
from tapeview.bench.detectors import Row
from tapeview.cli import main

ROOT = Path(__file__).parent.parent.parent


def row(task: str, rule: str, measure: str, value: float | None, **more: object) -> Row:
    return Row(
        task=task, detector="pulled", rule=rule, measure=measure, value=value, low=0.5, high=0.9, labels=4, alerts=5,
        tapes=3, hours=1.5, seconds=2.0, **more,
    )  # fmt: skip


ROWS = [
    row("one", "ours", "f1", 0.81, wanted=0.8, way="least", met=True),
    row("one", "ours", "false/h", 9.0),
    row("one", "ours", "recall [slow]", 0.25),
    row("one", "ours", "labels [slow]", 4.0),
    row("one", "ours", "f1 [slow]", 0.3),
    row("one", "naive rule", "f1", 0.11),
    row("two", "ours", "false/h", 7.5, wanted=2.0, way="most", met=False),
]


@pytest.fixture
def measured(monkeypatch):
    asked: list[dict] = []

    def measure(**said):
        asked.append(said)
        return ROWS

    monkeypatch.setattr(bench, "measure", measure)
    return asked


def test_the_table_has_a_line_for_everything_wanted_with_the_naive_rules_beside_it(measured, capsys):
    assert main(["bench", "detectors", "--seeds", "fit", "--count", "2", "--jobs", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(
        word in lines[1] for word in ("one", "0.81", "0.50 to 0.90", ">= 0.8", "yes", "naive rule 0.11", "3 tapes")
    )
    assert all(word in lines[2] for word in ("two", "7.50", "<= 2", "NO"))
    (said,) = measured
    assert (said["seeds"], said["count"], said["workers"]) == ("fit", 2, bench.cores())
    assert said["keep"] == kept.folder()
    assert all(not bench.TASKS[n].apart for n in said["tasks"])


def test_more_is_shown_where_it_is_asked_for(measured, capsys):
    assert main(["bench", "detectors", "--all", "--strata", "--task", "pulled", "--fresh"]) == 0
    text = capsys.readouterr().out
    assert "9.00" in text
    assert "slow" in text.partition("group")[2]
    assert measured[0]["keep"] is None
    assert {bench.TASKS[n].detector for n in measured[0]["tasks"]} == {"pulled"}
    assert main(["bench", "detectors", "--baseline"]) == 0
    text = capsys.readouterr().out
    assert "naive rule" in text
    assert "ours" not in text
    assert main(["bench", "detectors", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["measure"] for one in told] == [one.measure for one in ROWS]


def test_the_null_is_a_table_too(monkeypatch, capsys):
    one = null.Row(
        source="here", detector="iceberg", method="async", threshold="async_score", value=9.0, default=True, real=8,
        null=1.5, share=0.1875, real_per_hour=4.0, null_per_hour=0.75,
    )  # fmt: skip
    monkeypatch.setattr(null, "measure", lambda *_, **__: [one])
    assert main(["bench", "detectors", "--null", "here"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert all(word in line for word in ("iceberg.async", "async_score = 9", "default", "1.50", "0.19", "4.00", "0.75"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["detectors", "--task", "icebreg"], "--task"), (["detectors", "--count", "0"], "1 or more"),
        (["detectors", "--jobs", "-1"], "0 or more"), (["detectors", "--shuffles", "0"], "1 or more"),
        (["detectors", "--seeds", "all", "--task", "pulled"], "fit, tune, report"),
        (["detectors", "--null", "absent"], "absent"), (["detectors", "--real", "absent"], "absent"),
        (["engine", "--strata"], "--strata"), (["cost", "--null", "x"], "--null"),
    ],
)  # fmt: skip
def test_wrong_words_get_one_line_and_code_two(words, named, capsys):
    assert main(["bench", *words]) == 2
    printed, said = capsys.readouterr()
    assert not printed
    assert named in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.mark.slow
def test_ctrl_c_stops_all_processes_in_one_line_and_keeps_what_is_finished():
    words = [sys.executable, "-m", "tapeview", "bench", "detectors", "--task", "absorption: nothing", "--jobs", "2"]
    words += ["--seeds", "fit", "--count", "900"]
    file = kept.folder() / "detectors.jsonl"
    before = file.stat().st_size if file.is_file() else 0
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stderr is not None
        assert any("min left" in line for line in running.stderr)
        os.killpg(running.pid, signal.SIGINT)
        rest = running.stderr.read()
        assert running.wait(60) == 130
    assert "Traceback" not in rest
    assert rest.rstrip().endswith("tapeview: interrupted")
    assert file.stat().st_size > before

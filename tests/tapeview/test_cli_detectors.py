"""`tapeview detectors`: the list, one detector in full, and its worked cases as they really go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tapeview.cli import detectors as command
from tapeview.cli.entry import main
from tapeview.detectors import load, names
from tapeview.detectors._declare import Case

ROOT = Path(__file__).parent.parent.parent


def run(capsys, *words):
    """Run the command in this process: (exit code, stdout, stderr)."""
    code = main(["detectors", *words])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_the_list_names_every_detector_with_its_methods_and_first_sentence(capsys):
    code, text, _ = run(capsys, "--json")
    listed = [json.loads(line) for line in text.splitlines()]
    assert code == 0
    assert [one["name"] for one in listed] == list(names())
    for one in listed:
        detector = load()[one["name"]]
        assert tuple(one["methods"]) == detector.methods
        assert one["on"]
        assert detector.rule.startswith(one["rule"])
        assert one["rule"].endswith((".", ";"))


def test_the_list_for_people_says_the_same(capsys):
    code, text, _ = run(capsys)
    assert code == 0
    for name, detector in load().items():
        assert f"{name}  {detector.title}\n" in text
        assert f"  methods: {', '.join(detector.methods)}\n" in text


@pytest.mark.parametrize("name", names())
def test_one_detector_is_told_whole(capsys, name):
    code, text, _ = run(capsys, name, "--json")
    told = json.loads(text)
    detector = load()[name]
    assert code == 0
    assert told["rule"] == detector.rule
    assert [one["key"] for one in told["thresholds"]] == list(detector.thresholds.__struct_fields__)
    for one in told["thresholds"]:
        assert one["least"] <= one["value"] == one["default"] <= one["most"]
        assert one["description"]
        assert one["source"]
        assert one["from"] == "default"
    assert [case["story"] for case in told["cases"]] == [case.story for case in detector.cases]
    assert all(case["as_said"] for case in told["cases"])
    assert any(case["gives"] for case in told["cases"])


@pytest.mark.parametrize("name", names())
def test_the_page_for_people_has_thresholds_with_bounds_and_cases_with_what_they_give(capsys, name):
    code, text, _ = run(capsys, name)
    detector = load()[name]
    assert code == 0
    assert f"[detectors.{name}]\n" in text
    for field in msgspec.structs.fields(detector.thresholds):
        assert f"\n{field.name} = " in text
    for number, case in enumerate(detector.cases, 1):
        assert f"\n{number}. {case.story} ({case.asset}, tier {case.tier}" in text
        for begins in case.alerts:
            assert begins in text
    assert "NOT AS SAID" not in text


def test_a_value_of_ones_own_is_shown_with_default_and_origin(capsys, tmp_path, monkeypatch):
    file = tmp_path / "mine.toml"
    file.write_text('[detectors]\noff = ["squeeze"]\n[detectors.squeeze]\nrvol = 4.5\n', encoding="utf-8")
    monkeypatch.setenv("TAPEVIEW_CONFIG", str(file))
    usual = f"{load()['squeeze'].thresholds().rvol:g}"
    assert f"rvol = 4.5  (1 to 50, default {usual}, from {file})" in run(capsys, "squeeze")[1]
    assert f"rvol = 6  (1 to 50, default {usual}, from --set)" in run(capsys, "squeeze", "--set", "squeeze.rvol=6")[1]
    assert "squeeze  Squeeze and liquidation cascade  (off)\n" in run(capsys)[1]


def test_scripts_come_short_or_whole(capsys):
    short, whole = run(capsys, "squeeze")[1], run(capsys, "squeeze", "--scripts")[1]
    assert len(whole) > 2 * len(short)
    assert " …\n" in short


def test_an_unknown_name_is_answered_with_the_nearest(capsys):
    code, text, err = run(capsys, "sqeeze")
    assert (code, text) == (2, "")
    assert "'sqeeze'" in err
    assert "'squeeze'?" in err


def test_a_case_that_gives_something_else_is_said_and_makes_exit_1(capsys, monkeypatch):
    wrong = Case("nothing at all", "b100:5", ("AN ALERT",))
    changed = load()["squeeze"]._replace(cases=(wrong,))
    assert [alert.text for alert in command.play("squeeze", changed, wrong)] == []
    monkeypatch.setitem(load(), "squeeze", changed)
    code, text, _ = run(capsys, "squeeze")
    assert code == 1
    assert "NOT AS SAID, which is: AN ALERT" in text


def test_no_kernel_is_compiled_for_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tapeview", "detectors", "large_print", "--json"],
        capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, "TAPEVIEW_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert json.loads(done.stdout)["name"] == "large_print"
    assert not list(tmp_path.rglob("*.nbc"))

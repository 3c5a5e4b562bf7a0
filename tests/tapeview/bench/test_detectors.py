"""The table of detectors: its tasks, one of them from end to end, and runs that go on where another ended."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from feeds.simulator.plants import PLANTED
from feeds.simulator.tape import check_profile, plan
from tapeview.alert import Alert
from tapeview.bench import detectors as bench
from tapeview.bench.taping import first_steps
from tapeview.bench.tasks import TASKS, Want, least, measure_of, most
from tapeview.detectors import load

SMALL = replace(
    TASKS[0], name="small", plants=("native:every=20",), minutes=3, wants={"precision": least(0.5), "false/h": most(9)}
)  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(bench, "TASKS", (SMALL,))


def test_every_task_can_be_run():
    names = [task.name for task in TASKS]
    assert len(set(names)) == len(names)
    for task in TASKS:
        detector = load()[task.detector]
        assert set(task.methods) <= set(detector.methods), task.name
        depth = check_profile(task.profile).depth[0]
        planned, _ = plan(1000, task.minutes * 60_000_000_000, depth, task.plants)
        assert bool(planned) == bool(task.plants), task.name
        assert {text.partition(":")[0] for text in task.plants} <= set(PLANTED)
        for name in (*task.wants, *task.shows):
            measure_of(name)


def test_no_task_is_easier_than_what_was_promised():
    wants = {(task.name, name): want for task in TASKS for name, want in task.wants.items()}
    assert wants["native iceberg, order ids", "recall"] == least(0.99)
    assert wants["native iceberg, levels by match event", "f1"] == least(0.97)
    assert [task.wants["f1"].value for task in TASKS if task.name.startswith("synthetic")] == [0.88, 0.80, 0.65, 0.60]
    assert wants["iceberg-like, levels every 100 ms", "f1 [D >= 9]"] == least(0.70)
    assert wants["called squeeze without fuel", "recall"] == most(0.10)
    assert wants["VWAP reversion with flow", "over null"] == Want(0.05, "gain")
    assert all(wants[task.name, "false/h"].value <= 3 for task in TASKS if "nothing there" in task.name)


@pytest.mark.parametrize(
    ("want", "value", "low", "met"),
    [
        (least(0.5), 0.5, None, True), (least(0.5), 0.49, None, False), (least(0.5), None, None, False),
        (most(2), 2.0, None, True), (most(2), 2.1, None, False), (most(2), None, None, True),
        (Want(0.05, "gain"), 0.2, 0.01, True), (Want(0.05, "gain"), 0.2, -0.01, False),
        (Want(0.05, "gain"), 0.2, None, False), (Want(0.05, "none"), -0.04, None, True),
        (Want(0.05, "none"), -0.06, None, False), (Want(0.05, "none"), None, None, False),
    ],
)  # fmt: skip
def test_what_is_wanted_is_met_or_not(want, value, low, met):
    assert want.met(value, low) is met


def test_a_story_counts_from_the_step_on_that_is_of_the_method():
    def step(key: int, phase: str, method: str) -> Alert:
        return Alert(
            detector="x", method=method, key=key, phase=phase, inst=0, seq=0, recv_ns=key, exch_ns=None, side=1, tick=1,
            tick_to=1, lots=1, grade=1, score=1.0, tier="A", text=f"{key} {phase}", evidence={},
        )  # fmt: skip

    steps = [
        step(1, "confirmed", "run"), step(2, "confirmed", "cascade"), step(1, "raised", "cascade"),
        step(1, "raised", "cascade"), step(3, "confirmed", "run"), step(3, "cleared", "cascade"),
    ]  # fmt: skip
    assert [a.text for a in first_steps(steps, ("cascade",))] == ["2 confirmed", "1 raised"]
    assert [a.text for a in first_steps(steps, ())] == ["1 confirmed", "2 confirmed", "3 confirmed"]


def test_a_task_from_its_tapes_to_its_rows(small, tmp_path):
    said: list[str] = []
    rows = bench.measure(tasks=[0], seeds="fit", count=3, strata=True, keep=tmp_path, say=said.append)
    got = {(row.rule, row.measure): row for row in rows}
    ours = got["ours", "precision"]
    assert ours.value == 1.0
    assert (ours.want, ours.met, ours.tapes) == (least(0.5), True, 3)
    assert ours.labels > 5
    assert ours.hours == pytest.approx(0.15, abs=0.01)
    # The naive rules are there, and are not wanted to be anything.
    assert {rule for rule, _ in got} == {"ours", *load()["iceberg"].baselines}
    assert all(row.wanted is None for row in rows if row.rule != "ours")
    assert got["ours", "labels [native]"].value == ours.labels
    assert len(said) == 3

    # What is finished is not made again, and comes to the same.
    def broken(*_: object) -> None:
        raise AssertionError("run again")

    run_tape, bench.run_tape = bench.run_tape, broken
    try:
        said.clear()
        again = bench.measure(tasks=[0], seeds="fit", count=3, strata=True, keep=tmp_path, say=said.append)
        assert again == rows
        assert said == ["3 of 3 tapes were measured before"]
        with pytest.raises(AssertionError, match="run again"):
            bench.measure(tasks=[0], seeds="fit", count=4, keep=tmp_path, say=said.append)
        with pytest.raises(AssertionError, match="run again"):
            bench.measure(tasks=[0], seeds="fit", count=3, keep=tmp_path, overrides={"window_s": 60}, say=said.append)
    finally:
        bench.run_tape = run_tape


def test_a_fit_writes_a_map_from_more_tapes_of_the_same_proportions(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "TASKS", (replace(SMALL, seeds=2), replace(SMALL, name="other", calibrates=False)))
    said: list[str] = []
    file = tmp_path / "calibration.json"
    bench.measure(seeds="fit", fit=str(file), say=said.append)
    assert len(said) == 2 * bench.FIT_TIMES
    assert json.loads(file.read_bytes())["maps"].keys() <= {"iceberg.native.A"}


@pytest.mark.slow
def test_processes_come_to_the_same_as_one(tmp_path):
    number = next(n for n, task in enumerate(TASKS) if task.name.startswith("absorption: nothing"))
    alone = bench.measure(tasks=[number], seeds="fit", count=3, say=lambda _: None)
    beside = bench.measure(tasks=[number], seeds="fit", count=3, workers=2, say=lambda _: None)
    assert [(row.measure, row.rule, row.value, row.low) for row in alone] == [
        (row.measure, row.rule, row.value, row.low) for row in beside
    ]

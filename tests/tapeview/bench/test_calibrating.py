"""Maps from scores to probabilities: fitted, written, read back, capped, and checked on alerts they have not seen."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tapeview.bench.calibrating import LEAST_ALERTS, WANTED, checked, maps_of, write_maps
from tapeview.bench.score import Tape
from tapeview.bench.tasks import TASKS
from tapeview.detectors import _calibration
from tapeview.detectors._calibration import CEILINGS, Calibration, Map, ceiling, confidence

NATIVE = next(task for task in TASKS if task.name.startswith("native iceberg, order ids"))
PULLED = next(task for task in TASKS if task.name == "pulled liquidity, levels every 100 ms")
SIZE = next(task for task in TASKS if not task.calibrates)


def tapes(method: str, seed: int, count: int = 40, each: int = 30) -> list[Tape]:
    """Alerts whose chance to be right is their score over ten."""
    chance = np.random.default_rng(seed)
    out = []
    for n in range(count):
        scores = chance.uniform(0, 10, each)
        ranked = tuple((float(s), bool(chance.random() < s / 10)) for s in scores)
        out.append(Tape(seed * 1000 + n, 0.5, 0, 0, 0, ranked=ranked, methods=(method,) * each))
    return out


def test_a_map_finds_the_chance_behind_the_scores():
    maps = maps_of([(PULLED, tapes("orders", 1))], "fit seeds")
    (name,) = maps
    assert name == "pulled.orders.C"
    assert maps[name].alerts == 1200
    assert maps[name].fitted_on == "simulated, fit seeds: 1000-1039"
    known = Calibration(maps=maps)
    for points in (1.0, 4.0, 8.0):
        assert confidence("pulled", "orders", "C", points, known) == pytest.approx(points / 10, abs=0.12)
    assert confidence("pulled", "orders", "A", 5.0, known) is None


def test_confidence_holds_on_alerts_that_were_not_fitted():
    known = Calibration(maps=maps_of([(PULLED, tapes("orders", 1, 200))], "fit seeds"))
    # Above the ceiling of .85 what is stated is less than what comes true, and is meant to be.
    fresh = []
    for tape in tapes("orders", 2, 200):
        kept = tuple(pair for pair in tape.ranked if pair[0] < 8.4)
        fresh.append(tape._replace(ranked=kept, methods=("orders",) * len(kept)))
    rows = checked([(PULLED, fresh)], known)
    (worst,) = [row for row in rows if row.measure == "worst decile"]
    assert worst.value is not None
    assert worst.value <= WANTED
    assert (worst.wanted, worst.way, worst.met) == (WANTED, "most", True)
    swapped = [t._replace(ranked=tuple((s, not hit) for s, hit in t.ranked)) for t in fresh]
    assert next(row for row in checked([(PULLED, swapped)], known) if row.measure == "worst decile").met is False


def test_too_few_alerts_make_no_map_and_some_tasks_none_at_all():
    few = tapes("native", 1, 1, LEAST_ALERTS - 1)
    assert maps_of([(NATIVE, few)], "x") == {}
    assert maps_of([(SIZE, tapes("native", 1))], "x") == {}
    assert checked([(NATIVE, few)], Calibration()) == []


def test_a_map_never_falls_and_is_capped_by_tier_and_method():
    sure = {f"{name}.{tier}": Map(score=(0.0,), share=(1.0,), alerts=99, fitted_on="x") for tier in "ABCD"
            for name in ("pulled.orders", "pulled.levels", "iceberg.native")}  # fmt: skip
    known = Calibration(maps=sure)
    for tier, most in CEILINGS.items():
        assert confidence("iceberg", "native", tier, 1.0, known) == most
        assert confidence("pulled", "levels", tier, 1.0, known) == min(0.70, most) == ceiling("pulled", "levels", tier)
        assert confidence("pulled", "orders", tier, 1.0, known) == min(0.85, most)
    shares = maps_of([(PULLED, tapes("orders", 3))], "x")["pulled.orders.C"].share
    assert list(shares) == sorted(shares)


def test_the_written_file_is_what_the_program_reads(tmp_path, monkeypatch):
    file = tmp_path / "calibration.json"
    write_maps(file, [(PULLED, tapes("orders", 1))], "fit")
    monkeypatch.setattr(_calibration, "FILE", file)
    _calibration.calibration.cache_clear()
    try:
        made = _calibration.calibration()
        assert (made.version, list(made.maps)) == (1, ["pulled.orders.C"])
        assert made.made_by.endswith("bench detectors --fit")
        assert 0.2 < (confidence("pulled", "orders", "C", 5.0) or 0) < 0.8
        _calibration.calibration.cache_clear()
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(made, version=2)))
        assert _calibration.calibration().maps == {}
    finally:
        _calibration.calibration.cache_clear()


def test_what_a_ceiling_takes_is_told_apart_from_a_wrong_map():
    right = [t._replace(ranked=tuple((s, True) for s, _ in t.ranked)) for t in tapes("levels", 4)]
    known = Calibration(maps=maps_of([(PULLED, right)], "x"))
    got = {row.measure: row for row in checked([(PULLED, right)], known)}
    assert got["worst decile"].value == pytest.approx(0.3)
    assert got["worst decile"].met is False
    assert got["the same before ceilings"].value == 0
    assert got["the same before ceilings"].met is None

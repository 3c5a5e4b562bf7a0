"""The hour's budget of alerts: who is held back, and who never is."""

from __future__ import annotations

import pytest

from feeds import script
from tapeview.detectors import large_print, load
from tapeview.engine import Engine, warm
from tapeview.watch import BUDGET, Watch, default_thresholds
from tests.tapeview.detectors.test_contract import instrument

CASE = next(case for case in load()["large_print"].cases if case.alerts[0].startswith("LARGE PRINT"))
MANY = " ".join(["~350 b100:498 ~350 +101:60"] * 26)
LOOSE = {**CASE.thresholds, "quantile": 0.9}
"""So that all of them are large to the end."""


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    warm()


def prints(detectors, more=""):
    """Whether each large print was held back, in order, with these detectors at work."""
    about = instrument(CASE)
    picked = default_thresholds(detectors) | {"large_print": large_print.DETECTOR.thresholds(**LOOSE)}
    engine, watch = Engine(about), Watch(about, "A", picked)
    found = watch.apply(engine.apply(script.events(f"{CASE.script} {MANY} {more}")))
    return [f.alert.held for f in found if f.alert.phase == "confirmed" and f.alert.detector == "large_print"], watch


def test_a_detector_alone_has_the_whole_budget():
    held, watch = prints(("large_print",))
    assert held.count(False) == BUDGET
    assert held == sorted(held)
    assert watch.held == held.count(True) > 0


def test_a_talkative_detector_leaves_one_alert_an_hour_to_every_other():
    held, _ = prints(None)
    assert held.count(False) == BUDGET - (len(load()) - 1)
    assert held == sorted(held)


def test_the_budget_is_of_the_last_hour():
    held, _ = prints(("large_print",), "~3600000 b100:498 +101:99 ~6000 b100:497 b100:498 b100:497 +101:99")
    assert held[BUDGET] is True
    assert held[-1] is False

"""Alerts an hour: which values are tried, what is measured anew, and how they are drawn."""

from __future__ import annotations

import threading

import pytest

from tapeview.engine.settings import EngineSettings
from tapeview.ui.screens._rates import Rates, Stopped, bars
from tapeview.watch import default_thresholds, thresholds_of
from tests.kit import crowd


@pytest.fixture
def address(tmp_path):
    return str(crowd.record(tmp_path / "crowd").address)


def thresholds(**values):
    return default_thresholds() | thresholds_of({"large_print": {**crowd.STRICT["large_print"], **values}})


def test_the_values_tried_are_about_the_default_inside_the_bounds_and_hold_the_present_one():
    rates = Rates("nowhere", EngineSettings())
    tried = rates.tried("large_print", thresholds(quantile=0.912345))
    assert tried == sorted(set(tried))
    assert 0.912345 in tried
    assert default_thresholds()["large_print"].quantile in tried
    assert all(0.9 <= value <= 0.99999 for value in tried)
    assert len(tried) > 7


def test_only_what_is_not_known_is_measured_and_other_thresholds_are_another_matter(address, monkeypatch):
    from tapeview import scan

    sets = []
    real = scan.scan_one
    monkeypatch.setattr(scan, "scan_one", lambda job, told: sets.append(len(job.thresholds) - 1) or real(job, told))
    rates, never = Rates(address, EngineSettings()), threading.Event()
    first = rates.measure("large_print", thresholds(), never, lambda share: None)
    assert sets == [len(first)]
    rates.measure("large_print", thresholds(), never, lambda share: None)
    rates.measure("large_print", thresholds(quantile=0.95), never, lambda share: None)
    assert sets[1:] == [1]
    assert rates.known("large_print", thresholds(min_orders=20)) == {}
    assert rates.hours == pytest.approx(crowd.SPAN_MS / 3.6e6, rel=0.01)


def test_a_measurement_that_is_not_wanted_any_more_stops(address):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        Rates(address, EngineSettings()).measure("large_print", thresholds(), stop, lambda share: None)


@pytest.mark.parametrize(
    ("values", "width", "drawn"),
    [
        ([4.0, 2.0, 1.0, 0.0], 4, ["████", "██", "█", ""]),
        ([8.0, 1.0, None], 1, ["█", "▏", ""]),
        ([0.0, 0.0], 5, ["", ""]),
        ([], 5, []),
    ],
)
def test_bars_are_as_long_as_rates_are_great(values, width, drawn):
    assert bars([(n, value) for n, value in enumerate(values)], width) == drawn

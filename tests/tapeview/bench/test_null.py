"""The permutation null on a short session: what is run, and that shuffled evidence leads to fewer alerts."""

from __future__ import annotations

import pytest

from tapeview.bench import null

SOURCE = "simulator:seed=2,minutes=12,profile=futures,plant=synthetic:every=15:delay=50:jitter=0:cancel=0"


def test_each_method_is_tried_where_its_tier_can_show_it():
    plans = {
        tier: {(job.detector, job.method) for job in null.jobs_of("x", tier, 3) if job.detector == "iceberg"}
        for tier in "ABCD"
    }
    assert plans["A"] == plans["B"] == {("iceberg", "synthetic")}
    assert plans["C"] == {("iceberg", "async")}
    assert plans["D"] == set()
    jobs = [job for job in null.jobs_of("x", "A", 3) if job.detector == "iceberg"]
    assert sum(job.default for job in jobs) == 1
    assert len(jobs) == len(null.STEPS)


def test_thresholds_stay_within_their_bounds_and_whole_where_they_are_whole():
    from tapeview.detectors import load

    jobs = [job for tier in "ABC" for job in null.jobs_of("x", tier, 1)]
    defaults = [(job.detector, job.method) for job in null.jobs_of("x", "A", 1) if job.default]
    assert len(defaults) == len(set(defaults)) == len({(job.detector, job.method) for job in null.jobs_of("x", "A", 1)})
    for job in jobs:
        made = load()[job.detector].thresholds(**job.values)
        for key, value in job.values.items():
            assert getattr(made, key) == value
            assert isinstance(value, type(getattr(load()[job.detector].thresholds(), key)))


def test_shuffled_evidence_leads_to_fewer_alerts_than_planted_icebergs():
    job = next(j for j in null.jobs_of(SOURCE, "A", 4) if j.default and j.method == "synthetic")
    count = null.run_job(job)
    assert count.real >= 5
    assert count.null / 4 < count.real / 3
    assert count.hours == pytest.approx(0.2, abs=0.01)
    assert null.run_job(job) == count


def test_the_table_has_a_row_for_each_threshold(monkeypatch):
    monkeypatch.setattr(null, "run_job", lambda job: null._Count(4, 3, 0.5))
    said: list[str] = []
    rows = null.measure([SOURCE], shuffles=2, say=said.append)
    mine = [row for row in rows if row.detector == "iceberg"]
    assert [row.value for row in mine] == sorted(row.value for row in mine)
    assert {(row.real, row.null, row.share, row.real_per_hour) for row in rows} == {(4, 1.5, 0.375, 8.0)}
    assert len(said) == len(rows)

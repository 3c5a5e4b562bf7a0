"""Scans: the same alerts in one process, in several and on a cluster; resumed; markouts and rates by hand."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from feeds.errors import BadInput
from tapeview import scan
from tapeview.engine.settings import EngineSettings
from tapeview.scan import Job, Markout, Result
from tapeview.session import Session
from tapeview.watch import default_thresholds

ROOT = Path(__file__).parents[2]
BUNDLED = [str(ROOT / "recordings" / name) for name in ("quiet-open", "perp-breakout")]
LOOSE = {"large_print": {"min_orders": 50, "quantile": 0.95}}


def jobs(addresses: list[str] = BUNDLED, sets: tuple[dict, ...] = (LOOSE,), *, markouts: bool = False) -> list[Job]:
    return [
        Job(number=n, address=address, options=None, settings=EngineSettings(), thresholds=sets, markouts=markouts)
        for n, address in enumerate(addresses)
    ]


def said(results: list[Result]) -> list[list[dict]]:
    return [result.alerts for result in sorted(results, key=lambda result: result.number)]


@pytest.fixture(scope="module")
def alone() -> list[Result]:
    return list(scan.scan(jobs(markouts=True)))


def test_a_scan_gives_what_a_session_gives(alone: list[Result]) -> None:
    from feeds.source import open_source
    from tapeview import format as fmt
    from tapeview.watch import thresholds_of

    for result, address in zip(alone, BUNDLED, strict=True):
        with Session(open_source(address), EngineSettings(), thresholds_of(LOOSE)) as session:
            scale = fmt.Scale.of(session.instruments[0])
            want = [f.alert.as_json(scale) for outcome in session.run() for f in outcome.findings]
        assert want
        assert result.alerts == want
        assert result.fires[0]["large_print"] == len([a for a in want if a["phase"] == "confirmed"])


def test_processes_give_what_one_gives(alone: list[Result]) -> None:
    heard: list[tuple[int, ...]] = []
    there = list(scan.scan(jobs(markouts=True), workers=2, told=lambda *words: heard.append(words)))
    assert said(there) == said(alone)
    by_number = sorted(there, key=lambda result: result.number)
    assert [result.markouts for result in by_number] == [result.markouts for result in alone]
    assert {words[0] for words in heard} <= {0, 1}


@pytest.mark.slow
def test_a_cluster_gives_what_one_process_gives(alone: list[Result]) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        there = list(scan.scan(jobs(markouts=True), cluster=cluster.scheduler_address))
    assert said(there) == said(alone)


def test_no_scheduler_there_is_bad_input() -> None:
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with pytest.raises(BadInput, match="--cluster"):
        list(scan.scan(jobs(), cluster="tcp://127.0.0.1:1"))


def test_what_is_finished_is_not_run_again(
    tmp_path: Path, alone: list[Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scan.scan(jobs(), folder=tmp_path / "kept")
    done = next(first)
    first.close()
    ran: list[int] = []
    real = scan.scan_one

    def counted(job: Job, told: scan.Told | None = None) -> Result:
        ran.append(job.number)
        return real(job, told)

    monkeypatch.setattr(scan, "scan_one", counted)
    whole = list(scan.scan(jobs(), folder=tmp_path / "kept"))
    assert ran == [1 - done.number]
    assert said(whole) == said(alone)
    ran.clear()
    other = ({"large_print": {"min_orders": 60, "quantile": 0.95}},)
    list(scan.scan(jobs(sets=other), folder=tmp_path / "kept"))
    assert ran == [0, 1]


def test_a_damaged_kept_result_is_run_again(tmp_path: Path, alone: list[Result]) -> None:
    list(scan.scan(jobs(), folder=tmp_path))
    (tmp_path / "000000.json").write_bytes(b"{")
    assert said(list(scan.scan(jobs(), folder=tmp_path))) == said(alone)


def test_sets_side_by_side_fire_as_each_alone() -> None:
    strict = {"large_print": {"min_orders": 50, "quantile": 0.99}}
    both = next(scan.scan(jobs(BUNDLED[:1], (LOOSE, strict))))
    alone = [next(scan.scan(jobs(BUNDLED[:1], (one,)))) for one in (LOOSE, strict)]
    assert both.fires == [one.fires[0] for one in alone]
    assert both.fires[0]["large_print"] > both.fires[1]["large_print"]


def test_a_source_that_cannot_be_read_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    with pytest.raises(BadInput):
        list(scan.scan(jobs([str(tmp_path / "noise")])))
    with pytest.raises(BadInput):
        list(scan.scan(jobs([str(tmp_path / "noise"), BUNDLED[0]]), workers=2))


def test_unknown_detectors_and_thresholds_are_named() -> None:
    with pytest.raises(BadInput, match="large_print"):
        list(scan.scan(jobs(sets=({"large_prints": {}},))))
    with pytest.raises(BadInput, match="quantile"):
        list(scan.scan(jobs(sets=({"large_print": {"quantil": 0.9}},))))
    with pytest.raises(BadInput, match="large_print.quantile"):
        list(scan.scan(jobs(sets=({"large_print": {"quantile": 2}},))))


def test_markouts_by_hand() -> None:
    times = np.arange(0, 100, dtype=np.int64) * 1_000_000_000
    twice = np.where(times < 50_000_000_000, 200, 206)
    assert scan._moved(times, twice, 49_500_000_000, 1, 1) == 3.0
    assert scan._moved(times, twice, 49_500_000_000, 1, -1) == -3.0
    assert scan._moved(times, twice, 10_000_000_000, 1, 1) == 0.0
    assert scan._moved(times, twice, 98_000_000_000, 5, 1) is None


def test_the_markout_table_means_and_bounds() -> None:
    marks = [Markout("d", "m", block, (1.0 + block % 2, None, 0.0, 0.0), (0.5, 0.0, 0.0, 0.0)) for block in range(20)]
    result = msgspec.structs.replace(
        Result(number=0, address="a", key="k", events=1, hours=1, cpu_s=1, alerts=[], fires=[]), markouts=marks
    )
    first, second, *_ = scan.markout_table([result])
    assert (first["alerts"], first["moved"], first["control"], first["more"]) == (20, 1.5, 0.5, 1.0)
    assert first["low"] < 1.0 < first["high"]
    assert second["alerts"] == 0


def test_values_to_try_rise_inside_their_bounds() -> None:
    assert scan.settings_of(4, 1, 10, whole=True) == [1, 2, 3, 4, 5, 7, 9, 10]
    tried = scan.settings_of(0.995, 0.9, 0.99999, whole=False)
    assert tried == sorted(tried)
    assert tried[0] == pytest.approx(0.985)
    assert tried[-1] == pytest.approx(1 - 0.005 / 3)


def test_a_rate_takes_the_least_value_that_is_rare_enough() -> None:
    rows = [{"detector": "d", "threshold": "k", "value": v, "per_hour": r} for v, r in ((1, 9.0), (2, 4.0), (3, 1.0))]
    assert scan.solved(rows, 4) == {"d": 2}
    assert scan.solved(rows, 0.5) == {"d": None}


def test_defaults_cover_every_detector() -> None:
    assert set(default_thresholds()) >= {"large_print"}

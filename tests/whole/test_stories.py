"""The bundled stories: what they are named after happens, is told, and is told the same by every replay."""

from __future__ import annotations

import contextlib
import shlex
from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl
import pytest

from feeds.recording import open_recording
from feeds.recording.manifest import read_manifest
from feeds.simulator import seeds
from feeds.simulator.recorder import PLANTING, TRUTH
from tapeview import bundled
from tapeview.cli import main
from tapeview.engine import _jit
from tapeview.playback import open_playback
from tapeview.snapshot import Window
from tests.whole import golden

BYTES = 2_000_000
ALL_BYTES = 6_000_000
SECOND_NS = 1_000_000_000
WINDOW = Window(rows=40, alert_rows=30)


def rows_of(folder):
    with contextlib.closing(open_recording(folder)) as recording:
        return np.concatenate(list(recording.batches()))


@pytest.fixture(scope="module")
def scanned():
    """Every bundled recording's alerts, scanned once."""
    known = {}

    def alerts(name):
        if name not in known:
            known[name] = golden.alerts_of(golden.RECORDINGS / name)
        return known[name]

    return alerts


@pytest.mark.parametrize("name", golden.names())
def test_a_replay_tells_what_the_golden_log_holds(name, scanned):
    kept = golden.golden(name)
    differing = golden.differences(kept, golden.lines_of(scanned(name)))
    assert kept, f"no log for {name}: python -m tests.whole.golden"
    assert not differing, "\n".join([*differing, "(meant? python -m tests.whole.golden)"])


@pytest.mark.skipif(not _jit.wanted(), reason="kernels are not compiled in this run")
def test_plain_python_tells_what_the_golden_log_holds(monkeypatch):
    monkeypatch.setattr(_jit, "_twins", {})
    now = golden.lines_of(golden.alerts_of(golden.RECORDINGS / "iceberg-defence"))
    assert golden.differences(golden.golden("iceberg-defence"), now) == []


@pytest.mark.parametrize("name", golden.STORIES)
def test_who_plays_a_story_from_where_it_begins_sees_it_happen(name, scanned):
    (recorded,) = [one for one in bundled.recordings() if one.name == name]
    first = min((alert for _, alert in golden.at_label(name, scanned(name))), key=lambda alert: alert["recv_ns"])
    playback = open_playback([recorded.path], at=str(recorded.begin_ns), paused=True)
    try:
        before = playback.snapshot(WINDOW).alerts
        assert all(line.seq < first["seq"] for line in before.lines)
        playback.seek(first["recv_ns"])
        after = playback.snapshot(WINDOW).alerts
    finally:
        playback.close()
    assert (golden.STORIES[name].detector, first["seq"], first["text"]) in [
        (line.detector, line.seq, line.text) for line in after.lines
    ]


def test_the_golden_log_is_what_scan_prints(capsys):
    name = "iceberg-defence"
    assert main(["scan", str(golden.RECORDINGS / name), "--json"]) == 0
    assert capsys.readouterr().out.splitlines() == golden.golden(name)


def test_there_is_no_golden_log_without_its_recording():
    assert sorted(path.stem for path in golden.LOGS.iterdir()) == golden.names()


@pytest.mark.parametrize("name", golden.STORIES)
def test_a_story_shows_what_it_is_named_after_at_its_label(name, scanned):
    assert golden.labels(name)
    assert golden.at_label(name, scanned(name)), [alert["text"] for alert in scanned(name)]


@pytest.mark.parametrize("name", golden.STORIES)
def test_what_a_story_is_named_after_comes_within_two_minutes_of_where_it_begins(name, scanned):
    begin = read_manifest(golden.RECORDINGS / name).begin_ns
    first = min(alert["recv_ns"] for _, alert in golden.at_label(name, scanned(name)))
    assert 10 * SECOND_NS < first - begin < 120 * SECOND_NS


@pytest.mark.parametrize("name", golden.STORIES)
def test_the_line_a_list_shows_begins_with_the_time_of_the_label(name):
    (recorded,) = [one for one in bundled.recordings() if one.name == name]
    label = min(golden.labels(name), key=lambda row: row["t0_ns"])
    assert recorded.story.split()[0] == f"{datetime.fromtimestamp(label['t0_ns'] // SECOND_NS, UTC):%H:%M:%S}"
    assert read_manifest(golden.RECORDINGS / name).instruments[0].timezone == "UTC"
    assert recorded.begin_ns is not None
    assert len(recorded.story) <= 61


def test_the_bundled_recordings_are_small():
    sizes = {
        name: sum(path.stat().st_size for path in (golden.RECORDINGS / name).rglob("*") if path.is_file())
        for name in golden.names()
    }
    assert max(sizes.values()) < BYTES, sizes
    assert sum(sizes.values()) < ALL_BYTES, sizes
    assert set(golden.STORIES) < set(sizes)


@pytest.mark.parametrize("name", golden.STORIES)
def test_the_seed_of_a_story_is_of_no_set_that_anything_was_fitted_or_reported_on(name):
    words = shlex.split(read_manifest(golden.RECORDINGS / name).origin)
    assert seeds.set_of(int(words[words.index("--seed") + 1])) == "free"


@pytest.mark.parametrize("name", golden.STORIES)
def test_the_command_of_a_story_makes_it_again(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    kept = read_manifest(golden.RECORDINGS / name)
    assert main(shlex.split(kept.origin)[1:]) == 0
    capsys.readouterr()
    made = tmp_path / "recordings" / name
    assert rows_of(made).tobytes() == rows_of(golden.RECORDINGS / name).tobytes()
    assert pl.read_parquet(made / TRUTH).equals(pl.read_parquet(golden.RECORDINGS / name / TRUTH))
    # The manifest too, but for the sums of the program's own source and of what depends on the Parquet writer.
    again = msgspec.structs.replace(read_manifest(made), created_by="", code_digest=None, check="", parts=())
    assert again == msgspec.structs.replace(kept, created_by="", code_digest=None, check="", parts=())
    assert kept.origin.startswith(PLANTING)


def test_differences_name_the_line_the_detector_and_the_field():
    log = golden.golden("iceberg-defence")
    changed = [*log[:1], log[1].replace('"grade":', '"grade":1'), *log[3:]]
    gone, other = log[2], msgspec.json.decode(log[1])
    assert golden.differences(log, log) == []
    said = golden.differences(log, changed)
    assert len(said) == 2
    assert said[0].startswith(f"line 2 is another: seq {other['seq']} {other['detector']}")
    assert f"grade {other['grade']} -> 1{other['grade']}" in said[0]
    assert said[1].startswith("line 3 is gone: ")
    assert msgspec.json.decode(gone)["text"] in said[1]
    assert golden.differences(changed, log)[1].startswith("line 3 is new: ")

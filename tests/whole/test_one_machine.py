"""One machine: frames, events, any cutting and any place to begin again give one digest, one tape, one statistic."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import pytest

from feeds import open_source
from feeds.recording import open_recording, rebuild, verify
from feeds.simulator.recorder import COMMAND, PLANTING
from tapeview.cli.stats import statistics
from tapeview.engine import warm
from tapeview.session import Session

ROOT = Path(__file__).parent.parent.parent
BUNDLED = sorted(p for p in (ROOT / "recordings").iterdir() if p.is_dir())


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    warm()


def played(session, batches):
    """Apply batches; give digest, statistics and the newest prints."""
    for batch in batches:
        session.play(batch)
    facts = [statistics(session, n) for n in range(len(session.instruments))]
    return session.digest(), facts, [e.tape.prints(200).tolist() for e in session.engines]


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda p: p.name)
def test_a_bundled_recording_is_whole_and_small(folder):
    verdict = verify(folder)
    assert verdict.problems == []
    assert verdict.ok
    assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) < 2_000_000
    assert open_recording(folder).manifest.origin.startswith((COMMAND, PLANTING))


@pytest.mark.parametrize("folder", [p for p in BUNDLED if (p / "frames").is_dir()], ids=lambda p: p.name)
def test_frames_and_events_give_one_state(folder):
    recording = open_recording(folder)
    from_events = played(Session(recording, thresholds={}), recording.batches())
    from_frames = played(Session(open_recording(folder), thresholds={}), rebuild(folder))
    assert from_events == from_frames


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda p: p.name)
def test_a_recording_cut_at_random_gives_one_state(folder):
    rows = np.concatenate(list(open_recording(folder).batches()))
    whole = played(Session(open_recording(folder), thresholds={}), [rows])
    random = np.random.default_rng(7)
    for _ in range(3):
        cuts = np.sort(random.integers(0, len(rows), random.integers(1, 400)))
        assert played(Session(open_recording(folder), thresholds={}), np.split(rows, cuts)) == whole


@pytest.mark.parametrize("name", ["binance-usdm-btcusdt", "lobster-aapl", "venue-captures/KRAKEN.jsonl.zst"])
def test_a_converted_capture_gives_the_state_of_the_capture(data, tmp_path, name):
    from tapeview.cli import convert

    words = argparse.Namespace(
        source=str(data / name), out=tmp_path / "copy", part_rows=20_000, json=True, format=None, tick=None, lot=None,
        symbol=None, venue=None, facts=None, columns=None,
    )  # fmt: skip
    assert convert.run(words) == 0
    source = open_source(data / name)
    direct = played(Session(source, thresholds={}), source.batches())
    copy = open_source(tmp_path / "copy")
    assert played(Session(copy, thresholds={}), copy.batches()) == direct


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda p: p.name)
def test_detectors_find_the_same_however_the_session_is_cut_or_entered(folder):
    from tapeview.watch import default_thresholds

    thresholds = default_thresholds()
    rows = np.concatenate(list(open_source(folder).batches()))

    def heard(cuts):
        with Session(open_source(folder), None, thresholds) as session:
            told, digests = [], []
            for begin, end in itertools.pairwise(cuts):
                told += [f.alert for f in session.play(rows[begin:end])]
                digests.append(session.watch_digest())
            return told, digests[-1]

    n = len(rows)
    whole, digest = heard([0, n])
    chance = np.random.default_rng(7)
    cuts = sorted({0, n, *chance.integers(0, n, 40).tolist()})
    assert heard(cuts) == (whole, digest)
    # A session saved half way and taken up by another goes on as if nothing had been.
    with (
        Session(open_source(folder), None, thresholds) as first,
        Session(open_source(folder), None, thresholds) as then,
    ):
        told = [f.alert for f in first.play(rows[: n // 2])]
        for old, new in zip(first.watches, then.watches, strict=True):
            new.restore(old.save())
        then.engines = [
            type(engine).load(engine.instrument, engine.settings, engine.save()) for engine in first.engines
        ]
        told += [f.alert for f in then.play(rows[n // 2 :])]
        assert (told, then.watch_digest()) == (whole, digest)

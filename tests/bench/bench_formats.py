"""Recordings and wire frames as benchmark cases; groups put each beside its yardstick."""

from __future__ import annotations

import gzip

import numpy as np
import polars as pl
import pytest

from feeds.events import EventBuffer
from feeds.instruments import Instrument
from feeds.recording import RecordingWriter, open_recording
from feeds.source import Checks, SourceInfo
from feeds.venues.binance_futures import BinanceFutures
from tapeview.bench import formats
from tapeview.bench.streams import level_stream
from tapeview.engine import warm
from tapeview.session import Session

INSTRUMENT = Instrument(venue="bench", symbol="L2", tick="0.01")


@pytest.fixture(scope="module")
def piece():
    warm()
    return level_stream(300_000)


@pytest.fixture(scope="module")
def recording(piece, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench") / "session"
    info = SourceInfo(address="b", format="b", venue="b", tier="C", verification="unverifiable", bytes=0)
    with RecordingWriter(folder, info, (INSTRUMENT,)) as writer:
        writer.write(piece)
    return folder


@pytest.mark.benchmark(group="read 300k events")
def test_recording(benchmark, recording):
    rows = benchmark(lambda: sum(len(b) for b in open_recording(recording).batches()))
    assert rows >= 300_000


@pytest.mark.benchmark(group="read 300k events")
def test_csv_gz(benchmark, piece, tmp_path):
    path = tmp_path / "yard.csv.gz"
    names = ("recv_ns", "exch_ns", "kind", "side", "tick", "lots")
    path.write_bytes(gzip.compress(pl.DataFrame({n: piece[n] for n in names}).write_csv().encode(), 1))
    assert len(benchmark(lambda: pl.read_csv(path))) == len(piece)


@pytest.mark.benchmark(group="read 300k events")
def test_npz(benchmark, piece, tmp_path):
    np.savez_compressed(tmp_path / "yard.npz", rows=piece)
    assert len(benchmark(lambda: np.load(tmp_path / "yard.npz")["rows"])) == len(piece)


@pytest.mark.benchmark(group="through the core, 300k events")
def test_recording_through_the_core(benchmark, recording):
    def through():
        session = Session(open_recording(recording), thresholds={})
        for _ in session.run():
            pass
        return session.engines[0].events

    assert benchmark(through) >= 300_000


@pytest.mark.benchmark(group="parse 100 frames of 100 levels")
def test_frames_to_rows(benchmark):
    frames = [formats._frame(n, 100) for n in range(1, 101)]
    instrument = Instrument(venue="binance-futures", symbol="BTCUSDT", tick="0.10", lot="0.001")

    def parse():
        out = EventBuffer()
        venue = BinanceFutures({"BTCUSDT": (0, instrument)}, Checks())
        venue.on_snapshot("BTCUSDT", formats._snapshot(5), 1, out)
        for raw in frames:
            venue.on_frame(raw, 1, out)
        return len(out)

    assert benchmark(parse) >= 10_000


@pytest.mark.benchmark(group="parse 100 frames of 100 levels")
def test_json_and_decimal(benchmark):
    frames = [formats._frame(n, 100) for n in range(1, 101)]
    assert benchmark(formats.plain_parse, frames) > 0

"""Live = replay: what a client heard through the mirror, recorded, says the same again, with and without faults."""

from __future__ import annotations

import asyncio
import signal
import sys

import msgspec
import numpy as np
import pytest

from feeds.mirror import Plan, open_reel, parse_fault
from feeds.recording import FrameWriter, derive_events, open_recording, rebuild, verify
from feeds.recording.manifest import Manifest
from feeds.venues import venues
from tapeview.engine import Engine, warm
from tapeview.session import pieces
from tapeview.watch import Watch, default_thresholds
from tests.conftest import ROOT
from tests.kit.mirrored import mirrored, visiting
from tests.kit.spoken import MARKETS
from tests.tapeview.test_record import Process

PERP = ROOT / "recordings" / "perp-breakout"
FAULTS = (
    "drop:every=400",
    "duplicate:every=150",
    "reorder:every=500:of=depth",
    "close:1012:at=60s",
    "garbage:cut:at=900",
)


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    warm()


def played(rows, instruments):
    """(engine digests, alerts) of rows."""
    digests, alerts = [], []
    for inst, instrument in enumerate(instruments):
        mine = rows[(rows["inst"] == inst) | (rows["inst"] == 0xFFFF_FFFF)].copy()
        mine["inst"][mine["inst"] == inst] = 0
        mine["seq"] = np.arange(len(mine))
        engine, watch = Engine(instrument), Watch(instrument, "C", default_thresholds())
        alerts += [f.alert for piece in pieces(mine) for f in watch.apply(engine.apply(piece))]
        digests.append(engine.digest())
    return digests, alerts


async def live(reel, venue, folder, faults, speed):
    """What a client heard, and its recording."""
    instruments = tuple(reel.markets[venue].values())
    about = Manifest(
        venue=venue, instruments=instruments, created_by="test", tier=venues()[venue].tier,
        verification=venues()[venue].verification,
    )  # fmt: skip
    known = {one.symbol: (n, one) for n, one in enumerate(instruments)}
    plan = Plan([parse_fault(one) for one in faults], 1)
    with FrameWriter(folder, about) as sink:
        async with (
            mirrored(reel, speed=speed, plan=plan, settle_s=0.4) as mirror,
            visiting(mirror, venue, instruments=known, sink=sink) as visit,
        ):
            await visit.over()
        rows = visit.rows
    return rows, instruments, dict(plan.done)


@pytest.mark.parametrize("faults", [(), FAULTS], ids=["without faults", "with faults"])
async def test_a_perpetual_through_the_mirror_is_the_same_live_and_replayed(tmp_path, faults):
    rows, instruments, done = await live(open_reel(str(PERP)), "binance-futures", tmp_path / "r", faults, 60)
    assert len(rows) > 40_000
    assert done.keys() == {one.partition(":")[0] for one in faults}
    again = np.concatenate(list(rebuild(tmp_path / "r")))
    rows = rows[: len(again)]  # the clock of the silence at the end is not in frames
    assert rows.tobytes() == again.tobytes()
    derive_events(tmp_path / "r")
    events = np.concatenate(list(open_recording(tmp_path / "r").batches()))
    verdict = verify(tmp_path / "r")
    assert verdict.frames_digest == verdict.events_digest is not None
    assert verdict.ok != bool(faults), verdict.problems
    first = played(rows, instruments)
    assert played(again, instruments) == first
    assert played(events, instruments) == first
    assert len(first[0]) == 1


@pytest.mark.parametrize("venue", MARKETS)
async def test_every_venues_words_are_the_same_live_and_replayed(tmp_path, venue, monkeypatch):
    kind = venues()[venue]
    monkeypatch.setattr(kind, "terms", msgspec.structs.replace(kind.terms, send_gap_ms=1))
    reel, _ = MARKETS[venue](9, 200)
    rows, _, _ = await live(reel, venue, tmp_path / "r", ("drop:every=40", "duplicate:every=15", "reset:at=0.5s"), 2)
    again = np.concatenate(list(rebuild(tmp_path / "r")))
    assert len(again) > 150
    assert rows[: len(again)].tobytes() == again.tobytes()


async def test_record_and_mirror_as_a_person_runs_them(tmp_path):
    """`tapeview mirror` says how to connect, `tapeview record` does, and the recording verifies."""
    command = [sys.executable, "-m", "tapeview", "mirror", str(PERP), "--speed", "30", "--fault", "duplicate:every=50"]
    import os
    import subprocess

    environ = os.environ | {"NO_PROXY": "127.0.0.1", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    mirror = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert mirror.stdout is not None
        first = await asyncio.to_thread(mirror.stdout.readline)
        words = (await asyncio.to_thread(mirror.stdout.readline)).split()
        assert first.startswith("ws://127.0.0.1:")
        assert "binance-futures:BTCUSDT" in first
        while words[1] != "record":
            words = (await asyncio.to_thread(mirror.stdout.readline)).split()
        out = tmp_path / "captured"
        words[words.index("DIR")] = str(out)
        recording = Process([*words[2:], "--for", "6s", "--json"])
        printed, said = await recording.communicate()
        assert recording.returncode == 0, said.decode()
        told = msgspec.json.decode(printed)
        assert told["frames"] > 500
        verdict = verify(out)
        assert verdict.ok, verdict.problems
    finally:
        mirror.send_signal(signal.SIGINT)
        _, said = await asyncio.to_thread(mirror.communicate, timeout=20)
        for pipe in (mirror.stdout, mirror.stderr):
            assert pipe is not None
            pipe.close()
    assert mirror.returncode == 0
    assert "duplicate" in said
    assert "Traceback" not in said

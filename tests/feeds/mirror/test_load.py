"""Load through the mirror: a burst and minutes of it, every frame recorded, the book exact.

`TAPEVIEW_LOAD_S` says how many seconds the long one takes (600 where nobody says):
`python -m pytest -n 0 -m slow tests/feeds/mirror/test_load.py`.
"""

from __future__ import annotations

import os
import time

import pytest

from feeds.mirror.reel import FRAME, Listed, Shot
from feeds.recording import FrameReader, FrameWriter
from feeds.recording.manifest import Manifest
from feeds.recording.queue import FrameQueue
from tests.feeds.mirror.test_voices import book_of
from tests.kit.mirrored import mirrored, visiting
from tests.kit.spoken import START_NS, okx

LONG_S = float(os.environ.get("TAPEVIEW_LOAD_S", "600"))


def at_rate(messages: int, rate: int):
    """A market in OKX's words with so many messages a second."""
    reel, book = okx(5, messages)
    shots = [Shot(START_NS + n * 10**9 // rate, "okx", FRAME, shot.raw) for n, shot in enumerate(reel.shots())]
    return Listed("load", reel.markets, shots), book, len(shots)


async def loaded(tmp_path, messages: int, rate: int):
    """(frames sent, seconds it took, the recording's frames, the client's book and the venue's)."""
    reel, book, frames = at_rate(messages, rate)
    instruments = tuple(reel.markets["okx"].values())
    about = Manifest(venue="okx", instruments=instruments, created_by="test", verification="chain", tier="C")
    queue = FrameQueue(FrameWriter(tmp_path / "r", about))
    known = {one.symbol: (n, one) for n, one in enumerate(instruments)}
    async with (
        mirrored(reel, speed=1.0, settle_s=0.7) as mirror, visiting(mirror, instruments=known, sink=queue) as visit,
    ):  # fmt: skip
        began = time.monotonic()
        await visit.over(LONG_S + 120)
        took = time.monotonic() - began
        rows, checks = visit.rows, visit.client.checks
    queue.close()
    kept = sum(getattr(record, "kind", 0) == 1 for record in FrameReader(tmp_path / "r").records())
    assert queue.dropped == 0
    assert (checks.gaps, checks.damaged) == (0, 0)
    assert kept >= frames
    assert book_of(rows) == book
    return frames, took


async def test_bursts_and_minutes_of_load_are_recorded_whole_and_the_book_is_exact(tmp_path):
    frames, took = await loaded(tmp_path, 5_000, 5_000)
    assert frames > 5_000
    assert took > 0.5


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("rate", "seconds"), [(50_000, 10.0), (5_000, LONG_S)])
async def test_the_load_of_a_wild_day(tmp_path, rate, seconds, capsys):
    frames, took = await loaded(tmp_path, round(rate * seconds * 0.9), rate)
    with capsys.disabled():
        print(f"\n{frames:,} frames asked for at {rate:,}/s took {took:.1f} s: {frames / took:,.0f}/s")

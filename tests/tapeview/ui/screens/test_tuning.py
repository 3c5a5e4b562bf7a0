"""Wishes for other thresholds: only the newest counts, what is given up changes nothing, failures are told."""

from __future__ import annotations

import asyncio

import pytest

from feeds.errors import BadInput
from feeds.recording import open_recording
from feeds.script import START_NS
from tapeview.playback import Playback
from tapeview.ui.screens._tuning import Tuning
from tapeview.watch import thresholds_of
from tests.kit import crowd

LOOSE, STRICT = thresholds_of(crowd.LOOSE), thresholds_of(crowd.STRICT)
MIDDLE = thresholds_of({"large_print": {"quantile": 0.95, "min_orders": 30}})


@pytest.fixture
def playback(tmp_path):
    play = Playback([open_recording(crowd.record(tmp_path / "crowd").address)], None, STRICT)
    play.seek(START_NS + crowd.SPAN_MS * 500_000)
    yield play
    play.close()


async def test_a_wish_is_fulfilled_and_one_for_what_there_is_already_is_none(playback):
    tuning = Tuning(playback, lambda call: call(), pytest.fail)
    assert not tuning.ask(STRICT)
    assert tuning.share is None
    assert tuning.ask(LOOSE)
    await tuning.run()
    assert playback.thresholds == LOOSE
    assert (tuning.share, tuning.done) == (None, 1)


async def test_only_the_newest_wish_counts(playback):
    tuning = Tuning(playback, lambda call: call(), pytest.fail)
    assert tuning.ask(LOOSE)
    running = asyncio.create_task(tuning.run())
    await asyncio.sleep(0)
    assert not tuning.ask(MIDDLE)
    assert not tuning.ask(STRICT)
    await running
    assert playback.thresholds == STRICT
    assert tuning.done <= 2


async def test_what_is_given_up_changes_nothing(playback):
    tuning = Tuning(playback, lambda call: call(), pytest.fail)
    tuning.ask(LOOSE)
    running = asyncio.create_task(tuning.run())
    await asyncio.sleep(0)
    tuning.stop()
    await running
    assert playback.thresholds == STRICT
    assert tuning.share is None


async def test_a_failure_is_told_and_the_next_wish_is_fulfilled(playback, monkeypatch):
    failures = []
    tuning = Tuning(playback, lambda call: call(), failures.append)
    real = playback.prepare

    def fails(*args):
        raise BadInput("part", None, "a readable part")

    monkeypatch.setattr(playback, "prepare", fails)
    tuning.ask(LOOSE)
    await tuning.run()
    assert [str(error) for error in failures] == [str(BadInput("part", None, "a readable part"))]
    assert playback.thresholds == STRICT
    monkeypatch.setattr(playback, "prepare", real)
    assert tuning.ask(LOOSE)
    await tuning.run()
    assert playback.thresholds == LOOSE

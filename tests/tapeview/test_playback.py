"""Seeking, stepping and going back give the very state that playing through gives."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import CLOCK, LAST, TRADE
from feeds.instruments import Instrument
from feeds.recording import RecordingWriter, open_recording
from feeds.script import START_NS, events
from feeds.source import OpenOptions, SourceInfo
from tapeview.engine import warm
from tapeview.library import Growing, as_recording, prune
from tapeview.playback import SPEEDS, Playback, open_playback
from tapeview.session import Session
from tapeview.snapshot import Window

STORY = (
    "[ b100:5 b99:7 a101:3 a103:9 ] ~250 +101:2&a101:1 ~10 +101:1&a101:0 ~300 -100:1&b100:4 ~900 +103:4&a103:5 "
    "~4000 b98:3 ~100 !gap !clear ~50 [ b97:2 a99:4 ] ~700 ?98:6 -97:2&b97:0 ~1500 b96:1 "
    "o7b95:3 ~20 o8b95:2 ~20 x7 ~20 f8:1&-95:1 ~2000 a99:0 a100:3"
)
INSTRUMENT = Instrument(venue="test", symbol="STORY", tick="0.25")


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    warm()


def record(folder, script=STORY, instrument=INSTRUMENT, part_rows=9):
    """Write a script as a recording of many small parts."""
    info = SourceInfo(address="story", format="script", venue="test", tier="C", verification="chain", bytes=0)
    with RecordingWriter(folder, info, (instrument,), part_rows=part_rows) as writer:
        writer.write(events(script))
    return open_recording(folder)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return record(tmp_path_factory.mktemp("play") / "story")


@pytest.fixture
def playback(recording):
    play = Playback([open_recording(recording.address)])
    play.start_index()
    wait_for(lambda: play.lane.index_done)
    yield play
    play.close()


def wait_for(condition):
    """Wait for a background thread to get there."""
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "did not get there"
        time.sleep(0.005)


def digest_through(*, seq=None, recv_ns=None):
    """The digest after playing the story from its start."""
    rows = events(STORY)
    cut = rows["seq"] <= seq if seq is not None else np.maximum.accumulate(rows["recv_ns"]) <= recv_ns
    from tapeview.engine import Engine

    engine = Engine(INSTRUMENT)
    engine.apply(rows[cut])
    return engine.digest()


ROWS = events(STORY)
ENDS = [int(s) for s in ROWS["seq"][(ROWS["marks"] & LAST != 0) & (ROWS["kind"] != CLOCK)]]
SPAN_MS = int(ROWS["recv_ns"].max() - START_NS) // 1_000_000


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, SPAN_MS), min_size=1, max_size=5))
def test_a_seek_gives_the_digest_of_playing_through_wherever_one_was_before(playback, moments):
    for ms in moments:
        playback.seek(START_NS + ms * 1_000_000)
        assert playback.lane.session.digest() == digest_through(recv_ns=START_NS + ms * 1_000_000)
        assert playback.market_ns == START_NS + ms * 1_000_000


def test_a_seek_before_the_background_pass_is_exact_too(recording):
    play = Playback([open_recording(recording.address)])
    for ms in (SPAN_MS, 0, SPAN_MS // 2):
        play.seek(START_NS + ms * 1_000_000)
        assert play.lane.session.digest() == digest_through(recv_ns=START_NS + ms * 1_000_000)
    play.close()


def test_a_seek_into_a_damaged_part_is_refused_and_leads_nowhere_else(tmp_path):
    damaged = record(tmp_path / "story")
    part = damaged.parts[2]
    (tmp_path / "story" / "events" / part.name).write_bytes(b"PAR1 no more")
    play = Playback([damaged])
    try:
        play.seek(START_NS)
        with pytest.raises(BadInput, match=part.name):
            play.seek(part.last_ns)
        play.play()
        assert not play.tick(1)
        assert not play.tick(10**12)
        assert play.ended
        play.seek(damaged.parts[0].last_ns)
        assert play.lane.session.digest() == digest_through(recv_ns=damaged.parts[0].last_ns)
        assert not play.ended
    finally:
        play.close()


def test_stepping_through_stops_after_every_venue_message(playback):
    seen = []
    while not playback.ended and len(seen) < 100:
        playback.step_event()
        seen.append(playback.lane.session.seq)
    assert [s for s in dict.fromkeys(seen) if s in ENDS] == ENDS
    assert playback.lane.session.digest() == digest_through(seq=int(ROWS["seq"][-1]))


def test_stepping_by_trades_stops_after_each_print(playback):
    trades = [int(s) for s in ROWS["seq"][ROWS["kind"] == TRADE]]
    seen = []
    for _ in trades:
        playback.step_trade()
        seen.append(playback.lane.session.engines[0].tape.raw(1)["seq"][0])
    assert seen == trades


def test_back_undoes_one_message_at_a_time(playback):
    for _ in ENDS:
        playback.step_event()
    for end in reversed(ENDS[:-1]):
        playback.back()
        assert playback.lane.session.digest() == digest_through(seq=end)
    playback.back()
    playback.step_event()


def test_back_from_a_row_inside_a_message_goes_to_the_end_of_the_one_before(playback):
    inside = [int(s) for s in ROWS["seq"][(ROWS["marks"] & LAST == 0) & (ROWS["kind"] != CLOCK)] if s > ENDS[0]]
    assert len(inside) > 5
    for seq in inside:
        playback.lane.go(seq=seq)
        playback.back()
        assert playback.lane.session.digest() == digest_through(seq=max(end for end in ENDS if end < seq))


def test_forward_after_back_goes_the_same_way(playback):
    for _ in range(8):
        playback.step_event()
    there = playback.lane.session.digest()
    for _ in range(3):
        playback.back()
    for _ in range(3):
        playback.step_event()
    assert playback.lane.session.digest() == there


def test_the_clock_handed_in_drives_the_market_at_the_speed_asked(playback):
    playback.seek(START_NS)
    playback.set_speed(2.0)
    playback.play()
    playback.tick(0)
    for now_ms in range(10, 500, 10):
        playback.tick(now_ms * 1_000_000)
    reached = playback.market_ns
    assert reached == START_NS + 2 * 490_000_000
    playback.pause()
    playback.tick(900_000_000)
    assert playback.market_ns == reached
    assert playback.lane.session.digest() == digest_through(recv_ns=reached)


def test_at_full_speed_it_ends_and_starts_again(playback):
    playback.set_speed(0.0)
    playback.play()
    wait_for(lambda: playback.tick(0) or playback.ended)
    wait_for(lambda: not playback.tick(0) and playback.ended)
    assert playback.lane.session.digest() == digest_through(seq=int(ROWS["seq"][-1]))
    playback.pause()
    playback.toggle()
    assert playback.playing
    assert not playback.ended


def test_speeds_go_up_and_down_one_by_one(playback):
    playback.set_speed(SPEEDS[0])
    up = [playback.faster() or playback.speed for _ in SPEEDS[1:]]
    assert up == list(SPEEDS[1:])
    playback.faster()
    assert playback.speed == 0.0
    down = [playback.slower() or playback.speed for _ in SPEEDS[1:]]
    assert down == list(reversed(SPEEDS[:-1]))
    playback.slower()
    assert playback.speed == SPEEDS[0]


def test_a_snapshot_says_where_it_is_and_what_was_asked(playback):
    playback.seek(START_NS + 1_500_000_000)
    snapshot = playback.snapshot(Window(rows=10, tape_rows=5, chart_columns=20))
    status = snapshot.status
    assert (status.instrument, status.state, status.mode) == ("test:STORY", "live", "REPLAY")
    assert (status.start_ns, status.market_ns) == (START_NS, START_NS + 1_500_000_000)
    assert status.indexed == 1.0
    assert max(status.timeline) == 1.0
    assert snapshot.ladder.best_bid == 100
    assert snapshot.tape.prints["lots"].tolist() == [4, 1, 3]


def test_several_sources_share_one_clock_and_stay_exact(tmp_path):
    first = record(tmp_path / "a")
    second = record(tmp_path / "b", STORY.replace("100:", "200:"), Instrument(venue="test", symbol="OTHER", tick="1"))
    play = Playback([first, second])
    play.seek(START_NS + 1_000_000_000)
    assert play.snapshot(Window(rows=3)).status.instruments == ("STORY", "OTHER")
    assert [lane.session.recv_ns // 10**9 for lane in play.lanes] == [(START_NS + 10**9) // 10**9] * 2
    assert play.select(1)
    assert play.snapshot(Window(rows=3)).status.instrument == "test:OTHER"
    assert not play.select(2)
    play.step_event()
    assert play.lanes[0].session.digest() == digest_through(recv_ns=play.lanes[1].player.market_ns)
    play.close()


def test_a_foreign_file_is_converted_once_and_plays_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("TAPEVIEW_CACHE", str(tmp_path / "cache"))
    from feeds import open_source

    address = "simulator:seed=5,minutes=1,profile=mes"
    options = OpenOptions()
    growing = as_recording(open_source(address), options)
    assert isinstance(growing, Growing)
    session = Session(growing, thresholds={})
    for _ in session.run():
        pass
    wait_for(lambda: growing.refresh() is not None and growing.complete)
    direct = Session(open_source(address), thresholds={})
    for _ in direct.run():
        pass
    assert session.digest() == direct.digest()
    growing.close()
    again = as_recording(open_source(address), options)
    assert not isinstance(again, Growing)
    assert again.info.address == growing.info.address
    again.close()


def test_a_file_that_breaks_in_the_middle_says_so_in_the_converters_words(tmp_path, monkeypatch):
    monkeypatch.setenv("TAPEVIEW_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "X_2020-01-02_message_1.csv"
    lines = [f"34200.{n:09},1,{n + 1},10,{1000000 + 100 * (n % 7)},1" for n in range(2000)]
    path.write_text("\n".join([*lines, "34201.0,1,oops,3,4,5", *lines]))
    try:
        playing = open_playback([str(path)])
        wait_for(lambda: (playing.tick(0), playing.failure)[1])
        failure = playing.failure
        playing.close()
    except BadInput as error:
        failure = str(error)
    assert "2001" in failure
    assert "oops" in failure


def test_copies_longest_unused_go_first(tmp_path):
    for n, name in enumerate(["old", "middle", "new"]):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_bytes(b"x" * 100)
        import os

        os.utime(tmp_path / name, (n, n))
    prune(tmp_path, keep_bytes=200)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["middle", "new"]


def test_opening_seeks_to_the_time_asked_and_a_wrong_time_is_refused(recording):
    play = open_playback([recording.address], at="+1.5s", paused=True)
    assert play.market_ns == START_NS + 1_500_000_000
    assert not play.playing
    play.close()
    with pytest.raises(BadInput, match="--at"):
        open_playback([recording.address], at="teatime")

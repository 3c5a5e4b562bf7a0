"""Scouts and retuning: detectors under other thresholds tell what they would have told from the start."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.instruments import Instrument
from feeds.recording import open_recording
from feeds.script import START_NS
from tapeview.engine import warm
from tapeview.playback import Playback
from tapeview.scout import Scout
from tapeview.session import Session
from tapeview.snapshot import Window
from tapeview.watch import thresholds_of
from tests.kit.crowd import LOOSE, SPAN_MS, STORY, STRICT, record

OTHERS = [LOOSE, STRICT, {"large_print": {"quantile": 0.95, "min_orders": 30}}, {}]
WINDOW = Window(alert_rows=99)


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    import tapeview.watch  # noqa: F401

    warm()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return record(tmp_path_factory.mktemp("scout") / "story").address


def open_player(*addresses, thresholds):
    return Playback([open_recording(address) for address in addresses], None, thresholds_of(thresholds))


def wait_for(condition):
    """Wait for a background thread to get there."""
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "did not get there"
        time.sleep(0.005)


def told(play):
    """What is shown of alerts now, and what the detectors of every lane remember."""
    part = play.snapshot(WINDOW).alerts
    return part, [lane.session.watch_digest() for lane in play.lanes]


def played_afresh(address, thresholds, ns):
    """What a session opened with thresholds tells when it has been played through to a moment."""
    play = open_player(address, thresholds=thresholds)
    play.seek(ns)
    shown = told(play)
    play.close()
    return shown


def test_the_thresholds_tried_here_do_differ_in_what_they_tell(address):
    totals = []
    for thresholds in OTHERS:
        part, _ = played_afresh(address, thresholds, START_NS + SPAN_MS * 1_000_000)
        totals.append(part.total if part is not None else None)
    assert len(set(totals)) == len(OTHERS)
    assert totals[0] > totals[1] > 0


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["seek", "play", "back"]), st.integers(0, SPAN_MS), st.sampled_from(OTHERS)),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_after_retuning_alerts_are_those_of_a_session_opened_with_these_thresholds(address, story, indexed):
    play = open_player(address, thresholds=STRICT)
    try:
        if indexed:
            play.start_index()
            wait_for(lambda: play.lane.index_done)
        for how, ms, thresholds in story:
            if how == "seek":
                play.seek(START_NS + ms * 1_000_000)
            elif how == "back":
                play.back()
            else:
                play.play()
                play.tick(0)
                play.tick(ms * 200_000)
                play.pause()
            play.retune(thresholds_of(thresholds))
            seq = play.lane.session.seq
            fresh = open_player(address, thresholds=thresholds)
            fresh.lane.go(seq=seq) if seq >= 0 else None
            assert told(play)[1] == told(fresh)[1]
            shown, expected = told(play)[0], told(fresh)[0]
            assert shown == expected
            assert play.lane.session.digest() == fresh.lane.session.digest()
            fresh.close()
    finally:
        play.close()


def test_going_on_and_back_after_retuning_stays_exact_and_the_background_pass_goes_to_the_end(address):
    play = open_player(address, thresholds=STRICT)
    play.start_index()
    play.seek(START_NS + SPAN_MS * 500_000)
    play.retune(thresholds_of(LOOSE))
    wait_for(lambda: play.lane.index_done)
    for ms in (SPAN_MS, SPAN_MS // 3, SPAN_MS // 2):
        play.seek(START_NS + ms * 1_000_000)
        assert told(play) == played_afresh(address, LOOSE, START_NS + ms * 1_000_000)
    ahead = play.lane.log.next_after(0, play.lane.session.seq)
    assert ahead is not None
    assert ahead.alert.seq > play.lane.session.seq
    play.close()


def test_volumes_are_counted_once_however_often_it_is_retuned(address):
    once = open_player(address, thresholds={})
    once.start_index()
    wait_for(lambda: once.lane.index_done)
    often = open_player(address, thresholds=STRICT)
    often.start_index()
    for thresholds in OTHERS:
        often.seek(START_NS + SPAN_MS * 700_000)
        often.retune(thresholds_of(thresholds))
    wait_for(lambda: often.lane.index_done)
    assert often.lane.volume == once.lane.volume
    assert sum(once.lane.volume.values()) > 0
    once.close()
    often.close()


def test_the_player_may_go_on_while_other_detectors_are_prepared(address):
    play = open_player(address, thresholds=STRICT)
    play.seek(START_NS + SPAN_MS * 300_000)
    shares = []
    prepared = play.prepare(thresholds_of(LOOSE), told=shares.append)
    before = told(play)
    assert before == played_afresh(address, STRICT, START_NS + SPAN_MS * 300_000)
    for ms in (SPAN_MS * 9 // 10, SPAN_MS // 10, SPAN_MS // 2):
        play.seek(START_NS + ms * 1_000_000)
    play.adopt(prepared)
    assert told(play) == played_afresh(address, LOOSE, START_NS + SPAN_MS // 2 * 1_000_000)
    assert shares == sorted(shares)
    assert 0 < shares[-1] <= 1
    play.close()


def test_a_preparation_that_is_stopped_changes_nothing(address):
    play = open_player(address, thresholds=STRICT)
    play.seek(START_NS + SPAN_MS * 800_000)
    stop = threading.Event()
    assert play.prepare(thresholds_of(LOOSE), stop, lambda share: stop.set()) is None
    assert told(play) == played_afresh(address, STRICT, START_NS + SPAN_MS * 800_000)
    play.close()


def test_anchors_of_ones_own_and_the_book_stay_while_detectors_are_changed(address):
    play = open_player(address, thresholds=STRICT)
    play.seek(START_NS + SPAN_MS * 200_000)
    slot = play.anchor()
    digest = play.lane.session.digest()
    play.retune(thresholds_of(LOOSE))
    assert play.lane.session.digest() == digest
    play.drop_anchor(slot)
    play.close()


def test_all_lanes_are_retuned(tmp_path):
    record(tmp_path / "a")
    record(tmp_path / "b", STORY.replace("~200", "~170"), Instrument(venue="cme", symbol="OTHER", tick="1"))
    addresses = [str(tmp_path / "a"), str(tmp_path / "b")]
    play = open_player(*addresses, thresholds=STRICT)
    play.seek(START_NS + 20_000_000_000)
    play.retune(thresholds_of(LOOSE))
    fresh = open_player(*addresses, thresholds=LOOSE)
    fresh.seek(START_NS + 20_000_000_000)
    assert told(play) == told(fresh)
    assert play.select(1)
    assert fresh.select(1)
    assert told(play) == told(fresh)
    assert told(play)[0].total > 0
    play.close()
    fresh.close()


def test_damage_in_the_recording_is_passed_as_the_player_passes_it(tmp_path):
    folder = tmp_path / "story"
    recording = record(folder)
    (folder / "events" / recording.parts[3].name).write_bytes(b"PAR1 no more")
    play = open_player(str(folder), thresholds=STRICT)
    play.set_speed(0.0)
    play.play()
    wait_for(lambda: play.tick(0) or play.ended)
    wait_for(lambda: not play.tick(0) and play.ended)
    play.retune(thresholds_of(LOOSE))
    through = Session(open_recording(folder), None, thresholds_of(LOOSE))
    for _ in through.run():
        pass
    assert play.lane.session.watch_digest() == through.watch_digest()
    play.close()


def test_a_scout_that_was_stopped_goes_on_where_it_was(address, tmp_path):
    source = open_recording(address)
    scout = Scout(source, Session(source).settings, thresholds_of(LOOSE), tmp_path)
    stop = threading.Event()
    rounds = 0
    while not scout.run(stop, seen=lambda batch: stop.set()):
        stop.clear()
        rounds += 1
    assert rounds > 3
    through = Session(open_recording(address), None, thresholds_of(LOOSE))
    found = [finding.alert for outcome in through.run() for finding in outcome.findings]
    assert len(scout.log) == len({alert.key for alert in found}) > 0
    assert scout.session_at(scout.seq).watch_digest() == through.watch_digest()
    source.close()

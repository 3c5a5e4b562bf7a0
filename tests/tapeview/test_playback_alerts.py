"""Alerts of a session played on the screen: the same wherever one comes from, and places to go to."""

from __future__ import annotations

import time

import numpy as np
import pytest

from feeds.recording import open_recording
from tapeview.alertlog import AlertLog
from tapeview.engine import warm
from tapeview.playback import LEAD_S, Playback, open_playback
from tapeview.session import Session
from tapeview.snapshot import Window
from tapeview.watch import thresholds_of
from tests.kit.recordings import beginning

LOOSE = {"large_print": {"min_orders": 50, "quantile": 0.95}}
WINDOW = Window(rows=40, alert_rows=30)


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    import tapeview.watch  # noqa: F401

    warm()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return beginning(tmp_path_factory.mktemp("alerts"), "quiet-open", 75).address


@pytest.fixture(scope="module")
def told(address):
    """Every finding of the session, from a session that no screen plays."""
    with Session(open_recording(address), thresholds=thresholds_of(LOOSE)) as session:
        return [one for outcome in session.run() for one in outcome.findings]


@pytest.fixture
def playback(address):
    play = Playback([open_recording(address)], None, thresholds_of(LOOSE))
    play.start_index()
    until = time.monotonic() + 60
    while not play.lane.index_done:
        assert time.monotonic() < until
        time.sleep(0.005)
    yield play
    play.close()


def begun(told):
    return [one.alert for one in told if one.alert.phase == "confirmed" and not one.alert.held]


def test_there_is_something_to_see(told):
    assert len(begun(told)) >= 10
    assert any(one.alert.held for one in told)


def test_seeking_to_and_fro_shows_the_alerts_that_playing_through_shows(playback, told):
    first, last = begun(told)[0].recv_ns, begun(told)[-1].recv_ns
    moments = np.random.default_rng(7).integers(first - 10**9, last + 10**10, 12).tolist()
    for moment in [*moments, playback.end_ns, playback.start_ns]:
        playback.seek(moment)
        alone = AlertLog()
        alone.add(one for one in told if one.alert.seq <= playback.lane.session.seq)
        assert playback.snapshot(WINDOW).alerts == alone.part(0, playback.lane.session.seq, WINDOW)


def test_what_is_played_before_the_background_pass_is_the_same(address, told):
    play = Playback([open_recording(address)], None, thresholds_of(LOOSE))
    play.seek(begun(told)[4].recv_ns)
    assert [line.seq for line in play.snapshot(WINDOW).alerts.lines] == [one.seq for one in begun(told)[4::-1]]
    play.close()


def test_next_goes_from_beginning_to_beginning_exactly_and_previous_back(playback, told):
    playback.seek(playback.start_ns)
    wanted, seen = [one.seq for one in begun(told)], []
    while (number := playback.alert_beside(1)) is not None:
        playback.go_to_alert(number)
        seen.append(playback.lane.session.seq)
        part = playback.snapshot(WINDOW).alerts
        assert part.lines[0].seq == part.newest.seq == seen[-1]
    assert seen == wanted
    back = [seen[-1]]
    while (number := playback.alert_beside(-1)) is not None:
        playback.go_to_alert(number)
        back.append(playback.lane.session.seq)
    assert back == wanted[::-1]


def test_the_state_at_an_alert_is_the_one_that_playing_to_its_row_gives(playback, address, told):
    third = begun(told)[2]
    playback.seek(playback.end_ns)
    playback.go_to_alert(playback.lane.log.number(next(one for one in told if one.alert == third)))
    with Session(open_recording(address), thresholds=thresholds_of(LOOSE)) as session:
        session.run_until(seq=third.seq)
        assert playback.lane.session.digest() == session.digest()
        assert playback.lane.session.watch_digest() == session.watch_digest()
        market = playback.explain(2).market
        assert market.bids == tuple((int(p["tick"]), int(p["lots"])) for p in session.book().bids(10))
        assert market.asks == tuple((int(p["tick"]), int(p["lots"])) for p in session.book().asks(10))
        assert [p[1:3] for p in market.prints] == [
            (int(p["tick"]), int(p["lots"])) for p in session.tape().raw(len(market.prints))
        ]


def test_muted_detectors_are_passed_over(playback):
    playback.seek(playback.start_ns)
    assert playback.alert_beside(1, frozenset({"large_print"})) is None
    assert playback.alert_beside(1) == 0


def test_a_replay_begins_before_the_alert_and_plays_at_a_speed_one_can_follow(playback, told):
    playback.seek(playback.end_ns)
    for before, after in ((2.0, 2.0), (0.25, 0.25), (100.0, 1.0), (0.0, 1.0)):
        playback.pause()
        playback.set_speed(before)
        playback.replay_alert(5)
        number_5 = playback.alert_story(5)[0].alert
        assert playback.market_ns == max(playback.start_ns, number_5.recv_ns - int(LEAD_S * 1e9))
        assert playback.playing
        assert playback.speed == after


def test_an_alert_is_explained_as_far_as_it_has_got(playback, told):
    playback.seek(playback.end_ns)
    made = playback.explain(0)
    assert made.story == tuple(
        one.alert for one in told if (one.alert.detector, one.alert.key) == ("large_print", begun(told)[0].key)
    )
    assert {one.name: one.value for one in made.thresholds}["min_orders"] == "50"
    assert playback.explain(10**6) is None


def test_there_is_no_alert_and_nowhere_to_go_without_detectors(address):
    play = Playback([open_recording(address)])
    play.seek(play.end_ns)
    assert play.snapshot(WINDOW).alerts is None
    assert play.alert_beside(1) is None
    play.go_to_alert(0)
    play.replay_alert(0)
    assert play.market_ns == play.end_ns
    play.close()


def test_opening_takes_thresholds_from_the_settings_unless_they_are_given(address):
    from tapeview.config import Config

    settings = Config(detectors={"large_print": {"min_orders": 60}, "off": ["squeeze"]})
    play = open_playback([address], None, settings, paused=True)
    assert play.lane.session.thresholds["large_print"].min_orders == 60
    assert "squeeze" not in play.lane.session.thresholds
    play.close()
    play = open_playback([address], None, settings, paused=True, thresholds=thresholds_of(LOOSE))
    assert list(play.lane.session.thresholds) == ["large_print"]
    play.close()

import threading

import msgspec
import pytest

from feeds import open_source, script
from feeds.errors import BadInput
from feeds.events import CLOCK
from feeds.recording import open_recording
from tapeview.config import Config
from tapeview.drill.choice import Choice, Rules
from tapeview.drill.question import Stopped, ask, draw_question
from tapeview.playback import Playback
from tapeview.session import Session
from tapeview.watch import thresholds_of
from tests.kit.recordings import beginning
from tests.kit.trade import CALM, record
from tests.tapeview.drill.conftest import stairs

S = 1_000_000_000
RULES = Rules(least_s=5, most_s=30, horizon_s=20)


def opened(choice):
    return Playback([open_source(choice.address)], CALM, {})


def choice_at(path, start_s, moment_s, **changes):
    usual = Choice(
        seed=1, attempt=0, address=str(path), start_ns=script.START_NS + start_s * S,
        moment_ns=script.START_NS + moment_s * S, at_alert=False, inst=0.0,
    )  # fmt: skip
    return msgspec.structs.replace(usual, **changes)


def test_the_question_is_what_the_market_did(folder):
    # At +62 s twelve steps were made: 412 x 413; 20 s later four more.
    playback = opened(choice := choice_at(folder / "UP", 40, 62))
    try:
        question = ask(playback, choice, RULES)
        assert (question.bid, question.ask, question.bid_then, question.ask_then) == (412, 413, 416, 417)
        assert (question.symbol, question.by, question.horizon_s) == ("UP", "", 20)
        assert question.stop_ns == script.START_NS + 62 * S
        # A tick every five seconds: moves of 1 in every fifth second, so their mean square is 1/5, scaled to 20 s.
        assert question.sigma == pytest.approx((20 / 5) ** 0.5, rel=0.05)
        assert question.threshold == 2
        with Session(open_source(choice.address), thresholds={}) as session:
            session.run_until(recv_ns=choice.start_ns)
            assert playback.lane.session.digest() == session.digest()
            assert session.seq == question.start_seq
    finally:
        playback.close()


def test_the_stop_is_the_last_row_at_or_before_its_moment(folder):
    playback = opened(choice := choice_at(folder / "UP", 40, 62))
    try:
        question = ask(playback, choice, RULES)
    finally:
        playback.close()
    recording = open_recording(folder / "UP")
    rows = [row for batch in recording.batches() for row in batch if row["kind"] != CLOCK]
    recording.close()
    before = [int(row["seq"]) for row in rows if row["recv_ns"] <= question.stop_ns]
    assert question.stop_seq == before[-1]


LOOSE = thresholds_of({"large_print": {"min_orders": 50, "quantile": 0.95}})


@pytest.fixture(scope="module")
def loud(tmp_path_factory):
    """A recording in which large prints are told of, where it is, and all that is told."""
    path = str(beginning(tmp_path_factory.mktemp("alerts"), "quiet-open", 75).address)
    with Session(open_source(path), thresholds=LOOSE) as session:
        told = [found.alert for outcome in session.run() for found in outcome.findings]
    return path, [one for one in told if one.phase == "confirmed" and not one.held]


def test_an_alert_stops_it_at_its_own_row_where_it_comes_first(loud):
    path, told = loud
    first = told[3]
    rules = Rules(least_s=1, most_s=30, horizon_s=5)
    # It begins so that the alert comes after the earliest stop, and no other one before it.
    start_ns = first.recv_ns - 1 * S
    wanted = next(one for one in told if one.recv_ns >= start_ns + 1 * S)
    choice = Choice(
        seed=1, attempt=0, address=path, start_ns=start_ns, moment_ns=wanted.recv_ns + 2 * S, at_alert=True, inst=0.0
    )  # fmt: skip
    question = asked(path, choice, rules)
    assert (question.by, question.stop_seq, question.stop_ns) == ("large_print", wanted.seq, wanted.recv_ns)
    assert question.text == wanted.text
    moment = asked(path, msgspec.structs.replace(choice, at_alert=False), rules)
    assert (moment.by, moment.stop_ns) == ("", choice.moment_ns)
    early = asked(path, msgspec.structs.replace(choice, moment_ns=wanted.recv_ns - 1), rules)
    assert (early.by, early.stop_ns) == ("", wanted.recv_ns - 1)


def asked(path, choice, rules):
    playback = Playback([open_source(path)], Config(), LOOSE)
    try:
        return ask(playback, choice, rules)
    finally:
        playback.close()


def test_a_moment_of_which_the_end_is_not_recorded_is_of_no_use(folder):
    last_s = 5 * 60
    playback = opened(choice := choice_at(folder / "UP", last_s - 60, last_s - 19))
    try:
        assert ask(playback, choice, RULES) is None
    finally:
        playback.close()


@pytest.mark.parametrize("where", [55, 66, 75])
def test_a_moment_with_a_gap_after_it_is_of_no_use(tmp_path, where):
    text = stairs(60).split(" ")
    at = [n for n, word in enumerate(text) if word == "~1000"][where]
    path = record(tmp_path, " ".join([*text[:at], "!gap", *text[at:]]), symbol="HOLE")
    playback = opened(choice := choice_at(path, 40, 62))
    try:
        assert ask(playback, choice, RULES) is None
    finally:
        playback.close()


def test_the_same_seed_gives_the_same_question(recordings):
    def found():
        question, playback = draw_question(recordings, RULES, 11, opened)
        playback.close()
        return question

    assert found() == found()


def test_what_is_looked_for_can_be_given_up(recordings):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        draw_question(recordings, RULES, 11, opened, stop)


def test_a_recording_without_a_sound_moment_is_said_to_have_none(tmp_path):
    from tapeview.bundled import listed

    record(tmp_path, "[ b400:5 ] " + "~1000 b400:6 ~1000 b400:5 " * 70, symbol="ONESIDED")
    with pytest.raises(BadInput, match="a sound book before and after it"):
        draw_question(listed(tmp_path), RULES, 1, opened)

import dataclasses
import re
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from feeds import open_source, script
from feeds.recording import open_recording
from tapeview.config import Config
from tapeview.drill.choice import Rules
from tapeview.drill.hidden import NAME, NOON_NS, HiddenMarket
from tapeview.drill.question import ask
from tapeview.playback import Playback
from tapeview.session import Session
from tapeview.snapshot import Window
from tapeview.watch import thresholds_of
from tests.kit.recordings import beginning
from tests.kit.trade import CALM
from tests.tapeview.drill.test_question import S, choice_at

WINDOW = Window(rows=40, tape_rows=30, chart_columns=60, alert_rows=20)
RULES = Rules(least_s=5, most_s=30, horizon_s=20)


@pytest.fixture
def market(folder):
    playback = Playback([open_source(str(folder / "UP"))], CALM, {})
    market = HiddenMarket(playback, ask(playback, choice_at(folder / "UP", 40, 62), RULES))
    yield market
    market.close()


def play(market, until, step_ns=33_000_000):
    now = 0
    for _ in range(20_000):
        market.tick(now)
        if until():
            return now
        now += step_ns
    raise AssertionError("it never came")


@pytest.mark.parametrize("speed", [1.0, 25.0, 100.0])
def test_it_stops_at_the_very_row_whatever_the_speed(market, speed):
    market._playback.set_speed(speed)
    market.play()
    play(market, lambda: market.stopped)
    assert not market.playing
    assert market._lane.session.seq == market.question.stop_seq
    with Session(open_source(market.question.choice.address), thresholds={}) as session:
        session.run_until(seq=market.question.stop_seq)
        assert market._lane.session.digest() == session.digest()
    part = market.snapshot(WINDOW)
    assert (part.ladder.best_bid, part.ladder.best_ask) == (412, 413)
    assert part.status.market_ns == NOON_NS + 22 * S


def test_it_waits_for_the_call_and_then_goes_on_to_the_horizon_and_no_further(market):
    market._playback.set_speed(25.0)
    market.play()
    now = play(market, lambda: market.stopped)
    market.play()
    assert not market.playing
    for n in range(200):
        market.tick(now + n * S)
    assert market._lane.session.seq == market.question.stop_seq
    market.go_on()
    assert market.playing
    play(market, lambda: market.ended)
    part = market.snapshot(WINDOW)
    assert (part.ladder.best_bid, part.ladder.best_ask) == (416, 417)
    assert part.status.market_ns == NOON_NS + 42 * S
    assert not market.playing


def test_the_end_can_be_gone_to_at_once(market):
    market.play()
    market.to_end()
    assert not market.ended
    play(market, lambda: market.stopped)
    market.go_on()
    market.to_end()
    assert market.ended
    assert (market.question.bid_then, market.question.ask_then) == (416, 417)
    part = market.snapshot(WINDOW)
    assert (part.ladder.best_bid, part.ladder.best_ask) == (416, 417)


def test_the_stop_can_be_gone_to_at_once(market):
    market.to_stop()
    assert market.stopped
    assert market._lane.session.seq == market.question.stop_seq
    part = market.snapshot(WINDOW)
    assert (part.ladder.best_bid, part.ladder.best_ask) == (412, 413)
    assert part.status.market_ns == NOON_NS + 22 * S


def test_nothing_in_a_picture_tells_which_market_or_when(tmp_path):
    """Every text and every number of a snapshot, whatever part it lies in."""
    path = str(beginning(tmp_path, "quiet-open", 75).address)
    loose = thresholds_of({"large_print": {"min_orders": 50, "quantile": 0.95}})
    playback = Playback([open_source(path)], Config(), loose)
    recording = open_recording(path)
    first_ns, instrument = recording.manifest.first_ns, recording.instruments[0]
    recording.close()
    choice = msgspec.structs.replace(
        choice_at(path, 0, 0), start_ns=first_ns + 30 * S, moment_ns=first_ns + 50 * S
    )  # fmt: skip
    market = HiddenMarket(playback, ask(playback, choice, Rules(least_s=5, most_s=30, horizon_s=10)))
    try:
        market.play()
        play(market, lambda: market.stopped)
        shown = market.snapshot(WINDOW)
    finally:
        market.close()
    assert shown.alerts.lines
    year = datetime.fromtimestamp(first_ns / 1e9, UTC).strftime("%Y")
    texts, numbers = [], []
    collect(shown, texts, numbers)
    for words in texts:
        assert not re.search(rf"\b{instrument.symbol}\b|{instrument.venue}:|{year}|quiet", words), words
    day_ns = 86_400 * S
    assert not [n for n in numbers if abs(n - first_ns) < 30 * day_ns]
    assert max(n for n in numbers if n < 2**62) < 3 * day_ns
    assert shown.scale.name == NAME


def collect(one, texts, numbers):
    """All texts and whole numbers in a snapshot, however deep."""
    match one:
        case str():
            texts.append(one)
        case bool() | None | float():
            pass
        case int():
            numbers.append(one)
        case np.ndarray() if one.dtype.names:
            for name in one.dtype.names:
                collect(one[name], texts, numbers)
        case np.ndarray():
            if one.dtype.kind in "iu":
                numbers += one.ravel().tolist()
        case dict():
            for value in one.values():
                collect(value, texts, numbers)
        case tuple() | list() | frozenset():
            for value in one:
                collect(value, texts, numbers)
        case _ if dataclasses.is_dataclass(one):
            for field in dataclasses.fields(one):
                collect(getattr(one, field.name), texts, numbers)
        case _:
            pass


def test_the_recent_window_follows_the_drills_own_clock(market):
    market.play()
    play(market, lambda: market.stopped)
    since = market.snapshot(WINDOW).status.market_ns - 3 * S
    part = market.snapshot(dataclasses.replace(WINDOW, recent_from_ns=since))
    assert part.window.recent_from_ns == since
    # A lot is bought every second.
    assert int(part.ladder.bought.sum()) in (3, 4)


def test_there_is_no_way_back_and_no_other_time(market):
    from tapeview.market import Refused

    for call in (market.back, market.step_event, lambda: market.seek(0), lambda: market.replay_alert(0)):
        with pytest.raises(Refused):
            call()
    assert market.start_ns is None
    assert not market.select(1)
    assert market.market_ns < script.START_NS

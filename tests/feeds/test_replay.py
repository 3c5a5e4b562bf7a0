"""Playing sources against a clock, stepping, and going on from another place."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.errors import BadInput
from feeds.events import CLOCK, LAST, TRADE, Events
from feeds.replay import MAX, Player
from feeds.source import Checks, Source
from tests.kit.recordings import INFO, all_rows, write_recording
from tests.kit.rows import INSTRUMENTS, stream, streams

SECOND = 1_000_000_000


class Given(Source):
    """Rows as a source, in batches that end with a message."""

    def __init__(self, rows: Events, batch_messages: int = 5, instruments=INSTRUMENTS[:1]) -> None:
        self.info, self.instruments, self.checks = INFO, instruments, Checks()
        self.rows = rows
        self.batch_messages = batch_messages

    def batches(self):
        ends = (np.flatnonzero(self.rows["marks"] & LAST) + 1).tolist()
        places = [0, *ends[self.batch_messages - 1 :: self.batch_messages]]
        if places[-1] != len(self.rows):
            places.append(len(self.rows))
        for start, end in itertools.pairwise(places):
            yield self.rows[start:end].copy()


def play_out(player: Player, step_ns: int, start_ns: int = 0) -> list[tuple[int, Events]]:
    """Call `due` with a clock that steps until the end; (clock, rows) of the calls that gave any."""
    out, now = [], start_ns
    for _ in range(200_000):
        rows = player.due(now)
        if len(rows):
            out.append((now, rows))
        if player.ended:
            return out
        now += step_ns
    raise AssertionError("the player never ended")


def ends_of(rows: Events) -> set[int]:
    return {int(s) for s in rows["seq"][(rows["marks"] & LAST) != 0]}


@pytest.mark.parametrize("speed", [0.25, 1.0, 7.5, 100.0])
def test_rows_come_when_their_time_has_come_and_not_before(speed: float) -> None:
    rows = stream(1, 200)
    times = np.maximum.accumulate(rows["recv_ns"])
    player = Player(Given(rows), speed=speed)
    step = 10_000_000
    given_rows = play_out(player, step)
    player.close()
    assert all_rows(r for _, r in given_rows).tobytes() == rows.tobytes()
    first = int(times[0])
    begun = given_rows[0][0]
    ends = ends_of(rows)
    for now, part in given_rows:
        passed = (now - begun) * speed
        reached = times[part["seq"]] - first
        assert (reached <= passed + 1).all(), "not before"
        assert int(part["seq"][-1]) in ends, "never cut inside a message"
        assert (reached >= passed - step * speed - 1).all() or now == begun, "and not later"


@given(streams(max_messages=60), st.integers(1, 7), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_at_full_speed_all_rows_come_in_whole_messages_within_the_budget(rows, batch_messages, max_rows) -> None:
    player = Player(Given(rows, batch_messages), speed=MAX, max_rows=max_rows)
    parts = [part for _, part in play_out(player, 1)]
    player.close()
    assert all_rows(parts).tobytes() == rows.tobytes()
    ends = ends_of(rows)
    for part in parts:
        assert int(part["seq"][-1]) in ends
        assert len(part) <= max_rows + 6


def test_a_row_whose_time_went_back_comes_with_its_predecessor() -> None:
    rows = script.events("b100:1 ~10000 b101:1 b102:1 b103:1 ~1000 b104:1", clock=False)
    rows["recv_ns"][2:4] -= 6 * SECOND
    rows["seq"] = np.arange(len(rows))
    player = Player(Given(rows, 2))
    assert player.due(0)["tick"].tolist() == [100]
    assert len(player.due(7 * SECOND)) == 0
    assert player.due(10 * SECOND)["tick"].tolist() == [101, 102, 103]
    assert player.due(11 * SECOND)["tick"].tolist() == [104]
    player.close()


def test_market_time_does_not_go_back_between_batches() -> None:
    rows = script.events("b100:1 ~10000 b101:1 b102:1 +103:1 ~1000 b104:1", clock=False)
    rows["recv_ns"][2:4] -= 6 * SECOND
    rows["seq"] = np.arange(len(rows))
    player = Player(Given(rows, 1))
    assert len(player.step_trade()) == 4
    assert player.market_ns == script.START_NS + 10 * SECOND
    player.play()
    player.due(0)
    assert len(player.due(SECOND - 1)) == 0
    assert player.due(SECOND)["tick"].tolist() == [104]
    player.close()


def test_a_pause_holds_the_market_and_loses_nothing() -> None:
    rows = script.events("b100:1 ~1000 b101:1 ~1000 b102:1 ~1000 b103:1")
    player = Player(Given(rows, 1))
    given_rows = [player.due(0), player.due(SECOND)]
    market = player.market_ns
    player.pause()
    assert len(player.due(50 * SECOND)) == 0
    assert player.market_ns == market
    player.play()
    assert len(player.due(50 * SECOND)) == 0, "the time of the pause does not count"
    given_rows += [part for _, part in play_out(player, SECOND // 10, 50 * SECOND)]
    assert all_rows(given_rows).tobytes() == rows.tobytes()
    player.close()


def test_a_new_speed_counts_from_now_on() -> None:
    rows = script.events("b100:1 ~1000 b101:1 ~9000 b102:1 ~5000 b103:1")
    player = Player(Given(rows, 1))
    player.due(0)
    player.due(SECOND)
    player.speed = 10.0
    player.due(2 * SECOND)
    assert player.market_ns == script.START_NS + 11 * SECOND
    player.speed = 0.25
    player.due(6 * SECOND)
    assert player.market_ns == script.START_NS + 12 * SECOND
    player.close()


@pytest.mark.parametrize("speed", [0.1, -1.0, 101.0, float("nan"), float("inf")])
def test_a_speed_outside_the_range_is_refused(speed: float) -> None:
    with pytest.raises(BadInput, match="speed"):
        Player(Given(stream(1, 3)), speed=speed)


def test_a_step_gives_one_venue_message_with_the_clock_rows_before_it() -> None:
    rows = script.events("b100:1 ~350 b101:1&a102:3 ~20 +102:1 ~90 b99:2")
    player = Player(Given(rows, 2))
    steps = []
    while not player.ended:
        part = player.step_event()
        if len(part):
            steps.append(part)
        assert player.paused
    player.close()
    assert all_rows(steps).tobytes() == rows.tobytes()
    venue = [[k for k in part["kind"].tolist() if k != CLOCK] for part in steps]
    assert venue == [[1], [1, 1], [6], [1]]
    assert [part["kind"][-1] != CLOCK for part in steps] == [True] * 4
    assert len(player.step_event()) == 0


def test_a_trade_step_goes_to_the_end_of_the_message_with_the_next_trade() -> None:
    rows = script.events("b100:1 ~350 b101:1 +102:1&b100:3 b99:2 b98:1 -99:1 b97:1")
    player = Player(Given(rows, 1))
    first, second = player.step_trade(), player.step_trade()
    assert first["kind"][-2:].tolist() == [TRADE, 1]
    assert second["kind"][-1] == TRADE
    rest = player.step_trade()
    assert rest["kind"].tolist() == [1]
    assert all_rows([first, second, rest]).tobytes() == rows.tobytes()
    assert len(player.step_trade()) == 0
    assert player.ended
    player.close()


def test_market_time_follows_steps() -> None:
    rows = script.events("b100:1 ~350 b101:1 ~350 b102:1")
    player = Player(Given(rows))
    player.step_event()
    assert player.market_ns == script.START_NS
    player.step_event()
    assert player.market_ns == script.START_NS + 350_000_000
    player.play()
    assert len(player.due(0)) == 0
    assert player.due(SECOND // 2)["kind"][-1] == 1
    player.close()


@pytest.mark.parametrize("part_rows", [40, 10_000])
def test_resuming_gives_the_rows_at_hand_and_then_the_parts_after_them_without_their_keyframes(
    tmp_path: Path, part_rows: int
) -> None:
    rows = stream(2, 120)
    recording = write_recording(tmp_path / "r", rows, part_rows=part_rows)
    player = Player(recording, speed=MAX)
    for seq in [0, *sorted(s + 1 for s in ends_of(rows))][::9]:
        number = recording.part_at(seq=seq)
        end = recording.parts[number].next_seq
        for at_hand, part in ((rows[seq:end], number + 1), (rows[seq:seq], number + 1)):
            player.resume(at_hand, part, market_ns=int(rows["recv_ns"][0]))
            got = all_rows(given for _, given in play_out(player, 1))
            assert got.tobytes() == np.concatenate([at_hand, rows[end:]]).tobytes()
    player.close()


def test_market_time_goes_on_at_its_speed_after_resuming(tmp_path: Path) -> None:
    rows = stream(5, 120)
    recording = write_recording(tmp_path / "r", rows, part_rows=40)
    times = np.maximum.accumulate(rows["recv_ns"])
    ns = int(times[len(times) // 2])
    after = np.flatnonzero(times > ns)
    number = recording.part_at(seq=int(after[0]))
    player = Player(recording)
    player.due(0)
    player.resume(rows[after[0] : recording.parts[number].next_seq], number + 1, ns)
    assert player.market_ns == ns
    assert len(player.due(10 * SECOND)) == 0
    player.due(10 * SECOND + 30_000_000)
    assert player.market_ns == ns + 30_000_000
    player.close()


def test_a_source_without_parts_cannot_be_resumed() -> None:
    player = Player(Given(stream(4, 10)))
    with pytest.raises(TypeError, match="Given has no parts"):
        player.resume(stream(4, 10), 0)
    player.close()


def test_what_the_reader_raises_comes_out_of_due() -> None:
    class Broken(Given):
        def batches(self):
            yield self.rows[:5]
            raise BadInput("file: byte 9", None, "an undamaged file")

    rows = script.events("b100:1 b101:1 b102:1 b103:1 b104:1 b105:1")
    player = Player(Broken(rows), speed=MAX)
    with pytest.raises(BadInput, match="byte 9"):
        play_out(player, 1)
    player.close()


def test_nothing_is_read_before_it_is_played_or_stepped() -> None:
    class Watched(Given):
        begun = closed = 0

        def batches(self):
            self.begun += 1
            try:
                yield from super().batches()
            finally:
                self.closed += 1

    source = Watched(stream(8, 60))
    player = Player(source, speed=MAX)
    player.pause()
    for now in range(3):
        assert len(player.due(now)) == 0
    player.close()
    assert (source.begun, source.closed) == (0, 0)
    player = Player(source, speed=MAX)
    assert len(player.step_event())
    assert source.begun == 1
    player.close()
    assert source.closed == 1


def test_closing_ends_the_reading_thread_even_in_the_middle() -> None:
    class Endless(Given):
        closed = False

        def batches(self):
            try:
                for start in itertools.count(0, len(self.rows)):
                    batch = self.rows.copy()
                    batch["seq"] += start
                    yield batch
            finally:
                self.closed = True

    source = Endless(stream(6, 20))
    player = Player(source, speed=MAX)
    player.due(0)
    player.close()
    assert source.closed
    assert not [thread for thread in threading.enumerate() if thread.name == "replay"]


@settings(deadline=None, max_examples=60)
@given(rows=streams(), moments=st.lists(st.integers(0, 3000), min_size=1, max_size=5))
def test_the_rows_up_to_a_time_are_those_that_would_be_due_then_in_whole_messages(rows, moments) -> None:
    player = Player(Given(rows))
    reached = np.maximum.accumulate(rows["recv_ns"])
    start, given = int(reached[0]), []
    for ms in sorted(moments):
        at = start + ms * 1_000_000
        given.append(player.up_to(at))
        assert player.paused
        assert player.market_ns is not None
        assert player.market_ns >= at
        so_far = all_rows(given)
        assert np.array_equal(so_far, rows[: len(so_far)])
        left = rows[len(so_far) :]
        if len(so_far):
            assert reached[len(so_far) - 1] <= at
        if len(left):
            # What is left begins after the time, or is a message that ends after it.
            ends = np.flatnonzero(left["marks"] & LAST)
            assert not len(ends) or reached[len(so_far) + int(ends[0])] > at
    player.close()

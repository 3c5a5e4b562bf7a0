"""Playing sources against a clock, stepping, seeking, and several sources as one."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.clock import Clock
from feeds.errors import BadInput
from feeds.events import CLOCK, EVERY, LAST, TRADE, Events
from feeds.replay import MAX, Merged, Player, merge
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
def test_after_a_seek_by_number_the_next_row_is_that_row(tmp_path: Path, part_rows: int) -> None:
    rows = stream(2, 120)
    recording = write_recording(tmp_path / "r", rows, part_rows=part_rows)
    player = Player(recording, speed=MAX)
    times = np.maximum.accumulate(rows["recv_ns"])
    ends = [0, *sorted(s + 1 for s in ends_of(rows))]
    for seq in ends[::9]:
        number = player.seek(seq=seq)
        assert number == recording.part_at(seq=seq)
        if seq:
            assert player.market_ns == times[seq - 1]
        got = all_rows(part for _, part in play_out(player, 1))
        assert got.tobytes() == rows[seq:].tobytes()
    player.close()


@pytest.mark.parametrize("part_rows", [40, 10_000])
def test_after_a_seek_by_time_the_next_row_is_the_first_after_it(tmp_path: Path, part_rows: int) -> None:
    rows = stream(3, 120)
    times = np.maximum.accumulate(rows["recv_ns"])
    for source in (write_recording(tmp_path / "r", rows, part_rows=part_rows), Given(rows)):
        player = Player(source, speed=MAX)
        for ns in [int(times[0]) - 5, *times[::13].tolist(), int(times[-1]) + 5]:
            player.seek(recv_ns=ns)
            assert player.market_ns == ns
            got = all_rows(part for _, part in play_out(player, 1))
            assert got.tobytes() == rows[times > ns].tobytes()
        player.close()


def test_a_seek_by_number_in_another_source_goes_through_it() -> None:
    rows = stream(4, 60)
    player = Player(Given(rows), speed=MAX)
    seq = sorted(ends_of(rows))[17] + 1
    assert player.seek(seq=seq) == 0
    assert all_rows(part for _, part in play_out(player, 1)).tobytes() == rows[seq:].tobytes()
    player.close()


def test_market_time_goes_on_at_its_speed_after_a_seek(tmp_path: Path) -> None:
    rows = stream(5, 120)
    recording = write_recording(tmp_path / "r", rows, part_rows=40)
    times = np.maximum.accumulate(rows["recv_ns"])
    ns = int(times[len(times) // 2])
    player = Player(recording)
    player.due(0)
    player.seek(recv_ns=ns)
    assert len(player.due(10 * SECOND)) == 0
    player.due(10 * SECOND + 30_000_000)
    assert player.market_ns == ns + 30_000_000
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


def without_clock(rows: Events) -> Events:
    return rows[rows["kind"] != CLOCK]


def messages_of(rows: Events) -> list[bytes]:
    ends = (np.flatnonzero(rows["marks"] & LAST) + 1).tolist()
    plain = rows.copy()
    plain["seq"] = 0
    return [plain[start:end].tobytes() for start, end in itertools.pairwise([0, *ends])]


@given(streams(max_messages=40), streams(instruments=2, max_messages=40), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_merged_sources_keep_every_message_whole_and_in_order_of_time(one, two, cut_one, cut_two) -> None:
    merged = merge([Given(one, cut_one), Given(two, cut_two, INSTRUMENTS)])
    rows = all_rows(merged.batches())
    assert len(merged.instruments) == 3
    again = all_rows(merge([Given(one, 3), Given(two, 1, INSTRUMENTS)]).batches())
    assert rows.tobytes() == again.tobytes(), "how the batches are cut changes nothing"
    assert rows["seq"].tolist() == list(range(len(rows)))
    plain = without_clock(rows)
    first, second = plain[plain["inst"] == 0], plain[plain["inst"] > 0].copy()
    second["inst"] -= 1
    assert messages_of(first) == messages_of(without_clock(one))
    assert messages_of(second) == messages_of(without_clock(two))
    inside = (plain["marks"][:-1] & LAST) == 0
    assert ((plain["inst"][:-1] == 0) == (plain["inst"][1:] == 0))[inside].all(), "a message is never split"
    newest = [np.maximum.accumulate(x["recv_ns"]) for x in (without_clock(one), without_clock(two))]
    order = np.sort(np.concatenate(newest), kind="stable")
    assert np.maximum.accumulate(plain["recv_ns"]).tolist() == np.maximum.accumulate(order).tolist()


def test_a_merged_stream_has_one_clock() -> None:
    one, two = script.events("b100:1 ~1000 b101:1"), script.events("~330 b90:1 ~330 b91:1")
    rows = all_rows(merge([Given(one), Given(two)]).batches())
    clock = rows[rows["kind"] == CLOCK]
    assert set(clock["inst"].tolist()) == {EVERY}
    assert clock["recv_ns"].tolist() == [script.START_NS + n * 100_000_000 for n in range(1, 11)]
    assert Clock().insert(without_clock(rows)).tobytes() == rows.tobytes()


def test_merging_one_source_is_that_source_and_none_is_refused() -> None:
    source = Given(stream(1, 5))
    assert merge([source]) is source
    with pytest.raises(BadInput):
        Merged([])


def test_what_the_readers_found_is_added_up() -> None:
    one, two = Given(stream(1, 5)), Given(stream(2, 5))
    one.checks = Checks(gaps=2, ignored={"x": 1}, problems=["a"])
    two.checks = Checks(gaps=3, ignored={"x": 2, "y": 1}, problems=["b"])
    checks = Merged([one, two]).checks
    assert (checks.gaps, checks.ignored, checks.problems) == (5, {"x": 3, "y": 1}, ["a", "b"])


def test_a_source_that_ends_early_does_not_hold_the_other_back() -> None:
    one, two = script.events("b100:1"), script.events("~50 b90:1 ~5000 b91:1 ~5000 b92:1")
    rows = without_clock(all_rows(merge([Given(one, 1), Given(two, 1)]).batches()))
    assert rows["tick"].tolist() == [100, 90, 91, 92]

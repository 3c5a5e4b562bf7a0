"""The keyframe's book against a naive one, however the rows are cut."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.events import ADD, BID, BOOK, EVENT, KEYFRAME, LAST, NONE, OFF_GRID, SNAPSHOT, STATUS, Events
from feeds.recording.columns import split
from feeds.recording.keyframe import KeyframeBook
from tests.kit.reference import NaiveBook
from tests.kit.rows import INSTRUMENTS, cuts, streams


def keyframe_of(rows: Events, places: list[int], instruments=INSTRUMENTS) -> Events:
    book = KeyframeBook(instruments)
    for start, end in itertools.pairwise(places):
        part = np.ascontiguousarray(rows[start:end])
        book.follow(part, split(part))
    return book.rows(77, 5)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_keyframe_gives_the_book_that_playing_through_gives(data: st.DataObject) -> None:
    rows = data.draw(streams(instruments=2))
    key = keyframe_of(rows, data.draw(cuts(len(rows))))
    for inst, instrument in enumerate(INSTRUMENTS):
        played = NaiveBook(inst, instrument).apply(rows)
        restored = NaiveBook(inst, instrument).apply(key, keyframes=True)
        assert restored.state() == played.state()
        assert restored.levels(1) == played.levels(1)
        assert restored.levels(-1) == played.levels(-1)


def test_a_keyframe_is_one_message_an_instrument_in_the_stated_form() -> None:
    rows = script.events("[ b100:5/2 a102:7 ] o7b100:4 o8b100:3 !halted")
    key = keyframe_of(rows, [0, len(rows)], INSTRUMENTS[:1])
    assert key["kind"].tolist() == [7, BOOK, BOOK, ADD, ADD, STATUS]
    assert set((key["marks"] & (KEYFRAME | SNAPSHOT)).tolist()) == {KEYFRAME | SNAPSHOT}
    assert np.flatnonzero(key["marks"] & LAST).tolist() == [len(key) - 1]
    assert key["ref"].tolist()[3:5] == [7, 8]
    assert key["aux"][-1] == 5
    assert set(key["recv_ns"].tolist()) == {77}
    assert set(key["seq"].tolist()) == {5}


def test_the_venue_sequence_of_a_keyframe_is_the_newest_one_told() -> None:
    rows = script.events("b100:5 b101:6 +101:1 ~500")
    told = [int(r) for r, k in zip(rows["ref"], rows["kind"], strict=True) if k == BOOK]
    assert keyframe_of(rows, [0, len(rows)], INSTRUMENTS[:1])["ref"][-1] == told[-1]
    assert keyframe_of(rows[:0], [0, 0], INSTRUMENTS[:1])["ref"][-1] == NONE


def test_levels_far_outside_the_window_are_kept_as_well() -> None:
    rng = np.random.default_rng(3)
    rows = np.zeros(5000, EVENT)
    rows["kind"], rows["marks"], rows["side"] = BOOK, LAST, BID
    rows["tick"] = np.where(rng.random(5000) < 0.2, rng.integers(-(10**12), 10**12, 5000), rng.integers(0, 300, 5000))
    rows["lots"] = rng.integers(0, 3, 5000)
    rows["marks"][rng.random(5000) < 0.1] |= OFF_GRID
    restored = NaiveBook().apply(keyframe_of(rows, [0, 1700, 5000], INSTRUMENTS[:1]), keyframes=True)
    assert restored.levels(BID) == NaiveBook().apply(rows).levels(BID)


@pytest.mark.parametrize("side", [0, 1, -1])
def test_a_clear_in_the_middle_of_a_part_forgets_only_what_came_before(side: int) -> None:
    rows = script.events("b100:5 a101:6 o1b99:1 o2a102:1 !clear b100:7 a101:8 o3b99:2")
    rows["side"][rows["kind"] == 7] = side
    restored = NaiveBook().apply(keyframe_of(rows, [0, len(rows)], INSTRUMENTS[:1]), keyframes=True)
    assert restored.state() == NaiveBook().apply(rows).state()

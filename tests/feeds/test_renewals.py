"""When a book may be asked for anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.renewals import CHECKSUMS_NS, DAMAGED_NS, SOON_NS, Renewals

S = 1_000_000_000


def test_the_third_wrong_checksum_within_five_minutes_is_let_be():
    renewals = Renewals(lambda: 1.0)
    assert [renewals.checksum("A", n * S) for n in (0, 10, 20, 30)] == [True, True, False, False]
    assert renewals.checksum("B", 20 * S), "another symbol is another matter"


def test_wrong_checksums_far_apart_are_each_mended():
    renewals = Renewals(lambda: 1.0)
    assert all(renewals.checksum("A", n * (CHECKSUMS_NS // 2 + 1)) for n in range(20))


def test_a_first_snapshot_is_fetched_at_once_and_more_of_them_after_waits_that_grow():
    renewals = Renewals(lambda: 1.0)
    waits = [renewals.snapshot("A", n * S) for n in range(9)]
    assert waits[0] == (0, 1)
    assert [tries for _, tries in waits] == list(range(1, 10))
    assert [wait / S for wait, _ in waits[1:]] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert renewals.snapshot("B", 8 * S) == (0, 1)
    assert renewals.snapshot("A", 8 * S + SOON_NS + 1) == (0, 1)


@given(st.lists(st.integers(0, 120), min_size=1, max_size=60), st.floats(0, 0.999))
def test_a_wait_is_never_longer_than_a_minute_and_never_below_nothing(gaps, drawn):
    renewals, now = Renewals(lambda: drawn), 0
    for gap in gaps:
        now += gap * S
        wait, tries = renewals.snapshot("A", now)
        assert 0 <= wait <= 60 * S
        assert (wait == 0) or tries > 1


def test_more_than_three_damaged_frames_within_ten_seconds_are_too_many():
    renewals = Renewals(lambda: 1.0)
    assert [renewals.damaged(1, n * S) for n in range(5)] == [False, False, False, True, True]
    assert not renewals.damaged(2, 4 * S), "another connection counts for itself"
    renewals.ended(1)
    assert not renewals.damaged(1, 5 * S)
    assert not any(renewals.damaged(3, n * DAMAGED_NS) for n in range(20))

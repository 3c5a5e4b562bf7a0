"""The score of a trade asks how it was made and not what it brought."""

from __future__ import annotations

from tapeview.desk.process import Process


def test_a_trade_by_the_book_scores_all_and_one_without_a_stop_three_quarters():
    assert Process(True, True, True, True).score == 1.0
    short = Process(True, True, False, True)
    assert short.score == 0.75
    assert short.faults == ("no stop in time",)


def test_what_is_not_known_yet_counts_neither_way():
    assert Process(True, None, False, None).score == 0.5
    assert Process(None, None, None, None).score is None
    assert Process(None, None, None, None).faults == ()


def test_every_fault_has_its_words():
    assert len(set(Process(False, False, False, False).faults)) == 4

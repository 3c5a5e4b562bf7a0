"""Digests of what a capture saw, held against what its frames give."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import CLOCK, Events
from feeds.recording.witness import Comparison, Witness
from tests.kit.rows import cuts, streams


@settings(deadline=None)
@given(streams(), st.data())
def test_the_same_rows_agree_however_both_are_cut(rows: Events, data: st.DataObject) -> None:
    witness, payloads = Witness(), []
    places = data.draw(cuts(len(rows)))
    for start, end in itertools.pairwise(places):
        witness.add(rows[start:end])
        payload = witness.told()
        if payload is not None:
            payloads.append(payload)
        assert witness.told() is None
    comparison = Comparison(payloads)
    places = data.draw(cuts(len(rows)))
    for start, end in itertools.pairwise(places):
        comparison.add(rows[start:end])
    comparison.finish()
    assert (comparison.checked, comparison.failed) == (len(payloads), None)
    assert payloads


@settings(deadline=None)
@given(streams(), st.data())
def test_one_other_row_is_found(rows: Events, data: st.DataObject) -> None:
    witness = Witness()
    witness.add(rows)
    payload = witness.told()
    assert payload is not None
    news = np.flatnonzero(rows["kind"] != CLOCK)
    other = rows.copy()
    other["lots"][data.draw(st.integers(0, int(news[-1])))] += 1
    comparison = Comparison([payload])
    comparison.add(other)
    comparison.finish()
    assert comparison.failed == int(rows["seq"][news[-1]])


@given(streams())
def test_clock_rows_after_the_last_news_are_not_part_of_a_digest(rows: Events) -> None:
    witness = Witness()
    witness.add(rows)
    payload = witness.told()
    assert payload is not None
    last = int(np.flatnonzero(rows["kind"] != CLOCK)[-1])
    comparison = Comparison([payload])
    comparison.add(rows[: last + 1])
    comparison.finish()
    assert (comparison.checked, comparison.failed) == (1, None)


def test_rows_that_never_come_disagree_and_nonsense_is_left_out() -> None:
    comparison = Comparison([b'{"seq": 7, "digest": "00"}', b"nonsense", b"\xff"])
    comparison.finish()
    assert (comparison.checked, comparison.failed) == (1, 7)

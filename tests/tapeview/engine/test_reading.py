"""Rows put together by the kernel are those numpy puts together, in every form and however they are taken."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import EVENT, NONE, Events
from feeds.recording import parts
from feeds.recording.columns import split
from feeds.recording.parts import encode_part, open_part
from tapeview.engine.reading import assemble

FORMS = list(
    itertools.product(
        ("recv_ns", "recv_step"), ("exch_ns", "exch_step", "lag_ns"), ("ref", "ref_step"), ("aux", "aux_step")
    )
)
FIRST = 7


def rows_of(count: int) -> Events:
    """Times, numbers and kinds of every sort that stay within 62 bits; some are unknown."""
    draw = np.random.default_rng(count)
    rows = np.zeros(count, EVENT)
    rows["recv_ns"] = 1_700_000_000_000_000_000 + np.cumsum(draw.integers(0, 10**9, count))
    rows["exch_ns"] = rows["recv_ns"] - draw.integers(0, 10**8, count)
    rows["ref"] = np.cumsum(draw.integers(0, 9, count))
    for name in ("tick", "lots", "aux"):
        rows[name] = draw.integers(-(2**40), 2**40, count)
    rows["inst"] = draw.integers(0, 2, count)
    rows["kind"] = draw.integers(1, 13, count)
    rows["side"] = draw.integers(-1, 2, count)
    rows["marks"] = draw.integers(0, 2**12, count)
    for name, part in (("exch_ns", 5), ("ref", 3), ("aux", 2)):
        rows[name][draw.integers(0, part, count) == 0] = NONE
    rows["seq"] = np.arange(FIRST, FIRST + count)
    return rows


@pytest.mark.parametrize("forms", FORMS)
def test_every_form_gives_the_rows_that_were_stored(forms: tuple[str, ...]) -> None:
    rows = rows_of(200)
    data = encode_part(split(rows), FIRST + 20, 20, forms, 1)[0]
    rows["seq"][:20] = FIRST + 19
    assert open_part(data, "here").take(200, assemble).tobytes() == rows.tobytes()


@given(st.lists(st.tuples(st.integers(1, 90), st.booleans()), min_size=1, max_size=12), st.sampled_from(FORMS))
@settings(max_examples=40, deadline=None)
def test_it_may_take_turns_with_numpy_and_stop_anywhere(cuts: list[tuple[int, bool]], forms: tuple[str, ...]) -> None:
    rows = rows_of(150)
    part = open_part(encode_part(split(rows), FIRST, 0, forms, 1)[0], "here")
    taken = [part.take(count, assemble if compiled else None) for count, compiled in cuts]
    taken.append(part.take(1000, assemble))
    assert np.concatenate(taken).tobytes() == rows.tobytes()


def test_rows_of_more_than_one_block_go_on_where_the_block_before_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_BLOCK", 64)
    rows = rows_of(300)
    part = open_part(encode_part(split(rows), FIRST, 0, FORMS[-1], 1)[0], "here")
    assert part.take(300, assemble).tobytes() == rows.tobytes()

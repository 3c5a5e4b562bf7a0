"""Tick and lot where a source states none."""

from __future__ import annotations

import pytest

from feeds.errors import BadInput
from feeds.files._increments import increments
from feeds.source import OpenOptions


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, ("0.5", "0.01", "tick 0.5 and lot 0.01")),
        ({"tick": "0.1"}, ("0.1", "0.01", "lot 0.01")),
        ({"lot": "1"}, ("0.5", "1", "tick 0.5")),
        ({"tick": "0.1", "lot": "1"}, ("0.1", "1", "")),
    ],
)
def test_what_a_person_says_counts_and_the_rest_is_derived(said: dict[str, str], found: tuple[str, str, str]) -> None:
    assert tuple(increments(OpenOptions(**said), "here", ["10.5", "11.0", "12.5"], ["1", "2.25"])) == found


def test_a_value_that_is_no_number_is_refused_with_the_place_and_only_where_it_is_needed() -> None:
    with pytest.raises(BadInput, match="here: row 1"):
        increments(OpenOptions(), "here: row 1", ["10.5", "x"], ["1"])
    with pytest.raises(BadInput, match="here: row 1"):
        increments(OpenOptions(), "here: row 1", ["10.5"], [])
    assert increments(OpenOptions(tick="1"), "here", ["x"], ["1"]).tick == "1"

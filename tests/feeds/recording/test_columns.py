"""Rows to columns."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.events import EVENT
from feeds.recording.columns import split


def random_rows(count: int) -> np.ndarray:
    return np.frombuffer(np.random.default_rng(count).bytes(count * 64), EVENT)


@pytest.mark.parametrize("count", [0, 1, 4095, 4096, 4097, 10_000])
def test_rows_of_any_bytes_are_split_into_their_fields(count: int) -> None:
    rows = random_rows(count)
    columns = split(rows)
    assert set(columns) == set(EVENT.names)
    for name, column in columns.items():
        assert column.dtype == EVENT[name]
        assert column.flags.c_contiguous
        assert np.array_equal(column, rows[name])


def test_columns_are_copies() -> None:
    rows = random_rows(10).copy()
    columns = split(rows)
    before = {name: column.copy() for name, column in columns.items()}
    rows["tick"] += 1
    assert all(np.array_equal(columns[name], before[name]) for name in columns)


def test_rows_with_gaps_between_them_are_split_as_well() -> None:
    rows = random_rows(20)[::2]
    assert np.array_equal(split(rows)["lots"], rows["lots"])

"""Numbers that several venues write alike."""

from __future__ import annotations

import msgspec
import pytest

from feeds.errors import BadInput
from feeds.venues._numbers import fact, increment, unit


@pytest.mark.parametrize(
    ("text", "value"), [("0.0001", 100_000), ("-0.5", -500_000_000), ("1e-10", 0), ("43250", 43_250_000_000_000)]
)
def test_facts_have_nine_decimals_and_what_is_finer_is_cut_off(text, value):
    assert fact(text) == value


@pytest.mark.parametrize("text", ["", "NaN", "1e30", "x"])
def test_a_fact_that_is_no_number_or_too_large_is_refused(text):
    with pytest.raises(BadInput):
        fact(text)


@pytest.mark.parametrize(
    ("raw", "text"), [(b"0.5", "0.5"), (b"100", "100"), (b"1e-8", "0.00000001"), (b"2.50", "2.50")]
)
def test_an_increment_is_read_from_its_own_digits(raw, text):
    assert increment(msgspec.Raw(raw)) == text


@pytest.mark.parametrize("raw", [b"null", b"", b'"1"', b"1e-30"])
def test_an_increment_that_is_none_is_refused(raw):
    with pytest.raises(BadInput):
        increment(msgspec.Raw(raw))


def test_the_increment_of_some_decimals_is_one_of_the_last():
    assert [unit(n) for n in (0, 1, 8)] == ["1", "0.1", "0.00000001"]
    with pytest.raises(BadInput):
        unit(19)

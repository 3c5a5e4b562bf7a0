from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.venues._times import iso_ns, ms_ns

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(
    when=st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), digits=st.integers(0, 9), more=st.integers(0, 999)
)
def test_a_time_is_exact_with_any_number_of_digits(when, digits, more):
    fraction = f"{when.microsecond:06}{more:03}"[:digits]
    text = when.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "Z"
    whole = (when.replace(microsecond=0, tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
    assert iso_ns(text) == whole * 10**9 + int(fraction.ljust(9, "0") or 0)


def test_other_spellings_of_utc_are_read():
    assert iso_ns("1970-01-01 00:00:01+00:00") == iso_ns("1970-01-01T00:00:01Z") == 10**9
    assert iso_ns("1970-01-01T00:00:00.1234567891Z") == 123456789


def test_a_time_before_1970_is_none():
    assert iso_ns("0001-01-01T00:00:00.000000Z") == iso_ns("1969-12-31T23:59:59.999Z") == 0


@pytest.mark.parametrize(
    "text",
    ["", "x", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
     "2026-01-01T00:00:00", "2026-01-01T00:00:00+01:00", "9999-01-01T00:00:00Z", "٢٠٢٦-01-01T00:00:00Z"],
)  # fmt: skip
def test_what_is_no_utc_time_is_refused(text):
    with pytest.raises(BadInput):
        iso_ns(text)


def test_milliseconds_are_exact_and_bounded():
    assert ms_ns(1672304486865) == 1672304486865 * 10**6
    for ms in (-1, 2**60):
        with pytest.raises(BadInput):
            ms_ns(ms)

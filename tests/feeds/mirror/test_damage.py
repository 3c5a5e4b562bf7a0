"""Frames made wrong."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.mirror.damage import garbage, huge, skewed, wrong_types
from feeds.venues._voice import CHECKSUM, exact, spoiled, written

NOW_NS = 1_700_000_000_123_456_789
FRAME = b'{"stream":"a@depth","data":{"E":1700000000123,"s":"A","u":1700,"b":[["100.10","1.500"]],"a":[]}}'


@pytest.mark.parametrize("kind", ["bytes", "utf8", "cut", "types"])
def test_garbage_is_none_of_what_it_was(kind):
    wrong, is_text = garbage(kind, FRAME)
    assert wrong != FRAME
    assert is_text == (kind != "bytes")
    if kind == "utf8":
        with pytest.raises(UnicodeDecodeError):
            wrong.decode()
    elif kind == "cut":
        with pytest.raises(json.JSONDecodeError):
            json.loads(wrong)
    elif kind == "types":
        assert json.loads(wrong)["data"]["b"] == 7


@given(st.text(min_size=1))
def test_a_frame_is_cut_between_characters(text):
    garbage("cut", text.encode())[0].decode()


@pytest.mark.parametrize("raw", [b"7", b"pong", b"[1,2]", b"{}", b'[1,[2,3],"hb"]', b'{"a":{"b":1}}', b'"x"', b"\xff"])
def test_wrong_types_are_json_all_the_same(raw):
    json.loads(wrong_types(raw))


def test_a_huge_frame_has_the_size_that_was_asked():
    assert len(huge(2)) == (2 << 20) + len(b'{"huge":""}')


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("1700000000123", "1700000005123"),
        ("1700000000123456", "1700000005123456"),
        ("1700000000123456789", "1700000005123456789"),
        ("1700000000.123456", "1700000005.123456"),
        ("2023-11-14T22:13:20.123456Z", "2023-11-14T22:13:25.123456Z"),
        ("2023-11-14T23:59:59Z", "2023-11-15T00:00:04Z"),
        ("0001-01-01T00:00:00.000000Z", "0001-01-01T00:00:00.000000Z"),
        ("1600000000123", "1600000000123"),
        ("42", "42"),
        ("17000000001239", "17000000001239"),
    ],
)
def test_times_near_the_recordings_are_moved_in_whatever_unit_and_nothing_else(text, moved):
    assert skewed(f'{{"t":"{text}"}}'.encode(), 5000, NOW_NS) == f'{{"t":"{moved}"}}'.encode()


def test_a_wrong_checksum_is_wrong_by_one():
    assert spoiled(CHECKSUM, b'{"checksum":41,"x":1}') == b'{"checksum":42,"x":1}'
    assert spoiled(CHECKSUM, b'{"checksum":-1}') == b'{"checksum":0}'
    assert spoiled(CHECKSUM, b"{}") is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_what_is_read_exactly_is_written_as_it_was(value):
    raw = msgspec.json.encode(value)
    assert written(exact(raw)).encode() == raw


@pytest.mark.parametrize("number", ["1.50", "0.00000001", "1e-7", "1E+20", "-0.10", "45285.2000"])
def test_the_digits_of_numbers_are_kept(number):
    raw = f'{{"a":[{number}]}}'.encode()
    assert written(exact(raw)).encode() == raw

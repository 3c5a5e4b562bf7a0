"""Lines, columns and JSON of files of slow inputs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.facts.layout import Columns, first_line, is_json, read_json, read_lines, read_rows, text_of


def test_rows_keep_the_numbers_of_their_lines():
    lines = read_lines(b"\xef\xbb\xbfa,b\r\n\r\n1,2\r\n,\r\n3,4")
    assert list(read_rows(lines, "f", ",")) == [(1, ["a", "b"]), (3, ["1", "2"]), (5, ["3", "4"])]
    assert list(read_rows(lines[2:], "f", ",", 3)) == [(3, ["1", "2"]), (5, ["3", "4"])]


def test_quotes_are_kept_where_the_layout_has_none():
    assert list(read_rows(['a|"b|c'], "f", "|", quoted=False)) == [(1, ["a", '"b', "c"])]
    assert list(read_rows(['a,"b,c"'], "f", ",")) == [(1, ["a", "b,c"])]
    with pytest.raises(BadInput, match="^f: line 2"):
        list(read_rows(["a,b", 'a,"b'], "f", ","))


@given(st.binary(max_size=60))
def test_any_bytes_have_lines(data):
    lines = read_lines(data)
    assert len(lines) == data.count(b"\n") + (not data.endswith(b"\n") and data not in {b"", b"\xef\xbb\xbf"})
    assert isinstance(first_line(data), str)
    is_json(data)
    for quoted in (True, False):
        try:
            rows = list(read_rows(lines, "f", ",", quoted=quoted))
        except BadInput as error:
            assert error.place.startswith("f: line ")
            continue
        numbers = [number for number, _ in rows]
        assert numbers == sorted(set(numbers))
        assert all(1 <= number <= len(lines) for number in numbers)


def test_columns_are_found_by_name_in_any_order():
    columns = Columns([" b", "a ", "c"], "f: line 1", ("a", "b"))
    assert [columns.of(["1", " 2 ", "3"], name) for name in ("a", "b", "z")] == ["2", "1", ""]
    assert "c" in columns
    assert "z" not in columns
    with pytest.raises(BadInput, match="f: line 9: got '1[|]2', expected 3 fields as in the header, not 2"):
        columns.checked(["1", "2"], "f: line 9")


@pytest.mark.parametrize("header", [["a"], ["a", "b", "a"], []])
def test_a_header_without_a_needed_column_or_with_one_twice_is_refused(header):
    with pytest.raises(BadInput, match="f: line 1: header"):
        Columns(header, "f: line 1", ("a", "b"))


def test_numbers_of_json_keep_their_digits():
    found = read_json(b'\xef\xbb\xbf[0.10, 1e3, 7, "x", 12345678901234567.125]', "f", "a list")
    assert found == ["0.10", "1e3", 7, "x", "12345678901234567.125"]
    assert text_of(found[2], "f", "v") == "7"
    for wrong in (None, True, [], {}):
        with pytest.raises(BadInput, match="^f: v"):
            text_of(wrong, "f", "v")
    for damaged in (b"", b"[", b"[1,]", b"{'a':1}", b"[" * 50_000):
        with pytest.raises(BadInput, match="^f: "):
            read_json(damaged, "f", "a list")

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import ASK, BID, BOOK, EVENT, LAST, OFF_GRID, OFF_LOT, SNAPSHOT
from feeds.instruments import Grid, Instrument
from feeds.venues._levels import Numbers, Sides, book_rows, packed_rows, plain_count

DIGITS = st.text("0123456789", max_size=12)
FREE = st.one_of(
    st.builds(lambda s, a, b: f"{s}{a}.{b}", st.sampled_from(["", "-", "+"]), DIGITS, DIGITS),
    st.builds(lambda s, a, e: f"{s}{a}e{e}", st.sampled_from(["", "-"]), DIGITS, st.integers(-12, 12)),
    st.sampled_from(
        ["0", "0.0", "0.00000000", "00", ".0", "0.", "-0", "0e5", "", ".", "NaN", "Infinity", "1_0", " 1", "1e999"]
    ),
    st.text(max_size=6),
)


def regular(decimals):
    return st.integers(0, 10**12).map(
        lambda n: f"{n // 10**decimals}.{n % 10**decimals:0{decimals}d}" if decimals else str(n)
    )


@st.composite
def sides(draw):
    """Two level arrays: regular as venues write them, with now and then a value of any other form."""
    price, size = regular(draw(st.integers(0, 8))), regular(draw(st.integers(0, 8)))
    if draw(st.booleans()):
        price, size = st.one_of(price, FREE), st.one_of(size, FREE)
    level = st.lists(st.tuples(price, size), max_size=12)
    return draw(level), draw(level)


def expected(instrument, bids, asks):
    """The same through Grid.read, value by value; None where any value is refused or below 0."""
    rows = []
    for price, size in bids + asks:
        try:
            tick, on_grid = instrument.price.read(price)
            lots, on_lot = instrument.size.read(size)
        except BadInput:
            return None
        if tick < 0 or lots < 0 or len(price) > 64 or len(size) > 64:
            return None
        rows.append((tick, lots, (0 if on_grid else OFF_GRID) | (0 if on_lot else OFF_LOT)))
    return rows


def got(numbers, bids, asks, **style):
    texts = [json.dumps(side, **style).encode() for side in (bids, asks)]
    try:
        found = numbers.sides(*texts)
    except (ValueError, msgspec.MsgspecError):
        return None
    marks = np.zeros(len(found), dtype=int) if found.marks is None else found.marks
    assert found.bids == len(bids)
    return [(t, n, m) for (t, n), m in zip(found.values.tolist(), marks.tolist(), strict=True)]


@settings(max_examples=400)
@given(
    sides(),
    st.sampled_from(["0.01", "0.10", "0.25", "1", "5", "0.00000001", "0.5"]),
    st.sampled_from(["1", "0.001", "0.00000001", "100"]),
    st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 1}]),
)
def test_levels_at_once_equal_each_value_through_the_grid(levels, tick, lot, style):
    instrument = Instrument(venue="x", symbol="y", tick=tick, lot=lot)
    numbers = Numbers(instrument)
    for bids, asks in (
        levels,
        (levels[1], levels[0]),
        levels,
    ):  # a form learned from one message must not harm the next
        assert got(numbers, bids, asks, **style) == expected(instrument, bids, asks)


@st.composite
def columns(draw):
    """More levels than are read value by value, most of them plain, of any numbers of decimals."""
    plain = st.from_regex(r"(\d{1,8}(\.\d{0,8})?|\.\d{1,8})", fullmatch=True)
    odd = st.sampled_from(
        ["", ".", "-1", "1e2", "1.2.3", "1,2", " 1", "1\0", "\0001", "٣", "9" * 19, "9" * 25, "0." + "0" * 18]
    )
    texts = draw(st.lists(plain, min_size=2, max_size=12))
    pairs = [[texts[i % len(texts)], texts[i * 7 % len(texts)]] for i in range(160)]
    for _ in range(draw(st.sampled_from([0, 0, 1]))):
        pairs[draw(st.integers(0, 159))][draw(st.integers(0, 1))] = draw(odd)
    return pairs, draw(st.integers(0, 160))


@settings(max_examples=150, deadline=None)
@given(
    columns(),
    st.sampled_from(["0.00000001", "0.0000000000000001", "0.01", "0.25", "5"]),
    st.sampled_from(["0.00000001", "1"]),
)
def test_columns_of_digits_equal_each_value_through_the_grid(made, tick, lot):
    (pairs, bids), instrument = made, Instrument(venue="x", symbol="y", tick=tick, lot=lot)
    try:
        found = Numbers(instrument).texts([(price, size) for price, size in pairs], bids)
    except BadInput:
        found = None
    want = expected(instrument, pairs, [])
    if want is None:
        assert found is None or int(found.values.min()) < 0  # the caller's to refuse
    else:
        marks = np.zeros(160, dtype=int) if found.marks is None else found.marks
        assert [(t, n, m) for (t, n), m in zip(found.values.tolist(), marks.tolist(), strict=True)] == want
        assert found.bids == bids


def test_columns_of_digits_are_taken_for_what_venues_write(monkeypatch):
    numbers = Numbers(Instrument(venue="x", symbol="y", tick="0.01", lot="0.00000001"))
    monkeypatch.setattr(numbers, "price", lambda _: pytest.fail("read one by one"))
    pairs = [(f"{65000 - i / 100:.2f}".rstrip("0").rstrip("."), f"{i * 37 % 1000 / 1000}") for i in range(500)]
    assert numbers.texts(pairs, 200).values[:3].tolist() == [[6500000, 0], [6499999, 3_700_000], [6499998, 7_400_000]]


def test_the_quick_way_is_taken_for_what_venues_write(monkeypatch):
    numbers = Numbers(Instrument(venue="x", symbol="y", tick="0.10", lot="0.001"))
    monkeypatch.setattr(numbers, "one_by_one", lambda *_: pytest.fail("read one by one"))
    for style in ({"separators": (",", ":")}, {}):
        bids = [[f"{27985 - i // 10}.{i % 10}0", f"{i % 7}.{i * 37 % 1000:03d}"] for i in range(500)]
        assert len(got(numbers, bids, bids[:3], **style)) == 503
        assert len(got(numbers, [], bids, **style)) == 500
        assert len(got(numbers, bids[:5], [], **style)) == 5


@pytest.mark.parametrize("n", [1, 5, 40])
@pytest.mark.parametrize(
    ("price", "size"),
    [
        ("9" * 19 + ".00", "1.000"),
        ("1.00", "9" * 20 + ".000"),
        ("92233720368547758.07", "1.000"),
        ("92233720368547758.08", "1.000"),
    ],
)
def test_numbers_beyond_the_integers_are_never_wrapped(n, price, size):
    instrument = Instrument(venue="x", symbol="y", tick="0.01", lot="0.001")
    bids = [["1.00", "1.000"]] * n + [[price, size]]
    assert got(Numbers(instrument), bids, []) == expected(instrument, bids, [])


def test_few_decimals_on_a_fine_grid_are_never_wrapped():
    instrument = Instrument(venue="x", symbol="y", tick="0.00000001", lot="0.00000001")
    for most in ("46116860184.2", "46116860184.3", "99999999999.5", "922337203685.4"):
        bids = [["1.5", "1.0"]] * 9 + [[most, "1.0"]]
        assert got(Numbers(instrument), bids, []) == expected(instrument, bids, [])


@pytest.mark.parametrize(
    "raw",
    [
        b"[1]",
        b"[[1,2]]",
        b'["1.00","1.000"]',
        b'[["1.00"]]',
        b'[["1.00","1.000","1"]]',
        b"{}",
        b"null",
        b'[["1.00","1.000"],]',
        b'[["1.00","1.000"]',
        b'[["1.00" "1.000"]]',
        b'[["\xff","1"]]',
        b"",
        b'[["1.00","1.000"],7]',
        b'{["1.00","1.000"],["2.00","1.000"],["3.00","1.000"],["4.00","1.000"]}',
        b'[["1.00","1.000"],["2.00","1.000"],["3.00","1.000"],["4.00","1.000"]}',
    ],
)
def test_arrays_of_another_shape_are_refused(raw):
    numbers = Numbers(Instrument(venue="x", symbol="y", tick="0.01", lot="0.001"))
    for other in (b"[]", b'[["1.00","1.000"],["2.00","1.000"],["3.00","1.000"]]'):
        with pytest.raises((ValueError, msgspec.MsgspecError)):
            numbers.sides(raw, other)
        with pytest.raises((ValueError, msgspec.MsgspecError)):
            numbers.sides(other, raw)


def test_rows_of_a_message_have_every_field_in_its_place():
    sides = Sides(np.array([[10, 1], [9, 0], [11, 5]]), 2, np.array([0, OFF_GRID, OFF_LOT]))
    rows = book_rows(sides, 111, 222, 333, 7, SNAPSHOT)
    assert rows.dtype == EVENT
    assert rows.tolist() == [
        (111, 222, 0, 10, 1, 333, 0, 7, BOOK, BID, SNAPSHOT),
        (111, 222, 0, 9, 0, 333, 0, 7, BOOK, BID, SNAPSHOT | OFF_GRID),
        (111, 222, 0, 11, 5, 333, 0, 7, BOOK, ASK, SNAPSHOT | OFF_LOT | LAST),
    ]


@given(st.text("0123456789.-e", max_size=12), st.sampled_from(["0.01", "0.25", "5", "0.0000001"]))
def test_a_single_number_reads_as_the_grid_reads_it(text, increment):
    instrument = Instrument(venue="x", symbol="y", tick=increment, lot=increment)
    numbers = Numbers(instrument)
    try:
        count, on_grid = instrument.price.read(text)
    except BadInput:
        with pytest.raises(BadInput):
            numbers.price(text)
    else:
        assert numbers.price(text) == (count, 0 if on_grid else OFF_GRID)
        assert numbers.size(text) == (count, 0 if on_grid else OFF_LOT)
        assert numbers.price(text) == (count, 0 if on_grid else OFF_GRID)


def test_a_number_of_a_million_digits_is_refused_at_once():
    with pytest.raises(BadInput):
        Numbers(Instrument(venue="x", symbol="y", tick="1")).price("1" * 1_000_000)


@given(sides(), st.sampled_from(["0.01", "0.5", "1", "0.00000001"]), st.sampled_from(["0.001", "1", "100"]))
def test_levels_packed_into_bytes_are_the_same_rows(levels, tick, lot):
    numbers = Numbers(Instrument(venue="x", symbol="y", tick=tick, lot=lot))
    bids, asks = levels
    try:
        expected = numbers.texts(bids + asks, len(bids))
        refused = bool(len(expected)) and int(expected.values.min()) < 0
    except BadInput:
        expected, refused = None, True
    try:
        packed = numbers.packed(bids, asks)
    except BadInput:
        # A value off its grid may come before the one that is refused, so that the other way is taken and refuses.
        assert refused
        return
    if packed is None:
        assert expected is None or refused or expected.marks is not None
    elif packed:
        assert not refused
        assert expected.marks is None
        rows = np.frombuffer(packed_rows(packed, 5, 6, 7, 2, SNAPSHOT), dtype=EVENT).copy()
        rows["marks"][-1] |= LAST
        assert rows.tolist() == book_rows(expected, 5, 6, 7, 2, SNAPSHOT).tolist()


@given(st.one_of(FREE, regular(4), regular(0)), st.integers(0, 8))
def test_plain_text_is_counted_as_the_grid_counts_it_or_not_at_all(text, decimals):
    count = plain_count(text, decimals)
    if count is not None:
        assert Grid(f"0.{'1':0>{decimals}}" if decimals else "1").read(text) == (count, True)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview.snapshot import ROW_ALERT, ROW_ALERT_ASK, ROW_ALERT_BID, ROW_ALERT_EXTREME, ROW_ALERT_STRONG, ROW_VWAP
from tapeview.ui.widgets._ascii import to_ascii
from tapeview.ui.widgets._price_row import ALERT_SIGNS, bar_cell, bar_lengths, columns, common_prefix, price_row
from tests.kit import snapshots as kit


@given(width=st.integers(1, 200), price=st.integers(4, 17), orders=st.booleans())
def test_columns_fill_the_width_they_are_given(width, price, orders):
    cols = columns(width, price, orders)
    least = columns(0, price, orders).total
    assert cols.total == max(width, least)
    assert cols.price == price
    assert orders or cols.orders == 0


@pytest.mark.parametrize("price", [8, 9, 10])
def test_the_small_terminals_half_still_holds_sizes_and_trades(price):
    cols = columns(40, price, True)
    assert cols.size >= 6
    assert cols.recent >= 5


@given(
    digits=st.text("0123456789.k", max_size=5),
    width=st.integers(6, 14),
    eighths=st.integers(0, 120),
    left=st.booleans(),
)
def test_a_bar_is_as_long_as_its_eighths_and_keeps_the_digits(digits, width, eighths, left):
    eighths = min(eighths, width * 8 + 1)
    runs = bar_cell(digits, width, eighths, left, "bid", "background", "bid-bar")
    line = "".join(run for run, _ in runs)
    assert len(line) == width
    assert digits in line
    length = 0.0
    for run, style in runs:
        for character in run:
            part = " ▏▎▍▌▋▊▉█".find(character)
            if character in "▏▎▍▌▋▊▉":
                length += part if style.startswith("bid-bar@") else 8 - part
            elif style.endswith("@bid-bar"):
                length += 8
    if eighths > width * 8:
        assert line[0 if left else -1] == "◂▸"[not left]
        assert length == width * 8
    else:
        # A cell with a digit in it is either full or empty.
        assert abs(length - eighths) <= 7
        assert length <= eighths


def test_bars_are_relative_to_the_full_bar_and_clipped_beyond():
    lots = np.array([0, 1, 50, 100, 101, 2**62], np.int64)
    assert bar_lengths(lots, 100, 80) == [0, 1, 40, 80, 81, 81]
    assert bar_lengths(lots, 0, 80) == [0] * 6
    assert bar_lengths(np.array([2**62, 2**61]), 2**62, 80) == [80, 40]


@pytest.mark.parametrize(
    ("labels", "digits"),
    [
        (("27 985.20", "27 985.10", "27 985.00"), 7),
        (("5 012.25", "5 012.00", "5 011.75"), 4),
        (("100.00", "99.99"), 0),
        (("585.30",), 4),
        (("7",), 0),
        ((), 0),
        (("-36.01", "-36.02"), 4),
    ],
)
def test_digits_all_prices_share_are_counted_but_never_the_last_two(labels, digits):
    assert common_prefix(labels) == digits


def marks_of(marks, width=40, live=True):
    """The last runs of a row with these marks."""
    row = price_row("5 012.00", (columns(width, 9, True), 0, live, kit.MES), (marks, *[0] * 11), None)
    assert sum(len(words) for words, _ in row) == width
    return [(words.strip(), style) for words, style in row if words.strip() and words.strip() != "5 012.00"]


@pytest.mark.parametrize("width", [40, 60, 100])
def test_an_alert_on_a_row_leaves_the_other_marks_their_place(width):
    assert [words for words, _ in marks_of(ROW_VWAP, width)] == ["V"]
    assert [words for words, _ in marks_of(ROW_VWAP | ROW_ALERT_BID, width)] == ["◁", "V"]


def test_side_and_grade_of_an_alert_are_told_by_its_sign():
    grades = (0, ROW_ALERT_STRONG, ROW_ALERT_EXTREME)
    signs = {(side, grave): marks_of(side | grave)[0] for side in (ROW_ALERT_BID, ROW_ALERT_ASK) for grave in grades}
    assert [words for words, _ in signs.values()] == ["◁", "◀", "◀", "▷", "▶", "▶"]
    inks = [style.split("@")[0] for _, style in signs.values()]
    assert inks == ["alert-info", "alert-warn bold", "alert-act bold"] * 2
    assert marks_of(ROW_ALERT)[0][0] == "◇"
    assert marks_of(ROW_ALERT | ROW_ALERT_STRONG | ROW_ALERT_EXTREME)[0] == ("◆", "alert-act bold@background")
    assert len({to_ascii(sign) for sign in ALERT_SIGNS.values()}) == len(ALERT_SIGNS)


def test_alerts_of_a_book_that_is_not_live_are_dim():
    assert marks_of(ROW_ALERT_BID, live=False)[0][1] == "dim@background"


@pytest.mark.parametrize("width", [46, 58, 84, 120])
def test_the_column_of_ones_own_orders_has_room_before_all_else(width):
    cols = columns(width, 10, True, True)
    assert cols.own >= 7
    assert cols.total == width
    assert columns(width, 10, True).own == 0


@given(width=st.integers(1, 200), price=st.integers(4, 17), orders=st.booleans())
def test_columns_with_ones_own_fill_the_width_too(width, price, orders):
    cols = columns(width, price, orders, True)
    assert cols.total == max(width, columns(0, price, orders, True).total)


def test_ones_own_order_stands_right_of_the_marks():
    cols = columns(84, 9, True, True)
    own = (("▲2 12-3", "own bold"),)
    for last in (False, True):
        row = price_row("5 012.00", (cols, 0, True, kit.MES), (ROW_VWAP, *[0] * 11), (last, (0, 0, 0), own))
        line = "".join(words for words, _ in row)
        assert len(line) == 84
        assert line.index("V") < line.index("▲2 12-3")
        assert ("▲2 12-3", "own bold@" + ("cursor" if last else "background")) in row

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview.ui.widgets import _plots
from tests.kit.screen import assert_golden, lines

WORDS = "{:+.0f}".format
MONEY = st.floats(-1e6, 1e6, allow_nan=False)


def falls_of(values):
    height, out = 0.0, []
    for value in values:
        height = max(height, value)
        out.append(height - value)
    return out


def test_a_line_and_its_drawdown_as_they_are_drawn():
    values = [0.0, 40.0, 80.0, 30.0, -20.0, 60.0, 120.0, 90.0]
    assert_golden(__file__, "line_60x12", _plots.line(values, falls_of(values), 60, 12, WORDS, "equity"))


def test_results_as_they_are_drawn():
    bins = [("below -1.00", -1, 2), ("-1.00 to -0.50", -1, 0), ("+0.00 to +0.50", 1, 5), ("from +0.50", 1, 12)]
    assert_golden(__file__, "bars_48x6", _plots.bars(bins, 48, 6, "results in R", "none"))


def test_points_as_they_are_drawn():
    dots = [(0.2, 1.5, 1.0), (1.0, 0.3, -1.0), (0.5, 0.5, 0.0), (0.5, 0.5, -0.2), (0.21, 1.5, 0.9)]
    assert_golden(__file__, "points_48x12", _plots.points(dots, 48, 12, "against and for", "MAE", "MFE", "none"))


@given(values=st.lists(MONEY, max_size=60), width=st.integers(10, 200), height=st.integers(1, 40))
def test_a_line_fits_its_place_whatever_it_is_of(values, width, height):
    made = _plots.line(values, falls_of(values), width, height, WORDS, "equity")
    assert len(made) <= height
    assert all(len(line) <= max(width, 23) for line in lines(made))


@given(
    dots=st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(-50, 50)), max_size=40),
    width=st.integers(10, 120), height=st.integers(1, 40),
)  # fmt: skip
def test_points_fit_their_place_and_every_one_is_drawn(dots, width, height):
    made = _plots.points(dots, width, height, "t", "MAE", "MFE", "none")
    assert len(made) <= max(height, 1)
    text = "\n".join(lines(made[1:]))
    if dots and height >= 5 and width >= 17:
        assert any(sign in text for sign in "▲▼◆◦")
        assert all(len(line) <= width for line in lines(made[1:]))


@given(counts=st.lists(st.integers(0, 10**6), max_size=30), width=st.integers(20, 120), height=st.integers(1, 30))
def test_bars_fit_their_place(counts, width, height):
    made = _plots.bars([("+1.00 to +2.00", 1, n) for n in counts], width, height, "t", "none")
    assert len(made) <= height
    if width >= 30:
        assert all(len(line) <= width for line in lines(made))


def test_a_gain_a_loss_and_both_in_one_place_differ_in_sign_not_in_colour_alone():
    def signs(*dots):
        return "".join(lines(_plots.points(list(dots), 40, 10, "t", "MAE", "MFE", "none")[1:]))

    assert "▲" in signs((0.5, 0.5, 1.0))
    assert "▼" in signs((0.5, 0.5, -1.0))
    assert "◆" in signs((0.5, 0.5, -1.0), (0.5, 0.5, 1.0))
    assert "◦" in signs((0.5, 0.5, 0.0))


def test_the_line_ends_where_the_last_value_is():
    rising = lines(_plots.line([0.0, 1.0, 2.0, 3.0], [0.0] * 4, 40, 10, WORDS, "t"))
    falling = lines(_plots.line([0.0, -1.0, -2.0, -3.0], [0.0] * 4, 40, 10, WORDS, "t"))
    assert [n for n, line in enumerate(rising[1:], 1) if line[-1] not in " ┄"] == [1]
    assert [n for n, line in enumerate(falling[1:], 1) if line[-1] not in " ┄"] == [9]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_values_make_no_line(count):
    made = _plots.line([1.0] * count, [0.0] * count, 60, 12, WORDS, "equity")
    assert "two trades make a line" in lines(made)[1]

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview import journal, ledger
from tapeview.drill.skill import by, skill
from tapeview.ui.screens import _journal_rows as draw
from tests.kit.journals import drawn, drilled, write
from tests.kit.screen import assert_golden, lines


@pytest.fixture(scope="module")
def trades(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("journal") / "journal.sqlite", drawn(40))
    with journal.reading(path) as db:
        return ledger.rows(db)


DRILLS = [
    drilled(n, (1, -1, 0)[n % 3], (3, -3, 0, 5)[n % 4], sure=(0.3, 0.6, 0.9)[n % 3], by=("", "iceberg")[n % 2])
    for n in range(40)
]


@pytest.mark.parametrize("width", [43, 66])
def test_figures_as_they_are_drawn(trades, width):
    one = ledger.figures(trades)
    assert_golden(__file__, f"figures_{width}", draw.figures(one, ledger.longest_losing(trades), 3, width))


def test_figures_of_few_trades_are_grey_and_say_so(trades):
    few = draw.figures(ledger.figures(trades[:19]), 2, 0, 66)
    enough = draw.figures(ledger.figures(trades[:20]), 2, 0, 66)
    assert lines(few)[0].startswith(" few: 19 of 20 trades")
    assert "few" not in lines(enough)[0]
    assert {style for row in few for words, style in row if words.strip()} == {"dim", "alert-warn bold"}
    assert any("bold" in style for row in enough[1:] for _, style in row)
    assert "too few to tell from 0" in "\n".join(lines(few))


def test_a_group_of_few_trades_is_grey_and_marked(trades):
    few = draw.group("fade", ledger.figures(trades[:5]))
    assert few[-1] == ("few", "alert-warn")
    assert {style for _, style in few[:-1]} == {"dim"}
    many = draw.group("fade", ledger.figures(trades))
    assert many[-1][0] in ("", "0?")
    unsure = ledger.figures([msgspec.structs.replace(one, r=(1.0, -1.0)[n % 2]) for n, one in enumerate(trades)])
    assert draw.group("even", unsure)[-1] == ("0?", "dim")


def test_a_trade_made_with_hindsight_is_dim_and_says_so(trades):
    plain, seen = draw.trade(trades[0]), draw.trade(msgspec.structs.replace(trades[0], hindsight=True))
    assert [words for words, _ in plain[:-1]] == [words for words, _ in seen[:-1]]
    assert plain[-1][0] == ""
    assert seen[-1] == ("hindsight", "alert-warn")
    assert {style for _, style in seen[:-1]} == {"dim"}


def test_long_and_short_gain_and_loss_differ_without_colours(trades):
    told = {one.side: draw.trade(one)[3][0] for one in trades}
    assert told == {"long": "▲ long", "short": "▼ short"}
    assert {draw.trade(one)[6][0][0] for one in trades} == {"+", "−"}


@pytest.mark.parametrize("column", range(len(draw.TRADES)))
@pytest.mark.parametrize("falling", [False, True])
def test_trades_come_in_the_order_of_a_column_and_the_unknown_last(trades, column, falling):
    some = [*trades, msgspec.structs.replace(trades[0], r=None, mae_r=None, mfe_r=None, process=None)]
    found = draw.ordered(some, column, falling)
    assert len(found) == len(some)
    if draw.TRADES[column].title == "R":
        values = [one.r for one in found]
        assert values[-1] is None
        assert values[:-1] == sorted(values[:-1], reverse=falling)


@given(value=st.floats(allow_nan=True, allow_infinity=True))
def test_a_number_is_written_with_its_sign_or_as_unknown(value):
    words = draw.signed(value)
    if math.isnan(value):
        assert words == "–"
    elif math.isfinite(value):
        assert words[0] in "+−0"


def test_results_take_bins_that_fit(trades):
    made = draw.results(lambda step: ledger.histogram(trades, step))
    for height in (3, 6, 9, 20):
        rows = made(60, height)
        assert len(rows) <= height
        counted = [int(line.split()[-1]) for line in lines(rows)[1:]]
        if height >= 9:
            assert sum(counted) == len(trades)


def test_drills_as_they_are_drawn():
    parts = {name: skill(found) for name, found in by(DRILLS, lambda one: one.by or "a moment").items()}
    assert_golden(__file__, "drills_76", draw.drills(skill(DRILLS), parts, 76))


@given(width=st.integers(30, 120), count=st.integers(0, 40))
def test_what_has_no_room_is_left_out_whole(width, count):
    rows = draw.drills(SKILLS.setdefault(count, skill(DRILLS[:count])), {}, width)
    whole = "\n".join(lines(draw.drills(SKILLS[count], {}, 500)))
    for line in lines(rows):
        assert len(line) <= max(width, 60)
        assert line.rstrip() in whole


SKILLS: dict = {}


def test_no_drill_says_how_to_begin():
    assert lines(draw.drills(skill([]), {}, 60, "Enter begins one")) == [" no drill yet: Enter begins one"]

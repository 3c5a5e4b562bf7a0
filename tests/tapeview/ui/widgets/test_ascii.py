import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tapeview.format import LEVELS
from tapeview.ui.widgets._ascii import GLYPHS, PAIRS, AsciiFilter, to_ascii
from tapeview.ui.widgets._palette import ascii_runs
from tapeview.ui.widgets._price_row import bar_cell
from tapeview.ui.widgets.status import BADGES, UNVERIFIED
from tapeview.ui.widgets.tape import AGGRESSOR, BETWEEN, PLACES
from tapeview.ui.widgets.vwap import LINES


def printable(text):
    return all(" " <= c <= "~" for c in text)


def test_the_table_is_cell_for_cell():
    assert all(cell_len(glyph) == 1 == len(shown) and printable(shown) for glyph, shown in GLYPHS.items())
    assert all(cell_len(pair) == len(shown) and printable(shown) for pair, shown in PAIRS.items())


@given(st.text(st.characters(exclude_categories=("C", "M", "Zl", "Zp"))))
@example("價格 ¥ é ½ ﬁ ⣿ ⠁ ⠀ ┼ ╬ ╭")
def test_any_text_becomes_ascii_of_the_same_width(text):
    shown = to_ascii(text)
    assert printable(shown)
    assert len(shown) == cell_len(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("5 012.25", "5 012.25"),
        ("filter ≥ 5 (not aggregated)", "filter >=5 (not aggregated)"),
        ("é…", "e~"),
        ("價", "??"),
        ("⠁⠛⢀⣤⣿⠀", "'',,* "),
        ("╭─╮│┼", "+-+|+"),
    ],
)
def test_text_is_written_as_a_person_would(text, shown):
    assert to_ascii(text) == shown


@pytest.mark.parametrize(
    "signs",
    [
        [glyph for glyph, _ in (*PLACES[1:], *BETWEEN.values(), *AGGRESSOR.values()) if glyph != BETWEEN[0][0]],
        [badge for badge, _ in (*BADGES.values(), UNVERIFIED)],
        [*(glyph for _, glyph, _, _ in LINES), "╎", "⣿", "⠁", "⢀"],
        ["▲", "▼", "•"],
        ["◂", "▸", "│"],
        ["▾3", "×3", "└"],
        ["▶", "‖", "■", "●"],
        list(LEVELS),
        ["┃", "·", *LEVELS[1:]],
    ],
    ids=["places", "badges", "lines", "directions", "pointers", "merged", "player", "levels", "timeline"],
)
def test_what_differs_beside_each_other_differs_in_ascii_too(signs):
    assert len({to_ascii(sign) for sign in signs}) == len(set(signs))


def test_the_edge_of_a_bar_does_not_touch_its_number_and_a_frame_stays():
    for eighths in range(1, 8):
        for left in (True, False):
            cell = bar_cell("66", 6, 16 + eighths, left, "ask", "background", "ask-bar")
            shown = "".join(text for text, _ in ascii_runs(cell))
            assert shown == ("    66" if left else "   66 ")
    assert ascii_runs((("▕", "rule"), ("█▌", "bid-bar"), ("▏", "rule"))) == (
        ("|", "rule"), ("# ", "bid-bar"), ("|", "rule"),
    )  # fmt: skip


def test_the_filter_keeps_styles():
    style = Style(bold=True)
    assert AsciiFilter().apply([Segment("▲ 5", style)], Color(0, 0, 0)) == [Segment("^ 5", style)]

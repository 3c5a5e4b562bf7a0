import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text
from textual.filter import DimFilter, Monochrome

from tapeview.ui.themes import DARK, LIGHT, THEMES, VARIABLES
from tapeview.ui.widgets._palette import Palette, RowStrip, fit, parse_style, plain_strip
from tests.kit.screen import cells

INKS = (
    "text",
    "dim",
    "bid",
    "ask bold",
    "loud bold",
    "sell strike",
    "rule",
    "alert-act bold reverse",
    "vwap underline",
)
GROUNDS = ("", "@cursor", "@bid-bar", "@ask-bar", "@background")
runs = st.lists(
    st.tuples(
        st.text(alphabet=" 0123▲▸█▏░", min_size=1, max_size=6),
        st.builds(str.__add__, st.sampled_from(INKS), st.sampled_from(GROUNDS)),
    ),
    min_size=1,
    max_size=12,
).map(tuple)


def variables(theme=DARK):
    return {"background": theme.background, "foreground": theme.foreground, **theme.variables}


def console(system):
    return Console(force_terminal=True, color_system=system, width=200)


def looks(style):
    """What can be seen of a style: blank attributes and unset ones are the same."""
    style = style or Style()
    flags = tuple(bool(getattr(style, name)) for name in ("bold", "strike", "underline", "reverse"))
    return (
        style.color and style.color.get_truecolor(),
        style.bgcolor and style.bgcolor.get_truecolor(foreground=False),
        *flags,
    )


def seen(character, style):
    """A blank without lines shows its ground alone."""
    ink, ground, bold, strike, underline, reverse = looks(style)
    if character == " " and not (strike or underline or reverse):
        return (" ", ground)
    return (character, ink, ground, bold, strike, underline, reverse)


@settings(max_examples=150, deadline=None)
@given(row=runs, theme=st.sampled_from(THEMES), system=st.sampled_from(["truecolor", "256", "standard"]))
def test_the_finished_string_shows_the_same_cells_as_the_ordinary_strip(row, theme, system):
    palette = Palette(variables(theme))
    width = sum(len(text) for text, _ in row)
    target = console(system)
    finished = Text.from_ansi(RowStrip(row, width, palette).render(target), end="")
    ordinary = Text.from_ansi(plain_strip(row, palette, width).render(target), end="")
    assert finished.plain == ordinary.plain == "".join(text for text, _ in row)
    for at, character in enumerate(finished.plain):
        one, other = (text.get_style_at_offset(target, at) for text in (finished, ordinary))
        assert seen(character, one) == seen(character, other)


@settings(max_examples=100, deadline=None)
@given(row=runs, data=st.data())
def test_a_cut_row_gives_the_same_pieces_as_the_ordinary_strip(row, data):
    palette = Palette(variables())
    width = sum(len(text) for text, _ in row)
    finished, ordinary = RowStrip(row, width, palette), plain_strip(row, palette, width)
    cuts = sorted(data.draw(st.sets(st.integers(1, width), max_size=4)) | {width})
    assert [cells(piece) for piece in finished.divide(cuts)] == [cells(piece) for piece in ordinary.divide(cuts)]
    start = data.draw(st.integers(0, width))
    end = data.draw(st.integers(start, width))
    assert cells(finished.crop(start, end)) == cells(ordinary.crop(start, end))
    assert finished.text == ordinary.text
    assert cells(finished) == cells(ordinary)
    assert cells(finished.adjust_cell_length(width + 2)) == cells(ordinary.adjust_cell_length(width + 2))


def test_a_whole_row_is_passed_on_as_it_is():
    strip = RowStrip((("abc", "bid"),), 3, Palette(variables()))
    assert strip.divide([3]) == [strip]
    assert strip.divide([3])[0] is strip
    assert strip.crop(0, 3) is strip
    assert strip.crop(0) is strip
    assert strip.cell_length == 3


def test_a_row_is_written_anew_for_another_colour_system():
    strip = RowStrip((("abc", "bid"),), 3, Palette(variables()))
    true, few = strip.render(console("truecolor")), strip.render(console("standard"))
    assert "38;2;" in true
    assert "38;2;" not in few
    assert strip.render(console("truecolor")) == true


def test_blanks_on_one_ground_need_no_change_of_colour():
    palette = Palette(variables())
    strip = RowStrip((("ab", "bid"), ("   ", "dim"), ("cd", "bid")), 7, palette)
    assert strip.render(console("truecolor")).count("\x1b[") == 2  # the first style, and the end


def test_filters_reach_the_finished_string():
    grey = Palette(variables(), [Monochrome()])
    color = grey.style("bid@bid-bar").color.get_truecolor()
    assert color.red == color.green == color.blue
    assert grey.style("bid@bid-bar") != Palette(variables()).style("bid@bid-bar")
    assert Palette(variables(), [DimFilter()]).style("bid") == Palette(variables()).style("bid")


def test_an_attribute_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="blink"):
        parse_style("bid blink@cursor")


def test_a_variable_the_theme_lacks_is_the_foreground():
    palette = Palette({"foreground": "#123456", "background": "#000000", "bid": "no colour"})
    assert palette.color("bid").hex == "#123456"
    assert palette.color("ask").hex == "#123456"


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_variable_of_every_theme_compiles_to_its_own_colour(theme):
    palette = Palette(variables(theme))
    for name in VARIABLES:
        assert palette.style(name).color.get_truecolor().hex.lower() == theme.variables[name].lower()


@given(row=runs, width=st.integers(0, 60))
def test_a_fitted_row_has_the_width(row, width):
    text = "".join(part for part, _ in row)
    fitted = "".join(part for part, _ in fit(row, width))
    assert fitted == text[:width].ljust(width)


def test_light_and_dark_differ():
    assert Palette(variables(LIGHT)).style("bid") != Palette(variables(DARK)).style("bid")


def test_colour_systems_are_told_apart():
    palette = Palette(variables())
    assert palette.change("", "bid", False, ColorSystem.TRUECOLOR) != palette.change(
        "", "bid", False, ColorSystem.EIGHT_BIT
    )

import pytest

from feeds.errors import BadInput
from tapeview.ui.themes import (
    BAR_CONTRAST,
    DARK,
    GROUNDS,
    HEAT,
    INKS,
    TEXT_CONTRAST,
    THEMES,
    VARIABLES,
    contrast,
    from_mapping,
    variable_defaults,
)

ON_BARS = [
    ("bid", "bid-bar"), ("buy", "bid-bar"), ("touch", "bid-bar"), ("loud", "bid-bar"), ("text", "bid-bar"),
    ("ask", "ask-bar"), ("sell", "ask-bar"), ("touch", "ask-bar"), ("loud", "ask-bar"), ("text", "ask-bar"),
    ("text", "volume-bar"), ("loud", "volume-bar"),
]  # fmt: skip
"""Text that is written over bars."""
each = pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)


def test_contrast_is_that_of_the_standard():
    # Examples of WCAG 2.1: black on white is 21:1, #767676 the lightest grey that passes on white.
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast("#123456", "#123456") == 1


@each
def test_every_variable_is_in_every_theme(theme):
    assert set(VARIABLES) <= set(theme.variables)


@each
def test_text_can_be_read_on_the_background_and_on_the_cursor(theme):
    for name in INKS:
        for ground in (theme.background, theme.variables["cursor"]):
            assert contrast(theme.variables[name], ground) >= TEXT_CONTRAST, (name, ground)
    assert contrast(theme.foreground, theme.background) >= TEXT_CONTRAST


@each
def test_bars_can_be_seen_and_what_is_written_on_them_be_read(theme):
    for name in GROUNDS:
        if name != "cursor":
            assert contrast(theme.variables[name], theme.background) >= BAR_CONTRAST, name
    for ink, ground in ON_BARS:
        assert contrast(theme.variables[ink], theme.variables[ground]) >= TEXT_CONTRAST, (ink, ground)


@each
def test_heat_leaves_the_background_step_by_step(theme):
    steps = [contrast(theme.variables[name], theme.background) for name in HEAT]
    assert steps[0] == 1
    assert steps == sorted(steps)
    assert len(set(steps)) == len(steps)


def test_the_theme_for_red_green_blindness_tells_bid_from_ask_by_blue():
    # Red-green blindness leaves the blue axis: there the two sides must lie far apart.
    from textual.color import Color

    theme = next(theme for theme in THEMES if theme.name == "deuter")
    for one, other in (("bid", "ask"), ("buy", "sell"), ("bid-bar", "ask-bar")):
        a, b = (Color.parse(theme.variables[name]) for name in (one, other))
        assert (a.b - a.r) * (b.b - b.r) < 0, (one, other)


def test_a_users_table_changes_what_it_names():
    theme = from_mapping("mine", {"base": "light", "bid": "#003300", "background": "#ffffff"})
    assert (theme.name, theme.dark) == ("mine", False)
    assert theme.variables["bid"] == "#003300"
    assert theme.background == "#ffffff"
    assert set(VARIABLES) <= set(theme.variables)
    assert from_mapping("plain", {}).variables == DARK.variables


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"bidd": "#fff"}, "such as bid"),
        ({"base": "noon"}, "one of dark, light, deuter"),
        ({"bid": "greenish blue"}, "solid colour"),
        ({"bid": 3}, "solid colour"),
        ({"bid": "#ffffff80"}, "solid colour"),
    ],
)
def test_a_users_table_with_a_mistake_is_refused_with_what_was_expected(values, found):
    with pytest.raises(BadInput, match=found):
        from_mapping("mine", values)


def test_defaults_follow_the_theme_s_darkness():
    assert variable_defaults(dark=True)["bid"] == DARK.variables["bid"]
    assert variable_defaults(dark=False) != variable_defaults(dark=True)
    assert set(VARIABLES) <= set(variable_defaults())

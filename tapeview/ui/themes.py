"""Themes: the colours every screen uses by name, for dark, light and red-green-blind eyes.

A theme is a Textual theme whose `variables` hold every name of INKS, GROUNDS and HEAT. Text keeps a contrast of
4.5:1 and bars 1.6:1 against the background (WCAG 2.1, relative luminance).
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from textual.color import Color, ColorParseError
from textual.theme import Theme

from feeds.errors import BadInput

INKS: Final = (
    "text", "dim", "loud", "bid", "ask", "buy", "sell", "touch", "last", "own", "vwap", "band1", "band2", "band3",
    "alert-info", "alert-warn", "alert-act", "stale", "armed",
)  # fmt: skip
"""Variables that text is written in."""
GROUNDS: Final = ("cursor", "bid-bar", "ask-bar", "volume-bar")
"""Variables that lie behind text: the cursor's row and the bars."""
HEAT: Final = tuple(f"heat{level}" for level in range(9))
"""The shades of the depth heatmap, from nothing to most."""
LINES: Final = ("rule",)
"""Variables of lines that carry no text."""
VARIABLES: Final = (*INKS, *GROUNDS, *HEAT, *LINES)
"""Every variable a theme must have."""
BASES: Final = ("background", "surface", "panel", "foreground", "primary", "accent", "warning", "error", "success")
"""Textual's own colours that a theme may set beside the variables."""

TEXT_CONTRAST: Final = 4.5
BAR_CONTRAST: Final = 1.6


def _theme(name: str, *, dark: bool, bases: Mapping[str, str], variables: Mapping[str, str]) -> Theme:
    mixed = dict(variables)
    # Text on an accent keeps to the theme's own text instead of Textual's blend.
    mixed.setdefault("footer-key-foreground", mixed["last"])
    mixed.setdefault("border", mixed["rule"])
    mixed.setdefault("border-blurred", mixed["rule"])
    return _named(name, dark, {"foreground": mixed["text"], **bases}, mixed)


def _named(name: str, dark: bool, bases: Mapping[str, str], variables: dict[str, str]) -> Theme:
    theme = Theme(name=name, primary=bases["primary"], dark=dark, variables=variables)
    for key, value in bases.items():
        setattr(theme, key, value)
    return theme


DARK: Final = _theme(
    "dark",
    dark=True,
    bases={
        "background": "#0b0d10", "surface": "#12161b", "panel": "#181d24", "primary": "#5aa2e0", "secondary": "#7f8b99",
        "accent": "#e8c36a", "warning": "#ffb454", "error": "#ff6b70", "success": "#45c9a5",
    },
    variables={
        "text": "#c6ccd5", "dim": "#8791a0", "loud": "#ffffff", "rule": "#2b323b",
        "bid": "#4fc3a9", "ask": "#f0858a", "buy": "#3fdc9a", "sell": "#ff8286",
        "touch": "#ffffff", "last": "#ffd75f", "cursor": "#1b2735", "own": "#86b6ff",
        "bid-bar": "#124237", "ask-bar": "#5a262d", "volume-bar": "#303b48",
        "vwap": "#f0c674", "band1": "#b8a6e8", "band2": "#93a6dc", "band3": "#8b98aa",
        "heat0": "#0b0d10", "heat1": "#13202b", "heat2": "#17344a", "heat3": "#1b4a6a", "heat4": "#2a6a86",
        "heat5": "#3f8f93", "heat6": "#79b07c", "heat7": "#d6bf5a", "heat8": "#fff1b8",
        "alert-info": "#86b6ff", "alert-warn": "#ffb454", "alert-act": "#ff8286", "stale": "#c79a5b",
        "armed": "#ff9f1c",
    },
)  # fmt: skip

LIGHT: Final = _theme(
    "light",
    dark=False,
    bases={
        "background": "#faf6ee", "surface": "#f2ecdf", "panel": "#e9e2d2", "primary": "#1f5f99", "secondary": "#5d6672",
        "accent": "#8a5a00", "warning": "#8a5200", "error": "#a8242d", "success": "#0d6b52",
    },
    variables={
        "text": "#2f343b", "dim": "#5b6169", "loud": "#000000", "rule": "#d2c9b6",
        "bid": "#07503c", "ask": "#861721", "buy": "#004d33", "sell": "#8a0c18",
        "touch": "#000000", "last": "#7a4b00", "cursor": "#e6e7dc", "own": "#1b55a8",
        "bid-bar": "#97cfbc", "ask-bar": "#efb0ad", "volume-bar": "#c9c2b1",
        "vwap": "#7a5200", "band1": "#5b3f9e", "band2": "#3d529e", "band3": "#5a6472",
        "heat0": "#faf6ee", "heat1": "#e7ecec", "heat2": "#c9dde4", "heat3": "#9fc6d6", "heat4": "#6fa6c0",
        "heat5": "#4a86a0", "heat6": "#526f3a", "heat7": "#735608", "heat8": "#6b2f00",
        "alert-info": "#1b55a8", "alert-warn": "#8a5200", "alert-act": "#b01420", "stale": "#7c5a1e",
        "armed": "#9a4f00",
    },
)  # fmt: skip

DEUTER: Final = _theme(
    "deuter",
    dark=True,
    bases={
        "background": "#0b0d12", "surface": "#12161d", "panel": "#181d26", "primary": "#6aa9ff", "secondary": "#7f8b99",
        "accent": "#ffb000", "warning": "#ffb000", "error": "#ff9440", "success": "#6aa9ff",
    },
    variables={
        "text": "#c8cdd6", "dim": "#8791a0", "loud": "#ffffff", "rule": "#2b323d",
        "bid": "#6fb1ff", "ask": "#ffa552", "buy": "#8cc4ff", "sell": "#ffb870",
        "touch": "#ffffff", "last": "#fff08a", "cursor": "#1d2533", "own": "#d6c3ff",
        "bid-bar": "#16396b", "ask-bar": "#5f3510", "volume-bar": "#303946",
        "vwap": "#f2e3a0", "band1": "#c5b4f0", "band2": "#9fb0e0", "band3": "#8d99ab",
        "heat0": "#0b0d12", "heat1": "#131d30", "heat2": "#172e52", "heat3": "#1d4478", "heat4": "#2d62a0",
        "heat5": "#5583b8", "heat6": "#98a5b8", "heat7": "#d8c078", "heat8": "#fff0b0",
        "alert-info": "#9cc8ff", "alert-warn": "#ffc04d", "alert-act": "#ffd9a8", "stale": "#b9a06a",
        "armed": "#ffb000",
    },
)  # fmt: skip

THEMES: Final = (DARK, LIGHT, DEUTER)
"""The themes that come with the program."""


def variable_defaults(*, dark: bool = True) -> dict[str, str]:
    """Return values for every variable, for a foreign theme that has none of them."""
    return dict((DARK if dark else LIGHT).variables)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.1)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(value: str) -> float:
    color = Color.parse(value)
    parts = (part / 255 for part in (color.r, color.g, color.b))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def from_mapping(name: str, values: Mapping[str, object], *, place: str = "themes") -> Theme:
    """Make a theme of a user's table: `base` names the theme it starts from, every other key is a colour.

    Raises BadInput for an unknown key or base, or a value that is no colour, naming the nearest that is.
    """
    rest = dict(values)
    known = {theme.name: theme for theme in THEMES}
    base_name = rest.pop("base", "dark")
    if base_name not in known:
        raise BadInput(f"{place}.{name}.base", str(base_name), f"one of {', '.join(known)}")
    base = known[str(base_name)]
    bases = {key: value for key in (*BASES, "secondary") if (value := getattr(base, key)) is not None}
    variables = dict(base.variables)
    for key, value in rest.items():
        if key not in VARIABLES and key not in bases:
            near = get_close_matches(key, [*VARIABLES, *bases], n=1)
            raise BadInput(f"{place}.{name}", key, f"a colour's name such as {near[0] if near else 'bid'}")
        try:
            color = Color.parse(value) if isinstance(value, str) else None
        except ColorParseError:
            color = None
        if color is None or color.a != 1:
            raise BadInput(f"{place}.{name}.{key}", str(value), "a solid colour such as #4fc3a9")
        (variables if key in VARIABLES else bases)[key] = str(value)
    if "text" in rest and "foreground" not in rest:
        bases["foreground"] = variables["text"]
    return _named(name, base.dark, bases, variables)

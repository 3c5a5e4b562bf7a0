"""The one place where a style's name becomes colours, and a row of named runs becomes a strip.

A style is written `VARIABLE [bold] [underline] [strike] [reverse] [@ GROUND]`: a theme variable for the text,
attributes, and a theme variable for what lies behind it (the theme's background where none is named).
`bid bold@cursor` is a bid in bold on the cursor row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.color import Color, ColorParseError
from textual.filter import LineFilter
from textual.strip import Strip

from tapeview.ui.widgets._ascii import AsciiFilter, to_ascii

Run = tuple[str, str]
"""Text of one cell a character, and the name of its style."""
Row = tuple[Run, ...]
"""One line of a panel, left to right."""

ATTRIBUTES: Final = frozenset({"bold", "underline", "strike", "reverse"})


@lru_cache(maxsize=4096)
def parse_style(name: str) -> tuple[str, tuple[str, ...], str]:
    """Split a style's name into the text's variable, its attributes and the ground's variable."""
    ink, _, ground = name.partition("@")
    variable, *attributes = ink.split()
    unknown = set(attributes) - ATTRIBUTES
    if unknown:
        raise ValueError(f"style {name!r}: no attribute {min(unknown)!r}")
    return variable, tuple(attributes), ground or "background"


class Palette:
    """Styles of one theme under one set of terminal filters, compiled once each."""

    def __init__(self, variables: Mapping[str, str], filters: Sequence[LineFilter] = ()) -> None:
        self.variables = variables
        self.filters = tuple(filters)
        self.ascii = any(isinstance(line_filter, AsciiFilter) for line_filter in filters)
        """Whether rows are to be written in ASCII alone."""
        self._styles: dict[str, Style] = {}
        self._changes: dict[tuple[str, str, bool, ColorSystem], str] = {}

    def color(self, variable: str) -> Color:
        """Return a variable's colour, the foreground's where the theme does not have it."""
        for name in (variable, "foreground"):
            try:
                return Color.parse(self.variables[name])
            except (KeyError, ColorParseError):
                continue
        return Color.parse("#c0c0c0")

    def style(self, name: str) -> Style:
        """Compile a style's name, with the filters (monochrome, ANSI to RGB) already applied."""
        style = self._styles.get(name)
        if style is None:
            variable, attributes, ground = parse_style(name)
            ink, below = self.color(variable), self.color(ground)
            flags: dict[str, Any] = dict.fromkeys(attributes, True)
            style = Style(color=ink.rich_color, bgcolor=below.rich_color, **flags)
            for line_filter in self.filters:
                style = line_filter.apply([Segment(" ", style)], below)[0].style or Style.null()
            self._styles[name] = style
        return style

    def change(self, before: str, after: str, blank: bool, system: ColorSystem) -> str:
        """Return the escape sequence from one style to another; empty where blanks would look the same.

        `before` is empty at the start of a row, where nothing may be taken for granted.
        """
        key = (before, after, blank, system)
        code = self._changes.get(key)
        if code is None:
            self._changes[key] = code = self._change(*key)
        return code

    def _change(self, before: str, after: str, blank: bool, system: ColorSystem) -> str:
        new = self.style(after)
        whole = Strip.render_ansi(new, system)
        if not before:
            return f"\x1b[0;{whole}m" if whole else "\x1b[0m"
        old = self.style(before)
        lines = {"underline", "strike", "reverse"}
        drawn = lines & {*parse_style(before)[1], *parse_style(after)[1]}
        if blank and not drawn and old.bgcolor == new.bgcolor:
            return ""
        if (old.bold, old.underline, old.strike, old.reverse) != (new.bold, new.underline, new.strike, new.reverse):
            return f"\x1b[0;{whole}m" if whole else "\x1b[0m"
        parts: list[str] = []
        if old.color != new.color:
            parts += (new.color or Color.parse("ansi_default").rich_color).downgrade(system).get_ansi_codes()
        if old.bgcolor != new.bgcolor:
            ground = new.bgcolor or Color.parse("ansi_default").rich_color
            parts += ground.downgrade(system).get_ansi_codes(False)
        return f"\x1b[{';'.join(parts)}m" if parts else ""


class RowStrip(Strip):
    """A finished row: its escape sequences are made once, its Segments only when something cuts it.

    The compositor takes such a strip whole wherever nothing overlaps the panel. As soon as it must be divided,
    cropped, filtered or joined, it behaves as the ordinary Strip of the same runs.
    """

    __slots__ = ("_ansi", "_palette", "_plain", "_runs", "_system", "_whole", "_width")

    def __init__(self, runs: Row, width: int, palette: Palette) -> None:
        # The parent's constructor makes eight caches; they are the plain strip's business, see __getattr__.
        self._runs = ascii_runs(runs) if palette.ascii else runs
        self._width = width
        self._palette = palette
        self._ansi: str | None = None
        self._system: ColorSystem | None = None
        self._plain: Strip | None = None
        self._whole: list[Strip] | None = None

    def __getattr__(self, name: str) -> Any:
        if name in RowStrip.__slots__:
            raise AttributeError(name)
        return getattr(self.plain, name)

    @property
    def plain(self) -> Strip:
        """The same row as an ordinary Strip."""
        if self._plain is None:
            self._plain = plain_strip(self._runs, self._palette, self._width)
        return self._plain

    @property
    def cell_length(self) -> int:
        """Cells the row takes."""
        return self._width

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """Return the row itself where nothing cuts it, its ordinary pieces otherwise."""
        wanted = list(cuts)
        if len(wanted) == 1 and wanted[0] == self._width:
            if self._whole is None:
                self._whole = [self]
            return self._whole
        return self.plain.divide(wanted)

    def crop(self, start: int, end: int | None = None) -> Strip:
        """Return the row itself where all of it is wanted, an ordinary piece otherwise."""
        if start <= 0 and (end is None or end >= self._width):
            return self
        return self.plain.crop(start, end)

    def render(self, console: Console) -> str:
        """Return the row's escape sequences for the console's colour system."""
        system = console._color_system or ColorSystem.TRUECOLOR
        if self._ansi is None or system is not self._system:
            self._ansi = self._sequences(system)
            self._system = system
        return self._ansi

    def _sequences(self, system: ColorSystem) -> str:
        parts: list[str] = []
        add, change, changes = parts.append, self._palette.change, self._palette._changes
        current = ""
        for text, style in self._runs:
            if style != current:
                blank = text.isspace()
                code = changes.get((current, style, blank, system))
                if code is None:
                    code = change(current, style, blank, system)
                if code:
                    add(code)
                    current = style
                elif not blank:
                    current = style
            add(text)
        add("\x1b[0m")
        return "".join(parts)


def plain_strip(runs: Row, palette: Palette, width: int) -> Strip:
    """Make an ordinary Strip of a row."""
    style = palette.style
    return Strip([Segment(text, style(name)) for text, name in runs], width)


def ascii_runs(runs: Row) -> Row:
    """Write a row in ASCII, in as many cells; a bar's edge, finer than a cell, is left out beside its number."""
    return tuple([(to_ascii(text.replace("▏", " ") if "-bar" in style else text), style) for text, style in runs])


def fit(runs: Row, width: int) -> Row:
    """Cut or pad a row to a width."""
    length = 0
    for index, (text, style) in enumerate(runs):
        length += len(text)
        if length > width:
            return (*runs[:index], (text[: len(text) - (length - width)], style))
    return runs if length == width else (*runs, (" " * (width - length), "text"))

"""ASCII in place of every other character, cell for cell: for terminals and fonts that have nothing else.

GLYPHS is the only table. Two signs that tell different things where they stand side by side stay different.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

GLYPHS: Final = {
    # where a print traded, which way a price went
    "▲": "^", "▼": "v", "△": "/", "▽": "\\", "▴": "+", "▾": "-", "◦": "o", "•": "*", "·": ".",
    # pointers and arrows
    "▸": ">", "◂": "<", "▶": ">", "◀": "<", "↑": "^", "↓": "v", "←": "<", "→": ">", "‖": "|", "└": "`",
    # what an alert on the ladder is about
    "▷": ")", "◁": "(", "◆": "@",
    # states
    "✓": "+", "✗": "X", "░": ":", "▒": "%", "▓": "#", "■": "#", "●": "*", "◇": "o", "×": "x", "…": "~", "�": "?",
    # bars: whole cells, their edges (a line where no bar is), cells filled from below
    "█": "#", "▉": " ", "▊": " ", "▋": " ", "▌": " ", "▍": " ", "▎": " ", "▏": "|", "▕": "|", "▐": " ", "▔": "-",
    "▁": "_", "▂": "-", "▃": ":", "▄": "=", "▅": "+", "▆": "*", "▇": "%",
    # lines: VWAP, one, two and three sigma (the dot above), a gap, axes, now
    "─": "-", "╌": "~", "┈": ":", "╎": "|", "│": "|", "┤": "+", "├": "+", "┃": "|", "━": "=",
    # numbers and words
    "−": "-", "–": "-", "—": "-", "Σ": "S", "σ": "s", "≤": "<", "≥": ">",
    "‘": "'", "’": "'", "“": "\"", "”": "\"", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
}  # fmt: skip
"""A character and what stands for it, each of one cell."""
PAIRS: Final = {"≥ ": ">=", "≤ ": "<="}
"""Two cells that say more together."""
_BRAILLE: Final = range(0x2800, 0x2900)
_UPPER_DOTS: Final = 0x1B
"""Bits of the upper two rows of a braille cell (Unicode 2800)."""
_LINES: Final = range(0x2500, 0x2580)
_BLOCKS: Final = range(0x2580, 0x25A0)


def to_ascii(text: str) -> str:
    """Write text in ASCII alone, in as many cells."""
    return text if text.isascii() else _written(text)


@lru_cache(maxsize=8192)
def _written(text: str) -> str:
    for pair, shown in PAIRS.items():
        text = text.replace(pair, shown)
    return "".join([c if c.isascii() else _character(c) for c in text])


@lru_cache(maxsize=2048)
def _character(character: str) -> str:
    shown = GLYPHS.get(character)
    if shown is not None:
        return shown
    code, cells = ord(character), get_character_cell_size(character)
    if code in _BRAILLE:
        dots = code - _BRAILLE.start
        return " " if not dots else "," if not dots & _UPPER_DOTS else "'" if not dots & ~_UPPER_DOTS else "*"
    if code in _LINES:
        name = unicodedata.name(character)
        return "+" if " AND " in name or "ARC" in name else "|" if "VERTICAL" in name else "-"
    if code in _BLOCKS:
        return "#"
    plain = unicodedata.normalize("NFKD", character)[:1]
    return plain if cells == 1 and plain.isascii() and plain.isprintable() else "?" * cells


class AsciiFilter(LineFilter):
    """Write everything that is drawn in ASCII; panels with finished rows do it where they finish them."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """Return the segments with their text in ASCII."""
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]

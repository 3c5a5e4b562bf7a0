"""Plots of a few numbers as rows of text: a line over time, results by size, points in a plane.

Each takes its size in cells and gives rows of named runs; what a colour says is said by a sign as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tapeview.format import BRAILLE_BASE, LEVELS, bar
from tapeview.ui.widgets._palette import Row, Run

Words = Callable[[float], str]
"""Writes a value of an axis."""
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_LEAST: Final = 3
WON, LOST, BOTH, EVEN = ("▲", "buy"), ("▼", "sell"), ("◆", "loud bold"), ("◦", "text")
"""Signs of points: above 0, below, both in one cell, neither."""
_SIGNS: Final = {frozenset({1}): WON, frozenset({-1}): LOST, frozenset({0}): EVEN}


def line(
    values: Sequence[float], falls: Sequence[float], width: int, height: int, words: Words, title: str
) -> list[Row]:
    """A line through values from left to right over bars that hang from 0 by how far each is below the height before.

    The last rows are the bars; the line's 0 is drawn where it lies inside.
    """
    head: Row = ((f" {title}", "text bold"),)
    if len(values) < 2 or height < _LEAST + 2 or width < 24:
        return [head, ((" two trades make a line", "dim"),)][:height]
    depth = max(1, height // 4) if max(falls, default=0.0) > 0 else 0
    body = height - 1 - depth
    low, high = min(0.0, *values), max(0.0, *values)
    pad = (high - low) * 0.03 or 1.0
    low, high = low - pad, high + pad
    labels = {0: words(max(values)), body - 1: words(min(values))}
    zero = _row_of(0.0, low, high, body)
    labels[zero] = words(0.0)
    deepest = max(falls, default=0.0)
    axis = max(len(words(-deepest)), *(len(label) for label in labels.values()))
    plot = width - axis - 3
    if plot < 8:
        return [head]
    codes = _braille(values, low, high, plot, body)
    rows: list[Row] = [head]
    for y in range(body):
        text = "".join(chr(BRAILLE_BASE + int(c)) if c else ("┄" if y == zero else " ") for c in codes[y])
        label = labels.get(y, "")
        runs: list[Run] = [(" " + label.rjust(axis) + (" ┤" if label else " │"), "dim")]
        runs += _inked(text, "loud", "rule")
        rows.append(tuple(runs))
    rows += _hanging(falls, deepest, plot, depth, axis, words)
    return rows


def _row_of(value: float, low: float, high: float, height: int) -> int:
    return min(height - 1, max(0, int((high - value) / (high - low) * height)))


def _inked(text: str, style: str, other: str) -> list[Run]:
    runs: list[Run] = []
    for character in text:
        ink = style if ord(character) >= BRAILLE_BASE else other
        if runs and runs[-1][1] == ink:
            runs[-1] = (runs[-1][0] + character, ink)
        else:
            runs.append((character, ink))
    return runs


def _braille(values: Sequence[float], low: float, high: float, plot: int, height: int) -> NDArray[np.int64]:
    codes = np.zeros((height, plot), np.int64)
    wide, tall = 2 * plot, 4 * height
    # Steps, not slopes: between two trades nothing was made.
    shown = np.asarray(values, np.float64)[np.arange(wide) * len(values) // wide]
    dots = np.clip(np.rint((high - shown) / (high - low) * (tall - 1)), 0, tall - 1).astype(np.int64)
    for x in range(wide):
        before = dots[x - 1] if x else dots[x]
        for y in range(min(before, dots[x]), max(before, dots[x]) + 1):
            codes[y // 4, x // 2] |= _DOTS[y % 4][x % 2]
    return codes


def _hanging(
    falls: Sequence[float], deepest: float, plot: int, depth: int, axis: int, words: Words
) -> list[Row]:  # fmt: skip
    rows: list[Row] = []
    if not depth or deepest <= 0:
        return rows
    at = np.minimum(np.arange(plot) * len(falls) // plot, len(falls) - 1)
    until = np.minimum((np.arange(plot) + 1) * len(falls) // plot, len(falls))
    worst = [max(falls[a : max(a + 1, b)]) for a, b in zip(at.tolist(), until.tolist(), strict=True)]
    for y in range(depth):
        filled = [value / deepest * depth - y for value in worst]
        # A bar that hangs is a cell filled from below, its colours changed round.
        text = "".join("█" if part >= 1 else LEVELS[8 - round(part * 8)] if part > 0 else " " for part in filled)
        label = words(-deepest) if y == depth - 1 else ""
        runs: list[Run] = [(" " + label.rjust(axis) + (" ┤" if label else " │"), "dim")]
        for character, part in zip(text, filled, strict=True):
            ink = "sell reverse" if 0 < part < 1 and character != "█" else "sell"
            if runs[-1][1] == ink:
                runs[-1] = (runs[-1][0] + character, ink)
            else:
                runs.append((character, ink))
        rows.append(tuple(runs))
    return rows


def bars(bins: Sequence[tuple[str, int, int]], width: int, height: int, title: str, empty: str) -> list[Row]:
    """How many fell into each bin, a line each: (words, sign, count); the sign is +1 above 0, -1 below."""
    rows: list[Row] = [((f" {title}", "text bold"),)]
    if not bins:
        return [*rows, ((f" {empty}", "dim"),)][:height]
    names = max(len(words) for words, _, _ in bins)
    counts = len(str(max(count for _, _, count in bins)))
    room = max(1, width - names - counts - 5)
    most = max(count for _, _, count in bins) or 1
    for words, sign, count in bins[: height - 1]:
        mark, ink = WON if sign > 0 else LOST if sign < 0 else EVEN
        rows.append(
            (
                (f" {words.rjust(names)} ", "dim"), (mark + " ", ink),
                (bar(count / most, room) if count else " " * room, ink), (f" {str(count).rjust(counts)}", "text"),
            )
        )  # fmt: skip
    return rows


def points(
    dots: Sequence[tuple[float, float, float]], width: int, height: int, title: str, across: str, up: str, empty: str
) -> list[Row]:
    """Points (x, y, value) in a plane from 0, each with the sign of its value; a line where x or y is 1."""
    rows: list[Row] = [((f" {title}", "text bold"),)]
    body = height - 2
    axis = 5
    plot = width - axis - 2
    if not dots or body < _LEAST or plot < 10:
        return [*rows, ((f" {empty if not dots else 'too small to draw'}", "dim"),)][:height]
    wide = max(1.2, *(x for x, _, _ in dots)) * 1.02
    tall = max(1.2, *(y for _, y, _ in dots)) * 1.02
    cells: dict[tuple[int, int], set[int]] = {}
    for x, y, value in dots:
        column = min(plot - 1, max(0, int(x / wide * plot)))
        row = min(body - 1, max(0, body - 1 - int(y / tall * body)))
        cells.setdefault((row, column), set()).add((value > 0) - (value < 0))
    one_x, one_y = int(1 / wide * plot), body - 1 - int(1 / tall * body)
    for y in range(body):
        label = f"{tall:.1f}" if y == 0 else "1.0" if y == one_y else "0.0" if y == body - 1 else ""
        runs: list[Run] = [(label.rjust(axis) + ("┤" if label else "│"), "dim")]
        for x in range(plot):
            found = cells.get((y, x))
            sign = _SIGNS.get(frozenset(found), BOTH) if found else None
            text, ink = sign or (("╎", "rule") if x == one_x else ("┄", "rule") if y == one_y else (" ", "dim"))
            if runs[-1][1] == ink:
                runs[-1] = (runs[-1][0] + text, ink)
            else:
                runs.append((text, ink))
        rows.append(tuple(runs))
    foot = [" "] * plot
    for column, words in ((0, "0.0"), (max(0, one_x - 1), "1.0"), (plot - 4, f"{wide:.1f}")):
        foot[column : column + len(words)] = words
    middle = f"{up} up, {across} across"
    line_ = "".join(foot)[:plot]
    at = (one_x + 4 + plot - 5 - len(middle)) // 2
    if at > one_x + 3 and at + len(middle) < plot - 5:
        line_ = line_[:at] + middle + line_[at + len(middle) :]
    rows.append(((" " * (axis + 1) + line_, "dim"),))
    return rows


def finite(value: float | None) -> bool:
    """Whether a figure is known and not without bound."""
    return value is not None and math.isfinite(value)

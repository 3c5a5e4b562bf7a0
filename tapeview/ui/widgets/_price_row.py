"""One row of the ladder: which columns there are, and how a price's numbers become runs over their bars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from tapeview import format as text
from tapeview.format import EIGHTHS_RIGHT, Scale
from tapeview.snapshot import (
    ROW_ALERT,
    ROW_ALERT_ASK,
    ROW_ALERT_BID,
    ROW_ALERT_EXTREME,
    ROW_ALERT_STRONG,
    ROW_BAND1,
    ROW_BAND2,
    ROW_BAND3,
    ROW_BEST_ASK,
    ROW_BEST_BID,
    ROW_HIGH,
    ROW_LAST,
    ROW_LOW,
    ROW_OFF_GRID,
    ROW_UNKNOWN_ASK,
    ROW_UNKNOWN_BID,
    ROW_VWAP,
    Ints,
    StatusPart,
)
from tapeview.ui.widgets._palette import Row, Run, fit

LAST_WIDTH: Final = 8
"""Cells of the last trade's marker with its size; the marker alone takes two."""
_MARKS: Final = (
    (ROW_OFF_GRID, "~", "alert-warn"),
    (ROW_VWAP, "V", "vwap bold"),
    (ROW_HIGH, "H", "loud"),
    (ROW_LOW, "L", "loud"),
    (ROW_BAND1, "1", "band1"),
    (ROW_BAND2, "2", "band2"),
    (ROW_BAND3, "3", "band3"),
)
ALERT_SIGNS: Final = {
    ROW_ALERT_BID: "◁",
    ROW_ALERT_ASK: "▷",
    ROW_ALERT: "◇",
    ROW_ALERT_BID | ROW_ALERT_STRONG: "◀",
    ROW_ALERT_ASK | ROW_ALERT_STRONG: "▶",
    ROW_ALERT | ROW_ALERT_STRONG: "◆",
}
"""A triangle points to the side of the ladder that an alert is about, a diamond to both; filled from grade 2 on."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths of the ladder's columns in cells; 0 leaves one out."""

    volume: int
    recent: int
    """Of each of sold and bought."""
    orders: int
    size: int
    price: int
    last: int
    marks: int
    spare: int = 0
    own: int = 0
    """Of the trader's own orders and position."""

    @property
    def total(self) -> int:
        """Cells of a row."""
        return (
            1 + self.volume + 2 * self.recent + 2 * self.orders + 2 * self.size
            + self.price + self.last + self.marks + self.spare + self.own
        )  # fmt: skip


@lru_cache(maxsize=64)
def columns(width: int, price: int, orders: bool, own: bool = False) -> Columns:
    """Choose the columns that fit: prices and sizes first, then own orders, trades, volume, order counts, bars."""
    chosen = Columns(volume=0, recent=0, orders=0, size=6, price=price, last=2, marks=2)
    steps = [{"recent": 6}, {"size": 7}, {"marks": 4}, {"volume": 7}, {"last": LAST_WIDTH}]
    if orders:
        steps.insert(4, {"orders": 4})
    if own:
        steps = [{"own": 7}, *steps, {"own": 12}]
    steps += [{"size": 8}, {"volume": 8}, {"recent": 7}, {"size": 10}, {"volume": 10}, {"size": 12}, {"size": 14}]
    for step in steps:
        wider = replace(chosen, **step)
        if wider.total <= width:
            chosen = wider
    return replace(chosen, spare=max(0, width - chosen.total))


Key = tuple[int, ...]
"""A row's numbers: marks, sizes, orders, volumes, glow and the bars' lengths."""
Extra = tuple[bool, tuple[int, int, int], Row] | None
"""Whether the cursor is on the row, the last trade's direction, lots (0 settled) and side, and what is one's own."""
Frame = tuple[Columns, int, bool, Scale]
"""Columns, digits that are dim, whether the book is live, and the scale."""


def bar_lengths(lots: Ints, full_lots: int, cells8: int) -> list[int]:
    """Return bars' lengths in eighths of a cell, one more than all of them where they are clipped."""
    if full_lots <= 0 or cells8 <= 0:
        return [0] * len(lots)
    # Sizes beyond the scale are cut first, so that the product cannot overflow.
    length = np.minimum(lots, full_lots) * cells8 // full_lots if full_lots < 2**50 else lots // (full_lots // cells8)
    length = np.where(lots > full_lots, cells8 + 1, np.maximum(length, lots > 0))
    whole: list[int] = length.tolist()
    return whole


@lru_cache(maxsize=64)
def common_prefix(labels: tuple[str, ...]) -> int:
    """Return how many leading digits all labels share, two digits always left over."""
    if not labels or len({len(label) for label in labels}) > 1:
        return 0
    first, last = labels[0], labels[-1]
    low, high = min(labels), max(labels)
    shared = 0
    for a, b in zip(low, high, strict=True):
        if a != b:
            break
        shared += 1
    digits = [i for i, c in enumerate(first) if c.isdigit()]
    return min(shared, digits[-2] if len(digits) > 1 else 0, len(last))


@lru_cache(maxsize=16384)
def bar_cell(digits: str, width: int, eighths: int, left: bool, ink: str, ground: str, bar: str) -> Row:
    """Draw digits right-aligned over a bar that grows from the right (`left`) or from the left edge.

    `eighths` above 8 * width is a clipped bar: its far cell is an arrow. The far cell holds no digit.
    """
    clipped = eighths > width * 8
    full, part = divmod(min(eighths, width * 8), 8)
    cells = digits.rjust(width)[:width] if left else (digits.rjust(width - 1) + " ")[:width]
    if clipped:
        return ((("◂" + cells[1:]) if left else (cells[:-1] + "▸"), f"{ink}@{bar}"),)
    if not left:
        edge = cells[full : full + 1]
        runs = [(cells[:full], f"{ink}@{bar}")]
        if part and edge == " ":
            runs += [(EIGHTHS_RIGHT[part], f"{bar}@{ground}"), (cells[full + 1 :], f"{ink}@{ground}")]
        else:
            runs.append((cells[full:], f"{ink}@{ground}"))
        return tuple(run for run in runs if run[0])
    start = width - full
    edge = cells[start - 1 : start] if start else ""
    if part and edge == " ":
        # Blocks fill from the left only: the empty part is drawn in the ground's colour over the bar's.
        runs = [(cells[: start - 1], f"{ink}@{ground}"), (EIGHTHS_RIGHT[8 - part], f"{ground}@{bar}")]
    else:
        runs = [(cells[:start], f"{ink}@{ground}")]
    runs.append((cells[start:], f"{ink}@{bar}"))
    return tuple(run for run in runs if run[0])


def price_row(label: str, frame: Frame, key: Key, extra: Extra) -> Row:
    """Draw a row of the ladder."""
    cols, dim_digits, live, scale = frame
    marks, bid, ask, bid_orders, ask_orders, volume, sold, bought, glow, bid8, ask8, volume8 = key
    cursor = extra is not None and extra[0]
    last = extra[1] if extra is not None and marks & ROW_LAST else None
    ground = "cursor" if cursor else "background"
    at = "@" + ground
    quiet = "dim" + at
    size = text.size
    runs: list[Run] = [("▸" if cursor else " ", "loud bold" + at)]
    if cols.volume:
        shown, length = size(scale, volume) if volume else "", min(volume8, cols.volume * 8) if live else 0
        runs += bar_cell(shown, cols.volume, length, True, "text" if live else "dim", ground, "volume-bar")
    if cols.recent:
        runs.append(((size(scale, sold) if sold else "").rjust(cols.recent), ("sell" if live else "dim") + at))
        runs.append(((size(scale, bought) if bought else "").rjust(cols.recent), ("buy" if live else "dim") + at))
    if cols.orders:
        runs.append(((_count(bid_orders) if bid else "").rjust(cols.orders), quiet))
    best_bid, best_ask = bool(marks & ROW_BEST_BID), bool(marks & ROW_BEST_ASK)
    runs += _size_cell(scale, bid, bid8, cols.size, True, "bid", best_bid, bool(glow & 1), live, marks, ground)
    runs += _price_cell(label, cols.price, dim_digits, best_bid, best_ask, live, at)
    runs.append(_last_cell(scale, last, cols.last, live, at))
    runs += _size_cell(scale, ask, ask8, cols.size, False, "ask", best_ask, bool(glow & 2), live, marks, ground)
    if cols.orders:
        runs.append(((_count(ask_orders) if ask else "").rjust(cols.orders), quiet))
    left = cols.marks
    if marks and cols.marks > 1:
        if marks & ROW_ALERT:
            runs.append(_alert_sign(marks, live, at))
        else:
            runs.append((" ", quiet))
        left -= 1
        for bit, letter, ink in _MARKS:
            if marks & bit and left:
                runs.append((letter, (ink if live else "dim") + at))
                left -= 1
    if cols.own:
        own = fit(extra[2], cols.own) if extra is not None else ((" " * cols.own, "dim"),)
        runs += [(" " * left, quiet), *[(words, style + at) for words, style in own]]
        left = 0
    if left + cols.spare:
        runs.append((" " * (left + cols.spare), quiet))
    return tuple(runs)


def _alert_sign(marks: int, live: bool, at: str) -> Run:
    grave = marks & (ROW_ALERT_STRONG | ROW_ALERT_EXTREME)
    sign = ALERT_SIGNS[(marks & ROW_ALERT) | (ROW_ALERT_STRONG if grave else 0)]
    ink = "alert-act bold" if marks & ROW_ALERT_EXTREME else "alert-warn bold" if grave else "alert-info"
    return (sign, (ink if live else "dim") + at)


def _size_cell(
    scale: Scale, lots: int, eighths: int, width: int, left: bool, side: str, best: bool, glow: bool, live: bool,
    marks: int, ground: str,
) -> Row:  # fmt: skip
    if not lots:
        if marks & (ROW_UNKNOWN_BID if left else ROW_UNKNOWN_ASK):
            return (((" " if left else "") + "░" * (width - 1) + ("" if left else " "), "rule@" + ground),)
        return ((" " * width, "dim@" + ground),)
    if not live:
        return bar_cell(text.size(scale, lots), width, 0, left, "dim", ground, side + "-bar")
    ink = "loud bold" if glow else side + " bold" if best else side
    return bar_cell(text.size(scale, lots), width, eighths, left, ink, ground, side + "-bar")


def _price_cell(label: str, width: int, dim_digits: int, best_bid: bool, best_ask: bool, live: bool, at: str) -> Row:
    shown = " " + label if len(label) < width else label if len(label) == width else label[: width - 1] + "…"
    shown = shown.rjust(width)
    if not live:
        return ((shown, "dim" + at),)
    if best_bid or best_ask:
        return ((shown, "touch bold@bid-bar" if best_bid else "touch bold@ask-bar"),)
    cut = width - len(label) + dim_digits if dim_digits and len(label) <= width else 0
    return ((shown[:cut], "dim" + at), (shown[cut:], "text" + at)) if cut else ((shown, "text" + at),)


def _last_cell(scale: Scale, last: tuple[int, int, int] | None, width: int, live: bool, at: str) -> Run:
    if last is None:
        return (" " * width, "dim" + at)
    direction, lots, side = last
    ink = "dim" if not live else {1: "buy bold", -1: "sell bold"}.get(side if lots else direction, "last bold")
    shown = "◂" + "•▲▼"[direction]
    if lots and width > 2:
        shown += text.size(scale, lots)
    return (shown.ljust(width)[:width], ink + at)


def _count(orders: int) -> str:
    return "" if not orders else str(orders) if orders < 1000 else "1k+"


def announce(rows: list[Row], status: StatusPart, width: int) -> None:
    """Write over the middle of the middle rows why the book is not live; the numbers beside it stay."""
    words = [status.state.upper(), text.clean(status.why)] if status.why else [status.state.upper()]
    whole = " · ".join(words)
    lines = [whole] if len(whole) + 8 <= width else words
    middle = (len(rows) - len(lines)) // 2
    for index, line in enumerate(lines):
        if 0 <= middle + index < len(rows):
            banner = f"░░ {line} ░░" if len(line) + 6 <= width else line[:width]
            left = (width - len(banner)) // 2
            row = rows[middle + index]
            rows[middle + index] = (*fit(row, left), (banner, "stale bold"), *_after(row, left + len(banner)))


def _after(row: Row, start: int) -> Row:
    kept: list[Run] = []
    for words, style in row:
        if start < len(words):
            kept.append((words[max(0, start) :], style))
        start -= len(words)
    return tuple(kept)

"""Price, VWAP and its bands over time.

Price is a line of braille dots, two columns and four rows a cell. The VWAP and its bands are lines of box
characters that differ without colour: `─` VWAP, `╌` one sigma, `┈` two, `·` three. A broken stream is a gap in
the line with `╎` down the panel.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from textual import events
from textual.binding import Binding, BindingType

from tapeview import format as text
from tapeview.format import BRAILLE_BASE
from tapeview.snapshot import ChartPart, Floats, Ints, Snapshot, StatusPart, Window
from tapeview.ui.widgets._link import partial_words
from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel

SPANS: Final = (60, 300, 900, 3600, 0)
"""Seconds across the chart that the keys go through; 0 is the whole session."""
ANCHOR_SLOTS: Final = 8
LINES: Final = (
    (3.0, "·", "band3", "3σ"),
    (2.0, "┈", "band2", "2σ"),
    (1.0, "╌", "band1", "1σ"),
    (0.0, "─", "vwap", "VWAP"),
)
"""Factor of sigma, glyph, style and name, the farthest first."""
NAMES_WIDTH: Final = 5
NAMES_FROM: Final = 36
"""Least width of the panel that gives the lines' names room."""
_DOTS: Final = np.array(((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80)), np.uint32)
_INKS: Final = ("dim", *(style for _, _, style, _ in LINES), "rule", "text bold")
_RULE: Final = 1 + len(LINES)
_PRICE: Final = _RULE + 1


@dataclass(slots=True)
class _Plot:
    # The plot last drawn, so that what did not change is not drawn again.

    key: tuple[object, ...]
    codes: NDArray[np.uint32]
    inks: NDArray[np.uint8]
    labels: dict[int, str]
    names: dict[int, tuple[str, str]]
    rows: list[Row]


class Chart(Panel):
    """The price line over its VWAP and bands."""

    PERIOD_NS: ClassVar[int] = 100_000_000

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "span(1)", "Longer span", id="chart.longer"),
        Binding("minus", "span(-1)", "Shorter span", id="chart.shorter"),
        Binding("w", "slot", "Next VWAP anchor", id="chart.slot"),
    ]

    def __init__(self, *, ruled: bool = False, name: str | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(ruled=ruled, name=name or "chart", id=id)
        self._spans: tuple[int, ...] = SPANS
        self._span_s = SPANS[1]
        self.slot = 0
        """VWAP slot shown."""
        self._price_width = 5
        self._instrument: str | None = None
        self._last: _Plot | None = None

    @property
    def plot_width(self) -> int:
        """Cells of the plot: the panel less the price axis and the names of the lines."""
        return self._plot_cells(self.inner_width) if self.inner_width > 0 else 0

    @property
    def span_s(self) -> int:
        """Seconds across the chart at most, 0 for the whole session; one that is not in SPANS joins the keys' row."""
        return self._span_s

    @span_s.setter
    def span_s(self, seconds: int) -> None:
        self._span_s = seconds
        self._spans = (*sorted({*SPANS, seconds} - {0}), 0)

    def ask(self, window: Window) -> Window:
        """Ask for two columns a cell over the chosen span."""
        return replace(window, chart_columns=2 * self.plot_width, chart_s=self.span_s, anchor=self.slot)

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Draw heading, plot and time axis."""
        part = snapshot.chart
        if self._instrument not in (None, snapshot.status.instrument):
            self.slot, self._price_width = 0, 5
        self._instrument = snapshot.status.instrument
        if part is None:
            return []
        if part.anchor_slot == self.slot and part.anchor not in part.anchors:
            # The anchor shown was dropped: the next one is asked for, after the last the session's.
            self.slot = (self.slot + 1) % ANCHOR_SLOTS
        heading = self._headings(part, snapshot.status, width)[: max(1, height - 4)]
        body = height - len(heading) - 1
        if body < 3 or width < 20:
            return heading
        return [*heading, *self._plot(snapshot, part, width, body)]

    def _headings(self, part: ChartPart, status: StatusPart, width: int) -> list[Row]:
        pieces: list[Row] = [((f" VWAP {text.clean(part.anchor)}", self.heading_style),)]
        if part.vwap_now is not None:
            whole = status.partial_since_ns is None
            ink = "text" if part.valid and whole else "dim"
            z = "–" if part.z is None else text.signed(f"{part.z:.2f}")
            pieces += [
                ((f" {part.vwap_text}", ("vwap bold" if part.valid else "vwap") if whole else "dim"),),
                ((f" σ {part.sigma_text}", "text" if whole else "dim"),),
                ((f" z {z}" + ("" if part.valid else " young"), ink),),
            ]
        else:
            pieces.append(((" no trades yet", "dim"),))
        pieces.append(((f" {self._span_words(part)}", "dim"),))
        if partial := partial_words(status):
            pieces.append(((f" {partial}", "alert-warn"),))
        rows: list[list[Run]] = [[]]
        for piece in pieces:
            if rows[-1] and sum(len(run[0]) for run in (*rows[-1], *piece)) + 1 > width:
                rows.append([])
            elif rows[-1]:
                rows[-1].append((" ", "dim"))
            rows[-1] += piece
        return [tuple(row) for row in rows]

    def _span_words(self, part: ChartPart) -> str:
        shown_s = round(len(part.close) * part.column_ns / 1e9)
        if not self.span_s:
            return "session"
        if shown_s >= self.span_s:
            return span_words(self.span_s)
        shown, chosen = span_words(shown_s), span_words(self.span_s)
        return f"{shown.split()[0] if shown.split()[1] == chosen.split()[1] else shown} of {chosen}"

    # -- the plot ----------------------------------------------------------------------------------
    def _plot(self, snapshot: Snapshot, part: ChartPart, width: int, height: int) -> list[Row]:
        key = (*_fingerprint(part), snapshot.scale, width, height, self._price_width)
        old = self._last
        if old is not None and old.key == key:
            return [*old.rows, self._times(part, width, snapshot.status.utc_offset_s)]
        low, high = _range(part)
        if low is None or high is None:
            empty: Row = (("no prints in this span".center(width), "dim"),)
            return [()] * (height // 2) + [empty]
        labels = {row: text.ladder_price(snapshot.scale, tick) for row, tick in _axis(low, high, height).items()}
        self._price_width = max(self._price_width, min(16, max((len(label) for label in labels.values()), default=0)))
        codes, inks = _draw(part, low, high, self._plot_cells(width), height)
        names = _names(part, low, high, height) if width >= NAMES_FROM else {}
        same = np.zeros(height, np.bool_)
        if old is not None and old.codes.shape == codes.shape and old.key[-4:] == key[-4:]:
            same = ((old.codes == codes) & (old.inks == inks)).all(axis=1)
        rows: list[Row] = []
        for y in range(height):
            if old is not None and same[y] and old.labels.get(y) == labels.get(y) and old.names.get(y) == names.get(y):
                rows.append(old.rows[y])
            else:
                rows.append(self._plot_row(codes[y], inks[y], labels.get(y, ""), names.get(y, ("", "dim")), width))
        self._last = _Plot((*key[:-1], self._price_width), codes, inks, labels, names, rows)
        return [*rows, self._times(part, width, snapshot.status.utc_offset_s)]

    def _plot_row(
        self, codes: NDArray[np.uint32], inks: NDArray[np.uint8], label: str, named: tuple[str, str], width: int
    ) -> Row:
        axis = label if len(label) <= self._price_width else label[: self._price_width - 1] + "…"
        runs: list[Run] = [(axis.rjust(self._price_width) + (" ┤" if axis else " │"), "dim")]
        line = codes.astype("<u4").tobytes().decode("utf-32-le")
        cuts = [0, *(np.flatnonzero(np.diff(inks)) + 1).tolist(), len(line)]
        runs += [(line[a:b], _INKS[inks[a]]) for a, b in itertools.pairwise(cuts)]
        if width >= NAMES_FROM:
            runs.append(((" " + named[0]).ljust(NAMES_WIDTH)[:NAMES_WIDTH], named[1]))
        return tuple(runs)

    def _plot_cells(self, width: int) -> int:
        return max(1, width - self._price_width - 2 - (NAMES_WIDTH if width >= NAMES_FROM else 0))

    def _times(self, part: ChartPart, width: int, offset_s: int) -> Row:
        plot = self._plot_cells(width)
        left = self._price_width + 2
        line = [" "] * width
        columns = max(1, len(part.close))
        end_ns = part.start_ns + columns * part.column_ns
        seconds = columns * part.column_ns <= 600_000_000_000
        cell = len("09:45:12") if seconds and plot >= 20 else len("09:45")
        marks = max(1, min(5, plot // (cell + 4)))
        for index in range(marks):
            share = index / (marks - 1) if marks > 1 else 1.0
            at = left + max(0, round(share * (plot - cell)))
            word = text.clock(int(part.start_ns + share * (end_ns - part.start_ns)), millis=False, offset_s=offset_s)[
                :cell
            ]
            line[at : at + cell] = word
        return (("".join(line[:width]), "dim"),)

    # -- keys and mouse ----------------------------------------------------------------------------
    def action_span(self, step: int) -> None:
        """Show a longer (1) or a shorter (-1) span."""
        at = self._spans.index(self.span_s) + step
        self._span_s = self._spans[min(len(self._spans) - 1, max(0, at))]
        self.redraw()

    def action_slot(self) -> None:
        """Show the next VWAP anchor."""
        self.slot = (self.slot + 1) % ANCHOR_SLOTS

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Show a shorter span."""
        event.stop()
        self.action_span(-1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Show a longer span."""
        event.stop()
        self.action_span(1)


def span_words(seconds: int) -> str:
    """A span in its largest whole unit: `30 s`, `15 min`, `2 h`."""
    for unit, word in ((86_400, "day"), (3600, "h"), (60, "min")):
        if seconds % unit == 0:
            return f"{seconds // unit} {word}"
    return f"{seconds} s"


def _fingerprint(part: ChartPart) -> tuple[object, ...]:
    # What the plot depends on, lines to a 64th of a tick.
    with np.errstate(invalid="ignore"):
        lines = np.rint(np.stack((part.vwap, part.sigma)) * 64)
    return (part.close.tobytes(), part.high.tobytes(), part.low.tobytes(), part.gap.tobytes(), lines.tobytes())


def _range(part: ChartPart) -> tuple[float | None, float | None]:
    # The plot's lowest and highest price in ticks: the prices, and the VWAP where it is near them.
    seen = np.concatenate((part.low, part.high, part.close))
    seen = seen[np.isfinite(seen)]
    lines = part.vwap[np.isfinite(part.vwap)]
    if not len(seen):
        seen = lines
    if not len(seen):
        return None, None
    low, high = float(seen.min()), float(seen.max())
    room = max(4.0, high - low)
    # A band far away would flatten the price: at most as much room again is given to either side.
    sigma = np.nan_to_num(part.sigma[np.isfinite(part.vwap)]) if len(lines) else lines
    for line in (lines, lines + sigma, lines - sigma, lines + 2 * sigma, lines - 2 * sigma):
        if len(line):
            if line.min() >= low - room / 2:
                low = min(low, float(line.min()))
            if line.max() <= high + room / 2:
                high = max(high, float(line.max()))
    pad = max(1.0, (high - low) * 0.04)
    return low - pad, high + pad


def _axis(low: float, high: float, height: int) -> dict[int, int]:
    # The labelled rows and their ticks, at round steps, at least two rows apart.
    span = high - low
    wanted = max(1, height // 3)
    step = 1
    for power in range(16):
        for base in (1, 2, 5):
            step = base * 10**power
            if span / step <= wanted:
                break
        else:
            continue
        break
    rows: dict[int, int] = {}
    for tick in range(math.ceil(low / step) * step, math.floor(high) + 1, step):
        rows.setdefault(int(_rows_of(np.array([float(tick)]), low, high, height)[0]), tick)
    return rows


def _rows_of(values: Floats, low: float, high: float, height: int) -> Ints:
    # The cell row of each price in ticks, -1 where it is unknown or outside.
    with np.errstate(invalid="ignore"):
        inside = (values >= low) & (values <= high)
    rows = np.full(len(values), -1, np.int64)
    rows[inside] = np.minimum(height - 1, ((high - values[inside]) / (high - low) * height).astype(np.int64))
    return rows


def _draw(
    part: ChartPart, low: float, high: float, plot: int, height: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    codes = np.full((height, plot), ord(" "), np.uint32)
    inks = np.zeros((height, plot), np.uint8)
    columns = len(part.close)
    if not columns:
        return codes, inks
    cell = np.minimum(np.arange(columns) * plot // columns, plot - 1)
    for index, (factor, glyph, _, _) in enumerate(LINES):
        for sign in (1, -1) if factor else (1,):
            rows = _rows_of(part.vwap + sign * factor * part.sigma if factor else part.vwap, low, high, height)
            on = rows >= 0
            codes[rows[on], cell[on]] = ord(glyph)
            inks[rows[on], cell[on]] = 1 + index
    broken = np.unique(cell[part.gap])
    codes[:, broken], inks[:, broken] = ord("╎"), _RULE
    dots = _price_dots(part, low, high, plot, height)
    shown = dots > 0
    codes[shown] = BRAILLE_BASE + dots[shown]
    inks[shown] = _PRICE
    return codes, inks


def _price_dots(part: ChartPart, low: float, high: float, plot: int, height: int) -> NDArray[np.uint32]:
    # Braille bits a cell: from each column's low to its high, joined to the column before unless broken.
    rows, columns = 4 * height, len(part.close)
    known = ~part.gap & np.isfinite(part.close)
    joined = known & np.roll(known, 1)
    joined[0] = False
    lines = np.stack((part.close, part.high, part.low, np.where(joined, np.roll(part.close, 1), np.nan)))
    lines = np.where(np.isfinite(lines), lines, part.close)[:, known]
    dots = np.clip(np.rint((high - lines) * ((rows - 1) / (high - low))), 0, rows - 1).astype(np.int64)
    at = np.minimum(np.arange(columns) * 2 * plot // columns, 2 * plot - 1)[known]
    first, last = np.full(2 * plot, rows, np.int64), np.full(2 * plot, -1, np.int64)
    np.minimum.at(first, at, dots.min(axis=0))
    np.maximum.at(last, at, dots.max(axis=0))
    y = np.arange(rows)[:, None]
    on = (y >= first) & (y <= last)
    bits: NDArray[np.uint32] = np.einsum("hrwc,rc->hw", on.reshape(height, 4, plot, 2).astype(np.uint32), _DOTS)
    return bits


def _names(part: ChartPart, low: float, high: float, height: int) -> dict[int, tuple[str, str]]:
    names: dict[int, tuple[str, str]] = {}
    known = np.flatnonzero(np.isfinite(part.vwap) & np.isfinite(part.sigma))
    if not len(known):
        return names
    vwap, sigma = part.vwap[known[-1] :][:1], part.sigma[known[-1] :][:1]
    for factor, _, style, name in LINES:
        for sign, mark in ((1, "+"), (-1, "−")) if factor else ((1, ""),):
            row = int(_rows_of(vwap + sign * factor * sigma, low, high, height)[0])
            if row >= 0:
                names[row] = (mark + name, style)
    return names

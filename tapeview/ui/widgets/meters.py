"""Pressure and pace: book and trade imbalance as bars from the middle, pace with its word, cumulative delta."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar, Final

from tapeview import format as text
from tapeview.format import EIGHTHS_RIGHT, Scale
from tapeview.snapshot import SOUND, MetersPart, Snapshot
from tapeview.ui.widgets._link import partial_words
from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel

HORIZONS: Final = ("5 s", "15 s", "60 s")
SHOWN: Final = {3: (0, 1, 3), 4: (0, 1, 2, 3), 5: (0, 1, 4, 2, 3), 6: (0, 1, 4, 5, 2, 3)}
"""Which meters a panel of this height shows, and in which order."""
NAME_WIDTH: Final = 11
NARROW: Final = 34
"""Below this width names are short, so that the bars keep some room."""
BARS: Final = {"buy": "bid-bar", "sell": "ask-bar"}
"""A bar is quieter than the number beside it."""
SHORT_NAMES: Final = {
    "trades 5 s": "5 s",
    "trades 15 s": "15 s",
    "trades 60 s": "60 s",
    "pace 15 s": "pace",
    "session": "all",
}


class Meters(Panel):
    """The meters, one a line; all on one line where the panel is one or two rows high."""

    PERIOD_NS: ClassVar[int] = 100_000_000
    """Numbers that change more often cannot be read."""

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Draw as many meters as fit, the most telling first."""
        part = snapshot.meters
        if part is None:
            return []
        sound, partial = snapshot.status.state in SOUND, partial_words(snapshot.status)
        if height < 3:
            return [_one_line(snapshot.scale, part, width, sound=sound, partial=partial)]
        rows: list[Row] = [
            _bar_row(f"book top {part.levels}", part.imbalance, width, quiet=not sound),
            _bar_row("trades 5 s", part.trades[0], width),
            _pace_row(part, width),
            _delta_row(snapshot.scale, part, width, quiet=bool(partial)),
            _bar_row("trades 15 s", part.trades[1], width),
            _bar_row("trades 60 s", part.trades[2], width),
        ]
        chosen = [rows[index] for index in SHOWN.get(height, SHOWN[6])]
        if height >= 8:
            heading: Row = ((" pressure", self.heading_style),)
            if partial and 9 + 2 + len(partial) <= width:
                heading = (*heading, (f"  {partial}", "alert-warn"))
            chosen = [heading, *chosen]
        if height >= 9:
            chosen.append(_totals_row(snapshot.scale, part, width))
        return chosen


def _head(name: str, width: int) -> str:
    if width < NARROW:
        return f" {SHORT_NAMES.get(name, name.split(maxsplit=1)[0]).ljust(5)} "
    return f" {name.ljust(NAME_WIDTH)} "


def _sign(value: float | None) -> tuple[str, str]:
    if value is None or math.isnan(value):
        return " ", "dim"
    shown = round(value, 2)
    return ("▲", "buy") if shown > 0 else ("▼", "sell") if shown < 0 else ("•", "text")


def _bar_row(name: str, value: float | None, width: int, *, quiet: bool = False) -> Row:
    glyph, style = _sign(value)
    style = "dim" if quiet else style
    head: list[Run] = [(_head(name, width), "dim"), (f"{glyph} {text.ratio(value)} ", style)]
    room = width - sum(len(run[0]) for run in head) - 1
    if room >= 5:
        head += [("▕", "rule"), *centred_bar(value, room - 2, BARS.get(style, "dim")), ("▏", "rule")]
    return tuple(head)


@lru_cache(maxsize=4096)
def _centred(eighths: int, half: int, style: str) -> Row:
    full, part = divmod(abs(eighths), 8)
    if eighths >= 0:
        bar = ("█" * full + (EIGHTHS_RIGHT[part] if part and full < half else "")).ljust(half)
        return ((" " * half, "dim"), ("│", "dim"), (bar, style))
    runs: list[Run] = [(" " * (half - full - (1 if part else 0)), "dim")]
    if part:
        # Only left-filled eighths exist: the cell's empty part is drawn over the bar's colour.
        runs.append((EIGHTHS_RIGHT[8 - part], f"background@{style}"))
    return (*runs, ("█" * full, style), ("│", "dim"), (" " * half, "dim"))


def centred_bar(value: float | None, width: int, style: str) -> Row:
    """Draw a number in [-1, 1] as a bar from the middle of `width` cells."""
    half = (width - 1) // 2
    if half < 1:
        return ()
    bounded = 0.0 if value is None or math.isnan(value) else max(-1.0, min(1.0, value))
    row = _centred(round(bounded * half * 8), half, style)
    return row if width % 2 else (*row, (" ", "dim"))


def _pace(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.1f}x" if value < 99.95 else f"{value:.0f}x"


def _pace_row(part: MetersPart, width: int) -> Row:
    loud = {"surge": "alert-warn bold", "elevated": "text bold"}.get(part.pace_word, "text")
    shown = _pace(part.pace[1]).rjust(7 if width >= NARROW else 4)
    runs: list[Run] = [(_head("pace 15 s", width), "dim"), (f"{shown} {part.pace_word}", loud)]
    rest = f"   5 s {_pace(part.pace[0])}  60 s {_pace(part.pace[2])}"
    if sum(len(run[0]) for run in runs) + len(rest) <= width:
        runs.append((rest, "dim"))
    return tuple(runs)


def _delta_row(scale: Scale, part: MetersPart, width: int, *, quiet: bool = False) -> Row:
    glyph, style = _sign(float(part.delta))
    style = "dim" if quiet else style
    shown = text.signed(text.spaced(text.exact_size(scale, part.delta)))
    head = _head("CVD", width)
    if len(head) + 2 + len(shown) > width:
        shown = text.signed(text.size(scale, part.delta))
    runs: list[Run] = [(head, "dim"), (f"{glyph} {shown}", style)]
    room = width - sum(len(run[0]) for run in runs) - 3
    if room >= 5 and len(part.cvd) > 1:
        runs.append(("  " + text.sparkline(list(part.cvd), min(room, len(part.cvd))), "dim"))
    return tuple(runs)


def _totals_row(scale: Scale, part: MetersPart, width: int) -> Row:
    size = text.size
    volume, buy, sell = (size(scale, lots) for lots in (part.volume, part.buy, part.sell))
    words = f"{_head('session', width)}  vol {volume}  ▲ {buy}  ▼ {sell}"
    if part.high is not None and part.low is not None:
        extremes = f"  H {text.ladder_price(scale, part.high)}  L {text.ladder_price(scale, part.low)}"
        words += extremes if len(words) + len(extremes) <= width else ""
    return ((words[:width], "dim"),)


def _one_line(scale: Scale, part: MetersPart, width: int, *, sound: bool, partial: str) -> Row:
    groups: list[list[Run]] = []
    for name, value in (("book", part.imbalance), ("trades 5s", part.trades[0])):
        glyph, style = _sign(value)
        style = "dim" if name == "book" and not sound else style
        groups.append([(name + " ", "dim"), (f"{glyph} {text.ratio(value)}" if glyph.strip() else "–", style)])
    loud = "alert-warn bold" if part.pace_word == "surge" else "text"
    groups.append([("pace ", "dim"), (f"{_pace(part.pace[1])} {part.pace_word}".rstrip(), loud)])
    glyph, style = _sign(float(part.delta))
    delta: list[Run] = [
        ("CVD ", "dim"),
        (f"{glyph} {text.signed(text.size(scale, part.delta))}", "dim" if partial else style),
    ]
    groups.append([*delta, (f" {partial}", "alert-warn")] if partial else delta)
    for name, value in (("15s", part.trades[1]), ("60s", part.trades[2])):
        glyph, style = _sign(value)
        groups.append([(name + " ", "dim"), (f"{glyph} {text.ratio(value)}" if glyph.strip() else "–", style)])
    runs: list[Run] = [(" ", "dim")]
    used = 1
    for index, group in enumerate(groups):
        length = sum(len(run[0]) for run in group) + (3 if index else 0)
        if used + length > width:
            break
        runs += [*([("   ", "dim")] if index else []), *group]
        used += length
    return tuple(runs)

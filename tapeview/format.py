"""Prices, sizes, times and bars as text of known width; the only place where numbers become words."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from feeds.instruments import Grid, Instrument

EIGHTHS_RIGHT: Final = " ▏▎▍▌▋▊▉█"
"""A cell filled from the left by 0 to 8 eighths."""
LEVELS: Final = " ▁▂▃▄▅▆▇█"
"""A cell filled from below by 0 to 8 eighths."""
BRAILLE_BASE: Final = 0x2800
_UNSURE: Final = (
    ("\u1100", "\u11ff"), ("\ud7b0", "\ud7ff"), ("\uffa0", "\uffa0"),  # parts of Hangul syllables join
    ("\u2630", "\u2637"), ("\u268a", "\u268f"), ("\u4dc0", "\u4dff"), ("\U0001d300", "\U0001d37f"),  # wide since 16
)  # fmt: skip
"""Ranges on whose width versions of Unicode disagree."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How an instrument's ticks and lots read as text."""

    name: str
    price: Grid
    size: Grid
    multiplier: str = "1"
    currency: str = ""

    def __hash__(self) -> int:
        # Every cached text is keyed by the scale: hashing all its fields would cost more than looking it up.
        return hash(self.name)

    @classmethod
    def of(cls, instrument: Instrument) -> Scale:
        """The scale of an instrument."""
        return cls(instrument.name, instrument.price, instrument.size, instrument.multiplier, instrument.currency)


@lru_cache(maxsize=8192)
def price(scale: Scale, tick: int) -> str:
    """A price in ticks as the venue writes it: `27985.10`."""
    return scale.price.text(tick)


def spaced(text: str) -> str:
    """Thousands apart by a thin gap for reading: `27985.10` -> `27 985.10`."""
    sign = text[:1] if text[:1] in "+-" else ""
    whole, dot, part = text[len(sign) :].partition(".")
    groups = []
    while len(whole) > 3:
        groups.append(whole[-3:])
        whole = whole[:-3]
    return sign + " ".join([whole, *reversed(groups)]) + dot + part


@lru_cache(maxsize=8192)
def ladder_price(scale: Scale, tick: int) -> str:
    """A price as the ladder shows it, thousands apart."""
    return spaced(scale.price.text(tick))


@lru_cache(maxsize=16384)
def size(scale: Scale, lots: int) -> str:
    """A size with at most 4 significant digits in at most 5 cells: `18`, `3.204`, `12.3k`, `4.10M`.

    A minus takes a cell more. Exact sizes are in `exact_size`.
    """
    if lots < 0:
        return "-" + size(scale, -lots)
    if lots == 0:
        return "0"
    value = scale.size.value(lots)
    if value < 9999.5:
        whole = len(str(int(value)))
        decimals = min(4 - whole, scale.size.decimals)
        text = f"{value:.{decimals}f}"
        if text.strip("0.") == "":
            return "<" + f"{10**-decimals:.{decimals}f}"[1:] if decimals else "<1"
        return text[:5].rstrip(".")
    for suffix in "kMGTPE":
        value /= 1e3
        if value < 9.995:
            return f"{value:.2f}{suffix}"
        if value < 99.95:
            return f"{value:.1f}{suffix}"
        if value < 999.5:
            return f"{value:.0f}{suffix}"
    return ">999E"


def exact_size(scale: Scale, lots: int) -> str:
    """A size as the venue counts it, without the zeros behind."""
    text = scale.size.text(lots)
    return text.rstrip("0").rstrip(".") if "." in text else text


def signed(text: str) -> str:
    """Put a plus before a positive number, a real minus before a negative one."""
    if text.startswith("-"):
        return "−" + text[1:]
    return text if text.strip("0.") == "" else "+" + text


def ratio(value: float | None, *, none: str = "  –  ") -> str:
    """A number in [-1, 1] as `+0.42`, five cells."""
    if value is None or math.isnan(value):
        return none
    shown = f"{abs(value):.2f}"
    return f"{' ' if shown == '0.00' else '−' if value < 0 else '+'}{shown}"


def duration(ns: int | None) -> str:
    """An age in at most 5 cells: `12ms`, `3.4s`, `2m05`, `4h12`, `9d04`, `–` for an unknown."""
    if ns is None:
        return "–"
    if ns < 0:
        return "−" + duration(-ns)
    ms = ns // 1_000_000
    if ms < 1000:
        return f"{ms}ms"
    if ms < 100_000:
        return f"{ms / 1000:.1f}s"
    seconds = ms // 1000
    if seconds < 6000:
        return f"{seconds // 60}m{seconds % 60:02d}"
    hours = seconds // 3600
    if hours < 100:
        return f"{hours}h{seconds // 60 % 60:02d}"
    days = hours // 24
    return f"{days}d{hours % 24:02d}" if days < 100 else f"{days}d"


def clock(ns: int | None, *, millis: bool = True, date: bool = False, offset_s: int = 0) -> str:
    """A time of day, `offset_s` ahead of UTC: `09:45:12.250`."""
    if ns is None:
        return "--:--:--" + (".---" if millis else "")
    ns += offset_s * 1_000_000_000
    moment = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    text = moment.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")
    return text + (f".{ns // 1_000_000 % 1000:03d}" if millis else "")


def rate(per_second: float) -> str:
    """Events a second in few cells: `840`, `2.1k`, `31M`."""
    for limit, divisor, suffix in ((1e3, 1.0, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M")):
        if per_second < limit:
            scaled = per_second / divisor
            return f"{scaled:.0f}{suffix}" if scaled >= 10 or suffix == "" else f"{scaled:.1f}{suffix}"
    return f"{per_second / 1e9:.0f}G"


def bar(fraction: float, width: int, *, from_right: bool = False) -> str:
    """A bar of eighths over `width` cells; a fraction above 1 ends in an arrow."""
    clipped = fraction > 1
    eighths = max(0, min(width * 8, round(fraction * width * 8))) if not math.isnan(fraction) else 0
    full, part = divmod(eighths, 8)
    if not from_right:
        text = "█" * full + (EIGHTHS_RIGHT[part] if part else "")
        text = text.ljust(width)
        return text[:-1] + "▸" if clipped and width else text
    # Only the left half block exists mirrored, so a right-hand bar is drawn in halves.
    text = ("▐" if part >= 4 else "") + "█" * full
    text = text.rjust(width)
    return "◂" + text[1:] if clipped and width else text


def sparkline(values: list[float], width: int) -> str:
    """The newest `width` values as cells of eighths between their least and greatest."""
    shown = [v for v in values[-width:] if not math.isnan(v)]
    if not shown:
        return " " * width
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    cells = [LEVELS[1 + int((v - low) / span * 7)] if not math.isnan(v) else " " for v in values[-width:]]
    return "".join(cells).rjust(width)


def clean(text: str) -> str:
    """Make a venue's string safe and of sure width: what is no plain one-cell character becomes `�`.

    That is control, formatting, combining, wide and right-to-left characters, and those no terminal agrees on.
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_clean_character, text))


@lru_cache(maxsize=1024)
def _clean_character(character: str) -> str:
    plain = (
        character.isprintable()
        and unicodedata.category(character)[0] != "M"
        and unicodedata.east_asian_width(character) not in "WF"
        and unicodedata.bidirectional(character) not in {"R", "AL", "AN"}
        and character < "\U0001f000"  # pictures, and planes of which fonts and widths differ
        and not any(first <= character <= last for first, last in _UNSURE)
    )
    return character if plain else "�"

"""Whole columns of prices and sizes counted in ticks and lots, exactly, and how consecutive books differ."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import EVENT, NONE, Events
from feeds.instruments import Grid

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

LIMIT: Final = 2**62
_EXACT_FLOAT: Final = 2.0**53
_EXACT_POWER: Final = 22


def blank(n: int) -> Events:
    """Make `n` zeroed rows whose times and ids are unknown."""
    rows = np.zeros(n, dtype=EVENT)
    rows["exch_ns"] = NONE
    rows["ref"] = NONE
    return rows


def count_scaled(grid: Grid, values: Ints, decimals: int, place: str) -> tuple[Ints, Bools]:
    """Count integers in units of 10**-decimals; give (counts, off): fine units where off the grid.

    Raises BadInput at `place` for a value that neither increments nor fine units can hold.
    """
    up, down = max(0, grid.decimals - decimals), max(0, decimals - grid.decimals)
    step = grid.mantissa * 10**down
    if up:
        _refuse_beyond(values, LIMIT // 10**up, decimals, place)
        values = values * 10**up
    if step >= LIMIT:
        counts = np.zeros_like(values)
        off = values != 0
    else:
        counts, rest = np.divmod(values, np.int64(step))
        off = rest != 0
        _refuse_beyond(counts, LIMIT, decimals, place)
    if off.any():
        odd = values[off]
        shift = grid.fine_decimals - max(decimals, grid.decimals)
        if shift >= 0:
            _refuse_beyond(odd, LIMIT // 10**shift, decimals, place)
            counts[off] = odd * 10**shift
        else:
            fine, rest = np.divmod(odd, np.int64(10**-shift))
            if rest.any():
                found = odd[np.flatnonzero(rest)[0]]
                raise BadInput(place, f"{found}e-{decimals}", f"at most {grid.fine_decimals} decimals")
            counts[off] = fine
    return counts, off


def _refuse_beyond(values: Ints, limit: int, decimals: int, place: str) -> None:
    beyond = np.flatnonzero((values >= limit) | (values <= -limit))
    if len(beyond):
        raise BadInput(place, f"{values[beyond[0]]}e-{decimals}", "a value that fits 62 bits in fine units")


def count_floats(grid: Grid, values: Floats, place: str) -> tuple[Ints, Bools]:
    """Count floats by their shortest decimal text; give (counts, off): fine units where off the grid.

    m / 10**d is the float nearest to the decimal m * 10**-d as long as both are exact floats (m < 2**53,
    d <= 22), so a float equal to it is the one that this decimal text denotes.
    Raises BadInput at `place` for a NaN, an infinity or a value too long for fine units.
    """
    if not np.isfinite(values).all():
        raise BadInput(place, float(values[~np.isfinite(values)][0]), "finite numbers")
    off = np.zeros(len(values), dtype=bool)
    power = 10.0 ** min(grid.decimals, _EXACT_POWER)
    with np.errstate(over="ignore"):
        scaled = np.rint(values * power)
    exact = (np.abs(scaled) < _EXACT_FLOAT) & (scaled / power == values)
    exact &= grid.decimals <= _EXACT_POWER and grid.mantissa < _EXACT_FLOAT
    whole = np.where(exact, scaled, 0.0).astype(np.int64)
    counts, rest = np.divmod(whole, np.int64(min(grid.mantissa, LIMIT)))
    for at in np.flatnonzero(~exact | (rest != 0)).tolist():
        try:
            counts[at], on_grid = grid.read(repr(float(values[at])))
        except BadInput as error:
            raise BadInput(place, float(values[at]), error.expected) from None
        off[at] = not on_grid
    return counts, off


class Levels:
    """The levels of one side of many consecutive books, as flat columns in the order of their books."""

    __slots__ = ("count", "key", "lots", "marks", "of", "tick")

    def __init__(self, of: Ints, tick: Ints, lots: Ints, marks: Ints, count: Ints | None = None) -> None:
        self.of = of
        """Number of the book each level belongs to, rising."""
        self.tick = tick
        self.lots = lots
        self.marks = marks
        self.count = np.zeros_like(lots) if count is None else count
        self.key = tick * 2 + (marks >> 4 & 1)
        """Tells an on-grid tick from the same number of fine units."""


def differences(before: Levels, after: Levels) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Tell what turns each book of `before` into the book of `after` with the same number.

    Gives columns (book, tick, lots, order count, marks), lots 0 where a level is gone, by book and, within a
    book, changed levels before gone ones.
    """
    old, new = _places(before, after)
    by_old = np.argsort(old, kind="stable")
    old_sorted = old[by_old]
    at = np.minimum(np.searchsorted(old_sorted, new), max(0, len(old) - 1))
    held = old_sorted[at] == new if len(old) else np.zeros(len(new), dtype=bool)
    twin = by_old[at[held]]
    same = np.zeros(len(new), dtype=bool)
    same[held] = (
        (before.lots[twin] == after.lots[held])
        & (before.count[twin] == after.count[held])
        & (before.marks[twin] == after.marks[held])
    )
    left = np.ones(len(old), dtype=bool)
    left[twin] = False
    changed = np.flatnonzero(~same)
    gone = np.flatnonzero(left)
    book = np.concatenate([after.of[changed], before.of[gone]])
    order = np.argsort(book, kind="stable")
    zeros = np.zeros(len(gone), dtype=np.int64)
    return (
        book[order],
        np.concatenate([after.tick[changed], before.tick[gone]])[order],
        np.concatenate([after.lots[changed], zeros])[order],
        np.concatenate([after.count[changed], zeros])[order],
        np.concatenate([after.marks[changed], before.marks[gone]])[order],
    )


def _places(before: Levels, after: Levels) -> tuple[Ints, Ints]:
    """One number for book and price of each level of both, equal where both are."""
    keys = np.concatenate([before.key, after.key])
    low = int(keys.min(initial=0)) if len(keys) else 0
    width = int(keys.max(initial=0)) - low + 1
    books = int(max(before.of.max(initial=0), after.of.max(initial=0))) + 1
    if width * books < LIMIT:
        keys = keys - low
    else:
        keys = np.unique(keys, return_inverse=True)[1].astype(np.int64)
        width = len(keys) + 1
    n = len(before.key)
    return before.of * width + keys[:n], after.of * width + keys[n:]

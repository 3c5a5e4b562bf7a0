"""Tick and lot of a source that states none: as a person says, else derived from the decimals its numbers use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from feeds.errors import BadInput
from feeds.instruments import derive_increment
from feeds.source import OpenOptions


class Increments(NamedTuple):
    """What prices and sizes are counted in."""

    tick: str
    lot: str
    derived: str
    """What of it was derived, in words: 'tick 0.01 and lot 1'; empty where a person said both."""


def increments(options: OpenOptions, place: str, prices: Iterable[str], sizes: Iterable[str]) -> Increments:
    """Take what the options say and derive the rest from texts; raises BadInput with the place where one is none."""
    derived = []
    tick, lot = options.tick, options.lot
    try:
        if tick is None:
            tick = derive_increment(prices, nice=True)
            derived.append(f"tick {tick}")
        if lot is None:
            lot = derive_increment(sizes, nice=False)
            derived.append(f"lot {lot}")
    except BadInput as error:
        raise BadInput(place, error.value, error.expected) from None
    return Increments(tick, lot, " and ".join(derived))

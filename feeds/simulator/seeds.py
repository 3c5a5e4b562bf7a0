"""Which seeds are for what: thresholds are fitted on one set, chosen on another and reported on a third."""

from __future__ import annotations

from typing import Final

from feeds.errors import BadInput

SETS: Final = {"fit": range(1000), "tune": range(1000, 2000), "report": range(2000, 3000)}
"""Seeds by set; others belong to none."""


def set_of(seed: int) -> str:
    """Name the set of a seed: 'fit', 'tune', 'report', or 'free' for a seed of none."""
    return next((name for name, seeds in SETS.items() if seed in seeds), "free")


def seeds_of(name: str, count: int) -> list[int]:
    """Give the first seeds of a set; raise BadInput for a set or a count that is not there."""
    if name not in SETS:
        raise BadInput("set of seeds", name, "one of " + ", ".join(SETS))
    if not 0 <= count <= len(SETS[name]):
        raise BadInput("seeds", count, f"at most {len(SETS[name])} of a set")
    return list(SETS[name][:count])

"""Venue parsers, one file each, found by being here."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feeds.venues._access import Access


@cache
def venues() -> dict[str, type[Access]]:
    """Every venue by its name, as every module here without an underscore lists them in VENUES."""
    found: dict[str, type[Access]] = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            for venue in importlib.import_module(f"{__name__}.{module.name}").VENUES:
                found[venue.name] = venue
    return dict(sorted(found.items()))

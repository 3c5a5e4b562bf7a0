"""Frames of every venue for the tests that all of them pass, one module a family of venues, found by being here.

A module has: NAMES, the venues it is for; SYMBOL, whose frames they are; FRAMES, JSON values of every kind of frame
that is read (made up, in the venue's form); SNAPSHOT, a text found only in answers to a snapshot request, or None;
WIDE, depth messages with `%b` where levels of three texts go; and TEXTS, further frames that are no JSON value.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def frames() -> dict[str, ModuleType]:
    """Each venue's frames by its name."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        made = importlib.import_module(f"{__name__}.{module.name}")
        found |= dict.fromkeys(made.NAMES, made)
    return found

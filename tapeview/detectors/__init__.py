"""Detectors: one pattern a file. A file whose name does not begin with an underscore declares DETECTOR."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapeview.detectors._declare import Detector


@cache
def names() -> tuple[str, ...]:
    """Names of all detectors, in the order of the alphabet; imports none."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_")))


@cache
def load() -> dict[str, Detector]:
    """Every detector by name, those that read another's stories after it."""
    found = {name: importlib.import_module(f"{__name__}.{name}").DETECTOR for name in names()}
    ordered: dict[str, Detector] = {}
    while len(ordered) < len(found):
        ready = [name for name in found if name not in ordered and set(found[name].after) <= set(ordered)]
        if not ready:
            raise ValueError(f"detectors wait for each other: {', '.join(sorted(set(found) - set(ordered)))}")
        ordered |= {name: found[name] for name in ready}
    return ordered

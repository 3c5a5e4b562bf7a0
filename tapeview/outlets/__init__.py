"""Ways out for signals and alerts: each module but those with an underscore is one outlet, found by being there."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapeview.outlets._declare import Outlet


@cache
def names() -> tuple[str, ...]:
    """Names of all outlets; imports none of them."""
    return tuple(sorted(one.name for one in pkgutil.iter_modules(__path__) if not one.name.startswith("_")))


def load(name: str) -> type[Outlet]:
    """One outlet by its name."""
    outlet: type[Outlet] = importlib.import_module(f"{__name__}.{name}").OUTLET
    return outlet


def outlets() -> dict[str, type[Outlet]]:
    """All outlets by name."""
    return {name: load(name) for name in names()}

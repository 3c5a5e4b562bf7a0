"""Ways out for signals and alerts: each module but those with an underscore is one outlet, found by being there."""

from __future__ import annotations

import importlib
import pkgutil

from tapeview.outlets._declare import Outlet


def outlets() -> dict[str, type[Outlet]]:
    """All outlets by name."""
    names = (one.name for one in pkgutil.iter_modules(__path__) if not one.name.startswith("_"))
    found = {}
    for name in sorted(names):
        module = importlib.import_module(f"{__name__}.{name}")
        found[name] = module.OUTLET
    return found

"""Turn bytes into normalised market events, and nothing else.

The public names are loaded when they are first asked for, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feeds.errors import BadInput
    from feeds.events import EVENT
    from feeds.instruments import Instrument
    from feeds.source import Source, open_source

__all__ = ["EVENT", "BadInput", "Instrument", "Source", "open_source"]

_HOMES = {
    "BadInput": "feeds.errors",
    "EVENT": "feeds.events",
    "Instrument": "feeds.instruments",
    "Source": "feeds.source",
    "open_source": "feeds.source",
}


def __getattr__(name: str) -> Any:
    """Load a public name from the module it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

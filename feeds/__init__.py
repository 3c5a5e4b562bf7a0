"""Turn bytes into normalised market events, and nothing else."""

from __future__ import annotations

from feeds.errors import BadInput
from feeds.events import EVENT
from feeds.instruments import Instrument
from feeds.source import Source, open_source

__all__ = ["EVENT", "BadInput", "Instrument", "Source", "open_source"]

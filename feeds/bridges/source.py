"""A bridge as a source: its rows from now on, for a session, a screen or a command."""

from __future__ import annotations

import asyncio

from feeds.bridges._bridge import Bridge
from feeds.ongoing import Ongoing
from feeds.source import SourceInfo


class BridgeSource(Ongoing):
    """Some instruments of one bridge."""

    def __init__(self, bridge: Bridge, *, seconds: float | None = None) -> None:
        """Find the instruments; `seconds` ends the stream after so long.

        Raises BadInput for symbols that are none, OSError where nothing answers.
        """
        super().__init__(seconds=seconds)
        asyncio.run(bridge.prepare())
        self._bridge = bridge
        self.instruments = bridge.instruments
        self.checks = bridge.checks
        self.times = bridge.times
        self.symbols = tuple(bridge.symbols)
        self.info = SourceInfo(
            address=" ".join(f"live:{bridge.name}:{symbol}" for symbol in bridge.symbols), format="live",
            venue=bridge.name, tier=bridge.tier, verification=bridge.verification, bytes=0,
        )  # fmt: skip

    @property
    def client(self) -> Bridge:
        """The bridge."""
        return self._bridge

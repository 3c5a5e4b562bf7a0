"""Binance spot, and Binance.US, which speaks the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from feeds.sequencer import Rule, spot
from feeds.venues._access import Socket, Terms
from feeds.venues._binance import Binance

_TERMS: Final = Terms(silence_s=60, ping_s=20, max_age_s=86_400, send_gap_ms=300)


class BinanceSpot(Binance):
    """Binance spot: updates chain by `U` = previous `u` + 1; times of depth are the event's, quotes have none."""

    name: ClassVar[str] = "binance"
    captures: ClassVar[tuple[str, ...]] = ("BINANCE",)
    rule: Rule = staticmethod(spot)
    terms: ClassVar[Terms] = _TERMS
    stream: ClassVar[str] = "wss://stream.binance.com:9443"
    rest: ClassVar[str] = "https://api.binance.com"
    snapshot_path: ClassVar[str] = "/api/v3/depth?symbol={symbol}&limit=5000"
    listing_path: ClassVar[str] = "/api/v3/exchangeInfo"

    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to; streams are named in the address, nothing is sent."""
        names = [f"{symbol.lower()}@{what}" for symbol in symbols for what in ("depth@100ms", "trade", "bookTicker")]
        return (Socket(f"{cls.stream}/stream?streams={'/'.join(names)}"),)


class BinanceUS(BinanceSpot):
    """Binance.US."""

    name: ClassVar[str] = "binance-us"
    captures: ClassVar[tuple[str, ...]] = ("BINANCE_US",)
    stream: ClassVar[str] = "wss://stream.binance.us:9443"
    rest: ClassVar[str] = "https://api.binance.us"


VENUES: Final = (BinanceSpot, BinanceUS)

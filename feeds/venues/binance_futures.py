"""Binance USD-M and COIN-M futures: updates chain by `pu`, depth and quotes carry the matching engine's time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

from feeds.sequencer import Rule, futures
from feeds.venues._access import Socket, Terms
from feeds.venues._binance import Binance

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

_TERMS: Final = Terms(silence_s=60, ping_s=20, max_age_s=86_400, send_gap_ms=150)


class BinanceFutures(Binance):
    """USD-M futures. Depth and quotes come over one route, trades, mark price and liquidations over another."""

    name: ClassVar[str] = "binance-futures"
    captures: ClassVar[tuple[str, ...]] = ("BINANCE_FUTURES",)
    rule: Rule = staticmethod(futures)
    matching_time: ClassVar[bool] = True
    terms: ClassVar[Terms] = _TERMS
    rest: ClassVar[str] = "https://fapi.binance.com"
    snapshot_path: ClassVar[str] = "/fapi/v1/depth?symbol={symbol}&limit=1000"
    listing_path: ClassVar[str] = "/fapi/v1/exchangeInfo"
    routes: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = (
        ("wss://fstream.binance.com/public", ("depth@100ms", "bookTicker")),
        ("wss://fstream.binance.com/market", ("aggTrade", "markPrice@1s", "forceOrder")),
    )

    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to; streams are named in the address, nothing is sent."""
        chosen = [symbol.lower() for symbol in symbols]
        return tuple(
            Socket(f"{url}/stream?streams={'/'.join(f'{symbol}@{what}' for symbol in chosen for what in whats)}")
            for url, whats in cls.routes
        )

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_binance import BinanceFuturesVoice

        return BinanceFuturesVoice


class BinanceDelivery(BinanceFutures):
    """COIN-M futures: sizes are contracts of a fixed amount of dollars."""

    name: ClassVar[str] = "binance-delivery"
    captures: ClassVar[tuple[str, ...]] = ("BINANCE_DELIVERY",)
    inverse: ClassVar[bool] = True
    rest: ClassVar[str] = "https://dapi.binance.com"
    snapshot_path: ClassVar[str] = "/dapi/v1/depth?symbol={symbol}&limit=1000"
    listing_path: ClassVar[str] = "/dapi/v1/exchangeInfo"
    routes: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = (
        ("wss://dstream.binance.com", ("depth@100ms", "bookTicker", "aggTrade", "markPrice@1s", "forceOrder")),
    )


VENUES: Final = (BinanceFutures, BinanceDelivery)

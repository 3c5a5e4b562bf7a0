"""What Hyperliquid answers: whole books at once, the newest prints again, and an end for an unknown coin."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from feeds.venues._voice import Answering, Talk, exact, written

_CHANNEL: Final = re.compile(rb'"channel"\s*:\s*"(l2Book|bbo|trades|activeAssetCtx)"')
_COIN: Final = re.compile(rb'"coin"\s*:\s*"([^"]{1,40})"')
_BROKEN_OFF: Final = 1006


class HyperliquidVoice(Answering):
    """Hyperliquid's public channels."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books = {}
        self._newest: dict[str, bytes] = {}

    def topic(self, raw: bytes) -> str | None:
        """Channel and coin."""
        channel, coin = _CHANNEL.search(raw), _COIN.search(raw)
        return f"{channel[1].decode()} {coin[1].decode()}" if channel and coin else None

    def keep(self, raw: bytes) -> None:
        """Every frame is whole: the newest of each kind is what a newcomer is told."""
        topic = self.topic(raw)
        if topic is not None:
            self._newest[topic] = raw

    def forget(self) -> None:
        """Nothing is known."""
        self._newest.clear()

    # -- a client -----------------------------------------------------------------------------
    def hear(self, talk: Talk, said: str) -> list[str]:
        """Subscriptions; pings. An unknown coin ends the connection without a word."""
        asked = exact(said)
        method = asked.get("method")
        if method == "ping":
            return ['{"channel":"pong"}']
        wanted = asked.get("subscription") or {}
        if method not in ("subscribe", "unsubscribe"):
            return [
                written({"channel": "error", "data": f"Error parsing JSON into valid websocket request: {said[:100]}"})
            ]
        if wanted.get("coin") not in self.instruments:
            talk.end = _BROKEN_OFF
            return []
        topic = f"{wanted.get('type')} {wanted['coin']}"
        answers = [written({"channel": "subscriptionResponse", "data": {"method": method, "subscription": wanted}})]
        if method == "unsubscribe":
            talk.topics.pop(topic, None)
        elif topic not in talk.topics:
            talk.topics[topic] = None
            if topic in self._newest:
                answers.append(self._newest[topic].decode())
        return answers

    def listing(self, path: str) -> bytes:
        """The coins, with prices that have the ticks the instruments have."""
        del path
        universe, contexts = [], []
        for one in self.instruments.values():
            universe.append({"name": one.symbol, "szDecimals": len(one.lot.partition(".")[2])})
            contexts.append({"markPx": f"{Decimal(one.tick) * 10_000:f}"})
        return written([{"universe": universe}, contexts]).encode()

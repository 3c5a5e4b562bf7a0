"""Lists of instruments: how they are asked for, and how symbols are found in them."""

from __future__ import annotations

from typing import Any

import pytest

from feeds.errors import BadInput
from feeds.listing import by_venue, listed, parse, sockets
from feeds.rest import Answer
from feeds.venues.alpaca import AlpacaCrypto
from feeds.venues.bitfinex import BitfinexLevels
from feeds.venues.bitmex import Bitmex
from feeds.venues.hyperliquid import Hyperliquid


class Asked:
    """Answers everything alike and keeps what was asked."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def get(self, url: str, **more: Any) -> Answer:
        self.calls.append((url, more))
        return Answer(200, self.body)


async def test_a_list_is_got_and_symbols_are_found_in_any_case() -> None:
    asked = Asked(b'[{"symbol":"XBTUSD","tickSize":0.5,"lotSize":100}]')
    found = await listed(Bitmex, ["xbtusd"], asked.get)
    assert {name: (inst, one.tick) for name, (inst, one) in found.items()} == {"XBTUSD": (0, "0.5")}
    assert asked.calls == [("https://www.bitmex.com/api/v1/instrument/active", {})]


async def test_a_venue_that_wants_a_body_is_asked_by_post() -> None:
    asked = Asked(b'[{"universe":[{"name":"BTC","szDecimals":5}]},[{"markPx":"84143.0"}]]')
    found = await listed(Hyperliquid, ["BTC"], asked.get, "http://127.0.0.1:9")
    assert found["BTC"][1].tick == "1"
    assert asked.calls == [("http://127.0.0.1:9/info", {"body": '{"type":"metaAndAssetCtxs"}'})]


async def test_a_venue_that_wants_a_key_is_asked_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(b'[{"symbol":"BTC/USD","price_increment":"0.01","min_trade_increment":"0.0001"}]')
    with pytest.raises(BadInput, match="key of alpaca-crypto"):
        await listed(AlpacaCrypto, ["BTC/USD"], asked.get)
    monkeypatch.setenv("APCA_API_KEY_ID", "AK1")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "hush")
    await listed(AlpacaCrypto, ["BTC/USD"], asked.get)
    assert [more for _, more in asked.calls] == [{"headers": {"APCA-API-KEY-ID": "AK1", "APCA-API-SECRET-KEY": "hush"}}]


async def test_a_symbol_that_is_not_listed_is_refused_with_those_like_it() -> None:
    asked = Asked(b'[{"symbol":"XBTUSD","tickSize":0.5,"lotSize":100}]')
    with pytest.raises(BadInput, match="such as XBTUSD"):
        await listed(Bitmex, ["XBTUSDT"], asked.get)


def test_sockets_keep_their_symbols_at_another_host() -> None:
    names = [f"tC{n}USD" for n in range(9)]
    moved = sockets(BitfinexLevels, names, "ws://127.0.0.1:9")
    assert [one.symbols for one in moved] == [tuple(names[:8]), tuple(names[8:])]
    assert {one.url for one in moved} == {"ws://127.0.0.1:9/ws/2"}


def test_addresses_name_the_venue_that_was_probably_meant() -> None:
    with pytest.raises(BadInput, match="'bitstamp'"):
        parse("bitstmp:btcusd")
    assert [venue.name for venue in by_venue(["live:dydx:BTC-USD", "bitmex:XBTUSD"])] == ["dydx", "bitmex"]

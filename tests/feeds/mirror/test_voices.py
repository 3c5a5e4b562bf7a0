"""What each venue's voice answers: a late client joins, lists are read back by the parser, the unknown is refused."""

from __future__ import annotations

import importlib
import json

import msgspec
import numpy as np
import pytest

from feeds.events import ADD, ASK, BID, BOOK, CANCEL, CLEAR, FILL, GAP, MODIFY, Events
from feeds.instruments import Instrument
from feeds.mirror.reel import FRAME, SNAPSHOT, Listed, Shot
from feeds.source import Checks
from feeds.venues import venues
from feeds.venues._voice import Talk, Voice
from tests.kit.mirrored import mirrored, visiting
from tests.kit.spoken import MARKETS, START_NS, STEP_NS, Book

RENUMBERED = ("bitfinex", "bitfinex-r0", "coinbase", "deribit", "dydx")
"""Venues whose frames are numbered or named anew for each connection."""
UNTOLD = ("bitstamp-l3",)
"""Venues that tell a newcomer nothing of what rests already."""
CHECKSUMS = ("bitfinex", "kraken", "kraken-l3")
MESSAGES = 250


@pytest.fixture(autouse=True)
def _unpaced(monkeypatch):
    """Subscriptions without the pauses that real venues want between them."""
    for venue in venues().values():
        monkeypatch.setattr(venue, "terms", msgspec.structs.replace(venue.terms, send_gap_ms=1))


def book_of(rows: Events) -> Book:
    """The levels at the end, of levels or of orders."""
    levels: Book = {BID: {}, ASK: {}}
    orders: dict[int, tuple[int, int, int]] = {}
    for kind, side, tick, lots, ref in rows[["kind", "side", "tick", "lots", "ref"]].tolist():
        if kind in (CLEAR, GAP):
            orders.clear()
            levels = {BID: {}, ASK: {}}
        elif kind == BOOK and lots:
            levels[side][tick] = lots
        elif kind == BOOK:
            levels[side].pop(tick, None)
        elif kind in (ADD, MODIFY):
            orders[ref] = (side, tick, lots)
        elif kind == CANCEL:
            orders.pop(ref, None)
        elif kind == FILL and ref in orders:
            its, at, left = orders.pop(ref)
            if left > lots:
                orders[ref] = (its, at, left - lots)
    for side, tick, lots in orders.values():
        levels[side][tick] = levels[side].get(tick, 0) + lots
    return levels


@pytest.mark.parametrize("venue", MARKETS)
async def test_early_and_late_clients_end_with_the_venues_book_under_its_own_checks(venue):
    reel, book = MARKETS[venue](11, MESSAGES)
    async with mirrored(reel, speed=2.0, settle_s=0.05) as mirror, visiting(mirror, venue) as early:
        await early.until(lambda: mirror.progress().seconds > 0.2)
        async with visiting(mirror, venue, like=early) as late:
            await early.over()
            await late.over()
            found = [(visit.client.checks, visit.rows) for visit in (early, late)]
    for checks, rows in found:
        assert (checks.gaps, checks.damaged, checks.checksums_failed) == (0, 0, 0), checks.problems
        assert (checks.checksums > 30) == (venue in CHECKSUMS)
        there = book_of(rows)
        if venue in UNTOLD and rows is found[1][1]:
            assert checks.unknown_orders > 0
            assert there != book
            assert all(lots <= book[side].get(tick, 0) for side in book for tick, lots in there[side].items())
        else:
            assert checks.unknown_orders == 0
            assert there == book
    assert found[1][0].messages < found[0][0].messages - 20, "it came late"


def golden():
    """(venue, its frames) of the golden ones."""
    names = (
        "alpaca", "binance", "bitfinex", "bitmex", "bitstamp", "bybit", "coinbase", "coinbase_exchange",
        "coinbase_full", "deribit", "dydx", "gemini", "hyperliquid", "kraken", "kraken_v1", "okx",
    )  # fmt: skip
    for name in names:
        module = importlib.import_module(f"tests.feeds.venues.frames.{name}")
        for venue in module.NAMES:
            yield venue, module


GOLDEN = dict(golden())


class Kept:
    """A recorder that keeps the frames."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def frame(self, channel, raw, **_):
        if channel.startswith("ws"):
            self.frames.append(raw)

    def record(self, kind, payload=b"", **_):
        """Ends of connections."""


@pytest.mark.parametrize("venue", GOLDEN)
async def test_golden_frames_reach_a_client_that_is_there_from_the_start(venue):
    module = GOLDEN[venue]
    symbol = module.SYMBOL.lower() if venue == "gemini" or venue.startswith("bitstamp") else module.SYMBOL
    instrument = Instrument(venue=venue, symbol=symbol, tick="0.1", lot="0.001")
    frames = [
        one if isinstance(one, bytes) else json.dumps(one, separators=(",", ":")).encode() for one in module.FRAMES
    ]
    frames = [one.replace(module.SYMBOL.encode(), symbol.encode()) for one in frames]
    shots = [Shot(START_NS + n * STEP_NS, venue, FRAME, one) for n, one in enumerate(frames)]
    if module.SNAPSHOT is not None:
        answer = module.SNAPSHOT if isinstance(module.SNAPSHOT, bytes) else json.dumps(module.SNAPSHOT).encode()
        shots.insert(0, Shot(START_NS, venue, SNAPSHOT, answer, symbol))
    reel = Listed("golden", {venue: {symbol: instrument}}, shots)
    voice = venues()[venue].voice()(venues()[venue], {symbol: instrument})
    talks = []
    for socket in venues()[venue].sockets([symbol]):
        talk = Talk(1, "/" + [*socket.url.split("/", 3), ""][3])
        for one in frames:
            voice.learn(one)
        voice.greet(talk)
        for one in socket.frames:
            voice.hear(talk, one)
        talks.append(talk)
    wanted = []
    for one in frames:
        topic = voice.topic(one)
        for talk in talks:
            told = voice.tell(talk, topic, one) if topic in talk.topics else None
            wanted += [told.encode() if isinstance(told, str) else told] if told is not None else []
    kept = Kept()
    known = {symbol: (0, instrument)}
    async with (
        mirrored(reel, settle_s=0.1) as mirror, visiting(mirror, venue, instruments=known, sink=kept) as visit,
    ):  # fmt: skip
        await visit.over(10)
    assert wanted
    if venue in RENUMBERED:
        assert len(kept.frames) >= len(wanted)
    else:
        # In their order on each socket; a venue of two routes has two.
        assert sorted(one for one in kept.frames if one in wanted) == sorted(wanted)


# -- lists --------------------------------------------------------------------------------------------
SYMBOLS = {
    "alpaca": "AAPL", "alpaca-crypto": "BTC/USD", "alpaca-delayed": "AAPL", "alpaca-sip": "AAPL",
    "bitmex": "XBTUSD", "bitstamp": "btcusd", "bitstamp-diff": "btcusd", "bitstamp-l3": "btcusd", "dydx": "BTC-USD",
    "binance": "BTCUSDT", "binance-delivery": "BTCUSD_PERP", "binance-futures": "BTCUSDT", "binance-us": "BTCUSDT",
    "bitfinex": "tBTCUSD", "bitfinex-r0": "tBTCUSD", "bybit": "BTCUSDT", "bybit-inverse": "BTCUSD",
    "bybit-linear": "BTCUSDT", "coinbase": "BTC-USD", "coinbase-exchange": "BTC-USD", "coinbase-full": "BTC-USD",
    "deribit": "BTC-PERPETUAL", "gemini": "btcusd", "gemini-v2": "BTCUSD", "hyperliquid": "BTC",
    "kraken": "BTC/USD", "kraken-l3": "BTC/USD", "kraken-v1": "XBT/USD", "okx": "BTC-USDT",
}  # fmt: skip


def spoken_for(venue: str, **more: str) -> tuple[Voice, Instrument]:
    one = Instrument(venue=venue, symbol=SYMBOLS[venue], tick="0.5", lot="0.001", currency="USD")
    if venue in ("bitfinex", "bitfinex-r0"):
        one = msgspec.structs.replace(one, tick="0.1", lot="0.00000001")
    elif venue in ("alpaca", "alpaca-delayed", "alpaca-sip"):
        one = msgspec.structs.replace(one, tick="0.01", lot="1")
    elif venue.startswith("bitstamp"):
        one = msgspec.structs.replace(one, tick="0.01")
    elif venue == "hyperliquid":
        one = msgspec.structs.replace(one, tick="0.1")
    one = msgspec.structs.replace(one, **more)
    return venues()[venue].voice()(venues()[venue], {one.symbol: one}), one


@pytest.mark.parametrize("venue", SYMBOLS)
def test_the_list_of_instruments_is_read_back_as_it_was(venue):
    voice, one = spoken_for(venue)
    for url in venues()[venue].listing_urls([one.symbol]):
        place = "/" + url.split("/", 3)[3]
        page = voice.page(place)
        assert page is not None
        found = venues()[venue].read_instruments(page)
        assert found.keys() == {one.symbol}
        assert (found[one.symbol].tick, found[one.symbol].lot) == (one.tick, one.lot)
    assert voice.page("/nothing/of/that/name") is None


@pytest.mark.parametrize("venue", [one for one in SYMBOLS if not one.startswith(("alpaca", "binance", "bitstamp"))])
def test_a_symbol_that_is_not_there_is_refused_in_the_venues_words(venue):
    voice, one = spoken_for(venue)
    kind = venues()[venue]
    parser = kind({one.symbol: (0, one)}, Checks())
    other = {"gemini": "nothingusd", "bitfinex": "tNOTHING", "bitfinex-r0": "tNOTHING"}.get(venue, "NOTHING-X")
    talk = Talk(1, "/")
    said: list[str] = list(voice.greet(talk))
    said += [answer for frame in kind.sockets([other])[0].frames for answer in voice.hear(talk, frame)]
    if venue == "hyperliquid":
        assert talk.end == 1006
        return
    from feeds.events import EventBuffer

    for answer in said:
        parser.on_frame(answer.encode(), 1, EventBuffer())
    kinds = [notice.kind for notice in parser.notices()]
    if venue == "deribit":
        assert any("knows no channel" not in text for text in ["", *parser.checks.problems])
        assert not talk.topics
    else:
        assert "error" in kinds, said
        assert "NOTHING" in " ".join(said).upper()


@pytest.mark.parametrize("venue", SYMBOLS)
def test_what_the_client_sends_is_acknowledged_and_its_pings_are_answered(venue):
    from feeds.events import EventBuffer

    voice, one = spoken_for(venue)
    kind = venues()[venue]
    parser = kind({one.symbol: (0, one)}, Checks())
    for socket in kind.sockets([one.symbol]):
        talk = Talk(1, "/" + (socket.url.split("/", 3)[3:] or [""])[0])
        answers = list(voice.greet(talk))
        answers += [answer for frame in socket.frames for answer in voice.hear(talk, frame)]
        assert talk.topics, "it is subscribed"
        for answer in answers:
            parser.on_frame(answer.encode(), 1, EventBuffer())
        kinds = [notice.kind for notice in parser.notices()]
        assert "error" not in kinds
        assert "ack" in kinds or not socket.frames or venue == "gemini-v2"
        if kind.terms.ping:
            for answer in voice.hear(talk, kind.terms.ping):
                parser.on_frame(answer.encode(), 1, EventBuffer())
            assert "pong" in [notice.kind for notice in parser.notices()]
    assert parser.checks.damaged == 0
    assert parser.checks.problems == []


def test_a_venue_without_a_voice_of_its_own_has_its_frames_passed_on_as_they_are():
    one = Instrument(venue="okx", symbol="BTC-USDT", tick="0.1")
    voice = Voice(venues()["okx"], {"BTC-USDT": one})
    talk = Talk(1, "/ws/v5/public")
    assert voice.greet(talk) == []
    assert voice.hear(talk, "anything") == []
    topic = voice.topic(b"whatever")
    assert topic in talk.topics
    assert voice.tell(talk, topic, b"whatever") == b"whatever"
    assert voice.paths() == {"/ws/v5/public"}
    assert np.array([voice.page("/x") is None, voice.snapshot("BTC-USDT", "/x") is None]).all()

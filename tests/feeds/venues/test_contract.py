"""What every venue's parser must do with frames that are wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import BOOK, CLEAR, EVENT, GAP, KIND_NAMES, LAST, STATUS, TRADE, EventBuffer
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._contract import Venue, Want
from feeds.venues.binance import BinanceSpot, BinanceUS
from feeds.venues.binance_futures import BinanceDelivery, BinanceFutures
from feeds.venues.kraken import Kraken
from feeds.venues.okx import Okx

VENUES = [BinanceSpot, BinanceUS, BinanceFutures, BinanceDelivery, Kraken, Okx]
S = "BTCUSDT"
WHEN = "1618678132.136369"
LEVELS = [["99.90", "1.000"], ["99.80", "0.000"], ["99.70", "3.125"], ["99.60", "2.000"]]


def combined(what, data):
    return {"stream": f"btcusdt@{what}", "data": {"E": 1680652700455, "T": 1680652700452, "s": S} | data}


BINANCE = [
    combined("depth@100ms", {"e": "depthUpdate", "U": 95, "u": 105, "pu": 90, "b": LEVELS, "a": [["100.10", "1.000"]]}),
    combined("depth@100ms", {"e": "depthUpdate", "U": 106, "u": 110, "pu": 105, "b": [], "a": []}),
    combined("trade", {"e": "trade", "t": 1, "p": "100.00", "q": "0.010", "X": "MARKET", "m": True}),
    combined("aggTrade", {"e": "aggTrade", "a": 1, "p": "100.00", "q": "0.010", "f": 1, "l": 2, "m": False}),
    combined("bookTicker", {"e": "bookTicker", "u": 9, "b": "99.90", "B": "1.000", "a": "100.10", "A": "2.000"}),
    combined("markPrice", {"e": "markPriceUpdate", "p": "1.5", "i": "1.4", "r": "0.0001", "P": "1"}),
    combined(
        "forceOrder",
        {"e": "forceOrder", "o": {"s": S, "S": "SELL", "q": "1", "p": "99.1", "ap": "99", "z": "1", "T": 5}},
    ),
    {"lastUpdateId": 100, "E": 5, "T": 1680652700580, "bids": LEVELS, "asks": [["100.10", "3.000"]]},
    {"result": None, "id": 1},
    {"code": 2, "msg": "Invalid"},
]
KRAKEN = [
    [1, {"as": [["100.10", "1.0", WHEN]], "bs": [["99.90", "1.0", WHEN], ["99.80", "2.0", WHEN]]}, "book-10", S],
    [1, {"a": [["100.10", "0.0", WHEN, "r"]]}, {"b": [["99.70", "1.0", WHEN]], "c": "123"}, "book-10", S],
    [2, [["100.00", "0.5", WHEN, "b", "l", ""]], "trade", S],
    {"event": "subscriptionStatus", "status": "subscribed", "pair": S, "subscription": {"name": "book", "depth": 10}},
]
OKX = [
    {
        "arg": {"channel": "books", "instId": S},
        "action": "snapshot",
        "data": [
            {
                "asks": [["100.1", "1", "0", "1"]],
                "bids": [["99.9", "2", "0", "3"]],
                "ts": "1597026383085",
                "checksum": 5,
                "seqId": 10,
                "prevSeqId": -1,
            }
        ],
    },
    {
        "arg": {"channel": "books", "instId": S},
        "action": "update",
        "data": [
            {
                "asks": [["100.1", "0", "0", "0"]],
                "bids": [],
                "ts": "1597026383086",
                "checksum": 0,
                "seqId": 15,
                "prevSeqId": 10,
            }
        ],
    },
    {
        "arg": {"channel": "trades", "instId": S},
        "data": [{"instId": S, "tradeId": "7", "px": "100.0", "sz": "1", "side": "buy", "ts": "1630048897897"}],
    },
    {"event": "subscribe", "arg": {"channel": "trades", "instId": S}},
]
FRAMES = {cls: KRAKEN if cls is Kraken else OKX if cls is Okx else BINANCE for cls in VENUES}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.just([]),
    st.just({}),
    st.sampled_from(
        [
            "NaN",
            "Infinity",
            "1e999",
            "1e-999",
            "-1",
            "0",
            "0.0",
            "99.905",
            "1" * 30,
            "1" * 5000,
            "0x10",
            "\ud800",
            "٣",
            "1e18",
        ]
    ),
)


def places(value, path=()):
    """Every place inside a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def changed(value, path, what):
    """The value with `what` at a place; the place removed where `what` is Ellipsis."""
    if not path:
        return what if what is not ... else None
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and what is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(copy[path[0]], path[1:], what)
    return copy


@st.composite
def frames_like(draw, frames):
    """A real-shaped frame with some of its places changed, then perhaps some of its bytes."""
    value = draw(st.sampled_from(frames))
    for _ in range(draw(st.integers(0, 3))):
        value = changed(value, draw(st.sampled_from(list(places(value)))), draw(st.one_of(ODD, st.just(...))))
    data = json.dumps(value, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))).encode()
    if draw(st.integers(0, 3)) == 0 and data:
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=6)) + data[at + draw(st.integers(0, 40)) :]
    return data


def make(cls):
    instrument = Instrument(venue=cls.name, symbol=S, tick="0.10", lot="0.001")
    return cls({S: (0, instrument)}, Checks())


def feed(venue, frame, recv_ns, out):
    """One frame to wherever it belongs, as a client would."""
    if b"lastUpdateId" in frame:
        venue.on_snapshot(S, frame, recv_ns, out)
    else:
        venue.on_frame(frame, recv_ns, out)


def check(venue, rows):
    """What holds of whatever a parser gives."""
    assert rows.dtype == EVENT
    assert set(rows["kind"].tolist()) <= set(KIND_NAMES)
    if len(rows):
        assert rows["marks"][-1] & LAST
    assert (rows["lots"][rows["kind"] == BOOK] >= 0).all()
    assert (rows["lots"][rows["kind"] == TRADE] > 0).all()
    kinds = rows["kind"].tolist()
    assert all(kinds[i + 1 : i + 3] == [CLEAR, STATUS] for i, kind in enumerate(kinds) if kind == GAP)
    assert all(isinstance(want, Want) and want.symbol == S for want in venue.wants())
    assert len(venue.checks.problems) <= 1000
    assert all(len(text) < 600 for text in venue.checks.problems)


@pytest.mark.parametrize("cls", VENUES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_changed_frames_give_rows_or_are_counted(cls, data):
    venue, out = make(cls), EventBuffer()
    frames = data.draw(st.lists(frames_like(FRAMES[cls]), min_size=1, max_size=8))
    for i, frame in enumerate(frames):
        feed(venue, frame, i, out)
    check(venue, out.take())


@pytest.mark.parametrize("cls", VENUES)
@settings(max_examples=100, deadline=None)
@given(noise=st.one_of(st.binary(max_size=80), st.text(max_size=80)))
def test_noise_is_counted_and_nothing_else(cls, noise):
    venue, out = make(cls), EventBuffer()
    venue.on_frame(noise, 1, out)
    venue.on_snapshot(S, noise, 1, out)
    rows = out.take()
    check(venue, rows)
    assert venue.checks.damaged + sum(venue.checks.ignored.values()) > 0


@pytest.mark.parametrize("cls", VENUES)
@pytest.mark.parametrize(
    "frame",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"data":' + b"[" * 200_000,
        b'[1,{"as":' + b"[" * 100_000,
        b"\xff\xfe" * 1000,
        b"",
        b'{"stream":"\xff","data":{}}',
        b'{"arg":{"channel":"books","instId":"\xff"},"data":[]}',
        b'[1,{},"book-10","\xff"]',
        b'"' + b"x" * 2_000_000 + b'"',
        b"NaN",
        b"1e999",
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"[null,null,null,null]",
    ],
    ids=range(17),
)
def test_hostile_frames_are_counted_at_once(cls, frame):
    venue, out = make(cls), EventBuffer()
    venue.on_frame(frame, 1, out)
    assert len(out) == 0
    assert venue.checks.damaged + sum(venue.checks.ignored.values()) == 1


@pytest.mark.parametrize("cls", VENUES)
def test_a_frame_beyond_any_true_size_is_not_made_into_objects(cls):
    venue, out = make(cls), EventBuffer()
    many = b'["1","1","1"],' * 700_000
    frames = [
        b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"b":[%b],"a":[]}}',
        b'[1,{"as":[%b],"bs":[]},"book-10","BTCUSDT"]',
        b'{"arg":{"channel":"books","instId":"BTCUSDT"},"action":"snapshot","data":[{"asks":[%b],"bids":[],"ts":"1"}]}',
    ]
    for frame in frames:
        venue.on_frame(frame % many[:-1], 1, out)
    assert len(out) == 0
    assert venue.checks.damaged == 3
    assert all("at most 8,388,608 bytes" in text for text in venue.checks.problems)


@pytest.mark.parametrize("cls", VENUES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_how_frames_are_given_changes_nothing(cls, data):
    """Text or bytes, with or without spaces, one buffer or many: the same rows."""
    frames = data.draw(st.lists(st.sampled_from(FRAMES[cls]), min_size=1, max_size=10))
    results = []
    for style in range(3):
        venue, parts = make(cls), []
        out = EventBuffer()
        for i, frame in enumerate(frames):
            text = json.dumps(frame, separators=(",", ":") if style else (", ", ": "))
            feed(venue, text.encode(), i, out) if style < 2 or "lastUpdateId" in text else venue.on_frame(text, i, out)
            if style == 2:
                parts += out.take().tolist()
        results.append((parts + out.take().tolist(), venue.checks))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("cls", [BinanceSpot, BinanceFutures])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_reading_depth_ahead_in_blocks_changes_nothing(cls, data):
    updates = [
        combined("depth@100ms", BINANCE[0]["data"] | {"U": 1 + 10 * i, "u": 10 + 10 * i, "pu": 10 * i})
        for i in range(12)
    ]
    partial = {"stream": "btcusdt@depth5@100ms", "data": updates[3]["data"]}
    like = frames_like([*BINANCE, *updates, partial])
    frames = data.draw(
        st.lists(
            st.one_of(like, st.sampled_from(updates).map(lambda f: json.dumps(f, separators=(",", ":")).encode())),
            max_size=30,
        )
    )
    frames.insert(data.draw(st.integers(0, len(frames))), json.dumps(BINANCE[7] | {"lastUpdateId": 40}).encode())
    plain, ahead, out, same = make(cls), make(cls), EventBuffer(), EventBuffer()
    plain.no_fetch = ahead.no_fetch = data.draw(st.booleans())
    for i, frame in enumerate(frames):
        feed(plain, frame, i, out)
    at = 0
    while at < len(frames):
        size = data.draw(st.integers(1, 12))
        block = [(frame, at + k) for k, frame in enumerate(frames[at : at + size])]
        for (frame, recv_ns), ready in zip(block, ahead.prepare(block), strict=True):
            if ready is None:
                feed(ahead, frame, recv_ns, same)
            else:
                ahead.on_ready(ready, recv_ns, same)
        at += size
    assert same.take().tolist() == out.take().tolist()
    assert ahead.checks == plain.checks
    assert ahead.wants() == plain.wants()


def test_every_venue_is_a_venue_with_a_name_of_its_own():
    assert all(issubclass(cls, Venue) for cls in VENUES)
    assert len({cls.name for cls in VENUES}) == len(VENUES)
    assert {cls.verification for cls in VENUES} == {"chain", "checksum"}

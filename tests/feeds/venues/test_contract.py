"""What every venue's parser must do with frames that are wrong."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import BOOK, CLEAR, EVENT, GAP, KIND_NAMES, LAST, STATUS, TRADE, EventBuffer
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues import venues
from feeds.venues._contract import Venue, Want
from feeds.venues.binance import BinanceSpot
from feeds.venues.binance_futures import BinanceFutures
from tests.feeds.venues.frames import frames
from tests.feeds.venues.frames.binance import FRAMES as BINANCE
from tests.feeds.venues.frames.binance import combined

VENUES = list(venues().values())
FRAMES = frames()

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
    symbol = FRAMES[cls.name].SYMBOL
    instrument = Instrument(venue=cls.name, symbol=symbol, tick="0.10", lot="0.001")
    return cls({symbol: (0, instrument)}, Checks())


def feed(venue, frame, recv_ns, out):
    """One frame to wherever it belongs, as a client would."""
    made = FRAMES[venue.name]
    if made.SNAPSHOT is not None and made.SNAPSHOT in frame:
        venue.on_snapshot(made.SYMBOL, frame, recv_ns, out)
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
    assert all(isinstance(want, Want) and want.symbol == FRAMES[venue.name].SYMBOL for want in venue.wants())
    assert len(venue.checks.problems) <= 1000
    assert all(len(text) < 600 for text in venue.checks.problems)


@pytest.mark.parametrize("cls", VENUES)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_changed_frames_give_rows_or_are_counted(cls, data):
    venue, out = make(cls), EventBuffer()
    frames = data.draw(st.lists(frames_like(FRAMES[cls.name].FRAMES), min_size=1, max_size=8))
    for i, frame in enumerate(frames):
        feed(venue, frame, i, out)
    check(venue, out.take())


@pytest.mark.parametrize("cls", VENUES)
@settings(max_examples=60, deadline=None)
@given(noise=st.one_of(st.binary(max_size=80), st.text(max_size=80)))
def test_noise_is_counted_and_nothing_else(cls, noise):
    venue, out = make(cls), EventBuffer()
    venue.on_frame(noise, 1, out)
    venue.on_snapshot(FRAMES[cls.name].SYMBOL, noise, 1, out)
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
    for frame in FRAMES[cls.name].WIDE:
        venue.on_frame(frame % many[:-1], 1, out)
    assert len(out) == 0
    assert venue.checks.damaged == len(FRAMES[cls.name].WIDE) > 0
    assert all("at most 8,388,608 bytes" in text for text in venue.checks.problems)


@pytest.mark.parametrize("cls", VENUES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_how_frames_are_given_changes_nothing(cls, data):
    """Text or bytes, with or without spaces, one buffer or many: the same rows."""
    frames = data.draw(st.lists(st.sampled_from(FRAMES[cls.name].FRAMES), min_size=1, max_size=10))
    results = []
    for style in range(3):
        venue, parts = make(cls), []
        out = EventBuffer()
        for i, frame in enumerate(frames):
            text = json.dumps(frame, separators=(",", ":") if style else (", ", ": "))
            if style < 2 or (FRAMES[cls.name].SNAPSHOT or b"\0").decode() in text:
                feed(venue, text.encode(), i, out)
            else:
                venue.on_frame(text, i, out)
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
    assert {cls.verification for cls in VENUES} <= {"chain", "counter", "checksum", "snapshot", "unverifiable"}
    assert set(FRAMES) == {cls.name for cls in VENUES}


@pytest.mark.parametrize("name", sorted(venues()))
def test_hundreds_of_symbols_are_asked_for_once_each_on_as_many_sockets_as_the_venue_wants(name: str) -> None:
    symbols = [f"S{n}" for n in range(302)]
    sockets = venues()[name].sockets(symbols)
    urls: dict[str, list[str]] = {}
    for socket in sockets:
        urls.setdefault(socket.url.partition("?")[0], []).extend(socket.symbols)
        said = "".join([socket.url, *socket.frames])
        for symbol in socket.symbols:
            assert re.search(rf"{symbol}\b", said, re.IGNORECASE), "what a socket is said to be for is asked for on it"
    for told in urls.values():
        assert told in (symbols, [])

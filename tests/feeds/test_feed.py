"""From sockets to rows: going over to another socket loses nothing, repeats nothing and shows no hole."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.clock import Clock
from feeds.events import BOOK, CLEAR, GAP, LAST, PRINTS_ONLY, S_LIVE, S_SYNCING, STATUS, TRADE, EventBuffer, Events
from feeds.feed import OVERLAP_NS, PATIENCE_NS, Feed
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues.binance_futures import BinanceFutures
from feeds.venues.bybit import SYMBOLS_PER_SOCKET, Bybit
from feeds.venues.okx import Okx
from tapeview.engine import Engine

S = 1_000_000_000
START = 1_700_000_000 * S
TWO = {
    symbol: (n, Instrument(venue="okx", symbol=symbol, tick="1", lot="1"))
    for n, symbol in enumerate(("BTC-X", "ETH-X"))
}
ONE = {"BTC-X": TWO["BTC-X"]}


class Server:
    """A venue with in-band snapshots: what every subscriber is sent, in the venue's own words."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.books: dict[str, dict[str, dict[int, int]]] = {s: {"bids": {}, "asks": {}} for s in TWO}
        self.seq = dict.fromkeys(TWO, 10)
        self.trades = 0
        for symbol in TWO:
            for n in range(5):
                self.books[symbol]["bids"][100 - n] = 5 + n
                self.books[symbol]["asks"][101 + n] = 5 + n

    def book(self, symbol: str, action: str, changes: dict[str, dict[int, int]], before: int) -> bytes:
        sides = {side: [[str(p), str(q), "0", "1"] for p, q in levels.items()] for side, levels in changes.items()}
        data = sides | {"ts": str(START // 10**6), "checksum": 0, "seqId": self.seq[symbol], "prevSeqId": before}
        return msgspec.json.encode({"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [data]})

    def snapshot(self, symbol: str) -> bytes:
        return self.book(symbol, "snapshot", self.books[symbol], -1)

    def change(self) -> bytes:
        symbol = self.draw.choice(list(TWO))
        side = self.draw.choice(["bids", "asks"])
        price = self.draw.randint(90, 100) if side == "bids" else self.draw.randint(101, 110)
        lots = self.draw.choice([0, 1, 2, 7, 9])
        self.books[symbol][side][price] = lots
        if not lots:
            del self.books[symbol][side][price]
        before = self.seq[symbol]
        self.seq[symbol] += self.draw.randint(1, 5)
        changes: dict[str, dict[int, int]] = {"bids": {}, "asks": {}}
        changes[side][price] = lots
        return self.book(symbol, "update", changes, before)

    def trade(self) -> bytes:
        symbol = self.draw.choice(list(TWO))
        self.trades += 1
        one = {"instId": symbol, "tradeId": str(self.trades), "px": "100", "sz": "2", "side": "buy"}
        return msgspec.json.encode(
            {"arg": {"channel": "trades", "instId": symbol}, "data": [one | {"ts": str(START // 10**6)}]}
        )

    def next(self) -> bytes:
        return self.trade() if self.draw.random() < 0.4 else self.change()


def engines(rows: Events) -> list[Engine]:
    """One engine an instrument, having read all rows."""
    made = [Engine(instrument) for _, instrument in TWO.values()]
    rows = Clock().insert(rows)
    for n, engine in enumerate(made):
        engine.apply(rows[(rows["inst"] == n) | (rows["inst"] == 0xFFFF_FFFF)])
    return made


def equal(engine: Engine, book: dict[str, dict[int, int]]) -> bool:
    """Whether an engine's book is the venue's."""
    bids = {int(row["tick"]): int(row["lots"]) for row in engine.book.bids()}
    asks = {int(row["tick"]): int(row["lots"]) for row in engine.book.asks()}
    return bids == book["bids"] and asks == book["asks"]


def feed_of(instruments: dict[str, tuple[int, Instrument]] = TWO) -> tuple[Feed, EventBuffer]:
    """A feed with its first socket open."""
    feed = Feed(Okx, instruments, Checks())
    feed.open(1, 0, START)
    return feed, EventBuffer()


@given(
    st.integers(0, 2**32), st.integers(0, 40), st.integers(0, 40), st.integers(0, 12), st.integers(0, 12),
    st.lists(st.sampled_from(["old", "new"]), max_size=60),
)  # fmt: skip
def test_going_over_loses_nothing_repeats_nothing_and_shows_no_hole(
    seed: int, before: int, between: int, snapshot_after: int, second_after: int, turns: list[str]
) -> None:
    """The new socket's snapshots come late and its frames run before or behind those of the old one."""
    server, (feed, out) = Server(seed), feed_of()
    now = START

    def give(conn: int, raw: bytes) -> None:
        nonlocal now
        now += S // 1000
        feed.frame(conn, raw, now, out)

    for symbol in TWO:
        give(1, server.snapshot(symbol))
    for _ in range(before):
        give(1, server.next())
    feed.open(2, 0, now)
    old: list[bytes] = []
    new: list[bytes] = []
    late = {snapshot_after: "BTC-X", snapshot_after + 1 + second_after: "ETH-X"}
    for step in range(between + max(late) + 2):
        if step in late:
            new.append(server.snapshot(late[step]))
        raw = server.next()
        old.append(raw)
        new.append(raw)
    queues = {"old": (1, old), "new": (2, new)}
    for turn in [*turns, *["old"] * len(old), *["new"] * len(new)]:
        conn, frames = queues[turn]
        if frames:
            give(conn, frames.pop(0))
    for _ in range(10):
        give(2, server.next())
    rows = out.take()
    assert not (rows["kind"] == GAP).any()
    assert sorted(rows["ref"][rows["kind"] == TRADE].tolist()) == list(range(1, server.trades + 1))
    assert (np.diff(rows["recv_ns"]) >= 0).all()
    assert rows["marks"][-1] & LAST
    for engine, book in zip(engines(rows), server.books.values(), strict=True):
        assert engine.book.state_name == "live"
        assert equal(engine, book)


def test_the_old_socket_is_not_listened_to_any_more() -> None:
    server, (feed, out) = Server(1), feed_of()
    for symbol in TWO:
        feed.frame(1, server.snapshot(symbol), START, out)
    feed.open(2, 0, START)
    for symbol in TWO:
        feed.frame(2, server.snapshot(symbol), START + S, out)
    out.take()
    assert 1 not in feed
    assert 2 in feed
    assert feed.frame(1, server.change(), START + 2 * S, out) == (False, False)
    feed.close(1, START + 3 * S, out)
    assert len(out) == 0


def test_the_books_taken_over_are_a_snapshot_and_one_message() -> None:
    server, (feed, out) = Server(2), feed_of()
    for symbol in TWO:
        feed.frame(1, server.snapshot(symbol), START, out)
    out.take()
    feed.open(2, 0, START)
    feed.frame(2, server.snapshot("BTC-X"), START + S, out)
    assert len(out) == 0, "held until every book is there"
    feed.frame(2, server.snapshot("ETH-X"), START + 2 * S, out)
    rows = out.take()
    assert set(rows["kind"].tolist()) == {CLEAR, BOOK, STATUS}
    assert (rows["marks"] & 2 != 0).all()
    assert (rows["marks"] & LAST != 0).tolist() == [False] * (len(rows) - 1) + [True]
    assert (rows["recv_ns"] == START + 2 * S).all()


def test_a_socket_that_ends_without_a_follower_leaves_a_hole() -> None:
    server, (feed, out) = Server(3), feed_of()
    for symbol in TWO:
        feed.frame(1, server.snapshot(symbol), START, out)
    out.take()
    feed.close(1, START + S, out)
    rows = out.take()
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS] * 2
    assert set(rows["aux"][rows["kind"] == STATUS].tolist()) == {S_SYNCING}
    feed.open(2, 0, START + 2 * S)
    feed.frame(2, server.snapshot("BTC-X"), START + 3 * S, out)
    rows = out.take()
    assert rows["aux"][rows["kind"] == STATUS].tolist() == [S_LIVE]


def test_a_socket_that_ends_early_leaves_a_hole_only_where_its_follower_has_no_book_yet() -> None:
    server, (feed, out) = Server(4), feed_of()
    for symbol in TWO:
        feed.frame(1, server.snapshot(symbol), START, out)
    feed.open(2, 0, START)
    feed.frame(2, server.snapshot("ETH-X"), START + S, out)
    out.take()
    feed.close(1, START + 2 * S, out)
    rows = out.take()
    assert set(rows["inst"][rows["kind"] == GAP].tolist()) == {0}
    assert set(rows["inst"][rows["kind"] == BOOK].tolist()) == {1}
    feed.frame(2, server.snapshot("BTC-X"), START + 3 * S, out)
    rows = out.take()
    assert rows["aux"][rows["kind"] == STATUS].tolist() == [S_LIVE]
    assert (rows["inst"] == 0).all()


def test_a_follower_that_brings_half_takes_over_when_patience_ends_and_the_rest_is_told_as_lost() -> None:
    server, (feed, out) = Server(5), feed_of()
    for symbol in TWO:
        feed.frame(1, server.snapshot(symbol), START, out)
    feed.open(2, 0, START)
    feed.frame(2, server.snapshot("BTC-X"), START + S, out)
    out.take()
    feed.frame(2, server.trade(), START + PATIENCE_NS, out)
    rows = out.take()
    assert set(rows["inst"][rows["kind"] == GAP].tolist()) == {1}
    assert set(rows["inst"][rows["kind"] == BOOK].tolist()) == {0}


def test_a_follower_that_fails_changes_nothing() -> None:
    server, (feed, out) = Server(6), feed_of()
    for symbol in TWO:
        feed.frame(1, server.snapshot(symbol), START, out)
    feed.open(2, 0, START)
    feed.frame(2, server.snapshot("BTC-X"), START, out)
    before = len(out)
    feed.close(2, START + S, out)
    assert len(out) == before
    feed.frame(1, server.change(), START + 2 * S, out)
    assert len(out) > before


def test_a_second_follower_takes_the_first_ones_place() -> None:
    server, (feed, out) = Server(7), feed_of()
    for symbol in TWO:
        feed.frame(1, server.snapshot(symbol), START, out)
    feed.open(2, 0, START)
    feed.open(3, 0, START + S)
    assert 2 not in feed
    assert feed.frame(2, server.change(), START + S, out).data is False
    for symbol in TWO:
        feed.frame(3, server.snapshot(symbol), START + 2 * S, out)
    assert 1 not in feed


def test_prints_a_venue_repeats_after_a_subscription_are_not_told_twice() -> None:
    server, (feed, out) = Server(8), feed_of()
    for symbol in TWO:
        feed.frame(1, server.snapshot(symbol), START, out)
    newest = server.trade()
    feed.frame(1, newest, START, out)
    feed.open(2, 0, START + S)
    feed.frame(2, newest, START + S, out)
    for symbol in TWO:
        feed.frame(2, server.snapshot(symbol), START + 2 * S, out)
    rows = out.take()
    assert int((rows["kind"] == TRADE).sum()) == 1


def test_each_print_told_before_covers_one_repetition_only() -> None:
    """Two prints without ids that agree in everything: the old socket told one, the new one tells both."""
    server, (feed, out) = Server(10), feed_of(ONE)
    one = {"instId": "BTC-X", "px": "100", "sz": "2", "side": "buy", "ts": str(START // 10**6)}
    same = msgspec.json.encode({"arg": {"channel": "trades", "instId": "BTC-X"}, "data": [one]})
    feed.frame(1, server.snapshot("BTC-X"), START, out)
    feed.open(2, 0, START)
    feed.frame(1, same, START + 1, out)
    for at in (2, 3):
        feed.frame(2, same, START + at, out)
    feed.frame(2, server.snapshot("BTC-X"), START + S, out)
    rows = out.take()
    assert int((rows["kind"] == TRADE).sum()) == 2


def test_the_same_print_long_after_is_another_print() -> None:
    server, (feed, out) = Server(9), feed_of(ONE)
    feed.frame(1, server.snapshot("BTC-X"), START, out)
    feed.open(2, 0, START)
    feed.frame(2, server.snapshot("BTC-X"), START + S, out)
    later = START + 2 * S + OVERLAP_NS
    same = msgspec.json.encode(
        {
            "arg": {"channel": "trades", "instId": "BTC-X"},
            "data": [{"instId": "BTC-X", "px": "100", "sz": "2", "side": "buy", "ts": str(START // 10**6)}],
        }
    )
    for at in (later, later + S):
        feed.frame(2, same, at, out)
    rows = out.take()
    assert int((rows["kind"] == TRADE).sum()) == 2


def bybit(symbol: str, kind: str, update: int) -> bytes:
    """A book of one level."""
    data = {"s": symbol, "b": [["100", "1"]], "a": [], "u": update, "seq": 1}
    return msgspec.json.encode({"topic": f"orderbook.200.{symbol}", "type": kind, "ts": 5, "data": data, "cts": 5})


def test_a_follower_takes_over_with_the_books_of_its_own_socket_alone() -> None:
    """A socket carries some of the instruments: the others' books are not waited for."""
    many = {
        f"C{n}": (n, Instrument(venue="bybit", symbol=f"C{n}", tick="1", lot="1"))
        for n in range(SYMBOLS_PER_SOCKET + 2)
    }
    mine = list(many)[SYMBOLS_PER_SOCKET:]
    assert [len(one.symbols) for one in Bybit.sockets(many)] == [SYMBOLS_PER_SOCKET, 2]
    feed, out = Feed(Bybit, many, Checks()), EventBuffer()
    feed.open(1, 1, START)
    for symbol in mine:
        feed.frame(1, bybit(symbol, "snapshot", 7), START, out)
    feed.open(2, 1, START + S)
    feed.frame(2, bybit(mine[0], "snapshot", 9), START + S, out)
    assert 1 in feed
    feed.frame(2, bybit(mine[1], "snapshot", 9), START + S, out)
    assert 1 not in feed
    rows = out.take()
    assert GAP not in rows["kind"]
    assert sorted(set(rows["inst"][rows["recv_ns"] == START + S].tolist())) == [many[symbol][0] for symbol in mine]


# -- routes --------------------------------------------------------------------------------------
def test_routes_have_parsers_of_their_own_and_ask_for_themselves() -> None:
    """Binance USD-M: depth over one route, trades over another; only the one with depth wants a snapshot."""
    instrument = Instrument(venue="binance-futures", symbol="BTCUSDT", tick="0.10", lot="0.001")
    feed, out = Feed(BinanceFutures, {"BTCUSDT": (0, instrument)}, Checks()), EventBuffer()
    feed.open(1, 0, START)
    feed.open(2, 1, START)
    names = {"e": "depthUpdate", "E": 5, "T": 5, "s": "BTCUSDT", "U": 95, "u": 100, "pu": 90}
    depth = msgspec.json.encode({"stream": "btcusdt@depth@100ms", "data": names | {"b": [["100.0", "1"]], "a": []}})
    names = {"e": "aggTrade", "E": 5, "T": 5, "s": "BTCUSDT", "a": 1, "f": 1, "l": 1, "p": "100.0", "q": "1", "m": True}
    trade = msgspec.json.encode({"stream": "btcusdt@aggTrade", "data": names})
    feed.frame(2, trade, START, out)
    feed.frame(1, depth, START, out)
    assert [(conn, want.what) for conn, want in feed.wants()] == [(1, "snapshot")]
    assert feed.wants() == []
    snapshot = {"lastUpdateId": 98, "E": 1, "T": 1, "bids": [["99.9", "2"]], "asks": [["100.2", "3"]]}
    assert feed.snapshot(1, "BTCUSDT", msgspec.json.encode(snapshot), START, out).data
    rows = out.take()
    assert int((rows["kind"] == TRADE).sum()) == 1
    assert rows["aux"][rows["kind"] == STATUS].tolist()[-1] == S_LIVE
    engine = Engine(instrument)
    engine.apply(Clock().insert(rows))
    feed.close(2, START + S, out)
    lost = out.take()
    assert lost["kind"].tolist() == [GAP]
    assert lost["marks"].tolist() == [PRINTS_ONLY | LAST]
    engine.apply(lost)
    assert engine.book.state_name == "live", "the book came the other way"
    assert engine.counters["gaps"] == 1
    feed.open(3, 1, START + 2 * S)
    feed.frame(3, msgspec.json.encode({"stream": "btcusdt@aggTrade", "data": names | {"a": 2}}), START + 2 * S, out)
    feed.open(4, 1, START + 3 * S)
    for conn in (4, 3):
        again = msgspec.json.encode({"stream": "btcusdt@aggTrade", "data": names | {"a": 3}})
        feed.frame(conn, again, START + 4 * S, out)
    assert out.take()["ref"].tolist() == [2, 3], "prints go over to another socket without a hole"
    feed.close(1, START + 5 * S, out)
    lost = out.take()
    assert lost["kind"].tolist() == [GAP, CLEAR, STATUS]
    engine.apply(lost)
    assert engine.book.state_name == "syncing"


@pytest.mark.parametrize("what", ["frame", "snapshot"])
def test_what_comes_for_an_unknown_socket_is_nothing(what: str) -> None:
    feed, out = feed_of()
    give: Callable[[], object] = (
        (lambda: feed.frame(9, b"{}", START, out))
        if what == "frame"
        else lambda: feed.snapshot(9, "X", b"", START, out)
    )
    assert give() == (False, False)
    feed.close(9, START, out)
    assert len(out) == 0


def test_doubt_is_told_where_the_venues_rule_is_broken() -> None:
    server, (feed, out) = Server(11), feed_of(ONE)
    assert feed.frame(1, server.snapshot("BTC-X"), START, out) == (True, False)
    server.seq["BTC-X"] += 100
    lost = server.book("BTC-X", "update", {"bids": {}, "asks": {}}, before=server.seq["BTC-X"] - 1)
    assert feed.frame(1, lost, START + S, out).doubted
    assert feed.frame(1, b"garbage", START + S, out).doubted

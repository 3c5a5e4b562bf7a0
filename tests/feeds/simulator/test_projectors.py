"""What weaker feeds tell: the same book, the identity of hidden lots, all of the volume."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.events import ADD, ASK, BID, BOOK, CLOCK, FILL, HIDDEN, LAST, MODIFY, NO_BOOK, QUOTE, SNAPSHOT, TRADE
from feeds.simulator import generate
from feeds.simulator.markets import MARKETS
from feeds.simulator.projectors import CONFLATIONS_MS, depth_of, to_b
from tests.kit.reference import NaiveBook, message_ends

ORDER = {"seed": 21, "minutes": 5, "plants": ("native:every=20", "hidden_seller:every=60")}


@pytest.fixture(scope="module")
def a():
    return generate(**ORDER)


@pytest.fixture(scope="module")
def b():
    return generate(**ORDER, tier="B")


def rows_of(tape):
    return tape.events[tape.events["kind"] != CLOCK]


def levels(book):
    return {side: [level[:2] for level in book.levels(side)] for side in (BID, ASK)}


def test_tier_b_has_after_every_message_the_levels_of_the_orders(a, b):
    orders, told = NaiveBook(), NaiveBook()
    one, other = rows_of(a)[:12_000], rows_of(b)
    assert sum(len(message) > 1 for message in np.split(one, message_ends(one))) > 100
    by_time = {}
    at = 0
    for n, end in enumerate(message_ends(one)):
        orders.apply(one[at:end])
        at = end
        if n % 40 == 0 or n < 5:
            by_time[int(one["exch_ns"][end - 1])] = levels(orders), orders.trades.copy()
    at = compared = 0
    ends = message_ends(other)
    for n, end in enumerate(ends):
        told.apply(other[at:end])
        at = end
        when = int(other["exch_ns"][end - 1])
        last_of_instant = n + 1 == len(ends) or int(other["exch_ns"][ends[n + 1] - 1]) != when
        if last_of_instant and when in by_time and int(one["exch_ns"][-1]) > when:
            expected, trades = by_time[when]
            if len(trades) == len(told.trades):
                assert levels(told) == expected
                compared += 1
    assert compared > 100


def test_tier_b_tells_how_many_orders_a_level_has(b):
    counted = NaiveBook().apply(rows_of(b)[:1])
    assert counted.told[BID] == {}
    book = rows_of(b)[rows_of(b)["kind"] == BOOK]
    assert ((book["aux"] > 0) == (book["lots"] > 0)).all()


def hidden_by_message(rows, depth_rows):
    """h = V - (Q- - Q+) for every level a message traded at, from BOOK and TRADE rows alone."""
    book = {}
    out = {}
    at = 0
    for end in message_ends(rows):
        message = rows[at:end]
        at = end
        volume, after = {}, {}
        for row in message:
            side, tick, lots = int(row["side"]), int(row["tick"]), int(row["lots"])
            if row["kind"] == TRADE:
                volume[-side, tick] = volume.get((-side, tick), 0) + lots
            elif row["kind"] == BOOK:
                after[side, tick] = lots
        for key, lots in volume.items():
            was = book.get(key, 0)
            h = lots - (was - after.get(key, was))
            if h:
                out[int(message["exch_ns"][-1]), *key] = out.get((int(message["exch_ns"][-1]), *key), 0) + h
        book.update(after)
    return out


def test_the_atomic_identity_finds_exactly_the_lots_that_were_not_displayed(a, b):
    """The truth is from the orders: what icebergs showed anew, and prints of hidden lots."""
    expected = {}
    rows = rows_of(a)
    at = 0
    for end in message_ends(rows):
        message = rows[at:end]
        at = end
        when = int(message["exch_ns"][-1])
        for n, row in enumerate(message):
            if row["kind"] == MODIFY and n and message[n - 1]["marks"] & NO_BOOK:
                key = when, int(row["side"]), int(row["tick"])
                expected[key] = expected.get(key, 0) + int(row["lots"])
            elif row["kind"] == TRADE and row["aux"] == HIDDEN:
                key = when, -int(row["side"]), int(row["tick"])
                expected[key] = expected.get(key, 0) + int(row["lots"])
    assert len(expected) > 50
    assert hidden_by_message(rows_of(b), None) == expected


@pytest.mark.parametrize("conflate_ms", CONFLATIONS_MS)
def test_conflation_loses_no_volume_and_ends_in_the_same_book(a, conflate_ms):
    c = generate(**ORDER, tier="C", conflate_ms=conflate_ms)
    one, other = rows_of(a), rows_of(c)
    for side in (BID, ASK):
        for rows in (one, other):
            assert (rows["kind"] == TRADE).sum() > 500
        assert one["lots"][(one["kind"] == TRADE) & (one["side"] == side)].sum() == (
            other["lots"][(other["kind"] == TRADE) & (other["side"] == side)].sum()
        )
    assert levels(NaiveBook().apply(one)) == levels(NaiveBook().apply(other))
    depth = other[(other["kind"] == BOOK) & (other["marks"] & SNAPSHOT == 0)]
    times = np.unique(depth["exch_ns"])
    assert (np.diff(times) % (conflate_ms * 1_000_000) == 0).all()
    assert np.diff(times).min() == conflate_ms * 1_000_000


@pytest.mark.parametrize("conflate_ms", CONFLATIONS_MS)
def test_prints_have_their_lag_and_a_few_come_after_the_depth_they_changed(conflate_ms):
    c = generate(seed=21, minutes=20, tier="C", conflate_ms=conflate_ms)
    rows = rows_of(c)
    trades = rows[rows["kind"] == TRADE]
    lag = trades["recv_ns"] - trades["exch_ns"]
    assert 33e6 < np.median(lag) < 42e6
    depth = rows[(rows["kind"] == BOOK) & (rows["marks"] & LAST != 0)]
    step = conflate_ms * 1_000_000
    start = int(rows["exch_ns"][0])
    carried = start + ((trades["exch_ns"] - start) // step + 1) * step
    arrival = dict(zip(depth["exch_ns"].tolist(), depth["recv_ns"].tolist(), strict=True))
    late = [
        recv > arrival[when]
        for when, recv in zip(carried.tolist(), trades["recv_ns"].tolist(), strict=True)
        if when in arrival
    ]
    assert 0.02 <= np.mean(late) <= 0.04
    assert (np.diff(rows["recv_ns"]) >= 0).all()


def test_tier_c_sends_a_level_only_where_it_is_different(a):
    c = generate(**ORDER, tier="C")
    book = {}
    for row in rows_of(c)[rows_of(c)["kind"] == BOOK]:
        key = int(row["side"]), int(row["tick"])
        assert book.get(key, 0) != int(row["lots"])
        book[key] = int(row["lots"])


def test_tier_d_has_the_best_prices_of_the_book(a):
    d = rows_of(generate(**ORDER, tier="D"))
    assert set(np.unique(d["kind"])) <= {TRADE, QUOTE, 9, 11}
    expected = []
    book = NaiveBook()
    rows = rows_of(a)[:6000]
    at = 0
    for end in message_ends(rows):
        book.apply(rows[at:end])
        at = end
        expected.append([book.inside(side) for side in (BID, ASK)])
    changes = [pair for n, pair in enumerate(expected) if n == 0 or pair != expected[n - 1]]
    told, got = {}, []
    at = 0
    for end in message_ends(d):
        quotes = d[at:end][d[at:end]["kind"] == QUOTE]
        at = end
        for row in quotes:
            told[int(row["side"])] = (int(row["tick"]) * 10**6, int(row["lots"]) * 10**6)
        if len(quotes):
            got.append([told[BID], told[ASK]])
    fine = [[(t // (10**6) * 10**6, s) if t else None for t, s in pair] for pair in changes]
    assert got[: len(changes)] == fine


def test_the_history_of_levels_follows_orders_that_move():
    from feeds import script

    rows = script.events("!live o1b100:5 o2b100:3 o3a103:4 m1b101:5 f2:1 x3 m2b100:1")
    rows = rows[rows["kind"] != CLOCK]
    depth = depth_of(rows)
    got = list(zip(depth.side.tolist(), depth.tick.tolist(), depth.lots.tolist(), depth.orders.tolist(), strict=True))
    assert got == [
        (BID, 100, 5, 1), (BID, 100, 8, 2), (ASK, 103, 4, 1), (BID, 100, 3, 1), (BID, 101, 5, 1), (BID, 100, 2, 1),
        (ASK, 103, 0, 0), (BID, 100, 1, 1),
    ]  # fmt: skip
    assert (to_b(rows)["kind"] == BOOK).sum() == 8
    assert {ADD, FILL} <= set(rows["kind"].tolist())


@pytest.mark.parametrize("profile", MARKETS)
def test_no_market_is_ever_crossed_at_the_end_of_a_message(profile):
    """Tier D has the inside after every message; the book test above shows that it is the book's."""
    order = {"seed": 2, "minutes": 4, "profile": profile}
    d = rows_of(generate(**order, plants=("iceberg:every=15", "absorber:every=40", "pulled:every=20"), tier="D"))
    ends = np.flatnonzero(d["marks"] & LAST)
    quotes = {}
    for side in (BID, ASK):
        at = np.flatnonzero((d["kind"] == QUOTE) & (d["side"] == side))
        newest = np.searchsorted(at, ends, side="right") - 1
        assert (newest >= 0).all()
        quotes[side] = d["tick"][at[newest]], d["lots"][at[newest]]
    there = (quotes[BID][1] > 0) & (quotes[ASK][1] > 0)
    assert there.mean() > 0.99
    assert (quotes[BID][0][there] < quotes[ASK][0][there]).all()
    assert len(ends) > 5000

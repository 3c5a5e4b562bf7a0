from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import (
    ADD,
    ASK,
    BID,
    BUY,
    CANCEL,
    CLEAR,
    FILL,
    LAST,
    MODIFY,
    NO_BOOK,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
)
from feeds.simulator.exchange import Exchange
from tests.kit.reference import NaiveBook


class NaiveMarket:
    """Matching by searching a list: whoever has the best price and, among those, came first."""

    def __init__(self):
        self.resting = []
        self.stamp = 0
        self.next_id = 1
        self.fills = []

    def limit(self, side, tick, lots, peak=0, order_id=None):
        if order_id is None:
            order_id, self.next_id = self.next_id, self.next_id + 1
        left = self._match(side, lots, tick)
        if left:
            shown = min(left, peak) if peak else left
            self.stamp += 1
            self.resting.append(
                {"id": order_id, "side": side, "tick": tick, "shown": shown, "reserve": left - shown, "peak": peak,
                 "stamp": self.stamp}
            )  # fmt: skip

    def take(self, side, lots, worst=None):
        self._match(side, lots, worst)

    def find(self, order_id):
        return next((order for order in self.resting if order["id"] == order_id), None)

    def cancel(self, order_id, lots=0):
        order = self.find(order_id)
        if order is None:
            return
        whole = order["shown"] + order["reserve"]
        if 0 < lots < whole:
            self.replace(order_id, order["tick"], whole - lots)
        else:
            self.resting.remove(order)

    def replace(self, order_id, tick, lots):
        order = self.find(order_id)
        if order is None:
            return
        whole = order["shown"] + order["reserve"]
        if tick == order["tick"] and lots <= whole:
            order["reserve"] = max(0, order["reserve"] - (whole - lots))
            order["shown"] = lots - order["reserve"]
        else:
            self.resting.remove(order)
            self.limit(order["side"], tick, lots, order["peak"], order_id)

    def _match(self, side, lots, worst):
        while lots:
            makers = [
                order
                for order in self.resting
                if order["side"] == -side and (worst is None or (worst - order["tick"]) * side >= 0)
            ]
            if not makers:
                return lots
            maker = min(makers, key=lambda order: (order["tick"] * side, order["stamp"]))
            part = min(lots, maker["shown"])
            lots -= part
            maker["shown"] -= part
            self.fills.append((maker["id"], maker["tick"], part))
            if maker["shown"] == 0:
                if maker["reserve"]:
                    maker["shown"] = min(maker["peak"], maker["reserve"])
                    maker["reserve"] -= maker["shown"]
                    self.stamp += 1
                    maker["stamp"] = self.stamp
                else:
                    self.resting.remove(maker)
        return 0

    def queues(self):
        out = {}
        for order in sorted(self.resting, key=lambda order: order["stamp"]):
            out.setdefault((order["side"], order["tick"]), []).append((order["id"], order["shown"]))
        return out


class ToldQueues:
    """Queues from the rows alone: a change to more than the fills left goes to the back."""

    def __init__(self):
        self.orders = {}

    def apply(self, rows):
        for row in rows:
            kind, ref, lots = int(row["kind"]), int(row["ref"]), int(row["lots"])
            where = int(row["side"]), int(row["tick"])
            if kind == ADD:
                assert ref not in self.orders
                self.orders[ref] = [where, lots, lots]
            elif kind == MODIFY:
                old = self.orders[ref]
                if old[0] != where or lots > old[2]:
                    del self.orders[ref]
                self.orders[ref] = [where, lots, lots]
            elif kind == FILL:
                order = self.orders[ref]
                assert order[0] == where
                order[2] -= lots
                if not int(row["marks"]) & NO_BOOK:
                    order[1] -= lots
                    if order[1] == 0:
                        del self.orders[ref]
            elif kind == CANCEL:
                assert self.orders.pop(ref)[1] == lots

    def queues(self):
        out = {}
        for ref, (where, shown, _) in self.orders.items():
            out.setdefault(where, []).append((ref, shown))
        return out


def queues_of(market):
    out = {}
    for half in (market.bids, market.asks):
        for tick in half.ticks():
            level = half.levels[tick]
            assert level.lots == sum(order.lots for order in level.queue.values())
            assert level.reserve == sum(order.reserve for order in level.queue.values())
            out[half.side, tick] = [(order.id, order.lots) for order in level.queue.values()]
    return out


def best_of(queues, side):
    ticks = [tick for s, tick in queues if s == side]
    return (max(ticks) if side == BID else min(ticks)) if ticks else None


sides = st.sampled_from([BID, ASK])
ticks = st.integers(-6, 6)
lots = st.integers(1, 30)
ids = st.integers(1, 40)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("limit"), sides, ticks, lots, st.sampled_from([0, 0, 0, 1, 3, 7])),
        st.tuples(st.just("take"), sides, lots, st.one_of(st.none(), ticks)),
        st.tuples(st.just("cancel"), ids, st.integers(0, 12)),
        st.tuples(st.just("replace"), ids, ticks, lots),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(operations)
def test_matching_agrees_with_a_search_through_a_list(todo):
    market, naive, told, book = Exchange(), NaiveMarket(), ToldQueues(), NaiveBook()
    for now, (what, *arguments) in enumerate(todo, 1):
        market.now_ns = now
        getattr(market, what)(*arguments)
        naive.fills.clear()
        getattr(naive, what)(*arguments)
        rows = market.give()
        told.apply(rows)
        book.apply(rows)
        fills = rows[rows["kind"] == FILL]
        assert naive.fills == list(
            zip(fills["ref"].tolist(), fills["tick"].tolist(), fills["lots"].tolist(), strict=True)
        )
        queues = naive.queues()
        assert queues_of(market) == queues
        assert told.queues() == queues
        for side in (BID, ASK):
            best = best_of(queues, side)
            assert (market.bids if side == BID else market.asks).best == best
            totals = {tick: sum(n for _, n in queue) for (s, tick), queue in queues.items() if s == side}
            assert dict(book.ticks(side)) == totals
        bid, ask = market.bids.best, market.asks.best
        assert bid is None or ask is None or bid < ask
        assert market.added == market.filled + market.cancelled + sum(o["shown"] + o["reserve"] for o in naive.resting)


@settings(max_examples=200, deadline=None)
@given(operations)
def test_a_command_is_one_message_and_a_print_is_the_sum_of_its_fills(todo):
    market = Exchange(first_order=1, first_trade=50)
    prints = []
    for now, (what, *arguments) in enumerate(todo, 1):
        market.now_ns = now
        getattr(market, what)(*arguments)
        rows = market.give()
        if not len(rows):
            continue
        assert (rows["marks"] & LAST != 0).tolist() == [False] * (len(rows) - 1) + [True]
        assert set(rows["exch_ns"].tolist()) == {now}
        orders = rows[rows["kind"] != TRADE]
        assert set(orders["aux"].tolist()) <= {market.messages}
        starts = np.flatnonzero(rows["kind"] == TRADE).tolist()
        for start, end in pairwise([*starts, len(rows)]):
            fills = rows[start:end][rows[start:end]["kind"] == FILL]
            assert fills["lots"].sum() == rows["lots"][start]
            assert set(fills["tick"].tolist()) == {int(rows["tick"][start])}
            assert set(fills["side"].tolist()) == {-int(rows["side"][start])}
            prints.append(int(rows["ref"][start]))
    assert prints == list(range(50, 50 + len(prints)))


def test_an_iceberg_refreshes_under_its_id_at_the_back():
    market = Exchange()
    iceberg = market.limit(ASK, 100, 25, peak=10)
    other = market.limit(ASK, 100, 4)
    market.give()
    market.take(BUY, 10)
    rows = market.give()
    assert rows["kind"].tolist() == [TRADE, FILL, MODIFY]
    assert rows["ref"].tolist()[1:] == [iceberg, iceberg]
    assert rows["marks"].tolist() == [0, NO_BOOK, LAST]
    assert [order.id for order in market.asks.levels[100].queue.values()] == [other, iceberg]
    assert market.orders[iceberg].lots == 10


def test_one_taker_goes_through_all_tranches_of_an_iceberg_in_turn_with_the_others():
    market = Exchange()
    iceberg = market.limit(BID, 100, 25, peak=10)
    other = market.limit(BID, 100, 4)
    market.give()
    assert market.take(SELL, 60) == 29
    rows = market.give()
    fills = rows[rows["kind"] == FILL]
    assert list(zip(fills["ref"].tolist(), fills["lots"].tolist(), strict=True)) == [
        (iceberg, 10), (other, 4), (iceberg, 10), (iceberg, 5)
    ]  # fmt: skip
    assert rows["lots"][0] == 29
    assert market.bids.best is None
    assert not market.orders


def test_fewer_lots_keep_the_place_and_more_lose_it():
    market = Exchange()
    first, second = market.limit(BID, 10, 9), market.limit(BID, 10, 9)
    market.replace(first, 10, 3)
    assert list(market.bids.levels[10].queue) == [first, second]
    market.replace(first, 10, 4)
    assert list(market.bids.levels[10].queue) == [second, first]


def test_a_replacement_that_crosses_trades_and_leaves_its_rest_under_its_id():
    market = Exchange()
    market.limit(ASK, 101, 2)
    mine = market.limit(BID, 99, 5)
    market.give()
    market.replace(mine, 101, 5)
    rows = market.give()
    assert rows["kind"].tolist() == [CANCEL, TRADE, FILL, ADD]
    assert (int(rows["ref"][-1]), int(rows["lots"][-1]), int(rows["tick"][-1])) == (mine, 3, 101)


def test_empty_levels_are_forgotten_and_the_best_price_is_still_found():
    market = Exchange()
    for tick in range(20_000):
        market.cancel(market.limit(BID, tick, 1))
        if tick % 1000 == 0:
            market.limit(BID, tick, 5)
    assert len(market.bids.levels) < 10_000
    assert market.bids.best == 19_000
    assert market.bids.ticks() == list(range(19_000, -1, -1000))
    market.take(SELL, 7)
    assert (market.bids.best, market.bids.levels[18_000].lots) == (18_000, 3)


def test_an_order_that_is_gone_cannot_be_cancelled_or_replaced():
    market = Exchange()
    order = market.limit(BID, 10, 1)
    assert market.cancel(order)
    assert not market.cancel(order)
    assert not market.replace(order, 11, 1)
    assert market.give()["kind"].tolist() == [ADD, CANCEL]


def test_a_taker_that_finds_nobody_says_nothing():
    market = Exchange()
    market.limit(ASK, 101, 1)
    market.give()
    assert market.take(BUY, 5, 100) == 0
    assert market.take(SELL, 5) == 0
    assert not len(market.give())


@pytest.mark.parametrize("call", [("limit", BID, 1, 0), ("limit", 0, 1, 1), ("take", BUY, 0), ("take", 2, 1)])
def test_an_order_without_lots_or_side_is_refused(call):
    market = Exchange()
    with pytest.raises(ValueError, match="side and at least one lot"):
        getattr(market, call[0])(*call[1:])


@settings(max_examples=100, deadline=None)
@given(operations)
def test_a_snapshot_is_the_whole_book_in_queue_order(todo):
    market = Exchange()
    for what, *arguments in todo:
        getattr(market, what)(*arguments)
    rows = market.snapshot()
    assert rows["kind"][0] == CLEAR
    assert (int(rows["kind"][-1]), int(rows["aux"][-1])) == (STATUS, S_LIVE)
    assert (rows["marks"] & SNAPSHOT).all()
    assert (rows["marks"] & LAST != 0).tolist() == [False] * (len(rows) - 1) + [True]
    told = ToldQueues()
    told.apply(rows[1:-1])
    assert told.queues() == queues_of(market)

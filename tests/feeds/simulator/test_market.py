"""The exchange in kernels: priority, icebergs, hidden lots, stops, auctions and halts, each against a naive one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import (
    ADD,
    ASK,
    AUCTION,
    BID,
    BUY,
    CANCEL,
    FILL,
    HIDDEN,
    LAST,
    MODIFY,
    NO_BOOK,
    S_AUCTION,
    S_HALTED,
    S_LIVE,
    SELL,
    STATUS,
    TRADE,
    UNKNOWN,
)  # fmt: skip
from feeds.simulator.market import Exchange
from tests.kit.reference import NaiveBook


class NaiveMarket:
    """Matching by searching a list: the best price, displayed before hidden, and who came first."""

    def __init__(self):
        self.resting, self.fills, self.stamp = [], [], 0

    def limit(self, name, side, tick, lots, peak=0, hidden=False):
        left = self.match(side, lots, tick)
        if left:
            shown = min(left, peak) if peak else left
            self.stamp += 1
            self.resting.append(
                {"name": name, "side": side, "tick": tick, "shown": shown, "reserve": left - shown, "peak": peak,
                 "hidden": hidden, "stamp": self.stamp}
            )  # fmt: skip

    def find(self, name):
        return next((order for order in self.resting if order["name"] == name), None)

    def cancel(self, name):
        if (order := self.find(name)) is not None:
            self.resting.remove(order)

    def replace(self, name, tick, lots):
        order = self.find(name)
        if order is None:
            return
        whole = order["shown"] + order["reserve"]
        if tick == order["tick"] and lots <= whole:
            order["reserve"] = max(0, order["reserve"] - (whole - lots))
            order["shown"] = lots - order["reserve"]
        else:
            self.resting.remove(order)
            self.limit(name, order["side"], tick, lots, order["peak"], order["hidden"])

    def match(self, side, lots, worst):
        while lots:
            makers = [
                order for order in self.resting
                if order["side"] == -side and (worst is None or (worst - order["tick"]) * side >= 0)
            ]  # fmt: skip
            if not makers:
                return lots
            maker = min(makers, key=lambda order: (order["tick"] * side, order["hidden"], order["stamp"]))
            part = min(lots, maker["shown"])
            lots -= part
            maker["shown"] -= part
            self.fills.append((maker["name"], maker["tick"], part))
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
            if not order["hidden"]:
                out.setdefault((order["side"], order["tick"]), []).append((order["name"], order["shown"]))
        return out


sides, ticks, lots = st.sampled_from([BID, ASK]), st.integers(-6, 6), st.integers(1, 30)
names = st.integers(0, 30)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("limit"), sides, ticks, lots, st.sampled_from([0, 0, 0, 1, 3, 7]), st.just(False)),
        st.tuples(st.just("limit"), sides, ticks, lots, st.just(0), st.just(True)),
        st.tuples(st.just("take"), sides, lots, st.one_of(st.none(), ticks)),
        st.tuples(st.just("cancel"), names),
        st.tuples(st.just("replace"), names, ticks, lots),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(operations)
def test_it_matches_as_a_naive_market_does_and_its_rows_tell_the_book(steps):
    market, naive = Exchange(), NaiveMarket()
    held, number = {}, {}
    told = NaiveBook()
    rows_in_all = []
    for n, (what, *args) in enumerate(steps):
        if what == "limit":
            side, tick, size, peak, hidden = args
            naive.limit(n, side, tick, size, peak, hidden)
            placed = market.limit(side, tick, size, peak, hidden=hidden)
            held[len(held)] = n, placed
            if placed is not None:
                number[placed.id] = n
        elif what == "take":
            left = naive.match(args[0], args[1], args[2])
            assert market.take(*args) == args[1] - left
        elif what == "cancel":
            name, order = held.get(args[0], (None, None))
            if order is not None:
                naive.cancel(name)
                market.cancel(order)
        else:
            name, order = held.get(args[0], (None, None))
            if order is not None and naive.find(name) is not None:
                naive.replace(name, args[1], args[2])
                held[args[0]] = name, market.replace(order, args[1], args[2])
        rows = market.take_rows()
        rows_in_all.append(rows)
        told.apply(rows)
        assert not len(rows) or rows["marks"][-1] & LAST
    queues = {level: [(number[order], size) for order, size in queue] for level, queue in market.queues().items()}
    assert queues == naive.queues()
    by_rows = {}
    for order in told.orders.values():
        by_rows.setdefault((order.side, order.price // 10**6), []).append((order.order_id, order.size // 10**6))
    assert by_rows == market.queues()
    rows = np.concatenate(rows_in_all) if rows_in_all else np.zeros(0)
    if len(rows):
        assert rows["lots"][rows["kind"] == TRADE].sum() == sum(part for _, _, part in naive.fills)
    counts = market.counts()
    assert counts["added"] == counts["filled"] + counts["cancelled"] + counts["resting"]


def kinds(rows):
    return [(int(row["kind"]), int(row["lots"]), int(row["marks"])) for row in rows]


def test_a_native_iceberg_goes_to_the_back_under_its_own_id():
    market = Exchange()
    iceberg = market.limit(ASK, 10, 12, peak=5)
    other = market.limit(ASK, 10, 4)
    market.take_rows()
    market.take(BUY, 7)
    rows = market.take_rows()
    assert kinds(rows) == [(TRADE, 7, 0), (FILL, 5, NO_BOOK), (MODIFY, 5, 0), (FILL, 2, LAST)]
    assert rows["ref"].tolist()[1:] == [iceberg.id, iceberg.id, other.id]
    assert market.queues() == {(ASK, 10): [(other.id, 2), (iceberg.id, 5)]}


def test_hidden_lots_trade_after_everything_displayed_at_their_price_and_leave_no_book_row():
    market = Exchange()
    market.limit(ASK, 10, 6, hidden=True)
    market.limit(ASK, 10, 4)
    market.limit(ASK, 11, 3)
    assert market.best(ASK, shown=True) == 10
    market.take_rows()
    market.take(BUY, 12)
    rows = market.take_rows()
    told = [(int(r["kind"]), int(r["tick"]), int(r["lots"]), int(r["aux"])) for r in rows if r["kind"] == TRADE]
    assert told == [(TRADE, 10, 4, 0), (TRADE, 10, 6, HIDDEN), (TRADE, 11, 2, 0)]
    assert rows["lots"][rows["kind"] == FILL].sum() == 6
    assert market.counts()["hidden_filled"] == 6


def test_a_hidden_order_in_the_spread_is_met_before_the_displayed_price():
    market = Exchange()
    market.limit(ASK, 10, 4)
    market.limit(ASK, 8, 2, hidden=True)
    assert (market.best(ASK), market.best(ASK, shown=True)) == (8, 10)
    market.take_rows()
    assert market.limit(BID, 8, 2) is None
    rows = market.take_rows()
    assert kinds(rows) == [(TRADE, 2, LAST)]
    assert (market.best(ASK), rows["tick"][0]) == (10, 8)


def test_stops_enter_in_the_order_they_came_when_a_trade_reaches_them():
    market = Exchange()
    for tick in (10, 11, 12, 13):
        market.limit(ASK, tick, 5)
    first, second = market.stop(BUY, 11, 3), market.stop(BUY, 11, 4)
    far = market.stop(BUY, 13, 9)
    assert first < second < far
    market.take(BUY, 5)
    assert len([r for r in market.take_rows() if r["kind"] == TRADE]) == 1
    market.take(BUY, 1)
    prints = [(int(r["tick"]), int(r["lots"])) for r in market.take_rows() if r["kind"] == TRADE]
    assert prints == [(11, 1), (11, 3), (11, 1), (12, 3)]


def test_a_stop_that_sets_off_another_goes_on_until_none_is_left():
    market = Exchange()
    for tick in (10, 9, 8, 7):
        market.limit(BID, tick, 2)
    market.stop(SELL, 9, 2)
    market.stop(SELL, 8, 2)
    market.stop(SELL, 10, 2)
    market.take_rows()
    market.take(SELL, 1)
    rows = market.take_rows()
    # 1 at 10, then the stop at 10: 1 at 10 and 1 at 9, then that at 9: 1 at 9 and 1 at 8, then that at 8.
    assert [(int(r["tick"]), int(r["lots"])) for r in rows if r["kind"] == TRADE] == [
        (10, 1), (10, 1), (9, 1), (9, 1), (8, 1), (8, 1), (7, 1)
    ]  # fmt: skip
    assert (rows["marks"] & LAST != 0).sum() == 4


def test_a_stop_limit_rests_where_it_could_not_trade():
    market = Exchange()
    market.limit(ASK, 10, 1)
    market.limit(ASK, 12, 5)
    market.stop(BUY, 10, 4, worst=11)
    market.take_rows()
    market.take(BUY, 1)
    rows = market.take_rows()
    assert market.queues()[BID, 11][0][1] == 4
    assert (rows["kind"] == ADD).sum() == 1


def test_an_auction_trades_the_most_lots_at_one_price():
    market = Exchange()
    market.begin_call()
    for tick, size in ((12, 5), (11, 4), (10, 6)):
        market.limit(BID, tick, size)
    for tick, size in ((9, 3), (10, 4), (11, 6)):
        market.limit(ASK, tick, size)
    assert market.take(BUY, 5) == 0
    assert market.uncross() == 9
    rows = market.take_rows()
    assert rows["aux"][rows["kind"] == STATUS].tolist() == [S_AUCTION, S_LIVE]
    (print_,) = rows[rows["kind"] == TRADE]
    assert (print_["lots"], print_["tick"], print_["aux"], print_["side"]) == (9, 11, AUCTION, UNKNOWN)
    fills = rows[rows["kind"] == FILL]
    assert fills["lots"][fills["side"] == BID].sum() == fills["lots"][fills["side"] == ASK].sum() == 9
    assert (market.best(BID), market.best(ASK)) == (10, 11)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(sides, st.integers(-5, 5), st.integers(1, 9), st.booleans()), max_size=25))
def test_no_price_of_an_auction_would_have_traded_more(orders):
    market = Exchange()
    market.begin_call()
    for side, tick, size, hidden in orders:
        market.limit(side, tick, size, hidden=hidden)
    most = max(
        min(
            sum(size for side, tick, size, _ in orders if side == BID and tick >= price),
            sum(size for side, tick, size, _ in orders if side == ASK and tick <= price),
        )
        for price in range(-6, 7)
    )
    assert market.uncross() == most
    bid, ask = market.best(BID), market.best(ASK)
    assert bid is None or ask is None or bid < ask
    counts = market.counts()
    assert counts["added"] == counts["filled"] + counts["resting"]


def test_a_halt_takes_nothing_but_cancels():
    market = Exchange()
    order = market.limit(BID, 5, 3)
    market.halt()
    assert market.take(SELL, 1) == 0
    assert market.limit(ASK, 5, 1) is None
    assert market.cancel(order)
    rows = market.take_rows()
    assert rows["aux"][rows["kind"] == STATUS].tolist() == [S_HALTED]
    assert (rows["kind"] == CANCEL).sum() == 1


def test_venue_sequences_count_messages_without_a_gap():
    market = Exchange()
    for n in range(40):
        market.limit(BID if n % 2 else ASK, n % 7, 3, hidden=n % 5 == 0)
    rows = market.take_rows()
    ends = rows["marks"] & LAST != 0
    message = 1 + np.cumsum(ends) - ends
    told = np.isin(rows["kind"], (ADD, FILL, CANCEL, MODIFY))
    assert (rows["aux"][told] == message[told]).all()
    assert told.sum() >= 30


def test_a_price_outside_the_room_of_the_book_is_refused():
    from feeds.errors import BadInput

    market = Exchange()
    with pytest.raises(BadInput, match="orders or prices"):
        market.limit(BID, 10**7, 1)

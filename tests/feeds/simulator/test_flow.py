from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import ADD, ASK, BID, FILL, LAST, MODIFY, NO_BOOK, TRADE
from feeds.simulator.flow import Flow
from feeds.simulator.profiles import PROFILES, Phase, Plan
from tests.kit.reference import NaiveBook

SECOND = 1_000_000_000


def played(name, seed, seconds):
    flow = Flow(PROFILES[name], seed)
    flow.run(flow.profile.start_ns + seconds * SECOND)
    return flow, flow.give()


@pytest.mark.parametrize("name", PROFILES)
def test_a_seed_gives_the_same_bytes_and_another_seed_others(name):
    rows = played(name, 3, 10)[1]
    assert rows.tobytes() == played(name, 3, 10)[1].tobytes()
    assert rows.tobytes() != played(name, 4, 10)[1].tobytes()


@pytest.mark.parametrize("name", PROFILES)
@settings(max_examples=4, deadline=None)
@given(cuts=st.lists(st.integers(1, 4 * SECOND), max_size=12))
def test_how_time_is_cut_changes_nothing(name, cuts):
    whole = played(name, 5, 4)[1]
    flow = Flow(PROFILES[name], 5)
    pieces = []
    for cut in [*sorted(cuts), 4 * SECOND]:
        flow.run(flow.profile.start_ns + cut)
        pieces.append(flow.give())
    assert np.concatenate(pieces).tobytes() == whole.tobytes()


@pytest.mark.parametrize("name", PROFILES)
def test_the_market_is_never_crossed_and_loses_no_lot(name):
    flow = Flow(PROFILES[name], 8)
    market = flow.market
    for step in range(1, 200):
        flow.run(flow.profile.start_ns + step * 100_000_000)
        assert market.bids.best < market.asks.best
    resting = sum(order.lots + order.reserve for order in market.orders.values())
    assert market.added == market.filled + market.cancelled + resting


@pytest.mark.parametrize("name", PROFILES)
def test_the_rows_rebuild_the_market_from_its_first_snapshot(name):
    flow = Flow(PROFILES[name], 9)
    book = NaiveBook()
    book.apply(flow.market.snapshot())
    for step in range(1, 21):
        flow.run(flow.profile.start_ns + step * SECOND // 2)
        book.apply(flow.give())
        for side, half in ((BID, flow.market.bids), (ASK, flow.market.asks)):
            assert book.ticks(side) == [(tick, half.levels[tick].lots) for tick in half.ticks()]


@pytest.mark.parametrize("name", PROFILES)
def test_time_goes_forward_in_whole_microseconds_from_the_start(name):
    flow, rows = played(name, 2, 5)
    times = rows["exch_ns"]
    assert (np.diff(times) >= 0).all()
    assert (times % 1000 == 0).all()
    assert flow.profile.start_ns <= times[0]
    assert times[-1] < flow.profile.start_ns + 5 * SECOND
    assert rows["marks"][-1] & LAST


@pytest.mark.parametrize(("name", "levels"), [("mes", 25), ("perp", 300)])
def test_the_book_is_full_before_the_first_row(name, levels):
    flow = Flow(PROFILES[name], 1)
    assert not len(flow.give())
    assert len(flow.market.bids.ticks()) > levels
    assert len(flow.market.asks.ticks()) > levels


def test_an_iceberg_of_the_story_shows_itself_in_the_rows():
    iceberg = Plan(after_s=1, what="iceberg", side=ASK, lots=400, ticks=0, peak=10)
    sweep = Plan(after_s=2, what="sweep", side=BID, lots=600, ticks=1)
    phases = (Phase(seconds=10, plans=(iceberg, sweep)),)
    flow = Flow(msgspec.structs.replace(PROFILES["mes"], opening=phases, iceberg_ns=0), 11)
    flow.run(flow.profile.start_ns + 3 * SECOND)
    rows = flow.give()
    hidden = np.flatnonzero((rows["kind"] == FILL) & (rows["marks"] & NO_BOOK != 0))
    fills, refills = rows[hidden], rows[hidden + 1]
    assert len(refills) > 3
    assert (refills["kind"] == MODIFY).all()
    assert (refills["ref"] == fills["ref"]).all()
    assert (refills["tick"] == fills["tick"]).all()
    assert len(set(refills["ref"].tolist())) == 1
    assert refills["lots"].max() == 10
    placed = rows[(rows["kind"] == ADD) & (rows["ref"] == refills["ref"][0])]
    assert (placed["lots"].tolist(), placed["side"].tolist()) == ([10], [ASK])


def test_a_sweep_of_the_story_goes_through_several_prices():
    plan = Plan(after_s=1, what="sweep", side=BID, lots=5000, ticks=3)
    profile = msgspec.structs.replace(PROFILES["mes"], opening=(Phase(seconds=10, plans=(plan,)),))
    flow = Flow(profile, 2)
    flow.run(profile.start_ns + SECOND)
    best = flow.market.asks.best
    flow.give()
    flow.run(profile.start_ns + SECOND + 1000)
    rows = flow.give()
    prints = rows[rows["kind"] == TRADE]
    assert prints["tick"].tolist()[-4:] == [best, best + 1, best + 2, best + 3]
    assert flow.market.asks.best > best + 3


def test_orders_and_trades_have_ids_of_their_own():
    rows = played("mes", 6, 20)[1]
    new = rows[rows["kind"] == ADD]["ref"]
    trades = rows[rows["kind"] == TRADE]["ref"]
    assert (np.diff(new) > 0).all()
    assert (np.diff(trades) == 1).all()

from __future__ import annotations

import json
from itertools import pairwise

import msgspec
import pytest

from feeds.events import ASK, BID, SELL, TRADE
from feeds.simulator.binance_wire import BinanceWire
from feeds.simulator.flow import Flow
from feeds.simulator.profiles import PROFILES, Phase, Plan

PERP = PROFILES["perp"]
END = PERP.start_ns + 12_000_000_000


@pytest.fixture(scope="module")
def wire():
    made = BinanceWire(Flow(PERP, 21), 21)
    made.all = list(made.frames(END))
    return made


def data_of(wire, stream):
    for frame in wire.all:
        frame_data = json.loads(frame.payload)
        if frame_data.get("stream", "").startswith(f"btcusdt@{stream}"):
            yield frame, frame_data["data"]


def test_frames_come_in_the_order_of_their_receive_times_before_the_end(wire):
    times = [frame.recv_ns for frame in wire.all]
    assert times == sorted(times)
    assert PERP.start_ns < times[0]
    assert times[-1] < END


def test_book_and_trades_come_over_the_routes_of_the_venue(wire):
    routes = {json.loads(frame.payload)["stream"].partition("@")[2]: frame.channel for frame in wire.all[1:]}
    assert routes == {
        "depth@100ms": "ws:public",
        "bookTicker": "ws:public",
        "aggTrade": "ws:market",
        "markPrice@1s": "ws:market",
    }


def test_there_is_one_snapshot_and_it_comes_first(wire):
    assert [i for i, frame in enumerate(wire.all) if frame.channel not in ("ws:public", "ws:market")] == [0]
    assert wire.all[0].channel == "rest:snapshot:BTCUSDT"


def test_depth_chains_by_pu_and_the_first_one_covers_the_snapshot(wire):
    snapshot = json.loads(wire.all[0].payload)
    updates = [data for _, data in data_of(wire, "depth@100ms")]
    assert updates[0]["U"] <= snapshot["lastUpdateId"] <= updates[0]["u"]
    for before, after in pairwise(updates):
        assert after["pu"] == before["u"]
        assert after["U"] == before["u"] + 1 <= after["u"]
        assert after["T"] - before["T"] >= 100


def test_a_book_kept_by_the_documented_rules_has_the_inside_of_the_best_quotes(wire):
    """An independent book from the JSON texts alone, compared with the last bookTicker of no later update id."""
    book = {"b": {}, "a": {}}
    quotes, compared = [], 0
    for frame in wire.all:
        message = json.loads(frame.payload)
        if "lastUpdateId" in message:
            book["b"] = dict(message["bids"])
            book["a"] = dict(message["asks"])
            continue
        data = message["data"]
        if data["e"] == "bookTicker":
            quotes.append(data)
        elif data["e"] == "depthUpdate":
            for side in "ba":
                for price, size in data[side]:
                    if float(size):
                        book[side][price] = size
                    else:
                        book[side].pop(price, None)
            known = [quote for quote in quotes if quote["u"] <= data["u"]]
            if known:
                bid, ask = max(book["b"], key=float), min(book["a"], key=float)
                last = known[-1]
                assert (last["b"], last["B"], last["a"], last["A"]) == (bid, book["b"][bid], ask, book["a"][ask])
                compared += 1
    assert compared > 100


def test_trades_are_the_exchange_prints_with_makers_and_takers_told_apart(wire):
    flow = Flow(PERP, 21)
    flow.run(PERP.start_ns + 50_000_000)
    flow.give()
    flow.run(END)
    rows = flow.give()
    prints = {int(row["ref"]): row for row in rows[rows["kind"] == TRADE]}
    told = [data for _, data in data_of(wire, "aggTrade")]
    assert len(told) > 30
    assert [trade["a"] for trade in told] == list(prints)[: len(told)]
    for trade in told:
        row = prints[trade["a"]]
        assert trade["m"] == (int(row["side"]) == SELL)
        assert float(trade["p"]) == pytest.approx(int(row["tick"]) / 10)
        assert float(trade["q"]) == pytest.approx(int(row["lots"]) / 1000)
        assert trade["T"] == int(row["exch_ns"]) // 1_000_000
    for before, after in pairwise(told):
        assert after["f"] == before["l"] + 1 <= after["l"] + 1


def test_the_mark_price_comes_every_second_with_the_next_funding_time(wire):
    marks = [data for _, data in data_of(wire, "markPrice")]
    assert [after["E"] - before["E"] for before, after in pairwise(marks)] == [1000] * (len(marks) - 1)
    for data in marks:
        assert 0 < data["T"] - data["E"] <= 28_800_000
        assert data["T"] % 28_800_000 == 0
        assert abs(float(data["p"]) - 97_000) < 1_000


def test_a_liquidation_is_told_once_with_the_side_of_its_order():
    plan = Plan(after_s=2, what="liquidation", side=BID, lots=500, ticks=30)
    profile = msgspec.structs.replace(PERP, opening=(Phase(seconds=60, plans=(plan,)),))
    frames = [json.loads(frame.payload) for frame in BinanceWire(Flow(profile, 3), 3).frames(END)]
    told = [frame["data"]["o"] for frame in frames if frame.get("stream") == "btcusdt@forceOrder"]
    assert [(order["s"], order["S"], order["X"]) for order in told] == [("BTCUSDT", "BUY", "FILLED")]
    taken = [f["data"] for f in frames if f.get("stream") == "btcusdt@aggTrade" and f["data"]["T"] == told[0]["T"]]
    assert sum(round(float(trade["q"]) * 1000) for trade in taken) >= round(float(told[0]["z"]) * 1000) > 0
    assert told[0]["p"] in {trade["p"] for trade in taken}


def test_the_snapshot_is_the_market_at_its_update(wire):
    flow = Flow(PERP, 21)
    flow.run(PERP.start_ns + 50_000_000)
    snapshot = json.loads(wire.all[0].payload)
    for name, half, side in (("bids", flow.market.bids, BID), ("asks", flow.market.asks, ASK)):
        assert half.side == side
        got = [(round(float(price) * 10), round(float(size) * 1000)) for price, size in snapshot[name]]
        assert got == [(tick, half.levels[tick].lots) for tick in half.ticks()]

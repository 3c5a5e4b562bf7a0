from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    C_DAMAGED,
    C_DISCONNECT,
    CLEAR,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_MARK_PRICE,
    F_OPEN_INTEREST,
    FACT,
    GAP,
    IMPLIED,
    LAST,
    LATE,
    QUOTE,
    REGULAR,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues.hyperliquid import Hyperliquid

BTC = Instrument(venue="hyperliquid", symbol="BTC", tick="1", lot="0.00001")
T = 1790232236546


def hyper():
    return Hyperliquid({"BTC": (2, BTC)}, Checks())


def level(price, size, n=1):
    return {"px": str(price), "sz": str(size), "n": n}


def book(bids, asks, when=T, coin="BTC"):
    data = {"coin": coin, "time": when, "levels": [[level(*one) for one in bids], [level(*one) for one in asks]]}
    return json.dumps({"channel": "l2Book", "data": data})


def bbo(bid, ask, when=T):
    best = [one and level(*one) for one in (bid, ask)]
    return json.dumps({"channel": "bbo", "data": {"coin": "BTC", "time": when, "bbo": best}})


def a_print(ident, side="A", price="84143.0", size="0.00036", when=T, coin="BTC"):
    return {"coin": coin, "side": side, "px": price, "sz": size, "time": when, "hash": "0x", "tid": ident}


def trades(*prints):
    return json.dumps({"channel": "trades", "data": list(prints)})


def run(venue, *frames, at=10):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, at + i, out)
    return out.take()


def shown(rows, into=None):
    """The book that rows tell of, by (side, tick)."""
    levels = {} if into is None else into
    for kind, side, tick, lots in rows[["kind", "side", "tick", "lots"]].tolist():
        if kind == CLEAR:
            levels.clear()
        elif kind == BOOK and lots:
            levels[side, tick] = lots
        elif kind == BOOK:
            del levels[side, tick]
    return levels


FIRST = book([("84143.0", "10.25923", 36), ("84142.0", "1.5", 7)], [("84144.0", "50.66449", 18)])


def test_the_first_book_is_a_snapshot_with_its_orders():
    rows = run(hyper(), FIRST)
    assert rows[["kind", "tick", "lots", "side", "aux", "marks"]].tolist() == [
        (CLEAR, 0, 0, 0, 0, SNAPSHOT),
        (BOOK, 84143, 1_025_923, BID, 36, SNAPSHOT),
        (BOOK, 84142, 150_000, BID, 7, SNAPSHOT),
        (BOOK, 84144, 5_066_449, ASK, 18, SNAPSHOT | LAST),
        (STATUS, 0, 0, 0, S_LIVE, LAST),
    ]
    assert set(rows["exch_ns"].tolist()) == {T * 10**6}


def test_the_next_book_gives_only_what_has_changed():
    rows = run(hyper(), FIRST, book([("84143.0", "9", 35)], [("84144.0", "50.66449", 18), ("84150", "1", 2)], T + 5))
    assert rows[5:][["tick", "lots", "side", "aux", "marks"]].tolist() == [
        (84142, 0, BID, 0, IMPLIED),
        (84143, 900_000, BID, 35, 0),
        (84150, 100_000, ASK, 2, LAST),
    ]


def test_a_level_that_is_gone_from_between_others_was_taken_and_not_pushed_out_of_sight():
    rows = run(hyper(), FIRST, book([("84142.0", "1.5", 7)], [("84144.0", "50.66449", 18)], T + 5))[5:]
    assert rows[["tick", "lots", "marks"]].tolist() == [(84143, 0, LAST)]


def test_an_unchanged_book_says_that_it_is_live():
    assert run(hyper(), FIRST, FIRST)[5:][["kind", "aux", "marks"]].tolist() == [(STATUS, S_LIVE, LAST)]


def test_a_change_of_orders_alone_is_a_change():
    rows = run(hyper(), book([("84143", "1", 1)], []), book([("84143", "1", 2)], [], T + 1))[3:]
    assert rows[["tick", "lots", "aux"]].tolist() == [(84143, 100_000, 2)]


def test_a_book_older_than_the_last_is_dropped():
    venue = hyper()
    assert len(run(venue, FIRST, book([("1", "1")], [], T - 1))) == 5
    assert venue.checks.ignored == {"book older than the last": 1}


def test_an_empty_book_empties_the_book():
    rows = run(hyper(), FIRST, book([], [], T + 1))
    assert shown(rows) == {}


def test_a_newer_touch_corrects_the_book_and_an_older_one_does_not():
    venue, levels = hyper(), {}
    shown(run(venue, FIRST, bbo(("84100", "9"), ("84144", "9"), T - 1)), levels)
    assert levels == {(BID, 84143): 1_025_923, (BID, 84142): 150_000, (ASK, 84144): 5_066_449}
    rows = run(venue, bbo(("84142", "1.25", 5), ("84143", "2", 1), T + 1))
    assert rows[["kind", "tick", "lots", "side"]].tolist()[:2] == [
        (QUOTE, 84142, 125_000, BID), (QUOTE, 84143, 200_000, ASK),
    ]  # fmt: skip
    assert shown(rows, levels) == {(BID, 84142): 125_000, (ASK, 84143): 200_000, (ASK, 84144): 5_066_449}
    assert (rows["marks"] & LAST != 0).tolist() == [False, True, False, False, True]


def test_a_book_that_is_older_than_the_touch_keeps_the_touch():
    rows = run(
        hyper(), FIRST, bbo(("84145", "1"), ("84146", "1"), T + 9), book([("84143", "1")], [("84144", "1")], T + 5)
    )
    assert shown(rows) == {(BID, 84145): 100_000, (BID, 84143): 100_000, (ASK, 84146): 100_000}


def test_a_book_of_the_very_time_of_the_touch_is_as_new():
    frames = FIRST, bbo(("84145", "1"), ("84146", "1"), T + 5), book([("84143", "1")], [("84144", "1")], T + 5)
    assert shown(run(hyper(), *frames)) == {(BID, 84143): 100_000, (ASK, 84144): 100_000}


def test_a_side_without_a_best_price_is_empty():
    rows = run(hyper(), FIRST, bbo(None, ("84144", "1"), T + 1))
    assert shown(rows) == {(ASK, 84144): 100_000}


def test_a_touch_before_any_book_is_a_quote_only():
    assert run(hyper(), bbo(("84142", "1"), ("84143", "2")))["kind"].tolist() == [QUOTE, QUOTE]


LEVELS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 5)), max_size=6, unique_by=lambda one: one[0])


@settings(max_examples=200, deadline=None)
@given(
    frames=st.lists(
        st.one_of(
            st.tuples(LEVELS, LEVELS),
            st.tuples(st.none() | st.integers(1, 12), st.none() | st.integers(1, 12)),
        ),
        max_size=15,
    )
)
def test_the_rows_always_add_up_to_the_newest_book_and_touch(frames):
    venue, levels, told, best = hyper(), {}, None, None
    for i, (low, high) in enumerate(frames):
        if isinstance(low, list):
            bids = [(100 - at, size) for at, size in low]
            asks = [(101 + at, size) for at, size in high]
            frame = book(bids, asks, T + i)
            told, best = {(BID, p): s for p, s in bids} | {(ASK, p): s for p, s in asks}, None
        else:
            best = (None if low is None else 100 - low, None if high is None else 101 + high)
            frame = bbo(best[0] and (best[0], 3), best[1] and (best[1], 4), T + i)
        shown(run(venue, frame), levels)
        wanted = dict(told or {})
        if told is not None and best is not None:
            wanted = {
                (side, price): size
                for (side, price), size in wanted.items()
                if best[side == ASK] is not None and (price - best[side == ASK]) * side < 0
            }
            wanted |= {(BID, best[0]): 3} if best[0] else {}
            wanted |= {(ASK, best[1]): 4} if best[1] else {}
        assert levels == {key: size * 100_000 for key, size in wanted.items()}


def test_prints_have_the_side_of_the_taker():
    rows = run(hyper(), FIRST, trades(a_print(7, when=T + 1), a_print(8, "B", "84144.0", "0.5", T + 1)))[5:]
    assert rows[["kind", "tick", "lots", "side", "ref", "aux", "exch_ns", "marks"]].tolist() == [
        (TRADE, 84143, 36, SELL, 7, REGULAR, (T + 1) * 10**6, LAST),
        (TRADE, 84144, 50_000, BUY, 8, REGULAR, (T + 1) * 10**6, LAST),
    ]


def test_the_first_prints_are_late_where_they_are_older_than_the_book():
    venue = hyper()
    rows = run(
        venue, FIRST, trades(a_print(7, when=T - 20_000), a_print(8, when=T + 1)), trades(a_print(9, when=T - 1))
    )
    assert rows[5:][["ref", "aux"]].tolist() == [(7, LATE), (8, REGULAR), (9, REGULAR)]
    assert run(hyper(), trades(a_print(7)), trades(a_print(8)))["aux"].tolist() == [LATE, REGULAR]


def test_prints_that_are_repeated_after_a_new_connection_are_known():
    venue, out = hyper(), EventBuffer()
    run(venue, FIRST, trades(a_print(7)))
    venue.on_disconnect(20, out)
    assert out.take()[["kind", "lots"]].tolist() == [(GAP, C_DISCONNECT), (CLEAR, 0), (STATUS, 0)]
    rows = run(venue, FIRST, trades(a_print(7), a_print(8, when=T - 5)), trades(a_print(9)))
    assert rows[5:][["ref", "aux"]].tolist() == [(8, LATE), (9, REGULAR)]
    assert (venue.checks.duplicates, venue.checks.resyncs) == (1, 1)


def test_the_context_of_a_coin_gives_facts():
    ctx = {
        "funding": "0.0000018952", "openInterest": "36585.31848", "prevDayPx": "86627.0", "oraclePx": "84198.0",
        "markPx": "84148.0", "midPx": None, "impactPxs": ["84143.0", "84144.0"],
    }  # fmt: skip
    rows = run(hyper(), json.dumps({"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": ctx}}))
    assert rows[["kind", "aux", "lots", "ref", "marks"]].tolist() == [
        (FACT, F_MARK_PRICE, 84_148 * 10**9, 10, 0),
        (FACT, F_INDEX_PRICE, 84_198 * 10**9, 10, 0),
        (FACT, F_FUNDING_RATE, 1_895, 10, 0),
        (FACT, F_OPEN_INTEREST, 3_658_531_848, 10, LAST),
    ]


@pytest.mark.parametrize("bad", [("x", "1"), ("0", "1"), ("-1", "1"), ("1", "-1"), ("1", "NaN"), ("1", "1", -1)])
def test_a_book_that_cannot_be_read_costs_the_book_until_the_next(bad):
    venue = hyper()
    rows = run(venue, FIRST, book([bad], [], T + 1), book([("84143", "1")], [], T + 2))[5:]
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS, CLEAR, BOOK, STATUS]
    assert rows["lots"][0] == C_DAMAGED
    assert (venue.checks.damaged, venue.checks.gaps, venue.checks.resyncs) == (1, 1, 1)
    assert venue.wants() == []


def test_answers_errors_and_pongs_are_notices():
    venue = hyper()
    said = {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC"}}
    run(
        venue, json.dumps({"channel": "subscriptionResponse", "data": said}), '{"channel":"pong"}',
        '{"channel":"error","data":"Already subscribed"}',
    )  # fmt: skip
    assert [one.kind for one in venue.notices()] == ["ack", "pong", "error"]


def test_a_live_client_subscribes_one_stream_a_frame():
    (socket,) = Hyperliquid.sockets(["BTC"])
    assert socket.url == "wss://api.hyperliquid.xyz/ws"
    assert [json.loads(text) for text in socket.frames] == [
        {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC", "fast": True}},
        {"method": "subscribe", "subscription": {"type": "bbo", "coin": "BTC"}},
        {"method": "subscribe", "subscription": {"type": "trades", "coin": "BTC"}},
        {"method": "subscribe", "subscription": {"type": "activeAssetCtx", "coin": "BTC"}},
    ]
    (slow,) = Hyperliquid.sockets(["BTC"], fast=False)
    assert json.loads(slow.frames[0])["subscription"] == {"type": "l2Book", "coin": "BTC"}


def test_the_tick_follows_from_the_price_and_the_decimals_of_sizes():
    universe = [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40},
        {"name": "ETH", "szDecimals": 4},
        {"name": "kPEPE", "szDecimals": 0},
        {"name": "MATIC", "szDecimals": 1, "isDelisted": True},
        {"name": "NEW", "szDecimals": 2},
    ]
    contexts = [{"markPx": price} for price in ("104148.0", "2123.7", "0.004411", "1.0")] + [{"markPx": None}]
    known = Hyperliquid.read_instruments(json.dumps([{"universe": universe}, contexts]))
    assert {name: (one.tick, one.lot, one.derived) for name, one in known.items()} == {
        "BTC": ("1", "0.00001", True), "ETH": ("0.1", "0.0001", True), "kPEPE": ("0.000001", "1", True),
        "NEW": ("0.0001", "0.01", True),
    }  # fmt: skip
    assert Hyperliquid.read_instruments(json.dumps({"universe": universe}))["BTC"].tick == "0.1"
    for wrong in ("", "[]", "{}", '{"universe":[{"name":"x","szDecimals":99}]}', "null"):
        with pytest.raises(BadInput):
            Hyperliquid.read_instruments(wrong)


def test_the_fixture_of_the_venue_is_read(data):
    text = (data / "venue-fixtures" / "hyperliquid" / "ws_book_data.json").read_text()
    one = Instrument(venue="hyperliquid", symbol="BTC", tick="0.01", lot="0.01")
    venue, out = Hyperliquid({"BTC": (0, one)}, Checks()), EventBuffer()
    venue.on_frame(f'{{"channel":"l2Book","data":{text}}}', 1, out)
    assert (out.take()["kind"] == BOOK).sum() == 10
    whole = (data / "venue-fixtures" / "hyperliquid" / "ws_all_dexs_asset_ctxs.json").read_bytes()
    venue.on_frame(whole, 1, out)
    assert venue.checks.ignored == {"allDexsAssetCtxs": 1}

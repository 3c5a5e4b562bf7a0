from __future__ import annotations

import json

import pytest

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    C_DAMAGED,
    C_DISCONNECT,
    C_SEQUENCE,
    CLEAR,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    FACT,
    GAP,
    LAST,
    NONE,
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
from feeds.venues._contract import Want
from feeds.venues.gemini import Gemini

BTC = Instrument(venue="gemini", symbol="btcusd", tick="0.01", lot="0.00000001")
E = 1789456740173524809


def gemini():
    return Gemini({"btcusd": (4, BTC)}, Checks())


def depth(first, last, bids=(), asks=(), symbol="btcusd", when=E):
    return json.dumps(
        {"e": "depthUpdate", "E": when, "s": symbol, "U": first, "u": last, "b": list(bids), "a": list(asks)}
    )


def run(venue, *frames, at=10):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, at + i, out)
    return out.take()


BOOK_100 = depth(100, 100, [["99.99", "1.5"], ["99.98", "2.0"]], [["100.01", "3.0"]])
DETAILS = {
    "symbol": "BTCUSD", "quote_currency": "USD", "tick_size": 1e-8, "quote_increment": 0.01, "status": "open",
}  # fmt: skip


def test_the_first_message_is_the_whole_book_and_may_come_before_the_answer():
    venue = gemini()
    rows = run(venue, BOOK_100, '{"id":1,"status":200}')
    assert rows[["kind", "tick", "lots", "side", "ref"]].tolist() == [
        (CLEAR, 0, 0, 0, 100), (BOOK, 9999, 150_000_000, BID, 100), (BOOK, 9998, 2 * 10**8, BID, 100),
        (BOOK, 10001, 3 * 10**8, ASK, 100), (STATUS, 0, 0, 0, 100),
    ]  # fmt: skip
    assert rows["marks"].tolist() == [SNAPSHOT] * 3 + [SNAPSHOT | LAST, LAST]
    assert rows["aux"][-1] == S_LIVE
    assert set(rows["exch_ns"].tolist()) == {E}
    assert [one.kind for one in venue.notices()] == ["ack"]


def test_updates_overlap_by_the_id_they_begin_with():
    venue = gemini()
    rows = run(
        venue, BOOK_100, depth(100, 107, [["99.99", "0.0000"]]), depth(107, 108, [], [["100.01", "1"]]),
        depth(105, 120, [["99.97", "1"]]),
    )[5:]  # fmt: skip
    assert rows[["tick", "lots", "ref", "marks"]].tolist() == [
        (9999, 0, 107, LAST), (10001, 10**8, 108, LAST), (9997, 10**8, 120, LAST),
    ]  # fmt: skip
    assert venue.checks.gaps == 0


def test_a_message_that_is_part_of_the_book_already_changes_nothing():
    venue = gemini()
    update = depth(100, 107, [["99.99", "5"]])
    assert len(run(venue, BOOK_100, update, update, depth(90, 95, [["99.99", "9"]]), BOOK_100)) == 6
    assert venue.checks.duplicates == 3


def test_an_id_that_skips_ahead_is_a_gap_and_only_a_whole_book_heals_it():
    venue = gemini()
    rows = run(
        venue, BOOK_100, depth(101, 105, [["99.99", "5"]]), depth(105, 107, [["99.99", "6"]]),
        depth(200, 200, [["99.90", "1"]]),
    )[5:]  # fmt: skip
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS, CLEAR, BOOK, STATUS]
    assert rows["lots"][0] == C_SEQUENCE
    assert (venue.checks.gaps, venue.checks.resyncs) == (1, 1)
    assert venue.wants() == [Want("resubscribe", "btcusd", "update 101 does not follow 100")]
    assert [json.loads(text)["method"] for text in venue.renewal("btcusd")] == ["unsubscribe", "subscribe"]


def test_a_whole_book_in_the_middle_replaces_the_book():
    rows = run(gemini(), BOOK_100, depth(200, 200, [["99.90", "1"]]), depth(200, 201, [], [["100.00", "1"]]))[5:]
    assert rows["kind"].tolist() == [CLEAR, BOOK, STATUS, BOOK]


def test_an_update_before_the_whole_book_is_dropped():
    venue = gemini()
    assert len(run(venue, depth(90, 100, [["99.99", "5"]]))) == 0
    assert venue.checks.ignored == {"update before the snapshot": 1}


def test_each_symbol_has_its_own_chain():
    eth = Instrument(venue="gemini", symbol="ethusd", tick="0.01", lot="0.000001")
    venue = Gemini({"btcusd": (0, BTC), "ethusd": (1, eth)}, Checks())
    run(venue, BOOK_100, depth(50, 50, symbol="ethusd"), depth(100, 130), depth(50, 140, symbol="ethusd"))
    assert (venue.checks.gaps, venue.checks.duplicates) == (0, 0)


@pytest.mark.parametrize(("maker_bought", "side"), [(True, SELL), (False, BUY)])
def test_a_print_of_a_buyer_who_rested_was_sold(maker_bought, side):
    frame = json.dumps({"E": E, "s": "btcusd", "t": 7, "p": "100.01", "q": "0.5", "m": maker_bought})
    venue = gemini()
    rows = run(venue, frame, frame)
    assert rows[["kind", "tick", "lots", "side", "ref", "aux", "exch_ns", "marks"]].tolist() == [
        (TRADE, 10001, 5 * 10**7, side, 7, REGULAR, E, LAST)
    ]
    assert venue.checks.duplicates == 1


def test_quotes_are_told_by_their_fields():
    frame = {"u": 15, "s": "btcusd", "b": "99.98", "B": "2.000", "a": "100.01", "A": "3.000"}
    assert run(gemini(), json.dumps(frame))[["kind", "tick", "lots", "side", "ref", "exch_ns", "marks"]].tolist() == [
        (QUOTE, 9998, 2 * 10**8, BID, 15, NONE, 0), (QUOTE, 10001, 3 * 10**8, ASK, 15, NONE, LAST),
    ]  # fmt: skip


def test_marks_and_the_time_of_funding_are_facts_but_not_the_index_whose_scale_is_unknown():
    frames = [
        {"e": "markPrice", "E": E, "s": "btcusd", "p": "77303.727", "i": "7725880.833"},
        {"e": "fundingAmount", "E": E, "s": "btcusd", "T": E + 5, "i": 60, "f": "7.90688", "r": "0.01000",
         "p": "77302.223", "R": False},
    ]  # fmt: skip
    rows = run(gemini(), *map(json.dumps, frames))
    assert rows[["kind", "aux", "lots", "exch_ns", "marks"]].tolist() == [
        (FACT, F_MARK_PRICE, 77_303_727_000_000, E, LAST), (FACT, F_NEXT_FUNDING_NS, E + 5, E, LAST),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "bad", [[["x", "1"]], [["99.99", "-1"]], [["-1", "1"]], [["99.99"]], [[99.99, 1]], [["1e999", "1"]]]
)
def test_a_depth_message_that_cannot_be_read_costs_the_book(bad):
    venue = gemini()
    rows = run(venue, BOOK_100, depth(100, 107, bad), depth(107, 109))[5:]
    assert rows[["kind", "lots"]].tolist() == [(GAP, C_DAMAGED), (CLEAR, 0), (STATUS, 0)]
    assert venue.checks.damaged == 1


def test_a_disconnect_is_a_gap_and_the_next_book_is_new():
    venue, out = gemini(), EventBuffer()
    run(venue, BOOK_100)
    venue.on_disconnect(20, out)
    assert out.take()[["kind", "lots"]].tolist() == [(GAP, C_DISCONNECT), (CLEAR, 0), (STATUS, 0)]
    assert len(run(venue, depth(500, 507, [["99.99", "1"]]))) == 0
    assert venue.checks.gaps == 1
    assert run(venue, depth(40, 40, [["99.99", "1"]]))["kind"].tolist() == [CLEAR, BOOK, STATUS]


def test_refusals_and_pongs_are_notices():
    venue = gemini()
    run(
        venue, '{"id":4,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: nosuchperp@depth@100ms"}}',
        '{"id":0,"status":200}',
    )  # fmt: skip
    assert [(one.kind, one.text) for one in venue.notices()] == [
        ("error", "-1013 Invalid stream name: nosuchperp@depth@100ms"), ("pong", "0"),
    ]  # fmt: skip


def test_what_is_not_documented_is_asked_for_apart():
    (socket,) = Gemini.sockets(["BTCUSD", "btcgusdperp"])
    assert socket.url == "wss://ws.gemini.com?snapshot=-1"
    assert [json.loads(text) for text in socket.frames] == [
        {"id": 1, "method": "subscribe",
         "params": ["btcusd@depth@100ms", "btcusd@trade", "btcusd@bookTicker", "btcgusdperp@depth@100ms",
                    "btcgusdperp@trade", "btcgusdperp@bookTicker"]},
        {"id": 2, "method": "subscribe", "params": ["btcgusdperp@markPrice", "btcgusdperp@fundingAmount"]},
    ]  # fmt: skip


def test_the_listing_calls_the_tick_the_quotes_increment():
    one = {"btcusd": BTC}
    for listing in (DETAILS, [DETAILS]):
        known = Gemini.read_instruments(json.dumps(listing))
        assert {name: (it.tick, it.lot) for name, it in known.items()} == {
            name: (it.tick, it.lot) for name, it in one.items()
        }
    assert Gemini.listing_urls(["BTCUSD", "ethusd"]) == (
        "https://api.gemini.com/v1/symbols/details/btcusd", "https://api.gemini.com/v1/symbols/details/ethusd",
    )  # fmt: skip
    for wrong in ("", "5", "{}", '["btcusd"]', json.dumps(DETAILS | {"quote_increment": -1})):
        with pytest.raises(BadInput):
            Gemini.read_instruments(wrong)

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    BUY,
    C_DAMAGED,
    C_SEQUENCE,
    CLEAR,
    GAP,
    LAST,
    LATE,
    NONE,
    QUOTE,
    REGULAR,
    S_SYNCING,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._access import Notice
from feeds.venues.coinbase import TAKER, Coinbase
from tests.feeds.venues.captured import books_after, change, frames_of, rows_of

BTC = Instrument(venue="coinbase", symbol="BTC-USD", tick="0.01", lot="0.00000001")
ETH = Instrument(venue="coinbase", symbol="ETH-USD", tick="0.01", lot="0.00000001")
WHEN = "2026-08-09T21:05:48.170326Z"


def coinbase():
    return Coinbase({"BTC-USD": (2, BTC), "ETH-USD": (3, ETH)}, Checks())


def frame(channel, number, *events):
    return json.dumps(
        {"channel": channel, "timestamp": "2026-08-09T21:05:48.483587501Z", "sequence_num": number, "events": events}
    )


def levels(kind, *changes, product="BTC-USD", when=WHEN):
    updates = [
        {"side": side, "event_time": when, "price_level": price, "new_quantity": size} for side, price, size in changes
    ]
    return {"type": kind, "product_id": product, "updates": updates}


def book(number, kind, *changes, **more):
    return frame("l2_data", number, levels(kind, *changes, **more))


def trades(number, kind, *prints):
    one = {"product_id": "BTC-USD", "price": "65083.67", "size": "0.002186", "time": WHEN, "side": "SELL"}
    return frame("market_trades", number, {"type": kind, "trades": [one | more for more in prints]})


START = book(0, "snapshot", ("bid", "99.9", "1.5"), ("offer", "100.1", "3"), ("bid", "99.8", "2"))
OTHER = book(1, "snapshot", ("bid", "10", "1"), product="ETH-USD")


def run(venue, *frames):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, 100 + i, out)
    return out.take()


def test_a_snapshot_states_every_level_in_the_events_time():
    rows = run(coinbase(), START)
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, BOOK, STATUS]
    assert rows[["tick", "lots", "side"]].tolist()[1:4] == [
        (9990, 150_000_000, BID), (9980, 200_000_000, BID), (10010, 300_000_000, ASK),
    ]  # fmt: skip
    assert set(rows["exch_ns"].tolist()) == {1786309548_170_326_000}
    assert rows["marks"].tolist() == [SNAPSHOT] * 3 + [SNAPSHOT | LAST, LAST]


def test_the_time_of_a_message_is_its_newest_levels():
    later = levels("update", ("bid", "99.9", "1"))
    later["updates"].append(later["updates"][0] | {"event_time": "2026-08-09T21:05:48.5Z"})
    assert run(coinbase(), START, frame("l2_data", 1, later))["exch_ns"][-1] == 1786309548_500_000_000


@pytest.mark.parametrize("zero", ["0", "0.0", "0.00000000"])
def test_an_update_changes_levels_and_deletes_them_also_those_never_told(zero):
    venue = coinbase()
    rows = run(venue, START, book(1, "update", ("bid", "99.9", zero), ("bid", "7.77", zero), ("offer", "100.2", "1")))[
        5:
    ]
    assert rows[["kind", "tick", "lots", "side", "ref", "marks"]].tolist() == [
        (BOOK, 9990, 0, BID, 1, 0), (BOOK, 777, 0, BID, 1, 0), (BOOK, 10020, 100_000_000, ASK, 1, LAST),
    ]  # fmt: skip
    assert (venue.checks.gaps, venue.checks.damaged) == (0, 0)


def test_every_frame_of_the_connection_counts():
    venue = coinbase()
    rows = run(
        venue, START, frame("subscriptions", 1, {"subscriptions": {"level2": ["BTC-USD"]}}),
        frame("heartbeats", 2, {"heartbeat_counter": 5}), book(3, "update", ("bid", "99.9", "1")),
    )  # fmt: skip
    assert rows["kind"].tolist()[5:] == [BOOK]
    assert venue.checks.gaps == 0


def test_a_hole_costs_every_book_of_the_connection_and_its_length_is_known():
    venue = coinbase()
    rows = run(venue, START, OTHER, book(5, "update", ("bid", "99.9", "1")))[8:]
    assert rows[["kind", "inst"]].tolist() == [(kind, inst) for inst in (2, 3) for kind in (GAP, CLEAR, STATUS)]
    assert rows[["lots", "ref", "aux"]].tolist()[0] == (C_SEQUENCE, 3, NONE)
    assert rows["aux"][2] == S_SYNCING
    assert [want.symbol for want in venue.wants()] == ["BTC-USD", "ETH-USD"]
    again = run(venue, book(6, "snapshot", ("bid", "99.9", "1")), book(7, "update", ("bid", "99.8", "1")))
    assert again["kind"].tolist() == [CLEAR, BOOK, STATUS, BOOK]
    assert (venue.checks.gaps, venue.checks.resyncs) == (2, 1)


def test_a_hole_while_a_snapshot_is_awaited_asks_for_it_again():
    venue = coinbase()
    run(venue, START, book(5, "update", ("bid", "99.9", "1")))
    assert [want.symbol for want in venue.wants()] == ["BTC-USD"]
    run(venue, book(6, "update", ("bid", "99.9", "1")))
    assert venue.wants() == []
    run(venue, book(9, "update", ("bid", "99.9", "1")))
    assert [want.symbol for want in venue.wants()] == ["BTC-USD"]


def test_a_lost_frame_of_any_channel_is_a_hole_too():
    venue = coinbase()
    run(venue, START, frame("heartbeats", 2, {"heartbeat_counter": 5}))
    assert venue.checks.gaps == 1


def test_a_frame_that_is_no_json_is_found_by_the_next_ones_number():
    venue = coinbase()
    rows = run(venue, START, b'{"channel":"l2_data","sequence_num":1,"ev', book(2, "update", ("bid", "99.9", "1")))
    assert rows["kind"].tolist()[5:] == [GAP, CLEAR, STATUS]
    assert venue.checks.damaged == 1


def test_a_repeated_or_older_frame_changes_nothing():
    venue = coinbase()
    update = book(1, "update", ("bid", "99.9", "1"))
    assert len(run(venue, START, update, update, START, book(2, "update", ("bid", "99.9", "2")))) == 7
    assert venue.checks.duplicates == 2


def test_a_connection_that_begins_with_a_later_number_is_taken_up():
    assert len(run(coinbase(), book(13, "snapshot", ("bid", "99.9", "1")), book(14, "update", ("bid", "1", "1")))) == 4


def test_a_new_connection_counts_anew():
    venue, out = coinbase(), EventBuffer()
    run(venue, START, book(1, "update", ("bid", "99.9", "1")))
    venue.on_disconnect(900, out)
    assert out.take()["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert len(run(venue, START)) == 5
    assert (venue.checks.gaps, venue.checks.resyncs, venue.checks.duplicates) == (1, 1, 0)


def test_a_book_message_that_cannot_be_read_costs_that_book_alone():
    venue = coinbase()
    rows = run(venue, START, OTHER, book(2, "update", ("bid", "99.9", "abc")))[8:]
    assert rows[["kind", "inst"]].tolist() == [(GAP, 2), (CLEAR, 2), (STATUS, 2)]
    assert rows["lots"][0] == C_DAMAGED
    assert run(venue, book(3, "update", ("bid", "10", "2"), product="ETH-USD"))["kind"].tolist() == [BOOK]


def test_a_book_message_that_does_not_say_whose_it_is_costs_every_book():
    for events in ([{"type": "update", "product_id": 5, "updates": []}], 7):
        venue = coinbase()
        broken = json.dumps({"channel": "l2_data", "timestamp": "", "sequence_num": 2, "events": events})
        rows = run(venue, START, OTHER, broken)[8:]
        assert [inst for kind, inst in rows[["kind", "inst"]].tolist() if kind == GAP] == [2, 3]


def test_one_frame_may_hold_books_of_several_products():
    venue = coinbase()
    rows = run(
        venue, START, OTHER,
        frame(
            "l2_data", 2, levels("update", ("bid", "99", "1")), levels("update", ("bid", "9", "2"), product="ETH-USD"),
        ),
    )[8:]  # fmt: skip
    assert rows[["kind", "inst", "tick", "marks"]].tolist() == [(BOOK, 2, 9900, LAST), (BOOK, 3, 900, LAST)]


def test_the_side_of_a_trade_is_the_makers():
    assert TAKER == {"SELL": BUY, "BUY": SELL}
    rows = run(coinbase(), trades(0, "update", {"trade_id": "9", "side": "BUY"}, {"trade_id": "8"}))
    assert rows[["kind", "tick", "lots", "side", "ref", "aux"]].tolist() == [
        (TRADE, 6508367, 218600, BUY, 8, REGULAR), (TRADE, 6508367, 218600, SELL, 9, REGULAR),
    ]  # fmt: skip


def test_prints_told_at_the_subscription_are_late_and_only_new_ones_count_again():
    venue = coinbase()
    rows = run(
        venue, trades(0, "snapshot", {"trade_id": "8"}, {"trade_id": "7"}), trades(1, "update", {"trade_id": "9"}),
        trades(2, "snapshot", {"trade_id": "10"}, {"trade_id": "9"}),
    )  # fmt: skip
    assert rows[["ref", "aux"]].tolist() == [(7, LATE), (8, LATE), (9, REGULAR), (10, LATE)]
    assert (venue.checks.duplicates, venue.checks.ignored) == (0, {"print told again": 1})


def test_prints_that_never_came_are_counted():
    venue = coinbase()
    run(venue, trades(0, "update", {"trade_id": "7"}), trades(1, "update", {"trade_id": "10"}))
    assert venue.checks.problems == ["coinbase: BTC-USD: 2 prints missed before 10"]
    assert venue.checks.gaps == 0


def test_a_time_of_the_year_1_is_marked():
    rows = run(coinbase(), trades(0, "update", {"trade_id": "7", "time": "0001-01-01T00:00:00.000000Z"}))
    assert rows["marks"].tolist() == [LAST | BAD_TIME]


def test_a_ticker_tells_the_best_prices():
    one = {
        "product_id": "BTC-USD", "best_bid": "99.9", "best_bid_quantity": "1", "best_ask": "100.1",
        "best_ask_quantity": "2",
    }  # fmt: skip
    rows = run(coinbase(), frame("ticker", 0, {"type": "update", "tickers": [one]}))
    assert rows[["kind", "tick", "side", "marks"]].tolist() == [(QUOTE, 9990, BID, 0), (QUOTE, 10010, ASK, LAST)]
    assert set(rows["exch_ns"].tolist()) == {1786309548_483_587_501}


def test_a_product_in_another_dollar_is_found_under_the_plain_one():
    venue = Coinbase({"BTC-USDC": (5, BTC)}, Checks())
    assert set(run(venue, START)["inst"].tolist()) == {5}


def test_a_refusal_is_told():
    venue = coinbase()
    run(venue, '{"type":"error","message":"rate limit exceeded"}')
    assert venue.notices() == [Notice("error", "rate limit exceeded")]
    assert venue.checks.damaged == 0


def test_a_request_is_sent_for_each_channel_with_heartbeats_among_them():
    (socket,) = Coinbase.sockets(["BTC-USD", "ETH-USD"])
    requests = [json.loads(text) for text in socket.frames]
    assert [one["channel"] for one in requests] == ["level2", "market_trades", "ticker", "heartbeats"]
    assert all(one["product_ids"] == ["BTC-USD", "ETH-USD"] for one in requests)


def test_a_book_is_asked_for_anew_alone():
    frames = [json.loads(text) for text in coinbase().renewal("ETH-USD")]
    assert [one["type"] for one in frames] == ["unsubscribe", "subscribe"]
    assert all((one["channel"], one["product_ids"]) == ("level2", ["ETH-USD"]) for one in frames)


def test_tick_and_lot_are_what_the_venue_lists():
    listed = {
        "product_id": "BTC-USD",
        "base_increment": "0.00000001",
        "quote_increment": "0.01",
        "price_increment": "0.05",
    }
    found = Coinbase.read_instruments(json.dumps({"products": [listed | {"quote_currency_id": "USD"}]}))["BTC-USD"]
    assert (found.tick, found.lot, found.currency) == ("0.05", "0.00000001", "USD")
    for raw in ("{}", '{"products":[{"product_id":"A"}]}', "noise"):
        with pytest.raises(BadInput):
            Coinbase.read_instruments(raw)


# -- real frames ------------------------------------------------------------------------------
def test_the_frames_collected_elsewhere_are_read(data):
    folder = data / "venue-fixtures" / "coinbase"
    frames = [(folder / f"ws_{name}.json").read_bytes() for name in ("l2_data_snapshot", "l2_data_update")]
    venue = coinbase()
    rows = run(venue, *frames)
    assert rows["kind"].tolist() == [CLEAR] + [BOOK] * 6 + [STATUS, BOOK, BOOK]
    assert rows[["tick", "lots", "side"]].tolist()[8:] == [(6890000, 200_000_000, BID), (6890100, 0, ASK)]
    assert rows["exch_ns"].tolist()[-1] == 1775572201_456_789_000
    late = coinbase()
    rows = run(late, *((folder / f"ws_{name}.json").read_bytes() for name in ("market_trades",)))
    assert rows[["ref", "side"]].tolist() == [(995098700, SELL), (995098701, BUY)]
    assert run(coinbase(), (folder / "ws_ticker.json").read_bytes())["kind"].tolist() == [QUOTE, QUOTE]


@pytest.fixture(scope="module")
def session(data):
    path = data / "venue-captures" / "COINBASE.jsonl.zst"
    return path, list(frames_of(path)), *rows_of(path)


def test_every_book_of_a_session_equals_one_of_plain_dictionaries(session):
    _, frames, reader, rows = session
    assert [one["sequence_num"] for _, one in frames] == list(range(len(frames)))
    books, sizes = {}, {}
    for _, one in frames:
        for event in one["events"] if one["channel"] == "l2_data" else ():
            name = f"coinbase:{event['product_id']}"
            book = books.setdefault(name, {BID: {}, ASK: {}})
            for level in event["updates"]:
                side = BID if level["side"] == "bid" else ASK
                change(book, side, level["price_level"], level["new_quantity"])
            sizes[name, one["sequence_num"]] = (len(book[BID]), len(book[ASK]))
    mine, newest = {}, {}
    for name, ref, book in books_after(reader, rows):
        mine[name, ref] = (len(book[BID]), len(book[ASK]))
        newest[name] = book
    assert mine == sizes
    assert newest == books
    assert len(sizes) == 775
    assert sum(map(sum, (sizes[name, max(ref for one, ref in sizes if one == name)] for name in books))) > 60_000
    assert (reader.checks.gaps, reader.checks.damaged, reader.checks.duplicates, reader.checks.off_grid) == (0,) * 4


def test_the_book_of_a_session_is_never_crossed_and_tickers_agree_with_it_nearby(session):
    _, frames, reader, rows = session
    states = {}
    fields = ["inst", "kind", "side", "tick", "lots", "marks"]
    best = {one: {BID: {}, ASK: {}} for one in range(len(reader.instruments))}
    quotes = []
    for at, (inst, kind, side, tick, lots, marks) in enumerate(rows[fields].tolist()):
        if kind == QUOTE:
            quotes.append((at, inst, tick, lots))
        if kind != BOOK:
            continue
        if lots:
            best[inst][side][tick] = lots
        else:
            best[inst][side].pop(tick, None)
        if marks & LAST:
            bid, ask = max(best[inst][BID]), min(best[inst][ASK])
            assert bid < ask
            states.setdefault(inst, []).append((at, (bid, best[inst][BID][bid], ask, best[inst][ASK][ask])))
    agree = total = 0
    for (now, inst, *bid), (_, _, *ask) in zip(quotes[0::2], quotes[1::2], strict=True):
        before = [state for at, state in states.get(inst, []) if at < now][-4:]
        after = [state for at, state in states.get(inst, []) if at > now][:6]
        if before:
            total += 1
            agree += (*bid, *ask) in before + after
    assert (total, len(frames)) == (154, 1030)
    assert agree / total > 0.9


def test_prints_of_a_session_are_told_in_order_with_the_aggressor_at_the_right_side(session):
    _, frames, reader, rows = session
    told = {}
    for _, one in frames:
        for event in one["events"] if one["channel"] == "market_trades" else ():
            for trade in event["trades"]:
                key = (f"coinbase:{trade['product_id']}", int(trade["trade_id"]))
                told[key] = (Decimal(trade["price"]), Decimal(trade["size"]), event["type"] == "snapshot")
    prints = rows[rows["kind"] == TRADE]
    got = {}
    for inst, ref, tick, lots, aux in prints[["inst", "ref", "tick", "lots", "aux"]].tolist():
        one = reader.instruments[inst]
        got[one.name, ref] = (Decimal(one.price.text(tick)), Decimal(one.size.text(lots)), aux == LATE)
    assert got == told
    assert len(prints) == 279
    for inst in range(2):
        ids = prints["ref"][prints["inst"] == inst].tolist()
        assert ids == list(range(ids[0], ids[-1] + 1))
    # The self-test of the aggressor rule: prints at or beyond the touch as it was before them.
    best, right, wrong = {0: {BID: {}, ASK: {}}, 1: {BID: {}, ASK: {}}}, 0, 0
    for inst, kind, side, tick, lots, aux in rows[["inst", "kind", "side", "tick", "lots", "aux"]].tolist():
        if kind == BOOK:
            if lots:
                best[inst][side][tick] = lots
            else:
                best[inst][side].pop(tick, None)
        elif kind == TRADE and aux == REGULAR and best[inst][BID]:
            at_ask, at_bid = tick >= min(best[inst][ASK]), tick <= max(best[inst][BID])
            right += at_ask if side == BUY else at_bid
            wrong += at_bid if side == BUY else at_ask
    assert (right, wrong) == (71, 0)

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    BID,
    BUY,
    C_DAMAGED,
    C_SEQUENCE,
    CANCEL,
    CLEAR,
    FILL,
    GAP,
    LAST,
    LATE,
    MODIFY,
    NONE,
    OFF_LOT,
    REGULAR,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues.coinbase_full import CoinbaseFull

ONE = Instrument(venue="coinbase-full", symbol="X", tick="0.1", lot="0.001")
WHEN = "2014-11-07T08:19:27.028459Z"
URL = "https://api.exchange.coinbase.com/products/X/book?level=3"


def uuid(number):
    return f"d50ec984-77a8-460a-8000-{number:012x}"


def full():
    return CoinbaseFull({"X": (2, ONE)}, Checks())


def told(kind, sequence, **more):
    return json.dumps({"type": kind, "product_id": "X", "sequence": sequence, "time": WHEN} | more)


def opened(sequence, number, side="buy", price="99.8", size="1.5"):
    return told("open", sequence, order_id=uuid(number), side=side, price=price, remaining_size=size)


def match(sequence, maker, trade, side="sell", price="100.1", size="0.5", kind="match"):
    return told(
        kind, sequence, maker_order_id=uuid(maker), taker_order_id=uuid(99), side=side, price=price, size=size,
        trade_id=trade,
    )  # fmt: skip


def done(sequence, number, reason="canceled"):
    return told("done", sequence, order_id=uuid(number), side="buy", reason=reason)


def changed(sequence, number, size, **more):
    return told("change", sequence, order_id=uuid(number), side="buy", old_size="9", new_size=size, **more)


def snapshot(at, bids=((1, "99.9", "1.000"),), asks=((2, "100.1", "2.000"),)):
    sides = {key: [[price, size, uuid(n)] for n, price, size in side] for key, side in (("bids", bids), ("asks", asks))}
    return json.dumps({"sequence": at} | sides)


def run(venue, *frames):
    out = EventBuffer()
    for i, one in enumerate(frames):
        if '"bids"' in one:
            venue.on_snapshot("X", one, 100 + i, out)
        else:
            venue.on_frame(one, 100 + i, out)
    return out.take()


def test_a_snapshot_states_every_order():
    rows = run(full(), snapshot(10))
    assert rows[["kind", "tick", "lots", "side", "ref", "aux", "marks"]].tolist() == [
        (CLEAR, 0, 0, 0, 10, 0, SNAPSHOT), (ADD, 999, 1000, BID, 1, 10, SNAPSHOT),
        (ADD, 1001, 2000, ASK, 2, 10, SNAPSHOT | LAST), (STATUS, 0, 0, 0, 10, S_LIVE, LAST),
    ]  # fmt: skip


def test_ids_are_the_last_62_bits_of_the_uuid():
    text = "d50ec984-77a8-460a-b958-66f114b0de9b"
    venue = full()
    frame = told("open", 11, order_id=text, side="buy", price="1", remaining_size="1")
    assert run(venue, snapshot(10), frame)["ref"][-1] == 0xB95866F114B0DE9B & (2**62 - 1)
    run(venue, told("done", 12, order_id="no uuid"))
    assert venue.checks.damaged == 1


def test_the_life_of_an_order():
    rows = run(
        full(), snapshot(10, (), ()), told("received", 11, order_id=uuid(3), side="buy", price="99.8", size="2"),
        opened(12, 3), match(13, 3, 7, side="buy", price="99.8"), changed(14, 3, "0.7", price="99.8"), done(15, 3),
    )[2:]  # fmt: skip
    assert rows[["kind", "tick", "lots", "side", "ref", "marks"]].tolist() == [
        (ADD, 998, 1500, BID, 3, LAST), (FILL, 998, 500, BID, 3, 0), (TRADE, 998, 500, -BUY, 7, LAST),
        (MODIFY, 998, 700, BID, 3, LAST), (CANCEL, 998, 0, BID, 3, LAST),
    ]  # fmt: skip
    assert rows["aux"].tolist() == [12, 13, REGULAR, 14, 15]
    assert set(rows["exch_ns"].tolist()) == {1415348367_028_459_000}


def test_an_order_only_received_is_not_on_the_book_and_its_end_is_no_cancel():
    venue = full()
    frames = [
        told("received", 11, order_id=uuid(3), side="buy", funds="3000.234", order_type="market"),
        told("change", 12, order_id=uuid(3), side="buy", new_funds="5", old_funds="9", price=None),
        done(13, 3, "filled"),
    ]  # fmt: skip
    assert len(run(venue, snapshot(10), *frames)) == 4
    assert venue.checks.damaged == venue.checks.gaps == 0


def test_an_order_filled_whole_is_gone_before_its_end_is_told():
    venue = full()
    rows = run(venue, snapshot(10), match(11, 2, 7, size="2"), done(12, 2, "filled"), opened(13, 4))[4:]
    assert rows["kind"].tolist() == [FILL, TRADE, ADD]
    assert venue.checks.ignored == {"done of an order not on the book": 1}


def test_a_modify_may_change_the_price():
    rows = run(full(), snapshot(10), changed(11, 1, "3", old_price="99.9", new_price="99.5", reason="modify_order"))[4:]
    assert rows[["kind", "tick", "lots", "side", "ref"]].tolist() == [(MODIFY, 995, 3000, BID, 1)]


def test_a_change_to_nothing_removes_the_order():
    assert run(full(), snapshot(10), changed(11, 1, "0.000", price="99.9"))["kind"][-1] == CANCEL


def test_the_aggressor_is_on_the_other_side_of_the_maker():
    assert run(full(), snapshot(10), match(11, 2, 7))[["kind", "side"]].tolist()[4:] == [(FILL, ASK), (TRADE, BUY)]


def test_a_match_with_an_order_never_told_is_a_print_only():
    venue = full()
    assert run(venue, snapshot(10), match(11, 50, 7))["kind"].tolist()[4:] == [TRADE]
    assert venue.checks.unknown_orders == 1


def test_sizes_between_lots_are_kept_exactly():
    rows = run(full(), snapshot(10), match(11, 2, 7, size="1.9999"), match(12, 2, 8, size="0.0001"), done(13, 2))[4:]
    assert rows[["kind", "lots", "marks"]].tolist() == [
        (FILL, 1_999_900_000, OFF_LOT), (TRADE, 1_999_900_000, OFF_LOT | LAST),
        (FILL, 100_000, OFF_LOT), (TRADE, 100_000, OFF_LOT | LAST),
    ]  # fmt: skip


def test_sizes_of_any_length_are_counted_down_exactly():
    much = "999999999999.999"
    rows = run(full(), snapshot(10, ((1, "99.9", much),), ()), match(11, 1, 7, side="buy", size="999999999999.998"))
    assert rows["lots"][1] == 999_999_999_999_999
    assert run(full(), snapshot(10, ((1, "99.9", much),), ()), match(11, 1, 7, side="buy", size=much), done(12, 1))[
        "kind"
    ].tolist()[3:] == [FILL, TRADE]


def test_messages_wait_for_the_snapshot_and_those_it_holds_are_dropped():
    venue = full()
    assert len(run(venue, opened(9, 7), opened(10, 8), opened(11, 9))) == 0
    assert [want.what for want in venue.wants()] == ["snapshot"]
    rows = run(venue, snapshot(10))
    assert rows[["kind", "ref"]].tolist()[3:] == [(STATUS, 10), (ADD, 9)]
    assert (venue.checks.duplicates, venue.checks.gaps, venue.checks.resyncs) == (0, 0, 0)


def test_a_snapshot_too_old_for_what_waits_is_fetched_again():
    venue = full()
    run(venue, opened(15, 7))
    venue.wants()
    assert len(run(venue, snapshot(10))) == 0
    assert [want.what for want in venue.wants()] == ["snapshot"]
    assert run(venue, snapshot(14))["kind"].tolist() == [CLEAR, ADD, ADD, STATUS, ADD]


def test_a_lost_message_is_a_gap_of_known_length_that_a_new_snapshot_heals():
    venue = full()
    rows = run(venue, snapshot(10), opened(11, 5), opened(14, 6), opened(15, 7), snapshot(14))[5:]
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS, CLEAR, ADD, ADD, STATUS, ADD]
    assert rows[["lots", "ref"]].tolist()[0] == (C_SEQUENCE, 2)
    assert rows["aux"][2] == S_SYNCING
    assert (venue.checks.gaps, venue.checks.resyncs) == (1, 1)


def test_a_message_of_an_unknown_kind_counts_in_the_sequence():
    venue = full()
    assert len(run(venue, snapshot(10), told("noop", 11), opened(12, 5))) == 5
    assert (venue.checks.gaps, venue.checks.ignored) == (0, {"noop of an order not on the book": 1})


def test_sequences_of_heartbeats_and_tickers_are_not_theirs():
    venue = full()
    run(venue, snapshot(10), told("heartbeat", 90, last_trade_id=20), told("ticker", 95), opened(11, 5))
    assert venue.checks.gaps == 0


def test_a_repeated_message_changes_nothing():
    venue = full()
    assert len(run(venue, snapshot(10), opened(11, 5), opened(11, 5), match(12, 2, 7), match(12, 2, 7))) == 7
    assert venue.checks.duplicates == 2


def test_a_message_that_cannot_be_read_costs_the_book():
    rows = run(full(), snapshot(10), opened(11, 5, price="abc"))[4:]
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert rows["lots"][0] == C_DAMAGED


def test_where_nobody_fetches_orders_go_on_to_a_book_that_says_so():
    venue = full()
    venue.no_fetch = True
    rows = run(venue, snapshot(10), opened(14, 6), done(15, 1), done(16, 6))[4:]
    assert rows["kind"].tolist() == [GAP, CLEAR, STATUS, ADD, CANCEL]


def test_the_match_told_at_the_subscription_is_late_and_no_part_of_the_sequence():
    venue = full()
    rows = run(venue, snapshot(10), match(3, 50, 6, kind="last_match"), match(11, 2, 7))[4:]
    assert rows[["kind", "ref", "aux"]].tolist() == [(TRADE, 6, LATE), (FILL, 2, 11), (TRADE, 7, REGULAR)]


def test_a_disconnect_forgets_orders_and_what_waits():
    venue, out = full(), EventBuffer()
    run(venue, snapshot(10))
    venue.on_disconnect(900, out)
    assert out.take()["kind"].tolist() == [GAP, CLEAR, STATUS]
    assert len(run(venue, opened(31, 5))) == 0
    assert run(venue, snapshot(30, (), ()))["kind"].tolist() == [CLEAR, STATUS, ADD]


def test_the_snapshot_is_known_by_its_address():
    assert CoinbaseFull.snapshot_url("X") == URL
    assert CoinbaseFull.snapshot_symbol(URL) == "X"
    for other in ("", "https://api.exchange.coinbase.com/products", URL.replace("level=3", "level=2")):
        assert CoinbaseFull.snapshot_symbol(other) is None


def test_a_request_is_signed_as_the_venue_says():
    (socket,) = CoinbaseFull.sockets(["X"])
    secret = base64.b64encode(b"a secret").decode()
    signed = json.loads(CoinbaseFull.sign(socket.frames[0], "k", secret, "p", 1700000000))
    expected = hmac.new(b"a secret", b"1700000000GET/users/self/verify", hashlib.sha256).digest()
    assert base64.b64decode(signed.pop("signature")) == expected
    assert signed == {
        "type": "subscribe", "product_ids": ["X"], "channels": ["full", "heartbeat"], "key": "k", "passphrase": "p",
        "timestamp": "1700000000",
    }  # fmt: skip
    with pytest.raises(BadInput) as refused:
        CoinbaseFull.sign(socket.frames[0], "k", "not base64!", "p", 1)
    assert "not base64" not in str(refused.value)


# -- random lives -----------------------------------------------------------------------------
@st.composite
def lives(draw):
    """Messages numbered from 1, and the orders on the book after each: id -> (side, price, size in lots)."""
    orders, out, states, trade = {}, [], [{}], 0
    for number in range(1, draw(st.integers(2, 25))):
        kind = draw(st.sampled_from(["received", "open", "open", "match", "change", "done"]))
        if kind == "received" or (kind != "open" and not orders):
            out.append(told("received", number, order_id=uuid(1000 + number), side="buy"))
        elif kind == "open":
            side, price, size = draw(st.sampled_from(["buy", "sell"])), draw(st.integers(1, 9)), draw(st.integers(1, 5))
            orders = orders | {number: (side, price, size)}
            out.append(opened(number, number, side, str(price), f"0.00{size}"))
        else:
            one = draw(st.sampled_from(sorted(orders)))
            side, price, size = orders[one]
            rest = {key: value for key, value in orders.items() if key != one}
            if kind == "match":
                taken, trade = draw(st.integers(1, size)), trade + 1
                orders = rest | ({one: (side, price, size - taken)} if taken < size else {})
                out.append(match(number, one, trade, side, str(price), f"0.00{taken}"))
            elif kind == "change":
                size, price = draw(st.integers(1, 5)), draw(st.integers(1, 9))
                orders = rest | {one: (side, price, size)}
                out.append(changed(number, one, f"0.00{size}", new_price=str(price)))
            else:
                orders = rest
                out.append(done(number, one))
        states.append(orders)
    return out, states


def book_of(rows):
    orders = {}
    for kind, ref, tick, lots, side in rows[["kind", "ref", "tick", "lots", "side"]].tolist():
        if kind == CLEAR:
            orders = {}
        elif kind in (ADD, MODIFY):
            orders[ref] = ("buy" if side == BID else "sell", tick // 10, lots)
        elif kind == CANCEL:
            del orders[ref]
        elif kind == FILL:
            left = orders[ref][2] - lots
            orders[ref] = (*orders[ref][:2], left)
            if left <= 0:
                del orders[ref]
    return orders


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_snapshot_anywhere_and_the_messages_after_it_give_the_venues_book(data):
    messages, states = data.draw(lives())
    first = data.draw(st.integers(0, len(messages)))
    at = data.draw(st.integers(first, len(messages)))
    asked = data.draw(st.integers(at, len(messages)))
    sides = {"buy": [], "sell": []}
    for number, (side, price, size) in states[at].items():
        sides[side].append((number, str(price), f"0.00{size}"))
    venue = full()
    rows = run(venue, *messages[first:asked], snapshot(at, sides["buy"], sides["sell"]), *messages[asked:])
    assert book_of(rows) == states[-1]
    assert (venue.checks.gaps, venue.checks.unknown_orders, venue.checks.damaged) == (0, 0, 0)
    assert (rows["kind"] == GAP).sum() == 0


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_lost_message_is_always_found_at_the_next(data):
    messages, _ = data.draw(lives())
    if len(messages) < 2:
        return
    lost = data.draw(st.integers(0, len(messages) - 2))
    venue = full()
    rows = run(venue, snapshot(0, (), ()), *messages[:lost], *messages[lost + 1 :])
    gap = rows[rows["kind"] == GAP]
    assert gap[["lots", "ref"]].tolist() == [(C_SEQUENCE, 1)]
    assert [want.what for want in venue.wants()] == ["snapshot"]
    assert (rows["aux"][rows["kind"] == ADD] <= lost).all()
    assert NONE not in rows["ref"][rows["kind"] == ADD].tolist()

from __future__ import annotations

import json
import zlib
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import (
    ADD,
    ASK,
    BID,
    CANCEL,
    CHECKED,
    CLEAR,
    GAP,
    IMPLIED,
    KEEPS_PLACE,
    LAST,
    MODIFY,
    NONE,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._contract import Want
from feeds.venues.kraken_l3 import KrakenL3, checksum

BTC = Instrument(venue="kraken-l3", symbol="BTC/USD", tick="0.1", lot="0.00000001")
WHEN = "2024-01-15T12:00:00.000001Z"
WHEN_NS = 1705320000_000001000
# The vector of Kraken's documentation of the level3 checksum: price [orders in the order of their queue].
ASKS = {
    "44939.5": "4.52308393 0.00111261 0.00100000 0.01000000", "44950.0": "1.0334926", "44953.0": "0.64537",
    "44955.0": "0.250000", "44959.6": "0.35630000 0.35630000", "44960.1": "3.38072", "44960.2": "0.88967575",
    "44967.0": "3.14392283", "44978.5": "0.6778960", "44979.2": "0.35630000",
}  # fmt: skip
BIDS = {
    "44939.4": "0.88968699 0.45210000 0.10000000 0.14296323 0.25000000 0.10292988 0.33880000 1.28140860",
    "44937.1": "0.3346877", "44934.7": "0.35630000", "44930.2": "0.22734299 0.1000000 0.5550000 0.70000000 0.15000000",
    "44928.0": "0.105240", "44919.6": "0.33870000", "44919.5": "0.7610000", "44912.0": "0.35630000",
    "44909.7": "0.6690000", "44901.9": "0.88982",
}  # fmt: skip
VECTOR = 1063832831


def l3():
    return KrakenL3({"BTC/USD": (1, BTC)}, Checks())


def order(ident, price, size, event=""):
    said = f'"event":"{event}",' if event else ""
    return f'{{{said}"order_id":"{ident}","limit_price":{price},"order_qty":{size},"timestamp":"{WHEN}"}}'


def orders(side, sign):
    return [
        order(f"{sign}{price}-{i}", price, size)
        for price, sizes in side.items()
        for i, size in enumerate(sizes.split())
    ]


def message(kind, bids=(), asks=(), check=None):
    stated = "" if check is None else f',"checksum":{check}'
    return (
        f'{{"channel":"level3","type":"{kind}","data":[{{"symbol":"BTC/USD","timestamp":"{WHEN}",'
        f'"bids":[{",".join(bids)}],"asks":[{",".join(asks)}]{stated}}}]}}'
    ).encode()


def ack(depth):
    result = {"channel": "level3", "depth": depth, "snapshot": True, "symbol": "BTC/USD"}
    return json.dumps({"method": "subscribe", "result": result, "success": True})


def run(venue, *frames, at=10):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, at + i, out)
    return out.take()


FIRST = message(
    "snapshot",
    [order("B1", "100.0", "1.00000000"), order("B2", "100.0", "2.00000000"), order("B3", "99.9", "3.00000000")],
    [order("A1", "100.2", "4.00000000")],
)
FIELDS = ["kind", "tick", "lots", "side", "ref", "marks"]


def test_the_documented_checksum_vector():
    venue = l3()
    rows = run(venue, message("snapshot", orders(BIDS, "b"), orders(ASKS, "a"), VECTOR))
    assert checksum(venue.markets["BTC/USD"]) == VECTOR
    assert (venue.checks.checksums, venue.checks.checksums_failed) == (1, 0)
    assert (rows["kind"] == ADD).sum() == sum(len(sizes.split()) for sizes in (*BIDS.values(), *ASKS.values()))
    assert rows["marks"][-1] == LAST | CHECKED


def test_the_order_of_a_queue_enters_the_checksum():
    bids = orders(BIDS, "b")
    bids[0], bids[1] = bids[1], bids[0]
    venue = l3()
    rows = run(venue, message("snapshot", bids, orders(ASKS, "a"), VECTOR))
    assert venue.checks.checksums_failed == 1
    assert rows["marks"][-1] == LAST | SUSPECT
    assert venue.wants() == [Want("resubscribe", "BTC/USD", "checksum")]


def test_a_snapshot_adds_every_order_in_its_queue():
    rows = run(l3(), FIRST)
    assert rows[FIELDS].tolist() == [
        (CLEAR, 0, 0, 0, NONE, SNAPSHOT),
        (ADD, 1000, 10**8, BID, 0, SNAPSHOT),
        (ADD, 1000, 2 * 10**8, BID, 1, SNAPSHOT),
        (ADD, 999, 3 * 10**8, BID, 2, SNAPSHOT),
        (ADD, 1002, 4 * 10**8, ASK, 3, SNAPSHOT | LAST),
        (STATUS, 0, 0, 0, NONE, LAST),
    ]
    assert set(rows["exch_ns"].tolist()) == {WHEN_NS}


def test_orders_are_added_modified_in_place_moved_and_deleted():
    update = message(
        "update",
        [
            order("B4", "100.1", "0.50000000", "add"),
            order("B1", "100.0", "0.40000000", "modify"),
            order("B2", "99.9", "2.00000000", "modify"),
        ],
        [order("A1", "100.2", "0.0", "delete")],
    )
    venue = l3()
    rows = run(venue, FIRST, update)[6:]
    assert rows[FIELDS].tolist() == [
        (ADD, 1001, 5 * 10**7, BID, 4, 0),
        (MODIFY, 1000, 4 * 10**7, BID, 0, KEEPS_PLACE),
        (MODIFY, 999, 2 * 10**8, BID, 1, 0),
        (CANCEL, 1002, 0, ASK, 3, LAST),
    ]
    queues = venue.markets["BTC/USD"].best(BID, 10)
    assert [[one.ident for one in level] for level in queues] == [["B4"], ["B1"], ["B3", "B2"]]


def test_a_deletion_of_an_order_never_seen_is_counted_and_harmless():
    venue = l3()
    rows = run(venue, FIRST, message("update", [order("XX", "100.0", "1", "delete")]))[6:]
    assert rows["kind"].tolist() == [STATUS]
    assert (venue.checks.unknown_orders, venue.checks.gaps) == (1, 0)


def test_a_modification_of_an_order_never_seen_adds_it_and_is_counted():
    venue = l3()
    rows = run(venue, FIRST, message("update", [order("XX", "100.0", "1", "modify")]))[6:]
    assert rows["kind"].tolist() == [ADD]
    assert venue.checks.unknown_orders == 1


def test_orders_beyond_the_depth_are_dropped_after_the_message():
    venue = l3()
    bids = [order(f"B{i}", f"{100 - i}.0", "1.00000000") for i in range(10)]
    update = message("update", [order("N", "100.5", "1.00000000", "add")])
    rows = run(venue, ack(10), message("snapshot", bids), update)
    assert rows[FIELDS].tolist()[-2:] == [(ADD, 1005, 10**8, BID, 10, 0), (CANCEL, 910, 0, BID, 9, IMPLIED | LAST)]
    again = message("update", [order("N", "100.5", "0", "delete"), order("B9", "91.0", "1.00000000", "add")])
    rows = run(venue, again)
    assert rows[["kind", "ref"]].tolist() == [(CANCEL, 10), (ADD, 11)]


def test_updates_before_the_snapshot_are_dropped():
    venue = l3()
    assert len(run(venue, message("update", [order("B4", "100.1", "0.5", "add")], check=1))) == 0
    assert venue.checks.ignored == {"update before the snapshot": 1}


def test_a_message_that_cannot_be_read_costs_the_book_and_changes_nothing_of_it_before():
    bad = message("update", [order("B4", "100.1", "0.5", "add"), order("B5", "x", "1", "add").replace("x", '"x"')])
    rows = run(l3(), FIRST, bad, FIRST)[6:]
    assert rows["kind"].tolist()[:3] == [GAP, CLEAR, STATUS]
    assert rows["kind"].tolist()[3:5] == [CLEAR, ADD]


def test_prints_come_beside_the_orders():
    frame = (
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":100.0,"qty":0.5,'
        f'"ord_type":"market","trade_id":7,"timestamp":"{WHEN}"}}]}}'
    )
    assert run(l3(), frame)[["kind", "ref"]].tolist() == [(TRADE, 7)]


def test_the_fixtures_of_the_venue_are_read_but_for_their_made_up_checksums(data):
    venue = l3()
    names = ("snapshot", "update_add", "update_modify_qty", "update_modify_price", "update_delete")
    frames = [(data / "venue-fixtures" / "kraken" / f"ws_l3_{name}.json").read_bytes() for name in names]
    rows = run(venue, *(frame.replace(b'"checksum": 0,', b"") for frame in frames))
    assert rows["kind"].tolist() == [CLEAR, ADD, ADD, ADD, ADD, ADD, STATUS, ADD, MODIFY, MODIFY, CANCEL]
    assert (rows["marks"][8] & KEEPS_PLACE, rows["marks"][9] & KEEPS_PLACE) == (KEEPS_PLACE, 0)
    assert venue.checks.damaged == venue.checks.unknown_orders == 0


def test_what_a_live_client_sends_has_the_token():
    orders_socket, prints = KrakenL3.sockets(["BTC/USD"], depth=10, token="secret")
    assert orders_socket.url == "wss://ws-l3.kraken.com/v2"
    assert json.loads(orders_socket.frames[0])["params"] == {
        "channel": "level3", "symbol": ["BTC/USD"], "depth": 10, "snapshot": True, "token": "secret",
    }  # fmt: skip
    assert prints.url == "wss://ws.kraken.com/v2"
    assert "secret" not in "".join(prints.frames)


# -- against a book of plain lists ---------------------------------------------------------------
EVENTS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "add", "modify", "modify", "delete"]),
            st.integers(0, 12),
            st.one_of(st.just(100), st.integers(95, 107)),
            st.integers(1, 9),
        ),
        min_size=1,
        max_size=6,
    ),
    max_size=25,
)


def naive(book, changes):
    """One message on a list of [id, price text, size text] in the order of arrival; what is not sound is left out."""
    texts = []
    for event, ident, price, size in changes:
        name, price_text, size_text = f"O{ident}", f"{price}.0", f"{size}.0000000{size}"
        at = next((i for i, one in enumerate(book) if one[0] == name), None)
        if (event == "add") != (at is None):
            continue
        if event == "add":
            book.append([name, price_text, size_text])
        elif event == "delete":
            price_text = book.pop(at)[1]
        elif book[at][1] == price_text:
            book[at][2] = size_text
        else:
            book.pop(at)
            book.append([name, price_text, size_text])
        texts.append(order(name, price_text, size_text, event))
    prices = sorted({Decimal(one[1]) for one in book}, reverse=True)[:10]
    book[:] = [one for one in book if Decimal(one[1]) in prices]
    text = ""
    for price in prices:
        for one in book:
            if Decimal(one[1]) == price:
                text += "".join(part.replace(".", "").lstrip("0") or "0" for part in one[1:])
    return texts, zlib.crc32(text.encode())


@settings(max_examples=150, deadline=None)
@given(messages=EVENTS)
def test_any_run_of_messages_keeps_the_queues_of_a_book_of_plain_lists(messages):
    venue, book = l3(), []
    out = EventBuffer()
    venue.on_frame(ack(10), 0, out)
    venue.on_frame(message("snapshot", check=0), 0, out)
    for changes in messages:
        texts, crc = naive(book, changes)
        venue.on_frame(message("update", texts, check=crc), 1, out)
    assert venue.checks.checksums == len(messages) + 1
    assert venue.checks.checksums_failed == venue.checks.damaged == venue.checks.unknown_orders == 0
    live = {}
    for kind, ref, tick, lots in out.take()[["kind", "ref", "tick", "lots"]].tolist():
        if kind in (ADD, MODIFY):
            assert (ref in live) == (kind == MODIFY)
            live[ref] = (tick, lots)
        elif kind == CANCEL:
            del live[ref]
    assert sorted(live.values()) == sorted((BTC.price.exact(one[1]), BTC.size.exact(one[2])) for one in book)

from __future__ import annotations

import json
import zlib

import pytest

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    C_DAMAGED,
    C_DISCONNECT,
    CHECKED,
    CLEAR,
    GAP,
    IMPLIED,
    LAST,
    LATE,
    NONE,
    REGULAR,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._contract import Want
from feeds.venues._kraken import checksum, digits, field
from feeds.venues.kraken import Kraken
from feeds.venues.kraken_v1 import KrakenV1
from tests.feeds.venues.raw_texts import lines_of

BTC = Instrument(venue="kraken", symbol="BTC/USD", tick="0.1", lot="0.00000001")
WHEN = "2023-10-06T17:35:55.440295Z"
WHEN_NS = 1696613755_440295000
# The vector of Kraken's documentation of the v2 checksum, `price/qty`.
ASKS = [
    "45285.2/0.00100000", "45286.4/1.54571953", "45286.6/1.54571109", "45289.6/1.54560911", "45290.2/0.15890660",
    "45291.8/1.54553491", "45294.7/0.04454749", "45296.1/0.35380000", "45297.5/0.09945542", "45299.5/0.18772827",
]  # fmt: skip
BIDS = [
    "45283.5/0.10000000", "45283.4/1.54582015", "45282.1/0.10000000", "45281.0/0.10000000", "45280.3/1.54592586",
    "45279.0/0.07990000", "45277.6/0.03310103", "45277.5/0.30000000", "45277.3/1.54602737", "45276.6/0.15445238",
]  # fmt: skip
VECTOR = 3310070434
EMPTY = zlib.crc32(b"")


def kraken():
    return Kraken({"BTC/USD": (3, BTC)}, Checks())


def sides(*levels):
    """Levels as JSON with their numbers as written."""
    pairs = [level.split("/") for level in levels]
    return "[" + ",".join(f'{{"price":{price},"qty":{size}}}' for price, size in pairs) + "]"


def book(kind, bids=(), asks=(), check=None, when=WHEN, symbol="BTC/USD"):
    stated = "" if check is None else f',"checksum":{check}'
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":{sides(*bids)},'
        f'"asks":{sides(*asks)}{stated},"timestamp":"{when}"}}]}}'
    ).encode()


def a_print(ident, side="sell", price="45283.5", size="0.5", when=WHEN):
    return (
        f'{{"symbol":"BTC/USD","side":"{side}","price":{price},"qty":{size},"ord_type":"market",'
        f'"trade_id":{ident},"timestamp":"{when}"}}'
    )


def trades(*prints, kind="update"):
    return f'{{"channel":"trade","type":"{kind}","data":[{",".join(prints)}]}}'.encode()


def ack(depth, symbol="BTC/USD"):
    result = {"channel": "book", "depth": depth, "snapshot": True, "symbol": symbol}
    return json.dumps({"method": "subscribe", "result": result, "success": True, "req_id": 1})


def run(venue, *frames, at=10):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, at + i, out)
    return out.take()


def naive_crc(bids, asks):
    """The documented construction, over {price text: size text}."""
    text = ""
    for side, best in ((asks, False), (bids, True)):
        for price in sorted(side, key=float, reverse=best)[:10]:
            text += "".join(part.replace(".", "").lstrip("0") or "0" for part in (price, side[price]))
    return zlib.crc32(text.encode())


def test_the_documented_checksum_vector_holds_of_the_snapshot_too():
    venue = kraken()
    rows = run(venue, book("snapshot", BIDS, ASKS, VECTOR))
    assert checksum(venue.markets["BTC/USD"]) == VECTOR
    assert (venue.checks.checksums, venue.checks.checksums_failed) == (1, 0)
    assert rows["marks"][-2:].tolist() == [SNAPSHOT | LAST | CHECKED, LAST | CHECKED]


def test_a_float_on_the_way_would_break_the_vector():
    floats = [level.split("/")[0] + "/" + repr(float(level.split("/")[1])) for level in ASKS]
    venue = kraken()
    run(venue, book("snapshot", BIDS, floats, VECTOR))
    assert venue.checks.checksums_failed == 1


def test_numbers_with_an_exponent_are_written_out_before_they_are_checked():
    assert field("1e-8", BTC.size) == digits("0.00000001") == "1"
    assert field("5.5E-7", BTC.size) == digits("0.00000055")
    assert field("4.52831e4", BTC.price) == digits("45283.1")
    plain, powers = kraken(), kraken()
    frames = [book("snapshot", ["45283.5/0.00000010"], ["45285.2/0.00000100"])] * 2
    rows = run(plain, frames[0]), run(powers, frames[1].replace(b"0.00000010", b"1e-7").replace(b"0.00000100", b"1E-6"))
    assert rows[0].tolist() == rows[1].tolist()
    assert checksum(plain.markets["BTC/USD"]) == checksum(powers.markets["BTC/USD"])


def test_a_snapshot_clears_then_states_every_level_then_says_live():
    rows = run(kraken(), book("snapshot", ["45283.5/0.1", "45283.4/0.2"], ["45285.2/0.00100000"]))
    assert rows[["kind", "tick", "lots", "side"]].tolist() == [
        (CLEAR, 0, 0, 0), (BOOK, 452835, 10**7, BID), (BOOK, 452834, 2 * 10**7, BID), (BOOK, 452852, 10**5, ASK),
        (STATUS, 0, 0, 0),
    ]  # fmt: skip
    assert rows["marks"].tolist() == [SNAPSHOT, SNAPSHOT, SNAPSHOT, SNAPSHOT | LAST, LAST]
    assert rows["aux"][-1] == S_LIVE
    assert set(rows["exch_ns"].tolist()) == {WHEN_NS}
    assert set(rows["inst"].tolist()) == {3}


def test_an_update_is_one_message_applied_in_its_order_then_cut_to_the_depth():
    bids = dict(level.split("/") for level in BIDS) | {"45283.6": "1.00000000"}
    del bids["45276.6"]
    asks = dict(level.split("/") for level in ASKS) | {"45285.2": "3.00000000"}
    update = book(
        "update", ["45283.6/1.00000000"], ["45285.2/1.00000000", "45285.2/0", "45285.2/3.00000000"],
        naive_crc(bids, asks),
    )  # fmt: skip
    venue = kraken()
    rows = run(venue, ack(10), book("snapshot", BIDS, ASKS, VECTOR), update)[-5:]
    assert rows[["tick", "lots", "side", "marks"]].tolist() == [
        (452836, 10**8, BID, 0), (452852, 10**8, ASK, 0), (452852, 0, ASK, 0), (452852, 3 * 10**8, ASK, 0),
        (452766, 0, BID, IMPLIED | LAST | CHECKED),
    ]  # fmt: skip
    assert venue.checks.checksums_failed == 0


@pytest.mark.parametrize("frames", [["snapshot", "ack"], ["ack", "snapshot"], ["snapshot"]])
def test_the_depth_is_known_whether_the_answer_comes_before_or_after_the_snapshot_or_not(frames):
    venue = kraken()
    kinds = {"ack": ack(10), "snapshot": book("snapshot", BIDS, ASKS)}
    run(venue, *(kinds[name] for name in frames))
    assert venue.markets["BTC/USD"].depth == 10


def test_a_thin_snapshot_does_not_narrow_a_depth_that_was_stated():
    venue = kraken()
    run(venue, ack(100), book("snapshot", BIDS[:1], ASKS[:1]))
    assert venue.markets["BTC/USD"].depth == 100


@pytest.mark.parametrize("zero", ["0", "0.0", "0.00000000", "0e-8"])
def test_every_spelling_of_zero_deletes(zero):
    rows = run(kraken(), book("snapshot", BIDS, ASKS), book("update", [f"45283.5/{zero}"]))
    assert rows[["kind", "tick", "lots", "side"]][-1].tolist() == (BOOK, 452835, 0, BID)


def test_a_level_that_was_never_there_can_be_deleted():
    venue = kraken()
    run(venue, book("snapshot", BIDS, ASKS, VECTOR), book("update", ["45283.7/0"], (), VECTOR))
    assert (venue.checks.checksums_failed, venue.checks.gaps) == (0, 0)


def test_a_wrong_checksum_makes_the_book_suspect_and_asks_once_until_a_snapshot_heals_it():
    venue = kraken()
    wrong = book("update", ["45283.5/2"], (), 1)
    rows = run(venue, book("snapshot", BIDS, ASKS, VECTOR), wrong, wrong)
    assert rows["marks"][-2:].tolist() == [LAST | SUSPECT] * 2
    assert venue.wants() == [Want("resubscribe", "BTC/USD", "checksum")]
    assert venue.wants() == []
    run(venue, book("snapshot", BIDS, ASKS, VECTOR))
    assert (venue.checks.checksums_failed, venue.checks.resyncs) == (2, 1)
    assert [json.loads(text)["method"] for text in venue.renewal("BTC/USD")] == ["unsubscribe", "subscribe"]


def test_a_snapshot_in_the_middle_replaces_the_book():
    rows = run(kraken(), book("snapshot", BIDS, ASKS), book("snapshot", ["1.0/1"], (), zlib.crc32(b"101")))
    assert rows["kind"][-3:].tolist() == [CLEAR, BOOK, STATUS]
    assert rows["marks"][-1] == LAST | CHECKED


def test_updates_before_the_snapshot_are_dropped():
    venue = kraken()
    assert len(run(venue, book("update", ["45283.5/2"], (), 1))) == 0
    assert venue.checks.ignored == {"update before the snapshot": 1}


def test_an_emptied_book_has_the_checksum_of_nothing():
    venue = kraken()
    rows = run(venue, book("snapshot", ["1.0/1"]), book("update", ["1.0/0"], (), EMPTY))
    assert rows["marks"][-1] == LAST | CHECKED


def test_prints_have_the_side_of_the_taker_their_number_and_their_time():
    rows = run(kraken(), trades(a_print(7), a_print(8, "buy", "45285.2", "0.25")))
    assert rows[["kind", "tick", "lots", "side", "ref", "aux", "exch_ns", "marks"]].tolist() == [
        (TRADE, 452835, 5 * 10**7, SELL, 7, REGULAR, WHEN_NS, LAST),
        (TRADE, 452852, 25 * 10**6, BUY, 8, REGULAR, WHEN_NS, LAST),
    ]


def test_numbers_of_prints_tell_what_was_missed_and_what_came_twice():
    venue = kraken()
    rows = run(venue, trades(a_print(7)), trades(a_print(7)), trades(a_print(11)))
    assert rows["ref"].tolist() == [7, 11]
    assert venue.checks.duplicates == 1
    assert venue.checks.problems == ["kraken: BTC/USD: 3 prints missed before 11"]


def test_the_prints_of_before_the_subscription_are_late_and_in_order():
    rows = run(kraken(), trades(a_print(9), a_print(8), kind="snapshot"), trades(a_print(10)))
    assert rows[["ref", "aux"]].tolist() == [(8, LATE), (9, LATE), (10, REGULAR)]


def test_prices_off_the_grid_keep_their_value():
    rows = run(kraken(), book("snapshot", ["45283.55/1"]))
    assert BTC.price.fine_text(rows["tick"][1]) == "45283.55"


@pytest.mark.parametrize("bad", ['"x"', "null", "-1", '"1e999"', "1e999", "[]"])
def test_a_depth_message_that_cannot_be_read_costs_the_book(bad):
    venue = kraken()
    rows = run(venue, book("snapshot", BIDS, ASKS), book("update", [f"45283.5/{bad}"]), book("snapshot", BIDS, ASKS))
    at = rows["kind"].tolist().index(GAP)
    assert rows["kind"][at : at + 3].tolist() == [GAP, CLEAR, STATUS]
    assert rows["lots"][at] == C_DAMAGED
    assert (venue.checks.damaged, venue.checks.gaps, venue.checks.resyncs) == (1, 1, 1)
    assert [want.what for want in venue.wants()] == ["resubscribe"]


def test_a_disconnect_is_a_gap_and_forgets_the_depth():
    venue, out = kraken(), EventBuffer()
    venue.on_disconnect(5, out)
    assert len(out) == 0
    run(venue, ack(100), book("snapshot", BIDS, ASKS))
    venue.on_disconnect(6, out)
    assert out.take()[["kind", "lots"]].tolist() == [(GAP, C_DISCONNECT), (CLEAR, 0), (STATUS, 0)]
    run(venue, book("snapshot", BIDS, ASKS))
    assert venue.markets["BTC/USD"].depth == 10


def test_answers_errors_pongs_and_the_system_are_notices():
    venue = kraken()
    run(
        venue,
        ack(25),
        '{"error":"Currency pair not supported XX/YY","method":"subscribe","success":false,"symbol":"XX/YY"}',
        '{"error":"Exceeded msg rate"}',
        '{"method":"pong","time_in":"2023-09-24T14:10:23.799685Z","time_out":"2023-09-24T14:10:23.799703Z"}',
        '{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2"}]}',
        '{"channel":"status","type":"update","data":[{"system":"maintenance"}]}',
        '{"channel":"heartbeat"}',
    )
    assert [(one.kind, one.text) for one in venue.notices()] == [
        ("ack", "book BTC/USD"),
        ("error", "XX/YY: Currency pair not supported XX/YY"),
        ("error", ": Exceeded msg rate"),
        ("pong", ""),
        ("closing", "system maintenance"),
    ]
    assert venue.checks.ignored["heartbeat"] == 1


def test_what_a_live_client_sends_is_what_the_venue_describes():
    (socket,) = Kraken.sockets(["BTC/USD"], depth=10)
    assert socket.url == "wss://ws.kraken.com/v2"
    assert [json.loads(text) for text in socket.frames] == [
        {
            "method": "subscribe",
            "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 10, "snapshot": True},
        },
        {"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"], "snapshot": False}},
    ]


def test_instruments_come_from_rest_under_the_names_of_v2_and_from_the_channel():
    pair = {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8, "quote": "ZUSD", "tick_size": "0.1"}
    doge = {"wsname": "XDG/USD", "pair_decimals": 7, "lot_decimals": 8, "quote": "ZUSD"}
    listing = json.dumps({"error": [], "result": {"XXBTZUSD": pair, "XDGUSD": doge}})
    known = Kraken.read_instruments(listing)
    assert {name: (one.tick, one.lot, one.currency) for name, one in known.items()} == {
        "BTC/USD": ("0.1", "0.00000001", "USD"),
        "DOGE/USD": ("0.0000001", "0.00000001", "USD"),
    }
    assert list(KrakenV1.read_instruments(listing)) == ["XBT/USD", "XDG/USD"]
    frame = (
        '{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"BTC/USD","quote":"USD",'
        '"price_increment":0.1,"qty_increment":1e-08,"status":"online"}]}}'
    )
    assert Kraken.read_instruments(frame) == {"BTC/USD": known["BTC/USD"]}
    for wrong in ("", "[]", "{}", '{"result":5}', '{"data":{"pairs":[{"symbol":"x"}]}}'):
        with pytest.raises(BadInput):
            Kraken.read_instruments(wrong)


# -- real data --------------------------------------------------------------------------------
def test_the_real_updates_of_v1_written_as_v2_have_the_checksums_that_the_venue_stated(data):
    """4,269 real checksums over the levels' text: only the frame around them is made here."""
    lines = lines_of(data / "venue-captures" / "KRAKEN.jsonl.zst")
    listing = next(line["data"] for line in lines if line["t"] == "http")
    known = Kraken.read_instruments(listing)
    names = {name.replace("/XBT", "/BTC").replace("XBT/", "BTC/") for name in ("XBT/CHF", "ADA/XBT")}
    assert names <= set(known)
    venue = Kraken({name: (i, one) for i, (name, one) in enumerate(known.items())}, Checks())
    out = EventBuffer()
    for line in lines:
        frame = json.loads(line["data"]) if line["t"] == "recv" else None
        if not isinstance(frame, list) or not frame[-2].startswith("book"):
            continue
        payloads = frame[1:-2]
        symbol = frame[-1].replace("XBT", "BTC")
        kind = "snapshot" if "as" in payloads[0] else "update"
        found = {"b": [], "a": []}
        check = None
        for payload in payloads:
            check = payload.get("c", check)
            for key in ("b", "a"):
                found[key] += [f"{one[0]}/{one[1]}" for one in payload.get(key, payload.get(f"{key}s", []))]
        if kind == "snapshot":
            venue.on_frame(ack(1000, symbol), 1, out)
        venue.on_frame(book(kind, found["b"], found["a"], check, symbol=symbol), 1, out)
    assert (venue.checks.checksums, venue.checks.checksums_failed) == (4269, 0)
    assert venue.checks.damaged == venue.checks.gaps == 0


def test_the_fixtures_of_the_venue_are_read(data):
    folder = data / "venue-fixtures" / "kraken"
    venue = kraken()
    rows = run(venue, *((folder / f"ws_{name}.json").read_bytes() for name in ("book_snapshot", "book_update")))
    assert (rows["kind"] == BOOK).sum() == 7
    assert rows["tick"][1] == 1059442
    rows = run(venue, (folder / "ws_trade_update.json").read_bytes())
    assert rows[["tick", "lots", "side", "ref"]].tolist() == [
        (1059442, 27625, BUY, 10218208), (1059105, 12460, SELL, 10218209),
    ]  # fmt: skip
    assert venue.checks.damaged == 0
    assert set(rows["exch_ns"].tolist()) != {NONE}

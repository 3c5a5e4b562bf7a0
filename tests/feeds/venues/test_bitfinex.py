from __future__ import annotations

import json
import zlib
from decimal import Decimal

import msgspec
import pytest

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    BUY,
    C_DAMAGED,
    C_DISCONNECT,
    C_SEQUENCE,
    CANCEL,
    CHECKED,
    CLEAR,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    F_OPEN_INTEREST,
    FACT,
    GAP,
    KEEPS_PLACE,
    LAST,
    LATE,
    MODIFY,
    NONE,
    OFF_GRID,
    REGULAR,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
    EventBuffer,
)
from feeds.files.venue_capture import READER
from feeds.instruments import Instrument
from feeds.source import Checks, OpenOptions
from feeds.venues._bitfinex import amount, tick_of
from feeds.venues._contract import Want
from feeds.venues.bitfinex import BitfinexLevels, BitfinexOrders, signed
from tests.feeds.venues.raw_texts import received

S = "tBTCUSD"
BTC = Instrument(venue="bitfinex", symbol=S, tick="1", lot="0.00000001")
ETH = Instrument(venue="bitfinex", symbol="tETHUSD", tick="0.1", lot="0.00000001")
SEQ = '{"event":"conf","status":"OK","flags":65536}'
BOTH = '{"event":"conf","status":"OK","flags":229376}'
# 6000:1:6100:-3:5900:2:6200:-4, made for this construction.
VECTOR_ROWS = "[[6000,1,1],[5900,1,2],[6100,1,-3],[6200,1,-4]]"
VECTOR = 1756193398


def levels():
    return BitfinexLevels({S: (2, BTC), "tETHUSD": (3, ETH)}, Checks())


def orders():
    return BitfinexOrders({S: (2, BTC)}, Checks())


def subscribed(number, channel="book", symbol=S, prec="P0"):
    more = {"prec": prec, "freq": "F0", "len": "25"} if channel == "book" else {}
    said = {"event": "subscribed", "channel": channel, "chanId": number, "symbol": symbol, "pair": symbol[1:]}
    return json.dumps(said | more)


def status(number, key):
    return json.dumps({"event": "subscribed", "channel": "status", "chanId": number, "key": key})


def run(venue, *frames, at=10):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, at + i, out)
    return out.take()


def js_number(x):
    """A number as JavaScript writes it."""
    if x == 0:
        return "0"
    text, sign = repr(float(x)), ""
    if text[0] == "-":
        sign, text = "-", text[1:]
    m, _, e = text.partition("e")
    power = int(e or 0)
    a, _, b = m.partition(".")
    b = "" if b == "0" else b
    d = (a + b).lstrip("0")
    n = len(a) + power - (len(a + b) - len(d))
    d = d.rstrip("0") or "0"
    k = len(d)
    if k <= n <= 21:
        return sign + d + "0" * (n - k)
    if 0 < n <= 21:
        return f"{sign}{d[:n]}.{d[n:]}"
    if -6 < n <= 0:
        return f"{sign}0.{'0' * -n}{d}"
    return sign + d[0] + ("." + d[1:] if k > 1 else "") + "e" + ("+" if n > 1 else "-") + str(abs(n - 1))


# -- by price ---------------------------------------------------------------------------------
def test_the_checksum_is_signed_and_takes_both_sides_in_turn():
    assert signed(zlib.crc32(b"6000:1:6100:-3:5900:2:6200:-4")) == VECTOR
    venue = levels()
    rows = run(venue, subscribed(5), f"[5,{VECTOR_ROWS}]", f'[5,"cs",{VECTOR}]')
    assert (venue.checks.checksums, venue.checks.checksums_failed) == (1, 0)
    assert rows[["kind", "aux", "marks"]][-1].tolist() == (STATUS, S_LIVE, LAST | CHECKED)


def test_a_side_that_is_shorter_leaves_the_other_alone():
    text = b"6000:1:6100:-3:5900:2"
    venue = levels()
    run(venue, subscribed(5), "[5,[[6000,1,1],[5900,1,2],[6100,1,-3]]]", f'[5,"cs",{signed(zlib.crc32(text))}]')
    assert venue.checks.checksums_failed == 0


def test_numbers_enter_the_checksum_as_they_are_written():
    text = b"0.00002503:1e-7:0.0000251:-2.5e-7"
    venue = BitfinexLevels({S: (2, msgspec.structs.replace(BTC, tick="0.00000001"))}, Checks())
    rows = run(
        venue, subscribed(5), "[5,[[0.00002503,1,1e-7],[0.0000251,1,-2.5e-7]]]",
        f'[5,"cs",{signed(zlib.crc32(text))}]',
    )  # fmt: skip
    assert venue.checks.checksums_failed == 0
    assert rows[["tick", "lots"]].tolist()[1:3] == [(2503, 10), (2510, 25)]


def test_a_price_a_million_times_below_the_tick_does_not_cost_the_book():
    text = b"0.0012345:1"
    venue = levels()
    rows = run(venue, subscribed(5), "[5,[[0.0012345,1,1]]]", f'[5,"cs",{signed(zlib.crc32(text))}]')
    assert BTC.price.fine_text(rows["tick"][1]) == "0.001234"
    assert venue.checks.checksums_failed == venue.checks.damaged == 0


def test_one_checksum_that_disagrees_is_waited_out_two_in_a_row_are_not():
    venue = levels()
    good, bad = f'[5,"cs",{VECTOR}]', '[5,"cs",1]'
    rows = run(venue, subscribed(5), f"[5,{VECTOR_ROWS}]", bad, good, bad)
    assert rows["marks"][-3:].tolist() == [LAST | SUSPECT, LAST | CHECKED, LAST | SUSPECT]
    assert venue.wants() == []
    run(venue, bad, bad)
    assert venue.wants() == [Want("resubscribe", S, "checksum")]
    assert [json.loads(text) for text in venue.renewal(S)] == [
        {"event": "unsubscribe", "chanId": 5},
        {"event": "subscribe", "channel": "book", "symbol": S, "prec": "P0", "freq": "F0", "len": "250"},
    ]
    run(venue, '{"event":"unsubscribed","status":"OK","chanId":5}', subscribed(9), f"[9,{VECTOR_ROWS}]", good)
    assert venue.checks.resyncs == 1
    assert venue.checks.ignored["channel not subscribed"] == 1


def test_levels_have_their_side_by_the_sign_and_their_orders():
    rows = run(levels(), subscribed(5), "[5,[[6000,4,1.5],[6100,2,-0.25]]]", "[5,[6000,0,1]]", "[5,[6100,0,-1]]")
    assert rows[["kind", "tick", "lots", "side", "aux", "marks"]].tolist() == [
        (CLEAR, 0, 0, 0, 0, SNAPSHOT),
        (BOOK, 6000, 150_000_000, BID, 4, SNAPSHOT),
        (BOOK, 6100, 25_000_000, ASK, 2, SNAPSHOT | LAST),
        (STATUS, 0, 0, 0, S_LIVE, LAST),
        (BOOK, 6000, 0, BID, 0, LAST),
        (BOOK, 6100, 0, ASK, 0, LAST),
    ]


def test_an_empty_book_is_a_snapshot_too():
    assert run(levels(), subscribed(5), "[5,[]]", "[5,[6000,1,1]]")["kind"].tolist() == [CLEAR, STATUS, BOOK]


def test_updates_together_in_one_message_are_no_snapshot():
    rows = run(levels(), subscribed(5), f"[5,{VECTOR_ROWS}]", "[5,[[6000,0,1],[6100,3,-1]]]")[6:]
    assert rows[["kind", "tick", "marks"]].tolist() == [(BOOK, 6000, 0), (BOOK, 6100, LAST)]


def test_the_counter_is_of_the_socket_and_a_hole_costs_every_book():
    venue = levels()
    rows = run(
        venue, SEQ, subscribed(5), subscribed(6, symbol="tETHUSD"), "[5,[[6000,1,1]],1]", "[6,[[300.5,1,1]],2]",
        '[5,"hb",3]', "[6,[300.4,1,1],7]",
    )  # fmt: skip
    gaps = rows[rows["kind"] == GAP]
    assert gaps[["lots", "ref", "inst"]].tolist() == [(C_SEQUENCE, 3, 2), (C_SEQUENCE, 3, 3)]
    assert rows["kind"][-1] == STATUS
    assert venue.checks.gaps == 2
    assert [(want.what, want.symbol) for want in venue.wants()] == [("resubscribe", S), ("resubscribe", "tETHUSD")]
    assert venue.checks.ignored["update before the snapshot"] == 1


def test_a_frame_that_comes_twice_changes_nothing():
    venue = levels()
    frames = [SEQ, subscribed(5), "[5,[[6000,1,1]],1]", "[5,[6000,1,2],2]"]
    once = run(venue, *frames)
    assert len(run(venue, "[5,[6000,1,1],1]", frames[-1])) == 0
    assert venue.checks.duplicates == 2
    assert len(run(venue, "[5,[6000,1,3],3]")) == 1
    assert len(once) == 4


def test_a_counter_that_starts_anywhere_is_taken_as_it_comes():
    venue = levels()
    run(venue, SEQ, subscribed(5), "[5,[[6000,1,1]],40]", "[5,[6000,1,2],41]")
    assert venue.checks.gaps == 0


def test_the_time_behind_the_counter_is_the_books():
    rows = run(levels(), BOTH, subscribed(5), "[5,[[6000,1,1]],1,1790134414850]", "[5,[6000,0,1],2,1790134414851]")
    assert rows["exch_ns"].tolist() == [1790134414850 * 10**6] * 3 + [1790134414851 * 10**6]


def test_without_flags_nothing_is_counted():
    venue = levels()
    rows = run(venue, subscribed(5), "[5,[[6000,1,1]]]", "[5,[6000,0,1]]")
    assert rows["exch_ns"].tolist() == [NONE] * 4
    assert venue.checks.damaged == 0


def test_a_channel_of_another_connection_means_nothing():
    venue, out = levels(), EventBuffer()
    run(venue, SEQ, subscribed(5), "[5,[[6000,1,1]],1]")
    venue.on_disconnect(20, out)
    assert out.take()[["kind", "lots"]].tolist() == [(GAP, C_DISCONNECT), (CLEAR, 0), (STATUS, 0)]
    assert len(run(venue, "[5,[6000,1,2]]")) == 0
    assert len(run(venue, SEQ, subscribed(8), "[8,[[6000,1,1]],1]")) == 3
    assert venue.checks.gaps == 1


@pytest.mark.parametrize(
    "bad", ["[5,[6000,1,0]]", "[5,[-1,1,1]]", "[5,[6000,-1,1]]", '[5,["x",1,1]]', "[5,[6000,1]]", '[5,"cs"]', "[5,{}]"]
)
def test_a_book_message_that_cannot_be_read_costs_the_book(bad):
    venue = levels()
    rows = run(venue, subscribed(5), f"[5,{VECTOR_ROWS}]", bad)[6:]
    assert rows[["kind", "lots"]].tolist() == [(GAP, C_DAMAGED), (CLEAR, 0), (STATUS, 0)]
    assert (venue.checks.damaged, venue.checks.gaps) == (1, 1)


def test_amounts_have_eight_decimals_and_no_noise_of_floats():
    assert amount("0.15000000000000002") == ("0.15000000", False)
    assert amount("-2.2626931299999997") == ("2.26269313", True)
    assert amount("-1e-7") == ("1e-7", True)


@pytest.mark.parametrize(
    ("price", "tick"),
    [("60400", "1"), ("277520", "10"), ("0.068965", "0.000001"), ("1926.8", "0.1"), ("9.9", "0.0001"),
     ("0.00002503", "0.00000001"), ("1", "0.0001"), ("1.1e-6", "0.00000001")],
)  # fmt: skip
def test_a_tick_is_of_the_fifth_significant_digit(price, tick):
    assert tick_of(price) == tick


# -- by order ---------------------------------------------------------------------------------
def test_orders_are_added_changed_and_deleted_by_their_id():
    venue = orders()
    rows = run(
        venue, subscribed(5, prec="R0"), "[5,[[11,6000,1],[12,6000,2],[13,6100,-1]]]", "[5,[12,6000,1.5]]",
        "[5,[11,5999,1]]", "[5,[13,0,-1]]", "[5,[14,6200,-3]]", "[5,[99,0,1]]",
    )  # fmt: skip
    assert rows[["kind", "tick", "lots", "side", "ref", "marks"]].tolist()[1:4] == [
        (ADD, 6000, 10**8, BID, 11, SNAPSHOT),
        (ADD, 6000, 2 * 10**8, BID, 12, SNAPSHOT),
        (ADD, 6100, 10**8, ASK, 13, SNAPSHOT | LAST),
    ]
    assert rows[["kind", "tick", "lots", "side", "ref", "marks"]].tolist()[5:] == [
        (MODIFY, 6000, 150_000_000, BID, 12, KEEPS_PLACE | LAST),
        (MODIFY, 5999, 10**8, BID, 11, LAST),
        (CANCEL, 6100, 0, ASK, 13, LAST),
        (ADD, 6200, 3 * 10**8, ASK, 14, LAST),
        (STATUS, 0, 0, 0, NONE, LAST),
    ]
    assert venue.checks.unknown_orders == 1


def test_the_checksum_of_orders_has_ids_for_prices_and_ids_in_order_at_one_price():
    venue = orders()
    text = b"11:1:13:-1:12:2:14:-3:10:4"
    rows = run(
        venue, subscribed(5, prec="R0"), "[5,[[12,6000,2],[11,6000,1],[10,5999,4],[14,6200,-3],[13,6100,-1]]]",
        f'[5,"cs",{signed(zlib.crc32(text))}]',
    )  # fmt: skip
    assert venue.checks.checksums_failed == 0
    assert rows["marks"][-1] == LAST | CHECKED


def test_each_reads_its_own_precision_only():
    venue = orders()
    run(venue, subscribed(5), f"[5,{VECTOR_ROWS}]")
    assert venue.checks.ignored["book P0"] == 1


# -- prints and facts -------------------------------------------------------------------------
def test_prints_have_the_side_of_the_taker_and_come_once():
    venue = levels()
    rows = run(
        venue, subscribed(7, "trades"), "[7,[[402,1574694475100,-2,6000],[401,1574694475000,0.005,6001]]]",
        '[7,"te",[403,1574694475200,-0.25,6000]]', '[7,"tu",[403,1574694475200,-0.25,6000]]',
        '[7,"te",[403,1574694475200,-0.25,6000]]', '[7,"hb"]',
    )  # fmt: skip
    assert rows[["kind", "tick", "lots", "side", "ref", "aux", "exch_ns"]].tolist() == [
        (TRADE, 6001, 500_000, BUY, 401, LATE, 1574694475000_000000),
        (TRADE, 6000, 2 * 10**8, SELL, 402, LATE, 1574694475100_000000),
        (TRADE, 6000, 25_000_000, SELL, 403, REGULAR, 1574694475200_000000),
    ]
    assert venue.checks.duplicates == 1
    assert venue.checks.ignored["tu"] == 1


def test_what_was_printed_while_the_connection_was_down_is_late_and_the_rest_known():
    venue, out = levels(), EventBuffer()
    run(venue, subscribed(7, "trades"), '[7,"te",[403,1574694475200,-0.25,6000]]')
    venue.on_disconnect(20, out)
    rows = run(venue, subscribed(8, "trades"), "[8,[[404,1574694475300,1,6000],[403,1574694475200,-0.25,6000]]]")
    assert rows[["ref", "aux"]].tolist() == [(404, LATE)]


def test_the_status_of_a_derivative_gives_facts():
    row = (
        "[1596124822000,null,0.896,0.771995,null,1396531.67460709,null,1596153600000,0.0001056,6,null,-0.01381344,"
        "null,null,0.7664,null,null,246502.09001551,null,null,null,null,0.3]"
    )
    rows = run(levels(), status(8, f"deriv:{S}"), f"[8,{row}]")
    assert rows[["kind", "aux", "lots", "exch_ns", "marks"]].tolist() == [
        (FACT, F_MARK_PRICE, 766_400_000, 1596124822000_000000, 0),
        (FACT, F_INDEX_PRICE, 771_995_000, 1596124822000_000000, 0),
        (FACT, F_FUNDING_RATE, -13_813_440, 1596124822000_000000, 0),
        (FACT, F_NEXT_FUNDING_NS, 1596153600000_000000, 1596124822000_000000, 0),
        (FACT, F_OPEN_INTEREST, 24_650_209_001_551, 1596124822000_000000, LAST),
    ]


@pytest.mark.parametrize(("size", "side", "lots"), [("-2.62932", BUY, 262_932_000), ("1", SELL, 10**8)])
def test_a_short_that_is_liquidated_buys_and_a_long_sells(size, side, lots):
    def row(matched):
        return f'["pos",142397657,1574697680828.2002,null,"{S}",{size},91.58,null,{matched},1,null,112]'

    venue = levels()
    rows = run(venue, status(9, "liq:global"), f"[9,[{row(0)}]]", f"[9,[{row(1)}]]")
    assert rows[["kind", "aux", "tick", "lots", "side", "exch_ns"]].tolist() == [
        (FACT, F_LIQUIDATION, 112, lots, side, 1574697680828_200200)
    ]
    assert venue.checks.ignored["liquidation triggered"] == 1


def test_answers_and_what_the_venue_announces_are_notices():
    venue = levels()
    run(
        venue, '{"event":"info","version":2,"platform":{"status":1}}', SEQ, subscribed(5),
        '{"event":"error","channel":"book","symbol":"tNOPE","msg":"symbol: invalid","code":10300}',
        '{"event":"info","code":20051,"msg":"Stop/Restart Websocket Server (please reconnect)"}',
        '{"event":"pong","ts":1,"cid":5}',
    )  # fmt: skip
    assert [one.kind for one in venue.notices()] == ["ack", "ack", "error", "closing", "pong"]


# -- access -----------------------------------------------------------------------------------
def test_a_live_client_sets_the_flags_before_it_subscribes():
    (socket,) = BitfinexLevels.sockets([S, "tBTCF0:USTF0"])
    sent = [json.loads(text) for text in socket.frames]
    assert sent[0] == {"event": "conf", "flags": 131072 + 65536 + 32768}
    assert [(one.get("channel"), one.get("symbol") or one.get("key")) for one in sent[1:]] == [
        ("book", S), ("trades", S), ("book", "tBTCF0:USTF0"), ("trades", "tBTCF0:USTF0"),
        ("status", "deriv:tBTCF0:USTF0"), ("status", "liq:global"),
    ]  # fmt: skip
    assert {len(socket.frames) <= 26 for socket in BitfinexLevels.sockets([f"tX{i}F0:USTF0" for i in range(20)])} == {
        True
    }


def test_tickers_list_symbols_with_the_tick_of_their_price():
    row = [S, 60400, 76.1, 60406, 86.2, -1292, -0.0209, 60410, 10.05, 62408, 60057]
    funding = ["fUSD", *range(16)]
    known = BitfinexLevels.read_instruments(json.dumps([row, funding]))
    assert {name: (one.tick, one.lot, one.currency, one.derived) for name, one in known.items()} == {
        S: ("1", "0.00000001", "USD", True)
    }
    for wrong in ("", "{}", "[5]", '[["tX"],5]', "null"):
        with pytest.raises(BadInput):
            BitfinexLevels.read_instruments(wrong)


# -- real data --------------------------------------------------------------------------------
def test_every_number_of_the_capture_is_written_as_javascript_writes_it(data):
    numbers = []
    for text in received(data / "venue-captures" / "BITFINEX.jsonl.zst"):
        if text.startswith("["):
            json.loads(text, parse_float=numbers.append, parse_int=numbers.append)
    assert len(numbers) > 10_000
    assert [js_number(float(text)) for text in numbers] == numbers


def test_a_checksum_over_a_real_book_agrees_with_one_over_its_numbers(data):
    """The capture has none; what the venue would state is computed from floats, by JavaScript's rule."""
    reader = READER.open(data / "venue-captures" / "BITFINEX.jsonl.zst", OpenOptions())
    known = {one.symbol: (i, one) for i, one in enumerate(reader.instruments)}
    venue, out = BitfinexLevels(known, Checks()), EventBuffer()
    channels, books, checked = {}, {}, 0
    for text in received(data / "venue-captures" / "BITFINEX.jsonl.zst"):
        venue.on_frame(text, 1, out)
        frame = json.loads(text)
        if isinstance(frame, dict):
            if frame.get("channel") == "book":
                channels[frame["chanId"]] = {}
            continue
        book = channels.get(frame[0])
        if book is None or frame[1] == "hb":
            continue
        for price, n, size in frame[1] if isinstance(frame[1][0], list) else [frame[1]]:
            side = book.setdefault(size > 0, {})
            if n:
                side[price] = size
            else:
                side.pop(price)
        texts = []
        bids, asks = sorted(book.get(True, {}), reverse=True)[:25], sorted(book.get(False, {}))[:25]
        for i in range(25):
            for prices, side in ((bids, True), (asks, False)):
                texts += [f"{js_number(price)}:{js_number(book[side][price])}" for price in prices[i : i + 1]]
        stated = signed(zlib.crc32(":".join(texts).encode()))
        venue._flags = 0  # what is added here is outside the socket's counter
        venue.on_frame(f'[{frame[0]},"cs",{stated}]', 1, out)
        venue._flags = 65536
        checked += 1
        books[frame[0]] = book
    assert checked == venue.checks.checksums == 1600
    assert venue.checks.checksums_failed == venue.checks.damaged == venue.checks.gaps == 0


def test_tickers_of_the_capture_tell_the_books_of_some_moment_before(data):
    """A ticker has the best prices and the sums of 25 levels a side, of a moment up to some seconds before it.

    Of 14 that come after their book's snapshot, two on one instrument are of a moment between two messages.
    """
    path = data / "venue-captures" / "BITFINEX.jsonl.zst"
    reader = READER.open(path, OpenOptions())
    known = {one.symbol: (i, one) for i, one in enumerate(reader.instruments)}
    venue, books, told, found = BitfinexLevels(known, Checks()), {}, {}, []
    tickers = {}
    for text in received(path):
        out = EventBuffer()
        venue.on_frame(text, 1, out)
        for inst, kind, side, tick, lots, marks in out.take()[
            ["inst", "kind", "side", "tick", "lots", "marks"]
        ].tolist():
            one = reader.instruments[inst]
            book = books.setdefault(one.symbol, {BID: {}, ASK: {}})
            if kind == BOOK:
                price = Decimal(one.price.fine_text(tick) if marks & OFF_GRID else one.price.text(tick))
                book[side][price] = Decimal(one.size.text(lots))
                if not lots:
                    del book[side][price]
            if kind == BOOK and marks & LAST:
                bids, asks = sorted(book[BID], reverse=True)[:25], sorted(book[ASK])[:25]
                sums = [sum(book[side][price] for price in prices) for side, prices in ((BID, bids), (ASK, asks))]
                told.setdefault(one.symbol, []).append((bids[0], sums[0], asks[0], sums[1]))
        frame = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        if isinstance(frame, dict):
            if frame.get("channel") == "ticker":
                tickers[frame["chanId"]] = frame["symbol"]
        elif frame[0] in tickers and frame[1] != "hb" and tickers[frame[0]] in told:
            said = [round(value, 8) for value in frame[1][:4]]
            found.append(said in [[round(value, 8) for value in one] for one in told[tickers[frame[0]]]])
    assert (len(found), sum(found)) == (14, 12)

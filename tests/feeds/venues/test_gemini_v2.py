from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pytest

from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    C_DAMAGED,
    CLEAR,
    F_INDEX_PRICE,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    FACT,
    GAP,
    LAST,
    LATE,
    NONE,
    REGULAR,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
)
from feeds.files.venue_capture import READER
from feeds.instruments import Instrument
from feeds.source import Checks, OpenOptions
from feeds.venues.gemini_v2 import GeminiV2
from tests.feeds.venues.raw_texts import received

BTC = Instrument(venue="gemini-v2", symbol="BTCUSD", tick="0.01", lot="0.00000001")


def gemini():
    return GeminiV2({"BTCUSD": (4, BTC)}, Checks())


def changes(*levels, trades=None):
    more = {} if trades is None else {"trades": trades, "auction_events": []}
    return json.dumps({"type": "l2_updates", "symbol": "BTCUSD", "changes": list(levels)} | more)


def a_print(ident, side="buy", ms=1786313194672):
    return {
        "type": "trade", "event_id": ident, "price": "65206.29", "quantity": "0.5", "side": side, "symbol": "BTCUSD",
        "tid": ident, "timestamp": ms,
    }  # fmt: skip


def run(venue, *frames, at=10):
    out = EventBuffer()
    for i, one in enumerate(frames):
        venue.on_frame(one, at + i, out)
    return out.take()


FIRST = changes(["buy", "65206.28", "0.5"], ["sell", "65206.30", "1"], trades=[])


def test_the_message_with_prints_is_the_whole_book_and_its_prints_are_late():
    venue = gemini()
    rows = run(venue, changes(["buy", "65206.28", "0.5"], trades=[a_print(9, "sell", 9), a_print(8, ms=8)]))
    assert rows[["kind", "aux"]].tolist() == [(CLEAR, 0), (BOOK, 0), (STATUS, S_LIVE), (TRADE, LATE), (TRADE, LATE)]
    assert rows["marks"].tolist() == [SNAPSHOT, SNAPSHOT | LAST, LAST, LAST, LAST]
    assert rows["ref"].tolist()[-2:] == [8, 9]
    rows = run(venue, json.dumps(a_print(9, "sell", 9)), json.dumps(a_print(10)))
    assert rows[["tick", "lots", "side", "ref", "aux", "exch_ns"]].tolist() == [
        (6520629, 5 * 10**7, BUY, 10, REGULAR, 1786313194672_000000)
    ]
    assert venue.checks.duplicates == 1


@pytest.mark.parametrize(("said", "side"), [("buy", BUY), ("sell", SELL)])
def test_a_print_has_the_side_of_the_taker(said, side):
    assert run(gemini(), json.dumps(a_print(1, said)))["side"].tolist() == [side]


@pytest.mark.parametrize("zero", ["0", "0.0", "0.00000000"])
def test_levels_are_absolute_and_zero_deletes(zero):
    rows = run(gemini(), FIRST, changes(["buy", "65206.28", zero], ["sell", "65206.31", "2"]))[4:]
    assert rows[["tick", "lots", "side", "exch_ns", "ref", "marks"]].tolist() == [
        (6520628, 0, BID, NONE, NONE, 0), (6520631, 2 * 10**8, ASK, NONE, NONE, LAST),
    ]  # fmt: skip


def test_a_second_whole_book_replaces_the_first():
    assert run(gemini(), FIRST, FIRST)["kind"].tolist()[4:] == [CLEAR, BOOK, BOOK, STATUS]


@pytest.mark.parametrize("bad", [["hold", "1", "1"], ["buy", "x", "1"], ["buy", "1", "-1"], ["buy", "1"]])
def test_a_message_that_cannot_be_read_costs_the_book(bad):
    rows = run(gemini(), FIRST, changes(bad))[4:]
    assert rows[["kind", "lots"]].tolist() == [(GAP, C_DAMAGED), (CLEAR, 0), (STATUS, 0)]


def test_marks_and_funding_are_facts():
    frames = [
        {"changes": [{"mark_price": "77233.302", "spot_index": "77188.41867", "timestamp": 1789456071687541147}],
         "symbol": "BTCUSD", "type": "mark_price_updates"},
        {"changes": [{"funding_amount": "9.25568", "funding_date_time": 1789459200000000000,
                      "funding_interval_in_minutes": 60, "is_realized": False, "timestamp": 1789456071687573598}],
         "symbol": "BTCUSD", "type": "funding_amount_updates"},
    ]  # fmt: skip
    rows = run(gemini(), *map(json.dumps, frames))
    assert rows[["kind", "aux", "lots", "exch_ns", "marks"]].tolist() == [
        (FACT, F_MARK_PRICE, 77_233_302_000_000, 1789456071687541147, 0),
        (FACT, F_INDEX_PRICE, 77_188_418_670_000, 1789456071687541147, LAST),
        (FACT, F_NEXT_FUNDING_NS, 1789459200000000000, 1789456071687573598, LAST),
    ]


def test_a_refusal_is_a_notice():
    venue = gemini()
    run(venue, '{"reason":"NoValidTradingPairs","result":"error"}')
    assert [(one.kind, one.text) for one in venue.notices()] == [("error", "NoValidTradingPairs")]


# -- real data --------------------------------------------------------------------------------
def test_the_capture_gives_the_book_of_plain_dictionaries_after_every_message_and_is_never_crossed(data):
    path = data / "venue-captures" / "GEMINI.jsonl.zst"
    reader = READER.open(path, OpenOptions())
    known = {one.symbol: (i, one) for i, one in enumerate(reader.instruments)}
    assert len(known) == 10
    venue, told, books, compared = GeminiV2(known, Checks()), {}, {}, 0
    for text in received(path):
        frame = json.loads(text)
        out = EventBuffer()
        venue.on_frame(text, 1, out)
        rows = out.take()
        if frame["type"] != "l2_updates":
            continue
        symbol = frame["symbol"]
        one = known[symbol][1]
        if "trades" in frame:
            told[symbol] = {}
        for side, price, size in frame["changes"]:
            if Decimal(size):
                told[symbol][side, Decimal(price)] = Decimal(size)
            else:
                del told[symbol][side, Decimal(price)]
        for kind, side, tick, lots in rows[["kind", "side", "tick", "lots"]].tolist():
            if kind == CLEAR:
                books[symbol] = {}
            elif kind == BOOK:
                key = "buy" if side == BID else "sell", Decimal(one.price.text(tick))
                books[symbol][key] = Decimal(one.size.text(lots))
                if not lots:
                    del books[symbol][key]
        assert books[symbol] == told[symbol]
        bids = [price for side, price in told[symbol] if side == "buy"]
        asks = [price for side, price in told[symbol] if side == "sell"]
        assert max(bids) < min(asks)
        compared += 1
    assert compared == 559
    assert venue.checks.damaged == venue.checks.gaps == venue.checks.duplicates == venue.checks.off_grid == 0


def test_the_prints_of_the_capture_are_bought_at_the_ask(data):
    path = data / "venue-captures" / "GEMINI.jsonl.zst"
    reader = READER.open(path, OpenOptions())
    rows = np.concatenate(list(reader.rows()))
    prints = rows[rows["kind"] == TRADE]
    assert (len(prints), (prints["aux"] == REGULAR).sum()) == (812, 2)
    asks = {}
    told = 0
    for kind, inst, side, tick, lots, aux in rows[["kind", "inst", "side", "tick", "lots", "aux"]].tolist():
        book = asks.setdefault(inst, set())
        if kind == CLEAR:
            book.clear()
        elif kind == BOOK and side == ASK:
            (book.add if lots else book.discard)(tick)
        elif kind == TRADE and aux == REGULAR:
            assert (tick, side) == (min(book), BUY)
            told += 1
    assert told == 2

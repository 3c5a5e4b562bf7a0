"""Facts as rows: whom they concern, and which field holds what."""

from __future__ import annotations

import pytest

from feeds.errors import BadInput
from feeds.events import (
    BUY,
    F_LIQUIDATION,
    F_OPEN_INTEREST,
    F_PUT_VOLUME,
    F_SHORT_INTEREST,
    FACT,
    LAST,
    NONE,
    OFF_GRID,
    OFF_LOT,
    EventBuffer,
)
from feeds.facts.fact import Fact
from feeds.facts.files import parse_facts
from feeds.facts.rows import Subjects, fact_rows
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues.binance_futures import BinanceFutures

ABC = Instrument(venue="nasdaq", symbol="BRK.B", tick="0.01")
BTC = Instrument(venue="binance_futures", symbol="BTCUSDT", tick="0.1", lot="0.001")
FIELDS = ["recv_ns", "exch_ns", "tick", "lots", "ref", "aux", "inst", "kind", "side", "marks"]


def fact(symbol: str, kind: int, value: int, side: int = 0, price: int = 0) -> Fact:
    return Fact(
        symbol=symbol,
        kind=kind,
        value=value,
        as_of_ns=5,
        known_ns=9,
        source="s",
        place="f: line 2",
        side=side,
        price=price,
    )


def test_a_row_holds_value_as_of_and_kind_where_the_table_says():
    rows = fact_rows([fact("BRK.B", F_SHORT_INTEREST, 30 * 10**12)], Subjects([ABC, BTC]))
    assert rows[FIELDS].tolist() == [(9, NONE, 0, 30 * 10**12, 5, F_SHORT_INTEREST, 0, FACT, 0, LAST)]
    assert fact_rows([fact("BRK.B", F_SHORT_INTEREST, 1)], Subjects([ABC]), 77)["recv_ns"].tolist() == [77]


@pytest.mark.parametrize("symbol", ["BRK.B", "BRK/B", "BRKB", "BRK-B", "BRK B", "nasdaq:BRK.B"])
def test_the_ways_to_write_a_share_class_are_one_symbol(symbol):
    assert Subjects([BTC, ABC]).of(symbol) == (1,)


def test_other_symbols_concern_nobody():
    subjects = Subjects([ABC])
    for symbol in ("BRK", "brk.b", "bats:BRK.B", "$EQUITY", ""):
        assert not subjects.wanted(symbol)
    assert len(fact_rows([fact("BRK", F_SHORT_INTEREST, 1)], subjects)) == 0


def test_the_chosen_market_concerns_every_instrument():
    facts = [fact("$TOTAL", F_PUT_VOLUME, 7), fact("$EQUITY", F_PUT_VOLUME, 8)]
    assert fact_rows(facts, Subjects([ABC, BTC]))[["lots", "inst"]].tolist() == [(7, 0), (7, 1)]
    assert fact_rows(facts, Subjects([ABC, BTC], market="$EQUITY"))["lots"].tolist() == [8, 8]


def test_an_alias_stands_for_a_symbol():
    subjects = Subjects([ABC, BTC], {"XBT": "BTCUSDT", "NOBODY": "NONE"})
    assert subjects.of("XBT") == (1,)
    assert not subjects.wanted("NOBODY")


def test_sizes_are_lots_of_the_instrument_or_its_fine_units():
    subjects = Subjects([BTC])
    rows = fact_rows(
        [fact("BTCUSDT", F_OPEN_INTEREST, 1_500_000_000), fact("BTCUSDT", F_OPEN_INTEREST, 1_500)], subjects
    )
    assert rows[["lots", "marks"]].tolist() == [(1500, LAST), (1500, LAST | OFF_LOT)]
    assert BTC.size.fine_text(1500) == "0.0000015"


def test_what_lots_cannot_hold_is_refused_with_its_place():
    with pytest.raises(BadInput, match="^f: line 2: value"):
        fact_rows([fact("BRK.B", F_OPEN_INTEREST, 1)], Subjects([ABC]))


def test_prices_and_rates_have_the_scale_the_venue_gives_them():
    frame = (
        b'{"e":"markPriceUpdate","E":1680652700000,"s":"BTCUSDT","p":"11794.15000000","i":"11784.62659091",'
        b'"r":"0.00038167","T":1680681600000}'
    )
    out, at_ns = EventBuffer(), 1680652700_000000000
    BinanceFutures({"BTCUSDT": (0, BTC)}, Checks()).on_frame(frame, at_ns, out)
    table = (
        b"symbol,kind,value,unit,as_of\nBTCUSDT,mark_price,11794.15,,%d\nBTCUSDT,index_price,11784.62659091,,%d\n"
        b"BTCUSDT,funding_rate,0.038167,percent,%d\nBTCUSDT,next_funding_ns,1680681600000000000,,%d\n"
    )
    ours = fact_rows(parse_facts(table % ((at_ns,) * 4), "f.csv").facts, Subjects([BTC]))
    same = ["recv_ns", "tick", "lots", "ref", "aux", "inst", "kind", "side"]
    assert ours[same].tolist() == out.take()[same].tolist()


def test_a_liquidation_is_the_row_the_venue_sends():
    frame = (
        b'{"e":"forceOrder","E":1680652700002,"o":{"s":"BTCUSDT","S":"BUY","o":"LIMIT","f":"IOC","q":"0.014",'
        b'"p":"99.10","ap":"99.15","X":"FILLED","l":"0.014","z":"0.014","T":1680652700001}}'
    )
    out, at_ns = EventBuffer(), 1680652700_001000000
    BinanceFutures({"BTCUSDT": (0, BTC)}, Checks()).on_frame(frame, at_ns, out)
    theirs = out.take()
    ours = fact_rows(
        [
            Fact(symbol="BTCUSDT", kind=F_LIQUIDATION, value=14_000_000, as_of_ns=at_ns, known_ns=at_ns, source="s",
                 side=BUY, price=99_150_000_000)
        ],
        Subjects([BTC]),
    )  # fmt: skip
    same = [name for name in FIELDS if name != "exch_ns"]  # a file has no venue's time
    assert ours[same].tolist() == theirs[same].tolist()
    assert theirs["marks"][0] == LAST | OFF_GRID

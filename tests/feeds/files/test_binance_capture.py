from __future__ import annotations

import bisect
import gzip
import json
from decimal import Decimal
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    C_SEQUENCE,
    CLEAR,
    FACT,
    FLOW_PRINTS,
    GAP,
    INSURANCE,
    LAST,
    OFF_GRID,
    OFF_LOT,
    QUOTE,
    S_LIVE,
    S_SYNCING,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
)
from feeds.files import reader_for
from feeds.files.binance_capture import READER
from feeds.source import OpenOptions, open_source
from tests.kit.best import Side

START = 1_680_652_700_000_000_000
SNAPSHOT_LINE = {"lastUpdateId": 100, "bids": [["99.90", "1.000"], ["99.80", "2.000"]], "asks": [["100.10", "3.000"]]}


def depth(first, last, prev, bids=(), asks=(), symbol="BTCUSDT"):
    data = {"e": "depthUpdate", "E": 1680652700455, "T": 1680652700452, "s": symbol, "U": first, "u": last, "pu": prev}
    return {"stream": f"{symbol.lower()}@depth@100ms", "data": data | {"b": list(bids), "a": list(asks)}}


def trade(ident, price="100.00", size="0.010", how="MARKET", symbol="BTCUSDT"):
    data = {"e": "trade", "E": 1680652700455, "T": 1680652700452, "s": symbol, "t": ident, "p": price, "q": size}
    return {"stream": f"{symbol.lower()}@trade", "data": data | {"X": how, "m": True}}


def write(path, frames, *, times=None):
    lines = []
    for i, frame in enumerate(frames):
        stamp = times[i] if times else START + i * 1_000_000
        lines.append(f"{stamp} {frame if isinstance(frame, str) else json.dumps(frame, separators=(',', ':'))}\n")
    data = "".join(lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def read(path, **options):
    reader = READER.open(path, OpenOptions(**options))
    parts = list(reader.rows())
    return reader, np.concatenate(parts) if parts else np.zeros(0)


@pytest.fixture(scope="module")
def captured(data):
    """A real folder read through, once."""
    return cache(lambda folder: read(data / folder))


def inside_after_each_message(reader, rows):
    """(update id, bid, size, ask, size) after each depth message, from a book of plain dictionaries."""
    price = [Decimal(reader.instruments[0].tick), Decimal(reader.instruments[0].lot)]
    book = {BID: Side(bids=True), ASK: Side(bids=False)}
    for row in rows[np.isin(rows["kind"], [BOOK, CLEAR])][["kind", "side", "tick", "lots", "ref", "marks"]].tolist():
        kind, side, tick, lots, ref, marks = row
        if kind == CLEAR:
            book = {BID: Side(bids=True), ASK: Side(bids=False)}
            continue
        assert not marks & (OFF_GRID | OFF_LOT)
        book[side].put(tick, lots)
        if marks & LAST and not marks & SNAPSHOT:
            bid, ask = book[BID].best(), book[ASK].best()
            yield ref, bid * price[0], book[BID][bid] * price[1], ask * price[0], book[ASK][ask] * price[1]


def quotes_of(folder):
    """(update id, bid, size, ask, size) of every bookTicker in a folder, read without the project's code."""
    out = []
    for file in sorted(folder.glob("*.gz")):
        with gzip.open(file, "rt") as lines:
            for line in lines:
                if "@bookTicker" in line:
                    data = json.loads(line.split(" ", 1)[1])["data"]
                    out.append((data["u"], *(Decimal(data[key]) for key in "bBaA")))
    return sorted(out)


@pytest.mark.parametrize(("folder", "comparisons"), [("binance-usdm-btcusdt", 16_110), ("binance-spot-ethusdt", 6_468)])
def test_the_inside_equals_the_last_book_ticker_after_every_depth_message(data, captured, folder, comparisons):
    quotes = quotes_of(data / folder)
    ids = [quote[0] for quote in quotes]
    reader, rows = captured(folder)
    compared = agreed = 0
    for update, *inside in inside_after_each_message(reader, rows):
        at = bisect.bisect_right(ids, update) - 1
        compared += 1
        agreed += list(quotes[at][1:]) == inside
    assert (compared, agreed) == (comparisons, comparisons)
    assert reader.checks.gaps == reader.checks.damaged == reader.checks.duplicates == reader.checks.off_grid == 0


def test_every_trade_of_the_real_capture_is_told_exactly_and_the_insurance_fund_is_no_flow(data, captured):
    told = []
    for file in sorted((data / "binance-usdm-btcusdt").glob("*.gz")):
        with gzip.open(file, "rt") as lines:
            for line in lines:
                stamp, _, text = line.partition(" ")
                if "@trade" in text:
                    one = json.loads(text)["data"]
                    side = -1 if one["m"] else 1
                    told.append(
                        (int(stamp) * 1000, one["T"] * 10**6, one["t"], Decimal(one["p"]), Decimal(one["q"]), side)
                    )
    reader, rows = captured("binance-usdm-btcusdt")
    tick, lot = Decimal(reader.instruments[0].tick), Decimal(reader.instruments[0].lot)
    prints = rows[rows["kind"] == TRADE]
    got = [
        (recv, exch, ref, t * tick, n * lot, side)
        for recv, exch, ref, t, n, side in prints[["recv_ns", "exch_ns", "ref", "tick", "lots", "side"]].tolist()
    ]
    assert got == told
    fund = prints[prints["aux"] == INSURANCE]
    assert fund["ref"].tolist() == [3535191080]
    assert not FLOW_PRINTS >> INSURANCE & 1


def test_every_quote_and_mark_price_of_the_real_capture_is_told_exactly(data, captured):
    quotes, marks = [], []
    for file in sorted((data / "binance-usdm-btcusdt").glob("*.gz")):
        with gzip.open(file, "rt") as lines:
            for line in lines:
                if "@bookTicker" in line or "@markPrice" in line:
                    one = json.loads(line.split(" ", 1)[1])["data"]
                    if one["e"] == "bookTicker":
                        quotes += [
                            (one["u"], s, Decimal(one[p]), Decimal(one[q]))
                            for s, p, q in ((1, "b", "B"), (-1, "a", "A"))
                        ]
                    else:
                        marks += [(i, Decimal(one[key])) for i, key in enumerate("pir")] + [
                            (3, Decimal(one["T"]) / 1000)
                        ]
    reader, rows = captured("binance-usdm-btcusdt")
    tick, lot = Decimal(reader.instruments[0].tick), Decimal(reader.instruments[0].lot)
    told = rows[rows["kind"] == QUOTE][["ref", "side", "tick", "lots"]].tolist()
    assert [(ref, side, t * tick, n * lot) for ref, side, t, n in told] == quotes
    facts = rows[rows["kind"] == FACT][["aux", "lots"]].tolist()
    assert [(aux, Decimal(value) / 10**9) for aux, value in facts] == marks


def test_the_clock_behind_the_venue_leaves_negative_latency_as_it_is(captured):
    _, rows = captured("binance-spot-ethusdt")
    prints = rows[rows["kind"] == TRADE]
    latency = prints["recv_ns"] - prints["exch_ns"]
    assert -1_600_000_000 < latency.min() < -1_200_000_000


def test_a_second_day_alone_is_a_partial_book_that_stays_syncing(data):
    reader, rows = read(data / "binance-usdm-btcusdt" / "btcusdt_20230405.dat.gz")
    assert set(rows["aux"][rows["kind"] == STATUS].tolist()) == {S_SYNCING}
    assert any("no snapshot" in note for note in reader.notes)
    assert (rows["kind"] == BOOK).sum() > 100_000


def test_the_folder_is_recognised_and_read_through_the_source(data):
    source = open_source(data / "binance-usdm-btcusdt", OpenOptions(clip=None))
    assert source.info.format == "binance-capture"
    assert source.info.venue == "binance-futures"
    first = next(source.batches())
    assert (first["seq"] == np.arange(len(first))).all()
    assert source.progress[1] == sum(f.stat().st_size for f in (data / "binance-usdm-btcusdt").glob("*.gz"))


# -- by hand ----------------------------------------------------------------------------------
def test_a_snapshot_between_its_updates_gives_a_book_and_the_waiting_updates(tmp_path):
    frames = [
        depth(80, 90, 79, [["99.90", "7.000"]]),
        depth(95, 105, 90, [["99.90", "1.500"]]),
        SNAPSHOT_LINE,
        depth(106, 110, 105, [["99.80", "0.000"]], [["100.10", "2.500"]]),
    ]
    _, rows = read(write(tmp_path / "a.gz", frames))
    kinds = rows["kind"].tolist()
    assert kinds == [CLEAR, BOOK, BOOK, BOOK, STATUS, BOOK, BOOK, BOOK]
    assert rows["lots"][rows["kind"] == BOOK].tolist() == [1000, 2000, 3000, 1500, 0, 2500]
    assert rows["tick"][rows["kind"] == BOOK].tolist() == [999, 998, 1001, 999, 998, 1001]
    assert rows["ref"].tolist() == [100, 100, 100, 100, 100, 105, 110, 110]
    assert [int(m) & LAST for m in rows["marks"]] == [0, 0, 0, LAST, LAST, LAST, 0, LAST]
    assert rows["aux"][4] == S_LIVE


@pytest.mark.parametrize("digits", [13, 16, 19])
def test_the_unit_of_local_time_is_told_by_its_digits(tmp_path, digits):
    times = [str(START + i * 1_000_000)[:digits] for i in range(2)]
    _, rows = read(write(tmp_path / "a.txt", [SNAPSHOT_LINE, trade(1)], times=times), tick="0.1", lot="0.001")
    assert rows["recv_ns"][-1] == START + 1_000_000


def test_time_that_goes_back_is_marked_and_kept(tmp_path):
    times = [START, START + 5_000_000, START + 3_000_000, START + 6_000_000]
    reader, rows = read(write(tmp_path / "a.gz", [trade(1), trade(2), trade(3), trade(4)], times=times))
    assert (rows["marks"] & BAD_TIME != 0).tolist() == [False, False, True, False]
    assert rows["recv_ns"].tolist() == times
    assert reader.checks.out_of_order == 1


def test_a_lost_update_is_a_gap_and_the_rest_a_partial_book(tmp_path):
    frames = [
        SNAPSHOT_LINE,
        depth(95, 105, 90, [["99.90", "1.500"]]),
        depth(111, 120, 110, [["99.70", "1.000"]]),
        depth(121, 130, 120, [["99.60", "1.000"]]),
    ]
    reader, rows = read(write(tmp_path / "a.gz", frames))
    at = rows["kind"].tolist().index(GAP)
    assert rows["lots"][at] == C_SEQUENCE
    assert rows["kind"][at : at + 3].tolist() == [GAP, CLEAR, STATUS]
    assert rows["aux"][at + 2] == S_SYNCING
    assert rows["tick"][at + 3 :].tolist() == [997, 996]
    assert reader.checks.gaps == 1
    assert "a.gz: line 3: " in reader.checks.problems[0]


def test_a_later_snapshot_heals_a_gap(tmp_path):
    frames = [
        SNAPSHOT_LINE,
        depth(95, 105, 90, [["99.90", "1.500"]]),
        depth(111, 120, 110, [["99.70", "1.000"]]),
        SNAPSHOT_LINE | {"lastUpdateId": 115},
        depth(121, 130, 120, [["99.60", "1.000"]]),
    ]
    reader, rows = read(write(tmp_path / "a.gz", frames))
    assert reader.checks.gaps == reader.checks.resyncs == 1
    assert rows["aux"][rows["kind"] == STATUS].tolist() == [S_LIVE, S_SYNCING, S_LIVE]
    assert rows["tick"][rows["ref"] == 120].tolist() == [997, 997]  # once partial, once joined to the snapshot
    assert rows["tick"][-1] == 996


def test_midnight_is_no_seam_in_a_folder(tmp_path):
    write(tmp_path / "btc_1.gz", [SNAPSHOT_LINE, depth(95, 105, 90, [["99.90", "1.500"]])])
    write(tmp_path / "btc_2.gz", [depth(106, 110, 105, [["99.70", "1.000"]])], times=[START + 10**9])
    (tmp_path / "SOURCE.txt").write_text("where it is from\n")
    reader, rows = read(tmp_path)
    assert reader.checks.gaps == 0
    assert rows["ref"][-1] == 110
    assert reader.notes[0] == "ignored: SOURCE.txt"
    assert reader.size == sum((tmp_path / name).stat().st_size for name in ("btc_1.gz", "btc_2.gz"))
    assert reader.position == reader.size


def test_files_of_a_folder_that_are_out_of_order_are_refused(tmp_path):
    write(tmp_path / "a.gz", [trade(1)], times=[START + 10**9])
    write(tmp_path / "b.gz", [trade(2)])
    with pytest.raises(BadInput, match=r"b\.gz"):
        READER.open(tmp_path, OpenOptions())


def test_one_of_several_symbols_can_be_chosen(tmp_path):
    path = write(tmp_path / "a.gz", [trade(1), trade(7, "2.5", "10", symbol="XRPUSDT"), trade(2)])
    both, rows = read(path)
    assert [one.symbol for one in both.instruments] == ["BTCUSDT", "XRPUSDT"]
    assert rows["inst"].tolist() == [0, 1, 0]
    one, rows = read(path, symbol="xrpusdt")
    assert [i.symbol for i in one.instruments] == ["XRPUSDT"]
    assert rows["ref"].tolist() == [7]
    with pytest.raises(BadInput, match="BTCUSDT, XRPUSDT"):
        READER.open(path, OpenOptions(symbol="ETHUSDT"))


def test_a_snapshot_without_a_symbol_goes_to_the_symbol_whose_price_is_near(tmp_path):
    frames = [trade(1, "2.5", "10.000", symbol="XRPUSDT"), trade(1, "100.00"), SNAPSHOT_LINE]
    reader, rows = read(write(tmp_path / "a.gz", frames))
    assert [one.symbol for one in reader.instruments] == ["XRPUSDT", "BTCUSDT"]
    assert set(rows["inst"][rows["kind"] == BOOK].tolist()) == {1}


@pytest.mark.parametrize(
    ("frames", "venue"),
    [
        ([depth(1, 2, 0)], "binance-futures"),
        ([depth(1, 2, 0, symbol="BTCUSD_PERP")], "binance-delivery"),
        ([{"e": "depthUpdate", "E": 1, "s": "ETHUSDT", "U": 1, "u": 2, "b": [["1", "1"]], "a": []}], "binance"),
        (
            [
                {
                    "stream": "ethusdt@bookTicker",
                    "data": {"u": 1, "s": "ETHUSDT", "b": "1", "B": "1", "a": "2", "A": "1"},
                }
            ],
            "binance",
        ),
    ],
)
def test_the_venue_is_told_by_the_frames(tmp_path, frames, venue):
    reader = READER.open(
        write(tmp_path / "a.gz", [*frames, trade(1, symbol=frames[0].get("data", frames[0])["s"])]), OpenOptions()
    )
    assert reader.venue == venue


def test_tick_and_lot_are_derived_unless_they_are_given(tmp_path):
    levels = {"lastUpdateId": 1, "bids": [["99.50", "1.000"], ["99.00", "1.000"]], "asks": [["101.50", "3.000"]]}
    path = write(tmp_path / "a.gz", [levels, depth(1, 2, 0)])
    reader = READER.open(path, OpenOptions())
    assert (reader.instruments[0].tick, reader.instruments[0].lot, reader.instruments[0].derived) == (
        "0.50",
        "0.001",
        True,
    )
    reader = READER.open(path, OpenOptions(tick="0.1", lot="0.5"))
    assert (reader.instruments[0].tick, reader.instruments[0].lot, reader.instruments[0].derived) == (
        "0.1",
        "0.5",
        False,
    )
    with pytest.raises(BadInput, match="tick"):
        READER.open(path, OpenOptions(tick="-1"))
    with pytest.raises(BadInput, match="--venue"):
        READER.open(path, OpenOptions(venue="kraken"))


def test_a_price_between_the_ticks_keeps_its_exact_value(tmp_path):
    frames = [SNAPSHOT_LINE, depth(95, 105, 90, [["99.85", "1.5005"]])]
    reader, rows = read(write(tmp_path / "a.gz", frames), tick="0.10", lot="0.001")
    assert int(rows["marks"][-1]) == OFF_GRID | OFF_LOT | LAST
    instrument = reader.instruments[0]
    assert instrument.price.fine_text(int(rows["tick"][-1])) == "99.85"
    assert instrument.size.fine_text(int(rows["lots"][-1])) == "1.5005"
    assert reader.checks.off_grid == 1


def test_funding_and_liquidations_are_facts_and_quotes_never_touch_the_book(tmp_path):
    mark = {"e": "markPriceUpdate", "E": 1680652700000, "s": "BTCUSDT", "p": "100.00000000", "P": "99.9", "i": "100.5",
            "r": "0.00002760", "T": 1680652800000}  # fmt: skip
    quote = {"e": "bookTicker", "u": 9, "s": "BTCUSDT", "b": "99.90", "B": "1.000", "a": "100.10", "A": "2.000",
             "T": 1680652700430, "E": 1680652700435}  # fmt: skip
    order = {
        "s": "BTCUSDT",
        "S": "SELL",
        "o": "LIMIT",
        "f": "IOC",
        "q": "0.014",
        "p": "99.10",
        "ap": "99.20",
        "X": "FILLED",
        "l": "0.014",
        "z": "0.014",
        "T": 1680652700001,
    }
    frames = [
        SNAPSHOT_LINE,
        {"stream": "btcusdt@markPrice@1s", "data": mark},
        {"stream": "btcusdt@bookTicker", "data": quote},
        {"stream": "!forceOrder@arr", "data": {"e": "forceOrder", "E": 1680652700002, "o": order}},
        trade(1),
    ]
    _, rows = read(write(tmp_path / "a.gz", frames))
    facts = rows[rows["kind"] == FACT]
    assert facts["aux"].tolist() == [0, 1, 2, 3, 5]
    assert facts["lots"].tolist() == [100 * 10**9, 100_500_000_000, 27_600, 1_680_652_800 * 10**9, 14]
    assert (facts["tick"][-1], facts["side"][-1]) == (992, SELL)
    quotes = rows[rows["kind"] == QUOTE]
    assert quotes[["tick", "lots", "side", "ref"]].tolist() == [(999, 1000, BID, 9), (1001, 2000, ASK, 9)]
    assert quotes["exch_ns"].tolist() == [1_680_652_700_430_000_000] * 2


def test_partial_depth_streams_never_reach_the_book(tmp_path):
    five = [
        depth(i, i + 1, i - 1, [["99.50", "9.000"]]) | {"stream": "btcusdt@depth5@100ms"} for i in range(2_000, 2_600)
    ]
    frames = [SNAPSHOT_LINE, *five, depth(95, 105, 90, [["99.70", "1.000"]]), *five[:20], depth(106, 110, 105)]
    reader, rows = read(write(tmp_path / "a.gz", frames))
    assert rows["ref"][5:].tolist() == [105, 110]
    assert reader.checks.gaps == 0


def test_a_symbol_a_terminal_would_obey_is_not_taken(tmp_path):
    reader, _ = read(write(tmp_path / "a.gz", [trade(1, symbol="\x1b[31mX"), trade(1), trade(2, symbol="Y" * 99)]))
    assert [one.symbol for one in reader.instruments] == ["BTCUSDT"]
    assert reader.checks.ignored == {"other symbols": 2}


def test_large_messages_are_given_in_batches_of_a_bounded_size(tmp_path):
    levels = [[f"{i}.10", "1.000"] for i in range(1000, 2000)]
    frames = [SNAPSHOT_LINE, depth(95, 105, 90), *(depth(106 + i, 106 + i, 105 + i, levels) for i in range(300))]
    reader = READER.open(write(tmp_path / "a.gz", frames), OpenOptions())
    batches = [(len(rows), int(rows["marks"][-1]) & LAST) for rows in reader.rows()]
    assert sum(n for n, _ in batches) == 300_000 + 6
    assert max(n for n, _ in batches) <= 65_536
    assert all(last for _, last in batches)


# -- bad input --------------------------------------------------------------------------------
def test_a_damaged_line_is_counted_named_and_skipped(tmp_path):
    frames = [trade(1), '{"stream":"btcusdt@trade","data":{"e":"tr', trade(2), "not json at all", trade(3)]
    reader, rows = read(write(tmp_path / "a.gz", frames))
    assert rows["ref"].tolist() == [1, 2, 3]
    assert reader.checks.damaged == 2
    assert [text[:12] for text in reader.checks.problems] == ["a.gz: line 2", "a.gz: line 4"]


def test_a_damaged_depth_line_costs_the_book(tmp_path):
    bad = depth(106, 110, 105, [["abc", "1.000"]])
    frames = [SNAPSHOT_LINE, depth(95, 105, 90, [["99.90", "1.500"]]), bad, depth(111, 112, 110)]
    reader, rows = read(write(tmp_path / "a.gz", frames))
    assert reader.checks.damaged == 1
    assert rows["kind"].tolist()[-4:] == [GAP, CLEAR, STATUS, STATUS]


def test_a_truncated_file_gives_its_rows_and_then_says_where_it_ends(tmp_path):
    path = write(tmp_path / "a.gz", [trade(i, str(100 + i * 7919 % 50)) for i in range(1, 4_000)])
    path.write_bytes(path.read_bytes()[:-2_000])
    reader = READER.open(path, OpenOptions())
    count = 0
    with pytest.raises(BadInput, match=r"a\.gz: byte \d+"):  # noqa: PT012
        for rows in reader.rows():
            count += len(rows)
    assert count > 1_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\x00" * 5_000,
        b"price,size\n1,2\n",
        b'{"a":1}\n',
        b"1680652700000000 {}\n",
        b"1680652700000000 [[[[\n",
        b"\x1f\x8b\x08\x00broken",
        b"BZh9nothing",
        b"\x28\xb5\x2f\xfdzz",
        bytes(range(256)) * 40,
    ],
)
def test_what_is_no_capture_is_refused(tmp_path, content):
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(BadInput):
        READER.open(path, OpenOptions())
    with pytest.raises(BadInput):
        reader_for(path, OpenOptions())
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput):
        READER.open(tmp_path / "empty", OpenOptions())


@pytest.mark.parametrize(
    "line",
    [
        '{"stream":"btcusdt@trade","data":' + "[" * 100_000,
        '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","b":' + "[" * 50_000 + "}}",
        '{"stream":"btcusdt@trade","data":{"e":"trade","x":"' + "y" * 3_000_000 + '"}}',
        '{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":2,"p":NaN,"q":"1","m":true}}',
        '{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":2,"p":"1e999","q":"1","m":true}}',
        '{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":2,"p":"Infinity","q":"1","m":true}}',
        '{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"T":1e400,"s":"BTCUSDT","t":2,"p":"1","q":"1","m":true}}',
        '{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":99999999999999999999999,"p":"1","q":"1","m":true}}',
        '{"lastUpdateId":"x","bids":[],"asks":[]}',
        '{"lastUpdateId":5,"bids":[["1"]],"asks":[]}',
        '{"lastUpdateId":5,"bids":[["-1","1"]],"asks":[]}',
    ],
)
def test_a_hostile_line_is_damage_and_nothing_else(tmp_path, line):
    reader, rows = read(write(tmp_path / "a.gz", [trade(1), line, trade(2)]))
    assert rows["ref"].tolist() == [1, 2]
    assert reader.checks.damaged == 1
    assert len(reader.checks.problems[0]) < 400


def test_a_time_beyond_the_clock_is_damage(tmp_path):
    path = write(tmp_path / "a.gz", [trade(1), trade(2)], times=[START, "9999999999999999999"])
    reader, rows = read(path)
    assert rows["ref"].tolist() == [1]
    assert reader.checks.damaged == 1


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_any_bytes_in_any_line_give_rows_or_a_refusal(tmp_path_factory, data):
    frames = [SNAPSHOT_LINE, depth(95, 105, 90, [["99.90", "1.500"]]), trade(1), depth(106, 110, 105), trade(2)]
    lines = [f"{START + i} {json.dumps(frame)}".encode() for i, frame in enumerate(frames)]
    for _ in range(data.draw(st.integers(0, 4))):
        k = data.draw(st.integers(0, len(lines) - 1))
        at = data.draw(st.integers(0, len(lines[k])))
        cut = data.draw(st.integers(0, 60))
        lines[k] = lines[k][:at] + data.draw(st.binary(max_size=5)) + lines[k][at + cut :]
    path = tmp_path_factory.mktemp("fuzz") / "a.dat"
    path.write_bytes(b"\n".join(lines))
    try:
        reader, rows = read(path)
    except BadInput:
        return
    assert all(text.startswith("a.dat: line ") for text in reader.checks.problems)
    assert (rows["lots"][rows["kind"] == TRADE] > 0).all()

"""Tardis CSV: every kind of file against values worked out by hand and books kept line by line."""

from __future__ import annotations

import csv
import gzip
import os
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from feeds.errors import BadInput
from feeds.events import (
    BOOK,
    CLEAR,
    EVENT,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    F_OPEN_INTEREST,
    FACT,
    LAST,
    NONE,
    OFF_GRID,
    QUOTE,
    S_LIVE,
    SNAPSHOT,
    STATUS,
    TRADE,
)  # fmt: skip
from feeds.files import reader_for
from feeds.files.tardis import TardisReader
from feeds.source import OpenOptions
from tests.feeds.files.naive import Naive, plain
from tests.feeds.files.samples import tardis
from tests.feeds.files.test_contract import mutate, mutations, refusal

KEYS = "exchange,symbol,timestamp,local_timestamp"
L2 = f"{KEYS},is_snapshot,side,price,amount"
TRADES = f"{KEYS},id,side,price,amount"
EXAMPLES = int(os.environ.get("TAPEVIEW_FUZZ", "0"))


def write(path: Path, header: str, *lines: str) -> Path:
    """A CSV file, packed where its name says so."""
    text = ("\n".join([header, *lines]) + "\n").encode()
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def read(path: Path, **options: str) -> tuple[TardisReader, np.ndarray]:
    """All rows."""
    reader = TardisReader.open(path, OpenOptions(**options))
    return reader, np.concatenate([np.zeros(0, EVENT), *reader.rows()])


def names(rows: np.ndarray) -> list[tuple[int, int, int, int, int]]:
    """Kind, side, tick, lots and marks."""
    return [(int(r["kind"]), int(r["side"]), int(r["tick"]), int(r["lots"]), int(r["marks"])) for r in rows]


def test_a_book_is_the_one_kept_line_by_line(tmp_path: Path) -> None:
    folder = tardis(tmp_path)
    path = next(folder.glob("*incremental*"))
    reader, rows = read(path)
    grid, lots = reader.instruments[0].price, reader.instruments[0].size
    wanted: dict[str, dict[Fraction, Fraction]] = {"bid": {}, "ask": {}}
    after: dict[int, tuple[dict, dict]] = {}
    inside = False
    with path.open() as file:
        for line in csv.DictReader(file):
            if line["is_snapshot"] == "true" and not inside:
                wanted = {"bid": {}, "ask": {}}
            inside = line["is_snapshot"] == "true"
            price, amount = Fraction(line["price"]), Fraction(line["amount"])
            wanted[line["side"]].pop(price, None)
            if amount:
                wanted[line["side"]][price] = amount
            after[int(line["local_timestamp"]) * 1000] = (dict(wanted["bid"]), dict(wanted["ask"]))
    levels: dict[int, dict[Fraction, Fraction]] = {1: {}, -1: {}}
    seen = {}
    for row in rows:
        if row["kind"] == CLEAR:
            levels = {1: {}, -1: {}}
        elif row["kind"] == BOOK:
            price = Fraction(grid.text(int(row["tick"])))
            levels[int(row["side"])].pop(price, None)
            if row["lots"]:
                levels[int(row["side"])][price] = Fraction(lots.text(int(row["lots"])))
        if row["marks"] & LAST:
            seen[int(row["recv_ns"])] = (dict(levels[1]), dict(levels[-1]))
    assert seen == after
    assert len(seen) == 300
    assert reader.checks.resyncs == 1
    assert (rows["kind"] == CLEAR).sum() == 2


def test_a_snapshot_within_a_file_resets_the_book_and_a_change_does_not(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv", L2,
        "v,S,10,20,true,bid,100.5,3", "v,S,10,20,true,ask,101.0,0", "v,S,30,40,false,bid,100.0,7",
        "v,S,30,40,false,ask,101.5,2", "v,S,50,60,true,bid,99.5,1",
    )  # fmt: skip
    _, rows = read(path)
    snap = SNAPSHOT
    assert names(rows) == [
        (CLEAR, 0, 0, 0, snap), (BOOK, 1, 201, 3, snap), (BOOK, -1, 202, 0, snap), (STATUS, 0, 0, 0, snap | LAST),
        (BOOK, 1, 200, 7, 0), (BOOK, -1, 203, 2, LAST),
        (CLEAR, 0, 0, 0, snap), (BOOK, 1, 199, 1, snap), (STATUS, 0, 0, 0, snap | LAST),
    ]  # fmt: skip
    assert rows["recv_ns"].tolist() == [20_000] * 4 + [40_000] * 2 + [60_000] * 3
    assert rows["exch_ns"].tolist() == [10_000] * 4 + [30_000] * 2 + [50_000] * 3
    assert rows["aux"][rows["kind"] == STATUS].tolist() == [S_LIVE] * 2


def test_a_book_without_a_snapshot_is_live_from_its_first_line(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", L2, "v,S,10,20,false,bid,100.5,3", "v,S,10,20,false,bid,100.0,3")
    assert [kind for kind, *_ in names(read(path)[1])] == [STATUS, BOOK, BOOK]


def test_times_are_microseconds_unless_they_are_too_great_for_it(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv", TRADES, "v,S,1585699200245000000,1585699200355684123,a,buy,1.0,2",
        "v,S,1585699200245000,1585699200355684,b,sell,1.5,2",
    )  # fmt: skip
    _, rows = read(path)
    prints = rows[rows["kind"] == TRADE]
    assert prints["recv_ns"].tolist() == [1585699200355684123, 1585699200355684000]
    assert prints["exch_ns"].tolist() == [1585699200245000000] * 2


def test_trades_have_the_takers_side_and_ids_where_they_are_numbers(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv.gz", TRADES, "v,S,1,2,17,buy,0.10,2.5", "v,S,1,2,ab-c,sell,0.20,1", "v,S,1,3,,unknown,0.15,1",
        "v,S,1,4,18,buy,0.15,0",
    )  # fmt: skip
    reader, rows = read(path)
    prints = rows[rows["kind"] == TRADE]
    assert (reader.instruments[0].tick, reader.instruments[0].lot) == ("0.05", "0.1")
    assert prints["side"].tolist() == [1, -1, 0]
    assert prints["tick"].tolist() == [2, 4, 3]
    assert prints["lots"].tolist() == [25, 10, 10]
    assert prints["ref"].tolist() == [17, NONE, NONE]
    assert reader.checks.ignored == {"trades of nothing": 1}
    assert reader.tier == "D"


def test_prices_off_the_grid_keep_their_value(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", TRADES, "v,S,1,2,1,buy,0.10,2", "v,S,1,2,1,buy,0.1275,2", "v,S,1,2,1,buy,1e-1,2")
    reader, rows = read(path, tick="0.05")
    prints = rows[rows["kind"] == TRADE]
    grid = reader.instruments[0].price
    assert prints["tick"][[0, 2]].tolist() == [2, 2]
    assert grid.fine_text(int(prints["tick"][1])) == "0.1275"
    assert (prints["marks"] & OFF_GRID != 0).tolist() == [False, True, False]


def test_book_snapshots_become_their_differences(tmp_path: Path) -> None:
    columns = ",".join(f"{s}s[{k}].{w}" for k in range(3) for s in ("ask", "bid") for w in ("price", "amount"))
    path = write(
        tmp_path / "x_book_snapshot_3.csv", f"{KEYS},{columns}",
        "v,S,1,2,101,5,100,6,102,1,99,1,103,9,98,9",
        "v,S,3,4,101,5,100,4,102,1,99,1,104,9,98,9",
        "v,S,5,6,101,5,100,4,102,1,99,1,104,9,98,9",
        "v,S,7,8,101,5,100,4,102,1,99,1,,,98,9",
    )  # fmt: skip
    reader, rows = read(path)
    assert (reader.tier, reader.verification) == ("C", "snapshot")
    assert names(rows)[8:] == [
        (BOOK, 1, 100, 4, 0), (BOOK, -1, 104, 9, 0), (BOOK, -1, 103, 0, LAST),
        (STATUS, 0, 0, 0, LAST),
        (BOOK, -1, 104, 0, LAST),
    ]  # fmt: skip
    book = Naive()
    for row in plain(rows):
        book.apply(row)
    assert book.levels == {1: {100: 4, 99: 1, 98: 9}, -1: {101: 5, 102: 1}}


def test_quotes_alone_are_the_book_and_beside_one_they_are_told(tmp_path: Path) -> None:
    header = f"{KEYS},ask_amount,ask_price,bid_price,bid_amount"
    quotes = ("v,S,1,2,5,101,100,6", "v,S,3,4,5,101,100,7", "v,S,5,6,,,100,7")
    alone = write(tmp_path / "one" / "q_quotes.csv", header, *quotes)
    reader, rows = read(alone)
    assert reader.tier == "D"
    assert names(rows)[1:] == [
        (BOOK, 1, 100, 6, SNAPSHOT), (BOOK, -1, 101, 5, SNAPSHOT), (STATUS, 0, 0, 0, SNAPSHOT | LAST),
        (BOOK, 1, 100, 7, LAST), (BOOK, -1, 101, 0, LAST),
    ]  # fmt: skip
    write(tmp_path / "two" / "q_quotes.csv", header, *quotes)
    write(tmp_path / "two" / "a_incremental_book_L2.csv", L2, "v,S,1,2,true,bid,100,6")
    reader, rows = read(tmp_path / "two")
    assert reader.tier == "C"
    told = rows[rows["kind"] == QUOTE]
    assert names(told) == [
        (QUOTE, 1, 100, 6, 0), (QUOTE, -1, 101, 5, LAST), (QUOTE, 1, 100, 7, 0), (QUOTE, -1, 101, 5, LAST),
        (QUOTE, 1, 100, 7, LAST),
    ]  # fmt: skip


def test_a_ticker_becomes_facts_where_they_change(tmp_path: Path) -> None:
    header = (
        f"{KEYS},funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,index_price,mark_price"
    )
    path = write(
        tmp_path / "t.csv", header, "v,S,1,2,9,0.0001,,1000,50.5,50.25,50.125",
        "v,S,3,4,9,0.0001,,1000,50.5,50.25,50.5",
        "v,S,5,6,,,,,50.5,,",
    )  # fmt: skip
    _, rows = read(path)
    told = [(int(r["recv_ns"]), int(r["aux"]), int(r["lots"]), bool(r["marks"] & LAST)) for r in rows]
    assert (rows["kind"] == FACT).all()
    assert sorted(told[:5]) == sorted([
        (2_000, F_FUNDING_RATE, 100_000, False), (2_000, F_MARK_PRICE, 50_125_000_000, False),
        (2_000, F_INDEX_PRICE, 50_250_000_000, False), (2_000, F_NEXT_FUNDING_NS, 9_000, False),
        (2_000, F_OPEN_INTEREST, 1_000, True),
    ])  # fmt: skip
    assert told[5:] == [(4_000, F_MARK_PRICE, 50_500_000_000, True)]


def test_liquidations_are_facts_with_the_orders_side(tmp_path: Path) -> None:
    path = write(tmp_path / "v_liquidations_x.csv", TRADES, "v,S,1,2,7,buy,100.5,3", "v,S,3,4,8,sell,100.0,1")
    _, rows = read(path)
    assert rows["aux"].tolist() == [F_LIQUIDATION] * 2
    assert names(rows) == [(FACT, 1, 201, 3, LAST), (FACT, -1, 200, 1, LAST)]
    assert rows["ref"].tolist() == [1_000, 3_000]


def test_a_folder_is_merged_by_local_time_whatever_its_files_are_called(tmp_path: Path) -> None:
    write(tmp_path / "b.csv", TRADES, "v,S,1,15,1,buy,100.5,3", "v,S,1,40,2,sell,100.5,3")
    write(tmp_path / "a_day2.csv.gz", L2, "v,S,30,31,true,bid,100.0,1")
    write(tmp_path / "z_day1.csv", L2, "v,S,10,11,true,bid,100.0,1", "v,S,20,21,false,bid,100.0,2")
    reader, rows = read(tmp_path)
    assert rows["recv_ns"].tolist() == sorted(rows["recv_ns"].tolist())
    assert [kind for kind, *_ in names(rows)] == [CLEAR, BOOK, STATUS, TRADE, BOOK, CLEAR, BOOK, STATUS, TRADE]
    assert [one.name for one in reader.instruments] == ["v:S"]


def test_markets_of_one_file_are_told_apart_and_chosen_by_symbol(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv", L2, "v,A,1,2,true,bid,100.0,1", "v,B,1,2,true,bid,0.25,7", "v,A,1,3,false,bid,99.5,1",
        "v,B,1,3,false,bid,0.26,8",
    )  # fmt: skip
    reader, rows = read(path)
    assert [(one.symbol, one.tick) for one in reader.instruments] == [("A", "0.5"), ("B", "0.01")]
    by = defaultdict(list)
    for row in rows[rows["kind"] == BOOK]:
        by[int(row["inst"])].append((int(row["tick"]), int(row["lots"])))
    assert by == {0: [(200, 1), (199, 1)], 1: [(25, 7), (26, 8)]}
    reader, rows = read(path, symbol="b")
    assert [one.symbol for one in reader.instruments] == ["B"]
    assert rows["tick"][rows["kind"] == BOOK].tolist() == [25, 26]
    with pytest.raises(BadInput, match="one of A, B"):
        read(path, symbol="C")


def test_a_file_cut_into_many_parts_gives_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tardis(tmp_path)
    whole = read(folder)[1]
    for block in (64, 700, 5_000):
        monkeypatch.setattr("feeds.files._columns.parts.__defaults__", (None, block))
        assert read(folder)[1].tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("v,S,1,2,true,bid,1.x,1", "line 3: price: got '1.x'"),
        ("v,S,1,2,true,bid,1.0,-1", "line 3: amount: got '-1'"),
        ("v,S,1,2,true,mid,1.0,1", "line 3: side: got 'mid', expected one of bid, ask"),
        ("v,S,1,2,yes,bid,1.0,1", "line 3: is_snapshot: got 'yes'"),
        ("v,S,1,2x,true,bid,1.0,1", "line 3: local_timestamp: got '2x'"),
        ("v,S,1,,true,bid,1.0,1", "line 3: local_timestamp"),
        ("v,S,1,-2,true,bid,1.0,1", "line 3: local_timestamp: got '-2'"),
        ("v,S,1,2,true,bid,NaN,1", "line 3: price: got 'NaN'"),
        ("v,S,1,2,true,bid,,1", "line 3: price"),
        ("v,S,1,2,true,bid,1.0", "line 3: got 'v,S,1,2,true,bid,1.0', expected 8 values"),
        ("v,S,1,2,true,bid,1.0,1,9", "line 3: got 'v,S,1,2,true,bid,1.0,1,9', expected 8 values"),
        ("", "line 3"),
        ("v,S,1,2,true,bid,\xff,1", "line 3: price"),
        ("v,S,1,2,true,bid,1e999,1", "line 3: price"),
    ],
)
def test_damage_is_told_with_its_line_and_column(tmp_path: Path, line: str, place: str) -> None:
    good = "v,S,1,2,true,bid,1.0,1"
    path = write(tmp_path / "x.csv", L2, good, line, good)
    with pytest.raises(BadInput) as caught:
        read(path)
    assert f"x.csv: {place}" in str(caught.value)


def test_a_last_line_without_an_end_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{TRADES}\nv,S,1,2,1,buy,1.0,25\nv,S,1,2,1,buy,1.0,2")
    reader, rows = read(path)
    assert (rows["kind"] == TRADE).sum() == 1
    assert "line 3 has no end" in reader.checks.problems[0]
    packed = tmp_path / "x.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert (read(packed)[1]["kind"] == TRADE).sum() == 2


KINDS = {
    "incremental_book_L2": (L2, "v,S,{t},{t},{s},bid,100.5,3"),
    "quotes": (f"{KEYS},ask_amount,ask_price,bid_price,bid_amount", "v,S,{t},{t},5,101,100.5,6"),
    "liquidations": (TRADES, "v,S,{t},{t},7,buy,100.5,3"),
    "derivative_ticker": (
        f"{KEYS},funding_timestamp,funding_rate,open_interest,last_price,index_price,mark_price",
        "v,S,{t},{t},{t},0.0001,1000,50.5,50.25,50.125",
    ),
    "book_snapshot_2": (
        f"{KEYS},asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,asks[1].price,asks[1].amount",
        "v,S,{t},{t},101,5,100,6,102,1",
    ),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_mutated_files_of_every_kind_give_rows_or_a_refusal(kind: str, tmp_path: Path) -> None:
    header, line = KINDS[kind]
    lines = [line.format(t=10**15 + at * 1000, s="true" if at < 3 else "false") for at in range(40)]
    path = write(tmp_path / f"v_{kind}.csv", header, *lines)
    good = path.read_bytes()

    @settings(
        max_examples=EXAMPLES or 40, deadline=None, derandomize=not EXAMPLES, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )  # fmt: skip
    @given(mutations(len(good)))
    def run(edits: list[tuple[str, int, bytes]]) -> None:
        path.write_bytes(mutate(good, edits))
        refusal("tardis", path)

    run()


def test_the_samples_of_the_data_folder_are_read(data: Path) -> None:
    folder = data / "tardis-samples"
    wanted = {
        "deltas_1.csv": ("deribit:BTC-PERPETUAL", {BOOK: 2, CLEAR: 1, STATUS: 1}),
        "deltas_with_snapshot.csv": ("binance-futures:BTCUSDT", {BOOK: 9, CLEAR: 2, STATUS: 2}),
        "derivative_ticker_1.csv": ("bitmex:XBTUSD", {FACT: 5}),
        "trades_1.csv": ("bitmex:XBTUSD", {TRADE: 2, STATUS: 1}),
    }
    for name, (market, counts) in wanted.items():
        assert reader_for(folder / name, OpenOptions()) is TardisReader
        reader, rows = read(folder / name)
        assert [one.name for one in reader.instruments] == [market]
        kinds, many = np.unique(rows["kind"], return_counts=True)
        assert dict(zip(kinds.tolist(), many.tolist(), strict=True)) == counts
    prints = read(folder / "trades_1.csv")[1]
    assert prints["tick"][prints["kind"] == TRADE].tolist() == [17063, 17062]
    assert prints["side"][prints["kind"] == TRADE].tolist() == [-1, 1]

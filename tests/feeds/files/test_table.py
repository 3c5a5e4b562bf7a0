"""Tables whose columns a person names, or whose names are in common use."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from feeds.errors import BadInput
from feeds.events import BOOK, CLEAR, EVENT, LAST, NONE, SNAPSHOT, STATUS, TRADE
from feeds.files import reader_for
from feeds.files.table import TableReader
from feeds.source import OpenOptions
from tests.feeds.files.naive import Naive, plain
from tests.feeds.files.test_contract import mutate, mutations, refusal

EXAMPLES = int(os.environ.get("TAPEVIEW_FUZZ", "0"))
STAMP = 1_700_000_000_123_456_789
BOOKS = "bid_price=b{n},bid_size=bs{n},ask_price=a{n},ask_size=as{n}"


def write(path: Path, *lines: str) -> Path:
    """A CSV file."""
    path.write_text("\n".join(lines) + "\n")
    return path


def read(path: Path, **options: str) -> tuple[TableReader, np.ndarray]:
    """All rows."""
    reader = TableReader.open(path, OpenOptions(**options))
    return reader, np.concatenate([np.zeros(0, EVENT), *reader.rows()])


def prints(rows: np.ndarray) -> list[tuple[int, int, int, int, int]]:
    """Time, tick, lots, side and id of the trades."""
    return [
        (int(r["recv_ns"]), int(r["tick"]), int(r["lots"]), int(r["side"]), int(r["ref"]))
        for r in rows[rows["kind"] == TRADE]
    ]


def test_columns_are_what_a_person_says(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv", "when,nr,dear,much,who", f"{STAMP // 10**6},7,10.25,3,long",
        f"{STAMP // 10**6 + 5},8,10.5,0.5,short",
        f"{STAMP // 10**6 + 6},x,10.75,1,",
    )  # fmt: skip
    reader, rows = read(path, columns="time=when,id=nr,price=dear,size=much,side=who,buy=long,sell=short")
    start = STAMP // 10**6 * 10**6
    assert prints(rows) == [
        (start, 41, 30, 1, 7), (start + 5 * 10**6, 42, 5, -1, 8), (start + 6 * 10**6, 43, 10, 0, NONE),
    ]  # fmt: skip
    assert (reader.instruments[0].tick, reader.instruments[0].lot, reader.tier) == ("0.25", "0.1", "D")
    assert reader.instruments[0].symbol == "x"
    assert rows["kind"][0] == STATUS
    assert reader_for(path, OpenOptions(columns="time=when,price=dear,size=much")) is TableReader


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1700000000", 1_700_000_000 * 10**9),
        ("1700000000.123456789", STAMP),
        ("1700000000123", STAMP // 10**6 * 10**6),
        ("1700000000123.5", STAMP // 10**6 * 10**6 + 500_000),
        ("1700000000123456", STAMP // 1000 * 1000),
        ("1700000000123456789", STAMP),
        ("2023-11-14T22:13:20Z", 1_700_000_000 * 10**9),
        ("2023-11-14 22:13:20.123456789", STAMP),
        ("2023-11-14T22:13:20.123456+00:00", STAMP // 1000 * 1000),
    ],
)
def test_times_are_read_exactly_in_every_unit(tmp_path: Path, text: str, ns: int) -> None:
    path = write(tmp_path / "x.csv", "time,price,size", f"{text},1,1")
    assert prints(read(path)[1])[0][0] == ns


def test_a_unit_that_is_said_wins(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "time,price,size", "1000,1,1")
    for unit, ns in (("s", 10**12), ("ms", 10**9), ("us", 10**6), ("ns", 1000)):
        assert prints(read(path, columns=f"time=time,price=price,size=size,unit={unit}")[1])[0][0] == ns


def test_the_buyer_who_made_the_price_did_not_take_it(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv", "id,price,qty,time,is_buyer_maker", "1,5,1,1700000000000,true", "2,5,1,1700000000000,False"
    )
    assert [one[3] for one in prints(read(path)[1])] == [-1, 1]


def test_received_times_are_told_apart_from_the_venues(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "time,received,price,size", "1700000000000,1700000000250,5,1")
    _, rows = read(path)
    assert rows["recv_ns"][-1] - rows["exch_ns"][-1] == 250_000_000


def test_books_are_the_lines_of_the_table(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv", "ts,b1,bs1,b2,bs2,a1,as1,a2,as2",
        "1,100.5,3,100.0,1,101.0,2,101.5,9", "2,100.5,3,100.0,1,101.0,2,101.5,9", "3,100.0,1,99.5,4,100.5,2,,",
    )  # fmt: skip
    reader, rows = read(path, columns=f"time=ts,{BOOKS},unit=ms")
    assert (reader.tier, reader.verification) == ("C", "snapshot")
    assert [(int(r["kind"]), int(r["marks"])) for r in rows][-5:] == [
        (BOOK, 0), (BOOK, 0), (BOOK, 0), (BOOK, 0), (BOOK, LAST),
    ]  # fmt: skip
    assert rows["kind"][0] == CLEAR
    assert rows["marks"][5] == SNAPSHOT | LAST
    assert (rows["kind"][6], rows["marks"][6]) == (STATUS, LAST)
    book = Naive()
    states = []
    for row in plain(rows):
        book.apply(row)
        if row[-1] & LAST:
            states.append({side: dict(levels) for side, levels in book.levels.items()})
    first = {1: {201: 3, 200: 1}, -1: {202: 2, 203: 9}}
    assert states == [first, first, {1: {200: 1, 199: 4}, -1: {201: 2}}]


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    import polars as pl

    start = dt.datetime(2024, 5, 6, tzinfo=dt.UTC)
    frame = pl.DataFrame(
        {
            "time": [start + dt.timedelta(microseconds=at) for at in range(500)],
            "price": [100 + at % 7 / 10 for at in range(500)],
            "size": [at % 5 + 1 for at in range(500)],
            "side": ["buy", "sell"] * 250,
            "symbol": ["TEST"] * 500,
        }
    )
    frame.write_parquet(tmp_path / "x.parquet")
    frame.with_columns(pl.col("time").dt.timestamp("us")).write_csv(tmp_path / "x.csv")
    packed, rows = read(tmp_path / "x.parquet")
    plain_reader, wanted = read(tmp_path / "x.csv")
    assert packed.instruments == plain_reader.instruments
    assert rows.tobytes() == wanted.tobytes()
    assert prints(rows)[3] == (int(start.timestamp()) * 10**9 + 3000, 1003, 4, -1, NONE)
    assert reader_for(tmp_path / "x.parquet", OpenOptions()) is TableReader


@pytest.mark.parametrize("column", ["time", "price", "size", "side"])
def test_parquet_columns_of_lists_are_refused(tmp_path: Path, column: str) -> None:
    import polars as pl

    good: dict[str, list[object]] = {"time": [10**15], "price": [1.5], "size": [2], "side": ["buy"]}
    pl.DataFrame({**good, column: [[1, 2]]}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(BadInput, match=rf"x\.parquet: column {column}"):
        read(tmp_path / "x.parquet")


def test_symbols_of_parquet_may_be_numbers_or_categories(tmp_path: Path) -> None:
    import polars as pl

    rows = {"time": [10**15, 10**15 + 1], "price": [1.5, 2.0], "size": [2, 3]}
    pl.DataFrame({**rows, "symbol": [7, 8]}).write_parquet(tmp_path / "numbers.parquet")
    pl.DataFrame(rows).with_columns(symbol=pl.Series(["A", "8"], dtype=pl.Categorical)).write_parquet(
        tmp_path / "categories.parquet"
    )
    for name in ("numbers", "categories"):
        assert [one[2] for one in prints(read(tmp_path / f"{name}.parquet", symbol="8")[1])] == [3]


def test_one_symbol_of_several_is_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "time,symbol,price,size", *(f"{at},{'AB'[at % 2]},{at},1" for at in range(1, 9)))
    with pytest.raises(BadInput, match=r"symbol: got 'B, A', expected one symbol"):
        read(path)
    reader, rows = read(path, symbol="a")
    assert [one[1] for one in prints(rows)] == [1, 2, 3, 4]
    assert reader.instruments[0].tick == "2"
    assert reader.checks.ignored == {"rows of other symbols": 4}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("price=price,size=size", "time=COLUMN"),
        ("time=tome,price=price,size=size", "--columns: time: got 'tome', expected one of the columns time, price"),
        ("time=time,price=price", "price and size of trades"),
        ("time=time,price=price,size=size,bid_price=b{n}", "price and size of trades"),
        ("time=time,bid_price=b{n},bid_size=s{n},ask_price=a{n},ask_size=z{n}", "columns that are there"),
        ("time=time,price=price,size=size,unit=h", "--columns: unit: got 'h'"),
        ("time", "WORD=COLUMN"),
        ("time=time,time=time,price=price,size=size", "once each"),
        ("time=time,prize=price,size=size", "WORD one of time"),
    ],
)
def test_words_that_are_none_are_refused(tmp_path: Path, columns: str, said: str) -> None:
    path = write(tmp_path / "x.csv", "time,price,size", "1,1,1")
    with pytest.raises(BadInput) as caught:
        read(path, columns=columns)
    assert said in str(caught.value)


def test_a_table_of_unknown_columns_asks_for_their_meaning(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b,c", "1,1,1")
    assert not TableReader.recognises(path, path.read_bytes())
    with pytest.raises(BadInput, match=r"--columns time=…,price=…,size=…"):
        read(path)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("1700000000001,x,1,buy", "line 3: price: got 'x'"),
        ("1700000000001,,1,buy", "line 3: price"),
        ("1700000000001,1,0,buy", "line 3: size: got '0', expected a number of at least 1"),
        ("1700000000001,1,-2,buy", "line 3: size: got '-2'"),
        ("1700000000001,1,1,up", "line 3: side: got 'up', expected one of buy, b, buyer"),
        ("yesterday,1,1,buy", "line 3: time: got 'yesterday', expected a decimal number"),
        ("-5,1,1,buy", "line 3: time: got '-5'"),
        (",1,1,buy", "line 3: time"),
        ("1700000000001,1,1", "line 3: got '1700000000001,1,1', expected 4 values"),
        ("1700000000001,inf,1,buy", "line 3: price: got 'inf'"),
    ],
)
def test_damage_is_told_with_its_line_and_column(tmp_path: Path, line: str, place: str) -> None:
    good = "1700000000000,1,1,buy"
    path = write(tmp_path / "x.csv", "time,price,size,side", good, line, good)
    with pytest.raises(BadInput) as caught:
        read(path)
    assert f"x.csv: {place}" in str(caught.value)


def test_quoted_values_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'"time","price","size"\r\n"1700000000000","1.5","2"\r\n1700000000001,1.0,2\r\n')
    assert [one[1:3] for one in prints(read(path)[1])] == [(3, 2), (2, 2)]


def test_mutated_tables_of_books_give_rows_or_a_refusal(tmp_path: Path) -> None:
    lines = [f"{10**15 + at},100.5,3,100.0,1,101.0,2,101.5,{at % 3}" for at in range(40)]
    header = "time,bid_price_1,bid_size_1,bid_price_2,bid_size_2,ask_price_1,ask_size_1,ask_price_2,ask_size_2"
    path = write(tmp_path / "books.csv", header, *lines)
    good = path.read_bytes()
    assert (read(path)[1]["kind"] == BOOK).sum() > 4

    @settings(
        max_examples=EXAMPLES or 60, deadline=None, derandomize=not EXAMPLES, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )  # fmt: skip
    @given(mutations(len(good)))
    def run(edits: list[tuple[str, int, bytes]]) -> None:
        path.write_bytes(mutate(good, edits))
        refusal("table", path)

    run()


def test_mutated_parquet_tables_give_rows_or_a_refusal(tmp_path: Path) -> None:
    import polars as pl

    path = tmp_path / "x.parquet"
    pl.DataFrame({"time": range(10**15, 10**15 + 60), "price": [1.5] * 60, "size": [2] * 60}).write_parquet(path)
    good = path.read_bytes()
    assert len(prints(read(path)[1])) == 60

    @settings(
        max_examples=EXAMPLES or 25, deadline=None, derandomize=not EXAMPLES, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )  # fmt: skip
    @given(mutations(len(good)))
    def run(edits: list[tuple[str, int, bytes]]) -> None:
        path.write_bytes(mutate(good, edits))
        refusal("table", path)

    run()

"""StandX snapshots: after every row the book is the row; trades between them; columns of every kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    BUY,
    CLEAR,
    IMPLIED,
    LAST,
    OFF_GRID,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    UNKNOWN,
)  # fmt: skip
from feeds.files import _parquet
from feeds.files._exact import Levels, count_floats, count_scaled, differences
from feeds.files.standx import READER, StandxReader
from feeds.instruments import Grid
from feeds.source import OpenOptions
from tests.feeds.files.naive import Naive, plain
from tests.feeds.files.samples import standx

START = dt.datetime(2024, 5, 6, tzinfo=dt.UTC)


def decimal(value: float | str) -> Decimal:
    """The decimal a number of the file denotes."""
    return Decimal(value if isinstance(value, str) else repr(value))


def wanted_books(files: list[Path]) -> Iterator[dict[int, dict[Decimal, Decimal]]]:
    """Each row of some book files as two dictionaries."""
    for file in files:
        frame = pl.read_parquet(file)
        columns = (frame[name].to_list() for name in ("bid_prices", "bid_quantities", "ask_prices", "ask_quantities"))
        for bids, bid_sizes, asks, ask_sizes in zip(*columns, strict=True):
            yield {
                BID: dict(zip(map(decimal, bids), map(decimal, bid_sizes), strict=True)),
                ASK: dict(zip(map(decimal, asks), map(decimal, ask_sizes), strict=True)),
            }


def read(path: Path, **options: str) -> tuple[np.ndarray, StandxReader]:
    """All rows of a path and its reader."""
    reader = READER.open(path, OpenOptions(**options))
    return np.concatenate(list(reader.rows())), reader


def test_after_each_row_of_the_real_hours_the_book_is_that_row(data: Path) -> None:
    folder = data / "standx-btcusd"
    rows, reader = read(folder)
    assert [(one.name, one.tick, one.lot, one.locked_ok) for one in reader.instruments] == [
        ("standx:BTC-USD", "0.1", "0.0001", True)
    ]
    # Integers of the file's own decimals: 0.1 and 0.0001.
    tens = []
    for name, decimals in (("bid_prices", 1), ("bid_quantities", 4), ("ask_prices", 1), ("ask_quantities", 4)):
        column = pl.concat([pl.read_parquet(file, columns=[name]) for file in sorted(folder.glob("orderbook_*"))])[name]
        flat = column.explode().to_numpy()
        whole = np.rint(flat * 10**decimals).astype(np.int64)
        assert (whole / 10**decimals == flat).all()
        tens.append(whole.reshape(len(column), 20).tolist())
    book, at, wrong, locked = Naive(), 0, 0, 0
    for row in plain(rows):
        book.apply(row)
        if row[-1] & LAST and row[0] != TRADE:
            bids, bid_sizes, asks, ask_sizes = (column[at] for column in tens)
            wrong += book.levels[BID] != dict(zip(bids, bid_sizes, strict=True))
            wrong += book.levels[ASK] != dict(zip(asks, ask_sizes, strict=True))
            locked += bids[0] == asks[0]
            at += 1
    assert at == 88_828
    assert wrong == 0
    assert 0.4 < locked / at < 0.6


def test_real_trades_are_exact_and_their_constant_side_is_not_believed(data: Path) -> None:
    folder = data / "standx-btcusd"
    frame = pl.concat([pl.read_parquet(file).drop("quote_quantity") for file in sorted(folder.glob("trades_*"))])
    assert frame["side"].unique().to_list() == ["SELL"]
    rows, reader = read(folder)
    trades = rows[rows["kind"] == TRADE]
    assert any("same side" in note for note in reader.notes)
    price, size = reader.instruments[0].price, reader.instruments[0].size
    texts = [
        price.fine_text(tick) if marks & OFF_GRID else price.text(tick)
        for tick, marks in zip(trades["tick"].tolist(), trades["marks"].tolist(), strict=True)
    ]
    assert list(map(Decimal, texts)) == [decimal(value) for value in frame["price"]]
    assert [size.text(lots) for lots in trades["lots"].tolist()] == [f"{value:.4f}" for value in frame["quantity"]]
    assert trades["exch_ns"].tolist() == frame["timestamp"].dt.timestamp("ns").to_list()
    assert trades["recv_ns"].tolist() == frame["received_at"].dt.timestamp("ns").to_list()
    # The quote a plain search finds: the last book received before the trade.
    books = pl.concat(
        [
            pl.read_parquet(file, columns=["received_at", "best_bid", "best_ask"])
            for file in sorted(folder.glob("orderbook_*"))
        ]
    )
    at = np.searchsorted(books["received_at"].dt.timestamp("ns"), np.maximum.accumulate(trades["recv_ns"]), "left") - 1
    middle = np.rint(books["best_bid"].to_numpy() * 10) + np.rint(books["best_ask"].to_numpy() * 10)
    gap = 20 * np.rint(frame["price"].to_numpy() * 100) - 100 * np.where(at < 0, 0, middle[at])
    side = np.where(at < 0, UNKNOWN, np.sign(gap))
    assert (trades["side"] == side).all()
    assert ((trades["marks"] & IMPLIED != 0) == (side != UNKNOWN)).all()


@pytest.mark.parametrize("text", [False, True])
def test_after_each_row_of_a_sample_the_book_is_that_row(tmp_path: Path, text: bool) -> None:
    folder = standx(tmp_path / "sample", text=text)
    rows, reader = read(folder)
    price, size = reader.instruments[0].price, reader.instruments[0].size
    books = wanted_books(sorted(folder.glob("orderbook_*")))
    book, repeats, before = Naive(), 0, None
    for row in plain(rows):
        book.apply(row)
        if row[-1] & LAST and row[0] != TRADE:
            wanted = next(books)
            got = {
                side: {Decimal(price.text(tick)): Decimal(size.text(lots)) for tick, lots in levels.items()}
                for side, levels in book.levels.items()
            }
            assert got == wanted
            assert (row[0] == STATUS) == (before is None or wanted == before)
            repeats += wanted == before
            before = wanted
    assert next(books, None) is None
    assert repeats > 50


def test_the_first_book_is_a_snapshot_and_nothing_after_it(tmp_path: Path) -> None:
    rows, _ = read(standx(tmp_path / "sample") / "orderbook_TEST-USD_2024-05-06_00.parquet")
    first = rows[: np.flatnonzero(rows["marks"] & LAST)[0] + 1]
    assert first["kind"].tolist() == [CLEAR, *[BOOK] * 8, STATUS]
    assert first["aux"][-1] == S_LIVE
    assert (first["marks"] & SNAPSHOT).all()
    assert not (rows["marks"][len(first) :] & SNAPSHOT).any()


def test_books_and_trades_are_merged_by_receive_time_each_in_its_own_order(tmp_path: Path) -> None:
    folder = standx(tmp_path / "sample", rows=1500)
    rows, _ = read(folder)
    assert (np.diff(rows["recv_ns"]) >= 0).all()
    for kind, pattern in ((TRADE, "trades_*"), (None, "orderbook_*")):
        frame = pl.read_parquet(next(folder.glob(pattern)))
        ends = rows[(rows["marks"] & LAST != 0) & ((rows["kind"] == TRADE) == (kind == TRADE))]
        assert ends["recv_ns"].tolist() == frame["received_at"].dt.timestamp("ns").to_list()
        assert ends["exch_ns"].tolist() == frame["timestamp"].dt.timestamp("ns").to_list()


def test_how_a_file_is_divided_changes_nothing(tmp_path: Path) -> None:
    folder = standx(tmp_path / "sample", rows=1500)
    whole, _ = read(folder)
    for size in (1, 7, 333, 5000):
        for file in folder.iterdir():
            pl.read_parquet(file).write_parquet(file, row_group_size=size)
        assert read(folder)[0].tobytes() == whole.tobytes()


def test_stated_sides_are_taken(tmp_path: Path) -> None:
    folder = standx(tmp_path / "sample")
    rows, _ = read(folder)
    frame = pl.read_parquet(next(folder.glob("trades_*")))
    trades = rows[rows["kind"] == TRADE]
    assert trades["side"].tolist() == [BUY if buyer else SELL for buyer in frame["is_buyer_taker"]]
    assert not (trades["marks"] & IMPLIED).any()


def trades_file(folder: Path, **columns: list) -> Path:
    """A file of trades 100 ms apart with given columns."""
    folder.mkdir(exist_ok=True)
    n = len(next(iter(columns.values())))
    times = [START + dt.timedelta(milliseconds=100 * at) for at in range(n)]
    base = {
        "timestamp": times,
        "received_at": times,
        "symbol": ["TEST-USD"] * n,
        "price": [1.5] * n,
        "quantity": [1.0] * n,
    }
    path = folder / "trades_TEST-USD.parquet"
    pl.DataFrame(base | columns).write_parquet(path)
    return path


def test_columns_that_contradict_each_other_leave_the_side_unknown(tmp_path: Path) -> None:
    path = trades_file(
        tmp_path, side=["BUY", "SELL", "BUY", None, "sell", "?"], is_buyer_taker=[True, True, None, False, False, None]
    )
    rows, reader = read(path)
    assert rows["side"][rows["kind"] == TRADE].tolist() == [BUY, UNKNOWN, BUY, SELL, SELL, UNKNOWN]
    assert reader.tier == "D"
    assert rows["kind"][0] == STATUS


def test_a_time_that_goes_back_is_kept_in_place_and_marked(tmp_path: Path) -> None:
    times = [START + dt.timedelta(seconds=at) for at in (0, 2, 1, 3)]
    rows, reader = read(trades_file(tmp_path, received_at=times, is_buyer_taker=[True] * 4))
    trades = rows[rows["kind"] == TRADE]
    assert (trades["marks"] & BAD_TIME != 0).tolist() == [False, False, True, False]
    assert ((trades["recv_ns"] - trades["recv_ns"][0]) // 10**9).tolist() == [0, 2, 1, 3]
    assert reader.checks.out_of_order == 1


def test_inferred_sides_use_the_newest_book_received_before_the_trade(tmp_path: Path) -> None:
    # 1,500 books that rise by a tick a second, a trade in the middle of each second and one at its very start.
    levels = [
        book_row(
            at, bid_prices=[(1000 + at) / 10], bid_quantities=[1.0], ask_prices=[(1002 + at) / 10], ask_quantities=[1.0]
        )
        for at in range(1500)
    ]
    book_file(tmp_path, *levels)
    times, prices, sides = [], [], []
    for at in range(1, 1500):
        times += [START + dt.timedelta(seconds=at), START + dt.timedelta(seconds=at, milliseconds=500)]
        # At its start the book of the second before still counts: its middle is 100.0 + at / 10.
        prices += [(1000 + at) / 10, (1000 + at) / 10]
        sides += [UNKNOWN, SELL]
    trades_file(tmp_path, timestamp=times, received_at=times, price=prices, is_buyer_taker=[True] * len(times))
    rows, _ = read(tmp_path, tick="0.1", lot="0.1")
    trades = rows[rows["kind"] == TRADE]
    assert trades["side"].tolist() == sides
    same = rows[rows["recv_ns"] == trades["recv_ns"][0]]
    assert same["kind"].tolist() == [TRADE, BOOK, BOOK, BOOK, BOOK]


def book_row(at: int = 0, **columns: object) -> dict[str, object]:
    """One row of a book file."""
    time = START + dt.timedelta(seconds=at)
    return {
        "timestamp": time, "received_at": time, "symbol": "TEST-USD", "bid_prices": [9.9, 9.8],
        "bid_quantities": [1.0, 2.0], "ask_prices": [10.0, 10.1], "ask_quantities": [1.0, 2.0],
    } | columns  # fmt: skip


def book_file(folder: Path, *rows: dict[str, object]) -> Path:
    """A book file of some rows."""
    path = folder / "orderbook_TEST-USD.parquet"
    pl.DataFrame(list(rows), infer_schema_length=None).write_parquet(path)
    return path


def test_sides_may_be_empty_short_or_have_sizes_of_0(tmp_path: Path) -> None:
    nothing = {"bid_prices": [], "bid_quantities": []}
    path = book_file(
        tmp_path, book_row(), book_row(1, **nothing), book_row(2), book_row(3, ask_quantities=[0.0, 2.0]),
        book_row(4, ask_prices=[10.3], ask_quantities=[0.5]),
    )  # fmt: skip
    rows, _ = read(path, tick="0.1", lot="0.1")
    book, seen = Naive(), []
    for row in plain(rows):
        book.apply(row)
        if row[-1] & LAST:
            seen.append((dict(book.levels[BID]), dict(book.levels[ASK])))
    bids, asks = {99: 10, 98: 20}, {100: 10, 101: 20}
    assert seen == [(bids, asks), ({}, asks), (bids, asks), (bids, {101: 20}), (bids, {103: 5})]


@pytest.mark.parametrize(
    "columns",
    [
        {"bid_prices": [9.9, float("nan")]}, {"ask_prices": [10.0, float("inf")]}, {"bid_quantities": [1.0, -2.0]},
        {"bid_prices": [9.8, 9.9]}, {"bid_prices": [9.9, 9.9]}, {"ask_prices": [10.1, 10.0]}, {"bid_prices": [9.9]},
        {"ask_prices": [-1.0, 10.1]}, {"bid_prices": [0.0, -1.0]}, {"bid_prices": None}, {"received_at": None},
        {"symbol": "OTHER-USD"}, {"symbol": None}, {"bid_quantities": [1.0, None]}, {"bid_prices": [1e300, 9.8]},
    ],
)  # fmt: skip
def test_a_wrong_row_is_refused_with_its_place(tmp_path: Path, columns: dict[str, object]) -> None:
    path = book_file(tmp_path, *(book_row(at) for at in range(1000)), book_row(1001, **columns), book_row(1002))
    with pytest.raises(BadInput, match=r"orderbook_TEST-USD\.parquet: row \d+ to 1002"):
        read(path)


@pytest.mark.parametrize(("name", "value"), [("price", -1.0), ("price", 0.0), ("quantity", 0.0), ("quantity", -0.5)])
def test_a_trade_without_a_price_and_a_size_above_0_is_refused(tmp_path: Path, name: str, value: float) -> None:
    with pytest.raises(BadInput, match=r"trades_TEST-USD\.parquet: row 1 to 2"):
        read(trades_file(tmp_path, **{name: [1.0, value]}), tick="0.1", lot="0.1")


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop("ask_prices"), lambda frame: frame.with_columns(pl.lit(1.0).alias("bid_prices")),
        lambda frame: frame.with_columns(pl.lit("x").alias("received_at")), lambda frame: frame.clear(),
        lambda frame: frame.with_columns(pl.lit(5).alias("symbol")),
        lambda frame: frame.with_columns(pl.col("bid_prices").list.eval(pl.element() > 1)),
    ],
)  # fmt: skip
def test_missing_or_wrong_columns_are_refused_by_name(tmp_path: Path, change) -> None:
    path = book_file(tmp_path, book_row())
    change(pl.read_parquet(path)).write_parquet(path)
    with pytest.raises(BadInput, match=r"orderbook_TEST-USD\.parquet"):
        read(path)


def test_other_parquet_files_are_not_claimed(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pl.DataFrame({"timestamp": [1], "price": [1.5]}).write_parquet(path)
    assert not READER.recognises(path, path.read_bytes())


def test_hours_of_a_folder_follow_each_other_and_the_book_goes_on(tmp_path: Path) -> None:
    book_file(tmp_path, book_row(), book_row(1)).rename(tmp_path / "orderbook_TEST-USD_00.parquet")
    book_file(tmp_path, book_row(3600), book_row(3601, ask_quantities=[4.0, 2.0])).rename(
        tmp_path / "orderbook_TEST-USD_01.parquet"
    )
    rows, _ = read(tmp_path, tick="0.1", lot="0.1")
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, BOOK, BOOK, STATUS, STATUS, STATUS, BOOK]
    assert rows[-1][["side", "tick", "lots"]].tolist() == (ASK, 100, 40)


books = st.lists(
    st.dictionaries(
        st.tuples(st.sampled_from([5, 6, 7, -3, 2**61, -(2**61)]), st.booleans()),
        st.tuples(st.integers(1, 3), st.integers(0, 2)),
        max_size=6,
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def flat(many: list[dict]) -> Levels:
    """Books of (tick, off the grid) to (lots, count) as columns."""
    rows = [(at, *key, *value) for at, book in enumerate(many) for key, value in book.items()]
    of, tick, off, lots, count = np.array(rows, dtype=np.int64).reshape(-1, 5).T
    return Levels(of, tick, lots, off * OFF_GRID, count)


@settings(max_examples=200, deadline=None)
@given(st.tuples(books, books))
def test_differences_turn_each_book_into_the_other_with_no_row_too_many(pair: tuple[list[dict], list[dict]]) -> None:
    n = min(map(len, pair))
    before, after = pair[0][:n], pair[1][:n]
    held = [dict(book) for book in before]
    rows = list(zip(*(column.tolist() for column in differences(flat(before), flat(after))), strict=True))
    for book, tick, lots, count, marks in rows:
        key, value = (tick, bool(marks & OFF_GRID)), (lots, count)
        if lots:
            assert held[book].get(key) != value
            held[book][key] = value
        else:
            del held[book][key]
    assert held == after
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_a_decoder_that_dies_refuses_its_file_and_the_next_file_is_read(tmp_path: Path) -> None:
    folder = standx(tmp_path / "sample", rows=3000)
    whole, _ = read(folder)
    reader = READER.open(folder, OpenOptions())
    parts = reader.rows()
    next(parts)
    child = _parquet._decoder
    assert child is not None
    child.process.kill()
    with pytest.raises(BadInput, match=r"_TEST-USD_2024-05-06_00\.parquet: .*ran out of memory or time"):
        list(parts)
    assert child.process.returncode is not None
    assert read(folder)[0].tobytes() == whole.tobytes()


def test_sessions_read_side_by_side_or_left_half_way_do_not_disturb_each_other(tmp_path: Path) -> None:
    folders = [standx(tmp_path / name, rows=rows) for name, rows in (("one", 1500), ("two", 2100))]
    whole = [read(folder)[0].tobytes() for folder in folders]
    left = READER.open(folders[0], OpenOptions()).rows()
    next(left)
    left.close()
    streams = [READER.open(folder, OpenOptions()).rows() for folder in folders]
    got = [b"", b""]
    for batches in zip_longest(*streams):
        for at, batch in enumerate(batches):
            got[at] += b"" if batch is None else batch.tobytes()
    assert got == whole


floats = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9),
    st.decimals(-100_000, 100_000, places=4).map(float),
    st.integers(-(10**12), 10**12).map(lambda n: n / 10),
)
increments = st.sampled_from(["0.1", "0.01", "0.25", "0.5", "1", "5", "0.0001", "2.50"])


@settings(max_examples=200, deadline=None)
@given(increments, st.lists(floats, min_size=1, max_size=20))
def test_floats_count_as_their_shortest_text_does(increment: str, values: list[float]) -> None:
    grid = Grid(increment)
    wanted, refused = [], False
    for value in values:
        try:
            wanted.append(grid.read(repr(value)))
        except BadInput:
            refused = True
    try:
        counts, off = count_floats(grid, np.array(values), "here")
    except BadInput:
        assert refused
    else:
        assert not refused
        assert list(zip(counts.tolist(), (~off).tolist(), strict=True)) == wanted


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["0.1", "0.01", "0.25", "1", "0.00001", "0.015625", "0.0000000005", "100", "12.5"]),
    st.integers(0, 12),
    st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-(10**9), 10**9)), min_size=1, max_size=20),
)
def test_scaled_integers_count_as_their_text_does(increment: str, decimals: int, values: list[int]) -> None:
    grid = Grid(increment)
    wanted, refused = [], False
    for value in values:
        try:
            wanted.append(grid.read(f"{value}e-{decimals}"))
        except BadInput:
            refused = True
    try:
        counts, off = count_scaled(grid, np.array(values, dtype=np.int64), decimals, "here")
    except BadInput:
        # A little more is refused than a single text would be: what does not fit in between.
        assert refused or max(map(abs, values)) > 2**62 // 10**12
    else:
        assert not refused
        assert list(zip(counts.tolist(), (~off).tolist(), strict=True)) == wanted

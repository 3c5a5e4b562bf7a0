"""LOBSTER files against the vendor's own book, and the rules of single messages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    AUCTION,
    BAD_TIME,
    BID,
    BUY,
    CANCEL,
    CHECKED,
    CLEAR,
    FILL,
    HIDDEN,
    IMPLIED,
    LAST,
    NONE,
    OFF_GRID,
    REGULAR,
    S_AUCTION,
    S_HALTED,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
    UNKNOWN,
)  # fmt: skip
from feeds.files import reader_for
from feeds.files.lobster import READER
from feeds.source import OpenOptions, open_source
from tests.feeds.files.naive import Naive, after_messages
from tests.feeds.files.samples import lobster

MIDNIGHT_NS = 1_340_251_200_000_000_000
"""2012-06-21 00:00 in New York, which is 04:00 UTC."""


def numbers(path: Path) -> list[list[int]]:
    """A book file as integers."""
    return [list(map(int, line.split(","))) for line in path.read_text().split()]


def write(folder: Path, messages: str, book: str | None = None, stem: str = "AB_2012-06-21_34200000_57600000") -> Path:
    """A day of a few messages."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{stem}_message_1.csv"
    path.write_text("".join(f"{line}\n" for line in messages.split()))
    if book is not None:
        (folder / f"{stem}_orderbook_1.csv").write_text(book + "\n")
    return path


def rows_of(path: Path, **options: str) -> np.ndarray:
    """All rows of a path."""
    return np.concatenate(list(READER.open(path, OpenOptions(**options)).rows()))


def test_level_1_of_every_row_and_50_levels_of_the_first_672_are_the_vendors(data: Path) -> None:
    folder = data / "lobster-aapl"
    first = numbers(folder / "AAPL_2012-06-21_orderbook_L1_allrows.csv")
    deep = numbers(folder / "AAPL_2012-06-21_orderbook_50_first672rows.csv")
    reader = READER.open(folder, OpenOptions())
    assert [(one.symbol, one.tick, one.lot, one.locked_ok) for one in reader.instruments] == [
        ("AAPL", "0.01", "1", True)
    ]
    book, wrong, outside, at = Naive(), [], [], 0
    for at, row in enumerate(after_messages(np.concatenate(list(reader.rows())), book), 1):
        assert book.venue_seq == at
        (ask, ask_size), (bid, bid_size) = book.best(ASK), book.best(BID)
        agrees = [ask * 100, ask_size, bid * 100, bid_size] == first[at - 1]
        assert row[-1] & (CHECKED | SUSPECT) == (CHECKED if agrees else SUSPECT)
        if not agrees:
            wrong.append(at)
        if at <= len(deep):
            told = {
                (side, deep[at - 1][i]): deep[at - 1][i + 1]
                for side, start in ((ASK, 0), (BID, 2))
                for i in range(start, 200, 4)
                if deep[at - 1][i + 1]
            }
            ours = {
                (side, price * 100): size
                for side in (ASK, BID)
                for price, size in sorted(book.levels[side].items(), reverse=side > 0)[:50]
            }
            if ours != told:
                outside.append(at)
                # The 50th ask alone: an order that came while it was beyond the levels supplied.
                assert told.keys() ^ ours.keys() == {(ASK, 5925000), (ASK, 5927400)}
                assert all(told[key] == ours[key] for key in told.keys() & ours.keys())
    assert at == 91_997
    assert len(wrong) == 90
    assert len(outside) == 8
    assert reader.checks.messages == 91_997
    assert reader.verification == "snapshot"
    assert (reader.checks.snapshots, reader.checks.snapshots_failed) == (91_997, 90)
    assert f"line {wrong[0]}:" in reader.checks.problems[0]
    assert 0 < reader.checks.unknown_orders < 100
    assert len(book.unknown) == reader.checks.unknown_orders


def test_all_wrong_rows_stem_from_one_order_that_ended_beyond_the_levels_supplied(data: Path) -> None:
    folder = data / "lobster-aapl"
    first = numbers(folder / "AAPL_2012-06-21_orderbook_L1_allrows.csv")
    rows = rows_of(folder)

    def wrong(book: Naive, at: int) -> bool:
        (ask, ask_size), (bid, bid_size) = book.best(ASK), book.best(BID)
        return [ask * 100, ask_size, bid * 100, bid_size] != first[at]

    book, stale = Naive(), {}
    for at, _ in enumerate(after_messages(rows, book)):
        if wrong(book, at):
            best, _ = book.best(BID)
            stale = {one: order[1] for one, order in book.orders.items() if order[:2] == [BID, best]}
            break
    assert len(stale) == 1
    ((culprit, price),) = stale.items()
    # Taken out once 50 levels are better than its own, which is where the vendor stops telling, nothing differs.
    book, beyond, differs = Naive(), False, 0
    for at, _ in enumerate(after_messages(rows, book)):
        if not beyond and culprit in book.orders and sum(other > price for other in book.levels[BID]) >= 50:
            beyond = True
            book.apply((CANCEL, BID, price, 0, culprit, NONE, LAST))
        differs += wrong(book, at)
    assert beyond
    assert differs == 0


def test_executions_and_hidden_prints_are_those_of_the_file(data: Path) -> None:
    folder = data / "lobster-aapl"
    lines = [line.split(",") for line in (folder / "AAPL_2012-06-21_message_50.csv").read_text().split()]
    rows = rows_of(folder)
    trades = rows[rows["kind"] == TRADE]
    wanted = [line for line in lines if line[1] in {"4", "5"}]
    assert len(trades) == len(wanted)
    assert (trades["aux"] == HIDDEN).sum() == sum(line[1] == "5" for line in lines) == 2201
    fine = np.where(trades["marks"] & OFF_GRID, trades["tick"], trades["tick"] * 10**6)
    assert fine.tolist() == [int(line[4]) * 10**4 for line in wanted]
    assert trades["lots"].tolist() == [int(line[3]) for line in wanted]
    assert trades["side"].tolist() == [-int(line[5]) for line in wanted]
    assert not (trades["marks"] & IMPLIED).any()
    assert ((trades["marks"] & OFF_GRID != 0) == [int(line[4]) % 100 != 0 for line in wanted]).all()


def test_times_are_exact_nanoseconds_of_new_york(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "34200.004241176,1,7,18,5853300,1 34200.5,1,8,18,5853200,1 34201,1,9,18,5853100,1 "
        "35821.088778456004,1,10,18,5853100,1 35821.0999999996,1,11,18,5853100,1",
    )
    rows = rows_of(path)
    wanted = [34_200_004_241_176, 34_200_500_000_000, 34_201_000_000_000, 35_821_088_778_456, 35_821_100_000_000]
    adds = rows[rows["kind"] == ADD]
    assert adds["recv_ns"].tolist() == [MIDNIGHT_NS + ns for ns in wanted]
    assert adds["exch_ns"].tolist() == adds["recv_ns"].tolist()


def test_winter_is_an_hour_later_in_utc(tmp_path: Path) -> None:
    path = write(tmp_path, "34200.0,1,7,18,5853300,1", stem="AB_2012-12-21_34200000_57600000")
    assert rows_of(path)["recv_ns"][-1] == 1_356_100_200 * 10**9


def test_each_type_becomes_its_rows(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "34200.1,1,7,100,5853300,1 34200.2,2,7,30,5853300,1 34200.3,4,7,20,5853300,1 34200.4,3,7,50,5853300,1 "
        "34200.5,5,0,10,5853400,1 34200.6,6,0,500,5853300,1 34200.7,7,0,0,-1,-1 34200.8,7,0,0,0,-1 34200.9,7,0,0,1,-1",
    )
    rows = rows_of(path, tick="0.01")
    table = [tuple(row) for row in rows[["kind", "side", "tick", "lots", "ref", "aux"]].tolist()]
    assert table == [
        (CLEAR, 0, 0, 0, NONE, 0),
        (STATUS, 0, 0, 0, NONE, S_LIVE),
        (ADD, BID, 58533, 100, 7, 1),
        (CANCEL, BID, 58533, 30, 7, 2),
        (FILL, BID, 58533, 20, 7, 3),
        (TRADE, SELL, 58533, 20, NONE, REGULAR),
        (CANCEL, BID, 58533, 50, 7, 4),
        (TRADE, SELL, 58534, 10, NONE, HIDDEN),
        (STATUS, 0, 0, 0, 5, S_LIVE),
        (TRADE, UNKNOWN, 58533, 500, NONE, AUCTION),
        (STATUS, 0, 0, 0, 6, S_LIVE),
        (STATUS, 0, 0, 0, 7, S_HALTED),
        (STATUS, 0, 0, 0, 8, S_AUCTION),
        (STATUS, 0, 0, 0, 9, S_LIVE),
    ]
    last = (rows["marks"] & LAST != 0).tolist()
    assert last == [False, True, True, True, False, True, True, False, True, False, True, True, True, True]
    assert not (rows["marks"][2:] & SNAPSHOT).any()


def test_a_print_during_a_halt_does_not_end_the_halt(tmp_path: Path) -> None:
    path = write(tmp_path, "34200.1,7,0,0,-1,-1 34200.2,6,0,10,5853300,-1 34200.3,7,0,0,1,-1")
    rows = rows_of(path)
    states = rows[(rows["kind"] == STATUS) & (rows["marks"] & SNAPSHOT == 0)]
    assert states["aux"].tolist() == [S_HALTED, S_HALTED, S_LIVE]


@pytest.mark.parametrize(
    ("first", "before"),
    [
        ("34200.1,1,7,40,1000000,1", {(BID, 10000): 60, (ASK, 10001): 50}),
        ("34200.1,2,7,40,1000000,1", {(BID, 10000): 140, (ASK, 10001): 50}),
        ("34200.1,4,7,40,1000100,-1", {(BID, 10000): 100, (ASK, 10001): 90}),
        ("34200.1,3,7,40,1000200,1", {(BID, 10000): 100, (BID, 10002): 40, (ASK, 10001): 50}),
        ("34200.1,5,0,40,1000000,1", {(BID, 10000): 100, (ASK, 10001): 50}),
    ],
)
def test_the_seed_is_row_1_without_message_1(tmp_path: Path, first: str, before: dict[tuple[int, int], int]) -> None:
    path = write(tmp_path, first, "1000100,50,1000000,100,9999999999,0,-9999999999,0")
    rows = rows_of(path, tick="0.01")
    seeds = rows[(rows["kind"] == ADD) & (rows["marks"] & SNAPSHOT != 0)]
    assert {(side, tick): lots for side, tick, lots in seeds[["side", "tick", "lots"]].tolist()} == before
    assert (seeds["ref"] < 0).all()
    assert len(set(seeds["ref"].tolist())) == len(seeds)
    book = Naive()
    for _ in after_messages(rows, book):
        pass
    assert (book.best(BID), book.best(ASK)) == ((10000, 100), (10001, 50))
    assert book.venue_seq == 1
    assert book.unknown == []


def test_messages_of_unknown_orders_take_from_their_levels_anonymous_order_exactly(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "34200.1,1,7,40,1000000,1 34200.2,2,900,10,1000000,1 34200.3,4,901,20,1000000,1 34200.4,3,902,30,1000000,1 "
        "34200.5,3,903,5,990000,1",
        "1000100,50,1000000,100",
    )
    reader = READER.open(path, OpenOptions(tick="0.01"))
    book = Naive()
    sizes = [book.levels[BID].get(10000, 0) for _ in after_messages(np.concatenate(list(reader.rows())), book)]
    assert sizes == [100, 90, 70, 40, 40]
    assert reader.checks.unknown_orders == len(book.unknown) == 1
    assert list(book.orders[7]) == [BID, 10000, 40]


def test_a_level_whose_anonymous_order_is_used_up_takes_no_more(tmp_path: Path) -> None:
    path = write(
        tmp_path, "34200.1,5,0,10,1000000,1 34200.2,4,900,100,1000000,1 34200.3,3,901,5,1000000,1",
        "1000100,50,1000000,100",
    )  # fmt: skip
    reader = READER.open(path, OpenOptions(tick="0.01"))
    rows = np.concatenate(list(reader.rows()))
    assert reader.checks.unknown_orders == 1
    assert rows["ref"][rows["kind"] == FILL].item() < 0
    assert rows["ref"][rows["kind"] == CANCEL].item() == 901


def test_a_total_deletion_takes_all_that_is_left_whatever_size_it_states(tmp_path: Path) -> None:
    path = write(tmp_path, "34200.1,1,7,40,1000000,1 34200.2,3,7,25,1000000,1 34200.3,2,7,5,1000000,1")
    reader = READER.open(path, OpenOptions(tick="0.01"))
    rows = np.concatenate(list(reader.rows()))
    assert rows["lots"][rows["kind"] == CANCEL].tolist() == [40, 5]
    assert reader.checks.unknown_orders == 1


def test_the_book_file_with_the_most_levels_seeds(tmp_path: Path) -> None:
    path = write(tmp_path, "34200.1,5,0,10,1000000,1", "1000100,50,1000000,100")
    stem = path.name.split("_message_")[0]
    (tmp_path / f"{stem}_orderbook_2.csv").write_text("1000100,50,1000000,100,1000200,1,999900,2\n")
    reader = READER.open(path, OpenOptions(tick="0.01"))
    assert any("_orderbook_2.csv" in note for note in reader.notes)
    rows = np.concatenate(list(reader.rows()))
    assert (rows["kind"] == ADD).sum() == 4


def test_every_row_is_compared_with_the_book_file_that_has_them_all(tmp_path: Path) -> None:
    path = write(
        tmp_path, "34200.1,1,7,40,1000000,1 34200.2,1,8,10,1000100,-1 34200.3,3,7,40,1000000,1 34200.4,5,0,1,1000000,1",
        "9999999999,0,1000000,40\n1000100,10,1000000,40\n1000100,10,990000,5\n1000100,10,-9999999999,0",
    )  # fmt: skip
    stem = path.name.split("_message_")[0]
    (tmp_path / f"{stem}_orderbook_2.csv").write_text("9999999999,0,1000000,40,9999999999,0,-9999999999,0\n")
    reader = READER.open(path, OpenOptions(tick="0.01"))
    rows = np.concatenate(list(reader.rows()))
    verdicts = rows["marks"][(rows["marks"] & LAST != 0) & (rows["marks"] & SNAPSHOT == 0)] & (CHECKED | SUSPECT)
    assert verdicts.tolist() == [CHECKED, CHECKED, SUSPECT, CHECKED]
    assert (reader.checks.snapshots, reader.checks.snapshots_failed) == (4, 1)
    (problem,) = reader.checks.problems
    assert "orderbook_1.csv: line 3: " in problem
    assert "990000, 5" in problem


def test_rows_beyond_a_short_book_file_are_not_compared(tmp_path: Path) -> None:
    path = write(tmp_path, "34200.1,1,7,40,1000000,1 34200.2,1,8,10,1000100,-1", "9999999999,0,1000000,40")
    reader = READER.open(path, OpenOptions(tick="0.01"))
    rows = np.concatenate(list(reader.rows()))
    assert reader.checks.snapshots == 1
    assert (rows["marks"][rows["kind"] == ADD] & CHECKED != 0).tolist() == [True, False]


def test_a_damaged_row_of_the_book_file_is_refused_with_its_number(tmp_path: Path) -> None:
    path = write(tmp_path, "34200.1,1,7,40,1000000,1 34200.2,1,8,10,1000100,-1", "9999999999,0,1000000,40\nnan,1,2,3")
    with pytest.raises(BadInput, match=r"_orderbook_1\.csv: line 2\b"):
        rows_of(path, tick="0.01")


def test_without_a_book_file_the_source_says_partial_and_is_live(tmp_path: Path) -> None:
    path = write(tmp_path, "34200.1,1,7,40,1000000,1")
    reader = READER.open(path, OpenOptions())
    assert any("partial" in note for note in reader.notes)
    rows = np.concatenate(list(reader.rows()))
    assert rows["kind"].tolist()[:2] == [CLEAR, STATUS]
    assert rows["aux"][1] == S_LIVE


def test_a_folder_its_message_file_and_its_book_file_are_one_source(tmp_path: Path) -> None:
    folder = lobster(tmp_path / "day")
    whole = rows_of(folder)
    for path in folder.iterdir():
        assert reader_for(path, OpenOptions()) is READER
        assert rows_of(path).tobytes() == whole.tobytes()


def test_days_of_one_folder_follow_each_other(tmp_path: Path) -> None:
    for day in ("2012-06-21", "2012-06-22"):
        write(tmp_path, "34200.1,1,7,40,1000000,1 34200.2,1,8,40,1000100,1", stem=f"AB_{day}_34200000_57600000")
    rows = rows_of(tmp_path)
    assert (rows["kind"] == CLEAR).sum() == 2
    adds = rows[rows["kind"] == ADD]
    assert adds["aux"].tolist() == [1, 2, 1, 2]
    assert np.diff(adds["recv_ns"]).tolist() == [10**8, 86_400 * 10**9 - 10**8, 10**8]


def test_two_stocks_in_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "34200.1,1,7,40,1000000,1")
    write(tmp_path, "34200.1,1,7,40,1000000,1", stem="XY_2012-06-21_34200000_57600000")
    with pytest.raises(BadInput, match="AB, XY"):
        READER.open(tmp_path, OpenOptions())


def test_hidden_prints_are_signed_by_the_quote_once_the_direction_says_nothing(tmp_path: Path) -> None:
    messages = (
        "34200.1,1,7,40,1000000,1 34200.2,1,8,40,1000400,-1 34200.3,5,0,1,1000300,1 34200.4,5,0,1,1000100,1 "
        "34200.5,5,0,1,1000200,1 34200.6,5,0,1,1000300,-1 34200.7,3,8,40,1000400,-1 34200.8,5,0,1,1000300,1"
    )
    new = rows_of(write(tmp_path / "new", messages, stem="AB_2014-07-15_1_2"))
    trades = new[new["kind"] == TRADE]
    assert trades["side"].tolist() == [BUY, SELL, UNKNOWN, BUY, UNKNOWN]
    assert (trades["marks"] & IMPLIED != 0).tolist() == [True, True, False, False, False]
    old = rows_of(write(tmp_path / "old", messages, stem="AB_2014-07-14_1_2"))
    assert old["side"][old["kind"] == TRADE].tolist() == [SELL, SELL, SELL, BUY, SELL]


def test_a_time_that_goes_back_is_kept_and_marked(tmp_path: Path) -> None:
    path = write(
        tmp_path, "34200.3,1,7,40,1000000,1 34200.1,1,8,40,1000000,1 34200.2,4,8,40,1000000,1 34200.4,1,9,1,1000000,1"
    )
    reader = READER.open(path, OpenOptions())
    rows = np.concatenate(list(reader.rows()))[2:]
    assert (rows["marks"] & BAD_TIME != 0).tolist() == [False, True, True, True, False]
    assert rows["recv_ns"][1] == MIDNIGHT_NS + 34_200_100_000_000
    assert reader.checks.out_of_order == 2


def test_a_price_off_the_tick_keeps_its_exact_value(tmp_path: Path) -> None:
    path = write(tmp_path, "34200.3,1,7,40,1000000,1 34200.4,1,8,40,1000150,-1")
    rows = rows_of(path, tick="0.01")
    assert rows["marks"][-1] & OFF_GRID
    assert READER.open(path, OpenOptions(tick="0.01")).instruments[0].price.fine_text(rows["tick"][-1]) == "100.015"


@pytest.mark.parametrize(
    "line",
    [
        "34200.1,1,7,40,1000000", "34200.1,1,7,40,1000000,1,2", "x,1,7,40,1000000,1", "34200.1,8,7,40,1000000,1",
        "34200.1,1,7,-40,1000000,1", "34200.1,1,7,40,-1000000,1", "34200.1,1,7,0,1000000,1", "34200.1,1,7,40,1000000,0",
        "34200.1,1,7,40,1000000,2", "34200.1,1,7,4_0,1000000,1", "nan,1,7,40,1000000,1", "34200.1,7,0,0,5,-1",
        "34200.1,1,7,40,1e6,1", "34200.1,1,7, 40,1000000,1", "", "34200.1,5,0,0,1000000,1",
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "AB_2012-06-21_1_2_message_1.csv"
    path.write_text(f"34200.0,1,6,40,1000000,1\n34200.0,1,5,40,1000000,1\n{line}\n34200.2,1,8,40,1000000,1\n")
    with pytest.raises(BadInput, match=r"message_1\.csv: line 3\b"):
        rows_of(path)


def test_the_rows_before_a_wrong_line_are_given(tmp_path: Path) -> None:
    path = write(tmp_path, "34200.1,1,7,40,1000000,1 34200.2,1,8,40,1000000,1 oops")
    given = []
    with pytest.raises(BadInput, match="line 3"):
        given.extend(READER.open(path, OpenOptions()).rows())
    assert np.concatenate(given)["ref"][2:].tolist() == [7, 8]


def test_a_name_without_date_gives_1970_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("34200.0,1,6,40,1000000,1\n" * 1)
    reader = READER.open(path, OpenOptions(symbol="AB", venue="here"))
    assert reader.instruments[0].name == "here:AB"
    assert any("1970-01-01" in note for note in reader.notes)
    assert next(iter(reader.rows()))["recv_ns"][0] == (5 * 3600 + 34_200) * 10**9


@pytest.mark.parametrize("day", ["2012-13-01", "9999-01-01", "0001-01-01", "2012-02-30"])
def test_a_date_in_the_name_that_is_none_is_refused(tmp_path: Path, day: str) -> None:
    path = write(tmp_path, "34200.1,1,7,40,1000000,1", stem=f"AB_{day}_1_2")
    with pytest.raises(BadInput, match=f"date in the name: got '{day}'"):
        rows_of(path)


def test_the_source_numbers_rows_and_adds_clock_rows(tmp_path: Path) -> None:
    source = open_source(lobster(tmp_path / "day"))
    rows = np.concatenate(list(source.batches()))
    assert rows["seq"].tolist() == list(range(len(rows)))
    assert source.progress[0] == source.progress[1] == source.info.bytes
    assert source.info.tier == "A"

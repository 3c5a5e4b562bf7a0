"""The Bitstamp order log against the venue's own snapshots, and its odd cases one by one."""

from __future__ import annotations

import bz2
from bisect import bisect_left, bisect_right
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    BAD_TIME,
    BID,
    BUY,
    CANCEL,
    CHECKED,
    CLEAR,
    FILL,
    IMPLIED,
    LAST,
    MODIFY,
    NONE,
    S_LIVE,
    S_SYNCING,
    SELL,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
    UNKNOWN,
)  # fmt: skip
from feeds.files.bitstamp_log import READER, BitstampLogReader
from feeds.source import OpenOptions
from tests.feeds.files.naive import Naive, plain

T0 = 1_430_438_400_000


class Day(NamedTuple):
    """The real day: its lines parsed here, and what the reader made of it."""

    lines: list[tuple[int, bytes, dict]]
    reader: BitstampLogReader
    rows: np.ndarray


@pytest.fixture(scope="module")
def day(data: Path) -> Day:
    path = data / "bitstamp-l3" / "2015-05-01.log.bz2"
    lines = []
    for line in bz2.decompress(path.read_bytes()).splitlines():
        local, event, body = line.split(b" ", 2)
        lines.append((int(local), event, msgspec.json.decode(body)))
    reader = READER.open(path, OpenOptions())
    return Day(lines, reader, np.concatenate(list(reader.rows())))


def units(text: str) -> int:
    """Cents of a price, satoshis of an amount."""
    return int(text.replace(".", ""))


def test_the_day_agrees_with_the_venues_snapshots_at_the_inside(day: Day) -> None:
    shown = [(local, body) for local, event, body in day.lines if event == b"order_book"]
    book, before, at = Naive(), None, 0
    agreed_before = agreed = crossed = 0
    for row in plain(day.rows):
        book.apply(row)
        kind, _, _, _, ref, aux, marks = row
        if kind == STATUS and ref != NONE:
            local, body = shown[at]
            assert ref == local == book.venue_seq
            assert aux == S_LIVE
            wanted = tuple((units(body[side][0][0]), units(body[side][0][1])) for side in ("bids", "asks"))
            inside = (book.best(BID), book.best(ASK))
            agreed += inside == wanted
            crossed += inside[0][0] >= inside[1][0]
            if at:
                agreed_before += before == wanted
                assert bool(marks & CHECKED) == (before == wanted)
                assert bool(marks & SUSPECT) == (before != wanted)
            at += 1
        if marks & LAST:
            before = (book.best(BID), book.best(ASK))
    assert at == len(shown) == 29_992
    checks = day.reader.checks
    assert (checks.snapshots, checks.snapshots_failed) == (29_991, 29_991 - agreed_before)
    # Price and size, the book as it is after the message and as it was before it.
    assert agreed / 29_992 >= 0.996
    assert agreed_before / 29_991 >= 0.996
    assert crossed == 0
    assert book.unknown == []


def test_every_ghost_of_the_day_is_reported(day: Day) -> None:
    ended, ghosts, born = set(), {}, {}
    for local, event, body in day.lines:
        if event == b"order_created":
            born[body["id"]] = body
        if event == b"order_deleted":
            ended.add(body["id"])
        elif event in {b"order_created", b"order_changed"} and body["id"] in ended:
            ghosts[body["id"]] = (local, body)
    assert len(ghosts) == 17
    reported = {ghost["id"]: ghost for ghost in day.reader.checks.ghosts}
    assert len(reported) == len(day.reader.checks.ghosts)
    assert reported.keys() == ghosts.keys()
    for one, (local, body) in ghosts.items():
        ghost = reported[one]
        assert ghost["price"] == body["price"]
        assert ghost["size"] == body["amount"]
        assert ghost["side"] == ("ask" if body["order_type"] else "bid")
        assert ghost["since_ns"] <= ghost["dropped_ns"] == local * 10**6
        assert ghost["why"]
    resting = set(day.rows["ref"][day.rows["kind"] == ADD].tolist())
    late = [one for one, ghost in reported.items() if "creation" in ghost["why"]]
    assert len(late) == 13
    assert not resting & set(late)


def test_trades_of_the_day_are_exact_and_their_sides_those_of_the_later_order(day: Day) -> None:
    trades = day.rows[day.rows["kind"] == TRADE]
    told = [(local, body) for local, event, body in day.lines if event == b"trade"]
    assert trades["ref"].tolist() == [body["id"] for _, body in told]
    assert trades["tick"].tolist() == [round(body["price"] * 100) for _, body in told]
    assert trades["lots"].tolist() == [round(body["amount"] * 10**8) for _, body in told]
    assert trades["recv_ns"].tolist() == [local * 10**6 for local, _ in told]
    left, executions = {}, []
    for local, event, body in day.lines:
        if event in {b"trade", b"order_book"}:
            continue
        amount = units(body["amount"])
        if event == b"order_deleted" and amount:
            left.pop(body["id"], None)
        elif event == b"order_created":
            left[body["id"]] = amount
        elif left.get(body["id"], 0) > amount:
            executions.append((local, body["id"], SELL if body["order_type"] else BUY, left[body["id"]] - amount))
            left[body["id"]] = amount
    times = [execution[0] for execution in executions]
    verdicts = Counter()
    for side, lots, (local, _) in zip(trades["side"].tolist(), trades["lots"].tolist(), told, strict=True):
        near = executions[bisect_left(times, local - 3000) : bisect_right(times, local + 3000)]
        pair = [execution for execution in near if execution[3] == lots]
        if len(pair) == 2 and {execution[2] for execution in pair} == {BUY, SELL}:
            verdicts[side == max(pair, key=lambda execution: execution[1])[2]] += 1
    assert verdicts.total() > 3_000
    assert verdicts[True] / verdicts.total() > 0.99
    assert ((trades["marks"] & IMPLIED != 0) == (trades["side"] != UNKNOWN)).all()


def test_anonymous_orders_of_the_day_are_marked_and_everything_else_is_told(day: Day) -> None:
    told = {body["id"] for _, event, body in day.lines if event not in {b"trade", b"order_book"}}
    orders = day.rows[np.isin(day.rows["kind"], (ADD, MODIFY, CANCEL, FILL))]
    known = orders[orders["ref"] > 0]
    assert set(known["ref"].tolist()) <= told
    strange = orders[orders["ref"] < 0]
    assert len(strange) < 0.005 * len(orders)
    assert ((strange["marks"] & (IMPLIED | SNAPSHOT)) != 0).all()
    assert not (known["marks"][known["kind"] == FILL] & IMPLIED).any()


class Log:
    """A small log, line by line."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "small.log"
        self.lines: list[bytes] = []
        self.now = T0

    def put(self, event: str, after_ms: int = 10, **body: object) -> Log:
        self.now += after_ms
        self.lines.append(f"{self.now} {event} ".encode() + msgspec.json.encode(body))
        return self

    def order(self, what: str, one: int, side: int, price: str, amount: str, after_ms: int = 10) -> Log:
        return self.put(
            f"order_{what}", after_ms, price=price, amount=f"{amount}000000", datetime=str(self.now // 1000), id=one,
            order_type=side,
        )  # fmt: skip

    def book(self, bids: str, asks: str, after_ms: int = 10) -> Log:
        sides = [[tuple(level.split(":")) for level in side.split()] for side in (bids, asks)]
        sides = [[(price, f"{amount}000000") for price, amount in side] for side in sides]
        return self.put("order_book", after_ms, bids=sides[0], asks=sides[1])

    def trade(self, one: int, price: float, amount: float, after_ms: int = 10) -> Log:
        return self.put("trade", after_ms, price=price, amount=amount, id=one)

    def read(self) -> tuple[np.ndarray, BitstampLogReader]:
        self.path.write_bytes(b"\n".join(self.lines) + b"\n")
        reader = READER.open(self.path, OpenOptions(tick="0.01", lot="0.01000000"))
        return np.concatenate(list(reader.rows())), reader

    def start(self) -> Log:
        """Bids 99.00 and 98.00 of 1, asks 101.00 and 102.00 of 1, all of known orders."""
        for one, side, price in ((1, 0, "99.00"), (2, 0, "98.00"), (3, 1, "101.00"), (4, 1, "102.00")):
            self.order("created", one, side, price, "1.00")
        return self.book("99.00:1.00 98.00:1.00", "101.00:1.00 102.00:1.00")


def table(rows: np.ndarray, *kinds: int) -> list[tuple[int, ...]]:
    """(kind, side, tick, lots, ref) of rows of some kinds."""
    rows = rows[np.isin(rows["kind"], kinds)]
    return rows[["kind", "side", "tick", "lots", "ref"]].tolist()


def insides(rows: np.ndarray) -> list[tuple]:
    """Best bid and ask after each message."""
    book, out = Naive(), []
    for row in plain(rows):
        book.apply(row)
        if row[-1] & LAST:
            out.append((book.best(BID), book.best(ASK)))
    return out


def test_orders_trades_and_snapshots_become_their_rows(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("changed", 1, 0, "99.00", "0.40").order("deleted", 1, 0, "99.00", "0.00")
    log.order("deleted", 2, 0, "98.00", "1.00")
    rows, reader = log.read()
    assert table(rows, ADD, FILL, CANCEL) == [
        (ADD, BID, 9900, 100, 1), (ADD, BID, 9800, 100, 2), (ADD, ASK, 10100, 100, 3), (ADD, ASK, 10200, 100, 4),
        (FILL, BID, 9900, 60, 1), (FILL, BID, 9900, 40, 1), (CANCEL, BID, 9800, 100, 2),
    ]  # fmt: skip
    states = rows[rows["kind"] == STATUS]
    assert states["aux"].tolist() == [S_SYNCING, S_LIVE]
    assert states["ref"].tolist() == [NONE, T0 + 50]
    adds = rows[rows["kind"] == ADD]
    assert adds["recv_ns"].tolist() == [(T0 + at) * 10**6 for at in (10, 20, 30, 40)]
    assert adds["exch_ns"].tolist() == [T0 // 1000 * 10**9] * 4
    assert (rows["exch_ns"][rows["kind"] == FILL] == NONE).all()
    assert reader.tier == "A"
    assert reader.verification == "snapshot"


def test_a_taker_is_held_out_of_the_book_until_its_match_is_over(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("created", 9, 0, "101.00", "1.50").book(
        "99.00:1.00 98.00:1.00", "101.00:1.00 102.00:1.00"
    )  # fmt: skip
    log.order("changed", 9, 0, "101.00", "0.50").trade(5, 101.0, 1.0).order("deleted", 3, 1, "101.00", "0.00")
    rows, reader = log.read()
    assert table(rows, TRADE) == [(TRADE, BUY, 10100, 100, 5)]
    assert table(rows, FILL) == [(FILL, ASK, 10100, 100, 3)]
    assert table(rows, ADD)[-1] == (ADD, BID, 10100, 50, 9)
    assert all(bid[0] < ask[0] for bid, ask in insides(rows) if bid and ask)
    assert insides(rows)[-1] == ((10100, 50), (10200, 100))
    assert reader.checks.snapshots_failed == 0


def test_a_taker_that_is_executed_whole_never_rests(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("created", 9, 1, "99.00", "0.30").trade(5, 99.0, 0.3)
    log.order("deleted", 9, 1, "99.00", "0.00").order("changed", 1, 0, "99.00", "0.70")
    rows, _ = log.read()
    assert 9 not in rows["ref"][rows["kind"] == ADD].tolist()
    assert table(rows, TRADE, FILL) == [(TRADE, SELL, 9900, 30, 5), (FILL, BID, 9900, 30, 1)]


def test_a_taker_that_crosses_for_over_2_s_rests_after_all(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("created", 9, 1, "99.00", "0.30")
    log.order("created", 10, 0, "97.00", "1.00", 1990).order("created", 11, 0, "97.00", "1.00", 20)
    rows, _ = log.read()
    added = rows[(rows["kind"] == ADD) & (rows["ref"] == 9)]
    assert added["recv_ns"].tolist() == [log.now * 10**6]


def test_a_deletion_before_its_creation_leaves_nothing_and_is_reported(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("deleted", 9, 0, "99.50", "2.00").order("created", 9, 0, "99.50", "2.00")
    rows, reader = log.read()
    assert 9 not in rows["ref"].tolist()
    (ghost,) = reader.checks.ghosts
    at = log.now * 10**6
    assert {key: ghost[key] for key in ("id", "side", "price", "size", "since_ns", "dropped_ns")} == {
        "id": 9, "side": "bid", "price": "99.50", "size": "2.00000000", "since_ns": at, "dropped_ns": at,
    }  # fmt: skip
    assert reader.checks.out_of_order == 1


def test_a_change_after_the_deletion_brings_nothing_back(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("deleted", 1, 0, "99.00", "0.00").order("changed", 1, 0, "99.00", "0.50")
    rows, reader = log.read()
    assert insides(rows)[-1] == ((9800, 100), (10100, 100))
    assert [ghost["id"] for ghost in reader.checks.ghosts] == [1]


def test_an_order_that_snapshots_have_not_shown_for_over_2_s_is_dropped_and_reported(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("created", 9, 0, "99.50", "2.00")
    truth = ("99.00:1.00 98.00:1.00", "101.00:1.00 102.00:1.00")
    log.book(*truth, 1000).book(*truth, 1999).book(*truth, 2)
    rows, reader = log.read()
    dropped = rows[(rows["kind"] == CANCEL) & (rows["ref"] == 9)]
    assert dropped["recv_ns"].tolist() == [log.now * 10**6]
    assert dropped["marks"][0] & IMPLIED
    (ghost,) = reader.checks.ghosts
    assert (ghost["id"], ghost["price"], ghost["dropped_ns"]) == (9, "99.50", log.now * 10**6)
    assert (reader.checks.snapshots, reader.checks.snapshots_failed) == (3, 3)
    states = rows[(rows["kind"] == STATUS) & (rows["ref"] != NONE)]
    assert [bool(marks & SUSPECT) for marks in states["marks"]] == [False, True, True, True]
    assert insides(rows)[-1] == ((9900, 100), (10100, 100))


def test_a_dropped_ghost_stays_dropped_when_it_is_deleted_later(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("created", 9, 0, "99.50", "2.00")
    truth = ("99.00:1.00 98.00:1.00", "101.00:1.00 102.00:1.00")
    log.book(*truth, 10).book(*truth, 2100).order("deleted", 9, 0, "99.50", "2.00")
    rows, reader = log.read()
    assert (rows["ref"] == 9).sum() == 2
    assert reader.checks.duplicates == 1


def test_only_the_order_that_fits_is_dropped_from_a_level_shown_smaller(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("created", 9, 0, "99.00", "2.00").order("created", 10, 0, "99.00", "0.25")
    truth = ("99.00:1.25 98.00:1.00", "101.00:1.00 102.00:1.00")
    log.book(*truth, 10).book(*truth, 2100)
    _, reader = log.read()
    assert [ghost["id"] for ghost in reader.checks.ghosts] == [9]


def test_a_young_or_passing_contradiction_changes_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("created", 9, 0, "99.50", "2.00")
    old, new = "99.00:1.00 98.00:1.00", "99.50:2.00 99.00:1.00 98.00:1.00"
    asks = "101.00:1.00 102.00:1.00"
    log.book(old, asks, 10).book(new, asks, 1500).book(old, asks, 1000).book(new, asks, 900)
    rows, reader = log.read()
    assert reader.checks.ghosts == []
    assert insides(rows)[-1][0] == (9950, 200)


def test_what_is_older_than_the_log_is_anonymous_and_goes_with_its_orders(tmp_path: Path) -> None:
    log = Log(tmp_path).order("created", 1, 0, "99.00", "1.00").book("99.00:3.00 98.00:2.00", "101.00:1.00")
    log.order("deleted", 70, 0, "99.00", "1.50").order("changed", 71, 1, "101.00", "0.75")
    log.order("deleted", 71, 1, "101.00", "0.75").order("deleted", 72, 0, "98.00", "0.00")
    rows, reader = log.read()
    seeds = rows[(rows["kind"] == ADD) & (rows["marks"] & SNAPSHOT != 0)]
    assert sorted(seeds[["side", "tick", "lots"]].tolist()) == [(-1, 10100, 100), (1, 9800, 200), (1, 9900, 200)]
    assert (seeds["ref"] < 0).all()
    assert insides(rows)[-1] == ((9900, 150), (10100, 25))
    # 71 became known by its change, so that its deletion is not unknown.
    assert reader.checks.unknown_orders == 3


def test_later_snapshots_correct_anonymous_amounts(tmp_path: Path) -> None:
    log = Log(tmp_path).book("99.00:3.00 98.00:2.00", "101.00:1.00")
    log.book("99.00:1.00 98.00:2.00", "101.00:1.00").book("99.00:1.00 98.50:4.00 98.00:2.00", "101.00:1.00")
    log.book("99.00:1.00 98.50:4.00 98.00:2.00", "101.00:1.00", 2100)
    rows, reader = log.read()
    book = Naive()
    for row in plain(rows):
        book.apply(row)
    assert book.levels == {BID: {9900: 100, 9850: 400, 9800: 200}, ASK: {10100: 100}}
    mended = rows[np.isin(rows["kind"], (ADD, MODIFY, CANCEL)) & (rows["marks"] & SNAPSHOT == 0)]
    assert len(mended) == 2
    assert (mended["marks"] & IMPLIED).all()
    assert reader.checks.ghosts == []


@pytest.mark.parametrize(
    ("price", "side"), [(101.0, BUY), (99.0, SELL), (100.01, BUY), (99.99, SELL), (100.0, UNKNOWN)]
)
def test_a_trade_of_no_known_order_is_signed_by_the_quote(tmp_path: Path, price: float, side: int) -> None:
    rows, _ = Log(tmp_path).start().trade(5, price, 0.77).read()
    (trade,) = rows[rows["kind"] == TRADE]
    assert trade["side"] == side
    assert bool(trade["marks"] & IMPLIED) == (side != UNKNOWN)


def test_floats_printed_too_long_mean_their_shortest_text(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("created", 9, 0, "97.01", "1.00")
    log.lines.append(b'%d trade {"price": 233.86000000000001, "amount": 1.7885566900000001, "id": 8}' % log.now)
    log.path.write_bytes(b"\n".join(log.lines) + b"\n")
    reader = READER.open(log.path, OpenOptions())
    assert [(one.tick, one.lot, one.derived) for one in reader.instruments] == [("0.01", "0.00000001", True)]
    rows = np.concatenate(list(reader.rows()))
    assert table(rows, TRADE)[0][2:] == (23386, 178855669, 8)


def test_a_trade_is_signed_by_its_pair_of_orders_against_the_quote(tmp_path: Path) -> None:
    # Both executions are told before the print, which lies nearer to the ask; the later order sold.
    log = Log(tmp_path).start().order("created", 9, 1, "99.00", "0.30").order("changed", 1, 0, "99.00", "0.70")
    log.order("deleted", 9, 1, "99.00", "0.00").trade(5, 100.5, 0.3)
    rows, _ = log.read()
    assert table(rows, TRADE) == [(TRADE, SELL, 10050, 30, 5)]


def test_a_trade_told_before_its_executions_is_signed_by_the_taker_held(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("created", 9, 1, "98.00", "0.30").trade(5, 100.5, 0.3)
    rows, _ = log.read()
    assert table(rows, TRADE) == [(TRADE, SELL, 10050, 30, 5)]


def test_an_amount_that_grows_is_an_older_change_told_late(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("changed", 1, 0, "99.00", "0.20").order("changed", 1, 0, "99.00", "0.60")
    rows, reader = log.read()
    assert insides(rows)[-1][0] == (9900, 20)
    assert reader.checks.out_of_order == 1


def test_a_snapshot_that_differs_in_size_alone_disagrees(tmp_path: Path) -> None:
    log = Log(tmp_path).start().book("99.00:1.00 98.00:1.00", "101.00:1.50 102.00:1.00")
    log.book("99.00:1.00 98.00:1.50", "101.00:1.00 102.00:1.00")
    _, reader = log.read()
    assert (reader.checks.snapshots, reader.checks.snapshots_failed) == (2, 1)


def test_an_unknown_order_executed_whole_takes_its_level_with_it(tmp_path: Path) -> None:
    log = Log(tmp_path).book("99.00:3.00 98.00:2.00", "101.00:1.00").order("deleted", 70, 0, "99.00", "0.00")
    rows, _ = log.read()
    assert insides(rows)[-1][0] == (9800, 200)


def test_an_anonymous_amount_shrinks_with_the_next_snapshot_without_waiting(tmp_path: Path) -> None:
    log = Log(tmp_path).book("99.00:3.00", "101.00:1.00").book("99.00:1.00", "101.00:1.00", 5)
    rows, _ = log.read()
    assert insides(rows)[-1][0] == (9900, 100)


def test_only_what_snapshots_missed_all_along_is_dropped(tmp_path: Path) -> None:
    # The level is 2.00 too large at first and 2.25 later: order 10 is younger than the contradiction.
    log = Log(tmp_path).start().order("created", 9, 0, "99.00", "2.00")
    truth = ("99.00:1.00 98.00:1.00", "101.00:1.00 102.00:1.00")
    log.book(*truth, 10).order("created", 10, 0, "99.00", "0.25", 1500).book(*truth, 900)
    rows, reader = log.read()
    assert [ghost["id"] for ghost in reader.checks.ghosts] == [9]
    assert insides(rows)[-1][0] == (9900, 125)


def test_an_order_younger_than_the_contradiction_of_its_level_is_not_dropped_for_it(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("created", 9, 0, "99.50", "2.00")
    truth = ("99.00:1.00 98.00:1.00", "101.00:1.00 102.00:1.00")
    log.book(*truth, 10).order("created", 10, 0, "99.50", "2.00", 1900).order("deleted", 9, 0, "99.50", "2.00")
    rows, reader = log.book(*truth, 500).read()
    assert reader.checks.ghosts == []
    assert insides(rows)[-1][0] == (9950, 200)


def test_a_contradiction_that_no_order_fits_is_a_problem_with_its_price(tmp_path: Path) -> None:
    log = Log(tmp_path).start()
    truth = ("99.00:0.70 98.00:1.00", "101.00:1.00 102.00:1.00")
    log.book(*truth, 10).book(*truth, 2100)
    rows, reader = log.read()
    assert reader.checks.ghosts == []
    assert any("99.00" in problem for problem in reader.checks.problems)
    assert insides(rows)[-1][0] == (9900, 100)


def test_repeated_trades_creations_and_deletions_count_once(tmp_path: Path) -> None:
    log = Log(tmp_path).start().trade(5, 101.0, 0.5).trade(5, 101.0, 0.5).order("created", 1, 0, "99.00", "1.00")
    log.order("deleted", 2, 0, "98.00", "1.00").order("deleted", 2, 0, "98.00", "1.00")
    rows, reader = log.read()
    assert (rows["kind"] == TRADE).sum() == 1
    assert reader.checks.duplicates == 3
    assert insides(rows)[-1] == ((9900, 100), (10100, 100))


def test_a_log_without_snapshots_is_live_and_says_partial(tmp_path: Path) -> None:
    rows, reader = Log(tmp_path).order("created", 1, 0, "99.00", "1.00").read()
    assert rows["aux"][rows["kind"] == STATUS].tolist() == [S_LIVE]
    assert reader.verification == "unverifiable"
    assert any("partial" in note for note in reader.notes)


def test_a_time_that_goes_back_is_kept_and_marked(tmp_path: Path) -> None:
    log = Log(tmp_path).start().order("created", 9, 1, "99.00", "0.50").order("changed", 9, 1, "99.00", "0.25")
    log.order("deleted", 1, 0, "99.00", "0.00", -30).order("deleted", 2, 0, "98.00", "1.00", 500)
    rows, reader = log.read()
    # The deletion lets the taker rest: two rows of one message, both of the earlier time.
    late = rows[rows["recv_ns"] == (T0 + 40) * 10**6][-2:]
    assert late["kind"].tolist() == [FILL, ADD]
    assert (rows["marks"] & BAD_TIME != 0).sum() == (late["marks"] & BAD_TIME != 0).sum() == 2
    assert reader.checks.out_of_order == 1


@pytest.mark.parametrize(
    "line",
    [
        b"x", b"", b"1430438404518", b"1430438404518 order_created", b"1430438404518 order_created {",
        b"143043840451 order_created 5",
        b"9999999999999 order_created {}", b'1430438404518 order_created {"price": "1.0"}',
        b'1430438404518 order_created {"price": "NaN", "amount": "1", "id": 5, "order_type": 0}',
        b'1430438404518 order_created {"price": NaN, "amount": "1", "id": 5, "order_type": 0}',
        b'1430438404518 order_created {"price": 1e999, "amount": "1", "id": 5, "order_type": 0}',
        b'1430438404518 order_created {"price": "1.0", "amount": "-1", "id": 5, "order_type": 0}',
        b'1430438404518 order_created {"price": "0", "amount": "1", "id": 5, "order_type": 0}',
        b'1430438404518 order_created {"price": "1.0", "amount": "1", "id": -5, "order_type": 0}',
        b'1430438404518 order_created {"price": "1.0", "amount": "1", "id": 9223372036854775808, "order_type": 0}',
        b'1430438404518 order_created {"price": "1.0", "amount": "1", "id": 5, "order_type": 2}',
        b'1430438404518 order_created {"price": "1.0", "amount": "1", "id": "5", "order_type": 0}',
        b'1430438404518 trade {"price": 0, "amount": 1, "id": 5}',
        b'1430438404518 trade {"price": 1, "amount": 0, "id": 5}',
        b'1430438404518 order_book {"bids": [["1.0", "1"], ["2.0", "1"]], "asks": []}',
        b'1430438404518 order_book {"bids": [["1.0", "0"]], "asks": []}', b'1430438404518 order_book {"bids": []}',
        b'1430438404518 order_book {"bids": [["1.0"]], "asks": []}', b"1430438404518 heartbeat {}",
        b"1430438404518 order_created " + b'{"a":' * 10_000, b'1430438404518 order_created {"price": "\xff"}',
        b'1430438404518 order_created {"price": "' + b"9" * 5000 + b'", "amount": "1", "id": 5, "order_type": 0}',
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_its_number(tmp_path: Path, line: bytes) -> None:
    log = Log(tmp_path).start()
    # Beyond the lines that are looked at first.
    filler = [log.lines[0]] * 3000
    log.path.write_bytes(b"\n".join([*filler, line, log.lines[1]]) + b"\n")
    reader, given = READER.open(log.path, OpenOptions()), []
    with pytest.raises(BadInput, match=r"small\.log: line 3001\b"):
        given.extend(reader.rows())
    assert np.concatenate(given)["kind"].tolist() == [CLEAR, STATUS, ADD]
    log.path.write_bytes(b"\n".join([log.lines[0], line, log.lines[1]]) + b"\n")
    with pytest.raises(BadInput, match=r"small\.log: line 2\b"):
        list(READER.open(log.path, OpenOptions()).rows())


def test_logs_of_a_folder_are_one_session(tmp_path: Path) -> None:
    first = Log(tmp_path).start()
    first.path = tmp_path / "2015-05-01.log"
    first.read()
    second = Log(tmp_path).order("deleted", 1, 0, "99.00", "1.00", 90_000)
    second.path = tmp_path / "2015-05-02.log"
    second.path.write_bytes(second.lines[0] + b"\n")
    rows = np.concatenate(list(READER.open(tmp_path, OpenOptions(tick="0.01", lot="0.01")).rows()))
    assert table(rows, CANCEL) == [(CANCEL, BID, 9900, 100, 1)]
    assert insides(rows)[-1] == ((9800, 100), (10100, 100))

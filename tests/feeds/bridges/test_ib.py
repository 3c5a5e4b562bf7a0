"""The bridge to Interactive Brokers: the real client of ib_async against a TWS on loopback."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

pytest.importorskip("ib_async", reason="the extra 'ib' is not installed")

from feeds.bridges import bridge
from feeds.bridges.ib import IbBridge
from feeds.errors import BadInput
from feeds.events import (
    BOOK,
    CLEAR,
    GAP,
    LAST,
    NONE,
    OTHER,
    REGULAR,
    S_LIVE,
    S_SYNCING,
    STATUS,
    TRADE,
)  # fmt: skip
from tests.feeds.bridges.following import follow
from tests.feeds.bridges.tws import Tws, depth, error, last, tws
from tests.feeds.files.naive import Naive, plain

BID, ASK = 1, 0
INSERT, UPDATE, DELETE = 0, 1, 2
SECONDS = 1_700_000_000


def made(server: Tws, symbol: str = "AAPL") -> IbBridge:
    """A bridge to TWS on loopback, quick to try again."""
    return IbBridge([symbol], host="127.0.0.1", port=server.port, least_wait_s=0.01)


def levels(rows: np.ndarray) -> dict[int, dict[object, int]]:
    """The book after all rows."""
    book = Naive()
    for row in plain(rows):
        book.apply(row)
    return book.levels


def kinds(rows: np.ndarray) -> list[int]:
    """Kinds in order."""
    return rows["kind"].tolist()


async def test_rows_are_inserted_and_deleted_and_move_those_behind_them() -> None:
    async def play(writer, session: int, book: int, prints: int) -> None:
        writer.write(
            depth(book, 0, INSERT, BID, 100.0, 3) + depth(book, 1, INSERT, BID, 99.99, 5)
            + depth(book, 0, INSERT, ASK, 100.01, 7) + depth(book, 0, INSERT, BID, 100.005, 1)
        )  # fmt: skip
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.write(depth(book, 0, DELETE, BID, 0, 0) + depth(book, 1, UPDATE, BID, 99.98, 9))
        writer.write(last(prints, SECONDS, 100.01, 25) + last(prints, SECONDS + 1, 100.0, 2, mask=2))
        await writer.drain()

    async with tws(play) as server:
        one = made(server)
        rows = await follow(one, lambda rows: kinds(rows).count(TRADE) == 2)
    assert (one.instruments[0].name, one.instruments[0].tick, one.instruments[0].lot) == ("ib:AAPL", "0.01", "1")
    assert levels(rows) == {1: {10_000: 3, 9_998: 9}, -1: {10_001: 7}}
    assert kinds(rows)[:2] == [CLEAR, STATUS]
    books = rows[rows["kind"] == BOOK]
    assert (books["marks"] & LAST).astype(bool).tolist().count(True) <= 3
    prints = rows[rows["kind"] == TRADE]
    assert prints["side"].tolist() == [0, 0]
    assert prints["aux"].tolist() == [REGULAR, OTHER]
    assert prints["exch_ns"].tolist() == [SECONDS * 10**9, (SECONDS + 1) * 10**9]
    assert (books["exch_ns"] == NONE).all()
    asked = {fields[0]: fields for fields in server.asked}
    assert asked["10"][-3:] == ["10", "0", ""]
    assert "AllLast" in asked["97"]


async def test_rows_of_one_price_are_one_level() -> None:
    async def play(writer, session: int, book: int, prints: int) -> None:
        writer.write(depth(book, 0, INSERT, BID, 100.0, 3) + depth(book, 1, INSERT, BID, 100.0, 5))
        writer.write(depth(book, 0, DELETE, BID, 0, 0) + last(prints, SECONDS, 100.0, 1))
        await writer.drain()

    async with tws(play) as server:
        rows = await follow(made(server), lambda rows: TRADE in kinds(rows))
    assert rows["lots"][rows["kind"] == BOOK].tolist() == [3, 8, 5]
    assert levels(rows) == {1: {10_000: 5}, -1: {}}


async def test_rows_beyond_those_asked_for_are_gone() -> None:
    async def play(writer, session: int, book: int, prints: int) -> None:
        for at in range(12):
            writer.write(depth(book, 0, INSERT, BID, 100 + at / 100, 1))
        writer.write(last(prints, SECONDS, 100.0, 1))
        await writer.drain()

    async with tws(play) as server:
        rows = await follow(made(server), lambda rows: TRADE in kinds(rows))
    assert levels(rows)[1] == {10_002 + at: 1 for at in range(10)}


async def test_a_depth_reset_forgets_the_book_until_new_rows_come() -> None:
    async def play(writer, session: int, book: int, prints: int) -> None:
        writer.write(depth(book, 0, INSERT, BID, 100.0, 3))
        writer.write(error(book, 317, "Market depth data has been RESET"))
        writer.write(depth(book, 0, INSERT, BID, 99.0, 4) + last(prints, SECONDS, 100.0, 1))
        await writer.drain()

    async with tws(play) as server:
        one = made(server)
        rows = await follow(one, lambda rows: TRADE in kinds(rows))
    assert rows["aux"][rows["kind"] == STATUS].tolist() == [S_LIVE, S_SYNCING, S_LIVE]
    assert levels(rows)[1] == {9_900: 4}
    assert any("IB 317" in line.text for line in one.log)


@pytest.mark.parametrize("how", ["closed", "restored with data lost"])
async def test_a_lost_connection_is_begun_anew_and_every_subscription_asked_again(how: str) -> None:
    async def play(writer, session: int, book: int, prints: int) -> None:
        writer.write(depth(book, 0, INSERT, BID, 100.0, session))
        await writer.drain()
        if session == 1:
            await asyncio.sleep(0.2)
            if how == "closed":
                writer.close()
            else:
                writer.write(error(-1, 1100, "Connectivity between IB and TWS has been lost"))
                writer.write(error(-1, 1101, "Connectivity has been restored - data lost"))
                await writer.drain()

    async with tws(play) as server:
        one = made(server)
        rows = await follow(one, lambda rows: kinds(rows).count(BOOK) == 2)
    assert kinds(rows).count(GAP) == 1
    assert rows["aux"][rows["kind"] == GAP][0] > 0
    assert levels(rows)[1] == {10_000: 2}
    assert [fields[0] for fields in server.asked].count("10") == 2
    assert [fields[0] for fields in server.asked].count("97") == 2
    assert one.checks.gaps == 1


async def test_a_row_that_cannot_be_is_counted_and_left_out() -> None:
    async def play(writer, session: int, book: int, prints: int) -> None:
        writer.write(depth(book, 5, INSERT, BID, 100.0, 3) + depth(book, 0, DELETE, ASK, 0, 0))
        writer.write(depth(book, 0, INSERT, BID, 100.0, -3) + last(prints, SECONDS, 100.0, 1))
        await writer.drain()

    async with tws(play) as server:
        one = made(server)
        rows = await follow(one, lambda rows: TRADE in kinds(rows))
    assert one.checks.damaged == 3
    assert BOOK not in kinds(rows)


async def test_a_contract_that_is_not_known_is_refused() -> None:
    async def play(writer, session: int, book: int, prints: int) -> None:
        raise AssertionError

    async with tws(play) as server:
        with pytest.raises(BadInput, match="NONE"):
            await made(server, "NONE").run()


async def test_nobody_listening_is_an_oserror_that_says_where() -> None:
    with pytest.raises(OSError, match=r"TWS or IB Gateway at 127\.0\.0\.1:9"):
        await IbBridge(["AAPL"], host="127.0.0.1", port=9).run()


def test_addresses_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bridge("ib") is IbBridge
    for symbol in ("", "FUT/ES", "FUT/ES/CME/", "a/b/c/d/e/f"):
        with pytest.raises(BadInput, match=r"SECTYPE/SYMBOL/EXCHANGE/CURRENCY"):
            IbBridge([symbol])
    monkeypatch.setenv("TAPEVIEW_IB", "localhost:70000")
    with pytest.raises(BadInput, match="HOST:PORT"):
        IbBridge(["AAPL"])

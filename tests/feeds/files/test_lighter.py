"""Frames of Lighter: books by their counters, prints, slow inputs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from feeds.errors import BadInput
from feeds.events import (
    BOOK,
    C_DISCONNECT,
    C_SEQUENCE,
    EVENT,
    F_FUNDING_RATE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_OPEN_INTEREST,
    FACT,
    GAP,
    LAST,
    LIQUIDATION,
    QUOTE,
    REGULAR,
    S_LIVE,
    S_SYNCING,
    STATUS,
    TRADE,
)  # fmt: skip
from feeds.files import reader_for
from feeds.files._objects import objects
from feeds.files._streams import Stream
from feeds.files.lighter import LighterReader
from feeds.source import OpenOptions
from tests.feeds.files.naive import Naive, plain
from tests.kit.best import Side


def level(price: str, size: str) -> dict[str, str]:
    """A level of a book."""
    return {"price": price, "size": size}


def book(
    offset: int, bids: list[dict[str, str]], asks: list[dict[str, str]], *, whole: bool = False, **more: int
) -> dict[str, object]:
    """A frame of a book."""
    inner = {"code": 0, "bids": bids, "asks": asks, "offset": offset, **more}
    kind = "subscribed/order_book" if whole else "update/order_book"
    return {
        "channel": "order_book:1",
        "offset": offset,
        "order_book": inner,
        "timestamp": 1_700_000_000_000 + offset,
        "type": kind,
    }


def trade(serial: int, price: str, size: str, *, maker_ask: bool, kind: str = "trade") -> dict[str, object]:
    """A print."""
    return {
        "trade_id": serial, "price": price, "size": size, "is_maker_ask": maker_ask, "timestamp": 1_700_000_000_500,
        "type": kind, "market_id": 1,
    }  # fmt: skip


def write(path: Path, *frames: dict[str, object], timed: bool = True) -> Path:
    """A file of frames."""
    lines = [
        {"ts": 1_700_000_001 + at / 4, "msg": msgspec.json.encode(frame).decode()} if timed else frame
        for at, frame in enumerate(frames)
    ]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(lines), indent=2))
    return path


def read(path: Path, **options: str) -> tuple[LighterReader, np.ndarray]:
    """All rows."""
    reader = LighterReader.open(path, OpenOptions(**options))
    return reader, np.concatenate([np.zeros(0, EVENT), *reader.rows()])


def kinds(rows: np.ndarray) -> list[int]:
    """Kinds in order."""
    return rows["kind"].tolist()


START = book(10, [level("99.5", "1.00")], [level("100.0", "2.50")], whole=True)


def test_a_book_is_followed_by_its_counter(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.json", {"session_id": "a", "type": "connected"}, START,
        book(11, [level("99.5", "0.00"), level("99.0", "3.00")], []), book(12, [], []),
    )  # fmt: skip
    reader, rows = read(path)
    assert reader_for(path, OpenOptions()) is LighterReader
    assert (reader.instruments[0].tick, reader.instruments[0].lot) == ("0.5", "0.01")
    state = Naive()
    for row in plain(rows):
        state.apply(row)
    assert state.levels == {1: {198: 300}, -1: {200: 250}}
    assert rows["recv_ns"][0] == 1_700_000_001_250_000_000
    assert rows["exch_ns"][0] == 1_700_000_000_010_000_000
    assert rows["ref"][rows["kind"] == BOOK].tolist() == [10, 10, 11, 11]
    assert (rows["kind"][-1], rows["aux"][-1]) == (STATUS, S_LIVE)
    assert reader.checks.gaps == 0


def test_a_change_that_is_missing_is_a_gap_until_the_next_whole_book(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.json", START, book(14, [level("99.0", "3.00")], []), book(15, [level("98.0", "3.00")], []),
        {**START, "offset": 20},
    )  # fmt: skip
    reader, rows = read(path)
    gap = rows[rows["kind"] == GAP]
    assert (gap["lots"].tolist(), gap["ref"].tolist()) == ([C_SEQUENCE], [3])
    assert rows["aux"][rows["kind"] == STATUS].tolist() == [S_LIVE, S_SYNCING, S_LIVE]
    assert reader.checks.gaps == 1
    assert reader.checks.ignored == {"changes before the first whole book": 1}
    assert (rows["tick"][rows["kind"] == BOOK] >= 199).all()


def test_the_nonce_is_the_rule_where_it_is_told(tmp_path: Path) -> None:
    whole = book(10, [level("99.5", "1.00")], [], whole=True, nonce=500)
    good = book(90, [level("99.5", "2.00")], [], begin_nonce=500, nonce=510)
    reader, rows = read(write(tmp_path / "x.json", whole, good))
    assert reader.checks.gaps == 0
    bad = book(91, [level("99.5", "2.00")], [], begin_nonce=511, nonce=520)
    reader, rows = read(write(tmp_path / "y.json", whole, good, bad))
    assert reader.checks.gaps == 1
    assert kinds(rows).count(GAP) == 1


def test_a_change_that_comes_twice_is_counted_and_left_out(tmp_path: Path) -> None:
    change = book(11, [level("99.0", "3.00")], [])
    reader, rows = read(write(tmp_path / "x.json", START, change, change))
    assert (reader.checks.duplicates, reader.checks.gaps) == (1, 0)
    assert kinds(rows).count(BOOK) == 3


def test_a_new_connection_is_a_gap(tmp_path: Path) -> None:
    hello = {"session_id": "b", "type": "connected"}
    _, rows = read(write(tmp_path / "x.json", hello, START, hello, START))
    assert rows["lots"][rows["kind"] == GAP].tolist() == [C_DISCONNECT]


def test_prints_have_the_takers_side_and_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    frame = {
        "channel": "trade:1", "type": "update/trade",
        "trades": [trade(8, "100.0", "0.50", maker_ask=True), trade(7, "99.5", "1.00", maker_ask=False)],
        "liquidation_trades": [trade(9, "99.0", "2.00", maker_ask=False, kind="liquidation")],
    }  # fmt: skip
    history = {"channel": "trade:1", "type": "subscribed/trade", "trades": [trade(6, "1.0", "1.00", maker_ask=True)]}
    reader, rows = read(write(tmp_path / "x.json", history, START, frame, frame))
    prints = rows[rows["kind"] == TRADE]
    assert prints["ref"].tolist() == [7, 8, 9]
    assert prints["side"].tolist() == [-1, 1, -1]
    assert prints["aux"].tolist() == [REGULAR, REGULAR, LIQUIDATION]
    forced = rows[rows["kind"] == FACT]
    assert forced["aux"].tolist() == [F_LIQUIDATION]
    assert (forced["side"].tolist(), forced["lots"].tolist()) == ([-1], [200])
    assert reader.checks.duplicates == 3


def test_slow_inputs_and_best_prices_are_told(tmp_path: Path) -> None:
    stats = {
        "symbol": "BTC", "mark_price": "50.0", "index_price": "50.1", "current_funding_rate": "0.0012",
        "open_interest": "2500.000000",
    }  # fmt: skip
    path = write(
        tmp_path / "x.json", START, {"channel": "market_stats:1", "type": "update/market_stats", "market_stats": stats},
        {"channel": "ticker:1", "type": "update/ticker", "ticker": {"a": level("100.0", "1"), "b": level("99.5", "2")}},
    )  # fmt: skip
    reader, rows = read(path)
    assert reader.instruments[0].symbol == "BTC"
    facts = {int(r["aux"]): int(r["lots"]) for r in rows if r["kind"] == FACT}
    assert facts[F_MARK_PRICE] == 50 * 10**9
    assert facts[F_FUNDING_RATE] == 12_000
    assert facts[F_OPEN_INTEREST] == 50 * 100
    quotes = rows[rows["kind"] == QUOTE]
    assert (quotes["tick"].tolist(), quotes["side"].tolist()) == ([199, 200], [1, -1])
    assert quotes["marks"][-1] & LAST


def test_frames_without_receive_times_have_the_venues(tmp_path: Path) -> None:
    reader, rows = read(write(tmp_path / "x.json", {"type": "connected"}, START, timed=False))
    assert (rows["recv_ns"] == 1_700_000_000_010_000_000).all()
    assert any("stand in" in note for note in reader.notes)


@pytest.mark.parametrize(
    "text", [b"{}]", b"[{}", b'{"a', b"[[{}]]", b"x", b"{}x", b"[" * 999, b'{"a":' * 999, b'[{"a":1},"']
)
def test_a_text_that_is_no_list_of_objects_is_refused_at_its_byte(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text)
    with Stream(path) as stream, pytest.raises(BadInput, match=r"x\.json: byte \d+"):
        list(objects(stream))


def test_objects_are_split_wherever_the_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [b'{"a":"}]\\"{"}', b'{ "b": [1, {"c": "\\\\"}] }', b"{}"]
    path = tmp_path / "x.json"
    path.write_bytes(b"[ " + b",\n".join(wanted) + b"\n]")
    whole = Stream.read
    for size in (1, 2, 3, 7, 1000):
        monkeypatch.setattr(Stream, "read", lambda self, n=size: whole(self, n))
        with Stream(path) as stream:
            assert [raw for _, raw in objects(stream)] == wanted


def test_the_real_frames_make_the_venues_own_book(data: Path) -> None:
    path = data / "venue-fixtures" / "lighter" / "ws" / "mainnet_order_book_place_cancel_btc.json"
    reader, rows = read(path)
    frames = [msgspec.json.decode(one["msg"]) for one in msgspec.json.decode(path.read_bytes())]
    wanted = {"bids": Side(bids=True), "asks": Side(bids=False)}
    texts: dict[float, str] = {}
    states = []
    prints = set()
    for frame in frames:
        if "order_book" in frame:
            for side in ("bids", "asks"):
                if frame["type"] == "subscribed/order_book":
                    wanted[side] = Side(bids=side == "bids")
                for one in frame["order_book"][side]:
                    price = float(one["price"])
                    assert texts.setdefault(price, one["price"]) == one["price"], "one spelling a price"
                    wanted[side].put(price, one["size"] if float(one["size"]) else "")
            bids, asks = wanted["bids"], wanted["asks"]
            states.append((bids.best(), asks.best(), len(bids), len(asks)))
        if frame["type"] == "update/trade":
            prints |= {one["trade_id"] for name in ("trades", "liquidation_trades") for one in frame[name] or ()}
    levels = {1: Side(bids=True), -1: Side(bids=False)}
    seen = []
    for kind, side, tick, lots, marks in rows[["kind", "side", "tick", "lots", "marks"]].tolist():
        if kind == BOOK:
            levels[side].put(tick, lots)
        if marks & LAST and kind in (BOOK, STATUS):
            seen.append((levels[1].best() / 10, levels[-1].best() / 10, len(levels[1]), len(levels[-1])))
    assert len(frames) == 3053
    assert seen == states
    assert set(rows["ref"][rows["kind"] == TRADE].tolist()) == prints
    assert reader.checks.gaps == 0
    assert reader.checks.damaged == 0
    final = {
        reader.instruments[0].price.text(tick): reader.instruments[0].size.text(lots)
        for tick, lots in levels[1].items()
    }
    assert final == {texts[price]: size for price, size in wanted["bids"].items()}

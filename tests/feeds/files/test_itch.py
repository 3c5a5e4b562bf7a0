"""TotalView-ITCH 5.0: what the reader makes of a day against a parser that takes message by message."""

from __future__ import annotations

import datetime as dt
import gzip
import random
import struct
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    AUCTION,
    BUST,
    CANCEL,
    EVENT,
    F_SSR,
    FACT,
    FILL,
    HIDDEN,
    IMPLIED,
    LAST,
    OFF_GRID,
    REGULAR,
    S_AUCTION,
    S_HALTED,
    S_LIVE,
    STATUS,
    TRADE,
)  # fmt: skip
from feeds.files._itch import LENGTHS, find
from feeds.files.itch import ItchReader
from feeds.source import OpenOptions
from tests.feeds.files.naive import Naive, plain
from tests.feeds.files.samples import ItchDay, itch

MIDNIGHT = int(dt.datetime(2013, 5, 6, tzinfo=ZoneInfo("America/New_York")).timestamp()) * 10**9


def read(path: Path, **options: str) -> tuple[ItchReader, np.ndarray]:
    """All rows."""
    reader = ItchReader.open(path, OpenOptions(**options))
    return reader, np.concatenate([np.zeros(0, EVENT), *reader.rows()])


def naive(raw: bytes, stock: bytes = b"TEST") -> list[tuple[int, ...]]:
    """(kind, time, tick, lots, side, ref, aux) by the specification, one message after the other."""
    rows: list[tuple[int, ...]] = []
    orders: dict[int, list[int]] = {}
    prints: dict[int, tuple[int, int, int]] = {}
    at = number = 0
    locate = None

    def leaning(price: int) -> int:
        """1 above the middle of the best orders, -1 below."""
        bids = [one[1] for one in orders.values() if one[0] == 1 and one[2] > 0]
        asks = [one[1] for one in orders.values() if one[0] == -1 and one[2] > 0]
        if not bids or not asks or max(bids) >= min(asks):
            return 0
        return int(np.sign(2 * price - max(bids) - min(asks)))

    while at < len(raw):
        (length,) = struct.unpack_from(">H", raw, at)
        m = raw[at + 2 : at + 2 + length]
        at += 2 + length
        number += 1
        letter, mine = chr(m[0]), struct.unpack_from(">H", m, 1)[0]
        time = MIDNIGHT + int.from_bytes(m[5:11], "big")
        if letter == "R" and m[11:19].strip() == stock:
            locate = mine
            rows.append((STATUS, time, 0, 0, 0, None, S_LIVE))
        if locate is None or mine != locate:
            continue
        if letter in "AF":
            ref, side, shares, _, price = struct.unpack_from(">QcI8sI", m, 11)
            orders[ref] = [1 if side == b"B" else -1, price, shares]
            rows.append((ADD, time, price, shares, orders[ref][0], ref, number))
        elif letter in "EC":
            ref, shares, match = struct.unpack_from(">QIQ", m, 11)
            side, price, _ = orders[ref]
            orders[ref][2] -= shares
            rows.append((FILL, time, price, shares, side, ref, number))
            told = letter == "E" or m[31:32] == b"Y"
            if letter == "C":
                (price,) = struct.unpack_from(">I", m, 32)
            if told:
                prints[match] = (price, shares, -side)
                rows.append((TRADE, time, price, shares, -side, match, REGULAR))
        elif letter == "X":
            ref, shares = struct.unpack_from(">QI", m, 11)
            rows.append((CANCEL, time, orders[ref][1], shares, orders[ref][0], ref, number))
            orders[ref][2] -= shares
        elif letter == "D":
            (ref,) = struct.unpack_from(">Q", m, 11)
            rows.append((CANCEL, time, orders[ref][1], 0, orders[ref][0], ref, number))
            orders[ref][2] = 0
        elif letter == "U":
            old, new, shares, price = struct.unpack_from(">QQII", m, 11)
            side = orders[old][0]
            orders[old][2] = 0
            orders[new] = [side, price, shares]
            rows.append((CANCEL, time, 0, 0, side, old, number))
            rows.append((ADD, time, price, shares, side, new, number))
        elif letter == "P":
            _, _, shares, _, price, match = struct.unpack_from(">QcI8sIQ", m, 11)
            prints[match] = (price, shares, leaning(price))
            rows.append((TRADE, time, price, shares, prints[match][2], match, HIDDEN))
        elif letter == "Q":
            shares, _, price, match = struct.unpack_from(">Q8sIQ", m, 11)
            prints[match] = (price, shares, 0)
            rows.append((TRADE, time, price, shares, 0, match, AUCTION))
        elif letter == "B":
            (match,) = struct.unpack_from(">Q", m, 11)
            price, shares, side = prints[match]
            rows.append((TRADE, time, price, shares, side, match, BUST))
        elif letter == "H":
            state = {b"T": S_LIVE, b"H": S_HALTED, b"P": S_HALTED, b"Q": S_AUCTION}[m[19:20]]
            rows.append((STATUS, time, 0, 0, 0, None, state))
        elif letter == "Y":
            rows.append((FACT, time, 0, int(m[19:20] != b"0"), 0, time, F_SSR))
    return rows


def told(rows: np.ndarray, fine: int = 100) -> list[tuple[int, ...]]:
    """Rows in the naive parser's words, prices in 1e-4."""
    out = []
    for r in rows:
        price = int(r["tick"]) // 10_000 if r["marks"] & OFF_GRID else int(r["tick"]) * fine
        ref = None if r["kind"] == STATUS else int(r["ref"])
        out.append(
            (
                int(r["kind"]),
                int(r["recv_ns"]),
                price,
                int(r["lots"]),
                int(r["side"]),
                ref,
                int(r["aux"]),
            )
        )
    return out


def test_every_row_is_what_the_specification_says(tmp_path: Path) -> None:
    path = itch(tmp_path)
    reader, rows = read(path)
    assert reader.instruments[0].tick == "0.01"
    assert told(rows) == naive(path.read_bytes())
    assert {ADD, CANCEL, FILL, TRADE, STATUS, FACT} == set(rows["kind"].tolist())
    assert {REGULAR, HIDDEN, AUCTION, BUST} == set(rows["aux"][rows["kind"] == TRADE].tolist())
    assert reader.checks.problems == []
    assert (rows["exch_ns"] == rows["recv_ns"]).all()


def test_blocks_of_any_size_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = itch(tmp_path)
    whole = read(path)[1]
    for chunk in (17, 331, 4_096):
        monkeypatch.setattr("feeds.files._itch.blocks.__defaults__", (chunk,))
        assert read(path)[1].tobytes() == whole.tobytes()


def test_the_book_never_falls_below_nothing_and_no_order_is_unknown(tmp_path: Path) -> None:
    reader, rows = read(itch(tmp_path))
    book = Naive()
    for row in plain(rows):
        book.apply(row)
    assert book.unknown == []
    assert reader.checks.unknown_orders == 0
    assert book.orders


def test_messages_end_with_their_last_row(tmp_path: Path) -> None:
    rows = read(itch(tmp_path))[1]
    ends = (rows["marks"] & LAST).astype(bool)
    printed = (rows["kind"][1:] == TRADE) & (rows["aux"][1:] == REGULAR) & (np.diff(rows["recv_ns"]) == 0)
    assert printed.any()
    assert not ends[:-1][(rows["kind"][:-1] == FILL) & printed].any()
    assert ends[rows["kind"] == TRADE].all()
    assert ends[rows["kind"] == ADD].all()


def crowd(tmp_path: Path) -> Path:
    """A day of three stocks, whose messages alternate."""
    draw = random.Random(3)
    day = ItchDay()
    day.begin("AAA", "TEST", "ZZZ")
    for _ in range(300):
        day.now += draw.randrange(1, 10**7)
        which = draw.randrange(3)
        name = ("AAA", "TEST", "ZZZ")[which]
        day.add(
            draw.choice("BS"),
            draw.randrange(1, 900),
            10_000 * (which + 1) + draw.randrange(50),
            stock=name,
            locate=7 + which,
        )
    path = tmp_path / "S050613-v50.txt.gz"
    path.write_bytes(gzip.compress(bytes(day.out)))
    return path


def test_without_a_symbol_the_stocks_are_listed(tmp_path: Path) -> None:
    path = crowd(tmp_path)
    with pytest.raises(BadInput, match=r"3 stocks.*expected one of them: AAA, TEST, ZZZ"):
        read(path)
    with pytest.raises(BadInput, match=r"got 'TESTT', expected one of the file's stocks, such as TEST"):
        read(path, symbol="TESTT")


def test_one_stock_of_many_is_read_alone(tmp_path: Path) -> None:
    path = crowd(tmp_path)
    raw = gzip.decompress(path.read_bytes())
    for name, tick in (("AAA", "0.0001"), ("test", "0.0001"), ("ZZZ", "0.0001")):
        reader, rows = read(path, symbol=name)
        assert reader.instruments[0].symbol == name.upper()
        assert reader.instruments[0].tick == tick
        assert told(rows, fine=1) == naive(raw, name.upper().encode())
        assert (rows["kind"] == ADD).sum() > 50


def test_replaced_orders_keep_their_side_however_often(tmp_path: Path) -> None:
    day = ItchDay()
    day.begin("TEST")
    one = day.add("S", 100, 1_000_100)
    for at in range(5):
        day.put("U", struct.pack(">QQII", one + at, one + at + 1, 100 - at, 1_000_200 + at * 100))
    day.put("E", struct.pack(">QIQ", one + 5, 7, 1))
    path = tmp_path / "20130506.itch"
    path.write_bytes(bytes(day.out))
    _, rows = read(path)
    assert told(rows) == naive(path.read_bytes())
    assert rows["side"][rows["kind"] == ADD].tolist() == [-1] * 6
    assert rows["side"][rows["kind"] == TRADE].tolist() == [1]


def test_what_is_said_of_unknown_orders_is_counted_and_left_out(tmp_path: Path) -> None:
    day = ItchDay()
    day.begin("TEST")
    day.add("B", 100, 1_000_000)
    for letter, body in (
        ("E", struct.pack(">QIQ", 99, 7, 1)), ("X", struct.pack(">QI", 98, 7)), ("D", struct.pack(">Q", 97)),
        ("U", struct.pack(">QQII", 96, 95, 1, 1_000_000)), ("D", struct.pack(">Q", 95)),
    ):  # fmt: skip
        day.put(letter, body)
    path = tmp_path / "20130506.itch"
    path.write_bytes(bytes(day.out))
    reader, rows = read(path)
    assert reader.checks.unknown_orders == 4
    assert (rows["kind"] == ADD).sum() == 1
    assert (rows["kind"] == TRADE).sum() == 0


def test_hidden_executions_have_a_side_where_the_day_tells_both(tmp_path: Path) -> None:
    day = ItchDay()
    day.begin("TEST")
    day.add("B", 100, 1_000_000)
    for at, side in enumerate((b"B", b"S", b"B")):
        day.put(
            "P", struct.pack(">Q", 0) + side + struct.pack(">I", 5) + b"TEST    " + struct.pack(">IQ", 1_000_000, at)
        )
    path = tmp_path / "20130506.itch"
    path.write_bytes(bytes(day.out))
    reader, rows = read(path)
    assert rows["side"][rows["kind"] == TRADE].tolist() == [-1, 1, -1]
    assert not any("hidden executions" in note for note in reader.notes)


def test_hidden_executions_that_name_no_side_are_signed_by_the_quote(tmp_path: Path) -> None:
    day = ItchDay()
    day.begin("TEST")
    bid, ask = day.add("B", 100, 1_000_000), day.add("S", 100, 1_000_300)
    prices = (1_000_000, 1_000_150, 1_000_200)
    for at, price in enumerate(prices):
        day.put("P", struct.pack(">Q", 0) + b"B" + struct.pack(">I", 5) + b"TEST    " + struct.pack(">IQ", price, at))
    day.put("X", struct.pack(">QI", ask, 100))
    day.put("P", struct.pack(">Q", 0) + b"B" + struct.pack(">I", 5) + b"TEST    " + struct.pack(">IQ", 1_000_200, 9))
    path = tmp_path / "20130506.itch"
    path.write_bytes(bytes(day.out))
    prints = read(path)[1]
    prints = prints[prints["kind"] == TRADE]
    assert prints["side"].tolist() == [-1, 0, 1, 0]
    assert (prints["marks"] & IMPLIED != 0).tolist() == [True, False, True, False]
    assert bid


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("05062013.NASDAQ_ITCH50", "2013-05-06"),
        ("S050613-v50.txt", "2013-05-06"),
        ("itch-2013-05-06.bin", "2013-05-06"),
        ("20130506", "2013-05-06"),
        ("nothing", "1970-01-01"),
        ("99992013.NASDAQ", "1970-01-01"),
    ],
)
def test_the_date_is_in_the_name(tmp_path: Path, name: str, day: str) -> None:
    path = itch(tmp_path).rename(tmp_path / name)
    reader, rows = read(path)
    start = dt.datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("America/New_York"))
    assert rows["recv_ns"][0] == int(start.timestamp()) * 10**9 + 14_400 * 10**9
    assert any("no date" in note for note in reader.notes) == (day == "1970-01-01")


def test_a_message_of_another_length_is_refused_at_its_byte(tmp_path: Path) -> None:
    path = itch(tmp_path)
    raw = bytearray(path.read_bytes())
    starts = find(bytes(raw), "", 0)[0].tolist()
    raw[starts[40] - 1] += 1
    path.write_bytes(bytes(raw))
    with pytest.raises(BadInput) as caught:
        read(path)
    assert f"byte {starts[40] - 2}" in str(caught.value)


def test_a_file_that_ends_within_a_message_is_refused_after_the_rows_before(tmp_path: Path) -> None:
    path = itch(tmp_path)
    wanted = read(path)[1]
    path.write_bytes(path.read_bytes()[:-3])
    rows = []
    with pytest.raises(BadInput, match="a whole message"):
        rows.extend(ItchReader.open(path, OpenOptions()).rows())
    assert np.concatenate(rows).tobytes() == wanted.tobytes()


def test_a_length_of_nothing_ends_the_session(tmp_path: Path) -> None:
    path = itch(tmp_path)
    wanted = read(path)[1]
    path.write_bytes(path.read_bytes() + b"\0\0")
    assert read(path)[1].tobytes() == wanted.tobytes()
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(BadInput, match="nothing behind the end"):
        read(path)


def test_messages_are_found_as_by_following_their_lengths() -> None:
    draw = random.Random(5)
    letters = [letter for letter in LENGTHS if letter != b"S"]
    for trial in range(30):
        out, wanted = bytearray(), []
        for _ in range(400):
            letter = draw.choice(letters)
            body = bytes(draw.choice((0, 0, 0, 36, 19, 65, 68, 31, 69)) for _ in range(LENGTHS[letter] - 1))
            wanted.append(len(out) + 2)
            out += struct.pack(">H", LENGTHS[letter]) + letter + body
        cut = len(out) - trial
        whole = [at for at in wanted if at + LENGTHS[bytes(out[at : at + 1])] <= cut]
        starts, done, over = find(bytes(out[:cut]), "", 0)
        assert starts.tolist() == whole
        assert done == whole[-1] + LENGTHS[bytes(out[whole[-1] : whole[-1] + 1])]
        assert not over


def test_messages_of_unknown_letters_are_passed_over(tmp_path: Path) -> None:
    day = ItchDay()
    day.begin("TEST")
    day.put("z", b"12345")
    day.add("B", 100, 1_000_000)
    path = tmp_path / "20130506.itch"
    path.write_bytes(bytes(day.out))
    reader, rows = read(path)
    assert reader.checks.ignored == {"messages z": 1}
    assert (rows["kind"] == ADD).sum() == 1


def test_best_prices_are_those_of_itch_book(tmp_path: Path) -> None:
    itch_book = pytest.importorskip("itch_book", reason="itch-book of the group 'bench' is not installed")
    path = itch(tmp_path)
    reader, rows = read(path)
    book, mine = Naive(), {}
    for row in plain(rows):
        book.apply(row)
        if row[-1] & LAST and book.venue_seq is not None:
            best = [book.best(side) or (0, 0) for side in (1, -1)]
            mine[book.venue_seq] = [(int(price) * 100, lots) for price, lots in best]
    with itch_book.Feed(str(path), date=dt.date(2013, 5, 6), price_type="fixed") as feed:
        told = [batch.bbo for batch in feed.batches(("bbo",), rows=1)]
    many = 0
    for table in told:
        names = ("seq", "bid_px", "bid_sz", "bid_ct", "ask_px", "ask_sz", "ask_ct")
        for seq, bid, bids, bid_orders, ask, asks, ask_orders in zip(
            *(table[name].tolist() for name in names), strict=True
        ):
            wanted = [(bid, bids) if bid_orders else (0, 0), (ask, asks) if ask_orders else (0, 0)]
            assert mine[seq] == wanted
            many += 1
    assert many > 50
    assert reader.instruments[0].tick == "0.01"

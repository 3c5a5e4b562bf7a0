from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    CHECKED,
    CLEAR,
    GAP,
    LAST,
    LATE,
    OFF_GRID,
    OFF_LOT,
    S_LIVE,
    SNAPSHOT,
    STATUS,
    TRADE,
)
from feeds.files import reader_for
from feeds.files.venue_capture import READER
from feeds.source import OpenOptions
from feeds.venues import venues

BINANCE = ["BINANCE", "BINANCE_US", "BINANCE_FUTURES", "BINANCE_DELIVERY"]
LISTING = {
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "quoteAsset": "USDT",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.10000000"},
                {"filterType": "LOT_SIZE", "stepSize": "0.00100000"},
            ],
        },
        {
            "symbol": "ETHUSDT",
            "quoteAsset": "USDT",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.00000000"},
                {"filterType": "LOT_SIZE", "stepSize": "0.00000000"},
            ],
        },
    ]
}
URL = "https://api.binance.com/api/v3/"


def lines_of(path):
    """The capture's lines as objects, read without the project's code."""
    with path.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    return [json.loads(line) for line in text.splitlines()]


def read(path, **options):
    reader = READER.open(path, OpenOptions(**options))
    parts = list(reader.rows())
    return reader, np.concatenate(parts) if parts else np.zeros(0)


def books_of(reader, rows):
    """Each instrument's book after the rows, in decimals."""
    books = {one.symbol: {BID: {}, ASK: {}} for one in reader.instruments}
    for inst, kind, side, tick, lots, marks in rows[["inst", "kind", "side", "tick", "lots", "marks"]].tolist():
        one = reader.instruments[inst]
        book = books[one.symbol]
        if kind == CLEAR:
            book[BID].clear()
            book[ASK].clear()
        if kind == BOOK:
            price = Decimal(one.price.fine_text(tick) if marks & OFF_GRID else one.price.text(tick))
            size = Decimal(one.size.fine_text(lots) if marks & OFF_LOT else one.size.text(lots))
            if size:
                book[side][price] = size
            else:
                book[side].pop(price, None)
    return books


def naive_binance(path, chain):
    """Each symbol's book by the venue's rules on plain dictionaries, and the number of updates applied."""
    snapshots, updates = {}, {}
    for line in lines_of(path):
        if line["t"] == "http" and "/depth?" in line["url"]:
            snapshots[line["url"].split("symbol=")[1].split("&")[0]] = json.loads(line["data"])
        elif line["t"] == "recv" and "@depth" in line["data"]:
            one = json.loads(line["data"])["data"]
            updates.setdefault(one["s"], []).append(one)
    books, applied = {}, 0
    for symbol, snapshot in snapshots.items():
        book = {
            side: {Decimal(p): Decimal(q) for p, q in snapshot[key]} for side, key in ((BID, "bids"), (ASK, "asks"))
        }
        at, previous = snapshot["lastUpdateId"], None
        for one in updates.get(symbol, []):
            if one["u"] < at + (chain == "U"):
                continue
            if previous is None:
                assert one["U"] <= at + 1 or one.get("pu") == at
            elif chain == "U":
                assert one["U"] == previous + 1
            else:
                assert one["pu"] == previous
            previous = one["u"]
            applied += 1
            for side, key in ((BID, "b"), (ASK, "a")):
                for p, q in one[key]:
                    if Decimal(q):
                        book[side][Decimal(p)] = Decimal(q)
                    else:
                        book[side].pop(Decimal(p), None)
        books[symbol] = book
    return books, applied


@pytest.mark.parametrize("name", BINANCE)
def test_every_binance_book_equals_one_of_plain_dictionaries(data, name):
    path = data / "venue-captures" / f"{name}.jsonl.zst"
    books, applied = naive_binance(path, "U" if name in ("BINANCE", "BINANCE_US") else "pu")
    reader, rows = read(path)
    assert reader.checks.gaps == reader.checks.damaged == reader.checks.duplicates == 0
    assert books_of(reader, rows) == books
    messages = rows[
        np.isin(rows["kind"], [BOOK, STATUS]) & (rows["marks"] & LAST != 0) & (rows["marks"] & SNAPSHOT == 0)
    ]
    lives = (messages["kind"] == STATUS) & np.isin(messages["ref"], rows["ref"][rows["kind"] == CLEAR])
    assert (~lives).sum() == applied


@pytest.mark.parametrize(("name", "checksums"), [("KRAKEN", 4269), ("OKX", 290)])
def test_every_checksum_is_computed_and_agrees(data, name, checksums):
    reader, rows = read(data / "venue-captures" / f"{name}.jsonl.zst")
    assert (reader.checks.checksums, reader.checks.checksums_failed) == (checksums, 0)
    with_sum = rows[(rows["marks"] & CHECKED != 0) & (rows["kind"] == BOOK)]
    assert len(with_sum) == checksums
    assert reader.verification == "checksum"
    assert (with_sum["marks"] & LAST != 0).all()


def test_a_changed_level_breaks_the_checksums_of_its_book(data, tmp_path):
    lines = lines_of(data / "venue-captures" / "KRAKEN.jsonl.zst")
    first = next(i for i, line in enumerate(lines) if line["t"] == "recv" and '"as"' in line["data"])
    frame = json.loads(lines[first]["data"])
    frame[1]["as"][0][1] = "1" + frame[1]["as"][0][1]
    lines[first]["data"] = json.dumps(frame)
    reader, _ = read(write(tmp_path / "k.zst", lines))
    assert reader.checks.checksums_failed > 0


def test_the_books_of_kraken_keep_the_depth_subscribed(data):
    reader, rows = read(data / "venue-captures" / "KRAKEN.jsonl.zst")
    sizes = [len(side) for book in books_of(reader, rows).values() for side in book.values()]
    assert 500 < max(sizes) <= 1000


def test_connections_are_merged_by_time(data):
    path = data / "venue-captures" / "KRAKEN.jsonl.zst"
    times = [line["ts"] for line in lines_of(path) if line["t"] == "recv"]
    assert times != sorted(times)
    reader, rows = read(path)
    assert (np.diff(rows["recv_ns"]) >= 0).all()
    assert reader.checks.out_of_order == 0
    assert reader.checks.messages == len(times)


def test_okx_prints_are_told_exactly_with_the_repeated_ones_off_the_flow(data):
    path = data / "venue-captures" / "OKX.jsonl.zst"
    told, seen, late = [], set(), []
    for line in lines_of(path):
        frame = json.loads(line["data"]) if line["t"] == "recv" else {}
        for one in frame.get("data", []) if frame.get("arg", {}).get("channel") == "trades" else []:
            late.append(one["instId"] not in seen)
            seen.add(one["instId"])
            side = 1 if one["side"] == "buy" else -1
            told.append((one["instId"], int(one["tradeId"]), Decimal(one["px"]), Decimal(one["sz"]), side))
    reader, rows = read(path)
    prints = rows[rows["kind"] == TRADE]
    got = [
        (one.symbol, ref, Decimal(one.price.text(tick)), Decimal(one.size.text(lots)), side)
        for inst, ref, tick, lots, side in prints[["inst", "ref", "tick", "lots", "side"]].tolist()
        for one in [reader.instruments[inst]]
    ]
    assert got == told
    assert (prints["aux"] == 7).tolist() == late
    assert sum(late) == 3


def test_contracts_have_the_multiplier_the_venue_states(data):
    reader = READER.open(data / "venue-captures" / "BINANCE_DELIVERY.jsonl.zst", OpenOptions())
    by_symbol = {one.symbol: (one.tick, one.lot, one.multiplier, one.derived) for one in reader.instruments}
    assert by_symbol["BTCUSD_211231"] == ("0.1", "1", "100", False)
    assert by_symbol["ETHUSD_210924"] == ("0.01", "1", "10", False)
    reader = READER.open(data / "venue-captures" / "OKX.jsonl.zst", OpenOptions())
    by_symbol = {one.symbol: (one.tick, one.lot, one.multiplier) for one in reader.instruments}
    assert by_symbol == {
        "BTC-USD-220527": ("0.1", "1", "100"),
        "UNI-USD-SWAP": ("0.001", "1", "10"),
        "BTC-USDT": ("0.1", "0.00000001", "1"),
    }


def test_a_venue_without_ticks_has_them_of_its_first_prices(data):
    reader, rows = read(data / "venue-captures" / "BITFINEX.jsonl.zst")
    assert {one.symbol: (one.tick, one.lot, one.derived) for one in reader.instruments} == {
        symbol: (tick, "0.00000001", True)
        for symbol, tick in {
            "tBFTUSD": "0.000001", "tIOTETH": "0.0000001", "tDOGUSD": "10", "tMNABTC": "0.00000001",
            "tODEUSD": "0.000001", "tTESTBTC:TESTUSD": "1", "tSNGUSD": "0.000001",
        }.items()
    }  # fmt: skip
    assert reader.notes == ["tick derived from the prices at hand, as the venue lists none"]
    assert (reader.verification, reader.checks.messages, reader.checks.damaged, reader.checks.gaps) == (
        "counter", 1693, 0, 0,
    )  # fmt: skip
    prints = rows[rows["kind"] == TRADE]
    assert (len(prints), set(prints["aux"].tolist())) == (210, {LATE})
    for book in books_of(reader, rows).values():
        assert max(book[BID]) < min(book[ASK])
    said = READER.open(data / "venue-captures" / "BITFINEX.jsonl.zst", OpenOptions(tick="0.5", lot="1"))
    assert {one.derived for one in said.instruments} == {False}


def test_a_frame_lost_from_the_capture_of_a_counted_socket_costs_every_book(data, tmp_path):
    lines = lines_of(data / "venue-captures" / "BITFINEX.jsonl.zst")
    books = [i for i, line in enumerate(lines) if line["t"] == "recv" and line["data"].startswith("[")]
    del lines[books[-1000]]
    reader, rows = read(write(tmp_path / "b.zst", lines))
    lives = {one.symbol for one in reader.instruments}
    assert reader.checks.gaps == len(lives) == 7
    assert rows[rows["kind"] == GAP]["ref"].tolist() == [1] * 7


def test_captures_of_other_venues_are_recognised_and_refused_by_name(data):
    known = {name for venue in venues().values() for name in venue.captures}
    others = [p for p in sorted((data / "venue-captures").glob("*.zst")) if p.name.split(".jsonl")[0] not in known]
    assert len(others) > 10
    for path in others:
        assert reader_for(path, OpenOptions()) is READER
        with pytest.raises(BadInput) as refused:
            READER.open(path, OpenOptions())
        assert path.name.split(".jsonl")[0] in str(refused.value)
        assert ", ".join(sorted(known)) in str(refused.value)


# -- by hand ----------------------------------------------------------------------------------
def header(venue="BINANCE"):
    return {"t": "header", "format": 2, "exchange": venue}


def http(url, body, ts, conn="H"):
    return {"t": "http", "conn": conn, "ts": ts, "url": url, "data": json.dumps(body)}


def recv(frame, ts, conn="W"):
    return {"t": "recv", "conn": conn, "ts": ts, "data": frame if isinstance(frame, str) else json.dumps(frame)}


def depth(first, last, symbol="BTCUSDT"):
    data = {
        "e": "depthUpdate",
        "E": 1633998512068,
        "s": symbol,
        "U": first,
        "u": last,
        "b": [["99.90", "1.000"]],
        "a": [],
    }
    return {"stream": f"{symbol.lower()}@depth@100ms", "data": data}


def write(path, lines):
    text = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    path.write_bytes(zstandard.ZstdCompressor().compress(text) if path.suffix == ".zst" else text)
    return path


SNAPSHOT_100 = {"lastUpdateId": 100, "bids": [["99.80", "2.000"]], "asks": [["100.10", "3.000"]]}


def session(*more):
    return [
        header(),
        http(URL + "exchangeInfo", LISTING, 1633998511.0),
        http(URL + "depth?symbol=BTCUSDT&limit=1000", SNAPSHOT_100, 1633998513.0),
        {"t": "connect", "conn": "W", "ts": 1633998511.5, "addr": "wss://x"},
        recv(depth(90, 95), 1633998512.0),
        recv(depth(96, 105), 1633998512.5),
        recv(depth(106, 110), 1633998513.5),
        *more,
    ]


def test_a_snapshot_is_applied_when_it_came_not_where_it_stands(tmp_path):
    reader, rows = read(write(tmp_path / "a.jsonl.zst", session()))
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, STATUS, BOOK, BOOK]
    assert rows["ref"].tolist() == [100, 100, 100, 100, 105, 110]
    assert rows["recv_ns"].tolist() == [1633998513 * 10**9] * 5 + [1633998513_500_000_000]
    assert rows["aux"][3] == S_LIVE
    assert [(one.tick, one.lot) for one in reader.instruments] == [("0.1", "0.001")]


def test_times_keep_every_digit_of_their_text(tmp_path):
    lines = session()
    text = json.dumps(lines[-1]).replace("1633998513.5", "1633998513.123456789")
    _, rows = read(write(tmp_path / "a.zst", [*lines[:-1], text.encode()]))
    assert rows["recv_ns"][-1] == 1633998513_123456789


def test_a_plain_file_and_damaged_lines_are_read_on(tmp_path):
    lines = session(
        b"{torn",
        recv("no json", 1633998514),
        {"t": "recv", "conn": "W", "ts": "x", "data": ""},
        recv(depth(111, 112), 1633998515),
    )
    for path in (tmp_path / "a.jsonl", tmp_path / "b.jsonl.zst"):
        reader, rows = read(write(path, lines))
        assert rows["ref"][-1] == 112
        assert reader.checks.damaged == 3
        assert [text.split(": ")[1] for text in reader.checks.problems] == ["line 8", "line 9", "line 10"]


def test_a_damaged_line_between_merged_connections_is_told_once(tmp_path):
    lines = session(b"{torn", recv(depth(111, 112), 1633998515.0), recv(depth(113, 114), 1633998516.0))
    other = [recv({"result": None, "id": 1}, ts, "V") for ts in (1633998511.6, 1633998514.0)]
    reader, rows = read(write(tmp_path / "a.zst", [lines[0], other[0], *lines[1:], other[1]]))
    assert reader.notes == ["3 connections merged by time"]
    assert reader.checks.damaged == 1
    assert reader.checks.problems[0].startswith("a.zst: line 9: ")
    assert rows["ref"][-1] == 114


def test_a_new_connect_of_a_connection_forgets_the_book(tmp_path):
    again = [{"t": "connect", "conn": "W", "ts": 1633998514.0, "addr": "wss://x"}, recv(depth(111, 112), 1633998515.0)]
    reader, rows = read(write(tmp_path / "a.zst", session(*again)))
    assert reader.checks.gaps == 1
    assert rows["kind"].tolist()[-4:] == [8, CLEAR, STATUS, BOOK]


def bybit_listing(category, tick):
    listed = {"symbol": "BTCUSDT", "priceFilter": {"tickSize": tick}, "lotSizeFilter": {"qtyStep": "0.001"}}
    return {"result": {"category": category, "list": [listed]}}


def bybit_book(update, price):
    data = {"s": "BTCUSDT", "b": [[price, "1"]], "a": [], "u": update, "seq": 1}
    return {"topic": "orderbook.50.BTCUSDT", "type": "snapshot" if update < 10 else "delta", "ts": 5, "data": data}


def two_markets():
    address = "wss://stream.bybit.com/v5/public/"
    return [
        header("BYBIT"),
        http("https://api.bybit.com/v5/market/instruments-info?category=spot", bybit_listing("spot", "0.01"), 1.0),
        http("https://api.bybit.com/v5/market/instruments-info?category=linear", bybit_listing("linear", "0.1"), 1.0),
        {"t": "connect", "conn": "A", "ts": 2.0, "addr": address + "spot"},
        {"t": "connect", "conn": "B", "ts": 2.0, "addr": address + "linear"},
        recv(bybit_book(9, "99.91"), 3.0, "A"),
        recv(bybit_book(5, "99.9"), 4.0, "B"),
        recv(bybit_book(10, "99.92"), 5.0, "A"),
    ]


def test_markets_of_one_session_are_told_apart_by_their_connections(tmp_path):
    path = write(tmp_path / "a.zst", two_markets())
    reader, rows = read(path)
    assert [(one.name, one.tick) for one in reader.instruments] == [
        ("bybit:BTCUSDT", "0.01"), ("bybit-linear:BTCUSDT", "0.1"),
    ]  # fmt: skip
    books = rows[rows["kind"] == BOOK]
    assert books[["inst", "tick", "ref"]].tolist() == [(0, 9991, 9), (1, 999, 5), (0, 9992, 10)]
    assert (reader.venue, reader.verification, reader.checks.gaps) == ("bybit+bybit-linear", "counter", 0)


def test_one_market_of_a_session_can_be_chosen(tmp_path):
    path = write(tmp_path / "a.zst", two_markets())
    reader, rows = read(path, venue="bybit-linear")
    assert [one.name for one in reader.instruments] == [reader.venue + ":BTCUSDT"] == ["bybit-linear:BTCUSDT"]
    assert rows["tick"][rows["kind"] == BOOK].tolist() == [999]
    assert reader.checks.ignored["frames of another market"] == 2
    with pytest.raises(BadInput, match="'bybit' or 'bybit-inverse' or 'bybit-linear'"):
        READER.open(path, OpenOptions(venue="okx"))


def test_a_new_connect_of_one_market_leaves_the_books_of_the_other(tmp_path):
    again = {"t": "connect", "conn": "B", "ts": 6.0, "addr": "wss://stream.bybit.com/v5/public/linear"}
    _, rows = read(write(tmp_path / "a.zst", [*two_markets(), again]))
    assert rows[["kind", "inst"]].tolist()[-3:] == [(8, 1), (CLEAR, 1), (STATUS, 1)]


def test_lines_out_of_time_within_a_connection_are_marked(tmp_path):
    reader, rows = read(write(tmp_path / "a.zst", session(recv(depth(111, 112), 1633998512.9))))
    assert reader.checks.out_of_order == 1
    assert (rows["marks"] & BAD_TIME != 0).sum() == 1


def test_a_symbol_can_be_chosen_and_tick_and_lot_be_said(tmp_path):
    path = write(
        tmp_path / "a.zst",
        session(recv(depth(1, 2, "ETHUSDT"), 1633998515.0), recv(depth(1, 2, "XUSDT"), 1633998515.0)),
    )
    reader, _ = read(path)
    assert [(one.symbol, one.tick, one.lot) for one in reader.instruments] == [
        ("BTCUSDT", "0.1", "0.001"), ("ETHUSDT", "0.00000001", "0.00000001"),
    ]  # fmt: skip
    assert reader.checks.ignored["other symbols"] == 1
    reader, _ = read(path, symbol="ethusdt", tick="0.05")
    assert [(one.symbol, one.tick) for one in reader.instruments] == [("ETHUSDT", "0.05")]
    for wrong in ({"symbol": "DOGE"}, {"venue": "okx"}, {"lot": "0"}):
        with pytest.raises(BadInput):
            READER.open(path, OpenOptions(**wrong))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"noise"],
        [header("FTX")],
        [header()],
        [header(), recv(depth(1, 2), 1.0)],
        [{"t": "header"}],
        [b'{"t":"header","exchange":5}'],
        [header(), b"[" * 100_000],
        [header(), http(URL + "exchangeInfo", {"symbols": 5}, 1.0), recv(depth(1, 2), 1.0)],
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, lines):
    path = write(tmp_path / "a.jsonl", lines)
    with pytest.raises(BadInput):
        READER.open(path, OpenOptions())


def test_a_truncated_capture_says_where_it_ends(tmp_path):
    rng = np.random.default_rng(1)
    frames = [recv(depth(i, i), 1633998514 + int(rng.integers(10**6))) for i in range(111, 1_000)]
    path = write(tmp_path / "a.zst", session(*frames))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(BadInput, match=r"a\.zst: byte \d+"):
        for _ in READER.open(path, OpenOptions()).rows():
            pass
    with pytest.raises(BadInput):
        READER.open(tmp_path, OpenOptions())


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_bytes_in_any_line_give_rows_or_a_refusal(tmp_path_factory, data):
    lines = [json.dumps(line).encode() for line in session()]
    for _ in range(data.draw(st.integers(0, 4))):
        k = data.draw(st.integers(0, len(lines) - 1))
        at = data.draw(st.integers(0, len(lines[k])))
        cut = data.draw(st.integers(0, 60))
        lines[k] = lines[k][:at] + data.draw(st.binary(max_size=5)) + lines[k][at + cut :]
    path = write(tmp_path_factory.mktemp("fuzz") / "a.jsonl", lines)
    try:
        reader, rows = read(path)
    except BadInput:
        return
    assert all(text.startswith("a.jsonl: line ") for text in reader.checks.problems)
    assert len(rows) == 0 or rows["marks"][-1] & LAST

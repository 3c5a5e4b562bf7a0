from __future__ import annotations

import gzip
import json
from decimal import Decimal

import numpy as np
import pytest

from feeds.errors import BadInput
from feeds.events import BAD_TIME, BID, BOOK, CLEAR, LAST, LATE, REGULAR, SELL, TRADE
from feeds.files import reader_for
from feeds.files.hyperliquid_capture import READER
from feeds.source import OpenOptions

T = 1737918843542


def read(path, **options):
    reader = READER.open(path, OpenOptions(**options))
    parts = list(reader.rows())
    return reader, np.concatenate(parts) if parts else np.zeros(0)


def book(when=T, coin="BTC", price="105055.0", size="3.03622"):
    levels = [[{"px": price, "sz": size, "n": 5}], [{"px": "105056.0", "sz": "0.5", "n": 1}]]
    return json.dumps({"channel": "l2Book", "data": {"coin": coin, "levels": levels, "time": when}})


def write(path, *lines):
    text = "\n".join(line if isinstance(line, str) else f"{line[0]} {line[1]}" for line in lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("stamp", [1737918843893, 1737918843893000, 1737918843893000000])
def test_local_times_are_told_by_their_digits(tmp_path, stamp):
    reader, rows = read(write(tmp_path / "a.gz", (stamp, book())))
    assert set(rows["recv_ns"].tolist()) == {1737918843893_000000}
    assert [(one.symbol, one.tick, one.lot, one.derived) for one in reader.instruments] == [
        ("BTC", "1", "0.00001", True)
    ]
    assert reader.notes == ["tick and lot derived from the first books, as the venue lists no tick"]


def test_a_coin_can_be_chosen_and_tick_and_lot_be_said(tmp_path):
    path = write(tmp_path / "a", (T * 10**6, book()), (T * 10**6 + 1, book(coin="ETH", price="2123.7", size="1.25")))
    reader, rows = read(path)
    assert [(one.symbol, one.tick, one.lot) for one in reader.instruments] == [
        ("BTC", "1", "0.00001"), ("ETH", "0.1", "0.01"),
    ]  # fmt: skip
    reader, rows = read(path, symbol="eth", tick="0.5", lot="0.001")
    assert [(one.symbol, one.tick, one.lot, one.derived) for one in reader.instruments] == [
        ("ETH", "0.5", "0.001", False)
    ]
    assert set(rows["inst"].tolist()) == {0}
    assert reader.checks.ignored == {"other symbols": 1}
    for wrong in ({"symbol": "DOGE"}, {"venue": "okx"}, {"tick": "0"}):
        with pytest.raises(BadInput):
            READER.open(path, OpenOptions(**wrong))


def test_damaged_lines_are_named_and_read_over(tmp_path):
    path = write(tmp_path / "a", (T * 10**6, book()), "noise", (T * 10**6 + 1, "{torn"), (T * 10**6 + 2, book(T + 1)))
    reader, _ = read(path)
    assert reader.checks.damaged == 2
    assert [text.split(": ")[1] for text in reader.checks.problems] == ["line 2", "line 3"]


def test_lines_out_of_time_are_marked(tmp_path):
    reader, rows = read(write(tmp_path / "a", (T * 10**6, book()), (T * 10**6 - 1, book(T + 1, size="9.00000"))))
    assert reader.checks.out_of_order == 1
    assert (rows["marks"][-1] & (BAD_TIME | LAST)) == BAD_TIME | LAST


@pytest.mark.parametrize("lines", [[], ["noise"], [(T, '{"channel":"pong"}')], [(T, book(price="x"))]])
def test_what_has_no_book_is_refused(tmp_path, lines):
    with pytest.raises(BadInput):
        READER.open(write(tmp_path / "a", *lines), OpenOptions())
    with pytest.raises(BadInput):
        READER.open(tmp_path, OpenOptions())


# -- real data --------------------------------------------------------------------------------
def test_the_capture_gives_every_book_as_the_venue_told_it(data):
    path = data / "venue-captures" / "btcusd_20250126.gz"
    assert reader_for(path, OpenOptions()) is READER
    reader, rows = read(path)
    assert (reader.venue, reader.verification, reader.tier) == ("hyperliquid", "snapshot", "C")
    (one,) = reader.instruments
    assert (one.symbol, one.tick, one.lot) == ("BTC", "1", "0.00001")
    frames = [line.split(" ", 1) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    told = {}
    for stamp, text in frames:
        frame = json.loads(text)
        if frame["channel"] == "l2Book":
            bids, asks = frame["data"]["levels"]
            assert (len(bids), len(asks)) == (20, 20)
            told[int(stamp)] = {
                (side, Decimal(level["px"])): (Decimal(level["sz"]), level["n"])
                for side, levels in ((1, bids), (-1, asks))
                for level in levels
            }
    assert len(told) == 46
    levels, compared = {}, 0
    for recv_ns, kind, side, tick, lots, orders, marks in rows[
        ["recv_ns", "kind", "side", "tick", "lots", "aux", "marks"]
    ].tolist():
        if kind == CLEAR:
            levels.clear()
        elif kind == BOOK:
            levels[side, Decimal(one.price.text(tick))] = (Decimal(one.size.text(lots)), orders)
            if not lots:
                del levels[side, Decimal(one.price.text(tick))]
        if marks & LAST and kind != TRADE:
            assert levels == told[recv_ns]
            bids = [price for at, price in levels if at == BID]
            assert max(bids) < min(price for at, price in levels if at != BID)
            compared += recv_ns in told
    assert compared == 47  # the first book's snapshot says last twice
    checks = reader.checks
    assert (checks.messages, checks.damaged, checks.gaps, checks.duplicates) == (55, 0, 0, 0)


def test_the_first_prints_of_the_capture_are_old_ones_and_the_others_trade_at_the_touch(data):
    _, rows = read(data / "venue-captures" / "btcusd_20250126.gz")
    prints = rows[rows["kind"] == TRADE]
    assert (len(prints), int((prints["aux"] == LATE).sum()), int((prints["aux"] == REGULAR).sum())) == (64, 30, 34)
    # The self-test of sides: a print is at or beyond the best price that its taker met in the book before.
    best = {1: set(), -1: set()}
    met = []
    for kind, side, tick, lots, aux in rows[["kind", "side", "tick", "lots", "aux"]].tolist():
        if kind == CLEAR:
            best[1].clear()
            best[-1].clear()
        elif kind == BOOK:
            (best[side].add if lots else best[side].discard)(tick)
        elif kind == TRADE and aux == REGULAR:
            met.append(tick <= max(best[1]) if side == SELL else tick >= min(best[-1]))
    assert len(met) == 34
    assert all(met)

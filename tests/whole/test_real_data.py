"""The engine against what real venues said of their own books: through sessions, as every command uses it."""

from __future__ import annotations

import csv
import gzip
import json
import re
from decimal import Decimal

import msgspec
import numpy as np
import polars as pl
import pytest

from feeds import open_source
from feeds.events import BOOK, CHECKED, CLOCK, LAST, NONE, SUSPECT, TRADE
from feeds.source import OpenOptions
from tapeview.engine import warm
from tapeview.session import Session


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    warm()


def replayed(address, *columns, symbol=None):
    """Run a source through a session; give it with the wanted frame columns of all rows as one array each."""
    session = Session(open_source(address, OpenOptions(symbol=symbol)), thresholds={})
    kept = {name: [] for name in columns}
    events = []
    for outcome in session.run():
        for name in columns:
            kept[name].append(outcome.frame[name].copy())
        events.append(outcome.events.copy())
    return session, np.concatenate(events), {name: np.concatenate(parts) for name, parts in kept.items()}


def binance_truth(folder, kind):
    """(update id of each depth message after the snapshot, last bookTicker with at most that id), from the files."""
    tickers, depths, first = [], [], None
    for path in sorted(folder.glob("*.gz")):
        with gzip.open(path, "rt") as lines:
            for line in lines:
                if '"lastUpdateId"' in line:
                    first = first or int(re.search(r'"lastUpdateId": ?(\d+)', line)[1])
                elif "@bookTicker" in line:
                    tick = json.loads(line.split(" ", 1)[1], parse_float=Decimal)["data"]
                    tickers.append((tick["u"], tick["b"], tick["B"], tick["a"], tick["A"]))
                elif "@depth" in line:
                    depths.append(int(re.search(r'"u":(\d+)', line)[1]))
    tickers.sort(key=lambda t: t[0])
    ids = np.array([t[0] for t in tickers])
    wanted = [u for u in depths if u >= first]
    places = np.searchsorted(ids, wanted, side="right") - 1
    return {u: tickers[place][1:] for u, place in zip(wanted, places, strict=True) if place >= 0}


@pytest.mark.parametrize(("name", "comparisons"), [("binance-usdm-btcusdt", 16_110), ("binance-spot-ethusdt", 6_468)])
def test_the_inside_is_the_venues_own_after_every_depth_message(data, name, comparisons):
    truth = binance_truth(data / name, name)
    session, events, frame = replayed(data / name, "bid", "ask", "bid_lots", "ask_lots", "state")
    instrument = session.instruments[0]
    ends = np.flatnonzero((events["marks"] & LAST != 0) & np.isin(events["kind"], [BOOK, 9]) & (events["ref"] != NONE))
    last = {int(events["ref"][at]): at for at in ends.tolist()}
    compared = 0
    for update, (bid, bid_size, ask, ask_size) in truth.items():
        at = last.get(update)
        if at is None:
            continue  # before the snapshot's own update
        got = [
            Decimal(instrument.price.text(frame["bid"][at])), Decimal(instrument.size.text(frame["bid_lots"][at])),
            Decimal(instrument.price.text(frame["ask"][at])), Decimal(instrument.size.text(frame["ask_lots"][at])),
        ]  # fmt: skip
        assert got == [Decimal(bid), Decimal(bid_size), Decimal(ask), Decimal(ask_size)], update
        compared += 1
    assert compared >= comparisons
    assert session.engines[0].counters["gaps"] == 0


def test_lobster_level_one_of_every_row_is_the_vendors(data):
    folder = data / "lobster-aapl"
    truth = np.loadtxt(folder / "AAPL_2012-06-21_orderbook_L1_allrows.csv", delimiter=",", dtype=np.int64)
    session, events, frame = replayed(folder, "bid", "ask", "bid_lots", "ask_lots")
    assert session.instruments[0].tick == "0.01"
    ends = np.flatnonzero((events["marks"] & LAST != 0) & (events["kind"] != CLOCK))
    at = ends[1:]  # the first message is the book that row 1 was made from, then comes one message a row
    assert len(at) == len(truth)
    got = np.column_stack(
        [frame["ask"][at] * 100, frame["ask_lots"][at], frame["bid"][at] * 100, frame["bid_lots"][at]]
    )
    differing = np.flatnonzero((got != truth).any(axis=1))
    # Orders that lay outside the 50 levels the book was seeded from are not known until they come to the touch.
    assert len(differing) <= 100


def test_lobster_fifty_levels_of_the_first_rows_are_the_vendors(data):
    folder = data / "lobster-aapl"
    path = folder / "AAPL_2012-06-21_orderbook_50_first672rows.csv"
    with path.open() as lines:
        truth = [[int(v) for v in row] for row in csv.reader(lines)]
    session = Session(open_source(folder), thresholds={})
    wanted, differing = 1, []
    for batch in session.source.batches():
        ends = np.flatnonzero(batch["marks"] & LAST) + 1
        start = 0
        for end in ends.tolist():
            session.step(batch[start:end])
            start = end
            if session.engines[0].venue_seq == wanted <= len(truth):
                if levels(session) != truth[wanted - 1]:
                    differing.append(wanted)
                wanted += 1
        if wanted > len(truth):
            break
    assert wanted == len(truth) + 1
    # An order that lay outside the levels the vendor supplied comes to light and goes again.
    assert len(differing) <= 100


def levels(session, n=50):
    """The first levels in the vendor's order: ask price, size, bid price, size."""
    bids, asks = session.book().bids(n), session.book().asks(n)
    flat = [9_999_999_999, 0, -9_999_999_999, 0] * n  # the vendor's sign for no level
    for k, ask in enumerate(asks):
        flat[4 * k : 4 * k + 2] = int(ask["tick"]) * 100, int(ask["lots"])
    for k, bid in enumerate(bids):
        flat[4 * k + 2 : 4 * k + 4] = int(bid["tick"]) * 100, int(bid["lots"])
    return flat


@pytest.mark.parametrize(("name", "checked"), [("KRAKEN", 4_269), ("OKX", 290)])
def test_every_checksum_of_the_venue_is_verified(data, name, checked):
    source = open_source(data / "venue-captures" / f"{name}.jsonl.zst")
    session = Session(source, thresholds={})
    right = wrong = 0
    for outcome in session.run():
        right += np.count_nonzero(outcome.events["marks"] & CHECKED)
        wrong += np.count_nonzero(outcome.events["marks"] & SUSPECT)
    assert right >= checked
    assert (wrong, source.checks.checksums_failed) == (0, 0)
    assert source.checks.checksums == checked
    assert all(engine.book.state_name == "live" for engine in session.engines if len(engine.book.bids(1)))


def test_bitstamps_own_snapshots_agree_with_the_book_rebuilt_from_orders(data):
    session, events, frame = replayed(data / "bitstamp-l3", "bid", "ask", "bid_lots", "ask_lots")
    checks = session.source.checks
    assert checks.snapshots >= 28_900
    assert (checks.snapshots - checks.snapshots_failed) / checks.snapshots >= 0.996
    assert checks.ghosts
    for ghost in checks.ghosts:
        assert {"id", "side", "price", "size", "since_ns", "dropped_ns", "why"} <= set(ghost)
    # The engine itself, not only the reader, stands where the venue's snapshot says.
    truth = bitstamp_insides(data / "bitstamp-l3" / "2015-05-01.log.bz2")
    at = np.flatnonzero((events["kind"] == 9) & (events["marks"] & LAST != 0) & (events["ref"] != NONE))
    agree = compared = 0
    instrument = session.instruments[0]
    for where in at.tolist():
        inside = truth.get(int(events["recv_ns"][where]) // 1_000_000)
        if inside is None:
            continue
        compared += 1
        got = (instrument.price.text(frame["bid"][where]), instrument.price.text(frame["ask"][where]))
        agree += tuple(map(Decimal, got)) == inside
    assert compared >= 28_900
    assert agree / compared >= 0.996


def bitstamp_insides(path):
    """Receive ms -> (bid, ask) of the venue's snapshots, from the log itself."""
    import bz2

    decode = msgspec.json.Decoder().decode
    insides = {}
    with bz2.open(path, "rt") as lines:
        for line in lines:
            ms, _, rest = line.partition(" ")
            kind, _, text = rest.partition(" ")
            if kind not in ("order_created", "order_changed", "order_deleted", "trade"):
                told = decode(text)
                if told.get("bids") and told.get("asks"):
                    insides[int(ms)] = (Decimal(str(told["bids"][0][0])), Decimal(str(told["asks"][0][0])))
    return insides


def test_a_standx_row_is_the_book_all_twenty_levels(data):
    folder = data / "standx-btcusd"
    session = Session(open_source(folder), thresholds={})
    rows = pl.concat([pl.read_parquet(p) for p in sorted(folder.glob("orderbook_*.parquet"))]).sort(
        "received_at", maintain_order=True
    )
    truth = {}
    for received, *sides in rows.select(
        pl.col("received_at").dt.epoch("ns"), "bid_prices", "bid_quantities", "ask_prices", "ask_quantities"
    ).iter_rows():
        truth[received] = sides
    compared = moments = 0
    for batch in session.source.batches():
        ends = np.flatnonzero((batch["marks"] & LAST != 0) & np.isin(batch["kind"], [BOOK, 9])) + 1
        start = 0
        for end in ends.tolist():
            received = int(batch["recv_ns"][end - 1])
            if received not in truth or (end < len(batch) and batch["recv_ns"][end] == received):
                continue  # more of this moment follows
            moments += 1
            if moments % 7:
                continue  # the reader's own test looks at every row; here the engine is looked at
            session.step(batch[start:end])
            start = end
            wanted = truth[received]
            bids, asks = session.book().bids(), session.book().asks()
            got = [bids["tick"], bids["lots"], asks["tick"], asks["lots"]]
            for column, values, unit in zip(got, wanted, (10, 10_000, 10, 10_000), strict=True):
                assert np.array_equal(column, np.rint(np.array(values) * unit)), received
            compared += 1
        session.step(batch[start:])
    assert (session.instruments[0].tick, session.instruments[0].lot) == ("0.1", "0.0001")
    assert moments >= 0.98 * len(truth)
    assert compared == moments // 7


def test_an_insurance_fund_trade_is_on_the_tape_and_not_in_the_flow(data):
    folder = data / "binance-usdm-btcusdt"
    session, events, _ = replayed(folder)
    trades = events[events["kind"] == TRADE]
    kinds = trades["aux"]
    assert np.count_nonzero(kinds == 5) == 1
    assert session.tape().totals.trades == len(trades) - 1
    assert session.tape().totals.volume == int(trades["lots"][kinds != 5].sum())

"""DBN records against the vendor's own decoder, and the life of orders, books and trades made here."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import databento_dbn as dbn
import numpy as np
import pytest
import zstandard

from feeds.errors import BadInput, MissingExtra
from feeds.events import (
    ADD,
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    BUY,
    CANCEL,
    CLEAR,
    FILL,
    IMPLIED,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    OFF_GRID,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    SUSPECT,
    TRADE,
    UNKNOWN,
)  # fmt: skip
from feeds.files import reader_for
from feeds.files._dbn import RECORDS, UNDEF_PRICE
from feeds.files.databento import READER, DatabentoReader
from feeds.instruments import Instrument
from feeds.source import OpenOptions
from tapeview.engine import Engine
from tests.feeds.files.naive import Naive, plain
from tests.feeds.files.samples import START_NS, databento, dbn_metadata

UNDEF_TIME = 2**64 - 1
TICK = 250_000_000


def mbo(action: str, side: str = "N", tick: int | None = None, size: int = 0, order: int = 0, **more: int) -> bytes:
    """One mbo record of instrument 7 at a price in quarters, the last of its event unless flagged otherwise."""
    fields = {"at": 0, "flags": 128, "sequence": 1, "instrument": 7, "recv": START_NS, "event": START_NS - 5000} | more
    return bytes(
        dbn.MBOMsg(
            1, fields["instrument"], fields["event"], order, UNDEF_PRICE if tick is None else tick * TICK, size,
            dbn.Action.from_str(action), dbn.Side.from_str(side), fields["recv"] + fields["at"], flags=fields["flags"],
            sequence=fields["sequence"],
        )
    )  # fmt: skip


def write(
    folder: Path, *records: bytes, schema: str | None = "mbo", symbols: dict[str, int] | None = None, **more: str
) -> Path:
    """A DBN file of some records."""
    path = folder / "made.dbn.zst"
    path.write_bytes(zstandard.compress(dbn_metadata(schema, symbols, **more) + b"".join(records)))
    return path


def read(path: Path, **options: str) -> tuple[np.ndarray, DatabentoReader]:
    """All rows of a path and its reader."""
    reader = READER.open(path, OpenOptions(**options))
    return np.concatenate(list(reader.rows())), reader


def brief(rows: np.ndarray) -> list[tuple[int, ...]]:
    """(kind, side, tick, lots, ref, aux) without the statuses."""
    rows = rows[rows["kind"] != STATUS]
    return rows[["kind", "side", "tick", "lots", "ref", "aux"]].tolist()


@pytest.mark.parametrize(
    ("rtype", "message"), [(0, dbn.TradeMsg), (1, dbn.MBP1Msg), (10, dbn.MBP10Msg), (160, dbn.MBOMsg)]
)
def test_record_layouts_are_the_packages_own(rtype: int, message) -> None:
    ours = RECORDS[rtype]
    flat = [(name, ours[name], ours.fields[name][1]) for name in ours.names if name != "levels"]
    if "levels" in ours.names:
        level, start = ours["levels"].base, ours.fields["levels"][1]
        for at in range(ours["levels"].shape[0]):
            base = start + at * level.itemsize
            flat += [(f"{name}_{at:02d}", level[name], base + level.fields[name][1]) for name in level.names]
    theirs = np.dtype(message._dtypes)
    assert ours.itemsize == theirs.itemsize
    assert flat == [(name, theirs[name], theirs.fields[name][1]) for name in theirs.names]


@pytest.mark.parametrize("schema", ["mbo", "mbp-1", "mbp-10", "tbbo", "trades"])
def test_the_vendors_samples_give_what_the_vendors_decoder_gives(data: Path, schema: str) -> None:
    path = data / "databento-samples" / f"{schema}.dbn.zst"
    decoder = dbn.DBNDecoder()
    decoder.write(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())
    _, *records = decoder.decode()
    rows, reader = read(path)
    assert [(one.symbol, one.tick, one.multiplier, one.currency) for one in reader.instruments] == [
        ("ESH1", "0.25", "50", "USD")
    ]
    assert reader.tier == {"mbo": "A", "mbp-10": "B"}.get(schema, "D")
    starts = np.flatnonzero(rows["marks"] & LAST)
    assert len(starts) == len(records) + 1  # the first is the live status
    assert rows["recv_ns"][starts[1:]].tolist() == [record.ts_recv for record in records]
    assert rows["exch_ns"][starts[1:]].tolist() == [record.ts_event for record in records]
    if schema == "mbo":
        assert brief(rows) == [
            (CANCEL, ASK, record.price // TICK, record.size, record.order_id, record.sequence) for record in records
        ]
    if schema in {"trades", "tbbo"}:
        trades = rows[rows["kind"] == TRADE]
        assert trades[["side", "tick", "lots"]].tolist() == [(SELL, r.price // TICK, r.size) for r in records]
    if schema in {"mbp-1", "mbp-10", "tbbo"}:
        book, at = Naive(), -1
        for row in plain(rows):
            book.apply(row)
            if row[-1] & LAST:
                at += 1
                if at:
                    levels = records[at - 1].levels
                    assert book.levels[BID] == {level.bid_px // TICK: level.bid_sz for level in levels}
                    assert book.levels[ASK] == {level.ask_px // TICK: level.ask_sz for level in levels}


@pytest.mark.parametrize("schema", ["definition-glbx-es-fut", "statistics", "status"])
def test_schemas_without_book_and_trades_are_refused_by_name(data: Path, schema: str) -> None:
    with pytest.raises(
        BadInput, match=rf"{schema}\.dbn\.zst: schema: got '{schema.split('-', maxsplit=1)[0]}', expected one of mbo"
    ):
        READER.open(data / "databento-samples" / f"{schema}.dbn.zst", OpenOptions())


def test_each_action_becomes_its_row(tmp_path: Path) -> None:
    path = write(
        tmp_path, mbo("A", "B", 100, 5, 11), mbo("A", "A", 101, 7, 12, sequence=2),
        mbo("M", "B", 99, 4, 11, sequence=3),
        mbo("T", "B", 101, 3, 0, flags=0, sequence=4), mbo("F", "A", 101, 3, 12, flags=0, sequence=4),
        mbo("C", "A", 101, 3, 12, sequence=4), mbo("C", "B", 99, 4, 11, sequence=5), mbo("R", sequence=6),
    )  # fmt: skip
    rows, reader = read(path)
    assert brief(rows) == [
        (ADD, BID, 100, 5, 11, 1), (ADD, ASK, 101, 7, 12, 2), (MODIFY, BID, 99, 4, 11, 3),
        (TRADE, BUY, 101, 3, NONE, 0), (FILL, ASK, 101, 3, 12, 4), (CANCEL, ASK, 101, 3, 12, 4),
        (CANCEL, BID, 99, 4, 11, 5), (CLEAR, 0, 0, 0, NONE, 0),
    ]  # fmt: skip
    (fill,) = rows[rows["kind"] == FILL]
    assert fill["marks"] == NO_BOOK
    assert (rows["marks"][rows["kind"] != FILL] & NO_BOOK == 0).all()
    assert (rows["marks"] & LAST != 0).tolist() == [True, True, True, True, False, False, *[True] * 4]
    assert rows[[0, -1]][["kind", "aux"]].tolist() == [(STATUS, S_LIVE)] * 2
    assert any("partial" in note for note in reader.notes)


def test_the_book_after_every_event_is_that_of_plain_dictionaries(tmp_path: Path) -> None:
    path = databento(tmp_path)
    decoder = dbn.DBNDecoder()
    decoder.write(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())
    _, *records = decoder.decode()
    wanted, orders = [], {}
    for record in records:
        order, action = record.order_id, str(record.action)
        if action == "R":
            orders.clear()
        elif action in {"A", "M"}:
            orders[order] = [str(record.side), record.price, record.size]
        elif action == "C":
            orders[order][2] -= record.size
            if not orders[order][2]:
                del orders[order]
        if int(record.flags) & 128:
            levels = {"B": {}, "A": {}}
            for side, price, size in orders.values():
                levels[side][price // TICK] = levels[side].get(price // TICK, 0) + size
            wanted.append((levels["B"], levels["A"]))
    rows, reader = read(path)
    book, got = Naive(), []
    for row in plain(rows):
        book.apply(row)
        if row[-1] & LAST:
            got.append((dict(book.levels[BID]), dict(book.levels[ASK])))
    # The first event is the snapshot, closed by its own record and by the live status behind it.
    assert got[:1] + got[2:] == wanted
    assert rows["kind"][21:22].tolist() == [STATUS]
    assert reader.notes == []


def test_a_snapshot_at_the_start_is_marked_and_live_follows_it(tmp_path: Path) -> None:
    path = write(
        tmp_path, mbo("R", flags=32), mbo("A", "B", 100, 5, 11, flags=32), mbo("A", "A", 101, 5, 12, flags=160),
        mbo("A", "B", 99, 1, 13),
    )  # fmt: skip
    rows, reader = read(path)
    assert rows["kind"].tolist() == [CLEAR, ADD, ADD, STATUS, ADD]
    assert (rows["marks"] & SNAPSHOT != 0).tolist() == [True, True, True, True, False]
    assert (rows["marks"] & LAST != 0).tolist() == [False, False, True, True, True]
    assert reader.notes == []


@pytest.mark.parametrize("flags", [0, 32, 40])
def test_a_book_cleared_on_the_way_is_live_again_when_it_is_whole(tmp_path: Path, flags: int) -> None:
    snapshot = [
        mbo("R", flags=flags),
        mbo("A", "B", 90, 5, 21, flags=flags),
        mbo("A", "A", 91, 5, 22, flags=flags | 128),
    ]
    path = write(tmp_path, mbo("A", "B", 100, 5, 11), *snapshot, mbo("R", flags=128), mbo("A", "B", 80, 1, 31))
    rows, _ = read(path)
    assert rows["kind"].tolist() == [STATUS, ADD, CLEAR, ADD, ADD, STATUS, CLEAR, STATUS, ADD]
    engine = Engine(Instrument(venue="t", symbol="X", tick="0.25"))
    states = []
    for at in range(len(rows)):
        engine.apply(rows[at : at + 1])
        states.append(engine.book.state_name)
    assert states == ["live", "live", *["syncing"] * 3, "live", "syncing", "live", "live"]


def test_a_snapshot_cut_by_the_end_of_a_read_is_live_only_when_it_is_whole(tmp_path: Path) -> None:
    many = [mbo("A", "B", 100 - at % 50, 5, 100 + at, flags=32) for at in range(30_000)]
    again = [mbo("R", flags=32), *many, mbo("A", "A", 101, 5, 11, flags=160)]
    rows, _ = read(write(tmp_path, *again, mbo("A", "A", 102, 5, 12), *again, mbo("A", "A", 102, 5, 12)))
    assert np.flatnonzero(rows["kind"] == STATUS).tolist() == [30_002, 60_006]
    assert (rows["kind"] == ADD).sum() == 60_004


def test_fills_of_the_aggressors_own_order_are_skipped_and_its_event_still_ends(tmp_path: Path) -> None:
    path = write(
        tmp_path, mbo("A", "B", 100, 5, 11), mbo("A", "A", 101, 7, 12), mbo("M", "B", 101, 5, 11, flags=0),
        mbo("T", "B", 101, 5, 11, flags=0), mbo("F", "A", 101, 5, 12, flags=0), mbo("F", "B", 101, 5, 11),
        mbo("T", "A", 100, 1, 0, flags=0), mbo("F", "B", 100, 1, 11), mbo("A", "A", 103, 1, 20),
    )  # fmt: skip
    rows, reader = read(path)
    fills = rows[rows["kind"] == FILL]
    # Order 11 was the aggressor of the first event only.
    assert fills["ref"].tolist() == [12, 11]
    assert (fills["marks"] & LAST != 0).tolist() == [True, True]
    assert sum(reader.checks.ignored.values()) == 1


def test_an_order_refilled_under_its_id_shows_all_its_fills(tmp_path: Path) -> None:
    events = [mbo("A", "A", 101, 5, 12)]
    for _ in range(3):
        events += [mbo("T", "B", 101, 5, 0, flags=0), mbo("F", "A", 101, 5, 12, flags=0), mbo("M", "A", 101, 5, 12)]
    rows, _ = read(write(tmp_path, *events))
    assert rows["lots"][rows["kind"] == FILL].sum() == 15
    book = Naive()
    for row in plain(rows):
        book.apply(row)
    assert book.levels[ASK] == {101: 5}


def test_flags_and_undefined_values_are_marked_and_never_become_numbers(tmp_path: Path) -> None:
    path = write(
        tmp_path, mbo("A", "B", 100, 5, 11, flags=128 | 4), mbo("A", "B", 100, 5, 12, flags=128 | 8, at=1),
        mbo("A", "B", None, 5, 13, at=2), mbo("C", "B", None, 5, 12, at=3), mbo("A", "B", 100, 2**32 - 1, 14, at=4),
        mbo("A", "B", 100, 5, 15, recv=UNDEF_TIME, event=START_NS + 5),
        mbo("A", "B", 100, 5, 16, at=6, event=UNDEF_TIME),
        mbo("A", "N", 100, 5, 17, at=7), mbo("A", "B", 100, 5, 18, recv=UNDEF_TIME, event=UNDEF_TIME), mbo("N", at=8),
    )  # fmt: skip
    rows, reader = read(path)
    orders = rows[np.isin(rows["kind"], (ADD, CANCEL))]
    assert orders["ref"].tolist() == [11, 12, 12, 15, 16, 18]
    assert (orders["marks"] & SUSPECT != 0).tolist() == [True, False, False, False, False, False]
    assert (orders["marks"] & BAD_TIME != 0).tolist() == [False, True, False, False, False, True]
    assert (orders["recv_ns"] - START_NS).tolist() == [0, 1, 3, 5, 6, 7]
    assert orders["exch_ns"][-2:].tolist() == [NONE, NONE]
    assert reader.checks.damaged == 3
    assert UNDEF_PRICE not in rows["tick"].tolist()
    assert rows["marks"][-1] & LAST


def test_receive_times_that_go_back_are_kept_and_marked(tmp_path: Path) -> None:
    rows, reader = read(write(tmp_path, *(mbo("A", "B", 100, 5, at, at=at) for at in (5, 9, 7, 11))))
    adds = rows[rows["kind"] == ADD]
    assert (adds["recv_ns"] - START_NS).tolist() == [5, 9, 7, 11]
    assert (adds["marks"] & BAD_TIME != 0).tolist() == [False, False, True, False]
    assert reader.checks.out_of_order == 1


def test_negative_and_off_grid_prices_are_exact(tmp_path: Path) -> None:
    path = write(tmp_path, mbo("A", "B", -151, 5, 1), mbo("A", "B", 100, 5, 2))
    raw = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    off = (100 * TICK + 1).to_bytes(8, "little", signed=True)
    path.write_bytes(raw.replace((100 * TICK).to_bytes(8, "little", signed=True), off))
    with pytest.raises(BadInput, match="at most 8 decimals"):
        read(path, tick="0.25")
    rows, reader = read(path, tick="0.250")
    adds = rows[rows["kind"] == ADD]
    assert adds["tick"].tolist() == [-151, 25_000_000_001]
    assert adds["marks"][1] & OFF_GRID
    assert reader.checks.off_grid == 1
    assert reader.instruments[0].price.fine_text(adds["tick"][1]) == "25.000000001"


@pytest.mark.parametrize(
    ("symbol", "dataset", "tick", "multiplier"),
    [
        ("MESM3", "GLBX.MDP3", "0.25", "5"), ("ESH1", "GLBX.MDP3", "0.25", "50"),
        ("MCLZ25", "GLBX.MDP3", "0.01", "100"),
        ("ES.c.0", "GLBX.MDP3", "0.25", "50"), ("MES", "XNAS.ITCH", "0.50", "1"), ("ESH1", "XNAS.ITCH", "0.50", "1"),
    ],
)  # fmt: skip
def test_ticks_of_known_contracts_are_stated_and_others_derived(
    tmp_path: Path, symbol: str, dataset: str, tick: str, multiplier: str
) -> None:
    path = write(tmp_path, mbo("A", "B", 100, 5, 1), mbo("A", "B", 102, 5, 2), symbols={symbol: 7}, dataset=dataset)
    (instrument,) = READER.open(path, OpenOptions()).instruments
    assert instrument.symbol == symbol
    assert instrument.multiplier == multiplier
    assert float(instrument.tick) == float(tick)
    assert instrument.derived == (dataset == "XNAS.ITCH")
    assert instrument.locked_ok == (dataset == "XNAS.ITCH")
    stated = READER.open(path, OpenOptions(tick="0.05")).instruments[0]
    assert (stated.tick, stated.derived) == ("0.05", False)


def test_instruments_are_told_apart_each_with_its_own_tick_and_start(tmp_path: Path) -> None:
    path = write(
        tmp_path, mbo("A", "B", 100, 5, 1), mbo("A", "A", 400, 2, 1, instrument=8), mbo("A", "B", 99, 5, 2),
        mbo("A", "A", 1, 1, 1, instrument=9), symbols={"MESM3": 7, "MCLM3": 8},
    )  # fmt: skip
    rows, reader = read(path)
    named = {one.symbol: at for at, one in enumerate(reader.instruments)}
    assert named.keys() == {"MESM3", "MCLM3", "9"}
    adds = rows[rows["kind"] == ADD]
    assert adds["inst"].tolist() == [named["MESM3"], named["MCLM3"], named["MESM3"], named["9"]]
    assert adds["tick"].tolist()[:3] == [100, 10_000, 99]
    starts = rows[rows["kind"] == STATUS]
    assert sorted(starts["inst"].tolist()) == sorted(named.values())
    for inst in named.values():
        assert rows["kind"][rows["inst"] == inst][0] == STATUS


def test_definitions_and_mappings_among_the_records_give_names_and_ticks(tmp_path: Path) -> None:
    definition = dbn.InstrumentDefMsg(
        1, 8, START_NS, START_NS, 12_500_000, 0, "ABCD", "ABCD", "STK", dbn.InstrumentClass.STOCK,
        dbn.SecurityUpdateAction.ADD,
    )  # fmt: skip
    mapping = dbn.SymbolMappingMsg(
        1, 9, START_NS, dbn.SType.PARENT, "MCL.FUT", dbn.SType.RAW_SYMBOL, "MCLZ5", START_NS, START_NS + 1
    )
    path = write(
        tmp_path, bytes(mapping), bytes(definition), mbo("A", "B", 100, 5, 1, instrument=8),
        mbo("A", "B", 100, 5, 1, instrument=9), schema=None, dataset="",
    )  # fmt: skip
    rows, reader = read(path)
    assert {one.symbol: (one.tick, one.derived) for one in reader.instruments} == {
        "MESM3": ("0.25", False), "ABCD": ("0.0125", False), "MCLZ5": ("0.01", False),
    }  # fmt: skip
    assert reader.checks.ignored == {"symbol mapping": 1, "definition": 1}
    assert rows["tick"][rows["kind"] == ADD].tolist() == [2000, 2500]


def mbp10(draw: random.Random, at: int, action: str) -> tuple[bytes, tuple[dict, dict]]:
    """One mbp-10 record and the book it shows."""
    middle = 400 + draw.randrange(-3, 4)
    books: tuple[dict, dict] = ({}, {})
    levels = []
    depth = draw.choice((10, 10, 10, 7, 0))
    for level in range(10):
        fields = {"bid_px": UNDEF_PRICE, "ask_px": UNDEF_PRICE}
        if level < depth:
            for side, sign, book in (("bid", -1, books[0]), ("ask", 1, books[1])):
                size, orders = draw.randrange(1, 4), draw.randrange(1, 3)
                book[middle + sign * (level + 1)] = (size, orders)
                fields |= {f"{side}_px": (middle + sign * (level + 1)) * TICK, f"{side}_sz": size, f"{side}_ct": orders}
        levels.append(dbn.BidAskPair(**fields))
    record = dbn.MBP10Msg(
        1, 7, START_NS + at, middle * TICK, 3, dbn.Action.from_str(action), dbn.Side.from_str("B"), 0,
        START_NS + at + 1, flags=128, sequence=at, levels=levels,
    )  # fmt: skip
    return bytes(record), books


def test_books_of_mbp_10_equal_every_record_with_order_counts_and_blanks(tmp_path: Path) -> None:
    draw = random.Random(5)
    made = [mbp10(draw, at, draw.choice("ACMT")) for at in range(400)]
    rows, reader = read(write(tmp_path, *(record for record, _ in made), schema="mbp-10"))
    held: tuple[dict, dict] = ({}, {})
    at = -1
    for kind, side, tick, lots, aux, marks in rows[["kind", "side", "tick", "lots", "aux", "marks"]].tolist():
        if kind == BOOK:
            book = held[side == ASK]
            if lots:
                assert book.get(tick) != (lots, aux), "a level that did not change"
                book[tick] = (lots, aux)
            else:
                del book[tick]
        if marks & LAST:
            assert at < 0 or held == made[at][1]
            at += 1
    assert at == 400
    assert reader.tier == "B"
    first = rows[(rows["kind"] == BOOK) & (rows["recv_ns"] == START_NS + 1)]
    assert (first["marks"] & SNAPSHOT).all()
    assert not (rows["marks"][(rows["kind"] == BOOK) & (rows["recv_ns"] > START_NS + 1)] & SNAPSHOT).any()


def mbp1(bid: int, ask: int, *, flags: int = 128, at: int = 0, levels: int = 1) -> bytes:
    """One mbp-1 or mbp-10 record with one level a side, or the same level several times."""
    pair = dbn.BidAskPair(bid_px=bid * TICK, ask_px=ask * TICK, bid_sz=1, ask_sz=2, bid_ct=1, ask_ct=1)
    kind, shown = (
        (dbn.MBP1Msg, pair) if levels == 1 else (dbn.MBP10Msg, [pair] * levels + [dbn.BidAskPair()] * (10 - levels))
    )
    return bytes(
        kind(
            1, 7, START_NS + at, bid * TICK, 1, dbn.Action.ADD, dbn.Side.BID, 0, START_NS + at, flags=flags, sequence=1,
            levels=shown,
        )
    )  # fmt: skip


def test_records_of_one_event_end_with_its_last_one(tmp_path: Path) -> None:
    rows, _ = read(
        write(tmp_path, mbp1(10, 11, flags=0), mbp1(9, 11, flags=0, at=1), mbp1(9, 12, at=2), schema="mbp-1")
    )
    books = rows[rows["kind"] == BOOK]
    assert (books["marks"] & LAST != 0).tolist() == [False, False, False, False, False, True]
    assert books["tick"].tolist() == [10, 11, 9, 10, 12, 11]


def test_where_no_record_is_flagged_each_is_an_event(tmp_path: Path) -> None:
    rows, _ = read(write(tmp_path, mbp1(10, 11, flags=0), mbp1(9, 11, flags=0, at=1), schema="mbp-1"))
    assert (rows["marks"][rows["kind"] == BOOK] & LAST != 0).tolist() == [False, True, False, True]


def test_a_book_with_a_price_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"made\.dbn\.zst: byte \d+: bid levels"):
        read(write(tmp_path, mbp1(10, 11, levels=2), schema="mbp-10"))


def test_a_clear_at_a_price_off_the_grid_is_only_a_clear(tmp_path: Path) -> None:
    record = dbn.MBOMsg(1, 7, START_NS, 0, 123, 9, dbn.Action.CLEAR, dbn.Side.BID, START_NS, flags=128)
    rows, reader = read(write(tmp_path, bytes(record), mbo("A", "B", 100, 5, 1)), tick="0.00025")
    (clear,) = rows[rows["kind"] == CLEAR]
    assert clear[["side", "tick", "lots", "marks"]].tolist() == (0, 0, 0, LAST)
    assert reader.checks.off_grid == 0


def test_a_batch_ends_where_an_event_ends_even_in_the_middle_of_a_read(tmp_path: Path) -> None:
    records = []
    for at in range(30_000):
        records += [mbo("T", "B", 101, 1, 0, flags=0, at=at)] * 3 + [mbo("C", "A", 101, 1, 5, at=at)]
    records.append(mbo("T", "B", 101, 1, 0, flags=0, at=30_000))
    batches = list(READER.open(write(tmp_path, *records), OpenOptions()).rows())
    assert len(batches) > 1
    assert all(batch["marks"][-1] & LAST for batch in batches)
    assert sum(map(len, batches)) == 120_002


@pytest.mark.parametrize(("side", "aggressor"), [("B", BUY), ("A", SELL), ("N", UNKNOWN)])
def test_the_side_of_a_trade_is_the_aggressors(tmp_path: Path, side: str, aggressor: int) -> None:
    record = dbn.TradeMsg(
        1, 7, START_NS, 100 * TICK, 3, dbn.Action.TRADE, dbn.Side.from_str(side), 0, START_NS, flags=128, sequence=1
    )
    rows, reader = read(write(tmp_path, bytes(record), schema="trades"))
    assert rows[["kind", "side", "tick", "lots"]].tolist() == [(STATUS, 0, 0, 0), (TRADE, aggressor, 100, 3)]
    assert reader.tier == "D"


def test_of_mixed_schemas_the_most_detailed_is_read_and_the_rest_counted(tmp_path: Path) -> None:
    trade = dbn.TradeMsg(1, 7, START_NS, 100 * TICK, 3, dbn.Action.TRADE, dbn.Side.BID, 0, START_NS, flags=128)
    note = dbn.SystemMsg(START_NS, "heartbeat")
    path = write(
        tmp_path, bytes(note), mbo("A", "B", 100, 5, 1), bytes(trade), mbo("A", "B", 99, 5, 2), bytes(note), schema=None
    )
    rows, reader = read(path)
    assert rows["kind"].tolist() == [STATUS, ADD, ADD]
    assert reader.checks.ignored == {"system": 2, "trades": 1}


def test_long_files_come_in_batches_that_end_with_events_and_lose_nothing(tmp_path: Path) -> None:
    records = []
    for at in range(40_000):
        records.append(mbo("T", "B", 101, 1, 0, flags=0, at=at))
        records.append(mbo("F", "A", 101, 1, 5, flags=0, at=at))
        records.append(mbo("C", "A", 101, 1, 5, at=at, sequence=at))
    path = write(tmp_path, *records)
    reader = READER.open(path, OpenOptions())
    batches = list(reader.rows())
    assert len(batches) > 1
    assert all(len(batch) <= 65_536 and batch["marks"][-1] & LAST for batch in batches)
    rows = np.concatenate(batches)[1:]
    assert rows["kind"].tolist() == [TRADE, FILL, CANCEL] * 40_000
    assert rows["aux"][2::3].tolist() == list(range(40_000))


@pytest.mark.parametrize("cut", [1, 20, 55])
def test_a_record_cut_short_is_refused_with_its_byte(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.dbn"
    head = dbn_metadata()
    path.write_bytes(head + (mbo("A", "B", 100, 5, 1) * 2)[:-cut])
    with pytest.raises(BadInput, match=rf"cut\.dbn: byte {len(head) + 56}\b"):
        read(path)


def test_records_that_are_none_are_refused_with_their_byte(tmp_path: Path) -> None:
    path, head, good = tmp_path / "odd.dbn", dbn_metadata(), mbo("A", "B", 100, 5, 1)
    for odd in (
        bytes(56),
        b"\x02" + good[1:],
        b"\x0d" + good[1:52],
        good[:38] + b"Z" + good[39:],
        good[:39] + b"Z" + good[40:],
    ):
        path.write_bytes(head + good + odd)
        with pytest.raises(BadInput, match=rf"odd\.dbn: byte ({len(head) + 56}|{len(head)})\b"):
            read(path)


@pytest.mark.parametrize("keep", [0, 3, 7, 8, 40, 150])
def test_metadata_cut_short_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "head.dbn"
    path.write_bytes(dbn_metadata()[:keep])
    with pytest.raises(BadInput, match=r"head\.dbn"):
        read(path)


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = databento(tmp_path)
    monkeypatch.setitem(sys.modules, "databento_dbn", None)
    with pytest.raises(MissingExtra, match=r"tapeview\[databento\]") as caught:
        READER.open(path, OpenOptions())
    assert caught.value.extra == "databento"


def days(folder: Path, *files: tuple[bytes, ...], symbols: dict[str, int] | tuple = (), **more: str) -> Path:
    """A folder as a batch download gives it: one file a day, and notes beside them."""
    folder.mkdir(exist_ok=True)
    for name in ("condition.json", "manifest.json", "metadata.json", "symbology.json"):
        (folder / name).write_text("{}")
    for day, records in enumerate(files, 1):
        named = symbols[day - 1] if isinstance(symbols, tuple) and symbols else symbols or None
        path = folder / f"glbx-mdp3-202401{day:02}.{more.get('schema', 'mbo')}.dbn.zst"
        path.write_bytes(zstandard.compress(dbn_metadata(more.get("schema", "mbo"), named) + b"".join(records)))
    return folder


DAY = 86_400 * 10**9


def test_a_folder_of_days_is_the_rows_of_one_file_after_the_other(tmp_path: Path) -> None:
    draw = random.Random(3)
    made = [
        mbo("A", draw.choice("BA"), 100 + at, 1 + at % 7, 10 + at, at=at * DAY // 40, sequence=at) for at in range(100)
    ]
    folder = days(tmp_path / "days", tuple(made[:40]), (), tuple(made[40:45]), tuple(made[45:]))
    one = write(tmp_path, *made)
    assert READER.recognises(folder, b"")
    assert reader_for(folder, OpenOptions()) is READER
    rows, reader = read(folder)
    assert rows.tobytes() == read(one)[0].tobytes()
    assert reader.position == reader.size == sum(file.stat().st_size for file in folder.glob("*.zst"))
    assert reader.checks.messages == 100
    assert reader.notes == [
        "ignored: condition.json, manifest.json, metadata.json, symbology.json",
        "no snapshot at the start: partial, orders before the file are unknown",
    ]


def test_an_event_cut_by_the_end_of_a_file_is_one_event(tmp_path: Path) -> None:
    folder = days(
        tmp_path / "days", (mbo("A", "A", 101, 5, 5), mbo("T", "B", 101, 1, 0, flags=0, at=1)),
        (mbo("F", "A", 101, 1, 5, flags=0, at=1), mbo("C", "A", 101, 1, 5, at=1)),
    )  # fmt: skip
    rows, _ = read(folder)
    assert rows["kind"].tolist() == [STATUS, ADD, TRADE, FILL, CANCEL]
    assert (rows["marks"] & LAST != 0).tolist() == [True, True, False, False, True]


def test_every_day_that_begins_with_a_snapshot_is_live_behind_it(tmp_path: Path) -> None:
    def day(at: int) -> tuple[bytes, ...]:
        head = [mbo("R", flags=40, at=at), mbo("A", "B", 100, 5, 11, flags=40, at=at)]
        return (*head, mbo("A", "A", 101, 5, 12, flags=168, at=at), mbo("A", "B", 99, 1, 13, at=at + 9))

    rows, reader = read(days(tmp_path / "days", day(0), day(DAY), day(2 * DAY)))
    assert rows["kind"].tolist() == [CLEAR, ADD, ADD, STATUS, ADD] * 3
    assert reader.notes[1:] == []


def test_books_of_a_folder_go_on_as_differences(tmp_path: Path) -> None:
    folder = days(tmp_path / "days", (mbp1(10, 11),), (mbp1(10, 12, at=DAY),), schema="mbp-1")
    rows, _ = read(folder)
    assert sorted(brief(rows)[2:]) == [(BOOK, ASK, 11, 0, 1, 0), (BOOK, ASK, 12, 2, 1, 1)]


def test_instruments_of_a_folder_go_by_name_and_a_new_id_begins_a_new_book(tmp_path: Path) -> None:
    folder = days(
        tmp_path / "days",
        (mbo("A", "B", 100, 5, 11), mbo("A", "B", 400, 5, 11, instrument=8)),
        # Numbers have changed hands overnight, and a third has come.
        (mbo("A", "A", 500, 3, 11, at=DAY), mbo("A", "A", 104, 3, 12, instrument=8, at=DAY),
         mbo("A", "B", 50, 1, 1, instrument=9, at=DAY)),
        symbols=({"MESM3": 7, "MCLM3": 8}, {"MCLM3": 7, "MESM3": 8, "MGCM3": 9}),
    )  # fmt: skip
    rows, reader = read(folder)
    assert [one.symbol for one in reader.instruments] == ["MESM3", "MCLM3", "MGCM3"]
    assert [one.tick for one in reader.instruments] == ["0.25", "0.01", "0.10"]
    assert reader.notes[-1] == "instrument ids change with glbx-mdp3-20240102.mbo.dbn.zst: books begin anew there"
    for inst, kinds in enumerate(([STATUS, ADD, CLEAR, STATUS, ADD], [STATUS, ADD, CLEAR, STATUS, ADD], [STATUS, ADD])):
        assert rows["kind"][rows["inst"] == inst].tolist() == kinds
    assert [bool(mark & IMPLIED) for mark in rows["marks"]] == [kind == CLEAR for kind in rows["kind"]]
    book = Naive()
    for row in plain(rows[rows["inst"] == 0]):
        book.apply(row)
    assert (book.levels[BID], book.levels[ASK]) == ({}, {104: 3})


def test_a_new_id_shows_the_whole_book_again(tmp_path: Path) -> None:
    record = mbp1(10, 11, at=DAY)
    other = record[:4] + (8).to_bytes(4, "little") + record[8:]
    folder = days(tmp_path / "days", (mbp1(10, 11),), (other,), symbols=({"MESM3": 7}, {"MESM3": 8}), schema="mbp-1")
    rows, _ = read(folder)
    assert rows["kind"].tolist() == [STATUS, BOOK, BOOK, CLEAR, STATUS, BOOK, BOOK]
    assert (rows["marks"][5:] & SNAPSHOT != 0).all()


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"schema": "mbp-1"}, r"20240102\.mbp-1\.dbn\.zst: dataset and schema: got 'GLBX\.MDP3 mbp-1', expected "
         r"GLBX\.MDP3 mbo as in glbx-mdp3-20240101"),
        ({"dataset": "XNAS.ITCH"}, r"got 'XNAS\.ITCH mbo', expected GLBX\.MDP3 mbo"),
    ],
)  # fmt: skip
def test_files_of_another_kind_in_a_folder_are_refused(tmp_path: Path, second: dict[str, str], why: str) -> None:
    folder = days(tmp_path / "days", (mbo("A", "B", 100, 5, 1),))
    name = f"glbx-mdp3-20240102.{second.get('schema', 'mbo')}.dbn.zst"
    (folder / name).write_bytes(zstandard.compress(dbn_metadata(**({"schema": "mbo"} | second))))
    with pytest.raises(BadInput, match=why):
        read(folder)


def test_files_that_are_not_one_after_the_other_are_refused(tmp_path: Path) -> None:
    early, late = mbo("A", "B", 100, 5, 1), mbo("A", "B", 100, 5, 2, at=DAY)
    with pytest.raises(
        BadInput, match=r"one: glbx-mdp3-20240102\.mbo\.dbn\.zst: got 'starts before glbx-mdp3-20240101"
    ):
        read(days(tmp_path / "one", (late,), (early,)))
    with pytest.raises(
        BadInput, match=r"20240102\.mbo\.dbn\.zst: byte \d+: got 'ts_recv \d+', expected .* where glbx-.*01"
    ):
        read(days(tmp_path / "two", (early, late), (mbo("A", "B", 100, 5, 3, at=DAY - 1),)))


def test_a_file_of_a_folder_that_is_empty_or_damaged_is_refused_and_never_passed_over(tmp_path: Path) -> None:
    folder = days(tmp_path / "days", (mbo("A", "B", 100, 5, 1),), (mbo("A", "B", 100, 5, 2, at=DAY),))
    second = folder / "glbx-mdp3-20240102.mbo.dbn.zst"
    whole = second.read_bytes()
    for bad in (b"", whole[:20], b"no DBN", whole[:-8]):
        second.write_bytes(bad)
        with pytest.raises(BadInput, match=r"20240102\.mbo\.dbn\.zst: byte \d+"):
            read(folder)


def test_uncompressed_and_compressed_files_give_the_same_rows(tmp_path: Path) -> None:
    path = databento(tmp_path)
    raw = tmp_path / "raw.dbn"
    raw.write_bytes(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())
    assert read(raw)[0].tobytes() == read(path)[0].tobytes()

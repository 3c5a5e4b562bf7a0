"""hftbacktest arrays: every kind of event, both clocks, and files that are not what they seem."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    BAD_TIME,
    BOOK,
    CANCEL,
    CLEAR,
    EVENT,
    FILL,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    QUOTE,
    S_LIVE,
    SNAPSHOT,
    STATUS,
    TRADE,
)  # fmt: skip
from feeds.files import reader_for, readers
from feeds.files.hftbacktest import RECORD, HftbacktestReader
from feeds.source import OpenOptions
from tests.feeds.files.samples import hftbacktest

EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
BOTH = EXCH | LOCAL
Row = tuple[int, int, int, float, float, int]


def write(path: Path, *rows: Row) -> Path:
    """Events as (ev, exch_ts, local_ts, px, qty, order_id)."""
    np.savez_compressed(path, data=np.array([(*row, 0, 0.0) for row in rows], dtype=RECORD))
    return path


def read(path: Path, **options: str) -> tuple[HftbacktestReader, np.ndarray]:
    """All rows."""
    reader = HftbacktestReader.open(path, OpenOptions(**options))
    return reader, np.concatenate([np.zeros(0, EVENT), *reader.rows()])


def names(rows: np.ndarray) -> list[tuple[int, int, int, int, int]]:
    """Kind, side, tick, lots and marks."""
    return [(int(r["kind"]), int(r["side"]), int(r["tick"]), int(r["lots"]), int(r["marks"])) for r in rows]


def test_events_become_rows_of_their_kind(tmp_path: Path) -> None:
    path = write(
        tmp_path / "btcusdt.npz",
        (3 | BOTH | BUY, 5, 10, 99.0, 0, 0),
        (4 | BOTH | BUY, 5, 10, 99.5, 1.25, 0),
        (4 | BOTH | SELL, 5, 10, 100.0, 2, 0),
        (1 | BOTH | BUY, 15, 20, 99.5, 0, 0),
        (1 | BOTH | SELL, 15, 20, 100.5, 0.75, 0),
        (2 | BOTH | SELL, 16, 20, 99.5, 0.5, 0),
        (5 | BOTH | BUY, 17, 21, 99.0, 1, 0),
    )
    reader, rows = read(path)
    instrument = reader.instruments[0]
    assert (instrument.symbol, instrument.tick, instrument.lot, reader.tier) == ("BTCUSDT", "0.5", "0.01", "C")
    assert names(rows) == [
        (CLEAR, 1, 0, 0, SNAPSHOT), (BOOK, 1, 199, 125, SNAPSHOT), (BOOK, -1, 200, 200, SNAPSHOT),
        (STATUS, 0, 0, 0, SNAPSHOT | LAST),
        (BOOK, 1, 199, 0, 0), (BOOK, -1, 201, 75, LAST), (TRADE, -1, 199, 50, LAST), (QUOTE, 1, 198, 100, LAST),
    ]  # fmt: skip
    assert rows["recv_ns"].tolist() == [10, 10, 10, 10, 20, 20, 20, 21]
    assert rows["exch_ns"].tolist() == [5, 5, 5, 5, 15, 15, 16, 17]
    assert rows["aux"][3] == S_LIVE


def test_orders_are_told_by_their_ids(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.npz",
        (10 | BOTH | BUY, 1, 2, 99.5, 3, 77),
        (12 | BOTH | BUY, 3, 4, 99.0, 2, 77),
        (13 | BOTH | BUY, 5, 6, 99.0, 1, 77),
        (11 | BOTH | BUY, 7, 8, 0.0, 0, 77),
    )
    reader, rows = read(path)
    assert reader.tier == "A"
    assert names(rows)[1:] == [
        (ADD, 1, 199, 3, LAST), (MODIFY, 1, 198, 2, LAST), (FILL, 1, 198, 1, LAST | NO_BOOK), (CANCEL, 1, 0, 0, LAST),
    ]  # fmt: skip
    assert rows["ref"].tolist() == [NONE, 77, 77, 77, 77]
    assert any("partial" in note for note in reader.notes)


def test_events_of_the_exchange_side_alone_are_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.npz", (2 | BOTH | BUY, 1, 2, 99.5, 3, 0), (2 | EXCH | BUY, 1, 2, 98.5, 3, 0),
        (2 | LOCAL | BUY, 1, 9, 97.5, 3, 0),
    )  # fmt: skip
    reader, rows = read(path)
    assert rows["tick"][rows["kind"] == TRADE].tolist() == [995 // 5, 975 // 5]
    assert reader.checks.ignored == {"events of the exchange side": 1}


def test_times_that_step_back_are_marked(tmp_path: Path) -> None:
    path = write(tmp_path / "x.npz", (2 | BOTH | BUY, 1, 9, 1.5, 3, 0), (2 | BOTH | BUY, 1, 8, 1.5, 3, 0))
    reader, rows = read(path)
    assert [bool(marks & BAD_TIME) for marks in rows["marks"].tolist()] == [False, False, True]
    assert reader.checks.out_of_order == 1


def test_blocks_of_any_size_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hftbacktest(tmp_path)
    whole = read(path)[1]
    for rows in (1, 7, 100):
        monkeypatch.setattr("feeds.files.hftbacktest._ROWS", rows)
        again = read(path)[1]
        if rows > 40:  # a message longer than two blocks is cut
            assert again.tobytes() == whole.tobytes()
        assert len(again) >= len(whole)


def test_the_array_may_be_stored_alone_or_under_another_name(tmp_path: Path) -> None:
    path = hftbacktest(tmp_path)
    with np.load(path) as file:
        array = file["data"]
    wanted = read(path)[1]
    np.save(tmp_path / "plain.npy", array)
    np.savez(tmp_path / "stored.npz", other=array)
    for name in ("plain.npy", "stored.npz"):
        assert reader_for(tmp_path / name, OpenOptions()) is HftbacktestReader
        assert read(tmp_path / name)[1].tobytes() == wanted.tobytes()


def npy(array: np.ndarray) -> bytes:
    """An array as a file, objects pickled."""
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def zipped(path: Path, **members: bytes) -> Path:
    """A ZIP file of members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in members.items():
            file.writestr(f"{name}.npy", body)
    return path


class Trap:
    """Does harm when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("unpickled"),))


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    array = np.empty(1, dtype=object)
    array[0] = Trap()
    path = zipped(tmp_path / "trap.npz", data=npy(array))
    assert readers()["hftbacktest"].recognises(path, path.read_bytes()) is False
    with pytest.raises(BadInput, match="trap.npz: array header"):
        read(path)
    bare = tmp_path / "bare.npz"
    bare.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(BadInput, match="a ZIP file of arrays"):
        read(bare)
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("of another layout", npy(np.zeros((9, 6)))),
        ("of two dimensions", npy(np.zeros((3, 3), dtype=RECORD))),
        ("of big-endian fields", npy(np.zeros(3, dtype=RECORD.newbyteorder(">")))),
        ("cut short", npy(np.zeros(3, dtype=RECORD))[:-1]),
        ("with more behind it", npy(np.zeros(3, dtype=RECORD)) + b"more"),
        ("with a header that never ends", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + bytes(20)),
        ("with a header that is code", b"\x93NUMPY\x01\x00\x20\x00" + b"{'descr': __import__('os')}".ljust(32)),
        ("of events of no kind", npy(np.zeros(3, dtype=RECORD))),
    ],
)
def test_an_array_that_is_none_is_refused(tmp_path: Path, what: str, body: bytes) -> None:
    path = zipped(tmp_path / "bad.npz", data=body)
    with pytest.raises(BadInput, match=r"bad\.npz"):
        read(path)


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    rows = 40_000_000
    body = npy(np.zeros(1, dtype=RECORD))[:-64].replace(b"(1,), }" + b" " * 7, f"({rows},), }}".encode())
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
        file.open("data.npy", "w") as member,
    ):
        member.write(body)
        for _ in range(64):
            member.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    import tracemalloc

    tracemalloc.start()
    with pytest.raises(BadInput, match="a kind of event"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


def test_several_arrays_without_one_called_data_are_refused(tmp_path: Path) -> None:
    body = npy(np.zeros(1, dtype=RECORD))
    with pytest.raises(BadInput, match="an array 'data', or one array only"):
        read(zipped(tmp_path / "x.npz", one=body, two=body))


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ((1 | BOTH, 1, 2, 1.0, 1.0, 0), "a side"),
        ((2 | BOTH | BUY, 1, 2, 1.0, 0.0, 0), "a quantity above 0"),
        ((2 | BOTH | BUY, 1, -2, 1.0, 1.0, 0), "event 2: local_ts"),
        ((99 | BOTH | BUY, 1, 2, 1.0, 1.0, 0), "event 2: ev"),
        ((2 | BOTH | BUY, 1, 2, float("nan"), 1.0, 0), "px"),
        ((2 | BOTH | BUY, 1, 2, 1.0, float("inf"), 0), "qty"),
    ],
)
def test_damage_is_told_with_its_place(tmp_path: Path, row: Row, place: str) -> None:
    path = write(tmp_path / "x.npz", (2 | BOTH | BUY, 1, 2, 1.5, 1.0, 0), row)
    with pytest.raises(BadInput) as caught:
        read(path)
    assert "x.npz" in str(caught.value)
    assert place in str(caught.value)

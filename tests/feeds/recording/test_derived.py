"""Events made from frames by the venue's own parser; frames and events must agree."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from feeds.errors import BadInput
from feeds.events import BOOK, C_DAMAGED, C_DISCONNECT, C_DROPS, C_RECORDING, CLEAR, GAP, LAST, PRINTS_ONLY, TRADE
from feeds.instruments import Instrument
from feeds.recording import EventsDigest, derive_events, derived, open_recording, rebuild, scan, verify
from feeds.recording.blocks import DISCONNECT
from feeds.recording.blocks import GAP as GAP_RECORD
from feeds.recording.derived import GapTold
from feeds.recording.manifest import Manifest, read_manifest
from feeds.recording.segments import Found, list_segments, scan_segment
from feeds.venues import venues
from feeds.venues._contract import Venue
from tapeview.engine import Engine
from tests.kit.frames import Clocks, writer
from tests.kit.recordings import all_rows

BTC = Instrument(venue="binance-futures", symbol="BTCUSDT", tick="0.10", lot="0.001")
ABOUT = Manifest(venue="binance-futures", instruments=(BTC,), tier="C", verification="chain", created_by="test")


def depth(first: int, last: int, before: int, bids: list, asks: list, at_ms: int) -> bytes:
    names = {"e": "depthUpdate", "E": at_ms, "T": at_ms, "s": "BTCUSDT", "U": first, "u": last, "pu": before}
    return msgspec.json.encode({"stream": "btcusdt@depth@100ms", "data": names | {"b": bids, "a": asks}})


def trade(number: int, price: str, at_ms: int) -> bytes:
    names = {"e": "aggTrade", "E": at_ms, "T": at_ms, "s": "BTCUSDT", "a": number, "f": number, "l": number}
    return msgspec.json.encode({"stream": "btcusdt@aggTrade", "data": names | {"p": price, "q": "0.004", "m": False}})


def record(folder: Path, messages: int = 30, commit: bool = False, stop: int | None = None) -> None:
    clocks = Clocks()
    with writer(folder, clocks, about=ABOUT) as out:
        out.frame("ws", depth(95, 100, 90, [["100.0", "1.000"]], [["100.2", "2.000"]], 1))
        snapshot = {"lastUpdateId": 100, "E": 1, "T": 1, "bids": [["100.0", "1.000"]], "asks": [["100.2", "2.000"]]}
        out.frame("rest:snapshot:BTCUSDT", msgspec.json.encode(snapshot))
        for n in range(messages):
            clocks.pass_ns(100_000_000)
            bids = [[f"{99 - n % 7}.{n % 10}", f"0.{n % 9:03}"]]
            out.frame("ws", depth(101 + n, 101 + n, 100 + n, bids, [["100.2", f"{n + 1}.000"]], 2 + n), conn=1)
            out.frame("ws", trade(n, "100.2", 2 + n))
            if stop == n:
                out.record(DISCONNECT, b"1006")
            if commit:
                out.commit()


def test_the_parsers_of_all_venues_are_found() -> None:
    assert {"binance", "binance-futures"} <= venues().keys()


def test_frames_give_the_events_their_venues_parser_makes(tmp_path: Path) -> None:
    record(tmp_path)
    rows = all_rows(rebuild(tmp_path))
    assert rows["seq"].tolist() == list(range(len(rows)))
    assert int((rows["kind"] == TRADE).sum()) == 30
    assert int((rows["kind"] == BOOK).sum()) >= 60
    assert int((rows["kind"] == GAP).sum()) == 0
    source = open_recording(tmp_path)
    assert all_rows(source.batches()).tobytes() == rows.tobytes(), "a recording of frames only plays from them"
    assert source.progress[0] > 0


def test_events_derived_from_frames_have_the_frames_digest(tmp_path: Path) -> None:
    record(tmp_path)
    rows = all_rows(rebuild(tmp_path))
    manifest = derive_events(tmp_path)
    digest = EventsDigest()
    digest.add(rows)
    assert manifest.events_digest == digest.value()
    digest.close()
    assert manifest.frames
    assert manifest.complete
    assert manifest.code_digest
    assert all_rows(open_recording(tmp_path).batches()).tobytes() == rows.tobytes()
    verdict = verify(tmp_path)
    assert verdict.problems == []
    assert verdict.frames_digest == verdict.events_digest == manifest.events_digest
    assert scan(tmp_path).collect().height == len(rows)


def test_events_can_be_derived_again(tmp_path: Path) -> None:
    record(tmp_path)
    first = derive_events(tmp_path)
    again = derive_events(tmp_path)
    assert first.events_digest == again.events_digest
    assert first.parts == again.parts


def test_a_damaged_block_is_a_gap_in_the_events(tmp_path: Path) -> None:
    record(tmp_path, commit=True)
    (path,) = list_segments(tmp_path)
    blocks = [found for found in scan_segment(path) if isinstance(found, Found)]
    data = bytearray(path.read_bytes())
    data[blocks[10].start + 50] ^= 1
    path.write_bytes(data)
    rows = all_rows(rebuild(tmp_path))
    (gap,) = rows[(rows["kind"] == GAP) & (rows["lots"] == C_DAMAGED)]
    assert int(gap["ref"]) == len(blocks[10].records)
    assert int(gap["aux"]) == 200_000_000, "from the last record before it to the first after it"
    verdict = verify(tmp_path)
    assert not verdict.ok
    assert any(f"bytes {blocks[10].start} to {blocks[10].end}" in problem for problem in verdict.problems)


def test_a_recorded_disconnect_is_told_to_the_parser(tmp_path: Path) -> None:
    record(tmp_path, stop=15)
    rows = all_rows(rebuild(tmp_path))
    assert C_DISCONNECT in rows[rows["kind"] == GAP]["lots"].tolist()


def test_a_recorded_gap_becomes_a_row(tmp_path: Path) -> None:
    with writer(tmp_path, about=ABOUT) as out:
        out.record(GAP_RECORD, msgspec.json.encode(GapTold(cause=C_DROPS, lost=7, length_ns=11)))
        out.record(GAP_RECORD, b"not json")
    rows = all_rows(rebuild(tmp_path))
    gaps = rows[rows["kind"] == GAP]
    assert (int(gaps[0]["lots"]), int(gaps[0]["ref"]), int(gaps[0]["aux"])) == (C_DROPS, 7, 11)
    assert len(gaps) == 2


def test_frames_of_an_unknown_venue_are_refused_by_name(tmp_path: Path) -> None:
    writer(tmp_path).close()
    with pytest.raises(BadInput, match="binance-futures"):
        list(rebuild(tmp_path))


def test_frames_of_a_recording_with_events_are_not_appended_to(tmp_path: Path) -> None:
    record(tmp_path)
    derive_events(tmp_path)
    with pytest.raises(BadInput, match="with events"):
        writer(tmp_path, about=ABOUT)


def test_events_of_another_build_of_the_parser_are_told_apart(tmp_path: Path) -> None:
    record(tmp_path)
    derive_events(tmp_path)
    from feeds.recording.manifest import write_manifest
    from feeds.recording.storage import Storage

    manifest = read_manifest(tmp_path)
    manifest.code_digest = "0" * 32
    write_manifest(tmp_path, manifest, Storage())
    assert verify(tmp_path).ok, "other code that gives the same events is fine"
    rows = all_rows(open_recording(tmp_path).batches())
    assert np.array_equal(rows, all_rows(rebuild(tmp_path)))


def test_another_run_of_the_recorder_is_another_connection(tmp_path: Path) -> None:
    record(tmp_path, 5)
    with writer(tmp_path, about=ABOUT) as out:
        out.frame("ws", trade(99, "100.3", 50))
    rows = all_rows(rebuild(tmp_path))
    kinds = rows["kind"].tolist()
    assert C_DISCONNECT in rows[rows["kind"] == GAP]["lots"].tolist()
    assert kinds.index(GAP) < len(kinds) - 1 - kinds[::-1].index(TRADE), "the gap comes before the later trade"


class Trusting(Venue):
    """A venue whose frames tell nothing of what is missing: each sets bid 100 to its number of lots."""

    name = "trusting"
    verification = "unverifiable"

    def on_frame(self, raw, recv_ns, out):
        out.append(BOOK, recv_ns, tick=100, lots=int(raw), side=1, marks=LAST)

    def on_snapshot(self, symbol, raw, recv_ns, out):
        self.on_frame(raw, recv_ns, out)

    def wants(self):
        return []

    def on_disconnect(self, recv_ns, out):
        out.append(CLEAR, recv_ns, marks=LAST)


@pytest.mark.parametrize(("verification", "kinds"), [("unverifiable", [GAP, CLEAR]), ("chain", [GAP])])
def test_a_hole_empties_the_book_where_nothing_else_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verification: str, kinds: list[int]
) -> None:
    monkeypatch.setattr(Trusting, "verification", verification)
    monkeypatch.setattr(derived, "venues", lambda: {"trusting": Trusting})
    about = Manifest(venue="trusting", instruments=(BTC,), created_by="test")
    with writer(tmp_path, about=about, segment_bytes=1) as out:
        for lots in (1, 2, 3):
            out.frame("ws", str(lots))
            out.commit()
    list_segments(tmp_path)[1].unlink()
    rows = all_rows(rebuild(tmp_path))
    assert rows["kind"].tolist() == [BOOK, *kinds, BOOK]
    assert rows["lots"].tolist()[0::3] == [1] + [3] * (len(kinds) == 2)
    gap = rows[rows["kind"] == GAP]
    assert (int(gap["lots"][0]), int(gap["ref"][0])) == (C_RECORDING, 1)


def test_frames_of_several_sockets_are_parsed_each_by_its_own_and_go_over_without_a_hole(tmp_path: Path) -> None:
    """Depth over route 0, trades over route 1; before its end the depth's socket is replaced by another."""
    clocks = Clocks()
    with writer(tmp_path, clocks, about=ABOUT) as out:
        out.frame("ws:0", depth(95, 100, 90, [["100.0", "1.000"]], [["100.2", "2.000"]], 1), conn=1)
        snapshot = {"lastUpdateId": 100, "E": 1, "T": 1, "bids": [["100.0", "1.000"]], "asks": [["100.2", "2.000"]]}
        out.frame("rest:snapshot:BTCUSDT", msgspec.json.encode(snapshot), conn=1)
        for n in range(30):
            clocks.pass_ns(100_000_000)
            change = depth(101 + n, 101 + n, 100 + n, [[f"{99 - n % 7}.{n % 10}", f"0.{n % 9:03}"]], [], 2 + n)
            if n < 22:
                out.frame("ws:0", change, conn=1)
            if n >= 12:
                out.frame("ws:0", change, conn=3)
            if n == 14:
                bids = [[f"{99 - k % 7}.{k % 10}", f"0.{k % 9:03}"] for k in range(13) if k % 9]
                later = snapshot | {"lastUpdateId": 113, "bids": [["100.0", "1.000"], *bids]}
                out.frame("rest:snapshot:BTCUSDT", msgspec.json.encode(later), conn=3)
            if n == 22:
                out.record(DISCONNECT, b"1000", conn=1)
            out.frame("ws:1", trade(n, "100.2", 2 + n), conn=2)
        out.record(DISCONNECT, b"1006", conn=2)
    rows = all_rows(rebuild(tmp_path))
    gaps = rows[rows["kind"] == GAP]
    assert (gaps["marks"] & PRINTS_ONLY != 0).all(), "the book has no hole"
    assert len(gaps) == 1
    assert rows["ref"][rows["kind"] == TRADE].tolist() == list(range(30))
    folder = tmp_path / "one"
    with writer(folder, clocks, about=ABOUT) as out:
        out.frame("ws:0", depth(95, 100, 90, [["100.0", "1.000"]], [["100.2", "2.000"]], 1), conn=1)
        out.frame("rest:snapshot:BTCUSDT", msgspec.json.encode(snapshot), conn=1)
        for n in range(30):
            change = depth(101 + n, 101 + n, 100 + n, [[f"{99 - n % 7}.{n % 10}", f"0.{n % 9:03}"]], [], 2 + n)
            out.frame("ws:0", change, conn=1)
    books = []
    for some in (rows, all_rows(rebuild(folder))):
        engine = Engine(BTC)
        engine.apply(some)
        assert engine.book.state_name == "live"
        books.append((engine.book.bids()[["tick", "lots"]].tolist(), engine.book.asks()[["tick", "lots"]].tolist()))
    assert books[0] == books[1]

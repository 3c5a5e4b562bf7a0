"""Other books get our streams in their own formats and come to our end."""

from __future__ import annotations

import struct
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tapeview.bench import engine as bench
from tapeview.bench import peers
from tapeview.bench.streams import level_stream, order_stream

STREAMS = {"levels": level_stream, "orders": order_stream}
ROOT = Path(__file__).parents[3]
LENGTHS = {b"A": 36, b"E": 31, b"X": 23, b"D": 19, b"U": 35}
"""Of the messages used here, in the specification of ITCH 5.0."""


def test_itch_bytes_say_the_same_orders_by_the_specifications_offsets():
    rows = order_stream(30_000)
    raw = peers.itch_bytes(rows)
    live: dict[int, list] = {}
    kinds: Counter[bytes] = Counter()
    at = newest = 0
    while at < len(raw):
        (length,) = struct.unpack_from(">H", raw, at)
        message = raw[at + 2 : at + 2 + length]
        at += 2 + length
        letter = message[:1]
        kinds[letter] += 1
        assert length == LENGTHS[letter]
        assert struct.unpack_from(">H", message, 1) == (1,)
        stamp = int.from_bytes(message[5:11], "big")
        assert newest < stamp < 86_400 * 10**9
        newest = stamp
        (number,) = struct.unpack_from(">Q", message, 11)
        if letter == b"A":
            side, shares, stock, price = message[19:20], *struct.unpack_from(">I8sI", message, 20)
            assert (stock, number in live) == (b"X       ", False)
            live[number] = [side, shares, price]
        elif letter == b"U":
            side = live.pop(number)[0]
            new, shares, price = struct.unpack_from(">QII", message, 19)
            assert new not in live
            live[new] = [side, shares, price]
        elif letter == b"D":
            del live[number]
        else:
            (shares,) = struct.unpack_from(">I", message, 19)
            live[number][1] -= shares
            assert live[number][1] >= 0
            if not live[number][1]:
                del live[number]
    assert kinds.keys() == LENGTHS.keys()
    _, engine = bench.run_engine(rows, 65_536)
    for side, levels in ((b"B", engine.book.bids()), (b"S", engine.book.asks())):
        lots, orders = Counter(), Counter()
        for its, shares, price in live.values():
            if its == side:
                lots[price] += shares
                orders[price] += 1
        assert dict(zip(levels["tick"].tolist(), levels["lots"].tolist(), strict=True)) == lots
        assert dict(zip(levels["tick"].tolist(), levels["orders"].tolist(), strict=True)) == orders


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
@pytest.mark.parametrize("events", [3_500, 20_000, 60_001])
def test_a_peer_ends_where_the_engine_ends(peer, events):
    pytest.importorskip(peer.module)
    rows = STREAMS[peer.stream](events)
    _, engine = bench.run_engine(rows, 65_536)
    seconds, touch = peer.run(rows)
    assert touch == bench.touch_of(engine)
    assert seconds > 0


def test_a_book_that_ends_elsewhere_stops_the_measurement(monkeypatch):
    wrong = peers.Peer("wrong", "nothing", "wrong==1", "struct", "levels", lambda _: (1.0, peers.Touch(1, 2, 3, 4)))
    monkeypatch.setattr(bench, "PEERS", (wrong,))
    with pytest.raises(AssertionError, match=r"levels: the engine ends with Touch\(.*, wrong with Touch\(bid=1, "):
        bench.measure(quick=True, say=lambda _: None)


def test_a_peer_that_is_not_there_is_said_in_one_line_with_how_to_have_it():
    absent = peers.PEERS[0]._replace(module="no_such_package")
    assert absent.missing == "no hftbacktest: not installed (pip install hftbacktest==2.4.4)"
    assert peers.PEERS[0]._replace(module="struct").missing == ""


def test_what_is_named_to_install_is_what_the_project_pins():
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["bench"]
    assert group == [peer.requirement for peer in peers.PEERS]
